//! dividere: typed protobuf messages over ZeroMQ, and the names to find each other by.

pub mod connection;
pub mod error;
pub mod ffi;
pub mod messaging;
pub mod proto;
pub mod registry;
pub mod service;

pub use connection::clock::Deadline;
pub use connection::events::{Event, EventKind};
pub use connection::keys::{KeyPair, PublicKey, SecretKey};
pub use connection::log::{set_log_callback, Level};
pub use connection::options::{FullQueue, Options, ProcessOptions, RegistryOptions, ServiceOptions};
pub use connection::process::{configure, shutdown};
pub use connection::proxy::{Proxy, ProxyKind};
pub use connection::socket::Room;
pub use connection::stats::Statistics;
pub use error::{Error, Result, Status};
pub use messaging::balancing::{Broker, BrokerSide, BrokerStatistics, Worker, WorkerHandler};
pub use messaging::channel::{recv_many, send_many, Channel};
pub use messaging::dealer::Dealer;
pub use messaging::envelope;
pub use messaging::message::{Message, MessageKind};
pub use messaging::poll::poll;
pub use messaging::publisher::Publisher;
pub use messaging::reactor::{Delivery, Reactor};
pub use messaging::request::Request;
pub use messaging::response::Response;
pub use messaging::subscriber::{Filter, Subscriber};
pub use registry::client::{RegistrationId, RegistryClient};
pub use registry::instance::Instance;
pub use registry::server::RegistryServer;
pub use registry::watch::{Selection, Watch, WatchEvent, WatchEventKind};
pub use service::{service_name, Service, ServiceClient, ServiceHandler, ServiceSettings};

#[cfg(test)]
mod random_for_tests;

/// The samples of the README compile and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
