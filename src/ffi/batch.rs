//! Receiving with a copy: for languages in which a call into C costs more than copying a message of usual size.

use std::ffi::c_void;

use super::bytes::{list_mut, object_mut};
use super::guard::guard;
use super::handle::find_socket;
use super::message::{dividere_message_t, message};
use super::socket::{batch, dividere_socket_t, flag};
use super::status::dividere_status_t;
use crate::connection::clock::Deadline;
use crate::messaging::channel::recv_many;
use crate::messaging::message::{Message, Parts};

/// What of a message was copied, and where to: its type name, and right behind it its payload.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct dividere_copied_t {
    /// What the message holds: DIVIDERE_MESSAGE_TYPED and so on.
    pub kind: i32,
    /// 1 where dividere_message_reply can still answer it, 0 where not.
    pub can_reply: i32,
    /// Number of frames in front of it that routed it here.
    pub route_count: u64,
    /// Length of the type name in bytes; 0 unless the kind is TYPED.
    pub type_name_len: u64,
    /// Length of the payload in bytes: for all other kinds, of all bytes.
    pub payload_len: u64,
    /// Where the type name begins in the buffer; UINT64_MAX where it and the payload did not fit, so that nothing of
    /// this message was copied: it is to be looked at itself.
    pub offset: u64,
}

/// What to receive into. Made once and used again and again, by one thread at a time.
#[repr(C)]
pub struct dividere_batch_t {
    /// `count` different messages: each holds in full what was received into it.
    pub messages: *const *mut dividere_message_t,
    /// Room for `count` descriptions of copies.
    pub copied: *mut dividere_copied_t,
    /// How many messages to receive at most.
    pub count: usize,
    /// Where names and payloads are copied to, one message behind the other.
    pub buffer: *mut c_void,
    /// Its size in bytes.
    pub size: usize,
    /// 1 where messages are looked at as envelopes (one that is none has the kind UNDECODABLE and is no error), 0
    /// where they are not.
    pub typed: i32,
    /// Out: how many were received. Written on success only.
    pub received: u64,
}

/// As dividere_socket_recv_many, and copies what came. What does not fit into the buffer is in its message only.
#[no_mangle]
pub unsafe extern "C" fn dividere_socket_recv_batch(
    socket: dividere_socket_t,
    batch: *mut dividere_batch_t,
    timeout_ms: i64,
) -> dividere_status_t {
    guard(|| {
        let into = object_mut(batch, "batch")?;
        let typed = flag(into.typed, "typed")?;
        let copied = list_mut(into.copied, into.count, "copied")?;
        let buffer = list_mut(into.buffer.cast::<u8>(), into.size, "buffer")?;
        let socket = find_socket(socket.id)?;
        let deadline = Deadline::from_ms(timeout_ms);
        let received = if into.count == 1 && !into.messages.is_null() {
            // The everyday case, without a list.
            let mut single = [message(*into.messages)?];
            let received = recv_many(&*socket, &mut single, typed, deadline)?;
            copy_all(&single[..received], buffer, copied);
            received
        } else {
            let mut several = self::batch(into.messages, into.count)?;
            let received = recv_many(&*socket, &mut several, typed, deadline)?;
            copy_all(&several[..received], buffer, copied);
            received
        };
        into.received = received as u64;
        Ok(())
    })
}

fn copy_all(messages: &[&mut Message], buffer: &mut [u8], copied: &mut [dividere_copied_t]) {
    let mut at = 0;
    for (message, copied) in messages.iter().zip(copied) {
        let Parts { type_name, payload, .. } = message.parts();
        let room = buffer.len() - at;
        let fits = type_name.len() <= room && payload.len() <= room - type_name.len();
        *copied = dividere_copied_t {
            kind: message.kind() as i32,
            can_reply: i32::from(message.can_reply()),
            route_count: message.route().len() as u64,
            type_name_len: type_name.len() as u64,
            payload_len: payload.len() as u64,
            offset: if fits { at as u64 } else { u64::MAX },
        };
        if fits {
            let (name_at, rest) = buffer[at..].split_at_mut(type_name.len());
            name_at.copy_from_slice(type_name);
            rest[..payload.len()].copy_from_slice(payload);
            at += type_name.len() + payload.len();
        }
    }
}
