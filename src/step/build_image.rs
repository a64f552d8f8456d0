//! Builds the image for linux/amd64.
//!
//! Leaves behind: an image in the engine, named after the hash of its context, so that the same
//! context is built once. Undo: none; an unused image harms nobody.

use super::{Bench, Outcome, StepError};
use crate::event::{Event, Failure};
use crate::plan::{Target, TargetOrigin};
use crate::problem::ExitCode;
use crate::world::builder::{BuildRequest, LocalImage};

/// The engine has the image of this very context.
pub(super) async fn inspect(bench: &Bench<'_>) -> Result<Option<Outcome>, StepError> {
    let (target, _, context) = work(bench);
    let name = local_name(target, context);
    let found = bench.world.builder.find(&name).await?;
    Ok(found.filter(|image| image.platform.is_linux_amd64()).map(|image| built(name, image, true)))
}

/// Builds it, if the tree is still the one that was planned.
pub(super) async fn perform(bench: &Bench<'_>) -> Result<Outcome, StepError> {
    let (target, request, context) = work(bench);
    let now = bench.world.builder.survey(request).await?;
    if now.hash != context {
        return Err(changed(request).into());
    }
    let name = local_name(target, context);
    let image = bench.world.builder.build(request, &name, bench.progress).await?;
    Ok(built(name, image, false))
}

fn work<'a>(bench: &'a Bench<'_>) -> (&'a Target, &'a BuildRequest, &'a str) {
    let target = bench.deployment.plan.target().expect("only deployments of an image build");
    match &target.origin {
        TargetOrigin::Build { request, context } => (target, request, context),
        TargetOrigin::Registry { .. } => unreachable!("no build is planned for an image in ECR"),
    }
}

/// The engine's name for the image of this context.
pub(super) fn local_name(target: &Target, context: &str) -> String {
    format!("surefoot/{}:{}", target.repository, &context[..context.len().min(16)])
}

fn built(name: String, image: LocalImage, reused: bool) -> Outcome {
    Event::ImageBuilt { name, id: image.id, platform: image.platform, reused }.into()
}

fn changed(request: &BuildRequest) -> Failure {
    Failure::new(
        ExitCode::Build,
        "context-changed",
        "the files to build from are not the ones that were planned",
    )
    .because(format!("something under {} changed since", request.context.display()))
    .because("what is sent counts, `.git` too where .dockerignore does not name it")
    .hint("deploy what is there now: `surefoot deploy`")
}
