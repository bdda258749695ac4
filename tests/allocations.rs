//! In steady state a message costs no allocation of its own: malloc is counted while messages flow.
//!
//! Not under sanitizers (scripts/sanitize.sh), whose own malloc has to be the only one.
#![cfg(all(target_os = "linux", target_env = "gnu", not(dividere_tsan)))]

mod common;

use std::ffi::c_void;
use std::sync::atomic::{AtomicU64, Ordering};

use common::{address, dealers, endpoint, soon};
use dividere::connection::options::FullQueue;
use dividere::{Channel, Filter, Message, Options, Publisher, Subscriber};

static ASKED: AtomicU64 = AtomicU64::new(0);

extern "C" {
    fn __libc_malloc(size: usize) -> *mut c_void;
    fn __libc_calloc(count: usize, size: usize) -> *mut c_void;
    fn __libc_realloc(old: *mut c_void, size: usize) -> *mut c_void;
}

/// # Safety
/// As C's.
#[no_mangle]
pub unsafe extern "C" fn malloc(size: usize) -> *mut c_void {
    ASKED.fetch_add(1, Ordering::Relaxed);
    __libc_malloc(size)
}

/// # Safety
/// As C's.
#[no_mangle]
pub unsafe extern "C" fn calloc(count: usize, size: usize) -> *mut c_void {
    ASKED.fetch_add(1, Ordering::Relaxed);
    __libc_calloc(count, size)
}

/// # Safety
/// As C's.
#[no_mangle]
pub unsafe extern "C" fn realloc(old: *mut c_void, size: usize) -> *mut c_void {
    ASKED.fetch_add(1, Ordering::Relaxed);
    __libc_realloc(old, size)
}

const WARM_UP: usize = 1_000;
const MESSAGES: usize = 5_000;
/// As queues of libzmq (256 messages a piece) and slabs (16 KiB, 15 of the largest here) are begun.
const OF_LIBZMQ: f64 = 0.1;

/// Sends `size` bytes at a time through a channel and takes each out of the other: how often malloc was asked, for each.
fn asked_for_each(from: &dyn Channel, to: &dyn Channel, size: usize, typed: bool) -> f64 {
    let (mut sent, mut received) = (Message::new(), Message::new());
    let mut before = 0;
    for number in 0..WARM_UP + MESSAGES {
        if number == WARM_UP {
            before = ASKED.load(Ordering::Relaxed);
        }
        let place = match typed {
            true => sent.prepare("allocations.Payload", size),
            false => sent.prepare_bytes(size),
        };
        place.unwrap().fill(number as u8);
        from.send(&mut sent).unwrap();
        match typed {
            true => to.recv(&mut received, soon()).unwrap(),
            false => to.recv_bytes(&mut received, soon()).unwrap(),
        }
        assert_eq!((received.payload().len(), received.payload()[0]), (size, number as u8));
    }
    (ASKED.load(Ordering::Relaxed) - before) as f64 / MESSAGES as f64
}

/// One test: what another one allocates at the same time would be counted, too.
#[test]
fn a_message_costs_no_allocation_of_its_own() {
    // Over tcp libzmq reads into a buffer that the message keeps: one for each read, and here each message is read alone.
    for (transport, of_libzmq) in [("inproc", OF_LIBZMQ), ("tcp", 1.0 + OF_LIBZMQ)] {
        let mut options = Options::new();
        options.set_full_queue(Some(FullQueue::Block));
        let publisher = Publisher::new(&endpoint(transport), &options).unwrap();
        let subscriber = Subscriber::new(&address(&publisher), Filter::All, &options).unwrap();
        publisher.wait_for_subscribers(None, 1, soon()).unwrap();
        let (left, right) = dealers(transport, &options);
        for size in [8, 64, 1_000] {
            for typed in [false, true] {
                for (from, to) in [
                    (&publisher as &dyn Channel, &subscriber as &dyn Channel),
                    (&left, &right),
                ] {
                    let asked = asked_for_each(from, to, size, typed);
                    assert!(
                        asked <= of_libzmq,
                        "{asked} allocations for each message of {size} bytes, {transport}, {}, typed: {typed}",
                        from.role()
                    );
                }
            }
        }
    }
    assert!(ASKED.load(Ordering::Relaxed) > 100, "malloc is not counted");
}
