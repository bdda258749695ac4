//! Who to talk to: names, and the places where services of that name are reached.
//!
//! A *server* keeps the names; where, is behind one trait (`store`). A *client* registers, looks up, lists and watches.
//! Both speak with dividere 2.2.0, too (docs/architecture.md, "Names").

pub mod address;
mod bell;
pub mod client;
pub mod instance;
mod lease;
mod registrar;
pub mod server;
pub mod store;
pub mod watch;
mod watchers;

/// Where a registry is found unless something else is said.
pub const DEFAULT_PORT: u16 = 5000;

/// A name, and a host name or address, have at most so many bytes.
pub const LONGEST_NAME: usize = 255;
