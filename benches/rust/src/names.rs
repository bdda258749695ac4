//! Look-ups and registrations at a name registry, beside a bare response that answers the same questions with the same
//! replies. `dividere-bench names ROLE ...`:
//!
//! registry                             binds, prints its endpoint, answers until its input ends
//! response                             the same, without a registry behind it
//! fill ENDPOINT NAMES                  registers so many names
//! ask ENDPOINT WHAT CLIENTS N NAMES    so many clients, each with one question at a time; prints the nanoseconds that N
//!                                      questions of each took. WHAT is `lookup` or `register`

use std::io::Read;
use std::sync::Barrier;
use std::time::Instant;

use dividere::proto::{Ack, RegisterService, ServiceLookupRep, ServiceLookupReq};
use dividere::{Channel, Deadline, Instance, Message, Options, RegistryServer, Request, Response};
use prost::Message as _;

const AT: &str = "tcp://127.0.0.1:*";
const LIMIT_MS: i64 = 60_000;

pub fn run(arguments: &[String]) {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let number = |word: &str| word.parse::<usize>().expect("a number");
    match words.as_slice() {
        ["registry"] => {
            let server = RegistryServer::new(AT, &Options::new()).expect("free ports");
            crate::tell(&server.endpoint().expect("bound"));
            until_the_end();
        }
        ["response"] => respond(),
        ["fill", endpoint, names] => {
            let request = Request::new(endpoint, &Options::new()).expect("an endpoint");
            for name in 0..number(names) {
                let ack: Ack = request.call_as(&registration(name), LIMIT_MS, 0).expect("an answer");
                assert!(ack.ok);
            }
        }
        ["ask", endpoint, what, clients, count, names] => {
            ask(endpoint, what, number(clients), number(count), number(names))
        }
        other => panic!("not {other:?}"),
    }
}

fn until_the_end() {
    let _end = std::io::stdin().read(&mut [0]);
}

fn name_of(number: usize) -> String {
    format!("acme.fleet.service-{number:06}")
}

fn registration(number: usize) -> RegisterService {
    RegisterService {
        service_name: name_of(number),
        server: "127.0.0.1".to_owned(),
        port: 5101,
        instance: Some(number as u64 + 1),
        lease_ms: Some(3_600_000),
        metadata: None,
    }
}

fn encoded<M: prost::Message + prost::Name>(message: &M) -> Message {
    let mut made = Message::new();
    made.set(message).expect("room");
    made
}

/// Receives, looks at the type, and sends what a registry would have answered.
fn respond() {
    let response = Response::new(AT, &Options::new()).expect("a free port");
    crate::tell(&response.last_endpoint().expect("bound"));
    let ack = Ack {
        ok: true,
        registry: Some(u64::MAX),
        revision: Some(100_000),
    };
    let instance = Instance {
        name: name_of(0),
        server: "127.0.0.1".to_owned(),
        port: 5101,
        ..Instance::default()
    };
    let found = ServiceLookupRep {
        service_name: instance.name.clone(),
        server: instance.server.clone(),
        port: 5101,
        registry: Some(u64::MAX),
        revision: Some(100_000),
        instances: vec![dividere::proto::v1::Instance {
            name: instance.name.clone(),
            server: instance.server.clone(),
            port: 5101,
            instance: u64::MAX,
            lease_ms: 3_600_000,
            metadata: Vec::new(),
            revision: 100_000,
        }],
        more: false,
    };
    let (ack, found) = (ack.encode_to_vec(), found.encode_to_vec());
    std::thread::spawn(move || {
        let (mut request, mut reply) = (Message::new(), Message::new());
        while response.recv(&mut request, Deadline::Never).is_ok() {
            let (name, payload) = match request.type_name() {
                Some("RegisterService") => ("ack", &ack),
                _ => ("ServiceLookupRep", &found),
            };
            let place = reply.prepare(name, payload.len()).expect("room");
            place.copy_from_slice(payload);
            response.send(&mut reply).expect("the asker is there");
        }
    });
    until_the_end();
}

fn ask(endpoint: &str, what: &str, clients: usize, count: usize, names: usize) {
    let begin = Barrier::new(clients + 1);
    let end = Barrier::new(clients + 1);
    std::thread::scope(|scope| {
        for client in 0..clients {
            let (begin, end) = (&begin, &end);
            scope.spawn(move || {
                let request = Request::new(endpoint, &Options::new()).expect("an endpoint");
                let deadline = Deadline::from_ms(LIMIT_MS);
                request.wait_connected(0, deadline).expect("a server");
                let mut reply = Message::new();
                begin.wait();
                for i in 0..count {
                    // All names in turns, each client from another place on.
                    let name = (client * 7919 + i) % names;
                    let mut question = match what {
                        "register" => {
                            let mut other = registration(name);
                            // Another place than before: a change each time.
                            other.port = 1 + (i % 60_000) as u32;
                            encoded(&other)
                        }
                        _ => encoded(&ServiceLookupReq {
                            service_name: name_of(name),
                            most: Some(1),
                        }),
                    };
                    request.call(&mut question, &mut reply, LIMIT_MS, 0).expect("an answer");
                    match what {
                        "register" => assert!(reply.get::<Ack>().expect("an ack").ok),
                        _ => assert_ne!(reply.get::<ServiceLookupRep>().expect("a place").port, 0),
                    }
                }
                end.wait();
            });
        }
        begin.wait();
        let start = Instant::now();
        end.wait();
        println!("{}", start.elapsed().as_nanos());
    });
}
