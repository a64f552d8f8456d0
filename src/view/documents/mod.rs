//! How each thing that can be asked for looks, to people and to programs.

mod beneath;
mod findings;
mod history;
mod journal;
mod log;
mod marked_release;
mod nothing;
mod page;
mod problem;
mod prune;
mod pruned;
mod rollback_targets;
mod statistics;
mod status;
mod story;
mod summary;
mod verification;

pub use findings::Findings;
pub use history::{Histories, HistoryRow, HistoryTable};
pub use journal::{Exported, ImportReport, JournalCheck, JournalHeads, RepairReport, Sound};
pub use log::{LogLines, RawEvents};
pub use marked_release::{MarkedRelease, Whereabouts};
pub use nothing::NothingDeployed;
pub use page::PageWritten;
pub use prune::PruneSheet;
pub use pruned::PruneOutcomeSheet;
pub use rollback_targets::{RollbackTarget, RollbackTargets};
pub use statistics::StatisticsSheet;
pub use status::{Elsewhere, Seen, StatusChange, StatusSheet};
pub use story::StorySheet;
pub use verification::Verification;

pub(super) use findings::tree;
pub(super) use problem::warning;

use super::look::{Accent, Look, harmless};
use crate::names::{Digest, ImageIdentifier, StreamName, Tag};

/// The first line of every screen of a world that is not AWS itself.
pub(super) fn endpoint_line(endpoint: &str) -> String {
    let host = endpoint.split("://").last().unwrap_or(endpoint);
    let loopback = ["127.", "localhost", "[::1]"].iter().any(|name| host.starts_with(name));
    let word = if loopback { "sandbox" } else { "endpoint" };
    format!("{word}  {}\n", harmless(endpoint))
}

/// An image in two words: `v1.4.2 (9f2c8e11)`.
pub(super) fn image_words(tag: Option<&Tag>, digest: Option<&Digest>) -> String {
    match (tag, digest) {
        (Some(tag), Some(digest)) => format!("{tag} ({})", digest.short()),
        (Some(tag), None) => tag.to_string(),
        (None, Some(digest)) => digest.short().to_owned(),
        (None, None) => "an unknown image".into(),
    }
}

/// An image identifier without registry and with a short digest; any other text as it is.
pub(super) fn short_image(text: &str) -> String {
    match text.parse::<ImageIdentifier>() {
        Ok(image) if image.digest().is_some() => image.short(),
        _ => text.into(),
    }
}

/// The first line of a screen: what it is about, and where that is.
fn heading(look: Look, name: &str, place: &StreamName) -> String {
    let title = look.paint(Accent::Strong, name);
    format!("{title}   {}, account {}", place.region, place.account)
}
