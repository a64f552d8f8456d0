//! Foreign errors in our words: "no", "no answer", or "who knows".
//!
//! The SDK's error is first reduced to the few facts that decide, then judged by a pure function.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::scrub;
use crate::release::Values;
use crate::world::cause::{causes, chain};
use crate::world::{Obstacle, Place, WorldError};

/// Whether a call may change something: decides what a missing answer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::world) enum Effect {
    /// It only looks.
    Reading,
    /// It may have taken effect without an answer.
    Changing,
}

/// How far a failed call came.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Fate {
    /// The SDK refused to build the request.
    NotBuilt,
    /// It never left this machine.
    NotSent(Obstacle),
    /// It left, or may have, and no answer came.
    Lost,
    /// An answer came that is none.
    Garbled { status: Option<u16> },
    /// The service, or something on the way to it, said why.
    Answered {
        status: u16,
        code: Option<String>,
        message: Option<String>,
        /// What AWS calls the call.
        request: Option<String>,
    },
}

/// A failed call in our words, once, at the edge. `secrets` are the plain values that were sent and
/// that the answer may echo.
pub(in crate::world) fn translate<E>(
    place: Place,
    effect: Effect,
    error: &SdkError<E, HttpResponse>,
    secrets: &Values,
) -> WorldError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    judge(place, effect, fate(error), &scrub(&chain(error), secrets), secrets)
}

/// An answer that misses what the service promises to say.
pub(in crate::world) fn garbled(place: Place, effect: Effect, what: &str) -> WorldError {
    judge(place, effect, Fate::Garbled { status: None }, what, &Values::default())
}

fn fate<E>(error: &SdkError<E, HttpResponse>) -> Fate
where
    E: ProvideErrorMetadata + Error + 'static,
{
    if let Some(cause) = causes(error).find_map(|cause| cause.downcast_ref::<CredentialsError>()) {
        return Fate::NotSent(credential_obstacle(cause));
    }
    match error {
        SdkError::ConstructionFailure(_) => Fate::NotBuilt,
        SdkError::DispatchFailure(_) if never_connected(error) => Fate::NotSent(Obstacle::Network),
        SdkError::ResponseError(answer) => {
            Fate::Garbled { status: Some(answer.raw().status().as_u16()) }
        }
        SdkError::ServiceError(answer) => Fate::Answered {
            status: answer.raw().status().as_u16(),
            code: answer.err().code().map(short_code),
            message: answer.err().message().map(str::to_owned),
            request: request(answer.raw()),
        },
        // Timeouts, broken connections, and whatever a later SDK invents: it may have arrived.
        _ => Fate::Lost,
    }
}

/// The id by which AWS finds a call again.
fn request(answer: &HttpResponse) -> Option<String> {
    let id = ["x-amzn-requestid", "x-amz-request-id"];
    let id = id.iter().find_map(|name| answer.headers().get(*name))?;
    let is_id =
        id.len() <= LONGEST_ID && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    is_id.then(|| id.to_owned())
}

/// Ids of requests are UUIDs, or about as long.
const LONGEST_ID: usize = 64;

/// `com.amazonaws.apprunner#InvalidStateException` and `InvalidStateException:http://…` in short.
fn short_code(code: &str) -> String {
    let code = code.split(':').next().unwrap_or(code);
    code.rsplit('#').next().unwrap_or(code).to_owned()
}

/// Whether the connection never stood: refused, no route, no such name, no TLS.
fn never_connected(error: &(dyn Error + 'static)) -> bool {
    causes(error).any(|cause| {
        cause
            .downcast_ref::<hyper_util::client::legacy::Error>()
            .is_some_and(hyper_util::client::legacy::Error::is_connect)
    })
}

fn credential_obstacle(error: &CredentialsError) -> Obstacle {
    let text = chain(error).to_lowercase();
    match error {
        CredentialsError::CredentialsNotLoaded(_) => Obstacle::NoCredentials,
        // The last one asked, after everything else had none: not every machine has this service,
        // and some refuse it.
        _ if text.contains("imds") => Obstacle::NoCredentials,
        CredentialsError::ProviderTimedOut(_) => Obstacle::Network,
        // Signed out and signed in too long ago have the same remedy.
        _ if text.contains("expired") || text.contains("cached sso token") => {
            Obstacle::ExpiredCredentials
        }
        _ if text.contains("dispatch failure") || text.contains("timeout") => Obstacle::Network,
        _ => Obstacle::InvalidCredentials,
    }
}

/// What a service's error code says about all AWS services alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// Nothing was done.
    Hindered(Obstacle),
    /// The service itself does not know.
    Broken,
    /// A definite no.
    No,
}

/// Sources: AWS General Reference, common errors; the SDKs' list of throttling codes; the service
/// models of the services called.
fn meaning(code: &str, status: u16) -> Meaning {
    match code {
        "ExpiredToken" | "ExpiredTokenException" | "RequestExpired" | "TokenRefreshRequired" => {
            Meaning::Hindered(Obstacle::ExpiredCredentials)
        }
        "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "InvalidAccessKeyId"
        | "InvalidSignatureException"
        | "SignatureDoesNotMatch"
        | "IncompleteSignature"
        | "IncompleteSignatureException"
        | "InvalidToken"
        | "AuthFailure" => Meaning::Hindered(Obstacle::InvalidCredentials),
        "MissingAuthenticationToken" | "MissingAuthenticationTokenException" => {
            Meaning::Hindered(Obstacle::NoCredentials)
        }
        "Throttling"
        | "ThrottlingException"
        | "ThrottledException"
        | "RequestThrottled"
        | "RequestThrottledException"
        | "TooManyRequestsException"
        | "RequestLimitExceeded"
        | "BandwidthLimitExceeded"
        | "ProvisionedThroughputExceededException"
        | "SlowDown"
        | "PriorRequestNotComplete" => Meaning::Hindered(Obstacle::Throttled),
        "InternalServiceErrorException"
        | "InternalServiceError"
        | "InternalServerError"
        | "InternalServerException"
        | "InternalFailure"
        | "InternalError"
        | "ServerException"
        | "ServiceFailure"
        | "ServiceFailureException"
        | "ServiceUnavailable"
        | "ServiceUnavailableException"
        | "RequestTimeout"
        | "RequestTimeoutException"
        | "RequestAbortedException" => Meaning::Broken,
        _ if status == 429 => Meaning::Hindered(Obstacle::Throttled),
        _ if (400..500).contains(&status) && status != 408 => Meaning::No,
        _ => Meaning::Broken,
    }
}

fn judge(place: Place, effect: Effect, fate: Fate, cause: &str, secrets: &Values) -> WorldError {
    let unclear = |obstacle: Obstacle, reason: String| match effect {
        Effect::Reading => WorldError::Unreachable { place, obstacle, reason },
        Effect::Changing => WorldError::Unanswered { place, reason },
    };
    match fate {
        Fate::NotBuilt => WorldError::refused(place, "request-not-built", cause),
        Fate::NotSent(obstacle) => {
            WorldError::Unreachable { place, obstacle, reason: cause.to_owned() }
        }
        Fate::Lost => unclear(Obstacle::Network, format!("{place} did not answer: {cause}")),
        Fate::Garbled { status } => unclear(Obstacle::Broken, no_answer(place, status, cause)),
        Fate::Answered { status, code: None, .. } => {
            // No error of AWS lacks a code: this comes from something in between, or from nobody.
            let reason = no_answer(place, Some(status), cause);
            match status {
                429 => WorldError::Unreachable { place, obstacle: Obstacle::Throttled, reason },
                _ => unclear(Obstacle::Broken, reason),
            }
        }
        Fate::Answered { status, code: Some(code), message, request } => {
            let message = scrub(message.as_deref().unwrap_or("no reason given"), secrets);
            let code = scrub(&code, secrets);
            let reason = format!("{code}: {message}");
            match meaning(&code, status) {
                Meaning::No => WorldError::refused(place, &code, message),
                Meaning::Hindered(obstacle) => WorldError::Unreachable { place, obstacle, reason },
                Meaning::Broken => {
                    let id = request.map(|id| format!(" (request {id})")).unwrap_or_default();
                    unclear(Obstacle::Broken, format!("an error of its own, {reason}{id}"))
                }
            }
        }
    }
}

fn no_answer(place: Place, status: Option<u16>, cause: &str) -> String {
    match status {
        Some(status) => format!("{place} gave no readable answer (HTTP {status}): {cause}"),
        None => format!("{place} gave no readable answer: {cause}"),
    }
}

#[cfg(test)]
mod tests {
    use aws_credential_types::provider::{ProvideCredentials, future};
    use std::time::Duration;

    use super::super::scripted::Endpoint;
    use super::*;

    fn cases() -> Vec<(CredentialsError, Obstacle)> {
        let provider = |text: &'static str| CredentialsError::provider_error(text);
        vec![
            (CredentialsError::not_loaded("no provider"), Obstacle::NoCredentials),
            (CredentialsError::not_loaded_no_source(), Obstacle::NoCredentials),
            (
                provider("failed to load IMDS session token: request forbidden"),
                Obstacle::NoCredentials,
            ),
            (
                provider("the SSO token has expired and cannot be refreshed"),
                Obstacle::ExpiredCredentials,
            ),
            (provider("failed to load the cached SSO token"), Obstacle::ExpiredCredentials),
            (
                provider("service error: ExpiredTokenException: the web identity token is old"),
                Obstacle::ExpiredCredentials,
            ),
            (provider("dispatch failure: io error"), Obstacle::Network),
            (CredentialsError::provider_timed_out(Duration::from_secs(5)), Obstacle::Network),
            (provider("AccessDenied: not allowed to assume it"), Obstacle::InvalidCredentials),
            (
                CredentialsError::invalid_configuration("profile `x` has no role"),
                Obstacle::InvalidCredentials,
            ),
            (CredentialsError::unhandled("what?"), Obstacle::InvalidCredentials),
        ]
    }

    #[derive(Debug)]
    struct Failing(usize);

    impl ProvideCredentials for Failing {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            future::ProvideCredentials::ready(Err(cases().swap_remove(self.0).0))
        }
    }

    #[tokio::test]
    async fn without_credentials_nothing_is_sent_and_the_cause_is_told() {
        let endpoint = Endpoint::start().await;
        for (number, (_, expected)) in cases().into_iter().enumerate() {
            let sdk = endpoint.connection().sdk().clone().into_builder();
            let sdk = sdk.identity_cache(aws_config::identity::IdentityCache::no_cache());
            let sdk = sdk.credentials_provider(
                aws_credential_types::provider::SharedCredentialsProvider::new(Failing(number)),
            );
            let client = aws_sdk_ecr::Client::new(&sdk.build());
            let error = client.put_image().repository_name("shop").image_manifest("{}");
            let error = error.send().await.unwrap_err();
            for effect in [Effect::Reading, Effect::Changing] {
                let error = translate(Place::Ecr, effect, &error, &Values::default());
                let WorldError::Unreachable { obstacle, reason, .. } = error else {
                    panic!("case {number}: {error:?}")
                };
                assert_eq!(obstacle, expected, "case {number}: {reason}");
            }
        }
        assert!(endpoint.asked().is_empty());
    }

    #[test]
    fn an_error_of_the_service_itself_is_told_as_one_and_can_be_found_again() {
        let fate = |request: Option<&str>| Fate::Answered {
            status: 500,
            code: Some("InternalServiceErrorException".into()),
            message: Some("try later".into()),
            request: request.map(str::to_owned),
        };
        let judged = |fate| judge(Place::AppRunner, Effect::Reading, fate, "", &Values::default());
        let told = "an error of its own, InternalServiceErrorException: try later";
        assert_eq!(judged(fate(None)).to_string(), told);
        assert_eq!(judged(fate(Some("1-2"))).to_string(), format!("{told} (request 1-2)"));
    }

    #[test]
    fn codes_are_read_in_all_their_spellings() {
        for text in ["A", "com.amazonaws.apprunner#A", "A:http://internal/", "x#A:http://internal#"]
        {
            assert_eq!(short_code(text), "A", "{text}");
        }
    }
}
