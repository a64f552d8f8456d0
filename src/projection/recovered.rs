//! What AWS told of a service when its journal began anew: the release that ran then, as number 0.

use std::collections::BTreeMap;

use super::history::{Row, Verdict};
use super::judgement::Judgement;
use super::story::{Record, Story};
use super::{Recorded, Status};
use crate::event::{Captured, Event};
use crate::names::{DeploymentNumber, Digest, ImageIdentifier, ServiceName, service_address};
use crate::release::Release;
use crate::world::service::ServiceStatus;

/// The number of what ran before the journal began: no deployment has it.
pub const RECOVERED: DeploymentNumber = DeploymentNumber(0);

/// What was recovered, in words.
pub(super) fn words(found: &Captured) -> String {
    let runs = found.release.as_ref().map_or("no image of ECR".into(), |one| one.image.short());
    let mark = found.mark.as_deref().map_or(String::new(), |mark| format!(", marked {mark}"));
    format!("found running {runs}{mark}; what came before is not known here")
}

/// The release that ran when the journal began, as a row; `serves` says whether it is its image that is
/// live now.
pub(super) fn row(
    records: &[Recorded],
    serves: &dyn Fn(Option<&ImageIdentifier>) -> bool,
    judgements: &BTreeMap<DeploymentNumber, Judgement>,
) -> Option<Row> {
    let (record, _, found) = event(records)?;
    let image = found.release.as_ref().map(|release| &release.image);
    let live = serves(image);
    let judgement = judgements.get(&RECOVERED).cloned();
    let good = judgement.as_ref().map(|judgement| judgement.good);
    Some(Row {
        number: RECOVERED,
        verdict: match (found.status == ServiceStatus::Running, live, good) {
            (false, ..) => Verdict::Unknown,
            (true, true, _) => Verdict::Live,
            (true, false, Some(true)) => Verdict::Good,
            (true, false, Some(false)) => Verdict::Bad,
            (true, false, None) => Verdict::Superseded,
        },
        commit: None,
        dirty: false,
        branch: None,
        subject: None,
        committed_at: None,
        repository: image.map(|image| image.repository.clone()),
        tag: image.and_then(|image| image.tag()).cloned(),
        digest: image.and_then(|image| image.digest()).cloned(),
        rollback_to: None,
        by: record.actor.clone(),
        ci_run: record.ci_run.clone(),
        started_at: record.at,
        ended_at: Some(record.at),
        took: None,
        note: Some(note(found, judgement.as_ref())),
        code: None,
        exit_code: None,
        judgement,
    })
}

fn note(found: &Captured, judgement: Option<&Judgement>) -> String {
    let said = judgement.and_then(Judgement::note);
    said.map_or_else(|| words(found), |said| format!("{said}; {}", words(found)))
}

/// The image that ran when the journal began, where its content is known.
pub(super) fn digest(records: &[Recorded]) -> Option<&Digest> {
    event(records)?.2.release.as_ref()?.image.digest()
}

/// Why what ran when the journal began cannot be gone back to, where it cannot.
pub fn not_a_target(records: &[Recorded]) -> Option<String> {
    let (_, _, found) = event(records)?;
    let Some(release) = &found.release else {
        return Some(format!("{RECOVERED} ran no image of ECR"));
    };
    if found.status != ServiceStatus::Running {
        return Some(format!("{RECOVERED} was not running when this journal began"));
    }
    let image = release.image.short();
    let by_tag = release.image.digest().is_none();
    by_tag.then(|| format!("{RECOVERED} ran {image}, and which image that was is not known"))
}

/// What is known of what ran when the journal began.
pub(super) fn story(records: &[Recorded], row: &Row) -> Option<Story> {
    let (_, Event::RecordRecovered { stream, endpoint, found, .. }, _) = event(records)? else {
        return None;
    };
    Some(Story {
        service: Some(stream.clone()),
        endpoint: endpoint.clone(),
        url: Some(service_address(&found.url, endpoint.as_deref())),
        record: Record {
            service_arn: Some(found.service.clone()),
            target_tag: row.tag.clone(),
            target_digest: row.digest.clone(),
            ..Record::default()
        },
        next: next(records, row, &stream.service),
        ..Story::of(row.clone())
    })
}

fn next(records: &[Recorded], row: &Row, service: &ServiceName) -> Vec<String> {
    let back = matches!(row.verdict, Verdict::Good | Verdict::Superseded);
    let back = back && not_a_target(records).is_none();
    let what = if back { format!("rollback {}", RECOVERED.0) } else { "status".into() };
    ["history".into(), what].map(|what| format!("surefoot {what} --service-name {service}")).into()
}

/// The whole release behind that row, where it can be named by its content.
pub(super) fn release(records: &[Recorded], row: &Row) -> Option<Release> {
    let (_, _, found) = event(records).filter(|_| row.number == RECOVERED)?;
    found.release.clone().filter(|release| release.image.digest().is_some())
}

/// Where a service stands of which nothing but that is known.
pub(super) fn status(records: &[Recorded], rows: Vec<Row>) -> Status {
    let Some((_, Event::RecordRecovered { stream, endpoint, found, .. }, _)) = event(records)
    else {
        return Status::default();
    };
    let last = rows.into_iter().next();
    Status {
        service: Some(stream.clone()),
        endpoint: endpoint.clone(),
        url: Some(service_address(&found.url, endpoint.as_deref())),
        live: last.clone().filter(|row| row.verdict == Verdict::Live),
        last,
        next: vec![format!("surefoot deploy --service-name {}", stream.service)],
        ..Status::default()
    }
}

fn event(records: &[Recorded]) -> Option<(&Recorded, &Event, &Captured)> {
    records.iter().find_map(|record| match &record.event {
        Ok(event @ Event::RecordRecovered { found, .. }) => Some((record, event, found.as_ref())),
        _ => None,
    })
}
