//! The inputs of the fuzzer (fuzz/fuzz_targets/zmtp.rs), and how they are told to the targets.
//!
//! An input is: the number of a target, what comes before the rest (see `Opening`), where the rest is cut in two, in
//! 256ths, and the rest: what is said.

use crate::common::soon;
use crate::common::zmtp::{greeting, ready};
use crate::targets::{Target, ALL};

const HEADER: usize = 3;
/// Descriptors are counted after so many inputs.
const COUNT_EVERY: u64 = 64;
/// Connections come and go; a leak of one for every input is more between two counts.
const MOST_DESCRIPTORS_MORE: usize = 16;

/// So that most inputs get beyond the handshake.
#[derive(Clone, Copy)]
enum Opening {
    Nothing,
    Greeting,
    /// A greeting and READY.
    Handshake,
    /// A greeting with the mechanism CURVE.
    Curve,
}

impl Opening {
    const ALL: [Opening; 4] = [Opening::Nothing, Opening::Greeting, Opening::Handshake, Opening::Curve];

    fn bytes(self, socket_type: &str) -> Vec<u8> {
        match self {
            Opening::Nothing => Vec::new(),
            Opening::Greeting => greeting(),
            Opening::Handshake => [greeting(), ready(socket_type)].concat(),
            Opening::Curve => {
                let mut bytes = greeting();
                bytes[11] = 1;
                bytes[12..17].copy_from_slice(b"CURVE");
                bytes
            }
        }
    }
}

/// All targets, each in the state in which the inputs before left it.
pub struct World {
    targets: Vec<Target>,
    inputs: u64,
    descriptors: usize,
}

impl World {
    pub fn new() -> World {
        let mut targets: Vec<Target> = ALL.iter().map(|make| make()).collect();
        for target in &mut targets {
            // Makes what is made at first use, and leaves the connecting ones in front of our door.
            target.say(b"", b"");
            target.check();
        }
        World {
            targets,
            inputs: 0,
            descriptors: open_descriptors(),
        }
    }

    /// Tells one input to its target, and sees that a good peer of that is served. False where it is none.
    pub fn run(&mut self, input: &[u8]) -> bool {
        let Some((&[number, opening, cut], said)) = input.split_first_chunk::<HEADER>() else {
            return false;
        };
        let number = usize::from(number) % self.targets.len();
        let target = &mut self.targets[number];
        let opening = Opening::ALL[usize::from(opening) % Opening::ALL.len()];
        // The cut may fall into what the input says; the opening is a good peer's.
        let (first, second) = said.split_at(said.len() * usize::from(cut) / 256);
        let begin = opening.bytes(target.socket_types[0]);
        target.say(&[&begin[..], first].concat(), second);
        target.check();
        self.inputs += 1;
        if self.inputs % COUNT_EVERY == 0 {
            self.count_descriptors();
        }
        true
    }

    /// No connection that ended has left its descriptor behind.
    pub fn count_descriptors(&self) {
        let deadline = soon();
        loop {
            let now = open_descriptors();
            if now <= self.descriptors + MOST_DESCRIPTORS_MORE {
                return;
            }
            assert!(
                !deadline.is_over(),
                "{now} descriptors, {} at the beginning",
                self.descriptors
            );
            // Nothing tells when libzmq's threads have closed a descriptor.
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
    }
}

fn open_descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}
