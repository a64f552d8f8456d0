//! Durations, ages, sizes and moments in words.

use std::time::Duration;

use chrono::{DateTime, Utc};

/// `84 ms`, `18 s`, `2 m 51 s`, `1 h 5 m`, `3 d 2 h`: rounded to the smaller unit that is shown.
pub fn duration(duration: Duration) -> String {
    let whole = |unit: u128| {
        let unit = unit * 1_000;
        (duration.as_millis() + unit / 2) / unit
    };
    let (seconds, minutes, hours) = (whole(1), whole(60), whole(3_600));
    if duration.as_secs() == 0 {
        format!("{} ms", duration.as_millis())
    } else if seconds < 60 {
        format!("{seconds} s")
    } else if seconds < 3_600 {
        format!("{} m {} s", seconds / 60, seconds % 60)
    } else if minutes < 1_440 {
        format!("{} h {} m", minutes / 60, minutes % 60)
    } else {
        format!("{} d {} h", hours / 24, hours % 24)
    }
}

/// `just now`, `15 minutes ago`, `yesterday`'s cousin `1 day ago`; a moment to come is `just now`.
pub fn age(moment: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let seconds = (now - moment).num_seconds();
    let (count, unit) = match seconds {
        ..10 => return "just now".into(),
        10..60 => (seconds, "second"),
        60..3_600 => (seconds / 60, "minute"),
        3_600..86_400 => (seconds / 3_600, "hour"),
        86_400..2_592_000 => (seconds / 86_400, "day"),
        2_592_000..31_536_000 => (seconds / 2_592_000, "month"),
        _ => (seconds / 31_536_000, "year"),
    };
    format!("{count} {unit}{} ago", if count == 1 { "" } else { "s" })
}

/// `29 s`, `15 m`, `3 h`, `2 d`, `5 mo`, `2 y`: an age for a narrow column.
pub fn short_age(moment: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let words = age(moment, now);
    let mut parts = words.split(' ');
    let (Some(count), Some(unit)) = (parts.next(), parts.next()) else { return words };
    match unit {
        "now" => "now".into(),
        month if month.starts_with("month") => format!("{count} mo"),
        other => format!("{count} {}", &other[..1]),
    }
}

/// `512 B`, `3.1 MB`: thousands, as registries count.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if bytes < 1_000 {
        return format!("{bytes} B");
    }
    // Tenths are enough, and whole numbers do not lie by rounding up to the next unit.
    let mut tenths = u128::from(bytes) / 100;
    let mut unit = 0;
    while tenths >= 10_000 && unit + 1 < UNITS.len() {
        tenths /= 1_000;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

/// `2026-11-23 12:04:05 UTC`.
pub fn moment(moment: DateTime<Utc>) -> String {
    moment.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// `12:04:05Z`: enough for a line of a run.
pub fn clock(moment: DateTime<Utc>) -> String {
    moment.format("%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_one_would_say_them() {
        let cases = [
            (84, "84 ms"),
            (999, "999 ms"),
            (1_000, "1 s"),
            (4_798, "5 s"),
            (4_499, "4 s"),
            (59_999, "1 m 0 s"),
            (3_599_600, "1 h 0 m"),
            (3_959_000, "1 h 6 m"),
            (86_399_000, "1 d 0 h"),
            (171_000, "2 m 51 s"),
            (3_600_000, "1 h 0 m"),
            (86_400_000, "1 d 0 h"),
        ];
        for (milliseconds, words) in cases {
            assert_eq!(duration(Duration::from_millis(milliseconds)), words);
        }
    }

    #[test]
    fn ages_count_in_the_largest_whole_unit_and_never_in_the_future() {
        let now: DateTime<Utc> = "2026-11-23T12:00:00Z".parse().unwrap();
        let ago = |seconds: i64| age(now - chrono::TimeDelta::seconds(seconds), now);
        assert_eq!(ago(-100), "just now");
        assert_eq!(ago(9), "just now");
        assert_eq!(ago(59), "59 seconds ago");
        assert_eq!(ago(60), "1 minute ago");
        assert_eq!(ago(900), "15 minutes ago");
        assert_eq!(ago(86_399), "23 hours ago");
        assert_eq!(ago(86_400), "1 day ago");
        assert_eq!(ago(31_536_000 * 2), "2 years ago");
    }

    #[test]
    fn a_narrow_column_has_its_own_words_for_an_age() {
        let now: DateTime<Utc> = "2026-11-23T12:00:00Z".parse().unwrap();
        let ago = |seconds: i64| short_age(now - chrono::TimeDelta::seconds(seconds), now);
        let shown = [0, 59, 900, 7_200, 172_800, 7_776_000, 63_072_000].map(ago);
        assert_eq!(shown, ["now", "59 s", "15 m", "2 h", "2 d", "3 mo", "2 y"]);
    }

    #[test]
    fn sizes_keep_one_decimal() {
        assert_eq!(size(999), "999 B");
        assert_eq!(size(1_000), "1.0 kB");
        assert_eq!(size(999_999), "999.9 kB");
        assert_eq!(size(3_149_000), "3.1 MB");
        assert_eq!(size(u64::MAX), "18446.7 PB");
    }
}
