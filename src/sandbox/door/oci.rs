//! The OCI distribution door: `docker login`, `docker push` and `docker pull` against the registry.
//!
//! Specification: OCI distribution v1.1; refusals in the words that ECR sends to Docker.

use std::sync::Arc;

use axum::body::Body;
use http::{Method, Request, Response, StatusCode, header};

use crate::sandbox::registry::Registry;
use crate::sandbox::serve::HangUp;
use crate::sandbox::{Clock, Timestamp};

mod answers;
mod blobs;
pub mod faults;
mod login;
mod manifests;
mod path;
#[cfg(test)]
mod tests;

pub use faults::{Faults, OciFault};

use path::{Place, Target};

/// The door: a registry, the time, and what is to go wrong.
#[derive(Clone)]
pub struct OciDoor {
    registry: Arc<Registry>,
    uploads: blobs::Uploads,
    faults: Faults,
    clock: Clock,
}

impl OciDoor {
    /// A door into a registry.
    pub fn new(registry: Arc<Registry>, faults: Faults, clock: Clock) -> Self {
        Self { registry, uploads: blobs::Uploads::default(), faults, clock }
    }

    /// Answers one request.
    ///
    /// # Errors
    /// When the connection is to be dropped, as a fault asked.
    pub async fn respond<B>(self, request: Request<B>) -> Result<Response<Body>, HangUp>
    where
        B: http_body_util::BodyExt<Data = bytes::Bytes> + Send + Unpin + 'static,
        B::Error: Into<axum::BoxError>,
    {
        let now = (self.clock)();
        let request = request.map(Body::new);
        if let Some(refusal) = login::refusal(&self.registry, &request, now) {
            return Ok(refusal);
        }
        let Some(target) = path::parse(request.uri().path()) else {
            return Ok(answers::not_found());
        };
        if let Some(fault) = self.faults.answer(&target, request.method()) {
            return Ok(fault);
        }
        self.at(target, request, now).await
    }

    async fn at(
        &self,
        target: Target,
        request: Request<Body>,
        now: Timestamp,
    ) -> Result<Response<Body>, HangUp> {
        let method = request.method().clone();
        let Target { repository, place } = target;
        if !matches!(place, Place::Base)
            && let Err(error) = self.registry.admits(&repository)
        {
            return Ok(answers::refused(&error));
        }
        let answer = match (place, method) {
            (Place::Base, _) => answers::json(StatusCode::OK, "{}"),
            (Place::Tags, Method::GET) => {
                manifests::tags(&self.registry, &repository, request.uri().query())
            }
            (Place::Manifest(reference), Method::GET | Method::HEAD) => {
                manifests::get(&self.registry, &repository, &reference, request.method(), now)
            }
            (Place::Manifest(reference), Method::PUT) => {
                manifests::put(&self.registry, &repository, &reference, request, now).await
            }
            (Place::Blob(digest), Method::GET | Method::HEAD) => {
                blobs::get(&self.registry, &repository, &digest, &request)
            }
            (Place::Uploads, Method::POST) => self.begin(&repository, request).await?,
            (Place::Upload(id), Method::PATCH) => self.append(&repository, &id, request).await?,
            (Place::Upload(id), Method::PUT) => self.finish(&repository, &id, request).await?,
            (Place::Upload(id), Method::GET) => self.upload_status(&repository, &id),
            (Place::Upload(id), Method::DELETE) => self.cancel(&id),
            _ => answers::unsupported(),
        };
        Ok(answer)
    }
}

/// What every answer of a version 2 registry carries.
fn with_version(mut response: Response<Body>) -> Response<Body> {
    let version = header::HeaderName::from_static("docker-distribution-api-version");
    response.headers_mut().insert(version, header::HeaderValue::from_static("registry/2.0"));
    response
}
