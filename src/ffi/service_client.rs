//! The client of a service.

use std::ffi::c_char;

use super::bytes::{place, place_or_none, text};
use super::guard::{guard, guard_closing};
use super::handle::{close, find, insert, keep_registry_client};
use super::instances::{dividere_instances_t, give};
use super::message::{dividere_message_t, message, two_messages};
use super::options::{dividere_options_t, options_or_default};
use super::registry_client::dividere_registry_client_t;
use super::socket::flag;
use super::status::dividere_status_t;
use crate::connection::clock::Deadline;
use crate::service::ServiceClient;

/// Calls a service by its name. A thread of its own follows what is registered and connects to every instance; calls
/// take turns at those that are connected. Where the registry is of dividere 2.2.0, which tells of no changes, it is
/// asked whenever no instance is connected.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct dividere_service_client_t {
    /// Its number; 0 for none.
    pub id: u64,
}

/// Makes a client of the service `name`, which is found through `registry`; several clients and services may share it.
/// The options are those of the connections to the instances, NULL for the defaults. It waits for nothing.
#[no_mangle]
pub unsafe extern "C" fn dividere_service_client_new(
    name: *const c_char,
    registry: dividere_registry_client_t,
    options: *const dividere_options_t,
    client: *mut dividere_service_client_t,
) -> dividere_status_t {
    guard(|| {
        let mut place = place_or_none(client, dividere_service_client_t { id: 0 }, "client")?;
        let registry = keep_registry_client(registry.id)?;
        let made = ServiceClient::new(text(name, "name")?, &registry, &options_or_default(options))?;
        place.set(dividere_service_client_t { id: insert(made)? });
        Ok(())
    })
}

/// Closes a service client: calls under way return CLOSED.
#[no_mangle]
pub extern "C" fn dividere_service_client_close(client: dividere_service_client_t) -> dividere_status_t {
    guard_closing(|| close::<ServiceClient>(client.id))
}

/// Asks an instance and waits for the reply, at most `timeout_ms` milliseconds in all; another one where that instance
/// is too busy, stops, or the request could not be sent. With `may_repeat` of 1 also where an instance went away with
/// the request, or has not answered in half of the time left while there was another one: so it may be served more than
/// once. Several threads may call at once. `message` is empty afterwards, on success only; the two messages are different
/// objects.
///
/// NOT_FOUND, at once, where nobody has that name; PERMISSION or HANDSHAKE where no instance lets us in; BUSY where all
/// are too busy; UNREACHABLE where the instance went away
/// and may have served it or not; TIMEOUT where no reply came in time; else the status that the service answered with.
#[no_mangle]
pub unsafe extern "C" fn dividere_service_client_call(
    client: dividere_service_client_t,
    message: *mut dividere_message_t,
    reply: *mut dividere_message_t,
    timeout_ms: i64,
    may_repeat: i32,
) -> dividere_status_t {
    guard(|| {
        let (message, reply) = two_messages(message, reply, "reply")?;
        let may_repeat = flag(may_repeat, "may_repeat")?;
        find::<ServiceClient>(client.id)?.call(message, reply, timeout_ms, may_repeat)
    })
}

/// Begins what dividere_service_client_call does, waiting for nothing, and gives the number under which
/// dividere_service_client_finish_call has the reply: a call whose caller waits in an event loop of its own. Any number of
/// them may be under way. A thread of the client's, there from the first of them on, keeps their time, and asks other
/// instances as the blocking call does. `message` is empty afterwards, on success only. What cannot be served, because
/// nobody has that name for instance, is told where the call is finished. What came of a call is kept until it is finished or
/// given up.
#[no_mangle]
pub unsafe extern "C" fn dividere_service_client_start_call(
    client: dividere_service_client_t,
    message: *mut dividere_message_t,
    timeout_ms: i64,
    may_repeat: i32,
    call: *mut u64,
) -> dividere_status_t {
    guard(|| {
        let mut place = place(call, "call")?;
        let message = self::message(message)?;
        let may_repeat = flag(may_repeat, "may_repeat")?;
        place.set(find::<ServiceClient>(client.id)?.start_call(message, timeout_ms, may_repeat)?);
        Ok(())
    })
}

/// Takes what came of a call that was started, waiting for its end for `timeout_ms` milliseconds. WOULD_BLOCK where it is
/// not over by then: it is under way still. Everything else is its end: what dividere_service_client_call returns, its
/// TIMEOUT included; NOT_FOUND also where it was finished or given up before.
#[no_mangle]
pub unsafe extern "C" fn dividere_service_client_finish_call(
    client: dividere_service_client_t,
    call: u64,
    reply: *mut dividere_message_t,
    timeout_ms: i64,
) -> dividere_status_t {
    guard(|| find::<ServiceClient>(client.id)?.finish_call(call, message(reply)?, Deadline::from_ms(timeout_ms)))
}

/// The same for whichever call ends first, or has ended: `call` is its number, and the status what came of it. WOULD_BLOCK,
/// and a `call` of 0, where none has ended by then; a `call` of 0 with every other error of this call itself.
#[no_mangle]
pub unsafe extern "C" fn dividere_service_client_finish_next(
    client: dividere_service_client_t,
    call: *mut u64,
    reply: *mut dividere_message_t,
    timeout_ms: i64,
) -> dividere_status_t {
    guard(|| {
        let mut place = place_or_none(call, 0, "call")?;
        let reply = message(reply)?;
        let deadline = Deadline::from_ms(timeout_ms);
        let (number, outcome) = find::<ServiceClient>(client.id)?.finish_next(reply, deadline)?;
        place.set(number);
        outcome
    })
}

/// Gives up a call that was started: nobody else is asked, and a reply to it is dropped. NOT_FOUND where it was finished or
/// given up before.
#[no_mangle]
pub extern "C" fn dividere_service_client_abandon_call(
    client: dividere_service_client_t,
    call: u64,
) -> dividere_status_t {
    guard(|| find::<ServiceClient>(client.id)?.abandon_call(call))
}

/// A descriptor for poll and epoll, one for all calls that were started: it is readable while there are some that are over
/// and were not finished, and after the client was closed. It makes an edge whenever calls end. It belongs to the client.
#[no_mangle]
pub unsafe extern "C" fn dividere_service_client_fd(
    client: dividere_service_client_t,
    fd: *mut i32,
) -> dividere_status_t {
    guard(|| {
        let mut place = place(fd, "fd")?;
        place.set(find::<ServiceClient>(client.id)?.fd()?);
        Ok(())
    })
}

/// Waits until an instance is connected: for those who are there before the service is. PERMISSION or HANDSHAKE at once
/// where all that are there refuse us.
#[no_mangle]
pub extern "C" fn dividere_service_client_wait(
    client: dividere_service_client_t,
    timeout_ms: i64,
) -> dividere_status_t {
    guard(|| find::<ServiceClient>(client.id)?.wait_for_service(Deadline::from_ms(timeout_ms)))
}

/// The instances that are known now, connected or not. To be freed with dividere_instances_free.
#[no_mangle]
pub unsafe extern "C" fn dividere_service_client_instances(
    client: dividere_service_client_t,
    instances: *mut *mut dividere_instances_t,
) -> dividere_status_t {
    guard(|| give(instances, || find::<ServiceClient>(client.id)?.instances()))
}
