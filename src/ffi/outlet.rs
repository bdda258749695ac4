//! Sending payloads that are serialised already, in as few arguments as can be.

use std::cell::RefCell;
use std::ffi::{c_char, c_void};

use super::bytes::{bytes, object};
use super::guard::guard;
use super::handle::find_socket;
use super::socket::dividere_socket_t;
use super::status::dividere_status_t;
use crate::error::Result;
use crate::messaging::channel::Channel;
use crate::messaging::message::Message;

/// What stays the same from one message to the next: where it goes, and its type. Not written to by the library.
#[repr(C)]
pub struct dividere_outlet_t {
    /// The socket to send with.
    pub socket: dividere_socket_t,
    /// Full name of the message type; need not end with a NUL.
    pub type_name: *const c_char,
    /// Its length in bytes.
    pub type_name_len: usize,
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
        send_payload(&*find_socket(outlet.socket.id)?, type_name, payload)
    })
}

thread_local! {
    /// What a thread sends payloads in: it knows their type name from the last time.
    static SENT_IN: RefCell<Message> = RefCell::new(Message::new());
}

/// Sends a payload as a message of this type, copied.
pub(super) fn send_payload(socket: &dyn Channel, type_name: &[u8], payload: &[u8]) -> Result<()> {
    let send = |message: &mut Message| {
        message
            .prepare_named(type_name, payload.len())?
            .copy_from_slice(payload);
        let sent = socket.send(message);
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
