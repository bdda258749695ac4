//! What happens to connections, as C sees it.

use std::ffi::{c_char, c_void};

use super::bytes::copy_text;
use crate::connection::events::Event;

/// What happened. Over inproc there are no events.
#[repr(i32)]
pub enum dividere_event {
    /// A connection is ready: the handshake succeeded, on the side that tells.
    Connected = 1,
    /// A peer reached a bound endpoint; its handshake is still to come.
    Accepted = 2,
    /// An established connection ended.
    Disconnected = 3,
    /// A connection attempt failed; the next one follows.
    Retried = 4,
    /// An endpoint is bound.
    Listening = 5,
    /// A peer was there, but the two sides cannot talk: keys, mechanism or role.
    HandshakeFailed = 6,
    /// An endpoint was closed by this side.
    Closed = 7,
    /// The events of the socket cannot be read any more; none follows.
    MonitorLost = 8,
    /// A peer that arrived could not be taken in: mostly, no descriptors left.
    AcceptFailed = 9,
    /// A connection that the transport had given up for good was begun anew.
    Restarted = 10,
}

/// One thing that happened to one connection. A plain value: nothing to be freed. Texts are
/// NUL-terminated, and cut where they do not fit.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct dividere_event_t {
    /// What happened: DIVIDERE_EVENT_CONNECTED and so on.
    pub kind: i32,
    /// A number that goes with the kind: a status, an errno or a code of ZeroMQ's; 0 for none.
    pub code: i32,
    /// The endpoint of this socket that it happened on.
    pub endpoint: [c_char; 512],
    /// The address of the peer; empty where it cannot be known.
    pub peer: [c_char; 512],
    /// What the number means and what to do; may be empty.
    pub text: [c_char; 512],
    /// For fields to come; 0.
    pub reserved: [u64; 4],
}

/// Takes an event, which is valid for the call, when it happens. Runs on dividere's service thread: what
/// it does there holds up the events of all sockets. May call anything.
pub type dividere_event_callback_t = Option<unsafe extern "C" fn(context: *mut c_void, event: *const dividere_event_t)>;

pub(super) fn event_for_c(event: &Event) -> dividere_event_t {
    let mut shown = dividere_event_t {
        kind: event.kind as i32,
        code: event.code,
        endpoint: [0; 512],
        peer: [0; 512],
        text: [0; 512],
        reserved: [0; 4],
    };
    copy_text(&event.endpoint, &mut shown.endpoint);
    copy_text(&event.peer, &mut shown.peer);
    copy_text(&event.text, &mut shown.text);
    shown
}

#[cfg(test)]
mod tests {
    use crate::connection::events::EventKind;

    #[test]
    fn kinds_are_those_of_the_core() {
        for kind in EventKind::ALL {
            let line = format!("    {kind:?} = {},\n", kind as i32);
            assert!(include_str!("event.rs").contains(&line), "{line}");
        }
    }
}
