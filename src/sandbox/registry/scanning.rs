//! Scan findings: a repository that scans on push has a finished scan without findings.

use serde_json::{Value, json};

use super::request::{ImageIdentifier, Request};
use super::{Registry, seconds};
use crate::sandbox::ApiError;

impl Registry {
    pub(super) fn scan_findings(&self, request: Request<'_>) -> Result<Value, ApiError> {
        let name = request.repository()?;
        let wanted = ImageIdentifier::read(request.0.get("imageId").unwrap_or(&Value::Null));
        let contents = self.contents();
        let repository = contents.repository(self.voice(), name)?;
        let (tag, digest) = (wanted.tag.as_deref(), wanted.digest.as_deref());
        let found =
            repository.find(&wanted).and_then(|digest| repository.images.get_key_value(digest));
        let (digest, image) = found.ok_or_else(|| self.voice().no_image(name, tag, digest))?;
        if !repository.scan_on_push {
            return Err(self.voice().no_scan(name, digest, tag));
        }
        Ok(json!({
            "registryId": self.settings().account,
            "repositoryName": name,
            "imageId": ImageIdentifier { tag: wanted.tag, digest: Some(digest.clone()) }.write(),
            "imageScanStatus": {"status": "COMPLETE", "description": "The scan was completed successfully."},
            "imageScanFindings": {
                "imageScanCompletedAt": seconds(image.pushed_at),
                "vulnerabilitySourceUpdatedAt": seconds(image.pushed_at),
                "findings": [],
                "findingSeverityCounts": {},
            },
        }))
    }
}
