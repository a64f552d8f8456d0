//! Why an export is not imported, in words.

use std::io;
use std::path::{Path, PathBuf};

use super::super::JournalError;
use super::super::export::EXPORT_FORMAT;
use crate::event::envelope::StoredEvent;
use crate::names::StreamName;

/// Why an export is not imported. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A file cannot be read.
    #[error("cannot read `{}`", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It is something else.
    #[error("`{}` is not an export of surefoot: {detail}", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        detail: String,
    },
    /// A newer version wrote it.
    #[error("the export has format {found}, this version reads up to {EXPORT_FORMAT}")]
    Newer {
        /// Its format.
        found: u32,
    },
    /// A line is missing, doubled or changed.
    #[error("{}line {line} of `{}`: {detail}", place(stream.as_ref()), path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The stream, where it is known.
        stream: Option<StreamName>,
        /// What is wrong.
        detail: String,
    },
    /// Journal and export have different events in the same place.
    #[error(
        "{stream} parts at event {sequence}: the journal has {}, the export has {}",
        told(ours.as_deref()),
        told(theirs.as_deref())
    )]
    Fork {
        /// The stream.
        stream: StreamName,
        /// The first event that is not the same.
        sequence: u64,
        /// The journal's event there.
        ours: Option<Box<StoredEvent>>,
        /// The export's event there.
        theirs: Option<Box<StoredEvent>>,
    },
    /// The journal said no.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

impl ImportError {
    /// The file that is to blame, where one is.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::File { path, .. } | Self::Foreign { path, .. } | Self::Damaged { path, .. } => {
                Some(path)
            }
            _ => None,
        }
    }
}

fn place(stream: Option<&StreamName>) -> String {
    stream.map(|stream| format!("{stream}, ")).unwrap_or_default()
}

fn told(event: Option<&StoredEvent>) -> String {
    match event.map(StoredEvent::envelope) {
        Some(Some(envelope)) => {
            let by = &envelope.actor;
            let at = envelope.at.format("%Y-%m-%d %H:%M:%S UTC");
            format!("{} of {at} by {}@{}", envelope.type_name, by.user, by.host)
        }
        Some(None) => "an event of a newer version".into(),
        None => "none".into(),
    }
}
