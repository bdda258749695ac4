//! The address that a service advertises, over hosts: network namespaces of this machine, joined by veth pairs.
//! Skipped, aloud, where namespaces are not permitted.

mod common;

use std::process::{Command, Stdio};

use common::registry::wait_for_instances;
use common::{role, soon};
use dividere::{Options, RegistryClient, RegistryServer};

/// Runs a shell script as root of a user and network namespace of its own.
fn in_namespace(script: &str) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--net", "--mount", "sh", "-euc", script]);
    command
}

fn is_permitted() -> bool {
    let tried = in_namespace("mount -t tmpfs none /run; mkdir -p /run/netns; ip netns add probe; ip link set lo up")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .output();
    match tried {
        Ok(output) if output.status.success() => true,
        Ok(output) => {
            let why = String::from_utf8_lossy(&output.stderr).into_owned();
            eprintln!("SKIPPED: no network namespaces here: {}", why.trim());
            false
        }
        Err(error) => {
            eprintln!("SKIPPED: no network namespaces here: unshare: {error}");
            false
        }
    }
}

/// Three hosts: this one has the registry, `left` and `right` a service each. `left` has two interfaces; the one that
/// leads to the registry is not that of its default route.
const HOSTS: &str = "
    mount -t tmpfs none /run
    mkdir -p /run/netns
    ip link set lo up
    for host in left right; do
        ip netns add $host
        ip link add to-$host type veth peer name eth0 netns $host
        ip -n $host link set lo up
    done
    ip link add other type veth peer name eth1 netns left
    ip addr add 10.77.1.1/24 dev to-left
    ip addr add 10.77.2.1/24 dev to-right
    ip addr add 10.77.3.1/24 dev other
    ip link set to-left up
    ip link set to-right up
    ip link set other up
    ip -n left addr add 10.77.1.2/24 dev eth0
    ip -n left addr add 10.77.3.2/24 dev eth1
    ip -n left link set eth0 up
    ip -n left link set eth1 up
    ip -n left route add default via 10.77.3.1
    ip -n right addr add 10.77.2.2/24 dev eth0
    ip -n right link set eth0 up
";

const TEST: &str = "the_address_that_reaches_the_registry_is_advertised_and_never_loopback_where_there_is_another";

#[test]
fn the_address_that_reaches_the_registry_is_advertised_and_never_loopback_where_there_is_another() {
    match role()
        .as_ref()
        .map(|(role, argument)| (role.as_str(), argument.as_str()))
    {
        Some(("hosts", _)) => of_the_registry(),
        Some(("service", argument)) => of_a_service(argument),
        _ if !is_permitted() => {}
        _ => {
            // This test again, inside of the namespaces.
            let test = std::env::current_exe().unwrap();
            let again = format!(
                "{HOSTS}\nexec '{}' {TEST} --exact --nocapture --test-threads=1",
                test.display()
            );
            let ended = in_namespace(&again)
                .env("DIVIDERE_TEST_ROLE", "hosts")
                .status()
                .unwrap();
            assert!(ended.success(), "inside of the namespaces: {ended}");
        }
    }
}

/// Registers, and stays until it is killed.
fn of_a_service(argument: &str) {
    let (endpoint, name) = argument.split_once('|').unwrap();
    let client = RegistryClient::new(endpoint, &Options::default()).unwrap();
    client.register(name, 5101, b"", soon()).unwrap();
    loop {
        std::thread::park();
    }
}

struct Service(std::process::Child);

impl Service {
    /// On another host, or on this one.
    fn start(host: Option<&str>, endpoint: &str, name: &str) -> Service {
        let test = std::env::current_exe().unwrap();
        let arguments = [TEST, "--exact", "--nocapture", "--test-threads=1"];
        let mut command = match host {
            Some(host) => {
                let mut command = Command::new("ip");
                command.args(["netns", "exec", host]).arg(test);
                command
            }
            None => Command::new(test),
        };
        let child = command
            .args(arguments)
            .env("DIVIDERE_TEST_ROLE", "service")
            .env("DIVIDERE_TEST_ARGUMENT", format!("{endpoint}|{name}"))
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Service(child)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Both fail where it has ended already.
        let _ended = self.0.kill();
        let _ended = self.0.wait();
    }
}

fn of_the_registry() {
    let server = RegistryServer::new("tcp://*:5000", &Options::default()).unwrap();
    let local = RegistryClient::new("tcp://127.0.0.1:5000", &Options::default()).unwrap();
    let advertised = |host: Option<&str>, endpoint: &str, name: &str| {
        let service = Service::start(host, endpoint, name);
        let (found, _) = wait_for_instances(&local, name, 1);
        drop(service);
        found[0].endpoint()
    };
    // By the interface that leads to the registry, although the default route is another.
    assert_eq!(
        advertised(Some("left"), "tcp://10.77.1.1:5000", "left"),
        "tcp://10.77.1.2:5101"
    );
    assert_eq!(
        advertised(Some("left"), "tcp://10.77.3.1:5000", "left-other"),
        "tcp://10.77.3.2:5101"
    );
    assert_eq!(
        advertised(Some("right"), "tcp://10.77.2.1:5000", "right"),
        "tcp://10.77.2.2:5101"
    );
    // On the registry's own host: there is no default route yet, and nothing but loopback leads there.
    assert_eq!(
        advertised(None, "tcp://127.0.0.1:5000", "local"),
        "tcp://127.0.0.1:5101"
    );
    let routed = Command::new("ip")
        .args(["route", "add", "default", "via", "10.77.2.2"])
        .status()
        .unwrap();
    assert!(routed.success());
    assert_eq!(
        advertised(None, "tcp://127.0.0.1:5000", "local-routed"),
        "tcp://10.77.2.1:5101"
    );
    server.close().unwrap();
}
