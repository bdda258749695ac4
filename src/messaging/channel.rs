//! What all roles share, written once: over one socket, or over the several of a request.

use std::borrow::Cow;
use std::os::fd::RawFd;
use std::sync::Arc;

use crate::connection::clock::Deadline;
use crate::connection::endpoint::{DefaultSide, Endpoint};
use crate::connection::events::EventQueue;
use crate::connection::frame::Frame;
use crate::connection::socket::{Entered, Room, Socket};
use crate::connection::stats::Statistics;
use crate::error::{Error, Result, Status};
use crate::messaging::message::{Message, MessageKind};

/// The view of a role that carries what all roles share. Any method may be called from any thread.
pub trait Channel: Send + Sync {
    /// The role's name: "publisher".
    fn role(&self) -> &'static str;

    /// Ends the role; see `Socket::close`.
    fn close(&self) -> Result<()>;

    fn is_closed(&self) -> bool;

    /// The sockets underneath: one, but for a request.
    fn sockets(&self) -> Cow<'_, [Arc<Socket>]>;

    fn events(&self) -> Arc<EventQueue>;

    /// Receives the next message as it is, without looking into it. UNSUPPORTED where the role receives nothing.
    fn recv_bytes(&self, message: &mut Message, deadline: Deadline) -> Result<()>;

    /// Sends a message that was prepared, typed or not. It is empty afterwards, on success only. `room` says what
    /// happens where a queue is full; for a request, where no endpoint is connected, too.
    fn send_within(&self, message: &mut Message, room: Room) -> Result<()>;

    /// The same, as the options of the handle say.
    fn send(&self, message: &mut Message) -> Result<()> {
        self.send_within(message, Room::AsConfigured)
    }

    /// Sends in order until one fails. Returns how many were sent; an error only where that is none.
    fn send_many(&self, messages: &mut [&mut Message]) -> Result<usize> {
        let mut sent = 0;
        for message in messages.iter_mut() {
            match self.send(message) {
                Ok(()) => sent += 1,
                Err(_) if sent > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok(sent)
    }

    /// Which side an endpoint without a prefix is for.
    fn default_side(&self) -> DefaultSide;

    /// Receives the next typed message. DECODE where it is no envelope; its bytes stay readable in `message`.
    fn recv(&self, message: &mut Message, deadline: Deadline) -> Result<()> {
        self.recv_bytes(message, deadline)?;
        let decoded = message.decode();
        if decoded.is_err() {
            self.count_decode_error();
        }
        decoded
    }

    /// What is there already, for `recv_many`: how many messages were filled, from the first on.
    fn recv_more(&self, messages: &mut [&mut Message], typed: bool) -> usize {
        let mut received = 0;
        for message in messages.iter_mut() {
            if recv_any(self, message, typed, Deadline::Now).is_err() {
                break;
            }
            received += 1;
        }
        received
    }

    fn count_decode_error(&self) {
        if let Some(socket) = self.sockets().first() {
            socket.counters.decode_error();
        }
    }

    /// Whether a reactor can receive from it, by `recv_reserved`.
    fn suits_a_reactor(&self) -> bool {
        false
    }

    /// For the reactor that reserved the channel's only socket: one message without waiting. False where what came is
    /// of no use: it is gone.
    fn recv_reserved(&self, _message: &mut Message) -> Result<bool> {
        Err(Error::new(
            Status::Unsupported,
            format!("a {} cannot be added to a reactor", self.role()),
        ))
    }

    /// Waits until a receive may work.
    fn wait(&self, deadline: Deadline) -> Result<()> {
        match self.sockets().first() {
            Some(socket) => socket.wait_readable(deadline),
            None => Err(Error::new(Status::Closed, "the handle is closed")),
        }
    }

    /// Whether somebody may be waiting at `fd`; see `Socket::watch`.
    fn watch(&self, watched: bool) -> Result<()> {
        self.sockets().iter().try_for_each(|socket| socket.watch(watched))
    }

    /// A descriptor that is readable when a receive may work; see `Socket::fd`.
    fn fd(&self) -> Result<RawFd> {
        match self.sockets().first() {
            Some(socket) => socket.fd(),
            None => Err(Error::new(Status::Closed, "the handle is closed")),
        }
    }

    /// A descriptor that is readable when a send that said WOULD_BLOCK may work; see `Socket::room_fd`.
    fn room_fd(&self) -> Result<RawFd> {
        match self.sockets().first() {
            Some(socket) => socket.room_fd(),
            None => Err(Error::new(Status::Closed, "the handle is closed")),
        }
    }

    /// Waits until everything sent so far was handed to the connections; see `Socket::flush`.
    fn flush(&self, deadline: Deadline) -> Result<()> {
        self.sockets().iter().try_for_each(|socket| socket.flush(deadline))
    }

    fn statistics(&self) -> Result<Statistics> {
        let mut sum = Statistics::default();
        for socket in self.sockets().iter() {
            sum.add(&socket.statistics()?);
        }
        Ok(sum)
    }

    /// The endpoint bound last, with the port that was free where `*` was asked for. NOT_FOUND where none is bound.
    fn last_endpoint(&self) -> Result<String> {
        self.sockets()
            .iter()
            .rev()
            .find_map(|socket| socket.last_endpoint())
            .ok_or_else(|| Error::new(Status::NotFound, "the handle is bound to no endpoint"))
    }

    fn endpoints(&self) -> Vec<String> {
        self.sockets()
            .iter()
            .flat_map(|socket| socket.all_endpoints())
            .collect()
    }

    /// Waits until `peers` peers are connected; with 0 until each endpoint that this side connects to is.
    fn wait_connected(&self, peers: usize, deadline: Deadline) -> Result<()> {
        match &*self.sockets() {
            [socket] => socket.wait_connected(peers, deadline),
            _ => Err(Error::new(Status::Closed, "the handle is closed")),
        }
    }

    /// Binds or connects to one more endpoint.
    fn attach(&self, endpoint: &Endpoint) -> Result<()> {
        match &*self.sockets() {
            [socket] => socket.attach_more(endpoint, self.default_side()),
            _ => Err(Error::new(
                Status::Unsupported,
                "the endpoints of this role are given when it is made",
            )),
        }
    }

    /// Gives up one endpoint that it connects to. NOT_FOUND where it is not among them.
    fn detach(&self, endpoint: &Endpoint) -> Result<()> {
        match &*self.sockets() {
            [socket] => socket.detach(endpoint),
            _ => Err(Error::new(
                Status::Unsupported,
                "the endpoints of this role are given when it is made",
            )),
        }
    }
}

/// Receives many in one call: waits for the first, takes what else is there, fills at most `messages.len()`.
/// Returns how many. A typed one that does not decode is UNDECODABLE in its place, counted, and no error.
pub fn recv_many(
    channel: &dyn Channel,
    messages: &mut [&mut Message],
    typed: bool,
    deadline: Deadline,
) -> Result<usize> {
    let Some((first, others)) = messages.split_first_mut() else {
        return Ok(0);
    };
    recv_any(channel, first, typed, deadline)?;
    let mut received = 0;
    while received < others.len() {
        match channel.recv_more(&mut others[received..], typed) {
            0 => break,
            more => received += more,
        }
    }
    Ok(1 + received)
}

/// As `recv`, or `recv_bytes`; one that does not decode is UNDECODABLE, and no error.
fn recv_any(channel: &(impl Channel + ?Sized), message: &mut Message, typed: bool, deadline: Deadline) -> Result<()> {
    if !typed {
        return channel.recv_bytes(message, deadline);
    }
    match channel.recv(message, deadline) {
        Err(error) if error.status() == Status::Decode && message.kind() == MessageKind::Undecodable => Ok(()),
        other => other,
    }
}

/// Sends in order until one fails; see `Channel::send_many`.
pub fn send_many(channel: &dyn Channel, messages: &mut [&mut Message]) -> Result<usize> {
    channel.send_many(messages)
}

/// How many messages of a batch go through one lock of the socket.
const AT_ONCE: usize = 256;

/// `Channel::send_many` of a role that sends each message as one frame.
pub(crate) fn send_many_single(socket: &Socket, messages: &mut [&mut Message]) -> Result<usize> {
    let mut sent = 0;
    while sent < messages.len() {
        let ready = messages[sent..].iter_mut().take(AT_ONCE);
        let ready = ready.take_while(|message| message.require_content().is_ok());
        let outcome = match socket.send_singles(ready.map(|message| message.frame_mut())) {
            // The next one alone: that waits for room, or tells what is wrong with it.
            Ok(0) => send_single(socket, messages[sent], Room::AsConfigured).map(|()| 1),
            Ok(some) => {
                messages[sent..sent + some]
                    .iter_mut()
                    .for_each(|message| message.sent());
                Ok(some)
            }
            Err(error) => Err(error),
        };
        match outcome {
            Ok(some) => sent += some,
            Err(_) if sent > 0 => break,
            Err(error) => return Err(error),
        }
    }
    Ok(sent)
}

/// `Channel::recv_more` of a role whose messages have one frame. `wanted` says whether a typed one is given out.
pub(crate) fn recv_more_single(
    socket: &Socket,
    messages: &mut [&mut Message],
    typed: bool,
    wanted: impl Fn(&Message) -> bool,
) -> usize {
    let Ok(mut entered) = socket.enter_to_receive() else {
        return 0;
    };
    let mut received = 0;
    for _attempt in 0..AT_ONCE {
        let Some(message) = messages.get_mut(received) else {
            break;
        };
        match entered.try_recv_single(message.receive_buffer()) {
            Ok(true) => message.received_in_place(),
            Ok(false) => continue,
            Err(_nothing_more) => break,
        }
        if typed && message.decode().is_err() {
            socket.counters.decode_error();
        } else if typed && !wanted(message) {
            continue;
        }
        received += 1;
    }
    received
}

/// Receives into `message` a message of one frame.
pub(crate) fn recv_single(socket: &Socket, message: &mut Message, deadline: Deadline) -> Result<()> {
    socket.recv_single(message.receive_buffer(), deadline)?;
    message.received_in_place();
    Ok(())
}

/// As `recv_single`, by the reactor that reserved the socket.
pub(crate) fn recv_single_reserved(socket: &Socket, message: &mut Message) -> Result<bool> {
    let frame = message.receive_buffer();
    let received = socket.recv_reserved(|entered: &mut Entered<'_>| entered.try_recv_single(frame))?;
    if received {
        message.received_in_place();
    }
    Ok(received)
}

/// Sends what a message holds as one frame.
pub(crate) fn send_single(socket: &Socket, message: &mut Message, room: Room) -> Result<()> {
    message.require_content()?;
    socket.send_single(message.frame_mut(), room)?;
    message.sent();
    Ok(())
}

/// Frames received by a reactor.
pub(crate) fn recv_frames_reserved(socket: &Socket, frames: &mut Vec<Frame>) -> Result<bool> {
    socket.recv_reserved(|entered: &mut Entered<'_>| entered.try_recv(frames))
}

/// What every role over one socket, `self.socket`, tells of it: for its `impl Channel`.
macro_rules! of_its_socket {
    () => {
        fn role(&self) -> &'static str {
            self.socket.role()
        }

        fn is_closed(&self) -> bool {
            self.socket.is_closed()
        }

        fn sockets(&self) -> std::borrow::Cow<'_, [std::sync::Arc<$crate::connection::socket::Socket>]> {
            std::slice::from_ref(&self.socket).into()
        }

        fn events(&self) -> std::sync::Arc<$crate::connection::events::EventQueue> {
            std::sync::Arc::clone(&self.socket.events)
        }
    };
}

pub(crate) use of_its_socket;
