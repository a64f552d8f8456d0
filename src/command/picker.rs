//! Asks a person at a terminal which release to go back to.

use super::setup::Setup;
use super::trouble;
use crate::names::DeploymentNumber;
use crate::problem::{ExitCode, Problem};
use crate::projection::Row;
use crate::view::{measure, typed_line};
use crate::world::clock::{Clock as _, SystemClock};

/// No more are shown; every one can be typed.
const SHOWN: usize = 10;

/// So often a slip of the finger is forgiven.
const ATTEMPTS: usize = 3;

/// The deployment that was typed; the usual one where nothing was.
pub(super) async fn pick(
    setup: &Setup,
    rows: &[Row],
    usual: Option<DeploymentNumber>,
) -> Result<Option<DeploymentNumber>, Problem> {
    if rows.is_empty() {
        return Ok(None);
    }
    let now = SystemClock::start().now();
    for line in lines(rows, now) {
        setup.view.say(&line);
    }
    let usual_words = usual.map(|number| format!(" [{}]", number.0)).unwrap_or_default();
    for _ in 0..ATTEMPTS {
        setup.view.say(&format!("go back to which? Type its number{usual_words}, or q"));
        let typed = tokio::select! {
            line = typed_line() => line,
            () = setup.stop.wait() => None,
        };
        match understand(typed.as_deref(), rows, usual) {
            Answer::Chosen(number) => return Ok(Some(number)),
            Answer::Nothing => return Err(nothing_chosen()),
            Answer::Nonsense => setup.view.say("that is none of them"),
        }
    }
    Err(nothing_chosen())
}

/// What a person means by what was typed.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    /// This one.
    Chosen(DeploymentNumber),
    /// None of them.
    Nothing,
    /// Nobody can tell: asked again.
    Nonsense,
}

/// No line at all is the end of the input, or Ctrl-C.
fn understand(typed: Option<&str>, rows: &[Row], usual: Option<DeploymentNumber>) -> Answer {
    match (typed.map(str::trim), usual) {
        (None | Some("q" | "Q"), _) => Answer::Nothing,
        (Some(""), Some(number)) => Answer::Chosen(number),
        (Some(text), _) => {
            let number = text.parse::<DeploymentNumber>().ok();
            let row = rows.iter().find(|row| Some(row.number) == number);
            row.map_or(Answer::Nonsense, |row| Answer::Chosen(row.number))
        }
    }
}

/// `15 minutes ago  #41  8b71ff7`, in columns.
fn lines(rows: &[Row], now: chrono::DateTime<chrono::Utc>) -> Vec<String> {
    let rows = &rows[..rows.len().min(SHOWN)];
    let ages: Vec<String> = rows.iter().map(|row| measure::age(row.started_at, now)).collect();
    let widest = ages.iter().map(String::len).max().unwrap_or(0);
    let line = |(row, age): (&Row, &String)| {
        let commit = row.commit.as_ref().map(|commit| commit.short().to_owned());
        let tag = row.tag.as_ref().map(ToString::to_string);
        let name = commit.or(tag).unwrap_or_default();
        let number = row.number.to_string();
        let good = row.judgement.as_ref().filter(|said| said.good);
        let good = good.map(|said| format!("  good: {}", said.reason)).unwrap_or_default();
        format!("  {age:<widest$}  {number:>4}  {name}{good}")
    };
    rows.iter().zip(&ages).map(line).collect()
}

fn nothing_chosen() -> Problem {
    let mut problem = Problem::new(ExitCode::Interrupted, "interrupted", "nothing was chosen");
    problem = problem.leaves("Nothing was changed.");
    problem.hint(trouble::LIST_HINT)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::projection::candidates;
    use crate::projection::examples::{good, morning};

    /// Twelve releases that can be gone back to, newest first; the thirteenth is live.
    fn rows() -> Vec<Row> {
        let one = |number: u64| {
            let (tag, before) = (format!("v{number}"), format!("v{}", number - 1));
            let at = morning() + TimeDelta::hours(i64::try_from(number).unwrap());
            good(number, &tag, &before, at).records
        };
        let records: Vec<_> = (1..=13).flat_map(one).collect();
        candidates(&records).into_iter().map(|candidate| candidate.row).collect()
    }

    #[test]
    fn the_newest_ten_are_shown_with_age_number_and_name_in_columns() {
        let rows = rows();
        assert_eq!(rows.len(), 12);
        let lines = lines(&rows, morning() + TimeDelta::hours(14));
        assert_eq!(lines.len(), SHOWN);
        let place = |line: &String, what: &str| line.find(what).unwrap();
        for (line, row) in lines.iter().zip(&rows) {
            assert!(line.contains(" ago  ") && line.contains(&row.number.to_string()), "{line}");
            let name = row.commit.as_ref().unwrap().short();
            assert_eq!(
                place(line, name),
                place(&lines[0], rows[0].commit.as_ref().unwrap().short())
            );
        }
        assert!(lines[0].contains("#12") && lines[9].contains("#3"), "{lines:#?}");
        assert!(super::lines(&[], morning()).is_empty());
    }

    #[test]
    fn what_is_typed_is_understood_or_asked_for_again() {
        let (rows, usual) = (rows(), Some(DeploymentNumber(12)));
        let chosen = |number| Answer::Chosen(DeploymentNumber(number));
        for (typed, answer) in [
            (Some("7\n"), chosen(7)),
            (Some("  7 \r\n"), chosen(7)),
            (Some("#7"), chosen(7)),
            // Not among those that are shown, and one of them all the same.
            (Some("1\n"), chosen(1)),
            (Some("\n"), chosen(12)),
            (Some("   \n"), chosen(12)),
            (Some("q\n"), Answer::Nothing),
            (Some("Q\n"), Answer::Nothing),
            // The end of the input, or Ctrl-C.
            (None, Answer::Nothing),
            // The live one, and one that never was.
            (Some("13\n"), Answer::Nonsense),
            (Some("99\n"), Answer::Nonsense),
            (Some("0\n"), Answer::Nonsense),
            (Some("-1\n"), Answer::Nonsense),
            (Some("7 8\n"), Answer::Nonsense),
            (Some("seven\n"), Answer::Nonsense),
            (Some("18446744073709551616\n"), Answer::Nonsense),
            (Some("\u{1b}[A\n"), Answer::Nonsense),
            (Some("\u{0}\n"), Answer::Nonsense),
        ] {
            assert_eq!(understand(typed, &rows, usual), answer, "{typed:?}");
        }
    }

    #[test]
    fn without_a_usual_one_an_empty_line_chooses_nothing() {
        assert_eq!(understand(Some("\n"), &rows(), None), Answer::Nonsense);
        assert_eq!(understand(Some("\n"), &[], None), Answer::Nonsense);
    }

    #[test]
    fn choosing_nothing_ends_as_an_interruption_that_changed_nothing() {
        let problem = nothing_chosen();
        assert_eq!(
            (problem.exit, problem.leaves.as_str()),
            (ExitCode::Interrupted, "Nothing was changed.")
        );
        assert!(problem.next[0].contains("surefoot rollback --list"), "{:?}", problem.next);
    }
}
