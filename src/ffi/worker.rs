//! The worker of the load balancer.

use std::ffi::{c_char, c_void};
use std::sync::Arc;

use super::bytes::{place_or_none, text};
use super::callback::{dividere_destructor_t, Context};
use super::guard::{forget_last_error, guard, guard_closing, outcome};
use super::handle::{close, find, insert};
use super::message::{dividere_message_t, lend, message};
use super::options::{dividere_options_t, options_or_default};
use super::socket::dividere_socket_t;
use super::status::dividere_status_t;
use crate::connection::clock::Deadline;
use crate::error::{Error, Status};
use crate::messaging::balancing::Worker;
use crate::messaging::channel::Channel;
use crate::messaging::message::Message;

/// Serves what brokers hand it: as many requests at once, from each broker, as DIVIDERE_OPTION_WORKER_CAPACITY says. A
/// thread of its own answers the brokers, also while all handlers work, and announces the worker again when a broker
/// comes back.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct dividere_worker_t {
    /// Its number; 0 for none.
    pub id: u64,
}

/// Serves one request. Both messages are lent for the call: what is prepared in `reply` is the answer; or `request` is
/// answered by dividere_message_reply, at once or later by a clone. Returns OK, or what went wrong, which the asker is
/// told, with the last error of this thread (see dividere_fail). A request that is no envelope comes as bytes. Runs on
/// several threads at once where the capacity is more than 1; may call anything, closing the worker included.
pub type dividere_worker_handler_t = Option<
    unsafe extern "C" fn(
        context: *mut c_void,
        worker: dividere_worker_t,
        request: *mut dividere_message_t,
        reply: *mut dividere_message_t,
    ) -> dividere_status_t,
>;

/// Makes a worker, which connects to each of the comma-separated endpoints ("@" in front binds), the back end of a
/// broker each. NULL options are the defaults; its name is a random UUID unless the option identity says otherwise.
/// Fails as dividere_publisher_new.
#[no_mangle]
pub unsafe extern "C" fn dividere_worker_new(
    endpoints: *const c_char,
    options: *const dividere_options_t,
    worker: *mut dividere_worker_t,
) -> dividere_status_t {
    guard(|| {
        let mut place = place_or_none(worker, dividere_worker_t { id: 0 }, "worker")?;
        let made = Worker::new(text(endpoints, "endpoints")?, &options_or_default(options))?;
        place.set(dividere_worker_t { id: insert(made)? });
        Ok(())
    })
}

/// Closes a worker at once: blocked calls return CLOSED, and what it has not answered is lost with it, which a broker
/// notices and makes up for. Waits for handlers under way, at most for 10 s (then TIMEOUT); in a handler it does not.
#[no_mangle]
pub extern "C" fn dividere_worker_close(worker: dividere_worker_t) -> dividere_status_t {
    guard_closing(|| close::<Worker>(worker.id))
}

/// The view that carries what all roles share. Nothing to be closed. A reactor does not take it.
#[no_mangle]
pub extern "C" fn dividere_worker_socket(worker: dividere_worker_t) -> dividere_socket_t {
    dividere_socket_t { id: worker.id }
}

/// Calls `handler` for each request from now on, on as many threads as the worker has capacity. STATE where it has a
/// handler already.
#[no_mangle]
pub unsafe extern "C" fn dividere_worker_serve(
    worker: dividere_worker_t,
    handler: dividere_worker_handler_t,
    context: *mut c_void,
    destructor: dividere_destructor_t,
) -> dividere_status_t {
    let context = Context::new(context, destructor);
    guard(move || {
        let function = handler.ok_or_else(|| Error::new(Status::NullPointer, "handler is NULL"))?;
        find::<Worker>(worker.id)?.serve(Arc::new(move |request: &mut Message, reply: &mut Message| {
            forget_last_error();
            // SAFETY: the host's function, with its own context; the messages are lent for the call.
            outcome(unsafe { function(context.pointer(), worker, lend(request), lend(reply)) })
        }))
    })
}

/// Receives the next request, to be answered by dividere_message_reply, at any time and from any thread. One that is no
/// envelope is answered with an error at once, and comes back as DECODE with its bytes in the message.
#[no_mangle]
pub unsafe extern "C" fn dividere_worker_recv(
    worker: dividere_worker_t,
    message: *mut dividere_message_t,
    timeout_ms: i64,
) -> dividere_status_t {
    guard(|| find::<Worker>(worker.id)?.recv(self::message(message)?, Deadline::from_ms(timeout_ms)))
}

/// Receives the next request as it is, without looking for an envelope.
#[no_mangle]
pub unsafe extern "C" fn dividere_worker_recv_bytes(
    worker: dividere_worker_t,
    message: *mut dividere_message_t,
    timeout_ms: i64,
) -> dividere_status_t {
    guard(|| find::<Worker>(worker.id)?.recv_bytes(self::message(message)?, Deadline::from_ms(timeout_ms)))
}

/// Takes no more requests, tells the brokers so, waits until those that the worker has are answered, and closes it.
/// TIMEOUT where that takes longer: it is closed all the same. Not to be called in a handler, whose request it would
/// wait for.
#[no_mangle]
pub extern "C" fn dividere_worker_stop(worker: dividere_worker_t, timeout_ms: i64) -> dividere_status_t {
    guard(|| find::<Worker>(worker.id)?.stop(Deadline::from_ms(timeout_ms)))
}

/// Waits until the worker has ended. OK where it was closed meanwhile; where one of its own threads failed, what went
/// wrong: it is closed then, and so is all that it was bound to, but its handle is still to be closed. TIMEOUT, or
/// WOULD_BLOCK where the timeout is 0, while it is open. To be told that nobody is served any more, on a thread of yours.
#[no_mangle]
pub extern "C" fn dividere_worker_wait_ended(worker: dividere_worker_t, timeout_ms: i64) -> dividere_status_t {
    guard(|| find::<Worker>(worker.id)?.wait_ended(Deadline::from_ms(timeout_ms)))
}
