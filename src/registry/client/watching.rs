//! The part of the client's thread that serves watches: one dealer to the current registry for all of them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::connection::clock::Deadline;
use crate::connection::events::{Event, EventKind};
use crate::connection::log::log_line;
use crate::connection::options::FullQueue;
use crate::connection::process::lock;
use crate::error::{Error, Result, Status};
use crate::messaging::channel::Channel;
use crate::messaging::dealer::Dealer;
use crate::messaging::message::Message;
use crate::proto::v1::{WatchEvents, WatchRequest};
use crate::registry::client::link::Kind;
use crate::registry::client::shared::Shared;
use crate::registry::watch::Due;

/// Where a registry of 2.2.0 is the only one, it looks so often for another.
const OLD_PAUSE: Duration = Duration::from_secs(1);

/// When the registry's queue is full.
const FULL_PAUSE: Duration = Duration::from_millis(50);

/// Messages that are taken in before anything else has its turn.
const TURN: usize = 256;

#[derive(Default)]
pub(super) struct Watching {
    lane: Option<Lane>,
}

struct Lane {
    link: usize,
    dealer: Dealer,
    connections: Arc<AtomicU64>,
    /// The connection over which all were asked.
    asked_over: Option<u64>,
}

impl Watching {
    pub fn fd(&self) -> i32 {
        self.lane.as_ref().and_then(|lane| lane.dealer.fd().ok()).unwrap_or(-1)
    }

    /// Does what is due. Returns how long nothing will be, unless the bell rings or the descriptor is readable.
    pub fn step(&mut self, shared: &Shared) -> Result<Duration> {
        let watches = lock(&shared.watches).clone();
        if watches.is_empty() {
            self.lane = None;
            return Ok(super::keeper::IDLE);
        }
        let pause = self.connect(shared)?;
        let mut more = false;
        let mut connected = false;
        if let Some(lane) = &mut self.lane {
            connected = lane.dealer.wait_connected(1, Deadline::Now).is_ok();
            let connection = lane.connections.load(Ordering::Acquire);
            if connected && lane.asked_over != Some(connection) {
                lane.asked_over = Some(connection);
                watches.iter().for_each(|watch| watch.ask_again());
            }
            more = lane.take_in(shared)?;
        }
        let mut next = Instant::now() + pause;
        for watch in &watches {
            // Until nothing is due: first the question, then what it holds back.
            loop {
                match watch.due(Instant::now(), connected) {
                    Due::Send(request) => {
                        if let Err(error) = self.send(&request) {
                            watch.not_sent(&request);
                            log_line!(Debug, "registry", "cannot ask for a watch: {error}");
                            next = next.min(Instant::now() + FULL_PAUSE);
                            break;
                        }
                    }
                    Due::End(request) => {
                        if let Err(error) = self.send(&request) {
                            log_line!(Debug, "registry", "cannot end a watch: {error}");
                        }
                        lock(&shared.watches).retain(|other| other.id != watch.id);
                        break;
                    }
                    Due::Later(at) => {
                        next = next.min(at);
                        break;
                    }
                }
            }
        }
        Ok(match more {
            true => Duration::ZERO,
            false => next.saturating_duration_since(Instant::now()),
        })
    }

    /// A dealer to the registry that is the current one.
    fn connect(&mut self, shared: &Shared) -> Result<Duration> {
        let none_tried = vec![false; shared.links.len()];
        let Some(at) = shared.choose_now(&none_tried) else {
            // The bell rings when one is connected.
            return Ok(super::keeper::IDLE);
        };
        let link = &shared.links[at];
        match link.find_out(Deadline::after(link.patience())) {
            Ok(Kind::Old) => {
                self.lane = None;
                if shared.links.iter().any(|link| link.is_up() && link.kind() != Kind::Old) {
                    shared.move_on_from(at);
                }
                return Ok(OLD_PAUSE);
            }
            Ok(_) => {}
            Err(error) => {
                if error.status() == Status::Timeout {
                    shared.move_on_from(at);
                }
                return Err(error);
            }
        }
        if self.lane.as_ref().is_none_or(|lane| lane.link != at) {
            self.lane = Some(Lane::new(at, shared)?);
        }
        shared.current.store(at, Ordering::Release);
        Ok(super::keeper::IDLE)
    }

    fn send(&self, request: &WatchRequest) -> Result<()> {
        let Some(lane) = &self.lane else {
            return Err(Error::new(Status::Unreachable, "no registry is connected"));
        };
        let mut message = Message::new();
        message.set(request)?;
        lane.dealer.send_with_empty_frame(&mut message)
    }
}

impl Lane {
    fn new(at: usize, shared: &Shared) -> Result<Lane> {
        let mut options = shared.options.clone();
        // Nobody waits here for a registry that does not read.
        options.set_full_queue(Some(FullQueue::Fail));
        let dealer = Dealer::new(&format!(">{}", shared.links[at].endpoint.to_zmq()), &options)?;
        let connections = Arc::new(AtomicU64::new(0));
        let (count, bell) = (Arc::clone(&connections), Arc::clone(&shared.bell));
        dealer.events().set_callback(Some(Arc::new(move |event: &Event| {
            if event.kind == EventKind::Connected {
                count.fetch_add(1, Ordering::AcqRel);
                bell.ring();
            }
        })))?;
        // Connected meanwhile, without having told.
        shared.bell.ring();
        Ok(Lane {
            link: at,
            dealer,
            connections,
            asked_over: None,
        })
    }

    /// True where there may be more.
    fn take_in(&mut self, shared: &Shared) -> Result<bool> {
        let mut message = Message::new();
        for _ in 0..TURN {
            match self.dealer.recv(&mut message, Deadline::Now) {
                Ok(()) => {}
                Err(error) if error.status() == Status::WouldBlock => return Ok(false),
                // Counted by the dealer.
                Err(error) if error.status() == Status::Decode => continue,
                Err(error) => return Err(error),
            }
            let events: WatchEvents = match message.get() {
                Ok(events) => events,
                Err(error) => {
                    log_line!(Warning, "registry", "in place of what is watched came {error}");
                    continue;
                }
            };
            let watches = lock(&shared.watches);
            if let Some(watch) = watches.iter().find(|watch| watch.id == events.watch) {
                let watch = Arc::clone(watch);
                drop(watches);
                watch.take(events, Instant::now());
            }
        }
        Ok(true)
    }
}
