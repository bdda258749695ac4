//! Which library this is.

use std::ffi::c_char;

use super::bytes::text;
use super::guard::guard_value;
use crate::connection::keys::has_curve;

/// The version of the library that is loaded, as "3.0.0"; compare DIVIDERE_VERSION_MAJOR and the
/// others, which are the header's. The text is static.
#[no_mangle]
pub extern "C" fn dividere_version() -> *const c_char {
    VERSION.as_ptr().cast()
}

/// The version of the binary interface: the same as the number in the name of the shared library.
/// Programs built against a header of the same DIVIDERE_VERSION_MAJOR run with it.
#[no_mangle]
pub extern "C" fn dividere_abi_version() -> u32 {
    ABI_VERSION
}

/// 1 when this build can do what is asked for ("curve": encryption and authentication; "ipc",
/// "tcp", "inproc": transports), 0 when not or when the name is unknown or NULL.
#[no_mangle]
pub unsafe extern "C" fn dividere_has(feature: *const c_char) -> i32 {
    guard_value(0, || match text(feature, "feature") {
        Ok("curve") => i32::from(has_curve()),
        Ok("tcp" | "ipc" | "inproc") => 1,
        _ => 0,
    })
}

const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");

/// The major version in the crate's own number.
const ABI_VERSION: u32 = {
    let text = env!("CARGO_PKG_VERSION_MAJOR").as_bytes();
    let (mut number, mut at) = (0, 0);
    while at < text.len() {
        number = number * 10 + (text[at] - b'0') as u32;
        at += 1;
    }
    number
};
