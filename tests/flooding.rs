//! Messages of no use do not keep a receiver beyond its time, nor other sources waiting. What a flood does by chance is
//! done here by a full queue: over inproc what was sent is there to be received.

mod common;

use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{address, bytes, soon, typed, LIMIT};
use dividere::{Channel, Deadline, Dealer, Message, Options, Reactor, Request, Response, Status};

const COUNT: u64 = 5000;

fn unlimited() -> Options {
    let mut options = Options::new();
    options.set_send_high_water_mark(0).unwrap();
    options.set_receive_high_water_mark(0).unwrap();
    options
}

/// Over at once, but not a wait for nothing.
fn over() -> Deadline {
    Deadline::after(Duration::ZERO)
}

fn malformed(channel: &dyn Channel) -> u64 {
    channel.statistics().unwrap().dropped_malformed
}

/// A response with requests that have no way back, and one behind them that has.
fn flooded_response(name: &str) -> (Response, Dealer) {
    let response = Response::new(&format!("@inproc://{name}"), &unlimited()).unwrap();
    let dealer = Dealer::new(&address(&response), &unlimited()).unwrap();
    for _ in 0..COUNT {
        dealer.send(&mut bytes(b"")).unwrap();
    }
    dealer.send_with_empty_frame(&mut typed("a.Ask", b"")).unwrap();
    (response, dealer)
}

#[test]
fn malformed_requests_do_not_keep_a_response_beyond_its_time() {
    let (response, _dealer) = flooded_response("flooded-response");
    let mut message = Message::new();
    assert_eq!(
        response.recv(&mut message, over()).unwrap_err().status(),
        Status::Timeout
    );
    assert_eq!(malformed(&response), 1);
    let refused = response.recv(&mut message, Deadline::Now).unwrap_err();
    assert_eq!(refused.status(), Status::WouldBlock);
    assert!(malformed(&response) < COUNT);
    response.recv(&mut message, soon()).unwrap();
    assert_eq!(message.type_name(), Some("a.Ask"));
    assert_eq!(malformed(&response), COUNT);
}

#[test]
fn messages_of_too_many_frames_do_not_keep_a_dealer_beyond_its_time() {
    let left = Dealer::new("@inproc://flooded-frames", &unlimited()).unwrap();
    let right = Dealer::new(&address(&left), &unlimited()).unwrap();
    for _ in 0..COUNT {
        right.send_routed(&[&b""[..]; 64], &mut bytes(b"")).unwrap();
    }
    right.send(&mut bytes(b"last")).unwrap();
    let mut message = Message::new();
    assert_eq!(
        left.recv_bytes(&mut message, over()).unwrap_err().status(),
        Status::Timeout
    );
    assert_eq!(malformed(&left), 1);
    left.recv_bytes(&mut message, soon()).unwrap();
    assert_eq!(message.bytes(), b"last");
    assert_eq!(malformed(&left), COUNT);
}

#[test]
fn replies_to_others_do_not_keep_a_request_beyond_its_time() {
    let server = Dealer::new("@inproc://flooded-request", &unlimited()).unwrap();
    let request = Request::new(&address(&server), &unlimited()).unwrap();
    request.send(&mut typed("a.Ask", b"")).unwrap();
    let mut question = Message::new();
    server.recv(&mut question, soon()).unwrap();
    for _ in 0..COUNT {
        server.send_routed(&[&[7; 8], b""], &mut bytes(b"late")).unwrap();
    }
    question.reply(&mut typed("a.Answer", b"")).unwrap();
    let mut message = Message::new();
    let refused = request.recv(&mut message, Deadline::Now).unwrap_err();
    assert_eq!(refused.status(), Status::WouldBlock);
    let stale = || request.statistics().unwrap().dropped_stale;
    let before = stale();
    assert!(0 < before && before < COUNT);
    request.recv(&mut message, soon()).unwrap();
    assert_eq!(message.type_name(), Some("a.Answer"));
    assert_eq!(stale(), COUNT);
}

#[test]
fn a_reactor_serves_the_others_while_one_source_is_full_of_malformed_requests() {
    let (response, _dealer) = flooded_response("flooded-reactor");
    let quiet = Dealer::new("@inproc://flooded-quiet", &Options::new()).unwrap();
    let peer = Dealer::new(&address(&quiet), &Options::new()).unwrap();
    peer.send(&mut typed("a.Quiet", b"")).unwrap();
    let (sender, arrived) = channel();
    let sender = Mutex::new(sender);
    let response: Arc<dyn Channel> = Arc::new(response);
    let quiet: Arc<dyn Channel> = Arc::new(quiet);
    let reactor = Reactor::new().unwrap();
    reactor.add(&response, 0).unwrap();
    reactor.add(&quiet, 1).unwrap();
    let flooded = Arc::clone(&response);
    reactor
        .on("a.Quiet", move |_, _| {
            sender.lock().unwrap().send(malformed(&*flooded)).unwrap();
            Ok(())
        })
        .unwrap();
    reactor.start("flooded").unwrap();
    // No more than a turn of the other source came before it.
    let before = arrived.recv_timeout(LIMIT).unwrap();
    assert!(before <= 64, "{before} requests before it");
    reactor.close().unwrap();
}
