//! What is said: typed messages, the roles that exchange them, and the reactor.

pub mod envelope;
