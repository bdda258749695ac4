//! Instances of services, as registries tell of them: an object that C reads and frees.

use std::ffi::{c_char, c_void, CString};

use super::bytes::{object, place, place_or_none};
use super::guard::{guard, guard_closing, guard_value};
use super::status::dividere_status_t;
use crate::error::{Error, Result, Status};
use crate::registry::instance::Instance;

/// Instances of services, in the order in which a registry told of them. Owned by one thread at a time.
pub struct dividere_instances_t {
    /// In truth a list of the core's; C sees only pointers to it.
    _opaque: [u8; 0],
}

/// One instance of a service: a place at which it can be reached. Its texts and bytes are valid until the
/// object that it is from is freed; no pointer in it is NULL.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct dividere_instance_t {
    /// Name of the service, NUL-terminated.
    pub name: *const c_char,
    /// Where to connect to, NUL-terminated: "tcp://10.0.0.7:5101".
    pub endpoint: *const c_char,
    /// The host name or address in it, NUL-terminated.
    pub server: *const c_char,
    /// The TCP port in it.
    pub port: u32,
    /// How long it stays without being renewed, in milliseconds; 0 for ever (a service of dividere 2.2.0).
    pub lease_ms: u32,
    /// What the service tells of itself; of length 0 for nothing.
    pub metadata: *const c_void,
    /// Its length in bytes.
    pub metadata_len: usize,
    /// Names it among all instances of its registry; 0 for the one of a name that is of dividere 2.2.0.
    pub id: u64,
    /// Number of the change that made it what it is, counted by its registry.
    pub revision: u64,
    /// For fields to come; 0.
    pub reserved: [u64; 4],
}

struct Shown {
    instance: Instance,
    name: CString,
    endpoint: CString,
    server: CString,
}

impl Shown {
    fn new(instance: Instance) -> Result<Shown> {
        let text = |text: &str| {
            let no_text = |_| Error::new(Status::Internal, "a text of a registry with a NUL in it");
            CString::new(text).map_err(no_text)
        };
        Ok(Shown {
            name: text(&instance.name)?,
            endpoint: match instance.port {
                // The one of an event that is of no instance.
                0 => CString::default(),
                _ => text(&instance.endpoint())?,
            },
            server: text(&instance.server)?,
            instance,
        })
    }

    fn view(&self) -> dividere_instance_t {
        dividere_instance_t {
            name: self.name.as_ptr(),
            endpoint: self.endpoint.as_ptr(),
            server: self.server.as_ptr(),
            port: u32::from(self.instance.port),
            lease_ms: self.instance.lease_ms,
            metadata: self.instance.metadata.as_ptr().cast(),
            metadata_len: self.instance.metadata.len(),
            id: self.instance.id,
            revision: self.instance.revision,
            reserved: [0; 4],
        }
    }
}

/// Puts what `find` finds into the object that goes to C; none there where that fails.
pub(super) unsafe fn give(
    instances: *mut *mut dividere_instances_t,
    find: impl FnOnce() -> Result<Vec<Instance>>,
) -> Result<()> {
    let mut place = place_or_none(instances, std::ptr::null_mut(), "instances")?;
    let shown = find()?.into_iter().map(Shown::new).collect::<Result<Vec<Shown>>>()?;
    place.set(Box::into_raw(Box::new(shown)).cast());
    Ok(())
}

unsafe fn list<'a>(instances: *const dividere_instances_t) -> Result<&'a Vec<Shown>> {
    object(instances.cast(), "instances")
}

/// How many there are; 0 for NULL.
#[no_mangle]
pub unsafe extern "C" fn dividere_instances_count(instances: *const dividere_instances_t) -> usize {
    guard_value(0, || match instances.is_null() {
        true => 0,
        false => list(instances).map_or(0, Vec::len),
    })
}

/// Shows the one at `index`, from 0. NOT_FOUND where there are not so many.
#[no_mangle]
pub unsafe extern "C" fn dividere_instances_get(
    instances: *const dividere_instances_t,
    index: usize,
    instance: *mut dividere_instance_t,
) -> dividere_status_t {
    guard(|| {
        let list = list(instances)?;
        let mut place = place(instance, "instance")?;
        let one = list.get(index).ok_or_else(|| {
            let text = format!("instance {index} of {}", list.len());
            Error::new(Status::NotFound, text)
        })?;
        place.set(one.view());
        Ok(())
    })
}

/// Frees them, and all that was shown of them.
#[no_mangle]
pub unsafe extern "C" fn dividere_instances_free(instances: *mut dividere_instances_t) {
    let _cannot_fail = guard_closing(|| {
        if !instances.is_null() {
            drop(Box::from_raw(instances.cast::<Vec<Shown>>()));
        }
        Ok(())
    });
}
