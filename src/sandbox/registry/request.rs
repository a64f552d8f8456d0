//! Reads the parameters of a call, with the limits of the service model.

use serde_json::Value;

use super::refusal::invalid;
use crate::sandbox::ApiError;

/// The body of one call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a>(pub(crate) &'a Value);

/// An image named by tag, by digest or by both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ImageIdentifier {
    pub(crate) tag: Option<String>,
    pub(crate) digest: Option<String>,
}

impl<'a> Request<'a> {
    pub(crate) fn text(self, name: &str) -> Option<&'a str> {
        self.0.get(name)?.as_str()
    }

    pub(crate) fn required(self, name: &str) -> Result<&'a str, ApiError> {
        self.text(name).ok_or_else(|| invalid(name, "Member must not be null"))
    }

    pub(crate) fn flag(self, name: &str) -> bool {
        self.0.get(name).and_then(Value::as_bool).unwrap_or(false)
    }

    pub(crate) fn repository(self) -> Result<&'a str, ApiError> {
        let name = self.required("repositoryName")?;
        if is_repository_name(name) {
            return Ok(name);
        }
        Err(invalid(
            "repositoryName",
            "must satisfy regular expression '(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*'",
        ))
    }

    /// `maxResults`, within 1 to 1000; 100 when it is absent.
    pub(crate) fn page_size(self) -> Result<usize, ApiError> {
        const DEFAULT: usize = 100;
        let Some(value) = self.0.get("maxResults").filter(|value| !value.is_null()) else {
            return Ok(DEFAULT);
        };
        match value.as_i64() {
            Some(number @ 1..=1000) => Ok(usize::try_from(number).unwrap_or(DEFAULT)),
            Some(number) if number < 1 => {
                Err(invalid("maxResults", "Member must have value greater than or equal to 1"))
            }
            _ => Err(invalid("maxResults", "Member must have value less than or equal to 1000")),
        }
    }

    pub(crate) fn list(self, name: &str) -> Option<&'a Vec<Value>> {
        self.0.get(name)?.as_array()
    }

    /// `imageIds`: 1 to 100 of them.
    pub(crate) fn image_identifiers(self) -> Result<Option<Vec<ImageIdentifier>>, ApiError> {
        let Some(list) = self.list("imageIds") else { return Ok(None) };
        match list.len() {
            0 => Err(invalid("imageIds", "Member must have length greater than or equal to 1")),
            1..=100 => Ok(Some(list.iter().map(ImageIdentifier::read).collect())),
            _ => Err(invalid("imageIds", "Member must have length less than or equal to 100")),
        }
    }
}

impl ImageIdentifier {
    pub(crate) fn read(value: &Value) -> Self {
        let text = |name| Request(value).text(name).map(str::to_owned);
        Self { tag: text("imageTag"), digest: text("imageDigest") }
    }

    /// As ECR writes it back.
    pub(crate) fn write(&self) -> Value {
        let mut object = serde_json::Map::new();
        if let Some(digest) = &self.digest {
            object.insert("imageDigest".into(), digest.as_str().into());
        }
        if let Some(tag) = &self.tag {
            object.insert("imageTag".into(), tag.as_str().into());
        }
        Value::Object(object)
    }
}

/// ECR: 2 to 256 characters, lower case, parts divided by `.`, `_`, `__`, dashes and slashes.
pub(crate) fn is_repository_name(name: &str) -> bool {
    (2..=256).contains(&name.len()) && name.split('/').all(is_name_part)
}

fn is_name_part(part: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let mut runs = part.split(|letter: char| plain(letter as u8) && letter.is_ascii());
    let separators_fit = runs
        .all(|run| matches!(run, "" | "." | "_" | "__") || run.bytes().all(|byte| byte == b'-'));
    let bytes = part.as_bytes();
    separators_fit
        && bytes.first().is_some_and(|byte| plain(*byte))
        && bytes.last().is_some_and(|byte| plain(*byte))
}

/// Whether a text is `sha256:` and 64 lower-case hexadecimal digits.
pub(crate) fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:").is_some_and(|hex| {
        hex.len() == 64 && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}

/// OCI distribution specification: `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`.
pub(crate) fn is_tag(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let bytes = text.as_bytes();
    bytes.len() <= 128
        && bytes.first().is_some_and(|byte| word(*byte))
        && bytes.iter().all(|byte| word(*byte) || matches!(byte, b'.' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repository_names_follow_the_pattern_of_the_service_model() {
        for good in ["ab", "shop", "team/shop", "a.b", "a__b", "a---b", "a/b/c-d", "0x"] {
            assert!(is_repository_name(good), "{good}");
        }
        let long = "a".repeat(257);
        for bad in ["", "a", "Shop", "a..b", "a___b", "-a", "a-", "a//b", "/a", "a b", "ä-b", &long]
        {
            assert!(!is_repository_name(bad), "{bad}");
        }
    }

    #[test]
    fn digests_and_tags_are_told_from_other_texts() {
        assert!(is_digest(&format!("sha256:{}", "a1".repeat(32))));
        assert!(!is_digest(&format!("sha256:{}", "A1".repeat(32))));
        assert!(!is_digest("sha256:short"));
        assert!(is_tag("v1.2-rc_3") && is_tag("_x"));
        assert!(!is_tag(".x") && !is_tag("") && !is_tag(&"a".repeat(129)) && !is_tag("a:b"));
    }
}
