//! What is said: typed messages, the roles that exchange them, and the reactor.

pub mod balancing;
pub mod channel;
pub mod dealer;
pub mod envelope;
mod lane;
pub mod message;
pub mod poll;
pub mod publisher;
pub mod reactor;
pub(crate) mod reply;
pub mod request;
pub mod response;
pub mod subscriber;
pub(crate) mod terms;
