//! Why a bind failed, told to the caller also where the socket is monitored.

use std::ffi::CString;
use std::thread;
use std::time::Duration;

mod peer;
use peer::socket;

/// libzmq looks at a socket's commands again when three million ticks of the processor are over, about a millisecond.
const LONGER_THAN_LIBZMQ_LETS_COMMANDS_WAIT: Duration = Duration::from_millis(20);

#[test]
fn bind_to_an_address_in_use_says_so_on_a_monitored_socket() {
    let context = zmq::Context::new();
    let owner = socket(&context, zmq::PULL);
    owner.bind("tcp://127.0.0.1:*").unwrap();
    let taken = owner.get_last_endpoint().unwrap().unwrap();

    let mut other = socket(&context, zmq::PULL);
    let monitor = CString::new("inproc://events").unwrap();
    // SAFETY: the socket is alive and this thread's; a text that ends with a NUL.
    let rc = unsafe {
        zmq_sys::zmq_socket_monitor(
            other.as_mut_ptr(),
            monitor.as_ptr(),
            zmq_sys::ZMQ_EVENT_BIND_FAILED as _,
        )
    };
    assert_eq!(rc, 0);
    let events = socket(&context, zmq::PAIR);
    events.connect("inproc://events").unwrap();

    for _ in 0..5 {
        thread::sleep(LONGER_THAN_LIBZMQ_LETS_COMMANDS_WAIT);
        assert_eq!(other.bind(&taken).unwrap_err(), zmq::Error::EADDRINUSE);
        assert_eq!(events.recv_multipart(0).unwrap().len(), 2, "one event for each failure");
    }
}
