//! The requests that a service has and has not answered: how many, and their ways back.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::connection::log::log_line;
use crate::connection::peers::Signal;
use crate::connection::process::lock;
use crate::error::Status;
use crate::messaging::reply::{Origin, WeakOrigin};

/// Outlives its service where somebody keeps a request.
#[derive(Default)]
pub(super) struct Desk {
    open: Mutex<HashMap<u64, WeakOrigin>>,
    next: AtomicU64,
    /// One was answered, a thread ended, or the service changed what it does.
    pub changed: Signal,
}

impl Desk {
    /// Counts a request until it is answered, or nobody is left who could.
    pub fn enter(self: &Arc<Desk>, origin: &Origin) {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        lock(&self.open).insert(number, origin.downgrade());
        let desk = Arc::clone(self);
        if !origin.follow(Box::new(move || desk.leave(number))) {
            self.leave(number);
        }
    }

    fn leave(&self, number: u64) {
        let mut open = lock(&self.open);
        open.remove(&number);
        let last = open.is_empty();
        drop(open);
        if last {
            self.changed.notify();
        }
    }

    pub fn is_empty(&self) -> bool {
        lock(&self.open).is_empty()
    }

    /// Answers all that is left.
    pub fn refuse_all(&self, status: Status, text: &str) {
        let left = std::mem::take(&mut *lock(&self.open));
        for origin in left.values().filter_map(WeakOrigin::get).filter(Origin::is_open) {
            refuse(&origin, status, text);
        }
    }
}

/// Answers with an error, without waiting for whoever reads no answers.
pub(super) fn refuse(origin: &Origin, status: Status, text: &str) {
    if let Err(error) = origin.refuse(status, text) {
        // STATE where it was answered in this very moment.
        log_line!(Debug, "service", "cannot refuse a request: {error}");
    }
}
