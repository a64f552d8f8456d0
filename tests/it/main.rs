//! The integration tests: one binary.

mod docker;
mod documents;
mod floors;
