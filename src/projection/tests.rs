//! What the projections say of whole runs.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use super::examples::{self, every, morning};
use super::*;
use crate::config::value::AutoDeployments;
use crate::event::deployment::{Deployment, Intention};
use crate::event::{HealthReport, Observation};
use crate::names::DeploymentNumber;
use crate::plan::{Intent, Step};
use crate::problem::ExitCode;

#[test]
fn where_each_end_leaves_the_service() {
    let lines = every().into_iter().map(|(name, run)| format!("{name}: {}", standing(run.state())));
    insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"), @r##"
    good: `shop` runs v1.4.2 (906eba70).
    already live: `shop` runs v1.4.2 (906eba70).
    taken back by App Runner: Rolled back by App Runner itself to shop@906eba70, proven. v1.5.0 (2e0de819) stays in ECR.
    unhealthy, rolled back: Rolled back to shop@906eba70, proven. v1.5.0 (2e0de819) stays in ECR.
    stuck: Stuck: `shop` could be brought neither to v1.5.0 (2e0de819) nor back to shop@906eba70; what it runs now is not proven.
    interrupted: Paused after step 6 of 9 (change service). App Runner goes on with operation 8f2c1d7e0a4b4c6f9e1d2c3b4a5f6e7d by itself; it cannot be stopped.
    interrupted in doubt: Paused after step 5 of 9 (capture previous). The change may have reached App Runner, or not: `resume` looks first.
    interrupted going back: Paused on the way back to shop@906eba70. App Runner goes on with operation a1b2c3d4e5f60718293a4b5c6d7e8f90 by itself; it cannot be stopped.
    paused early: Paused after step 1 of 9 (preflight). Nothing was changed.
    first fails: There is nothing to roll back to: no release ran before this one. `shop` is left as App Runner left it; nothing serves there.
    first unhealthy: There is nothing to roll back to: no release ran before this one. `shop` is left as it is, configured with v0.1.0 (8c807b66).
    build fails: `shop` was not touched.
    rollback: `shop` runs the release of #17 (906eba70).
    attention: What `shop` shall run is for a person to decide; nothing more was changed.
    "##);
}

#[test]
fn what_the_gate_and_the_diagnosis_both_say_is_one_reason() {
    let mut event = examples::unfit(404, "the health path is wrong");
    if let crate::event::Event::HealthFailed { health, cause, .. } = &mut event {
        *cause = crate::diagnosis::unhealthy(health, &[]);
    }
    let run = examples::first_ends_with(event);
    let because = problem_of(run.state()).unwrap().because;
    assert_eq!(because, ["the health path is wrong"]);
}

#[test]
fn every_bad_end_is_a_problem_with_its_exit_code_and_something_to_type() {
    let mut codes = BTreeMap::new();
    for (name, run) in every() {
        let exit = run.state().exit_code();
        let problem = problem_of(run.state());
        assert_eq!(problem.is_some(), exit != ExitCode::Success, "{name}");
        let Some(problem) = problem else { continue };
        assert_eq!(problem.exit, exit, "{name}");
        assert!(!problem.leaves.is_empty() && !problem.next.is_empty(), "{name}");
        assert!(problem.next.last().unwrap().contains('`'), "{name}: {:?}", problem.next);
        codes.insert(name, format!("{} {}", exit.number(), problem.code));
    }
    insta::assert_debug_snapshot!(codes, @r##"
    {
        "attention": "16 attention",
        "build fails": "10 build-failed",
        "first fails": "12 wrong-port",
        "first unhealthy": "13 unhealthy",
        "interrupted": "130 interrupted",
        "interrupted going back": "130 interrupted",
        "interrupted in doubt": "130 interrupted",
        "paused early": "24 credentials-expired",
        "stuck": "15 service-paused",
        "taken back by App Runner": "12 wrong-port",
        "unhealthy, rolled back": "13 unhealthy",
    }
    "##);
}

#[test]
fn a_run_on_its_way_is_no_problem_and_every_prefix_has_a_standing() {
    for (name, run) in every() {
        for state in &run.states {
            assert!(standing(state).ends_with('.'), "{name}: {}", standing(state));
            assert!(!next_commands(state).is_empty(), "{name}");
            let silent = !state.is_over() && state.interrupted.is_none();
            assert!(!silent || problem_of(state).is_none(), "{name}");
        }
    }
}

#[test]
fn nothing_was_changed_is_said_only_before_the_first_effect() {
    for (name, run) in every() {
        for state in run.states.iter().filter(|s| standing(s).contains("Nothing was changed.")) {
            let touched = state.done.repository.is_some() || state.done.issued.is_some();
            assert!(!touched, "{name}: {}", standing(state));
        }
    }
}

#[test]
fn history_gives_each_deployment_its_verdict() {
    let rows = history(&examples::several());
    let verdicts: Vec<_> = rows.iter().map(|row| (row.number.0, row.verdict)).collect();
    let expected = [
        (16, Verdict::Good),
        (17, Verdict::Superseded),
        (18, Verdict::RolledBack),
        (19, Verdict::Live),
    ];
    assert_eq!(verdicts, expected);
    assert_eq!(rows[2].exit_code, Some(13));
    assert_eq!(rows[2].code.as_deref(), Some("unhealthy"));
    assert_eq!(rows[3].tag.as_ref().unwrap().as_str(), "v1.4.2");
    assert_eq!(rows[3].rollback_to, Some(DeploymentNumber(17)));
    assert_eq!(rows[3].took, Some(Duration::from_secs(138)));
}

/// Else nobody could tell which commit is live, and an older one would not be refused.
#[test]
fn a_rollback_to_a_rollback_is_named_by_what_was_deployed() {
    use keep::scene::{Act, Life};
    let acts = vec![
        Act::Good(0),
        Act::Good(1),
        Act::Back(0),
        Act::Good(1),
        Act::Back(0),
        Act::Good(1),
        Act::Back(0),
    ];
    let rows = history(&Life { acts, unfinished: None, drift: None }.records(0));
    let of_rollbacks = rows.iter().filter_map(|row| row.rollback_to);
    let is_rollback = |to: &DeploymentNumber| {
        rows.iter().any(|row| row.number == *to && row.rollback_to.is_some())
    };
    assert!(of_rollbacks.into_iter().any(|to| is_rollback(&to)), "a chain: {rows:#?}");
    assert!(rows.iter().all(|row| row.tag.is_some() && row.commit.is_some()), "{rows:#?}");
}

#[test]
fn a_rollback_to_a_dirty_tree_says_that_it_was_dirty() {
    let mut plan = examples::plan(17, "v1.4.2");
    let crate::plan::Intent::Deploy { target, .. } = &mut plan.intent else { unreachable!() };
    target.checkout.as_mut().unwrap().dirty = true;
    let mut records = examples::good_by(plan, "v1.4.1", morning()).announced().records;
    records.extend(examples::rollback().records);
    let dirty: Vec<bool> = history(&records).iter().map(|row| row.dirty).collect();
    assert_eq!(dirty, [true, true]);
}

#[test]
fn each_run_alone_has_its_verdict() {
    let verdicts: Vec<_> = every()
        .into_iter()
        .map(|(name, run)| format!("{name}: {}", history(&run.records)[0].verdict.words()))
        .collect();
    insta::assert_snapshot!(verdicts.join("\n"), @r##"
    good: live
    already live: live
    taken back by App Runner: rolled back
    unhealthy, rolled back: rolled back
    stuck: rollback failed
    interrupted: interrupted
    interrupted in doubt: interrupted
    interrupted going back: interrupted
    paused early: interrupted
    first fails: failed
    first unhealthy: failed
    build fails: failed
    rollback: live
    attention: attention
    "##);
}

#[test]
fn a_newer_event_makes_one_deployment_unreadable_and_no_other() {
    let mut records = examples::several();
    let raw = RawEvent { type_name: "ImageSigned".into(), data: serde_json::json!({}) };
    let at = records.iter().position(|r| r.deployment == Some(DeploymentNumber(17))).unwrap() + 2;
    records[at].event = Err(raw);
    let rows = history(&records);
    assert_eq!(rows[1].verdict, Verdict::Unknown);
    assert!(rows[1].note.as_ref().unwrap().contains("ImageSigned"));
    assert_eq!(rows[3].verdict, Verdict::Live);
    let told = story(&records, DeploymentNumber(17)).unwrap();
    assert!(told.moments.iter().any(|moment| moment.text.contains("ImageSigned")));
    assert!(told.problem.is_none() && told.proof.is_empty());
}

#[test]
fn status_names_the_live_release_the_one_before_and_what_is_unfinished() {
    let rest = status(&examples::several());
    assert_eq!(rest.live.unwrap().number, DeploymentNumber(19));
    assert_eq!(rest.previous_good.unwrap().number, DeploymentNumber(16));
    assert_eq!((rest.unfinished, rest.doubt), (None, None));

    let mut records = examples::good(17, "v1.4.2", "v1.4.1", morning()).records;
    records.extend(examples::interrupted().records);
    let status = status(&records);
    let unfinished = status.unfinished.unwrap();
    assert_eq!(status.live.unwrap().number, DeploymentNumber(17));
    assert_eq!(unfinished.row.number, DeploymentNumber(18));
    assert!(unfinished.standing.starts_with("Paused after step 6 of 9 (change service)."));
    assert_eq!(unfinished.next.first().unwrap(), "surefoot resume --service-name shop");
    assert!(status.doubt.is_some());
}

#[test]
fn nothing_at_all_is_a_status_too() {
    assert_eq!(status(&[]), Status::default());
    assert!(history(&[]).is_empty());
    assert!(story(&[], DeploymentNumber(1)).is_none());
}

#[test]
fn a_story_derives_what_the_old_scripts_kept_in_a_file() {
    let mut records = examples::good(17, "v1.4.2", "v1.4.1", morning()).records;
    records.extend(examples::unhealthy().records);
    let told = story(&records, DeploymentNumber(18)).unwrap();
    let record = &told.record;
    assert!(record.service_arn.is_some() && record.previous_digest_proven);
    assert_eq!(record.previous_tag.as_ref().unwrap().as_str(), "v1.4.2");
    assert_eq!(record.previous_digest.as_ref(), Some(&examples::digest("v1.4.2")));
    assert_eq!(record.target_tag.as_ref().unwrap().as_str(), "v1.5.0");
    assert_eq!(record.target_digest.as_ref(), Some(&examples::digest("v1.5.0")));
    assert_eq!(record.original_auto_deployments, Some(false));
    assert!(record.rollback_attempted && !record.taken_back_by_app_runner);
    assert_eq!(told.log, ["ffmpeg: not found", "serving anyway"]);
    assert_eq!(told.steps.iter().filter(|step| step.sent.is_some()).count(), 2);
    let json = serde_json::to_value(&told).unwrap();
    assert_eq!(json["record"]["rollback_attempted"], true);
    assert_eq!(json["number"], 18);

    let back = story(&examples::taken_back().records, DeploymentNumber(18)).unwrap().record;
    assert!(back.taken_back_by_app_runner && !back.rollback_attempted);
}

#[test]
fn a_pause_does_not_count_as_work() {
    let operation = "8f2c1d7e0a4b4c6f9e1d2c3b4a5f6e7d".parse().unwrap();
    let run = examples::interrupted()
        .write(3_600, Event::Resumed { backwards: false, proves_again: true })
        .write(7, Event::OperationSucceeded { operation });
    let told = story(&run.records, DeploymentNumber(18)).unwrap();
    assert_eq!(told.steps.last().unwrap().took, Some(Duration::from_secs(7)));
}

#[test]
fn what_was_turned_off_for_a_deployment_is_not_forgotten_where_it_ends_in_attention() {
    let with = |policy: AutoDeployments, intended: Option<Step>| {
        let mut state = examples::interrupted().state().clone();
        state.intention = intended.map(|step| Intention {
            step,
            observed: Observation::default(),
            payload: None,
            in_doubt: false,
        });
        state.plan.auto_deployments = policy;
        let captured = state.done.captured.as_mut().unwrap();
        captured.release.as_mut().unwrap().configuration.auto_deployments = true;
        let evidence = vec!["the newest operation is somebody else's".into()];
        standing(&state.evolve(&Event::AttentionNeeded { evidence }).unwrap())
    };
    let owed = "has not given them back";
    assert!(with(AutoDeployments::Restore, None).contains(owed));
    assert!(!with(AutoDeployments::Off, None).contains(owed), "then it was wanted");
    let begun = with(AutoDeployments::Restore, Some(Step::RestoreAutoDeployments));
    assert!(begun.contains("may not have given them back"), "{begun}");
}

#[test]
fn a_rollback_of_the_image_alone_is_told_as_one() {
    let mut plan = examples::rollback_plan(19, 17, "v1.4.2");
    if let Intent::Rollback { image_only, .. } = &mut plan.intent {
        *image_only = true;
    }
    let mut records = examples::good(17, "v1.4.2", "v1.4.1", morning()).records;
    records.extend(examples::unhealthy().records);
    let back = examples::went_back(plan, morning() + TimeDelta::hours(1));
    assert!(standing(back.state()).contains("the image of #17"), "{}", standing(back.state()));
    records.extend(back.records);
    let rows = history(&stream([records]));
    assert_eq!(rows.last().unwrap().note.as_deref(), Some("rollback to #17, image only"));
}

/// It was deployed, and never proven: that is no stranger's image.
#[test]
fn an_image_that_was_deployed_and_never_proven_is_named_by_its_deployment() {
    let mut unproven = examples::interrupted_at(17, "v1.4.2");
    unproven = unproven.write(5, Event::AttentionNeeded { evidence: vec!["x".into()] });
    let records = stream([unproven.records, examples::unhealthy().records]);
    let doubt = status(&records).doubt.unwrap();
    assert!(doubt.contains("of #17, which ended `attention`"), "{doubt}");
    let alone = status(&examples::unhealthy().records).doubt.unwrap();
    assert!(alone.contains("which surefoot did not deploy"), "{alone}");
}

#[test]
fn the_second_level_of_proof_needs_the_applications_own_word() {
    let run = examples::good(17, "v1.4.2", "v1.4.1", morning());
    let with = |version: Option<&str>| {
        let mut state: Deployment = run.state().clone();
        let health: &mut HealthReport = state.done.health.as_mut().unwrap();
        health.version = version.map(str::to_owned);
        proof_words(&state)
    };
    let first = "verified by identifier and operation";
    let second = "and by the application's own answer";
    assert_eq!(with(None), [first]);
    for own in ["v1.4.2", "8b71ff7", "8b71ff7c0ffee00000000000000000000000abcd"] {
        assert_eq!(with(Some(own)), [first, second], "{own}");
    }
    for foreign in ["v1.4.1", "8b7", ""] {
        assert_ne!(with(Some(foreign)).last().unwrap(), second, "{foreign}");
    }
}

/// Runs one after the other, as one stream.
fn stream(parts: impl IntoIterator<Item = Vec<Recorded>>) -> Vec<Recorded> {
    let mut records = parts.into_iter().flatten().collect::<Vec<_>>();
    for (sequence, record) in (1..).zip(&mut records) {
        record.sequence = sequence;
    }
    records
}

fn said(of: u64, good: bool) -> Vec<Recorded> {
    let number = DeploymentNumber(of);
    let reason = "a person said so".into();
    let event = Event::ReleaseMarked { deployment: number, good, reason };
    let (at, actor) = (morning(), "ada@laptop".into());
    vec![Recorded {
        sequence: 0,
        at,
        deployment: Some(number),
        actor,
        event: Ok(event),
        ci_run: None,
    }]
}

fn bad(parts: impl IntoIterator<Item = Vec<Recorded>>) -> Vec<String> {
    let bad = bad_releases(&stream(parts));
    bad.into_iter().map(|bad| format!("{} by {}: {}", bad.deployment, bad.by, bad.reason)).collect()
}

#[test]
fn an_image_that_was_rolled_back_is_bad_until_its_next_success() {
    let first = || examples::good(17, "v1.4.2", "v1.4.1", morning()).records;
    for failed in [examples::unhealthy(), examples::stuck()] {
        let named = bad([first(), failed.records.clone()]);
        assert!(named.len() == 1 && named[0].starts_with("#18 by "), "{named:?}");
        let again = examples::good(19, "v1.5.0", "v1.4.2", morning()).records;
        assert!(bad([first(), failed.records.clone(), again]).is_empty());
        let other = examples::good(19, "v1.6.0", "v1.4.2", morning()).records;
        assert_eq!(bad([first(), failed.records, other]).len(), 1);
    }
}

#[test]
fn an_image_that_failed_is_bad_under_what_it_failed_under_and_may_be_tried_under_something_else() {
    let bad = bad_releases(&stream([examples::unhealthy().records]));
    let (same, gate) = (examples::release("v1.5.0"), examples::plan(18, "v1.5.0").health);
    assert!(bad[0].is(&same, &gate));
    let mut elsewhere = same.clone();
    elsewhere.configuration.port = Some("9090".into());
    assert!(!bad[0].is(&elsewhere, &gate), "another port");
    let path = crate::config::HealthGate { path: "/other".into(), ..gate.clone() };
    assert!(!bad[0].is(&same, &path), "another health path");
    assert!(!bad[0].is(&examples::release("v1.6.0"), &gate), "another image");
    let version = crate::config::HealthGate { version: None, ..gate.clone() };
    assert!(bad[0].is(&same, &version), "the version it names is no reason to fail");
    let marked = bad_releases(&stream([examples::unhealthy().records, said(18, false)]));
    assert!(marked[0].is(&elsewhere, &path), "what a person said is said of the image");
}

#[test]
fn a_doubt_stands_until_a_deployment_proves_something() {
    let (good, doubtful) = (examples::good(16, "v1.4.1", "v1.4.0", morning()), examples::stuck());
    let records = stream([good.records.clone(), doubtful.records.clone()]);
    let doubt = status(&records).doubt;
    assert!(doubt.is_some());
    assert_eq!(last_good(&records).unwrap().row.number, DeploymentNumber(16));
    let mut untouched = examples::build_fails().records;
    for record in &mut untouched {
        record.deployment = Some(DeploymentNumber(19));
        if let Ok(Event::DeploymentPlanned(plan)) = &mut record.event {
            plan.number = DeploymentNumber(19);
        }
    }
    let records = stream([good.records, doubtful.records, untouched.clone()]);
    assert_eq!(status(&records).doubt, doubt, "it never touched the service");
    assert_eq!(last_good(&records).unwrap().row.number, DeploymentNumber(16));
    let again = examples::good(20, "v1.6.0", "v1.4.1", morning()).records;
    assert_eq!(status(&stream([records, again])).doubt, None);
}

#[test]
fn what_is_not_the_images_fault_is_not_held_against_it() {
    let run = examples::taken_back();
    assert_eq!(bad([run.records.clone()]).len(), 1);
    for code in ["access-role", "image-pull", "quota", "taken-back"] {
        let mut records = run.records.clone();
        for record in &mut records {
            match &mut record.event {
                Ok(Event::OperationFailed { cause: Some(cause), .. }) => cause.code = code.into(),
                Ok(Event::DeploymentRolledBack { because }) => because.code = code.into(),
                _ => {}
            }
        }
        assert!(bad([records]).is_empty(), "{code}");
    }
}

#[test]
fn a_mark_stands_until_the_next_mark_whatever_succeeds_in_between() {
    let run = |number, tag| examples::good(number, tag, "v1.4.0", morning()).records;
    assert_eq!(bad([run(16, "v1"), said(16, false)]), ["#16 by ada@laptop: a person said so"]);
    assert_eq!(bad([run(16, "v1"), said(16, false), run(17, "v1")]).len(), 1);
    assert!(bad([run(16, "v1"), said(16, false), run(17, "v1"), said(17, true)]).is_empty());
    assert!(bad([examples::unhealthy().records, said(18, true)]).is_empty());
}

#[test]
fn a_release_that_was_gone_back_from_is_bad_and_one_gone_forward_from_is_not() {
    let run = |number, tag| examples::good(number, tag, "v1.4.0", morning()).records;
    let back = |number, to, tag: &str| {
        let plan = examples::rollback_plan(number, to, tag);
        examples::went_back(plan, morning()).records
    };
    let records = stream([run(16, "v1"), run(17, "v2"), back(18, 16, "v1")]);
    let rows = history(&records);
    assert_eq!(rows[1].verdict, Verdict::Bad);
    assert_eq!(rows[1].note.as_deref(), Some("rolled back by #18"));
    assert_eq!(bad_releases(&records).len(), 1);
    assert!(last_good(&records).is_none(), "a bad one is not gone back to");
    let forward = back(19, 17, "v2");
    let records =
        stream([run(16, "v1"), run(17, "v2"), back(18, 16, "v1"), said(17, true), forward]);
    assert!(bad_releases(&records).is_empty(), "going forward again judges nothing");
    // The same image with another configuration: the image is not what was wrong.
    let records = stream([run(16, "v1"), run(17, "v1"), back(18, 16, "v1")]);
    assert_eq!(history(&records)[1].verdict, Verdict::Bad);
    assert!(bad_releases(&records).is_empty());
}

#[test]
fn what_is_said_of_a_deployment_afterwards_does_not_change_when_it_ended() {
    let run = examples::good(16, "v1", "v0", morning()).records;
    let before = history(&run)[0].ended_at;
    let mut marked = stream([run, said(16, false)]);
    marked.last_mut().unwrap().at += chrono::TimeDelta::days(3);
    assert_eq!(history(&marked)[0].ended_at, before);
}
