use std::path::Path;
use std::time::Duration;

use super::super::kind::Kind;
use super::super::parse::parse;
use super::super::parse_tests::line;
use super::super::times::Times;
use super::super::value::AutoDeployments;
use super::*;

fn sources() -> Sources {
    Sources {
        detected: Detected {
            project: "/home/me/project-dir".into(),
            current: "/home/me/project-dir/src".into(),
            region: Some("ap-south-1".into()),
            ..Detected::default()
        },
        ..Sources::default()
    }
}

fn file(text: &str) -> Option<File> {
    parse(Path::new("/home/me/project-dir/surefoot.toml"), text)
        .map_err(|problem| panic!("{problem:#?}\n{text}"))
        .ok()
}

fn variables(pairs: &[(&str, &str)]) -> Environment {
    Environment(pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect())
}

/// Sets a key by its flag.
fn flag(flags: &mut Flags, path: &str, text: &str) {
    let text = Some(text.to_owned());
    match path {
        "service_name" => flags.service_name = text,
        "region" => flags.region = text,
        "ecr_repository" => flags.ecr_repo = text,
        "history_dir" => flags.history_dir = text,
        "times.deploy_timeout" => flags.deploy_timeout = text,
        "health.timeout" => flags.health_timeout = text,
        "health.retries" => flags.health_retries = text,
        "health.allow_missing_dependencies" => flags.allow_missing_deps = true,
        other => panic!("no flag for {other}"),
    }
}

/// A source of a value, strongest first.
#[derive(Debug, Clone)]
enum Voice {
    Flag(&'static str),
    Variable(String),
    EnvironmentSection,
    ServiceSection,
    Top,
    Detected,
    Default,
}

fn voices(key: &Key) -> Vec<Voice> {
    let mut voices: Vec<Voice> = key.flag.into_iter().map(Voice::Flag).collect();
    voices.extend(key.variables().into_iter().map(Voice::Variable));
    voices.push(Voice::EnvironmentSection);
    if key.path != "service_name" {
        voices.push(Voice::ServiceSection);
    }
    voices.push(Voice::Top);
    if ["service_name", "region", "ecr_repository"].contains(&key.path) {
        voices.push(Voice::Detected);
    }
    if key.default_text().is_some() {
        voices.push(Voice::Default);
    }
    voices
}

/// Lets a voice say something; `text` is the file so far.
fn speak(voice: &Voice, key: &Key, value: &str, sources: &mut Sources, text: &mut String) {
    match voice {
        Voice::Flag(_) => flag(&mut sources.flags, key.path, value),
        Voice::Variable(name) => {
            sources.environment.0.insert(name.clone(), value.into());
        }
        Voice::EnvironmentSection => text.push_str(&line("env.chosen", key.path, value)),
        Voice::ServiceSection => {
            let path = key.path.strip_prefix("service.").unwrap_or(key.path);
            text.push_str(&line("service.chosen", path, value));
        }
        Voice::Top => text.insert_str(0, &line("", key.path, value)),
        Voice::Detected | Voice::Default => {}
    }
}

fn came_from(voice: &Voice, origin: &Origin) -> bool {
    match (voice, origin) {
        (Voice::Flag(flag), Origin::Flag(name)) => name == flag,
        (Voice::Variable(variable), Origin::Environment(name)) => name == variable,
        (
            Voice::EnvironmentSection | Voice::ServiceSection | Voice::Top,
            Origin::File { line, .. },
        ) => *line > 0,
        (Voice::Detected, Origin::Detected(_)) | (Voice::Default, Origin::Default) => true,
        _ => false,
    }
}

/// The value as it is shown: canonical, and whole where it is a path.
fn expected(key: &Key, value: &str) -> String {
    key.kind.check(value).unwrap()
}

fn two_voices(key: &Key, strong: &Voice, weak: &Voice) -> Settings {
    let mut sources = sources();
    let mut text = String::new();
    let [first, second] = key.examples;
    speak(strong, key, first, &mut sources, &mut text);
    speak(weak, key, second, &mut sources, &mut text);
    let sections = [strong, weak];
    if sections.iter().any(|voice| matches!(voice, Voice::EnvironmentSection)) {
        sources.flags.env = Some("chosen".into());
    }
    if sections.iter().any(|voice| matches!(voice, Voice::ServiceSection)) {
        sources.flags.service_name = Some("chosen".into());
    }
    sources.file = file(&text);
    resolve(&sources).unwrap_or_else(|problem| panic!("{}: {problem:#?}\n{text}", key.path))
}

#[test]
fn for_every_setting_and_every_pair_of_sources_the_stronger_one_wins() {
    let mut pairs = 0;
    for key in KEYS {
        let voices = voices(key);
        for (at, strong) in voices.iter().enumerate() {
            for weak in &voices[at + 1..] {
                let settings = two_voices(key, strong, weak);
                let shown = settings.shown().iter().find(|shown| shown.key == key.path).unwrap();
                let place = format!("{}: {strong:?} over {weak:?}: {shown:?}", key.path);
                assert!(came_from(strong, &shown.origin), "{place}");
                if !matches!(strong, Voice::Detected | Voice::Default) {
                    let first = match strong {
                        Voice::Flag("--allow-missing-deps") => "true",
                        _ => key.examples[0],
                    };
                    assert_eq!(shown.value, expected(key, first), "{place}");
                }
                pairs += 1;
            }
        }
    }
    assert!(pairs > 350, "{pairs} pairs");
}

#[test]
fn every_flag_in_the_table_is_a_flag() {
    for key in KEYS {
        let mut flags = Flags::default();
        if key.flag.is_some() {
            flag(&mut flags, key.path, key.examples[0]);
        }
        assert_eq!(flags.text(key.path).is_some(), key.flag.is_some(), "{}", key.path);
    }
}

#[test]
fn an_empty_variable_counts_as_not_set() {
    for key in KEYS {
        for name in key.variables() {
            for empty in ["", "  "] {
                let environment = variables(&[(&name, empty)]);
                let settings = resolve(&Sources { environment, ..sources() }).unwrap();
                let origin = settings.origin(key.path);
                assert!(!matches!(origin, Some(Origin::Environment(_))), "{name}");
            }
        }
    }
}

#[test]
fn a_value_that_is_not_valid_is_refused_by_the_name_of_its_source() {
    for key in
        KEYS.iter().filter(|key| !matches!(key.kind, Kind::Path | Kind::Text | Kind::Command))
    {
        for name in key.variables() {
            let environment = variables(&[(&name, "hunter2 \u{1}!")]);
            let problem = resolve(&Sources { environment, ..sources() }).unwrap_err();
            assert_eq!(problem.exit, ExitCode::Usage);
            assert!(problem.what.contains(&format!("${name}")), "{problem:?}");
            assert!(!format!("{problem:?}").contains("hunter2"), "{problem:?}");
            assert!(problem.next.last().unwrap().contains(&name), "{problem:?}");
        }
        if let Some(flag_name) = key.flag.filter(|name| *name != "--allow-missing-deps") {
            let mut flags = Flags::default();
            flag(&mut flags, key.path, "");
            let problem = resolve(&Sources { flags, ..sources() }).unwrap_err();
            assert!(problem.what.contains(flag_name), "{problem:?}");
        }
    }
}

#[test]
fn allow_missing_deps_is_yes_or_no_in_six_ways() {
    for (text, yes) in
        [("true", true), ("1", true), ("YES", true), ("false", false), ("0", false), ("no", false)]
    {
        let environment = variables(&[("ALLOW_MISSING_DEPS", text)]);
        let settings = resolve(&Sources { environment, ..sources() }).unwrap();
        assert_eq!(settings.health.allow_missing_dependencies, yes, "{text}");
    }
    for text in ["on", "y", "2", "maybe"] {
        let environment = variables(&[("ALLOW_MISSING_DEPS", text)]);
        assert!(resolve(&Sources { environment, ..sources() }).is_err(), "{text}");
    }
}

#[test]
fn with_nothing_said_everything_is_guessed_or_by_default() {
    let settings = resolve(&sources()).unwrap();
    assert_eq!(settings.service_name().unwrap().as_str(), "project-dir");
    assert_eq!(settings.repository().unwrap().name.as_str(), "project-dir");
    assert_eq!(settings.region().unwrap().as_str(), "ap-south-1");
    assert_eq!(settings.times, Times::default());
    assert_eq!(settings.auto_deployments, AutoDeployments::Keep);
    assert_eq!(settings.build.context, Path::new("/home/me/project-dir"));
    assert_eq!((settings.health.retries, settings.health.passes), (12, 2));
    assert!(settings.overlay().is_empty() && settings.latest);
    assert!(settings.warnings.is_empty());
}

#[test]
fn what_the_journal_knows_of_the_repository_is_a_better_guess_than_the_directory() {
    let mut sources = sources();
    sources.detected.repository = "team/shop".parse().ok();
    let settings = resolve(&sources).unwrap();
    assert_eq!(settings.repository().unwrap().name.as_str(), "team/shop");
    assert_eq!(settings.origin("ecr_repository").unwrap().to_string(), "what was deployed before");
    sources.flags.ecr_repo = Some("other".into());
    assert_eq!(resolve(&sources).unwrap().repository().unwrap().name.as_str(), "other");
}

#[test]
fn a_directory_that_is_no_name_is_no_guess() {
    let detected = Detected { project: "/x/My App".into(), ..Detected::default() };
    let settings = resolve(&Sources { detected, ..Sources::default() }).unwrap();
    for problem in [
        settings.service_name().unwrap_err(),
        settings.repository().unwrap_err(),
        settings.region().unwrap_err(),
    ] {
        assert_eq!(problem.exit, ExitCode::Usage);
        assert!(problem.next.last().unwrap().contains("surefoot deploy --"), "{problem:?}");
    }
}

#[test]
fn paths_are_relative_to_whoever_named_them() {
    let text = "history_dir = 'ops'\n[build]\ncontext = 'web'";
    let from_file = Sources { file: file(text), ..sources() };
    let settings = resolve(&from_file).unwrap();
    assert_eq!(settings.history_dir.as_deref(), Some(Path::new("/home/me/project-dir/ops")));
    assert_eq!(settings.build.context, Path::new("/home/me/project-dir/web"));
    let environment =
        variables(&[("SUREFOOT_HISTORY_DIR", "ops"), ("SUREFOOT_BUILD_CONTEXT", "/w")]);
    let settings = resolve(&Sources { environment, ..from_file }).unwrap();
    assert_eq!(settings.history_dir.as_deref(), Some(Path::new("/home/me/project-dir/src/ops")));
    assert_eq!(settings.build.context, Path::new("/w"));
}

const SECTIONS: &str = "
[environment]
A = 'top'
B = 'top'
C = 'top'
[service.shop-web]
port = 1
[service.shop-web.environment]
B = 'service'
C = 'service'
[service.shop-worker]
port = 2
[env.production]
region = 'eu-west-1'
[env.production.environment]
C = 'env'
unset = ['A']
";

#[test]
fn sections_are_laid_over_each_other() {
    let mut sources = Sources { file: file(SECTIONS), ..sources() };
    sources.flags.service_name = Some("shop-web".into());
    sources.flags.env = Some("production".into());
    let settings = resolve(&sources).unwrap();
    assert_eq!(settings.service.port.as_deref(), Some("1"));
    assert_eq!(settings.region().unwrap().as_str(), "eu-west-1");
    let values = settings.values();
    let value = |name: &str| values.get(&name.parse().unwrap()).map(ToOwned::to_owned);
    assert_eq!(
        (value("A"), value("B"), value("C")),
        (None, Some("service".into()), Some("env".into()))
    );
    let overlay = settings.overlay();
    assert!(overlay.environment_unset.contains(&"A".parse().unwrap()));
    assert_eq!(overlay.environment_set, values.hashed());
    assert_eq!(settings.environment_name.as_deref(), Some("production"));
}

#[test]
fn which_service_is_asked_where_several_have_sections() {
    let several = Sources { file: file(SECTIONS), ..sources() };
    let problem = resolve(&several).unwrap_err();
    assert!(problem.because[0].contains("`shop-web`, `shop-worker`"), "{problem:?}");
    let one = Sources { file: file("[service.shop-web]\nport = 1"), ..sources() };
    let settings = resolve(&one).unwrap();
    assert_eq!(settings.service_name().unwrap().as_str(), "shop-web");
    assert_eq!(settings.service.port.as_deref(), Some("1"));
    let mut stranger = several;
    stranger.flags.service_name = Some("shop-wbe".into());
    let warnings = resolve(&stranger).unwrap().warnings;
    assert!(warnings[0].contains("did you mean `shop-web`?"), "{warnings:?}");
}

#[test]
fn an_environment_may_name_the_service_and_thereby_its_section() {
    let text = "[env.staging]\nservice_name = 'shop-staging'\n[service.shop-staging]\nport = 7\n\
                [service.shop]\nport = 8";
    let mut sources = Sources { file: file(text), ..sources() };
    sources.flags.env = Some("staging".into());
    let settings = resolve(&sources).unwrap();
    assert_eq!(settings.service_name().unwrap().as_str(), "shop-staging");
    assert_eq!(settings.service.port.as_deref(), Some("7"));
}

#[test]
fn an_environment_that_is_not_there_is_refused() {
    for (text, hint) in
        [(Some(SECTIONS), "did you mean `--env production`?"), (None, "[env.productoin]")]
    {
        let environment = variables(&[("SUREFOOT_ENV", "productoin")]);
        let file = text.and_then(file);
        let problem = resolve(&Sources { environment, file, ..sources() }).unwrap_err();
        assert_eq!(problem.code, "unknown-environment");
        assert!(problem.next.last().unwrap().contains(hint), "{problem:?}");
    }
}

#[test]
fn speed_shortens_what_is_written_for_real_life_and_nothing_said_for_this_run() {
    let mut sources = Sources {
        environment: variables(&[
            ("SUREFOOT_SPEED", "60"),
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:4566"),
            ("SUREFOOT_TIMES_BUSY_WAIT", "7s"),
        ]),
        file: file("[times]\nrelease_wait = '1h'"),
        ..sources()
    };
    sources.flags.deploy_timeout = Some("5m".into());
    let times = resolve(&sources).unwrap().times;
    assert_eq!(times.settle, Duration::from_millis(1500));
    assert_eq!(times.list_lag, Duration::from_secs(1));
    assert_eq!(times.release_wait, Duration::from_mins(1));
    assert_eq!(times.busy_wait, Duration::from_secs(7));
    assert_eq!(times.deploy_timeout, Duration::from_mins(5));
    assert_eq!(times.poll, Duration::from_secs(1));
}

#[test]
fn speed_is_refused_against_aws_itself() {
    for (pairs, fine) in [
        (vec![("SUREFOOT_SPEED", "60")], false),
        (vec![("SUREFOOT_SPEED", "60"), ("AWS_ENDPOINT_URL", "")], false),
        (vec![("SUREFOOT_SPEED", "1")], true),
        (vec![("SUREFOOT_SPEED", "x"), ("AWS_ENDPOINT_URL", "http://127.0.0.1:1")], false),
        (vec![("SUREFOOT_SPEED", "60"), ("AWS_ENDPOINT_URL_APPRUNNER", "http://[::1]:1")], true),
    ] {
        let environment = variables(&pairs);
        assert_eq!(resolve(&Sources { environment, ..sources() }).is_ok(), fine, "{pairs:?}");
    }
}

#[test]
fn settings_that_contradict_each_other_are_refused() {
    for (text, key) in
        [("[health]\nretries = 1", "default"), ("[times]\nsettle = '1m'", "surefoot.toml:2")]
    {
        let problem = resolve(&Sources { file: file(text), ..sources() }).unwrap_err();
        assert!(problem.what.contains(key), "{problem:?}");
    }
}

#[test]
fn a_repository_by_uri_keeps_its_hints_and_drops_its_tag() {
    let uri = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/shop:v1";
    let environment = variables(&[("ECR_REPOSITORY", uri)]);
    let settings = resolve(&Sources { environment, ..sources() }).unwrap();
    let repository = settings.repository().unwrap();
    assert_eq!(repository.name.as_str(), "team/shop");
    assert_eq!(repository.region_hint.as_ref().unwrap().as_str(), "eu-west-1");
    assert!(settings.warnings[0].contains("`v1`"), "{:?}", settings.warnings);
}

#[test]
fn a_misspelt_variable_is_warned_of() {
    let environment = variables(&[
        ("SUREFOOT_TIMES_SETLE", "2m"),
        ("SUREFOOT_SOMETHING_ELSE_ENTIRELY", "1"),
        ("SERVICE_NAMES", "x"),
    ]);
    let warnings = resolve(&Sources { environment, ..sources() }).unwrap().warnings;
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("`SUREFOOT_TIMES_SETTLE`"), "{warnings:?}");
}

#[test]
fn nothing_shown_or_debugged_holds_a_plain_value() {
    let text = "[environment]\nA = 'hunter2'\n[build.arguments]\nB = 'hunter2'";
    let environment = variables(&[("SOME_TOKEN", "hunter2")]);
    let sources = Sources { file: file(text), environment, ..sources() };
    let settings = resolve(&sources).unwrap();
    let all =
        format!("{sources:?}{settings:?}{}", serde_json::to_string(settings.shown()).unwrap());
    assert!(!all.contains("hunter2"), "{all}");
    let overlay = serde_json::to_string(&settings.overlay()).unwrap();
    assert!(!overlay.contains("hunter2") && overlay.contains("environment_set"));
    assert_eq!(settings.values().get(&"A".parse().unwrap()), Some("hunter2"));
}

#[test]
fn roles_by_name_are_left_to_who_can_look_them_up() {
    let arn = "arn:aws:iam::123456789012:role/run";
    let text = format!("[service]\naccess_role = 'pull'\ninstance_role = '{arn}'");
    let settings = resolve(&Sources { file: file(&text), ..sources() }).unwrap();
    assert_eq!(settings.service.access_role.as_ref().unwrap().name(), Some("pull"));
    let overlay = settings.overlay();
    assert_eq!(overlay.access_role, None);
    assert_eq!(overlay.instance_role.unwrap().as_str(), arn);
}
