//! Builds the image for linux/amd64.
//!
//! Leaves behind: an image in the engine, named after the hash of its context, so that the same
//! context is built once. Undo: none; an unused image harms nobody.

use super::{Bench, Outcome, StepError};
use crate::event::{Event, Failure};
use crate::names::VariableName;
use crate::plan::{Intent, PlannedBuild, Target, TargetOrigin};
use crate::problem::ExitCode;
use crate::release::Values;
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
    let (target, planned, context) = work(bench);
    let request =
        planned.request(|hash| bench.vault.value(hash)).map_err(|missing| unknown(&missing))?;
    let now = bench.world.builder.survey(&request).await?;
    if now.hash != context {
        return Err(changed(&request).into());
    }
    let (name, secrets) = (local_name(target, context), environment(bench));
    let image = bench.world.builder.build(&request, &name, &secrets, bench.progress).await?;
    Ok(built(name, image, false))
}

fn work<'a>(bench: &'a Bench<'_>) -> (&'a Target, &'a PlannedBuild, &'a str) {
    let target = bench.deployment.plan.target().expect("only deployments of an image build");
    match &target.origin {
        TargetOrigin::Build { request, context } => (target, request, context),
        TargetOrigin::Registry { .. } => unreachable!("no build is planned for an image in ECR"),
    }
}

/// The plain environment values that are asked for, as far as this machine has them: a build may
/// read them from a file of the tree.
fn environment(bench: &Bench<'_>) -> Values {
    let Intent::Deploy { overlay, .. } = &bench.deployment.plan.intent else {
        return Values::default();
    };
    let known = overlay
        .environment_set
        .iter()
        .filter_map(|(name, hash)| Some((name.clone(), bench.vault.value(hash)?)));
    Values::new(known.collect())
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

fn unknown(missing: &[&VariableName]) -> Failure {
    let names = missing.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
    Failure::new(
        ExitCode::Build,
        "argument-missing",
        "this machine does not have every build argument that was planned",
    )
    .because(format!("unknown here: {names}; exports leave the values of arguments out"))
    .hint("set them in surefoot.toml under [build.arguments], then deploy: `surefoot deploy`")
}
