//! The build context: which files go to the engine, in which form, and their hash.

mod archive;
mod ignore;
mod pattern;
mod refusal;
pub(super) mod stream;
#[cfg(test)]
mod tests;
mod tree;

use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::io::{self, Read as _, Write};
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use archive::Archive;
use ignore::Ignore;
use refusal::{cause, refused, shown, unreadable};
use tree::Walk;

use super::{BuildContext, BuildRequest};
use crate::world::WorldError;

/// The ignore file where the Dockerfile has none of its own.
const IGNORE_FILE: &str = ".dockerignore";
/// The largest ignore file that is read, in bytes: 1 MiB.
const LARGEST_IGNORE_FILE: u64 = 1024 * 1024;
/// What is built for; part of the hash.
pub(super) const PLATFORM: &str = "linux/amd64";
/// Changes whenever the same tree hashes to something else than before.
const HASH_VERSION: u32 = 1;

/// A context directory, checked and ready to be sent.
#[derive(Debug)]
pub(super) struct Context {
    root: PathBuf,
    /// The Dockerfile, relative to the root, cleaned.
    pub(super) dockerfile: String,
    ignore: Ignore,
    inputs: Vec<u8>,
}

/// What was sent.
#[derive(Debug)]
pub(super) struct Sent {
    /// Hash and size.
    pub(super) context: BuildContext,
    /// Sockets that were left out.
    pub(super) sockets: Vec<PathBuf>,
}

impl Context {
    /// Checks the directory and the Dockerfile, and reads the ignore file.
    pub(super) fn open(request: &BuildRequest) -> Result<Self, WorldError> {
        let root = root(&request.context)?;
        let dockerfile = dockerfile(&root, request)?;
        let ignore = ignore(&root, &dockerfile)?;
        let inputs = inputs(request, &dockerfile);
        Ok(Self { root, dockerfile, ignore, inputs })
    }

    /// What the Dockerfile says, as far as it can be read.
    pub(super) fn dockerfile_text(&self) -> String {
        let text = std::fs::read(self.root.join(&self.dockerfile)).unwrap_or_default();
        String::from_utf8_lossy(&text).into_owned()
    }

    /// Reads everything and sends nothing.
    pub(super) fn survey(&self) -> Result<BuildContext, WorldError> {
        match self.write(io::sink()) {
            Ok(sent) => Ok(sent.context),
            Err(error) => Err(unfit(error)),
        }
    }

    /// Writes the archive. A tree that is not fit is a [`WorldError`] inside the [`io::Error`].
    fn write(&self, sink: impl Write) -> io::Result<Sent> {
        let mut archive = Archive::new(sink, &self.inputs);
        Walk::through(&self.root, &self.ignore, &mut |entry| archive.add(entry))?;
        let (files, bytes) = (archive.files, archive.bytes);
        let sockets = std::mem::take(&mut archive.sockets);
        let hash = archive.finish()?;
        Ok(Sent { context: BuildContext { hash, files, bytes }, sockets })
    }
}

/// The refusal inside an [`io::Error`] of the walk.
fn unfit(error: io::Error) -> WorldError {
    error.downcast::<WorldError>().unwrap_or_else(|error| {
        refused("unreadable", format!("the context cannot be read: {}", cause(&error)))
    })
}

fn root(given: &Path) -> Result<PathBuf, WorldError> {
    let wrong = |reason: &str| {
        refused("no-context", format!("the build context {} {reason}", shown(given)))
    };
    let root = given.canonicalize().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => wrong("does not exist"),
        _ => wrong(&format!("cannot be opened: {}", cause(&error))),
    })?;
    if !root.is_dir() {
        return Err(wrong("is not a directory"));
    }
    let mut entries = root.read_dir().map_err(|error| unreadable(given, &error))?;
    if entries.next().is_none() {
        return Err(refused(
            "empty-context",
            format!("the build context {} is empty: there is no Dockerfile in it", shown(given)),
        ));
    }
    Ok(root)
}

/// The Dockerfile's path inside the context, once it is known to be there.
fn dockerfile(root: &Path, request: &BuildRequest) -> Result<String, WorldError> {
    let given = &request.dockerfile;
    let looked_for = root.join(given);
    let outside = |found: &Path| {
        let link = if looked_for.is_symlink() {
            format!(" is a link to {}, which", shown(found))
        } else {
            String::new()
        };
        let message = format!(
            "the Dockerfile {}{link} is outside the build context {}; the engine sees only the \
             context",
            shown(&looked_for),
            shown(root)
        );
        refused("dockerfile-outside-context", message)
    };
    let found = looked_for.canonicalize().map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => unreadable(&looked_for, &error),
        _ => no_dockerfile(root, &looked_for),
    })?;
    let inside = match Path::new(given).strip_prefix(root) {
        Ok(inside) => inside.to_string_lossy().into_owned(),
        Err(_) => given.clone(),
    };
    let inside = pattern::clean(&inside);
    if !found.starts_with(root) || inside.starts_with(['/']) || inside.starts_with("..") {
        return Err(outside(&found));
    }
    let there = found.metadata().map_err(|error| unreadable(&looked_for, &error))?;
    if !there.is_file() {
        let message = format!("{} is {}, and should be a file", shown(&looked_for), kind(&there));
        return Err(refused("no-dockerfile", message));
    }
    Ok(inside)
}

/// What stands where a file should, in words.
fn kind(there: &Metadata) -> &'static str {
    let kind = there.file_type();
    match kind {
        _ if kind.is_dir() => "a directory",
        _ if kind.is_fifo() => "a named pipe",
        _ if kind.is_socket() => "a socket",
        _ => "a device",
    }
}

/// Names what was looked for, and what is there under a similar name.
fn no_dockerfile(root: &Path, looked_for: &Path) -> WorldError {
    let mut similar: Vec<String> = root
        .read_dir()
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| {
            let name = name.to_lowercase();
            name.contains("dockerfile") || name == "containerfile"
        })
        .collect();
    similar.sort();
    let mut message = format!("no Dockerfile: looked for {}", shown(looked_for));
    if !similar.is_empty() {
        message.push_str("; found instead: ");
        message.push_str(&shown(Path::new(&similar.join(", "))));
    }
    refused("no-dockerfile", message)
}

/// `<Dockerfile>.dockerignore` where it exists, else `.dockerignore`. Dockerfile and ignore file
/// are sent in any case, as Docker does.
fn ignore(root: &Path, dockerfile: &str) -> Result<Ignore, WorldError> {
    for name in [format!("{dockerfile}.dockerignore"), IGNORE_FILE.to_owned()] {
        let wrong = |why: &str| refused("bad-ignore-file", format!("{name}: {why}"));
        let Some(text) = read_ignore_file(&root.join(&name), &wrong)? else { continue };
        return Ignore::parse(&text, &[dockerfile, &name])
            .map_err(|error| wrong(&error.to_string()));
    }
    Ok(Ignore::default())
}

/// What an ignore file says; none where there is none. Never waits, and never reads without end.
fn read_ignore_file(
    path: &Path,
    wrong: &dyn Fn(&str) -> WorldError,
) -> Result<Option<String>, WorldError> {
    let there = match path.metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        there => there.map_err(|error| unreadable(path, &error))?,
    };
    if !there.is_file() {
        return Err(wrong(&format!("it is {}, and should be a file", kind(&there))));
    }
    let mut text = Vec::new();
    let file = File::open(path).map_err(|error| unreadable(path, &error))?;
    let read = file.take(LARGEST_IGNORE_FILE + 1).read_to_end(&mut text);
    let size = read.map_err(|error| unreadable(path, &error))?;
    if size as u64 > LARGEST_IGNORE_FILE {
        return Err(wrong(&format!("it is larger than {} MiB", LARGEST_IGNORE_FILE / 1024 / 1024)));
    }
    Ok(Some(String::from_utf8_lossy(&text).into_owned()))
}

/// Everything but the files that decides what is built.
fn inputs(request: &BuildRequest, dockerfile: &str) -> Vec<u8> {
    let arguments: BTreeMap<&str, &str> =
        request.arguments.iter().map(|(name, value)| (name.as_str(), value)).collect();
    let inputs = serde_json::json!({
        "version": HASH_VERSION,
        "dockerfile": dockerfile,
        "arguments": arguments,
        "target": request.target,
        "platform": PLATFORM,
    });
    crate::text::canonical_json(&inputs).into_bytes()
}
