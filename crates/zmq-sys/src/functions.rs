//! The functions of zmq.h, and those of its drafts that work without the draft API.

use std::os::raw::{c_char, c_int, c_long, c_void};

use crate::{zmq_free_fn, zmq_msg_t, zmq_pollitem_t};

extern "C" {
    pub fn zmq_errno() -> c_int;
    pub fn zmq_strerror(errnum: c_int) -> *const c_char;
    pub fn zmq_version(major: *mut c_int, minor: *mut c_int, patch: *mut c_int);
    /// 1 when libzmq was built with a capability ("curve", "ipc", "draft", ...), else 0.
    pub fn zmq_has(capability: *const c_char) -> c_int;

    pub fn zmq_ctx_new() -> *mut c_void;
    pub fn zmq_ctx_term(context: *mut c_void) -> c_int;
    pub fn zmq_ctx_shutdown(context: *mut c_void) -> c_int;
    pub fn zmq_ctx_set(context: *mut c_void, option: c_int, optval: c_int) -> c_int;
    pub fn zmq_ctx_get(context: *mut c_void, option: c_int) -> c_int;

    pub fn zmq_msg_init(msg: *mut zmq_msg_t) -> c_int;
    pub fn zmq_msg_init_size(msg: *mut zmq_msg_t, size: usize) -> c_int;
    pub fn zmq_msg_init_data(
        msg: *mut zmq_msg_t,
        data: *mut c_void,
        size: usize,
        ffn: zmq_free_fn,
        hint: *mut c_void,
    ) -> c_int;
    pub fn zmq_msg_send(msg: *mut zmq_msg_t, socket: *mut c_void, flags: c_int) -> c_int;
    pub fn zmq_msg_recv(msg: *mut zmq_msg_t, socket: *mut c_void, flags: c_int) -> c_int;
    pub fn zmq_msg_close(msg: *mut zmq_msg_t) -> c_int;
    pub fn zmq_msg_move(dest: *mut zmq_msg_t, src: *mut zmq_msg_t) -> c_int;
    pub fn zmq_msg_copy(dest: *mut zmq_msg_t, src: *mut zmq_msg_t) -> c_int;
    pub fn zmq_msg_data(msg: *mut zmq_msg_t) -> *mut c_void;
    pub fn zmq_msg_size(msg: *const zmq_msg_t) -> usize;
    pub fn zmq_msg_more(msg: *const zmq_msg_t) -> c_int;
    pub fn zmq_msg_get(msg: *const zmq_msg_t, property: c_int) -> c_int;
    pub fn zmq_msg_set(msg: *mut zmq_msg_t, property: c_int, optval: c_int) -> c_int;
    /// A property of a received message ("Peer-Address", "Socket-Type", "User-Id", ...), or null when it has none.
    pub fn zmq_msg_gets(msg: *const zmq_msg_t, property: *const c_char) -> *const c_char;

    pub fn zmq_socket(context: *mut c_void, type_: c_int) -> *mut c_void;
    pub fn zmq_close(socket: *mut c_void) -> c_int;
    pub fn zmq_setsockopt(socket: *mut c_void, option: c_int, optval: *const c_void, optvallen: usize) -> c_int;
    pub fn zmq_getsockopt(socket: *mut c_void, option: c_int, optval: *mut c_void, optvallen: *mut usize) -> c_int;
    pub fn zmq_bind(socket: *mut c_void, endpoint: *const c_char) -> c_int;
    pub fn zmq_connect(socket: *mut c_void, endpoint: *const c_char) -> c_int;
    pub fn zmq_unbind(socket: *mut c_void, endpoint: *const c_char) -> c_int;
    pub fn zmq_disconnect(socket: *mut c_void, endpoint: *const c_char) -> c_int;
    pub fn zmq_send(socket: *mut c_void, buf: *const c_void, len: usize, flags: c_int) -> c_int;
    pub fn zmq_send_const(socket: *mut c_void, buf: *const c_void, len: usize, flags: c_int) -> c_int;
    pub fn zmq_recv(socket: *mut c_void, buf: *mut c_void, len: usize, flags: c_int) -> c_int;
    pub fn zmq_socket_monitor(socket: *mut c_void, endpoint: *const c_char, events: c_int) -> c_int;

    pub fn zmq_poll(items: *mut zmq_pollitem_t, nitems: c_int, timeout_ms: c_long) -> c_int;
    pub fn zmq_proxy(frontend: *mut c_void, backend: *mut c_void, capture: *mut c_void) -> c_int;
    pub fn zmq_proxy_steerable(
        frontend: *mut c_void,
        backend: *mut c_void,
        capture: *mut c_void,
        control: *mut c_void,
    ) -> c_int;

    /// Writes size * 5 / 4 characters and a NUL to `dest`; `size` is a multiple of 4.
    pub fn zmq_z85_encode(dest: *mut c_char, data: *const u8, size: usize) -> *mut c_char;
    /// Writes 4 bytes to `dest` for every 5 characters; null when the text is not Z85.
    pub fn zmq_z85_decode(dest: *mut u8, string: *const c_char) -> *mut u8;
    /// Makes a pair of keys: each 40 characters and a NUL.
    pub fn zmq_curve_keypair(z85_public_key: *mut c_char, z85_secret_key: *mut c_char) -> c_int;
    /// The public key (40 characters and a NUL) of a secret one.
    pub fn zmq_curve_public(z85_public_key: *mut c_char, z85_secret_key: *const c_char) -> c_int;
}

// Made reachable by shim.cpp. With the system's libzmq, [`missing`] answers instead.
#[cfg(not(zmq_system))]
extern "C" {
    /// Like [`zmq_socket_monitor`] with a choice of event version and of the monitor socket's type (`ZMQ_PAIR`, `ZMQ_PUB`
    /// or `ZMQ_PUSH`). An event of version 2 is a multipart message of native-endian numbers: the event (u64), how many
    /// values follow (u64), the values (u64 each), the local address, the remote address.
    #[link_name = "zmq_sys_socket_monitor_versioned"]
    pub fn zmq_socket_monitor_versioned(
        socket: *mut c_void,
        endpoint: *const c_char,
        events: u64,
        event_version: c_int,
        type_: c_int,
    ) -> c_int;
    /// Like [`zmq_ctx_set`] for values of any type; needed for `ZMQ_THREAD_NAME_PREFIX` (text without NUL).
    #[link_name = "zmq_sys_ctx_set_ext"]
    pub fn zmq_ctx_set_ext(context: *mut c_void, option: c_int, optval: *const c_void, optvallen: usize) -> c_int;
    #[link_name = "zmq_sys_ctx_get_ext"]
    pub fn zmq_ctx_get_ext(context: *mut c_void, option: c_int, optval: *mut c_void, optvallen: *mut usize) -> c_int;
    /// Of a ROUTER: `ZMQ_POLLIN` and `ZMQ_POLLOUT` of one peer, by its routing id; EHOSTUNREACH when there is none.
    #[link_name = "zmq_sys_socket_get_peer_state"]
    pub fn zmq_socket_get_peer_state(socket: *mut c_void, routing_id: *const c_void, routing_id_size: usize) -> c_int;
    /// A message with a copy of `size` bytes.
    #[link_name = "zmq_sys_msg_init_buffer"]
    pub fn zmq_msg_init_buffer(msg: *mut zmq_msg_t, buf: *const c_void, size: usize) -> c_int;
    /// As [`zmq_msg_init_size`], and small messages of one thread share their memory: malloc is asked once for many, and
    /// one that is kept keeps up to 16 KiB.
    pub fn zmq_sys_msg_init_size(msg: *mut zmq_msg_t, size: usize) -> c_int;
    /// Closes a message and makes it anew, as `zmq_sys_msg_init_size` does: where its content lies. Null, and an empty
    /// message, where there is no memory.
    pub fn zmq_sys_msg_renew(msg: *mut zmq_msg_t, size: usize) -> *mut c_void;
    /// Where a message's content lies, how long it is, and whether (not 0) another frame follows; all in one call.
    pub fn zmq_sys_msg_look(msg: *const zmq_msg_t, size: *mut usize, more: *mut c_int) -> *const c_void;
    /// With `gathers` 1, what a publisher or a dealer sends from here on is told to the other ends of its connections when
    /// this is called again, with 0, once for each: a batch wakes an I/O thread once. Nobody may wait in between. Other
    /// types of sockets tell of each message as ever.
    pub fn zmq_sys_gather(socket: *mut c_void, gathers: c_int);
    /// Has `parting` called, on an I/O thread, with each connection that ends on this side, for the whole process: its
    /// descriptor, the bytes that libzmq has not written to it (for the call), and the linger time in milliseconds (-1 for
    /// ever). Where it returns 1, the descriptor is its own from there on, else libzmq closes it. None: libzmq does.
    pub fn zmq_sys_set_parting(parting: Option<Parting>);
}

/// See `zmq_sys_set_parting`.
pub type Parting = extern "C" fn(descriptor: c_int, rest: *const u8, len: usize, linger_ms: c_int) -> c_int;

#[cfg(zmq_system)]
pub use missing::*;

/// The functions of shim.cpp where the system's libzmq is linked: -1, and ENOTSUP.
#[cfg(zmq_system)]
mod missing {
    use super::*;

    fn unsupported() -> c_int {
        #[cfg(target_os = "linux")]
        // SAFETY: the place of this thread's errno.
        unsafe {
            *libc::__errno_location() = libc::ENOTSUP
        };
        #[cfg(target_os = "macos")]
        // SAFETY: the place of this thread's errno.
        unsafe {
            *libc::__error() = libc::ENOTSUP
        };
        -1
    }

    pub unsafe fn zmq_socket_monitor_versioned(_: *mut c_void, _: *const c_char, _: u64, _: c_int, _: c_int) -> c_int {
        unsupported()
    }

    pub unsafe fn zmq_ctx_set_ext(_: *mut c_void, _: c_int, _: *const c_void, _: usize) -> c_int {
        unsupported()
    }

    pub unsafe fn zmq_ctx_get_ext(_: *mut c_void, _: c_int, _: *mut c_void, _: *mut usize) -> c_int {
        unsupported()
    }

    pub unsafe fn zmq_socket_get_peer_state(_: *mut c_void, _: *const c_void, _: usize) -> c_int {
        unsupported()
    }

    pub unsafe fn zmq_sys_msg_init_size(msg: *mut zmq_msg_t, size: usize) -> c_int {
        zmq_msg_init_size(msg, size)
    }

    pub unsafe fn zmq_sys_msg_renew(msg: *mut zmq_msg_t, size: usize) -> *mut c_void {
        zmq_msg_close(msg);
        if zmq_msg_init_size(msg, size) == 0 {
            return zmq_msg_data(msg);
        }
        zmq_msg_init(msg);
        std::ptr::null_mut()
    }

    pub unsafe fn zmq_sys_msg_look(msg: *const zmq_msg_t, size: *mut usize, more: *mut c_int) -> *const c_void {
        *size = zmq_msg_size(msg);
        *more = zmq_msg_more(msg.cast_mut());
        zmq_msg_data(msg.cast_mut())
    }

    pub unsafe fn zmq_sys_gather(_: *mut c_void, _: c_int) {}

    pub unsafe fn zmq_sys_set_parting(_: Option<Parting>) {}

    pub unsafe fn zmq_msg_init_buffer(_: *mut zmq_msg_t, _: *const c_void, _: usize) -> c_int {
        unsupported()
    }
}
