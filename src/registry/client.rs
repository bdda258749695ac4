//! Registers, looks up and lists names, at one registry or at the first of several that answers.

mod keeper;
mod link;
mod shared;
mod watching;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::connection::clock::Deadline;
use crate::connection::endpoint::Endpoint;
use crate::connection::linux::with_signals_blocked;
use crate::connection::log::log_line;
use crate::connection::options::{Options, Role};
use crate::connection::own_thread::OwnThread;
use crate::connection::process::{generation, lock};
use crate::error::{Error, Result, Status};
use crate::proto::v1::{ListReply, ListRequest};
use crate::proto::{ServiceLookupRep, ServiceLookupReq};
use crate::registry::bell::Bell;
use crate::registry::instance::{check_name, check_server, port, Instance};
use crate::registry::server::random_id;
use crate::registry::watch::{Selection, Watch};

use link::Link;
use shared::{closed, Registration, Shared};

/// A registry that comes back is to be found again soon.
const LONGEST_RECONNECT_INTERVAL_MS: i64 = 250;

/// So long closing waits for its thread, whose calls it has ended.
const KEEPER_LIMIT: Duration = Duration::from_secs(2);

/// A client of name registries. May be used from any thread. Dropping it closes it.
///
/// What it registers stays registered: a thread of its own renews the leases, and registers again where a registry
/// comes back empty, or another one takes over. With several endpoints it asks the one that answered last, and where
/// that fails the next. The registries do not have to know of each other.
///
/// With a registry of dividere 2.2.0 it does what that can do: register, unregister, look up. Such a registry answers
/// one request a second.
pub struct RegistryClient {
    shared: Arc<Shared>,
    thread: Mutex<Option<OwnThread>>,
}

/// Names what was registered, for `unregister`: the instance's number.
pub type RegistrationId = u64;

impl RegistryClient {
    /// Connects to each of the comma-separated endpoints. Waits for nothing.
    pub fn new(endpoints: &str, options: &Options) -> Result<RegistryClient> {
        options.validate(Role::RegistryClient)?;
        let endpoints = Endpoint::parse_list(endpoints)?;
        if options.identity().is_some() {
            let text = "option identity: a registry client has several connections, which cannot have the same one";
            return Err(Error::new(Status::InvalidArgument, text));
        }
        let settings = options.registry().clone();
        let mut options = options.clone();
        *options.registry_mut() = Default::default();
        if options.reconnect_interval_max_ms() == Options::default().reconnect_interval_max_ms() {
            options
                .set_reconnect_interval_max_ms(LONGEST_RECONNECT_INTERVAL_MS.max(options.reconnect_interval_ms()))?;
        }
        let bell = Arc::new(Bell::new()?);
        let links = endpoints
            .into_iter()
            .map(|endpoint| Link::new(endpoint, &options, &bell))
            .collect::<Result<Vec<Link>>>()?;
        Ok(RegistryClient {
            shared: Arc::new(Shared {
                generation: generation(),
                links,
                current: AtomicUsize::new(0),
                bell,
                registrations: Mutex::default(),
                watches: Mutex::default(),
                closing: AtomicBool::new(false),
                keeper_ended: AtomicBool::new(true),
                lease_ms: settings.lease_ms() as u32,
                advertise: settings.advertise().map(str::to_owned),
                publish_endpoint: settings.publish_endpoint().map(str::to_owned),
                options,
            }),
            thread: Mutex::new(None),
        })
    }

    /// Makes a service known: its name, its TCP port on this host, and what it wants to tell of itself. It stays until
    /// it is unregistered or the client closed, wherever registries come and go; where this process dies or stands
    /// still, until its lease is over (the option `registry_lease_ms`).
    ///
    /// LIMIT where the registry has no room for it, or grants no such lease; TIMEOUT where none answered in time: then
    /// it is not registered, and if it was in spite of that, its lease will not be renewed.
    pub fn register(&self, name: &str, tcp_port: u16, metadata: &[u8], deadline: Deadline) -> Result<RegistrationId> {
        self.register_at(name, None, tcp_port, metadata, deadline)
    }

    /// As `register`, of what is reached at `host` alone; the option `registry_advertise` comes before that.
    pub(crate) fn register_at(
        &self,
        name: &str,
        host: Option<&str>,
        tcp_port: u16,
        metadata: &[u8],
        deadline: Deadline,
    ) -> Result<RegistrationId> {
        self.shared.check()?;
        check_name(name)?;
        let id = random_id()?;
        let registration = Registration {
            name: name.to_owned(),
            host: host.map(str::to_owned),
            port: port(u32::from(tcp_port))?,
            metadata: metadata.to_owned(),
            lease_ms: self.shared.lease_ms,
            place: None,
        };
        self.require_keeper()?;
        // Known before the registry knows it: so closing releases it in any case.
        lock(&self.shared.registrations).insert(id, registration.clone());
        let asked = self.shared.ask(deadline, false, &mut |at, link, deadline| {
            self.shared.register_at(at, link, id, &registration, deadline)
        });
        let mut registrations = lock(&self.shared.registrations);
        match asked {
            Ok(place) => {
                if let Some(registration) = registrations.get_mut(&id) {
                    registration.place = Some(place);
                }
            }
            Err(error) => {
                registrations.remove(&id);
                return Err(error);
            }
        }
        drop(registrations);
        self.shared.bell.ring();
        self.shared.check()?;
        Ok(id)
    }

    /// Takes out what was registered. It is not renewed from here on, whatever the outcome: TIMEOUT where no registry
    /// answered, and it is gone when its lease is over. NOT_FOUND where this client did not register it.
    pub fn unregister(&self, id: RegistrationId, deadline: Deadline) -> Result<()> {
        self.shared.check()?;
        let registration = lock(&self.shared.registrations).remove(&id).ok_or_else(|| {
            let text = format!("this client has no registration {id}");
            Error::new(Status::NotFound, text)
        })?;
        self.shared.ask(deadline, false, &mut |_, link, deadline| {
            self.shared.unregister_at(link, id, &registration, deadline)
        })
    }

    /// One instance of a service; where there are several they take turns. NOT_FOUND where there is none.
    pub fn lookup(&self, name: &str, deadline: Deadline) -> Result<Instance> {
        let (found, _) = self.ask_for(name, 1, deadline)?;
        found
            .into_iter()
            .next()
            .ok_or_else(|| Error::new(Status::NotFound, format!("no service is registered as '{name}'")))
    }

    /// All instances of a service; none where nobody has that name.
    pub fn lookup_all(&self, name: &str, deadline: Deadline) -> Result<Vec<Instance>> {
        let (mut found, more) = self.ask_for(name, 0, deadline)?;
        if more {
            self.list_behind(&mut found, name, true, deadline)?;
        }
        Ok(found)
    }

    /// What is registered under names that begin with `prefix` (all with an empty one), in the order of the names.
    /// UNSUPPORTED by a registry of dividere 2.2.0.
    pub fn list(&self, prefix: &str, deadline: Deadline) -> Result<Vec<Instance>> {
        let mut found = Vec::new();
        self.list_behind(&mut found, prefix, false, deadline)?;
        Ok(found)
    }

    /// Follows what is registered: every change from the return of this on is told. UNSUPPORTED where the registry that
    /// answers is of dividere 2.2.0, LIMIT where it serves no more watches; TIMEOUT where none answers in time.
    pub fn watch(&self, selection: Selection<'_>, deadline: Deadline) -> Result<Watch> {
        match selection {
            Selection::Name(name) => check_name(name)?,
            Selection::Prefix("") | Selection::All => {}
            Selection::Prefix(prefix) => check_name(prefix)?,
        }
        self.shared.ask(deadline, true, &mut |_, _, _| Ok(()))?;
        let watch = Watch::new(random_id()?, selection, &self.shared.bell);
        lock(&self.shared.watches).push(Arc::clone(&watch.inner));
        self.require_keeper()?;
        self.shared.bell.ring();
        // Closed meanwhile, it would never end.
        if let Err(error) = self.shared.check() {
            watch.inner.end(error)?;
        }
        watch.inner.wait_begun(deadline)?;
        Ok(watch)
    }

    /// The instances of `name`, and whether there are more than were told.
    fn ask_for(&self, name: &str, most: u32, deadline: Deadline) -> Result<(Vec<Instance>, bool)> {
        check_name(name)?;
        let question = ServiceLookupReq {
            service_name: name.to_owned(),
            most: Some(most),
        };
        let reply: ServiceLookupRep = self.shared.ask(deadline, false, &mut |_, link, deadline| {
            let connection = link.connection();
            let reply: ServiceLookupRep = link.ask(&question, deadline)?;
            link.learn(connection, reply.registry);
            Ok(reply)
        })?;
        if reply.registry.is_some() {
            let found = reply.instances.into_iter().map(Instance::from_proto);
            return Ok((found.collect::<Result<Vec<Instance>>>()?, reply.more));
        }
        // 2.2.0: a host of "unavailable" is none.
        let found = match u16::try_from(reply.port) {
            Ok(0) | Err(_) => None,
            Ok(port) => {
                check_server(&reply.server)
                    .map_err(|e| Error::new(Status::Decode, format!("from the registry: {}", e.text())))?;
                Some(Instance {
                    name: name.to_owned(),
                    server: reply.server,
                    port,
                    ..Instance::default()
                })
            }
        };
        Ok((found.into_iter().collect(), false))
    }

    /// Page by page, behind the last one found.
    fn list_behind(&self, found: &mut Vec<Instance>, prefix: &str, exact: bool, deadline: Deadline) -> Result<()> {
        loop {
            let last = found.last();
            let question = ListRequest {
                prefix: prefix.to_owned(),
                most: 0,
                after_name: last.map(|last| last.name.clone()).unwrap_or_default(),
                after_instance: last.map_or(0, |last| last.id),
                exact,
            };
            let reply: ListReply = self
                .shared
                .ask(deadline, true, &mut |_, link, deadline| link.ask(&question, deadline))?;
            let before = found.len();
            for instance in reply.instances {
                found.push(Instance::from_proto(instance)?);
            }
            if !reply.more {
                return Ok(());
            }
            if found.len() == before {
                return Err(Error::new(
                    Status::Decode,
                    "the registry tells of more, and not of what",
                ));
            }
        }
    }

    /// Waits until a registry is connected.
    pub fn wait_connected(&self, deadline: Deadline) -> Result<()> {
        self.shared
            .choose(&vec![false; self.shared.links.len()], deadline)
            .map(drop)
    }

    pub fn is_closed(&self) -> bool {
        self.shared.closing.load(Ordering::Acquire)
    }

    /// Takes out what was registered, where a registry hears it within the linger time, and ends. Blocked calls return
    /// CLOSED. CLOSED where it was closed before.
    pub fn close(&self) -> Result<()> {
        self.shared.check()?;
        if self.shared.closing.swap(true, Ordering::AcqRel) {
            return Err(closed());
        }
        self.shared.bell.ring();
        for watch in std::mem::take(&mut *lock(&self.shared.watches)) {
            // It may have been refused before.
            let _ended_already = watch.end(closed());
        }
        let linger = Duration::from_millis(self.shared.options.linger_ms() as u64);
        // Not before the keeper has ended: it might register again what was released.
        self.shared.wait_for_keeper(Deadline::after(linger));
        self.shared.release_all(linger);
        for link in &self.shared.links {
            // CLOSED cannot be: only this closes them.
            link.close()?;
        }
        let ended = self.shared.wait_for_keeper(Deadline::after(KEEPER_LIMIT));
        let Some(thread) = lock(&self.thread).take() else {
            return Ok(());
        };
        if !ended {
            // The system's resolver has it. It touches nothing any more when it is back.
            log_line!(Warning, "registry", "a registry client's thread ends later");
        } else if thread.join().is_err() {
            log_line!(Error, "registry", "a registry client's thread had panicked");
        }
        Ok(())
    }

    /// The thread that keeps what is registered, started with the first registration.
    fn require_keeper(&self) -> Result<()> {
        let mut thread = lock(&self.thread);
        if thread.is_some() {
            return Ok(());
        }
        self.shared.check()?;
        let shared = Arc::clone(&self.shared);
        self.shared.keeper_ended.store(false, Ordering::Release);
        let spawned = with_signals_blocked(|| {
            std::thread::Builder::new()
                .name("dividere-lease".into())
                .spawn(move || keeper::run(&shared))
        });
        let started = spawned.map_err(|e| {
            self.shared.keeper_ended.store(true, Ordering::Release);
            Error::new(Status::Limit, format!("cannot start a registry client's thread: {e}"))
        })?;
        *thread = Some(OwnThread::new(started));
        Ok(())
    }
}

impl Drop for RegistryClient {
    fn drop(&mut self) {
        // CLOSED where it was closed before, FORKED in a child.
        let _closed_already = self.close();
    }
}
