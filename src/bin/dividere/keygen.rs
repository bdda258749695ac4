//! `dividere keygen`: makes a CURVE key pair.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::Args;
use dividere::{KeyPair, SecretKey};
use serde_json::json;

use crate::failure::Failure;
use crate::output::{Output, Style};

/// Make a key pair for encrypted connections
///
/// Prints the pair, or writes it to NAME.key (the secret key, for nobody but the owner to read) and NAME.pub (the
/// public key, to be given to the other side). Keys are 40 characters of Z85, as everywhere in ZeroMQ.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  dividere keygen server && dividere keygen client
  dividere sub tcp://host:5555 --curve-key client.key --curve-server server.pub
  dividere pub 'tcp://*:5555' --bytes hello --curve-key server.key --curve-allow client.pub
  dividere keygen --public-of server.key")]
pub struct KeygenArgs {
    /// Write NAME.key and NAME.pub, which must not be there yet
    #[arg(value_name = "NAME")]
    name: Option<PathBuf>,

    /// Write them even where they are there
    #[arg(short, long, requires = "name")]
    force: bool,

    /// Print the public key that belongs to the secret key in this file, and make none
    #[arg(long, value_name = "FILE", conflicts_with_all = ["name", "force"])]
    public_of: Option<PathBuf>,

    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

pub fn run(args: &KeygenArgs) -> Result<(), Failure> {
    let mut output = Output::new()?;
    if let Some(file) = &args.public_of {
        let text = std::fs::read_to_string(file)
            .map_err(|error| Failure::failed(format!("cannot read {}: {error}", file.display())))?;
        let secret = SecretKey::from_z85(text.trim())
            .map_err(|error| Failure::failed(format!("{}: {}", file.display(), error.text())))?;
        let public = secret.public()?.to_z85();
        match args.json {
            true => output.json(&json!({ "public": public }))?,
            false => output.line(public)?,
        }
        return output.flush();
    }
    let pair = KeyPair::generate()?;
    match &args.name {
        Some(name) => write_pair(args, &mut output, name, &pair)?,
        None if args.json => output.json(&json!({
            "public": pair.public.to_z85(),
            "secret": pair.secret.to_z85(),
        }))?,
        None => {
            let (public, secret) = (output.paint(Style::Name, "public"), output.paint(Style::Name, "secret"));
            output.line(format!("{public} {}", pair.public.to_z85()))?;
            output.line(format!("{secret} {}", pair.secret.to_z85()))?;
        }
    }
    output.flush()
}

fn write_pair(args: &KeygenArgs, output: &mut Output, name: &Path, pair: &KeyPair) -> Result<(), Failure> {
    const OWNER_ONLY: u32 = 0o600;
    const EVERYBODY_READS: u32 = 0o644;
    let (secret, public) = (with_ending(name, "key"), with_ending(name, "pub"));
    if !args.force {
        // Before the first of the two is written.
        for file in [&secret, &public] {
            if file.symlink_metadata().is_ok() {
                return Err(Failure::failed(format!(
                    "{} is there already; --force replaces it",
                    file.display()
                )));
            }
        }
    }
    write_key(&secret, &pair.secret.to_z85(), OWNER_ONLY)?;
    write_key(&public, &pair.public.to_z85(), EVERYBODY_READS)?;
    if args.json {
        return output.json(&json!({
            "public": pair.public.to_z85(),
            "public_file": public.display().to_string(),
            "secret_file": secret.display().to_string(),
        }));
    }
    output.line(format!(
        "secret key in {}, public key in {}",
        secret.display(),
        public.display()
    ))?;
    output.line(pair.public.to_z85())
}

/// `server` becomes `server.key`, and `a.b` becomes `a.b.key`.
fn with_ending(name: &Path, ending: &str) -> PathBuf {
    let mut file = name.as_os_str().to_owned();
    file.push(".");
    file.push(ending);
    PathBuf::from(file)
}

/// Written beside its place and then moved there, so that a secret is never in a file that others may read.
fn write_key(file: &Path, key: &str, mode: u32) -> Result<(), Failure> {
    let beside = with_ending(file, &format!("new-{}", std::process::id()));
    let written = (|| -> io::Result<()> {
        let mut new = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&beside)?;
        writeln!(new, "{key}")?;
        new.sync_all()?;
        std::fs::rename(&beside, file)
    })();
    written.map_err(|error| {
        // Not there where it could not even be made.
        let _not_there = std::fs::remove_file(&beside);
        Failure::failed(format!("cannot write {}: {error}", file.display()))
    })
}
