//! The command `dividere`, as the processes that a shell starts: what it prints, in which form, and what it ends with.

#[path = "../common/mod.rs"]
mod common;
mod process;

mod asking;
mod keys;
mod measuring;
mod naming;
mod passing;
mod publishing;
mod sharing;
mod usage;
