//! Ctrl-C, SIGTERM and SIGHUP end a command cleanly: whoever waits is woken, what was accepted is still sent, and
//! the command ends by returning from main. A second Ctrl-C ends it at once.

use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use dividere::{Channel, Error, Status};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::failure::Failure;

/// What an impatient second Ctrl-C exits with, as shells have it: 128 and the number of the signal.
const EXIT_AT_ONCE: i32 = 128 + SIGINT;

/// The end of a command, asked for from outside.
#[derive(Clone)]
pub struct Stop(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    /// Readable from the first signal on; nobody reads it.
    signalled: UnixStream,
}

#[derive(Default)]
struct State {
    requested: bool,
    output_closed: bool,
    /// What the command serves with came to its end by itself: how.
    ended: Option<Result<(), Error>>,
    closers: Vec<Box<dyn FnOnce() + Send>>,
}

/// Whether a command has anything left to do once nobody reads its output.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum WhenOutputCloses {
    GoOn,
    End,
}

impl Stop {
    /// Listens from now on. Signals that whoever started us wants ignored stay ignored (`nohup`, a shell's `&`).
    pub fn listen(when_output_closes: WhenOutputCloses) -> Result<Stop, Failure> {
        let listening = |error: io::Error| Failure::failed(format!("cannot listen for signals: {error}"));
        let (signalled, sender) = UnixStream::pair().map_err(listening)?;
        let before = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            if is_ignored(signal) {
                continue;
            }
            // In this order: the first signal finds `before` unset, and sets it. Only people are impatient: a terminal
            // that goes away tells so more than once.
            if signal == SIGINT {
                signal_hook::flag::register_conditional_shutdown(signal, EXIT_AT_ONCE, Arc::clone(&before))
                    .map_err(listening)?;
            }
            signal_hook::flag::register(signal, Arc::clone(&before)).map_err(listening)?;
            let sender = sender.try_clone().map_err(listening)?;
            signal_hook::low_level::pipe::register(signal, sender).map_err(listening)?;
        }
        // The end that the handlers write to stays open, whichever of them there are.
        std::mem::forget(sender);
        let stop = Stop(Arc::new(Shared {
            state: Mutex::default(),
            changed: Condvar::new(),
            signalled,
        }));
        let own = stop.clone();
        std::thread::Builder::new()
            .name("dividere-signal".into())
            .spawn(move || own.run(when_output_closes))
            .map_err(listening)?;
        Ok(stop)
    }

    /// Asks for the end by itself when stdin is at its end. What is read until then is of no interest.
    pub fn end_with_stdin(&self) -> Result<(), Failure> {
        let own = self.clone();
        let watching = std::thread::Builder::new()
            .name("dividere-stdin".into())
            .spawn(move || {
                // An end by an error is one, too.
                let _ended = io::copy(&mut io::stdin().lock(), &mut io::sink());
                own.request(false);
            });
        watching
            .map(drop)
            .map_err(|error| Failure::failed(format!("cannot start a thread: {error}")))
    }

    /// Ends the command, too, when what it serves with does, which `wait_ended` waits for. `outcome` tells.
    pub fn ends_with(&self, wait_ended: impl FnOnce() -> Result<(), Error> + Send + 'static) -> Result<(), Failure> {
        let own = self.clone();
        let watching = std::thread::Builder::new()
            .name("dividere-ended".into())
            .spawn(move || {
                let ended = wait_ended();
                let mut state = own.lock();
                // Asked to end, the command closes it.
                if !state.requested {
                    state.ended = Some(ended);
                    drop(state);
                    own.request(false);
                }
            });
        watching
            .map(drop)
            .map_err(|error| Failure::failed(format!("cannot start a thread: {error}")))
    }

    /// How it went, of a command that serves until it is asked to end: a failure where that was not so.
    pub fn outcome(&self) -> Result<(), Failure> {
        match &self.lock().ended {
            None => Ok(()),
            Some(Ok(())) => Err(Failure::failed("it was closed, and nobody had asked for that")),
            Some(Err(error)) => Err(Failure::failed(error)),
        }
    }

    /// Closes `channel` when the end is asked for, which wakes whoever waits on it.
    pub fn closes(&self, channel: &Arc<impl Channel + 'static>) {
        let channel = Arc::clone(channel);
        self.when_requested(move || {
            // CLOSED where the command came to its end by itself meanwhile.
            let _closed_already = channel.close();
        });
    }

    /// Runs `closer` when the end is asked for; at once where it was.
    pub fn when_requested(&self, closer: impl FnOnce() + Send + 'static) {
        let mut state = self.lock();
        if !state.requested {
            state.closers.push(Box::new(closer));
            return;
        }
        drop(state);
        closer();
    }

    pub fn is_requested(&self) -> bool {
        self.lock().requested
    }

    /// Waits for the end, for at most `time`. Whether it was asked for.
    pub fn wait(&self, time: Duration) -> bool {
        let end = Instant::now().checked_add(time);
        let mut state = self.lock();
        while !state.requested {
            state = match end.map(|end| end.saturating_duration_since(Instant::now())) {
                Some(left) if left.is_zero() => return false,
                Some(left) => {
                    let woken = self.0.changed.wait_timeout(state, left);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.0.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
        true
    }

    /// A stream's end: an error that only says that it was asked to end is none.
    pub fn forgives(&self, error: Error) -> Result<(), Failure> {
        let state = self.lock();
        match error.status() {
            Status::Closed if state.output_closed => Err(Failure::OutputClosed),
            Status::Closed if state.requested => Ok(()),
            _ => Err(Failure::Error(error)),
        }
    }

    /// Where the end is a failure, because there is no result: CANCELLED in place of CLOSED.
    pub fn explains(&self, error: Error) -> Error {
        match error.status() {
            Status::Closed if self.is_requested() => Error::new(Status::Cancelled, "interrupted"),
            _ => error,
        }
    }

    /// Waits until `fd` can be read. False where the end was asked for instead.
    pub fn wait_readable(&self, fd: RawFd) -> io::Result<bool> {
        loop {
            let mut watched = [
                watch(fd, libc::POLLIN),
                watch(self.0.signalled.as_raw_fd(), libc::POLLIN),
            ];
            poll(&mut watched)?;
            if watched[1].revents != 0 {
                return Ok(false);
            }
            if watched[0].revents != 0 {
                return Ok(true);
            }
        }
    }

    /// The life of the thread: until the end is asked for.
    fn run(&self, when_output_closes: WhenOutputCloses) {
        let stdout = match when_output_closes {
            // poll leaves out what is negative.
            WhenOutputCloses::GoOn => -1,
            WhenOutputCloses::End => io::stdout().as_fd().as_raw_fd(),
        };
        loop {
            // Without any event asked for, a pipe tells when its reader is gone.
            let mut watched = [watch(self.0.signalled.as_raw_fd(), libc::POLLIN), watch(stdout, 0)];
            if let Err(error) = poll(&mut watched) {
                eprintln!("dividere: cannot wait for signals: {error}");
                return;
            }
            let (signalled, closed) = (watched[0].revents != 0, watched[1].revents != 0);
            if signalled || closed {
                self.request(closed && !signalled);
                return;
            }
        }
    }

    fn request(&self, output_closed: bool) {
        let closers = {
            let mut state = self.lock();
            state.requested = true;
            state.output_closed = output_closed;
            std::mem::take(&mut state.closers)
        };
        self.0.changed.notify_all();
        for closer in closers {
            closer();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn watch(fd: RawFd, events: i16) -> libc::pollfd {
    libc::pollfd { fd, events, revents: 0 }
}

/// poll(2) without a limit; an interrupted one is begun again.
fn poll(watched: &mut [libc::pollfd]) -> io::Result<()> {
    loop {
        // SAFETY: a live array of that length.
        if unsafe { libc::poll(watched.as_mut_ptr(), watched.len() as libc::nfds_t, -1) } >= 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

fn is_ignored(signal: i32) -> bool {
    // SAFETY: all zeros is a valid sigaction, and the call only fills it in.
    unsafe {
        let mut now: libc::sigaction = std::mem::zeroed();
        libc::sigaction(signal, std::ptr::null(), &mut now) == 0 && now.sa_sigaction == libc::SIG_IGN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(20);

    #[test]
    fn a_server_that_fails_ends_its_command_with_a_failure() {
        let stop = Stop::listen(WhenOutputCloses::GoOn).expect("signals");
        stop.ends_with(|| Err(Error::new(Status::Internal, "the broker failed: so")))
            .expect("a thread");
        assert!(stop.wait(LIMIT), "it goes on");
        let failure = stop.outcome().expect_err("nobody asked for that");
        assert_eq!(failure.exit_code(), crate::failure::FAILED);
        assert_eq!(failure.text().as_deref(), Some("INTERNAL: the broker failed: so"));
    }

    #[test]
    fn a_server_that_is_closed_by_its_command_ends_it_well() {
        let stop = Stop::listen(WhenOutputCloses::GoOn).expect("signals");
        let (close, closed) = std::sync::mpsc::channel::<()>();
        let (said, hear) = std::sync::mpsc::channel();
        stop.ends_with(move || {
            let closed = closed.recv();
            said.send(()).expect("the test is there");
            closed.map_err(|_gone| Error::from(Status::Internal))
        })
        .expect("a thread");
        stop.request(false);
        close.send(()).expect("the thread is there");
        hear.recv_timeout(LIMIT).expect("it hears of it");
        // Until both threads have told what they had to tell.
        let end = Instant::now() + LIMIT;
        while Arc::strong_count(&stop.0) > 2 {
            assert!(Instant::now() < end, "a thread goes on");
            std::thread::yield_now();
        }
        assert!(stop.wait(LIMIT) && stop.outcome().is_ok());
    }
}
