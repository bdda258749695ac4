//! The service.

use std::ffi::{c_char, c_void};
use std::sync::Arc;

use super::bytes::{bytes, optional_text, place, place_or_none, text};
use super::callback::{dividere_destructor_t, Context};
use super::guard::{forget_last_error, guard, guard_closing, outcome};
use super::handle::{close, find, insert, keep_registry_client};
use super::message::{dividere_message_t, lend};
use super::options::{dividere_options_t, options_or_default};
use super::registry_client::dividere_registry_client_t;
use super::status::dividere_status_t;
use crate::connection::clock::Deadline;
use crate::messaging::message::Message;
use crate::service::{Service, ServiceHandler, ServiceSettings};

/// Serves requests under a name, on several threads where it is told so, and answers each: with a reply, or with an
/// error. UNSUPPORTED for a type that no handler is for, DECODE for what is no envelope, REMOTE where a handler failed;
/// BUSY where too many wait, and CLOSED while it stops: these two say that nothing was done, and a service client asks
/// another instance.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct dividere_service_t {
    /// Its number; 0 for none.
    pub id: u64,
}

/// Serves one request. Both messages are lent for the call: what is prepared in `reply` is the answer; or `request` is
/// answered by dividere_message_reply, at once or later by a clone. Returns OK, or what went wrong, which the asker is
/// told as REMOTE, with the last error of this thread (see dividere_fail). Runs on several threads at once where there
/// are several workers; may call anything.
pub type dividere_service_handler_t = Option<
    unsafe extern "C" fn(
        context: *mut c_void,
        service: dividere_service_t,
        request: *mut dividere_message_t,
        reply: *mut dividere_message_t,
    ) -> dividere_status_t,
>;

/// Makes a service of this name and binds it, to a TCP endpoint ("tcp://127.0.0.1:*"), or for NULL to the first free
/// port from 5101 to 6000 on all interfaces. It is registered by `registry`, which several services and clients may
/// share, from dividere_service_start on; bound to one address with that address, unless that client has the option
/// registry_advertise; and with `metadata_len` bytes of what it wants to tell of itself. So many handlers
/// run at once as there are `workers`, 1 to 1024; so many requests wait for one at most as `most_waiting` says, and no more
/// bytes than the option service_queue_bytes. NULL
/// options are the defaults. ADDRESS_IN_USE where no port is free; INVALID_ARGUMENT where the name is none (1 to 255 bytes
/// of UTF-8 without control characters) or `workers` is out of its range.
#[no_mangle]
pub unsafe extern "C" fn dividere_service_new(
    name: *const c_char,
    registry: dividere_registry_client_t,
    endpoint: *const c_char,
    options: *const dividere_options_t,
    workers: u32,
    most_waiting: u32,
    metadata: *const c_void,
    metadata_len: usize,
    service: *mut dividere_service_t,
) -> dividere_status_t {
    guard(|| {
        let mut place = place_or_none(service, dividere_service_t { id: 0 }, "service")?;
        let settings = ServiceSettings {
            endpoint: optional_text(endpoint, "endpoint")?.map(str::to_owned),
            workers: workers as usize,
            most_waiting: most_waiting as usize,
            metadata: bytes(metadata, metadata_len, "metadata")?.to_vec(),
        };
        let registry = keep_registry_client(registry.id)?;
        let made = Service::new(text(name, "name")?, &registry, &options_or_default(options), &settings)?;
        place.set(dividere_service_t { id: insert(made)? });
        Ok(())
    })
}

/// Closes a service at once: it is unregistered, and what is not answered is answered with an error. Waits for handlers
/// under way, at most for 10 s (then TIMEOUT); in a handler it does not.
#[no_mangle]
pub extern "C" fn dividere_service_close(service: dividere_service_t) -> dividere_status_t {
    guard_closing(|| close::<Service>(service.id))
}

/// Calls `handler` for requests of the type `type_name` (full name), in place of the one set before; with NULL as the
/// name, for all that no other handler is for. A NULL `handler` takes it away. From any thread, at any time.
#[no_mangle]
pub unsafe extern "C" fn dividere_service_on(
    service: dividere_service_t,
    type_name: *const c_char,
    handler: dividere_service_handler_t,
    context: *mut c_void,
    destructor: dividere_destructor_t,
) -> dividere_status_t {
    let context = Context::new(context, destructor);
    guard(move || {
        let type_name = optional_text(type_name, "type_name")?;
        let handler = handler.map(|function| -> ServiceHandler {
            Arc::new(move |request: &mut Message, reply: &mut Message| {
                forget_last_error();
                // SAFETY: the host's function, with its own context; the messages are lent for the call.
                outcome(unsafe { function(context.pointer(), service, lend(request), lend(reply)) })
            })
        });
        find::<Service>(service.id)?.set_handler(type_name, handler)
    })
}

/// Serves from now on, and registers the service. TIMEOUT where no registry answers: it serves nevertheless, and may be
/// started again. STATE where it is registered already.
#[no_mangle]
pub extern "C" fn dividere_service_start(service: dividere_service_t, timeout_ms: i64) -> dividere_status_t {
    guard(|| find::<Service>(service.id)?.start(Deadline::from_ms(timeout_ms)))
}

/// The TCP port that it is bound to.
#[no_mangle]
pub unsafe extern "C" fn dividere_service_port(service: dividere_service_t, port: *mut u32) -> dividere_status_t {
    guard(|| {
        let mut place = place(port, "port")?;
        place.set(u32::from(find::<Service>(service.id)?.port()));
        Ok(())
    })
}

/// Takes the service out of the registry, refuses new requests, waits until those that it has are answered, and closes
/// it. TIMEOUT where that takes longer: it is closed all the same, and what is left is answered with an error. In a
/// handler it waits for nothing: stop it from another thread. CLOSED where dividere_service_close cut it short.
#[no_mangle]
pub extern "C" fn dividere_service_stop(service: dividere_service_t, timeout_ms: i64) -> dividere_status_t {
    guard(|| find::<Service>(service.id)?.stop(Deadline::from_ms(timeout_ms)))
}

/// Waits until the service has ended. OK where it was closed meanwhile; where one of its own threads failed (which took
/// it out of the registry), what went wrong: it is closed then, and so is all that it was bound to, but its handle is
/// still to be closed. TIMEOUT, or WOULD_BLOCK where the timeout is 0, while it is open. To be told that nobody is served
/// any more, on a thread of yours.
#[no_mangle]
pub extern "C" fn dividere_service_wait_ended(service: dividere_service_t, timeout_ms: i64) -> dividere_status_t {
    guard(|| find::<Service>(service.id)?.wait_ended(Deadline::from_ms(timeout_ms)))
}
