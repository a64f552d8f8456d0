//! The integration tests: one binary.

mod crash;
mod docker;
mod floors;
