//! The errno values that libzmq uses, as the `zmq` crate names them.

use crate::ZMQ_HAUSNUMERO;

macro_rules! of_the_system {
    ($($name:ident)*) => { $(pub const $name: i32 = libc::$name;)* };
}

of_the_system! {
    EACCES EADDRINUSE EADDRNOTAVAIL EAFNOSUPPORT EAGAIN EBUSY ECONNABORTED ECONNREFUSED ECONNRESET EFAULT EHOSTUNREACH
    EINPROGRESS EINTR EINVAL EMFILE EMSGSIZE ENAMETOOLONG ENETDOWN ENETRESET ENETUNREACH ENOBUFS ENODEV ENOENT ENOMEM
    ENOTCONN ENOTSOCK ENOTSUP EPIPE EPROTO EPROTONOSUPPORT ETIMEDOUT
}

const BASE: i32 = ZMQ_HAUSNUMERO as i32;

// libzmq's own.
pub const EFSM: i32 = BASE + 51;
pub const ENOCOMPATPROTO: i32 = BASE + 52;
pub const ETERM: i32 = BASE + 53;
pub const EMTHREAD: i32 = BASE + 54;

// What libzmq answers where the system lacks the errno; the zmq crate matches on them.
pub const ENOTSUP_ALT: i32 = BASE + 1;
pub const EPROTONOSUPPORT_ALT: i32 = BASE + 2;
pub const ENOBUFS_ALT: i32 = BASE + 3;
pub const ENETDOWN_ALT: i32 = BASE + 4;
pub const EADDRINUSE_ALT: i32 = BASE + 5;
pub const EADDRNOTAVAIL_ALT: i32 = BASE + 6;
pub const ECONNREFUSED_ALT: i32 = BASE + 7;
pub const EINPROGRESS_ALT: i32 = BASE + 8;
pub const ENOTSOCK_ALT: i32 = BASE + 9;
pub const EMSGSIZE_ALT: i32 = BASE + 10;
