//! Sending payloads that are serialised already, in as few arguments as can be.

use std::cell::RefCell;
use std::ffi::{c_char, c_void};

use super::batch::{dividere_batch_t, receive_one};
use super::bytes::{bytes, object, object_mut};
use super::guard::guard;
use super::handle::{find, find_socket};
use super::socket::{dividere_socket_t, flag};
use super::status::dividere_status_t;
use crate::connection::clock::Deadline;
use crate::connection::socket::Room;
use crate::error::Result;
use crate::messaging::channel::Channel;
use crate::messaging::message::Message;
use crate::messaging::request::{is_still_expected, Request};

/// What stays the same from one message to the next: where it goes, and its type. Not written to by the library.
#[repr(C)]
pub struct dividere_outlet_t {
    /// The socket to send with.
    pub socket: dividere_socket_t,
    /// Full name of the message type; need not end with a NUL.
    pub type_name: *const c_char,
    /// Its length in bytes.
    pub type_name_len: usize,
    /// What a send does where a queue is full (a request: or nobody is connected). 0: what dividere_socket_send does; 1: it
    /// never waits, as dividere_socket_send_within with 0.
    pub never_waits: i32,
    /// 0.
    pub reserved: i32,
}

/// As dividere_socket_send_typed, for languages in which each argument costs. Any number of threads may use one outlet.
#[no_mangle]
pub unsafe extern "C" fn dividere_outlet_send(
    outlet: *const dividere_outlet_t,
    payload: *const c_void,
    len: usize,
) -> dividere_status_t {
    guard(|| {
        let outlet = object(outlet, "outlet")?;
        let payload = bytes(payload, len, "payload")?;
        let type_name = bytes(outlet.type_name.cast(), outlet.type_name_len, "type_name")?;
        let room = match flag(outlet.never_waits, "never_waits")? {
            true => Room::Within(Deadline::Now),
            false => Room::AsConfigured,
        };
        send_payload(&*find_socket(outlet.socket.id)?, type_name, payload, room)
    })
}

/// As dividere_request_start_call and dividere_request_finish_call in one, for languages in which each call costs.
///
/// Where `*call` is 0, the payload is sent to the next endpoint that is connected (WOULD_BLOCK where there is none, or its
/// queue is full), and `*call` is the number of the call from then on; else the call of that number goes on, and the payload
/// is not looked at. Then its reply is waited for, and received and copied as by dividere_socket_recv_batch, into a batch
/// for one message, for `timeout_ms` milliseconds. Where `*call` is not 0 after TIMEOUT, WOULD_BLOCK or CANCELLED, the reply is still expected; after
/// everything else it is 0. Where the other side answered with an error: its status.
#[no_mangle]
pub unsafe extern "C" fn dividere_outlet_call(
    outlet: *const dividere_outlet_t,
    payload: *const c_void,
    len: usize,
    may_repeat: i32,
    reply_timeout_ms: i64,
    timeout_ms: i64,
    call: *mut u64,
    batch: *mut dividere_batch_t,
) -> dividere_status_t {
    guard(|| {
        let outlet = object(outlet, "outlet")?;
        let call = object_mut(call, "call")?;
        let may_repeat = flag(may_repeat, "may_repeat")?;
        let request = find::<Request>(outlet.socket.id)?;
        receive_one(batch, |reply| {
            if *call == 0 {
                let payload = bytes(payload, len, "payload")?;
                let type_name = bytes(outlet.type_name.cast(), outlet.type_name_len, "type_name")?;
                *call = in_kept_message(type_name, payload, |message| {
                    request.start_call(message, may_repeat, reply_timeout_ms, Deadline::Now)
                })?;
            }
            let received = request.finish_call(*call, reply, Deadline::from_ms(timeout_ms));
            let is_expected = received.as_ref().is_err_and(|error| is_still_expected(error.status()));
            if !is_expected {
                *call = 0;
            }
            received
        })
    })
}

thread_local! {
    /// What a thread sends payloads in: it knows their type name from the last time.
    static SENT_IN: RefCell<Message> = RefCell::new(Message::new());
}

/// Sends a payload as a message of this type, copied.
pub(super) fn send_payload(socket: &dyn Channel, type_name: &[u8], payload: &[u8], room: Room) -> Result<()> {
    in_kept_message(type_name, payload, |message| socket.send_within(message, room))
}

/// What `send` gives for a message of this type with this payload, copied.
fn in_kept_message<T>(type_name: &[u8], payload: &[u8], send: impl Fn(&mut Message) -> Result<T>) -> Result<T> {
    let send = |message: &mut Message| {
        message
            .prepare_named(type_name, payload.len())?
            .copy_from_slice(payload);
        let sent = send(message);
        if sent.is_err() {
            message.clear();
        }
        sent
    };
    let again = SENT_IN.try_with(|kept| kept.try_borrow_mut().ok().map(|mut message| send(&mut message)));
    match again {
        Ok(Some(sent)) => sent,
        // The thread is ending.
        _ => send(&mut Message::new()),
    }
}
