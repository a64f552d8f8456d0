//! One spelling per JSON value, its hash, and a copy without secrets.

use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// What stands where a value was.
pub const REDACTED: &str = "[redacted]";

/// Members whose text is a secret.
const SECRET_TEXTS: [&str; 3] = ["SecretString", "SecretBinary", "SecretAccessKey"];

/// Members whose values, not names, may be secrets.
const SECRET_MAPS: [&str; 1] = ["RuntimeEnvironmentVariables"];

/// SHA-256 in hexadecimal over the canonical form: keys sorted at every depth, no white space.
pub fn fingerprint(body: &Value) -> String {
    hex::encode(Sha256::digest(canonical(body)))
}

/// The canonical form itself.
pub fn canonical(body: &Value) -> String {
    let mut text = String::new();
    write(body, &mut text);
    text
}

fn write(value: &Value, text: &mut String) {
    match value {
        Value::Object(members) => {
            let mut names: Vec<_> = members.keys().collect();
            names.sort_unstable();
            text.push('{');
            for (at, name) in names.into_iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                text.push_str(&Value::from(name.as_str()).to_string());
                text.push(':');
                write(&members[name], text);
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                write(item, text);
            }
            text.push(']');
        }
        plain => text.push_str(&plain.to_string()),
    }
}

/// The same body with every value that may be a secret replaced.
pub fn redact(body: &Value) -> Value {
    match body {
        Value::Object(members) => Value::Object(
            members
                .iter()
                .map(|(name, value)| (name.clone(), redact_member(name, value)))
                .collect(),
        ),
        Value::Array(items) => items.iter().map(redact).collect(),
        plain => plain.clone(),
    }
}

fn redact_member(name: &str, value: &Value) -> Value {
    if SECRET_TEXTS.contains(&name) {
        return Value::from(REDACTED);
    }
    match value {
        Value::Object(members) if SECRET_MAPS.contains(&name) => {
            members.keys().map(|key| (key.clone(), Value::from(REDACTED))).collect()
        }
        // A caller who sends an array where a map belongs may have put secrets in it all the same.
        Value::Array(_) if SECRET_MAPS.contains(&name) => Value::from(REDACTED),
        other => redact(other),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn order_and_space_do_not_matter() {
        let one: Value =
            serde_json::from_str(r#"{"b": [1, {"d": 2, "c": "x"}], "a": null}"#).unwrap();
        assert_eq!(canonical(&one), r#"{"a":null,"b":[1,{"c":"x","d":2}]}"#);
        let two: Value = serde_json::from_str(r#"{"a":null,"b":[1,{"c":"x","d":2}]}"#).unwrap();
        assert_eq!(fingerprint(&one), fingerprint(&two));
        assert_eq!(
            fingerprint(&json!({})),
            "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
        );
    }

    #[test]
    fn values_of_variables_and_secrets_are_gone_and_names_stay() {
        let body = json!({
            "Name": "n", "SecretString": "s3cret",
            "Source": {"RuntimeEnvironmentVariables": {"KEY": "s3cret"},
                       "RuntimeEnvironmentSecrets": {"DB": "arn:aws:secretsmanager"}},
            "Wrong": {"RuntimeEnvironmentVariables": [{"KEY": "s3cret"}]}
        });
        let text = redact(&body).to_string();
        assert!(!text.contains("s3cret"), "{text}");
        assert!(text.contains("KEY") && text.contains("arn:aws:secretsmanager"), "{text}");
    }
}
