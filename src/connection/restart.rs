//! Connections begun anew: those that libzmq gave up for good, and those of a name that has several addresses.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::connection::attach::connect_address;
use crate::connection::errno;
use crate::connection::events::{Event, EventKind};
use crate::connection::flush::unsent_peers;
use crate::connection::inproc::c_string;
use crate::connection::peers::Link;
use crate::connection::socket::{Entered, Kind, Socket, POLLIN};

/// How long a connection that libzmq seems to have given up waits where beginning it anew loses something: until that was
/// read, or libzmq says after all that it goes on (on a busy machine that may take a while). And how often to look.
const READ_LIMIT: Duration = Duration::from_secs(1);
const READ_PAUSE: Duration = Duration::from_millis(20);

impl Socket {
    /// Doubles from the reconnect interval to the longest; nothing before the first restart.
    pub(crate) fn pause_before_restart(&self, address: &str) -> Duration {
        let restarts = self.peers.with_link(address, |link| link.restarts).unwrap_or(0);
        let shortest = Duration::from_millis(self.options().reconnect_interval_ms().max(1) as u64);
        let longest = Duration::from_millis(self.options().reconnect_interval_max_ms().max(1) as u64).max(shortest);
        match restarts {
            0 => Duration::ZERO,
            restarts => shortest.saturating_mul(1 << (restarts - 1).min(16)).min(longest),
        }
    }

    /// Begins connections anew that libzmq gave up. Returns when to look again, where a connection has to wait.
    /// Called by the service thread.
    pub(crate) fn restart_given_up(self: &Arc<Self>, now: Instant) -> Vec<Instant> {
        let mut later = Vec::new();
        for (address, link) in self.peers.links() {
            let Some(at) = link.look_at else { continue };
            if link.up {
                continue;
            }
            if at > now {
                later.push(at);
                continue;
            }
            later.extend(self.begin_anew(&address, &link, now));
        }
        later
    }

    /// Disconnects and connects again, with the next address that the name has, unless that would lose something worth
    /// waiting for. A dealer, to which an address is more than a try once something is queued for it, moves only where
    /// somebody listens. Returns when to look again, if ever. All under one lock: what is sent meanwhile is sent over the old
    /// connection, which is seen here, or over the new one.
    fn begin_anew(&self, address: &str, link: &Link, now: Instant) -> Option<Instant> {
        if link.retried && self.kind() == Kind::Dealer && !self.endpoints.next_answers(address) {
            let again = now + self.pause_before_restart(address).max(READ_PAUSE);
            self.peers.with_link(address, |link| {
                link.restarts += 1;
                link.look_at = Some(again);
            });
            return Some(again);
        }
        let mut entered = self.enter().ok()?;
        let since = link.waits_since.unwrap_or(now);
        let patient = link.retried || now.duration_since(since) <= READ_LIMIT;
        if patient && self.would_lose(&mut entered, link) {
            drop(entered);
            let again = now + READ_PAUSE;
            self.peers.with_link(address, |link| {
                link.look_at = Some(again);
                link.waits_since = Some(since);
            });
            return Some(again);
        }
        // None where it was detached meanwhile.
        let next = self.endpoints.next_candidate(address)?;
        let text = c_string(address);
        // SAFETY: the socket is open and locked, the text NUL-terminated. ENOENT: it was gone already.
        errno::uninterrupted(|| unsafe { zmq_sys::zmq_disconnect(entered.raw(), text.as_ptr()) });
        self.peers.move_link(address, &next);
        let connected = connect_address(&entered, &next);
        drop(entered);
        let mut event = Event::new(EventKind::Restarted, next.clone());
        let mut again = None;
        if let Err(error) = connected {
            event.code = error.status() as i32;
            event.text = error.to_string();
            // No event will tell of it.
            again = Some(now + self.pause_before_restart(&next).max(READ_PAUSE));
            self.peers.with_link(&next, |link| link.look_at = again);
        }
        self.events.push(event, &self.counters);
        again
    }

    /// What was received over the connection and is not read yet goes with it, and so does what waits to be sent. Only
    /// a dealer sends before it is connected.
    fn would_lose(&self, entered: &mut Entered<'_>, link: &Link) -> bool {
        let unread = !link.retried || link.known;
        if unread && entered.events().is_ok_and(|events| events & POLLIN != 0) {
            return true;
        }
        self.kind() == Kind::Dealer && unsent_peers(entered).is_ok_and(|unsent| unsent > 0)
    }
}
