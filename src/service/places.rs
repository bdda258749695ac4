//! The instances that a service client knows, and a connection to each.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use crate::connection::linux::EventFd;
use crate::connection::log::log_line;
use crate::connection::options::Options;
use crate::connection::peers::Signal;
use crate::connection::process::lock;
use crate::error::Result;
use crate::messaging::request::Request;
use crate::registry::instance::Instance;

/// So long one that did not answer in time is asked only where there is no other.
const PROBATION: Duration = Duration::from_secs(1);

/// One connection to one instance. After the connection was lost, another one takes its place.
pub(super) struct Place {
    /// Never used again.
    pub number: u64,
    pub endpoint: String,
    pub request: Request,
    /// When it did not answer in time.
    slow: Mutex<Option<Instant>>,
}

impl Place {
    pub fn was_slow(&self) {
        *lock(&self.slow) = Some(Instant::now());
    }

    pub fn answered(&self) {
        *lock(&self.slow) = None;
    }

    fn is_slow(&self) -> bool {
        lock(&self.slow).is_some_and(|at| at.elapsed() < PROBATION)
    }
}

struct Known {
    instance: Instance,
    /// None where no connection could be made: it is tried again.
    place: Option<Arc<Place>>,
}

/// What is known of the instances.
pub(super) struct Places {
    known: BTreeMap<u64, Known>,
    /// No call begins there any more; those under way go on while the connection lives.
    leaving: Vec<Weak<Place>>,
    next_number: u64,
    turn: AtomicU64,
    options: Options,
    pub changed: Arc<Signal>,
    pub ring: Arc<EventFd>,
}

/// What there is for a call.
pub(super) enum Choice {
    Take(Arc<Place>),
    /// All that could be asked were.
    Exhausted,
    /// None is connected.
    NotConnected,
    /// There is no instance.
    Nobody,
}

impl Places {
    pub fn new(options: &Options) -> Result<Places> {
        Ok(Places {
            known: BTreeMap::new(),
            leaving: Vec::new(),
            next_number: 0,
            turn: AtomicU64::new(0),
            options: options.clone(),
            changed: Arc::default(),
            ring: Arc::new(EventFd::new()?),
        })
    }

    pub fn instances(&self) -> Vec<Instance> {
        self.known.values().map(|known| known.instance.clone()).collect()
    }

    pub fn is_any_up(&self) -> bool {
        self.places().any(|place| place.request.is_up())
    }

    fn places(&self) -> impl Iterator<Item = &Arc<Place>> {
        self.known.values().filter_map(|known| known.place.as_ref())
    }

    /// The next one in turn that was not tried; how many others are left after it.
    pub fn choose(&self, tried: &[u64]) -> (Choice, usize) {
        let untried = |place: &&Arc<Place>| !tried.contains(&place.number);
        let ready = |place: &&Arc<Place>| place.request.is_up() && untried(place);
        let count = self.places().filter(ready).count();
        if count == 0 {
            let choice = match self.known.is_empty() {
                true => Choice::Nobody,
                false
                    if self
                        .known
                        .values()
                        .all(|known| known.place.as_ref().is_some_and(|p| !untried(&p))) =>
                {
                    Choice::Exhausted
                }
                false => Choice::NotConnected,
            };
            return (choice, 0);
        }
        let turn = (self.turn.fetch_add(1, Ordering::Relaxed) % count as u64) as usize;
        let behind = || self.places().filter(ready).skip(turn);
        let in_turn = || behind().chain(self.places().filter(ready).take(turn));
        let place = in_turn().find(|place| !place.is_slow()).or_else(|| in_turn().next());
        match place {
            Some(place) => (Choice::Take(Arc::clone(place)), count - 1),
            // All of them went down meanwhile.
            None => (Choice::NotConnected, 0),
        }
    }

    /// It is there, maybe elsewhere than before. What goes is given back, to be dropped without a lock.
    pub fn put(&mut self, instance: Instance) -> Option<Arc<Place>> {
        if let Some(known) = self.known.get_mut(&instance.id) {
            let moved = known.instance.endpoint() != instance.endpoint();
            known.instance = instance.clone();
            if !moved {
                return None;
            }
        }
        let place = self.connect(&instance);
        let known = Known { place, instance };
        let before = self.known.insert(known.instance.id, known)?;
        self.leave(before)
    }

    /// It is gone from the registry. Calls that wait for it go on while its connection lives: it may finish what it has.
    pub fn delete(&mut self, id: u64) -> Option<Arc<Place>> {
        let known = self.known.remove(&id)?;
        self.leave(known)
    }

    fn leave(&mut self, known: Known) -> Option<Arc<Place>> {
        let place = known.place?;
        self.leaving.retain(|place| place.strong_count() > 0);
        self.leaving.push(Arc::downgrade(&place));
        Some(place)
    }

    /// Takes all that were not told of since `seen`.
    pub fn keep_only(&mut self, seen: &[u64]) -> Vec<Arc<Place>> {
        let gone: Vec<u64> = self.known.keys().copied().filter(|id| !seen.contains(id)).collect();
        gone.into_iter().filter_map(|id| self.delete(id)).collect()
    }

    /// Connects anew where the connection was lost, or could not be made. Gives back those that were lost.
    pub fn renew(&mut self) -> Vec<Arc<Place>> {
        let stale = |known: &Known| known.place.as_ref().is_none_or(|place| place.request.has_lost());
        let ids: Vec<u64> = self.known.iter().filter(|(_, k)| stale(k)).map(|(id, _)| *id).collect();
        let (mut lost, mut leaving) = (Vec::new(), Vec::new());
        for place in std::mem::take(&mut self.leaving) {
            match place.upgrade() {
                Some(gone) if gone.request.has_lost() => lost.push(gone),
                Some(_) => leaving.push(place),
                None => {}
            }
        }
        self.leaving = leaving;
        for id in ids {
            let Some(instance) = self.known.get(&id).map(|known| known.instance.clone()) else {
                continue;
            };
            let place = self.connect(&instance);
            if let Some(known) = self.known.get_mut(&id) {
                lost.extend(std::mem::replace(&mut known.place, place));
            }
        }
        lost
    }

    /// Whether one is without a connection that could not be made.
    pub fn lacks_one(&self) -> bool {
        self.known.values().any(|known| known.place.is_none())
    }

    pub fn clear(&mut self) -> Vec<Arc<Place>> {
        let known = std::mem::take(&mut self.known);
        let leaving = std::mem::take(&mut self.leaving);
        let places = known.into_values().filter_map(|known| known.place);
        places.chain(leaving.iter().filter_map(Weak::upgrade)).collect()
    }

    fn connect(&mut self, instance: &Instance) -> Option<Arc<Place>> {
        self.next_number += 1;
        let endpoint = instance.endpoint();
        match Request::telling(&format!(">{endpoint}"), &self.options, &self.changed, Some(&self.ring)) {
            Ok(request) => Some(Arc::new(Place {
                number: self.next_number,
                endpoint,
                request,
                slow: Mutex::new(None),
            })),
            Err(error) => {
                log_line!(
                    Warning,
                    "service",
                    "cannot connect to '{}' at {endpoint}: {error}",
                    instance.name
                );
                None
            }
        }
    }
}
