//! Names looked up again while their connections are down: a server that comes back somewhere else is found there.
//!
//! libzmq would ask the system itself, on the thread that moves everybody's bytes, and for as long as the answer takes.
//! Here one thread asks, one name after the other; there is none while nobody has a question.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use crate::connection::endpoint::Endpoint;
use crate::connection::linux;
use crate::connection::log::log_line;
use crate::connection::process::lock;
use crate::connection::resolve;
use crate::connection::service::Service;
use crate::connection::socket::Socket;

/// How long a name is taken to mean what it meant.
pub(crate) const AGAIN_AFTER: Duration = Duration::from_secs(1);

#[derive(Default)]
pub(crate) struct Lookups(Mutex<Queue>);

#[derive(Default)]
struct Queue {
    questions: VecDeque<Question>,
    /// A thread is there, and takes what is put into the queue.
    running: bool,
}

struct Question {
    socket: Weak<Socket>,
    asked: Endpoint,
    ipv6: bool,
}

impl Service {
    /// An attempt to connect to `address` failed: looks up its name, where it was found by one, and not just now. The
    /// answer comes later; then `socket` is looked at.
    pub(super) fn look_up_again(&'static self, socket: &Arc<Socket>, address: &str, now: Instant) {
        let Some(asked) = socket.endpoints.due_for_lookup(address, now) else {
            return;
        };
        let mut queue = lock(&self.lookups.0);
        queue.questions.push_back(Question {
            socket: Arc::downgrade(socket),
            asked,
            ipv6: socket.options().ipv6(),
        });
        if queue.running {
            return;
        }
        let started = linux::with_signals_blocked(|| {
            let builder = std::thread::Builder::new().name("dividere-dns".into());
            builder.spawn(move || self.answer_all())
        });
        match started {
            Ok(_) => queue.running = true,
            Err(error) => {
                queue.questions.clear();
                log_line!(Warning, "connection", "no thread to look up names with: {error}");
            }
        }
    }

    fn answer_all(&self) {
        loop {
            let question = {
                let mut queue = lock(&self.lookups.0);
                match queue.questions.pop_front() {
                    Some(question) => question,
                    None => {
                        queue.running = false;
                        return;
                    }
                }
            };
            // Nobody waits for the answer any more: not worth the time.
            if question.socket.strong_count() == 0 {
                continue;
            }
            match resolve::candidates(&question.asked, question.ipv6) {
                Ok(candidates) => {
                    if let Some(socket) = question.socket.upgrade() {
                        if socket.take_addresses(&question.asked, candidates) {
                            self.look_at(socket.id());
                        }
                    }
                }
                // What it meant before is all that there is.
                Err(error) => log_line!(Debug, "connection", "{error}"),
            }
        }
    }
}

impl Socket {
    /// Takes the addresses that a name has now. True where there is one to go on with.
    fn take_addresses(&self, asked: &Endpoint, candidates: Vec<String>) -> bool {
        let Some((address, has_others)) = self.endpoints.set_candidates(asked, candidates) else {
            return false;
        };
        let goes_on = |link: &mut crate::connection::peers::Link| {
            link.has_alternatives = has_others;
            let now = has_others && !link.up && link.retried && link.look_at.is_none();
            if now {
                link.look_at = Some(Instant::now());
            }
            now
        };
        self.peers.with_link(&address, goes_on).unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::clock::Deadline;
    use crate::connection::options::Options;
    use crate::connection::resolve::names;
    use crate::messaging::channel::Channel;
    use crate::messaging::dealer::Dealer;
    use crate::messaging::message::Message;
    use crate::messaging::publisher::Publisher;
    use crate::messaging::request::Request;
    use crate::messaging::response::Response;
    use crate::messaging::subscriber::{Filter, Subscriber};

    fn soon() -> Deadline {
        Deadline::after(Duration::from_secs(20))
    }

    fn quick() -> Options {
        let mut options = Options::new();
        options.set_reconnect_interval_ms(5).expect("an interval");
        options.set_reconnect_interval_max_ms(50).expect("an interval");
        options
    }

    fn port(channel: &dyn Channel) -> String {
        let at = channel.last_endpoint().expect("it is bound");
        at.rsplit(':').next().expect("a port").to_owned()
    }

    fn bytes(content: &[u8]) -> Message {
        Message::from_bytes(content).expect("a message")
    }

    #[test]
    fn a_subscriber_follows_its_publisher_to_another_address() {
        names::set("publisher.test", &["127.0.0.1"]);
        let first = Publisher::new("tcp://127.0.0.1:*", &quick()).expect("a publisher");
        let port = port(&first);
        let at = format!("tcp://publisher.test:{port}");
        let subscriber = Subscriber::new(&at, Filter::All, &quick()).expect("a subscriber");
        first.wait_for_subscribers(None, 1, soon()).expect("the subscriber");
        first.close().expect("it was open");
        names::set("publisher.test", &["127.0.0.2"]);
        let second = Publisher::new(&format!("tcp://127.0.0.2:{port}"), &quick()).expect("a publisher");
        second.wait_for_subscribers(None, 1, soon()).expect("the subscriber");
        second.send(&mut bytes(b"moved")).expect("it is open");
        let mut message = Message::new();
        subscriber.recv_bytes(&mut message, soon()).expect("what was sent");
        assert_eq!(message.bytes(), b"moved");
        assert_eq!(subscriber.endpoints(), [at]);
    }

    #[test]
    fn a_dealer_and_a_request_follow_and_find_more_addresses_than_before() {
        names::set("server.test", &["127.0.0.1"]);
        // Nobody is there at first, and the name loses that address later.
        let first = Response::new("tcp://127.0.0.1:*", &quick()).expect("a response");
        let port = port(&first);
        first.close().expect("it was open");
        let at = format!(">tcp://server.test:{port}");
        let dealer = Dealer::new(&at, &quick()).expect("a dealer");
        let request = Request::new(&at, &quick()).expect("a request");
        names::set("server.test", &["127.0.0.3", "127.0.0.2"]);
        let second = Response::new(&format!("@tcp://127.0.0.2:{port}"), &quick()).expect("a response");
        dealer.wait_connected(0, soon()).expect("the dealer follows");
        request.wait_connected(0, soon()).expect("the request follows");
        dealer.send_with_empty_frame(&mut bytes(b"?")).expect("it is open");
        let mut message = Message::new();
        second.recv_bytes(&mut message, soon()).expect("what was asked");
        assert_eq!(message.bytes(), b"?");
    }

    /// What is queued is bound to the address; to follow would be to lose it.
    #[test]
    fn a_dealer_with_something_queued_waits_for_the_address_that_it_was_queued_for() {
        names::set("queue.test", &["127.0.0.1"]);
        let first = Response::new("tcp://127.0.0.1:*", &quick()).expect("a response");
        let port = port(&first);
        let dealer = Dealer::new(&format!(">tcp://queue.test:{port}"), &quick()).expect("a dealer");
        dealer.wait_connected(0, soon()).expect("it is there");
        first.close().expect("it was open");
        let ended = Instant::now();
        while dealer.wait_connected(0, Deadline::Now).is_ok() {
            assert!(ended.elapsed() < Duration::from_secs(20), "it is still connected");
            std::thread::sleep(Duration::from_millis(2));
        }
        dealer.send_with_empty_frame(&mut bytes(b"queued")).expect("room");
        let second = Response::new(&format!("@tcp://127.0.0.2:{port}"), &quick()).expect("a response");
        names::set("queue.test", &["127.0.0.2"]);
        let asked = names::asked("queue.test");
        while names::asked("queue.test") < asked + 2 {
            assert!(ended.elapsed() < Duration::from_secs(20), "it is not looked up again");
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(dealer.wait_connected(0, Deadline::Now).is_err());
        let first = Response::new(&format!("@tcp://127.0.0.1:{port}"), &quick()).expect("a response");
        let mut message = Message::new();
        first.recv_bytes(&mut message, soon()).expect("what was queued");
        assert_eq!(message.bytes(), b"queued");
        let elsewhere = second.recv_bytes(&mut message, Deadline::Now);
        assert!(elsewhere.is_err());
    }

    #[test]
    fn a_name_is_asked_for_once_in_a_while_and_not_for_ever() {
        names::set("nobody.test", &["127.0.0.1"]);
        let nobody = Publisher::new("tcp://127.0.0.1:*", &quick()).expect("a publisher");
        let port = port(&nobody);
        nobody.close().expect("it was open");
        let at = format!("tcp://nobody.test:{port}");
        let subscriber = Subscriber::new(&at, Filter::All, &quick()).expect("a subscriber");
        let begin = Instant::now();
        while names::asked("nobody.test") < 3 {
            assert!(begin.elapsed() < Duration::from_secs(20), "it is not looked up again");
            std::thread::sleep(Duration::from_millis(5));
        }
        // Once at the beginning, and then after each pause.
        assert!(begin.elapsed() >= AGAIN_AFTER, "{:?}", begin.elapsed());
        subscriber.close().expect("it was open");
        drop(subscriber);
        let asked = names::asked("nobody.test");
        std::thread::sleep(AGAIN_AFTER + Duration::from_millis(200));
        assert_eq!(names::asked("nobody.test"), asked);
    }
}
