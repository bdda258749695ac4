//! Names within this process. libzmq tells nothing about inproc connections, and a connector stays unconnected after
//! its binder was replaced: so who binds and who connects is kept here, and a new binder's connectors connect again.
//!
//! Lock order: the names, then a socket.

use std::collections::HashMap;
use std::ffi::CString;
use std::sync::{Arc, Mutex, Weak};

use crate::connection::errno;
use crate::connection::peers::Link;
use crate::connection::process::lock;
use crate::connection::socket::Socket;
use crate::error::{Error, Result, Status};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Connection {
    /// No binder yet; libzmq connects it by itself when one comes.
    Pending,
    Live,
    /// Its binder is gone; it has to connect again when another comes.
    Stale,
}

struct Connector {
    id: u64,
    socket: Weak<Socket>,
    state: Connection,
}

#[derive(Default)]
struct Name {
    binder: Option<(u64, Weak<Socket>)>,
    connectors: Vec<Connector>,
}

#[derive(Default)]
pub(crate) struct InprocNames(Mutex<HashMap<String, Name>>);

impl InprocNames {
    pub fn bind(&self, socket: &Arc<Socket>, address: &str) -> Result<()> {
        let mut kept = Vec::new();
        let mut names = lock(&self.0);
        let name = names.entry(address.to_owned()).or_default();
        if name.binder.is_some() {
            return Err(Error::new(
                Status::AddressInUse,
                format!("cannot bind {address}: a socket is bound to it"),
            ));
        }
        socket.call_bind(address)?;
        name.binder = Some((socket.id(), Arc::downgrade(socket)));
        for connector in &mut name.connectors {
            let Some(other) = connector.socket.upgrade() else {
                continue;
            };
            if connector.state != Connection::Stale || other.call_connect(address).is_ok() {
                connector.state = Connection::Live;
                other.peers.with_link(address, |link| link.up = true);
                socket.peers.inproc(1);
            }
            kept.push(other);
        }
        drop(names);
        // Only now: the last reference closes its socket, which locks the names.
        drop(kept);
        Ok(())
    }

    pub fn connect(&self, socket: &Arc<Socket>, address: &str) -> Result<()> {
        let mut names = lock(&self.0);
        let name = names.entry(address.to_owned()).or_default();
        socket.call_connect(address)?;
        let binder = name.binder.as_ref().and_then(|(_, binder)| binder.upgrade());
        let state = if binder.is_some() {
            Connection::Live
        } else {
            Connection::Pending
        };
        name.connectors.push(Connector {
            id: socket.id(),
            socket: Arc::downgrade(socket),
            state,
        });
        let link = Link {
            up: binder.is_some(),
            ..Link::default()
        };
        socket.peers.add_link(address, link);
        if let Some(binder) = &binder {
            binder.peers.inproc(1);
        }
        drop(names);
        drop(binder);
        Ok(())
    }

    /// Takes a binder's name away, at once: libzmq itself would only when it gets round to it.
    pub fn unbind(&self, socket: &Socket, address: &str) -> Result<()> {
        let mut kept = Vec::new();
        let mut names = lock(&self.0);
        let Some(name) = names.get_mut(address) else {
            return Ok(());
        };
        if name.binder.as_ref().is_none_or(|(id, _)| *id != socket.id()) {
            return Ok(());
        }
        let unbound = socket.call_while_closing(|raw| {
            let text = c_string(address);
            // SAFETY: the socket is open and locked, the text NUL-terminated.
            match errno::uninterrupted(|| unsafe { zmq_sys::zmq_unbind(raw, text.as_ptr()) }) {
                0 => Ok(()),
                _ => Err(errno::error(errno::last(), &format!("unbind {address}"))),
            }
        });
        let unbound = unbound.unwrap_or(Ok(()));
        name.binder = None;
        for connector in &mut name.connectors {
            if connector.state == Connection::Live {
                connector.state = Connection::Stale;
                if let Some(other) = connector.socket.upgrade() {
                    other.peers.with_link(address, |link| link.up = false);
                    kept.push(other);
                }
                socket.peers.inproc(-1);
            }
        }
        if name.connectors.is_empty() {
            names.remove(address);
        }
        drop(names);
        // Who waits for a reply of this one is woken by libzmq, when the pipe ends.
        drop(kept);
        unbound
    }

    /// Forgets a connector that closes or disconnects.
    pub fn disconnect(&self, socket: &Socket, address: &str) {
        let mut names = lock(&self.0);
        let mut binder = None;
        if let Some(name) = names.get_mut(address) {
            let was_live = |c: &Connector| c.id == socket.id() && c.state == Connection::Live;
            if name.connectors.iter().any(was_live) {
                binder = name.binder.as_ref().and_then(|(_, binder)| binder.upgrade());
                if let Some(binder) = &binder {
                    binder.peers.inproc(-1);
                }
            }
            name.connectors.retain(|c| c.id != socket.id());
            if name.binder.is_none() && name.connectors.is_empty() {
                names.remove(address);
            }
        }
        drop(names);
        drop(binder);
    }
}

/// Endpoints were checked to hold no NUL.
pub(crate) fn c_string(text: &str) -> CString {
    CString::new(text).unwrap_or_default()
}
