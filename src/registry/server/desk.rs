//! The registry's thread: takes requests, answers them, lets leases run out.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::connection::clock::Deadline;
use crate::connection::frame::Frame;
use crate::connection::log::log_line;
use crate::connection::socket::Socket;
use crate::error::{Error, Result, Status};
use crate::messaging::channel::Channel;
use crate::messaging::message::Message;
use crate::messaging::publisher::Publisher;
use crate::messaging::reply::error_frame;
use crate::proto::v1::{WatchEvents, WatchRequest};
use crate::proto::RediscoverReq;
use crate::registry::lease::LeaseClock;
use crate::registry::registrar::Registrar;
use crate::registry::watchers::{Sent, Watchers};

/// Requests that are answered before leases and watchers have their turn; fewer where that takes longer.
const TURN: usize = 256;
const TURN_TIME: Duration = Duration::from_millis(20);

/// Messages to watchers before requests have their turn again.
const TELLINGS: usize = 64;

/// So long it waits at most for a request.
const TICK: Duration = Duration::from_secs(1);

/// Whoever subscribes so long after the start is told to register.
const DISCOVERY: Duration = Duration::from_secs(30);

/// How often it looks meanwhile whether somebody did.
const DISCOVERY_TICK: Duration = Duration::from_millis(100);

/// While there is no end of requests, a renewal may wait in line for so long.
const QUEUEING: Duration = Duration::from_secs(1);

pub(super) struct Desk {
    socket: Arc<Socket>,
    publisher: Arc<Publisher>,
    registrar: Registrar,
    watchers: Watchers,
    clock: LeaseClock,
    started: Instant,
    subscribers: usize,
    looked_for_subscribers: Instant,
    frames: Vec<Frame>,
    request: Message,
    reply: Message,
}

impl Desk {
    pub fn new(socket: Arc<Socket>, publisher: Arc<Publisher>, registrar: Registrar, watchers: Watchers) -> Desk {
        let now = Instant::now();
        Desk {
            socket,
            publisher,
            registrar,
            watchers,
            clock: LeaseClock::new(now),
            started: now,
            subscribers: 0,
            looked_for_subscribers: now,
            frames: Vec::new(),
            request: Message::new(),
            reply: Message::new(),
        }
    }

    /// Until the socket is closed.
    pub fn run(mut self) -> Result<()> {
        let mut planned = Duration::ZERO;
        let mut received = false;
        loop {
            let now = Instant::now();
            let lease_time = self.clock.look(now, planned);
            if received {
                self.serve(lease_time);
            }
            let drained = match self.take_turn(now, lease_time) {
                Ok(drained) => drained,
                Err(error) if error.status() == Status::Closed => return Ok(()),
                Err(error) => return Err(error),
            };
            // What waits in the socket may be renewals: first those, then the leases.
            let over = match drained {
                true => lease_time,
                false => lease_time.checked_sub(QUEUEING).unwrap_or(lease_time),
            };
            match self.registrar.expire(over) {
                Ok(0) => {}
                Ok(count) => log_line!(Info, "registry", "{count} lease(s) ran out"),
                Err(error) => log_line!(Error, "registry", "cannot take out what ran out: {error}"),
            }
            self.tell_watchers(lease_time);
            self.tell_new_subscribers(now);
            planned = Duration::ZERO;
            received = false;
            if drained && !self.watchers.is_ready() {
                planned = self.until_next(lease_time, now);
                // The one that it waits for is received right here: a look less for each request of a lone client.
                match self.receive(Deadline::after(planned)) {
                    Ok(()) => received = true,
                    Err(error) if error.status() == Status::Timeout => {}
                    Err(error) if error.status() == Status::Closed => return Ok(()),
                    Err(error) => return Err(error),
                }
            }
        }
    }

    fn until_next(&self, lease_time: Instant, now: Instant) -> Duration {
        let tick = match now.duration_since(self.started) < DISCOVERY {
            true => DISCOVERY_TICK,
            false => TICK,
        };
        let next = [self.registrar.leases.next(), self.watchers.next()];
        match next.into_iter().flatten().min() {
            // Not before it is over: rounded up.
            Some(at) => tick.min(at.saturating_duration_since(lease_time) + Duration::from_millis(1)),
            None => tick,
        }
    }

    /// Answers what is there. True where nothing is left.
    fn take_turn(&mut self, began: Instant, lease_time: Instant) -> Result<bool> {
        for _ in 0..TURN {
            match self.receive(Deadline::Now) {
                Ok(()) => self.serve(lease_time),
                Err(error) if error.status() == Status::WouldBlock => return Ok(true),
                Err(error) => return Err(error),
            }
            if began.elapsed() >= TURN_TIME {
                break;
            }
        }
        Ok(false)
    }

    fn receive(&mut self, deadline: Deadline) -> Result<()> {
        self.socket.recv(&mut self.frames, deadline)
    }

    /// One request, in `frames`: the route, an empty frame, and one frame more.
    fn serve(&mut self, lease_time: Instant) {
        // The first frame is the router's own name for the peer.
        let delimiter = self.frames.iter().skip(1).position(Frame::is_empty).map(|at| at + 1);
        let Some(delimiter) = delimiter.filter(|at| at + 1 < self.frames.len()) else {
            self.socket.counters.dropped_malformed();
            return;
        };
        let answered = if self.frames.len() > delimiter + 2 {
            self.socket.counters.dropped_malformed();
            Err(Error::new(Status::Decode, "a request is one frame"))
        } else {
            let payload = std::mem::take(&mut self.frames[delimiter + 1]);
            self.request.received(payload, None);
            match self.answer(lease_time, delimiter) {
                Ok(true) => Ok(()),
                // What there is to tell comes later.
                Ok(false) => return,
                Err(error) => Err(error),
            }
        };
        let payload = match answered {
            Ok(()) => Ok(std::mem::take(self.reply.frame_mut())),
            Err(error) => error_frame(error.status(), error.text()),
        };
        self.frames.truncate(delimiter + 1);
        let sent = payload.and_then(|payload| {
            self.frames.push(payload);
            self.socket.send_before(&mut self.frames, Deadline::Now)
        });
        match sent {
            Ok(()) => {}
            Err(error) if error.status() == Status::Unreachable => self.socket.counters.dropped_unrouted(),
            // Whoever does not read its answers loses them: nobody waits for it.
            Err(error) if is_full(&error) => self.socket.counters.dropped_queue_full(),
            Err(error) => log_line!(Debug, "registry", "cannot answer a request: {error}"),
        }
    }

    /// False where no answer belongs here.
    fn answer(&mut self, lease_time: Instant, delimiter: usize) -> Result<bool> {
        if let Err(error) = self.request.decode() {
            self.socket.counters.decode_error();
            return Err(error);
        }
        if self.request.type_name() != Some("dividere.v1.WatchRequest") {
            return self
                .registrar
                .answer(&self.request, &mut self.reply, lease_time)
                .map(|()| true);
        }
        let request: WatchRequest = self.request.get()?;
        let route = self.frames[..=delimiter].iter().map(|frame| frame.bytes().to_vec());
        let (watch, question) = (request.watch, request.question);
        match self
            .watchers
            .request(route.collect(), request, self.registrar.id, lease_time)
        {
            Ok(()) => Ok(false),
            Err(error) => {
                let refused = crate::proto::v1::Error {
                    name: error.status().name().to_owned(),
                    code: error.status().code(),
                    text: error.text().to_owned(),
                };
                self.reply.set(&WatchEvents {
                    watch,
                    question,
                    registry: self.registrar.id,
                    refused: Some(refused),
                    ..WatchEvents::default()
                })?;
                Ok(true)
            }
        }
    }

    fn tell_watchers(&mut self, lease_time: Instant) {
        let (store, socket) = (&*self.registrar.store, &self.socket);
        self.watchers.expire(lease_time);
        self.watchers.notice(store);
        let mut message = Message::new();
        let mut send = |route: &[Vec<u8>], events: &WatchEvents| {
            let sent = message.set(events).and_then(|()| {
                let mut frames = Vec::with_capacity(route.len() + 1);
                for part in route {
                    frames.push(Frame::from_bytes(part)?);
                }
                frames.push(std::mem::take(message.frame_mut()));
                socket.send_before(&mut frames, Deadline::Now)
            });
            match sent {
                Ok(()) => Sent::Yes,
                Err(error) if is_full(&error) => Sent::Full,
                Err(error) => {
                    log_line!(Debug, "registry", "a watcher is gone: {error}");
                    Sent::Gone
                }
            }
        };
        let id = self.registrar.id;
        self.watchers.tell(store, id, TELLINGS, lease_time, &mut send);
    }

    /// Services that knew the registry before it was started anew register again.
    fn tell_new_subscribers(&mut self, now: Instant) {
        if now.duration_since(self.started) > DISCOVERY
            || now.duration_since(self.looked_for_subscribers) < DISCOVERY_TICK
        {
            return;
        }
        self.looked_for_subscribers = now;
        let sockets = self.publisher.sockets();
        let count = sockets.iter().map(|socket| socket.subscriber_count_so_far()).sum();
        if count > self.subscribers {
            if let Err(error) = self.publisher.publish(&RediscoverReq {}) {
                log_line!(Warning, "registry", "cannot tell services to register: {error}");
            }
        }
        self.subscribers = count;
    }
}

fn is_full(error: &Error) -> bool {
    matches!(error.status(), Status::WouldBlock | Status::Timeout)
}
