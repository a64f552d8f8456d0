//! COPY and ADD: which files go where.

use std::collections::BTreeMap;
use std::fs::File;

use super::build::{BuildError, Stage};
use super::dockerfile::{Instruction, json_form, words};
use super::tree::{Content, Node, Tree, clean, join};

fn refuse(message: String) -> BuildError {
    BuildError::Step(message)
}

/// The files of one COPY or ADD by their path in the image, new parent folders included.
pub(super) fn gather(
    one: &Instruction,
    source: &Tree,
    stage: &Stage,
) -> Result<BTreeMap<String, Node>, BuildError> {
    check_flags(one)?;
    let mut names = json_form(&one.rest).unwrap_or_else(|| words(&one.rest, &stage.variables));
    let Some(target) = names.pop().filter(|_| !names.is_empty()) else {
        return Err(refuse(format!("{} requires at least two arguments", one.name)));
    };
    let mut sources = Vec::new();
    for name in &names {
        if one.name == "ADD" && name.contains("://") {
            return Err(refuse(format!(
                "the embedded engine does not download: line {} adds {name}; install Docker",
                one.line
            )));
        }
        sources.extend(matching(name, source, &one.name)?);
    }
    let into = stage.absolute(&target);
    let as_folder = target.ends_with('/')
        || target == "."
        || sources.len() > 1
        || stage.tree.is_directory(&into);
    if sources.len() > 1 && !(target.ends_with('/') || stage.tree.is_directory(&into)) {
        return Err(refuse(format!(
            "When using {} with more than one source file, the destination must be a directory and end with a /",
            one.name
        )));
    }
    let mut files = BTreeMap::new();
    for path in sources {
        place(one, source, &path, &into, as_folder, &mut files)?;
    }
    let owner = one.flags.get("chown").map(|text| owner(text, &stage.tree)).transpose()?;
    for node in files.values_mut() {
        node.owner = owner.unwrap_or((0, 0));
    }
    for path in files.keys().cloned().collect::<Vec<_>>() {
        parents(&path, &stage.tree, &mut files);
    }
    Ok(files)
}

fn check_flags(one: &Instruction) -> Result<(), BuildError> {
    match one.flags.keys().find(|flag| !matches!(flag.as_str(), "from" | "chown")) {
        None => Ok(()),
        Some(flag) => Err(refuse(format!(
            "the --{flag} option requires BuildKit, which the embedded engine is not; install Docker"
        ))),
    }
}

/// Puts one source, a file or the content of a folder, into the result.
fn place(
    one: &Instruction,
    source: &Tree,
    path: &str,
    into: &str,
    as_folder: bool,
    files: &mut BTreeMap<String, Node>,
) -> Result<(), BuildError> {
    if source.is_directory(path) {
        for (below, node) in source.below(path) {
            files.insert(join(into, below), node.clone());
        }
        if !into.is_empty() && !files.contains_key(into) {
            files.insert(into.to_owned(), Node::directory());
        }
        return Ok(());
    }
    let Some(node) = source.0.get(path) else { return Ok(()) };
    if one.name == "ADD"
        && let Some(unpacked) = unpacked(node)?
    {
        for (below, node) in unpacked.0 {
            files.insert(join(into, &below), node);
        }
        return Ok(());
    }
    let name = path.rsplit('/').next().unwrap_or(path);
    let target = if as_folder { join(into, name) } else { into.to_owned() };
    files.insert(target, node.clone());
    Ok(())
}

/// ADD unpacks local archives: plain tars and those compressed by gzip.
fn unpacked(node: &Node) -> Result<Option<Tree>, BuildError> {
    if !matches!(node.content, Content::File { .. }) {
        return Ok(None);
    }
    let mut file: File = tempfile::tempfile()?;
    std::io::copy(&mut node.reader(), &mut file)?;
    let mut plain = super::tree::plain(&mut file)?;
    let mut head = [0; 262];
    let read = std::os::unix::fs::FileExt::read_at(&plain, &mut head, 0)?;
    // POSIX: a tar header has `ustar` at offset 257.
    if read < head.len() || &head[257..262] != b"ustar" {
        return Ok(None);
    }
    std::io::Seek::rewind(&mut plain)?;
    Tree::index(plain).map(Some).map_err(BuildError::Disk)
}

/// The paths a source names; a pattern may name several, a plain name must exist.
fn matching(name: &str, source: &Tree, instruction: &str) -> Result<Vec<String>, BuildError> {
    let wanted = clean(name);
    if wanted.is_empty() || source.0.contains_key(&wanted) {
        return Ok(vec![wanted]);
    }
    let found: Vec<String> =
        source.0.keys().filter(|path| fits_path(&wanted, path)).cloned().collect();
    if found.is_empty() {
        let what = if wanted.contains(['*', '?', '[']) {
            format!("{instruction} failed: no source files were specified")
        } else {
            format!(
                "{instruction} failed: file not found in build context or excluded by .dockerignore: stat {wanted}: file does not exist"
            )
        };
        return Err(refuse(what));
    }
    Ok(found)
}

fn fits_path(pattern: &str, path: &str) -> bool {
    let (pattern, path): (Vec<&str>, Vec<&str>) =
        (pattern.split('/').collect(), path.split('/').collect());
    pattern.len() == path.len()
        && pattern
            .iter()
            .zip(&path)
            .all(|(pattern, part)| fits(pattern.as_bytes(), part.as_bytes()))
}

/// Go's `filepath.Match` for one part of a path: `*`, `?`, `[a-z]`, `[^a]`.
fn fits(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern, text) {
        ([], []) => true,
        ([b'*', rest @ ..], _) => (0..=text.len()).any(|start| fits(rest, &text[start..])),
        ([b'?', rest @ ..], [_, text @ ..]) => fits(rest, text),
        ([b'[', rest @ ..], [letter, text @ ..]) => {
            let Some(end) = rest.iter().position(|byte| *byte == b']') else { return false };
            in_class(&rest[..end], *letter) && fits(&rest[end + 1..], text)
        }
        ([b'\\', wanted, rest @ ..] | [wanted, rest @ ..], [letter, text @ ..]) => {
            wanted == letter && fits(rest, text)
        }
        _ => false,
    }
}

fn in_class(class: &[u8], letter: u8) -> bool {
    let (negated, mut class) = match class {
        [b'^', rest @ ..] => (true, rest),
        all => (false, all),
    };
    let mut found = false;
    while let Some((first, rest)) = class.split_first() {
        if let [b'-', last, after @ ..] = rest {
            found |= (*first..=*last).contains(&letter);
            class = after;
        } else {
            found |= *first == letter;
            class = rest;
        }
    }
    found != negated
}

/// Adds the folders above a path that neither the image nor the result has.
pub(super) fn parents(path: &str, tree: &Tree, files: &mut BTreeMap<String, Node>) {
    let mut path = path;
    while let Some((folder, _)) = path.rsplit_once('/') {
        if !tree.0.contains_key(folder) && !files.contains_key(folder) {
            files.insert(folder.to_owned(), Node::directory());
        }
        path = folder;
    }
}

/// `user[:group]`: numbers, or names of the image's own `/etc/passwd` and `/etc/group`.
fn owner(text: &str, tree: &Tree) -> Result<(u64, u64), BuildError> {
    let (user, group) = text.split_once(':').unwrap_or((text, text));
    Ok((number(user, tree, "etc/passwd")?, number(group, tree, "etc/group")?))
}

fn number(name: &str, tree: &Tree, file: &str) -> Result<u64, BuildError> {
    if let Ok(number) = name.parse() {
        return Ok(number);
    }
    let mut text = String::new();
    if let Some(node) = tree.0.get(file) {
        std::io::Read::read_to_string(&mut node.reader(), &mut text)?;
    }
    let found = text.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then(|| fields.nth(1)?.parse().ok()).flatten()
    });
    found.ok_or_else(|| {
        refuse(format!("unable to convert uid/gid chown string to host mapping: can't find uid for user {name}: no such user: {name}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_gos_do() {
        for (pattern, path, expected) in [
            ("*.txt", "a.txt", true),
            ("*.txt", "a/b.txt", false),
            ("a?/[a-c]*", "ab/cat", true),
            ("[^a]", "a", false),
            ("[^a]", "b", true),
            ("\\*", "*", true),
            ("\\*", "x", false),
            ("[a", "a", false),
        ] {
            assert_eq!(fits_path(pattern, path), expected, "{pattern} {path}");
        }
    }
}
