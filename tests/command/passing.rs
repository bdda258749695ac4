//! `proxy`, between programs that use the library.

use dividere::{Channel, Filter, Message, Options, Publisher, Request, Response, Subscriber};

use crate::common::{bytes, soon, LIMIT_MS};
use crate::process::{run, words, Running};

fn connect(endpoint: &serde_json::Value) -> String {
    format!(">{}", endpoint.as_str().unwrap())
}

#[test]
fn requests_go_forth_and_replies_back() {
    let mut proxy = Running::start(&words("proxy tcp://127.0.0.1:* tcp://127.0.0.1:* --json"));
    let at = proxy.json();
    assert!(at["capture"].is_null(), "{at}");
    let response = Response::new(&connect(&at["back"]), &Options::new()).unwrap();
    let request = Request::new(at["front"].as_str().unwrap(), &Options::new()).unwrap();
    let server = std::thread::spawn(move || {
        let mut message = Message::new();
        response.recv_bytes(&mut message, soon()).unwrap();
        message.reply(&mut bytes(b"pong")).unwrap();
        // Closed when it was sent.
    });
    let mut reply = Message::new();
    request.call(&mut bytes(b"ping"), &mut reply, LIMIT_MS, 0).unwrap();
    assert_eq!(reply.bytes(), b"pong");
    server.join().unwrap();
    proxy.signal(libc::SIGINT);
    let counts = proxy.json();
    assert_eq!(counts["front"]["messages_in"], 1, "{counts}");
    assert_eq!(counts["back"]["messages_in"], 1, "{counts}");
    assert_eq!(proxy.finish().ok(), "");
}

#[test]
fn publications_pass_and_are_captured() {
    let line = "proxy --kind publish-subscribe tcp://127.0.0.1:* tcp://127.0.0.1:* --capture tcp://127.0.0.1:* --json";
    let mut proxy = Running::start(&words(line));
    let at = proxy.json();
    let end = |name: &str| at[name].as_str().unwrap().to_owned();
    let capture = Subscriber::new(&end("capture"), Filter::All, &Options::new()).unwrap();
    capture.wait_connected(1, soon()).unwrap();
    let publisher = Publisher::new(&connect(&at["front"]), &Options::new()).unwrap();
    let subscriber = Subscriber::new(&end("back"), Filter::All, &Options::new()).unwrap();
    publisher.wait_for_subscribers(None, 1, soon()).unwrap();
    // Subscriptions pass, too. A connected capture need not have subscribed yet: until it got a message.
    let mut message = Message::new();
    let deadline = std::time::Instant::now() + crate::common::LIMIT;
    while message.bytes() != b"passed again" {
        assert!(std::time::Instant::now() < deadline, "nothing was captured");
        publisher.send_bytes(b"passed again").unwrap();
        subscriber.recv_bytes(&mut message, soon()).unwrap();
        assert_eq!(message.bytes(), b"passed again");
        message.clear();
        let _not_yet = capture.recv_bytes(&mut message, dividere::Deadline::from_ms(50));
    }
    proxy.interrupt().ok();
}

#[test]
fn counts_are_told_every_so_often() {
    let mut proxy = Running::start(&words("proxy tcp://127.0.0.1:* tcp://127.0.0.1:* --statistics 10ms"));
    let line = proxy.line();
    assert!(line.starts_with("front end at tcp://127.0.0.1:"), "{line}");
    for _ in 0..3 {
        assert_eq!(proxy.line(), "forth 0 messages, back 0, dropped 0");
    }
    proxy.signal(libc::SIGTERM);
    assert_eq!(proxy.finish().code, Some(0));
    run(&words("proxy tcp://127.0.0.1:* tcp://127.0.0.1:* --statistics 0")).failed(2, "too often");
}

#[test]
fn an_address_in_use_is_told() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = format!("tcp://{}", taken.local_addr().unwrap());
    run(&["proxy", "tcp://127.0.0.1:*", &at]).failed(1, "ADDRESS_IN_USE");
}
