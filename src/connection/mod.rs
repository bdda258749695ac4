//! How bytes move: the context, endpoints, options, sockets, events. The only code that calls ZeroMQ.

mod apply;
pub(crate) mod asymmetric;
mod attach;
mod biased;
pub mod clock;
pub mod endpoint;
pub(crate) mod errno;
pub mod events;
mod flush;
pub mod frame;
mod inproc;
pub mod keys;
pub(crate) mod linux;
pub mod log;
mod monitor;
pub mod options;
pub(crate) mod peers;
pub mod process;
pub mod proxy;
pub mod resolve;
mod restart;
mod service;
pub mod socket;
pub mod stats;
mod subscribers;
mod zap;
