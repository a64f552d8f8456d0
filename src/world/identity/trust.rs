//! Whom a role's trust policy lets assume it: pure reading of the policy document.

use serde_json::Value;

/// The services that the Allow statements of a trust policy let assume the role; `*` for anybody.
/// Conditions are not weighed. `document` is URL-encoded, as IAM hands it out.
pub(super) fn trusted_services(document: &str) -> Result<Vec<String>, String> {
    let document = percent_decoded(document)?;
    let policy: Value =
        serde_json::from_str(&document).map_err(|error| format!("not a policy: {error}"))?;
    let mut services: Vec<String> =
        each(&policy["Statement"]).filter(|it| allows(it)).flat_map(principals).collect();
    services.sort();
    services.dedup();
    Ok(services)
}

/// Policies write one thing alone or many in a list.
fn each(value: &Value) -> impl Iterator<Item = &Value> {
    let many = value.as_array().map(Vec::as_slice);
    let one = if value.is_null() { &[] } else { std::slice::from_ref(value) };
    many.unwrap_or(one).iter()
}

fn allows(statement: &Value) -> bool {
    let assumes = |action: &Value| {
        let action = action.as_str().unwrap_or_default().to_ascii_lowercase();
        matches!(action.as_str(), "sts:assumerole" | "sts:assume*" | "sts:*" | "*")
    };
    statement["Effect"] == "Allow" && each(&statement["Action"]).any(assumes)
}

fn principals(statement: &Value) -> Vec<String> {
    let principal = &statement["Principal"];
    let named = if principal.is_string() { principal } else { &principal["Service"] };
    each(named).filter_map(Value::as_str).map(str::to_owned).collect()
}

/// RFC 3986: `%XX`, and nothing else (`+` is a plus).
fn percent_decoded(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let escaped = if *first == b'%' { tail.get(..2) } else { None };
        if let Some(byte) = escaped.and_then(|digits| hex::decode(digits).ok()) {
            bytes.extend(byte);
            rest = &tail[2..];
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).map_err(|_| "not UTF-8".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_of_allowing_statements_are_trusted() {
        let document = r#"{"Version":"2012-10-17","Statement":[
            {"Effect":"Allow","Principal":{"Service":["tasks.apprunner.amazonaws.com","build.apprunner.amazonaws.com"]},"Action":["sts:AssumeRole","sts:TagSession"]},
            {"Effect":"Deny","Principal":{"Service":"denied.amazonaws.com"},"Action":"sts:AssumeRole"},
            {"Effect":"Allow","Principal":{"Service":"tagging.amazonaws.com"},"Action":"sts:TagSession"},
            {"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":"sts:AssumeRole"}]}"#;
        let expected = ["build.apprunner.amazonaws.com", "tasks.apprunner.amazonaws.com"];
        assert_eq!(trusted_services(document).unwrap(), expected);
    }

    #[test]
    fn a_single_statement_and_the_encoded_form_are_read() {
        let document = "%7B%22Statement%22%3A%7B%22Effect%22%3A%22Allow%22%2C%22Principal%22%3A%7B%22Service%22%3A%22build.apprunner.amazonaws.com%22%7D%2C%22Action%22%3A%22sts%3AAssumeRole%22%7D%7D";
        assert_eq!(trusted_services(document).unwrap(), ["build.apprunner.amazonaws.com"]);
        let anybody = r#"{"Statement":{"Effect":"Allow","Principal":"*","Action":"*"}}"#;
        assert_eq!(trusted_services(anybody).unwrap(), ["*"]);
    }

    #[test]
    fn an_empty_policy_trusts_nobody_and_garbage_is_said_to_be_garbage() {
        assert!(trusted_services("{}").unwrap().is_empty());
        assert!(trusted_services("<html>").is_err());
        assert!(trusted_services("%FF").is_err());
        assert_eq!(percent_decoded("a%2Bb+c%2").unwrap(), "a+b+c%2");
    }
}
