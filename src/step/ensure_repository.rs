//! Makes sure that the repository exists.
//!
//! Leaves behind: its URI. Undo: none; an empty repository harms nobody.

use super::{Bench, Outcome, StepError};
use crate::event::Event;
use crate::names::{RepositoryName, Tag};
use crate::world::registry::Repository;

/// It exists.
pub(super) async fn inspect(bench: &Bench<'_>) -> Result<Option<Outcome>, StepError> {
    let Some(name) = repository(bench) else { return Ok(None) };
    let found = bench.world.registry.find(name).await?;
    Ok(found.map(|repository| ensured(&repository, false)))
}

/// Creates it.
pub(super) async fn perform(bench: &Bench<'_>) -> Result<Outcome, StepError> {
    let name = repository(bench).expect("only deployments of an image ensure a repository");
    let created = bench.world.registry.create(name).await?;
    Ok(ensured(&created, true))
}

fn repository<'a>(bench: &'a Bench<'_>) -> Option<&'a RepositoryName> {
    bench.deployment.plan.target().map(|target| &target.repository)
}

fn ensured(repository: &Repository, created: bool) -> Outcome {
    let latest: Tag = "latest".parse().expect("`latest` is a tag");
    let latest_may_move = repository.mutability.may_move(&latest);
    Event::RepositoryEnsured { uri: repository.uri.clone(), created, latest_may_move }.into()
}
