//! Who watches what, and what each is still to be told. No socket, no clock: what is to be sent goes to a function.
//!
//! A watcher is told the state, page by page, and then the changes behind it, from the store's log. It says how many
//! messages it has taken in, and is sent no more than a few beyond that: so one that reads nothing costs nothing, and
//! holds up nobody. Where the log does not reach back to what it has seen, the state is told to it again.

mod watcher;

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use crate::error::{Error, Result, Status};
use crate::proto::v1::{watch_request::Action, WatchEvents, WatchRequest};
use crate::registry::instance::check_name;
use crate::registry::store::Store;
use crate::registry::LONGEST_NAME;

use watcher::{Telling, Watcher};

/// Messages that may be under way to one watcher.
pub(super) const WINDOW: u64 = 16;

/// A watcher that is silent for so long is forgotten.
pub(super) const FORGOTTEN_AFTER: Duration = Duration::from_secs(30);

/// Who renews a watch of which nothing was told for so long is told the revision, so that it notices what it missed.
const TOLD_EVERY: Duration = Duration::from_secs(1);

/// A way back takes more bytes only where somebody means harm.
const LONGEST_ROUTE: usize = 4096;

/// A way back, and a watch of the one at its end.
type Key = (Vec<Vec<u8>>, u64);

/// What became of a message.
pub(super) enum Sent {
    Yes,
    /// There is no room for it now.
    Full,
    /// Nobody is at the end of the way any more.
    Gone,
}

#[derive(Default)]
pub(super) struct Watchers {
    numbers: HashMap<Key, u64>,
    watchers: HashMap<u64, Watcher>,
    last_number: u64,
    /// Who watches a name, and who watches names that begin so.
    by_name: HashMap<String, BTreeSet<u64>>,
    by_prefix: HashMap<String, BTreeSet<u64>>,
    /// Those that are due and may be sent something.
    ready: BTreeSet<u64>,
    /// When each is looked at whether it is still there: no later than that it is forgotten.
    queue: BTreeSet<(Instant, u64)>,
    /// Changes up to this one were passed on to those who watch.
    passed_on: u64,
    most: usize,
}

impl Watchers {
    pub fn new(most: usize, revision: u64) -> Watchers {
        Watchers {
            most,
            passed_on: revision,
            ..Watchers::default()
        }
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.watchers.len()
    }

    /// Whether somebody could be told something now.
    pub fn is_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    pub fn next(&self) -> Option<Instant> {
        self.queue.first().map(|(at, _)| *at)
    }

    /// Takes in a request. What is to be told follows with `tell`. An error goes to the asker as a refusal.
    pub fn request(&mut self, route: Vec<Vec<u8>>, request: WatchRequest, registry: u64, now: Instant) -> Result<()> {
        let action = Action::try_from(request.action).unwrap_or(Action::Begin);
        let key = (route, request.watch);
        let known = self.numbers.get(&key).copied();
        match (action, known) {
            (Action::End, known) => {
                if let Some(number) = known {
                    self.forget(number);
                }
                return Ok(());
            }
            (Action::Renew, Some(number)) => {
                if let Some(watcher) = self.watchers.get_mut(&number) {
                    watcher.taken = request.taken.clamp(watcher.taken, watcher.sent);
                    watcher.forgotten_at = now + FORGOTTEN_AFTER;
                    watcher.due |= now.saturating_duration_since(watcher.told_at) >= TOLD_EVERY;
                    let ready = watcher.is_ready();
                    self.set_ready(number, ready);
                }
                return Ok(());
            }
            (_, Some(number)) => self.forget(number),
            (_, None) => {}
        }
        if !(request.prefix && request.name.is_empty()) {
            check_name(&request.name)?;
        }
        if key.0.iter().map(|frame| frame.len() + 1).sum::<usize>() > LONGEST_ROUTE {
            return Err(Error::new(Status::Limit, "the way back is too long"));
        }
        if self.watchers.len() >= self.most {
            let text = format!("the registry serves its {} watches already", self.most);
            return Err(Error::new(Status::Limit, text));
        }
        let seen = match action {
            Action::Resume | Action::Renew if request.registry == registry => request.revision,
            _ => 0,
        };
        let sent = match action {
            // Beyond any watch's life; it has to stay countable.
            Action::Renew => request.taken.min(u64::MAX / 2),
            _ => 0,
        };
        self.add(key, request, seen, sent, now);
        Ok(())
    }

    fn add(&mut self, key: Key, request: WatchRequest, seen: u64, sent: u64, now: Instant) {
        self.last_number += 1;
        let number = self.last_number;
        let watcher = Watcher {
            key: key.clone(),
            name: request.name,
            prefix: request.prefix,
            told: seen,
            telling: (seen == 0).then(Telling::anew),
            question: request.question,
            sent,
            taken: sent,
            due: true,
            told_at: now,
            forgotten_at: now + FORGOTTEN_AFTER,
            queued: now + FORGOTTEN_AFTER,
        };
        let index = match watcher.prefix {
            true => &mut self.by_prefix,
            false => &mut self.by_name,
        };
        index.entry(watcher.name.clone()).or_default().insert(number);
        self.queue.insert((watcher.queued, number));
        self.numbers.insert(key, number);
        self.watchers.insert(number, watcher);
        self.ready.insert(number);
    }

    fn forget(&mut self, number: u64) {
        let Some(watcher) = self.watchers.remove(&number) else {
            return;
        };
        self.numbers.remove(&watcher.key);
        self.ready.remove(&number);
        self.queue.remove(&(watcher.queued, number));
        let index = match watcher.prefix {
            true => &mut self.by_prefix,
            false => &mut self.by_name,
        };
        if let Some(those) = index.get_mut(&watcher.name) {
            those.remove(&number);
            if those.is_empty() {
                index.remove(&watcher.name);
            }
        }
    }

    fn set_ready(&mut self, number: u64, ready: bool) {
        match ready {
            true => self.ready.insert(number),
            false => self.ready.remove(&number),
        };
    }

    /// Forgets those of whom nothing was heard.
    pub fn expire(&mut self, now: Instant) {
        while let Some(&(at, number)) = self.queue.first().filter(|(at, _)| *at <= now) {
            self.queue.remove(&(at, number));
            let Some(watcher) = self.watchers.get_mut(&number) else {
                continue;
            };
            if watcher.forgotten_at > now {
                watcher.queued = watcher.forgotten_at;
                self.queue.insert((watcher.queued, number));
            } else {
                self.forget(number);
            }
        }
    }

    /// Looks at what changed: who watches it is due.
    pub fn notice(&mut self, store: &dyn Store) {
        let last = store.revision();
        if last == self.passed_on {
            return;
        }
        if self.watchers.is_empty() {
            self.passed_on = last;
            return;
        }
        let mut due: Vec<(u64, u64)> = Vec::new();
        let (by_name, by_prefix) = (&self.by_name, &self.by_prefix);
        let known = store.changes_after(self.passed_on, &mut |change| {
            let (name, revision) = (change.instance.name.as_str(), change.instance.revision);
            let mut add =
                |those: Option<&BTreeSet<u64>>| due.extend(those.into_iter().flatten().map(|n| (*n, revision)));
            add(by_name.get(name));
            if !by_prefix.is_empty() {
                (0..=name.len().min(LONGEST_NAME))
                    .filter(|at| name.is_char_boundary(*at))
                    .for_each(|at| add(by_prefix.get(&name[..at])));
            }
            true
        });
        if !known {
            // Too much at once: everybody looks for himself.
            due = self.watchers.keys().map(|number| (*number, 0)).collect();
        }
        for (number, revision) in due {
            let Some(watcher) = self.watchers.get_mut(&number) else {
                continue;
            };
            // There was nothing for it up to here: it need not be looked for again.
            if !watcher.due && watcher.telling.is_none() && revision > 0 {
                watcher.told = watcher.told.max(revision - 1);
            }
            watcher.due = true;
            let ready = watcher.is_ready();
            self.set_ready(number, ready);
        }
        self.passed_on = last;
    }

    /// Sends what is due, `most` messages of it.
    pub fn tell(
        &mut self,
        store: &dyn Store,
        registry: u64,
        most: usize,
        now: Instant,
        send: &mut dyn FnMut(&[Vec<u8>], &WatchEvents) -> Sent,
    ) {
        let mut from = 0;
        for _ in 0..most {
            // In turns.
            let next = self.ready.range(from..).next().or(self.ready.iter().next());
            let Some(number) = next.copied() else { return };
            let Some(watcher) = self.watchers.get_mut(&number) else {
                self.ready.remove(&number);
                continue;
            };
            from = number + 1;
            let (events, then) = watcher.next_message(store, registry);
            match send(&watcher.key.0, &events) {
                Sent::Yes => {
                    watcher.went_on(then, now);
                    let ready = watcher.is_ready();
                    self.set_ready(number, ready);
                }
                Sent::Full => {
                    // It is ready again when it says that it has taken something in.
                    self.ready.remove(&number);
                }
                Sent::Gone => self.forget(number),
            }
        }
    }
}

#[cfg(test)]
mod tests;
