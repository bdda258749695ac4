//! Numbers for objects, looked up without a lock: in a growing array of slots that are never freed.
//!
//! A slot's state is one atomic word: its generation, whether it is open, and how many calls use it now. A call goes in
//! by raising the count while the slot is open in the generation that its number names. Shutting the slot lets nobody
//! else in; whoever then leaves last takes the object out. A slot is used again in its next generation, and no more
//! once its generations are used up, so that no number ever comes back. A thread that a fork makes vanish inside a call
//! costs the child one slot and nothing else. What a thread used last stays counted between its calls (`recent`).

use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering};

use super::recent::{self, Entry};

/// Slots in the first block; each next block has twice as many.
const FIRST_BLOCK: u32 = 64;
const BLOCKS: usize = 18;

/// How many slots there can be: numbers keep 24 bits for their index.
const MOST_SLOTS: u32 = FIRST_BLOCK * ((1 << BLOCKS) - 1);

const LAST_GENERATION: u32 = u32::MAX;
const OPEN: u64 = 1 << 31;
const USES: u64 = OPEN - 1;
const GENERATION_SHIFT: u32 = 32;

/// Where an object is, and the how-manieth of its slot it is. Never the same twice in a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub index: u32,
    pub generation: u32,
}

pub(super) struct Table<T: 'static> {
    blocks: [AtomicPtr<Slot<T>>; BLOCKS],
    /// How many slots were ever made.
    made: AtomicU32,
    /// The first free slot, plus one, below a count that changes with every change (so that a slot that left and came
    /// back meanwhile is not mistaken for one that stayed).
    free: AtomicU64,
}

struct Slot<T: 'static> {
    table: &'static Table<T>,
    index: u32,
    state: AtomicU64,
    object: UnsafeCell<Option<T>>,
    /// The next free slot, plus one.
    next_free: AtomicU32,
}

// SAFETY: an object is shared between threads while in use and dropped on any of them; the cell is written only by the
// one thread that claimed a free slot, or that was last to leave a shut one.
unsafe impl<T: Send + Sync> Sync for Table<T> {}

impl<T> Table<T> {
    pub(super) const fn new() -> Table<T> {
        Table {
            blocks: [const { AtomicPtr::new(std::ptr::null_mut()) }; BLOCKS],
            made: AtomicU32::new(0),
            free: AtomicU64::new(0),
        }
    }

    /// Takes an object in. None where every slot is in use; it is dropped then.
    pub(super) fn insert(&'static self, object: T) -> Option<Place> {
        let index = self.pop_free().or_else(|| self.make_slot())?;
        let slot = self.slot(index)?;
        let generation = (slot.state.load(Ordering::Relaxed) >> GENERATION_SHIFT) as u32;
        // SAFETY: the slot is neither open nor free: it is ours alone.
        unsafe { *slot.object.get() = Some(object) };
        slot.state
            .store(u64::from(generation) << GENERATION_SHIFT | OPEN, Ordering::Release);
        Some(Place { index, generation })
    }

    /// Goes in to the object; None where it is no more, or never was.
    #[inline]
    pub(super) fn enter(&'static self, place: Place) -> Option<Entered<T>> {
        let slot = self.slot(place.index)?;
        let wanted = u64::from(place.generation) << GENERATION_SHIFT | OPEN;
        if let Some(entry) = recent::entry(place.index) {
            if entry.begin(slot.address()) {
                if slot.state.load(Ordering::Acquire) & !USES == wanted {
                    return Some(Entered {
                        slot,
                        remembered: Some(entry),
                    });
                }
                slot.end(entry);
                return None;
            }
        }
        let mut state = slot.state.load(Ordering::Relaxed);
        while state & !USES == wanted {
            match slot
                .state
                .compare_exchange_weak(state, state + 1, Ordering::Acquire, Ordering::Relaxed)
            {
                Ok(_) => return Some(Entered { slot, remembered: None }),
                Err(now) => state = now,
            }
        }
        None
    }

    #[inline]
    fn slot(&self, index: u32) -> Option<&'static Slot<T>> {
        if index >= MOST_SLOTS {
            return None;
        }
        let block = (index / FIRST_BLOCK + 1).ilog2();
        let offset = index - FIRST_BLOCK * ((1 << block) - 1);
        let first = self.blocks[block as usize].load(Ordering::Acquire);
        if first.is_null() {
            return None;
        }
        // SAFETY: a block that is there has FIRST_BLOCK << block slots, and is never freed.
        Some(unsafe { &*first.add(offset as usize) })
    }

    fn make_slot(&'static self) -> Option<u32> {
        let index = self.made.fetch_update(Ordering::AcqRel, Ordering::Acquire, |made| {
            (made < MOST_SLOTS).then_some(made + 1)
        });
        let index = index.ok()?;
        let block = (index / FIRST_BLOCK + 1).ilog2();
        let place = &self.blocks[block as usize];
        if place.load(Ordering::Acquire).is_null() {
            let first = FIRST_BLOCK * ((1 << block) - 1);
            let fresh: Box<[Slot<T>]> = (0..FIRST_BLOCK << block)
                .map(|offset| Slot::new(self, first + offset))
                .collect();
            let fresh = Box::into_raw(fresh);
            let added = place.compare_exchange(std::ptr::null_mut(), fresh.cast(), Ordering::AcqRel, Ordering::Acquire);
            if added.is_err() {
                // SAFETY: another thread was first, and nobody knows ours.
                drop(unsafe { Box::from_raw(fresh) });
            }
        }
        Some(index)
    }

    fn pop_free(&self) -> Option<u32> {
        let mut head = self.free.load(Ordering::Acquire);
        loop {
            let index = (head as u32).checked_sub(1)?;
            let next = self.slot(index)?.next_free.load(Ordering::Relaxed);
            let below = next_count(head) | u64::from(next);
            match self
                .free
                .compare_exchange_weak(head, below, Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(_) => return Some(index),
                Err(now) => head = now,
            }
        }
    }

    fn push_free(&self, index: u32, slot: &Slot<T>) {
        let mut head = self.free.load(Ordering::Relaxed);
        loop {
            slot.next_free.store(head as u32, Ordering::Relaxed);
            let above = next_count(head) | u64::from(index + 1);
            match self
                .free
                .compare_exchange_weak(head, above, Ordering::AcqRel, Ordering::Relaxed)
            {
                Ok(_) => return,
                Err(now) => head = now,
            }
        }
    }
}

fn next_count(head: u64) -> u64 {
    ((head >> 32) + 1) << 32
}

impl<T> Slot<T> {
    fn new(table: &'static Table<T>, index: u32) -> Slot<T> {
        Slot {
            table,
            index,
            state: AtomicU64::new(1 << GENERATION_SHIFT),
            object: UnsafeCell::new(None),
            next_free: AtomicU32::new(0),
        }
    }

    #[inline]
    fn address(&self) -> *const () {
        std::ptr::from_ref(self).cast()
    }

    #[inline]
    fn is_open(&self) -> bool {
        self.state.load(Ordering::Acquire) & OPEN != 0
    }

    /// Ends a counted use.
    fn leave(&self) {
        let state = self.state.fetch_sub(1, Ordering::AcqRel);
        if state & (OPEN | USES) == 1 {
            self.free(state);
        }
    }

    /// The same by its address.
    ///
    /// # Safety
    /// The address is of a slot of T with a use that is counted for the caller.
    unsafe fn leave_at(address: *const ()) {
        // SAFETY: the caller's; slots are never freed.
        unsafe { (*address.cast::<Slot<T>>()).leave() }
    }

    /// Ends a use of this thread that stays counted, unless the slot was shut meanwhile.
    #[inline]
    fn end(&self, entry: &Entry) {
        if entry.end() && !self.is_open() {
            self.give_back(entry);
        }
    }

    #[cold]
    fn give_back(&self, entry: &Entry) {
        if entry.take(self.address()) {
            self.leave();
        }
    }

    /// Ends a counted use, or keeps it for this thread's next call.
    #[cold]
    #[inline(never)]
    fn leave_or_remember(&self) {
        let entry = match self.is_open() {
            true => recent::entry_or_new(self.index),
            false => None,
        };
        match entry {
            Some(entry) if entry.remember(self.address(), Slot::<T>::leave_at) => {
                // Whoever shut it in between may not have seen the entry.
                if !self.is_open() {
                    self.give_back(entry);
                }
            }
            _ => self.leave(),
        }
    }

    #[cold]
    fn free(&self, state: u64) {
        // SAFETY: shut, and ours was the last use: nobody else comes here for this generation.
        let object = unsafe { (*self.object.get()).take() };
        let generation = (state >> GENERATION_SHIFT) as u32;
        if generation < LAST_GENERATION {
            self.state
                .store(u64::from(generation + 1) << GENERATION_SHIFT, Ordering::Release);
            self.table.push_free(self.index, self);
        }
        drop(object);
    }
}

/// A call's use of an object.
pub(super) struct Entered<T: 'static> {
    slot: &'static Slot<T>,
    /// Where the use is one that this thread keeps.
    remembered: Option<&'static Entry>,
}

impl<T> Entered<T> {
    #[inline]
    pub(super) fn object(&self) -> Option<&T> {
        // SAFETY: while a use is counted, the object is neither written nor taken out.
        unsafe { (*self.slot.object.get()).as_ref() }
    }

    /// Lets nobody else in; whoever leaves last drops the object. False where it was shut already.
    pub(super) fn shut(&self) -> bool {
        if self.slot.state.fetch_and(!OPEN, Ordering::AcqRel) & OPEN == 0 {
            return false;
        }
        for _ in 0..recent::take_from_all(self.slot.address()) {
            self.slot.leave();
        }
        true
    }
}

impl<T> Drop for Entered<T> {
    #[inline]
    fn drop(&mut self) {
        match self.remembered {
            Some(entry) => self.slot.end(entry),
            None => self.slot.leave_or_remember(),
        }
    }
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "recent_tests.rs"]
mod recent_tests;
