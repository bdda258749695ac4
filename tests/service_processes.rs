//! Services in processes of their own, killed and stopped under load: each call has an answer, and the others go on.

mod common;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::registry::{client_with_lease, fixed_port};
use common::{role, soon, typed, Process, LIMIT, LIMIT_MS};
use dividere::{
    Channel, Message, Options, RegistryClient, RegistryServer, Service, ServiceClient, ServiceSettings, Status,
};

const NAME: &str = "acme.Echo";
const ASK: &str = "acme.Ask";
/// Beyond what a busy machine holds a process up for: who is late is gone.
const LEASE_MS: i64 = 3000;

/// To be called first: in a process that shall be a service it does not return.
fn be_what_was_asked_for() {
    let Some((role, endpoints)) = role() else { return };
    // SAFETY: no pointers. Whoever is left alone, ends.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    match role.as_str() {
        "registry" => {
            let _server = RegistryServer::new(&endpoints, &Options::default()).unwrap();
            loop {
                std::thread::park();
            }
        }
        "service" => {}
        other => panic!("no role {other}"),
    }
    let registry = Arc::new(client_with_lease(&endpoints, LEASE_MS));
    let settings = ServiceSettings {
        endpoint: Some("tcp://127.0.0.1:*".to_owned()),
        workers: 2,
        metadata: std::process::id().to_string().into_bytes(),
        ..ServiceSettings::default()
    };
    let service = Service::new(NAME, &registry, &Options::default(), &settings).unwrap();
    let answer = |request: &mut Message, reply: &mut Message| {
        let payload = request.payload();
        reply.prepare("acme.Told", payload.len())?.copy_from_slice(payload);
        Ok(())
    };
    service.set_handler(Some(ASK), Some(Arc::new(answer))).unwrap();
    service.start(soon()).unwrap();
    loop {
        std::thread::park();
    }
}

fn wait_for(client: &ServiceClient, instances: usize) -> Duration {
    let start = Instant::now();
    while client.instances().unwrap().len() != instances {
        assert!(start.elapsed() < LIMIT, "{:?}", client.instances().unwrap());
        // A service client tells of calls, and not of its instances.
        std::thread::sleep(Duration::from_millis(2));
    }
    start.elapsed()
}

/// Two services in processes, of which one gets `signal` while four threads call. Returns the statuses of the calls that
/// failed.
fn under_load(test: &str, signal: i32, timeout_ms: i64, repeat: bool) -> Vec<Status> {
    let server = RegistryServer::new("tcp://127.0.0.1:*", &Options::default()).unwrap();
    let endpoint = server.last_endpoint().unwrap();
    let victim = Process::start(test, "service", &endpoint);
    let _stays = Process::start(test, "service", &endpoint);
    let registry = Arc::new(client_with_lease(&endpoint, LEASE_MS));
    let client = ServiceClient::new(NAME, &registry, &Options::default()).unwrap();
    wait_for(&client, 2);
    client.wait_for_service(soon()).unwrap();
    let (served, over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let go_on = |calls: usize| {
        let (before, start) = (served.load(Ordering::Acquire), Instant::now());
        while served.load(Ordering::Acquire) < before + calls {
            assert!(start.elapsed() < LIMIT, "the calls do not go on");
            std::thread::yield_now();
        }
    };
    std::thread::scope(|scope| {
        let callers: Vec<_> = (0..4u8)
            .map(|caller| {
                let (client, served, over) = (&client, &served, &over);
                scope.spawn(move || {
                    let mut failed = Vec::new();
                    let mut reply = Message::new();
                    while !over.load(Ordering::Acquire) {
                        let start = Instant::now();
                        match client.call(&mut typed(ASK, &[caller]), &mut reply, timeout_ms, repeat) {
                            Ok(()) => assert_eq!(reply.payload(), [caller]),
                            Err(error) => failed.push(error.status()),
                        }
                        // An error is an answer, but it has to come.
                        let limit = Duration::from_millis(timeout_ms as u64) + LIMIT / 2;
                        assert!(start.elapsed() < limit, "{:?}", start.elapsed());
                        served.fetch_add(1, Ordering::AcqRel);
                    }
                    failed
                })
            })
            .collect();
        go_on(200);
        victim.signal(signal);
        let noticed = wait_for(&client, 1);
        println!("signal {signal}: gone from the client after {noticed:?}");
        go_on(200);
        over.store(true, Ordering::Release);
        callers.into_iter().flat_map(|caller| caller.join().unwrap()).collect()
    })
}

#[test]
fn a_killed_instance_is_not_noticed_where_requests_may_be_repeated() {
    be_what_was_asked_for();
    let test = "a_killed_instance_is_not_noticed_where_requests_may_be_repeated";
    assert_eq!(under_load(test, libc::SIGKILL, LIMIT_MS, true), []);
}

#[test]
fn a_killed_instance_costs_the_calls_that_it_had_and_no_others() {
    be_what_was_asked_for();
    let test = "a_killed_instance_costs_the_calls_that_it_had_and_no_others";
    let failed = under_load(test, libc::SIGKILL, LIMIT_MS, false);
    assert!(failed.len() <= 4, "{failed:?}");
    assert!(failed.iter().all(|status| *status == Status::Unreachable), "{failed:?}");
}

#[test]
fn a_frozen_instance_is_not_noticed_where_requests_may_be_repeated() {
    be_what_was_asked_for();
    let test = "a_frozen_instance_is_not_noticed_where_requests_may_be_repeated";
    assert_eq!(under_load(test, libc::SIGSTOP, 2000, true), []);
}

#[test]
fn a_frozen_instance_ends_its_calls_by_its_heartbeats() {
    be_what_was_asked_for();
    let test = "a_frozen_instance_ends_its_calls_by_its_heartbeats";
    let failed = under_load(test, libc::SIGSTOP, 60_000, false);
    assert!(failed.len() <= 4, "{failed:?}");
    assert!(failed.iter().all(|status| *status == Status::Unreachable), "{failed:?}");
}

#[test]
fn a_registry_may_come_and_go() {
    be_what_was_asked_for();
    let test = "a_registry_may_come_and_go";
    let endpoint = format!("tcp://127.0.0.1:{}", fixed_port());
    let start_registry = || Process::start(test, "registry", &endpoint);
    let first = start_registry();
    let registry: Arc<RegistryClient> = Arc::new(client_with_lease(&endpoint, LEASE_MS));
    let _service = Process::start(test, "service", &endpoint);
    let client = ServiceClient::new(NAME, &registry, &Options::default()).unwrap();
    client.wait_for_service(soon()).unwrap();
    first.signal(libc::SIGKILL);
    first.wait(LIMIT);
    // Whoever is known is asked on.
    for _ in 0..100 {
        client
            .call(&mut typed(ASK, b""), &mut Message::new(), LIMIT_MS, false)
            .unwrap();
    }
    let _second = start_registry();
    let another = Process::start(test, "service", &endpoint);
    wait_for(&client, 2);
    another.signal(libc::SIGKILL);
    wait_for(&client, 1);
    client
        .call(&mut typed(ASK, b""), &mut Message::new(), LIMIT_MS, true)
        .unwrap();
}

/// A registry that stands still says nothing, and ends nothing: calls go on, and what comes is found by the next one.
#[test]
fn a_frozen_registry_is_left_for_the_next_and_no_call_fails() {
    be_what_was_asked_for();
    let test = "a_frozen_registry_is_left_for_the_next_and_no_call_fails";
    let endpoints = [(); 2].map(|()| format!("tcp://127.0.0.1:{}", fixed_port()));
    let frozen = Process::start(test, "registry", &endpoints[0]);
    client_with_lease(&endpoints[0], LEASE_MS)
        .wait_connected(soon())
        .unwrap();
    let both = endpoints.join(",");
    let _first = Process::start(test, "service", &both);
    let registry = Arc::new(client_with_lease(&both, LEASE_MS));
    let client = ServiceClient::new(NAME, &registry, &Options::default()).unwrap();
    client.wait_for_service(soon()).unwrap();
    let _next = Process::start(test, "registry", &endpoints[1]);
    client_with_lease(&endpoints[1], LEASE_MS)
        .wait_connected(soon())
        .unwrap();
    let (served, over) = (AtomicUsize::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let callers: Vec<_> = (0..4u8)
            .map(|caller| {
                let (client, served, over) = (&client, &served, &over);
                scope.spawn(move || {
                    let mut reply = Message::new();
                    while !over.load(Ordering::Acquire) {
                        // Not to be repeated: each one that is lost shows.
                        client.call(&mut typed(ASK, &[caller]), &mut reply, LIMIT_MS, false)?;
                        served.fetch_add(1, Ordering::AcqRel);
                    }
                    Ok::<(), dividere::Error>(())
                })
            })
            .collect();
        frozen.signal(libc::SIGSTOP);
        let _another = Process::start(test, "service", &both);
        let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| wait_for(&client, 2)));
        let (before, start) = (served.load(Ordering::Acquire), Instant::now());
        while served.load(Ordering::Acquire) < before + 200 && start.elapsed() < LIMIT {
            std::thread::yield_now();
        }
        over.store(true, Ordering::Release);
        for caller in callers {
            caller.join().unwrap().unwrap();
        }
        println!("found at the next registry after {:?}", found.unwrap());
    });
    assert!(served.load(Ordering::Acquire) > 200);
}
