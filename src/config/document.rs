//! Holds `docs/configuration.md` and the table of keys together.

use std::fmt::Write as _;
use std::path::Path;

use super::key::{Fallback, KEYS, Key};
use super::units::format_duration;

const DOCUMENT: &str = include_str!("../../docs/configuration.md");
const BEGIN: &str = "<!-- keys: begin -->\n";
const END: &str = "<!-- keys: end -->\n";

/// The reference part of the document, as the table of keys says it.
fn reference() -> String {
    let mut text = String::new();
    for key in KEYS {
        write!(text, "\n#### `{}`\n\n{}\n\n", key.path, key.meaning).unwrap();
        for (name, value) in rows(key) {
            writeln!(text, "- {name}: {value}").unwrap();
        }
    }
    text
}

fn rows(key: &Key) -> Vec<(&'static str, String)> {
    let variables: Vec<String> = key.variables().iter().map(|name| format!("`{name}`")).collect();
    let default = match key.default {
        Fallback::Value(text) => format!("`{text}`"),
        Fallback::Time(duration) => format!("`{}`", format_duration(duration)),
        Fallback::Absent(words) => words.to_owned(),
    };
    let mut rows = vec![("type", key.kind.expected()), ("default", default)];
    if !key.kind.unit().is_empty() {
        rows.push(("unit of a bare number", key.kind.unit().into()));
    }
    rows.extend(key.flag.map(|flag| ("option", format!("`{flag}`"))));
    rows.push(("variables", variables.join(", ")));
    let leaf = key.path.rsplit('.').next().unwrap_or(key.path);
    let example = match key.examples[0] {
        plain @ ("true" | "false") => plain.to_owned(),
        text => format!("{text:?}"),
    };
    rows.push(("example", format!("`{leaf} = {example}`")));
    rows
}

/// With `SUREFOOT_BLESS` set, writes the part into the document instead of comparing.
#[test]
fn the_document_describes_every_key_as_the_table_does() {
    let (head, rest) = DOCUMENT.split_once(BEGIN).expect("the document has its begin mark");
    let (found, tail) = rest.split_once(END).expect("the document has its end mark");
    if std::env::var_os("SUREFOOT_BLESS").is_some() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
        let text = format!("{head}{BEGIN}{}\n{END}{tail}", reference());
        std::fs::write(path, text).unwrap();
        panic!("the document was written: run again without SUREFOOT_BLESS");
    }
    assert_eq!(found.trim_end(), reference().trim_end(), "run it once with SUREFOOT_BLESS=1");
}

#[test]
fn the_documents_examples_are_valid_files() {
    let blocks: Vec<&str> = DOCUMENT
        .split("```toml\n")
        .skip(1)
        .map(|block| block.split("```").next().unwrap())
        .collect();
    assert!(blocks.len() >= 4);
    for block in blocks {
        if let Err(problem) = super::parse(Path::new("example"), block) {
            panic!("{problem:#?}\n{block}");
        }
    }
}

#[test]
fn the_first_example_shows_every_table() {
    let block = DOCUMENT.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    for table in [
        "[build]",
        "[build.arguments]",
        "[service]",
        "[environment]",
        "[secrets]",
        "[app_runner_health_check]",
        "[health]",
        "[health.assert]",
        "[times]",
    ] {
        assert!(block.contains(table), "{table}");
    }
}

#[test]
fn the_variables_without_a_key_are_described() {
    use super::precedence::{ENVIRONMENT_VARIABLE, SPEED_VARIABLE};
    for name in [ENVIRONMENT_VARIABLE, SPEED_VARIABLE, "unset", "SUREFOOT_DEPLOYMENT", "PORT"] {
        assert!(DOCUMENT.contains(&format!("`{name}")), "{name}");
    }
}
