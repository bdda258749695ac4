//! What wakes those who wait for a client of registries, and its own thread.

use crate::connection::linux::EventFd;
use crate::connection::peers::Signal;
use crate::error::Result;

/// Rings when a registry connects, and when the client is told something: for who waits on a condition, and for the
/// client's own thread.
pub(super) struct Bell {
    pub signal: Signal,
    pub ring: EventFd,
}

impl Bell {
    pub fn new() -> Result<Bell> {
        Ok(Bell {
            signal: Signal::default(),
            ring: EventFd::new()?,
        })
    }

    pub fn ring(&self) {
        self.signal.notify();
        self.ring.ring();
    }
}
