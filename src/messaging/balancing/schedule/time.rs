//! What the time brings: who is silent, who is to be asked, and what waits for nobody any more.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::{Job, Level, Schedule, Why, OVERDUE_REMEMBERED};

impl<B> Schedule<B> {
    /// How often `tick` has something to do: a dead worker is noticed within two heartbeats, this included.
    pub fn interval(&self) -> Duration {
        (self.limits.heartbeat / 8).clamp(Duration::from_millis(1), Duration::from_millis(250))
    }

    /// When `tick` is to be called next; None where nothing depends on the time.
    pub fn due(&self) -> Option<Instant> {
        let needed = !(self.workers.is_empty() && self.queue.is_empty() && self.again.is_empty());
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
                    self.remove(slot, now);
                }
            } else if worker.gone.is_some_and(|since| over(since, silence)) || (answers && over(worker.seen, silence)) {
                self.remove(slot, now);
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
        for tag in tags {
            self.lose(tag, Why::Overdue, now);
        }
        self.place(slot);
    }

    fn drop_expired(&mut self, now: Instant) {
        let over = drain_expired(&mut self.again, now);
        let more = drain_expired(&mut self.queue, now);
        over.into_iter().chain(more).for_each(|job| self.end(job, Why::Expired));
    }
}

/// Takes out what nobody waits for any more.
fn drain_expired<B>(queue: &mut VecDeque<Job<B>>, now: Instant) -> VecDeque<Job<B>> {
    let is_over = |job: &Job<B>| job.expires.is_some_and(|at| at <= now);
    if !queue.iter().any(is_over) {
        return VecDeque::new();
    }
    let (over, waiting) = std::mem::take(queue).into_iter().partition(is_over);
    *queue = waiting;
    over
}
