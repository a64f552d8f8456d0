//! `docs/endings.md`: every plight at every instant of every way, and the end it comes to. The table
//! there is the expectation; a cell that is missing or not true fails.

use std::collections::BTreeMap;

use surefoot::problem::ExitCode;
use surefoot::sandbox::door::ports::{Kind, Mishap};
use surefoot::sandbox::simulation::matrix::{name, trial};
use surefoot::sandbox::simulation::{CANARY, Ending, Instant, Plight, Situation, Way, befall};

/// A cell where the instant never comes.
const NEVER: &str = "–";

/// Each way's heading in the document.
const WAYS: [(Way, &str); Way::ALL.len()] = [
    (Way::Sick, "A deployment that does not pass its gate"),
    (Way::Well, "A deployment that passes"),
    (Way::Back, "Killed, and taken back: `resume --rollback`"),
    (Way::Manual, "`surefoot rollback`"),
    (Way::First, "The first deployment"),
    (Way::FirstBack, "The first deployment, killed, and taken back"),
];

/// Each plight's words in the document.
const PLIGHTS: [(Plight, &str); Plight::ALL.len()] = [
    (Plight::Nothing, "nothing"),
    (Plight::RollbackFailed, "App Runner ends ROLLBACK_FAILED"),
    (Plight::Paused, "somebody pauses it"),
    (Plight::Deleted, "somebody deletes it"),
    (Plight::Forgotten, "deleted, and AWS forgot it"),
    (Plight::ImageGone, "the image to go back to vanishes"),
    (Plight::TagMoved, "tags only, and the tag moves"),
    (Plight::Sick, "whatever runs answers 500"),
    (Plight::Slow, "the operation outlasts the deadline"),
    (Plight::Overtaken, "somebody changes a variable"),
    (Plight::Replaced, "somebody deploys another image"),
];

/// `14 unfinished, 13 rolled back (unhealthy)`: what each process ended with.
fn told(ending: &Ending) -> String {
    if !ending.came {
        return NEVER.into();
    }
    let ends = ending.ends.iter().map(|(phase, code)| format!("{code} {phase}"));
    let ends = ends.collect::<Vec<_>>().join(", ");
    match &ending.problem {
        Some(problem) if problem.code != "attention" => format!("{ends} ({})", problem.code),
        _ => ends,
    }
}

/// The document's tables, by heading and first column.
fn expected() -> BTreeMap<(String, String), Vec<String>> {
    let text = include_str!("../../../docs/endings.md");
    let (mut found, mut heading) = (BTreeMap::new(), String::new());
    for line in text.lines() {
        if let Some(words) = line.strip_prefix("## ") {
            words.clone_into(&mut heading);
        }
        let cells: Vec<_> = line.split('|').map(|cell| cell.trim().to_owned()).collect();
        if let [_, first, rest @ .., _] = &cells[..] {
            let double = found.insert((heading.clone(), first.clone()), rest.to_vec());
            assert!(double.is_none(), "{heading}: {first} stands there twice");
        }
    }
    found
}

#[test]
fn every_plight_ends_in_its_true_verdict_at_every_instant() {
    let (expected, mut wrong, mut tables) = (expected(), Vec::new(), String::new());
    for (way, heading) in WAYS {
        tables += &["\n## ", heading, "\n\n"].concat();
        for (plight, words) in PLIGHTS {
            let endings = Instant::ALL.map(|instant| befall(plight, instant, way));
            for (ending, instant) in endings.iter().zip(Instant::ALL) {
                let what = format!("{way:?} {plight:?} {instant:?}");
                wrong.extend(against(ending).map(|why| format!("{what}: {why}")));
            }
            let real = endings.map(|ending| told(&ending));
            tables += &["| ", words, " | ", &real.join(" | "), " |\n"].concat();
            let row = expected.get(&(heading.to_owned(), words.to_owned()));
            if row.is_none_or(|row| row[..] != real[..]) {
                wrong.push(format!("{heading}: {words}\n  is {real:?}\n  not {row:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}\n{tables}", wrong.join("\n"));
}

/// What stands against an ending, whatever it is.
fn against(ending: &Ending) -> impl Iterator<Item = String> {
    let mut wrong: Vec<String> = ending
        .violations
        .iter()
        .map(|broken| format!("{}: {}", broken.rule, broken.what))
        .collect();
    match (&ending.problem, ending.ends.last()) {
        (None, Some(("succeeded", 0))) => {}
        (Some(problem), Some((_, code))) => {
            if problem.exit.number() != *code || *code == ExitCode::Success.number() {
                wrong.push(format!("said {:?}, ended {code}", problem.exit));
            }
            if problem.leaves.is_empty() || !problem.next.iter().any(|line| line.contains('`')) {
                wrong.push(format!("leaves a person alone: {problem:?}"));
            }
        }
        (problem, end) => wrong.push(format!("ends {end:?} with {problem:?}")),
    }
    wrong.into_iter()
}

#[test]
fn every_plight_way_and_instant_is_in_the_table() {
    for plight in Plight::ALL {
        assert_eq!(PLIGHTS.iter().filter(|(one, _)| *one == plight).count(), 1, "{plight:?}");
    }
    for way in Way::ALL {
        assert_eq!(WAYS.iter().filter(|(one, _)| *one == way).count(), 1, "{way:?}");
    }
}

/// What an application writes of its environment is kept without the value.
#[test]
fn a_value_in_the_application_log_is_not_kept() {
    let ending = befall(Plight::Nothing, Instant::BeforeHealth, Way::Sick);
    let lines = ending.problem.expect("it was rolled back").details;
    assert!(lines.iter().any(|line| line == "starting with (hidden)"), "{lines:?}");
    assert!(!lines.concat().contains(CANARY), "{lines:?}");
    assert!(ending.violations.is_empty(), "{:?}", ending.violations);
}

/// Whoever may no longer look knows nothing of the release: it is neither given up nor taken back.
#[test]
fn a_refused_look_after_the_change_concludes_nothing() {
    for situation in [
        Situation::Create,
        Situation::Update,
        Situation::AppRunnerTakesBack,
        Situation::Unhealthy,
        Situation::Rollback,
    ] {
        let calm = trial(situation, &[]);
        let change = calm
            .moments
            .iter()
            .find(|moment| moment.kind == Kind::Change && moment.call.ends_with("Service"));
        let change = change.expect("the service is changed").number;
        let looks = calm.moments.iter().filter(|m| m.kind == Kind::Read && m.number > change);
        for look in looks {
            let struck = trial(situation, &[(look.number, Mishap::Refused)]);
            let (end, expected) = (name(struck.end.as_ref()), name(calm.end.as_ref()));
            assert_eq!(end, expected, "{situation:?}: {look:?} was refused");
            assert!(struck.violations.is_empty(), "{situation:?}: {:?}", struck.violations);
        }
    }
}
