//! What the broker's thread does: takes what came from both sides, lets the schedule decide, and sends.
//!
//! In rounds, and everything that a round brings is sent at its end, in the order in which it was decided: so the threads
//! that move the bytes are woken once for many messages, and no question overtakes a request that was handed out before.

mod sending;

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::broker::Shared;
use super::schedule::{Job, Level, Schedule, Sign, Why};
use super::signs::{self, Question};
use crate::connection::clock::Deadline;
use crate::connection::ending::caught;
use crate::connection::frame::Frame;
use crate::connection::linux::Epoll;
use crate::connection::process::lock;
use crate::connection::socket::{Entered, Socket};
use crate::error::{Result, Status};
use crate::messaging::envelope;
use crate::messaging::reply::error_frame;
use crate::messaging::terms::Terms;

/// A client's request: the frames that lead back to it, and what it says.
pub(super) struct Request {
    route: Vec<Frame>,
    payload: Frame,
    /// Its client knows an error when it sees one.
    knows_errors: bool,
}

/// Messages from one side before the other one's turn.
const TURN: usize = 256;
/// Workers are not asked out of turn more often than this, whoever comes and goes.
const ASK_ALL_EVERY: Duration = Duration::from_millis(50);
/// How often all workers are asked once more after a connection ended.
const ASK_AGAIN: u32 = 2;
/// What is kept of a request beside its frames, about.
const KEPT: usize = 256;
/// The key of the broker's own ring; the sockets have those before.
const RING: u64 = 2;

/// Until the broker is closed.
pub(super) fn run(shared: &Shared) -> Result<()> {
    let mut exchange = Exchange {
        shared,
        frames: Vec::new(),
        to_clients: Vec::new(),
        to_workers: Vec::new(),
        peers: 0,
        arrivals: 0,
        ask_all_at: None,
        asked_all: None,
        ask_again: 0,
        comings: 0,
    };
    let ended = caught(|| exchange.run());
    // Also where it failed: most likely one of its sockets is as good as ever.
    let told = caught(|| exchange.tell_all_of_the_end());
    ended.and(told)
}

/// What is to be sent to a worker.
enum ToWorker {
    Request { tag: u64, frames: Vec<Frame>, repeat: bool },
    Question { name: Box<[u8]>, frames: Vec<Frame> },
}

struct Exchange<'a> {
    shared: &'a Shared,
    frames: Vec<Frame>,
    /// What this round brings, in its order.
    to_clients: Vec<(Request, Frame)>,
    to_workers: Vec<ToWorker>,
    /// Connections to the back end at the last look.
    peers: usize,
    arrivals: u64,
    /// Some worker may be gone: all are to be asked, not before.
    ask_all_at: Option<Instant>,
    asked_all: Option<Instant>,
    /// How often they are to be asked once more.
    ask_again: u32,
    /// Changes of who is there at the last look.
    comings: u64,
}

impl Exchange<'_> {
    fn run(&mut self) -> Result<()> {
        let epoll = Epoll::new()?;
        let shared = self.shared;
        for (key, fd) in [shared.front.fd()?, shared.back.fd()?, shared.ring.fd()]
            .into_iter()
            .enumerate()
        {
            epoll.add(fd, key as u64)?;
        }
        let mut ready = Vec::new();
        while !shared.stopping.load(Ordering::Acquire) {
            let (did, due) = self.round(&mut lock(&shared.schedule))?;
            if did == 0 {
                let until = [due, self.ask_all_at].into_iter().flatten().min();
                epoll.wait(&mut ready, until.map_or(Deadline::Never, Deadline::At).poll_ms());
                if ready.contains(&RING) {
                    shared.ring.quiet();
                }
            }
        }
        Ok(())
    }

    /// What waits, and what workers have, is answered: the broker is closed.
    fn tell_all_of_the_end(&mut self) -> Result<()> {
        let mut schedule = lock(&self.shared.schedule);
        schedule.close();
        self.tell_ended(&mut schedule)?;
        // Workers are told nothing more.
        self.to_workers.clear();
        self.send_all(&mut schedule)
    }

    /// How much there was to do, and when there is something the next time.
    fn round(&mut self, schedule: &mut Schedule<Request>) -> Result<(usize, Option<Instant>)> {
        let mut did = self.take_from_workers(schedule)?;
        did += self.take_from_clients(schedule)?;
        did += self.look_at_peers(schedule)?;
        let now = Instant::now();
        // When what has come until now was told, or under load a little later.
        let late = if did == 0 { Duration::ZERO } else { schedule.interval() };
        if schedule.due().is_some_and(|due| due + late <= now) {
            for (slot, ping) in schedule.tick(now) {
                self.ask(schedule, slot, ping)?;
            }
            self.hand_out(schedule)?;
        }
        self.tell_ended(schedule)?;
        did += self.to_clients.len() + self.to_workers.len();
        self.send_all(schedule)?;
        if schedule.comings() != self.comings {
            self.comings = schedule.comings();
            self.shared.workers_changed.notify();
        }
        Ok((did, schedule.due()))
    }

    // -- what came

    /// The number of messages taken.
    fn take_from_workers(&mut self, schedule: &mut Schedule<Request>) -> Result<usize> {
        for taken in 0..TURN {
            if !receive(&self.shared.back, &mut self.frames)? {
                return Ok(taken);
            }
            let now = Instant::now();
            let Some((name, told)) = self.frames.split_first() else {
                continue;
            };
            match signs::of_worker(told) {
                Some(sign) => {
                    let name: Box<[u8]> = name.bytes().into();
                    self.take_sign(schedule, name, &sign, now)?;
                }
                None => self.take_answer(schedule, now),
            }
            self.hand_out(schedule)?;
        }
        Ok(TURN)
    }

    fn take_sign(
        &mut self,
        schedule: &mut Schedule<Request>,
        name: Box<[u8]>,
        sign: &Sign,
        now: Instant,
    ) -> Result<()> {
        let to_be_asked = schedule.sign(&name, sign, now);
        if sign.leaving {
            let farewell = Question { ping: 0, leaving: true };
            let frames = signs::question(Frame::from_bytes(&name)?, &name, Level::Ours, farewell)?;
            self.to_workers.push(ToWorker::Question { name, frames });
            return Ok(());
        }
        match schedule.slot_of(&name) {
            Some(slot) if to_be_asked => {
                let ping = schedule.asked(slot, now);
                self.ask(schedule, slot, ping)
            }
            _ => Ok(()),
        }
    }

    /// `[worker][number]['']['reply']` of ours, or `[worker][route of the request]['reply']`.
    fn take_answer(&mut self, schedule: &mut Schedule<Request>, now: Instant) {
        let back = &self.shared.back;
        let Some(payload) = self.frames.pop().filter(|_| self.frames.len() >= 2) else {
            return back.counters.dropped_malformed();
        };
        let (name, route) = (&self.frames[0], &self.frames[1..]);
        let ours = schedule
            .slot_of(name.bytes())
            .is_some_and(|slot| schedule.worker(slot).level == Level::Ours);
        let tag = match route {
            [tag, delimiter] if ours && delimiter.is_empty() => tag.bytes().try_into().ok().map(u64::from_be_bytes),
            _ => None,
        };
        if ours && tag.is_none() {
            return back.counters.dropped_malformed();
        }
        let answers = |request: &Request| {
            request.route.len() == route.len() && request.route.iter().zip(route).all(|(a, b)| a.bytes() == b.bytes())
        };
        // Of a worker that was forgotten and does not announce itself again, its answers tell how to speak to it.
        let level = || match envelope::decode(payload.bytes()) {
            Ok(_) => Level::Typed,
            Err(_) => Level::Bytes,
        };
        match schedule.answered(name.bytes(), tag, level, answers, now) {
            Some(job) => self.to_clients.push((job.body, payload)),
            None => back.counters.dropped_stale(),
        }
    }

    fn take_from_clients(&mut self, schedule: &mut Schedule<Request>) -> Result<usize> {
        for taken in 0..TURN {
            if !receive(&self.shared.front, &mut self.frames)? {
                return Ok(taken);
            }
            if self.frames.is_empty() {
                continue;
            }
            let mut route = std::mem::take(&mut self.frames);
            let Some(payload) = route.pop().filter(|_| !route.is_empty()) else {
                self.shared.front.counters.dropped_malformed();
                continue;
            };
            let now = Instant::now();
            schedule.submit(job_of(route, payload, now), now);
            self.hand_out(schedule)?;
        }
        Ok(TURN)
    }

    /// A connection that ended may be that of a worker. Asking finds out: what is sent to nobody comes back. Once more a
    /// little later: its end is told before the socket lets go of it, and what is sent in between is lost in silence.
    fn look_at_peers(&mut self, schedule: &mut Schedule<Request>) -> Result<usize> {
        let back = &self.shared.back.peers;
        let (peers, arrivals) = (back.count(), back.arrivals());
        // One that came hides one that went.
        let went = peers < self.peers || arrivals - self.arrivals > (peers - self.peers) as u64;
        (self.peers, self.arrivals) = (peers, arrivals);
        let now = Instant::now();
        if went {
            self.ask_again = ASK_AGAIN;
        }
        if went || schedule.take_ask_all() {
            let earliest = self.asked_all.map_or(now, |last| last + ASK_ALL_EVERY);
            self.ask_all_at.get_or_insert(earliest.max(now));
        }
        if self.ask_all_at.is_none_or(|at| at > now) {
            return Ok(0);
        }
        (self.ask_all_at, self.asked_all) = (None, Some(now));
        if self.ask_again > 0 {
            self.ask_again -= 1;
            self.ask_all_at = Some(now + ASK_ALL_EVERY);
        }
        // So that it knows who has gone until now.
        self.shared.back.nudge();
        let all = schedule.all();
        for slot in &all {
            let ping = schedule.asked(*slot, now);
            self.ask(schedule, *slot, ping)?;
        }
        Ok(all.len())
    }

    // -- what is to be sent

    /// Gives what waits to those who are free.
    fn hand_out(&mut self, schedule: &mut Schedule<Request>) -> Result<()> {
        let now = Instant::now();
        while let Some((tag, job, worker)) = schedule.next(now) {
            let mut frames = Vec::with_capacity(job.body.route.len() + 3);
            frames.push(Frame::from_bytes(&worker.name)?);
            if worker.level == Level::Ours {
                frames.push(Frame::from_bytes(&tag.to_be_bytes())?);
                frames.push(Frame::new());
            } else {
                for part in &mut job.body.route {
                    frames.push(part.share()?);
                }
            }
            let repeat = job.repeat;
            frames.push(match repeat {
                true => job.body.payload.share()?,
                false => std::mem::take(&mut job.body.payload),
            });
            self.to_workers.push(ToWorker::Request { tag, frames, repeat });
        }
        Ok(())
    }

    fn ask(&mut self, schedule: &Schedule<Request>, slot: usize, ping: u64) -> Result<()> {
        let worker = schedule.worker(slot);
        let question = Question { ping, leaving: false };
        let frames = signs::question(Frame::from_bytes(&worker.name)?, &worker.name, worker.level, question)?;
        let name = worker.name.clone();
        self.to_workers.push(ToWorker::Question { name, frames });
        Ok(())
    }

    /// Requests that ended without a worker's answer.
    fn tell_ended(&mut self, schedule: &mut Schedule<Request>) -> Result<()> {
        for (job, why) in schedule.take_ended() {
            let (status, text) = match why {
                Why::Expired => continue,
                Why::Refused => (Status::Busy, "the broker has as many requests waiting as it may"),
                Why::Lost => (
                    Status::Unreachable,
                    "the worker that had the request is gone; whether it was served is not known",
                ),
                Why::Overdue => (
                    Status::Unreachable,
                    "the worker that had the request did not answer in the time that the broker allows",
                ),
                Why::Closing => (Status::Unreachable, "the broker was closed before a worker answered"),
            };
            if job.body.knows_errors {
                self.to_clients.push((job.body, error_frame(status, text)?));
            }
        }
        Ok(())
    }
}

/// One message, without waiting; false where there is none. One that was of no use was counted, and has no frames.
fn receive(socket: &Socket, frames: &mut Vec<Frame>) -> Result<bool> {
    match socket.recv_reserved(|entered: &mut Entered<'_>| entered.try_recv(frames)) {
        Ok(true) => Ok(true),
        Ok(false) => {
            frames.clear();
            Ok(true)
        }
        Err(error) if error.status() == Status::WouldBlock => Ok(false),
        Err(error) => Err(error),
    }
}

/// A request as it came: `[client][further routers]...[number and terms]['']['body']` of ours, `[client]['']['body']` of
/// a request of 2.2.0, `[client]['body']` of a dealer.
fn job_of(route: Vec<Frame>, payload: Frame, now: Instant) -> Job<Request> {
    let asked = route
        .last()
        .is_some_and(|delimiter| route.len() >= 2 && delimiter.is_empty());
    let terms = (asked && route.len() >= 3)
        .then(|| Terms::of(route[route.len() - 2].bytes()))
        .flatten();
    // A dealer of 2.2.0 would choke on an error, and asks again by itself; to a request of bytes it would be the answer.
    let knows_errors = terms.is_some() || (asked && envelope::decode(payload.bytes()).is_ok());
    let terms = terms.unwrap_or(Terms::NONE);
    let wait = Duration::from_millis(u64::from(terms.time_ms));
    let size = payload.len() + route.iter().map(Frame::len).sum::<usize>() + KEPT;
    Job {
        body: Request {
            route,
            payload,
            knows_errors,
        },
        size,
        repeat: terms.repeat,
        expires: (!wait.is_zero()).then(|| now + wait),
        losses: 0,
        lost: None,
    }
}
