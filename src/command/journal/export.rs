//! `surefoot journal export`: every event, in a file or on standard output.

use std::io::{self, Write};
use std::path::Path;

use crate::command::arguments::JournalExport;
use crate::command::setup::Setup;
use crate::command::target::{Target, TargetError};
use crate::command::trouble;
use crate::event::envelope::StoredEvent;
use crate::journal::archive::OWNER;
use crate::journal::export::{CSV_TITLES, Note, write_csv, write_event};
use crate::journal::redb::RedbJournal;
use crate::journal::{JournalError, StreamHead};
use crate::problem::{ExitCode, Problem};
use crate::view::documents::Exported;
use crate::view::raw_output;

/// Writes the export. A file is whole or not there.
pub(super) fn export(arguments: &JournalExport, setup: &Setup) -> Result<ExitCode, Problem> {
    let journal = setup.stored_journal()?;
    let csv = arguments.format == "csv";
    let Some(file) = arguments.named_file() else {
        return to_standard_output(&journal, csv, setup);
    };
    let target = Target::of(file, &setup.history).map_err(|error| failed(&error, file, setup))?;
    if target.is_standard_output() {
        return to_standard_output(&journal, csv, setup);
    }
    let mut exported = Exported { file: file.to_owned(), events: 0, bytes: 0, heads: Vec::new() };
    let written = target.write(OWNER, &mut |out| {
        let mut out = Counted { out, bytes: 0 };
        (exported.heads, exported.events) = write(&journal, csv, &mut out)?;
        exported.bytes = out.bytes;
        Ok(())
    });
    written.map_err(|error| failed(&error, file, setup))?;
    setup.view.data(&exported);
    Ok(ExitCode::Success)
}

fn to_standard_output(
    journal: &RedbJournal,
    csv: bool,
    setup: &Setup,
) -> Result<ExitCode, Problem> {
    if setup.json {
        let what = "with `--json` standard output carries the result alone";
        return Err(trouble::usage(what, "name a file: `surefoot journal export FILE --json`"));
    }
    let mut out = io::BufWriter::with_capacity(256 * 1024, raw_output());
    let written = write(journal, csv, &mut out).and_then(|_| Ok(out.flush()?));
    match written {
        // Who reads has enough.
        Err(JournalError::Io(error)) if error.kind() == io::ErrorKind::BrokenPipe => {}
        Err(JournalError::Io(error)) => return Err(trouble::output(&error)),
        Err(JournalError::Full) => {
            return Err(trouble::output(&io::ErrorKind::StorageFull.into()));
        }
        other => other.map_err(|error| trouble::journal(&error, &setup.history)).map(drop)?,
    }
    Ok(ExitCode::Success)
}

fn write(
    journal: &RedbJournal,
    csv: bool,
    out: &mut impl Write,
) -> Result<(Vec<StreamHead>, u64), JournalError> {
    let mut events = 0;
    if csv {
        out.write_all(CSV_TITLES.as_bytes())?;
    } else {
        Note::opening().write(out)?;
    }
    let heads = journal.every_event(&mut |bytes| {
        events += 1;
        if csv {
            let event = StoredEvent::parse(bytes.to_vec());
            let event = event.map_err(|damage| JournalError::corrupt(damage.to_string()))?;
            return Ok(write_csv(out, &event)?);
        }
        Ok(write_event(out, bytes)?)
    })?;
    if !csv {
        for head in &heads {
            Note::end(head).write(out)?;
        }
    }
    Ok((heads, events))
}

fn failed(error: &TargetError, file: &Path, setup: &Setup) -> Problem {
    if let TargetError::Journal(error) = error {
        return trouble::journal(error, &setup.history);
    }
    let what = format!("cannot write the export to {}", file.display());
    Problem::new(ExitCode::General, "export-unwritable", what)
        .because(error.reason())
        .hint("name a file in a directory that this user can write: `surefoot journal export FILE`")
}

/// Counts what passes.
struct Counted<W> {
    out: W,
    bytes: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
