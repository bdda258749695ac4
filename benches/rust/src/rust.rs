//! The Rust API, one message per call, bytes, with the defaults but for a sender that waits instead of dropping.

use crate::{payload, Library};
use dividere::connection::options::FullQueue;
use dividere::{Channel, Deadline, Filter, Message, Options, Publisher, Request, Response, Subscriber};

pub struct Rust;

fn options() -> Options {
    let mut options = Options::new();
    options.set_full_queue(Some(FullQueue::Block));
    options.set_send_timeout_ms(-1).expect("allowed");
    options
}

impl Library for Rust {
    fn send(endpoint: &str, size: usize, count: u64, bound: &dyn Fn(&str)) {
        let publisher = Publisher::new(endpoint, &options()).expect("a free endpoint");
        bound(&publisher.last_endpoint().expect("bound"));
        publisher
            .wait_for_subscribers(None, 1, Deadline::Never)
            .expect("a subscriber");
        let payload = payload(size);
        let mut message = Message::new();
        for _ in 0..count {
            message.prepare_bytes(size).expect("memory").copy_from_slice(&payload);
            publisher.send(&mut message).expect("sent");
        }
        publisher.close().expect("closed");
    }

    fn recv(endpoint: &str, size: usize, count: u64, first: &mut dyn FnMut()) {
        let subscriber = Subscriber::new(endpoint, Filter::All, &options()).expect("an endpoint");
        let mut message = Message::new();
        for i in 0..count {
            subscriber.recv_bytes(&mut message, Deadline::Never).expect("received");
            assert_eq!(message.bytes().len(), size);
            if i == 0 {
                first();
            }
        }
    }

    fn pong(endpoint: &str, size: usize, count: u64, bound: &dyn Fn(&str)) {
        let response = Response::new(&format!("@{endpoint}"), &options()).expect("a free endpoint");
        bound(&response.last_endpoint().expect("bound"));
        let mut message = Message::new();
        for _ in 0..count {
            response.recv_bytes(&mut message, Deadline::Never).expect("received");
            assert_eq!(message.bytes().len(), size);
            response.send(&mut message).expect("sent");
        }
    }

    fn ping(endpoint: &str, size: usize, count: u64, each: &mut dyn FnMut()) {
        let request = Request::new(endpoint, &options()).expect("an endpoint");
        let payload = payload(size);
        let (mut question, mut answer) = (Message::new(), Message::new());
        for _ in 0..count {
            question.prepare_bytes(size).expect("memory").copy_from_slice(&payload);
            request.call(&mut question, &mut answer, -1, 0).expect("answered");
            assert_eq!(answer.bytes().len(), size);
            each();
        }
    }
}
