//! What a push says: progress, digest, and reasons for failing.

use std::collections::BTreeMap;

use bollard::models::ProgressDetail;

use crate::names::{Digest, Tag};
use crate::text::printable;
use crate::world::{Obstacle, Place, Progress, WorldError};

/// Progress over all layers.
///
/// The client library drops the layer's name from the stream, so layers are told apart by their
/// sizes: two of exactly the same size count once. Good enough for a bar, used for nothing else.
#[derive(Debug, Default)]
pub(super) struct Layers {
    sent: BTreeMap<u64, u64>,
}

impl Layers {
    /// Takes note of one layer's progress; `None` where it says nothing new.
    pub(super) fn read(&mut self, detail: &ProgressDetail) -> Option<Progress> {
        let number = |value: Option<i64>| value.and_then(|value| u64::try_from(value).ok());
        let total = number(detail.total).filter(|total| *total > 0)?;
        // Docker counts the archive's own bytes too, which may exceed the layer's size.
        let current = number(detail.current)?.min(total);
        let sent = self.sent.entry(total).or_default();
        *sent = current.max(*sent);
        Some(Progress::Pushed { bytes: self.sent.values().sum(), of: self.sent.keys().sum() })
    }
}

/// The digest in a line such as `v1: digest: sha256:… size: 528`.
pub(super) fn digest(status: &str, tag: &Tag) -> Option<Digest> {
    let rest = status.strip_prefix(tag.as_str())?.strip_prefix(": digest: ")?;
    rest.split_once(" size: ")?.0.parse().ok()
}

/// What an error of a push means. The texts are those of Docker, of the OCI distribution and of
/// ECR, as users have quoted them.
pub(super) fn meaning(text: &str) -> WorldError {
    let message = printable(text.trim(), 1_000);
    let has = |signs: &[&str]| signs.iter().any(|sign| text.contains(sign));
    let refused = |code| WorldError::refused(Place::Ecr, code, message.clone());
    let unreachable =
        |obstacle| WorldError::Unreachable { place: Place::Ecr, obstacle, reason: message.clone() };
    if has(&["authorization token has expired", "token is expired", "ExpiredToken"]) {
        unreachable(Obstacle::ExpiredCredentials)
    } else if has(&["repository is immutable", "tag is immutable"]) {
        refused("tag-taken")
    } else if has(&["name unknown", "does not exist in the registry"]) {
        refused("no-repository")
    } else if has(&["toomanyrequests", "429 Too Many Requests", "Rate exceeded"]) {
        unreachable(Obstacle::Throttled)
    } else if has(&["no basic auth credentials", "denied", "unauthorized", "403 Forbidden"]) {
        refused("push-denied")
    } else if has(&["tag does not exist", "does not exist locally", "No such image"]) {
        refused("no-image")
    } else if has(NETWORK) || is_server_error(text) {
        unreachable(Obstacle::Network)
    } else {
        refused("push-failed")
    }
}

/// Words of a network that does not carry.
const NETWORK: &[&str] = &[
    "connection refused",
    "connection reset",
    "broken pipe",
    "EOF",
    "timeout",
    "timed out",
    "no such host",
    "network is unreachable",
    "no route to host",
    "use of closed network connection",
    "server misbehaving",
    "context deadline exceeded",
    "request canceled",
    "closed connection",
    "blob upload unknown",
    "blob upload invalid",
    "temporarily unavailable",
    "x509: ",
    "tls: ",
];

/// `received unexpected HTTP status: 503 Service Unavailable` and the like.
fn is_server_error(text: &str) -> bool {
    ["HTTP status: 5", "status code 5", "status: 5", "StatusCode: 5"]
        .iter()
        .any(|sign| text.contains(sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    const IMMUTABLE: &str = "tag invalid: The image tag 'v1' already exists in the 'shop' \
                             repository and cannot be overwritten because the";

    #[test]
    fn errors_of_a_push_say_what_they_mean() {
        for (text, expected) in [
            (
                "denied: Your authorization token has expired. Reauthenticate and try again.",
                "ExpiredCredentials",
            ),
            ("no basic auth credentials", "push-denied"),
            ("denied: User: arn:aws:iam::1:user/x is not authorized", "push-denied"),
            ("unauthorized: authentication required", "push-denied"),
            (
                "name unknown: The repository with name 'x' does not exist in the registry with \
                 id '123456789012'",
                "no-repository",
            ),
            (&format!("{IMMUTABLE} repository is immutable."), "tag-taken"),
            (&format!("{IMMUTABLE} tag is immutable."), "tag-taken"),
            (
                "Get \"http://127.0.0.1:5099/v2/\": dial tcp 127.0.0.1:5099: connect: connection \
                 refused",
                "Network",
            ),
            ("write tcp 1.2.3.4:1->5.6.7.8:443: write: connection reset by peer", "Network"),
            ("write tcp 1.2.3.4:1->5.6.7.8:443: write: broken pipe", "Network"),
            ("Patch \"https://x/v2/\": EOF", "Network"),
            ("unexpected EOF", "Network"),
            ("dial tcp 1.2.3.4:443: i/o timeout", "Network"),
            ("dial tcp: lookup x: no such host", "Network"),
            ("net/http: TLS handshake timeout", "Network"),
            ("received unexpected HTTP status: 503 Service Unavailable", "Network"),
            ("received unexpected HTTP status: 404 Not Found", "push-failed"),
            ("toomanyrequests: Rate exceeded", "Throttled"),
            ("tag does not exist: shop:v1", "no-image"),
            ("An image does not exist locally with the tag: shop", "no-image"),
            ("x509: certificate signed by unknown authority", "Network"),
            ("manifest invalid: unsupported", "push-failed"),
        ] {
            let found = match meaning(text) {
                WorldError::Refused { code, .. } => code,
                WorldError::Unreachable { obstacle, .. } => format!("{obstacle:?}"),
                WorldError::Unanswered { .. } => "unanswered".into(),
            };
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn the_digest_is_read_from_its_own_line_only() {
        let tag: Tag = "v1".parse().unwrap();
        let hash = "a".repeat(64);
        let line = format!("v1: digest: sha256:{hash} size: 528");
        assert_eq!(digest(&line, &tag).unwrap().as_str(), format!("sha256:{hash}"));
        for other in [
            format!("v2: digest: sha256:{hash} size: 528"),
            format!("v1: digest: sha256:{hash}"),
            "v1: digest: sha256:12 size: 1".into(),
            "Pushed".into(),
            String::new(),
        ] {
            assert!(digest(&other, &tag).is_none(), "{other}");
        }
    }

    #[test]
    fn progress_adds_up_over_layers_and_never_falls() {
        let mut layers = Layers::default();
        let mut read = |current, total| {
            layers.read(&ProgressDetail { current: Some(current), total: Some(total) })
        };
        assert_eq!(read(10, 100), Some(Progress::Pushed { bytes: 10, of: 100 }));
        assert_eq!(read(50, 200), Some(Progress::Pushed { bytes: 60, of: 300 }));
        assert_eq!(read(5, 100), Some(Progress::Pushed { bytes: 60, of: 300 }));
        assert_eq!(read(150, 100), Some(Progress::Pushed { bytes: 150, of: 300 }));
        assert_eq!(read(-1, 100), None);
        assert_eq!(read(1, 0), None);
        assert_eq!(layers.read(&ProgressDetail::default()), None);
    }
}
