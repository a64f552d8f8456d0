//! Unpacks an image of the sandbox's registry into a folder.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use flate2::read::GzDecoder;
use serde_json::Value;

use crate::sandbox::Timestamp;
use crate::sandbox::registry::Registry;
use crate::sandbox::registry::manifest::Manifest;
use crate::sandbox::runtime::StartFailure;

/// Largest image configuration that is read.
const LARGEST_CONFIGURATION: u64 = 8 * 1024 * 1024;

/// What an image says about how it wants to run.
#[derive(Debug, Clone, Default)]
pub(super) struct Unpacked {
    pub(super) entrypoint: Vec<String>,
    pub(super) command: Vec<String>,
    pub(super) environment: BTreeMap<String, String>,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) work_directory: String,
}

/// Puts the image's files below `root`.
pub(super) fn unpack(
    registry: &Registry,
    repository: &str,
    digest: &str,
    root: &Path,
    now: Timestamp,
) -> Result<Unpacked, StartFailure> {
    let stored = registry
        .manifest(repository, digest, Some(now))
        .map_err(|error| StartFailure::ImageNotFound(error.message))?;
    let manifest =
        Manifest::read(&stored.text, Some(&stored.media_type)).map_err(StartFailure::PullFailed)?;
    let failed = |error: io::Error| StartFailure::PullFailed(error.to_string());
    fs::create_dir_all(root).map_err(failed)?;
    for layer in &manifest.layers {
        let blob = registry.blobs().open(&layer.digest);
        let blob =
            blob.ok_or_else(|| StartFailure::PullFailed(format!("no blob {}", layer.digest)))?;
        lay(blob.into_reader(), root).map_err(failed)?;
    }
    let config = manifest
        .config
        .and_then(|config| registry.blobs().read(&config.digest, LARGEST_CONFIGURATION));
    let config: Value = serde_json::from_slice(&config.unwrap_or_default()).unwrap_or_default();
    Ok(describe(&config["config"]))
}

fn describe(config: &Value) -> Unpacked {
    let list = |name: &str| -> Vec<String> {
        let items = config[name].as_array().into_iter().flatten();
        items.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let pair = |text: &String| text.split_once('=').map(|(a, b)| (a.to_owned(), b.to_owned()));
    let labels = config["Labels"].as_object().into_iter().flatten();
    Unpacked {
        entrypoint: list("Entrypoint"),
        command: list("Cmd"),
        environment: list("Env").iter().filter_map(pair).collect(),
        labels: labels.filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned()))).collect(),
        work_directory: config["WorkingDir"]
            .as_str()
            .unwrap_or_default()
            .trim_start_matches('/')
            .to_owned(),
    }
}

/// Lays one layer over what is there.
fn lay(packed: Box<dyn Read + Send>, root: &Path) -> io::Result<()> {
    let mut head = io::BufReader::new(packed);
    let gzip = io::BufRead::fill_buf(&mut head)?.starts_with(&[0x1f, 0x8b]);
    let plain: Box<dyn Read> = if gzip { Box::new(GzDecoder::new(head)) } else { Box::new(head) };
    let mut archive = tar::Archive::new(plain);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        let kind = entry.header().entry_type();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        if let Some(gone) = name.as_deref().and_then(|name| name.strip_prefix(".wh.")) {
            whiteout(root, &path, gone)?;
        } else if kind.is_file() || kind.is_dir() || kind.is_symlink() || kind.is_hard_link() {
            if !kind.is_dir() {
                remove(root, &path)?;
            }
            // The tar crate refuses what would land outside of the root, through links as well.
            entry.unpack_in(root)?;
        }
    }
    Ok(())
}

fn whiteout(root: &Path, path: &Path, gone: &str) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new(""));
    if gone != ".wh..opq" {
        return remove(root, &folder.join(gone));
    }
    let Some(folder) = inside(root, folder) else { return Ok(()) };
    for entry in fs::read_dir(folder)? {
        remove_at(&entry?.path())?;
    }
    Ok(())
}

fn remove(root: &Path, path: &Path) -> io::Result<()> {
    match inside(root, path) {
        Some(target) => remove_at(&target),
        None => Ok(()),
    }
}

fn remove_at(target: &Path) -> io::Result<()> {
    match fs::symlink_metadata(target) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(found) if found.is_dir() => fs::remove_dir_all(target),
        Ok(_) => fs::remove_file(target),
    }
}

/// A path below the root whose folders are real folders: a link could lead to the host.
fn inside(root: &Path, path: &Path) -> Option<PathBuf> {
    let mut target = root.to_owned();
    let parts: Vec<Component<'_>> = path.components().collect();
    for (index, part) in parts.iter().enumerate() {
        match part {
            Component::Normal(name) => target.push(name),
            Component::CurDir | Component::RootDir => continue,
            Component::ParentDir | Component::Prefix(_) => return None,
        }
        let is_folder_above = index + 1 < parts.len();
        if is_folder_above && fs::symlink_metadata(&target).is_ok_and(|found| found.is_symlink()) {
            return None;
        }
    }
    (target != root).then_some(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(entries: &[(&str, tar::EntryType, &str)]) -> Box<dyn Read + Send> {
        let mut tar = tar::Builder::new(Vec::new());
        for (path, kind, content) in entries {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(*kind);
            header.set_mode(0o755);
            if kind.is_symlink() {
                header.set_size(0);
                tar.append_link(&mut header, path, content).unwrap();
            } else {
                header.set_size(content.len() as u64);
                tar.append_data(&mut header, path, content.as_bytes()).unwrap();
            }
        }
        Box::new(io::Cursor::new(tar.into_inner().unwrap()))
    }

    #[test]
    fn layers_replace_and_remove_and_never_reach_the_host() {
        use tar::EntryType::{Directory, Regular, Symlink};
        let host = tempfile::tempdir().unwrap();
        fs::write(host.path().join("kept"), "host").unwrap();
        let root = host.path().join("root");
        fs::create_dir(&root).unwrap();
        let first = [
            ("a/", Directory, ""),
            ("a/x", Regular, "1"),
            ("a/y", Regular, "1"),
            ("b", Regular, "1"),
            ("out", Symlink, ".."),
        ];
        lay(layer(&first), &root).unwrap();
        let second = [
            ("a/x", Regular, "2"),
            ("a/.wh.y", Regular, ""),
            (".wh.b", Regular, ""),
            ("out/.wh.kept", Regular, ""),
        ];
        lay(layer(&second), &root).unwrap();
        assert_eq!(fs::read_to_string(root.join("a/x")).unwrap(), "2");
        assert!(!root.join("a/y").exists() && !root.join("b").exists());
        assert!(lay(layer(&[("out/written", Regular, "bad")]), &root).is_err());
        assert_eq!(fs::read_to_string(host.path().join("kept")).unwrap(), "host");
        assert!(!host.path().join("written").exists());
        lay(layer(&[("a/.wh..wh..opq", Regular, "")]), &root).unwrap();
        assert_eq!(fs::read_dir(root.join("a")).unwrap().count(), 0);
    }
}
