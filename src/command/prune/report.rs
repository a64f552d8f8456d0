//! `--report FILE`: everything as JSON, in a file.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::trouble;
use crate::command::target::Target;
use crate::journal::archive::ANYBODY;
use crate::problem::Problem;
use crate::text::harmless_json;
use crate::view::Document;

/// A file that is written at the end, and tried at the beginning: whether it can be written is known
/// before anything is deleted.
pub(super) struct Report {
    target: Option<(PathBuf, Target)>,
    documents: Map<String, Value>,
}

impl Report {
    /// Into no file.
    pub(super) fn none() -> Self {
        Self { target: None, documents: Map::new() }
    }

    /// Into this file, where one is named, and which is not in the journal's directory.
    pub(super) fn open(path: Option<&Path>, history: &Path) -> Result<Self, Problem> {
        let Some(path) = path else { return Ok(Self::none()) };
        let target = Target::of(path, history)
            .map_err(|error| trouble::report(path, &error).leaves("Nothing was deleted."))?;
        Ok(Self { target: Some((path.to_owned(), target)), documents: Map::new() })
    }

    /// One more document.
    pub(super) fn add(&mut self, document: &dyn Document) {
        self.documents.insert(document.name().to_owned(), document.json());
    }

    /// Writes all of them; nothing where there is nothing to tell.
    pub(super) fn write(self) -> Result<(), Problem> {
        let Some((path, target)) = self.target.filter(|_| !self.documents.is_empty()) else {
            return Ok(());
        };
        let text = harmless_json(format!("{:#}\n", Value::Object(self.documents)));
        let written = target.write(ANYBODY, &mut |out| Ok(out.write_all(text.as_bytes())?));
        written.map_err(|error| trouble::report(&path, &error))
    }
}
