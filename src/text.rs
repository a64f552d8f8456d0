//! Texts: foreign ones made harmless, counts in words, JSON in its one form.

/// So many of something, in words: `1 image`, `2 images`.
pub fn counted(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// A text safe to show in a terminal: control and direction-changing characters replaced, cut at
/// `limit` characters.
pub fn printable(text: &str, limit: usize) -> String {
    let mut shown: String =
        text.chars().take(limit).map(|c| if is_hostile(c) { '\u{fffd}' } else { c }).collect();
    if text.chars().nth(limit).is_some() {
        shown.push('…');
    }
    shown
}

/// Control characters, and the Unicode marks that reorder or hide what surrounds them.
pub fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{061c}')
}

/// JSON with keys sorted at every depth and no white space.
pub fn canonical_json(value: &serde_json::Value) -> String {
    // `serde_json::Map` is a `BTreeMap` here (the feature `preserve_order` is off; a test holds it).
    value.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_json_sorts_keys_at_every_depth() {
        let value: serde_json::Value =
            serde_json::from_str(r#"{"b":{"z":1,"a":2},"a":1}"#).unwrap();
        assert_eq!(canonical_json(&value), r#"{"a":1,"b":{"a":2,"z":1}}"#);
    }

    #[test]
    fn hostile_text_is_shown_harmless() {
        assert_eq!(printable("a\u{1b}[31mb\u{202e}c\n", 80), "a\u{fffd}[31mb\u{fffd}c\u{fffd}");
        assert_eq!(printable("abcdef", 3), "abc…");
    }
}
