use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::names::{DeploymentId, Digest, ValueHash};
use crate::release::{Configuration, HealthCheck, MARK, Protocol, Release};
use crate::world::Obstacle;
use crate::world::aws::Patience;
use crate::world::aws::scripted::{Answer, Endpoint, Rude, closed, connection_to, rude};
use crate::world::service::{OperationStatus, Origin};

const ARN: &str =
    "arn:aws:apprunner:eu-central-1:123456789012:service/shop/f601a8ada74a4681a11b9b113fdd2aa3";
const SECRET: &str = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:db-AbCdEf:url::";

struct Sample {
    release: Release,
    values: Values,
    mark: DeploymentId,
}

impl Sample {
    fn new() -> Self {
        let values = Values::new(BTreeMap::from([
            ("LOG_LEVEL".parse().unwrap(), "debug \"quoted\" ü".to_owned()),
            ("EMPTY".parse().unwrap(), String::new()),
        ]));
        let configuration = Configuration {
            port: Some("8080".into()),
            start_command: Some("gunicorn app:app".into()),
            environment: values.hashed(),
            secrets: BTreeMap::from([("DATABASE_URL".parse().unwrap(), SECRET.into())]),
            access_role: Some(
                "arn:aws:iam::123456789012:role/service-role/Access".parse().unwrap(),
            ),
            instance_role: Some("arn:aws:iam::123456789012:role/Instance".parse().unwrap()),
            cpu: Some("1024".into()),
            memory: Some("2048".into()),
            health_check: HealthCheck {
                protocol: Protocol::Http,
                path: "/healthz".into(),
                interval: 10,
                timeout: 3,
                healthy_threshold: 2,
                unhealthy_threshold: 4,
            },
            auto_deployments: false,
        };
        let image =
            format!("123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop@{}", Digest::of(b"1"));
        let release = Release { image: image.parse().unwrap(), configuration };
        Self { release, values, mark: DeploymentId::derived_from(&["test"]) }
    }

    fn change(&self) -> Change<'_> {
        Change { release: &self.release, values: &self.values, mark: &self.mark }
    }

    /// What App Runner would answer to DescribeService after this change.
    fn described(&self) -> Value {
        let mut variables: serde_json::Map<String, Value> =
            self.values.iter().map(|(name, value)| (name.to_string(), json!(value))).collect();
        variables.insert(MARK.into(), json!(self.mark.as_str()));
        json!({
            "ServiceName": "shop", "ServiceId": "f601a8ada74a4681a11b9b113fdd2aa3", "ServiceArn": ARN,
            "ServiceUrl": "6vsmqcryda.eu-central-1.awsapprunner.com", "Status": "RUNNING",
            "CreatedAt": 1_700_000_000.5, "UpdatedAt": 1_700_000_100.125,
            "SourceConfiguration": {
                "AutoDeploymentsEnabled": false,
                "AuthenticationConfiguration": {"AccessRoleArn": "arn:aws:iam::123456789012:role/service-role/Access"},
                "ImageRepository": {
                    "ImageIdentifier": self.release.image.to_string(), "ImageRepositoryType": "ECR",
                    "ImageConfiguration": {"Port": "8080", "StartCommand": "gunicorn app:app",
                        "RuntimeEnvironmentVariables": variables,
                        "RuntimeEnvironmentSecrets": {"DATABASE_URL": SECRET}}}},
            "InstanceConfiguration": {"Cpu": "1024", "Memory": "2048", "InstanceRoleArn": "arn:aws:iam::123456789012:role/Instance"},
            "HealthCheckConfiguration": {"Protocol": "HTTP", "Path": "/healthz", "Interval": 10, "Timeout": 3, "HealthyThreshold": 2, "UnhealthyThreshold": 4},
            "NetworkConfiguration": {"EgressConfiguration": {"EgressType": "VPC", "VpcConnectorArn": "arn:vpc"}, "IngressConfiguration": {"IsPubliclyAccessible": false}, "IpAddressType": "IPV4"},
            "ObservabilityConfiguration": {"ObservabilityEnabled": true, "ObservabilityConfigurationArn": "arn:obs"},
            "AutoScalingConfigurationSummary": {"AutoScalingConfigurationArn": "arn:scaling"},
            "EncryptionConfiguration": {"KmsKey": "arn:key"}
        })
    }
}

fn arn() -> ServiceArn {
    ARN.parse().unwrap()
}

fn name() -> ServiceName {
    "shop".parse().unwrap()
}

fn updated(operation: Option<&str>) -> Answer {
    let mut body = json!({ "Service": Sample::new().described() });
    if let Some(operation) = operation {
        body["OperationId"] = json!(operation);
    }
    Answer::json(200, &body)
}

#[tokio::test]
async fn an_update_sends_complete_structures_and_nothing_else() {
    let endpoint = Endpoint::start().await;
    endpoint.on("UpdateService", updated(Some("17fe9f55c7814e39a4e6ff8a0e1f5a1e")));
    let sample = Sample::new();
    let services = AppRunner::new(&endpoint.connection());
    let issued = services.update(&arn(), &sample.change()).await.unwrap();
    assert_eq!(issued.operation.unwrap().as_str(), "17fe9f55c7814e39a4e6ff8a0e1f5a1e");
    let described = sample.described();
    let expected = json!({
        "ServiceArn": ARN,
        "SourceConfiguration": described["SourceConfiguration"],
        "InstanceConfiguration": described["InstanceConfiguration"],
        "HealthCheckConfiguration": described["HealthCheckConfiguration"],
    });
    let asked = &endpoint.asked()[0];
    assert_eq!(asked.json(), expected);
    assert!(asked.headers["user-agent"].contains("app/surefoot-"), "{asked:?}");
}

#[tokio::test]
async fn a_preview_is_what_is_sent_and_sends_nothing() {
    let endpoint = Endpoint::start().await;
    endpoint.on("UpdateService", updated(None)).on("CreateService", updated(Some("op-1")));
    let services = AppRunner::new(&endpoint.connection());
    let mut plain = Sample::new();
    plain.values = Values::default();
    plain.release.configuration =
        Configuration { auto_deployments: true, ..Configuration::default() };
    for sample in [Sample::new(), plain] {
        let change = sample.change();
        let before = endpoint.asked().len();
        let update = services.preview_update(&arn(), &change).await.unwrap();
        let create = services.preview_create(&name(), &change).await.unwrap();
        assert_eq!(endpoint.asked().len(), before, "a preview sends nothing");
        services.update(&arn(), &change).await.unwrap();
        services.create(&name(), &change).await.unwrap();
        let sent = endpoint.asked();
        assert_eq!(sent[before].json(), update);
        assert_eq!(sent[before + 1].json(), create);
        assert_eq!(create["ServiceName"], "shop");
    }
}

#[tokio::test]
async fn a_preview_needs_neither_credentials_nor_a_network() {
    let services = AppRunner::new(&connection_to(closed().await));
    let sample = Sample::new();
    assert!(services.preview_update(&arn(), &sample.change()).await.is_ok());
}

#[tokio::test]
async fn maps_are_sent_even_when_empty_so_that_nothing_removed_comes_back() {
    let services = AppRunner::new(&connection_to(closed().await));
    let mut sample = Sample::new();
    sample.release.configuration.environment.clear();
    sample.release.configuration.secrets.clear();
    let body = services.preview_update(&arn(), &sample.change()).await.unwrap();
    let image = &body["SourceConfiguration"]["ImageRepository"]["ImageConfiguration"];
    assert_eq!(image["RuntimeEnvironmentSecrets"], json!({}));
    assert_eq!(image["RuntimeEnvironmentVariables"], json!({ MARK: sample.mark.as_str() }));
}

#[tokio::test]
async fn public_images_carry_their_own_type() {
    let services = AppRunner::new(&connection_to(closed().await));
    let mut sample = Sample::new();
    sample.release.image = "public.ecr.aws/team/shop:1".parse().unwrap();
    sample.release.configuration.access_role = None;
    let body = services.preview_update(&arn(), &sample.change()).await.unwrap();
    let source = &body["SourceConfiguration"];
    assert_eq!(source["ImageRepository"]["ImageRepositoryType"], "ECR_PUBLIC");
    assert!(source.get("AuthenticationConfiguration").is_none());
}

#[tokio::test]
async fn values_that_are_missing_or_others_are_refused_before_any_call() {
    let endpoint = Endpoint::start().await;
    let services = AppRunner::new(&endpoint.connection());
    let mut missing = Sample::new();
    let gone: VariableNameForTest = "GONE".parse().unwrap();
    missing.release.configuration.environment.insert(gone.clone(), ValueHash::of(&gone, "x"));
    let mut other = Sample::new();
    other.values.insert("LOG_LEVEL".parse().unwrap(), "changed-behind-our-back".into());
    let mut marked = Sample::new();
    let mark: VariableNameForTest = MARK.parse().unwrap();
    marked.release.configuration.environment.insert(mark.clone(), ValueHash::of(&mark, "x"));
    marked.values.insert(mark, "x".into());
    for (sample, code, named) in [
        (missing, "value-missing", "GONE"),
        (other, "value-missing", "LOG_LEVEL"),
        (marked, "mark-taken", MARK),
    ] {
        for error in [
            services.update(&arn(), &sample.change()).await.unwrap_err(),
            services.create(&name(), &sample.change()).await.unwrap_err(),
            services.preview_update(&arn(), &sample.change()).await.unwrap_err(),
            services.preview_create(&name(), &sample.change()).await.unwrap_err(),
        ] {
            assert_eq!(error.code(), Some(code));
            assert!(error.to_string().contains(named), "{error}");
            assert!(!error.to_string().contains("behind-our-back"), "{error}");
        }
    }
    assert!(endpoint.asked().is_empty());
}

type VariableNameForTest = crate::names::VariableName;

#[tokio::test]
async fn an_update_that_changes_nothing_names_no_operation() {
    for answer in [updated(None), updated(Some(""))] {
        let endpoint = Endpoint::start().await;
        endpoint.on("UpdateService", answer);
        let services = AppRunner::new(&endpoint.connection());
        let issued = services.update(&arn(), &Sample::new().change()).await.unwrap();
        assert_eq!(issued, Issued { arn: arn(), operation: None });
    }
}

#[tokio::test]
async fn a_service_is_read_back_as_it_was_sent() {
    let endpoint = Endpoint::start().await;
    let sample = Sample::new();
    endpoint.on("DescribeService", Answer::json(200, &json!({ "Service": sample.described() })));
    let services = AppRunner::new(&endpoint.connection());
    let service = services.describe(&arn()).await.unwrap().unwrap();
    assert_eq!(service.release().unwrap(), sample.release);
    assert_eq!(service.values, sample.values);
    assert_eq!(service.mark.as_deref(), Some(sample.mark.as_str()));
    assert_eq!(service.status, ServiceStatus::Running);
    assert_eq!(service.id, "f601a8ada74a4681a11b9b113fdd2aa3");
    assert_eq!(service.url, "6vsmqcryda.eu-central-1.awsapprunner.com");
    assert_eq!(service.updated_at.unwrap().timestamp_millis(), 1_700_000_100_125);
    assert!(!service.public);
    let described = sample.described();
    assert_eq!(service.kept_as_is["NetworkConfiguration"], described["NetworkConfiguration"]);
    assert_eq!(
        service.kept_as_is["ObservabilityConfiguration"],
        described["ObservabilityConfiguration"]
    );
    assert_eq!(service.kept_as_is["AutoScalingConfigurationArn"], "arn:scaling");
    assert_eq!(service.kept_as_is["EncryptionConfiguration"], json!({ "KmsKey": "arn:key" }));
}

async fn describe_with(change: impl Fn(&mut Value)) -> Result<Option<Service>, WorldError> {
    let endpoint = Endpoint::start().await;
    let mut service = Sample::new().described();
    change(&mut service);
    endpoint.on("DescribeService", Answer::json(200, &json!({ "Service": service })));
    AppRunner::new(&endpoint.connection()).describe(&arn()).await
}

#[tokio::test]
async fn every_status_word_is_understood_or_kept() {
    for (word, expected) in [
        ("RUNNING", ServiceStatus::Running),
        ("PAUSED", ServiceStatus::Paused),
        ("OPERATION_IN_PROGRESS", ServiceStatus::OperationInProgress),
        ("CREATE_FAILED", ServiceStatus::CreateFailed),
        ("DELETED", ServiceStatus::Deleted),
        ("DELETE_FAILED", ServiceStatus::DeleteFailed),
        ("HIBERNATING", ServiceStatus::Unknown("HIBERNATING".into())),
    ] {
        let service = describe_with(|it| it["Status"] = json!(word)).await.unwrap().unwrap();
        assert_eq!(service.status, expected);
    }
}

#[tokio::test]
async fn origins_are_told_apart() {
    let repository =
        |it: &mut Value| -> Value { it["SourceConfiguration"]["ImageRepository"].take() };
    let code = describe_with(|it| {
        repository(it);
        it["SourceConfiguration"] = json!({"CodeRepository": {"RepositoryUrl": "https://example.com/x", "SourceCodeVersion": {"Type": "BRANCH", "Value": "main"}}});
    });
    assert_eq!(code.await.unwrap().unwrap().origin, Origin::Code("https://example.com/x".into()));
    let public = describe_with(|it| {
        it["SourceConfiguration"]["ImageRepository"]["ImageRepositoryType"] = json!("ECR_PUBLIC");
        it["SourceConfiguration"]["ImageRepository"]["ImageIdentifier"] =
            json!("public.ecr.aws/a/b:1");
    });
    let public = public.await.unwrap().unwrap();
    assert_eq!(public.origin, Origin::EcrPublic("public.ecr.aws/a/b:1".into()));
}

#[tokio::test]
async fn what_cannot_be_brought_back_is_refused_not_guessed() {
    type Edit = fn(&mut Value);
    let edits: [Edit; 4] = [
        |it| it["SourceConfiguration"]["ImageRepository"]["ImageRepositoryType"] = json!("GCR"),
        |it| {
            it["SourceConfiguration"]["ImageRepository"]["ImageIdentifier"] = json!("x:t@sha256:1");
        },
        |it| it["HealthCheckConfiguration"]["Protocol"] = json!("GRPC"),
        |it| it["SourceConfiguration"] = json!({}),
    ];
    for edit in edits {
        let error = describe_with(edit).await.unwrap_err();
        assert_eq!(error.code(), Some("cannot-represent"), "{error}");
    }
}

#[tokio::test]
async fn a_bare_service_has_app_runners_defaults() {
    let service = describe_with(|it| {
        it["HealthCheckConfiguration"].take();
        it["NetworkConfiguration"].take();
        it["InstanceConfiguration"].take();
        it["SourceConfiguration"]["AuthenticationConfiguration"].take();
        it["SourceConfiguration"]["ImageRepository"]["ImageConfiguration"].take();
    });
    let service = service.await.unwrap().unwrap();
    assert_eq!(service.configuration, Configuration::default());
    assert!(service.public && service.mark.is_none());
}

fn summary(arn: &str, name: &str, status: &str) -> Value {
    json!({ "ServiceName": name, "ServiceArn": arn, "Status": status })
}

#[tokio::test]
async fn a_service_is_found_by_name_over_all_pages_and_never_a_deleted_one() {
    let endpoint = Endpoint::start().await;
    let (dead, failed) = (ARN.replace("f601", "dead"), ARN.replace("f601", "fa11"));
    endpoint
        .on("ListServices", Answer::json(200, &json!({"ServiceSummaryList": [
            summary(&dead, "shop", "DELETED"), summary(ARN, "other", "RUNNING")], "NextToken": "2"})))
        .on("ListServices", Answer::json(200, &json!({"ServiceSummaryList": [
            summary(&failed, "shop", "CREATE_FAILED"), summary(ARN, "shop", "RUNNING")]})))
        .on("DescribeService", Answer::json(200, &json!({ "Service": Sample::new().described() })));
    let services = AppRunner::new(&endpoint.connection());
    let found = services.find(&name()).await.unwrap().unwrap();
    assert_eq!(found.arn, arn());
    let lists = endpoint.asked_for("ListServices");
    assert_eq!(lists[0].json(), json!({ "MaxResults": 20 }));
    assert_eq!(lists[1].json(), json!({ "MaxResults": 20, "NextToken": "2" }));
    assert_eq!(endpoint.asked_for("DescribeService")[0].json(), json!({ "ServiceArn": ARN }));
}

#[tokio::test]
async fn a_service_that_vanishes_while_we_look_is_not_there() {
    let endpoint = Endpoint::start().await;
    let list = json!({ "ServiceSummaryList": [summary(ARN, "shop", "RUNNING")] });
    endpoint
        .on("ListServices", Answer::json(200, &list))
        .on("DescribeService", Answer::error(400, "ResourceNotFoundException", "gone"));
    let services = AppRunner::new(&endpoint.connection());
    assert_eq!(services.find(&name()).await.unwrap(), None);
    assert_eq!(services.all().await.unwrap(), vec![]);
    assert_eq!(services.describe(&arn()).await.unwrap(), None);
}

fn operation_page(ids: std::ops::Range<u32>, next: Option<&str>) -> Answer {
    let list: Vec<Value> = ids
        .map(|n| json!({"Id": format!("op{n}"), "Type": "UPDATE_SERVICE", "Status": "SUCCEEDED", "StartedAt": 1_700_000_000, "EndedAt": 1_700_000_060.5}))
        .collect();
    Answer::json(200, &json!({ "OperationSummaryList": list, "NextToken": next }))
}

#[tokio::test]
async fn operations_are_read_page_by_page_as_far_as_wanted() {
    let endpoint = Endpoint::start().await;
    endpoint
        .on("ListOperations", operation_page(0..20, Some("2")))
        .on("ListOperations", operation_page(20..25, None));
    let services = AppRunner::new(&endpoint.connection());
    let all = services.operations(&arn(), None).await.unwrap();
    assert_eq!(all.len(), 25);
    assert_eq!((all[0].id.as_str(), all[24].id.as_str()), ("op0", "op24"));
    assert_eq!(all[0].ended_at.unwrap().timestamp_millis(), 1_700_000_060_500);

    let endpoint = Endpoint::start().await;
    endpoint.on("ListOperations", operation_page(0..20, Some("2")));
    let services = AppRunner::new(&endpoint.connection());
    assert_eq!(services.operations(&arn(), Some(3)).await.unwrap().len(), 3);
    assert_eq!(endpoint.asked().len(), 1);
    assert_eq!(services.operations(&arn(), Some(0)).await.unwrap(), vec![]);
    assert_eq!(endpoint.asked().len(), 1);
}

#[tokio::test]
async fn every_operation_status_is_understood_or_kept() {
    for (word, expected) in [
        ("PENDING", OperationStatus::Pending),
        ("IN_PROGRESS", OperationStatus::InProgress),
        ("FAILED", OperationStatus::Failed),
        ("SUCCEEDED", OperationStatus::Succeeded),
        ("ROLLBACK_IN_PROGRESS", OperationStatus::RollbackInProgress),
        ("ROLLBACK_FAILED", OperationStatus::RollbackFailed),
        ("ROLLBACK_SUCCEEDED", OperationStatus::RollbackSucceeded),
        ("DREAMING", OperationStatus::Unknown("DREAMING".into())),
    ] {
        let endpoint = Endpoint::start().await;
        let list = json!({ "OperationSummaryList": [{ "Id": "1", "Type": "CREATE_SERVICE", "Status": word }] });
        endpoint.on("ListOperations", Answer::json(200, &list));
        let services = AppRunner::new(&endpoint.connection());
        let operations = services.operations(&arn(), None).await.unwrap();
        assert_eq!(operations[0].status, expected);
        assert_eq!(operations[0].kind, "CREATE_SERVICE");
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    Refused,
    Hindered(Obstacle),
    /// Unreachable for a read, unanswered for a change.
    Unclear(Obstacle),
}

fn check(error: &WorldError, expected: Expected, changing: bool, case: &str) {
    let place = Place::AppRunner;
    let ok = match (error, expected) {
        (WorldError::Refused { place: at, .. }, Expected::Refused) => *at == place,
        (WorldError::Unreachable { place: at, obstacle, .. }, Expected::Hindered(hindered)) => {
            *at == place && *obstacle == hindered
        }
        (WorldError::Unanswered { place: at, .. }, Expected::Unclear(_)) => {
            changing && *at == place
        }
        (WorldError::Unreachable { place: at, obstacle, .. }, Expected::Unclear(hindered)) => {
            !changing && *at == place && *obstacle == hindered
        }
        _ => false,
    };
    assert!(ok, "{case} (changing: {changing}): expected {expected:?}, got {error:?}");
}

/// Every call, each with whether it changes something.
async fn every_call(services: &AppRunner) -> Vec<(&'static str, bool, WorldError)> {
    let sample = Sample::new();
    let change = sample.change();
    vec![
        ("find", false, services.find(&name()).await.unwrap_err()),
        ("describe", false, services.describe(&arn()).await.unwrap_err()),
        ("all", false, services.all().await.unwrap_err()),
        ("operations", false, services.operations(&arn(), None).await.unwrap_err()),
        ("create", true, services.create(&name(), &change).await.unwrap_err()),
        ("update", true, services.update(&arn(), &change).await.unwrap_err()),
    ]
}

const OPERATIONS: [&str; 5] =
    ["ListServices", "DescribeService", "ListOperations", "CreateService", "UpdateService"];

#[tokio::test]
async fn every_error_of_aws_means_the_same_in_every_call() {
    use Expected::{Hindered, Refused, Unclear};
    let table = [
        (400, "InvalidRequestException", Refused),
        (400, "InvalidStateException", Refused),
        (400, "ServiceQuotaExceededException", Refused),
        (400, "com.amazonaws.apprunner#InvalidStateException", Refused),
        (400, "AccessDeniedException", Refused),
        (403, "AccessDenied", Refused),
        (400, "SomethingQuiteNewException", Refused),
        (500, "InternalServiceErrorException", Unclear(Obstacle::Broken)),
        (503, "ServiceUnavailableException", Unclear(Obstacle::Broken)),
        (500, "SomethingQuiteNewException", Unclear(Obstacle::Broken)),
        (400, "RequestTimeoutException", Unclear(Obstacle::Broken)),
        (400, "ThrottlingException", Hindered(Obstacle::Throttled)),
        (429, "TooManyRequestsException", Hindered(Obstacle::Throttled)),
        (503, "SlowDown", Hindered(Obstacle::Throttled)),
        (400, "ExpiredTokenException", Hindered(Obstacle::ExpiredCredentials)),
        (403, "ExpiredToken", Hindered(Obstacle::ExpiredCredentials)),
        (400, "RequestExpired", Hindered(Obstacle::ExpiredCredentials)),
        (400, "UnrecognizedClientException", Hindered(Obstacle::InvalidCredentials)),
        (403, "InvalidClientTokenId", Hindered(Obstacle::InvalidCredentials)),
        (403, "SignatureDoesNotMatch", Hindered(Obstacle::InvalidCredentials)),
        (403, "InvalidSignatureException", Hindered(Obstacle::InvalidCredentials)),
        (400, "IncompleteSignature", Hindered(Obstacle::InvalidCredentials)),
        (403, "MissingAuthenticationToken", Hindered(Obstacle::NoCredentials)),
    ];
    for (status, code, expected) in table {
        let endpoint = Endpoint::start().await;
        for operation in OPERATIONS {
            endpoint.on(operation, Answer::error(status, code, "the reason"));
        }
        for (call, changing, error) in every_call(&AppRunner::new(&endpoint.connection())).await {
            check(&error, expected, changing, &format!("{status} {code} in {call}"));
            assert!(error.to_string().contains("the reason"), "{error}");
            if expected == Refused {
                assert_eq!(error.code(), Some(code.rsplit('#').next().unwrap()));
            }
        }
        for operation in ["CreateService", "UpdateService"] {
            assert_eq!(endpoint.asked_for(operation).len(), 1, "{operation} after {code}");
        }
    }
}

#[tokio::test]
async fn answers_that_are_none_conclude_nothing() {
    let unclear = Expected::Unclear(Obstacle::Broken);
    let long = "x".repeat(100_000);
    for (status, body, expected) in [
        (200, "not json", unclear),
        (200, "<html>captive portal</html>", unclear),
        (200, "", unclear),
        (200, "[]", unclear),
        (200, long.as_str(), unclear),
        (302, "", unclear),
        (403, "<html>proxy says no</html>", unclear),
        (404, "", unclear),
        (408, "", unclear),
        (500, "<html>Oops</html>", unclear),
        (502, "", unclear),
        (503, "", unclear),
        (429, "", Expected::Hindered(Obstacle::Throttled)),
    ] {
        let endpoint = Endpoint::start().await;
        for operation in OPERATIONS {
            endpoint.on(operation, Answer::text(status, body));
        }
        for (call, changing, error) in every_call(&AppRunner::new(&endpoint.connection())).await {
            let case = format!("{status} {body:.20} in {call}");
            check(&error, expected, changing, &case);
            assert!(error.to_string().chars().count() < 1200, "{case}");
        }
        for operation in ["CreateService", "UpdateService"] {
            assert_eq!(endpoint.asked_for(operation).len(), 1, "{operation} after {status}");
        }
    }
}

#[tokio::test]
async fn a_missing_service_is_a_refusal_where_there_is_no_none() {
    let endpoint = Endpoint::start().await;
    let missing = Answer::error(400, "ResourceNotFoundException", "no such service");
    endpoint.on("UpdateService", missing.clone()).on("ListOperations", missing);
    let services = AppRunner::new(&endpoint.connection());
    for error in [
        services.update(&arn(), &Sample::new().change()).await.unwrap_err(),
        services.operations(&arn(), None).await.unwrap_err(),
    ] {
        assert_eq!(error.code(), Some("ResourceNotFoundException"));
    }
}

#[tokio::test]
async fn a_connection_that_breaks_concludes_nothing() {
    for manner in [Rude::Resets, Rude::Babbles, Rude::BreaksOff] {
        let services = AppRunner::new(&connection_to(rude(manner).await));
        for (call, changing, error) in every_call(&services).await {
            let unclear = match &error {
                WorldError::Unreachable { obstacle, .. } => {
                    !changing && matches!(obstacle, Obstacle::Network | Obstacle::Broken)
                }
                WorldError::Unanswered { .. } => changing,
                WorldError::Refused { .. } => false,
            };
            assert!(unclear, "{manner:?} in {call}: {error:?}");
        }
    }
}

#[tokio::test]
async fn silence_concludes_nothing() {
    let address = rude(Rude::StaysSilent).await;
    let brief = Duration::from_millis(200);
    let patience = Patience { attempt: brief, operation: brief, ..Patience::default() };
    let region = "eu-central-1".parse().unwrap();
    let connection = Connection::to_endpoint(&format!("http://{address}"), &region, patience);
    for (call, changing, error) in every_call(&AppRunner::new(&connection)).await {
        check(&error, Expected::Unclear(Obstacle::Network), changing, call);
    }
}

#[tokio::test]
async fn what_never_left_had_no_effect() {
    let region = "eu-central-1".parse().unwrap();
    let patience = Patience { attempts: 1, ..Patience::default() };
    let plain = rude(Rude::Babbles).await;
    for endpoint in [
        format!("http://{}", closed().await),
        "http://no-such-name.invalid".to_owned(),
        // TLS spoken to a socket that speaks none: the handshake fails before any request.
        format!("https://{plain}"),
    ] {
        let connection = Connection::to_endpoint(&endpoint, &region, patience);
        for (call, changing, error) in every_call(&AppRunner::new(&connection)).await {
            check(
                &error,
                Expected::Hindered(Obstacle::Network),
                changing,
                &format!("{call} {endpoint}"),
            );
        }
    }
}

#[tokio::test]
async fn no_value_comes_back_out_of_an_error() {
    let endpoint = Endpoint::start().await;
    let mut sample = Sample::new();
    let password: VariableNameForTest = "PASSWORD".parse().unwrap();
    sample.values.insert(password, "hunter2-\"quoted\"".into());
    sample.release.configuration.environment = sample.values.hashed();
    let echo =
        r#"Value 'hunter2-"quoted"' at 'runtimeEnvironmentVariables' failed: "hunter2-\"quoted\"""#;
    for (status, code) in
        [(400, "InvalidRequestException"), (500, "InternalFailure"), (400, "ThrottlingException")]
    {
        for operation in ["CreateService", "UpdateService"] {
            endpoint.on(operation, Answer::error(status, code, echo));
        }
        let services = AppRunner::new(&endpoint.connection());
        for error in [
            services.update(&arn(), &sample.change()).await.unwrap_err(),
            services.create(&name(), &sample.change()).await.unwrap_err(),
        ] {
            assert!(!format!("{error:?} {error}").contains("hunter2"), "{error:?}");
        }
    }
}

#[tokio::test]
async fn reads_are_asked_again_and_changes_never() {
    let endpoint = Endpoint::start().await;
    let broken = Answer::error(500, "InternalServiceErrorException", "later");
    let described = Answer::json(200, &json!({ "Service": Sample::new().described() }));
    endpoint.on("DescribeService", broken.clone()).on("DescribeService", described);
    endpoint.on("UpdateService", broken).on("UpdateService", updated(Some("1")));
    let services = AppRunner::new(&endpoint.connection());
    assert!(services.describe(&arn()).await.unwrap().is_some());
    assert_eq!(endpoint.asked_for("DescribeService").len(), 2);
    assert!(services.update(&arn(), &Sample::new().change()).await.is_err());
    assert_eq!(endpoint.asked_for("UpdateService").len(), 1);
}
