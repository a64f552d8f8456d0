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

/// Control characters, and the Unicode marks that reorder what surrounds them, hide it, or are not
/// seen themselves.
pub fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{3164}' | '\u{feff}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// The same JSON with what is hostile to a terminal as escapes. In JSON such characters stand in
/// texts alone, but for the line breaks between its parts.
pub fn harmless_json(json: String) -> String {
    let is_raw = |c: char| is_hostile(c) && c != '\n';
    if !json.contains(is_raw) {
        return json;
    }
    let mut shown = String::with_capacity(json.len());
    for c in json.chars() {
        if is_raw(c) {
            let mut units = [0; 2];
            shown.extend(c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        } else {
            shown.push(c);
        }
    }
    shown
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
    fn json_with_escapes_is_the_same_json() {
        let hostile: String = ('\0'..='\u{e01ff}').filter(|c| is_hostile(*c)).collect();
        let value = serde_json::json!({ &hostile: [&hostile, "plain ä", "\u{1f600}"] });
        for json in [value.to_string(), format!("{value:#}")] {
            let shown = harmless_json(json);
            assert!(!shown.contains(|c| is_hostile(c) && c != '\n'), "{shown:?}");
            assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
        }
        assert!(harmless_json(value.to_string()).contains("plain ä"));
    }

    #[test]
    fn what_is_not_seen_is_hostile_and_what_is_read_is_not() {
        let unseen =
            "\u{ad}\u{34f}\u{180e}\u{3164}\u{fff9}\u{fffb}\u{e0001}\u{e007f}\u{9b}\u{202e}";
        for c in unseen.chars() {
            assert!(is_hostile(c), "{c:?}");
        }
        assert!(!"aé日 ｱ…→✓€🎉".contains(is_hostile));
    }

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
