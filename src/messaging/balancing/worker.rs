//! The worker: serves what brokers hand it. A thread of its own receives and answers the brokers' questions, also while
//! all handlers work.

mod shared;

use std::borrow::Cow;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use super::link::Link;
use crate::connection::clock::Deadline;
use crate::connection::ending::{caught, Ending};
use crate::connection::endpoint::{DefaultSide, Endpoint};
use crate::connection::events::EventQueue;
use crate::connection::frame::Frame;
use crate::connection::linux::EventFd;
use crate::connection::log::log_line;
use crate::connection::options::{FullQueue, Options, Role};
use crate::connection::peers::Signal;
use crate::connection::process::lock;
use crate::connection::socket::{Kind, Room, Socket};
use crate::error::{Error, Result, Status};
use crate::messaging::channel::Channel;
use crate::messaging::dealer::{closed, random_uuid};
use crate::messaging::message::Message;
use crate::messaging::reply::Origin;

use shared::{Shared, HANDLER_OF};

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

/// How often stopping looks whether it is done.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long closing waits for handlers under way.
const CLOSING_LIMIT: Duration = Duration::from_secs(10);

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
