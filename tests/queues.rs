//! Limits of queues and of messages: how much waits, what happens beyond, and that nothing is lost uncounted.

mod common;

use std::time::{Duration, Instant};

use common::{address, bytes, dealers, endpoint, next_event, soon, typed, LIMIT};
use dividere::connection::events::EventKind;
use dividere::connection::options::FullQueue;
use dividere::{Channel, Deadline, Dealer, Filter, Message, Options, Publisher, Request, Response, Status, Subscriber};

const SENT: u64 = 10;
const RECEIVED: u64 = 20;
/// Over inproc what may wait is one queue, as long as both.
const BOTH: u64 = SENT + RECEIVED;

fn limited(policy: FullQueue) -> Options {
    let mut options = Options::new();
    options.set_send_high_water_mark(SENT as i64).unwrap();
    options.set_receive_high_water_mark(RECEIVED as i64).unwrap();
    options.set_full_queue(Some(policy));
    options.set_send_timeout_ms(50).unwrap();
    options
}

fn number(number: u64) -> Message {
    bytes(&number.to_be_bytes())
}

fn received(channel: &dyn Channel, deadline: Deadline) -> Option<u64> {
    let mut message = Message::new();
    match channel.recv_bytes(&mut message, deadline) {
        Ok(()) => Some(u64::from_be_bytes(message.bytes().try_into().unwrap())),
        Err(error) if error.status() == Status::WouldBlock => None,
        Err(error) => panic!("{error}"),
    }
}

/// What is there now, in order; over inproc all that was sent is there.
fn all_received(channel: &dyn Channel) -> Vec<u64> {
    std::iter::from_fn(|| received(channel, Deadline::Now)).collect()
}

#[test]
fn a_full_queue_fails_where_it_shall_and_keeps_the_message() {
    let (left, right) = dealers("inproc", &limited(FullQueue::Fail));
    for i in 0..BOTH {
        left.send(&mut number(i)).unwrap();
    }
    let mut next = number(BOTH);
    for _ in 0..3 {
        assert_eq!(left.send(&mut next).unwrap_err().status(), Status::WouldBlock);
        assert_eq!(next.bytes(), BOTH.to_be_bytes());
    }
    assert_eq!(all_received(&right), (0..BOTH).collect::<Vec<_>>());
    // There is room again; that it is heard of is an event.
    while let Err(error) = left.send(&mut next) {
        assert_eq!(error.status(), Status::WouldBlock);
    }
    assert_eq!(received(&right, soon()), Some(BOTH));
    assert_eq!(left.statistics().unwrap().dropped_queue_full, 0);
}

#[test]
fn a_full_queue_blocks_for_the_send_timeout() {
    for transport in common::TRANSPORTS {
        let (left, right) = dealers(transport, &limited(FullQueue::Block));
        let content = [0; 10_000];
        let mut sent = 0u64;
        // More than the kernel keeps.
        let begin = loop {
            let begin = Instant::now();
            match left.send(&mut bytes(&content)) {
                Ok(()) => sent += 1,
                Err(error) => {
                    assert_eq!(error.status(), Status::Timeout);
                    break begin;
                }
            }
        };
        assert!(begin.elapsed() >= Duration::from_millis(50));
        assert!(sent >= SENT, "{transport}");
        // What was accepted is there, and no more.
        let mut message = Message::new();
        for _ in 0..sent {
            right.recv_bytes(&mut message, soon()).unwrap();
        }
        right.recv_bytes(&mut message, Deadline::Now).unwrap_err();
        assert_eq!(left.statistics().unwrap().messages_out, sent, "{transport}");
    }
}

#[test]
fn a_full_queue_drops_and_counts_where_it_shall() {
    const MORE: u64 = 100;
    let (left, right) = dealers("inproc", &limited(FullQueue::Drop));
    for i in 0..BOTH + MORE {
        let mut message = number(i);
        left.send(&mut message).unwrap();
        assert!(message.bytes().is_empty());
    }
    assert_eq!(left.statistics().unwrap().dropped_queue_full, MORE);
    assert_eq!(left.statistics().unwrap().messages_out, BOTH);
    assert_eq!(all_received(&right), (0..BOTH).collect::<Vec<_>>());
}

#[test]
fn without_a_limit_everything_waits() {
    const MANY: u64 = 20_000;
    let mut options = limited(FullQueue::Fail);
    options.set_send_high_water_mark(0).unwrap();
    options.set_receive_high_water_mark(0).unwrap();
    for transport in common::TRANSPORTS {
        let (left, right) = dealers(transport, &options);
        for i in 0..MANY {
            left.send(&mut number(i)).unwrap();
        }
        for i in 0..MANY {
            assert_eq!(received(&right, soon()), Some(i));
        }
    }
}

/// One slow and one fast subscriber, both connected.
fn subscribers(policy: Option<FullQueue>) -> (Publisher, Subscriber, Subscriber) {
    let mut options = limited(FullQueue::Drop);
    options.set_full_queue(policy);
    let publisher = Publisher::new(&endpoint("inproc"), &options).unwrap();
    let slow = Subscriber::new(&address(&publisher), Filter::All, &options).unwrap();
    let fast = Subscriber::new(&address(&publisher), Filter::All, &options).unwrap();
    publisher.wait_for_subscribers(None, 2, soon()).unwrap();
    (publisher, slow, fast)
}

#[test]
fn a_publisher_drops_for_the_slow_only_and_counts() {
    const ALL: u64 = 1000;
    // The usual for a publisher, and asked for.
    for policy in [None, Some(FullQueue::Drop)] {
        let (publisher, slow, fast) = subscribers(policy);
        for i in 0..ALL {
            publisher.send(&mut number(i)).unwrap();
            assert_eq!(received(&fast, soon()), Some(i));
        }
        assert_eq!(all_received(&slow), (0..BOTH).collect::<Vec<_>>());
        let statistics = publisher.statistics().unwrap();
        assert_eq!(statistics.dropped_queue_full, ALL - BOTH);
        // And it goes on with both.
        let mut last = ALL;
        while received(&slow, Deadline::Now) != Some(last) {
            last += 1;
            publisher.send(&mut number(last)).unwrap();
            assert_eq!(received(&fast, soon()), Some(last));
        }
    }
}

#[test]
fn a_publisher_that_may_not_drop_fails_or_waits_for_all() {
    for (policy, status) in [
        (FullQueue::Fail, Status::WouldBlock),
        (FullQueue::Block, Status::Timeout),
    ] {
        let (publisher, slow, fast) = subscribers(Some(policy));
        for i in 0..BOTH {
            publisher.send(&mut number(i)).unwrap();
            assert_eq!(received(&fast, soon()), Some(i));
        }
        let mut next = number(BOTH);
        assert_eq!(publisher.send(&mut next).unwrap_err().status(), status);
        assert_eq!(next.bytes(), BOTH.to_be_bytes());
        // Nobody got it.
        assert_eq!(received(&fast, Deadline::Now), None);
        assert_eq!(all_received(&slow), (0..BOTH).collect::<Vec<_>>());
        while let Err(error) = publisher.send(&mut next) {
            assert_eq!(error.status(), status);
        }
        assert_eq!(received(&fast, soon()), Some(BOTH));
        assert_eq!(received(&slow, soon()), Some(BOTH));
        assert_eq!(publisher.statistics().unwrap().dropped_queue_full, 0);
    }
}

#[test]
fn who_asks_and_never_reads_the_answers_holds_up_nobody() {
    let mut options = Options::new();
    options.set_send_high_water_mark(2).unwrap();
    options.set_receive_high_water_mark(2).unwrap();
    let mut server_options = options.clone();
    server_options.set_receive_high_water_mark(0).unwrap();
    let server = Response::new(&endpoint("inproc"), &server_options).unwrap();
    let deaf = Dealer::new(&address(&server), &options).unwrap();
    // No envelopes: the server answers each with an error, by itself.
    const REQUESTS: u64 = 20;
    let mut message = Message::new();
    let begin = Instant::now();
    for _ in 0..REQUESTS {
        deaf.send_with_empty_frame(&mut bytes(b"\xff")).unwrap();
        let error = server.recv(&mut message, soon()).unwrap_err();
        assert_eq!(error.status(), Status::Decode);
    }
    assert!(begin.elapsed() < LIMIT / 2, "{:?}", begin.elapsed());
    let dropped = server.statistics().unwrap().dropped_queue_full;
    assert!(0 < dropped && dropped < REQUESTS, "{dropped}");
    let good = Request::new(&server.last_endpoint().unwrap(), &options).unwrap();
    good.send(&mut typed("a.A", b"?")).unwrap();
    server.recv(&mut message, soon()).unwrap();
    server.send(&mut typed("a.A", b"!")).unwrap();
    good.recv(&mut message, soon()).unwrap();
    assert_eq!(message.payload(), b"!");
    // Nor the close, which answers what is unanswered.
    deaf.send_with_empty_frame(&mut typed("a.A", b"?")).unwrap();
    server.recv(&mut message, soon()).unwrap();
    let begin = Instant::now();
    server.close().unwrap();
    assert!(begin.elapsed() < LIMIT / 4, "{:?}", begin.elapsed());
}

#[test]
fn a_message_over_the_limit_is_too_large_for_every_role_that_sends() {
    const SIZE: usize = 1000;
    let mut small = Options::new();
    small.set_max_message_size(SIZE as i64).unwrap();
    let (largest, larger) = ([1; SIZE], [2; SIZE + 1]);
    let refused = |send: &dyn Fn(&mut Message) -> dividere::Result<()>| {
        let mut message = bytes(&larger);
        let error = send(&mut message).unwrap_err();
        assert_eq!(error.status(), Status::TooLarge);
        assert!(
            error.text().contains("1001") && error.text().contains("1000"),
            "{error}"
        );
        // It stays with the sender.
        assert_eq!(message.bytes(), larger);
        send(&mut bytes(&largest)).unwrap();
    };
    let publisher = Publisher::new("tcp://127.0.0.1:*", &small).unwrap();
    refused(&|message| publisher.send(message));
    let (left, right) = dealers("tcp", &small);
    refused(&|message| left.send(message));
    let mut message = Message::new();
    right.recv_bytes(&mut message, soon()).unwrap();
    assert_eq!(message.bytes(), largest);
    let response = Response::new("tcp://127.0.0.1:*", &small).unwrap();
    let request = Request::new(&response.last_endpoint().unwrap(), &small).unwrap();
    refused(&|message| request.send(message));
    response.recv_bytes(&mut message, soon()).unwrap();
    refused(&|message| response.send(message));
    request.recv_bytes(&mut message, soon()).unwrap();
    assert_eq!(message.bytes(), largest);
    refused(&|message| {
        std::thread::scope(|scope| {
            let serving = scope.spawn(|| {
                let mut question = Message::new();
                // Refused before it was sent: nobody asks.
                match response.recv_bytes(&mut question, Deadline::after(Duration::from_millis(100))) {
                    Ok(()) => response.send(&mut bytes(b"!")).unwrap(),
                    Err(error) => assert_eq!(error.status(), Status::Timeout),
                }
            });
            let called = request.call(message, &mut Message::new(), common::LIMIT_MS, 0);
            serving.join().unwrap();
            called
        })
    });
}

#[test]
fn a_message_over_the_receivers_limit_ends_its_connection_and_no_other() {
    let mut small = Options::new();
    small.set_max_message_size(1000).unwrap();
    let response = Response::new("tcp://127.0.0.1:*", &small).unwrap();
    let [large, good] = [0, 1].map(|_| Dealer::new(&address(&response), &Options::new()).unwrap());
    large.wait_connected(1, soon()).unwrap();
    good.wait_connected(1, soon()).unwrap();
    response.wait_connected(2, soon()).unwrap();
    for round in 0..3u8 {
        large.send_with_empty_frame(&mut bytes(&[round; 1001])).unwrap();
        let lost = next_event(&response.events(), EventKind::Disconnected);
        assert!(lost.peer.starts_with("tcp://127.0.0.1:"), "{lost}");
        next_event(&large.events(), EventKind::Disconnected);
        good.send_with_empty_frame(&mut typed("a.A", &[round])).unwrap();
        let mut message = Message::new();
        response.recv(&mut message, soon()).unwrap();
        assert_eq!(message.payload(), [round]);
        response.send(&mut typed("a.A", &[round])).unwrap();
        good.recv(&mut message, soon()).unwrap();
        large.wait_connected(1, soon()).unwrap();
    }
    assert_eq!(good.statistics().unwrap().reconnects, 0);
}

#[test]
fn the_size_is_unlimited_only_where_that_was_asked_for() {
    const DEFAULT: usize = 64 << 20;
    let (left, right) = dealers("inproc", &Options::new());
    let mut message = Message::new();
    message.prepare_bytes(DEFAULT + 1).unwrap();
    assert_eq!(left.send(&mut message).unwrap_err().status(), Status::TooLarge);
    message.prepare_bytes(DEFAULT).unwrap();
    left.send(&mut message).unwrap();
    right.recv_bytes(&mut message, soon()).unwrap();
    assert_eq!(message.bytes().len(), DEFAULT);
    let mut unlimited = Options::new();
    unlimited.set_max_message_size(0).unwrap();
    let (left, right) = dealers("tcp", &unlimited);
    message.prepare_bytes(DEFAULT + 1).unwrap();
    left.send(&mut message).unwrap();
    right.recv_bytes(&mut message, soon()).unwrap();
    assert_eq!(message.bytes().len(), DEFAULT + 1);
}
