//! The broker: two ROUTERs, one for clients and one for workers, and a thread of its own between them. It waits for
//! nobody: what a client or a worker has no room for is given up or handed to another.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::schedule::{Counts, Job, Level, Limits, Schedule, Sign, Why};
use super::signs::{self, Question};
use crate::connection::clock::Deadline;
use crate::connection::endpoint::{DefaultSide, Endpoint};
use crate::connection::frame::Frame;
use crate::connection::linux::{poll_readable, with_signals_blocked, EventFd};
use crate::connection::log::log_line;
use crate::connection::options::{FullQueue, Options, Role};
use crate::connection::own_thread::OwnThread;
use crate::connection::peers::Signal;
use crate::connection::process::lock;
use crate::connection::socket::{Entered, Kind, Socket};
use crate::connection::stats::Statistics;
use crate::error::{Error, Result, Status};
use crate::messaging::envelope;
use crate::messaging::reply::error_frame;
use crate::messaging::terms::Terms;

/// One of the sockets of a broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum BrokerSide {
    /// Where clients connect to.
    Front = 1,
    /// Where workers connect to.
    Back = 2,
}

/// One broker. Runs from its making to its close, on its own thread; dropping it closes it. May be used from any thread.
///
/// Both ends bind (`>` in front of an endpoint connects). A request waits where no worker is free, goes to the worker
/// that has the least to do and has been idle for longest, and is answered once: by a worker, or where that is not
/// possible, with BUSY (the queue is full) or UNREACHABLE (the worker that had it is gone, and the caller did not say that
/// it may be repeated). Clients of dividere 2.2.0 that would take such an answer for a worker's hear nothing, and ask again
/// by themselves.
pub struct Broker {
    shared: Arc<Shared>,
    thread: Mutex<Option<OwnThread>>,
}

struct Shared {
    front: Arc<Socket>,
    back: Arc<Socket>,
    ring: Arc<EventFd>,
    stopping: AtomicBool,
    schedule: Mutex<Schedule<Request>>,
    workers_changed: Signal,
}

/// A client's request: the frames that lead back to it, and what it says.
struct Request {
    route: Vec<Frame>,
    payload: Frame,
    /// Its client knows an error when it sees one.
    knows_errors: bool,
}

/// Messages from one side before the other one's turn.
const TURN: usize = 64;
/// Workers are not asked out of turn more often than this, whoever comes and goes.
const ASK_ALL_EVERY: Duration = Duration::from_millis(50);

impl Broker {
    /// Begins to hand requests from clients at `front` to workers at `back`, each a list of endpoints.
    pub fn new(front: &str, back: &str, options: &Options) -> Result<Broker> {
        options.validate(Role::Broker)?;
        let (front, back) = (Endpoint::parse_list(front)?, Endpoint::parse_list(back)?);
        let ring = Arc::new(EventFd::new()?);
        let mut first_tag = [0; 8];
        crate::connection::keys::random_bytes(&mut first_tag)?;
        let schedule = Schedule::new(limits(options), u64::from_ne_bytes(first_tag));
        let make = |role| Socket::new(role, Kind::Router, options, FullQueue::Fail);
        // From here on it closes itself.
        let broker = Broker {
            shared: Arc::new(Shared {
                front: make("broker front end")?,
                back: make("broker back end")?,
                ring: Arc::clone(&ring),
                stopping: AtomicBool::new(false),
                schedule: Mutex::new(schedule),
                workers_changed: Signal::default(),
            }),
            thread: Mutex::new(None),
        };
        let shared = &broker.shared;
        for (socket, endpoints) in [(&shared.front, &front), (&shared.back, &back)] {
            socket.reserve()?;
            socket.peers.ring(&ring);
            socket.attach(endpoints, DefaultSide::Bind)?;
        }
        let own = Arc::clone(shared);
        let spawned = with_signals_blocked(|| {
            std::thread::Builder::new()
                .name("dividere-broker".into())
                .spawn(move || own.run())
        });
        let thread =
            spawned.map_err(|e| Error::new(Status::Limit, format!("cannot start the broker's thread: {e}")))?;
        *lock(&broker.thread) = Some(OwnThread::new(thread));
        Ok(broker)
    }

    /// The socket of a side.
    pub fn socket(&self, side: BrokerSide) -> &Arc<Socket> {
        match side {
            BrokerSide::Front => &self.shared.front,
            BrokerSide::Back => &self.shared.back,
        }
    }

    /// The endpoint that a side is bound to, the last one where there are several.
    pub fn last_endpoint(&self, side: BrokerSide) -> Result<String> {
        self.socket(side)
            .last_endpoint()
            .ok_or_else(|| Error::new(Status::NotFound, "this side of the broker is bound to no endpoint"))
    }

    /// How it stands: exact at some moment of the call.
    pub fn statistics(&self) -> Result<Counts> {
        self.shared.front.check()?;
        Ok(lock(&self.shared.schedule).counts())
    }

    /// What a side's connections counted.
    pub fn side_statistics(&self, side: BrokerSide) -> Result<Statistics> {
        self.socket(side).statistics()
    }

    /// Waits until `count` workers are there. That they stay is no promise.
    pub fn wait_workers(&self, count: u64, deadline: Deadline) -> Result<()> {
        // Before any lock: in a child of the process somebody else may have had it at the fork.
        self.shared.front.check()?;
        loop {
            let before = self.shared.workers_changed.now();
            if self.statistics()?.workers >= count {
                return Ok(());
            }
            if !self.shared.workers_changed.wait(before, deadline) {
                return Err(match deadline {
                    Deadline::Now => Error::new(Status::WouldBlock, "there are fewer workers"),
                    _ => Error::new(Status::Timeout, "there are fewer workers still"),
                });
            }
        }
    }

    /// Stops within 50 ms: what waits for a worker or for a worker's answer is answered with UNREACHABLE, and the sockets
    /// are closed. CLOSED where it was closed before.
    pub fn close(&self) -> Result<()> {
        self.shared.front.check()?;
        if self.shared.stopping.swap(true, Ordering::AcqRel) {
            return Err(Error::new(Status::Closed, "the handle is closed"));
        }
        self.shared.ring.ring();
        if let Some(thread) = lock(&self.thread).take() {
            if thread.join().is_err() {
                log_line!(Error, "broker", "the broker's thread had panicked");
            }
        }
        let front = self.shared.front.close();
        self.shared.back.close()?;
        self.shared.workers_changed.notify();
        front
    }

    pub fn is_closed(&self) -> bool {
        self.shared.stopping.load(Ordering::Acquire)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // CLOSED where it was closed before, FORKED in a child.
        let _closed_already = self.close();
    }
}

fn limits(options: &Options) -> Limits {
    let of = options.balancing();
    let time = |ms: i64| Duration::from_millis(ms.unsigned_abs());
    let size = |value: i64| usize::try_from(value).unwrap_or(usize::MAX);
    Limits {
        heartbeat: time(of.heartbeat_ms()),
        busy_limit: time(of.busy_limit_ms()),
        queue: size(of.queue_limit()),
        bytes: size(of.queue_bytes()),
    }
}

/// What the loop knows beside the schedule.
struct Loop {
    frames: Vec<Frame>,
    /// Connections to the back end at the last look.
    peers: usize,
    arrivals: u64,
    /// Some worker may be gone: all are to be asked, not before.
    ask_all_at: Option<Instant>,
    asked_all: Option<Instant>,
    /// Changes of who is there at the last look.
    comings: u64,
}

impl Shared {
    fn run(&self) {
        if let Err(error) = self.serve() {
            match error.status() {
                // A socket was closed behind the broker's back, at the exit of the process.
                Status::Closed => log_line!(Debug, "broker", "the broker ends: {error}"),
                _ => log_line!(Error, "broker", "the broker ends: {error}"),
            }
        }
    }

    fn serve(&self) -> Result<()> {
        let fds = [self.front.fd()?, self.back.fd()?, self.ring.fd()];
        let mut own = Loop {
            frames: Vec::new(),
            peers: 0,
            arrivals: 0,
            ask_all_at: None,
            asked_all: None,
            comings: 0,
        };
        while !self.stopping.load(Ordering::Acquire) {
            let (busy, due) = {
                let mut schedule = lock(&self.schedule);
                let mut did = self.take_turn_of_workers(&mut own, &mut schedule)?;
                did += self.take_turn_of_clients(&mut own, &mut schedule)?;
                did += self.look_at_peers(&mut own, &mut schedule)?;
                let now = Instant::now();
                // When what has come until now was told, or under load a little later.
                let late = if did == 0 { Duration::ZERO } else { schedule.interval() };
                if schedule.due().is_some_and(|due| due + late <= now) {
                    for (slot, ping) in schedule.tick(now) {
                        self.ask(&mut schedule, slot, ping)?;
                        did += 1;
                    }
                    did += self.hand_out(&mut schedule)?;
                }
                did += self.tell_ended(&mut schedule)?;
                self.tell_workers(&mut own, &schedule);
                (did > 0, schedule.due())
            };
            if !busy {
                let until = [due, own.ask_all_at].into_iter().flatten().min();
                poll_readable(&fds, until.map_or(Deadline::Never, Deadline::At).poll_ms());
                self.ring.quiet();
            }
        }
        let mut schedule = lock(&self.schedule);
        schedule.close();
        self.tell_ended(&mut schedule).map(|_| ())
    }

    /// The number of messages taken.
    fn take_turn_of_workers(&self, own: &mut Loop, schedule: &mut Schedule<Request>) -> Result<usize> {
        for taken in 0..TURN {
            if !receive(&self.back, &mut own.frames)? {
                return Ok(taken);
            }
            let now = Instant::now();
            let Some((name, told)) = own.frames.split_first() else {
                continue;
            };
            match signs::of_worker(told) {
                Some(sign) => self.take_sign(schedule, name.bytes(), &sign, now)?,
                None => self.take_answer(schedule, &mut own.frames, now)?,
            }
            self.hand_out(schedule)?;
        }
        Ok(TURN)
    }

    fn take_sign(&self, schedule: &mut Schedule<Request>, name: &[u8], sign: &Sign, now: Instant) -> Result<()> {
        let to_be_asked = schedule.sign(name, sign, now);
        if sign.leaving {
            let farewell = Question { ping: 0, leaving: true };
            let frames = signs::question(Frame::from_bytes(name)?, name, Level::Ours, farewell)?;
            return self.send_to_worker(schedule, frames, name, now);
        }
        match schedule.slot_of(name) {
            Some(slot) if to_be_asked => {
                let ping = schedule.asked(slot, now);
                self.ask(schedule, slot, ping)
            }
            _ => Ok(()),
        }
    }

    /// `[worker][number]['']['reply']` of ours, or `[worker][route of the request]['reply']`.
    fn take_answer(&self, schedule: &mut Schedule<Request>, frames: &mut Vec<Frame>, now: Instant) -> Result<()> {
        let Some(payload) = frames.pop().filter(|_| frames.len() >= 2) else {
            self.back.counters.dropped_malformed();
            return Ok(());
        };
        let (name, route) = (&frames[0], &frames[1..]);
        let ours = schedule
            .slot_of(name.bytes())
            .is_some_and(|slot| schedule.worker(slot).level == Level::Ours);
        let tag = match route {
            [tag, delimiter] if ours && delimiter.is_empty() => tag.bytes().try_into().ok().map(u64::from_be_bytes),
            _ => None,
        };
        if ours && tag.is_none() {
            self.back.counters.dropped_malformed();
            return Ok(());
        }
        let level = match envelope::decode(payload.bytes()) {
            Ok(_) => Level::Typed,
            Err(_) => Level::Bytes,
        };
        let answers = |request: &Request| {
            request.route.len() == route.len() && request.route.iter().zip(route).all(|(a, b)| a.bytes() == b.bytes())
        };
        match schedule.answered(name.bytes(), tag, level, answers, now) {
            Some(job) => self.send_to_client(job.body, payload),
            None => {
                self.back.counters.dropped_stale();
                Ok(())
            }
        }
    }

    fn take_turn_of_clients(&self, own: &mut Loop, schedule: &mut Schedule<Request>) -> Result<usize> {
        for taken in 0..TURN {
            if !receive(&self.front, &mut own.frames)? {
                return Ok(taken);
            }
            if own.frames.is_empty() {
                continue;
            }
            let mut route = std::mem::take(&mut own.frames);
            let Some(payload) = route.pop().filter(|_| !route.is_empty()) else {
                self.front.counters.dropped_malformed();
                continue;
            };
            let now = Instant::now();
            schedule.submit(job_of(route, payload, now), now);
            self.hand_out(schedule)?;
            self.tell_ended(schedule)?;
        }
        Ok(TURN)
    }

    /// Gives what waits to those who are free. The number of requests sent.
    fn hand_out(&self, schedule: &mut Schedule<Request>) -> Result<usize> {
        let mut sent = 0;
        let now = Instant::now();
        while let Some((tag, job, worker)) = schedule.next(now) {
            let name = Frame::from_bytes(&worker.name)?;
            let ours = worker.level == Level::Ours;
            let mut frames = Vec::with_capacity(job.body.route.len() + 2);
            frames.push(name);
            if ours {
                frames.push(Frame::from_bytes(&tag.to_be_bytes())?);
                frames.push(Frame::new());
            } else {
                for part in &mut job.body.route {
                    frames.push(part.share()?);
                }
            }
            frames.push(match job.repeat {
                true => job.body.payload.share()?,
                false => std::mem::take(&mut job.body.payload),
            });
            let (repeat, whole) = (job.repeat, job.size);
            let routes: usize = job.body.route.iter().map(Frame::len).sum();
            match self.back.send_reserved(&mut frames) {
                Ok(()) => schedule.keeps(tag, if repeat { whole } else { routes + KEPT }),
                Err(error) => {
                    if let (false, Some(payload)) = (repeat, frames.pop()) {
                        job.body.payload = payload;
                    }
                    self.not_sent(schedule, tag, error, now)?;
                }
            }
            sent += 1;
        }
        Ok(sent)
    }

    fn not_sent(&self, schedule: &mut Schedule<Request>, tag: u64, error: Error, now: Instant) -> Result<()> {
        match error.status() {
            Status::Unreachable => schedule.not_sent(tag, true, now),
            Status::WouldBlock => schedule.not_sent(tag, false, now),
            _ => return Err(error),
        }
        Ok(())
    }

    fn ask(&self, schedule: &mut Schedule<Request>, slot: usize, ping: u64) -> Result<()> {
        let worker = schedule.worker(slot);
        let name = worker.name.clone();
        let question = Question { ping, leaving: false };
        let frames = signs::question(Frame::from_bytes(&name)?, &name, worker.level, question)?;
        self.send_to_worker(schedule, frames, &name, Instant::now())
    }

    fn send_to_worker(
        &self,
        schedule: &mut Schedule<Request>,
        mut frames: Vec<Frame>,
        name: &[u8],
        now: Instant,
    ) -> Result<()> {
        match self.back.send_reserved(&mut frames) {
            Ok(()) => Ok(()),
            Err(error) if error.status() == Status::Unreachable => {
                schedule.unreachable(name, now);
                Ok(())
            }
            // It does not read; its silence will tell.
            Err(error) if error.status() == Status::WouldBlock => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Whoever reads no answers loses them: nobody waits for a client.
    fn send_to_client(&self, request: Request, payload: Frame) -> Result<()> {
        let mut frames = request.route;
        frames.push(payload);
        match self.front.send_reserved(&mut frames) {
            Ok(()) => {}
            Err(error) => match error.status() {
                Status::Unreachable => self.front.counters.dropped_unrouted(),
                Status::WouldBlock => self.front.counters.dropped_queue_full(),
                // A worker's answer over the limit: an error in its place fits.
                Status::TooLarge => {
                    let route = frames.drain(..frames.len() - 1).collect();
                    let (payload, knows_errors) = (Frame::new(), request.knows_errors);
                    let text = "the worker's answer is larger than the broker's maximum message size";
                    return self.send_error(
                        Request {
                            route,
                            payload,
                            knows_errors,
                        },
                        Status::TooLarge,
                        text,
                    );
                }
                _ => return Err(error),
            },
        }
        Ok(())
    }

    fn send_error(&self, request: Request, status: Status, text: &str) -> Result<()> {
        if !request.knows_errors {
            return Ok(());
        }
        let mut frames = request.route;
        frames.push(error_frame(status, text)?);
        match self.front.send_reserved(&mut frames) {
            Ok(()) => {}
            Err(error) => match error.status() {
                Status::Unreachable => self.front.counters.dropped_unrouted(),
                Status::WouldBlock => self.front.counters.dropped_queue_full(),
                _ => return Err(error),
            },
        }
        Ok(())
    }

    /// Tells the clients of requests that ended without a worker's answer. The number of them.
    fn tell_ended(&self, schedule: &mut Schedule<Request>) -> Result<usize> {
        let ended = schedule.take_ended();
        let count = ended.len();
        for (job, why) in ended {
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
            self.send_error(job.body, status, text)?;
        }
        Ok(count)
    }

    /// A connection that ended may be that of a worker. Asking finds out: what is sent to nobody comes back.
    fn look_at_peers(&self, own: &mut Loop, schedule: &mut Schedule<Request>) -> Result<usize> {
        let (peers, arrivals) = (self.back.peers.count(), self.back.peers.arrivals());
        // One that came hides one that went.
        let went = arrivals - own.arrivals > (peers.saturating_sub(own.peers)) as u64;
        let now = Instant::now();
        if peers < own.peers || went || schedule.take_ask_all() {
            let earliest = own.asked_all.map_or(now, |last| last + ASK_ALL_EVERY);
            own.ask_all_at.get_or_insert(earliest.max(now));
        }
        (own.peers, own.arrivals) = (peers, arrivals);
        if own.ask_all_at.is_none_or(|at| at > now) {
            return Ok(0);
        }
        (own.ask_all_at, own.asked_all) = (None, Some(now));
        let all = schedule.all();
        for slot in &all {
            // Asking one may have removed it, but no other.
            let ping = schedule.asked(*slot, now);
            self.ask(schedule, *slot, ping)?;
        }
        self.hand_out(schedule)?;
        Ok(all.len())
    }

    fn tell_workers(&self, own: &mut Loop, schedule: &Schedule<Request>) {
        if schedule.comings() != own.comings {
            own.comings = schedule.comings();
            self.workers_changed.notify();
        }
    }
}

/// What is kept of a request beside its frames, about.
const KEPT: usize = 256;

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
