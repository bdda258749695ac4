//! The address under which this host is reached from where a registry is. No packet is sent, nobody is asked.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use crate::connection::endpoint::{Endpoint, Transport};
use crate::connection::resolve;
use crate::error::{Error, Result, Status};

/// Addresses that no host has (RFC 5737, RFC 3849): what leads there is the default route.
const NOWHERE: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
];

/// The host for `tcp://<host>:<port>` at which peers of the registry at `endpoint` reach this host: the address of the
/// interface that leads to the registry. Where that is loopback, the address of the default route; where there is
/// none, loopback. UNREACHABLE where nothing leads to the registry.
pub fn advertised(endpoint: &Endpoint, ipv6: bool) -> Result<String> {
    let towards = match endpoint.transport() {
        Transport::Tcp { .. } => towards_registry(endpoint, ipv6)?,
        // A registry on this host, by a transport that has no addresses.
        Transport::Ipc { .. } | Transport::Inproc { .. } => IpAddr::V4(Ipv4Addr::LOCALHOST),
    };
    let chosen = match towards.is_loopback() {
        true => by_default_route(ipv6).unwrap_or(towards),
        false => towards,
    };
    Ok(match chosen {
        IpAddr::V4(four) => four.to_string(),
        IpAddr::V6(six) => format!("[{six}]"),
    })
}

fn towards_registry(endpoint: &Endpoint, ipv6: bool) -> Result<IpAddr> {
    let mut reason = None;
    for candidate in resolve::candidates(endpoint, ipv6)? {
        // `tcp://[source;]host:port`
        let address = candidate.rsplit(['/', ';']).next().unwrap_or_default();
        let found = address
            .parse::<SocketAddr>()
            .map_err(|e| e.to_string())
            .and_then(|address| local_address(address).map_err(|e| e.to_string()));
        match found {
            Ok(local) => return Ok(local),
            Err(error) => reason = Some(format!("{address}: {error}")),
        }
    }
    let text = format!(
        "no address of this host leads to '{endpoint}' ({}): set the option registry_advertise",
        reason.unwrap_or_default()
    );
    Err(Error::new(Status::Unreachable, text))
}

fn by_default_route(ipv6: bool) -> Option<IpAddr> {
    let nowhere = if ipv6 { &NOWHERE[..] } else { &NOWHERE[..1] };
    nowhere
        .iter()
        .filter_map(|address| local_address(SocketAddr::new(*address, 9)).ok())
        .find(|local| !local.is_loopback() && !local.is_unspecified())
}

/// Connecting a UDP socket chooses an address of ours, and sends nothing.
fn local_address(remote: SocketAddr) -> std::io::Result<IpAddr> {
    let any: SocketAddr = match remote {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any)?;
    socket.connect(remote)?;
    Ok(socket.local_addr()?.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn advertised_to(endpoint: &str) -> Result<String> {
        advertised(&Endpoint::parse(endpoint).unwrap(), true)
    }

    #[test]
    fn a_registry_on_this_host_is_told_the_address_of_the_default_route_or_loopback() {
        let expected = match by_default_route(true) {
            Some(IpAddr::V6(six)) => format!("[{six}]"),
            Some(four) => four.to_string(),
            None => "127.0.0.1".to_owned(),
        };
        for endpoint in [
            "tcp://127.0.0.1:5000",
            "tcp://localhost:5000",
            "ipc:///tmp/x",
            "inproc://x",
        ] {
            assert_eq!(advertised_to(endpoint).unwrap(), expected, "{endpoint}");
        }
    }

    #[test]
    fn a_name_without_an_address_is_unreachable() {
        let error = advertised_to("tcp://dividere.invalid:5000").unwrap_err();
        assert_eq!(error.status(), Status::Unreachable);
    }
}
