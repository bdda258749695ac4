//! Server and watcher, both without a socket: whatever is lost, delayed or held back, what the watcher knows in the end
//! is what the store holds, and each event on the way was a change of what it knew.

use std::collections::{BTreeMap, VecDeque};

use super::watcher::PAGE_BYTES;
use super::*;
use crate::random_for_tests::Random;
use crate::registry::instance::Instance;
use crate::registry::store::{Capacity, MemoryStore};
use crate::registry::watch::state::WatchState;
use crate::registry::watch::{WatchEvent, WatchEventKind};

type Known = BTreeMap<(String, u64), Instance>;

fn new_store() -> MemoryStore {
    MemoryStore::new(Capacity {
        instances: 1_000_000,
        per_name: 1000,
    })
}

fn route() -> Vec<Vec<u8>> {
    vec![b"peer".to_vec(), Vec::new()]
}

/// A registry, one watcher of it, and the wires between.
struct World {
    store: MemoryStore,
    watchers: Watchers,
    registry: u64,
    state: WatchState,
    asked: bool,
    to_watcher: VecDeque<WatchEvents>,
    seen: Known,
    completed: usize,
    now: Instant,
}

impl World {
    fn new(name: &str, prefix: bool) -> World {
        World {
            store: new_store(),
            watchers: Watchers::new(10, 0),
            registry: 1,
            state: WatchState::new(9, name, prefix),
            asked: false,
            to_watcher: VecDeque::new(),
            seen: Known::new(),
            completed: 0,
            now: Instant::now(),
        }
    }

    fn put(&mut self, name: &str, id: u64, port: u16) {
        let instance = Instance {
            name: name.to_owned(),
            server: "s".to_owned(),
            port,
            id,
            ..Instance::default()
        };
        self.store.put(instance).unwrap();
    }

    fn ask(&mut self, request: WatchRequest) {
        self.watchers
            .request(route(), request, self.registry, self.now)
            .unwrap();
    }

    fn serve(&mut self, most: usize, mut sent: impl FnMut() -> Sent) {
        self.watchers.notice(&self.store);
        let wire = &mut self.to_watcher;
        self.watchers
            .tell(&self.store, self.registry, most, self.now, &mut |_, events| {
                let outcome = sent();
                if let Sent::Yes = outcome {
                    wire.push_back(events.clone());
                }
                outcome
            });
    }

    /// The watcher takes in what came, and asks where it has to.
    fn read(&mut self, most: usize) {
        for _ in 0..most {
            let Some(events) = self.to_watcher.pop_front() else {
                break;
            };
            if self.state.take(events, self.now).unwrap() {
                self.asked = false;
            }
        }
        if !self.asked {
            self.asked = true;
            let request = self.state.resume();
            self.ask(request);
        }
        self.state.doubt(self.now);
        while let Some(event) = self.state.pop() {
            self.apply(event);
        }
    }

    fn apply(&mut self, event: WatchEvent) {
        let WatchEvent { kind, mut instance } = event;
        let key = (instance.name.clone(), instance.id);
        instance.revision = 0;
        match kind {
            WatchEventKind::Put => {
                let before = self.seen.insert(key, instance.clone());
                assert_ne!(before.as_ref(), Some(&instance), "told twice");
            }
            WatchEventKind::Delete => {
                assert!(self.seen.remove(&key).is_some(), "gone, and was not there: {key:?}");
            }
            WatchEventKind::Complete => self.completed += 1,
        }
    }

    /// Everything is delivered, and nothing happens any more.
    fn settle(&mut self) {
        for _ in 0..1000 {
            self.read(usize::MAX);
            let renewal = self.state.renew();
            self.ask(renewal);
            self.serve(usize::MAX, || Sent::Yes);
            if self.to_watcher.is_empty() && !self.watchers.is_ready() {
                return;
            }
        }
        panic!("it never ends");
    }

    fn stored(&self, name: &str, prefix: bool) -> Known {
        let mut all = Known::new();
        self.store.visit_from("", None, &mut |instance| {
            let mut instance = Instance::clone(instance);
            instance.revision = 0;
            if instance.name == name || prefix && instance.name.starts_with(name) {
                all.insert((instance.name.clone(), instance.id), instance);
            }
            true
        });
        all
    }
}

#[test]
fn two_thousand_schedules_with_losses_end_in_what_the_store_holds() {
    let mut random = Random::new(0x9E37_79B9_7F4A_7C15);
    for round in 0..2000 {
        let (name, prefix) = [("a", false), ("a", true), ("", true)][round % 3];
        let mut world = World::new(name, prefix);
        for _ in 0..60 {
            match random.below(12) {
                0..=4 => {
                    let name = ["a", "ab", "b", "a.b"][random.below(4) as usize];
                    let (id, port) = (random.below(4), 1 + random.below(3) as u16);
                    match random.below(3) {
                        0 => drop(world.store.remove(name, id).unwrap()),
                        _ => world.put(name, id, port),
                    }
                }
                5..=6 => {
                    let most = random.below(3) as usize;
                    world.serve(most, || Sent::Yes);
                }
                7..=8 => {
                    let most = random.below(3) as usize;
                    world.read(most);
                }
                // The connection is gone, with what was under way; the watcher hears of it, or notices.
                9 => {
                    world.to_watcher.clear();
                    world.asked = random.below(2) == 0;
                }
                10 => {
                    let renewal = world.state.renew();
                    world.ask(renewal);
                    world.serve(1, || Sent::Full);
                }
                // The registry is another one, which knows some of it.
                _ if random.below(4) == 0 => {
                    world.registry += 1;
                    world.watchers = Watchers::new(10, 0);
                    let old = std::mem::replace(&mut world.store, new_store());
                    old.visit_from("", None, &mut |instance| {
                        if instance.id % 2 == 0 {
                            world.store.put(Instance::clone(instance)).unwrap();
                        }
                        true
                    });
                    world.asked = false;
                }
                _ => world.now += Duration::from_secs(1),
            }
        }
        // Lost at the end: noticed at the latest when it renews after a while.
        world.now += TOLD_EVERY;
        world.settle();
        world.now += Duration::from_secs(10);
        world.settle();
        assert_eq!(world.seen, world.stored(name, prefix), "round {round}");
        assert_eq!(world.completed, 1, "round {round}");
    }
}

#[test]
fn whoever_takes_in_nothing_is_sent_no_more_than_the_window() {
    let mut world = World::new("", true);
    for id in 0..50_000 {
        world.put(&format!("name-{id}"), id, 1);
    }
    world.read(0);
    world.serve(usize::MAX, || Sent::Yes);
    assert_eq!(world.to_watcher.len() as u64, WINDOW);
    let bytes: usize = world.to_watcher.iter().map(prost::Message::encoded_len).sum();
    assert!(bytes < 2 * 16 * PAGE_BYTES, "{bytes}");
    // A lie about what it took in opens no more.
    let mut lie = world.state.renew();
    lie.taken = u64::MAX;
    world.ask(lie);
    world.serve(usize::MAX, || Sent::Yes);
    assert_eq!(world.to_watcher.len() as u64, 2 * WINDOW);
    world.settle();
    assert_eq!(world.seen, world.stored("", true));
}

#[test]
fn many_changes_at_once_come_in_few_messages_and_too_many_as_the_state() {
    let mut world = World::new("a", false);
    world.put("a", 1, 1);
    world.settle();
    for port in 1..1000 {
        world.put("a", 2, port);
        world.put("b", 3, port);
    }
    world.read(0);
    world.serve(usize::MAX, || Sent::Yes);
    assert_eq!(world.to_watcher.len(), 1);
    assert_eq!(world.to_watcher[0].changes.len(), 999);
    world.settle();
    for port in 0..60_000 {
        world.put("a", 2, 1 + port);
    }
    world.serve(usize::MAX, || Sent::Yes);
    assert!(world.to_watcher[0].begins && world.to_watcher[0].complete);
    world.settle();
    assert_eq!(world.seen, world.stored("a", false));
}

#[test]
fn changes_that_a_watcher_does_not_want_cost_it_nothing() {
    let mut world = World::new("a", false);
    world.put("a", 1, 1);
    world.settle();
    for port in 1..60_000 {
        world.put("b", 3, port);
        world.watchers.notice(&world.store);
        assert!(!world.watchers.is_ready());
    }
    // Nor has it to begin anew, although the log does not reach back so far.
    world.put("a", 2, 1);
    world.serve(usize::MAX, || Sent::Yes);
    assert_eq!((world.to_watcher.len(), world.to_watcher[0].changes.len()), (1, 1));
}

#[test]
fn who_is_silent_or_gone_is_forgotten_and_there_are_no_more_than_the_limit() {
    let mut world = World::new("a", false);
    let request = |watch: u64| WatchRequest {
        watch,
        name: "a".to_owned(),
        ..WatchRequest::default()
    };
    for watch in 0..10 {
        world.ask(request(watch));
    }
    let refused = world.watchers.request(route(), request(10), 1, world.now).unwrap_err();
    assert_eq!(refused.status(), Status::Limit);
    // Asking again is no second watch.
    for _ in 0..1000 {
        world.ask(request(3));
    }
    assert_eq!(world.watchers.len(), 10);
    // Nor does anything of those before it stay until its time comes.
    assert_eq!(world.watchers.queue.len(), 10);
    world.now += FORGOTTEN_AFTER - Duration::from_secs(1);
    let renewal = WatchRequest {
        action: Action::Renew.into(),
        ..request(4)
    };
    world.ask(renewal);
    world.now += Duration::from_secs(1);
    world.watchers.expire(world.now);
    assert_eq!(world.watchers.len(), 1);
    world.put("a", 1, 1);
    world.serve(usize::MAX, || Sent::Gone);
    assert_eq!(world.watchers.len(), 0);
    assert!(world.watchers.by_name.is_empty() && world.watchers.numbers.is_empty());
    for (name, route) in [("", route()), ("a\n", route()), ("a", vec![vec![0; 4096]])] {
        let request = WatchRequest {
            name: name.to_owned(),
            ..request(1)
        };
        assert!(world.watchers.request(route, request, 1, world.now).is_err());
    }
}

#[test]
fn an_instance_that_another_registry_does_not_know_yet_is_gone_only_after_a_while() {
    let mut world = World::new("a", false);
    world.put("a", 1, 1);
    world.put("a", 2, 1);
    world.settle();
    world.registry = 2;
    world.store = new_store();
    world.watchers = Watchers::new(10, 0);
    world.asked = false;
    world.settle();
    assert_eq!(world.seen.len(), 2);
    world.now += Duration::from_secs(1);
    world.put("a", 1, 1);
    world.settle();
    assert_eq!(world.seen.len(), 2);
    world.now += Duration::from_secs(3);
    world.settle();
    assert_eq!(world.seen.keys().map(|key| key.1).collect::<Vec<u64>>(), [1]);
}
