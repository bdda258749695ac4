//! What the threads of a worker share, and what they do: one receives and answers brokers, others run the handler.

use std::cell::Cell;
use std::collections::VecDeque;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::WorkerHandler;
use crate::connection::clock::Deadline;
use crate::connection::ending::{caught, Ending};
use crate::connection::events::EventQueue;
use crate::connection::frame::Frame;
use crate::connection::linux::{with_signals_blocked, Epoll, EventFd};
use crate::connection::log::log_line;
use crate::connection::peers::Signal;
use crate::connection::process::lock;
use crate::error::{Error, Result, Status};
use crate::messaging::balancing::link::{Arrival, Link};
use crate::messaging::dealer::closed;
use crate::messaging::envelope;
use crate::messaging::message::{Message, MessageKind};
use crate::messaging::reply::Origin;

/// Messages from one broker before the next one's turn.
const TURN: usize = 32;
/// Requests beyond what was asked for that wait; a broker of 2.2.0 may send some, and nobody else does.
const MOST_UNASKED: usize = 64;

thread_local! {
    /// A handler of which worker runs on this thread.
    pub(super) static HANDLER_OF: Cell<usize> = const { Cell::new(0) };
}

pub(super) struct Shared {
    pub links: Vec<Arc<Link>>,
    pub events: Arc<EventQueue>,
    pub capacity: usize,
    pub heartbeat: Duration,
    pub ring: Arc<EventFd>,
    pub inbox: Mutex<VecDeque<(Frame, Origin)>>,
    /// There is one in the inbox; or the worker is closed.
    pub arrived: Condvar,
    /// Readable while there is a request in the inbox, and when the worker is closed.
    pub shown: EventFd,
    /// A request was answered, a thread ended, or a broker knows that the worker leaves.
    pub changed: Arc<Signal>,
    pub leaving: Arc<AtomicBool>,
    pub closed: AtomicBool,
    /// By its owner, and by nothing else.
    pub closing: AtomicBool,
    pub ending: Ending,
    pub serving: AtomicBool,
    pub threads: AtomicUsize,
}

impl Shared {
    /// FORKED in a child; the fault of a worker that failed; CLOSED where it was closed.
    pub fn check(&self) -> Result<()> {
        let link = self.links.first().ok_or_else(closed)?;
        link.socket.check_process()?;
        self.ending.check()?;
        link.socket.check()
    }

    pub fn start(self: &Arc<Shared>, name: &str, body: impl FnOnce() + Send + 'static) -> Result<()> {
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

    pub fn is_done(&self) -> bool {
        self.links.iter().all(|link| link.is_done())
    }

    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    // -- the thread that receives

    /// Nothing comes any more. Where it failed it is closed, so that brokers see that it is gone.
    pub fn ended(&self, how: Result<()>) {
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
    pub fn end(&self) {
        self.closed.store(true, Ordering::Release);
        self.shown.ring();
        // Whoever looked before, and sleeps a moment later, has the lock in between.
        drop(lock(&self.inbox));
        self.arrived.notify_all();
        self.changed.notify();
    }

    pub fn receive(self: &Arc<Shared>) -> Result<()> {
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

    pub fn pop(&self, deadline: Deadline) -> Result<(Frame, Origin)> {
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
    pub fn await_one(&self, deadline: Deadline) -> Result<MutexGuard<'_, VecDeque<(Frame, Origin)>>> {
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

    pub fn serve(self: &Arc<Shared>, handler: &WorkerHandler) {
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
