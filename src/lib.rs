//! Deploys a container image to AWS App Runner so that it can be interrupted anywhere.

pub mod config;
pub mod names;
pub mod problem;
pub mod release;
pub mod sandbox;
pub mod world;
