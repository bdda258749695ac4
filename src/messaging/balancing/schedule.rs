//! Who gets which request, and what becomes of it when its worker does not answer. Takes events and the time, and tells
//! what to do: no socket, no thread, no clock.
//!
//! Workers that take several requests at once get the next one by how many they have, then by how long they have had no
//! more than that; so among idle ones the longest-idle is first. A request that its worker lost goes before all others
//! where its caller allowed a repeat, to a worker that was heard of since then: those of a host that died are found out
//! one by one. Where not, it goes to `ended`: each request leaves the schedule exactly once.

mod time;
mod workers;

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
    /// How often it was lost, and when last.
    pub losses: u32,
    pub lost: Option<Instant>,
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
    /// The number of the last question by then.
    pings: u64,
}

/// A request that kills every worker that gets it ends after so many.
const MOST_LOSSES: u32 = 3;
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
    /// Those that were lost, before the queue.
    again: VecDeque<Job<B>>,
    /// Workers are to be asked, because one of these waits for a worker that is heard of.
    ask_all: bool,
    assigned: HashMap<u64, Assigned<B>>,
    next_tag: u64,
    /// The number of the last question to any worker.
    pings: u64,
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
    /// Tags and questions begin at `first_tag`, which is random, so that those of a broker before are not mistaken for
    /// its own.
    pub fn new(limits: Limits, first_tag: u64) -> Schedule<B> {
        Schedule {
            limits,
            workers: Table::default(),
            free: BTreeSet::new(),
            queue: VecDeque::new(),
            again: VecDeque::new(),
            ask_all: false,
            assigned: HashMap::new(),
            next_tag: first_tag,
            pings: first_tag >> 1,
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
            queued: (self.queue.len() + self.again.len()) as u64,
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
        let (slot, job) = loop {
            let (slot, job) = match self.worker_for_lost() {
                Some(slot) => (slot, self.again.pop_front()?),
                None => (self.free.first()?.2, self.queue.pop_front()?),
            };
            if job.expires.is_none_or(|at| at > now) {
                break (slot, job);
            }
            self.end(job, Why::Expired);
        };
        let tag = self.next_tag;
        self.next_tag = self.next_tag.wrapping_add(1);
        let worker = &mut self.workers[slot];
        worker.in_hand.push(tag);
        let pings = self.pings;
        self.load_changed(slot);
        let assigned = self.assigned.entry(tag).or_insert(Assigned {
            job,
            worker: slot,
            since: now,
            pings,
        });
        Some((tag, &mut assigned.job, &self.workers[slot]))
    }

    /// Who gets the first of those that were lost.
    fn worker_for_lost(&self) -> Option<usize> {
        let lost = self.again.front()?.lost?;
        let heard = |(_, _, slot): &&(usize, u64, usize)| self.workers[*slot].seen >= lost;
        self.free.iter().find(heard).map(|(_, _, slot)| *slot)
    }

    /// True, once, where all workers are to be asked.
    pub fn take_ask_all(&mut self) -> bool {
        std::mem::take(&mut self.ask_all)
    }

    /// It could not be sent. `gone`: the worker is not there any more; else there is no room on the way to it, and it gets
    /// nothing until it is heard of.
    pub fn not_sent(&mut self, tag: u64, gone: bool, now: Instant) {
        let Some((job, slot)) = self.take(tag) else { return };
        if job.lost.is_some() {
            self.again.push_front(job);
        } else {
            self.queue.push_front(job);
        }
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
        level_if_unknown: impl Fn() -> Level,
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
            (None, None) => self.join(name, level_if_unknown(), now)?,
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
            self.remove(slot, now);
        }
        Some(job)
    }

    /// A request in the hands of a worker.
    pub fn assigned(&mut self, tag: u64) -> Option<&mut Job<B>> {
        self.assigned.get_mut(&tag).map(|assigned| &mut assigned.job)
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
        let queued = std::mem::take(&mut self.again)
            .into_iter()
            .chain(std::mem::take(&mut self.queue));
        let assigned = std::mem::take(&mut self.assigned);
        let jobs = queued.chain(assigned.into_values().map(|a| a.job));
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
    fn lose(&mut self, tag: u64, why: Why, now: Instant) {
        let Some((mut job, _)) = self.take(tag) else { return };
        job.losses += 1;
        job.lost = Some(now);
        if job.repeat && job.losses < MOST_LOSSES {
            self.counts.retried += 1;
            self.again.push_back(job);
            self.ask_all = true;
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
}

#[cfg(test)]
mod tests;
