//! `--report FILE`: everything as JSON, in a file.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::trouble;
use crate::problem::Problem;
use crate::view::Document;

/// A file that is written at the end, and opened at the beginning: whether it can be written is known
/// before anything is deleted.
pub(super) struct Report {
    file: Option<(PathBuf, File)>,
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
        let file = File::create(path)
            .map_err(|error| trouble::report(path, &error).leaves("Nothing was deleted."))?;
        Ok(Self { file: Some((path.to_owned(), file)), documents: Map::new() })
    }

    /// One more document.
    pub(super) fn add(&mut self, document: &dyn Document) {
        self.documents.insert(document.name().to_owned(), document.json());
    }

    /// Writes all of them.
    pub(super) fn write(self) -> Result<(), Problem> {
        let Some((path, mut file)) = self.file else { return Ok(()) };
        let text = format!("{:#}\n", Value::Object(self.documents));
        file.write_all(text.as_bytes()).map_err(|error| trouble::report(&path, &error))
    }
}
