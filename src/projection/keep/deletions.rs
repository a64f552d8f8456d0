//! What became of the images that were to be deleted.

use serde::Serialize;

use super::Missing;
use crate::names::Digest;
use crate::world::WorldError;
use crate::world::registry::Deletion;

/// What became of a prune.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Deletions {
    /// What is gone, by ECR's own answer or by a look after it gave none.
    pub deleted: Vec<Digest>,
    /// What was gone before we came.
    pub not_there: Vec<Digest>,
    /// What stays, by ECR's own answer.
    pub failed: Vec<Failed>,
    /// What was to go, and is needed since.
    pub spared: Vec<Digest>,
    /// Why it ended before its time.
    pub stopped: Option<Stopped>,
}

/// An image that ECR did not delete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failed {
    /// The image.
    pub digest: Digest,
    /// ECR's own word.
    pub code: String,
    /// ECR's own reason.
    pub reason: String,
}

/// Why a prune ended before its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stopped {
    /// A signal came.
    Signal(&'static str),
    /// The world said no, or nothing. What was deleted is known all the same.
    World(WorldError),
    /// A look failed: what is needed by now is not known.
    Blind(WorldError),
    /// A call was not answered, and neither was the question what it did.
    Unknown(WorldError),
    /// The repository is gone.
    RepositoryGone,
    /// The picture is no longer complete: a deployment began, for one.
    Incomplete(Vec<Missing>),
}

impl Deletions {
    /// Takes down what ECR said of each.
    pub fn note(&mut self, outcomes: Vec<(Digest, Deletion)>) {
        for (digest, outcome) in outcomes {
            match outcome {
                Deletion::Deleted => self.deleted.push(digest),
                Deletion::NotThere => self.not_there.push(digest),
                Deletion::Refused { code, reason } => {
                    self.failed.push(Failed { digest, code, reason });
                }
            }
        }
    }
}
