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

unsafe extern "C" {
    fn malloc_trim(pad: usize) -> i32;
    fn mmap(at: *mut u8, size: usize, protection: i32, flags: i32, fd: i32, offset: isize) -> *mut u8;
    fn munmap(at: *mut u8, size: usize) -> i32;
}

/// So many mappings may a process have, where the test has time to make them.
fn most_mappings() -> Option<usize> {
    let text = std::fs::read_to_string("/proc/sys/vm/max_map_count").ok()?;
    text.trim().parse().ok().filter(|most| *most <= 1 << 18)
}

/// Where a process has no mapping left, the system does not give back a part of one: nothing else comes of it.
fn may_fail_to_be_given_back() {
    let Some(most) = most_mappings() else {
        return;
    };
    // More than are kept of a size, and so many as there may be: side by side, as one mapping.
    let held: Vec<Held> = (0..51).map(|_| Held::new(64 * KIB, 1)).collect();
    let (odd, even): (Vec<_>, Vec<_>) = held.into_iter().enumerate().partition(|(i, _)| i % 2 == 1);
    let mut pages: Vec<*mut u8> = Vec::with_capacity(most);
    let private_anonymous = 0x22;
    loop {
        // In turns without any access and with some to read: so that they are not joined.
        let protection = i32::from(pages.len() % 2 == 0);
        // SAFETY: new memory, which nobody looks at.
        let page = unsafe { mmap(std::ptr::null_mut(), 4096, protection, private_anonymous, -1, 0) };
        if page as isize == -1 {
            break;
        }
        pages.push(page);
    }
    drop((odd, even));
    for page in &pages {
        // SAFETY: mapped above.
        assert_eq!(unsafe { munmap(*page, 4096) }, 0);
    }
    assert!(pages.len() > most / 2);
}

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// What one thread has closed another one gets, which malloc would serve from an arena of its own.
fn is_handed_on(size: usize) {
    let first = Held::new(size, 0).content().as_ptr() as usize;
    let (ask, asked) = mpsc::channel();
    let (answer, answered) = mpsc::channel();
    let other = thread::spawn(move || {
        for number in asked {
            let mut message = Held::new(size, number);
            assert!(message.content().iter().all(|byte| *byte == number));
            answer.send(message.content().as_ptr() as usize).unwrap();
        }
    });
    // Of more messages than are kept.
    for number in 0..150 {
        ask.send(number).unwrap();
        assert_eq!(
            answered.recv().unwrap(),
            first,
            "message {number} of {} KiB",
            size / KIB
        );
    }
    drop(ask);
    other.join().unwrap();
}

#[test]
fn memory_of_large_messages_is_used_again_and_bounded() {
    // Also while as much is kept as may be: those of another size make way.
    for size in [64 * KIB, 40 * KIB, 500 * KIB, MIB, 1800 * KIB, 100 * KIB] {
        is_handed_on(size);
        drop((0..100).map(|_| Held::new(size, 1)).collect::<Vec<_>>());
    }

    // Kept is a little of many, of whatever sizes, and whichever is closed first.
    let before = resident();
    for backwards in [false, true] {
        for sizes in [100..500, 40..41] {
            let sizes = sizes.step_by(20).flat_map(|kib| [kib * KIB; 20]).cycle();
            let mut many: Vec<Held> = sizes.take(2000).map(|size| Held::new(size, 1)).collect();
            assert!(resident() > before + 70 * MIB);
            if backwards {
                many.reverse();
            }
            drop(many);
            // What malloc keeps is not meant: in the arena of a thread that is much or nothing.
            // SAFETY: a C function without pointers.
            unsafe { malloc_trim(0) };
            let after = resident();
            assert!(
                after < before + 16 * MIB,
                "{} MiB more (backwards: {backwards})",
                (after.saturating_sub(before)) / MIB
            );
        }
    }

    may_fail_to_be_given_back();
    is_handed_on(64 * KIB);
}
