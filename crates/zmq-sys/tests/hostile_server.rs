//! What a server may do to those who connect to it: refuse, not abort, and not borrow another's permission.

use std::net::TcpListener;

mod peer;
use peer::{command, expect_numbered, numbered, socket, Monitor, Peer};

/// crypto_box over what needs no zero padding on either side.
fn sealed(plain: &[u8], nonce: &[u8; 24], public_key: &[u8; 32], secret_key: &[u8; 32]) -> Vec<u8> {
    let mut out = vec![0; plain.len() + 16];
    // SAFETY: lengths as libsodium documents them.
    let rc = unsafe {
        libsodium_sys::crypto_box_easy(
            out.as_mut_ptr(),
            plain.as_ptr(),
            plain.len() as u64,
            nonce.as_ptr(),
            public_key.as_ptr(),
            secret_key.as_ptr(),
        )
    };
    assert_eq!(rc, 0);
    out
}

#[test]
fn server_with_a_zero_transient_key_is_refused() {
    let server_keys = zmq::CurveKeyPair::new().unwrap();
    let client_keys = zmq::CurveKeyPair::new().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let context = zmq::Context::new();
    let client = socket(&context, zmq::DEALER);
    client.set_curve_publickey(&client_keys.public_key).unwrap();
    client.set_curve_secretkey(&client_keys.secret_key).unwrap();
    client.set_curve_serverkey(&server_keys.public_key).unwrap();
    let monitor = Monitor::of(&context, &client, "zero-key");
    client
        .connect(&format!("tcp://{}", listener.local_addr().unwrap()))
        .unwrap();

    let mut server = Peer::accept(&listener);
    server.greet("CURVE", true);
    let hello = server.read_command("HELLO");
    let client_transient: [u8; 32] = hello[74..106].try_into().unwrap();

    let mut nonce = *b"WELCOME-0123456789abcdef";
    nonce[8..].copy_from_slice(&[9; 16]);
    let key_and_cookie = [0u8; 32 + 96];
    let mut welcome = nonce[8..].to_vec();
    welcome.extend(sealed(
        &key_and_cookie,
        &nonce,
        &client_transient,
        &server_keys.secret_key,
    ));
    server.write(&command("WELCOME", &welcome));

    let reason = monitor.wait(zmq_sys::ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL);
    assert_eq!(reason, zmq_sys::ZMQ_PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC);
    server.wait_for_end();
}

/// Answers a question to the ZAP handler with 200.
fn permit(handler: &zmq::Socket, question: &[Vec<u8>]) {
    let answer: [&[u8]; 6] = [&question[0], &question[1], b"200", b"OK", b"user", b""];
    handler.send_multipart(answer, 0).unwrap();
}

#[test]
fn permission_for_a_lost_connection_does_not_reach_the_next() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let context = zmq::Context::new();
    let handler = socket(&context, zmq::REP);
    handler.bind("inproc://zeromq.zap.01").unwrap();
    let pull = socket(&context, zmq::PULL);
    pull.set_zap_domain("test").unwrap();
    pull.set_reconnect_ivl(1).unwrap();
    let monitor = Monitor::of(&context, &pull, "stale-zap");
    pull.connect(&format!("tcp://{}", listener.local_addr().unwrap()))
        .unwrap();

    let mut first = Peer::accept(&listener);
    first.greet("NULL", false);
    let question = handler.recv_multipart(0).unwrap();
    drop(first);
    let mut second = Peer::accept(&listener);
    monitor.wait(zmq_sys::ZMQ_EVENT_CONNECT_RETRIED);
    monitor.wait(zmq_sys::ZMQ_EVENT_CONNECTED);
    permit(&handler, &question);

    // The second connection asks for itself.
    second.greet("NULL", false);
    let question = handler.recv_multipart(0).unwrap();
    permit(&handler, &question);
    second.send_ready("PUSH");
    second.write(&numbered(0, 3));
    expect_numbered(&pull, 3);
}
