//! A worker's connection to one broker: what it says there, and what it has in hand.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::schedule::Level;
use super::signs::{self, Question};
use crate::connection::clock::Deadline;
use crate::connection::frame::Frame;
use crate::connection::log::log_line;
use crate::connection::process::lock;
use crate::connection::socket::{Entered, Socket};
use crate::error::{Result, Status};
use crate::messaging::reply::{Done, Origin};
use crate::proto::Heartbeat;

/// What came from the broker.
pub(super) enum Arrival {
    Request(Frame, Origin),
    /// A sign of life, answered; or nothing of use.
    Other,
    Nothing,
}

/// How long a worker that stops waits for a broker that has not answered its announcement: one of 2.2.0 never does.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

pub(super) struct Link {
    pub socket: Arc<Socket>,
    id: String,
    capacity: usize,
    heartbeat: Duration,
    /// Shared by all links of a worker.
    leaving: Arc<AtomicBool>,
    state: Mutex<State>,
}

struct State {
    /// Requests that are to be answered: the numbers that a broker of ours gave them.
    in_hand: BTreeSet<u64>,
    /// And those of a broker that gives no numbers.
    in_hand_unnumbered: usize,
    /// The broker is one of ours; not known before it asked.
    is_ours: bool,
    /// The one before was.
    was_ours: bool,
    /// When the worker announced itself on this connection.
    announced: Option<Instant>,
    /// Connections made so far, at the last announcement.
    arrivals: u64,
    /// When it was last heard of, or the worker announced itself to it.
    heard: Instant,
    /// How often it was told that the worker takes no more, and how often it said so, too.
    told_leaving: u64,
    heard_leaving: u64,
    /// It was told so behind the last reply: when it answers that, it has all replies.
    told_last: bool,
}

impl Link {
    pub fn new(
        socket: Arc<Socket>,
        id: String,
        capacity: usize,
        heartbeat: Duration,
        leaving: &Arc<AtomicBool>,
    ) -> Link {
        Link {
            socket,
            id,
            capacity,
            heartbeat,
            leaving: Arc::clone(leaving),
            state: Mutex::new(State {
                in_hand: BTreeSet::new(),
                in_hand_unnumbered: 0,
                is_ours: false,
                was_ours: false,
                announced: None,
                arrivals: 0,
                heard: Instant::now(),
                told_leaving: 0,
                heard_leaving: 0,
                told_last: false,
            }),
        }
    }

    /// Announces the worker where that is due: after each connecting, and where the broker has been silent.
    pub fn announce_if_due(&self, now: Instant) -> Result<()> {
        let arrivals = self.socket.peers.arrivals();
        let frames = {
            let mut state = lock(&self.state);
            let returned = state.arrivals != arrivals;
            if returned {
                // Whoever it is now, it has to say so.
                state.was_ours |= state.is_ours;
                (state.arrivals, state.is_ours, state.announced) = (arrivals, false, None);
                (state.told_leaving, state.heard_leaving, state.told_last) = (0, 0, false);
            }
            // A broker of 2.2.0 may forget one that it did not ask in time; ours asks all the time.
            let silent = now.saturating_duration_since(state.heard) >= self.heartbeat * 3 / 2;
            // One of 2.2.0 would send another request at once.
            let welcome = state.is_ours || state.was_ours || self.has_time(&state);
            if self.socket.peers.count() == 0 || !(returned || silent) || !welcome {
                return Ok(());
            }
            state.heard = now;
            state.announced.get_or_insert(now);
            signs::announcement(&self.heartbeat(&mut state, None))?
        };
        self.say(frames)
    }

    /// Tells a broker of ours that the worker takes no more, and once more behind its last reply. `again` where it did
    /// not answer.
    pub fn say_farewell(&self, again: bool) -> Result<()> {
        let frames = {
            let mut state = lock(&self.state);
            if again && state.heard_leaving < state.told_leaving {
                (state.told_leaving, state.heard_leaving, state.told_last) = (0, 0, false);
            }
            let last = state.in_hand.is_empty() && !state.told_last;
            if !state.is_ours || !(state.told_leaving == 0 || last) {
                return Ok(());
            }
            signs::answer(Level::Ours, &self.heartbeat(&mut state, None))?
        };
        self.say(frames)
    }

    /// Nothing is left to be answered, and a broker of ours sends nothing more.
    pub fn is_done(&self) -> bool {
        let state = lock(&self.state);
        let knows = state.told_last && state.heard_leaving >= state.told_leaving;
        // One that has not answered the announcement yet may be ours, and have sent requests behind its answer.
        let is_theirs = !state.is_ours && state.announced.is_none_or(|at| at.elapsed() >= ANSWER_LIMIT);
        let knows = is_theirs || knows || self.socket.peers.count() == 0;
        knows && state.in_hand.is_empty() && state.in_hand_unnumbered == 0
    }

    /// Takes one message, without waiting. `done` is for a request that comes of it.
    pub fn take(self: &Arc<Link>, frames: &mut Vec<Frame>, ring: impl Fn() + Send + 'static) -> Result<Arrival> {
        let received = self
            .socket
            .recv_reserved(|entered: &mut Entered<'_>| entered.try_recv(frames));
        match received {
            Ok(true) => {}
            Ok(false) => return Ok(Arrival::Other),
            Err(error) if error.status() == Status::WouldBlock => return Ok(Arrival::Nothing),
            Err(error) => return Err(error),
        }
        if let Some((level, question)) = signs::of_broker(frames) {
            self.answer(level, question)?;
            return Ok(Arrival::Other);
        }
        let Some(payload) = frames.pop().filter(|_| !frames.is_empty()) else {
            self.socket.counters.dropped_malformed();
            return Ok(Arrival::Other);
        };
        let number = self.took(frames);
        let link = Arc::clone(self);
        let done: Done = Box::new(move || {
            link.done(number);
            ring();
        });
        let origin = Origin::followed(&self.socket, std::mem::take(frames), done);
        Ok(Arrival::Request(payload, origin))
    }

    /// Notes a request, and tells a broker that may be of 2.2.0 where there is time for another. The number that a broker
    /// of ours gave it.
    fn took(&self, route: &[Frame]) -> Option<u64> {
        let number = match route {
            [tag, delimiter] if delimiter.is_empty() => tag.bytes().try_into().ok().map(u64::from_be_bytes),
            _ => None,
        };
        let ready = {
            let mut state = lock(&self.state);
            state.heard = Instant::now();
            match number {
                Some(number) => {
                    state.in_hand.insert(number);
                }
                None => state.in_hand_unnumbered += 1,
            }
            self.ready(&mut state)
        };
        self.say_ready(ready);
        number
    }

    /// A request was answered, or given up.
    fn done(&self, number: Option<u64>) {
        let ready = {
            let mut state = lock(&self.state);
            match number {
                Some(number) => {
                    state.in_hand.remove(&number);
                    state.told_last = false;
                }
                None => state.in_hand_unnumbered = state.in_hand_unnumbered.saturating_sub(1),
            }
            self.ready(&mut state)
        };
        self.say_ready(ready);
    }

    /// What tells a broker of 2.2.0 that there is time for another: it asks nobody whom it gave something. Ours knows.
    fn ready(&self, state: &mut State) -> Option<Heartbeat> {
        (!state.is_ours && self.has_time(state)).then(|| self.heartbeat(state, None))
    }

    fn say_ready(&self, heartbeat: Option<Heartbeat>) {
        let Some(heartbeat) = heartbeat.filter(|_| !self.socket.is_closed()) else {
            return;
        };
        if let Err(error) = signs::announcement(&heartbeat).and_then(|frames| self.say(frames)) {
            log_line!(Debug, "worker", "cannot tell the broker that there is time: {error}");
        }
    }

    fn answer(&self, level: Level, question: Question) -> Result<()> {
        let frames = {
            let mut state = lock(&self.state);
            state.heard = Instant::now();
            state.is_ours |= level == Level::Ours;
            state.heard_leaving += u64::from(question.leaving);
            if question.leaving || (level != Level::Ours && self.leaving.load(Ordering::Acquire)) {
                return Ok(());
            }
            signs::answer(level, &self.heartbeat(&mut state, Some(question.ping)))?
        };
        self.say(frames)
    }

    fn has_time(&self, state: &State) -> bool {
        !self.leaving.load(Ordering::Acquire) && state.in_hand.len() + state.in_hand_unnumbered < self.capacity
    }

    fn heartbeat(&self, state: &mut State, ping: Option<u64>) -> Heartbeat {
        let leaving = self.leaving.load(Ordering::Acquire);
        if leaving {
            state.told_leaving += 1;
            state.told_last = state.in_hand.is_empty();
        }
        Heartbeat {
            id: self.id.clone(),
            ping,
            in_hand: state.in_hand.iter().copied().collect(),
            capacity: u32::try_from(self.capacity).ok(),
            leaving: leaving.then_some(true),
        }
    }

    /// Without waiting: where there is no room, the broker asks again.
    fn say(&self, mut frames: Vec<Frame>) -> Result<()> {
        match self.socket.send_before(&mut frames, Deadline::Now) {
            Err(error)
                if matches!(
                    error.status(),
                    Status::WouldBlock | Status::Timeout | Status::Unreachable
                ) =>
            {
                log_line!(Debug, "worker", "a sign of life was not sent: {error}");
                Ok(())
            }
            sent => sent,
        }
    }
}
