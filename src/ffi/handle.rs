//! Handles: a number for each object, its kind within. See `table` for how they are found.

use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::Arc;

use crate::connection::log::log_line;
use crate::connection::proxy::Proxy;
use crate::error::{Error, Result, Status};
use crate::messaging::balancing::{Broker, Worker};
use crate::messaging::channel::Channel;
use crate::messaging::dealer::Dealer;
use crate::messaging::publisher::Publisher;
use crate::messaging::reactor::Reactor;
use crate::messaging::request::Request;
use crate::messaging::response::Response;
use crate::messaging::subscriber::Subscriber;
use crate::registry::client::RegistryClient;
use crate::registry::server::RegistryServer;
use crate::registry::watch::Watch;
use crate::service::{Service, ServiceClient};

mod recent;
mod table;

use table::{Entered, Place, Table};

static OBJECTS: Table<Object> = Table::new();

/// What has a handle.
pub(super) trait Kind: Sized + 'static {
    const CODE: u8;
    const NAME: &'static str;
    fn pick(object: &Object) -> Option<&Self>;
    fn object(self) -> Object;
}

/// One row for each kind of handle: its code is part of its numbers, and stands for good.
macro_rules! kinds {
    ($($kind:ident = $code:literal, $name:literal;)*) => {
        pub(super) enum Object {
            $($kind(Arc<$kind>),)*
        }

        $(impl Kind for $kind {
            const CODE: u8 = $code;
            const NAME: &'static str = $name;

            #[inline]
            fn pick(object: &Object) -> Option<&$kind> {
                match object {
                    Object::$kind(object) => Some(object),
                    #[allow(unreachable_patterns)]
                    _ => None,
                }
            }

            fn object(self) -> Object {
                Object::$kind(Arc::new(self))
            }
        })*

        fn name_of(code: u8) -> Option<&'static str> {
            match code {
                $($code => Some($name),)*
                _ => None,
            }
        }
    };
}

kinds! {
    Publisher = 1, "publisher";
    Subscriber = 2, "subscriber";
    Request = 3, "request";
    Response = 4, "response";
    Dealer = 5, "dealer";
    Reactor = 6, "reactor";
    Proxy = 7, "proxy";
    Broker = 8, "broker";
    Worker = 9, "worker";
    RegistryServer = 20, "registry server";
    RegistryClient = 21, "registry client";
    Watch = 22, "watch";
    Service = 23, "service";
    ServiceClient = 24, "service client";
}

impl Object {
    /// The object as a socket, where it is one.
    fn channel(&self) -> Option<Arc<dyn Channel>> {
        Some(match self {
            Object::Publisher(role) => Arc::clone(role) as Arc<dyn Channel>,
            Object::Subscriber(role) => Arc::clone(role) as Arc<dyn Channel>,
            Object::Request(role) => Arc::clone(role) as Arc<dyn Channel>,
            Object::Response(role) => Arc::clone(role) as Arc<dyn Channel>,
            Object::Dealer(role) => Arc::clone(role) as Arc<dyn Channel>,
            Object::Worker(role) => Arc::clone(role) as Arc<dyn Channel>,
            Object::RegistryServer(role) => Arc::clone(role) as Arc<dyn Channel>,
            Object::Reactor(_) | Object::Proxy(_) | Object::Broker(_) => return None,
            Object::RegistryClient(_) | Object::Watch(_) => return None,
            Object::Service(_) | Object::ServiceClient(_) => return None,
        })
    }

    fn channel_ref(&self) -> Option<&(dyn Channel + 'static)> {
        Some(match self {
            Object::Publisher(role) => role.as_ref(),
            Object::Subscriber(role) => role.as_ref(),
            Object::Request(role) => role.as_ref(),
            Object::Response(role) => role.as_ref(),
            Object::Dealer(role) => role.as_ref(),
            Object::Worker(role) => role.as_ref(),
            Object::RegistryServer(role) => role.as_ref(),
            Object::Reactor(_) | Object::Proxy(_) | Object::Broker(_) => return None,
            Object::RegistryClient(_) | Object::Watch(_) => return None,
            Object::Service(_) | Object::ServiceClient(_) => return None,
        })
    }

    fn close(&self) -> Result<()> {
        match self {
            Object::Publisher(role) => role.close(),
            Object::Subscriber(role) => role.close(),
            Object::Request(role) => role.close(),
            Object::Response(role) => role.close(),
            Object::Dealer(role) => role.close(),
            Object::Reactor(reactor) => reactor.close(),
            Object::Proxy(proxy) => proxy.close(),
            Object::Broker(broker) => broker.close(),
            Object::Worker(role) => role.close(),
            Object::RegistryServer(server) => server.close(),
            Object::RegistryClient(client) => client.close(),
            Object::Watch(watch) => watch.close(),
            Object::Service(service) => service.close(),
            Object::ServiceClient(client) => client.close(),
        }
    }
}

/// Gives an object its number.
pub(super) fn insert<T: Kind>(object: T) -> Result<u64> {
    let place = OBJECTS
        .insert(object.object())
        .ok_or_else(|| Error::new(Status::Limit, "there are as many handles as there can be"))?;
    Ok(u64::from(T::CODE) << CODE_SHIFT | u64::from(place.index) << INDEX_SHIFT | u64::from(place.generation))
}

/// The object of a number, for the time of a call.
#[inline]
pub(super) fn find<T: Kind>(id: u64) -> Result<Use<T>> {
    if code_of(id) != T::CODE {
        return Err(not_a(T::NAME, id));
    }
    Use::of(id, T::pick, T::NAME)
}

/// The socket of a number.
#[inline]
pub(super) fn find_socket(id: u64) -> Result<Use<dyn Channel>> {
    Use::of(id, Object::channel_ref, SOCKET)
}

/// The socket of a number, to be kept beyond the call.
pub(super) fn keep_socket(id: u64) -> Result<Arc<dyn Channel>> {
    enter(id, SOCKET)?
        .object()
        .and_then(Object::channel)
        .ok_or_else(|| not_a(SOCKET, id))
}

/// The registry client of a number, to be kept beyond the call.
pub(super) fn keep_registry_client(id: u64) -> Result<Arc<RegistryClient>> {
    match enter(id, RegistryClient::NAME)?.object() {
        Some(Object::RegistryClient(client)) => Ok(Arc::clone(client)),
        _ => Err(not_a(RegistryClient::NAME, id)),
    }
}

/// Ends an object of this kind: see `close_object`.
pub(super) fn close<T: Kind>(id: u64) -> Result<()> {
    if id != 0 && code_of(id) != T::CODE {
        return Err(not_a(T::NAME, id));
    }
    close_object(id, T::NAME)
}

/// Ends a socket of any kind.
pub(super) fn close_socket(id: u64) -> Result<()> {
    if id != 0 {
        find_socket(id)?;
    }
    close_object(id, SOCKET)
}

/// Wakes who waits, takes the object from the table; the last call in flight frees it. A child leaves what it inherited
/// where it is: it stays FORKED there.
fn close_object(id: u64, wanted: &'static str) -> Result<()> {
    if id == 0 {
        return Ok(());
    }
    let entered = enter(id, wanted)?;
    let Some(object) = entered.object() else {
        return Err(closed(wanted));
    };
    let outcome = object.close();
    match &outcome {
        Err(error) if error.status() == Status::Forked => return outcome,
        Err(error) => log_line!(Debug, "ffi", "closing a {wanted}: {error}"),
        Ok(()) => {}
    }
    // Who of several closes first is the object's to say: another one may be here before it.
    entered.shut();
    outcome
}

const SOCKET: &str = "socket";
const CODE_SHIFT: u32 = 56;
const INDEX_SHIFT: u32 = 32;
const INDEX_MASK: u64 = (1 << (CODE_SHIFT - INDEX_SHIFT)) - 1;

#[inline]
fn code_of(id: u64) -> u8 {
    (id >> CODE_SHIFT) as u8
}

#[inline]
fn enter(id: u64, wanted: &'static str) -> Result<Entered<Object>> {
    let place = Place {
        index: (id >> INDEX_SHIFT & INDEX_MASK) as u32,
        generation: id as u32,
    };
    match OBJECTS.enter(place) {
        Some(entered) => Ok(entered),
        None => Err(not_there(wanted, id)),
    }
}

#[cold]
fn not_there(wanted: &'static str, id: u64) -> Error {
    if id != 0 && name_of(code_of(id)).is_none() {
        return not_a(wanted, id);
    }
    closed(wanted)
}

fn closed(wanted: &'static str) -> Error {
    Error::new(Status::Closed, format!("the {wanted} is closed, or was never made"))
}

#[cold]
fn not_a(wanted: &'static str, id: u64) -> Error {
    match name_of(code_of(id)) {
        _ if id == 0 => closed(wanted),
        Some(other) => Error::new(
            Status::InvalidArgument,
            format!("the handle of a {other} where a {wanted} belongs"),
        ),
        None => Error::new(
            Status::InvalidArgument,
            format!("{id:#x} is not the number of a {wanted}"),
        ),
    }
}

/// An object in use: closing it meanwhile does not free it.
pub(super) struct Use<T: ?Sized + 'static> {
    object: NonNull<T>,
    _entered: Entered<Object>,
}

impl<T: ?Sized> Use<T> {
    #[inline]
    fn of(id: u64, pick: impl FnOnce(&Object) -> Option<&T>, wanted: &'static str) -> Result<Use<T>> {
        let entered = enter(id, wanted)?;
        match entered.object().and_then(pick).map(NonNull::from) {
            Some(object) => Ok(Use {
                object,
                _entered: entered,
            }),
            None => Err(not_a(wanted, id)),
        }
    }
}

impl<T: ?Sized> Deref for Use<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the table's object holds it, and that is neither changed nor dropped while it is entered.
        unsafe { self.object.as_ref() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::options::Options;

    fn status<T>(result: Result<T>) -> Status {
        result.map_or_else(|error| error.status(), |_| Status::Ok)
    }

    #[test]
    fn numbers_of_another_kind_closed_ones_and_none_are_told_apart() {
        let publisher = Publisher::new("inproc://ffi-handle-kinds", &Options::default()).expect("a publisher");
        let id = insert(publisher).expect("room");
        assert_eq!(status(find::<Publisher>(id)), Status::Ok);
        assert_eq!(status(find_socket(id)), Status::Ok);
        assert_eq!(status(find::<Subscriber>(id)), Status::InvalidArgument);
        assert_eq!(status(close::<Subscriber>(id)), Status::InvalidArgument);
        assert_eq!(status(find::<Publisher>(0)), Status::Closed);
        assert_eq!(status(find_socket(0)), Status::Closed);
        assert_eq!(status(close::<Publisher>(0)), Status::Ok);
        assert_eq!(status(find_socket(u64::MAX)), Status::InvalidArgument);
        assert_eq!(status(find::<Publisher>(id + 1)), Status::Closed);
        let in_use = find::<Publisher>(id).expect("open");
        assert_eq!(status(close::<Publisher>(id)), Status::Ok);
        assert!(in_use.is_closed(), "in use, it is still there");
        assert_eq!(status(close::<Publisher>(id)), Status::Closed);
        assert_eq!(status(find::<Publisher>(id)), Status::Closed);
    }
}
