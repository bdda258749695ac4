//! What is done with the calls that were started, under the lock of their table; and the thread that does it when replies
//! come, connections change, or time is over.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::Instant;

use super::{Asked, Calls, Over, Stage, Table, RING};
use crate::connection::clock::Deadline;
use crate::connection::frame::Frame;
use crate::connection::log::log_line;
use crate::connection::process::lock;
use crate::connection::socket::ROOM_SLICE;
use crate::error::{Error, Result, Status};
use crate::messaging::channel::Channel;
use crate::messaging::message::Message;
use crate::messaging::request::look_at_reply;
use crate::service::client::attempt::Outcome;
use crate::service::client::{patience, terms, Inner};
use crate::service::places::Place;

/// The thread: until the client is closed.
pub(super) fn run(calls: &Calls, inner: &Inner) {
    let mut ready = Vec::new();
    let mut wait = Deadline::Never;
    while !inner.closed.load(Ordering::Acquire) {
        calls.epoll.wait(&mut ready, wait.poll_ms());
        let rung = ready.contains(&RING);
        if rung {
            calls.ring.quiet();
        }
        let places: Vec<Arc<Place>> = {
            let mut table = lock(&calls.table);
            table.awake = true;
            let has_something = |number: &u64| rung || ready.contains(number);
            let asked = table.asked.iter_mut().filter(|(number, _)| has_something(number));
            asked
                .map(|(number, asked)| {
                    // It has reported, and does no more until it is armed again.
                    asked.armed &= !ready.contains(number);
                    Arc::clone(&asked.place)
                })
                .collect()
        };
        // Without the lock, so that others may start calls meanwhile.
        let came: Vec<_> = places
            .iter()
            .map(|place| {
                let mut replies = Vec::new();
                let over = place.request.collect(&mut replies).unwrap_or_else(|error| {
                    log_line!(Debug, "service", "cannot receive from {}: {error}", place.endpoint);
                    true
                });
                (place.number, replies, over)
            })
            .collect();
        let mut table = lock(&calls.table);
        let mut turn = Turn::new(calls, inner, &mut table);
        for (place, replies, over) in came {
            for (number, reply) in replies {
                turn.answered(place, number, reply);
            }
            if over {
                turn.lost(place);
            }
        }
        turn.look_at_times();
        turn.look_for_room();
        if rung {
            turn.look_for_places();
        }
        let gone = turn.end();
        table.awake = false;
        table.up_at = table.due.first().map(|(at, _)| *at);
        wait = table.up_at.map_or(Deadline::Never, Deadline::At);
        if table.asked.values().any(|asked| !asked.for_room.is_empty()) {
            // Who takes the wake-up that is meant for these tells nobody.
            wait = wait.min(Deadline::after(ROOM_SLICE));
        }
        drop(table);
        drop((gone, places));
    }
}

/// The table in hand.
pub(super) struct Turn<'a> {
    calls: &'a Calls,
    inner: &'a Inner,
    table: &'a mut Table,
    /// Connections to let go of without the lock.
    gone: Vec<Arc<Place>>,
    /// Some calls have ended.
    ended: bool,
    /// The thread is to look for room.
    full: bool,
}

impl<'a> Turn<'a> {
    pub fn new(calls: &'a Calls, inner: &'a Inner, table: &'a mut Table) -> Turn<'a> {
        Turn {
            calls,
            inner,
            table,
            gone: Vec::new(),
            ended: false,
            full: false,
        }
    }

    /// Tells those concerned. What it gives back is to be dropped without the lock.
    pub fn end(mut self) -> Vec<Arc<Place>> {
        let unarmed: Vec<u64> = self
            .table
            .asked
            .iter()
            .filter(|(_, a)| !a.armed)
            .map(|(n, _)| *n)
            .collect();
        for place in unarmed {
            if let Err(error) = self.arm(place) {
                log_line!(Warning, "service", "cannot wait for replies: {error}");
                self.lost(place);
            }
        }
        if self.ended {
            self.calls.shown.ring();
            if self.table.sleepers > 0 {
                self.calls.ended.notify_all();
            }
        }
        // The thread itself looks at this before it sleeps.
        let earlier = match (self.table.due.first(), self.table.up_at) {
            (Some((due, _)), Some(up)) => *due < up,
            (due, up) => due.is_some() && up.is_none(),
        };
        if (earlier || self.full) && !self.table.awake {
            self.table.up_at = self.table.due.first().map(|(at, _)| *at);
            self.calls.ring.ring();
        }
        self.gone
    }

    /// Asks the next instance, or waits for one, or ends the call where there is nobody to wait for.
    pub fn advance(&mut self, id: u64) {
        loop {
            let Some(call) = self.table.under_way.get_mut(&id) else {
                return;
            };
            let (place, others) = match self.inner.choose(&mut call.trail) {
                Ok(Some(chosen)) => chosen,
                Ok(None) => {
                    let until = call.until;
                    self.table.unplaced.insert(id);
                    return self.wait(id, Stage::Unplaced, until);
                }
                Err(error) => return self.over(id, Err(error), Message::new()),
            };
            self.enter(&place);
            let failed = match self.arm(place.number).and_then(|()| self.ask(id, &place, others)) {
                Ok(()) => return,
                Err(error) => error,
            };
            self.leave(place.number);
            if self.not_served(id, &place, failed).is_none() {
                return;
            }
            self.gone.push(place);
        }
    }

    /// Sends the request to this place, or leaves it for when there is room, where there is no other one. An error says that
    /// it was not sent.
    fn ask(&mut self, id: u64, place: &Arc<Place>, others: usize) -> Result<()> {
        let Some(call) = self.table.under_way.get_mut(&id) else {
            return Ok(());
        };
        let deadline = call.until.map_or(Deadline::Never, Deadline::At);
        let mut body = call.body.share()?;
        let sent = place
            .request
            .start_collected(terms(call.may_repeat, deadline), &mut body);
        let stage = match sent {
            Ok(number) => Stage::Sent(place.number, number),
            Err(error) if error.status() == Status::WouldBlock && others == 0 => Stage::ForRoom(place.number),
            Err(error) if error.status() == Status::WouldBlock => return Err(queue_was_full(place)),
            Err(error) => return Err(error),
        };
        let mut due = call.until;
        if let Stage::Sent(..) = stage {
            call.trail.goes_to(place);
            if let Deadline::At(at) = patience(deadline, call.may_repeat && others > 0) {
                due = Some(at);
            }
        }
        self.wait(id, stage, due);
        Ok(())
    }

    /// The call stands here from now on, and goes on by itself at `due`.
    fn wait(&mut self, id: u64, stage: Stage, due: Option<Instant>) {
        let Some(call) = self.table.under_way.get_mut(&id) else {
            return;
        };
        if let Some(before) = call.due {
            self.table.due.remove(&(before, id));
        }
        (call.stage, call.due) = (stage, due);
        self.table.due.extend(due.map(|due| (due, id)));
        match stage {
            Stage::Unplaced => {}
            Stage::ForRoom(place) => {
                self.full = true;
                let asked = self.table.asked.get_mut(&place);
                asked.map(|asked| asked.for_room.insert(id));
            }
            Stage::Sent(place, number) => {
                let asked = self.table.asked.get_mut(&place);
                asked.map(|asked| asked.calls.insert(number, id));
            }
        }
    }

    /// Takes a call from where it stands. Its connection, where it was sent.
    fn take_back(&mut self, id: u64) -> Option<Arc<Place>> {
        let (place, number) = match self.table.under_way.get(&id)?.stage {
            Stage::Unplaced => {
                self.table.unplaced.remove(&id);
                return None;
            }
            Stage::ForRoom(place) => (place, None),
            Stage::Sent(place, number) => (place, Some(number)),
        };
        let asked = self.table.asked.get_mut(&place)?;
        let connection = Arc::clone(&asked.place);
        match number {
            Some(number) => drop(asked.calls.remove(&number)),
            None => drop(asked.for_room.remove(&id)),
        }
        self.leave(place);
        Some(connection)
    }

    fn enter(&mut self, place: &Arc<Place>) {
        self.table.asked.entry(place.number).or_insert_with(|| Asked {
            place: Arc::clone(place),
            calls: HashMap::new(),
            for_room: BTreeSet::new(),
            armed: false,
        });
    }

    /// Lets go of a connection that nobody waits for any more.
    fn leave(&mut self, place: u64) {
        let unused = |asked: &Asked| asked.calls.is_empty() && asked.for_room.is_empty();
        if self.table.asked.get(&place).is_some_and(unused) {
            let asked = self.table.asked.remove(&place);
            self.gone.extend(asked.map(|asked| asked.place));
        }
    }

    /// Lets a connection report when it has something.
    fn arm(&mut self, place: u64) -> Result<()> {
        let Some(asked) = self.table.asked.get_mut(&place).filter(|asked| !asked.armed) else {
            return Ok(());
        };
        let fd = asked.place.request.fd()?;
        if asked.place.collected.swap(true, Ordering::AcqRel) {
            self.calls.epoll.rearm(fd, place);
        } else if let Err(error) = self.calls.epoll.add_once(fd, place) {
            asked.place.collected.store(false, Ordering::Release);
            return Err(error);
        }
        asked.armed = true;
        Ok(())
    }

    /// Some where another attempt follows; or else the call is over.
    fn goes_on(&mut self, id: u64, outcome: Outcome) -> Option<()> {
        let call = self.table.under_way.get_mut(&id)?;
        let in_time = call.until.is_none_or(|until| Instant::now() < until);
        let too_large = matches!(&outcome, Outcome::NotServed(error) if error.status() == Status::TooLarge);
        let repeat = call.may_repeat && in_time;
        match (call.trail.take_in(outcome, repeat), too_large) {
            (Some(end), _) => self.over(id, end, Message::new()),
            (None, true) => {
                let error = self.inner.in_vain(&mut call.trail);
                self.over(id, Err(error), Message::new());
            }
            (None, false) => return Some(()),
        }
        None
    }

    /// The same for what could not be sent there.
    fn not_served(&mut self, id: u64, place: &Place, error: Error) -> Option<()> {
        self.table.under_way.get_mut(&id)?.trail.goes_to(place);
        self.goes_on(id, Outcome::NotServed(error))
    }

    pub fn answered(&mut self, place: u64, number: u64, frame: Frame) {
        let call = self.table.asked.get(&place).and_then(|asked| asked.calls.get(&number));
        let Some(id) = call.copied() else {
            // Given up in this moment.
            return;
        };
        let Some(connection) = self.take_back(id) else {
            return;
        };
        let mut reply = Message::new();
        reply.received(frame, None);
        let answer = look_at_reply(&mut reply);
        match self.inner.outcome(&connection, Ok(answer)) {
            Outcome::Answered(answer) => self.over(id, answer, reply),
            other => {
                if self.goes_on(id, other).is_some() {
                    self.advance(id);
                }
            }
        }
        self.gone.push(connection);
    }

    /// Nothing comes from there any more.
    pub fn lost(&mut self, place: u64) {
        let Some(asked) = self.table.asked.remove(&place) else {
            return;
        };
        let lost = || Error::new(Status::Unreachable, "the connection was lost");
        for id in asked.for_room {
            if self.not_served(id, &asked.place, lost()).is_some() {
                self.advance(id);
            }
        }
        for id in asked.calls.into_values() {
            let outcome = self.inner.outcome(&asked.place, Err(lost()));
            if self.goes_on(id, outcome).is_some() {
                self.advance(id);
            }
        }
        self.gone.push(asked.place);
    }

    pub fn look_at_times(&mut self) {
        let now = Instant::now();
        while let Some((_, id)) = self.table.due.first().copied().filter(|(due, _)| *due <= now) {
            self.timed_out(id);
        }
    }

    fn timed_out(&mut self, id: u64) {
        let Some(call) = self.table.under_way.get_mut(&id) else {
            return;
        };
        let stage = call.stage;
        let connection = self.take_back(id);
        let late = || Error::new(Status::Timeout, "its time is over");
        match (stage, connection) {
            (Stage::Sent(_, number), Some(connection)) => {
                // Over already where its reply comes in this moment.
                let _over = connection.request.abandon_call(number);
                let outcome = self.inner.outcome(&connection, Err(late()));
                if self.goes_on(id, outcome).is_some() {
                    self.advance(id);
                }
                self.gone.push(connection);
            }
            (Stage::ForRoom(_), Some(connection)) => {
                self.over(id, Err(queue_was_full(&connection)), Message::new());
                self.gone.push(connection);
            }
            _ => {
                let call = self.table.under_way.get_mut(&id);
                let error = call.map_or_else(late, |call| self.inner.in_vain(&mut call.trail));
                self.over(id, Err(error), Message::new());
            }
        }
    }

    /// Sends what full queues did not take, in order, as far as they do now.
    pub fn look_for_room(&mut self) {
        let waiting = |(_, asked): &(&u64, &Asked)| !asked.for_room.is_empty();
        let places: Vec<u64> = self.table.asked.iter().filter(waiting).map(|(n, _)| *n).collect();
        for number in places {
            while let Some(asked) = self.table.asked.get_mut(&number) {
                let Some(id) = asked.for_room.pop_first() else { break };
                let place = Arc::clone(&asked.place);
                match self.ask(id, &place, 0) {
                    Ok(()) => {}
                    Err(error) => {
                        self.leave(number);
                        if self.not_served(id, &place, error).is_some() {
                            self.advance(id);
                        }
                    }
                }
                let still = self.table.under_way.get(&id).map(|call| call.stage);
                if matches!(still, Some(Stage::ForRoom(at)) if at == number) {
                    break;
                }
            }
        }
    }

    /// Looks again for those that wait for an instance.
    pub fn look_for_places(&mut self) {
        for id in std::mem::take(&mut self.table.unplaced) {
            self.advance(id);
        }
    }

    pub fn abandon(&mut self, id: u64) -> bool {
        let Some(stage) = self.table.under_way.get(&id).map(|call| call.stage) else {
            return false;
        };
        let connection = self.take_back(id);
        if let (Stage::Sent(_, number), Some(connection)) = (stage, &connection) {
            let _over = connection.request.abandon_call(number);
        }
        self.gone.extend(connection);
        self.remove(id);
        true
    }

    fn remove(&mut self, id: u64) {
        if let Some(due) = self.table.under_way.remove(&id).and_then(|call| call.due) {
            self.table.due.remove(&(due, id));
        }
    }

    /// The call has ended, and stands nowhere any more.
    fn over(&mut self, id: u64, outcome: Result<()>, reply: Message) {
        // An instance may answer with any status: this one says that a call is under way still.
        let outcome = outcome.map_err(|error| match error.status() {
            Status::WouldBlock => Error::new(Status::Remote, error.text().to_owned()),
            _ => error,
        });
        self.remove(id);
        self.table.last_turn += 1;
        let turn = self.table.last_turn;
        self.table.turns.insert(id, turn);
        let over = Over {
            call: id,
            outcome,
            reply,
        };
        self.table.over.insert(turn, over);
        self.ended = true;
    }
}

fn queue_was_full(place: &Place) -> Error {
    Error::new(Status::Timeout, format!("the queue to {} is full", place.endpoint))
}
