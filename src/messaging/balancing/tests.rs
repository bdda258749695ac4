//! Brokers and workers whose own threads fail: nobody goes on waiting for them.

use std::sync::Arc;
use std::time::Duration;

use super::{Broker, BrokerSide};
use crate::connection::clock::Deadline;
use crate::connection::options::Options;
use crate::connection::socket::FaultKind;
use crate::error::{Error, Result, Status};
use crate::messaging::channel::Channel;
use crate::messaging::message::Message;
use crate::messaging::request::Request;
use crate::Worker;

const LIMIT: Duration = Duration::from_secs(20);
const SIDES: [BrokerSide; 2] = [BrokerSide::Front, BrokerSide::Back];

fn soon() -> Deadline {
    Deadline::after(LIMIT)
}

fn status<T>(result: Result<T>) -> Option<Status> {
    result.err().map(|error: Error| error.status())
}

fn endpoints(broker: &Broker) -> [String; 2] {
    SIDES.map(|side| broker.last_endpoint(side).expect("it is bound"))
}

/// One that answers.
fn worker(back: &str) -> Worker {
    let worker = Worker::new(back, &Options::default()).expect("a worker");
    let handler = |_: &mut Message, reply: &mut Message| reply.prepare("acme.Done", 0).map(drop);
    worker.serve(Arc::new(handler)).expect("threads");
    worker
}

fn call(client: &Request, retries: u32) -> Result<()> {
    let (mut request, mut reply) = (Message::new(), Message::new());
    request.prepare("acme.Do", 0)?;
    client.call(&mut request, &mut reply, LIMIT.as_millis() as i64, retries)
}

/// Whatever it waits for: the broker fails, what it tells.
fn fails(side: BrokerSide, fault: FaultKind, expected: Status) {
    let broker = Broker::new("tcp://127.0.0.1:*", "tcp://127.0.0.1:*", &Options::default()).expect("a broker");
    let [front, back] = endpoints(&broker);
    let client = Request::new(&front, &Options::default()).expect("a client");
    let repeating = Request::new(&front, &Options::default()).expect("a client");
    std::thread::scope(|threads| {
        let (once, again) = (
            threads.spawn(|| call(&client, 0)),
            threads.spawn(|| call(&repeating, 5)),
        );
        let waits = threads.spawn(|| broker.wait_workers(1, soon()));
        let ends = threads.spawn(|| broker.wait_ended(soon()));
        while broker.statistics().expect("it runs").queued < 2 {
            std::thread::yield_now();
        }
        broker.socket(side).fail_receiving(fault);
        assert_eq!(status(ends.join().expect("no panic")), Some(expected));
        assert_eq!(status(waits.join().expect("no panic")), Some(expected));
        // What may not be repeated is answered.
        assert_eq!(status(once.join().expect("no panic")), Some(Status::Unreachable));
        assert_eq!(status(broker.statistics()), Some(expected));
        // Its addresses are free once it is closed, and its clients go on with who comes after it.
        broker.close().expect("the first time");
        assert_eq!(status(broker.close()), Some(Status::Closed));
        assert_eq!(status(broker.wait_ended(Deadline::Now)), Some(expected));
        let next = Broker::new(&front, &back, &Options::default()).expect("the addresses are free");
        let _worker = worker(&back);
        again.join().expect("no panic").expect("an answer of the next one");
        next.close().expect("it was open");
        next.wait_ended(Deadline::Now).expect("it was closed");
    });
}

#[test]
fn a_broker_that_cannot_receive_is_closed_and_says_why() {
    for side in SIDES {
        fails(side, FaultKind::Error, Status::OutOfMemory);
    }
}

#[test]
fn a_broker_whose_thread_panics_is_closed_and_says_why() {
    for side in SIDES {
        fails(side, FaultKind::Panic, Status::Internal);
    }
}

/// Without anybody who closes it.
#[test]
fn peers_of_a_broker_that_fails_see_that_it_is_gone() {
    let broker = Broker::new("tcp://127.0.0.1:*", "tcp://127.0.0.1:*", &Options::default()).expect("a broker");
    let [front, back] = endpoints(&broker);
    let client = Request::new(&front, &Options::default()).expect("a client");
    let worker = worker(&back);
    broker.wait_workers(1, soon()).expect("the worker");
    call(&client, 0).expect("an answer");
    broker.socket(BrokerSide::Back).fail_receiving(FaultKind::Panic);
    for socket in client.sockets().iter().chain(worker.sockets().iter()) {
        assert!(
            socket.peers.wait_for_none(soon()),
            "{} is still connected",
            socket.role()
        );
    }
}

fn worker_fails(fault: FaultKind, expected: Status) {
    let broker = Broker::new("tcp://127.0.0.1:*", "tcp://127.0.0.1:*", &Options::default()).expect("a broker");
    let [front, back] = endpoints(&broker);
    let faulty = Worker::new(&back, &Options::default()).expect("a worker");
    broker.wait_workers(1, soon()).expect("the worker");
    let client = Request::new(&front, &Options::default()).expect("a client");
    std::thread::scope(|threads| {
        // Its request is with the worker, which has not taken it out yet.
        let asks = threads.spawn(|| call(&client, 5));
        faulty.wait(soon()).expect("a request");
        let ends = threads.spawn(|| faulty.wait_ended(soon()));
        faulty.sockets()[0].fail_receiving(fault);
        assert_eq!(status(ends.join().expect("no panic")), Some(expected));
        assert!(
            broker.socket(BrokerSide::Back).peers.wait_for_none(soon()),
            "it is connected"
        );
        assert_eq!(status(faulty.recv(&mut Message::new(), soon())), Some(expected));
        assert_eq!(status(faulty.stop(soon())), Some(expected));
        // The broker hands the request to another.
        let _other = worker(&back);
        asks.join().expect("no panic").expect("the other's answer");
        faulty.close().expect("the first time");
        assert_eq!(status(faulty.close()), Some(Status::Closed));
        assert_eq!(status(faulty.wait_ended(Deadline::Now)), Some(expected));
    });
    let sound = worker(&back);
    std::thread::scope(|threads| {
        let waits = threads.spawn(|| sound.wait_ended(soon()));
        sound.close().expect("it was open");
        waits.join().expect("no panic").expect("it was closed");
    });
}

#[test]
fn a_worker_that_cannot_receive_is_closed_and_says_why() {
    worker_fails(FaultKind::Error, Status::OutOfMemory);
}

#[test]
fn a_worker_whose_thread_panics_is_closed_and_says_why() {
    worker_fails(FaultKind::Panic, Status::Internal);
}

/// Requests that wait for `recv` are told at the fault, those who wait with nothing there, too.
#[test]
fn who_waits_for_a_request_hears_of_the_fault() {
    let broker = Broker::new("tcp://127.0.0.1:*", "tcp://127.0.0.1:*", &Options::default()).expect("a broker");
    let [_, back] = endpoints(&broker);
    let faulty = Worker::new(&back, &Options::default()).expect("a worker");
    broker.wait_workers(1, soon()).expect("the worker");
    std::thread::scope(|threads| {
        let waits = threads.spawn(|| faulty.recv(&mut Message::new(), soon()));
        faulty.sockets()[0].fail_receiving(FaultKind::Error);
        assert_eq!(status(waits.join().expect("no panic")), Some(Status::OutOfMemory));
    });
}
