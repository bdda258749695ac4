use std::fmt;

use super::*;
use crate::connection::keys::KeyPair;

fn text_of<T: fmt::Debug>(result: Result<T>) -> String {
    let error = result.expect_err("a refusal");
    assert_eq!(error.status(), Status::InvalidArgument, "{error}");
    error.text().to_owned()
}

#[test]
fn keys_are_found_by_number_and_by_name() {
    let mut numbers = BTreeSet::new();
    for key in OptionKey::ALL {
        assert_eq!(OptionKey::from_code(key as i32), Some(key));
        assert_eq!(OptionKey::from_name(key.name()), Some(key));
        assert!(numbers.insert(key as i32), "{key} is there twice");
    }
    assert_eq!(OptionKey::from_code(0), None);
    assert_eq!(OptionKey::from_code(-1), None);
    assert_eq!(OptionKey::from_name(""), None);
    for code in 1..=3 {
        let policy = FullQueue::from_code(code).expect("a policy");
        assert_eq!(FullQueue::from_name(policy.name()), Some(policy));
    }
}

#[test]
fn defaults_are_the_promised_ones_and_valid_for_every_role() {
    let options = Options::new();
    assert_eq!(options.send_high_water_mark(), 1000);
    assert_eq!(options.receive_high_water_mark(), 1000);
    assert_eq!(options.linger_ms(), 1000);
    assert_eq!(options.heartbeat_interval_ms(), 1000);
    assert_eq!(options.heartbeat_timeout_ms(), 3000);
    assert_eq!(options.reconnect_interval_ms(), 50);
    assert_eq!(options.reconnect_interval_max_ms(), 1000);
    assert_eq!(options.connect_timeout_ms(), 5000);
    assert_eq!(options.handshake_timeout_ms(), 5000);
    assert_eq!(options.send_timeout_ms(), 10_000);
    assert_eq!(options.max_message_size(), 67_108_864);
    assert!(options.ipv6());
    assert!(!options.keep_latest());
    assert_eq!(options.full_queue(), None);
    assert_eq!(options.identity(), None);
    let process = options.process().expect("nothing of a handle is set");
    assert_eq!(process.io_threads(), 1);
    assert_eq!(process.max_sockets(), 65_535);
    assert_eq!(process.thread_name_prefix(), "dividere");
    for role in [
        Role::Publisher,
        Role::Subscriber,
        Role::Request,
        Role::Response,
        Role::Dealer,
        Role::Proxy,
    ] {
        assert_eq!(options.validate(role), Ok(()), "{role}");
    }
}

/// How a number that was set by key is read back.
fn read(options: &Options, key: OptionKey) -> Option<i64> {
    let (process, registry) = (&options.process, &options.registry);
    Some(match key {
        OptionKey::SendHighWaterMark => options.send_high_water_mark(),
        OptionKey::ReceiveHighWaterMark => options.receive_high_water_mark(),
        OptionKey::LingerMs => options.linger_ms(),
        OptionKey::HeartbeatIntervalMs => options.heartbeat_interval_ms(),
        OptionKey::HeartbeatTimeoutMs => options.heartbeat_timeout_ms(),
        OptionKey::ReconnectIntervalMs => options.reconnect_interval_ms(),
        OptionKey::ReconnectIntervalMaxMs => options.reconnect_interval_max_ms(),
        OptionKey::ConnectTimeoutMs => options.connect_timeout_ms(),
        OptionKey::HandshakeTimeoutMs => options.handshake_timeout_ms(),
        OptionKey::SendTimeoutMs => options.send_timeout_ms(),
        OptionKey::TcpKeepalive => i64::from(options.tcp_keepalive()?),
        OptionKey::TcpKeepaliveIdleS => options.tcp_keepalive_idle_s().unwrap_or(0),
        OptionKey::TcpKeepaliveIntervalS => options.tcp_keepalive_interval_s().unwrap_or(0),
        OptionKey::TcpKeepaliveCount => options.tcp_keepalive_count().unwrap_or(0),
        OptionKey::Ipv6 => i64::from(options.ipv6()),
        OptionKey::MaxMessageSize => options.max_message_size(),
        OptionKey::KeepLatest => i64::from(options.keep_latest()),
        OptionKey::FullQueue => options.full_queue().map_or(0, |policy| policy as i64),
        OptionKey::Backlog => options.backlog().unwrap_or(0),
        OptionKey::TypeOfService => options.type_of_service().unwrap_or(0),
        OptionKey::CurveAllowAny => i64::from(options.curve_allow_any()),
        OptionKey::IoThreads => i64::from(process.io_threads()),
        OptionKey::MaxSockets => i64::from(process.max_sockets()),
        OptionKey::RegistryLeaseMs => registry.lease_ms(),
        OptionKey::RegistryLeaseMinMs => registry.lease_min_ms(),
        OptionKey::RegistryLeaseMaxMs => registry.lease_max_ms(),
        OptionKey::RegistryMaxInstances => registry.max_instances(),
        OptionKey::RegistryMaxInstancesPerName => registry.max_instances_per_name(),
        OptionKey::RegistryMaxMetadataBytes => registry.max_metadata_bytes(),
        OptionKey::RegistryMaxWatches => registry.max_watches(),
        OptionKey::WorkerHeartbeatMs => options.balancing().heartbeat_ms(),
        OptionKey::WorkerBusyLimitMs => options.balancing().busy_limit_ms(),
        OptionKey::BrokerQueueLimit => options.balancing().queue_limit(),
        OptionKey::BrokerQueueBytes => options.balancing().queue_bytes(),
        OptionKey::WorkerCapacity => options.balancing().capacity(),
        OptionKey::ServiceQueueBytes => options.service().queue_bytes(),
        _ => return None,
    })
}

#[test]
fn numbers_are_set_within_their_range_and_refused_beyond() {
    let mut numbers = 0;
    for key in OptionKey::ALL {
        let Some(range) = key.range() else {
            assert!(text_of(Options::new().set_int(key, 1)).contains(key.name()));
            continue;
        };
        numbers += 1;
        let mut options = Options::new();
        for value in [*range.start(), *range.end()] {
            assert_eq!(options.set_int(key, value), Ok(()), "{key} = {value}");
            assert_eq!(read(&options, key), Some(value), "{key}");
        }
        let before = options.clone();
        for value in [range.start().checked_sub(1), range.end().checked_add(1), Some(i64::MIN)]
            .into_iter()
            .flatten()
        {
            let text = text_of(options.set_int(key, value));
            for part in [
                key.name(),
                &value.to_string(),
                &range.start().to_string(),
                &range.end().to_string(),
            ] {
                assert!(text.contains(part), "{part:?} is missing in {text:?}");
            }
        }
        assert_eq!(options, before, "a refused value changed {key}");
        if key != OptionKey::FullQueue {
            assert!(text_of(options.set_string(key, "1")).contains("takes a number"));
        }
        text_of(options.set_bytes(key, b"1"));
    }
    assert_eq!(numbers, 36);
}

#[test]
fn each_key_sets_its_own_option_and_no_other() {
    for key in OptionKey::ALL {
        let Some(range) = key.range() else { continue };
        let fresh = Options::new();
        let mut options = Options::new();
        let value = if read(&fresh, key) == Some(*range.end()) {
            *range.start()
        } else {
            *range.end()
        };
        options.set_int(key, value).expect("in range");
        for other in OptionKey::ALL.into_iter().filter(|other| *other != key) {
            assert_eq!(read(&options, other), read(&fresh, other), "{key} changed {other}");
        }
    }
}

#[test]
fn no_linger_without_end_and_no_limit_by_its_own_number() {
    let mut options = Options::new();
    let text = text_of(options.set_linger_ms(-1));
    assert_eq!(text, "option linger_ms = -1: 0 to 3600000 milliseconds is allowed");
    assert_eq!(options.set_send_timeout_ms(-1), Ok(()));
    assert_eq!(options.max_message_size_for_zmq(), 67_108_864);
    assert_eq!(options.max_message_size_or_unlimited(), 67_108_864);
    assert_eq!(options.set_max_message_size(0), Ok(()));
    assert_eq!(options.max_message_size_for_zmq(), -1);
    assert_eq!(options.max_message_size_or_unlimited(), usize::MAX);
}

#[test]
fn identities_fit_a_frame_and_do_not_begin_with_zero() {
    let mut options = Options::new();
    assert_eq!(options.set_string(OptionKey::Identity, "worker-1"), Ok(()));
    assert_eq!(options.set_bytes(OptionKey::Identity, &[1, 0, 255]), Ok(()));
    assert_eq!(options.set_identity([7; 255]), Ok(()));
    for wrong in [&[][..], &[0, 1], &[7; 256]] {
        assert!(text_of(options.set_bytes(OptionKey::Identity, wrong)).contains("identity"));
    }
    assert_eq!(options.identity(), Some(&[7; 255][..]));
}

#[test]
fn a_full_queue_is_a_number_or_a_word() {
    let mut options = Options::new();
    for (word, policy) in [
        ("drop", FullQueue::Drop),
        ("block", FullQueue::Block),
        ("fail", FullQueue::Fail),
    ] {
        options.set_string(OptionKey::FullQueue, word).expect("a policy");
        assert_eq!(options.full_queue(), Some(policy));
    }
    let text = text_of(options.set_string(OptionKey::FullQueue, "wait"));
    assert!(text.contains("'wait'") && text.contains("\"block\""), "{text}");
    options.set_int(OptionKey::FullQueue, 0).expect("the role's");
    assert_eq!(options.full_queue(), None);
}

#[test]
fn combinations_without_effect_are_refused() {
    let mut options = Options::new();
    options.set_reconnect_interval_ms(2000).expect("in range");
    let text = text_of(options.validate(Role::Dealer));
    assert!(
        text.contains("reconnect_interval_max_ms = 1000") && text.contains("2000"),
        "{text}"
    );
    options.set_reconnect_interval_max_ms(0).expect("in range");
    assert_eq!(options.validate(Role::Dealer), Ok(()));

    let mut options = Options::new();
    options.set_keep_latest(true);
    assert_eq!(options.validate(Role::Subscriber), Ok(()));
    assert!(text_of(options.validate(Role::Publisher)).contains("not a publisher"));

    let mut options = Options::new();
    options.set_tcp_keepalive_count(3).expect("in range");
    assert!(text_of(options.validate(Role::Request)).contains("tcp_keepalive_count = 3"));
    options.set_tcp_keepalive(true);
    assert_eq!(options.validate(Role::Request), Ok(()));
}

#[test]
fn settings_of_the_process_and_of_a_handle_are_kept_apart() {
    let mut options = Options::new();
    options.set_int(OptionKey::IoThreads, 2).expect("in range");
    options
        .set_string(OptionKey::ThreadNamePrefix, "eight888")
        .expect("8 bytes");
    let process = options.process().expect("nothing of a handle is set");
    assert_eq!((process.io_threads(), process.thread_name_prefix()), (2, "eight888"));
    assert!(text_of(options.validate(Role::Publisher)).contains("configure"));
    options.set_linger_ms(0).expect("in range");
    assert!(text_of(options.process()).contains("on each handle"));
    for wrong in ["", "nine99999", "a b", "\u{e9}", "a\n"] {
        let text = text_of(options.set_string(OptionKey::ThreadNamePrefix, wrong));
        assert!(text.contains("thread_name_prefix"), "{text}");
    }
}

#[test]
fn a_curve_server_says_whom_it_lets_in() {
    let server = KeyPair::generate().expect("CURVE is built in");
    let client = KeyPair::generate().expect("CURVE is built in");
    let mut options = Options::new();
    options
        .set_string(OptionKey::CurveServerSecretKey, &server.secret.to_z85())
        .expect("a key");
    assert_eq!(options.curve_server_secret_key(), Some(server.secret.as_bytes()));
    let text = text_of(options.validate(Role::Response));
    assert!(text.contains("curve_allow_any"), "{text}");

    let mut closed = options.clone();
    closed
        .set_bytes(OptionKey::CurveAllowedKey, client.public.as_bytes())
        .expect("a key");
    closed
        .set_bytes(OptionKey::CurveAllowedKey, server.public.as_bytes())
        .expect("a key");
    assert_eq!(closed.curve_allowed_keys().len(), 2);
    assert_eq!(closed.validate(Role::Response), Ok(()));
    closed.set_curve_allow_any(true);
    assert!(text_of(closed.validate(Role::Response)).contains("contradicts"));

    let mut open = options.clone();
    open.set_curve_allow_any(true);
    assert_eq!(open.validate(Role::Response), Ok(()));

    options.set_curve_allow_any(true);
    options.set_curve_server_public_key(server.public);
    assert!(text_of(options.validate(Role::Response)).contains("server or a CURVE client"));
}

#[test]
fn a_curve_client_has_all_its_keys_and_they_fit() {
    let server = KeyPair::generate().expect("CURVE is built in");
    let client = KeyPair::generate().expect("CURVE is built in");
    let mut options = Options::new();
    options
        .set_string(OptionKey::CurveServerPublicKey, &server.public.to_z85())
        .expect("a key");
    assert!(text_of(options.validate(Role::Request)).contains("curve_client_secret_key"));
    options
        .set_bytes(OptionKey::CurveClientSecretKey, client.secret.as_bytes())
        .expect("a key");
    assert_eq!(options.validate(Role::Request), Ok(()));
    let keys = (client.public.as_bytes(), client.secret.as_bytes());
    assert_eq!(
        options.curve_client_keys(),
        Some(keys),
        "the public key follows from the secret one"
    );
    options
        .set_string(OptionKey::CurveClientPublicKey, &server.public.to_z85())
        .expect("a key");
    let text = text_of(options.validate(Role::Request));
    assert!(
        text.contains("curve_client_public_key") && text.contains(&client.public.to_z85()),
        "{text}"
    );
    options.set_curve_client_public_key(client.public);
    assert_eq!(options.validate(Role::Request), Ok(()));

    let mut lost = Options::new();
    lost.set_curve_client_secret_key(client.secret.clone())
        .expect("CURVE is built in");
    assert!(text_of(lost.validate(Role::Request)).contains("curve_server_public_key"));
    let mut pointless = Options::new();
    pointless.add_allowed_key(client.public);
    assert!(text_of(pointless.validate(Role::Request)).contains("only a server"));
    let mut pointless = Options::new();
    pointless.set_curve_allow_any(true);
    assert!(text_of(pointless.validate(Role::Request)).contains("only a server"));
}

#[test]
fn malformed_keys_are_refused_by_name_and_secrets_are_not_shown() {
    let pair = KeyPair::generate().expect("CURVE is built in");
    let secret = pair.secret.to_z85();
    let mut options = Options::new();
    for key in [
        OptionKey::CurveServerSecretKey,
        OptionKey::CurveClientSecretKey,
        OptionKey::CurveClientPublicKey,
        OptionKey::CurveServerPublicKey,
        OptionKey::CurveAllowedKey,
    ] {
        let text = text_of(options.set_string(key, &secret[..39]));
        assert!(text.contains(key.name()) && text.contains("39"), "{text}");
        assert!(!text.contains(&secret[..39]), "{text}");
        text_of(options.set_bytes(key, &[1; 31]));
        text_of(options.set_bytes(key, &[]));
    }
    options
        .set_curve_server_secret_key(pair.secret.clone())
        .expect("CURVE is built in");
    options
        .set_curve_client_secret_key(pair.secret)
        .expect("CURVE is built in");
    assert!(!format!("{options:?}").contains(&secret));
}

#[test]
fn what_a_registry_tells_to_others_is_checked_where_it_is_set() {
    let mut options = Options::new();
    let endpoint = OptionKey::RegistryPublishEndpoint;
    let host = OptionKey::RegistryAdvertise;
    assert_eq!(options.set_string(endpoint, "tcp://127.0.0.1:*"), Ok(()));
    assert_eq!(options.registry().publish_endpoint(), Some("tcp://127.0.0.1:*"));
    assert!(text_of(options.set_string(endpoint, "nowhere")).contains("registry_publish_endpoint"));
    for good in ["10.0.0.1", "[fe80::1]", "host.example"] {
        assert_eq!(options.set_string(host, good), Ok(()), "{good}");
        assert_eq!(options.registry().advertise(), Some(good));
    }
    for bad in [
        "",
        "*",
        "a b",
        "tcp://a",
        "fe80::1",
        "a:1",
        "1.2.3.4;b",
        &"h".repeat(256),
    ] {
        assert!(
            text_of(options.set_string(host, bad)).contains("registry_advertise"),
            "{bad}"
        );
    }
    assert!(text_of(options.set_int(host, 1)).contains("text"));
    assert!(text_of(options.set_bytes(endpoint, b"tcp://a:1")).contains("not bytes"));
    // They mean nothing to a role that knows no names.
    let text = text_of(options.validate(Role::Dealer));
    assert!(text.contains("dealer"), "{text}");
    assert_eq!(options.validate(Role::RegistryClient), Ok(()));
}
