//! A ZMTP 3.0 peer made by hand, for what no well-behaved peer does.

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::time::Instant;

use super::LIMIT;

pub const MORE: u8 = 1;
pub const LARGE: u8 = 2;
pub const COMMAND: u8 = 4;

/// One end of a TCP connection. Reads fail when nothing comes for so long that it is a failure.
pub struct Peer(pub TcpStream);

impl Peer {
    /// To what a role bound.
    pub fn connect(endpoint: &str) -> Peer {
        Peer::over(TcpStream::connect(endpoint.trim_start_matches("tcp://")).unwrap())
    }

    /// The next connection that a role makes. None where it makes none.
    pub fn accept(listener: &TcpListener) -> Option<Peer> {
        let deadline = Instant::now() + LIMIT;
        let mut waiting = libc::pollfd {
            fd: listener.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            // SAFETY: one entry, which lives through the call.
            match unsafe { libc::poll(&mut waiting, 1, left.as_millis() as i32) } {
                1 => return Some(Peer::over(listener.accept().unwrap().0)),
                0 => return None,
                // The fuzzer has a timer, whose signal ends waits.
                _ => assert_eq!(Error::last_os_error().kind(), ErrorKind::Interrupted),
            }
        }
    }

    fn over(stream: TcpStream) -> Peer {
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream.set_write_timeout(Some(LIMIT)).unwrap();
        stream.set_nodelay(true).unwrap();
        Peer(stream)
    }

    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.0.write_all(bytes)
    }

    pub fn send(&mut self, flags: u8, body: &[u8]) -> Result<()> {
        self.write(&frame(flags, body))
    }

    /// The flags and the body of the next frame.
    pub fn recv(&mut self) -> Result<(u8, Vec<u8>)> {
        let mut flags = [0];
        self.0.read_exact(&mut flags)?;
        let length = if flags[0] & LARGE == 0 {
            let mut length = [0];
            self.0.read_exact(&mut length)?;
            u64::from(length[0])
        } else {
            let mut length = [0; 8];
            self.0.read_exact(&mut length)?;
            u64::from_be_bytes(length)
        };
        let mut body = vec![0; usize::try_from(length).map_err(Error::other)?];
        self.0.read_exact(&mut body)?;
        Ok((flags[0], body))
    }

    pub fn greet(&mut self) -> Result<()> {
        self.write(&greeting())?;
        self.0.read_exact(&mut [0; 64])
    }

    /// As a socket of this type: "DEALER".
    pub fn shake_hands(&mut self, socket_type: &str) -> Result<()> {
        self.greet()?;
        self.write(&ready(socket_type))?;
        let (flags, body) = self.recv()?;
        assert!(
            flags & COMMAND != 0 && body.starts_with(b"\x05READY"),
            "{flags} {body:?}"
        );
        Ok(())
    }

    /// Reads until the other side ends the connection.
    pub fn read_to_the_end(&mut self) -> Result<()> {
        let mut buffer = [0; 4096];
        loop {
            match self.0.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Fails where the other side was first.
        let _ended_already = self.0.shutdown(Shutdown::Both);
    }
}

/// Signature, version 3.0, mechanism NULL.
pub fn greeting() -> Vec<u8> {
    let mut greeting = vec![0; 64];
    greeting[0] = 0xff;
    greeting[9] = 0x7f;
    greeting[10] = 3;
    greeting[12..16].copy_from_slice(b"NULL");
    greeting
}

pub fn ready(socket_type: &str) -> Vec<u8> {
    let mut body = b"\x05READY".to_vec();
    body.extend(property("Socket-Type", socket_type.as_bytes()));
    frame(COMMAND, &body)
}

pub fn property(name: &str, value: &[u8]) -> Vec<u8> {
    let mut property = vec![name.len() as u8];
    property.extend(name.as_bytes());
    property.extend((value.len() as u32).to_be_bytes());
    property.extend(value);
    property
}

pub fn frame(flags: u8, body: &[u8]) -> Vec<u8> {
    let mut frame = match u8::try_from(body.len()) {
        Ok(length) => vec![flags, length],
        Err(_) => {
            let mut header = vec![flags | LARGE];
            header.extend((body.len() as u64).to_be_bytes());
            header
        }
    };
    frame.extend(body);
    frame
}
