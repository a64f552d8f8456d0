//! The app that answers where an image cannot be run. It never pretends: every answer says so.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use http::{HeaderValue, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::image::Unpacked;
use crate::sandbox::runtime::{InstanceSpec, InstanceState};
use crate::sandbox::serve::{HangUp, serve};

/// An image can ask the stand-in for another status than 200, to play an unhealthy release.
const STATUS_LABEL: &str = "surefoot.stand-in.status";

pub(super) fn start(
    address: SocketAddr,
    spec: &InstanceSpec,
    image: &Unpacked,
    state: watch::Sender<InstanceState>,
) -> JoinHandle<()> {
    let status = image.labels.get(STATUS_LABEL).and_then(|text| text.parse().ok());
    let status = status.and_then(|code| StatusCode::from_u16(code).ok()).unwrap_or(StatusCode::OK);
    // Values of the service's own environment may be secrets: names only.
    let answer = json!({
        "status": if status.is_success() { "ok" } else { "unhealthy" },
        "stand_in": "this is not the image's own app: the sandbox could not run it here",
        "service": spec.service_name,
        "image": spec.digest,
        "labels": image.labels,
        "image_environment": image.environment,
        "environment_names": spec.environment.keys().collect::<Vec<_>>(),
    })
    .to_string();
    tokio::spawn(async move {
        let Ok(listener) = TcpListener::bind(address).await else {
            state.send_replace(InstanceState::Exited { code: 1 });
            return;
        };
        let service = move |request: Request<Incoming>| {
            let response = respond(request.uri().path(), status, &answer);
            async move { Ok::<_, HangUp>(response) }
        };
        serve(listener, Arc::new(service)).await;
        drop(state);
    })
}

fn respond(path: &str, status: StatusCode, answer: &str) -> Response<Body> {
    let known = matches!(path, "/" | "/health" | "/healthz" | "/ping" | "/ready" | "/version");
    let mut response = Response::new(Body::from(answer.to_owned()));
    *response.status_mut() = if known { status } else { StatusCode::NOT_FOUND };
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
