//! A world that was put away and is opened again: `sandbox --state`.

use super::super::trial::{BETTER, CRASHING, GOOD, Trial};
use super::MINUTE;
use crate::sandbox::Timestamp;

const HOUR: i64 = 60 * MINUTE;

/// The same world after it was written down, read again, and woken at that time by the clock; and by
/// how much the clock is behind it.
fn reopened(trial: &Trial, clock: Timestamp) -> (Trial, Timestamp) {
    let kept = serde_json::to_string(&trial.cloud).unwrap();
    let mut cloud: super::super::Cloud = serde_json::from_str(&kept).unwrap();
    let behind = cloud.wake(clock);
    (Trial { cloud, images: trial.images.clone(), now: clock + behind }, behind)
}

/// How long everything that is at work still takes, and how it ends.
fn rest(mut trial: Trial, operation: &str) -> (i64, Vec<&'static str>, &'static str) {
    let begun = trial.now;
    trial.rest();
    (trial.now - begun, trial.story(operation), trial.service().status.word())
}

#[test]
fn an_operation_under_way_takes_as_long_as_it_still_had_to_wherever_it_was() {
    for image in [BETTER, CRASHING] {
        let mut trial = Trial::running(&[]);
        let operation = trial.update(image);
        let mut places = 0;
        while let Some(due) = trial.cloud.next_due() {
            trial.wait(1);
            let (awake, behind) = reopened(&trial, trial.now + 5 * HOUR);
            assert_eq!(behind, 0);
            let mut just_opened = reopened(&trial, trial.now + 5 * HOUR).0;
            just_opened.wait(0);
            assert_eq!(
                just_opened.service().status,
                trial.service().status,
                "nothing happens by sleeping"
            );
            let undisturbed = reopened(&trial, trial.now).0;
            assert_eq!(rest(awake, &operation), rest(undisturbed, &operation), "{image} {places}");
            trial.wait((due - trial.now).max(0));
            places += 1;
        }
        assert!(places >= 4, "{places} stages are too few");
    }
}

#[test]
fn what_is_finished_stays_finished() {
    let mut trial = Trial::running(&[]);
    let updated = trial.update(BETTER);
    trial.rest();
    let (mut awake, _) = reopened(&trial, trial.now + 24 * HOUR);
    assert_eq!(awake.cloud.next_due(), None);
    awake.wait(24 * HOUR);
    assert_eq!(awake.service(), trial.service());
    assert_eq!(awake.story(&updated), ["IN_PROGRESS", "SUCCEEDED"]);
    assert_eq!(awake.events(), trial.events());
    // And it can be worked with.
    let next = awake.update(GOOD);
    awake.rest();
    assert_eq!(awake.story(&next), ["IN_PROGRESS", "SUCCEEDED"]);
}

#[test]
fn a_clock_that_went_back_holds_nothing_up_and_hides_nothing() {
    let mut trial = Trial::running(&[]);
    let operation = trial.update(BETTER);
    trial.wait(20_000);
    let undisturbed = rest(reopened(&trial, trial.now).0, &operation);
    let (mut awake, behind) = reopened(&trial, trial.now - 3 * HOUR);
    assert_eq!((behind, awake.now), (3 * HOUR, trial.now));
    assert_eq!(awake.service(), trial.service());
    let listed = awake.ok("ListOperations", awake.by_arn());
    assert_eq!(listed["OperationSummaryList"].as_array().unwrap().len(), 2, "{listed}");
    assert_eq!(rest(awake, &operation), undisturbed);
}

#[test]
fn maintenance_and_what_others_plan_wait_as_well() {
    let mut trial = Trial::running(&[]);
    trial.fault(serde_json::json!({
        "operation": "DescribeService", "kind": "maintenance", "service": "shop",
        "milliseconds": 10 * MINUTE,
    }));
    trial.fault(serde_json::json!({
        "operation": "DescribeService", "kind": "foreign", "service": "shop",
        "act": {"do": "deploy"}, "after-milliseconds": 20 * MINUTE,
    }));
    trial.ok("DescribeService", trial.by_arn());
    trial.wait(MINUTE);
    let (mut awake, _) = reopened(&trial, trial.now + HOUR);
    awake.wait(8 * MINUTE);
    assert_eq!(awake.service().status.word(), "OPERATION_IN_PROGRESS");
    awake.wait(2 * MINUTE);
    assert_eq!(awake.service().status.word(), "RUNNING");
    assert_eq!(awake.service().operations.len(), 1);
    awake.wait(9 * MINUTE);
    assert_eq!(awake.service().operations.len(), 2, "the stranger comes when he would have come");
}

#[test]
fn sleeping_twice_is_sleeping_once() {
    let mut trial = Trial::running(&[]);
    let operation = trial.update(BETTER);
    trial.wait(20_000);
    let once = reopened(&trial, trial.now + 2 * HOUR).0;
    let first = reopened(&trial, trial.now + HOUR).0;
    let twice = reopened(&first, first.now + HOUR).0;
    assert_eq!(rest(once, &operation), rest(twice, &operation));
}
