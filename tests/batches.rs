//! Receiving many messages in one call: as one by one, message for message.

mod common;

use common::{address, bytes, soon, typed, LIMIT_MS};
use dividere::{
    recv_many, send_many, Channel, Dealer, Filter, FullQueue, Message, MessageKind, Options, Publisher, Request,
    Response, Status, Subscriber,
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

/// Numbered messages of one type.
fn numbered(count: u32) -> Vec<Message> {
    (0..count).map(|i| typed("a.Number", &i.to_be_bytes())).collect()
}

fn number(message: &Message) -> u32 {
    u32::from_be_bytes(message.payload().try_into().unwrap())
}

#[test]
fn a_batch_longer_than_the_queue_waits_for_room_and_arrives_in_order() {
    const COUNT: u32 = 3000;
    for at in ["inproc://batch-long", "tcp://127.0.0.1:*"] {
        let mut options = Options::new();
        options.set_full_queue(Some(FullQueue::Block));
        options.set_send_high_water_mark(7).unwrap();
        options.set_receive_high_water_mark(7).unwrap();
        let publisher = Publisher::new(at, &options).unwrap();
        let subscribers: Vec<Subscriber> = (0..2)
            .map(|_| Subscriber::new(&address(&publisher), Filter::All, &options).unwrap())
            .collect();
        publisher.wait_for_subscribers(None, 2, soon()).unwrap();
        std::thread::scope(|scope| {
            for subscriber in &subscribers {
                scope.spawn(move || {
                    let (mut messages, mut seen) = (some(), 0);
                    while seen < COUNT {
                        let some = received(subscriber, &mut messages, true).unwrap();
                        for message in &messages[..some] {
                            assert_eq!(number(message), seen);
                            seen += 1;
                        }
                    }
                });
            }
            let mut batch = numbered(COUNT);
            let sent = send_many(&publisher, &mut batch.iter_mut().collect::<Vec<_>>()).unwrap();
            assert_eq!(sent, COUNT as usize);
        });
        assert_eq!(publisher.statistics().unwrap().messages_out, u64::from(COUNT));
    }
}

#[test]
fn a_batch_ends_before_what_cannot_be_sent() {
    let mut options = Options::new();
    options.set_max_message_size(100).unwrap();
    let left = Dealer::new("@inproc://batch-ends", &options).unwrap();
    let right = Dealer::new(">inproc://batch-ends", &options).unwrap();
    for (wrong, status) in [(Message::new(), Status::State), (bytes(&[0; 101]), Status::TooLarge)] {
        let mut batch = numbered(5);
        batch[3] = wrong;
        let sent = send_many(&left, &mut batch.iter_mut().collect::<Vec<_>>()).unwrap();
        assert_eq!(sent, 3);
        // Those that were sent are empty; the others are as they were.
        let kinds: Vec<bool> = batch.iter().map(|one| one.kind() == MessageKind::Empty).collect();
        assert_eq!(kinds[..3], [true; 3]);
        assert_eq!(number(&batch[4]), 4);
        let refused = send_many(&left, &mut batch[3..].iter_mut().collect::<Vec<_>>()).unwrap_err();
        assert_eq!(refused.status(), status);
        let mut messages = some();
        assert_eq!(received(&right, &mut messages, true).unwrap(), 3);
        assert_eq!(messages[..3].iter().map(number).collect::<Vec<_>>(), [0, 1, 2]);
    }
}

#[test]
fn a_batch_that_a_subscriber_is_too_slow_for_is_dropped_where_the_queue_is_full() {
    const COUNT: u32 = 1000;
    let mut options = Options::new();
    options.set_send_high_water_mark(5).unwrap();
    options.set_receive_high_water_mark(5).unwrap();
    let publisher = Publisher::new("inproc://batch-dropped", &options).unwrap();
    let subscriber = Subscriber::new(&address(&publisher), Filter::All, &options).unwrap();
    publisher.wait_for_subscribers(None, 1, soon()).unwrap();
    let mut batch = numbered(COUNT);
    let sent = send_many(&publisher, &mut batch.iter_mut().collect::<Vec<_>>()).unwrap();
    assert_eq!(sent, COUNT as usize);
    let mut messages: Vec<Message> = (0..COUNT).map(|_| Message::new()).collect();
    let arrived = received(&subscriber, &mut messages, true).unwrap();
    assert_eq!(
        messages[..arrived].iter().map(number).collect::<Vec<_>>(),
        (0..arrived as u32).collect::<Vec<_>>()
    );
    let dropped = publisher.statistics().unwrap().dropped_queue_full;
    assert_eq!(dropped, u64::from(COUNT) - arrived as u64);
}

#[test]
fn a_batch_is_received_around_what_is_no_message() {
    const COUNT: u32 = 300;
    let context = zmq::Context::new();
    let publisher = context.socket(zmq::XPUB).unwrap();
    publisher.bind("tcp://127.0.0.1:*").unwrap();
    let at = publisher.get_last_endpoint().unwrap().unwrap();
    let subscriber = Subscriber::new(&at, Filter::All, &Options::new()).unwrap();
    publisher.recv_bytes(0).unwrap();
    for one in numbered(COUNT) {
        publisher.send("one frame", zmq::SNDMORE).unwrap();
        publisher.send("too many", 0).unwrap();
        publisher.send("no envelope", 0).unwrap();
        publisher.send(one.bytes(), 0).unwrap();
    }
    let (mut messages, mut seen) = (some(), 0);
    while seen < 2 * COUNT {
        let some = received(&subscriber, &mut messages, true).unwrap();
        for message in &messages[..some] {
            match seen % 2 {
                0 => assert_eq!(message.kind(), MessageKind::Undecodable),
                _ => assert_eq!(number(message), seen / 2),
            }
            seen += 1;
        }
    }
    let statistics = subscriber.statistics().unwrap();
    assert_eq!(statistics.dropped_malformed, u64::from(COUNT));
    assert_eq!(statistics.decode_errors, u64::from(COUNT));
    assert_eq!(statistics.messages_in, u64::from(2 * COUNT));
}
