//! What the broker's thread sends, and what becomes of what cannot be sent.

use std::time::Instant;

use super::{Exchange, Request, ToWorker, KEPT};
use crate::connection::frame::Frame;
use crate::connection::socket::Socket;
use crate::error::{Error, Result, Status};
use crate::messaging::balancing::schedule::Schedule;
use crate::messaging::reply::error_frame;

impl Exchange<'_> {
    /// What this round brought. What cannot be sent is handed to others.
    pub fn send_all(&mut self, schedule: &mut Schedule<Request>) -> Result<()> {
        for (request, payload) in self.to_clients.drain(..) {
            send_to_client(&self.shared.front, request, payload)?;
        }
        // What cannot be sent is handed to others, until nobody is left.
        while !self.to_workers.is_empty() {
            let now = Instant::now();
            let mut to_workers = std::mem::take(&mut self.to_workers);
            for message in to_workers.drain(..) {
                self.send_to_worker(schedule, message, now)?;
            }
            // The room is used again.
            std::mem::swap(&mut self.to_workers, &mut to_workers);
            self.hand_out(schedule)?;
        }
        Ok(())
    }

    fn send_to_worker(&self, schedule: &mut Schedule<Request>, message: ToWorker, now: Instant) -> Result<()> {
        let back = &self.shared.back;
        match message {
            ToWorker::Request {
                tag,
                mut frames,
                repeat,
            } => {
                let sent = back.send_reserved(&mut frames);
                // It may have been lost with its worker, by a message to that one that came back before.
                let Some(job) = schedule.assigned(tag) else {
                    return Ok(());
                };
                match sent {
                    Ok(()) if !repeat => {
                        let size = job.body.route.iter().map(Frame::len).sum::<usize>() + KEPT;
                        schedule.keeps(tag, size);
                    }
                    Ok(()) => {}
                    Err(error) => {
                        if let (false, Some(payload)) = (repeat, frames.pop()) {
                            job.body.payload = payload;
                        }
                        match error.status() {
                            Status::Unreachable => schedule.not_sent(tag, true, now),
                            // With the name that a worker gave itself a message may be too large.
                            Status::WouldBlock | Status::TooLarge => schedule.not_sent(tag, false, now),
                            _ => return Err(error),
                        }
                    }
                }
            }
            ToWorker::Question { name, mut frames } => match back.send_reserved(&mut frames) {
                Ok(()) => schedule.reached(&name),
                Err(error) => match error.status() {
                    Status::Unreachable => schedule.unreachable(&name, now),
                    // It does not read; its silence will tell.
                    Status::WouldBlock | Status::TooLarge => {}
                    _ => return Err(error),
                },
            },
        }
        Ok(())
    }
}

/// Whoever reads no answers loses them: nobody waits for a client.
fn send_to_client(front: &Socket, request: Request, payload: Frame) -> Result<()> {
    let mut frames = request.route;
    frames.push(payload);
    let sent = match front.send_reserved(&mut frames) {
        // The worker's answer is; an error in its place is not.
        Err(error) if error.status() == Status::TooLarge && request.knows_errors => {
            frames.pop();
            let text = "the worker's answer is larger than the broker's maximum message size";
            frames.push(error_frame(Status::TooLarge, text)?);
            front.send_reserved(&mut frames)
        }
        sent => sent,
    };
    match sent {
        Ok(()) => Ok(()),
        Err(error) => not_taken(front, error),
    }
}

fn not_taken(front: &Socket, error: Error) -> Result<()> {
    match error.status() {
        Status::Unreachable => front.counters.dropped_unrouted(),
        Status::WouldBlock => front.counters.dropped_queue_full(),
        Status::TooLarge => front.counters.dropped_malformed(),
        _ => return Err(error),
    }
    Ok(())
}
