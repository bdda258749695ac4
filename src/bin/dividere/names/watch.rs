//! `dividere watch`: follows what is registered.

use clap::Args;
use dividere::{Deadline, Selection, Status, Watch, WatchEvent, WatchEventKind};
use serde_json::{json, Value};

use super::{line, object, AskingArgs};
use crate::failure::Failure;
use crate::output::{Output, Style};
use crate::stop::{Stop, WhenOutputCloses};
use crate::units;

/// Follow what is registered
///
/// Prints what is there, and then every change in order: + for an instance that is there, or is another than before,
/// - for one that is gone. Goes on until Ctrl-C, wherever registries come and go.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  dividere watch
  dividere watch greeter --json
  dividere watch --prefix acme.")]
pub struct WatchArgs {
    /// The service's name; unless given, all names
    #[arg(conflicts_with = "prefix")]
    name: Option<String>,

    /// Names that begin with this
    #[arg(short, long)]
    prefix: Option<String>,

    #[command(flatten)]
    asking: AskingArgs,
}

pub fn run(args: &WatchArgs) -> Result<(), Failure> {
    let stop = Stop::listen(WhenOutputCloses::End)?;
    let client = args.asking.client(&stop)?;
    let selection = match (&args.name, &args.prefix) {
        (Some(name), _) => Selection::Name(name),
        (None, Some(prefix)) => Selection::Prefix(prefix),
        (None, None) => Selection::All,
    };
    let mut output = Output::new()?;
    let followed = client
        .watch(selection, args.asking.timeout.deadline())
        .map_err(|error| Failure::from(args.asking.registry.explains(error)))
        .and_then(|watch| follow(args, &watch, &mut output));
    output.flush()?;
    match followed {
        Err(Failure::Error(error)) => stop.forgives(error),
        other => other,
    }
}

/// What was printed is handed over before the next event is waited for.
fn follow(args: &WatchArgs, watch: &Watch, output: &mut Output) -> Result<(), Failure> {
    loop {
        let event = match watch.recv(Deadline::Now) {
            Err(error) if error.status() == Status::WouldBlock => {
                output.flush()?;
                watch.recv(Deadline::Never)?
            }
            other => other?,
        };
        match args.asking.json {
            true => output.json(&event_object(&event))?,
            false => output.line(event_line(output, &event))?,
        }
    }
}

fn event_object(event: &WatchEvent) -> Value {
    let (kind, instance) = match event.kind {
        WatchEventKind::Put => ("put", object(&event.instance)),
        WatchEventKind::Delete => ("delete", object(&event.instance)),
        WatchEventKind::Complete => {
            return json!({"time": units::now(), "event": "complete", "revision": event.instance.revision})
        }
    };
    let mut all = json!({"time": units::now(), "event": kind});
    if let Value::Object(all) = &mut all {
        all.extend(instance);
    }
    all
}

fn event_line(output: &Output, event: &WatchEvent) -> String {
    let time = output.paint(Style::Dim, units::now());
    match event.kind {
        WatchEventKind::Put => format!("{time} + {}", line(output, &event.instance, 0)),
        WatchEventKind::Delete => format!(
            "{time} {} {}",
            output.paint(Style::Bad, "-"),
            line(output, &event.instance, 0)
        ),
        WatchEventKind::Complete => output.paint(Style::Dim, format!("{} so far; changes follow", units::now())),
    }
}
