//! Whoever follows a request hears of its end once, and not before the answer was sent: a worker that said before that
//! it has it no more would be taken for one that lost it.

use std::sync::atomic::AtomicU64;

use super::*;
use crate::connection::endpoint::{DefaultSide, Endpoint};
use crate::connection::options::{FullQueue, Options};
use crate::connection::socket::Kind;

fn socket(endpoint: &str) -> Arc<Socket> {
    let socket = Socket::new("test", Kind::Dealer, &Options::default(), FullQueue::Block).expect("a socket");
    let endpoint = Endpoint::parse(endpoint).expect("an endpoint");
    socket.attach(&[endpoint], DefaultSide::Connect).expect("it is free");
    socket
}

struct Followed {
    origin: Option<Origin>,
    /// How often its end was told, and what had been sent by then.
    ends: Arc<AtomicU64>,
    sent_before: Arc<AtomicU64>,
    socket: Arc<Socket>,
    _peer: Arc<Socket>,
}

fn followed(name: &str) -> Followed {
    let socket = socket(&format!("@inproc://reply-{name}"));
    let peer = self::socket(&format!(">inproc://reply-{name}"));
    let (ends, sent_before) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
    let (own, told, sent) = (Arc::clone(&socket), Arc::clone(&ends), Arc::clone(&sent_before));
    let done: Done = Box::new(move || {
        told.fetch_add(1, Ordering::AcqRel);
        let now = own.statistics().expect("it is open").messages_out;
        sent.store(now, Ordering::Release);
    });
    let origin = Some(Origin::followed(&socket, Vec::new(), done));
    Followed {
        origin,
        ends,
        sent_before,
        socket,
        _peer: peer,
    }
}

impl Followed {
    fn has_ended(&self) -> (u64, u64) {
        (
            self.ends.load(Ordering::Acquire),
            self.sent_before.load(Ordering::Acquire),
        )
    }
}

#[test]
fn the_end_of_a_request_is_told_after_its_reply_was_sent() {
    let mut one = followed("replied");
    let origin = one.origin.take().expect("a request");
    assert_eq!(one.has_ended(), (0, 0));
    let mut payload = Frame::from_bytes(b"reply").expect("room");
    origin.reply(&mut payload).expect("a peer");
    assert_eq!(one.has_ended(), (1, 1));
    origin.reply(&mut payload).expect_err("it was answered");
    drop(origin);
    assert_eq!(one.has_ended(), (1, 1), "told once");
}

#[test]
fn the_end_of_a_request_is_told_after_its_error_was_sent() {
    let mut one = followed("refused");
    let origin = one.origin.take().expect("a request");
    origin.refuse(Status::Busy, "not now").expect("a peer");
    assert_eq!(one.has_ended(), (1, 1));
    let mut two = followed("left");
    // The last holder lets go: answered by that.
    let clone = two.origin.clone();
    drop(two.origin.take());
    assert_eq!(two.has_ended(), (0, 0));
    drop(clone);
    assert_eq!(two.has_ended(), (1, 1));
}

#[test]
fn what_could_not_be_sent_is_still_in_hand() {
    let mut one = followed("tried-again");
    let origin = one.origin.take().expect("a request");
    let large = vec![0; 1 << 16];
    let mut payload = Frame::from_bytes(&large).expect("room");
    // Nobody takes it, until the queue is full.
    let filler = || [Frame::from_bytes(b"x").expect("room")];
    while one.socket.send_before(&mut filler(), Deadline::Now).is_ok() {}
    let full = origin
        .0
        .reply(&mut payload, Room::AsConfigured, Deadline::Now)
        .expect_err("the queue is full");
    assert!(matches!(full.status(), Status::WouldBlock | Status::Timeout), "{full}");
    assert_eq!(one.has_ended().0, 0);
    assert!(origin.is_open());
    assert_eq!(payload.len(), large.len(), "it can be sent again");
}
