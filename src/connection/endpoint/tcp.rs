//! `tcp://host:port`, and `tcp://source:port;host:port` to connect from a certain address.

use std::ffi::CString;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::{shown, Port, Reason, Transport};

/// What the domain name system allows.
const HOST_NAME_BYTES: usize = 253;

pub(super) fn parse(rest: &str) -> Result<Transport, Reason> {
    let (source, destination) = match rest.split_once(';') {
        Some((source, destination)) => (Some(source), destination),
        None => (None, rest),
    };
    if destination.contains(';') {
        return Err("there is one ';' at most, as in tcp://source:0;host:port".to_owned());
    }
    let source = match source {
        Some(source) => {
            let (host, port) = parse_address(source)?;
            let port = match port {
                Port::Any => "0".to_owned(),
                Port::Number(number) => number.to_string(),
            };
            Some(format!("{host}:{port}"))
        }
        None => None,
    };
    let (host, port) = parse_address(destination)?;
    Ok(Transport::Tcp {
        host: host.to_owned(),
        port,
        source,
    })
}

pub(super) fn check_bind(host: &str, port: Port, has_source: bool) -> Result<(), Reason> {
    if has_source {
        return Err(format!(
            "an address to come from is for connecting; to bind, write tcp://{host}:{port}"
        ));
    }
    if host == "*" || is_address(host) || is_interface(host) {
        return Ok(());
    }
    let instead = if host.eq_ignore_ascii_case("localhost") {
        format!("tcp://127.0.0.1:{port}")
    } else {
        format!("tcp://*:{port} or an address of this machine")
    };
    Err(format!(
        "'{host}' is neither an address nor a network interface of this machine; to bind, write \
         {instead}; to connect, put '>' in front"
    ))
}

fn parse_address(text: &str) -> Result<(&str, Port), Reason> {
    let Some((host, port)) = text.rsplit_once(':') else {
        return Err("the port is missing; write tcp://host:port".to_owned());
    };
    if text.starts_with('[') && text.ends_with(']') {
        return Err("the port is missing; write tcp://[address]:port".to_owned());
    }
    check_host(host)?;
    Ok((host, parse_port(port)?))
}

fn parse_port(text: &str) -> Result<Port, Reason> {
    if text == "*" || text == "0" {
        return Ok(Port::Any);
    }
    let only_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse::<u16>() {
        Ok(number) if only_digits && number != 0 => Ok(Port::Number(number)),
        _ => Err(format!(
            "'{}' is not a port; write 1 to 65535, or '*' to bind to a free one",
            shown(text)
        )),
    }
}

fn check_host(host: &str) -> Result<(), Reason> {
    if host == "*" {
        return Ok(());
    }
    if host.is_empty() {
        return Err("the host is missing; write tcp://*:port to bind, tcp://host:port to connect".to_owned());
    }
    if let Some(inner) = host.strip_prefix('[') {
        return check_ipv6(inner);
    }
    if host.contains(':') {
        return Err("an IPv6 address goes in brackets: tcp://[::1]:5000".to_owned());
    }
    if host.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return match host.parse::<Ipv4Addr>() {
            Ok(_) => Ok(()),
            Err(_) => Err(format!("'{}' is not an IPv4 address", shown(host))),
        };
    }
    let is_name = host
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        && !host.starts_with(['-', '.'])
        && !host.contains("..")
        && host.len() <= HOST_NAME_BYTES;
    if is_name {
        Ok(())
    } else {
        Err(format!("'{}' is not the name of a host", shown(host)))
    }
}

fn check_ipv6(inner: &str) -> Result<(), Reason> {
    let wrong = || format!("'[{}' is not an IPv6 address in brackets", shown(inner));
    let inner = inner.strip_suffix(']').ok_or_else(wrong)?;
    let (address, zone) = match inner.split_once('%') {
        Some((address, zone)) => (address, Some(zone)),
        None => (inner, None),
    };
    let zone_is_right = zone.is_none_or(|zone| {
        !zone.is_empty()
            && zone
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    });
    if zone_is_right && address.parse::<Ipv6Addr>().is_ok() {
        Ok(())
    } else {
        Err(wrong())
    }
}

/// Whether a checked host is an address, not a name.
fn is_address(host: &str) -> bool {
    host.starts_with('[') || host.parse::<Ipv4Addr>().is_ok()
}

fn is_interface(name: &str) -> bool {
    let Ok(name) = CString::new(name) else {
        return false;
    };
    // SAFETY: the argument is a C string.
    unsafe { libc::if_nametoindex(name.as_ptr()) != 0 }
}
