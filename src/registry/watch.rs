//! Follows what is registered: the state as it is, and then every change, in order.

pub(super) mod state;

use std::os::fd::RawFd;
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::time::Instant;

use crate::connection::clock::Deadline;
use crate::connection::linux::EventFd;
use crate::connection::process::{generation, lock};
use crate::error::{Error, Result, Status};
use crate::proto::v1::{WatchEvents, WatchRequest};
use crate::registry::bell::Bell;
use crate::registry::instance::Instance;
use crate::registry::watchers::WINDOW;

use state::WatchState;

/// While so many events wait to be taken, the registry is not asked for more.
const MOST_WAITING: usize = 4096;

/// What to watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selection<'a> {
    /// The instances of one name.
    Name(&'a str),
    /// Those of all names that begin with this.
    Prefix(&'a str),
    /// Everything.
    All,
}

/// What happened.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WatchEventKind {
    /// The instance is there: it was when the watch began, or it came, or it is another than before.
    Put = 1,
    /// The instance is gone.
    Delete = 2,
    /// What was there when the watch began was told. Once, and also where nothing was there.
    Complete = 3,
}

/// One event of a watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchEvent {
    pub kind: WatchEventKind,
    /// The instance, with the number of this change as its revision; empty but for the revision with `Complete`.
    pub instance: Instance,
}

/// A watch. May be used from any thread. Dropping it closes it; it ends with its client.
///
/// It lives through everything that happens to registries: where one is away, nothing is told, and when it or another
/// one is there, what has changed. Events that nobody takes wait at the registry, beyond some thousand; where too many
/// changes come meanwhile, only what came of them is told.
pub struct Watch {
    pub(super) inner: Arc<WatchInner>,
}

/// What the watch shares with the client's thread.
pub(super) struct WatchInner {
    pub id: u64,
    generation: u32,
    bell: Arc<Bell>,
    guarded: Mutex<Guarded>,
    arrived: Condvar,
    /// Readable while there is something to take, once it was asked for.
    shown: OnceLock<EventFd>,
}

struct Guarded {
    state: WatchState,
    /// Why it ended.
    ended: Option<Error>,
    /// The registry has been asked over the connection of now.
    asked: bool,
    renewed: Instant,
    /// So many messages were told to have been taken in.
    told_taken: u64,
    /// The registry was not asked for more.
    held_back: bool,
}

/// What the client's thread is to do for a watch.
pub(super) enum Due {
    Send(WatchRequest),
    /// It is over; the registry shall know.
    End(WatchRequest),
    Later(Instant),
}

impl Watch {
    pub(super) fn new(id: u64, selection: Selection<'_>, bell: &Arc<Bell>) -> Watch {
        let (name, prefix) = match selection {
            Selection::Name(name) => (name, false),
            Selection::Prefix(prefix) => (prefix, true),
            Selection::All => ("", true),
        };
        Watch {
            inner: Arc::new(WatchInner {
                id,
                generation: generation(),
                bell: Arc::clone(bell),
                guarded: Mutex::new(Guarded {
                    state: WatchState::new(id, name, prefix),
                    ended: None,
                    asked: false,
                    renewed: Instant::now(),
                    told_taken: 0,
                    held_back: false,
                }),
                arrived: Condvar::new(),
                shown: OnceLock::new(),
            }),
        }
    }

    /// The next event. TIMEOUT where there is none in time, WOULD_BLOCK where there is no time; CLOSED where the watch
    /// or its client is closed; LIMIT where another registry took over and serves no more watches.
    pub fn recv(&self, deadline: Deadline) -> Result<WatchEvent> {
        let inner = &self.inner;
        inner.check()?;
        let mut guarded = lock(&inner.guarded);
        loop {
            if let Some(event) = guarded.state.pop() {
                inner.show(&guarded);
                if guarded.held_back && guarded.state.waiting() < MOST_WAITING / 2 {
                    guarded.held_back = false;
                    drop(guarded);
                    inner.bell.ring();
                }
                return Ok(event);
            }
            if let Some(error) = &guarded.ended {
                return Err(error.clone());
            }
            guarded = match deadline.remaining() {
                None => inner.arrived.wait(guarded).unwrap_or_else(|p| p.into_inner()),
                Some(left) if left.is_zero() => {
                    return Err(match deadline {
                        Deadline::Now => Error::new(Status::WouldBlock, "no event is waiting"),
                        _ => Error::new(Status::Timeout, "no event in the time given"),
                    })
                }
                Some(left) => {
                    let waited = inner.arrived.wait_timeout(guarded, left);
                    waited.unwrap_or_else(|p| p.into_inner()).0
                }
            };
        }
    }

    /// A descriptor for epoll, asyncio and the like: when it is readable, take events until WOULD_BLOCK. It belongs to
    /// the watch.
    pub fn fd(&self) -> Result<RawFd> {
        self.inner.check()?;
        let guarded = lock(&self.inner.guarded);
        if self.inner.shown.get().is_none() {
            let _only_we_set_it = self.inner.shown.set(EventFd::new()?);
        }
        self.inner.show(&guarded);
        let fd = self.inner.shown.get().map(EventFd::fd);
        fd.ok_or_else(|| Error::new(Status::Internal, "the descriptor is gone"))
    }

    pub fn is_closed(&self) -> bool {
        self.inner.check().is_err() || lock(&self.inner.guarded).ended.is_some()
    }

    /// Ends it. Blocked calls return CLOSED. CLOSED where it has ended before.
    pub fn close(&self) -> Result<()> {
        self.inner.check()?;
        let ended = self.inner.end(Error::new(Status::Closed, "the watch is closed"));
        self.inner.bell.ring();
        ended
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // CLOSED where it was closed before, FORKED in a child.
        let _closed_already = self.close();
    }
}

impl WatchInner {
    fn check(&self) -> Result<()> {
        if self.generation != generation() {
            return Err(Error::new(
                Status::Forked,
                "the handle belongs to the process that this one was forked from",
            ));
        }
        Ok(())
    }

    /// What was told before it is still there to be taken, unless its user closed it.
    pub fn end(&self, why: Error) -> Result<()> {
        let mut guarded = lock(&self.guarded);
        if let Some(error) = &guarded.ended {
            return Err(error.clone());
        }
        guarded.ended = Some(why);
        self.tell(&guarded);
        Ok(())
    }

    fn tell(&self, guarded: &Guarded) {
        self.show(guarded);
        self.arrived.notify_all();
    }

    fn show(&self, guarded: &Guarded) {
        match self.shown.get() {
            Some(shown) if guarded.state.waiting() > 0 || guarded.ended.is_some() => shown.ring(),
            Some(shown) => shown.quiet(),
            None => {}
        }
    }

    /// Until the registry has begun to tell: every change from then on is told. Its refusal, where that is the answer.
    pub fn wait_begun(&self, deadline: Deadline) -> Result<()> {
        let mut guarded = lock(&self.guarded);
        loop {
            if guarded.state.has_begun() {
                return Ok(());
            }
            if let Some(error) = &guarded.ended {
                return Err(error.clone());
            }
            guarded = match deadline.remaining() {
                None => self.arrived.wait(guarded).unwrap_or_else(|p| p.into_inner()),
                Some(left) if left.is_zero() => {
                    return Err(Error::new(
                        Status::Timeout,
                        "no registry began to tell in the time given",
                    ))
                }
                Some(left) => {
                    let waited = self.arrived.wait_timeout(guarded, left);
                    waited.unwrap_or_else(|p| p.into_inner()).0
                }
            };
        }
    }

    /// Another connection: what was under way over the one before is lost.
    pub fn ask_again(&self) {
        lock(&self.guarded).asked = false;
    }

    pub fn take(&self, events: WatchEvents, now: Instant) {
        let mut guarded = lock(&self.guarded);
        match guarded.state.take(events, now) {
            Ok(false) => {}
            Ok(true) => guarded.asked = false,
            Err(error) => guarded.ended = Some(error),
        }
        self.tell(&guarded);
    }

    /// What is to be done for it now. With `connected`, a registry may be asked.
    pub fn due(&self, now: Instant, connected: bool) -> Due {
        /// So often at least a registry hears that somebody watches.
        const RENEW_EVERY: std::time::Duration = std::time::Duration::from_secs(5);
        let mut guarded = lock(&self.guarded);
        if guarded.ended.is_some() {
            return Due::End(guarded.state.end());
        }
        let before = guarded.state.waiting();
        guarded.state.doubt(now);
        if guarded.state.waiting() > before {
            self.tell(&guarded);
        }
        let renewal = guarded.renewed + RENEW_EVERY;
        let taken = guarded.state.taken();
        let acknowledge = taken.saturating_sub(guarded.told_taken) >= WINDOW / 2;
        if connected && !guarded.asked {
            guarded.asked = true;
            guarded.told_taken = 0;
            guarded.renewed = now;
            return Due::Send(guarded.state.resume());
        }
        guarded.held_back = guarded.state.waiting() >= MOST_WAITING;
        if connected && !guarded.held_back && (acknowledge || renewal <= now) {
            guarded.told_taken = taken;
            guarded.renewed = now;
            return Due::Send(guarded.state.renew());
        }
        if connected && renewal <= now {
            // It is still there, but wants no more.
            guarded.renewed = now;
            let mut request = guarded.state.renew();
            request.taken = guarded.told_taken;
            return Due::Send(request);
        }
        let doubt = guarded.state.next();
        Due::Later(doubt.map_or(renewal, |at| at.min(renewal)))
    }

    /// It could not be sent.
    pub fn not_sent(&self, request: &WatchRequest) {
        let mut guarded = lock(&self.guarded);
        if request.taken == 0 {
            guarded.asked = false;
        }
        guarded.told_taken = 0;
    }
}
