//! Serves requests, each answered exactly once. It speaks REP's framing over a ROUTER, so that nothing blocks the next
//! request: not an undecodable one, not a failing handler, not a requester that went away.

use std::sync::{Arc, Mutex};

use crate::connection::clock::{Deadline, Patience};
use crate::connection::endpoint::{DefaultSide, Endpoint};
use crate::connection::frame::Frame;
use crate::connection::options::{FullQueue, Options, Role};
use crate::connection::process::lock;
use crate::connection::socket::{Kind, Room, Socket};
use crate::error::{Error, Result, Status};
use crate::messaging::channel::{of_its_socket, recv_frames_reserved, Channel};
use crate::messaging::message::Message;
use crate::messaging::reply::Origin;

/// The router's name for the peer, the asker's number, the delimiter, the payload.
const USUAL_FRAMES: usize = 4;

/// One response. May be used from any thread. Dropping it closes it.
///
/// Binds where an endpoint has a `*`, else connects. `recv` and `send` take turns (STATE otherwise); a message's own
/// `reply` answers it at any time, from any thread. What is never answered is answered with an error once its message
/// is gone and the next request was received.
pub struct Response {
    socket: Arc<Socket>,
    /// The request that `send` answers.
    current: Mutex<Option<Origin>>,
}

impl Response {
    pub fn new(endpoints: &str, options: &Options) -> Result<Response> {
        options.validate(Role::Response)?;
        let endpoints = Endpoint::parse_list(endpoints)?;
        let socket = Socket::new("response", Kind::Router, options, FullQueue::Block)?;
        let response = Response {
            socket,
            current: Mutex::new(None),
        };
        response.socket.attach(&endpoints, DefaultSide::BindIfWildcard)?;
        Ok(response)
    }

    /// The next request, whatever became of the one before: for those who answer by its way back only. With
    /// `follow` it may be followed.
    pub(crate) fn take(&self, message: &mut Message, follow: bool, deadline: Deadline) -> Result<Origin> {
        let mut frames = Vec::with_capacity(USUAL_FRAMES);
        let mut patience = Patience::new(deadline);
        loop {
            self.socket.recv(&mut frames, deadline)?;
            if let Some((payload, origin)) = self.split(&mut frames, follow) {
                message.received(payload, Some(origin.clone()));
                return Ok(origin);
            }
            patience.goes_on()?;
        }
    }

    /// Answers the current request with an error.
    pub fn send_error(&self, status: Status, text: &str) -> Result<()> {
        self.take_current()?.reply_error(status, text)
    }

    /// Whether a receive would find something now; a guess where it cannot be known.
    pub(crate) fn is_readable(&self) -> bool {
        self.socket.wait_readable(Deadline::Now).is_ok()
    }

    fn take_current(&self) -> Result<Origin> {
        self.socket.check()?;
        lock(&self.current)
            .take()
            .filter(Origin::is_open)
            .ok_or_else(|| Error::new(Status::State, "there is no request to answer: receive one first"))
    }

    fn check_order(&self) -> Result<()> {
        if lock(&self.current).as_ref().is_some_and(Origin::is_open) {
            return Err(Error::new(
                Status::State,
                "the request before is not answered: send its reply first",
            ));
        }
        Ok(())
    }

    /// Splits route and payload as REP does. What has no delimiter has no way back and is dropped; what has more than
    /// one frame behind it is answered with an error.
    fn split(&self, frames: &mut Vec<Frame>, follow: bool) -> Option<(Frame, Origin)> {
        // The first frame is the router's own name for the peer.
        let delimiter = frames.iter().skip(1).position(Frame::is_empty).map(|at| at + 1);
        let Some(delimiter) = delimiter.filter(|at| at + 1 < frames.len()) else {
            self.socket.counters.dropped_malformed();
            return None;
        };
        let payload = match frames.len() == delimiter + 2 {
            true => frames.pop(),
            false => None,
        };
        frames.truncate(delimiter + 1);
        let route = std::mem::take(frames);
        let origin = match follow {
            true => Origin::to_be_followed(&self.socket, route),
            false => Origin::new(&self.socket, route, true),
        };
        if payload.is_none() {
            self.socket.counters.dropped_malformed();
            self.refuse(&origin, Status::Decode, "a request is one frame");
        }
        Some((payload?, origin))
    }

    fn refuse(&self, origin: &Origin, status: Status, text: &str) {
        if let Err(error) = origin.refuse(status, text) {
            crate::connection::log::log_line!(Debug, "messaging", "cannot refuse a request: {error}");
        }
    }
}

impl Channel for Response {
    of_its_socket!();

    fn close(&self) -> Result<()> {
        self.socket.check()?;
        // An unanswered request is answered with an error first.
        drop(lock(&self.current).take());
        self.socket.close()
    }

    fn recv_bytes(&self, message: &mut Message, deadline: Deadline) -> Result<()> {
        self.check_order()?;
        let origin = self.take(message, false, deadline)?;
        *lock(&self.current) = Some(origin);
        Ok(())
    }

    /// A request that is no envelope is answered with DECODE at once, and the next can be received.
    fn recv(&self, message: &mut Message, deadline: Deadline) -> Result<()> {
        self.recv_bytes(message, deadline)?;
        let decoded = message.decode();
        if let Err(error) = &decoded {
            self.socket.counters.decode_error();
            if let Ok(origin) = self.take_current() {
                self.refuse(&origin, Status::Decode, error.text());
            }
        }
        decoded
    }

    fn suits_a_reactor(&self) -> bool {
        true
    }

    fn recv_reserved(&self, message: &mut Message) -> Result<bool> {
        let mut frames = Vec::with_capacity(USUAL_FRAMES);
        if !recv_frames_reserved(&self.socket, &mut frames)? {
            return Ok(false);
        }
        let Some((payload, origin)) = self.split(&mut frames, false) else {
            return Ok(false);
        };
        message.received(payload, Some(origin));
        if let Err(error) = message.decode() {
            self.socket.counters.decode_error();
            if let Some(origin) = message.origin_ref() {
                self.refuse(origin, Status::Decode, error.text());
            }
        }
        Ok(true)
    }

    fn send_within(&self, message: &mut Message, room: Room) -> Result<()> {
        message.require_content()?;
        let origin = self.take_current()?;
        match origin.reply_within(message.frame_mut(), room) {
            Ok(()) => {
                message.clear();
                Ok(())
            }
            Err(error) => {
                if origin.is_open() {
                    // It can be tried again.
                    *lock(&self.current) = Some(origin);
                }
                Err(error)
            }
        }
    }

    fn default_side(&self) -> DefaultSide {
        DefaultSide::BindIfWildcard
    }
}

impl Drop for Response {
    fn drop(&mut self) {
        // CLOSED where it was closed before.
        let _closed_already = self.close();
    }
}
