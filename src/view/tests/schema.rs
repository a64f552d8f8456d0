//! The members of every JSON document, fixed: a program that reads them relies on each.

use std::collections::BTreeSet;

use super::*;
use crate::projection::{Evidence, Expectation, Prune, PruneOutcome, Restoration};
use crate::projection::{Sighting, compare, drift, expectation, statistics, verify};
use crate::view::documents::{
    Histories, NothingDeployed, PageWritten, RollbackTarget, RollbackTargets, Seen,
    StatisticsSheet, Verification,
};

/// The names of all members at every depth, but those of open maps (names of variables, the data of
/// events).
fn members(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                into.insert(name.clone());
                if !["environment", "secrets", "data", "took"].contains(&name.as_str()) {
                    members(value, into);
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| members(value, into)),
        _ => {}
    }
}

fn names(document: &dyn Document) -> String {
    let mut found = BTreeSet::new();
    members(&document.json(), &mut found);
    let found: Vec<String> = found.into_iter().collect();
    format!("{}: {}", document.name(), found.join(" "))
}

fn seen(expected: &Expectation) -> Seen {
    let sighting = Sighting::default();
    Seen {
        status: None,
        url: None,
        image: None,
        mark: None,
        operation: None,
        operation_is_ours: None,
        awaited: None,
        mark_is_ours: false,
        compared: compare(Some(expected), &sighting),
        drift: drift(Some(expected), &sighting),
    }
}

fn pruned_and_restored(records: &[Recorded]) -> HistoryTable {
    let digest = table(records).rows[0].row.digest.clone();
    let digests: Vec<_> = digest.into_iter().collect();
    let outcome = PruneOutcome {
        deleted: digests.clone(),
        not_there: Vec::new(),
        failures: vec!["why".into()],
        bytes: 1,
        found: false,
    };
    let prune = Prune {
        started_at: morning(),
        by: "ada@laptop".into(),
        repository: None,
        asked: None,
        intended: digests,
        outcome: Some(outcome),
    };
    let restoration = Restoration {
        at: morning(),
        by: "ada@laptop".into(),
        damage: "a byte".into(),
        moved_to: Some("damaged-1".into()),
        from_export: 25,
        saved: 0,
        lost: 0,
    };
    HistoryTable { prunes: vec![prune], restorations: vec![restoration], ..table(records) }
}

fn targets(records: &[Recorded]) -> RollbackTargets {
    let HistoryTable { service, endpoint, rows, now, .. } = table(records);
    let target = |HistoryRow { row, in_registry }| RollbackTarget { row, in_registry };
    let targets = rows.into_iter().map(target).collect();
    RollbackTargets { service, endpoint, targets, usual: None, next: vec![], now }
}

fn all() -> Vec<Box<dyn Document>> {
    let records = examples::several();
    let service = table(&records).service;
    let expected = expectation(&records).unwrap();
    let evidence = Evidence {
        seen: Sighting::default(),
        begun_here: false,
        operations: Ok(Vec::new()),
        held: Ok(None),
        health: Err("not asked".into()),
        unfinished: None,
        way_back: None,
    };
    let told = |number| story(&records, crate::names::DeploymentNumber(number)).unwrap();
    vec![
        Box::new(table(&records)),
        Box::new(Histories { tables: vec![pruned_and_restored(&records)] }),
        Box::new(targets(&records)),
        Box::new(StatusSheet { aws: Some(seen(&expected)), ..status_sheet(&records) }),
        Box::new(StatusSheet { ..status_sheet(&examples::interrupted().records) }),
        Box::new(StorySheet { story: told(18) }),
        Box::new(StatisticsSheet {
            service: service.clone(),
            endpoint: None,
            statistics: statistics(&records, None, morning() + TimeDelta::days(9)),
        }),
        Box::new(Verification {
            service,
            endpoint: None,
            number: expected.number,
            image: expected.release.image.short(),
            findings: verify(&expected, &evidence),
        }),
        Box::new(PageWritten { file: "history.html".into(), deployments: 4 }),
        Box::new(NothingDeployed { name: "history", known: Vec::new() }),
        Box::new(NothingDeployed { name: "statistics", known: Vec::new() }),
    ]
}

#[test]
fn the_members_of_every_view_are_fixed() {
    let shown: Vec<String> = all().iter().map(|document| names(document.as_ref())).collect();
    insta::assert_snapshot!(shown.join("\n"), @r##"
    history: at branch by ci_run code commit committed_at deployments digest dirty ended_at endpoint exit_code from good in_registry judgement note number older prunes reason repository restorations rollback_to seconds service started_at subject tag verdict
    histories: asked at branch by bytes ci_run code commit committed_at damage deleted deployments digest dirty ended_at endpoint exit_code failures found from from_export good in_registry intended judgement lost moved_to not_there note number older outcome prunes reason repository restorations rollback_to saved seconds service started_at subject tag verdict
    rollback_targets: at branch by ci_run code commit committed_at digest dirty ended_at endpoint exit_code from good in_registry judgement note number reason repository rollback_to seconds service started_at subject tag targets usual verdict
    status: after agrees at at_work aws aws_silent before branch by ci_run code commit committed_at compared digest dirty doubt drift elsewhere ended_at endpoint exit_code field from good image judgement known_services last live log mark next note number operation operation_is_ours previous_good reason repository rollback_to seconds service started_at status subject tag unfinished url verdict
    status: at_work aws aws_silent branch by ci_run code commit committed_at digest dirty doubt elsewhere ended_at endpoint exit_code judgement known_services last live log next note number operation previous_good repository rollback_to row seconds service standing started_at subject tag unfinished url verdict
    deployment: after at attempts because before branch by ci_run code commit committed_at details differences digest dirty ended_at endpoint environment evidence exit exit_code field findings from good health image judgement leaves log mark moments newest_operation next note number operation original_auto_deployments outcome payload previous_digest previous_digest_proven previous_tag problem proof reason record repository rollback_attempted rollback_to seconds secrets sent sequence service service_arn standing started_at status step steps subject tag taken_back_by_app_runner target_digest target_tag text tone took url verdict version way_back what
    statistics: change_failure_rate changes count course deployments duration endpoint failed failed_changes from lead_time live live_per_week median_seconds p95_seconds service step steps time_to_restore to undated unrestored
    verification: check checks code endpoint exit fix holds image number outcome reason service
    page: deployments file
    history: deployments endpoint known_services older prunes restorations service
    statistics: endpoint known_services service
    "##);
}

#[test]
fn every_member_is_written_down_in_the_documentation() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/output.md");
    let mut documented = std::fs::read_to_string(path).unwrap();
    let events = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/events.md");
    documented.push_str(&std::fs::read_to_string(events).unwrap());
    let mut missing = BTreeSet::new();
    for document in all() {
        let mut found = BTreeSet::from([document.name().to_owned()]);
        members(&document.json(), &mut found);
        missing.extend(found.into_iter().filter(|name| !documented.contains(&format!("`{name}`"))));
    }
    assert!(missing.is_empty(), "docs/output.md does not name {missing:?}");
}
