//! The proxy passes messages both ways, counts them, shows them, and stops at once.

mod common;

use std::time::{Duration, Instant};

use common::{alone, bytes, process_cpu_time};
use dividere::{
    Channel, Deadline, Dealer, Filter, Message, Options, Proxy, ProxyKind, Publisher, Request, Response, Status,
    Subscriber,
};

fn soon() -> Deadline {
    Deadline::from_ms(20_000)
}

fn typed(name: &str, payload: &[u8]) -> Message {
    let mut message = Message::new();
    message.prepare(name, payload.len()).unwrap().copy_from_slice(payload);
    message
}

const ANY: &str = "tcp://127.0.0.1:*";

#[test]
fn requests_are_passed_to_responses_and_answered() {
    let proxy = Proxy::new(ProxyKind::RequestResponse, ANY, ANY, Some(ANY), &Options::new()).unwrap();
    let capture = proxy.capture().unwrap();
    let watcher = Subscriber::new(&capture.last_endpoint().unwrap(), Filter::All, &Options::new()).unwrap();
    let response = Response::new(&format!(">{}", proxy.back().last_endpoint().unwrap()), &Options::new()).unwrap();
    response.wait_connected(1, soon()).unwrap();
    let request = Request::new(&proxy.front().last_endpoint().unwrap(), &Options::new()).unwrap();
    while capture.statistics().unwrap().subscribers == 0 {
        capture.wait_connected(1, soon()).unwrap();
    }
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut message = Message::new();
            for _ in 0..100 {
                response.recv(&mut message, soon()).unwrap();
                let payload = message.payload().to_vec();
                response.send(&mut typed("a.Reply", &payload)).unwrap();
            }
        });
        let mut reply = Message::new();
        for i in 0..100u32 {
            request
                .call(&mut typed("a.Question", &i.to_be_bytes()), &mut reply, 20_000, 0)
                .unwrap();
            assert_eq!(reply.payload(), i.to_be_bytes());
        }
    });
    let (front, back) = proxy.statistics().unwrap();
    assert_eq!((front.messages_in, back.messages_out), (100, 100));
    assert_eq!(back.messages_in, 100);
    let mut shown = Message::new();
    watcher.recv(&mut shown, soon()).unwrap();
    assert_eq!(shown.type_name(), Some("a.Question"));
    watcher.recv(&mut shown, soon()).unwrap();
    assert_eq!(shown.type_name(), Some("a.Reply"));
    let before = Instant::now();
    proxy.close().unwrap();
    // 50 ms is promised; a busy machine gets some more.
    assert!(before.elapsed() < Duration::from_secs(1));
    assert_eq!(proxy.close().unwrap_err().status(), Status::Closed);
}

#[test]
fn publications_are_passed_to_those_who_subscribe() {
    let proxy = Proxy::new(ProxyKind::PublishSubscribe, ANY, ANY, None, &Options::new()).unwrap();
    let publisher = Publisher::new(&format!(">{}", proxy.front().last_endpoint().unwrap()), &Options::new()).unwrap();
    let at = proxy.back().last_endpoint().unwrap();
    let subscriber = Subscriber::new(&at, Filter::Types(&["a.A"]), &Options::new()).unwrap();
    publisher.wait_for_subscribers(Some("a.A"), 1, soon()).unwrap();
    for i in 0..1000u32 {
        publisher.send(&mut typed("a.B", b"")).unwrap();
        publisher.send(&mut typed("a.A", &i.to_be_bytes())).unwrap();
        let mut message = Message::new();
        subscriber.recv(&mut message, soon()).unwrap();
        assert_eq!(message.payload(), i.to_be_bytes());
    }
}

#[test]
fn a_proxy_that_cannot_pass_anything_on_waits_without_turning() {
    alone("a_proxy_that_cannot_pass_anything_on_waits_without_turning", || {
        let proxy = Proxy::new(ProxyKind::RequestResponse, ANY, ANY, None, &Options::new()).unwrap();
        let client = Dealer::new(&format!(">{}", proxy.front().last_endpoint().unwrap()), &Options::new()).unwrap();
        const COUNT: u32 = 100;
        for number in 0..COUNT {
            client.send(&mut bytes(&number.to_be_bytes())).unwrap();
        }
        // The first was received, and nobody is there to take it.
        while proxy.front().statistics().unwrap().messages_in == 0 {
            std::thread::yield_now();
        }
        let before = process_cpu_time();
        std::thread::sleep(Duration::from_millis(500));
        let spent = process_cpu_time() - before;
        assert!(spent < Duration::from_millis(100), "{spent:?} of 500 ms");
        let server = Dealer::new(&format!(">{}", proxy.back().last_endpoint().unwrap()), &Options::new()).unwrap();
        for number in 0..COUNT {
            let mut message = Message::new();
            server.recv_bytes(&mut message, soon()).unwrap();
            assert_eq!(message.bytes(), number.to_be_bytes());
        }
    });
}

#[test]
fn publications_that_a_full_subscriber_loses_are_counted_and_others_get_theirs() {
    let mut short = Options::new();
    short.set_send_high_water_mark(1).unwrap();
    short.set_receive_high_water_mark(1).unwrap();
    let proxy = Proxy::new(ProxyKind::PublishSubscribe, ANY, ANY, None, &short).unwrap();
    let publisher = Publisher::new(&format!(">{}", proxy.front().last_endpoint().unwrap()), &Options::new()).unwrap();
    let at = proxy.back().last_endpoint().unwrap();
    let stuck = Subscriber::new(&at, Filter::Types(&["a.Stuck"]), &short).unwrap();
    let reading = Subscriber::new(&at, Filter::Types(&["a.Reading"]), &Options::new()).unwrap();
    for name in ["a.Stuck", "a.Reading"] {
        publisher.wait_for_subscribers(Some(name), 1, soon()).unwrap();
    }
    let large = vec![0; 256 * 1024];
    let deadline = soon();
    while proxy.back().statistics().unwrap().dropped_queue_full == 0 {
        assert!(!deadline.is_over(), "nothing was counted");
        publisher.send(&mut typed("a.Stuck", &large)).unwrap();
        publisher.send(&mut typed("a.Reading", b"")).unwrap();
        let mut message = Message::new();
        reading.recv(&mut message, soon()).unwrap();
    }
    drop(stuck);
}
