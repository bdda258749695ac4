//! The keys under which the C ABI sets options, with their names, ranges and units.

use std::fmt;
use std::ops::RangeInclusive;

use crate::error::{Error, Result, Status};

/// Which option. The numbers stand for good; those from 100 belong to the process, those from 200 to name
/// registries, those from 300 to load balancing.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OptionKey {
    /// Number: messages that may wait to be sent to one peer; 0 for no limit. 1000 unless set.
    SendHighWaterMark = 1,
    /// Number: messages of one peer that may wait to be received; 0 for no limit. 1000 unless set.
    ReceiveHighWaterMark = 2,
    /// Number, milliseconds: how long close, flush and a normal exit send what was accepted. 1000 unless set.
    LingerMs = 3,
    /// Number, milliseconds: how often a silent peer is asked whether it is there; 0 never. 1000 unless set.
    HeartbeatIntervalMs = 4,
    /// Number, milliseconds: how long a peer may take to answer that. 3000 unless set.
    HeartbeatTimeoutMs = 5,
    /// Number, milliseconds: the first pause before connecting again; it doubles each time. 50 unless set.
    ReconnectIntervalMs = 6,
    /// Number, milliseconds: the longest such pause; 0 when it shall not grow. 1000 unless set.
    ReconnectIntervalMaxMs = 7,
    /// Number, milliseconds: how long one attempt to connect may take; 0 for the system's time. 5000 unless set.
    ConnectTimeoutMs = 8,
    /// Number, milliseconds: how long the handshake after it may take. 5000 unless set.
    HandshakeTimeoutMs = 9,
    /// Number, milliseconds: how long a send waits where a full queue blocks; -1 without limit. 10000 unless set.
    SendTimeoutMs = 10,
    /// 0 or 1: whether the system looks for dead TCP connections. 0 unless set.
    TcpKeepalive = 11,
    /// Number, seconds: silence before TCP keepalive asks; 0 for the system's value.
    TcpKeepaliveIdleS = 12,
    /// Number, seconds: between two of its questions; 0 for the system's value.
    TcpKeepaliveIntervalS = 13,
    /// Number: questions that may stay without an answer; 0 for the system's value.
    TcpKeepaliveCount = 14,
    /// 0 or 1: whether IPv6 is used beside IPv4. 1 unless set.
    Ipv6 = 15,
    /// Number, bytes: the largest frame sent or received; 0 for no limit. 67108864 unless set.
    MaxMessageSize = 16,
    /// Text or bytes, 1 to 255 bytes, the first one not 0: the name under which peers route to this handle.
    Identity = 17,
    /// 0 or 1: whether a subscriber keeps only the newest message. 0 unless set.
    KeepLatest = 18,
    /// Number or text: what a full queue does: 1 "drop", 2 "block", 3 "fail"; 0 for what is usual for the role.
    FullQueue = 19,
    /// Number: connections that may wait to be accepted; 0 for libzmq's value.
    Backlog = 20,
    /// Number: the type-of-service field of IP packets; 0 for the system's value.
    TypeOfService = 21,
    /// Key (40 characters of Z85, or 32 bytes): makes the handle a CURVE server.
    CurveServerSecretKey = 30,
    /// Key: the public key of a CURVE client; it may be left out, as it follows from the secret one.
    CurveClientPublicKey = 31,
    /// Key: the secret key of a CURVE client.
    CurveClientSecretKey = 32,
    /// Key: makes the handle a CURVE client of the server that has this public key.
    CurveServerPublicKey = 33,
    /// Key: lets the client with this public key in. Set once for each client.
    CurveAllowedKey = 34,
    /// 0 or 1: whether a CURVE server lets in every client that knows its public key. 0 unless set.
    CurveAllowAny = 35,
    /// Number: threads that move bytes. Of the process. 1 unless set.
    IoThreads = 100,
    /// Number: sockets at once. Of the process. 65535 unless set.
    MaxSockets = 101,
    /// Text, 1 to 8 bytes: how the names of our threads begin. Of the process. "dividere" unless set.
    ThreadNamePrefix = 102,
    /// Text: where a registry publishes that services shall register again (server), or a registry of
    /// dividere 2.2.0 does (client). Unless set the port after that of the requests.
    RegistryPublishEndpoint = 200,
    /// Number, milliseconds: how long what a client registers outlives its process. 3000 unless set.
    RegistryLeaseMs = 201,
    /// Number, milliseconds: the shortest lease that a registry grants. 200 unless set.
    RegistryLeaseMinMs = 202,
    /// Number, milliseconds: the longest lease that a registry grants. 3600000 unless set.
    RegistryLeaseMaxMs = 203,
    /// Number: instances that a registry keeps in total. 250000 unless set.
    RegistryMaxInstances = 204,
    /// Number: instances that a registry keeps of one name. 1000 unless set.
    RegistryMaxInstancesPerName = 205,
    /// Number, bytes: metadata that a registry keeps of one instance. 4096 unless set.
    RegistryMaxMetadataBytes = 206,
    /// Number: watches that a registry serves at once. 10000 unless set.
    RegistryMaxWatches = 207,
    /// Text: the host name or address under which a client registers its services. Unless set the one that
    /// reaches the registry.
    RegistryAdvertise = 208,
    /// Number, milliseconds: how often a broker asks its workers whether they are there; one that is silent for twice
    /// that is dead. Also of workers. 3000 unless set.
    WorkerHeartbeatMs = 300,
    /// Number, milliseconds: how long a worker that cannot answer while it works, as in dividere 2.2.0, keeps a
    /// request. 60000 unless set.
    WorkerBusyLimitMs = 301,
    /// Number: requests that wait at a broker for a worker; beyond it they are refused. 10000 unless set.
    BrokerQueueLimit = 302,
    /// Number, bytes: what a broker keeps of requests, those in work included. 268435456 unless set.
    BrokerQueueBytes = 303,
    /// Number: requests that a worker has in hand at once. 1 unless set.
    WorkerCapacity = 304,
    /// Number, bytes: requests that wait for a worker of a service; beyond it they are refused. 268435456 unless set.
    ServiceQueueBytes = 400,
}

/// Queues count in 32 bits.
const COUNT: i64 = i32::MAX as i64;

/// An hour is the longest time for everything that is not "without limit".
const LONGEST_MS: i64 = 3_600_000;

/// A day: who needs more needs no lease.
const LONGEST_LEASE_MS: i64 = 86_400_000;

/// Where more is to be told, it is better told by the service itself.
const MOST_METADATA_BYTES: i64 = 65_536;

/// What one worker may have in hand.
const MOST_IN_HAND: i64 = 1024;

/// What Linux allows for TCP keepalive.
const KEEPALIVE_S: i64 = 32_767;
const KEEPALIVE_COUNT: i64 = 127;

impl OptionKey {
    /// Every key, in the order of the numbers.
    pub const ALL: [OptionKey; 45] = [
        OptionKey::SendHighWaterMark,
        OptionKey::ReceiveHighWaterMark,
        OptionKey::LingerMs,
        OptionKey::HeartbeatIntervalMs,
        OptionKey::HeartbeatTimeoutMs,
        OptionKey::ReconnectIntervalMs,
        OptionKey::ReconnectIntervalMaxMs,
        OptionKey::ConnectTimeoutMs,
        OptionKey::HandshakeTimeoutMs,
        OptionKey::SendTimeoutMs,
        OptionKey::TcpKeepalive,
        OptionKey::TcpKeepaliveIdleS,
        OptionKey::TcpKeepaliveIntervalS,
        OptionKey::TcpKeepaliveCount,
        OptionKey::Ipv6,
        OptionKey::MaxMessageSize,
        OptionKey::Identity,
        OptionKey::KeepLatest,
        OptionKey::FullQueue,
        OptionKey::Backlog,
        OptionKey::TypeOfService,
        OptionKey::CurveServerSecretKey,
        OptionKey::CurveClientPublicKey,
        OptionKey::CurveClientSecretKey,
        OptionKey::CurveServerPublicKey,
        OptionKey::CurveAllowedKey,
        OptionKey::CurveAllowAny,
        OptionKey::IoThreads,
        OptionKey::MaxSockets,
        OptionKey::ThreadNamePrefix,
        OptionKey::RegistryPublishEndpoint,
        OptionKey::RegistryLeaseMs,
        OptionKey::RegistryLeaseMinMs,
        OptionKey::RegistryLeaseMaxMs,
        OptionKey::RegistryMaxInstances,
        OptionKey::RegistryMaxInstancesPerName,
        OptionKey::RegistryMaxMetadataBytes,
        OptionKey::RegistryMaxWatches,
        OptionKey::RegistryAdvertise,
        OptionKey::WorkerHeartbeatMs,
        OptionKey::WorkerBusyLimitMs,
        OptionKey::BrokerQueueLimit,
        OptionKey::BrokerQueueBytes,
        OptionKey::WorkerCapacity,
        OptionKey::ServiceQueueBytes,
    ];

    /// The key of a number; None when no key has it.
    pub fn from_code(code: i32) -> Option<OptionKey> {
        OptionKey::ALL.into_iter().find(|key| *key as i32 == code)
    }

    /// The key of a name; None when no key has it.
    pub fn from_name(name: &str) -> Option<OptionKey> {
        OptionKey::ALL.into_iter().find(|key| key.name() == name)
    }

    /// The name, as it stands in errors and in the other languages: "linger_ms".
    pub const fn name(self) -> &'static str {
        match self {
            OptionKey::SendHighWaterMark => "send_high_water_mark",
            OptionKey::ReceiveHighWaterMark => "receive_high_water_mark",
            OptionKey::LingerMs => "linger_ms",
            OptionKey::HeartbeatIntervalMs => "heartbeat_interval_ms",
            OptionKey::HeartbeatTimeoutMs => "heartbeat_timeout_ms",
            OptionKey::ReconnectIntervalMs => "reconnect_interval_ms",
            OptionKey::ReconnectIntervalMaxMs => "reconnect_interval_max_ms",
            OptionKey::ConnectTimeoutMs => "connect_timeout_ms",
            OptionKey::HandshakeTimeoutMs => "handshake_timeout_ms",
            OptionKey::SendTimeoutMs => "send_timeout_ms",
            OptionKey::TcpKeepalive => "tcp_keepalive",
            OptionKey::TcpKeepaliveIdleS => "tcp_keepalive_idle_s",
            OptionKey::TcpKeepaliveIntervalS => "tcp_keepalive_interval_s",
            OptionKey::TcpKeepaliveCount => "tcp_keepalive_count",
            OptionKey::Ipv6 => "ipv6",
            OptionKey::MaxMessageSize => "max_message_size",
            OptionKey::Identity => "identity",
            OptionKey::KeepLatest => "keep_latest",
            OptionKey::FullQueue => "full_queue",
            OptionKey::Backlog => "backlog",
            OptionKey::TypeOfService => "type_of_service",
            OptionKey::CurveServerSecretKey => "curve_server_secret_key",
            OptionKey::CurveClientPublicKey => "curve_client_public_key",
            OptionKey::CurveClientSecretKey => "curve_client_secret_key",
            OptionKey::CurveServerPublicKey => "curve_server_public_key",
            OptionKey::CurveAllowedKey => "curve_allowed_key",
            OptionKey::CurveAllowAny => "curve_allow_any",
            OptionKey::IoThreads => "io_threads",
            OptionKey::MaxSockets => "max_sockets",
            OptionKey::ThreadNamePrefix => "thread_name_prefix",
            OptionKey::RegistryPublishEndpoint => "registry_publish_endpoint",
            OptionKey::RegistryLeaseMs => "registry_lease_ms",
            OptionKey::RegistryLeaseMinMs => "registry_lease_min_ms",
            OptionKey::RegistryLeaseMaxMs => "registry_lease_max_ms",
            OptionKey::RegistryMaxInstances => "registry_max_instances",
            OptionKey::RegistryMaxInstancesPerName => "registry_max_instances_per_name",
            OptionKey::RegistryMaxMetadataBytes => "registry_max_metadata_bytes",
            OptionKey::RegistryMaxWatches => "registry_max_watches",
            OptionKey::RegistryAdvertise => "registry_advertise",
            OptionKey::WorkerHeartbeatMs => "worker_heartbeat_ms",
            OptionKey::WorkerBusyLimitMs => "worker_busy_limit_ms",
            OptionKey::BrokerQueueLimit => "broker_queue_limit",
            OptionKey::BrokerQueueBytes => "broker_queue_bytes",
            OptionKey::WorkerCapacity => "worker_capacity",
            OptionKey::ServiceQueueBytes => "service_queue_bytes",
        }
    }

    /// The numbers that it takes; None when it takes no number.
    pub fn range(self) -> Option<RangeInclusive<i64>> {
        match self {
            OptionKey::SendHighWaterMark | OptionKey::ReceiveHighWaterMark => Some(0..=COUNT),
            OptionKey::LingerMs
            | OptionKey::HeartbeatIntervalMs
            | OptionKey::ReconnectIntervalMaxMs
            | OptionKey::ConnectTimeoutMs => Some(0..=LONGEST_MS),
            OptionKey::HeartbeatTimeoutMs | OptionKey::ReconnectIntervalMs | OptionKey::HandshakeTimeoutMs => {
                Some(1..=LONGEST_MS)
            }
            OptionKey::SendTimeoutMs => Some(-1..=LONGEST_MS),
            OptionKey::TcpKeepalive | OptionKey::Ipv6 | OptionKey::KeepLatest | OptionKey::CurveAllowAny => Some(0..=1),
            OptionKey::TcpKeepaliveIdleS | OptionKey::TcpKeepaliveIntervalS => Some(0..=KEEPALIVE_S),
            OptionKey::TcpKeepaliveCount => Some(0..=KEEPALIVE_COUNT),
            OptionKey::MaxMessageSize => Some(0..=i64::MAX),
            OptionKey::FullQueue => Some(0..=3),
            OptionKey::Backlog => Some(0..=65_535),
            OptionKey::TypeOfService => Some(0..=255),
            OptionKey::IoThreads => Some(1..=64),
            OptionKey::MaxSockets => Some(1..=65_535),
            OptionKey::RegistryLeaseMs | OptionKey::RegistryLeaseMinMs | OptionKey::RegistryLeaseMaxMs => {
                Some(100..=LONGEST_LEASE_MS)
            }
            OptionKey::RegistryMaxInstances | OptionKey::RegistryMaxInstancesPerName => Some(1..=COUNT),
            OptionKey::RegistryMaxMetadataBytes => Some(0..=MOST_METADATA_BYTES),
            OptionKey::RegistryMaxWatches => Some(0..=COUNT),
            OptionKey::WorkerHeartbeatMs => Some(10..=LONGEST_MS),
            OptionKey::WorkerBusyLimitMs => Some(10..=LONGEST_MS),
            OptionKey::BrokerQueueLimit => Some(0..=COUNT),
            OptionKey::BrokerQueueBytes | OptionKey::ServiceQueueBytes => Some(1..=i64::MAX),
            OptionKey::WorkerCapacity => Some(1..=MOST_IN_HAND),
            OptionKey::RegistryPublishEndpoint
            | OptionKey::RegistryAdvertise
            | OptionKey::Identity
            | OptionKey::CurveServerSecretKey
            | OptionKey::CurveClientPublicKey
            | OptionKey::CurveClientSecretKey
            | OptionKey::CurveServerPublicKey
            | OptionKey::CurveAllowedKey
            | OptionKey::ThreadNamePrefix => None,
        }
    }

    /// The value, when it is in range.
    pub(super) fn checked(self, value: i64) -> Result<i64> {
        match self.range() {
            Some(range) if range.contains(&value) => Ok(value),
            Some(range) => {
                let (from, to, unit) = (range.start(), range.end(), self.unit());
                Err(self.refuse_value(value, format!("{from} to {to}{unit} is allowed")))
            }
            None => Err(self.refuse_value(value, "it takes text or bytes, not a number")),
        }
    }

    /// INVALID_ARGUMENT with the name of the option and the reason.
    pub(super) fn refuse(self, reason: impl fmt::Display) -> Error {
        Error::new(Status::InvalidArgument, format!("option {self}: {reason}"))
    }

    /// The same, with the value at fault.
    pub(super) fn refuse_value(self, value: impl fmt::Display, reason: impl fmt::Display) -> Error {
        Error::new(Status::InvalidArgument, format!("option {self} = {value}: {reason}"))
    }

    fn unit(self) -> &'static str {
        match self {
            OptionKey::MaxMessageSize => " bytes",
            _ if self.name().ends_with("_bytes") => " bytes",
            _ if self.name().ends_with("_ms") => " milliseconds",
            _ if self.name().ends_with("_s") => " seconds",
            _ => "",
        }
    }
}

impl fmt::Display for OptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
