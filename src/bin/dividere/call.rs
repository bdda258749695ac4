//! `dividere call`: asks, and shows the answer.

use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use dividere::{Error, Message, Options, Request, ServiceClient};
use serde_json::json;

use crate::failure::{code_of, Failure};
use crate::messages::{MessageArgs, Source};
use crate::names::RegistryArgs;
use crate::output::{tell_failure, Output};
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
    /// asked in turn. The instances of a service are asked in turn, too, and the next one at once where one is too
    /// busy or stops
    target: String,

    #[command(flatten)]
    message: MessageArgs,

    /// How long to wait for the reply, each time
    #[arg(short, long, value_name = "TIME", default_value = "10s")]
    timeout: Limit,

    /// How often to ask again when no reply comes: only what may be done twice. Of a service, other instances are asked,
    /// within the time of all attempts
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
    let asked_of = Asked::new(args, &stop)?;
    let mut output = Output::new()?;
    let mut progress = Progress::new();
    let mut first_failure = None;
    let mut asked = 0u64;
    while let Some(outgoing) = source.next()? {
        asked += 1;
        progress.update(|| format!("request {asked}"));
        let mut reply = Message::new();
        let began = Instant::now();
        let answered = asked_of.call(args, &mut outgoing.message()?, &mut reply);
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

/// Who is asked.
enum Asked {
    Endpoints(Arc<Request>),
    /// A service, by its name.
    Service(Arc<ServiceClient>),
}

impl Asked {
    /// A name never has what every endpoint has.
    fn new(args: &CallArgs, stop: &Stop) -> Result<Asked, Failure> {
        let options = args.sockets.options(Options::new())?;
        if args.target.contains("://") {
            let request = Arc::new(Request::new(&args.target, &options).map_err(Failure::of_arguments)?);
            stop.closes(&request);
            report(&*request, &args.target)?;
            return Ok(Asked::Endpoints(request));
        }
        let registry = args.registry.client(&options, stop)?;
        registry
            .wait_connected(args.timeout.deadline())
            .map_err(|error| args.registry.explains(stop.explains(error)))?;
        let made = ServiceClient::new(&args.target, &registry, &options);
        let client = Arc::new(made.map_err(Failure::of_arguments)?);
        let own = Arc::clone(&client);
        stop.when_requested(move || {
            // CLOSED where the command came to its end by itself meanwhile.
            let _closed_already = own.close();
        });
        Ok(Asked::Service(client))
    }

    fn call(&self, args: &CallArgs, request: &mut Message, reply: &mut Message) -> dividere::Result<()> {
        match self {
            Asked::Endpoints(asked) => asked.call(request, reply, args.timeout.as_ms(), args.retries),
            Asked::Service(client) => {
                // All attempts in one: the client knows when another instance is to be asked.
                let all = args.timeout.as_ms().saturating_mul(i64::from(args.retries) + 1);
                client.call(request, reply, all.max(-1), args.retries > 0)
            }
        }
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
