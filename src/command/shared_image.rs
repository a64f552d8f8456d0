//! Whose image a tag names, where several services of the journal push to one repository.

use super::setup::Setup;
use super::{record, trouble};
use crate::names::{Digest, ImageIdentifier, StreamName, Tag};
use crate::problem::{ExitCode, Problem};
use crate::projection::{self, Recorded, Row};

/// The image that a tag was found to name.
pub(super) struct Found<'a> {
    /// The tag.
    pub tag: &'a Tag,
    /// The image.
    pub image: &'a ImageIdentifier,
}

/// A tag that another service moved is not deployed unseen. `latest` is whoever's pushed last; any other
/// tag is in doubt only where this service pushed another image under it.
pub(super) fn refuse_the_image_of_another(
    found: &Found<'_>,
    setup: &Setup,
    stream: &StreamName,
    records: &[Recorded],
) -> Result<(), Problem> {
    let Found { tag, image } = found;
    let Some(digest) = image.digest() else { return Ok(()) };
    let ours = projection::history(records);
    let has = |row: &Row| row.digest.as_ref() == Some(digest);
    let moved = || ours.iter().any(|row| row.tag.as_ref() == Some(tag) && row.digest.is_some());
    if ours.iter().any(has) || (tag.as_str() != "latest" && !moved()) {
        return Ok(());
    }
    match owner(setup, stream, digest)? {
        Some((other, row)) => Err(of_another(found, stream, &other, &row)),
        None => Ok(()),
    }
}

/// Another service of this account and region whose journal has the image, and its newest deployment of it.
fn owner(
    setup: &Setup,
    stream: &StreamName,
    digest: &Digest,
) -> Result<Option<(StreamName, Row)>, Problem> {
    let Some(journal) = setup.existing_journal()? else { return Ok(None) };
    let heads = journal.streams().map_err(|error| trouble::journal(&error, &setup.history))?;
    let others = heads.into_iter().map(|head| head.stream).filter(|other| {
        other != stream && other.account == stream.account && other.region == stream.region
    });
    for other in others {
        let records = record::records(&setup.ledger(journal.clone(), other.clone())?);
        let mut rows = projection::history(&records).into_iter().rev();
        if let Some(row) = rows.find(|row| row.digest.as_ref() == Some(digest)) {
            return Ok(Some((other, row)));
        }
    }
    Ok(None)
}

fn of_another(found: &Found<'_>, stream: &StreamName, other: &StreamName, row: &Row) -> Problem {
    let Found { tag, image } = found;
    let (service, other) = (&stream.service, &other.service);
    let what = format!("`{tag}` names an image of `{other}`, which `{service}` never ran");
    let because = format!("{} of `{other}` brought {}", row.number, image.short());
    let repository = &image.repository;
    let digest = image.digest().map(ToString::to_string).unwrap_or_default();
    Problem::new(ExitCode::Guard, "image-of-another-service", what)
        .because(because)
        .because(format!("both use the repository `{repository}`, where a tag is whoever's moved it last"))
        .hint(format!("build this service's own: `surefoot deploy --service-name {service}`"))
        .hint(format!(
            "to deploy that very image on purpose: `surefoot deploy --service-name {service} --image {repository}@{digest}`"
        ))
}
