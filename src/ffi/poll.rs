//! Waiting for several sockets at once, without callbacks.

use super::bytes::{list_mut, place};
use super::guard::guard;
use super::handle::find_socket;
use super::socket::dividere_socket_t;
use super::status::dividere_status_t;
use crate::connection::clock::Deadline;
use crate::error::Result;
use crate::messaging::channel::Channel;

/// A socket to wait for, and whether there is something to receive.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct dividere_poll_item_t {
    /// What to wait for.
    pub socket: dividere_socket_t,
    /// Out: 1 where a receive may work, 0 where not. Written on success only.
    pub ready: i32,
}

/// Waits until at least one of `count` sockets may be received from, marks which in `items`, and tells how
/// many. It is no promise: another thread may take the message first. TIMEOUT, or WOULD_BLOCK where the
/// timeout is 0, where none is; CLOSED where one of them is closed, before or meanwhile. `ready` may be NULL.
#[no_mangle]
pub unsafe extern "C" fn dividere_poll(
    items: *mut dividere_poll_item_t,
    count: usize,
    timeout_ms: i64,
    ready: *mut usize,
) -> dividere_status_t {
    guard(|| {
        let items = list_mut(items, count, "items")?;
        let sockets = items
            .iter()
            .map(|item| find_socket(item.socket.id))
            .collect::<Result<Vec<_>>>()?;
        let channels: Vec<&dyn Channel> = sockets.iter().map(|socket| &**socket).collect();
        let marks = crate::messaging::poll::poll(&channels, Deadline::from_ms(timeout_ms))?;
        for (item, mark) in items.iter_mut().zip(&marks) {
            item.ready = i32::from(*mark);
        }
        if !ready.is_null() {
            place(ready, "ready")?.set(marks.iter().filter(|mark| **mark).count());
        }
        Ok(())
    })
}
