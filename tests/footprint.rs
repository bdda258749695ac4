//! What a handle costs its host in threads and descriptors is what docs/architecture.md says ("What the host sees"); its
//! signals and its terminal are left alone.

mod common;

use std::collections::BTreeSet;

use common::{address, endpoint, role, soon, Process};
use dividere::{
    Broker, Channel, Deadline, Dealer, Filter, Options, Proxy, ProxyKind, Publisher, Reactor, Subscriber, Worker,
};

fn descriptors() -> usize {
    // Without the one that lists them.
    std::fs::read_dir("/proc/self/fd").unwrap().count() - 1
}

fn threads() -> BTreeSet<u64> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    tasks
        .map(|task| task.unwrap().file_name().to_str().unwrap().parse().unwrap())
        .collect()
}

/// The signals that have a handler, and those that are ignored.
fn signals() -> Vec<String> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let lines = status
        .lines()
        .filter(|line| line.starts_with("SigCgt") || line.starts_with("SigIgn"));
    lines.map(str::to_owned).collect()
}

/// What there was before, and what is to be there.
struct Seen {
    threads: usize,
    descriptors: usize,
}

impl Seen {
    /// So many more than before: the far end of a connection, and the end of a thread, come a moment later.
    fn more(&mut self, what: &str, threads_more: isize, descriptors_more: isize) {
        self.threads = self.threads.checked_add_signed(threads_more).unwrap();
        self.descriptors = self.descriptors.checked_add_signed(descriptors_more).unwrap();
        let deadline: Deadline = soon();
        loop {
            let now = (threads().len(), descriptors());
            if now == (self.threads, self.descriptors) {
                return;
            }
            let expected = (self.threads, self.descriptors);
            assert!(
                !deadline.is_over(),
                "{what}: {now:?} threads and descriptors, and not {expected:?}"
            );
            std::thread::yield_now();
        }
    }
}

#[test]
fn threads_and_descriptors_are_as_many_as_documented() {
    if role().is_none() {
        return Process::start("threads_and_descriptors_are_as_many_as_documented", "count", "").succeeds();
    }
    let options = Options::new();
    let signals_before = signals();
    let threads_before = threads();
    let mut seen = Seen {
        threads: threads_before.len(),
        descriptors: descriptors(),
    };
    let first = Publisher::new(&endpoint("inproc"), &options).unwrap();
    seen.more("the process, and a handle", 3, 7 + 4);
    let subscriber = Subscriber::new(&address(&first), Filter::All, &options).unwrap();
    seen.more("a handle", 0, 4);
    for transport in ["tcp", "ipc"] {
        let bound = Dealer::new(&endpoint(transport), &options).unwrap();
        seen.more("a handle and its listener", 0, 4 + 1);
        let connected = Dealer::new(&address(&bound), &options).unwrap();
        bound.wait_connected(1, soon()).unwrap();
        connected.wait_connected(1, soon()).unwrap();
        seen.more("a handle, and both ends of its connection", 0, 4 + 2);
        bound.fd().unwrap();
        seen.more("the descriptor to wait at", 0, 1);
        drop((connected, bound));
        seen.more("all that again", 0, -(4 + 1 + 4 + 2 + 1));
    }
    let reactor = Reactor::new().unwrap();
    seen.more("a reactor", 0, 2);
    reactor.start("dividere-test").unwrap();
    seen.more("that runs", 1, 0);
    let proxy = Proxy::new(
        ProxyKind::RequestResponse,
        &endpoint("inproc"),
        &endpoint("inproc"),
        None,
        &options,
    )
    .unwrap();
    seen.more("a proxy", 1, 2 * 4 + 3);
    let back = endpoint("inproc");
    let broker = Broker::new(&endpoint("inproc"), &back, &options).unwrap();
    seen.more("a broker", 1, 2 * 4 + 4);
    let worker = Worker::new(back.trim_start_matches('@'), &options).unwrap();
    seen.more("a worker", 1, 2 * 4);
    for task in threads().difference(&threads_before) {
        let name = std::fs::read_to_string(format!("/proc/self/task/{task}/comm")).unwrap();
        assert!(name.starts_with("dividere"), "a thread is called {name}");
    }
    assert_eq!(signals(), signals_before);
    drop((worker, broker, proxy, reactor, subscriber, first));
    seen.more("nothing but the process", -4, -(8 + 12 + 11 + 2 + 4 + 4));
}
