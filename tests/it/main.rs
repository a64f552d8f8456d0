//! The integration tests: one binary.

mod command;
mod crash;
mod docker;
mod documents;
mod floors;
