//! The threads of a service. One thread more than there are workers takes turns: one receives, the others run
//! handlers; who received a request runs its handler, and wakes another to receive.
//!
//! Waking a thread costs more than a short handler. So where handlers were short lately, and nothing more waits, nobody is
//! woken: who received comes back to it soon. A thread on the lookout takes over where that takes longer than a tick.

use std::cell::Cell;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard};
use std::time::{Duration, Instant};

use super::queue::Queue;
use super::{Inner, UNREGISTER_LIMIT};
use crate::connection::clock::Deadline;
use crate::connection::ending::caught;
use crate::connection::linux::with_signals_blocked;
use crate::connection::log::log_line;
use crate::connection::own_thread::OwnThread;
use crate::connection::process::lock;
use crate::error::{Error, Result, Status};
use crate::messaging::channel::Channel;
use crate::messaging::message::{Message, MessageKind};
use crate::service::desk::refuse;

/// Handlers that take less are short.
const SHORT: Duration = Duration::from_micros(100);
/// How often the lookout looks.
const TICK: Duration = Duration::from_millis(2);

thread_local! {
    /// A handler of which service runs on this thread.
    pub(super) static HANDLER_OF: Cell<usize> = const { Cell::new(0) };
}

/// What a service does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    Made,
    Serving,
    /// It finishes what it has.
    Refusing,
    Closed,
}

/// What the threads of a service share.
pub(super) struct Pool {
    pub phase: Phase,
    pub stopping: bool,
    /// Somebody receives.
    pub receiving: bool,
    /// Nobody receives: who did runs a handler, and is expected back soon.
    pub deferred: bool,
    /// How often that was so.
    pub turn: u64,
    /// A thread looks every tick whether that takes too long.
    pub lookout: bool,
    /// The longest handler of late.
    pub longest: Duration,
    pub running: usize,
    /// How many handlers may run at once.
    pub workers: usize,
    pub waiting: Queue,
}

impl Pool {
    pub fn new(waiting: Queue) -> Pool {
        Pool {
            phase: Phase::Made,
            stopping: false,
            receiving: false,
            deferred: false,
            turn: 0,
            lookout: false,
            longest: TICK,
            running: 0,
            workers: 0,
            waiting,
        }
    }
}

impl Inner {
    pub(super) fn start_thread(self: &Arc<Inner>) -> Result<OwnThread> {
        let own = Arc::clone(self);
        self.threads.fetch_add(1, Ordering::AcqRel);
        let spawned = with_signals_blocked(|| {
            std::thread::Builder::new()
                .name("dividere-serve".into())
                .spawn(move || {
                    let ended = caught(|| own.run());
                    own.ended(ended);
                    own.threads.fetch_sub(1, Ordering::AcqRel);
                    own.desk.changed.notify();
                })
        });
        spawned.map(OwnThread::new).map_err(|error| {
            self.threads.fetch_sub(1, Ordering::AcqRel);
            Error::new(Status::Limit, format!("cannot start a thread of a service: {error}"))
        })
    }

    /// One of the threads has. Where that is a fault nobody is served any more: whoever asked hears of it, and it is not
    /// to be found.
    fn ended(&self, how: Result<()>) {
        let Err(error) = how else { return };
        let end_threads = || {
            lock(&self.pool).phase = Phase::Closed;
            self.needed.notify_all();
        };
        if error.status() == Status::Closed {
            // By its owner, who does the rest, or at the exit of the process.
            log_line!(Debug, "service", "'{}' ends: {error}", self.name);
            self.ending.tell(Ok(()));
            return end_threads();
        }
        log_line!(Error, "service", "'{}' failed, and is closed: {error}", self.name);
        let failure = error.context(format!("the service '{}' failed", self.name));
        self.ending.tell(Err(failure));
        end_threads();
        self.refuse_waiting();
        self.desk
            .refuse_all(Status::Remote, "the service failed before it had answered");
        if let Err(error) = self.response.close() {
            log_line!(Debug, "service", "closing '{}' after its end: {error}", self.name);
        }
        self.withdraw(Deadline::after(UNREGISTER_LIMIT));
        self.desk.changed.notify();
    }

    fn run(&self) -> Result<()> {
        HANDLER_OF.set(self as *const Inner as usize);
        let (mut request, mut reply) = (Message::new(), Message::new());
        let mut pool = lock(&self.pool);
        loop {
            if pool.phase == Phase::Closed {
                return Ok(());
            }
            if pool.running < pool.workers {
                if let Some(mut next) = pool.waiting.pop() {
                    pool = self.serve(pool, &mut next, &mut reply);
                    continue;
                }
            }
            if pool.deferred && !pool.lookout {
                pool = self.look_out(pool);
                continue;
            }
            if pool.receiving || pool.deferred || pool.phase == Phase::Made {
                pool = self.needed.wait(pool).unwrap_or_else(|p| p.into_inner());
                continue;
            }
            pool.receiving = true;
            drop(pool);
            let received = self.response.take(&mut request, true, Deadline::Never);
            pool = lock(&self.pool);
            pool.receiving = false;
            match received {
                Ok(origin) if pool.phase >= Phase::Refusing => {
                    drop(pool);
                    refuse(&origin, Status::Closed, "the service stops; nothing was done");
                    pool = lock(&self.pool);
                }
                Ok(origin) if pool.running < pool.workers && pool.waiting.is_empty() => {
                    self.desk.enter(&origin);
                    let turn = self.hand_over(&mut pool);
                    pool = self.serve(pool, &mut request, &mut reply);
                    if turn == Some(pool.turn) {
                        pool.deferred = false;
                    }
                }
                Ok(origin) if pool.waiting.has_room_for(&request) => {
                    self.desk.enter(&origin);
                    pool.waiting.push(std::mem::take(&mut request));
                }
                Ok(origin) => {
                    drop(pool);
                    refuse(&origin, Status::Busy, "too many requests wait; nothing was done");
                    pool = lock(&self.pool);
                }
                Err(error) => return Err(error),
            }
            request.clear();
        }
    }

    /// Before a handler is run by who received: lets another one receive, unless it is sure to be short; then the number
    /// of this turn.
    fn hand_over(&self, pool: &mut Pool) -> Option<u64> {
        let more_to_do = pool.workers > 1 && self.response.is_readable();
        if pool.longest >= SHORT || more_to_do || pool.phase != Phase::Serving {
            self.needed.notify_one();
            return None;
        }
        pool.turn += 1;
        pool.deferred = true;
        if !pool.lookout {
            self.needed.notify_one();
        }
        Some(pool.turn)
    }

    /// Takes over where the one who runs a handler does not come back to receive. Looks on as long as there are
    /// requests, so that it is woken for the first of them only.
    fn look_out<'a>(&'a self, mut pool: MutexGuard<'a, Pool>) -> MutexGuard<'a, Pool> {
        pool.lookout = true;
        loop {
            let turn = pool.turn;
            pool = self
                .needed
                .wait_timeout(pool, TICK)
                .unwrap_or_else(|p| p.into_inner())
                .0;
            if pool.phase != Phase::Serving || pool.turn == turn {
                // A tick without a request, or the same handler still: whoever has that turn sees that it is over.
                pool.deferred = false;
                pool.turn += 1;
                pool.lookout = false;
                return pool;
            }
        }
    }

    fn serve<'a>(
        &'a self,
        mut pool: MutexGuard<'a, Pool>,
        request: &mut Message,
        reply: &mut Message,
    ) -> MutexGuard<'a, Pool> {
        pool.running += 1;
        drop(pool);
        let began = Instant::now();
        self.handle(request, reply);
        // Where nobody keeps it and nobody answered, that is answered now.
        request.clear();
        reply.clear();
        let took = began.elapsed();
        let mut pool = lock(&self.pool);
        pool.longest = took.max(pool.longest * 7 / 8);
        pool.running -= 1;
        pool
    }

    fn handle(&self, request: &mut Message, reply: &mut Message) {
        let Some(origin) = request.origin_ref().cloned() else {
            return;
        };
        if let Err(error) = request.decode() {
            self.response.count_decode_error();
            return refuse(&origin, Status::Decode, error.text());
        }
        let handlers = Arc::clone(&lock(&self.handlers));
        let name = request.type_name().unwrap_or_default();
        let Some(handler) = handlers.by_type.get(name).or(handlers.default.as_ref()).cloned() else {
            let text = format!("'{}' has no handler for {name}", self.name);
            return refuse(&origin, Status::Unsupported, &text);
        };
        drop(handlers);
        reply.clear();
        // Let go of in there, too: where it was replaced meanwhile, it has the user's destructors.
        let (lent_request, lent_reply) = (&mut *request, &mut *reply);
        let called = catch_unwind(AssertUnwindSafe(move || handler(lent_request, lent_reply)));
        let outcome = called.unwrap_or_else(|panic| Err(Error::of_handler_panic(panic.as_ref())));
        let answered = match outcome {
            Ok(()) if reply.kind() != MessageKind::Empty => origin.reply(reply.frame_mut()),
            // It answered, or keeps a clone; or else letting go of it is answered.
            Ok(()) => return,
            Err(error) => {
                log_line!(Info, "service", "a handler of '{}' failed: {error}", self.name);
                return refuse(&origin, Status::Remote, &error.to_string());
            }
        };
        let Err(error) = answered else { return };
        log_line!(Info, "service", "a reply of '{}' was not sent: {error}", self.name);
        if origin.is_open() {
            refuse(
                &origin,
                Status::Remote,
                &format!("the reply could not be sent: {error}"),
            );
        }
    }
}
