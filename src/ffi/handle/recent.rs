//! The handles that a thread used last. Their uses stay counted from one call to the next, so that a call costs no locked
//! instruction: it marks its entry as busy, looks whether the handle is still open, and that is all.
//!
//! Whoever shuts a handle passes a heavy fence (`connection::asymmetric`) and then takes it out of the entries of all
//! threads that are not busy with it; a thread that is does so when it leaves. So nothing is kept beyond its end.

use std::cell::Cell;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};

use crate::connection::asymmetric;

/// So many handles a thread remembers: enough for one that receives here and sends there.
const ENTRIES: usize = 4;

/// A handle that a thread remembers, with one counted use.
pub(super) struct Entry {
    /// Where it lies; null for none. Set by the thread, emptied by the thread or by who shuts the handle.
    slot: AtomicPtr<()>,
    /// Calls of the thread inside now: more than one where a callback uses the same handle. Written by the thread only.
    busy: AtomicU32,
    /// Gives the counted use back. The thread's own.
    leave: Cell<unsafe fn(*const ())>,
}

/// The entries of one thread; taken over by another one after its end, never freed.
struct Record {
    entries: [Entry; ENTRIES],
    claimed: AtomicBool,
    next: AtomicPtr<Record>,
}

// SAFETY: `leave` is used by the thread that has claimed the record.
unsafe impl Sync for Record {}

/// All records there are: only ever added to, so that a forked child finds it whole.
static RECORDS: AtomicPtr<Record> = AtomicPtr::new(ptr::null_mut());

thread_local! {
    /// Null as long as it has none, and again when it is about to end.
    static MINE: Cell<*const Record> = const { Cell::new(ptr::null()) };
    static AT_END: AtEnd = const { AtEnd };
}

struct AtEnd;

impl Drop for AtEnd {
    fn drop(&mut self) {
        let mine = MINE.replace(ptr::null());
        if mine.is_null() {
            return;
        }
        // SAFETY: records are never freed.
        let mine = unsafe { &*mine };
        // What it remembers stays, for whoever comes next to replace, or for who shuts it to take. A thread that was made
        // to end inside a call keeps its entries for ever.
        if mine.entries.iter().all(|entry| entry.busy.load(Ordering::Relaxed) == 0) {
            mine.claimed.store(false, Ordering::Release);
        }
    }
}

/// This thread's entry for a handle, whatever is in it. None where it can have none.
#[inline]
pub(super) fn entry(index: u32) -> Option<&'static Entry> {
    let mine = MINE.get();
    if mine.is_null() {
        return None;
    }
    // SAFETY: records are never freed.
    Some(unsafe { &(*mine).entries[index as usize % ENTRIES] })
}

/// The same, for a thread that may have none yet.
pub(super) fn entry_or_new(index: u32) -> Option<&'static Entry> {
    if MINE.get().is_null() {
        claim()?;
    }
    entry(index)
}

#[cold]
fn claim() -> Option<()> {
    if !asymmetric::available() {
        return None;
    }
    // Not in a thread that is ending: nobody would give it back.
    AT_END.try_with(|_at_end| ()).ok()?;
    let mut record = RECORDS.load(Ordering::Acquire);
    while !record.is_null() {
        // SAFETY: records are never freed.
        let known = unsafe { &*record };
        let free = known
            .claimed
            .compare_exchange(false, true, Ordering::AcqRel, Ordering::Relaxed);
        if free.is_ok() {
            MINE.set(known);
            return Some(());
        }
        record = known.next.load(Ordering::Acquire);
    }
    let fresh: &'static Record = Box::leak(Box::new(Record::new()));
    let mut first = RECORDS.load(Ordering::Acquire);
    loop {
        fresh.next.store(first, Ordering::Relaxed);
        let fresh = ptr::from_ref(fresh).cast_mut();
        match RECORDS.compare_exchange_weak(first, fresh, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => break,
            Err(now) => first = now,
        }
    }
    MINE.set(fresh);
    Some(())
}

/// Takes a handle that was shut out of every entry whose thread is not busy with it, and tells how many uses were theirs.
#[cold]
pub(super) fn take_from_all(slot: *const ()) -> u32 {
    let mut record = RECORDS.load(Ordering::Acquire);
    if record.is_null() {
        return 0;
    }
    asymmetric::heavy();
    let mut taken = 0;
    while !record.is_null() {
        // SAFETY: records are never freed.
        let known = unsafe { &*record };
        for entry in &known.entries {
            let here = ptr::eq(entry.slot.load(Ordering::Acquire), slot);
            if here && entry.busy.load(Ordering::Acquire) == 0 && entry.take(slot) {
                taken += 1;
            }
        }
        record = known.next.load(Ordering::Acquire);
    }
    taken
}

impl Record {
    fn new() -> Record {
        Record {
            entries: [const { Entry::new() }; ENTRIES],
            claimed: AtomicBool::new(true),
            next: AtomicPtr::new(ptr::null_mut()),
        }
    }
}

impl Entry {
    const fn new() -> Entry {
        unsafe fn nothing(_slot: *const ()) {}
        Entry {
            slot: AtomicPtr::new(ptr::null_mut()),
            busy: AtomicU32::new(0),
            leave: Cell::new(nothing),
        }
    }

    /// Begins a use of the handle at `slot`; false where it is not this one that is remembered. What is known of it has
    /// to be looked at afterwards.
    #[inline]
    pub(super) fn begin(&self, slot: *const ()) -> bool {
        if !ptr::eq(self.slot.load(Ordering::Relaxed), slot) {
            return false;
        }
        self.busy
            .store(self.busy.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        asymmetric::light();
        if ptr::eq(self.slot.load(Ordering::Acquire), slot) {
            return true;
        }
        self.end();
        false
    }

    /// Ends a use. True where it was the last: whoever shut the handle meanwhile left the rest to this thread.
    #[inline]
    pub(super) fn end(&self) -> bool {
        let busy = self.busy.load(Ordering::Relaxed) - 1;
        self.busy.store(busy, Ordering::Release);
        asymmetric::light();
        busy == 0
    }

    /// True for whoever of several took it out.
    pub(super) fn take(&self, slot: *const ()) -> bool {
        self.slot
            .compare_exchange(slot.cast_mut(), ptr::null_mut(), Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }

    /// Remembers a handle, with the use that its caller has counted, in place of what it remembered before. False where
    /// it cannot: the use is still the caller's. Whether the handle is open has to be looked at afterwards.
    pub(super) fn remember(&self, slot: *const (), leave: unsafe fn(*const ())) -> bool {
        if self.busy.load(Ordering::Relaxed) != 0 || ptr::eq(self.slot.load(Ordering::Relaxed), slot) {
            return false;
        }
        let before = self.slot.swap(ptr::null_mut(), Ordering::AcqRel);
        if !before.is_null() {
            // SAFETY: it was remembered together with this function, and its use is ours to give back.
            unsafe { (self.leave.get())(before) };
        }
        self.leave.set(leave);
        self.slot.store(slot.cast_mut(), Ordering::Release);
        asymmetric::light();
        true
    }
}
