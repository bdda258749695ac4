//! Writes envelopes: a header, then the payload right behind it, so that a
//! message can be serialised straight into the frame it is sent in.

use std::fmt;

use super::name::{TypeName, TypeNameError, MAX_TYPE_NAME_LEN};
use super::wire::{varint_len, Writer, KEY_MSG, KEY_MSG_NAME, KEY_TYPE_URL, KEY_VALUE};
use super::TYPE_URL_PREFIX;

/// The longest envelope there can be, in bytes: no protobuf runtime reads a
/// longer message.
pub const MAX_ENVELOPE_LEN: usize = i32::MAX as usize;

/// No header is longer than this, whatever the type and the payload: room for
/// one on the stack.
pub const MAX_HEADER_LEN: usize =
    // Four keys; the two names with their lengths; the lengths of Any and of its value.
    4 + 2 * (2 + MAX_TYPE_NAME_LEN) + TYPE_URL_PREFIX.len() + 2 * 5;

/// What goes in front of one payload: its lengths are known, nothing is
/// written yet. Made by [`TypeName::header`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    name: &'a [u8],
    payload_len: usize,
    any_len: usize,
    len: usize,
}

/// Why an envelope cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncodeError {
    /// The type name is not one.
    TypeName(TypeNameError),
    /// With a payload of this many bytes the envelope would be longer than
    /// [`MAX_ENVELOPE_LEN`].
    TooLarge(usize),
    /// The destination is too small: the header needs this many bytes.
    NoRoom(usize),
}

/// A whole envelope in a buffer of its own.
pub fn encode(type_name: &str, payload: &[u8]) -> Result<Vec<u8>, EncodeError> {
    let mut out = Vec::new();
    TypeName::new(type_name)?.encode_into(&mut out, payload)?;
    Ok(out)
}

impl<'a> TypeName<'a> {
    /// Computes the header of an envelope with a payload of this many bytes.
    #[inline]
    pub fn header(self, payload_len: usize) -> Result<Header<'a>, EncodeError> {
        Header::of(self.as_str().as_bytes(), payload_len)
    }

    /// Appends a whole envelope to `out`. Allocates only if `out` has to grow.
    pub fn encode_into(self, out: &mut Vec<u8>, payload: &[u8]) -> Result<(), EncodeError> {
        let header = self.header(payload.len())?;
        out.reserve(header.len() + payload.len());
        let start = out.len();
        out.resize(start + header.len(), 0);
        header.write(&mut out[start..])?;
        out.extend_from_slice(payload);
        Ok(())
    }

    /// The ZeroMQ subscription prefix for this type: how an envelope that has
    /// this name in `msgName` begins. The name's length is part of it, so it
    /// never matches a longer name.
    ///
    /// dividere 2.2.0 writes short names: to hear its publishers too, subscribe
    /// to the topics of both the full and the [`short_name`](Self::short_name),
    /// and drop what decodes to another type name.
    pub fn topic(self) -> Vec<u8> {
        let name = self.as_str();
        let mut topic = vec![0; 1 + varint_len(name.len()) + name.len()];
        let mut writer = Writer::new(&mut topic);
        writer.key_and_varint(KEY_MSG_NAME, name.len());
        writer.bytes(name.as_bytes());
        topic
    }
}

impl<'a> Header<'a> {
    /// The header for a name that is known to be a [`TypeName`].
    #[inline]
    pub(crate) fn of(name: &'a [u8], payload_len: usize) -> Result<Header<'a>, EncodeError> {
        if payload_len > MAX_ENVELOPE_LEN {
            return Err(EncodeError::TooLarge(payload_len));
        }
        let name_len = name.len();
        let url_len = TYPE_URL_PREFIX.len() + name_len;
        // proto3 leaves an empty bytes field out.
        let value_header_len = match payload_len {
            0 => 0,
            len => 1 + varint_len(len),
        };
        let any_len = 1 + varint_len(url_len) + url_len + value_header_len + payload_len;
        let envelope_len = 1 + varint_len(name_len) + name_len + 1 + varint_len(any_len) + any_len;
        if envelope_len > MAX_ENVELOPE_LEN {
            return Err(EncodeError::TooLarge(payload_len));
        }
        Ok(Header {
            name,
            payload_len,
            any_len,
            len: envelope_len - payload_len,
        })
    }

    /// Length of the header, and so the offset of the payload, in bytes.
    #[inline]
    #[allow(clippy::len_without_is_empty)] // it never is
    pub fn len(&self) -> usize {
        self.len
    }

    /// Length of the whole envelope in bytes.
    #[inline]
    pub fn envelope_len(&self) -> usize {
        self.len + self.payload_len
    }

    /// Writes the header to the start of `dst` and returns its length. The
    /// payload, put at that offset, completes the envelope.
    #[inline]
    pub fn write(&self, dst: &mut [u8]) -> Result<usize, EncodeError> {
        let Some(dst) = dst.get_mut(..self.len) else {
            return Err(EncodeError::NoRoom(self.len));
        };
        let mut writer = Writer::new(dst);
        writer.key_and_varint(KEY_MSG_NAME, self.name.len());
        writer.bytes(self.name);
        writer.key_and_varint(KEY_MSG, self.any_len);
        writer.key_and_varint(KEY_TYPE_URL, TYPE_URL_PREFIX.len() + self.name.len());
        writer.bytes(TYPE_URL_PREFIX.as_bytes());
        writer.bytes(self.name);
        if self.payload_len > 0 {
            writer.key_and_varint(KEY_VALUE, self.payload_len);
        }
        Ok(self.len)
    }
}

impl From<TypeNameError> for EncodeError {
    fn from(error: TypeNameError) -> Self {
        EncodeError::TypeName(error)
    }
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EncodeError::TypeName(error) => error.fmt(f),
            EncodeError::TooLarge(len) => write!(
                f,
                "a payload of {len} bytes makes an envelope longer than the \
                 {MAX_ENVELOPE_LEN} bytes that protobuf allows"
            ),
            EncodeError::NoRoom(needed) => {
                write!(f, "no room for an envelope's header of {needed} bytes")
            }
        }
    }
}

impl std::error::Error for EncodeError {}
