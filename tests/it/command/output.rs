//! What programs read: JSON lines on stdout and nothing else there; no escape code off a terminal.

use std::process::Stdio;

use super::support::{Ended, Project, World};

/// JSON lines that end with the result, and no escape code anywhere.
#[track_caller]
fn clean(ended: Ended) -> Ended {
    let lines = ended.lines();
    let results = lines.iter().filter(|line| line.get("result").is_some()).count();
    assert_eq!(results, 1, "{}", ended.out);
    assert!(!ended.out.contains('\u{1b}') && !ended.err.contains('\u{1b}'), "{ended:?}");
    let result = ended.result();
    assert_eq!(result["exit_code"], ended.code);
    assert_eq!(result["ok"], ended.code == 0);
    ended
}

#[test]
fn every_command_speaks_json_lines_that_end_with_the_result() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    for arguments in [
        &["status"][..],
        &["history"],
        &["preflight"],
        &["resume"],
        &["deploy", "--dry-run"],
        &["deploy"],
        &["deploy"],
        &["deploy", "--force-restart", "--tail"],
        &["status"],
        &["status", "--offline"],
        &["history"],
        &["show", "1"],
        &["show", "1", "--events"],
        &["logs"],
        &["resume"],
    ] {
        clean(project.run(&[arguments, &["--json"]].concat()).exits(0));
    }
    for (arguments, code) in [
        (&["show", "7"][..], 2),
        (&["deploy", "--cleanup-old"], 1),
        (&["deploy", "--image", "none"], 20),
    ] {
        let ended = clean(project.run(&[arguments, &["--json"]].concat()).exits(code));
        assert!(ended.result()["problem"]["what"].is_string(), "{}", ended.out);
        assert!(ended.result()["problem"]["next"].is_array(), "{}", ended.out);
    }
}

#[test]
fn a_wrong_configuration_is_told_in_json_too() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.write("surefoot.toml", "prot = 1\n");
    clean(project.run(&["deploy", "--json"]).exits(2));
}

#[test]
fn an_event_line_names_event_moment_deployment_and_stream() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    let ended = clean(project.deploy_json().exits(0));
    let expected = [
        "DeploymentPlanned",
        "PreflightPassed",
        "RepositoryEnsured",
        "ImageBuilt",
        "DigestPushed",
        "PreviousCaptured",
        "CreateIssued",
        "OperationSucceeded",
        "ReleaseVerified",
        "HealthPassed",
        "DeploymentSucceeded",
    ];
    let events = ended.events();
    let shown: Vec<&str> = events.iter().map(String::as_str).collect();
    let shown: Vec<&str> = shown.into_iter().filter(|name| expected.contains(name)).collect();
    assert_eq!(shown, expected);
    for line in ended.lines().iter().filter(|line| line.get("event").is_some()) {
        assert!(
            line["at"].is_string() && line["data"].is_object() | line["data"].is_null(),
            "{line}"
        );
        assert_eq!(line["stream"], "123456789012/eu-central-1/shop");
    }
}

#[test]
fn off_a_terminal_there_is_no_escape_code_whatever_the_environment_says() {
    let world = World::open();
    let mut project = Project::new(&world, "shop");
    project.set("TERM", "xterm-256color");
    for arguments in
        [&["deploy"][..], &["status"], &["history"], &["show", "1"], &["logs"], &["show", "9"]]
    {
        let ended = project.run(arguments);
        assert!(
            !ended.out.contains('\u{1b}') && !ended.err.contains('\u{1b}'),
            "{arguments:?} {ended:?}"
        );
        assert!(!ended.out.contains('\r') && !ended.err.contains('\r'), "{arguments:?} {ended:?}");
    }
}

#[test]
fn every_screen_says_that_this_is_the_sandbox() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.deploy().says("sandbox");
    for arguments in
        [&["status"][..], &["history"], &["show", "1"], &["preflight"], &["deploy", "--dry-run"]]
    {
        project.run(arguments).exits(0).says("sandbox  http://127.0.0.1");
    }
    // Who asks nobody knows it from the journal.
    for (arguments, code) in [
        (&["history", "--offline"][..], 0),
        (&["history", "--html", "page.html", "--since", "1s"], 0),
        (&["status", "--offline"], 0),
        (&["stats"], 0),
        (&["show", "1"], 0),
        (&["show", "1", "--events"], 0),
        (&["show", "9"], 2),
    ] {
        let ended = project.run(arguments).exits(code);
        let shown = if code == 0 { &ended.out } else { &ended.err };
        assert!(shown.starts_with("sandbox  http://127.0.0.1"), "{arguments:?} {ended:?}");
        let result = project.run(&[arguments, &["--json"]].concat()).exits(code).result();
        assert!(result["endpoint"].is_string(), "{arguments:?} {result}");
    }
    let page = std::fs::read_to_string(project.path().join("page.html")).unwrap();
    assert!(page.contains(r#""endpoint":"http://127.0.0.1"#), "whatever is listed");
}

#[test]
fn the_first_line_of_talk_names_the_sandbox_whatever_is_said_first() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    let first = |arguments: &[&str]| {
        let ended = project.run(arguments);
        assert!(ended.err.starts_with("sandbox  http://127.0.0.1"), "{arguments:?} {ended:?}");
    };
    first(&["resume"]);
    first(&["rollback"]);
    project.deploy();
    first(&["resume"]);
    project.release("release two");
    project.deploy();
    first(&["rollback"]);
    first(&["logs", "--grep", "no such line anywhere"]);
    let none = project.run(&["logs", "--grep", "no such line anywhere"]).exits(0);
    let whole = |line: &str| line.matches('`').count().is_multiple_of(2);
    assert!(none.err.lines().all(whole), "a command in two parts: {}", none.err);
}

#[test]
fn everything_a_person_reads_ends_with_what_to_type_next() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.run(&["status"]).exits(0).says("next: surefoot deploy");
    project.deploy().says("surefoot ");
    project.run(&["status"]).exits(0).says("next: ");
    project.run(&["show", "9"]).exits(2).says("hint: ");
    project.run(&["deploy", "--image", "none"]).exits(20).says("hint: ");
}

#[test]
fn an_output_that_cannot_be_written_does_not_panic() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.deploy();
    for arguments in [
        &["status"][..],
        &["status", "--json"],
        &["history"],
        &["show", "1"],
        &["deploy"],
        &["--help"],
    ] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = project
            .command(arguments)
            .stdout(Stdio::from(full))
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!said.contains("panicked"), "{arguments:?}: {said}");
        assert_ne!(output.status.code(), Some(101), "{arguments:?}");
    }
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = project.command(&["status"]).stderr(Stdio::from(full)).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn completions_are_printed_for_every_shell() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        project.run(&["completions", shell]).exits(0).says("surefoot");
    }
    project.run(&["completions", "tcsh"]).exits(2);
}

#[test]
fn the_applications_log_is_shown_while_waiting_and_by_logs() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    let line = if world.runs_images() { "listening on port" } else { "[stand-in]" };
    project.run(&["deploy", "--tail"]).exits(0);
    project.run(&["logs", "--source", "app"]).exits(0).says(line);
    project.run(&["logs", "--source", "service"]).exits(0).says("[AppRunner]");
    project.run(&["logs", "--since", "yesterday"]).exits(2);
}
