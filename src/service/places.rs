//! The instances that a service client knows, and a connection to each.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use crate::connection::endpoint::Endpoint;
use crate::connection::linux::EventFd;
use crate::connection::log::log_line;
use crate::connection::options::Options;
use crate::connection::peers::Signal;
use crate::connection::process::lock;
use crate::connection::resolve;
use crate::error::{Error, Result};
use crate::messaging::request::Request;
use crate::registry::instance::Instance;

/// So long one that did not answer in time is asked only where there is no other.
const PROBATION: Duration = Duration::from_secs(1);
/// So long until a connection is tried again that could not be made, or was lost at once: doubled with each failure.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// One that lasts so long is no failure.
const STEADY: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(4);

/// One connection to one instance. After the connection was lost, another one takes its place.
pub(super) struct Place {
    /// Never used again.
    pub number: u64,
    pub endpoint: String,
    pub request: Request,
    made: Instant,
    /// The thread of started calls waits for its replies.
    pub collected: AtomicBool,
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
    /// None until its connection was made.
    place: Option<Arc<Place>>,
    /// How often in a row no connection could be made, or was lost at once; and when it is tried again.
    failures: u32,
    due: Instant,
    /// Its host is a name that the system has to be asked for, which may take long.
    by_name: bool,
}

impl Known {
    fn failed(&mut self, now: Instant) {
        let pause = FIRST_PAUSE.saturating_mul(1 << self.failures.min(8));
        self.failures += 1;
        self.due = now + pause.min(LONGEST_PAUSE);
    }

    fn is_due(&self, now: Instant) -> bool {
        self.place.is_none() && self.due <= now
    }
}

/// What is to be connected to; with no lock held, as a name may have to be looked up.
pub(super) struct Task {
    instance: Instance,
    number: u64,
}

/// What connections are made with, and what hears of their changes.
pub(super) struct Dialer {
    pub options: Options,
    pub changed: Arc<Signal>,
    pub ring: Arc<EventFd>,
}

impl Dialer {
    pub fn connect(&self, task: &Task) -> Result<Arc<Place>> {
        let endpoint = task.instance.endpoint();
        let request = Request::telling(&format!(">{endpoint}"), &self.options, &self.changed, Some(&self.ring))?;
        Ok(Arc::new(Place {
            number: task.number,
            endpoint,
            request,
            made: Instant::now(),
            collected: AtomicBool::new(false),
            slow: Mutex::new(None),
        }))
    }
}

/// What is known of the instances.
#[derive(Default)]
pub(super) struct Places {
    known: BTreeMap<u64, Known>,
    /// No call begins there any more; those under way go on while the connection lives.
    leaving: Vec<Weak<Place>>,
    next_number: u64,
    turn: AtomicU64,
}

/// What there is for a call.
pub(super) enum Choice {
    Take(Arc<Place>),
    /// All that could be asked were.
    Exhausted,
    /// None is connected.
    NotConnected,
    /// All that were not asked yet refuse us: waiting would not help.
    Refused(Error),
    /// There is no instance.
    Nobody,
}

impl Places {
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
        // Another connection takes the place of one that was lost.
        let has_answered = |place: &Arc<Place>| place.request.is_up() && tried.contains(&place.number);
        let count = self.places().filter(ready).count();
        if count == 0 {
            let choice = match self.known.is_empty() {
                true => Choice::Nobody,
                false
                    if self
                        .known
                        .values()
                        .all(|known| known.place.as_ref().is_some_and(&has_answered)) =>
                {
                    Choice::Exhausted
                }
                false => self.refused(tried).map_or(Choice::NotConnected, Choice::Refused),
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

    /// The reason, where all that were not `tried` refuse us.
    pub fn refused(&self, tried: &[u64]) -> Option<Error> {
        let mut first = None;
        for known in self.known.values() {
            let place = known.place.as_ref()?;
            if tried.contains(&place.number) {
                continue;
            }
            let refused = place.request.refused()?;
            first.get_or_insert_with(|| refused.context(&known.instance.name));
        }
        first
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
        let parsed = Endpoint::parse(&format!(">{}", instance.endpoint()));
        let known = Known {
            by_name: parsed.is_ok_and(|endpoint| resolve::is_looked_up(&endpoint)),
            instance,
            place: None,
            failures: 0,
            due: Instant::now(),
        };
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

    /// Gives back those whose connection was lost: another one is to take the place of each.
    pub fn lost(&mut self) -> Vec<Arc<Place>> {
        let has_lost = |place: &mut Arc<Place>| place.request.has_lost();
        let now = Instant::now();
        let mut lost = Vec::new();
        for known in self.known.values_mut() {
            if let Some(place) = known.place.take_if(has_lost) {
                match place.made.elapsed() < STEADY {
                    true => known.failed(now),
                    false => (known.failures, known.due) = (0, now),
                }
                lost.push(place);
            }
        }
        self.leaving.retain(|place| match place.upgrade() {
            Some(gone) if gone.request.has_lost() => {
                lost.push(gone);
                false
            }
            Some(_) => true,
            None => false,
        });
        lost
    }

    /// What to connect to now, of those whose host is a name or of the others: those that failed least first.
    pub fn tasks(&mut self, by_name: bool) -> Vec<Task> {
        let now = Instant::now();
        let due = self.known.values().filter(|k| k.by_name == by_name && k.is_due(now));
        let mut due: Vec<&Known> = due.collect();
        due.sort_by_key(|known| known.failures);
        let numbers = self.next_number + 1..;
        let tasks: Vec<Task> = due
            .into_iter()
            .zip(numbers)
            .map(|(known, number)| Task {
                instance: known.instance.clone(),
                number,
            })
            .collect();
        self.next_number += tasks.len() as u64;
        tasks
    }

    pub fn has_task(&self, by_name: bool) -> bool {
        let now = Instant::now();
        self.known
            .values()
            .any(|known| known.by_name == by_name && known.is_due(now))
    }

    /// Nobody can connect to hosts with a name for now.
    pub fn put_off_names(&mut self) {
        let later = Instant::now() + FIRST_PAUSE;
        let missing = |known: &&mut Known| known.by_name && known.place.is_none();
        self.known
            .values_mut()
            .filter(missing)
            .for_each(|known| known.due = later);
    }

    /// When the next connection is to be made, where one is; of those by name none that is due already, as another
    /// thread is at it.
    pub fn next_task_at(&self) -> Option<Instant> {
        let now = Instant::now();
        let missing = self.known.values().filter(|known| known.place.is_none());
        let own = missing.filter(|known| !known.by_name || known.due > now);
        own.map(|known| known.due).min()
    }

    /// Takes in a connection, or that it could not be made. Gives it back where nobody wants it any more.
    pub fn connected(&mut self, task: &Task, made: Result<Arc<Place>>) -> Option<Arc<Place>> {
        let wants = |known: &&mut Known| known.place.is_none() && known.instance.endpoint() == task.instance.endpoint();
        let known = self.known.get_mut(&task.instance.id).filter(wants);
        match (known, made) {
            (Some(known), Ok(place)) => {
                known.place = Some(place);
                None
            }
            (Some(known), Err(error)) => {
                known.failed(Instant::now());
                let (name, endpoint) = (&task.instance.name, task.instance.endpoint());
                log_line!(Warning, "service", "cannot connect to '{name}' at {endpoint}: {error}");
                None
            }
            (None, made) => made.ok(),
        }
    }

    pub fn clear(&mut self) -> Vec<Arc<Place>> {
        let known = std::mem::take(&mut self.known);
        let leaving = std::mem::take(&mut self.leaving);
        let places = known.into_values().filter_map(|known| known.place);
        places.chain(leaving.iter().filter_map(Weak::upgrade)).collect()
    }
}
