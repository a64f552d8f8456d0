//! Deploys a container image to AWS App Runner so that it can be interrupted anywhere.

pub mod command;
pub mod config;
pub mod demo;
pub mod diagnosis;
pub mod engine;
pub mod event;
pub mod journal;
pub mod ledger;
pub mod lock;
pub mod look;
pub mod names;
pub mod plan;
pub mod problem;
pub mod projection;
pub mod release;
pub mod sandbox;
pub mod step;
pub mod stop;
pub mod view;
pub mod world;
