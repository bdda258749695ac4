//! One attempt of a call at an instance, and what follows from how it ended: the same for calls that are waited for and for
//! those that were started.

use std::sync::Arc;

use super::{is_final, Inner};
use crate::connection::process::lock;
use crate::error::{Error, Result, Status};
use crate::service::places::{Choice, Place};

/// What became of a request that was given to one instance.
pub(super) enum Outcome {
    Answered(Result<()>),
    /// For certain.
    NotServed(Error),
    Unknown(Error),
}

/// What a call has tried so far.
#[derive(Default)]
pub(super) struct Trail {
    tried: Vec<u64>,
    /// What is told where nobody is left.
    last: Option<Error>,
    /// The lookup that it waits for, of a registry that tells of no changes.
    wish: Option<u64>,
}

impl Trail {
    pub fn goes_to(&mut self, place: &Place) {
        self.tried.push(place.number);
    }

    /// Takes in how an attempt ended: what ends the call, or none where another one follows. `repeat` where the request may
    /// be served once more.
    pub fn take_in(&mut self, outcome: Outcome, repeat: bool) -> Option<Result<()>> {
        self.last = Some(match outcome {
            Outcome::Answered(answer) => return Some(answer),
            Outcome::NotServed(error) => error,
            Outcome::Unknown(error) if repeat => error,
            Outcome::Unknown(error) => return Some(Err(error)),
        });
        None
    }
}

impl Inner {
    /// One to ask, and how many others could be asked instead; none where one may come yet: something is told then.
    pub(super) fn choose(&self, trail: &mut Trail) -> Result<Option<(Arc<Place>, usize)>> {
        let mut state = lock(&self.state);
        let (choice, others) = state.places.choose(&trail.tried);
        if let Choice::Take(place) = choice {
            trail.wish = None;
            return Ok(Some((place, others)));
        }
        self.check()?;
        match (&choice, trail.last.as_ref().map(Error::status)) {
            (Choice::Refused(refused), _) => return Err(trail.last.take().unwrap_or_else(|| refused.clone())),
            (Choice::Exhausted, _) | (_, Some(Status::Busy)) => {
                drop(state);
                return Err(self.in_vain(trail));
            }
            _ => {}
        }
        if state.asked_only && trail.wish.is_none_or(|wish| state.looked < wish) {
            if trail.wish.is_none() {
                state.wished += 1;
                trail.wish = Some(state.wished);
                self.ring.ring();
            }
        } else if state.known && matches!(choice, Choice::Nobody) {
            let text = format!("no service is registered as '{}'", self.name);
            let nobody = || Error::new(Status::NotFound, text);
            return Err(trail.last.take().unwrap_or_else(nobody));
        }
        match state.trouble.as_ref().filter(|e| is_final(e.status())) {
            Some(trouble) => Err(trouble.clone()),
            None => Ok(None),
        }
    }

    /// Nobody is left, or none came in time.
    pub(super) fn in_vain(&self, trail: &mut Trail) -> Error {
        trail.last.take().unwrap_or_else(|| self.none_connected())
    }

    pub(super) fn none_connected(&self) -> Error {
        let state = lock(&self.state);
        let name = &self.name;
        Error::new(
            Status::Timeout,
            match &state.trouble {
                Some(trouble) => format!("'{name}' could not be looked up: {}", trouble.text()),
                None if !state.known => format!("'{name}' could not be looked up in the time given"),
                None => format!(
                    "none of {} instances of '{name}' is connected",
                    state.places.instances().len()
                ),
            },
        )
    }

    /// What an instance answered, or why it did not.
    pub(super) fn outcome(&self, place: &Place, answer: Result<Result<()>>) -> Outcome {
        let (name, at) = (&self.name, &place.endpoint);
        let unreachable = |text: String| Error::new(Status::Unreachable, text);
        match answer {
            Ok(answer) => {
                place.answered();
                match answer {
                    Err(error) if error.status() == Status::Busy => Outcome::NotServed(error),
                    Err(error) if error.status() == Status::Closed => Outcome::NotServed(unreachable(format!(
                        "'{name}' at {at} stops, and took the request no more"
                    ))),
                    answer => Outcome::Answered(answer),
                }
            }
            Err(error) => Outcome::Unknown(match error.status() {
                Status::Timeout | Status::WouldBlock => {
                    place.was_slow();
                    Error::new(Status::Timeout, format!("no reply from '{name}' at {at} in time"))
                }
                Status::Unreachable | Status::Closed | Status::NotFound => {
                    unreachable(format!("'{name}' at {at} went away before it answered"))
                }
                _ => error,
            }),
        }
    }
}
