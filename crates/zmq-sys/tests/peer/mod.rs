//! A peer that speaks ZMTP byte by byte, so that a test can say what no libzmq would.

#![allow(dead_code)] // every test file uses its own part

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

/// Reached only when something is broken.
pub const DEADLINE: Duration = Duration::from_secs(20);
pub const DEADLINE_MS: i32 = 20_000;

const MORE_THAN_A_BYTE: u8 = 0x02;
const COMMAND: u8 = 0x04;

/// One frame as it came: its flags and its body.
pub struct Frame {
    pub flags: u8,
    pub body: Vec<u8>,
}

impl Frame {
    pub fn is_command(&self, name: &str) -> bool {
        let name = name.as_bytes();
        self.flags & COMMAND != 0 && self.body[0] as usize == name.len() && self.body[1..].starts_with(name)
    }
}

pub struct Peer {
    pub stream: TcpStream,
}

impl Peer {
    /// Connects to what a socket of libzmq has bound.
    pub fn connect(socket: &zmq::Socket) -> Self {
        let endpoint = socket.get_last_endpoint().unwrap().unwrap();
        Self::over(TcpStream::connect(endpoint.strip_prefix("tcp://").unwrap()).unwrap())
    }

    /// Waits for a socket of libzmq to connect.
    pub fn accept(listener: &TcpListener) -> Self {
        listener.set_nonblocking(true).unwrap();
        let start = Instant::now();
        loop {
            match listener.accept() {
                Ok((stream, _)) => {
                    stream.set_nonblocking(false).unwrap();
                    return Self::over(stream);
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    assert!(start.elapsed() < DEADLINE, "nobody connected");
                    std::thread::sleep(Duration::from_millis(2));
                }
                Err(error) => panic!("accept: {error}"),
            }
        }
    }

    fn over(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream }
    }

    /// Sends the greeting of ZMTP 3.1 and reads the other's.
    pub fn greet(&mut self, mechanism: &str, as_server: bool) {
        let mut greeting = [0u8; 64];
        greeting[0] = 0xff;
        greeting[9] = 0x7f;
        greeting[10] = 3;
        greeting[11] = 1;
        greeting[12..12 + mechanism.len()].copy_from_slice(mechanism.as_bytes());
        greeting[32] = as_server as u8;
        self.write(&greeting);
        let mut theirs = [0u8; 64];
        self.stream.read_exact(&mut theirs).unwrap();
        assert_eq!(theirs[10], 3, "libzmq speaks ZMTP 3");
    }

    /// The whole handshake of ZMTP 3.1 with mechanism NULL.
    pub fn handshake(&mut self, socket_type: &str) {
        self.greet("NULL", false);
        self.send_ready(socket_type);
        let frame = self.read_frame();
        assert!(frame.is_command("READY"), "no READY but {:?}", frame.body);
    }

    pub fn send_ready(&mut self, socket_type: &str) {
        let mut properties = Vec::new();
        properties.extend_from_slice(b"\x0bSocket-Type");
        properties.extend_from_slice(&(socket_type.len() as u32).to_be_bytes());
        properties.extend_from_slice(socket_type.as_bytes());
        self.write(&command("READY", &properties));
    }

    /// The whole handshake of ZMTP 2.0, whose socket types are numbers.
    pub fn handshake_v2(&mut self, socket_type: u8) {
        self.write(&[0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 1, socket_type]);
        self.write(&[0, 0]); // a routing id of no bytes
        let mut theirs = [0u8; 12];
        self.stream.read_exact(&mut theirs).unwrap();
    }

    pub fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    pub fn read_frame(&mut self) -> Frame {
        let mut head = [0u8; 2];
        self.stream.read_exact(&mut head).unwrap();
        let mut length = head[1] as usize;
        if head[0] & MORE_THAN_A_BYTE != 0 {
            let mut rest = [0u8; 7];
            self.stream.read_exact(&mut rest).unwrap();
            let mut long = [0u8; 8];
            long[0] = head[1];
            long[1..].copy_from_slice(&rest);
            length = u64::from_be_bytes(long) as usize;
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).unwrap();
        Frame { flags: head[0], body }
    }

    /// Reads frames up to the next command of this name.
    pub fn read_command(&mut self, name: &str) -> Vec<u8> {
        loop {
            let frame = self.read_frame();
            if frame.is_command(name) {
                return frame.body[1 + name.len()..].to_vec();
            }
        }
    }

    /// Waits until the other side's kernel has everything that was written.
    pub fn wait_until_delivered(&self) {
        let start = Instant::now();
        loop {
            let mut unsent: libc::c_int = 0;
            // SAFETY: SIOCOUTQ writes one int.
            let rc = unsafe { libc::ioctl(self.stream.as_raw_fd(), libc::TIOCOUTQ, &mut unsent) };
            assert_eq!(rc, 0);
            if unsent == 0 {
                return;
            }
            assert!(start.elapsed() < DEADLINE, "{unsent} bytes did not get there");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Ends the connection with a reset, as the kernel does for a process that died.
    pub fn reset(self) {
        let linger = libc::linger {
            l_onoff: 1,
            l_linger: 0,
        };
        // SAFETY: a valid option of the right size.
        let rc = unsafe {
            libc::setsockopt(
                self.stream.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_LINGER,
                (&raw const linger).cast(),
                size_of::<libc::linger>() as libc::socklen_t,
            )
        };
        assert_eq!(rc, 0);
    }

    /// Reads until the other side ends the connection.
    pub fn wait_for_end(&mut self) {
        let mut buffer = [0u8; 4096];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return,
                Err(error) => panic!("the connection did not end: {error}"),
            }
        }
    }
}

/// A frame of a message with one part.
pub fn message(body: &[u8]) -> Vec<u8> {
    frame(0, body)
}

pub fn command(name: &str, data: &[u8]) -> Vec<u8> {
    let mut body = vec![name.len() as u8];
    body.extend_from_slice(name.as_bytes());
    body.extend_from_slice(data);
    frame(COMMAND, &body)
}

/// A PING with its time to live in tenths of a second, and a context to be sent back.
pub fn ping(ttl: u16, context: &[u8]) -> Vec<u8> {
    let mut data = ttl.to_be_bytes().to_vec();
    data.extend_from_slice(context);
    command("PING", &data)
}

fn frame(flags: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    if body.len() < 256 {
        bytes.extend_from_slice(&[flags, body.len() as u8]);
    } else {
        bytes.push(flags | MORE_THAN_A_BYTE);
        bytes.extend_from_slice(&(body.len() as u64).to_be_bytes());
    }
    bytes.extend_from_slice(body);
    bytes
}

/// Messages that say their number: `count` of them from `first`, each of 64 bytes.
pub fn numbered(first: usize, count: usize) -> Vec<u8> {
    (first..first + count)
        .flat_map(|number| message(format!("{number:064}").as_bytes()))
        .collect()
}

/// A socket that answers within the deadline or not at all.
pub fn socket(context: &zmq::Context, kind: zmq::SocketType) -> zmq::Socket {
    let socket = context.socket(kind).unwrap();
    socket.set_rcvtimeo(DEADLINE_MS).unwrap();
    socket.set_sndtimeo(DEADLINE_MS).unwrap();
    socket.set_linger(0).unwrap();
    socket
}

/// Receives the messages of [`numbered`], which have to come in order and without a gap.
pub fn expect_numbered(socket: &zmq::Socket, count: usize) {
    for number in 0..count {
        let parts = socket
            .recv_multipart(0)
            .unwrap_or_else(|error| panic!("message {number} of {count}: {error}"));
        assert_eq!(parts.last().unwrap(), format!("{number:064}").as_bytes());
    }
}

/// Watches a socket's events.
pub struct Monitor(zmq::Socket);

impl Monitor {
    pub fn of(context: &zmq::Context, watched: &zmq::Socket, name: &str) -> Self {
        let endpoint = format!("inproc://monitor-{name}");
        watched.monitor(&endpoint, 0xffff).unwrap();
        let socket = socket(context, zmq::PAIR);
        socket.connect(&endpoint).unwrap();
        Self(socket)
    }

    /// Waits for an event and returns its value.
    pub fn wait(&self, event: u32) -> u32 {
        loop {
            let parts = self
                .0
                .recv_multipart(0)
                .unwrap_or_else(|error| panic!("event {event:#x}: {error}"));
            let seen = u16::from_ne_bytes(parts[0][..2].try_into().unwrap());
            if u32::from(seen) == event {
                return u32::from_ne_bytes(parts[0][2..6].try_into().unwrap());
            }
        }
    }
}
