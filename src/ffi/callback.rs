//! The host's functions, and the end of their contexts.

use std::ffi::c_void;

/// Ends the context of a callback: called exactly once, after the last call of the callback has
/// returned, on whichever thread that was; also when registering the callback failed. May call anything.
pub type dividere_destructor_t = Option<unsafe extern "C" fn(context: *mut c_void)>;

/// What a callback is called with, ended when it is dropped.
pub(super) struct Context {
    pointer: *mut c_void,
    destructor: dividere_destructor_t,
}

// SAFETY: the convention says that callbacks and destructors are called on threads of ours, and several at once.
unsafe impl Send for Context {}
unsafe impl Sync for Context {}

impl Context {
    /// Made first of all in a function that registers, so that it ends on every way out.
    pub(super) fn new(pointer: *mut c_void, destructor: dividere_destructor_t) -> Context {
        Context { pointer, destructor }
    }

    pub(super) fn pointer(&self) -> *mut c_void {
        self.pointer
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        if let Some(destructor) = self.destructor.take() {
            // SAFETY: the host gave both, for each other.
            unsafe { destructor(self.pointer) }
        }
    }
}
