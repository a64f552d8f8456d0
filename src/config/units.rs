//! Durations, sizes and instance sizes as people write them.

use std::time::Duration;

/// No duration of a deployment is longer: a slip of the unit must not wait for a month.
pub const LONGEST: Duration = Duration::from_hours(7 * 24);

/// CPU units App Runner offers. Source: service model, `Cpu`.
pub const CPU_UNITS: [u32; 5] = [256, 512, 1024, 2048, 4096];

/// Megabytes of memory App Runner offers. Source: service model, `Memory`.
pub const MEMORY_MEGABYTES: [u32; 9] = [512, 1024, 2048, 3072, 4096, 6144, 8192, 10240, 12288];

/// Parses `90s`, `45m`, `1h30m`, `250ms`, or plain seconds.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("it is empty".into());
    }
    let total = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => parse_parts(text)?,
    };
    if total > LONGEST {
        return Err(format!("at most {}", format_duration(LONGEST)));
    }
    Ok(total)
}

/// Parses how old something is, such as `2h`, `30d` or `2w`: like a duration, and as long as one likes.
pub fn parse_age(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("it is empty".into());
    }
    text.parse::<u64>()
        .map_or_else(|_| parse_parts(text), |seconds| Ok(Duration::from_secs(seconds)))
}

fn parse_parts(text: &str) -> Result<Duration, String> {
    let mut rest = text;
    let mut total = Duration::ZERO;
    let mut coarsest_left = u64::MAX;
    while !rest.is_empty() {
        let (number, unit, after) = split_part(rest).ok_or_else(unit_advice)?;
        // Each unit once, the coarse before the fine: `30m1h` is more likely a slip than a wish.
        if unit >= coarsest_left {
            return Err("each unit once, the longest first, such as `1h30m`".into());
        }
        let milliseconds = number.checked_mul(unit).ok_or("the number is too large")?;
        total = total
            .checked_add(Duration::from_millis(milliseconds))
            .ok_or("the number is too large")?;
        (rest, coarsest_left) = (after, unit);
    }
    Ok(total)
}

fn unit_advice() -> String {
    "a whole number and a unit: `ms`, `s`, `m`, `h`, `d` or `w`, such as `90s` or `1h30m`".into()
}

/// The first number, its unit in milliseconds, and what follows.
fn split_part(text: &str) -> Option<(u64, u64, &str)> {
    let letters = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, rest) = text.split_at(letters);
    let end = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
    let (unit, after) = rest.split_at(end);
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" | "min" => 60 * 1000,
        "h" => 60 * 60 * 1000,
        "d" => 24 * 60 * 60 * 1000,
        "w" => 7 * 24 * 60 * 60 * 1000,
        _ => return None,
    };
    Some((number.parse().ok()?, milliseconds, after.trim_start()))
}

/// Writes a duration so that [`parse_duration`] reads it back, to the millisecond.
pub fn format_duration(duration: Duration) -> String {
    let mut left = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let mut text = String::new();
    for (name, unit) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)]
    {
        if left >= unit {
            text = format!("{text}{}{name}", left / unit);
            left %= unit;
        }
    }
    if text.is_empty() { "0s".into() } else { text }
}

/// Writes a number of bytes for a person: `3.1 MB`, in powers of 1000 as Docker and ECR show them.
pub fn format_bytes(bytes: u64) -> String {
    const STEP: u64 = 1000;
    let (mut unit, mut name) = (1, "B");
    for next in ["kB", "MB", "GB", "TB", "PB", "EB"] {
        if bytes / unit >= STEP {
            (unit, name) = (unit * STEP, next);
        }
    }
    if unit == 1 {
        return format!("{bytes} {name}");
    }
    // Tenths by whole-number arithmetic, rounded down: a file is never shown larger than it is.
    format!("{}.{} {name}", bytes / unit, bytes % unit / (unit / 10))
}

/// Reads `1 vCPU`, `0.25 vCPU` or `1024` and gives units, as App Runner reports them.
pub fn parse_cpu(text: &str) -> Result<String, String> {
    parse_size(text, "vcpu", &CPU_UNITS).ok_or_else(|| {
        format!("one of {} (or `0.25`, `0.5`, `1`, `2`, `4 vCPU`)", list(&CPU_UNITS))
    })
}

/// Reads `2 GB`, `0.5 GB` or `2048` and gives megabytes, as App Runner reports them.
pub fn parse_memory(text: &str) -> Result<String, String> {
    parse_size(text, "gb", &MEMORY_MEGABYTES).ok_or_else(|| {
        format!(
            "one of {} (or `0.5`, `1`, `2`, `3`, `4`, `6`, `8`, `10`, `12 GB`)",
            list(&MEMORY_MEGABYTES)
        )
    })
}

fn list(valid: &[u32]) -> String {
    valid.iter().map(|number| format!("`{number}`")).collect::<Vec<_>>().join(", ")
}

fn parse_size(text: &str, unit: &str, valid: &[u32]) -> Option<String> {
    let text = text.trim().to_ascii_lowercase();
    let size = match text.strip_suffix(unit) {
        Some(number) => thousandths(number.trim())? * 1024 / 1000,
        None => text.parse().ok()?,
    };
    let size = u32::try_from(size).ok()?;
    valid.contains(&size).then(|| size.to_string())
}

/// `0.25` is 250, `4` is 4000: exact, without floating point.
fn thousandths(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) || whole.len() > 4 {
        return None;
    }
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > 3 {
        return None;
    }
    Some(whole.parse::<u64>().ok()? * 1000 + format!("{fraction:0<3}").parse::<u64>().ok()?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, milliseconds) in [
            ("90s", 90_000),
            ("45m", 2_700_000),
            ("1h30m", 5_400_000),
            ("1h 30m", 5_400_000),
            ("90", 90_000),
            ("250ms", 250),
            ("1m0s5ms", 60_005),
            ("7d", 604_800_000),
            ("1w", 604_800_000),
            (" 3s ", 3000),
            ("0", 0),
            ("10min", 600_000),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in [
            "",
            " ",
            "m",
            "5 minutes",
            "-5s",
            "1.5h",
            "30m1h",
            "1m1m",
            "8d",
            "5x",
            "5s5",
            "١s",
            "99999999999999999999s",
            "18446744073709551615h",
            "18446744073709551615",
            "1h-",
            "s5",
        ] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn instance_sizes_become_the_units_app_runner_reports() {
        for (text, units) in [
            ("1 vCPU", "1024"),
            ("0.25 vCPU", "256"),
            ("0.50vcpu", "512"),
            ("4 VCPU", "4096"),
            ("1024", "1024"),
        ] {
            assert_eq!(parse_cpu(text).as_deref(), Ok(units), "{text}");
        }
        for (text, megabytes) in
            [("2 GB", "2048"), ("0.5 GB", "512"), ("12gb", "12288"), ("3072", "3072")]
        {
            assert_eq!(parse_memory(text).as_deref(), Ok(megabytes), "{text}");
        }
    }

    #[test]
    fn sizes_app_runner_does_not_offer_are_refused_with_those_it_does() {
        for text in ["", "1", "3 vCPU", "1024 vCPU", "0.3 vCPU", "-1 vCPU", "1,5 vCPU", ". vCPU"] {
            let reason = parse_cpu(text).unwrap_err();
            assert!(reason.contains("`256`, `512`, `1024`, `2048`, `4096`"), "{text}: {reason}");
        }
        for text in ["5 GB", "2GiB", "1000", "99999999 GB", "0.0005 GB"] {
            assert!(parse_memory(text).unwrap_err().contains("`12288`"), "{text}");
        }
    }

    #[test]
    fn bytes_are_shown_in_one_short_form() {
        for (bytes, shown) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (3_149_999, "3.1 MB"),
            (999_999, "999.9 kB"),
            (u64::MAX, "18.4 EB"),
        ] {
            assert_eq!(format_bytes(bytes), shown);
        }
    }

    proptest! {
        #[test]
        fn a_duration_survives_being_written_and_read(milliseconds in 0_u64..=604_800_000) {
            let duration = Duration::from_millis(milliseconds);
            prop_assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
        }

        #[test]
        fn no_text_makes_a_parser_panic(text in "\\PC{0,40}") {
            let _seen = (parse_duration(&text), parse_cpu(&text), parse_memory(&text));
        }
    }
}
