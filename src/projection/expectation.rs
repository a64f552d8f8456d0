//! What must be true of the service now, by the log: what `status` compares and `verify` proves.

use super::Recorded;
use super::fold::{Folded, fold};
use super::live::left_live;
use crate::config::HealthGate;
use crate::event::deployment::{Deployment, Phase};
use crate::event::{Event, Proof, RolledBackBy};
use crate::names::{DeploymentNumber, Digest, OperationId, StreamName};
use crate::plan::identity::restore_mark;
use crate::release::Release;
use crate::world::service::OperationStatus;

/// What must be true of the service now.
#[derive(Debug, Clone, PartialEq)]
pub struct Expectation {
    /// The service.
    pub stream: StreamName,
    /// An endpoint other than AWS itself.
    pub endpoint: Option<String>,
    /// The deployment that left it so.
    pub number: DeploymentNumber,
    /// What it must run.
    pub release: Release,
    /// The digest of its image, as far as known.
    pub digest: Option<Digest>,
    /// The mark it must carry; none where the log does not know.
    pub mark: Option<String>,
    /// The operation that brought it; none where it was live already.
    pub operation: Option<OperationId>,
    /// How that operation must have ended.
    pub ended: OperationStatus,
    /// How it is asked whether it is well.
    pub gate: HealthGate,
}

/// What the newest deployment with a proven end left behind; none where there is no such.
pub fn expectation(records: &[Recorded]) -> Option<Expectation> {
    let folded = fold(records);
    folded.iter().rev().find_map(|one| {
        let state = one.state.as_ref().ok()?;
        Some(expected(one, state, left_live(state)?))
    })
}

/// The health path that a deployment was proven with.
pub fn proven_path(records: &[Recorded], number: DeploymentNumber) -> Option<String> {
    let folded = fold(records);
    let one = folded.iter().find(|one| one.number == number)?;
    one.state.as_ref().ok().map(|state| state.plan.health.path.clone())
}

fn expected(one: &Folded<'_>, state: &Deployment, release: Release) -> Expectation {
    let plan = &state.plan;
    let mut expectation = Expectation {
        stream: plan.stream.clone(),
        endpoint: plan.endpoint.clone(),
        number: one.number,
        digest: release.image.digest().cloned(),
        release,
        mark: None,
        operation: None,
        ended: OperationStatus::Succeeded,
        gate: plan.health.clone(),
    };
    if let (Phase::RolledBack { .. }, Some(path)) = (&state.phase, &plan.previous_path) {
        expectation.gate.path.clone_from(path);
    }
    match state.phase {
        Phase::RolledBack { .. } => after_the_way_back(one, &mut expectation),
        _ => after_success(one, state, &mut expectation),
    }
    expectation
}

fn after_success(one: &Folded<'_>, state: &Deployment, expectation: &mut Expectation) {
    if let Some(proof) = &state.done.proof {
        take(proof, expectation);
    } else if let Some(captured) = &state.done.captured {
        // Nothing was asked for: the service carries what it carried before.
        expectation.mark.clone_from(&captured.mark);
    }
    // A second update gave auto-deployments back, with a mark of its own.
    if let Some(operation) = restored(one) {
        expectation.operation = Some(operation.clone());
        expectation.mark = Some(restore_mark(&state.plan.id).as_str().to_owned());
        expectation.release.configuration.auto_deployments = true;
    }
}

fn restored<'a>(one: &Folded<'a>) -> Option<&'a OperationId> {
    events(one).rev().find_map(|event| match event {
        Event::AutoDeploymentsRestored { operation, refused: None } => operation.as_ref(),
        _ => None,
    })
}

/// What is asserted of a newer release's answer is not asked of an older one.
fn after_the_way_back(one: &Folded<'_>, expectation: &mut Expectation) {
    expectation.gate.assertions = Vec::new();
    expectation.gate.version = None;
    let back = events(one).rev().find_map(|event| match event {
        Event::RollbackVerified { by, proof, .. } => Some((*by, proof)),
        _ => None,
    });
    let Some((by, proof)) = back else { return };
    take(proof, expectation);
    if by == RolledBackBy::AppRunner {
        expectation.ended = OperationStatus::RollbackSucceeded;
    }
}

fn take(proof: &Proof, expectation: &mut Expectation) {
    expectation.digest = proof.digest.clone().or(expectation.digest.take());
    expectation.mark.clone_from(&proof.mark);
    expectation.operation.clone_from(&proof.operation);
}

fn events<'a>(one: &Folded<'a>) -> impl DoubleEndedIterator<Item = &'a Event> {
    one.events.iter().filter_map(|record| record.event.as_ref().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::projection::examples;

    #[test]
    fn what_each_end_leaves_to_be_expected() {
        let lines = examples::every().into_iter().map(|(name, run)| {
            let Some(expected) = expectation(&run.records) else {
                return format!("{name}: nothing is proven");
            };
            let Expectation { number, release, operation, ended, .. } = &expected;
            let operation = operation.as_ref().map_or("none".into(), ToString::to_string);
            format!("{name}: {number} {} by {operation} {ended}", release.image.short())
        });
        insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"), @r##"
        good: #17 shop@906eba70 by 8f2c1d7e0a4b4c6f9e1d2c3b4a5f6e7d SUCCEEDED
        already live: #18 shop@906eba70 by none SUCCEEDED
        taken back by App Runner: #18 shop@906eba70 by 8f2c1d7e0a4b4c6f9e1d2c3b4a5f6e7d ROLLBACK_SUCCEEDED
        unhealthy, rolled back: #18 shop@906eba70 by a1b2c3d4e5f60718293a4b5c6d7e8f90 SUCCEEDED
        stuck: nothing is proven
        interrupted: nothing is proven
        interrupted in doubt: nothing is proven
        interrupted going back: nothing is proven
        paused early: nothing is proven
        first fails: nothing is proven
        first unhealthy: nothing is proven
        build fails: nothing is proven
        rollback: #19 shop@906eba70 by a1b2c3d4e5f60718293a4b5c6d7e8f90 SUCCEEDED
        attention: nothing is proven
        "##);
    }

    #[test]
    fn an_unfinished_deployment_leaves_what_was_proven_before_it() {
        let mut records = examples::good(17, "v1.4.2", "v1.4.1", examples::morning()).records;
        records.extend(examples::interrupted().records);
        let expected = expectation(&records).unwrap();
        assert_eq!(expected.number, DeploymentNumber(17));
        assert_eq!(expected.digest, Some(examples::digest("v1.4.2")));
    }

    #[test]
    fn auto_deployments_given_back_are_no_drift() {
        use crate::config::value::AutoDeployments;
        use crate::plan::Step;
        let mut plan = examples::plan(17, "v1.4.2");
        plan.auto_deployments = AutoDeployments::Restore;
        plan.steps.push(Step::RestoreAutoDeployments);
        let run = examples::good_by(plan.clone(), "v1.4.1", examples::morning()).then(
            9,
            Event::AutoDeploymentsRestored {
                operation: Some("c".repeat(32).parse().unwrap()),
                refused: None,
            },
        );
        let records = run.announced().records;
        let expected = expectation(&records).unwrap();
        assert_eq!(expected.mark.as_deref(), Some(restore_mark(&plan.id).as_str()));
        assert_eq!(expected.operation.unwrap().to_string(), "c".repeat(32));
        assert!(expected.release.configuration.auto_deployments);
    }
}
