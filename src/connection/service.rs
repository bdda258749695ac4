//! The service thread, one per process: it reads the connection events of all sockets, nudges idle subscribers
//! after a reconnect, restarts what libzmq gave up, hears what publishers are told, and answers key checks.
//!
//! It never holds a lock while it calls a callback, and it never waits for anything but its epoll.

use std::collections::{HashMap, HashSet, VecDeque};
use std::os::unix::thread::JoinHandleExt;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Condvar, Mutex, OnceLock, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::connection::events::{Event, EventKind};
use crate::connection::frame::Frame;
use crate::connection::linux::{self, Epoll, EventFd};
use crate::connection::log::log_line;
use crate::connection::lookups::Lookups;
use crate::connection::monitor::{handshake_failure, wrong_role, Monitor, RawEvent, RawKind};
use crate::connection::options::ProcessOptions;
use crate::connection::peers::Link;
use crate::connection::process::{lock, Process};
use crate::connection::restart::SILENCE_LIMIT;
use crate::connection::socket::{Kind, Socket};
use crate::connection::subscribers::Change;
use crate::connection::zap::{AllowLists, ZapHandler};
use crate::error::{Error, Result, Status};

const RING: u64 = 0;
const ZAP: u64 = 1;
/// Keys of sockets: twice the number, plus one for the data of a publisher. Numbers begin with 1.
fn monitor_key(id: u64) -> u64 {
    id * 2
}
fn data_key(id: u64) -> u64 {
    id * 2 + 1
}

/// libzmq says at once (CONNECT_RETRIED) that it goes on after a disconnect; without a word for so long it gave up.
const GIVEN_UP_AFTER: Duration = Duration::from_millis(30);
/// A publisher under load is woken by its connections all the time; it is listened to that often at most.
const DRAIN_PAUSE: Duration = Duration::from_millis(10);
/// A query of a publisher waits for the service thread no longer than this; it answers within microseconds.
const SYNC_LIMIT: Duration = Duration::from_secs(2);
/// At exit the thread has nothing to do but to close monitors, unless a callback of the host's holds it.
const STOP_LIMIT: Duration = Duration::from_secs(1);

pub(crate) struct Service {
    epoll: Epoll,
    ring: EventFd,
    inbox: Mutex<Inbox>,
    thread: OnceLock<libc::pthread_t>,
    join: Mutex<Option<JoinHandle<()>>>,
    finished: Mutex<bool>,
    has_finished: Condvar,
    /// Linger times of sockets that libzmq still has.
    lingers: Mutex<HashMap<u64, Duration>>,
    pub allow_lists: AllowLists,
    pub(super) lookups: Lookups,
}

#[derive(Default)]
struct Inbox {
    arrivals: Vec<Arrival>,
    drains: Vec<(u64, Option<Sender<()>>)>,
    looks: Vec<u64>,
    zap: Option<ZapHandler>,
    zap_running: bool,
    stop: bool,
}

struct Arrival {
    id: u64,
    socket: Weak<Socket>,
    monitor: Monitor,
}

impl Service {
    pub fn new() -> Result<Service> {
        Ok(Service {
            epoll: Epoll::new()?,
            ring: EventFd::new()?,
            inbox: Mutex::default(),
            thread: OnceLock::new(),
            join: Mutex::default(),
            finished: Mutex::new(false),
            has_finished: Condvar::new(),
            lingers: Mutex::default(),
            allow_lists: AllowLists::default(),
            lookups: Lookups::default(),
        })
    }

    pub fn start(&'static self, options: &ProcessOptions) -> Result<()> {
        self.epoll.add(self.ring.fd(), RING)?;
        let name = format!("{}-svc", options.thread_name_prefix());
        let spawned = linux::with_signals_blocked(|| {
            std::thread::Builder::new().name(name).spawn(move || {
                Loop::new(self).run();
                // With the loop every monitor was closed.
                *lock(&self.finished) = true;
                self.has_finished.notify_all();
            })
        });
        let handle = spawned.map_err(|e| Error::new(Status::Limit, format!("cannot start the service thread: {e}")))?;
        let _first_time = self.thread.set(handle.as_pthread_t());
        *lock(&self.join) = Some(handle);
        Ok(())
    }

    pub fn is_this_thread(&self) -> bool {
        // Asked of the system: exit handlers run when Rust's own idea of the current thread is gone already.
        // SAFETY: no arguments.
        self.thread.get() == Some(&unsafe { libc::pthread_self() })
    }

    /// Reads the events of `socket` from now on.
    pub fn watch(&self, process: &Process, socket: &Arc<Socket>) -> Result<()> {
        let monitor = Monitor::start(process, socket.raw_unshared(), socket.id())?;
        lock(&self.lingers).insert(socket.id(), socket.linger());
        let arrival = Arrival {
            id: socket.id(),
            socket: Arc::downgrade(socket),
            monitor,
        };
        lock(&self.inbox).arrivals.push(arrival);
        self.ring.ring();
        Ok(())
    }

    /// Begins to answer key checks; once for a process.
    pub fn require_zap(&self, process: &Process) -> Result<()> {
        let mut inbox = lock(&self.inbox);
        if !inbox.zap_running {
            inbox.zap = Some(ZapHandler::bind(process)?);
            inbox.zap_running = true;
            drop(inbox);
            self.ring.ring();
        }
        Ok(())
    }

    /// Asks for a look at what a publisher was told.
    pub fn poke(&self, id: u64) {
        lock(&self.inbox).drains.push((id, None));
        self.ring.ring();
    }

    /// Asks for a look at the links of a socket.
    pub(super) fn look_at(&self, id: u64) {
        lock(&self.inbox).looks.push(id);
        self.ring.ring();
    }

    /// As `poke`, and waits until it happened.
    pub fn sync(&self, id: u64) -> Result<()> {
        if self.is_this_thread() {
            return Ok(());
        }
        let (done, is_done) = mpsc::channel();
        lock(&self.inbox).drains.push((id, Some(done)));
        self.ring.ring();
        match is_done.recv_timeout(SYNC_LIMIT) {
            // Disconnected: the thread ended with the process, or the socket is closed.
            Ok(()) | Err(RecvTimeoutError::Disconnected) => Ok(()),
            Err(RecvTimeoutError::Timeout) => Err(Error::new(
                Status::Timeout,
                "the service thread is held up: does an event callback block?",
            )),
        }
    }

    pub fn longest_linger_pending(&self) -> Duration {
        lock(&self.lingers).values().max().copied().unwrap_or(Duration::ZERO)
    }

    /// Ends the thread, and with it every monitor. Called once, when the process ends. A callback that never returns
    /// keeps the thread: after a while the process ends without it.
    pub fn stop(&self) {
        lock(&self.inbox).stop = true;
        self.ring.ring();
        if self.is_this_thread() {
            return;
        }
        let deadline = Instant::now() + STOP_LIMIT;
        let mut finished = lock(&self.finished);
        while !*finished {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                log_line!(
                    Warning,
                    "service",
                    "the service thread is held up at exit: does an event callback block?"
                );
                return;
            }
            finished = match self.has_finished.wait_timeout(finished, left) {
                Ok((finished, _)) => finished,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
        drop(finished);
        if let Some(handle) = lock(&self.join).take() {
            if handle.join().is_err() {
                log_line!(Error, "service", "the service thread had panicked");
            }
        }
    }
}

struct Entry {
    socket: Weak<Socket>,
    monitor: Monitor,
    /// Connections whose handshake goes on, by both ends.
    handshaking: HashMap<(String, String), u32>,
    /// Connections whose handshake succeeded, by both ends.
    established: HashMap<(String, String), u32>,
    /// Descriptors of live connections, where subscriptions are counted.
    live: HashSet<i32>,
}

struct Loop {
    service: &'static Service,
    entries: HashMap<u64, Entry>,
    zap: Option<ZapHandler>,
    /// When to look at the links of a socket.
    looks: HashMap<u64, Instant>,
    /// When to listen to a publisher again.
    rearms: VecDeque<(Instant, u64)>,
    frames: Vec<Frame>,
}

impl Loop {
    fn new(service: &'static Service) -> Loop {
        Loop {
            service,
            entries: HashMap::new(),
            zap: None,
            looks: HashMap::new(),
            rearms: VecDeque::new(),
            frames: Vec::new(),
        }
    }

    fn run(mut self) {
        let mut ready = Vec::new();
        loop {
            let timeout = self.next_timeout();
            self.service.epoll.wait(&mut ready, timeout);
            let mut drains = Vec::new();
            if ready.contains(&RING) {
                self.service.ring.quiet();
            }
            {
                let mut inbox = lock(&self.service.inbox);
                if inbox.stop {
                    // Monitors that were never looked at: their sockets would keep the context.
                    inbox.arrivals.clear();
                    inbox.zap = None;
                    return;
                }
                let arrivals = std::mem::take(&mut inbox.arrivals);
                drains.append(&mut inbox.drains);
                let now = Instant::now();
                self.looks.extend(inbox.looks.drain(..).map(|id| (id, now)));
                let zap = inbox.zap.take();
                drop(inbox);
                if let Some(zap) = zap {
                    self.start_zap(zap);
                }
                for arrival in arrivals {
                    self.arrive(arrival);
                }
            }
            for key in &ready {
                match *key {
                    RING => {}
                    ZAP => self.answer_key_checks(),
                    key if key % 2 == 0 => self.read_events(key / 2),
                    key => {
                        self.drain(key / 2);
                        self.rearms.push_back((Instant::now() + DRAIN_PAUSE, key / 2));
                    }
                }
            }
            for (id, done) in drains {
                self.drain(id);
                if let Some(done) = done {
                    let _asker_gone = done.send(());
                }
            }
            self.timers();
        }
    }

    fn next_timeout(&self) -> i32 {
        let looks = self.looks.values().copied().min();
        let next = looks.into_iter().chain(self.rearms.front().map(|(at, _)| *at)).min();
        match next {
            None => -1,
            Some(at) => at.saturating_duration_since(Instant::now()).as_millis() as i32 + 1,
        }
    }

    fn arrive(&mut self, arrival: Arrival) {
        let id = arrival.id;
        if let Err(error) = self.service.epoll.add(arrival.monitor.fd(), monitor_key(id)) {
            self.lose(&arrival.socket, &error);
            return;
        }
        if let Some(socket) = arrival.socket.upgrade() {
            if socket.kind() == Kind::Publisher {
                let watched = socket.while_open(|fd| self.service.epoll.add_once(fd, data_key(id)));
                if let Some(Err(error)) = watched {
                    self.lose(&arrival.socket, &error);
                }
            }
        }
        let entry = Entry {
            socket: arrival.socket,
            monitor: arrival.monitor,
            handshaking: HashMap::new(),
            established: HashMap::new(),
            live: HashSet::new(),
        };
        self.entries.insert(id, entry);
        // What came before the descriptor was watched makes it readable no more.
        self.read_events(id);
    }

    fn lose(&self, socket: &Weak<Socket>, error: &Error) {
        log_line!(Error, "service", "events of a socket are lost: {error}");
        if let Some(socket) = socket.upgrade() {
            socket.peers.monitor_ended();
            let mut event = Event::new(EventKind::MonitorLost, "");
            event.text = error.to_string();
            socket.events.push(event, &socket.counters);
        }
    }

    fn start_zap(&mut self, zap: ZapHandler) {
        if let Err(error) = self.service.epoll.add(zap.fd(), ZAP) {
            log_line!(
                Error,
                "service",
                "keys cannot be checked, every client will be refused: {error}"
            );
        }
        self.zap = Some(zap);
        self.answer_key_checks();
    }

    fn answer_key_checks(&mut self) {
        if let Some(zap) = &mut self.zap {
            zap.answer_all(&self.service.allow_lists, &mut self.frames);
        }
    }

    fn read_events(&mut self, id: u64) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let socket = entry.socket.upgrade();
        let mut stopped = false;
        while let Some(event) = entry.monitor.next(&mut self.frames) {
            if event.kind == RawKind::Stopped {
                stopped = true;
            } else if let Some(socket) = &socket {
                if let Some(look) = entry.tell(socket, &event) {
                    let earliest = self.looks.entry(id).or_insert(look);
                    *earliest = look.min(*earliest);
                }
            }
        }
        if stopped {
            if let Some(socket) = &socket {
                socket.peers.monitor_ended();
            }
            self.service.epoll.remove(entry.monitor.fd());
            self.entries.remove(&id);
            lock(&self.service.lingers).remove(&id);
        }
    }

    /// Reads what a publisher was told. First the subscriptions are taken, then the events that came before them,
    /// so that every subscription meets its connection.
    fn drain(&mut self, id: u64) {
        let Some(socket) = self.entries.get(&id).and_then(|entry| entry.socket.upgrade()) else {
            return;
        };
        let Some(subscribers) = &socket.subscribers else { return };
        let mut changes = Vec::new();
        if let Ok(mut entered) = socket.enter() {
            let mut frame = Frame::new();
            while entered.try_recv_control(&mut frame).is_ok() {
                if let [flag @ (0 | 1), topic @ ..] = frame.bytes() {
                    changes.push(Change {
                        source: frame.source(),
                        subscribe: *flag == 1,
                        topic: topic.to_vec(),
                    });
                }
            }
            entered.has_room();
        }
        self.read_events(id);
        let Some(entry) = self.entries.get(&id) else { return };
        for change in changes {
            // Over inproc no event tells of connections, and the end of one unsubscribes.
            if change
                .source
                .is_some_and(|source| source < 0 || entry.live.contains(&source))
            {
                subscribers.apply(change);
            }
        }
    }

    fn timers(&mut self) {
        let now = Instant::now();
        while self.rearms.front().is_some_and(|(at, _)| *at <= now) {
            let Some((_, id)) = self.rearms.pop_front() else { break };
            if let Some(socket) = self.entries.get(&id).and_then(|e| e.socket.upgrade()) {
                socket.while_open(|fd| self.service.epoll.rearm(fd, data_key(id)));
            }
        }
        let due: Vec<u64> = self
            .looks
            .iter()
            .filter(|(_, at)| **at <= now)
            .map(|(id, _)| *id)
            .collect();
        for id in due {
            self.looks.remove(&id);
            let socket = self.entries.get(&id).and_then(|entry| entry.socket.upgrade());
            if let Some(again) = socket.and_then(|socket| socket.restart_given_up(now)) {
                self.looks.insert(id, again);
            }
        }
    }
}

/// Counts one connection between these ends less. False where there was none.
fn take_one(counts: &mut HashMap<(String, String), u32>, pair: &(String, String)) -> bool {
    let Some(count) = counts.get_mut(pair) else {
        return false;
    };
    *count -= 1;
    if *count == 0 {
        counts.remove(pair);
    }
    true
}

impl Entry {
    /// Takes in one event. Returns when to look at the socket's links again, if it has to be.
    fn tell(&mut self, socket: &Arc<Socket>, raw: &RawEvent) -> Option<Instant> {
        let mut told: Option<Event> = None;
        let now = Instant::now();
        let within = |ms: i64| Some(now + Duration::from_millis(ms as u64) + SILENCE_LIMIT);
        let descriptor = raw.value as i32;
        let pair = (raw.local.clone(), raw.remote.clone());
        let is_link = socket.peers.with_link(&raw.remote, |_| ()).is_some();
        let own = if is_link { &raw.remote } else { &raw.local };
        let new_event = |kind: EventKind| {
            let mut event = Event::new(kind, own.clone());
            event.peer.clone_from(&raw.remote);
            event
        };
        match raw.kind {
            RawKind::Listening => told = Some(new_event(EventKind::Listening)),
            RawKind::Connected | RawKind::Accepted => {
                self.live.insert(descriptor);
                if let Some(subscribers) = &socket.subscribers {
                    subscribers.connection_ended(descriptor);
                }
                let expected = within(socket.options().handshake_timeout_ms());
                socket.peers.with_link(&raw.remote, |link| link.goes_on(expected));
                *self.handshaking.entry(pair).or_insert(0) += 1;
                if raw.kind == RawKind::Accepted {
                    told = Some(new_event(EventKind::Accepted));
                }
            }
            RawKind::HandshakeSucceeded => {
                take_one(&mut self.handshaking, &pair);
                *self.established.entry(pair).or_insert(0) += 1;
                match socket.peers.with_link(&raw.remote, Link::succeeded) {
                    Some(true) => socket.counters.reconnects(1),
                    Some(false) => {}
                    None => socket.peers.accepted(&raw.local, &raw.remote, true),
                }
                // An idle subscriber subscribes again only when somebody calls into its socket.
                if matches!(socket.kind(), Kind::Subscriber | Kind::RawSubscriber) {
                    socket.nudge();
                }
                told = Some(new_event(EventKind::Connected));
            }
            RawKind::HandshakeFailedNoDetail | RawKind::HandshakeFailedProtocol | RawKind::HandshakeFailedAuth => {
                take_one(&mut self.handshaking, &pair);
                let (status, text) = handshake_failure(raw.kind, raw.value);
                let no_reason = raw.kind == RawKind::HandshakeFailedNoDetail;
                let failed = |link: &mut Link| link.failed(status, &text, no_reason);
                socket.peers.with_link(&raw.remote, failed);
                let mut event = new_event(EventKind::HandshakeFailed);
                event.code = status as i32;
                event.text = text;
                told = Some(event);
            }
            RawKind::Disconnected => {
                self.live.remove(&descriptor);
                if let Some(subscribers) = &socket.subscribers {
                    subscribers.connection_ended(descriptor);
                }
                let at = now + GIVEN_UP_AFTER + socket.pause_before_restart(&raw.remote);
                let linked = socket.peers.with_link(&raw.remote, |link| {
                    link.up = false;
                    link.retried = false;
                    // Where it was begun anew, this is the old connection.
                    if !link.begun {
                        link.look_at = Some(at);
                        link.expected = None;
                    }
                });
                if take_one(&mut self.established, &pair) {
                    if linked.is_none() {
                        socket.peers.accepted(&raw.local, &raw.remote, false);
                    }
                    // Who waits for a reply may ask another one.
                    if socket.kind() == Kind::Request {
                        socket.wake_readers();
                    }
                    told = Some(new_event(EventKind::Disconnected));
                } else if take_one(&mut self.handshaking, &pair) {
                    // libzmq found the peer's role, or another property, wrong, and says nothing of it.
                    let (status, text) = wrong_role();
                    let failed = |link: &mut Link| link.failed(status, &text, false);
                    socket.peers.with_link(&raw.remote, failed);
                    let mut event = new_event(EventKind::HandshakeFailed);
                    event.code = status as i32;
                    event.text = text;
                    told = Some(event);
                }
            }
            RawKind::Retried => {
                // libzmq goes on with this address. Where the name has others, we go on with the next one.
                let at = now + socket.pause_before_restart(&raw.remote);
                socket.peers.with_link(&raw.remote, |link| {
                    link.goes_on(within(raw.value as i64));
                    link.look_at = link.has_alternatives.then_some(at);
                    link.retried = true;
                });
                socket.process().service.look_up_again(socket, &raw.remote, now);
                let mut event = new_event(EventKind::Retried);
                event.code = raw.value as i32;
                event.text = format!("next attempt in {} ms", raw.value);
                told = Some(event);
            }
            RawKind::Delayed => {
                // Without a limit of ours the system's own may be minutes.
                let limit = Some(socket.options().connect_timeout_ms()).filter(|limit| *limit > 0);
                let expected = limit.and_then(within);
                socket.peers.with_link(&raw.remote, |link| link.goes_on(expected));
            }
            RawKind::Closed if !is_link => {
                socket.peers.listener_closed(&raw.local);
                told = Some(new_event(EventKind::Closed));
            }
            RawKind::AcceptFailed => {
                let mut event = new_event(EventKind::AcceptFailed);
                event.code = raw.value as i32;
                event.text = crate::connection::errno::text(raw.value as i32);
                told = Some(event);
            }
            RawKind::Closed | RawKind::BindFailed | RawKind::CloseFailed | RawKind::Stopped => {}
        }
        if let Some(event) = told {
            socket.events.push(event, &socket.counters);
        }
        let next = |link: &mut Link| link.look_at.into_iter().chain(link.expected).min();
        socket.peers.with_link(&raw.remote, next).flatten()
    }
}
