//! A small HTTP server: one service per listener, and a way to hang up without an answer.

use std::future::Future;
use std::sync::Arc;

use axum::body::Body;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::task::JoinSet;

/// The connection ends here, as when a network breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the connection was dropped on purpose")]
pub struct HangUp;

/// Where connections come from.
pub trait Door: Send {
    /// One connection.
    type Connection: AsyncRead + AsyncWrite + Unpin + Send + 'static;
    /// Waits for the next one.
    fn accept(&self) -> impl Future<Output = std::io::Result<Self::Connection>> + Send;
}

impl Door for TcpListener {
    type Connection = tokio::net::TcpStream;
    async fn accept(&self) -> std::io::Result<Self::Connection> {
        let (stream, _) = TcpListener::accept(self).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

impl Door for UnixListener {
    type Connection = tokio::net::UnixStream;
    async fn accept(&self) -> std::io::Result<Self::Connection> {
        UnixListener::accept(self).await.map(|(stream, _)| stream)
    }
}

/// Serves until it is dropped; its connections end with it.
pub async fn serve<D, S, F>(door: D, service: Arc<S>)
where
    D: Door,
    S: Fn(Request<Incoming>) -> F + Send + Sync + 'static,
    F: Future<Output = Result<Response<Body>, HangUp>> + Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = door.accept() => {
                // Too many open files, or a peer that left: the next one may be well.
                let Ok(stream) = accepted else { tokio::task::yield_now().await; continue };
                let service = Arc::clone(&service);
                connections.spawn(async move {
                    let service = service_fn(move |request| service(request));
                    let served = http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .with_upgrades();
                    // A peer that hangs up is everyday life for a server.
                    drop(served.await);
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}
