//! After fork() the child's use of an inherited handle is FORKED, new handles work there, and the parent never notices.

mod common;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use common::{address, bytes, dealers, endpoint, registry, role, soon, typed, Process, LIMIT, LIMIT_MS};
use dividere::{
    Broker, BrokerSide, Channel, Dealer, Filter, Message, Options, Proxy, ProxyKind, Publisher, Request, Response,
    Result, Service, ServiceClient, ServiceSettings, Status, Subscriber, Worker,
};

/// Runs `child` in a forked process; panics here with what it returned as an error.
fn in_child(child: impl FnOnce() -> std::result::Result<(), String>) {
    // SAFETY: the child uses no lock that another thread may hold, but for those whose use is tested.
    match unsafe { libc::fork() } {
        0 => {
            // A child that hangs ends by SIGALRM.
            // SAFETY: no pointers but to the text, which is written as it is.
            unsafe { libc::alarm(LIMIT.as_secs() as u32) };
            let code = match child() {
                Ok(()) => 0,
                Err(text) => unsafe {
                    let text = format!("in the child: {text}\n");
                    libc::write(2, text.as_ptr().cast(), text.len());
                    1
                },
            };
            // With the exit hooks, as a program does that returns from main.
            unsafe { libc::exit(code) }
        }
        pid => {
            assert!(pid > 0);
            let mut status = 0;
            // SAFETY: our own child.
            while unsafe { libc::waitpid(pid, &mut status, 0) } != pid {}
            assert_eq!(status, 0, "the child failed, or hung (14: SIGALRM)");
        }
    }
}

fn forked<T>(call: &str, result: Result<T>) -> std::result::Result<(), String> {
    match result {
        Err(error) if error.status() == Status::Forked => Ok(()),
        Err(error) => Err(format!("{call}: {error} instead of FORKED")),
        Ok(_) => Err(format!("{call} worked")),
    }
}

/// New handles of the child's exchange a message.
fn new_handles_work() -> std::result::Result<(), String> {
    let exchange = |transport| -> Result<Vec<u8>> {
        let left = Dealer::new(&endpoint(transport), &Options::new())?;
        let right = Dealer::new(&address(&left), &Options::new())?;
        right.send(&mut bytes(b"new"))?;
        let mut message = Message::new();
        left.recv_bytes(&mut message, soon())?;
        Ok(message.bytes().to_vec())
    };
    for transport in ["tcp", "inproc"] {
        match exchange(transport) {
            Ok(received) if received == b"new" => {}
            other => return Err(format!("new handles over {transport}: {other:?}")),
        }
    }
    Ok(())
}

/// Forks in a process of its own: the test harness has threads and locks, too.
fn in_process_of_its_own(test: &str, body: fn()) {
    match role() {
        Some(_) => body(),
        None => Process::start(test, "forks", "").succeeds(),
    }
}

#[test]
fn an_inherited_handle_is_forked_and_the_parent_never_notices() {
    in_process_of_its_own("an_inherited_handle_is_forked_and_the_parent_never_notices", || {
        let (left, right) = dealers("tcp", &Options::new());
        let publisher = Publisher::new("tcp://127.0.0.1:*", &Options::new()).unwrap();
        let subscriber = Subscriber::new(&address(&publisher), Filter::All, &Options::new()).unwrap();
        publisher.wait_for_subscribers(None, 1, soon()).unwrap();
        let response = Response::new("tcp://127.0.0.1:*", &Options::new()).unwrap();
        let request = Request::new(&address(&response), &Options::new()).unwrap();
        request.send(&mut typed("a.A", b"1")).unwrap();
        let mut question = Message::new();
        response.recv(&mut question, soon()).unwrap();
        let (left, right) = (&left, &right);
        for round in 0..3 {
            in_child(|| {
                let mut message = Message::new();
                forked("send", left.send(&mut bytes(b"child")))?;
                forked("recv", left.recv_bytes(&mut message, soon()))?;
                forked("wait", left.wait(soon()))?;
                forked("wait_connected", left.wait_connected(1, soon()))?;
                forked("fd", left.fd())?;
                forked("statistics", left.statistics())?;
                forked("events", left.events().recv(-1))?;
                forked("publish", publisher.send(&mut bytes(b"child")))?;
                forked("wait_for_subscribers", publisher.wait_for_subscribers(None, 2, soon()))?;
                forked("subscribers", publisher.subscribers(None))?;
                forked("subscribe", subscriber.subscribe_prefix(b"x"))?;
                forked("subscriber's recv", subscriber.recv_bytes(&mut message, soon()))?;
                forked("call", request.call(&mut bytes(b"child"), &mut message, 1000, 0))?;
                forked("request's recv", request.recv_bytes(&mut message, soon()))?;
                forked("reply", question.reply(&mut bytes(b"child")))?;
                forked("response's send", response.send(&mut bytes(b"child")))?;
                for channel in [
                    left as &dyn Channel,
                    right,
                    &publisher,
                    &subscriber,
                    &request,
                    &response,
                ] {
                    forked("close", channel.close())?;
                    forked("close, again", channel.close())?;
                }
                new_handles_work()
            });
            // Everything goes on in the parent.
            let mut message = Message::new();
            left.send(&mut bytes(b"parent")).unwrap();
            right.recv_bytes(&mut message, soon()).unwrap();
            assert_eq!(message.bytes(), b"parent");
            publisher.send(&mut bytes(&[round])).unwrap();
            subscriber.recv_bytes(&mut message, soon()).unwrap();
            assert_eq!(message.bytes(), [round]);
        }
        question.reply(&mut typed("a.A", b"parent")).unwrap();
        let mut reply = Message::new();
        request.recv(&mut reply, soon()).unwrap();
        assert_eq!(reply.payload(), b"parent");
        assert_eq!(left.statistics().unwrap().reconnects, 0);
        assert_eq!(right.statistics().unwrap().reconnects, 0);
    });
}

#[test]
fn dropping_an_inherited_handle_in_the_child_leaves_the_parents_alone() {
    in_process_of_its_own(
        "dropping_an_inherited_handle_in_the_child_leaves_the_parents_alone",
        || {
            for transport in ["tcp", "ipc", "inproc"] {
                let (left, right) = dealers(transport, &Options::new());
                left.fd().unwrap();
                let mut kept = Some((left, right));
                in_child(|| {
                    drop(kept.take());
                    new_handles_work()
                });
                // Only the child took it.
                let (left, right) = kept.as_ref().unwrap();
                left.send(&mut bytes(b"1")).unwrap();
                let mut message = Message::new();
                right.recv_bytes(&mut message, soon()).unwrap();
                right.send(&mut bytes(b"2")).unwrap();
                left.recv_bytes(&mut message, soon()).unwrap();
                assert_eq!(message.bytes(), b"2", "{transport}");
            }
        },
    );
}

/// A thread of the parent's is not there in the child, and what named it may name one of the child's own by then.
#[test]
fn handles_with_threads_are_dropped_in_a_child_that_has_threads_of_its_own() {
    const TEST: &str = "handles_with_threads_are_dropped_in_a_child_that_has_threads_of_its_own";
    in_process_of_its_own(TEST, || {
        const AT: &str = "tcp://127.0.0.1:*";
        let proxy = || Proxy::new(ProxyKind::RequestResponse, AT, AT, None, &Options::new()).unwrap();
        let mut proxies: Option<Vec<Proxy>> = Some((0..8).map(|_| proxy()).collect());
        in_child(|| {
            new_handles_work()?;
            drop(proxies.take());
            // At the end of the child its own threads are waited for.
            new_handles_work()
        });
        for proxy in proxies.unwrap() {
            proxy.close().unwrap();
        }
    });
}

#[test]
fn brokers_and_workers_stay_the_parents() {
    in_process_of_its_own("brokers_and_workers_stay_the_parents", || {
        let any_port = "tcp://127.0.0.1:*";
        let broker = Broker::new(any_port, any_port, &Options::new()).unwrap();
        let back = broker.last_endpoint(BrokerSide::Back).unwrap();
        let front = broker.last_endpoint(BrokerSide::Front).unwrap();
        let served = Worker::new(&back, &Options::new()).unwrap();
        let request = Request::new(&front, &Options::new()).unwrap();
        broker.wait_workers(1, soon()).unwrap();
        request.send(&mut typed("a.A", b"1")).unwrap();
        let mut question = Message::new();
        served.recv(&mut question, soon()).unwrap();
        let mut kept = Some((broker, served));
        for _ in 0..3 {
            in_child(|| {
                let (broker, served) = kept.take().expect("the parent's");
                forked("statistics", broker.statistics())?;
                forked("wait_workers", broker.wait_workers(2, soon()))?;
                forked("recv", served.recv(&mut Message::new(), soon()))?;
                forked("wait", served.wait(soon()))?;
                forked("stop", served.stop(soon()))?;
                forked("reply", question.reply(&mut bytes(b"child")))?;
                forked("close", served.close())?;
                forked("close", broker.close())?;
                drop((broker, served));
                new_handles_work()
            });
        }
        let (broker, served) = kept.as_ref().unwrap();
        question.reply(&mut typed("a.A", b"parent")).unwrap();
        let mut reply = Message::new();
        request.recv(&mut reply, soon()).unwrap();
        assert_eq!(reply.payload(), b"parent");
        assert_eq!(broker.statistics().unwrap().served, 1);
        served.stop(soon()).unwrap();
    });
}

#[test]
fn services_and_their_clients_stay_the_parents() {
    in_process_of_its_own("services_and_their_clients_stay_the_parents", || {
        let server = registry::registry();
        let names = Arc::new(registry::client(&server.endpoint().unwrap()));
        let settings = ServiceSettings {
            endpoint: Some("tcp://127.0.0.1:*".to_owned()),
            workers: 3,
            ..ServiceSettings::default()
        };
        let make = || Service::new("acme.Echo", &names, &Options::new(), &settings);
        let service = make().unwrap();
        let (keep, kept) = std::sync::mpsc::channel();
        let keep = Mutex::new(keep);
        let handler = move |request: &mut Message, reply: &mut Message| match request.payload() {
            b"later" => {
                keep.lock().unwrap().send(request.try_clone()?).unwrap();
                Ok(())
            }
            payload => {
                let payload = payload.to_vec();
                reply.prepare("a.A", payload.len())?.copy_from_slice(&payload);
                Ok(())
            }
        };
        service.set_handler(None, Some(Arc::new(handler))).unwrap();
        service.start(soon()).unwrap();
        let client = ServiceClient::new("acme.Echo", &names, &Options::new()).unwrap();
        client.wait_for_service(soon()).unwrap();
        let call = |payload: &[u8]| {
            let mut reply = Message::new();
            client.call(&mut typed("a.A", payload), &mut reply, LIMIT_MS, false)?;
            Result::Ok(reply.payload().to_vec())
        };
        std::thread::scope(|scope| {
            // One is under way at each fork.
            let later = scope.spawn(|| client.call(&mut typed("a.A", b"later"), &mut Message::new(), LIMIT_MS, false));
            let question = kept.recv_timeout(LIMIT).unwrap();
            let started = client.start_call(&mut typed("a.A", b"later"), LIMIT_MS, false).unwrap();
            let other_question = kept.recv_timeout(LIMIT).unwrap();
            for round in 0..3u8 {
                in_child(|| {
                    let mut reply = Message::new();
                    forked("call", call(b"child"))?;
                    forked("start_call", client.start_call(&mut typed("a.A", b"child"), 1, false))?;
                    forked("finish_call", client.finish_call(started, &mut reply, soon()))?;
                    forked("finish_next", client.finish_next(&mut reply, soon()).map(drop))?;
                    forked("abandon_call", client.abandon_call(started))?;
                    forked("fd", client.fd())?;
                    forked("wait_for_service", client.wait_for_service(soon()))?;
                    forked("instances", client.instances())?;
                    forked("set_handler", service.set_handler(None, None))?;
                    forked("start", service.start(soon()))?;
                    forked("stop", service.stop(soon()))?;
                    forked("reply", question.reply(&mut bytes(b"child")))?;
                    forked("close", service.close())?;
                    forked("close", client.close())?;
                    forked("start of a new one", make().and_then(|new| new.start(soon())))?;
                    new_handles_work()
                });
                assert_eq!(call(&[round]).unwrap(), [round]);
            }
            for question in [question, other_question] {
                question.reply(&mut typed("a.A", b"parent")).unwrap();
            }
            let mut reply = Message::new();
            client.finish_call(started, &mut reply, soon()).unwrap();
            assert_eq!(reply.payload(), b"parent");
            later.join().unwrap().unwrap();
        });
        // Nor does the child take them along when it lets go of them; its own threads are waited for at its end.
        let mut taken = Some((service, client));
        in_child(|| {
            new_handles_work()?;
            drop(taken.take());
            new_handles_work()
        });
        let (service, client) = taken.unwrap();
        let mut reply = Message::new();
        client
            .call(&mut typed("a.A", b"still"), &mut reply, LIMIT_MS, false)
            .unwrap();
        assert_eq!(reply.payload(), b"still");
        service.stop(soon()).unwrap();
        client.close().unwrap();
    });
}

#[test]
fn forking_works_while_other_threads_send_receive_and_close() {
    in_process_of_its_own("forking_works_while_other_threads_send_receive_and_close", || {
        let (left, right) = dealers("tcp", &Options::new());
        let (done, received) = (AtomicBool::new(false), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while !done.load(Ordering::Relaxed) {
                        left.send(&mut bytes(b"1")).unwrap();
                    }
                    left.send(&mut bytes(b"stop")).unwrap();
                });
                scope.spawn(|| {
                    let mut message = Message::new();
                    while message.bytes() != b"stop" {
                        right.recv_bytes(&mut message, soon()).unwrap();
                        received.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let dealer = Dealer::new("@tcp://127.0.0.1:*", &Options::new()).unwrap();
                    Subscriber::new(&address(&dealer), Filter::All, &Options::new()).unwrap();
                    dealer.statistics().unwrap();
                    while dealer.events().recv(0).is_ok() {}
                }
            });
            for _ in 0..200 {
                let before = received.load(Ordering::Relaxed);
                in_child(|| {
                    forked("send", left.send(&mut bytes(b"child")))?;
                    forked("recv", right.recv_bytes(&mut Message::new(), soon()))?;
                    forked("events", left.events().recv(-1))?;
                    forked("close", left.close())?;
                    new_handles_work()
                });
                while received.load(Ordering::Relaxed) == before {
                    std::thread::yield_now();
                }
            }
            done.store(true, Ordering::Relaxed);
        });
        assert_eq!(left.statistics().unwrap().reconnects, 0);
    });
}
