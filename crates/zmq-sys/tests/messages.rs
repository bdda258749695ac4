//! Small messages that share memory, and received ones without properties: what they hold is theirs until they are closed,
//! by whichever thread and in whatever order.

use std::mem::MaybeUninit;
use std::os::raw::{c_int, c_void};
use std::sync::mpsc;
use std::thread;

use zmq_sys::zmq_msg_t;

/// Held by one thread at a time.
struct Held(zmq_msg_t, usize);

// SAFETY: a message may be used by any one thread.
unsafe impl Send for Held {}

fn byte(number: usize, at: usize) -> u8 {
    (number * 31 + at * 7 + at / 251) as u8
}

impl Held {
    /// A message of `size` bytes that tell its number.
    fn new(number: usize, size: usize) -> Held {
        let mut raw = MaybeUninit::<zmq_msg_t>::uninit();
        // SAFETY: made, and all of it written.
        unsafe {
            assert_eq!(zmq_sys::zmq_sys_msg_init_size(raw.as_mut_ptr(), size), 0);
            let mut message = raw.assume_init();
            let place = zmq_sys::zmq_msg_data(&mut message).cast::<u8>();
            assert_eq!(place as usize % 8, 0, "as malloc aligns it");
            assert_eq!(zmq_sys::zmq_msg_size(&message), size);
            for at in 0..size {
                place.add(at).write(byte(number, at));
            }
            Held(message, number)
        }
    }

    fn check(&mut self) {
        // SAFETY: made by `new` or by libzmq.
        let content = unsafe {
            let size = zmq_sys::zmq_msg_size(&self.0);
            std::slice::from_raw_parts(zmq_sys::zmq_msg_data(&mut self.0).cast::<u8>(), size)
        };
        let number = self.1;
        assert!(
            content.iter().enumerate().all(|(at, found)| *found == byte(number, at)),
            "message {number} of {} bytes was written over",
            content.len()
        );
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.check();
        // SAFETY: closed once.
        unsafe { assert_eq!(zmq_sys::zmq_msg_close(&mut self.0), 0) };
    }
}

/// Below, at and above what is inline, what shares memory, and what fills a slab to its last byte.
const SIZES: [usize; 14] = [
    0, 1, 33, 34, 64, 104, 255, 1_000, 1_500, 1_535, 1_536, 1_537, 4_000, 40_000,
];

fn size_of(number: usize) -> usize {
    SIZES[number * 2_654_435_761 % 4_294_967_296 % SIZES.len()]
}

#[test]
fn messages_outlive_the_thread_that_made_them() {
    let kept: Vec<Held> = thread::spawn(|| (0..3_000).map(|number| Held::new(number, size_of(number))).collect())
        .join()
        .unwrap();
    // Others take memory meanwhile.
    let others: Vec<Held> = (0..3_000)
        .map(|number| Held::new(number + 7, size_of(number)))
        .collect();
    drop(kept);
    drop(others);
}

#[test]
fn messages_are_closed_by_other_threads_in_any_order() {
    const MESSAGES: usize = 60_000;
    const CLOSERS: usize = 3;
    let (closers, senders): (Vec<_>, Vec<_>) = (0..CLOSERS)
        .map(|closer| {
            let (sender, receiver) = mpsc::sync_channel::<Held>(500);
            let closing = thread::spawn(move || {
                let mut kept = Vec::new();
                for message in receiver {
                    // Some are closed at once, some late, some last.
                    kept.push(message);
                    if kept.len() > 50 * (closer + 1) {
                        let at = kept.len() * 7 / 11;
                        kept.swap_remove(at);
                    }
                }
            });
            (closing, sender)
        })
        .unzip();
    for number in 0..MESSAGES {
        let message = Held::new(number, size_of(number));
        match number % (CLOSERS + 1) {
            CLOSERS => drop(message),
            closer => senders[closer].send(message).unwrap(),
        }
    }
    drop(senders);
    closers.into_iter().for_each(|closing| closing.join().unwrap());
}

fn set(socket: &mut zmq::Socket, option: u32, value: c_int) -> c_int {
    let size = std::mem::size_of::<c_int>();
    let place = (&value as *const c_int).cast::<c_void>();
    // SAFETY: the socket is this thread's; an int and its size.
    unsafe { zmq_sys::zmq_setsockopt(socket.as_mut_ptr(), option as c_int, place, size) }
}

/// A message shared by several pipes is closed by each of them, once.
#[test]
fn shared_messages_are_closed_once() {
    let context = zmq::Context::new();
    let mut publisher = context.socket(zmq::XPUB).unwrap();
    // Tells of each subscriber, also of those who ask for the same.
    assert_eq!(set(&mut publisher, zmq_sys::ZMQ_XPUB_VERBOSE, 1), 0);
    publisher.bind("inproc://shared").unwrap();
    let subscribers: Vec<_> = (0..3)
        .map(|_| {
            let subscriber = context.socket(zmq::SUB).unwrap();
            subscriber.set_rcvtimeo(20_000).unwrap();
            subscriber.set_rcvhwm(0).unwrap();
            subscriber.connect("inproc://shared").unwrap();
            subscriber.set_subscribe(b"").unwrap();
            subscriber
        })
        .collect();
    publisher.set_rcvtimeo(20_000).unwrap();
    for _ in &subscribers {
        publisher.recv_msg(0).unwrap();
    }
    publisher.set_sndhwm(0).unwrap();
    for number in 0..2_000 {
        let mut message = Held::new(number, 64);
        let mut copy = Held::new(0, 0);
        // SAFETY: both are live messages; the socket is this thread's.
        unsafe {
            assert_eq!(zmq_sys::zmq_msg_copy(&mut copy.0, &mut message.0), 0);
            copy.1 = number;
            assert_eq!(zmq_sys::zmq_msg_send(&mut message.0, publisher.as_mut_ptr(), 0), 64);
        }
        for subscriber in &subscribers {
            let content = subscriber.recv_bytes(0).unwrap();
            assert!(content.iter().enumerate().all(|(at, found)| *found == byte(number, at)));
        }
    }
}

fn source_of_a_message(plain: bool) -> c_int {
    const SRCFD: c_int = 2;
    let context = zmq::Context::new();
    let mut pull = context.socket(zmq::PULL).unwrap();
    assert_eq!(set(&mut pull, zmq_sys::ZMQ_SYS_PLAIN_MESSAGES, c_int::from(plain)), 0);
    pull.set_rcvtimeo(20_000).unwrap();
    pull.bind("tcp://127.0.0.1:*").unwrap();
    let push = context.socket(zmq::PUSH).unwrap();
    push.connect(&pull.get_last_endpoint().unwrap().unwrap()).unwrap();
    push.send("a message", 0).unwrap();
    let mut message = Held::new(0, 0);
    // SAFETY: a live message; the socket is this thread's. Its property is only read.
    unsafe {
        assert_eq!(zmq_sys::zmq_msg_recv(&mut message.0, pull.as_mut_ptr(), 0), 9);
        let source = zmq_sys::zmq_msg_get(&message.0, SRCFD);
        assert_eq!(zmq_sys::zmq_msg_close(&mut message.0), 0);
        zmq_sys::zmq_msg_init(&mut message.0);
        source
    }
}

#[test]
fn messages_are_plain_where_that_was_asked_for() {
    assert!(source_of_a_message(false) >= 0);
    assert_eq!(source_of_a_message(true), -1);
}

#[test]
fn large_messages_have_room_for_what_they_were_made_for() {
    // Around every size at which the block changes, with what is in front of it; of the largest ones, some.
    let whole = (15..=18).flat_map(|power| (4..8).map(move |quarters| (1_usize << power) / 4 * quarters));
    let edges: Vec<usize> = whole
        .chain([1 << 20, 1 << 21])
        .flat_map(|size| [size - 57, size - 56, size - 55, size, size + 1])
        .collect();
    for _again in 0..2 {
        let mut held: Vec<Held> = Vec::new();
        for (number, size) in edges.iter().enumerate() {
            let message = Held::new(number, *size);
            // Some are closed by another thread, where others are made.
            match number % 3 {
                0 => thread::spawn(move || drop(message)).join().unwrap(),
                _ => held.push(message),
            }
            if held.len() > 24 {
                drop(held.swap_remove(number % 24));
            }
        }
    }
}
