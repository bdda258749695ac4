//! Whoever watches is told what is there and then every change in order, whatever becomes of registries meanwhile.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use common::registry::{
    be_what_was_asked_for, client, client_with_lease, fill, fixed_port, registry, registry_process, registry_with,
    service_process,
};
use common::{endpoint, soon, LIMIT, TRANSPORTS};
use dividere::proto::v1::LeaseRequest;
use dividere::{
    Channel, Deadline, Dealer, Instance, Message, Options, RegistryServer, Request, Selection, Status, Watch,
    WatchEvent, WatchEventKind,
};

/// The next event, which has to come.
fn next(watch: &Watch) -> WatchEvent {
    watch.recv(soon()).unwrap()
}

fn next_is(watch: &Watch, kind: WatchEventKind, id: u64) -> Instance {
    let event = next(watch);
    assert_eq!((event.kind, event.instance.id), (kind, id), "{event:?}");
    event.instance
}

/// What is there: everything up to the marker.
fn present(watch: &Watch) -> BTreeMap<u64, Instance> {
    let mut there = BTreeMap::new();
    loop {
        let event = next(watch);
        match event.kind {
            WatchEventKind::Put => there.insert(event.instance.id, event.instance),
            WatchEventKind::Complete => return there,
            WatchEventKind::Delete => panic!("gone before it was told of: {event:?}"),
        };
    }
}

#[test]
fn the_state_comes_first_and_then_each_change_in_order_over_every_transport() {
    for transport in TRANSPORTS {
        let server = RegistryServer::new(&endpoint(transport), &Options::default()).unwrap();
        let client = client(&server.endpoint().unwrap());
        let first = client.register("a.x", 1, b"m", soon()).unwrap();
        let other = client.register("b", 2, b"", soon()).unwrap();
        let of_name = client.watch(Selection::Name("a.x"), soon()).unwrap();
        let of_prefix = client.watch(Selection::Prefix("a."), soon()).unwrap();
        let of_all = client.watch(Selection::All, soon()).unwrap();
        let of_none = client.watch(Selection::Name("nobody"), soon()).unwrap();
        assert_eq!(present(&of_name).into_keys().collect::<Vec<u64>>(), [first]);
        assert_eq!(present(&of_prefix)[&first].metadata, b"m");
        assert_eq!(
            present(&of_all).into_keys().collect::<BTreeSet<u64>>(),
            BTreeSet::from([first, other])
        );
        assert!(present(&of_none).is_empty());
        let second = client.register("a.y", 3, b"", soon()).unwrap();
        let third = client.register("a.x", 4, b"", soon()).unwrap();
        client.unregister(first, soon()).unwrap();
        next_is(&of_name, WatchEventKind::Put, third);
        next_is(&of_name, WatchEventKind::Delete, first);
        let mut revisions = Vec::new();
        for watch in [&of_prefix, &of_all] {
            revisions.push(next_is(watch, WatchEventKind::Put, second).revision);
            revisions.push(next_is(watch, WatchEventKind::Put, third).revision);
            let gone = next_is(watch, WatchEventKind::Delete, first);
            assert_eq!((gone.name.as_str(), gone.port), ("a.x", 1));
            revisions.push(gone.revision);
        }
        assert_eq!(revisions, [3, 4, 5, 3, 4, 5], "over {transport}");
        assert_eq!(of_none.recv(Deadline::Now).unwrap_err().status(), Status::WouldBlock);
        let short = Deadline::after(Duration::from_millis(10));
        assert_eq!(of_none.recv(short).unwrap_err().status(), Status::Timeout);
    }
}

#[test]
fn a_watch_ends_by_its_close_and_with_its_client_and_wakes_who_waits() {
    let server = registry();
    let client = client(&server.endpoint().unwrap());
    let watch = client.watch(Selection::All, soon()).unwrap();
    present(&watch);
    std::thread::scope(|scope| {
        let blocked = scope.spawn(|| watch.recv(Deadline::Never).unwrap_err().status());
        std::thread::sleep(Duration::from_millis(20));
        watch.close().unwrap();
        assert_eq!(blocked.join().unwrap(), Status::Closed);
    });
    assert!(watch.is_closed());
    assert_eq!(watch.close().unwrap_err().status(), Status::Closed);
    let other = client.watch(Selection::All, soon()).unwrap();
    present(&other);
    std::thread::scope(|scope| {
        let blocked = scope.spawn(|| other.recv(Deadline::Never).unwrap_err().status());
        std::thread::sleep(Duration::from_millis(20));
        client.close().unwrap();
        assert_eq!(blocked.join().unwrap(), Status::Closed);
    });
    assert_eq!(
        client.watch(Selection::All, soon()).err().map(|e| e.status()),
        Some(Status::Closed)
    );
}

#[test]
fn its_descriptor_is_readable_exactly_while_there_is_something_to_take() {
    let server = registry();
    let client = client(&server.endpoint().unwrap());
    let watch = client.watch(Selection::All, soon()).unwrap();
    present(&watch);
    let fd = watch.fd().unwrap();
    let readable = |timeout_ms: i32| common::readable(fd, timeout_ms);
    assert!(!readable(0));
    let id = client.register("a", 1, b"", soon()).unwrap();
    assert!(readable(LIMIT.as_millis() as i32));
    next_is(&watch, WatchEventKind::Put, id);
    assert!(!readable(0));
    watch.close().unwrap();
    assert!(readable(0));
}

#[test]
fn beyond_its_limit_a_registry_refuses_a_watch_and_takes_one_again_when_another_ended() {
    let mut options = Options::default();
    options.registry_mut().set_max_watches(1).unwrap();
    let server = registry_with(&options);
    let client = client(&server.endpoint().unwrap());
    let first = client.watch(Selection::All, soon()).unwrap();
    present(&first);
    let refused = client.watch(Selection::All, soon()).err().unwrap();
    assert_eq!(refused.status(), Status::Limit);
    assert!(refused.text().contains("1 watches"), "{refused}");
    drop(first);
    // That it ended is on its way to the registry.
    let start = Instant::now();
    let third = loop {
        match client.watch(Selection::All, soon()) {
            Ok(third) => break third,
            Err(error) => assert_eq!(error.status(), Status::Limit),
        }
        assert!(start.elapsed() < LIMIT, "the first one is not forgotten");
    };
    assert!(present(&third).is_empty());
}

#[test]
fn a_registry_that_is_killed_and_started_again_is_no_news_but_who_died_meanwhile_is() {
    be_what_was_asked_for();
    const TEST: &str = "a_registry_that_is_killed_and_started_again_is_no_news_but_who_died_meanwhile_is";
    let endpoint = format!("tcp://127.0.0.1:{}", fixed_port());
    let process = registry_process(TEST, &endpoint);
    let mortal = service_process(TEST, &endpoint, "s.mortal", 1000);
    let keeper = client_with_lease(&endpoint, 1000);
    let lasting = keeper.register("s.lasting", 1, b"", soon()).unwrap();
    let observer = client(&endpoint);
    let watch = observer.watch(Selection::Prefix("s."), soon()).unwrap();
    let mut there = present(&watch);
    while there.len() < 2 {
        let event = next(&watch);
        assert_eq!(event.kind, WatchEventKind::Put);
        there.insert(event.instance.id, event.instance);
    }
    let (mortal_id, _) = there.iter().find(|(_, one)| one.name == "s.mortal").unwrap();
    process.signal(libc::SIGKILL);
    assert!(!process.wait(LIMIT).success());
    mortal.signal(libc::SIGKILL);
    assert!(!mortal.wait(LIMIT).success());
    let _process = registry_process(TEST, &endpoint);
    let start = Instant::now();
    next_is(&watch, WatchEventKind::Delete, *mortal_id);
    println!(
        "known to be gone {} ms after the registry's start",
        start.elapsed().as_millis()
    );
    // It might have come back.
    assert!(start.elapsed() > Duration::from_secs(2), "{:?}", start.elapsed());
    // The lasting one is not mentioned: the next thing that is, is what comes now.
    let new = keeper.register("s.new", 1, b"", soon()).unwrap();
    next_is(&watch, WatchEventKind::Put, new);
    keeper.unregister(lasting, soon()).unwrap();
    next_is(&watch, WatchEventKind::Delete, lasting);
}

#[test]
fn a_watch_goes_on_at_the_next_registry() {
    be_what_was_asked_for();
    const TEST: &str = "a_watch_goes_on_at_the_next_registry";
    let endpoints = [fixed_port(), fixed_port()].map(|port| format!("tcp://127.0.0.1:{port}"));
    let first = registry_process(TEST, &endpoints[0]);
    let all = endpoints.join(",");
    let observer = client(&all);
    let watch = observer.watch(Selection::All, soon()).unwrap();
    present(&watch);
    let _second = registry_process(TEST, &endpoints[1]);
    first.signal(libc::SIGKILL);
    let keeper = client(&endpoints[1]);
    let id = keeper.register("a", 1, b"", soon()).unwrap();
    next_is(&watch, WatchEventKind::Put, id);
}

#[test]
fn a_lease_that_ran_out_is_told_and_so_is_a_change_of_what_is_said() {
    let server = registry();
    let endpoint = server.endpoint().unwrap();
    let observer = client(&endpoint);
    let watch = observer.watch(Selection::Name("a"), soon()).unwrap();
    present(&watch);
    let request = Request::new(&endpoint, &Options::default()).unwrap();
    let mut register = dividere::proto::RegisterService {
        service_name: "a".to_owned(),
        server: "127.0.0.1".to_owned(),
        port: 1,
        instance: Some(5),
        lease_ms: Some(500),
        metadata: None,
    };
    for metadata in [None, Some(b"other".to_vec())] {
        register.metadata = metadata;
        let _: dividere::proto::Ack = request.call_as(&register, 20_000, 0).unwrap();
    }
    assert_eq!(next_is(&watch, WatchEventKind::Put, 5).metadata, b"");
    assert_eq!(next_is(&watch, WatchEventKind::Put, 5).metadata, b"other");
    let start = Instant::now();
    next_is(&watch, WatchEventKind::Delete, 5);
    println!(
        "told {} ms after it was registered for 500",
        start.elapsed().as_millis()
    );
}

#[test]
fn whoever_takes_no_events_for_long_is_told_what_came_of_it_and_costs_little_meanwhile() {
    let server = registry();
    let endpoint = server.endpoint().unwrap();
    let slow = client(&endpoint);
    let watch = slow.watch(Selection::All, soon()).unwrap();
    present(&watch);
    let request = Request::new(&endpoint, &Options::default()).unwrap();
    const CHANGES: u64 = 40_000;
    for change in 0..CHANGES {
        let register = dividere::proto::RegisterService {
            service_name: format!("name-{}", change % 2000),
            server: "127.0.0.1".to_owned(),
            port: 1 + (change / 2000) as u32,
            instance: Some(1 + change % 2000),
            lease_ms: Some(3_600_000),
            metadata: None,
        };
        let ack: dividere::proto::Ack = request.call_as(&register, 20_000, 0).unwrap();
        assert!(ack.ok);
    }
    let mut there = BTreeMap::new();
    let mut events = 0;
    while there.len() < 2000 || there.values().any(|port| *port != CHANGES / 2000) {
        let event = next(&watch);
        assert_eq!(event.kind, WatchEventKind::Put);
        there.insert(event.instance.id, u64::from(event.instance.port));
        events += 1;
    }
    println!("{CHANGES} changes came as {events} events");
    // Not each of them: the registry remembers no more than some.
    assert!(events < CHANGES / 4 * 3, "{events}");
}

/// Each answer takes its time, and there is always another such question: watchers have their turn all the same.
#[test]
fn whoever_asks_for_much_without_end_holds_up_no_watcher() {
    const AT_ONCE: usize = 16;
    let server = registry();
    let endpoint = server.endpoint().unwrap();
    let client = client(&endpoint);
    let watch = client.watch(Selection::All, soon()).unwrap();
    present(&watch);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (begun, begins) = mpsc::channel();
        let (over, endpoint) = (&over, &endpoint);
        let flood = scope.spawn(move || {
            let hostile = Dealer::new(&format!(">{endpoint}"), &Options::default()).unwrap();
            // As large as a request may be.
            let question = LeaseRequest {
                instances: vec![1; 130_000],
                release: false,
            };
            let mut asked = 0;
            let mut message = Message::new();
            while !over.load(Ordering::Acquire) {
                message.set(&question).unwrap();
                hostile.send_with_empty_frame(&mut message).unwrap();
                asked += 1;
                if asked > AT_ONCE {
                    hostile.recv_bytes(&mut message, soon()).unwrap();
                    // Nobody hears it any more at the end.
                    let _nobody_waits = begun.send(());
                }
            }
            asked
        });
        let begins = begins.recv_timeout(LIMIT);
        let start = Instant::now();
        let told: Vec<_> = (1..=5)
            .map(|port| {
                let id = client.register("a", port, b"", soon())?;
                watch.recv(soon()).map(|event| (id, event.instance.id))
            })
            .collect();
        let took = start.elapsed();
        over.store(true, Ordering::Release);
        let asked = flood.join().unwrap();
        begins.unwrap();
        for one in told {
            let (registered, seen) = one.unwrap();
            assert_eq!(registered, seen);
        }
        println!(
            "five changes were told in {} ms, beside {asked} large questions",
            took.as_millis()
        );
        assert!(took < LIMIT, "{took:?}");
    });
}

#[test]
fn the_state_of_a_hundred_thousand_names_is_told_completely() {
    let server = registry();
    let endpoint = server.endpoint().unwrap();
    const NAMES: usize = 100_000;
    fill(&endpoint, NAMES);
    let client = client(&endpoint);
    let start = Instant::now();
    let watch = client.watch(Selection::Prefix("name-"), soon()).unwrap();
    assert_eq!(present(&watch).len(), NAMES);
    println!("told of {NAMES} in {} ms", start.elapsed().as_millis());
}
