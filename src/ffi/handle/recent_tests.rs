//! What threads remember is freed as promptly as what they do not.

use std::sync::atomic::AtomicUsize;
use std::sync::mpsc;

use super::tests::{counter, table, Probe, ALIVE};
use super::*;

fn use_it(table: &'static Table<Probe>, place: Place) {
    let entered = table.enter(place).expect("open");
    assert_eq!(entered.object().expect("there").alive.load(Ordering::SeqCst), ALIVE);
}

fn is_remembered(table: &'static Table<Probe>, place: Place) -> bool {
    table.enter(place).expect("open").remembered.is_some()
}

#[test]
fn what_an_idle_thread_used_last_is_freed_when_another_shuts_it() {
    let (table, dropped) = (table(), counter());
    let place = table.insert(Probe::new(dropped)).expect("room");
    let (used, was_used) = mpsc::channel();
    let (done, is_done) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        // Gone at a panic, so that the other one ends.
        let done = done;
        scope.spawn(move || {
            use_it(table, place);
            used.send(is_remembered(table, place)).expect("somebody listens");
            // Idle, with what it remembers.
            if is_done.recv().is_ok() {
                assert!(table.enter(place).is_none());
            }
        });
        assert_eq!(was_used.recv(), Ok(crate::connection::asymmetric::available()));
        assert!(table.enter(place).expect("open").shut());
        assert_eq!(dropped.load(Ordering::SeqCst), 1);
        done.send(()).expect("it waits");
    });
}

#[test]
fn a_thread_that_is_inside_frees_it_when_it_leaves() {
    let (table, dropped) = (table(), counter());
    let place = table.insert(Probe::new(dropped)).expect("room");
    use_it(table, place);
    let outer = table.enter(place).expect("open");
    let inner = table.enter(place).expect("open, in a callback");
    std::thread::scope(|scope| {
        scope.spawn(|| assert!(table.enter(place).expect("open").shut()));
    });
    assert!(table.enter(place).is_none());
    drop(inner);
    assert_eq!(dropped.load(Ordering::SeqCst), 0);
    assert_eq!(outer.object().expect("there").alive.load(Ordering::SeqCst), ALIVE);
    drop(outer);
    assert_eq!(dropped.load(Ordering::SeqCst), 1);
}

#[test]
fn a_thread_gives_back_what_it_remembers_for_another_one_and_at_its_end() {
    let (table, dropped) = (table(), counter());
    const MANY: usize = 64;
    let places: Vec<Place> = (0..MANY)
        .map(|_| table.insert(Probe::new(dropped)).expect("room"))
        .collect();
    std::thread::scope(|scope| {
        let all = scope.spawn(|| places.iter().for_each(|place| use_it(table, *place)));
        all.join().expect("no panic");
    });
    for place in &places {
        assert!(table.enter(*place).expect("open").shut());
    }
    assert_eq!(dropped.load(Ordering::SeqCst), MANY);
}

#[test]
fn threads_in_a_hurry_and_one_that_shuts() {
    const ROUNDS: usize = 3_000;
    let (table, dropped) = (table(), counter());
    let current = AtomicU64::new(0);
    let publish = |place: Place| {
        let number = u64::from(place.index) << 32 | u64::from(place.generation);
        current.store(number, Ordering::SeqCst);
    };
    let uses = AtomicUsize::new(0);
    publish(table.insert(Probe::new(dropped)).expect("room"));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| loop {
                let number = current.load(Ordering::SeqCst);
                if number == u64::MAX {
                    return;
                }
                let place = Place {
                    index: (number >> 32) as u32,
                    generation: number as u32,
                };
                // Again and again, as a loop of sends would.
                for _ in 0..50 {
                    let Some(entered) = table.enter(place) else { break };
                    let probe = entered.object().expect("an entered slot holds its object");
                    assert_eq!(probe.alive.load(Ordering::SeqCst), ALIVE, "used after it was freed");
                    uses.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for round in 1..=ROUNDS {
            let number = current.load(Ordering::SeqCst);
            let old = Place {
                index: (number >> 32) as u32,
                generation: number as u32,
            };
            // The others keep pace, however busy the machine is.
            while uses.load(Ordering::Relaxed) < round {
                std::thread::yield_now();
            }
            publish(table.insert(Probe::new(dropped)).expect("room"));
            assert!(table.enter(old).expect("open").shut());
            // Busy threads free the last few a moment later.
            assert!(dropped.load(Ordering::SeqCst) + 3 >= round);
        }
        current.store(u64::MAX, Ordering::SeqCst);
    });
    assert_eq!(dropped.load(Ordering::SeqCst), ROUNDS);
}
