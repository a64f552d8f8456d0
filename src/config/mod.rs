//! Settings: what the user asked for, from flags, environment, file and what is detected.
//!
//! Text and values go in, settings come out. [`read`] alone touches the disk.
//!
//! - [`key`] is the table of every setting, [`kind`] what each may be; the document
//!   `docs/configuration.md` is held to it.
//! - [`parse()`] reads the text of `surefoot.toml`, [`precedence`] decides between the sources,
//!   [`settings`] is the result.
//! - [`overlay`] is what a deployment changes on the live configuration; [`health`] is the gate it
//!   has to pass; [`times`] is how long everything may take.

mod decided;
pub mod file;
mod finding;
pub mod health;
pub mod json_path;
pub mod key;
pub mod kind;
mod maps;
pub mod overlay;
mod parse;
pub mod precedence;
pub mod read;
pub mod settings;
mod suggest;
pub mod times;
pub mod units;
pub mod value;

#[cfg(test)]
mod document;
#[cfg(test)]
mod parse_tests;

pub use file::File;
pub use health::{HealthGate, HealthJudgement};
pub use overlay::Overlay;
pub use parse::parse;
pub use precedence::{Detected, Environment, Flags, Sources, resolve};
pub use read::{FILE_NAME, load};
pub use settings::{Origin, Settings};
pub use suggest::nearest;
pub use times::Times;
