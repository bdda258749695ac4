//! The Rust peer of the matrix: does what each line of its input says, and answers each with one line. The lines are
//! described in README.md one folder up; run.py there writes them.

mod named;
mod payload;
mod served;

use std::collections::HashMap;
use std::io::{BufRead, Write};
use std::sync::Arc;
use std::time::Duration;

use dividere::{
    Channel, Deadline, Dealer, Error, Filter, Message, Options, Proxy, ProxyKind, Publisher, Request, Response, Result,
    Status, Subscriber, Worker,
};
use named::Named;
use served::Served;

/// Where only a failure would wait so long.
pub const LIMIT: Duration = Duration::from_secs(20);

fn soon() -> Deadline {
    Deadline::after(LIMIT)
}

enum Role {
    Publisher(Arc<Publisher>),
    Subscriber(Arc<Subscriber>),
    Request(Arc<Request>),
    Response(Arc<Response>),
    Dealer(Arc<Dealer>),
    Worker,
}

struct Socket {
    role: Role,
    channel: Arc<dyn Channel>,
    /// What was received last, to be answered.
    last: Message,
}

#[derive(Default)]
struct Peer {
    sockets: HashMap<String, Socket>,
    proxies: HashMap<String, Proxy>,
    reactors: HashMap<String, Served>,
    named: Named,
}

fn invalid(text: String) -> Error {
    Error::new(Status::InvalidArgument, text)
}

fn payload_of(text: &str) -> Result<Vec<u8>> {
    payload::read(text).map_err(invalid)
}

fn number(text: &str) -> Result<usize> {
    text.parse().map_err(|_| invalid(format!("no number: {text}")))
}

/// `typed NAME PAYLOAD` or `bytes PAYLOAD`.
fn message_of(words: &[&str]) -> Result<Message> {
    match words {
        ["typed", name, payload] => {
            let payload = payload_of(payload)?;
            let mut message = Message::new();
            message.prepare(name, payload.len())?.copy_from_slice(&payload);
            Ok(message)
        }
        ["bytes", payload] => Message::from_bytes(&payload_of(payload)?),
        _ => Err(invalid(format!("no message: {words:?}"))),
    }
}

/// The message as the driver expects to read it.
pub fn told(message: &Message) -> String {
    match message.type_name() {
        Some(name) => format!("typed {name} {}", payload::tell(message.payload())),
        None => format!("bytes {}", payload::tell(message.bytes())),
    }
}

/// The payload of message `number` of a burst: a Reading whose sensor it is.
fn numbered(number: usize) -> Vec<u8> {
    format!("\n\x06{number:06}").into_bytes()
}

const BURST_TYPE: &str = "acme.telemetry.v1.Reading";

impl Peer {
    fn socket(&mut self, name: &str) -> Result<&mut Socket> {
        self.sockets
            .get_mut(name)
            .ok_or_else(|| invalid(format!("no socket is called {name}")))
    }

    fn reactor(&mut self, name: &str) -> Result<&mut Served> {
        self.reactors
            .get_mut(name)
            .ok_or_else(|| invalid(format!("no reactor is called {name}")))
    }

    fn subscriber(&mut self, name: &str) -> Result<&Subscriber> {
        match &self.socket(name)?.role {
            Role::Subscriber(subscriber) => Ok(subscriber),
            _ => Err(invalid(format!("{name} is no subscriber"))),
        }
    }

    fn obey(&mut self, words: &[&str]) -> Result<String> {
        let done = || Ok(String::from("ok"));
        match words {
            ["hello"] => Ok(format!("ok rust {}", env!("CARGO_PKG_VERSION"))),
            ["new", kind, name, arguments @ ..] => self.make(kind, name, arguments),
            ["reset"] => {
                for served in self.reactors.values() {
                    served.reactor.close()?;
                }
                *self = Peer::default();
                done()
            }
            ["send", name, message @ ..] => {
                let mut message = message_of(message)?;
                self.socket(name)?.channel.send(&mut message)?;
                done()
            }
            ["send_empty", name, message @ ..] => match &self.socket(name)?.role {
                Role::Dealer(dealer) => {
                    dealer.send_with_empty_frame(&mut message_of(message)?)?;
                    done()
                }
                _ => Err(invalid(format!("{name} is no dealer"))),
            },
            ["recv", name] => {
                let socket = self.socket(name)?;
                socket.channel.recv(&mut socket.last, soon())?;
                Ok(told(&socket.last) + routed(socket))
            }
            ["recv_bytes", name] => {
                let socket = self.socket(name)?;
                socket.channel.recv_bytes(&mut socket.last, soon())?;
                Ok(format!("bytes {}", payload::tell(socket.last.bytes())) + routed(socket))
            }
            ["reply", name, message @ ..] => {
                self.socket(name)?.last.reply(&mut message_of(message)?)?;
                done()
            }
            ["send_routed", name, message @ ..] => {
                let socket = self.socket(name)?;
                let Role::Dealer(dealer) = &socket.role else {
                    return Err(invalid(format!("{name} is no dealer")));
                };
                let route: Vec<&[u8]> = socket.last.route().iter().map(|frame| frame.bytes()).collect();
                dealer.send_routed(&route, &mut message_of(message)?)?;
                done()
            }
            ["reply_error", name, status, text @ ..] => {
                let status = Status::from_name(status).ok_or_else(|| invalid(format!("no status: {status}")))?;
                match &self.socket(name)?.role {
                    Role::Response(response) => response.send_error(status, &text.join(" "))?,
                    _ => self.socket(name)?.last.reply_error(status, &text.join(" "))?,
                }
                done()
            }
            ["call", name, message @ ..] if !self.sockets.contains_key(*name) => {
                match self.named.call(name, &mut message_of(message)?) {
                    Some(answered) => answered.map(|answer| told(&answer)),
                    None => Err(invalid(format!("nothing to call is named {name}"))),
                }
            }
            ["call", name, message @ ..] => self.call(name, message, LIMIT.as_millis() as i64, 0),
            ["call_again", name, timeout_ms, retries, message @ ..] => {
                self.call(name, message, number(timeout_ms)? as i64, number(retries)? as u32)
            }
            ["connected", name, peers] => {
                let peers = number(peers)?;
                self.socket(name)?.channel.wait_connected(peers, soon()).and(done())
            }
            ["subscribe", name, type_name] => self.subscriber(name)?.subscribe_type(type_name).and(done()),
            ["unsubscribe", name, type_name] => self.subscriber(name)?.unsubscribe_type(type_name).and(done()),
            ["subscribe_prefix", name, prefix] => {
                let prefix = payload_of(prefix)?;
                self.subscriber(name)?.subscribe_prefix(&prefix).and(done())
            }
            ["unsubscribe_prefix", name, prefix] => {
                let prefix = payload_of(prefix)?;
                self.subscriber(name)?.unsubscribe_prefix(&prefix).and(done())
            }
            ["subscribers", name, type_name, count] => {
                let count = number(count)?;
                match &self.socket(name)?.role {
                    Role::Publisher(publisher) => {
                        let type_name = (*type_name != "-").then_some(*type_name);
                        publisher.wait_for_subscribers(type_name, count, soon()).and(done())
                    }
                    _ => Err(invalid(format!("{name} is no publisher"))),
                }
            }
            ["burst", name, count] => self.burst(name, count),
            ["expect", name, count] => self.expect(name, count),
            ["on", name, type_name, action @ ..] => self.reactor(name)?.on(type_name, action).and(done()),
            ["add", name, source] => {
                let channel = Arc::clone(&self.socket(source)?.channel);
                self.reactor(name)?.add(&channel).and(done())
            }
            ["start", name] => self.reactor(name)?.reactor.start("matrix").and(done()),
            ["taken", name] => self.reactor(name)?.taken(),
            _ => Err(invalid(format!("not understood: {words:?}"))),
        }
    }

    fn make(&mut self, kind: &str, name: &str, arguments: &[&str]) -> Result<String> {
        if let Some(made) = self.named.make(kind, name, arguments)? {
            return Ok(made);
        }
        let options = Options::new();
        let (role, channel): (Role, Arc<dyn Channel>) = match (kind, arguments) {
            ("publisher", [endpoint]) => {
                let made = Arc::new(Publisher::new(endpoint, &options)?);
                (Role::Publisher(Arc::clone(&made)), made)
            }
            ("subscriber", [endpoint, wanted @ ..]) => {
                let filter = match wanted {
                    ["all"] => Filter::All,
                    ["types", types @ ..] => Filter::Types(types),
                    ["prefix", _] => Filter::Types(&[]),
                    _ => return Err(invalid(format!("no filter: {wanted:?}"))),
                };
                let made = Arc::new(Subscriber::new(endpoint, filter, &options)?);
                if let ["prefix", prefix] = wanted {
                    made.subscribe_prefix(&payload_of(prefix)?)?;
                }
                (Role::Subscriber(Arc::clone(&made)), made)
            }
            ("request", [endpoint]) => {
                let made = Arc::new(Request::new(endpoint, &options)?);
                (Role::Request(Arc::clone(&made)), made)
            }
            ("response", [endpoint]) => {
                let made = Arc::new(Response::new(endpoint, &options)?);
                (Role::Response(Arc::clone(&made)), made)
            }
            ("dealer", [endpoint]) => {
                let made = Arc::new(Dealer::new(endpoint, &options)?);
                (Role::Dealer(Arc::clone(&made)), made)
            }
            ("worker", [endpoint]) => (Role::Worker, Arc::new(Worker::new(endpoint, &options)?)),
            ("proxy", [kind, front, back]) => {
                let kind = match *kind {
                    "request_response" => ProxyKind::RequestResponse,
                    "publish_subscribe" => ProxyKind::PublishSubscribe,
                    _ => return Err(invalid(format!("no kind of proxy: {kind}"))),
                };
                let proxy = Proxy::new(kind, front, back, None, &options)?;
                let bound = |endpoint: Option<String>| endpoint.unwrap_or_else(|| String::from("-"));
                let answer = format!(
                    "ok {} {}",
                    bound(proxy.front().last_endpoint()),
                    bound(proxy.back().last_endpoint())
                );
                self.proxies.insert(name.to_owned(), proxy);
                return Ok(answer);
            }
            ("reactor", []) => {
                self.reactors.insert(name.to_owned(), Served::new()?);
                return Ok(String::from("ok"));
            }
            _ => return Err(invalid(format!("cannot make a {kind} of {arguments:?}"))),
        };
        let endpoint = channel.last_endpoint().unwrap_or_else(|_| String::from("-"));
        let last = Message::new();
        self.sockets.insert(name.to_owned(), Socket { role, channel, last });
        Ok(format!("ok {endpoint}"))
    }

    fn call(&mut self, name: &str, message: &[&str], timeout_ms: i64, retries: u32) -> Result<String> {
        let socket = self.socket(name)?;
        let Role::Request(request) = &socket.role else {
            return Err(invalid(format!("{name} is no request")));
        };
        request.call(&mut message_of(message)?, &mut socket.last, timeout_ms, retries)?;
        Ok(told(&socket.last))
    }

    fn burst(&mut self, name: &str, count: &str) -> Result<String> {
        let count = number(count)?;
        let channel = Arc::clone(&self.socket(name)?.channel);
        for number in 0..count {
            let payload = numbered(number);
            let mut message = Message::new();
            message.prepare(BURST_TYPE, payload.len())?.copy_from_slice(&payload);
            channel.send(&mut message)?;
        }
        Ok(String::from("ok"))
    }

    fn expect(&mut self, name: &str, count: &str) -> Result<String> {
        let count = number(count)?;
        let channel = Arc::clone(&self.socket(name)?.channel);
        let mut message = Message::new();
        for number in 0..count {
            channel
                .recv(&mut message, soon())
                .map_err(|e| e.context(format!("message {number}")))?;
            if message.type_name() != Some(BURST_TYPE) || message.payload() != numbered(number) {
                return Ok(format!("bad message {number} is {}", told(&message)));
            }
        }
        Ok(format!("ok {count}"))
    }
}

/// Whether a dealer's message came with a way back.
fn routed(socket: &Socket) -> &'static str {
    match &socket.role {
        Role::Dealer(_) if !socket.last.route().is_empty() => " routed",
        _ => "",
    }
}

fn main() -> std::io::Result<()> {
    let mut peer = Peer::default();
    let mut output = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split_whitespace().collect();
        let answer = peer
            .obey(&words)
            .unwrap_or_else(|error| format!("error {} # {}", error.status().name(), error.text().replace('\n', " ")));
        writeln!(output, "{answer}")?;
        output.flush()?;
    }
    Ok(())
}
