//! What a status is called, and what the last one that was not OK was about.

use std::ffi::c_char;

use super::guard::{guard, guard_value, last_error};
use crate::error::{Error, Status};

/// The outcome of a call: DIVIDERE_OK (0), or one of the other constants of enum dividere_status,
/// which are positive. A later version may return numbers that this header does not have.
pub type dividere_status_t = i32;

/// The name of a status without its prefix, as "TIMEOUT"; "UNKNOWN" for a number that is none. The
/// text is static. From any thread.
#[no_mangle]
pub extern "C" fn dividere_status_name(status: i32) -> *const c_char {
    guard_value(c"UNKNOWN".as_ptr(), || {
        NAMES
            .iter()
            .find(|(of, _)| of.code() == status)
            .map_or(c"UNKNOWN", |n| n.1)
            .as_ptr()
    })
}

/// What the last call that failed on this thread was about: the endpoint, the option or the type at
/// fault, and what to do. Never NULL; empty when no call failed. Calls that succeed, close or free
/// leave it alone. Valid until the next call on this thread that fails.
#[no_mangle]
pub extern "C" fn dividere_last_error() -> *const c_char {
    last_error()
}

/// Makes `text` the last error of this thread and returns `status`, so that a handler can end with
/// `return dividere_fail(DIVIDERE_NOT_FOUND, "no such sensor")`. INVALID_ARGUMENT where `status` is
/// none; NULL_POINTER where `text` is NULL.
#[no_mangle]
pub unsafe extern "C" fn dividere_fail(status: i32, text: *const c_char) -> dividere_status_t {
    guard(|| {
        let text = super::bytes::text(text, "text")?;
        Err(Error::new(super::message::failure(status)?, text.to_owned()))
    })
}

/// The names once more, as C reads them.
const NAMES: [(Status, &std::ffi::CStr); Status::ALL.len()] = [
    (Status::Ok, c"OK"),
    (Status::InvalidArgument, c"INVALID_ARGUMENT"),
    (Status::NullPointer, c"NULL_POINTER"),
    (Status::OutOfMemory, c"OUT_OF_MEMORY"),
    (Status::Limit, c"LIMIT"),
    (Status::Timeout, c"TIMEOUT"),
    (Status::WouldBlock, c"WOULD_BLOCK"),
    (Status::Closed, c"CLOSED"),
    (Status::Forked, c"FORKED"),
    (Status::Cancelled, c"CANCELLED"),
    (Status::State, c"STATE"),
    (Status::Endpoint, c"ENDPOINT"),
    (Status::AddressInUse, c"ADDRESS_IN_USE"),
    (Status::Unreachable, c"UNREACHABLE"),
    (Status::Permission, c"PERMISSION"),
    (Status::Handshake, c"HANDSHAKE"),
    (Status::TooLarge, c"TOO_LARGE"),
    (Status::Decode, c"DECODE"),
    (Status::Type, c"TYPE"),
    (Status::NotFound, c"NOT_FOUND"),
    (Status::Busy, c"BUSY"),
    (Status::Remote, c"REMOTE"),
    (Status::Unsupported, c"UNSUPPORTED"),
    (Status::Internal, c"INTERNAL"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_the_name_that_it_has_in_the_core() {
        for (status, (of, name)) in Status::ALL.into_iter().zip(NAMES) {
            assert_eq!((status, Ok(status.name())), (of, name.to_str()));
        }
    }
}
