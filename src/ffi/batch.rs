//! Receiving with a copy: for languages in which a call into C costs more than copying a message of usual size.

use std::ffi::{c_char, c_void};

use super::bytes::{list_mut, object_mut};
use super::guard::guard;
use super::handle::find_socket;
use super::message::{dividere_message_t, message};
use super::socket::{batch, dividere_socket_t, flag};
use super::status::dividere_status_t;
use crate::connection::clock::Deadline;
use crate::error::{Error, Result, Status};
use crate::messaging::channel::recv_many;
use crate::messaging::message::{Message, MessageKind};

/// What was copied, and where to: of one message its type name, and right behind it its payload; of several messages
/// in a row that have the same type, the name once, and behind it their payloads (see `framed`). It stays as it is.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct dividere_copied_t {
    /// What the message holds: DIVIDERE_MESSAGE_TYPED and so on.
    pub kind: i32,
    /// 1 where dividere_message_reply can still answer it, 0 where not.
    pub can_reply: i32,
    /// How many messages these are.
    pub messages: u64,
    /// Number of frames in front of the message that routed it here.
    pub route_count: u64,
    /// Length of the type name in bytes; 0 unless the kind is TYPED.
    pub type_name_len: u64,
    /// Length of the payload in bytes: for all other kinds, of all bytes; for several messages, of all together.
    pub payload_len: u64,
    /// Where the type name begins in the buffer; UINT64_MAX where nothing of this message was copied, since it did not fit
    /// or is too large (see `copied_most`).
    pub offset: u64,
    /// The type name of the first one in its message, as dividere_message_view tells it.
    pub type_name: *const c_char,
    /// The same for its payload.
    pub payload: *const c_void,
}

/// What to receive into. Made once and used again and again, by one thread at a time.
#[repr(C)]
pub struct dividere_batch_t {
    /// `count` different messages, best in the order of their addresses: each holds in full what was received into it.
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
    /// 0: each message is described by itself. 1: each payload has the header of a protobuf field in front (number 1,
    /// length-delimited), and messages of one type in a row are described together: so their payloads can be
    /// parsed all at once, as a message with a repeated field.
    pub framed: i32,
    /// Once the messages received have so many bytes together, no more are received; 0: up to `count` are, whatever their
    /// size.
    pub bytes_most: u64,
    /// A payload of more bytes is not copied, as looking at it costs less; 0: whatever fits is.
    pub copied_most: u64,
    /// Out: how many messages were received. Written on success only.
    pub received: u64,
    /// Out: how many descriptions there are. Written on success only.
    pub described: u64,
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
        let framed = flag(into.framed, "framed")?;
        let mut copies = Copies::of(into)?;
        let socket = find_socket(socket.id)?;
        let deadline = Deadline::from_ms(timeout_ms);
        let bytes_most = match into.bytes_most {
            0 => u64::MAX,
            most => most,
        };
        into.received = if into.count == 1 && !into.messages.is_null() {
            // The everyday case, without a list.
            let mut single = [message(*into.messages)?];
            recv_many(&*socket, &mut single, typed, deadline)?;
            copies.add(single[0], framed);
            1
        } else {
            let mut several = self::batch(into.messages, into.count)?;
            let (mut received, mut bytes) = (0, 0);
            while received < several.len() && bytes < bytes_most {
                let deadline = if received == 0 { deadline } else { Deadline::Now };
                match recv_many(&*socket, &mut several[received..=received], typed, deadline) {
                    Ok(_one) => {}
                    Err(_) if received > 0 => break,
                    Err(error) => return Err(error),
                }
                copies.add(several[received], framed);
                bytes += several[received].bytes().len() as u64;
                received += 1;
            }
            received as u64
        };
        into.described = copies.described as u64;
        Ok(())
    })
}

/// Describes and copies what `receive` receives into the only message of a batch.
///
/// # Safety
/// As for dividere_socket_recv_batch.
pub(super) unsafe fn receive_one(
    batch: *mut dividere_batch_t,
    receive: impl FnOnce(&mut Message) -> Result<()>,
) -> Result<()> {
    let into = object_mut(batch, "batch")?;
    let framed = flag(into.framed, "framed")?;
    let mut copies = Copies::of(into)?;
    let message = match super::bytes::list(into.messages, into.count, "messages")? {
        [only] => message(*only)?,
        several => {
            return Err(Error::new(
                Status::InvalidArgument,
                format!("a batch for one message is needed, not for {}", several.len()),
            ))
        }
    };
    receive(message)?;
    copies.add(message, framed);
    (into.received, into.described) = (1, 1);
    Ok(())
}

/// What was copied so far.
struct Copies<'a> {
    buffer: &'a mut [u8],
    used: usize,
    /// The largest payload to be copied; 0 without a limit.
    copied_most: u64,
    /// As many as there may be messages.
    copied: &'a mut [dividere_copied_t],
    described: usize,
    /// The last description is one that a message of the same type can join.
    joins_next: bool,
}

impl Copies<'_> {
    /// Of nothing yet.
    ///
    /// # Safety
    /// As for dividere_socket_recv_batch.
    unsafe fn of<'a>(into: &dividere_batch_t) -> Result<Copies<'a>> {
        Ok(Copies {
            buffer: list_mut(into.buffer.cast::<u8>(), into.size, "buffer")?,
            used: 0,
            copied_most: into.copied_most,
            copied: list_mut(into.copied, into.count, "copied")?,
            described: 0,
            joins_next: false,
        })
    }

    /// Describes a message, and copies it where it fits.
    fn add(&mut self, message: &Message, framed: bool) {
        let parts = message.parts();
        let is_plain = framed && message.kind() == MessageKind::Typed && message.route().is_empty();
        let joins = self.joins_next && is_plain && self.last_name() == parts.type_name;
        let mut header = [0; HEADER_MOST];
        let header: &[u8] = match framed {
            true => write_header(parts.payload.len(), &mut header),
            false => &[],
        };
        let name: &[u8] = if joins { &[] } else { parts.type_name };
        let is_small = self.copied_most == 0 || parts.payload.len() as u64 <= self.copied_most;
        let fits = is_small && self.copy([name, header, parts.payload]);
        let payload_len = (header.len() + parts.payload.len()) as u64;
        if joins && fits {
            let last = &mut self.copied[self.described - 1];
            last.messages += 1;
            last.payload_len += payload_len;
            return;
        }
        // Nothing follows on what was not copied.
        self.joins_next = fits && is_plain;
        self.copied[self.described] = dividere_copied_t {
            kind: message.kind() as i32,
            can_reply: i32::from(message.can_reply()),
            messages: 1,
            route_count: message.route().len() as u64,
            type_name_len: parts.type_name.len() as u64,
            payload_len: match fits {
                true => payload_len,
                false => parts.payload.len() as u64,
            },
            offset: match fits {
                true => (self.used - name.len()) as u64 - payload_len,
                false => u64::MAX,
            },
            type_name: parts.type_name.as_ptr().cast(),
            payload: parts.payload.as_ptr().cast(),
        };
        self.described += 1;
    }

    /// The name in the last description, which was copied.
    fn last_name(&self) -> &[u8] {
        let last = &self.copied[self.described - 1];
        let at = last.offset as usize;
        &self.buffer[at..at + last.type_name_len as usize]
    }

    /// Copies all of them one behind the other, or nothing.
    fn copy(&mut self, pieces: [&[u8]; 3]) -> bool {
        let size = pieces
            .iter()
            .try_fold(0, |sum: usize, piece| sum.checked_add(piece.len()));
        if size.is_none_or(|size| size > self.buffer.len() - self.used) {
            return false;
        }
        for piece in pieces {
            let end = self.used + piece.len();
            self.buffer[self.used..end].copy_from_slice(piece);
            self.used = end;
        }
        true
    }
}

/// A tag, and a length in base 128.
const HEADER_MOST: usize = 1 + 10;
/// Field 1, length-delimited.
const TAG: u8 = 0x0a;

fn write_header(mut length: usize, header: &mut [u8; HEADER_MOST]) -> &[u8] {
    header[0] = TAG;
    let mut at = 1;
    while length >= 0x80 {
        header[at] = length as u8 | 0x80;
        length >>= 7;
        at += 1;
    }
    header[at] = length as u8;
    &header[..=at]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_what_prost_writes() {
        for length in [0, 1, 127, 128, 16_383, 16_384, 1 << 21, 1 << 28, usize::MAX] {
            let mut expected = vec![TAG];
            prost::encoding::encode_varint(length as u64, &mut expected);
            assert_eq!(write_header(length, &mut [0; HEADER_MOST]), expected);
        }
    }
}
