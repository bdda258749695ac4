//! Serves requests under a name. One thread more than there are workers takes turns: one receives, the others run
//! handlers; who received a request runs its handler, and wakes another to receive.
//!
//! Waking a thread costs more than a short handler. So where handlers were short lately, and nothing more waits, nobody is
//! woken: who received comes back to it soon. A thread on the lookout takes over where that takes longer than a tick.

use std::cell::Cell;
use std::collections::{HashMap, VecDeque};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::connection::clock::Deadline;
use crate::connection::linux::with_signals_blocked;
use crate::connection::log::log_line;
use crate::connection::options::Options;
use crate::connection::process::lock;
use crate::error::{Error, Result, Status};
use crate::messaging::channel::Channel;
use crate::messaging::message::{Message, MessageKind};
use crate::messaging::response::Response;
use crate::registry::client::{RegistrationId, RegistryClient};
use crate::registry::instance::check_name;
use crate::service::desk::{refuse, Desk};

/// Serves one request: what it puts into the second message is the reply; or it answers by `Message::reply`, at once or
/// later by a clone. Where it returns an error or panics, the asker is told REMOTE.
pub type ServiceHandler = Arc<dyn Fn(&mut Message, &mut Message) -> Result<()> + Send + Sync>;

/// How a service serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceSettings {
    /// Where it is bound, on TCP: `tcp://*:*` for any free port. None for the first free port from 5101 to 6000, on all
    /// interfaces, as dividere 2.2.0 does it.
    pub endpoint: Option<String>,
    /// How many handlers run at once, 1 to 1024. 1.
    pub workers: usize,
    /// How many requests wait for a worker; more are refused with BUSY. 1000.
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
/// So long it goes on refusing while somebody is connected, who may not have heard yet that it is gone.
const FAREWELL: Duration = Duration::from_millis(500);
/// Handlers that take less are short.
const SHORT: Duration = Duration::from_micros(100);
/// How often the lookout looks.
const TICK: Duration = Duration::from_millis(2);
/// So long closing waits for handlers.
const CLOSING_LIMIT: Duration = Duration::from_secs(10);

thread_local! {
    /// A handler of which service runs on this thread.
    static HANDLER_OF: Cell<usize> = const { Cell::new(0) };
}

/// A service: found by its name, it answers each request, with a reply or with an error. May be used from any thread.
/// Dropping it closes it.
///
/// A request that no handler is for is answered with UNSUPPORTED, one that is no envelope with DECODE, one whose handler
/// fails with REMOTE; BUSY where too many wait, and CLOSED where the service stops: these two say that nothing was done,
/// and a service client asks another instance. A handler that answers with one of them says the same.
pub struct Service {
    inner: Arc<Inner>,
    threads: Mutex<Vec<JoinHandle<()>>>,
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

/// What a service does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Made,
    Serving,
    /// It finishes what it has.
    Refusing,
    Closed,
}

struct Inner {
    name: String,
    response: Response,
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
}

struct Pool {
    phase: Phase,
    stopping: bool,
    /// Somebody receives.
    receiving: bool,
    /// Nobody receives: who did runs a handler, and is expected back soon.
    deferred: bool,
    /// How often that was so.
    turn: u64,
    /// A thread looks every tick whether that takes too long.
    lookout: bool,
    /// The longest handler of late.
    longest: Duration,
    running: usize,
    /// How many handlers may run at once.
    workers: usize,
    waiting: VecDeque<Message>,
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
        let response = bind(settings.endpoint.as_deref(), options)?;
        let bound = response.last_endpoint()?;
        let port = bound.strip_prefix("tcp://").and_then(|rest| rest.rsplit(':').next());
        let port = port.and_then(|port| port.parse().ok()).ok_or_else(|| {
            let text = format!("'{bound}': a service binds to a TCP port");
            Error::new(Status::Endpoint, text)
        })?;
        Ok(Service {
            inner: Arc::new(Inner {
                name: name.to_owned(),
                response,
                port,
                registry: Arc::clone(registry),
                settings: settings.clone(),
                linger: Duration::from_millis(options.linger_ms().unsigned_abs()),
                handlers: Mutex::default(),
                registration: Mutex::new(Registration::None),
                desk: Arc::default(),
                pool: Mutex::new(Pool {
                    phase: Phase::Made,
                    stopping: false,
                    receiving: false,
                    deferred: false,
                    turn: 0,
                    lookout: false,
                    longest: TICK,
                    running: 0,
                    workers: 0,
                    waiting: VecDeque::new(),
                }),
                needed: Condvar::new(),
                threads: AtomicUsize::new(0),
            }),
            threads: Mutex::default(),
        })
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
        let registered = inner
            .registry
            .register(&inner.name, inner.port, &inner.settings.metadata, deadline);
        let mut registration = lock(&inner.registration);
        match registered {
            Ok(id) if lock(&inner.pool).stopping => {
                drop(registration);
                inner.registry.unregister(id, Deadline::after(UNREGISTER_LIMIT))?;
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

    fn check(&self) -> Result<()> {
        self.inner
            .response
            .sockets()
            .iter()
            .try_for_each(|socket| socket.check())
    }

    /// Takes the service out of the registry, refuses new requests with CLOSED, waits until those that it has are
    /// answered, and closes. TIMEOUT where that takes longer: it is closed all the same, and what is left is answered
    /// with an error. Where a registry answers late, it hears of it by the end of the lease. In a handler
    /// it waits for nothing, as its request is among them: stop it from another thread.
    pub fn stop(&self, deadline: Deadline) -> Result<()> {
        self.end(deadline, Deadline::after(UNREGISTER_LIMIT).min(deadline))
    }

    /// As `stop`, at once: what is not answered is answered with an error. Handlers under way are waited for, at most
    /// for 10 s (then TIMEOUT); in a handler they are not.
    pub fn close(&self) -> Result<()> {
        self.end(Deadline::Now, Deadline::after(self.inner.linger.min(UNREGISTER_LIMIT)))
    }

    fn end(&self, deadline: Deadline, unregister_limit: Deadline) -> Result<()> {
        self.check()?;
        let inner = &self.inner;
        if std::mem::replace(&mut lock(&inner.pool).stopping, true) {
            return Err(closed());
        }
        // First of all: so nobody new comes.
        let registration = std::mem::replace(&mut *lock(&inner.registration), Registration::None);
        if let Registration::Done(id) = registration {
            if let Err(error) = inner.registry.unregister(id, unregister_limit) {
                log_line!(
                    Warning,
                    "service",
                    "'{}' could not be unregistered: {error}",
                    inner.name
                );
            }
        }
        // Those of a `start` under way are there.
        let threads = std::mem::take(&mut *lock(&self.threads));
        lock(&inner.pool).phase = Phase::Refusing;
        inner.needed.notify_all();
        let in_handler = HANDLER_OF.get() == Arc::as_ptr(inner) as usize;
        let finished = inner.wait_until(deadline, || inner.desk.is_empty() || in_handler);
        if !threads.is_empty() && !in_handler {
            let farewell = Deadline::after(FAREWELL).min(deadline);
            inner.wait_until_left_alone(farewell);
        }
        let waiting = std::mem::take(&mut lock(&inner.pool).waiting);
        for origin in waiting.iter().filter_map(Message::origin_ref) {
            refuse(origin, Status::Closed, "the service has stopped; nothing was done");
        }
        drop(waiting);
        if !in_handler {
            inner
                .desk
                .refuse_all(Status::Remote, "the service stopped before it had answered");
        }
        lock(&inner.pool).phase = Phase::Closed;
        let closed = inner.response.close();
        inner.needed.notify_all();
        closed?;
        let ended = in_handler
            || inner.wait_until(Deadline::after(CLOSING_LIMIT), || {
                inner.threads.load(Ordering::Acquire) == 0
            });
        if ended && !in_handler {
            for thread in threads {
                if thread.join().is_err() {
                    log_line!(Error, "service", "a thread of '{}' had panicked", inner.name);
                }
            }
            *lock(&inner.handlers) = Arc::default();
        }
        let late = "requests under way took longer than the time given";
        match (finished, ended, deadline) {
            (true, true, _) | (false, true, Deadline::Now) => Ok(()),
            _ => Err(Error::new(Status::Timeout, late)),
        }
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

fn closed() -> Error {
    Error::new(Status::Closed, "the service is closed")
}

impl Inner {
    fn start_thread(self: &Arc<Inner>) -> Result<JoinHandle<()>> {
        let own = Arc::clone(self);
        self.threads.fetch_add(1, Ordering::AcqRel);
        let spawned = with_signals_blocked(|| {
            std::thread::Builder::new()
                .name("dividere-serve".into())
                .spawn(move || {
                    own.run();
                    own.threads.fetch_sub(1, Ordering::AcqRel);
                    own.desk.changed.notify();
                })
        });
        spawned.map_err(|error| {
            self.threads.fetch_sub(1, Ordering::AcqRel);
            Error::new(Status::Limit, format!("cannot start a thread of a service: {error}"))
        })
    }

    fn wait_until(&self, deadline: Deadline, is_so: impl Fn() -> bool) -> bool {
        loop {
            let before = self.desk.changed.now();
            if is_so() {
                return true;
            }
            if !self.desk.changed.wait(before, deadline) {
                return is_so();
            }
        }
    }

    /// Until nobody is connected any more: service clients leave when they hear that the service is gone.
    fn wait_until_left_alone(&self, deadline: Deadline) {
        for socket in self.response.sockets().iter() {
            socket.peers.wait_for_none(deadline);
        }
    }

    fn run(&self) {
        HANDLER_OF.set(self as *const Inner as usize);
        let (mut request, mut reply) = (Message::new(), Message::new());
        let mut pool = lock(&self.pool);
        loop {
            if pool.phase == Phase::Closed {
                return;
            }
            if pool.running < pool.workers {
                if let Some(mut next) = pool.waiting.pop_front() {
                    pool = self.serve(pool, &mut next, &mut reply);
                    continue;
                }
            }
            if pool.deferred && !pool.lookout {
                pool = self.look_out(pool);
                continue;
            }
            if pool.receiving || pool.deferred || pool.phase == Phase::Made {
                pool = self.needed.wait(pool).unwrap_or_else(|p| p.into_inner());
                continue;
            }
            pool.receiving = true;
            drop(pool);
            let received = self.response.take(&mut request, true, Deadline::Never);
            pool = lock(&self.pool);
            pool.receiving = false;
            match received {
                Ok(origin) if pool.phase >= Phase::Refusing => {
                    drop(pool);
                    refuse(&origin, Status::Closed, "the service stops; nothing was done");
                    pool = lock(&self.pool);
                }
                Ok(origin) if pool.running < pool.workers && pool.waiting.is_empty() => {
                    self.desk.enter(&origin);
                    let turn = self.hand_over(&mut pool);
                    pool = self.serve(pool, &mut request, &mut reply);
                    if turn == Some(pool.turn) {
                        pool.deferred = false;
                    }
                }
                Ok(origin) if pool.waiting.len() < self.settings.most_waiting => {
                    self.desk.enter(&origin);
                    pool.waiting.push_back(std::mem::take(&mut request));
                }
                Ok(origin) => {
                    drop(pool);
                    refuse(&origin, Status::Busy, "too many requests wait; nothing was done");
                    pool = lock(&self.pool);
                }
                Err(error) => {
                    if error.status() != Status::Closed {
                        log_line!(Error, "service", "'{}' ends: {error}", self.name);
                    }
                    pool.phase = Phase::Closed;
                    self.needed.notify_all();
                }
            }
            request.clear();
        }
    }

    /// Before a handler is run by who received: lets another one receive, unless it is sure to be short; then the number
    /// of this turn.
    fn hand_over(&self, pool: &mut Pool) -> Option<u64> {
        let more_to_do = pool.workers > 1 && self.response.is_readable();
        if pool.longest >= SHORT || more_to_do || pool.phase != Phase::Serving {
            self.needed.notify_one();
            return None;
        }
        pool.turn += 1;
        pool.deferred = true;
        if !pool.lookout {
            self.needed.notify_one();
        }
        Some(pool.turn)
    }

    /// Takes over where the one who runs a handler does not come back to receive. Looks on as long as there are
    /// requests, so that it is woken for the first of them only.
    fn look_out<'a>(&'a self, mut pool: MutexGuard<'a, Pool>) -> MutexGuard<'a, Pool> {
        pool.lookout = true;
        loop {
            let turn = pool.turn;
            pool = self
                .needed
                .wait_timeout(pool, TICK)
                .unwrap_or_else(|p| p.into_inner())
                .0;
            if pool.phase != Phase::Serving || pool.turn == turn {
                // A tick without a request, or the same handler still: whoever has that turn sees that it is over.
                pool.deferred = false;
                pool.turn += 1;
                pool.lookout = false;
                return pool;
            }
        }
    }

    fn serve<'a>(
        &'a self,
        mut pool: MutexGuard<'a, Pool>,
        request: &mut Message,
        reply: &mut Message,
    ) -> MutexGuard<'a, Pool> {
        pool.running += 1;
        drop(pool);
        let began = Instant::now();
        self.handle(request, reply);
        // Where nobody keeps it and nobody answered, that is answered now.
        request.clear();
        reply.clear();
        let took = began.elapsed();
        let mut pool = lock(&self.pool);
        pool.longest = took.max(pool.longest * 7 / 8);
        pool.running -= 1;
        pool
    }

    fn handle(&self, request: &mut Message, reply: &mut Message) {
        let Some(origin) = request.origin_ref().cloned() else {
            return;
        };
        if let Err(error) = request.decode() {
            self.response.count_decode_error();
            return refuse(&origin, Status::Decode, error.text());
        }
        let handlers = Arc::clone(&lock(&self.handlers));
        let name = request.type_name().unwrap_or_default();
        let Some(handler) = handlers.by_type.get(name).or(handlers.default.as_ref()).cloned() else {
            let text = format!("'{}' has no handler for {name}", self.name);
            return refuse(&origin, Status::Unsupported, &text);
        };
        drop(handlers);
        reply.clear();
        let called = catch_unwind(AssertUnwindSafe(|| handler(request, reply)));
        let outcome = called.unwrap_or_else(|panic| Err(Error::of_handler_panic(panic.as_ref())));
        let answered = match outcome {
            Ok(()) if reply.kind() != MessageKind::Empty => origin.reply(reply.frame_mut()),
            // It answered, or keeps a clone; or else letting go of it is answered.
            Ok(()) => return,
            Err(error) => {
                log_line!(Info, "service", "a handler of '{}' failed: {error}", self.name);
                return refuse(&origin, Status::Remote, &error.to_string());
            }
        };
        let Err(error) = answered else { return };
        log_line!(Info, "service", "a reply of '{}' was not sent: {error}", self.name);
        if origin.is_open() {
            refuse(
                &origin,
                Status::Remote,
                &format!("the reply could not be sent: {error}"),
            );
        }
    }
}
