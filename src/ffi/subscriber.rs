//! The subscriber.

use std::ffi::{c_char, c_void};

use super::bytes::{bytes, place_or_none, text, texts};
use super::guard::{guard, guard_closing};
use super::handle::{close, find, insert};
use super::message::{dividere_message_t, message};
use super::options::{dividere_options_t, options_or_default};
use super::socket::dividere_socket_t;
use super::status::dividere_status_t;
use crate::connection::clock::Deadline;
use crate::messaging::channel::Channel;
use crate::messaging::subscriber::{Filter, Subscriber};

/// Receives what publishers publish: everything, some types of messages, or what begins with some bytes.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct dividere_subscriber_t {
    /// Its number; 0 for none.
    pub id: u64,
}

/// Makes a subscriber to all messages, which connects to each of the comma-separated endpoints ("@" in front
/// binds). NULL options are the defaults. What was published before the subscription arrived is not
/// received. Fails as dividere_publisher_new.
#[no_mangle]
pub unsafe extern "C" fn dividere_subscriber_new(
    endpoints: *const c_char,
    options: *const dividere_options_t,
    subscriber: *mut dividere_subscriber_t,
) -> dividere_status_t {
    guard(|| make(endpoints, Filter::All, options, subscriber))
}

/// The same for messages of `count` types only, given by their full names; with none, nothing is received
/// until something is subscribed to. INVALID_ARGUMENT where a name is none.
#[no_mangle]
pub unsafe extern "C" fn dividere_subscriber_new_for_types(
    endpoints: *const c_char,
    type_names: *const *const c_char,
    count: usize,
    options: *const dividere_options_t,
    subscriber: *mut dividere_subscriber_t,
) -> dividere_status_t {
    guard(|| {
        let _none = place_or_none(subscriber, dividere_subscriber_t { id: 0 }, "subscriber")?;
        let type_names = texts(type_names, count, "type_names")?;
        make(endpoints, Filter::Types(&type_names), options, subscriber)
    })
}

unsafe fn make(
    endpoints: *const c_char,
    filter: Filter<'_>,
    options: *const dividere_options_t,
    subscriber: *mut dividere_subscriber_t,
) -> crate::error::Result<()> {
    let mut place = place_or_none(subscriber, dividere_subscriber_t { id: 0 }, "subscriber")?;
    let made = Subscriber::new(text(endpoints, "endpoints")?, filter, &options_or_default(options))?;
    place.set(dividere_subscriber_t { id: insert(made)? });
    Ok(())
}

/// Closes a subscriber: blocked calls return CLOSED, and its addresses are free again when this returns.
#[no_mangle]
pub extern "C" fn dividere_subscriber_close(subscriber: dividere_subscriber_t) -> dividere_status_t {
    guard_closing(|| close::<Subscriber>(subscriber.id))
}

/// The view that carries what all roles share. Nothing to be closed.
#[no_mangle]
pub extern "C" fn dividere_subscriber_socket(subscriber: dividere_subscriber_t) -> dividere_socket_t {
    dividere_socket_t { id: subscriber.id }
}

/// Receives the next typed message into `message`, whatever it held before. DECODE where what came is no
/// envelope: its bytes are in the message. STATE where a reactor has the socket.
#[no_mangle]
pub unsafe extern "C" fn dividere_subscriber_recv(
    subscriber: dividere_subscriber_t,
    message: *mut dividere_message_t,
    timeout_ms: i64,
) -> dividere_status_t {
    guard(|| find::<Subscriber>(subscriber.id)?.recv(self::message(message)?, Deadline::from_ms(timeout_ms)))
}

/// Receives the next message as it is, without looking for an envelope.
#[no_mangle]
pub unsafe extern "C" fn dividere_subscriber_recv_bytes(
    subscriber: dividere_subscriber_t,
    message: *mut dividere_message_t,
    timeout_ms: i64,
) -> dividere_status_t {
    guard(|| find::<Subscriber>(subscriber.id)?.recv_bytes(self::message(message)?, Deadline::from_ms(timeout_ms)))
}

/// Receives messages of this type (full name), too. Counted: as many unsubscribe calls end it.
#[no_mangle]
pub unsafe extern "C" fn dividere_subscriber_subscribe(
    subscriber: dividere_subscriber_t,
    type_name: *const c_char,
) -> dividere_status_t {
    guard(|| find::<Subscriber>(subscriber.id)?.subscribe_type(text(type_name, "type_name")?))
}

/// Ends a subscription to a type. NOT_FOUND where there is none. What is on its way still arrives.
#[no_mangle]
pub unsafe extern "C" fn dividere_subscriber_unsubscribe(
    subscriber: dividere_subscriber_t,
    type_name: *const c_char,
) -> dividere_status_t {
    guard(|| find::<Subscriber>(subscriber.id)?.unsubscribe_type(text(type_name, "type_name")?))
}

/// Receives whatever begins with these bytes, too; with none, everything. For messages without an envelope.
/// Counted, as types are.
#[no_mangle]
pub unsafe extern "C" fn dividere_subscriber_subscribe_prefix(
    subscriber: dividere_subscriber_t,
    prefix: *const c_void,
    len: usize,
) -> dividere_status_t {
    guard(|| find::<Subscriber>(subscriber.id)?.subscribe_prefix(bytes(prefix, len, "prefix")?))
}

/// Ends a subscription to a prefix. NOT_FOUND where there is none.
#[no_mangle]
pub unsafe extern "C" fn dividere_subscriber_unsubscribe_prefix(
    subscriber: dividere_subscriber_t,
    prefix: *const c_void,
    len: usize,
) -> dividere_status_t {
    guard(|| find::<Subscriber>(subscriber.id)?.unsubscribe_prefix(bytes(prefix, len, "prefix")?))
}
