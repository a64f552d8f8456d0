//! `--report FILE`: everything as JSON, in a file.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::trouble;
use crate::journal::JournalError;
use crate::journal::archive::{ANYBODY, try_to_write_beside, write_durably};
use crate::problem::Problem;
use crate::view::Document;

/// A file that is written at the end, whole or not at all: one that was there stays until then. Whether
/// it can be written is tried at the beginning, before anything is deleted.
pub(super) struct Report {
    file: Option<PathBuf>,
    documents: Map<String, Value>,
}

impl Report {
    /// Into no file.
    pub(super) fn none() -> Self {
        Self { file: None, documents: Map::new() }
    }

    /// Into this file, where one is named.
    pub(super) fn open(path: Option<&Path>) -> Result<Self, Problem> {
        let Some(path) = path else { return Ok(Self::none()) };
        try_out(path)
            .map_err(|error| trouble::report(path, &error).leaves("Nothing was deleted."))?;
        Ok(Self { file: Some(path.to_owned()), documents: Map::new() })
    }

    /// One more document.
    pub(super) fn add(&mut self, document: &dyn Document) {
        self.documents.insert(document.name().to_owned(), document.json());
    }

    /// Writes all of them; nothing where there is nothing to tell.
    pub(super) fn write(self) -> Result<(), Problem> {
        let Some(path) = self.file.filter(|_| !self.documents.is_empty()) else { return Ok(()) };
        let text = format!("{:#}\n", Value::Object(self.documents));
        let written = if is_special(&path) {
            std::fs::write(&path, text).map_err(JournalError::from)
        } else {
            write_durably(&path, ANYBODY, &mut |out| Ok(out.write_all(text.as_bytes())?))
        };
        written.map_err(|error| trouble::report(&path, &error))
    }
}

/// What is there and no file, such as a pipe, is written to as it is.
fn is_special(path: &Path) -> bool {
    path.metadata().is_ok_and(|there| !there.is_file())
}

fn try_out(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if is_special(path) {
        return OpenOptions::new().write(true).open(path).map(drop);
    }
    try_to_write_beside(path)
}
