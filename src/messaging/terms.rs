//! What a caller allows, for whoever passes a request on: told in the frame of the route that holds the request's number,
//! so that everything between the caller and the one who answers carries it there and back, whether it knows of it or not.
//!
//! The frame is the number (8 bytes, big-endian), and where there are terms the text "DV1", a byte of flags, and how long
//! the caller waits, in milliseconds (4 bytes, big-endian; 0 without limit).

use crate::connection::frame::Frame;
use crate::error::Result;

const NUMBER_BYTES: usize = 8;
const MARK: &[u8] = b"DV1";
const WITH_TERMS_BYTES: usize = NUMBER_BYTES + MARK.len() + 1 + 4;
const MAY_BE_REPEATED: u8 = 1;

/// Of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    /// It may be served more than once.
    pub repeat: bool,
    /// How long its caller waits for the reply; 0 for nobody knows.
    pub time_ms: u32,
}

impl Terms {
    /// Nothing is known.
    pub const NONE: Terms = Terms {
        repeat: false,
        time_ms: 0,
    };

    /// Of a call with this timeout.
    pub fn new(repeat: bool, timeout_ms: i64) -> Terms {
        Terms {
            repeat,
            time_ms: u32::try_from(timeout_ms).unwrap_or(0),
        }
    }

    /// The frame of a request with these terms.
    pub fn frame(self, number: u64) -> Result<Frame> {
        let number = number.to_be_bytes();
        if self == Terms::NONE {
            return Frame::from_bytes(&number);
        }
        let mut bytes = [0; WITH_TERMS_BYTES];
        let (head, tail) = bytes.split_at_mut(NUMBER_BYTES);
        head.copy_from_slice(&number);
        tail[..MARK.len()].copy_from_slice(MARK);
        tail[MARK.len()] = if self.repeat { MAY_BE_REPEATED } else { 0 };
        tail[MARK.len() + 1..].copy_from_slice(&self.time_ms.to_be_bytes());
        Frame::from_bytes(&bytes)
    }

    /// The terms in a frame of a request of ours; `NONE` where it names none. None where the frame is of somebody else.
    pub fn of(frame: &[u8]) -> Option<Terms> {
        number_in(frame)?;
        let Some(tail) = frame.get(NUMBER_BYTES + MARK.len()..).filter(|tail| !tail.is_empty()) else {
            return Some(Terms::NONE);
        };
        Some(Terms {
            repeat: tail[0] & MAY_BE_REPEATED != 0,
            time_ms: u32::from_be_bytes(tail[1..].try_into().ok()?),
        })
    }
}

/// The number in a frame of a request of ours.
pub(crate) fn number_in(frame: &[u8]) -> Option<u64> {
    let (number, tail) = frame.split_first_chunk::<NUMBER_BYTES>()?;
    let whole = tail.is_empty() || frame.len() == WITH_TERMS_BYTES && tail.starts_with(MARK);
    whole.then(|| u64::from_be_bytes(*number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_nothing_else() {
        for terms in [
            Terms::NONE,
            Terms::new(true, -1),
            Terms::new(false, 1),
            Terms::new(true, i64::from(u32::MAX)),
        ] {
            let frame = terms.frame(0x0102_0304_0506_0708).unwrap();
            assert_eq!(Terms::of(frame.bytes()), Some(terms));
            assert_eq!(number_in(frame.bytes()), Some(0x0102_0304_0506_0708));
            for cut in 0..frame.len() {
                if cut != NUMBER_BYTES {
                    assert_eq!(Terms::of(&frame.bytes()[..cut]), None, "{cut}");
                }
            }
        }
        assert_eq!(Terms::NONE.frame(7).unwrap().bytes(), 7u64.to_be_bytes());
        assert_eq!(Terms::of(b"12345678XX1\0\0\0\0\0"), None);
        // Longer than a number can tell: nobody knows.
        assert_eq!(Terms::new(false, i64::from(u32::MAX) + 1), Terms::NONE);
    }
}
