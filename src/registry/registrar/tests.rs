//! What a registry answers: to dividere 3, to 2.2.0, and to those who ask for too much.

use super::*;
use crate::registry::store::{Capacity, MemoryStore};

struct Desk {
    registrar: Registrar,
    now: Instant,
}

fn desk() -> Desk {
    let mut limits = RegistryOptions::default();
    limits.set_max_instances_per_name(3).unwrap();
    limits.set_max_instances(5).unwrap();
    limits.set_max_metadata_bytes(4).unwrap();
    let capacity = Capacity {
        instances: 5,
        per_name: 3,
    };
    Desk {
        registrar: Registrar::new(77, Box::new(MemoryStore::new(capacity)), limits),
        now: Instant::now(),
    }
}

impl Desk {
    fn ask<Q, A>(&mut self, request: &Q) -> Result<A>
    where
        Q: prost::Message + prost::Name,
        A: prost::Message + prost::Name + Default,
    {
        let (mut question, mut answer) = (Message::new(), Message::new());
        question.set(request).unwrap();
        self.registrar.answer(&question, &mut answer, self.now)?;
        answer.get()
    }

    fn register(&mut self, name: &str, instance: u64) -> Result<Ack> {
        self.ask(&leased(name, instance, 1000))
    }

    fn servers(&mut self, name: &str, most: Option<u32>) -> ServiceLookupRep {
        self.ask(&ServiceLookupReq {
            service_name: name.to_owned(),
            most,
        })
        .unwrap()
    }

    fn ids(&mut self, name: &str) -> Vec<u64> {
        let reply = self.servers(name, Some(0));
        reply.instances.iter().map(|instance| instance.instance).collect()
    }
}

fn of_old(name: &str, server: &str, port: u32) -> RegisterService {
    RegisterService {
        service_name: name.to_owned(),
        server: server.to_owned(),
        port,
        ..RegisterService::default()
    }
}

fn leased(name: &str, instance: u64, lease_ms: u32) -> RegisterService {
    RegisterService {
        instance: Some(instance),
        lease_ms: Some(lease_ms),
        metadata: Some(b"m".to_vec()),
        ..of_old(name, "10.0.0.1", 1000 + (instance % 1000) as u32)
    }
}

#[test]
fn a_client_of_old_is_answered_with_what_it_knows_and_nothing_else() {
    let mut desk = desk();
    let ack: Ack = desk.ask(&of_old("a", "10.0.0.9", 5101)).unwrap();
    assert_eq!((ack.ok, ack.registry, ack.revision), (true, None, None));
    let found = desk.servers("a", None);
    assert_eq!((found.server.as_str(), found.port), ("10.0.0.9", 5101));
    assert!(found.instances.is_empty() && found.registry.is_none() && found.revision.is_none());
    // The last registration wins, and stays for ever.
    let _: Ack = desk.ask(&of_old("a", "10.0.0.8", 5102)).unwrap();
    desk.now += Duration::from_secs(1_000_000);
    desk.registrar.expire(desk.now).unwrap();
    assert_eq!(desk.servers("a", None).server, "10.0.0.8");
    let gone = UnregisterService {
        service_name: "a".to_owned(),
        ..UnregisterService::default()
    };
    let ack: Ack = desk.ask(&gone).unwrap();
    assert!(ack.ok);
    let missing = desk.servers("a", None);
    assert_eq!((missing.server.as_str(), missing.port), (UNAVAILABLE, 0));
    // 2.2.0's own server dies of this.
    let ack: Ack = desk.ask(&gone).unwrap();
    assert!(ack.ok);
    for refused in [
        of_old("", "s", 1),
        of_old("a", "", 1),
        of_old("a", "s", 0),
        of_old("a", "s", 65_536),
        of_old(&"n".repeat(256), "s", 1),
        of_old("a\nb", "s", 1),
    ] {
        let ack: Ack = desk.ask(&refused).unwrap();
        assert!(!ack.ok && ack.registry.is_none());
    }
}

#[test]
fn several_instances_of_a_name_take_turns_and_the_one_of_old_is_the_last_resort() {
    let mut desk = desk();
    let _: Ack = desk.ask(&of_old("a", "old", 1)).unwrap();
    assert_eq!(desk.servers("a", Some(1)).server, "old");
    desk.register("a", 5).unwrap();
    desk.register("a", 6).unwrap();
    let mut ports: Vec<u32> = (0..4).map(|_| desk.servers("a", Some(1)).port).collect();
    assert_eq!(ports[..2], ports[2..]);
    ports.sort_unstable();
    assert_eq!(ports, [1005, 1005, 1006, 1006]);
    assert!([1005, 1006].contains(&desk.servers("a", None).port));
    assert_eq!(desk.ids("a"), [0, 5, 6]);
    // Unregistering by the name alone, as 2.2.0 does, takes away the one of 2.2.0.
    let _: Ack = desk
        .ask(&UnregisterService {
            service_name: "a".to_owned(),
            ..UnregisterService::default()
        })
        .unwrap();
    assert_eq!(desk.ids("a"), [5, 6]);
}

/// Who asks for two names in turn gets the instances of each in turn, too.
#[test]
fn turns_are_counted_for_each_name() {
    let mut desk = desk();
    for (name, instance) in [("a", 1), ("a", 2), ("b", 3), ("b", 4)] {
        desk.register(name, instance).unwrap();
    }
    let mut seen: Vec<u32> = (0..4).map(|i| desk.servers(["a", "b"][i % 2], Some(1)).port).collect();
    seen.sort_unstable();
    assert_eq!(seen, [1001, 1002, 1003, 1004]);
    // However many names there are, what is kept of them is bounded, and all instances have their turns.
    let mut turns = Turns::default();
    let mut firsts = 0;
    for round in 0..100 {
        for name in 0..MOST_TURNS + 1000 {
            let first = turns.next(&name.to_string()) % 2 == 0;
            firsts += usize::from(name == 7 && first);
        }
        assert!(turns.by_name.len() <= MOST_TURNS, "round {round}");
    }
    assert!((20..=80).contains(&firsts), "{firsts} of 100");
}

#[test]
fn a_lease_is_renewed_released_or_over() {
    let mut desk = desk();
    assert_eq!(desk.register("a", 1).unwrap().registry, Some(77));
    desk.register("b", 2).unwrap();
    desk.now += Duration::from_millis(900);
    let reply: LeaseReply = desk
        .ask(&LeaseRequest {
            instances: vec![1, 9],
            release: false,
        })
        .unwrap();
    assert_eq!(reply.unknown, [9]);
    desk.now += Duration::from_millis(101);
    assert_eq!(desk.registrar.expire(desk.now).unwrap(), 1);
    assert_eq!((desk.ids("a"), desk.ids("b")), (vec![1], vec![]));
    let reply: LeaseReply = desk
        .ask(&LeaseRequest {
            instances: vec![1, 2],
            release: true,
        })
        .unwrap();
    assert_eq!(reply.unknown, [2]);
    assert_eq!(reply.revision, 4);
    assert!(desk.ids("a").is_empty());
    // An instance that was unregistered has no lease that could run out, and its number is free for another name.
    desk.register("a", 3).unwrap();
    let _: Ack = desk
        .ask(&UnregisterService {
            service_name: "a".to_owned(),
            instance: Some(3),
            ..UnregisterService::default()
        })
        .unwrap();
    desk.register("c", 3).unwrap();
    assert_eq!(desk.ids("c"), [3]);
}

#[test]
fn whoever_asks_for_too_much_is_refused_and_nothing_is_kept_of_it() {
    let mut desk = desk();
    desk.register("a", 1).unwrap();
    let mut refused = |request: RegisterService, status: Status| {
        let before = desk.registrar.store.revision();
        let error = desk.ask::<_, Ack>(&request).unwrap_err();
        assert_eq!(error.status(), status, "{request:?}: {error}");
        assert_eq!(desk.registrar.store.revision(), before);
    };
    refused(leased("b", 0, 1000), Status::InvalidArgument);
    // The number of an instance of another name: it is not taken from there.
    refused(leased("b", 1, 1000), Status::InvalidArgument);
    refused(leased("b", 2, 199), Status::Limit);
    refused(leased("b", 2, 3_600_001), Status::Limit);
    refused(
        RegisterService {
            metadata: Some(vec![0; 5]),
            ..leased("b", 2, 1000)
        },
        Status::Limit,
    );
    for id in 2..4 {
        desk.register("a", id).unwrap();
    }
    assert_eq!(desk.register("a", 4).unwrap_err().status(), Status::Limit);
    for (name, id) in [("b", 5), ("c", 6)] {
        desk.register(name, id).unwrap();
    }
    assert_eq!(desk.register("d", 7).unwrap_err().status(), Status::Limit);
    // What was refused has no lease, either.
    assert!(desk.registrar.leases.name_of(4).is_none() && desk.registrar.leases.name_of(7).is_none());
    // An unknown type, and bytes that are not what they say.
    let mut strange = Message::from_bytes(b"").unwrap();
    strange.prepare("Nonsense", 3).unwrap().copy_from_slice(b"abc");
    let mut reply = Message::new();
    let error = desk.registrar.answer(&strange, &mut reply, desk.now).unwrap_err();
    assert_eq!(error.status(), Status::Type);
    strange
        .prepare("RegisterService", 3)
        .unwrap()
        .copy_from_slice(b"\xff\xff\xff");
    let error = desk.registrar.answer(&strange, &mut reply, desk.now).unwrap_err();
    assert_eq!(error.status(), Status::Decode);
}

#[test]
fn a_list_is_told_page_by_page_in_the_order_of_the_names() {
    let mut desk = desk();
    for (name, id) in [("x.b", 1), ("x.a", 2), ("x.a", 1 << 60), ("y", 4), ("x", 5)] {
        desk.register(name, id)
            .map(drop)
            .unwrap_or_else(|error| panic!("{error}"));
    }
    let mut seen = Vec::new();
    let mut request = ListRequest {
        prefix: "x.".to_owned(),
        most: 1,
        ..ListRequest::default()
    };
    loop {
        let page: ListReply = desk.ask(&request).unwrap();
        assert_eq!((page.instances.len(), page.registry, page.revision), (1, 77, 5));
        let last = &page.instances[0];
        seen.push((last.name.clone(), last.instance));
        request.after_name = last.name.clone();
        request.after_instance = last.instance;
        if !page.more {
            break;
        }
    }
    let expected = [("x.a", 2), ("x.a", 1 << 60), ("x.b", 1)].map(|(name, id)| (name.to_owned(), id));
    assert_eq!(seen, expected);
    let exact: ListReply = desk
        .ask(&ListRequest {
            prefix: "x".to_owned(),
            exact: true,
            ..ListRequest::default()
        })
        .unwrap();
    assert_eq!(exact.instances.len(), 1);
    let none: ListReply = desk
        .ask(&ListRequest {
            prefix: "x.c".to_owned(),
            ..ListRequest::default()
        })
        .unwrap();
    assert!(none.instances.is_empty() && !none.more);
}

#[test]
fn a_page_ends_where_it_would_grow_too_large() {
    let large = Instance {
        metadata: vec![0; PAGE_BYTES / 3],
        ..Instance::default()
    };
    let mut page = Page::new(0);
    let fitting = (0..5).take_while(|_| page.has_room_for(&large)).count();
    assert_eq!(fitting, 2);
    let huge = Instance {
        metadata: vec![0; PAGE_BYTES * 2],
        ..Instance::default()
    };
    assert!(Page::new(0).has_room_for(&huge));
}
