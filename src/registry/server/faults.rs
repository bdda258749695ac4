//! A registry whose own thread fails: its clients go to another one.

use std::time::Duration;

use super::RegistryServer;
use crate::connection::clock::Deadline;
use crate::connection::options::Options;
use crate::connection::socket::FaultKind;
use crate::error::Status;
use crate::messaging::channel::Channel;
use crate::registry::client::RegistryClient;

const LIMIT: Duration = Duration::from_secs(20);

fn soon() -> Deadline {
    Deadline::after(LIMIT)
}

fn fails(fault: FaultKind, expected: Status) {
    let made = || RegistryServer::new("tcp://127.0.0.1:*", &Options::default()).expect("a registry");
    let (first, second) = (made(), made());
    let at = [&first, &second].map(|server| server.endpoint().expect("it is bound"));
    let publishing = first.publish_endpoint().expect("it is bound");
    let client = RegistryClient::new(&at.join(","), &Options::default()).expect("a client");
    client.register("acme.Kept", 4711, b"", soon()).expect("the first one");
    std::thread::scope(|threads| {
        let waits = threads.spawn(|| first.wait_ended(soon()));
        first.sockets()[0].fail_receiving(fault);
        let ended = waits.join().expect("no panic").expect_err("it failed");
        assert_eq!(ended.status(), expected, "{ended}");
    });
    let other = RegistryClient::new(&at[1], &Options::default()).expect("a client");
    let end = std::time::Instant::now() + LIMIT;
    while other.lookup("acme.Kept", soon()).is_err() {
        assert!(
            std::time::Instant::now() < end,
            "it is not registered at the second one"
        );
    }
    first.close().expect("the first time");
    assert_eq!(first.close().expect_err("it was closed").status(), Status::Closed);
    // Both its addresses are free.
    let mut options = Options::default();
    options
        .registry_mut()
        .set_publish_endpoint(&publishing)
        .expect("an endpoint");
    let again = RegistryServer::new(&at[0], &options).expect("the addresses are free");
    again.close().expect("it was open");
    again.wait_ended(Deadline::Now).expect("it was closed");
}

#[test]
fn a_registry_that_cannot_receive_is_closed_and_says_why() {
    fails(FaultKind::Error, Status::OutOfMemory);
}

#[test]
fn a_registry_whose_thread_panics_is_closed_and_says_why() {
    fails(FaultKind::Panic, Status::Internal);
}
