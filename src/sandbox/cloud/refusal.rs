//! Refusals, one function per exception.

use crate::sandbox::ApiError;

pub(crate) fn refuse(code: &str, message: impl Into<String>) -> ApiError {
    ApiError { status: 400, code: code.to_owned(), message: message.into() }
}

pub(crate) fn invalid_request(message: impl Into<String>) -> ApiError {
    refuse("InvalidRequestException", message)
}

pub(crate) fn invalid_state(message: impl Into<String>) -> ApiError {
    refuse("InvalidStateException", message)
}

pub(crate) fn not_found(message: impl Into<String>) -> ApiError {
    refuse("ResourceNotFoundException", message)
}

/// The body is JSON, and a member has a type that the model does not know.
pub(crate) fn unreadable(error: &serde_json::Error) -> ApiError {
    refuse("SerializationException", error.to_string())
}

/// A member breaks a constraint of the service model.
pub(crate) fn constraint(value: &str, member: &str, rule: &str) -> ApiError {
    invalid_request(format!(
        "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: {rule}"
    ))
}

/// A required member is missing.
pub(crate) fn missing(member: &str) -> ApiError {
    invalid_request(format!(
        "1 validation error detected: Value null at '{member}' failed to satisfy constraint: Member must not be null"
    ))
}
