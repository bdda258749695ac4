//! The way back of a request: answered exactly once, by whoever holds the message, from any thread.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};

use crate::connection::clock::Deadline;
use crate::connection::frame::Frame;
use crate::connection::log::log_line;
use crate::connection::process::lock;
use crate::connection::socket::{Room, Socket};
use crate::error::{Error, Result, Status};
use crate::messaging::envelope::TypeName;

/// The type of our error message (proto/dividere/v1/error.proto).
pub const ERROR_TYPE: &str = "dividere.v1.Error";

/// Shared by a received message, its clones, and the response that keeps the order.
#[derive(Clone)]
pub(crate) struct Origin(Arc<Slot>);

/// Of a request that may be answered and gone by now.
pub(crate) struct WeakOrigin(Weak<Slot>);

impl WeakOrigin {
    pub fn get(&self) -> Option<Origin> {
        self.0.upgrade().map(Origin)
    }
}

struct Slot {
    socket: Arc<Socket>,
    route: Vec<Frame>,
    answered: AtomicBool,
    /// Nobody is left who could answer: the asker gets an error instead of waiting for ever.
    owes_an_answer: AtomicBool,
    /// Called once it was answered, or given up; none where nobody wants to know.
    done: Option<Mutex<Option<Done>>>,
}

/// What is to be done once a request was answered, or given up.
pub(crate) type Done = Box<dyn FnOnce() + Send>;

impl Origin {
    /// `route` goes in front of the reply as it is, delimiter included.
    pub fn new(socket: &Arc<Socket>, route: Vec<Frame>, owes_an_answer: bool) -> Origin {
        Origin::made(socket, route, owes_an_answer, None)
    }

    /// As `new`, of a request whose receiver wants to know when it was answered, or given up. It owes an answer.
    pub fn followed(socket: &Arc<Socket>, route: Vec<Frame>, done: Done) -> Origin {
        Origin::made(socket, route, true, Some(Mutex::new(Some(done))))
    }

    fn made(socket: &Arc<Socket>, route: Vec<Frame>, owes: bool, done: Option<Mutex<Option<Done>>>) -> Origin {
        Origin(Arc::new(Slot {
            socket: Arc::clone(socket),
            route,
            answered: AtomicBool::new(false),
            owes_an_answer: AtomicBool::new(owes),
            done,
        }))
    }

    /// As `new`, of a request that may be followed. It owes an answer.
    pub fn to_be_followed(socket: &Arc<Socket>, route: Vec<Frame>) -> Origin {
        Origin::made(socket, route, true, Some(Mutex::new(None)))
    }

    /// `done` is called when it was answered, or given up; of a request that is to be followed, before anybody else has
    /// it. False where it is none.
    pub fn follow(&self, done: Done) -> bool {
        let Some(slot) = &self.0.done else { return false };
        *lock(slot) = Some(done);
        true
    }

    pub fn downgrade(&self) -> WeakOrigin {
        WeakOrigin(Arc::downgrade(&self.0))
    }

    pub fn route(&self) -> &[Frame] {
        &self.0.route
    }

    pub fn is_open(&self) -> bool {
        !self.0.answered.load(Ordering::Acquire)
    }

    /// From here on the asker gets an error when the last holder lets go without an answer.
    pub fn owe_an_answer(&self) {
        self.0.owes_an_answer.store(true, Ordering::Release);
    }

    /// Whether an answer is owed.
    pub fn owes(&self) -> bool {
        self.0.owes_an_answer.load(Ordering::Acquire)
    }

    /// A Request sent it: its delimiter is the last frame of the route.
    pub fn is_request(&self) -> bool {
        self.0.route.last().is_some_and(Frame::is_empty)
    }

    pub fn reply(&self, payload: &mut Frame) -> Result<()> {
        self.reply_within(payload, Room::AsConfigured)
    }

    pub fn reply_within(&self, payload: &mut Frame, room: Room) -> Result<()> {
        self.0.reply(payload, room, Deadline::Never)
    }

    pub fn reply_error(&self, status: Status, text: &str) -> Result<()> {
        self.0
            .reply(&mut error_frame(status, text)?, Room::AsConfigured, Deadline::Never)
    }

    /// As `reply_error`, by us, once: whoever reads no answers does not hold up the others.
    pub fn refuse(&self, status: Status, text: &str) -> Result<()> {
        self.0.refuse(status, text)
    }
}

impl Slot {
    fn refuse(&self, status: Status, text: &str) -> Result<()> {
        let refused = self.reply(&mut error_frame(status, text)?, Room::AsConfigured, Deadline::Now);
        if refused
            .as_ref()
            .is_err_and(|e| matches!(e.status(), Status::WouldBlock | Status::Timeout))
        {
            self.answered.store(true, Ordering::Release);
            self.socket.counters.dropped_queue_full();
            self.finish();
        }
        refused
    }

    fn reply(&self, payload: &mut Frame, room: Room, limit: Deadline) -> Result<()> {
        self.socket.check_size(payload.len())?;
        if self.answered.swap(true, Ordering::AcqRel) {
            return Err(Error::new(Status::State, "the request was answered already"));
        }
        let sent = self.socket.send_behind(&self.route, payload, room, limit);
        match &sent {
            Err(e) if e.status() == Status::Unreachable => {
                self.socket.counters.dropped_unrouted();
                self.finish();
            }
            // It can be tried again.
            Err(_) => self.answered.store(false, Ordering::Release),
            Ok(()) => self.finish(),
        }
        sent
    }

    /// The answer was sent, or there will be none.
    fn finish(&self) {
        let Some(done) = &self.done else { return };
        if !self.socket.process().is_current() {
            // The parent's, and its locks are, too.
            return;
        }
        let done = lock(done).take();
        if let Some(done) = done {
            done();
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.refuse_unanswered();
        self.finish();
    }
}

impl Slot {
    fn refuse_unanswered(&mut self) {
        if *self.answered.get_mut() || !*self.owes_an_answer.get_mut() || self.socket.is_closed() {
            return;
        }
        if let Err(error) = self.refuse(Status::Remote, "the request was left unanswered") {
            log_line!(
                Debug,
                "messaging",
                "cannot tell that a request was left unanswered: {error}"
            );
        }
    }
}

/// An envelope with our error message.
pub(crate) fn error_frame(status: Status, text: &str) -> Result<Frame> {
    let message = crate::proto::v1::Error {
        name: status.name().to_owned(),
        code: status as i32,
        text: text.to_owned(),
    };
    let payload = prost::Message::encode_to_vec(&message);
    let internal = |e: String| Error::new(Status::Internal, e);
    let name = TypeName::new(ERROR_TYPE).map_err(|e| internal(e.to_string()))?;
    let mut envelope = Vec::new();
    name.encode_into(&mut envelope, &payload)
        .map_err(|e| internal(e.to_string()))?;
    Frame::from_bytes(&envelope)
}

/// The status and text that an error message carries.
pub(crate) fn error_in(payload: &[u8]) -> Error {
    match <crate::proto::v1::Error as prost::Message>::decode(payload) {
        Ok(error) => {
            let status = Status::from_code(error.code)
                .filter(|s| *s != Status::Ok)
                .unwrap_or(Status::Remote);
            Error::new(status, format!("the other side answered: {}", error.text))
        }
        Err(error) => Error::new(
            Status::Remote,
            format!("the other side answered with a malformed error: {error}"),
        ),
    }
}

#[cfg(test)]
mod tests;
