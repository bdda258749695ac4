//! `dividere sub`: shows what is published.

use std::sync::Arc;

use clap::Args;
use dividere::{Channel, Deadline, Filter, Message, MessageKind, Options, Status, Subscriber};

use crate::failure::Failure;
use crate::output::Output;
use crate::show::ShowArgs;
use crate::sockets::{report, SocketArgs};
use crate::stop::{Stop, WhenOutputCloses};
use crate::types::{TypeArgs, Types};
use crate::units::{self, Limit};

/// Show what is published
///
/// Connects to the endpoint, unless `@` is in front of it, and prints a line for each message: the time, the type,
/// and the message as JSON, where its type is known from --proto or --descriptor-set; otherwise its bytes as
/// hexadecimal digits. Goes on until Ctrl-C.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  dividere sub tcp://localhost:5555 --proto protos/
  dividere sub tcp://localhost:5555 example.Reading --proto example.proto --json | jq .message.celsius
  dividere sub tcp://localhost:5555 --bytes --text --count 1 --timeout 5s")]
pub struct SubArgs {
    /// Where to listen, as tcp://localhost:5555; several are separated by commas
    endpoint: String,

    /// Full names of the message types to show; unless given, everything
    #[arg(value_name = "TYPE")]
    type_names: Vec<String>,

    /// Show bytes that begin with this text; may be given several times
    #[arg(long, value_name = "TEXT")]
    prefix: Vec<String>,

    /// Show bytes as they are, without looking for messages in them
    #[arg(long)]
    bytes: bool,

    /// How many messages to show; 0 for no limit
    #[arg(short = 'n', long, value_name = "N", default_value_t = 0)]
    count: u64,

    /// How long to wait for the next message
    #[arg(short, long, value_name = "TIME", default_value = "never")]
    timeout: Limit,

    /// Show the newest message only, when they come faster than they can be shown
    #[arg(long, conflicts_with_all = ["type_names", "prefix"])]
    latest: bool,

    #[command(flatten)]
    show: ShowArgs,

    #[command(flatten)]
    types: TypeArgs,

    #[command(flatten)]
    sockets: SocketArgs,
}

pub fn run(args: &SubArgs) -> Result<(), Failure> {
    let types = Types::load(&args.types)?;
    let stop = Stop::listen(WhenOutputCloses::End)?;
    let mut options = Options::new();
    options.set_keep_latest(args.latest);
    let options = args.sockets.options(options)?;
    let names: Vec<&str> = args.type_names.iter().map(String::as_str).collect();
    let filter = match names.is_empty() && args.prefix.is_empty() {
        true => Filter::All,
        false => Filter::Types(&names),
    };
    let subscriber = Arc::new(Subscriber::new(&args.endpoint, filter, &options).map_err(Failure::of_arguments)?);
    for prefix in &args.prefix {
        subscriber
            .subscribe_prefix(prefix.as_bytes())
            .map_err(Failure::of_arguments)?;
    }
    stop.closes(&subscriber);
    report(&*subscriber, &args.endpoint)?;

    let mut output = Output::new()?;
    let shown = show(args, &types, &subscriber, &mut output);
    output.flush()?;
    match shown {
        Err(Failure::Error(error)) => stop.forgives(error),
        other => other,
    }
}

fn show(args: &SubArgs, types: &Types, subscriber: &Subscriber, output: &mut Output) -> Result<(), Failure> {
    let mut message = Message::new();
    let mut left = if args.count == 0 { u64::MAX } else { args.count };
    while left > 0 {
        receive(args, subscriber, output, &mut message)?;
        args.show
            .print(output, types, &message, &[("time", units::now().into())])?;
        left -= 1;
    }
    Ok(())
}

/// The next message. What was printed is handed over before it is waited for.
fn receive(args: &SubArgs, subscriber: &Subscriber, output: &mut Output, message: &mut Message) -> Result<(), Failure> {
    let receive = |message: &mut Message, deadline| {
        let received = match args.bytes {
            true => subscriber.recv_bytes(message, deadline),
            false => subscriber.recv(message, deadline),
        };
        match received {
            // No envelope: its bytes are shown.
            Err(error) if error.status() == Status::Decode && message.kind() == MessageKind::Undecodable => Ok(()),
            other => other,
        }
    };
    match receive(message, Deadline::Now) {
        Err(error) if error.status() == Status::WouldBlock => {}
        other => return Ok(other?),
    }
    output.flush()?;
    receive(message, args.timeout.deadline()).map_err(|error| match error.status() {
        Status::Timeout | Status::WouldBlock => Failure::from(dividere::Error::new(
            Status::Timeout,
            format!("no message within {}", args.timeout),
        )),
        _ => Failure::from(error),
    })
}
