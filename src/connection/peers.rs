//! Who is connected: one entry for every endpoint that this side connects to, one count for each that it is
//! bound to. Written by the service thread from libzmq's events, waited for by anyone.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::time::Instant;

use crate::connection::clock::Deadline;
use crate::connection::linux::EventFd;
use crate::connection::process::lock;
use crate::error::{Error, Result, Status};

/// What is known of one endpoint that this side connects to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Link {
    pub up: bool,
    /// Why the last handshake failed, where the same is to be expected of the next; cleared by one that succeeds.
    pub failure: Option<(Status, String)>,
    /// Handshakes in a row that ended without a reason.
    pub without_reason: u32,
    /// When to look whether libzmq gave it up; none while it is up or still being tried.
    pub look_at: Option<Instant>,
    /// By then libzmq has said what became of its attempt; or else it has forgotten this connection.
    pub expected: Option<Instant>,
    /// Attempts since it was last up, after libzmq gave it up, or with another address.
    pub restarts: u32,
    /// The name that was asked for has more addresses than this one.
    pub has_alternatives: bool,
    /// It was up before.
    pub known: bool,
    /// libzmq itself goes on trying.
    pub retried: bool,
    /// It was begun anew, and nothing was heard of the new connection yet.
    pub begun: bool,
    /// Since when it waits to be begun anew, because there is something that this would lose.
    pub waits_since: Option<Instant>,
}

/// A handshake ends without a reason where the peer has another server's key; but also where it just restarts, or
/// somebody in between finds nobody behind. So often in a row it is no accident.
const NO_ACCIDENT: u32 = 3;

impl Link {
    /// It is up. True where that is a return.
    pub fn succeeded(&mut self) -> bool {
        let returned = self.known;
        *self = Link {
            up: true,
            known: true,
            has_alternatives: self.has_alternatives,
            ..Link::default()
        };
        returned
    }

    /// libzmq goes on with it, and is heard of again until then.
    pub fn goes_on(&mut self, expected: Option<Instant>) {
        self.look_at = None;
        self.expected = expected;
        self.waits_since = None;
        self.begun = false;
    }

    pub fn failed(&mut self, status: Status, text: &str, no_reason: bool) {
        self.up = false;
        if no_reason {
            self.without_reason += 1;
        }
        if !no_reason || self.without_reason >= NO_ACCIDENT {
            self.failure.get_or_insert((status, text.to_owned()));
        }
    }
}

#[derive(Default)]
struct Table {
    links: HashMap<String, Link>,
    /// Connections to bound endpoints, by both ends; more than one where the transport has no names (ipc).
    accepted: HashMap<(String, String), u32>,
    /// Endpoints whose listener libzmq has not closed yet.
    listening: Vec<String>,
    inproc_peers: usize,
    closed: bool,
}

/// A count of changes that any number of threads wait for.
#[derive(Default)]
pub(crate) struct Signal {
    changes: Mutex<u64>,
    changed: Condvar,
    also_ring: OnceLock<Arc<EventFd>>,
}

impl Signal {
    /// The number of changes so far: taken before looking, given to `wait`.
    pub fn now(&self) -> u64 {
        *lock(&self.changes)
    }

    pub fn notify(&self) {
        *lock(&self.changes) += 1;
        self.changed.notify_all();
        if let Some(ring) = self.also_ring.get() {
            ring.ring();
        }
    }

    /// Rings `ring` at every change from now on, too; only the first one is.
    pub fn ring(&self, ring: &Arc<EventFd>) {
        let _only_once = self.also_ring.set(Arc::clone(ring));
    }

    /// Waits for a change after `seen`. False where the time is over first.
    pub fn wait(&self, seen: u64, deadline: Deadline) -> bool {
        let mut changes = lock(&self.changes);
        while *changes == seen {
            changes = match deadline.remaining() {
                None => self.changed.wait(changes).unwrap_or_else(|p| p.into_inner()),
                Some(left) if left.is_zero() => return false,
                Some(left) => {
                    self.changed
                        .wait_timeout(changes, left)
                        .unwrap_or_else(|p| p.into_inner())
                        .0
                }
            };
        }
        true
    }
}

#[derive(Default)]
pub(crate) struct Peers {
    table: Mutex<Table>,
    changed: Condvar,
    count: AtomicUsize,
    arrivals: AtomicU64,
    losses: AtomicU64,
    also_tell: OnceLock<Arc<Signal>>,
    also_ring: OnceLock<Arc<EventFd>>,
}

impl Peers {
    /// Connected peers now.
    pub fn count(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    /// How often a peer came, or came back. It has grown before whoever `ring`s is rung.
    pub fn arrivals(&self) -> u64 {
        self.arrivals.load(Ordering::Acquire)
    }

    /// How often a peer was lost.
    #[inline]
    pub fn losses(&self) -> u64 {
        self.losses.load(Ordering::Acquire)
    }

    fn update<T>(&self, f: impl FnOnce(&mut Table) -> T) -> T {
        let mut table = lock(&self.table);
        let result = f(&mut table);
        let up = table.links.values().filter(|link| link.up).count();
        let accepted: u32 = table.accepted.values().sum();
        let count = up + accepted as usize + table.inproc_peers;
        let before = self.count.swap(count, Ordering::AcqRel);
        match count.cmp(&before) {
            std::cmp::Ordering::Greater => self.arrivals.fetch_add(1, Ordering::AcqRel),
            std::cmp::Ordering::Less => self.losses.fetch_add(1, Ordering::AcqRel),
            std::cmp::Ordering::Equal => 0,
        };
        drop(table);
        self.changed.notify_all();
        if let Some(signal) = self.also_tell.get() {
            signal.notify();
        }
        if let Some(ring) = self.also_ring.get() {
            ring.ring();
        }
        result
    }

    /// Notifies `signal` of every change, too.
    pub fn tell(&self, signal: &Arc<Signal>) {
        let _only_once = self.also_tell.set(Arc::clone(signal));
    }

    /// Rings `ring` at every change, too, and at the end.
    pub fn ring(&self, ring: &Arc<EventFd>) {
        let _only_once = self.also_ring.set(Arc::clone(ring));
    }

    pub fn close(&self) {
        self.update(|table| table.closed = true);
    }

    pub fn add_link(&self, endpoint: &str, link: Link) {
        self.update(|table| table.links.insert(endpoint.to_owned(), link));
    }

    /// The link is begun anew, with another address or the same; something is heard of it until `expected`.
    pub fn move_link(&self, from: &str, to: &str, expected: Instant) {
        self.update(|table| {
            let mut link = table.links.remove(from).unwrap_or_default();
            link.waits_since = None;
            link.look_at = None;
            link.expected = Some(expected);
            link.retried = false;
            link.begun = true;
            link.restarts += 1;
            table.links.insert(to.to_owned(), link);
        });
    }

    pub fn remove_link(&self, endpoint: &str) {
        self.update(|table| table.links.remove(endpoint));
    }

    /// Changes the link to `endpoint`; None where there is no such link.
    pub fn with_link<T>(&self, endpoint: &str, f: impl FnOnce(&mut Link) -> T) -> Option<T> {
        self.update(|table| table.links.get_mut(endpoint).map(f))
    }

    pub fn accepted(&self, local: &str, remote: &str, up: bool) {
        self.update(|table| {
            let count = table.accepted.entry((local.to_owned(), remote.to_owned())).or_insert(0);
            *count = if up { *count + 1 } else { count.saturating_sub(1) };
            if *count == 0 {
                table.accepted.remove(&(local.to_owned(), remote.to_owned()));
            }
        });
    }

    pub fn inproc(&self, change: isize) {
        self.update(|table| table.inproc_peers = table.inproc_peers.saturating_add_signed(change));
    }

    pub fn listening(&self, endpoint: &str) {
        self.update(|table| table.listening.push(endpoint.to_owned()));
    }

    pub fn listener_closed(&self, endpoint: &str) {
        self.update(|table| table.listening.retain(|e| e != endpoint));
    }

    /// No event comes any more, so nothing is worth waiting for.
    pub fn monitor_ended(&self) {
        self.update(|table| table.listening.clear());
    }

    /// Waits until libzmq closed every listener. False where it did not in time.
    pub fn wait_listeners_closed(&self, deadline: Deadline) -> bool {
        let mut table = lock(&self.table);
        while !table.listening.is_empty() {
            match self.sleep(table, deadline) {
                Some(again) => table = again,
                None => return false,
            }
        }
        true
    }

    fn sleep<'a>(
        &'a self,
        table: std::sync::MutexGuard<'a, Table>,
        deadline: Deadline,
    ) -> Option<std::sync::MutexGuard<'a, Table>> {
        match deadline.remaining() {
            None => Some(self.changed.wait(table).unwrap_or_else(|p| p.into_inner())),
            Some(left) if left.is_zero() => None,
            Some(left) => Some(
                self.changed
                    .wait_timeout(table, left)
                    .unwrap_or_else(|p| p.into_inner())
                    .0,
            ),
        }
    }

    /// Waits until `wanted` peers are connected, or with 0 until every endpoint connected to is. A refused key or a
    /// failed handshake ends the wait at once with its status, where no other endpoint can still make up for it.
    pub fn wait_connected(&self, wanted: usize, deadline: Deadline) -> Result<()> {
        let mut table = lock(&self.table);
        loop {
            if table.closed {
                return Err(Error::new(
                    Status::Closed,
                    "the handle was closed while waiting for a connection",
                ));
            }
            let up = self.count();
            let links_down = table.links.values().filter(|link| !link.up).count();
            if (wanted > 0 && up >= wanted) || (wanted == 0 && links_down == 0 && !table.links.is_empty()) {
                return Ok(());
            }
            let failed = table.links.iter().find_map(|(e, l)| l.failure.as_ref().map(|f| (e, f)));
            let hopeful = table.links.values().filter(|link| link.failure.is_none()).count();
            if let Some((endpoint, (status, text))) = failed {
                if wanted == 0 || hopeful < wanted {
                    return Err(Error::new(*status, format!("{endpoint}: {text}")));
                }
            }
            if wanted == 0 && table.links.is_empty() {
                return Err(Error::new(Status::State, "the handle connects to no endpoint"));
            }
            match self.sleep(table, deadline) {
                Some(again) => table = again,
                None if matches!(deadline, Deadline::Now) => {
                    return Err(Error::new(Status::WouldBlock, "not connected yet"))
                }
                None => return Err(Error::new(Status::Timeout, "not connected in the time given")),
            }
        }
    }

    /// Waits until nobody is connected. False where the time is over first.
    pub fn wait_for_none(&self, deadline: Deadline) -> bool {
        let mut table = lock(&self.table);
        loop {
            if table.closed || self.count() == 0 {
                return true;
            }
            match self.sleep(table, deadline) {
                Some(again) => table = again,
                None => return false,
            }
        }
    }

    pub fn links(&self) -> Vec<(String, Link)> {
        lock(&self.table)
            .links
            .iter()
            .map(|(e, l)| (e.clone(), l.clone()))
            .collect()
    }
}
