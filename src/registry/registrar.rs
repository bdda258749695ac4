//! Answers what registries are asked. No socket, no thread, no clock: a request and the time go in, a reply comes out.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::connection::options::RegistryOptions;
use crate::error::{Error, Result, Status};
use crate::messaging::message::Message;
use crate::proto::v1::{LeaseReply, LeaseRequest, ListReply, ListRequest};
use crate::proto::{Ack, RegisterService, ServiceLookupRep, ServiceLookupReq, UnregisterService};
use crate::registry::instance::{check_name, check_server, port, Instance};
use crate::registry::lease::Leases;
use crate::registry::store::Store;

/// What 2.2.0 is told of a name that nobody has.
pub(super) const UNAVAILABLE: &str = "unavailable";

/// A reply with instances is about so large at most; what is beyond has to be asked for again.
pub(super) const PAGE_BYTES: usize = 256 * 1024;

/// What a registry knows, and how it answers.
pub(super) struct Registrar {
    /// Number of this run.
    pub id: u64,
    pub store: Box<dyn Store>,
    pub leases: Leases,
    limits: RegistryOptions,
    turns: Turns,
}

/// Whose turn it is among the instances of a name: counted for each, as names may be asked for in turn, too.
#[derive(Default)]
struct Turns {
    by_name: HashMap<String, usize>,
    /// Where the next name begins.
    first: usize,
}

/// Of more names with several instances the turns are forgotten, and begin anew.
const MOST_TURNS: usize = 4096;

impl Turns {
    fn next(&mut self, name: &str) -> usize {
        if let Some(turn) = self.by_name.get_mut(name) {
            *turn = turn.wrapping_add(1);
            return *turn;
        }
        if self.by_name.len() >= MOST_TURNS {
            self.by_name.clear();
        }
        // By the golden ratio: not the same one again each time that turns were forgotten.
        self.first = self.first.wrapping_add(0x9E37_79B9_7F4A_7C15_u64 as usize);
        let turn = self.first >> (usize::BITS / 2);
        self.by_name.insert(name.to_owned(), turn);
        turn
    }
}

impl Registrar {
    pub fn new(id: u64, store: Box<dyn Store>, limits: RegistryOptions) -> Registrar {
        Registrar {
            id,
            store,
            leases: Leases::default(),
            limits,
            turns: Turns::default(),
        }
    }

    /// Answers a decoded request. An error is for the asker, who is one of dividere 3.
    pub fn answer(&mut self, request: &Message, reply: &mut Message, now: Instant) -> Result<()> {
        match request.type_name() {
            Some("ServiceLookupReq") => fill(reply, "ServiceLookupRep", &self.look_up(request.get()?)),
            Some("RegisterService") => {
                let request: RegisterService = request.get()?;
                let old = request.instance.is_none();
                let done = self.check_and_register(request, now);
                fill(reply, "ack", &self.acknowledge(done, old)?)
            }
            Some("UnregisterService") => {
                let request: UnregisterService = request.get()?;
                let old = request.instance.is_none();
                let done = self.unregister(&request);
                reply.set(&self.acknowledge(done, old)?)
            }
            Some("dividere.v1.LeaseRequest") => reply.set(&self.lease(&request.get()?, now)?),
            Some("dividere.v1.ListRequest") => reply.set(&self.list(&request.get()?)),
            other => Err(Error::new(
                Status::Type,
                format!("a registry does not serve {}", other.unwrap_or("bytes without a type")),
            )),
        }
    }

    /// Takes out those whose lease ran out. Returns how many.
    pub fn expire(&mut self, now: Instant) -> Result<usize> {
        let mut count = 0;
        while let Some((id, name)) = self.leases.take_over(now) {
            self.store.remove(&name, id)?;
            count += 1;
        }
        Ok(count)
    }

    /// 2.2.0 has no message for a refusal but this one.
    fn acknowledge(&self, done: Result<()>, old: bool) -> Result<Ack> {
        if old {
            return Ok(Ack {
                ok: done.is_ok(),
                registry: None,
                revision: None,
            });
        }
        done.map(|()| Ack {
            ok: true,
            registry: Some(self.id),
            revision: Some(self.store.revision()),
        })
    }

    fn check_and_register(&mut self, request: RegisterService, now: Instant) -> Result<()> {
        check_name(&request.service_name)?;
        check_server(&request.server)?;
        let instance = Instance {
            port: port(request.port)?,
            id: request.instance.unwrap_or(0),
            lease_ms: request.lease_ms.unwrap_or(0),
            metadata: request.metadata.unwrap_or_default(),
            name: request.service_name,
            server: request.server,
            revision: 0,
        };
        if request.instance.is_some() {
            self.check_lease(&instance)?;
        } else if request.lease_ms.is_some() || !instance.metadata.is_empty() {
            return Err(Error::new(
                Status::InvalidArgument,
                "an instance with a lease or metadata needs a number",
            ));
        }
        let most = self.limits.max_metadata_bytes();
        if instance.metadata.len() as i64 > most {
            let text = format!(
                "metadata of {} bytes; at most {most} are taken",
                instance.metadata.len()
            );
            return Err(Error::new(Status::Limit, text));
        }
        let lease = (instance.id != 0).then(|| (instance.id, instance.name.clone(), instance.lease_ms));
        self.store.put(instance)?;
        if let Some((id, name, lease_ms)) = lease {
            self.leases
                .grant(id, &name, Duration::from_millis(u64::from(lease_ms)), now);
        }
        Ok(())
    }

    fn check_lease(&self, instance: &Instance) -> Result<()> {
        if instance.id == 0 {
            return Err(Error::new(
                Status::InvalidArgument,
                "an instance has another number than 0",
            ));
        }
        if let Some(name) = self
            .leases
            .name_of(instance.id)
            .filter(|name| ***name != *instance.name)
        {
            let text = format!("the instance's number is taken by one of '{name}'");
            return Err(Error::new(Status::InvalidArgument, text));
        }
        let range = self.limits.lease_min_ms()..=self.limits.lease_max_ms();
        if !range.contains(&i64::from(instance.lease_ms)) {
            let text = format!(
                "a lease of {} ms; {} to {} ms are granted",
                instance.lease_ms,
                range.start(),
                range.end()
            );
            return Err(Error::new(Status::Limit, text));
        }
        Ok(())
    }

    fn unregister(&mut self, request: &UnregisterService) -> Result<()> {
        let id = request.instance.unwrap_or(0);
        self.store.remove(&request.service_name, id)?;
        if self
            .leases
            .name_of(id)
            .is_some_and(|name| **name == *request.service_name)
        {
            self.leases.end(id);
        }
        Ok(())
    }

    fn lease(&mut self, request: &LeaseRequest, now: Instant) -> Result<LeaseReply> {
        let mut unknown = Vec::new();
        for id in &request.instances {
            let known = if request.release {
                match self.leases.end(*id) {
                    Some(name) => self.store.remove(&name, *id)?,
                    None => false,
                }
            } else {
                self.leases.renew(*id, now)
            };
            if !known {
                unknown.push(*id);
            }
        }
        Ok(LeaseReply {
            registry: self.id,
            revision: self.store.revision(),
            unknown,
        })
    }

    fn look_up(&mut self, request: ServiceLookupReq) -> ServiceLookupRep {
        let of_name = self.store.instances(&request.service_name);
        let mut told: Vec<&Arc<Instance>> = Vec::new();
        let mut more = false;
        match request.most {
            None | Some(1) => {
                // Those with a lease are known to live. 2.2.0's one, with the least number, is not.
                let leased = &of_name[of_name.partition_point(|instance| instance.id == 0)..];
                let choice = if leased.is_empty() { of_name } else { leased };
                let at = match choice.len() {
                    0 | 1 => 0,
                    count => self.turns.next(&request.service_name) % count,
                };
                told.extend(choice.get(at));
            }
            Some(most) => {
                let mut page = Page::new(most);
                told.extend(of_name.iter().take_while(|instance| page.has_room_for(instance)));
                more = told.len() < of_name.len();
            }
        }
        let first = told.first();
        let new = request.most.is_some();
        ServiceLookupRep {
            server: first.map_or_else(|| UNAVAILABLE.to_owned(), |instance| instance.server.clone()),
            port: first.map_or(0, |instance| u32::from(instance.port)),
            registry: new.then_some(self.id),
            revision: new.then(|| self.store.revision()),
            instances: match new {
                true => told.iter().map(|instance| instance.to_proto()).collect(),
                false => Vec::new(),
            },
            more,
            service_name: request.service_name,
        }
    }

    fn list(&self, request: &ListRequest) -> ListReply {
        let mut instances = Vec::new();
        let mut more = false;
        let mut page = Page::new(request.most);
        let prefix = request.prefix.as_str();
        let (from, after) = if request.after_name.as_str() < prefix {
            (prefix, None)
        } else {
            (request.after_name.as_str(), Some(request.after_instance))
        };
        self.store.visit_from(from, after, &mut |instance| {
            let wanted = match request.exact {
                true => instance.name == prefix,
                false => instance.name.starts_with(prefix),
            };
            if !wanted {
                return false;
            }
            more = !page.has_room_for(instance);
            if !more {
                instances.push(instance.to_proto());
            }
            !more
        });
        ListReply {
            registry: self.id,
            revision: self.store.revision(),
            instances,
            more,
        }
    }
}

/// As `Message::set`, of a type that comes again and again.
fn fill<M: prost::Message>(reply: &mut Message, type_name: &str, content: &M) -> Result<()> {
    let mut place = reply.prepare_named(type_name.as_bytes(), content.encoded_len())?;
    content
        .encode(&mut place)
        .map_err(|e| Error::new(Status::Internal, format!("cannot serialise {type_name}: {e}")))
}

/// Counts what goes into a reply. One instance always has room.
pub(super) struct Page {
    count: usize,
    bytes: usize,
    most: usize,
}

impl Page {
    pub fn new(most: u32) -> Page {
        Page {
            count: 0,
            bytes: 0,
            most: match most {
                0 => usize::MAX,
                most => most as usize,
            },
        }
    }

    pub fn has_room_for(&mut self, instance: &Instance) -> bool {
        let weight = instance.weight();
        if self.count > 0 && (self.count >= self.most || self.bytes + weight > PAGE_BYTES) {
            return false;
        }
        self.count += 1;
        self.bytes += weight;
        true
    }
}

#[cfg(test)]
mod tests;
