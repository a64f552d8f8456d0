//! The integration tests: one binary.

mod command;
mod docker;
mod documents;
mod floors;
