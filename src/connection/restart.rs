//! Connections begun anew: those that libzmq gave up for good, and those of a name that has several addresses.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::connection::errno;
use crate::connection::events::{Event, EventKind};
use crate::connection::flush::unsent_peers;
use crate::connection::inproc::c_string;
use crate::connection::peers::Link;
use crate::connection::socket::{Kind, Socket, POLLIN};

/// How long a connection that libzmq gave up waits until what it brought was read; and how often that is looked at.
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
            let again = match self.would_lose(&address, &link, now) {
                Some(postponed) => postponed,
                None => {
                    self.peers.with_link(&address, |link| link.restarts += 1);
                    let again = now + self.pause_before_restart(&address);
                    self.peers.with_link(&address, |link| link.look_at = Some(again));
                    self.restart(&address);
                    again
                }
            };
            later.push(again);
        }
        later
    }

    /// Beginning a connection anew loses what was received over it and is not read yet, and what waits to be sent over
    /// it. Returns when to look again, where there is such a thing, and it is worth waiting for: always while libzmq
    /// goes on by itself; for a while where it gave up, which ended what was to be sent anyway.
    fn would_lose(&self, address: &str, link: &Link, now: Instant) -> Option<Instant> {
        let mut entered = self.enter().ok()?;
        let unread = !link.retried || link.known;
        let unread = unread && entered.events().is_ok_and(|events| events & POLLIN != 0);
        let sends = !matches!(self.kind(), Kind::Subscriber | Kind::RawSubscriber);
        let unsent = link.retried && sends && unsent_peers(&entered).is_ok_and(|unsent| unsent > 0);
        drop(entered);
        let since = link.waits_since.unwrap_or(now);
        if !(unread || unsent) || (!link.retried && now.duration_since(since) > READ_LIMIT) {
            return None;
        }
        let again = now + READ_PAUSE;
        self.peers.with_link(address, |link| {
            link.look_at = Some(again);
            link.waits_since = Some(since);
        });
        Some(again)
    }

    /// Begins a connection anew, with the next address that its name has.
    fn restart(self: &Arc<Self>, address: &str) {
        let Some(next) = self.endpoints.next_candidate(address) else {
            return;
        };
        let text = c_string(address);
        if let Ok(entered) = self.enter() {
            // SAFETY: the socket is open and locked, the text NUL-terminated. ENOENT: it was gone already.
            errno::uninterrupted(|| unsafe { zmq_sys::zmq_disconnect(entered.raw(), text.as_ptr()) });
        }
        self.peers.move_link(address, &next);
        let mut event = Event::new(EventKind::Restarted, next.clone());
        if let Err(error) = self.connect_address(&next) {
            event.code = error.status() as i32;
            event.text = error.to_string();
        }
        self.events.push(event, &self.counters);
    }
}
