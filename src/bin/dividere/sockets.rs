//! How the sockets of a command behave: the same arguments for every command that opens one.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use clap::Args;
use dividere::connection::endpoint::Endpoint;
use dividere::connection::options::OptionKey;
use dividere::{Channel, EventKind, Options, PublicKey, SecretKey, Status};

use crate::failure::Failure;
use crate::output::tell;
use crate::units::{duration, Limit};

#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Sockets")]
pub struct SocketArgs {
    /// High-water mark: how many messages may wait for one peer, in each direction; 0 for no limit
    #[arg(long, value_name = "MESSAGES")]
    hwm: Option<i64>,

    /// How long what was accepted is still sent when the command ends [default: 1s]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    linger: Option<std::time::Duration>,

    /// Any option of dividere by its name (see docs/options.md), as heartbeat_interval_ms=500; may be given several
    /// times
    #[arg(short = 'o', long = "option", value_name = "NAME=VALUE")]
    options: Vec<String>,

    /// Encrypt, with the secret key in this file (see keygen)
    #[arg(long, value_name = "FILE")]
    curve_key: Option<PathBuf>,

    /// Talk to nobody but the owner of this public key
    #[arg(long, value_name = "KEY|FILE", allow_hyphen_values = true, requires = "curve_key")]
    curve_server: Option<String>,

    /// Let in the owner of this public key, and nobody else; may be given several times
    #[arg(
        long,
        value_name = "KEY|FILE",
        requires = "curve_key",
        conflicts_with = "curve_server"
    )]
    curve_allow: Vec<String>,

    /// Let in whoever knows our public key
    #[arg(long, requires = "curve_key", conflicts_with_all = ["curve_server", "curve_allow"])]
    curve_allow_any: bool,

    /// Tell on stderr what happens to connections (as DIVIDERE_LOG=info does)
    #[arg(short, long)]
    verbose: bool,
}

impl SocketArgs {
    /// The options, on top of what is usual for the command. To be called before the first socket is made.
    pub fn options(&self, mut options: Options) -> Result<Options, Failure> {
        if self.verbose && std::env::var_os("DIVIDERE_LOG").is_none() {
            // Read when the library logs for the first time. No thread but main's looks at the environment yet.
            std::env::set_var("DIVIDERE_LOG", "info");
        }
        if let Some(messages) = self.hwm {
            options
                .set_send_high_water_mark(messages)
                .map_err(Failure::of_arguments)?;
            options
                .set_receive_high_water_mark(messages)
                .map_err(Failure::of_arguments)?;
        }
        if let Some(linger) = self.linger {
            let linger_ms = Limit::After(linger).as_ms();
            options.set_linger_ms(linger_ms).map_err(Failure::of_arguments)?;
        }
        self.options.iter().try_for_each(|text| set(&mut options, text))?;
        self.set_curve(&mut options)?;
        Ok(options)
    }

    /// The same arguments for a process on this machine, without keys, whose two halves are not for one command.
    pub fn plain(&self) -> Result<Vec<String>, Failure> {
        if self.curve_key.is_some() {
            return Err(Failure::usage(
                "with keys, start both sides: one with --serve and --curve-allow, one with --curve-server",
            ));
        }
        let mut arguments: Vec<String> = self.options.iter().map(|option| format!("--option={option}")).collect();
        arguments.extend(self.hwm.map(|messages| format!("--hwm={messages}")));
        arguments.extend(self.linger.map(|time| format!("--linger={}us", time.as_micros())));
        arguments.extend(self.verbose.then(|| "--verbose".to_owned()));
        Ok(arguments)
    }

    fn set_curve(&self, options: &mut Options) -> Result<(), Failure> {
        let Some(file) = &self.curve_key else { return Ok(()) };
        let secret = secret_key(file)?;
        if let Some(server) = &self.curve_server {
            options.set_curve_server_public_key(public_key(server)?);
            options.set_curve_client_secret_key(secret)?;
            return Ok(());
        }
        if self.curve_allow.is_empty() && !self.curve_allow_any {
            return Err(Failure::usage(
                "--curve-key needs --curve-server (we are the client), or --curve-allow or --curve-allow-any (we are \
                 the server)",
            ));
        }
        options.set_curve_server_secret_key(secret)?;
        options.set_curve_allow_any(self.curve_allow_any);
        for key in &self.curve_allow {
            options.add_allowed_key(public_key(key)?);
        }
        Ok(())
    }
}

fn set(options: &mut Options, text: &str) -> Result<(), Failure> {
    let Some((name, value)) = text.split_once('=') else {
        return Err(Failure::usage(format!("--option {text}: NAME=VALUE is wanted")));
    };
    let Some(key) = OptionKey::from_name(name) else {
        return Err(Failure::usage(format!(
            "--option {name}: there is no such option; see docs/options.md"
        )));
    };
    let done = match (key.range(), value.parse()) {
        (Some(_), Ok(number)) => options.set_int(key, number),
        // A policy has a name, too.
        _ => options.set_string(key, value),
    };
    done.map_err(Failure::of_arguments)
}

/// A secret key is read from a file: on a command line everybody could see it.
fn secret_key(file: &Path) -> Result<SecretKey, Failure> {
    let text = read_key(file)?;
    SecretKey::from_z85(&text).map_err(|error| Failure::usage(format!("{}: {}", file.display(), error.text())))
}

/// A public key, from a file or as it is. Files first: a path of 40 characters may well be a key, too.
fn public_key(key: &str) -> Result<PublicKey, Failure> {
    let file = Path::new(key);
    if file.exists() {
        let text = read_key(file)?;
        return PublicKey::from_z85(&text)
            .map_err(|error| Failure::usage(format!("{}: {}", file.display(), error.text())));
    }
    PublicKey::from_z85(key)
        .map_err(|error| Failure::usage(format!("'{key}' is neither a file nor a public key: {}", error.text())))
}

fn read_key(file: &Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| Failure::failed(format!("cannot read the key in {}: {error}", file.display())))?;
    Ok(text.trim().to_owned())
}

/// Tells on stderr where a port of the system's choice was taken, because nobody else knows it; and what fails while
/// the command waits, because it would wait for ever in silence.
pub fn report(channel: &impl Channel, endpoints: &str) -> Result<(), Failure> {
    let given = Endpoint::parse_list(endpoints)?;
    if given.iter().any(Endpoint::has_wildcard) {
        if let Ok(endpoint) = channel.last_endpoint() {
            tell(format!("bound to {endpoint}"));
        }
    }
    let told = Mutex::new(None);
    let callback = Arc::new(move |event: &dividere::Event| {
        // Each attempt fails in the same way: told once, until it works or fails in another.
        let news = match event.kind {
            EventKind::HandshakeFailed => Some((event.endpoint.clone(), event.text.clone())),
            EventKind::Connected => None,
            _ => return,
        };
        let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
        if news.is_some() && *told != news {
            tell(event);
        }
        *told = news;
    });
    match channel.events().set_callback(Some(callback)) {
        // Ctrl-C was faster; the next call says so.
        Err(error) if error.status() != Status::Closed => Err(error.into()),
        _ => Ok(()),
    }
}
