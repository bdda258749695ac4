//! A broker with keys lets in, on either side, only whom it knows, and tells the others why; workers with keys serve
//! nobody but the broker that they know.

mod common;

use std::sync::Arc;
use std::time::Instant;

use common::{soon, typed, LIMIT, LIMIT_MS};
use dividere::connection::keys::{KeyPair, PublicKey};
use dividere::{Broker, BrokerSide, Channel, Message, Options, Request, Status, Worker};

const AT: &str = "tcp://127.0.0.1:*";

fn pair() -> KeyPair {
    KeyPair::generate().unwrap()
}

fn broker(keys: &KeyPair, allowed: &[&KeyPair]) -> (Broker, String, String) {
    let mut options = Options::new();
    options.set_curve_server_secret_key(keys.secret.clone()).unwrap();
    allowed.iter().for_each(|client| options.add_allowed_key(client.public));
    let broker = Broker::new(AT, AT, &options).unwrap();
    let (front, back) = (BrokerSide::Front, BrokerSide::Back);
    let (front, back) = (broker.last_endpoint(front), broker.last_endpoint(back));
    (broker, front.unwrap(), back.unwrap())
}

fn with(keys: &KeyPair, server: PublicKey) -> Options {
    let mut options = Options::new();
    options.set_curve_client_secret_key(keys.secret.clone()).unwrap();
    options.set_curve_server_public_key(server);
    options
}

fn echo(worker: &Worker) {
    worker
        .serve(Arc::new(|request, reply| {
            let payload = request.payload();
            reply.prepare("a.Reply", payload.len())?.copy_from_slice(payload);
            Ok(())
        }))
        .unwrap();
}

#[test]
fn a_broker_with_keys_serves_whom_it_lets_in_and_refuses_strangers_on_both_sides() {
    let (own, client, server, stranger) = (pair(), pair(), pair(), pair());
    let (broker, front, back) = broker(&own, &[&client, &server]);
    let refused = Worker::new(&back, &with(&stranger, own.public)).unwrap();
    let start = Instant::now();
    let error = refused.wait_connected(0, soon()).unwrap_err();
    assert_eq!(error.status(), Status::Permission, "{error}");
    let request = Request::new(&front, &with(&stranger, own.public)).unwrap();
    let asked = request.call(&mut typed("a.A", b""), &mut Message::new(), LIMIT_MS, 3);
    assert_eq!(asked.unwrap_err().status(), Status::Permission);
    assert!(start.elapsed() < LIMIT / 2, "{:?}", start.elapsed());

    let worker = Worker::new(&back, &with(&server, own.public)).unwrap();
    echo(&worker);
    broker.wait_workers(1, soon()).unwrap();
    let request = Request::new(&front, &with(&client, own.public)).unwrap();
    let mut reply = Message::new();
    for i in 0..20u8 {
        request.call(&mut typed("a.A", &[i]), &mut reply, LIMIT_MS, 0).unwrap();
        assert_eq!(reply.payload(), [i]);
    }
    let counts = broker.statistics().unwrap();
    assert_eq!((counts.workers, counts.served), (1, 20), "{counts:?}");
}

/// Who is somebody else than it should be gets no worker, and no worker gets anything from it.
#[test]
fn a_worker_does_not_serve_a_broker_with_another_key() {
    let (own, other, server) = (pair(), pair(), pair());
    let (broker, _front, back) = broker(&own, &[&server]);
    let worker = Worker::new(&back, &with(&server, other.public)).unwrap();
    let error = worker.wait_connected(0, soon()).unwrap_err();
    assert_eq!(error.status(), Status::Handshake, "{error}");
    assert_eq!(broker.statistics().unwrap().workers, 0);
}
