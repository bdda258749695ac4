//! The requests of a service that wait for a worker, bounded by their number and by what it costs to keep them.

use std::collections::VecDeque;

use crate::connection::frame::Frame;
use crate::messaging::message::Message;

/// What is kept of a request beside its bytes, about.
const KEPT: usize = 256;

pub(super) struct Queue {
    requests: VecDeque<Message>,
    bytes: usize,
    most: usize,
    most_bytes: usize,
}

impl Queue {
    pub fn new(most: usize, most_bytes: usize) -> Queue {
        Queue {
            requests: VecDeque::new(),
            bytes: 0,
            most,
            most_bytes,
        }
    }

    /// Whether there is room for one more like this.
    pub fn has_room_for(&self, request: &Message) -> bool {
        self.requests.len() < self.most && self.bytes.saturating_add(size(request)) <= self.most_bytes
    }

    pub fn push(&mut self, request: Message) {
        self.bytes += size(&request);
        self.requests.push_back(request);
    }

    pub fn pop(&mut self) -> Option<Message> {
        let request = self.requests.pop_front()?;
        self.bytes -= size(&request);
        Some(request)
    }

    pub fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    /// All of them.
    pub fn take(&mut self) -> VecDeque<Message> {
        self.bytes = 0;
        std::mem::take(&mut self.requests)
    }
}

/// As long as it waits, nothing changes it.
fn size(request: &Message) -> usize {
    let route = request.origin_ref().map_or(&[][..], |origin| origin.route());
    request.bytes().len() + route.iter().map(Frame::len).sum::<usize>() + KEPT
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(payload: usize) -> Message {
        let mut request = Message::new();
        request.prepare_bytes(payload).expect("room").fill(1);
        request
    }

    #[test]
    fn there_is_room_for_so_many_and_for_so_much() {
        let mut queue = Queue::new(3, 2 * (KEPT + 100));
        assert!(!queue.has_room_for(&request(2 * (KEPT + 100))), "more than all");
        queue.push(request(100));
        assert!(queue.has_room_for(&request(100)) && !queue.has_room_for(&request(101)));
        queue.push(request(100));
        assert!(!queue.has_room_for(&request(0)));
        // What left makes room, whichever way it did.
        assert_eq!(queue.pop().map(|request| request.bytes().len()), Some(100));
        assert!(queue.has_room_for(&request(100)) && !queue.has_room_for(&request(101)));
        assert_eq!(queue.take().len(), 1);
        assert!(queue.is_empty() && queue.has_room_for(&request(KEPT + 200)));
        let mut queue = Queue::new(1, usize::MAX);
        assert!(queue.has_room_for(&request(0)));
        queue.push(request(0));
        assert!(!queue.has_room_for(&request(0)));
    }
}
