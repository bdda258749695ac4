//! What a hostile peer says, as far as we could think of it; and at random beyond that.

use super::random::Random;
use super::zmtp::{frame, greeting, property, ready, COMMAND, LARGE, MORE};

/// A greeting with this version and mechanism.
fn greeting_with(major: u8, minor: u8, mechanism: &[u8]) -> Vec<u8> {
    let mut bytes = greeting();
    bytes[10] = major;
    bytes[11] = minor;
    bytes[12..32].fill(0);
    bytes[12..12 + mechanism.len()].copy_from_slice(mechanism);
    bytes
}

/// A frame that claims to be this long, and has nothing.
fn claiming(flags: u8, length: u64) -> Vec<u8> {
    let mut bytes = vec![flags | LARGE];
    bytes.extend(length.to_be_bytes());
    bytes
}

fn ready_with(properties: &[u8]) -> Vec<u8> {
    frame(COMMAND, &[b"\x05READY", properties].concat())
}

const LENGTHS: [u64; 6] = [1 << 26, 1 << 32, 1 << 40, i64::MAX as u64, 1 << 63, u64::MAX];

/// Everything that may stand where a greeting is expected.
pub fn greetings(random: &mut Random) -> Vec<Vec<u8>> {
    let mut all = vec![
        Vec::new(),
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
        // TLS, and what a line printer would get.
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        vec![0; 64],
        vec![0xff; 64],
        vec![0xff; 10_000],
        greeting_with(0, 0, b"NULL"),
        greeting_with(255, 255, b"NULL"),
        greeting_with(3, 0, b""),
        greeting_with(3, 1, b"PLAIN"),
        greeting_with(3, 1, b"CURVE"),
        greeting_with(3, 1, b"GSSAPI"),
        greeting_with(3, 1, &[0xff; 20]),
    ];
    for length in [1, 2, 9, 10, 11, 12, 31, 32, 63] {
        all.push(greeting()[..length].to_vec());
    }
    // ZMTP 1.0: a length and flags, then an identity; ZMTP 2.0: a socket type after the revision.
    for old in [
        &b"\x01\x00"[..],
        b"\x01\x7e",
        b"\xff\x00\x00\x00\x00\x00\x00\x00\x01\x00",
    ] {
        all.push(old.to_vec());
        all.push([old, &[0xff; 100]].concat());
        all.push([old, &[0x01; 100]].concat());
    }
    for revision in [0u8, 1, 2] {
        for socket_type in [0u8, 1, 5, 11, 255] {
            let begin = [
                &b"\xff\x00\x00\x00\x00\x00\x00\x00\x01\x7f"[..],
                &[revision, socket_type],
            ]
            .concat();
            all.push(begin.clone());
            all.push([&begin[..], &[0, 0, 1, 0xff, 0xff]].concat());
            all.push([&begin[..], &[2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]].concat());
        }
    }
    for length in [10, 64, 65, 1000, 20_000] {
        all.push(random.bytes(length));
    }
    all
}

/// Everything that may stand where READY is expected, after a good greeting.
pub fn handshakes(random: &mut Random, socket_type: &str) -> Vec<Vec<u8>> {
    let good = property("Socket-Type", socket_type.as_bytes());
    let mut all = vec![
        Vec::new(),
        frame(COMMAND, b""),
        frame(COMMAND, b"\x05READ"),
        frame(COMMAND, b"\x05READY"),
        frame(COMMAND, b"\xffREADY"),
        frame(COMMAND, b"\x00"),
        frame(COMMAND, b"\x04PING\x00\x00"),
        frame(COMMAND, b"\x09SUBSCRIBE"),
        frame(COMMAND, b"\x05ERROR"),
        frame(COMMAND, b"\x05ERROR\xff"),
        frame(COMMAND, b"\x05ERROR\x03no!"),
        frame(COMMAND, b"\x05HELLO"),
        frame(0, b"a message"),
        frame(MORE, b"a message"),
        frame(COMMAND | MORE, b"\x05READY"),
        frame(0xff, b"\x05READY"),
        ready_with(&good[..good.len() - 1]),
        ready_with(&good[..12]),
        ready_with(&[&good[..], &[0]].concat()),
        ready_with(&[&good[..], &[200]].concat()),
        ready_with(b"\x00\x00\x00\x00\x00"),
        ready_with(b"\x01a\xff\xff\xff\xff"),
        ready_with(b"\x01a\x7f\xff\xff\xffbcd"),
        ready_with(&property("Socket-Type", b"")),
        ready_with(&property("Socket-Type", &[0xff; 300])),
        ready_with(&[&good[..], &good[..]].concat()),
        ready_with(&[&good[..], &property("Identity", &[0; 10])].concat()),
        ready_with(&[&good[..], &property("Identity", &[7; 256])].concat()),
        ready_with(&[&good[..], &property("Identity", &[7; 60_000])].concat()),
        ready_with(
            &(0..2000)
                .flat_map(|i| property(&format!("X-{i}"), b""))
                .collect::<Vec<_>>(),
        ),
        [ready(socket_type), ready(socket_type)].concat(),
    ];
    for other in [
        "PAIR", "PUB", "SUB", "REQ", "REP", "DEALER", "ROUTER", "PULL", "PUSH", "XPUB", "XSUB", "STREAM", "SERVER",
    ] {
        all.push(ready(other));
    }
    for length in LENGTHS {
        all.push(claiming(COMMAND, length));
        all.push(claiming(0, length));
    }
    for length in [1, 10, 1000] {
        all.push(random.bytes(length));
        all.push(frame(COMMAND, &random.bytes(length)));
    }
    all
}

/// What may be said in the middle of a conversation.
pub fn conversations(random: &mut Random) -> Vec<Vec<u8>> {
    let mut all = vec![
        frame(0, b""),
        frame(MORE, b""),
        [frame(MORE, b""), frame(0, b"")].concat(),
        [frame(MORE, b""), frame(MORE, b"")].concat(),
        [frame(MORE, b"12345678"), frame(MORE, b""), frame(0, b"\xff\xff")].concat(),
        [frame(MORE, b""), frame(0, &[0x0a; 300])].concat(),
        [frame(MORE, b""), frame(MORE, b""), frame(0, b"x")].concat(),
        frame(MORE, b"x").repeat(5000),
        frame(0, b"").repeat(5000),
        [frame(MORE, b"x").repeat(200), frame(0, b"y")].concat(),
        frame(COMMAND, b""),
        frame(COMMAND, b"\x04PING"),
        frame(COMMAND, b"\x04PING\x00"),
        frame(COMMAND, b"\x04PING\x00\x01"),
        frame(COMMAND, &[b"\x04PING\xff\xff".as_slice(), &[1; 100]].concat()),
        frame(COMMAND, b"\x04PONG"),
        frame(COMMAND, &[b"\x04PONG".as_slice(), &[1; 100]].concat()),
        frame(COMMAND | MORE, b"\x04PING\x00\x01"),
        frame(COMMAND, b"\x05ERROR\x01x"),
        frame(COMMAND, b"\x05READY"),
        frame(COMMAND, b"\x09SUBSCRIBE"),
        frame(COMMAND, b"\x06CANCEL"),
        frame(COMMAND, &[b"\x09SUBSCRIBE".as_slice(), &[1; 5000]].concat()),
        frame(COMMAND, b"\xff"),
        frame(0xf8, b"x"),
        vec![LARGE, 0, 0],
        // Subscriptions, and what looks like one.
        frame(0, b"\x01"),
        frame(0, b"\x00"),
        frame(0, b"\x00").repeat(10),
        frame(COMMAND, b"\x06CANCEL\x00"),
        frame(0, b"\x00never subscribed"),
        frame(0, b"\x02"),
        frame(0, &[1; 4000]),
        frame(0, &[1; 5000]),
        [frame(MORE, b"\x01a"), frame(0, b"\x01b")].concat(),
        (0..2000u32)
            .flat_map(|i| frame(0, &[&[1][..], &i.to_be_bytes()].concat()))
            .collect(),
        frame(0, &[0xff; 100_000]),
    ];
    for length in LENGTHS {
        for flags in [0, MORE, COMMAND] {
            all.push(claiming(flags, length));
        }
    }
    for length in [1, 2, 10, 100, 1000, 10_000] {
        all.push(random.bytes(length));
        all.push(frame(0, &random.bytes(length)));
        all.push(frame(COMMAND, &random.bytes(length)));
    }
    all
}

/// A good conversation with something changed.
pub fn mutation(random: &mut Random, socket_type: &str) -> Vec<u8> {
    let mut said = [
        greeting(),
        ready(socket_type),
        frame(COMMAND, b"\x04PING\x00\x0aabc"),
        frame(0, b"\x01subscription"),
        frame(MORE, b"12345678"),
        frame(MORE, b""),
        frame(0, b"\x0a\x03a.A\x12\x07\x0a\x03a.A\x12\x00"),
        frame(0, &[3; 300]),
    ]
    .concat();
    for _ in 0..1 + random.at(4) {
        let (at, to) = (random.at(said.len()), random.at(said.len()));
        let (from, to) = (at.min(to), at.max(to));
        match random.at(6) {
            0 => said[at] ^= 1 << random.at(8),
            1 => said[at] = [0, 1, 0x7f, 0x80, 0xff][random.at(5)],
            2 => said.truncate(from + 1),
            3 => {
                let count = 1 + random.at(40);
                let new = random.bytes(count);
                said.splice(at..at, new);
            }
            4 => {
                let again = said[from..to].to_vec();
                said.splice(at..at, again);
            }
            _ => {
                said.drain(from..to);
            }
        }
        if said.is_empty() {
            said.push(0);
        }
    }
    said
}
