//! What the promise tests share: endpoints on free ports, deadlines that only a failure reaches, prepared messages,
//! and processes of their own for what would disturb the test's.
#![allow(dead_code)]

pub mod hostile;
#[path = "../../src/random_for_tests.rs"]
pub mod random;
pub mod registry;
pub mod service;
pub mod zmtp;

use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use dividere::connection::events::{Event, EventKind, EventQueue};
use dividere::{Channel, Deadline, Dealer, Message, Options};

pub const TRANSPORTS: [&str; 3] = ["tcp", "ipc", "inproc"];

/// Only a failure waits so long.
pub const LIMIT: Duration = Duration::from_secs(20);
pub const LIMIT_MS: i64 = 20_000;

pub fn soon() -> Deadline {
    Deadline::after(LIMIT)
}

/// An endpoint to bind to that nobody else has, whatever the role.
pub fn endpoint(transport: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let process = std::process::id();
    match transport {
        "tcp" => "@tcp://127.0.0.1:*".to_owned(),
        "ipc" => {
            let path = std::env::temp_dir().join(format!("dividere-{process}-{number}"));
            format!("@ipc://{}", path.display())
        }
        "inproc" => format!("@inproc://test-{process}-{number}"),
        other => panic!("no transport {other}"),
    }
}

pub fn typed(name: &str, payload: &[u8]) -> Message {
    let mut message = Message::new();
    message.prepare(name, payload.len()).unwrap().copy_from_slice(payload);
    message
}

pub fn bytes(content: &[u8]) -> Message {
    Message::from_bytes(content).unwrap()
}

/// The endpoint that a role bound, to connect to, whatever the role.
pub fn address(channel: &dyn Channel) -> String {
    format!(">{}", channel.last_endpoint().unwrap())
}

/// Two dealers, connected.
pub fn dealers(transport: &str, options: &Options) -> (Dealer, Dealer) {
    let left = Dealer::new(&endpoint(transport), options).unwrap();
    let right = Dealer::new(&address(&left), options).unwrap();
    left.wait_connected(1, soon()).unwrap();
    right.wait_connected(1, soon()).unwrap();
    (left, right)
}

/// Closes a handle at the end of a scope, also of one that ends by a panic: it would wait for ever for the thread that
/// serves.
pub struct ClosedWhenDropped<'a>(pub &'a dyn Channel);

impl Drop for ClosedWhenDropped<'_> {
    fn drop(&mut self) {
        // CLOSED where the test did it.
        let _closed_already = self.0.close();
    }
}

/// The next event of this kind; those before it are skipped.
pub fn next_event(events: &EventQueue, kind: EventKind) -> Event {
    let deadline = Instant::now() + LIMIT;
    let mut seen = Vec::new();
    loop {
        let left = deadline.saturating_duration_since(Instant::now()).as_millis() as i64;
        match events.recv(left) {
            Ok(event) if event.kind == kind => return event,
            Ok(event) => seen.push(event.to_string()),
            Err(error) => panic!("no event '{kind}' ({error}), but: {seen:#?}"),
        }
    }
}

/// The port in an endpoint.
pub fn port_of(endpoint: &str) -> u16 {
    endpoint.rsplit_once(':').unwrap().1.parse().unwrap()
}

/// Whether a descriptor becomes readable within this time.
pub fn readable(fd: i32, timeout_ms: i32) -> bool {
    let mut item = libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: one item that lives through the call.
    unsafe { libc::poll(&mut item, 1, timeout_ms) == 1 }
}

/// What the calling thread has cost so far.
pub fn thread_cpu_time() -> Duration {
    cpu_time(libc::CLOCK_THREAD_CPUTIME_ID)
}

/// What the process has cost so far.
pub fn process_cpu_time() -> Duration {
    cpu_time(libc::CLOCK_PROCESS_CPUTIME_ID)
}

fn cpu_time(clock: libc::clockid_t) -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the output lives through the call.
    assert_eq!(unsafe { libc::clock_gettime(clock, &mut time) }, 0);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// The number of the calling thread, for `wait_until_asleep`.
pub fn this_thread() -> i64 {
    // SAFETY: no arguments.
    unsafe { libc::syscall(libc::SYS_gettid) }
}

/// Until the kernel says that the thread sleeps, many times in a row.
pub fn wait_until_asleep(thread: i64) {
    let path = format!("/proc/self/task/{thread}/stat");
    let mut asleep = 0;
    while asleep < 20 {
        let stat = std::fs::read_to_string(&path).unwrap_or_default();
        let state = stat.rsplit(") ").next().and_then(|rest| rest.chars().next());
        asleep = if state == Some('S') { asleep + 1 } else { 0 };
        if state.is_none() {
            return;
        }
        std::thread::sleep(Duration::from_micros(500));
    }
}

const ROLE: &str = "DIVIDERE_TEST_ROLE";
const ARGUMENT: &str = "DIVIDERE_TEST_ARGUMENT";

/// In a process started by `Process::start`: what it was started for, and with what.
pub fn role() -> Option<(String, String)> {
    Some((std::env::var(ROLE).ok()?, std::env::var(ARGUMENT).unwrap_or_default()))
}

/// This test program again, to run the one test `test`, which asks `role` what to be. Killed when dropped.
pub struct Process(Child);

impl Process {
    pub fn start(test: &str, role: &str, argument: &str) -> Process {
        let child = Command::new(std::env::current_exe().unwrap())
            .args([test, "--exact", "--include-ignored", "--nocapture", "--test-threads=1"])
            .env(ROLE, role)
            .env(ARGUMENT, argument)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Process(child)
    }

    pub fn id(&self) -> i32 {
        self.0.id() as i32
    }

    pub fn signal(&self, signal: i32) {
        // SAFETY: our own child, not waited for yet.
        assert_eq!(unsafe { libc::kill(self.id(), signal) }, 0);
    }

    /// Waits for its end; a failure where that takes longer than `limit`.
    pub fn wait(mut self, limit: Duration) -> ExitStatus {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "the process did not end within {limit:?}");
            // The end of a child can be awaited with a limit only by looking now and then.
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Looks whether it ended, after a moment; gives it back where it did not.
    pub fn wait_a_little(mut self) -> Result<ExitStatus, Process> {
        std::thread::sleep(Duration::from_millis(2));
        match self.0.try_wait().unwrap() {
            Some(status) => Ok(status),
            None => Err(self),
        }
    }

    pub fn succeeds(self) {
        let status = self.wait(3 * LIMIT);
        assert!(status.success(), "the process ended with {status}");
    }
}

/// Runs `body` in a process of its own, where no other test of this file runs beside it.
pub fn alone(test: &str, body: fn()) {
    match role() {
        Some(_) => body(),
        None => Process::start(test, "alone", "").succeeds(),
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail where it has ended already.
        let _ended = self.0.kill();
        let _ended = self.0.wait();
    }
}
