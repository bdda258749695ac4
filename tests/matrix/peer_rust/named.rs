//! What is found by a name, and brokers: kept while a scenario goes on.

use std::collections::HashMap;
use std::sync::Arc;

use dividere::{
    Broker, BrokerSide, Message, Options, RegistryClient, RegistryServer, Result, Service, ServiceClient,
    ServiceSettings,
};

use crate::{invalid, soon, LIMIT};

/// Services go before the registries that they tell of their end.
#[derive(Default)]
pub struct Named {
    services: Vec<Service>,
    callers: HashMap<String, ServiceClient>,
    brokers: Vec<Broker>,
    registries: Vec<RegistryServer>,
}

impl Named {
    /// None where it is of another kind.
    pub fn make(&mut self, kind: &str, name: &str, arguments: &[&str]) -> Result<Option<String>> {
        let options = Options::new();
        match (kind, arguments) {
            ("registry", [endpoint]) => {
                let registry = RegistryServer::new(endpoint, &options)?;
                let endpoint = registry.endpoint()?;
                self.registries.push(registry);
                return Ok(Some(format!("ok {endpoint}")));
            }
            ("service", [registry, known_as]) => {
                let settings = ServiceSettings {
                    endpoint: Some(String::from("tcp://127.0.0.1:*")),
                    ..ServiceSettings::default()
                };
                let service = Service::new(known_as, &client(registry)?, &options, &settings)?;
                let echo = |request: &mut Message, reply: &mut Message| {
                    let content = request.payload();
                    reply
                        .prepare(request.type_name().unwrap_or_default(), content.len())?
                        .copy_from_slice(content);
                    Ok(())
                };
                service.set_handler(None, Some(Arc::new(echo)))?;
                service.start(soon())?;
                self.services.push(service);
            }
            ("caller", [registry, known_as]) => {
                let caller = ServiceClient::new(known_as, &client(registry)?, &options)?;
                self.callers.insert(name.to_owned(), caller);
            }
            ("broker", [front, back]) => {
                let broker = Broker::new(front, back, &options)?;
                let (front, back) = (
                    broker.last_endpoint(BrokerSide::Front)?,
                    broker.last_endpoint(BrokerSide::Back)?,
                );
                self.brokers.push(broker);
                return Ok(Some(format!("ok {front} {back}")));
            }
            ("registry" | "service" | "caller" | "broker", _) => {
                return Err(invalid(format!("cannot make a {kind} of {arguments:?}")))
            }
            _ => return Ok(None),
        }
        Ok(Some(String::from("ok")))
    }

    /// None where no client of a service has that name.
    pub fn call(&self, name: &str, question: &mut Message) -> Option<Result<Message>> {
        let caller = self.callers.get(name)?;
        let mut answer = Message::new();
        let called = caller.call(question, &mut answer, LIMIT.as_millis() as i64, true);
        Some(called.map(|()| answer))
    }
}

fn client(registry: &str) -> Result<Arc<RegistryClient>> {
    RegistryClient::new(registry, &Options::new()).map(Arc::new)
}
