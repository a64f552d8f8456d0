//! git in process: one commit, never dirty.

use std::path::Path;

use async_trait::async_trait;

use super::Machine;
use crate::names::Commit;
use crate::world::WorldError;
use crate::world::source::{Checkout, Source};

#[async_trait]
impl Source for Machine {
    async fn checkout(&self, _directory: &Path) -> Result<Option<Checkout>, WorldError> {
        let commit = self.desk().tree.commit.clone();
        Ok(commit.map(|commit| Checkout {
            commit,
            branch: Some("main".into()),
            subject: "a change".into(),
            dirty: false,
            committed_at: None,
        }))
    }

    async fn is_ancestor(
        &self,
        _directory: &Path,
        _older: &Commit,
        _newer: &Commit,
    ) -> Option<bool> {
        None
    }
}
