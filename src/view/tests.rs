//! What the views show of whole runs.

mod hostile;
mod schema;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::documents::{
    Findings, HistoryRow, HistoryTable, LogLines, RawEvents, StatusSheet, StorySheet,
};
use super::output::capture::Capture;
use super::plan_sheet::{Origin, Payload, PlannedStep, Side};
use super::*;
use crate::projection::examples::{self, Run, every, morning};
use crate::projection::{Recorded, history, problem_of, status, story, summary};
use crate::release::Difference;
use crate::text::is_hostile;
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
    let rows = history(records).into_iter().rev();
    let rows = rows.map(|row| HistoryRow { in_registry: Some(row.number.0 > 16), row }).collect();
    HistoryTable {
        service: "123456789012/eu-central-1/shop".parse().unwrap(),
        endpoint: None,
        rows,
        older: 0,
        prune_at_work: false,
        prunes: Vec::new(),
        restorations: Vec::new(),
        asked: true,
        now: morning() + TimeDelta::hours(2),
    }
}

fn status_sheet(records: &[Recorded]) -> StatusSheet {
    let now = morning() + TimeDelta::hours(2);
    StatusSheet {
        log: status(records),
        aws: None,
        aws_silent: None,
        known: Vec::new(),
        at_work: None,
        elsewhere: None,
        now,
    }
}

/// Every document there is, of a run that went wrong.
fn documents(records: &[Recorded]) -> Vec<Box<dyn Document>> {
    let number = records[0].deployment.unwrap();
    let lines = vec![LogLine {
        id: "1".into(),
        at: morning(),
        stream: "s".into(),
        text: "GET / 200".into(),
    }];
    vec![
        Box::new(table(records)),
        Box::new(status_sheet(records)),
        Box::new(StorySheet { story: story(records, number).unwrap() }),
        Box::new(RawEvents { endpoint: None, events: records.to_vec() }),
        Box::new(sheet()),
        Box::new(findings()),
        Box::new(LogLines { source: LogSource::Application, lines, left_out_before: None }),
    ]
}

#[test]
fn a_good_run_in_a_log() {
    let run = examples::good(17, "v1.4.2", "v1.4.1", morning());
    insta::assert_snapshot!(plain(at(80)).watch(&run).both(), @r##"
    12:00:00Z  deployment #17 of shop
    12:00:01Z    1/9 preflight          passed (1 s)
    12:00:02Z    2/9 ensure repository  already there (1 s)
    12:00:20Z    3/9 build image        linux/amd64 (18 s)
    12:00:29Z    4/9 push image         906eba70 (9 s)
    12:00:30Z    5/9 capture previous   shop@09ef6aa2 (1 s)
    12:00:32Z    6/9 change service     operation 8f2c1d7e, 1 change: image (2 s)
    12:03:23Z    7/9 await operation    operation 8f2c1d7e SUCCEEDED (2 m 51 s)
    12:03:24Z    8/9 verify release     by identifier and operation (1 s)
    12:03:27Z    9/9 check health       200 in 84 ms (3 s)
    12:03:27Z  deployment #17 succeeded
    --- stdout
    shop runs v1.4.2 (906eba70)
      url         https://psbqam834h.eu-central-1.awsapprunner.com
      tag         v1.4.2
      digest      sha256:906eba7069b06e71…
      before      shop@09ef6aa2
      health      200 in 84 ms
      proof       verified by identifier and operation, and by the application's own
                  answer
      deployment  #17 live, 3 m 27 s

    next: surefoot status --service-name shop
          surefoot history --service-name shop
    "##);
}

#[test]
fn a_run_that_app_runner_takes_back_in_a_log() {
    insta::assert_snapshot!(plain(at(80)).watch(&examples::taken_back()).both(), @r##"
    12:00:00Z  deployment #18 of shop
    12:00:01Z    1/9 preflight          passed (1 s)
    12:00:02Z    2/9 ensure repository  already there (1 s)
    12:00:20Z    3/9 build image        linux/amd64 (18 s)
    12:00:29Z    4/9 push image         2e0de819 (9 s)
    12:00:30Z    5/9 capture previous   shop@906eba70 (1 s)
    12:00:32Z    6/9 change service     operation 8f2c1d7e, 1 change: image (2 s)
    12:07:32Z    7/9 await operation    failed: App Runner took it back (ROLLBACK_SUCCEEDED): the application does not listen on port 8080 (7 m 0 s)
    12:07:36Z   back verify rollback    App Runner brought it back, 200 in 84 ms (4 s)
    12:07:36Z  deployment #18 failed and was rolled back

    error[wrong-port]: App Runner took the update back
      because: the application does not listen on port 8080
      because: App Runner's log: Health check failed on port '8080'. Check your
               configured port number.
        listening on 0.0.0.0:3000

    Rolled back by App Runner itself to shop@906eba70, proven. v1.5.0 (2e0de819)
    stays in ECR.

    hint: set `port` in surefoot.toml to the port the application listens on
    hint: see the whole story: `surefoot show 18 --service-name shop`
    hint: fix it, then deploy again: `surefoot deploy --service-name shop`
    --- stdout
    shop: deployment #18 failed and was rolled back
      url         https://psbqam834h.eu-central-1.awsapprunner.com
      tag         v1.5.0
      digest      sha256:2e0de819eb89a10e…
      before      shop@906eba70
      proof       the release before is back, verified by identifier and operation
      deployment  #18 rolled back, 7 m 36 s
    "##);
}

#[test]
fn a_run_that_we_take_back_in_a_log() {
    insta::assert_snapshot!(plain(at(80)).watch(&examples::unhealthy()).both(), @r##"
    12:00:00Z  deployment #18 of shop
    12:00:01Z    1/9 preflight          passed (1 s)
    12:00:02Z    2/9 ensure repository  already there (1 s)
    12:00:20Z    3/9 build image        linux/amd64 (18 s)
    12:00:29Z    4/9 push image         2e0de819 (9 s)
    12:00:30Z    5/9 capture previous   shop@906eba70 (1 s)
    12:00:32Z    6/9 change service     operation 8f2c1d7e, 1 change: image (2 s)
    12:03:02Z    7/9 await operation    operation 8f2c1d7e SUCCEEDED (2 m 30 s)
    12:03:03Z    8/9 verify release     by identifier and operation (1 s)
    12:04:03Z    9/9 check health       failed: `dependencies.ffmpeg.available` is false, should be true (5 attempts) (1 m 0 s)
    12:04:03Z  rolling back: the release does not pass its health gate at https://psbqam834h.eu-central-1.awsapprunner.com/healthz
    12:04:05Z   back roll back          operation a1b2c3d4, 1 change: image (2 s)
    12:06:25Z   back await rollback     operation a1b2c3d4 SUCCEEDED (2 m 20 s)
    12:06:28Z   back verify rollback    back, 200 in 84 ms (3 s)
    12:06:28Z  deployment #18 failed and was rolled back

    error[unhealthy]: the release does not pass its health gate at
      https://psbqam834h.eu-central-1.awsapprunner.com/healthz
      because: `dependencies.ffmpeg.available` is false, should be true
        ffmpeg: not found
        serving anyway

    Rolled back to shop@906eba70, proven. v1.5.0 (2e0de819) stays in ECR.

    hint: see the whole story: `surefoot show 18 --service-name shop`
    hint: fix it, then deploy again: `surefoot deploy --service-name shop`
    --- stdout
    shop: deployment #18 failed and was rolled back
      url         https://psbqam834h.eu-central-1.awsapprunner.com
      tag         v1.5.0
      digest      sha256:2e0de819eb89a10e…
      before      shop@906eba70
      health      `dependencies.ffmpeg.available` is false, should be true (5
                  attempts)
      proof       the release before is back, verified by identifier and operation
      deployment  #18 rolled back, 6 m 28 s
    "##);
}

#[test]
fn an_interrupted_run_in_a_log() {
    insta::assert_snapshot!(plain(at(80)).watch(&examples::interrupted()).both(), @r##"
    12:00:00Z  deployment #18 of shop
    12:00:01Z    1/9 preflight          passed (1 s)
    12:00:02Z    2/9 ensure repository  already there (1 s)
    12:00:20Z    3/9 build image        linux/amd64 (18 s)
    12:00:29Z    4/9 push image         2e0de819 (9 s)
    12:00:30Z    5/9 capture previous   shop@906eba70 (1 s)
    12:00:32Z    6/9 change service     operation 8f2c1d7e, 1 change: image (2 s)
    12:01:02Z  interrupted by SIGINT

    error[interrupted]: interrupted by SIGINT

    Paused after step 6 of 9 (change service). App Runner goes on with operation
    8f2c1d7e0a4b4c6f9e1d2c3b4a5f6e7d by itself; it cannot be stopped.

    hint: see where it stands: `surefoot status --service-name shop`
    hint: go back instead: `surefoot resume --rollback --service-name shop`
    hint: go on where it stopped: `surefoot resume --service-name shop`
    --- stdout
    shop: deployment #18 is paused
      url         https://psbqam834h.eu-central-1.awsapprunner.com
      tag         v1.5.0
      digest      sha256:2e0de819eb89a10e…
      before      shop@906eba70
      deployment  #18 paused, 1 m 2 s
    "##);
}

#[test]
fn a_first_deployment_that_fails_in_a_log() {
    insta::assert_snapshot!(plain(at(80)).watch(&examples::first_fails()).both(), @r##"
    12:00:00Z  deployment #1 of shop
    12:00:01Z    1/9 preflight          passed (1 s)
    12:00:02Z    2/9 ensure repository  already there (1 s)
    12:00:20Z    3/9 build image        linux/amd64 (18 s)
    12:00:29Z    4/9 push image         8c807b66 (9 s)
    12:00:30Z    5/9 capture previous   no service yet (1 s)
    12:00:32Z    6/9 change service     operation 8f2c1d7e (2 s)
    12:05:32Z    7/9 await operation    failed: the operation ended FAILED: the application does not listen on port 8080 (5 m 0 s)
    12:05:32Z  deployment #1 failed

    error[wrong-port]: App Runner's operation failed
      because: the application does not listen on port 8080
      because: App Runner's log: Health check failed on port '8080'. Check your
               configured port number.
        listening on 0.0.0.0:3000

    There is nothing to roll back to: no release ran before this one. `shop` is left
    as App Runner left it; nothing serves there.

    hint: set `port` in surefoot.toml to the port the application listens on
    hint: see the whole story: `surefoot show 1 --service-name shop`
    hint: or delete the service (surefoot never does):
          `aws apprunner delete-service --region eu-central-1 --service-arn arn:aws:apprunner:eu-central-1:123456789012:service/shop/8fe1e10304f84fd2b0df550fe98a71fa`
    hint: fix it, then deploy again: `surefoot deploy --service-name shop`
    --- stdout
    shop: deployment #1 failed
      url         https://psbqam834h.eu-central-1.awsapprunner.com
      tag         v0.1.0
      digest      sha256:8c807b66253a6143…
      deployment  #1 failed, 5 m 32 s
    "##);
}

#[test]
fn a_good_run_on_a_terminal() {
    let run = examples::good(17, "v1.4.2", "v1.4.1", morning());
    insta::assert_snapshot!(live(at(80)).watch(&run).both(), @r##"
         deployment #17 of shop
       1 preflight          passed                                               1 s
       2 ensure repository  already there                                        1 s
       3 build image        linux/amd64                                         18 s
       4 push image         906eba70                                             9 s
       5 capture previous   shop@09ef6aa2                                        1 s
       6 change service     operation 8f2c1d7e, 1 change: image                  2 s
       7 await operation    operation 8f2c1d7e SUCCEEDED                    2 m 51 s
       8 verify release     by identifier and operation                          1 s
       9 check health       200 in 84 ms                                         3 s
         deployment #17 succeeded

    --- stdout
    shop runs v1.4.2 (906eba70)
      url         https://psbqam834h.eu-central-1.awsapprunner.com
      tag         v1.4.2
      digest      sha256:906eba7069b06e71…
      before      shop@09ef6aa2
      health      200 in 84 ms
      proof       verified by identifier and operation, and by the application's own
                  answer
      deployment  #17 live, 3 m 27 s

    next: surefoot status --service-name shop
          surefoot history --service-name shop
    "##);
}

#[test]
fn a_run_that_we_take_back_on_a_terminal() {
    insta::assert_snapshot!(live(at(80)).watch(&examples::unhealthy()).both(), @r##"
         deployment #18 of shop
       1 preflight          passed                                               1 s
       2 ensure repository  already there                                        1 s
       3 build image        linux/amd64                                         18 s
       4 push image         2e0de819                                             9 s
       5 capture previous   shop@906eba70                                        1 s
       6 change service     operation 8f2c1d7e, 1 change: image                  2 s
       7 await operation    operation 8f2c1d7e SUCCEEDED                    2 m 30 s
       8 verify release     by identifier and operation                          1 s
       9 check health       failed: `dependencies.ffmpeg.available` is       1 m 0 s
                            false, should be true (5 attempts)
         rolling back: the release does not pass its health gate at
         https://psbqam834h.eu-central-1.awsapprunner.com/healthz
       - roll back          operation a1b2c3d4, 1 change: image                  2 s
       - await rollback     operation a1b2c3d4 SUCCEEDED                    2 m 20 s
       - verify rollback    back, 200 in 84 ms                                   3 s
         deployment #18 failed and was rolled back


    error[unhealthy]: the release does not pass its health gate at
      https://psbqam834h.eu-central-1.awsapprunner.com/healthz
      because: `dependencies.ffmpeg.available` is false, should be true
        ffmpeg: not found
        serving anyway

    Rolled back to shop@906eba70, proven. v1.5.0 (2e0de819) stays in ECR.

    hint: see the whole story: `surefoot show 18 --service-name shop`
    hint: fix it, then deploy again: `surefoot deploy --service-name shop`
    --- stdout
    shop: deployment #18 failed and was rolled back
      url         https://psbqam834h.eu-central-1.awsapprunner.com
      tag         v1.5.0
      digest      sha256:2e0de819eb89a10e…
      before      shop@906eba70
      health      `dependencies.ffmpeg.available` is false, should be true (5
                  attempts)
      proof       the release before is back, verified by identifier and operation
      deployment  #18 rolled back, 6 m 28 s
    "##);
}

#[test]
fn a_run_that_app_runner_takes_back_on_a_wide_terminal() {
    insta::assert_snapshot!(live(at(160)).watch(&examples::taken_back()).both(), @r##"
         deployment #18 of shop
       1 preflight          passed                                                                   1 s
       2 ensure repository  already there                                                            1 s
       3 build image        linux/amd64                                                             18 s
       4 push image         2e0de819                                                                 9 s
       5 capture previous   shop@906eba70                                                            1 s
       6 change service     operation 8f2c1d7e, 1 change: image                                      2 s
       7 await operation    failed: App Runner took it back (ROLLBACK_SUCCEEDED): the            7 m 0 s
                            application does not listen on port 8080
       - verify rollback    App Runner brought it back, 200 in 84 ms                                 4 s
         deployment #18 failed and was rolled back


    error[wrong-port]: App Runner took the update back
      because: the application does not listen on port 8080
      because: App Runner's log: Health check failed on port '8080'. Check your configured port number.
        listening on 0.0.0.0:3000

    Rolled back by App Runner itself to shop@906eba70, proven. v1.5.0 (2e0de819) stays in ECR.

    hint: set `port` in surefoot.toml to the port the application listens on
    hint: see the whole story: `surefoot show 18 --service-name shop`
    hint: fix it, then deploy again: `surefoot deploy --service-name shop`
    --- stdout
    shop: deployment #18 failed and was rolled back
      url         https://psbqam834h.eu-central-1.awsapprunner.com
      tag         v1.5.0
      digest      sha256:2e0de819eb89a10e684fd2bbf8c13089b119b38164d07df382280f29b68552ff
      before      shop@906eba70
      proof       the release before is back, verified by identifier and operation
      deployment  #18 rolled back, 7 m 36 s
    "##);
}

#[test]
fn colour_is_only_an_accent() {
    let coloured = Look { width: 80, colour: true };
    for (name, run) in every() {
        let bare = live(at(80)).watch(&run).both();
        let painted = live(coloured).watch(&run).both();
        assert!(painted.contains('\u{1b}'), "{name}");
        let stripped = anstream::adapter::strip_str(&painted).to_string();
        assert_eq!(trimmed(&stripped), trimmed(&bare), "{name}");
        for document in documents(&run.records) {
            let stripped = anstream::adapter::strip_str(&document.text(coloured)).to_string();
            assert_eq!(trimmed(&stripped), trimmed(&document.text(at(80))), "{name}");
        }
    }
}

fn trimmed(text: &str) -> Vec<&str> {
    text.lines().map(str::trim_end).collect()
}

#[test]
fn off_a_terminal_there_is_no_escape_code() {
    for (name, run) in every() {
        assert!(!plain(at(80)).watch(&run).both().contains('\u{1b}'), "{name}");
    }
}

#[test]
fn json_is_one_object_a_line_and_the_last_is_the_result() {
    for (name, run) in every() {
        let watched = json().watch(&run);
        let lines: Vec<Value> =
            watched.out.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let (result, events) = lines.split_last().unwrap();
        assert_eq!(events.len(), run.records.len(), "{name}");
        for (line, record) in events.iter().zip(&run.records) {
            let event = record.event.as_ref().unwrap();
            assert_eq!(line["event"], event.type_name(), "{name}");
            assert_eq!(line["stream"], "123456789012/eu-central-1/shop");
            assert!(line["at"].is_string() && line["deployment"].is_u64());
        }
        let exit = run.state().exit_code().number();
        assert_eq!(result["result"]["exit_code"], exit, "{name}");
        assert_eq!(result["result"]["ok"], exit == 0, "{name}");
        assert_eq!(result["result"]["problem"].is_object(), exit != 0, "{name}");
        assert!(result["result"]["summary"]["number"].is_u64(), "{name}");
        assert_eq!(watched.err.text().contains("error["), exit != 0, "{name}");
    }
}

#[test]
fn hostile_text_fools_neither_terminal_nor_pipe() {
    let evil = "x\u{1b}[2J\u{202e}\r\nfake line\u{7}".to_owned() + &"y".repeat(1_000_000);
    let mut run = examples::unhealthy();
    for record in &mut run.records {
        record.actor.clone_from(&evil);
        if let Ok(Event::HealthFailed { application_log, health, .. }) = &mut record.event {
            application_log.push(evil.clone());
            health.findings.push(evil.clone());
        }
    }
    for document in documents(&run.records) {
        let text = document.text(at(80));
        let bad = text.chars().find(|c| *c != '\n' && is_hostile(*c));
        assert_eq!(bad, None, "{}", document.name());
        assert!(text.len() < 200_000, "{} {}", document.name(), text.len());
    }
    let watched = plain(at(80));
    watched.view.report(Progress::BuildLine(evil.clone()));
    watched.view.report(Progress::Notice(evil.clone()));
    watched.view.say(&evil);
    assert!(!watched.err.text().chars().any(|c| c != '\n' && is_hostile(c)));
}

#[test]
fn tables_fit_every_width() {
    for width in 60..=200 {
        for line in table(&examples::several()).text(at(width)).lines() {
            assert!(super::look::width_of(line) <= width, "{width}: {line}");
        }
    }
}

#[test]
fn a_wait_is_told_every_thirty_seconds_at_most() {
    let watched = plain(at(80));
    for second in [0, 1, 29, 30, 31, 59, 60, 61] {
        watched.clock.0.store(second, Ordering::SeqCst);
        watched.view.report(Progress::Waiting { what: "operation 8f2c1d7e IN_PROGRESS".into() });
    }
    insta::assert_snapshot!(watched.err.text(), @r##"
    12:00:30Z        still waiting, operation 8f2c1d7e IN_PROGRESS
    12:01:00Z        still waiting, operation 8f2c1d7e IN_PROGRESS
    "##);
}

#[test]
fn the_sandbox_is_named_first_on_every_screen() {
    let mut plan = examples::plan(1, "v1");
    plan.endpoint = Some("http://127.0.0.1:4566".into());
    let run = Run::begin(plan, morning());
    let first = "sandbox  http://127.0.0.1:4566\n";
    for watched in [plain(at(80)).watch(&run).both(), live(at(80)).watch(&run).both()] {
        assert!(watched.starts_with(first), "{watched}");
    }
    assert!(plain(at(80)).watch(&run).out.text().starts_with(first));
    let asked = plain(at(80));
    asked.view.data(&sheet());
    assert!(asked.out.text().starts_with(first));
}

#[test]
fn a_sheet_for_a_dry_run() {
    let shown = sheet();
    assert!(!format!("{shown:?}{}{}", shown.text(at(80)), shown.json()).contains("canary"));
    insta::assert_snapshot!(shown.text(at(80)), @r##"
    shop  #18   v1.4.2 (906eba70) -> v1.5.0
    App Runner, eu-central-1, account 123456789012

       1 preflight
       2 ensure repository  already there
       3 build image        Dockerfile, 42 files, 3.1 MB
       4 push image         shop:v1.5.0 to ECR
       5 capture previous
       6 change service
       7 await operation
       8 verify release
       9 check health

    changes
      environment.LOG_LEVEL  (none) -> value 1a2b3c4d

    warning: no health path is configured

    settings
      region  eu-central-1   (AWS_REGION)

    UpdateService  sha256 5ccfaab7c9fe8ff8157f2ac0a35988129a2ef07e9915b41ccc5a962415010a1d
      the image is not built yet: its digest is a placeholder, and the hash will be
      another
      {
        "ServiceArn": "arn:x",
        "SourceConfiguration": {
          "RuntimeEnvironmentVariables": {
            "LOG_LEVEL": "(value ccf742a4)"
          }
        }
      }

    Nothing was changed.
    "##);
}

#[test]
fn what_preflight_found() {
    insta::assert_snapshot!(findings().text(at(80)), @r##"
      ok    Docker         Docker 20.10.24 at unix:///var/run/docker.sock
      warn  port           the Dockerfile exposes 3000, the service is told 8080
                           fix: set `port = 3000` in surefoot.toml
      fail  service shop   `shop` is PAUSED
                           fix: resume it:
                                `aws apprunner resume-service --service-arn arn:aws:apprunner:eu-central-1:123456789012:service/shop/1`
      ?     instance role  iam:GetRole is denied
      skip  secrets        none are configured

    1 to fix before anything can be deployed.
    "##);
}

#[test]
fn history_at_three_widths() {
    let shown = [60, 80, 160].map(|width| table(&examples::several()).text(at(width)));
    insta::assert_snapshot!(shown.join("\n"), @r##"
    shop   eu-central-1, account 123456789012

         verdict      commit   ECR   age  note
    #19  live         8b71ff7  yes   1 h  rollback to #17
    #18  rolled back  8b71ff7  yes   2 h  unhealthy
    #17  superseded   8b71ff7  yes   1 d
    #16  good         8b71ff7  gone  3 d  marked good: the last…

    next: surefoot show 19 --service-name shop

    shop   eu-central-1, account 123456789012

         verdict      commit   digest    ECR   age      took  by   note
    #19  live         8b71ff7  906eba70  yes   1 h  2 m 18 s  ada  rollback to #17
    #18  rolled back  8b71ff7  2e0de819  yes   2 h  6 m 28 s  ada  unhealthy
    #17  superseded   8b71ff7  906eba70  yes   1 d  3 m 27 s  ada
    #16  good         8b71ff7  09ef6aa2  gone  3 d  3 m 27 s  ada  marked good: the…

    next: surefoot show 19 --service-name shop

    shop   eu-central-1, account 123456789012

         verdict      commit   tag     digest    ECR   age              took  by          note
    #19  live         8b71ff7  v1.4.2  906eba70  yes   1 hour ago   2 m 18 s  ada@laptop  rollback to #17
    #18  rolled back  8b71ff7  v1.5.0  2e0de819  yes   2 hours ago  6 m 28 s  ada@laptop  unhealthy
    #17  superseded   8b71ff7  v1.4.2  906eba70  yes   1 day ago    3 m 27 s  ada@laptop
    #16  good         8b71ff7  v1.4.1  09ef6aa2  gone  3 days ago   3 m 27 s  ada@laptop  marked good: the last one before the migration

    next: surefoot show 19 --service-name shop
    "##);
}

#[test]
fn status_of_a_service_at_rest_and_of_one_unfinished() {
    let rest = status_sheet(&examples::several()).text(at(80));
    let unfinished = status_sheet(&examples::interrupted().records).text(at(80));
    insta::assert_snapshot!(format!("{rest}\n{unfinished}"), @r##"
    shop   eu-central-1, account 123456789012

      live    #19  v1.4.2 (906eba70)  live, 1 hour ago by ada@laptop (rollback to
              #17)
      before  #16  v1.4.1 (09ef6aa2)  good, 3 days ago by ada@laptop (marked good:
              the last one before the migration)
      url     https://psbqam834h.eu-central-1.awsapprunner.com

    next: surefoot history --service-name shop

    shop   eu-central-1, account 123456789012

      live    nothing that surefoot knows of
      doubt   #18 changed the service and is not proven
      url     https://psbqam834h.eu-central-1.awsapprunner.com

    #18 v1.5.0 (2e0de819) is unfinished, begun 2 hours ago by ada@laptop
      Paused after step 6 of 9 (change service). App Runner goes on with operation
      8f2c1d7e0a4b4c6f9e1d2c3b4a5f6e7d by itself; it cannot be stopped.

    next: surefoot resume --service-name shop
          surefoot resume --rollback --service-name shop
    "##);
}

#[test]
fn the_story_of_a_rollback() {
    let told = story(&examples::unhealthy().records, crate::names::DeploymentNumber(18)).unwrap();
    insta::assert_snapshot!(StorySheet { story: told }.text(at(80)), @r##"
    shop #18   v1.5.0 (2e0de819)   rolled back

      begun      2026-11-23 12:00:00 UTC by ada@laptop, took 6 m 28 s
      commit     8b71ff7 on main: Shop: a new basket
      digest     sha256:2e0de819eb89a10e684fd2bbf8c13089b119b38164d07df382280f29b68552ff
      before     906eba70
      url        https://psbqam834h.eu-central-1.awsapprunner.com
      operation  8f2c1d7e0a4b4c6f9e1d2c3b4a5f6e7d
      health     `dependencies.ffmpeg.available` is false, should be true (5
                 attempts) at
                 https://psbqam834h.eu-central-1.awsapprunner.com/healthz
      proof      the release before is back, verified by identifier and operation
      back       by surefoot, operation a1b2c3d4e5f60718293a4b5c6d7e8f90, 200 in 84
                 ms
      note       unhealthy

      12:00:00Z  - deployment #18 of shop
      12:00:01Z  preflight               1 s  passed
      12:00:02Z  ensure repository       1 s  already there
      12:00:20Z  build image            18 s  linux/amd64
      12:00:29Z  push image              9 s  2e0de819
      12:00:30Z  capture previous        1 s  shop@906eba70
      12:00:32Z  change service          2 s  operation 8f2c1d7e, 1 change: image
      12:03:02Z  await operation    2 m 30 s  operation 8f2c1d7e SUCCEEDED
      12:03:03Z  verify release          1 s  by identifier and operation
      12:04:03Z  check health        1 m 0 s  failed:
                                              `dependencies.ffmpeg.available` is
                                              false, should be true (5 attempts)
      12:04:03Z  - rolling back: the release does not pass its health gate at
                   https://psbqam834h.eu-central-1.awsapprunner.com/healthz
      12:04:05Z  roll back               2 s  operation a1b2c3d4, 1 change: image
      12:06:25Z  await rollback     2 m 20 s  operation a1b2c3d4 SUCCEEDED
      12:06:28Z  verify rollback         3 s  back, 200 in 84 ms
      12:06:28Z  - deployment #18 failed and was rolled back

    sent  sha256 3aa02576074b740f584d9b48dffdb1b867f053e6e475ffda57fcb08df1096d0a
      image        shop@2e0de819
      environment  LOG_LEVEL (1bbe405e)
    changed
      image  shop@09ef6aa2 -> shop@2e0de819

    sent  sha256 3aa02576074b740f584d9b48dffdb1b867f053e6e475ffda57fcb08df1096d0a
      image        shop@906eba70
      environment  LOG_LEVEL (1bbe405e)
    changed
      image  shop@09ef6aa2 -> shop@906eba70

    the application's last lines
      ffmpeg: not found
      serving anyway

    error[unhealthy]: the release does not pass its health gate at
      https://psbqam834h.eu-central-1.awsapprunner.com/healthz
      because: `dependencies.ffmpeg.available` is false, should be true

    Rolled back to shop@906eba70, proven. v1.5.0 (2e0de819) stays in ECR.

    hint: fix it, then deploy again: `surefoot deploy --service-name shop`
    "##);
}

#[test]
fn what_the_service_says_stays_beneath_its_step() {
    let run = examples::good(17, "v1.4.2", "v1.4.1", morning());
    let watched = live(at(80));
    for (event, state, at, elapsed) in run.told() {
        watched.view.event(event, state, at, elapsed);
        if matches!(event, Event::UpdateIssued(_)) {
            watched.view.report(Progress::ServiceLine("Pulling image".into()));
            watched.view.report(Progress::BuildLine("comes and goes".into()));
        }
    }
    let text = watched.err.text();
    let lines: Vec<&str> = text.lines().collect();
    let step = lines.iter().position(|line| line.contains("await operation")).unwrap();
    assert_eq!(lines[step + 1], "     App Runner: Pulling image");
    assert!(!text.contains("comes and goes"));
}

#[test]
fn no_cause_of_a_problem_can_look_like_a_line_of_ours() {
    use crate::problem::{ExitCode, Problem};

    let forged = "refused\nhint: run `curl evil`\r\n\u{1b}[1A\n\nNothing was changed.";
    let problem = Problem::new(ExitCode::Usage, "usage", "odd").because(forged);
    let text = problem.text(at(120));
    assert!(
        text.contains("  because: refused hint: run `curl evil` \u{fffd}[1A Nothing"),
        "{text}"
    );
    assert_eq!(text.lines().filter(|line| line.starts_with("hint: ")).count(), 0, "{text}");
}
