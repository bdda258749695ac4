//! Reads envelopes: where in a frame the names and the payload are.
//!
//! Every frame that a protobuf runtime accepts as a `msgEnvelope` is read as
//! that runtime reads it, with one exception: an envelope that names no type at
//! all is an error. Nothing is copied. The layout that every known encoder
//! writes is read straight through; anything else goes through a general parser.

use std::ops::Range;

use super::wire::{
    error, Cursor, DecodeError, DecodeReason, KEY_MSG, KEY_MSG_NAME, KEY_TYPE_URL, KEY_VALUE, LEN, VARINT,
};
use super::TYPE_URL_PREFIX;

/// What an envelope says; borrows from the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View<'a> {
    /// Full name of the message type: what follows the last `/` of the
    /// `type_url`, or the `msgName` where that is empty. Never empty, and valid
    /// UTF-8, but not checked against the grammar of names.
    pub type_name: &'a str,
    /// The `msgName` field as it was sent; dividere 2.2.0 writes the short
    /// name. May be empty.
    pub msg_name: &'a str,
    /// The serialised message.
    pub payload: &'a [u8],
    /// Our own field 16, the sender's sequence number.
    pub sequence: Option<u64>,
}

/// The same as offsets into the frame, for who keeps the frame elsewhere. An
/// absent part is `0..0`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// Where [`View::type_name`] is.
    pub type_name: Range<usize>,
    /// Where [`View::msg_name`] is.
    pub msg_name: Range<usize>,
    /// Where [`View::payload`] is.
    pub payload: Range<usize>,
    /// [`View::sequence`] itself.
    pub sequence: Option<u64>,
}

/// Reads one frame as an envelope.
pub fn decode(frame: &[u8]) -> Result<View<'_>, DecodeError> {
    let canonical = decode_canonical(frame).and_then(|parts| {
        Some(View {
            type_name: std::str::from_utf8(parts.type_name).ok()?,
            msg_name: std::str::from_utf8(parts.msg_name).ok()?,
            payload: parts.payload,
            sequence: None,
        })
    });
    match canonical {
        Some(view) => Ok(view),
        None => decode_any_order(frame),
    }
}

impl View<'_> {
    /// Whether the message is of this type. One of another type may well arrive
    /// under the topic asked for, as dividere 2.2.0 publishes short names.
    pub fn is(&self, type_name: &str) -> bool {
        self.type_name == type_name
    }
}

impl Layout {
    /// Reads one frame as an envelope and keeps offsets instead of borrows.
    pub fn of(frame: &[u8]) -> Result<Layout, DecodeError> {
        let range = |part: &[u8]| {
            if part.is_empty() {
                return 0..0;
            }
            let start = part.as_ptr() as usize - frame.as_ptr() as usize;
            start..start + part.len()
        };
        if let Some(parts) = decode_canonical(frame) {
            return Ok(Layout {
                type_name: range(parts.type_name),
                msg_name: range(parts.msg_name),
                payload: range(parts.payload),
                sequence: None,
            });
        }
        let view = decode_any_order(frame)?;
        Ok(Layout {
            type_name: range(view.type_name.as_bytes()),
            msg_name: range(view.msg_name.as_bytes()),
            payload: range(view.payload),
            sequence: view.sequence,
        })
    }
}

/// The parts of a canonical envelope; the names are UTF-8.
struct Parts<'a> {
    type_name: &'a [u8],
    msg_name: &'a [u8],
    payload: &'a [u8],
}

/// Whether it is a name without a slash. Nearly every name is ASCII, which is seen sooner than that it is UTF-8.
#[inline]
fn is_name(name: &[u8]) -> bool {
    let plain = name
        .iter()
        .fold(true, |plain, &byte| plain & byte.is_ascii() & (byte != b'/'));
    plain || (!name.contains(&b'/') && std::str::from_utf8(name).is_ok())
}

/// Reads the layout that encoders write: `msgName`, then `msg` to the end of
/// the frame, and in it `type_url` with the usual prefix, then `value` unless
/// empty. `None` is no verdict: the general parser decides.
#[inline]
fn decode_canonical(frame: &[u8]) -> Option<Parts<'_>> {
    let mut envelope = Cursor::new(frame);
    if !envelope.take_byte(KEY_MSG_NAME) {
        return None;
    }
    let msg_name = envelope.bytes().ok()?;
    if !envelope.take_byte(KEY_MSG) {
        return None;
    }
    let mut any = envelope.message().ok()?;
    if !envelope.at_end() || !any.take_byte(KEY_TYPE_URL) {
        return None;
    }
    let name = any
        .bytes()
        .ok()?
        .strip_prefix(TYPE_URL_PREFIX.as_bytes())
        .filter(|name| !name.is_empty())?;
    let payload = match any.at_end() {
        true => &[][..],
        false if any.take_byte(KEY_VALUE) => any.bytes().ok()?,
        false => return None,
    };
    if !any.at_end() {
        return None;
    }
    if !is_name(name) || (msg_name != name && std::str::from_utf8(msg_name).is_err()) {
        return None;
    }
    Some(Parts {
        type_name: name,
        msg_name,
        payload,
    })
}

/// Reads fields in any order, repeated and unknown ones among them. The last
/// `msgName`, `type_url`, `value` and sequence count, each on its own, also
/// where `msg` itself comes in several pieces: so protobuf merges. A known
/// number with another wire type is an unknown field.
#[cold]
fn decode_any_order(frame: &[u8]) -> Result<View<'_>, DecodeError> {
    let mut msg_name = "";
    let mut any = Any::default();
    let mut sequence = None;
    let mut cursor = Cursor::new(frame);
    while !cursor.at_end() {
        let start = cursor.position();
        let key = cursor.key()?;
        match (key.number, key.wire_type) {
            (1, LEN) => msg_name = cursor.string()?,
            (2, LEN) => any.merge(cursor.message()?)?,
            (FIELD_SEQUENCE, VARINT) => sequence = Some(cursor.varint()?),
            _ => cursor.skip(key, start)?,
        }
    }
    let type_name = match any.type_url.rfind('/') {
        Some(slash) => &any.type_url[slash + 1..],
        None => any.type_url,
    };
    let type_name = if type_name.is_empty() { msg_name } else { type_name };
    if type_name.is_empty() {
        return Err(error(frame.len(), DecodeReason::NoTypeName));
    }
    Ok(View {
        type_name,
        msg_name,
        payload: any.value,
        sequence,
    })
}

/// Number of our own field for the sender's sequence number.
const FIELD_SEQUENCE: u32 = 16;

/// `google.protobuf.Any`, merged from all its pieces.
#[derive(Default)]
struct Any<'a> {
    type_url: &'a str,
    value: &'a [u8],
}

impl<'a> Any<'a> {
    fn merge(&mut self, mut cursor: Cursor<'a>) -> Result<(), DecodeError> {
        while !cursor.at_end() {
            let start = cursor.position();
            let key = cursor.key()?;
            match (key.number, key.wire_type) {
                (1, LEN) => self.type_url = cursor.string()?,
                (2, LEN) => self.value = cursor.bytes()?,
                _ => cursor.skip(key, start)?,
            }
        }
        Ok(())
    }
}
