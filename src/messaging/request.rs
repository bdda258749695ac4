//! Asks, and gets an answer or an error in time. Connects to one endpoint or to several, and asks them in turn.

use std::borrow::Cow;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::connection::clock::Deadline;
use crate::connection::endpoint::{DefaultSide, Endpoint, Side};
use crate::connection::events::EventQueue;
use crate::connection::frame::Frame;
use crate::connection::linux::{Epoll, EventFd};
use crate::connection::options::{FullQueue, Options, Role};
use crate::connection::peers::Signal;
use crate::connection::process::lock;
use crate::connection::socket::{Kind, Room, Socket};
use crate::error::{Error, Result, Status};
use crate::messaging::channel::Channel;
use crate::messaging::dealer::closed;
use crate::messaging::lane::{Awaited, Lane};
use crate::messaging::message::Message;
use crate::messaging::reply::{error_in, ERROR_TYPE};
use crate::messaging::terms::Terms;

/// One request. May be used from any thread; several calls run side by side. Dropping it closes it.
///
/// `send` and `recv` keep REQ's order (STATE when broken), but a request is never stuck: once `recv` said TIMEOUT,
/// the next `send` is allowed, and the late reply is dropped and counted (`dropped_stale`), never delivered.
/// A request is sent only to endpoints that are connected.
pub struct Request {
    lanes: Vec<Lane>,
    events: Arc<EventQueue>,
    next_lane: AtomicUsize,
    next_number: AtomicU64,
    /// What `send` sent and `recv` waits for.
    outstanding: Mutex<Outstanding>,
    connected: Arc<Signal>,
    exported: Mutex<Option<Epoll>>,
    /// For those who wait for room, and what tells them of connections.
    exported_room: Mutex<Option<(Epoll, Arc<EventFd>)>>,
    closed: AtomicBool,
    send_timeout_ms: i64,
}

/// Where `send` and `recv` stand. The lock around it is never held over a wait.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outstanding {
    Nothing,
    /// A `send` waits for a connection or for room.
    Sending,
    /// Sent over this lane, with this number.
    Sent(usize, u64),
}

impl Request {
    /// Connects to each of the comma-separated endpoints (`@` in front binds).
    pub fn new(endpoints: &str, options: &Options) -> Result<Request> {
        Request::telling(endpoints, options, &Arc::new(Signal::default()), None)
    }

    /// As `new`; tells and rings these whenever something changes with a connection.
    pub(crate) fn telling(
        endpoints: &str,
        options: &Options,
        connected: &Arc<Signal>,
        ring: Option<&Arc<EventFd>>,
    ) -> Result<Request> {
        options.validate(Role::Request)?;
        let endpoints = Endpoint::parse_list(endpoints)?;
        let events = Arc::new(EventQueue::new());
        if endpoints.is_empty() {
            return Err(Error::new(Status::Endpoint, "a request needs an endpoint"));
        }
        let mut first_number = [0u8; 8];
        crate::connection::keys::random_bytes(&mut first_number)?;
        // From here on it closes itself, with the lanes that it has.
        let mut request = Request {
            lanes: Vec::with_capacity(endpoints.len()),
            events: Arc::clone(&events),
            next_lane: AtomicUsize::new(0),
            next_number: AtomicU64::new(u64::from_ne_bytes(first_number)),
            outstanding: Mutex::new(Outstanding::Nothing),
            connected: Arc::clone(connected),
            exported: Mutex::new(None),
            exported_room: Mutex::new(None),
            closed: AtomicBool::new(false),
            send_timeout_ms: options.send_timeout_ms(),
        };
        for endpoint in endpoints {
            let socket = Socket::with_events("request", Kind::Request, options, FullQueue::Block, Arc::clone(&events))?;
            socket.peers.tell(connected);
            if let Some(ring) = ring {
                socket.peers.ring(ring);
            }
            let connects = matches!(endpoint.bind_or_connect(DefaultSide::Connect)?, Side::Connect);
            request.lanes.push(Lane::new(Arc::clone(&socket), connects));
            socket.attach(&[endpoint], DefaultSide::Connect)?;
        }
        Ok(request)
    }

    fn check(&self) -> Result<()> {
        match self.lanes.first() {
            Some(lane) => lane.socket.check(),
            None => Err(closed()),
        }
    }

    /// Sends `request` to the next endpoint and waits for its reply for `timeout` ms; where none comes, sends again to
    /// the next endpoint, `retries` times. So it takes at most (retries + 1) timeouts. A request may therefore be
    /// served more than once: with retries only what may be repeated. The answer UNREACHABLE, of a broker whose worker
    /// died, is tried again, too, and at once what was lost with its connection. A broker on the way is told both: that it may hand
    /// the request to another worker where the first one dies, and how long somebody waits for the reply.
    ///
    /// TIMEOUT where nobody answered. Where the other side answered with an error: its status (REMOTE where a handler
    /// failed) and text. `request` is emptied on success; `reply` may be the same kind of message again and again.
    pub fn call(&self, request: &mut Message, reply: &mut Message, timeout_ms: i64, retries: u32) -> Result<()> {
        self.check()?;
        request.require_content()?;
        let mut attempt = 0;
        // What an attempt leaves of its time is the next one's: to wait for a connection, not for the reply.
        let mut deadline = Deadline::from_ms(timeout_ms);
        loop {
            let mut body = request.frame_mut().share()?;
            let terms = Terms::new(retries > 0, timeout_ms);
            let moves_on = attempt < retries;
            let patience = if attempt > 0 { timeout_ms } else { -1 };
            match self.attempt(terms, &mut body, deadline, patience, moves_on) {
                Ok(frame) => {
                    reply.received(frame, None);
                    let answered = look_at_reply(reply);
                    // A broker lost it with its worker, and it may be repeated.
                    let again = matches!(&answered, Err(e) if e.status() == Status::Unreachable);
                    if !(again && moves_on) {
                        request.clear();
                        return answered;
                    }
                }
                Err(e) if e.status() == Status::Unreachable && moves_on => {}
                Err(e) if e.status() == Status::Timeout || e.status() == Status::WouldBlock => {
                    if !moves_on {
                        return Err(Error::new(
                            Status::Timeout,
                            format!(
                                "no reply to {} attempt(s) of {timeout_ms} ms each: {}",
                                attempt + 1,
                                e.text()
                            ),
                        ));
                    }
                }
                Err(error) => return Err(error),
            }
            attempt += 1;
            deadline = deadline.later_by_ms(timeout_ms);
        }
    }

    /// As `call`, with typed messages.
    pub fn call_as<Q, A>(&self, request: &Q, timeout_ms: i64, retries: u32) -> Result<A>
    where
        Q: prost::Message + prost::Name,
        A: prost::Message + prost::Name + Default,
    {
        let (mut question, mut answer) = (Message::new(), Message::new());
        question.set(request)?;
        self.call(&mut question, &mut answer, timeout_ms, retries)?;
        answer.get()
    }

    /// Sends a request and gives the number under which `finish_call` has its reply: for those who wait otherwise than
    /// by sleeping in `call`. Any number of them may be under way. `request` is empty afterwards, on success only.
    /// A broker on the way is told whether the request may be repeated, and how long its reply is waited for. One that may
    /// be repeated is over, as UNREACHABLE, as soon as the connection is lost: start it again. TIMEOUT, or WOULD_BLOCK, while
    /// no endpoint is connected.
    pub fn start_call(
        &self,
        request: &mut Message,
        may_repeat: bool,
        reply_timeout_ms: i64,
        deadline: Deadline,
    ) -> Result<u64> {
        self.check()?;
        request.require_content()?;
        let terms = Terms::new(may_repeat, reply_timeout_ms);
        let room = Room::Within(deadline);
        match self.begin(terms, request.frame_mut(), room, deadline, may_repeat) {
            Ok((_, number)) => {
                request.clear();
                Ok(number)
            }
            Err(error) => Err(error),
        }
    }

    /// Receives the reply to what `start_call` sent; when there may be one, `fd` is readable. After TIMEOUT, WOULD_BLOCK
    /// and CANCELLED it is still expected, after everything else the call is over. NOT_FOUND where it was over before.
    pub fn finish_call(&self, call: u64, reply: &mut Message, deadline: Deadline) -> Result<()> {
        self.finish(call, reply, deadline)?
    }

    /// As `finish_call`; what the other side answered is told apart from what happened here.
    pub(crate) fn finish(&self, call: u64, reply: &mut Message, deadline: Deadline) -> Result<Result<()>> {
        self.check()?;
        let lane = self.lane_of(call)?;
        match lane.recv(call, deadline) {
            Ok(frame) => {
                reply.received(frame, None);
                Ok(look_at_reply(reply))
            }
            Err(error) => {
                if !is_still_expected(error.status()) {
                    lane.forget(call);
                }
                Err(error)
            }
        }
    }

    /// Gives up what `start_call` sent: its reply will be dropped and counted. NOT_FOUND where it was over before.
    pub fn abandon_call(&self, call: u64) -> Result<()> {
        self.lane_of(call)?.forget(call);
        Ok(())
    }

    /// As `start_call`, of a request with one endpoint, with what is to be sent; it is empty afterwards, on success only. Any
    /// error says that it was not sent. UNREACHABLE, without waiting, where nobody is connected.
    pub(crate) fn start(&self, terms: Terms, body: &mut Frame, deadline: Deadline) -> Result<u64> {
        self.start_awaited(Awaited::default(), terms, body, Room::AsConfigured, deadline)
    }

    /// The same without waiting, where `collect` is to have the reply: WOULD_BLOCK where the queue is full.
    pub(crate) fn start_collected(&self, terms: Terms, body: &mut Frame) -> Result<u64> {
        let awaited = Awaited {
            collected: true,
            ..Awaited::default()
        };
        self.start_awaited(awaited, terms, body, Room::Within(Deadline::Now), Deadline::Now)
    }

    fn start_awaited(
        &self,
        awaited: Awaited,
        terms: Terms,
        body: &mut Frame,
        room: Room,
        deadline: Deadline,
    ) -> Result<u64> {
        self.check()?;
        let lane = self.lanes.iter().find(|lane| lane.is_up());
        let lane = lane.ok_or_else(|| Error::new(Status::Unreachable, "no endpoint is connected"))?;
        let number = self.next_number.fetch_add(1, Ordering::Relaxed);
        lane.send(number, awaited, terms, body, room, deadline)?;
        Ok(number)
    }

    /// Takes the replies to what `start_collected` sent, as far as they are here, by their numbers. True where nothing comes
    /// any more.
    pub(crate) fn collect(&self, replies: &mut Vec<(u64, Frame)>) -> Result<bool> {
        let mut over = true;
        for lane in &self.lanes {
            over &= lane.collect(replies)?;
        }
        Ok(over)
    }

    /// An endpoint is connected.
    pub(crate) fn is_up(&self) -> bool {
        self.lanes.iter().any(Lane::is_up)
    }

    /// A connection was lost, also where there is another now.
    pub(crate) fn has_lost(&self) -> bool {
        let lost = |lane: &Lane| lane.socket.peers.arrivals() > lane.socket.peers.count() as u64;
        self.lanes.iter().any(lost)
    }

    /// Ends all calls: with the reply that is here already, or UNREACHABLE. Nothing can be sent from here on.
    pub(crate) fn end(&self) -> Result<()> {
        self.lanes.iter().try_for_each(Lane::end)
    }

    fn lane_of(&self, call: u64) -> Result<&Lane> {
        self.lanes
            .iter()
            .find(|lane| lane.expects(call))
            .ok_or_else(|| Error::new(Status::NotFound, "no such call is under way"))
    }

    /// What `recv` waits for.
    fn sent(&self) -> Result<(usize, u64)> {
        match *lock(&self.outstanding) {
            Outstanding::Sent(at, number) => Ok((at, number)),
            _ => Err(Error::new(
                Status::State,
                "there is no reply to come: send a request first",
            )),
        }
    }

    /// Sends and waits for the reply before `deadline`, and for that `patience_ms` at most, unless negative; with `moves_on`
    /// not after the peer was lost.
    fn attempt(
        &self,
        terms: Terms,
        body: &mut Frame,
        deadline: Deadline,
        patience_ms: i64,
        moves_on: bool,
    ) -> Result<Frame> {
        let (at, number) = self.begin(terms, body, Room::AsConfigured, deadline, moves_on)?;
        let own = match deadline {
            Deadline::At(_) if patience_ms >= 0 => Deadline::from_ms(patience_ms).min(deadline),
            other => other,
        };
        let reply = self.lanes[at].recv(number, own);
        if reply.is_err() {
            self.lanes[at].forget(number);
        }
        reply
    }

    /// Sends to the next lane that is up, waiting for one. Returns which, and the number. With `moves_on` the wait for the
    /// reply ends with the connection.
    fn begin(
        &self,
        terms: Terms,
        body: &mut Frame,
        room: Room,
        deadline: Deadline,
        moves_on: bool,
    ) -> Result<(usize, u64)> {
        let number = self.next_number.fetch_add(1, Ordering::Relaxed);
        let at = match self.lane_that_is_up(deadline) {
            Err(error) if error.status() == Status::Timeout && matches!(room, Room::Within(Deadline::Now)) => {
                self.hush_connected();
                return Err(Error::new(Status::WouldBlock, "no endpoint is connected"));
            }
            other => other?,
        };
        let awaited = Awaited {
            losses: self.lanes[at].losses().filter(|_| moves_on),
            ..Awaited::default()
        };
        self.lanes[at].send(number, awaited, terms, body, room, deadline)?;
        Ok((at, number))
    }

    fn lane_that_is_up(&self, deadline: Deadline) -> Result<usize> {
        loop {
            self.check()?;
            let before = self.connected.now();
            let first = self.next_lane.fetch_add(1, Ordering::Relaxed);
            for i in 0..self.lanes.len() {
                let at = first.wrapping_add(i) % self.lanes.len();
                if self.lanes[at].is_up() {
                    // The next call begins behind this one.
                    self.next_lane.fetch_add(i, Ordering::Relaxed);
                    return Ok(at);
                }
            }
            if let Some(refused) = self.refused() {
                return Err(refused);
            }
            if !self.connected.wait(before, deadline) {
                return Err(Error::new(Status::Timeout, "no endpoint is connected"));
            }
        }
    }

    /// What told those who wait at `room_fd` of connections is looked at: there was none. Unless one came meanwhile.
    fn hush_connected(&self) {
        let exported = lock(&self.exported_room);
        let Some((_, connected)) = &*exported else { return };
        connected.quiet();
        // Else what a lane's connections told it would keep the descriptor readable, as nothing is sent.
        self.lanes.iter().for_each(|lane| lane.socket.look_for_room());
        if self.is_up() || self.refused().is_some() {
            connected.ring();
        }
    }

    /// The reason, where every endpoint refused us: waiting on would only hide it.
    pub(crate) fn refused(&self) -> Option<Error> {
        let mut first = None;
        for lane in &self.lanes {
            match lane.socket.wait_connected(0, Deadline::Now) {
                Err(e) if matches!(e.status(), Status::Permission | Status::Handshake) => {
                    first.get_or_insert(e);
                }
                _ => return None,
            }
        }
        first
    }
}

/// An error message of the other side becomes our status.
pub(crate) fn look_at_reply(reply: &mut Message) -> Result<()> {
    // Bytes are no error here: `recv` tells, for those who wanted a typed message.
    match reply.decode() {
        Ok(()) => error_of(reply),
        Err(_) => Ok(()),
    }
}

/// The same for a reply that was looked at as an envelope.
fn error_of(reply: &Message) -> Result<()> {
    let parts = reply.parts();
    match parts.type_name == ERROR_TYPE.as_bytes() {
        true => Err(error_in(parts.payload)),
        false => Ok(()),
    }
}

/// Whether a wait for a reply that ended so may be followed by another.
pub(crate) fn is_still_expected(outcome: Status) -> bool {
    matches!(outcome, Status::Timeout | Status::WouldBlock | Status::Cancelled)
}

impl Channel for Request {
    fn role(&self) -> &'static str {
        "request"
    }

    fn close(&self) -> Result<()> {
        self.check()?;
        if self.closed.swap(true, Ordering::AcqRel) {
            return Err(closed());
        }
        for lane in &self.lanes {
            // CLOSED cannot be: only this closes them.
            lane.socket.close()?;
        }
        self.connected.notify();
        Ok(())
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    fn sockets(&self) -> Cow<'_, [Arc<Socket>]> {
        self.lanes.iter().map(|lane| Arc::clone(&lane.socket)).collect()
    }

    fn events(&self) -> Arc<EventQueue> {
        Arc::clone(&self.events)
    }

    /// Receives the reply to what was sent. After a TIMEOUT the request is given up, after WOULD_BLOCK and CANCELLED it is
    /// not.
    fn recv_bytes(&self, message: &mut Message, deadline: Deadline) -> Result<()> {
        self.check()?;
        let (at, number) = self.sent()?;
        let reply = self.lanes[at].recv(number, deadline);
        match &reply {
            Err(e) if matches!(e.status(), Status::WouldBlock | Status::Cancelled) => {}
            outcome => {
                if outcome.is_err() {
                    self.lanes[at].forget(number);
                }
                let mut current = lock(&self.outstanding);
                if *current == Outstanding::Sent(at, number) {
                    *current = Outstanding::Nothing;
                }
            }
        }
        message.received(reply?, None);
        Ok(())
    }

    fn recv(&self, message: &mut Message, deadline: Deadline) -> Result<()> {
        self.recv_bytes(message, deadline)?;
        if let Err(error) = message.decode() {
            self.count_decode_error();
            return Err(error);
        }
        error_of(message)
    }

    fn send_within(&self, message: &mut Message, room: Room) -> Result<()> {
        self.check()?;
        message.require_content()?;
        {
            let mut outstanding = lock(&self.outstanding);
            if *outstanding != Outstanding::Nothing {
                return Err(Error::new(
                    Status::State,
                    "the reply to the request before was not received",
                ));
            }
            *outstanding = Outstanding::Sending;
        }
        let deadline = match room {
            Room::AsConfigured => Deadline::from_ms(self.send_timeout_ms),
            Room::Within(deadline) => deadline,
        };
        let sent = self.begin(Terms::NONE, message.frame_mut(), room, deadline, false);
        *lock(&self.outstanding) = match &sent {
            Ok((at, number)) => Outstanding::Sent(*at, *number),
            Err(_) => Outstanding::Nothing,
        };
        sent?;
        message.clear();
        Ok(())
    }

    fn default_side(&self) -> DefaultSide {
        DefaultSide::Connect
    }

    fn wait(&self, deadline: Deadline) -> Result<()> {
        self.check()?;
        let (at, number) = self.sent()?;
        self.lanes[at].wait(number, deadline)
    }

    fn fd(&self) -> Result<RawFd> {
        self.check()?;
        let mut exported = lock(&self.exported);
        if let Some(epoll) = &*exported {
            return Ok(epoll.fd());
        }
        let epoll = Epoll::new()?;
        for (key, lane) in self.lanes.iter().enumerate() {
            lane.add_to(&epoll, key as u64)?;
        }
        Ok(exported.insert(epoll).fd())
    }

    /// Readable also when an endpoint may be connected, which a request waits for.
    fn room_fd(&self) -> Result<RawFd> {
        self.check()?;
        let mut exported = lock(&self.exported_room);
        if let Some((epoll, _)) = &*exported {
            return Ok(epoll.fd());
        }
        let epoll = Epoll::new()?;
        let connected = Arc::new(EventFd::new()?);
        epoll.add(connected.fd(), 0)?;
        for lane in &self.lanes {
            epoll.add(lane.socket.room_fd()?, 1)?;
            lane.socket.peers.ring(&connected);
        }
        // For what came before.
        connected.ring();
        Ok(exported.insert((epoll, connected)).0.fd())
    }

    /// With 0: until each endpoint is connected; else until that many are.
    fn wait_connected(&self, peers: usize, deadline: Deadline) -> Result<()> {
        self.check()?;
        if peers > self.lanes.len() {
            return Err(Error::new(
                Status::InvalidArgument,
                format!("{peers} endpoints to be connected, of {}", self.lanes.len()),
            ));
        }
        if peers == 0 {
            return self
                .lanes
                .iter()
                .try_for_each(|lane| lane.socket.wait_connected(0, deadline));
        }
        loop {
            let before = self.connected.now();
            self.check()?;
            if self.lanes.iter().filter(|lane| lane.is_up()).count() >= peers {
                return Ok(());
            }
            if let Some(refused) = self.refused() {
                return Err(refused);
            }
            if !self.connected.wait(before, deadline) {
                return Err(match deadline {
                    Deadline::Now => Error::new(Status::WouldBlock, "not connected yet"),
                    _ => Error::new(Status::Timeout, "not connected in the time given"),
                });
            }
        }
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        // CLOSED where it was closed before.
        let _closed_already = self.close();
    }
}
