use std::collections::BTreeMap;

use chrono::TimeDelta;
use serde_json::json;

use super::scene::{digest_of, stream};
use super::*;
use crate::names::ImageIdentifier;
use crate::projection::examples::{good, morning, release};
use crate::world::registry::Image;
use crate::world::service::ServiceStatus;

fn held(number: usize, tags: &[&str], days: i64) -> Held {
    Held {
        image: Image {
            digest: digest_of(number),
            tags: tags.iter().map(|&tag| tag.to_owned()).collect(),
            size: 7,
            pushed_at: Some(morning() - TimeDelta::days(days)),
            media_type: Some("application/vnd.oci.image.manifest.v1+json".into()),
        },
        subject: None,
    }
}

fn limits() -> Limits {
    Limits { keep: 1, older_than: None, grace: Duration::from_hours(2), own_tags: Vec::new() }
}

fn picture(images: Vec<Held>, services: Vec<Running>, memories: Vec<Memory>) -> Picture {
    let name = "shop".parse().unwrap();
    Picture::new(name, images, BTreeMap::new(), services, memories, morning())
}

fn running(place: usize, image: Option<ImageIdentifier>, mark: Option<&str>) -> Running {
    Running {
        name: stream(place).service,
        status: ServiceStatus::Running,
        image,
        mark: mark.map(str::to_owned),
    }
}

#[test]
fn a_policy_is_named_where_a_rule_of_it_would_delete_what_is_kept() {
    let images = vec![held(1, &["stable"], 1), held(2, &["stable-2"], 20), held(3, &[], 30)];
    let picture = picture(images, Vec::new(), Vec::new());
    let choices = choose(&picture, &limits());
    let rule = |priority: u64, selection: serde_json::Value| json!({"rulePriority": priority, "selection": selection, "action": {"type": "expire"}});
    let aged = |status: &str, days: u64| {
        json!({"tagStatus": status, "countType": "sinceImagePushed", "countUnit": "days",
            "countNumber": days})
    };
    let warnings = |rules: serde_json::Value| {
        lifecycle_warnings(&json!({ "rules": rules }).to_string(), &picture, &choices)
    };
    // Only what is not kept goes.
    assert!(warnings(json!([rule(1, aged("untagged", 14))])).is_empty());
    let now = warnings(json!([rule(1, aged("any", 14))]));
    assert!(
        now.len() == 1 && now[0].contains("rule 1 ") && now[0].contains("delete 1 of"),
        "{now:?}"
    );
    let in_time = warnings(json!([rule(4, aged("any", 90))]));
    assert!(in_time[0].contains("will in time delete 2"), "{in_time:?}");
    // The first rule that selects an image decides about it.
    let few = json!({"tagStatus": "tagged", "tagPatternList": ["stable-*"],
        "countType": "imageCountMoreThan", "countNumber": 5});
    let both = warnings(json!([rule(2, aged("any", 14)), rule(1, few)]));
    assert!(
        both.len() == 1 && both[0].contains("rule 2 ") && both[0].contains("in time"),
        "{both:?}"
    );
    // What moves an image to the archive deletes nothing; and what is about the archive is not about these.
    let moving = |priority: u64, selection: serde_json::Value| {
        json!({"rulePriority": priority, "selection": selection,
        "action": {"type": "transition", "targetStorageClass": "archive"}})
    };
    let moved = warnings(json!([moving(1, aged("any", 14))]));
    assert!(moved.len() == 1 && moved[0].contains("would archive 1 of"), "{moved:?}");
    assert!(moved[0].contains("cannot pull") && !moved[0].contains("delete"), "{moved:?}");
    let unpulled = json!({"tagStatus": "any", "countType": "sinceImagePulled", "countUnit": "days",
        "countNumber": 1});
    let unpulled = warnings(json!([moving(1, unpulled)]));
    assert!(unpulled[0].contains("will in time archive 2"), "{unpulled:?}");
    let mut archived = aged("any", 1);
    archived["storageClass"] = "archive".into();
    assert!(warnings(json!([rule(1, archived)])).is_empty());
    assert_eq!(lifecycle_warnings("garbage", &picture, &choices).len(), 1);
}

#[test]
fn a_policy_is_named_with_the_image_that_is_needed_most() {
    let repository = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop";
    let runs = ImageIdentifier::by_digest(repository, &digest_of(3)).unwrap();
    let images = vec![held(1, &["stable"], 10), held(2, &["latest"], 20), held(3, &["old"], 30)];
    let picture = picture(images, vec![running(0, Some(runs), None)], Vec::new());
    let choices = choose(&picture, &limits());
    for number in [0, 1] {
        let any =
            json!({"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": number});
        let rules =
            json!({"rules": [{"rulePriority": 1, "selection": any, "action": {"type": "expire"}}]});
        let warnings = lifecycle_warnings(&rules.to_string(), &picture, &choices);
        assert!(warnings[0].contains("runs it)"), "{warnings:?}");
    }
}

#[test]
fn what_is_missing_is_named_and_only_an_unknown_past_can_be_accepted() {
    let ours = remember(&stream(0), &good(1, "v1", "v0", morning()).records);
    let mark = ours.marks.iter().next().unwrap().clone();
    let image = || Some(release("v1").image);
    let name = |place: usize| stream(place).service;
    let busy =
        Running { status: ServiceStatus::OperationInProgress, ..running(0, image(), Some(&mark)) };
    let seen = |services: Vec<Running>| picture(Vec::new(), services, vec![ours.clone()]);
    let missing_of = |services: Vec<Running>| missing(&seen(services), 1, &[]);
    assert_eq!(missing_of(vec![running(0, image(), Some(&mark))]), []);
    assert_eq!(missing_of(vec![running(1, None, None)]), [], "another repository, or none");
    assert_eq!(missing_of(vec![busy.clone()]), [Missing::Busy { service: name(0) }]);
    let unknown = vec![running(0, image(), Some("somebody")), running(1, image(), None)];
    let expected =
        [Missing::OtherJournal { service: name(0) }, Missing::NoHistory { service: name(1) }];
    assert_eq!(missing_of(unknown.clone()), expected);
    assert_eq!(missing(&seen(unknown), 1, &[name(0), name(1)]), []);
    assert_eq!(
        missing(&seen(vec![busy]), 1, &[name(0)]).len(),
        1,
        "what is at work is never accepted"
    );
    let mut newer = ours.clone();
    newer.unreadable = vec![crate::names::DeploymentNumber(2)];
    assert_eq!(missing(&picture(Vec::new(), Vec::new(), vec![newer]), 1, &[]).len(), 1);
    let mut index = held(1, &[], 9);
    index.image.media_type = Some("application/vnd.oci.image.index.v1+json".into());
    let unread = picture(vec![index], Vec::new(), vec![ours.clone()]);
    assert_eq!(missing(&unread, 1, &[]), [Missing::UnreadIndex { index: digest_of(1) }]);
}

/// Releases that differ in their configuration alone share an image, and take one place; what is live
/// takes none.
#[test]
fn so_many_images_are_kept_besides_the_live_one() {
    let mut memory = remember(&stream(0), &good(1, "v1", "v0", morning()).records);
    let named = |number: usize, image: usize| Named {
        number: crate::names::DeploymentNumber(number as u64),
        verdict: crate::projection::Verdict::Superseded,
        digest: Some(digest_of(image)),
        image: None,
    };
    memory.live = Some(named(10, 1));
    memory.targets = vec![named(9, 1), named(7, 2), named(6, 2), named(5, 3), named(4, 4)];
    (memory.good, memory.unsettled) = (Vec::new(), Vec::new());
    let images = (1..=4).map(|number| held(number, &[], 30)).collect();
    let picture = picture(images, Vec::new(), vec![memory]);
    let choices = choose(&picture, &Limits { keep: 2, ..limits() });
    let gone: Vec<_> = choices.iter().filter(|choice| choice.goes()).collect();
    assert_eq!(gone.len(), 1, "{choices:?}");
    assert_eq!(gone[0].held.image.digest, digest_of(4));
}

#[test]
fn a_journal_that_began_anew_is_trusted_once_enough_has_come_since() {
    let mut memory = remember(&stream(0), &good(1, "v1", "v0", morning()).records);
    let target = Named { number: crate::names::DeploymentNumber(1), ..memory.named[0].clone() };
    memory.found = vec![(crate::projection::RECOVERED, "mark of another journal".into())];
    memory.targets = vec![target];
    let picture = picture(Vec::new(), Vec::new(), vec![memory]);
    let service = stream(0).service;
    assert_eq!(missing(&picture, 2, &[]), [Missing::BeganAnew { service: service.clone() }]);
    assert_eq!(missing(&picture, 2, &[service]), []);
    assert_eq!(missing(&picture, 1, &[]), []);
}

#[test]
fn what_another_journal_deployed_in_between_leaves_a_gap_unless_that_is_known_here() {
    let mut memory = remember(&stream(0), &good(1, "v1", "v0", morning()).records);
    let target = Named { number: crate::names::DeploymentNumber(1), ..memory.named[0].clone() };
    let number = crate::names::DeploymentNumber(2);
    let later = Named { number, ..target.clone() };
    memory.found = vec![(number, "mark of another journal".into())];
    memory.targets = vec![later, target];
    let mut clone = memory.clone();
    clone.found.clear();
    clone.marks = ["mark of another journal".to_owned()].into();
    let service = stream(0).service;
    let alone = picture(Vec::new(), Vec::new(), vec![memory.clone()]);
    let gap = Missing::Between { service: service.clone(), number };
    assert_eq!(missing(&alone, 2, &[]), [gap], "one release since");
    assert_eq!(missing(&alone, 2, &[service]), []);
    assert_eq!(missing(&alone, 1, &[]), []);
    assert_eq!(missing(&picture(Vec::new(), Vec::new(), vec![memory, clone]), 2, &[]), []);
}

#[test]
fn a_run_has_its_limit_and_so_has_a_call() {
    let images = (0..LARGEST_RUN + 50).map(|number| held(number, &[], 9)).collect();
    let picture = picture(images, Vec::new(), Vec::new());
    let calls = calls(&picture, &choose(&picture, &limits()));
    assert!(calls.iter().all(|call| call.len() <= 100));
    assert_eq!(calls.iter().map(Vec::len).sum::<usize>(), LARGEST_RUN);
}

#[test]
fn an_image_of_unknown_age_and_one_from_the_future_stay() {
    let mut ageless = held(1, &[], 9);
    ageless.image.pushed_at = None;
    let images = vec![ageless, held(2, &[], -9), held(3, &[], 9)];
    let choices = choose(&picture(images, Vec::new(), Vec::new()), &limits());
    let going: Vec<&Digest> =
        choices.iter().filter(|one| one.goes()).map(|one| &one.held.image.digest).collect();
    assert_eq!(going, [&digest_of(3)]);
}
