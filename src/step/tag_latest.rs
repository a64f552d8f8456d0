//! Lets `latest` name the image, once the service is pinned to its digest: never before, so that no
//! auto-deployment races our own update.
//!
//! Leaves behind: the tag. Undo: none. A refusal is said and changes no verdict.

use super::settling::attention;
use super::{Bench, Outcome, StepError, strangers};
use crate::event::Event;
use crate::names::{Digest, Reference, RepositoryName, Tag};
use crate::plan::TargetOrigin;
use crate::world::WorldError;

/// It names it already, or never may.
pub(super) async fn inspect(bench: &Bench<'_>) -> Result<Option<Outcome>, StepError> {
    if let Some((_, false)) = bench.deployment.done.repository {
        let why = "tags in this repository are immutable".to_owned();
        return Ok(Some(Event::LatestTagged { skipped: Some(why) }.into()));
    }
    let Some((repository, digest)) = image(bench) else {
        let why = "the digest is not known".to_owned();
        return Ok(Some(Event::LatestTagged { skipped: Some(why) }.into()));
    };
    let evidence = strangers::since(bench).await?;
    if !evidence.is_empty() {
        return Ok(Some(attention(evidence).into()));
    }
    let named = bench.world.registry.image(repository, &Reference::Tag(latest())).await?;
    let same = named.is_some_and(|image| image.digest == *digest);
    Ok(same.then(|| Event::LatestTagged { skipped: None }.into()))
}

/// Moves the tag.
pub(super) async fn perform(bench: &Bench<'_>) -> Result<Outcome, StepError> {
    let (repository, digest) = image(bench).expect("inspected before");
    let skipped = match bench.world.registry.tag(repository, digest, &latest()).await {
        Ok(()) => None,
        Err(WorldError::Refused { message, .. }) => Some(message),
        Err(error) => return Err(error.into()),
    };
    Ok(Event::LatestTagged { skipped }.into())
}

fn image<'a>(bench: &'a Bench<'_>) -> Option<(&'a RepositoryName, &'a Digest)> {
    let target = bench.deployment.plan.target()?;
    let pushed = bench.deployment.done.pushed.as_ref().map(|(digest, _)| digest);
    let planned = match &target.origin {
        TargetOrigin::Registry { image } => image.digest(),
        TargetOrigin::Build { .. } => None,
    };
    Some((&target.repository, pushed.or(planned)?))
}

fn latest() -> Tag {
    "latest".parse().expect("`latest` is a tag")
}
