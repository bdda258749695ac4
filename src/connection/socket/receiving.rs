//! Receiving: whole messages, without waiting or until a deadline.

use std::sync::atomic::Ordering;

use crate::connection::clock::Deadline;
use crate::connection::errno;
use crate::connection::frame::Frame;
use crate::connection::socket::waiting::For;
use crate::connection::socket::{would_block, Entered, Socket, MOST_FRAMES};
use crate::error::{Error, Result, Status};

/// What ended a `recv_until_loss`.
pub(crate) enum Received {
    Message,
    /// The number of losses so far.
    Loss(u64),
}

impl Socket {
    /// Marks the socket as read by a reactor. STATE where it has a reader already; also for those who sleep in a receive.
    pub(crate) fn reserve(&self) -> Result<()> {
        self.check()?;
        if self.reserved.swap(true, Ordering::AcqRel) {
            return Err(Error::new(Status::State, "the socket is in a reactor already"));
        }
        self.wake_readers();
        Ok(())
    }

    pub(crate) fn release(&self) {
        self.reserved.store(false, Ordering::Release);
        // For whoever polls the descriptor from now on: the reactor may have left messages without a ring.
        self.nudge();
    }

    pub(super) fn check_reader(&self) -> Result<()> {
        if self.reserved.load(Ordering::Acquire) {
            return Err(Error::new(Status::State, "a reactor receives from this socket"));
        }
        Ok(())
    }

    /// Receives one whole message into `frames` (emptied first). TIMEOUT where the deadline passed, WOULD_BLOCK
    /// where it was `Now`.
    pub(crate) fn recv(&self, frames: &mut Vec<Frame>, deadline: Deadline) -> Result<()> {
        self.retry(For::Reading, deadline, &mut |entered: &mut Entered<'_>| {
            Ok(entered.try_recv(frames)?.then_some(()))
        })
    }

    /// As `recv`; but tells, in place of waiting on, when peers were lost beyond the `seen` number of losses. Then
    /// everything that came from them was received before.
    pub(crate) fn recv_until_loss(&self, frames: &mut Vec<Frame>, deadline: Deadline, seen: u64) -> Result<Received> {
        self.retry(For::Reading, deadline, &mut |entered: &mut Entered<'_>| {
            // Before the attempt, which takes in what came from them.
            let losses = self.peers.losses();
            match entered.try_recv(frames) {
                Ok(whole) => Ok(whole.then_some(Received::Message)),
                Err(error) if losses != seen && error.status() == Status::WouldBlock => {
                    Ok(Some(Received::Loss(losses)))
                }
                Err(error) => Err(error),
            }
        })
    }

    /// As `recv`, where a message of one frame comes in `only`, and `frames` is empty then.
    pub(crate) fn recv_message(&self, only: &mut Frame, frames: &mut Vec<Frame>, deadline: Deadline) -> Result<()> {
        self.retry(For::Reading, deadline, &mut |entered: &mut Entered<'_>| {
            Ok(entered.try_recv_message(only, frames)?.then_some(()))
        })
    }

    /// Receives a message of one frame without a list around it; a longer one is counted as malformed and dropped.
    pub(crate) fn recv_single(&self, frame: &mut Frame, deadline: Deadline) -> Result<()> {
        self.retry(For::Reading, deadline, &mut |entered: &mut Entered<'_>| {
            Ok(entered.try_recv_single(frame)?.then_some(()))
        })
    }

    /// As `recv`, for the reactor that reserved the socket; never waits.
    ///
    /// It is the only reader, and comes back until it meets WOULD_BLOCK: so it needs no ring for what it left behind,
    /// and is spared a look at the socket's events for each message.
    pub(crate) fn recv_reserved<T>(&self, attempt: impl FnOnce(&mut Entered<'_>) -> Result<T>) -> Result<T> {
        let mut entered = self.enter()?;
        entered.hush(For::Reading);
        entered.reader_comes_back = true;
        attempt(&mut entered)
    }
}

impl Entered<'_> {
    /// One whole message, or WOULD_BLOCK. False where it had too many frames: it was counted, and is gone.
    pub fn try_recv(&mut self, frames: &mut Vec<Frame>) -> Result<bool> {
        let mut only = Frame::new();
        let received = self.try_recv_message(&mut only, frames)?;
        if received && frames.is_empty() {
            frames.push(only);
        }
        Ok(received)
    }

    /// The same, where a message of one frame comes in `only`, without a list around it: `frames` is empty then.
    pub fn try_recv_message(&mut self, only: &mut Frame, frames: &mut Vec<Frame>) -> Result<bool> {
        frames.clear();
        let mut size = 0;
        let mut whole = true;
        loop {
            match self.recv_frame(only) {
                // Its connection was given up in between.
                Err(error) if error.status() == Status::Unreachable => {
                    self.socket.counters.dropped_malformed();
                    return Ok(false);
                }
                received => received?,
            }
            let (bytes, more) = only.look();
            size += bytes.len();
            if frames.is_empty() && !more {
                break;
            }
            if frames.len() < MOST_FRAMES {
                frames.push(std::mem::take(only));
            } else {
                whole = false;
            }
            if !more {
                break;
            }
        }
        match whole {
            true => self.socket.counters.received(size),
            false => self.socket.counters.dropped_malformed(),
        }
        Ok(whole)
    }

    /// One message of one frame, or WOULD_BLOCK. False where it was a longer one: it was counted, and is gone.
    pub fn try_recv_single(&mut self, frame: &mut Frame) -> Result<bool> {
        self.recv_frame(frame)?;
        let (bytes, more) = frame.look();
        if !more {
            self.socket.counters.received(bytes.len());
            return Ok(true);
        }
        let mut rest = Frame::new();
        loop {
            match self.recv_frame(&mut rest) {
                Err(error) if error.status() == Status::Unreachable => break,
                received => received?,
            }
            if !rest.more() {
                break;
            }
        }
        self.socket.counters.dropped_malformed();
        Ok(false)
    }

    /// A subscription that a publisher was told; not counted as a message.
    pub fn try_recv_control(&mut self, frame: &mut Frame) -> Result<()> {
        self.recv_frame(frame)
    }

    fn recv_frame(&mut self, frame: &mut Frame) -> Result<()> {
        #[cfg(test)]
        self.socket.fault.strike()?;
        loop {
            // SAFETY: the socket is open and locked, the frame initialised; libzmq closes its old content.
            let rc = unsafe { zmq_sys::zmq_msg_recv(frame.raw_mut(), self.socket.raw, zmq_sys::ZMQ_DONTWAIT as i32) };
            if rc >= 0 {
                return Ok(());
            }
            match errno::last() {
                libc::EAGAIN => return Err(would_block()),
                libc::EINTR => {}
                libc::ECONNRESET => return Err(Error::new(Status::Unreachable, "the rest of the message is gone")),
                other => return Err(errno::error(other, "receive")),
            }
        }
    }
}
