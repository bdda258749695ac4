//! What belongs to load balancing: how brokers and workers look after each other, and what a broker keeps.

use super::numbers;
use super::{OptionKey, Role};
use crate::error::Result;

/// The settings of brokers and workers. Times are in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BalancingOptions {
    heartbeat_ms: i64,
    busy_limit_ms: i64,
    queue_limit: i64,
    queue_bytes: i64,
    capacity: i64,
}

impl Default for BalancingOptions {
    fn default() -> BalancingOptions {
        BalancingOptions {
            heartbeat_ms: 3000,
            busy_limit_ms: 60_000,
            queue_limit: 10_000,
            queue_bytes: 256 * 1024 * 1024,
            capacity: 1,
        }
    }
}

numbers! { BalancingOptions:
    /// How often a broker asks its workers whether they are there; silent for twice that, a worker is dead. 3000.
    heartbeat_ms, set_heartbeat_ms, WorkerHeartbeatMs;
    /// Broker: how long a worker that cannot answer while it works keeps a request. 60000.
    busy_limit_ms, set_busy_limit_ms, WorkerBusyLimitMs;
    /// Broker: requests that wait for a worker. 10000.
    queue_limit, set_queue_limit, BrokerQueueLimit;
    /// Broker: bytes of requests that are kept, those in work included. 256 MiB.
    queue_bytes, set_queue_bytes, BrokerQueueBytes;
    /// Worker: requests in hand at once. 1.
    capacity, set_capacity, WorkerCapacity;
}

impl BalancingOptions {
    /// Nothing that was asked for is ignored: INVALID_ARGUMENT where the role has no use for it.
    pub(super) fn validate(&self, role: Role) -> Result<()> {
        let usual = BalancingOptions::default();
        let of_both = (OptionKey::WorkerHeartbeatMs, self.heartbeat_ms, usual.heartbeat_ms);
        let of_broker = [
            (OptionKey::WorkerBusyLimitMs, self.busy_limit_ms, usual.busy_limit_ms),
            (OptionKey::BrokerQueueLimit, self.queue_limit, usual.queue_limit),
            (OptionKey::BrokerQueueBytes, self.queue_bytes, usual.queue_bytes),
        ];
        let of_worker = (OptionKey::WorkerCapacity, self.capacity, usual.capacity);
        let useless = match role {
            Role::Broker => vec![of_worker],
            Role::Worker => of_broker.to_vec(),
            _ => [of_both, of_worker].into_iter().chain(of_broker).collect(),
        };
        match useless.into_iter().find(|(_, value, usual)| value != usual) {
            Some((key, value, _)) => Err(key.refuse_value(value, format!("it means nothing to a {role}"))),
            None => Ok(()),
        }
    }
}
