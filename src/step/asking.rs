//! Asking the application how it is, as a health gate says.

use url::Url;

use super::{Bench, StepError};
use crate::config::health::judge;
use crate::config::{HealthGate, HealthJudgement};
use crate::event::{Failure, HealthOutcome, HealthReport};
use crate::names::service_address;
use crate::problem::ExitCode;
use crate::world::health::{Limits, Response, Silence};
use crate::world::{Progress, ProgressSink, World};

/// A body larger than this is not a health answer.
const BODY_LIMIT: usize = 1024 * 1024;
/// Redirects within the service that are followed.
const REDIRECTS: usize = 5;

/// The gate's URL on a service of this address.
pub(super) fn target(
    bench: &Bench<'_>,
    gate: &HealthGate,
    address: &str,
) -> Result<Option<Url>, StepError> {
    let address = service_address(address, bench.deployment.plan.endpoint.as_deref());
    let parsed = Url::parse(&address).map_err(|error| {
        let what = format!("App Runner names no usable address: `{address}`");
        Failure::new(ExitCode::Health, "no-address", what).because(error.to_string())
    })?;
    Ok(gate.target(&parsed))
}

/// Asks as the gate says.
pub(super) async fn ask(
    world: &World,
    progress: &dyn ProgressSink,
    gate: &HealthGate,
    url: &Url,
) -> HealthReport {
    let mut in_a_row = 0;
    let mut report = HealthReport { url: url.to_string(), ..unproven(gate) };
    report.outcome = HealthOutcome::Failed;
    loop {
        let response = world.health.get(url, &limits(gate)).await;
        report.attempts += 1;
        if note(gate, &response, &mut report) {
            in_a_row += 1;
        } else {
            in_a_row = 0;
        }
        if in_a_row >= gate.passes.max(1) {
            report.outcome = HealthOutcome::Passed;
            return report;
        }
        if report.attempts >= gate.retries {
            return report;
        }
        show(progress, &report, in_a_row);
        world.clock.sleep(gate.interval).await;
    }
}

fn limits(gate: &HealthGate) -> Limits {
    Limits { timeout: gate.timeout, body_bytes: BODY_LIMIT, redirects: REDIRECTS }
}

/// Writes down what one answer says; true where it passes.
fn note(gate: &HealthGate, response: &Response, report: &mut HealthReport) -> bool {
    match response {
        Response::Silent { because, detail } => {
            (report.status, report.took) = (None, None);
            report.findings = vec![silence(*because, detail)];
            false
        }
        Response::Answered { status, body, truncated, content_type, took } => {
            (report.status, report.took) = (Some(*status), Some(*took));
            let content_type = content_type.as_deref();
            heed(judge(gate, *status, body, *truncated, content_type), report)
        }
    }
}

fn heed(judgement: HealthJudgement, report: &mut HealthReport) -> bool {
    match judgement {
        HealthJudgement::Passed { warnings, version } => {
            report.findings = warnings.iter().map(ToString::to_string).collect();
            report.version = version;
            true
        }
        HealthJudgement::Failed(failure) => {
            report.findings = vec![failure.to_string(), failure.likely_cause().to_owned()];
            false
        }
    }
}

fn silence(because: Silence, detail: &str) -> String {
    let what = match because {
        Silence::Refused => "nothing listens there",
        Silence::UnknownHost => "the host name does not resolve",
        Silence::Tls => "the TLS handshake fails",
        Silence::Timeout => "no answer in time",
        Silence::Broken => "the connection breaks",
        Silence::Redirects => "it redirects in circles, or away from the service",
    };
    format!("{what} ({detail})")
}

fn show(progress: &dyn ProgressSink, report: &HealthReport, in_a_row: u32) {
    let finding = report.findings.first().cloned().unwrap_or_else(|| "passes".into());
    let what = format!("{}: {finding} ({in_a_row} in a row)", report.url);
    progress.report(Progress::Waiting { what });
}

/// A report that says that nothing was asked.
pub(super) fn unproven(gate: &HealthGate) -> HealthReport {
    HealthReport {
        outcome: HealthOutcome::Unproven,
        url: gate.path.clone(),
        attempts: 0,
        status: None,
        took: None,
        findings: Vec::new(),
        version: None,
    }
}
