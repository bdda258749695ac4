//! The thread of a handle, which a forked child has not got.

use std::thread::JoinHandle;

use crate::connection::process::generation;

/// To join a thread with; dropped, it lets go of it. In a forked child it does nothing: what names the parent's thread
/// there names nothing, or a thread that the child has started since.
pub(crate) struct OwnThread {
    handle: Option<JoinHandle<()>>,
    generation: u32,
}

impl OwnThread {
    pub fn new(handle: JoinHandle<()>) -> OwnThread {
        OwnThread {
            handle: Some(handle),
            generation: generation(),
        }
    }

    /// Waits for its end, which a panic may have been. Not in a forked child: there it is over.
    pub fn join(mut self) -> std::thread::Result<()> {
        match self.handle.take() {
            Some(handle) if self.generation == generation() => handle.join(),
            handle => {
                std::mem::forget(handle);
                Ok(())
            }
        }
    }
}

impl Drop for OwnThread {
    fn drop(&mut self) {
        if self.generation != generation() {
            std::mem::forget(self.handle.take());
        }
    }
}
