//! What a command sends: one message from the command line, or one for each line of stdin.

use clap::Args;
use dividere::envelope::TypeName;
use dividere::Message;

use crate::failure::Failure;
use crate::input::Lines;
use crate::stop::Stop;
use crate::types::{TypeArgs, Types};

/// In place of a text: the lines of stdin.
const STDIN: &str = "-";

#[derive(Args, Debug)]
pub struct MessageArgs {
    /// Full name of the message's type, as example.Reading
    #[arg(value_name = "TYPE", required_unless_present_any = ["bytes", "hex"])]
    type_name: Option<String>,

    /// The message as JSON, as '{"sensor": "roof"}'; unless given, one message for each line of stdin
    #[arg(id = "message", value_name = "JSON", conflicts_with_all = ["bytes", "hex"])]
    json: Option<String>,

    /// Send this text as it is, in place of a message in JSON; - for the lines of stdin. With TYPE it is the
    /// serialised message, without it goes bare
    #[arg(long, value_name = "TEXT", conflicts_with = "hex")]
    bytes: Option<String>,

    /// The same as two hexadecimal digits a byte
    #[arg(long, value_name = "DIGITS")]
    hex: Option<String>,
}

/// How the text of a message is read.
#[derive(Clone, Copy)]
enum Form {
    Json,
    Bytes,
    Hex,
}

/// The messages, one after another.
pub struct Source {
    type_name: Option<String>,
    form: Form,
    types: Types,
    text: Text,
}

enum Text {
    /// Read already: what is wrong with it is told before anything is waited for.
    Argument(Option<Vec<u8>>),
    Stdin {
        lines: Lines,
        number: u64,
    },
}

/// One message, to be sent as often as wanted.
pub struct Outgoing {
    type_name: Option<String>,
    payload: Vec<u8>,
}

impl Source {
    /// Finds out what is wrong with the arguments before anything is sent.
    pub fn new(args: &MessageArgs, types: &TypeArgs, stop: &Stop) -> Result<Source, Failure> {
        let types = Types::load(types)?;
        let (form, text) = match (&args.bytes, &args.hex) {
            (Some(bytes), _) => (Form::Bytes, Some(bytes.as_str())),
            (None, Some(hex)) => (Form::Hex, Some(hex.as_str())),
            (None, None) => (Form::Json, args.json.as_deref()),
        };
        if let Some(name) = &args.type_name {
            TypeName::new(name).map_err(|error| Failure::usage(format!("type name '{name}': {error}")))?;
            if let Form::Json = form {
                types.find(name)?;
            }
        }
        let mut source = Source {
            type_name: args.type_name.clone(),
            form,
            types,
            text: Text::Stdin {
                lines: Lines::of_stdin(stop),
                number: 0,
            },
        };
        if let Some(text) = text.filter(|text| *text != STDIN) {
            source.text = Text::Argument(Some(source.read(text.as_bytes())?));
        }
        Ok(source)
    }

    /// Whether there may be more than one.
    pub fn is_stdin(&self) -> bool {
        matches!(self.text, Text::Stdin { .. })
    }

    pub fn types(&self) -> &Types {
        &self.types
    }

    pub fn type_name(&self) -> Option<&str> {
        self.type_name.as_deref()
    }

    /// The next message; none after the last, or when the command is to end. Empty lines are left out.
    pub fn next(&mut self) -> Result<Option<Outgoing>, Failure> {
        let payload = match &mut self.text {
            Text::Argument(payload) => match payload.take() {
                Some(payload) => payload,
                None => return Ok(None),
            },
            Text::Stdin { lines, number } => {
                let line = loop {
                    *number += 1;
                    match lines.next()? {
                        Some([]) => {}
                        Some(line) => break line.to_vec(),
                        None => return Ok(None),
                    }
                };
                let number = *number;
                self.read(&line).map_err(|failure| match failure {
                    Failure::Failed(text) => Failure::failed(format!("line {number} of stdin: {text}")),
                    failure => failure,
                })?
            }
        };
        Ok(Some(Outgoing {
            type_name: self.type_name.clone(),
            payload,
        }))
    }

    /// The payload that a text stands for.
    fn read(&self, text: &[u8]) -> Result<Vec<u8>, Failure> {
        match (self.form, &self.type_name) {
            (Form::Json, Some(name)) => self.types.read_json(name, text),
            (Form::Json, None) => Err(Failure::usage("JSON needs the name of the message's type")),
            (Form::Bytes, _) => Ok(text.to_vec()),
            (Form::Hex, _) => from_hex(text),
        }
    }
}

impl Outgoing {
    pub fn message(&self) -> Result<Message, Failure> {
        let Some(name) = &self.type_name else {
            return Ok(Message::from_bytes(&self.payload)?);
        };
        let mut message = Message::new();
        message
            .prepare(name, self.payload.len())
            .map_err(Failure::of_arguments)?
            .copy_from_slice(&self.payload);
        Ok(message)
    }

    pub fn len(&self) -> usize {
        self.payload.len()
    }
}

/// Bytes from two digits each; blanks between them are allowed.
fn from_hex(text: &[u8]) -> Result<Vec<u8>, Failure> {
    let wrong = || Failure::failed("two hexadecimal digits a byte are wanted, as 0a 1b 2c");
    let digits: Vec<u8> = text
        .iter()
        .filter(|byte| !byte.is_ascii_whitespace())
        .map(|byte| {
            char::from(*byte)
                .to_digit(16)
                .map(|digit| digit as u8)
                .ok_or_else(wrong)
        })
        .collect::<Result<_, Failure>>()?;
    if digits.len() % 2 != 0 {
        return Err(wrong());
    }
    Ok(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_digits_are_bytes() {
        assert_eq!(from_hex(b"00 0aFf").unwrap(), [0, 0x0a, 0xff]);
        assert!(from_hex(b"").unwrap().is_empty());
        for wrong in ["0", "0g", "0x00"] {
            assert!(from_hex(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
