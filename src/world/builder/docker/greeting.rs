//! The first exchange with an engine: is it there, and what does it offer.
//!
//! Asked by hand and not through bollard, which hides the headers of `/_ping`, and whose errors do
//! not tell a missing socket from a forbidden one.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http_body_util::Empty;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use super::address::Address;

/// How long an engine may take to say that it is there.
const PATIENCE: Duration = Duration::from_secs(10);

/// What an engine says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Greeting {
    /// `Builder-Version`: `2` where BuildKit is the engine's own choice.
    builder: Option<String>,
    /// `Server`, such as `Docker/20.10.24 (linux)`.
    server: Option<String>,
    /// `Api-Version`, such as `1.41`.
    api: Option<String>,
}

impl Greeting {
    fn of(headers: &HeaderMap) -> Self {
        let header = |name| Some(headers.get(name)?.to_str().ok()?.to_owned());
        Self {
            builder: header("Builder-Version"),
            server: header("Server"),
            api: header("Api-Version"),
        }
    }

    /// Whether the engine builds with BuildKit. Docker does since API 1.39, even where it says
    /// nothing or prefers the classic builder; others only where they say so.
    /// Source: moby, `api/server/router/system`.
    pub(super) fn offers_buildkit(&self) -> bool {
        let is_docker = self.server.as_deref().is_some_and(|name| name.starts_with("Docker/"));
        let minor = self
            .api
            .as_deref()
            .and_then(|api| api.strip_prefix("1."))
            .and_then(|minor| minor.parse::<u32>().ok());
        self.builder.as_deref() == Some("2") || (is_docker && minor >= Some(39))
    }
}

/// Asks `/_ping`. Behind TLS nothing is asked yet.
pub(super) async fn greet(address: &Address) -> io::Result<Greeting> {
    let asked = async {
        match address {
            Address::Unix(path) => ping(UnixStream::connect(path).await?).await,
            Address::Tcp(host) => ping(TcpStream::connect(with_port(host)).await?).await,
            Address::Tls(..) => Ok(Greeting::default()),
        }
    };
    tokio::time::timeout(PATIENCE, asked).await.unwrap_or_else(|_| {
        Err(io::Error::new(io::ErrorKind::TimedOut, format!("no answer in {PATIENCE:?}")))
    })
}

/// Docker's own port, where none is named.
fn with_port(host: &str) -> String {
    let bare = host.rsplit(']').next().unwrap_or(host);
    if bare.contains(':') { host.to_owned() } else { format!("{host}:2375") }
}

async fn ping(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
) -> io::Result<Greeting> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(io::Error::other)?;
    let connection = tokio::spawn(connection);
    let request = http::Request::get("/_ping")
        .header(http::header::HOST, "docker")
        .body(Empty::<Bytes>::new())
        .map_err(io::Error::other)?;
    let answer = sender.send_request(request).await.map_err(io::Error::other)?;
    connection.abort();
    if answer.status().is_success() {
        return Ok(Greeting::of(answer.headers()));
    }
    Err(io::Error::other(format!("it answered {} to a ping", answer.status())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_builder_is_chosen_by_what_the_engine_says() {
        for (builder, server, api, expected) in [
            (Some("2"), Some("Docker/28.0"), Some("1.48"), true),
            (Some("1"), Some("Docker/24.0"), Some("1.43"), true),
            (None, Some("Docker/20.10.24+dfsg1 (linux)"), Some("1.41"), true),
            (None, Some("Docker/17.06"), Some("1.30"), false),
            (None, Some("Libpod/4.3.1 (linux)"), Some("1.41"), false),
            (Some("1"), Some("surefoot embedded engine"), Some("1.41"), false),
            (None, None, None, false),
        ] {
            let text = |value: Option<&str>| value.map(str::to_owned);
            let greeting =
                Greeting { builder: text(builder), server: text(server), api: text(api) };
            assert_eq!(greeting.offers_buildkit(), expected, "{greeting:?}");
        }
    }

    #[test]
    fn the_port_is_dockers_where_none_is_named() {
        assert_eq!(with_port("h"), "h:2375");
        assert_eq!(with_port("h:1"), "h:1");
        assert_eq!(with_port("[::1]"), "[::1]:2375");
        assert_eq!(with_port("[::1]:1"), "[::1]:1");
    }
}
