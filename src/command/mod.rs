//! The commands: one file each. Two levels: what was typed, what is meant.

pub mod arguments;
mod deploy;
pub mod here;
mod resume;
mod run;
mod setup;
pub mod signals;
mod stream;
mod trouble;
