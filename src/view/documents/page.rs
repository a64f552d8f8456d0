//! The page that was written.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::status::next_lines;
use crate::view::{Document, Look};

/// The page that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageWritten {
    /// Where it is.
    pub file: PathBuf,
    /// How many deployments it shows.
    pub deployments: usize,
}

impl Document for PageWritten {
    fn name(&self) -> &'static str {
        "page"
    }

    fn text(&self, look: Look) -> String {
        let (file, count) = (self.file.display().to_string(), self.deployments);
        let plural = if count == 1 { "" } else { "s" };
        let said = look.to_type(
            "",
            crate::view::look::Accent::None,
            &format!("{count} deployment{plural} in {file}"),
        );
        said + &next_lines(look, &[format!("open {file}")])
    }

    fn json(&self) -> Value {
        json!({ "file": self.file, "deployments": self.deployments })
    }
}
