//! A mutex that costs no locked instruction while one thread alone uses it.
//!
//! Most sockets are used by one thread. After it has locked one some times in a row, the lock leans to it: from then on it
//! says that it is inside, and looks whether the lock is still its own, and that is all. Whoever else comes takes that
//! away with a heavy fence (`asymmetric`), waits until the thread is outside, and goes on with an ordinary mutex. Each time
//! that happens the lock waits twice as long before it leans again, so that threads in turns soon have a plain mutex.
//!
//! It leans to one thread in its life, the first that earns it: the flag that says "inside" is that thread's alone to
//! write, and so never somebody else's.

use std::cell::UnsafeCell;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, TryLockError};

use crate::connection::asymmetric;
use crate::connection::process::lock;

/// So many times in a row, at first.
const EARNED: u32 = 32;
/// And at most: taking the lock away costs about as much as a plain mutex so many times.
const MOST: u32 = 512;
const NOBODY: usize = 0;
/// A look at whether the thread is outside, before sleeping.
const SPINS: u32 = 200;

pub(crate) struct BiasedMutex<T> {
    /// The thread it leans to now.
    owner: AtomicUsize,
    /// Written by the thread it ever leaned to: it is inside without the mutex.
    inside: AtomicBool,
    mutex: Mutex<Past>,
    /// For those who wait until the owner is outside.
    leaving: Mutex<()>,
    left: Condvar,
    value: UnsafeCell<T>,
}

/// What is known of those who had the mutex.
struct Past {
    last: usize,
    in_a_row: u32,
    needed: u32,
    /// The only one it ever leans to.
    chosen: usize,
}

// SAFETY: a mutex: the value is used by one thread at a time.
unsafe impl<T: Send> Sync for BiasedMutex<T> {}
unsafe impl<T: Send> Send for BiasedMutex<T> {}

impl<T> BiasedMutex<T> {
    pub fn new(value: T) -> BiasedMutex<T> {
        BiasedMutex {
            owner: AtomicUsize::new(NOBODY),
            inside: AtomicBool::new(false),
            mutex: Mutex::new(Past {
                last: NOBODY,
                in_a_row: 0,
                needed: EARNED,
                chosen: NOBODY,
            }),
            leaving: Mutex::new(()),
            left: Condvar::new(),
            value: UnsafeCell::new(value),
        }
    }

    /// Not to be called by a thread that has it.
    #[inline]
    pub fn lock(&self) -> BiasedGuard<'_, T> {
        let me = asymmetric::this_thread();
        if self.owner.load(Ordering::Relaxed) == me && me != NOBODY {
            self.inside.store(true, Ordering::Relaxed);
            asymmetric::light();
            if self.owner.load(Ordering::Acquire) == me {
                return BiasedGuard {
                    lock: self,
                    mutex: None,
                    value: PhantomData,
                };
            }
            self.leave(me);
        }
        self.lock_mutex(me)
    }

    /// None where another thread has it.
    pub fn try_lock(&self) -> Option<BiasedGuard<'_, T>> {
        let past = match self.mutex.try_lock() {
            Ok(past) => past,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        self.take_away();
        if self.inside.load(Ordering::Acquire) {
            return None;
        }
        Some(BiasedGuard {
            lock: self,
            mutex: Some(past),
            value: PhantomData,
        })
    }

    #[cold]
    #[inline(never)]
    fn lock_mutex(&self, me: usize) -> BiasedGuard<'_, T> {
        let mut past = lock(&self.mutex);
        if self.take_away() {
            past.needed = (past.needed * 2).min(MOST);
            past.in_a_row = 0;
        }
        if self.inside.load(Ordering::Acquire) {
            self.wait_until_outside();
        }
        past.in_a_row = if past.last == me {
            past.in_a_row.saturating_add(1)
        } else {
            0
        };
        past.last = me;
        if past.in_a_row >= past.needed && me != NOBODY && asymmetric::available() {
            if past.chosen == NOBODY {
                past.chosen = me;
            }
            if past.chosen == me {
                // From its next time on: this one is under the mutex.
                self.owner.store(me, Ordering::Release);
            }
        }
        BiasedGuard {
            lock: self,
            mutex: Some(past),
            value: PhantomData,
        }
    }

    /// Under the mutex: nobody comes in without it from here on. True where that was possible before.
    fn take_away(&self) -> bool {
        if self.owner.load(Ordering::Relaxed) == NOBODY {
            return false;
        }
        self.owner.store(NOBODY, Ordering::Relaxed);
        asymmetric::heavy();
        true
    }

    fn wait_until_outside(&self) {
        for _ in 0..SPINS {
            if !self.inside.load(Ordering::Acquire) {
                return;
            }
            std::hint::spin_loop();
        }
        let mut leaving = lock(&self.leaving);
        while self.inside.load(Ordering::Acquire) {
            leaving = self.left.wait(leaving).unwrap_or_else(|poisoned| poisoned.into_inner());
        }
    }

    /// The owner goes out, and tells whoever took the lock from it meanwhile.
    #[inline]
    fn leave(&self, me: usize) {
        self.inside.store(false, Ordering::Release);
        asymmetric::light();
        if self.owner.load(Ordering::Relaxed) != me {
            self.tell();
        }
    }

    #[cold]
    fn tell(&self) {
        let _leaving = lock(&self.leaving);
        self.left.notify_all();
    }
}

/// The locked value.
pub(crate) struct BiasedGuard<'a, T> {
    lock: &'a BiasedMutex<T>,
    /// None where it leans to this thread.
    mutex: Option<MutexGuard<'a, Past>>,
    /// It gives out references to the value: so it is shared between threads only where the value may be.
    value: PhantomData<&'a mut T>,
}

impl<T> Deref for BiasedGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: who has a guard is alone.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T> DerefMut for BiasedGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: who has a guard is alone.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T> Drop for BiasedGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if self.mutex.is_none() {
            self.lock.leave(asymmetric::this_thread());
        }
    }
}

#[cfg(test)]
#[path = "biased_tests.rs"]
mod tests;
