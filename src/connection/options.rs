//! How a handle behaves: queues, times, limits, keys. Every value is checked where it is set, and what only shows in
//! combination, when the handle is made (`validate`). Nothing that was asked for is ignored in silence.
//!
//! A new option: a key with its range in `key.rs`, a field and its default here, a line in `by_key.rs`.

use std::collections::BTreeSet;

use super::keys::{PublicKey, SecretKey, KEY_BYTES};
use crate::error::{Error, Result, Status};

mod balancing;
mod by_key;
mod curve;
mod full_queue;
mod key;
mod process;
mod registry;
mod role;
mod service;

pub use balancing::BalancingOptions;
use curve::CurveOptions;
pub use full_queue::FullQueue;
pub use key::OptionKey;
pub use process::ProcessOptions;
pub use registry::RegistryOptions;
pub use role::Role;
pub use service::ServiceOptions;

const DEFAULT_HIGH_WATER_MARK: i64 = 1000;
const DEFAULT_LINGER_MS: i64 = 1000;
const DEFAULT_HEARTBEAT_INTERVAL_MS: i64 = 1000;
const DEFAULT_HEARTBEAT_TIMEOUT_MS: i64 = 3000;
const DEFAULT_RECONNECT_INTERVAL_MS: i64 = 50;
const DEFAULT_RECONNECT_INTERVAL_MAX_MS: i64 = 1000;
const DEFAULT_CONNECT_TIMEOUT_MS: i64 = 5000;
const DEFAULT_HANDSHAKE_TIMEOUT_MS: i64 = 5000;
const DEFAULT_SEND_TIMEOUT_MS: i64 = 10_000;
const DEFAULT_MAX_MESSAGE_SIZE: i64 = 64 * 1024 * 1024;

/// What the transport of a socket may hold as identity.
const IDENTITY_BYTES: usize = 255;

/// The options of a handle, and of the process where `configure` takes them. Times are in milliseconds, sizes in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    send_high_water_mark: i64,
    receive_high_water_mark: i64,
    linger_ms: i64,
    heartbeat_interval_ms: i64,
    heartbeat_timeout_ms: i64,
    reconnect_interval_ms: i64,
    reconnect_interval_max_ms: i64,
    connect_timeout_ms: i64,
    handshake_timeout_ms: i64,
    send_timeout_ms: i64,
    max_message_size: i64,
    tcp_keepalive: Option<bool>,
    tcp_keepalive_idle_s: Option<i64>,
    tcp_keepalive_interval_s: Option<i64>,
    tcp_keepalive_count: Option<i64>,
    backlog: Option<i64>,
    type_of_service: Option<i64>,
    ipv6: bool,
    keep_latest: bool,
    identity: Option<Vec<u8>>,
    full_queue: Option<FullQueue>,
    curve: CurveOptions,
    process: ProcessOptions,
    registry: RegistryOptions,
    balancing: BalancingOptions,
    service: ServiceOptions,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            send_high_water_mark: DEFAULT_HIGH_WATER_MARK,
            receive_high_water_mark: DEFAULT_HIGH_WATER_MARK,
            linger_ms: DEFAULT_LINGER_MS,
            heartbeat_interval_ms: DEFAULT_HEARTBEAT_INTERVAL_MS,
            heartbeat_timeout_ms: DEFAULT_HEARTBEAT_TIMEOUT_MS,
            reconnect_interval_ms: DEFAULT_RECONNECT_INTERVAL_MS,
            reconnect_interval_max_ms: DEFAULT_RECONNECT_INTERVAL_MAX_MS,
            connect_timeout_ms: DEFAULT_CONNECT_TIMEOUT_MS,
            handshake_timeout_ms: DEFAULT_HANDSHAKE_TIMEOUT_MS,
            send_timeout_ms: DEFAULT_SEND_TIMEOUT_MS,
            max_message_size: DEFAULT_MAX_MESSAGE_SIZE,
            tcp_keepalive: None,
            tcp_keepalive_idle_s: None,
            tcp_keepalive_interval_s: None,
            tcp_keepalive_count: None,
            backlog: None,
            type_of_service: None,
            ipv6: true,
            keep_latest: false,
            identity: None,
            full_queue: None,
            curve: CurveOptions::default(),
            process: ProcessOptions::default(),
            registry: RegistryOptions::default(),
            balancing: BalancingOptions::default(),
            service: ServiceOptions::default(),
        }
    }
}

/// A getter and a checked setter for each option that is a number.
macro_rules! numbers {
    ($options:ty: $($(#[$doc:meta])* $get:ident, $set:ident, $key:ident;)*) => {
        impl $options {$(
            $(#[$doc])*
            pub fn $get(&self) -> i64 {
                self.$get
            }

            #[doc = concat!("Sets `", stringify!($get), "`. INVALID_ARGUMENT outside of the range of its key.")]
            pub fn $set(&mut self, value: i64) -> Result<()> {
                self.$get = OptionKey::$key.checked(value)?;
                Ok(())
            }
        )*}
    };
}

use numbers;

/// The same where the system's value stays unless one is set; 0 goes back to it.
macro_rules! numbers_of_the_system {
    ($($(#[$doc:meta])* $get:ident, $set:ident, $key:ident;)*) => {
        impl Options {$(
            $(#[$doc])*
            pub fn $get(&self) -> Option<i64> {
                self.$get
            }

            #[doc = concat!("Sets `", stringify!($get), "`; 0 leaves it to the system. INVALID_ARGUMENT outside of the range of its key.")]
            pub fn $set(&mut self, value: i64) -> Result<()> {
                self.$get = Some(OptionKey::$key.checked(value)?).filter(|value| *value != 0);
                Ok(())
            }
        )*}
    };
}

numbers! { Options:
    /// Messages that may wait to be sent to one peer; 0 for no limit. 1000.
    send_high_water_mark, set_send_high_water_mark, SendHighWaterMark;
    /// Messages of one peer that may wait to be received; 0 for no limit. 1000.
    receive_high_water_mark, set_receive_high_water_mark, ReceiveHighWaterMark;
    /// How long closing, flushing and leaving the process go on sending what was accepted. 1000.
    linger_ms, set_linger_ms, LingerMs;
    /// How often a silent peer is asked whether it is there; 0 never. 1000.
    heartbeat_interval_ms, set_heartbeat_interval_ms, HeartbeatIntervalMs;
    /// How long a peer may take to answer before its connection is given up. 3000.
    heartbeat_timeout_ms, set_heartbeat_timeout_ms, HeartbeatTimeoutMs;
    /// The pause before a lost connection is tried again; it doubles with each attempt. 50.
    reconnect_interval_ms, set_reconnect_interval_ms, ReconnectIntervalMs;
    /// The longest such pause; 0 when it shall not grow. 1000.
    reconnect_interval_max_ms, set_reconnect_interval_max_ms, ReconnectIntervalMaxMs;
    /// How long one attempt to connect may take; 0 for the system's own time. 5000.
    connect_timeout_ms, set_connect_timeout_ms, ConnectTimeoutMs;
    /// How long the handshake after it may take, on either side. 5000.
    handshake_timeout_ms, set_handshake_timeout_ms, HandshakeTimeoutMs;
    /// How long a send waits for room with the policy `Block`; -1 without limit. 10000.
    send_timeout_ms, set_send_timeout_ms, SendTimeoutMs;
    /// The largest frame sent or received; 0 for no limit. 64 MiB.
    max_message_size, set_max_message_size, MaxMessageSize;
}

numbers_of_the_system! {
    /// Seconds of silence before TCP keepalive asks.
    tcp_keepalive_idle_s, set_tcp_keepalive_idle_s, TcpKeepaliveIdleS;
    /// Seconds between two of its questions.
    tcp_keepalive_interval_s, set_tcp_keepalive_interval_s, TcpKeepaliveIntervalS;
    /// How many questions may stay without an answer.
    tcp_keepalive_count, set_tcp_keepalive_count, TcpKeepaliveCount;
    /// Connections that may wait to be accepted.
    backlog, set_backlog, Backlog;
    /// The type-of-service field of IP packets.
    type_of_service, set_type_of_service, TypeOfService;
}

impl Options {
    /// The defaults.
    pub fn new() -> Options {
        Options::default()
    }

    /// The largest message as libzmq takes it: -1 for no limit.
    pub fn max_message_size_for_zmq(&self) -> i64 {
        match self.max_message_size {
            0 => -1,
            limit => limit,
        }
    }

    /// The largest message for comparing sizes with.
    pub fn max_message_size_or_unlimited(&self) -> usize {
        match self.max_message_size {
            0 => usize::MAX,
            limit => usize::try_from(limit).unwrap_or(usize::MAX),
        }
    }

    /// Whether the system looks for dead TCP connections; None leaves it to the system (off).
    pub fn tcp_keepalive(&self) -> Option<bool> {
        self.tcp_keepalive
    }

    /// Turns TCP keepalive on or off.
    pub fn set_tcp_keepalive(&mut self, on: bool) {
        self.tcp_keepalive = Some(on);
    }

    /// Whether IPv6 is used beside IPv4: `tcp://*` is bound for both, names may lead to either. On.
    pub fn ipv6(&self) -> bool {
        self.ipv6
    }

    /// Turns IPv6 on or off.
    pub fn set_ipv6(&mut self, on: bool) {
        self.ipv6 = on;
    }

    /// Whether a subscriber keeps only the newest message. Off.
    pub fn keep_latest(&self) -> bool {
        self.keep_latest
    }

    /// Keeps only the newest message, for subscribers.
    pub fn set_keep_latest(&mut self, on: bool) {
        self.keep_latest = on;
    }

    /// The name under which peers route to this handle; None for one of the handle's choice.
    pub fn identity(&self) -> Option<&[u8]> {
        self.identity.as_deref()
    }

    /// Sets the identity. INVALID_ARGUMENT unless it has 1 to 255 bytes and begins with another byte than 0, which
    /// libzmq keeps for its own.
    pub fn set_identity(&mut self, identity: impl Into<Vec<u8>>) -> Result<()> {
        let identity = identity.into();
        if identity.is_empty() || identity.len() > IDENTITY_BYTES {
            let length = identity.len();
            let text = format!("it has {length} bytes; 1 to {IDENTITY_BYTES} are allowed");
            return Err(OptionKey::Identity.refuse(text));
        }
        if identity[0] == 0 {
            return Err(OptionKey::Identity.refuse("it begins with a 0 byte, which libzmq keeps for its own"));
        }
        self.identity = Some(identity);
        Ok(())
    }

    /// What a send does when the queue is full; None for what is usual for the role.
    pub fn full_queue(&self) -> Option<FullQueue> {
        self.full_queue
    }

    /// Sets what a send does when the queue is full; None for what is usual for the role.
    pub fn set_full_queue(&mut self, policy: Option<FullQueue>) {
        self.full_queue = policy;
    }

    /// Whether connections are encrypted and their peers known.
    pub fn uses_curve(&self) -> bool {
        self.curve_server_secret_key().is_some() || self.curve_server_public_key().is_some()
    }

    /// The secret key, where this handle is a CURVE server.
    pub fn curve_server_secret_key(&self) -> Option<&[u8; KEY_BYTES]> {
        self.curve.server_secret.as_ref().map(SecretKey::as_bytes)
    }

    /// Makes the handle a CURVE server. UNSUPPORTED when the libzmq underneath has no CURVE.
    pub fn set_curve_server_secret_key(&mut self, key: SecretKey) -> Result<()> {
        self.curve.set_server_secret(key)
    }

    /// Public and secret key, where this handle is a CURVE client.
    pub fn curve_client_keys(&self) -> Option<(&[u8; KEY_BYTES], &[u8; KEY_BYTES])> {
        self.curve.client_keys()
    }

    /// Sets the public key of a CURVE client. It may be left out: it follows from the secret key.
    pub fn set_curve_client_public_key(&mut self, key: PublicKey) {
        self.curve.client_public = Some(key);
    }

    /// Sets the secret key of a CURVE client. UNSUPPORTED when the libzmq underneath has no CURVE.
    pub fn set_curve_client_secret_key(&mut self, key: SecretKey) -> Result<()> {
        self.curve.set_client_secret(key)
    }

    /// The public key of the server that a CURVE client wants to talk to.
    pub fn curve_server_public_key(&self) -> Option<&[u8; KEY_BYTES]> {
        self.curve.server_public.as_ref().map(PublicKey::as_bytes)
    }

    /// Makes the handle a CURVE client of the server that has this key.
    pub fn set_curve_server_public_key(&mut self, key: PublicKey) {
        self.curve.server_public = Some(key);
    }

    /// The keys of the clients that a CURVE server lets in.
    pub fn curve_allowed_keys(&self) -> &BTreeSet<PublicKey> {
        &self.curve.allowed
    }

    /// Lets the client with this key in, beside those let in before.
    pub fn add_allowed_key(&mut self, key: PublicKey) {
        self.curve.allowed.insert(key);
    }

    /// Whether a CURVE server lets in every client that knows its public key.
    pub fn curve_allow_any(&self) -> bool {
        self.curve.allow_any
    }

    /// Lets in every client that knows the server's public key.
    pub fn set_curve_allow_any(&mut self, on: bool) {
        self.curve.allow_any = on;
    }

    /// Checks what only shows in combination, for a handle of this role. INVALID_ARGUMENT with the options at fault.
    pub fn validate(&self, role: Role) -> Result<()> {
        if self.process != ProcessOptions::default() {
            let text =
                "io_threads, max_sockets and thread_name_prefix belong to the process: set them with configure, \
                        not on a handle";
            return Err(Error::new(Status::InvalidArgument, text));
        }
        if self.registry != RegistryOptions::default() && !role.takes_registry_options() {
            let text = format!("the options of name registries have no effect on a {role}");
            return Err(Error::new(Status::InvalidArgument, text));
        }
        let (interval, longest) = (self.reconnect_interval_ms, self.reconnect_interval_max_ms);
        if longest != 0 && longest < interval {
            let text = format!("it is less than reconnect_interval_ms ({interval}); raise it, or set it to 0");
            return Err(OptionKey::ReconnectIntervalMaxMs.refuse_value(longest, text));
        }
        if self.keep_latest && role != Role::Subscriber {
            let text = format!("only a subscriber can keep the latest message, not a {role}");
            return Err(OptionKey::KeepLatest.refuse(text));
        }
        self.balancing.validate(role)?;
        if self.service != ServiceOptions::default() {
            // A service takes them, and makes the sockets of other roles without.
            let text = format!("the options of services have no effect on a {role}");
            return Err(Error::new(Status::InvalidArgument, text));
        }
        self.validate_keepalive()?;
        self.curve.validate()
    }

    /// What belongs to the process. INVALID_ARGUMENT when anything else was set, too: it would have no effect.
    pub fn process(&self) -> Result<&ProcessOptions> {
        let handle_only = Options {
            process: ProcessOptions::default(),
            ..self.clone()
        };
        if handle_only != Options::default() {
            let text = "only io_threads, max_sockets and thread_name_prefix belong to the process; set the others on \
                        each handle";
            return Err(Error::new(Status::InvalidArgument, text));
        }
        Ok(&self.process)
    }

    /// What belongs to the process, to be changed.
    pub fn process_mut(&mut self) -> &mut ProcessOptions {
        &mut self.process
    }

    /// What belongs to name registries.
    pub fn registry(&self) -> &RegistryOptions {
        &self.registry
    }

    /// What belongs to name registries, to be changed.
    pub fn registry_mut(&mut self) -> &mut RegistryOptions {
        &mut self.registry
    }

    /// What belongs to brokers and workers.
    pub fn balancing(&self) -> &BalancingOptions {
        &self.balancing
    }

    /// What belongs to brokers and workers, to be changed.
    pub fn balancing_mut(&mut self) -> &mut BalancingOptions {
        &mut self.balancing
    }

    /// What belongs to services.
    pub fn service(&self) -> &ServiceOptions {
        &self.service
    }

    /// The same, to be changed.
    pub fn service_mut(&mut self) -> &mut ServiceOptions {
        &mut self.service
    }

    fn validate_keepalive(&self) -> Result<()> {
        if self.tcp_keepalive == Some(true) {
            return Ok(());
        }
        for (key, value) in [
            (OptionKey::TcpKeepaliveIdleS, self.tcp_keepalive_idle_s),
            (OptionKey::TcpKeepaliveIntervalS, self.tcp_keepalive_interval_s),
            (OptionKey::TcpKeepaliveCount, self.tcp_keepalive_count),
        ] {
            if let Some(value) = value {
                return Err(key.refuse_value(value, "it has no effect unless tcp_keepalive is on"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
