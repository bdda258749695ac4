//! Receives what publishers publish: everything, some message types, or raw topic prefixes. Connects.

use std::collections::HashMap;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use crate::connection::clock::{Deadline, Patience};
use crate::connection::endpoint::{DefaultSide, Endpoint};
use crate::connection::errno;
use crate::connection::options::{FullQueue, Options, Role};
use crate::connection::process::lock;
use crate::connection::socket::{Kind, Room, Socket};
use crate::error::{Error, Result, Status};
use crate::messaging::channel::{of_its_socket, recv_more_single, recv_single, recv_single_reserved, Channel};
use crate::messaging::envelope::TypeName;
use crate::messaging::message::Message;
use crate::messaging::publisher::topic;

/// One subscriber. May be used from any thread. Dropping it closes it.
///
/// What the publisher sent before the subscription reached it is not received. What arrives while the receive queue is
/// full waits at the publisher, whose policy for full queues then decides.
pub struct Subscriber {
    socket: Arc<Socket>,
    wanted: Mutex<Wanted>,
    /// Set while messages have to be looked at: a short name was subscribed to, and may bring other types.
    by_type: AtomicBool,
}

#[derive(Default)]
struct Wanted {
    types: HashMap<String, u32>,
    prefixes: HashMap<Vec<u8>, u32>,
}

/// What a new subscriber subscribes to.
#[derive(Clone, Copy, Debug)]
pub enum Filter<'a> {
    All,
    /// Full names of message types; with none, nothing until `subscribe_type` or `subscribe_prefix`.
    Types(&'a [&'a str]),
}

impl Subscriber {
    /// Connects to each of the comma-separated endpoints (`@` in front binds).
    pub fn new(endpoints: &str, filter: Filter<'_>, options: &Options) -> Result<Subscriber> {
        options.validate(Role::Subscriber)?;
        let endpoints = Endpoint::parse_list(endpoints)?;
        let socket = Socket::new("subscriber", Kind::Subscriber, options, FullQueue::Block)?;
        let subscriber = Subscriber {
            socket,
            wanted: Mutex::default(),
            by_type: AtomicBool::new(false),
        };
        match filter {
            Filter::All => subscriber.subscribe_prefix(b"")?,
            Filter::Types(types) => types.iter().try_for_each(|name| subscriber.subscribe_type(name))?,
        }
        subscriber.socket.attach(&endpoints, DefaultSide::Connect)?;
        Ok(subscriber)
    }

    /// Receives messages of this type, too. Counted: as many `unsubscribe_type` end it.
    pub fn subscribe_type(&self, type_name: &str) -> Result<()> {
        let topics = topics(type_name)?;
        let mut wanted = lock(&self.wanted);
        for topic in &topics {
            self.set(zmq_sys::ZMQ_SUBSCRIBE as i32, topic)?;
        }
        *wanted.types.entry(type_name.to_owned()).or_insert(0) += 1;
        self.by_type.store(wanted.must_look(), Ordering::Release);
        Ok(())
    }

    /// NOT_FOUND where the type is not subscribed to.
    pub fn unsubscribe_type(&self, type_name: &str) -> Result<()> {
        let topics = topics(type_name)?;
        let mut wanted = lock(&self.wanted);
        lower(&mut wanted.types, type_name)
            .ok_or_else(|| Error::new(Status::NotFound, format!("not subscribed to {type_name}")))?;
        for topic in &topics {
            self.set(zmq_sys::ZMQ_UNSUBSCRIBE as i32, topic)?;
        }
        self.by_type.store(wanted.must_look(), Ordering::Release);
        Ok(())
    }

    /// Receives whatever begins with these bytes, too; an empty prefix is everything.
    pub fn subscribe_prefix(&self, prefix: &[u8]) -> Result<()> {
        const LONGEST: usize = 2048;
        if prefix.len() > LONGEST {
            return Err(Error::new(
                Status::InvalidArgument,
                format!(
                    "a topic prefix of {} bytes; at most {LONGEST} are allowed",
                    prefix.len()
                ),
            ));
        }
        let mut wanted = lock(&self.wanted);
        self.set(zmq_sys::ZMQ_SUBSCRIBE as i32, prefix)?;
        *wanted.prefixes.entry(prefix.to_owned()).or_insert(0) += 1;
        self.by_type.store(wanted.must_look(), Ordering::Release);
        Ok(())
    }

    /// NOT_FOUND where the prefix is not subscribed to.
    pub fn unsubscribe_prefix(&self, prefix: &[u8]) -> Result<()> {
        let mut wanted = lock(&self.wanted);
        lower(&mut wanted.prefixes, prefix)
            .ok_or_else(|| Error::new(Status::NotFound, "not subscribed to this prefix"))?;
        self.set(zmq_sys::ZMQ_UNSUBSCRIBE as i32, prefix)?;
        self.by_type.store(wanted.must_look(), Ordering::Release);
        Ok(())
    }

    fn set(&self, option: i32, topic: &[u8]) -> Result<()> {
        let entered = self.socket.enter()?;
        // SAFETY: the socket is open and locked; libzmq copies the topic.
        let rc = unsafe { zmq_sys::zmq_setsockopt(entered.raw(), option, topic.as_ptr().cast(), topic.len()) };
        if rc != 0 {
            return Err(errno::error(errno::last(), "change a subscription"));
        }
        Ok(())
    }

    /// Receives the next message of type M, or fails with TYPE where the next one is another.
    pub fn recv_as<M: prost::Message + prost::Name + Default>(&self, deadline: Deadline) -> Result<M> {
        let mut message = Message::new();
        self.recv(&mut message, deadline)?;
        message.get()
    }

    /// Whether a message that came by a short name is one that was asked for.
    fn wants(&self, message: &Message) -> bool {
        // A topic is a whole name: under a full one came nothing but what was asked for by that name, or by a prefix.
        if !self.by_type.load(Ordering::Acquire) || message.came_by_full_name() {
            return true;
        }
        let wanted = lock(&self.wanted);
        let Some(name) = message.type_name() else { return true };
        wanted.types.contains_key(name) || wanted.prefixes.keys().any(|prefix| message.bytes().starts_with(prefix))
    }
}

impl Wanted {
    fn must_look(&self) -> bool {
        !self.prefixes.contains_key(&[][..]) && self.types.keys().any(|name| name.contains('.'))
    }
}

fn lower<K: std::hash::Hash + Eq + std::borrow::Borrow<Q>, Q: std::hash::Hash + Eq + ?Sized>(
    counts: &mut HashMap<K, u32>,
    key: &Q,
) -> Option<()> {
    let count = counts.get_mut(key)?;
    *count -= 1;
    if *count == 0 {
        counts.remove(key);
    }
    Some(())
}

/// dividere 2.2.0 writes the short name of a packaged type, we write the full one: both are subscribed to.
fn topics(type_name: &str) -> Result<Vec<Vec<u8>>> {
    let full = topic(type_name)?;
    let short = TypeName::new(type_name)
        .map(|name| name.short_name().topic())
        .unwrap_or_else(|_| full.clone());
    Ok(if short == full { vec![full] } else { vec![full, short] })
}

impl Channel for Subscriber {
    of_its_socket!();

    fn close(&self) -> Result<()> {
        self.socket.close()
    }

    fn recv_bytes(&self, message: &mut Message, deadline: Deadline) -> Result<()> {
        recv_single(&self.socket, message, deadline)
    }

    fn recv(&self, message: &mut Message, deadline: Deadline) -> Result<()> {
        let mut patience = Patience::new(deadline);
        loop {
            recv_single(&self.socket, message, deadline)?;
            if let Err(error) = message.decode() {
                self.socket.counters.decode_error();
                return Err(error);
            }
            if self.wants(message) {
                return Ok(());
            }
            patience.goes_on()?;
        }
    }

    fn recv_more(&self, messages: &mut [&mut Message], typed: bool) -> usize {
        recv_more_single(&self.socket, messages, typed, |message| self.wants(message))
    }

    fn suits_a_reactor(&self) -> bool {
        true
    }

    fn recv_reserved(&self, message: &mut Message) -> Result<bool> {
        if !recv_single_reserved(&self.socket, message)? {
            return Ok(false);
        }
        if message.decode().is_err() {
            self.socket.counters.decode_error();
            return Ok(true);
        }
        Ok(self.wants(message))
    }

    fn send_within(&self, _message: &mut Message, _room: Room) -> Result<()> {
        Err(sends_nothing())
    }

    fn room_fd(&self) -> Result<RawFd> {
        Err(sends_nothing())
    }

    fn default_side(&self) -> DefaultSide {
        DefaultSide::Connect
    }
}

fn sends_nothing() -> Error {
    Error::new(Status::Unsupported, "a subscriber sends nothing")
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        // CLOSED where it was closed before.
        let _closed_already = self.close();
    }
}
