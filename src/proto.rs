//! The messages that dividere itself puts on the wire, generated from `proto/`
//! by the build script. prost keeps no registry of message names, so these are
//! in nobody's way.

#![allow(missing_docs, clippy::all)]

include!(concat!(env!("OUT_DIR"), "/_.rs"));

/// Where the messages above look for those of the package.
pub mod dividere {
    /// Package `dividere.v1`: messages that dividere 2.2.0 does not have.
    pub mod v1 {
        include!(concat!(env!("OUT_DIR"), "/dividere.v1.rs"));
    }
}

pub use dividere::v1;
