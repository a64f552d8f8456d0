//! Answers of the distribution API, refusals included.

use axum::body::Body;
use http::{Response, StatusCode, header};
use serde_json::json;

use crate::sandbox::ApiError;

pub(super) fn json(status: StatusCode, text: impl Into<String>) -> Response<Body> {
    let mut response = Response::new(Body::from(text.into()));
    *response.status_mut() = status;
    let kind = header::HeaderValue::from_static("application/json; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    super::with_version(response)
}

pub(super) fn empty(status: StatusCode, headers: &[(&str, &str)]) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    for (name, value) in headers {
        let name = header::HeaderName::try_from(*name).expect("header names here are constants");
        if let Ok(value) = header::HeaderValue::try_from(*value) {
            response.headers_mut().insert(name, value);
        }
    }
    super::with_version(response)
}

/// The error list of the distribution specification.
pub(super) fn error(status: StatusCode, code: &str, message: &str) -> Response<Body> {
    json(status, json!({"errors": [{"code": code, "message": message}]}).to_string())
}

/// A refusal of the registry, as ECR words it towards Docker.
pub(super) fn refused(refusal: &ApiError) -> Response<Body> {
    let message = refusal.message.as_str();
    let (status, code) = match refusal.code.as_str() {
        "RepositoryNotFoundException" => (StatusCode::NOT_FOUND, "NAME_UNKNOWN"),
        "ImageNotFoundException" => {
            return error(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN", "Requested image not found");
        }
        "ImageTagAlreadyExistsException" | "ImageAlreadyExistsException" => {
            (StatusCode::BAD_REQUEST, "TAG_INVALID")
        }
        "LayersNotFoundException" | "ReferencedImagesNotFoundException" => {
            (StatusCode::NOT_FOUND, "MANIFEST_BLOB_UNKNOWN")
        }
        "ImageDigestDoesNotMatchException" => (StatusCode::BAD_REQUEST, "DIGEST_INVALID"),
        "InvalidParameterException" => (StatusCode::BAD_REQUEST, "MANIFEST_INVALID"),
        _ => (StatusCode::INTERNAL_SERVER_ERROR, "UNKNOWN"),
    };
    error(status, code, message)
}

pub(super) fn blob_unknown() -> Response<Body> {
    error(StatusCode::NOT_FOUND, "BLOB_UNKNOWN", "blob unknown to registry")
}

pub(super) fn upload_unknown() -> Response<Body> {
    error(StatusCode::NOT_FOUND, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry")
}

pub(super) fn digest_invalid() -> Response<Body> {
    let message = "provided digest did not match uploaded content";
    error(StatusCode::BAD_REQUEST, "DIGEST_INVALID", message)
}

/// ECR deletes by its API only.
pub(super) fn unsupported() -> Response<Body> {
    error(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED", "The operation is unsupported")
}

pub(super) fn not_found() -> Response<Body> {
    error(StatusCode::NOT_FOUND, "NOT_FOUND", "404 page not found")
}

pub(super) fn disk(failure: &std::io::Error) -> Response<Body> {
    let message = format!("the sandbox could not write: {failure}");
    error(StatusCode::INSUFFICIENT_STORAGE, "UNKNOWN", &message)
}
