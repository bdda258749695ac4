//! dividere: typed protobuf messages over ZeroMQ, and the names to find each other by.

pub mod connection;
pub mod error;
pub mod messaging;
pub mod proto;

pub use error::{Error, Result, Status};
