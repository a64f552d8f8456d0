//! The documents say what the code says: events, exit codes, problem codes, switches, steps, links.

#![expect(clippy::unwrap_used, reason = "a test that cannot read a document fails")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use regex::Regex;
use surefoot::problem::ExitCode;
use surefoot::sandbox::cloud::switches::TABLE;
use surefoot::sandbox::simulation::RULES;

/// Where codes of problems, failures, findings and causes are written down.
const PLACES_OF_CODES: &[&str] = &[
    "command/",
    "config/",
    "diagnosis.rs",
    "engine.rs",
    "event/",
    "ledger.rs",
    "lock.rs",
    "look.rs",
    "plan/",
    "projection/",
    "step/",
    "world/builder/context/",
];

/// Words of the same form that are no codes of problems.
const OTHER_WORDS: &[&str] = &[
    // Examples of values.
    "ecr-fips",
    "eu-central-1",
    "shop-staging",
    "us-east-1",
    // The world's own word, which shows up as a cause under `registry-refused`.
    "bad-uri",
];

/// Codes that other parts of the code pass on: `refusal` in `step/mod.rs` keeps them.
const SINGLE_WORDS: &[&str] = &[
    "attention",
    "interrupted",
    "locked",
    "pending",
    "quota",
    "refused",
    "throttled",
    "unhealthy",
    "unplanned",
    "unreachable",
    "unreadable",
    "usage",
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The code of a source file: no comments, no unit tests.
fn code(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    let before_tests = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let lines = before_tests.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

fn sources() -> Vec<(String, String)> {
    let source = root().join("src");
    let named = files(&source, "rs").into_iter().map(|path| {
        let name = path.strip_prefix(&source).unwrap().display().to_string();
        (name, code(&path))
    });
    named.filter(|(name, _)| !is_test(name)).collect()
}

fn is_test(name: &str) -> bool {
    ["tests", "examples", "document.rs", "contract", "scripted"]
        .iter()
        .any(|part| name.contains(part))
}

/// The first column of a table's rows, where it is `code`.
fn rows(document: &str) -> BTreeSet<String> {
    let row = Regex::new(r"(?m)^\| \[?`([^`]+)`").unwrap();
    row.captures_iter(document).map(|found| found[1].to_owned()).collect()
}

/// The variants of an enum, as they are written in its source.
fn variants(file: &str, declaration: &str) -> Vec<String> {
    let text = code(&root().join(file));
    let body = text.split(declaration).nth(1).expect(declaration);
    let body = body.split("\n}").next().unwrap();
    let variant = Regex::new(r"(?m)^    ([A-Z][A-Za-z]+)").unwrap();
    variant.captures_iter(body).map(|found| found[1].to_owned()).collect()
}

#[test]
fn every_event_is_described_and_nothing_else() {
    let events: BTreeSet<String> =
        variants("src/event/mod.rs", "pub enum Event {").into_iter().collect();
    assert!(events.len() > 25, "only {events:?} were found");
    let described: BTreeSet<String> = rows(&read("docs/events.md"))
        .into_iter()
        .filter(|name| name.starts_with(char::is_uppercase))
        .collect();
    assert_eq!(described, events);
}

#[test]
fn every_field_of_the_envelope_is_described() {
    let described = rows(&read("docs/events.md"));
    let fields = [
        "format",
        "id",
        "stream",
        "sequence",
        "deployment",
        "type",
        "type_version",
        "settles",
        "at",
        "actor",
        "tool",
        "data",
        "prev",
    ];
    let missing: Vec<_> = fields.iter().filter(|field| !described.contains(**field)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_step_is_described_and_has_its_file() {
    let described = rows(&read("docs/steps.md"));
    for variant in variants("src/plan/mod.rs", "pub enum Step {") {
        let name = snake_case(&variant);
        assert!(described.contains(&name), "docs/steps.md does not describe `{name}`");
        assert!(root().join(format!("src/step/{name}.rs")).exists(), "src/step/{name}.rs");
    }
}

fn snake_case(name: &str) -> String {
    let capital = Regex::new("([a-z])([A-Z])").unwrap();
    capital.replace_all(name, "${1}_$2").to_lowercase()
}

#[test]
fn every_rule_of_the_proof_is_described() {
    let document = read("docs/reliability.md");
    let table = document.split("## The rules").nth(1).unwrap().split("\n## ").next().unwrap();
    let described: BTreeSet<&str> = table
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(" | ").next())
        .filter(|first| *first != "rule" && !first.starts_with('-'))
        .collect();
    let rules: BTreeSet<&str> = RULES.iter().copied().collect();
    assert_eq!(described, rules);
}

#[test]
fn every_exit_code_is_described_and_no_other() {
    let row = Regex::new(r"(?m)^\| (\d+) \|").unwrap();
    let document = read("docs/exit-codes.md");
    let described: Vec<u8> =
        row.captures_iter(&document).map(|found| found[1].parse().unwrap()).collect();
    let numbers: Vec<u8> = ExitCode::ALL.into_iter().map(ExitCode::number).collect();
    assert_eq!(described, numbers);
}

/// Every code that can be printed. Words of the form `a-b` in the places of codes are codes unless
/// they are known to be something else; so a new one cannot be forgotten.
fn problem_codes() -> BTreeSet<String> {
    let word = Regex::new(r#""([a-z0-9]+(?:-[a-z0-9]+)+)""#).unwrap();
    let single =
        Regex::new(r#"(?:Problem|Failure)::new\(\s*ExitCode::\w+,\s*"([a-z]+)"|code: "([a-z]+)""#)
            .unwrap();
    let mut codes: BTreeSet<String> = SINGLE_WORDS.iter().map(|&word| word.to_owned()).collect();
    for (name, text) in sources() {
        if !PLACES_OF_CODES.iter().any(|place| name.starts_with(place)) {
            continue;
        }
        codes.extend(word.captures_iter(&text).map(|found| found[1].to_owned()));
        codes.extend(single.captures_iter(&text).map(|found| {
            found.get(1).or_else(|| found.get(2)).expect("one of the two").as_str().to_owned()
        }));
    }
    codes.retain(|code| !OTHER_WORDS.contains(&code.as_str()));
    codes
}

fn problem_pages() -> BTreeSet<String> {
    let pages = files(&root().join("docs/problems"), "md");
    let names = pages.iter().map(|path| path.file_stem().unwrap().to_string_lossy().into_owned());
    names.filter(|name| name != "README").collect()
}

#[test]
fn every_problem_code_has_a_page_and_every_page_a_code() {
    let (codes, pages) = (problem_codes(), problem_pages());
    assert!(codes.len() > 80, "only {codes:?} were found");
    let without_page: Vec<_> = codes.difference(&pages).collect();
    let without_code: Vec<_> = pages.difference(&codes).collect();
    assert!(without_page.is_empty(), "no page in docs/problems: {without_page:?}");
    assert!(without_code.is_empty(), "no such code any more: {without_code:?}");
}

#[test]
fn the_index_of_problems_is_complete_and_their_pages_look_alike() {
    assert_eq!(rows(&read("docs/problems/README.md")), problem_pages());
    for page in problem_pages() {
        let text = read(&format!("docs/problems/{page}.md"));
        assert!(text.starts_with(&format!("# `{page}`: ")), "{page}: title");
        for part in
            ["\nExit code: ", "\n## What it means\n", "\n## Why it happens\n", "\n## What to do\n"]
        {
            assert!(text.contains(part), "{page}: no `{}`", part.trim());
        }
    }
}

#[test]
fn every_exit_code_on_a_page_of_a_problem_exists() {
    let numbers: BTreeSet<u8> = ExitCode::ALL.into_iter().map(ExitCode::number).collect();
    let number = Regex::new(r"\d+").unwrap();
    for page in problem_pages() {
        let text = read(&format!("docs/problems/{page}.md"));
        let line = text.lines().find(|line| line.starts_with("Exit code: ")).unwrap().to_owned();
        let named: Vec<u8> =
            number.find_iter(&line).map(|found| found.as_str().parse().unwrap()).collect();
        assert!(!named.is_empty(), "{page}: {line}");
        assert!(named.iter().all(|code| numbers.contains(code)), "{page}: {line}");
    }
}

#[test]
fn every_switch_of_the_sandbox_is_described_as_it_is() {
    let document = read("docs/sandbox.md");
    for row in TABLE {
        let positions: Vec<String> =
            row.positions.iter().map(|position| format!("`{position}`")).collect();
        let line = format!("| `{}` | {} | {} |", row.name, positions.join(", "), row.meaning);
        assert!(document.contains(&line), "docs/sandbox.md needs this row:\n{line}");
    }
}

#[test]
fn every_kind_of_fault_is_described() {
    let described = rows(&read("docs/sandbox.md"));
    for variant in variants("src/sandbox/cloud/fault.rs", "pub enum FaultKind {") {
        let name = snake_case(&variant).replace('_', "-");
        assert!(described.contains(&name), "docs/sandbox.md does not describe `{name}`");
    }
}

#[test]
fn every_document_that_code_or_documents_name_exists() {
    let named = Regex::new(r"docs/[a-z][a-z0-9/-]*\.md").unwrap();
    let mut texts: Vec<(String, String)> = sources();
    texts.retain(|(name, _)| !name.starts_with("world/builder/context/"));
    for path in documents() {
        texts.push((path.display().to_string(), std::fs::read_to_string(&path).unwrap()));
    }
    let mut missing = Vec::new();
    for (place, text) in texts {
        for found in named.find_iter(&text) {
            if !root().join(found.as_str()).exists() {
                missing.push(format!("{place}: {}", found.as_str()));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn links_between_documents_lead_somewhere() {
    let link = Regex::new(r"\]\(([^)#]+)\)").unwrap();
    let mut broken = Vec::new();
    for path in documents() {
        let text = std::fs::read_to_string(&path).unwrap();
        for found in link.captures_iter(&text) {
            let target = &found[1];
            if !target.contains("://") && !path.parent().unwrap().join(target).exists() {
                broken.push(format!("{}: {target}", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn the_commands_in_the_readme_are_those_there_are() {
    use clap::CommandFactory as _;
    let commands = surefoot::command::arguments::Arguments::command();
    let there: BTreeSet<String> =
        commands.get_subcommands().map(|command| command.get_name().to_owned()).collect();
    let readme = read("README.md");
    let table = readme.split("## Commands").nth(1).unwrap().split("\n## ").next().unwrap();
    let named: BTreeSet<String> = rows(table)
        .into_iter()
        .map(|name| name.split(' ').next().unwrap_or_default().to_owned())
        .filter(|name| name != "command")
        .collect();
    assert_eq!(named, there);
}

/// README, CHANGELOG and everything in `docs`.
fn documents() -> Vec<PathBuf> {
    let mut all = files(&root().join("docs"), "md");
    all.extend([root().join("README.md"), root().join("CHANGELOG.md")]);
    all
}
