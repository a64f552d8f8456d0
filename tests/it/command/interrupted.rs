//! Ctrl-C, kill -9, and what a second process says meanwhile.

use serde_json::json;

use super::support::{Project, Run, World};

/// The service runs what was asked for, asked for once, and nothing is left to do.
fn ended_well(world: &World, project: &Project<'_>, operations: usize) {
    project.run(&["resume"]).exits(0).says("nothing to resume");
    project.run(&["status"]).exits(0).does_not_say("unfinished").does_not_say("outside surefoot");
    assert_eq!(world.operations("shop").len(), operations);
    assert_eq!(world.operations("shop").last().unwrap().1, "SUCCEEDED");
    world.nothing_was_done_twice();
}

#[test]
fn ctrl_c_in_the_wait_names_the_operation_and_every_way_on() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.deploy();
    project.release("release two");
    world.fault(&json!({"operation": "UpdateService", "kind": "slow-operation", "factor": 20}));
    let run = project.start(&["deploy", "--json"]);
    run.until_event("UpdateIssued");
    run.signal("INT");
    let ended = run.end().exits(130);
    let operation = &world.effective("UpdateService")[0]["operation_id"];
    let ended = ended.says(operation.as_str().unwrap());
    ended.says("surefoot resume").says("surefoot resume --rollback").says("surefoot status");
    assert_eq!(world.operations("shop").last().unwrap().1, "IN_PROGRESS", "it said so at once");
    let status = project.run(&["status"]).exits(0).says("unfinished").says("surefoot resume");
    // It is our own mark that is on the service.
    status.says("the doing of #2").does_not_say("outside surefoot");
    project.run(&["history"]).exits(0).says("interrupted");
    project.run(&["deploy"]).exits(25);
    project.run(&["resume"]).exits(0);
    ended_well(&world, &project, 2);
}

/// What a person decided is not forgotten by the next process, and is said.
#[test]
fn a_way_back_that_was_asked_for_is_shown_and_gone_on_with() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.deploy();
    project.release("release two");
    world.fault(&json!({"operation": "UpdateService", "kind": "slow-operation", "factor": 4}));
    let run = project.start(&["deploy", "--json"]);
    run.until_event("UpdateIssued");
    run.kill();
    let run = project.start(&["resume", "--rollback", "--json"]);
    run.until_event("Resumed");
    run.kill();
    let status = project.run(&["status"]).exits(0).says("to be taken back as a person asked");
    status.does_not_say("outside surefoot");
    project.run(&["resume"]).exits(1).says("taken up again, to go back");
    ended_well(&world, &project, 3);
}

/// Somebody may have begun to edit it: the journal has the plan.
#[test]
fn what_was_interrupted_goes_on_beside_a_configuration_that_cannot_be_used() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    world.fault(&json!({"operation": "CreateService", "kind": "slow-operation", "factor": 20}));
    let run = project.start(&["deploy", "--json"]);
    run.until_event("CreateIssued");
    run.signal("INT");
    run.end().exits(130);
    project.write("surefoot.toml", "service_name = \"another\"\nport = [\n");
    let said = "going on without it";
    let status = project.run(&["status"]).exits(0).says(said).says("unclosed array");
    status.says("surefoot resume");
    for reading in [&["history"][..], &["show", "1"], &["stats"], &["journal", "verify"]] {
        project.run(reading).exits(0).says(said);
    }
    // What needs more than the journal says what is wrong, and nothing happens.
    for asking in [&["deploy"][..], &["rollback"], &["preflight"], &["prune"]] {
        project.run(asking).exits(2).names("bad-configuration");
    }
    project.run(&["resume"]).exits(0).says(said);
    project.write("surefoot.toml", "");
    ended_well(&world, &project, 1);
}

/// It may say where the journal is.
#[test]
fn without_a_journal_a_configuration_that_cannot_be_used_is_not_gone_on_without() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.write("surefoot.toml", "history_dir = \"elsewhere\"\nport = [\n");
    for reading in ["status", "resume", "history"] {
        project.run(&[reading]).exits(2).names("bad-configuration");
    }
}

#[test]
fn a_second_signal_leaves_at_once() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    // The call in flight hangs longer than the first signal's grace.
    world.fault(
        &json!({"operation": "CreateService", "kind": "slow-answer", "milliseconds": 30000}),
    );
    let run = project.start(&["deploy", "--json"]);
    run.until_intended("change_service");
    world.until("the call is on its way", || !world.effective("CreateService").is_empty());
    run.signal("INT");
    world.pause(std::time::Duration::from_millis(300));
    run.signal("TERM");
    let ended = run.end().exits(130);
    assert!(!ended.out.contains("Interrupted"), "it left in the middle:\n{}", ended.out);
    project.run(&["resume"]).exits(0);
    ended_well(&world, &project, 1);
}

#[test]
fn a_signal_lets_the_call_in_flight_end_and_is_answered_with_what_it_did() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    world
        .fault(&json!({"operation": "CreateService", "kind": "slow-answer", "milliseconds": 1500}));
    let run = project.start(&["deploy", "--json"]);
    run.until_intended("change_service");
    world.until("the call is on its way", || !world.effective("CreateService").is_empty());
    run.signal("TERM");
    let ended = run.end().exits(130);
    assert!(ended.events().iter().any(|event| event == "CreateIssued"), "{}", ended.out);
    project.run(&["resume"]).exits(0);
    ended_well(&world, &project, 1);
}

#[test]
fn hanging_up_is_an_interruption_like_any_other() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    let run = Run::start(project.hanging_up("default", &["deploy", "--json"]));
    run.until_event("CreateIssued");
    run.signal("HUP");
    run.end().exits(130).says("SIGHUP");
    project.run(&["resume"]).exits(0);
}

#[test]
fn nohup_outlives_the_terminal() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    let run = Run::start(project.hanging_up("ignore", &["deploy", "--json"]));
    run.until_event("CreateIssued");
    run.signal("HUP");
    run.end().exits(0);
}

#[test]
fn killed_at_each_event_it_resumes_to_the_same_end() {
    for event in [
        "DeploymentPlanned",
        "PreflightPassed",
        "RepositoryEnsured",
        "ImageBuilt",
        "DigestPushed",
        "PreviousCaptured",
        "UpdateIssued",
        "OperationSucceeded",
        "ReleaseVerified",
        "HealthPassed",
    ] {
        let world = World::open();
        let project = Project::new(&world, "shop");
        project.deploy();
        project.release("release two");
        let run = project.start(&["deploy", "--json"]);
        run.until_event(event);
        run.kill();
        let status = project.run(&["status"]).exits(0);
        // Killed after the last effect, it may have ended before the signal came.
        if status.out.contains("unfinished") {
            status.says("surefoot resume");
            project.run(&["deploy"]).exits(25);
        }
        project.run(&["resume"]).exits(0);
        ended_well(&world, &project, 2);
    }
}

#[test]
fn killed_between_an_intention_and_its_outcome_it_looks_before_it_acts() {
    for (step, operation) in [
        ("ensure_repository", "CreateRepository"),
        ("change_service", "CreateService"),
        ("tag_latest", "PutImage"),
    ] {
        let world = World::open();
        let project = Project::new(&world, "shop");
        world.fault(&json!({"operation": operation, "kind": "slow-answer", "milliseconds": 20000}));
        let run = project.start(&["deploy", "--json"]);
        run.until_intended(step);
        world.until("the call took effect", || !world.effective(operation).is_empty());
        run.kill();
        world.clear();
        project.run(&["status"]).exits(0).says("surefoot resume");
        project.run(&["resume"]).exits(0);
        ended_well(&world, &project, 1);
        if operation != "CreateRepository" {
            // What took effect before the kill was forgotten by `clear`: nothing came after it.
            assert!(world.effective(operation).is_empty(), "{operation} was done twice");
        }
    }
}

#[test]
fn killed_before_the_call_left_the_change_is_made_once() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.deploy();
    project.release("release two");
    // The call is cut, then looked for; the process dies while it looks.
    world.fault(&json!({"operation": "UpdateService", "kind": "cut-before-effect"}));
    let run = project.start(&["deploy", "--json"]);
    run.until_intended("change_service");
    world.until("the call was made", || {
        world.calls().iter().any(|call| call["operation"] == "UpdateService")
    });
    run.kill();
    project.run(&["resume"]).exits(0);
    assert_eq!(world.effective("UpdateService").len(), 1);
    ended_well(&world, &project, 2);
}

#[test]
fn killed_during_a_rollback_it_goes_on_going_back() {
    for event in ["RollbackStarted", "RollbackIssued"] {
        let world = World::open();
        let project = Project::new(&world, "shop");
        let asserts = "[health]\nretries = 2\n[health.assert]\nlabels.state = \"well\"\n";
        project.write("surefoot.toml", asserts);
        project.answers_with_label("state", "well");
        project.commit("asserts");
        project.deploy();
        let before = world.image("shop");
        project.answers_with_label("state", "sick");
        project.release("release two");
        let run = project.start(&["deploy", "--json"]);
        run.until_event(event);
        run.kill();
        project.run(&["status"]).exits(0).says("on the way back");
        project.run(&["resume"]).exits(13);
        assert_eq!(world.image("shop"), before, "{event}");
        ended_well(&world, &project, 3);
    }
}

#[test]
fn resume_needs_neither_the_tree_nor_the_dockerfile_once_the_image_is_pushed() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    let run = project.start(&["deploy", "--json"]);
    run.until_event("DigestPushed");
    run.kill();
    for file in ["Dockerfile", "app", "index.html", "surefoot.toml"] {
        drop(std::fs::remove_file(project.path().join(file)));
    }
    project.run(&["resume"]).exits(0);
    ended_well(&world, &project, 1);
}

#[test]
fn resume_before_the_push_refuses_another_tree() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    let run = project.start(&["deploy", "--json"]);
    run.until_event("DeploymentPlanned");
    run.kill();
    let known = project.run(&["status"]).exits(0);
    if known.out.contains("unfinished") && !world.has("shop") {
        project.release("release two");
        let ended = project.run(&["resume"]);
        assert!(matches!(ended.code, 0 | 10), "{ended:?}");
    }
}

#[test]
fn resume_rollback_goes_back_and_abandon_touches_nothing() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.deploy();
    let before = world.image("shop");
    project.release("release two");
    let run = project.start(&["deploy", "--json"]);
    run.until_event("UpdateIssued");
    run.kill();
    let ended = project.run(&["resume", "--rollback"]);
    assert!(matches!(ended.code, 0 | 1), "{ended:?}");
    assert_eq!(world.image("shop"), before);
    let run = project.start(&["deploy", "--json"]);
    run.until_event("UpdateIssued");
    run.kill();
    world.idle("shop");
    world.clear();
    project.run(&["resume", "--abandon"]).exits(2);
    project.run(&["resume", "--abandon", "--reason", "a test"]).exits(0);
    assert!(world.effects().is_empty());
    project.run(&["deploy"]).exits(0);
}

#[test]
fn a_status_loop_beside_a_deployment_always_answers() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    let run = project.start(&["deploy", "--json"]);
    for _ in 0..20 {
        project.run(&["status", "--offline"]).exits(0);
        project.run(&["history"]).exits(0);
    }
    run.end().exits(0);
}

#[test]
fn stdout_that_is_closed_does_not_stop_a_deployment() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    let mut command = project.command(&["deploy", "--json"]);
    let mut child = command
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let status = child.wait().unwrap();
    assert!(status.code().is_some(), "ended by a signal: {status}");
    project.run(&["resume"]).exits(0);
    assert_eq!(world.operations("shop").last().unwrap().1, "SUCCEEDED");
}

#[test]
fn a_reader_that_leaves_after_the_first_line_does_not_stop_a_deployment() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    for arguments in ["deploy", "deploy --json"] {
        let binary = env!("CARGO_BIN_EXE_surefoot");
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", &format!("{{ {binary} {arguments}; echo $? > ended; }} 2>&1 | head -1")]);
        let like = project.command(&[]);
        shell.current_dir(project.path()).env_clear();
        for (name, value) in like.get_envs() {
            shell.env(name, value.unwrap_or_default());
        }
        assert!(shell.output().unwrap().status.success());
        world.until("it ended", || project.path().join("ended").exists());
        let ended = std::fs::read_to_string(project.path().join("ended")).unwrap();
        assert_eq!(ended.trim(), "0", "{arguments}");
        std::fs::remove_file(project.path().join("ended")).unwrap();
        project.release("release two");
    }
    project.run(&["resume"]).exits(0).says("nothing to resume");
    assert_eq!(world.operations("shop").last().unwrap().1, "SUCCEEDED");
    world.nothing_was_done_twice();
}

#[test]
fn a_terminal_that_goes_away_interrupts_and_loses_nothing() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    world.fault(&json!({"operation": "CreateService", "kind": "slow-operation", "factor": 10}));
    let mut command = project.hanging_up("default", &["deploy"]);
    let mut child = command
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    world.until("the call took effect", || !world.effective("CreateService").is_empty());
    world.until("it is written down", || {
        project.run(&["show", "1", "--events", "--json"]).out.contains("CreateIssued")
    });
    // As a terminal does it: nobody reads any more, then the signal.
    drop((child.stdout.take(), child.stderr.take()));
    super::support::shell(&format!("kill -HUP {}", child.id()));
    assert_eq!(child.wait().unwrap().code(), Some(130));
    project.run(&["show", "1", "--events", "--json"]).exits(0).says("SIGHUP");
    project.run(&["status"]).exits(0).says("unfinished");
    project.run(&["resume"]).exits(0);
    ended_well(&world, &project, 1);
}

/// `surefoot deploy` in a terminal, which is what `script` makes; once App Runner is at work, `then` is
/// run (the terminal's process is `$terminal`), and what it prints is typed.
fn in_a_terminal(project: &Project<'_>, then: &str) -> std::process::Command {
    let inner = project.command(&[]);
    let mut command = std::process::Command::new("sh");
    command.current_dir(project.path()).env_clear();
    command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let screen = project.history().with_extension("screen");
    let line = format!(
        "(until grep -q IN_PROGRESS '{0}'; do sleep 0.1; done; terminal=$(cat '{0}.pid'); {then}) | \
         (sh -c 'echo $PPID' > '{0}.pid'; TERM=xterm exec script -qefc '{1} deploy' '{0}')",
        screen.display(),
        inner.get_program().to_string_lossy()
    );
    command.args(["-c", &line]);
    command
}

#[test]
fn a_terminal_that_is_closed_while_lines_are_drawn_interrupts_and_loses_nothing() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    world.fault(&json!({"operation": "CreateService", "kind": "slow-operation", "factor": 10}));
    Run::start(in_a_terminal(&project, "kill -KILL $terminal")).end();
    world.until("it is written down", || {
        project.run(&["show", "1", "--events", "--json"]).out.contains("SIGHUP")
    });
    project.run(&["status"]).exits(0).says("Paused");
    project.run(&["resume"]).exits(0);
    ended_well(&world, &project, 1);
}

#[test]
fn ctrl_c_typed_in_a_terminal_leaves_no_frozen_line_on_it() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    world.fault(&json!({"operation": "CreateService", "kind": "slow-operation", "factor": 10}));
    let ended = Run::start(in_a_terminal(&project, "printf '\\003'; sleep 3")).end();
    assert_eq!(ended.code, 130, "{}\n{}", ended.out, ended.err);
    // Behind a line that reaches to the edge it would wrap, and that line could not be taken back.
    let echo = ended.out.find("^C").expect("a terminal echoes it");
    assert!(ended.out[..echo].ends_with('\r'), "{:?}", &ended.out[..echo]);
    project.run(&["resume"]).exits(0);
    ended_well(&world, &project, 1);
}

#[test]
fn what_ci_sends_within_ten_seconds_loses_nothing() {
    for pauses in [[0, 0], [300, 300], [1000, 0]] {
        let world = World::open();
        let project = Project::new(&world, "shop");
        // The call in flight hangs, so that each signal meets it.
        world.fault(
            &json!({"operation": "CreateService", "kind": "slow-answer", "milliseconds": 8000}),
        );
        let run = project.start(&["deploy", "--json"]);
        run.until_intended("change_service");
        world.until("the call is on its way", || !world.effective("CreateService").is_empty());
        for (signal, pause) in ["INT", "TERM"].into_iter().zip(pauses) {
            super::support::shell(&format!("kill -{signal} {} || true", run.id()));
            world.pause(std::time::Duration::from_millis(pause));
        }
        run.kill();
        world.clear();
        project.run(&["resume"]).exits(0);
        ended_well(&world, &project, 1);
    }
}

#[test]
fn logs_end_with_130_whatever_ctrl_c_meets() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.deploy();
    for arguments in [&["logs", "-f"][..], &["logs"]] {
        world.clear();
        let slow = json!({"operation": "FilterLogEvents", "kind": "slow-answer",
            "milliseconds": 20000, "times": null});
        world.fault(&slow);
        let run = project.start(arguments);
        world.until("it reads", || {
            world.calls().iter().any(|call| call["operation"] == "FilterLogEvents")
        });
        run.signal("INT");
        run.end().exits(130);
    }
}
