//! `dividere proxy`: passes messages on between two endpoints.

use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use dividere::{Deadline, Options, Proxy, ProxyKind, Statistics};
use serde_json::{json, Value};

use crate::failure::Failure;
use crate::output::Output;
use crate::sockets::SocketArgs;
use crate::stop::{Stop, WhenOutputCloses};
use crate::units::duration;

/// Pass messages on between two endpoints
///
/// Binds to both, unless `>` is in front of one, so that programs need to know the proxy's address only. Runs until
/// Ctrl-C.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  dividere proxy 'tcp://*:5560' 'tcp://*:5561'
  dividere proxy --kind publish-subscribe 'tcp://*:5555' 'tcp://*:5556' --capture tcp://127.0.0.1:5557
  dividere proxy 'tcp://*:5560' 'tcp://*:5561' --statistics 10s --json")]
pub struct ProxyArgs {
    /// Where requests, or publications, come in
    #[arg(value_name = "FRONT")]
    front: String,

    /// Where servers, or subscribers, connect
    #[arg(value_name = "BACK")]
    back: String,

    /// What to pass on
    #[arg(short, long, value_enum, default_value_t = Kind::RequestResponse)]
    kind: Kind,

    /// Publish everything that passes at this endpoint, too
    #[arg(long, value_name = "ENDPOINT")]
    capture: Option<String>,

    /// Print a line with counts that often
    #[arg(long, value_name = "TIME", value_parser = duration)]
    statistics: Option<Duration>,

    /// Print JSON objects
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    sockets: SocketArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Requests, and their replies back
    RequestResponse,
    /// Publications, to whoever subscribes behind
    PublishSubscribe,
}

pub fn run(args: &ProxyArgs) -> Result<(), Failure> {
    if args.statistics.is_some_and(|time| time.is_zero()) {
        return Err(Failure::usage("--statistics 0 is too often"));
    }
    let stop = Stop::listen(WhenOutputCloses::GoOn)?;
    let options = args.sockets.options(Options::new())?;
    let kind = match args.kind {
        Kind::RequestResponse => ProxyKind::RequestResponse,
        Kind::PublishSubscribe => ProxyKind::PublishSubscribe,
    };
    let proxy = Proxy::new(kind, &args.front, &args.back, args.capture.as_deref(), &options);
    let proxy = Arc::new(proxy.map_err(Failure::of_arguments)?);
    let mut output = Output::new()?;
    tell_endpoints(args, &proxy, &mut output)?;
    output.flush()?;
    let watched = Arc::clone(&proxy);
    stop.ends_with(move || watched.wait_ended(Deadline::Never))?;
    let served = serve(args, &stop, &proxy, &mut output);
    // Whatever became of that: the other one who has it waits for its end.
    let closed = proxy.close();
    served?;
    Ok(closed?)
}

fn serve(args: &ProxyArgs, stop: &Stop, proxy: &Proxy, output: &mut Output) -> Result<(), Failure> {
    while !stop.wait(args.statistics.unwrap_or(Duration::MAX)) {
        tell_counts(args, proxy, output)?;
        output.flush()?;
    }
    stop.outcome()?;
    tell_counts(args, proxy, output)?;
    output.flush()
}

fn tell_endpoints(args: &ProxyArgs, proxy: &Proxy, output: &mut Output) -> Result<(), Failure> {
    let at = |endpoint: Option<String>, given: &str| endpoint.unwrap_or_else(|| given.to_owned());
    let front = at(proxy.front().last_endpoint(), &args.front);
    let back = at(proxy.back().last_endpoint(), &args.back);
    let capture = proxy.capture().and_then(|capture| capture.last_endpoint());
    if args.json {
        return output.json(&json!({"front": front, "back": back, "capture": capture}));
    }
    let capture = capture
        .map(|capture| format!(", capture at {capture}"))
        .unwrap_or_default();
    output.line(format!("front end at {front}, back end at {back}{capture}"))
}

fn tell_counts(args: &ProxyArgs, proxy: &Proxy, output: &mut Output) -> Result<(), Failure> {
    let (front, back) = proxy.statistics()?;
    if args.json {
        return output.json(&json!({"front": counts(&front), "back": counts(&back)}));
    }
    let dropped = |end: &Statistics| end.dropped_queue_full + end.dropped_unrouted;
    output.line(format!(
        "forth {} messages, back {}, dropped {}",
        front.messages_in,
        back.messages_in,
        dropped(&front) + dropped(&back)
    ))
}

fn counts(end: &Statistics) -> Value {
    json!({
        "messages_in": end.messages_in,
        "messages_out": end.messages_out,
        "bytes_in": end.bytes_in,
        "bytes_out": end.bytes_out,
        "dropped_queue_full": end.dropped_queue_full,
        "dropped_unrouted": end.dropped_unrouted,
    })
}
