//! What every export runs inside of: panics stop here, errors become a status and a text.
//!
//! Costs no allocation and no lock; the text of an error is copied into a buffer that its thread keeps.

use std::any::Any;
use std::cell::RefCell;
use std::ffi::{c_char, CStr};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};

use super::status::dividere_status_t;
use crate::connection::log::log_line;
use crate::error::{panic_text, Error, Result, Status};

/// Runs a call: its status, and on failure its text as the thread's last error.
#[inline]
pub(super) fn guard(call: impl FnOnce() -> Result<()>) -> dividere_status_t {
    match caught(call) {
        Ok(()) => Status::Ok.code(),
        Err(error) => remember(&error),
    }
}

/// The same for what frees and closes: it leaves the last error alone.
#[inline]
pub(super) fn guard_closing(call: impl FnOnce() -> Result<()>) -> dividere_status_t {
    match caught(call) {
        Ok(()) => Status::Ok.code(),
        Err(error) => error.status().code(),
    }
}

/// The same for what gives a plain value, and cannot fail but by a fault of ours.
#[inline]
pub(super) fn guard_value<T>(fallback: T, call: impl FnOnce() -> T) -> T {
    let mut value = fallback;
    let outcome = caught(|| {
        value = call();
        Ok(())
    });
    if let Err(error) = outcome {
        remember(&error);
    }
    value
}

#[inline]
fn caught(call: impl FnOnce() -> Result<()>) -> Result<()> {
    if !QUIET.load(Ordering::Relaxed) {
        be_quiet();
    }
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(result) => result,
        Err(panic) => Err(fault(panic.as_ref())),
    }
}

#[cold]
fn fault(panic: &(dyn Any + Send)) -> Error {
    let said = panic_text(panic);
    Error::new(
        Status::Internal,
        format!("a fault in dividere, please report it: {said}"),
    )
}

static QUIET: AtomicBool = AtomicBool::new(false);

/// A panic that is caught here must not write to the host's stderr, as Rust does by default: it goes to the log. The
/// library as C links it has a Rust runtime of its own, so nobody else's panics are meant. Unit tests keep theirs.
#[cold]
fn be_quiet() {
    if QUIET.swap(true, Ordering::Relaxed) || cfg!(test) {
        return;
    }
    std::panic::set_hook(Box::new(|panic| log_line!(Error, "ffi", "{panic}")));
}

thread_local! {
    /// Ends with a NUL and has none before it.
    static LAST_ERROR: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

#[cold]
#[inline(never)]
fn remember(error: &Error) -> dividere_status_t {
    // A thread that is ending has no last error any more; the status tells enough then.
    let _thread_is_ending = LAST_ERROR.try_with(|last| {
        let mut last = last.borrow_mut();
        last.clear();
        last.extend(error.text().bytes().map(|byte| if byte == 0 { b'?' } else { byte }));
        last.push(0);
    });
    error.status().code()
}

/// Makes the thread's last error an empty text, so that what is found later was said since.
pub(super) fn forget_last_error() {
    let _thread_is_ending = LAST_ERROR.try_with(|last| last.borrow_mut().clear());
}

/// The text of the last error, copied; None where it is empty.
pub(super) fn last_error_text() -> Option<String> {
    // SAFETY: a C string of this thread, copied before anything else happens on it.
    let text = unsafe { CStr::from_ptr(last_error()) }.to_string_lossy();
    (!text.is_empty()).then(|| text.into_owned())
}

/// What a handler of the host's returned: its status, with the text that it left as the thread's last error.
pub(super) fn outcome(status: dividere_status_t) -> Result<()> {
    if status == Status::Ok.code() {
        return Ok(());
    }
    let known = Status::from_code(status).unwrap_or(Status::Remote);
    Err(match last_error_text() {
        Some(text) => Error::new(known, text),
        None => Error::new(known, format!("the handler failed with the status {status}")),
    })
}

/// The text of the last call that failed on this thread; empty where none did.
pub(super) fn last_error() -> *const c_char {
    const NONE: &CStr = c"";
    LAST_ERROR
        .try_with(|last| match last.borrow().as_slice() {
            [] => NONE.as_ptr(),
            text => text.as_ptr().cast(),
        })
        .unwrap_or(NONE.as_ptr())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last() -> String {
        // SAFETY: a C string of this thread, copied at once.
        unsafe { CStr::from_ptr(last_error()) }.to_string_lossy().into_owned()
    }

    #[test]
    fn a_panic_comes_back_as_internal_with_its_text() {
        let status = guard(|| panic!("wheel {} came off", 3));
        assert_eq!(status, Status::Internal.code());
        assert!(last().ends_with("wheel 3 came off"), "{}", last());
        assert_eq!(guard_value(7, || panic!("again")), 7);
        assert!(last().ends_with("again"), "{}", last());
    }

    #[test]
    fn the_text_stays_until_the_next_failure_and_belongs_to_its_thread() {
        let fail = |text: &'static str| guard(move || Err(Error::new(Status::Timeout, text)));
        assert_eq!(fail("first"), Status::Timeout.code());
        assert_eq!(guard(|| Ok(())), 0);
        assert_eq!(last(), "first");
        assert_eq!(
            guard_closing(|| Err(Error::new(Status::Closed, "closing"))),
            Status::Closed.code()
        );
        assert_eq!(last(), "first");
        let elsewhere = std::thread::spawn(last).join().expect("no panic");
        assert_eq!(elsewhere, "");
        fail("a\0b");
        assert_eq!(last(), "a?b");
    }
}
