//! The dealer.

use std::ffi::{c_char, c_void};

use super::bytes::{bytes, list, place_or_none, text};
use super::guard::{guard, guard_closing};
use super::handle::{close, find, insert};
use super::message::{dividere_message_t, message};
use super::options::{dividere_options_t, options_or_default};
use super::socket::{dividere_socket_t, within};
use super::status::dividere_status_t;
use crate::connection::clock::Deadline;
use crate::connection::socket::Room;
use crate::error::Result;
use crate::messaging::channel::Channel;
use crate::messaging::dealer::Dealer;
use crate::messaging::message::Message;

/// Sends and receives in any order: to its peers in turn, and back to where a routed message came from.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct dividere_dealer_t {
    /// Its number; 0 for none.
    pub id: u64,
}

/// Some bytes of the caller's.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct dividere_bytes_t {
    /// Where they are; may be NULL where there are none.
    pub data: *const c_void,
    /// How many there are.
    pub len: usize,
}

/// Makes a dealer, which binds to each of the comma-separated endpoints that has a "*" ("@" in front binds,
/// too) and connects to the others. NULL options are the defaults; the identity is a random UUID unless set.
/// Fails as dividere_publisher_new.
#[no_mangle]
pub unsafe extern "C" fn dividere_dealer_new(
    endpoints: *const c_char,
    options: *const dividere_options_t,
    dealer: *mut dividere_dealer_t,
) -> dividere_status_t {
    guard(|| {
        let mut place = place_or_none(dealer, dividere_dealer_t { id: 0 }, "dealer")?;
        let made = Dealer::new(text(endpoints, "endpoints")?, &options_or_default(options))?;
        place.set(dividere_dealer_t { id: insert(made)? });
        Ok(())
    })
}

/// Closes a dealer: blocked calls return CLOSED, its addresses are free again when this returns, and what was
/// accepted goes on being sent for at most the linger time.
#[no_mangle]
pub extern "C" fn dividere_dealer_close(dealer: dividere_dealer_t) -> dividere_status_t {
    guard_closing(|| close::<Dealer>(dealer.id))
}

/// The view that carries what all roles share. Nothing to be closed.
#[no_mangle]
pub extern "C" fn dividere_dealer_socket(dealer: dividere_dealer_t) -> dividere_socket_t {
    dividere_socket_t { id: dealer.id }
}

/// Sends a message as one frame, to the peers in turn; it is empty afterwards, on success only. A full queue
/// blocks up to the send timeout unless the option says otherwise: TIMEOUT, or WOULD_BLOCK.
#[no_mangle]
pub unsafe extern "C" fn dividere_dealer_send(
    dealer: dividere_dealer_t,
    message: *mut dividere_message_t,
) -> dividere_status_t {
    guard(|| find::<Dealer>(dealer.id)?.send(self::message(message)?))
}

/// The same with bytes as they are, without an envelope, copied.
#[no_mangle]
pub unsafe extern "C" fn dividere_dealer_send_bytes(
    dealer: dividere_dealer_t,
    data: *const c_void,
    len: usize,
) -> dividere_status_t {
    guard(|| {
        let dealer = find::<Dealer>(dealer.id)?;
        dealer.send(&mut Message::from_bytes(bytes(data, len, "data")?)?)
    })
}

/// Sends a message with `count` frames in front: what dividere_message_route gave, to answer where a routed
/// message came from, as dividere_message_reply does by itself.
#[no_mangle]
pub unsafe extern "C" fn dividere_dealer_send_routed(
    dealer: dividere_dealer_t,
    route: *const dividere_bytes_t,
    count: usize,
    message: *mut dividere_message_t,
) -> dividere_status_t {
    guard(|| send_routed(dealer, route, count, message, Room::AsConfigured))
}

/// The same; where the queue is full it waits for room for `timeout_ms`, as dividere_socket_send_within does. With a `count`
/// of 0 there is no frame in front.
#[no_mangle]
pub unsafe extern "C" fn dividere_dealer_send_routed_within(
    dealer: dividere_dealer_t,
    route: *const dividere_bytes_t,
    count: usize,
    message: *mut dividere_message_t,
    timeout_ms: i64,
) -> dividere_status_t {
    guard(|| send_routed(dealer, route, count, message, within(timeout_ms)))
}

unsafe fn send_routed(
    dealer: dividere_dealer_t,
    route: *const dividere_bytes_t,
    count: usize,
    message: *mut dividere_message_t,
    room: Room,
) -> Result<()> {
    let route = list(route, count, "route")?;
    let frames = route
        .iter()
        .map(|part| bytes(part.data, part.len, "route"))
        .collect::<Result<Vec<_>>>()?;
    find::<Dealer>(dealer.id)?.send_routed_within(&frames, self::message(message)?, room)
}

/// Sends a message with an empty frame in front: the form in which a response expects a request.
#[no_mangle]
pub unsafe extern "C" fn dividere_dealer_send_with_empty_frame(
    dealer: dividere_dealer_t,
    message: *mut dividere_message_t,
) -> dividere_status_t {
    guard(|| find::<Dealer>(dealer.id)?.send_with_empty_frame(self::message(message)?))
}

/// Receives the next typed message into `message`, whatever it held before; one that came through routers
/// carries its way back. DECODE where what came is no envelope: its bytes are in the message.
#[no_mangle]
pub unsafe extern "C" fn dividere_dealer_recv(
    dealer: dividere_dealer_t,
    message: *mut dividere_message_t,
    timeout_ms: i64,
) -> dividere_status_t {
    guard(|| find::<Dealer>(dealer.id)?.recv(self::message(message)?, Deadline::from_ms(timeout_ms)))
}

/// Receives the next message as it is, without looking for an envelope.
#[no_mangle]
pub unsafe extern "C" fn dividere_dealer_recv_bytes(
    dealer: dividere_dealer_t,
    message: *mut dividere_message_t,
    timeout_ms: i64,
) -> dividere_status_t {
    guard(|| find::<Dealer>(dealer.id)?.recv_bytes(self::message(message)?, Deadline::from_ms(timeout_ms)))
}
