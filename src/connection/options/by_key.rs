//! Options set by key, as the C ABI and the bindings above it do.

use super::{FullQueue, OptionKey, Options};
use crate::connection::keys::{PublicKey, SecretKey};
use crate::error::{Error, Result};

impl Options {
    /// Sets an option that is a number, or a switch (0 or 1). INVALID_ARGUMENT with the range when the value is outside
    /// of it, or when the option is not a number.
    pub fn set_int(&mut self, key: OptionKey, value: i64) -> Result<()> {
        let value = key.checked(value)?;
        let on = value != 0;
        match key {
            OptionKey::SendHighWaterMark => self.set_send_high_water_mark(value)?,
            OptionKey::ReceiveHighWaterMark => self.set_receive_high_water_mark(value)?,
            OptionKey::LingerMs => self.set_linger_ms(value)?,
            OptionKey::HeartbeatIntervalMs => self.set_heartbeat_interval_ms(value)?,
            OptionKey::HeartbeatTimeoutMs => self.set_heartbeat_timeout_ms(value)?,
            OptionKey::ReconnectIntervalMs => self.set_reconnect_interval_ms(value)?,
            OptionKey::ReconnectIntervalMaxMs => self.set_reconnect_interval_max_ms(value)?,
            OptionKey::ConnectTimeoutMs => self.set_connect_timeout_ms(value)?,
            OptionKey::HandshakeTimeoutMs => self.set_handshake_timeout_ms(value)?,
            OptionKey::SendTimeoutMs => self.set_send_timeout_ms(value)?,
            OptionKey::TcpKeepalive => self.set_tcp_keepalive(on),
            OptionKey::TcpKeepaliveIdleS => self.set_tcp_keepalive_idle_s(value)?,
            OptionKey::TcpKeepaliveIntervalS => self.set_tcp_keepalive_interval_s(value)?,
            OptionKey::TcpKeepaliveCount => self.set_tcp_keepalive_count(value)?,
            OptionKey::Ipv6 => self.set_ipv6(on),
            OptionKey::MaxMessageSize => self.set_max_message_size(value)?,
            OptionKey::KeepLatest => self.set_keep_latest(on),
            // 0 is no policy, and stands for what is usual; the range lets nothing else through.
            OptionKey::FullQueue => self.set_full_queue(FullQueue::from_code(value)),
            OptionKey::Backlog => self.set_backlog(value)?,
            OptionKey::TypeOfService => self.set_type_of_service(value)?,
            OptionKey::CurveAllowAny => self.set_curve_allow_any(on),
            OptionKey::IoThreads => self.process.set_io_threads(value)?,
            OptionKey::MaxSockets => self.process.set_max_sockets(value)?,
            OptionKey::RegistryLeaseMs => self.registry.set_lease_ms(value)?,
            OptionKey::RegistryLeaseMinMs => self.registry.set_lease_min_ms(value)?,
            OptionKey::RegistryLeaseMaxMs => self.registry.set_lease_max_ms(value)?,
            OptionKey::RegistryMaxInstances => self.registry.set_max_instances(value)?,
            OptionKey::RegistryMaxInstancesPerName => self.registry.set_max_instances_per_name(value)?,
            OptionKey::RegistryMaxMetadataBytes => self.registry.set_max_metadata_bytes(value)?,
            OptionKey::RegistryMaxWatches => self.registry.set_max_watches(value)?,
            OptionKey::WorkerHeartbeatMs => self.balancing.set_heartbeat_ms(value)?,
            OptionKey::WorkerBusyLimitMs => self.balancing.set_busy_limit_ms(value)?,
            OptionKey::BrokerQueueLimit => self.balancing.set_queue_limit(value)?,
            OptionKey::BrokerQueueBytes => self.balancing.set_queue_bytes(value)?,
            OptionKey::WorkerCapacity => self.balancing.set_capacity(value)?,
            OptionKey::ServiceQueueBytes => self.service.set_queue_bytes(value)?,
            OptionKey::RegistryPublishEndpoint
            | OptionKey::RegistryAdvertise
            | OptionKey::Identity
            | OptionKey::CurveServerSecretKey
            | OptionKey::CurveClientPublicKey
            | OptionKey::CurveClientSecretKey
            | OptionKey::CurveServerPublicKey
            | OptionKey::CurveAllowedKey
            | OptionKey::ThreadNamePrefix => return Err(key.refuse("it takes text or bytes, not a number")),
        }
        Ok(())
    }

    /// Sets an option that is text; keys in Z85. INVALID_ARGUMENT when the value does not fit, or when the option is a
    /// number.
    pub fn set_string(&mut self, key: OptionKey, value: &str) -> Result<()> {
        match key {
            OptionKey::ThreadNamePrefix => self.process.set_thread_name_prefix(value),
            OptionKey::RegistryPublishEndpoint => self.registry.set_publish_endpoint(value),
            OptionKey::RegistryAdvertise => self.registry.set_advertise(value),
            OptionKey::FullQueue => match FullQueue::from_name(value) {
                Some(policy) => {
                    self.set_full_queue(Some(policy));
                    Ok(())
                }
                None => Err(key.refuse_value(
                    format_args!("'{}'", value.escape_debug()),
                    "\"drop\", \"block\" and \"fail\" are allowed",
                )),
            },
            _ => self.set_bytes(key, value.as_bytes()),
        }
    }

    /// Sets an option that is bytes; keys as 32 bytes, or in Z85. INVALID_ARGUMENT when the value does not fit, or when
    /// the option is a number.
    pub fn set_bytes(&mut self, key: OptionKey, value: &[u8]) -> Result<()> {
        let named = |error: Error| error.context(format_args!("option {key}"));
        match key {
            OptionKey::Identity => self.set_identity(value),
            OptionKey::CurveServerSecretKey => {
                let secret = SecretKey::from_bytes(value).map_err(named)?;
                self.set_curve_server_secret_key(secret)
            }
            OptionKey::CurveClientPublicKey => {
                self.set_curve_client_public_key(PublicKey::from_bytes(value).map_err(named)?);
                Ok(())
            }
            OptionKey::CurveClientSecretKey => {
                let secret = SecretKey::from_bytes(value).map_err(named)?;
                self.set_curve_client_secret_key(secret)
            }
            OptionKey::CurveServerPublicKey => {
                self.set_curve_server_public_key(PublicKey::from_bytes(value).map_err(named)?);
                Ok(())
            }
            OptionKey::CurveAllowedKey => {
                self.add_allowed_key(PublicKey::from_bytes(value).map_err(named)?);
                Ok(())
            }
            OptionKey::ThreadNamePrefix
            | OptionKey::FullQueue
            | OptionKey::RegistryPublishEndpoint
            | OptionKey::RegistryAdvertise => Err(key.refuse("it takes text, not bytes")),
            _ => Err(key.refuse("it takes a number, not text or bytes")),
        }
    }
}
