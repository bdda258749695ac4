//! Dealers: many jobs under way at once, handed to the workers in turn; results come back in any order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::thread;

use dividere::{Channel, Deadline, Dealer, Message, Options, Result, Status};
use example_messages::{Job, JobDone};

const JOBS: u64 = 12;

/// Ends when the dealer is closed.
fn work(dealer: &Dealer, name: &str) -> Result<()> {
    let mut message = Message::new();
    loop {
        match dealer.recv(&mut message, Deadline::Never) {
            Err(error) if error.status() == Status::Closed => return Ok(()),
            received => received?,
        }
        let job: Job = message.get()?;
        message.set(&JobDone {
            number: job.number,
            square: job.number * job.number,
            worker: name.to_owned(),
        })?;
        dealer.send(&mut message)?;
    }
}

fn hand_out(dealer: &Dealer) -> Result<()> {
    let mut message = Message::new();
    dealer.wait_connected(2, Deadline::from_ms(10_000))?;
    for number in 0..JOBS {
        message.set(&Job { number })?;
        dealer.send(&mut message)?; // does not wait for any answer
    }
    let mut squares = BTreeMap::new();
    let mut workers = BTreeSet::new();
    for _ in 0..JOBS {
        dealer.recv(&mut message, Deadline::from_ms(10_000))?;
        let done: JobDone = message.get()?;
        println!("{} squared is {}, says {}", done.number, done.square, done.worker);
        let before = squares.insert(done.number, done.square);
        assert_eq!(before, None, "that came twice");
        workers.insert(done.worker);
    }
    assert!(squares
        .into_iter()
        .eq((0..JOBS).map(|number| (number, number * number))));
    assert_eq!(workers.len(), 2, "one worker did everything");
    Ok(())
}

fn main() -> Result<()> {
    let dealer = Dealer::new("tcp://127.0.0.1:*", &Options::new())?;
    let endpoint = dealer.last_endpoint()?;
    let mut workers = Vec::new();
    for name in ["ada", "grace"] {
        // A dealer binds where its endpoint has a *, and connects where it has none.
        let worker = Arc::new(Dealer::new(&endpoint, &Options::new())?);
        let shared = Arc::clone(&worker);
        workers.push((worker, thread::spawn(move || work(&shared, name))));
    }
    hand_out(&dealer)?;
    for (worker, thread) in workers {
        worker.close()?; // wakes its thread
        thread.join().unwrap()?;
    }
    Ok(())
}
