//! From the host of an endpoint to the addresses worth connecting to.
//!
//! libzmq takes the first address that a name has and stays with it. A peer that is bound to
//! IPv4 only is then never reached where the hosts file gives `localhost` as ::1 first, so we
//! look names up ourselves and give all addresses, IPv4 first.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};

use super::endpoint::{Endpoint, Transport};
use crate::error::{Error, Result, Status};

/// The endpoints to connect to, in libzmq's form, the best one first; never empty.
///
/// Numeric addresses, ipc and inproc are given back as they are. `localhost` is always 127.0.0.1,
/// then ::1. Other names are asked of the system, which may take as long as its resolver waits
/// for an answer: not to be called with a lock held. Without `ipv6`, only IPv4 addresses count.
/// UNREACHABLE when a name has no address, ENDPOINT when the endpoint cannot be connected to.
pub fn candidates(endpoint: &Endpoint, ipv6: bool) -> Result<Vec<String>> {
    endpoint.check_connect()?;
    let Transport::Tcp { host, port, source } = endpoint.transport() else {
        return Ok(vec![endpoint.to_zmq()]);
    };
    if is_numeric(host) {
        if host.starts_with('[') && !ipv6 {
            return Err(unreachable(
                endpoint,
                "it is an IPv6 address, and the option ipv6 is off",
            ));
        }
        return Ok(vec![endpoint.to_zmq()]);
    }
    let source = match source {
        Some(source) => format!("{source};"),
        None => String::new(),
    };
    let found =
        addresses(host).map_err(|error| unreachable(endpoint, &format!("looking up '{host}' failed: {error}")))?;
    let ordered = in_order(found, ipv6);
    if ordered.is_empty() {
        let kind = if ipv6 { "" } else { "IPv4 " };
        return Err(unreachable(endpoint, &format!("'{host}' has no {kind}address")));
    }
    Ok(ordered
        .iter()
        .map(|host| format!("tcp://{source}{host}:{port}"))
        .collect())
}

/// Whether what the endpoint's host means can change: it is a name that the system is asked for.
pub(crate) fn is_looked_up(endpoint: &Endpoint) -> bool {
    match endpoint.transport() {
        Transport::Tcp { host, .. } => !is_numeric(host) && !is_localhost(host),
        _ => false,
    }
}

/// Whether a host, as an endpoint writes it, is an address already.
fn is_numeric(host: &str) -> bool {
    host.starts_with('[') || host.parse::<Ipv4Addr>().is_ok()
}

fn addresses(host: &str) -> std::io::Result<Vec<SocketAddr>> {
    if is_localhost(host) {
        let both = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        return Ok(both.map(|address| SocketAddr::new(address, 0)).to_vec());
    }
    #[cfg(test)]
    if let Some(found) = names::find(host) {
        return Ok(found);
    }
    // The port is of no interest: it is not looked up.
    (host, 0).to_socket_addrs().map(Iterator::collect)
}

fn is_localhost(host: &str) -> bool {
    host.strip_suffix('.').unwrap_or(host).eq_ignore_ascii_case("localhost")
}

/// IPv4 first, each kind in the order that the system gave; none twice.
fn in_order(found: Vec<SocketAddr>, ipv6: bool) -> Vec<String> {
    let four = found.iter().filter(|address| address.is_ipv4());
    let six = found.iter().filter(|address| ipv6 && address.is_ipv6());
    let mut ordered: Vec<String> = Vec::new();
    for address in four.chain(six) {
        let host = host_of(address);
        if !ordered.contains(&host) {
            ordered.push(host);
        }
    }
    ordered
}

fn host_of(address: &SocketAddr) -> String {
    match address {
        SocketAddr::V4(four) => four.ip().to_string(),
        SocketAddr::V6(six) if six.scope_id() != 0 => {
            format!("[{}%{}]", six.ip(), six.scope_id())
        }
        SocketAddr::V6(six) => format!("[{}]", six.ip()),
    }
}

fn unreachable(endpoint: &Endpoint, reason: &str) -> Error {
    Error::new(Status::Unreachable, format!("'{endpoint}': {reason}"))
}

/// Names that mean what a test says.
#[cfg(test)]
pub(crate) mod names {
    use super::*;
    use std::collections::HashMap;
    use std::sync::{Condvar, Mutex};
    use std::time::Duration;

    #[derive(Default)]
    struct Entry {
        addresses: Vec<SocketAddr>,
        asked: usize,
        /// Who asks waits for the answer.
        held: bool,
    }

    static NAMES: Mutex<Option<HashMap<String, Entry>>> = Mutex::new(None);
    static CHANGED: Condvar = Condvar::new();

    fn with<T>(name: &str, f: impl FnOnce(&mut Entry) -> T) -> T {
        let mut names = NAMES.lock().expect("no panic");
        let result = f(names.get_or_insert_default().entry(name.to_owned()).or_default());
        CHANGED.notify_all();
        result
    }

    pub fn set(name: &str, addresses: &[&str]) {
        let address = |text: &&str| SocketAddr::new(text.parse().expect("an address"), 0);
        let addresses = addresses.iter().map(address).collect();
        with(name, |entry| entry.addresses = addresses);
    }

    /// Until this is dropped, whoever asks for the name waits.
    pub struct Held(String);

    pub fn hold(name: &str) -> Held {
        with(name, |entry| entry.held = true);
        Held(name.to_owned())
    }

    impl Drop for Held {
        fn drop(&mut self) {
            with(&self.0, |entry| entry.held = false);
        }
    }

    /// How often it was asked for.
    pub fn asked(name: &str) -> usize {
        with(name, |entry| entry.asked)
    }

    /// Waits until it was asked for so often. False where that takes longer.
    pub fn wait_asked(name: &str, times: usize, limit: Duration) -> bool {
        let names = NAMES.lock().expect("no panic");
        let waited = CHANGED.wait_timeout_while(names, limit, |names| {
            let entry = names.get_or_insert_default().get(name);
            entry.is_none_or(|entry| entry.asked < times)
        });
        let (_names, timeout) = waited.expect("no panic");
        !timeout.timed_out()
    }

    pub(super) fn find(name: &str) -> Option<Vec<SocketAddr>> {
        let mut names = NAMES.lock().expect("no panic");
        names.as_mut()?.get_mut(name)?.asked += 1;
        CHANGED.notify_all();
        loop {
            let entry = names.as_mut()?.get_mut(name)?;
            if !entry.held {
                return Some(entry.addresses.clone());
            }
            names = CHANGED.wait(names).expect("no panic");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddrV6;

    fn resolved(text: &str, ipv6: bool) -> Result<Vec<String>> {
        candidates(&Endpoint::parse(text).expect("an endpoint"), ipv6)
    }

    #[test]
    fn addresses_stay_as_they_are() {
        for endpoint in [
            "tcp://127.0.0.1:5000",
            "tcp://[::1]:5000",
            "tcp://127.0.0.1:0;127.0.0.1:5000",
            "ipc:///tmp/dividere-resolve",
            "ipc://@dividere-resolve",
            "inproc://dividere-resolve",
        ] {
            assert_eq!(resolved(endpoint, true), Ok(vec![endpoint.to_owned()]));
        }
    }

    #[test]
    fn localhost_is_ipv4_first_whatever_the_hosts_file_says() {
        for host in ["localhost", "LocalHost", "localhost."] {
            assert_eq!(
                resolved(&format!(">tcp://{host}:5000"), true),
                Ok(vec!["tcp://127.0.0.1:5000".to_owned(), "tcp://[::1]:5000".to_owned()])
            );
        }
        assert_eq!(
            resolved("tcp://localhost:5000", false),
            Ok(vec!["tcp://127.0.0.1:5000".to_owned()])
        );
        assert_eq!(
            resolved("tcp://127.0.0.1:0;localhost:5000", false),
            Ok(vec!["tcp://127.0.0.1:0;127.0.0.1:5000".to_owned()])
        );
    }

    #[test]
    fn found_addresses_are_ordered_and_none_comes_twice() {
        let six = |last, scope| {
            let address = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, last);
            SocketAddr::V6(SocketAddrV6::new(address, 0, 0, scope))
        };
        let four = |last| SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, last)), 0);
        let found = vec![six(1, 0), four(2), six(1, 3), four(1), four(2), six(1, 0)];
        assert_eq!(
            in_order(found.clone(), true),
            ["127.0.0.2", "127.0.0.1", "[fe80::1]", "[fe80::1%3]"]
        );
        assert_eq!(in_order(found, false), ["127.0.0.2", "127.0.0.1"]);
    }

    #[test]
    fn what_cannot_be_reached_is_told_with_the_endpoint() {
        // The top-level name `invalid` never exists (RFC 6761).
        let error = resolved("tcp://dividere.invalid:5000", true).expect_err("no such name");
        assert_eq!(error.status(), Status::Unreachable);
        assert!(error.text().contains("tcp://dividere.invalid:5000"));
        let error = resolved("tcp://[::1]:5000", false).expect_err("IPv6 is off");
        assert_eq!(error.status(), Status::Unreachable);
    }

    #[test]
    fn what_cannot_be_connected_to_is_refused() {
        for text in ["tcp://*:5000", "tcp://127.0.0.1:*", "tcp://127.0.0.1:0"] {
            let error = resolved(text, true).expect_err("not to be connected to");
            assert_eq!(error.status(), Status::Endpoint, "{text}");
        }
    }
}
