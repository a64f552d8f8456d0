use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::token::{LIFETIME, Login};
use super::*;

const NOW: Timestamp = 1_700_000_000_123;
const ACCOUNT: &str = "123456789012";

fn settings() -> Settings {
    Settings::new(ACCOUNT, "eu-central-1", "127.0.0.1:5000")
}

fn registry() -> Registry {
    let registry = Registry::passing(settings());
    create(&registry, "shop", json!({}));
    registry
}

fn create(registry: &Registry, name: &str, more: Value) -> Value {
    let mut body = more;
    body["repositoryName"] = name.into();
    registry.answer("CreateRepository", &body, NOW).unwrap()
}

fn ask(registry: &Registry, operation: &str, body: &Value) -> Value {
    registry.answer(operation, body, NOW).unwrap()
}

fn refused(registry: &Registry, operation: &str, body: &Value) -> (String, String) {
    let error = registry.answer(operation, body, NOW).unwrap_err();
    assert_eq!(error.status, 400);
    (error.code, error.message)
}

fn put(registry: &Registry, tag: &str, content: &str) -> String {
    sample::image(registry, "shop", tag, content, NOW).unwrap()
}

fn shop(more: Value) -> Value {
    let mut body = more;
    body["repositoryName"] = "shop".into();
    body
}

fn delete(registry: &Registry, identifiers: &Value) -> (Value, Value) {
    let answer = ask(registry, "BatchDeleteImage", &shop(json!({"imageIds": identifiers})));
    (answer["imageIds"].clone(), answer["failures"].clone())
}

fn failure_code(failures: &Value) -> &str {
    assert_eq!(failures.as_array().unwrap().len(), 1, "{failures}");
    failures[0]["failureCode"].as_str().unwrap()
}

#[test]
fn a_repository_is_described_as_it_was_created() {
    let registry = registry();
    let filters = json!([{"filterType": "WILDCARD", "filter": "dev-*"}]);
    let made = create(
        &registry,
        "team/api",
        json!({
            "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
            "imageTagMutabilityExclusionFilters": filters,
            "imageScanningConfiguration": {"scanOnPush": true},
            "tags": [{"Key": "owner", "Value": "me"}],
        }),
    );
    let described =
        ask(&registry, "DescribeRepositories", &json!({"repositoryNames": ["team/api"]}));
    assert_eq!(described["repositories"][0], made["repository"]);
    assert_eq!(
        made["repository"],
        json!({
            "repositoryArn": "arn:aws:ecr:eu-central-1:123456789012:repository/team/api",
            "registryId": ACCOUNT,
            "repositoryName": "team/api",
            "repositoryUri": "127.0.0.1:5000/team/api",
            "createdAt": 1_700_000_000.123,
            "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
            "imageTagMutabilityExclusionFilters": filters,
            "imageScanningConfiguration": {"scanOnPush": true},
            "encryptionConfiguration": {"encryptionType": "AES256"},
        })
    );
    let tags = ask(
        &registry,
        "ListTagsForResource",
        &json!({"resourceArn": made["repository"]["repositoryArn"]}),
    );
    assert_eq!(tags, json!({"tags": [{"Key": "owner", "Value": "me"}]}));
}

#[test]
fn creating_is_refused_for_a_taken_name_and_for_nonsense() {
    let registry = registry();
    assert_eq!(
        refused(&registry, "CreateRepository", &shop(json!({}))),
        (
            "RepositoryAlreadyExistsException".into(),
            "The repository with name 'shop' already exists in the registry with id '123456789012'"
                .into()
        )
    );
    let filter = json!([{"filterType": "WILDCARD", "filter": "x"}]);
    let six = Value::Array(vec![json!({"filterType": "WILDCARD", "filter": "x"}); 6]);
    for body in [
        json!({}),
        json!({"repositoryName": "Shop"}),
        json!({"repositoryName": "ab", "imageTagMutability": "SOMETIMES"}),
        json!({"repositoryName": "ab", "imageTagMutability": "MUTABLE_WITH_EXCLUSION"}),
        json!({"repositoryName": "ab", "imageTagMutabilityExclusionFilters": filter}),
        json!({"repositoryName": "ab", "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
               "imageTagMutabilityExclusionFilters": six}),
    ] {
        assert_eq!(
            refused(&registry, "CreateRepository", &body).0,
            "InvalidParameterException",
            "{body}"
        );
    }
    let bad = json!({"repositoryName": "ab", "tags": [{"Key": "aws:x", "Value": ""}]});
    assert_eq!(refused(&registry, "CreateRepository", &bad).0, "InvalidTagParameterException");
    let many: Vec<Value> = (0..51).map(|n| json!({"Key": n.to_string(), "Value": ""})).collect();
    let many = json!({"repositoryName": "ab", "tags": many});
    assert_eq!(refused(&registry, "CreateRepository", &many).0, "TooManyTagsException");
}

#[test]
fn repositories_are_listed_in_pages() {
    let registry = registry();
    for number in 0..6 {
        create(&registry, &format!("r{number}"), json!({}));
    }
    let mut names = Vec::new();
    let mut token = Value::Null;
    loop {
        let body = json!({"maxResults": 3, "nextToken": token});
        let answer = ask(&registry, "DescribeRepositories", &body);
        let list = answer["repositories"].as_array().unwrap();
        assert!(list.len() <= 3);
        names.extend(list.iter().map(|one| one["repositoryName"].as_str().unwrap().to_owned()));
        token = answer["nextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    assert_eq!(names, ["r0", "r1", "r2", "r3", "r4", "r5", "shop"]);
}

#[test]
fn a_missing_repository_is_named_by_every_operation() {
    let registry = registry();
    let arn = "arn:aws:ecr:eu-central-1:123456789012:repository/none";
    let image = json!([{"imageTag": "x"}]);
    for (operation, mut body) in [
        ("DescribeRepositories", json!({"repositoryNames": ["none"]})),
        ("DeleteRepository", json!({})),
        ("PutImageTagMutability", json!({"imageTagMutability": "MUTABLE"})),
        ("PutImageScanningConfiguration", json!({"imageScanningConfiguration": {}})),
        ("DescribeImages", json!({})),
        ("ListImages", json!({})),
        ("BatchGetImage", json!({"imageIds": image})),
        ("BatchDeleteImage", json!({"imageIds": image})),
        (
            "PutImage",
            json!({"imageManifest": sample::manifest(&registry, "shop", "x", "amd64").unwrap()}),
        ),
        ("BatchCheckLayerAvailability", json!({"layerDigests": []})),
        ("GetLifecyclePolicy", json!({})),
        ("PutLifecyclePolicy", json!({"lifecyclePolicyText": "{}"})),
        ("DeleteLifecyclePolicy", json!({})),
        ("GetRepositoryPolicy", json!({})),
        ("SetRepositoryPolicy", json!({"policyText": "{}"})),
        ("DeleteRepositoryPolicy", json!({})),
        ("DescribeImageScanFindings", json!({"imageId": {"imageTag": "x"}})),
        ("TagResource", json!({"resourceArn": arn, "tags": []})),
        ("UntagResource", json!({"resourceArn": arn, "tagKeys": []})),
        ("ListTagsForResource", json!({"resourceArn": arn})),
    ] {
        body["repositoryName"] = "none".into();
        assert_eq!(
            refused(&registry, operation, &body),
            (
                "RepositoryNotFoundException".into(),
                "The repository with name 'none' does not exist in the registry with id '123456789012'".into()
            ),
            "{operation}"
        );
    }
    assert_eq!(refused(&registry, "Dance", &json!({})).0, "UnknownOperationException");
}

#[test]
fn a_repository_with_images_is_deleted_by_force_only() {
    let registry = registry();
    put(&registry, "v1", "one");
    assert_eq!(
        refused(&registry, "DeleteRepository", &shop(json!({}))),
        (
            "RepositoryNotEmptyException".into(),
            "The repository with name 'shop' in registry with id '123456789012' cannot be deleted because it still contains images".into()
        )
    );
    ask(&registry, "DeleteRepository", &shop(json!({"force": true})));
    assert_eq!(refused(&registry, "ListImages", &shop(json!({}))).0, "RepositoryNotFoundException");
}

#[test]
fn an_image_is_described_with_the_members_of_the_service_model() {
    let registry = registry();
    let digest = put(&registry, "v1", "one");
    let answer = ask(&registry, "DescribeImages", &shop(json!({"imageIds": [{"imageTag": "v1"}]})));
    let detail = &answer["imageDetails"][0];
    assert_eq!(detail["imageDigest"], digest.as_str());
    assert_eq!(detail["imageTags"], json!(["v1"]));
    assert_eq!(detail["imagePushedAt"], 1_700_000_000.123);
    assert_eq!(detail["imageManifestMediaType"], manifest::DOCKER_MANIFEST);
    assert_eq!(detail["artifactMediaType"], "application/vnd.docker.container.image.v1+json");
    assert!(detail["imageSizeInBytes"].as_u64().unwrap() > 0);
    assert!(detail.get("lastRecordedPullTime").is_none());
    registry.manifest("shop", "v1", Some(NOW + 1000)).unwrap();
    registry.manifest("shop", "v1", Some(NOW + 5000)).unwrap();
    let answer = ask(&registry, "DescribeImages", &shop(json!({})));
    assert_eq!(answer["imageDetails"][0]["lastRecordedPullTime"], 1_700_000_001.123);
}

#[test]
fn describing_a_missing_image_or_mixing_options_is_refused() {
    let registry = registry();
    put(&registry, "v1", "one");
    let missing = shop(json!({"imageIds": [{"imageTag": "v2"}]}));
    assert_eq!(
        refused(&registry, "DescribeImages", &missing),
        (
            "ImageNotFoundException".into(),
            "The image with imageId {imageDigest:'null', imageTag:'v2'} does not exist within the repository with name 'shop' in the registry with id '123456789012'".into()
        )
    );
    for body in [
        json!({"imageIds": [{"imageTag": "v1"}], "maxResults": 5}),
        json!({"maxResults": 0}),
        json!({"maxResults": 1001}),
        json!({"nextToken": "%%%"}),
        json!({"imageIds": []}),
        json!({"filter": {"tagStatus": "SOME"}}),
    ] {
        let code = refused(&registry, "DescribeImages", &shop(body.clone())).0;
        assert_eq!(code, "InvalidParameterException", "{body}");
    }
}

#[test]
fn filters_tell_tagged_from_untagged_images() {
    let registry = registry();
    let first = put(&registry, "latest", "one");
    let second = put(&registry, "latest", "two");
    let digests = |filter: &str| {
        let body = shop(json!({"filter": {"tagStatus": filter}}));
        let answer = ask(&registry, "DescribeImages", &body);
        let list = answer["imageDetails"].as_array().unwrap().clone();
        list.iter().map(|one| one["imageDigest"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    // A moved tag leaves the old image behind, untagged: it is not deleted.
    assert_eq!(digests("UNTAGGED"), std::slice::from_ref(&first));
    assert_eq!(digests("TAGGED"), [second]);
    assert_eq!(digests("ANY").len(), 2);
    let listed = ask(&registry, "ListImages", &shop(json!({"filter": {"tagStatus": "UNTAGGED"}})));
    assert_eq!(listed["imageIds"], json!([{"imageDigest": first}]));
    let archived = shop(json!({"filter": {"imageStatus": "ARCHIVED"}}));
    assert_eq!(ask(&registry, "DescribeImages", &archived)["imageDetails"], json!([]));
}

#[test]
fn ten_thousand_images_come_in_pages_without_loss_or_repetition() {
    const COUNT: usize = 10_000;
    let registry = registry();
    for number in 0..COUNT {
        put(&registry, &format!("v{number}"), "same layer, other tag");
    }
    // One content means one image with many tags; ListImages has an entry for each.
    let walk = |operation: &str, list: &str, size: Option<usize>| {
        let mut seen = std::collections::BTreeSet::new();
        let (mut pages, mut token) = (0, Value::Null);
        loop {
            let body = shop(json!({"maxResults": size, "nextToken": token}));
            let answer = ask(&registry, operation, &body);
            let items = answer[list].as_array().unwrap();
            assert!(items.len() <= size.unwrap_or(100));
            assert!(items.iter().all(|item| seen.insert(item.to_string())));
            pages += 1;
            token = answer["nextToken"].clone();
            if token.is_null() {
                return (seen.len(), pages);
            }
        }
    };
    assert_eq!(walk("ListImages", "imageIds", Some(1000)), (COUNT, 10));
    assert_eq!(walk("DescribeImages", "imageDetails", Some(1000)), (1, 1));
    for number in 1..COUNT {
        let text =
            sample::manifest(&registry, "shop", &format!("image {number}"), "amd64").unwrap();
        registry.push_manifest("shop", &format!("v{number}"), None, &text, NOW).unwrap();
    }
    assert_eq!(walk("DescribeImages", "imageDetails", Some(1000)), (COUNT, 10));
    assert_eq!(walk("DescribeImages", "imageDetails", None), (COUNT, 100));
    assert_eq!(walk("ListImages", "imageIds", None), (COUNT, 100));
}

#[test]
fn deleting_by_tag_takes_the_tag_and_with_the_last_one_the_image() {
    let registry = registry();
    let digest = put(&registry, "v1", "one");
    put(&registry, "latest", "one");
    let (gone, failures) = delete(&registry, &json!([{"imageTag": "v1"}]));
    assert_eq!(gone, json!([{"imageDigest": digest, "imageTag": "v1"}]));
    assert_eq!(failures, json!([]));
    assert!(registry.resolve("127.0.0.1:5000/shop:latest").is_some());
    let (gone, _) = delete(&registry, &json!([{"imageTag": "latest"}]));
    assert_eq!(gone, json!([{"imageDigest": digest, "imageTag": "latest"}]));
    assert!(registry.resolve(&format!("127.0.0.1:5000/shop@{digest}")).is_none());
}

#[test]
fn deleting_by_digest_takes_all_tags_and_an_untagged_image_is_named_too() {
    let registry = registry();
    let first = put(&registry, "v1", "one");
    put(&registry, "v1b", "one");
    let untagged = put(&registry, "v2", "two");
    put(&registry, "v2", "three");
    let (gone, _) = delete(&registry, &json!([{"imageDigest": first}, {"imageDigest": untagged}]));
    assert_eq!(
        gone,
        json!([
            {"imageDigest": first, "imageTag": "v1"},
            {"imageDigest": first, "imageTag": "v1b"},
            {"imageDigest": untagged},
        ])
    );
    assert_eq!(registry.tags("shop").unwrap(), ["v2"]);
}

#[test]
fn each_image_that_cannot_be_deleted_has_its_failure_code() {
    let registry = registry();
    let digest = put(&registry, "v1", "one");
    let other = put(&registry, "v2", "two");
    for (identifier, code) in [
        (json!({}), "MissingDigestAndTag"),
        (json!({"imageTag": "none"}), "ImageNotFound"),
        (json!({"imageDigest": manifest::digest_of(b"none")}), "ImageNotFound"),
        (json!({"imageDigest": "sha256:x"}), "InvalidImageDigest"),
        (json!({"imageTag": "a b"}), "InvalidImageTag"),
        (json!({"imageTag": "v1", "imageDigest": other}), "ImageTagDoesNotMatchDigest"),
    ] {
        let (gone, failures) = delete(&registry, &json!([identifier]));
        assert_eq!((gone, failure_code(&failures)), (json!([]), code));
        assert_eq!(failures[0]["imageId"], identifier);
        let got = ask(&registry, "BatchGetImage", &shop(json!({"imageIds": [identifier]})));
        assert_eq!(failure_code(&got["failures"]), code);
    }
    let (gone, failures) =
        delete(&registry, &json!([{"imageTag": "none"}, {"imageDigest": digest}]));
    assert_eq!((gone.as_array().unwrap().len(), failures.as_array().unwrap().len()), (1, 1));
}

#[test]
fn more_than_a_hundred_images_at_once_are_refused() {
    let registry = registry();
    let many = vec![json!({"imageTag": "x"}); 101];
    for operation in ["BatchDeleteImage", "BatchGetImage", "DescribeImages"] {
        assert_eq!(
            refused(&registry, operation, &shop(json!({"imageIds": many}))),
            (
                "InvalidParameterException".into(),
                "Invalid parameter at 'imageIds' failed to satisfy constraint: 'Member must have length less than or equal to 100'".into()
            )
        );
    }
}

#[test]
fn the_children_of_an_index_are_protected_until_the_index_is_gone() {
    let registry = registry();
    let [index, amd64, arm64, attestation] =
        sample::index(&registry, "shop", "v1", "one", NOW).unwrap();
    for child in [&amd64, &arm64, &attestation] {
        let (_, failures) = delete(&registry, &json!([{"imageDigest": child}]));
        assert_eq!(failure_code(&failures), "ImageReferencedByManifestList");
        assert_eq!(
            failures[0]["failureReason"],
            format!("Requested image referenced by manifest list: [{index}]")
        );
    }
    let all = json!([{"imageDigest": index}, {"imageDigest": amd64}, {"imageDigest": arm64},
                     {"imageDigest": attestation}]);
    let (gone, failures) = delete(&registry, &all);
    assert_eq!((gone.as_array().unwrap().len(), failures), (4, json!([])));
    assert_eq!(ask(&registry, "ListImages", &shop(json!({})))["imageIds"], json!([]));
}

#[test]
fn a_child_with_a_tag_of_its_own_loses_tags_but_stays() {
    let registry = registry();
    let [_, amd64, ..] = sample::index(&registry, "shop", "v1", "one", NOW).unwrap();
    put(&registry, "child", "one");
    put(&registry, "child2", "one");
    let (gone, _) = delete(&registry, &json!([{"imageTag": "child"}]));
    assert_eq!(gone, json!([{"imageDigest": amd64, "imageTag": "child"}]));
    let (_, failures) = delete(&registry, &json!([{"imageTag": "child2"}]));
    assert_eq!(failure_code(&failures), "ImageReferencedByManifestList");
}

#[test]
fn an_index_resolves_to_its_amd64_child() {
    let registry = registry();
    let [index, amd64, ..] = sample::index(&registry, "shop", "v1", "one", NOW).unwrap();
    for identifier in [
        format!("127.0.0.1:5000/shop@{index}"),
        "127.0.0.1:5000/shop:v1".into(),
        "123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop:v1".into(),
    ] {
        let found = registry.resolve(&identifier).unwrap();
        assert_eq!((&found.digest, &found.platform_digest), (&index, &amd64));
        assert_eq!(found.platform.as_deref(), Some("linux/amd64"));
        assert!(found.size > 0);
    }
    for identifier in [
        "127.0.0.1:5000/shop",
        "127.0.0.1:5000/shop:none",
        "127.0.0.1:9/shop:v1",
        "123456789012.dkr.ecr.us-east-1.amazonaws.com/shop:v1",
        "shop:v1",
        "127.0.0.1:5000/none:v1",
        &format!("127.0.0.1:5000/shop:v1@{index}"),
    ] {
        assert_eq!(registry.resolve(identifier), None, "{identifier}");
    }
}

#[test]
fn an_index_without_amd64_resolves_to_what_would_die_of_its_format() {
    let registry = registry();
    let [_, _, arm64, _] = sample::index(&registry, "shop", "v1", "one", NOW).unwrap();
    let text = json!({"schemaVersion": 2, "mediaType": manifest::OCI_INDEX, "manifests": [
        {"mediaType": manifest::OCI_MANIFEST, "digest": arm64, "size": 1,
         "platform": {"os": "linux", "architecture": "arm64"}}]});
    registry.push_manifest("shop", "arm", None, &text.to_string(), NOW).unwrap();
    let found = registry.resolve("127.0.0.1:5000/shop:arm").unwrap();
    assert_eq!(found.platform.as_deref(), Some("linux/arm64"));
}

#[test]
fn a_subject_is_shown_beside_the_manifest_that_is_about_it() {
    let registry = registry();
    let digest = put(&registry, "v1", "one");
    let text = sample::manifest(&registry, "shop", "signature", "amd64").unwrap();
    let mut text: Value = serde_json::from_str(&text).unwrap();
    text["subject"] = json!({"mediaType": manifest::DOCKER_MANIFEST, "digest": digest, "size": 1});
    text["artifactType"] = "application/vnd.example.signature".into();
    let signature = registry.push_manifest("shop", "sig", None, &text.to_string(), NOW).unwrap();
    let named = shop(json!({"imageIds": [{"imageDigest": signature}]}));
    let detail = &ask(&registry, "DescribeImages", &named)["imageDetails"][0];
    assert_eq!(detail["subjectManifestDigest"], digest.as_str());
    assert_eq!(detail["artifactMediaType"], "application/vnd.example.signature");
}

#[test]
fn put_image_gives_an_image_another_tag() {
    let registry = registry();
    let digest = put(&registry, "v1", "one");
    let got = ask(&registry, "BatchGetImage", &shop(json!({"imageIds": [{"imageTag": "v1"}]})));
    let image = &got["images"][0];
    assert_eq!(image["imageId"], json!({"imageDigest": digest, "imageTag": "v1"}));
    let body = shop(json!({
        "imageManifest": image["imageManifest"], "imageTag": "prod", "imageDigest": digest,
        "imageManifestMediaType": image["imageManifestMediaType"],
    }));
    let answer = ask(&registry, "PutImage", &body);
    assert_eq!(answer["image"]["imageId"], json!({"imageDigest": digest, "imageTag": "prod"}));
    assert_eq!(registry.tags("shop").unwrap(), ["prod", "v1"]);
    assert_eq!(refused(&registry, "PutImage", &body).0, "ImageAlreadyExistsException");
    let mut lying = body.clone();
    lying["imageDigest"] = manifest::digest_of(b"other").into();
    assert_eq!(refused(&registry, "PutImage", &lying).0, "ImageDigestDoesNotMatchException");
    let mut broken = body;
    broken["imageManifest"] = "{}".into();
    broken["imageDigest"] = Value::Null;
    assert_eq!(refused(&registry, "PutImage", &broken).0, "InvalidParameterException");
}

#[test]
fn a_manifest_needs_its_layers_and_an_index_its_children() {
    let registry = registry();
    create(&registry, "other", json!({}));
    let text = sample::manifest(&registry, "other", "elsewhere", "amd64").unwrap();
    let missing = refused(&registry, "PutImage", &shop(json!({"imageManifest": text})));
    assert_eq!(missing.0, "LayersNotFoundException");
    assert!(missing.1.contains("required for pushing image into repository with name 'shop'"));
    let child = manifest::digest_of(b"child");
    let index =
        json!({"schemaVersion": 2, "manifests": [{"digest": child, "mediaType": "x", "size": 1}]});
    let missing =
        refused(&registry, "PutImage", &shop(json!({"imageManifest": index.to_string()})));
    assert_eq!(missing.0, "ReferencedImagesNotFoundException");
    assert!(missing.1.contains(&child));
}

#[test]
fn an_immutable_tag_keeps_its_image_and_exclusions_are_honoured() {
    let registry = registry();
    let first = put(&registry, "v1", "one");
    put(&registry, "latest", "one");
    let body = shop(json!({
        "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
        "imageTagMutabilityExclusionFilters": [{"filterType": "WILDCARD", "filter": "latest"}],
    }));
    ask(&registry, "PutImageTagMutability", &body);
    let error = sample::image(&registry, "shop", "v1", "two", NOW).unwrap_err();
    assert_eq!(error.code, "ImageTagAlreadyExistsException");
    assert_eq!(
        error.message,
        "The image tag 'v1' already exists in the 'shop' repository and cannot be overwritten because the tag is immutable."
    );
    assert_eq!(registry.resolve("127.0.0.1:5000/shop:v1").unwrap().digest, first);
    put(&registry, "latest", "two");
    let body = shop(json!({"imageTagMutability": "IMMUTABLE"}));
    ask(&registry, "PutImageTagMutability", &body);
    assert!(sample::image(&registry, "shop", "latest", "three", NOW).is_err());
    put(&registry, "v2", "three");
}

#[test]
fn pushing_the_same_image_again_follows_the_switches() {
    for (refuses, renews) in [(true, false), (false, true)] {
        let mut settings = settings();
        settings.refuses_identical_repush = refuses;
        settings.repush_renews_time = renews;
        let registry = Registry::passing(settings);
        create(&registry, "shop", json!({"imageTagMutability": "IMMUTABLE"}));
        put(&registry, "v1", "one");
        let again = sample::image(&registry, "shop", "v1", "one", NOW + 60_000);
        assert_eq!(again.is_err(), refuses);
        sample::image(&registry, "shop", "v1-again", "one", NOW + 60_000).unwrap();
        let answer = ask(&registry, "DescribeImages", &shop(json!({})));
        let expected = if renews { 1_700_000_060.123 } else { 1_700_000_000.123 };
        assert_eq!(answer["imageDetails"][0]["imagePushedAt"], expected);
    }
}

#[test]
fn a_moved_tag_is_announced_once_and_a_standing_one_never() {
    let registry = registry();
    let first = put(&registry, "latest", "one");
    put(&registry, "latest", "one");
    let second = put(&registry, "latest", "two");
    let notices = registry.drain_notices();
    let digests: Vec<&str> = notices.iter().map(|notice| notice.digest.as_str()).collect();
    assert_eq!(digests, [first, second]);
    assert_eq!((notices[0].repository.as_str(), notices[0].tag.as_str()), ("shop", "latest"));
    assert_eq!(registry.drain_notices(), []);
}

#[test]
fn policies_are_kept_and_given_back() {
    let registry = registry();
    for (put, get, delete, member, missing) in [
        (
            "PutLifecyclePolicy",
            "GetLifecyclePolicy",
            "DeleteLifecyclePolicy",
            "lifecyclePolicyText",
            "LifecyclePolicyNotFoundException",
        ),
        (
            "SetRepositoryPolicy",
            "GetRepositoryPolicy",
            "DeleteRepositoryPolicy",
            "policyText",
            "RepositoryPolicyNotFoundException",
        ),
    ] {
        let empty = shop(json!({}));
        assert_eq!(refused(&registry, get, &empty).0, missing);
        assert_eq!(refused(&registry, delete, &empty).0, missing);
        assert_eq!(
            refused(&registry, put, &shop(json!({member: "no json"}))).0,
            "InvalidParameterException"
        );
        ask(&registry, put, &shop(json!({member: r#"{"rules":[]}"#})));
        assert_eq!(ask(&registry, get, &empty)[member], r#"{"rules":[]}"#);
        ask(&registry, delete, &empty);
        assert_eq!(refused(&registry, get, &empty).0, missing);
    }
}

#[test]
fn resource_tags_are_added_and_removed() {
    let registry = registry();
    let arn = "arn:aws:ecr:eu-central-1:123456789012:repository/shop";
    let tags = json!([{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]);
    ask(&registry, "TagResource", &json!({"resourceArn": arn, "tags": tags}));
    ask(&registry, "UntagResource", &json!({"resourceArn": arn, "tagKeys": ["a"]}));
    let left = ask(&registry, "ListTagsForResource", &json!({"resourceArn": arn}));
    assert_eq!(left, json!({"tags": [{"Key": "b", "Value": "2"}]}));
    let foreign = json!({"resourceArn": "arn:aws:ecr:us-east-1:1:repository/shop"});
    assert_eq!(refused(&registry, "ListTagsForResource", &foreign).0, "InvalidParameterException");
}

#[test]
fn a_scan_exists_where_the_repository_scans_on_push() {
    let registry = registry();
    put(&registry, "v1", "one");
    let body = shop(json!({"imageId": {"imageTag": "v1"}}));
    assert_eq!(refused(&registry, "DescribeImageScanFindings", &body).0, "ScanNotFoundException");
    let on = shop(json!({"imageScanningConfiguration": {"scanOnPush": true}}));
    ask(&registry, "PutImageScanningConfiguration", &on);
    let answer = ask(&registry, "DescribeImageScanFindings", &body);
    assert_eq!(answer["imageScanStatus"]["status"], "COMPLETE");
    let none = shop(json!({"imageId": {"imageTag": "none"}}));
    assert_eq!(refused(&registry, "DescribeImageScanFindings", &none).0, "ImageNotFoundException");
}

#[test]
fn layers_are_available_where_they_were_pushed() {
    let registry = registry();
    create(&registry, "other", json!({}));
    put(&registry, "v1", "layer");
    let digest = manifest::digest_of(b"layer");
    let check = |repository: &str| {
        let body = json!({"repositoryName": repository, "layerDigests": [digest, "bad"]});
        ask(&registry, "BatchCheckLayerAvailability", &body)
    };
    assert_eq!(check("shop")["layers"][0]["layerAvailability"], "AVAILABLE");
    assert_eq!(check("shop")["layers"][0]["layerSize"], 5);
    assert_eq!(check("shop")["failures"][0]["failureCode"], "InvalidLayerDigest");
    assert_eq!(check("other")["layers"][0]["layerAvailability"], "UNAVAILABLE");
    assert!(registry.mount_layer("other", "shop", &digest).unwrap());
    assert!(!registry.mount_layer("other", "nowhere", &digest).unwrap());
    assert_eq!(check("other")["layers"][0]["layerAvailability"], "AVAILABLE");
}

#[test]
fn a_token_is_valid_for_twelve_hours_in_its_own_registry() {
    let registry = registry();
    let answer = ask(&registry, "GetAuthorizationToken", &json!({}));
    let data = &answer["authorizationData"][0];
    assert_eq!(data["expiresAt"], 1_700_043_200.123);
    let token = STANDARD.decode(data["authorizationToken"].as_str().unwrap()).unwrap();
    let token = String::from_utf8(token).unwrap();
    let (user, password) = token.split_once(':').unwrap();
    assert_eq!(user, "AWS");
    assert_eq!(registry.login(user, password, NOW), Login::Valid);
    assert_eq!(registry.login(user, password, NOW + LIFETIME - 1000), Login::Valid);
    assert_eq!(registry.login(user, password, NOW + LIFETIME), Login::Expired);
    assert_eq!(registry.login("root", password, NOW), Login::Unknown);
    assert_eq!(registry.login(user, "guess", NOW), Login::Unknown);
    let elsewhere = Registry::passing(Settings::new(ACCOUNT, "us-east-1", "127.0.0.1:5000"));
    assert_eq!(elsewhere.login(user, password, NOW), Login::Unknown);
}

#[test]
fn a_kept_registry_is_found_again_with_blobs_and_protection() {
    let folder = tempfile::tempdir().unwrap();
    let index = {
        let registry = Registry::kept(settings(), folder.path()).unwrap();
        create(&registry, "shop", json!({}));
        let digests = sample::index(&registry, "shop", "v1", "one", NOW).unwrap();
        registry.save().unwrap();
        digests
    };
    let registry = Registry::kept(settings(), folder.path()).unwrap();
    assert_eq!(registry.resolve("127.0.0.1:5000/shop:v1").unwrap().platform_digest, index[1]);
    assert!(registry.blobs().open(&manifest::digest_of(b"one")).is_some());
    let (_, failures) = delete(&registry, &json!([{"imageDigest": index[1]}]));
    assert_eq!(failure_code(&failures), "ImageReferencedByManifestList");
    std::fs::write(folder.path().join("registry.json"), "garbage").unwrap();
    assert!(Registry::kept(settings(), folder.path()).is_err());
}
