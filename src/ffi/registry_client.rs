//! The client of name registries.

use std::ffi::{c_char, c_void};

use super::bytes::{bytes, place, place_or_none, text};
use super::guard::{guard, guard_closing};
use super::handle::{close, find, insert};
use super::instances::{dividere_instances_t, give};
use super::options::{dividere_options_t, options_or_default};
use super::status::dividere_status_t;
use super::watch::dividere_watch_t;
use crate::connection::clock::Deadline;
use crate::error::{Error, Status};
use crate::registry::client::RegistryClient;
use crate::registry::watch::Selection;

/// Registers services with a name registry and finds them there. With several registries it asks the one that answered
/// last, and the next where that fails; they need not know of each other.
///
/// What it registers stays registered until it is unregistered or the client closed: a thread of its own renews the
/// leases, and registers again where a registry comes back empty or another one takes over.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct dividere_registry_client_t {
    /// Its number; 0 for none.
    pub id: u64,
}

/// Makes a client of the registries at the comma-separated endpoints. It waits for nothing. NULL options are the
/// defaults.
#[no_mangle]
pub unsafe extern "C" fn dividere_registry_client_new(
    endpoints: *const c_char,
    options: *const dividere_options_t,
    client: *mut dividere_registry_client_t,
) -> dividere_status_t {
    guard(|| {
        let mut place = place_or_none(client, dividere_registry_client_t { id: 0 }, "client")?;
        let made = RegistryClient::new(text(endpoints, "endpoints")?, &options_or_default(options))?;
        place.set(dividere_registry_client_t { id: insert(made)? });
        Ok(())
    })
}

/// Closes a client: what it registered is unregistered, where a registry hears that within the linger time; its watches
/// end, and blocked calls return CLOSED.
#[no_mangle]
pub extern "C" fn dividere_registry_client_close(client: dividere_registry_client_t) -> dividere_status_t {
    guard_closing(|| close::<RegistryClient>(client.id))
}

/// Makes a service known under `name`: its TCP port on this host, and `metadata_len` bytes of what it wants to tell of
/// itself. The host is the address that leads to the registry, or what DIVIDERE_OPTION_REGISTRY_ADVERTISE says.
/// Several services may have the same name. Where this process dies or stands still, the service is gone when its
/// lease is over (DIVIDERE_OPTION_REGISTRY_LEASE_MS). `registration` is the instance's number, for unregistering.
///
/// A name is 1 to 255 bytes of UTF-8 without control characters, the port 1 to 65535: else INVALID_ARGUMENT. LIMIT
/// where the registry has no room for it or grants no such lease. TIMEOUT where no registry answered within
/// `timeout_ms` milliseconds: it is not registered, and where a registry took it in nevertheless, not renewed.
#[no_mangle]
pub unsafe extern "C" fn dividere_registry_client_register(
    client: dividere_registry_client_t,
    name: *const c_char,
    port: u32,
    metadata: *const c_void,
    metadata_len: usize,
    timeout_ms: i64,
    registration: *mut u64,
) -> dividere_status_t {
    guard(|| {
        let mut place = place(registration, "registration")?;
        let name = text(name, "name")?;
        let metadata = bytes(metadata, metadata_len, "metadata")?;
        let port = u16::try_from(port).map_err(|_| {
            let text = format!("port {port}; 1 to 65535 are allowed");
            Error::new(Status::InvalidArgument, text)
        })?;
        let client = find::<RegistryClient>(client.id)?;
        place.set(client.register(name, port, metadata, Deadline::from_ms(timeout_ms))?);
        Ok(())
    })
}

/// Takes out what this client registered. It is not renewed from here on, whatever the outcome: after TIMEOUT it is
/// gone when its lease is over. NOT_FOUND where the client has no such registration.
#[no_mangle]
pub extern "C" fn dividere_registry_client_unregister(
    client: dividere_registry_client_t,
    registration: u64,
    timeout_ms: i64,
) -> dividere_status_t {
    guard(|| find::<RegistryClient>(client.id)?.unregister(registration, Deadline::from_ms(timeout_ms)))
}

/// Finds one instance of a service; where there are several they take turns. NOT_FOUND, at once, where there is none.
/// To be freed with dividere_instances_free.
#[no_mangle]
pub unsafe extern "C" fn dividere_registry_client_lookup(
    client: dividere_registry_client_t,
    name: *const c_char,
    timeout_ms: i64,
    instances: *mut *mut dividere_instances_t,
) -> dividere_status_t {
    guard(|| {
        give(instances, || {
            let name = text(name, "name")?;
            let found = find::<RegistryClient>(client.id)?.lookup(name, Deadline::from_ms(timeout_ms))?;
            Ok(vec![found])
        })
    })
}

/// Finds all instances of a service; that there is none is no error. To be freed with dividere_instances_free.
#[no_mangle]
pub unsafe extern "C" fn dividere_registry_client_lookup_all(
    client: dividere_registry_client_t,
    name: *const c_char,
    timeout_ms: i64,
    instances: *mut *mut dividere_instances_t,
) -> dividere_status_t {
    guard(|| {
        give(instances, || {
            let name = text(name, "name")?;
            find::<RegistryClient>(client.id)?.lookup_all(name, Deadline::from_ms(timeout_ms))
        })
    })
}

/// Finds all instances whose names begin with `prefix`, which may be empty, in the order of the names. UNSUPPORTED
/// where the registry is of dividere 2.2.0. To be freed with dividere_instances_free.
#[no_mangle]
pub unsafe extern "C" fn dividere_registry_client_list(
    client: dividere_registry_client_t,
    prefix: *const c_char,
    timeout_ms: i64,
    instances: *mut *mut dividere_instances_t,
) -> dividere_status_t {
    guard(|| {
        give(instances, || {
            let prefix = text(prefix, "prefix")?;
            find::<RegistryClient>(client.id)?.list(prefix, Deadline::from_ms(timeout_ms))
        })
    })
}

/// Follows the instances of one name, or with `is_prefix` of 1 of all names that begin with `name`, which may be empty
/// then: every change from the return of this on is told. UNSUPPORTED where the registry is of dividere 2.2.0, LIMIT
/// where it serves no more watches, TIMEOUT where none answers.
#[no_mangle]
pub unsafe extern "C" fn dividere_registry_client_watch(
    client: dividere_registry_client_t,
    name: *const c_char,
    is_prefix: i32,
    timeout_ms: i64,
    watch: *mut dividere_watch_t,
) -> dividere_status_t {
    guard(|| {
        let mut place = place_or_none(watch, dividere_watch_t { id: 0 }, "watch")?;
        let name = text(name, "name")?;
        let selection = match is_prefix {
            0 => Selection::Name(name),
            1 => Selection::Prefix(name),
            other => {
                let text = format!("is_prefix = {other}; 0 and 1 are allowed");
                return Err(Error::new(Status::InvalidArgument, text));
            }
        };
        let made = find::<RegistryClient>(client.id)?.watch(selection, Deadline::from_ms(timeout_ms))?;
        place.set(dividere_watch_t { id: insert(made)? });
        Ok(())
    })
}
