//! The file reader against mistakes, and against files made to hurt.

use std::path::Path;

use super::file::{File, Variable};
use super::key::{Fallback, KEYS};
use super::parse::parse;
use super::value::Hidden;
use crate::problem::{ExitCode, Problem};

fn read(text: &str) -> File {
    parse(Path::new("surefoot.toml"), text).unwrap_or_else(|problem| panic!("{problem:#?}\n{text}"))
}

fn refused(text: &str) -> Problem {
    let problem = parse(Path::new("surefoot.toml"), text).expect_err(text);
    assert_eq!(problem.exit, ExitCode::Usage);
    assert_eq!(problem.code, "bad-configuration");
    assert_eq!(problem.leaves, "Nothing was changed.");
    assert!(!problem.next.is_empty());
    problem
}

/// The one cause of a refusal, and its most useful hint.
fn cause(text: &str) -> (String, String) {
    let problem = refused(text);
    assert_eq!(problem.because.len(), 1, "{problem:#?}");
    (problem.because[0].clone(), problem.next.last().cloned().unwrap_or_default())
}

/// A key written as TOML, at top level or in a section.
pub(super) fn line(section: &str, path: &str, value: &str) -> String {
    let (table, leaf) = path.rsplit_once('.').unwrap_or(("", path));
    let table = [section, table].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>();
    let head = if table.is_empty() { String::new() } else { format!("[{}]\n", table.join(".")) };
    let quoted = match value {
        "true" | "false" => value.to_owned(),
        "yes" => "true".into(),
        "no" => "false".into(),
        other => format!("{other:?}"),
    };
    format!("{head}{leaf} = {quoted}\n")
}

#[test]
fn every_key_is_read_at_the_top_and_in_sections() {
    for key in KEYS {
        let canonical = key.kind.check(key.examples[0]).unwrap();
        let file = read(&line("", key.path, key.examples[0]));
        assert_eq!(file.top.scalar(key.path), Some(canonical.as_str()), "{}", key.path);
        let file = read(&line("env.production", key.path, key.examples[0]));
        let section = &file.environments["production"];
        assert_eq!(section.scalar(key.path), Some(canonical.as_str()), "{}", key.path);
        if key.path == "service_name" {
            continue;
        }
        let path = key.path.strip_prefix("service.").unwrap_or(key.path);
        let file = read(&line("service.shop", path, key.examples[0]));
        let section = &file.services[&"shop".parse().unwrap()];
        assert_eq!(section.scalar(key.path), Some(canonical.as_str()), "{}", key.path);
    }
}

#[test]
fn every_key_of_the_wrong_type_is_named_with_its_place_and_what_was_expected() {
    for key in KEYS {
        let text = line("", key.path, key.examples[0]);
        let (head, _) = text.split_once(" = ").unwrap();
        for (wrong, kind) in [("[1]", "a list"), ("1.5", "a number"), ("1979-05-27", "a date")] {
            let (because, _) = cause(&format!("{head} = {wrong}\n"));
            let row = text.lines().count();
            assert!(because.starts_with(&format!("line {row}, column ")), "{because}");
            for part in [format!("`{}`", key.path), kind.into(), key.kind.expected()] {
                assert!(because.contains(&part), "{because} lacks {part}");
            }
        }
    }
}

#[test]
fn an_unknown_key_is_refused_with_the_nearest_known_one() {
    for (text, hint) in [
        ("[service]\nprot = 1", "`service.port`"),
        ("servicename = 'x'", "`service_name`"),
        ("service-name = 'x'", "`service_name`"),
        ("port = 8080", "`service.port`"),
        ("[health]\nretry = 1", "`health.retries`"),
        ("[times]\ndeploy_timout = 1", "`times.deploy_timeout`"),
        ("[helth]\npath = '/'", "`health`"),
        ("[enviroment]\nA = 'x'", "`environment`"),
        ("[health.asserts]\na = 1", "`health.assert`"),
        ("[env.production.service]\nprot = 1", "`env.production.service.port`"),
        ("[service.shop]\nprot = 1", "`service.shop.port`"),
        ("[service.shop.helth]\npath = '/'", "`service.shop.health`"),
        ("[build]\ndocker_file = 'x'", "`build.dockerfile`"),
    ] {
        let (because, next) = cause(text);
        assert!(because.contains("unknown key"), "{because}");
        assert!(next.contains(&format!("did you mean {hint}?")), "{text}: {next}");
    }
    let (because, next) = cause("zzzzzz = 1");
    assert!(because.contains("line 1, column 1: unknown key `zzzzzz`"), "{because}");
    assert!(!next.contains("did you mean"), "{next}");
}

#[test]
fn all_mistakes_are_reported_at_once_in_the_order_of_the_file() {
    let problem = refused("latest = 3\nregion = 'mars'\n[service]\nport = 0\nprot = 1\n");
    let lines: Vec<&str> = problem.because.iter().map(|it| it.split(',').next().unwrap()).collect();
    assert_eq!(lines, ["line 1", "line 2", "line 4", "line 5"], "{problem:#?}");
    let many: String = (0..50).map(|n| format!("zzz{n} = 1")).collect::<Vec<_>>().join("\n");
    assert_eq!(refused(&many).because.last().unwrap(), "and 30 more");
}

#[test]
fn no_message_repeats_a_value() {
    const SECRET: &str = "hunter2-hunter2";
    let mut texts = vec![
        format!("[secrets]\nDB = '{SECRET}'"),
        format!("secrets = '{SECRET}'"),
        format!("environment = ['{SECRET}']"),
        format!("[secrets]\nDB = ['{SECRET}']"),
        format!("[secrets]\nDB = {{ value = '{SECRET}' }}"),
        format!("[environment]\nPORT = '{SECRET}'"),
        format!("[environment]\nA = ['{SECRET}']"),
        format!("[environment]\nA = '{SECRET}'\nB = "),
        format!("[environment]\nA = \"{SECRET}"),
        format!("[environment]\nA = '{SECRET}'\nA = '{SECRET}'"),
        format!("[service]\naccess_role = 'arn:{SECRET}'"),
        format!("[health]\nfrom = 'https://user:{SECRET}@host/'"),
        format!("unknown = '{SECRET}'"),
    ];
    for key in KEYS {
        texts.push(line("", key.path, &format!("{SECRET}\0")));
    }
    for text in texts {
        let shown = format!("{:?}", refused(&text));
        assert!(!shown.contains("hunter2"), "{text}\n{shown}");
    }
}

#[test]
fn a_secret_value_where_an_arn_belongs_is_refused_with_what_to_do() {
    let (because, hint) = cause("[secrets]\nDB = 'hunter2'");
    assert!(
        because.contains("line 2, column 6: `secrets.DB` is not a secret reference"),
        "{because}"
    );
    assert!(hint.contains("Secrets Manager"), "{hint}");
}

#[test]
fn reserved_names_are_refused_and_doubtful_ones_warned_of() {
    let arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:db-AbCdEf";
    for name in ["PORT", "SUREFOOT_DEPLOYMENT"] {
        assert!(cause(&format!("[environment]\n{name} = '1'")).0.contains(name));
        assert!(cause(&format!("[secrets]\n{name} = '{arn}'")).0.contains(name));
        assert!(cause(&format!("[env.a.environment]\n{name} = '1'")).0.contains(name));
    }
    assert!(cause("[environment]\nunset = ['SUREFOOT_DEPLOYMENT']").0.contains("surefoot"));
    for (text, warning) in [
        ("[environment]\nAWSAPPRUNNER_X = '1'".to_owned(), "AWSAPPRUNNER"),
        ("[environment]\nDB_PASSWORD = 'x'".to_owned(), "readable by everybody"),
        (format!("[environment]\nDB = '{arn}'"), "[secrets]"),
        ("[build.arguments]\nNPM_TOKEN = 'x'".to_owned(), "history"),
    ] {
        let warnings = read(&text).warnings;
        assert_eq!(warnings.len(), 1, "{text}");
        assert!(warnings[0].contains(warning), "{warnings:?}");
    }
    assert!(read("[environment]\nLOG_LEVEL = 'info'").warnings.is_empty());
}

#[test]
fn variables_are_set_and_unset_once() {
    let file =
        read("[environment]\nA = 'x'\nN = 3\nB = true\nunset = ['C']\n[secrets]\nunset = ['C']");
    let variable = |name: &str| file.top.variables[&name.parse().unwrap()].value.clone();
    assert_eq!(variable("A"), Variable::Plain(Hidden("x".into())));
    assert_eq!(variable("N"), Variable::Plain(Hidden("3".into())));
    assert_eq!(variable("B"), Variable::Plain(Hidden("true".into())));
    assert_eq!(variable("C"), Variable::Unset);
    // A variable may well be named so.
    let file = read("[environment]\nunset = 'yes'");
    assert!(file.top.variables.contains_key(&"unset".parse().unwrap()));
    for text in [
        "[environment]\nA = 'x'\nunset = ['A']",
        "[environment]\nA = 'x'\n[secrets]\nA = 'arn:aws:ssm:eu-central-1:123456789012:parameter/a'",
    ] {
        assert!(cause(text).0.contains("twice"), "{text}");
    }
    for text in
        ["[environment]\nunset = [1]", "[environment]\nunset = ['A=B']", "[environment]\n'' = ''"]
    {
        refused(text);
    }
}

#[test]
fn app_runners_limits_hold_for_variables() {
    let fits = "x".repeat(51_200);
    read(&format!("[environment]\nA = '{fits}'"));
    assert!(cause(&format!("[environment]\nA = '{fits}x'")).0.contains("51200"));
    let long = format!("arn:aws:secretsmanager:eu-central-1:1:secret:{}", "x".repeat(2048));
    assert!(cause(&format!("[secrets]\nA = '{long}'")).0.contains("2048"));
    assert!(cause("[environment]\nA = \"a\\u0000b\"").0.contains("NUL"));
}

#[test]
fn assertions_are_written_with_quotes_or_with_dots() {
    let quoted = read("[health.assert]\n\"dependencies.ffmpeg.available\" = true\nn = 1.5");
    let dotted = read("[health.assert]\ndependencies.ffmpeg.available = true\nn = 1.5");
    let values = |file: &File| {
        let each = file.top.assertions.iter();
        each.map(|(path, it)| (path.clone(), it.value.clone())).collect::<Vec<_>>()
    };
    assert_eq!(values(&quoted), values(&dotted));
    assert_eq!(values(&quoted).len(), 2);
    for text in [
        "[health.assert]\n'a.b' = 1\na.b = 1",
        "[health.assert]\n'a..b' = 1",
        "[health.assert]\na = 1979-05-27",
        "[health.assert]\na = inf",
    ] {
        refused(text);
    }
}

#[test]
fn sections_have_names_that_can_be_meant() {
    for (text, part) in [
        ("[service.environment]\nA = 'x'", "`[environment]` stands on its own"),
        ("[service.health]\npath = '/'", "`[health]` stands on its own"),
        ("service = 'shop'", "service_name"),
        ("[env]\nA = 'x'", "[environment]"),
        ("[service.x]\nport = 1", ""),
        ("[service.shop]\nservice_name = 'shop'", ""),
        ("[env.'a b']\nlatest = true", ""),
        ("env = 1", ""),
    ] {
        let (_, hint) = cause(text);
        assert!(hint.contains(part), "{text}: {hint}");
    }
    // A service may be named like a key.
    let file = read("[service]\nport = 1\n[service.memory]\nport = 2\n");
    assert_eq!(file.top.scalar("service.port"), Some("1"));
    assert_eq!(file.services[&"memory".parse().unwrap()].scalar("service.port"), Some("2"));
}

#[test]
fn hostile_files_are_refused_or_read_and_never_fatal() {
    assert_eq!(read("\u{feff}latest = false").top.scalar("latest"), Some("false"));
    assert_eq!(read("latest = false\r\n").top.scalar("latest"), Some("false"));
    for text in ["", "\n\n", "# nothing"] {
        assert!(read(text).top.scalars.is_empty());
    }
    let deep = 100_000;
    for text in [
        "\0".to_owned(),
        "latest = true\0".into(),
        format!("a = {}", "[".repeat(deep)),
        format!("a = {}{}", "[".repeat(deep), "]".repeat(deep)),
        format!("{}a = 1", "a.".repeat(deep)),
        format!("[{}a]", "a.".repeat(deep)),
        format!("[health.assert]\n{}a = 1", "a.".repeat(deep)),
        format!("a = {}1{}", "{a=".repeat(deep), "}".repeat(deep)),
        format!("{} = 1", "x".repeat(500_000)),
        "\u{202e}\u{1b}[31m = 1".into(),
        "\"\u{202e}\\u001b[31m\" = 1".into(),
        "[environment]\n\"\\u001b[31mPORT\" = [1]".into(),
        "latest = true\nlatest = true".into(),
        "= 1".into(),
        "[service]\n[service]".into(),
        "service_name = 99999999999999999999".into(),
        "[service]\nport = 99999999999999999999999".into(),
    ] {
        let shown = format!("{:?}", refused(&text));
        assert!(shown.len() < 10_000, "{shown:.200}");
        assert!(!refused(&text).because.iter().any(|it| it.contains(crate::text::is_hostile)));
    }
}

#[test]
fn the_debug_form_shows_no_value() {
    let file = read("[environment]\nA = 'hunter2'\n[build.arguments]\nB = 'hunter2'");
    assert!(!format!("{file:?}").contains("hunter2"));
}

#[test]
fn what_is_kept_when_absent_is_absent_in_an_empty_file() {
    for key in KEYS.iter().filter(|key| matches!(key.default, Fallback::Absent(_))) {
        assert_eq!(read("").top.scalar(key.path), None);
        assert_eq!(key.default_text(), None);
    }
}
