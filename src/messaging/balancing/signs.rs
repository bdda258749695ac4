//! Signs of life between broker and worker, on the wire: those of dividere 2.2.0 at byte level (one byte) and at typed
//! level (a Heartbeat envelope), and ours (the byte, and a Heartbeat with more in it).

use prost::Message as _;

use super::schedule::{Level, Sign};
use crate::connection::frame::Frame;
use crate::error::{Error, Result, Status};
use crate::messaging::envelope::{self, TypeName};
use crate::proto::Heartbeat;

/// A worker announces itself.
const READY: &[u8] = &[1];
/// The broker asks, the worker answers.
const HEARTBEAT: &[u8] = &[2];
const HEARTBEAT_TYPE: &str = "Heartbeat";
/// No sign of life is longer: 1024 numbers in hand, twice over, have room in it.
const LONGEST: usize = 32 * 1024;
/// As many requests as one worker can have in hand.
const MOST_IN_HAND: u32 = 1024;

/// What a broker says to a worker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Question {
    /// Its number; 0 of a broker of 2.2.0.
    pub ping: u64,
    /// The worker is handed nothing any more.
    pub leaving: bool,
}

/// A sign of a worker in `frames`, without the worker's name. None where they are an answer.
pub(super) fn of_worker(frames: &[Frame]) -> Option<Sign> {
    let (level, announces, heartbeat) = match frames {
        [byte] if byte.bytes() == READY => (Level::Bytes, true, None),
        [byte] if byte.bytes() == HEARTBEAT => (Level::Bytes, false, None),
        [byte, more] if byte.bytes() == READY || byte.bytes() == HEARTBEAT => {
            (Level::Ours, byte.bytes() == READY, Some(heartbeat_in(more)?))
        }
        [more] => (Level::Typed, true, Some(heartbeat_in(more)?)),
        _ => return None,
    };
    let heartbeat = heartbeat.unwrap_or_default();
    let ours = level == Level::Ours;
    Some(Sign {
        level,
        announces,
        ping: heartbeat.ping.filter(|_| ours),
        capacity: heartbeat.capacity.filter(|_| ours).unwrap_or(1).clamp(1, MOST_IN_HAND) as usize,
        leaving: ours && heartbeat.leaving.unwrap_or(false),
        in_hand: if ours { heartbeat.in_hand } else { Vec::new() },
    })
}

/// A question of a broker in `frames`, with the level at which it wants to be answered. None where they are a request.
pub(super) fn of_broker(frames: &[Frame]) -> Option<(Level, Question)> {
    match frames {
        [byte] if byte.bytes() == HEARTBEAT => Some((Level::Bytes, Question::default())),
        [byte, more] if byte.bytes() == HEARTBEAT => {
            let heartbeat = heartbeat_in(more)?;
            let question = Question {
                ping: heartbeat.ping.unwrap_or(0),
                leaving: heartbeat.leaving.unwrap_or(false),
            };
            Some((Level::Ours, question))
        }
        [more] => heartbeat_in(more).map(|_| (Level::Typed, Question::default())),
        _ => None,
    }
}

/// The question to a worker of this level, behind its name.
pub(super) fn question(name: Frame, id: &[u8], level: Level, question: Question) -> Result<Vec<Frame>> {
    let heartbeat = Heartbeat {
        id: String::from_utf8_lossy(id).into_owned(),
        ping: (level == Level::Ours && question.ping != 0).then_some(question.ping),
        leaving: (level == Level::Ours && question.leaving).then_some(true),
        ..Heartbeat::default()
    };
    Ok(match level {
        Level::Bytes => vec![name, Frame::from_bytes(HEARTBEAT)?],
        Level::Typed => vec![name, envelope_of(&heartbeat)?],
        Level::Ours => vec![name, Frame::from_bytes(HEARTBEAT)?, envelope_of(&heartbeat)?],
    })
}

/// A worker of ours announces itself: brokers of 2.2.0 of either level understand it, too.
pub(super) fn announcement(heartbeat: &Heartbeat) -> Result<Vec<Frame>> {
    Ok(vec![Frame::from_bytes(READY)?, envelope_of(heartbeat)?])
}

/// What a worker of ours answers to a question of this level.
pub(super) fn answer(level: Level, heartbeat: &Heartbeat) -> Result<Vec<Frame>> {
    Ok(match level {
        Level::Bytes => vec![Frame::from_bytes(HEARTBEAT)?],
        Level::Typed => vec![envelope_of(&Heartbeat {
            id: heartbeat.id.clone(),
            ..Heartbeat::default()
        })?],
        Level::Ours => vec![Frame::from_bytes(HEARTBEAT)?, envelope_of(heartbeat)?],
    })
}

fn heartbeat_in(frame: &Frame) -> Option<Heartbeat> {
    if frame.len() > LONGEST {
        return None;
    }
    let view = envelope::decode(frame.bytes()).ok()?;
    if !view.is(HEARTBEAT_TYPE) {
        return None;
    }
    Heartbeat::decode(view.payload).ok()
}

fn envelope_of(heartbeat: &Heartbeat) -> Result<Frame> {
    let internal = |e: String| Error::new(Status::Internal, e);
    let mut envelope = Vec::new();
    TypeName::new(HEARTBEAT_TYPE)
        .map_err(|e| internal(e.to_string()))?
        .encode_into(&mut envelope, &heartbeat.encode_to_vec())
        .map_err(|e| internal(e.to_string()))?;
    Frame::from_bytes(&envelope)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(parts: &[&[u8]]) -> Vec<Frame> {
        parts.iter().map(|part| Frame::from_bytes(part).unwrap()).collect()
    }

    #[test]
    fn signs_of_all_three_levels_are_told_from_answers() {
        let typed = b"\n\tHeartbeat\x12,\n\x1dtype.googleapis.com/Heartbeat\x12\x0b\n\x09worker-01";
        let sign = of_worker(&frames(&[&[1]])).unwrap();
        assert!(sign.level == Level::Bytes && sign.announces);
        let sign = of_worker(&frames(&[&[2]])).unwrap();
        assert!(sign.level == Level::Bytes && !sign.announces);
        assert_eq!(of_worker(&frames(&[typed])).unwrap().level, Level::Typed);
        assert_eq!(of_worker(&frames(&[&[1], typed])).unwrap().level, Level::Ours);
        for answer in [
            &[&b"client"[..], b"", typed] as &[&[u8]],
            &[b"client", &[1]],
            &[&[1], b"reply"],
            &[&[3]],
            &[],
        ] {
            assert!(of_worker(&frames(answer)).is_none(), "{answer:?}");
        }
    }

    #[test]
    fn what_ours_say_is_read_by_ours_and_nothing_of_it_by_a_worker_of_another_level() {
        let heartbeat = Heartbeat {
            id: "w".into(),
            ping: Some(7),
            in_hand: vec![1, u64::MAX],
            capacity: Some(1_000_000),
            leaving: Some(true),
        };
        let sign = of_worker(&answer(Level::Ours, &heartbeat).unwrap()).unwrap();
        assert_eq!((sign.ping, sign.leaving, sign.capacity), (Some(7), true, 1024));
        assert_eq!(sign.in_hand, [1, u64::MAX]);
        let sign = of_worker(&answer(Level::Typed, &heartbeat).unwrap()).unwrap();
        assert_eq!((sign.ping, sign.leaving, sign.capacity), (None, false, 1));
        assert_eq!(answer(Level::Bytes, &heartbeat).unwrap().len(), 1);
        let asked = Question { ping: 9, leaving: true };
        let name = || Frame::from_bytes(b"w").unwrap();
        for level in [Level::Bytes, Level::Typed, Level::Ours] {
            let question = question(name(), b"w", level, asked).unwrap();
            let understood = of_broker(&question[1..]).unwrap();
            assert_eq!(understood.0, level);
            assert_eq!(understood.1 == asked, level == Level::Ours);
        }
    }
}
