//! Lines of stdin, one at a time, until Ctrl-C.

use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd};

use crate::failure::Failure;
use crate::stop::Stop;

const CHUNK_BYTES: usize = 64 * 1024;

/// The lines, without their ends. Each is had as soon as it is there.
pub struct Lines {
    stop: Stop,
    read: Vec<u8>,
    /// The next line begins here.
    begin: usize,
    /// From `begin` up to here no end of a line was found.
    searched: usize,
    ended: bool,
}

impl Lines {
    pub fn of_stdin(stop: &Stop) -> Lines {
        Lines {
            stop: stop.clone(),
            read: Vec::new(),
            begin: 0,
            searched: 0,
            ended: false,
        }
    }

    /// The next line; none at the end of the input, or when the command is to end.
    pub fn next(&mut self) -> Result<Option<&[u8]>, Failure> {
        let end = loop {
            if let Some(at) = self.read[self.searched..].iter().position(|byte| *byte == b'\n') {
                break self.searched + at;
            }
            self.searched = self.read.len();
            if self.ended {
                if self.begin == self.read.len() {
                    return Ok(None);
                }
                // The last line has no end of its own.
                break self.read.len();
            }
            if !self.read_more()? {
                return Ok(None);
            }
        };
        let line = &self.read[self.begin..end];
        self.begin = (end + 1).min(self.read.len());
        self.searched = self.begin;
        Ok(Some(line.strip_suffix(b"\r").unwrap_or(line)))
    }

    fn read_more(&mut self) -> Result<bool, Failure> {
        let failed = |error: io::Error| Failure::failed(format!("cannot read stdin: {error}"));
        let stdin = io::stdin();
        if !self.stop.wait_readable(stdin.as_fd().as_raw_fd()).map_err(failed)? {
            return Ok(false);
        }
        self.read.drain(..self.begin);
        self.searched -= self.begin;
        self.begin = 0;
        let before = self.read.len();
        self.read.resize(before + CHUNK_BYTES, 0);
        let got = stdin.lock().read(&mut self.read[before..]);
        self.read.truncate(before + *got.as_ref().unwrap_or(&0));
        match got {
            Ok(0) => self.ended = true,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error)),
        }
        Ok(true)
    }
}
