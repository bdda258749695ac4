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
/// libzmq says what became of an attempt as soon as it knows; more means that it never will. So it is where the last
/// words of a connection that was begun anew are taken for those of its successor.
pub(crate) const SILENCE_LIMIT: Duration = Duration::from_secs(5);

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

    /// Begins connections anew that libzmq gave up. Returns when to look again, where there is a reason to.
    /// Called by the service thread.
    pub(crate) fn restart_given_up(self: &Arc<Self>, now: Instant) -> Option<Instant> {
        let is_over = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        for (address, link) in self.peers.links() {
            if !link.up && (is_over(link.look_at) || is_over(link.expected)) {
                self.begin_anew(&address, &link, now, is_over(link.expected));
            }
        }
        let links = self.peers.links().into_iter().filter(|(_, link)| !link.up);
        links
            .flat_map(|(_, link)| link.look_at.into_iter().chain(link.expected))
            .min()
    }

    /// Disconnects and connects again, with the next address that the name has, unless that would lose something worth
    /// waiting for. A dealer, to which an address is more than a try once something is queued for it, moves only where
    /// somebody listens, or its name has left the address. What is `forgotten` has nothing to lose. All under one lock: what is sent meanwhile is sent over the
    /// old connection, which is seen here, or over the new one.
    fn begin_anew(&self, address: &str, link: &Link, now: Instant, forgotten: bool) {
        let stays = || !self.endpoints.was_left(address) && !self.endpoints.next_answers(address);
        if !forgotten && link.retried && self.kind() == Kind::Dealer && stays() {
            let again = now + self.pause_before_restart(address).max(READ_PAUSE);
            self.peers.with_link(address, |link| {
                link.restarts += 1;
                link.look_at = Some(again);
            });
            return;
        }
        let Ok(mut entered) = self.enter() else { return };
        let since = link.waits_since.unwrap_or(now);
        let patient = link.retried || now.duration_since(since) <= READ_LIMIT;
        if !forgotten && patient && self.would_lose(&mut entered, link) {
            drop(entered);
            let again = now + READ_PAUSE;
            self.peers.with_link(address, |link| {
                link.look_at = Some(again);
                link.waits_since = Some(since);
            });
            return;
        }
        // None where it was detached meanwhile.
        let Some(next) = self.endpoints.next_candidate(address) else {
            return;
        };
        let text = c_string(address);
        // SAFETY: the socket is open and locked, the text NUL-terminated. ENOENT: it was gone already.
        errno::uninterrupted(|| unsafe { zmq_sys::zmq_disconnect(entered.raw(), text.as_ptr()) });
        self.peers.move_link(address, &next, now + SILENCE_LIMIT);
        let connected = connect_address(&entered, &next);
        drop(entered);
        let mut event = Event::new(EventKind::Restarted, next.clone());
        if let Err(error) = connected {
            event.code = error.status() as i32;
            event.text = error.to_string();
            // No event will tell of it.
            let again = now + self.pause_before_restart(&next).max(READ_PAUSE);
            self.peers.with_link(&next, |link| link.look_at = Some(again));
        }
        self.events.push(event, &self.counters);
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
