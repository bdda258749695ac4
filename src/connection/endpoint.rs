//! Where a socket binds or connects to, checked before libzmq sees it: libzmq wraps a port of
//! 99999, deletes a file that stands where an ipc socket is to be, and says "invalid argument"
//! to the rest.
//!
//! An endpoint is `tcp://host:port`, `ipc://path`, `ipc://@abstract-name` or `inproc://name`,
//! with `@` in front to bind or `>` to connect, whatever the role does by itself (CZMQ's
//! convention). Several are separated by commas.

use std::fmt;

use crate::error::{Error, Result, Status};

mod ipc;
mod tcp;

/// Endpoints are shown in errors up to this many characters.
const SHOWN_CHARACTERS: usize = 200;

/// What an inproc name may have at most, in bytes; libzmq's own limit for names.
const INPROC_NAME_BYTES: usize = 255;

/// What an endpoint is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// Waits at the address for peers.
    Bind,
    /// Goes to the address.
    Connect,
}

/// What a role does with an endpoint that has no `@` or `>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DefaultSide {
    /// Publisher, proxy.
    Bind,
    /// Subscriber, request.
    Connect,
    /// Response, dealer: binds where the endpoint has a `*`, connects elsewhere.
    BindIfWildcard,
}

/// The port of a TCP endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Port {
    /// `*` or 0: one that is free, when binding.
    Any,
    /// 1 to 65535.
    Number(u16),
}

/// How bytes get there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// TCP over IPv4 or IPv6.
    Tcp {
        /// `*`, an IPv4 address, an IPv6 address in brackets, a host name or a network interface.
        host: String,
        /// The port.
        port: Port,
        /// `address:port` to connect from, where it was given.
        source: Option<String>,
    },
    /// A socket of this machine: a path, `@name` in the abstract namespace, or `*`.
    Ipc {
        /// As it stands behind `ipc://`.
        path: String,
    },
    /// Within this process.
    Inproc {
        /// As it stands behind `inproc://`.
        name: String,
    },
}

/// One endpoint, in valid form.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    transport: Transport,
    side: Option<Side>,
}

impl Endpoint {
    /// Reads one endpoint; commas have no meaning. ENDPOINT with the reason when it is malformed.
    pub fn parse(text: &str) -> Result<Endpoint> {
        let text = text.trim();
        let (side, address) = match text.as_bytes().first() {
            Some(b'@') => (Some(Side::Bind), &text[1..]),
            Some(b'>') => (Some(Side::Connect), &text[1..]),
            Some(_) => (None, text),
            None => return Err(Error::new(Status::Endpoint, "the endpoint is empty")),
        };
        let transport = parse_transport(address).map_err(|reason| malformed(text, &reason))?;
        Ok(Endpoint { transport, side })
    }

    /// Reads endpoints separated by commas; at least one. For a path with a comma in it, use
    /// `parse_list_of`.
    pub fn parse_list(text: &str) -> Result<Vec<Endpoint>> {
        let parts: Vec<&str> = text.split(',').collect();
        if parts.len() > 1 && parts.iter().any(|part| part.trim().is_empty()) {
            let reason = "there is nothing between two commas, or before or after one";
            return Err(malformed(text, reason));
        }
        Endpoint::parse_list_of(&parts)
    }

    /// Reads one endpoint from each text; at least one.
    pub fn parse_list_of<S: AsRef<str>>(texts: &[S]) -> Result<Vec<Endpoint>> {
        if texts.is_empty() {
            return Err(Error::new(Status::Endpoint, "no endpoint is given"));
        }
        texts.iter().map(|text| Endpoint::parse(text.as_ref())).collect()
    }

    /// How bytes get there.
    pub fn transport(&self) -> &Transport {
        &self.transport
    }

    /// The side that `@` or `>` asks for.
    pub fn side(&self) -> Option<Side> {
        self.side
    }

    /// Whether libzmq is to choose a part of the address.
    pub fn has_wildcard(&self) -> bool {
        match &self.transport {
            Transport::Tcp { host, port, .. } => host == "*" || *port == Port::Any,
            Transport::Ipc { path } => path == ipc::WILDCARD,
            Transport::Inproc { .. } => false,
        }
    }

    /// Whether to bind or to connect, checked with `check_bind` or `check_connect`.
    pub fn bind_or_connect(&self, default: DefaultSide) -> Result<Side> {
        let side = self.side.unwrap_or(match default {
            DefaultSide::Bind => Side::Bind,
            DefaultSide::Connect => Side::Connect,
            DefaultSide::BindIfWildcard if self.has_wildcard() => Side::Bind,
            DefaultSide::BindIfWildcard => Side::Connect,
        });
        match side {
            Side::Bind => self.check_bind()?,
            Side::Connect => self.check_connect()?,
        }
        Ok(side)
    }

    /// ENDPOINT when it cannot be bound on this machine: the host is not an address or a network
    /// interface, the directory of an ipc path is missing, or a file is in its place.
    pub fn check_bind(&self) -> Result<()> {
        let checked = match &self.transport {
            Transport::Tcp { host, port, source } => tcp::check_bind(host, *port, source.is_some()),
            Transport::Ipc { path } => ipc::check_bind(path),
            Transport::Inproc { .. } => Ok(()),
        };
        checked.map_err(|reason| malformed(&self.to_string(), &reason))
    }

    /// ENDPOINT when it names no one place to connect to.
    pub fn check_connect(&self) -> Result<()> {
        let reason = match &self.transport {
            Transport::Tcp { host, .. } if host == "*" => {
                "'*' is for binding; to connect, write the host, as in tcp://127.0.0.1:5000"
            }
            Transport::Tcp { port: Port::Any, .. } => "to connect, write the port, as in tcp://127.0.0.1:5000",
            Transport::Ipc { path } if path == ipc::WILDCARD => {
                "'*' is for binding; to connect, write the path that was bound"
            }
            _ => return Ok(()),
        };
        Err(malformed(&self.to_string(), reason))
    }

    /// ADDRESS_IN_USE when a process listens at the path of an ipc endpoint. To be asked right
    /// before each attempt to bind: libzmq takes the path away from whoever is there. Never
    /// waits. Over tcp and inproc, and for abstract names, binding itself tells.
    pub fn check_free(&self) -> Result<()> {
        match &self.transport {
            Transport::Ipc { path } if ipc::is_taken(path) => Err(Error::new(
                Status::AddressInUse,
                format!("'{self}' is in use: a process listens there"),
            )),
            _ => Ok(()),
        }
    }

    /// The endpoint as libzmq takes it, without the side. Names of hosts are left as they are;
    /// for connecting, `resolve::candidates` turns them into addresses.
    pub fn to_zmq(&self) -> String {
        match &self.transport {
            Transport::Tcp { host, port, source } => match source {
                Some(source) => format!("tcp://{source};{host}:{port}"),
                None => format!("tcp://{host}:{port}"),
            },
            Transport::Ipc { path } => format!("ipc://{path}"),
            Transport::Inproc { name } => format!("inproc://{name}"),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.side {
            Some(Side::Bind) => f.write_str("@")?,
            Some(Side::Connect) => f.write_str(">")?,
            None => {}
        }
        f.write_str(&self.to_zmq())
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Port::Any => f.write_str("*"),
            Port::Number(number) => write!(f, "{number}"),
        }
    }
}

/// Why an endpoint is refused, and what to write instead.
type Reason = String;

fn parse_transport(address: &str) -> std::result::Result<Transport, Reason> {
    if address.chars().any(char::is_control) {
        return Err("it has a control character in it".to_owned());
    }
    let Some((scheme, rest)) = address.split_once("://") else {
        return Err("write tcp://host:port, ipc://path or inproc://name".to_owned());
    };
    match scheme {
        "tcp" => tcp::parse(rest),
        "ipc" => ipc::parse(rest),
        "inproc" => parse_inproc(rest),
        _ => Err(format!(
            "'{}' is not a transport here; write tcp://host:port, ipc://path or inproc://name \
             in small letters",
            shown(scheme)
        )),
    }
}

fn parse_inproc(name: &str) -> std::result::Result<Transport, Reason> {
    if name.is_empty() {
        return Err("the name is missing; write inproc://name".to_owned());
    }
    if name.len() > INPROC_NAME_BYTES {
        return Err(format!(
            "the name has {} bytes; {INPROC_NAME_BYTES} are allowed",
            name.len()
        ));
    }
    Ok(Transport::Inproc { name: name.to_owned() })
}

fn malformed(endpoint: &str, reason: &str) -> Error {
    Error::new(Status::Endpoint, format!("endpoint '{}': {reason}", shown(endpoint)))
}

/// A text from outside, fit to be printed.
fn shown(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .take(SHOWN_CHARACTERS)
        .flat_map(char::escape_debug)
        .collect();
    if text.chars().nth(SHOWN_CHARACTERS).is_some() {
        shown.push_str("...");
    }
    shown
}

#[cfg(test)]
mod tests;
