mod cleaning;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::*;
use crate::world::Obstacle;
use crate::world::aws::scripted::{Answer, Endpoint, Rude, closed, connection_to, rude};

const PLATFORM: &str = r#"{"architecture":"amd64","os":"linux","config":{}}"#;

fn name() -> RepositoryName {
    "team/shop".parse().unwrap()
}

fn digest() -> Digest {
    Digest::of(b"manifest")
}

fn tag() -> Tag {
    "v1".parse().unwrap()
}

fn described(uri: &str, mutability: &Value) -> Value {
    let mut repository = json!({ "repositoryName": "team/shop", "repositoryUri": uri });
    for (key, value) in mutability.as_object().unwrap() {
        repository[key] = value.clone();
    }
    repository
}

fn repositories(uri: &str) -> Answer {
    Answer::json(200, &json!({ "repositories": [described(uri, &json!({}))] }))
}

fn manifest_answer(manifest: &str) -> Answer {
    let image = json!({
        "imageManifest": manifest,
        "imageManifestMediaType": "application/vnd.oci.image.manifest.v1+json",
        "imageId": { "imageDigest": digest().as_str() },
    });
    Answer::json(200, &json!({ "images": [image], "failures": [] }))
}

fn token(text: &str) -> Answer {
    let data = json!({
        "authorizationToken": BASE64_STANDARD.encode(text),
        "expiresAt": 1_420_070_400, // 2015, as one emulator answers
        "proxyEndpoint": "https://123456789012.dkr.ecr.eu-central-1.amazonaws.com",
    });
    Answer::json(200, &json!({ "authorizationData": [data] }))
}

/// A registry whose only image is plain, with its configuration behind the image door.
async fn registry_with_plain_image() -> (Endpoint, String) {
    let endpoint = Endpoint::start().await;
    let configuration = Digest::of(PLATFORM.as_bytes());
    let manifest = json!({ "config": { "digest": configuration.as_str() }, "layers": [] });
    endpoint
        .on("BatchGetImage", manifest_answer(&manifest.to_string()))
        .on("DescribeRepositories", repositories(&format!("{}/team/shop", endpoint.address)))
        .on("GetAuthorizationToken", token("AWS:pass:word"));
    (endpoint, format!("/v2/team/shop/blobs/{configuration}"))
}

#[tokio::test]
async fn a_repository_is_found_with_its_own_address() {
    let endpoint = Endpoint::start().await;
    endpoint.on("DescribeRepositories", repositories("127.0.0.1:5000/team/shop"));
    let found = Ecr::new(&endpoint.connection()).find(&name()).await.unwrap().unwrap();
    assert_eq!(found.uri, "127.0.0.1:5000/team/shop");
    assert_eq!(found.mutability, Mutability::Mutable);
    assert_eq!(endpoint.asked()[0].json(), json!({ "repositoryNames": ["team/shop"] }));
}

#[tokio::test]
async fn every_mutability_is_understood_and_a_new_one_is_taken_for_the_strictest() {
    let filters = json!([{ "filterType": "WILDCARD", "filter": "late*" }]);
    let except = vec!["late*".to_owned()];
    for (word, expected) in [
        ("MUTABLE", Mutability::Mutable),
        ("IMMUTABLE", Mutability::Immutable),
        ("IMMUTABLE_WITH_EXCLUSION", Mutability::ImmutableExcept(except.clone())),
        ("MUTABLE_WITH_EXCLUSION", Mutability::MutableExcept(except)),
        ("ON_SUNDAYS", Mutability::Immutable),
    ] {
        let endpoint = Endpoint::start().await;
        let members =
            json!({ "imageTagMutability": word, "imageTagMutabilityExclusionFilters": filters });
        let body = json!({ "repositories": [described("h/team/shop", &members)] });
        endpoint.on("DescribeRepositories", Answer::json(200, &body));
        let found = Ecr::new(&endpoint.connection()).find(&name()).await.unwrap().unwrap();
        assert_eq!(found.mutability, expected);
    }
}

fn details(digests: &[Digest], next: Option<&str>) -> Answer {
    let details: Vec<Value> =
        digests.iter().map(|digest| json!({ "imageDigest": digest.as_str() })).collect();
    Answer::json(200, &json!({ "imageDetails": details, "nextToken": next }))
}

/// What is held of three, where ECR answers so.
async fn held_of_three(answers: Vec<Answer>) -> (Result<usize, WorldError>, usize) {
    let endpoint = Endpoint::start().await;
    for answer in answers {
        endpoint.on("DescribeImages", answer);
    }
    let wanted = ["a", "b", "c"].map(|text| Digest::of(text.as_bytes()));
    let account = "123456789012".parse().unwrap();
    let held = Ecr::new(&endpoint.connection()).held(&account, &name(), &wanted).await;
    (held.map(|held| held.len()), endpoint.asked().len())
}

#[tokio::test]
async fn what_is_held_is_asked_in_one_call_and_page_by_page_only_where_one_is_missing() {
    let of = |text: &str| Digest::of(text.as_bytes());
    let all = details(&[of("a"), of("b"), of("c")], None);
    assert_eq!(held_of_three(vec![all]).await, (Ok(3), 1));
    let missing = || Answer::error(400, "ImageNotFoundException", "no");
    let pages =
        vec![missing(), details(&[of("a")], Some("more")), details(&[of("c"), of("z")], None)];
    assert_eq!(held_of_three(pages).await, (Ok(2), 3));
    let gone = || Answer::error(400, "RepositoryNotFoundException", "no");
    assert_eq!(held_of_three(vec![gone(), gone()]).await, (Ok(0), 2));
    let denied = || Answer::error(400, "AccessDeniedException", "no");
    assert!(held_of_three(vec![denied()]).await.0.is_err(), "silence is not absence");
    let last = vec![missing(), details(&[of("a")], Some("")), denied()];
    assert_eq!(held_of_three(last).await, (Ok(1), 2), "an empty token is none");
    let endless = (0..300).map(|_| details(&[of("a")], Some("more")));
    let (held, asked) = held_of_three([missing()].into_iter().chain(endless).collect()).await;
    assert!(held.is_err() && asked < 300, "a list without an end is no list: {asked}");
}

#[tokio::test]
async fn what_is_not_there_is_none() {
    let endpoint = Endpoint::start().await;
    endpoint
        .on("DescribeRepositories", Answer::error(400, "RepositoryNotFoundException", "no"))
        .on("DescribeImages", Answer::error(400, "ImageNotFoundException", "no"))
        .on("DescribeImages", Answer::error(400, "RepositoryNotFoundException", "no"))
        .on("DescribeImages", Answer::json(200, &json!({ "imageDetails": [] })));
    let registry = Ecr::new(&endpoint.connection());
    assert_eq!(registry.find(&name()).await.unwrap(), None);
    for _ in 0..3 {
        assert_eq!(registry.image(&name(), &Reference::Tag(tag())).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_repository_is_created_to_scan_and_to_let_tags_move() {
    let endpoint = Endpoint::start().await;
    let created = json!({ "repository": described("h/team/shop", &json!({})) });
    endpoint.on("CreateRepository", Answer::json(200, &created));
    let registry = Ecr::new(&endpoint.connection());
    assert_eq!(registry.create(&name()).await.unwrap().uri, "h/team/shop");
    let expected = json!({
        "repositoryName": "team/shop",
        "imageTagMutability": "MUTABLE",
        "imageScanningConfiguration": { "scanOnPush": true },
        "tags": [{ "Key": "created-by", "Value": "surefoot" }],
    });
    assert_eq!(endpoint.asked()[0].json(), expected);
}

#[tokio::test]
async fn creating_what_is_already_there_is_no_error() {
    let endpoint = Endpoint::start().await;
    endpoint
        .on("CreateRepository", Answer::error(400, "RepositoryAlreadyExistsException", "there"))
        .on("DescribeRepositories", repositories("h/team/shop"));
    let found = Ecr::new(&endpoint.connection()).create(&name()).await.unwrap();
    assert_eq!(found.uri, "h/team/shop");
}

#[tokio::test]
async fn an_image_is_found_by_tag_and_by_digest() {
    let endpoint = Endpoint::start().await;
    let detail = json!({
        "imageDigest": digest().as_str(), "imageTags": ["v1", "latest"], "imageSizeInBytes": 1234,
        "imagePushedAt": 1_700_000_000.5, "imageManifestMediaType": "m",
    });
    endpoint.on("DescribeImages", Answer::json(200, &json!({ "imageDetails": [detail] })));
    let registry = Ecr::new(&endpoint.connection());
    let by_tag = registry.image(&name(), &Reference::Tag(tag())).await.unwrap().unwrap();
    let by_digest = registry.image(&name(), &Reference::Digest(digest())).await.unwrap().unwrap();
    assert_eq!(by_tag, by_digest);
    assert_eq!((by_tag.digest, by_tag.size), (digest(), 1234));
    assert_eq!(by_tag.tags, ["v1", "latest"]);
    assert_eq!(by_tag.pushed_at.unwrap().timestamp_millis(), 1_700_000_000_500);
    let ids: Vec<Value> = endpoint.asked().iter().map(|it| it.json()["imageIds"].clone()).collect();
    assert_eq!(ids[0], json!([{ "imageTag": "v1" }]));
    assert_eq!(ids[1], json!([{ "imageDigest": digest().as_str() }]));
}

#[tokio::test]
async fn an_index_tells_its_platforms_without_the_image_door() {
    let endpoint = Endpoint::start().await;
    let index = json!({ "manifests": [
        { "digest": "sha256:a", "platform": { "os": "linux", "architecture": "amd64" } },
        { "digest": "sha256:b", "platform": { "os": "unknown", "architecture": "unknown" } } ] });
    endpoint.on("BatchGetImage", manifest_answer(&index.to_string()));
    let registry = Ecr::new(&endpoint.connection());
    let platforms = registry.platforms(&name(), &digest()).await.unwrap();
    assert!(platforms.len() == 1 && platforms[0].is_linux_amd64());
    assert_eq!(registry.configuration_digest(&name(), &digest()).await.unwrap(), None);
    let accepted = endpoint.asked()[0].json()["acceptedMediaTypes"].as_array().unwrap().len();
    assert_eq!(accepted, manifest::MEDIA_TYPES.len());
}

#[tokio::test]
async fn a_plain_image_tells_its_platform_through_the_image_door() {
    let (endpoint, path) = registry_with_plain_image().await;
    endpoint.on(&path, Answer::text(200, PLATFORM));
    let registry = Ecr::new(&endpoint.connection());
    let platforms = registry.platforms(&name(), &digest()).await.unwrap();
    assert!(platforms.len() == 1 && platforms[0].is_linux_amd64());
    let door = endpoint.asked().into_iter().find(|asked| asked.path == path).unwrap();
    let expected = format!("Basic {}", BASE64_STANDARD.encode("AWS:pass:word"));
    assert_eq!(door.headers["authorization"], expected);
}

#[tokio::test]
async fn the_login_stays_with_the_registry_when_it_redirects_to_its_storage() {
    let (endpoint, path) = registry_with_plain_image().await;
    let storage = Endpoint::start().await;
    storage.on("/signed", Answer::text(200, PLATFORM));
    let location = format!("http://{}/signed?x=1", storage.address);
    endpoint.on(&path, Answer::text(307, "").header("location", &location));
    let registry = Ecr::new(&endpoint.connection());
    assert!(registry.platforms(&name(), &digest()).await.unwrap()[0].is_linux_amd64());
    assert!(!storage.asked()[0].headers.contains_key("authorization"));
}

#[tokio::test]
async fn an_image_door_that_misbehaves_is_not_believed() {
    let endless = |at: &str| Answer::text(302, "").header("location", at);
    let cases = |path: &str| {
        [
            (Answer::text(200, r#"{"architecture":"arm64","os":"linux"}"#), Some(Obstacle::Broken)),
            (Answer::text(200, &"x".repeat(9 << 20)), Some(Obstacle::Broken)),
            (Answer::text(500, "oops"), Some(Obstacle::Broken)),
            (Answer::text(429, "slow"), Some(Obstacle::Throttled)),
            (Answer::text(403, "denied"), None),
            (Answer::text(404, "gone"), None),
            (endless(path), Some(Obstacle::Network)),
            (endless("http://example.com/elsewhere"), Some(Obstacle::Network)),
        ]
    };
    for number in 0..8 {
        let (endpoint, path) = registry_with_plain_image().await;
        let (answer, expected) = cases(&path)[number].clone();
        endpoint.on(&path, answer);
        let error =
            Ecr::new(&endpoint.connection()).platforms(&name(), &digest()).await.unwrap_err();
        match (&error, expected) {
            (WorldError::Unreachable { obstacle, .. }, Some(expected)) if *obstacle == expected => {
            }
            (WorldError::Refused { code, .. }, None) if code == "blob-refused" => {}
            _ => panic!("case {number}: {error:?}"),
        }
        assert!(!format!("{error:?}").contains("pass:word"), "{error:?}");
    }
}

#[tokio::test]
async fn an_image_that_is_gone_is_refused_by_name() {
    let endpoint = Endpoint::start().await;
    let failure = |code: &str| json!({ "images": [], "failures": [{ "failureCode": code, "failureReason": "no" }] });
    endpoint
        .on("BatchGetImage", Answer::json(200, &failure("ImageNotFound")))
        .on("BatchGetImage", Answer::json(200, &failure("KmsError")))
        .on("BatchGetImage", Answer::error(400, "RepositoryNotFoundException", "no"));
    let registry = Ecr::new(&endpoint.connection());
    for code in ["image-not-found", "KmsError", "RepositoryNotFoundException"] {
        let error = registry.platforms(&name(), &digest()).await.unwrap_err();
        assert_eq!(error.code(), Some(code));
    }
}

#[tokio::test]
async fn a_tag_is_put_on_the_very_manifest() {
    let endpoint = Endpoint::start().await;
    endpoint
        .on("BatchGetImage", manifest_answer("{ \"spaces\" : 1 }"))
        .on("PutImage", Answer::json(200, &json!({ "image": {} })))
        .on("PutImage", Answer::error(400, "ImageAlreadyExistsException", "same"))
        .on(
            "PutImage",
            Answer::error(400, "ImageTagAlreadyExistsException", "tag v1 is immutable"),
        );
    let registry = Ecr::new(&endpoint.connection());
    registry.tag(&name(), &digest(), &tag()).await.unwrap();
    registry.tag(&name(), &digest(), &tag()).await.unwrap();
    let error = registry.tag(&name(), &digest(), &tag()).await.unwrap_err();
    assert_eq!(error.code(), Some("tag-taken"));
    assert!(error.to_string().contains("tag v1 is immutable"));
    let expected = json!({
        "repositoryName": "team/shop",
        "imageManifest": "{ \"spaces\" : 1 }",
        "imageManifestMediaType": "application/vnd.oci.image.manifest.v1+json",
        "imageTag": "v1",
        "imageDigest": digest().as_str(),
    });
    assert_eq!(endpoint.asked_for("PutImage")[0].json(), expected);
}

#[tokio::test]
async fn a_login_is_unpacked_even_when_it_says_it_has_expired() {
    let endpoint = Endpoint::start().await;
    endpoint.on("GetAuthorizationToken", token("AWS:pass:word"));
    let login = Ecr::new(&endpoint.connection()).login().await.unwrap();
    assert_eq!((login.username.as_str(), login.password.expose_secret()), ("AWS", "pass:word"));
    assert_eq!(login.server, "https://123456789012.dkr.ecr.eu-central-1.amazonaws.com");
    assert!(!format!("{login:?}").contains("pass:word"));
}

#[tokio::test]
async fn a_login_that_is_none_is_no_answer_and_is_not_repeated() {
    let garbage = json!({ "authorizationData": [{ "authorizationToken": "%%secretish%%" }] });
    for answer in [
        token("no colon"),
        Answer::json(200, &garbage),
        Answer::json(200, &json!({})),
        Answer::text(200, ""),
    ] {
        let endpoint = Endpoint::start().await;
        endpoint.on("GetAuthorizationToken", answer);
        let error = Ecr::new(&endpoint.connection()).login().await.unwrap_err();
        assert!(matches!(error, WorldError::Unreachable { obstacle: Obstacle::Broken, .. }));
        assert!(!error.to_string().contains("secretish"));
    }
}

/// Every call, each with whether it changes something.
async fn every_call(registry: &Ecr) -> Vec<(&'static str, bool, Option<WorldError>)> {
    let reference = Reference::Tag(tag());
    vec![
        ("find", false, registry.find(&name()).await.err()),
        ("image", false, registry.image(&name(), &reference).await.err()),
        ("platforms", false, registry.platforms(&name(), &digest()).await.err()),
        ("login", false, registry.login().await.err()),
        ("create", true, registry.create(&name()).await.err()),
        ("tag", true, registry.tag(&name(), &digest(), &tag()).await.err()),
    ]
}

fn kind(error: &WorldError) -> String {
    match error {
        WorldError::Refused { .. } => "refused".into(),
        WorldError::Unreachable { obstacle, .. } => format!("{obstacle:?}"),
        WorldError::Unanswered { .. } => "unanswered".into(),
    }
}

/// An endpoint where everything goes wrong in the same way but for the manifest that tagging needs.
async fn wrong(answer: &Answer) -> Endpoint {
    let endpoint = Endpoint::start().await;
    for operation in [
        "DescribeRepositories",
        "DescribeImages",
        "GetAuthorizationToken",
        "CreateRepository",
        "PutImage",
    ] {
        endpoint.on(operation, answer.clone());
    }
    let configuration = Digest::of(PLATFORM.as_bytes());
    let manifest = json!({ "config": { "digest": configuration.as_str() } });
    endpoint.on("BatchGetImage", manifest_answer(&manifest.to_string()));
    endpoint
}

#[tokio::test]
async fn every_error_of_aws_means_the_same_in_every_call() {
    for (status, code, reading, changing) in [
        (400, "InvalidParameterException", "refused", "refused"),
        (400, "LimitExceededException", "refused", "refused"),
        (400, "KmsException", "refused", "refused"),
        (400, "TooManyTagsException", "refused", "refused"),
        (400, "InvalidTagParameterException", "refused", "refused"),
        (400, "LayersNotFoundException", "refused", "refused"),
        (400, "ReferencedImagesNotFoundException", "refused", "refused"),
        (400, "ImageDigestDoesNotMatchException", "refused", "refused"),
        (400, "AccessDeniedException", "refused", "refused"),
        (500, "ServerException", "Broken", "unanswered"),
        (400, "ServerException", "Broken", "unanswered"),
        (503, "ServiceUnavailable", "Broken", "unanswered"),
        (400, "ThrottlingException", "Throttled", "Throttled"),
        (400, "ExpiredTokenException", "ExpiredCredentials", "ExpiredCredentials"),
        (400, "UnrecognizedClientException", "InvalidCredentials", "InvalidCredentials"),
    ] {
        let endpoint = wrong(&Answer::error(status, code, "the reason")).await;
        for (call, changes, error) in every_call(&Ecr::new(&endpoint.connection())).await {
            let error = error.unwrap_or_else(|| panic!("{call} after {code}"));
            assert_eq!(kind(&error), if changes { changing } else { reading }, "{call} {code}");
            assert!(error.to_string().contains("the reason"), "{error}");
        }
        for operation in ["CreateRepository", "PutImage"] {
            assert_eq!(endpoint.asked_for(operation).len(), 1, "{operation} after {code}");
        }
    }
}

#[tokio::test]
async fn answers_that_are_none_conclude_nothing() {
    for (status, body) in [(200, ""), (200, "<html>"), (502, "<html>"), (403, "<html>proxy")] {
        let endpoint = wrong(&Answer::text(status, body)).await;
        for (call, changes, error) in every_call(&Ecr::new(&endpoint.connection())).await {
            let error = error.unwrap_or_else(|| panic!("{call} after {status} {body}"));
            let expected = if changes { "unanswered" } else { "Broken" };
            assert_eq!(kind(&error), expected, "{call} after {status} {body}");
        }
    }
}

#[tokio::test]
async fn connections_that_break_or_never_stood_are_told_apart() {
    let broken = Ecr::new(&connection_to(rude(Rude::Resets).await));
    let never = Ecr::new(&connection_to(closed().await));
    for (registry, changing) in [(broken, "unanswered"), (never, "Network")] {
        for (call, changes, error) in every_call(&registry).await {
            // Tagging reads the manifest first, and already that fails.
            let expected = if changes && call != "tag" { changing } else { "Network" };
            assert_eq!(kind(&error.unwrap()), expected, "{call}");
        }
    }
}
