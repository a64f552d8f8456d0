//! How deploying goes, with a course over time.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::heading;
use super::status::next_lines;
use crate::names::StreamName;
use crate::projection::{Spread, Statistics};
use crate::view::look::{Accent, pad, pad_left, width_of};
use crate::view::{Document, Look, measure, to_json};

/// How deploying goes.
#[derive(Debug, Clone, PartialEq)]
pub struct StatisticsSheet {
    /// The service.
    pub service: StreamName,
    /// An endpoint other than AWS itself.
    pub endpoint: Option<String>,
    /// The figures.
    pub statistics: Statistics,
}

impl Document for StatisticsSheet {
    fn name(&self) -> &'static str {
        "statistics"
    }

    fn endpoint(&self) -> Option<&str> {
        self.endpoint.as_deref()
    }

    fn text(&self, look: Look) -> String {
        let service = &self.service.service;
        let mut shown = heading(look, service.as_str(), &self.service) + "\n\n";
        let found = &self.statistics;
        let since = since(found);
        if found.deployments == 0 {
            shown.push_str(&format!("No deployment since {since}.\n"));
        } else {
            let begun = format!("{} deployments since {since}", found.deployments);
            let begun = begun.replacen(
                "1 deployments",
                "1 deployment",
                usize::from(found.deployments == 1),
            );
            shown.push_str(&format!("{begun}\n\n"));
            shown.push_str(&look.pairs(2, &self.measures()));
            shown.push_str(&self.course(look));
            shown.push_str(&self.steps(look));
        }
        let next = [format!("surefoot history --service-name {service}")];
        shown + &next_lines(look, &next)
    }

    fn json(&self) -> Value {
        let mut value = to_json(&self.statistics);
        value["service"] = json!(self.service);
        value["endpoint"] = json!(self.endpoint);
        value
    }
}

impl StatisticsSheet {
    fn measures(&self) -> Vec<(&'static str, String)> {
        let found = &self.statistics;
        let rate =
            found.change_failure_rate.map_or("no change reached the service".into(), |rate| {
                format!(
                    "{:.0} %   {} of {}",
                    rate * 100.0,
                    found.failed_changes,
                    crate::text::counted(found.changes, "change")
                )
            });
        let unrestored = match found.unrestored {
            0 => String::new(),
            count => format!(", {count} not restored yet"),
        };
        vec![
            (
                "deployment frequency",
                format!("{:.1} a week   {} went live", found.live_per_week, found.live),
            ),
            ("change failure rate", rate),
            (
                "time to restore",
                format!("{}{unrestored}", spread(&found.time_to_restore, "no failure")),
            ),
            ("lead time, commit to live", spread(&found.lead_time, undated(found))),
            ("deployment, begun to live", spread(&found.duration, "none went live")),
        ]
    }

    /// Two sparklines: what went live, and what did not.
    fn course(&self, look: Look) -> String {
        let course = &self.statistics.course;
        if course.len() < 2 {
            return String::new();
        }
        let most = course.iter().map(|bucket| bucket.live.max(bucket.failed)).max().unwrap_or(0);
        let line = |label: &str, accent: Accent, count: &dyn Fn(usize) -> usize| {
            let bars: String = (0..course.len()).map(|at| bar(count(at), most)).collect();
            format!("  {}  {}\n", pad(label, 6), look.paint(accent, bars.trim_end()))
        };
        let days = (course[1].from - course[0].from).num_days();
        let each = if days == 1 { "a day".to_owned() } else { format!("{days} days") };
        format!(
            "\n{}{}  {}\n",
            line("live", Accent::Good, &|at| course[at].live),
            line("failed", Accent::Bad, &|at| course[at].failed),
            look.paint(Accent::Dim, &format!("        each column is {each}, the highest {most}"))
        )
    }

    fn steps(&self, look: Look) -> String {
        let rows: Vec<[String; 4]> = self
            .statistics
            .steps
            .iter()
            .map(|time| {
                let words = |time: Option<_>| time.map(measure::duration).unwrap_or_default();
                let Spread { count, median, p95 } = time.spread;
                [time.step.words().into(), words(median), words(p95), count.to_string()]
            })
            .collect();
        let titles = ["step", "median", "p95", "times"].map(String::from);
        let all = || std::iter::once(&titles).chain(&rows);
        let widths = [0, 1, 2, 3].map(|at| all().map(|row| width_of(&row[at])).max().unwrap_or(0));
        let line = |row: &[String; 4]| {
            let figures: Vec<String> =
                (1..4).map(|at| pad_left(&row[at], widths[at].max(9))).collect();
            format!("  {}{}\n", pad(&row[0], widths[0]), figures.concat())
        };
        let head = look.paint(Accent::Dim, line(&titles).trim_end());
        format!("\n{head}\n{}", rows.iter().map(line).collect::<String>())
    }
}

/// Within a day the day alone says little.
fn since(found: &Statistics) -> String {
    let within_a_day = found.to - found.from < TimeDelta::days(1);
    let form = if within_a_day { "%Y-%m-%d %H:%M UTC" } else { "%Y-%m-%d" };
    found.from.format(form).to_string()
}

/// Why there is no lead time.
fn undated(found: &Statistics) -> &'static str {
    match found.undated {
        0 => "no clean commit went live for the first time",
        _ => "no commit's time is known",
    }
}

fn spread(times: &Spread, otherwise: &str) -> String {
    match (times.median, times.p95) {
        (Some(median), Some(_)) if times.count == 1 => measure::duration(median),
        (Some(median), Some(p95)) => format!(
            "{} median, {} p95   of {}",
            measure::duration(median),
            measure::duration(p95),
            times.count
        ),
        _ => otherwise.into(),
    }
}

/// One column, an eighth to eight eighths high; something is never shown as nothing.
fn bar(count: usize, most: usize) -> char {
    const BARS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    BARS[(count * 8).div_ceil(most.max(1)).min(8)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_within_a_day_names_its_hour_and_a_missing_lead_time_its_reason() {
        let records = crate::projection::examples::several();
        let now = crate::projection::examples::morning();
        let told = |from: chrono::DateTime<chrono::Utc>| {
            let statistics = crate::projection::statistics(&records, Some(from), now);
            let service = "123456789012/eu-central-1/shop".parse().unwrap();
            StatisticsSheet { service, endpoint: None, statistics }.text(Look::PLAIN)
        };
        let within = told(now - TimeDelta::hours(1));
        assert!(within.contains(" UTC\n"), "{within}");
        let longer = told(now - TimeDelta::days(9));
        assert!(!longer.contains(" UTC\n"), "{longer}");
        let later = told(now - TimeDelta::minutes(1));
        assert!(!later.contains("no commit's time is known"), "{later}");
    }

    #[test]
    fn something_is_never_shown_as_nothing_and_the_most_is_full() {
        assert_eq!(bar(0, 0), ' ');
        assert_eq!(bar(0, 9), ' ');
        assert_eq!(bar(1, 1_000), '▁');
        assert_eq!(bar(9, 9), '█');
    }
}
