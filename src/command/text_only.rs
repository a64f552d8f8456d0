//! What is said to us, and where we are, has to be text: what is not would be taken for another path.

use std::path::Path;

use super::here;
use super::trouble::usage;
use crate::config::key::KEYS;
use crate::problem::Problem;
use crate::text::printable;

/// Variables of others that decide where things are.
const THEIRS: [&str; 3] = ["SUREFOOT_", "AWS_", "DOCKER_"];

/// Refuses a variable or a directory that is not UTF-8.
pub(super) fn refuse_what_is_no_text(
    history: Option<&Path>,
    current: &Path,
) -> Result<(), Problem> {
    if let Some(name) = here::variable_that_is_no_text(counts) {
        let what = format!("the variable `{name}` is not UTF-8 text");
        return Err(usage(what, "set it to text, or unset it, then run the same command again"));
    }
    if let Some(path) = history.filter(|path| path.to_str().is_none()) {
        let what = format!("`--history-dir {}` is not UTF-8 text", shown(path));
        return Err(usage(what, "name a directory whose path is text, or a link to it that is"));
    }
    if current.to_str().is_none() {
        let what =
            format!("the path of the current directory is not UTF-8 text: {}", shown(current));
        return Err(usage(what, "rename it, or work in a copy of it whose path is text"));
    }
    Ok(())
}

fn counts(name: &str) -> bool {
    THEIRS.iter().any(|start| name.starts_with(start))
        || KEYS.iter().any(|key| key.variables().iter().any(|variable| variable == name))
}

fn shown(path: &Path) -> String {
    printable(&path.display().to_string(), 200)
}
