//! Binding and connecting, and their ends: what makes an address free again when `close` returns.

use std::ffi::{c_char, c_void};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::connection::clock::Deadline;
use crate::connection::endpoint::{DefaultSide, Endpoint, Side, Transport};
use crate::connection::errno;
use crate::connection::inproc::c_string;
use crate::connection::log::log_line;
use crate::connection::lookups::AGAIN_AFTER;
use crate::connection::peers::Link;
use crate::connection::process::lock;
use crate::connection::socket::{Entered, Socket};
use crate::connection::{apply, linux, resolve};
use crate::error::{Error, Result, Status};

/// A closed listener's port is free within 21 ms (docs/libzmq.md); a bind tries again for this long.
const BIND_RETRY: Duration = Duration::from_millis(100);
const BIND_PAUSE: Duration = Duration::from_millis(2);
/// libzmq's threads close a listener within a millisecond; more means that the machine is very busy.
const RELEASE_LIMIT: Duration = Duration::from_secs(2);
const LONGEST_ENDPOINT: usize = 512;

#[derive(Default)]
pub(crate) struct Endpoints(Mutex<List>);

#[derive(Default)]
struct List {
    bound: Vec<Bound>,
    connected: Vec<Connected>,
    last_bound: Option<String>,
}

struct Bound {
    address: String,
    inproc: bool,
    /// The file of an ipc socket and its inode: libzmq leaves it behind.
    file: Option<(PathBuf, u64)>,
}

#[derive(Clone)]
struct Connected {
    asked: Endpoint,
    /// One of the addresses that the name has; the next is tried after failures.
    address: String,
    candidates: Vec<String>,
    inproc: bool,
    looked_up: Instant,
}

impl Connected {
    /// The address that follows this one; the first, where this is none of the name's any more.
    fn after(&self, address: &str) -> String {
        let at = self.candidates.iter().position(|c| c == address);
        self.candidates[at.map_or(0, |at| (at + 1) % self.candidates.len())].clone()
    }
}

impl Socket {
    /// Binds or connects to each endpoint. On failure the caller closes the socket.
    pub(crate) fn attach(self: &Arc<Self>, endpoints: &[Endpoint], default: DefaultSide) -> Result<()> {
        if endpoints.is_empty() {
            return Err(Error::new(
                Status::Endpoint,
                format!("a {} needs an endpoint", self.role()),
            ));
        }
        self.guard_with_allow_list()?;
        for endpoint in endpoints {
            match endpoint.bind_or_connect(default)? {
                Side::Bind => self.bind(endpoint)?,
                Side::Connect => self.connect(endpoint)?,
            }
        }
        Ok(())
    }

    fn bind(self: &Arc<Self>, endpoint: &Endpoint) -> Result<()> {
        linux::require_spare_descriptors("binding")?;
        if let Transport::Inproc { .. } = endpoint.transport() {
            let address = endpoint.to_zmq();
            self.refuse_keys(&address)?;
            if self.options().keep_latest() {
                return Err(Error::new(
                    Status::Unsupported,
                    format!("{address}: only a subscriber that connects can keep the latest message over inproc"),
                ));
            }
            self.process().inproc.bind(self, &address)?;
            self.endpoints.add_bound(Bound {
                address,
                inproc: true,
                file: None,
            });
            return Ok(());
        }
        let address = endpoint.to_zmq();
        let ipv6 = !address_is_ipv4(&address) && self.options().ipv6();
        let deadline = Deadline::after(BIND_RETRY);
        let actual = loop {
            match endpoint.check_free().and_then(|()| self.bind_address(&address, ipv6)) {
                Ok(actual) => break actual,
                Err(error) if error.status() != Status::AddressInUse || deadline.is_over() => return Err(error),
                // Nothing tells when the kernel lets go of an address.
                Err(_) => std::thread::sleep(BIND_PAUSE),
            }
        };
        let file = match endpoint.transport() {
            Transport::Ipc { .. } => ipc_file(&actual),
            _ => None,
        };
        self.peers.listening(&actual);
        self.endpoints.add_bound(Bound {
            address: actual,
            inproc: false,
            file,
        });
        Ok(())
    }

    /// Binds under one lock: another thread may attach the same socket elsewhere. Returns the address with its port.
    fn bind_address(&self, address: &str, ipv6: bool) -> Result<String> {
        let entered = self.enter()?;
        set_family(&entered, ipv6)?;
        call(&entered, "bind", address, zmq_sys::zmq_bind)?;
        last_endpoint_of_zmq(&entered)
    }

    fn connect(self: &Arc<Self>, endpoint: &Endpoint) -> Result<()> {
        linux::require_spare_descriptors("connecting")?;
        if let Transport::Inproc { .. } = endpoint.transport() {
            let address = endpoint.to_zmq();
            self.refuse_keys(&address)?;
            self.process().inproc.connect(self, &address)?;
            let candidates = vec![address.clone()];
            self.endpoints.add_connected(Connected {
                asked: endpoint.clone(),
                address,
                candidates,
                inproc: true,
                looked_up: Instant::now(),
            });
            return Ok(());
        }
        let candidates = resolve::candidates(endpoint, self.options().ipv6())?;
        let Some(address) = candidates.first().cloned() else {
            return Err(Error::new(
                Status::Unreachable,
                format!("{} has no address", endpoint.to_zmq()),
            ));
        };
        let link = Link {
            has_alternatives: candidates.len() > 1,
            ..Link::default()
        };
        // Before it is connected: the first events may come at once.
        self.peers.add_link(&address, link);
        self.endpoints.add_connected(Connected {
            asked: endpoint.clone(),
            address: address.clone(),
            candidates,
            inproc: false,
            looked_up: Instant::now(),
        });
        let connected = self.enter().and_then(|entered| connect_address(&entered, &address));
        if connected.is_err() {
            self.peers.remove_link(&address);
            self.endpoints.remove_connected(&endpoint.to_zmq());
        }
        connected
    }

    /// Over inproc nobody would check them: who set them relies on what is not there.
    fn refuse_keys(&self, address: &str) -> Result<()> {
        if self.options().uses_curve() {
            return Err(Error::new(
                Status::Unsupported,
                format!("{address}: CURVE keys are not checked over inproc; leave them out, or use tcp or ipc"),
            ));
        }
        Ok(())
    }

    /// For inproc, which has no family.
    pub(crate) fn call_bind(&self, address: &str) -> Result<()> {
        call(&self.enter()?, "bind", address, zmq_sys::zmq_bind)
    }

    pub(crate) fn call_connect(&self, address: &str) -> Result<()> {
        call(&self.enter()?, "connect to", address, zmq_sys::zmq_connect)
    }

    /// The endpoint bound last, with the port that was free where `*` was asked for.
    pub fn last_endpoint(&self) -> Option<String> {
        lock(&self.endpoints.0).last_bound.clone()
    }

    /// All endpoints, bound and connected.
    pub fn all_endpoints(&self) -> Vec<String> {
        let list = lock(&self.endpoints.0);
        let bound = list.bound.iter().map(|b| b.address.clone());
        bound.chain(list.connected.iter().map(|c| c.asked.to_zmq())).collect()
    }

    /// Waits until `peers` peers are connected; with 0 until each endpoint that this side connects to is.
    /// Connected means that the handshake succeeded. PERMISSION or HANDSHAKE at once where a peer refused.
    pub fn wait_connected(&self, peers: usize, deadline: Deadline) -> Result<()> {
        self.check()?;
        self.peers.wait_connected(peers, deadline)
    }

    // -- ends

    /// Takes inproc names away before the socket closes. Called once, by close.
    pub(crate) fn unbind_inproc(&self) {
        let (bound, connected) = {
            let list = lock(&self.endpoints.0);
            let bound: Vec<_> = list
                .bound
                .iter()
                .filter(|b| b.inproc)
                .map(|b| b.address.clone())
                .collect();
            let connected: Vec<_> = list
                .connected
                .iter()
                .filter(|c| c.inproc)
                .map(|c| c.address.clone())
                .collect();
            (bound, connected)
        };
        for address in bound {
            if let Err(error) = self.process().inproc.unbind(self, &address) {
                log_line!(Warning, "connection", "{error}");
            }
        }
        for address in connected {
            self.process().inproc.disconnect(self, &address);
        }
    }

    /// Waits until libzmq closed the listeners. Called once, by close. Unbinding first would lose what is queued.
    pub(crate) fn await_released_addresses(&self) {
        // The service thread cannot wait for itself: a close in an event callback frees the address a moment later.
        if !self.process().service.is_this_thread() && !self.peers.wait_listeners_closed(Deadline::after(RELEASE_LIMIT))
        {
            log_line!(
                Warning,
                "connection",
                "libzmq did not free the addresses of a {} in time",
                self.role()
            );
        }
        self.release_addresses();
    }

    /// What libzmq leaves behind.
    pub(crate) fn release_addresses(&self) {
        for bound in lock(&self.endpoints.0).bound.drain(..) {
            if let Some((path, inode)) = bound.file {
                let still_ours = std::fs::symlink_metadata(&path).is_ok_and(|meta| meta.ino() == inode);
                if still_ours {
                    if let Err(error) = std::fs::remove_file(&path) {
                        log_line!(Debug, "connection", "cannot remove {}: {error}", path.display());
                    }
                }
            }
        }
        self.forget_allow_list();
    }

    /// Gives up one endpoint: what is queued for it is lost.
    pub fn detach(self: &Arc<Self>, endpoint: &Endpoint) -> Result<()> {
        self.check()?;
        let asked = endpoint.to_zmq();
        let Some(connected) = self.endpoints.remove_connected(&asked) else {
            return Err(Error::new(Status::NotFound, format!("not connected to {asked}")));
        };
        if connected.inproc {
            self.process().inproc.disconnect(self, &connected.address);
        }
        self.peers.remove_link(&connected.address);
        call(
            &self.enter()?,
            "disconnect from",
            &connected.address,
            zmq_sys::zmq_disconnect,
        )
    }

    /// Adds an endpoint to a socket that is in use.
    pub fn attach_more(self: &Arc<Self>, endpoint: &Endpoint, default: DefaultSide) -> Result<()> {
        self.check()?;
        match endpoint.bind_or_connect(default)? {
            Side::Bind => self.bind(endpoint),
            Side::Connect => self.connect(endpoint),
        }
    }
}

impl Endpoints {
    fn add_bound(&self, bound: Bound) {
        let mut list = lock(&self.0);
        list.last_bound = Some(bound.address.clone());
        list.bound.push(bound);
    }

    fn add_connected(&self, connected: Connected) {
        lock(&self.0).connected.push(connected);
    }

    /// Goes on from one address of a name to the next, and tells which that is. None where it is not connected to.
    pub(crate) fn next_candidate(&self, address: &str) -> Option<String> {
        let mut list = lock(&self.0);
        let connected = list.connected.iter_mut().find(|c| c.address == address && !c.inproc)?;
        let next = connected.after(address);
        connected.address = next.clone();
        Some(next)
    }

    /// What to look up again, of a connection to `address` that is down.
    pub(crate) fn due_for_lookup(&self, address: &str, now: Instant) -> Option<Endpoint> {
        let mut list = lock(&self.0);
        let connected = list.connected.iter_mut().find(|c| c.address == address && !c.inproc)?;
        if !resolve::is_looked_up(&connected.asked) || now.saturating_duration_since(connected.looked_up) < AGAIN_AFTER
        {
            return None;
        }
        connected.looked_up = now;
        Some(connected.asked.clone())
    }

    /// Replaces the addresses of what was `asked` for. Returns the one in use, and whether there are others; None where
    /// it was detached meanwhile.
    pub(crate) fn set_candidates(&self, asked: &Endpoint, candidates: Vec<String>) -> Option<(String, bool)> {
        let mut list = lock(&self.0);
        let asked = asked.to_zmq();
        let connected = list.connected.iter_mut().find(|c| c.asked.to_zmq() == asked)?;
        connected.looked_up = Instant::now();
        connected.candidates = candidates;
        let address = connected.address.clone();
        let has_others = connected.candidates.iter().any(|candidate| *candidate != address);
        Some((address, has_others))
    }

    /// Whether the name that was asked for has left `address`.
    pub(crate) fn was_left(&self, address: &str) -> bool {
        let list = lock(&self.0);
        let connected = list.connected.iter().find(|c| c.address == address && !c.inproc);
        connected.is_some_and(|connected| !connected.candidates.iter().any(|candidate| candidate == address))
    }

    /// Whether somebody listens at the next address. Asked only of this host: elsewhere the answer takes too long.
    pub(crate) fn next_answers(&self, address: &str) -> bool {
        const LIMIT: Duration = Duration::from_millis(20);
        let next = {
            let list = lock(&self.0);
            let Some(connected) = list.connected.iter().find(|c| c.address == address && !c.inproc) else {
                return false;
            };
            connected.after(address)
        };
        let host_and_port = next.trim_start_matches("tcp://").rsplit(';').next();
        let Some(Ok(at)) = host_and_port.map(str::parse::<SocketAddr>) else {
            return false;
        };
        at.ip().is_loopback() && TcpStream::connect_timeout(&at, LIMIT).is_ok()
    }

    fn remove_connected(&self, asked: &str) -> Option<Connected> {
        let mut list = lock(&self.0);
        let at = list.connected.iter().position(|c| c.asked.to_zmq() == asked)?;
        Some(list.connected.remove(at))
    }
}

fn call(
    entered: &Entered<'_>,
    what: &str,
    address: &str,
    function: unsafe extern "C" fn(*mut c_void, *const c_char) -> i32,
) -> Result<()> {
    let text = c_string(address);
    // SAFETY: the socket is open and locked, the text NUL-terminated.
    match errno::uninterrupted(|| unsafe { function(entered.raw(), text.as_ptr()) }) {
        0 => Ok(()),
        _ => Err(errno::error(errno::last(), &format!("{what} {address}"))),
    }
}

pub(crate) fn connect_address(entered: &Entered<'_>, address: &str) -> Result<()> {
    set_family(entered, address.contains('['))?;
    call(entered, "connect to", address, zmq_sys::zmq_connect)
}

/// Dual stack where IPv6 is wanted; an IPv4 address is left as it is. For the next bind or connect.
fn set_family(entered: &Entered<'_>, ipv6: bool) -> Result<()> {
    apply::set_int(
        entered.raw(),
        zmq_sys::ZMQ_IPV6 as i32,
        i32::from(ipv6),
        "choose the address family",
    )
}

fn last_endpoint_of_zmq(entered: &Entered<'_>) -> Result<String> {
    let mut text = [0u8; LONGEST_ENDPOINT];
    let mut size = text.len();
    // SAFETY: the socket is open and locked; the output has `size` bytes.
    let rc = unsafe {
        zmq_sys::zmq_getsockopt(
            entered.raw(),
            zmq_sys::ZMQ_LAST_ENDPOINT as i32,
            text.as_mut_ptr().cast(),
            &mut size,
        )
    };
    if rc != 0 {
        return Err(errno::error(errno::last(), "tell the bound endpoint"));
    }
    Ok(String::from_utf8_lossy(&text[..size.saturating_sub(1)]).into_owned())
}

fn address_is_ipv4(address: &str) -> bool {
    let host = address
        .trim_start_matches("tcp://")
        .rsplit_once(':')
        .map_or("", |(host, _)| host);
    host.parse::<std::net::Ipv4Addr>().is_ok()
}

/// The file behind an ipc endpoint, unless it is in the abstract namespace.
fn ipc_file(address: &str) -> Option<(PathBuf, u64)> {
    let path = PathBuf::from(address.strip_prefix("ipc://").filter(|p| !p.starts_with('@'))?);
    let inode = std::fs::symlink_metadata(&path).ok()?.ino();
    Some((path, inode))
}
