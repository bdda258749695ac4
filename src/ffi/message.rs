//! The message object: one for sending, receiving and replying.

use std::ffi::{c_char, c_void};

use super::bytes::{bytes, c_string, object, object_mut, place, place_or_none, Place};
use super::guard::{guard, guard_closing, guard_value};
use super::status::dividere_status_t;
use crate::error::{Error, Result, Status};
use crate::messaging::message::{Message, MessageKind, Parts};

/// A message. Owned by one thread at a time; it may go from one to another. Made once and used
/// again and again, for sending and receiving alike.
pub struct dividere_message_t {
    /// In truth a Message of the core; C sees only pointers to it.
    _opaque: [u8; 0],
}

/// What a message holds.
#[repr(i32)]
pub enum dividere_message {
    /// Nothing: it is new, or was sent.
    Empty = 0,
    /// Bytes without an envelope, or not looked at as one.
    Bytes = 1,
    /// A protobuf message with its type name.
    Typed = 2,
    /// Received as a typed message, but not an envelope: type name and payload are not known, the
    /// bytes are.
    Undecodable = 3,
}

/// Everything in a message, without a copy: valid until the message is changed, sent or freed.
/// No pointer in it is NULL, and nothing in it is NUL-terminated.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct dividere_view_t {
    /// What it holds: DIVIDERE_MESSAGE_EMPTY and so on.
    pub kind: i32,
    /// 1 where dividere_message_reply can still answer it, 0 where not.
    pub can_reply: i32,
    /// Full name of the message's type; of length 0 unless the kind is TYPED.
    pub type_name: *const c_char,
    /// Its length in bytes.
    pub type_name_len: usize,
    /// The serialised protobuf message; for all other kinds, all bytes.
    pub payload: *const c_void,
    /// Its length in bytes.
    pub payload_len: usize,
    /// All bytes as they are on the wire: the envelope with its header.
    pub bytes: *const c_void,
    /// Their number.
    pub bytes_len: usize,
    /// Number of frames in front of it that routed it here; see dividere_message_route.
    pub route_count: usize,
    /// The number that its sender gave it; 0 where it gave none.
    pub sequence: u64,
    /// For fields to come; 0.
    pub reserved: [u64; 2],
}

/// A message of ours, lent to the host for the time of a callback.
pub(super) fn lend(message: &mut Message) -> *mut dividere_message_t {
    std::ptr::from_mut(message).cast()
}

/// The message behind a pointer.
#[inline]
pub(super) unsafe fn message<'a>(message: *mut dividere_message_t) -> Result<&'a mut Message> {
    object_mut(message.cast(), "message")
}

/// The same where it is only looked at.
unsafe fn message_ref<'a>(message: *const dividere_message_t) -> Result<&'a Message> {
    object(message.cast(), "message")
}

/// Two messages of one call, which have to be two.
pub(super) unsafe fn two_messages<'a>(
    one: *mut dividere_message_t,
    other: *mut dividere_message_t,
    name_of_other: &str,
) -> Result<(&'a mut Message, &'a mut Message)> {
    if std::ptr::eq(one, other) && !one.is_null() {
        return Err(Error::new(
            Status::InvalidArgument,
            format!("message and {name_of_other} are one object"),
        ));
    }
    Ok((message(one)?, object_mut(other.cast(), name_of_other)?))
}

/// Makes an empty message, to prepare for sending or to receive into. End it with
/// dividere_message_free.
#[no_mangle]
pub unsafe extern "C" fn dividere_message_new(message: *mut *mut dividere_message_t) -> dividere_status_t {
    guard(|| {
        give(
            &mut place_or_none(message, std::ptr::null_mut(), "message")?,
            Message::new(),
        );
        Ok(())
    })
}

/// Frees a message; NULL does nothing. A request that was received, never answered and not cloned is
/// answered with an error.
#[no_mangle]
pub unsafe extern "C" fn dividere_message_free(message: *mut dividere_message_t) {
    guard_closing(|| {
        if !message.is_null() {
            drop(Box::from_raw(message.cast::<Message>()));
        }
        Ok(())
    });
}

/// Makes a second message with the same content and the same way back, to be freed on its own. Bytes
/// are shared, not copied, so neither may be written to afterwards.
#[no_mangle]
pub unsafe extern "C" fn dividere_message_clone(
    message: *mut dividere_message_t,
    copy: *mut *mut dividere_message_t,
) -> dividere_status_t {
    guard(|| {
        let mut place = place_or_none(copy, std::ptr::null_mut(), "copy")?;
        give(&mut place, self::message(message)?.try_clone()?);
        Ok(())
    })
}

/// Empties a message, and lets go of what it held.
#[no_mangle]
pub unsafe extern "C" fn dividere_message_clear(message: *mut dividere_message_t) -> dividere_status_t {
    guard(|| {
        self::message(message)?.clear();
        Ok(())
    })
}

/// Makes it a message of the type `type_name` (full name, as acme.v1.Reading) with a payload of `size`
/// bytes, and gives the place to serialise it into: all of it, before the message is sent. The place
/// is valid until the message is changed, sent or freed. What it held before is gone.
/// INVALID_ARGUMENT where the name is none; TOO_LARGE beyond what protobuf allows; OUT_OF_MEMORY.
#[no_mangle]
pub unsafe extern "C" fn dividere_message_prepare(
    message: *mut dividere_message_t,
    type_name: *const c_char,
    size: usize,
    payload: *mut *mut c_void,
) -> dividere_status_t {
    guard(|| {
        let mut place = place_or_none(payload, std::ptr::null_mut(), "payload")?;
        let name = c_string(type_name, "type_name")?.to_bytes();
        let payload = self::message(message)?.prepare_named(name, size)?;
        place.set(payload.as_mut_ptr().cast());
        Ok(())
    })
}

/// Makes it a message of `size` bytes without an envelope, and gives the place for them, under the
/// same rules.
#[no_mangle]
pub unsafe extern "C" fn dividere_message_prepare_bytes(
    message: *mut dividere_message_t,
    size: usize,
    data: *mut *mut c_void,
) -> dividere_status_t {
    guard(|| {
        let mut place = place_or_none(data, std::ptr::null_mut(), "data")?;
        place.set(self::message(message)?.prepare_bytes(size)?.as_mut_ptr().cast());
        Ok(())
    })
}

/// Makes it a message of the type `type_name` with a copy of a payload that is serialised already.
/// Fails as dividere_message_prepare.
#[no_mangle]
pub unsafe extern "C" fn dividere_message_set(
    message: *mut dividere_message_t,
    type_name: *const c_char,
    payload: *const c_void,
    len: usize,
) -> dividere_status_t {
    guard(|| {
        let payload = bytes(payload, len, "payload")?;
        self::message(message)?
            .prepare_named(c_string(type_name, "type_name")?.to_bytes(), len)?
            .copy_from_slice(payload);
        Ok(())
    })
}

/// Makes it a message of bytes without an envelope, copied.
#[no_mangle]
pub unsafe extern "C" fn dividere_message_set_bytes(
    message: *mut dividere_message_t,
    data: *const c_void,
    len: usize,
) -> dividere_status_t {
    guard(|| {
        let data = bytes(data, len, "data")?;
        self::message(message)?.prepare_bytes(len)?.copy_from_slice(data);
        Ok(())
    })
}

/// Everything in a message, in one call and without a copy.
#[no_mangle]
pub unsafe extern "C" fn dividere_message_view(
    message: *const dividere_message_t,
    view: *mut dividere_view_t,
) -> dividere_status_t {
    guard(|| {
        let mut place = place(view, "view")?;
        let message = message_ref(message)?;
        let Parts {
            type_name,
            payload,
            bytes,
        } = message.parts();
        place.set(dividere_view_t {
            kind: message.kind() as i32,
            can_reply: i32::from(message.can_reply()),
            type_name: type_name.as_ptr().cast(),
            type_name_len: type_name.len(),
            payload: payload.as_ptr().cast(),
            payload_len: payload.len(),
            bytes: bytes.as_ptr().cast(),
            bytes_len: bytes.len(),
            route_count: message.route().len(),
            sequence: message.sequence().unwrap_or(0),
            reserved: [0; 2],
        });
        Ok(())
    })
}

/// 1 where it is a message of the type `type_name` (full name), 0 where it is another, or bytes, or
/// where an argument is NULL.
#[no_mangle]
pub unsafe extern "C" fn dividere_message_is(message: *const dividere_message_t, type_name: *const c_char) -> i32 {
    guard_value(0, || match (message_ref(message), c_string(type_name, "type_name")) {
        (Ok(message), Ok(name)) => {
            i32::from(message.kind() == MessageKind::Typed && message.parts().type_name == name.to_bytes())
        }
        _ => 0,
    })
}

/// Looks at bytes that were received as such, or set, as an envelope: the message is a typed one
/// afterwards. DECODE where they are none; they stay readable. STATE where the message is empty.
#[no_mangle]
pub unsafe extern "C" fn dividere_message_decode(message: *mut dividere_message_t) -> dividere_status_t {
    guard(|| {
        let message = self::message(message)?;
        match message.kind() {
            MessageKind::Empty => Err(Error::new(
                Status::State,
                "the message is empty: there is nothing to decode",
            )),
            _ => message.decode(),
        }
    })
}

/// One of the frames that routed a message here, counted from 0; a frame may be empty. Valid until the
/// message is changed, sent or freed. NOT_FOUND beyond the last one.
#[no_mangle]
pub unsafe extern "C" fn dividere_message_route(
    message: *const dividere_message_t,
    index: usize,
    data: *mut *const c_void,
    len: *mut usize,
) -> dividere_status_t {
    guard(|| {
        let mut data = place_or_none(data, std::ptr::null(), "data")?;
        let mut len = place(len, "len")?;
        let route = message_ref(message)?.route();
        let frame = route
            .get(index)
            .ok_or_else(|| Error::new(Status::NotFound, format!("frame {index} of a route of {}", route.len())))?;
        data.set(frame.bytes().as_ptr().cast());
        len.set(frame.len());
        Ok(())
    })
}

/// Answers `message`, which is a request or came through a router, with `reply`: once, at any time,
/// from any thread. `reply` is empty afterwards, on success only. STATE where it has no way back or was
/// answered before; UNREACHABLE where the asker is gone; CLOSED where the handle that received it is.
#[no_mangle]
pub unsafe extern "C" fn dividere_message_reply(
    message: *mut dividere_message_t,
    reply: *mut dividere_message_t,
) -> dividere_status_t {
    guard(|| {
        let (message, reply) = two_messages(message, reply, "reply")?;
        message.reply(reply)
    })
}

/// Answers `message` with an error: the asker's call returns `status` (REMOTE where a handler failed)
/// and finds `text` in its last error. INVALID_ARGUMENT where `status` is OK or none; else fails as
/// dividere_message_reply.
#[no_mangle]
pub unsafe extern "C" fn dividere_message_reply_error(
    message: *mut dividere_message_t,
    status: i32,
    text: *const c_char,
) -> dividere_status_t {
    guard(|| {
        let text = super::bytes::text(text, "text")?;
        self::message(message)?.reply_error(failure(status)?, text)
    })
}

/// A status to answer with.
pub(super) fn failure(status: i32) -> Result<Status> {
    Status::from_code(status)
        .filter(|status| *status != Status::Ok)
        .ok_or_else(|| {
            Error::new(
                Status::InvalidArgument,
                format!("{status} is not the status of a failure"),
            )
        })
}

fn give(place: &mut Place<'_, *mut dividere_message_t>, message: Message) {
    place.set(Box::into_raw(Box::new(message)).cast());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_those_of_the_core() {
        for kind in [
            MessageKind::Empty,
            MessageKind::Bytes,
            MessageKind::Typed,
            MessageKind::Undecodable,
        ] {
            let line = format!("    {kind:?} = {},\n", kind as i32);
            assert!(include_str!("message.rs").contains(&line), "{line}");
        }
    }
}
