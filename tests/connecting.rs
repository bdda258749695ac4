//! Connecting by name and by address, however it is written; and what beginning a connection anew keeps.

mod common;

use std::sync::atomic::{AtomicU32, Ordering};

use common::{address, bytes, next_event, soon, typed, LIMIT_MS};
use dividere::connection::endpoint::Endpoint;
use dividere::connection::events::EventKind;
use dividere::{Channel, Dealer, Filter, Message, Options, Publisher, Response, Status, Subscriber};

fn quick() -> Options {
    let mut options = Options::new();
    options.set_reconnect_interval_ms(5).unwrap();
    options.set_reconnect_interval_max_ms(50).unwrap();
    options
}

/// A port that is free now in both families. Not one of those that the system gives out: who listens on a port of one
/// family has not got the other's, which a test or a program beside this one might be given.
fn free_port() -> u16 {
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    const FIRST: u32 = 10_000;
    const COUNT: u32 = 20_000;
    let is_free = |host, port| std::net::TcpListener::bind((host, port)).is_ok();
    for _ in 0..COUNT {
        let number = std::process::id().wrapping_mul(97);
        let number = number.wrapping_add(TAKEN.fetch_add(1, Ordering::Relaxed));
        let port = (FIRST + number % COUNT) as u16;
        if is_free("127.0.0.1", port) && is_free("::1", port) {
            return port;
        }
    }
    panic!("no free port");
}

#[test]
fn localhost_is_found_where_only_one_family_is_listened_on() {
    for host in ["[::1]", "127.0.0.1"] {
        let port = free_port();
        let server = Dealer::new(&format!("@tcp://{host}:{port}"), &quick()).unwrap();
        let client = Dealer::new(&format!(">tcp://localhost:{port}"), &quick()).unwrap();
        client.wait_connected(0, soon()).unwrap();
        client.send(&mut bytes(b"found")).unwrap();
        let mut message = Message::new();
        server.recv_bytes(&mut message, soon()).unwrap();
        assert_eq!(message.bytes(), b"found", "{host}");
        // A subscriber's subscriptions move along.
        let port = free_port();
        let publisher = Publisher::new(&format!("tcp://{host}:{port}"), &quick()).unwrap();
        let subscriber =
            Subscriber::new(&format!("tcp://localhost:{port}"), Filter::Types(&["a.B"]), &quick()).unwrap();
        publisher.wait_for_subscribers(Some("a.B"), 1, soon()).unwrap();
        drop(subscriber);
    }
}

#[test]
fn what_waits_to_be_sent_is_not_lost_to_another_address() {
    // Nobody listens yet, on either family: the message waits, while attempts fail.
    let port = free_port();
    let mut options = quick();
    options.set_linger_ms(0).unwrap();
    let client = Dealer::new(&format!(">tcp://localhost:{port}"), &options).unwrap();
    client.send(&mut bytes(b"early")).unwrap();
    for _ in 0..5 {
        next_event(&client.events(), EventKind::Retried);
    }
    let server = Dealer::new(&format!("@tcp://127.0.0.1:{port}"), &quick()).unwrap();
    let mut message = Message::new();
    server.recv_bytes(&mut message, soon()).unwrap();
    assert_eq!(message.bytes(), b"early");
}

#[test]
fn an_address_is_known_again_however_it_was_written() {
    for (written, host) in [
        ("[0:0:0:0:0:0:0:1]", "[::1]"),
        ("[::0001]", "[::1]"),
        ("127.0.0.1:0;127.0.0.1", "127.0.0.1"),
    ] {
        let port = free_port();
        let client = Dealer::new(&format!(">tcp://{written}:{port}"), &quick()).unwrap();
        // After the first attempt libzmq names it in its own way.
        next_event(&client.events(), EventKind::Retried);
        let server = Dealer::new(&format!("@tcp://{host}:{port}"), &quick()).unwrap();
        client.wait_connected(0, soon()).unwrap();
        assert_eq!(client.statistics().unwrap().peers, 1, "{written}");
        drop(server);
        assert_eq!(
            next_event(&client.events(), EventKind::Disconnected).kind,
            EventKind::Disconnected
        );
        client
            .detach(&Endpoint::parse(&format!("tcp://{written}:{port}")).unwrap())
            .unwrap();
        assert_eq!(client.endpoints(), Vec::<String>::new());
    }
}

#[test]
fn what_had_arrived_is_kept_when_a_connection_is_begun_anew() {
    const COUNT: u8 = 100;
    let mut small = quick();
    small.set_max_message_size(1000).unwrap();
    let publisher = Publisher::new("tcp://127.0.0.1:*", &quick()).unwrap();
    let subscriber = Subscriber::new(&address(&publisher), Filter::All, &small).unwrap();
    publisher.wait_for_subscribers(None, 1, soon()).unwrap();
    for number in 0..COUNT {
        publisher.send(&mut bytes(&[number])).unwrap();
    }
    publisher.flush(soon()).unwrap();
    while subscriber.wait(dividere::Deadline::Now).is_err() {}
    publisher.send(&mut bytes(&[1; 1001])).unwrap();
    next_event(&subscriber.events(), EventKind::Disconnected);
    // Nobody reads for a while.
    let told = subscriber.events().recv(300);
    assert_eq!(told.unwrap_err().status(), Status::Timeout);
    let mut message = Message::new();
    for number in 0..COUNT {
        subscriber.recv_bytes(&mut message, soon()).unwrap();
        assert_eq!(message.bytes(), [number]);
    }
    next_event(&subscriber.events(), EventKind::Restarted);
    publisher.wait_for_subscribers(None, 1, soon()).unwrap();
    publisher.send(&mut bytes(b"after")).unwrap();
    subscriber.recv_bytes(&mut message, soon()).unwrap();
    assert_eq!(message.bytes(), b"after");
}

#[test]
fn returns_are_counted_and_attempts_are_not() {
    let mut server = Dealer::new("tcp://127.0.0.1:*", &quick()).unwrap();
    let at = server.last_endpoint().unwrap();
    let client = Dealer::new(&format!(">{at}"), &quick()).unwrap();
    client.wait_connected(0, soon()).unwrap();
    assert_eq!(client.statistics().unwrap().reconnects, 0);
    for round in 1..=3 {
        drop(server);
        for _ in 0..3 {
            next_event(&client.events(), EventKind::Retried);
        }
        server = Dealer::new(&format!("@{at}"), &quick()).unwrap();
        while client.events().recv(LIMIT_MS).unwrap().kind != EventKind::Connected {}
        assert_eq!(client.statistics().unwrap().reconnects, round);
    }
}

#[test]
fn messages_sent_while_addresses_are_tried_in_turn_all_arrive() {
    const COUNT: u32 = 50;
    let mut options = quick();
    options.set_linger_ms(0).unwrap();
    let port = free_port();
    let client = Dealer::new(&format!(">tcp://localhost:{port}"), &options).unwrap();
    // At every moment of a turn: the first of them go while nothing is queued and the address changes.
    for number in 0..COUNT {
        client.send(&mut bytes(&number.to_be_bytes())).unwrap();
        if number == 0 {
            next_event(&client.events(), EventKind::Retried);
        }
    }
    let server = Dealer::new(&format!("@tcp://127.0.0.1:{port}"), &quick()).unwrap();
    let mut message = Message::new();
    for number in 0..COUNT {
        server.recv_bytes(&mut message, soon()).unwrap();
        assert_eq!(message.bytes(), number.to_be_bytes());
    }
}

/// Looking whether there is a message takes its first frame out of the queue, and the rest goes with the connection.
#[test]
fn a_connection_may_be_given_up_with_half_a_message_of_it_taken() {
    let other = Dealer::new("@tcp://127.0.0.1:*", &quick()).unwrap();
    let response = Response::new(&address(&other), &quick()).unwrap();
    response.wait_connected(1, soon()).unwrap();
    let mut message = Message::new();
    for round in 0..20u8 {
        let given_up = Dealer::new("@tcp://127.0.0.1:*", &quick()).unwrap();
        response.attach(&Endpoint::parse(&address(&given_up)).unwrap()).unwrap();
        given_up
            .send_with_empty_frame(&mut typed("a.GivenUp", &[round]))
            .unwrap();
        response.wait(soon()).unwrap();
        // Another peer's message is there, too, and must not be taken for the rest.
        other.send_with_empty_frame(&mut typed("a.Other", &[round])).unwrap();
        let at = Endpoint::parse(&given_up.last_endpoint().unwrap()).unwrap();
        response.detach(&at).unwrap();
        response.recv(&mut message, soon()).unwrap_or_else(|error| {
            panic!("{round}: {error}, {:?}", response.statistics());
        });
        assert_eq!(message.type_name(), Some("a.Other"));
        assert_eq!(message.payload(), [round]);
        response.send(&mut typed("a.Answer", &[round])).unwrap();
        other.recv(&mut message, soon()).unwrap();
        assert_eq!(message.payload(), [round]);
    }
}
