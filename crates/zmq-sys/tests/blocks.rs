//! Large messages: their memory is used again, and what is kept of it is bounded. One test, since it measures the memory of
//! the process.

use std::mem::MaybeUninit;
use std::sync::mpsc;
use std::thread;

use zmq_sys::zmq_msg_t;

struct Held(zmq_msg_t);

// SAFETY: a message may be used by any one thread.
unsafe impl Send for Held {}

impl Held {
    fn new(size: usize, fill: u8) -> Held {
        let mut raw = MaybeUninit::<zmq_msg_t>::uninit();
        // SAFETY: made, and all of it written.
        unsafe {
            assert_eq!(zmq_sys::zmq_sys_msg_init_size(raw.as_mut_ptr(), size), 0);
            let mut message = raw.assume_init();
            zmq_sys::zmq_msg_data(&mut message).cast::<u8>().write_bytes(fill, size);
            Held(message)
        }
    }

    fn content(&mut self) -> &[u8] {
        // SAFETY: initialised, and borrowed.
        unsafe {
            let size = zmq_sys::zmq_msg_size(&self.0);
            std::slice::from_raw_parts(zmq_sys::zmq_msg_data(&mut self.0).cast::<u8>(), size)
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // SAFETY: closed once.
        unsafe { assert_eq!(zmq_sys::zmq_msg_close(&mut self.0), 0) };
    }
}

fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

#[test]
fn memory_of_large_messages_is_used_again_and_bounded() {
    // What one thread has closed another one gets, which malloc would serve from an arena of its own.
    let first = Held::new(64 * KIB, 0).content().as_ptr() as usize;
    let (ask, asked) = mpsc::channel();
    let (answer, answered) = mpsc::channel();
    let other = thread::spawn(move || {
        for number in asked {
            let mut message = Held::new(64 * KIB, number);
            assert!(message.content().iter().all(|byte| *byte == number));
            answer.send(message.content().as_ptr() as usize).unwrap();
        }
    });
    // Of more messages than are kept.
    for number in 0..200 {
        ask.send(number).unwrap();
        assert_eq!(answered.recv().unwrap(), first, "message {number}");
    }
    drop(ask);
    other.join().unwrap();

    // Kept is a little of many, of whatever sizes.
    let before = resident();
    let sizes = (100..500).step_by(20).flat_map(|kib| [kib * KIB; 20]);
    let many: Vec<Held> = sizes.map(|size| Held::new(size, 1)).collect();
    assert!(resident() > before + 80 * MIB);
    drop(many);
    let after = resident();
    assert!(after < before + 16 * MIB, "{} MiB more", (after - before) / MIB);
}
