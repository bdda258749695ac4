//! How the command fails: one line on stderr, and an exit code that a script can tell apart.

use std::fmt;
use std::io;

use dividere::{Error, Status};

/// A failed command. What it prints is for people, what it exits with is for scripts.
#[derive(Debug)]
pub enum Failure {
    /// The command line makes no sense: exit code 2.
    Usage(String),
    /// dividere could not do it. The exit code follows from the status.
    Error(Error),
    /// Something else did not work: a file that cannot be read, and the like.
    Failed(String),
    /// Everything was told already; only the exit code is left.
    Told(u8),
    /// Nobody reads the output any more, which is no failure: `dividere sub ... | head`.
    OutputClosed,
}

/// 0: it worked.
pub const OK: u8 = 0;
/// 1: it did not work; the text on stderr says why.
pub const FAILED: u8 = 1;
/// 2: the command line makes no sense.
pub const USAGE: u8 = 2;
/// 3: the time given was over.
pub const TIMED_OUT: u8 = 3;
/// 4: nothing has that name.
pub const NOT_FOUND: u8 = 4;

/// The same, for the help.
pub const EXIT_CODES: &str =
    "Exit codes: 0 it worked, or was ended by Ctrl-C; 1 it failed; 2 the command line makes no \
                              sense; 3 the time was over; 4 nothing has that name.";

impl Failure {
    pub fn usage(text: impl fmt::Display) -> Failure {
        Failure::Usage(text.to_string())
    }

    pub fn failed(text: impl fmt::Display) -> Failure {
        Failure::Failed(text.to_string())
    }

    /// What was refused came from the command line, so that it is a matter of usage where the status says so.
    pub fn of_arguments(error: Error) -> Failure {
        match error.status() {
            Status::InvalidArgument | Status::Endpoint => Failure::Usage(error.to_string()),
            _ => Failure::Error(error),
        }
    }

    pub fn exit_code(&self) -> u8 {
        match self {
            Failure::Usage(_) => USAGE,
            Failure::Error(error) => code_of(error.status()),
            Failure::Failed(_) => FAILED,
            Failure::Told(code) => *code,
            Failure::OutputClosed => OK,
        }
    }

    /// The line for stderr, where there is one.
    pub fn text(&self) -> Option<String> {
        match self {
            Failure::Usage(text) | Failure::Failed(text) => Some(text.clone()),
            Failure::Error(error) => Some(error.to_string()),
            Failure::Told(_) | Failure::OutputClosed => None,
        }
    }
}

/// The exit code of a status.
pub fn code_of(status: Status) -> u8 {
    match status {
        Status::Ok => OK,
        Status::Timeout | Status::WouldBlock => TIMED_OUT,
        Status::NotFound => NOT_FOUND,
        _ => FAILED,
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Error(error)
    }
}

/// Of writing the output.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::OutputClosed,
            _ => Failure::failed(format!("cannot write the output: {error}")),
        }
    }
}
