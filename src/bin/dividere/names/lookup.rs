//! `dividere lookup`: tells where a service is.

use clap::Args;
use dividere::{Error, Instance, RegistryClient, Selection, Status, WatchEventKind};
use serde_json::Value;

use super::{object, AskingArgs};
use crate::failure::Failure;
use crate::output::{harmless, Output};
use crate::stop::{Stop, WhenOutputCloses};

/// Tell where a service is
///
/// Prints the endpoint of one instance, several taking turns. Exit code 4 where no service has that name.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  dividere lookup greeter
  dividere lookup greeter --all --json
  dividere lookup greeter --wait --timeout 1m      # until it is there")]
pub struct LookupArgs {
    /// The service's name
    name: String,

    /// Print all instances
    #[arg(short, long)]
    all: bool,

    /// Wait for the service where it is not there yet, for as long as --timeout says
    #[arg(short, long)]
    wait: bool,

    #[command(flatten)]
    asking: AskingArgs,
}

pub fn run(args: &LookupArgs) -> Result<(), Failure> {
    let stop = Stop::listen(WhenOutputCloses::GoOn)?;
    let client = args.asking.client(&stop)?;
    let instances = look_up(args, &client).map_err(|error| args.asking.registry.explains(stop.explains(error)))?;
    let mut output = Output::new()?;
    for instance in &instances {
        match args.asking.json {
            true => output.json(&Value::Object(object(instance)))?,
            false => output.line(harmless(&instance.endpoint()).replace('\n', "\\n"))?,
        }
    }
    output.flush()
}

fn look_up(args: &LookupArgs, client: &RegistryClient) -> dividere::Result<Vec<Instance>> {
    let deadline = args.asking.timeout.deadline();
    if args.wait {
        let watch = client.watch(Selection::Name(&args.name), deadline)?;
        let awaited = |error: Error| match error.status() {
            Status::Timeout | Status::WouldBlock => Error::new(
                Status::Timeout,
                format!("no service {} within {}", args.name, args.asking.timeout),
            ),
            _ => error,
        };
        while watch.recv(deadline).map_err(awaited)?.kind != WatchEventKind::Put {}
    }
    if args.all {
        let all = client.lookup_all(&args.name, deadline)?;
        return match all.is_empty() {
            true => Err(no_service(&args.name)),
            false => Ok(all),
        };
    }
    client.lookup(&args.name, deadline).map(|instance| vec![instance])
}

pub fn no_service(name: &str) -> Error {
    Error::new(Status::NotFound, format!("no service is registered as {name}"))
}
