//! Passes messages between two sockets on a thread of its own: requests and replies between ROUTER and DEALER, or
//! publications and subscriptions between XSUB and XPUB.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use crate::connection::clock::Deadline;
use crate::connection::ending::{caught, Ending};
use crate::connection::endpoint::{DefaultSide, Endpoint};
use crate::connection::frame::Frame;
use crate::connection::linux::{poll_readable, with_signals_blocked, EventFd};
use crate::connection::log::log_line;
use crate::connection::options::{FullQueue, Options, Role};
use crate::connection::own_thread::OwnThread;
use crate::connection::process::lock;
use crate::connection::socket::{Kind, Room, Socket};
use crate::connection::stats::Statistics;
use crate::error::{Error, Result, Status};

/// What a proxy passes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum ProxyKind {
    /// Requests to the front end (ROUTER), served by responses or dealers connected to the back end (DEALER).
    RequestResponse = 1,
    /// Publishers connect to the front end (XSUB), subscribers to the back end (XPUB).
    PublishSubscribe = 2,
}

/// One proxy. Runs from its making to its close, on its own thread; dropping it closes it.
///
/// Both ends bind (`>` in front of an endpoint connects). What cannot be passed on waits in the queues, so that a slow
/// side slows down the other, but for publications, which full subscribers lose, counted.
pub struct Proxy {
    shared: Arc<Shared>,
    thread: Mutex<Option<OwnThread>>,
}

/// A socket of a proxy that is being made: closed where that fails.
struct Unfinished {
    socket: Arc<Socket>,
    kept: bool,
}

impl Unfinished {
    fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.kept {
            // Nobody else could have closed it.
            let _closed = self.socket.close();
        }
    }
}

struct Shared {
    front: Arc<Socket>,
    back: Arc<Socket>,
    capture: Option<Arc<Socket>>,
    ring: EventFd,
    stopping: AtomicBool,
    ending: Ending,
}

/// Messages in one direction before the other one's turn.
const TURN: usize = 64;
/// How long a message that cannot be passed on waits before it is tried again, unless the other direction wakes it.
const RETRY_MS: i32 = 10;

impl Proxy {
    /// Begins to pass messages. With a capture endpoint a publisher there gets the payload of every message.
    pub fn new(kind: ProxyKind, front: &str, back: &str, capture: Option<&str>, options: &Options) -> Result<Proxy> {
        options.validate(Role::Proxy)?;
        let (front_kind, back_kind) = match kind {
            ProxyKind::RequestResponse => (Kind::Router, Kind::Dealer),
            ProxyKind::PublishSubscribe => (Kind::RawSubscriber, Kind::RawPublisher),
        };
        let attach = |role, kind, endpoints: &str, policy| -> Result<Unfinished> {
            let endpoints = Endpoint::parse_list(endpoints)?;
            let socket = Socket::new(role, kind, options, policy)?;
            let made = Unfinished { socket, kept: false };
            made.socket.attach(&endpoints, DefaultSide::Bind)?;
            Ok(made)
        };
        let front = attach("proxy front end", front_kind, front, FullQueue::Fail)?;
        let back = attach("proxy back end", back_kind, back, FullQueue::Fail)?;
        let capture = capture
            .map(|at| attach("proxy capture", Kind::Publisher, at, FullQueue::Drop))
            .transpose()?;
        let ring = EventFd::new()?;
        let shared = Arc::new(Shared {
            front: Arc::clone(&front.socket),
            back: Arc::clone(&back.socket),
            capture: capture.as_ref().map(|capture| Arc::clone(&capture.socket)),
            ring,
            stopping: AtomicBool::new(false),
            ending: Ending::new(),
        });
        let own = Arc::clone(&shared);
        let spawned = with_signals_blocked(|| {
            std::thread::Builder::new()
                .name("dividere-proxy".into())
                .spawn(move || own.ended(caught(|| own.run())))
        });
        let thread = spawned.map_err(|e| Error::new(Status::Limit, format!("cannot start the proxy's thread: {e}")))?;
        for made in [Some(front), Some(back), capture].into_iter().flatten() {
            made.keep();
        }
        Ok(Proxy {
            shared,
            thread: Mutex::new(Some(OwnThread::new(thread))),
        })
    }

    /// The socket that clients or publishers use.
    pub fn front(&self) -> &Arc<Socket> {
        &self.shared.front
    }

    /// The socket that servers or subscribers use.
    pub fn back(&self) -> &Arc<Socket> {
        &self.shared.back
    }

    /// The publisher of what is passed on, where there is one.
    pub fn capture(&self) -> Option<&Arc<Socket>> {
        self.shared.capture.as_ref()
    }

    /// Counters of the front end and of the back end.
    pub fn statistics(&self) -> Result<(Statistics, Statistics)> {
        self.shared.ending.check()?;
        Ok((self.shared.front.statistics()?, self.shared.back.statistics()?))
    }

    /// Stops within 50 ms, and closes its sockets. CLOSED where it was closed before.
    pub fn close(&self) -> Result<()> {
        self.shared.front.check_process()?;
        if self.shared.stopping.swap(true, Ordering::AcqRel) {
            return Err(Error::new(Status::Closed, "the handle is closed"));
        }
        self.shared.ring.ring();
        if let Some(thread) = lock(&self.thread).take() {
            if thread.join().is_err() {
                log_line!(Error, "proxy", "the proxy's thread had panicked");
            }
        }
        if self.shared.ending.failure().is_some() {
            // Its thread has closed them.
            return Ok(());
        }
        let closed = self.shared.close_sockets();
        self.shared.ending.tell(Ok(()));
        closed
    }

    /// Waits until it has ended: OK where it was closed, and its fault where it failed, which has closed it; TIMEOUT, or
    /// WOULD_BLOCK where the deadline is now, while it runs.
    pub fn wait_ended(&self, deadline: Deadline) -> Result<()> {
        self.shared.front.check_process()?;
        self.shared.ending.wait(deadline)
    }

    /// Also where it has failed.
    pub fn is_closed(&self) -> bool {
        self.shared.stopping.load(Ordering::Acquire) || self.shared.front.is_closed()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // CLOSED where it was closed before, FORKED in a child.
        let _closed_already = self.close();
    }
}

/// One direction, with the message that its target had no room for.
struct Direction<'a> {
    from: &'a Socket,
    to: &'a Socket,
    pending: Option<Vec<Frame>>,
}

impl Shared {
    /// All of them, whatever becomes of one.
    fn close_sockets(&self) -> Result<()> {
        let (front, back) = (self.front.close(), self.back.close());
        let capture = self.capture.as_ref().map_or(Ok(()), |capture| capture.close());
        front.and(back).and(capture)
    }

    /// The thread's end. Better closed than silent: peers see that it is gone.
    fn ended(&self, how: Result<()>) {
        let Err(error) = how else { return };
        if error.status() == Status::Closed {
            // Its sockets were closed behind its back, at the exit of the process.
            log_line!(Debug, "proxy", "the proxy ends: {error}");
            return self.ending.tell(Ok(()));
        }
        log_line!(Error, "proxy", "the proxy failed, and is closed: {error}");
        self.ending.tell(Err(error.context("the proxy failed")));
        if let Err(error) = self.close_sockets() {
            log_line!(Debug, "proxy", "closing the proxy after its end: {error}");
        }
    }

    fn run(&self) -> Result<()> {
        let (front, rear) = (self.front.fd()?, self.back.fd()?);
        let mut forth = Direction {
            from: &self.front,
            to: &self.back,
            pending: None,
        };
        let mut back = Direction {
            from: &self.back,
            to: &self.front,
            pending: None,
        };
        let mut frames = Vec::new();
        while !self.stopping.load(Ordering::Acquire) {
            let moved = self.pass(&mut forth, &mut frames)? + self.pass(&mut back, &mut frames)?;
            if moved == 0 {
                // What cannot be received yet would end every wait at once.
                let wait_for = |blocked: bool, fd| if blocked { -1 } else { fd };
                let (forth_waits, back_waits) = (forth.pending.is_some(), back.pending.is_some());
                let fds = [wait_for(forth_waits, front), wait_for(back_waits, rear), self.ring.fd()];
                poll_readable(&fds, if forth_waits || back_waits { RETRY_MS } else { -1 });
            }
        }
        Ok(())
    }

    /// Passes on up to TURN messages. Fails only where a socket is closed.
    fn pass(&self, direction: &mut Direction<'_>, frames: &mut Vec<Frame>) -> Result<usize> {
        for passed in 0..TURN {
            if let Some(pending) = &mut direction.pending {
                let mut entered = direction.to.enter()?;
                match entered.try_send(pending) {
                    Ok(()) => direction.pending = None,
                    Err(error) if error.status() == Status::WouldBlock && direction.to.kind().publishes() => {
                        entered.send_dropping(&mut |entered| entered.try_send(pending))?;
                        direction.to.counters.dropped_queue_full();
                        direction.pending = None;
                    }
                    Err(error) if error.status() == Status::WouldBlock => return Ok(passed),
                    Err(_) => {
                        direction.to.counters.dropped_unrouted();
                        direction.pending = None;
                    }
                }
            }
            match direction.from.recv(frames, Deadline::Now) {
                Ok(()) => {}
                Err(error) if error.status() == Status::WouldBlock => return Ok(passed),
                Err(error) => return Err(error),
            }
            self.show(frames);
            direction.pending = Some(std::mem::take(frames));
        }
        Ok(TURN)
    }

    fn show(&self, frames: &mut [Frame]) {
        let (Some(capture), Some(payload)) = (&self.capture, frames.last_mut()) else {
            return;
        };
        let shown = payload
            .share()
            .and_then(|mut copy| capture.send_single(&mut copy, Room::AsConfigured));
        if let Err(error) = shown {
            log_line!(Debug, "proxy", "a message was not captured: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::connection::socket::FaultKind;

    #[test]
    fn a_proxy_whose_thread_fails_is_closed_and_says_why() {
        let limit = Deadline::after(Duration::from_secs(20));
        for (fault, expected) in [
            (FaultKind::Error, Status::OutOfMemory),
            (FaultKind::Panic, Status::Internal),
        ] {
            let any = "tcp://127.0.0.1:*";
            let made = Proxy::new(ProxyKind::RequestResponse, any, any, Some(any), &Options::default());
            let proxy = made.expect("a proxy");
            proxy.back().fail_receiving(fault);
            let ended = proxy.wait_ended(limit).expect_err("it failed");
            assert_eq!(ended.status(), expected, "{ended}");
            assert_eq!(proxy.statistics().expect_err("it failed").status(), expected);
            proxy.close().expect("the first time");
            assert!(proxy.capture().expect("there is one").is_closed());
            assert_eq!(proxy.close().expect_err("it was closed").status(), Status::Closed);
        }
    }
}
