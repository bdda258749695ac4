//! Which function is called for what. The table is replaced, never changed: a turn of the loop works on a snapshot.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::messaging::message::Message;
use crate::messaging::reactor::Delivery;

/// Handles one message. An error is told to the asker, where the message is a request, and to the error handler.
pub type Handler = Arc<dyn Fn(&Delivery<'_>, &mut Message) -> Result<()> + Send + Sync>;

/// Is told what could not be handled, with the message at fault.
pub type ErrorHandler = Arc<dyn Fn(&Delivery<'_>, &mut Message, &Error) + Send + Sync>;

#[derive(Clone, Default)]
pub(super) struct Handlers {
    /// A tree: of the few that there are, names are found by comparing them sooner than by hashing one.
    by_type: BTreeMap<String, Handler>,
    default: Option<Handler>,
    pub error: Option<ErrorHandler>,
}

impl Handlers {
    pub fn set(&mut self, type_name: Option<&str>, handler: Option<Handler>) {
        match (type_name, handler) {
            (Some(name), Some(handler)) => {
                self.by_type.insert(name.to_owned(), handler);
            }
            (Some(name), None) => {
                self.by_type.remove(name);
            }
            (None, handler) => self.default = handler,
        }
    }

    pub fn find(&self, type_name: &str) -> Option<&Handler> {
        self.by_type.get(type_name).or(self.default.as_ref())
    }
}
