//! Sends and receives freely: to and from peers in turn, and answers what came through routers.

use std::sync::Arc;

use crate::connection::clock::Deadline;
use crate::connection::endpoint::{DefaultSide, Endpoint};
use crate::connection::frame::Frame;
use crate::connection::options::{FullQueue, Options, Role};
use crate::connection::socket::{Kind, Room, Socket};
use crate::error::{Error, Result, Status};
use crate::messaging::channel::{of_its_socket, send_many_single, send_single, Channel};
use crate::messaging::message::Message;
use crate::messaging::reply::Origin;

/// One dealer. May be used from any thread. Dropping it closes it.
///
/// Binds where an endpoint has a `*`, else connects. Its identity is a random UUID, as text, unless set. Messages go
/// to the peers in turn; a full queue blocks up to the send timeout. What is queued waits for the address that it was
/// queued for: only a dealer with nothing queued follows a host name to another address.
pub struct Dealer {
    socket: Arc<Socket>,
}

impl Dealer {
    pub fn new(endpoints: &str, options: &Options) -> Result<Dealer> {
        options.validate(Role::Dealer)?;
        let endpoints = Endpoint::parse_list(endpoints)?;
        let mut options = options.clone();
        if options.identity().is_none() {
            options.set_identity(random_uuid()?.as_bytes())?;
        }
        let socket = Socket::new("dealer", Kind::Dealer, &options, FullQueue::Block)?;
        let dealer = Dealer { socket };
        dealer.socket.attach(&endpoints, DefaultSide::BindIfWildcard)?;
        Ok(dealer)
    }

    /// Sends a message with route frames in front: what a received message's `route` gave.
    pub fn send_routed(&self, route: &[&[u8]], message: &mut Message) -> Result<()> {
        self.send_routed_within(route, message, Room::AsConfigured)
    }

    /// The same; `room` says what happens where the queue is full.
    pub fn send_routed_within(&self, route: &[&[u8]], message: &mut Message, room: Room) -> Result<()> {
        message.require_content()?;
        let mut frames = Vec::with_capacity(route.len() + 1);
        for part in route {
            frames.push(Frame::from_bytes(part)?);
        }
        frames.push(std::mem::take(message.frame_mut()));
        let sent = self.socket.send(&mut frames, room);
        if sent.is_ok() {
            message.clear();
        } else if let Some(unsent) = frames.pop() {
            *message.frame_mut() = unsent;
        }
        sent
    }

    /// Sends with an empty frame in front: the form in which a Response expects a request.
    pub fn send_with_empty_frame(&self, message: &mut Message) -> Result<()> {
        self.send_routed(&[b""], message)
    }

    /// Of a message of one frame there is no list: it is in the message.
    fn take(&self, message: &mut Message, mut frames: Vec<Frame>) {
        if frames.is_empty() {
            return message.received_in_place();
        }
        let payload = frames.pop().unwrap_or_default();
        // A lone empty frame is how a Response answers: no way back, nothing to route.
        let unrouted = frames.is_empty() || matches!(frames.as_slice(), [only] if only.is_empty());
        let origin = (!unrouted).then(|| Origin::new(&self.socket, frames, false));
        message.received(payload, origin);
    }
}

/// Version 4, from the system's random numbers.
pub(crate) fn random_uuid() -> Result<String> {
    let mut bytes = [0u8; 16];
    crate::connection::keys::random_bytes(&mut bytes)?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
    Ok([&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-"))
}

impl Channel for Dealer {
    of_its_socket!();

    fn close(&self) -> Result<()> {
        self.socket.close()
    }

    fn recv_bytes(&self, message: &mut Message, deadline: Deadline) -> Result<()> {
        let mut frames = Vec::new();
        self.socket
            .recv_message(message.receive_buffer(), &mut frames, deadline)?;
        self.take(message, frames);
        Ok(())
    }

    fn suits_a_reactor(&self) -> bool {
        true
    }

    fn recv_reserved(&self, message: &mut Message) -> Result<bool> {
        let mut frames = Vec::new();
        let only = message.receive_buffer();
        if !self
            .socket
            .recv_reserved(|entered| entered.try_recv_message(only, &mut frames))?
        {
            return Ok(false);
        }
        self.take(message, frames);
        if message.decode().is_err() {
            self.socket.counters.decode_error();
        }
        // In a reactor a request that came through routers is owed an answer, as at a response.
        if let Some(origin) = message.origin_ref().filter(|origin| origin.is_request()) {
            origin.owe_an_answer();
        }
        Ok(true)
    }

    fn send_within(&self, message: &mut Message, room: Room) -> Result<()> {
        send_single(&self.socket, message, room)
    }

    fn send_many(&self, messages: &mut [&mut Message]) -> Result<usize> {
        send_many_single(&self.socket, messages)
    }

    fn default_side(&self) -> DefaultSide {
        DefaultSide::BindIfWildcard
    }
}

impl Drop for Dealer {
    fn drop(&mut self) {
        // CLOSED where it was closed before.
        let _closed_already = self.close();
    }
}

/// What a channel that is closed says.
pub(crate) fn closed() -> Error {
    Error::new(Status::Closed, "the handle is closed")
}
