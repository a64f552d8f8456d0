//! The deployed application over HTTP.
//!
//! https always; plain http only to this very machine. Nothing is unpacked, so that a small answer
//! cannot become a large one.

#[cfg(test)]
mod tests;

use std::error::Error;
use std::io::ErrorKind;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use reqwest::header::{CONTENT_TYPE, LOCATION};
use reqwest::{Client, ClientBuilder, redirect};
use url::Url;

use super::{Health, Limits, Response, Silence};
use crate::world::cause::{causes, chain};
use crate::world::is_loopback;

/// Asks over HTTP.
#[derive(Debug, Clone)]
pub struct HttpHealth {
    /// Nothing where this machine has no certificate store: then only loopback can be asked. Made
    /// when first needed, because it reads that store.
    abroad: OnceLock<Option<Client>>,
    here: Option<Client>,
}

fn builder() -> ClientBuilder {
    Client::builder()
        .redirect(redirect::Policy::none())
        .user_agent(concat!("surefoot/", env!("CARGO_PKG_VERSION")))
        // Every question gets its own connection: a kept one could lead to the instance that was
        // just replaced.
        .pool_max_idle_per_host(0)
}

impl HttpHealth {
    /// A client that follows no redirect by itself; addresses of this machine are asked without
    /// proxy, and need no certificate store.
    pub fn new() -> Self {
        let here = builder().no_proxy().tls_certs_only(std::iter::empty());
        Self { abroad: OnceLock::new(), here: here.build().ok() }
    }

    async fn ask(&self, url: &Url, limits: &Limits) -> Result<Found, Silent> {
        let mut url = url.clone();
        for _ in 0..=limits.redirects {
            if url.scheme() != "https" && !(url.scheme() == "http" && is_loopback(&url)) {
                return Err(silent(Silence::Tls, "only https is asked, except on this machine"));
            }
            let abroad = || self.abroad.get_or_init(|| builder().build().ok());
            let client = if is_loopback(&url) { &self.here } else { abroad() };
            let Some(client) = client else {
                return Err(silent(Silence::Tls, "this machine has no certificate store"));
            };
            let response = client.get(url.clone()).send().await.map_err(|e| classified(&e))?;
            match target(&url, &response)? {
                Some(next) => url = next,
                None => return read(response, limits.body_bytes).await,
            }
        }
        Err(silent(Silence::Redirects, &format!("more than {} redirects", limits.redirects)))
    }
}

impl Default for HttpHealth {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Health for HttpHealth {
    async fn get(&self, url: &Url, limits: &Limits) -> Response {
        #[expect(clippy::disallowed_methods, reason = "how long an answer took is measured here")]
        let began = Instant::now();
        let outcome = match tokio::time::timeout(limits.timeout, self.ask(url, limits)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(silent(Silence::Timeout, &late(limits.timeout))),
        };
        match outcome {
            Ok(Found { status, body, truncated, content_type }) => {
                Response::Answered { status, body, truncated, content_type, took: began.elapsed() }
            }
            Err(Silent { because, detail }) => Response::Silent { because, detail },
        }
    }
}

struct Found {
    status: u16,
    body: Vec<u8>,
    truncated: bool,
    content_type: Option<String>,
}

struct Silent {
    because: Silence,
    detail: String,
}

fn silent(because: Silence, detail: &str) -> Silent {
    Silent { because, detail: crate::text::printable(detail, 400) }
}

fn late(timeout: Duration) -> String {
    format!("no complete answer within {} s", timeout.as_secs_f64())
}

/// Where a response redirects to, if it does; only within the same origin.
fn target(from: &Url, response: &reqwest::Response) -> Result<Option<Url>, Silent> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let Some(location) = response.headers().get(LOCATION).and_then(|it| it.to_str().ok()) else {
        return Ok(None);
    };
    let next = from.join(location);
    let next = next.map_err(|_| silent(Silence::Redirects, "a redirect to no address"))?;
    if next.origin() != from.origin() {
        let to = next.origin().ascii_serialization();
        return Err(silent(Silence::Redirects, &format!("it redirects away, to {to}")));
    }
    Ok(Some(next))
}

/// Reads up to the limit and not a chunk more.
async fn read(mut response: reqwest::Response, limit: usize) -> Result<Found, Silent> {
    let status = response.status().as_u16();
    let content_type = response.headers().get(CONTENT_TYPE);
    let content_type = content_type.and_then(|it| it.to_str().ok()).map(str::to_owned);
    let (mut body, mut truncated) = (Vec::new(), false);
    while let Some(chunk) = response.chunk().await.map_err(|error| classified(&error))? {
        let room = limit - body.len();
        truncated = chunk.len() > room;
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if truncated {
            break;
        }
    }
    Ok(Found { status, body, truncated, content_type })
}

/// Why there was no answer, by the causes beneath the error.
fn classified(error: &reqwest::Error) -> Silent {
    let text = error.source().map_or_else(|| error.to_string(), chain);
    let kinds: Vec<ErrorKind> = causes(error)
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .map(std::io::Error::kind)
        .collect();
    let because = if error.is_timeout() || kinds.contains(&ErrorKind::TimedOut) {
        Silence::Timeout
    // A proxy that does not answer says nothing about the service behind it.
    } else if !error.is_connect() || text.contains("tunnel error") {
        Silence::Broken
    } else if kinds.contains(&ErrorKind::ConnectionRefused) {
        Silence::Refused
    } else if text.contains("dns error") || text.contains("lookup address") {
        Silence::UnknownHost
    } else if is_tls(&kinds, &text) {
        Silence::Tls
    } else {
        Silence::Broken
    };
    silent(because, &text)
}

/// While connecting, bytes that make no sense and an end in the middle come from the handshake:
/// the connection itself speaks no bytes of its own.
fn is_tls(kinds: &[ErrorKind], text: &str) -> bool {
    let words = ["certificate", "handshake", "tls", "InvalidContentType", "corrupt message"];
    kinds.contains(&ErrorKind::InvalidData)
        || kinds.contains(&ErrorKind::UnexpectedEof)
        || words.iter().any(|word| text.contains(word))
}
