//! Receiving many messages in one call: as one by one, message for message.

mod common;

use common::{address, bytes, soon, typed, LIMIT_MS};
use dividere::{
    recv_many, send_many, Channel, Dealer, Filter, Message, MessageKind, Options, Publisher, Request, Response, Status,
    Subscriber,
};

fn received(channel: &dyn Channel, messages: &mut [Message], typed: bool) -> dividere::Result<usize> {
    let mut batch: Vec<&mut Message> = messages.iter_mut().collect();
    recv_many(channel, &mut batch, typed, soon())
}

fn some() -> Vec<Message> {
    (0..8).map(|_| Message::new()).collect()
}

#[test]
fn a_subscriber_gets_only_the_types_it_asked_for_in_a_batch_too() {
    let publisher = Publisher::new("inproc://batch-types", &Options::new()).unwrap();
    let subscriber = Subscriber::new(&address(&publisher), Filter::Types(&["a.Wanted"]), &Options::new()).unwrap();
    publisher.wait_for_subscribers(Some("a.Wanted"), 1, soon()).unwrap();
    // As 2.2.0 writes a type of another package: by its short name.
    let mut other = dividere::messaging::envelope::encode("b.Wanted", b"other").unwrap();
    other.splice(0..2 + "b.Wanted".len(), [b"\x0a\x06", &b"Wanted"[..]].concat());
    let mut batch = [
        bytes(&other),
        typed("a.Wanted", b"1"),
        bytes(&other),
        typed("a.Wanted", b"2"),
    ];
    let sent = send_many(&publisher, &mut batch.iter_mut().collect::<Vec<_>>()).unwrap();
    assert_eq!(sent, batch.len());
    let mut messages = some();
    assert_eq!(received(&subscriber, &mut messages, true).unwrap(), 2);
    assert_eq!((messages[0].payload(), messages[1].payload()), (&b"1"[..], &b"2"[..]));
}

#[test]
fn what_is_no_envelope_is_undecodable_in_its_place() {
    let left = Dealer::new("@inproc://batch-undecodable", &Options::new()).unwrap();
    let right = Dealer::new(">inproc://batch-undecodable", &Options::new()).unwrap();
    for message in [&mut typed("a.A", b"1"), &mut bytes(b"raw"), &mut typed("a.A", b"2")] {
        left.send(message).unwrap();
    }
    let mut messages = some();
    assert_eq!(received(&right, &mut messages, true).unwrap(), 3);
    let kinds: Vec<MessageKind> = messages[..3].iter().map(Message::kind).collect();
    assert_eq!(
        kinds,
        [MessageKind::Typed, MessageKind::Undecodable, MessageKind::Typed]
    );
    assert_eq!(messages[1].bytes(), b"raw");
    assert_eq!(right.statistics().unwrap().decode_errors, 1);
    left.send(&mut bytes(b"raw")).unwrap();
    assert_eq!(received(&right, &mut messages, false).unwrap(), 1);
    assert_eq!(messages[0].kind(), MessageKind::Bytes);
}

#[test]
fn an_undecodable_request_in_a_batch_is_answered_with_an_error() {
    let response = Response::new("@inproc://batch-requests", &Options::new()).unwrap();
    let request = Request::new(">inproc://batch-requests", &Options::new()).unwrap();
    std::thread::scope(|scope| {
        let refused = scope.spawn(|| request.call(&mut bytes(b"raw"), &mut Message::new(), LIMIT_MS, 0));
        let mut messages = some();
        assert_eq!(received(&response, &mut messages, true).unwrap(), 1);
        assert_eq!(messages[0].kind(), MessageKind::Undecodable);
        assert_eq!(refused.join().unwrap().unwrap_err().status(), Status::Decode);
        // The next one is served.
        let answered = scope.spawn(|| request.call(&mut typed("a.Ask", b""), &mut Message::new(), LIMIT_MS, 0));
        assert_eq!(received(&response, &mut messages, true).unwrap(), 1);
        response.send(&mut typed("a.Answer", b"")).unwrap();
        answered.join().unwrap().unwrap();
    });
}

#[test]
fn writing_to_a_message_changes_no_clone_and_nothing_on_its_way() {
    const SIZE: usize = 1000;
    let mut message = bytes(&[1; SIZE]);
    let copy = message.try_clone().unwrap();
    message.payload_mut().unwrap().fill(2);
    assert_eq!(copy.bytes(), [1; SIZE]);
    assert_eq!(message.bytes(), [2; SIZE]);
    let mut message = typed("a.A", &[1; SIZE]);
    let copy = message.try_clone().unwrap();
    message.payload_mut().unwrap().fill(2);
    assert_eq!((copy.type_name(), copy.payload()), (Some("a.A"), &[1; SIZE][..]));
    assert_eq!((message.type_name(), message.payload()), (Some("a.A"), &[2; SIZE][..]));

    // A call that got no answer may still be sending.
    let server = Dealer::new("@inproc://batch-writing", &Options::new()).unwrap();
    let request = Request::new(">inproc://batch-writing", &Options::new()).unwrap();
    let unanswered = request.call(&mut message, &mut Message::new(), 10, 0);
    assert_eq!(unanswered.unwrap_err().status(), Status::Timeout);
    message.payload_mut().unwrap().fill(3);
    let mut on_its_way = Message::new();
    server.recv(&mut on_its_way, soon()).unwrap();
    assert_eq!(on_its_way.payload(), [2; SIZE]);
}
