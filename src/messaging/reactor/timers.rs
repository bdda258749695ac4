//! Timers and the idle hook: what is due, and when to look again. No thread, no clock of its own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::messaging::reactor::Reactor;

pub(super) type Callback = Arc<dyn Fn(&Reactor) + Send + Sync>;

/// Names a timer of one reactor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TimerId(pub u64);

#[derive(Default)]
pub(super) struct Timers {
    by_time: BTreeMap<(Instant, TimerId), Timer>,
    idle: Option<Idle>,
    last_id: u64,
}

struct Timer {
    interval: Duration,
    repeat: bool,
    callback: Callback,
}

struct Idle {
    interval: Duration,
    due: Instant,
    callback: Callback,
}

impl Timers {
    pub fn add(&mut self, interval: Duration, repeat: bool, callback: Callback) -> TimerId {
        self.last_id += 1;
        let id = TimerId(self.last_id);
        self.insert(
            Instant::now(),
            id,
            Timer {
                interval,
                repeat,
                callback,
            },
        );
        id
    }

    fn insert(&mut self, now: Instant, id: TimerId, timer: Timer) {
        // A time beyond what the clock can hold is a century away: as good as never.
        const NEVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
        let at = now.checked_add(timer.interval).unwrap_or(now + NEVER);
        self.by_time.insert((at, id), timer);
    }

    pub fn cancel(&mut self, id: TimerId) -> Option<Callback> {
        let key = *self.by_time.keys().find(|(_, other)| *other == id)?;
        self.by_time.remove(&key).map(|timer| timer.callback)
    }

    pub fn set_idle(&mut self, interval: Duration, callback: Option<Callback>) -> Option<Callback> {
        let idle = callback.map(|callback| Idle {
            interval,
            due: Instant::now() + interval,
            callback,
        });
        std::mem::replace(&mut self.idle, idle).map(|idle| idle.callback)
    }

    /// A message came: the idle hook has to wait again.
    pub fn busy(&mut self, now: Instant) {
        if let Some(idle) = &mut self.idle {
            idle.due = now + idle.interval;
        }
    }

    pub fn next(&self) -> Option<Instant> {
        let timer = self.by_time.keys().next().map(|(at, _)| *at);
        timer.into_iter().chain(self.idle.as_ref().map(|idle| idle.due)).min()
    }

    /// One that is due, set for its next time where it repeats. A repeating timer that fell behind skips what it
    /// missed.
    pub fn take_due(&mut self, now: Instant) -> Option<Callback> {
        if let Some(idle) = self.idle.as_mut().filter(|idle| idle.due <= now) {
            idle.due = now + idle.interval;
            return Some(Arc::clone(&idle.callback));
        }
        let (at, id) = *self.by_time.keys().next().filter(|(at, _)| *at <= now)?;
        let timer = self.by_time.remove(&(at, id))?;
        let callback = Arc::clone(&timer.callback);
        if timer.repeat {
            let behind = now.duration_since(at) > timer.interval;
            self.insert(if behind { now } else { at }, id, timer);
        }
        Some(callback)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nothing() -> Callback {
        Arc::new(|_| {})
    }

    #[test]
    fn a_timer_is_due_at_its_time_once_or_again_and_not_when_cancelled() {
        let mut timers = Timers::default();
        let once = Duration::from_millis(10);
        timers.add(once, false, nothing());
        let again = timers.add(Duration::from_millis(30), true, nothing());
        let start = timers.next().unwrap() - once;
        assert!(timers.take_due(start + Duration::from_millis(9)).is_none());
        assert!(timers.take_due(start + Duration::from_millis(11)).is_some());
        assert!(timers.take_due(start + Duration::from_millis(20)).is_none());
        // Three intervals late: called once, and next an interval from then.
        let late = start + Duration::from_millis(130);
        assert!(timers.take_due(late).is_some());
        assert!(timers.take_due(late).is_none());
        assert_eq!(timers.next().unwrap(), late + Duration::from_millis(30));
        assert!(timers.cancel(again).is_some());
        assert!(timers.next().is_none());
    }

    #[test]
    fn the_idle_hook_waits_while_messages_come() {
        let mut timers = Timers::default();
        timers.set_idle(Duration::from_millis(10), Some(nothing()));
        let due = timers.next().unwrap();
        timers.busy(due);
        assert!(timers.take_due(due).is_none());
        assert!(timers.take_due(due + Duration::from_millis(10)).is_some());
    }
}
