pub mod endpoint;
pub mod events;
pub mod keys;
pub mod log;
pub mod options;
pub mod resolve;
pub mod stats;
