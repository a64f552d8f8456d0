//! Errors of the engine, in our words.

use std::error::Error as _;
use std::io;

use bollard::errors::Error;

use crate::world::{Obstacle, Place, WorldError};

/// An error with everything behind it, each cause once.
pub(super) fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        next = cause.source();
    }
    text
}

/// The engine did not answer, or stopped in the middle of it.
pub(super) fn lost(error: &dyn std::error::Error) -> WorldError {
    WorldError::Unreachable {
        place: Place::Docker,
        obstacle: Obstacle::Network,
        reason: format!("the connection to Docker was lost: {}", causes(error)),
    }
}

/// What an error means where nothing is known of the question.
pub(super) fn translate(error: &Error) -> WorldError {
    match spoken(error) {
        Some(message) => WorldError::refused(Place::Docker, &code(error), message),
        None => lost(error),
    }
}

/// What the engine said; `None` where it said nothing, or nothing that can be read.
pub(super) fn spoken(error: &Error) -> Option<&str> {
    match error {
        Error::DockerResponseServerError { message, .. } => Some(message.trim()),
        Error::DockerStreamError { error } => Some(error.trim()),
        _ => None,
    }
}

/// Whether the engine does not know the thing asked for.
pub(super) fn is_unknown(error: &Error) -> bool {
    matches!(error, Error::DockerResponseServerError { status_code: 404, .. })
}

/// Whether the connection was never made or broke: a socket that went away, a reset.
pub(super) fn is_lost(error: &Error) -> bool {
    let is_io = matches!(error, Error::IOError { .. } | Error::RequestTimeoutError);
    let mut cause = error.source();
    while let Some(inner) = cause {
        if inner.is::<io::Error>() || inner.is::<hyper::Error>() {
            return true;
        }
        cause = inner.source();
    }
    is_io || matches!(error, Error::HyperLegacyError { .. } | Error::HyperResponseError { .. })
}

fn code(error: &Error) -> String {
    match error {
        Error::DockerResponseServerError { status_code, .. } => format!("docker-{status_code}"),
        _ => "docker-error".into(),
    }
}
