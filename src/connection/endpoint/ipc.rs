//! `ipc://path`, `ipc://@name` for the abstract namespace of Linux, `ipc://*` for a path that
//! libzmq chooses.

use std::fs;
use std::io;
use std::mem;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use super::{shown, Reason, Transport};

/// A path that libzmq chooses.
pub(super) const WILDCARD: &str = "*";

/// The system's 108 bytes hold a NUL, too.
const PATH_BYTES: usize = 107;

pub(super) fn parse(path: &str) -> Result<Transport, Reason> {
    if path.is_empty() || path == "@" {
        return Err("the path is missing; write ipc:///directory/name or ipc://@name".to_owned());
    }
    if path.len() > PATH_BYTES {
        return Err(format!(
            "the path has {} bytes, and the system allows {PATH_BYTES}; use a shorter directory, \
             or ipc://@name",
            path.len()
        ));
    }
    if path.starts_with('*') && path != WILDCARD {
        return Err("write ipc://* alone to bind to a path of libzmq's choice".to_owned());
    }
    Ok(Transport::Ipc { path: path.to_owned() })
}

pub(super) fn check_bind(path: &str) -> Result<(), Reason> {
    if !is_file(path) {
        return Ok(());
    }
    let directory = match Path::new(path).parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => return Err("it is a directory; write a path inside it".to_owned()),
    };
    let shown_directory = shown(&directory.to_string_lossy());
    match fs::metadata(directory) {
        Ok(found) if found.is_dir() => {}
        Ok(_) => return Err(format!("'{shown_directory}' is not a directory")),
        Err(error) => {
            return Err(format!(
                "the directory '{shown_directory}' cannot be used: {error}; create it first, or \
                 write ipc://@name"
            ))
        }
    }
    // libzmq deletes what is there. A socket that a process left behind may go, nothing else.
    match fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => Ok(()),
        Ok(found) if found.is_dir() => Err("it is a directory; write a path inside it".to_owned()),
        Ok(_) => Err("there is a file that is not a socket; write another path".to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(format!("it cannot be looked at: {error}")),
    }
}

/// Whether a process listens at the path. Asks by connecting, without waiting; the listener sees
/// a peer that comes and goes.
pub(super) fn is_taken(path: &str) -> bool {
    if !is_file(path) || fs::symlink_metadata(path).is_err() {
        return false;
    }
    match connect_without_waiting(path) {
        Ok(()) => true,
        // Its queue is full: somebody is there, and slow.
        Err(error) => error.kind() == io::ErrorKind::WouldBlock,
    }
}

fn is_file(path: &str) -> bool {
    path != WILDCARD && !path.starts_with('@')
}

fn connect_without_waiting(path: &str) -> io::Result<()> {
    let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: no pointers; the result is checked before it becomes an owned descriptor.
    let socket = unsafe { libc::socket(libc::AF_UNIX, kind, 0) };
    if socket < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is fresh and nobody else's.
    let socket = unsafe { OwnedFd::from_raw_fd(socket) };
    // SAFETY: all zeros is a valid sockaddr_un.
    let mut address: libc::sockaddr_un = unsafe { mem::zeroed() };
    address.sun_family = libc::AF_UNIX as libc::sa_family_t;
    if path.len() >= address.sun_path.len() {
        return Err(io::Error::from_raw_os_error(libc::ENAMETOOLONG));
    }
    for (to, from) in address.sun_path.iter_mut().zip(path.bytes()) {
        *to = from as libc::c_char;
    }
    let size = mem::size_of::<libc::sockaddr_un>() as libc::socklen_t;
    // SAFETY: the address lives, is of that size, and its path ends with a NUL.
    let done = unsafe {
        libc::connect(
            socket.as_raw_fd(),
            std::ptr::from_ref(&address).cast::<libc::sockaddr>(),
            size,
        )
    };
    if done == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
