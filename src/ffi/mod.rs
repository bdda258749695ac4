//! The C ABI, and its written convention. Every function follows it, so no function repeats it.
//!
//! Names. `dividere_<type>_<verb>`; constants `DIVIDERE_<GROUP>_<NAME>`. The receiver comes first, then inputs, then
//! outputs.
//!
//! Handles are structs with one number, a type per kind, passed by value; 0 is "none". `_new` makes one, `_close` ends
//! it; any thread may use one, with any number of calls at once. Numbers never come back: a closed handle is CLOSED for
//! ever, one of another kind INVALID_ARGUMENT, one from before a fork FORKED. Closing none is OK. What all roles share
//! takes a `dividere_socket_t`, the view of a role that `dividere_<role>_socket` gives: the same number, nothing to be
//! closed.
//!
//! Objects, `dividere_message_t *` and `dividere_options_t *`, belong to one thread at a time; `_new` and `_free`, and
//! freeing NULL does nothing. A send that consumes a message does so on success only.
//!
//! Status. What can fail returns a `dividere_status_t`; `dividere_last_error` has the text. Closing and freeing leave
//! the text alone.
//!
//! Values. Scalar outputs are written on success only; handle and pointer outputs are none on failure. Strings in are
//! NUL-terminated UTF-8; bytes in are pointer and length, and the pointer may be NULL where the length is 0. Strings
//! out go into a buffer of the caller's as snprintf does it: cut where they do not fit, NUL-terminated, the whole
//! length told. What came off the wire goes out as pointer and length, not NUL-terminated, valid until its message is
//! changed or freed. Enums and booleans are `int32_t`, checked. Timeouts are `int64_t` milliseconds: negative waits
//! without limit (then TIMEOUT never comes), 0 does not wait (WOULD_BLOCK where it would have to).
//!
//! Callbacks are a function, its context and a destructor for the context, which runs exactly once, after the last call
//! has returned, also when registering failed. They run with no lock held and may call anything.
//!
//! Panics never cross: every export runs inside `guard`, and a panic comes back as INTERNAL.
//!
//! A new handle: a row in `handle.rs`, and a file like `publisher.rs`. Casts, pointers and tables are in `bytes`,
//! `callback`, `guard`, `handle` and the two objects, so that a file of functions reads like the role it carries.

#![allow(non_camel_case_types)]
// Said once, above, for all of them.
#![allow(clippy::missing_safety_doc)]

mod bytes;
mod callback;
mod guard;
mod handle;

pub mod status;
pub mod version;

pub mod keys;
pub mod options;
pub mod process;

pub mod envelope;
pub mod message;

pub mod batch;
pub mod event;
pub mod outlet;
pub mod socket;

pub mod publisher;
pub mod subscriber;

pub mod request;
pub mod response;

pub mod dealer;

pub mod poll;
pub mod reactor;

pub mod proxy;

pub mod broker;
pub mod worker;

pub mod instances;
pub mod registry_client;
pub mod registry_server;
pub mod watch;

pub mod service;
pub mod service_client;
