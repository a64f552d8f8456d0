//! The registry's image door: blobs over plain OCI distribution.

use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use secrecy::ExposeSecret;
use url::Url;

use super::Login;
use crate::names::{Digest, RepositoryName};
use crate::release::Values;
use crate::world::aws::scrub;
use crate::world::cause::chain;
use crate::world::{Obstacle, Place, WorldError, is_loopback};

const PLACE: Place = Place::Ecr;
/// The whole download of one small blob.
const PATIENCE: Duration = Duration::from_secs(30);
const CONNECT: Duration = Duration::from_secs(5);
/// ECR redirects once, to its storage.
const REDIRECTS: usize = 5;
/// An image configuration has some kilobytes; its history can make it more.
const LARGEST_CONFIGURATION: usize = 8 << 20;

/// Downloads one small blob and proves that it is the one of this digest.
pub(super) async fn blob(
    registry: &str,
    repository: &RepositoryName,
    digest: &Digest,
    login: &Login,
) -> Result<Vec<u8>, WorldError> {
    let url = address(registry, repository, digest)?;
    let client = client(is_loopback(&url)).map_err(|error| unreachable(&error))?;
    let response = client
        .get(url)
        .basic_auth(&login.username, Some(login.password.expose_secret()))
        .send()
        .await
        .map_err(|error| unreachable(&error))?;
    check(&response)?;
    let bytes = read(response).await?;
    if Digest::of(&bytes) != *digest {
        return Err(broken("the registry sent other bytes than the digest says".to_owned()));
    }
    Ok(bytes)
}

/// Plain HTTP is for a registry on this very machine only.
fn address(
    registry: &str,
    repository: &RepositoryName,
    digest: &Digest,
) -> Result<Url, WorldError> {
    let at =
        |scheme: &str| Url::parse(&format!("{scheme}://{registry}/v2/{repository}/blobs/{digest}"));
    let url = at("https").map_err(|error| broken(format!("`{registry}`: {error}")))?;
    if is_loopback(&url) { at("http").map_err(|error| broken(error.to_string())) } else { Ok(url) }
}

/// reqwest drops the Authorization header on the way to another origin by itself; a test holds it.
fn client(loopback: bool) -> reqwest::Result<Client> {
    let redirects = Policy::custom(move |attempt| {
        if attempt.previous().len() > REDIRECTS {
            return attempt.error("too many redirects");
        }
        if attempt.url().scheme() != "https" && !(loopback && is_loopback(attempt.url())) {
            return attempt.error("a redirect to plain HTTP");
        }
        attempt.follow()
    });
    let builder = Client::builder().timeout(PATIENCE).connect_timeout(CONNECT).redirect(redirects);
    if loopback {
        // Plain HTTP needs no certificate store, and some machines have none.
        return builder.no_proxy().tls_certs_only(std::iter::empty()).build();
    }
    builder.build()
}

fn check(response: &Response) -> Result<(), WorldError> {
    let status = response.status();
    if status.is_success() {
        return Ok(());
    }
    let reason = format!("the registry answered {status} when asked for an image configuration");
    match status.as_u16() {
        429 => Err(WorldError::Unreachable { place: PLACE, obstacle: Obstacle::Throttled, reason }),
        400..=499 => Err(WorldError::refused(PLACE, "blob-refused", reason)),
        _ => Err(broken(reason)),
    }
}

async fn read(mut response: Response) -> Result<Vec<u8>, WorldError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| unreachable(&error))? {
        if bytes.len() + chunk.len() > LARGEST_CONFIGURATION {
            return Err(broken("an image configuration of more than 8 MB".to_owned()));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

fn broken(reason: String) -> WorldError {
    WorldError::Unreachable { place: PLACE, obstacle: Obstacle::Broken, reason }
}

/// The cause without its URL: the storage's addresses are signed.
fn unreachable(error: &reqwest::Error) -> WorldError {
    let cause = std::error::Error::source(error).map_or_else(|| "no reason given".into(), chain);
    let reason = scrub(&cause, &Values::default());
    let reason = format!("the registry did not hand out an image configuration: {reason}");
    WorldError::Unreachable { place: PLACE, obstacle: Obstacle::Network, reason }
}
