//! Deploys a container image to AWS App Runner so that it can be interrupted anywhere.

pub mod event;
pub mod journal;
pub mod names;
pub mod sandbox;
