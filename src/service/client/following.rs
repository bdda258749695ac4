//! The thread of a service client: follows what is registered under its name, and keeps a connection to each instance.

use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{is_final, Inner};
use crate::connection::clock::Deadline;
use crate::connection::linux::{with_signals_blocked, Epoll};
use crate::connection::log::log_line;
use crate::connection::process::lock;
use crate::error::{Result, Status};
use crate::messaging::channel::Channel;
use crate::registry::watch::{Selection, Watch, WatchEventKind};
use crate::service::places::Task;

/// How long the thread asks a registry before it looks at everything else again.
const ASKING: Duration = Duration::from_secs(2);
/// After a registry could not be asked.
const PAUSE: Duration = Duration::from_millis(250);
const WATCH: u64 = 1;

impl Inner {
    pub(super) fn run(self: &Arc<Inner>, epoll: &Epoll) {
        let mut watch: Option<Watch> = None;
        let mut ready = Vec::new();
        let mut ask_at = Some(Instant::now());
        while !self.closed.load(Ordering::Acquire) {
            self.ring.quiet();
            self.renew();
            if let Some(of) = &watch {
                if let Err(error) = self.take_in(of) {
                    // A registry that serves no more watches can be asked still.
                    log_line!(Info, "service", "'{}' is not followed any more: {error}", self.name);
                    watch = None;
                    ask_at = Some(Instant::now());
                }
            }
            self.connect();
            let wished = {
                let state = lock(&self.state);
                state.asked_only && state.wished > state.looked
            };
            let due = ask_at.map_or(wished, |at| at <= Instant::now());
            if watch.is_none() && due {
                ask_at = match self.ask(epoll) {
                    Ok(found) => {
                        watch = found;
                        None
                    }
                    Err(error) => {
                        let over = is_final(error.status());
                        lock(&self.state).trouble = Some(error);
                        self.changed.notify();
                        Some(Instant::now() + PAUSE * if over { 4 } else { 1 })
                    }
                };
                continue;
            }
            let next = lock(&self.state).places.next_task_at().into_iter().chain(ask_at).min();
            epoll.wait(&mut ready, next.map_or(Deadline::Never, Deadline::At).poll_ms());
        }
    }

    /// Follows the name, where the registry can tell; or else looks it up.
    fn ask(&self, epoll: &Epoll) -> Result<Option<Watch>> {
        let wished = lock(&self.state).wished;
        match self
            .registry
            .watch(Selection::Name(&self.name), Deadline::after(ASKING))
        {
            Ok(watch) => {
                epoll.add(watch.fd()?, WATCH)?;
                lock(&self.state).told = Some(Vec::new());
                return Ok(Some(watch));
            }
            Err(error) if matches!(error.status(), Status::Unsupported | Status::Limit) => {}
            Err(error) => return Err(error),
        }
        // 2.2.0 answers one request a second, of all its clients.
        let found = self.registry.lookup_all(&self.name, Deadline::after(5 * ASKING))?;
        let ids: Vec<u64> = found.iter().map(|instance| instance.id).collect();
        let mut gone = Vec::new();
        {
            let mut state = lock(&self.state);
            for instance in found {
                gone.extend(state.places.put(instance));
            }
            gone.extend(state.places.keep_only(&ids));
            state.known = true;
            state.asked_only = true;
            state.looked = wished;
            state.trouble = None;
        }
        drop(gone);
        self.changed.notify();
        Ok(None)
    }

    /// What the watch tells. An error is its end.
    fn take_in(&self, watch: &Watch) -> Result<()> {
        loop {
            let event = match watch.recv(Deadline::Now) {
                Ok(event) => event,
                Err(error) if error.status() == Status::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            let mut gone = Vec::new();
            {
                let mut state = lock(&self.state);
                let id = event.instance.id;
                match event.kind {
                    WatchEventKind::Put => {
                        if let Some(told) = &mut state.told {
                            told.push(id);
                        }
                        gone.extend(state.places.put(event.instance));
                    }
                    WatchEventKind::Delete => gone.extend(state.places.delete(id)),
                    WatchEventKind::Complete => {
                        if let Some(told) = state.told.take() {
                            gone.extend(state.places.keep_only(&told));
                        }
                        state.known = true;
                        state.asked_only = false;
                        state.trouble = None;
                    }
                }
            }
            // Without the lock: the last one to let go closes the connection.
            drop(gone);
            self.changed.notify();
        }
    }

    /// Ends the calls over connections that were lost: they are made anew.
    fn renew(&self) {
        let lost = lock(&self.state).places.lost();
        if lost.is_empty() {
            return;
        }
        for place in &lost {
            log_line!(
                Info,
                "service",
                "the connection to '{}' at {} was lost",
                self.name,
                place.endpoint
            );
            if let Err(error) = place.request.end() {
                log_line!(Debug, "service", "cannot end calls to {}: {error}", place.endpoint);
            }
        }
        self.changed.notify();
    }

    /// Makes the connections that are missing. Those to a host with a name on a thread that is there for as long as there
    /// are such: the system's resolver may take its time, and nobody waits for it, at the end neither.
    fn connect(self: &Arc<Inner>) {
        let tasks = lock(&self.state).places.tasks(false);
        for task in &tasks {
            self.connect_to(task);
        }
        let mut state = lock(&self.state);
        if state.dialing || !state.places.has_task(true) {
            return;
        }
        state.dialing = true;
        drop(state);
        let own = Arc::clone(self);
        let spawned = with_signals_blocked(|| {
            let builder = std::thread::Builder::new().name("dividere-dns".into());
            builder.spawn(move || own.connect_by_name())
        });
        if let Err(error) = spawned {
            log_line!(Warning, "service", "no thread to look up names with: {error}");
            let mut state = lock(&self.state);
            state.dialing = false;
            state.places.put_off_names();
        }
    }

    fn connect_by_name(&self) {
        loop {
            let task = {
                let mut state = lock(&self.state);
                let over = self.closed.load(Ordering::Acquire);
                match state.places.tasks(true).into_iter().next() {
                    Some(task) if !over => task,
                    _ => {
                        state.dialing = false;
                        break;
                    }
                }
            };
            self.connect_to(&task);
        }
        // When the next one is due is looked at again.
        self.ring.ring();
    }

    fn connect_to(&self, task: &Task) {
        let made = self.dialer.connect(task);
        let unwanted = lock(&self.state).places.connected(task, made);
        // Without the lock: it is closed.
        drop(unwanted);
        self.changed.notify();
    }

    /// False where it takes longer.
    pub(super) fn wait_for_thread(&self, limit: Deadline) -> bool {
        loop {
            let before = self.changed.now();
            if self.thread_ended.load(Ordering::Acquire) {
                return true;
            }
            if !self.changed.wait(before, limit) {
                return self.thread_ended.load(Ordering::Acquire);
            }
        }
    }

    /// At the end.
    pub(super) fn let_go(&self) -> Result<()> {
        let places = lock(&self.state).places.clear();
        let closed = places.iter().try_for_each(|place| place.request.close());
        self.changed.notify();
        closed
    }
}
