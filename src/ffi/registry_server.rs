//! The server of a name registry.

use std::ffi::c_char;

use super::bytes::{give_text, optional_text, place_or_none};
use super::guard::{guard, guard_closing};
use super::handle::{close, find, insert};
use super::options::{dividere_options_t, options_or_default};
use super::socket::dividere_socket_t;
use super::status::dividere_status_t;
use crate::connection::clock::Deadline;
use crate::registry::server::RegistryServer;

/// A name registry: keeps names of services, and where they are reached. Serves clients of dividere 2.2.0, too. It
/// answers on a thread of its own, from its making to its close, and keeps everything in memory.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct dividere_registry_server_t {
    /// Its number; 0 for none.
    pub id: u64,
}

/// Makes a registry that is asked at `endpoint`; NULL is port 5000 of all interfaces, and a port of "*" one that is
/// free. At the port after that, unless DIVIDERE_OPTION_REGISTRY_PUBLISH_ENDPOINT says another place, it tells
/// services of 2.2.0 to register again. NULL options are the defaults. ADDRESS_IN_USE where one of the two is taken.
#[no_mangle]
pub unsafe extern "C" fn dividere_registry_server_new(
    endpoint: *const c_char,
    options: *const dividere_options_t,
    server: *mut dividere_registry_server_t,
) -> dividere_status_t {
    guard(|| {
        let mut place = place_or_none(server, dividere_registry_server_t { id: 0 }, "server")?;
        let endpoint = optional_text(endpoint, "endpoint")?.unwrap_or_default();
        let made = RegistryServer::new(endpoint, &options_or_default(options))?;
        place.set(dividere_registry_server_t { id: insert(made)? });
        Ok(())
    })
}

/// Closes a registry. What was registered there is forgotten; clients of ours register again with the next.
#[no_mangle]
pub extern "C" fn dividere_registry_server_close(server: dividere_registry_server_t) -> dividere_status_t {
    guard_closing(|| close::<RegistryServer>(server.id))
}

/// The socket at which it is asked, for statistics, events and endpoints; sending and receiving is UNSUPPORTED, as
/// the registry does it. Nothing to be closed.
#[no_mangle]
pub extern "C" fn dividere_registry_server_socket(server: dividere_registry_server_t) -> dividere_socket_t {
    dividere_socket_t { id: server.id }
}

/// Where it publishes that services shall register again, into `buffer` of `size` bytes; its whole length into
/// `length`, which may be NULL.
#[no_mangle]
pub unsafe extern "C" fn dividere_registry_server_publish_endpoint(
    server: dividere_registry_server_t,
    buffer: *mut c_char,
    size: usize,
    length: *mut usize,
) -> dividere_status_t {
    guard(|| {
        let endpoint = find::<RegistryServer>(server.id)?.publish_endpoint()?;
        give_text(&endpoint, buffer, size, length)
    })
}

/// Waits until the registry has ended. OK where it was closed meanwhile; where one of its own threads failed, what went
/// wrong: it is closed then, and so is all that it was bound to, but its handle is still to be closed. TIMEOUT, or
/// WOULD_BLOCK where the timeout is 0, while it runs. To be told that nobody is served any more, on a thread of yours.
#[no_mangle]
pub extern "C" fn dividere_registry_server_wait_ended(
    server: dividere_registry_server_t,
    timeout_ms: i64,
) -> dividere_status_t {
    guard(|| find::<RegistryServer>(server.id)?.wait_ended(Deadline::from_ms(timeout_ms)))
}
