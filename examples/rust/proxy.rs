//! A proxy: clients and servers know one address each, and none of the other side; servers come and go behind it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use dividere::{Channel, Deadline, Message, Options, Proxy, ProxyKind, Request, Response, Result, Status};
use example_messages::{Job, JobDone};

/// Ends when the response is closed.
fn serve(response: &Response, name: &str) -> Result<()> {
    let mut message = Message::new();
    loop {
        match response.recv(&mut message, Deadline::Never) {
            Err(error) if error.status() == Status::Closed => return Ok(()),
            received => received?,
        }
        let job: Job = message.get()?;
        message.set(&JobDone {
            number: job.number,
            square: job.number * job.number,
            worker: name.to_owned(),
        })?;
        response.send(&mut message)?;
    }
}

/// Asks until both servers have answered.
fn ask(endpoint: &str) -> Result<()> {
    let request = Request::new(endpoint, &Options::new())?;
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut servers = BTreeSet::new();
    for number in 1.. {
        let done: JobDone = request.call_as(&Job { number }, 10_000, 0)?;
        println!("{} squared is {}, says {}", done.number, done.square, done.worker);
        assert_eq!(done.square, number * number);
        servers.insert(done.worker);
        if servers.len() == 2 {
            break;
        }
        assert!(Instant::now() < deadline, "one of the servers was never asked");
    }
    Ok(())
}

fn main() -> Result<()> {
    let any_port = "tcp://127.0.0.1:*";
    let proxy = Proxy::new(ProxyKind::RequestResponse, any_port, any_port, None, &Options::new())?;
    let front = proxy.front().last_endpoint().expect("it is bound");
    let back = proxy.back().last_endpoint().expect("it is bound");
    let mut servers = Vec::new();
    for name in ["ada", "grace"] {
        // A response binds where its endpoint has a *, and connects where it has none.
        let server = Arc::new(Response::new(&back, &Options::new())?);
        let shared = Arc::clone(&server);
        servers.push((server, thread::spawn(move || serve(&shared, name))));
    }
    ask(&front)?;
    for (server, thread) in servers {
        server.close()?; // wakes its thread
        thread.join().unwrap()?;
    }
    Ok(())
}
