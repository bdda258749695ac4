//! What the examples send; see `examples/proto/example.proto`.

include!(concat!(env!("OUT_DIR"), "/example.rs"));
