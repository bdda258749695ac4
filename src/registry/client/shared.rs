//! What a client's calls and its thread share: the registries, which of them is asked, and what is asked there.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::connection::clock::Deadline;
use crate::connection::log::log_line;
use crate::connection::options::Options;
use crate::connection::process::{generation, lock};
use crate::error::{Error, Result, Status};
use crate::proto::v1::{LeaseReply, LeaseRequest};
use crate::proto::{Ack, RegisterService, ServiceLookupRep, ServiceLookupReq, UnregisterService};
use crate::registry::bell::Bell;
use crate::registry::client::link::{Kind, Link, Place};
use crate::registry::client::RegistrationId;
use crate::registry::watch::WatchInner;

/// A registry of 2.2.0 answers one request a second: closing gives it so long at least to hear of it.
const OLD_REGISTRY_LINGER: Duration = Duration::from_secs(5);

/// So long one registry has at least, of the time that is left, however many others there are.
const LEAST_SHARE: Duration = Duration::from_millis(50);

/// Renewals of so many leases go into one message.
pub(super) const LEASES_AT_ONCE: usize = 10_000;

pub(super) struct Shared {
    pub generation: u32,
    pub links: Vec<Link>,
    /// The one that answered last.
    pub current: AtomicUsize,
    pub bell: Arc<Bell>,
    pub registrations: Mutex<BTreeMap<RegistrationId, Registration>>,
    pub watches: Mutex<Vec<Arc<WatchInner>>>,
    pub closing: AtomicBool,
    pub keeper_ended: AtomicBool,
    pub options: Options,
    pub lease_ms: u32,
    pub advertise: Option<String>,
    pub publish_endpoint: Option<String>,
}

/// What shall be registered, and where it is.
#[derive(Clone)]
pub(super) struct Registration {
    pub name: String,
    /// The host where it is, unless an option of the client says another; None for the address that reaches the registry.
    pub host: Option<String>,
    pub port: u16,
    pub metadata: Vec<u8>,
    pub lease_ms: u32,
    /// Where it was taken in last; None before the first time, which is the caller's own.
    pub place: Option<Place>,
}

impl Shared {
    pub fn check(&self) -> Result<()> {
        if self.generation != generation() {
            return Err(Error::new(
                Status::Forked,
                "the handle belongs to the process that this one was forked from",
            ));
        }
        if self.closing.load(Ordering::Acquire) {
            return Err(closed());
        }
        Ok(())
    }

    /// False where it takes longer.
    pub fn wait_for_keeper(&self, limit: Deadline) -> bool {
        loop {
            let before = self.bell.signal.now();
            if self.keeper_ended.load(Ordering::Acquire) {
                return true;
            }
            if !self.bell.signal.wait(before, limit) {
                return self.keeper_ended.load(Ordering::Acquire);
            }
        }
    }

    /// One that is connected and was not tried: the current one rather than others. Waits for it.
    pub fn choose(&self, tried: &[bool], deadline: Deadline) -> Result<usize> {
        loop {
            self.check()?;
            let before = self.bell.signal.now();
            if let Some(at) = self.choose_now(tried) {
                return Ok(at);
            }
            let mut refusals = self.links.iter().map(Link::refused);
            if let Some(Some(first)) = refusals.next() {
                // All, or waiting might help.
                if refusals.all(|refused| refused.is_some()) {
                    return Err(first);
                }
            }
            if !self.bell.signal.wait(before, deadline) {
                return Err(no_answer(deadline, "none is connected"));
            }
        }
    }

    pub fn choose_now(&self, tried: &[bool]) -> Option<usize> {
        let count = self.links.len();
        let first = self.current.load(Ordering::Acquire);
        (0..count)
            .map(|i| (first + i) % count)
            .find(|at| !tried[*at] && self.links[*at].is_up())
    }

    /// This one did not answer: others first.
    pub fn move_on_from(&self, at: usize) {
        let next = (at + 1) % self.links.len();
        // Somebody else did.
        let _moved_already = self
            .current
            .compare_exchange(at, next, Ordering::AcqRel, Ordering::Acquire);
    }

    /// Asks the current registry, and the others one after the other where it does not answer, until the time is over.
    /// With `new`, only registries of dividere 3.
    pub fn ask<T>(
        &self,
        deadline: Deadline,
        new: bool,
        attempt: &mut dyn FnMut(usize, &Link, Deadline) -> Result<T>,
    ) -> Result<T> {
        let mut tried = vec![false; self.links.len()];
        loop {
            self.check()?;
            let at = match self.choose_now(&tried) {
                Some(at) => at,
                // Not waiting for those that are away alone: what was asked may be back.
                None => {
                    tried.fill(false);
                    self.choose(&tried, deadline)?
                }
            };
            tried[at] = true;
            let untried = tried.iter().filter(|tried| !**tried).count() as u32;
            let link = &self.links[at];
            // A question may be lost with its connection: where there is no other to ask, it is asked again.
            let own = match deadline.remaining() {
                None => Deadline::after(link.patience()),
                Some(left) => {
                    let share = (left / (untried + 1)).max(LEAST_SHARE.min(left));
                    Deadline::after(link.patience().min(share))
                }
            };
            let known = match new {
                true => link.find_out(own),
                false => Ok(Kind::Unknown),
            };
            let answer = match known {
                // Another one can.
                Ok(Kind::Old) if self.choose_now(&tried).is_some() => continue,
                Ok(Kind::Old) => Err(Error::new(
                    Status::Unsupported,
                    format!(
                        "'{}' is a registry of dividere 2.2.0, which cannot do it",
                        link.endpoint
                    ),
                )),
                Ok(_) => attempt(at, link, own),
                Err(error) => Err(error),
            };
            self.check()?;
            match answer {
                Err(error) if error.status() == Status::Timeout => {
                    self.move_on_from(at);
                    if deadline.is_over() {
                        return Err(no_answer(deadline, error.text()));
                    }
                }
                answered => {
                    self.current.store(at, Ordering::Release);
                    return answered;
                }
            }
        }
    }

    /// Registers at this one. Returns where that is.
    pub fn register_at(
        &self,
        at: usize,
        link: &Link,
        id: u64,
        what: &Registration,
        deadline: Deadline,
    ) -> Result<Place> {
        let server = self.host_of(link, what)?;
        let connection = link.connection();
        let ack: Ack = link.ask(
            &RegisterService {
                service_name: what.name.clone(),
                server,
                port: u32::from(what.port),
                instance: Some(id),
                lease_ms: Some(what.lease_ms),
                metadata: Some(what.metadata.clone()),
            },
            deadline,
        )?;
        link.learn(connection, ack.registry);
        match ack.ok {
            true => Ok(Place { link: at, connection }),
            false => Err(Error::new(
                Status::Remote,
                format!("the registry refuses '{}' and does not say why", what.name),
            )),
        }
    }

    fn host_of(&self, link: &Link, what: &Registration) -> Result<String> {
        match self.advertise.as_ref().or(what.host.as_ref()) {
            Some(host) => Ok(host.clone()),
            None => link.host(),
        }
    }

    pub fn unregister_at(&self, link: &Link, id: u64, what: &Registration, deadline: Deadline) -> Result<()> {
        if link.find_out(deadline)? == Kind::Old && !self.is_ours_at(link, what, deadline)? {
            return Ok(());
        }
        let _ack: Ack = link.ask(
            &UnregisterService {
                service_name: what.name.clone(),
                server: String::new(),
                port: u32::from(what.port),
                instance: Some(id),
            },
            deadline,
        )?;
        Ok(())
    }

    /// A registry of 2.2.0 dies when a name is to be unregistered that it does not have, and goes by the name alone.
    pub fn is_ours_at(&self, link: &Link, what: &Registration, deadline: Deadline) -> Result<bool> {
        let server = self.host_of(link, what)?;
        let found: ServiceLookupRep = link.ask(
            &ServiceLookupReq {
                service_name: what.name.clone(),
                most: Some(1),
            },
            deadline,
        )?;
        Ok(found.server == server && found.port == u32::from(what.port))
    }

    /// At the end, as far as time allows.
    pub fn release_all(&self, linger: Duration) {
        let registrations = std::mem::take(&mut *lock(&self.registrations));
        if registrations.is_empty() {
            return;
        }
        let Some(at) = self.choose_now(&vec![false; self.links.len()]) else {
            return;
        };
        let link = &self.links[at];
        let released = match link.find_out(Deadline::after(linger)) {
            Ok(Kind::Old) => {
                let deadline = Deadline::after(linger.max(OLD_REGISTRY_LINGER));
                registrations
                    .iter()
                    .try_for_each(|(id, what)| self.unregister_at(link, *id, what, deadline))
            }
            Ok(_) => {
                let ids: Vec<u64> = registrations.keys().copied().collect();
                let deadline = Deadline::after(linger);
                ids.chunks(LEASES_AT_ONCE)
                    .try_for_each(|ids| self.lease_at(link, ids, true, deadline).map(drop))
            }
            Err(error) => Err(error),
        };
        if let Err(error) = released {
            log_line!(Info, "registry", "not everything was unregistered: {error}");
        }
    }

    /// Renews or ends leases at this one, which is of dividere 3.
    pub fn lease_at(&self, link: &Link, ids: &[u64], release: bool, deadline: Deadline) -> Result<LeaseReply> {
        let connection = link.connection();
        let question = LeaseRequest {
            instances: ids.to_vec(),
            release,
        };
        let reply: LeaseReply = link.ask(&question, deadline)?;
        link.learn(connection, Some(reply.registry));
        Ok(reply)
    }
}

fn no_answer(deadline: Deadline, reason: &str) -> Error {
    match deadline {
        Deadline::Now => Error::new(Status::WouldBlock, "a registry cannot be asked without waiting"),
        _ => Error::new(Status::Timeout, format!("no registry answered in time: {reason}")),
    }
}

pub(super) fn closed() -> Error {
    Error::new(Status::Closed, "the registry client is closed")
}
