//! What a peer sent before its connection ended arrives, however full the receiver was, and nothing aborts meanwhile.

use std::net::TcpListener;
use std::time::Duration;

mod peer;
use peer::{expect_numbered, numbered, ping, socket, Monitor, Peer};

const HWM: i32 = 5;
const MESSAGES: usize = 600;

/// Long enough for many heartbeats of `HEARTBEAT_MS`: what must not happen in this time cannot be awaited.
const PAUSE: Duration = Duration::from_millis(400);
const HEARTBEAT_MS: i32 = 20;
const HEARTBEAT_TIMEOUT_MS: i32 = 20_000;

/// Far over the high-water mark, with a PING in the middle; then the connection is reset.
fn send_much_and_die(mut peer: Peer) {
    let mut bytes = numbered(0, MESSAGES / 2);
    bytes.extend(ping(1, b"context"));
    bytes.extend(numbered(MESSAGES / 2, MESSAGES / 2));
    peer.write(&bytes);
    peer.wait_until_delivered();
    peer.reset();
}

#[test]
fn bound_receiver_gets_everything_from_a_peer_that_died() {
    let context = zmq::Context::new();
    let pull = socket(&context, zmq::PULL);
    pull.set_rcvhwm(HWM).unwrap();
    pull.set_heartbeat_ivl(HEARTBEAT_MS).unwrap();
    pull.set_heartbeat_timeout(HEARTBEAT_TIMEOUT_MS).unwrap();
    pull.bind("tcp://127.0.0.1:*").unwrap();
    let mut peer = Peer::connect(&pull);
    peer.handshake("PUSH");
    send_much_and_die(peer);
    std::thread::sleep(PAUSE);
    expect_numbered(&pull, MESSAGES);
}

#[test]
fn connecting_receiver_gets_everything_from_a_peer_that_died_and_reconnects() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let context = zmq::Context::new();
    let pull = socket(&context, zmq::PULL);
    pull.set_rcvhwm(HWM).unwrap();
    pull.set_heartbeat_ivl(HEARTBEAT_MS).unwrap();
    pull.set_heartbeat_timeout(HEARTBEAT_TIMEOUT_MS).unwrap();
    pull.set_immediate(true).unwrap();
    pull.connect(&format!("tcp://{}", listener.local_addr().unwrap()))
        .unwrap();
    for _ in 0..2 {
        let mut peer = Peer::accept(&listener);
        peer.handshake("PUSH");
        send_much_and_die(peer);
        std::thread::sleep(PAUSE);
        expect_numbered(&pull, MESSAGES);
    }
}

#[test]
fn sender_that_writes_into_a_dead_connection_still_reads_what_came() {
    let context = zmq::Context::new();
    let dealer = socket(&context, zmq::DEALER);
    dealer.set_rcvhwm(HWM).unwrap();
    dealer.set_heartbeat_ivl(0).unwrap();
    dealer.bind("tcp://127.0.0.1:*").unwrap();
    let mut peer = Peer::connect(&dealer);
    peer.handshake("DEALER");
    send_much_and_die(peer);
    for _ in 0..10 {
        // Fails in the kernel with EPIPE or ECONNRESET.
        dealer.send("into the void", 0).unwrap();
    }
    expect_numbered(&dealer, MESSAGES);
}

#[test]
fn socket_with_immediate_keeps_what_it_received() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let context = zmq::Context::new();
    let dealer = socket(&context, zmq::DEALER);
    dealer.set_immediate(true).unwrap();
    let monitor = Monitor::of(&context, &dealer, "immediate");
    dealer
        .connect(&format!("tcp://{}", listener.local_addr().unwrap()))
        .unwrap();
    let mut peer = Peer::accept(&listener);
    peer.handshake("DEALER");
    peer.write(&numbered(0, 3));
    peer.wait_until_delivered();
    drop(peer);
    monitor.wait(zmq_sys::ZMQ_EVENT_CONNECT_RETRIED);
    // Takes note of everything that the I/O thread said.
    assert_eq!(
        dealer.get_events().unwrap(),
        zmq::POLLIN,
        "something to receive, nobody to send to"
    );
    expect_numbered(&dealer, 3);
}

/// A connecting ROUTER whose pipe is just full when the connection ends, and still is when the next one begins.
fn full_router(listener: &TcpListener, context: &zmq::Context) -> (zmq::Socket, Monitor) {
    let router = socket(context, zmq::ROUTER);
    router.set_rcvhwm(HWM).unwrap();
    router.set_reconnect_ivl(1).unwrap();
    let monitor = Monitor::of(context, &router, "full-router");
    router
        .connect(&format!("tcp://{}", listener.local_addr().unwrap()))
        .unwrap();
    let mut peer = Peer::accept(listener);
    peer.handshake("DEALER");
    monitor.wait(zmq_sys::ZMQ_EVENT_HANDSHAKE_SUCCEEDED);
    peer.write(&numbered(0, HWM as usize));
    peer.wait_until_delivered();
    drop(peer);
    monitor.wait(zmq_sys::ZMQ_EVENT_DISCONNECTED);
    (router, monitor)
}

#[test]
fn full_receiver_survives_a_reconnection() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let context = zmq::Context::new();
    let (router, monitor) = full_router(&listener, &context);
    let mut peer = Peer::accept(&listener);
    peer.handshake("DEALER");
    monitor.wait(zmq_sys::ZMQ_EVENT_HANDSHAKE_SUCCEEDED);
    peer.write(&numbered(HWM as usize, 20));
    expect_numbered(&router, HWM as usize + 20);
}

#[test]
fn full_receiver_survives_a_reconnection_to_an_old_peer() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let context = zmq::Context::new();
    let (router, _monitor) = full_router(&listener, &context);
    let mut peer = Peer::accept(&listener);
    peer.handshake_v2(zmq_sys::ZMQ_DEALER as u8);
    peer.write(&numbered(HWM as usize, 20));
    std::thread::sleep(PAUSE);
    expect_numbered(&router, HWM as usize + 20);
}
