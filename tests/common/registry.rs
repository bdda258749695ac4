//! Registries, and services that register, in processes of their own that can be killed and stopped.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use dividere::proto::{Ack, RegisterService};
use dividere::{Instance, Options, RegistryClient, RegistryServer, Request};

use super::{role, soon, Process, LIMIT};

/// A port that nobody listens at, outside of the range that connections take theirs from: it stays free while a
/// registry is away.
pub fn fixed_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    loop {
        // Two each: a registry publishes on the port after that of its requests.
        let number = std::process::id() as u16 % 997 * 20 + NEXT.fetch_add(2, Ordering::Relaxed) % 20;
        let port = 10_000 + number;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() && TcpListener::bind(("127.0.0.1", port + 1)).is_ok() {
            return port;
        }
    }
}

/// A registry on a free port, in this process.
pub fn registry() -> RegistryServer {
    registry_with(&Options::default())
}

pub fn registry_with(options: &Options) -> RegistryServer {
    RegistryServer::new("tcp://127.0.0.1:*", options).unwrap()
}

pub fn client(endpoints: &str) -> RegistryClient {
    client_with_lease(endpoints, 3000)
}

/// Its services are on 127.0.0.1.
pub fn client_with_lease(endpoints: &str, lease_ms: i64) -> RegistryClient {
    client_with(endpoints, lease_ms, Options::default())
}

/// The same, with other options beside.
pub fn client_with(endpoints: &str, lease_ms: i64, mut options: Options) -> RegistryClient {
    options.registry_mut().set_lease_ms(lease_ms).unwrap();
    options.registry_mut().set_advertise("127.0.0.1").unwrap();
    RegistryClient::new(endpoints, &options).unwrap()
}

/// To be called first in a test that starts such processes: in one of them it does not return.
pub fn be_what_was_asked_for() {
    let Some((role, argument)) = role() else { return };
    // SAFETY: no pointers. Whoever is left alone, ends.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    match role.as_str() {
        "registry" => {
            let _server = RegistryServer::new(&argument, &Options::default()).unwrap();
            wait_for_ever();
        }
        "service" => {
            let [endpoints, name, lease_ms] = argument.split('|').collect::<Vec<_>>()[..] else {
                panic!("a service of '{argument}'");
            };
            let client = client_with_lease(endpoints, lease_ms.parse().unwrap());
            let pid = std::process::id().to_string();
            client.register(name, 7, pid.as_bytes(), soon()).unwrap();
            wait_for_ever();
        }
        "alone" => {}
        other => panic!("no role {other}"),
    }
}

fn wait_for_ever() -> ! {
    loop {
        std::thread::park();
    }
}

/// A registry at this endpoint, in a process of its own. Returns when it answers.
pub fn registry_process(test: &str, endpoint: &str) -> Process {
    let process = Process::start(test, "registry", endpoint);
    client(endpoint).wait_connected(soon()).unwrap();
    process
}

pub fn service_process(test: &str, endpoints: &str, name: &str, lease_ms: u32) -> Process {
    Process::start(test, "service", &format!("{endpoints}|{name}|{lease_ms}"))
}

/// Registers so many names, `name-000000` and on, with numbers from 1 up: by hand, with leases that last.
pub fn fill(endpoint: &str, names: usize) {
    const CLIENTS: usize = 8;
    std::thread::scope(|scope| {
        for part in 0..CLIENTS {
            scope.spawn(move || {
                let request = Request::new(endpoint, &Options::default()).unwrap();
                for number in (part..names).step_by(CLIENTS) {
                    let register = RegisterService {
                        service_name: format!("name-{number:06}"),
                        server: "127.0.0.1".to_owned(),
                        port: 1,
                        instance: Some(number as u64 + 1),
                        lease_ms: Some(3_600_000),
                        metadata: None,
                    };
                    let ack: Ack = request.call_as(&register, 20_000, 0).unwrap();
                    assert!(ack.ok);
                }
            });
        }
    });
}

/// Asks until there are so many instances of the name. Returns them, and how long that took.
pub fn wait_for_instances(client: &RegistryClient, name: &str, count: usize) -> (Vec<Instance>, Duration) {
    let start = Instant::now();
    loop {
        let found = client.lookup_all(name, soon()).unwrap();
        if found.len() == count {
            return (found, start.elapsed());
        }
        assert!(
            start.elapsed() < LIMIT,
            "{count} of '{name}' are wanted, there are {found:?}"
        );
        // What others register can be seen only by asking now and then.
        std::thread::sleep(Duration::from_millis(2));
    }
}
