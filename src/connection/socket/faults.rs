//! Faults that tests make: what nothing outside of the process can bring about.

use std::sync::Mutex;

use crate::connection::process::lock;
use crate::connection::socket::Socket;
use crate::error::{Error, Result, Status};

/// What happens to whoever receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Error,
    Panic,
}

#[derive(Default)]
pub(super) struct Fault(Mutex<Option<Kind>>);

impl Fault {
    pub fn strike(&self) -> Result<()> {
        let kind = *lock(&self.0);
        match kind {
            None => Ok(()),
            Some(Kind::Error) => Err(Error::new(Status::OutOfMemory, "a fault that a test made")),
            Some(Kind::Panic) => panic!("a fault that a test made"),
        }
    }
}

impl Socket {
    /// From now on whoever receives, those who sleep included, meets this.
    pub(crate) fn fail_receiving(&self, kind: Kind) {
        *lock(&self.fault.0) = Some(kind);
        self.wake_readers();
    }
}
