//! Heartbeats: a peer that is alive keeps its connection, one that is silent loses it, and no PING does harm.

use std::time::Duration;

mod peer;
use peer::{expect_numbered, message, numbered, ping, socket, Peer};

// On a busy machine a test may well stand still for some 100 ms.
const INTERVAL_MS: i32 = 100;
const TIMEOUT_MS: i32 = 1_000;
/// Longer than the timeout: what must not happen in this time cannot be awaited.
const PAUSE: Duration = Duration::from_millis(1_500);

fn receiver(context: &zmq::Context, heartbeat: bool) -> zmq::Socket {
    let pull = socket(context, zmq::PULL);
    pull.set_rcvhwm(5).unwrap();
    if heartbeat {
        pull.set_heartbeat_ivl(INTERVAL_MS).unwrap();
        pull.set_heartbeat_timeout(TIMEOUT_MS).unwrap();
    }
    pull.bind("tcp://127.0.0.1:*").unwrap();
    pull
}

#[test]
fn silent_peer_loses_its_connection() {
    let context = zmq::Context::new();
    let pull = receiver(&context, true);
    let mut peer = Peer::connect(&pull);
    peer.handshake("PUSH");
    peer.wait_for_end();
}

#[test]
fn full_receiver_does_not_blame_its_peer_and_loses_nothing() {
    let context = zmq::Context::new();
    let pull = receiver(&context, true);
    let mut peer = Peer::connect(&pull);
    peer.handshake("PUSH");
    // This TTL asks for the connection to end after 100 ms of silence, which the receiver cannot hear.
    let mut bytes = ping(1, b"");
    bytes.extend(numbered(0, 600));
    peer.write(&bytes);
    std::thread::sleep(PAUSE);
    expect_numbered(&pull, 600);
    peer.wait_for_end();
}

#[test]
fn message_that_takes_longer_than_the_timeout_arrives() {
    let context = zmq::Context::new();
    let pull = receiver(&context, true);
    let mut peer = Peer::connect(&pull);
    peer.handshake("PUSH");
    let bytes = message(&[7; 30_000]);
    for piece in bytes.chunks(1_500) {
        peer.write(piece);
        std::thread::sleep(Duration::from_millis(TIMEOUT_MS as u64 / 8));
    }
    assert_eq!(pull.recv_bytes(0).unwrap(), [7; 30_000]);
    peer.wait_for_end();
}

#[test]
fn ping_without_ttl_is_ignored() {
    let context = zmq::Context::new();
    let pull = receiver(&context, false);
    let mut peer = Peer::connect(&pull);
    peer.handshake("PUSH");
    peer.write(&peer::command("PING", b""));
    peer.write(&peer::command("PING", b"\0"));
    peer.write(&ping(0, b"context"));
    assert_eq!(peer.read_command("PONG"), b"context");
    peer.write(&ping(0, &[b'x'; 40]));
    assert_eq!(peer.read_command("PONG"), [b'x'; 16], "a context has at most 16 bytes");
}

#[test]
fn long_ttl_is_not_cut_to_milliseconds() {
    let context = zmq::Context::new();
    let pull = receiver(&context, false);
    let mut peer = Peer::connect(&pull);
    peer.handshake("PUSH");
    peer.write(&ping(656, b"")); // 65,600 ms; in 16 bits 64
    std::thread::sleep(PAUSE);
    peer.write(&numbered(0, 1));
    expect_numbered(&pull, 1);
}

#[test]
fn short_ttl_ends_a_silent_connection() {
    let context = zmq::Context::new();
    let pull = receiver(&context, false);
    let mut peer = Peer::connect(&pull);
    peer.handshake("PUSH");
    peer.write(&ping(1, b""));
    peer.wait_for_end();
}
