//! No input from the network ends the process or a role: each role, bound and connecting, is fed hostile bytes, and goes
//! on serving a good peer, whose connection never breaks.

mod common;

#[path = "hostile_zmtp/inputs.rs"]
mod inputs;
#[path = "hostile_zmtp/targets.rs"]
mod targets;

use common::hostile::{conversations, greetings, handshakes, mutation};
use common::random::Random;
use common::zmtp::{frame, greeting, ready, Peer, COMMAND};
use common::{alone, bytes, soon};
use dividere::{Channel, Filter, Message, Options, Proxy, ProxyKind, Publisher, Subscriber};
use targets::Target;

/// Of each role that is bound; a connection that has to be begun anew takes longer.
const MUTATIONS: usize = 200;
const MUTATIONS_CONNECTING: usize = 30;
const CHECK_EVERY: usize = 10;

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

/// Says all of it, at once or in two parts; a good peer is served now and then, and at the end.
fn attack(mut target: Target, random: &mut Random, all: &[Vec<u8>]) {
    target.check();
    for (number, said) in all.iter().enumerate() {
        let (first, second) = said.split_at(random.at(said.len() + 1));
        target.say(first, second);
        if number % CHECK_EVERY == 0 {
            target.check();
        }
    }
    target.check();
}

fn survives(target: Target) {
    let mutations = if target.connects() {
        MUTATIONS_CONNECTING
    } else {
        MUTATIONS
    };
    let mut random = Random::of_this_run();
    let all = everything(&mut random, target.socket_types, mutations);
    attack(target, &mut random, &all);
}

#[test]
fn a_bound_publisher_survives() {
    survives(targets::bound_publisher());
}

#[test]
fn a_bound_subscriber_survives() {
    survives(targets::bound_subscriber());
}

#[test]
fn a_bound_dealer_survives() {
    survives(targets::bound_dealer());
}

#[test]
fn a_bound_response_survives() {
    survives(targets::bound_response());
}

#[test]
fn a_bound_request_survives() {
    survives(targets::bound_request());
}

#[test]
fn a_bound_server_with_keys_survives() {
    survives(targets::bound_dealer_with_keys());
    // What looks like the steps of CURVE.
    let mut random = Random::of_this_run();
    let mut curve = greeting();
    curve[11] = 1;
    curve[12..17].copy_from_slice(b"CURVE");
    let mut all = Vec::new();
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
            for content in [random.bytes(size), vec![0; size]] {
                let said = frame(COMMAND, &[command, &content].concat());
                all.push([&curve[..], &said, &said].concat());
            }
        }
    }
    attack(targets::bound_dealer_with_keys(), &mut random, &all);
}

#[test]
fn a_proxy_survives_on_all_sides() {
    survives(targets::request_proxy_front());
    survives(targets::request_proxy_back());
    survives(targets::request_proxy_capture());
    survives(targets::publish_proxy_front());
    survives(targets::publish_proxy_back());
}

#[test]
fn what_a_reactor_receives_from_survives() {
    survives(targets::reactor_response());
    survives(targets::reactor_dealer());
}

/// Mostly they wait, so side by side.
#[test]
fn connecting_roles_survive() {
    std::thread::scope(|scope| {
        for target in [
            targets::connecting_subscriber,
            targets::connecting_publisher,
            targets::connecting_dealer,
            targets::connecting_request,
            targets::connecting_response,
            targets::reactor_subscriber,
        ] {
            scope.spawn(move || survives(target()));
        }
    });
}

/// What the fuzzer found worth keeping (scripts/fuzz.sh). Alone, as descriptors are counted.
#[test]
fn kept_inputs_of_the_fuzzer_are_survived() {
    alone("kept_inputs_of_the_fuzzer_are_survived", || {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/zmtp");
        let mut world = inputs::World::new();
        let mut said = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            println!("{}", path.display());
            said += usize::from(world.run(&std::fs::read(path).unwrap()));
        }
        world.count_descriptors();
        // The folder is there, and is not about to vanish.
        assert!(said >= 100, "{said}");
    });
}

#[test]
fn a_peer_behind_a_proxy_cannot_end_the_subscriptions_of_others() {
    let at = "tcp://127.0.0.1:*";
    let options = Options::new();
    let proxy = Proxy::new(ProxyKind::PublishSubscribe, at, at, None, &options).unwrap();
    let front = format!(">{}", proxy.front().last_endpoint().unwrap());
    let publisher = Publisher::new(&front, &options).unwrap();
    let subscriber = Subscriber::new(&proxy.back().last_endpoint().unwrap(), Filter::All, &options).unwrap();
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
    let mut message = Message::new();
    for number in 0..100u8 {
        publisher.send(&mut bytes(&[number])).unwrap();
        subscriber.recv_bytes(&mut message, soon()).unwrap();
        assert_eq!(message.bytes(), [number]);
    }
}
