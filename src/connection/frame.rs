//! One ZeroMQ frame: bytes that libzmq allocated and will free. It is written before it is sent,
//! and read where it was received; nothing is copied in between.

use std::ffi::c_void;
use std::mem::MaybeUninit;

use zmq_sys::zmq_msg_t;

use crate::connection::errno;
use crate::error::{Error, Result, Status};

/// Property of a message that tells which connection brought it (ZMQ_SRCFD).
const SOURCE_DESCRIPTOR: i32 = 2;

/// Beyond any memory; what libzmq adds does not overflow.
const MOST: usize = isize::MAX as usize / 2;

#[cold]
fn no_memory(size: usize) -> Error {
    Error::new(Status::OutOfMemory, format!("no memory for a message of {size} bytes"))
}

/// Bytes owned by libzmq. Moving a frame moves its bytes where they are few (libzmq keeps up to 33 inline).
pub struct Frame {
    raw: zmq_msg_t,
}

// SAFETY: a zmq_msg_t may be used by any one thread at a time; shared reads do not write.
unsafe impl Send for Frame {}
unsafe impl Sync for Frame {}

impl Frame {
    /// An empty frame. Allocates nothing.
    pub fn new() -> Frame {
        let mut raw = MaybeUninit::<zmq_msg_t>::uninit();
        // SAFETY: zmq_msg_init fills the whole message and cannot fail.
        unsafe {
            zmq_sys::zmq_msg_init(raw.as_mut_ptr());
            Frame { raw: raw.assume_init() }
        }
    }

    /// A frame of `size` bytes whose content is not set.
    pub fn with_size(size: usize) -> Result<Frame> {
        let mut raw = MaybeUninit::<zmq_msg_t>::uninit();
        // SAFETY: on success the whole message is set.
        if size > MOST || unsafe { zmq_sys::zmq_sys_msg_init_size(raw.as_mut_ptr(), size) } != 0 {
            return Err(no_memory(size));
        }
        // SAFETY: see above.
        Ok(Frame {
            raw: unsafe { raw.assume_init() },
        })
    }

    /// Lets go of what it held, for `size` bytes whose content is not set. Empty where there is no memory for them.
    pub(crate) fn renew(&mut self, size: usize) -> Result<&mut [u8]> {
        if size > MOST {
            return Err(no_memory(size));
        }
        // SAFETY: closed, and made anew or at least empty: initialised at every return. The bytes live as long as it does.
        unsafe {
            let data = zmq_sys::zmq_sys_msg_renew(&mut self.raw, size);
            if data.is_null() {
                return Err(no_memory(size));
            }
            Ok(std::slice::from_raw_parts_mut(data.cast(), size))
        }
    }

    /// A frame that holds a copy of `bytes`.
    pub fn from_bytes(bytes: &[u8]) -> Result<Frame> {
        let mut frame = Frame::with_size(bytes.len())?;
        frame.bytes_mut().copy_from_slice(bytes);
        Ok(frame)
    }

    pub fn len(&self) -> usize {
        // SAFETY: zmq_msg_size only reads.
        unsafe { zmq_sys::zmq_msg_size(&self.raw) }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The content. The pointer stays valid until the frame is changed, moved or dropped.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        self.look().0
    }

    /// The content, and whether another frame of the same message follows.
    #[inline]
    pub(crate) fn look(&self) -> (&[u8], bool) {
        let (mut len, mut more) = (0, 0);
        // SAFETY: `len` readable bytes that live as long as the message, which is only read.
        unsafe {
            let data = zmq_sys::zmq_sys_msg_look(&self.raw, &mut len, &mut more);
            let bytes = match len {
                0 => &[],
                _ => std::slice::from_raw_parts(data.cast(), len),
            };
            (bytes, more != 0)
        }
    }

    pub fn bytes_mut(&mut self) -> &mut [u8] {
        let len = self.len();
        if len == 0 {
            return &mut [];
        }
        // SAFETY: as above, and we hold the frame exclusively.
        unsafe {
            let data = zmq_sys::zmq_msg_data(&mut self.raw);
            std::slice::from_raw_parts_mut(data.cast(), len)
        }
    }

    /// A second frame over the same bytes (few bytes are copied). To be written to only after `unshare`.
    pub fn share(&mut self) -> Result<Frame> {
        let mut copy = Frame::new();
        // SAFETY: both are initialised; libzmq counts the references atomically, and writes a flag into the
        // source, which we hold exclusively.
        let rc = unsafe { zmq_sys::zmq_msg_copy(&mut copy.raw, &mut self.raw) };
        if rc != 0 {
            return Err(errno::error(errno::last(), "share a message"));
        }
        Ok(copy)
    }

    /// Makes the bytes its own where another frame may have them, too.
    pub(crate) fn unshare(&mut self) -> Result<()> {
        // SAFETY: only reads.
        if unsafe { zmq_sys::zmq_msg_get(&self.raw, zmq_sys::ZMQ_SHARED as i32) } == 1 {
            *self = Frame::from_bytes(self.bytes())?;
        }
        Ok(())
    }

    /// True where another frame of the same message follows.
    pub(crate) fn more(&self) -> bool {
        // SAFETY: only reads.
        unsafe { zmq_sys::zmq_msg_more((&self.raw as *const zmq_msg_t).cast_mut()) != 0 }
    }

    /// What names the connection that brought the frame: its descriptor, or a number below -1 over inproc. None where
    /// that is not known, as in the unsubscriptions at a connection's end.
    pub(crate) fn source(&self) -> Option<i32> {
        // SAFETY: only reads.
        let fd = unsafe { zmq_sys::zmq_msg_get((&self.raw as *const zmq_msg_t).cast_mut(), SOURCE_DESCRIPTOR) };
        (fd != -1).then_some(fd)
    }

    pub(crate) fn raw_mut(&mut self) -> *mut zmq_msg_t {
        &mut self.raw
    }
}

/// Receives one whole message, without waiting, into `frames` (emptied first). False where there is none.
///
/// # Safety
/// `raw` is a live socket that is used by this thread only.
pub(crate) unsafe fn recv_whole(raw: *mut c_void, frames: &mut Vec<Frame>) -> bool {
    frames.clear();
    loop {
        let mut frame = Frame::new();
        // SAFETY: the caller's for the socket; an initialised frame.
        let rc = unsafe { zmq_sys::zmq_msg_recv(frame.raw_mut(), raw, zmq_sys::ZMQ_DONTWAIT as i32) };
        if rc < 0 {
            if errno::last() == libc::EINTR {
                continue;
            }
            return false;
        }
        let more = frame.more();
        frames.push(frame);
        if !more {
            return true;
        }
    }
}

impl Default for Frame {
    fn default() -> Frame {
        Frame::new()
    }
}

impl Drop for Frame {
    fn drop(&mut self) {
        // SAFETY: initialised, and closed only here.
        unsafe { zmq_sys::zmq_msg_close(&mut self.raw) };
    }
}
