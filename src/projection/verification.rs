//! Whether the proof of the live release still holds: each check with its result and what to do.

use super::comparison::Sighting;
use super::expectation::Expectation;
use crate::event::{HealthOutcome, HealthReport};
use crate::names::{DeploymentNumber, Digest, Reference};
use crate::plan::findings::{Finding, Outcome};
use crate::plan::inventory::unfit;
use crate::problem::ExitCode;
use crate::world::service::{Operation, Service, ServiceStatus};

use super::health_words;

/// The code of a check that failed.
const CODE: &str = "not-as-proven";

/// What was seen of a release that should be live.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// App Runner's own word.
    pub seen: Sighting,
    /// Whether a deployment of this log began the newest operation, which the log may know without that.
    pub begun_here: bool,
    /// The operations of the service, newest first, as far as they were asked for; why App Runner did not
    /// say.
    pub operations: Result<Vec<Operation>, String>,
    /// What the registry holds under the identifier; why it did not say.
    pub held: Result<Option<Digest>, String>,
    /// What the application answers; why it could not be asked.
    pub health: Result<HealthReport, String>,
    /// The deployment that has no end yet, in words.
    pub unfinished: Option<String>,
    /// The deployment that can be gone back to for the very release that was proven.
    pub way_back: Option<DeploymentNumber>,
}

/// Every check, in the order in which the proof was made.
pub fn verify(expected: &Expectation, evidence: &Evidence) -> Vec<Finding> {
    let mut findings = vec![journal(expected, evidence)];
    let Some(service) = &evidence.seen.service else {
        let what = format!("App Runner has no service `{}`", expected.stream.service);
        findings.push(failed("service", what).fix(deploy(expected)));
        return findings;
    };
    findings.push(status(expected, service));
    findings.push(identifier(expected, evidence, service));
    findings.push(registry(expected, evidence));
    findings.push(mark(expected, service));
    findings.push(operation(expected, evidence));
    findings.push(newest(expected, evidence));
    findings.push(configuration(expected, evidence, service));
    findings.push(match service.status {
        ServiceStatus::Running => health(expected, evidence),
        ServiceStatus::OperationInProgress => {
            Finding::skipped("health", "not asked: App Runner is at work on the service")
        }
        _ => Finding::skipped("health", "not asked: the service does not run"),
    });
    findings
}

/// How the process ends: a failed check is drift, an answer that could not be had proves nothing.
pub fn verdict(findings: &[Finding]) -> ExitCode {
    let any = |outcome| findings.iter().any(|finding| finding.outcome == outcome);
    if any(Outcome::Failed) {
        ExitCode::Drift
    } else if any(Outcome::CannotTell) {
        ExitCode::Paused
    } else {
        ExitCode::Success
    }
}

fn failed(check: &str, reason: impl Into<String>) -> Finding {
    Finding::failed(check, ExitCode::Drift, CODE, reason)
}

fn deploy(expected: &Expectation) -> String {
    format!("deploy: `surefoot deploy --service-name {}`", expected.stream.service)
}

fn look(expected: &Expectation) -> String {
    format!("see what differs: `surefoot status --service-name {}`", expected.stream.service)
}

fn back(expected: &Expectation, evidence: &Evidence) -> String {
    let (service, number) = (&expected.stream.service, expected.number);
    let seen = evidence.seen.service.as_ref();
    if let Some(first) = seen.and_then(unfit).and_then(|finding| finding.fix.into_iter().next()) {
        // Before that, App Runner takes no change.
        return first;
    }
    if evidence.held == Ok(None) {
        return deploy(expected);
    }
    let Some(way_back) = evidence.way_back else { return deploy(expected) };
    let command = format!("surefoot rollback {} --service-name {service}", way_back.0);
    format!("bring back what {number} left: `{command}`")
}

fn journal(expected: &Expectation, evidence: &Evidence) -> Finding {
    match &evidence.unfinished {
        None => Finding::passed("journal", format!("{} is the release to prove", expected.number)),
        Some(what) => failed("journal", what.clone())
            .fix(format!("go on: `surefoot resume --service-name {}`", expected.stream.service)),
    }
}

fn status(expected: &Expectation, service: &Service) -> Finding {
    match service.status {
        ServiceStatus::Running => Finding::passed("service", "RUNNING"),
        ref status => {
            let finding = failed("service", format!("the service is {status}"));
            let fixes = unfit(service).map(|finding| finding.fix).unwrap_or_default();
            fixes.into_iter().fold(finding, Finding::fix).fix(look(expected))
        }
    }
}

fn identifier(expected: &Expectation, evidence: &Evidence, service: &Service) -> Finding {
    let wanted = &expected.release.image;
    match service.release().map(|release| release.image) {
        Some(image) if image == *wanted => Finding::passed("identifier", image.to_string()),
        other => {
            let now = other.map_or("nothing from ECR".into(), |image| image.to_string());
            failed("identifier", format!("it is configured with {now}, not with {wanted}"))
                .fix(look(expected))
                .fix(back(expected, evidence))
        }
    }
}

fn registry(expected: &Expectation, evidence: &Evidence) -> Finding {
    let image = &expected.release.image;
    let held = match &evidence.held {
        Ok(held) => held,
        Err(why) => return Finding::cannot_tell("registry", why.clone()),
    };
    match (held, &expected.digest, &image.reference) {
        (None, ..) => failed("registry", format!("ECR no longer holds {}", image.short()))
            .fix("keep it from being deleted: the next restart of the service needs it")
            .fix(back(expected, evidence)),
        (Some(found), Some(digest), Reference::Tag(tag)) if found != digest => {
            failed("registry", format!("the tag {tag} names {} now", found.short()))
                .fix(back(expected, evidence))
        }
        // The identifier, a row above, is the digest in full.
        (Some(found), _, Reference::Digest(_)) => {
            Finding::passed("registry", format!("ECR holds {}", found.short()))
        }
        (Some(found), ..) => Finding::passed("registry", format!("ECR holds {found}")),
    }
}

fn mark(expected: &Expectation, service: &Service) -> Finding {
    let Some(wanted) = &expected.mark else {
        return Finding::skipped("mark", "the log knows of none");
    };
    match &service.mark {
        Some(mark) if mark == wanted => Finding::passed("mark", mark.clone()),
        other => {
            let now = other.as_ref().map_or("no mark".into(), |now| format!("the mark {now}"));
            failed("mark", format!("it carries {now}, not {wanted}")).fix(look(expected))
        }
    }
}

fn operation(expected: &Expectation, evidence: &Evidence) -> Finding {
    let Some(id) = &expected.operation else {
        return Finding::skipped("operation", "nothing was asked for: it was live already");
    };
    let operations = match &evidence.operations {
        Ok(operations) => operations,
        Err(why) => return Finding::cannot_tell("operation", why.clone()),
    };
    let listed = operations.iter().find(|operation| operation.id == *id);
    match listed {
        Some(operation) if operation.status == expected.ended => {
            Finding::passed("operation", format!("{id} {}", operation.status))
        }
        Some(operation) => {
            failed("operation", format!("{id} is {}, not {}", operation.status, expected.ended))
                .fix(look(expected))
        }
        // App Runner forgets; its list is no proof against what it said before.
        None => Finding::warned("operation", format!("App Runner no longer lists {id}")),
    }
}

fn newest(expected: &Expectation, evidence: &Evidence) -> Finding {
    if let Err(why) = &evidence.operations {
        return Finding::cannot_tell("no newer operation", why.clone());
    }
    match &evidence.seen.newest {
        None => Finding::warned("no newer operation", "App Runner lists none"),
        Some(operation) if evidence.begun_here => {
            Finding::passed("no newer operation", format!("{} is ours", operation.id))
        }
        Some(Operation { kind, id, .. }) if evidence.seen.ours => Finding::passed(
            "no newer operation",
            format!("{kind} {id} is not ours, and was over when this release was found live"),
        ),
        Some(Operation { kind, id, status, .. }) => {
            failed("no newer operation", format!("{kind} {id} {status} is not of this log"))
                .fix(look(expected))
                .fix(back(expected, evidence))
        }
    }
}

/// App Runner may write a value in its own way: a difference is told and proves nothing.
fn configuration(expected: &Expectation, evidence: &Evidence, service: &Service) -> Finding {
    let now = service.release().map(|now| expected.release.differences(&now));
    let names: Vec<String> = now
        .into_iter()
        .flatten()
        .map(|difference| difference.field)
        .filter(|field| field != "image")
        .collect();
    // What was live already was sent by somebody else.
    let before = if expected.operation.is_some() { "sent" } else { "found" };
    if names.is_empty() {
        return Finding::passed("configuration", format!("as it was {before}"));
    }
    Finding::warned("configuration", format!("not as it was {before}: {}", names.join(", ")))
        .fix(look(expected))
        .fix(back(expected, evidence))
}

fn health(expected: &Expectation, evidence: &Evidence) -> Finding {
    match &evidence.health {
        Err(why) => Finding::cannot_tell("health", why.clone()),
        Ok(report) => match report.outcome {
            HealthOutcome::Passed => Finding::passed("health", health_words(report)),
            HealthOutcome::Unproven => Finding::skipped("health", "not asked: `from = \"none\"`"),
            HealthOutcome::Failed => failed("health", unhealthy(report)).fix(format!(
                "read its log: `surefoot logs --service-name {}`",
                expected.stream.service
            )),
        },
    }
}

fn unhealthy(report: &HealthReport) -> String {
    format!("{}: {}", report.url, report.findings.join(", "))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::projection::{examples, expectation};
    use crate::release::Values;
    use crate::world::service::{OperationStatus, Origin};

    fn expected() -> Expectation {
        let run = examples::good(17, "v1.4.2", "v1.4.1", examples::morning());
        let mark = Some("d1".repeat(16));
        Expectation { mark, ..expectation(&run.records).unwrap() }
    }

    fn as_proven(expected: &Expectation) -> Evidence {
        let captured = examples::captured("v1.4.2");
        let service = Service {
            arn: captured.service,
            id: captured.service_id,
            name: "shop".parse().unwrap(),
            url: captured.url,
            status: ServiceStatus::Running,
            origin: Origin::Ecr(expected.release.image.clone()),
            configuration: expected.release.configuration.clone(),
            values: Values::default(),
            mark: expected.mark.clone(),
            public: true,
            kept_as_is: BTreeMap::new(),
            updated_at: None,
        };
        let operation = Operation {
            id: expected.operation.clone().unwrap(),
            kind: "UPDATE_SERVICE".into(),
            status: OperationStatus::Succeeded,
            started_at: None,
            ended_at: None,
        };
        Evidence {
            seen: Sighting {
                service: Some(service),
                newest: Some(operation.clone()),
                ours: true,
                awaited: None,
            },
            begun_here: true,
            operations: Ok(vec![operation]),
            held: Ok(expected.digest.clone()),
            health: Ok(examples::health(HealthOutcome::Passed, 200, &[])),
            unfinished: None,
            way_back: None,
        }
    }

    type Change = fn(&mut Evidence);

    /// Everything that can be wrong, the check that finds it and how the process ends.
    const WRONGS: [(&str, Outcome, ExitCode, Change); 14] = {
        use ExitCode::{Drift, Paused, Success};
        use Outcome::{CannotTell, Failed, Warned};
        [
            ("journal", Failed, Drift, |e| e.unfinished = Some("#18 is unfinished".into())),
            ("service", Failed, Drift, |e| e.seen.service = None),
            ("service", Failed, Drift, |e| service(e).status = ServiceStatus::Paused),
            ("identifier", Failed, Drift, |e| {
                service(e).origin = Origin::Ecr(examples::release("v9").image);
            }),
            ("identifier", Failed, Drift, |e| service(e).origin = Origin::Code("git".into())),
            ("registry", Failed, Drift, |e| e.held = Ok(None)),
            ("registry", CannotTell, Paused, |e| e.held = Err("no answer".into())),
            ("mark", Failed, Drift, |e| service(e).mark = Some("other".into())),
            ("mark", Failed, Drift, |e| service(e).mark = None),
            ("operation", Failed, Drift, |e| {
                e.operations.as_mut().unwrap()[0].status = OperationStatus::Failed;
            }),
            ("operation", Warned, Success, |e| e.operations = Ok(Vec::new())),
            ("no newer operation", Failed, Drift, |e| {
                e.seen.newest.as_mut().unwrap().id = "e".repeat(32).parse().unwrap();
                (e.seen.ours, e.begun_here) = (false, false);
            }),
            ("configuration", Warned, Success, |e| {
                service(e).configuration.port = Some("1".into());
            }),
            ("health", Failed, Drift, |e| {
                e.health = Ok(examples::health(HealthOutcome::Failed, 503, &["answered 503"]));
            }),
        ]
    };

    fn service(evidence: &mut Evidence) -> &mut Service {
        evidence.seen.service.as_mut().unwrap()
    }

    #[test]
    fn what_is_as_it_was_proven_passes_every_check() {
        let expected = expected();
        let findings = verify(&expected, &as_proven(&expected));
        assert!(findings.iter().all(|f| f.outcome == Outcome::Passed), "{findings:#?}");
        assert_eq!(findings.len(), 9);
        assert_eq!(verdict(&findings), ExitCode::Success);
    }

    #[test]
    fn what_was_changed_outside_is_brought_back_by_a_rollback_to_the_very_release() {
        let expected = expected();
        let mut evidence = as_proven(&expected);
        evidence.way_back = Some(DeploymentNumber(16));
        service(&mut evidence).origin = Origin::EcrPublic("public.ecr.aws/x/y:1".into());
        let findings = verify(&expected, &evidence);
        let fixes: Vec<_> = findings.iter().flat_map(|finding| &finding.fix).collect();
        assert!(fixes.iter().any(|fix| fix.contains("`surefoot rollback 16 ")), "{fixes:?}");
    }

    #[test]
    fn what_is_offered_works_where_the_service_is_paused_or_its_image_is_gone() {
        let expected = expected();
        let offered = |change: Change| {
            let mut evidence = as_proven(&expected);
            evidence.way_back = Some(DeploymentNumber(16));
            (evidence.seen.ours, evidence.begun_here) = (false, false);
            change(&mut evidence);
            let findings = verify(&expected, &evidence);
            findings.into_iter().flat_map(|finding| finding.fix).collect::<Vec<_>>().join("\n")
        };
        let fine = offered(|_| {});
        assert!(fine.contains("`surefoot rollback 16 "), "{fine}");
        let paused = offered(|e| service(e).status = ServiceStatus::Paused);
        assert!(paused.contains("`aws apprunner resume-service "), "{paused}");
        assert!(!paused.contains("surefoot rollback"), "{paused}");
        let gone = offered(|e| e.held = Ok(None));
        assert!(gone.contains("`surefoot deploy "), "{gone}");
        assert!(!gone.contains("surefoot rollback"), "{gone}");
    }

    #[test]
    fn an_operation_that_somebody_else_began_is_not_called_ours() {
        let expected = expected();
        let mut evidence = as_proven(&expected);
        let told = |evidence: &Evidence| {
            let findings = verify(&expected, evidence);
            findings.into_iter().find(|one| one.check == "no newer operation").unwrap()
        };
        assert!(told(&evidence).reason.ends_with(" is ours"));
        evidence.begun_here = false;
        let known = told(&evidence);
        assert_eq!(known.outcome, Outcome::Passed);
        assert!(known.reason.contains(" is not ours, "), "{known:?}");
    }

    #[test]
    fn operations_that_could_not_be_asked_for_prove_nothing() {
        let expected = expected();
        let mut evidence = as_proven(&expected);
        evidence.operations = Err("not allowed".into());
        evidence.seen.newest = None;
        let findings = verify(&expected, &evidence);
        let silent = findings.iter().filter(|one| one.outcome == Outcome::CannotTell);
        let silent: Vec<&str> = silent.map(|one| one.check.as_str()).collect();
        assert_eq!(silent, ["operation", "no newer operation"]);
        assert_eq!(verdict(&findings), ExitCode::Paused);
    }

    #[test]
    fn everything_that_can_be_wrong_is_found_by_its_own_check() {
        for (index, (check, outcome, exit, change)) in WRONGS.into_iter().enumerate() {
            let expected = expected();
            let mut evidence = as_proven(&expected);
            change(&mut evidence);
            let findings = verify(&expected, &evidence);
            let fine = [Outcome::Passed, Outcome::Skipped];
            let wrong: Vec<_> = findings.iter().filter(|f| !fine.contains(&f.outcome)).collect();
            assert_eq!(wrong.len(), 1, "{index}: {wrong:#?}");
            assert_eq!((wrong[0].check.as_str(), wrong[0].outcome), (check, outcome), "{index}");
            assert_eq!(verdict(&findings), exit, "{index}");
            let command = |fix: &String| fix.contains("`surefoot ") || fix.contains("`aws ");
            let helps = wrong[0].fix.iter().any(command);
            assert!(helps || outcome != Outcome::Failed, "{index}: {:?}", wrong[0].fix);
        }
    }

    #[test]
    fn a_tag_that_moved_is_found() {
        let mut expected = expected();
        let tagged = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop:v1.4.2";
        expected.release.image = tagged.parse().unwrap();
        let mut evidence = as_proven(&expected);
        assert_eq!(verdict(&verify(&expected, &evidence)), ExitCode::Success);
        evidence.held = Ok(Some(examples::digest("v9")));
        assert_eq!(verdict(&verify(&expected, &evidence)), ExitCode::Drift);
    }

    #[test]
    fn the_two_sides_and_the_drift_say_the_same() {
        use crate::projection::{compare, drift};
        let expected = expected();
        let fine = as_proven(&expected).seen;
        assert!(compare(Some(&expected), &fine).iter().all(|c| c.agrees == Some(true)));
        assert_eq!(drift(Some(&expected), &fine), []);
        for (_, _, exit, change) in WRONGS {
            let mut evidence = as_proven(&expected);
            change(&mut evidence);
            let changed = evidence.seen != fine;
            let drifted = !drift(Some(&expected), &evidence.seen).is_empty();
            assert_eq!(drifted, changed, "{exit:?} {:?}", evidence.seen);
        }
        assert_eq!(drift(None, &Sighting::default()), []);
    }
}
