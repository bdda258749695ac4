//! libzmq's connection events, version 2 (which names both ends), read by the service thread.

use std::ffi::{c_void, CString};
use std::os::fd::RawFd;

use crate::connection::errno;
use crate::connection::frame::{recv_whole, Frame};
use crate::connection::process::Process;
use crate::error::{Result, Status};

/// Everything but the pipe statistics, which nobody asks for.
const EVENTS: u64 = 0xFFFF;
const VERSION: i32 = 2;

/// What libzmq calls it (zmq.h, ZMQ_EVENT_*).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RawKind {
    Connected,
    Delayed,
    Retried,
    Listening,
    BindFailed,
    Accepted,
    AcceptFailed,
    Closed,
    CloseFailed,
    Disconnected,
    Stopped,
    HandshakeFailedNoDetail,
    HandshakeSucceeded,
    HandshakeFailedProtocol,
    HandshakeFailedAuth,
}

impl RawKind {
    fn from_bits(bits: u64) -> Option<RawKind> {
        Some(match bits {
            0x0001 => RawKind::Connected,
            0x0002 => RawKind::Delayed,
            0x0004 => RawKind::Retried,
            0x0008 => RawKind::Listening,
            0x0010 => RawKind::BindFailed,
            0x0020 => RawKind::Accepted,
            0x0040 => RawKind::AcceptFailed,
            0x0080 => RawKind::Closed,
            0x0100 => RawKind::CloseFailed,
            0x0200 => RawKind::Disconnected,
            0x0400 => RawKind::Stopped,
            0x0800 => RawKind::HandshakeFailedNoDetail,
            0x1000 => RawKind::HandshakeSucceeded,
            0x2000 => RawKind::HandshakeFailedProtocol,
            0x4000 => RawKind::HandshakeFailedAuth,
            _ => return None,
        })
    }
}

/// One event as libzmq told it.
#[derive(Clone, Debug)]
pub(crate) struct RawEvent {
    pub kind: RawKind,
    /// A descriptor, an errno, an interval in milliseconds or a protocol error, as the kind has it.
    pub value: u64,
    pub local: String,
    pub remote: String,
}

/// The reading end of one socket's monitor. Used by the service thread only, once it was handed over.
pub(crate) struct Monitor {
    raw: *mut c_void,
    fd: RawFd,
}

// SAFETY: handed from its maker to the service thread through a mutex, used by one thread at a time.
unsafe impl Send for Monitor {}

impl Monitor {
    /// Starts to monitor `socket`, which nobody else uses yet.
    pub fn start(process: &Process, socket: *mut c_void, id: u64) -> Result<Monitor> {
        let address = CString::new(format!("inproc://dividere.monitor.{id}")).unwrap_or_default();
        let raw = process.raw_socket(zmq_sys::ZMQ_PAIR as i32)?;
        let mut monitor = Monitor { raw, fd: -1 };
        // Without a limit: libzmq's threads wait for a full monitor, and with them every connection.
        super::apply::set_int(raw, zmq_sys::ZMQ_RCVHWM as i32, 0, "open the monitor's queue")?;
        super::apply::set_int(raw, zmq_sys::ZMQ_LINGER as i32, 0, "set the monitor's linger")?;
        // SAFETY: both sockets are live, the address NUL-terminated.
        unsafe {
            let pair = zmq_sys::ZMQ_PAIR as i32;
            let monitor_it = || zmq_sys::zmq_socket_monitor_versioned(socket, address.as_ptr(), EVENTS, VERSION, pair);
            if errno::uninterrupted(monitor_it) != 0 {
                return Err(errno::error(errno::last(), "monitor a socket"));
            }
            if errno::uninterrupted(|| zmq_sys::zmq_connect(raw, address.as_ptr())) != 0 {
                return Err(errno::error(errno::last(), "read a socket's monitor"));
            }
            let mut size = std::mem::size_of::<RawFd>();
            let out = (&mut monitor.fd as *mut RawFd).cast();
            if zmq_sys::zmq_getsockopt(raw, zmq_sys::ZMQ_FD as i32, out, &mut size) != 0 {
                return Err(errno::error(errno::last(), "get a monitor's descriptor"));
            }
        }
        Ok(monitor)
    }

    pub fn fd(&self) -> RawFd {
        self.fd
    }

    /// Puts the next event into `event`. None when there is none now.
    pub fn next(&mut self, frames: &mut Vec<Frame>) -> Option<RawEvent> {
        // SAFETY: a live socket used by this thread only.
        while unsafe { recv_whole(self.raw, frames) } {
            if let Some(event) = parse(frames) {
                return Some(event);
            }
        }
        None
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        // SAFETY: made by us, closed once.
        unsafe { zmq_sys::zmq_close(self.raw) };
    }
}

fn parse(frames: &[Frame]) -> Option<RawEvent> {
    let number = |frame: &Frame| frame.bytes().try_into().map(u64::from_ne_bytes).ok();
    let text = |frame: &Frame| String::from_utf8_lossy(frame.bytes()).into_owned();
    let (kind, count) = (number(frames.first()?)?, number(frames.get(1)?)? as usize);
    let local = frames.get(2 + count)?;
    let remote = frames.get(3 + count)?;
    Some(RawEvent {
        kind: RawKind::from_bits(kind)?,
        value: if count > 0 { number(&frames[2])? } else { 0 },
        local: text(local),
        remote: text(remote),
    })
}

/// What it means where libzmq gives a handshake up and says nothing of it.
pub(crate) fn wrong_role() -> (Status, String) {
    let text = "the peer's role does not fit: a subscriber needs a publisher, a request a response or a dealer";
    (Status::Handshake, text.into())
}

/// A failed handshake as a status and a text that says what to look at.
pub(crate) fn handshake_failure(kind: RawKind, value: u64) -> (Status, String) {
    const CRYPTOGRAPHIC: u64 = 0x1100_0001;
    const MECHANISM_MISMATCH: u64 = 0x1100_0002;
    const ZAP_ERRORS: std::ops::Range<u64> = 0x2000_0000..0x3000_0000;
    match (kind, value) {
        (RawKind::HandshakeFailedAuth, code) => (
            Status::Permission,
            format!("the key was refused (code {code}): is it among the allowed keys?"),
        ),
        (RawKind::HandshakeFailedProtocol, CRYPTOGRAPHIC) => (
            Status::Permission,
            "the keys do not fit: does the client have this server's public key?".into(),
        ),
        (RawKind::HandshakeFailedProtocol, MECHANISM_MISMATCH) => {
            (Status::Handshake, "one side uses CURVE and the other does not".into())
        }
        (RawKind::HandshakeFailedProtocol, code) if ZAP_ERRORS.contains(&code) => (
            Status::Permission,
            format!("the keys could not be checked (code {code:#x})"),
        ),
        (RawKind::HandshakeFailedProtocol, code) => (
            Status::Handshake,
            format!("the peer broke the protocol (code {code:#x}), or its role does not fit"),
        ),
        (_, code) => (
            Status::Handshake,
            format!("the peer ended the handshake ({})", errno::text(code as i32)),
        ),
    }
}
