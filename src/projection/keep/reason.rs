//! Why an image stays or goes, in words.

use std::fmt;

use serde::Serialize;

use crate::names::{DeploymentNumber, Digest, ServiceName};
use crate::projection::Verdict;

/// The deployment for whose sake an image stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Deployed {
    /// The service.
    pub service: ServiceName,
    /// The deployment that brought it.
    pub number: DeploymentNumber,
    /// Whether that is its number in the journal of another clone on this machine.
    pub in_another_clone: bool,
}

impl fmt::Display for Deployed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whose = if self.in_another_clone { " in another clone" } else { "" };
        write!(f, "{} of {}{whose}", self.number, self.service)
    }
}

/// Why an image stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "because")]
pub enum Kept {
    /// A service is configured with it now.
    RunsNow {
        /// The service.
        service: ServiceName,
    },
    /// By the journal it is live.
    Live(Deployed),
    /// `rollback` offers it.
    RollbackTarget(Deployed),
    /// A deployment that is not over, or whose end is not known, needs it.
    Unsettled(Deployed),
    /// A person marked it good.
    MarkedGood(Deployed),
    /// `latest` names it.
    Latest,
    /// It has a tag that somebody else made.
    ForeignTag {
        /// The tag.
        tag: String,
    },
    /// It is younger than the grace period, or nobody knows how old it is.
    Young,
    /// It is younger than `--older-than`.
    NotOldEnough,
    /// An index that stays names it.
    PartOf {
        /// The index.
        index: Digest,
    },
    /// It is about an image that stays: a signature, an attestation.
    About {
        /// The image.
        image: Digest,
    },
}

/// Why an image goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "because")]
pub enum Gone {
    /// The index that names it goes.
    PartOf {
        /// The index.
        index: Digest,
    },
    /// A deployment brought it, and no rollback needs it.
    Deployed {
        /// The newest of them.
        #[serde(flatten)]
        by: Deployed,
        /// What became of that.
        verdict: Verdict,
    },
    /// No tag names it, and no deployment of this journal.
    Untagged,
    /// It has a tag of surefoot's kind, and no deployment of this journal names it.
    Undeployed,
}

impl Kept {
    /// The strongest reason has the lowest.
    pub const fn rank(&self) -> u8 {
        match self {
            Self::RunsNow { .. } => 0,
            Self::Live(_) => 1,
            Self::RollbackTarget(_) => 2,
            Self::Unsettled(_) => 3,
            Self::MarkedGood(_) => 4,
            Self::Latest => 5,
            Self::ForeignTag { .. } => 6,
            Self::Young => 7,
            Self::NotOldEnough => 8,
            Self::PartOf { .. } | Self::About { .. } => 9,
        }
    }
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RunsNow { service } => write!(f, "{service} runs it"),
            Self::Live(one) => write!(f, "{one}, live by the journal"),
            Self::RollbackTarget(one) => write!(f, "{one}, for a rollback"),
            Self::Unsettled(one) => write!(f, "{one} may need it"),
            Self::MarkedGood(one) => write!(f, "{one}, marked good"),
            Self::Latest => write!(f, "`latest` names it"),
            Self::ForeignTag { tag } => write!(f, "somebody else's tag `{tag}`"),
            Self::Young => write!(f, "within the grace period"),
            Self::NotOldEnough => write!(f, "not older than was asked for"),
            Self::PartOf { index } => write!(f, "part of {}", index.short()),
            Self::About { image } => write!(f, "about {}", image.short()),
        }
    }
}

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PartOf { index } => write!(f, "part of {}, which goes", index.short()),
            Self::Deployed { by, verdict } => write!(f, "{by}, {}", verdict.words()),
            Self::Untagged => write!(f, "no tag, no deployment"),
            Self::Undeployed => write!(f, "no deployment of this journal"),
        }
    }
}
