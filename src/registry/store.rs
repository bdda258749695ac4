//! Where a registry keeps what is registered: behind one small trait, in memory unless another one is given.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

use crate::error::{Error, Result, Status};
use crate::registry::instance::Instance;

/// One change, with its number.
#[derive(Clone, Debug)]
pub struct Change {
    /// The instance is gone; else it is new, or another than before.
    pub gone: bool,
    /// The instance; its revision is the number of this change.
    pub instance: Arc<Instance>,
}

/// Keeps instances in the order of (name, id), and numbers the changes. Used by one thread at a time.
///
/// The registry asks for `changes_after` now and then, and so hears of changes that others made to a store that
/// several registries share.
pub trait Store: Send {
    /// Number of the last change; 0 before the first.
    fn revision(&self) -> u64;

    /// How many instances there are.
    fn len(&self) -> usize;

    /// Whether there is none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes an instance in, in place of the one of the same name and id, and gives it its revision. One that says
    /// the same as before is no change. LIMIT where there is no room.
    fn put(&mut self, instance: Instance) -> Result<()>;

    /// Takes one out. False where it is not there.
    fn remove(&mut self, name: &str, id: u64) -> Result<bool>;

    /// Those of one name, in the order of their ids.
    fn instances(&self, name: &str) -> &[Arc<Instance>];

    /// Visits in order, from the first one of `name` (behind `after`, where that is given) until `visit` says false.
    fn visit_from(&self, name: &str, after: Option<u64>, visit: &mut dyn FnMut(&Arc<Instance>) -> bool);

    /// Visits the changes behind this revision, in order, until `visit` says false. False where they are not known
    /// any more: then only `visit_from` tells what is there.
    fn changes_after(&self, revision: u64, visit: &mut dyn FnMut(&Change) -> bool) -> bool;
}

/// How much a store takes in.
#[derive(Clone, Copy, Debug)]
pub struct Capacity {
    /// Instances in total.
    pub instances: usize,
    /// Instances of one name.
    pub per_name: usize,
}

/// Keeps everything in memory.
pub struct MemoryStore {
    names: BTreeMap<Arc<str>, Vec<Arc<Instance>>>,
    capacity: Capacity,
    count: usize,
    revision: u64,
    /// The last changes, without a gap.
    log: VecDeque<Change>,
    log_weight: usize,
}

/// So many changes, and about so many bytes of them, are remembered for those who missed some.
const LOG_LENGTH: usize = 16_384;
const LOG_BYTES: usize = 8 * 1024 * 1024;

impl MemoryStore {
    pub fn new(capacity: Capacity) -> MemoryStore {
        MemoryStore {
            names: BTreeMap::new(),
            capacity,
            count: 0,
            revision: 0,
            log: VecDeque::new(),
            log_weight: 0,
        }
    }

    fn remember(&mut self, change: Change) {
        self.log_weight += change.instance.weight();
        self.log.push_back(change);
        while self.log.len() > LOG_LENGTH || self.log_weight > LOG_BYTES {
            let Some(oldest) = self.log.pop_front() else { break };
            self.log_weight -= oldest.instance.weight();
        }
    }
}

impl Store for MemoryStore {
    fn revision(&self) -> u64 {
        self.revision
    }

    fn len(&self) -> usize {
        self.count
    }

    fn put(&mut self, mut instance: Instance) -> Result<()> {
        instance.revision = self.revision + 1;
        let known = self.names.get_mut(instance.name.as_str());
        let place = known.as_ref().map(|of_name| find(of_name, instance.id));
        let new = !matches!(place, Some(Ok(_)));
        if new && self.count >= self.capacity.instances {
            let text = format!("the registry has its {} instances already", self.capacity.instances);
            return Err(Error::new(Status::Limit, text));
        }
        let instance = match (known, place) {
            (Some(of_name), Some(Ok(at))) => {
                if of_name[at].says_the_same_as(&instance) {
                    return Ok(());
                }
                of_name[at] = Arc::new(instance);
                Arc::clone(&of_name[at])
            }
            (Some(of_name), Some(Err(at))) => {
                if of_name.len() >= self.capacity.per_name {
                    let text = format!("the name has its {} instances already", self.capacity.per_name);
                    return Err(Error::new(Status::Limit, text));
                }
                let instance = Arc::new(instance);
                of_name.insert(at, Arc::clone(&instance));
                instance
            }
            _ => {
                let instance = Arc::new(instance);
                self.names
                    .insert(Arc::from(instance.name.as_str()), vec![Arc::clone(&instance)]);
                instance
            }
        };
        self.count += usize::from(new);
        self.revision += 1;
        self.remember(Change { gone: false, instance });
        Ok(())
    }

    fn remove(&mut self, name: &str, id: u64) -> Result<bool> {
        let Some(of_name) = self.names.get_mut(name) else {
            return Ok(false);
        };
        let Ok(at) = find(of_name, id) else { return Ok(false) };
        let mut last = Instance::clone(&of_name.remove(at));
        if of_name.is_empty() {
            self.names.remove(name);
        }
        self.count -= 1;
        self.revision += 1;
        last.revision = self.revision;
        self.remember(Change {
            gone: true,
            instance: Arc::new(last),
        });
        Ok(true)
    }

    fn instances(&self, name: &str) -> &[Arc<Instance>] {
        self.names.get(name).map_or(&[], Vec::as_slice)
    }

    fn visit_from(&self, name: &str, after: Option<u64>, visit: &mut dyn FnMut(&Arc<Instance>) -> bool) {
        let from = (Bound::Included(name), Bound::Unbounded);
        for (at, of_name) in self.names.range::<str, _>(from) {
            let behind = after.filter(|_| **at == *name);
            let skipped = behind.map_or(0, |id| of_name.partition_point(|instance| instance.id <= id));
            if !of_name[skipped..].iter().all(&mut *visit) {
                return;
            }
        }
    }

    fn changes_after(&self, revision: u64, visit: &mut dyn FnMut(&Change) -> bool) -> bool {
        let missed = match self.revision.checked_sub(revision) {
            Some(missed) => missed as usize,
            // From a future that this store has not: of another run.
            None => return false,
        };
        if missed > self.log.len() {
            return false;
        }
        let _stopped = self.log.range(self.log.len() - missed..).all(visit);
        true
    }
}

fn find(of_name: &[Arc<Instance>], id: u64) -> std::result::Result<usize, usize> {
    of_name.binary_search_by_key(&id, |instance| instance.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(instances: usize, per_name: usize) -> MemoryStore {
        MemoryStore::new(Capacity { instances, per_name })
    }

    fn instance(name: &str, id: u64) -> Instance {
        Instance {
            name: name.to_owned(),
            server: "127.0.0.1".to_owned(),
            port: 1,
            id,
            ..Instance::default()
        }
    }

    fn visited(store: &MemoryStore, name: &str, after: Option<u64>, most: usize) -> Vec<(String, u64)> {
        let mut seen = Vec::new();
        store.visit_from(name, after, &mut |instance| {
            seen.push((instance.name.clone(), instance.id));
            seen.len() < most
        });
        seen
    }

    #[test]
    fn each_change_has_the_next_number_and_the_same_again_is_none() {
        let mut store = store(10, 10);
        store.put(instance("a", 1)).unwrap();
        store.put(instance("a", 2)).unwrap();
        store.put(instance("a", 1)).unwrap();
        assert_eq!(store.revision(), 2);
        store
            .put(Instance {
                port: 2,
                ..instance("a", 1)
            })
            .unwrap();
        assert!(store.remove("a", 2).unwrap());
        assert!(!store.remove("a", 2).unwrap());
        assert!(!store.remove("b", 2).unwrap());
        let mut seen = Vec::new();
        assert!(store.changes_after(1, &mut |change| {
            seen.push((change.gone, change.instance.id, change.instance.revision));
            true
        }));
        assert_eq!(seen, [(false, 2, 2), (false, 1, 3), (true, 2, 4)]);
        assert_eq!((store.revision(), store.len()), (4, 1));
        // What comes from another run's future is not known.
        assert!(!store.changes_after(5, &mut |_| true));
        assert!(store.changes_after(4, &mut |_| panic!("there is none")));
    }

    #[test]
    fn it_refuses_what_is_beyond_its_capacity_and_takes_it_once_there_is_room() {
        let mut store = store(3, 2);
        store.put(instance("a", 1)).unwrap();
        store.put(instance("a", 2)).unwrap();
        assert_eq!(store.put(instance("a", 3)).unwrap_err().status(), Status::Limit);
        store.put(instance("b", 1)).unwrap();
        assert_eq!(store.put(instance("c", 1)).unwrap_err().status(), Status::Limit);
        // A change of what is there needs no room.
        store
            .put(Instance {
                port: 9,
                ..instance("a", 2)
            })
            .unwrap();
        assert!(store.remove("a", 1).unwrap());
        store.put(instance("c", 1)).unwrap();
        assert_eq!(store.len(), 3);
    }

    #[test]
    fn it_visits_in_the_order_of_name_and_id_from_anywhere() {
        let mut store = store(10, 10);
        for (name, id) in [("b", 3), ("a", 2), ("c", 1), ("b", 1), ("ab", 7)] {
            store.put(instance(name, id)).unwrap();
        }
        let all: Vec<(String, u64)> = [("a", 2), ("ab", 7), ("b", 1), ("b", 3), ("c", 1)]
            .map(|(name, id)| (name.to_owned(), id))
            .to_vec();
        assert_eq!(visited(&store, "", None, 99), all);
        assert_eq!(visited(&store, "ab", None, 2), all[1..3]);
        assert_eq!(visited(&store, "b", Some(1), 99), all[3..]);
        // The one that it shall go on behind may be gone.
        store.remove("b", 1).unwrap();
        assert_eq!(visited(&store, "b", Some(1), 99), all[3..]);
        assert_eq!(visited(&store, "ac", Some(9), 1), all[3..4]);
    }

    #[test]
    fn changes_are_remembered_up_to_a_bound() {
        let mut store = store(10, 10);
        for port in 0..2 * LOG_LENGTH {
            let port = port as u16 | 1 << 15;
            store
                .put(Instance {
                    port: port ^ (store.revision() as u16 & 1),
                    metadata: vec![store.revision() as u8],
                    ..instance("a", 1)
                })
                .unwrap();
        }
        let last = store.revision();
        assert!(store.log.len() <= LOG_LENGTH && store.log_weight <= LOG_BYTES);
        assert!(!store.changes_after(last - LOG_LENGTH as u64 - 1, &mut |_| true));
        let mut count = 0;
        assert!(store.changes_after(last - LOG_LENGTH as u64, &mut |change| {
            count += 1;
            assert_eq!(change.instance.revision, last - LOG_LENGTH as u64 + count);
            true
        }));
        for _ in 0..300 {
            let metadata = vec![store.revision() as u8; 65_536];
            store
                .put(Instance {
                    metadata,
                    ..instance("b", 1)
                })
                .unwrap();
            assert!(store.log_weight <= LOG_BYTES);
        }
    }
}
