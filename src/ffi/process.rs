//! What a process has one of: its settings, its end, its log.

use std::ffi::{c_char, c_void, CString};
use std::time::Duration;

use super::bytes::object;
use super::callback::{dividere_destructor_t, Context};
use super::guard::guard;
use super::options::dividere_options_t;
use super::socket::flag;
use super::status::dividere_status_t;
use crate::connection::linux;
use crate::connection::log::{set_log_callback, Level, LogCallback};
use crate::connection::options::ProcessOptions;
use crate::connection::process;
use crate::error::{Error, Status};

/// How much a line of the log matters.
#[repr(i32)]
pub enum dividere_log {
    /// Something failed that no call could return.
    Error = 1,
    /// Something went wrong that mends itself, or that concerns one peer.
    Warning = 2,
    /// Connections that come and go.
    Info = 3,
    /// What helps to find a fault.
    Debug = 4,
    /// Everything.
    Trace = 5,
}

/// Takes a line of the log: its level (DIVIDERE_LOG_ERROR and so on), the part of dividere that it
/// comes from, and its text, both NUL-terminated and valid for the call. Runs on the thread that has
/// something to say, on several at once; may call anything.
pub type dividere_log_callback_t =
    Option<unsafe extern "C" fn(context: *mut c_void, level: i32, target: *const c_char, text: *const c_char)>;

/// Sets what belongs to the process: the options from DIVIDERE_OPTION_IO_THREADS on; NULL for the
/// defaults. INVALID_ARGUMENT where others are set, too; STATE once a handle was made.
#[no_mangle]
pub unsafe extern "C" fn dividere_configure(options: *const dividere_options_t) -> dividere_status_t {
    guard(|| match options.is_null() {
        true => process::configure(&ProcessOptions::default()),
        false => process::configure(object(options, "options")?.options().process()?),
    })
}

/// Closes every handle of the process and waits until what was accepted is sent: at most `timeout_ms`
/// milliseconds, or, where that is negative, the longest linger time among the handles. They are
/// CLOSED afterwards, and new ones can be made. A normal exit (return from main, exit) does this by
/// itself; programs that end in another way call it before.
#[no_mangle]
pub extern "C" fn dividere_shutdown(timeout_ms: i64) -> dividere_status_t {
    guard(|| {
        process::shutdown(u64::try_from(timeout_ms).ok().map(Duration::from_millis));
        Ok(())
    })
}

/// With 1, a wait ends with CANCELLED when a signal handler ran on its thread meanwhile, in the whole process: for
/// runtimes, as Python's, that run what they call a signal handler only after the call has returned. With 0, as it
/// is from the beginning, waits go on. Meant are the waits for something to receive, for a reply and for room to
/// send; what is waited for can still come, and the call be made again.
#[no_mangle]
pub extern "C" fn dividere_interrupt_waits(on: i32) -> dividere_status_t {
    guard(|| {
        linux::interrupt_waits(flag(on, "on")?);
        Ok(())
    })
}

/// Hands each line of the log of this level or a more important one to `callback`, in place of the
/// one set before; a NULL `callback` ends it. What dividere says because of a call inside the
/// callback is not handed to it. The environment variable DIVIDERE_LOG (error, warning, info, debug,
/// trace) writes to stderr, independently of this. INVALID_ARGUMENT where the level is none.
#[no_mangle]
pub unsafe extern "C" fn dividere_log_set_callback(
    level: i32,
    callback: dividere_log_callback_t,
    context: *mut c_void,
    destructor: dividere_destructor_t,
) -> dividere_status_t {
    let context = Context::new(context, destructor);
    guard(move || {
        let level = Level::from_code(level).ok_or_else(|| {
            Error::new(
                Status::InvalidArgument,
                format!("{level} is no level: 1 (error) to 5 (trace) are"),
            )
        })?;
        let callback = callback.map(|function| -> LogCallback {
            Box::new(move |level, target, text| {
                let (target, text) = (c_string(target), c_string(text));
                // SAFETY: the host's function, with its own context.
                unsafe { function(context.pointer(), level as i32, target.as_ptr(), text.as_ptr()) }
            })
        });
        set_log_callback(level, callback);
        Ok(())
    })
}

/// A line has no NUL, but what it cites may.
fn c_string(text: &str) -> CString {
    CString::new(text).unwrap_or_else(|_| CString::new(text.replace('\0', "?")).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_those_of_the_core() {
        for level in Level::ALL {
            let line = format!("    {level:?} = {},\n", level as i32);
            assert!(include_str!("process.rs").contains(&line), "{line}");
        }
    }
}
