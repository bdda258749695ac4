//! The workers of a broker, by number and by name.

use std::collections::HashMap;
use std::ops::{Index, IndexMut};
use std::time::{Duration, Instant};

use super::schedule::Level;

/// More workers than this are somebody's game.
const MOST_WORKERS: usize = 65_536;

pub(super) struct Worker {
    pub name: Box<[u8]>,
    pub level: Level,
    pub capacity: usize,
    /// What it says it has in hand and is not known here: of the time before it was given up.
    pub foreign: usize,
    pub in_hand: Vec<u64>,
    /// Number of the last change of its load.
    pub since: u64,
    /// Where it stands among those that can take a request.
    pub place: Option<(usize, u64)>,
    pub seen: Instant,
    pub pinged: Instant,
    pub leaving: bool,
    /// There is no room on the way to it.
    pub blocked: bool,
    /// Since when it cannot be reached.
    pub gone: Option<Instant>,
    /// Since when it keeps a request that was given up.
    pub overdue: Option<Instant>,
}

impl Worker {
    pub fn load(&self) -> usize {
        self.in_hand.len() + self.foreign
    }

    pub fn is_here(&self) -> bool {
        self.gone.is_none() && self.overdue.is_none()
    }

    /// The broker itself was not there for a while.
    pub fn slept(&mut self, now: Instant, gap: Duration) {
        self.seen = now;
        for since in [&mut self.gone, &mut self.overdue].into_iter().flatten() {
            *since += gap;
        }
    }
}

#[derive(Default)]
pub(super) struct Table {
    workers: Vec<Option<Worker>>,
    vacant: Vec<usize>,
    by_name: HashMap<Box<[u8]>, usize>,
}

impl Table {
    pub fn find(&self, name: &[u8]) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// None where there are as many as there can be.
    pub fn insert(&mut self, name: &[u8], level: Level, now: Instant) -> Option<usize> {
        if self.by_name.len() >= MOST_WORKERS {
            return None;
        }
        let worker = Worker {
            name: name.into(),
            level,
            capacity: 1,
            foreign: 0,
            in_hand: Vec::new(),
            since: 0,
            place: None,
            seen: now,
            pinged: now,
            leaving: false,
            blocked: false,
            gone: None,
            overdue: None,
        };
        let slot = self.vacant.pop().unwrap_or(self.workers.len());
        if slot == self.workers.len() {
            self.workers.push(None);
        }
        self.workers[slot] = Some(worker);
        self.by_name.insert(name.into(), slot);
        Some(slot)
    }

    pub fn remove(&mut self, slot: usize) {
        if let Some(worker) = self.workers[slot].take() {
            self.by_name.remove(&worker.name);
            self.vacant.push(slot);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    pub fn slots(&self) -> Vec<usize> {
        let taken = self.workers.iter().enumerate().filter(|(_, worker)| worker.is_some());
        taken.map(|(slot, _)| slot).collect()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Worker> {
        self.workers.iter().flatten()
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Worker> {
        self.workers.iter_mut().flatten()
    }
}

impl Index<usize> for Table {
    type Output = Worker;

    fn index(&self, slot: usize) -> &Worker {
        // Whoever has a number took it from here, and nobody removed it since.
        self.workers[slot]
            .as_ref()
            .expect("the number of a worker that is there")
    }
}

impl IndexMut<usize> for Table {
    fn index_mut(&mut self, slot: usize) -> &mut Worker {
        self.workers[slot]
            .as_mut()
            .expect("the number of a worker that is there")
    }
}
