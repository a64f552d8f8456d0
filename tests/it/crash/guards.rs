//! One strike at one instant for guards that no sweep misses. `tests/guards/table.py` takes each away.

use surefoot::event::deployment::Phase;
use surefoot::problem::ExitCode;
use surefoot::sandbox::cloud::switches::{Accepted, Pull, Switches};
use surefoot::sandbox::door::ports::{Application, Kind, Mishap, Moment};
use surefoot::sandbox::simulation::Situation;
use surefoot::sandbox::simulation::matrix::{
    Meddling, Terrain, Trial, first_life, name, trial, trial_asleep, trial_on, trial_slow,
};

type End = (&'static str, Option<ExitCode>);

const SUCCEEDED: End = ("succeeded", Some(ExitCode::Success));
const ATTENTION: End = ("attention", Some(ExitCode::Attention));
const UNHEALTHY: End = ("rolled back", Some(ExitCode::Health));

/// The moments of a call when nothing strikes, in their order.
fn calls(terrain: &Terrain, situation: Situation, call: &str) -> Vec<Moment> {
    let undisturbed = trial_on(terrain, situation, &[]);
    undisturbed.moments.into_iter().filter(|moment| moment.call == call).collect()
}

/// The first call that changes the service.
fn change(terrain: &Terrain, situation: Situation) -> u64 {
    calls(terrain, situation, "UpdateService")[0].number
}

#[track_caller]
fn assert_ends(trial: &Trial, end: End) {
    assert_eq!(name(trial.end.as_ref()), end, "{:?}", trial.end.as_ref().map(|end| &end.phase));
    assert!(trial.violations.is_empty(), "{:?}", trial.violations);
}

/// A person who wants the way back never gets a deployment instead.
#[test]
fn taken_back_on_request_nothing_is_asked_for() {
    let terrain = Terrain { backwards: true, ..Terrain::default() };
    let change = change(&Terrain::default(), Situation::Update);
    let trial = trial_on(&terrain, Situation::Update, &[(change, Mishap::CutBefore)]);
    assert_ends(&trial, ("failed", Some(ExitCode::General)));
    assert!(trial.end.is_some_and(|end| end.done.issued.is_none()), "it was asked for");
}

/// Taken back on request while auto-deployments are given back: that update is ours, too, and must be
/// over before the way back begins.
#[test]
fn taken_back_on_request_while_the_flag_is_given_back_nobody_else_is_blamed() {
    let terrain = Terrain { backwards: true, ..Terrain::default() };
    let updates = calls(&Terrain::default(), Situation::Restore, "UpdateService");
    for cut in [Mishap::CutBefore, Mishap::CutAfter] {
        let trial = trial_on(&terrain, Situation::Restore, &[(updates[1].number, cut)]);
        assert_ends(&trial, ("rolled back", Some(ExitCode::General)));
        let asked = trial.moments.iter().filter(|moment| moment.call == "UpdateService").count();
        assert_eq!(asked, 3, "{cut:?}: the update, the flag, the way back");
    }
}

/// A call that arrives late carries its mark at once; its operation may be listed a minute later.
#[test]
fn the_list_is_given_its_time_once_a_late_call_has_arrived() {
    let terrain = Terrain::lagging();
    let updates = calls(&terrain, Situation::Restore, "UpdateService");
    let late = (updates[1].number, Mishap::Zombie(60_000));
    let trial = trial_on(&terrain, Situation::Restore, &[late]);
    assert_ends(&trial, SUCCEEDED);
    let end = trial.end.unwrap();
    assert!(end.done.given_back.is_some(), "nobody knows which operation it was: {:?}", end.done);
}

/// What answers while the health of the way back is asked may be somebody else's.
#[test]
fn a_stranger_while_the_way_back_is_asked_for_its_health_is_noticed() {
    let terrain = Terrain::default();
    let asks = calls(&terrain, Situation::Unhealthy, "GET");
    let trial = trial_asleep(&terrain, Situation::Unhealthy, asks.last().unwrap());
    assert_ends(&trial, ATTENTION);
}

/// The same where nothing was to be changed.
#[test]
fn a_stranger_while_what_is_live_already_is_asked_for_its_health_is_noticed() {
    let terrain = Terrain::default();
    let asks = calls(&terrain, Situation::NothingToChange, "GET");
    let trial = trial_asleep(&terrain, Situation::NothingToChange, asks.last().unwrap());
    assert_ends(&trial, ATTENTION);
}

/// A request that was given up arrives right before its repetition, which is refused then: that is no
/// refusal of the release. Everything lags, so that no look could have seen it.
#[test]
fn a_busy_service_after_an_unclear_call_means_go_and_look() {
    let terrain = Terrain::lagging();
    // The one looks RUNNING for a while longer, the other CREATE_FAILED.
    for situation in [Situation::Update, Situation::Rebuild] {
        let change = change(&terrain, situation);
        let trial = trial_on(&terrain, situation, &[(change, Mishap::Zombie(85_000))]);
        assert_ends(&trial, SUCCEEDED);
    }
}

/// A request that arrives late is found as long as the settle window looks.
#[test]
fn a_request_that_arrives_within_the_settle_window_is_found() {
    let terrain = Terrain::default();
    let change = change(&terrain, Situation::Update);
    for seconds in [1, 5, 20, 40, 59, 75, 89] {
        let late = Mishap::Zombie(seconds * 1_000);
        let trial = trial_on(&terrain, Situation::Update, &[(change, late)]);
        assert_ends(&trial, SUCCEEDED);
    }
}

/// Later than that nobody looks: it is one of two calls then, and whatever is said is true.
#[test]
fn a_request_that_arrives_after_the_settle_window_leads_to_no_false_verdict() {
    for situation in [Situation::Update, Situation::Unhealthy, Situation::Rollback] {
        let change = change(&Terrain::default(), situation);
        for seconds in [91, 120, 180, 240, 299] {
            let late = Mishap::Zombie(seconds * 1_000);
            let trial = trial(situation, &[(change, late)]);
            assert!(trial.violations.is_empty(), "{situation:?} {seconds}: {:?}", trial.violations);
        }
    }
}

/// The list may be stale at the very look before a call: our own journal knows our operations.
#[test]
fn an_operation_that_only_our_journal_knows_is_no_candidate() {
    let (terrain, situation) = (Terrain::default(), Situation::Unhealthy);
    let calm = trial_on(&terrain, situation, &[]);
    let back = calls(&terrain, situation, "UpdateService")[1].number;
    let before = |number: u64, so: &dyn Fn(&Moment) -> bool| {
        let mut earlier = calm.moments.iter().rev().filter(|moment| moment.number < number);
        earlier.find(|moment| so(moment)).unwrap().number
    };
    let intention = before(back, &|moment| moment.kind == Kind::Append);
    let listed = before(intention, &|moment| moment.call == "ListOperations");
    let stale = (listed, Mishap::Lag(300_000));
    let trial = trial_on(&terrain, situation, &[stale, (back, Mishap::CutAfter)]);
    assert_ends(&trial, UNHEALTHY);
}

/// A call that never arrived, and then something else that App Runner could not finish.
fn never_arrived(stranger: Meddling) -> Trial {
    let terrain = Terrain { stranger, ..Terrain::default() };
    let change = change(&Terrain::default(), Situation::Update);
    trial_on(&terrain, Situation::Update, &[(change, Mishap::CutBefore)])
}

#[test]
fn somebody_elses_broken_update_is_not_taken_for_ours() {
    assert_ends(&never_arrived(Meddling::BrokenImage), ATTENTION);
}

#[test]
fn somebody_elses_failed_restart_is_not_taken_for_ours() {
    assert_ends(&never_arrived(Meddling::FailedRestart), ATTENTION);
}

/// Nothing else can explain it: the one new operation is an update, and all is as it was before.
#[test]
fn an_update_that_app_runner_took_back_before_anybody_looked_is_ours() {
    let situation = Situation::AppRunnerTakesBack;
    let terrain = Terrain { between: Some(3_600_000), ..Terrain::default() };
    let change = change(&Terrain::default(), situation);
    let trial = trial_on(&terrain, situation, &[(change, Mishap::CutAfter)]);
    assert_ends(&trial, ("rolled back", Some(ExitCode::Update)));
}

/// Every second answer is a good one: never two in a row.
#[test]
fn good_answers_count_in_a_row_only() {
    let terrain = Terrain { target: Application::Moody, ..Terrain::default() };
    assert_ends(&trial_on(&terrain, Situation::Update, &[]), UNHEALTHY);
}

/// App Runner keeps a start command that an update does not name: then the release is not back whole.
#[test]
fn a_way_back_that_leaves_something_behind_is_not_called_one() {
    let terrain = Terrain { start_command: true, ..Terrain::default() };
    let trial = trial_on(&terrain, Situation::Unhealthy, &[]);
    assert_ends(&trial, ("rollback failed", Some(ExitCode::RollbackFailed)));
    let Some(Phase::RollbackFailed { failure, .. }) = trial.end.map(|end| end.phase) else {
        panic!("it did not fail");
    };
    assert_eq!(failure.code, "rollback-not-proven");
}

/// Where no call is ever answered the deployment pauses, after a few.
#[test]
fn a_call_that_is_never_answered_is_not_repeated_for_ever() {
    let mut asked = 0;
    let trial = first_life(Situation::Update, move |moment: &Moment| {
        asked += u32::from(moment.call == "UpdateService");
        match moment.call {
            "UpdateService" if asked > 10 => Some(Mishap::CutBefore),
            "UpdateService" => Some(Mishap::LostBefore),
            _ => None,
        }
    });
    assert!(trial.violations.is_empty(), "{:?}", trial.violations);
    assert_eq!(name(trial.end.as_ref()), ("unfinished", Some(ExitCode::Paused)));
    let asked = trial.moments.iter().filter(|moment| moment.call == "UpdateService").count();
    assert_eq!(asked, 3);
}

/// Lists of a service that everybody may read, and answers that lag: what AWS refuses to show after a
/// creation concludes nothing either.
#[test]
fn a_refused_look_for_the_address_of_a_creation_concludes_nothing() {
    let switches = Switches { service_lag_seconds: 30, ..Switches::default() };
    let terrain = Terrain { switches, ..Terrain::default() };
    let calm = trial_on(&terrain, Situation::Create, &[]);
    let create = calm.moments.iter().find(|moment| moment.call == "CreateService").unwrap().number;
    let looks = calm.moments.iter().filter(|moment| moment.call == "ListServices");
    for look in looks.filter(|look| look.number > create) {
        let trial = trial_on(&terrain, Situation::Create, &[(look.number, Mishap::Refused)]);
        assert_ends(&trial, SUCCEEDED);
    }
}

/// Where App Runner takes tags only it refuses the digest first; what a stranger does until the second
/// form is asked for is not overwritten.
#[test]
fn a_stranger_between_two_forms_of_a_change_is_noticed() {
    let switches = Switches { digest_identifier: Pull::Refused, ..Switches::default() };
    let terrain = Terrain { switches, ..Terrain::default() };
    let change = change(&terrain, Situation::UnhealthyAfterTag);
    let tags = calls(&terrain, Situation::UnhealthyAfterTag, "DescribeImages");
    let between = tags.iter().find(|moment| moment.number > change).unwrap();
    let trial = trial_asleep(&terrain, Situation::UnhealthyAfterTag, between);
    assert_ends(&trial, ("failed", Some(ExitCode::Update)));
}

/// The same where auto-deployments are given back, and refused beside a digest: a second form is asked
/// for only where nobody came since.
#[test]
fn a_stranger_between_two_forms_of_giving_the_flag_back_is_noticed() {
    let switches =
        Switches { auto_deployments_with_digest: Accepted::Refused, ..Switches::default() };
    let terrain = Terrain { switches, ..Terrain::default() };
    let updates = calls(&terrain, Situation::Restore, "UpdateService");
    let trial = trial_slow(&terrain, Situation::Restore, &updates[1]);
    let asked = trial.moments.iter().filter(|moment| moment.call == "UpdateService").count();
    assert_eq!(asked, 2, "the update, and the flag once");
}
