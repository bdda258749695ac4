//! Services with keys: registry, service and client let in whom they know, and say why nobody else is.

mod common;

use std::sync::Arc;
use std::time::Instant;

use common::{soon, typed, LIMIT, LIMIT_MS};
use dividere::connection::keys::{KeyPair, PublicKey};
use dividere::{
    Message, Options, RegistryClient, RegistryServer, Request, Service, ServiceClient, ServiceSettings, Status,
};

const NAME: &str = "acme.Echo";

fn pair() -> KeyPair {
    KeyPair::generate().unwrap()
}

fn server(keys: &KeyPair, allowed: &[&KeyPair]) -> Options {
    let mut options = Options::new();
    options.set_curve_server_secret_key(keys.secret.clone()).unwrap();
    allowed.iter().for_each(|client| options.add_allowed_key(client.public));
    options
}

fn client(keys: &KeyPair, server: PublicKey) -> Options {
    let mut options = Options::new();
    options.set_curve_client_secret_key(keys.secret.clone()).unwrap();
    options.set_curve_server_public_key(server);
    options
}

fn registry_client(registry: &RegistryServer, mut options: Options) -> Arc<RegistryClient> {
    options.registry_mut().set_advertise("127.0.0.1").unwrap();
    Arc::new(RegistryClient::new(&registry.endpoint().unwrap(), &options).unwrap())
}

fn echo(registry: &Arc<RegistryClient>, options: &Options) -> Service {
    let settings = ServiceSettings {
        endpoint: Some("tcp://127.0.0.1:*".to_owned()),
        ..ServiceSettings::default()
    };
    let service = Service::new(NAME, registry, options, &settings).unwrap();
    let handler = |request: &mut Message, reply: &mut Message| {
        let payload = request.payload();
        reply.prepare("acme.Told", payload.len())?.copy_from_slice(payload);
        Ok(())
    };
    service.set_handler(None, Some(Arc::new(handler))).unwrap();
    service.start(soon()).unwrap();
    service
}

fn call(client: &ServiceClient, payload: &[u8]) -> dividere::Result<Vec<u8>> {
    let mut reply = Message::new();
    client.call(&mut typed("acme.Ask", payload), &mut reply, LIMIT_MS, true)?;
    Ok(reply.payload().to_vec())
}

/// Keys of a registry's, a service's and two clients' own.
struct Keys {
    registry: KeyPair,
    service: KeyPair,
    known: KeyPair,
    stranger: KeyPair,
}

fn keys() -> Keys {
    Keys {
        registry: pair(),
        service: pair(),
        known: pair(),
        stranger: pair(),
    }
}

#[test]
fn who_is_let_in_is_served_on_all_ways_with_keys() {
    let keys = keys();
    let options = server(&keys.registry, &[&keys.service, &keys.known]);
    let registry = RegistryServer::new("tcp://127.0.0.1:*", &options).unwrap();
    let registered = registry_client(&registry, client(&keys.service, keys.registry.public));
    let service = echo(&registered, &server(&keys.service, &[&keys.known]));
    let asking = registry_client(&registry, client(&keys.known, keys.registry.public));
    let calling = ServiceClient::new(NAME, &asking, &client(&keys.known, keys.service.public)).unwrap();
    for i in 0..20u8 {
        assert_eq!(call(&calling, &[i]).unwrap(), [i]);
    }
    // Without keys nothing is read of it.
    let plain = Request::new(&format!("tcp://127.0.0.1:{}", service.port()), &Options::new()).unwrap();
    let refused = plain.call(&mut typed("acme.Ask", b""), &mut Message::new(), 500, 0);
    assert!(refused.is_err());
    service.stop(soon()).unwrap();
    assert_eq!(call(&calling, b"").unwrap_err().status(), Status::NotFound);
}

#[test]
fn who_is_not_let_in_by_a_service_is_told_so_at_once() {
    let keys = keys();
    let registry = RegistryServer::new("tcp://127.0.0.1:*", &Options::new()).unwrap();
    let names = registry_client(&registry, Options::new());
    let _service = echo(&names, &server(&keys.service, &[&keys.known]));
    let refused = ServiceClient::new(NAME, &names, &client(&keys.stranger, keys.service.public)).unwrap();
    let start = Instant::now();
    let error = call(&refused, b"").unwrap_err();
    assert_eq!(error.status(), Status::Permission, "{error}");
    assert!(error.text().contains(NAME), "{error}");
    let waited = refused.wait_for_service(soon()).unwrap_err();
    assert_eq!(waited.status(), Status::Permission, "{waited}");
    assert!(start.elapsed() < LIMIT / 2, "{:?}", start.elapsed());
    // One that lets everybody in is asked instead, and the refusal is none any more.
    let mut open = server(&keys.service, &[]);
    open.set_curve_allow_any(true);
    let _open = echo(&names, &open);
    while refused.instances().unwrap().len() != 2 {
        assert!(start.elapsed() < LIMIT, "{:?}", refused.instances().unwrap());
        // A service client tells of calls, and not of its instances.
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    refused.wait_for_service(soon()).unwrap();
    for i in 0..10u8 {
        assert_eq!(call(&refused, &[i]).unwrap(), [i]);
    }
}

#[test]
fn who_is_not_let_in_by_the_registry_is_told_so_at_once() {
    let keys = keys();
    let registry = RegistryServer::new("tcp://127.0.0.1:*", &server(&keys.registry, &[&keys.known])).unwrap();
    let stranger = registry_client(&registry, client(&keys.stranger, keys.registry.public));
    let start = Instant::now();
    let calling = ServiceClient::new(NAME, &stranger, &Options::new()).unwrap();
    let error = call(&calling, b"").unwrap_err();
    assert_eq!(error.status(), Status::Permission, "{error}");
    let settings = ServiceSettings {
        endpoint: Some("tcp://127.0.0.1:*".to_owned()),
        ..ServiceSettings::default()
    };
    let service = Service::new(NAME, &stranger, &Options::new(), &settings).unwrap();
    let error = service.start(soon()).unwrap_err();
    assert_eq!(error.status(), Status::Permission, "{error}");
    assert!(start.elapsed() < LIMIT / 2, "{:?}", start.elapsed());
}
