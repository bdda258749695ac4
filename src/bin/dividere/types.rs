//! Message types from .proto files and descriptor sets, and messages of them from and to JSON (protobuf's own
//! mapping).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Args;
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, SerializeOptions};

use crate::failure::Failure;

/// The messages that dividere's own programs exchange.
const OWN_MESSAGES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/messages.bin"));

/// How many names an error lists.
const NAMES_SHOWN: usize = 20;

#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Message types")]
pub struct TypeArgs {
    /// A .proto file with message types, or a folder with such files; may be given several times
    #[arg(short, long = "proto", value_name = "FILE|DIR")]
    protos: Vec<PathBuf>,

    /// A folder that imports are looked for in; unless given, the folders of the files and the current one
    #[arg(short = 'I', long = "include", value_name = "DIR")]
    includes: Vec<PathBuf>,

    /// A file of descriptors, made by `protoc --include_imports --descriptor_set_out`; may be given several times
    #[arg(short, long = "descriptor-set", value_name = "FILE")]
    descriptor_sets: Vec<PathBuf>,
}

/// How a message is shown as JSON.
#[derive(Clone, Copy, Debug, Default)]
pub struct JsonForm {
    /// Also fields that have their default value.
    pub defaults: bool,
    /// Fields under the names that they have in the .proto file.
    pub proto_names: bool,
}

/// Every type that is known here.
pub struct Types {
    pool: DescriptorPool,
    /// Whether the user gave any.
    given: bool,
}

impl Types {
    pub fn load(args: &TypeArgs) -> Result<Types, Failure> {
        let mut pool = DescriptorPool::global();
        for path in &args.descriptor_sets {
            let bytes = std::fs::read(path).map_err(|error| cannot_read(path, error))?;
            pool.decode_file_descriptor_set(bytes.as_slice())
                .map_err(|error| Failure::failed(format!("{}: {error}", path.display())))?;
        }
        if !args.protos.is_empty() {
            add_protos(&mut pool, args)?;
        }
        // What the user's files define goes before what comes with dividere.
        let mut with_own = pool.clone();
        if with_own.decode_file_descriptor_set(OWN_MESSAGES).is_ok() {
            pool = with_own;
        }
        let given = !(args.protos.is_empty() && args.descriptor_sets.is_empty());
        Ok(Types { pool, given })
    }

    /// The serialised message of this type that `json` describes.
    pub fn read_json(&self, type_name: &str, json: &[u8]) -> Result<Vec<u8>, Failure> {
        let descriptor = self.find(type_name)?;
        let wrong = |error| Failure::failed(format!("the JSON is no {type_name}: {error}"));
        let mut reader = serde_json::Deserializer::from_slice(json);
        let message = DynamicMessage::deserialize(descriptor, &mut reader).map_err(wrong)?;
        reader.end().map_err(wrong)?;
        Ok(message.encode_to_vec())
    }

    /// The JSON of a serialised message; none where its type is not known here.
    pub fn write_json(&self, type_name: &str, payload: &[u8], form: JsonForm) -> Option<Result<String, String>> {
        let descriptor = self.pool.get_message_by_name(type_name)?;
        Some(json_of(descriptor, payload, form))
    }

    /// The type must be known: before anything is sent or waited for.
    pub fn find(&self, type_name: &str) -> Result<MessageDescriptor, Failure> {
        self.pool.get_message_by_name(type_name).ok_or_else(|| {
            Failure::from(dividere::Error::new(
                dividere::Status::NotFound,
                self.unknown(type_name),
            ))
        })
    }

    fn unknown(&self, type_name: &str) -> String {
        if !self.given {
            return format!(
                "the message type {type_name} is not known; give the file that defines it with --proto FILE or \
                 --descriptor-set FILE"
            );
        }
        // A map's entries are types, too, that nobody sends.
        let known: Vec<String> = self
            .pool
            .all_messages()
            .filter(|message| !message.is_map_entry() && !message.full_name().starts_with("google.protobuf."))
            .map(|message| message.full_name().to_owned())
            .collect();
        let short = |name: &str| name.rsplit('.').next().unwrap_or(name).to_lowercase();
        let alike: Vec<&String> = known.iter().filter(|name| short(name) == short(type_name)).collect();
        let listed = if alike.is_empty() {
            known.iter().collect()
        } else {
            alike
        };
        let more = if listed.len() > NAMES_SHOWN { ", ..." } else { "" };
        let listed: Vec<&str> = listed.iter().take(NAMES_SHOWN).map(|name| name.as_str()).collect();
        format!(
            "no message type {type_name} in the files given; there is {}{more}",
            listed.join(", ")
        )
    }
}

fn json_of(descriptor: MessageDescriptor, payload: &[u8], form: JsonForm) -> Result<String, String> {
    let message = DynamicMessage::decode(descriptor, payload).map_err(|error| error.to_string())?;
    let options = SerializeOptions::new()
        .skip_default_fields(!form.defaults)
        .use_proto_field_name(form.proto_names);
    // Not by way of a serde_json::Value, which would show a float with the digits of a double.
    let mut json = Vec::new();
    message
        .serialize_with_options(&mut serde_json::Serializer::new(&mut json), &options)
        .map_err(|error| error.to_string())?;
    String::from_utf8(json).map_err(|error| error.to_string())
}

fn add_protos(pool: &mut DescriptorPool, args: &TypeArgs) -> Result<(), Failure> {
    let mut files = Vec::new();
    let mut folders = Vec::new();
    for path in &args.protos {
        if path.is_dir() {
            folders.push(path.clone());
            find_protos(path, &mut files)?;
        } else {
            path.metadata().map_err(|error| cannot_read(path, error))?;
            folders.push(folder_of(path));
            files.push(path.clone());
        }
    }
    let mut includes = args.includes.clone();
    if includes.is_empty() {
        includes = folders;
        includes.push(PathBuf::from("."));
    }
    let mut seen = BTreeSet::new();
    includes.retain(|include| seen.insert(include.clone()));
    let compiled = (|| {
        let mut compiler = protox::Compiler::new(&includes)?;
        compiler.include_imports(true).open_files(&files)?;
        Ok(compiler.encode_file_descriptor_set())
    })();
    let compiled: Vec<u8> = compiled.map_err(|error: protox::Error| {
        let hint = if error.is_file_not_found() {
            "; -I DIR names a folder to look in"
        } else {
            ""
        };
        // Its Debug form has the file and the line at fault, its Display only what is wrong.
        Failure::failed(format!("{error:?}{hint}"))
    })?;
    pool.decode_file_descriptor_set(compiled.as_slice())
        .map_err(|error| Failure::failed(format!("the .proto files do not go together: {error}")))
}

fn folder_of(file: &Path) -> PathBuf {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Every .proto file in the folder and in those inside, in the order of their names.
fn find_protos(folder: &Path, found: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|error| cannot_read(folder, error))? {
        entries.push(entry.map_err(|error| cannot_read(folder, error))?);
    }
    entries.sort_by_key(|entry| entry.file_name());
    for entry in entries {
        let path = entry.path();
        // Links to folders are not followed: they may lead in a circle.
        let kind = entry.file_type().map_err(|error| cannot_read(&path, error))?;
        if kind.is_dir() {
            find_protos(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "proto") {
            found.push(path);
        }
    }
    Ok(())
}

fn cannot_read(path: &Path, error: std::io::Error) -> Failure {
    Failure::failed(format!("cannot read {}: {error}", path.display()))
}
