//! The callback of the process: found, used and replaced without a lock.
//!
//! A callback lives in a slot with a count of the calls that are inside of it. Slots are never
//! freed, so a thread may look at one that has just been replaced: it sees that it is shut and
//! looks for the new one. Whoever finds a shut slot unused (who replaced it, or the last call
//! to leave) takes the callback out, once, and hands it up to be dropped. A slot is used again
//! for a later callback. A thread that a fork makes vanish inside a call costs the child one
//! slot and nothing else.

use std::cell::UnsafeCell;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU64, AtomicU8, Ordering};

use super::{Level, LogCallback};

pub(super) struct Sink {
    pub(super) level: Level,
    pub(super) callback: LogCallback,
}

/// A slot's state: FREE, or one of the two flags plus USE for each call inside.
const FREE: u64 = 0;
/// Somebody fills or empties it, or waits for the calls inside to end: no new ones.
const SHUT: u64 = 1;
/// It holds a callback that may be called.
const OPEN: u64 = 2;
const USE: u64 = 4;

struct Slot {
    state: AtomicU64,
    /// The level of the sink inside, readable without counting a use.
    level: AtomicU8,
    sink: UnsafeCell<Option<Sink>>,
    /// The slot made before this one.
    older: *const Slot,
}

// SAFETY: the cell is written only by the one thread that moved the state from FREE to SHUT,
// or found it SHUT and unused; it is read only while a use is counted, which needs OPEN. The
// sink itself is Send and Sync. `older` is never changed once the slot is known to others.
unsafe impl Sync for Slot {}

/// The newest slot; with `older`, the list of all of them. Slots are only ever added.
static SLOTS: AtomicPtr<Slot> = AtomicPtr::new(ptr::null_mut());

/// The slot of the callback in force; null when there is none.
static CURRENT: AtomicPtr<Slot> = AtomicPtr::new(ptr::null_mut());

/// Puts a new sink in force. Gives back the one before, if no call is inside of it.
pub(super) fn replace(sink: Option<Sink>) -> Option<Sink> {
    let next = match sink {
        Some(sink) => publish(sink),
        None => ptr::null_mut(),
    };
    let previous = CURRENT.swap(next, Ordering::SeqCst);
    // SAFETY: slots are never freed.
    let previous = unsafe { previous.as_ref() }?;
    let state = previous.state.fetch_xor(OPEN | SHUT, Ordering::AcqRel);
    if state == OPEN {
        previous.empty()
    } else {
        None
    }
}

/// Calls `use_it` with the sink in force, and gives its result, with a sink that was replaced
/// meanwhile and that nobody uses any more. None when there is no sink.
pub(super) fn with_current<R>(use_it: impl FnOnce(&Sink) -> R) -> Option<(R, Option<Sink>)> {
    let slot = loop {
        // SAFETY: slots are never freed.
        let slot = unsafe { CURRENT.load(Ordering::SeqCst).as_ref() }?;
        if slot.enter() {
            break slot;
        }
        // It was replaced in between: CURRENT names another one already.
    };
    // SAFETY: a use is counted, so the sink is neither written nor taken out; and it is there,
    // because the slot was OPEN.
    let result = unsafe { (*slot.sink.get()).as_ref() }.map(use_it);
    let discarded = slot.leave();
    result.map(|result| (result, discarded))
}

/// Whether the sink in force, if any, wants lines of this level.
pub(super) fn wants(level: Level) -> bool {
    self::level().is_some_and(|limit| level <= limit)
}

/// The level of the sink in force.
pub(super) fn level() -> Option<Level> {
    // SAFETY: slots are never freed.
    let slot = unsafe { CURRENT.load(Ordering::SeqCst).as_ref() }?;
    Level::from_code(i32::from(slot.level.load(Ordering::Relaxed)))
}

/// Puts the sink into a slot that is free, or a new one, and opens it.
fn publish(sink: Sink) -> *mut Slot {
    let slot = claim_free().unwrap_or_else(add_slot);
    slot.level.store(sink.level as u8, Ordering::Relaxed);
    // SAFETY: the state is SHUT by us, with no use counted: nobody else touches the cell.
    unsafe { *slot.sink.get() = Some(sink) };
    slot.state.store(OPEN, Ordering::Release);
    ptr::from_ref(slot).cast_mut()
}

fn claim_free() -> Option<&'static Slot> {
    let mut next = SLOTS.load(Ordering::Acquire).cast_const();
    // SAFETY: slots are never freed, and `older` is never changed.
    while let Some(slot) = unsafe { next.as_ref() } {
        let claimed = slot
            .state
            .compare_exchange(FREE, SHUT, Ordering::AcqRel, Ordering::Relaxed);
        if claimed.is_ok() {
            return Some(slot);
        }
        next = slot.older;
    }
    None
}

fn add_slot() -> &'static Slot {
    let slot = Box::leak(Box::new(Slot {
        state: AtomicU64::new(SHUT),
        level: AtomicU8::new(0),
        sink: UnsafeCell::new(None),
        older: ptr::null(),
    }));
    loop {
        let newest = SLOTS.load(Ordering::Acquire);
        slot.older = newest;
        let added = SLOTS.compare_exchange(newest, slot, Ordering::AcqRel, Ordering::Relaxed);
        if added.is_ok() {
            return slot;
        }
    }
}

impl Slot {
    /// Counts a call in; false when the slot is not open.
    fn enter(&self) -> bool {
        let mut state = self.state.load(Ordering::Relaxed);
        while state & OPEN != 0 {
            let entered = self
                .state
                .compare_exchange_weak(state, state + USE, Ordering::Acquire, Ordering::Relaxed);
            match entered {
                Ok(_) => return true,
                Err(now) => state = now,
            }
        }
        false
    }

    /// Counts a call out. Gives the sink when the slot is shut and this was the last one.
    fn leave(&self) -> Option<Sink> {
        let state = self.state.fetch_sub(USE, Ordering::AcqRel);
        if state == SHUT + USE {
            self.empty()
        } else {
            None
        }
    }

    /// Takes the sink out of a slot that is shut and unused, and frees the slot.
    fn empty(&self) -> Option<Sink> {
        // SAFETY: SHUT with no use, and only the thread that brought this about comes here.
        let sink = unsafe { (*self.sink.get()).take() };
        self.state.store(FREE, Ordering::Release);
        sink
    }
}

/// How many slots were ever made.
#[cfg(test)]
pub(super) fn slots() -> usize {
    let mut count = 0;
    let mut next = SLOTS.load(Ordering::Acquire).cast_const();
    // SAFETY: slots are never freed.
    while let Some(slot) = unsafe { next.as_ref() } {
        count += 1;
        next = slot.older;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_takes_calls_only_while_open_and_gives_its_sink_once() {
        let callback: LogCallback = Box::new(|_, _, _| ());
        let slot = Slot {
            state: AtomicU64::new(OPEN),
            level: AtomicU8::new(0),
            sink: UnsafeCell::new(Some(Sink {
                level: Level::Info,
                callback,
            })),
            older: ptr::null(),
        };
        assert!(slot.enter() && slot.enter());
        assert!(slot.leave().is_none(), "taken out while open");
        assert_eq!(slot.state.fetch_xor(OPEN | SHUT, Ordering::AcqRel), OPEN + USE);
        assert!(!slot.enter(), "entered while shut");
        assert!(slot.leave().is_some(), "the last one out takes it along");
        assert_eq!(slot.state.load(Ordering::Acquire), FREE);
        assert!(!slot.enter(), "entered while free");
    }
}
