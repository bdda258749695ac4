//! `dividere perf`: how many messages a second, and how long a round trip takes, between two of itself.

mod client;
mod histogram;
mod peer;
mod server;

use std::time::Duration;

use clap::{Args, ValueEnum};
use dividere::connection::endpoint::{Endpoint, Transport};
use dividere::Options;

use crate::failure::Failure;
use crate::output::Output;
use crate::sockets::SocketArgs;
use crate::stop::{Stop, WhenOutputCloses};
use crate::units::duration;

/// Measure throughput and latency between two of itself
///
/// Without an endpoint it starts the other side by itself, on this machine. With one it goes to a `dividere perf
/// --serve` there. Throughput is that of typed messages from a publisher to a subscriber, which loses none, counted
/// where they arrive; a round trip is that of a request and its reply, one after another.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  dividere perf
  dividere perf --size 64,1024,65536 --duration 5s --json
  dividere perf --serve 'tcp://*:7000'                # on one machine
  dividere perf tcp://that-machine:7000               # on the other one")]
pub struct PerfArgs {
    /// A `perf --serve`, as tcp://host:7000; unless given, one is started on this machine
    endpoint: Option<String>,

    /// Be the other side, at this endpoint, until Ctrl-C; for one at a time
    #[arg(long, value_name = "ENDPOINT", conflicts_with_all = ["endpoint", "sizes", "duration", "only", "transport"])]
    serve: Option<String>,

    /// With --serve: the TCP port for throughput [default: a free one]
    #[arg(long, value_name = "PORT", requires = "serve")]
    data_port: Option<u16>,

    /// Sizes of messages in bytes, separated by commas
    #[arg(
        short,
        long = "size",
        value_name = "BYTES",
        value_delimiter = ',',
        default_value = "64"
    )]
    sizes: Vec<usize>,

    /// How long each measurement takes
    #[arg(short, long, value_name = "TIME", value_parser = duration, default_value = "2s")]
    duration: Duration,

    /// Measure one of the two
    #[arg(long, value_enum)]
    only: Option<Measure>,

    /// How the two are connected, where both are on this machine
    #[arg(long, value_enum, default_value_t = Local::Tcp, conflicts_with = "endpoint")]
    transport: Local,

    /// Print one JSON object a line
    #[arg(long)]
    json: bool,

    /// End when stdin does: with whoever started this
    #[arg(long, hide = true, requires = "serve")]
    end_with_stdin: bool,

    #[command(flatten)]
    sockets: SocketArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Measure {
    Throughput,
    RoundTrip,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Local {
    Tcp,
    Ipc,
}

pub fn run(args: &PerfArgs) -> Result<(), Failure> {
    if args.duration.is_zero() {
        return Err(Failure::usage("--duration 0 measures nothing"));
    }
    let stop = Stop::listen(WhenOutputCloses::GoOn)?;
    let options = args.sockets.options(Options::new())?;
    let mut output = Output::new()?;
    if let Some(endpoint) = &args.serve {
        if args.end_with_stdin {
            stop.end_with_stdin()?;
        }
        return server::run(args, endpoint, &options, &stop, &mut output);
    }
    let done = match &args.endpoint {
        Some(endpoint) => client::run(args, endpoint, &options, &stop, &mut output),
        None => {
            let peer = peer::Peer::start(args)?;
            client::run(args, peer.endpoint(), &options, &stop, &mut output)
            // The other side ends with this one.
        }
    };
    done.map_err(|failure| match failure {
        Failure::Error(error) => stop.explains(error).into(),
        other => other,
    })
}

/// The endpoint for the messages, beside the one that is agreed upon them at: another port of the same host, another
/// path.
fn beside(endpoint: &str, data_port: Option<u16>) -> Result<String, Failure> {
    let parsed = Endpoint::parse(endpoint).map_err(Failure::of_arguments)?;
    match parsed.transport() {
        Transport::Tcp { host, .. } => {
            let port = data_port.map_or_else(|| "*".to_owned(), |port| port.to_string());
            Ok(format!("tcp://{host}:{port}"))
        }
        Transport::Ipc { path } if path != "*" => Ok(format!("ipc://{path}-data")),
        _ => Err(Failure::usage(format!(
            "{endpoint}: perf needs a tcp endpoint, or an ipc path"
        ))),
    }
}
