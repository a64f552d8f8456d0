//! What happened to the world and to its machines that no operation tells of: the judge asks here
//! whether a bad end has a cause that is true.

use super::super::super::Timestamp;
use super::mishap::Mishap;
use crate::names::Digest;

/// Everything of that kind, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chronicle {
    /// What struck the machines.
    pub hindrances: Vec<Hindrance>,
    /// What App Runner refused.
    pub refusals: Vec<Refusal>,
    /// What strangers did.
    pub acts: Vec<StrangersAct>,
    /// What the machines pruned: each knows only its own journal.
    pub pruned: Vec<Pruned>,
    /// How often AWS began to maintain a service.
    pub maintained: u64,
}

/// An image that a machine deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pruned {
    /// The machine.
    pub machine: usize,
    /// The image.
    pub digest: Digest,
}

/// A mishap that struck.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hindrance {
    /// The machine.
    pub machine: usize,
    /// When.
    pub at: Timestamp,
    /// The call.
    pub call: &'static str,
    /// What struck.
    pub mishap: Mishap,
}

/// A change that App Runner refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The machine that asked.
    pub machine: usize,
    /// When.
    pub at: Timestamp,
    /// The exception.
    pub code: String,
    /// Whether the service was busy then: such a refusal only asks for patience.
    pub busy: bool,
}

/// Something that somebody else did, to the service or to the repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StrangersAct {
    /// When.
    pub at: Timestamp,
    /// What.
    pub what: &'static str,
    /// Whether it took an image or a tag away.
    pub on_images: bool,
}
