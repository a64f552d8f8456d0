//! Blobs: streamed to the store on the way in, streamed from it on the way out.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use bytes::Bytes;
use futures_util::StreamExt as _;
use http::{Method, Request, Response, StatusCode, header};

use super::{OciDoor, answers};
use crate::sandbox::registry::Registry;
use crate::sandbox::registry::blobs::Upload;
use crate::sandbox::serve::HangUp;

/// Uploads that have begun and not ended.
#[derive(Debug, Clone, Default)]
pub(super) struct Uploads(Arc<Mutex<Open>>);

#[derive(Debug, Default)]
struct Open {
    begun: u64,
    by_id: BTreeMap<String, Upload>,
}

impl Uploads {
    fn open(&self, upload: Upload) -> String {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.begun += 1;
        let id = format!("{:08x}-0000-4000-8000-{:012x}", std::process::id(), open.begun);
        open.by_id.insert(id.clone(), upload);
        id
    }

    /// While a request writes to an upload, nobody else can.
    fn take(&self, id: &str) -> Option<Upload> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).by_id.remove(id)
    }

    fn put_back(&self, id: &str, upload: Upload) {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.by_id.insert(id.to_owned(), upload);
    }

    fn received(&self, id: &str) -> Option<u64> {
        let open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.by_id.get(id).map(Upload::received)
    }
}

impl OciDoor {
    /// `POST`: a mount from another repository, a whole blob at once, or the start of chunks.
    pub(super) async fn begin(
        &self,
        repository: &str,
        request: Request<Body>,
    ) -> Result<Response<Body>, HangUp> {
        let query = Query::read(&request);
        if let (Some(digest), Some(from)) = (&query.mount, &query.from)
            && self.registry.mount_layer(repository, from, digest) == Ok(true)
        {
            return Ok(stored(repository, digest));
        }
        let id = self.uploads.open(self.registry.blobs().begin());
        if query.digest.is_some() {
            return self.finish(repository, &id, request).await;
        }
        Ok(progress(StatusCode::ACCEPTED, repository, &id, 0))
    }

    /// `PATCH`: the next chunk.
    pub(super) async fn append(
        &self,
        repository: &str,
        id: &str,
        request: Request<Body>,
    ) -> Result<Response<Body>, HangUp> {
        let Some(received) = self.uploads.received(id) else {
            return Ok(answers::upload_unknown());
        };
        if first_byte(&request).is_some_and(|first| first != received) {
            let status = StatusCode::RANGE_NOT_SATISFIABLE;
            return Ok(progress(status, repository, id, received));
        }
        match self.receive(id, request.into_body()).await? {
            Err(failure) => Ok(answers::disk(&failure)),
            Ok(received) => Ok(progress(StatusCode::ACCEPTED, repository, id, received)),
        }
    }

    /// `PUT`: the last chunk, if any, and the digest that must come out.
    pub(super) async fn finish(
        &self,
        repository: &str,
        id: &str,
        request: Request<Body>,
    ) -> Result<Response<Body>, HangUp> {
        let Some(digest) = Query::read(&request).digest else {
            return Ok(answers::digest_invalid());
        };
        if self.uploads.received(id).is_none() {
            return Ok(answers::upload_unknown());
        }
        if let Err(failure) = self.receive(id, request.into_body()).await? {
            return Ok(answers::disk(&failure));
        }
        let Some(upload) = self.uploads.take(id) else { return Ok(answers::upload_unknown()) };
        if upload.digest() != digest {
            return Ok(answers::digest_invalid());
        }
        let size = upload.received();
        if let Err(failure) = self.registry.blobs().finish(upload) {
            return Ok(answers::disk(&failure));
        }
        Ok(match self.registry.link_layer(repository, &digest, size) {
            Ok(()) => stored(repository, &digest),
            Err(error) => answers::refused(&error),
        })
    }

    pub(super) fn upload_status(&self, repository: &str, id: &str) -> Response<Body> {
        match self.uploads.received(id) {
            Some(received) => progress(StatusCode::NO_CONTENT, repository, id, received),
            None => answers::upload_unknown(),
        }
    }

    pub(super) fn cancel(&self, id: &str) -> Response<Body> {
        match self.uploads.take(id) {
            Some(_) => answers::empty(StatusCode::NO_CONTENT, &[]),
            None => answers::upload_unknown(),
        }
    }

    /// Writes a body to an upload. What came before a broken connection is kept, as the
    /// specification wants it, so that a client may go on from there.
    async fn receive(&self, id: &str, body: Body) -> Result<std::io::Result<u64>, HangUp> {
        let Some(mut upload) = self.uploads.take(id) else { return Err(HangUp) };
        let mut chunks = body.into_data_stream();
        let mut cut = self.faults.cut();
        let mut outcome = Ok(());
        while let Some(chunk) = chunks.next().await {
            let Ok(chunk) = chunk else {
                outcome = Err(HangUp);
                break;
            };
            self.faults.drag().await;
            let (part, cut_here) = before(&chunk, &mut cut);
            let broken = cut_here && self.faults.breaks_here();
            let part = if broken { part } else { &chunk };
            if let Err(failure) = upload.write(part) {
                return Ok(Err(failure));
            }
            if broken {
                outcome = Err(HangUp);
                break;
            }
        }
        let received = upload.received();
        self.uploads.put_back(id, upload);
        outcome.map(|()| Ok(received))
    }
}

/// The part of a chunk before the cut, and whether the connection breaks within it.
fn before<'a>(chunk: &'a Bytes, cut: &mut Option<u64>) -> (&'a [u8], bool) {
    let Some(left) = cut else { return (chunk, false) };
    let allowed = usize::try_from(*left).unwrap_or(usize::MAX);
    if allowed >= chunk.len() {
        *left -= chunk.len() as u64;
        return (chunk, false);
    }
    (&chunk[..allowed], true)
}

pub(super) fn get(
    registry: &Registry,
    repository: &str,
    digest: &str,
    request: &Request<Body>,
) -> Response<Body> {
    let known = registry.layer(repository, digest).ok().flatten().is_some();
    let Some(blob) = registry.blobs().open(digest).filter(|_| known) else {
        return answers::blob_unknown();
    };
    let length = blob.len();
    let range = request.headers().get(header::RANGE).and_then(|value| value.to_str().ok());
    let (first, last) = match range.map(|text| read_range(text, length)) {
        None => (0, length),
        Some(Some(range)) => range,
        Some(None) => {
            let all = format!("bytes */{length}");
            let status = StatusCode::RANGE_NOT_SATISFIABLE;
            return answers::empty(status, &[("content-range", &all)]);
        }
    };
    let status = if range.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    let sent = (last - first).to_string();
    let span = format!("bytes {first}-{}/{length}", last.saturating_sub(1));
    let mut headers = vec![
        ("content-type", "application/octet-stream"),
        ("docker-content-digest", digest),
        ("accept-ranges", "bytes"),
        ("content-length", sent.as_str()),
    ];
    if range.is_some() {
        headers.push(("content-range", &span));
    }
    let mut response = answers::empty(status, &headers);
    if request.method() == Method::GET {
        *response.body_mut() = Body::from_stream(blob.part(first, last - first));
    }
    response
}

/// First byte and end (exclusive) of `bytes=A-B`, `bytes=A-` or `bytes=-N`.
fn read_range(text: &str, length: u64) -> Option<(u64, u64)> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    let (first, end) = match (first, last) {
        ("", count) => (length.saturating_sub(count.parse().ok()?), length),
        (first, "") => (first.parse().ok()?, length),
        (first, last) => (first.parse().ok()?, last.parse::<u64>().ok()?.checked_add(1)?),
    };
    (first < end.min(length)).then(|| (first, end.min(length)))
}

/// First byte of `Content-Range: A-B`, as PATCH sends it.
fn first_byte(request: &Request<Body>) -> Option<u64> {
    let text = request.headers().get(header::CONTENT_RANGE)?.to_str().ok()?;
    text.trim_start_matches("bytes ").split('-').next()?.parse().ok()
}

fn stored(repository: &str, digest: &str) -> Response<Body> {
    let location = format!("/v2/{repository}/blobs/{digest}");
    let headers = [("location", location.as_str()), ("docker-content-digest", digest)];
    answers::empty(StatusCode::CREATED, &headers)
}

fn progress(status: StatusCode, repository: &str, id: &str, received: u64) -> Response<Body> {
    let location = format!("/v2/{repository}/blobs/uploads/{id}");
    let range = format!("0-{}", received.saturating_sub(1));
    let headers =
        [("location", location.as_str()), ("range", range.as_str()), ("docker-upload-uuid", id)];
    answers::empty(status, &headers)
}

#[derive(Default)]
struct Query {
    digest: Option<String>,
    mount: Option<String>,
    from: Option<String>,
}

impl Query {
    fn read(request: &Request<Body>) -> Self {
        let mut query = Self::default();
        let text = request.uri().query().unwrap_or_default();
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            match name.as_ref() {
                "digest" => query.digest = Some(value.into_owned()),
                "mount" => query.mount = Some(value.into_owned()),
                "from" => query.from = Some(value.into_owned()),
                _ => {}
            }
        }
        query
    }
}
