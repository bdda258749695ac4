//! Two fences that work as a pair: a light one for a hot path, which costs nothing, and a heavy one for the rare other
//! side, which costs a system call. Where one thread stores A and then reads B with a light fence in between, and another
//! stores B and then reads A with a heavy one, at least one of them sees the other's store.
//!
//! With two ordinary fences each side would pay for a locked instruction, at every message.

use std::sync::atomic::{compiler_fence, AtomicU8, Ordering};

use crate::connection::linux;

const UNKNOWN: u8 = 0;
const YES: u8 = 1;
const NO: u8 = 2;

static AVAILABLE: AtomicU8 = AtomicU8::new(UNKNOWN);

/// Whether the pair works here; else the light fence alone must not be relied on. Does not change while a process lives.
#[inline]
pub(crate) fn available() -> bool {
    match AVAILABLE.load(Ordering::Relaxed) {
        UNKNOWN => find_out(),
        known => known == YES,
    }
}

#[cold]
fn find_out() -> bool {
    // ThreadSanitizer does not know such fences, and would tell of races that are none.
    let available = !cfg!(dividere_tsan) && linux::register_barriers();
    AVAILABLE.store(if available { YES } else { NO }, Ordering::Relaxed);
    available
}

/// A forked child registers for itself.
pub(crate) fn forget() {
    AVAILABLE.store(UNKNOWN, Ordering::Relaxed);
}

#[inline]
pub(crate) fn light() {
    compiler_fence(Ordering::SeqCst);
}

/// All threads of the process have passed a full fence when it returns.
#[cold]
pub(crate) fn heavy() {
    linux::barrier_everywhere();
}

/// What tells threads that are alive at the same time apart; one that is gone may pass its own on. 0 where it cannot be
/// had for next to nothing.
#[cfg(all(target_os = "linux", target_arch = "x86_64", target_pointer_width = "64"))]
#[inline]
pub(crate) fn this_thread() -> usize {
    let thread: usize;
    // SAFETY: reads the thread pointer, which the platform's ABI keeps in this place for every thread.
    unsafe { std::arch::asm!("mov {}, fs:0", out(reg) thread, options(nostack, readonly, preserves_flags)) };
    thread
}

#[cfg(all(target_os = "linux", target_arch = "aarch64"))]
#[inline]
pub(crate) fn this_thread() -> usize {
    let thread: usize;
    // SAFETY: as above.
    unsafe { std::arch::asm!("mrs {}, tpidr_el0", out(reg) thread, options(nomem, nostack, preserves_flags)) };
    thread
}

#[cfg(not(all(
    target_os = "linux",
    any(all(target_arch = "x86_64", target_pointer_width = "64"), target_arch = "aarch64")
)))]
#[inline]
pub(crate) fn this_thread() -> usize {
    0
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    #[test]
    fn threads_are_told_apart() {
        let here = this_thread();
        let there = std::thread::spawn(this_thread).join().expect("no panic");
        // Both live: this one is still here.
        assert!(here != there || here == 0);
        assert_eq!(here, this_thread());
    }

    /// Both at the same time is what shows something; where there is one processor only, they take turns.
    fn spin_until(so: impl Fn() -> bool) {
        let mut spins = 0;
        while !so() {
            spins += 1;
            if spins % 2_000 == 0 {
                std::thread::yield_now();
            }
            std::hint::spin_loop();
        }
    }

    #[test]
    fn one_of_two_sees_the_other() {
        if !available() {
            return;
        }
        const ROUNDS: usize = 30_000;
        const NOT_YET: usize = usize::MAX;
        let (a, b) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let (go, seen_by_light) = (AtomicUsize::new(0), AtomicUsize::new(NOT_YET));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for round in 1..=ROUNDS {
                    spin_until(|| go.load(Ordering::Acquire) >= round);
                    a.store(round, Ordering::Relaxed);
                    light();
                    seen_by_light.store(b.load(Ordering::Relaxed), Ordering::Release);
                }
            });
            for round in 1..=ROUNDS {
                go.store(round, Ordering::Release);
                // The other one starts a moment later: which, nobody knows.
                for _ in 0..round * 7 % 61 {
                    std::hint::spin_loop();
                }
                b.store(round, Ordering::Relaxed);
                heavy();
                let seen_by_heavy = a.load(Ordering::Relaxed);
                spin_until(|| seen_by_light.load(Ordering::Acquire) != NOT_YET);
                let seen_by_light = seen_by_light.swap(NOT_YET, Ordering::AcqRel);
                if seen_by_light != round && seen_by_heavy != round {
                    // Lets the other one end.
                    go.store(ROUNDS, Ordering::Release);
                    panic!("round {round}: {seen_by_light} and {seen_by_heavy}");
                }
            }
        });
    }
}
