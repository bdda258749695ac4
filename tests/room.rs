//! Room to send: how long one send waits for it, whatever the handle's options say, and the descriptor of those who wait
//! for it without a thread.

mod common;

use std::time::{Duration, Instant};

use common::{address, bytes, dealers, endpoint, next_event, readable, soon, typed, LIMIT, LIMIT_MS};
use dividere::connection::events::EventKind;
use dividere::connection::options::FullQueue;
use dividere::{Channel, Deadline, Dealer, Filter, Message, Options, Publisher, Request, Response, Room};
use dividere::{Status, Subscriber};

const NOW: Room = Room::Within(Deadline::Now);
const CONTENT: &[u8] = &[7; 1000];

/// Queues of a few messages; and whatever this says about full ones, it is not what `Room` says.
fn short_queues(policy: Option<FullQueue>) -> Options {
    let mut options = Options::new();
    options.set_send_high_water_mark(5).unwrap();
    options.set_receive_high_water_mark(5).unwrap();
    options.set_send_timeout_ms(LIMIT_MS).unwrap();
    options.set_full_queue(policy);
    options
}

/// Sends until there is no room, and tells how many were sent.
fn fill(send: impl Fn(&mut Message) -> dividere::Result<()>) -> u64 {
    for sent in 0.. {
        let mut message = bytes(CONTENT);
        match send(&mut message) {
            Ok(()) => assert_eq!(message.bytes(), b"", "it was sent"),
            Err(error) => {
                assert_eq!(error.status(), Status::WouldBlock, "{error}");
                assert_eq!(message.bytes(), CONTENT, "what was not sent is still there");
                return sent;
            }
        }
    }
    unreachable!("no limit was reached")
}

/// Waits at the descriptor before each further attempt; libzmq may not tell a publisher or a response, which look again.
fn send_at_descriptor(channel: &dyn Channel, fd: i32, look_again_ms: Option<i32>) -> dividere::Result<()> {
    let deadline = Instant::now() + LIMIT;
    let mut message = bytes(CONTENT);
    loop {
        match channel.send_within(&mut message, NOW) {
            Err(error) if error.status() == Status::WouldBlock => {}
            other => return other,
        }
        let told = readable(fd, look_again_ms.unwrap_or(LIMIT_MS as i32));
        assert!(
            told || look_again_ms.is_some(),
            "there was room, and the descriptor did not tell"
        );
        assert!(Instant::now() < deadline, "there was no room for too long");
    }
}

fn receive(channel: &dyn Channel, count: u64) {
    let mut message = Message::new();
    for _ in 0..count {
        channel.recv_bytes(&mut message, soon()).unwrap();
    }
}

#[test]
fn one_send_waits_as_long_as_it_says_whatever_the_options_say() {
    for policy in [
        None,
        Some(FullQueue::Fail),
        Some(FullQueue::Block),
        Some(FullQueue::Drop),
    ] {
        for transport in common::TRANSPORTS {
            let (left, right) = dealers(transport, &short_queues(policy));
            let begin = Instant::now();
            let mut sent = fill(|message| left.send_within(message, NOW));
            let short = Duration::from_millis(60);
            let (mut next, error) = loop {
                let mut next = bytes(CONTENT);
                match left.send_within(&mut next, Room::Within(Deadline::after(short))) {
                    // The kernel had room for more.
                    Ok(()) => sent += 1,
                    Err(error) => break (next, error),
                }
            };
            assert_eq!(error.status(), Status::Timeout, "{transport} {policy:?}");
            assert_eq!(next.bytes(), CONTENT);
            assert!(begin.elapsed() >= short);
            std::thread::scope(|scope| {
                scope.spawn(|| left.send_within(&mut next, Room::Within(soon())).unwrap());
                receive(&right, sent + 1);
            });
            assert_eq!(left.statistics().unwrap().dropped_queue_full, 0);
        }
    }
}

#[test]
fn every_role_that_sends_can_say_how_long() {
    // A publisher, which would drop.
    let publisher = Publisher::new(&endpoint("tcp"), &short_queues(None)).unwrap();
    let subscriber = Subscriber::new(&address(&publisher), Filter::All, &short_queues(None)).unwrap();
    publisher.wait_for_subscribers(None, 1, soon()).unwrap();
    let sent = fill(|message| publisher.send_within(message, NOW));
    assert_eq!(publisher.statistics().unwrap().dropped_queue_full, 0);
    receive(&subscriber, sent);

    // A dealer's messages with a route, and a response's replies, to one who asks and does not read.
    let mut long_queue = short_queues(None);
    long_queue.set_receive_high_water_mark(50).unwrap();
    let server = Response::new(&endpoint("inproc"), &long_queue).unwrap();
    let asker = Dealer::new(&address(&server), &short_queues(None)).unwrap();
    asker.wait_connected(1, soon()).unwrap();
    assert!(fill(|message| asker.send_routed_within(&[b""], message, NOW)) > 50);
    let mut request = Message::new();
    let mut unread = 0;
    let (mut reply, refused) = loop {
        server.recv_bytes(&mut request, soon()).unwrap();
        let mut reply = bytes(b"reply");
        match server.send_within(&mut reply, NOW) {
            Ok(()) => unread += 1,
            Err(error) => break (reply, error),
        }
    };
    assert_eq!(refused.status(), Status::WouldBlock);
    assert_eq!(reply.bytes(), b"reply");
    receive(&asker, unread);
    // The same request can still be answered.
    server.send_within(&mut reply, Room::Within(soon())).unwrap();
    receive(&asker, 1);
}

/// `waiting` senders at the descriptor, and others that sleep in `send` and in `recv` and may take their wake-ups.
fn senders_at_descriptor(transport: &str, waiting: u64, sleeping: u64, replies: u64) {
    const EACH: u64 = 3000;
    let (left, right) = dealers(transport, &short_queues(None));
    let left = &left;
    let fd = left.room_fd().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..waiting {
            scope.spawn(move || (0..EACH).for_each(|_| send_at_descriptor(left, fd, None).unwrap()));
        }
        for _ in 0..sleeping {
            scope.spawn(move || (0..EACH).for_each(|_| left.send(&mut bytes(CONTENT)).unwrap()));
        }
        scope.spawn(move || receive(left, replies));
        let all = (waiting + sleeping) * EACH;
        for i in 1..=all {
            receive(&right, 1);
            if i % (all / replies) == 0 {
                right.send(&mut bytes(b"taken in between")).unwrap();
            }
        }
    });
}

#[test]
fn who_waits_at_the_descriptor_is_told_of_every_room() {
    for transport in ["tcp", "inproc"] {
        senders_at_descriptor(transport, 3, 1, 3000);
        // A receiver hears of the room first, and nobody else is there to tell the sender.
        senders_at_descriptor(transport, 1, 0, 1);
    }
}

#[test]
fn publishers_at_the_descriptor_lose_nothing() {
    const EACH: u64 = 2000;
    let publisher = &Publisher::new(&endpoint("tcp"), &short_queues(None)).unwrap();
    let fd = publisher.room_fd().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            let subscriber = Subscriber::new(&address(publisher), Filter::All, &short_queues(None)).unwrap();
            scope.spawn(move || receive(&subscriber, 2 * EACH));
        }
        publisher.wait_for_subscribers(None, 2, soon()).unwrap();
        for _ in 0..2 {
            scope.spawn(move || (0..EACH).for_each(|_| send_at_descriptor(publisher, fd, Some(20)).unwrap()));
        }
    });
    assert_eq!(publisher.statistics().unwrap().dropped_queue_full, 0);
}

#[test]
fn who_waits_at_the_descriptor_costs_nothing_while_there_is_no_room() {
    let (left, right) = dealers("tcp", &short_queues(None));
    let fd = left.room_fd().unwrap();
    let mut sent = fill(|message| left.send_within(message, NOW));
    // The kernel's own buffers are filled bit by bit; then nothing changes.
    while readable(fd, 200) {
        sent += fill(|message| left.send_within(message, NOW));
    }
    // Something to receive is no room.
    right.send(&mut bytes(b"something")).unwrap();
    left.wait(soon()).unwrap();
    while readable(fd, 200) {
        sent += fill(|message| left.send_within(message, NOW));
    }
    receive(&left, 1);
    receive(&right, sent);
    assert!(readable(fd, LIMIT_MS as i32), "there is room");
}

/// Nobody is connected: whoever waits at the descriptor sleeps, but for a few looks.
fn sleeps_at_descriptor(request: &Request, fd: i32) {
    let end = Instant::now() + Duration::from_millis(300);
    let mut looks = 0;
    while Instant::now() < end {
        let refused = request.send_within(&mut typed("a.A", b"?"), NOW).unwrap_err();
        assert_eq!(refused.status(), Status::WouldBlock, "{refused}");
        readable(fd, 300);
        looks += 1;
    }
    assert!(looks < 50, "it turns, {looks} times, while nobody is there");
}

#[test]
fn a_request_is_told_of_its_connection() {
    let first = Response::new(&endpoint("tcp"), &Options::new()).unwrap();
    let place = first.last_endpoint().unwrap();
    first.close().unwrap();
    let request = Request::new(&place, &Options::new()).unwrap();
    let fd = request.room_fd().unwrap();
    let mut message = Message::new();
    for _ in 0..2 {
        sleeps_at_descriptor(&request, fd);
        let server = Response::new(&format!("@{place}"), &Options::new()).unwrap();
        let mut question = typed("a.A", b"?");
        while let Err(error) = request.send_within(&mut question, NOW) {
            assert_eq!(error.status(), Status::WouldBlock, "{error}");
            assert!(readable(fd, LIMIT_MS as i32), "it was not told of its connection");
        }
        server.recv(&mut message, soon()).unwrap();
        server.send(&mut typed("a.A", b"!")).unwrap();
        request.recv(&mut message, soon()).unwrap();
        assert_eq!(message.payload(), b"!");
        server.close().unwrap();
        next_event(&request.events(), EventKind::Disconnected);
    }
}

#[test]
fn closing_wakes_who_waits_at_the_descriptor() {
    let (left, _right) = dealers("inproc", &short_queues(None));
    let request = Request::new("tcp://127.0.0.1:9", &Options::new()).unwrap();
    fill(|message| left.send_within(message, NOW));
    request.send_within(&mut typed("a.A", b"?"), NOW).unwrap_err();
    for channel in [&left as &dyn Channel, &request] {
        let fd = channel.room_fd().unwrap();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(move || send_at_descriptor(channel, fd, None));
            channel.close().unwrap();
            assert_eq!(waiting.join().unwrap().unwrap_err().status(), Status::Closed);
        });
        assert_eq!(channel.room_fd().unwrap_err().status(), Status::Closed);
    }
}

#[test]
fn who_only_receives_has_no_room() {
    let subscriber = Subscriber::new("tcp://127.0.0.1:9", Filter::All, &Options::new()).unwrap();
    let refused = subscriber.send_within(&mut bytes(CONTENT), NOW).unwrap_err();
    assert_eq!(refused.status(), Status::Unsupported);
    assert_eq!(subscriber.room_fd().unwrap_err().status(), Status::Unsupported);
}
