//! One endpoint of a request: a DEALER that numbers what it sends, so that a late reply is never taken for another's.
//! Several calls may wait at once; one of them receives, and hands the others theirs.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Condvar, Mutex};

use crate::connection::clock::{Deadline, Patience};
use crate::connection::frame::Frame;
use crate::connection::linux::{Epoll, EventFd};
use crate::connection::process::lock;
use crate::connection::socket::{Received, Room, Socket};
use crate::error::{Error, Result, Status};
use crate::messaging::terms::{self, Terms};

pub(crate) struct Lane {
    pub socket: Arc<Socket>,
    /// There is one peer at most, which is connected to.
    connects: bool,
    inbox: Mutex<Inbox>,
    arrived: Condvar,
}

#[derive(Default)]
struct Inbox {
    /// Somebody receives.
    received_by_one: bool,
    /// How many sleep meanwhile: nobody is woken where there is none, which would cost a system call for each reply.
    sleepers: usize,
    /// For who receives; kept, so that a reply allocates nothing.
    frames: Vec<Frame>,
    waiting: HashSet<u64>,
    replies: HashMap<u64, Frame>,
    end: End,
    /// Everything that peers had sent who were lost until this number of losses was received.
    drained: u64,
    /// Readable while there are replies, once a descriptor was handed out.
    shown: Option<EventFd>,
}

/// Whether more may come.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum End {
    #[default]
    Open,
    /// Somebody takes in the last replies.
    Ending,
    Ended,
}

impl Lane {
    pub fn new(socket: Arc<Socket>, connects: bool) -> Lane {
        Lane {
            socket,
            connects,
            inbox: Mutex::default(),
            arrived: Condvar::new(),
        }
    }

    /// A peer is there now.
    pub fn is_up(&self) -> bool {
        self.socket.peers.count() > 0
    }

    /// Taken before a request is sent, for `recv`. None where a loss says nothing about a request: there are several peers.
    pub fn losses(&self) -> Option<u64> {
        self.connects.then(|| self.socket.peers.losses())
    }

    /// Sends `[number and terms]['']['body']`, before `deadline`. The body is empty afterwards, on success only.
    pub fn send(&self, number: u64, terms: Terms, body: &mut Frame, room: Room, deadline: Deadline) -> Result<()> {
        {
            let mut inbox = lock(&self.inbox);
            if inbox.end != End::Open {
                return Err(lost());
            }
            inbox.waiting.insert(number);
        }
        let mut frames = [terms.frame(number)?, Frame::new(), std::mem::take(body)];
        let sent = self.socket.send_frames(&mut frames, room, deadline);
        if sent.is_err() {
            *body = std::mem::take(&mut frames[2]);
            self.forget(number);
        }
        sent
    }

    /// Whether the reply to this number was neither taken nor given up.
    pub fn expects(&self, number: u64) -> bool {
        lock(&self.inbox).waiting.contains(&number)
    }

    /// Nobody waits for this number any more; its reply will be counted as stale.
    pub fn forget(&self, number: u64) {
        let mut inbox = lock(&self.inbox);
        inbox.waiting.remove(&number);
        inbox.replies.remove(&number);
        self.show(&inbox);
    }

    /// Adds to `epoll` what is readable when there is a reply to take.
    pub fn add_to(&self, epoll: &Epoll, key: u64) -> Result<()> {
        let mut inbox = lock(&self.inbox);
        let shown = match inbox.shown.take() {
            Some(shown) => shown,
            None => EventFd::new()?,
        };
        epoll.add(shown.fd(), key)?;
        inbox.shown = Some(shown);
        self.show(&inbox);
        drop(inbox);
        epoll.add(self.socket.fd()?, key)
    }

    /// Whoever waits at the descriptor does not see in the socket what another call received for it.
    fn show(&self, inbox: &Inbox) {
        match &inbox.shown {
            Some(shown) if inbox.replies.is_empty() => shown.quiet(),
            Some(shown) => shown.ring(),
            None => {}
        }
    }

    /// Waits for the reply to `number`. It stays expected after a TIMEOUT, until `forget`. UNREACHABLE as soon as the peer
    /// was lost after `losses`, where given: then no reply comes any more.
    pub fn recv(&self, number: u64, losses: Option<u64>, deadline: Deadline) -> Result<Frame> {
        let mut inbox = lock(&self.inbox);
        let mut patience = Patience::new(deadline);
        loop {
            if let Some(reply) = inbox.replies.remove(&number) {
                inbox.waiting.remove(&number);
                self.show(&inbox);
                return Ok(reply);
            }
            if inbox.end == End::Ended {
                return Err(lost());
            }
            if losses.is_some_and(|losses| inbox.drained > losses) {
                return Err(lost());
            }
            if inbox.received_by_one || inbox.end == End::Ending {
                let left = deadline.remaining();
                if left.is_some_and(|left| left.is_zero()) {
                    return Err(over(deadline));
                }
                inbox.sleepers += 1;
                inbox = match left {
                    None => self.arrived.wait(inbox).unwrap_or_else(|p| p.into_inner()),
                    Some(left) => {
                        self.arrived
                            .wait_timeout(inbox, left)
                            .unwrap_or_else(|p| p.into_inner())
                            .0
                    }
                };
                inbox.sleepers -= 1;
                continue;
            }
            inbox.received_by_one = true;
            let mut frames = std::mem::take(&mut inbox.frames);
            let seen = inbox.drained;
            drop(inbox);
            let received = self.socket.recv_until_loss(&mut frames, deadline, seen);
            let reply = match received {
                Ok(Received::Message) => unpack(&mut frames),
                _ => None,
            };
            inbox = lock(&self.inbox);
            inbox.frames = frames;
            inbox.received_by_one = false;
            if let Ok(Received::Loss(losses)) = received {
                inbox.drained = losses;
            }
            self.wake_sleepers(&inbox);
            if inbox.end != End::Open && received.as_ref().is_err_and(|e| e.status() == Status::State) {
                // By `end`, which takes in the rest.
                continue;
            }
            if let Received::Loss(_) = received? {
                continue;
            }
            match reply {
                Some((of, reply)) if of == number => {
                    inbox.waiting.remove(&number);
                    return Ok(reply);
                }
                Some((of, reply)) if inbox.waiting.contains(&of) => {
                    inbox.replies.insert(of, reply);
                    self.show(&inbox);
                }
                Some(_) => self.socket.counters.dropped_stale(),
                None => self.socket.counters.dropped_malformed(),
            }
            // Also what came for others takes time.
            patience.goes_on()?;
        }
    }

    /// Waits until the reply to `number` is there, without taking it.
    pub fn wait(&self, number: u64, deadline: Deadline) -> Result<()> {
        let reply = self.recv(number, None, deadline)?;
        let mut inbox = lock(&self.inbox);
        inbox.waiting.insert(number);
        inbox.replies.insert(number, reply);
        self.show(&inbox);
        // For a `recv` of the same number that sleeps.
        self.wake_sleepers(&inbox);
        Ok(())
    }

    /// Nothing more comes, the connection is lost: takes in what has come, and ends the waits for everything else with
    /// UNREACHABLE.
    pub fn end(&self) -> Result<()> {
        let mut inbox = lock(&self.inbox);
        if inbox.end != End::Open {
            return Ok(());
        }
        inbox.end = End::Ending;
        drop(inbox);
        // Wakes who receives, and keeps others from it.
        let reserved = self.socket.reserve();
        let mut inbox = lock(&self.inbox);
        while inbox.received_by_one && reserved.is_ok() {
            inbox.sleepers += 1;
            inbox = self.arrived.wait(inbox).unwrap_or_else(|p| p.into_inner());
            inbox.sleepers -= 1;
        }
        let mut frames = Vec::new();
        while reserved.is_ok() {
            match self.socket.recv_reserved(|entered| entered.try_recv(&mut frames)) {
                Ok(true) => match unpack(&mut frames) {
                    Some((of, reply)) if inbox.waiting.contains(&of) => {
                        inbox.replies.insert(of, reply);
                    }
                    Some(_) => self.socket.counters.dropped_stale(),
                    None => self.socket.counters.dropped_malformed(),
                },
                Ok(false) => {}
                // WOULD_BLOCK, or CLOSED.
                Err(_) => break,
            }
        }
        inbox.end = End::Ended;
        self.show(&inbox);
        self.arrived.notify_all();
        reserved
    }

    fn wake_sleepers(&self, inbox: &Inbox) {
        if inbox.sleepers > 0 {
            self.arrived.notify_all();
        }
    }
}

/// One reply, or none where it was malformed: `[number and terms]['']['body']`.
fn unpack(frames: &mut Vec<Frame>) -> Option<(u64, Frame)> {
    let number = frames.first().and_then(|frame| terms::number_in(frame.bytes()));
    match (number, frames.len()) {
        (Some(number), 3) if frames[1].is_empty() => frames.pop().map(|body| (number, body)),
        _ => {
            frames.clear();
            None
        }
    }
}

fn lost() -> Error {
    Error::new(Status::Unreachable, "the connection was lost")
}

fn over(deadline: Deadline) -> Error {
    match deadline {
        Deadline::Now => Error::new(Status::WouldBlock, "no reply yet"),
        _ => Error::new(Status::Timeout, "no reply in the time given"),
    }
}
