//! What belongs to services.

use super::numbers;
use super::OptionKey;
use crate::error::Result;

/// The settings of services, beside those that each one is made with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceOptions {
    queue_bytes: i64,
}

impl Default for ServiceOptions {
    fn default() -> ServiceOptions {
        ServiceOptions {
            queue_bytes: 256 * 1024 * 1024,
        }
    }
}

numbers! { ServiceOptions:
    /// Bytes of requests that wait for a worker of the service. 256 MiB.
    queue_bytes, set_queue_bytes, ServiceQueueBytes;
}
