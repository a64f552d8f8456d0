//! What an ignore file leaves out.
//!
//! Reading and matching follow moby's `ignorefile` and `patternmatcher` (the walk of BuildKit): the
//! last pattern that matches decides, a pattern that matched a directory matches all below it, and
//! an exception finds its files below an excluded directory.

use super::pattern::{Pattern, PatternError};
use crate::text::printable;

/// The directory of surefoot's own journal: never part of a context.
pub(super) const HISTORY: &str = ".deploy-history";
/// How the file `FORMAT` of a journal's directory begins, whatever the directory is called.
pub(super) const JOURNAL_MARK: &str = "surefoot journal\n";

/// Each path of a context is held against each pattern: more would take minutes.
const MOST_PATTERNS: usize = 10_000;

/// The patterns of an ignore file.
#[derive(Debug, Clone, Default)]
pub(super) struct Ignore {
    patterns: Vec<Pattern>,
}

/// Which patterns matched a directory: the entries below it inherit them.
#[derive(Debug, Clone, Default)]
pub(super) struct Inherited(Vec<bool>);

impl Ignore {
    /// Reads the text of an ignore file. Files named in `always` are kept in any case, as Docker
    /// keeps the Dockerfile and the ignore file.
    pub(super) fn parse(text: &str, always: &[&str]) -> Result<Self, PatternError> {
        let mut ignore = Self::default();
        for line in lines(text) {
            if ignore.patterns.len() == MOST_PATTERNS {
                let reason = format!("it is one more than {MOST_PATTERNS}, the most that are read");
                return Err(PatternError { pattern: printable(&line, 80), reason });
            }
            ignore.patterns.extend(Pattern::parse(&line)?);
        }
        for path in always {
            if ignore.excludes_with_parents(path) {
                ignore.patterns.push(exactly(path));
            }
        }
        Ok(ignore)
    }

    /// Whether `path` is left out, given what its directory inherited; and what it passes on.
    pub(super) fn excludes(&self, path: &str, parent: &Inherited) -> (bool, Inherited) {
        let mut excluded = false;
        let mut inherited = vec![false; self.patterns.len()];
        for (at, pattern) in self.patterns.iter().enumerate() {
            let from_parent = parent.0.get(at).copied().unwrap_or(false);
            // A pattern that could not change the answer is not asked; and, as in Docker, what was
            // not asked is not inherited either.
            let asked = pattern.is_exception == excluded;
            inherited[at] = from_parent || (asked && pattern.matches(path));
            if inherited[at] {
                excluded = !pattern.is_exception;
            }
        }
        (excluded, Inherited(inherited))
    }

    /// Whether an exception may bring back something below an excluded directory.
    pub(super) fn may_except_below(&self, directory: &str) -> bool {
        let below = format!("{directory}/");
        self.patterns.iter().filter(|pattern| pattern.is_exception).any(|pattern| {
            let text = pattern.text.trim_end_matches('*').trim_end_matches('/');
            text.is_empty() || has_wildcard(text) || format!("{text}/").starts_with(&below)
        })
    }

    fn excludes_with_parents(&self, path: &str) -> bool {
        let mut inherited = Inherited::default();
        let mut excluded = false;
        for end in path.match_indices('/').map(|(at, _)| at).chain([path.len()]) {
            (excluded, inherited) = self.excludes(&path[..end], &inherited);
        }
        excluded
    }
}

fn has_wildcard(text: &str) -> bool {
    text.contains(['*', '?', '[', '\\'])
}

/// An exception for this one path, whatever signs are in it.
fn exactly(path: &str) -> Pattern {
    let escaped: String = path
        .chars()
        .flat_map(|c| ("*?[]\\".contains(c)).then_some('\\').into_iter().chain([c]))
        .collect();
    Pattern::parse(&format!("!{escaped}"))
        .ok()
        .flatten()
        .expect("an escaped path is always a pattern")
}

/// The patterns of an ignore file, one a line, in the form the matcher takes.
fn lines(text: &str) -> impl Iterator<Item = String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
        let line = line.trim();
        let (sign, pattern) = match line.strip_prefix('!') {
            Some(rest) => ("!", rest.trim()),
            None => ("", line),
        };
        (!line.is_empty()).then(|| format!("{sign}{}", rooted(pattern)))
    })
}

/// A leading slash means the context's root, which is meant anyway.
fn rooted(pattern: &str) -> String {
    if pattern.is_empty() {
        return String::new();
    }
    let cleaned = super::pattern::clean(pattern);
    match cleaned.strip_prefix('/') {
        Some(rest) if !rest.is_empty() => rest.to_owned(),
        _ => cleaned,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excluded(text: &str, path: &str) -> bool {
        Ignore::parse(text, &[]).unwrap().excludes_with_parents(path)
    }

    /// Ignore file, path, whether it is left out.
    const CASES: &[(&str, &str, bool)] = &[
        ("", "a", false),
        ("*", "a", true),
        ("*.go", "fileutils.go", true),
        ("!fileutils.go\n*.go", "fileutils.go", true),
        ("*.go\n!fileutils.go", "fileutils.go", false),
        ("docs\n!docs/README.md", "docs/README.md", false),
        ("docs/\n!docs/README.md", "docs/README.md", false),
        ("docs/*\n!docs/README.md", "docs/README.md", false),
        ("docs\n!docs/README.md", "docs/other", true),
        ("**\n!util/docker/web", "util/docker/web/foo", false),
        ("**\n!util/docker/web\nutil/docker/web/foo", "util/docker/web/foo", true),
        ("**\n!dist/*.whl", "dist/x.whl", false),
        ("**/dir", "dir/file", true),
        ("**/dir", "a/dir/b/c", true),
        ("a*", "ab/c", true),
        ("**/dir2/*", "dir/dir2/sub/file", true),
        ("dir/**", "dir", false),
        ("dir/**", "dir/x", true),
        ("*/secret.txt", "a/secret.txt", true),
        ("*/secret.txt", "secret.txt", false),
        ("*/secret.txt", "a/b/secret.txt", false),
        ("secret.txt", "a/secret.txt", false),
        ("**/secret.txt", "secret.txt", true),
        // The file's own syntax.
        ("#a", "#a", false),
        (" #a", "#a", true),
        ("\\#a", "#a", true),
        ("  a  ", "a", true),
        ("a\r\nb\r\n", "b", true),
        ("\u{feff}a", "a", true),
        ("/a", "a", true),
        ("/a/", "a/b", true),
        ("./a", "a", true),
        ("a/../b", "b", true),
        ("*\n! a", "a", false),
        ("*\n!/a", "a", false),
        ("*\n!a/", "a/b", false),
        ("*\n!a\na/secret", "a/secret", true),
        ("\n\n  \na", "a", true),
        (".", "a", false),
        ("/", "a", false),
        ("..", "a", false),
        ("!a\na", "a", true),
        ("a\n!a\na", "a", true),
        ("\\!a", "!a", true),
        // Not asked, not inherited: the third pattern is silent for `x`, so it is for `x/y`.
        ("x\n!x/y\nx*", "x/y", false),
        ("x\n!x/y\nx/y", "x/y", true),
    ];

    #[test]
    fn ignore_files_exclude_as_docker_does() {
        for (text, path, expected) in CASES {
            assert_eq!(excluded(text, path), *expected, "{text:?} on {path}");
        }
    }

    #[test]
    fn files_that_are_always_sent_survive_any_pattern() {
        for text in ["*", "**", "Docker*", "*\n!a\n**", "**/*", "build"] {
            let always = ["build/Docker[f]ile*", "Dockerfile", ".dockerignore"];
            let ignore = Ignore::parse(text, &always).unwrap();
            for path in always {
                assert!(!ignore.excludes_with_parents(path), "{text:?} on {path}");
            }
            assert_eq!(excluded(text, "build/other"), excluded(text, "build/other"));
        }
        let ignore = Ignore::parse("*", &["build/Dockerfile"]).unwrap();
        assert!(ignore.excludes_with_parents("build/other"));
        assert!(ignore.may_except_below("build"));
        assert!(!ignore.may_except_below("other"));
    }

    #[test]
    fn exceptions_with_wildcards_are_looked_for_everywhere() {
        let below = |text, directory| Ignore::parse(text, &[]).unwrap().may_except_below(directory);
        assert!(below("*\n!**/keep", "any"));
        assert!(below("*\n!any/b/c", "any"));
        assert!(below("*\n!any/**", "any"));
        assert!(!below("*\n!other/**", "any"));
        assert!(!below("*", "any"));
    }

    #[test]
    fn more_patterns_than_can_be_asked_are_refused() {
        let many: Vec<String> = (0..MOST_PATTERNS).map(|number| format!("a{number}")).collect();
        assert!(Ignore::parse(&many.join("\n"), &[]).is_ok());
        let error = Ignore::parse(&format!("{}\nlast", many.join("\n")), &[]).unwrap_err();
        assert!(error.pattern == "last" && error.reason.contains("10000"), "{error}");
    }

    #[test]
    fn a_wrong_line_is_named() {
        let error = Ignore::parse("ok\n[", &[]).unwrap_err();
        assert_eq!(error.pattern, "[");
        assert!(Ignore::parse("!", &[]).is_err());
    }
}
