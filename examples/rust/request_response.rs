//! Request and response: a question gets its answer, or an error, in time.

use std::sync::Arc;
use std::thread;

use dividere::{Channel, Deadline, Message, Options, Request, Response, Result, Status};
use example_messages::{Division, Quotient};

const TIMEOUT_MS: i64 = 2_000;
const RETRIES: u32 = 4;

/// Ends when the response is closed.
fn serve(response: &Response) -> Result<()> {
    let mut message = Message::new();
    loop {
        match response.recv(&mut message, Deadline::Never) {
            Ok(()) => {}
            Err(error) if error.status() == Status::Closed => return Ok(()),
            // It was answered with an error already.
            Err(error) if error.status() == Status::Decode => continue,
            Err(error) => return Err(error),
        }
        match message.get::<Division>() {
            Ok(division) if division.divisor == 0 => {
                response.send_error(Status::InvalidArgument, "nothing can be divided by zero")?
            }
            Ok(division) => {
                message.set(&Quotient {
                    quotient: division.dividend / division.divisor,
                    remainder: division.dividend % division.divisor,
                })?;
                response.send(&mut message)?;
            }
            Err(error) => response.send_error(error.status(), error.text())?,
        }
    }
}

fn ask(endpoint: &str) -> Result<()> {
    let request = Request::new(endpoint, &Options::new())?;
    let mut division = Division {
        dividend: 17,
        divisor: 5,
    };
    // Waits two seconds for the answer, and asks up to four times more where none comes.
    let answer: Quotient = request.call_as(&division, TIMEOUT_MS, RETRIES)?;
    println!("17 / 5 = {}, remainder {}", answer.quotient, answer.remainder);
    assert_eq!((answer.quotient, answer.remainder), (3, 2));

    // The server's error is ours.
    division.divisor = 0;
    let refused = request
        .call_as::<_, Quotient>(&division, TIMEOUT_MS, RETRIES)
        .expect_err("17 / 0 was not refused");
    println!("17 / 0: {refused}");
    assert_eq!(refused.status(), Status::InvalidArgument);
    Ok(())
}

fn main() -> Result<()> {
    let response = Arc::new(Response::new("tcp://127.0.0.1:*", &Options::new())?);
    let server = thread::spawn({
        let response = Arc::clone(&response);
        move || serve(&response)
    });
    ask(&response.last_endpoint()?)?;
    response.close()?; // wakes the server
    server.join().unwrap()
}
