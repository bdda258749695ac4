//! Pointers and lengths on their way in and out. Every pointer is checked for NULL here, and read or written nowhere
//! else but in the files that own what is behind it.

use std::ffi::{c_char, c_void, CStr};
use std::marker::PhantomData;

use crate::error::{Error, Result, Status};

fn null(name: &str) -> Error {
    Error::new(Status::NullPointer, format!("{name} is NULL"))
}

/// Text: NUL-terminated UTF-8.
///
/// # Safety
/// `text` is NULL or points to a NUL-terminated string that lives for 'a.
#[inline]
pub(super) unsafe fn text<'a>(text: *const c_char, name: &str) -> Result<&'a str> {
    c_string(text, name)?
        .to_str()
        .map_err(|error| Error::new(Status::InvalidArgument, format!("{name} is not UTF-8: {error}")))
}

/// Text that is checked elsewhere.
///
/// # Safety
/// As `text`.
#[inline]
pub(super) unsafe fn c_string<'a>(text: *const c_char, name: &str) -> Result<&'a CStr> {
    match text.is_null() {
        true => Err(null(name)),
        false => Ok(CStr::from_ptr(text)),
    }
}

/// Text that may be left out, as NULL.
///
/// # Safety
/// As `text`.
#[inline]
pub(super) unsafe fn optional_text<'a>(value: *const c_char, name: &str) -> Result<Option<&'a str>> {
    match value.is_null() {
        true => Ok(None),
        false => text(value, name).map(Some),
    }
}

/// `count` items; NULL where there are none.
///
/// # Safety
/// `items` is NULL or points to `count` items that live for 'a.
#[inline]
pub(super) unsafe fn list<'a, T>(items: *const T, count: usize, name: &str) -> Result<&'a [T]> {
    if count == 0 {
        return Ok(&[]);
    }
    if items.is_null() {
        return Err(null(name));
    }
    check_extent::<T>(count, name)?;
    Ok(std::slice::from_raw_parts(items, count))
}

/// The same for what is changed.
///
/// # Safety
/// `items` is NULL or points to `count` items that nobody else uses for 'a.
pub(super) unsafe fn list_mut<'a, T>(items: *mut T, count: usize, name: &str) -> Result<&'a mut [T]> {
    if count == 0 {
        return Ok(&mut []);
    }
    if items.is_null() {
        return Err(null(name));
    }
    check_extent::<T>(count, name)?;
    Ok(std::slice::from_raw_parts_mut(items, count))
}

#[inline]
fn check_extent<T>(count: usize, name: &str) -> Result<()> {
    match count.checked_mul(std::mem::size_of::<T>()) {
        Some(size) if size <= isize::MAX as usize => Ok(()),
        _ => Err(Error::new(
            Status::InvalidArgument,
            format!("{name}: a length of {count} is no length"),
        )),
    }
}

/// `len` bytes; NULL where there are none.
///
/// # Safety
/// `data` is NULL or points to `len` bytes that live for 'a.
#[inline]
pub(super) unsafe fn bytes<'a>(data: *const c_void, len: usize, name: &str) -> Result<&'a [u8]> {
    list(data.cast::<u8>(), len, name)
}

/// A list of texts.
///
/// # Safety
/// `texts` is NULL or points to `count` pointers, each as for `text`.
pub(super) unsafe fn texts<'a>(texts: *const *const c_char, count: usize, name: &str) -> Result<Vec<&'a str>> {
    list(texts, count, name)?.iter().map(|one| text(*one, name)).collect()
}

/// What a pointer points to, for reading.
///
/// # Safety
/// `object` is NULL or points to a T that nobody writes to for 'a.
#[inline]
pub(super) unsafe fn object<'a, T>(object: *const T, name: &str) -> Result<&'a T> {
    object.as_ref().ok_or_else(|| null(name))
}

/// What a pointer points to, for writing.
///
/// # Safety
/// `object` is NULL or points to a T that nobody else uses for 'a.
#[inline]
pub(super) unsafe fn object_mut<'a, T>(object: *mut T, name: &str) -> Result<&'a mut T> {
    object.as_mut().ok_or_else(|| null(name))
}

/// A place for a result, which may hold anything yet.
pub(super) struct Place<'a, T>(*mut T, PhantomData<&'a mut T>);

impl<T> Place<'_, T> {
    #[inline]
    pub(super) fn set(&mut self, value: T) {
        // SAFETY: checked when it was made; T has nothing to drop or the place holds no T yet.
        unsafe { self.0.write(value) }
    }
}

/// The place of a scalar, written only on success.
///
/// # Safety
/// `place` is NULL or may be written to for 'a.
#[inline]
pub(super) unsafe fn place<'a, T>(place: *mut T, name: &str) -> Result<Place<'a, T>> {
    match place.is_null() {
        true => Err(null(name)),
        false => Ok(Place(place, PhantomData)),
    }
}

/// The place of a handle or pointer, which holds `none` unless the call succeeds.
///
/// # Safety
/// As `place`.
#[inline]
pub(super) unsafe fn place_or_none<'a, T>(at: *mut T, none: T, name: &str) -> Result<Place<'a, T>> {
    let mut at = place(at, name)?;
    at.set(none);
    Ok(at)
}

/// Text into the caller's buffer of `size` bytes, cut where it does not fit, NUL-terminated unless `size` is 0. The
/// whole length goes to `length`, which may be NULL.
///
/// # Safety
/// `buffer` is NULL or has room for `size` bytes; `length` is NULL or may be written to.
pub(super) unsafe fn give_text(value: &str, buffer: *mut c_char, size: usize, length: *mut usize) -> Result<()> {
    if size > 0 {
        if buffer.is_null() {
            return Err(null("buffer"));
        }
        check_extent::<u8>(size, "buffer")?;
        copy_text(value, std::slice::from_raw_parts_mut(buffer, size));
    }
    if let Some(length) = length.as_mut() {
        *length = value.len();
    }
    Ok(())
}

/// Text into an array, cut at a character's boundary where it does not fit, always NUL-terminated.
pub(super) fn copy_text(value: &str, to: &mut [c_char]) {
    let Some(room) = to.len().checked_sub(1) else { return };
    let mut end = value.len().min(room);
    while !value.is_char_boundary(end) {
        end -= 1;
    }
    for (place, byte) in to.iter_mut().zip(value[..end].bytes()) {
        *place = byte as c_char;
    }
    to[end] = 0;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_may_be_null_and_something_may_not() {
        // SAFETY: NULL and live values only.
        unsafe {
            assert_eq!(bytes(std::ptr::null(), 0, "data"), Ok(&[][..]));
            let refused = bytes(std::ptr::null(), 1, "data").expect_err("one byte at NULL");
            assert_eq!(
                (refused.status(), refused.text()),
                (Status::NullPointer, "data is NULL")
            );
            let endless = bytes(b"a".as_ptr().cast(), usize::MAX, "data").expect_err("no such length");
            assert_eq!(endless.status(), Status::InvalidArgument);
            let endless = list([0u64].as_ptr(), usize::MAX / 4, "list").expect_err("no such length");
            assert_eq!(endless.status(), Status::InvalidArgument);
            let foreign = text(c"\xff".as_ptr(), "endpoint").expect_err("not UTF-8");
            assert_eq!(foreign.status(), Status::InvalidArgument);
        }
    }

    #[test]
    fn text_is_cut_between_characters_and_always_ends() {
        let mut buffer = [1 as c_char; 4];
        copy_text("aé€", &mut buffer);
        // SAFETY: copy_text ends it.
        let shown = unsafe { CStr::from_ptr(buffer.as_ptr()) };
        assert_eq!(shown.to_str(), Ok("aé"));
        let mut length = 0;
        // SAFETY: live buffers.
        unsafe {
            give_text("abcdef", buffer.as_mut_ptr(), buffer.len(), &mut length).expect("a buffer is there");
            assert_eq!((CStr::from_ptr(buffer.as_ptr()).to_str(), length), (Ok("abc"), 6));
            give_text("abcdef", std::ptr::null_mut(), 0, &mut length).expect("only the length is asked for");
            assert!(give_text("abc", std::ptr::null_mut(), 1, &mut length).is_err());
        }
    }
}
