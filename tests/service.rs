//! Services and their clients: what a caller gets whatever happens, in one process.

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{mpsc, Arc, Mutex};
use std::time::{Duration, Instant};

use common::registry::{fixed_port, registry};
use common::service::{caller, client, echo, keeps, local, serve, tells, wait_for, ASK, NAME};
use common::{bytes, soon, typed, LIMIT, LIMIT_MS};
use dividere::{
    Channel, Deadline, Error, Message, Options, RegistryClient, Request, Service, ServiceClient, ServiceHandler,
    ServiceSettings, Status,
};

fn call(client: &ServiceClient, payload: &[u8]) -> dividere::Result<Vec<u8>> {
    call_with(client, payload, LIMIT_MS, false)
}

fn call_with(client: &ServiceClient, payload: &[u8], timeout_ms: i64, repeat: bool) -> dividere::Result<Vec<u8>> {
    let mut reply = Message::new();
    client.call(&mut typed(ASK, payload), &mut reply, timeout_ms, repeat)?;
    Ok(reply.payload().to_vec())
}

fn status(outcome: dividere::Result<Vec<u8>>) -> Status {
    outcome.expect_err("an error is expected").status()
}

/// Named after a type where nobody says another name: 2.2.0 takes the class and its module.
struct Echo;

#[test]
fn a_service_named_after_a_type_is_found_by_that() {
    let server = registry();
    let registry = client(&server.last_endpoint().unwrap());
    let service = Service::of::<Echo>(&registry, &Options::default(), &local()).unwrap();
    assert_eq!(service.name(), "service.Echo");
    service.set_handler(Some(ASK), Some(echo())).unwrap();
    service.start(soon()).unwrap();
    assert_eq!(registry.lookup("service.Echo", soon()).unwrap().port, service.port());
    let client = ServiceClient::of::<Echo>(&registry, &Options::default()).unwrap();
    assert_eq!(call(&client, b"hello").unwrap(), b"hello");
}

#[test]
fn a_service_is_found_by_its_name_and_answers() {
    let server = registry();
    let registry = client(&server.last_endpoint().unwrap());
    let service = serve(&registry, &local(), echo());
    let client = caller(&registry);
    assert_eq!(call(&client, b"hello").unwrap(), b"hello");
    let known = client.instances().unwrap();
    assert_eq!((known.len(), known[0].port), (1, service.port()));
    service.stop(soon()).unwrap();
    assert_eq!(service.stop(soon()).unwrap_err().status(), Status::Closed);
}

#[test]
fn a_name_that_nobody_has_is_told_at_once() {
    let server = registry();
    let registry = client(&server.last_endpoint().unwrap());
    let client = caller(&registry);
    let start = Instant::now();
    assert_eq!(status(call_with(&client, b"", 60_000, true)), Status::NotFound);
    assert!(start.elapsed() < LIMIT / 2, "{:?}", start.elapsed());
    // And again when the last one has gone.
    let service = serve(&registry, &local(), echo());
    client.wait_for_service(soon()).unwrap();
    call(&client, b"").unwrap();
    service.stop(soon()).unwrap();
    wait_for(&client, 0);
    assert_eq!(status(call_with(&client, b"", 60_000, true)), Status::NotFound);
}

#[test]
fn without_a_registry_a_call_has_its_time_and_no_more() {
    let registry = client(&format!("tcp://127.0.0.1:{}", fixed_port()));
    let client = caller(&registry);
    let start = Instant::now();
    assert_eq!(status(call_with(&client, b"", 200, true)), Status::Timeout);
    assert!(start.elapsed() >= Duration::from_millis(199));
    assert_eq!(
        client.wait_for_service(Deadline::from_ms(10)).unwrap_err().status(),
        Status::Timeout
    );
}

#[test]
fn every_request_has_an_answer() {
    let server = registry();
    let registry = client(&server.last_endpoint().unwrap());
    let service = serve(
        &registry,
        &local(),
        Arc::new(|request, reply| match request.payload() {
            b"fail" => Err(Error::new(Status::Closed, "of something else")),
            b"panic" => panic!("on purpose"),
            b"leave" => Ok(()),
            b"refuse" => request.reply_error(Status::Permission, "not you"),
            _ => reply.prepare("acme.Told", 0).map(drop),
        }),
    );
    let client = caller(&registry);
    assert_eq!(call(&client, b"fine").unwrap(), b"");
    for (payload, expected, text) in [
        (&b"fail"[..], Status::Remote, "of something else"),
        (b"panic", Status::Remote, "on purpose"),
        (b"leave", Status::Remote, "unanswered"),
        (b"refuse", Status::Permission, "not you"),
    ] {
        let error = call(&client, payload).unwrap_err();
        assert_eq!(error.status(), expected, "{error}");
        assert!(error.text().contains(text), "{error}");
    }
    let mut reply = Message::new();
    let unknown = client.call(&mut typed("acme.Other", b""), &mut reply, LIMIT_MS, false);
    assert_eq!(unknown.unwrap_err().status(), Status::Unsupported);
    let malformed = client.call(&mut bytes(b"\xff\xff"), &mut reply, LIMIT_MS, false);
    assert_eq!(malformed.unwrap_err().status(), Status::Decode);
    // A default handler takes what no other one is for.
    service.set_handler(None, Some(tells("default"))).unwrap();
    client
        .call(&mut typed("acme.Other", b""), &mut reply, LIMIT_MS, false)
        .unwrap();
    assert_eq!(reply.payload(), b"default");
    // Nothing of this ended it.
    assert_eq!(call(&client, b"fine").unwrap(), b"");
}

/// A handler that tells when it begins, and goes on when it is let.
fn held() -> (ServiceHandler, mpsc::Receiver<Vec<u8>>, mpsc::Sender<()>) {
    let (begun, begins) = mpsc::channel();
    let (go, gone) = mpsc::channel::<()>();
    let (begun, gone) = (Mutex::new(begun), Mutex::new(gone));
    let handler: ServiceHandler = Arc::new(move |request, reply| {
        begun.lock().unwrap().send(request.payload().to_vec()).unwrap();
        let waited = gone.lock().unwrap().recv_timeout(LIMIT);
        waited.map_err(|e| Error::new(Status::Timeout, e.to_string()))?;
        let payload = request.payload();
        reply.prepare("acme.Told", payload.len())?.copy_from_slice(payload);
        Ok(())
    });
    (handler, begins, go)
}

#[test]
fn handlers_run_side_by_side() {
    let server = registry();
    let registry = client(&server.last_endpoint().unwrap());
    let (begun, begins) = mpsc::channel();
    let begun = Mutex::new(begun);
    let all = Arc::new(std::sync::Barrier::new(3));
    let meet = Arc::clone(&all);
    let settings = ServiceSettings { workers: 3, ..local() };
    let _service = serve(
        &registry,
        &settings,
        Arc::new(move |_request, reply| {
            begun.lock().unwrap().send(()).unwrap();
            // Nobody gets through alone.
            meet.wait();
            reply.prepare("acme.Told", 0).map(drop)
        }),
    );
    let client = caller(&registry);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| call(&client, b"").unwrap());
        }
    });
    assert_eq!(begins.try_iter().count(), 3);
}

/// Whoever received a request of quick ones receives the next one, too, and wakes nobody: unless it takes longer for once.
#[test]
fn a_slow_request_after_many_quick_ones_holds_up_no_other() {
    let server = registry();
    let registry = client(&server.last_endpoint().unwrap());
    let (held, begins, go) = held();
    let quick = echo();
    let handler: ServiceHandler = Arc::new(move |request, reply| match request.payload() {
        b"slow" => held(request, reply),
        _ => quick(request, reply),
    });
    let settings = ServiceSettings { workers: 2, ..local() };
    let service = serve(&registry, &settings, handler);
    let endpoint = format!("tcp://127.0.0.1:{}", service.port());
    let slow = Request::new(&endpoint, &Options::default()).unwrap();
    let client = caller(&registry);
    let mut reply = Message::new();
    for _ in 0..3 {
        for _ in 0..300 {
            assert_eq!(call(&client, b"quick").unwrap(), b"quick");
        }
        let number = slow.start_call(&mut typed(ASK, b"slow"), false, -1, soon()).unwrap();
        assert_eq!(begins.recv_timeout(LIMIT).unwrap(), b"slow");
        // While it runs.
        assert_eq!(call(&client, b"meanwhile").unwrap(), b"meanwhile");
        go.send(()).unwrap();
        slow.finish_call(number, &mut reply, soon()).unwrap();
        assert_eq!(reply.payload(), b"slow");
    }
    // Nothing of that keeps it from stopping.
    service.stop(soon()).unwrap();
}

#[test]
fn what_waits_is_bounded_and_the_rest_is_told_that_it_is_busy() {
    let server = registry();
    let registry = client(&server.last_endpoint().unwrap());
    let (handler, begins, go) = held();
    let settings = ServiceSettings {
        most_waiting: 1,
        ..local()
    };
    let service = serve(&registry, &settings, handler);
    let endpoint = format!("tcp://127.0.0.1:{}", service.port());
    let request = Request::new(&endpoint, &Options::default()).unwrap();
    let start = |payload: &[u8]| request.start_call(&mut typed(ASK, payload), false, -1, soon()).unwrap();
    let running = start(b"running");
    assert_eq!(begins.recv_timeout(LIMIT).unwrap(), b"running");
    let (waiting, refused) = (start(b"waiting"), start(b"refused"));
    let mut reply = Message::new();
    let busy = request.finish_call(refused, &mut reply, soon()).unwrap_err();
    assert_eq!(busy.status(), Status::Busy, "{busy}");
    // By name it is the same, where there is no other instance.
    let client = caller(&registry);
    assert_eq!(status(call(&client, b"")), Status::Busy);
    // And where there is one, that one answers.
    let other = serve(&registry, &local(), tells("other"));
    let start = Instant::now();
    while let Err(error) = call(&client, b"") {
        // It is not connected yet.
        assert_eq!(error.status(), Status::Busy, "{error}");
        assert!(start.elapsed() < LIMIT);
    }
    for _ in 0..10 {
        assert_eq!(call(&client, b"").unwrap(), b"other");
    }
    for _ in 0..2 {
        go.send(()).unwrap();
    }
    for (number, payload) in [(running, &b"running"[..]), (waiting, b"waiting")] {
        request.finish_call(number, &mut reply, soon()).unwrap();
        assert_eq!(reply.payload(), payload);
    }
    other.stop(soon()).unwrap();
}

/// Of two that are large one waits, and small ones have room beside it.
#[test]
fn what_waits_is_bounded_by_its_bytes_too() {
    const LARGE: usize = 600_000;
    let server = registry();
    let registry = client(&server.last_endpoint().unwrap());
    let (handler, begins, go) = held();
    let mut options = Options::default();
    options.service_mut().set_queue_bytes(1_000_000).unwrap();
    let service = Service::new(NAME, &registry, &options, &local()).unwrap();
    service.set_handler(None, Some(handler)).unwrap();
    service.start(soon()).unwrap();
    let request = Request::new(&format!("tcp://127.0.0.1:{}", service.port()), &Options::default()).unwrap();
    let start = |payload: &[u8]| request.start_call(&mut typed(ASK, payload), false, -1, soon()).unwrap();
    let mut reply = Message::new();
    // Twice: what waited is gone the second time.
    for _ in 0..2 {
        let running = start(&[0; LARGE]);
        assert_eq!(begins.recv_timeout(LIMIT).unwrap().len(), LARGE);
        let (waiting, refused, small) = (start(&[1; LARGE]), start(&[2; LARGE]), start(b"small"));
        let busy = request.finish_call(refused, &mut reply, soon()).unwrap_err();
        assert_eq!(busy.status(), Status::Busy, "{busy}");
        for (number, payload) in [(running, &[0; LARGE][..]), (waiting, &[1; LARGE]), (small, b"small")] {
            go.send(()).unwrap();
            request.finish_call(number, &mut reply, soon()).unwrap();
            assert_eq!(reply.payload(), payload);
        }
        for length in [LARGE, 5] {
            assert_eq!(begins.recv_timeout(LIMIT).unwrap().len(), length);
        }
    }
    // Nobody else has a use for it.
    let refused = Request::new("tcp://127.0.0.1:9", &options).err().unwrap();
    assert_eq!(refused.status(), Status::InvalidArgument);
    service.stop(soon()).unwrap();
}

#[test]
fn a_request_may_be_kept_and_answered_later_and_stopping_waits_for_it() {
    let server = registry();
    let registry = client(&server.last_endpoint().unwrap());
    let (keep, kept) = mpsc::channel();
    let keep = Mutex::new(keep);
    let service = serve(
        &registry,
        &local(),
        Arc::new(move |request, _reply| {
            if request.payload() == b"kept" {
                keep.lock().unwrap().send(request.try_clone()?).unwrap();
            }
            Ok(())
        }),
    );
    let client = caller(&registry);
    let request = Request::new(&format!("tcp://127.0.0.1:{}", service.port()), &Options::default()).unwrap();
    request.wait_connected(0, soon()).unwrap();
    std::thread::scope(|scope| {
        let answer = scope.spawn(|| call(&client, b"kept").unwrap());
        let message = kept.recv_timeout(LIMIT).unwrap();
        let stopping = scope.spawn(|| service.stop(soon()));
        // It refuses others meanwhile, and is known no more.
        wait_for(&client, 0);
        let refused = loop {
            match request.call(&mut typed(ASK, b"late"), &mut Message::new(), LIMIT_MS, 0) {
                // Before it refused: answered by letting go of it.
                Ok(()) => panic!("nobody answered"),
                Err(error) if error.status() == Status::Remote => {}
                Err(error) => break error,
            }
        };
        assert_eq!(refused.status(), Status::Closed, "{refused}");
        assert!(!stopping.is_finished());
        let mut reply = typed("acme.Told", b"at last");
        message.reply(&mut reply).unwrap();
        assert_eq!(answer.join().unwrap(), b"at last");
        stopping.join().unwrap().unwrap();
    });
}

#[test]
fn what_takes_longer_than_stopping_waits_is_answered_with_an_error() {
    let server = registry();
    let registry = client(&server.last_endpoint().unwrap());
    let (handler, kept) = keeps();
    let service = serve(&registry, &local(), handler);
    let client = caller(&registry);
    std::thread::scope(|scope| {
        let answer = scope.spawn(|| call(&client, b"kept"));
        let message = kept.recv_timeout(LIMIT).unwrap();
        let stopped = service.stop(Deadline::from_ms(100)).unwrap_err();
        assert_eq!(stopped.status(), Status::Timeout, "{stopped}");
        assert_eq!(status(answer.join().unwrap()), Status::Remote);
        assert!(!message.can_reply());
    });
}

#[test]
fn closing_ends_a_stop_that_still_waits() {
    let server = registry();
    let registry = client(&server.last_endpoint().unwrap());
    let (handler, kept) = keeps();
    let service = serve(&registry, &local(), handler);
    let client = caller(&registry);
    std::thread::scope(|scope| {
        let answer = scope.spawn(|| call(&client, b"kept"));
        let message = kept.recv_timeout(LIMIT).unwrap();
        let stopping = scope.spawn(|| service.stop(Deadline::Never));
        wait_for(&client, 0);
        assert_eq!(service.close().unwrap_err().status(), Status::Closed);
        assert_eq!(stopping.join().unwrap().unwrap_err().status(), Status::Closed);
        assert_eq!(status(answer.join().unwrap()), Status::Remote);
        assert!(!message.can_reply());
    });
}

#[test]
fn stopping_under_load_loses_nothing() {
    let server = registry();
    let registry = client(&server.last_endpoint().unwrap());
    let settings = ServiceSettings { workers: 2, ..local() };
    let _stays = serve(&registry, &settings, echo());
    let client = caller(&registry);
    client.wait_for_service(soon()).unwrap();
    let served = AtomicUsize::new(0);
    let over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for caller in 0..4u8 {
            let (client, served, over) = (&client, &served, &over);
            scope.spawn(move || {
                while !over.load(Ordering::Acquire) {
                    // Not to be repeated.
                    assert_eq!(call(client, &[caller]).unwrap(), [caller]);
                    served.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for _ in 0..5 {
            let comes = serve(&registry, &settings, echo());
            wait_for(&client, 2);
            let before = served.load(Ordering::Relaxed);
            while served.load(Ordering::Relaxed) < before + 50 {
                std::thread::yield_now();
            }
            comes.stop(soon()).unwrap();
        }
        over.store(true, Ordering::Release);
    });
}

#[test]
fn calls_take_turns_at_the_instances() {
    let server = registry();
    let registry = client(&server.last_endpoint().unwrap());
    let _services = [
        serve(&registry, &local(), tells("a")),
        serve(&registry, &local(), tells("b")),
        serve(&registry, &local(), tells("c")),
    ];
    let client = caller(&registry);
    wait_for(&client, 3);
    // As soon as all three are connected.
    let start = Instant::now();
    loop {
        let mut three = [(); 3].map(|()| call(&client, b"").unwrap());
        three.sort();
        if three == [b"a", b"b", b"c"] {
            break;
        }
        assert!(start.elapsed() < LIMIT, "{three:?}");
    }
}

#[test]
fn closing_ends_the_calls_under_way() {
    let server = registry();
    let registry = client(&server.last_endpoint().unwrap());
    let (handler, begins, go) = held();
    let _service = serve(&registry, &local(), handler);
    let client = caller(&registry);
    std::thread::scope(|scope| {
        let answer = scope.spawn(|| call(&client, b"under way"));
        begins.recv_timeout(LIMIT).unwrap();
        client.close().unwrap();
        assert_eq!(status(answer.join().unwrap()), Status::Closed);
    });
    assert_eq!(client.close().unwrap_err().status(), Status::Closed);
    assert_eq!(client.instances().unwrap_err().status(), Status::Closed);
    go.send(()).unwrap();
}

/// At another address nobody would reach it.
#[test]
fn one_that_is_bound_to_one_address_is_registered_with_that_unless_an_option_says_another() {
    let server = registry();
    let endpoint = server.last_endpoint().unwrap();
    let unsaid = Arc::new(RegistryClient::new(&endpoint, &Options::default()).unwrap());
    let said = client(&endpoint);
    let advertised = |registry: &Arc<RegistryClient>, bound: &str| {
        let settings = ServiceSettings {
            endpoint: Some(bound.to_owned()),
            ..ServiceSettings::default()
        };
        let service = serve(registry, &settings, echo());
        let found = registry.lookup(NAME, soon()).unwrap();
        service.stop(soon()).unwrap();
        found.server
    };
    // What is registered without an address, for comparison.
    unsaid.register("acme.Elsewhere", 1, b"", soon()).unwrap();
    let reached = unsaid.lookup("acme.Elsewhere", soon()).unwrap().server;
    assert_eq!(advertised(&unsaid, "tcp://127.0.0.5:*"), "127.0.0.5");
    assert_eq!(advertised(&unsaid, "tcp://*:*"), reached);
    assert_eq!(advertised(&unsaid, "tcp://0.0.0.0:*"), reached);
    assert_eq!(advertised(&said, "tcp://127.0.0.5:*"), "127.0.0.1");
}

#[test]
fn ports_are_those_of_220_unless_something_else_is_said() {
    let server = registry();
    let registry = client(&server.last_endpoint().unwrap());
    let make = || Service::new(NAME, &registry, &Options::default(), &ServiceSettings::default()).unwrap();
    let (one, two) = (make(), make());
    assert!((5101..=6000).contains(&one.port()) && (5101..=6000).contains(&two.port()));
    assert_ne!(one.port(), two.port());
    let free = Service::new(NAME, &registry, &Options::default(), &local()).unwrap();
    assert!(!(5101..=6000).contains(&free.port()));
    for wrong in [
        "ipc:///tmp/x",
        "inproc://x",
        "tcp://127.0.0.1:*,tcp://127.0.0.1:*",
        ">tcp://127.0.0.1:1",
    ] {
        let settings = ServiceSettings {
            endpoint: Some(wrong.to_owned()),
            ..local()
        };
        let refused = Service::new(NAME, &registry, &Options::default(), &settings);
        assert_eq!(refused.err().map(|e| e.status()), Some(Status::Endpoint), "{wrong}");
    }
}
