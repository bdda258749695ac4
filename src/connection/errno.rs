//! libzmq's errno values as statuses, with a text that names what was tried.

use std::ffi::CStr;

use crate::error::{Error, Status};

/// libzmq's own numbers, where the system has none.
const HAUSNUMERO: i32 = 156_384_712;
const EFSM: i32 = HAUSNUMERO + 51;
const ENOCOMPATPROTO: i32 = HAUSNUMERO + 52;
const ETERM: i32 = HAUSNUMERO + 53;
const EMTHREAD: i32 = HAUSNUMERO + 54;

/// errno as libzmq left it on this thread.
pub(crate) fn last() -> i32 {
    // SAFETY: no arguments, reads a thread-local.
    unsafe { zmq_sys::zmq_errno() }
}

/// Calls libzmq again while a signal interrupts it: binding and connecting begin with a look at the socket's commands,
/// which a signal ends before anything was done.
pub(crate) fn uninterrupted(mut call: impl FnMut() -> i32) -> i32 {
    loop {
        let rc = call();
        if rc >= 0 || last() != libc::EINTR {
            return rc;
        }
    }
}

/// What libzmq says about it.
pub(crate) fn text(errno: i32) -> String {
    // SAFETY: zmq_strerror returns a static NUL-terminated string for every number.
    unsafe { CStr::from_ptr(zmq_sys::zmq_strerror(errno)) }
        .to_string_lossy()
        .into_owned()
}

/// The error for `errno` met while doing `what` ("bind tcp://...").
pub(crate) fn error(errno: i32, what: &str) -> Error {
    Error::new(status(errno), format!("cannot {what}: {}", text(errno)))
}

fn status(errno: i32) -> Status {
    match errno {
        libc::EAGAIN => Status::WouldBlock,
        libc::EADDRINUSE => Status::AddressInUse,
        libc::EADDRNOTAVAIL | libc::EHOSTUNREACH | libc::ECONNREFUSED | libc::ENETUNREACH | libc::ENETDOWN => {
            Status::Unreachable
        }
        libc::EACCES | libc::EPERM => Status::Permission,
        libc::EINVAL => Status::InvalidArgument,
        libc::ENODEV
        | libc::ENOENT
        | libc::ENOTDIR
        | libc::EPROTONOSUPPORT
        | libc::ENAMETOOLONG
        | libc::EROFS
        | libc::EISDIR => Status::Endpoint,
        libc::EMFILE | libc::ENFILE => Status::Limit,
        libc::ENOMEM => Status::OutOfMemory,
        libc::ENOTSUP => Status::Unsupported,
        libc::ENOTSOCK => Status::Closed,
        EFSM => Status::State,
        ENOCOMPATPROTO => Status::Endpoint,
        ETERM => Status::Closed,
        EMTHREAD => Status::Limit,
        _ => Status::Internal,
    }
}
