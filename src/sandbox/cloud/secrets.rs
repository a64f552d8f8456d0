//! Secrets Manager: names, versions, values.
//!
//! Calls: Secrets Manager service model 2017-10-17; texts as users quote them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::chance::Chance;
use super::refusal::{not_found, refuse, unreadable};
use crate::sandbox::{ApiError, Timestamp};

const DAY: i64 = 24 * 60 * 60 * 1_000;
/// Versions beyond this number are forgotten, oldest first.
const KEPT_VERSIONS: usize = 20;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Version {
    id: String,
    created: Timestamp,
    text: Option<String>,
    binary: Option<String>,
    stages: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Secret {
    name: String,
    arn: String,
    description: Option<String>,
    kms_key_id: Option<String>,
    tags: Vec<Value>,
    created: Timestamp,
    changed: Timestamp,
    deleted: Option<Timestamp>,
    versions: Vec<Version>,
}

/// All secrets, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secrets {
    secrets: BTreeMap<String, Secret>,
}

/// Where new secrets live, and when.
pub(crate) struct Setting<'a> {
    pub(crate) region: &'a str,
    pub(crate) account: &'a str,
    pub(crate) now: Timestamp,
    pub(crate) chance: &'a mut Chance,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Request {
    name: Option<String>,
    secret_id: Option<String>,
    client_request_token: Option<String>,
    description: Option<String>,
    kms_key_id: Option<String>,
    secret_string: Option<String>,
    secret_binary: Option<String>,
    tags: Vec<Value>,
    version_id: Option<String>,
    version_stage: Option<String>,
    version_stages: Option<Vec<String>>,
    recovery_window_in_days: Option<i64>,
    force_delete_without_recovery: bool,
    include_planned_deletion: bool,
    max_results: Option<i64>,
    next_token: Option<String>,
    filters: Vec<Filter>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Filter {
    key: String,
    values: Vec<String>,
}

fn seconds(at: Timestamp) -> Value {
    json!(std::time::Duration::from_millis(at.max(0).unsigned_abs()).as_secs_f64())
}

fn cannot_find() -> ApiError {
    not_found("Secrets Manager can't find the specified secret.")
}

fn invalid_parameter(message: impl Into<String>) -> ApiError {
    refuse("InvalidParameterException", message)
}

fn marked() -> ApiError {
    refuse(
        "InvalidRequestException",
        "You can't perform this operation on the secret because it was marked for deletion.",
    )
}

impl Secrets {
    /// The name behind a name, a full ARN or an ARN without its six last characters.
    fn name_of(&self, id: &str) -> Option<&str> {
        if let Some((name, _)) = self.secrets.get_key_value(id) {
            return Some(name);
        }
        let by_arn =
            |secret: &&Secret| secret.arn == id || secret.arn[..secret.arn.len() - 7] == *id;
        self.secrets.values().find(by_arn).map(|secret| secret.name.as_str())
    }

    fn find(&self, request: &Request) -> Result<&Secret, ApiError> {
        let id = request.secret_id.as_deref().ok_or_else(|| {
            invalid_parameter("1 validation error detected: Value null at 'secretId' failed to satisfy constraint: Member must not be null")
        })?;
        let name = self.name_of(id).ok_or_else(cannot_find)?;
        self.secrets.get(name).ok_or_else(cannot_find)
    }

    fn find_mut(&mut self, request: &Request) -> Result<&mut Secret, ApiError> {
        let name = self.find(request)?.name.clone();
        self.secrets.get_mut(&name).ok_or_else(cannot_find)
    }

    pub(crate) fn answer(
        &mut self,
        operation: &str,
        body: &Value,
        setting: &mut Setting<'_>,
    ) -> Result<Value, ApiError> {
        let request = Request::deserialize(body).map_err(|error| unreadable(&error))?;
        match operation {
            "CreateSecret" => self.create(request, setting),
            "DescribeSecret" => {
                self.find(&request).map(|secret| describe(secret, "VersionIdsToStages"))
            }
            "GetSecretValue" => self.get(&request),
            "PutSecretValue" => self.put(request, setting),
            "DeleteSecret" => self.delete(&request, setting.now),
            "ListSecrets" => self.list(&request),
            _ => Err(super::unknown_operation()),
        }
    }

    fn create(&mut self, request: Request, setting: &mut Setting<'_>) -> Result<Value, ApiError> {
        let name = request.name.clone().filter(|name| is_name(name)).ok_or_else(|| {
            refuse("ValidationException", "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!")
        })?;
        match self.secrets.get(&name) {
            Some(secret) if secret.deleted.is_some() => {
                return Err(refuse(
                    "InvalidRequestException",
                    "You can't create this secret because a secret with this name is already scheduled for deletion.",
                ));
            }
            Some(_) => {
                return Err(refuse(
                    "ResourceExistsException",
                    format!("The operation failed because the secret {name} already exists."),
                ));
            }
            None => {}
        }
        let place = format!("arn:aws:secretsmanager:{}:{}", setting.region, setting.account);
        let arn = format!("{place}:secret:{name}-{}", setting.chance.suffix());
        let mut secret = Secret {
            name: name.clone(),
            arn,
            description: request.description.clone(),
            kms_key_id: request.kms_key_id.clone(),
            tags: request.tags.clone(),
            created: setting.now,
            changed: setting.now,
            deleted: None,
            versions: Vec::new(),
        };
        let mut answer = json!({"ARN": secret.arn, "Name": name});
        if request.secret_string.is_some() || request.secret_binary.is_some() {
            answer["VersionId"] = json!(secret.add(request, setting)?);
        }
        self.secrets.insert(name, secret);
        Ok(answer)
    }

    fn get(&self, request: &Request) -> Result<Value, ApiError> {
        let secret = self.find(request)?;
        if secret.deleted.is_some() {
            return Err(marked());
        }
        let stage = request.version_stage.as_deref();
        let version = secret.version(request.version_id.as_deref(), stage).ok_or_else(|| {
            let label = stage.unwrap_or("AWSCURRENT");
            not_found(format!(
                "Secrets Manager can't find the specified secret value for staging label: {label}"
            ))
        })?;
        let mut answer = json!({
            "ARN": secret.arn, "Name": secret.name, "VersionId": version.id,
            "VersionStages": version.stages, "CreatedDate": seconds(version.created),
        });
        if let Some(text) = &version.text {
            answer["SecretString"] = json!(text);
        }
        if let Some(binary) = &version.binary {
            answer["SecretBinary"] = json!(binary);
        }
        Ok(answer)
    }

    fn put(&mut self, request: Request, setting: &mut Setting<'_>) -> Result<Value, ApiError> {
        let secret = self.find_mut(&request)?;
        if secret.deleted.is_some() {
            return Err(marked());
        }
        if request.secret_string.is_none() && request.secret_binary.is_none() {
            return Err(refuse(
                "InvalidRequestException",
                "You must provide either SecretString or SecretBinary.",
            ));
        }
        let id = secret.add(request, setting)?;
        let stages = secret.version(Some(&id), None).map(|version| version.stages.clone());
        Ok(
            json!({"ARN": secret.arn, "Name": secret.name, "VersionId": id, "VersionStages": stages.unwrap_or_default()}),
        )
    }

    fn delete(&mut self, request: &Request, now: Timestamp) -> Result<Value, ApiError> {
        let window = request.recovery_window_in_days;
        if window.is_some() && request.force_delete_without_recovery {
            return Err(invalid_parameter(
                "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.",
            ));
        }
        if window.is_some_and(|days| !(7..=30).contains(&days)) {
            return Err(invalid_parameter(
                "RecoveryWindowInDays value must be between 7 and 30 days (inclusive).",
            ));
        }
        let secret = self.find_mut(request)?;
        if secret.deleted.is_some() && !request.force_delete_without_recovery {
            return Err(marked());
        }
        let (name, arn) = (secret.name.clone(), secret.arn.clone());
        let date = if request.force_delete_without_recovery {
            self.secrets.remove(&name);
            now
        } else {
            let date = now + window.unwrap_or(30) * DAY;
            secret.deleted = Some(date);
            date
        };
        Ok(json!({"ARN": arn, "Name": name, "DeletionDate": seconds(date)}))
    }

    fn list(&self, request: &Request) -> Result<Value, ApiError> {
        let limit = match request.max_results {
            None => 100,
            Some(limit) => usize::try_from(limit)
                .ok()
                .filter(|limit| (1..=100).contains(limit))
                .ok_or_else(|| invalid_parameter("MaxResults must be between 1 and 100."))?,
        };
        let after = request.next_token.as_deref().unwrap_or("");
        let mut found = self.secrets.values().filter(|secret| {
            secret.name.as_str() > after
                && (secret.deleted.is_none() || request.include_planned_deletion)
                && request.filters.iter().all(|filter| filter.matches(secret))
        });
        let rows: Vec<_> = found.by_ref().take(limit).collect();
        let mut answer = json!({"SecretList": rows.iter().map(|secret| describe(secret, "SecretVersionsToStages")).collect::<Vec<_>>()});
        if let (Some(last), Some(_)) = (rows.last(), found.next()) {
            answer["NextToken"] = json!(last.name);
        }
        Ok(answer)
    }

    /// What an instance gets for `valueFrom`: an ARN with an optional `:key:stage:version` suffix.
    pub(crate) fn read(&self, reference: &str) -> Option<String> {
        let (id, suffix) = split_reference(reference);
        let secret = self.secrets.get(self.name_of(id)?)?;
        if secret.deleted.is_some() {
            return None;
        }
        let mut parts = suffix.split(':');
        let mut part = || parts.next().filter(|part| !part.is_empty());
        let (key, stage, id) = (part(), part(), part());
        let text = secret.version(id, stage)?.text.clone()?;
        let Some(key) = key else { return Some(text) };
        let fields: Value = serde_json::from_str(&text).ok()?;
        Some(match fields.get(key)? {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        })
    }
}

/// Takes `:json-key:version-stage:version-id` off a reference.
pub(crate) fn split_reference(reference: &str) -> (&str, &str) {
    if !reference.starts_with("arn:") {
        return (reference, "");
    }
    match reference.match_indices(':').nth(6) {
        Some((at, _)) => (&reference[..at], &reference[at + 1..]),
        None => (reference, ""),
    }
}

fn is_name(name: &str) -> bool {
    (1..=512).contains(&name.len())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "-/_+=.@!".contains(c))
}

impl Filter {
    fn matches(&self, secret: &Secret) -> bool {
        let description = secret.description.as_deref().unwrap_or("");
        self.values.iter().any(|value| match self.key.as_str() {
            "name" => secret.name.starts_with(value.as_str()),
            "description" => description.contains(value.as_str()),
            "all" => secret.name.contains(value.as_str()) || description.contains(value.as_str()),
            "tag-key" => secret.tags.iter().any(|tag| tag["Key"] == value.as_str()),
            "tag-value" => secret.tags.iter().any(|tag| tag["Value"] == value.as_str()),
            _ => false,
        })
    }
}

impl Secret {
    fn version(&self, id: Option<&str>, stage: Option<&str>) -> Option<&Version> {
        let stage = match (id, stage) {
            (None, None) => Some("AWSCURRENT"),
            (_, stage) => stage,
        };
        self.versions.iter().rev().find(|version| {
            id.is_none_or(|id| version.id == id)
                && stage.is_none_or(|stage| version.stages.iter().any(|label| label == stage))
        })
    }

    fn add(&mut self, request: Request, setting: &mut Setting<'_>) -> Result<String, ApiError> {
        if request.secret_string.is_some() && request.secret_binary.is_some() {
            return Err(invalid_parameter(
                "You can't specify both a binary secret value and a string secret value in the same secret.",
            ));
        }
        let id = request.client_request_token.unwrap_or_else(|| setting.chance.dashed());
        if let Some(known) = self.versions.iter().find(|version| version.id == id) {
            let same = known.text == request.secret_string && known.binary == request.secret_binary;
            return if same {
                Ok(id)
            } else {
                Err(refuse(
                    "ResourceExistsException",
                    format!(
                        "You can't use ClientRequestToken {id} because that value is already in use for a version of secret {}.",
                        self.arn
                    ),
                ))
            };
        }
        let stages = request.version_stages.unwrap_or_else(|| vec!["AWSCURRENT".to_owned()]);
        self.move_labels(&stages);
        let (text, binary) = (request.secret_string, request.secret_binary);
        let version = Version { id: id.clone(), created: setting.now, text, binary, stages };
        self.versions.push(version);
        if self.versions.len() > KEPT_VERSIONS {
            self.versions.remove(0);
        }
        self.changed = setting.now;
        Ok(id)
    }

    /// A label names one version; what was current becomes previous.
    fn move_labels(&mut self, labels: &[String]) {
        let current = |version: &Version| version.stages.iter().any(|label| label == "AWSCURRENT");
        let becomes_previous = labels.iter().any(|label| label == "AWSCURRENT");
        let was_current = self.versions.iter().position(current);
        for version in &mut self.versions {
            version.stages.retain(|label| {
                !(labels.contains(label) || becomes_previous && label == "AWSPREVIOUS")
            });
        }
        if let (true, Some(at)) = (becomes_previous, was_current) {
            self.versions[at].stages.push("AWSPREVIOUS".to_owned());
        }
    }
}

fn describe(secret: &Secret, versions: &str) -> Value {
    let labelled = secret.versions.iter().filter(|version| !version.stages.is_empty());
    let stages: BTreeMap<_, _> =
        labelled.map(|version| (version.id.as_str(), &version.stages)).collect();
    let mut answer = json!({
        "ARN": secret.arn, "Name": secret.name, "Tags": secret.tags,
        "CreatedDate": seconds(secret.created), "LastChangedDate": seconds(secret.changed),
        versions: stages,
    });
    if let Some(description) = &secret.description {
        answer["Description"] = json!(description);
    }
    if let Some(key) = &secret.kms_key_id {
        answer["KmsKeyId"] = json!(key);
    }
    if let Some(date) = secret.deleted {
        answer["DeletedDate"] = seconds(date);
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    struct World {
        secrets: Secrets,
        chance: Chance,
    }

    impl World {
        fn new() -> Self {
            Self { secrets: Secrets::default(), chance: Chance::new(1) }
        }

        fn ask(&mut self, operation: &str, body: &Value) -> Result<Value, ApiError> {
            let mut setting = Setting {
                region: "us-east-1",
                account: "123456789012",
                now: 5_000,
                chance: &mut self.chance,
            };
            self.secrets.answer(operation, body, &mut setting)
        }

        #[expect(clippy::needless_pass_by_value, reason = "calls read better")]
        fn ok(&mut self, operation: &str, body: Value) -> Value {
            self.ask(operation, &body).unwrap()
        }

        #[expect(clippy::needless_pass_by_value, reason = "calls read better")]
        fn refused(&mut self, operation: &str, body: Value) -> String {
            self.ask(operation, &body).unwrap_err().code
        }
    }

    #[test]
    fn a_secret_is_found_by_name_full_and_partial_arn() {
        let mut world = World::new();
        let made = world.ok("CreateSecret", json!({"Name": "prod/db", "SecretString": "one"}));
        let arn = made["ARN"].as_str().unwrap().to_owned();
        let partial = arn[..arn.len() - 7].to_owned();
        for id in ["prod/db".to_owned(), arn.clone(), partial] {
            assert_eq!(world.ok("GetSecretValue", json!({"SecretId": id}))["SecretString"], "one");
            assert_eq!(world.ok("DescribeSecret", json!({"SecretId": id}))["ARN"], arn.as_str());
        }
        assert_eq!(
            world.refused("DescribeSecret", json!({"SecretId": format!("{arn}x")})),
            "ResourceNotFoundException"
        );
    }

    #[test]
    fn a_new_value_becomes_current_and_the_old_one_previous() {
        let mut world = World::new();
        world.ok("CreateSecret", json!({"Name": "db", "SecretString": "one"}));
        world.ok("PutSecretValue", json!({"SecretId": "db", "SecretString": "two"}));
        world.ok("PutSecretValue", json!({"SecretId": "db", "SecretString": "three"}));
        let get = |world: &mut World, stage: &str| {
            world.ok("GetSecretValue", json!({"SecretId": "db", "VersionStage": stage}))["SecretString"].clone()
        };
        assert_eq!(get(&mut world, "AWSCURRENT"), "three");
        assert_eq!(get(&mut world, "AWSPREVIOUS"), "two");
        let stages =
            world.ok("DescribeSecret", json!({"SecretId": "db"}))["VersionIdsToStages"].clone();
        assert_eq!(stages.as_object().unwrap().len(), 2);
    }

    #[test]
    fn refusals_have_the_models_names() {
        let mut world = World::new();
        world.ok("CreateSecret", json!({"Name": "db", "SecretString": "one"}));
        assert_eq!(world.refused("CreateSecret", json!({"Name": "db"})), "ResourceExistsException");
        assert_eq!(
            world.refused("CreateSecret", json!({"Name": "no spaces"})),
            "ValidationException"
        );
        assert_eq!(
            world.refused("PutSecretValue", json!({"SecretId": "db"})),
            "InvalidRequestException"
        );
        assert_eq!(
            world.refused(
                "PutSecretValue",
                json!({"SecretId": "db", "SecretString": "a", "SecretBinary": "YQ=="})
            ),
            "InvalidParameterException"
        );
        assert_eq!(
            world.refused("GetSecretValue", json!({"SecretId": "x"})),
            "ResourceNotFoundException"
        );
        assert_eq!(
            world.refused("GetSecretValue", json!({"SecretId": "db", "VersionStage": "X"})),
            "ResourceNotFoundException"
        );
        assert_eq!(
            world.refused("DeleteSecret", json!({"SecretId": "db", "RecoveryWindowInDays": 1})),
            "InvalidParameterException"
        );
        assert_eq!(world.refused("RotateSecret", json!({})), "UnknownOperationException");
    }

    #[test]
    fn deletion_marks_first_and_forced_deletion_removes() {
        let mut world = World::new();
        world.ok("CreateSecret", json!({"Name": "db", "SecretString": "one"}));
        world.ok("DeleteSecret", json!({"SecretId": "db"}));
        assert_eq!(
            world.refused("GetSecretValue", json!({"SecretId": "db"})),
            "InvalidRequestException"
        );
        assert_eq!(world.ok("ListSecrets", json!({}))["SecretList"], json!([]));
        assert_eq!(
            world.ok("ListSecrets", json!({"IncludePlannedDeletion": true}))["SecretList"]
                .as_array()
                .unwrap()
                .len(),
            1
        );
        assert_eq!(world.refused("CreateSecret", json!({"Name": "db"})), "InvalidRequestException");
        world.ok("DeleteSecret", json!({"SecretId": "db", "ForceDeleteWithoutRecovery": true}));
        assert_eq!(
            world.refused("DescribeSecret", json!({"SecretId": "db"})),
            "ResourceNotFoundException"
        );
    }

    #[test]
    fn references_of_a_service_reach_the_value_or_a_field_of_it() {
        let mut world = World::new();
        let made = world.ok(
            "CreateSecret",
            json!({"Name": "db", "SecretString": "{\"user\":\"ada\",\"port\":5432}"}),
        );
        let arn = made["ARN"].as_str().unwrap();
        let read = |suffix: &str| world.secrets.read(&format!("{arn}{suffix}"));
        assert_eq!(read("").as_deref(), Some("{\"user\":\"ada\",\"port\":5432}"));
        assert_eq!(read(":user::").as_deref(), Some("ada"));
        assert_eq!(read(":port:AWSCURRENT:").as_deref(), Some("5432"));
        assert_eq!(read(":nobody::"), None);
        assert_eq!(read(":user:AWSPENDING:"), None);
        assert_eq!(
            world.secrets.read("arn:aws:secretsmanager:us-east-1:123456789012:secret:none-abcdef"),
            None
        );
    }

    #[test]
    fn lists_have_pages() {
        let mut world = World::new();
        for name in ["a", "b", "c"] {
            world.ok("CreateSecret", json!({"Name": name}));
        }
        let first = world.ok("ListSecrets", json!({"MaxResults": 2}));
        assert_eq!(first["SecretList"].as_array().unwrap().len(), 2);
        let rest = world.ok("ListSecrets", json!({"NextToken": first["NextToken"]}));
        assert_eq!(rest["SecretList"][0]["Name"], "c");
        assert!(rest.get("NextToken").is_none());
    }
}
