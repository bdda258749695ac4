//! Messages of all sizes arrive whole and in order, however much of them goes into one system call.

use std::os::raw::c_int;
use std::thread;

/// Below, at and above what is gathered, what passes by the buffer, and what the buffer holds.
const SIZES: [usize; 18] = [
    0, 1, 33, 34, 64, 255, 256, 1_000, 4_000, 8_180, 8_191, 8_192, 8_193, 24_567, 24_576, 24_585, 65_536, 200_001,
];

fn batch_size(socket: &mut zmq::Socket, bytes: c_int) -> c_int {
    // SAFETY: the socket is alive and this thread's; an int and its size.
    unsafe {
        zmq_sys::zmq_setsockopt(
            socket.as_mut_ptr(),
            zmq_sys::ZMQ_SYS_BATCH_SIZE as c_int,
            (&bytes as *const c_int).cast(),
            std::mem::size_of::<c_int>(),
        )
    }
}

/// The same sequence each time, without two alike next to each other for long.
struct Sequence(u64);

impl Sequence {
    fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    /// Runs of small ones, so that batches fill, with large ones in between.
    fn size(&mut self) -> usize {
        let small = self.next() % 4 != 0;
        let among = if small { 8 } else { SIZES.len() };
        SIZES[self.next() as usize % among] + (self.next() % 3) as usize
    }
}

fn content(number: usize, size: usize) -> Vec<u8> {
    (0..size).map(|at| (number * 31 + at * 7 + at / 251) as u8).collect()
}

fn exchange(endpoint: &str, batch: Option<c_int>, high_water_mark: i32) {
    const MESSAGES: usize = 1_200;
    let context = zmq::Context::new();
    let mut push = context.socket(zmq::PUSH).unwrap();
    let mut pull = context.socket(zmq::PULL).unwrap();
    for socket in [&mut push, &mut pull] {
        if let Some(batch) = batch {
            assert_eq!(batch_size(socket, batch), 0);
        }
        socket.set_sndhwm(high_water_mark).unwrap();
        socket.set_rcvhwm(high_water_mark).unwrap();
    }
    pull.set_rcvtimeo(20_000).unwrap();
    pull.bind(endpoint).unwrap();
    push.connect(&pull.get_last_endpoint().unwrap().unwrap()).unwrap();
    let sender = thread::spawn(move || {
        let mut sequence = Sequence(7);
        for number in 0..MESSAGES {
            // Some in two frames.
            let flags = if number % 5 == 0 { zmq::SNDMORE } else { 0 };
            push.send(content(number, sequence.size()), flags).unwrap();
            if flags != 0 {
                push.send(content(number + 1, sequence.size()), 0).unwrap();
            }
        }
    });
    let mut sequence = Sequence(7);
    for number in 0..MESSAGES {
        let frames = pull.recv_multipart(0).unwrap();
        let expected = if number % 5 == 0 { 2 } else { 1 };
        assert_eq!(frames.len(), expected, "message {number}, batches of {batch:?}");
        for (i, frame) in frames.iter().enumerate() {
            let size = sequence.size();
            assert_eq!(frame.len(), size, "message {number}, batches of {batch:?}");
            assert!(
                *frame == content(number + i, size),
                "message {number} of {size} bytes, batches of {batch:?}"
            );
        }
    }
    sender.join().unwrap();
}

#[test]
fn messages_of_all_sizes_arrive_whole_and_in_order() {
    for batch in [None, Some(8_192), Some(24_576), Some(1 << 20)] {
        exchange("tcp://127.0.0.1:*", batch, 0);
        exchange("tcp://127.0.0.1:*", batch, 2);
    }
    exchange("ipc://*", Some(24_576), 0);
}

#[test]
fn a_batch_smaller_than_libzmqs_own_is_refused() {
    let context = zmq::Context::new();
    let mut push = context.socket(zmq::PUSH).unwrap();
    for wrong in [8_191, 0, -1] {
        assert_eq!(batch_size(&mut push, wrong), -1);
        // SAFETY: no arguments.
        assert_eq!(
            zmq::Error::from_raw(unsafe { zmq_sys::zmq_errno() }),
            zmq::Error::EINVAL
        );
    }
    assert_eq!(batch_size(&mut push, 8_192), 0);
}
