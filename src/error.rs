//! What can go wrong, as a number that every language knows and a text that says
//! what was tried, on which endpoint, option or type, and what to do next.
//!
//! Making an error with a text that is known at compile time does not allocate, so that
//! WOULD_BLOCK and TIMEOUT cost nothing on the paths where they are an everyday answer.

use std::any::Any;
use std::borrow::Cow;
use std::fmt;

/// The result of everything in this crate that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// The outcome of a call. The numbers stand for good: they are never changed and never
/// used again for something else. A new one goes to the end of its group of one hundred.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// It worked.
    Ok = 0,
    /// An argument or an option is outside of what is allowed; the text names it.
    InvalidArgument = 100,
    /// A pointer that has to point somewhere was NULL.
    NullPointer = 101,
    /// There was no memory left for it.
    OutOfMemory = 102,
    /// The process ran out of descriptors or sockets, or the far side has a limit that would be exceeded.
    Limit = 103,
    /// The time given was over before it happened.
    Timeout = 200,
    /// It cannot be done at once, and the caller asked not to wait.
    WouldBlock = 201,
    /// The handle is closed, or was closed during the call.
    Closed = 202,
    /// The handle belongs to the process that this one was forked from.
    Forked = 203,
    /// The call was given up on request.
    Cancelled = 204,
    /// Not in this state: the order of send and receive was broken, or a reactor has the socket.
    State = 205,
    /// The endpoint is malformed, or it makes no sense for this role.
    Endpoint = 300,
    /// Another socket is bound to the address.
    AddressInUse = 301,
    /// The host, the address or the network device cannot be reached or does not exist.
    Unreachable = 302,
    /// The other side refused our key, or the system refused the access.
    Permission = 303,
    /// The handshake failed for another reason than a refused key.
    Handshake = 304,
    /// The message is larger than the maximum message size.
    TooLarge = 305,
    /// The bytes are not an envelope, or not a message of the type that they name.
    Decode = 400,
    /// The message is of another type than the one asked for.
    Type = 401,
    /// Nothing has that name.
    NotFound = 500,
    /// The far side has no capacity for it now.
    Busy = 501,
    /// The handler on the far side failed.
    Remote = 502,
    /// This build, or the libzmq underneath, cannot do it.
    Unsupported = 900,
    /// A fault in dividere itself.
    Internal = 901,
}

impl Status {
    /// Every status, in the order of the numbers.
    pub const ALL: [Status; 24] = [
        Status::Ok,
        Status::InvalidArgument,
        Status::NullPointer,
        Status::OutOfMemory,
        Status::Limit,
        Status::Timeout,
        Status::WouldBlock,
        Status::Closed,
        Status::Forked,
        Status::Cancelled,
        Status::State,
        Status::Endpoint,
        Status::AddressInUse,
        Status::Unreachable,
        Status::Permission,
        Status::Handshake,
        Status::TooLarge,
        Status::Decode,
        Status::Type,
        Status::NotFound,
        Status::Busy,
        Status::Remote,
        Status::Unsupported,
        Status::Internal,
    ];

    /// The number that crosses the C ABI and the wire.
    pub const fn code(self) -> i32 {
        self as i32
    }

    /// The status of a number; None when no status has it.
    pub fn from_code(code: i32) -> Option<Status> {
        Status::ALL.into_iter().find(|status| status.code() == code)
    }

    /// The name, as in the C header without its prefix: "TIMEOUT".
    pub const fn name(self) -> &'static str {
        self.words().0
    }

    /// The status of a name as `name` gives it; None when no status has it.
    pub fn from_name(name: &str) -> Option<Status> {
        Status::ALL.into_iter().find(|status| status.name() == name)
    }

    /// One sentence for when there is nothing more precise to say.
    pub const fn description(self) -> &'static str {
        self.words().1
    }

    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Status::Ok => ("OK", "it worked"),
            Status::InvalidArgument => ("INVALID_ARGUMENT", "an argument is not allowed"),
            Status::NullPointer => ("NULL_POINTER", "a required pointer is NULL"),
            Status::OutOfMemory => ("OUT_OF_MEMORY", "out of memory"),
            Status::Limit => ("LIMIT", "no descriptors or sockets left, or a limit of the far side"),
            Status::Timeout => ("TIMEOUT", "the time was over before it happened"),
            Status::WouldBlock => ("WOULD_BLOCK", "it cannot be done without waiting"),
            Status::Closed => ("CLOSED", "the handle is closed"),
            Status::Forked => (
                "FORKED",
                "the handle belongs to the parent process; make a new one in the child",
            ),
            Status::Cancelled => ("CANCELLED", "the call was cancelled"),
            Status::State => ("STATE", "not allowed in the present state"),
            Status::Endpoint => ("ENDPOINT", "the endpoint is malformed"),
            Status::AddressInUse => ("ADDRESS_IN_USE", "the address is in use"),
            Status::Unreachable => ("UNREACHABLE", "the address cannot be reached"),
            Status::Permission => ("PERMISSION", "refused"),
            Status::Handshake => ("HANDSHAKE", "the handshake failed"),
            Status::TooLarge => ("TOO_LARGE", "larger than the maximum message size"),
            Status::Decode => ("DECODE", "not a decodable envelope or message"),
            Status::Type => ("TYPE", "a message of another type"),
            Status::NotFound => ("NOT_FOUND", "nothing has that name"),
            Status::Busy => ("BUSY", "the far side is busy; try again later"),
            Status::Remote => ("REMOTE", "the handler on the far side failed"),
            Status::Unsupported => ("UNSUPPORTED", "this build cannot do it"),
            Status::Internal => ("INTERNAL", "a fault in dividere itself"),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A failed call: the status, and a text for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    status: Status,
    text: Cow<'static, str>,
}

/// What a panic said.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&'static str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no text")
}

impl Error {
    /// What the asker is told whose handler panicked.
    pub(crate) fn of_handler_panic(panic: &(dyn Any + Send)) -> Error {
        Error::new(Status::Remote, format!("the handler panicked: {}", panic_text(panic)))
    }

    /// An error with its text. A `&'static str` is kept as it is, without a copy.
    pub fn new(status: Status, text: impl Into<Cow<'static, str>>) -> Error {
        Error {
            status,
            text: text.into(),
        }
    }

    /// What went wrong, as a number.
    pub fn status(&self) -> Status {
        self.status
    }

    /// What went wrong, in words.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The same error with what was being done in front of its text:
    /// `error.context("subscriber at tcp://host:1")`.
    #[must_use]
    pub fn context(self, doing: impl fmt::Display) -> Error {
        Error {
            text: Cow::Owned(format!("{doing}: {}", self.text)),
            status: self.status,
        }
    }
}

impl From<Status> for Error {
    /// An error with the general description of its status; does not allocate.
    fn from(status: Status) -> Error {
        Error::new(status, status.description())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.status, self.text)
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_is_found_by_its_number_and_by_its_name() {
        for status in Status::ALL {
            assert_eq!(Status::from_code(status.code()), Some(status));
            assert_eq!(Status::from_name(status.name()), Some(status));
        }
        assert_eq!(Status::from_code(-1), None);
        assert_eq!(Status::from_code(1), None);
        assert_eq!(Status::from_name("timeout"), None);
        assert_eq!(Status::from_name(""), None);
    }

    #[test]
    fn numbers_stay_what_they_were() {
        let told: Vec<i32> = Status::ALL.iter().map(|status| status.code()).collect();
        let promised = [
            0, 100, 101, 102, 103, 200, 201, 202, 203, 204, 205, 300, 301, 302, 303, 304, 305, 400, 401, 500, 501, 502,
            900, 901,
        ];
        assert_eq!(told, promised);
    }

    #[test]
    fn a_text_known_at_compile_time_is_not_copied() {
        let error = Error::from(Status::WouldBlock);
        assert!(matches!(error.text, Cow::Borrowed(_)));
        let error = Error::new(Status::Timeout, "nothing arrived");
        assert!(matches!(error.text, Cow::Borrowed(_)));
    }

    #[test]
    fn shown_with_the_name_and_the_text() {
        let error = Error::new(Status::Endpoint, "no port in 'tcp://a'").context("publisher");
        assert_eq!(error.to_string(), "ENDPOINT: publisher: no port in 'tcp://a'");
        assert_eq!(error.status(), Status::Endpoint);
        assert_eq!(error.text(), "publisher: no port in 'tcp://a'");
    }
}
