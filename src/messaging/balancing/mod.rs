//! Load balancing: a broker hands the requests of clients to workers, as in dividere 2.2.0 and compatible with it on the
//! wire, and looks after them. Its client is `Request`: with retries a call says that it may be repeated.

mod broker;
mod exchange;
mod link;
mod schedule;
mod signs;
mod table;
mod worker;

pub use broker::{Broker, BrokerSide};
pub use schedule::Counts as BrokerStatistics;
pub use worker::{Worker, WorkerHandler};

#[cfg(test)]
mod tests;
