//! A call by a service's name, beside a request to a bare response that does the same. `dividere-bench service ROLE ...`:
//!
//! serve REGISTRY             registers a service of one worker, prints an empty line, answers until its input ends
//! response                   binds, prints its endpoint, answers until its input ends
//! call REGISTRY COUNT        asks by name; prints every round trip in nanoseconds
//! ask ENDPOINT COUNT         asks the response; the same

use std::io::Read;
use std::sync::Arc;
use std::time::Instant;

use dividere::proto::{ServiceLookupRep, ServiceLookupReq};
use dividere::{
    Channel, Deadline, Message, Options, RegistryClient, Request, Response, Result, Service, ServiceClient,
    ServiceSettings,
};

const NAME: &str = "bench.service";
const LIMIT_MS: i64 = 10_000;

pub fn run(arguments: &[String]) {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["serve", registry] => serve(registry),
        ["response"] => respond(),
        ["call", registry, count] => {
            let client = ServiceClient::new(NAME, &names(registry), &Options::new()).expect("a client");
            let limit = Deadline::from_ms(LIMIT_MS);
            client.wait_for_service(limit).expect("the service is there");
            ask(count, |question, answer| client.call(question, answer, LIMIT_MS, false));
        }
        ["ask", endpoint, count] => {
            let request = Request::new(endpoint, &Options::new()).expect("an endpoint");
            request
                .wait_connected(0, Deadline::from_ms(LIMIT_MS))
                .expect("connected");
            ask(count, |question, answer| request.call(question, answer, LIMIT_MS, 0));
        }
        other => panic!("not {other:?}"),
    }
}

fn names(registry: &str) -> Arc<RegistryClient> {
    let mut options = Options::new();
    options.registry_mut().set_advertise("127.0.0.1").expect("an address");
    Arc::new(RegistryClient::new(registry, &options).expect("an endpoint"))
}

fn until_the_end() {
    let _end = std::io::stdin().read(&mut [0]);
}

fn reply_to(request: ServiceLookupReq) -> ServiceLookupRep {
    ServiceLookupRep {
        service_name: request.service_name,
        server: "127.0.0.1".to_owned(),
        port: 5101,
        ..ServiceLookupRep::default()
    }
}

fn serve(registry: &str) {
    let settings = ServiceSettings {
        endpoint: Some("tcp://127.0.0.1:*".to_owned()),
        ..ServiceSettings::default()
    };
    let service = Service::new(NAME, &names(registry), &Options::new(), &settings).expect("a free port");
    service
        .on(|request: ServiceLookupReq| Ok(reply_to(request)))
        .expect("it is open");
    service.start(Deadline::from_ms(LIMIT_MS)).expect("a registry");
    crate::tell("");
    until_the_end();
}

fn respond() {
    let response = Response::new("@tcp://127.0.0.1:*", &Options::new()).expect("a free port");
    crate::tell(&response.last_endpoint().expect("bound"));
    std::thread::spawn(move || {
        let (mut request, mut reply) = (Message::new(), Message::new());
        loop {
            if response.recv(&mut request, Deadline::Never).is_err() {
                // Its process ends.
                return;
            }
            reply.set(&reply_to(request.get().expect("a question"))).expect("room");
            response.send(&mut reply).expect("the asker is there");
        }
    });
    until_the_end();
}

fn ask(count: &str, mut call: impl FnMut(&mut Message, &mut Message) -> Result<()>) {
    let count: usize = count.parse().expect("COUNT is a number");
    let question = ServiceLookupReq {
        service_name: "acme.fleet.service".to_owned(),
        ..ServiceLookupReq::default()
    };
    let (mut request, mut answer) = (Message::new(), Message::new());
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let before = Instant::now();
        request.set(&question).expect("room");
        call(&mut request, &mut answer).expect("an answer");
        let reply: ServiceLookupRep = answer.get().expect("a reply");
        assert_eq!(reply.port, 5101);
        times.push(before.elapsed().as_nanos());
    }
    let text: Vec<String> = times.iter().map(u128::to_string).collect();
    println!("{}", text.join(" "));
}
