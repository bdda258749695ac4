//! What goes to stdout: whole lines, for people or as JSON; colours only where somebody sees them. And what is told
//! on stderr beside it.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::os::fd::AsFd;

use serde_json::Value;

use crate::failure::Failure;

/// Stdout. Lines are kept back until `flush`, so that a flood of them is cheap.
pub struct Output {
    out: BufWriter<File>,
    coloured: bool,
}

/// What a piece of a line is.
#[derive(Clone, Copy)]
pub enum Style {
    /// Beside the point.
    Dim,
    /// What the line is about.
    Name,
    /// Not as it should be.
    Bad,
}

impl Output {
    pub fn new() -> Result<Output, Failure> {
        let stdout = io::stdout();
        // Without the standard library's buffer, which writes each line by itself.
        let out = stdout.as_fd().try_clone_to_owned()?;
        Ok(Output {
            out: BufWriter::new(File::from(out)),
            coloured: shows_colours(&stdout),
        })
    }

    pub fn line(&mut self, text: impl Display) -> Result<(), Failure> {
        writeln!(self.out, "{text}")?;
        Ok(())
    }

    pub fn json(&mut self, value: &Value) -> Result<(), Failure> {
        self.line(harmless_json(&value.to_string()))
    }

    /// Hands everything over.
    pub fn flush(&mut self) -> Result<(), Failure> {
        self.out.flush()?;
        Ok(())
    }

    /// The text in its colour, where there are colours.
    pub fn paint(&self, style: Style, text: impl Display) -> String {
        painted(self.coloured, style, text)
    }
}

fn painted(coloured: bool, style: Style, text: impl Display) -> String {
    if !coloured {
        return text.to_string();
    }
    let code = match style {
        Style::Dim => "2",
        Style::Name => "36",
        Style::Bad => "1;31",
    };
    format!("\x1b[{code}m{text}\x1b[0m")
}

/// Whether colours are wanted: on a terminal that has them, unless NO_COLOR is set (no-color.org).
pub fn shows_colours(stream: &impl IsTerminal) -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    stream.is_terminal() && !set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// A line on stderr, which begins with who speaks. What cannot be written there is lost: there is nowhere else.
pub fn tell(text: impl Display) {
    let _nowhere_else = writeln!(io::stderr(), "dividere: {}", harmless(&text.to_string()));
}

/// A failure on stderr.
pub fn tell_failure(text: impl Display) {
    let coloured = shows_colours(&io::stderr());
    let _nowhere_else = writeln!(
        io::stderr(),
        "{} {}",
        painted(coloured, Style::Bad, "dividere:"),
        harmless(&text.to_string())
    );
}

/// Text that came from elsewhere, for a terminal, which would obey what control characters tell it.
pub fn harmless(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() && character != '\n' {
            shown.extend(character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// The same for JSON that was written by a program: the control characters that it need not escape are in strings.
pub fn harmless_json(json: &str) -> String {
    if !json.chars().any(char::is_control) {
        return json.to_owned();
    }
    let mut shown = String::with_capacity(json.len() + 16);
    for character in json.chars() {
        if character.is_control() {
            shown.push_str(&format!("\\u{:04x}", u32::from(character)));
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Bytes as people read them.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_reach_no_terminal() {
        assert_eq!(harmless("a\x1b[31mb\u{9b}c\r"), "a\\u{1b}[31mb\\u{9b}c\\u{d}");
        let json = serde_json::json!({"text": "a\x1b\u{9b}\u{7f}ü"}).to_string();
        let shown = harmless_json(&json);
        assert!(!shown.chars().any(char::is_control), "{shown:?}");
        assert_eq!(
            serde_json::from_str::<Value>(&shown).unwrap()["text"],
            "a\x1b\u{9b}\u{7f}ü"
        );
    }

    #[test]
    fn bytes_are_two_digits_each() {
        assert_eq!(hex(&[0, 0x0a, 0xff]), "000aff");
    }
}
