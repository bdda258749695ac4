//! Closing wakes whoever waits, frees the address at once, and sends what was accepted.

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{mpsc, Arc};

use common::{
    address, bytes, dealers, endpoint, next_event, soon, this_thread, typed, wait_until_asleep, LIMIT, LIMIT_MS,
    TRANSPORTS,
};
use dividere::connection::events::EventKind;
use dividere::connection::options::FullQueue;
use dividere::{Channel, Deadline, Dealer, Filter, Message, Options, Publisher, Request, Response, Status, Subscriber};

/// Runs `wait` on a thread, closes `channel` once that thread sleeps, and gives what `wait` returned.
fn closed_while<T: Send>(channel: &dyn Channel, wait: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let (name, names) = mpsc::channel();
        let waiter = scope.spawn(move || {
            name.send(this_thread()).unwrap();
            wait()
        });
        let thread = names.recv().unwrap();
        wait_until_asleep(thread);
        channel.close().unwrap();
        waiter.join().unwrap()
    })
}

#[test]
fn blocked_calls_return_closed_when_another_thread_closes() {
    for transport in TRANSPORTS {
        let mut options = Options::new();
        options.set_send_high_water_mark(2).unwrap();
        options.set_receive_high_water_mark(2).unwrap();
        options.set_send_timeout_ms(-1).unwrap();
        options.set_linger_ms(0).unwrap();
        let large = vec![0; 1 << 20];

        let (left, _right) = dealers(transport, &options);
        let closed = closed_while(&left, || left.recv_bytes(&mut Message::new(), Deadline::Never));
        assert_eq!(closed.unwrap_err().status(), Status::Closed, "recv");

        let (left, _right) = dealers(transport, &options);
        let closed = closed_while(&left, || loop {
            if let Err(error) = left.send(&mut bytes(&large)) {
                break error;
            }
        });
        assert_eq!(closed.status(), Status::Closed, "send");

        let mut blocking = options.clone();
        blocking.set_full_queue(Some(FullQueue::Block));
        let publisher = Publisher::new(&endpoint(transport), &blocking).unwrap();
        let _subscriber = Subscriber::new(&address(&publisher), Filter::All, &options).unwrap();
        publisher.wait_for_subscribers(None, 1, soon()).unwrap();
        let closed = closed_while(&publisher, || loop {
            if let Err(error) = publisher.send(&mut bytes(&large)) {
                break error;
            }
        });
        assert_eq!(closed.status(), Status::Closed, "publish");

        let publisher = Publisher::new(&endpoint(transport), &options).unwrap();
        let closed = closed_while(&publisher, || publisher.wait_for_subscribers(None, 1, Deadline::Never));
        assert_eq!(closed.unwrap_err().status(), Status::Closed, "wait_for_subscribers");

        let (left, _right) = dealers(transport, &options);
        let closed = closed_while(&left, || left.wait_connected(2, Deadline::Never));
        assert_eq!(closed.unwrap_err().status(), Status::Closed, "wait_connected");

        let (left, _right) = dealers(transport, &options);
        let events = left.events();
        let closed = closed_while(&left, || loop {
            if let Err(error) = events.recv(-1) {
                break error;
            }
        });
        assert_eq!(closed.status(), Status::Closed, "events");

        let (left, _right) = dealers(transport, &options);
        let closed = closed_while(&left, || left.wait(Deadline::Never));
        assert_eq!(closed.unwrap_err().status(), Status::Closed, "wait");
    }
}

#[test]
fn blocked_calls_of_a_request_return_closed_when_another_thread_closes() {
    let mut options = Options::new();
    options.set_send_timeout_ms(-1).unwrap();
    for transport in TRANSPORTS {
        let response = Response::new(&endpoint(transport), &options).unwrap();
        let request = Request::new(&address(&response), &options).unwrap();
        let closed = closed_while(&request, || {
            // Two threads wait: one receives, the other waits for it.
            std::thread::scope(|scope| {
                let other = scope.spawn(|| request.call(&mut bytes(b"?"), &mut Message::new(), -1, 0));
                let one = request.call(&mut bytes(b"?"), &mut Message::new(), -1, 0);
                [one, other.join().unwrap()]
            })
        });
        for closed in closed {
            assert_eq!(closed.unwrap_err().status(), Status::Closed, "call");
        }
        drop(response);
        // Nobody is there to send to.
        let nobody = endpoint(transport).replace('@', ">").replace('*', "1");
        let request = Request::new(&nobody, &options).unwrap();
        let closed = closed_while(&request, || request.send(&mut bytes(b"?")));
        assert_eq!(closed.unwrap_err().status(), Status::Closed, "send");
        let request = Request::new(&nobody, &options).unwrap();
        let closed = closed_while(&request, || request.wait_connected(0, Deadline::Never));
        assert_eq!(closed.unwrap_err().status(), Status::Closed, "wait_connected");
        let request = Request::new(&nobody, &options).unwrap();
        let closed = closed_while(&request, || request.wait_connected(1, Deadline::Never));
        assert_eq!(closed.unwrap_err().status(), Status::Closed, "wait_connected(1)");
    }
}

#[test]
fn a_closed_handle_stays_closed() {
    let (left, right) = dealers("tcp", &Options::new());
    left.close().unwrap();
    assert!(left.is_closed());
    let closed = |call: &str, result: dividere::Result<()>| {
        assert_eq!(result.map_err(|e| e.status()), Err(Status::Closed), "{call}");
    };
    closed("close", left.close());
    closed("send", left.send(&mut bytes(b"1")));
    closed("recv", left.recv_bytes(&mut Message::new(), soon()));
    closed("wait", left.wait(soon()));
    closed("wait_connected", left.wait_connected(1, soon()));
    closed("statistics", left.statistics().map(drop));
    closed("fd", left.fd().map(drop));
    closed("events", left.events().recv(-1).map(drop));
    let publisher = Publisher::new("tcp://127.0.0.1:*", &Options::new()).unwrap();
    publisher.close().unwrap();
    closed("wait_for_subscribers", publisher.wait_for_subscribers(None, 1, soon()));
    closed("subscribers", publisher.subscribers(None).map(drop));
    drop(right);
}

#[test]
fn many_threads_may_close_while_others_use_the_handle() {
    for transport in ["tcp", "inproc"] {
        for _ in 0..20 {
            let (left, right) = dealers(transport, &Options::new());
            let closers = AtomicUsize::new(0);
            std::thread::scope(|scope| {
                for _ in 0..2 {
                    scope.spawn(|| while right.recv_bytes(&mut Message::new(), soon()).is_ok() {});
                    scope.spawn(|| while left.send(&mut bytes(b"1")).is_ok() {});
                    scope.spawn(|| while left.recv_bytes(&mut Message::new(), soon()).is_ok() {});
                }
                while right.statistics().unwrap().messages_in < 100 {
                    std::thread::yield_now();
                }
                for _ in 0..2 {
                    scope.spawn(|| {
                        if left.close().is_ok() {
                            closers.fetch_add(1, Ordering::Relaxed);
                        }
                        let _one_of_two = right.close();
                    });
                }
            });
            assert_eq!(
                closers.load(Ordering::Relaxed),
                1,
                "one close works, the other says CLOSED"
            );
        }
    }
}

#[test]
fn an_address_can_be_bound_again_as_soon_as_close_returns() {
    let mut options = Options::new();
    options.set_reconnect_interval_ms(5).unwrap();
    for transport in TRANSPORTS {
        let first = Dealer::new(&endpoint(transport), &options).unwrap();
        let at = first.last_endpoint().unwrap();
        let peer = Dealer::new(&format!(">{at}"), &options).unwrap();
        peer.wait_connected(1, soon()).unwrap();
        let mut message = Message::new();
        let mut bound = first;
        for round in 0..200u32 {
            // In both directions, and received after the close: nothing that had arrived is lost.
            bound.send(&mut bytes(&round.to_be_bytes())).unwrap();
            bound.close().unwrap();
            peer.recv_bytes(&mut message, soon()).unwrap();
            assert_eq!(message.bytes(), round.to_be_bytes(), "{transport}");
            bound = Dealer::new(&format!("@{at}"), &Options::new())
                .unwrap_or_else(|error| panic!("{transport}, round {round}: {error}"));
            bound.wait_connected(1, soon()).unwrap();
        }
    }
}

#[test]
fn inproc_peers_keep_what_they_had_received_and_find_the_next_binder() {
    let at = endpoint("inproc");
    let publisher = Publisher::new(&at, &Options::new()).unwrap();
    let subscribers: Vec<_> = (0..3)
        .map(|_| Subscriber::new(&address(&publisher), Filter::All, &Options::new()).unwrap())
        .collect();
    publisher.wait_for_subscribers(None, 3, soon()).unwrap();
    let mut publisher = publisher;
    const EACH: u32 = 20;
    for round in 0..20u32 {
        for i in 0..EACH {
            publisher.send(&mut bytes(&(round * EACH + i).to_be_bytes())).unwrap();
        }
        publisher.close().unwrap();
        publisher = Publisher::new(&at, &Options::new()).unwrap();
        publisher.wait_for_subscribers(None, 3, soon()).unwrap();
    }
    let mut message = Message::new();
    for subscriber in &subscribers {
        let receive = |_| {
            subscriber.recv_bytes(&mut message, soon()).unwrap();
            message.bytes().to_vec()
        };
        // What came from different binders is taken in turn.
        let mut received: Vec<_> = (0..20 * EACH).map(receive).collect();
        received.sort();
        assert!(received
            .iter()
            .eq((0..20 * EACH).map(u32::to_be_bytes).collect::<Vec<_>>().iter()));
        assert_eq!(
            subscriber.recv_bytes(&mut message, Deadline::Now).unwrap_err().status(),
            Status::WouldBlock
        );
    }
}

#[test]
fn a_handle_may_be_closed_in_its_own_event_callback() {
    let left = Arc::new(Dealer::new("@tcp://127.0.0.1:*", &Options::new()).unwrap());
    let (told, tells) = mpsc::channel();
    let (weak, told) = (Arc::downgrade(&left), std::sync::Mutex::new(told));
    let callback = move |event: &dividere::connection::events::Event| {
        if event.kind == EventKind::Connected {
            let closed = weak.upgrade().map(|left| left.close().is_ok());
            told.lock().unwrap().send(closed).unwrap();
        }
    };
    left.events().set_callback(Some(Arc::new(callback))).unwrap();
    let right = Dealer::new(&address(&*left), &Options::new()).unwrap();
    assert_eq!(tells.recv_timeout(LIMIT).unwrap(), Some(true));
    assert_eq!(left.send(&mut bytes(b"1")).unwrap_err().status(), Status::Closed);
    next_event(&right.events(), EventKind::Disconnected);
}

#[test]
fn what_was_accepted_before_the_close_arrives() {
    let mut options = Options::new();
    options.set_linger_ms(LIMIT_MS).unwrap();
    options.set_send_timeout_ms(LIMIT_MS).unwrap();
    const MESSAGES: u32 = 2000;
    for transport in TRANSPORTS {
        let right = Dealer::new(&endpoint(transport), &options).unwrap();
        let at = address(&right);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                // Not connected yet, and closed behind the last one.
                let left = Dealer::new(&at, &options).unwrap();
                (0..MESSAGES).for_each(|i| left.send(&mut typed("a.A", &i.to_be_bytes())).unwrap());
                left.close().unwrap();
            });
            let mut message = Message::new();
            for i in 0..MESSAGES {
                right.recv(&mut message, soon()).unwrap();
                assert_eq!(message.payload(), i.to_be_bytes(), "{transport}");
            }
        });
    }
}

#[test]
fn an_unanswered_request_gets_an_error_when_its_server_closes() {
    let response = Response::new("tcp://127.0.0.1:*", &Options::new()).unwrap();
    let request = Request::new(&response.last_endpoint().unwrap(), &Options::new()).unwrap();
    request.send(&mut typed("a.A", b"1")).unwrap();
    let mut message = Message::new();
    response.recv(&mut message, soon()).unwrap();
    drop(message);
    response.close().unwrap();
    let mut reply = Message::new();
    assert_eq!(request.recv(&mut reply, soon()).unwrap_err().status(), Status::Remote);
}
