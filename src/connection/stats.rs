//! What went through a socket, and what was lost there, by reason.
//!
//! Every counter is its own atomic, so a snapshot taken under load may show one counter a
//! message further than another; each by itself is exact and only grows.

use std::sync::atomic::{AtomicU64, Ordering};

/// The counters of one handle since it was made.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Messages received; one of several frames counts once.
    pub messages_in: u64,
    /// Messages that the transport accepted for sending.
    pub messages_out: u64,
    /// Bytes of all frames of the messages received.
    pub bytes_in: u64,
    /// Bytes of all frames of the messages sent.
    pub bytes_out: u64,
    /// Messages given up because the queue to a peer was full.
    pub dropped_queue_full: u64,
    /// Late replies to requests that nobody waits for any more.
    pub dropped_stale: u64,
    /// Messages whose frames are not those of this role.
    pub dropped_malformed: u64,
    /// Messages whose receiver has gone.
    pub dropped_unrouted: u64,
    /// Messages received that could not be decoded; their bytes were handed out.
    pub decode_errors: u64,
    /// Events that were pushed out of the full event queue before anybody took them.
    pub events_lost: u64,
    /// Connections that came back after they were lost.
    pub reconnects: u64,
    /// Connected peers now.
    pub peers: u64,
    /// Of a publisher: subscribers now.
    pub subscribers: u64,
}

/// The counters while the handle lives.
#[derive(Debug, Default)]
pub struct Counters {
    messages_in: AtomicU64,
    messages_out: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    dropped_queue_full: AtomicU64,
    dropped_stale: AtomicU64,
    dropped_malformed: AtomicU64,
    dropped_unrouted: AtomicU64,
    decode_errors: AtomicU64,
    events_lost: AtomicU64,
    reconnects: AtomicU64,
}

impl Statistics {
    /// Adds what another socket of the same handle counted.
    pub(crate) fn add(&mut self, other: &Statistics) {
        self.messages_in += other.messages_in;
        self.messages_out += other.messages_out;
        self.bytes_in += other.bytes_in;
        self.bytes_out += other.bytes_out;
        self.dropped_queue_full += other.dropped_queue_full;
        self.dropped_stale += other.dropped_stale;
        self.dropped_malformed += other.dropped_malformed;
        self.dropped_unrouted += other.dropped_unrouted;
        self.decode_errors += other.decode_errors;
        self.events_lost += other.events_lost;
        self.reconnects += other.reconnects;
        self.peers += other.peers;
        self.subscribers += other.subscribers;
    }
}

impl Counters {
    /// All at zero.
    pub const fn new() -> Counters {
        Counters {
            messages_in: AtomicU64::new(0),
            messages_out: AtomicU64::new(0),
            bytes_in: AtomicU64::new(0),
            bytes_out: AtomicU64::new(0),
            dropped_queue_full: AtomicU64::new(0),
            dropped_stale: AtomicU64::new(0),
            dropped_malformed: AtomicU64::new(0),
            dropped_unrouted: AtomicU64::new(0),
            decode_errors: AtomicU64::new(0),
            events_lost: AtomicU64::new(0),
            reconnects: AtomicU64::new(0),
        }
    }

    /// Counts a message received. Only for whoever holds the lock of the socket: a load and a
    /// store, without the locked instruction that would cost a twentieth of a small message.
    #[inline]
    pub fn received(&self, bytes: usize) {
        add_exclusively(&self.messages_in, 1);
        add_exclusively(&self.bytes_in, bytes as u64);
    }

    /// Counts a message sent. Only for whoever holds the lock of the socket.
    #[inline]
    pub fn sent(&self, bytes: usize) {
        add_exclusively(&self.messages_out, 1);
        add_exclusively(&self.bytes_out, bytes as u64);
    }

    /// Counts a message given up because the queue to a peer was full. From any thread, like all
    /// that follow.
    pub fn dropped_queue_full(&self) {
        add(&self.dropped_queue_full, 1);
    }

    /// Counts a late reply that nobody waits for.
    pub fn dropped_stale(&self) {
        add(&self.dropped_stale, 1);
    }

    /// Counts a message whose frames are not those of the role.
    pub fn dropped_malformed(&self) {
        add(&self.dropped_malformed, 1);
    }

    /// Counts a message whose receiver has gone.
    pub fn dropped_unrouted(&self) {
        add(&self.dropped_unrouted, 1);
    }

    /// Counts a message that could not be decoded.
    pub fn decode_error(&self) {
        add(&self.decode_errors, 1);
    }

    /// Counts events pushed out of a full queue.
    pub fn events_lost(&self, events: u64) {
        add(&self.events_lost, events);
    }

    /// Counts connections that came back.
    pub fn reconnects(&self, connections: u64) {
        add(&self.reconnects, connections);
    }

    /// Messages sent so far.
    pub fn messages_out(&self) -> u64 {
        self.messages_out.load(Ordering::Relaxed)
    }

    /// The counters now, with what the socket knows about who is there.
    pub fn snapshot(&self, peers: u64, subscribers: u64) -> Statistics {
        Statistics {
            messages_in: self.messages_in.load(Ordering::Relaxed),
            messages_out: self.messages_out.load(Ordering::Relaxed),
            bytes_in: self.bytes_in.load(Ordering::Relaxed),
            bytes_out: self.bytes_out.load(Ordering::Relaxed),
            dropped_queue_full: self.dropped_queue_full.load(Ordering::Relaxed),
            dropped_stale: self.dropped_stale.load(Ordering::Relaxed),
            dropped_malformed: self.dropped_malformed.load(Ordering::Relaxed),
            dropped_unrouted: self.dropped_unrouted.load(Ordering::Relaxed),
            decode_errors: self.decode_errors.load(Ordering::Relaxed),
            events_lost: self.events_lost.load(Ordering::Relaxed),
            reconnects: self.reconnects.load(Ordering::Relaxed),
            peers,
            subscribers,
        }
    }
}

#[inline]
fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Ordering::Relaxed);
}

/// Right only while no other thread adds to the same counter.
#[inline]
fn add_exclusively(counter: &AtomicU64, count: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(count), Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[test]
    fn each_count_lands_in_its_own_field() {
        let counters = Counters::new();
        let times = |count: u64, add: &dyn Fn()| (0..count).for_each(|_| add());
        times(2, &|| counters.received(10));
        times(3, &|| counters.sent(100));
        times(5, &|| counters.dropped_queue_full());
        times(6, &|| counters.dropped_stale());
        times(7, &|| counters.dropped_malformed());
        times(8, &|| counters.dropped_unrouted());
        times(9, &|| counters.decode_error());
        counters.events_lost(10);
        counters.reconnects(11);
        let expected = Statistics {
            messages_in: 2,
            bytes_in: 20,
            messages_out: 3,
            bytes_out: 300,
            dropped_queue_full: 5,
            dropped_stale: 6,
            dropped_malformed: 7,
            dropped_unrouted: 8,
            decode_errors: 9,
            events_lost: 10,
            reconnects: 11,
            peers: 12,
            subscribers: 13,
        };
        assert_eq!(counters.snapshot(12, 13), expected);
    }

    #[test]
    fn no_count_is_lost_between_threads() {
        const THREADS: u64 = 4;
        const EACH: u64 = 20_000;
        let counters = Counters::new();
        let socket = Mutex::new(());
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    for _ in 0..EACH {
                        counters.dropped_stale();
                        let _lock = socket.lock().expect("not poisoned");
                        counters.sent(64);
                    }
                });
            }
        });
        let seen = counters.snapshot(0, 0);
        assert_eq!(seen.dropped_stale, THREADS * EACH);
        assert_eq!(seen.messages_out, THREADS * EACH);
        assert_eq!(seen.bytes_out, THREADS * EACH * 64);
    }
}
