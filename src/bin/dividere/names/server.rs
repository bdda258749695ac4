//! `dividere registry`: runs a name registry.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use dividere::{Deadline, Options, RegistryServer};
use serde_json::json;

use crate::failure::Failure;
use crate::output::Output;
use crate::sockets::SocketArgs;
use crate::stop::{Stop, WhenOutputCloses};

/// Run a name registry
///
/// Services register there, and clients find them by name; those of dividere 2.2.0, too. Names are kept in memory:
/// services register again with a registry that was restarted. Runs until Ctrl-C.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  dividere registry
  dividere registry tcp://127.0.0.1:6000 --publish tcp://127.0.0.1:6001
  dividere registry -o registry_max_instances=1000 --curve-key registry.key --curve-allow-any")]
pub struct RegistryServerArgs {
    /// Where to be asked
    #[arg(default_value = "tcp://*:5000")]
    endpoint: String,

    /// Where to tell services of dividere 2.2.0 to register again [default: the port after that of ENDPOINT]
    #[arg(long, value_name = "ENDPOINT")]
    publish: Option<String>,

    /// Print the endpoints as a JSON object
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    sockets: SocketArgs,
}

pub fn run(args: &RegistryServerArgs) -> Result<(), Failure> {
    let stop = Stop::listen(WhenOutputCloses::GoOn)?;
    let mut options = args.sockets.options(Options::new())?;
    if let Some(publish) = &args.publish {
        options
            .set_string(
                dividere::connection::options::OptionKey::RegistryPublishEndpoint,
                publish,
            )
            .map_err(Failure::of_arguments)?;
    }
    let server = Arc::new(RegistryServer::new(&args.endpoint, &options).map_err(Failure::of_arguments)?);
    let (endpoint, publish) = (server.endpoint()?, server.publish_endpoint()?);
    let mut output = Output::new()?;
    match args.json {
        true => output.json(&json!({"endpoint": endpoint, "publish_endpoint": publish}))?,
        false => output.line(format!("registry at {endpoint}, publishing at {publish}"))?,
    }
    output.flush()?;
    let watched = Arc::clone(&server);
    stop.ends_with(move || watched.wait_ended(Deadline::Never))?;
    stop.wait(Duration::MAX);
    stop.outcome()?;
    Ok(server.close()?)
}
