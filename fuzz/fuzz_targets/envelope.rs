//! Feeds the envelope's decoder with anything, and holds what it says against
//! prost. What it reads it must write again so that it reads the same.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[allow(dead_code, unused_imports)]
#[path = "../../src/messaging/envelope/mod.rs"]
mod codec;
#[path = "../../tests/envelope/reference.rs"]
mod reference;

fuzz_target!(|frame: &[u8]| {
    if !reference::check(frame) {
        return;
    }
    let Ok(view) = codec::decode(frame) else {
        return;
    };
    if let Ok(again) = codec::encode(view.type_name, view.payload) {
        let read = codec::decode(&again).expect("what we write we can read");
        assert_eq!((read.type_name, read.payload), (view.type_name, view.payload));
    }
});
