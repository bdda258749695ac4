//! The client's thread: renews leases, and registers again wherever what was registered is not known.
//!
//! It asks one registry at a time, and never has more than one question open: a registry of dividere 2.2.0 is not
//! flooded.

use std::ops::Bound;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::connection::clock::Deadline;
use crate::connection::linux::poll_readable;
use crate::connection::log::log_line;
use crate::connection::process::lock;
use crate::error::{Error, Result, Status};
use crate::messaging::channel::Channel;
use crate::messaging::message::Message;
use crate::messaging::subscriber::{Filter, Subscriber};
use crate::registry::client::link::{Kind, Place};
use crate::registry::client::shared::{Shared, LEASES_AT_ONCE};
use crate::registry::client::watching::Watching;
use crate::registry::client::RegistrationId;
use crate::registry::server::next_to;

/// A lease is renewed so often in its time.
const RENEWALS: u32 = 3;

/// After a failure it does not try again before.
const PAUSE: Duration = Duration::from_millis(200);

/// So many are registered again before leases are looked at.
const TURN: usize = 256;

/// When nothing is to be done.
pub(super) const IDLE: Duration = Duration::from_secs(60);

pub(super) fn run(shared: &Shared) {
    let _at_the_end = Ended(shared);
    let mut keeper = Keeper {
        shared,
        renewed: Instant::now(),
        renewed_at: None,
        tried: NOBODY,
        refusal: None,
        old: None,
        watching: Watching::default(),
    };
    while shared.check().is_ok() {
        shared.bell.ring.quiet();
        let pause = keeper.step();
        let fds = [shared.bell.ring.fd(), keeper.old_fd(), keeper.watching.fd()];
        poll_readable(&fds, Deadline::after(pause).poll_ms());
    }
}

/// Tells that the thread has ended, also by a panic.
struct Ended<'a>(&'a Shared);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.keeper_ended.store(true, Ordering::Release);
        self.0.bell.signal.notify();
    }
}

struct Keeper<'a> {
    shared: &'a Shared,
    renewed: Instant,
    /// Where all leases were renewed last.
    renewed_at: Option<Place>,
    /// The one that was registered again last, or was refused: those behind it are next, and then all from the first on.
    tried: RegistrationId,
    /// What was refused since the first one.
    refusal: Option<Error>,
    /// Hears when a registry of 2.2.0 wants everything to be registered again.
    old: Option<(Place, Subscriber)>,
    watching: Watching,
}

impl Keeper<'_> {
    /// Does what is due. Returns how long nothing will be, unless the bell rings.
    fn step(&mut self) -> Duration {
        self.hear_old_registry();
        let kept = self.keep();
        let watched = self.watching.step(self.shared);
        let kept = pause_after(kept, "renew what is registered");
        kept.min(pause_after(watched, "watch what is registered"))
    }

    fn keep(&mut self) -> Result<Duration> {
        let Some(shortest) = self.shortest_lease() else {
            return Ok(IDLE);
        };
        let none_tried = vec![false; self.shared.links.len()];
        let Some(at) = self.shared.choose_now(&none_tried) else {
            // The bell rings when one is connected.
            return Ok(IDLE);
        };
        let place = Place {
            link: at,
            connection: self.shared.links[at].connection(),
        };
        let interval = shortest / RENEWALS;
        let kind = self.shared.links[at].kind();
        let elsewhere = self.registered(NOBODY, |known| known != place, usize::MAX);
        match kind {
            Kind::New(_) => {
                // One that came back, and still knows them, wants to hear no more than that.
                let new_place = self.renewed_at != Some(place) && elsewhere.len() > 1;
                if new_place || self.renewed.elapsed() >= interval {
                    self.renew(place)?;
                }
                self.register_again(place, interval)?;
            }
            Kind::Old if elsewhere.is_empty() => {}
            Kind::Unknown if elsewhere.is_empty() => {
                let link = &self.shared.links[at];
                link.find_out(Deadline::after(link.patience()))
                    .inspect_err(|error| self.failed(place, error))?;
                return Ok(Duration::ZERO);
            }
            // The first one tells who it is that answers; unless it is refused, which does not.
            _ => {
                let link = &self.shared.links[at];
                let next = elsewhere.iter().find(|id| **id > self.tried).unwrap_or(&elsewhere[0]);
                self.tried = *next;
                let registered = self.register(place, *next);
                if registered.is_err() && link.kind() == Kind::Unknown {
                    link.find_out(Deadline::after(link.patience()))?;
                }
                registered?
            }
        }
        if !self.registered(NOBODY, |known| known != place, 1).is_empty() {
            return Ok(Duration::ZERO);
        }
        Ok(match self.shared.links[at].kind() {
            Kind::New(_) => interval.saturating_sub(self.renewed.elapsed()),
            _ => IDLE,
        })
    }

    /// The ids of those that were taken in at a place of this kind, `most` of them, from the first one behind `after` on.
    fn registered(&self, after: RegistrationId, place: impl Fn(Place) -> bool, most: usize) -> Vec<RegistrationId> {
        let registrations = lock(&self.shared.registrations);
        let behind = registrations.range((Bound::Excluded(after), Bound::Unbounded));
        let these = behind.filter(|(_, what)| what.place.is_some_and(&place));
        these.map(|(id, _)| *id).take(most).collect()
    }

    fn shortest_lease(&self) -> Option<Duration> {
        let registrations = lock(&self.shared.registrations);
        let leases = registrations.values().filter(|what| what.place.is_some());
        leases
            .map(|what| what.lease_ms)
            .min()
            .map(|ms| Duration::from_millis(u64::from(ms)))
    }

    /// Renews all leases. What the registry does not know is marked, and what it knows is taken as registered there.
    fn renew(&mut self, place: Place) -> Result<()> {
        let ids = self.registered(NOBODY, |_| true, usize::MAX);
        let link = &self.shared.links[place.link];
        for ids in ids.chunks(LEASES_AT_ONCE) {
            let reply = self
                .shared
                .lease_at(link, ids, false, Deadline::after(link.patience()))
                .inspect_err(|error| self.failed(place, error))?;
            let unknown: std::collections::HashSet<u64> = reply.unknown.into_iter().collect();
            let mut registrations = lock(&self.shared.registrations);
            for id in ids {
                if let Some(what) = registrations.get_mut(id) {
                    what.place = Some(match unknown.contains(id) {
                        true => NOWHERE,
                        false => place,
                    });
                }
            }
        }
        self.renewed = Instant::now();
        self.renewed_at = Some(place);
        Ok(())
    }

    /// Until leases are to be renewed again: those that were just registered, too. What the registry refuses does not keep
    /// the others away, however much that is: it is tried again when all had their turn, and the error says so then.
    fn register_again(&mut self, place: Place, interval: Duration) -> Result<()> {
        let these = self.registered(self.tried, |known| known != place, TURN);
        let are_last = these.len() < TURN;
        let last = these.last().copied();
        for id in these {
            self.tried = id;
            match self.register(place, id) {
                Ok(()) => {}
                Err(error) if matches!(error.status(), Status::Timeout | Status::Closed | Status::Forked) => {
                    return Err(error);
                }
                Err(error) => self.refusal = Some(error),
            }
            if self.renewed.elapsed() >= interval {
                break;
            }
        }
        if !are_last || last.is_some_and(|last| last != self.tried) {
            return Ok(());
        }
        self.tried = NOBODY;
        self.refusal.take().map_or(Ok(()), Err)
    }

    fn register(&mut self, place: Place, id: u64) -> Result<()> {
        self.shared.check()?;
        let Some(what) = lock(&self.shared.registrations).get(&id).cloned() else {
            return Ok(());
        };
        let link = &self.shared.links[place.link];
        let limit = link.patience();
        let there = self
            .shared
            .register_at(place.link, link, id, &what, Deadline::after(limit))
            .inspect_err(|error| self.failed(place, error))?;
        self.shared.current.store(place.link, Ordering::Release);
        let known = match lock(&self.shared.registrations).get_mut(&id) {
            Some(what) => {
                what.place = Some(there);
                true
            }
            None => false,
        };
        // Unregistered meanwhile.
        if !known {
            self.shared.unregister_at(link, id, &what, Deadline::after(limit))?;
        }
        Ok(())
    }

    fn failed(&self, place: Place, error: &Error) {
        if error.status() == Status::Timeout {
            self.shared.move_on_from(place.link);
        }
    }

    fn old_fd(&self) -> i32 {
        self.old
            .as_ref()
            .and_then(|(_, subscriber)| subscriber.fd().ok())
            .unwrap_or(-1)
    }

    /// Whatever is published there means the same.
    fn hear_old_registry(&mut self) {
        let current = self.shared.current.load(Ordering::Acquire);
        let link = &self.shared.links[current];
        let place = Place {
            link: current,
            connection: link.connection(),
        };
        if link.kind() != Kind::Old {
            self.old = None;
            return;
        }
        if self.old.as_ref().is_none_or(|(heard, _)| heard.link != current) {
            let endpoint = match &self.shared.publish_endpoint {
                Some(endpoint) => Ok(endpoint.clone()),
                None => next_to(&link.endpoint),
            };
            let made = endpoint.and_then(|to| Subscriber::new(&to, Filter::All, &self.shared.options));
            match made {
                Ok(subscriber) => self.old = Some((place, subscriber)),
                Err(error) => log_line!(Warning, "registry", "cannot hear a registry of 2.2.0: {error}"),
            }
        }
        let Some((_, subscriber)) = &self.old else { return };
        let mut message = Message::new();
        let mut told = false;
        while subscriber.recv_bytes(&mut message, Deadline::Now).is_ok() {
            told = true;
        }
        if told {
            for what in lock(&self.shared.registrations).values_mut() {
                if what.place.is_some() {
                    what.place = Some(NOWHERE);
                }
            }
        }
    }
}

fn pause_after(outcome: Result<Duration>, what: &str) -> Duration {
    match outcome {
        Ok(pause) => pause,
        Err(error) if matches!(error.status(), Status::Closed | Status::Forked) => Duration::ZERO,
        Err(error) => {
            log_line!(Warning, "registry", "cannot {what}: {error}");
            PAUSE
        }
    }
}

/// No registration has that number.
const NOBODY: RegistrationId = 0;

/// Known to no registry.
const NOWHERE: Place = Place {
    link: usize::MAX,
    connection: 0,
};
