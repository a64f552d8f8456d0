//! What pruning asks of ECR: all images, what indexes hold, deletion, the lifecycle policy.

use std::collections::BTreeMap;

use aws_sdk_ecr::Client;
use aws_sdk_ecr::error::SdkError;
use aws_sdk_ecr::operation::batch_delete_image::BatchDeleteImageOutput;
use aws_sdk_ecr::operation::describe_images::DescribeImagesError;
use aws_sdk_ecr::operation::get_lifecycle_policy::GetLifecyclePolicyError;
use aws_sdk_ecr::types as theirs;

use super::{change_error, image, manifest, once, read_error, unreadable};
use crate::names::{Digest, NameError, RepositoryName};
use crate::release::Values;
use crate::world::WorldError;
use crate::world::aws::{Promised, scrub};
use crate::world::registry::{Deletion, Held, MOST_AT_ONCE};

/// The most that ECR lists at a time. Source: ECR service model, `maxResults` of `DescribeImages`.
const PAGE: i32 = 1_000;
/// A list that goes on for longer than this is no list.
const LONGEST_LIST: usize = 1_000;

/// Every image, page by page.
pub(super) async fn images(
    client: &Client,
    repository: &RepositoryName,
) -> Result<Option<Vec<Held>>, WorldError> {
    let mut found = Vec::new();
    let mut token = None;
    for _ in 0..LONGEST_LIST {
        let call = client.describe_images().repository_name(repository.as_str());
        let call = call.max_results(PAGE).set_next_token(token).customize();
        let page = match call.interceptor(Promised::Member("imageDetails")).send().await {
            Ok(page) => page,
            Err(SdkError::ServiceError(error)) if no_repository(error.err()) => return Ok(None),
            Err(error) => return Err(read_error(&error)),
        };
        for detail in page.image_details() {
            found.push(held(detail)?);
        }
        token = page.next_token.filter(|token| !token.is_empty());
        if token.is_none() {
            return Ok(Some(found));
        }
    }
    Err(unreadable("the list of images has no end"))
}

fn no_repository(error: &DescribeImagesError) -> bool {
    matches!(error, DescribeImagesError::RepositoryNotFoundException(_))
}

fn held(detail: &theirs::ImageDetail) -> Result<Held, WorldError> {
    let subject = detail.subject_manifest_digest().map(str::parse).transpose();
    let subject = subject.map_err(|error: NameError| unreadable(&error.to_string()))?;
    Ok(Held { image: image(detail)?, subject })
}

/// The manifests of indexes, a hundred a call.
pub(super) async fn parts(
    client: &Client,
    repository: &RepositoryName,
    indexes: &[Digest],
) -> Result<BTreeMap<Digest, Vec<Digest>>, WorldError> {
    let mut found = BTreeMap::new();
    for some in indexes.chunks(MOST_AT_ONCE) {
        let mut call = client.batch_get_image().repository_name(repository.as_str());
        for media_type in manifest::MEDIA_TYPES {
            call = call.accepted_media_types(media_type);
        }
        let call = call.set_image_ids(Some(some.iter().map(identifier).collect())).customize();
        let page = call.interceptor(Promised::Member("images")).send().await;
        for one in page.map_err(|error| read_error(&error))?.images() {
            let named = one.image_id().and_then(|id| id.image_digest()).unwrap_or_default();
            let digest: Digest =
                named.parse().map_err(|error: NameError| unreadable(&error.to_string()))?;
            let text = one.image_manifest().unwrap_or_default();
            found.insert(digest, manifest::parts(text).map_err(|what| unreadable(&what))?);
        }
    }
    Ok(found)
}

fn identifier(digest: &Digest) -> theirs::ImageIdentifier {
    theirs::ImageIdentifier::builder().image_digest(digest.as_str()).build()
}

/// Sent once: a repetition comes after a look.
pub(super) async fn delete(
    client: &Client,
    repository: &RepositoryName,
    images: &[Digest],
) -> Result<Vec<(Digest, Deletion)>, WorldError> {
    debug_assert!(images.len() <= MOST_AT_ONCE);
    let call = client.batch_delete_image().repository_name(repository.as_str());
    let call = call.set_image_ids(Some(images.iter().map(identifier).collect())).customize();
    let call = call.interceptor(Promised::Object).config_override(once());
    let output = call.send().await.map_err(|error| change_error(&error))?;
    Ok(images.iter().map(|digest| (digest.clone(), became(&output, digest))).collect())
}

/// What ECR says of one image; its silence is no deletion.
fn became(output: &BatchDeleteImageOutput, digest: &Digest) -> Deletion {
    let is_it = |id: Option<&theirs::ImageIdentifier>| {
        id.and_then(theirs::ImageIdentifier::image_digest) == Some(digest.as_str())
    };
    let refused = |code: &str, reason: &str| Deletion::Refused {
        code: code.to_owned(),
        reason: scrub(reason, &Values::default()),
    };
    if let Some(failure) = output.failures().iter().find(|failure| is_it(failure.image_id())) {
        return match failure.failure_code() {
            Some(theirs::ImageFailureCode::ImageNotFound) => Deletion::NotThere,
            code => refused(
                code.map_or("unknown", theirs::ImageFailureCode::as_str),
                failure.failure_reason().unwrap_or("no reason given"),
            ),
        };
    }
    if output.image_ids().iter().any(|id| is_it(Some(id))) {
        return Deletion::Deleted;
    }
    refused("unanswered", "ECR did not say what became of it")
}

/// The policy's text.
pub(super) async fn lifecycle_policy(
    client: &Client,
    repository: &RepositoryName,
) -> Result<Option<String>, WorldError> {
    let call = client.get_lifecycle_policy().repository_name(repository.as_str());
    match call.send().await {
        Ok(output) => Ok(output.lifecycle_policy_text),
        Err(SdkError::ServiceError(error))
            if matches!(
                error.err(),
                GetLifecyclePolicyError::LifecyclePolicyNotFoundException(_)
                    | GetLifecyclePolicyError::RepositoryNotFoundException(_)
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(read_error(&error)),
    }
}
