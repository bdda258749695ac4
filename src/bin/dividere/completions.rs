//! `dividere completions`: what a shell needs to complete the command's words.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::failure::Failure;
use crate::output::Output;
use crate::Cli;

/// Print completions for a shell
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  dividere completions bash > ~/.local/share/bash-completion/completions/dividere
  dividere completions zsh > ~/.zfunc/_dividere
  dividere completions fish > ~/.config/fish/completions/dividere.fish")]
pub struct CompletionsArgs {
    /// Which shell
    shell: Shell,
}

pub fn run(args: &CompletionsArgs) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "dividere", &mut script);
    let mut output = Output::new()?;
    output.line(String::from_utf8_lossy(&script).trim_end())?;
    output.flush()
}
