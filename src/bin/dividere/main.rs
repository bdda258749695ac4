//! The command `dividere`: runs, watches and talks to programs that use dividere, from a shell.

mod broker;
mod call;
mod completions;
mod failure;
mod input;
mod keygen;
mod messages;
mod names;
mod output;
mod perf;
mod progress;
mod proxy;
mod publish;
mod show;
mod sockets;
mod stop;
mod subscribe;
mod types;
mod units;

use std::io;
use std::process::ExitCode;

use clap::{ColorChoice, CommandFactory, FromArgMatches, Parser, Subcommand};

use failure::Failure;

/// Typed protobuf messages over ZeroMQ, from a shell
#[derive(Parser, Debug)]
#[command(name = "dividere", version, after_help = failure::EXIT_CODES, subcommand_required = true, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    Registry(names::server::RegistryServerArgs),
    Ls(names::list::ListArgs),
    Lookup(names::lookup::LookupArgs),
    Watch(names::watch::WatchArgs),
    Pub(publish::PubArgs),
    Sub(subscribe::SubArgs),
    Call(call::CallArgs),
    Proxy(proxy::ProxyArgs),
    Broker(broker::BrokerArgs),
    Perf(perf::PerfArgs),
    Keygen(keygen::KeygenArgs),
    Completions(completions::CompletionsArgs),
}

fn main() -> ExitCode {
    // Help goes to stdout, complaints about usage go to stderr: coloured only where both can show it.
    let coloured = output::shows_colours(&io::stdout()) && output::shows_colours(&io::stderr());
    let choice = if coloured {
        ColorChoice::Always
    } else {
        ColorChoice::Never
    };
    let matches = match Cli::command().color(choice).try_get_matches() {
        Ok(matches) => matches,
        Err(error) => return told_by_clap(&error),
    };
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => return told_by_clap(&error),
    };
    match run(&cli.command) {
        Ok(()) => ExitCode::from(failure::OK),
        Err(failure) => {
            if let Some(text) = failure.text() {
                output::tell_failure(text);
            }
            ExitCode::from(failure.exit_code())
        }
    }
}

fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Registry(args) => names::server::run(args),
        Command::Ls(args) => names::list::run(args),
        Command::Lookup(args) => names::lookup::run(args),
        Command::Watch(args) => names::watch::run(args),
        Command::Pub(args) => publish::run(args),
        Command::Sub(args) => subscribe::run(args),
        Command::Call(args) => call::run(args),
        Command::Proxy(args) => proxy::run(args),
        Command::Broker(args) => broker::run(args),
        Command::Perf(args) => perf::run(args),
        Command::Keygen(args) => keygen::run(args),
        Command::Completions(args) => completions::run(args),
    }
}

/// Help and version on stdout; a usage that makes no sense on stderr.
fn told_by_clap(error: &clap::Error) -> ExitCode {
    // A reader that is gone needs no help.
    let _closed = error.print();
    ExitCode::from(if error.use_stderr() {
        failure::USAGE
    } else {
        failure::OK
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: std::time::Duration = std::time::Duration::from_secs(20);

    #[test]
    fn the_arguments_of_every_command_go_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_has_an_example() {
        for command in Cli::command().get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(
                help.contains(&format!("dividere {}", command.get_name())),
                "{}",
                command.get_name()
            );
        }
    }

    /// The library closes all handles of the process: for a command that is a server which ended by itself.
    #[test]
    fn a_command_does_not_outlive_its_server() {
        let folder = std::env::temp_dir().join(format!("dividere-served-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        for command in ["registry", "broker", "proxy"] {
            let last = folder.join(format!("{command}.last"));
            let (first, at) = (
                format!("ipc://{}", folder.join(command).display()),
                format!("ipc://{}", last.display()),
            );
            let words = match command {
                "registry" => vec!["dividere", command, &at, "--publish", &first],
                _ => vec!["dividere", command, &first, &at],
            };
            let cli = Cli::try_parse_from(words).expect("a command line");
            let (ended, end) = std::sync::mpsc::channel();
            let runs = std::thread::spawn(move || ended.send(run(&cli.command)));
            let deadline = std::time::Instant::now() + LIMIT;
            while std::os::unix::net::UnixStream::connect(&last).is_err() {
                assert!(std::time::Instant::now() < deadline, "{command} is not there");
                std::thread::yield_now();
            }
            dividere::shutdown(None);
            let failure = end.recv_timeout(LIMIT).unwrap_or_else(|_| panic!("{command} goes on"));
            let failure = failure.expect_err("it did not end well");
            assert_eq!(failure.exit_code(), failure::FAILED, "{command}: {failure:?}");
            assert!(failure.text().is_some_and(|text| !text.is_empty()), "{command}");
            runs.join().expect("no panic").expect("the test is there");
        }
        std::fs::remove_dir_all(&folder).expect("it is there");
    }
}
