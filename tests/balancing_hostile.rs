//! Whoever sends nonsense to a broker or a worker does no harm to others: random frames, forged signs of life, answers to
//! requests that somebody else has.

mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use common::random::Random;
use common::{address, soon, typed, LIMIT, LIMIT_MS};
use dividere::proto::Heartbeat;
use dividere::{Broker, BrokerSide, Channel, Dealer, Message, Options, Request, Status, Worker};
use prost::Message as _;

impl Random {
    fn some_bytes(&mut self) -> Vec<u8> {
        let length = self.pick(&[0, 1, 1, 2, 8, 16, 40, 300]);
        self.bytes(length)
    }

    /// Something that a broker or a worker could be sent, or nearly.
    fn frames(&mut self) -> Vec<Vec<u8>> {
        let heartbeat = Heartbeat {
            id: "x".repeat(self.below(50) as usize),
            ping: (self.below(2) == 0).then(|| self.below(1000)),
            in_hand: (0..self.below(50)).map(|_| self.below(u64::MAX)).collect(),
            capacity: (self.below(2) == 0).then(|| self.below(1 << 32) as u32),
            leaving: (self.below(4) == 0).then_some(true),
        };
        let mut sign = dividere::envelope::encode("Heartbeat", &heartbeat.encode_to_vec()).unwrap();
        if self.below(4) == 0 {
            let at = self.below(sign.len() as u64) as usize;
            sign[at] = self.below(256) as u8;
        }
        match self.below(6) {
            0 => vec![vec![1 + self.below(3) as u8]],
            1 => vec![vec![1 + self.below(2) as u8], sign],
            2 => vec![sign],
            3 => vec![self.some_bytes(), vec![], self.some_bytes()],
            _ => (0..1 + self.below(5)).map(|_| self.some_bytes()).collect(),
        }
    }
}

fn send(dealer: &Dealer, frames: &[Vec<u8>]) {
    let (payload, route) = frames.split_last().unwrap();
    let route: Vec<&[u8]> = route.iter().map(Vec::as_slice).collect();
    dealer.send_routed(&route, &mut common::bytes(payload)).unwrap();
}

fn options() -> Options {
    let mut options = Options::new();
    options.balancing_mut().set_heartbeat_ms(200).unwrap();
    options
}

fn broker() -> Broker {
    Broker::new("tcp://127.0.0.1:*", "tcp://127.0.0.1:*", &options()).unwrap()
}

fn at(broker: &Broker, side: BrokerSide) -> String {
    broker.last_endpoint(side).unwrap()
}

fn echo(worker: &Worker) {
    worker
        .serve(Arc::new(|request, reply| {
            let payload = request.payload().to_vec();
            reply.prepare("a.Reply", payload.len())?.copy_from_slice(&payload);
            Ok(())
        }))
        .unwrap();
}

/// Works, however many others are in the way: some requests go to those who say that they are workers.
fn works(request: &Request) {
    let mut reply = Message::new();
    let deadline = Instant::now() + LIMIT;
    loop {
        let asked = request.call(&mut typed("a.A", b"honest"), &mut reply, 2000, 3);
        if asked.is_ok() && reply.type_name() == Some("a.Reply") && reply.payload() == b"honest" {
            return;
        }
        assert!(Instant::now() < deadline, "{asked:?}");
    }
}

#[test]
fn a_broker_goes_on_whatever_its_clients_and_workers_send() {
    let broker = broker();
    let worker = Worker::new(&at(&broker, BrokerSide::Back), &options()).unwrap();
    echo(&worker);
    let mut random = Random::new(0x1234_5678_9abc_def1);
    let request = Request::new(&at(&broker, BrokerSide::Front), &Options::new()).unwrap();
    for _ in 0..20 {
        let side = [BrokerSide::Front, BrokerSide::Back];
        let hostile = side.map(|side| Dealer::new(&at(&broker, side), &Options::new()).unwrap());
        for _ in 0..300 {
            for dealer in &hostile {
                let frames = random.frames();
                send(dealer, &frames);
            }
        }
    }
    works(&request);
    let counts = broker.statistics().unwrap();
    assert!(counts.queued <= 10_000 && counts.workers >= 1, "{counts:?}");
    // All of them are gone in the end, and so is what they had.
    let deadline = Instant::now() + LIMIT;
    while broker.statistics().unwrap().workers > 1 {
        assert!(Instant::now() < deadline, "{:?}", broker.statistics());
        std::thread::sleep(Duration::from_millis(5));
    }
    works(&request);
}

#[test]
fn nobody_answers_what_another_worker_has() {
    let broker = broker();
    let worker = Worker::new(&at(&broker, BrokerSide::Back), &options()).unwrap();
    broker.wait_workers(1, soon()).unwrap();
    let front = at(&broker, BrokerSide::Front);
    std::thread::scope(|scope| {
        let client = scope.spawn(|| {
            let request = Request::new(&front, &Options::new()).unwrap();
            let mut reply = Message::new();
            request.call(&mut typed("a.A", b"x"), &mut reply, LIMIT_MS, 0).unwrap();
            reply.payload().to_vec()
        });
        let mut taken = Message::new();
        worker.recv(&mut taken, soon()).unwrap();
        let number = taken.route()[0].bytes().to_vec();
        assert_eq!(number.len(), 8);
        // As another worker of ours, and as one of 2.2.0, with the very number, and with numbers near it.
        for announcement in [vec![vec![1]], vec![vec![1], heartbeat()]] {
            let thief = Dealer::new(&at(&broker, BrokerSide::Back), &Options::new()).unwrap();
            send(&thief, &announcement);
            let late = broker.statistics().unwrap().late;
            for change in 0..=255u8 {
                let mut forged = number.clone();
                forged[7] ^= change;
                send(&thief, &[forged, vec![], b"stolen".to_vec()]);
            }
            let deadline = Instant::now() + LIMIT;
            while broker.statistics().unwrap().late < late + 256 {
                assert!(Instant::now() < deadline, "{:?}", broker.statistics());
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        taken.reply(&mut typed("a.A", b"mine")).unwrap();
        assert_eq!(client.join().unwrap(), b"mine");
    });
}

fn heartbeat() -> Vec<u8> {
    dividere::envelope::encode("Heartbeat", &Heartbeat::default().encode_to_vec()).unwrap()
}

#[test]
fn a_worker_goes_on_whatever_its_broker_sends() {
    let hostile = Dealer::new("@tcp://127.0.0.1:*", &Options::new()).unwrap();
    let any_port = "tcp://127.0.0.1:*";
    let honest = Broker::new(any_port, any_port, &Options::new()).unwrap();
    let both = format!("{},{}", address(&hostile), at(&honest, BrokerSide::Back));
    let worker = Worker::new(&both, &options()).unwrap();
    hostile.wait_connected(1, soon()).unwrap();
    honest.wait_workers(1, soon()).unwrap();
    let mut random = Random::new(0xfeed_f00d_dead_beef);
    let (mut own, mut received) = (Message::new(), Message::new());
    for _ in 0..3000 {
        let frames = random.frames();
        send(&hostile, &frames);
        // Its answers are not to fill up the queues.
        while hostile.recv_bytes(&mut received, dividere::Deadline::Now).is_ok() {}
    }
    // All of it has come: what still came while requests are taken would come into their places.
    let sent = hostile.statistics().unwrap().messages_out;
    let deadline = Instant::now() + LIMIT;
    loop {
        let counted = worker.statistics().unwrap();
        if counted.messages_in >= sent {
            break;
        }
        assert!(Instant::now() < deadline, "{counted:?} of {sent}");
        // A worker tells of requests, and not of what it throws away.
        std::thread::sleep(Duration::from_millis(1));
    }
    // It has taken in no more than it may; the honest broker's is behind that.
    let request = Request::new(&at(&honest, BrokerSide::Front), &Options::new()).unwrap();
    let asked = std::thread::spawn(move || {
        let mut reply = Message::new();
        loop {
            match request.call(&mut typed("a.A", b"honest"), &mut reply, LIMIT_MS, 0) {
                // The other one's requests wait at the worker, as many as it takes.
                Err(error) if error.status() == Status::Busy => {}
                outcome => return outcome.map(|()| reply.payload().to_vec()),
            }
        }
    });
    let mut waiting = 0;
    loop {
        match worker.recv(&mut own, soon()) {
            Ok(()) if own.payload() == b"honest" => break own.reply(&mut typed("a.A", b"answer")).unwrap(),
            Ok(()) => {}
            Err(error) if error.status() == Status::Decode => {}
            Err(error) => panic!("{error}"),
        }
        waiting += 1;
        assert!(waiting < 200, "it keeps whatever it is sent");
    }
    assert_eq!(asked.join().unwrap().unwrap(), b"answer");
    worker.close().unwrap();
}

/// What a broker says to a worker has the worker's name in it, which may be longer than all that the worker said.
#[test]
fn a_worker_whose_name_fills_a_message_does_not_end_the_broker() {
    const MOST: i64 = 150;
    let mut options = options();
    options.set_max_message_size(MOST).unwrap();
    let broker = Broker::new("tcp://127.0.0.1:*", "tcp://127.0.0.1:*", &options).unwrap();
    let mut named = Options::new();
    // No text: each byte becomes three.
    named.set_identity([0xff; 60]).unwrap();
    let hostile = Dealer::new(&format!(">{}", at(&broker, BrokerSide::Back)), &named).unwrap();
    let heartbeat = Heartbeat {
        id: "x".to_owned(),
        ..Heartbeat::default()
    };
    let sign = dividere::envelope::encode("Heartbeat", &heartbeat.encode_to_vec()).unwrap();
    assert!(sign.len() <= MOST as usize, "{}", sign.len());
    send(&hostile, &[sign]);
    broker.wait_workers(1, soon()).unwrap();
    // Asked at once, and given up when it was silent for long enough: the broker goes on.
    let deadline = Instant::now() + LIMIT;
    while broker.statistics().unwrap().workers > 0 {
        assert!(Instant::now() < deadline, "it is still a worker");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(
        broker.wait_ended(dividere::Deadline::Now).unwrap_err().status(),
        Status::WouldBlock
    );
    drop(hostile);
    broker.close().unwrap();
}
