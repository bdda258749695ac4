//! Services that are found by name: one serves requests on several threads, its client asks all that have the name.

mod client;
mod desk;
mod name;
mod places;
mod serving;

pub use client::ServiceClient;
pub use name::service_name;
pub use serving::{Service, ServiceHandler, ServiceSettings};

#[cfg(test)]
mod tests;
