//! Asks a service by its name: whoever of its instances is there.

mod attempt;
mod calls;
mod following;

use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use crate::connection::clock::Deadline;
use crate::connection::linux::{with_signals_blocked, Epoll, EventFd};
use crate::connection::log::log_line;
use crate::connection::options::{Options, Role};
use crate::connection::own_thread::OwnThread;
use crate::connection::peers::Signal;
use crate::connection::process::{generation, lock};
use crate::error::{Error, Result, Status};
use crate::messaging::message::Message;
use crate::messaging::terms::Terms;
use crate::registry::client::RegistryClient;
use crate::registry::instance::{check_name, Instance};
use crate::service::name::service_name;
use crate::service::places::{Dialer, Place, Places};
use attempt::{Outcome, Trail};
use calls::{no_such_call, Calls};

/// So long closing waits for the thread, whose calls it has ended; a registry that does not answer may have it.
const CLOSING_LIMIT: Duration = Duration::from_secs(2);

/// Calls a service by its name. May be used from any thread, with any number of calls at once. Dropping it closes it.
///
/// A thread of its own follows what is registered and connects to every instance, another one for as long as hosts of
/// instances are looked up by their names; calls take turns at those that are connected. An instance whose connection is
/// lost, or that does not answer heartbeats, ends its calls at once. Where the registry is of dividere 2.2.0, which tells
/// of no changes, it is asked whenever no instance is connected.
pub struct ServiceClient {
    inner: Arc<Inner>,
    thread: Mutex<Option<OwnThread>>,
    /// Made for the first call that is started.
    calls: OnceLock<Arc<Calls>>,
    calls_thread: Mutex<Option<OwnThread>>,
}

struct Inner {
    name: String,
    generation: u32,
    registry: Arc<RegistryClient>,
    state: Mutex<State>,
    dialer: Dialer,
    /// Something changed: with a connection, or with what is known.
    changed: Arc<Signal>,
    ring: Arc<EventFd>,
    closed: AtomicBool,
    thread_ended: AtomicBool,
}

struct State {
    places: Places,
    /// What is there was told.
    known: bool,
    /// What a new watch told so far of what is there; None once that is complete.
    told: Option<Vec<u64>>,
    /// The registry tells of no changes.
    asked_only: bool,
    /// How many lookups were wished for, and how many of those wishes are answered.
    wished: u64,
    looked: u64,
    /// Why the registry cannot be asked.
    trouble: Option<Error>,
    /// A thread connects to those whose host is a name.
    dialing: bool,
}

impl ServiceClient {
    /// Of the service `name`, found through `registry`, which several clients and services may share. The options are
    /// those of the connections to its instances. Waits for nothing.
    pub fn new(name: &str, registry: &Arc<RegistryClient>, options: &Options) -> Result<ServiceClient> {
        check_name(name)?;
        options.validate(Role::Request)?;
        if options.identity().is_some() {
            let text = "option identity: a service client has several connections, which cannot have the same one";
            return Err(Error::new(Status::InvalidArgument, text));
        }
        let (changed, ring) = (Arc::<Signal>::default(), Arc::new(EventFd::new()?));
        let inner = Arc::new(Inner {
            name: name.to_owned(),
            generation: generation(),
            registry: Arc::clone(registry),
            dialer: Dialer {
                options: options.clone(),
                changed: Arc::clone(&changed),
                ring: Arc::clone(&ring),
            },
            changed,
            ring,
            state: Mutex::new(State {
                places: Places::default(),
                known: false,
                told: None,
                asked_only: false,
                wished: 0,
                looked: 0,
                trouble: None,
                dialing: false,
            }),
            closed: AtomicBool::new(false),
            thread_ended: AtomicBool::new(false),
        });
        let epoll = Epoll::new()?;
        epoll.add(inner.ring.fd(), RING)?;
        let own = Arc::clone(&inner);
        let spawned = with_signals_blocked(|| {
            std::thread::Builder::new().name("dividere-find".into()).spawn(move || {
                let _at_the_end = ThreadEnded(&own);
                own.run(&epoll);
            })
        });
        let thread = spawned.map_err(|e| {
            let text = format!("cannot start a service client's thread: {e}");
            Error::new(Status::Limit, text)
        })?;
        Ok(ServiceClient {
            inner,
            thread: Mutex::new(Some(OwnThread::new(thread))),
            calls: OnceLock::new(),
            calls_thread: Mutex::new(None),
        })
    }

    /// Of the service that is named after the type `T` (`service_name`).
    pub fn of<T: ?Sized>(registry: &Arc<RegistryClient>, options: &Options) -> Result<ServiceClient> {
        ServiceClient::new(&service_name::<T>(), registry, options)
    }

    /// Asks an instance, and waits for the reply, at most `timeout_ms` milliseconds in all. Where that instance is too
    /// busy, stops, or the request could not be sent, another one is asked. With `may_repeat` that is also done where
    /// an instance went away with the request, or has not answered in half of the time that was left while there was
    /// another one: so it may be served more than once.
    ///
    /// NOT_FOUND, at once, where nobody has that name; PERMISSION or HANDSHAKE where no instance lets us in; BUSY where all are too busy; UNREACHABLE where the instance went
    /// away, and may have served it or not; TIMEOUT where there is no reply in time. What the service answers as an
    /// error: its status and text. `request` is emptied on success.
    pub fn call(&self, request: &mut Message, reply: &mut Message, timeout_ms: i64, may_repeat: bool) -> Result<()> {
        self.inner.check()?;
        request.require_content()?;
        let deadline = Deadline::from_ms(timeout_ms);
        let mut trail = Trail::default();
        loop {
            let (place, others) = self.inner.choose_in_time(&mut trail, deadline)?;
            let mut body = request.frame_mut().share()?;
            // Not waiting where another one may have room.
            let until = if others > 0 { Deadline::Now } else { deadline };
            let sent = place.request.start(terms(may_repeat, deadline), &mut body, until);
            trail.goes_to(&place);
            let outcome = match sent {
                Ok(number) => {
                    let answer = place
                        .request
                        .finish(number, reply, patience(deadline, may_repeat && others > 0));
                    if answer.is_err() {
                        // Over already, unless the time was.
                        let _over = place.request.abandon_call(number);
                    }
                    self.inner.outcome(&place, answer)
                }
                Err(error) if error.status() == Status::TooLarge => return Err(error),
                Err(error) => Outcome::NotServed(error),
            };
            self.inner.check()?;
            let answered = matches!(outcome, Outcome::Answered(_));
            if let Some(end) = trail.take_in(outcome, may_repeat && !deadline.is_over()) {
                if answered {
                    request.clear();
                }
                return end;
            }
        }
    }

    /// As `call`, with typed messages.
    pub fn call_as<Q, A>(&self, request: &Q, timeout_ms: i64, may_repeat: bool) -> Result<A>
    where
        Q: prost::Message + prost::Name,
        A: prost::Message + prost::Name + Default,
    {
        let (mut question, mut answer) = (Message::new(), Message::new());
        question.set(request)?;
        self.call(&mut question, &mut answer, timeout_ms, may_repeat)?;
        answer.get()
    }

    /// Begins what `call` does, waiting for nothing, and gives the number under which `finish_call` has the reply: for those
    /// who wait otherwise than by sleeping in `call`. Any number of them may be under way; a thread of the client's own,
    /// there from the first of them on, keeps their time and asks other instances. `request` is empty afterwards, on success
    /// only. What came of a call is kept until it is finished or given up. LIMIT where there can be no such thread.
    pub fn start_call(&self, request: &mut Message, timeout_ms: i64, may_repeat: bool) -> Result<u64> {
        let calls = self.calls()?;
        request.require_content()?;
        let body = request.frame_mut().share()?;
        request.clear();
        Ok(calls.begin(&self.inner, body, Deadline::from_ms(timeout_ms), may_repeat))
    }

    /// Receives the reply to what `start_call` began; when a call is over, `fd` is readable. WOULD_BLOCK where it is not over
    /// by `deadline`: it is still under way. Everything else is its end, as `call` tells it; NOT_FOUND also where it was
    /// finished or given up before.
    pub fn finish_call(&self, call: u64, reply: &mut Message, deadline: Deadline) -> Result<()> {
        self.inner.check()?;
        match self.calls.get() {
            Some(calls) => calls.finish(&self.inner, call, reply, deadline),
            None => Err(no_such_call()),
        }
    }

    /// The same for whichever call ends first, or has: gives its number, and what came of it.
    pub fn finish_next(&self, reply: &mut Message, deadline: Deadline) -> Result<(u64, Result<()>)> {
        self.calls()?.finish_next(&self.inner, reply, deadline)
    }

    /// Gives up what `start_call` began: it is asked for no more, and a reply is dropped. NOT_FOUND where it was over before.
    pub fn abandon_call(&self, call: u64) -> Result<()> {
        self.inner.check()?;
        match self.calls.get() {
            Some(calls) => calls.abandon(&self.inner, call),
            None => Err(no_such_call()),
        }
    }

    /// A descriptor for poll and epoll: when it is readable, finish calls until WOULD_BLOCK. It belongs to the client.
    pub fn fd(&self) -> Result<RawFd> {
        Ok(self.calls()?.fd())
    }

    fn calls(&self) -> Result<&Arc<Calls>> {
        self.inner.check()?;
        if let Some(calls) = self.calls.get() {
            return Ok(calls);
        }
        let mut thread = lock(&self.calls_thread);
        // Closing takes the thread under this lock, after it has said so.
        self.inner.check()?;
        if let Some(calls) = self.calls.get() {
            return Ok(calls);
        }
        let (calls, started) = Calls::start(&self.inner)?;
        *thread = Some(started);
        Ok(self.calls.get_or_init(|| calls))
    }

    /// The instances that are known now, connected or not.
    pub fn instances(&self) -> Result<Vec<Instance>> {
        self.inner.check()?;
        Ok(lock(&self.inner.state).places.instances())
    }

    /// Waits until an instance is connected: for those who are there before the service is. PERMISSION or HANDSHAKE at
    /// once, where all that are there refuse us.
    pub fn wait_for_service(&self, deadline: Deadline) -> Result<()> {
        let mut wished_at: Option<Instant> = None;
        loop {
            let before = self.inner.changed.now();
            self.inner.check()?;
            let mut until = deadline;
            {
                let mut state = lock(&self.inner.state);
                if state.places.is_any_up() {
                    return Ok(());
                }
                if let Some(refused) = state.places.refused(&[]) {
                    return Err(refused);
                }
                if state.asked_only {
                    // Nobody tells when it comes: it is asked for, a second after the last answer.
                    let waits = state.wished > state.looked;
                    if !waits && wished_at.is_none_or(|at| at.elapsed() >= ASK_AGAIN) {
                        wished_at = Some(Instant::now());
                        state.wished += 1;
                        self.inner.ring.ring();
                    }
                    until = Deadline::after(ASK_AGAIN).min(deadline);
                }
            }
            if !self.inner.changed.wait(before, until) && deadline.is_over() {
                return Err(match deadline {
                    Deadline::Now => Error::new(Status::WouldBlock, "no instance is connected yet"),
                    _ => self.inner.none_connected(),
                });
            }
        }
    }

    pub fn is_closed(&self) -> bool {
        self.inner.closed.load(Ordering::Acquire)
    }

    /// Ends it: calls under way return CLOSED.
    pub fn close(&self) -> Result<()> {
        self.inner.check()?;
        if self.inner.closed.swap(true, Ordering::AcqRel) {
            return Err(closed());
        }
        self.inner.ring.ring();
        let calls_thread = lock(&self.calls_thread).take();
        if let Some(calls) = self.calls.get() {
            calls.wake_all();
        }
        self.inner.let_go()?;
        if calls_thread.is_some_and(|thread| thread.join().is_err()) {
            log_line!(Error, "service", "the thread of a service client's calls had panicked");
        }
        let ended = self.inner.wait_for_thread(Deadline::after(CLOSING_LIMIT));
        let thread = lock(&self.thread).take();
        if !ended {
            log_line!(Warning, "service", "a service client's thread ends later");
        } else if thread.is_some_and(|thread| thread.join().is_err()) {
            log_line!(Error, "service", "a service client's thread had panicked");
        }
        // What the thread found meanwhile.
        self.inner.let_go()
    }
}

impl Drop for ServiceClient {
    fn drop(&mut self) {
        // CLOSED where it was closed before, FORKED in a child.
        let _closed_already = self.close();
    }
}

const ASK_AGAIN: Duration = Duration::from_secs(1);
const RING: u64 = 0;

/// Tells that the thread has ended, also by a panic.
struct ThreadEnded<'a>(&'a Inner);

impl Drop for ThreadEnded<'_> {
    fn drop(&mut self) {
        self.0.thread_ended.store(true, Ordering::Release);
        self.0.changed.notify();
    }
}

fn closed() -> Error {
    Error::new(Status::Closed, "the service client is closed")
}

impl Inner {
    fn check(&self) -> Result<()> {
        if self.generation != generation() {
            let text = "the handle belongs to the process that this one was forked from";
            return Err(Error::new(Status::Forked, text));
        }
        if self.closed.load(Ordering::Acquire) {
            return Err(closed());
        }
        Ok(())
    }

    /// As `choose`, waiting for one.
    fn choose_in_time(&self, trail: &mut Trail, deadline: Deadline) -> Result<(Arc<Place>, usize)> {
        loop {
            let before = self.changed.now();
            if let Some(chosen) = self.choose(trail)? {
                return Ok(chosen);
            }
            if !self.changed.wait(before, deadline) {
                return Err(self.in_vain(trail));
            }
        }
    }
}

/// What an instance is told of a call.
fn terms(may_repeat: bool, deadline: Deadline) -> Terms {
    let left = deadline.remaining();
    Terms::new(may_repeat, left.map_or(-1, |left| left.as_millis() as i64))
}

/// How long one instance is waited for: where another one could be asked, half of the time that is left.
fn patience(deadline: Deadline, other: bool) -> Deadline {
    match deadline.remaining() {
        Some(left) if other => Deadline::after(left / 2).min(deadline),
        _ => deadline,
    }
}

/// Waiting on would not help.
fn is_final(status: Status) -> bool {
    matches!(
        status,
        Status::Closed | Status::Permission | Status::Handshake | Status::InvalidArgument | Status::Decode
    )
}
