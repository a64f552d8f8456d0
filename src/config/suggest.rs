//! The nearest known word to one that is not known.

/// The word most like this one, where one is like it at all.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = normal(word);
    // A third of the letters may be wrong: `prot` is `port`, but `colour` is not `context`.
    let tolerated = (plain.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|candidate| (strsim::osa_distance(&plain, &normal(candidate)), candidate))
        .filter(|(distance, _)| *distance <= tolerated)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Case and the kind of dash are habits, not mistakes. A long word is cut: nothing that long is
/// like a key, and the comparison is quadratic.
fn normal(word: &str) -> String {
    word.chars().take(64).map(|c| if c == '-' { '_' } else { c.to_ascii_lowercase() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_find_their_word_and_strangers_find_none() {
        let known = ["port", "path", "service_name", "deploy_timeout"];
        for (word, found) in [
            ("prot", Some("port")),
            ("Service-Name", Some("service_name")),
            ("deploy_timout", Some("deploy_timeout")),
            ("colour", None),
            ("", None),
            (&"x".repeat(100_000), None),
        ] {
            assert_eq!(nearest(word, known), found, "{word:.20}");
        }
    }
}
