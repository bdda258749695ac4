//! What an envelope before this one looked like. Those who send one type again and again write the same header each time:
//! one comparison then tells what reading it anew would.

use std::ops::Range;

use super::{DecodeError, Layout};

/// Longer headers are read each time.
const LONGEST_HEADER: usize = 120;

/// Remembers the header of the last envelope, from the second one on: a message that is used once pays nothing.
pub(crate) struct Memo {
    header: [u8; LONGEST_HEADER],
    header_len: usize,
    frame_len: usize,
    type_name: Range<usize>,
    msg_name: Range<usize>,
    used: bool,
}

impl Memo {
    pub const fn new() -> Memo {
        Memo {
            header: [0; LONGEST_HEADER],
            header_len: 0,
            frame_len: 0,
            type_name: 0..0,
            msg_name: 0..0,
            used: false,
        }
    }

    /// As `Layout::of`.
    #[inline]
    pub fn layout_of(&mut self, frame: &[u8]) -> Result<Layout, DecodeError> {
        let header = &self.header[..self.header_len];
        if self.frame_len == frame.len() && self.header_len > 0 && frame.starts_with(header) {
            return Ok(Layout {
                type_name: self.type_name.clone(),
                msg_name: self.msg_name.clone(),
                payload: self.header_len..frame.len(),
                sequence: None,
            });
        }
        let layout = Layout::of(frame)?;
        if self.used {
            self.remember(frame, &layout);
        }
        self.used = true;
        Ok(layout)
    }

    /// Only what says all in front of its payload: then nothing but that and the length decides how it is read.
    fn remember(&mut self, frame: &[u8], layout: &Layout) {
        let header_len = layout.payload.start;
        let whole = layout.payload.end == frame.len() && header_len < frame.len() && layout.sequence.is_none();
        let names = layout.type_name.end.max(layout.msg_name.end);
        if !whole || header_len > LONGEST_HEADER || names > header_len {
            self.header_len = 0;
            return;
        }
        self.header[..header_len].copy_from_slice(&frame[..header_len]);
        self.header_len = header_len;
        self.frame_len = frame.len();
        self.type_name = layout.type_name.clone();
        self.msg_name = layout.msg_name.clone();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messaging::envelope::encode;

    /// Whatever came before, it is read as if nothing had.
    #[test]
    fn each_frame_is_read_as_by_itself() {
        let envelope = |name: &str, payload: &[u8]| encode(name, payload).expect("a name");
        let reading = envelope("acme.v1.Reading", b"12345678");
        let mut broken_name = reading.clone();
        broken_name[4] = 0xff;
        let mut broken_length = reading.clone();
        broken_length[1] += 1;
        let mut with_sequence = envelope("acme.v1.Reading", b"12345");
        with_sequence.extend([0x80, 0x01, 0x07]);
        assert_eq!(with_sequence.len(), reading.len());
        let frames: Vec<Vec<u8>> = vec![
            reading.clone(),
            envelope("acme.v1.Reading", b"87654321"),
            envelope("acme.v1.Reading", b"longer than before"),
            envelope("acme.v1.Writing", b"12345678"),
            envelope("acme.v1.Reading", b""),
            envelope(&"n".repeat(200), b"12345678"),
            reading[..reading.len() - 1].to_vec(),
            [&reading[..], b"x"].concat(),
            broken_name,
            broken_length,
            with_sequence,
            Vec::new(),
        ];
        let mut memo = Memo::new();
        for first in &frames {
            for second in &frames {
                for frame in [first, first, second, second] {
                    let by_itself = Layout::of(frame).map_err(|e| e.to_string());
                    assert_eq!(memo.layout_of(frame).map_err(|e| e.to_string()), by_itself);
                }
            }
        }
        assert!(memo.layout_of(&reading).is_ok() && memo.layout_of(&reading).is_ok());
        assert!(memo.header_len > 0 && memo.frame_len == reading.len());
    }
}
