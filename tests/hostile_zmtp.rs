//! No input from the network ends the process or a role: each role, bound and connecting, is fed hostile bytes, and goes
//! on serving a good peer, whose connection never breaks.

mod common;

use std::net::{Shutdown, TcpListener};

use common::hostile::{conversations, greetings, handshakes, mutation, Random};
use common::zmtp::{greeting, ready, Peer};
use common::{address, bytes, soon, ClosedWhenDropped, LIMIT_MS};
use dividere::connection::keys::KeyPair;
use dividere::{
    Channel, Deadline, Dealer, Filter, Message, Options, Proxy, ProxyKind, Publisher, Request, Response, Status,
    Subscriber,
};

const ANY: &str = "@tcp://127.0.0.1:*";
/// Of each role that is bound; a connection that has to be begun anew takes longer.
const MUTATIONS: usize = 200;
const MUTATIONS_CONNECTING: usize = 30;

fn quick() -> Options {
    let mut options = Options::new();
    options.set_reconnect_interval_ms(1).unwrap();
    options.set_reconnect_interval_max_ms(2).unwrap();
    // Who does not read at once still takes in everything, and notices the end of a connection.
    options.set_receive_high_water_mark(0).unwrap();
    options
}

/// All that is said to a role whose peers are sockets of these types.
fn everything(random: &mut Random, socket_types: &[&str], mutations: usize) -> Vec<Vec<u8>> {
    let mut all = greetings(random);
    for socket_type in socket_types {
        let greeted = handshakes(random, socket_type);
        all.extend(greeted.into_iter().map(|said| [greeting(), said].concat()));
        let begin = [greeting(), ready(socket_type)].concat();
        let talked = conversations(random);
        all.extend(talked.into_iter().map(|said| [&begin[..], &said[..]].concat()));
        all.extend((0..mutations).map(|_| mutation(random, socket_type)));
    }
    all
}

/// Says it, all at once or in two parts, and waits until the other side has ended the connection.
fn say(random: &mut Random, mut peer: Peer, said: &[u8]) {
    let (first, second) = said.split_at(random.below(said.len() + 1));
    // The other side may have had enough before the end.
    let _heard = peer.write(first).and_then(|()| peer.write(second));
    let _ended_already = peer.0.shutdown(Shutdown::Write);
    peer.read_to_the_end()
        .unwrap_or_else(|error| panic!("{error} after: {}", said.escape_ascii()));
}

/// Attacks what is bound to `endpoint`; `check` is done now and then, and at the end.
fn attack_bound(endpoint: &str, socket_types: &[&str], mut check: impl FnMut()) {
    const CHECK_EVERY: usize = 10;
    let mut random = Random::new();
    check();
    for (number, said) in everything(&mut random, socket_types, MUTATIONS).iter().enumerate() {
        say(&mut random, Peer::connect(endpoint), said);
        if number % CHECK_EVERY == 0 {
            check();
        }
    }
    check();
}

/// Attacks whoever connects to the endpoint that `check` is made for.
fn attack_connecting(socket_types: &[&str], check: impl FnOnce(&str) -> Box<dyn FnMut() + Send>) {
    const CHECK_EVERY: usize = 10;
    let mut random = Random::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut check = check(&format!("tcp://{}", listener.local_addr().unwrap()));
    let mut before = Vec::new();
    for (number, said) in everything(&mut random, socket_types, MUTATIONS_CONNECTING)
        .into_iter()
        .enumerate()
    {
        let Some(peer) = Peer::accept(&listener) else {
            panic!("no connection any more, after: {}", before.escape_ascii());
        };
        say(&mut random, peer, &said);
        before = said;
        if number % CHECK_EVERY == 0 {
            check();
        }
    }
    check();
}

/// Receives until it is what the good peer sent: a hostile peer's messages come in between.
fn receive(channel: &dyn Channel, wanted: &[u8]) {
    let mut message = Message::new();
    loop {
        match channel.recv(&mut message, soon()) {
            Ok(()) => {}
            Err(error) if error.status() == Status::Decode => {}
            Err(error) => panic!("{}: {error}", channel.role()),
        }
        if message.bytes() == wanted {
            return;
        }
    }
}

fn unbroken(good: &dyn Channel) {
    assert_eq!(good.statistics().unwrap().reconnects, 0, "{}", good.role());
}

/// A message that `good` sends to `role` arrives.
fn arrives(good: &dyn Channel, role: &dyn Channel) {
    let content = b"from a good peer";
    good.send(&mut bytes(content)).unwrap();
    receive(role, content);
    unbroken(good);
}

/// Answers with what was asked, until it is closed.
fn echo(response: &dyn Channel) {
    let mut message = Message::new();
    loop {
        match response.recv_bytes(&mut message, Deadline::Never) {
            Ok(()) => {}
            Err(error) if error.status() == Status::Closed => return,
            Err(error) => panic!("{error}"),
        }
        let content = message.bytes().to_vec();
        match message.reply(&mut bytes(&content)) {
            Ok(()) => {}
            // Of a hostile peer that is gone.
            Err(error) => assert_eq!(error.status(), Status::Unreachable, "{error}"),
        }
    }
}

/// A hostile peer may get a request, and never answer: so it is sent again.
fn is_answered(request: &Request, timeout_ms: i64, retries: u32) {
    let mut reply = Message::new();
    request
        .call(&mut bytes(b"question"), &mut reply, timeout_ms, retries)
        .unwrap();
    assert_eq!(reply.bytes(), b"question");
}

#[test]
fn a_bound_publisher_survives() {
    let publisher = Publisher::new(ANY, &quick()).unwrap();
    let good = Subscriber::new(&address(&publisher), Filter::All, &quick()).unwrap();
    publisher.wait_for_subscribers(None, 1, soon()).unwrap();
    attack_bound(&publisher.last_endpoint().unwrap(), &["SUB", "XSUB"], || {
        publisher.send(&mut bytes(b"published")).unwrap();
        receive(&good, b"published");
        unbroken(&good);
    });
    // Nobody is counted who is gone.
    let deadline = soon();
    while publisher.subscribers(None).unwrap() != 1 || publisher.statistics().unwrap().peers != 1 {
        assert!(!deadline.is_over(), "{:?}", publisher.statistics());
        std::thread::yield_now();
    }
}

#[test]
fn a_bound_subscriber_survives() {
    let subscriber = Subscriber::new(ANY, Filter::All, &quick()).unwrap();
    let good = Publisher::new(&address(&subscriber), &quick()).unwrap();
    good.wait_for_subscribers(None, 1, soon()).unwrap();
    attack_bound(&subscriber.last_endpoint().unwrap(), &["PUB", "XPUB"], || {
        arrives(&good, &subscriber)
    });
}

#[test]
fn a_bound_dealer_survives() {
    let dealer = Dealer::new(ANY, &quick()).unwrap();
    let good = Dealer::new(&address(&dealer), &quick()).unwrap();
    attack_bound(&dealer.last_endpoint().unwrap(), &["DEALER", "ROUTER", "REP"], || {
        arrives(&good, &dealer)
    });
}

#[test]
fn a_bound_response_survives() {
    let response = Response::new(ANY, &quick()).unwrap();
    let good = Request::new(&response.last_endpoint().unwrap(), &quick()).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| echo(&response));
        let _serving = ClosedWhenDropped(&response);
        attack_bound(&response.last_endpoint().unwrap(), &["REQ", "DEALER", "ROUTER"], || {
            is_answered(&good, LIMIT_MS, 0);
            unbroken(&good);
        });
    });
}

#[test]
fn a_bound_request_survives() {
    let request = Request::new(ANY, &quick()).unwrap();
    let good = Response::new(&address(&request), &quick()).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| echo(&good));
        let _serving = ClosedWhenDropped(&good);
        attack_bound(&request.last_endpoint().unwrap(), &["REP", "ROUTER", "DEALER"], || {
            is_answered(&request, 200, 50);
            unbroken(&good);
        });
    });
}

#[test]
fn a_bound_server_with_keys_survives() {
    let (server_keys, client_keys) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let (mut server, mut client) = (quick(), quick());
    server.set_curve_server_secret_key(server_keys.secret).unwrap();
    server.add_allowed_key(client_keys.public);
    client.set_curve_client_secret_key(client_keys.secret).unwrap();
    client.set_curve_server_public_key(server_keys.public);
    let dealer = Dealer::new(ANY, &server).unwrap();
    let good = Dealer::new(&address(&dealer), &client).unwrap();
    let at = dealer.last_endpoint().unwrap();
    attack_bound(&at, &["DEALER"], || arrives(&good, &dealer));
    // What looks like the steps of CURVE.
    let mut random = Random::new();
    let mut curve = greeting();
    curve[11] = 1;
    curve[12..17].copy_from_slice(b"CURVE");
    for command in [
        &b"\x05HELLO"[..],
        b"\x08INITIATE",
        b"\x07WELCOME",
        b"\x05READY",
        b"\x07MESSAGE",
    ] {
        for size in [
            0, 1, 112, 113, 144, 160, 192, 193, 194, 195, 248, 256, 257, 258, 300, 5000,
        ] {
            let mut body = command.to_vec();
            body.extend(random.bytes(size));
            let said = common::zmtp::frame(common::zmtp::COMMAND, &body);
            say(&mut random, Peer::connect(&at), &[&curve[..], &said, &said].concat());
            body[command.len()..].fill(0);
            let said = common::zmtp::frame(common::zmtp::COMMAND, &body);
            say(&mut random, Peer::connect(&at), &[&curve[..], &said, &said].concat());
        }
        arrives(&good, &dealer);
    }
}

#[test]
fn a_peer_behind_a_proxy_cannot_end_the_subscriptions_of_others() {
    let at = "tcp://127.0.0.1:*";
    let proxy = Proxy::new(ProxyKind::PublishSubscribe, at, at, None, &quick()).unwrap();
    let front = format!(">{}", proxy.front().last_endpoint().unwrap());
    let publisher = Publisher::new(&front, &quick()).unwrap();
    let subscriber = Subscriber::new(&proxy.back().last_endpoint().unwrap(), Filter::All, &quick()).unwrap();
    publisher.wait_for_subscribers(None, 1, soon()).unwrap();
    let mut peer = Peer::connect(&proxy.back().last_endpoint().unwrap());
    peer.shake_hands("SUB").unwrap();
    let passed_on = || proxy.statistics().unwrap().0.messages_out;
    let before = passed_on();
    // From what it never subscribed to. What comes after it tells that it was heard.
    peer.send(0, b"\x00").unwrap();
    peer.send(0, b"\x01something else").unwrap();
    let deadline = soon();
    while passed_on() == before {
        assert!(!deadline.is_over());
        std::thread::yield_now();
    }
    for _ in 0..100 {
        arrives(&publisher, &subscriber);
    }
}

#[test]
fn a_proxy_survives_on_all_sides() {
    let at = "tcp://127.0.0.1:*";
    let proxy = Proxy::new(ProxyKind::RequestResponse, at, at, Some(at), &quick()).unwrap();
    let response = Response::new(&format!(">{}", proxy.back().last_endpoint().unwrap()), &quick()).unwrap();
    let good = Request::new(&proxy.front().last_endpoint().unwrap(), &quick()).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| echo(&response));
        let _serving = ClosedWhenDropped(&response);
        let answered = || is_answered(&good, 200, 50);
        attack_bound(&proxy.front().last_endpoint().unwrap(), &["DEALER"], answered);
        attack_bound(&proxy.back().last_endpoint().unwrap(), &["ROUTER"], answered);
        attack_bound(&proxy.capture().unwrap().last_endpoint().unwrap(), &["SUB"], answered);
        unbroken(&good);
        unbroken(&response);
    });

    let proxy = Proxy::new(ProxyKind::PublishSubscribe, at, at, None, &quick()).unwrap();
    let publisher = Publisher::new(&format!(">{}", proxy.front().last_endpoint().unwrap()), &quick()).unwrap();
    let subscriber = Subscriber::new(&proxy.back().last_endpoint().unwrap(), Filter::All, &quick()).unwrap();
    publisher.wait_for_subscribers(None, 1, soon()).unwrap();
    let passed = || arrives(&publisher, &subscriber);
    attack_bound(&proxy.front().last_endpoint().unwrap(), &["PUB"], passed);
    attack_bound(&proxy.back().last_endpoint().unwrap(), &["SUB"], passed);
}

fn a_connecting_subscriber_survives() {
    let good = Publisher::new("tcp://127.0.0.1:*", &quick()).unwrap();
    attack_connecting(&["PUB"], |hostile| {
        let endpoints = format!("{hostile},{}", good.last_endpoint().unwrap());
        let subscriber = Subscriber::new(&endpoints, Filter::All, &quick()).unwrap();
        good.wait_for_subscribers(None, 1, soon()).unwrap();
        Box::new(move || arrives(&good, &subscriber))
    });
}

fn a_connecting_publisher_survives() {
    let good = Subscriber::new(ANY, Filter::All, &quick()).unwrap();
    attack_connecting(&["SUB"], |hostile| {
        let endpoints = format!(">{hostile},{}", address(&good));
        let publisher = Publisher::new(&endpoints, &quick()).unwrap();
        publisher.wait_for_subscribers(None, 1, soon()).unwrap();
        Box::new(move || {
            publisher.send(&mut bytes(b"published")).unwrap();
            receive(&good, b"published");
        })
    });
}

fn a_connecting_dealer_survives() {
    let good = Dealer::new(ANY, &quick()).unwrap();
    attack_connecting(&["DEALER"], |hostile| {
        let dealer = Dealer::new(&format!(">{hostile},{}", address(&good)), &quick()).unwrap();
        Box::new(move || arrives(&good, &dealer))
    });
}

fn a_connecting_request_survives() {
    let good = Response::new(ANY, &quick()).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| echo(&good));
        let _serving = ClosedWhenDropped(&good);
        attack_connecting(&["ROUTER"], |hostile| {
            let endpoints = format!("{hostile},{}", good.last_endpoint().unwrap());
            let request = Request::new(&endpoints, &quick()).unwrap();
            Box::new(move || is_answered(&request, 200, 50))
        });
    });
}

fn a_connecting_response_survives() {
    let good = Request::new(ANY, &quick()).unwrap();
    attack_connecting(&["REQ"], |hostile| {
        let response = Response::new(&format!(">{hostile},{}", address(&good)), &quick()).unwrap();
        std::thread::spawn(move || echo(&response));
        Box::new(move || is_answered(&good, 200, 50))
    });
}

/// Mostly they wait, so side by side.
#[test]
fn connecting_roles_survive() {
    std::thread::scope(|scope| {
        for survives in [
            a_connecting_subscriber_survives,
            a_connecting_publisher_survives,
            a_connecting_dealer_survives,
            a_connecting_request_survives,
            a_connecting_response_survives,
        ] {
            scope.spawn(survives);
        }
    });
}
