//! The ignore file against Docker's own client.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use super::support::{ImageName, Project, build, builder, engine, files_in, refusal};
use surefoot::release::Values;
use surefoot::world::builder::{BuildRequest, Builder as _};

/// Ignore files, each over the same tree. Patterns with a wildcard in an exception below an
/// excluded directory are not here: the classic client does not look for them, BuildKit does.
const IGNORE_FILES: &[&str] = &[
    "",
    "*",
    "**",
    "*\n!src",
    "*\n!src/\n!/docs/index.md",
    "src\n!src/a.py",
    "src/*\n!src/deep\nsrc/deep/x.txt",
    "**/*.txt",
    "**/*.txt\n!docs/keep.txt",
    "*.txt\n# comment\n #not-a-comment\n",
    "**/deep",
    "**deep",
    "src/**",
    "src/**/x.txt",
    "*/deep",
    "?op.txt",
    "[a-t]op.txt",
    "[^a-s]op.txt",
    "  spaced name  ",
    "./src/../docs",
    "/src/a.py",
    "src/a.py/",
    "!src\nsrc",
    "docs\n!docs/keep.txt\ndocs/keep.txt",
    "src\n!src/deep/x.txt\nsr*",
    "d*\n!docs",
    "*\n!docs/sub/deeper",
    "Dockerfile\n.dockerignore",
    "*\n!*.txt",
    "**/.hidden\n.*",
    "\\#odd",
    "a\\*b",
    "docs/**\n!docs/sub/deeper/leaf.md",
    ".",
    "..",
    "src/deep/..",
    "\u{feff}src",
    "src\r\ndocs\r\n",
];

#[tokio::test]
async fn the_same_files_arrive_as_from_dockers_own_client() {
    if engine().await.is_none() {
        return;
    }
    for ignore in IGNORE_FILES {
        compare(ignore).await;
    }
}

/// Invented ignore files compared in every run; `SUREFOOT_TEST_INVENTED` compares more.
const INVENTED: u64 = 8;

#[tokio::test]
async fn invented_ignore_files_mean_what_they_mean_to_docker() {
    if engine().await.is_none() {
        return;
    }
    let wanted = std::env::var("SUREFOOT_TEST_INVENTED").ok().and_then(|count| count.parse().ok());
    for seed in 0..wanted.unwrap_or(INVENTED) {
        compare(&invented(seed)).await;
    }
}

/// Builds the same tree through both and compares what arrived.
async fn compare(ignore: &str) {
    let builder = builder(&[("DOCKER_BUILDKIT", "0")]);
    let project = tree(ignore);
    let (ours, theirs) = (ImageName::new(), ImageName::new());
    // No layer of a neighbour's: it may be removed before it is used.
    project.write("Dockerfile", &format!("FROM scratch\nLABEL of={}\nCOPY . /app/\n", ours.name));
    let (answer, _) = build(&builder, &project.request(), &ours).await;
    let client = Command::new("docker")
        .args(["build", "--quiet", "--no-cache", "--tag", &theirs.name, "."])
        .env("DOCKER_BUILDKIT", "0")
        .current_dir(project.path())
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&client.stderr);
    assert_eq!(answer.is_ok(), client.status.success(), "{ignore:?}: {words} {answer:?}");
    if answer.is_ok() {
        let (ours, theirs) = (files_in(&ours.name).await, files_in(&theirs.name).await);
        assert_eq!(ours, theirs, "{ignore:?}");
    }
}

/// An ignore file of a few patterns; exceptions without wildcards, for the reason given above.
fn invented(seed: u64) -> String {
    const PARTS: &[&str] = &[
        "src", "docs", "deep", "sub", "deeper", "top.txt", "a.py", "x.txt", "*", "**", "*.txt",
        "?op.txt", "[d-s]*", "d*", "**ep", ".", "..", "", "[^d]*", "*e*", ".*",
    ];
    const LITERAL: usize = 8;
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut below = |limit: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % limit as u64).unwrap()
    };
    let lines = 1 + below(4);
    let line = |_| {
        let exception = below(3) == 0;
        let parts = if exception { LITERAL } else { PARTS.len() };
        let path: Vec<&str> = (0..=below(3)).map(|_| PARTS[below(parts)]).collect();
        format!("{}{}", if exception { "!" } else { "" }, path.join("/"))
    };
    (0..lines).map(line).collect::<Vec<_>>().join("\n")
}

/// Set for the process that is nobody in particular.
const NOBODY: &str = "SUREFOOT_TEST_NOBODY";

#[tokio::test]
async fn an_unreadable_file_is_named() {
    let project = match std::env::var_os(NOBODY) {
        Some(path) => return survey_is_refused(path.as_ref()).await,
        None => Project::new("FROM scratch\n"),
    };
    project.write("sub/forbidden", "x");
    let forbidden = project.path().join("sub/forbidden");
    fs::set_permissions(&forbidden, fs::Permissions::from_mode(0o000)).unwrap();
    fs::set_permissions(project.path(), fs::Permissions::from_mode(0o755)).unwrap();
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        return survey_is_refused(project.path()).await;
    }
    // Root reads everything: somebody else has to look. A copy, where he may not enter our folder.
    let program = project.path().with_extension("program");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let output = Command::new(&program)
        .args(["--exact", "docker::context::an_unreadable_file_is_named"])
        .env(NOBODY, project.path())
        .current_dir("/")
        .uid(65_534)
        .output()
        .unwrap();
    fs::remove_file(&program).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

async fn survey_is_refused(context: &Path) {
    let request = BuildRequest {
        context: context.to_owned(),
        dockerfile: "Dockerfile".into(),
        arguments: Values::default(),
        target: None,
    };
    let (code, message, _) = refusal(builder(&[]).survey(&request).await);
    assert_eq!(code, "unreadable");
    assert!(message.starts_with("sub/forbidden cannot be read (permission denied)"), "{message}");
}

/// A tree with something for every pattern.
fn tree(ignore: &str) -> Project {
    let project = Project::new("FROM scratch\nCOPY . /app/\n");
    if !ignore.is_empty() {
        project.write(".dockerignore", ignore);
    }
    for path in [
        "top.txt",
        "stop.txt",
        "#odd",
        " #not-a-comment",
        "a*b",
        "axb",
        "spaced name",
        ".hidden",
        "src/a.py",
        "src/b.txt",
        "src/deep/x.txt",
        "src/deep/y.py",
        "src/.hidden",
        "docs/index.md",
        "docs/keep.txt",
        "docs/deep/z.txt",
        "docs/sub/deeper/leaf.md",
        "docs/sub/other.md",
        "indeep",
        "deep",
    ] {
        project.write(path, path);
    }
    fs::create_dir(project.path().join("empty")).unwrap();
    std::os::unix::fs::symlink("nowhere", project.path().join("dangling")).unwrap();
    std::os::unix::fs::symlink("../..", project.path().join("docs/up")).unwrap();
    project
}
