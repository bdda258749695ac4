//! The options object. What an option means, its range and its default are the core's.

use std::ffi::{c_char, c_void};

use super::bytes::{bytes, object, object_mut, place_or_none, text};
use super::guard::{guard, guard_closing};
use super::status::dividere_status_t;
use crate::connection::options::{OptionKey, Options};
use crate::error::{Error, Result, Status};

/// How a handle behaves, or, for dividere_configure, the process. Owned by one thread at a time; a
/// handle copies what it needs when it is made.
pub struct dividere_options_t(Options);

impl dividere_options_t {
    pub(super) fn options(&self) -> &Options {
        &self.0
    }
}

/// The options that a pointer stands for: the defaults where it is NULL.
pub(super) unsafe fn options_or_default<'a>(options: *const dividere_options_t) -> std::borrow::Cow<'a, Options> {
    match options.as_ref() {
        Some(options) => std::borrow::Cow::Borrowed(&options.0),
        None => std::borrow::Cow::Owned(Options::default()),
    }
}

/// Which option, how it is set (number, text, bytes), and what it is unless set.
#[repr(i32)]
pub enum dividere_option {
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
    /// Number, milliseconds: how often a broker asks its workers whether they are there; one that is silent for
    /// twice that is dead. Of workers, too. 3000 unless set.
    WorkerHeartbeatMs = 300,
    /// Number, milliseconds: how long a worker that cannot answer while it works (of dividere 2.2.0) keeps a
    /// request. Of brokers. 60000 unless set.
    WorkerBusyLimitMs = 301,
    /// Number: requests that wait at a broker for a worker; beyond it they are refused as BUSY. 10000 unless set.
    BrokerQueueLimit = 302,
    /// Number, bytes: what a broker keeps of requests, those in work included. 268435456 unless set.
    BrokerQueueBytes = 303,
    /// Number: requests that a worker has at once, 1 to 1024. 1 unless set.
    WorkerCapacity = 304,
    /// Number, bytes: requests that wait at a service for a worker; beyond it they are refused as BUSY. 268435456 unless
    /// set.
    ServiceQueueBytes = 400,
}

/// What a full queue does: values of DIVIDERE_OPTION_FULL_QUEUE.
#[repr(i32)]
pub enum dividere_full_queue {
    /// What is usual for the role: a publisher drops, all others block.
    Usual = 0,
    /// Gives the message up, and counts it.
    Drop = 1,
    /// Waits for room, as long as the send timeout allows.
    Block = 2,
    /// Returns WOULD_BLOCK.
    Fail = 3,
}

/// Makes options with all defaults. End them with dividere_options_free.
#[no_mangle]
pub unsafe extern "C" fn dividere_options_new(options: *mut *mut dividere_options_t) -> dividere_status_t {
    guard(|| {
        let mut place = place_or_none(options, std::ptr::null_mut(), "options")?;
        place.set(Box::into_raw(Box::new(dividere_options_t(Options::default()))));
        Ok(())
    })
}

/// Frees options; NULL does nothing. Handles made with them are not touched.
#[no_mangle]
pub unsafe extern "C" fn dividere_options_free(options: *mut dividere_options_t) {
    guard_closing(|| {
        if !options.is_null() {
            drop(Box::from_raw(options));
        }
        Ok(())
    });
}

/// Makes a copy, to be freed on its own.
#[no_mangle]
pub unsafe extern "C" fn dividere_options_clone(
    options: *const dividere_options_t,
    copy: *mut *mut dividere_options_t,
) -> dividere_status_t {
    guard(|| {
        let mut place = place_or_none(copy, std::ptr::null_mut(), "copy")?;
        let options = object(options, "options")?.0.clone();
        place.set(Box::into_raw(Box::new(dividere_options_t(options))));
        Ok(())
    })
}

/// Sets an option that is a number, or a switch (0 or 1). INVALID_ARGUMENT, with the range in the
/// text, where the key is none, the option is no number or the value is outside of its range; the
/// option stays as it was then.
#[no_mangle]
pub unsafe extern "C" fn dividere_options_set_int(
    options: *mut dividere_options_t,
    option: i32,
    value: i64,
) -> dividere_status_t {
    guard(|| object_mut(options, "options")?.0.set_int(key(option)?, value))
}

/// Sets an option that is text; CURVE keys as 40 characters of Z85. INVALID_ARGUMENT as above.
#[no_mangle]
pub unsafe extern "C" fn dividere_options_set_string(
    options: *mut dividere_options_t,
    option: i32,
    value: *const c_char,
) -> dividere_status_t {
    guard(|| {
        object_mut(options, "options")?
            .0
            .set_string(key(option)?, text(value, "value")?)
    })
}

/// Sets an option that is bytes; CURVE keys as 32 bytes. INVALID_ARGUMENT as above.
#[no_mangle]
pub unsafe extern "C" fn dividere_options_set_bytes(
    options: *mut dividere_options_t,
    option: i32,
    data: *const c_void,
    len: usize,
) -> dividere_status_t {
    guard(|| {
        object_mut(options, "options")?
            .0
            .set_bytes(key(option)?, bytes(data, len, "data")?)
    })
}

fn key(option: i32) -> Result<OptionKey> {
    OptionKey::from_code(option)
        .ok_or_else(|| Error::new(Status::InvalidArgument, format!("{option} is not the key of an option")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::options::FullQueue;

    #[test]
    fn keys_and_policies_are_those_of_the_core() {
        let source = include_str!("options.rs");
        for key in OptionKey::ALL {
            let line = format!("    {key:?} = {},\n", key as i32);
            assert!(source.contains(&line), "{line}");
        }
        for policy in FullQueue::ALL {
            let line = format!("    {policy:?} = {},\n", policy as i32);
            assert!(source.contains(&line), "{line}");
        }
    }
}
