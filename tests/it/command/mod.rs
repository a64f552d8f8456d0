//! The built binary, in a sandbox over HTTP: real processes, real sockets, a real journal.
//!
//! Each test has a sandbox of its own with the embedded engine, so that none needs Docker; those
//! that do are in `docker`.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is the message")]

mod arguments;
mod bad_input;
mod brought_back;
mod damaged;
mod deploying;
mod docker;
mod dry_run;
mod elsewhere;
mod exit_codes;
mod faults;
mod health;
mod held;
mod interrupted;
mod journal;
mod judged;
mod killed;
mod output;
mod pruning;
mod support;
mod turned;
mod unchanged;
mod views;
mod waiting;
