//! The loop: wait, receive, call. Sources take turns, so that a flooded one holds nobody up.

use std::any::Any;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::connection::log::log_line;
use crate::connection::process::lock;
use crate::error::{Error, Result, Status};
use crate::messaging::message::{Message, MessageKind};
use crate::messaging::reactor::{handlers::Handlers, Delivery, Reactor, Source};

/// The key of the reactor's own eventfd; sockets are numbered from 1.
pub(super) const RING: u64 = 0;

pub(super) fn key_of(id: u64) -> u64 {
    id
}

/// Messages from one source before the next one's turn.
const TURN: usize = 32;

/// While sources have messages, how often to look whether others have some now: that takes as long as several messages.
const LOOK_EVERY: Duration = Duration::from_micros(100);

pub(super) fn run(reactor: &Reactor) {
    let mut message = Message::new();
    let mut ready = Vec::new();
    // Sources that may have more: everything, at first.
    let mut active: Vec<u64> = lock(&reactor.inner.sources).keys().copied().collect();
    let mut looked = None;
    while !reactor.inner.stopping.load(Ordering::Acquire) {
        ready.clear();
        if active.is_empty() {
            reactor.inner.epoll.wait(&mut ready, time_to_next_timer(reactor));
        } else if looked.is_none_or(|looked: Instant| looked.elapsed() >= LOOK_EVERY) {
            reactor.inner.epoll.wait(&mut ready, 0);
            looked = Some(Instant::now());
        }
        for key in ready.drain(..) {
            if key == RING {
                reactor.inner.ring.quiet();
                run_tasks(reactor);
                // A source may have been added that has messages already.
                active = lock(&reactor.inner.sources).keys().copied().collect();
            } else if !active.contains(&key) {
                active.push(key);
            }
        }
        let mut had_messages = false;
        active.retain(|id| {
            let handled = take_turn(reactor, *id, &mut message);
            had_messages |= handled > 0;
            handled == TURN
        });
        if had_messages {
            lock(&reactor.inner.timers).busy(Instant::now());
        }
        run_timers(reactor);
    }
}

fn time_to_next_timer(reactor: &Reactor) -> i32 {
    match lock(&reactor.inner.timers).next() {
        None => -1,
        // Rounded up: early would only mean to wait again.
        Some(at) => {
            let left = at.saturating_duration_since(Instant::now());
            (left.as_micros().div_ceil(1000)).min(i32::MAX as u128) as i32
        }
    }
}

/// What was posted so far; what these tasks post has its turn after the sources.
fn run_tasks(reactor: &Reactor) {
    let count = lock(&reactor.inner.tasks).len();
    for _ in 0..count {
        let Some(task) = lock(&reactor.inner.tasks).pop_front() else {
            return;
        };
        guarded("a posted function", || task(reactor));
        if reactor.inner.stopping.load(Ordering::Acquire) {
            // The others wait for the next run.
            reactor.inner.ring.ring();
            return;
        }
    }
}

fn run_timers(reactor: &Reactor) {
    let now = Instant::now();
    while !reactor.inner.stopping.load(Ordering::Acquire) {
        let Some(callback) = lock(&reactor.inner.timers).take_due(now) else {
            return;
        };
        guarded("a timer", || callback(reactor));
    }
}

fn guarded(what: &str, f: impl FnOnce()) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(f)) {
        log_line!(Error, "reactor", "{what} panicked: {}", panic_text(&panic));
    }
}

fn panic_text(panic: &Box<dyn Any + Send>) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("(no text)")
}

/// Handles up to TURN messages of one source; fewer mean that it has no more now.
fn take_turn(reactor: &Reactor, id: u64, message: &mut Message) -> usize {
    let Some(source) = lock(&reactor.inner.sources).get(&id).cloned() else {
        return 0;
    };
    let mut handlers = None;
    for handled in 0..TURN {
        if handled > 0 && (reactor.inner.stopping.load(Ordering::Acquire) || source.removed.load(Ordering::Acquire)) {
            return handled;
        }
        match source.channel.recv_reserved(message) {
            Ok(false) => {}
            Ok(true) => {
                dispatch(reactor, &source, handlers_of_now(reactor, &mut handlers), message);
            }
            Err(error) if error.status() == Status::WouldBlock => return handled,
            Err(error) => {
                if error.status() != Status::Closed {
                    log_line!(Error, "reactor", "a {} is removed: {error}", source.channel.role());
                }
                reactor.forget(id);
                return handled;
            }
        }
        // Lets go of the way back: a request that nobody answered and nobody keeps is answered with an error now.
        message.clear();
    }
    TURN
}

/// The table of handlers: the one that is known, unless the handler before, or anybody else, has changed it.
fn handlers_of_now<'a>(reactor: &Reactor, known: &'a mut Option<(u64, Arc<Handlers>)>) -> &'a Handlers {
    let inner = &reactor.inner;
    let version = inner.handlers_version.load(Ordering::Acquire);
    if known.as_ref().is_some_and(|(of, _)| *of != version) {
        *known = None;
    }
    let (_, handlers) = known.get_or_insert_with(|| {
        let slot = lock(&inner.handlers);
        (inner.handlers_version.load(Ordering::Acquire), Arc::clone(&slot))
    });
    handlers
}

fn dispatch(reactor: &Reactor, source: &Arc<Source>, handlers: &Handlers, message: &mut Message) {
    let delivery = Delivery {
        reactor,
        source: &source.channel,
        tag: source.tag,
    };
    let result = handle(&delivery, handlers, message);
    let Err(error) = result else { return };
    if let Some(origin) = message.origin_ref().filter(|origin| origin.is_open() && origin.owes()) {
        let status = if error.status() == Status::NotFound {
            Status::NotFound
        } else {
            Status::Remote
        };
        if let Err(unsent) = origin.refuse(status, error.text()) {
            log_line!(Debug, "reactor", "cannot tell a requester of an error: {unsent}");
        }
    }
    match &handlers.error {
        Some(handler) => guarded("the error handler", || handler(&delivery, message, &error)),
        None => log_line!(
            Warning,
            "reactor",
            "a message from a {}: {error}",
            source.channel.role()
        ),
    }
}

fn handle(delivery: &Delivery<'_>, handlers: &Handlers, message: &mut Message) -> Result<()> {
    if let Some(error) = message
        .decode_error()
        .filter(|_| message.kind() == MessageKind::Undecodable)
    {
        return Err(Error::new(Status::Decode, error.to_string()));
    }
    let handler = match message.type_name() {
        Some(name) => handlers
            .find(name)
            .ok_or_else(|| Error::new(Status::NotFound, format!("there is no handler for {name}")))?,
        None => return Err(Error::new(Status::Decode, "the message has no type")),
    };
    catch_unwind(AssertUnwindSafe(|| handler(delivery, message))).unwrap_or_else(|panic| {
        Err(Error::new(
            Status::Internal,
            format!("a handler panicked: {}", panic_text(&panic)),
        ))
    })
}
