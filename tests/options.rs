//! Each option does what it says: seen in the kernel, on the wire, or in the time that something takes.

mod common;

use std::ffi::c_int;
use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use std::time::{Duration, Instant};

use common::zmtp::{Peer, COMMAND};
use common::{address, bytes, dealers, next_event, port_of, role, soon, typed, Process, LIMIT, LIMIT_MS};
use dividere::connection::events::EventKind;
use dividere::{Channel, Deadline, Dealer, Message, Options, ProcessOptions, Response, Status};

/// libzmq's clock, looked at now and then, lets a time of so many milliseconds end a little early.
fn nearly(ms: u64) -> Duration {
    Duration::from_millis(ms * 9 / 10)
}

/// Descriptors of this process that are TCP sockets between these ports; 0 is any, and none for a listener.
fn tcp_sockets(local: u16, remote: Option<u16>) -> Vec<RawFd> {
    let port = |address: std::io::Result<SocketAddr>| address.ok().map(|address| address.port());
    let fits = |fd: &RawFd| {
        // SAFETY: never closed by the stream; what is no TCP socket has no TCP addresses.
        let stream = std::mem::ManuallyDrop::new(unsafe { TcpStream::from_raw_fd(*fd) });
        port(stream.local_addr()) == Some(local) && port(stream.peer_addr()) == remote
    };
    let descriptors = std::fs::read_dir("/proc/self/fd").unwrap();
    descriptors
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok())
        .filter(fits)
        .collect()
}

fn socket_option(fd: RawFd, level: c_int, option: c_int) -> c_int {
    let mut value: c_int = 0;
    let mut size = std::mem::size_of::<c_int>() as libc::socklen_t;
    // SAFETY: the output is an int and its size.
    let rc = unsafe { libc::getsockopt(fd, level, option, (&mut value as *mut c_int).cast(), &mut size) };
    assert_eq!(rc, 0);
    value
}

/// An address that refuses connections, as long as the socket is kept.
fn refusing() -> (TcpListener, String) {
    // SAFETY: plain system calls; the descriptor is owned by what is returned.
    let listener = unsafe {
        let fd = libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0);
        assert!(fd >= 0);
        let listener = TcpListener::from_raw_fd(fd);
        let mut any: libc::sockaddr_in = std::mem::zeroed();
        any.sin_family = libc::AF_INET as u16;
        any.sin_addr.s_addr = u32::from_ne_bytes([127, 0, 0, 1]);
        let size = std::mem::size_of_val(&any) as u32;
        assert_eq!(libc::bind(fd, (&any as *const libc::sockaddr_in).cast(), size), 0);
        listener
    };
    let at = format!(">tcp://{}", listener.local_addr().unwrap());
    (listener, at)
}

#[test]
fn tcp_keepalive_and_type_of_service_reach_the_kernel_on_both_sides() {
    let mut options = Options::new();
    options.set_tcp_keepalive(true);
    options.set_tcp_keepalive_idle_s(77).unwrap();
    options.set_tcp_keepalive_interval_s(11).unwrap();
    options.set_tcp_keepalive_count(5).unwrap();
    options.set_type_of_service(0x10).unwrap();
    let values = |fd: &RawFd| {
        (
            socket_option(*fd, libc::SOL_SOCKET, libc::SO_KEEPALIVE),
            socket_option(*fd, libc::IPPROTO_TCP, libc::TCP_KEEPIDLE),
            socket_option(*fd, libc::IPPROTO_TCP, libc::TCP_KEEPINTVL),
            socket_option(*fd, libc::IPPROTO_TCP, libc::TCP_KEEPCNT),
            socket_option(*fd, libc::IPPROTO_IP, libc::IP_TOS),
        )
    };
    for (options, expected) in [(&options, Some((1, 77, 11, 5, 0x10))), (&Options::new(), None)] {
        let (left, right) = dealers("tcp", options);
        let connected = next_event(&left.events(), EventKind::Connected);
        right.wait_connected(0, soon()).unwrap();
        let (bound, other) = (port_of(&left.last_endpoint().unwrap()), port_of(&connected.peer));
        for (local, remote) in [(bound, other), (other, bound)] {
            let found = tcp_sockets(local, Some(remote));
            assert_eq!(found.len(), 1);
            match expected {
                Some(expected) => assert_eq!(values(&found[0]), expected),
                None => assert_eq!((values(&found[0]).0, values(&found[0]).4), (0, 0)),
            }
        }
    }
}

#[test]
fn the_backlog_reaches_the_kernel() {
    let mut options = Options::new();
    options.set_backlog(7).unwrap();
    let dealer = Dealer::new("@tcp://127.0.0.1:*", &options).unwrap();
    let listener = tcp_sockets(port_of(&dealer.last_endpoint().unwrap()), None);
    assert_eq!(listener.len(), 1);
    // SAFETY: the output is this structure and its size.
    let info = unsafe {
        let mut info: libc::tcp_info = std::mem::zeroed();
        let mut size = std::mem::size_of_val(&info) as u32;
        let out = (&mut info as *mut libc::tcp_info).cast();
        assert_eq!(
            libc::getsockopt(listener[0], libc::IPPROTO_TCP, libc::TCP_INFO, out, &mut size),
            0
        );
        info
    };
    // Of a listener, that is its backlog.
    assert_eq!(info.tcpi_sacked, 7);
}

#[test]
fn the_identity_is_what_peers_route_to() {
    let response = Response::new("tcp://127.0.0.1:*", &Options::new()).unwrap();
    let identity_of = |options: &Options| {
        let dealer = Dealer::new(&address(&response), options).unwrap();
        dealer.send_with_empty_frame(&mut typed("a.A", b"")).unwrap();
        let mut message = Message::new();
        response.recv(&mut message, soon()).unwrap();
        let identity = message.route()[0].bytes().to_vec();
        response.send(&mut typed("a.A", b"")).unwrap();
        dealer.recv(&mut message, soon()).unwrap();
        identity
    };
    let mut named = Options::new();
    for identity in [&b"x"[..], &[0xff; 255], "Zürich".as_bytes()] {
        named.set_identity(identity).unwrap();
        assert_eq!(identity_of(&named), identity);
    }
    // As dividere 2.2.0 does it: a UUID as text, another each time.
    let (one, other) = (identity_of(&Options::new()), identity_of(&Options::new()));
    assert_ne!(one, other);
    for identity in [one, other] {
        let text = String::from_utf8(identity).unwrap();
        let parts: Vec<usize> = text.split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12], "{text}");
    }
}

#[test]
fn the_pause_between_attempts_doubles_up_to_the_longest() {
    const SHORTEST: i32 = 10;
    let (_reserved, at) = refusing();
    for (longest, expected) in [(40, [10, 20, 40, 40, 40, 40]), (0, [10; 6])] {
        let mut options = Options::new();
        options.set_reconnect_interval_ms(i64::from(SHORTEST)).unwrap();
        options.set_reconnect_interval_max_ms(longest).unwrap();
        let dealer = Dealer::new(&at, &options).unwrap();
        let begin = Instant::now();
        let mut total = 0;
        for pause in expected {
            let told = next_event(&dealer.events(), EventKind::Retried);
            // The event comes before the pause that it tells of; chance adds up to the shortest pause.
            assert!(begin.elapsed() >= nearly(total), "{told}");
            assert!((pause..pause + SHORTEST).contains(&told.code), "{pause}: {told}");
            total += told.code as u64;
        }
    }
}

#[test]
fn an_attempt_to_connect_takes_no_longer_than_its_time() {
    // A listener whose queue is full lets connections wait: the kernel drops what asks for more.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    // SAFETY: a plain system call on a listener of ours.
    assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), 0) }, 0);
    let at = listener.local_addr().unwrap();
    let filling: Vec<_> = std::iter::from_fn(|| TcpStream::connect_timeout(&at, Duration::from_millis(200)).ok())
        .take(16)
        .collect();
    assert!(filling.len() < 16);
    let connecting = |timeout_ms| {
        let mut options = Options::new();
        options.set_connect_timeout_ms(timeout_ms).unwrap();
        options.set_reconnect_interval_ms(1).unwrap();
        options.set_reconnect_interval_max_ms(0).unwrap();
        Dealer::new(&format!(">tcp://{at}"), &options).unwrap()
    };
    let patient = connecting(3_600_000);
    let begin = Instant::now();
    let dealer = connecting(60);
    for attempt in 1..=5 {
        next_event(&dealer.events(), EventKind::Retried);
        assert!(begin.elapsed() >= nearly(60 * attempt));
    }
    assert_eq!(patient.events().recv(0).unwrap_err().status(), Status::WouldBlock);
}

#[test]
fn a_handshake_takes_no_longer_than_its_time_on_either_side() {
    let with = |timeout_ms| {
        let mut options = Options::new();
        options.set_handshake_timeout_ms(timeout_ms).unwrap();
        options
    };
    // Nobody says a word.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = format!(">tcp://{}", listener.local_addr().unwrap());
    let bound = Dealer::new("@tcp://127.0.0.1:*", &with(50)).unwrap();
    let connected = Dealer::new(&at, &with(50)).unwrap();
    let patient = Dealer::new("@tcp://127.0.0.1:*", &with(LIMIT_MS)).unwrap();
    next_event(&patient.events(), EventKind::Listening);
    let mut silent = Peer::connect(&bound.last_endpoint().unwrap());
    let _waited_for = Peer::connect(&patient.last_endpoint().unwrap());
    next_event(&patient.events(), EventKind::Accepted);
    for (dealer, peer) in [
        (&bound, &mut silent),
        (&connected, &mut Peer::accept(&listener).unwrap()),
    ] {
        let told = next_event(&dealer.events(), EventKind::HandshakeFailed);
        assert_eq!(told.code, Status::Handshake as i32, "{told}");
        peer.read_to_the_end().unwrap();
    }
    assert_eq!(patient.events().recv(0).unwrap_err().status(), Status::WouldBlock);
}

#[test]
fn heartbeats_find_a_silent_peer_and_none_are_sent_unasked() {
    let with = |interval_ms| {
        let mut options = Options::new();
        options.set_heartbeat_interval_ms(interval_ms).unwrap();
        options.set_heartbeat_timeout_ms(300).unwrap();
        options
    };
    let asking = Dealer::new("@tcp://127.0.0.1:*", &with(50)).unwrap();
    let begin = Instant::now();
    let mut silent = Peer::connect(&asking.last_endpoint().unwrap());
    silent.shake_hands("DEALER").unwrap();
    let (flags, ping) = silent.recv().unwrap();
    assert!(flags & COMMAND != 0 && ping.starts_with(b"\x04PING"), "{ping:?}");
    // In tenths of a second: the interval and the timeout.
    assert_eq!(u16::from_be_bytes([ping[5], ping[6]]), 3);
    assert!(begin.elapsed() >= nearly(50));
    next_event(&asking.events(), EventKind::Disconnected);
    assert!(begin.elapsed() >= nearly(300));

    let quiet = Dealer::new("@tcp://127.0.0.1:*", &with(0)).unwrap();
    let mut silent = Peer::connect(&quiet.last_endpoint().unwrap());
    silent.shake_hands("DEALER").unwrap();
    next_event(&quiet.events(), EventKind::Connected);
    let lull = quiet.events().recv(700).unwrap_err();
    assert_eq!(lull.status(), Status::Timeout);
    // The first that it hears is a message.
    quiet.send(&mut bytes(b"1")).unwrap();
    assert_eq!(silent.recv().unwrap(), (0, b"1".to_vec()));
}

#[test]
fn ipv6_is_used_beside_ipv4_unless_it_is_turned_off() {
    let mut only_ipv4 = Options::new();
    only_ipv4.set_ipv6(false);
    for (options, both) in [(&Options::new(), true), (&only_ipv4, false)] {
        let server = Dealer::new("@tcp://*:*", options).unwrap();
        let port = port_of(&server.last_endpoint().unwrap());
        let mut hosts = vec!["127.0.0.1", "localhost"];
        assert_eq!(TcpStream::connect((Ipv6Addr::LOCALHOST, port)).is_ok(), both);
        if both {
            hosts.push("[::1]");
        }
        for host in hosts {
            let client = Dealer::new(&format!(">tcp://{host}:{port}"), options).unwrap();
            client.send(&mut bytes(host.as_bytes())).unwrap();
            let mut message = Message::new();
            server.recv_bytes(&mut message, soon()).unwrap();
            assert_eq!(message.bytes(), host.as_bytes());
        }
    }
}

#[test]
fn a_closed_handle_goes_on_sending_for_the_linger_time() {
    /// How long a connection to somebody who never shakes hands outlives the close of a dealer with messages.
    fn outlived(linger_ms: i64) -> Duration {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut options = Options::new();
        options.set_linger_ms(linger_ms).unwrap();
        options.set_handshake_timeout_ms(LIMIT_MS).unwrap();
        let dealer = Dealer::new(&format!(">tcp://{}", listener.local_addr().unwrap()), &options).unwrap();
        dealer.send(&mut bytes(b"1")).unwrap();
        let mut peer = Peer::accept(&listener).unwrap();
        let begin = Instant::now();
        dealer.close().unwrap();
        // Closing itself waits for nobody.
        assert!(begin.elapsed() < LIMIT / 4);
        peer.read_to_the_end().unwrap();
        begin.elapsed()
    }
    assert!(outlived(400) >= nearly(400));
    // Not the second that is usual.
    let tries: Vec<Duration> = (0..5).map(|_| outlived(0)).collect();
    assert!(tries.iter().any(|time| *time < Duration::from_millis(400)), "{tries:?}");
}

#[test]
fn options_of_the_process_are_set_before_its_first_handle() {
    if role().is_none() {
        return Process::start("options_of_the_process_are_set_before_its_first_handle", "set", "").succeeds();
    }
    const MOST: usize = 20;
    let mut options = ProcessOptions::default();
    options.set_io_threads(3).unwrap();
    options.set_max_sockets(MOST as i64).unwrap();
    options.set_thread_name_prefix("mine").unwrap();
    dividere::configure(&options).unwrap();
    let mut open: Vec<Dealer> = Vec::new();
    let error = loop {
        match Dealer::new("@tcp://127.0.0.1:*", &Options::new()) {
            Ok(dealer) => open.push(dealer),
            Err(error) => break error,
        }
    };
    assert_eq!(error.status(), Status::Limit, "{error}");
    // A handle and its monitor take three.
    assert!((MOST / 4..=MOST / 3).contains(&open.len()), "{}", open.len());
    // Each thread names itself when it begins to run.
    let deadline = Deadline::after(LIMIT);
    loop {
        let names: Vec<String> = std::fs::read_dir("/proc/self/task")
            .unwrap()
            .map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")).unwrap())
            .collect();
        let count = |begin: &str| names.iter().filter(|name| name.starts_with(begin)).count();
        assert_eq!(count("dividere"), 0, "{names:?}");
        if (count("mine/ZMQbg/IO"), count("mine/ZMQbg/Reap"), count("mine-svc")) == (3, 1, 1) {
            break;
        }
        assert!(!deadline.is_over(), "{names:?}");
        std::thread::yield_now();
    }
    assert_eq!(dividere::configure(&options).unwrap_err().status(), Status::State);
    // Those that are closed make room for others.
    drop(open);
    let deadline = Deadline::after(LIMIT);
    while let Err(error) = Dealer::new("@tcp://127.0.0.1:*", &Options::new()) {
        assert_eq!(error.status(), Status::Limit, "{error}");
        assert!(!deadline.is_over());
        std::thread::yield_now();
    }
}
