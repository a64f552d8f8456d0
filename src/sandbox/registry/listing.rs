//! Lists of images, page by page.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::refusal::invalid;
use super::repository::{Image, Repository};
use super::request::{ImageIdentifier, Request};
use super::{Registry, seconds};
use crate::sandbox::ApiError;

/// Some items, and the key after which the next page goes on.
pub(super) struct Page<T> {
    pub(super) items: Vec<T>,
    next: Option<String>,
}

impl<T> Page<T> {
    pub(super) fn answer(&self, list: &str, items: &[Value]) -> Value {
        let mut answer = json!({ list: items });
        if let Some(key) = &self.next {
            answer["nextToken"] = STANDARD.encode(key).into();
        }
        answer
    }
}

/// Cuts one page out of an ordered list.
pub(super) fn page<T>(
    all: impl Iterator<Item = T>,
    size: usize,
    seen: impl Fn(&T) -> bool,
    key: impl Fn(&T) -> String,
) -> Page<T> {
    let mut rest = all.skip_while(seen);
    let items: Vec<T> = rest.by_ref().take(size).collect();
    let next = rest.next().and_then(|_| items.last().map(key));
    Page { items, next }
}

/// `nextToken`, decoded to the last key of the page before.
pub(super) fn read_token(request: Request<'_>) -> Result<Option<String>, ApiError> {
    let Some(token) = request.text("nextToken") else { return Ok(None) };
    let decoded = STANDARD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    decoded.map(Some).ok_or_else(|| invalid("nextToken", "Member must be a valid token"))
}

/// `filter` of `DescribeImages` and `ListImages`.
struct Filter {
    tagged: Option<bool>,
    /// ECR can archive images; the sandbox has active ones only.
    active: bool,
}

impl Filter {
    fn read(request: Request<'_>) -> Result<Self, ApiError> {
        let filter = Request(request.0.get("filter").unwrap_or(&Value::Null));
        let tagged = match filter.text("tagStatus") {
            None | Some("ANY") => None,
            Some("TAGGED") => Some(true),
            Some("UNTAGGED") => Some(false),
            Some(_) => {
                return Err(invalid(
                    "filter.tagStatus",
                    "Member must satisfy enum value set: [TAGGED, UNTAGGED, ANY]",
                ));
            }
        };
        let active = !matches!(filter.text("imageStatus"), Some("ARCHIVED" | "ACTIVATING"));
        Ok(Self { tagged, active })
    }

    fn admits(&self, image: &Image) -> bool {
        self.active && self.tagged.is_none_or(|tagged| tagged != image.tags.is_empty())
    }
}

impl Registry {
    pub(super) fn describe_images(&self, request: Request<'_>) -> Result<Value, ApiError> {
        let name = request.repository()?;
        let contents = self.contents();
        let repository = contents.repository(self.voice(), name)?;
        if let Some(wanted) = request.image_identifiers()? {
            return self.describe_named(request, repository, &wanted);
        }
        let filter = Filter::read(request)?;
        let after = read_token(request)?;
        let page = page(
            repository.images.iter().filter(|(_, image)| filter.admits(image)),
            request.page_size()?,
            |(digest, _)| after.as_deref().is_some_and(|after| digest.as_str() <= after),
            |(digest, _)| (*digest).clone(),
        );
        let found: Vec<Value> =
            page.items.iter().map(|(digest, image)| self.detail(name, digest, image)).collect();
        Ok(page.answer("imageDetails", &found))
    }

    fn describe_named(
        &self,
        request: Request<'_>,
        repository: &Repository,
        wanted: &[ImageIdentifier],
    ) -> Result<Value, ApiError> {
        // ECR service model, DescribeImages: "This option cannot be used when you specify images
        // with imageIds" (of maxResults and nextToken).
        for option in ["maxResults", "nextToken"] {
            if request.0.get(option).is_some_and(|value| !value.is_null()) {
                return Err(invalid(option, "Member must be null when imageIds is specified"));
            }
        }
        let found: Result<Vec<Value>, ApiError> = wanted
            .iter()
            .map(|one| {
                let found = repository
                    .find(one)
                    .and_then(|digest| repository.images.get(digest).map(|image| (digest, image)));
                let (digest, image) = found.ok_or_else(|| {
                    let voice = self.voice();
                    voice.no_image(&repository.name, one.tag.as_deref(), one.digest.as_deref())
                })?;
                Ok(self.detail(&repository.name, digest, image))
            })
            .collect();
        Ok(json!({"imageDetails": found?}))
    }

    pub(super) fn list_images(&self, request: Request<'_>) -> Result<Value, ApiError> {
        let name = request.repository()?;
        let contents = self.contents();
        let repository = contents.repository(self.voice(), name)?;
        let filter = Filter::read(request)?;
        let after = read_token(request)?;
        let all = repository
            .images
            .iter()
            .filter(|(_, image)| filter.admits(image))
            .flat_map(|(digest, image)| names(digest, image));
        let key = |one: &ImageIdentifier| {
            let tag = one.tag.as_deref().unwrap_or_default();
            format!("{} {tag}", one.digest.as_deref().unwrap_or_default())
        };
        let page = page(
            all,
            request.page_size()?,
            |one| after.as_deref().is_some_and(|after| key(one).as_str() <= after),
            key,
        );
        let found: Vec<Value> = page.items.iter().map(ImageIdentifier::write).collect();
        Ok(page.answer("imageIds", &found))
    }

    fn detail(&self, repository: &str, digest: &str, image: &Image) -> Value {
        let mut detail = json!({
            "registryId": self.settings().account,
            "repositoryName": repository,
            "imageDigest": digest,
            "imageSizeInBytes": image.size,
            "imagePushedAt": seconds(image.pushed_at),
            "imageManifestMediaType": image.media_type,
            "imageStatus": "ACTIVE",
        });
        if !image.tags.is_empty() {
            detail["imageTags"] = image.tags.iter().cloned().collect();
        }
        if let Some(kind) = &image.artifact_type {
            detail["artifactMediaType"] = kind.as_str().into();
        }
        if let Some(subject) = &image.subject {
            detail["subjectManifestDigest"] = subject.as_str().into();
        }
        if let Some(time) = image.pulled_at {
            detail["lastRecordedPullTime"] = seconds(time);
        }
        detail
    }
}

/// One identifier per tag; the digest alone where there is none.
pub(super) fn names(digest: &str, image: &Image) -> Vec<ImageIdentifier> {
    let one = |tag: Option<&String>| ImageIdentifier {
        tag: tag.cloned(),
        digest: Some(digest.to_owned()),
    };
    if image.tags.is_empty() {
        return vec![one(None)];
    }
    image.tags.iter().map(|tag| one(Some(tag))).collect()
}

impl Repository {
    /// The digest an identifier names; a tag beside a digest must fit it.
    pub(super) fn find<'a>(&'a self, wanted: &'a ImageIdentifier) -> Option<&'a str> {
        let by_tag = match &wanted.tag {
            Some(tag) => Some(self.tags.get(tag)?.as_str()),
            None => None,
        };
        match (&wanted.digest, by_tag) {
            (Some(digest), Some(tagged)) if digest == tagged => Some(tagged),
            (Some(digest), None) if self.images.contains_key(digest) => Some(digest),
            (None, Some(tagged)) => Some(tagged),
            _ => None,
        }
    }
}
