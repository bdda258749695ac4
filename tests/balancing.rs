//! The broker, its workers and its clients over real sockets: who gets what, what is refused, and what happens to requests
//! whose worker does not answer.

mod common;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::{soon, typed, LIMIT, LIMIT_MS};
use dividere::{
    Broker, BrokerSide, BrokerStatistics, Channel, Deadline, Dealer, Message, Options, Request, Status, Worker,
};

/// Where a test waits for what silence brings. Elsewhere nobody is given up for being slow on a busy machine.
const HEARTBEAT_MS: i64 = 1000;
const PATIENT_MS: i64 = 60_000;

fn options(change: impl FnOnce(&mut Options)) -> Options {
    let mut options = Options::new();
    options.balancing_mut().set_heartbeat_ms(PATIENT_MS).unwrap();
    change(&mut options);
    options
}

fn quick(options: &mut Options) {
    options.balancing_mut().set_heartbeat_ms(HEARTBEAT_MS).unwrap();
}

fn broker(change: impl FnOnce(&mut Options)) -> Broker {
    Broker::new("tcp://127.0.0.1:*", "tcp://127.0.0.1:*", &options(change)).unwrap()
}

fn front(broker: &Broker) -> String {
    broker.last_endpoint(BrokerSide::Front).unwrap()
}

fn back(broker: &Broker) -> String {
    broker.last_endpoint(BrokerSide::Back).unwrap()
}

fn worker(broker: &Broker, capacity: i64) -> Worker {
    let options = options(|options| options.balancing_mut().set_capacity(capacity).unwrap());
    Worker::new(&back(broker), &options).unwrap()
}

/// Answers with the same payload.
fn echo(worker: &Worker) {
    worker
        .serve(Arc::new(|request, reply| {
            let payload = request.payload().to_vec();
            reply.prepare("a.Reply", payload.len())?.copy_from_slice(&payload);
            Ok(())
        }))
        .unwrap();
}

fn call(request: &Request, payload: &[u8], retries: u32) -> dividere::Result<Vec<u8>> {
    let mut reply = Message::new();
    request.call(&mut typed("a.Question", payload), &mut reply, LIMIT_MS, retries)?;
    Ok(reply.payload().to_vec())
}

/// Until the broker tells what is waited for: it is told on another thread.
fn until(broker: &Broker, what: &str, is_so: impl Fn(&BrokerStatistics) -> bool) -> BrokerStatistics {
    let deadline = Instant::now() + LIMIT;
    loop {
        let now = broker.statistics().unwrap();
        if is_so(&now) {
            return now;
        }
        assert!(Instant::now() < deadline, "{what}: {now:?}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn requests_are_answered_over_every_transport_typed_and_as_bytes() {
    for transport in common::TRANSPORTS {
        let ends = (common::endpoint(transport), common::endpoint(transport));
        let broker = Broker::new(&ends.0, &ends.1, &options(|_| {})).unwrap();
        let workers: Vec<Worker> = (0..3).map(|_| worker(&broker, 2)).collect();
        workers.iter().for_each(echo);
        broker.wait_workers(3, soon()).unwrap();
        let request = Request::new(&front(&broker), &Options::new()).unwrap();
        for i in 0..50u32 {
            assert_eq!(call(&request, &i.to_be_bytes(), i % 2).unwrap(), i.to_be_bytes());
            let mut reply = Message::new();
            request
                .call(&mut common::bytes(b"\xff no envelope"), &mut reply, LIMIT_MS, 0)
                .unwrap();
            assert_eq!(reply.payload(), b"\xff no envelope");
        }
        let counts = broker.statistics().unwrap();
        assert_eq!(
            (counts.served, counts.workers, counts.idle_workers),
            (100, 3, 3),
            "{counts:?}"
        );
        assert_eq!(
            (counts.queued, counts.working, counts.failed, counts.late),
            (0, 0, 0, 0)
        );
        broker.close().unwrap();
        assert_eq!(broker.close().unwrap_err().status(), Status::Closed);
    }
}

#[test]
fn the_longest_idle_worker_is_next() {
    let broker = broker(|_| {});
    const NAMES: [&str; 3] = ["first", "second", "third"];
    let workers: Vec<Worker> = NAMES
        .into_iter()
        .enumerate()
        .map(|(i, name)| {
            let worker = worker(&broker, 1);
            worker
                .serve(Arc::new(move |_, reply| {
                    reply.prepare("a.Name", name.len())?.copy_from_slice(name.as_bytes());
                    Ok(())
                }))
                .unwrap();
            broker.wait_workers(i as u64 + 1, soon()).unwrap();
            worker
        })
        .collect();
    let request = Request::new(&front(&broker), &Options::new()).unwrap();
    for round in 0..20 {
        for name in NAMES {
            assert_eq!(call(&request, b"", 0).unwrap(), name.as_bytes(), "round {round}");
        }
    }
    drop(workers);
}

#[test]
fn a_request_waits_for_a_worker_and_beyond_the_limit_it_is_refused_as_busy() {
    let broker = broker(|options| options.balancing_mut().set_queue_limit(5).unwrap());
    let at = front(&broker);
    let answered = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..5 {
            scope.spawn(|| {
                let request = Request::new(&at, &Options::new()).unwrap();
                assert_eq!(call(&request, b"waits", 0).unwrap(), b"waits");
                answered.fetch_add(1, Ordering::AcqRel);
            });
        }
        until(&broker, "all wait", |now| now.queued == 5);
        let request = Request::new(&at, &Options::new()).unwrap();
        let begun = Instant::now();
        let refused = call(&request, b"too many", 0).unwrap_err();
        assert_eq!(refused.status(), Status::Busy, "{refused}");
        assert!(begun.elapsed() < LIMIT / 2, "refused after {:?}", begun.elapsed());
        assert_eq!(broker.statistics().unwrap().refused, 1);
        assert_eq!(answered.load(Ordering::Acquire), 0);
        let worker = worker(&broker, 1);
        echo(&worker);
        until(&broker, "all served", |now| now.served == 5);
        // There is room again.
        assert_eq!(call(&request, b"again", 0).unwrap(), b"again");
        while answered.load(Ordering::Acquire) < 5 {
            std::thread::yield_now();
        }
    });
}

#[test]
fn what_a_broker_keeps_is_bounded_in_bytes() {
    let broker = broker(|options| options.balancing_mut().set_queue_bytes(100_000).unwrap());
    let request = Request::new(&front(&broker), &Options::new()).unwrap();
    let refused = call(&request, &[7; 200_000], 0).unwrap_err();
    assert_eq!(refused.status(), Status::Busy, "{refused}");
    let worker = worker(&broker, 1);
    echo(&worker);
    for _ in 0..20 {
        assert_eq!(call(&request, &[7; 60_000], 1).unwrap().len(), 60_000);
    }
}

#[test]
fn nobody_works_for_a_client_that_has_given_up() {
    let broker = broker(quick);
    let request = Request::new(&front(&broker), &Options::new()).unwrap();
    request.wait_connected(0, soon()).unwrap();
    let mut reply = Message::new();
    let gave_up = request.call(&mut typed("a.A", b"old"), &mut reply, 300, 0).unwrap_err();
    assert_eq!(gave_up.status(), Status::Timeout);
    until(&broker, "expired", |now| now.expired == 1 && now.queued == 0);
    let worker = worker(&broker, 1);
    echo(&worker);
    assert_eq!(call(&request, b"new", 0).unwrap(), b"new");
    assert_eq!(broker.statistics().unwrap().served, 1);
}

#[test]
fn a_busy_worker_is_not_dead() {
    let broker = broker(quick);
    let worker = worker(&broker, 1);
    worker
        .serve(Arc::new(|request, reply| {
            // Longer than a silent worker would be waited for.
            std::thread::sleep(Duration::from_millis(5 * HEARTBEAT_MS as u64 / 2));
            let payload = request.payload().to_vec();
            reply.prepare("a.A", payload.len())?.copy_from_slice(&payload);
            Ok(())
        }))
        .unwrap();
    let request = Request::new(&front(&broker), &Options::new()).unwrap();
    assert_eq!(call(&request, b"slow", 1).unwrap(), b"slow");
    let counts = broker.statistics().unwrap();
    assert_eq!((counts.served, counts.retried, counts.failed), (1, 0, 0), "{counts:?}");
}

#[test]
fn as_many_are_in_work_at_once_as_the_workers_take_and_no_more() {
    let broker = broker(|_| {});
    let two = worker(&broker, 2);
    let three = worker(&broker, 3);
    broker.wait_workers(2, soon()).unwrap();
    let (now, most) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let go = Arc::new(AtomicBool::new(false));
    for worker in [&two, &three] {
        let (now, most, go) = (Arc::clone(&now), Arc::clone(&most), Arc::clone(&go));
        worker
            .serve(Arc::new(move |_, reply| {
                most.fetch_max(now.fetch_add(1, Ordering::AcqRel) + 1, Ordering::AcqRel);
                while !go.load(Ordering::Acquire) {
                    std::thread::sleep(Duration::from_millis(1));
                }
                now.fetch_sub(1, Ordering::AcqRel);
                reply.prepare("a.A", 0).map(|_| ())
            }))
            .unwrap();
    }
    let at = front(&broker);
    std::thread::scope(|scope| {
        let request = Arc::new(Request::new(&at, &Options::new()).unwrap());
        for _ in 0..9 {
            let request = Arc::clone(&request);
            scope.spawn(move || call(&request, b"", 0).unwrap());
        }
        let counts = until(&broker, "five in work", |now| now.working == 5 && now.queued == 4);
        assert_eq!((counts.workers, counts.idle_workers), (2, 0));
        until(&broker, "five served at once", |_| now.load(Ordering::Acquire) == 5);
        go.store(true, Ordering::Release);
    });
    assert_eq!(most.load(Ordering::Acquire), 5);
    assert_eq!(broker.statistics().unwrap().served, 9);
}

#[test]
fn a_failing_handler_is_an_error_at_the_client_and_the_next_request_is_served() {
    let broker = broker(|_| {});
    let worker = worker(&broker, 1);
    worker
        .serve(Arc::new(|request, reply| match request.payload() {
            b"fail" => Err(dividere::Error::new(Status::NotFound, "no such thing")),
            b"panic" => panic!("on purpose"),
            b"forget" => Ok(()),
            _ => reply.prepare("a.A", 0).map(|_| ()),
        }))
        .unwrap();
    let request = Request::new(&front(&broker), &Options::new()).unwrap();
    for (question, status, words) in [
        (&b"fail"[..], Status::NotFound, "no such thing"),
        (b"panic", Status::Remote, "on purpose"),
        (b"forget", Status::Remote, "unanswered"),
    ] {
        let error = call(&request, question, 0).unwrap_err();
        assert_eq!(error.status(), status);
        assert!(error.text().contains(words), "{error}");
        call(&request, b"fine", 0).unwrap();
    }
    assert_eq!(
        worker.serve(Arc::new(|_, _| Ok(()))).unwrap_err().status(),
        Status::State
    );
}

#[test]
fn a_worker_without_handler_receives_and_replies_at_any_time_from_any_thread() {
    let broker = broker(|_| {});
    let worker = worker(&broker, 2);
    let mut message = Message::new();
    assert_eq!(
        worker.recv(&mut message, Deadline::Now).unwrap_err().status(),
        Status::WouldBlock
    );
    assert_eq!(
        worker.send(&mut typed("a.A", b"")).unwrap_err().status(),
        Status::Unsupported
    );
    let at = front(&broker);
    std::thread::scope(|scope| {
        let clients: Vec<_> = [b"1", b"2"]
            .map(|name| {
                let at = &at;
                scope.spawn(move || {
                    let request = Request::new(at, &Options::new()).unwrap();
                    assert_eq!(call(&request, name, 0).unwrap(), name);
                })
            })
            .into();
        worker.wait(soon()).unwrap();
        let mut other = Message::new();
        worker.recv(&mut message, soon()).unwrap();
        worker.recv(&mut other, soon()).unwrap();
        for request in [other, message] {
            scope.spawn(move || {
                let payload = request.payload().to_vec();
                request.reply(&mut typed("a.A", &payload)).unwrap();
                assert_eq!(
                    request.reply(&mut typed("a.A", b"")).unwrap_err().status(),
                    Status::State
                );
            });
        }
        clients.into_iter().for_each(|client| client.join().unwrap());
    });
    until(&broker, "both served", |now| now.served == 2 && now.idle_workers == 1);
}

#[test]
fn a_worker_that_stops_finishes_what_it_has_and_nothing_is_lost() {
    let broker = broker(|_| {});
    let at = front(&broker);
    let stays = worker(&broker, 1);
    echo(&stays);
    let (done, failed) = (AtomicBool::new(false), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let request = Request::new(&at, &Options::new()).unwrap();
                while !done.load(Ordering::Acquire) {
                    // Not to be repeated: each one that is lost shows.
                    if let Err(error) = call(&request, b"x", 0) {
                        failed.lock().unwrap().push(error.to_string());
                    }
                }
            });
        }
        for _ in 0..30 {
            let comes_and_goes = worker(&broker, 3);
            echo(&comes_and_goes);
            broker.wait_workers(2, soon()).unwrap();
            let served = broker.statistics().unwrap().served;
            until(&broker, "some served", |now| now.served > served + 20);
            comes_and_goes.stop(soon()).unwrap();
            assert!(comes_and_goes.is_closed());
            until(&broker, "it left", |now| now.workers == 1);
        }
        done.store(true, Ordering::Release);
    });
    assert_eq!(*failed.lock().unwrap(), Vec::<String>::new());
    assert_eq!(stays.stop(soon()), Ok(()));
    assert_eq!(stays.stop(soon()).unwrap_err().status(), Status::Closed);
}

#[test]
fn what_a_closed_worker_had_goes_to_another_where_it_may_be_repeated_and_else_is_an_error() {
    let broker = broker(quick);
    let at = front(&broker);
    for may_be_repeated in [true, false] {
        let first = worker(&broker, 1);
        broker.wait_workers(1, soon()).unwrap();
        let ends_with = std::thread::scope(|scope| {
            let client = scope.spawn(|| {
                let request = Request::new(&at, &Options::new()).unwrap();
                call(&request, b"x", u32::from(may_be_repeated))
            });
            let mut taken = Message::new();
            first.recv(&mut taken, soon()).unwrap();
            let second = worker(&broker, 1);
            echo(&second);
            broker.wait_workers(2, soon()).unwrap();
            let begun = Instant::now();
            first.close().unwrap();
            let outcome = client.join().unwrap();
            let limit = Duration::from_millis(2 * HEARTBEAT_MS as u64) + LIMIT / 2;
            assert!(begun.elapsed() < limit, "it took {:?}", begun.elapsed());
            assert_eq!(
                taken.reply(&mut typed("a.A", b"late")).unwrap_err().status(),
                Status::Closed
            );
            second.stop(soon()).unwrap();
            outcome
        });
        match may_be_repeated {
            true => assert_eq!(ends_with.unwrap(), b"x"),
            false => assert_eq!(ends_with.unwrap_err().status(), Status::Unreachable),
        }
    }
    let counts = broker.statistics().unwrap();
    assert_eq!((counts.retried, counts.failed), (1, 1), "{counts:?}");
}

#[test]
fn who_waits_when_the_broker_closes_is_told_so() {
    let broker = broker(|_| {});
    let at = front(&broker);
    let worker = worker(&broker, 1);
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let request = Request::new(&at, &Options::new()).unwrap();
                    call(&request, b"x", 0).unwrap_err().status()
                })
            })
            .collect();
        until(&broker, "one in work, two wait", |now| {
            now.working == 1 && now.queued == 2
        });
        let begun = Instant::now();
        broker.close().unwrap();
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
        for client in clients {
            assert_eq!(client.join().unwrap(), Status::Unreachable);
        }
    });
    assert_eq!(broker.statistics().unwrap_err().status(), Status::Closed);
    drop(worker);
}

#[test]
fn workers_and_clients_find_a_broker_that_comes_back() {
    let first = broker(|_| {});
    let (front_at, back_at) = (front(&first), back(&first));
    let worker = worker(&first, 1);
    echo(&worker);
    let request = Request::new(&front_at, &Options::new()).unwrap();
    assert_eq!(call(&request, b"1", 0).unwrap(), b"1");
    for round in 0..3 {
        if round == 0 {
            first.close().unwrap();
        }
        let next = Broker::new(&front_at, &back_at, &options(|_| {})).unwrap();
        next.wait_workers(1, soon()).unwrap();
        // What is sent while the old connection is not known to be lost is lost with it, and is not repeated here.
        let is_there = |_: &BrokerStatistics| next.side_statistics(BrokerSide::Front).unwrap().peers == 1;
        until(&next, "the request is connected", is_there);
        assert_eq!(call(&request, b"2", 0).unwrap(), b"2");
        next.close().unwrap();
    }
}

#[test]
fn a_worker_serves_several_brokers() {
    let brokers = [broker(|_| {}), broker(|_| {})];
    let at = format!("{},{}", back(&brokers[0]), back(&brokers[1]));
    let worker = Worker::new(&at, &options(|_| {})).unwrap();
    echo(&worker);
    for broker in &brokers {
        let request = Request::new(&front(broker), &Options::new()).unwrap();
        for _ in 0..10 {
            assert_eq!(call(&request, b"x", 0).unwrap(), b"x");
        }
    }
    worker.stop(soon()).unwrap();
    for broker in &brokers {
        until(broker, "it left", |now| now.workers == 0);
    }
}

#[test]
fn a_client_that_reads_nothing_and_a_worker_that_takes_nothing_hold_nobody_up() {
    let broker = broker(|_| {});
    let at = front(&broker);
    // A worker that announces itself and never reads: a dealer that nobody receives from.
    let mut few = Options::new();
    few.set_receive_high_water_mark(1).unwrap();
    let deaf = Dealer::new(&back(&broker), &few).unwrap();
    deaf.send(&mut common::bytes(&[1])).unwrap();
    broker.wait_workers(1, soon()).unwrap();
    let worker = worker(&broker, 4);
    echo(&worker);
    broker.wait_workers(2, soon()).unwrap();
    // A client that asks and never reads, more than its queue and the broker's hold.
    let silent = Dealer::new(&at, &few).unwrap();
    for _ in 0..5000 {
        silent.send_with_empty_frame(&mut typed("a.A", &[0; 1000])).unwrap();
    }
    let request = Request::new(&at, &Options::new()).unwrap();
    for _ in 0..200 {
        assert_eq!(call(&request, b"x", 1).unwrap(), b"x");
    }
}

#[test]
fn closing_inside_a_handler_works() {
    let broker = broker(quick);
    let worker = Arc::new(worker(&broker, 1));
    let own = Arc::downgrade(&worker);
    let (told, closed) = std::sync::mpsc::channel();
    let told = Mutex::new(told);
    worker
        .serve(Arc::new(move |_, _| {
            let outcome = own.upgrade().map(|worker| worker.close());
            told.lock().unwrap().send(outcome).unwrap();
            Ok(())
        }))
        .unwrap();
    let request = Request::new(&front(&broker), &Options::new()).unwrap();
    let error = call(&request, b"x", 0).unwrap_err();
    assert_eq!(error.status(), Status::Unreachable, "{error}");
    assert_eq!(closed.recv_timeout(LIMIT).unwrap(), Some(Ok(())));
}

#[test]
fn options_of_others_are_refused() {
    let mut options = Options::new();
    options.balancing_mut().set_capacity(2).unwrap();
    let ends = ("tcp://127.0.0.1:*", "tcp://127.0.0.1:*");
    assert_eq!(
        Broker::new(ends.0, ends.1, &options).err().unwrap().status(),
        Status::InvalidArgument
    );
    assert_eq!(
        Dealer::new(ends.0, &options).err().unwrap().status(),
        Status::InvalidArgument
    );
    let mut options = Options::new();
    options.balancing_mut().set_queue_limit(2).unwrap();
    assert_eq!(
        Worker::new("tcp://127.0.0.1:1", &options).err().unwrap().status(),
        Status::InvalidArgument
    );
    assert_eq!(
        Worker::new("", &Options::new()).err().unwrap().status(),
        Status::Endpoint
    );
}
