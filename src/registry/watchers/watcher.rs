//! One watcher: what it was told, and the next message to it.

use std::time::Instant;

use super::{Key, WINDOW};
use crate::proto::v1::{Change, WatchEvents};
use crate::registry::store::Store;

/// A message tells of about so many bytes.
pub(super) const PAGE_BYTES: usize = 64 * 1024;

pub(super) struct Watcher {
    pub key: Key,
    pub name: String,
    pub prefix: bool,
    /// Everything up to this change was told.
    pub told: u64,
    /// Where the telling of the state stands.
    pub telling: Option<Telling>,
    pub question: u64,
    pub sent: u64,
    pub taken: u64,
    /// There is something to tell, or it is to be told that there is nothing.
    pub due: bool,
    pub told_at: Instant,
    pub forgotten_at: Instant,
    /// Where it stands in the queue: no later than that.
    pub queued: Instant,
}

/// The state is told as it is while it is told; what changes meanwhile is told afterwards, once more.
pub(super) struct Telling {
    since: u64,
    begun: bool,
    after: Option<(String, u64)>,
}

impl Telling {
    /// From the first one on.
    pub fn anew() -> Telling {
        Telling {
            since: 0,
            begun: false,
            after: None,
        }
    }
}

/// Where a watcher stands once a message was sent.
pub(super) struct Then {
    told: u64,
    telling: Option<Telling>,
    due: bool,
}

impl Watcher {
    pub fn is_ready(&self) -> bool {
        self.due && self.sent - self.taken < WINDOW
    }

    fn wants(&self, name: &str) -> bool {
        match self.prefix {
            true => name.starts_with(&self.name),
            false => name == self.name,
        }
    }

    pub fn went_on(&mut self, then: Then, now: Instant) {
        self.told = then.told;
        self.telling = then.telling;
        self.due = then.due;
        self.sent += 1;
        self.told_at = now;
    }

    pub fn next_message(&self, store: &dyn Store, registry: u64) -> (WatchEvents, Then) {
        let mut events = WatchEvents {
            watch: self.key.1,
            registry,
            number: self.sent,
            question: self.question,
            ..WatchEvents::default()
        };
        let then = match &self.telling {
            Some(telling) => self.tell_state(store, &mut events, telling),
            None => match self.tell_changes(store, &mut events) {
                Some(then) => then,
                None => {
                    events.changes.clear();
                    self.tell_state(store, &mut events, &Telling::anew())
                }
            },
        };
        events.revision = match then.telling {
            Some(_) => 0,
            None => then.told,
        };
        (events, then)
    }

    fn tell_state(&self, store: &dyn Store, events: &mut WatchEvents, telling: &Telling) -> Then {
        let since = match telling.begun {
            true => telling.since,
            false => store.revision(),
        };
        events.begins = !telling.begun;
        let mut bytes = 0;
        let mut more = false;
        let mut last = None;
        let (from, after) = match &telling.after {
            Some((name, id)) => (name.as_str(), Some(*id)),
            None => (self.name.as_str(), None),
        };
        store.visit_from(from, after, &mut |instance| {
            if !self.wants(&instance.name) {
                return false;
            }
            more = bytes > PAGE_BYTES;
            if !more {
                bytes += instance.weight();
                last = Some((instance.name.clone(), instance.id));
                events.state.push(instance.to_proto());
            }
            !more
        });
        events.complete = !more;
        let telling = more.then_some(Telling {
            since,
            begun: true,
            after: last,
        });
        Then {
            told: since,
            due: more || store.revision() > since,
            telling,
        }
    }

    /// None where the changes are not known any more.
    fn tell_changes(&self, store: &dyn Store, events: &mut WatchEvents) -> Option<Then> {
        let mut bytes = 0;
        let mut told = self.told;
        let mut more = false;
        let known = store.changes_after(self.told, &mut |change| {
            if self.wants(&change.instance.name) {
                more = bytes > PAGE_BYTES;
                if more {
                    return false;
                }
                bytes += change.instance.weight();
                events.changes.push(Change {
                    gone: change.gone,
                    instance: Some(change.instance.to_proto()),
                });
            }
            told = change.instance.revision;
            true
        });
        known.then_some(Then {
            told,
            telling: None,
            due: more,
        })
    }
}
