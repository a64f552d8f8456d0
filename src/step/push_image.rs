//! Pushes the image and reads its digest back from the registry.
//!
//! Leaves behind: an image with a tag. Undo: none; an unused image harms nobody. Pushing twice is
//! pushing once: content is addressed by its hash.

use super::{Bench, Outcome, StepError};
use crate::event::{Event, Failure};
use crate::names::{Digest, ImageIdentifier, Reference};
use crate::plan::Target;
use crate::problem::ExitCode;
use crate::world::{Obstacle, Progress, WorldError};

/// The tag names this very image already: by its own id, or by the id of its configuration,
/// depending on what the engine calls an image's id.
pub(super) async fn inspect(bench: &Bench<'_>) -> Result<Option<Outcome>, StepError> {
    let target = target(bench);
    let registry = &bench.world.registry;
    let reference = Reference::Tag(target.tag.clone());
    let Some(there) = registry.image(&target.repository, &reference).await? else {
        return Ok(None);
    };
    let Some(local) = bench.world.builder.find(built(bench)).await? else {
        return Ok(None);
    };
    let configuration = registry.configuration_digest(&target.repository, &there.digest).await?;
    let same = local.id == there.digest.as_str()
        || configuration.is_some_and(|digest| local.id == digest.as_str());
    if !same {
        let (tag, before) = (&target.tag, there.digest.short());
        let moves =
            format!("the tag `{tag}` named {before} until now: this build is another image");
        bench.progress.report(Progress::Notice(moves));
    }
    Ok(same.then(|| pushed(there.digest, target, true)))
}

/// Pushes it and compares what the engine says with what the registry says.
pub(super) async fn perform(bench: &Bench<'_>) -> Result<Outcome, StepError> {
    let target = target(bench);
    let sent = push(bench, target).await?;
    let reference = Reference::Tag(target.tag.clone());
    let there = bench.world.registry.image(&target.repository, &reference).await?;
    match there {
        Some(image) if image.digest == sent => Ok(pushed(sent, target, false)),
        other => Err(mismatch(target, &sent, other.map(|image| image.digest).as_ref()).into()),
    }
}

/// One more login when the token has expired meanwhile.
async fn push(bench: &Bench<'_>, target: &Target) -> Result<Digest, StepError> {
    let (uri, _) = bench.deployment.done.repository.as_ref().expect("the repository is ensured");
    let identifier: ImageIdentifier = format!("{uri}:{}", target.tag)
        .parse()
        .map_err(|error| Failure::new(ExitCode::Push, "bad-identifier", format!("{error}")))?;
    let world = bench.world;
    for _ in 0..2 {
        let login = world.registry.login().await?;
        let result = world.builder.push(built(bench), &identifier, &login, bench.progress).await;
        match result {
            Err(WorldError::Unreachable { obstacle: Obstacle::ExpiredCredentials, .. }) => {}
            other => return Ok(other?),
        }
    }
    let what = "ECR does not accept a login that it has just given";
    Err(Failure::new(ExitCode::Push, "push-denied", what).into())
}

fn target<'a>(bench: &'a Bench<'_>) -> &'a Target {
    bench.deployment.plan.target().expect("only deployments of an image push")
}

fn built<'a>(bench: &'a Bench<'_>) -> &'a str {
    bench.deployment.done.built.as_deref().expect("the image is built before it is pushed")
}

fn pushed(digest: Digest, target: &Target, reused: bool) -> Outcome {
    Event::DigestPushed { digest, tag: target.tag.clone(), reused }.into()
}

fn mismatch(target: &Target, sent: &Digest, there: Option<&Digest>) -> Failure {
    let there = there.map_or("nothing".to_owned(), ToString::to_string);
    Failure::new(
        ExitCode::Push,
        "digest-mismatch",
        format!("ECR does not hold what was pushed as `{}`", target.tag),
    )
    .because(format!("pushed {sent}, the tag names {there}"))
    .hint("somebody may have pushed the same tag at the same moment: `surefoot deploy` again")
}
