//! A registry and its clients: names come, are found, and go again, whatever dies, stands still or sends nonsense.

mod common;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use common::registry::{
    be_what_was_asked_for, client, client_with, client_with_lease, fill, fixed_port, registry, registry_process,
    registry_with, service_process, wait_for_instances,
};
use common::{endpoint, role, soon, Process, LIMIT, TRANSPORTS};
use dividere::{
    Channel, Deadline, Dealer, KeyPair, Message, Options, RegistryClient, RegistryServer, Request, Selection, Status,
};

#[test]
fn what_is_registered_is_found_listed_and_gone_again_over_every_transport() {
    for transport in TRANSPORTS {
        let server = RegistryServer::new(&endpoint(transport), &Options::default()).unwrap();
        let client = client(&server.endpoint().unwrap());
        assert_eq!(client.lookup("a.b", soon()).unwrap_err().status(), Status::NotFound);
        let first = client.register("a.b", 5101, b"\0red", soon()).unwrap();
        let second = client.register("a.b", 5102, b"", soon()).unwrap();
        client.register("a.c", 5103, b"", soon()).unwrap();
        let found = client.lookup_all("a.b", soon()).unwrap();
        let ids: BTreeSet<u64> = found.iter().map(|instance| instance.id).collect();
        assert_eq!(ids, BTreeSet::from([first, second]), "over {transport}");
        let one = found.iter().find(|instance| instance.id == first).unwrap();
        assert_eq!(
            (
                one.endpoint().as_str(),
                one.metadata.as_slice(),
                one.lease_ms,
                one.revision
            ),
            ("tcp://127.0.0.1:5101", &b"\0red"[..], 3000, 1)
        );
        // They take turns.
        let ports: BTreeSet<u16> = (0..2).map(|_| client.lookup("a.b", soon()).unwrap().port).collect();
        assert_eq!(ports, BTreeSet::from([5101, 5102]));
        let listed = client.list("a.", soon()).unwrap();
        let names: Vec<&str> = listed.iter().map(|instance| instance.name.as_str()).collect();
        assert_eq!(names, ["a.b", "a.b", "a.c"]);
        client.unregister(first, soon()).unwrap();
        assert_eq!(client.unregister(first, soon()).unwrap_err().status(), Status::NotFound);
        assert_eq!(client.lookup("a.b", soon()).unwrap().id, second);
        // Closing takes out the rest.
        client.close().unwrap();
        assert_eq!(client.lookup("a.b", soon()).unwrap_err().status(), Status::Closed);
        assert_eq!(client.close().unwrap_err().status(), Status::Closed);
        let other = common::registry::client(&server.endpoint().unwrap());
        assert!(other.list("", soon()).unwrap().is_empty());
        server.close().unwrap();
        assert_eq!(server.close().unwrap_err().status(), Status::Closed);
    }
}

#[test]
fn a_registration_outlives_its_lease_as_long_as_its_client_lives() {
    let server = registry();
    let endpoint = server.endpoint().unwrap();
    let keeper = client_with_lease(&endpoint, 300);
    let id = keeper.register("kept", 1, b"", soon()).unwrap();
    let observer = client(&endpoint);
    let first = observer.lookup("kept", soon()).unwrap();
    let end = Instant::now() + Duration::from_millis(1500);
    while Instant::now() < end {
        // Never out, not even for a moment: its revision is still the first.
        assert_eq!(observer.lookup("kept", soon()).unwrap(), first);
    }
    assert_eq!(first.id, id);
}

#[test]
fn who_is_killed_disappears_with_its_lease_and_who_stands_still_comes_back() {
    be_what_was_asked_for();
    const TEST: &str = "who_is_killed_disappears_with_its_lease_and_who_stands_still_comes_back";
    const LEASE_MS: u32 = 600;
    let server = registry();
    let endpoint = server.endpoint().unwrap();
    let client = client(&endpoint);
    let killed = service_process(TEST, &endpoint, "mortal", LEASE_MS);
    let stopped = service_process(TEST, &endpoint, "sleeper", LEASE_MS);
    wait_for_instances(&client, "mortal", 1);
    let (before, _) = wait_for_instances(&client, "sleeper", 1);
    for (signal, process, name) in [(libc::SIGKILL, &killed, "mortal"), (libc::SIGSTOP, &stopped, "sleeper")] {
        process.signal(signal);
        let (_, after) = wait_for_instances(&client, name, 0);
        println!("signal {signal}: gone after {} ms", after.as_millis());
        // It had renewed a third of its lease ago at most.
        assert!(
            after >= Duration::from_millis(u64::from(LEASE_MS) / 2),
            "too early: {after:?}"
        );
    }
    stopped.signal(libc::SIGCONT);
    let (after, time) = wait_for_instances(&client, "sleeper", 1);
    println!("continued: back after {} ms", time.as_millis());
    assert_eq!(before[0].id, after[0].id);
}

#[test]
fn a_registry_that_is_killed_and_started_again_has_its_services_within_two_seconds() {
    be_what_was_asked_for();
    const TEST: &str = "a_registry_that_is_killed_and_started_again_has_its_services_within_two_seconds";
    let endpoint = format!("tcp://127.0.0.1:{}", fixed_port());
    let mut registry = registry_process(TEST, &endpoint);
    let keepers: Vec<RegistryClient> = (0..20).map(|_| client_with_lease(&endpoint, 3000)).collect();
    let ids: BTreeSet<u64> = keepers
        .iter()
        .map(|keeper| keeper.register("phoenix", 1, b"", soon()).unwrap())
        .collect();
    for away_ms in [0, 700] {
        registry.signal(libc::SIGKILL);
        assert!(!registry.wait(LIMIT).success());
        // For so long nobody answers.
        std::thread::sleep(Duration::from_millis(away_ms));
        registry = registry_process(TEST, &endpoint);
        let start = Instant::now();
        let (found, _) = wait_for_instances(&client(&endpoint), "phoenix", ids.len());
        println!(
            "away for {away_ms} ms: all back after {} ms",
            start.elapsed().as_millis()
        );
        assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
        assert_eq!(found.iter().map(|instance| instance.id).collect::<BTreeSet<u64>>(), ids);
    }
}

#[test]
fn a_registry_that_stood_still_for_longer_than_the_leases_loses_nobody() {
    be_what_was_asked_for();
    const TEST: &str = "a_registry_that_stood_still_for_longer_than_the_leases_loses_nobody";
    let endpoint = format!("tcp://127.0.0.1:{}", fixed_port());
    let registry = registry_process(TEST, &endpoint);
    let keeper = client_with_lease(&endpoint, 1000);
    keeper.register("steady", 1, b"", soon()).unwrap();
    let observer = client(&endpoint);
    let before = observer.lookup("steady", soon()).unwrap();
    registry.signal(libc::SIGSTOP);
    // Three leases long.
    std::thread::sleep(Duration::from_secs(3));
    registry.signal(libc::SIGCONT);
    let end = Instant::now() + Duration::from_secs(2);
    while Instant::now() < end {
        // The same revision: it was never out.
        assert_eq!(observer.lookup("steady", soon()).unwrap(), before);
    }
}

#[test]
fn with_several_registries_the_next_one_takes_over_from_a_dead_and_from_a_silent_one() {
    be_what_was_asked_for();
    const TEST: &str = "with_several_registries_the_next_one_takes_over_from_a_dead_and_from_a_silent_one";
    let endpoints: Vec<String> = (0..3).map(|_| format!("tcp://127.0.0.1:{}", fixed_port())).collect();
    let mut registries: Vec<Process> = endpoints
        .iter()
        .map(|endpoint| registry_process(TEST, endpoint))
        .collect();
    let all = endpoints.join(",");
    // Only by its silence can it notice the one that stands still, and not by the transport's heartbeats.
    let mut deaf = Options::default();
    deaf.set_heartbeat_interval_ms(0).unwrap();
    let keeper = client_with(&all, 600, deaf);
    let id = keeper.register("nomad", 1, b"", soon()).unwrap();
    let observers: Vec<RegistryClient> = endpoints.iter().map(|endpoint| client(endpoint)).collect();
    let place = |among: &[usize]| -> usize {
        let start = Instant::now();
        loop {
            for at in among {
                if observers[*at].lookup("nomad", soon()).is_ok_and(|found| found.id == id) {
                    println!("at registry {at} after {} ms", start.elapsed().as_millis());
                    return *at;
                }
            }
            assert!(start.elapsed() < LIMIT, "it is at none of {among:?}");
        }
    };
    let first = place(&[0, 1, 2]);
    registries[first].signal(libc::SIGKILL);
    let left: Vec<usize> = (0..3).filter(|at| *at != first).collect();
    let second = place(&left);
    registries[second].signal(libc::SIGSTOP);
    let last = *left.iter().find(|at| **at != second).unwrap();
    // Whoever asks meanwhile is answered, too.
    let asked = Instant::now();
    let found = client(&all).lookup_all("nomad", Deadline::after(LIMIT)).unwrap();
    println!(
        "asked while one is silent: {} after {} ms",
        found.len(),
        asked.elapsed().as_millis()
    );
    place(&[last]);
    registries[second].signal(libc::SIGCONT);
    registries.clear();
}

/// It goes away with a question, and is back at once: nobody waits for the other one, which is not there at all.
#[test]
fn what_was_lost_with_a_registry_is_asked_again_when_that_is_back_though_another_one_is_away() {
    let (away, at) = (fixed_port(), fixed_port());
    let at = format!("tcp://127.0.0.1:{at}");
    let dying = Dealer::new(&format!("@{at}"), &Options::default()).unwrap();
    let client = client(&format!("tcp://127.0.0.1:{away},{at}"));
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| {
            let start = Instant::now();
            (client.lookup("nobody", soon()), start.elapsed())
        });
        let question = dying.recv_bytes(&mut Message::new(), soon());
        dying.close().unwrap();
        let _back = RegistryServer::new(&at, &Options::default()).unwrap();
        let (outcome, took) = asked.join().unwrap();
        question.unwrap();
        assert_eq!(outcome.unwrap_err().status(), Status::NotFound);
        assert!(took < LIMIT / 2, "{took:?}");
    });
}

#[test]
fn what_a_registry_refuses_when_it_is_back_keeps_nothing_else_away() {
    let at = format!("tcp://127.0.0.1:{}", fixed_port());
    let first = RegistryServer::new(&at, &Options::default()).unwrap();
    let keeper = client(&at);
    // More than are registered again in one turn, in front of the others and behind them.
    for port in 1..=1040 {
        let (name, told): (_, &[u8]) = match port % 26 {
            0 => ("modest", b""),
            _ => ("talkative", b"too long for the next one"),
        };
        keeper.register(name, port, told, soon()).unwrap();
    }
    first.close().unwrap();
    let mut narrow = Options::default();
    narrow.registry_mut().set_max_metadata_bytes(4).unwrap();
    let _second = RegistryServer::new(&at, &narrow).unwrap();
    let observer = client(&at);
    wait_for_instances(&observer, "modest", 40);
    assert!(observer.lookup_all("talkative", soon()).unwrap().is_empty());
}

#[test]
fn where_no_registry_is_every_call_ends_in_time_and_close_at_once() {
    let endpoint = format!("tcp://127.0.0.1:{}", fixed_port());
    let lonely = client(&endpoint);
    let start = Instant::now();
    let limit = || Deadline::after(Duration::from_millis(100));
    assert_eq!(lonely.lookup("a", limit()).unwrap_err().status(), Status::Timeout);
    assert_eq!(
        lonely.register("a", 1, b"", limit()).unwrap_err().status(),
        Status::Timeout
    );
    assert_eq!(lonely.list("", limit()).unwrap_err().status(), Status::Timeout);
    assert_eq!(
        lonely.lookup("a", Deadline::Now).unwrap_err().status(),
        Status::WouldBlock
    );
    assert!(start.elapsed() >= Duration::from_millis(300));
    // A caller without a limit is woken by close.
    std::thread::scope(|scope| {
        let blocked = scope.spawn(|| lonely.lookup("a", Deadline::Never).unwrap_err().status());
        std::thread::sleep(Duration::from_millis(20));
        let start = Instant::now();
        lonely.close().unwrap();
        assert!(
            start.elapsed() < Duration::from_secs(5),
            "close took {:?}",
            start.elapsed()
        );
        assert_eq!(blocked.join().unwrap(), Status::Closed);
    });
}

#[test]
fn what_is_beyond_the_limits_is_refused_with_the_reason() {
    let mut options = Options::default();
    let limits = options.registry_mut();
    limits.set_max_instances_per_name(2).unwrap();
    limits.set_max_metadata_bytes(8).unwrap();
    limits.set_lease_max_ms(5000).unwrap();
    let server = registry_with(&options);
    let endpoint = server.endpoint().unwrap();
    let client = client(&endpoint);
    let too_much = client.register("a", 1, &[0; 9], soon()).unwrap_err();
    assert_eq!(too_much.status(), Status::Limit);
    assert!(too_much.text().contains("at most 8"), "{too_much}");
    for _ in 0..2 {
        client.register("a", 1, b"", soon()).unwrap();
    }
    assert_eq!(
        client.register("a", 1, b"", soon()).unwrap_err().status(),
        Status::Limit
    );
    let too_long = client_with_lease(&endpoint, 5001)
        .register("b", 1, b"", soon())
        .unwrap_err();
    assert_eq!(too_long.status(), Status::Limit);
    for name in ["", "a\u{7}", &"n".repeat(256)] {
        assert_eq!(
            client.register(name, 1, b"", soon()).unwrap_err().status(),
            Status::InvalidArgument
        );
    }
    assert_eq!(
        client.register("a", 0, b"", soon()).unwrap_err().status(),
        Status::InvalidArgument
    );
    assert_eq!(client.lookup_all("a", soon()).unwrap().len(), 2);
    // Options that mean nothing to a role are refused, not ignored.
    assert_eq!(
        Request::new(&endpoint, &options).err().map(|error| error.status()),
        Some(Status::InvalidArgument)
    );
}

#[test]
fn nonsense_is_answered_with_an_error_and_serves_nobody_worse() {
    let server = registry();
    let endpoint = server.endpoint().unwrap();
    let client = client(&endpoint);
    client.register("steady", 1, b"", soon()).unwrap();
    let request = Request::new(&endpoint, &Options::default()).unwrap();
    let mut reply = Message::new();
    let mut ask = |mut nonsense: Message| request.call(&mut nonsense, &mut reply, 20_000, 0).unwrap_err().status();
    assert_eq!(ask(Message::from_bytes(b"").unwrap()), Status::Decode);
    assert_eq!(ask(Message::from_bytes(&[0xff; 1000]).unwrap()), Status::Decode);
    assert_eq!(ask(common::typed("acme.Unheard", b"")), Status::Type);
    for known in [
        "RegisterService",
        "ServiceLookupReq",
        "dividere.v1.LeaseRequest",
        "dividere.v1.ListRequest",
    ] {
        assert_eq!(ask(common::typed(known, &[0xff; 100])), Status::Decode, "{known}");
    }
    // Without a way back, with too many frames, and with routes that lead nowhere.
    let dealer = Dealer::new(&format!(">{endpoint}"), &Options::default()).unwrap();
    let routes: [&[&str]; 4] = [&[], &["x"], &["", "", ""], &["x", "", "y"]];
    for route in routes {
        let route: Vec<&[u8]> = route.iter().map(|part| part.as_bytes()).collect();
        dealer
            .send_routed(&route, &mut Message::from_bytes(b"nonsense").unwrap())
            .unwrap();
    }
    assert_eq!(client.lookup("steady", soon()).unwrap().port, 1);
    // Two had no way back; the other two are answered with an error.
    let mut answer = Message::new();
    for _ in 0..2 {
        dealer.recv(&mut answer, soon()).unwrap();
        assert_eq!(answer.type_name(), Some("dividere.v1.Error"));
    }
    assert_eq!(server.statistics().unwrap().dropped_malformed, 4);
}

#[test]
fn whoever_reads_no_answers_holds_up_nobody() {
    let server = registry();
    let endpoint = server.endpoint().unwrap();
    let client = client(&endpoint);
    client.register("steady", 1, &[7; 4096], soon()).unwrap();
    // Asks, and never reads: the answers fill its queues and the registry's.
    let mut options = Options::default();
    options.set_receive_high_water_mark(1).unwrap();
    let glutton = Dealer::new(&format!(">{endpoint}"), &options).unwrap();
    let question = dividere::proto::ServiceLookupReq {
        service_name: "steady".to_owned(),
        most: Some(0),
    };
    let deadline = Instant::now() + LIMIT;
    let mut asked = 0;
    while server.statistics().unwrap().dropped_queue_full == 0 {
        let mut message = Message::new();
        message.set(&question).unwrap();
        glutton.send_with_empty_frame(&mut message).unwrap();
        asked += 1;
        assert!(Instant::now() < deadline, "{asked} answers did not fill its queue");
    }
    let start = Instant::now();
    assert_eq!(client.lookup("steady", soon()).unwrap().port, 1);
    println!(
        "answered after {asked} unread ones in {} ms",
        start.elapsed().as_millis()
    );
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_hundred_thousand_names_are_listed_completely_and_in_order() {
    let server = registry();
    let endpoint = server.endpoint().unwrap();
    const NAMES: usize = 100_000;
    fill(&endpoint, NAMES);
    let client = client(&endpoint);
    let start = Instant::now();
    let all = client.list("", soon()).unwrap();
    println!("listed {} in {} ms", all.len(), start.elapsed().as_millis());
    assert_eq!(all.len(), NAMES);
    for (number, instance) in all.iter().enumerate() {
        assert_eq!(instance.name, format!("name-{number:06}"));
    }
    assert_eq!(client.list("name-0999", soon()).unwrap().len(), 100);
    assert_eq!(client.lookup("name-099999", soon()).unwrap().id, 100_000);
}

#[test]
fn in_a_forked_child_it_is_forked_and_the_parent_goes_on() {
    if role().is_none() {
        return common::alone(
            "in_a_forked_child_it_is_forked_and_the_parent_goes_on",
            in_a_forked_child_it_is_forked_and_the_parent_goes_on,
        );
    }
    let server = registry();
    let client = client_with_lease(&server.endpoint().unwrap(), 300);
    client.register("parent", 1, b"", soon()).unwrap();
    // SAFETY: the child uses handles only, and ends without unwinding.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let forked = |status: Status| status == Status::Forked;
        let well = client.lookup("parent", soon()).is_err_and(|e| forked(e.status()))
            && client.close().is_err_and(|e| forked(e.status()))
            && server.close().is_err_and(|e| forked(e.status()));
        drop(client);
        drop(server);
        // SAFETY: no arguments of ours are used any more.
        unsafe { libc::_exit(if well { 0 } else { 1 }) };
    }
    let mut status = -1;
    // SAFETY: our own child; the output lives through the call.
    assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
    assert_eq!(status, 0, "the child's handles did not say FORKED");
    let end = Instant::now() + Duration::from_millis(900);
    while Instant::now() < end {
        assert_eq!(client.lookup("parent", soon()).unwrap().port, 1);
    }
}

#[test]
fn two_thousand_services_of_one_client_are_back_after_a_restart_and_stay() {
    be_what_was_asked_for();
    const TEST: &str = "two_thousand_services_of_one_client_are_back_after_a_restart_and_stay";
    const SERVICES: usize = 2000;
    let endpoint = format!("tcp://127.0.0.1:{}", fixed_port());
    let registry = registry_process(TEST, &endpoint);
    let keeper = client_with_lease(&endpoint, 1000);
    for number in 0..SERVICES {
        keeper.register(&format!("many-{number:04}"), 1, b"", soon()).unwrap();
    }
    registry.signal(libc::SIGKILL);
    assert!(!registry.wait(LIMIT).success());
    let _registry = registry_process(TEST, &endpoint);
    let observer = client(&endpoint);
    let start = Instant::now();
    let count = || observer.list("many-", soon()).unwrap().len();
    while count() < SERVICES {
        assert!(start.elapsed() < LIMIT, "only {} are back", count());
    }
    println!("{SERVICES} are back after {} ms", start.elapsed().as_millis());
    let revision = |name: &str| observer.lookup(name, soon()).unwrap().revision;
    let before = (revision("many-0000"), revision("many-1999"));
    let end = Instant::now() + Duration::from_millis(2500);
    while Instant::now() < end {
        assert_eq!((revision("many-0000"), revision("many-1999")), before);
    }
}

#[test]
fn a_registry_with_keys_answers_those_that_it_lets_in_and_a_refused_client_is_told_so() {
    let (server_keys, friend, stranger) = (
        KeyPair::generate().unwrap(),
        KeyPair::generate().unwrap(),
        KeyPair::generate().unwrap(),
    );
    let mut options = Options::default();
    options.set_curve_server_secret_key(server_keys.secret).unwrap();
    options.add_allowed_key(friend.public);
    let server = registry_with(&options);
    let endpoint = server.endpoint().unwrap();
    let client_with = |keys: KeyPair| {
        let mut options = Options::default();
        options.set_curve_server_public_key(server_keys.public);
        options.set_curve_client_secret_key(keys.secret).unwrap();
        options.registry_mut().set_advertise("127.0.0.1").unwrap();
        RegistryClient::new(&endpoint, &options).unwrap()
    };
    let let_in = client_with(friend);
    let id = let_in.register("secret", 1, b"", soon()).unwrap();
    assert_eq!(let_in.lookup("secret", soon()).unwrap().id, id);
    let watch = let_in.watch(Selection::All, soon()).unwrap();
    assert_eq!(watch.recv(soon()).unwrap().instance.id, id);
    let refused = client_with(stranger).lookup("secret", soon()).unwrap_err();
    assert_eq!(refused.status(), Status::Permission);
    // Without keys it is nobody.
    let limit = Deadline::after(Duration::from_secs(2));
    assert!(client(&endpoint).lookup("secret", limit).is_err());
}

#[test]
fn a_client_cannot_have_one_identity_for_its_several_connections() {
    let mut options = Options::default();
    options.set_identity("me").unwrap();
    let refused = RegistryClient::new("tcp://127.0.0.1:5000", &options).err().unwrap();
    assert_eq!(refused.status(), Status::InvalidArgument);
    assert!(refused.text().contains("identity"), "{refused}");
}
