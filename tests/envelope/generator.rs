//! Envelopes as an unusual encoder, or a hostile one, might write them. Seeded:
//! the same ones in every run.

use prost::encoding::encode_varint;

use crate::random::Random;

impl Random {
    /// Valid but for wild choices: any order, repeats, pieces, unknown fields.
    pub fn envelope(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        for _ in 0..self.at(5) {
            match self.at(8) {
                0..=2 => {
                    let name = self.pick(&["", "B", "testMsg01", "a.B", "\u{e9}", "x/y"]);
                    self.field(&mut out, 1, name.as_bytes());
                }
                3..=5 => {
                    let any = self.any();
                    self.field(&mut out, 2, &any);
                }
                6 => {
                    encode_varint(16 << 3, &mut out);
                    let value = self.number();
                    self.varint(&mut out, value);
                }
                _ => self.unknown(&mut out, 0),
            }
        }
        out
    }

    /// Flips, cuts, inserts or repeats a few bytes.
    pub fn damage(&mut self, frame: &mut Vec<u8>) {
        for _ in 0..1 + self.at(3) {
            let at = self.at(frame.len() + 1);
            match self.at(4) {
                0 => {
                    if let Some(byte) = frame.get_mut(at) {
                        *byte ^= 1 << self.at(8);
                    }
                }
                1 => frame.truncate(at),
                2 => {
                    let byte = self.pick(&[0, 1, 0x0a, 0x12, 0x1b, 0x1c, 0x7f, 0x80, 0xff]);
                    frame.insert(at, byte);
                }
                _ => {
                    let end = at + self.at(frame.len() - at + 1);
                    let part = frame[at..end].to_vec();
                    let to = self.at(frame.len() + 1);
                    frame.splice(to..to, part);
                }
            }
        }
    }

    fn any(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        for _ in 0..self.at(4) {
            match self.at(5) {
                0 | 1 => {
                    let url = self.pick(&[
                        "type.googleapis.com/B",
                        "type.googleapis.com/a.B",
                        "type.googleapis.com/",
                        "example.org/x/a.B",
                        "a.B",
                        "",
                    ]);
                    self.field(&mut out, 1, url.as_bytes());
                }
                2 | 3 => {
                    let value = vec![0x7a; self.pick(&[0, 1, 5, 127, 128, 300])];
                    self.field(&mut out, 2, &value);
                }
                _ => self.unknown(&mut out, 0),
            }
        }
        out
    }

    fn field(&mut self, out: &mut Vec<u8>, number: u64, content: &[u8]) {
        encode_varint(number << 3 | 2, out);
        self.varint(out, content.len() as u64);
        out.extend_from_slice(content);
    }

    /// A varint, now and then longer than it need be.
    fn varint(&mut self, out: &mut Vec<u8>, value: u64) {
        let start = out.len();
        encode_varint(value, out);
        if self.at(16) == 0 {
            let longer = self.at(11);
            while out.len() - start < longer {
                if let Some(last) = out.last_mut() {
                    *last |= 0x80;
                }
                out.push(0);
            }
        }
    }

    fn number(&mut self) -> u64 {
        let bits = self.at(65) as u32;
        self.next().checked_shr(64 - bits).unwrap_or(0)
    }

    /// A field of any number, known ones among them, and of any wire type.
    fn unknown(&mut self, out: &mut Vec<u8>, depth: usize) {
        let number = self.pick(&[1, 2, 3, 15, 16, 17, 1000, (1 << 29) - 1]);
        let wire_type = self.pick(&[0, 1, 2, 3, 5]);
        encode_varint(number << 3 | wire_type, out);
        match wire_type {
            0 => {
                let value = self.number();
                self.varint(out, value);
            }
            1 => out.extend(self.next().to_le_bytes()),
            2 => {
                let len = self.at(20);
                self.varint(out, len as u64);
                out.extend(vec![0x61; len]);
            }
            3 => {
                for _ in 0..self.at(3) {
                    if depth < 20 {
                        self.unknown(out, depth + 1);
                    }
                }
                encode_varint(number << 3 | 4, out);
            }
            _ => out.extend(&self.next().to_le_bytes()[..4]),
        }
    }
}
