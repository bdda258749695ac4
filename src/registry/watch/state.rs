//! What a watcher knows, and what it makes of what it is told. No socket, no clock.
//!
//! Messages are numbered: a missing one is noticed, and made good by asking again behind what was seen, or by the
//! state, told anew; what comes of that is the difference only. Where another registry answers, or the same one after
//! a new start, instances that it does not know yet are not gone at once: their services are about to register again.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use crate::error::{Error, Result, Status};
use crate::proto::v1::{watch_request::Action, Instance as Told, WatchEvents, WatchRequest};
use crate::registry::instance::Instance;
use crate::registry::watch::{WatchEvent, WatchEventKind};

/// A registry that was started anew has its services again within two seconds.
pub(super) const GRACE: Duration = Duration::from_secs(3);

type Key = (String, u64);

/// What one watch knows.
pub(in crate::registry) struct WatchState {
    watch: u64,
    name: String,
    prefix: bool,
    known: BTreeMap<Key, Instance>,
    registry: u64,
    revision: u64,
    /// How often it asked, and the number of the next message of the answer.
    question: u64,
    expected: u64,
    /// The state is being told: what was told so far.
    telling: Option<BTreeSet<Key>>,
    /// The state is being told by another registry than the one before.
    moved: bool,
    completed: bool,
    /// Unknown to the registry of now, and gone at this time unless it hears of them.
    doubtful: BTreeMap<Key, Instant>,
    events: VecDeque<WatchEvent>,
}

impl WatchState {
    pub fn new(watch: u64, name: &str, prefix: bool) -> WatchState {
        WatchState {
            watch,
            name: name.to_owned(),
            prefix,
            known: BTreeMap::new(),
            registry: 0,
            revision: 0,
            question: 0,
            expected: 0,
            telling: None,
            moved: false,
            completed: false,
            doubtful: BTreeMap::new(),
            events: VecDeque::new(),
        }
    }

    /// The question that goes on behind what was seen.
    pub fn resume(&mut self) -> WatchRequest {
        self.question += 1;
        self.expected = 0;
        self.telling = None;
        self.request(Action::Resume)
    }

    /// Says that it is still there, and what it has taken in.
    pub fn renew(&self) -> WatchRequest {
        self.request(Action::Renew)
    }

    pub fn end(&self) -> WatchRequest {
        self.request(Action::End)
    }

    fn request(&self, action: Action) -> WatchRequest {
        WatchRequest {
            watch: self.watch,
            name: self.name.clone(),
            prefix: self.prefix,
            action: action.into(),
            registry: self.registry,
            revision: self.revision,
            taken: self.expected,
            question: self.question,
        }
    }

    /// Whether a registry has answered.
    pub fn has_begun(&self) -> bool {
        self.registry != 0
    }

    /// How many messages it has taken in since it asked.
    pub fn taken(&self) -> u64 {
        self.expected
    }

    /// Takes a message in. True where something is missing before it: `resume` is to be sent. An error ends the watch.
    pub fn take(&mut self, told: WatchEvents, now: Instant) -> Result<bool> {
        if let Some(refused) = told.refused {
            let status = Status::from_code(refused.code).filter(|status| *status != Status::Ok);
            return Err(Error::new(status.unwrap_or(Status::Remote), refused.text));
        }
        // Before the answer comes what was under way for the question before.
        if told.question != self.question {
            return Ok(false);
        }
        if told.number != self.expected {
            return Ok(true);
        }
        if !told.begins && (self.registry != told.registry || (told.number == 0 && self.revision == 0)) {
            // It cannot be: whoever is there tells from the beginning.
            return Ok(true);
        }
        self.expected += 1;
        if told.begins {
            self.telling = Some(BTreeSet::new());
            if self.registry != 0 && self.registry != told.registry {
                self.moved = true;
                // Numbers of another registry say nothing here.
                self.revision = 0;
                self.known.values_mut().for_each(|instance| instance.revision = 0);
            }
            self.registry = told.registry;
        }
        for instance in told.state {
            self.is_there(instance)?;
        }
        if told.complete {
            self.complete(told.revision, now);
        }
        for change in told.changes {
            // What was seen before is told again behind the answer to a second question.
            let Some(instance) = change.instance.filter(|instance| instance.revision > self.revision) else {
                continue;
            };
            match change.gone {
                true => self.is_gone(instance),
                false => self.is_there(instance)?,
            }
        }
        self.revision = self.revision.max(told.revision);
        Ok(false)
    }

    fn is_there(&mut self, told: Told) -> Result<()> {
        let instance = Instance::from_proto(told)?;
        let key = (instance.name.clone(), instance.id);
        if let Some(telling) = &mut self.telling {
            telling.insert(key.clone());
        }
        self.doubtful.remove(&key);
        match self.known.get_mut(&key) {
            // Told again: the state is told as it is, and the changes up to there as well.
            Some(known) if known.revision >= instance.revision => {}
            Some(known) if known.says_the_same_as(&instance) => known.revision = instance.revision,
            _ => {
                self.known.insert(key, instance.clone());
                self.event(WatchEventKind::Put, instance);
            }
        }
        Ok(())
    }

    fn is_gone(&mut self, told: Told) {
        let key = (told.name, told.instance);
        if self.known.get(&key).is_some_and(|known| known.revision < told.revision) {
            self.remove(&key, told.revision);
        }
    }

    fn remove(&mut self, key: &Key, revision: u64) {
        self.doubtful.remove(key);
        if let Some(mut known) = self.known.remove(key) {
            known.revision = revision;
            self.event(WatchEventKind::Delete, known);
        }
    }

    fn complete(&mut self, revision: u64, now: Instant) {
        let told = self.telling.take().unwrap_or_default();
        let missing: Vec<Key> = self.known.keys().filter(|key| !told.contains(*key)).cloned().collect();
        for key in missing {
            if self.moved {
                self.doubtful.entry(key).or_insert(now + GRACE);
            } else if !self.doubtful.contains_key(&key) {
                self.remove(&key, revision);
            }
        }
        self.moved = false;
        if !self.completed {
            self.completed = true;
            let marker = Instance {
                revision,
                ..Instance::default()
            };
            self.event(WatchEventKind::Complete, marker);
        }
    }

    /// Those that did not come back are gone.
    pub fn doubt(&mut self, now: Instant) {
        let over: Vec<Key> = self
            .doubtful
            .iter()
            .filter(|(_, at)| **at <= now)
            .map(|(key, _)| key.clone())
            .collect();
        for key in over {
            self.remove(&key, self.revision);
        }
    }

    /// When to call `doubt`.
    pub fn next(&self) -> Option<Instant> {
        self.doubtful.values().min().copied()
    }

    fn event(&mut self, kind: WatchEventKind, instance: Instance) {
        self.events.push_back(WatchEvent { kind, instance });
    }

    pub fn pop(&mut self) -> Option<WatchEvent> {
        self.events.pop_front()
    }

    /// Events that nobody has taken yet.
    pub fn waiting(&self) -> usize {
        self.events.len()
    }
}
