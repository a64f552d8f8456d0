//! The commands: one file each. Two levels: what was typed, what is meant.

pub mod arguments;
pub mod here;
pub mod signals;
