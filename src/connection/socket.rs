//! The only file that sends and receives: a ZeroMQ socket that any number of threads may use at once.
//!
//! A mutex guards the ZeroMQ socket; nobody sleeps while holding it. A call tries without waiting, and where that is
//! not enough it gives the lock back and sleeps in poll on ZMQ_FD and on an eventfd of ours, the ring.
//! ZMQ_FD is edge-triggered, and any call into the socket may swallow the edge: so whoever gives the lock back while
//! others sleep looks at ZMQ_EVENTS, and rings when there is something for them. The invariant, at every unlock:
//! where there is something for a sleeper, the ring is readable. (docs/libzmq.md, "Waiting")

use std::ffi::c_void;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use crate::connection::attach::Endpoints;
use crate::connection::clock::Deadline;
use crate::connection::errno;
use crate::connection::events::EventQueue;
use crate::connection::frame::Frame;
use crate::connection::linux::{poll_readable, Epoll, EventFd};
use crate::connection::options::{FullQueue, Options};
use crate::connection::peers::Peers;
use crate::connection::process::{self, lock, Process};
use crate::connection::stats::{Counters, Statistics};
use crate::connection::subscribers::Subscribers;
use crate::connection::zap::AllowList;
use crate::error::{Error, Result, Status};

/// What kind of ZeroMQ socket lies underneath.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Publisher,
    Subscriber,
    Dealer,
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
            Kind::Dealer => zmq_sys::ZMQ_DEALER,
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

/// What a caller waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum For {
    Reading,
    Writing,
}

/// Who sleeps, and what was promised to them. Guarded by the lock.
struct State {
    open: bool,
    /// The ring is readable.
    rung: bool,
    readers: u32,
    writers: u32,
    /// The descriptor was handed out: somebody always counts as waiting to read.
    exported: bool,
}

/// A socket with what all roles share: waiting, closing, endpoints, counters, events.
pub struct Socket {
    id: u64,
    role: &'static str,
    kind: Kind,
    process: &'static Process,
    raw: *mut c_void,
    zmq_fd: RawFd,
    ring: EventFd,
    state: Mutex<State>,
    closing: AtomicBool,
    /// A reactor reads from it.
    reserved: AtomicBool,
    exported: OnceLock<Epoll>,
    options: Options,
    max_message_size: usize,
    full_queue: FullQueue,
    zap_domain: Option<String>,
    pub(crate) endpoints: Endpoints,
    pub(crate) peers: Peers,
    pub(crate) subscribers: Option<Subscribers>,
    pub(crate) counters: Counters,
    pub(crate) events: Arc<EventQueue>,
}

// SAFETY: `raw` is used only with `state` locked (or, by close, after it was marked as not open).
unsafe impl Send for Socket {}
unsafe impl Sync for Socket {}

/// The locked socket. Dropping it keeps the invariant of the ring.
pub(crate) struct Entered<'a> {
    socket: &'a Socket,
    state: MutexGuard<'a, State>,
    /// A full publisher may have room again.
    room: bool,
    /// The reader will try again by itself.
    reader_comes_back: bool,
    /// The one who gives the lock back is the only sleeper.
    alone: bool,
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
            state: Mutex::new(State {
                open: true,
                rung: false,
                readers: 0,
                writers: 0,
                exported: false,
            }),
            closing: AtomicBool::new(false),
            reserved: AtomicBool::new(false),
            exported: OnceLock::new(),
            max_message_size: options.max_message_size_or_unlimited(),
            full_queue: options.full_queue().unwrap_or(full_queue),
            options: options.clone(),
            zap_domain,
            endpoints: Endpoints::default(),
            peers: Peers::default(),
            subscribers: (kind == Kind::Publisher).then(Subscribers::default),
            counters: Counters::default(),
            events,
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

    /// A call into the socket by its close, after which nobody else enters.
    pub(crate) fn call_while_closing<T>(&self, f: impl FnOnce(*mut c_void) -> T) -> T {
        let _state = lock(&self.state);
        f(self.raw)
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

    /// Of a publisher: how many subscribe to messages that begin with `topic`, or to anything.
    pub(crate) fn subscriber_count(&self, topic: Option<&[u8]>) -> Result<usize> {
        self.check()?;
        let Some(subscribers) = &self.subscribers else {
            return Ok(0);
        };
        self.process.service.sync(self.id)?;
        Ok(subscribers.count(topic))
    }

    /// Of a publisher: waits for that many.
    pub(crate) fn wait_for_subscribers(&self, topic: Option<&[u8]>, wanted: usize, deadline: Deadline) -> Result<()> {
        self.check()?;
        let Some(subscribers) = &self.subscribers else {
            return Ok(());
        };
        let waiting = subscribers.begin_waiting();
        self.process.service.sync(self.id)?;
        waiting.wait(topic, wanted, deadline)
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
        if !self.process.is_current() {
            return Err(Error::new(
                Status::Forked,
                "the handle belongs to the process that this one was forked from",
            ));
        }
        if self.closing.load(Ordering::Acquire) {
            return Err(Error::new(Status::Closed, "the handle is closed"));
        }
        Ok(())
    }

    pub fn is_closed(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// Locks the socket for a call that does not sleep.
    pub(crate) fn enter(&self) -> Result<Entered<'_>> {
        self.check()?;
        let state = lock(&self.state);
        if !state.open {
            return Err(Error::new(Status::Closed, "the handle is closed"));
        }
        Ok(Entered {
            socket: self,
            state,
            room: false,
            reader_comes_back: false,
            alone: false,
        })
    }

    // -- receiving ---------------------------------------------------------------------------------------------

    /// Marks the socket as read by a reactor, or by anyone again. STATE where it has a reader already.
    pub(crate) fn reserve(&self) -> Result<()> {
        if self.reserved.swap(true, Ordering::AcqRel) {
            return Err(Error::new(Status::State, "the socket is in a reactor already"));
        }
        Ok(())
    }

    pub(crate) fn release(&self) {
        self.reserved.store(false, Ordering::Release);
        // For whoever polls the descriptor from now on: the reactor may have left messages without a ring.
        self.nudge();
    }

    fn check_reader(&self, by_reactor: bool) -> Result<()> {
        if !by_reactor && self.reserved.load(Ordering::Acquire) {
            return Err(Error::new(Status::State, "a reactor receives from this socket"));
        }
        Ok(())
    }

    /// Receives one whole message into `frames` (emptied first). TIMEOUT where the deadline passed, WOULD_BLOCK
    /// where it was `Now`.
    pub(crate) fn recv(&self, frames: &mut Vec<Frame>, deadline: Deadline) -> Result<()> {
        self.check_reader(false)?;
        self.recv_with(deadline, |entered| entered.try_recv(frames))
    }

    /// Receives a message of one frame without a list around it; a longer one is counted as malformed and dropped.
    pub(crate) fn recv_single(&self, frame: &mut Frame, deadline: Deadline) -> Result<()> {
        self.check_reader(false)?;
        self.recv_with(deadline, |entered| entered.try_recv_single(frame))
    }

    /// As `recv`, for the reactor that reserved the socket; never waits.
    ///
    /// It is the only reader, and comes back until it meets WOULD_BLOCK: so it needs no ring for what it left behind,
    /// and is spared a look at the socket's events for each message.
    pub(crate) fn recv_reserved<T>(&self, attempt: impl FnOnce(&mut Entered<'_>) -> Result<T>) -> Result<T> {
        let mut entered = self.enter()?;
        entered.hush();
        entered.reader_comes_back = true;
        attempt(&mut entered)
    }

    /// Tries under the lock until it works or the time is over.
    pub(crate) fn recv_with<T>(
        &self,
        deadline: Deadline,
        mut attempt: impl FnMut(&mut Entered<'_>) -> Result<T>,
    ) -> Result<T> {
        self.retry(For::Reading, deadline, &mut attempt)
    }

    /// Sleeps until a receive may work. READY is no promise: another thread may take the message first.
    pub fn wait_readable(&self, deadline: Deadline) -> Result<()> {
        self.check_reader(false)?;
        self.retry(
            For::Reading,
            deadline,
            &mut |entered: &mut Entered<'_>| match entered.events()? & POLLIN {
                0 => Err(would_block()),
                _ => Ok(()),
            },
        )
    }

    // -- sending -----------------------------------------------------------------------------------------------

    /// Refuses what the other side would close the connection for.
    pub(crate) fn check_size(&self, size: usize) -> Result<()> {
        if size > self.max_message_size {
            return Err(Error::new(
                Status::TooLarge,
                format!(
                    "a message of {size} bytes; the maximum message size is {}",
                    self.max_message_size
                ),
            ));
        }
        Ok(())
    }

    /// Sends one frame; it is empty afterwards on success and unchanged on failure. What a full queue does is the
    /// socket's own option.
    pub(crate) fn send_single(&self, frame: &mut Frame) -> Result<()> {
        self.check_size(frame.len())?;
        let sent = self.enter()?.try_send_single(frame);
        match sent {
            Err(error) if error.status() == Status::WouldBlock => {
                self.send_to_full(Deadline::Never, &mut |entered: &mut Entered<'_>| {
                    entered.try_send_single(frame)
                })?;
                *frame = Frame::new();
            }
            other => other?,
        }
        self.after_send();
        Ok(())
    }

    /// Sends all frames as one message, or none of it. They are empty afterwards on success.
    pub(crate) fn send(&self, frames: &mut [Frame]) -> Result<()> {
        if let [single] = frames {
            return self.send_single(single);
        }
        self.send_before(frames, Deadline::Never)
    }

    /// As `send`, and waits for room no longer than until `limit`.
    pub(crate) fn send_before(&self, frames: &mut [Frame], limit: Deadline) -> Result<()> {
        frames.iter().try_for_each(|frame| self.check_size(frame.len()))?;
        let sent = self.enter()?.try_send(frames);
        match sent {
            Err(error) if error.status() == Status::WouldBlock => {
                self.send_to_full(limit, &mut |entered: &mut Entered<'_>| entered.try_send(frames))?;
                frames.iter_mut().for_each(|frame| *frame = Frame::new());
            }
            other => other?,
        }
        self.after_send();
        Ok(())
    }

    /// A send may have swallowed the news of a subscription: while somebody waits for one, and now and then, the
    /// service thread looks.
    fn after_send(&self) {
        let Some(subscribers) = &self.subscribers else { return };
        const LOOK_EVERY: u64 = 4096;
        if subscribers.waited_for.load(Ordering::Acquire) || self.counters.messages_out() % LOOK_EVERY == 0 {
            self.process.service.poke(self.id);
        }
    }

    /// The queue was full: drop, wait or fail, as the option says.
    #[cold]
    fn send_to_full(&self, limit: Deadline, attempt: &mut dyn FnMut(&mut Entered<'_>) -> Result<()>) -> Result<()> {
        match self.full_queue {
            FullQueue::Fail => Err(Error::new(Status::WouldBlock, "the send queue is full")),
            FullQueue::Block => {
                let deadline = Deadline::from_ms(self.options.send_timeout_ms()).min(limit);
                match self.retry(For::Writing, deadline, attempt) {
                    Err(e) if e.status() == Status::WouldBlock || e.status() == Status::Timeout => Err(Error::new(
                        Status::Timeout,
                        "the send queue stayed full for the whole send timeout",
                    )),
                    other => other,
                }
            }
            FullQueue::Drop => {
                let mut entered = self.enter()?;
                // That there is room again may be known only after a look.
                entered.events()?;
                match attempt(&mut entered) {
                    Err(error) if error.status() == Status::WouldBlock => {}
                    other => return other,
                }
                entered.send_dropping(attempt)?;
                self.counters.dropped_queue_full();
                Ok(())
            }
        }
    }

    // -- waiting -----------------------------------------------------------------------------------------------

    fn retry<T>(
        &self,
        what: For,
        deadline: Deadline,
        attempt: &mut dyn FnMut(&mut Entered<'_>) -> Result<T>,
    ) -> Result<T> {
        let mut entered = self.enter()?;
        loop {
            entered.hush();
            // A send that finds the queue full may not have looked at the socket's commands, and poll would return at
            // once, again and again: look now.
            if what == For::Writing {
                entered.events()?;
            }
            match attempt(&mut entered) {
                Err(error) if error.status() == Status::WouldBlock => {}
                other => return other,
            }
            if let Deadline::Now = deadline {
                return Err(would_block());
            }
            if deadline.is_over() {
                return Err(Error::new(Status::Timeout, "the time given is over"));
            }
            let deadline = match what {
                For::Writing if !self.kind.tells_of_room() => deadline.min(slice()),
                _ => deadline,
            };
            entered.sleep(what, deadline);
            entered = self.enter()?;
            entered.awake(what);
        }
    }

    /// A descriptor for epoll, asyncio and the like: when it is readable, try what you wait for until WOULD_BLOCK.
    /// It belongs to the socket. From the first call on every send costs a look at the socket's events.
    pub fn fd(&self) -> Result<RawFd> {
        if let Some(epoll) = self.exported.get() {
            self.check()?;
            return Ok(epoll.fd());
        }
        // Under the lock: once it is closed, ZMQ_FD may be somebody else's descriptor.
        let mut entered = self.enter()?;
        let epoll = Epoll::new()?;
        epoll.add(self.zmq_fd, 0)?;
        epoll.add(self.ring.fd(), 1)?;
        let epoll = self.exported.get_or_init(|| epoll);
        entered.state.exported = true;
        Ok(epoll.fd())
    }

    // -- the service thread's part -----------------------------------------------------------------------------

    /// Lets the socket process what its connections told it: an idle subscriber resubscribes only then.
    pub(crate) fn nudge(&self) {
        if let Ok(mut entered) = self.enter() {
            let _only_to_process = entered.events();
            entered.room = true;
        }
    }

    pub(crate) fn zmq_fd(&self) -> RawFd {
        self.zmq_fd
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
        self.ring.ring();
        self.peers.close();
        self.events.close();
        if let Some(subscribers) = &self.subscribers {
            subscribers.close();
        }
        self.unbind_inproc();
        {
            let mut state = lock(&self.state);
            state.open = false;
            state.rung = true;
            // Again, for a waiter that hushed it between the first ring and the lock. Nobody hushes it from here on.
            self.ring.ring();
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

/// How long a blocked publisher or response sleeps at most before it tries again: libzmq does not tell one that waits
/// for a full peer when another thread took its wake-up.
fn slice() -> Deadline {
    Deadline::after(Duration::from_millis(20))
}

pub(crate) fn would_block() -> Error {
    Error::new(Status::WouldBlock, "it would have to wait")
}

impl<'a> Entered<'a> {
    pub fn raw(&self) -> *mut c_void {
        self.socket.raw
    }

    /// ZMQ_EVENTS; processes the socket's commands.
    pub fn events(&mut self) -> Result<i32> {
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

    /// Quiets the ring before an attempt: what it told is about to be looked at.
    fn hush(&mut self) {
        if self.state.rung {
            self.socket.ring.quiet();
            self.state.rung = false;
        }
    }

    /// Gives the lock back and sleeps.
    fn sleep(mut self, what: For, deadline: Deadline) {
        match what {
            For::Reading => self.state.readers += 1,
            For::Writing => self.state.writers += 1,
        }
        // The attempt that failed under this very lock has looked at everything: what comes later makes ZMQ_FD readable.
        // So a look is owed to others only.
        self.alone = self.state.readers + self.state.writers == 1 && !self.state.exported;
        let fds = [self.socket.zmq_fd, self.socket.ring.fd()];
        drop(self);
        poll_readable(&fds, deadline.poll_ms());
    }

    /// The sleeper is back.
    fn awake(&mut self, what: For) {
        match what {
            For::Reading => self.state.readers -= 1,
            For::Writing => self.state.writers -= 1,
        }
    }

    // -- receiving

    /// One whole message, or WOULD_BLOCK. Messages of too many frames are counted and skipped.
    pub fn try_recv(&mut self, frames: &mut Vec<Frame>) -> Result<()> {
        loop {
            frames.clear();
            let mut size = 0;
            let mut whole = true;
            loop {
                let mut frame = Frame::new();
                self.recv_frame(&mut frame)?;
                size += frame.len();
                let more = frame.more();
                if frames.len() < MOST_FRAMES {
                    frames.push(frame);
                } else {
                    whole = false;
                }
                if !more {
                    break;
                }
            }
            if whole {
                self.socket.counters.received(size);
                return Ok(());
            }
            self.socket.counters.dropped_malformed();
        }
    }

    /// One message of one frame, or WOULD_BLOCK. Longer ones are counted as malformed and skipped.
    pub fn try_recv_single(&mut self, frame: &mut Frame) -> Result<()> {
        loop {
            self.recv_frame(frame)?;
            if !frame.more() {
                self.socket.counters.received(frame.len());
                return Ok(());
            }
            let mut rest = Frame::new();
            loop {
                self.recv_frame(&mut rest)?;
                if !rest.more() {
                    break;
                }
            }
            self.socket.counters.dropped_malformed();
        }
    }

    /// A subscription that a publisher was told; not counted as a message.
    pub fn try_recv_control(&mut self, frame: &mut Frame) -> Result<()> {
        self.recv_frame(frame)
    }

    fn recv_frame(&mut self, frame: &mut Frame) -> Result<()> {
        loop {
            // SAFETY: the socket is open and locked, the frame initialised; libzmq closes its old content.
            let rc = unsafe { zmq_sys::zmq_msg_recv(frame.raw_mut(), self.socket.raw, zmq_sys::ZMQ_DONTWAIT as i32) };
            if rc >= 0 {
                return Ok(());
            }
            match errno::last() {
                libc::EAGAIN => return Err(would_block()),
                libc::EINTR => {}
                other => return Err(errno::error(other, "receive")),
            }
        }
    }

    // -- sending

    pub fn try_send_single(&mut self, frame: &mut Frame) -> Result<()> {
        let size = frame.len();
        self.send_frame(frame, 0)?;
        self.socket.counters.sent(size);
        Ok(())
    }

    fn send_frame(&mut self, frame: &mut Frame, flags: i32) -> Result<()> {
        loop {
            // SAFETY: the socket is open and locked, the frame initialised; on success libzmq owns its content
            // and leaves an empty message.
            let rc = unsafe {
                zmq_sys::zmq_msg_send(frame.raw_mut(), self.socket.raw, flags | zmq_sys::ZMQ_DONTWAIT as i32)
            };
            if rc >= 0 {
                self.room = true;
                return Ok(());
            }
            match errno::last() {
                libc::EAGAIN => return Err(would_block()),
                libc::EINTR => {}
                libc::EHOSTUNREACH => return Err(Error::new(Status::Unreachable, "the peer is gone")),
                other => return Err(errno::error(other, "send")),
            }
        }
    }

    /// All frames or none: a peer that dies in between swallows those sent so far, so shares are sent and the
    /// originals kept until the last one went.
    pub fn try_send(&mut self, frames: &mut [Frame]) -> Result<()> {
        if let [single] = frames {
            return self.try_send_single(single);
        }
        const ATTEMPTS: usize = 3;
        let mut attempt = 0;
        loop {
            match self.try_send_shares(frames) {
                Ok(()) => break,
                // Not at the first frame: the peer died in the middle. The whole message goes to another.
                Err((sent, error)) if sent > 0 && error.status() == Status::WouldBlock && attempt < ATTEMPTS => {
                    attempt += 1
                }
                Err((_, error)) => return Err(error),
            }
        }
        let mut size = 0;
        for frame in frames.iter_mut() {
            size += frame.len();
            *frame = Frame::new();
        }
        self.socket.counters.sent(size);
        Ok(())
    }

    fn try_send_shares(&mut self, frames: &mut [Frame]) -> std::result::Result<(), (usize, Error)> {
        let last = frames.len().saturating_sub(1);
        for (i, frame) in frames.iter_mut().enumerate() {
            let mut share = frame.share().map_err(|e| (i, e))?;
            let flags = if i == last { 0 } else { zmq_sys::ZMQ_SNDMORE as i32 };
            self.send_frame(&mut share, flags).map_err(|e| (i, e))?;
        }
        Ok(())
    }

    /// What it takes to wake blocked publishers once their subscribers were heard.
    pub fn has_room(&mut self) {
        self.room = true;
    }

    /// For a publisher whose policy is to drop: those that are full lose it, the others get it.
    pub fn send_dropping(&mut self, attempt: &mut dyn FnMut(&mut Entered<'_>) -> Result<()>) -> Result<()> {
        if !self.socket.kind.publishes() {
            return Ok(());
        }
        const XPUB_NODROP: i32 = 69;
        crate::connection::apply::set_int(self.raw(), XPUB_NODROP, 0, "let full subscribers lose a message")?;
        let sent = attempt(self);
        crate::connection::apply::set_int(self.raw(), XPUB_NODROP, 1, "notice full subscribers")?;
        sent
    }
}

impl Drop for Entered<'_> {
    /// Keeps the invariant: ready for a sleeper implies that the ring is readable.
    fn drop(&mut self) {
        let sleepers = self.state.readers > 0 || self.state.writers > 0 || self.state.exported;
        if !sleepers || self.alone || self.state.rung || !self.state.open {
            return;
        }
        let reading = (self.state.readers > 0 || self.state.exported) && !self.reader_comes_back;
        // A full publisher (XPUB_NODROP) or response stays writable all the time: its writers wait for the descriptor,
        // and are woken by whoever sent something and so may have taken that wake-up from them.
        let writing = self.state.writers > 0;
        let mut ready = writing && self.room && !self.socket.kind.tells_of_room();
        let look = reading || (writing && self.socket.kind.tells_of_room());
        if !ready && look && self.socket.kind != Kind::Publisher {
            let Ok(events) = self.events() else { return };
            ready = (reading && events & POLLIN != 0)
                || (writing && events & POLLOUT != 0 && self.socket.kind.tells_of_room());
        }
        if ready {
            self.state.rung = true;
            self.socket.ring.ring();
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
