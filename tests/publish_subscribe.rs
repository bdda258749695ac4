//! Publisher and subscriber over real sockets: what is sent arrives, filters hold, nobody sleeps for a late joiner.

use dividere::{Channel, Deadline, Filter, Message, MessageKind, Options, Publisher, Status, Subscriber};

const TRANSPORTS: [&str; 3] = ["tcp", "ipc", "inproc"];

fn endpoint(transport: &str, name: &str) -> String {
    match transport {
        "tcp" => "tcp://127.0.0.1:*".to_owned(),
        "ipc" => format!(
            "ipc://{}",
            std::env::temp_dir()
                .join(format!("dividere-{}-{name}", std::process::id()))
                .display()
        ),
        _ => format!("inproc://{name}"),
    }
}

fn soon() -> Deadline {
    Deadline::from_ms(20_000)
}

fn typed(name: &str, payload: &[u8]) -> Message {
    let mut message = Message::new();
    message.prepare(name, payload.len()).unwrap().copy_from_slice(payload);
    message
}

fn pair(transport: &str, name: &str, filter: Filter<'_>) -> (Publisher, Subscriber) {
    let publisher = Publisher::new(&endpoint(transport, name), &Options::new()).unwrap();
    let at = publisher.last_endpoint().unwrap();
    let subscriber = Subscriber::new(&at, filter, &Options::new()).unwrap();
    publisher.wait_for_subscribers(None, 1, soon()).unwrap();
    (publisher, subscriber)
}

#[test]
fn what_is_published_arrives_in_order_over_every_transport() {
    for transport in TRANSPORTS {
        let (publisher, subscriber) = pair(transport, "in-order", Filter::All);
        for i in 0..500u32 {
            publisher.send(&mut typed("acme.Reading", &i.to_be_bytes())).unwrap();
        }
        let mut message = Message::new();
        for i in 0..500u32 {
            subscriber.recv(&mut message, soon()).unwrap();
            assert_eq!(message.kind(), MessageKind::Typed);
            assert_eq!(message.type_name(), Some("acme.Reading"), "{transport}");
            assert_eq!(message.payload(), i.to_be_bytes(), "{transport}");
        }
    }
}

#[test]
fn a_subscriber_gets_only_the_types_it_asked_for() {
    for transport in TRANSPORTS {
        let (publisher, subscriber) = pair(transport, "types", Filter::Types(&["acme.Wanted"]));
        publisher.wait_for_subscribers(Some("acme.Wanted"), 1, soon()).unwrap();
        assert_eq!(publisher.subscribers(Some("acme.Other")).unwrap(), 0);
        publisher.send(&mut typed("acme.Other", b"1")).unwrap();
        publisher.send(&mut typed("other.Wanted", b"2")).unwrap();
        // Its short name is what 2.2.0 writes: it comes, and is dropped by its type.
        let mut short = dividere::messaging::envelope::encode("other.Wanted", b"3").unwrap();
        let at = 2 + "other.Wanted".len();
        short.splice(0..at, [b"\x0a\x06", &b"Wanted"[..]].concat());
        publisher.send_bytes(&short).unwrap();
        // So does a type without a package that is really called so.
        publisher.send(&mut typed("Wanted", b"3")).unwrap();
        publisher.send(&mut typed("acme.Wanted", b"4")).unwrap();
        let mut message = Message::new();
        subscriber.recv(&mut message, soon()).unwrap();
        assert_eq!(
            (message.type_name(), message.payload()),
            (Some("acme.Wanted"), &b"4"[..])
        );

        subscriber.subscribe_type("acme.Other").unwrap();
        publisher.wait_for_subscribers(Some("acme.Other"), 1, soon()).unwrap();
        publisher.send(&mut typed("acme.Other", b"5")).unwrap();
        subscriber.recv(&mut message, soon()).unwrap();
        assert_eq!(message.payload(), b"5");
        subscriber.unsubscribe_type("acme.Wanted").unwrap();
        assert_eq!(
            subscriber.unsubscribe_type("acme.Wanted").unwrap_err().status(),
            Status::NotFound
        );
    }
}

#[test]
fn waiting_for_a_subscriber_ends_with_the_time_given_and_counts_each_peer_once() {
    let publisher = Publisher::new("tcp://127.0.0.1:*", &Options::new()).unwrap();
    let error = publisher
        .wait_for_subscribers(None, 1, Deadline::from_ms(30))
        .unwrap_err();
    assert_eq!(error.status(), Status::Timeout);
    let at = publisher.last_endpoint().unwrap();
    let three = Subscriber::new(&at, Filter::Types(&["a.A", "b.B", "c.C"]), &Options::new()).unwrap();
    publisher.wait_for_subscribers(Some("c.C"), 1, soon()).unwrap();
    assert_eq!(publisher.subscribers(None).unwrap(), 1);
    let one = Subscriber::new(&at, Filter::Types(&["a.A"]), &Options::new()).unwrap();
    publisher.wait_for_subscribers(Some("a.A"), 2, soon()).unwrap();
    assert_eq!(publisher.subscribers(Some("b.B")).unwrap(), 1);
    three.close().unwrap();
    while publisher.subscribers(None).unwrap() != 1 {
        publisher.events().recv(20_000).unwrap();
    }
    assert_eq!(publisher.subscribers(Some("a.A")).unwrap(), 1);
    drop(one);
}

#[test]
fn what_is_no_envelope_comes_back_as_an_error_with_its_bytes() {
    let (publisher, subscriber) = pair("tcp", "undecodable", Filter::All);
    publisher.send_bytes(b"\xff\xff").unwrap();
    let mut message = Message::new();
    assert_eq!(
        subscriber.recv(&mut message, soon()).unwrap_err().status(),
        Status::Decode
    );
    assert_eq!(message.bytes(), b"\xff\xff");
    assert_eq!(message.kind(), MessageKind::Undecodable);
    assert_eq!(subscriber.statistics().unwrap().decode_errors, 1);
    assert_eq!(publisher.statistics().unwrap().messages_out, 1);
}

#[test]
fn a_message_over_the_limit_is_refused_at_the_sender() {
    let mut options = Options::new();
    options.set_max_message_size(1024).unwrap();
    let publisher = Publisher::new("tcp://127.0.0.1:*", &options).unwrap();
    let error = publisher.send_bytes(&[0; 1025]).unwrap_err();
    assert_eq!(error.status(), Status::TooLarge);
    publisher.send_bytes(&[0; 1024]).unwrap();
}
