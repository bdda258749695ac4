//! `dividere pub`: publishes messages, and waits until they are on their way.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use dividere::connection::options::FullQueue;
use dividere::{Channel, Error, Options, Publisher, Status};
use serde_json::json;

use crate::failure::Failure;
use crate::messages::{MessageArgs, Outgoing, Source};
use crate::output::{tell, Output};
use crate::progress::Progress;
use crate::sockets::{report, SocketArgs};
use crate::stop::{Stop, WhenOutputCloses};
use crate::types::TypeArgs;
use crate::units::{duration, Limit};

/// Publish messages
///
/// Binds to the endpoint, unless `>` is in front of it. Waits for a subscriber first, and in the end until everything
/// was handed to the connections. When a subscriber does not keep up, it is waited for.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  dividere pub 'tcp://*:5555' example.Reading '{\"sensor\": \"roof\", \"celsius\": 21.5}' --proto example.proto
  dividere pub 'tcp://*:5555' example.Reading --proto example.proto < readings.jsonl
  dividere pub '>tcp://localhost:5556' --bytes hello --count 0 --interval 1s")]
pub struct PubArgs {
    /// Where to publish, as 'tcp://*:5555'; several are separated by commas
    endpoint: String,

    #[command(flatten)]
    message: MessageArgs,

    /// How often to publish it; 0 for ever. Lines of stdin are published once each
    #[arg(short = 'n', long, value_name = "N", default_value_t = 1)]
    count: u64,

    /// How long to wait between two messages
    #[arg(short, long, value_name = "TIME", value_parser = duration, default_value = "0")]
    interval: Duration,

    /// How many subscribers to wait for before the first message; 0 to publish whether anybody hears it or not
    #[arg(short, long, value_name = "N", default_value_t = 1)]
    subscribers: usize,

    /// How long to wait for subscribers, and then for a slow one
    #[arg(short, long, value_name = "TIME", default_value = "10s")]
    timeout: Limit,

    /// Print how much was sent, as a JSON object
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    types: TypeArgs,

    #[command(flatten)]
    sockets: SocketArgs,
}

#[derive(Default)]
struct Sent {
    messages: u64,
    bytes: u64,
}

pub fn run(args: &PubArgs) -> Result<(), Failure> {
    let stop = Stop::listen(WhenOutputCloses::GoOn)?;
    let mut source = Source::new(&args.message, &args.types, &stop)?;
    if source.is_stdin() && args.count != 1 {
        return Err(Failure::usage(
            "--count goes with a message on the command line, not with stdin",
        ));
    }
    let mut options = Options::new();
    options.set_full_queue(Some(FullQueue::Block));
    options
        .set_send_timeout_ms(args.timeout.as_ms())
        .map_err(|error| Failure::usage(format!("--timeout: {error}")))?;
    let options = args.sockets.options(options)?;
    let publisher = Arc::new(Publisher::new(&args.endpoint, &options).map_err(Failure::of_arguments)?);
    stop.closes(&publisher);
    report(&*publisher, &args.endpoint)?;

    let mut sent = Sent::default();
    let ended = publish(args, &publisher, &mut source, &stop, &mut sent);
    let outcome = match ended {
        Err(Failure::Error(error)) => stop.forgives(error),
        other => other,
    };
    tell_losses(&*publisher);
    if args.json {
        let mut output = Output::new()?;
        output.json(&json!({"messages": sent.messages, "bytes": sent.bytes}))?;
        output.flush()?;
    }
    outcome
}

fn publish(
    args: &PubArgs,
    publisher: &Publisher,
    source: &mut Source,
    stop: &Stop,
    sent: &mut Sent,
) -> Result<(), Failure> {
    if args.subscribers > 0 {
        publisher
            .wait_for_subscribers(source.type_name(), args.subscribers, args.timeout.deadline())
            .map_err(|error| lacks_subscribers(error, args))?;
    }
    let mut progress = Progress::new();
    let mut send = |outgoing: &Outgoing, sent: &mut Sent| -> Result<bool, Failure> {
        if sent.messages > 0 && !args.interval.is_zero() && stop.wait(args.interval) {
            return Ok(false);
        }
        publisher.send(&mut outgoing.message()?)?;
        sent.messages += 1;
        sent.bytes += outgoing.len() as u64;
        progress.update(|| format!("{} messages sent", sent.messages));
        Ok(true)
    };
    while let Some(outgoing) = source.next()? {
        let mut left = if args.count == 0 { u64::MAX } else { args.count };
        while left > 0 && !stop.is_requested() {
            if !send(&outgoing, sent)? {
                return Ok(());
            }
            left -= 1;
        }
    }
    drop(progress);
    if stop.is_requested() {
        // Closing sends what is left.
        return Ok(());
    }
    match args.timeout {
        // Who does not wait leaves it to the linger time.
        Limit::After(Duration::ZERO) => Ok(()),
        timeout => Ok(publisher.flush(timeout.deadline())?),
    }
}

fn lacks_subscribers(error: Error, args: &PubArgs) -> Failure {
    match error.status() {
        Status::Timeout | Status::WouldBlock => Failure::from(Error::new(
            Status::Timeout,
            format!(
                "fewer than {} subscriber(s) within {}; --subscribers 0 publishes all the same",
                args.subscribers, args.timeout
            ),
        )),
        _ => Failure::from(error),
    }
}

/// Where an option lets messages be dropped.
fn tell_losses(channel: &impl Channel) {
    match channel.statistics() {
        Ok(statistics) if statistics.dropped_queue_full > 0 => {
            tell(format!(
                "{} messages were dropped: a subscriber did not keep up",
                statistics.dropped_queue_full
            ));
        }
        // Closed by Ctrl-C: what was dropped until then is not known any more.
        _ => {}
    }
}
