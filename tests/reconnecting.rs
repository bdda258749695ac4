//! Connections come back by themselves, also where libzmq gives them up; and what had arrived is not lost.

mod common;

use std::io::Read;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use common::{address, bytes, next_event, role, soon, typed, ClosedWhenDropped, Process, LIMIT, LIMIT_MS};
use dividere::connection::events::EventKind;
use dividere::connection::keys::KeyPair;
use dividere::{Channel, Deadline, Dealer, Filter, Message, Options, Publisher, Request, Response, Status, Subscriber};

/// Comes back within milliseconds.
fn quick() -> Options {
    let mut options = Options::new();
    options.set_reconnect_interval_ms(5).unwrap();
    options.set_reconnect_interval_max_ms(50).unwrap();
    options
}

fn payload_of(channel: &dyn Channel) -> Vec<u8> {
    let mut message = Message::new();
    channel.recv_bytes(&mut message, soon()).unwrap();
    message.bytes().to_vec()
}

#[test]
fn a_subscriber_that_nobody_calls_subscribes_again_when_its_publisher_restarts() {
    for transport in common::TRANSPORTS {
        let first = Publisher::new(&common::endpoint(transport), &quick()).unwrap();
        let at = first.last_endpoint().unwrap();
        let subscriber = Subscriber::new(&address(&first), Filter::Types(&["a.A", "b.B"]), &quick()).unwrap();
        first.wait_for_subscribers(Some("a.A"), 1, soon()).unwrap();
        let mut publisher = first;
        for _ in 0..5 {
            publisher.close().unwrap();
            publisher = Publisher::new(&at, &quick()).unwrap();
            // Nobody calls the subscriber.
            publisher.wait_for_subscribers(Some("a.A"), 1, soon()).unwrap();
            publisher.wait_for_subscribers(Some("b.B"), 1, soon()).unwrap();
            assert_eq!(publisher.subscribers(None).unwrap(), 1, "{transport}");
        }
        publisher.send(&mut typed("b.B", b"again")).unwrap();
        let mut message = Message::new();
        subscriber.recv(&mut message, soon()).unwrap();
        assert_eq!(message.payload(), b"again");
    }
}

#[test]
fn a_message_over_the_limit_ends_the_connection_which_comes_back() {
    let mut small = quick();
    small.set_max_message_size(1000).unwrap();
    let publisher = Publisher::new("tcp://127.0.0.1:*", &quick()).unwrap();
    let subscriber = Subscriber::new(&address(&publisher), Filter::All, &small).unwrap();
    for round in 0..3 {
        publisher.wait_for_subscribers(None, 1, soon()).unwrap();
        publisher.send(&mut bytes(&[round; 1000])).unwrap();
        assert_eq!(payload_of(&subscriber), [round; 1000]);
        while subscriber.events().recv(0).is_ok() {}
        publisher.send(&mut bytes(&[round; 1001])).unwrap();
        next_event(&subscriber.events(), EventKind::Disconnected);
        next_event(&subscriber.events(), EventKind::Connected);
    }
}

#[test]
fn a_peer_of_the_wrong_role_is_reported_and_the_right_one_found_when_it_comes() {
    let wrong = Publisher::new("tcp://127.0.0.1:*", &quick()).unwrap();
    let at = wrong.last_endpoint().unwrap();
    let dealer = Dealer::new(&format!(">{at}"), &quick()).unwrap();
    let error = dealer.wait_connected(0, soon()).unwrap_err();
    assert_eq!(error.status(), Status::Handshake, "{error}");
    next_event(&dealer.events(), EventKind::HandshakeFailed);
    next_event(&wrong.events(), EventKind::HandshakeFailed);
    wrong.close().unwrap();
    let right = Dealer::new(&format!("@{at}"), &quick()).unwrap();
    right.wait_connected(1, soon()).unwrap();
    next_event(&dealer.events(), EventKind::Connected);
    dealer.wait_connected(0, soon()).unwrap();
    dealer.send(&mut bytes(b"1")).unwrap();
    assert_eq!(payload_of(&right), b"1");
}

#[test]
fn a_key_that_was_refused_and_is_allowed_later_gets_in() {
    let (server_keys, client_keys, other) = (
        KeyPair::generate().unwrap(),
        KeyPair::generate().unwrap(),
        KeyPair::generate().unwrap(),
    );
    let server = |allowed| {
        let mut options = quick();
        options.set_curve_server_secret_key(server_keys.secret.clone()).unwrap();
        options.add_allowed_key(allowed);
        options
    };
    let mut client = quick();
    client.set_curve_server_public_key(server_keys.public);
    client.set_curve_client_secret_key(client_keys.secret.clone()).unwrap();
    let refusing = Dealer::new("@tcp://127.0.0.1:*", &server(other.public)).unwrap();
    let at = refusing.last_endpoint().unwrap();
    let dealer = Dealer::new(&format!(">{at}"), &client).unwrap();
    assert_eq!(
        dealer.wait_connected(0, soon()).unwrap_err().status(),
        Status::Permission
    );
    refusing.close().unwrap();
    let allowing = Dealer::new(&format!("@{at}"), &server(client_keys.public)).unwrap();
    allowing.wait_connected(1, soon()).unwrap();
    dealer.send(&mut bytes(b"1")).unwrap();
    assert_eq!(payload_of(&allowing), b"1");
}

#[test]
fn a_dealer_that_comes_back_with_its_identity_gets_the_replies() {
    let response = Response::new("tcp://127.0.0.1:*", &quick()).unwrap();
    let mut named = quick();
    named.set_identity(&b"the-same"[..]).unwrap();
    let mut previous = None;
    for round in 0..10u8 {
        let dealer = Dealer::new(&address(&response), &named).unwrap();
        dealer.send_with_empty_frame(&mut typed("a.A", &[round])).unwrap();
        let mut message = Message::new();
        response.recv(&mut message, soon()).unwrap();
        assert_eq!(message.payload(), [round]);
        response.send(&mut typed("a.A", &[round])).unwrap();
        dealer.recv(&mut message, soon()).unwrap();
        assert_eq!(message.payload(), [round]);
        // The one before is still connected: it has lost its name to this one.
        previous = Some(dealer);
    }
    drop(previous);
}

#[test]
fn a_reply_that_arrived_before_its_server_closed_is_not_lost() {
    for round in 0..60u8 {
        let response = Response::new("tcp://127.0.0.1:*", &quick()).unwrap();
        let request = Request::new(&response.last_endpoint().unwrap(), &quick()).unwrap();
        request.send(&mut typed("a.A", &[round])).unwrap();
        let mut message = Message::new();
        response.recv(&mut message, soon()).unwrap();
        response.send(&mut typed("a.A", &[round])).unwrap();
        response.close().unwrap();
        // Nobody received until the connection was gone.
        next_event(&request.events(), EventKind::Disconnected);
        request.recv(&mut message, soon()).unwrap();
        assert_eq!(message.payload(), [round]);
    }
}

fn serve(response: &Response) {
    let mut message = Message::new();
    while response.recv_bytes(&mut message, Deadline::Never).is_ok() {
        let reply = [message.bytes(), b"!"].concat();
        match response.send(&mut bytes(&reply)) {
            // Who asked went on to another server.
            Err(error) if error.status() == Status::Unreachable => {}
            sent => sent.unwrap(),
        }
    }
}

fn call(request: &Request, timeout_ms: i64, retries: u32) -> dividere::Result<Vec<u8>> {
    let mut reply = Message::new();
    request.call(&mut bytes(b"?"), &mut reply, timeout_ms, retries)?;
    Ok(reply.bytes().to_vec())
}

#[test]
fn dead_endpoints_among_several_cost_a_call_nothing() {
    let response = Response::new("tcp://127.0.0.1:*", &quick()).unwrap();
    // Nobody listens there, somebody listens who never answers, and somebody who is no peer.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let publisher = Publisher::new("tcp://127.0.0.1:*", &quick()).unwrap();
    let endpoints = format!(
        "tcp://127.0.0.1:1,tcp://{},{},{}",
        silent.local_addr().unwrap(),
        publisher.last_endpoint().unwrap(),
        response.last_endpoint().unwrap()
    );
    let request = Request::new(&endpoints, &quick()).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| serve(&response));
        let _serving = ClosedWhenDropped(&response);
        for _ in 0..50 {
            assert_eq!(call(&request, LIMIT_MS, 0).unwrap(), b"?!");
        }
        assert_eq!(request.statistics().unwrap().dropped_stale, 0);
    });
    let (mut peer, _) = silent.accept().unwrap();
    let mut greeting = [0; 10];
    peer.read_exact(&mut greeting).unwrap();
}

#[test]
fn a_call_goes_on_to_the_next_endpoint_when_one_is_stopped() {
    const TEST: &str = "a_call_goes_on_to_the_next_endpoint_when_one_is_stopped";
    if let Some((_, control)) = role() {
        let response = Response::new("tcp://127.0.0.1:*", &quick()).unwrap();
        let control = Dealer::new(&control, &quick()).unwrap();
        control
            .send(&mut bytes(response.last_endpoint().unwrap().as_bytes()))
            .unwrap();
        serve(&response);
        return;
    }
    let control = Dealer::new("@tcp://127.0.0.1:*", &quick()).unwrap();
    let server = Process::start(TEST, "serve", &address(&control));
    let there = String::from_utf8(payload_of(&control)).unwrap();
    let response = Response::new("tcp://127.0.0.1:*", &quick()).unwrap();
    let here = response.last_endpoint().unwrap();
    let mut watchful = quick();
    watchful.set_heartbeat_interval_ms(200).unwrap();
    watchful.set_heartbeat_timeout_ms(600).unwrap();
    let request = Request::new(&format!("{there},{here}"), &watchful).unwrap();
    request.wait_connected(2, soon()).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| serve(&response));
        let serving = ClosedWhenDropped(&response);
        for _ in 0..10 {
            assert_eq!(call(&request, LIMIT_MS, 0).unwrap(), b"?!");
        }
        server.signal(libc::SIGSTOP);
        // Each second call is resent, as long as nobody noticed that the peer is stopped.
        for _ in 0..6 {
            assert_eq!(call(&request, 500, 4).unwrap(), b"?!");
        }
        next_event(&request.events(), EventKind::Disconnected);
        // Now it is known, and costs nothing.
        let begin = Instant::now();
        for _ in 0..10 {
            assert_eq!(call(&request, LIMIT_MS, 0).unwrap(), b"?!");
        }
        assert!(begin.elapsed() < LIMIT / 2, "{:?}", begin.elapsed());
        // And when it goes on, it serves again.
        server.signal(libc::SIGCONT);
        request.wait_connected(2, soon()).unwrap();
        for _ in 0..10 {
            assert_eq!(call(&request, LIMIT_MS, 0).unwrap(), b"?!");
        }
        drop(serving);
        assert_eq!(call(&request, LIMIT_MS, 1).unwrap(), b"?!");
    });
}

#[test]
fn a_server_that_restarts_is_no_failed_handshake() {
    let response = Response::new("tcp://127.0.0.1:*", &quick()).unwrap();
    let at = response.last_endpoint().unwrap();
    response.close().unwrap();
    // What a restart looks like at times: accepted by the kernel, and closed before a word was said.
    let listener = TcpListener::bind(at.trim_start_matches("tcp://")).unwrap();
    let request = Request::new(&at, &quick()).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            drop(listener.accept().unwrap());
            drop(listener);
            let response = Response::new(&format!("@{at}"), &quick()).unwrap();
            let mut message = Message::new();
            response.recv_bytes(&mut message, soon()).unwrap();
            response.send(&mut bytes(b"!")).unwrap();
            response.close().unwrap();
        });
        assert_eq!(call(&request, LIMIT_MS, 0).unwrap(), b"!");
    });
}

#[test]
fn events_tell_of_a_connection_that_comes_and_goes() {
    let server = Dealer::new("@tcp://127.0.0.1:*", &quick()).unwrap();
    let at = server.last_endpoint().unwrap();
    assert_eq!(next_event(&server.events(), EventKind::Listening).endpoint, at);
    let client = Dealer::new(&format!(">{at}"), &quick()).unwrap();
    let accepted = next_event(&server.events(), EventKind::Accepted);
    assert_eq!(accepted.endpoint, at);
    assert!(accepted.peer.starts_with("tcp://127.0.0.1:"), "{accepted}");
    assert_eq!(next_event(&server.events(), EventKind::Connected).peer, accepted.peer);
    let connected = next_event(&client.events(), EventKind::Connected);
    assert_eq!((&connected.endpoint, &connected.peer), (&at, &at));
    server.close().unwrap();
    assert_eq!(next_event(&client.events(), EventKind::Disconnected).endpoint, at);
    next_event(&client.events(), EventKind::Retried);
    assert_eq!(client.statistics().unwrap().peers, 0);
    assert_eq!(
        client
            .wait_connected(0, Deadline::after(Duration::from_millis(20)))
            .unwrap_err()
            .status(),
        Status::Timeout
    );
    assert_eq!(client.statistics().unwrap().reconnects, 0);
    let _server = Dealer::new(&format!("@{at}"), &quick()).unwrap();
    next_event(&client.events(), EventKind::Connected);
    assert_eq!(client.statistics().unwrap().reconnects, 1);
}
