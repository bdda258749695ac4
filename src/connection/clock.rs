//! Timeouts as callers give them, and the deadlines that waits count down to.

use std::time::{Duration, Instant};

use crate::error::{Error, Result, Status};

/// When a wait ends. Made once at the entry of a call, so that retries share it.
#[derive(Clone, Copy, Debug)]
pub enum Deadline {
    /// Do not wait.
    Now,
    /// Wait until this moment.
    At(Instant),
    /// Wait without limit.
    Never,
}

impl Deadline {
    /// Negative waits without limit, 0 does not wait.
    pub fn from_ms(timeout_ms: i64) -> Deadline {
        match timeout_ms {
            0 => Deadline::Now,
            t if t < 0 => Deadline::Never,
            t => Deadline::after(Duration::from_millis(t as u64)),
        }
    }

    /// A deadline that far from now; one beyond what the clock can hold never comes.
    pub fn after(duration: Duration) -> Deadline {
        match Instant::now().checked_add(duration) {
            Some(at) => Deadline::At(at),
            None => Deadline::Never,
        }
    }

    /// None where the wait has no end, zero when it is over.
    pub fn remaining(&self) -> Option<Duration> {
        match self {
            Deadline::Now => Some(Duration::ZERO),
            Deadline::At(at) => Some(at.saturating_duration_since(Instant::now())),
            Deadline::Never => None,
        }
    }

    pub fn is_over(&self) -> bool {
        self.remaining() == Some(Duration::ZERO)
    }

    /// For poll(2): -1 without limit, otherwise rounded up, so that a wait is never shorter than asked.
    pub fn poll_ms(&self) -> i32 {
        match self.remaining() {
            None => -1,
            Some(left) => {
                let ms = left.as_millis() + u128::from(left.subsec_nanos() % 1_000_000 != 0);
                ms.min(i32::MAX as u128) as i32
            }
        }
    }

    /// That much later.
    pub fn later_by_ms(self, ms: i64) -> Deadline {
        match self {
            Deadline::At(at) => at
                .checked_add(Duration::from_millis(ms.max(0) as u64))
                .map_or(Deadline::Never, Deadline::At),
            other => other,
        }
    }

    /// The earlier of two.
    pub fn min(self, other: Deadline) -> Deadline {
        match (self, other) {
            (Deadline::Now, _) | (_, Deadline::Now) => Deadline::Now,
            (Deadline::Never, d) | (d, Deadline::Never) => d,
            (Deadline::At(a), Deadline::At(b)) => Deadline::At(a.min(b)),
        }
    }
}

/// Ends a wait in which messages come, but none that is of use: without it whoever floods a socket with them would keep
/// its receiver beyond its time.
pub(crate) struct Patience {
    deadline: Deadline,
    useless: u32,
}

impl Patience {
    pub fn new(deadline: Deadline) -> Patience {
        Patience { deadline, useless: 0 }
    }

    /// A message was thrown away. TIMEOUT where the time is over; WOULD_BLOCK after some, where there was none.
    pub fn goes_on(&mut self) -> Result<()> {
        const SOME: u32 = 1000;
        self.useless += 1;
        match self.deadline {
            Deadline::Now if self.useless < SOME => Ok(()),
            Deadline::Now => Err(Error::new(Status::WouldBlock, "nothing of use came")),
            deadline if deadline.is_over() => Err(Error::new(Status::Timeout, "nothing of use came in the time given")),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn negative_never_ends_and_zero_is_over_at_once() {
        assert_eq!(Deadline::from_ms(-1).poll_ms(), -1);
        assert!(Deadline::from_ms(0).is_over());
        assert!(!Deadline::from_ms(60_000).is_over());
        assert!(Deadline::from_ms(i64::MAX)
            .remaining()
            .is_none_or(|d| d > Duration::from_secs(1)));
    }
}
