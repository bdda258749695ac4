//! The reactor.

use std::ffi::{c_char, c_void, CString};
use std::sync::Arc;
use std::time::Duration;

use super::bytes::{optional_text, place, place_or_none};
use super::callback::{dividere_destructor_t, Context};
use super::guard::{forget_last_error, guard, guard_closing, outcome};
use super::handle::{close, find, insert, keep_socket};
use super::message::{dividere_message_t, lend};
use super::socket::{dividere_socket_t, flag};
use super::status::dividere_status_t;
use crate::connection::clock::Deadline;
use crate::error::{Error, Result, Status};
use crate::messaging::message::Message;
use crate::messaging::reactor::{Delivery, ErrorHandler, Handler, Reactor, TimerId};

/// Calls a function for each message that arrives at any of its sources, one after the other on one thread,
/// its own or the caller's. Nothing ends it but stopping or closing it: what cannot be handled goes to the
/// error handler, and a request that is left unanswered is answered with an error.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct dividere_reactor_t {
    /// Its number; 0 for none.
    pub id: u64,
}

/// Where a message came from, as its handler is told; valid for the call.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct dividere_delivery_t {
    /// The reactor that calls.
    pub reactor: dividere_reactor_t,
    /// The source, as it was added.
    pub source: dividere_socket_t,
}

/// Handles one message: borrowed for the call, not to be freed; dividere_message_clone keeps it. Returns OK,
/// or what went wrong, which a requester is told (as REMOTE, with the last error of this thread, see
/// dividere_fail) and the error handler, too. Reactor and source may be changed, stopped and closed inside.
pub type dividere_handler_t = Option<
    unsafe extern "C" fn(
        context: *mut c_void,
        delivery: *const dividere_delivery_t,
        message: *mut dividere_message_t,
    ) -> dividere_status_t,
>;

/// Is told what could not be handled: DECODE for an undecodable message, NOT_FOUND for one that no handler is
/// for, else what the handler returned; with words, and the message at fault, both valid for the call.
pub type dividere_error_handler_t = Option<
    unsafe extern "C" fn(
        context: *mut c_void,
        delivery: *const dividere_delivery_t,
        message: *mut dividere_message_t,
        status: dividere_status_t,
        text: *const c_char,
    ),
>;

/// A function for timers, the idle hook and dividere_reactor_post; runs on the reactor's thread.
pub type dividere_task_t = Option<unsafe extern "C" fn(context: *mut c_void, reactor: dividere_reactor_t)>;

/// Makes a reactor without sources. It does not run yet.
#[no_mangle]
pub unsafe extern "C" fn dividere_reactor_new(reactor: *mut dividere_reactor_t) -> dividere_status_t {
    guard(|| {
        let mut place = place_or_none(reactor, dividere_reactor_t { id: 0 }, "reactor")?;
        place.set(dividere_reactor_t {
            id: insert(Reactor::new()?)?,
        });
        Ok(())
    })
}

/// Stops a reactor and lets go of its sources, handlers, timers and tasks; their destructors have run when this
/// returns, but for the one of a callback that is under way. The sources stay open. TIMEOUT where a callback
/// takes longer than 10 s; the reactor ends after it all the same.
#[no_mangle]
pub extern "C" fn dividere_reactor_close(reactor: dividere_reactor_t) -> dividere_status_t {
    guard_closing(|| close::<Reactor>(reactor.id))
}

/// Receives from a subscriber, response or dealer from now on. The reactor holds a reference; to receive from
/// the socket directly is STATE until it is removed, and closing it removes it. STATE where a reactor has it
/// already; UNSUPPORTED for a publisher or a request.
#[no_mangle]
pub extern "C" fn dividere_reactor_add(reactor: dividere_reactor_t, socket: dividere_socket_t) -> dividere_status_t {
    guard(|| {
        let channel = keep_socket(socket.id)?;
        find::<Reactor>(reactor.id)?.add(&channel, socket.id)
    })
}

/// Receives from a source no more; a handler that is under way finishes. NOT_FOUND where it is none.
#[no_mangle]
pub extern "C" fn dividere_reactor_remove(reactor: dividere_reactor_t, socket: dividere_socket_t) -> dividere_status_t {
    guard(|| {
        let channel = keep_socket(socket.id)?;
        find::<Reactor>(reactor.id)?.remove(&*channel)
    })
}

/// Calls `handler` for messages of the type `type_name` (full name), in place of the one set before; with NULL as
/// the name, for all that no other handler is for. A NULL `handler` ends it. From any thread, at any time.
#[no_mangle]
pub unsafe extern "C" fn dividere_reactor_on(
    reactor: dividere_reactor_t,
    type_name: *const c_char,
    handler: dividere_handler_t,
    context: *mut c_void,
    destructor: dividere_destructor_t,
) -> dividere_status_t {
    let context = Context::new(context, destructor);
    guard(move || {
        let type_name = optional_text(type_name, "type_name")?;
        let handler = handler.map(|function| -> Handler {
            Arc::new(move |delivery: &Delivery<'_>, message: &mut Message| {
                forget_last_error();
                let delivery = delivery_for_c(reactor, delivery);
                // SAFETY: the host's function, with its own context; the message is lent for the call.
                outcome(unsafe { function(context.pointer(), &delivery, lend(message)) })
            })
        });
        find::<Reactor>(reactor.id)?.set_handler(type_name, handler)
    })
}

/// Calls `handler` for what cannot be handled, in place of the one set before; a NULL `handler` ends it. Without
/// one these are lines in the log.
#[no_mangle]
pub unsafe extern "C" fn dividere_reactor_on_error(
    reactor: dividere_reactor_t,
    handler: dividere_error_handler_t,
    context: *mut c_void,
    destructor: dividere_destructor_t,
) -> dividere_status_t {
    let context = Context::new(context, destructor);
    guard(move || {
        let handler = handler.map(|function| -> ErrorHandler {
            Arc::new(move |delivery: &Delivery<'_>, message: &mut Message, error: &Error| {
                let delivery = delivery_for_c(reactor, delivery);
                let text = CString::new(error.text().replace('\0', "?")).unwrap_or_default();
                let status = error.status().code();
                // SAFETY: as above.
                unsafe { function(context.pointer(), &delivery, lend(message), status, text.as_ptr()) }
            })
        });
        find::<Reactor>(reactor.id)?.set_error_handler(handler)
    })
}

/// Calls `task` in `interval_ms` milliseconds, once (`repeat` 0) or again and again (1), and gives the number to
/// cancel it with, which may be NULL. A timer that repeats has an interval above 0.
#[no_mangle]
pub unsafe extern "C" fn dividere_reactor_add_timer(
    reactor: dividere_reactor_t,
    interval_ms: i64,
    repeat: i32,
    task: dividere_task_t,
    context: *mut c_void,
    destructor: dividere_destructor_t,
    timer: *mut u64,
) -> dividere_status_t {
    let context = Context::new(context, destructor);
    guard(move || {
        let function = task.ok_or_else(|| Error::new(Status::NullPointer, "task is NULL"))?;
        let (interval, repeat) = (interval_of(interval_ms)?, flag(repeat, "repeat")?);
        // SAFETY: the host's function, with its own context.
        let call = move |_: &Reactor| unsafe { function(context.pointer(), reactor) };
        let TimerId(number) = find::<Reactor>(reactor.id)?.add_timer(interval, repeat, call)?;
        if !timer.is_null() {
            place(timer, "timer")?.set(number);
        }
        Ok(())
    })
}

/// Ends a timer. NOT_FOUND where it is over, or was cancelled before.
#[no_mangle]
pub extern "C" fn dividere_reactor_cancel_timer(reactor: dividere_reactor_t, timer: u64) -> dividere_status_t {
    guard(|| find::<Reactor>(reactor.id)?.cancel_timer(TimerId(timer)))
}

/// Calls `task` whenever no message came for `interval_ms` milliseconds, in place of the one set before; a NULL
/// `task` ends it.
#[no_mangle]
pub unsafe extern "C" fn dividere_reactor_on_idle(
    reactor: dividere_reactor_t,
    interval_ms: i64,
    task: dividere_task_t,
    context: *mut c_void,
    destructor: dividere_destructor_t,
) -> dividere_status_t {
    let context = Context::new(context, destructor);
    guard(move || {
        let hook = task.map(|function| -> Arc<dyn Fn(&Reactor) + Send + Sync> {
            // SAFETY: the host's function, with its own context.
            Arc::new(move |_: &Reactor| unsafe { function(context.pointer(), reactor) })
        });
        find::<Reactor>(reactor.id)?.set_idle_hook(interval_of(interval_ms)?, hook)
    })
}

/// Runs `task` once on the reactor's thread, soon, in the order of posting; while it does not run, when it runs
/// again. The destructor is called after it, or when the reactor is closed before.
#[no_mangle]
pub unsafe extern "C" fn dividere_reactor_post(
    reactor: dividere_reactor_t,
    task: dividere_task_t,
    context: *mut c_void,
    destructor: dividere_destructor_t,
) -> dividere_status_t {
    let context = Context::new(context, destructor);
    guard(move || {
        let function = task.ok_or_else(|| Error::new(Status::NullPointer, "task is NULL"))?;
        // SAFETY: the host's function, with its own context.
        find::<Reactor>(reactor.id)?.post(Box::new(move |_| unsafe { function(context.pointer(), reactor) }))
    })
}

/// Runs on this thread until it is stopped or closed. STATE where it runs already.
#[no_mangle]
pub extern "C" fn dividere_reactor_run(reactor: dividere_reactor_t) -> dividere_status_t {
    guard(|| find::<Reactor>(reactor.id)?.run())
}

/// Runs on a thread of its own until it is stopped or closed. `name` is the thread's name, cut by the system after
/// 15 bytes; NULL for "dividere-react". STATE where it runs already.
#[no_mangle]
pub unsafe extern "C" fn dividere_reactor_start(reactor: dividere_reactor_t, name: *const c_char) -> dividere_status_t {
    guard(|| {
        let name = optional_text(name, "name")?.unwrap_or("dividere-react");
        find::<Reactor>(reactor.id)?.start(name)
    })
}

/// Ends the loop after the callback that is under way and waits for that; in a callback of its own it does not
/// wait. It can run again. TIMEOUT where the callback takes longer: the loop ends after it all the same.
#[no_mangle]
pub extern "C" fn dividere_reactor_stop(reactor: dividere_reactor_t, timeout_ms: i64) -> dividere_status_t {
    guard(|| find::<Reactor>(reactor.id)?.stop(Deadline::from_ms(timeout_ms)))
}

fn delivery_for_c(reactor: dividere_reactor_t, delivery: &Delivery<'_>) -> dividere_delivery_t {
    // A source's tag is its own handle.
    dividere_delivery_t {
        reactor,
        source: dividere_socket_t { id: delivery.tag },
    }
}

fn interval_of(interval_ms: i64) -> Result<Duration> {
    u64::try_from(interval_ms).map(Duration::from_millis).map_err(|_| {
        Error::new(
            Status::InvalidArgument,
            format!("interval_ms is {interval_ms}; 0 and more are allowed"),
        )
    })
}
