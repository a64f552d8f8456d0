//! `POST /images/{name}/push` and `GET /distribution/{name}/json`.

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use http::{HeaderMap, Response, StatusCode};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::Engine;
use super::api::{Query, failure, found, lines, refused, target};
use super::images::split;
use super::push::Remote;

pub(super) fn push(
    engine: Engine,
    name: &str,
    query: &Query,
    headers: &HeaderMap,
) -> Response<Body> {
    let login = login(headers);
    if matches!(login, Login::Missing) {
        // Docker's own words for a request without the header.
        return refused(StatusCode::BAD_REQUEST, "Bad parameters and missing X-Registry-Auth: EOF");
    }
    let authorization = login.value();
    let (name, tag) = target(name, query);
    let (name, tag) = (name.to_owned(), tag.to_owned());
    let image = engine.images().find(&format!("{name}:{tag}")).cloned();
    let (sender, receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let say = |line: Value| drop(sender.send(line));
        let Some(image) = image else {
            return say(failure(&format!("An image does not exist locally with the tag: {name}")));
        };
        let pushed = match Remote::new(&name, authorization) {
            Ok(remote) => remote.push(&image, &tag, &engine.store, &say).await,
            Err(message) => Err(message),
        };
        match pushed {
            Err(message) => say(failure(&message)),
            Ok(pushed) => {
                let (digest, size) = (&pushed.digest, pushed.size);
                engine.images().record_push(&image.id, format!("{name}@{digest}"));
                say(json!({"status": format!("{tag}: digest: {digest} size: {size}")}));
                say(
                    json!({"progressDetail": {}, "aux": {"Tag": tag, "Digest": digest, "Size": size}}),
                );
            }
        }
    });
    lines(receiver)
}

pub(super) async fn distribution(name: &str, headers: &HeaderMap) -> Response<Body> {
    let authorization = login(headers).value();
    let (name, reference) = match name.split_once('@') {
        Some((name, digest)) => (split(name).0, digest),
        None => split(name),
    };
    match describe(name, reference, authorization).await {
        Ok(answer) => found(&answer),
        Err(message) if message == "no basic auth credentials" => {
            refused(StatusCode::UNAUTHORIZED, &message)
        }
        Err(message) if message.contains("unknown") => refused(StatusCode::NOT_FOUND, &message),
        Err(message) => refused(StatusCode::INTERNAL_SERVER_ERROR, &message),
    }
}

async fn describe(
    name: &str,
    reference: &str,
    authorization: Option<String>,
) -> Result<Value, String> {
    let remote = Remote::new(name, authorization)?;
    let (digest, kind, text) = remote.manifest(reference).await?;
    let manifest: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let platforms: Vec<Value> = if let Some(children) = manifest["manifests"].as_array() {
        children.iter().map(|child| child["platform"].clone()).collect()
    } else {
        let digest = manifest["config"]["digest"].as_str().unwrap_or_default();
        let config = remote.blob(digest).await?;
        let config: Value = serde_json::from_str(&config).map_err(|error| error.to_string())?;
        vec![json!({"architecture": config["architecture"], "os": config["os"]})]
    };
    let descriptor = json!({"mediaType": kind, "digest": digest, "size": text.len()});
    Ok(json!({"Descriptor": descriptor, "Platforms": platforms}))
}

/// What `X-Registry-Auth` says.
enum Login {
    /// There is no such header, or it cannot be read.
    Missing,
    /// An empty object.
    Anonymous,
    /// The value of an `Authorization` header.
    Basic(String),
}

impl Login {
    fn value(self) -> Option<String> {
        match self {
            Self::Basic(value) => Some(value),
            Self::Missing | Self::Anonymous => None,
        }
    }
}

fn login(headers: &HeaderMap) -> Login {
    let text = headers.get("x-registry-auth").and_then(|text| text.to_str().ok());
    // Docker sends the URL-safe alphabet, bollard the standard one.
    let decoded = text.and_then(|text| {
        let decoded = URL_SAFE.decode(text).or_else(|_| STANDARD.decode(text));
        decoded.or_else(|_| URL_SAFE_NO_PAD.decode(text)).ok()
    });
    let value = decoded.and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
    let Some(value) = value else { return Login::Missing };
    let user = value["username"].as_str().unwrap_or_default();
    let password = value["password"].as_str().unwrap_or_default();
    if user.is_empty() && password.is_empty() {
        return Login::Anonymous;
    }
    Login::Basic(format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
}
