//! `surefoot verify`: proves again that the release that should be live is. Changes nothing.

use url::Url;

use super::setup::Setup;
use super::{guard, record, trouble};
use crate::event::HealthReport;
use crate::names::{DeploymentNumber, Digest, OperationId, service_address};
use crate::problem::{ExitCode, Problem};
use crate::projection::{self, Evidence, Expectation, Recorded, Sighting};
use crate::step;
use crate::view::documents::Verification;
use crate::world::service::{Operation, Service};
use crate::world::{Silence, World, WorldError};

/// Operations that are looked through for ours.
const OPERATIONS: usize = 100;

/// Every check of the proof, and 27 where it does not hold.
pub(super) async fn verify(setup: &Setup) -> Result<ExitCode, Problem> {
    let records = record::load(setup)?.map(|(_, records)| records).unwrap_or_default();
    let expected = projection::expectation(&records).ok_or_else(|| nothing(&records))?;
    guard::refuse_other_world(expected.endpoint.as_ref(), &expected.stream, setup)?;
    guard::refuse_another_region(&expected.stream, setup)?;
    let world = setup.world_at(&expected.stream);
    let asked = guard::refuse_another_account(&world, &expected.stream, setup).await;
    asked.map_err(not_asked)?;
    let evidence = evidence(&world, &records, &expected).await;
    let evidence = evidence
        .map_err(|error| not_asked(trouble::world(&error, Some(&expected.stream.region))))?;
    let findings = projection::verify(&expected, &evidence);
    let exit = projection::verdict(&findings);
    setup.view.data(&Verification {
        service: expected.stream.clone(),
        endpoint: expected.endpoint.clone(),
        number: expected.number,
        image: expected.release.image.short(),
        findings,
    });
    Ok(exit)
}

/// Silence is not drift, and nothing stands before this as it does before a deployment: it can be asked
/// again.
fn not_asked(mut problem: Problem) -> Problem {
    if matches!(problem.code.as_str(), "aws-unreachable" | "preflight-refused") {
        problem.exit = ExitCode::Paused;
        problem.leaves = "Nothing was proven, and nothing contradicts the proof.".into();
        problem.next.push("ask again: `surefoot verify`".into());
    }
    problem
}

fn nothing(records: &[Recorded]) -> Problem {
    let what = "the journal proves no release, so there is nothing to prove again";
    let problem = Problem::new(ExitCode::Drift, "nothing-proven", what);
    match projection::status(records).last {
        None => problem
            .because("nothing was deployed from here")
            .hint("bring its history in: `surefoot journal import FILE`")
            .hint("or deploy: `surefoot deploy`"),
        Some(last) => problem
            .because(format!("{} ended `{}`", last.number, last.verdict.words()))
            .hint(format!("see it: `surefoot show {}`", last.number.0)),
    }
}

async fn evidence(
    world: &World,
    records: &[Recorded],
    expected: &Expectation,
) -> Result<Evidence, WorldError> {
    let service = world.services.find(&expected.stream.service).await?;
    let operations = match &service {
        Some(service) => operations(world, service).await,
        None => Ok(Vec::new()),
    };
    let newest = operations.as_ref().ok().and_then(|listed| listed.first()).cloned();
    let known = |by: fn(&[Recorded], &OperationId) -> bool| {
        newest.as_ref().is_some_and(|operation| by(records, &operation.id))
    };
    let begun_here = known(projection::began_operation);
    let ours = known(projection::knows_operation);
    let seen = Sighting { service, newest, ours, awaited: None };
    let unfinished = projection::status(records).unfinished;
    Ok(Evidence {
        health: health(world, expected, &seen).await,
        held: held(world, expected).await.map_err(|error| error.to_string()),
        unfinished: unfinished
            .map(|one| format!("{} is unfinished: {}", one.row.number, one.standing)),
        way_back: way_back(records, expected),
        seen,
        begun_here,
        operations,
    })
}

async fn operations(world: &World, service: &Service) -> Result<Vec<Operation>, String> {
    let listed = world.services.operations(&service.arn, Some(OPERATIONS)).await;
    listed.map_err(|error| error.to_string())
}

fn way_back(records: &[Recorded], expected: &Expectation) -> Option<DeploymentNumber> {
    let mut once_live = projection::once_live(records).into_iter();
    let same = |one: &projection::Candidate| one.release == expected.release;
    once_live.find(|one| same(one) && one.row.verdict.is_good()).map(|one| one.row.number)
}

/// What the registry holds under the very identifier that the service is configured with.
async fn held(world: &World, expected: &Expectation) -> Result<Option<Digest>, WorldError> {
    let image = &expected.release.image;
    let found = world.registry.image(&image.repository, &image.reference).await?;
    Ok(found.map(|image| image.digest))
}

async fn health(
    world: &World,
    expected: &Expectation,
    seen: &Sighting,
) -> Result<HealthReport, String> {
    let host = seen.service.as_ref().map(|service| service.url.as_str()).unwrap_or_default();
    let address = Url::parse(&service_address(host, expected.endpoint.as_deref()));
    let address =
        address.map_err(|error| format!("App Runner names no usable address: {error}"))?;
    Ok(step::health(world, &Silence, &expected.gate, &address).await)
}
