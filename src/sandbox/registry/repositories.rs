//! Repositories: create, describe, delete, and their settings.

use serde_json::{Value, json};

use super::refusal::{invalid, refuse};
use super::repository::{Mutability, Repository};
use super::request::Request;
use super::{Registry, seconds};
use crate::sandbox::{ApiError, Timestamp};

/// ECR: at most 50 tags per repository.
const MOST_RESOURCE_TAGS: usize = 50;

impl Registry {
    pub(super) fn create_repository(
        &self,
        request: Request<'_>,
        now: Timestamp,
    ) -> Result<Value, ApiError> {
        let name = request.repository()?;
        let (mutability, exclusions) = read_mutability(request, Mutability::Mutable)?;
        let repository = Repository {
            name: name.to_owned(),
            created_at: now,
            mutability,
            exclusions,
            scan_on_push: scan_on_push(request),
            encryption: request
                .0
                .get("encryptionConfiguration")
                .cloned()
                .unwrap_or_else(|| json!({"encryptionType": "AES256"})),
            resource_tags: read_tags(request)?,
            ..Repository::default()
        };
        let mut contents = self.contents();
        if contents.repositories.contains_key(name) {
            return Err(self.voice().repository_exists(name));
        }
        let answer = json!({"repository": self.describe(&repository)});
        contents.repositories.insert(name.to_owned(), repository);
        contents.dirty = true;
        Ok(answer)
    }

    pub(super) fn describe_repositories(&self, request: Request<'_>) -> Result<Value, ApiError> {
        let contents = self.contents();
        if let Some(names) = request.list("repositoryNames") {
            if request.0.get("maxResults").is_some_and(|value| !value.is_null()) {
                return Err(invalid(
                    "maxResults",
                    "Member must be null when repositoryNames is specified",
                ));
            }
            let found: Result<Vec<Value>, ApiError> = names
                .iter()
                .map(|name| name.as_str().unwrap_or_default())
                .map(|name| contents.repository(self.voice(), name).map(|one| self.describe(one)))
                .collect();
            return Ok(json!({"repositories": found?}));
        }
        let after = super::listing::read_token(request)?;
        let page = super::listing::page(
            contents.repositories.values(),
            request.page_size()?,
            |one| after.as_deref().is_some_and(|after| one.name.as_str() <= after),
            |one| one.name.clone(),
        );
        let found: Vec<Value> = page.items.iter().map(|one| self.describe(one)).collect();
        Ok(page.answer("repositories", &found))
    }

    pub(super) fn delete_repository(&self, request: Request<'_>) -> Result<Value, ApiError> {
        let name = request.repository()?;
        let mut contents = self.contents();
        let repository = contents.repository(self.voice(), name)?;
        if !repository.images.is_empty() && !request.flag("force") {
            return Err(self.voice().repository_not_empty(name));
        }
        let answer = json!({"repository": self.describe(repository)});
        contents.repositories.remove(name);
        contents.dirty = true;
        Ok(answer)
    }

    pub(super) fn put_image_tag_mutability(&self, request: Request<'_>) -> Result<Value, ApiError> {
        let name = request.repository()?;
        request.required("imageTagMutability")?;
        let (mutability, exclusions) = read_mutability(request, Mutability::Mutable)?;
        let mut contents = self.contents();
        let repository = contents.change(self.voice(), name)?;
        repository.mutability = mutability;
        repository.exclusions = exclusions;
        let mut answer = json!({
            "registryId": self.settings().account,
            "repositoryName": name,
            "imageTagMutability": mutability.name(),
        });
        add_exclusions(&mut answer, repository);
        Ok(answer)
    }

    pub(super) fn put_scanning(&self, request: Request<'_>) -> Result<Value, ApiError> {
        let name = request.repository()?;
        let mut contents = self.contents();
        let repository = contents.change(self.voice(), name)?;
        repository.scan_on_push = scan_on_push(request);
        Ok(json!({
            "registryId": self.settings().account,
            "repositoryName": name,
            "imageScanningConfiguration": {"scanOnPush": repository.scan_on_push},
        }))
    }

    fn describe(&self, repository: &Repository) -> Value {
        let settings = self.settings();
        let mut answer = json!({
            "repositoryArn": self.arn(&repository.name),
            "registryId": settings.account,
            "repositoryName": repository.name,
            "repositoryUri": format!("{}/{}", settings.authority, repository.name),
            "createdAt": seconds(repository.created_at),
            "imageTagMutability": repository.mutability.name(),
            "imageScanningConfiguration": {"scanOnPush": repository.scan_on_push},
            "encryptionConfiguration": repository.encryption,
        });
        add_exclusions(&mut answer, repository);
        answer
    }

    fn arn(&self, name: &str) -> String {
        let settings = self.settings();
        format!("arn:aws:ecr:{}:{}:repository/{name}", settings.region, settings.account)
    }

    fn name_in<'a>(&self, request: Request<'a>) -> Result<&'a str, ApiError> {
        let arn = request.required("resourceArn")?;
        arn.strip_prefix(&self.arn("")).ok_or_else(|| {
            invalid("resourceArn", "must be the ARN of a repository of this registry")
        })
    }

    pub(super) fn tag_resource(&self, request: Request<'_>) -> Result<Value, ApiError> {
        let name = self.name_in(request)?;
        let tags = read_tags(request)?;
        let mut contents = self.contents();
        let repository = contents.change(self.voice(), name)?;
        let mut merged = repository.resource_tags.clone();
        merged.extend(tags);
        if merged.len() > MOST_RESOURCE_TAGS {
            return Err(too_many_tags());
        }
        repository.resource_tags = merged;
        Ok(json!({}))
    }

    pub(super) fn untag_resource(&self, request: Request<'_>) -> Result<Value, ApiError> {
        let name = self.name_in(request)?;
        let mut contents = self.contents();
        let repository = contents.change(self.voice(), name)?;
        for key in request.list("tagKeys").into_iter().flatten().filter_map(Value::as_str) {
            repository.resource_tags.remove(key);
        }
        Ok(json!({}))
    }

    pub(super) fn list_tags(&self, request: Request<'_>) -> Result<Value, ApiError> {
        let name = self.name_in(request)?;
        let contents = self.contents();
        let repository = contents.repository(self.voice(), name)?;
        let tags: Vec<Value> = repository
            .resource_tags
            .iter()
            .map(|(key, value)| json!({"Key": key, "Value": value}))
            .collect();
        Ok(json!({"tags": tags}))
    }
}

fn scan_on_push(request: Request<'_>) -> bool {
    request.0.pointer("/imageScanningConfiguration/scanOnPush") == Some(&Value::Bool(true))
}

fn add_exclusions(answer: &mut Value, repository: &Repository) {
    if repository.mutability.has_exclusions() {
        let filters: Vec<Value> = repository
            .exclusions
            .iter()
            .map(|filter| json!({"filterType": "WILDCARD", "filter": filter}))
            .collect();
        answer["imageTagMutabilityExclusionFilters"] = filters.into();
    }
}

fn read_mutability(
    request: Request<'_>,
    default: Mutability,
) -> Result<(Mutability, Vec<String>), ApiError> {
    let mutability = match request.text("imageTagMutability") {
        None => default,
        Some(name) => *Mutability::ALL.iter().find(|one| one.name() == name).ok_or_else(|| {
            invalid(
                "imageTagMutability",
                "Member must satisfy enum value set: [MUTABLE, IMMUTABLE, IMMUTABLE_WITH_EXCLUSION, MUTABLE_WITH_EXCLUSION]",
            )
        })?,
    };
    let filters = read_exclusions(request)?;
    match (mutability.has_exclusions(), filters.len()) {
        (true, 0) => Err(invalid(
            "imageTagMutabilityExclusionFilters",
            "Member must not be null or empty when imageTagMutability is set with exclusion",
        )),
        (false, 1..) => Err(invalid(
            "imageTagMutabilityExclusionFilters",
            "Member must be null when imageTagMutability is not set with exclusion",
        )),
        (_, 6..) => Err(invalid(
            "imageTagMutabilityExclusionFilters",
            "Member must have length less than or equal to 5",
        )),
        _ => Ok((mutability, filters)),
    }
}

fn read_exclusions(request: Request<'_>) -> Result<Vec<String>, ApiError> {
    let fits = |filter: &str| {
        (1..=128).contains(&filter.len())
            && filter.bytes().all(|byte| {
                byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'*' | b'-')
            })
    };
    let listed = request.list("imageTagMutabilityExclusionFilters").into_iter().flatten();
    listed
        .map(|one| match Request(one).text("filter") {
            Some(filter) if fits(filter) => Ok(filter.to_owned()),
            _ => Err(invalid(
                "imageTagMutabilityExclusionFilters",
                "Member must satisfy regular expression pattern: ^[0-9a-zA-Z._*-]{1,128}$",
            )),
        })
        .collect()
}

fn read_tags(request: Request<'_>) -> Result<std::collections::BTreeMap<String, String>, ApiError> {
    let mut tags = std::collections::BTreeMap::new();
    for one in request.list("tags").into_iter().flatten() {
        let key = Request(one).text("Key").unwrap_or_default();
        let value = Request(one).text("Value").unwrap_or_default();
        if key.is_empty() || key.len() > 128 || value.len() > 256 || key.starts_with("aws:") {
            return Err(refuse(
                "InvalidTagParameterException",
                "Invalid parameter at 'tags' failed to satisfy constraint: 'Tag keys can have a maximum character length of 128 characters, tag values of 256 characters, and keys must not start with aws:'".into(),
            ));
        }
        tags.insert(key.to_owned(), value.to_owned());
    }
    if tags.len() > MOST_RESOURCE_TAGS { Err(too_many_tags()) } else { Ok(tags) }
}

fn too_many_tags() -> ApiError {
    refuse(
        "TooManyTagsException",
        "The list of tags on the repository is over the limit. The maximum number of tags that can be applied to a repository is 50.".into(),
    )
}
