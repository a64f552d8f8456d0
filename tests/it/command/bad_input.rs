//! What people really have in their trees, files and terminals: each has its message and its code,
//! nothing is changed, nothing is lost.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::time::Duration;

use surefoot::event::envelope::{Draft, Envelope};
use surefoot::journal::Journal as _;
use surefoot::journal::redb::{JournalId, RedbJournal};
use surefoot::names::DeploymentNumber;

use super::support::{Project, World, shell};

/// No call changed anything.
#[track_caller]
fn nothing_changed(world: &World) {
    assert!(world.effects().is_empty(), "{:?}", world.effects());
}

#[test]
fn a_missing_dockerfile_is_named() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    std::fs::remove_file(project.path().join("Dockerfile")).unwrap();
    project.run(&["deploy"]).exits(10).says("Dockerfile").says("hint: ");
    project.write("surefoot.toml", "[build]\ncontext = \"no-such-folder\"\n");
    project.run(&["deploy"]).exits(10).says("no-such-folder");
    nothing_changed(&world);
}

#[test]
fn a_socket_in_the_context_is_left_out_as_docker_does() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    let _socket = UnixListener::bind(project.path().join("app.sock")).unwrap();
    project.deploy();
}

#[test]
fn a_pipe_in_the_context_is_named_and_never_waited_for() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    shell(&format!("mkfifo {}/pipe", project.path().display()));
    project.run(&["deploy"]).exits(10).names("special-file").says("pipe");
    project.run(&["preflight"]).exits(10).says("pipe");
    nothing_changed(&world);
    project.write(".dockerignore", "pipe\n");
    project.deploy();
}

#[test]
fn dangling_and_looping_links_are_packed_as_links() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    symlink("nowhere", project.path().join("dangling")).unwrap();
    symlink("loop-b", project.path().join("loop-a")).unwrap();
    symlink("loop-a", project.path().join("loop-b")).unwrap();
    symlink(".", project.path().join("self")).unwrap();
    symlink("/etc/hostname", project.path().join("outside")).unwrap();
    project.commit("links");
    project.deploy();
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    let path = project.path().join("unreadable");
    std::fs::write(&path, "x").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o000)).unwrap();
    let readable = std::fs::read(&path).is_ok();
    let ended = project.run(&["deploy"]);
    if readable {
        // Root reads everything: then there is nothing unreadable about it.
        ended.exits(0);
    } else {
        ended.exits(10).says("unreadable");
        nothing_changed(&world);
    }
}

#[test]
fn names_that_aws_would_refuse_are_refused_before_anything_happens() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    let long = "x".repeat(41);
    for name in
        ["", "abc", "a b c d", "-shop", &long, "shöp", "shop/1", "../../etc", "shop\u{1b}[2J"]
    {
        let ended = project.run(&["deploy", "--service-name", name]).exits(2);
        ended.does_not_say("\u{1b}");
    }
    for name in ["Shop", "a", "shop//x", "shop:tag", &"x".repeat(257), "sh op"] {
        project.run(&["deploy", "--ecr-repo", name]).exits(2);
    }
    for region in ["nowhere", "eu central", "", "eu-central-1\n"] {
        project.run(&["deploy", "--region", region]).exits(2);
    }
    assert!(world.calls().is_empty());
}

#[test]
fn an_unknown_key_is_refused_with_the_nearest_known_one() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    for (text, says) in [
        ("servce_name = \"shop\"\n", "service_name"),
        ("[health]\nretrys = 3\n", "retries"),
        ("[services]\nport = 1\n", "service"),
        ("[service]\nprot = 1\n", "port"),
    ] {
        project.write("surefoot.toml", text);
        project.run(&["deploy"]).exits(2).says(says);
    }
    assert!(world.calls().is_empty());
}

#[test]
fn a_wrong_type_is_named_with_line_and_column_and_no_value() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    for (text, says) in [
        ("latest = \"canary\"\n", "line 1"),
        ("[service]\nport = \"canary\"\n", "line 2"),
        ("[health]\nretries = -1\n", "line 2"),
        ("[service]\nport = 99999\n", "line 2"),
        ("[service]\ncpu = \"canary\"\n", "line 2"),
        ("service_name = [\"canary\"]\n", "line 1"),
        ("region = \"canary\n", "line 1"),
        ("service_name = \"shop\"\nservice_name = \"canary\"\n", "line 2"),
    ] {
        project.write("surefoot.toml", text);
        project.run(&["deploy"]).exits(2).says(says).does_not_say("canary");
    }
    assert!(world.calls().is_empty());
}

#[test]
fn a_secret_value_where_an_arn_belongs_is_refused_and_not_repeated() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.write("surefoot.toml", "[secrets]\nTOKEN = \"canary-password-123\"\n");
    project.run(&["deploy"]).exits(2).says("TOKEN").does_not_say("canary-password-123");
    project.run(&["deploy", "--json"]).exits(2).does_not_say("canary-password-123");
    assert!(world.calls().is_empty());
}

#[test]
fn our_own_mark_and_port_are_no_variables_of_the_user() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    for name in ["SUREFOOT_DEPLOYMENT", "PORT"] {
        project.write("surefoot.toml", &format!("[environment]\n{name} = \"x\"\n"));
        project.run(&["deploy"]).exits(2).says(name);
    }
}

#[test]
fn a_file_that_is_no_file_or_no_text_is_said() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    let path = project.path().join("surefoot.toml");
    std::fs::create_dir(&path).unwrap();
    project.run(&["deploy"]).exits(2).says("directory");
    std::fs::remove_dir(&path).unwrap();
    std::fs::write(&path, b"region = \"\xff\"\n").unwrap();
    project.run(&["deploy"]).exits(2).says("UTF-8");
    std::fs::write(&path, vec![b'#'; 2 * 1024 * 1024]).unwrap();
    project.run(&["deploy"]).exits(2).says("1 MiB");
    assert!(world.calls().is_empty());
}

#[test]
fn an_image_of_another_platform_is_refused_before_the_push() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    let dockerfile = "FROM --platform=linux/arm64 scratch\nCOPY app /app\nENTRYPOINT [\"/app\"]\n";
    project.write("Dockerfile", dockerfile);
    project.run(&["deploy"]).exits(10).names("wrong-platform").says("linux/amd64");
    assert!(!world.has("shop"));
    assert!(!world.effects().contains_key("PutImage"), "{:?}", world.effects());
}

#[test]
fn a_history_of_a_newer_version_is_left_alone() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.deploy();
    let format = project.history().join("FORMAT");
    let written = std::fs::read_to_string(&format).unwrap();
    let journal = std::fs::read(project.history().join("journal.redb")).unwrap();
    let newer: String = written.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect();
    assert_ne!(newer, written);
    std::fs::write(&format, newer).unwrap();
    project.release("release two");
    world.clear();
    for command in ["deploy", "status", "history", "resume"] {
        project.run(&[command]).exits(74).says("newer");
    }
    nothing_changed(&world);
    assert_eq!(std::fs::read(project.history().join("journal.redb")).unwrap(), journal);
    std::fs::write(&format, written).unwrap();
    project.deploy();
}

#[test]
fn a_folder_of_somebody_else_is_no_history() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    std::fs::create_dir_all(project.history()).unwrap();
    let theirs = project.history().join("journal.redb");
    std::fs::write(&theirs, "somebody's notes").unwrap();
    project.run(&["deploy"]).exits(74);
    nothing_changed(&world);
    assert_eq!(std::fs::read_to_string(theirs).unwrap(), "somebody's notes");
}

#[test]
fn a_history_that_cannot_be_written_is_said_before_anything_is_changed() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    // A file stands where a folder is needed: not even root can write there.
    std::fs::write(project.history(), "a file").unwrap();
    for command in ["deploy", "preflight"] {
        project.run(&[command]).exits(74);
        project.run(&[command, "--history-dir", "/proc/surefoot"]).exits(74);
    }
    nothing_changed(&world);
}

#[test]
fn a_journal_that_was_damaged_is_never_silently_believed() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.deploy();
    let path = project.history().join("journal.redb");
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    world.clear();
    project.release("release two");
    for command in ["deploy", "status", "history", "resume"] {
        project.run(&[command]).exits(74);
    }
    nothing_changed(&world);
}

/// A tiny file system, where this user may mount one.
struct Tiny(std::path::PathBuf);

impl Tiny {
    fn mount(at: std::path::PathBuf, size: &str) -> Option<Self> {
        let mounted = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(&at)
            .output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self(at));
        }
        super::support::say("SKIPPED (this user may not mount a file system): a full disk");
        None
    }
}

impl Drop for Tiny {
    fn drop(&mut self) {
        shell(&format!("umount {}", self.0.display()));
    }
}

#[test]
fn a_full_disk_before_an_effect_stops_before_the_call() {
    let world = World::open();
    let mut project = Project::new(&world, "shop");
    let Some(tiny) = Tiny::mount(world.folder("tiny"), "64k") else { return };
    project.set("SUREFOOT_HISTORY_DIR", &tiny.0.join("history").display().to_string());
    project.run(&["preflight"]).exits(74).names("disk-full");
    project.run(&["deploy"]).exits(74);
    nothing_changed(&world);
}

#[test]
fn a_disk_that_fills_up_in_the_middle_names_the_operation_and_resume() {
    let world = World::open();
    let mut project = Project::new(&world, "shop");
    let Some(tiny) = Tiny::mount(world.folder("tiny"), "16m") else { return };
    project.set("SUREFOOT_HISTORY_DIR", &tiny.0.join("history").display().to_string());
    project.deploy();
    // What is written after the call is larger than any room that the journal may have left.
    let variables = (0..400).map(|number| format!("VARIABLE_{number} = \"value\"\n"));
    project.write("surefoot.toml", &format!("[environment]\n{}", variables.collect::<String>()));
    project.release("release two");
    let filler = tiny.0.join("filler");
    world.fault(&serde_json::json!({"operation": "UpdateService", "kind": "slow-answer",
        "milliseconds": 3000}));
    let run = project.start(&["deploy", "--json"]);
    run.until_intended("change_service");
    world.until("the call took effect", || !world.effective("UpdateService").is_empty());
    // Everything that is left, to the last page.
    shell(&format!("cat /dev/zero > {} 2>/dev/null; true", filler.display()));
    let ended = run.end().exits(74).names("disk-full").says("surefoot resume");
    let operation =
        world.effective("UpdateService")[0]["operation_id"].as_str().unwrap().to_owned();
    ended.says(&format!("operation {operation}")).does_not_say("panicked");
    std::fs::remove_file(&filler).unwrap();
    project.run(&["resume"]).exits(0);
    world.nothing_was_done_twice();
    assert_eq!(world.operations("shop").len(), 2);
}

#[test]
fn a_repository_in_another_region_is_refused_by_name() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    let elsewhere = "123456789012.dkr.ecr.us-east-1.amazonaws.com/shop";
    for command in ["deploy", "preflight"] {
        let ended = project.run(&[command, "--ecr-repo", elsewhere]).exits(20);
        ended.names("repository-elsewhere").says("us-east-1").says("--ecr-repo shop");
    }
    let foreign = "210987654321.dkr.ecr.eu-central-1.amazonaws.com/shop";
    project.run(&["deploy", "--ecr-repo", foreign]).exits(20).says("210987654321");
    nothing_changed(&world);
}

#[test]
fn a_history_of_another_world_is_never_mixed_with_this_one() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.deploy();
    let other = World::open();
    let mut stranger = Project::new(&other, "shop");
    stranger.set("SUREFOOT_HISTORY_DIR", &project.history().display().to_string());
    stranger.run(&["deploy"]).exits(74).names("mixed-worlds");
    assert!(other.effects().is_empty());
}

/// The journal of a project as another clock would have written it, or another version.
pub(super) fn rewritten<'a>(
    project: &Project<'a>,
    name: &str,
    change: &dyn Fn(&Envelope, &mut Draft),
) -> Project<'a> {
    let other = project.cloned(name);
    let old = RedbJournal::open(project.history()).unwrap();
    let new = RedbJournal::create(other.history(), JournalId(7)).unwrap();
    for head in old.streams().unwrap() {
        for (place, stored) in (0..).zip(old.read(&head.stream, 0).unwrap()) {
            let envelope = stored.envelope().unwrap();
            let mut draft = Draft {
                id: envelope.id,
                deployment: envelope.deployment,
                type_name: envelope.type_name.clone(),
                type_version: envelope.type_version,
                settles: envelope.settles,
                at: envelope.at,
                actor: envelope.actor.clone(),
                data: envelope.data.clone(),
            };
            change(envelope, &mut draft);
            new.append(&head.stream, place, &[draft]).unwrap();
        }
    }
    other
}

/// Everything that shows times.
const SHOWING: &[&[&str]] = &[
    &["status"],
    &["history"],
    &["history", "--since", "1h"],
    &["history", "--html", "page.html"],
    &["show", "1"],
    &["show", "2", "--events"],
    &["stats"],
    &["stats", "--since", "30d"],
    &["verify"],
    &["logs", "--deployment", "1"],
    &["rollback", "--list"],
    &["prune"],
    &["journal", "verify"],
];

#[test]
fn a_clock_that_was_set_back_or_stood_still_fools_nobody() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.deploy();
    project.release("release two");
    project.deploy();
    let year = chrono::TimeDelta::days(365);
    // Set back after it was ahead; ahead all the time; running backwards; never set.
    let ahead = rewritten(&project, "ahead", &|_, draft| draft.at += year * 3);
    let backwards = rewritten(&project, "backwards", &|envelope, draft| {
        let sequence = i64::try_from(envelope.sequence).unwrap();
        draft.at -= chrono::TimeDelta::hours(sequence);
    });
    let unset = rewritten(&project, "unset", &|_, draft| draft.at = chrono::DateTime::UNIX_EPOCH);
    for clone in [&ahead, &backwards, &unset] {
        for command in SHOWING {
            let ended = clone.run(command);
            let context =
                format!("{command:?} in {:?}\n{}\n{}", clone.history(), ended.out, ended.err);
            assert_eq!(ended.code, 0, "{context}");
            assert!(!ended.err.contains("panicked"), "{context}");
        }
        let numbers = |clone: &Project<'_>| {
            let shown = clone.run(&["history", "--offline", "--json"]).exits(0).result();
            let rows = shown["history"]["deployments"].as_array().unwrap().clone();
            rows.iter()
                .map(|row| (row["number"].clone(), row["verdict"].clone()))
                .collect::<Vec<_>>()
        };
        assert_eq!(numbers(clone), numbers(&project));
    }
    // The order is that of the journal, whatever its clock says: the next deployment is the newest.
    ahead.release("release three");
    ahead.deploy();
    ahead.run(&["status", "--offline"]).exits(0).says("#3");
    ahead.run(&["rollback"]).exits(0);
    assert!(world.serves("shop", "release two"));
    ahead.run(&["journal", "verify"]).exits(0);
}

#[test]
fn events_of_a_newer_version_are_shown_raw_and_decide_nothing() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.deploy();
    project.release("release two");
    project.deploy();
    let newer = rewritten(&project, "newer", &|envelope, draft| {
        if envelope.deployment == Some(DeploymentNumber(2)) && draft.type_name == "HealthPassed" {
            draft.type_name = "HealthFelt".into();
            draft.data = serde_json::json!({"mood": "\u{1b}[31mgreat"});
        }
    });
    newer.run(&["journal", "verify"]).exits(0);
    newer.run(&["history", "--offline"]).exits(0).says("unknown").does_not_say("\u{1b}[31m");
    newer.run(&["show", "2"]).exits(0).says("HealthFelt");
    newer.run(&["show", "2", "--events"]).exits(0).says("great").does_not_say("\u{1b}[31m");
    newer.run(&["status", "--offline"]).exits(0).says("newer surefoot");
    newer.run(&["stats"]).exits(0);
    newer.release("release three");
    world.clear();
    for command in [&["deploy"][..], &["resume"], &["rollback"]] {
        newer.run(command).exits(74).names("journal-newer").says("newer");
    }
    newer.run(&["prune", "--grace", "0s", "--apply"]).exits(26).names("prune-incomplete");
    nothing_changed(&world);
}

#[test]
fn a_name_with_line_breaks_or_control_characters_is_no_variable() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    for (table, key) in [
        ("environment", r"A\u001b[31mB"),
        ("environment", r"A\nverdict  live"),
        ("secrets", r"A\u202eB"),
        ("build.arguments", r"A\u009bB"),
    ] {
        project.write("surefoot.toml", &format!("[{table}]\n\"{key}\" = \"value\"\n"));
        let refused = project.run(&["deploy", "--dry-run"]).exits(2).names("bad-configuration");
        assert!(!refused.err.contains('\u{1b}') && !refused.err.contains('\u{9b}'));
        refused.says("line 2").says("control or hidden characters");
    }
    nothing_changed(&world);
}

#[test]
fn what_is_no_text_is_refused_and_never_taken_for_something_else() {
    let world = World::open();
    let mut project = Project::new(&world, "shop");
    project.deploy();
    let line = |command: &str| {
        let surefoot = env!("CARGO_BIN_EXE_surefoot");
        let line = format!("cd '{}' && {surefoot} {command} 2>&1", project.path().display());
        std::process::Command::new("bash").args(["-c", &line]).output().unwrap()
    };
    for command in [
        r"status --service-name $'\xff\xfe'",
        r"status --json --service-name $'\xff\xfe'",
        r"status --offline --history-dir $'h\xff'",
        r"journal $'\xff'",
    ] {
        let ended = line(command);
        let said = String::from_utf8_lossy(&ended.stdout);
        assert_eq!(ended.status.code(), Some(2), "{command}: {said}");
        assert!(!said.contains("panicked"), "{command}: {said}");
    }
    let odd = std::os::unix::ffi::OsStringExt::from_vec(b"h\xff".to_vec());
    let odd: std::ffi::OsString = odd;
    for name in ["SUREFOOT_HISTORY_DIR", "AWS_REGION", "SERVICE_NAME"] {
        let surefoot = env!("CARGO_BIN_EXE_surefoot");
        let mut command = std::process::Command::new(surefoot);
        command.current_dir(project.path()).args(["status", "--offline"]).env(name, &odd);
        let ended = command.output().unwrap();
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(2), "{name}: {said}");
        assert!(said.contains(name), "{said}");
    }
    let place = project.path().join(&odd);
    std::fs::create_dir(&place).unwrap();
    let surefoot = env!("CARGO_BIN_EXE_surefoot");
    let mut command = std::process::Command::new(surefoot);
    let ended = command.current_dir(&place).args(["status", "--offline"]).output().unwrap();
    assert_eq!(ended.status.code(), Some(2), "{ended:?}");
    project.set("AWS_ENDPOINT_URL", "nonsense");
    let refused = project.run(&["status"]).exits(2).names("bad-setting");
    refused.says("nonsense").does_not_say("SdkBody");
}

#[test]
fn a_completion_script_that_nobody_takes_is_no_panic() {
    let surefoot = env!("CARGO_BIN_EXE_surefoot");
    let said = shell(&format!("{surefoot} completions bash 2>&1 >/dev/full || echo code $?"));
    assert!(said.contains("output-unwritable") && said.contains("code 1"), "{said}");
    let line =
        format!("{{ {surefoot} completions bash; echo code $? >&2; }} 2>&1 >/dev/null | true");
    shell(&line);
    let said = shell(&format!(
        "{{ {{ {surefoot} completions bash; echo code $? >&3; }} | true; }} 3>&1 2>&3"
    ));
    assert!(said.contains("code 0") && !said.contains("panicked"), "{said}");
}

#[test]
fn what_is_no_file_is_never_waited_for_and_says_what_it_is() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.deploy();
    let kept = project.path().join("kept");
    for name in ["journal.redb", "FORMAT"] {
        let file = project.history().join(name);
        std::fs::rename(&file, &kept).unwrap();
        for (make, what) in [
            ("mkfifo", "a named pipe"),
            ("mkdir", "a directory"),
            ("ln -s nowhere", "a link to nowhere"),
        ] {
            shell(&format!("{make} '{}'", file.display()));
            for command in [&["status", "--offline"][..], &["deploy"], &["journal", "verify"]] {
                let refused = project.run(command).exits(74).names("journal-unreadable");
                refused.says(what).says(name).does_not_say("journal repair");
            }
            project.run(&["journal", "repair"]).exits(74).says(what);
            shell(&format!("rm -r '{}'", file.display()));
        }
        std::fs::rename(&kept, &file).unwrap();
    }
    project.run(&["journal", "verify"]).exits(0);
    shell(&format!("mkfifo '{}'", project.path().join("pipe").display()));
    project.run(&["journal", "import", "pipe"]).exits(74).names("export-foreign").says("file");
}

#[test]
fn a_history_that_is_a_link_to_nowhere_or_in_a_circle_is_not_nothing() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    for (target, what) in
        [("not-mounted", "not-mounted, which is not there"), (".deploy-history", "Too many")]
    {
        let link = project.path().join(".deploy-history");
        symlink(target, &link).unwrap();
        for command in ["status", "history", "deploy"] {
            let named = [command, "--history-dir", ".deploy-history"];
            let refused = project.run(&named).exits(74).names("journal-unreadable");
            refused.says(what).says(".deploy-history").does_not_say("Nothing was deployed");
        }
        std::fs::remove_file(&link).unwrap();
    }
    let long = "x".repeat(300);
    let refused = project.run(&["status", "--offline", "--history-dir", &long]).exits(74);
    refused.names("journal-unreadable").says("name too long").does_not_say("journal repair");
    nothing_changed(&world);
}

#[test]
fn an_ignore_file_without_end_is_refused() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    let file = project.path().join(".dockerignore");
    for (make, what) in
        [("ln -s /dev/zero", "a device"), ("mkfifo", "a named pipe"), ("mkdir", "a directory")]
    {
        shell(&format!("{make} '{}'", file.display()));
        project.run(&["deploy"]).exits(10).names("bad-ignore-file").says(what);
        shell(&format!("rm -r '{}'", file.display()));
    }
    std::fs::write(&file, "a\n".repeat(600_000)).unwrap();
    project.run(&["deploy"]).exits(10).names("bad-ignore-file").says("larger than 1 MiB");
    std::fs::write(&file, "a\n".repeat(100_000)).unwrap();
    project.run(&["deploy"]).exits(10).names("bad-ignore-file").says("10000");
    nothing_changed(&world);
}

#[test]
fn a_dockerfile_that_is_none_says_what_it_is() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    let file = project.path().join("Dockerfile");
    std::fs::remove_file(&file).unwrap();
    for (make, code, what) in [
        ("mkdir", "no-dockerfile", "is a directory"),
        ("mkfifo", "no-dockerfile", "is a named pipe"),
        ("ln -s /etc/hostname", "dockerfile-outside-context", "is a link to /etc/hostname"),
    ] {
        shell(&format!("{make} '{}'", file.display()));
        project.run(&["deploy"]).exits(10).names(code).says(what);
        shell(&format!("rm -r '{}'", file.display()));
    }
    nothing_changed(&world);
}

#[test]
fn limits_that_exclude_each_other_name_a_way_out_that_is_one() {
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.write("surefoot.toml", "[health]\npasses = 50\n");
    project.run(&["deploy", "--dry-run"]).exits(2).says("--health-retries 50");
    project.run(&["deploy", "--dry-run", "--health-retries", "50"]).exits(0);
    project.write("surefoot.toml", "");
    project.run(&["prune", "--tag-pattern", ""]).exits(2).says("--tag-pattern");
}

/// Whatever it waits for: here for a reader of its output who never reads.
#[test]
fn a_command_that_only_reads_ends_at_the_first_signal_and_any_other_at_the_second() {
    const PIPE: usize = 64 * 1024;
    let world = World::open();
    let project = Project::new(&world, "shop");
    project.deploy();
    let pipe = project.path().join("pipe").display().to_string();
    shell(&format!("mkfifo '{pipe}'"));
    for (command, signals) in [
        (&["status", "--offline"][..], 1),
        (&["history", "--offline"], 1),
        (&["show", "1"], 1),
        (&["stats"], 1),
        (&["journal", "verify"], 1),
        (&["journal", "export"], 1),
        (&["journal", "export", &pipe], 2),
    ] {
        let (_reader, mut writer) = std::io::pipe().unwrap();
        std::io::Write::write_all(&mut writer, &vec![b'x'; PIPE]).unwrap();
        let mut child = project.command(command).stdout(writer).spawn().unwrap();
        world.pause(Duration::from_secs(2));
        for _ in 1..signals {
            shell(&format!("kill -INT {}", child.id()));
            world.pause(Duration::from_millis(300));
        }
        assert!(child.try_wait().unwrap().is_none(), "{command:?} did not wait");
        shell(&format!("kill -TERM {}", child.id()));
        let mut ended = None;
        for _ in 0..100 {
            ended = child.try_wait().unwrap();
            if ended.is_some() {
                break;
            }
            world.pause(Duration::from_millis(50));
        }
        if ended.is_none() {
            child.kill().unwrap();
        }
        assert_eq!(ended.and_then(|status| status.code()), Some(130), "{command:?}");
    }
}
