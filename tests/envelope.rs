//! The envelope: what dividere 2.2.0 wrote is read, and what is written is what it
//! would have written but for the full name.

use dividere::messaging::envelope::{
    self as codec, decode, encode, EncodeError, TypeName, TypeNameError, MAX_ENVELOPE_LEN, MAX_HEADER_LEN,
    MAX_TYPE_NAME_LEN,
};
use prost::{Message, Name};
use serde_json::Value;

#[path = "envelope/decoding.rs"]
mod decoding;
#[path = "envelope/generator.rs"]
mod generator;
#[path = "../src/random_for_tests.rs"]
mod random;
#[path = "envelope/reference.rs"]
mod reference;

const READING: &str = "acme.telemetry.v1.Reading";

/// What dividere 2.2.0 wrote: class name, full name, payload, envelope.
fn vectors() -> Vec<(String, String, Vec<u8>, Vec<u8>)> {
    let json: Value = serde_json::from_str(include_str!("vectors/envelopes.json")).unwrap();
    let text = |entry: &Value, key: &str| entry[key].as_str().unwrap().to_owned();
    json.as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            (
                text(entry, "class_name"),
                text(entry, "full_name"),
                from_hex(&text(entry, "payload")),
                from_hex(&text(entry, "envelope")),
            )
        })
        .collect()
}

fn from_hex(text: &str) -> Vec<u8> {
    assert_eq!(text.len() % 2, 0);
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

/// A length-delimited field with a number below 16.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    prost::encoding::encode_varint(content.len() as u64, &mut out);
    out.extend_from_slice(content);
    out
}

#[test]
fn every_envelope_of_2_2_0_is_read() {
    let vectors = vectors();
    assert_eq!(vectors.len(), 22);
    for (class_name, full_name, payload, envelope) in vectors {
        let view = decode(&envelope).unwrap();
        assert_eq!(view.type_name, full_name);
        assert_eq!(view.msg_name, class_name);
        assert_eq!(view.payload, payload);
        assert_eq!(view.sequence, None);
        assert!(reference::check(&envelope));
    }
}

#[test]
fn what_is_written_is_what_2_2_0_writes_but_for_the_full_name() {
    for (class_name, full_name, payload, envelope) in vectors() {
        let ours = encode(&full_name, &payload).unwrap();
        let mut theirs = envelope;
        if class_name != full_name {
            theirs.splice(..field(1, class_name.as_bytes()).len(), field(1, full_name.as_bytes()));
        }
        assert_eq!(ours, theirs, "{full_name}");
    }
}

#[test]
fn the_published_proto_file_describes_the_same_bytes() {
    for payload_len in [0, 1, 64, 300] {
        let payload = vec![7; payload_len];
        let message = dividere::proto::MsgEnvelope {
            msg_name: READING.into(),
            msg: Some(prost_types::Any {
                type_url: format!("type.googleapis.com/{READING}"),
                value: payload.clone(),
            }),
            sequence: None,
        };
        assert_eq!(message.encode_to_vec(), encode(READING, &payload).unwrap());

        let numbered = dividere::proto::MsgEnvelope {
            sequence: Some(0),
            ..message
        };
        let frame = numbered.encode_to_vec();
        assert_eq!(decode(&frame).unwrap().sequence, Some(0));
    }
}

#[test]
fn lengths_are_right_around_every_step_of_a_varint() {
    let longest = "n".repeat(MAX_TYPE_NAME_LEN);
    for name_len in [1, 100, 105, 106, 107, 108, 109, 127, 128, MAX_TYPE_NAME_LEN] {
        let name = &longest[..name_len];
        for payload_len in (0..300).chain(16_000..16_500).chain(2_096_500..2_096_503) {
            let payload = vec![b'p'; payload_len];
            let frame = encode(name, &payload).unwrap();
            let header = TypeName::new(name).unwrap().header(payload_len).unwrap();
            assert_eq!(frame.len(), header.envelope_len());
            assert_eq!(frame.len() - payload_len, header.len());
            let view = decode(&frame).unwrap();
            assert_eq!((view.type_name, view.payload), (name, &payload[..]));
            if payload_len % 50 == 0 {
                assert!(reference::check(&frame));
            }
        }
    }
}

#[test]
fn header_goes_in_front_of_a_payload_written_later() {
    let header = TypeName::new(READING).unwrap().header(3).unwrap();
    let mut frame = vec![0xee; header.envelope_len() + 5];
    let at = header.write(&mut frame).unwrap();
    assert_eq!(at, header.len());
    assert_eq!(&frame[at..], &[0xee; 3 + 5], "nothing behind it is touched");
    frame[at..at + 3].copy_from_slice(b"abc");
    assert_eq!(frame[..at + 3], encode(READING, b"abc").unwrap());

    let mut small = vec![0; header.len() - 1];
    assert_eq!(header.write(&mut small), Err(EncodeError::NoRoom(header.len())));
}

#[test]
fn encode_into_appends_and_does_not_allocate_where_there_is_room() {
    let name = TypeName::new(READING).unwrap();
    let mut out = Vec::with_capacity(1000);
    out.extend_from_slice(b"before");
    let place = out.as_ptr();
    name.encode_into(&mut out, b"abc").unwrap();
    assert_eq!(out.as_ptr(), place);
    assert_eq!(&out[..6], b"before");
    assert_eq!(out[6..], encode(READING, b"abc").unwrap());
}

#[test]
fn no_header_exceeds_the_stated_maximum() {
    let longest = "n".repeat(MAX_TYPE_NAME_LEN);
    let name = TypeName::new(&longest).unwrap();
    let most = MAX_ENVELOPE_LEN - MAX_HEADER_LEN;
    let header = name.header(most).unwrap();
    assert_eq!(header.len(), MAX_HEADER_LEN);
    let largest = name.header(most).unwrap().envelope_len();
    assert_eq!(largest, MAX_ENVELOPE_LEN);
    for payload_len in [most + 1, MAX_ENVELOPE_LEN, MAX_ENVELOPE_LEN + 1, usize::MAX] {
        assert_eq!(name.header(payload_len), Err(EncodeError::TooLarge(payload_len)));
    }
}

#[test]
fn type_names_follow_protobuf_grammar() {
    let longest = "n".repeat(MAX_TYPE_NAME_LEN);
    for good in ["A", "_", "a1", "a.b.C", "_x._1", "testMsg01", READING, &longest] {
        assert_eq!(TypeName::new(good).unwrap().as_str(), good);
    }
    assert_eq!(TypeName::new(""), Err(TypeNameError::Empty));
    let too_long = longest.clone() + "n";
    assert_eq!(TypeName::new(&too_long), Err(TypeNameError::TooLong(512)));
    for (bad, at) in [
        (".a", 0),
        ("a.", 1),
        ("a..b", 2),
        ("1a", 0),
        ("a.1", 2),
        ("a-b", 1),
        ("a/b", 1),
        ("a b", 1),
        ("é", 0),
        ("a\0", 1),
        (".", 0),
        ("aé", 1),
    ] {
        assert_eq!(TypeName::new(bad), Err(TypeNameError::Malformed(at)), "{bad:?}");
        let error = encode(bad, b"").unwrap_err();
        assert!(error.to_string().ends_with(&format!("byte {at}")), "{error}");
    }
}

#[test]
fn short_name_is_what_follows_the_last_dot() {
    for (full, short) in [(READING, "Reading"), ("ack", "ack"), ("a.B.C", "C")] {
        assert_eq!(TypeName::new(full).unwrap().short_name().as_str(), short);
    }
}

#[test]
fn topic_is_how_an_envelope_begins() {
    assert_eq!(TypeName::new("testMsg1").unwrap().topic(), b"\n\x08testMsg1");
    let long = "n".repeat(300);
    for name in ["ack", READING, &long] {
        let topic = TypeName::new(name).unwrap().topic();
        assert!(encode(name, b"x").unwrap().starts_with(&topic));
        assert!(!encode(&format!("{name}x"), b"x").unwrap().starts_with(&topic));
    }
    // The short name's topic hears 2.2.0's publisher of the packaged type.
    for (_, full_name, _, envelope) in vectors() {
        let topic = TypeName::new(&full_name).unwrap().short_name().topic();
        assert!(envelope.starts_with(&topic));
    }
}

#[test]
fn another_type_under_the_same_short_name_is_recognised() {
    let mut frame = field(1, b"Reading");
    frame.extend(field(2, &field(1, b"type.googleapis.com/other.v1.Reading")));
    let view = decode(&frame).unwrap();
    assert!(view.is("other.v1.Reading"));
    assert!(!view.is(READING));
    assert_eq!(view.msg_name, "Reading");
}

#[test]
fn every_cut_of_every_vector_agrees_with_prost() {
    let mut refused = 0;
    for (_, _, _, envelope) in vectors() {
        for end in (0..envelope.len()).take(300) {
            refused += u32::from(!reference::check(&envelope[..end]));
        }
    }
    assert!(refused > 500, "{refused}");
}

#[test]
fn our_messages_have_the_names_that_2_2_0_knows() {
    use dividere::proto::{self, v1};
    assert_eq!(proto::MsgEnvelope::full_name(), "msgEnvelope");
    assert_eq!(proto::Ack::full_name(), "ack");
    assert_eq!(v1::Error::full_name(), "dividere.v1.Error");
    for (_, full_name, payload, _) in vectors() {
        let again = match full_name.as_str() {
            "RegisterService" => again::<proto::RegisterService>(&payload),
            "UnregisterService" => again::<proto::UnregisterService>(&payload),
            "ServiceLookupReq" => again::<proto::ServiceLookupReq>(&payload),
            "ServiceLookupRep" => again::<proto::ServiceLookupRep>(&payload),
            "RediscoverReq" => again::<proto::RediscoverReq>(&payload),
            "Heartbeat" => again::<proto::Heartbeat>(&payload),
            "ack" => again::<proto::Ack>(&payload),
            _ => continue,
        };
        assert_eq!(again, (full_name, payload));
    }
}

/// The name of a message type, and what is left of a payload of that type when
/// it is decoded and encoded again: all of it, if we know every field.
fn again<M: Message + Name + Default>(payload: &[u8]) -> (String, Vec<u8>) {
    (M::full_name(), M::decode(payload).unwrap().encode_to_vec())
}
