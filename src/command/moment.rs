//! A moment in the past, as it is typed: so long ago, or a date.

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};

use super::trouble;
use crate::config::units::parse_age;
use crate::problem::Problem;

/// The moment meant by `30d`, `1h30m`, `2026-11-01` or `2026-11-01T12:00:00Z`.
pub(super) fn since(text: &str, now: DateTime<Utc>) -> Result<DateTime<Utc>, Problem> {
    let text = text.trim();
    let found = ago(text).and_then(|back| now.checked_sub_signed(back)).or_else(|| date(text));
    let why = match found {
        Some(moment) if moment <= now => return Ok(moment),
        Some(_) => "has not come yet",
        None => "is no moment",
    };
    let what = format!("`{}` {why}", crate::text::printable(text, 40));
    Err(trouble::usage(what, "write it like 90s, 15m, 1h30m, 30d, 2w, or 2026-11-01"))
}

/// A bare number is no age: it would more likely be a deployment's.
fn ago(text: &str) -> Option<TimeDelta> {
    if text.parse::<u64>().is_ok() {
        return None;
    }
    TimeDelta::from_std(parse_age(text).ok()?).ok()
}

fn date(text: &str) -> Option<DateTime<Utc>> {
    let day = text.parse::<NaiveDate>().ok().map(|day| day.and_time(NaiveTime::MIN).and_utc());
    day.or_else(|| DateTime::parse_from_rfc3339(text).ok().map(|moment| moment.to_utc()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        "2026-11-23T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn so_long_ago_or_a_date() {
        let cases = [
            ("90s", "2026-11-23T11:58:30Z"),
            ("15m", "2026-11-23T11:45:00Z"),
            ("1h30m", "2026-11-23T10:30:00Z"),
            ("30d", "2026-10-24T12:00:00Z"),
            ("2w", "2026-11-09T12:00:00Z"),
            ("2026-11-01", "2026-11-01T00:00:00Z"),
            ("2026-11-01T10:00:00+02:00", "2026-11-01T08:00:00Z"),
        ];
        for (text, moment) in cases {
            let expected: DateTime<Utc> = moment.parse().unwrap();
            assert_eq!(since(text, now()).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn anything_else_is_told_how_to_write_it() {
        for text in [
            "",
            "yesterday",
            "30",
            "d",
            "-1d",
            "3x",
            "99999999999999999999d",
            "9223372036854775807w",
            "2026-13-01",
            "2026-11-24",
            "30m1h",
        ] {
            let problem = since(text, now()).unwrap_err();
            assert!(problem.next[0].contains("30d"), "{text}");
        }
        for tomorrow in ["2026-11-24", "2026-11-23T12:00:01Z"] {
            let problem = since(tomorrow, now()).unwrap_err();
            assert_eq!(problem.what, format!("`{tomorrow}` has not come yet"));
        }
    }
}
