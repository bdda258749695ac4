//! What a process has one of: the ZeroMQ context, the service thread, and the list of open sockets.
//!
//! Made with the first handle, left behind by fork (a child makes its own), ended by an exit hook that sends
//! what was accepted. Nothing here is ever freed: a thread may still look at it while the process exits.

use std::collections::HashMap;
use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Weak};
use std::time::{Duration, Instant};

use crate::connection::asymmetric;
use crate::connection::changing::{self, Changing};
use crate::connection::errno;
use crate::connection::inproc::InprocNames;
use crate::connection::linux;
use crate::connection::log::log_line;
use crate::connection::options::ProcessOptions;
use crate::connection::parting;
use crate::connection::service::Service;
use crate::connection::socket::Socket;
use crate::error::{Error, Result, Status};

/// One process between two forks.
pub(crate) struct Process {
    pub generation: u32,
    context: *mut c_void,
    pub service: Service,
    pub inproc: InprocNames,
    sockets: Mutex<HashMap<u64, Weak<Socket>>>,
    exiting: AtomicBool,
    /// Whether the context has sent everything and is gone.
    ended: Mutex<bool>,
    has_ended: Condvar,
    /// The one that ended before it.
    before: AtomicPtr<Process>,
}

// SAFETY: a ZeroMQ context may be used from any thread.
unsafe impl Send for Process {}
unsafe impl Sync for Process {}

/// Null until the first handle, and again in a forked child.
static CURRENT: AtomicPtr<Process> = AtomicPtr::new(std::ptr::null_mut());
/// The one that ended last. None is ever freed; from here leak checkers can see that it was meant to stay.
static ENDED: AtomicPtr<Process> = AtomicPtr::new(std::ptr::null_mut());
/// Raised in the child by every fork: a handle of another generation is FORKED.
static GENERATION: AtomicU32 = AtomicU32::new(1);
/// Numbers of sockets, across the states that a process has had.
static NEXT_ID: AtomicU64 = AtomicU64::new(1);
/// No Once: a fork on another thread meanwhile would leave it in the child as it is, and the child waiting for ever.
static HOOKED: AtomicBool = AtomicBool::new(false);
static CONFIGURED: AtomicPtr<ProcessOptions> = AtomicPtr::new(std::ptr::null_mut());

/// A lock whose poisoning means nothing: what it guards is valid after every statement.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Another one after each fork.
pub(crate) fn generation() -> u32 {
    GENERATION.load(Ordering::Relaxed)
}

extern "C" fn in_child() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
    CURRENT.store(std::ptr::null_mut(), Ordering::Release);
    changing::in_child();
    asymmetric::forget();
    parting::forget();
}

extern "C" fn at_exit() {
    shutdown(None);
}

/// Before anything is locked, so that whoever is forked has the hook that unlocks it. Two threads at once hook twice,
/// which is no harm: a fork raises the generation by two then, and an exit finds nothing to do the second time.
fn hook() {
    if HOOKED.load(Ordering::Acquire) {
        return;
    }
    // SAFETY: the functions live as long as the process (the library is linked -z nodelete).
    unsafe {
        libc::pthread_atfork(Some(changing::before_fork), Some(changing::after_fork), Some(in_child));
        libc::atexit(at_exit);
    }
    parting::begin();
    HOOKED.store(true, Ordering::Release);
}

#[cfg(test)]
pub(super) fn hook_again() {
    HOOKED.store(false, Ordering::Release);
    hook();
}

/// As long as what is returned lives, forks wait, for calls into libraries that have locks of the process.
pub(super) fn without_forks() -> Changing {
    hook();
    Changing::begin()
}

/// The state of this process, made where there is none.
pub(crate) fn current() -> Result<&'static Process> {
    let process = CURRENT.load(Ordering::Acquire);
    if !process.is_null() {
        // SAFETY: never freed.
        return Ok(unsafe { &*process });
    }
    let _changing = without_forks();
    let process = CURRENT.load(Ordering::Acquire);
    if !process.is_null() {
        // SAFETY: never freed.
        return Ok(unsafe { &*process });
    }
    let configured = CONFIGURED.load(Ordering::Acquire);
    // SAFETY: set from a Box, and freed only by who is changing, as we are.
    let options = if configured.is_null() {
        ProcessOptions::default()
    } else {
        unsafe { (*configured).clone() }
    };
    let process = Box::into_raw(Box::new(Process::new(&options)?));
    // SAFETY: never freed once it was published below.
    if let Err(error) = unsafe { (*process).service.start(&options) } {
        // SAFETY: nobody else has seen it: no thread was started, and no socket is open.
        unsafe {
            zmq_sys::zmq_ctx_term((*process).context);
            drop(Box::from_raw(process));
        }
        return Err(error);
    }
    // SAFETY: as above.
    let process: &'static Process = unsafe { &*process };
    CURRENT.store((process as *const Process).cast_mut(), Ordering::Release);
    Ok(process)
}

/// Sets what belongs to the process. STATE once a handle was made.
pub fn configure(options: &ProcessOptions) -> Result<()> {
    let _changing = without_forks();
    if !CURRENT.load(Ordering::Acquire).is_null() {
        return Err(Error::new(
            Status::State,
            "process options are set before the first handle is made",
        ));
    }
    let before = CONFIGURED.swap(Box::into_raw(Box::new(options.clone())), Ordering::AcqRel);
    if !before.is_null() {
        // SAFETY: from a Box, and read only by who is changing, as we are.
        drop(unsafe { Box::from_raw(before) });
    }
    Ok(())
}

/// Closes every handle of the process and waits until what was accepted is sent, at most for the longest linger
/// time among them (or for `timeout`). Handles made before are CLOSED; new ones can be made afterwards.
pub fn shutdown(timeout: Option<Duration>) {
    let process: &'static Process = {
        let _changing = without_forks();
        let process = CURRENT.swap(std::ptr::null_mut(), Ordering::AcqRel);
        if process.is_null() {
            return;
        }
        let before = ENDED.swap(process, Ordering::AcqRel);
        // SAFETY: never freed.
        let process = unsafe { &*process };
        process.before.store(before, Ordering::Relaxed);
        process
    };
    process.end(timeout);
}

/// A context that is ended again where its process cannot be made: a program that ran out of descriptors may try again
/// and again.
struct UnfinishedContext(*mut c_void);

impl Drop for UnfinishedContext {
    fn drop(&mut self) {
        // SAFETY: a live context without sockets, known to nobody else.
        errno::uninterrupted(|| unsafe { zmq_sys::zmq_ctx_term(self.0) });
    }
}

/// The thread that ends the context of a process.
fn end_context(process: &'static Process) {
    linux::name_this_thread(c"dividere-exit");
    // SAFETY: every socket was closed; this is the only call that ends the context.
    unsafe { zmq_sys::zmq_ctx_term(process.context) };
    *lock(&process.ended) = true;
    process.has_ended.notify_all();
}

impl Process {
    fn new(options: &ProcessOptions) -> Result<Process> {
        linux::require_spare_descriptors("the ZeroMQ context")?;
        // SAFETY: no arguments.
        let context = unsafe { zmq_sys::zmq_ctx_new() };
        if context.is_null() {
            return Err(errno::error(errno::last(), "make a ZeroMQ context"));
        }
        let unfinished = UnfinishedContext(context);
        let process = Process {
            generation: generation(),
            context,
            service: Service::new()?,
            inproc: InprocNames::default(),
            sockets: Mutex::new(HashMap::new()),
            exiting: AtomicBool::new(false),
            ended: Mutex::new(false),
            has_ended: Condvar::new(),
            before: AtomicPtr::default(),
        };
        process.set(
            zmq_sys::ZMQ_IO_THREADS as i32,
            options.io_threads(),
            "the number of I/O threads",
        )?;
        process.set(
            zmq_sys::ZMQ_MAX_SOCKETS as i32,
            options.max_sockets(),
            "the number of sockets",
        )?;
        let prefix = options.thread_name_prefix().as_bytes();
        const THREAD_NAME_PREFIX: i32 = 9;
        // SAFETY: the text lives through the call.
        let rc = unsafe { zmq_sys::zmq_ctx_set_ext(context, THREAD_NAME_PREFIX, prefix.as_ptr().cast(), prefix.len()) };
        if rc != 0 {
            log_line!(
                Debug,
                "process",
                "thread names keep their default: {}",
                errno::text(errno::last())
            );
        }
        process.start_threads()?;
        std::mem::forget(unfinished);
        Ok(process)
    }

    fn set(&self, option: i32, value: i32, what: &str) -> Result<()> {
        // SAFETY: the context is live.
        if unsafe { zmq_sys::zmq_ctx_set(self.context, option, value) } != 0 {
            return Err(errno::error(errno::last(), &format!("set {what} to {value}")));
        }
        Ok(())
    }

    /// The first socket starts libzmq's threads: made now, while descriptors were just seen to be there.
    fn start_threads(&self) -> Result<()> {
        let socket = self.raw_socket(zmq_sys::ZMQ_PAIR as i32)?;
        // SAFETY: made above, used by nobody else.
        unsafe { zmq_sys::zmq_close(socket) };
        Ok(())
    }

    /// A raw socket of this context. The caller closes it.
    pub fn raw_socket(&self, kind: i32) -> Result<*mut c_void> {
        if self.exiting.load(Ordering::Acquire) {
            return Err(Error::new(Status::Closed, "the process is shutting down"));
        }
        linux::require_spare_descriptors("a socket")?;
        // SAFETY: the context is live until `end`, which refuses new sockets first.
        let raw = linux::with_signals_blocked(|| unsafe { zmq_sys::zmq_socket(self.context, kind) });
        if raw.is_null() {
            return Err(errno::error(errno::last(), "make a socket"));
        }
        Ok(raw)
    }

    /// A number that was never given out in this process.
    pub fn new_id(&self) -> u64 {
        NEXT_ID.fetch_add(1, Ordering::Relaxed)
    }

    pub fn enlist(&self, socket: &Arc<Socket>) {
        lock(&self.sockets).insert(socket.id(), Arc::downgrade(socket));
    }

    pub fn delist(&self, id: u64) {
        lock(&self.sockets).remove(&id);
    }

    /// Its sockets are being closed for good.
    pub fn is_exiting(&self) -> bool {
        self.exiting.load(Ordering::Acquire)
    }

    pub fn is_current(&self) -> bool {
        self.generation == generation()
    }

    fn end(&'static self, timeout: Option<Duration>) {
        self.exiting.store(true, Ordering::Release);
        let sockets: Vec<Arc<Socket>> = lock(&self.sockets).values().filter_map(Weak::upgrade).collect();
        let mut linger = Duration::ZERO;
        for socket in &sockets {
            linger = linger.max(socket.linger());
            if let Err(error) = socket.close() {
                log_line!(Debug, "process", "closing at exit: {error}");
            }
        }
        // Sockets closed before, too, may still be sending: their linger is at most the longest allowed.
        linger = timeout.unwrap_or(linger.max(self.service.longest_linger_pending()));
        self.service.stop();
        // A little more than the linger time, for the threads to notice that it is over.
        const GRACE: Duration = Duration::from_millis(300);
        match linux::with_signals_blocked(|| linux::start_detached(end_context, self)) {
            Ok(()) => {
                let begin = Instant::now();
                let deadline = begin + linger + GRACE;
                let mut ended = lock(&self.ended);
                while !*ended {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        log_line!(Warning, "process", "the process ends before everything was sent");
                        break;
                    }
                    ended = match self.has_ended.wait_timeout(ended, left) {
                        Ok((ended, _)) => ended,
                        Err(poisoned) => poisoned.into_inner().0,
                    };
                }
                drop(ended);
                // What libzmq has written is not sent yet.
                if !parting::wait_until_sent(begin + linger) {
                    log_line!(Warning, "process", "the process ends before everything was sent");
                }
            }
            Err(error) => log_line!(Warning, "process", "no thread to end the context with: {error}"),
        }
    }
}
