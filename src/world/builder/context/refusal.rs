//! Why a context cannot be sent, in words.

use std::io;
use std::path::Path;

use crate::text::printable;
use crate::world::{Place, WorldError};

/// Longest path repeated in a message.
const PATH_SHOWN: usize = 300;

/// A path safe to show.
pub(super) fn shown(path: &Path) -> String {
    printable(&path.to_string_lossy(), PATH_SHOWN)
}

/// A refusal of the project itself.
pub(super) fn refused(code: &str, message: impl Into<String>) -> WorldError {
    WorldError::refused(Place::Source, code, message)
}

/// A file or directory that does not open.
pub(super) fn unreadable(path: &Path, error: &io::Error) -> WorldError {
    if error.kind() == io::ErrorKind::NotFound {
        return changed(path, "it vanished");
    }
    refused(
        "unreadable",
        format!(
            "{} cannot be read ({}); make it readable, or name it in the ignore file",
            shown(path),
            cause(error)
        ),
    )
}

/// A file that is not what it was a moment ago.
pub(super) fn changed(path: &Path, how: &str) -> WorldError {
    refused(
        "context-changed",
        format!(
            "{} changed while it was read: {how}; nothing was built, run it again",
            shown(path)
        ),
    )
}

/// What an I/O error says, without the number the platform adds.
pub(super) fn cause(error: &io::Error) -> String {
    let text = error.to_string();
    let end = text.find(" (os error").unwrap_or(text.len());
    text[..end].to_lowercase()
}
