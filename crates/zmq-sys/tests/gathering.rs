//! What is sent between the two calls of `zmq_sys_gather` arrives, in order, after the second one.

use std::os::raw::c_int;
use std::thread;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(20);

fn gather(socket: &mut zmq::Socket, gathers: c_int) {
    // SAFETY: the socket is open, and used by this thread alone.
    unsafe { zmq_sys::zmq_sys_gather(socket.as_mut_ptr(), gathers) };
}

/// Over inproc a message is there as soon as the other end was told of it.
fn next(socket: &zmq::Socket) -> Option<Vec<u8>> {
    match socket.recv_bytes(zmq::DONTWAIT) {
        Ok(message) => Some(message),
        Err(error) => {
            assert_eq!(error, zmq::Error::EAGAIN);
            None
        }
    }
}

fn all(socket: &zmq::Socket) -> Vec<Vec<u8>> {
    std::iter::from_fn(|| next(socket)).collect()
}

fn publisher_and_subscribers(context: &zmq::Context, at: &str, topics: &[&[u8]]) -> (zmq::Socket, Vec<zmq::Socket>) {
    let publisher = context.socket(zmq::XPUB).unwrap();
    publisher.bind(at).unwrap();
    let subscribers = topics
        .iter()
        .map(|topic| {
            let subscriber = context.socket(zmq::SUB).unwrap();
            subscriber.connect(at).unwrap();
            subscriber.set_subscribe(topic).unwrap();
            publisher.recv_bytes(0).unwrap();
            subscriber
        })
        .collect();
    (publisher, subscribers)
}

#[test]
fn subscribers_hear_of_what_was_gathered_at_its_end() {
    let context = zmq::Context::new();
    let (mut publisher, subscribers) = publisher_and_subscribers(&context, "inproc://gathered", &[b"a", b"", b"c"]);
    // They have looked, and sleep.
    assert!(subscribers.iter().all(|one| next(one).is_none()));
    gather(&mut publisher, 1);
    for message in ["a1", "b1", "a2"] {
        publisher.send(message, 0).unwrap();
    }
    publisher.send("a3", zmq::SNDMORE).unwrap();
    publisher.send("end", 0).unwrap();
    assert!(subscribers.iter().all(|one| next(one).is_none()));
    gather(&mut publisher, 0);
    assert_eq!(all(&subscribers[0]), [&b"a1"[..], b"a2", b"a3", b"end"]);
    assert_eq!(all(&subscribers[1]), [&b"a1"[..], b"b1", b"a2", b"a3", b"end"]);
    assert_eq!(next(&subscribers[2]), None);
    // And once more.
    gather(&mut publisher, 1);
    publisher.send("b2", 0).unwrap();
    assert_eq!(next(&subscribers[1]), None);
    gather(&mut publisher, 0);
    assert_eq!(all(&subscribers[1]), [b"b2"]);
    // As ever afterwards.
    publisher.send("a4", 0).unwrap();
    assert_eq!(all(&subscribers[0]), [b"a4"]);
    assert_eq!(all(&subscribers[1]), [b"a4"]);
}

#[test]
fn dealers_share_what_was_gathered() {
    let context = zmq::Context::new();
    let mut dealer = context.socket(zmq::DEALER).unwrap();
    let peers: Vec<zmq::Socket> = (0..3)
        .map(|i| {
            let peer = context.socket(zmq::DEALER).unwrap();
            peer.bind(&format!("inproc://shares-{i}")).unwrap();
            dealer.connect(&format!("inproc://shares-{i}")).unwrap();
            assert_eq!(next(&peer), None);
            peer
        })
        .collect();
    gather(&mut dealer, 1);
    for i in 0..7u8 {
        dealer.send([i].as_slice(), 0).unwrap();
    }
    assert!(peers.iter().all(|one| next(one).is_none()));
    gather(&mut dealer, 0);
    let mut shares: Vec<usize> = peers.iter().map(|one| all(one).len()).collect();
    shares.sort_unstable();
    assert_eq!(shares, [2, 2, 3]);
}

#[test]
fn a_queue_that_fills_up_is_told_of_at_the_end() {
    let context = zmq::Context::new();
    let mut dealer = context.socket(zmq::DEALER).unwrap();
    let peer = context.socket(zmq::DEALER).unwrap();
    dealer.set_sndhwm(2).unwrap();
    peer.set_rcvhwm(2).unwrap();
    peer.bind("inproc://fills").unwrap();
    dealer.connect("inproc://fills").unwrap();
    assert_eq!(next(&peer), None);
    gather(&mut dealer, 1);
    let mut sent = 0u8;
    while dealer.send([sent].as_slice(), zmq::DONTWAIT).is_ok() {
        sent += 1;
    }
    gather(&mut dealer, 0);
    assert_eq!(sent, 4);
    assert_eq!(all(&peer).len(), 4);
    // There is room again.
    assert_eq!(dealer.poll(zmq::POLLOUT, 10_000).unwrap(), 1);
    dealer.send("more", zmq::DONTWAIT).unwrap();
    assert_eq!(all(&peer), [b"more"]);
}

#[test]
fn a_peer_that_ends_meanwhile_is_forgotten() {
    for at in ["inproc://ends", "tcp://127.0.0.1:*"] {
        let context = zmq::Context::new();
        let mut dealer = context.socket(zmq::DEALER).unwrap();
        dealer.bind(at).unwrap();
        let at = dealer.get_last_endpoint().unwrap().unwrap();
        for _ in 0..200 {
            let peer = context.socket(zmq::DEALER).unwrap();
            peer.connect(&at).unwrap();
            assert_eq!(dealer.poll(zmq::POLLOUT, 10_000).unwrap(), 1);
            gather(&mut dealer, 1);
            for _ in 0..3 {
                dealer.send("for nobody", zmq::DONTWAIT).unwrap();
            }
            drop(peer);
            let end = Instant::now() + LIMIT;
            while dealer.poll(zmq::POLLOUT, 0).unwrap() == 1 {
                assert!(Instant::now() < end, "the peer's connection stays");
                thread::yield_now();
            }
            gather(&mut dealer, 0);
        }
    }
}
