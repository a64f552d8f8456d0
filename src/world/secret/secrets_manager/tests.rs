use serde_json::json;

use super::*;
use crate::world::Obstacle;
use crate::world::aws::scripted::{Answer, Endpoint, Rude, closed, connection_to, rude};

const PARTIAL: &str = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:db";
const FULL: &str = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:db-AbCdEf";

async fn found(
    reference: &str,
    answer: Answer,
) -> (Endpoint, Result<Option<SecretReference>, WorldError>) {
    let endpoint = Endpoint::start().await;
    endpoint.on("DescribeSecret", answer);
    let secrets = SecretsManager::new(&endpoint.connection());
    let outcome = secrets.find(&reference.parse().unwrap()).await;
    (endpoint, outcome)
}

fn described() -> Answer {
    Answer::json(200, &json!({ "ARN": FULL, "Name": "db" }))
}

#[tokio::test]
async fn a_partial_reference_is_completed_and_keeps_its_own_ending() {
    for (reference, expected) in [
        (PARTIAL.to_owned(), FULL.to_owned()),
        (format!("{PARTIAL}:password::"), format!("{FULL}:password::")),
        (format!("{FULL}:key:AWSCURRENT:"), format!("{FULL}:key:AWSCURRENT:")),
    ] {
        let (endpoint, outcome) = found(&reference, described()).await;
        assert_eq!(outcome.unwrap().unwrap().as_str(), expected);
        let asked = endpoint.asked();
        assert_eq!(asked.len(), 1);
        assert_eq!(asked[0].operation, "DescribeSecret");
        let reference: SecretReference = reference.parse().unwrap();
        assert_eq!(asked[0].json(), json!({ "SecretId": reference.secret_arn() }));
    }
}

#[tokio::test]
async fn a_missing_secret_and_one_about_to_be_deleted_are_none() {
    let missing = Answer::error(400, "ResourceNotFoundException", "can't find it");
    assert_eq!(found(FULL, missing).await.1, Ok(None));
    let deleted = Answer::json(200, &json!({ "ARN": FULL, "DeletedDate": 1_700_000_000 }));
    assert_eq!(found(FULL, deleted).await.1, Ok(None));
}

#[tokio::test]
async fn a_parameter_is_not_guessed_about_and_nothing_is_asked() {
    let parameter = "arn:aws:ssm:eu-central-1:123456789012:parameter/shop/url";
    let (endpoint, outcome) = found(parameter, described()).await;
    assert_eq!(outcome.unwrap_err().code(), Some("cannot-tell"));
    assert!(endpoint.asked().is_empty());
}

#[tokio::test]
async fn failures_are_told_apart() {
    for (answer, expected) in [
        (Answer::error(400, "InvalidParameterException", "no"), None),
        (Answer::error(400, "AccessDeniedException", "no"), None),
        (Answer::error(500, "InternalServiceError", "no"), Some(Obstacle::Broken)),
        (Answer::error(400, "ThrottlingException", "no"), Some(Obstacle::Throttled)),
        (
            Answer::error(400, "UnrecognizedClientException", "no"),
            Some(Obstacle::InvalidCredentials),
        ),
        (Answer::text(200, "<html>"), Some(Obstacle::Broken)),
        (Answer::text(200, ""), Some(Obstacle::Broken)),
    ] {
        let error = found(FULL, answer.clone()).await.1.unwrap_err();
        match (&error, expected) {
            (WorldError::Refused { .. }, None) => {}
            (WorldError::Unreachable { obstacle, .. }, Some(expected)) if *obstacle == expected => {
            }
            _ => panic!("{answer:?}: {error:?}"),
        }
    }
    for address in [rude(Rude::Resets).await, closed().await] {
        let secrets = SecretsManager::new(&connection_to(address));
        let error = secrets.find(&FULL.parse().unwrap()).await.unwrap_err();
        assert!(matches!(error, WorldError::Unreachable { obstacle: Obstacle::Network, .. }));
    }
}
