//! Waiting for several handles at once, for those who want no callbacks.

use std::os::fd::RawFd;

use crate::connection::clock::Deadline;
use crate::connection::linux;
use crate::error::{Error, Result, Status};
use crate::messaging::channel::Channel;

/// Waits until at least one of `channels` may be received from, and tells which, in their order. READY is no promise:
/// another thread may take the message first. TIMEOUT where none is in time, WOULD_BLOCK where the time is 0,
/// CLOSED where one of them is closed meanwhile.
pub fn poll(channels: &[&dyn Channel], deadline: Deadline) -> Result<Vec<bool>> {
    if channels.is_empty() {
        return Err(Error::new(Status::InvalidArgument, "there is nothing to wait for"));
    }
    let fds = channels
        .iter()
        .map(|channel| channel.fd())
        .collect::<Result<Vec<RawFd>>>()?;
    let mut items: Vec<libc::pollfd> = fds.into_iter().map(linux::readable).collect();
    loop {
        let mut any = false;
        let mut ready = Vec::with_capacity(channels.len());
        for channel in channels {
            let now = match channel.wait(Deadline::Now) {
                Ok(()) => true,
                Err(error) if error.status() == Status::WouldBlock => false,
                Err(error) => return Err(error),
            };
            any |= now;
            ready.push(now);
        }
        if any {
            return Ok(ready);
        }
        if deadline.is_over() {
            return Err(match deadline {
                Deadline::Now => Error::new(Status::WouldBlock, "nothing can be received now"),
                _ => Error::new(Status::Timeout, "nothing arrived in the time given"),
            });
        }
        // A wake-up of any kind: everything is looked at again.
        linux::poll(&mut items, deadline.poll_ms())?;
    }
}
