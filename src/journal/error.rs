//! Everything that can be wrong with a journal.

use std::io;
use std::path::PathBuf;

use crate::event::envelope::{Damage, EventId, LARGEST_EVENT, Unstorable};
use crate::names::StreamName;

/// Why the journal did not do as asked. Nothing was written, unless it says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// There is no journal.
    #[error("there is no journal at `{}`", path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// What stands in its place cannot be looked at, or is no file at all.
    #[error("`{}` cannot be read", path.display())]
    Inaccessible {
        /// The directory, the file or the link.
        path: PathBuf,
        /// What the system says, or what it is.
        source: io::Error,
    },
    /// There is something else in its place.
    #[error("`{}` is not the journal that belongs here: {detail}", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// A newer version of the tool made it.
    #[error("the journal has format {found}, this version reads up to {supported}")]
    NewerFormat {
        /// The least format a reader has to know.
        found: u32,
        /// The newest format that this version knows.
        supported: u32,
    },
    /// What is stored is not what was written.
    #[error("the journal is damaged{}: {detail}", place(stream.as_ref(), *sequence))]
    Corrupt {
        /// The stream, where it is known.
        stream: Option<StreamName>,
        /// The event, where it is known.
        sequence: Option<u64>,
        /// What is wrong.
        detail: String,
    },
    /// The export that the journal wrote itself is ahead of it: an older file was put in its place.
    #[error(
        "its own export of {stream} goes on to event {export}, and the journal ends at {journal}"
    )]
    Behind {
        /// The stream.
        stream: StreamName,
        /// The last event of the journal, 0 for none.
        journal: u64,
        /// The last event of the export.
        export: u64,
    },
    /// Somebody else appended to the stream.
    #[error("the stream ends at event {found}, not at {expected}")]
    Conflict {
        /// The last event that the writer knew.
        expected: u64,
        /// The last event there is.
        found: u64,
    },
    /// An event of this id is stored with other content.
    #[error("another event already has the id {id}")]
    IdTaken {
        /// The id.
        id: EventId,
    },
    /// Another process holds the file, longer than anybody should.
    #[error("another process holds the journal `{}` open", path.display())]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// The disk is full.
    #[error("the disk is full")]
    Full,
    /// The directory or the file cannot be written.
    #[error("the journal at `{}` cannot be written", path.display())]
    Unwritable {
        /// The directory or the file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// An event or a value is larger than the limit.
    #[error("{what} holds at most {limit} bytes, this one has {size}")]
    TooLarge {
        /// What is too large, with its article.
        what: &'static str,
        /// Its size in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// An event could be written but not be read again.
    #[error("the event could not be read again: {detail}")]
    Unreadable {
        /// What is wrong with it.
        detail: String,
    },
    /// The system refused.
    #[error("the journal could not be reached")]
    Io(#[source] io::Error),
}

impl JournalError {
    /// Damage that belongs to no single event.
    pub(crate) fn corrupt(detail: impl Into<String>) -> Self {
        Self::Corrupt { stream: None, sequence: None, detail: detail.into() }
    }

    /// Damage of one event.
    pub(crate) fn damaged(stream: &StreamName, sequence: u64, damage: &Damage) -> Self {
        Self::Corrupt {
            stream: Some(stream.clone()),
            sequence: Some(sequence),
            detail: damage.to_string(),
        }
    }
}

impl From<Unstorable> for JournalError {
    fn from(unstorable: Unstorable) -> Self {
        match unstorable {
            Unstorable::TooLarge(size) => {
                Self::TooLarge { what: "an event", size, limit: LARGEST_EVENT }
            }
            Unstorable::Unreadable(detail) => Self::Unreadable { detail },
        }
    }
}

impl From<io::Error> for JournalError {
    fn from(error: io::Error) -> Self {
        use io::ErrorKind::{QuotaExceeded, StorageFull};
        if matches!(error.kind(), StorageFull | QuotaExceeded) {
            Self::Full
        } else {
            Self::Io(error)
        }
    }
}

fn place(stream: Option<&StreamName>, sequence: Option<u64>) -> String {
    match (stream, sequence) {
        (Some(stream), Some(sequence)) => format!(" at event {sequence} of {stream}"),
        (Some(stream), None) => format!(" in {stream}"),
        (None, _) => String::new(),
    }
}
