//! A service whose own threads fail: it is not to be found any more, and nobody goes on waiting for it.

use std::sync::{mpsc, Arc};
use std::time::Duration;

use super::{Service, ServiceSettings};
use crate::connection::clock::Deadline;
use crate::connection::options::Options;
use crate::connection::socket::FaultKind;
use crate::error::{Result, Status};
use crate::messaging::channel::Channel;
use crate::messaging::message::Message;
use crate::registry::client::RegistryClient;
use crate::registry::server::RegistryServer;
use crate::registry::watch::Selection;
use crate::service::client::ServiceClient;

const LIMIT: Duration = Duration::from_secs(20);
const NAME: &str = "acme.Faulty";

fn soon() -> Deadline {
    Deadline::after(LIMIT)
}

fn status<T>(result: Result<T>) -> Option<Status> {
    result.err().map(|error| error.status())
}

/// Each request waits until the test lets it go on.
struct Held {
    entered: mpsc::Receiver<()>,
    go_on: mpsc::Sender<()>,
}

/// With one worker.
fn service(registry: &Arc<RegistryClient>) -> (Service, Held) {
    let settings = ServiceSettings {
        endpoint: Some("tcp://127.0.0.1:*".to_owned()),
        ..ServiceSettings::default()
    };
    let service = Service::new(NAME, registry, &Options::default(), &settings).expect("a service");
    let (enter, entered) = mpsc::channel();
    let (go_on, held) = mpsc::channel();
    let held = std::sync::Mutex::new(held);
    let handler = move |_: &mut Message, reply: &mut Message| {
        enter.send(()).expect("the test is there");
        // At its end, too.
        let _let_go = held.lock().expect("no panic").recv();
        reply.prepare("acme.Done", 0).map(drop)
    };
    service.set_handler(None, Some(Arc::new(handler))).expect("it is open");
    service.start(soon()).expect("a registry");
    (service, Held { entered, go_on })
}

fn call(client: &ServiceClient) -> Result<()> {
    let (mut request, mut reply) = (Message::new(), Message::new());
    request.prepare("acme.Do", 0)?;
    client.call(&mut request, &mut reply, LIMIT.as_millis() as i64, false)
}

fn fails(fault: FaultKind, expected: Status) {
    let server = RegistryServer::new("tcp://127.0.0.1:*", &Options::default()).expect("a registry");
    let endpoint = server.endpoint().expect("it is bound");
    let registry = || Arc::new(RegistryClient::new(&endpoint, &Options::default()).expect("a registry client"));
    // A lease would end by itself only with the process: this client goes on.
    let (own, other) = (registry(), registry());
    let (service, held) = service(&own);
    let watch = other.watch(Selection::Name(NAME), soon()).expect("a watch");
    let client = ServiceClient::new(NAME, &other, &Options::default()).expect("a client");
    client.wait_for_service(soon()).expect("the service");
    std::thread::scope(|threads| {
        let working = threads.spawn(|| call(&client));
        held.entered.recv_timeout(LIMIT).expect("a request");
        let stops = threads.spawn(|| service.wait_ended(soon()));
        let sockets = service.inner.response.sockets();
        sockets[0].fail_receiving(fault);
        assert_eq!(status(stops.join().expect("no panic")), Some(expected));
        assert_eq!(status(working.join().expect("no panic")), Some(Status::Remote));
        while !other.lookup_all(NAME, soon()).expect("a registry").is_empty() {
            let _changed = watch.recv(soon()).expect("it is taken out");
        }
        assert!(sockets[0].is_closed());
        assert_eq!(status(service.start(soon())), Some(expected));
        held.go_on.send(()).expect("the handler is there");
        service.close().expect("the first time");
        assert_eq!(status(service.close()), Some(Status::Closed));
        assert_eq!(status(service.wait_ended(Deadline::Now)), Some(expected));
    });
}

#[test]
fn a_service_that_cannot_receive_is_closed_and_not_found_any_more() {
    fails(FaultKind::Error, Status::OutOfMemory);
}

#[test]
fn a_service_whose_thread_panics_is_closed_and_not_found_any_more() {
    fails(FaultKind::Panic, Status::Internal);
}

#[test]
fn stopping_a_service_ends_with_its_fault() {
    let server = RegistryServer::new("tcp://127.0.0.1:*", &Options::default()).expect("a registry");
    let endpoint = server.endpoint().expect("it is bound");
    let registry = Arc::new(RegistryClient::new(&endpoint, &Options::default()).expect("a registry client"));
    let (service, held) = service(&registry);
    let client = ServiceClient::new(NAME, &registry, &Options::default()).expect("a client");
    client.wait_for_service(soon()).expect("the service");
    std::thread::scope(|threads| {
        let working = threads.spawn(|| call(&client));
        held.entered.recv_timeout(LIMIT).expect("a request");
        let stops = threads.spawn(|| service.stop(soon()));
        let is_refusing = || super::lock(&service.inner.pool).phase == super::Phase::Refusing;
        while !is_refusing() {
            std::thread::yield_now();
        }
        service.inner.response.sockets()[0].fail_receiving(FaultKind::Error);
        // It does not wait for the request that it has.
        assert_eq!(status(working.join().expect("no panic")), Some(Status::Remote));
        held.go_on.send(()).expect("the handler is there");
        assert_eq!(status(stops.join().expect("no panic")), Some(Status::OutOfMemory));
    });
}

#[test]
fn who_waits_for_the_end_of_a_service_hears_of_its_close() {
    let registry = RegistryClient::new("tcp://127.0.0.1:9", &Options::default()).expect("a registry client");
    let settings = ServiceSettings {
        endpoint: Some("tcp://127.0.0.1:*".to_owned()),
        ..ServiceSettings::default()
    };
    let service = Service::new(NAME, &Arc::new(registry), &Options::default(), &settings).expect("a service");
    assert_eq!(status(service.wait_ended(Deadline::Now)), Some(Status::WouldBlock));
    std::thread::scope(|threads| {
        let waits = threads.spawn(|| service.wait_ended(soon()));
        service.close().expect("it was open");
        waits.join().expect("no panic").expect("it was closed");
    });
}
