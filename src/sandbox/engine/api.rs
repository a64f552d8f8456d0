//! The paths of the Docker Engine API.

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::images::split;
use super::{API_VERSION, Engine, VERSION, building, pushing};

pub(super) async fn answer(engine: &Engine, request: Request<Body>) -> Response<Body> {
    let path = unversioned(request.uri().path()).to_owned();
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let query = Query::read(request.uri().query());
    let mut response = match (request.method(), parts.as_slice()) {
        (&Method::GET | &Method::HEAD, ["_ping"]) => plain("OK"),
        (&Method::GET, ["version"]) => found(&version()),
        (&Method::GET, ["info"]) => found(&info(engine)),
        (&Method::POST, ["build"]) => building::answer(engine.clone(), &query, request).await,
        (&Method::POST, ["auth"]) => found(&json!({"Status": "Login Succeeded"})),
        (&Method::GET, ["images", "json"]) => found(&engine.images().list().into()),
        (&Method::GET, ["containers", "json"]) => found(&json!([])),
        (&Method::GET, ["images", name @ .., "json"]) => inspect(engine, &name.join("/")),
        (&Method::POST, ["images", name @ .., "tag"]) => tag(engine, &name.join("/"), &query),
        (&Method::POST, ["images", name @ .., "push"]) => {
            pushing::push(engine.clone(), &name.join("/"), &query, request.headers())
        }
        (&Method::DELETE, ["images", name @ ..]) => remove(engine, &name.join("/")),
        (&Method::GET, ["distribution", name @ .., "json"]) => {
            pushing::distribution(&name.join("/"), request.headers()).await
        }
        (&Method::POST, ["images", "create"]) => cannot("pull images"),
        (_, ["session" | "grpc"]) => {
            refused(StatusCode::NOT_FOUND, "BuildKit is not part of the embedded engine")
        }
        (_, ["containers", ..]) => cannot("run containers for its clients"),
        _ => refused(StatusCode::NOT_FOUND, "page not found"),
    };
    mark(&mut response);
    response
}

/// `/v1.41/images/json` and `/images/json` are the same.
fn unversioned(path: &str) -> &str {
    let Some(rest) = path.strip_prefix("/v") else { return path };
    let Some((version, _)) = rest.split_once('/') else { return path };
    let is_version = version.starts_with(|letter: char| letter.is_ascii_digit());
    if is_version { &rest[version.len()..] } else { path }
}

/// The headers by which a client learns what it speaks with; builder 1 is the classic one.
fn mark(response: &mut Response<Body>) {
    for (name, value) in [
        ("api-version", API_VERSION),
        ("builder-version", "1"),
        ("ostype", "linux"),
        ("docker-experimental", "false"),
        ("server", concat!("Surefoot/", env!("CARGO_PKG_VERSION"), " (linux)")),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
}

/// The query of a request; names may come more than once.
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    fn read(text: Option<&str>) -> Self {
        let pairs = form_urlencoded::parse(text.unwrap_or_default().as_bytes());
        Self(pairs.into_owned().collect())
    }

    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let values = self.0.iter().filter(move |(key, value)| key == name && !value.is_empty());
        values.map(|(_, value)| value.as_str())
    }

    pub(super) fn one(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(key, value)| key == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }
}

fn plain(text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

pub(super) fn found(value: &Value) -> Response<Body> {
    with_status(StatusCode::OK, value)
}

fn with_status(status: StatusCode, value: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(value.to_string()));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

pub(super) fn refused(status: StatusCode, message: &str) -> Response<Body> {
    with_status(status, &json!({"message": message}))
}

fn cannot(what: &str) -> Response<Body> {
    let message = format!(
        "the embedded engine cannot {what}: it builds images without RUN and pushes them; install Docker for the rest"
    );
    refused(StatusCode::NOT_IMPLEMENTED, &message)
}

/// The lines of a long answer, sent as they come.
pub(super) fn lines(receiver: mpsc::UnboundedReceiver<Value>) -> Response<Body> {
    let lines = stream::unfold(receiver, |mut receiver| async move {
        let value = receiver.recv().await?;
        Some((Ok::<_, std::io::Error>(Bytes::from(format!("{value}\r\n"))), receiver))
    });
    let mut response = Response::new(Body::from_stream(lines));
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// A failure inside of HTTP 200.
pub(super) fn failure(message: &str) -> Value {
    json!({"errorDetail": {"message": message}, "error": message})
}

fn version() -> Value {
    json!({
        "Platform": {"Name": "surefoot embedded engine"},
        "Components": [{"Name": "Engine", "Version": VERSION, "Details": {"ApiVersion": API_VERSION}}],
        "Version": VERSION, "ApiVersion": API_VERSION, "MinAPIVersion": "1.24",
        "GitCommit": "", "GoVersion": "", "Os": "linux", "Arch": "amd64", "KernelVersion": "",
        "BuildTime": "",
    })
}

fn info(engine: &Engine) -> Value {
    json!({
        "ID": "surefoot", "Name": "surefoot-embedded-engine", "ServerVersion": VERSION,
        "OSType": "linux", "Architecture": "x86_64",
        "OperatingSystem": "surefoot embedded engine (no RUN, no pull)",
        "Images": engine.images().list().len(), "Containers": 0, "Driver": "tar",
        "ContainersRunning": 0, "ContainersPaused": 0, "ContainersStopped": 0,
        "SecurityOptions": [], "Labels": [], "Warnings": [],
        "RegistryConfig": {"InsecureRegistryCIDRs": ["127.0.0.0/8"], "IndexConfigs": {}, "Mirrors": []},
    })
}

fn no_image(name: &str) -> Response<Body> {
    refused(StatusCode::NOT_FOUND, &format!("No such image: {}", super::images::normal(name)))
}

fn inspect(engine: &Engine, name: &str) -> Response<Body> {
    let images = engine.images();
    images.find(name).map_or_else(|| no_image(name), |image| found(&images.inspect(image)))
}

fn tag(engine: &Engine, name: &str, query: &Query) -> Response<Body> {
    let Some(repository) = query.one("repo") else {
        return refused(StatusCode::BAD_REQUEST, "invalid reference format");
    };
    let reference = match query.one("tag") {
        Some(tag) => format!("{repository}:{tag}"),
        None => repository.to_owned(),
    };
    let mut images = engine.images();
    let Some(id) = images.find(name).map(|image| image.id.clone()) else { return no_image(name) };
    images.name(&reference, &id);
    with_status(StatusCode::CREATED, &Value::Null)
}

fn remove(engine: &Engine, name: &str) -> Response<Body> {
    let removed = engine.images().remove(name);
    removed.map_or_else(|| no_image(name), |removed| found(&removed.into()))
}

/// Name and tag of an image that is to be pushed.
pub(super) fn target<'a>(name: &'a str, query: &'a Query) -> (&'a str, &'a str) {
    let (own, tag) = split(name);
    query.one("tag").map_or((own, tag), |tag| (own, tag))
}
