//! Who may import whom: lower floors never name higher ones, and what must be pure stays pure.

#![expect(clippy::unwrap_used, reason = "a test that cannot read the sources fails")]

use std::collections::{BTreeMap, BTreeSet};
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

/// The modules that are there for tests alone, by the paths of their files without the ending.
fn test_modules(sources: &BTreeMap<String, String>) -> Vec<String> {
    let mut found = Vec::new();
    for (name, text) in sources {
        let own = name.trim_end_matches(".rs").trim_end_matches("mod").trim_end_matches("lib");
        let folder = own.trim_end_matches('/');
        let folder = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for pair in lines.windows(2).filter(|pair| pair[0] == "#[cfg(test)]") {
            let declared = pair[1].trim_end_matches(';').rsplit_once("mod ");
            if let Some((_, module)) = declared.filter(|_| pair[1].ends_with(';')) {
                found.push(format!("{folder}{module}"));
            }
        }
    }
    found
}

/// What is built into the program.
fn program() -> BTreeMap<String, String> {
    let mut sources = sources();
    let tests = test_modules(&sources);
    let is_test = |name: &str| {
        tests.iter().any(|module| {
            name.strip_prefix(module).is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
        })
    };
    sources.retain(|name, _| !is_test(name));
    sources
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

/// The adapters, as they are named from outside: what a port's file hands on from a file beside it.
fn adapters(sources: &BTreeMap<String, String>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (name, text) in sources {
        let Some(port) = name.strip_prefix("world/").and_then(|name| name.strip_suffix("/mod.rs"))
        else {
            continue;
        };
        for line in text.lines().filter_map(|line| line.strip_prefix("pub use ")) {
            let mut handed_on = Vec::new();
            paths(line, "", &mut handed_on);
            let names = handed_on.iter().filter_map(|path| path.rsplit("::").next());
            found.extend(names.map(|name| format!("world::{port}::{name}")));
        }
    }
    found
}

/// Every whole path of a tree such as `a::{b, c::{d, e as f}}`; what follows it.
fn paths<'a>(text: &'a str, before: &str, found: &mut Vec<String>) -> &'a str {
    let is_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let (path, rest) = text.split_at(text.find(|c| !is_path(c)).unwrap_or(text.len()));
    let path = format!("{before}{path}");
    let Some(mut rest) = rest.strip_prefix('{').filter(|_| path.ends_with("::")) else {
        found.push(path);
        return rest;
    };
    while !rest.is_empty() {
        rest = paths(rest.trim_start(), &path, found);
        let end = rest.find([',', '}']).unwrap_or(rest.len());
        let last = !rest[end..].starts_with(',');
        rest = rest.get(end + 1..).unwrap_or_default();
        if last || rest.trim_start().starts_with('}') {
            return rest.trim_start().strip_prefix('}').filter(|_| !last).unwrap_or(rest);
        }
    }
    rest
}

/// The crate modules a file names. Of `world` that is a port and its words, or an adapter.
fn named(text: &str, adapters: &BTreeSet<String>) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let mut named = Vec::new();
        paths(&text[at + "crate::".len()..], "", &mut named);
        for path in named {
            let parts: Vec<&str> = path.split("::").collect();
            let adapter = parts.len() > 2 && adapters.contains(&parts[..3].join("::"));
            found.push(match parts[0] {
                "world" if adapter || parts.get(1) == Some(&"aws") => "world".into(),
                "world" => "world/ports".into(),
                module => module.to_owned(),
            });
        }
    }
    found
}

#[test]
fn an_adapter_is_told_from_its_port() {
    let adapters = adapters(&sources());
    for adapter in
        ["world::service::AppRunner", "world::registry::Ecr", "world::clock::SystemClock"]
    {
        assert!(adapters.contains(adapter), "{adapters:?}");
    }
    let named = |text: &str| named(text, &adapters);
    let port = ["world/ports", "world/ports", "plan"];
    assert_eq!(named("use crate::world::{World, service::Service};\nuse crate::plan::Plan;"), port);
    let both = ["world/ports", "world", "world/ports"];
    assert_eq!(named("use crate::world::{clock::{Clock as _, SystemClock}, World};"), both);
    assert_eq!(
        named("crate::world::service::AppRunner::new(crate::names::x())"),
        ["world", "names"]
    );
    assert_eq!(named("crate::world::aws::connect()"), ["world"]);
}

#[test]
fn what_is_there_for_tests_alone_is_known_and_nothing_else_is_let_off() {
    let tests = test_modules(&sources());
    for module in ["journal/contract", "world/aws/scripted", "view/tests", "config/parse_tests"] {
        assert!(tests.iter().any(|found| found == module), "{tests:?}");
    }
    assert!(program().keys().any(|name| name.starts_with("view/documents/")));
}

#[test]
fn lower_floors_never_name_higher_ones() {
    let mut wrong = Vec::new();
    let adapters = adapters(&sources());
    for (name, text) in program() {
        let own = module(&name);
        if own == "lib" {
            continue;
        }
        for other in named(&text, &adapters) {
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
    for (name, text) in program() {
        let pure = PURE.iter().any(|start| name.starts_with(start));
        if !pure || IMPURE_BY_DESIGN.contains(&name.as_str()) {
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
    for (name, text) in program() {
        for (foreign, places) in allowed {
            let here = places.iter().any(|place| name.starts_with(place));
            if text.contains(foreign) && !here {
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
