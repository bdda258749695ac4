//! The lock of what a process has one of: held while it is made, replaced or set. A fork waits for it, because what is made
//! under it has locks of its own, libsodium's for one, which nobody could give back in the child.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// No fork waits longer: one in a signal handler may have interrupted the very thread that it would wait for.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// Spun on, because a child must be able to reset it.
static CHANGING: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// This thread is about to fork, and has the lock for that.
    static FORKING: Cell<bool> = const { Cell::new(false) };
}

/// The lock, until it is dropped. Forks wait from the first one on that is made after `process::hook`.
pub(super) struct Changing(());

impl Changing {
    pub(super) fn begin() -> Changing {
        while !taken() {
            std::thread::yield_now();
        }
        Changing(())
    }
}

impl Drop for Changing {
    fn drop(&mut self) {
        CHANGING.store(false, Ordering::Release);
    }
}

fn taken() -> bool {
    CHANGING
        .compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed)
        .is_ok()
}

/// For pthread_atfork, which may have been told twice.
pub(super) extern "C" fn before_fork() {
    if FORKING.get() {
        return;
    }
    let begin = Instant::now();
    while !taken() {
        if begin.elapsed() > LONGEST_WAIT {
            return;
        }
        std::thread::yield_now();
    }
    FORKING.set(true);
}

/// The same.
pub(super) extern "C" fn after_fork() {
    if FORKING.replace(false) {
        CHANGING.store(false, Ordering::Release);
    }
}

/// The same, in the child: whoever had the lock is not there.
pub(super) fn in_child() {
    FORKING.set(false);
    CHANGING.store(false, Ordering::Release);
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::connection::process;

    const LIMIT: Duration = Duration::from_secs(20);

    /// Forks; the child takes the lock, and that it could do so is what is returned.
    fn fork() -> bool {
        // SAFETY: the child calls nothing but system calls.
        unsafe {
            match libc::fork() {
                0 => {
                    libc::alarm(LIMIT.as_secs() as u32);
                    let free = taken();
                    libc::_exit(i32::from(!free));
                }
                child => {
                    let mut status = 0;
                    assert!(child > 0);
                    while libc::waitpid(child, &mut status, 0) < 0 {}
                    status == 0
                }
            }
        }
    }

    #[test]
    fn a_fork_waits_until_nothing_is_half_made_but_not_for_ever() {
        // Told twice, as two threads at once may do it.
        process::hook_again();
        process::hook_again();
        assert!(fork());
        let (forked, was_forked) = mpsc::channel();
        std::thread::scope(|scope| {
            let fork_and_tell = || {
                let forked = forked.clone();
                scope.spawn(move || forked.send(fork()));
            };
            let changing = Changing::begin();
            fork_and_tell();
            assert!(was_forked.recv_timeout(LONGEST_WAIT / 5).is_err(), "it did not wait");
            drop(changing);
            assert_eq!(was_forked.recv_timeout(LIMIT), Ok(true));

            let changing = Changing::begin();
            let begin = Instant::now();
            fork_and_tell();
            assert_eq!(was_forked.recv_timeout(LIMIT), Ok(true));
            assert!(begin.elapsed() >= LONGEST_WAIT);
            assert!(!taken(), "who forked has not taken it from its owner");
            drop(changing);
        });
        drop(Changing::begin());
    }
}
