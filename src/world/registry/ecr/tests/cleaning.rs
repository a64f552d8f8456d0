use super::*;
use crate::world::aws::scripted::Asked;

fn digests(count: usize) -> Vec<Digest> {
    (0..count).map(|number| Digest::of(number.to_string().as_bytes())).collect()
}

async fn all_images(answers: &[Answer]) -> (Result<Option<Vec<Held>>, WorldError>, Vec<Value>) {
    let endpoint = Endpoint::start().await;
    for answer in answers {
        endpoint.on("DescribeImages", answer.clone());
    }
    let images = Ecr::new(&endpoint.connection()).images(&name()).await;
    (images, endpoint.asked().iter().map(Asked::json).collect())
}

#[tokio::test]
async fn every_image_is_listed_a_thousand_a_page_until_there_is_no_next() {
    let all = digests(5);
    let pages = [
        details(&all[..2], Some("one")),
        details(&[], Some("two")),
        details(&all[2..4], Some("three")),
        details(&all[4..], Some("")),
    ];
    let (images, asked) = all_images(&pages).await;
    let found: Vec<Digest> =
        images.unwrap().unwrap().into_iter().map(|held| held.image.digest).collect();
    assert_eq!(found, all);
    let token = |body: &Value| body["nextToken"].as_str().map(str::to_owned);
    let tokens: Vec<Option<String>> = asked.iter().map(token).collect();
    assert_eq!(tokens, [None, Some("one".into()), Some("two".into()), Some("three".into())]);
    assert!(asked.iter().all(|body| body["maxResults"] == 1000), "{asked:?}");
    assert!(asked.iter().all(|body| body["repositoryName"] == "team/shop"), "{asked:?}");
}

#[tokio::test]
async fn what_an_image_is_about_is_read_and_nonsense_is_no_image() {
    let subject = digest();
    let detail = |about: &str| {
        let detail = json!({
            "imageDigest": Digest::of(b"attestation").as_str(), "subjectManifestDigest": about,
        });
        Answer::json(200, &json!({ "imageDetails": [detail] }))
    };
    let (images, _) = all_images(&[detail(subject.as_str())]).await;
    assert_eq!(images.unwrap().unwrap()[0].subject, Some(subject));
    let nameless = Answer::json(200, &json!({ "imageDetails": [{ "imageTags": ["v1"] }] }));
    // An empty object is no empty repository.
    for answer in [detail("nonsense"), nameless, Answer::json(200, &json!({}))] {
        let (images, _) = all_images(&[answer]).await;
        assert_eq!(kind(&images.unwrap_err()), "Broken");
    }
}

#[tokio::test]
async fn a_repository_that_goes_away_between_two_pages_is_not_there() {
    let gone = Answer::error(400, "RepositoryNotFoundException", "no");
    for pages in [vec![gone.clone()], vec![details(&digests(2), Some("more")), gone]] {
        assert_eq!(all_images(&pages).await.0, Ok(None));
    }
}

#[tokio::test]
async fn a_page_that_is_not_told_ends_the_list_and_is_no_shorter_list() {
    for (status, code, expected) in [
        (400, "AccessDeniedException", "refused"),
        (400, "ThrottlingException", "Throttled"),
        (500, "ServerException", "Broken"),
    ] {
        let pages = [details(&digests(2), Some("more")), Answer::error(status, code, "no")];
        let (images, _) = all_images(&pages).await;
        assert_eq!(kind(&images.unwrap_err()), expected, "{code}");
    }
    // Throttled once, the reading is patient.
    let pages = [
        details(&digests(1), Some("more")),
        Answer::error(400, "ThrottlingException", "slow"),
        details(&digests(2)[1..], None),
    ];
    let (images, asked) = all_images(&pages).await;
    assert_eq!((images.unwrap().unwrap().len(), asked.len()), (2, 3));
}

#[tokio::test]
async fn a_list_without_end_is_given_up() {
    let (images, asked) = all_images(&[details(&[], Some("again"))]).await;
    assert_eq!(kind(&images.unwrap_err()), "Broken");
    assert_eq!(asked.len(), 1_000);
}

#[tokio::test]
async fn indexes_are_read_a_hundred_a_call_and_those_that_went_away_are_left_out() {
    let indexes = digests(205);
    let part = Digest::of(b"part");
    let manifest = json!({ "manifests": [{ "digest": part.as_str() }] }).to_string();
    let endpoint = Endpoint::start().await;
    let answer = |digest: &Digest| {
        let id = json!({ "imageDigest": digest.as_str() });
        let failure = json!({ "imageId": { "imageDigest": indexes[7].as_str() },
            "failureCode": "ImageNotFound", "failureReason": "no" });
        let images = json!([{ "imageId": id, "imageManifest": manifest }]);
        Answer::json(200, &json!({ "images": images, "failures": [failure] }))
    };
    for some in [&indexes[0], &indexes[100], &indexes[200]] {
        endpoint.on("BatchGetImage", answer(some));
    }
    let found = Ecr::new(&endpoint.connection()).parts(&name(), &indexes).await.unwrap();
    let expected = [0, 100, 200].map(|place| (indexes[place].clone(), vec![part.clone()]));
    assert_eq!(found, BTreeMap::from(expected));
    let asked: Vec<Value> = endpoint.asked().iter().map(Asked::json).collect();
    let sizes: Vec<usize> =
        asked.iter().map(|body| body["imageIds"].as_array().unwrap().len()).collect();
    assert_eq!(sizes, [100, 100, 5]);
    let last = &asked[2]["imageIds"][4];
    assert_eq!(*last, json!({ "imageDigest": indexes[204].as_str() }));
}

#[tokio::test]
async fn an_index_that_cannot_be_read_is_not_taken_for_one_without_parts() {
    let entry = |text: &str| {
        let image = json!({ "imageId": { "imageDigest": digest().as_str() },
            "imageManifest": text });
        Answer::json(200, &json!({ "images": [image], "failures": [] }))
    };
    for answer in [
        entry("<html>"),
        entry(r#"{"manifests": [{"digest": "nonsense"}]}"#),
        Answer::json(200, &json!({})),
        Answer::text(200, ""),
    ] {
        let endpoint = Endpoint::start().await;
        endpoint.on("BatchGetImage", answer);
        let found = Ecr::new(&endpoint.connection()).parts(&name(), &[digest()]).await;
        assert_eq!(kind(&found.unwrap_err()), "Broken");
    }
}

#[tokio::test]
async fn what_became_of_each_image_is_what_ecr_says_of_it() {
    let images = digests(5);
    let id = |place: usize| json!({ "imageDigest": images[place].as_str() });
    let failure = |place: usize, code: &str, reason: &str| json!({ "imageId": id(place), "failureCode": code, "failureReason": reason });
    let answer = json!({
        // One image comes once for each of its tags.
        "imageIds": [
            { "imageDigest": images[0].as_str(), "imageTag": "v1" },
            { "imageDigest": images[0].as_str(), "imageTag": "v2" },
        ],
        "failures": [
            failure(1, "ImageNotFound", "Requested image not found"),
            failure(2, "ImageReferencedByManifestList", "referenced by an index"),
            failure(3, "A_LATER_WORD", "who knows"),
        ],
    });
    let endpoint = Endpoint::start().await;
    endpoint.on("BatchDeleteImage", Answer::json(200, &answer));
    let became = Ecr::new(&endpoint.connection()).delete(&name(), &images).await.unwrap();
    let refused =
        |code: &str, reason: &str| Deletion::Refused { code: code.into(), reason: reason.into() };
    let expected = [
        Deletion::Deleted,
        Deletion::NotThere,
        refused("ImageReferencedByManifestList", "referenced by an index"),
        refused("A_LATER_WORD", "who knows"),
        refused("unanswered", "ECR did not say what became of it"),
    ];
    assert_eq!(became, images.iter().cloned().zip(expected).collect::<Vec<_>>());
    // By digest alone: with a tag, ECR would take that tag away and leave the image.
    let asked = endpoint.asked()[0].json();
    let wanted: Vec<Value> = (0..5).map(id).collect();
    assert_eq!(asked, json!({ "repositoryName": "team/shop", "imageIds": wanted }));
}

#[tokio::test]
async fn a_deletion_is_sent_once_and_says_whether_it_may_have_happened() {
    for (answer, expected, code) in [
        (
            Answer::error(400, "RepositoryNotFoundException", "no"),
            "refused",
            Some("RepositoryNotFoundException"),
        ),
        (
            Answer::error(400, "AccessDeniedException", "no"),
            "refused",
            Some("AccessDeniedException"),
        ),
        (Answer::error(400, "ThrottlingException", "slow"), "Throttled", None),
        (Answer::error(400, "ExpiredTokenException", "old"), "ExpiredCredentials", None),
        (Answer::error(500, "ServerException", "oops"), "unanswered", None),
        (Answer::text(502, "<html>"), "unanswered", None),
        (Answer::text(200, ""), "unanswered", None),
        (Answer::text(200, "[]"), "unanswered", None),
    ] {
        let endpoint = Endpoint::start().await;
        let shown = format!("{answer:?}");
        endpoint.on("BatchDeleteImage", answer);
        let error = Ecr::new(&endpoint.connection()).delete(&name(), &digests(100)).await;
        let error = error.unwrap_err();
        assert_eq!((kind(&error).as_str(), error.code()), (expected, code), "{shown}");
        assert_eq!(endpoint.asked().len(), 1, "{shown}");
    }
    for (address, expected) in
        [(rude(Rude::Resets).await, "unanswered"), (closed().await, "Network")]
    {
        let error = Ecr::new(&connection_to(address)).delete(&name(), &digests(1)).await;
        assert_eq!(kind(&error.unwrap_err()), expected);
    }
}

#[tokio::test]
async fn a_lifecycle_policy_is_its_text_or_none_and_silence_is_neither() {
    let policy = Answer::json(200, &json!({ "lifecyclePolicyText": "{\"rules\":[]}" }));
    let refused = |code: &str| Answer::error(400, code, "no");
    for (answer, expected) in [
        (policy, Ok(Some("{\"rules\":[]}".to_owned()))),
        (refused("LifecyclePolicyNotFoundException"), Ok(None)),
        (refused("RepositoryNotFoundException"), Ok(None)),
        (refused("AccessDeniedException"), Err("refused")),
        (refused("ThrottlingException"), Err("Throttled")),
        (Answer::text(502, "<html>"), Err("Broken")),
    ] {
        let endpoint = Endpoint::start().await;
        endpoint.on("GetLifecyclePolicy", answer);
        let found = Ecr::new(&endpoint.connection()).lifecycle_policy(&name()).await;
        assert_eq!(found.map_err(|error| kind(&error)), expected.map_err(str::to_owned));
    }
}
