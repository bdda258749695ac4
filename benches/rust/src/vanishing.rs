//! From the death of a process until it is told of: `dividere-bench vanishing ROLE ...`:
//!
//! service SIGNAL LEASE_MS        a service registers with a lease of that time; prints the nanoseconds from the signal
//!                                to it until a watch tells that it is gone
//! worker SIGNAL HEARTBEAT_MS     a worker of a broker with that heartbeat; until the broker knows it no more
//! be-service REGISTRY LEASE_MS, be-worker BACK     such a process
//!
//! SIGNAL is KILL, or STOP for one that freezes.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use dividere::{
    Broker, BrokerSide, Deadline, Options, RegistryClient, RegistryServer, Selection, WatchEventKind, Worker,
};

const AT: &str = "tcp://127.0.0.1:*";
const LIMIT: Duration = Duration::from_secs(60);

pub fn run(arguments: &[String]) {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let number = |word: &str| word.parse::<i64>().expect("a number");
    match words.as_slice() {
        ["service", signal, lease_ms] => service(signal, lease_ms),
        ["worker", signal, heartbeat_ms] => worker(signal, number(heartbeat_ms)),
        ["be-service", registry, lease_ms] => be_service(registry, number(lease_ms)),
        ["be-worker", back] => {
            let _worker = Worker::new(back, &Options::new()).expect("an endpoint");
            wait_for_ever();
        }
        other => panic!("not {other:?}"),
    }
}

fn wait_for_ever() -> ! {
    loop {
        std::thread::park();
    }
}

/// A process that is ended, whatever happens.
struct Victim(Child);

impl Victim {
    fn start(words: &[&str]) -> Victim {
        let own = std::env::current_exe().expect("it runs");
        let mut command = Command::new(own);
        command.arg("vanishing").args(words).stdin(Stdio::null());
        Victim(command.spawn().expect("a process"))
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill")
            .args(["-s", signal, &self.0.id().to_string()])
            .status();
        assert!(sent.expect("kill is there").success());
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        // Both fail where it has ended already.
        let _ended = self.0.kill();
        let _ended = self.0.wait();
    }
}

fn be_service(registry: &str, lease_ms: i64) -> ! {
    let mut options = Options::new();
    options.registry_mut().set_lease_ms(lease_ms).expect("a lease");
    options.registry_mut().set_advertise("127.0.0.1").expect("a host");
    let client = RegistryClient::new(registry, &options).expect("an endpoint");
    let registered = client.register("acme.victim", 1, b"", Deadline::after(LIMIT));
    registered.expect("a registry");
    wait_for_ever();
}

fn service(signal: &str, lease_ms: &str) {
    let server = RegistryServer::new(AT, &Options::new()).expect("free ports");
    let at = server.endpoint().expect("it is bound");
    let client = RegistryClient::new(&at, &Options::new()).expect("an endpoint");
    let watch = client
        .watch(Selection::All, Deadline::after(LIMIT))
        .expect("a registry");
    let victim = Victim::start(&["be-service", &at, lease_ms]);
    let until = |kind| {
        while watch.recv(Deadline::after(LIMIT)).expect("an event").kind != kind {}
    };
    until(WatchEventKind::Put);
    let begun = Instant::now();
    victim.signal(signal);
    until(WatchEventKind::Delete);
    println!("{}", begun.elapsed().as_nanos());
}

fn worker(signal: &str, heartbeat_ms: i64) {
    let mut options = Options::new();
    options
        .balancing_mut()
        .set_heartbeat_ms(heartbeat_ms)
        .expect("in range");
    let broker = Broker::new(AT, AT, &options).expect("free ports");
    let victim = Victim::start(&["be-worker", &broker.last_endpoint(BrokerSide::Back).expect("bound")]);
    broker.wait_workers(1, Deadline::after(LIMIT)).expect("a worker");
    let begun = Instant::now();
    victim.signal(signal);
    while broker.statistics().expect("it is open").workers > 0 {
        assert!(begun.elapsed() < LIMIT, "it is still there");
        // A broker does not tell of it.
        std::thread::sleep(Duration::from_micros(200));
    }
    println!("{}", begun.elapsed().as_nanos());
}
