//! A Docker engine for machines without one: builds what needs no RUN, and pushes.
//!
//! It speaks enough of the Docker Engine API for bollard and the docker command line, with and
//! without a version in the path. It runs no container: [`crate::sandbox::runtime::embedded`] does
//! that part of the sandbox.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Body;
use http::{Request, Response};
use tokio::net::{TcpListener, UnixListener};

use super::registry::blobs::BlobStore;
use super::serve::{HangUp, serve};
use images::Images;

mod api;
mod build;
mod building;
mod copy;
mod dockerfile;
mod images;
mod push;
mod pushing;
#[cfg(test)]
mod tests;
mod tree;

/// What `docker version` shows.
const VERSION: &str = concat!("surefoot-", env!("CARGO_PKG_VERSION"));

/// Newest version of the Docker Engine API that is answered.
const API_VERSION: &str = "1.44";

/// The engine; a clone is the same one.
#[derive(Debug, Clone)]
pub struct Engine {
    images: Arc<Mutex<Images>>,
    store: Arc<BlobStore>,
}

impl Default for Engine {
    fn default() -> Self {
        Self::new()
    }
}

impl Engine {
    /// An engine without images. What it holds ends with it.
    pub fn new() -> Self {
        Self { images: Arc::default(), store: Arc::new(BlobStore::passing()) }
    }

    /// Answers one request of the Docker Engine API.
    ///
    /// # Errors
    /// Never; the type is that of a service which may hang up.
    pub async fn respond<B>(self, request: Request<B>) -> Result<Response<Body>, HangUp>
    where
        B: http_body_util::BodyExt<Data = bytes::Bytes> + Send + Unpin + 'static,
        B::Error: Into<axum::BoxError>,
    {
        Ok(api::answer(&self, request.map(Body::new)).await)
    }

    /// Serves on a unix socket, as `DOCKER_HOST=unix://…` expects it, until it is dropped.
    ///
    /// # Errors
    /// When the socket cannot be made.
    pub async fn serve_unix(self, path: &Path) -> std::io::Result<()> {
        let listener = UnixListener::bind(path)?;
        serve(listener, Arc::new(move |request| self.clone().respond(request))).await;
        Ok(())
    }

    /// Serves on a loopback port, as `DOCKER_HOST=tcp://…` expects it, until it is dropped.
    pub async fn serve_tcp(self, listener: TcpListener) {
        serve(listener, Arc::new(move |request| self.clone().respond(request))).await;
    }

    fn images(&self) -> MutexGuard<'_, Images> {
        self.images.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
