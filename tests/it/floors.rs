//! Who may import whom: lower floors never name higher ones, and what must be pure stays pure.

#![expect(clippy::unwrap_used, reason = "a test that cannot read the sources fails")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// From the ground up. A module names only modules of its own floor or below.
const FLOORS: &[&[&str]] = &[
    &["names", "text", "problem"],
    &["release"],
    &["world/ports"],
    &["config"],
    &["plan", "event"],
    &["journal", "diagnosis", "redaction"],
    &["projection", "stop", "lock"],
    &["look", "step", "ledger", "view"],
    &["engine", "prune"],
    &["world"],
    &["sandbox", "demo"],
    &["command"],
    &["main"],
];

/// Nothing in here awaits, reads a clock or touches the outside. `config/read.rs` is the one thin
/// function that reads the file.
const PURE: &[&str] = &[
    "names.rs",
    "text.rs",
    "problem.rs",
    "release.rs",
    "diagnosis.rs",
    "redaction.rs",
    "config/",
    "plan/",
    "event/",
    "projection/",
];
const IMPURE_BY_DESIGN: &[&str] = &["config/read.rs"];
const SIGNS_OF_THE_WORLD: &[&str] = &[
    ".await",
    "async fn",
    "Utc::now",
    "Instant::now",
    "SystemTime::now",
    "std::fs",
    "std::process",
    "std::env",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "tokio::",
];

fn sources() -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = BTreeMap::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let name = path.strip_prefix(&root).unwrap().display().to_string();
                found.insert(name, without_tests(&std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found
}

/// What stands before the unit tests; comments do not count.
fn without_tests(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

fn is_test(name: &str) -> bool {
    ["tests", "document", "contract", "examples", "scripted", "matrix", "sample"]
        .iter()
        .any(|part| name.contains(part))
}

/// The floor module of a file: ports (`world/*/mod.rs`) are lower than their adapters.
fn module(name: &str) -> String {
    let parts: Vec<&str> = name.split('/').collect();
    match parts[..] {
        ["lib.rs"] => "lib".into(),
        ["world", "mod.rs"] | ["world", _, "mod.rs"] if name != "world/aws/mod.rs" => {
            "world/ports".into()
        }
        [first, ..] => first.trim_end_matches(".rs").into(),
        [] => unreachable!(),
    }
}

fn floor(module: &str) -> usize {
    let found = FLOORS.iter().position(|modules| modules.contains(&module));
    found.unwrap_or_else(|| {
        panic!("`{module}` stands on no floor: add it to FLOORS and docs/architecture.md")
    })
}

/// The crate modules a file names.
fn named(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        // What is named of `world` from outside are ports and their words, or an adapter's type.
        found.push(if name == "world" { "world/ports".into() } else { name });
    }
    found
}

#[test]
fn lower_floors_never_name_higher_ones() {
    let mut wrong = Vec::new();
    for (name, text) in sources() {
        let own = module(&name);
        if own == "lib" || is_test(&name) {
            continue;
        }
        for other in named(&text) {
            if floor(&other) > floor(&own) {
                wrong.push(format!("{name} ({own}) names {other}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_must_be_pure_is_pure() {
    let mut wrong = Vec::new();
    for (name, text) in sources() {
        let pure = PURE.iter().any(|start| name.starts_with(start));
        if !pure || is_test(&name) || IMPURE_BY_DESIGN.contains(&name.as_str()) {
            continue;
        }
        for sign in SIGNS_OF_THE_WORLD {
            if text.contains(sign) {
                wrong.push(format!("{name}: {sign}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// One foreign crate per adapter; the core knows none of them.
#[test]
fn foreign_crates_stay_in_their_adapters() {
    let allowed: &[(&str, &[&str])] = &[
        ("aws_sdk_apprunner", &["world/aws/", "world/service/"]),
        ("aws_sdk_ecr", &["world/aws/", "world/registry/"]),
        ("aws_sdk_cloudwatchlogs", &["world/aws/", "world/log/"]),
        ("aws_sdk_secretsmanager", &["world/aws/", "world/secret/"]),
        ("aws_sdk_sts", &["world/aws/", "world/identity/"]),
        ("aws_sdk_iam", &["world/aws/", "world/identity/"]),
        ("bollard", &["world/builder/", "sandbox/"]),
        ("use redb::", &["journal/"]),
        ("reqwest", &["world/health/", "world/registry/", "sandbox/"]),
        ("axum", &["sandbox/", "world/aws/scripted"]),
        ("indicatif", &["view/"]),
        ("clap::", &["command/", "main.rs"]),
    ];
    let mut wrong = Vec::new();
    for (name, text) in sources() {
        for (foreign, places) in allowed {
            let here = places.iter().any(|place| name.starts_with(place));
            if text.contains(foreign) && !here && !is_test(&name) {
                wrong.push(format!("{name} names {foreign}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_map_in_the_architecture_document_names_every_module() {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/architecture.md");
    let text = std::fs::read_to_string(document).unwrap();
    let missing: Vec<String> = sources()
        .keys()
        .map(|name| module(name))
        .filter(|module| !["lib", "world/ports"].contains(&module.as_str()))
        .filter(|module| {
            !text.contains(&format!("{module}.rs")) && !text.contains(&format!("{module}/"))
        })
        .collect();
    assert!(missing.is_empty(), "docs/architecture.md does not name {missing:?}");
}
