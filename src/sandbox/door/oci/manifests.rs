//! Manifests and tags.

use axum::body::Body;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use serde_json::json;

use super::answers;
use crate::sandbox::Timestamp;
use crate::sandbox::registry::Registry;
use crate::sandbox::registry::manifest::LARGEST;

pub(super) fn get(
    registry: &Registry,
    repository: &str,
    reference: &str,
    method: &Method,
    now: Timestamp,
) -> Response<Body> {
    let pulled_at = (method == Method::GET).then_some(now);
    let found = match registry.manifest(repository, reference, pulled_at) {
        Ok(found) => found,
        Err(error) => return answers::refused(&error),
    };
    let length = found.text.len().to_string();
    let mut response = answers::empty(
        StatusCode::OK,
        &[
            ("content-type", &found.media_type),
            ("docker-content-digest", &found.digest),
            ("content-length", &length),
        ],
    );
    if method == Method::GET {
        *response.body_mut() = Body::from(found.text);
    }
    response
}

pub(super) async fn put(
    registry: &Registry,
    repository: &str,
    reference: &str,
    request: Request<Body>,
    now: Timestamp,
) -> Response<Body> {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.map(str::to_owned);
    let Ok(body) = Limited::new(request.into_body(), LARGEST).collect().await else {
        let message = "the manifest is larger than 4 MiB or was cut off";
        return answers::error(StatusCode::BAD_REQUEST, "MANIFEST_INVALID", message);
    };
    let body = body.to_bytes();
    let Ok(text) = std::str::from_utf8(&body) else {
        return answers::error(StatusCode::BAD_REQUEST, "MANIFEST_INVALID", "not UTF-8");
    };
    match registry.push_manifest(repository, reference, kind.as_deref(), text, now) {
        Ok(digest) => match registry.save() {
            Ok(()) => created(repository, &digest),
            Err(failure) => answers::disk(&failure),
        },
        Err(error) if error.code == "ImageAlreadyExistsException" => {
            let again = format!(
                "The image tag '{reference}' already exists in the '{repository}' repository and cannot be overwritten because the tag is immutable."
            );
            answers::error(StatusCode::BAD_REQUEST, "TAG_INVALID", &again)
        }
        Err(error) => answers::refused(&error),
    }
}

fn created(repository: &str, digest: &str) -> Response<Body> {
    let location = format!("/v2/{repository}/manifests/{digest}");
    let headers = [("location", location.as_str()), ("docker-content-digest", digest)];
    answers::empty(StatusCode::CREATED, &headers)
}

/// `tags/list`, with `n` and `last` as the specification has them.
pub(super) fn tags(registry: &Registry, repository: &str, query: Option<&str>) -> Response<Body> {
    let all = match registry.tags(repository) {
        Ok(all) => all,
        Err(error) => return answers::refused(&error),
    };
    let mut count = usize::MAX;
    let mut last = String::new();
    for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        match name.as_ref() {
            "n" => count = value.parse().unwrap_or(usize::MAX),
            "last" => last = value.into_owned(),
            _ => {}
        }
    }
    let rest: Vec<String> = all.into_iter().filter(|tag| *tag > last).collect();
    let page: Vec<&String> = rest.iter().take(count).collect();
    let body = json!({"name": repository, "tags": page}).to_string();
    let mut response = answers::json(StatusCode::OK, body);
    if rest.len() > page.len()
        && let Some(end) = page.last()
    {
        let link = format!("</v2/{repository}/tags/list?n={count}&last={end}>; rel=\"next\"");
        if let Ok(link) = header::HeaderValue::try_from(link) {
            response.headers_mut().insert(header::LINK, link);
        }
    }
    response
}
