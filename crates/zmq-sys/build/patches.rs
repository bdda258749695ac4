//! Corrections to libzmq 4.3.5, as checked replacements of text: the build fails when a text is not found exactly once.
//! README.md tells what each one mends and which test shows it.

use std::fs;
use std::path::Path;

mod batches;
mod context;
mod curve;
mod engine;
mod gathering;
mod heartbeat;
mod listener;
mod messages;
mod publisher;
mod receiving;
mod signals;
mod sockets;

/// One replacement in one file.
struct Patch {
    /// Below libzmq's source tree.
    file: &'static str,
    /// What it mends: the group in README.md.
    why: &'static str,
    old: &'static str,
    new: &'static str,
}

/// Applies every correction to the tree below `source`.
pub fn apply(source: &Path) {
    for patch in engine::PATCHES
        .iter()
        .chain(heartbeat::PATCHES)
        .chain(curve::PATCHES)
        .chain(sockets::PATCHES)
        .chain(publisher::PATCHES)
        .chain(listener::PATCHES)
        .chain(receiving::PATCHES)
        .chain(context::PATCHES)
        .chain(signals::PATCHES)
        .chain(batches::PATCHES)
        .chain(messages::PATCHES)
        .chain(gathering::PATCHES)
    {
        let path = source.join(patch.file);
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let found = text.matches(patch.old).count();
        assert_eq!(
            found, 1,
            "the correction \"{}\" does not fit {}: its text was found {found} times, not once. \
             Another version of libzmq? See crates/zmq-sys/README.md. The text:\n{}",
            patch.why, patch.file, patch.old
        );
        fs::write(&path, text.replacen(patch.old, patch.new, 1)).unwrap();
    }
}
