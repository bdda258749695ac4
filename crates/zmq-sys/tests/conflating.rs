//! A receiver that keeps the latest message only gets the latest one, also where it looks while that is being written.

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const ROUNDS: u32 = 30_000;
const LIMIT: Duration = Duration::from_secs(20);

#[test]
fn the_latest_message_is_received() {
    let context = zmq::Context::new();
    let push = context.socket(zmq::PUSH).unwrap();
    push.bind("inproc://latest").unwrap();
    let pull = context.socket(zmq::PULL).unwrap();
    pull.set_conflate(true).unwrap();
    pull.connect("inproc://latest").unwrap();
    let received = AtomicU32::new(0);
    thread::scope(|scope| {
        let received = &received;
        scope.spawn(move || {
            while received.load(Ordering::Acquire) < 2 * ROUNDS {
                match pull.recv_bytes(zmq::DONTWAIT) {
                    Ok(number) => received.store(u32::from_le_bytes(number.try_into().unwrap()), Ordering::Release),
                    Err(error) => assert_eq!(error, zmq::Error::EAGAIN),
                }
            }
        });
        for round in 1..=ROUNDS {
            // The second one comes while the receiver, woken by the first, looks.
            push.send((2 * round - 1).to_le_bytes().as_slice(), 0).unwrap();
            for _ in 0..round % 64 {
                std::hint::spin_loop();
            }
            push.send((2 * round).to_le_bytes().as_slice(), 0).unwrap();
            let begin = Instant::now();
            while received.load(Ordering::Acquire) != 2 * round {
                if begin.elapsed() > LIMIT {
                    received.store(2 * ROUNDS, Ordering::Release);
                    panic!("message {} was lost", 2 * round);
                }
                thread::yield_now();
            }
        }
    });
}
