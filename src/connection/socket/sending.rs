//! Sending: whole messages or nothing of them, and what a full queue does.

use crate::connection::clock::Deadline;
use crate::connection::errno;
use crate::connection::frame::Frame;
use crate::connection::options::FullQueue;
use crate::connection::socket::waiting::For;
use crate::connection::socket::{would_block, Entered, Socket};
use crate::error::{Error, Result, Status};

/// How long a send waits where a queue is full.
#[derive(Clone, Copy, Debug)]
pub enum Room {
    /// As the options of the handle say: `full_queue` and `send_timeout`.
    AsConfigured,
    /// Until this deadline, whatever the options say: WOULD_BLOCK where that is now, else TIMEOUT.
    Within(Deadline),
}

impl Socket {
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

    /// Sends one frame; it is empty afterwards on success and unchanged on failure.
    pub(crate) fn send_single(&self, frame: &mut Frame, room: Room) -> Result<()> {
        let size = frame.len();
        self.check_size(size)?;
        let sent = self.enter()?.try_send_single(frame, size);
        match sent {
            Err(error) if error.status() == Status::WouldBlock => {
                self.send_to_full(room, Deadline::Never, &mut |entered: &mut Entered<'_>| {
                    entered.try_send_single(frame, size)
                })?;
                *frame = Frame::new();
            }
            other => other?,
        }
        self.after_sending(1);
        Ok(())
    }

    /// Sends messages of one frame each, without waiting, until one cannot be sent: how many were. Those are empty
    /// afterwards, the others unchanged; what was wrong with the next one is met by sending it alone. The connections hear
    /// of all of them at once, so that a sleeping one is woken once.
    pub(crate) fn send_singles<'a>(&self, frames: impl Iterator<Item = &'a mut Frame>) -> Result<usize> {
        let sent = self.enter()?.try_send_singles(frames);
        self.after_sending(sent as u64);
        Ok(sent)
    }

    /// Sends all frames as one message, or none of it. They are empty afterwards on success.
    pub(crate) fn send(&self, frames: &mut [Frame], room: Room) -> Result<()> {
        if let [single] = frames {
            return self.send_single(single, room);
        }
        self.send_frames(frames, room, Deadline::Never)
    }

    /// As `send`, as configured, and waits for room no longer than until `limit`.
    pub(crate) fn send_before(&self, frames: &mut [Frame], limit: Deadline) -> Result<()> {
        self.send_frames(frames, Room::AsConfigured, limit)
    }

    /// As `send`, and where a queue is full waits no longer than until `limit`.
    pub(crate) fn send_frames(&self, frames: &mut [Frame], room: Room, limit: Deadline) -> Result<()> {
        frames.iter().try_for_each(|frame| self.check_size(frame.len()))?;
        let sent = self.enter()?.try_send(frames);
        match sent {
            Err(error) if error.status() == Status::WouldBlock => {
                self.send_to_full(room, limit, &mut |entered: &mut Entered<'_>| entered.try_send(frames))?;
                frames.iter_mut().for_each(|frame| *frame = Frame::new());
            }
            other => other?,
        }
        self.after_sending(1);
        Ok(())
    }

    /// As `send_frames`, one frame behind copies of those of a route. It is empty afterwards on success.
    pub(crate) fn send_behind(&self, route: &[Frame], last: &mut Frame, room: Room, limit: Deadline) -> Result<()> {
        route.iter().try_for_each(|frame| self.check_size(frame.len()))?;
        self.check_size(last.len())?;
        let sent = self.enter()?.try_send_behind(route, last);
        match sent {
            Err(error) if error.status() == Status::WouldBlock => {
                self.send_to_full(room, limit, &mut |entered: &mut Entered<'_>| {
                    entered.try_send_behind(route, last)
                })?;
                *last = Frame::new();
            }
            other => other?,
        }
        self.after_sending(1);
        Ok(())
    }

    /// Sends without waiting, whatever the policy; for the one reader that reserved the socket: it comes back until it
    /// meets WOULD_BLOCK, so that nobody has to be rung for what this call saw.
    pub(crate) fn send_reserved(&self, frames: &mut [Frame]) -> Result<()> {
        frames.iter().try_for_each(|frame| self.check_size(frame.len()))?;
        let mut entered = self.enter()?;
        entered.reader_comes_back = true;
        entered.try_send(frames)
    }

    /// Now and then the service thread looks at what subscribers said, also while nobody waits for one: see
    /// `Entered::tell_of_news`.
    fn after_sending(&self, messages: u64) {
        const LOOK_EVERY: u64 = 32_768;
        if self.subscribers.is_some() && self.counters.messages_out() % LOOK_EVERY < messages {
            self.process.service.poke(self.id);
        }
    }

    /// The queue was full: drop, wait or fail.
    #[cold]
    fn send_to_full(
        &self,
        room: Room,
        limit: Deadline,
        attempt: &mut dyn FnMut(&mut Entered<'_>) -> Result<()>,
    ) -> Result<()> {
        let deadline = match room {
            Room::Within(Deadline::Now) => return self.send_if_room(attempt),
            Room::Within(deadline) => return self.send_when_room(deadline.min(limit), attempt),
            Room::AsConfigured => Deadline::from_ms(self.options.send_timeout_ms()).min(limit),
        };
        match self.full_queue {
            FullQueue::Fail => self.send_if_room(attempt),
            FullQueue::Block => self.send_when_room(deadline, attempt),
            FullQueue::Drop => {
                let mut entered = self.enter()?;
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

    fn send_if_room(&self, attempt: &mut dyn FnMut(&mut Entered<'_>) -> Result<()>) -> Result<()> {
        let mut attempt = |entered: &mut Entered<'_>| attempt(entered).map(Some);
        match self.retry(For::Writing, Deadline::Now, &mut attempt) {
            Err(e) if e.status() == Status::WouldBlock => Err(Error::new(Status::WouldBlock, "the send queue is full")),
            other => other,
        }
    }

    fn send_when_room(
        &self,
        deadline: Deadline,
        attempt: &mut dyn FnMut(&mut Entered<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut attempt = |entered: &mut Entered<'_>| attempt(entered).map(Some);
        match self.retry(For::Writing, deadline, &mut attempt) {
            Err(e) if e.status() == Status::WouldBlock || e.status() == Status::Timeout => Err(Error::new(
                Status::Timeout,
                "the send queue stayed full for the whole send timeout",
            )),
            other => other,
        }
    }
}

impl Entered<'_> {
    /// One frame, `size` bytes long.
    pub fn try_send_single(&mut self, frame: &mut Frame, size: usize) -> Result<()> {
        self.send_frame(frame, 0)?;
        self.socket.counters.sent(size);
        Ok(())
    }

    /// Messages of one frame each, until one cannot be sent: how many were.
    fn try_send_singles<'a>(&mut self, frames: impl Iterator<Item = &'a mut Frame>) -> usize {
        let gathering = Gathering::begin(self);
        let mut sent = 0;
        for frame in frames {
            let size = frame.len();
            let fits = size <= gathering.entered.socket.max_message_size;
            if !fits || gathering.entered.try_send_single(frame, size).is_err() {
                break;
            }
            sent += 1;
        }
        sent
    }

    fn send_frame(&mut self, frame: &mut Frame, flags: i32) -> Result<()> {
        self.looked.set(true);
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

    /// All frames or none. They are empty afterwards on success.
    pub fn try_send(&mut self, frames: &mut [Frame]) -> Result<()> {
        let size = frames.iter().map(Frame::len).sum();
        let Some((last, others)) = frames.split_last_mut() else {
            return Ok(());
        };
        self.try_send_whole(others.len(), |at| others[at].share(), last, size)?;
        others.iter_mut().for_each(|frame| *frame = Frame::new());
        Ok(())
    }

    /// One frame behind copies of those of a route, or nothing.
    pub fn try_send_behind(&mut self, route: &[Frame], last: &mut Frame) -> Result<()> {
        let size = route.iter().map(Frame::len).sum::<usize>() + last.len();
        self.try_send_whole(route.len(), |at| Frame::from_bytes(route[at].bytes()), last, size)
    }

    /// So many frames as `front` makes them, and the last one; `size` bytes together. A peer that dies in between swallows
    /// those sent so far: so they are made anew for each attempt, and the last one is there until it went.
    #[inline]
    fn try_send_whole(
        &mut self,
        count: usize,
        mut front: impl FnMut(usize) -> Result<Frame>,
        last: &mut Frame,
        size: usize,
    ) -> Result<()> {
        const ATTEMPTS: usize = 3;
        let mut attempt = 0;
        loop {
            match self.try_send_once(count, &mut front, last) {
                Ok(()) => break,
                // Not at the first frame: the peer died in the middle. The whole message goes to another.
                Err((sent, error)) if sent > 0 && error.status() == Status::WouldBlock && attempt < ATTEMPTS => {
                    attempt += 1
                }
                Err((_, error)) => return Err(error),
            }
        }
        self.socket.counters.sent(size);
        Ok(())
    }

    fn try_send_once(
        &mut self,
        count: usize,
        front: &mut impl FnMut(usize) -> Result<Frame>,
        last: &mut Frame,
    ) -> std::result::Result<(), (usize, Error)> {
        for at in 0..count {
            let mut frame = front(at).map_err(|e| (at, e))?;
            self.send_frame(&mut frame, zmq_sys::ZMQ_SNDMORE as i32)
                .map_err(|e| (at, e))?;
        }
        self.send_frame(last, 0).map_err(|e| (count, e))
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

/// What is sent meanwhile is told to the connections at its end.
struct Gathering<'a, 'b> {
    entered: &'a mut Entered<'b>,
}

impl<'a, 'b> Gathering<'a, 'b> {
    fn begin(entered: &'a mut Entered<'b>) -> Self {
        // SAFETY: the socket is open and locked.
        unsafe { zmq_sys::zmq_sys_gather(entered.socket.raw, 1) };
        Gathering { entered }
    }
}

impl Drop for Gathering<'_, '_> {
    fn drop(&mut self) {
        // SAFETY: the socket is open, and still locked.
        unsafe { zmq_sys::zmq_sys_gather(self.entered.socket.raw, 0) };
    }
}
