//! What dividere tells about itself: to a callback of the host, and to stderr when the
//! environment variable DIVIDERE_LOG asks for it. Otherwise it is silent.
//!
//! Costs one relaxed load where nobody listens. Nothing here takes a lock that a fork could
//! leave taken in the child: the callback is found through a count of uses (see `sink`), and
//! stderr is written with one system call per line.
//!
//! DIVIDERE_LOG is a level (`error`, `warning`, `info`, `debug`, `trace`), `off`, or a list of
//! them with targets: `warning,connection=debug,events=off`. A target counts for what is
//! below it, too. It is read once, at the first use.

use std::cell::Cell;
use std::fmt;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicPtr, AtomicU64, AtomicU8, Ordering};

mod filter;
mod sink;
mod stderr;

use filter::Filter;

/// How much a line matters; a larger number is said more often.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Something failed that the host should know of, and no call could return it.
    Error = 1,
    /// Something went wrong that mends itself, or that concerns one peer.
    Warning = 2,
    /// Connections that come and go.
    Info = 3,
    /// What helps to find a fault.
    Debug = 4,
    /// Everything.
    Trace = 5,
}

impl Level {
    /// Every level, from the most to the least important.
    pub const ALL: [Level; 5] = [Level::Error, Level::Warning, Level::Info, Level::Debug, Level::Trace];

    /// The name as DIVIDERE_LOG takes it: "warning".
    pub const fn name(self) -> &'static str {
        match self {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Info => "info",
            Level::Debug => "debug",
            Level::Trace => "trace",
        }
    }

    /// The level of a number, None when no level has it.
    pub fn from_code(code: i32) -> Option<Level> {
        Level::ALL.into_iter().find(|level| *level as i32 == code)
    }

    /// The level of a name, in small or capital letters; None when no level has it.
    pub fn from_name(name: &str) -> Option<Level> {
        Level::ALL
            .into_iter()
            .find(|level| name.eq_ignore_ascii_case(level.name()))
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Takes a line: level, target (the part of dividere it comes from) and text.
pub type LogCallback = Box<dyn Fn(Level, &str, &str) + Send + Sync>;

/// Hands every line of this level or a more important one to `callback`, for the whole
/// process, in place of the callback set before; None ends it. Lines go on to stderr, too,
/// when DIVIDERE_LOG asks for that.
///
/// The callback runs on the thread that has something to say, on several at once, with no
/// lock of dividere's held: it may call anything, this function too. What dividere says
/// because of such a call is not handed to it again. A call that is under way on another
/// thread when the callback is replaced is finished; the old callback is dropped exactly once,
/// after its last call has returned, on the thread that was last to use it. A panic in it is
/// caught. In a forked child, a callback that another thread of the parent was inside of is
/// still called, and never dropped.
pub fn set_log_callback(level: Level, callback: Option<LogCallback>) {
    let discarded = sink::replace(callback.map(|callback| sink::Sink { level, callback }));
    refresh_ceiling();
    drop_quietly(discarded);
}

/// Whether a line of this level can reach anybody. One relaxed load: ask before building a text.
#[inline]
pub fn enabled(level: Level) -> bool {
    let ceiling = CEILING.load(Ordering::Relaxed);
    level as u8 <= ceiling && (ceiling != UNREAD || enabled_at_first(level))
}

/// Says a line. The text is built only when somebody listens.
pub fn log(level: Level, target: &str, text: fmt::Arguments<'_>) {
    if !enabled(level) {
        return;
    }
    let to_stderr = filter().allows(level, target);
    let to_callback = sink::wants(level) && !INSIDE_CALLBACK.get();
    if !to_stderr && !to_callback {
        return;
    }
    let owned;
    let text = match text.as_str() {
        Some(text) => text,
        None => {
            owned = text.to_string();
            owned.as_str()
        }
    };
    if to_stderr {
        stderr::write_line(level, target, text);
    }
    if to_callback {
        hand_to_callback(level, target, text);
    }
}

/// `log_line!(Warning, "connection", "no answer from {endpoint}")`: says a line, and costs one
/// relaxed load when nobody listens.
macro_rules! log_line {
    ($level:ident, $target:expr, $($text:tt)+) => {{
        let level = $crate::connection::log::Level::$level;
        if $crate::connection::log::enabled(level) {
            $crate::connection::log::log(level, $target, format_args!($($text)+));
        }
    }};
}
pub(crate) use log_line;

/// The ceiling before DIVIDERE_LOG was read: above every level, so that `enabled` looks closer.
const UNREAD: u8 = u8::MAX;

/// The largest level that anybody wants to hear; 0 for none.
static CEILING: AtomicU8 = AtomicU8::new(UNREAD);

/// Raised whenever the callback changes, so that two changes at once leave the right ceiling.
static CHANGES: AtomicU64 = AtomicU64::new(0);

/// What DIVIDERE_LOG says. Made once and never freed; a race makes two and frees one, because a
/// std Once that a fork interrupts would hang the child.
static FILTER: AtomicPtr<Filter> = AtomicPtr::new(std::ptr::null_mut());

thread_local! {
    static INSIDE_CALLBACK: Cell<bool> = const { Cell::new(false) };
}

#[cold]
fn enabled_at_first(level: Level) -> bool {
    refresh_ceiling();
    level as u8 <= CEILING.load(Ordering::Relaxed)
}

fn refresh_ceiling() {
    CHANGES.fetch_add(1, Ordering::SeqCst);
    let environment = filter().ceiling();
    loop {
        let seen = CHANGES.load(Ordering::SeqCst);
        let ceiling = environment.max(sink::level());
        CEILING.store(ceiling.map_or(0, |level| level as u8), Ordering::SeqCst);
        if CHANGES.load(Ordering::SeqCst) == seen {
            return;
        }
    }
}

fn filter() -> &'static Filter {
    let known = FILTER.load(Ordering::Acquire);
    if !known.is_null() {
        // SAFETY: once stored, the filter is never changed or freed.
        return unsafe { &*known };
    }
    let (filter, complaint) = match std::env::var_os("DIVIDERE_LOG") {
        Some(value) => Filter::parse(&value.to_string_lossy()),
        None => (Filter::off(), None),
    };
    let fresh = Box::into_raw(Box::new(filter));
    let null = std::ptr::null_mut();
    match FILTER.compare_exchange(null, fresh, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => {
            // Who sets the variable asks for output, so a mistake in it may be shown there.
            if let Some(complaint) = complaint {
                stderr::write_line(Level::Warning, "log", &complaint);
            }
            // SAFETY: just stored; never changed or freed from here on.
            unsafe { &*fresh }
        }
        Err(first) => {
            // SAFETY: `fresh` was not stored, nobody else knows it; `first` is never freed.
            unsafe {
                drop(Box::from_raw(fresh));
                &*first
            }
        }
    }
}

fn hand_to_callback(level: Level, target: &str, text: &str) {
    INSIDE_CALLBACK.set(true);
    let called = AssertUnwindSafe(|sink: &sink::Sink| {
        if level <= sink.level {
            (sink.callback)(level, target, text);
        }
    });
    let outcome = sink::with_current(|sink| catch_unwind(AssertUnwindSafe(|| called(sink))));
    INSIDE_CALLBACK.set(false);
    if let Some((result, discarded)) = outcome {
        if result.is_err() && filter().allows(Level::Error, "log") {
            stderr::write_line(Level::Error, "log", "the log callback panicked");
        }
        drop_quietly(discarded);
    }
}

/// Drops a callback that nobody uses any more. What its destructor does is the host's, so a
/// panic in it must not travel through whoever happened to say the last line.
fn drop_quietly(discarded: Option<sink::Sink>) {
    if catch_unwind(AssertUnwindSafe(|| drop(discarded))).is_err() && filter().allows(Level::Error, "log") {
        stderr::write_line(Level::Error, "log", "dropping a log callback panicked");
    }
}

#[cfg(test)]
mod tests;
