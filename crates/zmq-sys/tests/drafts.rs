//! What libzmq calls a draft and offers all the same.

use std::ffi::CString;
use std::os::raw::c_int;

mod peer;
use peer::{socket, Peer};

const EVENT_VERSION_2: c_int = 2;

fn number(frame: &[u8]) -> u64 {
    u64::from_ne_bytes(frame.try_into().unwrap())
}

#[test]
fn monitor_of_version_2_tells_both_addresses() {
    let context = zmq::Context::new();
    let mut pull = socket(&context, zmq::PULL);
    let endpoint = CString::new("inproc://events").unwrap();
    // SAFETY: the socket is alive and this thread's; a text that ends with a NUL.
    let rc = unsafe {
        zmq_sys::zmq_socket_monitor_versioned(
            pull.as_mut_ptr(),
            endpoint.as_ptr(),
            u64::from(zmq_sys::ZMQ_EVENT_ACCEPTED),
            EVENT_VERSION_2,
            zmq_sys::ZMQ_PAIR as c_int,
        )
    };
    assert_eq!(rc, 0);
    let events = socket(&context, zmq::PAIR);
    events.connect("inproc://events").unwrap();
    pull.bind("tcp://127.0.0.1:*").unwrap();
    let bound = pull.get_last_endpoint().unwrap().unwrap();
    let peer = Peer::connect(&pull);

    let event = events.recv_multipart(0).unwrap();
    assert_eq!(number(&event[0]), u64::from(zmq_sys::ZMQ_EVENT_ACCEPTED));
    assert_eq!(number(&event[1]), 1, "one value follows");
    assert_eq!(event.len(), 5);
    assert_eq!(event[3], bound.as_bytes());
    assert_eq!(
        event[4],
        format!("tcp://{}", peer.stream.local_addr().unwrap()).as_bytes()
    );
}

#[test]
fn options_that_work_without_the_draft_api() {
    let context = zmq::Context::new();
    for (kind, option, value) in [
        (
            zmq::SUB,
            zmq_sys::ZMQ_RECONNECT_STOP,
            zmq_sys::ZMQ_RECONNECT_STOP_CONN_REFUSED,
        ),
        (zmq::PULL, zmq_sys::ZMQ_ZAP_ENFORCE_DOMAIN, 1),
        (zmq::XPUB, zmq_sys::ZMQ_XPUB_VERBOSER, 1),
        (zmq::XPUB, zmq_sys::ZMQ_XPUB_NODROP, 1),
        (zmq::XPUB, zmq_sys::ZMQ_XPUB_MANUAL, 1),
        (zmq::XPUB, zmq_sys::ZMQ_ONLY_FIRST_SUBSCRIBE, 1),
    ] {
        let mut socket = socket(&context, kind);
        let value = value as c_int;
        // SAFETY: an int and its size; the socket is alive and this thread's.
        let rc = unsafe {
            zmq_sys::zmq_setsockopt(
                socket.as_mut_ptr(),
                option as c_int,
                (&raw const value).cast(),
                size_of::<c_int>(),
            )
        };
        assert_eq!(rc, 0, "option {option}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn threads_carry_the_prefix_of_their_context() {
    let prefix = "sysname";
    // SAFETY: a context of our own, ended below after its only socket; a text and its length.
    unsafe {
        let context = zmq_sys::zmq_ctx_new();
        let rc = zmq_sys::zmq_ctx_set_ext(
            context,
            zmq_sys::ZMQ_THREAD_NAME_PREFIX as c_int,
            prefix.as_ptr().cast(),
            prefix.len(),
        );
        assert_eq!(rc, 0);
        // The first socket starts the threads, and each names itself when it runs: ending the context waits for them.
        let socket = zmq_sys::zmq_socket(context, zmq_sys::ZMQ_PAIR as c_int);
        assert!(!socket.is_null());
        let start = std::time::Instant::now();
        while thread_names().iter().filter(|name| name.starts_with(prefix)).count() < 2 {
            assert!(
                start.elapsed() < peer::DEADLINE,
                "no two threads named {prefix} in {:?}",
                thread_names()
            );
            std::thread::yield_now();
        }
        assert_eq!(zmq_sys::zmq_close(socket), 0);
        assert_eq!(zmq_sys::zmq_ctx_term(context), 0);
    }
}

#[cfg(target_os = "linux")]
fn thread_names() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    // A thread may end between the listing and the reading.
    tasks
        .filter_map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")).ok())
        .collect()
}
