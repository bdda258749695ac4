//! At the limits of the machine and of patience: descriptors that run out under connections, handles that come and go by
//! the thousand, subscribers that stand still, subscriptions by the thousand.

mod common;

use std::collections::HashSet;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use common::{
    address, alone, bytes, dealers, next_event, process_cpu_time, role, soon, typed, Process, LIMIT, TRANSPORTS,
};
use dividere::connection::events::EventKind;
use dividere::{Channel, Dealer, Filter, Message, Options, Publisher, Request, Response, Subscriber};

fn open_descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Memory that the process has in use, in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn limit_descriptors(count: u64) {
    let limit = libc::rlimit {
        rlim_cur: count,
        rlim_max: count,
    };
    // SAFETY: the input lives through the call.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) }, 0);
}

fn exchange(from: &dyn Channel, to: &dyn Channel) {
    from.send(&mut bytes(b"1")).unwrap();
    let mut message = Message::new();
    to.recv_bytes(&mut message, soon()).unwrap();
    assert_eq!(message.bytes(), b"1");
}

fn receive_text(channel: &dyn Channel) -> String {
    let mut message = Message::new();
    channel.recv_bytes(&mut message, soon()).unwrap();
    String::from_utf8(message.bytes().to_vec()).unwrap()
}

/// `ulimit -n 64`, and a hundred peers at the door.
#[test]
fn connections_beyond_the_descriptors_are_told_of_and_cost_nothing() {
    const TEST: &str = "connections_beyond_the_descriptors_are_told_of_and_cost_nothing";
    if let Some((endpoint, control)) = role() {
        limit_descriptors(64);
        let server = Dealer::new(&endpoint, &Options::new()).unwrap();
        let control = Dealer::new(&control, &Options::new()).unwrap();
        control
            .send(&mut bytes(server.last_endpoint().unwrap().as_bytes()))
            .unwrap();
        let failed = next_event(&server.events(), EventKind::AcceptFailed);
        assert_eq!(failed.code, libc::EMFILE, "{failed}");
        // Nothing turns in circles while they wait.
        const WATCHED: Duration = Duration::from_millis(500);
        let (before, begin) = (process_cpu_time(), Instant::now());
        std::thread::sleep(WATCHED);
        let spent = process_cpu_time() - before;
        assert!(spent < begin.elapsed() / 10, "{spent:?} of {:?}", begin.elapsed());
        control.send(&mut bytes(b"refused")).unwrap();
        assert_eq!(receive_text(&control), "gone");
        assert_eq!(receive_text(&server), "1");
        return;
    }
    for transport in ["tcp", "ipc"] {
        let control = Dealer::new("@tcp://127.0.0.1:*", &Options::new()).unwrap();
        let server = Process::start(TEST, &common::endpoint(transport), &address(&control));
        let at = receive_text(&control);
        let crowd: Vec<OwnedFd> = (0..100)
            .map(|_| match at.strip_prefix("ipc://") {
                Some(path) => UnixStream::connect(path).unwrap().into(),
                None => TcpStream::connect(at.trim_start_matches("tcp://")).unwrap().into(),
            })
            .collect();
        assert_eq!(receive_text(&control), "refused");
        drop(crowd);
        control.send(&mut bytes(b"gone")).unwrap();
        let peer = Dealer::new(&format!(">{at}"), &Options::new()).unwrap();
        peer.send(&mut bytes(b"1")).unwrap();
        server.succeeds();
    }
}

/// Opens and closes `count` handles of every role, each used once; several at a time, as programs do.
fn come_and_go(count: usize) {
    const HANDLES: usize = 6;
    let mut message = Message::new();
    for round in 0..count.div_ceil(HANDLES) {
        let transport = TRANSPORTS[round % TRANSPORTS.len()];
        let (left, right) = dealers(transport, &Options::new());
        exchange(&left, &right);
        let publisher = Publisher::new(&common::endpoint(transport), &Options::new()).unwrap();
        let subscriber = Subscriber::new(&address(&publisher), Filter::Types(&["a.A"]), &Options::new()).unwrap();
        publisher.wait_for_subscribers(Some("a.A"), 1, soon()).unwrap();
        publisher.send(&mut typed("a.A", b"1")).unwrap();
        subscriber.recv(&mut message, soon()).unwrap();
        let response = Response::new(&common::endpoint(transport), &Options::new()).unwrap();
        let request = Request::new(&address(&response), &Options::new()).unwrap();
        request.send(&mut typed("a.A", b"1")).unwrap();
        response.recv(&mut message, soon()).unwrap();
        response.send(&mut typed("a.A", b"1")).unwrap();
        request.recv(&mut message, soon()).unwrap();
    }
}

fn handles_leave_nothing_behind(count: usize) {
    // Every handle that leaked its socket alone would cost 3 KiB, and a descriptor.
    const NOISE_KIB: u64 = 1500;
    come_and_go(300);
    let (descriptors, memory) = (open_descriptors(), resident());
    come_and_go(count);
    // What libzmq closes in the background is closed a moment later.
    let deadline = Instant::now() + LIMIT;
    loop {
        let (descriptors_now, memory_now) = (open_descriptors(), resident());
        if descriptors_now <= descriptors && memory_now <= memory + NOISE_KIB {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "{descriptors} descriptors and {memory} KiB before {count} handles, {descriptors_now} and {memory_now} after"
        );
        std::thread::yield_now();
    }
}

#[test]
fn a_thousand_handles_leave_nothing_behind() {
    alone("a_thousand_handles_leave_nothing_behind", || {
        handles_leave_nothing_behind(1000)
    });
}

#[test]
#[ignore = "takes a while: make soak"]
fn ten_thousand_handles_leave_nothing_behind() {
    alone("ten_thousand_handles_leave_nothing_behind", || {
        handles_leave_nothing_behind(10_000)
    });
}

#[test]
fn a_stopped_subscriber_holds_up_neither_its_publisher_nor_others() {
    const TEST: &str = "a_stopped_subscriber_holds_up_neither_its_publisher_nor_others";
    // A stopped peer counts as slow, not as gone.
    let mut patient = Options::new();
    patient.set_heartbeat_interval_ms(0).unwrap();
    if let Some((_, argument)) = role() {
        let (at, control) = argument.split_once(' ').unwrap();
        let subscriber = Subscriber::new(at, Filter::All, &patient).unwrap();
        let control = Dealer::new(control, &Options::new()).unwrap();
        let mut message = Message::new();
        while message.bytes() != b"last" {
            subscriber.recv_bytes(&mut message, soon()).unwrap();
            if message.bytes() == b"first" {
                control.send(&mut bytes(b"received")).unwrap();
            }
        }
        return;
    }
    const MESSAGES: u32 = 20_000;
    let publisher = Publisher::new("tcp://127.0.0.1:*", &patient).unwrap();
    let at = publisher.last_endpoint().unwrap();
    let control = Dealer::new("@tcp://127.0.0.1:*", &Options::new()).unwrap();
    let stopped = Process::start(TEST, "subscribe", &format!("{at} {}", address(&control)));
    let good = Subscriber::new(&at, Filter::All, &patient).unwrap();
    publisher.wait_for_subscribers(None, 2, soon()).unwrap();
    publisher.send(&mut bytes(b"first")).unwrap();
    assert_eq!(receive_text(&control), "received");
    assert_eq!(receive_text(&good), "first");
    stopped.signal(libc::SIGSTOP);
    let mut message = Message::new();
    let mut slowest = Duration::ZERO;
    for number in 0..MESSAGES {
        let mut content = [0; 1024];
        content[..4].copy_from_slice(&number.to_be_bytes());
        let begin = Instant::now();
        publisher.send(&mut bytes(&content)).unwrap();
        slowest = slowest.max(begin.elapsed());
        good.recv_bytes(&mut message, soon()).unwrap();
        assert_eq!(message.bytes()[..4], number.to_be_bytes());
    }
    assert!(slowest < LIMIT / 4, "{slowest:?}");
    let statistics = publisher.statistics().unwrap();
    assert_eq!((statistics.peers, statistics.subscribers), (2, 2));
    // Neither this process's queue nor the kernel's took all that.
    assert!(statistics.dropped_queue_full > 1000, "{statistics:?}");
    stopped.signal(libc::SIGCONT);
    // It reads on, so that there is room again.
    let mut finished = stopped;
    let deadline = Instant::now() + 2 * LIMIT;
    let status = loop {
        publisher.send(&mut bytes(b"last")).unwrap();
        good.recv_bytes(&mut message, soon()).unwrap();
        match finished.wait_a_little() {
            Ok(status) => break status,
            Err(running) => finished = running,
        }
        assert!(Instant::now() < deadline);
    };
    assert!(status.success(), "{status}");
}

#[test]
fn thousands_of_subscriptions_all_arrive_also_after_a_restart() {
    const TYPES: usize = 2000;
    let names: Vec<String> = (0..TYPES).map(|number| format!("acme.Type{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for transport in TRANSPORTS {
        let mut publisher = Publisher::new(&common::endpoint(transport), &Options::new()).unwrap();
        let at = publisher.last_endpoint().unwrap();
        // Half of them before it connects, and half afterwards.
        let (before, after) = names.split_at(TYPES / 2);
        let subscriber = Subscriber::new(&format!(">{at}"), Filter::Types(before), &Options::new()).unwrap();
        after.iter().for_each(|name| subscriber.subscribe_type(name).unwrap());
        for _ in 0..2 {
            let mut missing: HashSet<&str> = names.iter().copied().collect();
            for name in &names {
                publisher.wait_for_subscribers(Some(name), 1, soon()).unwrap();
            }
            let mut message = Message::new();
            // No more at once than the queues hold.
            for some in names.chunks(500) {
                some.iter()
                    .for_each(|name| publisher.send(&mut typed(name, b"")).unwrap());
                for _ in some {
                    subscriber.recv(&mut message, soon()).unwrap();
                    assert!(missing.remove(message.type_name().unwrap()));
                }
            }
            assert!(missing.is_empty());
            publisher.close().unwrap();
            publisher = Publisher::new(&at, &Options::new()).unwrap();
        }
    }
}
