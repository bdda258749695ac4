//! A ZeroMQ socket that any number of threads may use at once. Nothing outside of this folder sends or receives.

#[cfg(test)]
mod faults;
mod receiving;
mod sending;
mod waiting;

#[cfg(test)]
pub(crate) use faults::Kind as FaultKind;
pub(crate) use receiving::Received;
pub use sending::Room;
pub(crate) use waiting::ROOM_SLICE;

use std::cell::Cell;
use std::ffi::c_void;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::connection::attach::Endpoints;
use crate::connection::biased::{BiasedGuard, BiasedMutex};
use crate::connection::clock::Deadline;
use crate::connection::errno;
use crate::connection::events::EventQueue;
use crate::connection::linux::{Epoll, EventFd};
use crate::connection::options::{FullQueue, Options};
use crate::connection::peers::Peers;
use crate::connection::process::{self, Process};
use crate::connection::stats::{Counters, Statistics};
use crate::connection::subscribers::Subscribers;
use crate::connection::zap::AllowList;
use crate::error::{Error, Result, Status};

use waiting::State;

/// What kind of ZeroMQ socket lies underneath.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Publisher,
    Subscriber,
    Dealer,
    /// A DEALER that sends only while it is connected, and whose callers notice what is lost.
    Request,
    Router,
    /// XSUB of a proxy.
    RawSubscriber,
    /// XPUB of a proxy, which passes the subscriptions on.
    RawPublisher,
}

impl Kind {
    fn raw(self) -> i32 {
        let kind = match self {
            Kind::Publisher => zmq_sys::ZMQ_XPUB,
            Kind::Subscriber => zmq_sys::ZMQ_SUB,
            Kind::Dealer | Kind::Request => zmq_sys::ZMQ_DEALER,
            Kind::Router => zmq_sys::ZMQ_ROUTER,
            Kind::RawSubscriber => zmq_sys::ZMQ_XSUB,
            Kind::RawPublisher => zmq_sys::ZMQ_XPUB,
        };
        kind as i32
    }

    /// POLLOUT means that the next send works. Not where a message goes to a particular peer, or to all that want it:
    /// those may be full while others are not.
    fn tells_of_room(self) -> bool {
        !matches!(self, Kind::Publisher | Kind::RawPublisher | Kind::Router)
    }

    /// A message goes to all that want it, so that those who are full can lose it while others get it.
    pub(crate) fn publishes(self) -> bool {
        matches!(self, Kind::Publisher | Kind::RawPublisher)
    }
}

/// A message of more frames than this is malformed: no pattern of ours has that many hops.
pub const MOST_FRAMES: usize = 64;

/// A socket with what all roles share: waiting, closing, endpoints, counters, events.
pub struct Socket {
    id: u64,
    role: &'static str,
    kind: Kind,
    process: &'static Process,
    raw: *mut c_void,
    zmq_fd: RawFd,
    /// Wakes those who wait to receive.
    ring: EventFd,
    /// Wakes those who wait to send; made for the first of them.
    room: OnceLock<EventFd>,
    state: BiasedMutex<State>,
    closing: AtomicBool,
    /// A reactor reads from it.
    reserved: AtomicBool,
    exported: OnceLock<Epoll>,
    exported_room: OnceLock<Epoll>,
    options: Options,
    max_message_size: usize,
    full_queue: FullQueue,
    zap_domain: Option<String>,
    pub(crate) endpoints: Endpoints,
    pub(crate) peers: Peers,
    pub(crate) subscribers: Option<Subscribers>,
    pub(crate) counters: Counters,
    pub(crate) events: Arc<EventQueue>,
    #[cfg(test)]
    fault: faults::Fault,
}

// SAFETY: `raw` is used only with `state` locked (or, by close, after it was marked as not open).
unsafe impl Send for Socket {}
unsafe impl Sync for Socket {}

/// The locked socket. Dropping it keeps the invariant of the ring.
pub(crate) struct Entered<'a> {
    socket: &'a Socket,
    state: BiasedGuard<'a, State>,
    /// A full publisher may have room again.
    room: bool,
    /// The reader will try again by itself.
    reader_comes_back: bool,
    /// The one who gives the lock back is the only sleeper.
    alone: bool,
    /// libzmq may have processed commands: of a publisher, what subscribers said lies in the socket now, and its descriptor
    /// tells of it no more.
    looked: Cell<bool>,
}

impl Socket {
    /// Makes a socket, with its options set and its monitor running; bound and connected to nothing yet.
    pub(crate) fn new(role: &'static str, kind: Kind, options: &Options, full_queue: FullQueue) -> Result<Arc<Socket>> {
        Socket::with_events(role, kind, options, full_queue, Arc::new(EventQueue::new()))
    }

    /// As `new`, with a queue of events that several sockets share.
    pub(crate) fn with_events(
        role: &'static str,
        kind: Kind,
        options: &Options,
        full_queue: FullQueue,
        events: Arc<EventQueue>,
    ) -> Result<Arc<Socket>> {
        let process = process::current()?;
        let ring = EventFd::new()?;
        let raw = RawGuard(process.raw_socket(kind.raw())?);
        crate::connection::apply::apply(raw.0, kind, options)?;
        let zmq_fd = raw.descriptor()?;
        let id = process.new_id();
        let zap_domain = zap_list(options).map(|list| {
            let domain = format!("dividere-{id}");
            process.service.allow_lists.insert(&domain, list);
            domain
        });
        let socket = Arc::new(Socket {
            id,
            role,
            kind,
            process,
            raw: raw.0,
            zmq_fd,
            ring,
            room: OnceLock::new(),
            state: BiasedMutex::new(State::open()),
            closing: AtomicBool::new(false),
            reserved: AtomicBool::new(false),
            exported: OnceLock::new(),
            exported_room: OnceLock::new(),
            max_message_size: options.max_message_size_or_unlimited(),
            full_queue: options.full_queue().unwrap_or(full_queue),
            options: options.clone(),
            zap_domain,
            endpoints: Endpoints::default(),
            peers: Peers::default(),
            subscribers: (kind == Kind::Publisher).then(Subscribers::default),
            counters: Counters::default(),
            events,
            #[cfg(test)]
            fault: faults::Fault::default(),
        });
        // From here on the socket closes itself.
        std::mem::forget(raw);
        process.service.watch(process, &socket)?;
        process.enlist(&socket);
        Ok(socket)
    }

    /// For the service thread's monitor, while the maker is the only one to know the socket.
    pub(crate) fn raw_unshared(&self) -> *mut c_void {
        self.raw
    }

    /// Before a server is bound: keys are checked from the first connection on.
    pub(crate) fn guard_with_allow_list(&self) -> Result<()> {
        let Some(domain) = &self.zap_domain else { return Ok(()) };
        self.process.service.require_zap(self.process)?;
        crate::connection::apply::set_zap_domain(self.enter()?.raw(), domain)
    }

    pub(crate) fn forget_allow_list(&self) {
        if let Some(domain) = &self.zap_domain {
            self.process.service.allow_lists.remove(domain);
        }
    }

    /// A call into the socket by its close, after which nobody else enters. None where it cannot be locked.
    pub(crate) fn call_while_closing<T>(&self, f: impl FnOnce(*mut c_void) -> T) -> Option<T> {
        self.lock_to_close().map(|_state| f(self.raw))
    }

    /// The lock. At exit only for a while: where a signal's handler ends the process in the middle of a call, that call
    /// has it, and never gives it back.
    fn lock_to_close(&self) -> Option<BiasedGuard<'_, State>> {
        const LIMIT: Duration = Duration::from_secs(1);
        if !self.process.is_exiting() {
            return Some(self.state.lock());
        }
        let deadline = Deadline::after(LIMIT);
        loop {
            match self.state.try_lock() {
                Some(state) => return Some(state),
                None if deadline.is_over() => return None,
                None => std::thread::sleep(Duration::from_millis(1)),
            }
        }
    }

    /// What happened so far, and who is there now.
    pub fn statistics(&self) -> Result<Statistics> {
        self.check()?;
        let subscribers = match &self.subscribers {
            Some(_) => self.subscriber_count(None)?,
            None => 0,
        };
        Ok(self.counters.snapshot(self.peers.count() as u64, subscribers as u64))
    }

    pub fn id(&self) -> u64 {
        self.id
    }

    /// The role's name, for texts: "publisher".
    pub fn role(&self) -> &'static str {
        self.role
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn process(&self) -> &'static Process {
        self.process
    }

    pub(crate) fn options(&self) -> &Options {
        &self.options
    }

    pub(crate) fn linger(&self) -> Duration {
        Duration::from_millis(self.options.linger_ms() as u64)
    }

    /// Refuses a handle that a fork left behind, and one that is closed.
    pub(crate) fn check(&self) -> Result<()> {
        self.check_process()?;
        if self.closing.load(Ordering::Acquire) {
            return Err(Error::new(Status::Closed, "the handle is closed"));
        }
        Ok(())
    }

    /// Refuses a handle that a fork left behind.
    pub(crate) fn check_process(&self) -> Result<()> {
        match self.process.is_current() {
            true => Ok(()),
            false => Err(Error::new(
                Status::Forked,
                "the handle belongs to the process that this one was forked from",
            )),
        }
    }

    pub fn is_closed(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// Locks the socket for a call that does not sleep.
    #[inline]
    pub(crate) fn enter(&self) -> Result<Entered<'_>> {
        self.check()?;
        let state = self.state.lock();
        if !state.open {
            return Err(Error::new(Status::Closed, "the handle is closed"));
        }
        Ok(Entered {
            socket: self,
            state,
            room: false,
            reader_comes_back: false,
            alone: false,
            looked: Cell::new(false),
        })
    }

    // -- the service thread's part -----------------------------------------------------------------------------

    /// Lets the socket process what its connections told it: an idle subscriber resubscribes only then.
    pub(crate) fn nudge(&self) {
        if let Ok(mut entered) = self.enter() {
            let _only_to_process = entered.events();
            entered.room = true;
        }
    }

    /// A use of ZMQ_FD while it is the socket's: once that is closed, the number may be another descriptor's.
    pub(crate) fn while_open<T>(&self, f: impl FnOnce(RawFd) -> T) -> Option<T> {
        let _entered = self.enter().ok()?;
        Some(f(self.zmq_fd))
    }

    // -- closing -----------------------------------------------------------------------------------------------

    /// Ends the socket. Blocked calls return CLOSED; what was accepted goes on being sent in the background for at
    /// most the linger time; the addresses that it was bound to are free when this returns. CLOSED where it was
    /// closed before. In a forked child it leaves the parent's socket alone and returns FORKED.
    pub fn close(&self) -> Result<()> {
        self.end()?;
        self.await_released_addresses();
        Ok(())
    }

    /// Closes it, without waiting for its addresses.
    fn end(&self) -> Result<()> {
        self.check()?;
        if self.closing.swap(true, Ordering::AcqRel) {
            return Err(Error::new(Status::Closed, "the handle is closed"));
        }
        self.ring_all();
        self.peers.close();
        self.events.close();
        if let Some(subscribers) = &self.subscribers {
            subscribers.close();
        }
        self.unbind_inproc();
        {
            let Some(mut state) = self.lock_to_close() else {
                return Err(Error::new(Status::Internal, "a call that never ends has the socket"));
            };
            state.open = false;
            // Again, for a sleeper that hushed its ring between the first ring and the lock. Nobody does from here on.
            self.ring_all();
            // SAFETY: open until now, and never used again: every use checks `open` under this lock.
            unsafe { zmq_sys::zmq_close(self.raw) };
        }
        self.process.delist(self.id);
        Ok(())
    }
}

impl Drop for Socket {
    /// Roles close their socket themselves. Here nobody hears of the listeners any more: the last reference is gone.
    fn drop(&mut self) {
        if self.end().is_ok() {
            self.release_addresses();
        }
    }
}

pub(crate) const POLLIN: i32 = zmq_sys::ZMQ_POLLIN as i32;
pub(crate) const POLLOUT: i32 = zmq_sys::ZMQ_POLLOUT as i32;

pub(crate) fn would_block() -> Error {
    Error::new(Status::WouldBlock, "it would have to wait")
}

impl Entered<'_> {
    /// For another of libzmq's calls: most of them process commands.
    pub fn raw(&self) -> *mut c_void {
        self.looked.set(true);
        self.socket.raw
    }

    /// ZMQ_EVENTS; processes the socket's commands.
    pub fn events(&mut self) -> Result<i32> {
        self.looked.set(true);
        let mut events: i32 = 0;
        loop {
            let mut size = std::mem::size_of::<i32>();
            // SAFETY: the socket is open and locked; the output is an int and its size.
            let rc = unsafe {
                zmq_sys::zmq_getsockopt(
                    self.socket.raw,
                    zmq_sys::ZMQ_EVENTS as i32,
                    (&mut events as *mut i32).cast(),
                    &mut size,
                )
            };
            if rc == 0 {
                return Ok(events);
            }
            match errno::last() {
                libc::EINTR => {}
                other => return Err(errno::error(other, "look at the socket's events")),
            }
        }
    }
}

/// Whom a CURVE server lets in; none where the options make no CURVE server.
fn zap_list(options: &Options) -> Option<AllowList> {
    options.curve_server_secret_key()?;
    if options.curve_allow_any() {
        return Some(AllowList::Anyone);
    }
    Some(AllowList::These(
        options.curve_allowed_keys().iter().map(|key| *key.as_bytes()).collect(),
    ))
}

/// A raw socket that nobody owns yet.
struct RawGuard(*mut c_void);

impl RawGuard {
    fn descriptor(&self) -> Result<RawFd> {
        let mut fd: RawFd = -1;
        let mut size = std::mem::size_of::<RawFd>();
        // SAFETY: a live socket; the output is an int and its size.
        let rc = unsafe {
            zmq_sys::zmq_getsockopt(
                self.0,
                zmq_sys::ZMQ_FD as i32,
                (&mut fd as *mut RawFd).cast(),
                &mut size,
            )
        };
        if rc != 0 {
            return Err(errno::error(errno::last(), "get the socket's descriptor"));
        }
        Ok(fd)
    }
}

impl Drop for RawGuard {
    fn drop(&mut self) {
        // SAFETY: made by us, handed to nobody.
        unsafe { zmq_sys::zmq_close(self.0) };
    }
}
