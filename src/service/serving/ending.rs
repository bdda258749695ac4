//! How a service ends: stopped, closed, or after a fault of its threads.

use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::Duration;

use super::pool::{Phase, HANDLER_OF};
use super::{closed, Inner, Registration, Service, UNREGISTER_LIMIT};
use crate::connection::clock::Deadline;
use crate::connection::log::log_line;
use crate::connection::process::lock;
use crate::error::{Error, Result, Status};
use crate::messaging::channel::Channel;
use crate::messaging::message::Message;
use crate::service::desk::refuse;

/// So long it goes on refusing while somebody is connected, who may not have heard yet that it is gone.
const FAREWELL: Duration = Duration::from_millis(500);
/// So long closing waits for handlers.
const CLOSING_LIMIT: Duration = Duration::from_secs(10);

impl Service {
    /// Takes the service out of the registry, refuses new requests with CLOSED, waits until those that it has are
    /// answered, and closes. TIMEOUT where that takes longer: it is closed all the same, and what is left is answered
    /// with an error. Where a registry answers late, it hears of it by the end of the lease. In a handler
    /// it waits for nothing, as its request is among them: stop it from another thread.
    pub fn stop(&self, deadline: Deadline) -> Result<()> {
        self.end(deadline, Deadline::after(UNREGISTER_LIMIT).min(deadline))
    }

    /// As `stop`, at once: what is not answered is answered with an error. Handlers under way are waited for, at most
    /// for 10 s (then TIMEOUT); in a handler they are not. CLOSED where it was closed or stopped before; a `stop` that
    /// still waits ends with that, too.
    pub fn close(&self) -> Result<()> {
        self.end(Deadline::Now, Deadline::after(self.inner.linger.min(UNREGISTER_LIMIT)))
    }

    fn end(&self, deadline: Deadline, unregister_limit: Deadline) -> Result<()> {
        self.check_process()?;
        let inner = &self.inner;
        // One that failed is not closed yet, for its owner.
        let closed_already = self.check();
        if inner.ending.failure().is_none() {
            closed_already?;
        }
        if std::mem::replace(&mut lock(&inner.pool).stopping, true) {
            if matches!(deadline, Deadline::Now) {
                inner.cut_short.store(true, Ordering::Release);
                inner.desk.changed.notify();
            }
            return Err(closed());
        }
        // First of all: so nobody new comes.
        inner.withdraw(unregister_limit);
        // Those of a `start` under way are there.
        let threads = std::mem::take(&mut *lock(&self.threads));
        {
            let mut pool = lock(&inner.pool);
            pool.phase = pool.phase.max(Phase::Refusing);
        }
        inner.needed.notify_all();
        let in_handler = HANDLER_OF.get() == Arc::as_ptr(inner) as usize;
        let cut_short = || inner.cut_short.load(Ordering::Acquire);
        inner.wait_until(deadline, || inner.desk.is_empty() || in_handler || cut_short());
        let finished = inner.desk.is_empty() || in_handler;
        if !cut_short() && !threads.is_empty() && !in_handler {
            let farewell = Deadline::after(FAREWELL).min(deadline);
            inner.wait_until_left_alone(farewell);
        }
        inner.refuse_waiting();
        if !in_handler {
            inner
                .desk
                .refuse_all(Status::Remote, "the service stopped before it had answered");
        }
        lock(&inner.pool).phase = Phase::Closed;
        let closed = inner.response.close();
        inner.needed.notify_all();
        let failure = inner.ending.failure();
        if failure.is_none() {
            closed?;
        }
        let ended = in_handler
            || inner.wait_until(Deadline::after(CLOSING_LIMIT), || {
                inner.threads.load(Ordering::Acquire) == 0
            });
        if ended && !in_handler {
            for thread in threads {
                if thread.join().is_err() {
                    log_line!(Error, "service", "a thread of '{}' had panicked", inner.name);
                }
            }
            *lock(&inner.handlers) = Arc::default();
        }
        inner.ending.tell(Ok(()));
        let late = "requests under way took longer than the time given";
        if let (Some(failure), false) = (failure, matches!(deadline, Deadline::Now)) {
            // What it had was not finished.
            return Err(failure);
        }
        match (finished, ended, deadline) {
            (true, true, _) | (false, true, Deadline::Now) => Ok(()),
            (false, _, _) if cut_short() => Err(self::closed()),
            _ => Err(Error::new(Status::Timeout, late)),
        }
    }
}

impl Inner {
    /// Takes it out of the registry, where it is there.
    pub(super) fn withdraw(&self, limit: Deadline) {
        let registration = std::mem::replace(&mut *lock(&self.registration), Registration::None);
        if let Registration::Done(id) = registration {
            if let Err(error) = self.registry.unregister(id, limit) {
                log_line!(Warning, "service", "'{}' could not be unregistered: {error}", self.name);
            }
        }
    }

    pub(super) fn refuse_waiting(&self) {
        let waiting = lock(&self.pool).waiting.take();
        for origin in waiting.iter().filter_map(Message::origin_ref) {
            refuse(origin, Status::Closed, "the service has stopped; nothing was done");
        }
    }

    fn wait_until(&self, deadline: Deadline, is_so: impl Fn() -> bool) -> bool {
        loop {
            let before = self.desk.changed.now();
            if is_so() {
                return true;
            }
            if !self.desk.changed.wait(before, deadline) {
                return is_so();
            }
        }
    }

    /// Until nobody is connected any more: service clients leave when they hear that the service is gone.
    fn wait_until_left_alone(&self, deadline: Deadline) {
        for socket in self.response.sockets().iter() {
            socket.peers.wait_for_none(deadline);
        }
    }
}
