//! What belongs to name registries: the limits of a server, and how a client registers.

use super::numbers;
use super::OptionKey;
use crate::connection::endpoint::Endpoint;
use crate::error::Result;

/// What a host name or an address may have at most, in bytes.
const HOST_BYTES: usize = 255;

/// The settings of a registry's server and client. Times are in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistryOptions {
    pub(super) publish_endpoint: Option<String>,
    pub(super) lease_ms: i64,
    pub(super) lease_min_ms: i64,
    pub(super) lease_max_ms: i64,
    pub(super) max_instances: i64,
    pub(super) max_instances_per_name: i64,
    pub(super) max_metadata_bytes: i64,
    pub(super) max_watches: i64,
    pub(super) advertise: Option<String>,
}

impl Default for RegistryOptions {
    fn default() -> RegistryOptions {
        RegistryOptions {
            publish_endpoint: None,
            lease_ms: 3000,
            lease_min_ms: 200,
            lease_max_ms: 3_600_000,
            max_instances: 250_000,
            max_instances_per_name: 1000,
            max_metadata_bytes: 4096,
            max_watches: 10_000,
            advertise: None,
        }
    }
}

numbers! { RegistryOptions:
    /// Client: how long a registration outlives the process that made it. 3000.
    lease_ms, set_lease_ms, RegistryLeaseMs;
    /// Server: the shortest lease that is granted. 200.
    lease_min_ms, set_lease_min_ms, RegistryLeaseMinMs;
    /// Server: the longest lease that is granted. 3600000.
    lease_max_ms, set_lease_max_ms, RegistryLeaseMaxMs;
    /// Server: instances in total, and so names, too. 250000.
    max_instances, set_max_instances, RegistryMaxInstances;
    /// Server: instances of one name. 1000.
    max_instances_per_name, set_max_instances_per_name, RegistryMaxInstancesPerName;
    /// Server: metadata of one instance, in bytes. 4096.
    max_metadata_bytes, set_max_metadata_bytes, RegistryMaxMetadataBytes;
    /// Server: watches at once, of all clients. 10000.
    max_watches, set_max_watches, RegistryMaxWatches;
}

impl RegistryOptions {
    /// Where RediscoverReq is published; None for the port after that of the requests.
    pub fn publish_endpoint(&self) -> Option<&str> {
        self.publish_endpoint.as_deref()
    }

    /// Sets where a server publishes RediscoverReq, and where a client hears that of a registry of dividere 2.2.0.
    /// INVALID_ARGUMENT when it is no endpoint.
    pub fn set_publish_endpoint(&mut self, endpoint: &str) -> Result<()> {
        Endpoint::parse(endpoint).map_err(|e| OptionKey::RegistryPublishEndpoint.refuse(e.text()))?;
        self.publish_endpoint = Some(endpoint.to_owned());
        Ok(())
    }

    /// The host name or address that registrations carry; None for the address that reaches the registry.
    pub fn advertise(&self) -> Option<&str> {
        self.advertise.as_deref()
    }

    /// Sets the host name or address that registrations carry. INVALID_ARGUMENT unless it is what can stand in
    /// `tcp://<host>:<port>`, of at most 255 bytes.
    pub fn set_advertise(&mut self, host: &str) -> Result<()> {
        let key = OptionKey::RegistryAdvertise;
        if host.is_empty() || host.len() > HOST_BYTES {
            return Err(key.refuse(format!("it has {} bytes; 1 to {HOST_BYTES} are allowed", host.len())));
        }
        Endpoint::parse(&format!(">tcp://{host}:1"))
            .and_then(|endpoint| endpoint.check_connect())
            .map_err(|e| key.refuse(e.text()))?;
        self.advertise = Some(host.to_owned());
        Ok(())
    }
}
