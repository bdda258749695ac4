//! When a reactor runs, on which thread, and how it ends.

use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::thread::ThreadId;
use std::time::Duration;

use crate::connection::clock::Deadline;
use crate::connection::linux::with_signals_blocked;
use crate::connection::log::log_line;
use crate::connection::process::{generation, lock};
use crate::error::{Error, Result, Status};
use crate::messaging::reactor::handlers::Handlers;
use crate::messaging::reactor::{run, Inner, Reactor};

/// Held by whoever made the reactor.
pub(super) struct Owner(pub Arc<Inner>);

impl Drop for Owner {
    fn drop(&mut self) {
        // CLOSED where it was closed before, FORKED in a child; and nobody is there to wait.
        let _ended_already = Reactor::lent(&self.0).shut();
    }
}

impl Reactor {
    /// Runs on this thread until `stop`. STATE where it runs already.
    pub fn run(&self) -> Result<()> {
        self.check()?;
        self.begin(std::thread::current().id())?;
        run::run(&Reactor::lent(&self.inner));
        self.end();
        Ok(())
    }

    /// Runs on a thread of its own, named `name`, until `stop`. STATE where it runs already.
    pub fn start(&self, name: &str) -> Result<()> {
        self.check()?;
        if name.contains('\0') {
            return Err(Error::new(Status::InvalidArgument, "a thread's name holds no NUL"));
        }
        let (go, gone) = std::sync::mpsc::channel::<bool>();
        let own = Reactor::lent(&self.inner);
        let spawned = with_signals_blocked(|| {
            std::thread::Builder::new().name(name.to_owned()).spawn(move || {
                if gone.recv() == Ok(true) {
                    run::run(&own);
                    own.end();
                }
            })
        });
        let handle = spawned.map_err(|e| Error::new(Status::Limit, format!("cannot start a reactor's thread: {e}")))?;
        let begun = self.begin(handle.thread().id());
        if go.send(begun.is_ok()).is_err() {
            log_line!(Error, "reactor", "a reactor's thread ended before it began");
        }
        begun
    }

    fn begin(&self, thread: ThreadId) -> Result<()> {
        let mut running = lock(&self.inner.running);
        // Again, under the lock that closing takes: or the flag that closing set would be taken back below.
        self.check()?;
        if running.is_some() {
            return Err(Error::new(Status::State, "the reactor runs already"));
        }
        *running = Some(thread);
        self.inner.stopping.store(false, Ordering::Release);
        Ok(())
    }

    fn end(&self) {
        *lock(&self.inner.running) = None;
        self.inner.ended.notify();
    }

    pub fn is_running(&self) -> bool {
        lock(&self.inner.running).is_some()
    }

    /// Ends the loop after the handler that is under way, and waits for that. In a handler it does not wait.
    /// TIMEOUT where the handler takes longer; the loop ends after it all the same. What was not received stays.
    pub fn stop(&self, deadline: Deadline) -> Result<()> {
        self.check()?;
        self.inner.stopping.store(true, Ordering::Release);
        self.inner.ring.ring();
        self.wait_ended(deadline)
    }

    fn wait_ended(&self, deadline: Deadline) -> Result<()> {
        loop {
            let before = self.inner.ended.now();
            match *lock(&self.inner.running) {
                None => return Ok(()),
                Some(thread) if thread == std::thread::current().id() => return Ok(()),
                Some(_) => {}
            }
            if !self.inner.ended.wait(before, deadline) {
                return Err(Error::new(
                    Status::Timeout,
                    "the handler under way takes longer than the time given",
                ));
            }
        }
    }

    /// Stops it and lets go of its sources, handlers, timers and tasks. Their destructors have run when this returns,
    /// but for what a handler under way still uses.
    pub fn close(&self) -> Result<()> {
        const LIMIT: Duration = Duration::from_secs(10);
        self.shut()?;
        let ended = self.wait_ended(Deadline::after(LIMIT));
        self.let_go();
        ended
    }

    /// Tells the loop to end for good.
    fn shut(&self) -> Result<()> {
        self.check()?;
        {
            let _not_beginning = lock(&self.inner.running);
            if self.inner.closed.swap(true, Ordering::AcqRel) {
                return Err(Error::new(Status::Closed, "the reactor is closed"));
            }
            self.inner.stopping.store(true, Ordering::Release);
        }
        self.inner.ring.ring();
        Ok(())
    }

    fn let_go(&self) {
        let ids: Vec<u64> = lock(&self.inner.sources).keys().copied().collect();
        for id in ids {
            self.forget(id);
        }
        self.change_handlers(|handlers| *handlers = Handlers::default());
        let timers = std::mem::take(&mut *lock(&self.inner.timers));
        drop(timers);
        let tasks = std::mem::take(&mut *lock(&self.inner.tasks));
        drop(tasks);
    }
}

impl Drop for Inner {
    /// Nobody runs it and nobody has it: its sources may be received from directly again.
    fn drop(&mut self) {
        if self.generation != generation() {
            // The parent's.
            return;
        }
        let sources = self.sources.get_mut().unwrap_or_else(|poisoned| poisoned.into_inner());
        for source in sources.values() {
            self.epoll.remove(source.fd);
            source.release();
        }
    }
}
