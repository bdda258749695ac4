//! The view of a role that carries what all roles share.

use std::ffi::{c_char, c_void};
use std::sync::Arc;

use super::bytes::{bytes, c_string, give_text, list, place, text};
use super::callback::{dividere_destructor_t, Context};
use super::event::{dividere_event_callback_t, dividere_event_t, event_for_c};
use super::guard::{guard, guard_closing};
use super::handle::{close_socket, find_socket};
use super::message::{dividere_message_t, message};
use super::outlet::send_payload;
use super::status::dividere_status_t;
use crate::connection::clock::Deadline;
use crate::connection::endpoint::Endpoint;
use crate::connection::events::{Event, EventCallback};
use crate::connection::socket::Room;
use crate::connection::stats::Statistics;
use crate::error::{Error, Result, Status};
use crate::messaging::channel::Channel;
use crate::messaging::message::Message;

/// Any role, as what it shares with the others: publisher, subscriber, request, response, dealer. The
/// same handle in another struct: there is one thing to close, and either way closes it.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct dividere_socket_t {
    /// Its number; 0 for none.
    pub id: u64,
}

/// What a handle counted since it was made. Each counter by itself is exact and only grows; two of
/// them may be a message apart.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct dividere_statistics_t {
    /// Messages received; one of several frames counts once.
    pub messages_in: u64,
    /// Messages that the transport accepted for sending.
    pub messages_out: u64,
    /// Bytes of all frames of the messages received.
    pub bytes_in: u64,
    /// Bytes of all frames of the messages sent.
    pub bytes_out: u64,
    /// Messages given up because the queue to a peer was full.
    pub dropped_queue_full: u64,
    /// Late replies to requests that nobody waits for any more.
    pub dropped_stale: u64,
    /// Messages whose frames are not those of this role.
    pub dropped_malformed: u64,
    /// Messages whose receiver has gone.
    pub dropped_unrouted: u64,
    /// Messages received that could not be decoded; their bytes were handed out.
    pub decode_errors: u64,
    /// Events that were pushed out of the full event queue before anybody took them.
    pub events_lost: u64,
    /// Connections that came back after they were lost.
    pub reconnects: u64,
    /// Connected peers now.
    pub peers: u64,
    /// Of a publisher: subscribers now.
    pub subscribers: u64,
    /// For counters to come; 0.
    pub reserved: [u64; 7],
}

/// Sends a message that was prepared, typed or bytes; it is empty afterwards, on success only. STATE
/// where it is empty or (request, response) out of turn; TOO_LARGE beyond the maximum message size;
/// TIMEOUT or WOULD_BLOCK where a full queue blocks or fails; UNSUPPORTED where the role sends nothing.
#[no_mangle]
pub unsafe extern "C" fn dividere_socket_send(
    socket: dividere_socket_t,
    message: *mut dividere_message_t,
) -> dividere_status_t {
    guard(|| find_socket(socket.id)?.send(self::message(message)?))
}

/// As dividere_socket_send; where a queue is full it waits for room for `timeout_ms` whatever the options of the handle say
/// (a request: for a connection, too): 0 does not wait (WOULD_BLOCK), a negative time has no end (TIMEOUT otherwise). What
/// was not sent is still in the message.
#[no_mangle]
pub unsafe extern "C" fn dividere_socket_send_within(
    socket: dividere_socket_t,
    message: *mut dividere_message_t,
    timeout_ms: i64,
) -> dividere_status_t {
    guard(|| find_socket(socket.id)?.send_within(self::message(message)?, within(timeout_ms)))
}

/// Sends a typed message whose payload is serialised already, copied. Fails as dividere_socket_send;
/// INVALID_ARGUMENT where the name of the type is none.
#[no_mangle]
pub unsafe extern "C" fn dividere_socket_send_typed(
    socket: dividere_socket_t,
    type_name: *const c_char,
    payload: *const c_void,
    len: usize,
) -> dividere_status_t {
    guard(|| {
        let payload = bytes(payload, len, "payload")?;
        let type_name = c_string(type_name, "type_name")?.to_bytes();
        send_payload(&*find_socket(socket.id)?, type_name, payload, Room::AsConfigured)
    })
}

/// Sends bytes as they are, without an envelope. Fails as dividere_socket_send.
#[no_mangle]
pub unsafe extern "C" fn dividere_socket_send_bytes(
    socket: dividere_socket_t,
    data: *const c_void,
    len: usize,
) -> dividere_status_t {
    guard(|| {
        let socket = find_socket(socket.id)?;
        socket.send(&mut Message::from_bytes(bytes(data, len, "data")?)?)
    })
}

/// Sends several messages, in order, until one fails, and tells how many were sent: those are empty
/// afterwards. Fails as dividere_socket_send, and only where the first one did.
#[no_mangle]
pub unsafe extern "C" fn dividere_socket_send_many(
    socket: dividere_socket_t,
    messages: *const *mut dividere_message_t,
    count: usize,
    sent: *mut usize,
) -> dividere_status_t {
    guard(|| {
        let mut place = place(sent, "sent")?;
        let socket = find_socket(socket.id)?;
        let mut batch = batch(messages, count)?;
        place.set(crate::messaging::channel::send_many(&*socket, &mut batch)?);
        Ok(())
    })
}

/// Receives the next typed message into `message`, whatever it held before. DECODE where what came is no
/// envelope: its bytes are in the message. TYPE never: any type is received. STATE where (request,
/// response) it is out of turn, or where a reactor has the socket. UNSUPPORTED where the role receives
/// nothing.
#[no_mangle]
pub unsafe extern "C" fn dividere_socket_recv(
    socket: dividere_socket_t,
    message: *mut dividere_message_t,
    timeout_ms: i64,
) -> dividere_status_t {
    guard(|| find_socket(socket.id)?.recv(self::message(message)?, Deadline::from_ms(timeout_ms)))
}

/// Receives the next message as it is, without looking for an envelope. Fails as dividere_socket_recv, but
/// never with DECODE.
#[no_mangle]
pub unsafe extern "C" fn dividere_socket_recv_bytes(
    socket: dividere_socket_t,
    message: *mut dividere_message_t,
    timeout_ms: i64,
) -> dividere_status_t {
    guard(|| find_socket(socket.id)?.recv_bytes(self::message(message)?, Deadline::from_ms(timeout_ms)))
}

/// Waits for a message, takes what else is there already, at most `count`, and tells how many. With `typed`
/// 1 each is looked at as an envelope (one that is none has the kind UNDECODABLE and is no error), with 0
/// none is. The messages are `count` different objects. Fails as dividere_socket_recv where none came.
#[no_mangle]
pub unsafe extern "C" fn dividere_socket_recv_many(
    socket: dividere_socket_t,
    messages: *const *mut dividere_message_t,
    count: usize,
    typed: i32,
    timeout_ms: i64,
    received: *mut usize,
) -> dividere_status_t {
    guard(|| {
        let mut place = place(received, "received")?;
        let typed = flag(typed, "typed")?;
        let socket = find_socket(socket.id)?;
        let mut batch = batch(messages, count)?;
        place.set(crate::messaging::channel::recv_many(
            &*socket,
            &mut batch,
            typed,
            Deadline::from_ms(timeout_ms),
        )?);
        Ok(())
    })
}

/// Waits until a receive may work. It is no promise: another thread may take the message first. Fails as
/// dividere_socket_recv.
#[no_mangle]
pub extern "C" fn dividere_socket_wait(socket: dividere_socket_t, timeout_ms: i64) -> dividere_status_t {
    guard(|| find_socket(socket.id)?.wait(Deadline::from_ms(timeout_ms)))
}

/// A descriptor for poll, epoll and event loops: when it is readable, receive with a timeout of 0 until
/// WOULD_BLOCK. It belongs to the socket: do not read from it or close it. From the first call on, each send
/// on this socket costs a little more. UNSUPPORTED for a publisher.
#[no_mangle]
pub unsafe extern "C" fn dividere_socket_fd(socket: dividere_socket_t, fd: *mut i32) -> dividere_status_t {
    guard(|| {
        let mut place = place(fd, "fd")?;
        place.set(find_socket(socket.id)?.fd()?);
        Ok(())
    })
}

/// A descriptor for poll, epoll and event loops, of those who send: when it is readable, a send that said WOULD_BLOCK may
/// work now; try again with dividere_socket_send_within and 0, until it works or says WOULD_BLOCK. It may be readable at any
/// other time. For a request it tells of connections, too. Where a message goes to all that want it, or to a particular
/// peer (publisher, response), look again after 20 ms even if it is not readable: libzmq does not always tell. It belongs
/// to the socket: do not read from it or close it. UNSUPPORTED for a role that only receives.
#[no_mangle]
pub unsafe extern "C" fn dividere_socket_room_fd(socket: dividere_socket_t, fd: *mut i32) -> dividere_status_t {
    guard(|| {
        let mut place = place(fd, "fd")?;
        place.set(find_socket(socket.id)?.room_fd()?);
        Ok(())
    })
}

/// Tells whether somebody may be waiting at the descriptor, as it is from its first dividere_socket_fd on. With 0 it need
/// not become readable, and receives cost less while there is much to receive; with 1 again, it becomes readable where
/// there is something already, anew also for those who see edges alone. For event loops that wait only after a receive said WOULD_BLOCK: 1, receive once more, wait, 0.
/// INVALID_ARGUMENT where it is neither.
#[no_mangle]
pub extern "C" fn dividere_socket_watch(socket: dividere_socket_t, watched: i32) -> dividere_status_t {
    guard(|| find_socket(socket.id)?.watch(flag(watched, "watched")?))
}

/// What was counted so far.
#[no_mangle]
pub unsafe extern "C" fn dividere_socket_statistics(
    socket: dividere_socket_t,
    statistics: *mut dividere_statistics_t,
) -> dividere_status_t {
    guard(|| {
        let mut place = place(statistics, "statistics")?;
        place.set(statistics_for_c(&find_socket(socket.id)?.statistics()?));
        Ok(())
    })
}

/// Takes the oldest event of this socket's connections, or waits for one. The last 1024 are kept.
#[no_mangle]
pub unsafe extern "C" fn dividere_socket_event_recv(
    socket: dividere_socket_t,
    event: *mut dividere_event_t,
    timeout_ms: i64,
) -> dividere_status_t {
    guard(|| {
        let mut place = place(event, "event")?;
        let events = {
            let socket = find_socket(socket.id)?;
            check(&*socket)?;
            socket.events()
        };
        place.set(event_for_c(&events.recv(timeout_ms)?));
        Ok(())
    })
}

/// Hands each event to `callback` as it happens, in place of the one set before; a NULL `callback` ends it.
/// Events can still be pulled. CLOSED where the socket is.
#[no_mangle]
pub unsafe extern "C" fn dividere_socket_set_event_callback(
    socket: dividere_socket_t,
    callback: dividere_event_callback_t,
    context: *mut c_void,
    destructor: dividere_destructor_t,
) -> dividere_status_t {
    let context = Context::new(context, destructor);
    guard(move || {
        let socket = find_socket(socket.id)?;
        check(&*socket)?;
        let callback = callback.map(|function| -> EventCallback {
            Arc::new(move |event: &Event| {
                let event = event_for_c(event);
                // SAFETY: the host's function, with its own context.
                unsafe { function(context.pointer(), &event) }
            })
        });
        socket.events().set_callback(callback)
    })
}

/// The endpoint bound last, as tcp://127.0.0.1:40001 where tcp://127.0.0.1:* was asked for: what peers connect
/// to. Goes into `buffer` of `size` bytes, cut where it does not fit; its whole length goes to `length`, which
/// may be NULL. NOT_FOUND where none is bound.
#[no_mangle]
pub unsafe extern "C" fn dividere_socket_last_endpoint(
    socket: dividere_socket_t,
    buffer: *mut c_char,
    size: usize,
    length: *mut usize,
) -> dividere_status_t {
    guard(|| {
        let socket = find_socket(socket.id)?;
        check(&*socket)?;
        give_text(&socket.last_endpoint()?, buffer, size, length)
    })
}

/// How many endpoints it is bound or connected to.
#[no_mangle]
pub unsafe extern "C" fn dividere_socket_endpoint_count(
    socket: dividere_socket_t,
    count: *mut usize,
) -> dividere_status_t {
    guard(|| {
        let mut place = place(count, "count")?;
        let socket = find_socket(socket.id)?;
        check(&*socket)?;
        place.set(socket.endpoints().len());
        Ok(())
    })
}

/// One of its endpoints, counted from 0, given out as dividere_socket_last_endpoint does. NOT_FOUND beyond
/// the last one.
#[no_mangle]
pub unsafe extern "C" fn dividere_socket_endpoint(
    socket: dividere_socket_t,
    index: usize,
    buffer: *mut c_char,
    size: usize,
    length: *mut usize,
) -> dividere_status_t {
    guard(|| {
        let socket = find_socket(socket.id)?;
        check(&*socket)?;
        let endpoints = socket.endpoints();
        let endpoint = endpoints
            .get(index)
            .ok_or_else(|| Error::new(Status::NotFound, format!("endpoint {index} of {}", endpoints.len())))?;
        give_text(endpoint, buffer, size, length)
    })
}

/// Binds or connects to one more endpoint, as the role does by itself; "@" in front binds, ">" connects.
/// ENDPOINT, ADDRESS_IN_USE or UNREACHABLE where that fails. UNSUPPORTED for a request, whose endpoints are
/// given when it is made.
#[no_mangle]
pub unsafe extern "C" fn dividere_socket_attach(
    socket: dividere_socket_t,
    endpoint: *const c_char,
) -> dividere_status_t {
    guard(|| {
        let endpoint = Endpoint::parse(text(endpoint, "endpoint")?)?;
        find_socket(socket.id)?.attach(&endpoint)
    })
}

/// Gives up one endpoint that it connects to. NOT_FOUND where it is not among them.
#[no_mangle]
pub unsafe extern "C" fn dividere_socket_detach(
    socket: dividere_socket_t,
    endpoint: *const c_char,
) -> dividere_status_t {
    guard(|| {
        let endpoint = Endpoint::parse(text(endpoint, "endpoint")?)?;
        find_socket(socket.id)?.detach(&endpoint)
    })
}

/// Waits until `peers` peers are connected; with 0, until each endpoint that this side connects to is. It
/// does not prove that a subscription has arrived at a publisher: see dividere_publisher_wait_for_subscribers.
/// PERMISSION where a key was refused, HANDSHAKE where the handshake failed otherwise.
#[no_mangle]
pub extern "C" fn dividere_socket_wait_connected(
    socket: dividere_socket_t,
    peers: usize,
    timeout_ms: i64,
) -> dividere_status_t {
    guard(|| find_socket(socket.id)?.wait_connected(peers, Deadline::from_ms(timeout_ms)))
}

/// Waits until everything sent so far was handed to the connections: no queue of the socket holds a message. What the
/// operating system has then may still be on its way. TIMEOUT, or WOULD_BLOCK where the time is 0, while a peer is slow,
/// or is connected to and not there. Over inproc there is nothing to wait for. Closing and a normal exit need no
/// flush before them. UNSUPPORTED with another libzmq than the one built in.
#[no_mangle]
pub extern "C" fn dividere_socket_flush(socket: dividere_socket_t, timeout_ms: i64) -> dividere_status_t {
    guard(|| find_socket(socket.id)?.flush(Deadline::from_ms(timeout_ms)))
}

/// Closes the role behind the view, as its own close does.
#[no_mangle]
pub extern "C" fn dividere_socket_close(socket: dividere_socket_t) -> dividere_status_t {
    guard_closing(|| close_socket(socket.id))
}

pub(super) fn statistics_for_c(now: &Statistics) -> dividere_statistics_t {
    dividere_statistics_t {
        messages_in: now.messages_in,
        messages_out: now.messages_out,
        bytes_in: now.bytes_in,
        bytes_out: now.bytes_out,
        dropped_queue_full: now.dropped_queue_full,
        dropped_stale: now.dropped_stale,
        dropped_malformed: now.dropped_malformed,
        dropped_unrouted: now.dropped_unrouted,
        decode_errors: now.decode_errors,
        events_lost: now.events_lost,
        reconnects: now.reconnects,
        peers: now.peers,
        subscribers: now.subscribers,
        reserved: [0; 7],
    }
}

/// A switch: 0 or 1.
pub(super) fn flag(value: i32, name: &str) -> Result<bool> {
    match value {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Error::new(
            Status::InvalidArgument,
            format!("{name} is {value}; 0 and 1 are allowed"),
        )),
    }
}

pub(super) fn within(timeout_ms: i64) -> Room {
    Room::Within(Deadline::from_ms(timeout_ms))
}

/// CLOSED or FORKED, where what is asked for does not say so by itself.
fn check(socket: &dyn Channel) -> Result<()> {
    socket.sockets().first().map_or(Ok(()), |socket| socket.check())
}

pub(super) unsafe fn batch<'a>(messages: *const *mut dividere_message_t, count: usize) -> Result<Vec<&'a mut Message>> {
    let pointers = list(messages, count, "messages")?;
    // Sorting costs more than a batch of a few messages: whoever cares sorts them once.
    let ascend = pointers.windows(2).all(|two| two[0] < two[1]);
    if !ascend && !are_different(pointers) {
        return Err(Error::new(
            Status::InvalidArgument,
            "a message stands twice in messages",
        ));
    }
    pointers.iter().map(|one| message(*one)).collect()
}

fn are_different(pointers: &[*mut dividere_message_t]) -> bool {
    let mut sorted = pointers.to_vec();
    sorted.sort_unstable();
    sorted.windows(2).all(|two| two[0] != two[1])
}
