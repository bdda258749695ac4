//! One message object for sending, receiving and replying.
//!
//! Outgoing: made with a type name and a size, it gives the place to serialise into; the envelope's header stands in
//! front already. Incoming: type name and payload are views into the received frame. A received request, or a message
//! that came through a router, carries its way back.

use crate::connection::frame::Frame;
use crate::error::{Error, Result, Status};
use crate::messaging::envelope::{DecodeError, Header, Layout, Memo, TypeName};
use crate::messaging::reply::Origin;

/// What a message holds.
#[derive(Clone, Debug)]
enum Content {
    Empty,
    /// Bytes without an envelope, or not looked at.
    Bytes,
    /// An envelope received.
    Received(Layout),
    /// An envelope to be sent: where its payload begins, and its type name within.
    Prepared {
        name: std::ops::Range<usize>,
        payload: usize,
    },
    /// What should have been an envelope.
    Undecodable(DecodeError),
}

/// What `Message::kind` tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum MessageKind {
    /// Nothing: new, or sent.
    Empty = 0,
    /// Bytes without an envelope.
    Bytes = 1,
    /// A protobuf message with its type name.
    Typed = 2,
    /// Received as a typed message, but not an envelope. The bytes are readable.
    Undecodable = 3,
}

/// A message. Owned by one thread at a time.
pub struct Message {
    frame: Frame,
    content: Content,
    origin: Option<Origin>,
    /// The type name that it was last prepared with by `prepare_named`: it needs no second check.
    known_name: Vec<u8>,
    /// The header that this name had last, and the size of the payload behind it: for another one it is the same.
    known_header: Vec<u8>,
    known_size: usize,
    /// Envelopes that it received before.
    memo: Memo,
}

/// What a message shows, in one look at its frame.
pub(crate) struct Parts<'a> {
    /// Empty unless it is typed. UTF-8.
    pub type_name: &'a [u8],
    pub payload: &'a [u8],
    pub bytes: &'a [u8],
}

impl Default for Message {
    fn default() -> Message {
        Message::new()
    }
}

impl Message {
    /// An empty message, to receive into or to prepare.
    pub fn new() -> Message {
        Message {
            frame: Frame::new(),
            content: Content::Empty,
            origin: None,
            known_name: Vec::new(),
            known_header: Vec::new(),
            known_size: 0,
            memo: Memo::new(),
        }
    }

    /// A typed message with room for a payload of `size` bytes.
    pub fn typed(type_name: &str, size: usize) -> Result<Message> {
        let mut message = Message::new();
        message.prepare(type_name, size)?;
        Ok(message)
    }

    /// A message of bytes, copied.
    pub fn from_bytes(bytes: &[u8]) -> Result<Message> {
        let mut message = Message::new();
        message.prepare_bytes(bytes.len())?.copy_from_slice(bytes);
        Ok(message)
    }

    /// Makes this a typed message of `type_name` and gives the place for its payload, `size` bytes whose content is
    /// not set. What it held before is gone, its way back included.
    pub fn prepare(&mut self, type_name: &str, size: usize) -> Result<&mut [u8]> {
        check_name(type_name)?;
        self.prepare_checked(type_name.as_bytes(), size)
    }

    /// As `prepare`, for a message that is prepared again and again under the same name, which is not known to be
    /// UTF-8.
    pub(crate) fn prepare_named(&mut self, type_name: &[u8], size: usize) -> Result<&mut [u8]> {
        // None is known at first, and an empty one never is.
        if type_name.is_empty() || self.known_name != type_name {
            let text = std::str::from_utf8(type_name)
                .map_err(|e| Error::new(Status::InvalidArgument, format!("the type name is not UTF-8: {e}")))?;
            check_name(text)?;
            self.known_name.clear();
            self.known_name.extend_from_slice(type_name);
            self.known_header.clear();
        }
        let at = self.known_header.len();
        if at == 0 || self.known_size != size {
            self.prepare_checked(type_name, size)?;
            let payload = match self.content {
                Content::Prepared { payload, .. } => payload,
                _ => 0,
            };
            let bytes = self.frame.bytes_mut();
            self.known_header.clear();
            self.known_header.extend_from_slice(&bytes[..payload]);
            self.known_size = size;
            return Ok(&mut bytes[payload..]);
        }
        self.origin = None;
        self.content = Content::Empty;
        let (header, payload) = self.frame.renew(at + size)?.split_at_mut(at);
        header.copy_from_slice(&self.known_header);
        self.content = prepared(type_name, at);
        Ok(payload)
    }

    fn prepare_checked(&mut self, type_name: &[u8], size: usize) -> Result<&mut [u8]> {
        let header = Header::of(type_name, size).map_err(|e| Error::new(Status::TooLarge, e.to_string()))?;
        self.origin = None;
        self.content = Content::Empty;
        let bytes = self.frame.renew(header.envelope_len())?;
        let at = header
            .write(bytes)
            .map_err(|e| Error::new(Status::Internal, format!("cannot write an envelope: {e}")))?;
        self.content = prepared(type_name, at);
        Ok(&mut bytes[at..])
    }

    /// Makes this a message of `size` bytes, whose content is not set, and gives the place for them.
    pub fn prepare_bytes(&mut self, size: usize) -> Result<&mut [u8]> {
        self.origin = None;
        self.content = Content::Empty;
        let bytes = self.frame.renew(size)?;
        self.content = Content::Bytes;
        Ok(bytes)
    }

    /// Makes this the typed message `message`.
    pub fn set<M: prost::Message + prost::Name>(&mut self, message: &M) -> Result<()> {
        let mut place = self.prepare(&M::full_name(), message.encoded_len())?;
        message
            .encode(&mut place)
            .map_err(|e| Error::new(Status::Internal, format!("cannot serialise {}: {e}", M::full_name())))
    }

    /// The typed message inside. TYPE where it is another, DECODE where its payload is malformed.
    pub fn get<M: prost::Message + prost::Name + Default>(&self) -> Result<M> {
        let wanted = M::full_name();
        match self.type_name() {
            Some(name) if name == wanted => M::decode(self.payload())
                .map_err(|e| Error::new(Status::Decode, format!("the payload is no {wanted}: {e}"))),
            Some(name) => Err(Error::new(
                Status::Type,
                format!("a {name} where a {wanted} was asked for"),
            )),
            None => Err(Error::new(
                Status::Type,
                format!("bytes without an envelope where a {wanted} was asked for"),
            )),
        }
    }

    pub fn kind(&self) -> MessageKind {
        match self.content {
            Content::Empty => MessageKind::Empty,
            Content::Bytes => MessageKind::Bytes,
            Content::Received(_) | Content::Prepared { .. } => MessageKind::Typed,
            Content::Undecodable(_) => MessageKind::Undecodable,
        }
    }

    /// The full name of the message's type; none for bytes.
    pub fn type_name(&self) -> Option<&str> {
        let range = match &self.content {
            Content::Received(layout) => layout.type_name.clone(),
            Content::Prepared { name, .. } => name.clone(),
            _ => return None,
        };
        // Checked by the decoder, and by `prepare`.
        std::str::from_utf8(&self.frame.bytes()[range]).ok()
    }

    /// The serialised message; for bytes, all of them.
    pub fn payload(&self) -> &[u8] {
        match &self.content {
            Content::Received(layout) => &self.frame.bytes()[layout.payload.clone()],
            Content::Prepared { payload, .. } => &self.frame.bytes()[*payload..],
            _ => self.frame.bytes(),
        }
    }

    /// Everything at once.
    #[inline]
    pub(crate) fn parts(&self) -> Parts<'_> {
        let bytes = self.frame.bytes();
        let (type_name, payload) = match &self.content {
            Content::Received(layout) => (&bytes[layout.type_name.clone()], &bytes[layout.payload.clone()]),
            Content::Prepared { name, payload } => (&bytes[name.clone()], &bytes[*payload..]),
            _ => (&[][..], bytes),
        };
        Parts {
            type_name,
            payload,
            bytes,
        }
    }

    /// Whether it was published under its full name, and not under a short one that other types may share.
    pub(crate) fn came_by_full_name(&self) -> bool {
        match &self.content {
            Content::Received(layout) => {
                let bytes = self.frame.bytes();
                let name = &bytes[layout.type_name.clone()];
                name.contains(&b'.') && bytes[layout.msg_name.clone()] == *name
            }
            _ => false,
        }
    }

    /// The place of the payload of a message that is being prepared. A received one is read-only: STATE. Bytes that a
    /// clone shares, or a call that may still be sending them, are copied first.
    pub fn payload_mut(&mut self) -> Result<&mut [u8]> {
        match self.content {
            Content::Prepared { payload, .. } => {
                self.frame.unshare()?;
                Ok(&mut self.frame.bytes_mut()[payload..])
            }
            Content::Bytes if self.origin.is_none() => {
                self.frame.unshare()?;
                Ok(self.frame.bytes_mut())
            }
            _ => Err(Error::new(
                Status::State,
                "only a message that was prepared for sending can be written to",
            )),
        }
    }

    /// Everything on the wire: the envelope with its header, or the bytes.
    pub fn bytes(&self) -> &[u8] {
        self.frame.bytes()
    }

    /// The number that a sender of ours gave the message, where it gave one (envelope field 16).
    pub fn sequence(&self) -> Option<u64> {
        match &self.content {
            Content::Received(layout) => layout.sequence,
            _ => None,
        }
    }

    /// Why the bytes are no envelope.
    pub fn decode_error(&self) -> Option<&DecodeError> {
        match &self.content {
            Content::Undecodable(error) => Some(error),
            _ => None,
        }
    }

    /// Looks at received bytes as an envelope. DECODE where they are none; they stay readable.
    pub fn decode(&mut self) -> Result<()> {
        match self.memo.layout_of(self.frame.bytes()) {
            Ok(layout) => {
                self.content = Content::Received(layout);
                Ok(())
            }
            Err(error) => {
                let text = error.to_string();
                self.content = Content::Undecodable(error);
                Err(Error::new(Status::Decode, text))
            }
        }
    }

    /// A second message with the same content and the same way back; bytes are shared, not copied.
    pub fn try_clone(&mut self) -> Result<Message> {
        Ok(Message {
            frame: self.frame.share()?,
            content: self.content.clone(),
            origin: self.origin.clone(),
            known_name: Vec::new(),
            known_header: Vec::new(),
            known_size: 0,
            memo: Memo::new(),
        })
    }

    /// Empties it, and lets go of what it held.
    pub fn clear(&mut self) {
        self.frame = Frame::new();
        self.content = Content::Empty;
        self.origin = None;
    }

    /// The frames that routed it here; none where it came directly.
    pub fn route(&self) -> &[Frame] {
        self.origin.as_ref().map_or(&[], Origin::route)
    }

    /// Whether `reply` works: it is a request, or came through a router, and was not answered yet.
    pub fn can_reply(&self) -> bool {
        self.origin.as_ref().is_some_and(Origin::is_open)
    }

    /// Answers it with `reply`, from any thread, once. On success `reply` is empty.
    /// STATE where there is no way back or it was answered; UNREACHABLE where the asker is gone.
    pub fn reply(&self, reply: &mut Message) -> Result<()> {
        reply.require_content()?;
        self.origin()?.reply(&mut reply.frame)?;
        reply.clear();
        Ok(())
    }

    /// Answers it with an error, which the asker gets as a status and a text.
    pub fn reply_error(&self, status: Status, text: &str) -> Result<()> {
        self.origin()?.reply_error(status, text)
    }

    fn origin(&self) -> Result<&Origin> {
        self.origin
            .as_ref()
            .ok_or_else(|| Error::new(Status::State, "the message is no request: it has no way back"))
    }

    // -- for the roles

    pub(crate) fn require_content(&self) -> Result<()> {
        match self.content {
            Content::Empty => Err(Error::new(
                Status::State,
                "the message is empty: prepare it before it is sent",
            )),
            _ => Ok(()),
        }
    }

    pub(crate) fn frame_mut(&mut self) -> &mut Frame {
        &mut self.frame
    }

    /// Its frame was sent, and so is empty.
    pub(crate) fn sent(&mut self) {
        self.content = Content::Empty;
        self.origin = None;
    }

    /// Takes in what was received.
    pub(crate) fn received(&mut self, frame: Frame, origin: Option<Origin>) {
        self.frame = frame;
        self.content = Content::Bytes;
        self.origin = origin;
    }

    /// The frame to receive into; `received_in_place` follows.
    pub(crate) fn receive_buffer(&mut self) -> &mut Frame {
        self.content = Content::Empty;
        self.origin = None;
        &mut self.frame
    }

    pub(crate) fn received_in_place(&mut self) {
        self.content = Content::Bytes;
    }

    pub(crate) fn origin_ref(&self) -> Option<&Origin> {
        self.origin.as_ref()
    }
}

/// An envelope whose payload begins at `payload`. The name stands behind its key and its length.
fn prepared(name: &[u8], payload: usize) -> Content {
    let key_and_length = 1 + varint_len(name.len());
    Content::Prepared {
        name: key_and_length..key_and_length + name.len(),
        payload,
    }
}

fn check_name(name: &str) -> Result<()> {
    match TypeName::new(name) {
        Ok(_) => Ok(()),
        Err(error) => Err(Error::new(
            Status::InvalidArgument,
            format!("type name '{name:.100}': {error}"),
        )),
    }
}

fn varint_len(value: usize) -> usize {
    if value < 128 {
        1
    } else {
        2
    }
}
