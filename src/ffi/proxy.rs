//! The proxy.

use std::ffi::c_char;
use std::sync::Arc;

use super::bytes::{give_text, optional_text, place, place_or_none, text};
use super::event::{dividere_event_t, event_for_c};
use super::guard::{guard, guard_closing};
use super::handle::{close, find, insert};
use super::options::{dividere_options_t, options_or_default};
use super::socket::{dividere_statistics_t, statistics_for_c};
use super::status::dividere_status_t;
use crate::connection::clock::Deadline;
use crate::connection::proxy::{Proxy, ProxyKind};
use crate::connection::socket::Socket;
use crate::error::{Error, Result, Status};

/// What a proxy passes on.
#[repr(i32)]
pub enum dividere_proxy {
    /// Requests that come to the front end, to responses and dealers that connect to the back end; and their
    /// replies (ROUTER and DEALER).
    RequestResponse = 1,
    /// What publishers that connect to the front end publish, to subscribers that connect to the back end; and
    /// their subscriptions (XSUB and XPUB).
    PublishSubscribe = 2,
}

/// One of the sockets of a proxy.
#[repr(i32)]
pub enum dividere_proxy_side {
    /// Where requests or publications come in.
    Front = 1,
    /// Where they go to.
    Back = 2,
    /// Where copies of everything are published.
    Capture = 3,
}

/// Passes messages between two sockets, from its making to its close, on a thread of its own.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct dividere_proxy_t {
    /// Its number; 0 for none.
    pub id: u64,
}

/// Makes a proxy of a kind (DIVIDERE_PROXY_REQUEST_RESPONSE or ..._PUBLISH_SUBSCRIBE) that binds to the endpoints of
/// its front end and of its back end, each a comma-separated list (">" in front connects). With `capture`, which may
/// be NULL, a publisher there gets the payload of every message. NULL options are the defaults; they are for all
/// its sockets. Fails as dividere_publisher_new.
#[no_mangle]
pub unsafe extern "C" fn dividere_proxy_new(
    kind: i32,
    front: *const c_char,
    back: *const c_char,
    capture: *const c_char,
    options: *const dividere_options_t,
    proxy: *mut dividere_proxy_t,
) -> dividere_status_t {
    guard(|| {
        let mut place = place_or_none(proxy, dividere_proxy_t { id: 0 }, "proxy")?;
        let kind = kind_of(kind)?;
        let (front, back) = (text(front, "front")?, text(back, "back")?);
        let capture = optional_text(capture, "capture")?;
        let made = Proxy::new(kind, front, back, capture, &options_or_default(options))?;
        place.set(dividere_proxy_t { id: insert(made)? });
        Ok(())
    })
}

/// Stops a proxy, within 50 ms, and closes its sockets: their addresses are free again when this returns.
#[no_mangle]
pub extern "C" fn dividere_proxy_close(proxy: dividere_proxy_t) -> dividere_status_t {
    guard_closing(|| close::<Proxy>(proxy.id))
}

/// The endpoint that a side (DIVIDERE_PROXY_SIDE_FRONT and so on) is bound to, the last one where there are several;
/// into `buffer` of `size` bytes, its whole length into `length`, which may be NULL. NOT_FOUND where it is bound to
/// none, or where there is no capture.
#[no_mangle]
pub unsafe extern "C" fn dividere_proxy_last_endpoint(
    proxy: dividere_proxy_t,
    side: i32,
    buffer: *mut c_char,
    size: usize,
    length: *mut usize,
) -> dividere_status_t {
    guard(|| {
        let socket = socket_of(proxy, side)?;
        let endpoint = socket
            .last_endpoint()
            .ok_or_else(|| Error::new(Status::NotFound, "this side of the proxy is bound to no endpoint"))?;
        give_text(&endpoint, buffer, size, length)
    })
}

/// What a side counted so far.
#[no_mangle]
pub unsafe extern "C" fn dividere_proxy_statistics(
    proxy: dividere_proxy_t,
    side: i32,
    statistics: *mut dividere_statistics_t,
) -> dividere_status_t {
    guard(|| {
        let mut place = place(statistics, "statistics")?;
        place.set(statistics_for_c(&socket_of(proxy, side)?.statistics()?));
        Ok(())
    })
}

/// Takes the oldest event of a side's connections, or waits for one. The last 1024 are kept.
#[no_mangle]
pub unsafe extern "C" fn dividere_proxy_event_recv(
    proxy: dividere_proxy_t,
    side: i32,
    event: *mut dividere_event_t,
    timeout_ms: i64,
) -> dividere_status_t {
    guard(|| {
        let mut place = place(event, "event")?;
        let events = Arc::clone(&socket_of(proxy, side)?.events);
        place.set(event_for_c(&events.recv(timeout_ms)?));
        Ok(())
    })
}

/// Waits until the proxy has ended. OK where it was closed meanwhile; where one of its own threads failed, what went
/// wrong: it is closed then, and so is all that it was bound to, but its handle is still to be closed. TIMEOUT, or
/// WOULD_BLOCK where the timeout is 0, while it runs. To be told that nobody is served any more, on a thread of yours.
#[no_mangle]
pub extern "C" fn dividere_proxy_wait_ended(proxy: dividere_proxy_t, timeout_ms: i64) -> dividere_status_t {
    guard(|| find::<Proxy>(proxy.id)?.wait_ended(Deadline::from_ms(timeout_ms)))
}

fn kind_of(kind: i32) -> Result<ProxyKind> {
    [ProxyKind::RequestResponse, ProxyKind::PublishSubscribe]
        .into_iter()
        .find(|known| *known as i32 == kind)
        .ok_or_else(|| {
            Error::new(
                Status::InvalidArgument,
                format!("{kind} is no kind of proxy: 1 (requests) and 2 (publications) are"),
            )
        })
}

fn socket_of(proxy: dividere_proxy_t, side: i32) -> Result<Arc<Socket>> {
    let proxy = find::<Proxy>(proxy.id)?;
    let socket = match side {
        1 => proxy.front(),
        2 => proxy.back(),
        3 => proxy
            .capture()
            .ok_or_else(|| Error::new(Status::NotFound, "the proxy captures nothing"))?,
        _ => {
            let text = format!("{side} is no side of a proxy: 1 (front), 2 (back) and 3 (capture) are");
            return Err(Error::new(Status::InvalidArgument, text));
        }
    };
    socket.check()?;
    Ok(Arc::clone(socket))
}
