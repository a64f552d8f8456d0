//! The deployed application, asked from outside.

mod http;

pub use http::HttpHealth;

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use url::Url;

/// Asks a URL. Never fails as a function: not getting an answer is an answer about the service.
#[async_trait]
pub trait Health: Send + Sync {
    /// GET, with a limit on time and on bytes read.
    async fn get(&self, url: &Url, limits: &Limits) -> Response;
}

/// How long and how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The whole exchange.
    pub timeout: Duration,
    /// Bytes of body kept; more are not read.
    pub body_bytes: usize,
    /// Redirects followed, within the same origin.
    pub redirects: usize,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Response {
    /// An HTTP answer.
    Answered {
        /// The status code.
        status: u16,
        /// The body, up to the limit.
        body: Vec<u8>,
        /// Whether there was more.
        truncated: bool,
        /// The content type, if one was named.
        content_type: Option<String>,
        /// How long it took.
        took: Duration,
    },
    /// No HTTP answer.
    Silent {
        /// Why.
        because: Silence,
        /// The cause in words.
        detail: String,
    },
}

/// Why there was no HTTP answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Silence {
    /// Nothing listens: the port is wrong, or the application is down.
    Refused,
    /// The name does not resolve.
    UnknownHost,
    /// The certificate or the handshake is wrong.
    Tls,
    /// It took longer than allowed.
    Timeout,
    /// The connection broke in the middle.
    Broken,
    /// It redirects in circles, or away from the service.
    Redirects,
}
