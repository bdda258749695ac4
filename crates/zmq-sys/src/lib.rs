//! Declarations of libzmq's C API (4.3.5) for the `zmq` crate and for dividere, which put this crate in the place of the
//! published zmq-sys. README.md tells what differs, and how libzmq is built.
//!
//! Every function is as libzmq documents it: <https://libzmq.readthedocs.io>. Return values are an int of 0 or more (or a
//! pointer) for success, and -1 (or null) with [`zmq_errno`] set for failure, unless said otherwise.

#![allow(non_camel_case_types)]

// For the linker only: libzmq's CURVE needs libsodium.
#[cfg(not(zmq_system))]
extern crate libsodium_sys;

mod constants;
pub mod errno;
mod functions;

pub use constants::*;
pub use functions::*;

pub use std::os::unix::io::RawFd;

use std::os::raw::{c_int, c_short, c_uchar, c_void};

/// A message. It may hold a small payload inline, so a view of the payload moves with it.
#[repr(C, align(8))]
#[derive(Copy, Clone)]
pub struct zmq_msg_t {
    pub __: [c_uchar; 64],
}

impl Default for zmq_msg_t {
    /// All zero: not a message yet. Call `zmq_msg_init` or one of its kin before anything else.
    fn default() -> Self {
        Self { __: [0; 64] }
    }
}

/// One thing that [`zmq_poll`] waits for: `socket`, or `fd` when `socket` is null.
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct zmq_pollitem_t {
    pub socket: *mut c_void,
    pub fd: RawFd,
    pub events: c_short,
    pub revents: c_short,
}

/// Frees the data of a message made by [`zmq_msg_init_data`]; called on any thread.
pub type zmq_free_fn = Option<unsafe extern "C" fn(data: *mut c_void, hint: *mut c_void)>;

/// A version of libzmq, as (major, minor, patch).
pub fn version() -> (c_int, c_int, c_int) {
    let (mut major, mut minor, mut patch) = (0, 0, 0);
    // SAFETY: three valid places to write to.
    unsafe { zmq_version(&mut major, &mut minor, &mut patch) };
    (major, minor, patch)
}
