//! The tables whose keys the user chooses: variables, secrets, build arguments, assertions.

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::file::{Located, Section, Variable};
use super::parse::{Level, Reader, join, kind_of};
use super::value::Hidden;
use crate::names::{SecretReference, VariableName};
use crate::release::MARK;
use crate::text::{is_hostile, printable};

/// The longest plain value App Runner takes. Source: service model.
const VALUE_LIMIT: usize = 51_200;

/// The longest name or reference of a secret App Runner takes. Source: service model.
const SECRET_LIMIT: usize = 2048;

/// Parts of names that usually hold secrets.
const SECRETIVE: [&str; 6] =
    ["PASSWORD", "SECRET", "TOKEN", "API_KEY", "PRIVATE_KEY", "CREDENTIAL"];

impl Reader<'_> {
    pub(super) fn plain_variables(
        &mut self,
        level: Level<'_>,
        table: &DeTable<'_>,
        section: &mut Section,
    ) {
        for (key, value) in table {
            if self.unset(level, key, value, section) {
                continue;
            }
            let path = join("environment", key.get_ref());
            let (Some(name), Some(text)) =
                (self.variable(level, key, &path), self.plain(level, key, value, &path))
            else {
                continue;
            };
            self.judge_plain(&name, &text);
            self.settle(level, key, name, Variable::Plain(Hidden(text)), section);
        }
    }

    pub(super) fn secrets(&mut self, level: Level<'_>, table: &DeTable<'_>, section: &mut Section) {
        for (key, value) in table {
            if self.unset(level, key, value, section) {
                continue;
            }
            let path = join("secrets", key.get_ref());
            let (Some(name), Some(reference)) =
                (self.variable(level, key, &path), self.reference(level, value, &path))
            else {
                continue;
            };
            self.settle(level, key, name, Variable::Secret(reference), section);
        }
    }

    pub(super) fn arguments(
        &mut self,
        level: Level<'_>,
        table: &DeTable<'_>,
        section: &mut Section,
    ) {
        for (key, value) in table {
            let name: &str = key.get_ref();
            let path = join("build.arguments", name);
            if !self.can_be_typed(key, &level.shown(&path)) {
                continue;
            }
            let Some(text) = self.plain(level, key, value, &path) else { continue };
            let Ok(name) = name.parse::<VariableName>() else {
                let what = format!("`{}`: a name without `=` and NUL", level.shown(&path));
                self.found(key, what, None);
                continue;
            };
            if looks_secretive(name.as_str()) {
                self.warnings.push(format!(
                    "build arguments end up in the image's history: is `{}` a secret?",
                    level.shown(&path)
                ));
            }
            let located = Located { value: Hidden(text), place: self.place(key) };
            section.arguments.insert(name, located);
        }
    }

    /// Assertions by quoted path (`"a.b" = 1`) and by TOML's own dots (`a.b = 1`) mean the same.
    pub(super) fn assertions(
        &mut self,
        level: Level<'_>,
        table: &DeTable<'_>,
        section: &mut Section,
    ) {
        self.assertions_below("", level, table, section);
    }

    fn assertions_below(
        &mut self,
        prefix: &str,
        level: Level<'_>,
        table: &DeTable<'_>,
        section: &mut Section,
    ) {
        for (key, value) in table {
            let path = join(prefix, key.get_ref());
            let shown = level.shown(&join("health.assert", &path));
            if super::json_path::segments(&path).iter().any(String::is_empty) {
                self.found(key, format!("`{shown}`: names separated by `.`, none empty"), None);
            } else if let DeValue::Table(table) = value.get_ref() {
                self.assertions_below(&path, level, table, section);
            } else if let Some(expected) = to_json(value.get_ref()) {
                let located = Located { value: expected, place: self.place(key) };
                if section.assertions.insert(path, located).is_some() {
                    self.found(key, format!("`{shown}` is asserted twice"), None);
                }
            } else {
                let what = format!(
                    "`{shown}` is {}, and should be what JSON can say",
                    kind_of(value.get_ref())
                );
                self.found(value, what, None);
            }
        }
    }

    /// `unset = ["NAME"]`. A text is a variable that happens to have this name.
    fn unset(
        &mut self,
        level: Level<'_>,
        key: &Spanned<DeString<'_>>,
        value: &Spanned<DeValue<'_>>,
        section: &mut Section,
    ) -> bool {
        let (true, DeValue::Array(names)) = (key.get_ref() == "unset", value.get_ref()) else {
            return false;
        };
        for entry in names {
            let DeValue::String(text) = entry.get_ref() else {
                self.wrong_type(level, entry, "unset", entry.get_ref(), "the name of a variable");
                continue;
            };
            match text.parse::<VariableName>() {
                Ok(name) if name.as_str() != MARK => {
                    self.settle(level, entry, name, Variable::Unset, section);
                }
                Ok(_) => self.found(entry, format!("`{MARK}` belongs to surefoot"), None),
                Err(error) => {
                    let what = format!("`unset`: not a variable name: {}", error.reason);
                    self.found(entry, what, None);
                }
            }
        }
        true
    }

    /// Notes what becomes of a variable, once per section: two answers would be a coin toss.
    fn settle<T>(
        &mut self,
        level: Level<'_>,
        place: &Spanned<T>,
        name: VariableName,
        variable: Variable,
        section: &mut Section,
    ) {
        let shown = printable(name.as_str(), 80);
        let located = Located { value: variable, place: self.place(place) };
        let said = located.value.clone();
        if section.variables.insert(name, located).is_some_and(|before| before.value != said) {
            let what = format!("`{shown}` stands twice among environment and secrets");
            let hint = match level {
                Level::Top => None,
                _ => {
                    Some("setting a variable in one place already removes it from the other".into())
                }
            };
            self.found(place, what, hint);
        }
    }

    /// App Runner takes nearly anything for a name; what cannot be seen in one is a mistake, or means
    /// harm to whoever reads it on a terminal.
    fn can_be_typed(&mut self, key: &Spanned<DeString<'_>>, shown: &str) -> bool {
        let is_plain = !key.get_ref().contains(is_hostile);
        if !is_plain {
            let what =
                format!("`{shown}`: a name without line breaks, control or hidden characters");
            self.found(key, what, None);
        }
        is_plain
    }

    fn variable(
        &mut self,
        level: Level<'_>,
        key: &Spanned<DeString<'_>>,
        path: &str,
    ) -> Option<VariableName> {
        let shown = level.shown(path);
        if !self.can_be_typed(key, &shown) {
            return None;
        }
        let name = match key.get_ref().parse::<VariableName>() {
            Ok(name) => name,
            Err(error) => {
                self.found(
                    key,
                    format!("`{shown}` is not a variable name: {}", error.reason),
                    None,
                );
                return None;
            }
        };
        match name.as_str() {
            // App Runner developer guide, env-variable-manage: PORT is reserved.
            "PORT" => {
                let hint = format!("set `{}`", level.shown("service.port"));
                self.found(key, format!("`{shown}`: App Runner reserves `PORT`"), Some(hint));
                None
            }
            MARK => {
                self.found(key, format!("`{shown}`: surefoot marks its deployments with it"), None);
                None
            }
            plain => {
                if plain.starts_with("AWSAPPRUNNER") {
                    self.warnings.push(format!(
                        "App Runner may refuse `{shown}`: names that begin with `AWSAPPRUNNER` \
                         are its own"
                    ));
                }
                Some(name)
            }
        }
    }

    /// A plain value. Whole numbers and booleans are taken as they are written in decimal.
    fn plain(
        &mut self,
        level: Level<'_>,
        key: &Spanned<DeString<'_>>,
        value: &Spanned<DeValue<'_>>,
        path: &str,
    ) -> Option<String> {
        let text = match value.get_ref() {
            DeValue::String(text) => text.to_string(),
            DeValue::Boolean(yes) => yes.to_string(),
            DeValue::Integer(number) if number.radix() == 10 => number.as_str().to_owned(),
            other => {
                self.wrong_type(level, value, path, other, "a text in quotes");
                return None;
            }
        };
        let length = text.chars().count();
        if length > VALUE_LIMIT {
            let what = format!(
                "`{}` has {length} characters, App Runner takes {VALUE_LIMIT}",
                level.shown(path)
            );
            self.found(key, what, None);
            return None;
        }
        if text.contains('\0') {
            self.found(key, format!("`{}` contains a NUL character", level.shown(path)), None);
            return None;
        }
        Some(text)
    }

    fn reference(
        &mut self,
        level: Level<'_>,
        value: &Spanned<DeValue<'_>>,
        path: &str,
    ) -> Option<SecretReference> {
        let shown = level.shown(path);
        let DeValue::String(text) = value.get_ref() else {
            self.wrong_type(level, value, path, value.get_ref(), "the ARN of a secret");
            return None;
        };
        if text.len() > SECRET_LIMIT {
            let what =
                format!("`{shown}` has {} characters, App Runner takes {SECRET_LIMIT}", text.len());
            self.found(value, what, None);
            return None;
        }
        match text.parse::<SecretReference>() {
            Ok(reference) => Some(reference),
            Err(error) => {
                let what = format!("`{shown}` is not a secret reference: {}", error.reason);
                let hint = "was that the secret itself? Put it into Secrets Manager, change it \
                            there if this file was ever committed, and write its ARN here";
                self.found(value, what, Some(hint.into()));
                None
            }
        }
    }

    fn judge_plain(&mut self, name: &VariableName, text: &str) {
        let shown = printable(name.as_str(), 80);
        if text.parse::<SecretReference>().is_ok() {
            self.warnings.push(format!(
                "`environment.{shown}` hands over the ARN itself: to let App Runner read the \
                 secret, move it to `[secrets]`"
            ));
        } else if looks_secretive(name.as_str()) && !text.is_empty() {
            self.warnings.push(format!(
                "`environment.{shown}` is readable by everybody who may describe the service: \
                 a secret belongs into `[secrets]`"
            ));
        }
    }
}

fn looks_secretive(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    SECRETIVE.iter().any(|part| upper.contains(part))
}

/// The same value in JSON, where JSON can say it: no dates, no infinity.
fn to_json(value: &DeValue<'_>) -> Option<serde_json::Value> {
    Some(match value {
        DeValue::String(text) => text.as_ref().into(),
        DeValue::Boolean(yes) => (*yes).into(),
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).ok()?.into()
        }
        DeValue::Float(number) => {
            serde_json::Number::from_f64(number.as_str().parse().ok()?)?.into()
        }
        DeValue::Array(items) => {
            items.iter().map(|item| to_json(item.get_ref())).collect::<Option<Vec<_>>>()?.into()
        }
        DeValue::Table(members) => members
            .iter()
            .map(|(name, value)| Some((name.get_ref().to_string(), to_json(value.get_ref())?)))
            .collect::<Option<serde_json::Map<_, _>>>()?
            .into(),
        DeValue::Datetime(_) => return None,
    })
}
