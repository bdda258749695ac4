//! Workers and brokers that are killed (SIGKILL) and stopped (SIGSTOP) under load, as processes of their own: how soon that
//! is noticed, and that no request stays without an answer, of which an error is one.

mod common;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::{role, soon, typed, Process, LIMIT};
use dividere::{Broker, BrokerSide, Deadline, Message, Options, Request, Worker};

const HEARTBEAT: Duration = Duration::from_millis(1000);
/// What a busy machine may add to any time.
const SLACK: Duration = Duration::from_millis(1500);
/// Of each call of a client, and far beyond what one takes.
const CALL_MS: i64 = 10_000;

fn options(capacity: Option<i64>) -> Options {
    let mut options = Options::new();
    options
        .balancing_mut()
        .set_heartbeat_ms(HEARTBEAT.as_millis() as i64)
        .unwrap();
    if let Some(capacity) = capacity {
        options.balancing_mut().set_capacity(capacity).unwrap();
    }
    options
}

fn broker() -> Broker {
    Broker::new("tcp://127.0.0.1:*", "tcp://127.0.0.1:*", &options(None)).unwrap()
}

/// One that would notice a silent worker only after a minute.
fn patient_broker() -> Broker {
    let mut options = Options::new();
    options.balancing_mut().set_heartbeat_ms(30_000).unwrap();
    Broker::new("tcp://127.0.0.1:*", "tcp://127.0.0.1:*", &options).unwrap()
}

fn front(broker: &Broker) -> String {
    broker.last_endpoint(BrokerSide::Front).unwrap()
}

/// So many workers, for the brokers behind the argument. Ends by being killed, or with its parent.
fn serve(workers: usize, capacity: i64, back: &str) {
    let _workers: Vec<Worker> = (0..workers)
        .map(|_| {
            let worker = Worker::new(back, &options(Some(capacity))).unwrap();
            worker
                .serve(Arc::new(|request, reply| {
                    std::thread::sleep(Duration::from_millis(2));
                    let payload = request.payload().to_vec();
                    reply.prepare("a.Reply", payload.len())?.copy_from_slice(&payload);
                    Ok(())
                }))
                .unwrap();
            worker
        })
        .collect();
    // SAFETY: no pointers. A parent that dies takes us along.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    loop {
        std::thread::park();
    }
}

/// A broker at the two endpoints of the argument.
fn broke(ends: &str) {
    let (front, back) = ends.split_once(' ').unwrap();
    let _broker = Broker::new(front, back, &options(None)).unwrap();
    // SAFETY: as above.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    loop {
        std::thread::park();
    }
}

/// Plays what this process was started for. False in the test itself.
fn plays_a_role() -> bool {
    match role() {
        Some((name, argument)) => {
            match name.as_str() {
                "worker" => serve(1, 2, &argument),
                "workers" => serve(5, 1, &argument),
                "broker" => broke(&argument),
                other => panic!("no role {other}"),
            }
            true
        }
        None => false,
    }
}

/// What clients that ask one after the other met.
#[derive(Default)]
struct Met {
    answers: AtomicU64,
    wrong: AtomicU64,
    errors: Mutex<BTreeMap<&'static str, u64>>,
    longest: Mutex<Duration>,
    stop: AtomicBool,
}

impl Met {
    fn ask(&self, client: usize, request: &Request, timeout_ms: i64, retries: u32) {
        let mut reply = Message::new();
        let mut number = 0u64;
        while !self.stop.load(Ordering::Acquire) {
            number += 1;
            let question = [client.to_be_bytes(), number.to_be_bytes()].concat();
            let begun = Instant::now();
            match request.call(&mut typed("a.Question", &question), &mut reply, timeout_ms, retries) {
                Ok(()) if reply.payload() == question => self.answers.fetch_add(1, Ordering::AcqRel),
                Ok(()) => self.wrong.fetch_add(1, Ordering::AcqRel),
                Err(error) => {
                    *self.errors.lock().unwrap().entry(error.status().name()).or_default() += 1;
                    0
                }
            };
            let mut longest = self.longest.lock().unwrap();
            *longest = longest.max(begun.elapsed());
        }
    }

    /// Waits for that many more answers.
    fn await_answers(&self, more: u64) {
        let wanted = self.answers.load(Ordering::Acquire) + more;
        until(|| self.answers.load(Ordering::Acquire) >= wanted);
    }

    fn errors(&self) -> BTreeMap<&'static str, u64> {
        self.errors.lock().unwrap().clone()
    }

    fn take_longest(&self) -> Duration {
        std::mem::take(&mut self.longest.lock().unwrap())
    }
}

/// Stops the clients at the end of a scope, also of one that ends by a panic.
struct Stop<'a>(&'a Met);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.stop.store(true, Ordering::Release);
    }
}

fn under_load(at: &str, clients: usize, timeout_ms: i64, retries: u32, body: impl FnOnce(&Met)) -> Met {
    let met = Met::default();
    std::thread::scope(|scope| {
        let _stop = Stop(&met);
        for client in 0..clients {
            let met = &met;
            scope.spawn(move || {
                let request = Request::new(at, &Options::new()).unwrap();
                met.ask(client, &request, timeout_ms, retries);
            });
        }
        body(&met);
    });
    assert_eq!(met.wrong.load(Ordering::Acquire), 0, "an answer to another question");
    met
}

/// The time until it is so.
fn until(is_so: impl Fn() -> bool) -> Duration {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < LIMIT, "it did not happen");
        std::thread::sleep(Duration::from_millis(1));
    }
    begun.elapsed()
}

/// An address of ipc, whose file goes with this: who is killed leaves it.
struct Address(String);

impl Address {
    fn new() -> Self {
        Address(common::endpoint("ipc"))
    }

    fn to_connect(&self) -> String {
        self.0.replace('@', ">")
    }
}

impl Drop for Address {
    fn drop(&mut self) {
        let path = self.0.trim_start_matches("@ipc://");
        // Not there where its broker was stopped before it was ready, or ended by itself.
        if std::fs::remove_file(path).is_err() {
            assert!(!std::path::Path::new(path).exists(), "{path} stays");
        }
    }
}

fn workers(broker: &Broker) -> u64 {
    broker.statistics().unwrap().workers
}

#[test]
fn a_killed_worker_is_noticed_and_what_may_be_repeated_is_answered() {
    const TEST: &str = "a_killed_worker_is_noticed_and_what_may_be_repeated_is_answered";
    if plays_a_role() {
        return;
    }
    let broker = patient_broker();
    let back = broker.last_endpoint(BrokerSide::Back).unwrap();
    let start = || Process::start(TEST, "worker", &back);
    let mut processes: Vec<Process> = (0..3).map(|_| start()).collect();
    broker.wait_workers(3, soon()).unwrap();
    let met = under_load(&front(&broker), 12, CALL_MS, 1, |met| {
        for _ in 0..5 {
            met.await_answers(100);
            let victim = processes.remove(0);
            victim.signal(libc::SIGKILL);
            let noticed = until(|| workers(&broker) < 3);
            println!("killed: noticed after {noticed:?}");
            assert!(noticed < SLACK, "noticed after {noticed:?}");
            met.await_answers(20);
            processes.push(start());
            broker.wait_workers(3, soon()).unwrap();
        }
    });
    assert_eq!(met.errors(), BTreeMap::new());
    let longest = met.take_longest();
    assert!(longest < 2 * SLACK, "a call took {longest:?}");
    let counts = broker.statistics().unwrap();
    assert!(counts.retried > 0, "nobody was killed while it worked: {counts:?}");
    assert_eq!((counts.failed, counts.expired), (0, 0), "{counts:?}");
}

#[test]
fn a_stopped_worker_is_noticed_within_two_heartbeats_and_welcome_when_it_goes_on() {
    const TEST: &str = "a_stopped_worker_is_noticed_within_two_heartbeats_and_welcome_when_it_goes_on";
    if plays_a_role() {
        return;
    }
    let broker = broker();
    let back = broker.last_endpoint(BrokerSide::Back).unwrap();
    let processes: Vec<Process> = (0..3).map(|_| Process::start(TEST, "worker", &back)).collect();
    broker.wait_workers(3, soon()).unwrap();
    let met = under_load(&front(&broker), 12, CALL_MS, 1, |met| {
        for victim in &processes {
            met.await_answers(100);
            victim.signal(libc::SIGSTOP);
            let noticed = until(|| workers(&broker) < 3);
            println!("stopped: noticed after {noticed:?}");
            assert!(noticed < 2 * HEARTBEAT + SLACK, "noticed after {noticed:?}");
            met.await_answers(20);
            victim.signal(libc::SIGCONT);
            let returned = until(|| workers(&broker) == 3);
            println!("goes on: back after {returned:?}");
            assert!(returned < 2 * HEARTBEAT + SLACK, "back after {returned:?}");
        }
    });
    assert_eq!(met.errors(), BTreeMap::new());
    let longest = met.take_longest();
    assert!(longest < 2 * HEARTBEAT + SLACK, "a call took {longest:?}");
    let counts = broker.statistics().unwrap();
    assert!(counts.retried > 0 && counts.late > 0, "{counts:?}");
    assert_eq!((counts.failed, counts.expired), (0, 0), "{counts:?}");
}

#[test]
fn what_may_not_be_repeated_is_answered_with_an_error_and_the_rest_goes_on() {
    const TEST: &str = "what_may_not_be_repeated_is_answered_with_an_error_and_the_rest_goes_on";
    if plays_a_role() {
        return;
    }
    let broker = broker();
    let back = broker.last_endpoint(BrokerSide::Back).unwrap();
    let mut processes: Vec<Process> = (0..3).map(|_| Process::start(TEST, "worker", &back)).collect();
    broker.wait_workers(3, soon()).unwrap();
    let met = under_load(&front(&broker), 12, CALL_MS, 0, |met| {
        for signal in [libc::SIGKILL, libc::SIGSTOP] {
            met.await_answers(100);
            let victim = processes.remove(0);
            victim.signal(signal);
            until(|| broker.statistics().unwrap().failed > 0 && workers(&broker) < 3);
            met.await_answers(20);
            processes.push(Process::start(TEST, "worker", &back));
            broker.wait_workers(3, soon()).unwrap();
            met.await_answers(20);
            drop(victim);
        }
    });
    let failed = broker.statistics().unwrap().failed;
    // Each worker has two at once.
    assert!((2..=4).contains(&failed), "{failed}");
    assert_eq!(met.errors(), BTreeMap::from([("UNREACHABLE", failed)]));
    let longest = met.take_longest();
    assert!(longest < 2 * HEARTBEAT + SLACK, "a call took {longest:?}");
    assert_eq!(broker.statistics().unwrap().retried, 0);
}

#[test]
fn clients_and_workers_go_on_when_a_killed_broker_is_back() {
    const TEST: &str = "clients_and_workers_go_on_when_a_killed_broker_is_back";
    if plays_a_role() {
        return;
    }
    // ipc, so that the addresses stay ours in between.
    let (front, back) = (Address::new(), Address::new());
    let ends = format!("{} {}", front.0, back.0);
    let mut broker = Process::start(TEST, "broker", &ends);
    let _workers: Vec<Process> = (0..2)
        .map(|_| Process::start(TEST, "worker", &back.to_connect()))
        .collect();
    let met = under_load(&front.to_connect(), 8, 1000, 20, |met| {
        for _ in 0..4 {
            met.await_answers(100);
            broker.signal(libc::SIGKILL);
            broker = Process::start(TEST, "broker", &ends);
            let begun = Instant::now();
            met.await_answers(50);
            println!("killed and started again: answers after {:?}", begun.elapsed());
        }
    });
    assert_eq!(met.errors(), BTreeMap::new());
}

#[test]
fn with_two_brokers_one_may_be_killed_or_stopped_and_no_call_fails() {
    const TEST: &str = "with_two_brokers_one_may_be_killed_or_stopped_and_no_call_fails";
    if plays_a_role() {
        return;
    }
    for signal in [libc::SIGKILL, libc::SIGSTOP] {
        let stays = broker();
        let (front_at, back_at) = (Address::new(), Address::new());
        let victim = Process::start(TEST, "broker", &format!("{} {}", front_at.0, back_at.0));
        let backs = format!(
            "{},{}",
            stays.last_endpoint(BrokerSide::Back).unwrap(),
            back_at.to_connect()
        );
        let fronts = format!("{},{}", front(&stays), front_at.to_connect());
        let _workers: Vec<Process> = (0..2).map(|_| Process::start(TEST, "worker", &backs)).collect();
        stays.wait_workers(2, soon()).unwrap();
        let met = under_load(&fronts, 8, 1000, 20, |met| {
            let waiting = Request::new(&front_at.to_connect(), &Options::new()).unwrap();
            let mut reply = Message::new();
            waiting
                .call(&mut typed("a.Question", b"x"), &mut reply, CALL_MS, 5)
                .unwrap();
            met.await_answers(200);
            victim.signal(signal);
            met.await_answers(500);
        });
        assert_eq!(met.errors(), BTreeMap::new());
        println!("signal {signal}: the longest call took {:?}", met.take_longest());
    }
}

/// `make soak`: a minute of 200 clients and 50 workers in ten processes, which are killed and stopped all the time.
#[test]
#[ignore = "takes a minute: make soak"]
fn soak_nothing_is_lost_while_workers_die() {
    const TEST: &str = "soak_nothing_is_lost_while_workers_die";
    if plays_a_role() {
        return;
    }
    const PROCESSES: usize = 10;
    let seconds = std::env::var("DIVIDERE_SOAK_S").map_or(60, |s| s.parse().unwrap());
    let broker = broker();
    let back = broker.last_endpoint(BrokerSide::Back).unwrap();
    let start = || Process::start(TEST, "workers", &back);
    let mut processes: Vec<Process> = (0..PROCESSES).map(|_| start()).collect();
    broker.wait_workers(50, soon()).unwrap();
    let end = Instant::now() + Duration::from_secs(seconds);
    let (mut kills, mut stops) = (0, 0);
    let met = under_load(&front(&broker), 200, 3 * CALL_MS, 3, |met| {
        while Instant::now() < end {
            met.await_answers(500);
            let victim = processes.remove(0);
            if kills <= stops {
                kills += 1;
                victim.signal(libc::SIGKILL);
                drop(victim);
                until(|| workers(&broker) <= 45);
                processes.push(start());
            } else {
                stops += 1;
                victim.signal(libc::SIGSTOP);
                until(|| workers(&broker) <= 45);
                victim.signal(libc::SIGCONT);
                processes.push(victim);
            }
            broker.wait_workers(50, Deadline::after(3 * LIMIT)).unwrap();
        }
    });
    let counts = broker.statistics().unwrap();
    println!(
        "{} answers, {kills} kills, {stops} stops, the longest call {:?}: {counts:?}",
        met.answers.load(Ordering::Acquire),
        met.take_longest()
    );
    assert_eq!(met.errors(), BTreeMap::new(), "{counts:?}");
    assert!(kills > 0 && stops > 0 && counts.retried > 0, "{counts:?}");
    assert_eq!((counts.failed, counts.refused, counts.expired), (0, 0, 0), "{counts:?}");
}
