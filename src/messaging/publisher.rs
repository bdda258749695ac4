//! Publishes messages to whoever subscribes to them. Binds.

use std::os::fd::RawFd;
use std::sync::Arc;

use crate::connection::clock::Deadline;
use crate::connection::endpoint::{DefaultSide, Endpoint};
use crate::connection::options::{FullQueue, Options, Role};
use crate::connection::socket::{Kind, Room, Socket};
use crate::error::{Error, Result, Status};
use crate::messaging::channel::{of_its_socket, send_many_single, send_single, Channel};
use crate::messaging::envelope::TypeName;
use crate::messaging::message::Message;

/// One publisher. May be used from any thread. Dropping it closes it.
///
/// Messages for a subscriber whose queue is full are dropped and counted (`dropped_queue_full`, once for each message
/// that at least one subscriber lost), unless the option says to block or to fail. What is sent while nobody
/// subscribes is gone: `wait_for_subscribers` first.
pub struct Publisher {
    socket: Arc<Socket>,
}

impl Publisher {
    /// Binds to each of the comma-separated endpoints (`>` in front connects).
    pub fn new(endpoints: &str, options: &Options) -> Result<Publisher> {
        options.validate(Role::Publisher)?;
        let endpoints = Endpoint::parse_list(endpoints)?;
        let socket = Socket::new("publisher", Kind::Publisher, options, FullQueue::Drop)?;
        let publisher = Publisher { socket };
        publisher.socket.attach(&endpoints, DefaultSide::Bind)?;
        Ok(publisher)
    }

    /// Sends a typed message.
    pub fn publish<M: prost::Message + prost::Name>(&self, message: &M) -> Result<()> {
        let mut prepared = Message::new();
        prepared.set(message)?;
        self.send(&mut prepared)
    }

    /// Sends bytes as they are, without an envelope.
    pub fn send_bytes(&self, bytes: &[u8]) -> Result<()> {
        self.send(&mut Message::from_bytes(bytes)?)
    }

    /// How many subscribers get messages of `type_name`; with None, how many subscribe to anything.
    pub fn subscribers(&self, type_name: Option<&str>) -> Result<usize> {
        self.socket.subscriber_count(topic_of(type_name)?.as_deref())
    }

    /// Waits until `count` subscribers get messages of `type_name` (None: any). A subscriber counted here gets
    /// everything published from now on.
    pub fn wait_for_subscribers(&self, type_name: Option<&str>, count: usize, deadline: Deadline) -> Result<()> {
        self.socket
            .wait_for_subscribers(topic_of(type_name)?.as_deref(), count, deadline)
    }
}

fn topic_of(type_name: Option<&str>) -> Result<Option<Vec<u8>>> {
    type_name.map(topic).transpose()
}

/// The topic of a type: how its envelopes begin.
pub(crate) fn topic(type_name: &str) -> Result<Vec<u8>> {
    TypeName::new(type_name)
        .map(TypeName::topic)
        .map_err(|e| Error::new(Status::InvalidArgument, format!("type name '{type_name:.100}': {e}")))
}

impl Channel for Publisher {
    of_its_socket!();

    fn close(&self) -> Result<()> {
        self.socket.close()
    }

    fn recv_bytes(&self, _message: &mut Message, _deadline: Deadline) -> Result<()> {
        Err(Error::new(Status::Unsupported, "a publisher receives nothing"))
    }

    fn wait(&self, _deadline: Deadline) -> Result<()> {
        Err(Error::new(Status::Unsupported, "a publisher receives nothing"))
    }

    fn fd(&self) -> Result<RawFd> {
        Err(Error::new(
            Status::Unsupported,
            "a publisher receives nothing: there is nothing to wait for at a descriptor",
        ))
    }

    fn send_within(&self, message: &mut Message, room: Room) -> Result<()> {
        send_single(&self.socket, message, room)
    }

    fn send_many(&self, messages: &mut [&mut Message]) -> Result<usize> {
        send_many_single(&self.socket, messages)
    }

    fn default_side(&self) -> DefaultSide {
        DefaultSide::Bind
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        // CLOSED where it was closed before.
        let _closed_already = self.close();
    }
}
