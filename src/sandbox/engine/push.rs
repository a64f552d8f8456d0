//! Pushes an image to a registry on loopback, as `docker push` does.

use axum::body::Body;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

use super::images::Image;
use crate::sandbox::registry::blobs::{Blob, BlobStore};
use crate::sandbox::registry::manifest::{DOCKER_MANIFEST, digest_of};

/// Largest answer that is read.
const LARGEST_ANSWER: usize = 4 * 1024 * 1024;

/// A registry, seen from a client.
pub(super) struct Remote {
    client: Client<HttpConnector, Body>,
    authority: String,
    repository: String,
    authorization: Option<String>,
}

/// What a push left in the registry.
pub(super) struct Pushed {
    pub(super) digest: String,
    pub(super) size: usize,
}

impl Remote {
    /// A repository `127.0.0.1:PORT/name`.
    pub(super) fn new(name: &str, authorization: Option<String>) -> Result<Self, String> {
        let (authority, repository) = name.split_once('/').unwrap_or(("", name));
        let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
        if !matches!(host, "127.0.0.1" | "localhost" | "[::1]") {
            return Err(format!(
                "the embedded engine only speaks with registries on loopback, and `{name}` is elsewhere"
            ));
        }
        Ok(Self {
            client: Client::builder(TokioExecutor::new()).build_http(),
            authority: authority.to_owned(),
            repository: repository.to_owned(),
            authorization,
        })
    }

    /// Sends what is missing, then the manifest. `say` gets Docker's progress lines.
    pub(super) async fn push(
        &self,
        image: &Image,
        tag: &str,
        store: &BlobStore,
        say: &(dyn Fn(Value) + Send + Sync),
    ) -> Result<Pushed, String> {
        let (authority, repository) = (&self.authority, &self.repository);
        say(json!({"status": format!("The push refers to repository [{authority}/{repository}]")}));
        for layer in &image.layers {
            let id: String = layer.diff_id.trim_start_matches("sha256:").chars().take(12).collect();
            say(json!({"status": "Preparing", "progressDetail": {}, "id": id}));
            if self.has_blob(&layer.digest).await? {
                say(json!({"status": "Layer already exists", "progressDetail": {}, "id": id}));
                continue;
            }
            let blob = store.open(&layer.digest).ok_or("the layer is gone from the engine")?;
            let detail = json!({"current": layer.size, "total": layer.size});
            say(json!({"status": "Pushing", "progressDetail": detail, "id": id}));
            self.send_blob(&layer.digest, blob).await?;
            say(json!({"status": "Pushed", "progressDetail": {}, "id": id}));
        }
        if !self.has_blob(&image.id).await? {
            let configuration = Bytes::from(image.configuration.clone());
            self.send_blob(&image.id, Blob::Memory(configuration)).await?;
        }
        self.send_manifest(image, tag).await
    }

    async fn send_manifest(&self, image: &Image, tag: &str) -> Result<Pushed, String> {
        let manifest = manifest(image);
        let request = self
            .request(Method::PUT, &format!("manifests/{tag}"))
            .header(header::CONTENT_TYPE, DOCKER_MANIFEST)
            .body(Body::from(manifest.clone()));
        let answer = self.send(request).await?;
        expect(answer, &[StatusCode::CREATED]).await?;
        Ok(Pushed { digest: digest_of(manifest.as_bytes()), size: manifest.len() })
    }

    async fn has_blob(&self, digest: &str) -> Result<bool, String> {
        let request = self.request(Method::HEAD, &format!("blobs/{digest}")).body(Body::empty());
        let answer = self.send(request).await?;
        match answer.status() {
            StatusCode::OK => Ok(true),
            // HEAD has no body: the POST that follows brings the reason of any refusal.
            _ => Ok(false),
        }
    }

    async fn send_blob(&self, digest: &str, blob: Blob) -> Result<(), String> {
        let request = self.request(Method::POST, "blobs/uploads/").body(Body::empty());
        let begun = expect(self.send(request).await?, &[StatusCode::ACCEPTED]).await?;
        let location = begun.get(header::LOCATION).and_then(|value| value.to_str().ok());
        let location = location.ok_or("the registry named no place for the upload")?;
        let separator = if location.contains('?') { '&' } else { '?' };
        let length = blob.len();
        let request = self
            .at(Method::PUT, &format!("{location}{separator}digest={digest}"))
            .header(header::CONTENT_LENGTH, length)
            .header(header::CONTENT_TYPE, "application/octet-stream")
            .body(Body::from_stream(blob.part(0, length)));
        expect(self.send(request).await?, &[StatusCode::CREATED]).await.map(|_| ())
    }

    /// The manifest a reference names: digest, kind, text.
    pub(super) async fn manifest(
        &self,
        reference: &str,
    ) -> Result<(String, String, String), String> {
        let accepted = "application/vnd.docker.distribution.manifest.v2+json, application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json";
        let request = self
            .request(Method::GET, &format!("manifests/{reference}"))
            .header(header::ACCEPT, accepted)
            .body(Body::empty());
        let answer = self.send(request).await?;
        let kind = answer.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let kind = kind.unwrap_or(DOCKER_MANIFEST).to_owned();
        let text = read(answer).await?;
        Ok((digest_of(text.as_bytes()), kind, text))
    }

    /// A small blob, such as an image configuration.
    pub(super) async fn blob(&self, digest: &str) -> Result<String, String> {
        let request = self.request(Method::GET, &format!("blobs/{digest}")).body(Body::empty());
        read(self.send(request).await?).await
    }

    fn request(&self, method: Method, path: &str) -> http::request::Builder {
        self.at(method, &format!("/v2/{}/{path}", self.repository))
    }

    fn at(&self, method: Method, location: &str) -> http::request::Builder {
        let location = location
            .strip_prefix("http://")
            .and_then(|rest| rest.find('/').map(|start| &rest[start..]))
            .unwrap_or(location);
        let mut builder =
            Request::builder().method(method).uri(format!("http://{}{location}", self.authority));
        if let Some(value) = &self.authorization {
            builder = builder.header(header::AUTHORIZATION, value);
        }
        builder
    }

    async fn send(
        &self,
        request: Result<Request<Body>, http::Error>,
    ) -> Result<Response<Incoming>, String> {
        let request = request.map_err(|error| error.to_string())?;
        let address = format!("http://{}/v2/", self.authority);
        self.client.request(request).await.map_err(|error| {
            match std::error::Error::source(&error) {
                Some(cause) => format!("Get \"{address}\": {cause}"),
                None => format!("Get \"{address}\": {error}"),
            }
        })
    }
}

fn manifest(image: &Image) -> String {
    let layers: Vec<Value> = image
        .layers
        .iter()
        .map(|layer| {
            json!({
                "mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip",
                "size": layer.size, "digest": layer.digest,
            })
        })
        .collect();
    json!({
        "schemaVersion": 2,
        "mediaType": DOCKER_MANIFEST,
        "config": {
            "mediaType": "application/vnd.docker.container.image.v1+json",
            "size": image.configuration.len(), "digest": image.id,
        },
        "layers": layers,
    })
    .to_string()
}

async fn expect(
    answer: Response<Incoming>,
    wanted: &[StatusCode],
) -> Result<http::HeaderMap, String> {
    if wanted.contains(&answer.status()) {
        let headers = answer.headers().clone();
        // Read to the end, so that the connection can be used again.
        drop(answer.into_body().collect().await);
        return Ok(headers);
    }
    Err(refusal(answer).await)
}

async fn read(answer: Response<Incoming>) -> Result<String, String> {
    if answer.status() != StatusCode::OK {
        return Err(refusal(answer).await);
    }
    let body = Limited::new(answer.into_body(), LARGEST_ANSWER).collect().await;
    let body = body.map_err(|error| error.to_string())?.to_bytes();
    String::from_utf8(body.to_vec()).map_err(|error| error.to_string())
}

/// Docker shows a registry's error as `name unknown: text`.
async fn refusal(answer: Response<Incoming>) -> String {
    let status = answer.status();
    if status == StatusCode::UNAUTHORIZED {
        return "no basic auth credentials".to_owned();
    }
    let body = Limited::new(answer.into_body(), LARGEST_ANSWER).collect().await;
    let body = body.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let errors: Value = serde_json::from_slice(&body).unwrap_or_default();
    let first = &errors["errors"][0];
    match (first["code"].as_str(), first["message"].as_str()) {
        (Some(code), Some(message)) => {
            format!("{}: {message}", code.to_lowercase().replace('_', " "))
        }
        _ => format!("received unexpected HTTP status: {status}"),
    }
}
