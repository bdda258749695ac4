//! Calls to a service that are started, and finished when a descriptor says so: what a caller gets though nobody waits for it.

mod common;

use std::collections::{HashMap, HashSet, VecDeque};
use std::os::fd::RawFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::registry::{fixed_port, registry};
use common::service::{caller, client, echo, keeps, local, serve, wait_for, ASK, NAME};
use common::{port_of, readable, role, soon, typed, Process, LIMIT, LIMIT_MS};
use dividere::{Channel, Deadline, Dealer, Message, Options, RegistryServer, ServiceClient, ServiceSettings, Status};

fn start(client: &ServiceClient, payload: &[u8], timeout_ms: i64, repeat: bool) -> u64 {
    client.start_call(&mut typed(ASK, payload), timeout_ms, repeat).unwrap()
}

/// Sleeps at the descriptor, as an event loop does.
fn await_readable(fd: RawFd) {
    assert!(readable(fd, LIMIT_MS as i32), "the descriptor does not become readable");
}

/// The next call that ends, awaited at the descriptor.
fn next(client: &ServiceClient, reply: &mut Message) -> (u64, dividere::Result<()>) {
    let fd = client.fd().unwrap();
    loop {
        await_readable(fd);
        match client.finish_next(reply, Deadline::Now) {
            Err(error) if error.status() == Status::WouldBlock => {}
            ended => return ended.unwrap(),
        }
    }
}

fn next_status(client: &ServiceClient, call: u64) -> Status {
    let (ended, outcome) = next(client, &mut Message::new());
    assert_eq!(ended, call);
    outcome.expect_err("an error is expected").status()
}

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

#[test]
fn calls_end_in_any_order_and_the_descriptor_tells() {
    let server = registry();
    let registry = client(&server.last_endpoint().unwrap());
    let (handler, kept) = keeps();
    let _service = serve(&registry, &local(), handler);
    let client = caller(&registry);
    let fd = client.fd().unwrap();
    let mut question = typed(ASK, b"first");
    let first = client.start_call(&mut question, LIMIT_MS, false).unwrap();
    assert_eq!(question.kind(), dividere::MessageKind::Empty);
    assert_eq!(
        client.start_call(&mut question, LIMIT_MS, false).unwrap_err().status(),
        Status::State
    );
    let asked = kept.recv_timeout(LIMIT).unwrap();
    let second = start(&client, b"second", LIMIT_MS, false);
    let mut reply = Message::new();
    for wait in [Deadline::Now, Deadline::from_ms(20)] {
        let early = client.finish_call(first, &mut reply, wait).unwrap_err();
        assert_eq!(early.status(), Status::WouldBlock);
    }
    assert!(!readable(fd, 0));
    let other = kept.recv_timeout(LIMIT).unwrap();
    other.reply(&mut typed("acme.Told", b"to the second")).unwrap();
    await_readable(fd);
    client.finish_call(second, &mut reply, Deadline::Now).unwrap();
    assert_eq!(reply.payload(), b"to the second");
    assert!(!readable(fd, 0), "nothing is left to finish");
    // Who waits in a call is woken, too.
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| {
            let mut reply = Message::new();
            client
                .finish_call(first, &mut reply, soon())
                .map(|()| reply.payload().to_vec())
        });
        asked.reply(&mut typed("acme.Told", b"to the first")).unwrap();
        assert_eq!(waits.join().unwrap().unwrap(), b"to the first");
    });
    for over in [first, second, 0, u64::MAX] {
        let error = client.finish_call(over, &mut reply, soon()).unwrap_err();
        assert_eq!(error.status(), Status::NotFound);
    }
}

/// More than a queue holds, and none of them has a thread.
#[test]
fn thousands_of_calls_are_under_way_with_one_thread() {
    const CALLS: u32 = 5000;
    let server = registry();
    let registry = client(&server.last_endpoint().unwrap());
    let (handler, kept) = keeps();
    let settings = ServiceSettings {
        most_waiting: 10_000,
        ..local()
    };
    let _service = serve(&registry, &settings, handler);
    let client = caller(&registry);
    client.wait_for_service(soon()).unwrap();
    client.fd().unwrap();
    let before = threads();
    let mut calls: HashMap<u64, u32> = (0..CALLS)
        .map(|number| (start(&client, &number.to_be_bytes(), 3 * LIMIT_MS, false), number))
        .collect();
    // Others of this program may begin and end meanwhile; but none for each call.
    assert!(threads() < before + 100, "{before} threads, and then {}", threads());
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let asked: Vec<Message> = (0..CALLS).map(|_| kept.recv_timeout(LIMIT).unwrap()).collect();
            for question in asked.iter().rev() {
                question.reply(&mut typed("acme.Told", question.payload())).unwrap();
            }
        });
        let mut reply = Message::new();
        while !calls.is_empty() {
            let (call, outcome) = next(&client, &mut reply);
            outcome.unwrap();
            assert_eq!(calls.remove(&call).map(u32::to_be_bytes).unwrap(), reply.payload());
        }
    });
    let none = client.finish_next(&mut Message::new(), Deadline::Now).unwrap_err();
    assert_eq!(none.status(), Status::WouldBlock);
}

/// An instance that reads nothing until there is no room for more: what waits for room goes out in the end, in its turn.
#[test]
fn calls_wait_for_room_in_a_full_queue() {
    const CALLS: u32 = 400;
    let server = registry();
    let registry = client(&server.last_endpoint().unwrap());
    let mut narrow = Options::default();
    narrow.set_receive_high_water_mark(1).unwrap();
    narrow.set_send_high_water_mark(1).unwrap();
    let instance = Dealer::new("@tcp://127.0.0.1:*", &narrow).unwrap();
    let port = port_of(&instance.last_endpoint().unwrap());
    registry.register(NAME, port, b"", soon()).unwrap();
    let client = ServiceClient::new(NAME, &registry, &narrow).unwrap();
    client.wait_for_service(soon()).unwrap();
    let large = |number: u32| number.to_be_bytes().repeat(32 * 1024);
    let late = start(&client, &large(0), LIMIT_MS, false);
    for number in 1..CALLS - 1 {
        start(&client, &large(number), LIMIT_MS, false);
    }
    let given_up = start(&client, &large(CALLS), LIMIT_MS, false);
    let short = start(&client, &large(CALLS), 50, false);
    assert_eq!(next_status(&client, short), Status::Timeout);
    client.abandon_call(given_up).unwrap();
    let last = start(&client, &large(CALLS - 1), LIMIT_MS, false);
    assert_eq!(
        client
            .finish_call(late, &mut Message::new(), Deadline::Now)
            .unwrap_err()
            .status(),
        Status::WouldBlock
    );
    let mut message = Message::new();
    let mut seen = HashSet::new();
    for _ in 0..CALLS {
        instance.recv_bytes(&mut message, soon()).unwrap();
        let bytes = message.bytes();
        let tail: [u8; 4] = bytes[bytes.len() - 4..].try_into().unwrap();
        assert!(seen.insert(u32::from_be_bytes(tail)));
    }
    assert!(!seen.contains(&CALLS), "what nobody waits for any more was sent");
    client.abandon_call(last).unwrap();
}

#[test]
fn that_nobody_has_the_name_is_told_at_once() {
    let server = registry();
    let client = caller(&client(&server.last_endpoint().unwrap()));
    let begin = Instant::now();
    let call = start(&client, b"", 3 * LIMIT_MS, true);
    assert_eq!(next_status(&client, call), Status::NotFound);
    assert!(begin.elapsed() < LIMIT / 2);
}

#[test]
fn a_call_waits_for_a_registry_and_an_instance_and_then_goes_there() {
    let endpoint = format!("tcp://127.0.0.1:{}", fixed_port());
    let registry = client(&endpoint);
    let caller = caller(&registry);
    let patient = start(&caller, b"patient", LIMIT_MS, false);
    let short = start(&caller, b"short", 50, false);
    assert_eq!(next_status(&caller, short), Status::Timeout);
    let _server = RegistryServer::new(&endpoint, &Options::default()).unwrap();
    // It may be told that nobody has the name before the service is there; or else it is served.
    let _service = serve(&registry, &local(), echo());
    let mut reply = Message::new();
    let (ended, outcome) = next(&caller, &mut reply);
    assert_eq!(ended, patient);
    match outcome {
        Ok(()) => assert_eq!(reply.payload(), b"patient"),
        Err(error) => assert_eq!(error.status(), Status::NotFound, "{error}"),
    }
}

#[test]
fn time_is_kept_though_nobody_waits() {
    let server = registry();
    let registry = client(&server.last_endpoint().unwrap());
    let (handler, kept) = keeps();
    let _service = serve(&registry, &local(), handler);
    let client = caller(&registry);
    client.wait_for_service(soon()).unwrap();
    let long = start(&client, b"", LIMIT_MS, false);
    let at_once = start(&client, b"", 0, false);
    assert_eq!(next_status(&client, at_once), Status::Timeout);
    let begin = Instant::now();
    let short = start(&client, b"", 100, true);
    assert_eq!(next_status(&client, short), Status::Timeout);
    assert!(begin.elapsed() >= Duration::from_millis(100));
    // The late answer to it is nobody's.
    let asked: Vec<_> = (0..3).map(|_| kept.recv_timeout(LIMIT).unwrap()).collect();
    for question in asked.iter().rev() {
        question.reply(&mut typed("acme.Told", b"")).unwrap();
    }
    let (ended, outcome) = next(&client, &mut Message::new());
    assert_eq!((ended, outcome.is_ok()), (long, true));
    assert!(!readable(client.fd().unwrap(), 0));
}

/// It may be repeated: so half of its time is enough for an instance that does not answer, and a busy one is passed by.
#[test]
fn another_instance_is_asked_where_one_does_not_answer_or_is_busy() {
    let server = registry();
    let registry = client(&server.last_endpoint().unwrap());
    let (handler, kept) = keeps();
    let _silent = serve(&registry, &local(), handler);
    let busy = serve(
        &registry,
        &local(),
        Arc::new(|request, _| request.reply_error(Status::Busy, "never")),
    );
    let _answers = serve(&registry, &local(), echo());
    let client = caller(&registry);
    wait_for(&client, 3);
    // All three are connected once two were asked in vain by the same call, whichever was the first.
    let begin = Instant::now();
    let mut asked_in_vain = 0;
    while asked_in_vain < 3 {
        let call = start(&client, b"?", 4000, true);
        let mut reply = Message::new();
        let (ended, outcome) = next(&client, &mut reply);
        assert_eq!(ended, call);
        match outcome {
            Ok(()) => assert_eq!(reply.payload(), b"?"),
            // While one alone is connected.
            Err(error) => assert!(matches!(error.status(), Status::Busy | Status::Timeout), "{error}"),
        }
        asked_in_vain += kept.try_iter().count();
        assert!(begin.elapsed() < 2 * LIMIT);
    }
    // And what may not be repeated ends where it is: it has its time.
    busy.stop(soon()).unwrap();
    wait_for(&client, 2);
}

#[test]
fn an_answer_of_any_status_ends_the_call() {
    let server = registry();
    let registry = client(&server.last_endpoint().unwrap());
    let answers = |request: &mut Message, _: &mut Message| match request.payload() {
        b"would block" => request.reply_error(Status::WouldBlock, "as if it were under way"),
        _ => request.reply_error(Status::Permission, "not you"),
    };
    let _service = serve(&registry, &local(), Arc::new(answers));
    let client = caller(&registry);
    client.wait_for_service(soon()).unwrap();
    let call = start(&client, b"", LIMIT_MS, false);
    assert_eq!(next_status(&client, call), Status::Permission);
    let call = start(&client, b"would block", LIMIT_MS, false);
    assert_eq!(next_status(&client, call), Status::Remote);
}

#[test]
fn what_is_given_up_is_answered_to_nobody() {
    let server = registry();
    let registry = client(&server.last_endpoint().unwrap());
    let (handler, kept) = keeps();
    let _service = serve(&registry, &local(), handler);
    let client = caller(&registry);
    let status = |outcome: dividere::Result<()>| outcome.expect_err("an error is expected").status();
    assert_eq!(status(client.abandon_call(1)), Status::NotFound);
    let unplaced = start(&client, b"", LIMIT_MS, false);
    client.abandon_call(unplaced).unwrap();
    client.wait_for_service(soon()).unwrap();
    let sent = start(&client, b"sent", LIMIT_MS, false);
    let answered = start(&client, b"answered", LIMIT_MS, false);
    let mut asked: HashMap<Vec<u8>, Message> = HashMap::new();
    while !(asked.contains_key(&b"sent"[..]) && asked.contains_key(&b"answered"[..])) {
        let question = kept.recv_timeout(LIMIT).unwrap();
        asked.insert(question.payload().to_vec(), question);
    }
    client.abandon_call(sent).unwrap();
    assert_eq!(status(client.abandon_call(sent)), Status::NotFound);
    for payload in [&b"sent"[..], b"answered"] {
        asked[payload].reply(&mut typed("acme.Told", b"")).unwrap();
    }
    await_readable(client.fd().unwrap());
    client.abandon_call(answered).unwrap();
    assert!(!readable(client.fd().unwrap(), 0));
    let none = client.finish_next(&mut Message::new(), Deadline::Now).unwrap_err();
    assert_eq!(none.status(), Status::WouldBlock);
}

#[test]
fn closing_ends_what_is_under_way_and_wakes_everybody() {
    let server = registry();
    let registry = client(&server.last_endpoint().unwrap());
    let (handler, kept) = keeps();
    let _service = serve(&registry, &local(), handler);
    let client = caller(&registry);
    let call = start(&client, b"", -1, false);
    let _unanswered = kept.recv_timeout(LIMIT).unwrap();
    // The client's descriptor goes with it.
    // SAFETY: no pointers; closed below.
    let fd = unsafe { libc::dup(client.fd().unwrap()) };
    let status = |outcome: dividere::Result<()>| outcome.expect_err("an error is expected").status();
    std::thread::scope(|scope| {
        let one = scope.spawn(|| client.finish_call(call, &mut Message::new(), Deadline::Never));
        let any = scope.spawn(|| client.finish_next(&mut Message::new(), Deadline::Never).map(drop));
        let loops = scope.spawn(|| await_readable(fd));
        client.close().unwrap();
        assert_eq!(status(one.join().unwrap()), Status::Closed);
        assert_eq!(status(any.join().unwrap()), Status::Closed);
        loops.join().unwrap();
    });
    // SAFETY: the copy made above.
    unsafe { libc::close(fd) };
    let mut question = typed(ASK, b"");
    assert_eq!(
        status(client.start_call(&mut question, 1, false).map(drop)),
        Status::Closed
    );
    assert_eq!(status(client.fd().map(drop)), Status::Closed);
    assert_eq!(status(client.abandon_call(call)), Status::Closed);
}

/// Also where no call is under way whose end would be told.
#[test]
fn closing_wakes_who_waits_for_nothing() {
    let server = registry();
    let client = caller(&client(&server.last_endpoint().unwrap()));
    // SAFETY: no pointers; closed below.
    let fd = unsafe { libc::dup(client.fd().unwrap()) };
    std::thread::scope(|scope| {
        let any = scope.spawn(|| client.finish_next(&mut Message::new(), Deadline::Never).map(drop));
        // Nothing tells that it sleeps; where it does not yet, it is CLOSED at once.
        assert!(!readable(fd, 20));
        client.close().unwrap();
        assert_eq!(any.join().unwrap().unwrap_err().status(), Status::Closed);
        await_readable(fd);
    });
    // SAFETY: the copy made above.
    unsafe { libc::close(fd) };
}

/// Who waits in place and who does not share the connections.
#[test]
fn started_calls_and_those_that_wait_in_place_do_not_disturb_each_other() {
    let server = registry();
    let registry = client(&server.last_endpoint().unwrap());
    let settings = ServiceSettings { workers: 2, ..local() };
    let _services = [serve(&registry, &settings, echo()), serve(&registry, &settings, echo())];
    let client = caller(&registry);
    wait_for(&client, 2);
    std::thread::scope(|scope| {
        for own in 0..3u8 {
            let client = &client;
            scope.spawn(move || {
                let mut reply = Message::new();
                for _ in 0..500 {
                    client
                        .call(&mut typed(ASK, &[own]), &mut reply, LIMIT_MS, false)
                        .unwrap();
                    assert_eq!(reply.payload(), [own]);
                }
            });
        }
        let mut under_way: VecDeque<(u64, [u8; 4])> = VecDeque::new();
        for number in 0..2000u32 {
            let payload = number.to_be_bytes();
            under_way.push_back((start(&client, &payload, LIMIT_MS, false), payload));
            if under_way.len() == 20 {
                let (call, payload) = under_way.pop_front().unwrap();
                let mut reply = Message::new();
                client.finish_call(call, &mut reply, soon()).unwrap();
                assert_eq!(reply.payload(), payload);
            }
        }
    });
}

/// To be called first: in a process that shall be a service it does not return.
fn be_what_was_asked_for() {
    let Some((_, endpoint)) = role() else { return };
    // SAFETY: no pointers. Whoever is left alone, ends.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    let _service = serve(&client(&endpoint), &local(), echo());
    loop {
        std::thread::park();
    }
}

/// Keeps 50 calls under way while one of two processes is killed. How those ended that had no answer.
fn killed_under_load(test: &str, repeat: bool) -> Vec<Status> {
    let server = registry();
    let endpoint = server.last_endpoint().unwrap();
    let victim = Process::start(test, "service", &endpoint);
    let _stays = Process::start(test, "service", &endpoint);
    let client = caller(&client(&endpoint));
    wait_for(&client, 2);
    client.wait_for_service(soon()).unwrap();
    let (mut served, mut failed) = (0, Vec::new());
    let mut reply = Message::new();
    let begin = Instant::now();
    for _ in 0..50 {
        start(&client, b"load", LIMIT_MS, repeat);
    }
    let mut killed_at = None;
    while killed_at.is_none_or(|at| served < at + 500) || client.instances().unwrap().len() > 1 {
        if served > 500 && killed_at.is_none() {
            victim.signal(libc::SIGKILL);
            killed_at = Some(served);
        }
        match next(&client, &mut reply).1 {
            Ok(()) => assert_eq!(reply.payload(), b"load"),
            Err(error) => failed.push(error.status()),
        }
        served += 1;
        start(&client, b"load", LIMIT_MS, repeat);
        assert!(begin.elapsed() < 3 * LIMIT, "{served} served");
    }
    for _ in 0..50 {
        let outcome = next(&client, &mut reply).1;
        failed.extend(outcome.err().map(|error| error.status()));
    }
    failed
}

#[test]
fn a_killed_instance_is_not_noticed_where_requests_may_be_repeated() {
    be_what_was_asked_for();
    let test = "a_killed_instance_is_not_noticed_where_requests_may_be_repeated";
    assert_eq!(killed_under_load(test, true), []);
}

#[test]
fn a_killed_instance_costs_at_most_the_calls_that_it_had() {
    be_what_was_asked_for();
    let failed = killed_under_load("a_killed_instance_costs_at_most_the_calls_that_it_had", false);
    assert!(failed.len() <= 50, "{failed:?}");
    assert!(failed.iter().all(|status| *status == Status::Unreachable), "{failed:?}");
}
