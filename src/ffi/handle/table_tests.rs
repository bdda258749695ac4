//! Each object is freed exactly once, after its last use, whatever threads do.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::Mutex;

use super::*;

/// Says when it is dropped, and is no longer itself afterwards.
pub(super) struct Probe {
    pub alive: AtomicU64,
    dropped: &'static AtomicUsize,
}

pub(super) const ALIVE: u64 = 0x5ca1_ab1e_0ddb_a115;

impl Probe {
    pub fn new(dropped: &'static AtomicUsize) -> Probe {
        Probe {
            alive: AtomicU64::new(ALIVE),
            dropped,
        }
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        assert_eq!(self.alive.swap(0, Ordering::SeqCst), ALIVE, "dropped twice");
        self.dropped.fetch_add(1, Ordering::SeqCst);
    }
}

pub(super) fn table() -> &'static Table<Probe> {
    Box::leak(Box::new(Table::new()))
}

pub(super) fn counter() -> &'static AtomicUsize {
    Box::leak(Box::new(AtomicUsize::new(0)))
}

#[test]
fn the_last_to_leave_frees_and_nobody_else_comes_in() {
    let (table, dropped) = (table(), counter());
    let place = table.insert(Probe::new(dropped)).expect("room");
    let one = table.enter(place).expect("open");
    let two = table.enter(place).expect("open");
    assert!(one.shut());
    assert!(!two.shut(), "it was shut before");
    assert!(table.enter(place).is_none());
    drop(one);
    assert_eq!(dropped.load(Ordering::SeqCst), 0);
    assert_eq!(
        two.object().map(|probe| probe.alive.load(Ordering::SeqCst)),
        Some(ALIVE)
    );
    drop(two);
    assert_eq!(dropped.load(Ordering::SeqCst), 1);
    assert!(table.enter(place).is_none());
}

#[test]
fn numbers_are_never_given_twice_though_slots_are() {
    let (table, dropped) = (table(), counter());
    let mut seen = HashSet::new();
    for _ in 0..10_000 {
        let place = table.insert(Probe::new(dropped)).expect("room");
        assert!(seen.insert(place), "{place:?} came back");
        assert!(place.index < 1, "a free slot is used again");
        assert!(table.enter(place).expect("open").shut());
    }
    assert_eq!(dropped.load(Ordering::SeqCst), 10_000);
}

#[test]
fn a_slot_whose_generations_are_used_up_rests() {
    let (table, dropped) = (table(), counter());
    let first = table.insert(Probe::new(dropped)).expect("room");
    assert!(table.enter(first).expect("open").shut());
    let slot = table.slot(first.index).expect("made");
    slot.state
        .store(u64::from(LAST_GENERATION) << GENERATION_SHIFT, Ordering::SeqCst);
    let last = table.insert(Probe::new(dropped)).expect("room");
    assert_eq!(
        last,
        Place {
            index: first.index,
            generation: LAST_GENERATION
        }
    );
    assert!(table.enter(last).expect("open").shut());
    let next = table.insert(Probe::new(dropped)).expect("room");
    assert_ne!(next.index, first.index);
    assert!(table.enter(last).is_none() && table.enter(first).is_none());
}

#[test]
fn blocks_grow_and_what_was_never_made_is_not_found() {
    let (table, dropped) = (table(), counter());
    let places: Vec<Place> = (0..1_000)
        .map(|_| table.insert(Probe::new(dropped)).expect("room"))
        .collect();
    let indices: Vec<u32> = places.iter().map(|place| place.index).collect();
    assert_eq!(indices, (0..1_000).collect::<Vec<u32>>());
    assert!(places.iter().all(|place| table.enter(*place).is_some()));
    for index in [1_000, 100_000, MOST_SLOTS - 1, MOST_SLOTS, u32::MAX] {
        assert!(table.enter(Place { index, generation: 1 }).is_none(), "{index}");
    }
}

#[test]
fn threads_that_use_and_close_free_each_object_exactly_once() {
    const THREADS: usize = 4;
    const OBJECTS: usize = 8;
    const ROUNDS: usize = 20_000;
    let (table, dropped) = (table(), counter());
    let fresh = || table.insert(Probe::new(dropped)).expect("room");
    let places: [Mutex<Place>; OBJECTS] = std::array::from_fn(|_| Mutex::new(fresh()));
    let (made, shut) = (AtomicUsize::new(OBJECTS), AtomicUsize::new(0));
    let numbers = Mutex::new(HashSet::new());
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (places, made, shut, numbers) = (&places, &made, &shut, &numbers);
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    let which = (thread * 31 + round * 7) % OBJECTS;
                    let place = *places[which].lock().expect("no panic");
                    let Some(entered) = table.enter(place) else { continue };
                    let probe = entered.object().expect("an entered slot holds its object");
                    assert_eq!(probe.alive.load(Ordering::SeqCst), ALIVE, "used after it was freed");
                    if (round + thread) % 5 == 0 && entered.shut() {
                        shut.fetch_add(1, Ordering::SeqCst);
                        let next = fresh();
                        made.fetch_add(1, Ordering::SeqCst);
                        assert!(numbers.lock().expect("no panic").insert(next), "{next:?} came back");
                        *places[which].lock().expect("no panic") = next;
                    }
                    assert_eq!(probe.alive.load(Ordering::SeqCst), ALIVE, "freed while in use");
                }
            });
        }
    });
    let shut = shut.load(Ordering::SeqCst);
    assert!(shut > ROUNDS / 10, "only {shut} were closed: the test shows little");
    assert_eq!(dropped.load(Ordering::SeqCst), shut);
    for place in &places {
        assert!(table.enter(*place.lock().expect("no panic")).expect("open").shut());
    }
    assert_eq!(dropped.load(Ordering::SeqCst), made.load(Ordering::SeqCst));
}

#[test]
fn one_of_many_closers_wins() {
    let (table, dropped) = (table(), counter());
    for _ in 0..500 {
        let place = table.insert(Probe::new(dropped)).expect("room");
        let (winners, go) = (AtomicUsize::new(0), AtomicBool::new(false));
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    while !go.load(Ordering::Acquire) {
                        std::hint::spin_loop();
                    }
                    if table.enter(place).is_some_and(|entered| entered.shut()) {
                        winners.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
            go.store(true, Ordering::Release);
        });
        assert_eq!(winners.load(Ordering::SeqCst), 1);
    }
    assert_eq!(dropped.load(Ordering::SeqCst), 500);
}
