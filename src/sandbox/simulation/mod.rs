//! The proof that a deployment may die anywhere: the real engine in the simulated world, under
//! virtual time, with everything that can go wrong going wrong.
//!
//! [`matrix`] strikes every single moment of a few situations; [`run_seed`] draws situation, world
//! and weather from a seed. Both are judged by the same file, `invariants.rs`.

mod figures;
mod invariants;
pub mod matrix;
mod mutant;
mod plight;
mod process;
mod prune;
mod script;
mod seed;
mod situation;
mod stranger;
mod weather;
mod wish;

use super::cloud::ACCOUNT;
use crate::names::{RepositoryName, StreamName};

pub use figures::Figures;
pub use invariants::{Contender, RULES, Violation, check};
pub use mutant::Guard;
pub use plight::{Ending, Instant, Plight, Way, befall};
pub use process::{Life, Session, Stopped};
pub use script::{NoSuchTrial, Script};
pub use seed::{SeedReport, run_seed};
pub use situation::Situation;
pub use wish::{Wish, WishedImage};

/// Where the simulated service lives.
pub const REGION: &str = "eu-central-1";
/// The simulated service.
pub const SERVICE: &str = "shop";
/// The repository of its images.
pub const REPOSITORY: &str = "shop";
/// A plain value that must never be seen outside of its table.
pub const CANARY: &str = "canary-5f1c9e";

/// The stream of the simulated service.
///
/// # Panics
///
/// Never: its parts are valid names.
pub fn stream() -> StreamName {
    let text = format!("{ACCOUNT}/{REGION}/{SERVICE}");
    text.parse().expect("account, region and service are valid")
}

fn repository() -> RepositoryName {
    REPOSITORY.parse().expect("a repository name")
}
