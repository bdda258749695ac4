//! The publisher.

use std::ffi::{c_char, c_void};

use super::bytes::{bytes, optional_text, place, place_or_none, text};
use super::guard::{guard, guard_closing};
use super::handle::{close, find, insert};
use super::message::{dividere_message_t, message};
use super::options::{dividere_options_t, options_or_default};
use super::socket::dividere_socket_t;
use super::status::dividere_status_t;
use crate::connection::clock::Deadline;
use crate::messaging::channel::Channel;
use crate::messaging::message::Message;
use crate::messaging::publisher::Publisher;

/// Publishes messages to whoever subscribes to them.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct dividere_publisher_t {
    /// Its number; 0 for none.
    pub id: u64,
}

/// Makes a publisher that binds to each of the comma-separated endpoints (">" in front connects);
/// tcp://127.0.0.1:* takes a free port, which dividere_socket_last_endpoint tells. NULL options are the
/// defaults. Messages for a subscriber whose queue is full are dropped and counted, unless the option says
/// to block or to fail. INVALID_ARGUMENT where options contradict each other; ENDPOINT, ADDRESS_IN_USE,
/// UNREACHABLE, PERMISSION; LIMIT where descriptors ran out.
#[no_mangle]
pub unsafe extern "C" fn dividere_publisher_new(
    endpoints: *const c_char,
    options: *const dividere_options_t,
    publisher: *mut dividere_publisher_t,
) -> dividere_status_t {
    guard(|| {
        let mut place = place_or_none(publisher, dividere_publisher_t { id: 0 }, "publisher")?;
        let made = Publisher::new(text(endpoints, "endpoints")?, &options_or_default(options))?;
        place.set(dividere_publisher_t { id: insert(made)? });
        Ok(())
    })
}

/// Closes a publisher: blocked calls return CLOSED, its addresses are free again when this returns, and what
/// was accepted goes on being sent for at most the linger time.
#[no_mangle]
pub extern "C" fn dividere_publisher_close(publisher: dividere_publisher_t) -> dividere_status_t {
    guard_closing(|| close::<Publisher>(publisher.id))
}

/// The view that carries what all roles share. Nothing to be closed.
#[no_mangle]
pub extern "C" fn dividere_publisher_socket(publisher: dividere_publisher_t) -> dividere_socket_t {
    dividere_socket_t { id: publisher.id }
}

/// Publishes a message that was prepared, typed or bytes; it is empty afterwards, on success only. What is
/// sent while nobody subscribes is gone. STATE where the message is empty; TOO_LARGE beyond the maximum
/// message size; TIMEOUT or WOULD_BLOCK where a full queue is told to block or to fail.
#[no_mangle]
pub unsafe extern "C" fn dividere_publisher_send(
    publisher: dividere_publisher_t,
    message: *mut dividere_message_t,
) -> dividere_status_t {
    guard(|| find::<Publisher>(publisher.id)?.send(self::message(message)?))
}

/// Publishes a typed message whose payload is serialised already, copied. Fails as dividere_publisher_send;
/// INVALID_ARGUMENT where the name of the type is none.
#[no_mangle]
pub unsafe extern "C" fn dividere_publisher_send_typed(
    publisher: dividere_publisher_t,
    type_name: *const c_char,
    payload: *const c_void,
    len: usize,
) -> dividere_status_t {
    guard(|| {
        let publisher = find::<Publisher>(publisher.id)?;
        let payload = bytes(payload, len, "payload")?;
        let mut message = Message::new();
        message
            .prepare(text(type_name, "type_name")?, len)?
            .copy_from_slice(payload);
        publisher.send(&mut message)
    })
}

/// Publishes bytes as they are, without an envelope, copied. Fails as dividere_publisher_send.
#[no_mangle]
pub unsafe extern "C" fn dividere_publisher_send_bytes(
    publisher: dividere_publisher_t,
    data: *const c_void,
    len: usize,
) -> dividere_status_t {
    guard(|| {
        let publisher = find::<Publisher>(publisher.id)?;
        publisher.send_bytes(bytes(data, len, "data")?)
    })
}

/// How many subscribers get messages of the type `type_name` (full name); with NULL, how many subscribe to
/// anything.
#[no_mangle]
pub unsafe extern "C" fn dividere_publisher_subscribers(
    publisher: dividere_publisher_t,
    type_name: *const c_char,
    count: *mut usize,
) -> dividere_status_t {
    guard(|| {
        let mut place = place(count, "count")?;
        let type_name = optional_text(type_name, "type_name")?;
        place.set(find::<Publisher>(publisher.id)?.subscribers(type_name)?);
        Ok(())
    })
}

/// Waits until `count` subscribers get messages of the type `type_name`, or, with NULL, of any. A subscriber
/// counted here gets everything that is published from now on. TIMEOUT, or WOULD_BLOCK where the timeout is
/// 0, while they are fewer.
#[no_mangle]
pub unsafe extern "C" fn dividere_publisher_wait_for_subscribers(
    publisher: dividere_publisher_t,
    type_name: *const c_char,
    count: usize,
    timeout_ms: i64,
) -> dividere_status_t {
    guard(|| {
        let type_name = optional_text(type_name, "type_name")?;
        find::<Publisher>(publisher.id)?.wait_for_subscribers(type_name, count, Deadline::from_ms(timeout_ms))
    })
}
