//! `broker`, between `call` and workers that use the library.

use std::sync::Arc;

use dividere::{Message, Options, Worker};
use serde_json::json;

use crate::common::soon;
use crate::process::{run, run_with, words, Running};

fn upper_case() -> dividere::WorkerHandler {
    Arc::new(|request: &mut Message, reply: &mut Message| {
        let loud = request.bytes().to_ascii_uppercase();
        reply.prepare_bytes(loud.len())?.copy_from_slice(&loud);
        Ok(())
    })
}

#[test]
fn requests_are_shared_among_workers_and_counted() {
    let mut broker = Running::start(&words("broker tcp://127.0.0.1:* tcp://127.0.0.1:* --json"));
    let at = broker.json();
    let (front, back) = (at["front"].as_str().unwrap(), at["back"].as_str().unwrap());
    let workers: Vec<Worker> = (0..2)
        .map(|_| {
            let worker = Worker::new(back, &Options::new()).unwrap();
            worker.serve(upper_case()).unwrap();
            worker
        })
        .collect();
    let out = run_with(&["call", front, "--bytes", "-", "--text"], "one\ntwo\nthree\n").ok();
    assert_eq!(out, "ONE\nTWO\nTHREE\n");
    for worker in &workers {
        worker.stop(soon()).unwrap();
    }
    broker.signal(libc::SIGINT);
    let counts = broker.json();
    assert_eq!(
        (&counts["served"], &counts["queued"], &counts["refused"]),
        (&json!(3), &json!(0), &json!(0))
    );
    assert_eq!(broker.finish().ok(), "");
}

#[test]
fn beyond_the_queue_a_request_is_refused() {
    let line = "broker tcp://127.0.0.1:* tcp://127.0.0.1:* --statistics 10ms -o broker_queue_limit=0";
    let mut broker = Running::start(&words(line));
    let said = broker.line();
    let front = said.strip_prefix("clients at ").unwrap().split(',').next().unwrap();
    run(&["call", front, "--bytes", "x"]).failed(1, "BUSY");
    while !broker.line().contains("refused 1") {}
    assert_eq!(broker.interrupt().code, Some(0));
}
