//! The protobuf wire format, as much of it as an envelope needs: a cursor over
//! bytes from the network that reads keys, varints and lengths, skips unknown
//! fields, and says at which byte something is wrong.

use std::fmt;

/// Unknown groups may be nested this deep, protobuf's own limit.
pub const MAX_GROUP_DEPTH: usize = 100;

pub(super) const KEY_MSG_NAME: u8 = 1 << 3 | LEN;
pub(super) const KEY_MSG: u8 = 2 << 3 | LEN;
pub(super) const KEY_TYPE_URL: u8 = 1 << 3 | LEN;
pub(super) const KEY_VALUE: u8 = 2 << 3 | LEN;

pub(super) const VARINT: u8 = 0;
pub(super) const I64: u8 = 1;
pub(super) const LEN: u8 = 2;
pub(super) const START_GROUP: u8 = 3;
pub(super) const END_GROUP: u8 = 4;
pub(super) const I32: u8 = 5;

/// Bytes that are not an envelope: what is wrong, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// Offset in the frame of the item at fault (its first byte), in bytes.
    pub offset: usize,
    /// What is wrong with it.
    pub reason: DecodeReason,
}

/// What can be wrong with bytes that should be an envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeReason {
    /// A field, or the message it is in, ends in the middle of the item.
    Truncated,
    /// A varint has more than ten bytes, or a value of more than 64 bits.
    Varint,
    /// A field number is 0 or above 2^29 - 1.
    FieldNumber,
    /// A wire type is one of the two that do not exist, 6 and 7.
    WireType,
    /// A group ends that did not begin, or ends within another one.
    GroupEnd,
    /// Groups are nested more than [`MAX_GROUP_DEPTH`] deep.
    GroupDepth,
    /// `msgName` or `type_url` is not valid UTF-8.
    Utf8,
    /// Neither `type_url` nor `msgName` names a type.
    NoTypeName,
}

impl fmt::Display for DecodeReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DecodeReason::Truncated => "the data ends too early",
            DecodeReason::Varint => "a varint is longer than 64 bits",
            DecodeReason::FieldNumber => "a field number is out of range",
            DecodeReason::WireType => "a wire type is unknown",
            DecodeReason::GroupEnd => "a group ends that is not open",
            DecodeReason::GroupDepth => "groups are nested too deep",
            DecodeReason::Utf8 => "a type name is not UTF-8",
            DecodeReason::NoTypeName => "no type is named",
        })
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not an envelope: {} at byte {}", self.reason, self.offset)
    }
}

impl std::error::Error for DecodeError {}

/// A field's number and wire type.
#[derive(Clone, Copy)]
pub(super) struct Key {
    pub number: u32,
    pub wire_type: u8,
}

/// Reads one message: the part of the frame from `pos` to its end. Positions
/// count from the start of the frame.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'a> {
    /// The frame up to the end of the message that is read.
    bytes: &'a [u8],
    pos: usize,
}

impl<'a> Cursor<'a> {
    pub fn new(frame: &'a [u8]) -> Self {
        Cursor { bytes: frame, pos: 0 }
    }

    pub fn position(&self) -> usize {
        self.pos
    }

    pub fn at_end(&self) -> bool {
        self.pos >= self.bytes.len()
    }

    /// Steps over `byte` if it is next.
    #[inline(always)]
    pub fn take_byte(&mut self, byte: u8) -> bool {
        let found = self.bytes.get(self.pos) == Some(&byte);
        self.pos += usize::from(found);
        found
    }

    #[inline(always)]
    pub fn varint(&mut self) -> Result<u64, DecodeError> {
        match self.bytes.get(self.pos) {
            Some(&byte) if byte < 0x80 => {
                self.pos += 1;
                Ok(u64::from(byte))
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64, DecodeError> {
        let start = self.pos;
        let mut value = 0u64;
        for index in 0..10 {
            let Some(&byte) = self.bytes.get(start + index) else {
                return Err(error(start, DecodeReason::Truncated));
            };
            if index == 9 && byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                self.pos = start + index + 1;
                return Ok(value);
            }
        }
        Err(error(start, DecodeReason::Varint))
    }

    pub fn key(&mut self) -> Result<Key, DecodeError> {
        let start = self.pos;
        let key = self.varint()?;
        let wire_type = (key & 7) as u8;
        match u32::try_from(key >> 3) {
            Ok(number) if number > 0 && number < 1 << 29 => {
                if wire_type > I32 {
                    return Err(error(start, DecodeReason::WireType));
                }
                Ok(Key { number, wire_type })
            }
            _ => Err(error(start, DecodeReason::FieldNumber)),
        }
    }

    /// The content of a length-delimited field.
    #[inline(always)]
    pub fn bytes(&mut self) -> Result<&'a [u8], DecodeError> {
        let nested = self.message()?;
        Ok(&nested.bytes[nested.pos..])
    }

    /// The same, which must be UTF-8.
    pub fn string(&mut self) -> Result<&'a str, DecodeError> {
        let start = self.pos;
        let bytes = self.bytes()?;
        std::str::from_utf8(bytes).map_err(|_| error(start, DecodeReason::Utf8))
    }

    /// The content of a length-delimited field, to be read as a message.
    #[inline(always)]
    pub fn message(&mut self) -> Result<Cursor<'a>, DecodeError> {
        let start = self.pos;
        let len = self.varint()?;
        let left = self.bytes.len() - self.pos;
        if len > left as u64 {
            return Err(error(start, DecodeReason::Truncated));
        }
        let from = self.pos;
        self.pos += len as usize;
        Ok(Cursor {
            bytes: &self.bytes[..self.pos],
            pos: from,
        })
    }

    /// Steps over the value of a field whose key was read at `key_start`. A
    /// group is skipped with all that is nested in it, without recursion.
    pub fn skip(&mut self, key: Key, key_start: usize) -> Result<(), DecodeError> {
        match key.wire_type {
            START_GROUP => self.skip_group(key.number, key_start),
            _ => self.skip_plain(key, key_start),
        }
    }

    fn skip_group(&mut self, number: u32, key_start: usize) -> Result<(), DecodeError> {
        let mut open = [0u32; MAX_GROUP_DEPTH];
        open[0] = number;
        let mut depth = 1;
        let mut innermost_start = key_start;
        while depth > 0 {
            if self.at_end() {
                return Err(error(innermost_start, DecodeReason::Truncated));
            }
            let start = self.pos;
            let key = self.key()?;
            match key.wire_type {
                START_GROUP => {
                    let Some(slot) = open.get_mut(depth) else {
                        return Err(error(start, DecodeReason::GroupDepth));
                    };
                    *slot = key.number;
                    depth += 1;
                    innermost_start = start;
                }
                END_GROUP if open[depth - 1] == key.number => depth -= 1,
                _ => self.skip_plain(key, start)?,
            }
        }
        Ok(())
    }

    fn skip_plain(&mut self, key: Key, key_start: usize) -> Result<(), DecodeError> {
        match key.wire_type {
            VARINT => self.varint().map(drop),
            I64 => self.skip_fixed(8),
            LEN => self.bytes().map(drop),
            I32 => self.skip_fixed(4),
            _ => Err(error(key_start, DecodeReason::GroupEnd)),
        }
    }

    fn skip_fixed(&mut self, len: usize) -> Result<(), DecodeError> {
        if self.bytes.len() - self.pos < len {
            return Err(error(self.pos, DecodeReason::Truncated));
        }
        self.pos += len;
        Ok(())
    }
}

pub(super) fn error(offset: usize, reason: DecodeReason) -> DecodeError {
    DecodeError { offset, reason }
}

/// How many bytes a varint takes.
#[inline]
pub(super) fn varint_len(value: usize) -> usize {
    let bits = usize::BITS as usize - (value | 1).leading_zeros() as usize;
    // bits / 7, rounded up, for 1 to 64 bits.
    (bits * 9 + 64) / 64
}

/// Fills a destination of the right length from its start.
pub(super) struct Writer<'a> {
    dst: &'a mut [u8],
    pos: usize,
}

impl<'a> Writer<'a> {
    #[inline]
    pub fn new(dst: &'a mut [u8]) -> Self {
        Writer { dst, pos: 0 }
    }

    #[inline]
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.dst[self.pos..self.pos + bytes.len()].copy_from_slice(bytes);
        self.pos += bytes.len();
    }

    #[inline]
    pub fn key_and_varint(&mut self, key: u8, mut value: usize) {
        self.byte(key);
        while value >= 0x80 {
            self.byte(value as u8 | 0x80);
            value >>= 7;
        }
        self.byte(value as u8);
    }

    #[inline]
    fn byte(&mut self, byte: u8) {
        self.dst[self.pos] = byte;
        self.pos += 1;
    }
}
