//! ECR's refusals, in ECR's own words.
//!
//! Exceptions: ECR service model 2015-09-21. Texts: as users quote them from the real service.

use crate::sandbox::ApiError;

/// Who speaks: every text names the registry by its account.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Voice<'a> {
    pub(crate) account: &'a str,
}

pub(crate) fn refuse(code: &str, message: String) -> ApiError {
    ApiError { status: 400, code: code.to_owned(), message }
}

/// A parameter outside of what the service model allows.
pub(crate) fn invalid(parameter: &str, constraint: &str) -> ApiError {
    refuse(
        "InvalidParameterException",
        format!("Invalid parameter at '{parameter}' failed to satisfy constraint: '{constraint}'"),
    )
}

impl Voice<'_> {
    fn place(self, repository: &str) -> String {
        format!(
            "the repository with name '{repository}' in the registry with id '{}'",
            self.account
        )
    }

    /// The sentence that both the API and `docker push` show.
    pub(crate) fn no_repository_text(self, name: &str) -> String {
        format!(
            "The repository with name '{name}' does not exist in the registry with id '{}'",
            self.account
        )
    }

    pub(crate) fn no_repository(self, name: &str) -> ApiError {
        refuse("RepositoryNotFoundException", self.no_repository_text(name))
    }

    pub(crate) fn repository_exists(self, name: &str) -> ApiError {
        refuse(
            "RepositoryAlreadyExistsException",
            format!(
                "The repository with name '{name}' already exists in the registry with id '{}'",
                self.account
            ),
        )
    }

    pub(crate) fn repository_not_empty(self, name: &str) -> ApiError {
        refuse(
            "RepositoryNotEmptyException",
            format!(
                "The repository with name '{name}' in registry with id '{}' cannot be deleted because it still contains images",
                self.account
            ),
        )
    }

    pub(crate) fn no_image(
        self,
        repository: &str,
        tag: Option<&str>,
        digest: Option<&str>,
    ) -> ApiError {
        refuse(
            "ImageNotFoundException",
            format!(
                "The image with imageId {{imageDigest:'{}', imageTag:'{}'}} does not exist within {}",
                digest.unwrap_or("null"),
                tag.unwrap_or("null"),
                self.place(repository)
            ),
        )
    }

    pub(crate) fn no_scan(self, repository: &str, digest: &str, tag: Option<&str>) -> ApiError {
        refuse(
            "ScanNotFoundException",
            format!(
                "Image scan does not exist for the image with '{{imageDigest:'{digest}', imageTag:'{}'}}' in {}",
                tag.unwrap_or("null"),
                self.place(repository)
            ),
        )
    }

    pub(crate) fn no_lifecycle_policy(self, repository: &str) -> ApiError {
        refuse(
            "LifecyclePolicyNotFoundException",
            format!("Lifecycle policy does not exist for {}", self.place(repository)),
        )
    }

    pub(crate) fn no_policy(self, repository: &str) -> ApiError {
        refuse(
            "RepositoryPolicyNotFoundException",
            format!("Repository policy does not exist for {}", self.place(repository)),
        )
    }

    pub(crate) fn image_exists(
        self,
        repository: &str,
        digest: &str,
        tag: Option<&str>,
    ) -> ApiError {
        refuse(
            "ImageAlreadyExistsException",
            format!(
                "Image with digest '{digest}' and tag '{}' already exists in the repository with name '{repository}' in registry with id '{}'",
                tag.unwrap_or("null"),
                self.account
            ),
        )
    }

    pub(crate) fn layers_missing(self, repository: &str, digests: &[String]) -> ApiError {
        refuse("LayersNotFoundException", self.missing("Layers", repository, digests))
    }

    pub(crate) fn children_missing(self, repository: &str, digests: &[String]) -> ApiError {
        refuse("ReferencedImagesNotFoundException", self.missing("Images", repository, digests))
    }

    fn missing(self, what: &str, repository: &str, digests: &[String]) -> String {
        format!(
            "{what} with digests '[{}]' required for pushing image into repository with name '{repository}' in the registry with id '{}' do not exist",
            digests.join(", "),
            self.account
        )
    }
}

/// The tag already names another image and may not be moved.
pub(crate) fn tag_immutable(repository: &str, tag: &str) -> ApiError {
    refuse(
        "ImageTagAlreadyExistsException",
        format!(
            "The image tag '{tag}' already exists in the '{repository}' repository and cannot be overwritten because the tag is immutable."
        ),
    )
}

/// The caller named a digest that the manifest does not have.
pub(crate) fn digest_differs(claimed: &str, actual: &str) -> ApiError {
    refuse(
        "ImageDigestDoesNotMatchException",
        format!(
            "The image digest '{claimed}' does not match the digest '{actual}' that Amazon ECR calculated for the image"
        ),
    )
}

/// The manifest is not one that a registry understands.
pub(crate) fn bad_manifest(reason: &str) -> ApiError {
    refuse(
        "InvalidParameterException",
        format!("Invalid parameter at 'ImageManifest' failed to satisfy constraint: '{reason}'"),
    )
}
