//! What prost makes of an envelope, to hold our decoder against.
//!
//! Shared by the tests and the fuzz target. prost rejects a known field that
//! has another wire type; every other protobuf runtime takes it for an unknown
//! field, and so do we. Such fields are taken out before prost is asked again.

use super::codec::{decode, DecodeReason, Layout};
use prost::bytes::Buf;
use prost::encoding::{decode_key, decode_varint, encode_varint, skip_field};
use prost::encoding::{DecodeContext, WireType};
use prost::{DecodeError, Message};

#[derive(Clone, PartialEq, Message)]
pub struct Envelope {
    #[prost(string, tag = "1")]
    pub msg_name: String,
    #[prost(message, optional, tag = "2")]
    pub msg: Option<Any>,
    #[prost(uint64, optional, tag = "16")]
    pub sequence: Option<u64>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Any {
    #[prost(string, tag = "1")]
    pub type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    pub value: Vec<u8>,
}

/// Decodes `frame` with ours and with prost and panics where they differ.
/// Returns whether it is an envelope.
pub fn check(frame: &[u8]) -> bool {
    let ours = decode(frame);
    let layout = Layout::of(frame);
    match (&ours, &layout) {
        (Ok(view), Ok(layout)) => {
            assert_eq!(view.type_name.as_bytes(), &frame[layout.type_name.clone()]);
            assert_eq!(view.msg_name.as_bytes(), &frame[layout.msg_name.clone()]);
            assert_eq!(view.payload, &frame[layout.payload.clone()]);
            assert_eq!(view.sequence, layout.sequence);
        }
        (Err(view), Err(layout)) => {
            assert_eq!(view, layout);
            assert!(view.offset <= frame.len(), "{view} of {}", frame.len());
        }
        _ => panic!("decode says {ours:?}, Layout::of says {layout:?}"),
    }

    let theirs = match Envelope::decode(frame) {
        Ok(envelope) => Ok(envelope),
        Err(error) => without_other_wire_types(frame, true)
            .and_then(|kept| Envelope::decode(&kept[..]))
            // Both limit the depth of groups, and count it a little differently.
            .map_err(|kept| (kept.to_string() + &error.to_string()).contains("recursion limit")),
    };
    match (ours, theirs) {
        (Ok(view), Ok(envelope)) => {
            let any = envelope.msg.unwrap_or_default();
            let named = any.type_url.rsplit('/').next().unwrap_or_default();
            let expected = if named.is_empty() { &envelope.msg_name } else { named };
            assert_eq!(view.type_name, expected);
            assert_eq!(view.msg_name, envelope.msg_name);
            assert_eq!(view.payload, any.value);
            assert_eq!(view.sequence, envelope.sequence);
            true
        }
        (Err(error), Ok(envelope)) => {
            // An envelope without any name is the one thing that we refuse alone.
            let any = envelope.msg.clone().unwrap_or_default();
            assert!(
                error.reason == DecodeReason::NoTypeName
                    && envelope.msg_name.is_empty()
                    && (any.type_url.is_empty() || any.type_url.ends_with('/')),
                "refused ({error}), but prost reads {envelope:?} from {frame:02x?}"
            );
            false
        }
        (Ok(view), Err(too_deep)) => {
            assert!(too_deep, "read as {view:?}, but prost refuses {frame:02x?}");
            true
        }
        (Err(_), Err(_)) => false,
    }
}

/// The known fields of an envelope (or of the Any in it) that have the wire
/// type they should have.
fn without_other_wire_types(mut rest: &[u8], envelope: bool) -> Result<Vec<u8>, DecodeError> {
    let mut kept = Vec::new();
    while rest.has_remaining() {
        let field = rest;
        let (number, wire_type) = decode_key(&mut rest)?;
        let content = rest;
        skip_field(wire_type, number, &mut rest, DecodeContext::default())?;
        match (number, wire_type) {
            (2, WireType::LengthDelimited) if envelope => {
                let mut any = &content[..content.len() - rest.len()];
                decode_varint(&mut any)?;
                let any = without_other_wire_types(any, false)?;
                kept.push(0x12);
                encode_varint(any.len() as u64, &mut kept);
                kept.extend(any);
            }
            (1 | 2, WireType::LengthDelimited) => {
                kept.extend(&field[..field.len() - rest.len()]);
            }
            (16, WireType::Varint) if envelope => kept.extend(&field[..field.len() - rest.len()]),
            _ => {}
        }
    }
    Ok(kept)
}
