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
        match (typed.as_deref().map(str::trim), usual) {
            (None | Some("q" | "Q"), _) => return Err(nothing_chosen()),
            (Some(""), Some(_)) => return Ok(usual),
            (Some(text), _) => {
                let number = text.parse::<DeploymentNumber>().ok();
                if let Some(row) = rows.iter().find(|row| Some(row.number) == number) {
                    return Ok(Some(row.number));
                }
            }
        }
    }
    Err(nothing_chosen())
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
