//! `surefoot verify`: proves again that the release that should be live is. Changes nothing.

use url::Url;

use super::setup::Setup;
use super::{guard, record, status, trouble};
use crate::event::HealthReport;
use crate::names::{DeploymentNumber, Digest, service_address};
use crate::problem::{ExitCode, Problem};
use crate::projection::{self, Evidence, Expectation, Recorded, Sighting};
use crate::step;
use crate::view::documents::Verification;
use crate::world::service::Operation;
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
    guard::refuse_another_account(&world, &expected.stream, setup).await?;
    let evidence = evidence(&world, &records, &expected).await;
    let evidence =
        evidence.map_err(|error| trouble::world(&error, Some(&expected.stream.region)))?;
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

fn nothing(records: &[Recorded]) -> Problem {
    let what = "the journal proves no release, so there is nothing to prove again";
    let problem = Problem::new(ExitCode::Drift, "nothing-proven", what);
    match projection::status(records).last {
        None => problem.because("nothing was deployed from here").hint("deploy: `surefoot deploy`"),
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
    let seen = status::sighting(world, records).await?;
    let operations: Vec<Operation> = match &seen.service {
        Some(service) => world.services.operations(&service.arn, Some(OPERATIONS)).await?,
        None => Vec::new(),
    };
    let unfinished = projection::status(records).unfinished;
    Ok(Evidence {
        health: health(world, expected, &seen).await,
        held: held(world, expected).await.map_err(|error| error.to_string()),
        unfinished: unfinished
            .map(|one| format!("{} is unfinished: {}", one.row.number, one.standing)),
        way_back: way_back(records, expected),
        seen,
        operations,
    })
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
