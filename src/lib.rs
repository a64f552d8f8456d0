//! Deploys a container image to AWS App Runner so that it can be interrupted anywhere.

pub mod config;
pub mod event;
pub mod names;
pub mod plan;
pub mod problem;
pub mod projection;
pub mod release;
pub mod sandbox;
pub mod view;
pub mod world;
