//! `dividere broker`: shares the requests of clients among workers.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use dividere::{Broker, BrokerSide, BrokerStatistics, Deadline, Options};
use serde_json::json;

use crate::failure::Failure;
use crate::output::Output;
use crate::sockets::SocketArgs;
use crate::stop::{Stop, WhenOutputCloses};
use crate::units::duration;

/// Share the requests of clients among workers
///
/// Binds to both endpoints, unless `>` is in front of one. Requests wait while no worker is free, and go to the worker
/// that has been idle for longest; those of dividere 2.2.0 are served, too. Runs until Ctrl-C.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  dividere broker 'tcp://*:5562' 'tcp://*:5563'
  dividere broker 'tcp://*:5562' 'tcp://*:5563' --statistics 10s --json
  dividere broker 'tcp://*:5562' 'tcp://*:5563' -o broker_queue_limit=100 -o worker_heartbeat_ms=1000")]
pub struct BrokerArgs {
    /// Where clients send requests
    #[arg(value_name = "FRONT")]
    front: String,

    /// Where workers connect
    #[arg(value_name = "BACK")]
    back: String,

    /// Print a line with counts that often
    #[arg(long, value_name = "TIME", value_parser = duration)]
    statistics: Option<Duration>,

    /// Print JSON objects
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    sockets: SocketArgs,
}

pub fn run(args: &BrokerArgs) -> Result<(), Failure> {
    if args.statistics.is_some_and(|time| time.is_zero()) {
        return Err(Failure::usage("--statistics 0 is too often"));
    }
    let stop = Stop::listen(WhenOutputCloses::GoOn)?;
    let options = args.sockets.options(Options::new())?;
    let broker = Arc::new(Broker::new(&args.front, &args.back, &options).map_err(Failure::of_arguments)?);
    let mut output = Output::new()?;
    let at = |side, given: &str| broker.last_endpoint(side).unwrap_or_else(|_| given.to_owned());
    let (front, back) = (at(BrokerSide::Front, &args.front), at(BrokerSide::Back, &args.back));
    match args.json {
        true => output.json(&json!({"front": front, "back": back}))?,
        false => output.line(format!("clients at {front}, workers at {back}"))?,
    }
    output.flush()?;
    let watched = Arc::clone(&broker);
    stop.ends_with(move || watched.wait_ended(Deadline::Never))?;
    let served = serve(args, &stop, &broker, &mut output);
    // Whatever became of that: the other one who has it waits for its end.
    let closed = broker.close();
    served?;
    Ok(closed?)
}

fn serve(args: &BrokerArgs, stop: &Stop, broker: &Broker, output: &mut Output) -> Result<(), Failure> {
    while !stop.wait(args.statistics.unwrap_or(Duration::MAX)) {
        tell(args, &broker.statistics()?, output)?;
    }
    stop.outcome()?;
    tell(args, &broker.statistics()?, output)
}

fn tell(args: &BrokerArgs, counts: &BrokerStatistics, output: &mut Output) -> Result<(), Failure> {
    if args.json {
        output.json(&json!({
            "workers": counts.workers, "idle_workers": counts.idle_workers,
            "queued": counts.queued, "working": counts.working,
            "served": counts.served, "retried": counts.retried, "refused": counts.refused,
            "failed": counts.failed, "expired": counts.expired, "late": counts.late,
        }))?;
    } else {
        output.line(format!(
            "workers {} ({} idle), queued {}, working {}, served {}, retried {}, refused {}, failed {}, expired {}, \
             late {}",
            counts.workers,
            counts.idle_workers,
            counts.queued,
            counts.working,
            counts.served,
            counts.retried,
            counts.refused,
            counts.failed,
            counts.expired,
            counts.late
        ))?;
    }
    output.flush()
}
