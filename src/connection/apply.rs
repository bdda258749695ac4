//! Options as libzmq takes them: set on a fresh socket, before it is bound or connected.

use std::ffi::c_void;

use crate::connection::errno;
use crate::connection::options::Options;
use crate::connection::socket::Kind;
use crate::error::{Error, Result, Status};

const HANDSHAKE_IVL: i32 = 66;
const HEARTBEAT_IVL: i32 = 75;
const HEARTBEAT_TTL: i32 = 76;
const HEARTBEAT_TIMEOUT: i32 = 77;
const XPUB_VERBOSER: i32 = 78;
const CONNECT_TIMEOUT: i32 = 79;
const XPUB_NODROP: i32 = 69;
/// Publishers receive subscriptions only; one larger than this comes from no friend.
const LARGEST_SUBSCRIPTION: i64 = 4096;
/// How much of small messages a connection writes and reads at a time. A busy connection has some 80 KiB of memory for it,
/// and a message that is kept keeps up to 54 KiB of what came with it. That stays below 64 KiB: what is larger, malloc
/// tidies up after at each free, which every single message would pay for.
const BATCH_SIZE: i32 = 24 * 1024;
/// libzmq keeps the time that it asks peers to wait in tenths of a second, in 16 bits.
const LONGEST_TTL_MS: i64 = 6_553_500;

/// Sets an option of type int.
pub(crate) fn set_int(raw: *mut c_void, option: i32, value: i32, what: &str) -> Result<()> {
    set(raw, option, &value.to_ne_bytes(), what)
}

fn set(raw: *mut c_void, option: i32, value: &[u8], what: &str) -> Result<()> {
    // SAFETY: the socket is live and used by this thread only; libzmq copies the value.
    let rc = unsafe { zmq_sys::zmq_setsockopt(raw, option, value.as_ptr().cast(), value.len()) };
    if rc != 0 {
        return Err(errno::error(errno::last(), what));
    }
    Ok(())
}

pub(crate) fn apply(raw: *mut c_void, kind: Kind, options: &Options) -> Result<()> {
    let int = |option: u32, value: i64, what: &str| set_int(raw, option as i32, clamp(value), what);
    // A libzmq that is not ours has no such options, and ways of its own.
    let if_ours = |option: u32, value: i32, what: &str| match set_int(raw, option as i32, value, what) {
        Err(error) if error.status() == Status::InvalidArgument => Ok(()),
        set => set,
    };
    if_ours(zmq_sys::ZMQ_SYS_BATCH_SIZE, BATCH_SIZE, "set the size of batches")?;
    if !kind.publishes() {
        // Where a message came from is asked of subscriptions only.
        if_ours(zmq_sys::ZMQ_SYS_PLAIN_MESSAGES, 1, "receive plain messages")?;
    }
    let subscriber = matches!(kind, Kind::Subscriber | Kind::RawSubscriber);
    // A subscriber sends nothing but subscriptions: it loses those beyond its send queue in silence, and has none to
    // send any more when it is closed. With a linger time it would wait for a publisher that is gone.
    let (send_queue, linger_ms) = if subscriber {
        (0, 0)
    } else {
        (options.send_high_water_mark(), options.linger_ms())
    };
    int(zmq_sys::ZMQ_SNDHWM, send_queue, "set the send high-water mark")?;
    let receive_queue = if matches!(kind, Kind::Publisher | Kind::RawPublisher) {
        0
    } else {
        options.receive_high_water_mark()
    };
    int(zmq_sys::ZMQ_RCVHWM, receive_queue, "set the receive high-water mark")?;
    int(zmq_sys::ZMQ_LINGER, linger_ms, "set the linger time")?;
    int(
        zmq_sys::ZMQ_RECONNECT_IVL,
        options.reconnect_interval_ms(),
        "set the reconnect interval",
    )?;
    int(
        zmq_sys::ZMQ_RECONNECT_IVL_MAX,
        options.reconnect_interval_max_ms(),
        "set the longest reconnect interval",
    )?;
    set_int(
        raw,
        CONNECT_TIMEOUT,
        clamp(options.connect_timeout_ms()),
        "set the connect timeout",
    )?;
    set_int(
        raw,
        HANDSHAKE_IVL,
        clamp(options.handshake_timeout_ms()),
        "set the handshake timeout",
    )?;
    let interval = options.heartbeat_interval_ms();
    if interval > 0 {
        let timeout = options.heartbeat_timeout_ms();
        set_int(raw, HEARTBEAT_IVL, clamp(interval), "set the heartbeat interval")?;
        set_int(raw, HEARTBEAT_TIMEOUT, clamp(timeout), "set the heartbeat timeout")?;
        let ttl = (interval + timeout).min(LONGEST_TTL_MS);
        set_int(raw, HEARTBEAT_TTL, clamp(ttl), "set the heartbeat time to live")?;
    }
    let largest = match kind {
        Kind::Publisher | Kind::RawPublisher => LARGEST_SUBSCRIPTION,
        _ => options.max_message_size_for_zmq(),
    };
    set(
        raw,
        zmq_sys::ZMQ_MAXMSGSIZE as i32,
        &largest.to_ne_bytes(),
        "set the maximum message size",
    )?;
    if let Some(keepalive) = options.tcp_keepalive() {
        int(zmq_sys::ZMQ_TCP_KEEPALIVE, i64::from(keepalive), "set TCP keepalive")?;
    }
    for (option, value, what) in [
        (
            zmq_sys::ZMQ_TCP_KEEPALIVE_IDLE,
            options.tcp_keepalive_idle_s(),
            "set the TCP keepalive idle time",
        ),
        (
            zmq_sys::ZMQ_TCP_KEEPALIVE_INTVL,
            options.tcp_keepalive_interval_s(),
            "set the TCP keepalive interval",
        ),
        (
            zmq_sys::ZMQ_TCP_KEEPALIVE_CNT,
            options.tcp_keepalive_count(),
            "set the TCP keepalive count",
        ),
        (zmq_sys::ZMQ_BACKLOG, options.backlog(), "set the backlog"),
        (zmq_sys::ZMQ_TOS, options.type_of_service(), "set the type of service"),
    ] {
        if let Some(value) = value {
            int(option, value, what)?;
        }
    }
    match kind {
        Kind::Publisher => {
            set_int(raw, XPUB_VERBOSER, 1, "hear every subscription")?;
            set_int(raw, XPUB_NODROP, 1, "notice full subscribers")?;
        }
        Kind::RawPublisher => set_int(raw, XPUB_NODROP, 1, "notice full subscribers")?,
        Kind::Router => {
            int(
                zmq_sys::ZMQ_ROUTER_HANDOVER,
                1,
                "let a peer come back with its identity",
            )?;
            int(zmq_sys::ZMQ_ROUTER_MANDATORY, 1, "notice peers that are gone")?;
        }
        Kind::Subscriber if options.keep_latest() => {
            int(zmq_sys::ZMQ_CONFLATE, 1, "keep only the latest message")?;
        }
        _ => {}
    }
    if let Some(identity) = options.identity() {
        set(raw, zmq_sys::ZMQ_ROUTING_ID as i32, identity, "set the identity")?;
    }
    curve(raw, options)
}

fn curve(raw: *mut c_void, options: &Options) -> Result<()> {
    if options.curve_server_secret_key().is_none() && options.curve_server_public_key().is_none() {
        return Ok(());
    }
    // SAFETY: a NUL-terminated static text.
    if unsafe { zmq_sys::zmq_has(c"curve".as_ptr()) } != 1 {
        return Err(Error::new(
            Status::Unsupported,
            "the libzmq underneath was built without CURVE",
        ));
    }
    if let Some(secret) = options.curve_server_secret_key() {
        set_int(raw, zmq_sys::ZMQ_CURVE_SERVER as i32, 1, "be a CURVE server")?;
        set(
            raw,
            zmq_sys::ZMQ_CURVE_SECRETKEY as i32,
            secret,
            "set the server's secret key",
        )?;
    } else if let (Some(server), Some((public, secret))) =
        (options.curve_server_public_key(), options.curve_client_keys())
    {
        set(
            raw,
            zmq_sys::ZMQ_CURVE_SERVERKEY as i32,
            server,
            "set the server's public key",
        )?;
        set(
            raw,
            zmq_sys::ZMQ_CURVE_PUBLICKEY as i32,
            public,
            "set the client's public key",
        )?;
        set(
            raw,
            zmq_sys::ZMQ_CURVE_SECRETKEY as i32,
            secret,
            "set the client's secret key",
        )?;
    }
    Ok(())
}

/// Puts the socket's handshakes before the allow list called `domain`.
pub(crate) fn set_zap_domain(raw: *mut c_void, domain: &str) -> Result<()> {
    const ZAP_ENFORCE_DOMAIN: i32 = 93;
    set(
        raw,
        zmq_sys::ZMQ_ZAP_DOMAIN as i32,
        domain.as_bytes(),
        "set the ZAP domain",
    )?;
    set_int(raw, ZAP_ENFORCE_DOMAIN, 1, "enforce the ZAP domain")
}

fn clamp(value: i64) -> i32 {
    value.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32
}
