//! Load balancing: a broker hands jobs to workers, which come and go; one dies on the way, and the client never notices.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dividere::{Broker, BrokerSide, Channel, Deadline, Options, Request, Result, Worker};
use example_messages::{Job, JobDone};

/// A worker that squares numbers, on a thread of its own.
fn worker(endpoint: &str, name: &'static str) -> Result<Worker> {
    let worker = Worker::new(endpoint, &Options::new())?;
    worker.serve(Arc::new(move |request, reply| {
        let job: Job = request.get()?;
        reply.set(&JobDone {
            number: job.number,
            square: job.number * job.number,
            worker: name.to_owned(),
        })
    }))?;
    Ok(worker)
}

/// Asks until each of these has answered, and nobody else.
fn ask(request: &Request, workers: &[&str]) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut answered = BTreeSet::new();
    for number in 1.. {
        // With retries a job may be done twice: it goes to another worker where the first one dies.
        let done: JobDone = request.call_as(&Job { number }, 10_000, 2)?;
        println!("{} squared is {}, says {}", done.number, done.square, done.worker);
        assert_eq!(done.square, number * number);
        answered.insert(done.worker);
        if workers.iter().all(|worker| answered.contains(*worker)) {
            break;
        }
        assert!(Instant::now() < deadline, "one of the workers was never asked");
    }
    Ok(())
}

fn main() -> Result<()> {
    let any_port = "tcp://127.0.0.1:*";
    let broker = Broker::new(any_port, any_port, &Options::new())?;
    let back = broker.last_endpoint(BrokerSide::Back)?;
    let ada = worker(&back, "ada")?;
    let grace = worker(&back, "grace")?;
    broker.wait_workers(2, Deadline::after(Duration::from_secs(10)))?;

    let request = Request::new(&broker.last_endpoint(BrokerSide::Front)?, &Options::new())?;
    ask(&request, &["ada", "grace"])?;
    // Gone without a word, as one that crashes.
    ada.close()?;
    ask(&request, &["grace"])?;
    // This one finishes what it has, and tells the broker that it leaves.
    grace.stop(Deadline::after(Duration::from_secs(10)))?;

    let counts = broker.statistics()?;
    println!("{} served, {} handed to another worker", counts.served, counts.retried);
    assert_eq!((counts.failed, counts.refused), (0, 0));
    Ok(())
}
