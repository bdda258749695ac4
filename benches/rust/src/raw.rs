//! libzmq's C API, called as a C program would: a message object made, sent, received; no wrapper in between.

use std::ffi::{c_void, CString};

use crate::{payload, Library};

pub struct Raw;

/// The process's one context.
static CONTEXT: std::sync::OnceLock<usize> = std::sync::OnceLock::new();

/// A socket of the context.
pub fn socket(kind: u32) -> *mut c_void {
    let context = *CONTEXT.get_or_init(|| unsafe { zmq_sys::zmq_ctx_new() } as usize) as *mut c_void;
    let socket = unsafe { zmq_sys::zmq_socket(context, kind as i32) };
    assert!(!socket.is_null());
    socket
}

fn set(socket: *mut c_void, option: u32, value: i32) {
    let rc = unsafe { zmq_sys::zmq_setsockopt(socket, option as i32, (&value as *const i32).cast(), 4) };
    assert_eq!(rc, 0);
}

pub fn bind(socket: *mut c_void, endpoint: &str) -> String {
    let text = CString::new(endpoint).expect("no NUL");
    assert_eq!(unsafe { zmq_sys::zmq_bind(socket, text.as_ptr()) }, 0);
    let mut last = [0u8; 256];
    let mut size = last.len();
    let option = zmq_sys::ZMQ_LAST_ENDPOINT as i32;
    assert_eq!(
        unsafe { zmq_sys::zmq_getsockopt(socket, option, last.as_mut_ptr().cast(), &mut size) },
        0
    );
    String::from_utf8_lossy(&last[..size - 1]).into_owned()
}

pub fn connect(socket: *mut c_void, endpoint: &str) {
    let text = CString::new(endpoint).expect("no NUL");
    assert_eq!(unsafe { zmq_sys::zmq_connect(socket, text.as_ptr()) }, 0);
}

/// A message on the stack, as in C.
pub fn message() -> zmq_sys::zmq_msg_t {
    let mut message = std::mem::MaybeUninit::uninit();
    unsafe {
        zmq_sys::zmq_msg_init(message.as_mut_ptr());
        message.assume_init()
    }
}

/// For zmq_poll, until there is something to receive.
pub fn readable(socket: *mut c_void) -> zmq_sys::zmq_pollitem_t {
    zmq_sys::zmq_pollitem_t {
        socket,
        fd: 0,
        events: zmq_sys::ZMQ_POLLIN as i16,
        revents: 0,
    }
}

fn send(socket: *mut c_void, payload: &[u8]) {
    unsafe {
        let mut message = std::mem::MaybeUninit::uninit();
        assert_eq!(zmq_sys::zmq_msg_init_size(message.as_mut_ptr(), payload.len()), 0);
        let mut message = message.assume_init();
        let place = zmq_sys::zmq_msg_data(&mut message).cast::<u8>();
        std::ptr::copy_nonoverlapping(payload.as_ptr(), place, payload.len());
        assert!(zmq_sys::zmq_msg_send(&mut message, socket, 0) >= 0);
    }
}

fn recv(socket: *mut c_void, message: &mut zmq_sys::zmq_msg_t, size: usize) {
    let got = unsafe { zmq_sys::zmq_msg_recv(message, socket, 0) };
    assert_eq!(got, size as i32);
}

impl Library for Raw {
    fn send(endpoint: &str, size: usize, count: u64, bound: &dyn Fn(&str)) {
        const XPUB_NODROP: u32 = 69;
        let publisher = socket(zmq_sys::ZMQ_XPUB);
        set(publisher, XPUB_NODROP, 1);
        bound(&bind(publisher, endpoint));
        recv(publisher, &mut message(), 1);
        let payload = payload(size);
        for _ in 0..count {
            send(publisher, &payload);
        }
        unsafe { zmq_sys::zmq_close(publisher) };
        if !endpoint.starts_with("inproc") {
            end();
        }
    }

    fn recv(endpoint: &str, size: usize, count: u64, first: &mut dyn FnMut()) {
        let subscriber = socket(zmq_sys::ZMQ_SUB);
        unsafe { zmq_sys::zmq_setsockopt(subscriber, zmq_sys::ZMQ_SUBSCRIBE as i32, std::ptr::null(), 0) };
        connect(subscriber, endpoint);
        let mut message = message();
        for i in 0..count {
            recv(subscriber, &mut message, size);
            if i == 0 {
                first();
            }
        }
    }

    fn pong(endpoint: &str, size: usize, count: u64, bound: &dyn Fn(&str)) {
        let response = socket(zmq_sys::ZMQ_REP);
        bound(&bind(response, endpoint));
        let mut message = message();
        for _ in 0..count {
            recv(response, &mut message, size);
            assert!(unsafe { zmq_sys::zmq_msg_send(&mut message, response, 0) } >= 0);
        }
        unsafe { zmq_sys::zmq_close(response) };
        end();
    }

    fn ping(endpoint: &str, size: usize, count: u64, each: &mut dyn FnMut()) {
        let request = socket(zmq_sys::ZMQ_REQ);
        connect(request, endpoint);
        let payload = payload(size);
        let mut message = message();
        for _ in 0..count {
            send(request, &payload);
            recv(request, &mut message, size);
            each();
        }
    }
}

/// Sends what is queued, without a limit of time: every socket is closed.
fn end() {
    let context = CONTEXT.get().copied().expect("a socket was made") as *mut c_void;
    unsafe { zmq_sys::zmq_ctx_term(context) };
}
