//! How a server that runs on threads of its own comes to its end: closed, or by a fault. Whoever waits for it hears why.

use std::any::Any;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::{Condvar, Mutex};

use crate::connection::clock::Deadline;
use crate::connection::process::{generation, lock};
use crate::error::{panic_text, Error, Result, Status};

/// The end of one server. The first one told is the one that counts.
pub(crate) struct Ending {
    /// None while it runs, OK where it was closed.
    how: Mutex<Option<Result<()>>>,
    told: Condvar,
    generation: u32,
}

impl Ending {
    pub fn new() -> Ending {
        Ending {
            how: Mutex::new(None),
            told: Condvar::new(),
            generation: generation(),
        }
    }

    /// It was closed, or failed; to be told before anything is closed, so that nobody hears of a closed handle where it was
    /// a fault.
    pub fn tell(&self, how: Result<()>) {
        lock(&self.how).get_or_insert(how);
        self.told.notify_all();
    }

    /// Why it failed; none where it runs, or was closed. Not in a forked child, where the lock may be taken for good.
    pub fn failure(&self) -> Option<Error> {
        lock(&self.how).clone()?.err()
    }

    /// The error of a server that failed.
    pub fn check(&self) -> Result<()> {
        if self.generation != generation() {
            return Err(Error::from(Status::Forked));
        }
        self.failure().map_or(Ok(()), Err)
    }

    /// Waits for the end. OK where it was closed, its fault where it had one; TIMEOUT, or WOULD_BLOCK, where it runs still.
    pub fn wait(&self, deadline: Deadline) -> Result<()> {
        if self.generation != generation() {
            return Err(Error::from(Status::Forked));
        }
        let mut how = lock(&self.how);
        loop {
            if let Some(how) = &*how {
                return how.clone();
            }
            how = match deadline.remaining() {
                None => self.told.wait(how).unwrap_or_else(|p| p.into_inner()),
                Some(left) if left.is_zero() => {
                    return Err(match deadline {
                        Deadline::Now => Error::new(Status::WouldBlock, "it runs"),
                        _ => Error::new(Status::Timeout, "it runs still"),
                    })
                }
                Some(left) => {
                    let waited = self.told.wait_timeout(how, left);
                    waited.unwrap_or_else(|p| p.into_inner()).0
                }
            };
        }
    }
}

/// What a server's thread does, with a panic as an error.
pub(crate) fn caught(body: impl FnOnce() -> Result<()>) -> Result<()> {
    let fault = |panic: Box<dyn Any + Send>| {
        let text = format!("a fault in a thread of it: {}", panic_text(panic.as_ref()));
        Err(Error::new(Status::Internal, text))
    };
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(fault)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_first_end_counts_and_wakes_who_waits() {
        let ending = Ending::new();
        let wait = |deadline| ending.wait(deadline).map_err(|error| error.status());
        assert_eq!(wait(Deadline::Now), Err(Status::WouldBlock));
        assert_eq!(wait(Deadline::from_ms(1)), Err(Status::Timeout));
        assert!(ending.check().is_ok());
        std::thread::scope(|threads| {
            let waits = threads.spawn(|| wait(Deadline::after(Duration::from_secs(20))));
            ending.tell(Err(Error::from(Status::Internal)));
            ending.tell(Ok(()));
            assert_eq!(waits.join().expect("no panic"), Err(Status::Internal));
        });
        assert_eq!(wait(Deadline::Never), Err(Status::Internal));
        assert_eq!(ending.check(), Err(Error::from(Status::Internal)));
    }

    #[test]
    fn who_was_closed_has_not_failed() {
        let ending = Ending::new();
        ending.tell(Ok(()));
        assert!(ending.wait(Deadline::Now).is_ok());
        assert_eq!(ending.failure(), None);
    }

    #[test]
    fn a_panic_is_an_error_that_says_what_it_said() {
        let error = caught(|| panic!("a number was {}", 7)).expect_err("it panicked");
        assert_eq!(error.status(), Status::Internal);
        assert!(error.text().contains("a number was 7"), "{error}");
        assert!(caught(|| Ok(())).is_ok());
    }
}
