//! What is particular to Linux: eventfd, epoll, membarrier, what a connection has not sent yet, and a look at how many
//! descriptors are left.
//! Nothing else in the core names a Linux-only call.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, Result, Status};

/// A counter that wakes pollers; readable from `ring` until `quiet`.
pub(crate) struct EventFd(OwnedFd);

impl EventFd {
    pub fn new() -> Result<EventFd> {
        // SAFETY: eventfd takes no pointers; the descriptor returned is ours alone.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if fd < 0 {
            return Err(descriptor_error("an eventfd"));
        }
        // SAFETY: just made, owned by nobody else.
        Ok(EventFd(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Makes the descriptor readable. Only a full counter can fail, and then it is readable.
    pub fn ring(&self) {
        let one: u64 = 1;
        // SAFETY: eight bytes from a live u64.
        unsafe { libc::write(self.fd(), (&one as *const u64).cast(), 8) };
    }

    /// Makes the descriptor unreadable. Only an empty counter can fail, and then it is.
    pub fn quiet(&self) {
        let mut count: u64 = 0;
        // SAFETY: eight bytes into a live u64.
        unsafe { libc::read(self.fd(), (&mut count as *mut u64).cast(), 8) };
    }

    pub fn fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// An epoll instance. Entries are told apart by a number of the caller's.
pub(crate) struct Epoll(OwnedFd);

impl Epoll {
    pub fn new() -> Result<Epoll> {
        // SAFETY: no pointers.
        let fd = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        if fd < 0 {
            return Err(descriptor_error("an epoll instance"));
        }
        // SAFETY: just made, owned by nobody else.
        Ok(Epoll(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    pub fn fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    fn control(&self, operation: i32, fd: RawFd, events: u32, key: u64) -> io::Result<()> {
        let mut event = libc::epoll_event { events, u64: key };
        // SAFETY: the event lives through the call, which copies it.
        let rc = unsafe { libc::epoll_ctl(self.fd(), operation, fd, &mut event) };
        if rc < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }

    /// Reports `key` whenever `fd` is readable.
    pub fn add(&self, fd: RawFd, key: u64) -> Result<()> {
        self.control(libc::EPOLL_CTL_ADD, fd, libc::EPOLLIN as u32, key)
            .map_err(|e| Error::new(Status::Limit, format!("epoll cannot watch descriptor {fd}: {e}")))
    }

    /// Reports `key` once when `fd` is readable; `rearm` makes it report again.
    pub fn add_once(&self, fd: RawFd, key: u64) -> Result<()> {
        let events = (libc::EPOLLIN | libc::EPOLLONESHOT) as u32;
        self.control(libc::EPOLL_CTL_ADD, fd, events, key)
            .map_err(|e| Error::new(Status::Limit, format!("epoll cannot watch descriptor {fd}: {e}")))
    }

    /// Lets an entry made by `add_once` report again. An entry whose descriptor was closed is gone already.
    pub fn rearm(&self, fd: RawFd, key: u64) {
        let events = (libc::EPOLLIN | libc::EPOLLONESHOT) as u32;
        let _gone = self.control(libc::EPOLL_CTL_MOD, fd, events, key);
    }

    /// Forgets `fd`. A descriptor that was closed has been forgotten already.
    pub fn remove(&self, fd: RawFd) {
        let _gone = self.control(libc::EPOLL_CTL_DEL, fd, 0, 0);
    }

    /// Waits, and puts the keys that are ready into `ready`. A signal counts as nothing ready.
    pub fn wait(&self, ready: &mut Vec<u64>, timeout_ms: i32) {
        const BATCH: usize = 64;
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; BATCH];
        // SAFETY: the array has BATCH entries.
        let n = unsafe { libc::epoll_wait(self.fd(), events.as_mut_ptr(), BATCH as i32, timeout_ms) };
        ready.clear();
        for event in events.iter().take(n.max(0) as usize) {
            ready.push(event.u64);
        }
    }
}

static INTERRUPT_WAITS: AtomicBool = AtomicBool::new(false);

/// Whether a wait ends with CANCELLED when its thread ran a signal handler meanwhile. It does not unless asked for: this
/// is for runtimes that run their handlers only once a call has returned.
pub(crate) fn interrupt_waits(on: bool) {
    INTERRUPT_WAITS.store(on, Ordering::Relaxed);
}

/// Sleeps until one of the descriptors is readable or the time is over. EINTR counts as a wake-up:
/// every caller tries again and computes the time that remains. For threads of our own.
pub(crate) fn poll_readable(fds: &[RawFd], timeout_ms: i32) {
    // They run no signal handlers; and if one did, it is a wake-up.
    let _woken = poll_for_caller(fds, timeout_ms);
}

/// The same on a thread of the caller's: CANCELLED as `interrupt_waits` says.
pub(crate) fn poll_for_caller(fds: &[RawFd], timeout_ms: i32) -> Result<()> {
    const MOST: usize = 4;
    let mut items = [readable(-1); MOST];
    let count = fds.len().min(MOST);
    for (item, fd) in items.iter_mut().zip(fds) {
        *item = readable(*fd);
    }
    poll(&mut items[..count], timeout_ms)
}

/// What poll is told to wait for a descriptor to become readable; none where it is -1.
pub(crate) fn readable(fd: RawFd) -> libc::pollfd {
    libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    }
}

/// The same for any number of descriptors.
pub(crate) fn poll(items: &mut [libc::pollfd], timeout_ms: i32) -> Result<()> {
    // SAFETY: a live slice, with its own length.
    let n = unsafe { libc::poll(items.as_mut_ptr(), items.len() as libc::nfds_t, timeout_ms) };
    let interrupted = n < 0 && io::Error::last_os_error().kind() == io::ErrorKind::Interrupted;
    if interrupted && INTERRUPT_WAITS.load(Ordering::Relaxed) {
        return Err(Error::new(Status::Cancelled, "a signal ended the wait"));
    }
    Ok(())
}

/// Descriptors that must be free before libzmq is asked for a context, a socket or an endpoint:
/// with fewer left, 4.3.5 aborts the process (docs/libzmq.md, "The process").
const SPARE_DESCRIPTORS: usize = 16;

/// Fails with LIMIT where fewer than sixteen descriptors can still be opened.
pub(crate) fn require_spare_descriptors(what: &str) -> Result<()> {
    let mut spare: [RawFd; SPARE_DESCRIPTORS] = [-1; SPARE_DESCRIPTORS];
    let mut enough = true;
    for slot in spare.iter_mut() {
        // SAFETY: no pointers; descriptors are closed below.
        *slot = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) };
        if *slot < 0 {
            enough = false;
            break;
        }
    }
    for fd in spare.iter().filter(|fd| **fd >= 0) {
        // SAFETY: opened above, known to nobody else.
        unsafe { libc::close(*fd) };
    }
    if enough {
        return Ok(());
    }
    Err(Error::new(
        Status::Limit,
        format!("{what} needs {SPARE_DESCRIPTORS} free file descriptors; raise the limit (ulimit -n) or close some"),
    ))
}

fn descriptor_error(what: &str) -> Error {
    Error::new(
        Status::Limit,
        format!("cannot make {what}: {}", io::Error::last_os_error()),
    )
}

/// Runs `f` with every signal blocked, so that threads started by it never run a handler of the host's.
pub(crate) fn with_signals_blocked<T>(f: impl FnOnce() -> T) -> T {
    // SAFETY: both sets live through the calls; the old mask is put back.
    unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        let mut old: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &all, &mut old);
        let result = f();
        libc::pthread_sigmask(libc::SIG_SETMASK, &old, std::ptr::null_mut());
        result
    }
}

/// Starts a thread that nobody joins, as the system does it. For exit handlers: they may run after the thread's
/// locals were destroyed, which std's `spawn` of some versions panics at.
pub(crate) fn start_detached<T: Sync + 'static>(run: fn(&'static T), argument: &'static T) -> io::Result<()> {
    struct Start<T: 'static> {
        run: fn(&'static T),
        argument: &'static T,
    }
    extern "C" fn entry<T: Sync + 'static>(start: *mut libc::c_void) -> *mut libc::c_void {
        // SAFETY: made by Box::into_raw below, for this thread alone.
        let start = unsafe { Box::from_raw(start.cast::<Start<T>>()) };
        (start.run)(start.argument);
        std::ptr::null_mut()
    }
    let start = Box::into_raw(Box::new(Start { run, argument }));
    // SAFETY: `start` goes to the thread, or comes back when there is none.
    unsafe {
        let mut thread: libc::pthread_t = std::mem::zeroed();
        let failure = libc::pthread_create(&mut thread, std::ptr::null(), entry::<T>, start.cast());
        if failure != 0 {
            drop(Box::from_raw(start));
            return Err(io::Error::from_raw_os_error(failure));
        }
        libc::pthread_detach(thread);
    }
    Ok(())
}

/// Gives the calling thread a name, of at most 15 bytes.
pub(crate) fn name_this_thread(name: &std::ffi::CStr) {
    // SAFETY: the name lives through the call, which copies it.
    unsafe { libc::pthread_setname_np(libc::pthread_self(), name.as_ptr()) };
}

const MEMBARRIER_PRIVATE_EXPEDITED: libc::c_int = 1 << 3;
const MEMBARRIER_REGISTER_PRIVATE_EXPEDITED: libc::c_int = 1 << 4;

fn membarrier(command: libc::c_int) -> bool {
    // SAFETY: no pointers.
    unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) == 0 }
}

/// Lets this process use `barrier_everywhere`. False where the kernel (before 4.14) or a sandbox has no such call.
pub(crate) fn register_barriers() -> bool {
    membarrier(MEMBARRIER_REGISTER_PRIVATE_EXPEDITED) && membarrier(MEMBARRIER_PRIVATE_EXPEDITED)
}

/// Every thread of this process passes a full fence before it returns.
pub(crate) fn barrier_everywhere() {
    if !membarrier(MEMBARRIER_PRIVATE_EXPEDITED) {
        // The host has put itself into a sandbox since. No processor keeps a store to itself for that long.
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

/// Whether a connection's socket has something that closing it could lose: that the peer's system has not taken yet. Sockets
/// of other kinds than TCP's hand over at once what is written to them.
pub(crate) fn has_unsent(connection: RawFd) -> bool {
    let mut domain: libc::c_int = 0;
    let mut len = std::mem::size_of::<libc::c_int>() as libc::socklen_t;
    let mut bytes: libc::c_int = 0;
    // SAFETY: room for an int each, and its size.
    unsafe {
        let place = (&mut domain as *mut libc::c_int).cast();
        libc::getsockopt(connection, libc::SOL_SOCKET, libc::SO_DOMAIN, place, &mut len) == 0
            && matches!(domain, libc::AF_INET | libc::AF_INET6)
            && libc::ioctl(connection, libc::TIOCOUTQ, &mut bytes) == 0
            && bytes != 0
    }
}

/// Reads what there is, up to a limit, and throws it away. That the peer says no more is no error: it may still listen.
pub(crate) fn discard_input(connection: RawFd) -> io::Result<()> {
    let mut scratch = [0_u8; 4096];
    for _ in 0..64 {
        // SAFETY: room for as many bytes as are asked for.
        let n = unsafe {
            libc::recv(
                connection,
                scratch.as_mut_ptr().cast(),
                scratch.len(),
                libc::MSG_DONTWAIT,
            )
        };
        match n {
            0 => return Ok(()),
            n if n > 0 => {}
            _ => return none_now(io::Error::last_os_error()).map(|_| ()),
        }
    }
    Ok(())
}

/// Sends what the socket takes at once: 0 where that is nothing.
pub(crate) fn send_some(connection: RawFd, bytes: &[u8]) -> io::Result<usize> {
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    // SAFETY: a live slice, with its own length.
    let n = unsafe { libc::send(connection, bytes.as_ptr().cast(), bytes.len(), flags) };
    usize::try_from(n).or_else(|_negative| none_now(io::Error::last_os_error()))
}

/// Ends what this side sends, behind all that was written.
pub(crate) fn say_that_nothing_follows(connection: RawFd) -> io::Result<()> {
    // SAFETY: no pointers.
    match unsafe { libc::shutdown(connection, libc::SHUT_WR) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn none_now(error: io::Error) -> io::Result<usize> {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(0),
        _ => Err(error),
    }
}
