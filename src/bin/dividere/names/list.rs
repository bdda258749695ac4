//! `dividere ls`: lists what is registered.

use clap::Args;
use serde_json::Value;

use super::{line, object, RegistryArgs};
use crate::failure::Failure;
use crate::output::{harmless, Output};
use crate::sockets::SocketArgs;
use crate::stop::{Stop, WhenOutputCloses};
use crate::units::Limit;

/// List what is registered
///
/// Prints a line for each instance of each service: its name, where it is, and what it told of itself.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  dividere ls
  dividere ls acme. --registry tcp://registry:5000 --json | jq -r .endpoint")]
pub struct ListArgs {
    /// Names that begin with this; unless given, all
    #[arg(default_value = "", hide_default_value = true)]
    prefix: String,

    /// How long to wait for a registry's answer
    #[arg(short, long, value_name = "TIME", default_value = "5s")]
    timeout: Limit,

    /// Print one JSON object a line
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    registry: RegistryArgs,

    #[command(flatten)]
    sockets: SocketArgs,
}

pub fn run(args: &ListArgs) -> Result<(), Failure> {
    let stop = Stop::listen(WhenOutputCloses::GoOn)?;
    let client = args.registry.client_with(&args.sockets, &stop)?;
    let instances = client
        .list(&args.prefix, args.timeout.deadline())
        .map_err(|error| args.registry.explains(stop.explains(error)))?;
    let mut output = Output::new()?;
    let shown = |name: &str| harmless(name).chars().count();
    let width = instances
        .iter()
        .map(|instance| shown(&instance.name))
        .max()
        .unwrap_or(0);
    for instance in &instances {
        match args.json {
            true => output.json(&Value::Object(object(instance)))?,
            false => output.line(line(&output, instance, width))?,
        }
    }
    output.flush()
}
