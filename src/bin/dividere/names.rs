//! What the commands that ask a registry have in common: where it is, and how an instance is shown.

pub mod list;
pub mod lookup;
pub mod server;
pub mod watch;

use std::sync::Arc;

use clap::Args;
use dividere::{Error, Instance, Options, RegistryClient, Status};
use serde_json::{json, Map, Value};

use crate::failure::Failure;
use crate::output::{harmless, hex, Output, Style};
use crate::sockets::SocketArgs;
use crate::stop::Stop;
use crate::units::Limit;

#[derive(Args, Debug)]
#[command(next_help_heading = "Registry")]
pub struct RegistryArgs {
    /// Where the registry is; several, separated by commas, are asked until one answers
    #[arg(
        short = 'R',
        long,
        value_name = "ENDPOINT",
        env = "DIVIDERE_REGISTRY",
        default_value = "tcp://localhost:5000"
    )]
    registry: String,
}

impl RegistryArgs {
    /// A client of the registry, closed by Ctrl-C.
    pub fn client(&self, options: &Options, stop: &Stop) -> Result<Arc<RegistryClient>, Failure> {
        let client = Arc::new(RegistryClient::new(&self.registry, options).map_err(Failure::of_arguments)?);
        let own = Arc::clone(&client);
        stop.when_requested(move || {
            // CLOSED where the command came to its end by itself meanwhile.
            let _closed_already = own.close();
        });
        Ok(client)
    }

    /// Where nobody answered it is said who was asked.
    pub fn explains(&self, error: Error) -> Error {
        match error.status() {
            Status::Timeout => error.context(format_args!("registry at {}", self.registry)),
            _ => error,
        }
    }
}

/// The arguments of a command that only asks a registry.
#[derive(Args, Debug)]
pub struct AskingArgs {
    /// How long to wait for a registry's answer
    #[arg(short, long, value_name = "TIME", default_value = "5s")]
    pub timeout: Limit,

    /// Print one JSON object a line
    #[arg(long)]
    pub json: bool,

    #[command(flatten)]
    pub registry: RegistryArgs,

    #[command(flatten)]
    sockets: SocketArgs,
}

impl AskingArgs {
    /// A client of the registry, closed by Ctrl-C.
    pub fn client(&self, stop: &Stop) -> Result<Arc<RegistryClient>, Failure> {
        self.registry.client(&self.sockets.options(Options::new())?, stop)
    }
}

/// An instance as JSON. Its number is text: not every reader of JSON has 64 bits for one.
pub fn object(instance: &Instance) -> Map<String, Value> {
    let mut object = Map::new();
    let mut set = |key: &str, value: Value| object.insert(key.to_owned(), value);
    set("name", json!(instance.name));
    set("endpoint", json!(instance.endpoint()));
    set("server", json!(instance.server));
    set("port", json!(instance.port));
    set("instance", json!(instance.id.to_string()));
    set("lease_ms", json!(instance.lease_ms));
    match std::str::from_utf8(&instance.metadata) {
        Ok(text) => set("metadata", json!(text)),
        Err(_) => set("metadata_hex", json!(hex(&instance.metadata))),
    };
    set("revision", json!(instance.revision));
    object
}

/// An instance for people: name, endpoint, and what it told of itself.
pub fn line(output: &Output, instance: &Instance, width: usize) -> String {
    let name = one_line(&instance.name);
    let padding = " ".repeat(width.saturating_sub(name.chars().count()));
    let endpoint = one_line(&instance.endpoint());
    let mut line = format!("{}{padding}  {endpoint}", output.paint(Style::Name, name));
    if !instance.metadata.is_empty() {
        let told = match std::str::from_utf8(&instance.metadata) {
            Ok(text) => one_line(text),
            Err(_) => hex(&instance.metadata),
        };
        line += &format!("  {}", output.paint(Style::Dim, told));
    }
    line
}

fn one_line(text: &str) -> String {
    harmless(text).replace('\n', "\\n")
}
