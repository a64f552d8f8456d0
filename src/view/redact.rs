//! Requests as they may be shown: every plain environment value replaced by its hash.

use serde_json::{Map, Value};

use crate::names::{DeploymentId, ValueHash, VariableName};
use crate::release::MARK;

/// Plain environment values stand under this member. Source: App Runner service model.
const VARIABLES: &str = "RuntimeEnvironmentVariables";

/// Members that hold no value by their very nature, so that a value which happens to be part of one
/// (a region, a role's name) does not make it unreadable.
const NEVER_VALUES: [&str; 6] = [
    "ImageIdentifier",
    "ImageRepositoryType",
    "AccessRoleArn",
    "InstanceRoleArn",
    "ServiceArn",
    "RuntimeEnvironmentSecrets",
];

/// Shorter values are not looked for elsewhere: `80` or `prod` are in every request.
const SHORTEST_SOUGHT: usize = 6;

/// The request with every value gone: in the variables by its hash, and wherever else a value of
/// theirs shows up again, such as in the start command.
pub fn redact(payload: &Value) -> Value {
    let mut values = Vec::new();
    gather(payload, &mut values);
    // Longest first, so that a value which contains another is replaced whole.
    values.sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
    hide(payload, &values)
}

/// Every value with what stands for it.
fn gather(payload: &Value, values: &mut Vec<(String, String)>) {
    match payload {
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::Object(variables) if name == VARIABLES => {
                        values.extend(variables.iter().filter_map(|(name, value)| {
                            let text = value.as_str().filter(|t| t.len() >= SHORTEST_SOUGHT)?;
                            let shown = hashed(name, value);
                            (shown != text).then(|| (text.to_owned(), shown))
                        }));
                    }
                    member => gather(member, values),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| gather(item, values)),
        _ => {}
    }
}

fn hide(payload: &Value, values: &[(String, String)]) -> Value {
    match payload {
        Value::Object(members) => Value::Object(
            members
                .iter()
                .map(|(name, member)| (name.clone(), member_of(name, member, values)))
                .collect(),
        ),
        Value::Array(items) => items.iter().map(|item| hide(item, values)).collect(),
        Value::String(text) => {
            let hidden =
                values.iter().fold(text.clone(), |text, (v, shown)| text.replace(v, shown));
            Value::String(hidden)
        }
        other => other.clone(),
    }
}

fn member_of(name: &str, member: &Value, values: &[(String, String)]) -> Value {
    match member {
        Value::Object(variables) if name == VARIABLES => hashes(variables),
        // Not the shape that the service model promises: nothing of it is shown.
        _ if name == VARIABLES => Value::String("(values)".into()),
        member if NEVER_VALUES.contains(&name) => member.clone(),
        member => hide(member, values),
    }
}

fn hashes(variables: &Map<String, Value>) -> Value {
    let hash =
        |(name, value): (&String, &Value)| (name.clone(), Value::String(hashed(name, value)));
    Value::Object(variables.iter().map(hash).collect())
}

/// Our own mark is no secret and worth seeing; everything else is.
fn hashed(name: &str, value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    if name == MARK && text.parse::<DeploymentId>().is_ok() {
        return text;
    }
    match name.parse::<VariableName>() {
        Ok(name) => format!("(value {})", ValueHash::of(&name, &text).short()),
        Err(_) => "(value)".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn request() -> Value {
        json!({
            "ServiceName": "shop",
            "SourceConfiguration": {
                "ImageRepository": {
                    "ImageIdentifier": "h/shop@sha256:12",
                    "ImageConfiguration": {
                        "Port": "8080",
                        "StartCommand": "run --token canary-one-canary",
                        "RuntimeEnvironmentVariables": {
                            "TOKEN": "canary-one-canary",
                            "LONGER": "canary-one-canary-and-more",
                            "PORT_AGAIN": "8080",
                            "SUREFOOT_DEPLOYMENT": "abcdefghijklmnopqrstuvwxyz",
                        },
                        "RuntimeEnvironmentSecrets": { "DB": "arn:aws:secretsmanager:x" },
                    },
                },
            },
            "Tags": [{ "Key": "note", "Value": "see canary-one-canary-and-more" }],
        })
    }

    #[test]
    fn no_value_survives_anywhere() {
        let shown = redact(&request()).to_string();
        assert!(!shown.contains("canary"), "{shown}");
        assert!(shown.contains("arn:aws:secretsmanager:x"));
        assert!(shown.contains("abcdefghijklmnopqrstuvwxyz"));
    }

    #[test]
    fn a_short_value_does_not_make_the_rest_unreadable() {
        let shown = redact(&request());
        let image = &shown["SourceConfiguration"]["ImageRepository"]["ImageConfiguration"];
        assert_eq!(image["Port"], "8080");
        assert_ne!(image["RuntimeEnvironmentVariables"]["PORT_AGAIN"], "8080");
    }

    #[test]
    fn values_in_a_shape_that_should_not_be_are_hidden_too() {
        for odd in [json!([{"Name": "A", "Value": "canary"}]), json!("canary"), json!(["canary"])] {
            let shown = redact(&json!({ "x": { "RuntimeEnvironmentVariables": odd } })).to_string();
            assert!(!shown.contains("canary"), "{shown}");
        }
        let nested = json!({ "RuntimeEnvironmentVariables": { "A": { "B": "canary" } } });
        assert!(!redact(&nested).to_string().contains("canary"));
        let false_mark =
            json!({ "RuntimeEnvironmentVariables": { "SUREFOOT_DEPLOYMENT": "canary" } });
        assert!(!redact(&false_mark).to_string().contains("canary"));
    }

    proptest::proptest! {
        #[test]
        fn no_value_of_any_shape_survives(value in "[a-zA-Z0-9 \"\\\\/é]{6,40}", tail in "[a-z ]{0,9}") {
            let request = json!({
                "A": { "RuntimeEnvironmentVariables": { "V": value } },
                "StartCommand": format!("{tail}{value}{tail}"),
            });
            let shown = redact(&request);
            proptest::prop_assert!(!shown["StartCommand"].as_str().unwrap().contains(&value));
            proptest::prop_assert_ne!(&shown["A"]["RuntimeEnvironmentVariables"]["V"], &Value::from(value));
        }
    }
}
