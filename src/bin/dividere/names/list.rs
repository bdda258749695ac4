//! `dividere ls`: lists what is registered.

use clap::Args;
use serde_json::Value;

use super::{line, object, AskingArgs};
use crate::failure::Failure;
use crate::output::{harmless, Output};
use crate::stop::{Stop, WhenOutputCloses};

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

    #[command(flatten)]
    asking: AskingArgs,
}

pub fn run(args: &ListArgs) -> Result<(), Failure> {
    let stop = Stop::listen(WhenOutputCloses::GoOn)?;
    let client = args.asking.client(&stop)?;
    let instances = client
        .list(&args.prefix, args.asking.timeout.deadline())
        .map_err(|error| args.asking.registry.explains(stop.explains(error)))?;
    let mut output = Output::new()?;
    let shown = |name: &str| harmless(name).chars().count();
    let width = instances
        .iter()
        .map(|instance| shown(&instance.name))
        .max()
        .unwrap_or(0);
    for instance in &instances {
        match args.asking.json {
            true => output.json(&Value::Object(object(instance)))?,
            false => output.line(line(&output, instance, width))?,
        }
    }
    output.flush()
}
