//! `dividere call`: asks, and shows the answer.

use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use dividere::connection::endpoint::Endpoint;
use dividere::{Error, Instance, Message, Options, Request, Status};
use serde_json::json;

use crate::failure::{code_of, Failure};
use crate::messages::{MessageArgs, Source};
use crate::names::{lookup::no_service, RegistryArgs};
use crate::output::{self, tell_failure, Output};
use crate::progress::Progress;
use crate::show::ShowArgs;
use crate::sockets::{report, SocketArgs};
use crate::stop::{Stop, WhenOutputCloses};
use crate::types::TypeArgs;
use crate::units::Limit;

/// Ask, and show the answer
///
/// Sends a request to a service, by its name or by its endpoint, and prints the reply: as JSON where its type is known from --proto or
/// --descriptor-set, otherwise as hexadecimal digits. From stdin, each line is a request of its own; one that fails
/// does not keep the others back, and the exit code is that of the first failure.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  dividere call tcp://localhost:5560 example.Division '{\"dividend\": 7, \"divisor\": 2}' --proto example.proto
  dividere call greeter acme.Hello '{}' --proto acme.proto --registry tcp://registry:5000
  dividere call tcp://localhost:5560 --bytes ping --text --timeout 500ms --retries 3")]
pub struct CallArgs {
    /// Whom to ask: the name of a service, or endpoints, as tcp://localhost:5560; several, separated by commas, are
    /// asked in turn, as are the instances of a service
    target: String,

    #[command(flatten)]
    message: MessageArgs,

    /// How long to wait for the reply, each time
    #[arg(short, long, value_name = "TIME", default_value = "10s")]
    timeout: Limit,

    /// How often to ask again when no reply comes: only what may be done twice
    #[arg(short, long, value_name = "N", default_value_t = 0)]
    retries: u32,

    #[command(flatten)]
    show: ShowArgs,

    #[command(flatten)]
    types: TypeArgs,

    #[command(flatten)]
    registry: RegistryArgs,

    #[command(flatten)]
    sockets: SocketArgs,
}

pub fn run(args: &CallArgs) -> Result<(), Failure> {
    let stop = Stop::listen(WhenOutputCloses::GoOn)?;
    let mut source = Source::new(&args.message, &args.types, &stop)?;
    let options = args.sockets.options(Options::new())?;
    let endpoints = endpoints(args, &options, &stop).map_err(|failure| match failure {
        Failure::Error(error) => stop.explains(error).into(),
        other => other,
    })?;
    let request = Arc::new(Request::new(&endpoints, &options).map_err(Failure::of_arguments)?);
    stop.closes(&request);
    report(&*request, &endpoints)?;

    let mut output = Output::new()?;
    let mut progress = Progress::new();
    let mut first_failure = None;
    let mut asked = 0u64;
    while let Some(outgoing) = source.next()? {
        asked += 1;
        progress.update(|| format!("request {asked}"));
        let mut reply = Message::new();
        let began = Instant::now();
        let answered = request.call(&mut outgoing.message()?, &mut reply, args.timeout.as_ms(), args.retries);
        let elapsed_ms = began.elapsed().as_micros() as f64 / 1000.0;
        progress.clear();
        match answered {
            Ok(()) => {
                let beside = [("elapsed_ms", json!(elapsed_ms))];
                let beside = if args.show.json { &beside[..] } else { &[] };
                args.show.print(&mut output, source.types(), &reply, beside)?;
            }
            Err(error) => {
                let error = stop.explains(error);
                if !source.is_stdin() || stop.is_requested() {
                    return Err(error.into());
                }
                first_failure.get_or_insert(code_of(error.status()));
                tell(args, &mut output, asked, &error)?;
            }
        }
        output.flush()?;
    }
    first_failure.map_or(Ok(()), |code| Err(Failure::Told(code)))
}

/// Where the target is. A name never has what every endpoint has.
fn endpoints(args: &CallArgs, options: &Options, stop: &Stop) -> Result<String, Failure> {
    if args.target.contains("://") {
        return Ok(args.target.clone());
    }
    let client = args.registry.client(options, stop)?;
    let instances = client
        .lookup_all(&args.target, args.timeout.deadline())
        .map_err(|error| args.registry.explains(error))?;
    if instances.is_empty() {
        return Err(no_service(&args.target).into());
    }
    // Whoever registers may say anything of where it is, a list of endpoints, too.
    let (good, bad): (Vec<String>, Vec<String>) = instances
        .iter()
        .map(Instance::endpoint)
        .partition(|endpoint| Endpoint::parse(endpoint).is_ok());
    for endpoint in &bad {
        output::tell(format!(
            "{} is registered at '{endpoint}', which is no endpoint",
            args.target
        ));
    }
    match good.is_empty() {
        true => Err(Error::new(Status::Endpoint, "no instance of the service can be reached").into()),
        false => Ok(good.join(",")),
    }
}

/// One of several requests failed.
fn tell(args: &CallArgs, output: &mut Output, number: u64, error: &Error) -> Result<(), Failure> {
    tell_failure(format!("request {number}: {error}"));
    if args.show.json {
        // In its place among the answers.
        output.json(&json!({"error": {"status": error.status().name(), "text": error.text()}}))?;
    }
    Ok(())
}
