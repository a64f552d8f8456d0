//! Deploys a container image to AWS App Runner so that it can be interrupted anywhere.
//!
//! ```text
//! command ─► plan ─► step ─► event ─► journal ─► projection ─► view
//!  asked     pure    done    pure     on disk    pure          shown
//!                     │
//!                   world   Docker, ECR, App Runner, Secrets Manager, IAM, CloudWatch, HTTP, git, the clock
//! ```
//!
//! Start with [`event::deployment`]: it says what can happen. Then read [`engine`]: it makes it happen.
//! Everything that can fail is under [`world`]; everything that must be right is in a pure module.
//! How one step looks: [`step`]. Whether a call whose answer was lost took effect:
//! [`step::settling`]. The ground that all of it is tested on: [`sandbox`].
//!
//! Who may import whom, and what is not there on purpose: `docs/architecture.md`.

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
pub mod prune;
pub mod redaction;
pub mod release;
pub mod sandbox;
pub mod step;
pub mod stop;
pub mod text;
pub mod view;
pub mod world;
