//! `surefoot history`: what was deployed, as a table or as a page.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::arguments::History;
use super::setup::Setup;
use super::target::{Target, TargetError};
use super::{holding, moment, newest, record, trouble};
use crate::journal::archive::ANYBODY;
use crate::ledger::newest::Newest;
use crate::names::{Digest, RepositoryName, StreamName};
use crate::problem::{ExitCode, Problem};
use crate::projection::{self, Row, Selection, Verdict};
use crate::view::documents::{Histories, HistoryRow, HistoryTable, NothingDeployed, PageWritten};
use crate::view::page::Page;
use crate::world::World;
use crate::world::clock::{Clock as _, SystemClock};

/// Rows of a table, where nothing else was said.
const ROWS: usize = 20;

/// How long the table waits for ECR's word: it is complete without it.
const PATIENCE: Duration = Duration::from_secs(3);

/// What was deployed.
pub(super) async fn history(arguments: &History, setup: &Setup) -> Result<ExitCode, Problem> {
    let now = SystemClock::start().now();
    let selection = selection(arguments, now)?;
    let loaded = load(arguments, &selection, setup)?;
    if let Some(file) = &arguments.html {
        let of_service = |(stream, Newest { records, .. })| (stream, projection::stories(&records));
        let services = loaded.into_iter().map(of_service).collect();
        return write_page(
            file,
            &Page { services, selection, typed: typed(arguments), now },
            setup,
        );
    }
    if loaded.is_empty() {
        setup.view.data(&nothing(setup)?);
        return Ok(ExitCode::Success);
    }
    let mut tables = Vec::new();
    for (service, Newest { records, older: unread }) in loaded {
        let endpoint = projection::status(&records).endpoint;
        let prunes = projection::prunes(&records);
        let restorations = projection::restorations(&records);
        let (rows, older) = projection::select(projection::history(&records), &selection);
        // Where a part was left unread, what is there beyond the rows is there for their names.
        let older = if unread > 0 { usize::try_from(unread).unwrap_or(usize::MAX) } else { older };
        let rows = if arguments.offline {
            rows.into_iter().map(|row| HistoryRow { row, in_registry: None }).collect()
        } else {
            held(rows, &service, endpoint.as_ref(), setup).await
        };
        let asked = !arguments.offline;
        let prune_at_work = holding::prune_at_work(setup, &service, endpoint.as_deref());
        tables.push(HistoryTable {
            service,
            endpoint,
            rows,
            older,
            prunes,
            prune_at_work,
            restorations,
            asked,
            now,
        });
    }
    match <[HistoryTable; 1]>::try_from(tables) {
        Ok([table]) => setup.view.data(&table),
        Err(tables) => setup.view.data(&Histories { tables }),
    }
    Ok(ExitCode::Success)
}

/// The newest deployments alone, where nothing else is asked for: whatever the length of the history,
/// that costs the same.
fn load(
    arguments: &History,
    selection: &Selection,
    setup: &Setup,
) -> Result<Vec<(StreamName, Newest)>, Problem> {
    match selection {
        Selection { verdict: None, since: None, limit: Some(limit) }
            if arguments.html.is_none() =>
        {
            newest::of_history(setup, *limit)
        }
        _ => {
            let whole = |(stream, records)| (stream, Newest { records, older: 0 });
            Ok(record::load_all(setup)?.into_iter().map(whole).collect())
        }
    }
}

fn selection(arguments: &History, now: DateTime<Utc>) -> Result<Selection, Problem> {
    let verdict: Option<Result<Verdict, String>> =
        arguments.status.as_ref().map(|text| text.parse());
    let verdict = verdict.transpose().map_err(|words| {
        trouble::usage("`--status` names no verdict", &format!("write {words}"))
    })?;
    let since = arguments.since.as_deref().map(|text| moment::since(text, now)).transpose()?;
    let usual = if arguments.html.is_some() { 0 } else { ROWS };
    let limit = Some(arguments.number.unwrap_or(usual)).filter(|limit| *limit > 0);
    Ok(Selection { verdict, since, limit })
}

/// Each row with ECR's word on its image, as far as it can be had in good time.
async fn held(
    rows: Vec<Row>,
    service: &StreamName,
    endpoint: Option<&String>,
    setup: &Setup,
) -> Vec<HistoryRow> {
    let same_world = endpoint == setup.endpoint().as_ref()
        && setup.region().is_ok_and(|region| *region == service.region);
    let world = setup.world();
    let known = tokio::select! {
        known = ask(&rows, service, &world), if same_world => known,
        () = world.clock.sleep(PATIENCE), if same_world => Known::new(),
        else => Known::new(),
    };
    let in_registry = |row: &Row| {
        let there = known.get(row.repository.as_ref()?)?.as_ref()?;
        Some(there.contains(row.digest.as_ref()?))
    };
    rows.into_iter().map(|row| HistoryRow { in_registry: in_registry(&row), row }).collect()
}

/// What each repository still holds of what was asked for; none where it did not say.
type Known = BTreeMap<RepositoryName, Option<BTreeSet<Digest>>>;

async fn ask(rows: &[Row], service: &StreamName, world: &World) -> Known {
    let mut wanted: BTreeMap<&RepositoryName, BTreeSet<&Digest>> = BTreeMap::new();
    for row in rows {
        if let (Some(repository), Some(digest)) = (&row.repository, &row.digest) {
            wanted.entry(repository).or_default().insert(digest);
        }
    }
    let mut known = Known::new();
    for (repository, digests) in wanted {
        let digests: Vec<Digest> = digests.into_iter().cloned().collect();
        let held = world.registry.held(&service.account, repository, &digests).await;
        known.insert(repository.clone(), held.ok());
    }
    known
}

fn nothing(setup: &Setup) -> Result<NothingDeployed, Problem> {
    Ok(NothingDeployed { name: "history", known: record::known(setup)? })
}

/// What was chosen, in the words of the command line.
fn typed(arguments: &History) -> String {
    let status = arguments.status.as_ref().map(|verdict| format!("--status {verdict}"));
    let since = arguments.since.as_ref().map(|moment| format!("--since {moment}"));
    let number = arguments.number.map(|count| format!("-n {count}"));
    [status, since, number].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

fn write_page(file: &Path, page: &Page, setup: &Setup) -> Result<ExitCode, Problem> {
    let unwritable = |error| unwritable(file, &error);
    let file = if file == Path::new("-") { Path::new("/dev/stdout") } else { file };
    let target = Target::of(file, &setup.history).map_err(unwritable)?;
    let carries_the_page = target.is_standard_output();
    if carries_the_page && setup.json {
        let what = "with `--json` standard output carries the result alone";
        return Err(trouble::usage(what, "name a file: `surefoot history --html FILE --json`"));
    }
    let html = page.html();
    let written = target.write(ANYBODY, &mut |out| Ok(out.write_all(html.as_bytes())?));
    match written {
        // Who reads has enough.
        Err(TargetError::Unwritable(error))
            if carries_the_page && error.kind() == ErrorKind::BrokenPipe => {}
        other => other.map_err(unwritable)?,
    }
    if page.services.is_empty() {
        setup.view.say(&nothing(setup)?.words());
    }
    if carries_the_page {
        return Ok(ExitCode::Success);
    }
    setup.view.data(&PageWritten { file: file.to_owned(), deployments: page.deployments() });
    Ok(ExitCode::Success)
}

fn unwritable(file: &Path, error: &TargetError) -> Problem {
    let what = format!("cannot write the page to {}", file.display());
    Problem::new(ExitCode::General, "page-unwritable", what)
        .because(error.reason())
        .hint("name a file in a directory that this user can write: `surefoot history --html FILE`")
}
