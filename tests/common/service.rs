//! A service that tests call, and its clients.

use std::sync::{mpsc, Arc, Mutex};
use std::time::{Duration, Instant};

use dividere::{Message, Options, RegistryClient, Service, ServiceClient, ServiceHandler, ServiceSettings};

use super::registry::client_with_lease;
use super::{soon, LIMIT};

pub const NAME: &str = "acme.Echo";
pub const ASK: &str = "acme.Ask";

pub fn client(endpoint: &str) -> Arc<RegistryClient> {
    Arc::new(client_with_lease(endpoint, 3000))
}

/// On a free port of this host.
pub fn local() -> ServiceSettings {
    ServiceSettings {
        endpoint: Some("tcp://127.0.0.1:*".to_owned()),
        ..ServiceSettings::default()
    }
}

/// Serves what `handler` says, under NAME.
pub fn serve(registry: &Arc<RegistryClient>, settings: &ServiceSettings, handler: ServiceHandler) -> Service {
    let service = Service::new(NAME, registry, &Options::default(), settings).unwrap();
    service.set_handler(Some(ASK), Some(handler)).unwrap();
    service.start(soon()).unwrap();
    service
}

pub fn tell(reply: &mut Message, payload: &[u8]) -> dividere::Result<()> {
    reply.prepare("acme.Told", payload.len())?.copy_from_slice(payload);
    Ok(())
}

pub fn echo() -> ServiceHandler {
    Arc::new(|request, reply| tell(reply, request.payload()))
}

pub fn tells(text: &'static str) -> ServiceHandler {
    Arc::new(move |_request, reply| tell(reply, text.as_bytes()))
}

/// Keeps its requests for the test to answer.
pub fn keeps() -> (ServiceHandler, mpsc::Receiver<Message>) {
    let (keep, kept) = mpsc::channel();
    let keep = Mutex::new(keep);
    let handler: ServiceHandler = Arc::new(move |request, _reply| {
        keep.lock().unwrap().send(request.try_clone()?).unwrap();
        Ok(())
    });
    (handler, kept)
}

pub fn caller(registry: &Arc<RegistryClient>) -> ServiceClient {
    ServiceClient::new(NAME, registry, &Options::default()).unwrap()
}

/// Until this many instances are known and connected: each is asked in turn then.
pub fn wait_for(client: &ServiceClient, instances: usize) {
    let start = Instant::now();
    while client.instances().unwrap().len() != instances {
        assert!(start.elapsed() < LIMIT, "{:?}", client.instances().unwrap());
        // A service client tells of calls, and not of its instances.
        std::thread::sleep(Duration::from_millis(2));
    }
}
