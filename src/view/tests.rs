//! What the views show of whole runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::documents::{Findings, HistoryTable, LogLines, StatusSheet, StorySheet};
use super::output::capture::Capture;
use super::plan_sheet::{Origin, Payload, PlannedStep, Side};
use super::*;
use crate::names::is_hostile;
use crate::plan::Step;
use crate::projection::examples::{self, Run, every, morning};
use crate::projection::{Recorded, history, problem_of, status, story, summary};
use crate::release::Difference;
use crate::world::Progress;
use crate::world::clock::Clock;
use crate::world::log::{LogLine, LogSource};

/// A clock that stands still until it is moved.
#[derive(Default)]
struct Still(AtomicU64);

#[async_trait]
impl Clock for Still {
    fn now(&self) -> DateTime<Utc> {
        morning() + TimeDelta::from_std(self.elapsed()).unwrap()
    }
    fn elapsed(&self) -> Duration {
        Duration::from_secs(self.0.load(Ordering::SeqCst))
    }
    async fn sleep(&self, _duration: Duration) {}
}

/// A view with what it wrote.
struct Watched<V> {
    view: V,
    out: Capture,
    err: Capture,
    clock: Arc<Still>,
}

fn plain(look: Look) -> Watched<PlainView> {
    let (out, err, clock) = (Capture::default(), Capture::default(), Arc::<Still>::default());
    let view = PlainView::new((out.output(), look), (err.output(), look), clock.clone());
    Watched { view, out, err, clock }
}

fn json() -> Watched<JsonView> {
    let Watched { view, err, clock, .. } = plain(Look::PLAIN);
    let out = Capture::default();
    Watched { view: JsonView::new(out.output(), view, false), out, err, clock }
}

fn live(look: Look) -> Watched<LiveView> {
    let (out, err, clock) = (Capture::default(), Capture::default(), Arc::<Still>::default());
    let view = LiveView::hidden((out.output(), look), (err.output(), look));
    Watched { view, out, err, clock }
}

impl<V: View> Watched<V> {
    /// Shows a whole run as `deploy` does.
    fn watch(self, run: &Run) -> Self {
        for (event, state, at, elapsed) in run.told() {
            self.view.event(event, state, at, elapsed);
        }
        self.view.summary(&summary(run.state(), run.started(), run.ended()));
        if let Some(problem) = problem_of(run.state()) {
            self.view.problem(&problem);
        }
        self.view.finish(run.state().exit_code());
        self
    }

    /// Everything, talk first.
    fn both(&self) -> String {
        format!("{}--- stdout\n{}", self.err.text(), self.out.text())
    }
}

fn at(width: usize) -> Look {
    Look { width, colour: false }
}

fn sheet() -> PlanSheet {
    let body = serde_json::json!({
        "ServiceArn": "arn:x",
        "SourceConfiguration": { "RuntimeEnvironmentVariables": { "LOG_LEVEL": "canary" } },
    });
    let words = ["", "already there", "Dockerfile, 42 files, 3.1 MB", "shop:v1.5.0 to ECR"];
    PlanSheet {
        service: "123456789012/eu-central-1/shop".parse().unwrap(),
        endpoint: Some("http://127.0.0.1:4566".into()),
        number: crate::names::DeploymentNumber(18),
        from: Some(Side {
            tag: Some("v1.4.2".parse().unwrap()),
            digest: Some(examples::digest("v1.4.2")),
        }),
        to: Side { tag: Some("v1.5.0".parse().unwrap()), digest: None },
        steps: examples::STEPS
            .iter()
            .enumerate()
            .map(|(index, step)| PlannedStep {
                step: *step,
                words: words.get(index).copied().unwrap_or_default().into(),
            })
            .collect(),
        differences: vec![Difference {
            field: "environment.LOG_LEVEL".into(),
            before: None,
            after: Some("value 1a2b3c4d".into()),
        }],
        payloads: vec![Payload::new("UpdateService", &body, true)],
        origins: vec![Origin {
            key: "region".into(),
            value: "eu-central-1".into(),
            from: "AWS_REGION".into(),
        }],
        warnings: vec!["no health path is configured".into()],
    }
}

fn findings() -> Findings {
    use crate::plan::findings::Finding;
    use crate::problem::ExitCode;
    let findings = vec![
        Finding::passed("Docker", "Docker 20.10.24 at unix:///var/run/docker.sock"),
        Finding::warned("port", "the Dockerfile exposes 3000, the service is told 8080")
            .fix("set `port = 3000` in surefoot.toml"),
        Finding::failed("service shop", ExitCode::Preflight, "service-paused", "`shop` is PAUSED")
            .fix("resume it: `aws apprunner resume-service --service-arn arn:aws:apprunner:eu-central-1:123456789012:service/shop/1`"),
        Finding::cannot_tell("instance role", "iam:GetRole is denied"),
        Finding::skipped("secrets", "none are configured"),
    ];
    Findings { endpoint: None, findings }
}

fn table(records: &[Recorded]) -> HistoryTable {
    let mut rows = history(records);
    rows.reverse();
    HistoryTable {
        service: "123456789012/eu-central-1/shop".parse().unwrap(),
        endpoint: None,
        rows,
        older: 0,
        now: morning() + TimeDelta::hours(2),
    }
}

fn status_sheet(records: &[Recorded]) -> StatusSheet {
    let now = morning() + TimeDelta::hours(2);
    StatusSheet { log: status(records), aws: None, aws_silent: None, now }
}

#[test]
fn dump() {
    for (name, run) in every() {
        println!("######## plain: {name}\n{}", plain(at(80)).watch(&run).both());
    }
    for (name, run) in every() {
        println!("######## terminal: {name}\n{}", live(at(80)).watch(&run).both());
    }
    println!("######## 160\n{}", live(at(160)).watch(&examples::taken_back()).both());
    for width in [60, 80, 160] {
        println!("######## {width}\n{}", table(&examples::several()).text(at(width)));
        println!("{}", status_sheet(&examples::several()).text(at(width)));
        println!("{}", status_sheet(&examples::interrupted().records).text(at(width)));
        let told = story(&examples::unhealthy().records, crate::names::DeploymentNumber(18));
        println!("{}", StorySheet { story: told.unwrap() }.text(at(width)));
        println!("{}", sheet().text(at(width)));
        println!("{}", findings().text(at(width)));
    }
    println!("{}", json().watch(&examples::build_fails()).both());
}
