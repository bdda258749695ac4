//! One thread at a time, whoever the lock leans to.

use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use super::*;

fn lean<T>(mutex: &BiasedMutex<T>) {
    for _ in 0..EARNED + 2 {
        drop(mutex.lock());
    }
}

fn leans_here<T>(mutex: &BiasedMutex<T>) -> bool {
    mutex.owner.load(Ordering::SeqCst) == asymmetric::this_thread()
}

#[test]
fn it_leans_to_who_comes_again_and_again_and_to_others_no_more() {
    let mutex = BiasedMutex::new(0);
    lean(&mutex);
    if !asymmetric::available() || asymmetric::this_thread() == NOBODY {
        assert!(!leans_here(&mutex));
        return;
    }
    assert!(leans_here(&mutex));
    assert!(mutex.lock().mutex.is_none());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..1_000 {
                assert!(mutex.lock().mutex.is_some(), "its flag belongs to another thread");
            }
        });
    });
    assert!(!leans_here(&mutex));
    lean(&mutex);
    assert!(!leans_here(&mutex), "twice as many are needed now");
    lean(&mutex);
    assert!(leans_here(&mutex));
}

#[test]
fn nobody_else_is_inside_meanwhile() {
    const THREADS: u64 = 3;
    const EACH: u64 = 20_000;
    let mutex = BiasedMutex::new((0u64, 0u64));
    let inside = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (mutex, inside) = (&mutex, &inside);
            scope.spawn(move || {
                for i in 0..EACH {
                    let mut value = mutex.lock();
                    assert_eq!(inside.fetch_add(1, Ordering::Relaxed), 0);
                    value.0 += 1;
                    value.1 = value.0;
                    inside.fetch_sub(1, Ordering::Relaxed);
                    drop(value);
                    // The first comes without a pause, so that it is the one to lean to; the others in between.
                    if thread > 0 && i % 16 == 0 {
                        std::thread::yield_now();
                    }
                }
            });
        }
    });
    assert_eq!(*mutex.lock(), (THREADS * EACH, THREADS * EACH));
}

#[test]
fn who_takes_it_away_waits_until_the_owner_is_outside() {
    let mutex = BiasedMutex::new(0);
    lean(&mutex);
    let held = mutex.lock();
    assert!(mutex.try_lock().is_none());
    let (taken, at) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut value = mutex.lock();
            *value = 1;
            taken.send(Instant::now()).expect("somebody listens");
        });
        assert!(at.recv_timeout(Duration::from_millis(50)).is_err(), "it came in");
        let given_back = Instant::now();
        drop(held);
        assert!(at.recv_timeout(Duration::from_secs(10)).expect("it comes in") >= given_back);
    });
    assert_eq!(*mutex.lock(), 1);
}

#[test]
fn it_can_be_tried() {
    let mutex = BiasedMutex::new(5);
    lean(&mutex);
    std::thread::scope(|scope| {
        scope.spawn(|| assert_eq!(mutex.try_lock().map(|value| *value), Some(5)));
    });
    let held = mutex.lock();
    std::thread::scope(|scope| {
        scope.spawn(|| assert!(mutex.try_lock().is_none()));
    });
    drop(held);
    assert!(mutex.try_lock().is_some());
}

/// As with std's: a reference to the guard of what is not Sync would be a reference to it on two threads. This compiles
/// only while there is one answer, the first.
#[test]
fn a_guard_is_no_more_sync_than_its_value() {
    trait Answer<Of> {
        fn is_given() {}
    }
    impl<T: ?Sized> Answer<()> for T {}
    struct ForSync;
    impl<T: ?Sized + Sync> Answer<ForSync> for T {}
    <BiasedGuard<'_, std::cell::Cell<u32>> as Answer<_>>::is_given();
}
