//! Who gets which request, and what becomes of it when its worker does not answer. Takes events and the time, and tells
//! what to do: no socket, no thread, no clock.
//!
//! Workers that take several requests at once get the next one by how many they have, then by how long they have had no
//! more than that; so among idle ones the longest-idle is first. A request that its worker lost goes back to the front of
//! the queue where its caller allowed a repeat, and to `ended` where not: each leaves the schedule exactly once.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::{Duration, Instant};

use super::table::{Table, Worker};

/// How a worker is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    /// dividere 2.2.0, bytes: silent while it works.
    Bytes,
    /// dividere 2.2.0, typed: silent while it works.
    Typed,
    /// dividere 3: answers also while it works, and says what it has in hand.
    Ours,
}

/// What a worker tells of itself.
#[derive(Debug)]
pub(super) struct Sign {
    pub level: Level,
    /// It announces itself, and does not only answer.
    pub announces: bool,
    /// The question that it answers; of dividere 3 only, as all below.
    pub ping: Option<u64>,
    pub in_hand: Vec<u64>,
    pub capacity: usize,
    pub leaving: bool,
}

/// A request, whatever it is made of.
pub(super) struct Job<B> {
    pub body: B,
    /// What it costs to keep, in bytes.
    pub size: usize,
    pub repeat: bool,
    /// Nobody waits for the answer after that.
    pub expires: Option<Instant>,
    pub tries: u32,
}

/// Why a request ended without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// There was no room for it.
    Refused,
    /// Its worker died, lost it, or left; and it may not be repeated, or was too often.
    Lost,
    /// Its worker kept it for too long.
    Overdue,
    /// Nobody waits for it any more.
    Expired,
    /// The broker ends.
    Closing,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub heartbeat: Duration,
    pub busy_limit: Duration,
    pub queue: usize,
    pub bytes: usize,
}

/// How it stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Workers that are there.
    pub workers: u64,
    /// Of these, those that have nothing to do.
    pub idle_workers: u64,
    /// Requests that wait for a worker.
    pub queued: u64,
    /// Requests that a worker has.
    pub working: u64,
    /// Requests that were answered by a worker.
    pub served: u64,
    /// Times that a request was handed to another worker, because the one before did not answer.
    pub retried: u64,
    /// Requests that found the queue full.
    pub refused: u64,
    /// Requests that were lost with their worker, or kept by it for too long, and not handed to another.
    pub failed: u64,
    /// Requests that nobody waited for any more when their turn came.
    pub expired: u64,
    /// Answers that nobody waited for any more: of a worker that was given up, or a second one.
    pub late: u64,
}

/// A request in the hands of a worker.
struct Assigned<B> {
    job: Job<B>,
    worker: usize,
    since: Instant,
    /// How often the worker had been asked by then.
    pings: u64,
}

/// A request that kills every worker that gets it ends after so many.
const MOST_TRIES: u32 = 3;
/// What a worker that is silent while it works may be given at most, because it said without being asked that it has
/// time.
const MOST_UNASKED: usize = 16;
/// A worker that kept a request for too long is remembered for so many times that limit.
const OVERDUE_REMEMBERED: u32 = 10;

pub(super) struct Schedule<B> {
    limits: Limits,
    workers: Table,
    /// Those that can take a request: by how many they have, and since when.
    free: BTreeSet<(usize, u64, usize)>,
    queue: VecDeque<Job<B>>,
    assigned: HashMap<u64, Assigned<B>>,
    next_tag: u64,
    /// Counts changes of any worker's load.
    changes: u64,
    /// Counts workers that came or went.
    comings: u64,
    bytes: usize,
    ended: Vec<(Job<B>, Why)>,
    checked: Option<Instant>,
    counts: Counts,
}

impl<B> Schedule<B> {
    /// Tags begin at `first_tag`, which is random, so that those of a broker before are not mistaken for its own.
    pub fn new(limits: Limits, first_tag: u64) -> Schedule<B> {
        Schedule {
            limits,
            workers: Table::default(),
            free: BTreeSet::new(),
            queue: VecDeque::new(),
            assigned: HashMap::new(),
            next_tag: first_tag,
            changes: 0,
            comings: 0,
            bytes: 0,
            ended: Vec::new(),
            checked: None,
            counts: Counts::default(),
        }
    }

    pub fn counts(&self) -> Counts {
        let here = self.workers.iter().filter(|worker| worker.is_here());
        let (mut workers, mut idle) = (0, 0);
        for worker in here {
            workers += 1;
            idle += u64::from(worker.place.is_some_and(|(load, _)| load == 0));
        }
        Counts {
            workers,
            idle_workers: idle,
            queued: self.queue.len() as u64,
            working: self.assigned.len() as u64,
            ..self.counts
        }
    }

    /// Grows whenever a worker comes or goes.
    pub fn comings(&self) -> u64 {
        self.comings
    }

    /// Requests that left the schedule without an answer, to be told so.
    pub fn take_ended(&mut self) -> Vec<(Job<B>, Why)> {
        std::mem::take(&mut self.ended)
    }

    // -- requests

    /// A request came. Where there is no room for it, it is in `ended` at once.
    pub fn submit(&mut self, job: Job<B>, now: Instant) {
        self.checked.get_or_insert(now);
        let waits = self.free.len() <= self.queue.len();
        if self.bytes.saturating_add(job.size) > self.limits.bytes || (waits && self.queue.len() >= self.limits.queue) {
            self.counts.refused += 1;
            self.ended.push((job, Why::Refused));
            return;
        }
        self.bytes += job.size;
        self.queue.push_back(job);
    }

    /// The next request, in the hands of the worker whose turn it is from here on; to be sent now.
    pub fn next(&mut self, now: Instant) -> Option<(u64, &mut Job<B>, &Worker)> {
        let (load, since, slot) = *self.free.first()?;
        let job = loop {
            let job = self.queue.pop_front()?;
            if job.expires.is_none_or(|at| at > now) {
                break job;
            }
            self.end(job, Why::Expired);
        };
        debug_assert_eq!(self.workers[slot].place, Some((load, since)));
        let tag = self.next_tag;
        self.next_tag = self.next_tag.wrapping_add(1);
        let worker = &mut self.workers[slot];
        worker.in_hand.push(tag);
        let pings = worker.pings;
        self.load_changed(slot);
        let assigned = self.assigned.entry(tag).or_insert(Assigned {
            job,
            worker: slot,
            since: now,
            pings,
        });
        Some((tag, &mut assigned.job, &self.workers[slot]))
    }

    /// It could not be sent. `gone`: the worker is not there any more; else there is no room on the way to it, and it gets
    /// nothing until it is heard of.
    pub fn not_sent(&mut self, tag: u64, gone: bool, now: Instant) {
        let Some((job, slot)) = self.take(tag) else { return };
        self.queue.push_front(job);
        if gone {
            self.is_gone(slot, now);
        } else {
            self.workers[slot].blocked = true;
            self.place(slot);
        }
    }

    /// An answer came from the worker `name`: with the tag of what it answers, or, where the worker knows no tags, with a
    /// test for whether it answers a request. What it answers leaves the schedule. None where it is late.
    pub fn answered(
        &mut self,
        name: &[u8],
        tag: Option<u64>,
        level_if_unknown: Level,
        answers: impl Fn(&B) -> bool,
        now: Instant,
    ) -> Option<Job<B>> {
        let known = self.workers.find(name);
        let slot = match (known, tag) {
            (Some(slot), _) => slot,
            (None, Some(_)) => {
                self.counts.late += 1;
                return None;
            }
            // 2.2.0 does not announce itself again after it was given up.
            (None, None) => self.join(name, level_if_unknown, now)?,
        };
        self.heard(slot, now);
        let tag = match tag {
            Some(tag) => self.workers[slot].in_hand.contains(&tag).then_some(tag),
            None => {
                let mut in_hand = self.workers[slot].in_hand.iter();
                in_hand
                    .find(|tag| self.assigned.get(tag).is_some_and(|a| answers(&a.job.body)))
                    .copied()
            }
        };
        let Some(tag) = tag else {
            self.counts.late += 1;
            let worker = &mut self.workers[slot];
            worker.foreign = worker.foreign.saturating_sub(1);
            self.load_changed(slot);
            return None;
        };
        let (job, _) = self.take(tag)?;
        self.bytes -= job.size;
        self.counts.served += 1;
        if self.workers[slot].leaving && self.workers[slot].load() == 0 {
            self.remove(slot);
        }
        Some(job)
    }

    /// Of a request that was sent only so much is kept.
    pub fn keeps(&mut self, tag: u64, size: usize) {
        if let Some(assigned) = self.assigned.get_mut(&tag) {
            self.bytes = self.bytes - assigned.job.size + size;
            assigned.job.size = size;
        }
    }

    /// Everything that is there ends.
    pub fn close(&mut self) {
        let queued = std::mem::take(&mut self.queue);
        let assigned = std::mem::take(&mut self.assigned);
        let jobs = queued.into_iter().chain(assigned.into_values().map(|a| a.job));
        self.ended.extend(jobs.map(|job| (job, Why::Closing)));
        self.bytes = 0;
    }

    /// Takes a request out of its worker's hands.
    fn take(&mut self, tag: u64) -> Option<(Job<B>, usize)> {
        let Assigned { job, worker: slot, .. } = self.assigned.remove(&tag)?;
        let worker = &mut self.workers[slot];
        worker.in_hand.retain(|other| *other != tag);
        if worker.level != Level::Ours {
            worker.capacity = 1;
        }
        self.load_changed(slot);
        Some((job, slot))
    }

    /// Its worker does not answer any more.
    fn lose(&mut self, tag: u64, why: Why) {
        let Some((mut job, _)) = self.take(tag) else { return };
        job.tries += 1;
        if job.repeat && job.tries < MOST_TRIES {
            self.counts.retried += 1;
            self.queue.push_front(job);
        } else {
            self.end(job, why);
        }
    }

    fn end(&mut self, job: Job<B>, why: Why) {
        self.bytes -= job.size;
        match why {
            Why::Expired => self.counts.expired += 1,
            _ => self.counts.failed += 1,
        }
        self.ended.push((job, why));
    }

    // -- workers

    /// A worker announced itself, or answered. True where it has to be asked at once, so that it learns who we are.
    pub fn sign(&mut self, name: &[u8], sign: &Sign, now: Instant) -> bool {
        let Some(slot) = self.workers.find(name).or_else(|| self.join(name, sign.level, now)) else {
            return false;
        };
        self.heard(slot, now);
        match sign.level {
            Level::Ours => self.sign_of_ours(slot, sign),
            level => self.sign_of_another(slot, level, now),
        }
        if sign.leaving && self.workers[slot].load() == 0 {
            self.remove(slot);
        }
        sign.announces && sign.level == Level::Ours
    }

    fn sign_of_ours(&mut self, slot: usize, sign: &Sign) {
        let worker = &mut self.workers[slot];
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
        self.load_changed(slot);
        // What was sent after the question may still be on its way to the worker; and all that it answered came here
        // before this did.
        let Some(ping) = sign.ping else { return };
        for tag in missing {
            if self.assigned.get(&tag).is_some_and(|assigned| assigned.pings < ping) {
                self.lose(tag, Why::Lost);
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
    fn is_gone(&mut self, slot: usize, now: Instant) {
        let worker = &mut self.workers[slot];
        worker.gone.get_or_insert(now);
        self.comings += 1;
        let worker = &mut self.workers[slot];
        let tags: Vec<u64> = worker.in_hand.iter().rev().copied().collect();
        self.place(slot);
        for tag in tags {
            if self.assigned.get(&tag).is_some_and(|assigned| assigned.job.repeat) {
                self.lose(tag, Why::Lost);
            }
        }
        // Ours announces itself when it comes back; 2.2.0 waits to be asked.
        let worker = &self.workers[slot];
        if worker.level == Level::Ours && worker.in_hand.is_empty() {
            self.remove(slot);
        }
    }

    fn join(&mut self, name: &[u8], level: Level, now: Instant) -> Option<usize> {
        let slot = self.workers.insert(name, level, now)?;
        self.load_changed(slot);
        self.comings += 1;
        self.checked.get_or_insert(now);
        Some(slot)
    }

    fn heard(&mut self, slot: usize, now: Instant) {
        let worker = &mut self.workers[slot];
        worker.seen = now;
        let was_out = !worker.is_here() || worker.blocked;
        (worker.gone, worker.overdue, worker.blocked) = (None, None, false);
        if was_out {
            self.comings += 1;
            self.place(slot);
        }
    }

    /// Gives it up: what it has is lost.
    fn remove(&mut self, slot: usize) {
        for tag in self.workers[slot].in_hand.iter().rev().copied().collect::<Vec<_>>() {
            self.lose(tag, Why::Lost);
        }
        if let Some((load, since)) = self.workers[slot].place.take() {
            self.free.remove(&(load, since, slot));
        }
        self.workers.remove(slot);
        self.comings += 1;
    }

    fn load_changed(&mut self, slot: usize) {
        self.changes += 1;
        self.workers[slot].since = self.changes;
        self.place(slot);
    }

    /// Puts it among those that can take a request, or takes it out.
    fn place(&mut self, slot: usize) {
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

    // -- time

    /// How often `tick` has something to do: a dead worker is noticed within two heartbeats, this included.
    pub fn interval(&self) -> Duration {
        (self.limits.heartbeat / 8).clamp(Duration::from_millis(1), Duration::from_millis(250))
    }

    /// When `tick` is to be called next; None where nothing depends on the time.
    pub fn due(&self) -> Option<Instant> {
        let needed = !self.workers.is_empty() || !self.queue.is_empty();
        self.checked.filter(|_| needed).map(|at| at + self.interval())
    }

    /// Looks who is silent, whom to ask (told by name and level, with the number of the question), and what waits for
    /// nobody. To be called after everything that came until `now` was told.
    pub fn tick(&mut self, now: Instant) -> Vec<(usize, u64)> {
        let heartbeat = self.limits.heartbeat;
        let before = self.checked.replace(now).unwrap_or(now);
        let gap = now.duration_since(before);
        if gap > heartbeat {
            // It was us who slept.
            self.workers.iter_mut().for_each(|worker| worker.slept(now, gap));
            self.assigned.values_mut().for_each(|assigned| assigned.since += gap);
        }
        self.drop_expired(now);
        let silence = 2 * heartbeat - self.interval();
        let mut ask = Vec::new();
        for slot in self.workers.slots() {
            let worker = &self.workers[slot];
            let answers = worker.level == Level::Ours || worker.load() < worker.capacity;
            let over = |since: Instant, limit: Duration| now.saturating_duration_since(since) >= limit;
            if let Some(since) = worker.overdue {
                if over(since, self.limits.busy_limit * OVERDUE_REMEMBERED) {
                    self.remove(slot);
                }
            } else if worker.gone.is_some_and(|since| over(since, silence)) || (answers && over(worker.seen, silence)) {
                self.remove(slot);
            } else if !answers {
                self.look_at_busy(slot, now);
            } else if worker.gone.is_none()
                && over(worker.pinged, heartbeat)
                && (worker.level == Level::Ours || over(worker.seen, heartbeat))
            {
                ask.push((slot, self.asked(slot, now)));
            }
        }
        ask
    }

    /// It is being asked now: the number of the question.
    pub fn asked(&mut self, slot: usize, now: Instant) -> u64 {
        let worker = &mut self.workers[slot];
        worker.pings += 1;
        worker.pinged = now;
        worker.pings
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

    /// One that is silent while it works: it has its time, and then it is given nothing until it is heard of.
    fn look_at_busy(&mut self, slot: usize, now: Instant) {
        let limit = self.limits.busy_limit;
        let late = |tag: &u64| {
            let assigned = self.assigned.get(tag);
            assigned.is_some_and(|assigned| now.saturating_duration_since(assigned.since) >= limit)
        };
        let tags: Vec<u64> = self.workers[slot]
            .in_hand
            .iter()
            .filter(|tag| late(tag))
            .copied()
            .collect();
        if tags.is_empty() {
            return;
        }
        self.workers[slot].overdue = Some(now);
        self.comings += 1;
        for tag in tags.into_iter().rev() {
            self.lose(tag, Why::Overdue);
        }
        self.place(slot);
    }

    fn drop_expired(&mut self, now: Instant) {
        let is_over = |job: &Job<B>| job.expires.is_some_and(|at| at <= now);
        if self.queue.iter().any(is_over) {
            let (over, waiting) = std::mem::take(&mut self.queue).into_iter().partition(is_over);
            self.queue = waiting;
            let over: VecDeque<Job<B>> = over;
            over.into_iter().for_each(|job| self.end(job, Why::Expired));
        }
    }
}

#[cfg(test)]
mod tests;
