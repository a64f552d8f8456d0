//! ECR through its SDK.
//!
//! Reads are retried by the SDK; creating a repository and tagging an image are sent once.

mod cleaning;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use aws_sdk_ecr::Client;
use aws_sdk_ecr::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ecr::operation::batch_get_image::BatchGetImageOutput;
use aws_sdk_ecr::operation::create_repository::CreateRepositoryError;
use aws_sdk_ecr::operation::describe_images::DescribeImagesError;
use aws_sdk_ecr::operation::describe_repositories::DescribeRepositoriesError;
use aws_sdk_ecr::operation::put_image::PutImageError;
use aws_sdk_ecr::types as theirs;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::retry::RetryConfig;
use base64::Engine as _;
use secrecy::SecretString;

use super::manifest::{self, Platforms};
use super::{Deletion, Held, Image, Login, Mutability, Platform, Registry, Repository, image_door};
use crate::names::{AccountId, Digest, NameError, Reference, RepositoryName, Tag};
use crate::release::Values;
use crate::world::aws::{Connection, Effect, Promised, garbled, moment, scrub, translate};
use crate::world::{Place, WorldError};

const PLACE: Place = Place::Ecr;

/// Images asked for by name in one call. Source: ECR service model, `DescribeImages.imageIds`.
const BATCH: usize = 100;

/// Images a page lists at most. Source: ECR service model, `DescribeImages.maxResults`.
const PAGE: i32 = 1000;

/// Pages of one list: far more than a repository may hold. Source: ECR quotas, images per repository.
const MOST_PAGES: usize = 200;

/// The private registry of one account and region.
#[derive(Debug, Clone)]
pub struct Ecr {
    client: Client,
}

impl Ecr {
    /// The registry behind this connection.
    pub fn new(connection: &Connection) -> Self {
        Self { client: Client::new(connection.sdk()) }
    }

    /// The manifest of an image, as it was pushed.
    async fn manifest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<theirs::Image, WorldError> {
        let mut call = self.client.batch_get_image().repository_name(repository.as_str());
        for media_type in manifest::MEDIA_TYPES {
            call = call.accepted_media_types(media_type);
        }
        let wanted = theirs::ImageIdentifier::builder().image_digest(digest.as_str()).build();
        let output = call.image_ids(wanted).send().await.map_err(|error| read_error(&error))?;
        let failed = first_failure(&output);
        // Asked by digest, ECR may list one image once for each of its tags.
        let mut images = output.images.unwrap_or_default();
        if images.is_empty() { Err(failed) } else { Ok(images.swap_remove(0)) }
    }

    /// These images, where ECR has them all. `DescribeImages` and not `BatchGetImage`: that one
    /// counts as a pull, and lifecycle policies count pulls.
    async fn described(
        &self,
        account: &AccountId,
        repository: &RepositoryName,
        digests: &[Digest],
    ) -> Result<Option<Vec<Digest>>, WorldError> {
        let identifier =
            |digest: &Digest| theirs::ImageIdentifier::builder().image_digest(digest.as_str());
        let wanted = digests.iter().map(|digest| identifier(digest).build()).collect();
        let call = self.client.describe_images().registry_id(account.as_str());
        let call = call.repository_name(repository.as_str()).set_image_ids(Some(wanted));
        match call.customize().interceptor(Promised::Member("imageDetails")).send().await {
            Ok(output) => Ok(Some(digests_of(output.image_details()).collect())),
            Err(SdkError::ServiceError(error)) if no_such_image(error.err()) => Ok(None),
            Err(error) => Err(read_error(&error)),
        }
    }

    /// Every image of the repository; none where there is no repository.
    async fn listed(
        &self,
        account: &AccountId,
        repository: &RepositoryName,
    ) -> Result<BTreeSet<Digest>, WorldError> {
        let (mut found, mut token) = (BTreeSet::new(), None);
        for _ in 0..MOST_PAGES {
            let call = self.client.describe_images().registry_id(account.as_str());
            let call = call.repository_name(repository.as_str()).max_results(PAGE);
            let call = call.set_next_token(token).customize();
            match call.interceptor(Promised::Member("imageDetails")).send().await {
                Ok(output) => {
                    found.extend(digests_of(output.image_details()));
                    token = output.next_token.filter(|token| !token.is_empty());
                }
                Err(SdkError::ServiceError(error)) if no_such_image(error.err()) => {
                    return Ok(BTreeSet::new());
                }
                Err(error) => return Err(read_error(&error)),
            }
            if token.is_none() {
                return Ok(found);
            }
        }
        Err(unreadable("its list of images has no end"))
    }

    /// The platform of a plain manifest stands in its configuration blob.
    async fn configured(
        &self,
        repository: &RepositoryName,
        configuration: &Digest,
    ) -> Result<Platform, WorldError> {
        let found = self.find(repository).await?;
        let found = found.ok_or_else(|| not_found("the repository is gone"))?;
        let registry = found.uri.split('/').next().unwrap_or_default();
        let login = self.login().await?;
        let blob = image_door::blob(registry, repository, configuration, &login).await?;
        manifest::configured_platform(&blob).map_err(|what| unreadable(&what))
    }
}

#[async_trait]
impl Registry for Ecr {
    async fn find(&self, name: &RepositoryName) -> Result<Option<Repository>, WorldError> {
        let call = self.client.describe_repositories().repository_names(name.as_str());
        let call = call.customize().interceptor(Promised::Member("repositories"));
        match call.send().await {
            Ok(output) => {
                let found = output.repositories.unwrap_or_default().into_iter().next();
                found.map(|found| repository(&found, Effect::Reading)).transpose()
            }
            Err(SdkError::ServiceError(error))
                if matches!(
                    error.err(),
                    DescribeRepositoriesError::RepositoryNotFoundException(_)
                ) =>
            {
                Ok(None)
            }
            Err(error) => Err(read_error(&error)),
        }
    }

    async fn create(&self, name: &RepositoryName) -> Result<Repository, WorldError> {
        let scanning = theirs::ImageScanningConfiguration::builder().scan_on_push(true).build();
        let call = self
            .client
            .create_repository()
            .repository_name(name.as_str())
            .image_tag_mutability(theirs::ImageTagMutability::Mutable)
            .image_scanning_configuration(scanning)
            .tags(created_by())
            .customize()
            .config_override(once());
        match call.send().await {
            Ok(output) => {
                let created = output.repository;
                let created = created
                    .ok_or_else(|| garbled(PLACE, Effect::Changing, "no repository in it"))?;
                repository(&created, Effect::Changing)
            }
            Err(SdkError::ServiceError(error))
                if matches!(
                    error.err(),
                    CreateRepositoryError::RepositoryAlreadyExistsException(_)
                ) =>
            {
                self.find(name).await?.ok_or_else(|| not_found("the repository is gone again"))
            }
            Err(error) => Err(change_error(&error)),
        }
    }

    async fn image(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
    ) -> Result<Option<Image>, WorldError> {
        let wanted = match reference {
            Reference::Tag(tag) => theirs::ImageIdentifier::builder().image_tag(tag.as_str()),
            Reference::Digest(digest) => {
                theirs::ImageIdentifier::builder().image_digest(digest.as_str())
            }
        };
        let call = self.client.describe_images().repository_name(repository.as_str());
        let call = call.image_ids(wanted.build()).customize();
        match call.interceptor(Promised::Member("imageDetails")).send().await {
            Ok(output) => output.image_details().first().map(image).transpose(),
            Err(SdkError::ServiceError(error)) if no_such_image(error.err()) => Ok(None),
            Err(error) => Err(read_error(&error)),
        }
    }

    async fn held(
        &self,
        account: &AccountId,
        repository: &RepositoryName,
        digests: &[Digest],
    ) -> Result<BTreeSet<Digest>, WorldError> {
        let mut held = BTreeSet::new();
        for batch in digests.chunks(BATCH) {
            if let Some(found) = self.described(account, repository, batch).await? {
                held.extend(found);
            } else {
                // One that is missing spoils the answer about all of them.
                let there = self.listed(account, repository).await?;
                held.extend(batch.iter().filter(|digest| there.contains(digest)).cloned());
            }
        }
        Ok(held)
    }

    async fn platforms(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Vec<Platform>, WorldError> {
        let found = self.manifest(repository, digest).await?;
        let text = found.image_manifest.unwrap_or_default();
        match manifest::platforms(&text).map_err(|what| unreadable(&what))? {
            Platforms::Listed(platforms) => Ok(platforms),
            Platforms::InConfiguration(blob) => Ok(vec![self.configured(repository, &blob).await?]),
        }
    }

    async fn configuration_digest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Option<Digest>, WorldError> {
        let found = self.manifest(repository, digest).await?;
        let text = found.image_manifest.unwrap_or_default();
        match manifest::platforms(&text).map_err(|what| unreadable(&what))? {
            Platforms::Listed(_) => Ok(None),
            Platforms::InConfiguration(blob) => Ok(Some(blob)),
        }
    }

    async fn tag(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        tag: &Tag,
    ) -> Result<(), WorldError> {
        let found = self.manifest(repository, digest).await?;
        let call = self
            .client
            .put_image()
            .repository_name(repository.as_str())
            .set_image_manifest(found.image_manifest)
            .set_image_manifest_media_type(found.image_manifest_media_type)
            .image_digest(digest.as_str())
            .image_tag(tag.as_str())
            .customize()
            .interceptor(Promised::Member("image"))
            .config_override(once());
        match call.send().await {
            Ok(_) => Ok(()),
            Err(SdkError::ServiceError(error)) => match error.err() {
                // The very digest under the very tag. Source: ECR service model.
                PutImageError::ImageAlreadyExistsException(_) => Ok(()),
                PutImageError::ImageTagAlreadyExistsException(taken) => {
                    let message = taken.message().unwrap_or("the tag names another image");
                    Err(WorldError::refused(PLACE, "tag-taken", scrub(message, &Values::default())))
                }
                _ => Err(change_error(&SdkError::ServiceError(error))),
            },
            Err(error) => Err(change_error(&error)),
        }
    }

    async fn login(&self) -> Result<Login, WorldError> {
        let output = self.client.get_authorization_token().send().await;
        let output = output.map_err(|error| read_error(&error))?;
        // The date of expiry is not looked at: a clock may be wrong, the registry's word counts.
        let data = output.authorization_data().first();
        data.and_then(login).ok_or_else(|| unreadable("no usable login in it"))
    }

    async fn images(&self, repository: &RepositoryName) -> Result<Option<Vec<Held>>, WorldError> {
        cleaning::images(&self.client, repository).await
    }

    async fn parts(
        &self,
        repository: &RepositoryName,
        indexes: &[Digest],
    ) -> Result<BTreeMap<Digest, Vec<Digest>>, WorldError> {
        cleaning::parts(&self.client, repository, indexes).await
    }

    async fn delete(
        &self,
        repository: &RepositoryName,
        images: &[Digest],
    ) -> Result<Vec<(Digest, Deletion)>, WorldError> {
        cleaning::delete(&self.client, repository, images).await
    }

    async fn lifecycle_policy(
        &self,
        repository: &RepositoryName,
    ) -> Result<Option<String>, WorldError> {
        cleaning::lifecycle_policy(&self.client, repository).await
    }
}

fn once() -> aws_sdk_ecr::config::Builder {
    aws_sdk_ecr::Config::builder().retry_config(RetryConfig::disabled())
}

fn created_by() -> theirs::Tag {
    let tag = theirs::Tag::builder().key("created-by").value("surefoot");
    tag.build().expect("key and value are set")
}

fn no_such_image(error: &DescribeImagesError) -> bool {
    // Without its repository an image is not there either.
    matches!(
        error,
        DescribeImagesError::ImageNotFoundException(_)
            | DescribeImagesError::RepositoryNotFoundException(_)
    )
}

fn digests_of(details: &[theirs::ImageDetail]) -> impl Iterator<Item = Digest> {
    details.iter().filter_map(|detail| detail.image_digest().and_then(|text| text.parse().ok()))
}

fn first_failure(output: &BatchGetImageOutput) -> WorldError {
    let Some(failure) = output.failures().first() else {
        return not_found("the registry does not have this image");
    };
    let reason = scrub(failure.failure_reason().unwrap_or("no reason given"), &Values::default());
    match failure.failure_code() {
        None | Some(theirs::ImageFailureCode::ImageNotFound) => not_found(&reason),
        Some(code) => WorldError::refused(PLACE, code.as_str(), reason),
    }
}

fn not_found(message: &str) -> WorldError {
    WorldError::refused(PLACE, "image-not-found", message)
}

fn unreadable(what: &str) -> WorldError {
    garbled(PLACE, Effect::Reading, what)
}

fn repository(found: &theirs::Repository, effect: Effect) -> Result<Repository, WorldError> {
    let name = found.repository_name().unwrap_or_default().parse();
    let name = name.map_err(|error: NameError| garbled(PLACE, effect, &error.to_string()))?;
    let uri = found.repository_uri().filter(|uri| uri.contains('/'));
    let uri = uri.ok_or_else(|| garbled(PLACE, effect, "a repository without an address"))?;
    Ok(Repository { name, uri: uri.to_owned(), mutability: mutability(found) })
}

fn mutability(found: &theirs::Repository) -> Mutability {
    let filters = found.image_tag_mutability_exclusion_filters();
    let filters = filters.iter().map(|filter| filter.filter().to_owned()).collect();
    match found.image_tag_mutability() {
        None | Some(theirs::ImageTagMutability::Mutable) => Mutability::Mutable,
        Some(theirs::ImageTagMutability::ImmutableWithExclusion) => {
            Mutability::ImmutableExcept(filters)
        }
        Some(theirs::ImageTagMutability::MutableWithExclusion) => {
            Mutability::MutableExcept(filters)
        }
        // A word of a later ECR is taken for the stricter one: then nothing relies on moving tags.
        Some(_) => Mutability::Immutable,
    }
}

fn image(detail: &theirs::ImageDetail) -> Result<Image, WorldError> {
    let digest = detail.image_digest().unwrap_or_default().parse();
    Ok(Image {
        digest: digest.map_err(|error: NameError| unreadable(&error.to_string()))?,
        tags: detail.image_tags().to_vec(),
        size: detail.image_size_in_bytes().and_then(|size| size.try_into().ok()).unwrap_or(0),
        pushed_at: detail.image_pushed_at().and_then(moment),
        media_type: detail.image_manifest_media_type().map(str::to_owned),
    })
}

/// `AWS:password` behind base64.
fn login(data: &theirs::AuthorizationData) -> Option<Login> {
    let token = base64::engine::general_purpose::STANDARD.decode(data.authorization_token()?);
    let token = String::from_utf8(token.ok()?).ok()?;
    let (username, password) = token.split_once(':')?;
    Some(Login {
        server: data.proxy_endpoint()?.to_owned(),
        username: username.to_owned(),
        password: SecretString::from(password),
    })
}

fn read_error<E>(error: &SdkError<E, HttpResponse>) -> WorldError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    translate(PLACE, Effect::Reading, error, &Values::default())
}

fn change_error<E>(error: &SdkError<E, HttpResponse>) -> WorldError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    translate(PLACE, Effect::Changing, error, &Values::default())
}
