//! How a received message is shown: its JSON where its type is known, hexadecimal digits where it is not.

use clap::Args;
use dividere::{Message, MessageKind};
use serde_json::Value;

use crate::failure::Failure;
use crate::output::{harmless, harmless_json, hex, Output, Style};
use crate::types::{JsonForm, Types};

#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = "Output")]
pub struct ShowArgs {
    /// Print one JSON object a line
    #[arg(long)]
    pub json: bool,

    /// Show fields that have their default value, too
    #[arg(long)]
    defaults: bool,

    /// Name fields as the .proto file does (celsius_max), and not as JSON does (celsiusMax)
    #[arg(long)]
    proto_names: bool,

    /// Show bytes as text where they are
    #[arg(long)]
    text: bool,
}

/// What there is to show of a message.
enum Content {
    /// A message of a known type, as JSON.
    Json(String),
    /// A message of another type; or one that is none of its type, with the reason.
    Payload(String, Option<String>),
    /// No envelope.
    Bytes(String),
    Text(String),
}

impl ShowArgs {
    fn content(&self, types: &Types, message: &Message) -> Content {
        let Some(name) = message.type_name().filter(|_| message.kind() == MessageKind::Typed) else {
            return match std::str::from_utf8(message.bytes()) {
                Ok(text) if self.text => Content::Text(text.to_owned()),
                _ => Content::Bytes(hex(message.bytes())),
            };
        };
        let form = JsonForm {
            defaults: self.defaults,
            proto_names: self.proto_names,
        };
        match types.write_json(name, message.payload(), form) {
            Some(Ok(json)) => Content::Json(harmless_json(&json)),
            Some(Err(error)) => Content::Payload(hex(message.payload()), Some(error)),
            None => Content::Payload(hex(message.payload()), None),
        }
    }

    /// A line with the message and what else is to be told of it: names and values as JSON has them.
    pub fn print(
        &self,
        output: &mut Output,
        types: &Types,
        message: &Message,
        beside: &[(&str, Value)],
    ) -> Result<(), Failure> {
        let content = self.content(types, message);
        let name = message.type_name().unwrap_or_default();
        if self.json {
            return output.line(object(name, &content, beside));
        }
        let mut line = String::new();
        for (_, value) in beside {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            line += &output.paint(Style::Dim, text);
            line.push(' ');
        }
        if !name.is_empty() {
            line += &output.paint(Style::Name, harmless(name).replace('\n', "\\n"));
            line.push(' ');
        }
        line += &match content {
            Content::Json(json) => json,
            Content::Payload(hex, None) => hex,
            Content::Payload(hex, Some(error)) => {
                let reason = format!("({})", harmless(&error).replace('\n', " "));
                format!("{hex} {}", output.paint(Style::Bad, reason))
            }
            Content::Bytes(hex) => hex,
            Content::Text(text) => harmless(&text).replace('\n', "\\n"),
        };
        output.line(line)
    }
}

/// Put together by hand, because the message is JSON already.
fn object(name: &str, content: &Content, beside: &[(&str, Value)]) -> String {
    let mut members: Vec<String> = beside.iter().map(|(key, value)| member(key, value)).collect();
    if !name.is_empty() {
        members.push(member("type", &name.into()));
    }
    match content {
        Content::Json(json) => members.push(format!("\"message\":{json}")),
        Content::Payload(hex, error) => {
            members.push(member("payload", &hex.as_str().into()));
            if let Some(error) = error {
                members.push(member("error", &error.as_str().into()));
            }
        }
        Content::Bytes(hex) => members.push(member("bytes", &hex.as_str().into())),
        Content::Text(text) => members.push(member("text", &text.as_str().into())),
    }
    format!("{{{}}}", members.join(","))
}

fn member(key: &str, value: &Value) -> String {
    harmless_json(&format!("\"{key}\":{value}"))
}
