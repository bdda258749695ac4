//! `perf`: its figures belong together, and neither side outlives the other.

use std::time::{Duration, Instant};

use dividere::{Channel, Options, Response};
use serde_json::Value;

use crate::common::{bytes, LIMIT};
use crate::process::{run, wait_for_thread, words, Running};

/// The thread that counts what is published, where something is measured.
const COUNTING: &str = "dividere-perf";

const QUICK: &str = "--duration 150ms --json";

fn f64_of(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("no number: {value}"))
}

/// The figures of one size belong together, and are those of a machine that works.
fn plausible(throughput: &Value, round_trip: &Value, size: u64) {
    assert_eq!(
        (&throughput["measure"], &throughput["size"]),
        (&"throughput".into(), &size.into())
    );
    let (messages, seconds) = (f64_of(&throughput["messages"]), f64_of(&throughput["seconds"]));
    assert!(
        messages >= 64.0 && seconds > 0.0 && seconds < LIMIT.as_secs_f64(),
        "{throughput}"
    );
    let rate = f64_of(&throughput["messages_per_second"]);
    assert!((rate - messages / seconds).abs() <= 1.0, "{throughput}");
    assert!(
        (f64_of(&throughput["bytes_per_second"]) - rate * size as f64).abs() <= size as f64,
        "{throughput}"
    );

    assert_eq!(
        (&round_trip["measure"], &round_trip["size"]),
        (&"round_trip".into(), &size.into())
    );
    let us = |name: &str| f64_of(&round_trip["microseconds"][name]);
    let rising: Vec<f64> = ["min", "p50", "p90", "p99", "p99.9", "max"].map(us).to_vec();
    assert!(rising.windows(2).all(|pair| pair[0] <= pair[1]), "{round_trip}");
    // No round trip between processes takes less than a microsecond.
    assert!(
        rising[0] > 1.0 && us("mean") >= rising[0] && us("mean") <= rising[5],
        "{round_trip}"
    );
    // One after another: together they take the time of the measurement.
    let sum = us("mean") * f64_of(&round_trip["calls"]) / 1e6;
    let seconds = f64_of(&round_trip["seconds"]);
    assert!(sum <= seconds && sum >= seconds / 10.0, "{sum} s of {round_trip}");
}

#[test]
fn both_sides_on_this_machine_over_each_transport() {
    for transport in ["tcp", "ipc"] {
        let told = run(&words(&format!("perf --size 16,2000 --transport {transport} {QUICK}"))).json();
        assert_eq!(told.len(), 4);
        plausible(&told[0], &told[1], 16);
        plausible(&told[2], &told[3], 2000);
    }
}

#[test]
fn people_get_a_line_for_each_measurement() {
    let out = run(&words("perf --duration 50ms --hwm 10 --linger 10ms")).ok();
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.len(), 2, "{out}");
    assert!(
        lines[0].starts_with("throughput") && lines[0].contains("messages/s"),
        "{out}"
    );
    assert!(
        lines[1].starts_with("round trip") && lines[1].contains("us median"),
        "{out}"
    );
}

#[test]
fn one_side_serves_many_measurements_and_ends_with_ctrl_c() {
    let mut serving = Running::start(&words("perf --serve tcp://127.0.0.1:* --json"));
    let at = serving.json()["endpoint"].as_str().unwrap().to_owned();
    for only in ["throughput", "round-trip", "throughput"] {
        let told = run(&words(&format!("perf {at} --only {only} {QUICK}"))).json();
        assert_eq!(told.len(), 1);
        assert_eq!(told[0]["measure"].as_str().unwrap(), only.replace('-', "_"));
    }
    let finished = serving.interrupt();
    assert_eq!((finished.code, finished.err.as_str()), (Some(0), ""));
}

#[test]
fn whoever_vanishes_in_the_middle_does_not_end_the_other_side() {
    let mut serving = Running::start(&words("perf --serve tcp://127.0.0.1:* --json"));
    let at = serving.json()["endpoint"].as_str().unwrap().to_owned();
    let running = Running::start(&words(&format!("perf {at} --only throughput --duration 1h")));
    serving.wait_for_thread(COUNTING);
    running.signal(libc::SIGKILL);
    assert_eq!(running.finish().code, None);
    let told = run(&words(&format!("perf {at} --only throughput {QUICK}"))).json();
    assert!(f64_of(&told[0]["messages"]) >= 64.0);
    serving.interrupt().ok();
}

#[test]
fn ctrl_c_ends_a_measurement_and_the_other_side_with_it() {
    for signal in [libc::SIGINT, libc::SIGKILL] {
        let running = Running::start(&words("perf --duration 1h"));
        let other = child_of(&running);
        wait_for_thread(other, COUNTING);
        running.signal(signal);
        let finished = running.finish();
        if signal == libc::SIGINT {
            finished.failed(1, "CANCELLED");
        }
        // Whoever takes over its children may leave it as a zombie.
        let deadline = Instant::now() + LIMIT;
        while std::fs::read_to_string(format!("/proc/{other}/cmdline")).is_ok_and(|line| line.contains("perf")) {
            assert!(Instant::now() < deadline, "the other side goes on");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

#[test]
fn another_program_is_told_from_the_other_side() {
    let response = std::sync::Arc::new(Response::new("tcp://127.0.0.1:*", &Options::new()).unwrap());
    let at = response.last_endpoint().unwrap();
    let own = std::sync::Arc::clone(&response);
    let server = std::thread::spawn(move || {
        let mut message = dividere::Message::new();
        while own.recv_bytes(&mut message, dividere::Deadline::Never).is_ok() {
            message.reply(&mut bytes(b"what?")).unwrap();
        }
    });
    run(&["perf", &at]).failed(1, "is no `dividere perf --serve`");
    run(&["perf", &at, "--only", "round-trip"]).failed(1, "is no `dividere perf --serve`");
    response.close().unwrap();
    server.join().unwrap();
}

/// The process that a command has started.
fn child_of(running: &Running) -> u32 {
    let deadline = Instant::now() + LIMIT;
    loop {
        let children = format!("/proc/{0}/task/{0}/children", running.id());
        if let Some(child) = std::fs::read_to_string(children)
            .unwrap_or_default()
            .split_whitespace()
            .next()
        {
            return child.parse().unwrap();
        }
        assert!(Instant::now() < deadline, "no process was started");
        std::thread::sleep(Duration::from_millis(2));
    }
}
