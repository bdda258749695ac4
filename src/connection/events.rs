//! What happens to the connections of a socket, kept for whoever asks.
//!
//! The service thread pushes, any thread pulls; a callback can have each event at once. The
//! queue is bounded: the oldest event makes room, and is counted as lost unless a callback had
//! seen it. Every event is also a line in the log.

use std::collections::VecDeque;
use std::fmt;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::log::{log_line, Level};
use super::process::generation;
use super::stats::Counters;
use crate::error::{Error, Result, Status};

/// How many events a queue keeps.
pub const EVENT_QUEUE_LENGTH: usize = 1024;

/// What happened. Over inproc there are no events. The numbers stand for good.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// A connection is ready: the handshake succeeded, on the side that tells.
    Connected = 1,
    /// A peer reached a bound endpoint; its handshake is still to come.
    Accepted = 2,
    /// An established connection ended.
    Disconnected = 3,
    /// A connection attempt failed; the next one follows.
    Retried = 4,
    /// An endpoint is bound.
    Listening = 5,
    /// A peer was there, but the two sides cannot talk: keys, mechanism or role.
    HandshakeFailed = 6,
    /// An endpoint was closed by this side.
    Closed = 7,
    /// The events of the socket cannot be read any more; none follows.
    MonitorLost = 8,
    /// A peer that arrived could not be taken in: mostly, no descriptors left.
    AcceptFailed = 9,
    /// A connection that the transport had given up for good was begun anew.
    Restarted = 10,
}

impl EventKind {
    /// Every kind, in the order of the numbers.
    pub const ALL: [EventKind; 10] = [
        EventKind::Connected,
        EventKind::Accepted,
        EventKind::Disconnected,
        EventKind::Retried,
        EventKind::Listening,
        EventKind::HandshakeFailed,
        EventKind::Closed,
        EventKind::MonitorLost,
        EventKind::AcceptFailed,
        EventKind::Restarted,
    ];

    /// The kind of a number; None when no kind has it.
    pub fn from_code(code: i32) -> Option<EventKind> {
        EventKind::ALL.into_iter().find(|kind| *kind as i32 == code)
    }

    /// The name for people: "handshake failed".
    pub const fn name(self) -> &'static str {
        match self {
            EventKind::Connected => "connected",
            EventKind::Accepted => "accepted",
            EventKind::Disconnected => "disconnected",
            EventKind::Retried => "retried",
            EventKind::Listening => "listening",
            EventKind::HandshakeFailed => "handshake failed",
            EventKind::Closed => "closed",
            EventKind::MonitorLost => "monitor lost",
            EventKind::AcceptFailed => "accept failed",
            EventKind::Restarted => "restarted",
        }
    }

    /// Whether it tells of something that somebody should look at.
    pub const fn is_failure(self) -> bool {
        matches!(
            self,
            EventKind::HandshakeFailed | EventKind::MonitorLost | EventKind::AcceptFailed
        )
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One thing that happened to one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// The endpoint of this socket that it happened on.
    pub endpoint: String,
    /// The address of the peer; empty where it cannot be known.
    pub peer: String,
    /// A number that goes with the kind: a status, an errno or a code of the transport; 0 for none.
    pub code: i32,
    /// What the number means and what to do; may be empty.
    pub text: String,
}

impl Event {
    /// An event on an endpoint; the rest is set by hand where it is known.
    pub fn new(kind: EventKind, endpoint: impl Into<String>) -> Event {
        Event {
            kind,
            endpoint: endpoint.into(),
            peer: String::new(),
            code: 0,
            text: String::new(),
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.endpoint)?;
        if !self.peer.is_empty() {
            write!(f, " peer {}", self.peer)?;
        }
        if self.code != 0 {
            write!(f, " code {}", self.code)?;
        }
        if !self.text.is_empty() {
            write!(f, ": {}", self.text)?;
        }
        Ok(())
    }
}

/// Takes each event when it happens, on the service thread: what it does there holds up the
/// events of all other sockets. No lock is held; it may call anything.
pub type EventCallback = Arc<dyn Fn(&Event) + Send + Sync>;

/// The events of one socket. In a forked child a queue of the parent's gives FORKED.
pub struct EventQueue {
    /// Of the process that made it.
    generation: u32,
    state: Mutex<State>,
    arrived: Condvar,
}

#[derive(Default)]
struct State {
    events: VecDeque<Kept>,
    callback: Option<EventCallback>,
    closed: bool,
    /// Threads asleep in `recv`.
    waiting: usize,
}

struct Kept {
    event: Event,
    /// A callback had it, so that nobody loses anything when it is pushed out.
    seen: bool,
}

impl EventQueue {
    /// An empty queue.
    pub fn new() -> EventQueue {
        EventQueue {
            generation: generation(),
            state: Mutex::default(),
            arrived: Condvar::new(),
        }
    }

    /// Another thread of the parent may have held the lock at the fork: before anything else.
    fn check(&self) -> Result<()> {
        if self.generation == generation() {
            return Ok(());
        }
        Err(Error::new(
            Status::Forked,
            "the handle belongs to the process that this one was forked from",
        ))
    }

    /// Sets the callback in place of the one before; None ends it. Events that are in the queue
    /// already do not come to it. The old one is dropped after its last call has returned. On a
    /// closed queue the new one is dropped at once, and the answer is CLOSED.
    pub fn set_callback(&self, callback: Option<EventCallback>) -> Result<()> {
        self.check()?;
        let mut state = self.lock();
        if state.closed {
            drop(state);
            drop(callback);
            return Err(Error::from(Status::Closed));
        }
        let previous = std::mem::replace(&mut state.callback, callback);
        drop(state);
        drop(previous);
        Ok(())
    }

    /// Adds an event: to the log, to the callback, and to the queue. Nothing happens when the
    /// queue is closed.
    pub fn push(&self, event: Event, counters: &Counters) {
        let (callback, somebody_waits) = {
            let mut state = self.lock();
            if state.closed {
                return;
            }
            let callback = state.callback.clone();
            if state.events.len() >= EVENT_QUEUE_LENGTH {
                let oldest = state.events.pop_front();
                if oldest.is_some_and(|oldest| !oldest.seen) {
                    counters.events_lost(1);
                }
            }
            state.events.push_back(Kept {
                event: event.clone(),
                seen: callback.is_some(),
            });
            (callback, state.waiting > 0)
        };
        if somebody_waits {
            self.arrived.notify_one();
        }
        log_event(&event);
        if let Some(callback) = callback {
            // Dropping it belongs in there, too: this may be the last use of a replaced one.
            let call = AssertUnwindSafe(move || {
                callback(&event);
                drop(callback);
            });
            if catch_unwind(call).is_err() {
                log_line!(Error, "events", "an event callback panicked");
            }
        }
    }

    /// Takes the oldest event, or waits for one: `timeout_ms` milliseconds, without limit when
    /// negative, not at all when 0. TIMEOUT when the time is over, WOULD_BLOCK when there was
    /// none and no time, CLOSED when the queue is closed, before or during the wait.
    pub fn recv(&self, timeout_ms: i64) -> Result<Event> {
        self.check()?;
        // A time too far away to be told is no limit.
        let deadline = u64::try_from(timeout_ms)
            .ok()
            .and_then(|ms| Instant::now().checked_add(Duration::from_millis(ms)));
        let mut state = self.lock();
        loop {
            if state.closed {
                return Err(Error::from(Status::Closed));
            }
            if let Some(kept) = state.events.pop_front() {
                return Ok(kept.event);
            }
            if timeout_ms == 0 {
                return Err(Error::new(Status::WouldBlock, "no event is waiting"));
            }
            // Zero when the deadline has passed; none when there is no deadline.
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return Err(Error::new(Status::Timeout, "no event in the time given"));
            }
            state.waiting += 1;
            state = match left {
                None => self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(left) => {
                    let woken = self.arrived.wait_timeout(state, left);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
            };
            state.waiting -= 1;
        }
    }

    /// Ends the queue: whoever waits gets CLOSED, and the events and the callback are dropped;
    /// a call of the callback that is under way is finished first, where it runs.
    pub fn close(&self) {
        let (events, callback) = {
            let mut state = self.lock();
            state.closed = true;
            (std::mem::take(&mut state.events), state.callback.take())
        };
        self.arrived.notify_all();
        drop(events);
        drop(callback);
    }

    /// How many events wait to be taken; none in a forked child.
    pub fn len(&self) -> usize {
        if self.check().is_err() {
            return 0;
        }
        self.lock().events.len()
    }

    /// Whether no event waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Nothing of the host's runs under this lock, so a poisoned one is as good as before.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for EventQueue {
    fn default() -> EventQueue {
        EventQueue::new()
    }
}

impl fmt::Debug for EventQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        f.debug_struct("EventQueue")
            .field("events", &state.events.len())
            .field("callback", &state.callback.is_some())
            .field("closed", &state.closed)
            .field("waiting", &state.waiting)
            .finish()
    }
}

fn log_event(event: &Event) {
    let level = if event.kind.is_failure() {
        Level::Warning
    } else {
        Level::Info
    };
    super::log::log(level, "events", format_args!("{event}"));
}

#[cfg(test)]
mod tests;
