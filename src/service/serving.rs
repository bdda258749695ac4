//! A service: what is found by its name, and its ways to begin and to end. Its threads are in `pool`.

mod ending;
#[cfg(test)]
mod faults;
mod pool;
mod queue;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use crate::connection::clock::Deadline;
use crate::connection::ending::Ending;
use crate::connection::log::log_line;
use crate::connection::options::Options;
use crate::connection::own_thread::OwnThread;
use crate::connection::process::lock;
use crate::error::{Error, Result, Status};
use crate::messaging::channel::Channel;
use crate::messaging::message::Message;
use crate::messaging::response::Response;
use crate::registry::client::{RegistrationId, RegistryClient};
use crate::registry::instance::check_name;
use crate::service::desk::Desk;
use crate::service::name::service_name;
use pool::{Phase, Pool};
use queue::Queue;

/// Serves one request: what it puts into the second message is the reply; or it answers by `Message::reply`, at once or
/// later by a clone. Where it returns an error or panics, the asker is told REMOTE.
pub type ServiceHandler = Arc<dyn Fn(&mut Message, &mut Message) -> Result<()> + Send + Sync>;

/// How a service serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceSettings {
    /// Where it is bound, on TCP: `tcp://*:*` for any free port. Bound to one address, it is registered with that, unless
    /// the registry client's option `registry_advertise` says another. None for the first free port from 5101 to 6000, on all
    /// interfaces, as dividere 2.2.0 does it.
    pub endpoint: Option<String>,
    /// How many handlers run at once, 1 to 1024. 1.
    pub workers: usize,
    /// How many requests wait for a worker; more are refused with BUSY, as are those beyond the bytes that the option
    /// `service_queue_bytes` allows. 1000.
    pub most_waiting: usize,
    /// What it tells of itself in the registry.
    pub metadata: Vec<u8>,
}

impl Default for ServiceSettings {
    fn default() -> ServiceSettings {
        ServiceSettings {
            endpoint: None,
            workers: 1,
            most_waiting: 1000,
            metadata: Vec::new(),
        }
    }
}

const MOST_WORKERS: usize = 1024;
const PORTS: std::ops::RangeInclusive<u16> = 5101..=6000;
/// So long stopping asks the registry to forget it, at most: the lease ends anyway.
const UNREGISTER_LIMIT: Duration = Duration::from_secs(2);

/// A service: found by its name, it answers each request, with a reply or with an error. May be used from any thread.
/// Dropping it closes it.
///
/// A request that no handler is for is answered with UNSUPPORTED, one that is no envelope with DECODE, one whose handler
/// fails with REMOTE; BUSY where too many wait, and CLOSED where the service stops: these two say that nothing was done,
/// and a service client asks another instance. A handler that answers with one of them says the same.
pub struct Service {
    inner: Arc<Inner>,
    threads: Mutex<Vec<OwnThread>>,
}

#[derive(Default)]
struct Handlers {
    by_type: HashMap<String, ServiceHandler>,
    default: Option<ServiceHandler>,
}

/// Where the registration stands.
enum Registration {
    None,
    UnderWay,
    Done(RegistrationId),
}

struct Inner {
    name: String,
    response: Response,
    /// The one address that it is bound to; None where it is bound to all.
    host: Option<String>,
    port: u16,
    registry: Arc<RegistryClient>,
    settings: ServiceSettings,
    linger: Duration,
    handlers: Mutex<Arc<Handlers>>,
    registration: Mutex<Registration>,
    desk: Arc<Desk>,
    pool: Mutex<Pool>,
    /// Somebody is to receive, or to run what waits.
    needed: Condvar,
    threads: AtomicUsize,
    /// It was closed while it was being stopped.
    cut_short: AtomicBool,
    ending: Ending,
}

impl Service {
    /// Binds. It is found, and serves, from `start` on. Where it is registered, and with which lease and address, is
    /// the registry client's affair; several services may share one. ADDRESS_IN_USE where no port is free.
    pub fn new(
        name: &str,
        registry: &Arc<RegistryClient>,
        options: &Options,
        settings: &ServiceSettings,
    ) -> Result<Service> {
        check_name(name)?;
        if settings.workers == 0 || settings.workers > MOST_WORKERS {
            let text = format!("{} workers; 1 to {MOST_WORKERS} are allowed", settings.workers);
            return Err(Error::new(Status::InvalidArgument, text));
        }
        let queue_bytes = usize::try_from(options.service().queue_bytes()).unwrap_or(usize::MAX);
        let waiting = Queue::new(settings.most_waiting, queue_bytes);
        let mut options = options.clone();
        *options.service_mut() = Default::default();
        let response = bind(settings.endpoint.as_deref(), &options)?;
        let bound = response.last_endpoint()?;
        let (host, port) = host_and_port(&bound).ok_or_else(|| {
            let text = format!("'{bound}': a service binds to a TCP port");
            Error::new(Status::Endpoint, text)
        })?;
        Ok(Service {
            inner: Arc::new(Inner {
                name: name.to_owned(),
                response,
                host,
                port,
                registry: Arc::clone(registry),
                settings: settings.clone(),
                linger: Duration::from_millis(options.linger_ms().unsigned_abs()),
                handlers: Mutex::default(),
                registration: Mutex::new(Registration::None),
                desk: Arc::default(),
                pool: Mutex::new(Pool::new(waiting)),
                needed: Condvar::new(),
                threads: AtomicUsize::new(0),
                cut_short: AtomicBool::new(false),
                ending: Ending::new(),
            }),
            threads: Mutex::default(),
        })
    }

    /// As `new`, under the name of the type `T` (`service_name`): found by `ServiceClient::of` the same.
    pub fn of<T: ?Sized>(
        registry: &Arc<RegistryClient>,
        options: &Options,
        settings: &ServiceSettings,
    ) -> Result<Service> {
        Service::new(&service_name::<T>(), registry, options, settings)
    }

    /// Calls `handler` for requests of this type; with no type for all that no other one is for. One set before is
    /// replaced, and no handler takes it away. At any time.
    pub fn set_handler(&self, type_name: Option<&str>, handler: Option<ServiceHandler>) -> Result<()> {
        self.check()?;
        let mut slot = lock(&self.inner.handlers);
        let mut changed = Handlers {
            by_type: slot.by_type.clone(),
            default: slot.default.clone(),
        };
        match (type_name, handler) {
            (Some(name), Some(handler)) => drop(changed.by_type.insert(name.to_owned(), handler)),
            (Some(name), None) => drop(changed.by_type.remove(name)),
            (None, handler) => changed.default = handler,
        }
        let old = std::mem::replace(&mut *slot, Arc::new(changed));
        drop(slot);
        // With no lock held: it may hold destructors of the user's.
        drop(old);
        Ok(())
    }

    /// As `set_handler`, with typed messages.
    pub fn on<Q, A>(&self, handler: impl Fn(Q) -> Result<A> + Send + Sync + 'static) -> Result<()>
    where
        Q: prost::Message + prost::Name + Default,
        A: prost::Message + prost::Name,
    {
        let typed = move |request: &mut Message, reply: &mut Message| reply.set(&handler(request.get()?)?);
        self.set_handler(Some(&Q::full_name()), Some(Arc::new(typed)))
    }

    /// Serves from now on, and makes it known. TIMEOUT where no registry answers: it serves nevertheless, and `start`
    /// may be called again. STATE where it is registered already.
    pub fn start(&self, deadline: Deadline) -> Result<()> {
        self.check()?;
        let inner = &self.inner;
        self.start_threads()?;
        {
            let mut registration = lock(&inner.registration);
            if !matches!(*registration, Registration::None) {
                return Err(Error::new(Status::State, "the service is registered already"));
            }
            *registration = Registration::UnderWay;
        }
        // Not under the lock: stopping does not wait for it.
        let host = inner.host.as_deref();
        let registered = inner
            .registry
            .register_at(&inner.name, host, inner.port, &inner.settings.metadata, deadline);
        let mut registration = lock(&inner.registration);
        let over = {
            let pool = lock(&inner.pool);
            pool.stopping || pool.phase == Phase::Closed
        };
        match registered {
            Ok(id) if over => {
                drop(registration);
                let unregistered = inner.registry.unregister(id, Deadline::after(UNREGISTER_LIMIT));
                // What ended it says more.
                self.check()?;
                unregistered?;
                Err(closed())
            }
            Ok(id) => {
                *registration = Registration::Done(id);
                Ok(())
            }
            Err(error) => {
                *registration = Registration::None;
                Err(error)
            }
        }
    }

    fn start_threads(&self) -> Result<()> {
        let inner = &self.inner;
        // Held until all are there: whoever stops it meanwhile takes them all.
        let mut threads = lock(&self.threads);
        let (phase, stopping) = {
            let pool = lock(&inner.pool);
            (pool.phase, pool.stopping)
        };
        match phase {
            _ if stopping => return Err(closed()),
            Phase::Made => {}
            _ => return Ok(()),
        }
        while threads.len() <= inner.settings.workers {
            match inner.start_thread() {
                Ok(thread) => threads.push(thread),
                // One to receive and one to work are needed; those that are there wait for the next attempt.
                Err(error) if threads.len() < 2 => return Err(error),
                Err(error) => {
                    log_line!(Warning, "service", "'{}' has fewer workers: {error}", inner.name);
                    break;
                }
            }
        }
        let mut pool = lock(&inner.pool);
        pool.phase = pool.phase.max(Phase::Serving);
        pool.workers = threads.len() - 1;
        inner.needed.notify_all();
        Ok(())
    }

    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// The TCP port that it is bound to.
    pub fn port(&self) -> u16 {
        self.inner.port
    }

    /// FORKED in a child; the fault of a service that failed; CLOSED where it was closed.
    fn check(&self) -> Result<()> {
        self.check_process()?;
        self.inner.ending.check()?;
        self.inner
            .response
            .sockets()
            .iter()
            .try_for_each(|socket| socket.check())
    }

    fn check_process(&self) -> Result<()> {
        self.inner
            .response
            .sockets()
            .iter()
            .try_for_each(|socket| socket.check_process())
    }

    /// Waits until it has ended: OK where it was closed, and its fault where it failed, which has closed it and taken it
    /// out of the registry; TIMEOUT, or WOULD_BLOCK where the deadline is now, while it is open.
    pub fn wait_ended(&self, deadline: Deadline) -> Result<()> {
        self.check_process()?;
        self.inner.ending.wait(deadline)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // CLOSED where it was closed before, FORKED in a child.
        let _closed_already = self.close();
    }
}

fn bind(endpoint: Option<&str>, options: &Options) -> Result<Response> {
    let Some(endpoint) = endpoint else {
        for port in PORTS {
            match Response::new(&format!("@tcp://*:{port}"), options) {
                Err(error) if error.status() == Status::AddressInUse => {}
                other => return other,
            }
        }
        let text = format!("no port is free from {} to {}", PORTS.start(), PORTS.end());
        return Err(Error::new(Status::AddressInUse, text));
    };
    if endpoint.contains(',') || endpoint.starts_with('>') {
        let text = format!("'{endpoint}': a service binds to one endpoint");
        return Err(Error::new(Status::Endpoint, text));
    }
    Response::new(&format!("@{}", endpoint.trim_start_matches('@')), options)
}

/// Of what was bound. The host is None where every interface leads to it, and where it means something on this host
/// alone (an address with a scope).
fn host_and_port(bound: &str) -> Option<(Option<String>, u16)> {
    let (host, port) = bound.strip_prefix("tcp://")?.rsplit_once(':')?;
    let one = !matches!(host, "*" | "0.0.0.0" | "[::]") && !host.contains('%');
    Some((one.then(|| host.to_owned()), port.parse().ok()?))
}

fn closed() -> Error {
    Error::new(Status::Closed, "the service is closed")
}
