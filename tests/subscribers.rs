//! How many subscribe to what: over every transport, with any mix of filters, as they come and go.

mod common;

use common::zmtp::Peer;
use dividere::{send_many, Channel, Deadline, Filter, FullQueue, Message, Options, Publisher, Status, Subscriber};

fn soon() -> Deadline {
    Deadline::from_ms(20_000)
}

/// Waits until the publisher counts exactly these. Fewer than before cannot be waited for: looked at until it is so.
fn becomes(publisher: &Publisher, type_name: Option<&str>, wanted: usize) {
    let patience = soon();
    publisher.wait_for_subscribers(type_name, wanted, patience).unwrap();
    while publisher.subscribers(type_name).unwrap() != wanted {
        assert!(
            !patience.is_over(),
            "{} subscribers, not {wanted}",
            publisher.subscribers(type_name).unwrap()
        );
        std::thread::yield_now();
    }
}

#[test]
fn subscribers_with_different_filters_are_told_apart_on_every_transport() {
    for endpoint in [
        "tcp://127.0.0.1:*",
        "ipc://@dividere-subscribers",
        "inproc://subscribers",
    ] {
        let publisher = Publisher::new(endpoint, &Options::new()).unwrap();
        let at = publisher.last_endpoint().unwrap();
        let subscribe = |filter| Subscriber::new(&at, filter, &Options::new()).unwrap();
        let one = subscribe(Filter::Types(&["a.One", "a.Two"]));
        let two = subscribe(Filter::Types(&["a.Two", "a.Two"]));
        let all = subscribe(Filter::All);
        becomes(&publisher, None, 3);
        becomes(&publisher, Some("a.One"), 2);
        becomes(&publisher, Some("a.Two"), 3);
        becomes(&publisher, Some("a.Three"), 1);
        assert_eq!(publisher.statistics().unwrap().subscribers, 3);

        // Those that stay are not confused by one that leaves, with the same topics or more.
        all.close().unwrap();
        becomes(&publisher, Some("a.Three"), 0);
        becomes(&publisher, None, 2);
        two.unsubscribe_type("a.Two").unwrap();
        becomes(&publisher, Some("a.Two"), 2);
        two.unsubscribe_type("a.Two").unwrap();
        becomes(&publisher, Some("a.Two"), 1);
        becomes(&publisher, None, 1);
        two.subscribe_prefix(b"").unwrap();
        becomes(&publisher, Some("a.One"), 2);
        one.close().unwrap();
        becomes(&publisher, Some("a.One"), 1);

        // Who is counted gets everything from then on.
        let mut message = Message::new();
        message.prepare("a.Three", 0).unwrap();
        publisher.send(&mut message).unwrap();
        two.recv(&mut message, soon()).unwrap();
        assert_eq!(message.type_name(), Some("a.Three"), "{endpoint}");
    }
}

#[test]
fn a_connection_that_ends_does_not_take_another_ones_subscriptions_along() {
    let publisher = Publisher::new("tcp://127.0.0.1:*, inproc://subscribers-mixed", &Options::new()).unwrap();
    let endpoints = publisher.endpoints();
    let far = Subscriber::new(&endpoints[0], Filter::All, &Options::new()).unwrap();
    let near = Subscriber::new(&endpoints[1], Filter::All, &Options::new()).unwrap();
    becomes(&publisher, None, 2);
    far.close().unwrap();
    becomes(&publisher, None, 1);
    near.close().unwrap();
    becomes(&publisher, None, 0);
}

/// Does not ask foreign peers whether they are there: they would not answer.
fn patient() -> Options {
    let mut options = Options::new();
    options.set_heartbeat_interval_ms(0).unwrap();
    options
}

/// What libzmq's own subscribers never do, others may.
#[test]
fn a_foreign_peer_that_subscribes_twice_or_breaks_off_is_counted_for_what_it_has() {
    let publisher = Publisher::new("tcp://127.0.0.1:*", &patient()).unwrap();
    let at = publisher.last_endpoint().unwrap();
    let good = Subscriber::new(&at, Filter::All, &Options::new()).unwrap();
    becomes(&publisher, None, 1);
    for _ in 0..3 {
        let mut foreign = Peer::connect(&at);
        foreign.shake_hands("SUB").unwrap();
        foreign.send(0, b"\x01a").unwrap();
        foreign.send(0, b"\x01a").unwrap();
        becomes(&publisher, None, 2);
        // That is the end of it, however often it was asked for.
        foreign.send(0, b"\x00a").unwrap();
        becomes(&publisher, None, 1);
        foreign.send(0, b"\x00a").unwrap();
        foreign.send(0, b"\x00never").unwrap();
        foreign.send(0, b"\x01b").unwrap();
        becomes(&publisher, None, 2);
        // Without a word.
        drop(foreign);
        becomes(&publisher, None, 1);
    }
    drop(good);
    becomes(&publisher, None, 0);
}

#[test]
fn a_subscription_too_long_to_come_from_a_friend_ends_its_connection_and_no_other() {
    let publisher = Publisher::new("tcp://127.0.0.1:*", &patient()).unwrap();
    let at = publisher.last_endpoint().unwrap();
    let good = Subscriber::new(&at, Filter::All, &Options::new()).unwrap();
    becomes(&publisher, None, 1);
    let mut foreign = Peer::connect(&at);
    foreign.shake_hands("SUB").unwrap();
    foreign.send(0, &[1; 4096]).unwrap();
    becomes(&publisher, None, 2);
    foreign.send(0, &[1; 4097]).unwrap();
    foreign.read_to_the_end().unwrap();
    becomes(&publisher, None, 1);
    assert_eq!(good.statistics().unwrap().reconnects, 0);
}

#[test]
fn whoever_waits_for_subscribers_hears_of_each_beside_sends_that_fail_or_wait() {
    const MORE: usize = 8;
    for (policy, many) in [
        (FullQueue::Fail, false),
        (FullQueue::Fail, true),
        (FullQueue::Block, false),
        (FullQueue::Block, true),
    ] {
        let mut options = Options::new();
        options.set_send_high_water_mark(4).unwrap();
        options.set_full_queue(Some(policy));
        let publisher = Publisher::new("tcp://127.0.0.1:*", &options).unwrap();
        let at = publisher.last_endpoint().unwrap();
        // It reads nothing, so that its queue is full.
        let context = zmq::Context::new();
        let stuck = context.socket(zmq::SUB).unwrap();
        stuck.set_rcvhwm(1).unwrap();
        stuck.connect(&at).unwrap();
        stuck.set_subscribe(b"").unwrap();
        publisher.wait_for_subscribers(None, 1, soon()).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| loop {
                let mut message = Message::from_bytes(&[0; 60_000]).unwrap();
                let sent = match many {
                    true => send_many(&publisher, &mut [&mut message]).map(|_sent| ()),
                    false => publisher.send(&mut message),
                };
                if sent.is_err_and(|error| error.status() == Status::Closed) {
                    break;
                }
            });
            let mut subscribers = Vec::new();
            let mut heard = Ok(());
            for count in 0..MORE {
                let connects = scope.spawn(|| Subscriber::new(&at, Filter::All, &Options::new()).unwrap());
                heard = publisher.wait_for_subscribers(None, count + 2, soon());
                subscribers.push(connects.join().unwrap());
                if heard.is_err() {
                    break;
                }
            }
            publisher.close().unwrap();
            heard.unwrap();
        });
    }
}
