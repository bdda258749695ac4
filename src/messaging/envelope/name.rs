//! Names of message types, checked once and then trusted.

use std::fmt;

/// The longest type name that can be sent, in bytes. Names off the wire have
/// no limit but the frame's.
pub const MAX_TYPE_NAME_LEN: usize = 511;

/// A valid full name of a protobuf message, such as
/// `acme.telemetry.v1.Reading`: identifiers joined by dots, at most
/// [`MAX_TYPE_NAME_LEN`] bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TypeName<'a>(&'a str);

/// Why a type name cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TypeNameError {
    /// The name is empty.
    Empty,
    /// The name has this many bytes, more than [`MAX_TYPE_NAME_LEN`].
    TooLong(usize),
    /// The byte at this offset does not belong there in a full name.
    Malformed(usize),
}

impl<'a> TypeName<'a> {
    /// Checks a name against protobuf's grammar for full names.
    pub fn new(name: &'a str) -> Result<Self, TypeNameError> {
        let bytes = name.as_bytes();
        if bytes.is_empty() {
            return Err(TypeNameError::Empty);
        }
        if bytes.len() > MAX_TYPE_NAME_LEN {
            return Err(TypeNameError::TooLong(bytes.len()));
        }
        let mut starts_identifier = true;
        for (offset, &byte) in bytes.iter().enumerate() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'_' => starts_identifier = false,
                b'0'..=b'9' if !starts_identifier => {}
                b'.' if !starts_identifier => starts_identifier = true,
                _ => return Err(TypeNameError::Malformed(offset)),
            }
        }
        if starts_identifier {
            return Err(TypeNameError::Malformed(bytes.len() - 1));
        }
        Ok(TypeName(name))
    }

    /// The full name, as given.
    pub fn as_str(self) -> &'a str {
        self.0
    }

    /// What follows the last dot: the name of the message without its package
    /// and without the messages it is nested in. dividere 2.2.0 writes this
    /// one into `msgName`.
    pub fn short_name(self) -> TypeName<'a> {
        TypeName(match self.0.rfind('.') {
            Some(dot) => &self.0[dot + 1..],
            None => self.0,
        })
    }
}

impl fmt::Display for TypeName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Display for TypeNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TypeNameError::Empty => f.write_str("the type name is empty"),
            TypeNameError::TooLong(len) => write!(
                f,
                "the type name has {len} bytes, at most {MAX_TYPE_NAME_LEN} are allowed"
            ),
            TypeNameError::Malformed(offset) => write!(
                f,
                "the type name is not a full protobuf name (as acme.v1.Reading): \
                 wrong character at byte {offset}"
            ),
        }
    }
}

impl std::error::Error for TypeNameError {}
