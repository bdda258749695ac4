//! Which client keys a CURVE server lets in (ZAP, RFC 27). Every server has a domain of its own, so that each has its
//! own list. libzmq lets everyone in where no handler is bound: ours is bound before such a socket is.

use std::collections::{HashMap, HashSet};
use std::ffi::c_void;
use std::os::fd::RawFd;
use std::sync::Mutex;

use crate::connection::apply;
use crate::connection::errno;
use crate::connection::frame::{recv_whole, Frame};
use crate::connection::log::log_line;
use crate::connection::process::{lock, Process};
use crate::error::Result;

pub(crate) type PublicKey = [u8; 32];

/// Whom one server lets in.
pub(crate) enum AllowList {
    Anyone,
    These(HashSet<PublicKey>),
}

#[derive(Default)]
pub(crate) struct AllowLists(Mutex<HashMap<String, AllowList>>);

impl AllowLists {
    pub fn insert(&self, domain: &str, list: AllowList) {
        lock(&self.0).insert(domain.to_owned(), list);
    }

    pub fn remove(&self, domain: &str) {
        lock(&self.0).remove(domain);
    }

    fn allows(&self, domain: &[u8], key: &[u8]) -> bool {
        let lists = lock(&self.0);
        let list = std::str::from_utf8(domain).ok().and_then(|domain| lists.get(domain));
        match (list, PublicKey::try_from(key)) {
            (Some(AllowList::Anyone), Ok(_)) => true,
            (Some(AllowList::These(keys)), Ok(key)) => keys.contains(&key),
            _ => false,
        }
    }
}

/// The socket that libzmq asks.
pub(crate) struct ZapHandler {
    raw: *mut c_void,
    fd: RawFd,
}

// SAFETY: handed to the service thread through a mutex, used by one thread at a time.
unsafe impl Send for ZapHandler {}

impl ZapHandler {
    pub fn bind(process: &Process) -> Result<ZapHandler> {
        let raw = process.raw_socket(zmq_sys::ZMQ_ROUTER as i32)?;
        let mut handler = ZapHandler { raw, fd: -1 };
        apply::set_int(raw, zmq_sys::ZMQ_LINGER as i32, 0, "set the key checker's linger")?;
        // SAFETY: a live socket, a NUL-terminated address; the output is an int and its size.
        unsafe {
            if errno::uninterrupted(|| zmq_sys::zmq_bind(raw, c"inproc://zeromq.zap.01".as_ptr())) != 0 {
                return Err(errno::error(errno::last(), "bind the key checker"));
            }
            let mut size = std::mem::size_of::<RawFd>();
            let out = (&mut handler.fd as *mut RawFd).cast();
            if zmq_sys::zmq_getsockopt(raw, zmq_sys::ZMQ_FD as i32, out, &mut size) != 0 {
                return Err(errno::error(errno::last(), "get the key checker's descriptor"));
            }
        }
        Ok(handler)
    }

    pub fn fd(&self) -> RawFd {
        self.fd
    }

    pub fn answer_all(&mut self, lists: &AllowLists, frames: &mut Vec<Frame>) {
        // SAFETY: a live socket of this thread.
        while unsafe { recv_whole(self.raw, frames) } {
            self.answer(lists, frames);
        }
    }

    /// Frames: route, empty, version, request id, domain, address, identity, mechanism, credentials.
    fn answer(&mut self, lists: &AllowLists, frames: &[Frame]) {
        let [route, _, version, request, domain, address, _, mechanism, credentials @ ..] = frames else {
            log_line!(
                Error,
                "keys",
                "a key check of {} frames cannot be answered",
                frames.len()
            );
            return;
        };
        let key = credentials.first().map_or(&[][..], Frame::bytes);
        let allowed = mechanism.bytes() == b"CURVE" && lists.allows(domain.bytes(), key);
        let (code, text): (&[u8], &[u8]) = if allowed {
            (b"200", b"OK")
        } else {
            (b"400", b"this key is not allowed")
        };
        if !allowed {
            let from = String::from_utf8_lossy(address.bytes());
            log_line!(Warning, "keys", "refused a client at {from}: its key is not allowed");
        }
        let parts: [&[u8]; 8] = [
            route.bytes(),
            b"",
            version.bytes(),
            request.bytes(),
            code,
            text,
            b"",
            b"",
        ];
        for (i, part) in parts.iter().enumerate() {
            let more = if i + 1 < parts.len() { zmq_sys::ZMQ_SNDMORE } else { 0 } as i32;
            // SAFETY: the bytes live through the call, which copies them.
            let rc = unsafe {
                zmq_sys::zmq_send(
                    self.raw,
                    part.as_ptr().cast(),
                    part.len(),
                    more | zmq_sys::ZMQ_DONTWAIT as i32,
                )
            };
            if rc < 0 {
                log_line!(
                    Warning,
                    "keys",
                    "a key check was not answered: {}",
                    errno::text(errno::last())
                );
                return;
            }
        }
    }
}

impl Drop for ZapHandler {
    fn drop(&mut self) {
        // SAFETY: made by us, closed once.
        unsafe { zmq_sys::zmq_close(self.raw) };
    }
}
