//! A service client whose instances have hosts with names: of the system's resolver nobody hears for as long as it likes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::connection::clock::Deadline;
use crate::connection::options::Options;
use crate::connection::resolve::names;
use crate::error::{Result, Status};
use crate::messaging::channel::Channel;
use crate::messaging::message::Message;
use crate::messaging::response::Response;
use crate::registry::client::RegistryClient;
use crate::registry::server::RegistryServer;
use crate::service::client::ServiceClient;
use crate::service::serving::{Service, ServiceSettings};

const LIMIT: Duration = Duration::from_secs(20);

fn soon() -> Deadline {
    Deadline::after(LIMIT)
}

fn registry_client(server: &RegistryServer, advertised: &str) -> Arc<RegistryClient> {
    let mut options = Options::default();
    options.registry_mut().set_advertise(advertised).expect("a host");
    let endpoint = server.endpoint().expect("it is bound");
    Arc::new(RegistryClient::new(&endpoint, &options).expect("a registry client"))
}

fn service(name: &str, registry: &Arc<RegistryClient>, told: &'static str) -> Service {
    let settings = ServiceSettings {
        endpoint: Some("tcp://127.0.0.1:*".to_owned()),
        ..ServiceSettings::default()
    };
    let service = Service::new(name, registry, &Options::default(), &settings).expect("a service");
    let tell = move |_: &mut Message, reply: &mut Message| {
        reply.prepare("acme.Told", told.len())?.copy_from_slice(told.as_bytes());
        Ok(())
    };
    service.set_handler(None, Some(Arc::new(tell))).expect("it is open");
    service.start(soon()).expect("a registry");
    service
}

fn call(client: &ServiceClient, repeat: bool) -> Result<Vec<u8>> {
    let (mut request, mut reply) = (Message::new(), Message::new());
    request.prepare("acme.Ask", 0).expect("room");
    client.call(&mut request, &mut reply, LIMIT.as_millis() as i64, repeat)?;
    Ok(reply.payload().to_vec())
}

#[test]
fn a_name_that_takes_long_to_look_up_holds_up_nobody() {
    const HOST: &str = "slow-instance.test";
    names::set(HOST, &["127.0.0.1"]);
    let held = names::hold(HOST);
    let server = RegistryServer::new("tcp://127.0.0.1:*", &Options::default()).expect("a registry");
    let (numeric, by_name) = (registry_client(&server, "127.0.0.1"), registry_client(&server, HOST));
    let _slow = service("acme.Echo", &by_name, "slow");
    let client = ServiceClient::new("acme.Echo", &numeric, &Options::default()).expect("a client");
    // Let go of before the client closes, also where this fails.
    let held = held;
    assert!(names::wait_asked(HOST, 1, LIMIT), "it is not looked up");
    // While that goes on: others are found, called, and their end is noticed.
    let first = service("acme.Echo", &numeric, "first");
    client.wait_for_service(soon()).expect("the first one");
    assert_eq!(call(&client, false).expect("an answer"), b"first");
    first.stop(soon()).expect("it was open");
    let second = service("acme.Echo", &numeric, "second");
    let begin = Instant::now();
    loop {
        // The first one may still be there for it, which is at its end.
        client.wait_for_service(soon()).expect("the second one");
        match call(&client, true) {
            Ok(told) => break assert_eq!(told, b"second"),
            Err(error) => assert!(begin.elapsed() < LIMIT, "{error}"),
        }
    }
    let begin = Instant::now();
    client.close().expect("it was open");
    assert!(begin.elapsed() < LIMIT / 2, "closing waited for the resolver");
    drop(second);
    // And what takes long is there in the end.
    let client = ServiceClient::new("acme.Echo", &numeric, &Options::default()).expect("a client");
    drop(held);
    client.wait_for_service(soon()).expect("the slow one");
    assert_eq!(call(&client, false).expect("an answer"), b"slow");
}

#[test]
fn a_name_without_an_address_is_tried_again_until_it_has_one() {
    const HOST: &str = "late-instance.test";
    names::set(HOST, &[]);
    let server = RegistryServer::new("tcp://127.0.0.1:*", &Options::default()).expect("a registry");
    let registry = registry_client(&server, HOST);
    let _late = service("acme.Echo", &registry, "late");
    let client = ServiceClient::new("acme.Echo", &registry, &Options::default()).expect("a client");
    assert!(names::wait_asked(HOST, 2, LIMIT), "it is not looked up again");
    let waited = client
        .wait_for_service(Deadline::from_ms(1))
        .expect_err("nobody is connected");
    assert_eq!(waited.status(), Status::Timeout);
    names::set(HOST, &["127.0.0.1"]);
    client.wait_for_service(soon()).expect("it has an address now");
    assert_eq!(call(&client, false).expect("an answer"), b"late");
}

/// Whoever accepts connections only to drop them costs a connection now and then, and not one after the other.
#[test]
fn an_instance_that_ends_every_connection_is_tried_less_and_less_often() {
    let server = RegistryServer::new("tcp://127.0.0.1:*", &Options::default()).expect("a registry");
    let registry = registry_client(&server, "127.0.0.1");
    let mut response = Response::new("@tcp://127.0.0.1:*", &Options::default()).expect("a response");
    let endpoint = response.last_endpoint().expect("it is bound");
    let port = endpoint.rsplit(':').next().and_then(|port| port.parse().ok());
    let port = port.expect("a port");
    registry.register("acme.Drop", port, b"", soon()).expect("a registry");
    let client = ServiceClient::new("acme.Drop", &registry, &Options::default()).expect("a client");
    response.wait_connected(1, soon()).expect("the client");
    let begin = Instant::now();
    let mut connections = 1;
    while begin.elapsed() < Duration::from_secs(3) {
        response.close().expect("it was open");
        response = Response::new(&format!("@{endpoint}"), &Options::default()).expect("a response");
        connections += usize::from(response.wait_connected(1, Deadline::from_ms(500)).is_ok());
    }
    // After 0.25, 0.5, 1, 2 and 4 s.
    assert!((2..=6).contains(&connections), "{connections} connections in 3 s");
    drop(client);
}
