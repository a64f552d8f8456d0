//! The place of a value in a JSON document: names and positions, separated by dots.

use serde_json::Value;

/// The parts of a path. `\.` is a dot that belongs to a name.
pub fn segments(path: &str) -> Vec<String> {
    let (mut parts, mut current) = (Vec::new(), String::new());
    let mut characters = path.chars();
    while let Some(c) = characters.next() {
        match c {
            '\\' => current.extend(characters.next()),
            '.' => parts.push(std::mem::take(&mut current)),
            other => current.push(other),
        }
    }
    parts.push(current);
    parts
}

/// The value at a path, if there is one.
pub fn find<'a>(document: &'a Value, path: &str) -> Option<&'a Value> {
    segments(path).iter().try_fold(document, |value, part| match value {
        Value::Object(members) => members.get(part),
        Value::Array(items) => items.get(part.parse::<usize>().ok()?),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_through_objects_and_arrays() {
        let document = serde_json::json!({"a": {"b.c": [{"d": 1}]}, "": 2, "e": null});
        assert_eq!(find(&document, r"a.b\.c.0.d"), Some(&serde_json::json!(1)));
        assert_eq!(find(&document, "e"), Some(&Value::Null));
        for missing in ["a.b", "a.b.c", r"a.b\.c.1", r"a.b\.c.x", "e.f", "a.b.", "x"] {
            assert_eq!(find(&document, missing), None, "{missing}");
        }
    }
}
