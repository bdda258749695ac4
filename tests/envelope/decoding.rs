//! What protobuf allows in an envelope is read as protobuf reads it; the rest is
//! refused, with the place where it is wrong.

use super::codec::{decode, encode, DecodeReason, View, MAX_GROUP_DEPTH};
use super::{field, reference, READING};
use crate::random::Random;

fn reason(frame: &[u8]) -> (usize, DecodeReason) {
    let error = decode(frame).expect_err("not an envelope");
    (error.offset, error.reason)
}

#[test]
fn type_comes_from_the_url_and_else_from_msg_name() {
    for (url, msg_name, expected) in [
        ("type.googleapis.com/a.B", "B", "a.B"),
        ("example.org/deep/path/a.B", "B", "a.B"),
        ("/a.B", "", "a.B"),
        ("a.B", "", "a.B"),
        ("type.googleapis.com/", "B", "B"),
        ("type.googleapis.com/x/", "B", "B"),
        ("type.googleapis.com/x/a.B", "x/a.B", "a.B"),
        ("", "B", "B"),
    ] {
        let mut frame = field(1, msg_name.as_bytes());
        frame.extend(field(2, &field(1, url.as_bytes())));
        let view = decode(&frame).unwrap();
        assert_eq!((view.type_name, view.msg_name), (expected, msg_name), "{url}");
        assert!(reference::check(&frame));
    }
    assert_eq!(decode(&field(1, b"B")).unwrap().type_name, "B");
}

#[test]
fn an_envelope_that_names_no_type_is_refused() {
    for frame in [
        vec![],
        field(1, b""),
        field(2, &field(1, b"x/")),
        field(2, &field(2, b"v")),
    ] {
        assert_eq!(reason(&frame), (frame.len(), DecodeReason::NoTypeName));
    }
}

#[test]
fn fields_are_read_in_any_order_and_the_last_of_each_wins() {
    let expected = View {
        type_name: "a.B",
        msg_name: "B",
        payload: b"new",
        sequence: None,
    };
    let url = field(1, b"t/a.B");
    let orders: [Vec<Vec<u8>>; 5] = [
        // msg first
        vec![field(2, &[url.clone(), field(2, b"new")].concat()), field(1, b"B")],
        // value before type_url
        vec![field(1, b"B"), field(2, &[field(2, b"new"), url.clone()].concat())],
        // each repeated
        vec![
            field(1, b"A"),
            field(1, b"B"),
            field(
                2,
                &[field(1, b"t/x.Y"), field(2, b"old"), field(2, b"new"), url.clone()].concat(),
            ),
        ],
        // msg in pieces, the value in another one than the type_url
        vec![
            field(2, &url),
            field(1, b"B"),
            field(2, &field(2, b"old")),
            field(2, &field(2, b"new")),
        ],
        // a piece that says nothing changes nothing
        vec![
            field(1, b"B"),
            field(2, &[field(2, b"new"), url.clone()].concat()),
            field(2, b""),
        ],
    ];
    for pieces in orders {
        let frame = pieces.concat();
        assert_eq!(decode(&frame).unwrap(), expected);
        assert!(reference::check(&frame));
    }
    // An empty value given last wins over a full one, as an empty name does.
    let emptied = [field(1, b"B"), field(2, &field(2, b"old")), field(2, &field(2, b""))].concat();
    assert_eq!(decode(&emptied).unwrap().payload, b"");
    assert!(reference::check(&emptied));
}

#[test]
fn unknown_fields_are_skipped_wherever_they_stand() {
    let unknown: [&[u8]; 7] = [
        b"\x18\xff\x01",                         // 3, varint
        b"\x21\x01\x02\x03\x04\x05\x06\x07\x08", // 4, 64 bits
        b"\x2a\x02zz",                           // 5, bytes
        b"\x35\x01\x02\x03\x04",                 // 6, 32 bits
        b"\x3b\x08\x01\x43\x12\x01x\x44\x3c",    // 7, a group with a group in it
        b"\xf8\xff\xff\xff\x0f\x01",             // the highest number
        b"\x08\x01",                             // 1, but a varint
    ];
    let any = [field(1, b"t/a.B"), field(2, b"v")];
    for extra in unknown {
        for (at_envelope, at_any) in [(0, 0), (1, 1), (2, 2)] {
            let mut inner = any.to_vec();
            inner.insert(at_any, extra.to_vec());
            let mut outer = vec![field(1, b"B"), field(2, &inner.concat())];
            outer.insert(at_envelope, extra.to_vec());
            let frame = outer.concat();
            let view = decode(&frame).unwrap();
            assert_eq!((view.type_name, view.msg_name), ("a.B", "B"));
            assert_eq!(view.payload, b"v");
            assert!(reference::check(&frame));
        }
    }
}

#[test]
fn sequence_is_field_16() {
    let envelope = encode(READING, b"abc").unwrap();
    for (varint, value) in [
        (&b"\x00"[..], 0),
        (b"\x2a", 42),
        (b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", u64::MAX),
    ] {
        let numbered = [&envelope[..], b"\x80\x01", varint].concat();
        let view = decode(&numbered).unwrap();
        assert_eq!((view.sequence, view.payload), (Some(value), &b"abc"[..]));
        assert!(reference::check(&numbered));
    }
    let bytes = [&envelope[..], b"\x82\x01\x01x"].concat();
    assert_eq!(decode(&bytes).unwrap().sequence, None, "another wire type");
}

#[test]
fn groups_nest_to_the_limit_and_no_further() {
    let nested = |depth: usize| {
        let name = field(1, b"B");
        [&name[..], &vec![0x1b; depth], &vec![0x1c; depth]].concat()
    };
    assert_eq!(decode(&nested(MAX_GROUP_DEPTH)).unwrap().type_name, "B");
    let start = field(1, b"B").len();
    assert_eq!(
        reason(&nested(MAX_GROUP_DEPTH + 1)),
        (start + MAX_GROUP_DEPTH, DecodeReason::GroupDepth)
    );
    assert_eq!(
        reason(&vec![0x1b; 10_000_000]),
        (MAX_GROUP_DEPTH, DecodeReason::GroupDepth)
    );
}

#[test]
fn what_is_wrong_is_refused_with_its_place() {
    use DecodeReason::*;
    let cases: &[(&[u8], usize, DecodeReason)] = &[
        (b"\x0a", 1, Truncated),
        (b"\x0a\x02B", 1, Truncated),
        (b"\x0a\x01B\x12\x05\x0a\x01x", 4, Truncated),
        // A field that ends outside the Any it is in.
        (b"\x0a\x01B\x12\x02\x0a\x01x", 6, Truncated),
        (b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01B", 1, Truncated),
        (b"\x0a\x80", 1, Truncated),
        (b"\x0a\x01B\x19\x01\x02\x03\x04\x05\x06\x07", 4, Truncated),
        (b"\x0a\x01B\x1d\x01\x02\x03", 4, Truncated),
        (b"\x0a\x01B\x1b\x08\x01", 3, Truncated),
        (b"\x0a\x01B\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 4, Varint),
        (b"\x0a\x01B\x18\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", 4, Varint),
        (b"\x0a\x01B\x00\x01", 3, FieldNumber),
        (b"\x0a\x01B\x07", 3, FieldNumber),
        (b"\x0a\x01B\x80\x80\x80\x80\x10\x01", 3, FieldNumber),
        (b"\x0a\x01B\x1e", 3, WireType),
        (b"\x0a\x01B\x1f", 3, WireType),
        (b"\x0a\x01B\x1c", 3, GroupEnd),
        (b"\x0a\x01B\x1b\x24\x1c", 4, GroupEnd),
        (b"\x0a\x02\xc3\x28", 1, Utf8),
        (b"\x0a\x01B\x12\x04\x0a\x02\xff\xfe", 6, Utf8),
        // Also where a later, valid one replaces it.
        (b"\x0a\x01\xff\x0a\x01B", 1, Utf8),
        (b"\x01", 0, FieldNumber), // what workers at byte level announce themselves with
        (b"\x02", 0, FieldNumber),
    ];
    for &(frame, offset, expected) in cases {
        assert_eq!(reason(frame), (offset, expected), "{frame:02x?}");
        assert!(!reference::check(frame));
    }
    assert_eq!(
        decode(b"\x0a\x02B").unwrap_err().to_string(),
        "not an envelope: the data ends too early at byte 1"
    );
}

#[test]
fn generated_and_damaged_envelopes_agree_with_prost() {
    let mut random = Random::new(0x5eed_d1f1_de7e);
    let (mut accepted, mut refused) = (0, 0);
    for _ in 0..150_000 {
        let mut frame = random.envelope();
        if random.at(2) == 0 {
            random.damage(&mut frame);
        }
        match reference::check(&frame) {
            true => accepted += 1,
            false => refused += 1,
        }
    }
    // Neither way out of the decoder goes untested.
    assert!(accepted > 40_000 && refused > 40_000, "{accepted} {refused}");
}
