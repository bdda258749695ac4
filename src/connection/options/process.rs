//! What belongs to the process and is set before its first handle.

use super::OptionKey;
use crate::error::Result;

const DEFAULT_IO_THREADS: i32 = 1;

/// The most that libzmq can hold. It costs nothing to allow them.
const DEFAULT_MAX_SOCKETS: i32 = 65_535;

const DEFAULT_THREAD_NAME_PREFIX: &str = "dividere";

/// Linux keeps 15 bytes of a thread's name, and 7 are needed to tell our threads apart.
const THREAD_NAME_PREFIX_BYTES: usize = 8;

/// The settings of the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessOptions {
    io_threads: i32,
    max_sockets: i32,
    thread_name_prefix: String,
}

impl Default for ProcessOptions {
    fn default() -> ProcessOptions {
        ProcessOptions {
            io_threads: DEFAULT_IO_THREADS,
            max_sockets: DEFAULT_MAX_SOCKETS,
            thread_name_prefix: DEFAULT_THREAD_NAME_PREFIX.to_owned(),
        }
    }
}

impl ProcessOptions {
    /// How many threads move bytes. 1; one more for each GB/s is libzmq's rule of thumb.
    pub fn io_threads(&self) -> i32 {
        self.io_threads
    }

    /// Sets the number of threads that move bytes, 1 to 64.
    pub fn set_io_threads(&mut self, count: i64) -> Result<()> {
        self.io_threads = checked(OptionKey::IoThreads, count)?;
        Ok(())
    }

    /// How many sockets there may be at once; a handle takes one, and two for its events. 65535.
    pub fn max_sockets(&self) -> i32 {
        self.max_sockets
    }

    /// Sets the number of sockets that there may be at once, 1 to 65535.
    pub fn set_max_sockets(&mut self, count: i64) -> Result<()> {
        self.max_sockets = checked(OptionKey::MaxSockets, count)?;
        Ok(())
    }

    /// How the names of our threads begin. "dividere".
    pub fn thread_name_prefix(&self) -> &str {
        &self.thread_name_prefix
    }

    /// Sets how the names of our threads begin: 1 to 8 printable ASCII characters.
    pub fn set_thread_name_prefix(&mut self, prefix: &str) -> Result<()> {
        let key = OptionKey::ThreadNamePrefix;
        if prefix.is_empty() || prefix.len() > THREAD_NAME_PREFIX_BYTES {
            let text = format!(
                "it has {} bytes; 1 to {THREAD_NAME_PREFIX_BYTES} are allowed",
                prefix.len()
            );
            return Err(key.refuse(text));
        }
        if !prefix.bytes().all(|byte| byte.is_ascii_graphic()) {
            let value = format!("'{}'", prefix.escape_debug());
            return Err(key.refuse_value(value, "only printable ASCII characters are allowed, and no space"));
        }
        prefix.clone_into(&mut self.thread_name_prefix);
        Ok(())
    }
}

fn checked(key: OptionKey, value: i64) -> Result<i32> {
    let value = key.checked(value)?;
    i32::try_from(value).map_err(|_| key.refuse_value(value, "it is too large"))
}
