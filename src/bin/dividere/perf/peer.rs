//! The other side, started by this one on the same machine; it ends with it, whatever ends it.

use std::fs::DirBuilder;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::{Local, PerfArgs};
use crate::failure::Failure;

pub struct Peer {
    child: Child,
    endpoint: String,
    /// Where its ipc sockets are.
    folder: Option<PathBuf>,
}

impl Peer {
    pub fn start(args: &PerfArgs) -> Result<Peer, Failure> {
        let failed = |error: std::io::Error| Failure::failed(format!("cannot start the other side: {error}"));
        let (at, folder) = match args.transport {
            Local::Tcp => ("tcp://127.0.0.1:*".to_owned(), None),
            Local::Ipc => {
                let folder = std::env::temp_dir().join(format!("dividere-perf-{}", std::process::id()));
                DirBuilder::new().mode(0o700).create(&folder).map_err(failed)?;
                (format!("ipc://{}/perf", folder.display()), Some(folder))
            }
        };
        // Its stdin is closed with this process.
        let child = Command::new(std::env::current_exe().map_err(failed)?)
            .args(["perf", "--serve", &at, "--json", "--end-with-stdin"])
            .args(args.sockets.plain()?)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let mut peer = Peer {
            child,
            endpoint: String::new(),
            folder,
        };
        let mut line = String::new();
        if let Some(stdout) = peer.child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line).map_err(failed)?;
        }
        let told: Value = serde_json::from_str(&line)
            .map_err(|_| Failure::failed("the other side ended before it could be reached"))?;
        peer.endpoint = told["endpoint"].as_str().unwrap_or_default().to_owned();
        Ok(peer)
    }

    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        if let Err(error) = self.child.wait() {
            crate::output::tell(format!("cannot wait for the other side: {error}"));
        }
        if let Some(folder) = &self.folder {
            // Left behind where somebody put something of their own into it.
            let _left_behind = std::fs::remove_dir_all(folder);
        }
    }
}
