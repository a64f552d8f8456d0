//! A large context goes through, and is never held.

use std::fs::{self, File};
use std::process::Command;

use super::support::{ImageName, Project, both_builders, build, engine};
use surefoot::world::builder::Builder as _;

/// Set for the process that is measured.
const MEASURED: &str = "SUREFOOT_TEST_MEASURED";
/// The context of the survey, which touches no engine.
const SURVEYED: u64 = 500_000_000;
/// The context that is sent.
const SENT: u64 = 100_000_000;
/// What the whole process may come to, test harness included. Holding the context would be more.
const PEAK_KILOBYTES: u64 = 60_000;

#[tokio::test]
async fn a_large_context_is_streamed() {
    if std::env::var_os(MEASURED).is_some() {
        return send().await;
    }
    if engine().await.is_none() {
        return;
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "docker::memory::a_large_context_is_streamed", "--nocapture"])
        .env(MEASURED, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said} {}", String::from_utf8_lossy(&output.stderr));
    let peak: u64 = said
        .lines()
        .find_map(|line| line.split_once("peak kilobytes: ")?.1.trim().parse().ok())
        .unwrap_or_else(|| panic!("no measurement in {said}"));
    assert!(peak < PEAK_KILOBYTES, "{peak} kB");
}

/// What is measured: both builders, each with the whole context.
async fn send() {
    let project = Project::new("FROM scratch\nCOPY Dockerfile /x\n");
    let large = File::create(project.path().join("large")).unwrap();
    large.set_len(SURVEYED).unwrap();
    for (which, builder) in both_builders() {
        large.set_len(SURVEYED).unwrap();
        let survey = builder.survey(&project.request()).await.unwrap();
        assert!(survey.bytes > SURVEYED);
        large.set_len(SENT).unwrap();
        let name = ImageName::new();
        let (answer, _) = build(&builder, &project.request(), &name).await;
        answer.unwrap_or_else(|error| panic!("{which}: {error}"));
    }
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let text = format!("\npeak kilobytes: {}\n", peak.trim().trim_end_matches(" kB"));
    std::io::Write::write_all(&mut std::io::stdout(), text.as_bytes()).unwrap();
}
