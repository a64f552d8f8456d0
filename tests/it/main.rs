//! Integration tests: one binary.

mod docker;
