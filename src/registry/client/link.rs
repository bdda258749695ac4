//! One registry that a client may ask: the connection, and what is known of who is at its end.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::connection::clock::Deadline;
use crate::connection::endpoint::Endpoint;
use crate::connection::events::{Event, EventKind};
use crate::connection::options::Options;
use crate::connection::process::lock;
use crate::error::{Error, Result, Status};
use crate::messaging::channel::Channel;
use crate::messaging::message::Message;
use crate::messaging::request::Request;
use crate::proto::{ServiceLookupRep, ServiceLookupReq};
use crate::registry::address;
use crate::registry::bell::Bell;

/// How long a registry of dividere 3 may take to answer before another one is asked.
const ANSWER_LIMIT: Duration = Duration::from_secs(1);

/// The same of one that may be of dividere 2.2.0, and of one that is: it answers one request a second, and whoever asks
/// again makes it no faster.
const UNKNOWN_ANSWER_LIMIT: Duration = Duration::from_secs(5);
const OLD_ANSWER_LIMIT: Duration = Duration::from_secs(15);

/// How soon it is noticed that a question may have been lost with its connection.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Who is at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nobody answered yet since it was connected.
    Unknown,
    /// A registry of dividere 3, in the run of this number.
    New(u64),
    /// A registry of dividere 2.2.0. It dies of messages that it does not know.
    Old,
}

/// A registry, and which connection to it: another one may lead to another registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub link: usize,
    pub connection: u64,
}

pub(super) struct Link {
    pub endpoint: Endpoint,
    request: Request,
    connections: Arc<AtomicU64>,
    /// What was found out, over which connection.
    known: Mutex<(u64, Kind)>,
    /// The address that leads there, over which connection.
    host: Mutex<Option<(u64, String)>>,
    ipv6: bool,
}

impl Link {
    pub fn new(endpoint: Endpoint, options: &Options, bell: &Arc<Bell>) -> Result<Link> {
        let request = Request::new(&format!(">{}", endpoint.to_zmq()), options)?;
        let connections = Arc::new(AtomicU64::new(0));
        let (count, bell) = (Arc::clone(&connections), Arc::clone(bell));
        request.events().set_callback(Some(Arc::new(move |event: &Event| {
            match event.kind {
                EventKind::Connected => {
                    count.fetch_add(1, Ordering::AcqRel);
                    bell.ring();
                }
                // Whoever waits is told that we are refused.
                EventKind::HandshakeFailed => bell.ring(),
                _ => {}
            }
        })))?;
        Ok(Link {
            endpoint,
            request,
            connections,
            known: Mutex::new((0, Kind::Unknown)),
            host: Mutex::new(None),
            ipv6: options.ipv6(),
        })
    }

    /// How often it was connected.
    pub fn connection(&self) -> u64 {
        self.connections.load(Ordering::Acquire)
    }

    pub fn is_up(&self) -> bool {
        self.request.wait_connected(1, Deadline::Now).is_ok()
    }

    /// The reason, where the other side does not let us in.
    pub fn refused(&self) -> Option<Error> {
        self.request
            .wait_connected(1, Deadline::Now)
            .err()
            .filter(|e| matches!(e.status(), Status::Permission | Status::Handshake))
    }

    pub fn kind(&self) -> Kind {
        let known = *lock(&self.known);
        match known.0 == self.connection() {
            true => known.1,
            false => Kind::Unknown,
        }
    }

    /// An answer that came over this connection told who answers: none is 2.2.0.
    pub fn learn(&self, connection: u64, registry: Option<u64>) {
        let mut known = lock(&self.known);
        // Not in place of what was learned over a later connection.
        if connection >= known.0 {
            *known = (connection, registry.map_or(Kind::Old, Kind::New));
        }
    }

    /// How long it may take to answer before another one is asked.
    pub fn patience(&self) -> Duration {
        match self.kind() {
            Kind::New(_) => ANSWER_LIMIT,
            Kind::Unknown => UNKNOWN_ANSWER_LIMIT,
            Kind::Old => OLD_ANSWER_LIMIT,
        }
    }

    /// As `kind`; asks where it is not known.
    pub fn find_out(&self, deadline: Deadline) -> Result<Kind> {
        if let Kind::Unknown = self.kind() {
            let connection = self.connection();
            // 2.2.0 answers it, and 3 tells in its answer who it is.
            let answer: ServiceLookupRep = self.ask(
                &ServiceLookupReq {
                    service_name: String::new(),
                    most: Some(1),
                },
                deadline,
            )?;
            self.learn(connection, answer.registry);
        }
        Ok(self.kind())
    }

    /// Asks here and nowhere else. TIMEOUT also where the connection was lost, and the question maybe with it, as soon
    /// as there is another.
    pub fn ask<Q, A>(&self, question: &Q, deadline: Deadline) -> Result<A>
    where
        Q: prost::Message + prost::Name,
        A: prost::Message + prost::Name + Default,
    {
        let connection = self.connection();
        let (mut request, mut reply) = (Message::new(), Message::new());
        request.set(question)?;
        let call = self.request.start_call(&mut request, false, -1, deadline)?;
        let answered = loop {
            let slice = Deadline::after(LOOK_EVERY).min(deadline);
            match self.request.finish_call(call, &mut reply, slice) {
                Err(e) if e.status() == Status::Timeout && self.connection() == connection && !deadline.is_over() => {}
                answered => break answered,
            }
        };
        if answered.is_err() {
            // Over already, unless it was given up above.
            let _over = self.request.abandon_call(call);
        }
        answered?;
        reply.get()
    }

    /// The address of this host that leads there.
    pub fn host(&self) -> Result<String> {
        let connection = self.connection();
        if let Some((_, host)) = lock(&self.host).as_ref().filter(|(of, _)| *of == connection) {
            return Ok(host.clone());
        }
        // Not under the lock: a name may have to be looked up.
        let host = address::advertised(&self.endpoint, self.ipv6)?;
        *lock(&self.host) = Some((connection, host.clone()));
        Ok(host)
    }

    pub fn close(&self) -> Result<()> {
        self.request.close()
    }
}
