//! The envelope on its own, for who moves the bytes in another way.

use std::ffi::{c_char, c_void};

use super::bytes::{bytes, object_mut, place, place_or_none, text};
use super::guard::guard;
use super::message::{dividere_message, dividere_view_t};
use super::status::dividere_status_t;
use crate::error::{Error, Result, Status};
use crate::messaging::envelope::{decode, EncodeError, Header, TypeName};

/// The size in bytes of the envelope of a message of the type `type_name` (full name) with a payload of
/// `payload_len` bytes. INVALID_ARGUMENT where the name is none; TOO_LARGE beyond what protobuf allows.
#[no_mangle]
pub unsafe extern "C" fn dividere_envelope_size(
    type_name: *const c_char,
    payload_len: usize,
    size: *mut usize,
) -> dividere_status_t {
    guard(|| {
        let mut place = place(size, "size")?;
        place.set(header(text(type_name, "type_name")?, payload_len)?.envelope_len());
        Ok(())
    })
}

/// Writes an envelope into `buffer`, which has room for `size` bytes, and tells its length. TOO_LARGE
/// where it does not fit, and as dividere_envelope_size, which tells the room that it takes.
#[no_mangle]
pub unsafe extern "C" fn dividere_envelope_encode(
    type_name: *const c_char,
    payload: *const c_void,
    payload_len: usize,
    buffer: *mut c_void,
    size: usize,
    len: *mut usize,
) -> dividere_status_t {
    guard(|| {
        let mut place = place(len, "len")?;
        let payload = bytes(payload, payload_len, "payload")?;
        let header = header(text(type_name, "type_name")?, payload_len)?;
        let needed = header.envelope_len();
        if size < needed {
            return Err(Error::new(
                Status::TooLarge,
                format!("an envelope of {needed} bytes, and room for {size}"),
            ));
        }
        object_mut(buffer.cast::<u8>(), "buffer")?;
        let room = std::slice::from_raw_parts_mut(buffer.cast::<u8>(), needed);
        let at = header.write(room).map_err(|error| refused("", error))?;
        room[at..].copy_from_slice(payload);
        place.set(needed);
        Ok(())
    })
}

/// Reads bytes as an envelope, without a copy: the view is valid as long as they are. DECODE where they
/// are none: then the view is that of an empty message.
#[no_mangle]
pub unsafe extern "C" fn dividere_envelope_decode(
    data: *const c_void,
    len: usize,
    view: *mut dividere_view_t,
) -> dividere_status_t {
    guard(|| {
        let mut place = place_or_none(view, nothing(), "view")?;
        let data = bytes(data, len, "data")?;
        let found = decode(data).map_err(|error| Error::new(Status::Decode, error.to_string()))?;
        place.set(dividere_view_t {
            kind: dividere_message::Typed as i32,
            can_reply: 0,
            type_name: found.type_name.as_ptr().cast(),
            type_name_len: found.type_name.len(),
            payload: found.payload.as_ptr().cast(),
            payload_len: found.payload.len(),
            bytes: data.as_ptr().cast(),
            bytes_len: data.len(),
            route_count: 0,
            sequence: found.sequence.unwrap_or(0),
            reserved: [0; 2],
        });
        Ok(())
    })
}

/// What is seen in an empty message.
fn nothing() -> dividere_view_t {
    let empty = b"".as_ptr();
    dividere_view_t {
        kind: dividere_message::Empty as i32,
        can_reply: 0,
        type_name: empty.cast(),
        type_name_len: 0,
        payload: empty.cast(),
        payload_len: 0,
        bytes: empty.cast(),
        bytes_len: 0,
        route_count: 0,
        sequence: 0,
        reserved: [0; 2],
    }
}

fn header(type_name: &str, payload_len: usize) -> Result<Header<'_>> {
    let name = TypeName::new(type_name).map_err(|error| refused(type_name, error.into()))?;
    name.header(payload_len).map_err(|error| refused(type_name, error))
}

fn refused(type_name: &str, error: EncodeError) -> Error {
    match error {
        EncodeError::TypeName(_) => Error::new(
            Status::InvalidArgument,
            format!("type name '{type_name:.100}': {error}"),
        ),
        EncodeError::TooLarge(_) | EncodeError::NoRoom(_) => Error::new(Status::TooLarge, error.to_string()),
    }
}
