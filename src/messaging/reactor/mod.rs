//! Calls a handler for each message that arrives at any of its sources, one after the other on one thread.
//!
//! Nothing ends the loop but `stop`: not an undecodable message, not an unexpected one, not a handler that fails or
//! panics. A request that its handler leaves unanswered, and keeps no clone of, is answered with an error.

mod handlers;
mod run;
mod timers;

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::thread::ThreadId;
use std::time::Duration;

use crate::connection::clock::Deadline;
use crate::connection::linux::{with_signals_blocked, Epoll, EventFd};
use crate::connection::log::log_line;
use crate::connection::peers::Signal;
use crate::connection::process::{generation, lock};
use crate::error::{Error, Result, Status};
use crate::messaging::channel::Channel;
use crate::messaging::message::Message;

use handlers::Handlers;
pub use handlers::{ErrorHandler, Handler};
pub use timers::TimerId;
use timers::Timers;

/// A function that runs once on the reactor's thread.
pub type Task = Box<dyn FnOnce(&Reactor) + Send>;

/// Where a message came from, as its handler is told.
pub struct Delivery<'a> {
    /// The reactor that calls; sources, handlers and timers may be added and removed, and it may be stopped.
    pub reactor: &'a Reactor,
    /// The source; it may be sent to, closed, or removed.
    pub source: &'a Arc<dyn Channel>,
    /// What the source was added with.
    pub tag: u64,
}

/// One reactor. May be used from any thread; a clone is the same reactor. It ends with its last clone, and
/// before that with `close`.
#[derive(Clone)]
pub struct Reactor {
    inner: Arc<Inner>,
}

struct Source {
    channel: Arc<dyn Channel>,
    fd: i32,
    tag: u64,
}

struct Inner {
    generation: u32,
    epoll: Epoll,
    ring: EventFd,
    sources: Mutex<HashMap<u64, Arc<Source>>>,
    handlers: Mutex<Arc<Handlers>>,
    tasks: Mutex<VecDeque<Task>>,
    timers: Mutex<Timers>,
    stopping: AtomicBool,
    closed: AtomicBool,
    running: Mutex<Option<ThreadId>>,
    ended: Signal,
}

impl Reactor {
    pub fn new() -> Result<Reactor> {
        let epoll = Epoll::new()?;
        let ring = EventFd::new()?;
        epoll.add(ring.fd(), run::RING)?;
        Ok(Reactor {
            inner: Arc::new(Inner {
                generation: generation(),
                epoll,
                ring,
                sources: Mutex::default(),
                handlers: Mutex::default(),
                tasks: Mutex::default(),
                timers: Mutex::default(),
                stopping: AtomicBool::new(false),
                closed: AtomicBool::new(false),
                running: Mutex::new(None),
                ended: Signal::default(),
            }),
        })
    }

    fn check(&self) -> Result<()> {
        if self.inner.generation != generation() {
            return Err(Error::new(
                Status::Forked,
                "the reactor belongs to the process that this one was forked from",
            ));
        }
        if self.inner.closed.load(Ordering::Acquire) {
            return Err(Error::new(Status::Closed, "the reactor is closed"));
        }
        Ok(())
    }

    // -- sources

    /// Receives from `channel` from now on: a subscriber, a response or a dealer. The reactor holds a reference;
    /// receiving from it directly is STATE until it is removed. Closing it removes it. `tag` is handed to the handlers.
    pub fn add(&self, channel: &Arc<dyn Channel>, tag: u64) -> Result<()> {
        self.check()?;
        let sockets = channel.sockets();
        let (true, [socket]) = (channel.suits_a_reactor(), sockets.as_slice()) else {
            return Err(Error::new(
                Status::Unsupported,
                format!("a {} cannot be added to a reactor", channel.role()),
            ));
        };
        socket.reserve()?;
        let added = socket.fd().and_then(|fd| {
            let source = Arc::new(Source {
                channel: Arc::clone(channel),
                fd,
                tag,
            });
            lock(&self.inner.sources).insert(socket.id(), source);
            self.inner.epoll.add(fd, run::key_of(socket.id()))
        });
        if added.is_err() {
            lock(&self.inner.sources).remove(&socket.id());
            socket.release();
            return added;
        }
        // What arrived before the descriptor was watched.
        self.inner.ring.ring();
        Ok(())
    }

    /// Receives from it no more. A handler that is under way finishes. NOT_FOUND where it is not among the sources.
    pub fn remove(&self, channel: &dyn Channel) -> Result<()> {
        self.check()?;
        let id = channel.sockets().first().map_or(0, |socket| socket.id());
        if self.forget(id) {
            return Ok(());
        }
        Err(Error::new(
            Status::NotFound,
            "the reactor does not receive from this handle",
        ))
    }

    fn forget(&self, id: u64) -> bool {
        let Some(source) = lock(&self.inner.sources).remove(&id) else {
            return false;
        };
        self.inner.epoll.remove(source.fd);
        if let Some(socket) = source.channel.sockets().first() {
            socket.release();
        }
        true
    }

    /// How many sources it receives from.
    pub fn sources(&self) -> usize {
        lock(&self.inner.sources).len()
    }

    // -- handlers

    /// Calls `handler` for messages of this type. One set before is replaced.
    pub fn on<F>(&self, type_name: &str, handler: F) -> Result<()>
    where
        F: Fn(&Delivery<'_>, &mut Message) -> Result<()> + Send + Sync + 'static,
    {
        self.set_handler(Some(type_name), Some(Arc::new(handler)))
    }

    /// As `on`; with no type name the default handler, for messages that no other one is for; with no handler, none.
    pub fn set_handler(&self, type_name: Option<&str>, handler: Option<Handler>) -> Result<()> {
        self.check()?;
        self.change_handlers(|handlers| handlers.set(type_name, handler));
        Ok(())
    }

    /// Calls `handler` for what cannot be handled: an undecodable message (DECODE), one that no handler is for
    /// (NOT_FOUND), a handler that failed (its error) or panicked (INTERNAL). Without one these are logged.
    pub fn set_error_handler(&self, handler: Option<ErrorHandler>) -> Result<()> {
        self.check()?;
        self.change_handlers(|handlers| handlers.error = handler);
        Ok(())
    }

    /// The old table is dropped with no lock held: it may hold destructors of the user's.
    fn change_handlers(&self, f: impl FnOnce(&mut Handlers)) {
        let mut slot = lock(&self.inner.handlers);
        let mut changed = Handlers::clone(&slot);
        f(&mut changed);
        let old = std::mem::replace(&mut *slot, Arc::new(changed));
        drop(slot);
        drop(old);
    }

    // -- time

    /// Calls `f` every `interval` from now on, or once. Returns a number to cancel it with.
    pub fn add_timer<F>(&self, interval: Duration, repeat: bool, f: F) -> Result<TimerId>
    where
        F: Fn(&Reactor) + Send + Sync + 'static,
    {
        self.check()?;
        if repeat && interval.is_zero() {
            return Err(Error::new(
                Status::InvalidArgument,
                "a repeating timer needs an interval above 0",
            ));
        }
        let id = lock(&self.inner.timers).add(interval, repeat, Arc::new(f));
        self.inner.ring.ring();
        Ok(id)
    }

    /// NOT_FOUND where it is over or was cancelled.
    pub fn cancel_timer(&self, id: TimerId) -> Result<()> {
        self.check()?;
        let cancelled = lock(&self.inner.timers).cancel(id);
        match cancelled {
            Some(_) => Ok(()),
            None => Err(Error::new(Status::NotFound, "there is no such timer")),
        }
    }

    /// Calls `f` whenever no message came for `interval`.
    pub fn set_idle_hook(&self, interval: Duration, f: Option<timers::Callback>) -> Result<()> {
        self.check()?;
        if f.is_some() && interval.is_zero() {
            return Err(Error::new(
                Status::InvalidArgument,
                "the idle hook needs an interval above 0",
            ));
        }
        let old = lock(&self.inner.timers).set_idle(interval, f);
        drop(old);
        self.inner.ring.ring();
        Ok(())
    }

    /// Runs `task` on the reactor's thread, soon; after it ends, when it runs again. Tasks run in their order.
    pub fn post(&self, task: Task) -> Result<()> {
        self.check()?;
        lock(&self.inner.tasks).push_back(task);
        self.inner.ring.ring();
        Ok(())
    }

    // -- running

    /// Runs on this thread until `stop`. STATE where it runs already.
    pub fn run(&self) -> Result<()> {
        self.check()?;
        self.begin(std::thread::current().id())?;
        run::run(self);
        self.end();
        Ok(())
    }

    /// Runs on a thread of its own, named `name`, until `stop`. STATE where it runs already.
    pub fn start(&self, name: &str) -> Result<()> {
        self.check()?;
        let (go, gone) = std::sync::mpsc::channel::<bool>();
        let weak = Arc::downgrade(&self.inner);
        let spawned = with_signals_blocked(|| {
            std::thread::Builder::new().name(name.to_owned()).spawn(move || {
                if gone.recv() != Ok(true) {
                    return;
                }
                if let Some(reactor) = Reactor::upgrade(&weak) {
                    run::run(&reactor);
                    reactor.end();
                }
            })
        });
        let handle = spawned.map_err(|e| Error::new(Status::Limit, format!("cannot start a reactor's thread: {e}")))?;
        let begun = self.begin(handle.thread().id());
        if go.send(begun.is_ok()).is_err() {
            log_line!(Error, "reactor", "a reactor's thread ended before it began");
        }
        begun
    }

    fn upgrade(weak: &Weak<Inner>) -> Option<Reactor> {
        weak.upgrade().map(|inner| Reactor { inner })
    }

    fn begin(&self, thread: ThreadId) -> Result<()> {
        let mut running = lock(&self.inner.running);
        if running.is_some() {
            return Err(Error::new(Status::State, "the reactor runs already"));
        }
        *running = Some(thread);
        self.inner.stopping.store(false, Ordering::Release);
        Ok(())
    }

    fn end(&self) {
        *lock(&self.inner.running) = None;
        self.inner.ended.notify();
    }

    pub fn is_running(&self) -> bool {
        lock(&self.inner.running).is_some()
    }

    /// Ends the loop after the handler that is under way, and waits for that. In a handler it does not wait.
    /// TIMEOUT where the handler takes longer; the loop ends after it all the same. What was not received stays.
    pub fn stop(&self, deadline: Deadline) -> Result<()> {
        self.check()?;
        self.inner.stopping.store(true, Ordering::Release);
        self.inner.ring.ring();
        self.wait_ended(deadline)
    }

    fn wait_ended(&self, deadline: Deadline) -> Result<()> {
        loop {
            let before = self.inner.ended.now();
            match *lock(&self.inner.running) {
                None => return Ok(()),
                Some(thread) if thread == std::thread::current().id() => return Ok(()),
                Some(_) => {}
            }
            if !self.inner.ended.wait(before, deadline) {
                return Err(Error::new(
                    Status::Timeout,
                    "the handler under way takes longer than the time given",
                ));
            }
        }
    }

    /// Stops it and lets go of its sources, handlers, timers and tasks. Their destructors have run when this returns,
    /// but for what a handler under way still uses.
    pub fn close(&self) -> Result<()> {
        self.check()?;
        self.inner.stopping.store(true, Ordering::Release);
        self.inner.closed.store(true, Ordering::Release);
        self.inner.ring.ring();
        const LIMIT: Duration = Duration::from_secs(10);
        let ended = self.wait_ended(Deadline::after(LIMIT));
        let ids: Vec<u64> = lock(&self.inner.sources).keys().copied().collect();
        for id in ids {
            self.forget(id);
        }
        self.change_handlers(|handlers| *handlers = Handlers::default());
        let timers = std::mem::take(&mut *lock(&self.inner.timers));
        drop(timers);
        let tasks = std::mem::take(&mut *lock(&self.inner.tasks));
        drop(tasks);
        ended
    }
}
