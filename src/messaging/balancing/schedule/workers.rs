//! Workers: what they tell, and what becomes of what they had when they are gone.

use std::collections::BTreeSet;
use std::time::Instant;

use super::{Level, Schedule, Sign, Why, MOST_UNASKED};
use crate::messaging::balancing::table::Worker;

impl<B> Schedule<B> {
    /// A worker announced itself, or answered. True where it has to be asked at once, so that it learns who we are.
    pub fn sign(&mut self, name: &[u8], sign: &Sign, now: Instant) -> bool {
        let Some(slot) = self.workers.find(name).or_else(|| self.join(name, sign.level, now)) else {
            return false;
        };
        self.heard(slot, now);
        match sign.level {
            Level::Ours => self.sign_of_ours(slot, sign, now),
            level => self.sign_of_another(slot, level, now),
        }
        if sign.leaving && self.workers[slot].load() == 0 {
            self.remove(slot, now);
        }
        sign.announces && sign.level == Level::Ours
    }

    fn sign_of_ours(&mut self, slot: usize, sign: &Sign, now: Instant) {
        let worker = &mut self.workers[slot];
        let before = worker.load();
        worker.level = Level::Ours;
        worker.capacity = sign.capacity;
        worker.leaving = sign.leaving;
        let has: BTreeSet<u64> = sign.in_hand.iter().copied().collect();
        worker.foreign = has.iter().filter(|tag| !worker.in_hand.contains(tag)).count();
        let missing: Vec<u64> = worker
            .in_hand
            .iter()
            .filter(|tag| !has.contains(tag))
            .copied()
            .collect();
        if worker.load() == before {
            self.place(slot);
        } else {
            self.load_changed(slot);
        }
        // What was sent after the question may still be on its way to the worker; and all that it answered came here
        // before this did. The question of another broker, or of another time, tells nothing.
        let Some(ping) = sign.ping.filter(|ping| *ping <= self.pings) else {
            return;
        };
        for tag in missing {
            if self.assigned.get(&tag).is_some_and(|assigned| assigned.pings < ping) {
                self.lose(tag, Why::Lost, now);
            }
        }
    }

    fn sign_of_another(&mut self, slot: usize, level: Level, now: Instant) {
        let worker = &mut self.workers[slot];
        if worker.level == Level::Ours {
            // It announces itself also as to a broker of 2.2.0, until it knows us.
            return;
        }
        worker.level = level;
        // While it works nobody asks it. So it has time for another, unless this crossed what it was given last.
        let last = worker.in_hand.last().and_then(|tag| self.assigned.get(tag));
        let full = worker.load() >= worker.capacity;
        if full && last.is_some_and(|last| now.duration_since(last.since) >= self.limits.heartbeat) {
            worker.capacity = (worker.load() + 1).min(MOST_UNASKED);
        }
        self.place(slot);
    }

    /// It cannot be reached: a message to it came back.
    pub fn unreachable(&mut self, name: &[u8], now: Instant) {
        if let Some(slot) = self.workers.find(name) {
            self.is_gone(slot, now);
        }
    }

    /// What may be repeated goes to another at once. For the rest it may still come back, and answer.
    pub(super) fn is_gone(&mut self, slot: usize, now: Instant) {
        let worker = &mut self.workers[slot];
        if worker.gone.is_some() {
            return;
        }
        worker.gone = Some(now);
        let tags = worker.in_hand.clone();
        self.comings += 1;
        self.place(slot);
        for tag in tags {
            if self.assigned.get(&tag).is_some_and(|assigned| assigned.job.repeat) {
                self.lose(tag, Why::Lost, now);
            }
        }
        // Ours announces itself when it comes back; 2.2.0 waits to be asked.
        let worker = &self.workers[slot];
        if worker.level == Level::Ours && worker.in_hand.is_empty() {
            self.remove(slot, now);
        }
    }

    /// A question to it was sent. That it is back is known where it was heard of, too, since it was gone: alone, that may
    /// be what it said before.
    pub fn reached(&mut self, name: &[u8]) {
        let Some(slot) = self.workers.find(name) else { return };
        let worker = &mut self.workers[slot];
        if worker.gone.is_some_and(|since| worker.seen > since) {
            worker.gone = None;
            self.comings += 1;
            self.place(slot);
        }
    }

    pub(super) fn join(&mut self, name: &[u8], level: Level, now: Instant) -> Option<usize> {
        let slot = self.workers.insert(name, level, now)?;
        self.load_changed(slot);
        self.comings += 1;
        self.checked.get_or_insert(now);
        Some(slot)
    }

    pub(super) fn heard(&mut self, slot: usize, now: Instant) {
        let worker = &mut self.workers[slot];
        worker.seen = now;
        self.ask_all |= worker.gone.is_some();
        if worker.overdue.take().is_some() || std::mem::take(&mut worker.blocked) {
            self.comings += 1;
            self.place(slot);
        }
    }

    /// Gives it up: what it has is lost.
    pub(super) fn remove(&mut self, slot: usize, now: Instant) {
        for tag in self.workers[slot].in_hand.clone() {
            self.lose(tag, Why::Lost, now);
        }
        if let Some((load, since)) = self.workers[slot].place.take() {
            self.free.remove(&(load, since, slot));
        }
        self.workers.remove(slot);
        self.comings += 1;
    }

    pub(super) fn load_changed(&mut self, slot: usize) {
        self.changes += 1;
        self.workers[slot].since = self.changes;
        self.place(slot);
    }

    /// Puts it among those that can take a request, or takes it out.
    pub(super) fn place(&mut self, slot: usize) {
        let worker = &mut self.workers[slot];
        if let Some((load, since)) = worker.place.take() {
            self.free.remove(&(load, since, slot));
        }
        let load = worker.load();
        if worker.is_here() && !worker.leaving && !worker.blocked && load < worker.capacity {
            worker.place = Some((load, worker.since));
            self.free.insert((load, worker.since, slot));
        }
    }

    /// It is being asked now: the number of the question.
    pub fn asked(&mut self, slot: usize, now: Instant) -> u64 {
        let worker = &mut self.workers[slot];
        worker.pinged = now;
        self.pings += 1;
        self.pings
    }

    /// All that may be there, for asking them out of turn.
    pub fn all(&self) -> Vec<usize> {
        let here = |slot: &usize| self.workers[*slot].overdue.is_none();
        self.workers.slots().into_iter().filter(here).collect()
    }

    pub fn worker(&self, slot: usize) -> &Worker {
        &self.workers[slot]
    }

    pub fn slot_of(&self, name: &[u8]) -> Option<usize> {
        self.workers.find(name)
    }
}
