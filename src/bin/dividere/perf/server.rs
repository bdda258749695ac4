//! The side that is asked: sends back what it gets, and counts what is published to it.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use dividere::{Channel, Deadline, Error, Filter, Message, Options, Response, Status, Subscriber};
use serde_json::{json, Value};

use super::{beside, PerfArgs};
use crate::failure::Failure;
use crate::output::{tell, Output};
use crate::stop::Stop;

/// How a message begins that is to be sent back.
pub const ECHO: u8 = b'E';
/// A request to count: answered with the endpoint to publish at.
pub const BEGIN: &[u8] = b"begin";
/// A request for the counts: answered when the last message arrived.
pub const RESULT: &[u8] = b"result";
/// The type of the messages that are counted, and of the one that ends them.
pub const SAMPLE_TYPE: &str = "dividere.perf.Sample";
pub const END_TYPE: &str = "dividere.perf.End";

/// So long without a message, and whoever published is gone.
const SILENCE_MS: i64 = 10_000;

/// Whom Ctrl-C closes.
type Counting = Arc<Mutex<Option<Arc<Subscriber>>>>;

/// Messages that are counted, on a thread of their own.
struct Count {
    subscriber: Arc<Subscriber>,
    thread: JoinHandle<dividere::Result<Value>>,
}

pub fn run(
    args: &PerfArgs,
    endpoint: &str,
    options: &Options,
    stop: &Stop,
    output: &mut Output,
) -> Result<(), Failure> {
    let data = beside(endpoint, args.data_port)?;
    let bound = match endpoint.starts_with(['@', '>']) {
        true => endpoint.to_owned(),
        false => format!("@{endpoint}"),
    };
    let response = Arc::new(Response::new(&bound, options).map_err(Failure::of_arguments)?);
    stop.closes(&response);
    let at = response.last_endpoint()?;
    match args.json {
        true => output.json(&json!({ "endpoint": at }))?,
        false => output.line(format!("serving at {at}"))?,
    }
    output.flush()?;
    let mut count: Option<Count> = None;
    // Ctrl-C also ends the wait for messages that do not come.
    let counting: Counting = Arc::default();
    let own = Arc::clone(&counting);
    stop.when_requested(move || {
        if let Some(subscriber) = own.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _closed_already = subscriber.close();
        }
    });
    let mut request = Message::new();
    let error = loop {
        if let Err(error) = response.recv_bytes(&mut request, Deadline::Never) {
            break error;
        }
        let answered = match request.bytes() {
            [ECHO, ..] => Message::from_bytes(request.bytes()).and_then(|mut echo| request.reply(&mut echo)),
            BEGIN => begin(&data, options, &mut count, &counting).and_then(|told| reply(&request, &told)),
            RESULT => result(count.take()).and_then(|told| reply(&request, &told)),
            _ => Err(Error::new(Status::InvalidArgument, "this is a `dividere perf --serve`")),
        };
        if let Err(error) = answered {
            if error.status() != Status::Closed {
                tell(&error);
            }
            // STATE where it was the answer that failed: there is nobody to be told.
            let _nobody_to_be_told = request.reply_error(error.status(), error.text());
        }
    };
    if let Some(count) = count {
        let _closed_already = count.subscriber.close();
        let _of_no_use = count.thread.join();
    }
    stop.forgives(error)
}

fn reply(request: &Message, told: &Value) -> dividere::Result<()> {
    request.reply(&mut Message::from_bytes(told.to_string().as_bytes())?)
}

/// Begins to count; whoever counted before is done.
fn begin(at: &str, options: &Options, count: &mut Option<Count>, counting: &Counting) -> dividere::Result<Value> {
    if let Some(before) = count.take() {
        // CLOSED where it was done already.
        let _closed_already = before.subscriber.close();
        let _of_no_use = before.thread.join();
    }
    let subscriber = Arc::new(Subscriber::new(&format!("@{at}"), Filter::All, options)?);
    let endpoint = subscriber.last_endpoint()?;
    *counting.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&subscriber));
    let own = Arc::clone(&subscriber);
    let thread = std::thread::Builder::new()
        .name("dividere-perf".into())
        .spawn(move || counted(&own))
        .map_err(|error| Error::new(Status::Limit, format!("cannot start a thread: {error}")))?;
    *count = Some(Count { subscriber, thread });
    Ok(json!({ "endpoint": endpoint }))
}

/// Counts until the end is told. The time is that from the first message to the last.
fn counted(subscriber: &Subscriber) -> dividere::Result<Value> {
    let silence = || Deadline::from_ms(SILENCE_MS);
    let mut message = Message::new();
    subscriber.recv(&mut message, silence())?;
    let began = Instant::now();
    let (mut messages, mut bytes) = (0u64, 0u64);
    while message.type_name() == Some(SAMPLE_TYPE) {
        messages += 1;
        bytes += message.payload().len() as u64;
        // Waiting costs a look at the clock, which the next one mostly need not.
        match subscriber.recv(&mut message, Deadline::Now) {
            Err(error) if error.status() == Status::WouldBlock => subscriber.recv(&mut message, silence())?,
            other => other?,
        }
    }
    Ok(json!({"messages": messages, "bytes": bytes, "seconds": began.elapsed().as_secs_f64()}))
}

fn result(count: Option<Count>) -> dividere::Result<Value> {
    let count = count.ok_or_else(|| Error::new(Status::State, "nothing is counted: begin first"))?;
    let counted = count.thread.join();
    // CLOSED where Ctrl-C ended it.
    let _closed_already = count.subscriber.close();
    counted.unwrap_or_else(|_| Err(Error::new(Status::Internal, "the counting thread panicked")))
}
