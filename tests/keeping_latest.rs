//! A subscriber that keeps only the latest message: with any number of subscriptions, for typed messages.

use dividere::{Channel, Deadline, Filter, Message, Options, Publisher, Status, Subscriber};

fn soon() -> Deadline {
    Deadline::from_ms(20_000)
}

#[test]
fn keep_latest_keeps_all_subscriptions_and_the_last_message() {
    let mut options = Options::new();
    options.set_keep_latest(true);
    for endpoint in ["tcp://127.0.0.1:*", "inproc://keep-latest"] {
        let publisher = Publisher::new(endpoint, &Options::new()).unwrap();
        let at = publisher.last_endpoint().unwrap();
        let subscriber = Subscriber::new(&at, Filter::Types(&["a.One", "a.Two", "a.Three"]), &options).unwrap();
        let watcher = Subscriber::new(&at, Filter::All, &Options::new()).unwrap();
        for name in ["a.One", "a.Two", "a.Three"] {
            publisher.wait_for_subscribers(Some(name), 2, soon()).unwrap();
        }
        let (mut message, mut seen) = (Message::new(), Message::new());
        for (i, name) in ["a.One", "a.Two", "a.Three", "a.Two"].iter().enumerate() {
            for j in 0..100u8 {
                message.prepare(name, 2).unwrap().copy_from_slice(&[i as u8, j]);
                publisher.send(&mut message).unwrap();
                watcher.recv(&mut seen, soon()).unwrap();
            }
            publisher.flush(soon()).unwrap();
            // The last one may still be on its way: earlier ones are only seen on the way to it.
            let mut received = 0;
            loop {
                subscriber.recv(&mut message, soon()).unwrap();
                received += 1;
                assert_eq!(message.type_name(), Some(*name), "{endpoint}");
                if message.payload() == [i as u8, 99] {
                    break;
                }
            }
            assert!(received < 100, "everything was kept");
        }
    }
}

#[test]
fn what_cannot_keep_the_latest_is_refused() {
    let mut options = Options::new();
    options.set_keep_latest(true);
    let refused = Subscriber::new("@inproc://keep-latest-bound", Filter::All, &options);
    assert_eq!(refused.err().unwrap().status(), Status::Unsupported);
    let refused = Publisher::new("tcp://127.0.0.1:*", &options);
    assert_eq!(refused.err().unwrap().status(), Status::InvalidArgument);
}
