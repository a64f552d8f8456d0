//! Who may come in: the user AWS with a token of this registry.

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{Request, Response, StatusCode, header};

use super::answers;
use crate::sandbox::Timestamp;
use crate::sandbox::registry::Registry;
use crate::sandbox::registry::token::Login;

/// The refusal, or nothing for who may pass.
pub(super) fn refusal(
    registry: &Registry,
    request: &Request<Body>,
    now: Timestamp,
) -> Option<Response<Body>> {
    let sent = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let Some(sent) = sent else { return Some(challenge(registry)) };
    let Some((user, password)) = read(sent) else { return Some(unreadable()) };
    match registry.login(&user, &password, now) {
        Login::Valid => None,
        Login::Expired => Some(answers::error(
            StatusCode::FORBIDDEN,
            "DENIED",
            "Your authorization token has expired. Reauthenticate and try again.",
        )),
        Login::Unknown => Some(unreadable()),
    }
}

/// Docker sends credentials only after this.
fn challenge(registry: &Registry) -> Response<Body> {
    let realm =
        format!("Basic realm=\"http://{}/\",service=\"ecr.amazonaws.com\"", registry.authority());
    let mut response = answers::empty(StatusCode::UNAUTHORIZED, &[("www-authenticate", &realm)]);
    *response.body_mut() = Body::from("Not Authorized\n");
    response
}

/// ECR answers 400 to a token it cannot read (users quote `login attempt … failed with status: 400
/// Bad Request`).
fn unreadable() -> Response<Body> {
    answers::error(StatusCode::BAD_REQUEST, "DENIED", "Your Authorization Token is invalid.")
}

fn read(header: &str) -> Option<(String, String)> {
    let (scheme, encoded) = header.split_once(' ')?;
    let decoded = scheme.eq_ignore_ascii_case("basic").then(|| STANDARD.decode(encoded.trim()))?;
    let text = String::from_utf8(decoded.ok()?).ok()?;
    text.split_once(':').map(|(user, password)| (user.to_owned(), password.to_owned()))
}
