//! The request.

use std::ffi::{c_char, c_void};

use super::bytes::{bytes, place, place_or_none, text};
use super::guard::{guard, guard_closing};
use super::handle::{close, find, insert};
use super::message::{dividere_message_t, message, two_messages};
use super::options::{dividere_options_t, options_or_default};
use super::socket::{dividere_socket_t, flag};
use super::status::dividere_status_t;
use crate::connection::clock::Deadline;
use crate::messaging::channel::Channel;
use crate::messaging::message::Message;
use crate::messaging::request::Request;

/// Asks, and gets an answer or an error in time. Never stuck: after a timeout the next request may be sent,
/// and a late reply to the old one is dropped and counted, never delivered.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct dividere_request_t {
    /// Its number; 0 for none.
    pub id: u64,
}

/// Makes a request, which connects to each of the comma-separated endpoints ("@" in front binds) and asks
/// them in turn. NULL options are the defaults. Fails as dividere_publisher_new.
#[no_mangle]
pub unsafe extern "C" fn dividere_request_new(
    endpoints: *const c_char,
    options: *const dividere_options_t,
    request: *mut dividere_request_t,
) -> dividere_status_t {
    guard(|| {
        let mut place = place_or_none(request, dividere_request_t { id: 0 }, "request")?;
        let made = Request::new(text(endpoints, "endpoints")?, &options_or_default(options))?;
        place.set(dividere_request_t { id: insert(made)? });
        Ok(())
    })
}

/// Closes a request: blocked calls return CLOSED.
#[no_mangle]
pub extern "C" fn dividere_request_close(request: dividere_request_t) -> dividere_status_t {
    guard_closing(|| close::<Request>(request.id))
}

/// The view that carries what all roles share. Nothing to be closed.
#[no_mangle]
pub extern "C" fn dividere_request_socket(request: dividere_request_t) -> dividere_socket_t {
    dividere_socket_t { id: request.id }
}

/// Sends `message` to the next endpoint that is connected and waits for its reply for `timeout_ms`
/// milliseconds; where none comes, and as soon as the connection is lost, sends again, to the next endpoint, up to
/// `retries` times: so it takes at most (retries + 1) timeouts, and a request may be served more than once. Several
/// threads may call at once.
/// A broker on the way (see dividere_broker_t) is told the timeout, and by retries that it may repeat the request.
/// `message` is empty afterwards, on success only; the two messages are different objects.
///
/// TIMEOUT where nobody answered. Where the other side answered with an error: its status (REMOTE where a
/// handler failed), with its text as the last error. A reply that is no envelope is no error here: `reply`
/// has the kind UNDECODABLE and its bytes.
#[no_mangle]
pub unsafe extern "C" fn dividere_request_call(
    request: dividere_request_t,
    message: *mut dividere_message_t,
    reply: *mut dividere_message_t,
    timeout_ms: i64,
    retries: u32,
) -> dividere_status_t {
    guard(|| {
        let (message, reply) = two_messages(message, reply, "reply")?;
        find::<Request>(request.id)?.call(message, reply, timeout_ms, retries)
    })
}

/// Sends `message` to the next endpoint that is connected, waiting for one for `timeout_ms` milliseconds, and gives
/// the number under which dividere_request_finish_call has the reply: a call whose caller waits in an event loop of
/// its own. Any number of them may be under way. A broker on the way is told whether the request may be repeated
/// (`may_repeat` 1) or not (0), and for how long the reply will be waited for. `message` is empty afterwards, on
/// success only.
#[no_mangle]
pub unsafe extern "C" fn dividere_request_start_call(
    request: dividere_request_t,
    message: *mut dividere_message_t,
    may_repeat: i32,
    reply_timeout_ms: i64,
    timeout_ms: i64,
    call: *mut u64,
) -> dividere_status_t {
    guard(|| {
        let mut place = place(call, "call")?;
        let message = self::message(message)?;
        let may_repeat = flag(may_repeat, "may_repeat")?;
        let deadline = Deadline::from_ms(timeout_ms);
        place.set(find::<Request>(request.id)?.start_call(message, may_repeat, reply_timeout_ms, deadline)?);
        Ok(())
    })
}

/// Receives the reply to what dividere_request_start_call sent; dividere_socket_fd is readable when there may be
/// one. After TIMEOUT, WOULD_BLOCK and CANCELLED it is still expected; after everything else the call is over.
/// UNREACHABLE as soon as the connection is lost, where the request may be repeated: start it again. NOT_FOUND where it was
/// over before. Else fails as dividere_request_call.
#[no_mangle]
pub unsafe extern "C" fn dividere_request_finish_call(
    request: dividere_request_t,
    call: u64,
    reply: *mut dividere_message_t,
    timeout_ms: i64,
) -> dividere_status_t {
    guard(|| find::<Request>(request.id)?.finish_call(call, message(reply)?, Deadline::from_ms(timeout_ms)))
}

/// Gives up what dividere_request_start_call sent: a reply to it is dropped and counted. NOT_FOUND where the call is
/// over.
#[no_mangle]
pub extern "C" fn dividere_request_abandon_call(request: dividere_request_t, call: u64) -> dividere_status_t {
    guard(|| find::<Request>(request.id)?.abandon_call(call))
}

/// Sends a request; the reply is received next. STATE where the reply to the one before was not received.
#[no_mangle]
pub unsafe extern "C" fn dividere_request_send(
    request: dividere_request_t,
    message: *mut dividere_message_t,
) -> dividere_status_t {
    guard(|| find::<Request>(request.id)?.send(self::message(message)?))
}

/// The same with bytes as they are, without an envelope, copied.
#[no_mangle]
pub unsafe extern "C" fn dividere_request_send_bytes(
    request: dividere_request_t,
    data: *const c_void,
    len: usize,
) -> dividere_status_t {
    guard(|| {
        let request = find::<Request>(request.id)?;
        request.send(&mut Message::from_bytes(bytes(data, len, "data")?)?)
    })
}

/// Receives the reply to what was sent. STATE where nothing was. After TIMEOUT the request is given up and
/// the next may be sent; after WOULD_BLOCK it is not. DECODE where the reply is no envelope; the status that
/// the other side answered with, where that was an error.
#[no_mangle]
pub unsafe extern "C" fn dividere_request_recv(
    request: dividere_request_t,
    message: *mut dividere_message_t,
    timeout_ms: i64,
) -> dividere_status_t {
    guard(|| find::<Request>(request.id)?.recv(self::message(message)?, Deadline::from_ms(timeout_ms)))
}

/// Receives the reply as it is, without looking for an envelope.
#[no_mangle]
pub unsafe extern "C" fn dividere_request_recv_bytes(
    request: dividere_request_t,
    message: *mut dividere_message_t,
    timeout_ms: i64,
) -> dividere_status_t {
    guard(|| find::<Request>(request.id)?.recv_bytes(self::message(message)?, Deadline::from_ms(timeout_ms)))
}
