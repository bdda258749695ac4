//! Names: a service registers, a client that knows nothing but its name finds it, and hears when it goes.

use std::sync::Arc;
use std::thread;

use dividere::{
    Channel, Deadline, Message, Options, RegistryClient, RegistryServer, Request, Response, Result, Selection, Status,
    WatchEventKind,
};
use example_messages::{Division, Quotient};

const SERVICE: &str = "example.division";
const TIMEOUT_MS: i64 = 5_000;

fn in_time() -> Deadline {
    Deadline::from_ms(TIMEOUT_MS)
}

/// Ends when the response is closed.
fn serve(response: &Response) -> Result<()> {
    let mut message = Message::new();
    while response.recv(&mut message, Deadline::Never).is_ok() {
        match message.get::<Division>() {
            Ok(division) if division.divisor != 0 => {
                message.set(&Quotient {
                    quotient: division.dividend / division.divisor,
                    remainder: division.dividend % division.divisor,
                })?;
                response.send(&mut message)?;
            }
            _ => response.send_error(Status::InvalidArgument, "nothing can be divided by zero")?,
        }
    }
    Ok(())
}

fn find_and_ask(client: &RegistryClient) -> Result<()> {
    let place = client.lookup(SERVICE, in_time())?;
    println!(
        "{SERVICE} is at {} ({})",
        place.endpoint(),
        String::from_utf8_lossy(&place.metadata)
    );
    let request = Request::new(&place.endpoint(), &Options::new())?;
    let division = Division {
        dividend: 17,
        divisor: 5,
    };
    let answer: Quotient = request.call_as(&division, TIMEOUT_MS, 0)?;
    println!("17 / 5 = {}, remainder {}", answer.quotient, answer.remainder);
    assert_eq!((answer.quotient, answer.remainder), (3, 2));
    Ok(())
}

fn main() -> Result<()> {
    let registry = RegistryServer::new("tcp://127.0.0.1:*", &Options::new())?;
    let response = Arc::new(Response::new("tcp://127.0.0.1:*", &Options::new())?);
    let endpoint = response.last_endpoint()?;
    let port = endpoint
        .rsplit(':')
        .next()
        .and_then(|port| port.parse().ok())
        .expect("a port");
    let server = {
        let response = Arc::clone(&response);
        thread::spawn(move || serve(&response))
    };

    // The service's own client: it renews the lease as long as the process lives.
    let mut options = Options::new();
    options.registry_mut().set_advertise("127.0.0.1")?;
    let owner = RegistryClient::new(&registry.endpoint()?, &options)?;
    let registration = owner.register(SERVICE, port, b"version 1", in_time())?;

    let client = RegistryClient::new(&registry.endpoint()?, &Options::new())?;
    let watch = client.watch(Selection::Name(SERVICE), in_time())?;
    find_and_ask(&client)?;

    owner.unregister(registration, in_time())?;
    loop {
        let event = watch.recv(in_time())?;
        println!("{:?} {}", event.kind, event.instance.name);
        if event.kind == WatchEventKind::Delete {
            break;
        }
    }
    let gone = client.lookup(SERVICE, in_time()).expect_err("it was unregistered");
    assert_eq!(gone.status(), Status::NotFound);
    response.close()?;
    server.join().expect("the server panicked")
}
