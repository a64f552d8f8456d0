//! A simple policy model: statements with wildcards and string conditions.
//!
//! Evaluation order: IAM user guide, "Policy evaluation logic": explicit deny, allow, implicit deny.

use std::collections::BTreeMap;

use serde_json::Value;

/// What a policy simulation answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    Allowed,
    ExplicitDeny,
    ImplicitDeny,
}

impl Decision {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::ExplicitDeny => "explicitDeny",
            Self::ImplicitDeny => "implicitDeny",
        }
    }
}

/// What is asked of a set of policies.
pub(crate) struct Question<'a> {
    pub(crate) action: &'a str,
    pub(crate) resource: &'a str,
    pub(crate) context: &'a BTreeMap<String, Vec<String>>,
}

/// An answer, the policy that decided, and the condition keys that were not supplied.
pub(crate) struct Evaluation<'a> {
    pub(crate) decision: Decision,
    pub(crate) by: Vec<&'a str>,
    pub(crate) missing: Vec<String>,
}

/// Evaluates named policy documents.
pub(crate) fn evaluate<'a>(
    policies: &[(&'a str, &Value)],
    question: &Question<'_>,
) -> Evaluation<'a> {
    let (mut allowing, mut denying, mut missing) = (Vec::new(), Vec::new(), Vec::new());
    for (name, document) in policies {
        for statement in items(&document["Statement"]) {
            if !covers(statement, question) || !holds(statement, question, &mut missing) {
                continue;
            }
            if statement["Effect"] == "Deny" { denying.push(*name) } else { allowing.push(*name) }
        }
    }
    let (decision, by) = match (denying.is_empty(), allowing.is_empty()) {
        (false, _) => (Decision::ExplicitDeny, denying),
        (true, false) => (Decision::Allowed, allowing),
        (true, true) => (Decision::ImplicitDeny, Vec::new()),
    };
    Evaluation { decision, by, missing }
}

/// A single value counts as a list of one, everywhere in the policy language.
pub(crate) fn items(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Null => Vec::new(),
        one => vec![one],
    }
}

fn any_matches(patterns: &Value, text: &str) -> bool {
    items(patterns).iter().any(|pattern| pattern.as_str().is_some_and(|p| matches(p, text)))
}

fn covers(statement: &Value, question: &Question<'_>) -> bool {
    let action = question.action.to_ascii_lowercase();
    let names = |patterns: &Value| {
        items(patterns)
            .iter()
            .any(|p| p.as_str().is_some_and(|p| matches(&p.to_ascii_lowercase(), &action)))
    };
    let action_covered = match statement.get("NotAction") {
        Some(not) => !names(not),
        None => names(&statement["Action"]),
    };
    let resource_covered = match statement.get("NotResource") {
        Some(not) => !any_matches(not, question.resource),
        None => any_matches(&statement["Resource"], question.resource),
    };
    action_covered && resource_covered
}

/// Only string conditions are known; an unknown operator never holds.
fn holds(statement: &Value, question: &Question<'_>, missing: &mut Vec<String>) -> bool {
    let Some(conditions) = statement["Condition"].as_object() else { return true };
    conditions.iter().all(|(operator, keys)| {
        keys.as_object().is_some_and(|keys| {
            keys.iter().all(|(key, wanted)| {
                let Some(given) = question.context.get(key) else {
                    missing.push(key.clone());
                    return false;
                };
                given.iter().any(|given| compare(operator, wanted, given))
            })
        })
    })
}

fn compare(operator: &str, wanted: &Value, given: &str) -> bool {
    let equal = |wanted: &Value| items(wanted).iter().any(|w| w.as_str() == Some(given));
    match operator {
        "StringEquals" => equal(wanted),
        "StringNotEquals" => !equal(wanted),
        "StringLike" | "ArnLike" | "ArnEquals" => any_matches(wanted, given),
        "Bool" => items(wanted).iter().any(|w| w.to_string().trim_matches('"') == given),
        _ => false,
    }
}

/// `*` stands for any text, `?` for one character.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t, mut star, mut resume) = (0, 0, None, 0);
    while t < text.len() {
        if p < pattern.len() && pattern[p] == '*' {
            star = Some(p);
            resume = t;
            p += 1;
        } else if p < pattern.len() && (pattern[p] == '?' || pattern[p] == text[t]) {
            p += 1;
            t += 1;
        } else if let Some(at) = star {
            p = at + 1;
            resume += 1;
            t = resume;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn decide(
        document: &Value,
        action: &str,
        resource: &str,
        context: &[(&str, &str)],
    ) -> (Decision, usize) {
        let context =
            context.iter().map(|(k, v)| ((*k).to_owned(), vec![(*v).to_owned()])).collect();
        let evaluation =
            evaluate(&[("p", document)], &Question { action, resource, context: &context });
        (evaluation.decision, evaluation.missing.len())
    }

    #[test]
    fn wildcards_match_as_in_iam() {
        for (pattern, text, expected) in [
            ("*", "anything", true),
            ("ecr:*", "ecr:GetImage", true),
            ("ecr:Get?mage", "ecr:GetImage", true),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxbyy", false),
            ("", "", true),
            ("", "x", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn deny_wins_and_silence_denies() {
        let document = json!({"Statement": [
            {"Effect": "Allow", "Action": ["ecr:*"], "Resource": "*"},
            {"Effect": "Deny", "Action": "ecr:BatchDeleteImage", "Resource": "arn:x:*"},
        ]});
        assert_eq!(decide(&document, "ecr:PutImage", "arn:y", &[]).0, Decision::Allowed);
        assert_eq!(
            decide(&document, "ECR:BatchDeleteImage", "arn:x:1", &[]).0,
            Decision::ExplicitDeny
        );
        assert_eq!(decide(&document, "s3:GetObject", "arn:x:1", &[]).0, Decision::ImplicitDeny);
    }

    #[test]
    fn conditions_need_their_context() {
        let document = json!({"Statement": {"Effect": "Allow", "Action": "iam:PassRole", "Resource": "*",
            "Condition": {"StringEquals": {"iam:PassedToService": "apprunner.amazonaws.com"}}}});
        assert_eq!(decide(&document, "iam:PassRole", "r", &[]), (Decision::ImplicitDeny, 1));
        assert_eq!(
            decide(
                &document,
                "iam:PassRole",
                "r",
                &[("iam:PassedToService", "apprunner.amazonaws.com")]
            ),
            (Decision::Allowed, 0)
        );
        assert_eq!(
            decide(&document, "iam:PassRole", "r", &[("iam:PassedToService", "ecs.amazonaws.com")]),
            (Decision::ImplicitDeny, 0)
        );
    }

    #[test]
    fn not_action_and_not_resource_invert() {
        let document =
            json!({"Statement": {"Effect": "Allow", "NotAction": "iam:*", "NotResource": "arn:x"}});
        assert_eq!(decide(&document, "ecr:PutImage", "arn:y", &[]).0, Decision::Allowed);
        assert_eq!(decide(&document, "iam:GetRole", "arn:y", &[]).0, Decision::ImplicitDeny);
        assert_eq!(decide(&document, "ecr:PutImage", "arn:x", &[]).0, Decision::ImplicitDeny);
    }
}
