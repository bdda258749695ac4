//! Which instance stays how long. No clock of its own, no look at all of them: each lease stands once in an ordered
//! queue, at a time when it may run out, and moves on there only when that time has come.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The leases of a registry.
#[derive(Default)]
pub(super) struct Leases {
    by_id: HashMap<u64, Lease>,
    queue: BTreeSet<(Instant, u64)>,
}

struct Lease {
    name: Arc<str>,
    length: Duration,
    /// When it runs out.
    until: Instant,
    /// Where it stands in the queue: no later than that.
    queued: Instant,
}

impl Leases {
    /// Whose instance this is, where it has a lease.
    pub fn name_of(&self, id: u64) -> Option<&Arc<str>> {
        self.by_id.get(&id).map(|lease| &lease.name)
    }

    /// A lease begins, or is renewed with another length.
    pub fn grant(&mut self, id: u64, name: &str, length: Duration, now: Instant) {
        let until = now + length;
        self.end(id);
        self.queue.insert((until, id));
        let lease = Lease {
            name: Arc::from(name),
            length,
            until,
            queued: until,
        };
        self.by_id.insert(id, lease);
    }

    /// False where there is no such lease.
    pub fn renew(&mut self, id: u64, now: Instant) -> bool {
        match self.by_id.get_mut(&id) {
            Some(lease) => {
                lease.until = now + lease.length;
                true
            }
            None => false,
        }
    }

    /// No lease any more.
    pub fn end(&mut self, id: u64) -> Option<Arc<str>> {
        let lease = self.by_id.remove(&id)?;
        self.queue.remove(&(lease.queued, id));
        Some(lease.name)
    }

    /// One that ran out before `now`: it is over.
    pub fn take_over(&mut self, now: Instant) -> Option<(u64, Arc<str>)> {
        while let Some(&(at, id)) = self.queue.first().filter(|(at, _)| *at <= now) {
            self.queue.remove(&(at, id));
            let Some(lease) = self.by_id.get_mut(&id) else { continue };
            if lease.until <= now {
                let name = Arc::clone(&lease.name);
                self.by_id.remove(&id);
                return Some((id, name));
            }
            lease.queued = lease.until;
            self.queue.insert((lease.until, id));
        }
        None
    }

    /// When to look again.
    pub fn next(&self) -> Option<Instant> {
        self.queue.first().map(|(at, _)| *at)
    }
}

/// The time as leases count it: while the registry's process stood still, so did this clock. Its clients may have
/// renewed in vain meanwhile, or their renewals wait in the socket.
pub(super) struct LeaseClock {
    /// For how long it stood still so far.
    stopped: Duration,
    last: Instant,
}

impl LeaseClock {
    pub fn new(now: Instant) -> LeaseClock {
        LeaseClock {
            stopped: Duration::ZERO,
            last: now,
        }
    }

    /// Looks at the time, which should have gone on by no more than `planned`. Returns the time of leases.
    pub fn look(&mut self, now: Instant, planned: Duration) -> Instant {
        /// So late a thread is on a busy machine, too.
        const USUAL_DELAY: Duration = Duration::from_millis(100);
        let passed = now.saturating_duration_since(self.last);
        self.stopped += passed.saturating_sub(planned + USUAL_DELAY);
        self.last = now;
        self.time(now)
    }

    pub fn time(&self, now: Instant) -> Instant {
        now.checked_sub(self.stopped).unwrap_or(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_lease_runs_out_unless_it_is_renewed_and_others_stay() {
        let start = Instant::now();
        let mut leases = Leases::default();
        leases.grant(1, "a", ms(100), start);
        leases.grant(2, "b", ms(300), start);
        assert!(leases.take_over(start + ms(99)).is_none());
        assert!(leases.renew(1, start + ms(99)));
        assert!(leases.take_over(start + ms(198)).is_none());
        let (id, name) = leases.take_over(start + ms(199)).expect("renewed at 99");
        assert_eq!((id, &*name), (1, "a"));
        assert!(!leases.renew(1, start + ms(199)));
        // A shorter length counts from its grant.
        leases.grant(2, "b", ms(50), start + ms(200));
        assert_eq!(leases.next(), Some(start + ms(250)));
        assert_eq!(leases.end(2).as_deref(), Some("b"));
        assert!(leases.take_over(start + ms(9999)).is_none() && leases.next().is_none());
    }

    #[test]
    fn ten_thousand_schedules_end_as_a_plain_list_says() {
        let start = Instant::now();
        let mut seed = 0x2545_F491_4F6C_DD1Du64;
        let mut random = move |below: u64| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed % below
        };
        for _ in 0..10_000 {
            let mut leases = Leases::default();
            let mut plain: HashMap<u64, (u64, u64)> = HashMap::new();
            let mut now = 0;
            for _ in 0..20 {
                now += random(40);
                let id = random(4);
                match random(4) {
                    0 => {
                        let length = 1 + random(60);
                        leases.grant(id, "x", ms(length), start + ms(now));
                        plain.insert(id, (length, now + length));
                    }
                    1 => {
                        let known = plain.get_mut(&id).map(|lease| lease.1 = now + lease.0).is_some();
                        assert_eq!(leases.renew(id, start + ms(now)), known);
                    }
                    2 => assert_eq!(leases.end(id).is_some(), plain.remove(&id).is_some()),
                    _ => {
                        let mut over = Vec::new();
                        while let Some((id, _)) = leases.take_over(start + ms(now)) {
                            over.push(id);
                        }
                        let mut expected: Vec<u64> =
                            plain.iter().filter(|(_, l)| l.1 <= now).map(|(id, _)| *id).collect();
                        plain.retain(|_, lease| lease.1 > now);
                        over.sort_unstable();
                        expected.sort_unstable();
                        assert_eq!(over, expected);
                    }
                }
                assert_eq!(leases.queue.len(), leases.by_id.len());
            }
        }
    }

    #[test]
    fn while_the_process_stands_still_no_lease_grows_older() {
        let start = Instant::now();
        let mut clock = LeaseClock::new(start);
        assert_eq!(clock.look(start + ms(500), ms(500)), start + ms(500));
        // Ten seconds late.
        assert_eq!(clock.look(start + ms(11_000), ms(500)), start + ms(1100));
        assert_eq!(clock.look(start + ms(11_400), ms(500)), start + ms(1500));
    }
}
