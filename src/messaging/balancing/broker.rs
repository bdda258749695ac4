//! The broker: two ROUTERs, one for clients and one for workers, and a thread of its own between them. It waits for
//! nobody: what a client or a worker has no room for is given up or handed to another.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::exchange::{self, Request};
use super::schedule::{Counts, Limits, Schedule};
use crate::connection::clock::Deadline;
use crate::connection::ending::Ending;
use crate::connection::endpoint::{DefaultSide, Endpoint};
use crate::connection::linux::{with_signals_blocked, EventFd};
use crate::connection::log::log_line;
use crate::connection::options::{FullQueue, Options, Role};
use crate::connection::own_thread::OwnThread;
use crate::connection::peers::Signal;
use crate::connection::process::lock;
use crate::connection::socket::{Kind, Socket};
use crate::connection::stats::Statistics;
use crate::error::{Error, Result, Status};

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

pub(super) struct Shared {
    pub front: Arc<Socket>,
    pub back: Arc<Socket>,
    pub ring: Arc<EventFd>,
    pub stopping: AtomicBool,
    pub schedule: Mutex<Schedule<Request>>,
    pub workers_changed: Signal,
    ending: Ending,
}

impl Shared {
    /// The thread's end. Better closed than silent: clients and workers see that it is gone, and go elsewhere.
    fn ended(&self, how: Result<()>) {
        let Err(error) = how else { return };
        if self.stopping.load(Ordering::Acquire) {
            // Whoever closes it does the rest.
            return log_line!(Error, "broker", "not everybody was told that the broker ends: {error}");
        }
        if error.status() == Status::Closed {
            // Its sockets were closed behind its back, at the exit of the process.
            log_line!(Debug, "broker", "the broker ends: {error}");
            self.ending.tell(Ok(()));
            return self.workers_changed.notify();
        }
        log_line!(Error, "broker", "the broker failed, and is closed: {error}");
        self.ending.tell(Err(error.context("the broker failed")));
        for socket in [&self.front, &self.back] {
            if let Err(error) = socket.close() {
                log_line!(Debug, "broker", "closing the broker after its end: {error}");
            }
        }
        self.workers_changed.notify();
    }

    /// FORKED in a child; the fault of a broker that failed; CLOSED where it was closed.
    fn check(&self) -> Result<()> {
        self.front.check_process()?;
        self.ending.check()?;
        self.front.check()
    }
}

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
                ending: Ending::new(),
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
                .spawn(move || own.ended(exchange::run(&own)))
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

    /// How it stands: exact at some moment of the call. Of a broker that failed this is its fault, as of `wait_workers`.
    pub fn statistics(&self) -> Result<Counts> {
        self.shared.check()?;
        Ok(lock(&self.shared.schedule).counts())
    }

    /// What a side's connections counted.
    pub fn side_statistics(&self, side: BrokerSide) -> Result<Statistics> {
        self.socket(side).statistics()
    }

    /// Waits until `count` workers are there. That they stay is no promise.
    pub fn wait_workers(&self, count: u64, deadline: Deadline) -> Result<()> {
        // Before any lock: in a child of the process somebody else may have had it at the fork.
        self.shared.check()?;
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

    /// Waits until it has ended: OK where it was closed, and its fault where it failed, which has closed it; TIMEOUT, or
    /// WOULD_BLOCK where the deadline is now, while it runs.
    pub fn wait_ended(&self, deadline: Deadline) -> Result<()> {
        self.shared.front.check_process()?;
        self.shared.ending.wait(deadline)
    }

    /// Stops within 50 ms: what waits for a worker or for a worker's answer is answered with UNREACHABLE, and the sockets
    /// are closed. CLOSED where it was closed before.
    pub fn close(&self) -> Result<()> {
        self.shared.front.check_process()?;
        if self.shared.stopping.swap(true, Ordering::AcqRel) {
            return Err(Error::new(Status::Closed, "the handle is closed"));
        }
        self.shared.ring.ring();
        if let Some(thread) = lock(&self.thread).take() {
            if thread.join().is_err() {
                log_line!(Error, "broker", "the broker's thread had panicked");
            }
        }
        if self.shared.ending.failure().is_some() {
            // Its thread has closed them.
            return Ok(());
        }
        let front = self.shared.front.close();
        let back = self.shared.back.close();
        self.shared.ending.tell(Ok(()));
        self.shared.workers_changed.notify();
        front.and(back)
    }

    /// Also where it has failed.
    pub fn is_closed(&self) -> bool {
        self.shared.stopping.load(Ordering::Acquire) || self.shared.front.is_closed()
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
