//! The password of `docker login`: valid for twelve hours, verifiable without being remembered.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::manifest::digest_of;
use super::{Registry, seconds};
use crate::sandbox::Timestamp;

/// ECR service model, `GetAuthorizationToken`: "valid for 12 hours".
pub const LIFETIME: Timestamp = 12 * 60 * 60 * 1000;

/// ECR: the user name of every token.
pub const USER: &str = "AWS";

/// What a user name and password are worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Login {
    /// Welcome.
    Valid,
    /// Once valid.
    Expired,
    /// Never issued by this registry.
    Unknown,
}

impl Registry {
    pub(super) fn authorization_token(&self, now: Timestamp) -> Value {
        let token = STANDARD.encode(format!("{USER}:{}", self.password(now)));
        json!({"authorizationData": [{
            "authorizationToken": token,
            "expiresAt": seconds(now + LIFETIME),
            "proxyEndpoint": format!("http://{}", self.settings.authority),
        }]})
    }

    /// A fresh password for `docker login`.
    pub fn password(&self, now: Timestamp) -> String {
        let expiration = (now + LIFETIME) / 1000;
        // The shape of a real ECR password: base64 of a JSON object with its expiration.
        let body = json!({
            "payload": self.seal(expiration),
            "datakey": "sandbox",
            "version": "2",
            "type": "DATA_KEY",
            "expiration": expiration,
        });
        STANDARD.encode(body.to_string())
    }

    /// Checks a user name and password.
    pub fn login(&self, user: &str, password: &str, now: Timestamp) -> Login {
        let body = STANDARD.decode(password).ok();
        let body = body.and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
        let Some(body) = body else { return Login::Unknown };
        let Some(expiration) = body["expiration"].as_i64() else { return Login::Unknown };
        if user != USER || body["payload"].as_str() != Some(&self.seal(expiration)) {
            return Login::Unknown;
        }
        if now / 1000 >= expiration { Login::Expired } else { Login::Valid }
    }

    /// No secret: it keeps tokens of another account or region out, as AWS would.
    fn seal(&self, expiration: i64) -> String {
        let Self { settings, .. } = self;
        digest_of(format!("{} {} {expiration}", settings.account, settings.region).as_bytes())
    }
}
