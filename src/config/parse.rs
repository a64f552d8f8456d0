//! Reads the text of a configuration file: unknown keys, wrong types and wrong values are found
//! all at once, each with its place.
//!
//! No message repeats a value: what was written may be a secret in the wrong place.

use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::file::{File, Located, Section};
use super::finding::{self, Finding, Place};
use super::key::{KEYS, Key};
use super::kind::{Form, Kind};
use super::suggest::nearest;
use crate::names::ServiceName;
use crate::problem::Problem;
use crate::text::printable;

/// Tables of fixed keys.
const TABLES: [&str; 5] = ["build", "service", "app_runner_health_check", "health", "times"];

/// Tables whose keys the user chooses.
const MAPS: [&str; 4] = ["environment", "secrets", "build.arguments", "health.assert"];

/// Reads a configuration file. `path` is for messages, and for what is relative to it.
pub fn parse(path: &Path, text: &str) -> Result<File, Problem> {
    // Editors on Windows put a byte order mark there.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader { text, findings: Vec::new(), warnings: Vec::new() };
    let mut file = File {
        path: path.to_owned(),
        top: Section::default(),
        services: std::collections::BTreeMap::new(),
        environments: std::collections::BTreeMap::new(),
        warnings: Vec::new(),
    };
    match DeTable::parse(text) {
        Ok(document) => reader.document(document.get_ref(), &mut file),
        Err(error) => reader.broken(&error),
    }
    if !reader.findings.is_empty() {
        return Err(finding::problem(path, reader.findings));
    }
    file.warnings = reader.warnings;
    Ok(file)
}

/// Which part of the file is being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level<'a> {
    /// What holds for all.
    Top,
    /// `[service.NAME]`, where the keys of `[service]` stand directly.
    Service(&'a str),
    /// `[env.NAME]`.
    Environment(&'a str),
}

impl Level<'_> {
    /// The path of a key as the user wrote or should write it.
    pub(super) fn shown(self, path: &str) -> String {
        let path = printable(path, 80);
        match self {
            Self::Top => path,
            Self::Service(name) => {
                format!("service.{name}.{}", path.strip_prefix("service.").unwrap_or(&path))
            }
            Self::Environment(name) => format!("env.{name}.{path}"),
        }
    }

    /// The key that a path means here.
    fn key(self, path: &str) -> Option<&'static Key> {
        match self {
            Self::Service(_) => Key::find(path).or_else(|| Key::find(&format!("service.{path}"))),
            _ => Key::find(path),
        }
    }
}

pub(super) struct Reader<'a> {
    text: &'a str,
    findings: Vec<Finding>,
    pub(super) warnings: Vec<String>,
}

impl Reader<'_> {
    fn document(&mut self, table: &DeTable<'_>, file: &mut File) {
        for (key, value) in table {
            let name: &str = key.get_ref();
            match (name, value.get_ref()) {
                ("service", DeValue::Table(table)) => self.services(table, file),
                ("env", DeValue::Table(table)) => self.environments(table, file),
                ("env", other) => self.wrong_type(Level::Top, key, "env", other, "a table"),
                _ => self.entry(Level::Top, "", key, value, &mut file.top),
            }
        }
    }

    /// `[service]` holds its own keys, and one table per named service.
    fn services(&mut self, table: &DeTable<'_>, file: &mut File) {
        for (key, value) in table {
            match value.get_ref() {
                DeValue::Table(section) => self.service(key, section, file),
                _ => self.entry(Level::Top, "service", key, value, &mut file.top),
            }
        }
    }

    fn service(
        &mut self,
        key: &Spanned<toml::de::DeString<'_>>,
        table: &DeTable<'_>,
        file: &mut File,
    ) {
        let name: &str = key.get_ref();
        if TABLES.contains(&name) || MAPS.contains(&name) {
            let what =
                format!("`[service.{name}]` would be the settings of a service named `{name}`");
            return self.found(key, what, Some(format!("`[{name}]` stands on its own")));
        }
        match name.parse::<ServiceName>() {
            Ok(service) => {
                let mut section = Section::default();
                self.table(Level::Service(name), "", table, &mut section);
                file.services.insert(service, section);
            }
            Err(error) => {
                let what = format!(
                    "`service.{}` is not a service name: {}",
                    printable(name, 80),
                    error.reason
                );
                self.found(key, what, None);
            }
        }
    }

    fn environments(&mut self, table: &DeTable<'_>, file: &mut File) {
        for (key, value) in table {
            let name: &str = key.get_ref();
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
                let what = format!(
                    "`env.{}`: 1 to 64 letters, digits, `-`, `_`, `.`",
                    printable(name, 80)
                );
                self.found(key, what, None);
            } else if let DeValue::Table(table) = value.get_ref() {
                let mut section = Section::default();
                self.table(Level::Environment(name), "", table, &mut section);
                file.environments.insert(name.to_owned(), section);
            } else {
                let what =
                    format!("`env.{name}` is {}, and should be a table", kind_of(value.get_ref()));
                let hint = "variables of the service stand in `[environment]`, \
                            `[env.NAME]` is chosen by `--env NAME`";
                self.found(key, what, Some(hint.into()));
            }
        }
    }

    fn table(
        &mut self,
        level: Level<'_>,
        prefix: &str,
        table: &DeTable<'_>,
        section: &mut Section,
    ) {
        for (key, value) in table {
            self.entry(level, prefix, key, value, section);
        }
    }

    fn entry(
        &mut self,
        level: Level<'_>,
        prefix: &str,
        key: &Spanned<toml::de::DeString<'_>>,
        value: &Spanned<DeValue<'_>>,
        section: &mut Section,
    ) {
        let path = join(prefix, key.get_ref());
        if path == "service_name" && matches!(level, Level::Service(_)) {
            let what =
                format!("`{}`: the section's name is the service's name", level.shown(&path));
            return self.found(key, what, None);
        }
        if let Some(known) = level.key(&path) {
            return self.scalar(level, known, value, section);
        }
        let nested = TABLES.contains(&path.as_str())
            && !(path == "service" && matches!(level, Level::Service(_)));
        match value.get_ref() {
            DeValue::Table(table) if nested => self.table(level, &path, table, section),
            DeValue::Table(table) if MAPS.contains(&path.as_str()) => {
                self.map(level, &path, table, section);
            }
            other if nested || MAPS.contains(&path.as_str()) => {
                self.wrong_type(level, key, &path, other, "a table");
            }
            _ => self.unknown(level, key, &path),
        }
    }

    fn map(&mut self, level: Level<'_>, path: &str, table: &DeTable<'_>, section: &mut Section) {
        match path {
            "environment" => self.plain_variables(level, table, section),
            "secrets" => self.secrets(level, table, section),
            "build.arguments" => self.arguments(level, table, section),
            _ => self.assertions(level, table, section),
        }
    }

    fn scalar(
        &mut self,
        level: Level<'_>,
        key: &'static Key,
        value: &Spanned<DeValue<'_>>,
        section: &mut Section,
    ) {
        let Some(text) = text_of(key.kind, value.get_ref()) else {
            return self.wrong_type(level, value, key.path, value.get_ref(), &key.kind.expected());
        };
        match key.kind.check(&text) {
            Ok(canonical) => {
                let located = Located { value: canonical, place: self.place(value) };
                section.scalars.insert(key.path, located);
            }
            Err(reason) => {
                let shown = level.shown(key.path);
                let expected = key.kind.expected();
                let what = if reason == expected {
                    format!("`{shown}` should be {expected}")
                } else {
                    format!("`{shown}` should be {expected}: {reason}")
                };
                self.found(value, what, None);
            }
        }
    }

    fn unknown(&mut self, level: Level<'_>, key: &Spanned<toml::de::DeString<'_>>, path: &str) {
        let hint = suggestion(path).map(|known| format!("did you mean `{}`?", level.shown(known)));
        self.found(key, format!("unknown key `{}`", level.shown(path)), hint);
    }

    /// Notes a value of the wrong type.
    pub(super) fn wrong_type<T>(
        &mut self,
        level: Level<'_>,
        place: &Spanned<T>,
        path: &str,
        value: &DeValue<'_>,
        expected: &str,
    ) {
        let what =
            format!("`{}` is {}, and should be {expected}", level.shown(path), kind_of(value));
        let hint = (path == "service").then(|| "the name is `service_name = \"…\"`".to_owned());
        self.found(place, what, hint);
    }

    /// Notes a mistake.
    pub(super) fn found<T>(&mut self, place: &Spanned<T>, what: String, hint: Option<String>) {
        let place = self.place(place);
        self.findings.push(Finding { place, what, hint });
    }

    fn broken(&mut self, error: &toml::de::Error) {
        let byte = error.span().map_or(0, |span| span.start);
        let what = format!("not TOML: {}", printable(error.message(), 200));
        self.findings.push(Finding { place: Place::of(self.text, byte), what, hint: None });
    }

    /// Where something stands.
    pub(super) fn place<T>(&self, spanned: &Spanned<T>) -> Place {
        Place::of(self.text, spanned.span().start)
    }
}

/// Prefix and name as one path.
pub(super) fn join(prefix: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") }
}

/// The value as text, where its type is one that this kind may be written in.
fn text_of(kind: Kind, value: &DeValue<'_>) -> Option<String> {
    match (kind.form(), value) {
        (Form::Text | Form::Number, DeValue::String(text)) => Some(text.to_string()),
        (Form::Number, DeValue::Integer(number)) => {
            i64::from_str_radix(number.as_str(), number.radix()).ok().map(|n| n.to_string())
        }
        (Form::Boolean, DeValue::Boolean(yes)) => Some(yes.to_string()),
        _ => None,
    }
}

/// What a value is, in words.
pub(super) fn kind_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// The known path most like an unknown one: first among its neighbours, then anywhere.
fn suggestion(path: &str) -> Option<&'static str> {
    let known = || KEYS.iter().map(|key| key.path).chain(TABLES).chain(MAPS);
    let (table, leaf) = path.rsplit_once('.').unwrap_or(("", path));
    let neighbours = known().filter(|known| parent(known) == table);
    let pick = |leaf: &str, among: &mut dyn Iterator<Item = &'static str>| {
        let among: Vec<&'static str> = among.collect();
        let found = nearest(leaf, among.iter().map(|path| last(path)))?;
        among.into_iter().find(|path| last(path) == found)
    };
    pick(leaf, &mut neighbours.into_iter())
        .or_else(|| pick(leaf, &mut known()))
        .or_else(|| nearest(path, known()))
}

fn parent(path: &str) -> &str {
    path.rsplit_once('.').map_or("", |(parent, _)| parent)
}

fn last(path: &'static str) -> &'static str {
    path.rsplit('.').next().unwrap_or(path)
}
