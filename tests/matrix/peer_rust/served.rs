//! A reactor and what it was told to do: each message is recorded, then handled as its type's action says.

use std::sync::mpsc::{channel, Receiver, Sender};
use std::sync::{Arc, Mutex};

use dividere::{Channel, Delivery, Error, Message, Reactor, Result, Status};

use crate::{told, LIMIT};

/// What a handler does with a message, after it was recorded.
#[derive(Clone)]
enum Action {
    /// Nothing more.
    Record,
    /// Sends it back.
    Echo,
    /// Fails with this text.
    Fail(String),
}

pub struct Served {
    pub reactor: Reactor,
    records: Sender<String>,
    recorded: Receiver<String>,
    sources: u64,
}

impl Served {
    pub fn new() -> Result<Served> {
        let reactor = Reactor::new()?;
        let (records, recorded) = channel();
        let errors = Mutex::new(records.clone());
        reactor.set_error_handler(Some(Arc::new(move |_, _, error| {
            record(&errors, format!("error {}", error.status().name()));
        })))?;
        Ok(Served {
            reactor,
            records,
            recorded,
            sources: 0,
        })
    }

    /// `type_name` may be `*`, for every type that no other action is for.
    pub fn on(&self, type_name: &str, action: &[&str]) -> Result<()> {
        let action = match action {
            ["record"] => Action::Record,
            ["echo"] => Action::Echo,
            ["fail", text @ ..] => Action::Fail(text.join(" ")),
            _ => return Err(Error::new(Status::InvalidArgument, "no such action")),
        };
        let records = Mutex::new(self.records.clone());
        let handle = move |delivery: &Delivery<'_>, message: &mut Message| {
            record(&records, told(message));
            match &action {
                Action::Record => Ok(()),
                Action::Echo => echo(delivery, message),
                Action::Fail(text) => Err(Error::new(Status::Remote, text.clone())),
            }
        };
        let type_name = (type_name != "*").then_some(type_name);
        self.reactor.set_handler(type_name, Some(Arc::new(handle)))
    }

    pub fn add(&mut self, channel: &Arc<dyn Channel>) -> Result<()> {
        self.sources += 1;
        self.reactor.add(channel, self.sources)
    }

    /// The oldest record that was not taken yet.
    pub fn taken(&self) -> Result<String> {
        self.recorded
            .recv_timeout(LIMIT)
            .map_err(|_| Error::new(Status::Timeout, "the reactor was given nothing"))
    }
}

fn record(records: &Mutex<Sender<String>>, line: String) {
    let records = records.lock().expect("no handler panics while it records");
    // The receiver is gone when the reactor is being closed.
    let _closing = records.send(line);
}

fn echo(delivery: &Delivery<'_>, message: &mut Message) -> Result<()> {
    let mut answer = Message::new();
    answer
        .prepare(message.type_name().unwrap_or_default(), message.payload().len())?
        .copy_from_slice(message.payload());
    if message.can_reply() {
        message.reply(&mut answer)
    } else {
        delivery.source.send(&mut answer)
    }
}
