//! What to build, as a plan keeps it: with the hashes of the arguments' values, never the values.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Deserializer, Serialize};

use crate::config::value::Hidden;
use crate::names::{ValueHash, VariableName};
use crate::release::Values;
use crate::world::builder::BuildRequest;

/// What to build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedBuild {
    /// The context directory, absolute.
    pub context: PathBuf,
    /// The Dockerfile, relative to the context.
    pub dockerfile: String,
    /// The build arguments.
    #[serde(deserialize_with = "arguments")]
    pub arguments: BTreeMap<VariableName, PlannedArgument>,
    /// The stage to stop at.
    pub target: Option<String>,
}

/// A build argument by the hash of its value, which lies in the journal's own table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedArgument {
    /// The hash of its value.
    pub hash: ValueHash,
    /// The value itself, where an old event holds it. It is read, and written nowhere again.
    #[serde(skip)]
    old: Option<Hidden>,
}

impl From<&BuildRequest> for PlannedBuild {
    fn from(request: &BuildRequest) -> Self {
        let hashed = request.arguments.hashed().into_iter();
        Self {
            context: request.context.clone(),
            dockerfile: request.dockerfile.clone(),
            arguments: hashed.map(|(name, hash)| (name, hash.into())).collect(),
            target: request.target.clone(),
        }
    }
}

impl From<ValueHash> for PlannedArgument {
    fn from(hash: ValueHash) -> Self {
        Self { hash, old: None }
    }
}

impl PlannedBuild {
    /// What to build, with the values that `value` knows by their hashes; else the names of the
    /// arguments whose values it does not know.
    pub fn request(
        &self,
        value: impl Fn(&ValueHash) -> Option<String>,
    ) -> Result<BuildRequest, Vec<&VariableName>> {
        let (mut values, mut missing) = (Values::default(), Vec::new());
        for (name, argument) in &self.arguments {
            let old = argument.old.as_ref().map(|Hidden(value)| value.clone());
            match old.or_else(|| value(&argument.hash)) {
                Some(value) => values.insert(name.clone(), value),
                None => missing.push(name),
            }
        }
        if !missing.is_empty() {
            return Err(missing);
        }
        Ok(BuildRequest { arguments: values, ..self.without_arguments() })
    }

    /// What to build but for the arguments: enough to look at the files.
    pub fn without_arguments(&self) -> BuildRequest {
        BuildRequest {
            context: self.context.clone(),
            dockerfile: self.dockerfile.clone(),
            arguments: Values::default(),
            target: self.target.clone(),
        }
    }
}

/// An argument in an event: the first events held the value itself.
#[derive(Deserialize)]
#[serde(untagged)]
enum Stored {
    Hashed { hash: ValueHash },
    Plain(String),
}

fn arguments<'a, D: Deserializer<'a>>(
    from: D,
) -> Result<BTreeMap<VariableName, PlannedArgument>, D::Error> {
    let stored: BTreeMap<VariableName, Stored> = Deserialize::deserialize(from)?;
    let read = stored.into_iter().map(|(name, argument)| {
        let argument = match argument {
            Stored::Hashed { hash } => hash.into(),
            Stored::Plain(value) => {
                PlannedArgument { hash: ValueHash::of(&name, &value), old: Some(Hidden(value)) }
            }
        };
        (name, argument)
    });
    Ok(read.collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const VALUE: &str = "canary-argument";

    fn name() -> VariableName {
        "TOKEN".parse().unwrap()
    }

    fn request() -> BuildRequest {
        BuildRequest {
            context: "/src/shop".into(),
            dockerfile: "Dockerfile".into(),
            arguments: Values::new([(name(), VALUE.to_owned())].into()),
            target: None,
        }
    }

    #[test]
    fn a_plan_keeps_hashes_and_the_request_comes_back_with_the_values() {
        let planned = PlannedBuild::from(&request());
        let stored = serde_json::to_value(&planned).unwrap();
        let hash = ValueHash::of(&name(), VALUE);
        assert_eq!(stored["arguments"], json!({"TOKEN": {"hash": hash}}));
        assert!(!format!("{planned:?}{:?}", request()).contains(VALUE));
        let read: PlannedBuild = serde_json::from_value(stored).unwrap();
        assert_eq!(read, planned);
        let known = request().arguments.by_hash();
        assert_eq!(read.request(|hash| known.get(hash).cloned()), Ok(request()));
        assert_eq!(read.request(|_| None), Err(vec![&name()]));
    }

    #[test]
    fn an_old_plan_with_plain_values_is_read_and_never_shown_again() {
        let old = json!({
            "context": "/src/shop", "dockerfile": "Dockerfile", "target": null,
            "arguments": {"TOKEN": VALUE},
        });
        let read: PlannedBuild = serde_json::from_value(old).unwrap();
        assert_eq!(read.request(|_| None), Ok(request()));
        let again = serde_json::to_value(&read).unwrap();
        assert_eq!(again, serde_json::to_value(PlannedBuild::from(&request())).unwrap());
        assert!(!format!("{read:?}{again}").contains(VALUE));
    }
}
