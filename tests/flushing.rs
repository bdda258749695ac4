//! Flush returns when the queues are empty, and not before.

use dividere::connection::options::FullQueue;
use dividere::{Channel, Deadline, Dealer, Message, Options, Publisher, Status};

fn soon() -> Deadline {
    Deadline::from_ms(20_000)
}

#[test]
fn flush_waits_until_a_slow_receiver_has_taken_what_was_queued() {
    let mut options = Options::new();
    options.set_send_high_water_mark(0).unwrap();
    options.set_full_queue(Some(FullQueue::Block));
    let mut few = Options::new();
    few.set_receive_high_water_mark(1).unwrap();
    let left = Dealer::new("tcp://127.0.0.1:*", &options).unwrap();
    let right = Dealer::new(&left.last_endpoint().unwrap(), &few).unwrap();
    left.wait_connected(1, soon()).unwrap();
    left.flush(Deadline::Now).unwrap();
    // More than the kernel's buffers hold.
    const COUNT: usize = 2_000;
    for _ in 0..COUNT {
        left.send(&mut Message::from_bytes(&[1; 16 * 1024]).unwrap()).unwrap();
    }
    assert_eq!(left.flush(Deadline::from_ms(50)).unwrap_err().status(), Status::Timeout);
    assert_eq!(left.flush(Deadline::Now).unwrap_err().status(), Status::WouldBlock);
    std::thread::scope(|scope| {
        let flushed = scope.spawn(|| left.flush(soon()));
        let mut message = Message::new();
        for _ in 0..COUNT {
            right.recv_bytes(&mut message, soon()).unwrap();
        }
        flushed.join().unwrap().unwrap();
    });
}

#[test]
fn flush_of_a_handle_without_peers_returns_at_once_and_of_one_with_an_absent_peer_times_out() {
    let publisher = Publisher::new("tcp://127.0.0.1:*", &Options::new()).unwrap();
    publisher.send_bytes(b"nobody").unwrap();
    publisher.flush(Deadline::from_ms(5_000)).unwrap();
    let free = publisher.last_endpoint().unwrap();
    publisher.close().unwrap();
    assert_eq!(publisher.flush(soon()).unwrap_err().status(), Status::Closed);
    let dealer = Dealer::new(&free, &Options::new()).unwrap();
    dealer.send(&mut Message::from_bytes(b"waits").unwrap()).unwrap();
    assert_eq!(
        dealer.flush(Deadline::from_ms(50)).unwrap_err().status(),
        Status::Timeout
    );
}

#[test]
fn over_inproc_what_was_sent_is_with_the_peer() {
    let left = Dealer::new("@inproc://flush", &Options::new()).unwrap();
    let right = Dealer::new(">inproc://flush", &Options::new()).unwrap();
    left.send(&mut Message::from_bytes(b"here").unwrap()).unwrap();
    left.flush(Deadline::Now).unwrap();
    left.close().unwrap();
    let mut message = Message::new();
    right.recv_bytes(&mut message, soon()).unwrap();
    assert_eq!(message.bytes(), b"here");
}

#[test]
fn flush_is_woken_by_close_and_outlives_a_peer_that_goes() {
    let left = Dealer::new("@tcp://127.0.0.1:*", &Options::new()).unwrap();
    let at = left.last_endpoint().unwrap();
    let mut few = Options::new();
    few.set_receive_high_water_mark(1).unwrap();
    let mut right = Some(Dealer::new(&at, &few).unwrap());
    let fill = || {
        left.wait_connected(1, soon()).unwrap();
        for _ in 0..900 {
            left.send(&mut Message::from_bytes(&[1; 16 * 1024]).unwrap()).unwrap();
        }
        assert_eq!(left.flush(Deadline::Now).unwrap_err().status(), Status::WouldBlock);
    };
    // What was queued for a peer that connected to us goes with it: nothing is left to be sent.
    fill();
    std::thread::scope(|scope| {
        let flushed = scope.spawn(|| left.flush(soon()));
        right.take();
        flushed.join().unwrap().unwrap();
    });
    let _right = Dealer::new(&at, &few).unwrap();
    fill();
    std::thread::scope(|scope| {
        let flushed = scope.spawn(|| left.flush(Deadline::Never));
        left.close().unwrap();
        assert_eq!(flushed.join().unwrap().unwrap_err().status(), Status::Closed);
    });
}
