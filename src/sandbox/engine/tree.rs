//! Files of a context, a stage or an image: an index into tar files, nothing is unpacked.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};

use crate::sandbox::registry::blobs::{BlobStore, Upload};

/// A file, folder or link.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) content: Content,
    pub(super) mode: u32,
    pub(super) owner: (u64, u64),
    pub(super) modified: u64,
}

#[derive(Debug, Clone)]
pub(super) enum Content {
    Directory,
    /// A part of a tar file.
    File {
        source: Arc<File>,
        offset: u64,
        size: u64,
    },
    Link(String),
}

/// Everything by its path: no slash at either end, the root is not listed.
#[derive(Debug, Clone, Default)]
pub(super) struct Tree(pub(super) BTreeMap<String, Node>);

/// A layer in the store.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Layer {
    /// Digest of the compressed tar.
    pub(super) digest: String,
    pub(super) size: u64,
    /// Digest of the plain tar.
    pub(super) diff_id: String,
}

/// Cleans a path as Go's `filepath.Clean` does below a root: `..` cannot leave it.
pub(super) fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            other => parts.push(other),
        }
    }
    parts.join("/")
}

impl Node {
    pub(super) fn directory() -> Self {
        Self { content: Content::Directory, mode: 0o755, owner: (0, 0), modified: 0 }
    }

    pub(super) fn is_directory(&self) -> bool {
        matches!(self.content, Content::Directory)
    }

    pub(super) fn reader(&self) -> Box<dyn Read + Send> {
        match &self.content {
            Content::File { source, offset, size } => {
                Box::new(Part { source: Arc::clone(source), position: *offset, left: *size })
            }
            _ => Box::new(io::empty()),
        }
    }
}

/// Reads a part of a file without moving a shared position.
struct Part {
    source: Arc<File>,
    position: u64,
    left: u64,
}

impl Read for Part {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let count = self.source.read_at(&mut buffer[..wanted], self.position)?;
        self.position += count as u64;
        self.left -= count as u64;
        Ok(count)
    }
}

impl Tree {
    /// Indexes a tar, plain or compressed by gzip.
    pub(super) fn index(mut packed: File) -> io::Result<Self> {
        let mut tree = Self::default();
        tree.lay(plain(&mut packed)?)?;
        Ok(tree)
    }

    /// Lays a layer over what is there: whiteouts remove, the rest replaces.
    pub(super) fn lay(&mut self, plain: File) -> io::Result<()> {
        let source = Arc::new(plain.try_clone()?);
        let mut archive = tar::Archive::new(io::BufReader::new(plain));
        for entry in archive.entries()? {
            let entry = entry?;
            let path = clean(&entry.path()?.to_string_lossy());
            let name = path.rsplit('/').next().unwrap_or_default();
            if let Some(gone) = name.strip_prefix(".wh.") {
                let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
                let victim =
                    if gone == ".wh..opq" { folder.to_owned() } else { join(folder, gone) };
                self.remove_below(&victim);
                if gone != ".wh..opq" {
                    self.0.remove(&victim);
                }
            } else if let Some(node) = self.node(&entry, &source)
                && !path.is_empty()
            {
                self.0.insert(path, node);
            }
        }
        self.imply_folders();
        Ok(())
    }

    /// A tar may name files without the folders above them.
    fn imply_folders(&mut self) {
        let mut missing = BTreeMap::new();
        for path in self.0.keys() {
            super::copy::parents(path, self, &mut missing);
        }
        self.0.extend(missing);
    }

    fn node<R: Read>(&self, entry: &tar::Entry<'_, R>, source: &Arc<File>) -> Option<Node> {
        let header = entry.header();
        let link =
            || entry.link_name().ok().flatten().map(|name| name.to_string_lossy().into_owned());
        let content = match header.entry_type() {
            tar::EntryType::Directory => Content::Directory,
            tar::EntryType::Symlink => Content::Link(link().unwrap_or_default()),
            tar::EntryType::Link => {
                return self.0.get(&clean(&link().unwrap_or_default())).cloned();
            }
            kind if kind.is_file() || kind == tar::EntryType::Continuous => Content::File {
                source: Arc::clone(source),
                offset: entry.raw_file_position(),
                size: entry.size(),
            },
            // Devices, pipes and sockets have no place in an image that only serves.
            _ => return None,
        };
        Some(Node {
            content,
            mode: header.mode().unwrap_or(0o644) & 0o7777,
            // Docker reads empty number fields as zero.
            owner: (header.uid().unwrap_or(0), header.gid().unwrap_or(0)),
            modified: header.mtime().unwrap_or(0),
        })
    }

    fn remove_below(&mut self, folder: &str) {
        let prefix = format!("{folder}/");
        self.0.retain(|path, _| !path.starts_with(&prefix));
    }

    /// What is directly or deeper in a folder, by path relative to it.
    pub(super) fn below<'a>(&'a self, folder: &str) -> impl Iterator<Item = (&'a str, &'a Node)> {
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        self.0.iter().filter_map(move |(path, node)| Some((path.strip_prefix(&prefix)?, node)))
    }

    pub(super) fn is_directory(&self, path: &str) -> bool {
        path.is_empty() || self.0.get(path).is_some_and(Node::is_directory)
    }
}

pub(super) fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// A plain tar in a file, whatever it came as.
pub(super) fn plain(packed: &mut File) -> io::Result<File> {
    let mut magic = [0; 2];
    let count = packed.read_at(&mut magic, 0)?;
    io::Seek::rewind(packed)?;
    if count < 2 || magic != [0x1f, 0x8b] {
        return packed.try_clone();
    }
    let mut plain = tempfile::tempfile()?;
    io::copy(&mut GzDecoder::new(io::BufReader::new(packed)), &mut plain)?;
    io::Seek::rewind(&mut plain)?;
    Ok(plain)
}

/// Writes a layer of these files; the same files give the same digest.
pub(super) fn write_layer(files: &BTreeMap<String, Node>, store: &BlobStore) -> io::Result<Layer> {
    let packed = Measured { upload: store.begin() };
    let gzip = GzEncoder::new(packed, Compression::default());
    let mut tar = tar::Builder::new(Hashed { hasher: Sha256::new(), inner: gzip });
    for (path, node) in files {
        append(&mut tar, path, node)?;
    }
    let Hashed { hasher, inner } = tar.into_inner()?;
    let upload = inner.finish()?.upload;
    let layer = Layer {
        digest: upload.digest(),
        size: upload.received(),
        diff_id: format!("sha256:{}", hex::encode(hasher.finalize())),
    };
    store.finish(upload)?;
    Ok(layer)
}

fn append<W: Write>(tar: &mut tar::Builder<W>, path: &str, node: &Node) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_mode(node.mode);
    header.set_uid(node.owner.0);
    header.set_gid(node.owner.1);
    header.set_mtime(node.modified);
    header.set_size(0);
    match &node.content {
        Content::Directory => {
            header.set_entry_type(tar::EntryType::Directory);
            tar.append_data(&mut header, format!("{path}/"), io::empty())
        }
        Content::Link(target) => {
            header.set_entry_type(tar::EntryType::Symlink);
            tar.append_link(&mut header, path, target)
        }
        Content::File { size, .. } => {
            header.set_size(*size);
            tar.append_data(&mut header, path, node.reader())
        }
    }
}

struct Hashed<W> {
    hasher: Sha256,
    inner: W,
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

struct Measured {
    upload: Upload,
}

impl Write for Measured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.upload.write(bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cleaned_and_cannot_leave_the_root() {
        for (path, expected) in
            [("/a//b/./c/", "a/b/c"), ("a/../b", "b"), ("../../etc", "etc"), (".", ""), ("", "")]
        {
            assert_eq!(clean(path), expected, "{path}");
        }
    }
}
