//! The git tree that is deployed.

mod git;

use std::path::Path;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use git::GitSource;

use super::WorldError;
use crate::names::Commit;

/// What git says about a directory.
#[async_trait]
pub trait Source: Send + Sync {
    /// The checkout that `directory` is in; `None` without git or without a commit.
    async fn checkout(&self, directory: &Path) -> Result<Option<Checkout>, WorldError>;
    /// Whether `older` is an ancestor of (and not the same as) `newer`; `None` when git cannot tell.
    async fn is_ancestor(&self, directory: &Path, older: &Commit, newer: &Commit) -> Option<bool>;
}

/// A checkout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkout {
    /// The commit, in full.
    pub commit: Commit,
    /// The branch, if one is checked out.
    pub branch: Option<String>,
    /// The first line of the commit's message.
    pub subject: String,
    /// Whether files differ from the commit, untracked ones (not ignored) included.
    pub dirty: bool,
    /// When the commit was made, by its committer's clock. Older plans do not have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub committed_at: Option<DateTime<Utc>>,
}

impl Checkout {
    /// The commit, where it alone makes what is built.
    pub fn clean_commit(&self) -> Option<&Commit> {
        (!self.dirty).then_some(&self.commit)
    }
}
