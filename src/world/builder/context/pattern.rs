//! One pattern of an ignore file, with the semantics of moby's `patternmatcher`.
//!
//! The matcher of Docker translates a pattern into a regular expression and has three short cuts
//! beside it. All are kept, oddities included (`**file` also matches `profile`; `abc/**` does not
//! match `abc` itself): whoever writes an ignore file has tried it with Docker.

use std::fmt;

use regex::Regex;

/// A pattern, ready to be asked.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    /// The pattern after cleaning, without its `!`.
    pub(super) text: String,
    /// Whether it takes back what earlier patterns excluded.
    pub(super) is_exception: bool,
    rule: Rule,
}

#[derive(Debug, Clone)]
enum Rule {
    Exact(String),
    Prefix(String),
    Suffix(String),
    Expression(Regex),
}

/// Why a line of an ignore file is not a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PatternError {
    /// The line as it was given.
    pub(super) pattern: String,
    /// What is wrong with it.
    pub(super) reason: String,
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not a pattern: {}", self.pattern, self.reason)
    }
}

impl Pattern {
    /// Parses one pattern; `None` for an empty one.
    pub(super) fn parse(given: &str) -> Result<Option<Self>, PatternError> {
        let trimmed = given.trim();
        if trimmed.is_empty() {
            return Ok(None);
        }
        let wrong = |reason: &str| PatternError { pattern: given.into(), reason: reason.into() };
        let cleaned = clean(trimmed);
        let (text, is_exception) = match cleaned.strip_prefix('!') {
            Some("") => return Err(wrong("`!` excepts nothing")),
            Some(rest) => (rest.to_owned(), true),
            None => (cleaned, false),
        };
        well_formed(&text).map_err(wrong)?;
        let rule = compile(&text).map_err(|reason| wrong(&reason))?;
        Ok(Some(Self { text, is_exception, rule }))
    }

    /// Whether it matches this path itself; parents are the matcher's business.
    pub(super) fn matches(&self, path: &str) -> bool {
        match &self.rule {
            Rule::Exact(text) => path == text,
            Rule::Prefix(prefix) => path.starts_with(prefix.as_str()),
            Rule::Suffix(suffix) => {
                path.ends_with(suffix.as_str()) || suffix.strip_prefix('/') == Some(path)
            }
            Rule::Expression(expression) => expression.is_match(path),
        }
    }
}

/// Go's `filepath.Clean` for slashes: no empty and no `.` parts, `..` resolved as far as it goes.
pub(super) fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            ".." if rooted => {}
            part => parts.push(part),
        }
    }
    match (rooted, parts.is_empty()) {
        (true, _) => format!("/{}", parts.join("/")),
        (false, true) => ".".into(),
        (false, false) => parts.join("/"),
    }
}

/// The syntax check of Go's `filepath.Match`, which Docker applies before its own translation.
fn well_formed(pattern: &str) -> Result<(), &'static str> {
    let mut rest = pattern.chars();
    while let Some(c) = rest.next() {
        match c {
            '\\' if rest.next().is_none() => return Err("it ends in a lone backslash"),
            '[' => class(&mut rest)?,
            _ => {}
        }
    }
    Ok(())
}

/// Reads a character class up to and with its `]`.
fn class(rest: &mut std::str::Chars<'_>) -> Result<(), &'static str> {
    const UNFINISHED: &str = "a `[` without a proper `]`";
    if rest.as_str().starts_with('^') {
        rest.next();
    }
    let mut ranges = 0;
    loop {
        if rest.as_str().starts_with(']') && ranges > 0 {
            rest.next();
            return Ok(());
        }
        class_member(rest).ok_or(UNFINISHED)?;
        if rest.as_str().starts_with('-') {
            rest.next();
            class_member(rest).ok_or(UNFINISHED)?;
        }
        ranges += 1;
    }
}

fn class_member(rest: &mut std::str::Chars<'_>) -> Option<()> {
    match rest.next()? {
        '-' | ']' => return None,
        '\\' => drop(rest.next()?),
        _ => {}
    }
    (!rest.as_str().is_empty()).then_some(())
}

/// Translates as moby does: most patterns are texts, only the rest needs an expression.
fn compile(pattern: &str) -> Result<Rule, String> {
    let translation = Translation::of(pattern)?;
    Ok(match translation.shape {
        Shape::Exact => Rule::Exact(pattern.into()),
        Shape::Prefix => Rule::Prefix(pattern[..pattern.len() - 2].into()),
        Shape::Suffix => Rule::Suffix(pattern[2..].into()),
        Shape::Expression => {
            let expression = format!("^{}$", rust_syntax(&translation.expression));
            Rule::Expression(Regex::new(&expression).map_err(|_| "no such pattern".to_owned())?)
        }
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Exact,
    Prefix,
    Suffix,
    Expression,
}

/// A pattern as moby translates it, in Go's syntax of regular expressions.
struct Translation {
    expression: String,
    shape: Shape,
}

impl Translation {
    fn of(pattern: &str) -> Result<Self, String> {
        let mut made = Self { expression: String::new(), shape: Shape::Exact };
        let mut rest = pattern.chars();
        let mut first = true;
        while let Some(c) = rest.next() {
            match c {
                '*' if rest.as_str().starts_with('*') => made.double_star(&mut rest, first),
                '*' => made.expression("[^/]*"),
                '?' => made.expression("[^/]"),
                '\\' => made.escape(rest.next())?,
                '[' | ']' => made.expression(c.encode_utf8(&mut [0; 4])),
                '.' | '+' | '(' | ')' | '|' | '{' | '}' | '$' => made.expression.extend(['\\', c]),
                _ => made.expression.push(c),
            }
            first = false;
        }
        Ok(made)
    }

    fn expression(&mut self, text: &str) {
        self.expression.push_str(text);
        self.shape = Shape::Expression;
    }

    fn double_star(&mut self, rest: &mut std::str::Chars<'_>, first: bool) {
        rest.next();
        if rest.as_str().starts_with('/') {
            rest.next();
        }
        if !rest.as_str().is_empty() {
            self.expression("(.*/)?");
        } else if self.shape == Shape::Exact {
            self.shape = Shape::Prefix;
        } else {
            self.expression(".*");
        }
        if first {
            self.shape = Shape::Suffix;
        }
    }

    /// An escaped letter or digit means something else to a regular expression than to the person
    /// who wrote it: refused, since leaving a file in by mistake may publish a secret.
    fn escape(&mut self, escaped: Option<char>) -> Result<(), String> {
        match escaped {
            Some(c) if c.is_alphanumeric() => {
                Err(format!("`\\{c}`: only signs are escaped, not letters and digits"))
            }
            Some(c) => {
                self.expression(&format!("\\{c}"));
                Ok(())
            }
            None => Err("it ends in a lone backslash".into()),
        }
    }
}

/// From Go's syntax to Rust's: in a class Rust gives a meaning to `[`, `&&`, `~~`, and `\<` is a
/// border of a word.
fn rust_syntax(go: &str) -> String {
    let mut rust = String::with_capacity(go.len());
    let mut signs = go.chars().peekable();
    let mut in_class = false;
    while let Some(c) = signs.next() {
        match c {
            '\\' => signs.next().into_iter().for_each(|c| rust.push_str(&literal(c))),
            '[' if in_class => rust.push_str("\\["),
            '[' => {
                in_class = true;
                rust.push('[');
                rust.extend(signs.next_if_eq(&'^'));
                if signs.next_if_eq(&']').is_some() {
                    rust.push_str("\\]");
                }
            }
            ']' if in_class => {
                in_class = false;
                rust.push(']');
            }
            '&' | '~' => rust.extend(['\\', c]),
            _ => rust.push(c),
        }
    }
    rust
}

/// A character standing for itself, in and out of classes.
fn literal(c: char) -> String {
    let plain = c.is_alphanumeric() || c == '<' || c == '>' || !c.is_ascii();
    if plain { c.to_string() } else { format!("\\{c}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, path: &str) -> bool {
        Pattern::parse(pattern).unwrap().unwrap().matches(path)
    }

    /// Pattern, path, whether they match by themselves. The cases are those that moby tests.
    const CASES: &[(&str, &str, bool)] = &[
        ("**", "file", true),
        ("**/", "file", true),
        ("**", "dir/file", true),
        ("**/", "dir/file", true),
        ("**/**", "dir/file", true),
        ("dir/**", "dir/file", true),
        ("dir/**", "dir/dir2/file", true),
        ("dir/**", "dir", false),
        ("**/dir", "dir", true),
        ("**/dir", "dir/file", false),
        ("**/dir2/*", "dir/dir2/file", true),
        ("**/dir2/**", "dir/dir2/dir3/file", true),
        ("**file", "file", true),
        ("**file", "dir/file", true),
        ("**file", "dir/profile", true),
        ("**/file", "dir/file", true),
        ("**/file", "dir/profile", false),
        ("**/file", "dir/dir/file", true),
        ("**/file*", "dir/dir/file.txt", true),
        ("**/file*txt", "dir/dir/file.txt", true),
        ("**/file*.txt*", "dir/dir/file.txt", true),
        ("**/**/*.txt", "dir/dir/file.txt", true),
        ("**/**/*.txt2", "dir/dir/file.txt", false),
        ("**/*.txt", "file.txt", true),
        ("**/**/*.txt", "file.txt", true),
        ("a**/*.txt", "a/file.txt", true),
        ("a**/*.txt", "a/dir/dir/file.txt", true),
        ("a/*.txt", "a/dir/file.txt", false),
        ("a/*.txt", "a/file.txt", true),
        ("a/*.txt**", "a/file.txt", true),
        ("a[b-d]e", "ae", false),
        ("a[b-d]e", "ace", true),
        ("a[b-d]e", "aae", false),
        ("a[^b-d]e", "aze", true),
        (".*", ".foo", true),
        (".*", "foo", false),
        ("abc.def", "abcdef", false),
        ("abc.def", "abc.def", true),
        ("abc.def", "abcZdef", false),
        ("abc?def", "abcZdef", true),
        ("abc?def", "abcdef", false),
        ("a\\\\", "a\\", true),
        ("a\\*b", "a*b", true),
        ("a\\*b", "ab", false),
        ("**/foo/bar", "foo/bar", true),
        ("**/foo/bar", "dir/dir2/foo/bar", true),
        ("abc/**", "abc/def/ghi", true),
        ("**/.foo", ".foo", true),
        ("**/.foo", "bar.foo", false),
        ("a(b)c/def", "a(b)c/def", true),
        ("a(b)c/def", "a(b)c/xyz", false),
        ("a.|)$(}+{bc", "a.|)$(}+{bc", true),
        ("dist/*.whl", "dist/x-2.4.0rc3.dev36+g08acad9-py3-none-any.whl", true),
        ("*", "abc", true),
        ("*c", "abc", true),
        ("a*", "a", true),
        ("a*/b", "abc/b", true),
        ("a*/b", "a/c/b", false),
        ("a*b*c*d*e*/f", "axbxcxdxexxx/f", true),
        ("a*b*c*d*e*/f", "axbxcxdxe/xxx/f", false),
        ("a*b?c*x", "abxbbxdbxebxczzx", true),
        ("a*b?c*x", "abxbbxdbxebxczzy", false),
        ("ab[e-g]", "abc", false),
        ("ab[^c]", "abc", false),
        ("ab[^e-g]", "abc", true),
        ("a?b", "a☺b", true),
        ("a[^a]b", "a☺b", true),
        ("a???b", "a☺b", false),
        ("[a-ζ]*", "α", true),
        ("*[a-ζ]", "A", false),
        ("a?b", "a/b", false),
        ("a*b", "a/b", false),
        ("[\\]a]", "]", true),
        ("[\\-]", "-", true),
        ("[x\\-]", "x", true),
        ("[x\\-]", "z", false),
        ("[\\-x]", "x", true),
        ("[\\-x]", "a", false),
        ("*x", "xxx", true),
        // What Rust's expressions would read differently.
        ("[[]*", "[x", true),
        ("[[a]b", "ab", true),
        ("[&&b]x", "&x", true),
        ("[~~b]x", "~x", true),
        ("\\<a*", "<ab", true),
        ("a b*", "a bc", true),
        ("a#*", "a#b", true),
        ("*é", "caf\u{e9}", true),
        ("a\\?b", "a?b", true),
        ("a\\?b", "axb", false),
        // Cleaning.
        ("./a/../b/", "b", true),
        ("a//b", "a/b", true),
        ("  a  ", "a", true),
        ("a/**/b", "a/b", true),
        ("a/**/b", "a/x/y/b", true),
        ("a/**/b", "ab", false),
    ];

    #[test]
    fn patterns_match_as_in_docker() {
        for (pattern, path, expected) in CASES {
            assert_eq!(matches(pattern, path), *expected, "{pattern} on {path}");
        }
    }

    #[test]
    fn malformed_patterns_are_refused() {
        for bad in [
            "[]a]", "[-]", "[x-]", "[-x]", "\\", "[a-b-c]", "[", "[^", "[^bc", "a[", "!", "! ",
            "a\\d", "x/[", "a\\",
        ] {
            assert!(Pattern::parse(bad).is_err(), "{bad}");
        }
        assert!(Pattern::parse("  ").unwrap().is_none());
    }

    #[test]
    fn paths_are_cleaned_as_go_does() {
        for (given, expected) in [
            ("", "."),
            (".", "."),
            ("/", "/"),
            ("a/b/", "a/b"),
            ("./a", "a"),
            ("a/./b", "a/b"),
            ("a/../b", "b"),
            ("../a", "../a"),
            ("../../a/..", "../.."),
            ("/..", "/"),
            ("/../a", "/a"),
            ("a/..", "."),
            ("!../a", "!../a"),
        ] {
            assert_eq!(clean(given), expected, "{given}");
        }
    }
}
