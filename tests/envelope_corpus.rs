//! Replays what the fuzzer found worth keeping (fuzz/corpus/envelope, made by
//! scripts/fuzz.sh) against prost.

use dividere::messaging::envelope as codec;

#[path = "envelope/reference.rs"]
mod reference;

#[test]
fn kept_inputs_of_the_fuzzer_agree_with_prost() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/envelope");
    let (mut accepted, mut refused) = (0, 0);
    for entry in std::fs::read_dir(folder).unwrap() {
        let frame = std::fs::read(entry.unwrap().path()).unwrap();
        match reference::check(&frame) {
            true => accepted += 1,
            false => refused += 1,
        }
    }
    // The folder is there and holds inputs of both kinds.
    assert!(accepted >= 20 && refused >= 20, "{accepted} {refused}");
}
