//! One endpoint of a request: a DEALER that numbers what it sends, so that a late reply is never taken for another's.
//! Several calls may wait at once; one of them receives, and hands the others theirs.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

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
    waiting: ByNumber<Awaited>,
    /// Of those in `waiting`.
    replies: ByNumber<Frame>,
    end: End,
    /// Everything that peers had sent who were lost until this number of losses was received.
    drained: u64,
    /// How many of those waited for were lost with them.
    lost: usize,
    /// Readable while there are replies, once a descriptor was handed out.
    shown: Option<EventFd>,
}

/// By the numbers of requests. They are our own, and count up: nobody else chooses what is kept here, so that one
/// multiplication is enough of a hash.
type ByNumber<T> = HashMap<u64, T, BuildHasherDefault<NumberHasher>>;

#[derive(Default)]
struct NumberHasher(u64);

impl Hasher for NumberHasher {
    fn write_u64(&mut self, number: u64) {
        // 2^64 divided by the golden ratio: spreads what counts up over all bits.
        self.0 = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(self.0 ^ u64::from(*byte));
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// What is known of a request whose reply is waited for.
#[derive(Clone, Copy, Default)]
pub(crate) struct Awaited {
    /// Its wait ends when a peer is lost beyond this number of losses, taken before it was sent.
    pub losses: Option<u64>,
    /// `collect` takes its reply, and nobody else.
    pub collected: bool,
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
    pub fn send(
        &self,
        number: u64,
        awaited: Awaited,
        terms: Terms,
        body: &mut Frame,
        room: Room,
        deadline: Deadline,
    ) -> Result<()> {
        {
            let mut inbox = lock(&self.inbox);
            if inbox.end != End::Open {
                return Err(lost());
            }
            inbox.expect(number, awaited);
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
        lock(&self.inbox).waiting.contains_key(&number)
    }

    /// Nobody waits for this number any more; its reply will be counted as stale.
    pub fn forget(&self, number: u64) {
        let mut inbox = lock(&self.inbox);
        inbox.settle(number);
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

    /// Whoever waits at the descriptor does not see in the socket what another call received for it, or took note of.
    fn show(&self, inbox: &Inbox) {
        match &inbox.shown {
            Some(shown) if inbox.replies.is_empty() && inbox.lost == 0 => shown.quiet(),
            Some(shown) => shown.ring(),
            None => {}
        }
    }

    /// Waits for the reply to `number`. It stays expected after a TIMEOUT, until `forget`. UNREACHABLE as soon as the peer
    /// was lost, where its wait ends with that: then no reply comes any more.
    pub fn recv(&self, number: u64, deadline: Deadline) -> Result<Frame> {
        let mut inbox = lock(&self.inbox);
        let mut patience = Patience::new(deadline);
        loop {
            if !inbox.replies.is_empty() {
                if let Some(reply) = inbox.replies.remove(&number) {
                    inbox.settle(number);
                    self.show(&inbox);
                    return Ok(reply);
                }
            }
            if inbox.end == End::Ended {
                return Err(lost());
            }
            if inbox.lost > 0
                && inbox
                    .waiting
                    .get(&number)
                    .is_some_and(|awaited| inbox.has_lost(awaited))
            {
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
                inbox.drained_to(losses);
                self.show(&inbox);
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
                    inbox.settle(number);
                    return Ok(reply);
                }
                Some((of, reply)) if inbox.waiting.contains_key(&of) => {
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
        let reply = self.recv(number, deadline)?;
        let mut inbox = lock(&self.inbox);
        inbox.expect(number, Awaited::default());
        inbox.replies.insert(number, reply);
        self.show(&inbox);
        // For a `recv` of the same number that sleeps.
        self.wake_sleepers(&inbox);
        Ok(())
    }

    /// Takes the replies to those that are `collected`, as far as they are here; hardly waits. True where nothing comes
    /// any more.
    pub fn collect(&self, replies: &mut Vec<(u64, Frame)>) -> Result<bool> {
        /// Who receives has been woken by what there is, too, and puts by what is not its own.
        const TURN: Duration = Duration::from_millis(1);
        const MOST: usize = 256;
        let mut inbox = lock(&self.inbox);
        if inbox.received_by_one {
            inbox.sleepers += 1;
            inbox = self
                .arrived
                .wait_timeout(inbox, TURN)
                .unwrap_or_else(|p| p.into_inner())
                .0;
            inbox.sleepers -= 1;
        }
        let mut failed = None;
        if !inbox.received_by_one && inbox.end == End::Open {
            inbox.received_by_one = true;
            let mut frames = std::mem::take(&mut inbox.frames);
            drop(inbox);
            let mut came = Vec::new();
            for _ in 0..MOST {
                match self.socket.recv(&mut frames, Deadline::Now) {
                    Ok(()) => came.push(unpack(&mut frames)),
                    Err(error) => {
                        // STATE: by `end`, which takes in the rest.
                        let is_all = matches!(error.status(), Status::WouldBlock | Status::State);
                        failed = (!is_all).then_some(error);
                        break;
                    }
                }
            }
            inbox = lock(&self.inbox);
            inbox.frames = frames;
            inbox.received_by_one = false;
            for reply in came {
                match reply {
                    Some((of, reply)) if inbox.waiting.contains_key(&of) => {
                        inbox.replies.insert(of, reply);
                    }
                    Some(_) => self.socket.counters.dropped_stale(),
                    None => self.socket.counters.dropped_malformed(),
                }
            }
            self.wake_sleepers(&inbox);
        }
        inbox.hand_over(replies);
        self.show(&inbox);
        match failed {
            Some(error) => Err(error),
            None => Ok(inbox.end == End::Ended),
        }
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
                    Some((of, reply)) if inbox.waiting.contains_key(&of) => {
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

impl Inbox {
    fn expect(&mut self, number: u64, awaited: Awaited) {
        self.lost += usize::from(self.has_lost(&awaited));
        let before = self.waiting.insert(number, awaited);
        self.no_more(before);
    }

    /// Nobody waits for it any more.
    fn settle(&mut self, number: u64) {
        let awaited = self.waiting.remove(&number);
        self.no_more(awaited);
    }

    fn no_more(&mut self, awaited: Option<Awaited>) {
        self.lost -= usize::from(awaited.is_some_and(|awaited| self.has_lost(&awaited)));
    }

    fn has_lost(&self, awaited: &Awaited) -> bool {
        awaited.losses.is_some_and(|losses| self.drained > losses)
    }

    /// Everything is here that came before this number of losses.
    fn drained_to(&mut self, losses: u64) {
        self.drained = losses;
        self.lost = self.waiting.values().filter(|awaited| self.has_lost(awaited)).count();
    }

    fn hand_over(&mut self, to: &mut Vec<(u64, Frame)>) {
        let is_collected = |number: &u64| self.waiting.get(number).is_some_and(|awaited| awaited.collected);
        let ready: Vec<u64> = self.replies.keys().copied().filter(is_collected).collect();
        for number in ready {
            self.settle(number);
            to.extend(self.replies.remove(&number).map(|reply| (number, reply)));
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
