//! Connections that end on this side, and have something left to send. The system would go on sending it when their
//! descriptors are closed; but whatever the peer says to a closed connection, a heartbeat say, ends it, and what is still
//! to be sent is gone. So libzmq hands them over to a thread here, which sends what libzmq did not, says that nothing
//! follows, and closes them when the peer's system has it all, or when the linger time is over. The thread is there for as
//! long as there are any.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use crate::connection::linux;
use crate::connection::log::log_line;
use crate::connection::process::lock;

/// That the peer's system has taken something is told by nothing: it is looked for after this time, which doubles.
const FIRST_LOOK: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(10);

#[derive(Default)]
struct Partings {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    connections: Vec<Parting>,
    /// A thread is there, and looks at them.
    running: bool,
}

struct Parting {
    connection: OwnedFd,
    rest: Vec<u8>,
    sent: usize,
    until: Option<Instant>,
}

/// Those of this process. Never freed, and left behind by fork, whatever locks were held.
static CURRENT: AtomicPtr<Partings> = AtomicPtr::new(std::ptr::null_mut());

/// From now on libzmq hands its connections over.
pub(super) fn begin() {
    // SAFETY: the function lives as long as the process.
    unsafe { zmq_sys::zmq_sys_set_parting(Some(take_over)) };
}

/// In a child: the connections are the parent's.
pub(super) fn forget() {
    CURRENT.store(std::ptr::null_mut(), Ordering::Release);
}

/// Waits until all that libzmq handed over is sent, at most until `deadline`. False where it is not.
pub(super) fn wait_until_sent(deadline: Instant) -> bool {
    let partings = CURRENT.load(Ordering::Acquire);
    if partings.is_null() {
        return true;
    }
    // SAFETY: never freed.
    let partings = unsafe { &*partings };
    let mut state = lock(&partings.state);
    while state.running {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        state = match partings.changed.wait_timeout(state, left) {
            Ok((state, _)) => state,
            Err(poisoned) => poisoned.into_inner().0,
        };
    }
    true
}

fn current() -> &'static Partings {
    let partings = CURRENT.load(Ordering::Acquire);
    if !partings.is_null() {
        // SAFETY: never freed.
        return unsafe { &*partings };
    }
    let made = Box::into_raw(Box::<Partings>::default());
    match CURRENT.compare_exchange(std::ptr::null_mut(), made, Ordering::AcqRel, Ordering::Acquire) {
        // SAFETY: never freed from here on.
        Ok(_) => unsafe { &*made },
        Err(other) => {
            // SAFETY: nobody has seen it.
            drop(unsafe { Box::from_raw(made) });
            // SAFETY: never freed.
            unsafe { &*other }
        }
    }
}

/// Called by libzmq, on a thread that moves bytes, with a connection that is about to be closed and what it has not
/// written of it. 1 where it is ours from here on, 0 where there is nothing left to send.
extern "C" fn take_over(connection: i32, rest: *const u8, len: usize, linger_ms: i32) -> i32 {
    if linger_ms == 0 || (len == 0 && !linux::has_unsent(connection)) {
        return 0;
    }
    let rest = if len == 0 {
        Vec::new()
    } else {
        // SAFETY: libzmq lends `len` bytes for the call.
        unsafe { std::slice::from_raw_parts(rest, len) }.to_vec()
    };
    let partings = current();
    let mut state = lock(&partings.state);
    if !state.running {
        let started = linux::with_signals_blocked(|| linux::start_detached(Partings::run, partings));
        if let Err(error) = started {
            // A callback of the log may shut the process down, which looks at this state.
            drop(state);
            log_line!(Warning, "parting", "a connection is closed before all is sent: {error}");
            return 0;
        }
        state.running = true;
    }
    state.connections.push(Parting {
        // SAFETY: libzmq gives it up.
        connection: unsafe { OwnedFd::from_raw_fd(connection) },
        rest,
        sent: 0,
        until: u64::try_from(linger_ms)
            .ok()
            .map(|ms| Instant::now() + Duration::from_millis(ms)),
    });
    partings.changed.notify_all();
    1
}

impl Partings {
    fn run(&'static self) {
        linux::name_this_thread(c"dividere-part");
        let mut pause = FIRST_LOOK;
        let mut known = 0;
        let mut state = lock(&self.state);
        loop {
            if state.connections.len() > known {
                pause = FIRST_LOOK;
            }
            // Whoever hands over has others to serve.
            let mut connections = std::mem::take(&mut state.connections);
            drop(state);
            connections.retain_mut(|parting| !parting.is_over());
            known = connections.len();
            state = lock(&self.state);
            state.connections.append(&mut connections);
            if state.connections.is_empty() {
                state.running = false;
                self.changed.notify_all();
                return;
            }
            state = match self.changed.wait_timeout(state, pause) {
                Ok((state, _)) => state,
                Err(poisoned) => poisoned.into_inner().0,
            };
            pause = LONGEST_PAUSE.min(2 * pause);
        }
    }
}

impl Parting {
    /// Sends what can be sent. Whether everything has arrived, or cannot any more.
    fn is_over(&mut self) -> bool {
        if self.until.is_some_and(|until| Instant::now() >= until) {
            log_line!(
                Warning,
                "parting",
                "a connection is closed before all is sent: the linger time is over"
            );
            return true;
        }
        let connection = self.connection.as_raw_fd();
        // What the peer says is of no interest; unread, it would end the connection.
        if linux::discard_input(connection).is_err() {
            return true;
        }
        while self.sent < self.rest.len() {
            match linux::send_some(connection, &self.rest[self.sent..]) {
                Ok(0) => return false,
                Ok(sent) => self.sent += sent,
                Err(_ended) => return true,
            }
            if self.sent == self.rest.len() {
                self.rest = Vec::new();
                self.sent = 0;
            }
        }
        // Again is no harm. It fails where the connection has ended.
        if linux::say_that_nothing_follows(connection).is_err() {
            return true;
        }
        !linux::has_unsent(connection)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::IntoRawFd;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(20);

    /// Both ends of a connection; the first as libzmq has it.
    fn connected() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        ours.set_nonblocking(true).unwrap();
        (ours, listener.accept().unwrap().0)
    }

    fn hand_over(connection: TcpStream, rest: &[u8], linger_ms: i32) -> i32 {
        take_over(connection.into_raw_fd(), rest.as_ptr(), rest.len(), linger_ms)
    }

    #[test]
    fn what_libzmq_has_not_written_is_sent_and_the_connection_ends_behind_it() {
        let (ours, mut theirs) = connected();
        // More than the system takes at once.
        let rest: Vec<u8> = (0..20_000_000_u32).map(|at| (at % 251) as u8).collect();
        assert_eq!(hand_over(ours, &rest, LIMIT.as_millis() as i32), 1);
        let mut received = vec![0; rest.len()];
        for part in received.chunks_mut(1_000_000) {
            // It still says something, for as long as there is somebody: until all is sent.
            if let Err(error) = theirs.write_all(b"heartbeat") {
                assert!(wait_until_sent(Instant::now() + LIMIT), "{error}");
            }
            theirs.read_exact(part).unwrap();
        }
        assert!(received == rest);
        theirs.set_read_timeout(Some(LIMIT)).unwrap();
        assert_eq!(theirs.read(&mut [0]).unwrap(), 0);
        assert!(wait_until_sent(Instant::now() + LIMIT));
    }

    #[test]
    fn the_linger_time_ends_it() {
        let (ours, theirs) = connected();
        let begin = Instant::now();
        assert_eq!(hand_over(ours, &vec![0; 20_000_000], 300), 1);
        // Of others, too: it is one list.
        assert!(wait_until_sent(begin + LIMIT));
        assert!(begin.elapsed() >= Duration::from_millis(300));
        drop(theirs);
    }

    #[test]
    fn a_peer_that_is_gone_ends_it() {
        let (ours, theirs) = connected();
        drop(theirs);
        let begin = Instant::now();
        assert_eq!(hand_over(ours, &vec![0; 20_000_000], -1), 1);
        assert!(wait_until_sent(begin + LIMIT));
    }

    #[test]
    fn what_has_nothing_left_to_send_is_not_taken_over() {
        let (ours, _theirs) = connected();
        assert_eq!(take_over(ours.as_raw_fd(), std::ptr::null(), 0, 1_000), 0);
        assert_eq!(take_over(ours.as_raw_fd(), b"rest".as_ptr(), 4, 0), 0);
    }
}
