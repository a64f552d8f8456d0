//! Against a real Docker engine, and engines that misbehave.
//!
//! These tests need an engine. Without one they say so loudly and pass; with
//! `SUREFOOT_TEST_DOCKER=required` they fail.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is the message")]

mod build;
mod context;
mod memory;
mod misbehaving;
mod push;
mod support;
