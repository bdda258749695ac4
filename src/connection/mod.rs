pub mod events;
pub mod log;
pub mod stats;
