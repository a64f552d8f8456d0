//! What ECR's own lifecycle policy would delete, or archive, of what is kept. ECR knows nothing of App Runner.

use chrono::TimeDelta;
use serde::Deserialize;

use super::{Choice, Fate, Picture};
use crate::world::registry::{Held, matches_wildcard};

#[derive(Deserialize)]
struct Policy {
    #[serde(default)]
    rules: Vec<PolicyRule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PolicyRule {
    rule_priority: u64,
    #[serde(default)]
    description: String,
    selection: Selection,
    #[serde(default)]
    action: Action,
}

/// What a rule does to an image: `expire` deletes it, `transition` moves it to the archive.
#[derive(Deserialize, Default)]
struct Action {
    #[serde(default, rename = "type")]
    kind: String,
}

/// Source: ECR user guide, lifecycle policy parameters.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Selection {
    tag_status: String,
    #[serde(default)]
    tag_prefix_list: Vec<String>,
    #[serde(default)]
    tag_pattern_list: Vec<String>,
    count_type: String,
    #[serde(default)]
    count_number: u64,
    /// The class of the images that it is about: what is in the archive is not kept here.
    #[serde(default)]
    storage_class: String,
}

/// A line for each rule that would take away an image that is kept, now or in time.
pub fn lifecycle_warnings(policy: &str, picture: &Picture, choices: &[Choice]) -> Vec<String> {
    let Ok(mut policy) = serde_json::from_str::<Policy>(policy) else {
        return vec![
            "the repository's lifecycle policy cannot be read: look at what it keeps".into(),
        ];
    };
    policy.rules.sort_by_key(|rule| rule.rule_priority);
    // Parts live and die with their index. Of several rules, the first that selects an image counts.
    let mut left: Vec<&Choice> = choices
        .iter()
        .filter(|choice| picture.holders_of(&choice.held.image.digest).is_empty())
        .collect();
    let mut warnings = Vec::new();
    for rule in &policy.rules {
        let (mut selected, others): (Vec<_>, Vec<_>) =
            left.into_iter().partition(|choice| rule.selection.selects(&choice.held));
        left = others;
        selected.sort_by_key(|choice| std::cmp::Reverse(choice.held.image.pushed_at));
        warnings.extend(warning(rule, &selected, picture));
    }
    warnings
}

fn warning(rule: &PolicyRule, selected: &[&Choice], picture: &Picture) -> Option<String> {
    let expired = rule.selection.expired(selected, picture);
    let now = expired.iter().filter(|choice| !choice.goes()).count();
    let kept = selected.iter().filter(|choice| !choice.goes()).count();
    let name = rule.name();
    // Source: ECR user guide, archiving an image: a pull of one fails with 404.
    let (verb, after) = match rule.action.kind.as_str() {
        "transition" => ("archive", ": App Runner cannot pull what is archived"),
        _ => ("delete", ""),
    };
    let example = |choices: &[&Choice]| {
        // Of the newest that are needed most: what a service runs is what must not be missed.
        let kept = choices.iter().filter_map(|choice| match &choice.fate {
            Fate::Keep(reason) => Some((reason.rank(), choice)),
            Fate::Delete(_) => None,
        });
        let one = kept.min_by_key(|(rank, _)| *rank).map(|(_, choice)| choice);
        one.map(|choice| format!("{}: {}", choice.held.image.digest.short(), words(choice)))
    };
    match (now, kept) {
        (0, 0) => None,
        (0, _) if !rule.selection.by_age() => None,
        (0, kept) => Some(format!(
            "{name} will in time {verb} {kept} of the images kept here ({}){after}",
            example(selected)?
        )),
        (now, _) => Some(format!(
            "{name} would {verb} {now} of the images kept here ({}){after}",
            example(&expired)?
        )),
    }
}

fn words(choice: &Choice) -> String {
    match &choice.fate {
        Fate::Keep(reason) => reason.to_string(),
        Fate::Delete(reason) => reason.to_string(),
    }
}

impl PolicyRule {
    fn name(&self) -> String {
        let number = self.rule_priority;
        match self.description.trim() {
            "" => format!("rule {number} of the repository's lifecycle policy"),
            text => format!("rule {number} of the repository's lifecycle policy (\"{text}\")"),
        }
    }
}

impl Selection {
    fn by_age(&self) -> bool {
        self.count_type.starts_with("since")
    }

    /// An image is selected where it has a tag for every prefix or pattern.
    fn selects(&self, held: &Held) -> bool {
        let tags = &held.image.tags;
        if self.storage_class == "archive" {
            return false;
        }
        match self.tag_status.as_str() {
            "any" => true,
            "untagged" => tags.is_empty(),
            _ => {
                let prefixed =
                    |prefix: &String| tags.iter().any(|tag| tag.starts_with(prefix.as_str()));
                let fitting =
                    |pattern: &String| tags.iter().any(|tag| matches_wildcard(pattern, tag));
                !tags.is_empty()
                    && self.tag_prefix_list.iter().all(prefixed)
                    && self.tag_pattern_list.iter().all(fitting)
            }
        }
    }

    /// Those of the selected, newest first, that it lets go now.
    fn expired<'a>(&self, selected: &[&'a Choice], picture: &Picture) -> Vec<&'a Choice> {
        let count = usize::try_from(self.count_number).unwrap_or(usize::MAX);
        if self.count_type == "sinceImagePulled" {
            // When an image was pulled last is not asked: in time is all that can be said.
            return Vec::new();
        }
        if !self.by_age() {
            return selected.iter().skip(count).copied().collect();
        }
        let days = i64::try_from(self.count_number).ok().and_then(TimeDelta::try_days);
        let too_old = |choice: &&&Choice| {
            let age = choice.held.image.pushed_at.map(|at| picture.now - at);
            age.zip(days).is_some_and(|(age, days)| age > days)
        };
        selected.iter().filter(too_old).copied().collect()
    }
}
