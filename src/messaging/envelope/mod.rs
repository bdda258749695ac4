//! The envelope: the one ZeroMQ frame that a typed message travels in.
//!
//! `msgEnvelope { string msgName = 1; google.protobuf.Any msg = 2; }`, written
//! and read by hand, byte for byte what `proto/dividere/envelope.proto`
//! describes. Pure functions over bytes: no socket, no lock, no protobuf
//! runtime, and no input that makes them panic. Only the functions that return
//! an owned buffer allocate.
//!
//! ```
//! use dividere::messaging::envelope::{decode, TypeName};
//!
//! let payload = b"\x0a\x02t1";
//! let header = TypeName::new("acme.telemetry.v1.Reading")?.header(payload.len())?;
//! let mut frame = vec![0; header.envelope_len()];
//! let at = header.write(&mut frame)?;
//! frame[at..].copy_from_slice(payload); // or serialise to there
//!
//! let view = decode(&frame)?;
//! assert!(view.is("acme.telemetry.v1.Reading"));
//! assert_eq!(view.payload, payload);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod decode;
mod encode;
mod memo;
mod name;
mod wire;

pub use decode::{decode, Layout, View};
pub use encode::{encode, EncodeError, Header, MAX_ENVELOPE_LEN, MAX_HEADER_LEN};
pub(crate) use memo::Memo;
pub use name::{TypeName, TypeNameError, MAX_TYPE_NAME_LEN};
pub use wire::{DecodeError, DecodeReason, MAX_GROUP_DEPTH};

/// What our encoder, like every protobuf runtime, writes in front of the full
/// name in `Any.type_url`. A decoder accepts any other prefix.
pub const TYPE_URL_PREFIX: &str = "type.googleapis.com/";
