//! Calls that were started, and that no thread of the caller's waits for: what is under way, what is over, and how a caller
//! learns of it. Who starts a call sends its request, where somebody is connected; what follows is done by a thread of the
//! client's own, which is there from the first such call on (`turn.rs`).

mod turn;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::os::fd::RawFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Instant;

use super::attempt::Trail;
use super::Inner;
use crate::connection::clock::Deadline;
use crate::connection::frame::Frame;
use crate::connection::linux::{with_signals_blocked, Epoll, EventFd};
use crate::connection::own_thread::OwnThread;
use crate::connection::process::lock;
use crate::error::{Error, Result, Status};
use crate::messaging::message::Message;
use crate::service::places::Place;
use turn::Turn;

/// The key of the ring; those of connections are the numbers of their places, which begin with 1.
const RING: u64 = 0;

pub(super) struct Calls {
    table: Mutex<Table>,
    /// For those who wait for the end of a call.
    ended: Condvar,
    /// Readable while there are calls to finish, and from the end on.
    shown: EventFd,
    /// Wakes the thread: something changed with an instance, or it is to be up earlier.
    ring: Arc<EventFd>,
    /// Reports the ring, and once each connection that has something.
    epoll: Epoll,
}

#[derive(Default)]
struct Table {
    last: u64,
    under_way: HashMap<u64, Call>,
    /// When something is done with a call at the latest.
    due: BTreeSet<(Instant, u64)>,
    /// Those that wait for an instance.
    unplaced: BTreeSet<u64>,
    /// What instances were asked, by the numbers of their places.
    asked: BTreeMap<u64, Asked>,
    /// What is over and was not finished, in that order, and where each is there.
    over: BTreeMap<u64, Over>,
    turns: HashMap<u64, u64>,
    last_turn: u64,
    /// How many wait for the end of a call.
    sleepers: usize,
    /// When the thread looks again by itself; None while it is at it, or where nothing is due.
    up_at: Option<Instant>,
    awake: bool,
    /// Nothing follows any more.
    thread_ended: bool,
}

/// What one connection is to answer.
struct Asked {
    place: Arc<Place>,
    /// The calls, by the numbers of their requests.
    calls: HashMap<u64, u64>,
    /// Those that its full queue does not take yet.
    for_room: BTreeSet<u64>,
    /// It reports when it has something.
    armed: bool,
}

struct Call {
    body: Frame,
    /// When its time is over.
    until: Option<Instant>,
    may_repeat: bool,
    trail: Trail,
    stage: Stage,
    due: Option<Instant>,
}

#[derive(Clone, Copy)]
enum Stage {
    Unplaced,
    /// The queue to this place is full.
    ForRoom(u64),
    /// To this place, with this number.
    Sent(u64, u64),
}

struct Over {
    call: u64,
    outcome: Result<()>,
    reply: Message,
}

impl Calls {
    /// With its thread, which ends when the client is closed.
    pub fn start(inner: &Arc<Inner>) -> Result<(Arc<Calls>, OwnThread)> {
        let ring = Arc::new(EventFd::new()?);
        let epoll = Epoll::new()?;
        epoll.add(ring.fd(), RING)?;
        let calls = Arc::new(Calls {
            table: Mutex::default(),
            ended: Condvar::new(),
            shown: EventFd::new()?,
            ring,
            epoll,
        });
        inner.changed.ring(&calls.ring);
        let (own, of) = (Arc::clone(&calls), Arc::clone(inner));
        let spawned = with_signals_blocked(|| {
            let builder = std::thread::Builder::new().name("dividere-calls".into());
            builder.spawn(move || {
                let _at_the_end = ThreadEnded(&own);
                turn::run(&own, &of);
            })
        });
        match spawned {
            Ok(thread) => Ok((calls, OwnThread::new(thread))),
            Err(error) => {
                let text = format!("cannot start a thread for a service client's calls: {error}");
                Err(Error::new(Status::Limit, text))
            }
        }
    }

    /// Begins a call, with the frame that is to be sent. It never fails: what becomes of the call is told at its end.
    pub fn begin(&self, inner: &Inner, body: Frame, deadline: Deadline, may_repeat: bool) -> u64 {
        let mut table = lock(&self.table);
        table.last += 1;
        let call = table.last;
        let until = match deadline {
            Deadline::Now => Some(Instant::now()),
            Deadline::At(at) => Some(at),
            Deadline::Never => None,
        };
        table.under_way.insert(
            call,
            Call {
                body,
                until,
                may_repeat,
                trail: Trail::default(),
                stage: Stage::Unplaced,
                due: None,
            },
        );
        let mut turn = Turn::new(self, inner, &mut table);
        turn.advance(call);
        let gone = turn.end();
        drop(table);
        // Without the lock: a connection may be closed.
        drop(gone);
        call
    }

    /// Waits for the end of a call, and takes what came of it.
    pub fn finish(&self, inner: &Inner, call: u64, reply: &mut Message, deadline: Deadline) -> Result<()> {
        let mut table = lock(&self.table);
        loop {
            inner.check()?;
            if let Some(over) = table.turns.get(&call).copied().and_then(|turn| table.take(turn)) {
                self.show(&table);
                drop(table);
                return over.give(reply);
            }
            if !table.under_way.contains_key(&call) {
                return Err(no_such_call());
            }
            table = self.sleep(table, deadline)?;
        }
    }

    /// Waits until any call is over: which, and what came of it.
    pub fn finish_next(&self, inner: &Inner, reply: &mut Message, deadline: Deadline) -> Result<(u64, Result<()>)> {
        let mut table = lock(&self.table);
        loop {
            inner.check()?;
            let first = table.over.first_key_value().map(|(turn, _)| *turn);
            if let Some(over) = first.and_then(|turn| table.take(turn)) {
                self.show(&table);
                drop(table);
                return Ok((over.call, over.give(reply)));
            }
            table = self.sleep(table, deadline)?;
        }
    }

    fn sleep<'a>(&'a self, mut table: MutexGuard<'a, Table>, deadline: Deadline) -> Result<MutexGuard<'a, Table>> {
        if table.thread_ended {
            return Err(Error::new(Status::Internal, "the thread of the calls has ended"));
        }
        let left = deadline.remaining();
        if left.is_some_and(|left| left.is_zero()) {
            // Not TIMEOUT, which is the end of a call.
            return Err(Error::new(Status::WouldBlock, "no call is over yet"));
        }
        table.sleepers += 1;
        let mut table = match left {
            None => self.ended.wait(table).unwrap_or_else(|p| p.into_inner()),
            Some(left) => {
                let waited = self.ended.wait_timeout(table, left);
                waited.unwrap_or_else(|p| p.into_inner()).0
            }
        };
        table.sleepers -= 1;
        Ok(table)
    }

    /// Gives up a call, wherever it stands.
    pub fn abandon(&self, inner: &Inner, call: u64) -> Result<()> {
        let mut table = lock(&self.table);
        if let Some(over) = table.turns.get(&call).copied().and_then(|turn| table.take(turn)) {
            self.show(&table);
            drop(table);
            drop(over);
            return Ok(());
        }
        let mut turn = Turn::new(self, inner, &mut table);
        let given_up = turn.abandon(call);
        let gone = turn.end();
        drop(table);
        drop(gone);
        given_up.then_some(()).ok_or_else(no_such_call)
    }

    pub fn fd(&self) -> RawFd {
        self.shown.fd()
    }

    /// The client is closed: wakes everybody who waits.
    pub fn wake_all(&self) {
        let table = lock(&self.table);
        self.ring.ring();
        self.shown.ring();
        self.ended.notify_all();
        drop(table);
    }

    fn show(&self, table: &Table) {
        if table.over.is_empty() && !table.thread_ended {
            self.shown.quiet();
        }
    }
}

impl Table {
    fn take(&mut self, turn: u64) -> Option<Over> {
        let over = self.over.remove(&turn)?;
        self.turns.remove(&over.call);
        Some(over)
    }
}

impl Over {
    fn give(mut self, reply: &mut Message) -> Result<()> {
        std::mem::swap(reply, &mut self.reply);
        self.outcome
    }
}

pub(super) fn no_such_call() -> Error {
    Error::new(Status::NotFound, "no such call is under way")
}

/// Tells that the thread has ended, also by a panic: then what is under way never ends.
struct ThreadEnded<'a>(&'a Calls);

impl Drop for ThreadEnded<'_> {
    fn drop(&mut self) {
        lock(&self.0.table).thread_ended = true;
        self.0.wake_all();
    }
}
