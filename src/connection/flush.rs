//! Waiting until what was accepted has left the queues. Nothing tells when a queue has emptied, so it is looked at again
//! and again, with a pause that grows.

use std::time::Duration;

use crate::connection::clock::Deadline;
use crate::connection::errno;
use crate::connection::socket::{Entered, Socket};
use crate::error::{Error, Result, Status};

const FIRST_PAUSE: Duration = Duration::from_micros(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(2);

impl Socket {
    /// Waits until everything sent so far was handed to the connections: no queue of ours holds a message. What the
    /// operating system has then may still be on its way. TIMEOUT (WOULD_BLOCK where the deadline is `Now`) where that
    /// takes longer: a peer that is slow, or that is connected to and not there. Over inproc there is nothing to wait
    /// for. What other threads go on sending meanwhile is waited for, too. Close and exit need no flush before them.
    pub fn flush(&self, deadline: Deadline) -> Result<()> {
        let mut pause = FIRST_PAUSE;
        loop {
            let unsent = unsent_peers(&self.enter()?)?;
            if unsent == 0 {
                return Ok(());
            }
            if let Deadline::Now = deadline {
                return Err(Error::new(Status::WouldBlock, "not everything is sent yet"));
            }
            if deadline.is_over() {
                return Err(Error::new(
                    Status::Timeout,
                    format!("{unsent} peer(s) did not take everything in the time given"),
                ));
            }
            let left = deadline.remaining().unwrap_or(pause);
            std::thread::sleep(pause.min(left));
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

/// How many connections have messages in their queues.
pub(crate) fn unsent_peers(entered: &Entered<'_>) -> Result<i32> {
    let mut unsent: i32 = 0;
    let rc = errno::uninterrupted(|| {
        let mut size = std::mem::size_of::<i32>();
        // SAFETY: the socket is open and locked; the output is an int and its size.
        unsafe {
            zmq_sys::zmq_getsockopt(
                entered.raw(),
                zmq_sys::ZMQ_SYS_UNSENT_PIPES as i32,
                (&mut unsent as *mut i32).cast(),
                &mut size,
            )
        }
    });
    if rc == 0 {
        return Ok(unsent);
    }
    Err(match errno::last() {
        libc::EINVAL => Error::new(
            Status::Unsupported,
            "only the libzmq that dividere is built with can flush",
        ),
        other => errno::error(other, "ask how much is still to be sent"),
    })
}
