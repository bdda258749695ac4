//! The roles of handles, where options tell them apart.

use std::fmt;

/// What a handle is; some options have a meaning for some roles only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Sends to all subscribers.
    Publisher,
    /// Receives what it subscribed to.
    Subscriber,
    /// Sends a request, receives its reply.
    Request,
    /// Receives requests, replies to each.
    Response,
    /// Sends and receives in any order, from and to any peer.
    Dealer,
    /// Passes messages on.
    Proxy,
    /// Keeps names.
    RegistryServer,
    /// Registers and finds names.
    RegistryClient,
    /// Hands requests to workers.
    Broker,
    /// Serves what a broker hands it.
    Worker,
}

impl Role {
    /// The name as it stands in errors and events: "publisher".
    pub const fn name(self) -> &'static str {
        match self {
            Role::Publisher => "publisher",
            Role::Subscriber => "subscriber",
            Role::Request => "request",
            Role::Response => "response",
            Role::Dealer => "dealer",
            Role::Proxy => "proxy",
            Role::RegistryServer => "registry server",
            Role::RegistryClient => "registry client",
            Role::Broker => "broker",
            Role::Worker => "worker",
        }
    }

    /// Whether the options of name registries mean something to it.
    pub(super) fn takes_registry_options(self) -> bool {
        matches!(self, Role::RegistryServer | Role::RegistryClient)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
