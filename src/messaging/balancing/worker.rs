//! The worker: serves what brokers hand it. A thread of its own receives and answers the brokers' questions, also while
//! all handlers work.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::os::fd::RawFd;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::link::{Arrival, Link};
use crate::connection::clock::Deadline;
use crate::connection::ending::{caught, Ending};
use crate::connection::endpoint::{DefaultSide, Endpoint};
use crate::connection::events::EventQueue;
use crate::connection::frame::Frame;
use crate::connection::linux::{with_signals_blocked, Epoll, EventFd};
use crate::connection::log::log_line;
use crate::connection::options::{FullQueue, Options, Role};
use crate::connection::peers::Signal;
use crate::connection::process::lock;
use crate::connection::socket::{Kind, Room, Socket};
use crate::error::{Error, Result, Status};
use crate::messaging::channel::Channel;
use crate::messaging::dealer::{closed, random_uuid};
use crate::messaging::envelope;
use crate::messaging::message::{Message, MessageKind};
use crate::messaging::reply::Origin;

/// Serves one request: what it puts into the second message is the reply; or it answers by `Message::reply`, at once or
/// later by a clone. What it returns as an error, the asker is told.
pub type WorkerHandler = Arc<dyn Fn(&mut Message, &mut Message) -> Result<()> + Send + Sync>;

/// One worker, for one broker or several. May be used from any thread. Dropping it closes it.
///
/// Requests are received, and answered by `Message::reply`, at any time and from any thread; or `serve` calls a handler
/// for each. It takes as many at once, from each broker, as its capacity says. It announces itself again when a broker
/// comes back.
pub struct Worker {
    shared: Arc<Shared>,
}

struct Shared {
    links: Vec<Arc<Link>>,
    events: Arc<EventQueue>,
    capacity: usize,
    heartbeat: Duration,
    ring: Arc<EventFd>,
    inbox: Mutex<VecDeque<(Frame, Origin)>>,
    /// There is one in the inbox; or the worker is closed.
    arrived: Condvar,
    /// Readable while there is a request in the inbox, and when the worker is closed.
    shown: EventFd,
    /// A request was answered, a thread ended, or a broker knows that the worker leaves.
    changed: Arc<Signal>,
    leaving: Arc<AtomicBool>,
    closed: AtomicBool,
    /// By its owner, and by nothing else.
    closing: AtomicBool,
    ending: Ending,
    serving: AtomicBool,
    threads: AtomicUsize,
}

/// Messages from one broker before the next one's turn.
const TURN: usize = 32;
/// Requests beyond what was asked for that wait; a broker of 2.2.0 may send some, and nobody else does.
const MOST_UNASKED: usize = 64;
/// How often stopping looks whether it is done.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long closing waits for handlers under way.
const CLOSING_LIMIT: Duration = Duration::from_secs(10);

thread_local! {
    /// A handler of which worker runs on this thread.
    static HANDLER_OF: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

impl Worker {
    /// Connects to each of the comma-separated endpoints (`@` in front binds), a broker's back end each.
    pub fn new(endpoints: &str, options: &Options) -> Result<Worker> {
        options.validate(Role::Worker)?;
        let endpoints = Endpoint::parse_list(endpoints)?;
        if endpoints.is_empty() {
            return Err(Error::new(Status::Endpoint, "a worker needs an endpoint"));
        }
        let capacity = usize::try_from(options.balancing().capacity()).unwrap_or(1);
        let heartbeat = Duration::from_millis(options.balancing().heartbeat_ms().unsigned_abs());
        let ring = Arc::new(EventFd::new()?);
        let leaving = Arc::new(AtomicBool::new(false));
        let events = Arc::new(EventQueue::new());
        let mut links = Vec::with_capacity(endpoints.len());
        for endpoint in endpoints {
            let mut options = options.clone();
            let id = match options.identity() {
                Some(identity) => String::from_utf8_lossy(identity).into_owned(),
                None => random_uuid()?,
            };
            if options.identity().is_none() {
                options.set_identity(id.as_bytes())?;
            }
            let socket = Socket::with_events("worker", Kind::Dealer, &options, FullQueue::Block, Arc::clone(&events))?;
            socket.reserve()?;
            socket.peers.ring(&ring);
            socket.attach(&[endpoint], DefaultSide::Connect)?;
            links.push(Arc::new(Link::new(socket, id, capacity, heartbeat, &leaving)));
        }
        let worker = Worker {
            shared: Arc::new(Shared {
                links,
                events,
                capacity,
                heartbeat,
                ring,
                inbox: Mutex::default(),
                arrived: Condvar::new(),
                shown: EventFd::new()?,
                changed: Arc::new(Signal::default()),
                leaving,
                closed: AtomicBool::new(false),
                closing: AtomicBool::new(false),
                ending: Ending::new(),
                serving: AtomicBool::new(false),
                threads: AtomicUsize::new(0),
            }),
        };
        let own = Arc::clone(&worker.shared);
        worker
            .shared
            .start("dividere-worker", move || own.ended(caught(|| own.receive())))?;
        Ok(worker)
    }

    /// Calls `handler` for each request from now on, on as many threads as the worker has capacity. STATE where that was
    /// done before. Requests that are no envelope come as bytes.
    pub fn serve(&self, handler: WorkerHandler) -> Result<()> {
        self.check()?;
        if self.shared.serving.swap(true, Ordering::AcqRel) {
            return Err(Error::new(Status::State, "the worker has a handler already"));
        }
        for started in 0..self.shared.capacity {
            let (own, handler) = (Arc::clone(&self.shared), Arc::clone(&handler));
            match self.shared.start("dividere-serve", move || own.serve(&handler)) {
                Ok(()) => {}
                Err(error) if started == 0 => {
                    self.shared.serving.store(false, Ordering::Release);
                    return Err(error);
                }
                Err(error) => {
                    log_line!(Warning, "worker", "only {started} requests are served at once: {error}");
                    break;
                }
            }
        }
        Ok(())
    }

    /// Takes no more requests, tells the brokers, waits until those that it has are answered, and closes. TIMEOUT where
    /// that takes longer: it is closed all the same, and what was not answered is lost, as with `close`.
    pub fn stop(&self, deadline: Deadline) -> Result<()> {
        self.check()?;
        self.shared.leaving.store(true, Ordering::Release);
        self.shared.ring.ring();
        let finished = loop {
            let before = self.shared.changed.now();
            self.check()?;
            if self.shared.is_done() {
                break true;
            }
            // Not all that is waited for is told.
            self.shared
                .changed
                .wait(before, deadline.min(Deadline::after(LOOK_EVERY)));
            if deadline.is_over() {
                break self.shared.is_done();
            }
        };
        self.close()?;
        match finished {
            true => Ok(()),
            false => Err(Error::new(
                Status::Timeout,
                "requests under way took longer than the time given",
            )),
        }
    }

    /// Waits until it has ended: OK where it was closed, and its fault where it failed, which has closed it; TIMEOUT, or
    /// WOULD_BLOCK where the deadline is now, while it works. Whoever waits for requests is told the fault, too.
    pub fn wait_ended(&self, deadline: Deadline) -> Result<()> {
        self.shared
            .links
            .iter()
            .try_for_each(|link| link.socket.check_process())?;
        self.shared.ending.wait(deadline)
    }

    fn check(&self) -> Result<()> {
        self.shared.check()
    }

    fn pop(&self, deadline: Deadline) -> Result<(Frame, Origin)> {
        self.shared.pop(deadline)
    }
}

impl Shared {
    /// FORKED in a child; the fault of a worker that failed; CLOSED where it was closed.
    fn check(&self) -> Result<()> {
        let link = self.links.first().ok_or_else(closed)?;
        link.socket.check_process()?;
        self.ending.check()?;
        link.socket.check()
    }

    fn start(self: &Arc<Shared>, name: &str, body: impl FnOnce() + Send + 'static) -> Result<()> {
        let own = Arc::clone(self);
        self.threads.fetch_add(1, Ordering::AcqRel);
        let started = with_signals_blocked(|| {
            std::thread::Builder::new().name(name.to_owned()).spawn(move || {
                if let Err(error) = caught(|| {
                    body();
                    Ok(())
                }) {
                    log_line!(Error, "worker", "{error}");
                }
                own.threads.fetch_sub(1, Ordering::AcqRel);
                own.changed.notify();
            })
        });
        if let Err(error) = started {
            self.threads.fetch_sub(1, Ordering::AcqRel);
            return Err(Error::new(
                Status::Limit,
                format!("cannot start a thread of a worker: {error}"),
            ));
        }
        Ok(())
    }

    fn is_done(&self) -> bool {
        self.links.iter().all(|link| link.is_done())
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    // -- the thread that receives

    /// Nothing comes any more. Where it failed it is closed, so that brokers see that it is gone.
    fn ended(&self, how: Result<()>) {
        match how {
            Ok(()) => {}
            // A socket was closed, by its owner or at the exit of the process.
            Err(error) if error.status() == Status::Closed => {
                log_line!(Debug, "worker", "the worker ends: {error}");
                self.ending.tell(Ok(()));
            }
            Err(error) => {
                log_line!(Error, "worker", "the worker failed, and is closed: {error}");
                self.ending.tell(Err(error.context("the worker failed")));
                for link in &self.links {
                    if let Err(error) = link.socket.close() {
                        log_line!(Debug, "worker", "closing the worker after its end: {error}");
                    }
                }
            }
        }
        self.end();
        // Brokers hand them to others, or say so: nothing is answered over sockets that are closed.
        let unanswered = std::mem::take(&mut *lock(&self.inbox));
        drop(unanswered);
    }

    /// Wakes everybody for good.
    fn end(&self) {
        self.closed.store(true, Ordering::Release);
        self.shown.ring();
        // Whoever looked before, and sleeps a moment later, has the lock in between.
        drop(lock(&self.inbox));
        self.arrived.notify_all();
        self.changed.notify();
    }

    fn receive(self: &Arc<Shared>) -> Result<()> {
        const RING: u64 = u64::MAX;
        let epoll = Epoll::new()?;
        epoll.add(self.ring.fd(), RING)?;
        for (key, link) in self.links.iter().enumerate() {
            epoll.add(link.socket.fd()?, key as u64)?;
        }
        let mut ready = Vec::new();
        let mut frames = Vec::new();
        let pause_ms = i32::try_from(self.heartbeat.as_millis() / 2).unwrap_or(i32::MAX).max(1);
        let mut farewell_at = None;
        while !self.is_closed() {
            let mut took = 0;
            for link in &self.links {
                link.announce_if_due(Instant::now())?;
                took += self.take_turn(link, &mut frames)?;
            }
            let now = Instant::now();
            if self.leaving.load(Ordering::Acquire) {
                let again = farewell_at.is_some_and(|at| at <= now);
                if again || farewell_at.is_none() {
                    farewell_at = Some(now + self.heartbeat);
                }
                self.links.iter().try_for_each(|link| link.say_farewell(again))?;
                // The news may be all that somebody waits for.
                self.changed.notify();
            }
            if took == 0 {
                epoll.wait(&mut ready, pause_ms);
                self.ring.quiet();
            }
        }
        Ok(())
    }

    fn take_turn(self: &Arc<Shared>, link: &Arc<Link>, frames: &mut Vec<Frame>) -> Result<usize> {
        for taken in 0..TURN {
            let (changed, ring) = (Arc::clone(&self.changed), Arc::clone(&self.ring));
            let leaving = Arc::clone(&self.leaving);
            let done = move || {
                changed.notify();
                if leaving.load(Ordering::Acquire) {
                    ring.ring();
                }
            };
            match link.take(frames, done)? {
                Arrival::Nothing => return Ok(taken),
                Arrival::Other => self.changed.notify(),
                Arrival::Request(payload, origin) => self.push(payload, origin),
            }
        }
        Ok(TURN)
    }

    fn push(&self, payload: Frame, origin: Origin) {
        let mut inbox = lock(&self.inbox);
        if inbox.len() >= self.capacity * self.links.len() + MOST_UNASKED {
            drop(inbox);
            if let Err(error) = origin.refuse(Status::Busy, "the worker was sent more than it takes") {
                log_line!(Debug, "worker", "cannot refuse a request: {error}");
            }
            return;
        }
        inbox.push_back((payload, origin));
        self.shown.ring();
        drop(inbox);
        self.arrived.notify_one();
    }

    // -- those that serve

    fn pop(&self, deadline: Deadline) -> Result<(Frame, Origin)> {
        // Before any lock: in a child of the process somebody else may have had it at the fork.
        self.check()?;
        let mut inbox = self.await_one(deadline)?;
        let request = inbox.pop_front().ok_or_else(closed)?;
        if inbox.is_empty() && !self.is_closed() {
            self.shown.quiet();
        }
        Ok(request)
    }

    /// The inbox, with a request in it.
    fn await_one(&self, deadline: Deadline) -> Result<MutexGuard<'_, VecDeque<(Frame, Origin)>>> {
        let mut inbox = lock(&self.inbox);
        loop {
            if self.is_closed() {
                return Err(self.ending.failure().unwrap_or_else(closed));
            }
            if !inbox.is_empty() {
                return Ok(inbox);
            }
            inbox = match deadline.remaining() {
                None => self.arrived.wait(inbox).unwrap_or_else(|p| p.into_inner()),
                Some(left) if left.is_zero() => {
                    return Err(match deadline {
                        Deadline::Now => Error::new(Status::WouldBlock, "there is no request"),
                        _ => Error::new(Status::Timeout, "no request came in the time given"),
                    })
                }
                Some(left) => {
                    let waited = self.arrived.wait_timeout(inbox, left);
                    waited.unwrap_or_else(|p| p.into_inner()).0
                }
            };
        }
    }

    fn serve(self: &Arc<Shared>, handler: &WorkerHandler) {
        HANDLER_OF.set(Arc::as_ptr(self) as usize);
        let (mut request, mut reply) = (Message::new(), Message::new());
        while let Ok((payload, origin)) = self.pop(Deadline::Never) {
            request.received(payload, Some(origin));
            if envelope::decode(request.bytes()).is_ok() {
                // It is one.
                let _typed = request.decode();
            }
            reply.clear();
            let called = catch_unwind(AssertUnwindSafe(|| handler(&mut request, &mut reply)));
            let outcome = called.unwrap_or_else(|panic| Err(Error::of_handler_panic(panic.as_ref())));
            let answered = match outcome {
                Ok(()) if reply.kind() != MessageKind::Empty => request.reply(&mut reply),
                // It answered, or keeps a clone; or else letting go of it is answered.
                Ok(()) => Ok(()),
                Err(error) if request.can_reply() => request.reply_error(error.status(), error.text()),
                Err(error) => Err(error),
            };
            if let Err(error) = answered {
                log_line!(Debug, "worker", "a request was not answered: {error}");
            }
            request.clear();
        }
    }
}

fn answers_only() -> Error {
    Error::new(
        Status::Unsupported,
        "a worker answers the requests that it received: by the message's own reply",
    )
}

impl Channel for Worker {
    fn role(&self) -> &'static str {
        "worker"
    }

    /// Closes at once: what was not answered is lost with the worker, which a broker of ours notices and makes up for.
    /// Handlers under way are waited for, at most for 10 s (then TIMEOUT), but not in a handler.
    fn close(&self) -> Result<()> {
        let shared = &self.shared;
        shared.links.iter().try_for_each(|link| link.socket.check_process())?;
        if shared.closing.swap(true, Ordering::AcqRel) {
            return Err(closed());
        }
        let sockets = shared.links.iter().map(|link| link.socket.close());
        let outcomes: Vec<Result<()>> = sockets.collect();
        if shared.ending.failure().is_none() {
            // CLOSED where they were closed at the exit of the process.
            outcomes.into_iter().collect::<Result<Vec<()>>>()?;
        }
        shared.ending.tell(Ok(()));
        shared.end();
        shared.ring.ring();
        // Not answered any more: their sockets are closed.
        let unanswered = std::mem::take(&mut *lock(&shared.inbox));
        drop(unanswered);
        let own = usize::from(HANDLER_OF.get() == Arc::as_ptr(shared) as usize);
        let deadline = Deadline::after(CLOSING_LIMIT);
        loop {
            let before = shared.changed.now();
            if shared.threads.load(Ordering::Acquire) <= own || own > 0 {
                return Ok(());
            }
            if !shared.changed.wait(before, deadline) {
                return Err(Error::new(
                    Status::Timeout,
                    "a handler under way takes longer than closing waits",
                ));
            }
        }
    }

    fn is_closed(&self) -> bool {
        self.shared.is_closed()
    }

    fn sockets(&self) -> Cow<'_, [Arc<Socket>]> {
        self.shared.links.iter().map(|link| Arc::clone(&link.socket)).collect()
    }

    fn events(&self) -> Arc<EventQueue> {
        Arc::clone(&self.shared.events)
    }

    fn recv_bytes(&self, message: &mut Message, deadline: Deadline) -> Result<()> {
        let (payload, origin) = self.pop(deadline)?;
        message.received(payload, Some(origin));
        Ok(())
    }

    /// A request that is no envelope is answered with DECODE at once.
    fn recv(&self, message: &mut Message, deadline: Deadline) -> Result<()> {
        self.recv_bytes(message, deadline)?;
        let decoded = message.decode();
        if let Err(error) = &decoded {
            self.count_decode_error();
            if let Some(Err(error)) = message.origin_ref().map(|o| o.refuse(Status::Decode, error.text())) {
                log_line!(Debug, "worker", "cannot refuse a request: {error}");
            }
        }
        decoded
    }

    fn send_within(&self, _message: &mut Message, _room: Room) -> Result<()> {
        Err(answers_only())
    }

    fn room_fd(&self) -> Result<RawFd> {
        Err(answers_only())
    }

    fn default_side(&self) -> DefaultSide {
        DefaultSide::Connect
    }

    fn wait(&self, deadline: Deadline) -> Result<()> {
        self.check()?;
        drop(self.shared.await_one(deadline)?);
        // It may have been woken in place of one who takes it.
        self.shared.arrived.notify_one();
        Ok(())
    }

    fn fd(&self) -> Result<RawFd> {
        self.check()?;
        Ok(self.shared.shown.fd())
    }

    fn wait_connected(&self, peers: usize, deadline: Deadline) -> Result<()> {
        match (self.shared.links.as_slice(), peers) {
            ([link], _) => link.socket.wait_connected(peers, deadline),
            (links, 0) => links
                .iter()
                .try_for_each(|link| link.socket.wait_connected(0, deadline)),
            _ => Err(Error::new(
                Status::Unsupported,
                "a worker of several brokers waits for all of them: give 0",
            )),
        }
    }

    fn attach(&self, _endpoint: &Endpoint) -> Result<()> {
        Err(Error::new(
            Status::Unsupported,
            "the endpoints of this role are given when it is made",
        ))
    }

    fn detach(&self, endpoint: &Endpoint) -> Result<()> {
        self.attach(endpoint)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // CLOSED where it was closed before, FORKED in a child.
        let _closed_already = self.close();
    }
}
