//! A service: two instances under one name; a client that knows nothing but the name asks them in turn, and one of them
//! stops without the client noticing.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dividere::{
    Deadline, Error, Options, RegistryClient, RegistryServer, Result, Service, ServiceClient, ServiceSettings, Status,
};
use example_messages::{Job, JobDone};

const NAME: &str = "example.square";

fn in_time() -> Deadline {
    Deadline::after(Duration::from_secs(10))
}

/// An instance that squares numbers, two at once.
fn serve(registry: &Arc<RegistryClient>, name: &'static str) -> Result<Service> {
    let settings = ServiceSettings {
        // Any free port. Bound to one address, it is registered with that.
        endpoint: Some("tcp://127.0.0.1:*".to_owned()),
        workers: 2,
        metadata: name.into(),
        ..ServiceSettings::default()
    };
    let service = Service::new(NAME, registry, &Options::new(), &settings)?;
    service.on(move |job: Job| {
        let square = job.number.checked_mul(job.number);
        Ok(JobDone {
            number: job.number,
            square: square.ok_or_else(|| Error::new(Status::InvalidArgument, "that is too large"))?,
            worker: name.to_owned(),
        })
    })?;
    service.start(in_time())?;
    Ok(service)
}

/// Asks until each of these has answered, and nobody else.
fn ask(client: &ServiceClient, instances: &[&str]) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut answered = BTreeSet::new();
    for number in 1.. {
        // What may be done twice is asked of another instance where the first one dies.
        let may_repeat = true;
        let done: JobDone = client.call_as(&Job { number }, 10_000, may_repeat)?;
        println!("{} squared is {}, says {}", done.number, done.square, done.worker);
        assert_eq!(done.square, number * number);
        answered.insert(done.worker);
        if instances.iter().all(|instance| answered.contains(*instance)) {
            break;
        }
        assert!(Instant::now() < deadline, "one of the instances was never asked");
    }
    Ok(())
}

fn main() -> Result<()> {
    let server = RegistryServer::new("tcp://127.0.0.1:*", &Options::new())?;
    let registry = Arc::new(RegistryClient::new(&server.endpoint()?, &Options::new())?);
    let ada = serve(&registry, "ada")?;
    let grace = serve(&registry, "grace")?;

    let client = ServiceClient::new(NAME, &registry, &Options::new())?;
    client.wait_for_service(in_time())?;
    ask(&client, &["ada", "grace"])?;

    // It finishes what it has, and the client goes to the other one.
    ada.stop(in_time())?;
    ask(&client, &["grace"])?;

    let failed = client.call_as::<_, JobDone>(&Job { number: u64::MAX }, 10_000, false);
    let failed = failed.expect_err("that is too large");
    println!("{failed}");
    assert_eq!(failed.status(), Status::Remote);

    grace.stop(in_time())?;
    let gone = client.call_as::<_, JobDone>(&Job { number: 1 }, 10_000, false);
    let gone = gone.expect_err("nobody is there");
    println!("{gone}");
    // At once, also where the client has not heard yet that the last one is gone.
    assert!(matches!(gone.status(), Status::NotFound | Status::Unreachable));
    Ok(())
}
