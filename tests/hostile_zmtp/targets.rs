//! What is attacked: each role, bound and connecting, the ends of both proxies, and what a reactor receives from; each
//! with a good peer, who must be served all the same, over a connection that never breaks.

use std::io::ErrorKind;
use std::net::{Shutdown, TcpListener};
use std::sync::mpsc::{channel, Receiver};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use crate::common::zmtp::Peer;
use crate::common::{address, bytes, soon, typed, LIMIT, LIMIT_MS};
use dividere::connection::keys::KeyPair;
use dividere::{
    Channel, Deadline, Dealer, Filter, Message, Options, Proxy, ProxyKind, Publisher, Reactor, Request, Response,
    Status, Subscriber,
};

const ANY: &str = "@tcp://127.0.0.1:*";
const TOKEN: &str = "good.Token";

/// How a hostile peer gets there.
enum Way {
    To(String),
    From(TcpListener),
}

/// A good peer's exchange, with this content.
type Check = dyn FnMut(&[u8]) + Send;

/// Something that must survive, and how one sees that it did.
pub struct Target {
    pub name: &'static str,
    /// What a good peer would call itself.
    pub socket_types: &'static [&'static str],
    way: Way,
    check: Box<Check>,
    checks: u64,
    /// Closed at the end, so that the threads that serve end.
    serving: Vec<Arc<dyn Channel>>,
    threads: Vec<JoinHandle<()>>,
}

impl Target {
    fn new(
        name: &'static str,
        socket_types: &'static [&'static str],
        way: Way,
        check: impl FnMut(&[u8]) + Send + 'static,
    ) -> Target {
        Target {
            name,
            socket_types,
            way,
            check: Box::new(check),
            checks: 0,
            serving: Vec::new(),
            threads: Vec::new(),
        }
    }

    /// `response` answers on a thread of its own for as long as there is this target.
    fn served_by(mut self, response: &Arc<Response>) -> Target {
        let serving = Arc::clone(response);
        self.serving.push(Arc::clone(response) as Arc<dyn Channel>);
        self.threads.push(std::thread::spawn(move || echo(&*serving)));
        self
    }

    /// It connects to us, which takes longer than being connected to.
    pub fn connects(&self) -> bool {
        matches!(self.way, Way::From(_))
    }

    /// Says it, in two parts, and waits until the target has ended the connection.
    pub fn say(&self, first: &[u8], second: &[u8]) {
        let mut peer = match &self.way {
            Way::To(endpoint) => Peer::connect(endpoint),
            Way::From(listener) => {
                next_connection(listener).unwrap_or_else(|| panic!("{}: it connects no more", self.name))
            }
        };
        // The other side may have had enough before the end.
        let _heard = peer.write(first).and_then(|()| peer.write(second));
        let _ended_already = peer.0.shutdown(Shutdown::Write);
        peer.read_to_the_end().unwrap_or_else(|error| {
            panic!(
                "{}: {error} after: {}{}",
                self.name,
                first.escape_ascii(),
                second.escape_ascii()
            )
        });
    }

    /// A good peer is served, and was never disconnected.
    pub fn check(&mut self) {
        self.checks += 1;
        // No answer to an earlier question is taken for this one's.
        let content = format!("from a good peer, {}", self.checks);
        (self.check)(content.as_bytes());
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        for channel in &self.serving {
            // CLOSED where the process is shutting down.
            let _closed_already = channel.close();
        }
        for thread in self.threads.drain(..) {
            if thread.join().is_err() && !std::thread::panicking() {
                panic!("{}: the thread that serves had panicked", self.name);
            }
        }
    }
}

/// The next connection that is still one: those that nobody took in time were given up.
fn next_connection(listener: &TcpListener) -> Option<Peer> {
    let deadline = Instant::now() + LIMIT;
    while Instant::now() < deadline {
        let peer = Peer::accept(listener)?;
        peer.0.set_nonblocking(true).unwrap();
        let ended = match peer.0.peek(&mut [0]) {
            Ok(0) => true,
            Ok(_) => false,
            Err(error) => error.kind() != ErrorKind::WouldBlock,
        };
        peer.0.set_nonblocking(false).unwrap();
        if !ended {
            return Some(peer);
        }
    }
    None
}

fn quick() -> Options {
    let mut options = Options::new();
    options.set_reconnect_interval_ms(1).unwrap();
    options.set_reconnect_interval_max_ms(2).unwrap();
    // Who does not read at once still takes in everything, and notices the end of a connection.
    options.set_receive_high_water_mark(0).unwrap();
    options
}

fn connecting() -> (Way, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("tcp://{}", listener.local_addr().unwrap());
    (Way::From(listener), endpoint)
}

fn bound(channel: &dyn Channel) -> Way {
    Way::To(channel.last_endpoint().unwrap())
}

fn unbroken(good: &dyn Channel) {
    assert_eq!(good.statistics().unwrap().reconnects, 0, "{}", good.role());
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

/// A message that `good` sends to `role` arrives.
fn arrives(good: &dyn Channel, role: &dyn Channel, content: &[u8]) {
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

/// A hostile peer may get a request, and never answer: where it may, it is sent again soon.
fn is_answered(request: &Request, content: &[u8], is_shared: bool) {
    let (timeout_ms, retries) = if is_shared { (200, 50) } else { (LIMIT_MS, 0) };
    let mut reply = Message::new();
    request
        .call(&mut bytes(content), &mut reply, timeout_ms, retries)
        .unwrap();
    assert_eq!(reply.bytes(), content);
}

pub fn bound_publisher() -> Target {
    let publisher = Publisher::new(ANY, &quick()).unwrap();
    let good = Subscriber::new(&address(&publisher), Filter::All, &quick()).unwrap();
    publisher.wait_for_subscribers(None, 1, soon()).unwrap();
    Target::new("bound publisher", &["SUB", "XSUB"], bound(&publisher), move |content| {
        publisher.send(&mut bytes(content)).unwrap();
        receive(&good, content);
        unbroken(&good);
        // Nobody is counted who is gone.
        let deadline = soon();
        while publisher.subscribers(None).unwrap() != 1 || publisher.statistics().unwrap().peers != 1 {
            assert!(!deadline.is_over(), "{:?}", publisher.statistics());
            std::thread::yield_now();
        }
    })
}

pub fn bound_subscriber() -> Target {
    let subscriber = Subscriber::new(ANY, Filter::All, &quick()).unwrap();
    let good = Publisher::new(&address(&subscriber), &quick()).unwrap();
    good.wait_for_subscribers(None, 1, soon()).unwrap();
    Target::new(
        "bound subscriber",
        &["PUB", "XPUB"],
        bound(&subscriber),
        move |content| arrives(&good, &subscriber, content),
    )
}

pub fn bound_dealer() -> Target {
    let dealer = Dealer::new(ANY, &quick()).unwrap();
    let good = Dealer::new(&address(&dealer), &quick()).unwrap();
    Target::new(
        "bound dealer",
        &["DEALER", "ROUTER", "REP"],
        bound(&dealer),
        move |content| arrives(&good, &dealer, content),
    )
}

pub fn bound_dealer_with_keys() -> Target {
    let (server_keys, client_keys) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let (mut server, mut client) = (quick(), quick());
    server.set_curve_server_secret_key(server_keys.secret).unwrap();
    server.add_allowed_key(client_keys.public);
    client.set_curve_client_secret_key(client_keys.secret).unwrap();
    client.set_curve_server_public_key(server_keys.public);
    let dealer = Dealer::new(ANY, &server).unwrap();
    let good = Dealer::new(&address(&dealer), &client).unwrap();
    Target::new("bound dealer with keys", &["DEALER"], bound(&dealer), move |content| {
        arrives(&good, &dealer, content)
    })
}

pub fn bound_response() -> Target {
    let response = Arc::new(Response::new(ANY, &quick()).unwrap());
    let good = Request::new(&response.last_endpoint().unwrap(), &quick()).unwrap();
    let check = move |content: &[u8]| {
        is_answered(&good, content, false);
        unbroken(&good);
    };
    Target::new("bound response", &["REQ", "DEALER", "ROUTER"], bound(&*response), check).served_by(&response)
}

pub fn bound_request() -> Target {
    let request = Request::new(ANY, &quick()).unwrap();
    let good = Arc::new(Response::new(&address(&request), &quick()).unwrap());
    let served = Arc::clone(&good);
    let way = bound(&request);
    let check = move |content: &[u8]| {
        is_answered(&request, content, true);
        unbroken(&*served);
    };
    Target::new("bound request", &["REP", "ROUTER", "DEALER"], way, check).served_by(&good)
}

/// Front end, back end and capture of a proxy for requests, in this order.
fn request_proxy(end: usize) -> Target {
    let at = "tcp://127.0.0.1:*";
    let proxy = Proxy::new(ProxyKind::RequestResponse, at, at, Some(at), &quick()).unwrap();
    let back = proxy.back().last_endpoint().unwrap();
    let response = Arc::new(Response::new(&format!(">{back}"), &quick()).unwrap());
    let good = Request::new(&proxy.front().last_endpoint().unwrap(), &quick()).unwrap();
    let (name, socket_types, socket): (_, &[_], _) = match end {
        0 => ("proxy's front end", &["DEALER", "REQ"], proxy.front()),
        1 => ("proxy's back end", &["ROUTER", "DEALER"], proxy.back()),
        _ => ("proxy's capture", &["SUB"], proxy.capture().unwrap()),
    };
    let way = Way::To(socket.last_endpoint().unwrap());
    let served = Arc::clone(&response);
    let check = move |content: &[u8]| {
        assert!(!proxy.is_closed());
        is_answered(&good, content, true);
        unbroken(&good);
        unbroken(&*served);
    };
    Target::new(name, socket_types, way, check).served_by(&response)
}

pub fn request_proxy_front() -> Target {
    request_proxy(0)
}

pub fn request_proxy_back() -> Target {
    request_proxy(1)
}

pub fn request_proxy_capture() -> Target {
    request_proxy(2)
}

fn publish_proxy(front: bool) -> Target {
    let at = "tcp://127.0.0.1:*";
    let proxy = Proxy::new(ProxyKind::PublishSubscribe, at, at, None, &quick()).unwrap();
    let publisher = Publisher::new(&format!(">{}", proxy.front().last_endpoint().unwrap()), &quick()).unwrap();
    let subscriber = Subscriber::new(&proxy.back().last_endpoint().unwrap(), Filter::All, &quick()).unwrap();
    publisher.wait_for_subscribers(None, 1, soon()).unwrap();
    let (name, socket_types, socket): (_, &[_], _) = match front {
        true => ("publishing proxy's front end", &["PUB"], proxy.front()),
        false => ("publishing proxy's back end", &["SUB", "XSUB"], proxy.back()),
    };
    let way = Way::To(socket.last_endpoint().unwrap());
    Target::new(name, socket_types, way, move |content| {
        assert!(!proxy.is_closed());
        arrives(&publisher, &subscriber, content)
    })
}

pub fn publish_proxy_front() -> Target {
    publish_proxy(true)
}

pub fn publish_proxy_back() -> Target {
    publish_proxy(false)
}

/// A reactor that answers tokens from requests, and tells of those that came from others.
fn reactor() -> (Reactor, Receiver<Vec<u8>>) {
    let reactor = Reactor::new().unwrap();
    let (told, tokens) = channel();
    reactor
        .on(TOKEN, move |_, message| {
            let content = message.payload().to_vec();
            if message.can_reply() {
                return message.reply(&mut typed(TOKEN, &content));
            }
            told.send(content).unwrap();
            Ok(())
        })
        .unwrap();
    // Of what hostile peers say.
    reactor.set_error_handler(Some(Arc::new(|_, _, _| {}))).unwrap();
    reactor.start("hostile-reactor").unwrap();
    (reactor, tokens)
}

fn handled(tokens: &Receiver<Vec<u8>>, content: &[u8]) {
    loop {
        let token = tokens.recv_timeout(LIMIT).expect("the reactor handles what came");
        if token == content {
            return;
        }
    }
}

pub fn reactor_response() -> Target {
    let (reactor, _) = reactor();
    let response: Arc<dyn Channel> = Arc::new(Response::new(ANY, &quick()).unwrap());
    reactor.add(&response, 0).unwrap();
    let good = Request::new(&response.last_endpoint().unwrap(), &quick()).unwrap();
    Target::new(
        "reactor's response",
        &["REQ", "DEALER"],
        bound(&*response),
        move |content| {
            assert!(reactor.is_running());
            let mut reply = Message::new();
            good.call(&mut typed(TOKEN, content), &mut reply, LIMIT_MS, 0).unwrap();
            assert_eq!(reply.payload(), content);
            unbroken(&good);
        },
    )
}

/// A source of a reactor, and who sends to it.
fn reactor_source(
    name: &'static str,
    types: &'static [&'static str],
    way: Way,
    source: Arc<dyn Channel>,
    good: impl Channel + 'static,
) -> Target {
    let (reactor, tokens) = reactor();
    reactor.add(&source, 0).unwrap();
    Target::new(name, types, way, move |content| {
        assert!(reactor.is_running());
        good.send(&mut typed(TOKEN, content)).unwrap();
        handled(&tokens, content);
        unbroken(&good);
    })
}

pub fn reactor_dealer() -> Target {
    let dealer = Dealer::new(ANY, &quick()).unwrap();
    let good = Dealer::new(&address(&dealer), &quick()).unwrap();
    reactor_source(
        "reactor's dealer",
        &["DEALER", "ROUTER"],
        bound(&dealer),
        Arc::new(dealer),
        good,
    )
}

pub fn reactor_subscriber() -> Target {
    let good = Publisher::new(ANY, &quick()).unwrap();
    let (way, hostile) = connecting();
    let endpoints = format!("{hostile},{}", good.last_endpoint().unwrap());
    let subscriber = Subscriber::new(&endpoints, Filter::All, &quick()).unwrap();
    good.wait_for_subscribers(None, 1, soon()).unwrap();
    reactor_source(
        "reactor's connecting subscriber",
        &["PUB"],
        way,
        Arc::new(subscriber),
        good,
    )
}

pub fn connecting_subscriber() -> Target {
    let good = Publisher::new(ANY, &quick()).unwrap();
    let (way, hostile) = connecting();
    let endpoints = format!("{hostile},{}", good.last_endpoint().unwrap());
    let subscriber = Subscriber::new(&endpoints, Filter::All, &quick()).unwrap();
    good.wait_for_subscribers(None, 1, soon()).unwrap();
    Target::new("connecting subscriber", &["PUB", "XPUB"], way, move |content| {
        arrives(&good, &subscriber, content)
    })
}

pub fn connecting_publisher() -> Target {
    let good = Subscriber::new(ANY, Filter::All, &quick()).unwrap();
    let (way, hostile) = connecting();
    let publisher = Publisher::new(&format!(">{hostile},{}", address(&good)), &quick()).unwrap();
    publisher.wait_for_subscribers(None, 1, soon()).unwrap();
    Target::new("connecting publisher", &["SUB", "XSUB"], way, move |content| {
        publisher.send(&mut bytes(content)).unwrap();
        receive(&good, content);
    })
}

pub fn connecting_dealer() -> Target {
    let good = Dealer::new(ANY, &quick()).unwrap();
    let (way, hostile) = connecting();
    let dealer = Dealer::new(&format!(">{hostile},{}", address(&good)), &quick()).unwrap();
    Target::new("connecting dealer", &["DEALER", "ROUTER"], way, move |content| {
        arrives(&good, &dealer, content)
    })
}

pub fn connecting_request() -> Target {
    let good = Arc::new(Response::new(ANY, &quick()).unwrap());
    let (way, hostile) = connecting();
    let endpoints = format!("{hostile},{}", good.last_endpoint().unwrap());
    let request = Request::new(&endpoints, &quick()).unwrap();
    let check = move |content: &[u8]| is_answered(&request, content, true);
    Target::new("connecting request", &["ROUTER", "REP"], way, check).served_by(&good)
}

pub fn connecting_response() -> Target {
    let good = Request::new(ANY, &quick()).unwrap();
    let (way, hostile) = connecting();
    let response = Arc::new(Response::new(&format!(">{hostile},{}", address(&good)), &quick()).unwrap());
    let check = move |content: &[u8]| is_answered(&good, content, true);
    Target::new("connecting response", &["REQ", "DEALER"], way, check).served_by(&response)
}

/// All of them. The place of one in this list is part of the kept inputs of the fuzzer: new ones go to the end.
pub const ALL: [fn() -> Target; 19] = [
    bound_publisher,
    bound_subscriber,
    bound_dealer,
    bound_dealer_with_keys,
    bound_response,
    bound_request,
    request_proxy_front,
    request_proxy_back,
    request_proxy_capture,
    publish_proxy_front,
    publish_proxy_back,
    reactor_response,
    reactor_dealer,
    reactor_subscriber,
    connecting_subscriber,
    connecting_publisher,
    connecting_dealer,
    connecting_request,
    connecting_response,
];
