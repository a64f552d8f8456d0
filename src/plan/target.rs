//! Which image: what was asked for, and the tag it gets.

use chrono::{DateTime, Utc};

use crate::names::{Reference, RepositoryName, Tag};
use crate::world::builder::BuildRequest;
use crate::world::source::Checkout;

/// Which image is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// Built from the tree.
    Build(BuildRequest),
    /// Already in ECR.
    Reference {
        /// The repository it is in.
        repository: RepositoryName,
        /// Its tag or digest.
        reference: Reference,
    },
}

/// The digits of a commit that a tag carries.
const COMMIT_DIGITS: usize = 12;

/// The tag of an image built from this tree: its commit. A dirty tree gets a tag of its own, and
/// never borrows the clean commit's; without git there is only the time.
pub fn tag(checkout: Option<&Checkout>, context_hash: &str, now: DateTime<Utc>) -> Tag {
    let text = match checkout {
        None => now.format("%Y%m%dT%H%M%SZ").to_string(),
        Some(checkout) => {
            let commit = checkout.commit.as_str();
            let commit = &commit[..commit.len().min(COMMIT_DIGITS)];
            let context = &context_hash[..context_hash.len().min(8)];
            if checkout.dirty { format!("{commit}-dirty-{context}") } else { commit.to_owned() }
        }
    };
    let tag = text.parse();
    tag.unwrap_or_else(|_| unreachable!("hexadecimal digits, letters and dashes make a tag"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkout(dirty: bool) -> Checkout {
        Checkout {
            commit: "0123456789abcdef0123456789abcdef01234567".parse().unwrap(),
            branch: None,
            subject: "x".into(),
            dirty,
            committed_at: None,
        }
    }

    #[test]
    fn a_dirty_tree_never_borrows_a_clean_commits_tag() {
        let clean = tag(Some(&checkout(false)), "aaaaaaaaaa", DateTime::UNIX_EPOCH);
        let dirty = tag(Some(&checkout(true)), "aaaaaaaaaa", DateTime::UNIX_EPOCH);
        let dirtier = tag(Some(&checkout(true)), "bbbbbbbbbb", DateTime::UNIX_EPOCH);
        assert_eq!(clean.as_str(), "0123456789ab");
        assert_eq!(dirty.as_str(), "0123456789ab-dirty-aaaaaaaa");
        assert_ne!(dirty, dirtier);
    }

    #[test]
    fn without_git_the_tag_is_the_time() {
        assert_eq!(tag(None, "aa", DateTime::UNIX_EPOCH).as_str(), "19700101T000000Z");
    }
}
