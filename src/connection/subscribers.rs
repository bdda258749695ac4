//! How many subscribe to what at a publisher. Subscriptions are counted per connection (by the descriptor that
//! brought them, or the number of an inproc connection), so that a peer which subscribes to three types is one
//! subscriber.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex};

use crate::connection::clock::Deadline;
use crate::connection::process::lock;
use crate::connection::socket::Socket;
use crate::error::{Error, Result, Status};

/// A peer has a topic or has it not, however often it asks for it: so libzmq sees it when it sends.
type Topics = HashSet<Vec<u8>>;

#[derive(Default)]
struct Table {
    connections: HashMap<i32, Topics>,
    waiting: usize,
    closed: bool,
}

#[derive(Default)]
pub(crate) struct Subscribers {
    table: Mutex<Table>,
    changed: Condvar,
    pub waited_for: AtomicBool,
}

/// One subscription message as XPUB delivers it.
pub(crate) struct Change {
    /// See `Frame::source`.
    pub source: Option<i32>,
    pub subscribe: bool,
    pub topic: Vec<u8>,
}

impl Subscribers {
    pub fn apply(&self, change: Change) {
        // The unsubscriptions at the end of a connection have no source: those are forgotten by their descriptor.
        let Some(source) = change.source else { return };
        let mut table = lock(&self.table);
        let topics = table.connections.entry(source).or_default();
        if change.subscribe {
            topics.insert(change.topic);
        } else {
            topics.remove(&change.topic);
            if topics.is_empty() {
                table.connections.remove(&source);
            }
        }
        drop(table);
        self.changed.notify_all();
    }

    /// The connection with this descriptor ended, or another one got its number.
    pub fn connection_ended(&self, descriptor: i32) {
        lock(&self.table).connections.remove(&descriptor);
        self.changed.notify_all();
    }

    pub fn close(&self) {
        lock(&self.table).closed = true;
        self.changed.notify_all();
    }

    /// Subscribers that get a message beginning with `topic`; with None all that subscribe to anything.
    pub fn count(&self, topic: Option<&[u8]>) -> usize {
        lock(&self.table).count(topic)
    }

    /// From here on every send asks the service thread to look for subscriptions.
    pub fn begin_waiting(&self) -> Waiting<'_> {
        let mut table = lock(&self.table);
        table.waiting += 1;
        self.waited_for.store(true, Ordering::Release);
        Waiting(self)
    }
}

impl Socket {
    /// Of a publisher: how many subscribe to messages that begin with `topic`, or to anything.
    pub(crate) fn subscriber_count(&self, topic: Option<&[u8]>) -> Result<usize> {
        self.check()?;
        let Some(subscribers) = &self.subscribers else {
            return Ok(0);
        };
        self.process().service.sync(self.id())?;
        Ok(subscribers.count(topic))
    }

    /// Of a publisher: how many subscribe to anything, as far as that was heard. Does not wait; what is there to be
    /// heard is soon.
    pub(crate) fn subscriber_count_so_far(&self) -> usize {
        self.process().service.poke(self.id());
        self.subscribers
            .as_ref()
            .map_or(0, |subscribers| subscribers.count(None))
    }

    /// Of a publisher: waits for that many.
    pub(crate) fn wait_for_subscribers(&self, topic: Option<&[u8]>, wanted: usize, deadline: Deadline) -> Result<()> {
        self.check()?;
        let Some(subscribers) = &self.subscribers else {
            return Ok(());
        };
        let waiting = subscribers.begin_waiting();
        self.process().service.sync(self.id())?;
        waiting.wait(topic, wanted, deadline)
    }
}

/// Somebody waits for subscribers.
pub(crate) struct Waiting<'a>(&'a Subscribers);

impl Waiting<'_> {
    /// Waits for `wanted` of them.
    pub fn wait(&self, topic: Option<&[u8]>, wanted: usize, deadline: Deadline) -> Result<()> {
        let changed = &self.0.changed;
        let mut table = lock(&self.0.table);
        loop {
            if table.closed {
                return Err(Error::new(
                    Status::Closed,
                    "the publisher was closed while waiting for subscribers",
                ));
            }
            let count = table.count(topic);
            if count >= wanted {
                return Ok(());
            }
            table = match deadline.remaining() {
                None => changed.wait(table).unwrap_or_else(|p| p.into_inner()),
                Some(left) if left.is_zero() => {
                    return Err(match deadline {
                        Deadline::Now => Error::new(Status::WouldBlock, "there are fewer subscribers"),
                        _ => Error::new(
                            Status::Timeout,
                            format!("{count} of {wanted} subscribers came in the time given"),
                        ),
                    })
                }
                Some(left) => changed.wait_timeout(table, left).unwrap_or_else(|p| p.into_inner()).0,
            };
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut table = lock(&self.0.table);
        table.waiting -= 1;
        if table.waiting == 0 {
            self.0.waited_for.store(false, Ordering::Release);
        }
    }
}

impl Table {
    fn count(&self, topic: Option<&[u8]>) -> usize {
        let wants = |topics: &Topics| match topic {
            None => true,
            // Whichever is shorter: its subscriptions, or the beginnings of the topic.
            Some(topic) if topics.len() <= topic.len() => topics.iter().any(|t| topic.starts_with(t)),
            Some(topic) => (0..=topic.len()).any(|end| topics.contains(&topic[..end])),
        };
        self.connections
            .values()
            .filter(|topics| !topics.is_empty() && wants(topics))
            .count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(source: Option<i32>, subscribe: bool, topic: &str) -> Change {
        Change {
            source,
            subscribe,
            topic: topic.into(),
        }
    }

    #[test]
    fn a_connection_counts_once_however_much_it_subscribes_to() {
        let subscribers = Subscribers::default();
        for topic in ["a", "a", "b", ""] {
            subscribers.apply(change(Some(7), true, topic));
        }
        subscribers.apply(change(Some(8), true, "b"));
        assert_eq!(subscribers.count(None), 2);
        assert_eq!(subscribers.count(Some(b"a!")), 1);
        assert_eq!(subscribers.count(Some(b"b")), 2);
        subscribers.apply(change(Some(8), false, "b"));
        subscribers.apply(change(Some(8), false, "b"));
        assert_eq!(subscribers.count(None), 1);
        for topic in ["a", "b"] {
            subscribers.apply(change(Some(7), false, topic));
        }
        assert_eq!(subscribers.count(Some(b"a!")), 1);
        subscribers.apply(change(Some(7), false, ""));
        assert_eq!(subscribers.count(None), 0);
        subscribers.apply(change(Some(7), true, "a"));
        subscribers.connection_ended(7);
        assert_eq!(subscribers.count(None), 0);
    }
}
