//! Says anything to every role over real connections, and sees that each goes on serving a good peer. libzmq is built
//! into it with the same instruments: coverage.c lends libFuzzer its counters.

#![no_main]

use std::sync::{LazyLock, Mutex};

use libfuzzer_sys::{fuzz_target, Corpus};

#[path = "../../tests/common/mod.rs"]
mod common;
#[path = "../../tests/hostile_zmtp/inputs.rs"]
mod inputs;
#[path = "../../tests/hostile_zmtp/targets.rs"]
mod targets;

static WORLD: LazyLock<Mutex<inputs::World>> = LazyLock::new(|| Mutex::new(inputs::World::new()));

fuzz_target!(|input: &[u8]| -> Corpus {
    match WORLD.lock().unwrap().run(input) {
        true => Corpus::Keep,
        false => Corpus::Reject,
    }
});
