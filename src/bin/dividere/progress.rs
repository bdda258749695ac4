//! One line on stderr that tells how far something long is, where somebody sees it: on a terminal only.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// Not more often than eyes can follow.
const INTERVAL: Duration = Duration::from_millis(100);

/// The line. Gone when dropped.
pub struct Progress {
    shown: bool,
    due: Option<Instant>,
}

impl Progress {
    /// Shows nothing before the first interval is over: what is quick needs no progress.
    pub fn new() -> Progress {
        let on_terminal = io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        Progress {
            shown: false,
            due: on_terminal.then(|| Instant::now() + INTERVAL),
        }
    }

    /// Shows the text when it is time for it.
    pub fn update<T: Display>(&mut self, text: impl FnOnce() -> T) {
        let now = Instant::now();
        if self.due.is_some_and(|due| due <= now) {
            self.due = Some(now + INTERVAL);
            self.shown = true;
            let mut stderr = io::stderr();
            // A progress that cannot be shown is no failure.
            let _unseen = write!(stderr, "\r\x1b[K{}", text()).and_then(|()| stderr.flush());
        }
    }

    /// Takes the line away, for what is to be read instead of it.
    pub fn clear(&mut self) {
        if std::mem::take(&mut self.shown) {
            let mut stderr = io::stderr();
            let _unseen = write!(stderr, "\r\x1b[K").and_then(|()| stderr.flush());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}
