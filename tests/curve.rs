//! CURVE: what is sent cannot be read on the way, only those come in who are let in, and who does not is told why, on
//! both sides.

mod common;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Condvar, Mutex, Once};

use common::{address, bytes, endpoint, next_event, role, soon, typed, Process, LIMIT, LIMIT_MS, TRANSPORTS};
use dividere::connection::endpoint::Endpoint;
use dividere::connection::events::{Event, EventKind};
use dividere::connection::keys::{KeyPair, PublicKey, SecretKey};
use dividere::connection::log::{set_log_callback, Level};
use dividere::{Channel, Dealer, Filter, Message, Options, Publisher, Request, Response, Status, Subscriber};

fn pair() -> KeyPair {
    KeyPair::generate().unwrap()
}

/// Tries again within milliseconds.
fn quick() -> Options {
    let mut options = Options::new();
    options.set_reconnect_interval_ms(5).unwrap();
    options.set_reconnect_interval_max_ms(50).unwrap();
    options
}

/// A server with this key pair that lets these clients in.
fn server(keys: &KeyPair, allowed: &[&KeyPair]) -> Options {
    let mut options = quick();
    options.set_curve_server_secret_key(keys.secret.clone()).unwrap();
    for client in allowed {
        options.add_allowed_key(client.public);
    }
    options
}

/// A server that lets in everybody who knows its public key.
fn open_server(keys: &KeyPair) -> Options {
    let mut options = server(keys, &[]);
    options.set_curve_allow_any(true);
    options
}

fn client(keys: &KeyPair, server: PublicKey) -> Options {
    let mut options = quick();
    options.set_curve_client_secret_key(keys.secret.clone()).unwrap();
    options.set_curve_server_public_key(server);
    options
}

fn exchange(from: &dyn Channel, to: &dyn Channel, content: &[u8]) {
    from.send(&mut bytes(content)).unwrap();
    let mut message = Message::new();
    to.recv_bytes(&mut message, soon()).unwrap();
    assert_eq!(message.bytes(), content);
}

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());
static LOGGED: Condvar = Condvar::new();

/// Collects the log of the process from now on.
fn collect_log() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let collect = |level: Level, target: &str, line: &str| {
            LINES.lock().unwrap().push(format!("{level} {target} {line}"));
            LOGGED.notify_all();
        };
        set_log_callback(Level::Warning, Some(Box::new(collect)));
    });
}

/// Waits until so many lines of the log contain `text`: a line is written a moment after its event.
fn wait_for_lines(text: &str, count: usize) {
    let missing = |lines: &mut Vec<String>| lines.iter().filter(|line| line.contains(text)).count() < count;
    let (lines, waited) = LOGGED
        .wait_timeout_while(LINES.lock().unwrap(), LIMIT, missing)
        .unwrap();
    assert!(!waited.timed_out(), "not {count} lines with '{text}' in {lines:#?}");
}

fn failed_with(channel: &dyn Channel, status: Status) -> Event {
    let event = next_event(&channel.events(), EventKind::HandshakeFailed);
    assert_eq!(event.code, status as i32, "{event}");
    event
}

#[test]
fn every_role_talks_encrypted_whichever_side_binds() {
    let (server_keys, client_keys) = (pair(), pair());
    let (server, client) = (
        server(&server_keys, &[&client_keys]),
        client(&client_keys, server_keys.public),
    );
    for transport in ["tcp", "ipc"] {
        for (bound, connected) in [(&server, &client), (&client, &server)] {
            let publisher = Publisher::new(&endpoint(transport), bound).unwrap();
            let subscriber = Subscriber::new(&address(&publisher), Filter::All, connected).unwrap();
            publisher.wait_for_subscribers(None, 1, soon()).unwrap();
            exchange(&publisher, &subscriber, b"published");

            let response = Response::new(&endpoint(transport), bound).unwrap();
            let request = Request::new(&address(&response), connected).unwrap();
            request.send(&mut typed("a.A", b"question")).unwrap();
            let mut message = Message::new();
            response.recv(&mut message, soon()).unwrap();
            message.reply(&mut typed("a.A", b"answer")).unwrap();
            request.recv(&mut message, soon()).unwrap();
            assert_eq!(message.payload(), b"answer");

            let left = Dealer::new(&endpoint(transport), bound).unwrap();
            let right = Dealer::new(&address(&left), connected).unwrap();
            exchange(&left, &right, b"to the right");
            exchange(&right, &left, b"to the left");
        }
    }
}

#[test]
fn what_is_sent_cannot_be_read_on_the_way() {
    const SECRET: &[u8] = b"a text that nobody else may read";
    /// What went either way, once between a left and a right dealer.
    fn overheard(left: &Options, right: &Options) -> Vec<u8> {
        let left = Dealer::new("@tcp://127.0.0.1:*", left).unwrap();
        let behind = left.last_endpoint().unwrap().trim_start_matches("tcp://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let wire = Mutex::new(Vec::new());
        let pass = |mut from: TcpStream, mut to: TcpStream| {
            let mut buffer = [0; 4096];
            loop {
                match from.read(&mut buffer) {
                    Ok(count) if count > 0 => {
                        wire.lock().unwrap().extend_from_slice(&buffer[..count]);
                        to.write_all(&buffer[..count]).unwrap();
                    }
                    _ => break,
                }
            }
            // The other direction ends, too.
            let _ended_already = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
        };
        std::thread::scope(|scope| {
            let right = Dealer::new(&format!(">tcp://{at}"), right).unwrap();
            let (front, _) = listener.accept().unwrap();
            let back = TcpStream::connect(behind).unwrap();
            let (front_again, back_again) = (front.try_clone().unwrap(), back.try_clone().unwrap());
            scope.spawn(|| pass(front, back));
            scope.spawn(|| pass(back_again, front_again));
            exchange(&left, &right, SECRET);
            exchange(&right, &left, SECRET);
            left.close().unwrap();
            right.close().unwrap();
        });
        wire.into_inner().unwrap()
    }
    let contains_it = |wire: &[u8]| wire.windows(SECRET.len()).any(|window| window == SECRET);
    assert!(contains_it(&overheard(&quick(), &quick())));
    let (server_keys, client_keys) = (pair(), pair());
    let encrypted = overheard(
        &server(&server_keys, &[&client_keys]),
        &client(&client_keys, server_keys.public),
    );
    assert!(encrypted.len() > 2 * SECRET.len());
    assert!(!contains_it(&encrypted));
}

#[test]
fn a_refused_key_is_permission_at_once_with_an_event_and_a_line_on_both_sides() {
    collect_log();
    let (server_keys, allowed, stranger) = (pair(), pair(), pair());
    let server = Response::new("tcp://127.0.0.1:*", &server(&server_keys, &[&allowed])).unwrap();
    let at = server.last_endpoint().unwrap();
    let refused = client(&stranger, server_keys.public);

    let dealer = Dealer::new(&format!(">{at}"), &refused).unwrap();
    let error = dealer.wait_connected(0, soon()).unwrap_err();
    assert_eq!(error.status(), Status::Permission);
    assert!(error.text().contains(&at) && error.text().contains("key"), "{error}");
    let told_client = failed_with(&dealer, Status::Permission);
    let told = failed_with(&server, Status::Permission);
    assert_eq!((&told_client.endpoint, &told.endpoint), (&at, &at));
    assert!(told.peer.starts_with("tcp://127.0.0.1:"), "{told}");
    assert_eq!(server.statistics().unwrap().peers, 0);
    // A line from each, and one from whoever checks the keys.
    let (by_client, by_server) = (told_client.to_string(), told.to_string());
    let each = if by_client == by_server { 2 } else { 1 };
    wait_for_lines(&format!("warning events {by_client}"), each);
    wait_for_lines(&format!("warning events {by_server}"), each);
    wait_for_lines("warning keys refused a client at 127.0.0.1", 1);

    // Calls say it, too, and do not wait for their time to pass.
    let request = Request::new(&at, &refused).unwrap();
    let mut reply = Message::new();
    let error = request.call(&mut bytes(b"?"), &mut reply, LIMIT_MS, 3).unwrap_err();
    assert_eq!(error.status(), Status::Permission);
    assert_eq!(request.send(&mut bytes(b"?")).unwrap_err().status(), Status::Permission);
    assert_eq!(
        request.wait_connected(1, soon()).unwrap_err().status(),
        Status::Permission
    );

    // Whoever is allowed comes in meanwhile.
    let good = Dealer::new(&format!(">{at}"), &client(&allowed, server_keys.public)).unwrap();
    good.send_with_empty_frame(&mut typed("a.A", b"1")).unwrap();
    server.recv(&mut reply, soon()).unwrap();
    assert_eq!(reply.payload(), b"1");
    server.wait_connected(1, soon()).unwrap();
    assert_eq!(server.statistics().unwrap().peers, 1);
}

#[test]
fn a_client_with_another_servers_key_fails_with_handshake() {
    let (server_keys, client_keys) = (pair(), pair());
    let server = Dealer::new("@tcp://127.0.0.1:*", &server(&server_keys, &[&client_keys])).unwrap();
    let wrong = Dealer::new(&address(&server), &client(&client_keys, pair().public)).unwrap();
    let error = wrong.wait_connected(0, soon()).unwrap_err();
    assert_eq!(error.status(), Status::Handshake, "{error}");
    failed_with(&wrong, Status::Handshake);
    // Only the server can tell what it was.
    failed_with(&server, Status::Permission);
    assert_eq!(server.statistics().unwrap().peers, 0);
}

#[test]
fn one_side_with_keys_and_the_other_without_is_a_failed_handshake() {
    let (server_keys, client_keys) = (pair(), pair());
    let (server, client) = (open_server(&server_keys), client(&client_keys, server_keys.public));
    for (bound, connected) in [
        (&server, &quick()),
        (&quick(), &client),
        (&client, &quick()),
        (&quick(), &server),
    ] {
        let left = Dealer::new("@tcp://127.0.0.1:*", bound).unwrap();
        let right = Dealer::new(&address(&left), connected).unwrap();
        let error = right.wait_connected(0, soon()).unwrap_err();
        assert_eq!(error.status(), Status::Handshake, "{error}");
        failed_with(&right, Status::Handshake);
        failed_with(&left, Status::Handshake);
        assert_eq!(left.statistics().unwrap().peers, 0);
    }
}

#[test]
fn each_server_has_an_allow_list_of_its_own() {
    let (one_keys, other_keys) = (pair(), pair());
    let clients: Vec<KeyPair> = (0..8).map(|_| pair()).collect();
    let (first, second): (Vec<_>, Vec<_>) = clients.iter().enumerate().partition(|(i, _)| i % 2 == 0);
    let keys_of = |list: &[(usize, &KeyPair)]| list.iter().map(|(_, keys)| (*keys).clone()).collect::<Vec<_>>();
    let (first, second) = (keys_of(&first), keys_of(&second));
    let one = Dealer::new(
        "@tcp://127.0.0.1:*",
        &server(&one_keys, &first.iter().collect::<Vec<_>>()),
    )
    .unwrap();
    let other = Dealer::new(
        "@tcp://127.0.0.1:*",
        &server(&other_keys, &second.iter().collect::<Vec<_>>()),
    )
    .unwrap();
    for (at, keys, allowed, refused) in [
        (&one, &one_keys, &first, &second),
        (&other, &other_keys, &second, &first),
    ] {
        let connect = |client_keys| Dealer::new(&address(at), &client(client_keys, keys.public)).unwrap();
        let (inside, outside): (Vec<_>, Vec<_>) = (
            allowed.iter().map(connect).collect(),
            refused.iter().map(connect).collect(),
        );
        for dealer in &inside {
            dealer.wait_connected(0, soon()).unwrap();
        }
        for dealer in &outside {
            let error = dealer.wait_connected(0, soon()).unwrap_err();
            assert_eq!(error.status(), Status::Permission);
        }
        at.wait_connected(allowed.len(), soon()).unwrap();
        assert_eq!(at.statistics().unwrap().peers, allowed.len() as u64);
        for (number, dealer) in inside.iter().enumerate() {
            exchange(dealer, at, &[number as u8]);
        }
    }
}

#[test]
fn an_open_server_lets_in_whoever_knows_its_key() {
    let keys = pair();
    let server = Dealer::new("@tcp://127.0.0.1:*", &open_server(&keys)).unwrap();
    for number in 0..5 {
        let dealer = Dealer::new(&address(&server), &client(&pair(), keys.public)).unwrap();
        exchange(&dealer, &server, &[number]);
    }
}

#[test]
fn a_server_that_says_for_nobody_whom_it_lets_in_cannot_be_made() {
    for transport in TRANSPORTS {
        let refused = Dealer::new(&endpoint(transport), &server(&pair(), &[])).err().unwrap();
        assert_eq!(refused.status(), Status::InvalidArgument);
        assert!(refused.text().contains("curve_allowed_key"), "{refused}");
    }
}

#[test]
fn keys_are_refused_where_nobody_would_check_them() {
    let keys = pair();
    let unsupported = |outcome: dividere::Result<()>| {
        let refused = outcome.unwrap_err();
        assert_eq!(refused.status(), Status::Unsupported, "{refused}");
        assert!(refused.text().contains("inproc"), "{refused}");
    };
    let at = endpoint("inproc");
    let free = Dealer::new(&at, &quick()).unwrap();
    for options in [open_server(&keys), client(&pair(), keys.public)] {
        unsupported(Dealer::new(&endpoint("inproc"), &options).map(drop));
        unsupported(Dealer::new(&address(&free), &options).map(drop));
        // Nor later on, and what was there before goes on.
        let dealer = Dealer::new("@tcp://127.0.0.1:*", &options).unwrap();
        unsupported(dealer.attach(&Endpoint::parse(&address(&free)).unwrap()));
        unsupported(dealer.attach(&Endpoint::parse(&endpoint("inproc")).unwrap()));
        assert_eq!(dealer.endpoints().len(), 1);
    }
}

#[test]
fn generated_keys_travel_as_text_and_as_bytes() {
    let keys = pair();
    let text = (keys.public.to_z85(), keys.secret.to_z85());
    assert_eq!((text.0.len(), text.1.len()), (40, 40));
    let read = KeyPair {
        public: PublicKey::from_z85(&text.0).unwrap(),
        secret: SecretKey::from_bytes(keys.secret.as_bytes()).unwrap(),
    };
    assert_eq!(read, keys);
    assert_eq!(SecretKey::from_z85(&text.1).unwrap().public().unwrap(), keys.public);
    let others: std::collections::HashSet<_> = (0..100).map(|_| pair().public).collect();
    assert_eq!(others.len(), 100);
    assert!(!others.contains(&keys.public));
    // And they open what they are for.
    let client_keys = pair();
    let server = Dealer::new("@tcp://127.0.0.1:*", &server(&read, &[&client_keys])).unwrap();
    let dealer = Dealer::new(&address(&server), &client(&client_keys, keys.public)).unwrap();
    exchange(&dealer, &server, b"1");
}

/// Keys are checked by one thread of the process, which a child does not have, and which a shutdown ends.
#[test]
fn keys_are_checked_in_a_forked_child_and_after_a_shutdown() {
    const TEST: &str = "keys_are_checked_in_a_forked_child_and_after_a_shutdown";
    fn checked() {
        let (server_keys, allowed, stranger) = (pair(), pair(), pair());
        let server = Dealer::new("@tcp://127.0.0.1:*", &server(&server_keys, &[&allowed])).unwrap();
        let good = Dealer::new(&address(&server), &client(&allowed, server_keys.public)).unwrap();
        exchange(&good, &server, b"1");
        let bad = Dealer::new(&address(&server), &client(&stranger, server_keys.public)).unwrap();
        assert_eq!(bad.wait_connected(0, soon()).unwrap_err().status(), Status::Permission);
    }
    if role().is_none() {
        return Process::start(TEST, "check", "").succeeds();
    }
    checked();
    // SAFETY: the test's other thread only waits for this one.
    match unsafe { libc::fork() } {
        0 => {
            let passed = std::panic::catch_unwind(checked).is_ok();
            // SAFETY: ends this process.
            unsafe { libc::_exit(if passed { 0 } else { 1 }) };
        }
        child => {
            let mut status = -1;
            // SAFETY: our own child.
            while unsafe { libc::waitpid(child, &mut status, 0) } != child {}
            assert_eq!(status, 0);
        }
    }
    checked();
    dividere::shutdown(None);
    checked();
}
