//! Runs the command, with a limit for everything that it is waited for.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{channel, Receiver};
use std::time::{Duration, Instant};

use crate::common::LIMIT;

/// The arguments of a command line, which no test of ours needs to quote.
pub fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

/// A file of this repository.
pub fn file(path: &str) -> String {
    format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))
}

pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dividere"));
    command
        .args(arguments)
        .env_remove("DIVIDERE_LOG")
        .env_remove("NO_COLOR")
        .env("TERM", "xterm");
    // Whoever runs the tests may ignore Ctrl-C, as a shell does in the background; the command would, too.
    // SAFETY: signal is safe to call after a fork.
    unsafe {
        command.pre_exec(|| {
            libc::signal(libc::SIGINT, libc::SIG_DFL);
            Ok(())
        });
    }
    command
}

/// A command that ended.
#[derive(Debug)]
pub struct Finished {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Finished {
    /// It worked, and said nothing on stderr that begins like a failure.
    pub fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.out
    }

    /// It failed with this code, and with this in its text.
    pub fn failed(self, code: i32, text: &str) {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert!(self.err.contains(text), "no '{text}' in {self:?}");
        assert!(!self.err.contains("panicked"), "{self:?}");
    }

    /// Each line as JSON.
    pub fn json(self) -> Vec<serde_json::Value> {
        self.ok()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

/// Runs the command to its end, with `input` as its stdin.
pub fn run_with(arguments: &[&str], input: &str) -> Finished {
    let mut running = Running::spawn(command(arguments).stdin(Stdio::piped()));
    running.say(input);
    running.finish()
}

pub fn run(arguments: &[&str]) -> Finished {
    run_with(arguments, "")
}

/// A command that runs. Killed when dropped.
pub struct Running {
    child: Child,
    /// Where nobody reads.
    unread: Option<ChildStdout>,
    out: Receiver<String>,
    err: Receiver<String>,
    told: String,
}

impl Running {
    /// Its stdin stays open until `say` or the end.
    pub fn start(arguments: &[&str]) -> Running {
        Running::spawn(command(arguments).stdin(Stdio::piped()))
    }

    /// Nobody reads what it prints.
    pub fn start_unread(arguments: &[&str]) -> Running {
        let mut command = command(arguments);
        let command = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let err = lines(child.stderr.take().unwrap());
        let (_, nothing) = channel();
        Running {
            unread: child.stdout.take(),
            child,
            out: nothing,
            err,
            told: String::new(),
        }
    }

    pub fn close_output(&mut self) {
        drop(self.unread.take());
    }

    pub fn spawn(command: &mut Command) -> Running {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let out = lines(child.stdout.take().unwrap());
        let err = lines(child.stderr.take().unwrap());
        Running {
            child,
            unread: None,
            out,
            err,
            told: String::new(),
        }
    }

    /// All of its stdin.
    pub fn say(&mut self, input: &str) {
        let mut stdin = self.child.stdin.take().unwrap();
        // A command that has failed already does not read.
        let _unread = stdin.write_all(input.as_bytes());
    }

    /// A line for its stdin, which stays open.
    pub fn type_line(&mut self, line: &str) {
        let stdin = self.child.stdin.as_mut().unwrap();
        stdin.write_all(format!("{line}\n").as_bytes()).unwrap();
        stdin.flush().unwrap();
    }

    /// The next line that it prints.
    pub fn line(&mut self) -> String {
        self.out.recv_timeout(LIMIT).unwrap_or_else(|_| {
            panic!(
                "no further line; on stderr: {:?}",
                self.err.try_iter().collect::<Vec<_>>()
            )
        })
    }

    /// The next line, where it comes within that time.
    pub fn line_within(&mut self, time: Duration) -> Option<String> {
        self.out.recv_timeout(time).ok()
    }

    pub fn json(&mut self) -> serde_json::Value {
        let line = self.line();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    /// The endpoint that it bound, as it says on stderr.
    pub fn bound(&mut self) -> String {
        const SAID: &str = "dividere: bound to ";
        self.error_line_with(SAID)[SAID.len()..].to_owned()
    }

    /// A line on stderr with this in it; those before it are skipped.
    pub fn error_line_with(&mut self, text: &str) -> String {
        loop {
            let line = self
                .err
                .recv_timeout(LIMIT)
                .unwrap_or_else(|_| panic!("no '{text}' after:\n{}", self.told));
            self.told += &format!("{line}\n");
            if line.contains(text) {
                return line;
            }
        }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Until it has a thread of that name.
    pub fn wait_for_thread(&self, name: &str) {
        wait_for_thread(self.id(), name);
    }

    pub fn signal(&self, signal: i32) {
        // SAFETY: our own child, not waited for yet.
        assert_eq!(unsafe { libc::kill(self.child.id() as i32, signal) }, 0);
    }

    /// Ctrl-C, and what is left to be said.
    pub fn interrupt(self) -> Finished {
        self.signal(libc::SIGINT);
        self.finish()
    }

    /// Its end, by itself.
    pub fn finish(mut self) -> Finished {
        drop(self.child.stdin.take());
        let deadline = Instant::now() + LIMIT;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if Instant::now() > deadline {
                let (out, err): (Vec<_>, Vec<_>) = (self.out.try_iter().collect(), self.err.try_iter().collect());
                panic!("the command did not end; stdout {out:?}, stderr {err:?}");
            }
            // The end of a child can be awaited with a limit only by looking now and then.
            std::thread::sleep(Duration::from_millis(2));
        };
        // Both end with the process.
        let all = |lines: &Receiver<String>| lines.iter().map(|line| line + "\n").collect::<String>();
        let err = std::mem::take(&mut self.told) + &all(&self.err);
        Finished {
            code: status.code(),
            out: all(&self.out),
            err,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail where it has ended already.
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}

/// The lines of a pipe, read on a thread; it closes the pipe when nobody takes them any more.
fn lines(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines() {
            if sender.send(line.unwrap()).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Until the process has a thread of that name.
pub fn wait_for_thread(process: u32, name: &str) {
    let deadline = Instant::now() + LIMIT;
    loop {
        let tasks = std::fs::read_dir(format!("/proc/{process}/task"))
            .into_iter()
            .flatten()
            .flatten();
        let mut names = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
        if names.any(|told| told.trim() == name) {
            return;
        }
        assert!(Instant::now() < deadline, "no thread {name}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
