//! Which image a deployment means: one in ECR, or one that is built from the tree.

use crate::command::arguments::Deploy;
use crate::command::setup::Setup;
use crate::command::trouble;
use crate::names::{ImageIdentifier, Reference, RepositoryName, Tag};
use crate::plan::inventory::{Inventory, Named};
use crate::plan::preflight::judge;
use crate::plan::target::{Wish, tag};
use crate::plan::{Target, TargetOrigin};
use crate::problem::{ExitCode, Problem};
use crate::projection::{self, Recorded};
use crate::step::preflight::refusal;
use crate::world::World;
use crate::world::builder::BuildRequest;

/// Which image is asked for.
pub(super) fn wish(
    arguments: &Deploy,
    setup: &Setup,
    repository: &RepositoryName,
) -> Result<Wish, Problem> {
    if let Some(text) = &arguments.image {
        return named_image(text, repository);
    }
    if arguments.force_latest {
        let reference = Reference::Tag(latest());
        return Ok(Wish::Reference { repository: repository.clone(), reference });
    }
    let build = &setup.settings.build;
    Ok(Wish::Build(BuildRequest {
        context: build.context.clone(),
        dockerfile: build.dockerfile.clone(),
        arguments: build.arguments.clone(),
        target: build.target.clone(),
    }))
}

/// `REPOSITORY:TAG`, `REPOSITORY@DIGEST`, a whole identifier, or a tag or digest alone.
fn named_image(text: &str, repository: &RepositoryName) -> Result<Wish, Problem> {
    let of = |repository: &str, reference: Reference| -> Option<Wish> {
        Some(Wish::Reference { repository: repository.parse().ok()?, reference })
    };
    let whole = text
        .parse::<ImageIdentifier>()
        .ok()
        .filter(|image| image.registry.contains('.') || image.registry.contains(':'));
    let parsed = if let Some(image) = whole {
        Some(Wish::Reference { repository: image.repository, reference: image.reference })
    } else if let Some((name, digest)) = text.split_once('@') {
        let name = if name.is_empty() { repository.as_str() } else { name };
        digest.parse().ok().and_then(|digest| of(name, Reference::Digest(digest)))
    } else if text.starts_with("sha256:") {
        text.parse().ok().and_then(|digest| of(repository.as_str(), Reference::Digest(digest)))
    } else if let Some((name, tag)) = text.rsplit_once(':') {
        tag.parse().ok().and_then(|tag| of(name, Reference::Tag(tag)))
    } else {
        text.parse().ok().and_then(|tag| of(repository.as_str(), Reference::Tag(tag)))
    };
    parsed.ok_or_else(|| {
        let text = crate::text::printable(text, 200);
        trouble::usage(
            format!("`{text}` names no image"),
            "write REPOSITORY:TAG or REPOSITORY@sha256:…, such as `--image shop:v1.4.1`",
        )
    })
}

/// The image that is named, or the one that is built from the tree.
pub(super) async fn target(
    arguments: &Deploy,
    setup: &Setup,
    world: &World,
    seen: &Inventory,
    records: &[Recorded],
) -> Result<Target, Problem> {
    let repository = setup.settings.repository()?.name.clone();
    if let Some(named) = &seen.image {
        return named_target(arguments, setup, seen, named);
    }
    let context = match &seen.context {
        Some(Ok(context)) => context.hash.clone(),
        // What cannot be read cannot be planned: preflight's word for it ends the command.
        _ => return Err(refused(setup, seen)),
    };
    let tag = tag(seen.checkout.as_ref(), &context, world.clock.now());
    let Wish::Build(request) = wish(arguments, setup, &repository)? else {
        unreachable!("an image asked for by name was looked at")
    };
    let latest = setup.settings.latest;
    let checkout = seen.checkout.clone();
    let origin = match known(seen, records, world, &repository).await {
        Some(image) => TargetOrigin::Registry { image },
        None => TargetOrigin::Build { request: (&request).into(), context },
    };
    Ok(Target { repository, tag, checkout, latest, origin })
}

fn named_target(
    arguments: &Deploy,
    setup: &Setup,
    seen: &Inventory,
    named: &Named,
) -> Result<Target, Problem> {
    let Named::There { identifier, image, .. } = named else { return Err(refused(setup, seen)) };
    let asked = match wish(arguments, setup, &identifier.repository)? {
        Wish::Reference { reference: Reference::Tag(tag), .. } => Some(tag),
        _ => None,
    };
    // The tag that was asked for; else one that names it; else the digest's own digits.
    let first = || image.tags.iter().find_map(|tag| tag.parse().ok());
    let digits = || image.digest.short().parse().expect("hexadecimal digits make a tag");
    let tag = asked.filter(|tag| *tag != latest()).or_else(first).unwrap_or_else(digits);
    Ok(Target {
        repository: identifier.repository.clone(),
        tag,
        checkout: None,
        latest: false,
        origin: TargetOrigin::Registry { image: identifier.clone() },
    })
}

/// The image of this very context, where our journal says that we pushed it and ECR still holds it
/// under the tag: then there is nothing to build.
async fn known(
    seen: &Inventory,
    records: &[Recorded],
    world: &World,
    repository: &RepositoryName,
) -> Option<ImageIdentifier> {
    let context = &seen.context.as_ref()?.as_ref().ok()?.hash;
    let (digest, tag) = projection::pushed(records, repository, context)?;
    let there = world.registry.image(repository, &Reference::Tag(tag)).await.ok()??;
    let uri = &seen.repository.as_ref()?.uri;
    (there.digest == digest).then(|| ImageIdentifier::by_digest(uri, &digest).ok())?
}

fn refused(setup: &Setup, seen: &Inventory) -> Problem {
    let findings = judge(seen, &super::checks(setup));
    setup.view.findings(&findings);
    refusal(&findings).map_or_else(
        || Problem::new(ExitCode::General, "unplanned", "cannot tell what to deploy"),
        |failure| Problem::from(&failure),
    )
}

fn latest() -> Tag {
    "latest".parse().expect("`latest` is a tag")
}
