//! The response.

use std::ffi::{c_char, c_void};

use super::bytes::{bytes, place_or_none, text};
use super::guard::{guard, guard_closing};
use super::handle::{close, find, insert};
use super::message::{dividere_message_t, failure, message};
use super::options::{dividere_options_t, options_or_default};
use super::socket::dividere_socket_t;
use super::status::dividere_status_t;
use crate::connection::clock::Deadline;
use crate::messaging::channel::Channel;
use crate::messaging::message::Message;
use crate::messaging::response::Response;

/// Serves requests, each answered exactly once: by dividere_response_send in turn with receiving, or by
/// dividere_message_reply at any time. What is never answered is answered with an error.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct dividere_response_t {
    /// Its number; 0 for none.
    pub id: u64,
}

/// Makes a response, which binds to each of the comma-separated endpoints that has a "*" ("@" in front binds,
/// too) and connects to the others. NULL options are the defaults. Fails as dividere_publisher_new.
#[no_mangle]
pub unsafe extern "C" fn dividere_response_new(
    endpoints: *const c_char,
    options: *const dividere_options_t,
    response: *mut dividere_response_t,
) -> dividere_status_t {
    guard(|| {
        let mut place = place_or_none(response, dividere_response_t { id: 0 }, "response")?;
        let made = Response::new(text(endpoints, "endpoints")?, &options_or_default(options))?;
        place.set(dividere_response_t { id: insert(made)? });
        Ok(())
    })
}

/// Closes a response: a request that waits for its reply is answered with an error, blocked calls return
/// CLOSED, and its addresses are free again when this returns.
#[no_mangle]
pub extern "C" fn dividere_response_close(response: dividere_response_t) -> dividere_status_t {
    guard_closing(|| close::<Response>(response.id))
}

/// The view that carries what all roles share. Nothing to be closed.
#[no_mangle]
pub extern "C" fn dividere_response_socket(response: dividere_response_t) -> dividere_socket_t {
    dividere_socket_t { id: response.id }
}

/// Receives the next request. One that is no envelope is answered with an error at once, and comes back as
/// DECODE with its bytes in the message. STATE where the request before is not answered yet, or where a
/// reactor has the socket.
#[no_mangle]
pub unsafe extern "C" fn dividere_response_recv(
    response: dividere_response_t,
    message: *mut dividere_message_t,
    timeout_ms: i64,
) -> dividere_status_t {
    guard(|| find::<Response>(response.id)?.recv(self::message(message)?, Deadline::from_ms(timeout_ms)))
}

/// Receives the next request as it is, without looking for an envelope.
#[no_mangle]
pub unsafe extern "C" fn dividere_response_recv_bytes(
    response: dividere_response_t,
    message: *mut dividere_message_t,
    timeout_ms: i64,
) -> dividere_status_t {
    guard(|| find::<Response>(response.id)?.recv_bytes(self::message(message)?, Deadline::from_ms(timeout_ms)))
}

/// Answers the request received last; `message` is empty afterwards, on success only. STATE where there is
/// none to answer; UNREACHABLE where the asker is gone.
#[no_mangle]
pub unsafe extern "C" fn dividere_response_send(
    response: dividere_response_t,
    message: *mut dividere_message_t,
) -> dividere_status_t {
    guard(|| find::<Response>(response.id)?.send(self::message(message)?))
}

/// The same with bytes as they are, without an envelope, copied.
#[no_mangle]
pub unsafe extern "C" fn dividere_response_send_bytes(
    response: dividere_response_t,
    data: *const c_void,
    len: usize,
) -> dividere_status_t {
    guard(|| {
        let response = find::<Response>(response.id)?;
        response.send(&mut Message::from_bytes(bytes(data, len, "data")?)?)
    })
}

/// Answers the request received last with an error: the asker's call returns `status` (REMOTE where a handler
/// failed) and finds `text` in its last error. INVALID_ARGUMENT where `status` is OK or none.
#[no_mangle]
pub unsafe extern "C" fn dividere_response_send_error(
    response: dividere_response_t,
    status: i32,
    text: *const c_char,
) -> dividere_status_t {
    guard(|| {
        let text = super::bytes::text(text, "text")?;
        find::<Response>(response.id)?.send_error(failure(status)?, text)
    })
}
