//! Reads a Dockerfile as Docker's classic builder does.

use std::collections::BTreeMap;

/// One instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Instruction {
    /// Upper case, such as `COPY`.
    pub(super) name: String,
    /// `--from=…` and the like, without dashes.
    pub(super) flags: BTreeMap<String, String>,
    /// Everything behind name and flags.
    pub(super) rest: String,
    /// Where it begins, from 1.
    pub(super) line: usize,
}

/// A text that Docker refuses with HTTP 400.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct ParseError(pub(super) String);

const KNOWN: [&str; 18] = [
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
];

/// Splits a Dockerfile into its instructions.
pub(super) fn parse(text: &str) -> Result<Vec<Instruction>, ParseError> {
    let escape = escape_letter(text);
    let mut instructions = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (index, line) in text.lines().enumerate() {
        let trimmed = line.trim();
        // Comments and empty lines may stand between the lines of one instruction.
        if trimmed.starts_with('#') || trimmed.is_empty() {
            continue;
        }
        let (start, mut joined) = open.take().unwrap_or((index + 1, String::new()));
        if let Some(more) = line.trim_end().strip_suffix(escape) {
            joined.push_str(more);
            open = Some((start, joined));
            continue;
        }
        joined.push_str(line.trim_end());
        instructions.push(read(joined.trim(), start)?);
    }
    if let Some((start, joined)) = open {
        instructions.push(read(joined.trim(), start)?);
    }
    if instructions.is_empty() {
        return Err(ParseError("the Dockerfile (Dockerfile) cannot be empty".into()));
    }
    Ok(instructions)
}

/// The parser directive `# escape=` in the first lines.
fn escape_letter(text: &str) -> char {
    let directives = text.lines().map_while(|line| line.trim().strip_prefix('#'));
    let mut pairs = directives.map_while(|line| line.split_once('='));
    let escape = pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case("escape"));
    escape.and_then(|(_, value)| value.trim().chars().next()).unwrap_or('\\')
}

fn read(text: &str, line: usize) -> Result<Instruction, ParseError> {
    let (name, mut rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let name = name.to_ascii_uppercase();
    if !KNOWN.contains(&name.as_str()) {
        return Err(ParseError(format!(
            "dockerfile parse error line {line}: unknown instruction: {name}"
        )));
    }
    let mut flags = BTreeMap::new();
    rest = rest.trim_start();
    while let Some(flagged) = rest.strip_prefix("--") {
        let (flag, more) = flagged.split_once(char::is_whitespace).unwrap_or((flagged, ""));
        let (key, value) = flag.split_once('=').unwrap_or((flag, ""));
        flags.insert(key.to_owned(), value.to_owned());
        rest = more.trim_start();
    }
    if rest.is_empty() && !matches!(name.as_str(), "CMD" | "ENTRYPOINT") {
        return Err(ParseError(format!(
            "dockerfile parse error line {line}: {name} requires at least one argument"
        )));
    }
    Ok(Instruction { name, flags, rest: rest.to_owned(), line })
}

/// The JSON form `["a", "b"]`, where the text is one.
pub(super) fn json_form(text: &str) -> Option<Vec<String>> {
    text.starts_with('[').then(|| serde_json::from_str(text).ok()).flatten()
}

/// Splits into words, takes quotes away and puts variables in.
pub(super) fn words(text: &str, variables: &BTreeMap<String, String>) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match (letter, quote) {
            (letter, Some(open)) if letter == open => quote = None,
            ('\'' | '"', None) => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            ('$', None | Some('"')) => {
                let value = variable(&mut letters, variables);
                word.get_or_insert_default().push_str(&value);
            }
            ('\\', None) => word.get_or_insert_default().extend(letters.next()),
            ('\\', Some('"')) if matches!(letters.peek(), Some('"' | '\\' | '$')) => {
                word.get_or_insert_default().extend(letters.next());
            }
            (letter, None) if letter.is_whitespace() => words.extend(word.take()),
            (letter, _) => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}

type Letters<'a> = std::iter::Peekable<std::str::Chars<'a>>;

fn variable(letters: &mut Letters<'_>, variables: &BTreeMap<String, String>) -> String {
    if letters.next_if_eq(&'{').is_none() {
        let mut name = String::new();
        while let Some(letter) =
            letters.next_if(|letter| letter.is_ascii_alphanumeric() || *letter == '_')
        {
            name.push(letter);
        }
        if name.is_empty() {
            return "$".to_owned();
        }
        return variables.get(&name).cloned().unwrap_or_default();
    }
    let inside: String = letters.by_ref().take_while(|letter| *letter != '}').collect();
    let value = |name: &str| variables.get(name).filter(|value| !value.is_empty()).cloned();
    if let Some((name, default)) = inside.split_once(":-") {
        return value(name).unwrap_or_else(|| default.to_owned());
    }
    if let Some((name, other)) = inside.split_once(":+") {
        return value(name).map(|_| other.to_owned()).unwrap_or_default();
    }
    value(&inside).unwrap_or_default()
}

/// `a=b c="d e"`, or the old form `a rest of line`.
pub(super) fn pairs(text: &str, variables: &BTreeMap<String, String>) -> Vec<(String, String)> {
    let words = words(text, variables);
    if words.first().is_some_and(|first| first.contains('=')) {
        let pair = |word: &String| {
            let (name, value) = word.split_once('=').unwrap_or((word, ""));
            (name.to_owned(), value.to_owned())
        };
        return words.iter().map(pair).collect();
    }
    match words.split_first() {
        Some((name, rest)) => vec![(name.clone(), rest.join(" "))],
        None => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_are_read_over_continued_lines_and_comments() {
        let text = "# syntax=x\n\nfrom scratch as a\nCOPY --from=b --chown=1 x \\\n  # why\n  y\n";
        let read = parse(text).unwrap();
        assert_eq!(
            (read[0].name.as_str(), read[0].rest.as_str(), read[0].line),
            ("FROM", "scratch as a", 3)
        );
        assert_eq!(read[1].rest.split_whitespace().collect::<Vec<_>>(), ["x", "y"]);
        assert_eq!(read[1].flags["from"], "b");
        assert_eq!(read[1].flags["chown"], "1");
        let windows = parse("# escape=`\nFROM a\nENV x=\\ `\n y=2").unwrap();
        assert!(windows[1].rest.contains("x=\\"));
    }

    #[test]
    fn nonsense_is_refused_in_dockers_words() {
        for (text, message) in [
            ("FROM scratch\nFOO bar", "dockerfile parse error line 2: unknown instruction: FOO"),
            ("# only\n", "the Dockerfile (Dockerfile) cannot be empty"),
            (
                "FROM scratch\nCOPY",
                "dockerfile parse error line 2: COPY requires at least one argument",
            ),
        ] {
            assert_eq!(parse(text).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn variables_and_quotes_are_resolved() {
        let variables = BTreeMap::from([("a".to_owned(), "1".to_owned())]);
        for (text, expected) in [
            ("$a ${a}x $b.", vec!["1", "1x", "."]),
            ("${b:-two} ${a:+three} ${b:+no}x", vec!["two", "three", "x"]),
            (r#"'$a' "$a b" \$a"#, vec!["$a", "1 b", "$a"]),
            ("$", vec!["$"]),
        ] {
            assert_eq!(words(text, &variables), expected, "{text}");
        }
        assert_eq!(pairs("k v w", &variables), [("k".into(), "v w".into())]);
        assert_eq!(pairs("k=v w=\"x y\"", &variables).len(), 2);
        assert_eq!(json_form(r#"["a","b c"]"#).unwrap(), ["a", "b c"]);
        assert_eq!(json_form("[a"), None);
    }
}
