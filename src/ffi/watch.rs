//! The watch of what is registered.

use super::bytes::place;
use super::guard::{guard, guard_closing};
use super::handle::{close, find};
use super::instances::{dividere_instances_t, give};
use super::status::dividere_status_t;
use crate::connection::clock::Deadline;
use crate::registry::watch::Watch;

/// What happened to an instance.
#[repr(i32)]
pub enum dividere_watch {
    /// It is there: it was when the watch began, or it came, or it is another than before.
    Put = 1,
    /// It is gone.
    Delete = 2,
    /// What was there when the watch began was told. Comes once, also where nothing was there.
    Complete = 3,
}

/// Follows what is registered: first what is there, then every change, in order. Where a registry is away, nothing is
/// told; when it, or another one, is there, what has changed. It ends with its client.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct dividere_watch_t {
    /// Its number; 0 for none.
    pub id: u64,
}

/// Takes the next event: its kind (DIVIDERE_WATCH_PUT and so on), and the instance, of which there is one, with the
/// number of the change as its revision; with COMPLETE, of that one nothing but the revision is set. To be freed with
/// dividere_instances_free. LIMIT where another registry took over and serves no more watches: the watch is over.
#[no_mangle]
pub unsafe extern "C" fn dividere_watch_recv(
    watch: dividere_watch_t,
    timeout_ms: i64,
    kind: *mut i32,
    instance: *mut *mut dividere_instances_t,
) -> dividere_status_t {
    guard(|| {
        let mut place = place(kind, "kind")?;
        give(instance, || {
            let event = find::<Watch>(watch.id)?.recv(Deadline::from_ms(timeout_ms))?;
            place.set(event.kind as i32);
            Ok(vec![event.instance])
        })
    })
}

/// A descriptor for poll and epoll: when it is readable, take events with a timeout of 0 until WOULD_BLOCK. It belongs
/// to the watch.
#[no_mangle]
pub unsafe extern "C" fn dividere_watch_fd(watch: dividere_watch_t, fd: *mut i32) -> dividere_status_t {
    guard(|| {
        let mut place = place(fd, "fd")?;
        place.set(find::<Watch>(watch.id)?.fd()?);
        Ok(())
    })
}

/// Ends a watch: blocked calls return CLOSED.
#[no_mangle]
pub extern "C" fn dividere_watch_close(watch: dividere_watch_t) -> dividere_status_t {
    guard_closing(|| close::<Watch>(watch.id))
}

#[cfg(test)]
mod tests {
    use crate::registry::watch::WatchEventKind;

    #[test]
    fn kinds_are_those_of_the_core() {
        for kind in [WatchEventKind::Put, WatchEventKind::Delete, WatchEventKind::Complete] {
            let line = format!("    {kind:?} = {},\n", kind as i32);
            assert!(include_str!("watch.rs").contains(&line), "{line}");
        }
    }
}
