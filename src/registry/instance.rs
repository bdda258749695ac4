//! One place at which a service can be reached.

use crate::error::{Error, Result, Status};
use crate::proto::v1;
use crate::registry::LONGEST_NAME;

/// An instance of a service, as a registry knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Instance {
    /// Name of the service.
    pub name: String,
    /// Host name or address, as it stands in an endpoint.
    pub server: String,
    /// TCP port there.
    pub port: u16,
    /// Names it among all instances of its registry; 0 for the one of a name that came from dividere 2.2.0.
    pub id: u64,
    /// What the service told of itself.
    pub metadata: Vec<u8>,
    /// How long it stays without being renewed; 0 for ever (dividere 2.2.0).
    pub lease_ms: u32,
    /// Number of the change that made it what it is, counted by its registry.
    pub revision: u64,
}

impl Instance {
    /// The endpoint to connect to.
    pub fn endpoint(&self) -> String {
        format!("tcp://{}:{}", self.server, self.port)
    }

    /// Whether it is the same place, whatever its revision.
    pub(crate) fn says_the_same_as(&self, other: &Instance) -> bool {
        self.server == other.server
            && self.port == other.port
            && self.metadata == other.metadata
            && self.lease_ms == other.lease_ms
            && self.id == other.id
            && self.name == other.name
    }

    /// About what it takes in memory and in a message.
    pub(crate) fn weight(&self) -> usize {
        const FIXED: usize = 48;
        FIXED + self.name.len() + self.server.len() + self.metadata.len()
    }

    pub(crate) fn to_proto(&self) -> v1::Instance {
        v1::Instance {
            name: self.name.clone(),
            server: self.server.clone(),
            port: u32::from(self.port),
            instance: self.id,
            lease_ms: self.lease_ms,
            metadata: self.metadata.clone(),
            revision: self.revision,
        }
    }

    /// DECODE where a registry tells of what cannot be.
    pub(crate) fn from_proto(told: v1::Instance) -> Result<Instance> {
        let checked = check_name(&told.name).and_then(|()| check_server(&told.server));
        let checked = checked.and_then(|()| port(told.port));
        Ok(Instance {
            port: checked.map_err(|e| Error::new(Status::Decode, format!("from the registry: {}", e.text())))?,
            name: told.name,
            server: told.server,
            id: told.instance,
            metadata: told.metadata,
            lease_ms: told.lease_ms,
            revision: told.revision,
        })
    }
}

/// INVALID_ARGUMENT where it is no name: empty, too long, or with control characters.
pub(crate) fn check_name(name: &str) -> Result<()> {
    check(name, "a service's name")
}

/// INVALID_ARGUMENT where it is no host name or address. Whoever asks for it makes an endpoint of it: nothing in it may be
/// taken for the end of one, or for another one, such as `,@tcp://...`.
pub(crate) fn check_server(server: &str) -> Result<()> {
    check(server, "a service's host")?;
    let of_a_host = |c: char| c.is_alphanumeric() || ".-_:%[]".contains(c);
    match server.chars().find(|c| !of_a_host(*c)) {
        None => Ok(()),
        Some(c) => Err(Error::new(
            Status::InvalidArgument,
            format!(
                "'{}' is no host: it has a '{}'",
                server.escape_debug(),
                c.escape_debug()
            ),
        )),
    }
}

/// INVALID_ARGUMENT where it is no TCP port.
pub(crate) fn port(port: u32) -> Result<u16> {
    match u16::try_from(port) {
        Ok(port) if port != 0 => Ok(port),
        _ => Err(Error::new(
            Status::InvalidArgument,
            format!("port {port}; 1 to 65535 are allowed"),
        )),
    }
}

fn check(text: &str, what: &str) -> Result<()> {
    if text.is_empty() || text.len() > LONGEST_NAME {
        let text = format!("{what} of {} bytes; 1 to {LONGEST_NAME} are allowed", text.len());
        return Err(Error::new(Status::InvalidArgument, text));
    }
    if text.chars().any(char::is_control) {
        let text = format!("{what} with a control character in it: '{}'", text.escape_debug());
        return Err(Error::new(Status::InvalidArgument, text));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_nothing_but_a_host() {
        for host in [
            "127.0.0.1",
            "localhost",
            "node-7.example.org",
            "fe80::1%eth0",
            "[::1]",
            "bücher.example",
            "a_b",
        ] {
            assert!(check_server(host).is_ok(), "{host}");
        }
        for wrong in ["", "a,@tcp://*:1", "a b", "a/b", "@a", ">a", "*", "a;b", "a\n", "a,b"] {
            let refused = check_server(wrong).expect_err(wrong);
            assert_eq!(refused.status(), Status::InvalidArgument, "{wrong}");
        }
    }
}
