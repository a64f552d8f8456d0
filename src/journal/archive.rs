//! The export that is written by itself: a directory per stream, with files of a thousand events.
//!
//! A file is never appended to: it is made anew under another name, made durable, and renamed, so
//! that whoever copies the directory finds each file whole. Only the newest file of a stream is ever
//! made anew, so that the cost of a deployment does not grow with the history
//! (`docs/decisions/0011-export-in-parts.md`). Each file is an export by itself, and all of them
//! together are one.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::ops::ControlFlow;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::export::{Note, write_event};
use super::{Journal, JournalError, StreamHead};
use crate::names::StreamName;

/// The directory of the exports, inside the journal's own.
pub const EXPORTS: &str = "export";

/// Where exports are put that this journal does not contain.
const PARTED: &str = "export-parted";

/// Events in a file.
pub const EVENTS_PER_FILE: u64 = 1_000;

/// The line of an end is shorter than this.
const LONGEST_END: u64 = 1_024;

/// What became of an export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archived {
    /// The directory of the stream.
    pub directory: PathBuf,
    /// The number of the last event in it.
    pub sequence: u64,
    /// Where an export of another history was put, if there was one.
    pub parted: Option<PathBuf>,
}

/// The directory of one stream's export.
pub fn directory(history: &Path, stream: &StreamName) -> PathBuf {
    history.join(EXPORTS).join(folder(stream))
}

/// The name of that directory.
pub fn folder(stream: &StreamName) -> String {
    let StreamName { account, region, service } = stream;
    format!("{account}.{region}.{service}")
}

/// Whether there is an export here.
pub fn exists(history: &Path) -> bool {
    fs::read_dir(history.join(EXPORTS)).is_ok_and(|mut entries| entries.next().is_some())
}

/// Brings the export of a stream up to its head; none for a stream without events.
pub fn update(
    journal: &dyn Journal,
    history: &Path,
    stream: &StreamName,
) -> Result<Option<Archived>, JournalError> {
    let Some(head) = journal.head(stream)? else { return Ok(None) };
    let place = directory(history, stream);
    let newest = newest_end(&place, stream);
    let contained = match &newest {
        Some(end) => journal.event(stream, end.sequence)?.is_some_and(|e| e.hash() == end.hash),
        None => true,
    };
    let parted = if contained { None } else { Some(put_aside(history, &place)?) };
    make_directory(&place)?;
    let from = if contained { first_to_write(&place, &head) } else { 0 };
    for part in from..=part_of(head.sequence) {
        write_part(journal, &place, stream, part, head.sequence)?;
    }
    Ok(Some(Archived { directory: place, sequence: head.sequence, parted }))
}

/// Refuses a journal whose own export is ahead of it: an export is written behind the journal, so the journal
/// is an older one, and what it says is not how things stand.
///
/// `ours` is the number of the journal's last event of this stream, 0 for none.
pub fn refuse_to_be_behind(
    history: &Path,
    stream: &StreamName,
    ours: u64,
) -> Result<(), JournalError> {
    let Some(end) = newest_end(&directory(history, stream), stream) else { return Ok(()) };
    if end.sequence <= ours {
        return Ok(());
    }
    Err(JournalError::Behind { stream: stream.clone(), journal: ours, export: end.sequence })
}

/// The part that an event lies in, from 0.
fn part_of(sequence: u64) -> u64 {
    (sequence - 1) / EVENTS_PER_FILE
}

fn file_of(place: &Path, part: u64) -> PathBuf {
    place.join(format!("{:012}.jsonl", part * EVENTS_PER_FILE + 1))
}

/// The newest file of an export, or the first gap: what lies before them is whole.
fn first_to_write(place: &Path, head: &StreamHead) -> u64 {
    let last = part_of(head.sequence);
    let missing = (0..=last).find(|part| !file_of(place, *part).exists()).unwrap_or(last + 1);
    missing.saturating_sub(1)
}

/// Where the export says that the stream ends; none where there is no export, or its newest file
/// does not say so.
fn newest_end(place: &Path, stream: &StreamName) -> Option<StreamHead> {
    let names =
        fs::read_dir(place).ok()?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let newest = names.filter(|name| is_part(name)).max()?;
    let newest = place.join(newest);
    // To open a pipe is to wait for ever.
    let mut file = newest.is_file().then(|| File::open(&newest).ok())??;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LONGEST_END))).ok()?;
    let mut tail = Vec::new();
    file.take(LONGEST_END).read_to_end(&mut tail).ok()?;
    let line = tail.strip_suffix(b"\n")?.rsplit(|byte| *byte == b'\n').next()?;
    match serde_json::from_slice(line).ok()? {
        Note::End { stream: of, sequence, hash } if of == *stream => {
            Some(StreamHead { stream: of, sequence, hash })
        }
        _ => None,
    }
}

fn is_part(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|ending| ending == "jsonl")
}

/// An export of another history is kept: it may be all that is left of it.
pub fn put_aside(history: &Path, place: &Path) -> Result<PathBuf, JournalError> {
    let parted = history.join(PARTED);
    make_directory(&parted)?;
    let name = place.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let free = (1..).map(|number: u32| parted.join(format!("{name}.{number}")));
    let to = free.into_iter().find(|path| !path.exists()).unwrap_or_else(|| parted.join(name));
    fs::rename(place, &to)?;
    Ok(to)
}

fn write_part(
    journal: &dyn Journal,
    place: &Path,
    stream: &StreamName,
    part: u64,
    last: u64,
) -> Result<(), JournalError> {
    let (after, end) = (part * EVENTS_PER_FILE, last.min((part + 1) * EVENTS_PER_FILE));
    write_durably(&file_of(place, part), OWNER, &mut |out| {
        Note::opening().write(out)?;
        let mut written: Result<(), io::Error> = Ok(());
        let mut head = None;
        journal.visit(stream, after, &mut |event| {
            written = write_event(out, event.bytes());
            let (sequence, hash) = (event.sequence(), event.hash());
            head = Some(StreamHead { stream: stream.clone(), sequence, hash });
            if written.is_err() || sequence == end {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })?;
        written?;
        if let Some(head) = head {
            Note::end(&head).write(out)?;
        }
        Ok(())
    })
}

/// Only who wrote a file may read it.
pub const OWNER: u32 = 0o600;

/// Whoever the umask lets may read it: a page is made to be shown.
pub const ANYBODY: u32 = 0o666;

/// Makes a file that is whole or not there, whatever happens meanwhile: written under another name,
/// made durable, renamed, and the directory made durable. `mode` is what its permissions are, less the
/// umask: [`OWNER`] or [`ANYBODY`].
pub fn write_durably(
    path: &Path,
    mode: u32,
    content: &mut dyn FnMut(&mut BufWriter<File>) -> Result<(), JournalError>,
) -> Result<(), JournalError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let unfinished = path.with_file_name(name);
    let written = write_and_rename((path, &unfinished), mode, content);
    if written.is_err() {
        // What is half written helps nobody.
        drop(fs::remove_file(&unfinished));
    }
    written
}

/// More bytes than the first deployment of a service writes.
const FIRST_DEPLOYMENT: usize = 256 * 1024;

/// Whether a journal could be written here: tried in the directory itself, or in the one that it
/// would be made in, with a file that is gone afterwards.
pub fn try_to_write(history: &Path) -> Result<(), JournalError> {
    let place = history.ancestors().find(|place| place.exists()).unwrap_or(Path::new("."));
    let unwritable = |source| JournalError::Unwritable { path: history.to_owned(), source };
    let mut file = nameless(place).map_err(unwritable)?;
    file.write_all(&vec![0; FIRST_DEPLOYMENT])?;
    Ok(file.sync_all()?)
}

/// Whether a file can be made in this directory: tried with one that is gone afterwards.
pub fn can_make_a_file_in(directory: &Path) -> io::Result<()> {
    nameless(directory).map(drop)
}

/// A new file whose name is gone already.
fn nameless(place: &Path) -> io::Result<File> {
    let path = place.join(format!(".surefoot.{}.try", std::process::id()));
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).mode(OWNER).open(&path)?;
    fs::remove_file(&path)?;
    Ok(file)
}

fn write_and_rename(
    (path, unfinished): (&Path, &Path),
    mode: u32,
    content: &mut dyn FnMut(&mut BufWriter<File>) -> Result<(), JournalError>,
) -> Result<(), JournalError> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(mode);
    let unwritable = |source| JournalError::Unwritable { path: path.to_owned(), source };
    let file = options.open(unfinished).map_err(unwritable)?;
    let mut out = BufWriter::with_capacity(256 * 1024, file);
    content(&mut out)?;
    let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()?;
    fs::rename(unfinished, path)?;
    sync_parent(path)
}

fn sync_parent(path: &Path) -> Result<(), JournalError> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()?;
    Ok(())
}

fn make_directory(path: &Path) -> Result<(), JournalError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|source| JournalError::Unwritable { path: path.to_owned(), source })?;
    sync_parent(path)
}

#[cfg(test)]
mod tests {
    use super::super::contract::{draft, drafts, shop};
    use super::super::import::{files, import};
    use super::super::memory::MemoryJournal;
    use super::*;

    fn names(place: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(place)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn grown(journal: &MemoryJournal, to: u64) {
        let from = journal.head(&shop()).unwrap().map_or(0, |head| head.sequence);
        let more = drafts(u128::from(from) + 1..=u128::from(to));
        journal.append(&shop(), from, &more).unwrap();
    }

    #[test]
    fn whatever_the_steps_it_grew_in_the_export_is_the_journal() {
        for steps in [vec![1, 2, 999, 1000, 1001], vec![1000], vec![2500, 3000, 3001], vec![3700]] {
            let (history, journal) = (tempfile::tempdir().unwrap(), MemoryJournal::new());
            for step in steps {
                grown(&journal, step);
                let archived = update(&journal, history.path(), &shop()).unwrap().unwrap();
                assert_eq!((archived.sequence, archived.parted), (step, None));
                let copy = MemoryJournal::new();
                import(&copy, &files(&history.path().join(EXPORTS)).unwrap()).unwrap();
                assert_eq!(copy.read(&shop(), 0).unwrap(), journal.read(&shop(), 0).unwrap());
            }
        }
    }

    #[test]
    fn only_the_newest_file_is_made_anew() {
        let (history, journal) = (tempfile::tempdir().unwrap(), MemoryJournal::new());
        grown(&journal, 2100);
        update(&journal, history.path(), &shop()).unwrap();
        let place = directory(history.path(), &shop());
        let first = file_of(&place, 0);
        let before = first.metadata().unwrap().modified().unwrap();
        fs::File::options().append(true).open(&first).unwrap().set_modified(before).unwrap();
        let inode = |path: &Path| std::os::unix::fs::MetadataExt::ino(&path.metadata().unwrap());
        let (kept, anew) = (inode(&first), inode(&file_of(&place, 2)));
        grown(&journal, 2101);
        update(&journal, history.path(), &shop()).unwrap();
        assert_eq!(inode(&first), kept);
        assert_ne!(inode(&file_of(&place, 2)), anew);
        assert_eq!(
            names(&place),
            ["000000000001.jsonl", "000000001001.jsonl", "000000002001.jsonl"]
        );
    }

    #[test]
    fn a_file_that_went_missing_comes_back() {
        let (history, journal) = (tempfile::tempdir().unwrap(), MemoryJournal::new());
        grown(&journal, 2100);
        update(&journal, history.path(), &shop()).unwrap();
        let place = directory(history.path(), &shop());
        fs::remove_file(file_of(&place, 1)).unwrap();
        update(&journal, history.path(), &shop()).unwrap();
        let copy = MemoryJournal::new();
        import(&copy, &files(&place).unwrap()).unwrap();
        assert_eq!(copy.read(&shop(), 0).unwrap().len(), 2100);
    }

    #[test]
    fn an_export_of_another_history_is_kept_aside() {
        let (history, journal) = (tempfile::tempdir().unwrap(), MemoryJournal::new());
        grown(&journal, 5);
        update(&journal, history.path(), &shop()).unwrap();
        let other = MemoryJournal::new();
        other.append(&shop(), 0, &[draft(99)]).unwrap();
        let archived = update(&other, history.path(), &shop()).unwrap().unwrap();
        let copy = MemoryJournal::new();
        import(&copy, &files(&archived.parted.unwrap()).unwrap()).unwrap();
        assert_eq!(copy.read(&shop(), 0).unwrap().len(), 5);
        assert_eq!(names(&archived.directory), ["000000000001.jsonl"]);
    }
}
