//! The registry itself: one thread that answers requests on one port, and a publisher on another, on which nothing but
//! RediscoverReq ever goes out. It waits for no client, and nothing that a client sends ends it.

mod desk;
#[cfg(test)]
mod faults;

use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use crate::connection::clock::Deadline;
use crate::connection::ending::{caught, Ending};
use crate::connection::endpoint::{DefaultSide, Endpoint, Port, Transport};
use crate::connection::keys::random_bytes;
use crate::connection::linux::with_signals_blocked;
use crate::connection::log::log_line;
use crate::connection::options::{FullQueue, Options, Role};
use crate::connection::own_thread::OwnThread;
use crate::connection::process::lock;
use crate::connection::socket::{Kind, Room, Socket};
use crate::error::{Error, Result, Status};
use crate::messaging::channel::{of_its_socket, Channel};
use crate::messaging::message::Message;
use crate::messaging::publisher::Publisher;
use crate::registry::registrar::Registrar;
use crate::registry::store::{Capacity, MemoryStore, Store};
use crate::registry::watchers::Watchers;
use crate::registry::DEFAULT_PORT;

use desk::Desk;

/// A request is no larger than this, unless an option says so: renewing 10,000 leases takes 80 kB.
const LARGEST_REQUEST: i64 = 1024 * 1024;

/// A running registry. May be used from any thread. Dropping it closes it.
pub struct RegistryServer {
    socket: Arc<Socket>,
    publisher: Arc<Publisher>,
    thread: Mutex<Option<OwnThread>>,
    closing: AtomicBool,
    ending: Arc<Ending>,
}

impl RegistryServer {
    /// Binds to `endpoint` for requests (`tcp://*:5000` where it is empty; a port of `*` is a free one), and to the port
    /// after that to publish, unless the option `registry_publish_endpoint` says another. Keeps names in memory.
    pub fn new(endpoint: &str, options: &Options) -> Result<RegistryServer> {
        let limits = options.registry();
        let capacity = Capacity {
            instances: limits.max_instances() as usize,
            per_name: limits.max_instances_per_name() as usize,
        };
        RegistryServer::with_store(endpoint, options, Box::new(MemoryStore::new(capacity)))
    }

    /// As `new`, with another place to keep names.
    pub fn with_store(endpoint: &str, options: &Options, store: Box<dyn Store>) -> Result<RegistryServer> {
        options.validate(Role::RegistryServer)?;
        let limits = options.registry().clone();
        if limits.lease_min_ms() > limits.lease_max_ms() {
            let text = "option registry_lease_min_ms is more than registry_lease_max_ms";
            return Err(Error::new(Status::InvalidArgument, text));
        }
        let mut options = options.clone();
        *options.registry_mut() = Default::default();
        if options.max_message_size() == Options::default().max_message_size() {
            options.set_max_message_size(LARGEST_REQUEST)?;
        }
        let endpoint = match endpoint {
            "" => Endpoint::parse(&format!("tcp://*:{DEFAULT_PORT}"))?,
            endpoint => Endpoint::parse(endpoint)?,
        };
        let publish = match limits.publish_endpoint() {
            Some(publish) => publish.to_owned(),
            None => next_to(&endpoint)?,
        };
        let id = random_id()?;
        let socket = Socket::new("registry server", Kind::Router, &options, FullQueue::Block)?;
        let publisher = Arc::new(Publisher::new(&publish, &options)?);
        // Last: from here on it is found.
        socket.attach(&[endpoint], DefaultSide::Bind)?;
        let watchers = Watchers::new(limits.max_watches() as usize, store.revision());
        let registrar = Registrar::new(id, store, limits);
        let desk = Desk::new(Arc::clone(&socket), Arc::clone(&publisher), registrar, watchers);
        let server = RegistryServer {
            socket,
            publisher,
            thread: Mutex::new(None),
            closing: AtomicBool::new(false),
            ending: Arc::new(Ending::new()),
        };
        let ending = Arc::clone(&server.ending);
        let (socket, publisher) = (Arc::clone(&server.socket), Arc::clone(&server.publisher));
        let spawned = with_signals_blocked(|| {
            std::thread::Builder::new()
                .name("dividere-names".into())
                .spawn(move || ended(caught(|| desk.run()), &ending, &socket, &publisher))
        });
        let thread =
            spawned.map_err(|e| Error::new(Status::Limit, format!("cannot start a registry's thread: {e}")))?;
        *lock(&server.thread) = Some(OwnThread::new(thread));
        Ok(server)
    }

    /// Where it is asked, with the port that was free where `*` was.
    pub fn endpoint(&self) -> Result<String> {
        self.last_endpoint()
    }

    /// Where it publishes.
    pub fn publish_endpoint(&self) -> Result<String> {
        self.publisher.last_endpoint()
    }

    /// Ends it: its addresses are free when this returns. What was registered is forgotten. CLOSED where it was closed
    /// before.
    pub fn close(&self) -> Result<()> {
        self.socket.check_process()?;
        if self.closing.swap(true, Ordering::AcqRel) {
            return Err(Error::new(Status::Closed, "the handle is closed"));
        }
        let closed = self.socket.close();
        if let Some(thread) = lock(&self.thread).take() {
            if thread.join().is_err() {
                log_line!(Error, "registry", "a registry's thread had panicked");
            }
        }
        if self.ending.failure().is_some() {
            // Its thread has closed them.
            return Ok(());
        }
        self.ending.tell(Ok(()));
        // CLOSED at the exit of the process, which closes all sockets.
        closed.and(self.publisher.close())
    }

    /// Waits until it has ended: OK where it was closed, and its fault where it failed, which has closed it; TIMEOUT, or
    /// WOULD_BLOCK where the deadline is now, while it runs.
    pub fn wait_ended(&self, deadline: Deadline) -> Result<()> {
        self.socket.check_process()?;
        self.ending.wait(deadline)
    }
}

/// The thread's end. Better closed than silent: clients go to another registry.
fn ended(how: Result<()>, ending: &Ending, socket: &Socket, publisher: &Publisher) {
    match how {
        // Its sockets were closed, by its owner or at the exit of the process.
        Ok(()) => ending.tell(Ok(())),
        Err(error) => {
            log_line!(Error, "registry", "the registry failed, and is closed: {error}");
            ending.tell(Err(error.context("the registry failed")));
            if let Err(error) = socket.close().and(publisher.close()) {
                log_line!(Debug, "registry", "closing the registry after its end: {error}");
            }
        }
    }
}

impl Drop for RegistryServer {
    fn drop(&mut self) {
        // CLOSED where it was closed before, FORKED in a child.
        let _closed_already = self.close();
    }
}

/// Its socket for requests: statistics, events, endpoints. What comes is the registry's own.
impl Channel for RegistryServer {
    of_its_socket!();

    fn close(&self) -> Result<()> {
        RegistryServer::close(self)
    }

    fn recv_bytes(&self, _message: &mut Message, _deadline: Deadline) -> Result<()> {
        Err(answers_by_itself())
    }

    fn send_within(&self, _message: &mut Message, _room: Room) -> Result<()> {
        Err(answers_by_itself())
    }

    fn room_fd(&self) -> Result<RawFd> {
        Err(answers_by_itself())
    }

    fn wait(&self, _deadline: Deadline) -> Result<()> {
        Err(answers_by_itself())
    }

    fn fd(&self) -> Result<RawFd> {
        Err(answers_by_itself())
    }

    fn default_side(&self) -> DefaultSide {
        DefaultSide::Bind
    }
}

fn answers_by_itself() -> Error {
    Error::new(
        Status::Unsupported,
        "a registry answers by itself: nothing is sent or received through it",
    )
}

/// A random number other than 0.
pub(super) fn random_id() -> Result<u64> {
    loop {
        let mut bytes = [0u8; 8];
        random_bytes(&mut bytes)?;
        let id = u64::from_ne_bytes(bytes);
        if id != 0 {
            return Ok(id);
        }
    }
}

/// Where RediscoverReq is published unless something else is said.
pub(super) fn next_to(endpoint: &Endpoint) -> Result<String> {
    Ok(match endpoint.transport() {
        Transport::Tcp {
            host,
            port: Port::Number(port),
            ..
        } => {
            let next = port.checked_add(1).ok_or_else(|| {
                let text = format!("there is no port after {port}: set the option registry_publish_endpoint");
                Error::new(Status::Endpoint, text)
            })?;
            format!("tcp://{host}:{next}")
        }
        Transport::Tcp { host, .. } => format!("tcp://{host}:*"),
        Transport::Ipc { path } if path == "*" => "ipc://*".to_owned(),
        Transport::Ipc { path } => format!("ipc://{path}.publish"),
        Transport::Inproc { name } => format!("inproc://{name}.publish"),
    })
}
