//! Calls a handler for each message that arrives at any of its sources, one after the other on one thread.
//!
//! Nothing ends the loop but `stop`: not an undecodable message, not an unexpected one, not a handler that fails or
//! panics. A request that its handler leaves unanswered, and keeps no clone of, is answered with an error.

mod handlers;
mod life;
mod run;
mod timers;

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::ThreadId;
use std::time::Duration;

use crate::connection::linux::{Epoll, EventFd};
use crate::connection::peers::Signal;
use crate::connection::process::{generation, lock};
use crate::error::{Error, Result, Status};
use crate::messaging::channel::Channel;
use crate::messaging::message::Message;

use handlers::Handlers;
pub use handlers::{ErrorHandler, Handler};
use life::Owner;
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
/// before that with `close`. The one that handlers are given, and its clones, do not keep it.
#[derive(Clone)]
pub struct Reactor {
    inner: Arc<Inner>,
    /// None where it is lent to handlers: a loop that runs on a thread of its own does not keep itself alive.
    _owner: Option<Arc<Owner>>,
}

struct Source {
    channel: Arc<dyn Channel>,
    fd: i32,
    tag: u64,
    removed: AtomicBool,
}

struct Inner {
    generation: u32,
    epoll: Epoll,
    ring: EventFd,
    sources: Mutex<HashMap<u64, Arc<Source>>>,
    handlers: Mutex<Arc<Handlers>>,
    /// Counts the tables of handlers, so that a turn of the loop sees a new one without the lock.
    handlers_version: AtomicU64,
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
        let inner = Arc::new(Inner {
            generation: generation(),
            epoll,
            ring,
            sources: Mutex::default(),
            handlers: Mutex::default(),
            handlers_version: AtomicU64::new(0),
            tasks: Mutex::default(),
            timers: Mutex::default(),
            stopping: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            running: Mutex::new(None),
            ended: Signal::default(),
        });
        Ok(Reactor {
            _owner: Some(Arc::new(Owner(Arc::clone(&inner)))),
            inner,
        })
    }

    fn lent(inner: &Arc<Inner>) -> Reactor {
        Reactor {
            inner: Arc::clone(inner),
            _owner: None,
        }
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
        let (true, [socket]) = (channel.suits_a_reactor(), &*sockets) else {
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
                removed: AtomicBool::new(false),
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
        // Closed meanwhile, it may have let go of its sources before this one came.
        if self.inner.closed.load(Ordering::Acquire) {
            self.forget(socket.id());
            return self.check();
        }
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
        source.removed.store(true, Ordering::Release);
        self.inner.epoll.remove(source.fd);
        source.release();
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
        self.inner.handlers_version.fetch_add(1, Ordering::Release);
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
}

impl Source {
    fn release(&self) {
        if let Some(socket) = self.channel.sockets().first() {
            socket.release();
        }
    }
}
