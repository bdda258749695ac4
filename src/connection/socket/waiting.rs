//! Waiting. A mutex guards the ZeroMQ socket; nobody sleeps while holding it. A call tries without waiting, and where
//! that is not enough it gives the lock back and sleeps in poll on ZMQ_FD and on an eventfd of ours, a ring: one for
//! those who want to receive, one for those who want to send.
//! ZMQ_FD is edge-triggered, and any call into the socket may swallow the edge: so whoever gives the lock back while
//! others sleep looks at ZMQ_EVENTS, and rings when there is something for them. The invariant, at every unlock:
//! where there is something for a sleeper, its ring is readable. (docs/libzmq.md, "Waiting")

use std::os::fd::RawFd;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::connection::clock::{Deadline, Patience};
use crate::connection::linux::{poll_for_caller, Epoll, EventFd};
use crate::connection::socket::{would_block, Entered, Kind, Socket, POLLIN, POLLOUT};
use crate::error::{Error, Result, Status};

/// What a caller waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum For {
    Reading,
    Writing,
}

/// Who sleeps, and what was promised to them. Guarded by the lock.
pub(super) struct State {
    pub open: bool,
    readers: Sleepers,
    writers: Sleepers,
    /// The descriptor was handed out, and somebody may be waiting at it: who counts as waiting to read.
    exported: bool,
    /// The same of the descriptor for those who wait for room.
    room_exported: bool,
}

#[derive(Default)]
struct Sleepers {
    count: u32,
    /// Their ring is readable.
    rung: bool,
}

impl State {
    pub fn open() -> State {
        State {
            open: true,
            readers: Sleepers::default(),
            writers: Sleepers::default(),
            exported: false,
            room_exported: false,
        }
    }

    fn of(&mut self, what: For) -> &mut Sleepers {
        match what {
            For::Reading => &mut self.readers,
            For::Writing => &mut self.writers,
        }
    }
}

impl Socket {
    /// Tries until it works or the time is over, asleep in between. An attempt that gives nothing threw a message away:
    /// the next one follows at once, after others had the lock.
    #[inline]
    pub(super) fn retry<T>(
        &self,
        what: For,
        deadline: Deadline,
        attempt: &mut impl FnMut(&mut Entered<'_>) -> Result<Option<T>>,
    ) -> Result<T> {
        let mut entered = self.enter()?;
        match entered.prepared(what).and_then(|()| attempt(&mut entered)) {
            Ok(Some(result)) => Ok(result),
            other => self.retry_on(what, deadline, attempt, entered, other.map(|_nothing| ())),
        }
    }

    /// Locks the socket for receiving what is there, as the first attempt of a receive does.
    pub(crate) fn enter_to_receive(&self) -> Result<Entered<'_>> {
        let mut entered = self.enter()?;
        entered.prepared(For::Reading)?;
        Ok(entered)
    }

    /// What follows a first attempt that gave nothing, or failed.
    #[cold]
    #[inline(never)]
    fn retry_on<'a, T>(
        &'a self,
        what: For,
        deadline: Deadline,
        attempt: &mut dyn FnMut(&mut Entered<'_>) -> Result<Option<T>>,
        mut entered: Entered<'a>,
        mut outcome: Result<()>,
    ) -> Result<T> {
        let mut patience = Patience::new(deadline);
        loop {
            match outcome {
                Ok(()) => {
                    drop(entered);
                    patience.goes_on()?;
                    entered = self.enter()?;
                }
                Err(error) if error.status() == Status::WouldBlock => {
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
                    let slept = entered.sleep(what, deadline);
                    entered = self.enter()?;
                    entered.state.of(what).count -= 1;
                    slept?;
                }
                Err(error) => return Err(error),
            }
            outcome = match entered.prepared(what).and_then(|()| attempt(&mut entered)) {
                Ok(Some(result)) => return Ok(result),
                other => other.map(|_nothing| ()),
            };
        }
    }

    /// Sleeps until a receive may work. READY is no promise: another thread may take the message first.
    pub fn wait_readable(&self, deadline: Deadline) -> Result<()> {
        self.retry(
            For::Reading,
            deadline,
            &mut |entered: &mut Entered<'_>| match entered.events()? & POLLIN {
                0 => Err(would_block()),
                _ => Ok(Some(())),
            },
        )
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

    /// A descriptor that is readable when a send that said WOULD_BLOCK may work now. It belongs to the socket. Of a
    /// publisher and a response libzmq does not tell all: who waits there looks again after `ROOM_SLICE` anyhow.
    pub fn room_fd(&self) -> Result<RawFd> {
        if let Some(epoll) = self.exported_room.get() {
            self.check()?;
            return Ok(epoll.fd());
        }
        // Under the lock, as for `fd`.
        let mut entered = self.enter()?;
        let epoll = Epoll::new()?;
        epoll.add(self.zmq_fd, 0)?;
        match self.room() {
            Some(room) => epoll.add(room.fd(), 1)?,
            None => return Err(Error::new(Status::Limit, "no descriptor is left for an eventfd")),
        }
        let epoll = self.exported_room.get_or_init(|| epoll);
        entered.state.room_exported = true;
        Ok(epoll.fd())
    }

    /// What told those who wait at `room_fd` is looked at: from here on it tells of room that there is now, or comes.
    pub(crate) fn look_for_room(&self) {
        if let Ok(mut entered) = self.enter() {
            let _closing_rings_anyhow = entered.prepared(For::Writing);
        }
    }

    /// Whether somebody may be waiting at `fd`, as it is from its making on. While nobody is, nobody has to be rung: that
    /// costs each receive that leaves something behind two system calls.
    pub fn watch(&self, watched: bool) -> Result<()> {
        let mut entered = self.enter()?;
        if self.exported.get().is_some() {
            // Leaving makes it readable where there is something already: anew, as whoever begins to wait may see edges
            // alone, and have missed the one before.
            entered.hush(For::Reading);
            entered.state.exported = watched;
        }
        Ok(())
    }

    /// Wakes those who sleep to receive, or at `fd`, so that they look again whether they may.
    pub(crate) fn wake_readers(&self) {
        if let Ok(mut entered) = self.enter() {
            let anybody = entered.state.readers.count > 0 || entered.state.exported;
            if anybody && !entered.state.readers.rung {
                entered.ring(For::Reading);
            }
        }
    }

    /// Wakes everybody, for the end. Again under the lock, for a sleeper that hushed its ring in between.
    pub(super) fn ring_all(&self) {
        self.ring.ring();
        if let Some(room) = self.room.get() {
            room.ring();
        }
    }
}

/// How long a blocked publisher or response sleeps at most before it tries again: libzmq does not tell one that waits
/// for a full peer when another thread took its wake-up.
pub(crate) const ROOM_SLICE: Duration = Duration::from_millis(20);

fn slice() -> Deadline {
    Deadline::after(ROOM_SLICE)
}

impl Entered<'_> {
    /// Before each attempt.
    #[inline]
    fn prepared(&mut self, what: For) -> Result<()> {
        self.hush(what);
        match what {
            For::Reading => self.socket.check_reader(),
            // A send that finds the queue full may not have looked at the socket's commands, and poll would return at
            // once, again and again: look now.
            For::Writing => self.events().map(|_looked| ()),
        }
    }

    /// Quiets the ring before an attempt: what it told is about to be looked at.
    pub(super) fn hush(&mut self, what: For) {
        if self.state.of(what).rung {
            self.state.of(what).rung = false;
            if let Some(ring) = self.socket.ring_of(what) {
                ring.quiet();
            }
        }
    }

    fn ring(&mut self, what: For) {
        self.state.of(what).rung = true;
        if let Some(ring) = self.socket.ring_of(what) {
            ring.ring();
        }
    }

    /// Gives the lock back and sleeps. CANCELLED where a signal ended that and shall end the wait.
    fn sleep(mut self, what: For, mut deadline: Deadline) -> Result<()> {
        self.state.of(what).count += 1;
        // The attempt that failed under this very lock has looked at everything: what comes later makes ZMQ_FD readable.
        // So a look is owed to others only, and not to those whose ring tells them already.
        self.alone = self.state.readers.count + self.state.writers.count == 1
            && !self.state.exported
            && (!self.state.room_exported || self.state.writers.rung);
        let ring = match what {
            For::Reading => Some(self.socket.ring.fd()),
            For::Writing => self.socket.room().map(EventFd::fd),
        };
        if ring.is_none() {
            // Nobody can ring: no descriptor was left for it.
            deadline = deadline.min(slice());
        }
        let fds = [self.socket.zmq_fd, ring.unwrap_or(-1)];
        drop(self);
        poll_for_caller(&fds, deadline.poll_ms())
    }
}

impl Socket {
    fn ring_of(&self, what: For) -> Option<&EventFd> {
        match what {
            For::Reading => Some(&self.ring),
            For::Writing => self.room.get(),
        }
    }

    /// The ring of those who wait for room, made for the first of them. Called under the lock.
    fn room(&self) -> Option<&EventFd> {
        if self.room.get().is_none() {
            let _only_we_set_it = self.room.set(EventFd::new().ok()?);
        }
        self.room.get()
    }
}

impl Drop for Entered<'_> {
    /// Keeps the invariant: ready for a sleeper implies that its ring is readable.
    #[inline]
    fn drop(&mut self) {
        let state = &*self.state;
        let readers = (state.readers.count > 0 || state.exported) && !state.readers.rung;
        let writers = (state.writers.count > 0 || state.room_exported) && !state.writers.rung;
        if (readers || writers) && !self.alone && state.open {
            self.ring_others(readers, writers);
        }
        if self.looked.get() {
            self.tell_of_news();
        }
    }
}

impl Entered<'_> {
    /// Whoever makes libzmq look at its commands, and be it by a send that fails, may swallow the news of a subscription:
    /// while somebody waits for one, the service thread takes it from the socket.
    #[inline]
    fn tell_of_news(&self) {
        let Some(subscribers) = &self.socket.subscribers else {
            return;
        };
        if subscribers.waited_for.load(Ordering::Acquire) && self.state.open {
            self.socket.process.service.poke(self.socket.id);
        }
    }

    /// There is room, and nobody who would use it: a request is sent only while it is connected, and who waits at the
    /// descriptor hears of connections otherwise.
    fn sends_not_yet(&self) -> bool {
        self.socket.kind == Kind::Request && self.state.writers.count == 0 && self.socket.peers.count() == 0
    }

    /// Looks for what others sleep for, to read and to write, whose ring does not tell them yet.
    #[inline(never)]
    fn ring_others(&mut self, readers: bool, writing: bool) {
        let reading = readers && !self.reader_comes_back;
        let tells_of_room = self.socket.kind.tells_of_room();
        // A full publisher (XPUB_NODROP) or response stays writable all the time: its writers wait for the descriptor,
        // and are woken by whoever sent something and so may have taken that wake-up from them.
        if writing && !tells_of_room && self.room {
            self.ring(For::Writing);
        }
        let look = (reading && !self.socket.kind.publishes()) || (writing && tells_of_room);
        if !look {
            return;
        }
        let Ok(events) = self.events() else { return };
        if reading && events & POLLIN != 0 {
            self.ring(For::Reading);
        }
        if writing && tells_of_room && events & POLLOUT != 0 && !self.sends_not_yet() {
            self.ring(For::Writing);
        }
    }
}
