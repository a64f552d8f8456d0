//! Pages with a seal each: damage is an error of the read that meets it, never data.
//!
//! redb verifies its checksums when it repairs, not when it reads. On a damaged file a plain read
//! returns wrong content, panics or aborts the process; its own integrity check reads the whole
//! file, writes to it, and is not offered to readers. So each page of 4096 bytes is stored with 16
//! more: the beginning of the SHA-256 of its number and content, compared at every read. What a
//! read does not touch costs it nothing, so a journal of a million events is as safe as a small
//! one, and as fast to open.
//!
//! The layout: a preamble of 16 bytes, so that no other program takes the file for a plain redb
//! database; then blocks of 4112 bytes. redb writes a page anew instead of changing it, so that a
//! seal torn by a power cut belongs to a page that nothing refers to yet. The exception is page 0,
//! the header: it is written in place, redb keeps two checksummed copies of what matters in it,
//! and it carries no seal. Its one byte of flags has no checksum; [`header_damage`] checks it.

use std::fmt;
use std::io;
use std::ops::{Bound, Range};
use std::time::Duration;

use redb::{BackendError, StorageBackend};
use sha2::{Digest as _, Sha256};

use super::storage::PATIENCE;

/// The first bytes of every journal file.
pub(crate) const PREAMBLE: &[u8; 16] = b"surefoot pages 1";

/// redb's page size. Source: redb 4.6.0, `PAGE_SIZE`.
const PAGE: u64 = 4096;
const SEAL: u64 = 16;
const BLOCK: u64 = PAGE + SEAL;
const PREAMBLE_SIZE: u64 = PREAMBLE.len() as u64;

/// Between two tries of a lock that is held for microseconds.
const LOCK_PAUSE: Duration = Duration::from_micros(200);

/// A page that is not what was written.
#[derive(Debug, thiserror::Error)]
#[error("page {page} of the file is not what was written")]
struct BrokenSeal {
    page: u64,
}

/// A header whose flags contradict its content.
#[derive(Debug, thiserror::Error)]
#[error("the header of the file is not what was written")]
struct BrokenHeader;

/// A redb storage that seals the pages of another one.
pub(crate) struct SealedPages {
    inner: Box<dyn StorageBackend>,
}

impl SealedPages {
    /// Seals the pages of `inner`, which holds the preamble already.
    pub(crate) fn new(inner: Box<dyn StorageBackend>) -> Self {
        Self { inner }
    }

    /// Writes the preamble into empty storage.
    pub(crate) fn create(inner: Box<dyn StorageBackend>) -> io::Result<Self> {
        inner.set_len(PREAMBLE_SIZE)?;
        inner.write(0, PREAMBLE)?;
        Ok(Self { inner })
    }

    /// The first bytes of the storage, as many as a preamble has.
    pub(crate) fn preamble(inner: &dyn StorageBackend) -> io::Result<Vec<u8>> {
        let size = inner.len()?.min(PREAMBLE_SIZE);
        let mut bytes = vec![0; usize::try_from(size).expect("a preamble is short")];
        inner.read(0, &mut bytes)?;
        Ok(bytes)
    }

    fn read_page_range(&self, pages: &Range<u64>) -> io::Result<Vec<u8>> {
        let mut blocks = vec![0; index((pages.end - pages.start) * BLOCK)];
        self.inner.read(PREAMBLE_SIZE + pages.start * BLOCK, &mut blocks)?;
        let mut content = Vec::with_capacity(index((pages.end - pages.start) * PAGE));
        for (page, block) in pages.clone().zip(blocks.chunks_exact(index(BLOCK))) {
            let (bytes, stored) = block.split_at(index(PAGE));
            if seal(page, bytes) != *stored {
                return Err(io::Error::new(io::ErrorKind::InvalidData, BrokenSeal { page }));
            }
            content.extend_from_slice(bytes);
        }
        Ok(content)
    }
}

impl fmt::Debug for SealedPages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedPages").finish_non_exhaustive()
    }
}

impl StorageBackend for SealedPages {
    fn len(&self) -> io::Result<u64> {
        Ok(self.inner.len()?.saturating_sub(PREAMBLE_SIZE) / BLOCK * PAGE)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let end = offset + out.len() as u64;
        if end <= PAGE {
            self.inner.read(PREAMBLE_SIZE + offset, out)?;
            return if offset == 0 { header_damage(out, self.len()? / PAGE) } else { Ok(()) };
        }
        let pages = offset / PAGE..end.div_ceil(PAGE);
        if pages.start == 0 {
            return Err(unaligned("a read of the header and of pages behind it"));
        }
        let content = self.read_page_range(&pages)?;
        let skipped = index(offset % PAGE);
        out.copy_from_slice(&content[skipped..skipped + out.len()]);
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        if offset + data.len() as u64 <= PAGE {
            return self.inner.write(PREAMBLE_SIZE + offset, data);
        }
        let first = offset / PAGE;
        let whole = offset.is_multiple_of(PAGE) && (data.len() as u64).is_multiple_of(PAGE);
        if first == 0 || !whole {
            return Err(unaligned("a write of part of a page"));
        }
        let mut blocks = Vec::with_capacity(data.len() / index(PAGE) * index(BLOCK));
        for (page, bytes) in (first..).zip(data.chunks_exact(index(PAGE))) {
            blocks.extend_from_slice(bytes);
            blocks.extend_from_slice(&seal(page, bytes));
        }
        self.inner.write(PREAMBLE_SIZE + first * BLOCK, &blocks)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.inner.set_len(PREAMBLE_SIZE + len.div_ceil(PAGE) * BLOCK)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.inner.sync_data()
    }

    fn close(&self) -> io::Result<()> {
        self.inner.close()
    }

    // The ranges that redb locks are names, not places: they are passed on as they are.
    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.inner.try_lock_range(start, end)
    }

    fn try_lock_shared_range(
        &self,
        start: Bound<u64>,
        end: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.inner.try_lock_shared_range(start, end)
    }

    // redb would wait for ever, also for a process that was stopped while it held the header.
    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        patiently(|| self.inner.try_lock_range(start, end))
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        patiently(|| self.inner.try_lock_shared_range(start, end))
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.inner.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.inner.query_lock_range(start, end)
    }
}

fn patiently(lock: impl Fn() -> Result<bool, BackendError>) -> Result<(), BackendError> {
    for _ in 0..PATIENCE.as_micros() / LOCK_PAUSE.as_micros() {
        if lock()? {
            return Ok(());
        }
        std::thread::sleep(LOCK_PAUSE);
    }
    Err(BackendError::Io(io::ErrorKind::TimedOut.into()))
}

fn seal(page: u64, bytes: &[u8]) -> [u8; 16] {
    let mut hash = Sha256::new();
    hash.update(page.to_be_bytes());
    hash.update(bytes);
    let mut seal = [0; 16];
    seal.copy_from_slice(&hash.finalize()[..16]);
    seal
}

fn index(offset: u64) -> usize {
    usize::try_from(offset).expect("a run of pages fits into memory")
}

fn unaligned(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("{what} is unknown to the page seals"))
}

/// Where redb keeps its flags and the numbers of its two commits. Source: redb 4.6.0, `header.rs`.
mod header {
    pub(super) const FLAGS: usize = 9;
    pub(super) const PRIMARY: u8 = 1;
    pub(super) const IN_USE: u8 = 2;
    pub(super) const UNFLUSHED: u8 = 8;
    pub(super) const KNOWN: u8 = 15;
    pub(super) const PADDING: std::ops::Range<usize> = 10..12;
    /// Page size, pages of a region's header, and data pages of a region: as they are at the creation, and
    /// never written again.
    pub(super) const GEOMETRY: std::ops::Range<usize> = 12..24;
    pub(super) const FULL_REGIONS: std::ops::Range<usize> = 24..28;
    pub(super) const DATA_PAGES_BEHIND_THEM: std::ops::Range<usize> = 28..32;
    pub(super) const UNUSED: std::ops::Range<usize> = 32..64;
    /// What redb makes of a file of 4 GiB regions.
    pub(super) const REGION_PAGES: u32 = 1 << 20;
    pub(super) const COMMIT_NUMBERS: [std::ops::Range<usize>; 2] = [168..176, 296..304];
    pub(super) const SIZE: usize = 320;
}

/// Refuses a header that redb would believe, although it cannot be what was written: with flags that name the
/// older of the two commits of a journal that was closed in order, redb would take it to end one commit earlier,
/// without a word; by a wrong geometry it would look for pages in wrong places. `pages` is the length of
/// the file.
fn header_damage(bytes: &[u8], pages: u64) -> io::Result<()> {
    if bytes.len() < header::SIZE {
        return Ok(());
    }
    if flags_are_wrong(bytes) || geometry_is_wrong(bytes, pages) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, BrokenHeader));
    }
    Ok(())
}

fn flags_are_wrong(bytes: &[u8]) -> bool {
    let flags = bytes[header::FLAGS];
    let closed = flags & header::IN_USE == 0;
    let number = |slot: usize| -> u64 {
        let place = header::COMMIT_NUMBERS[slot].clone();
        u64::from_le_bytes(bytes[place].try_into().expect("the range has eight bytes"))
    };
    let primary = usize::from(flags & header::PRIMARY);
    let older = number(primary) < number(1 - primary);
    let strange = flags & !header::KNOWN != 0 || bytes[header::PADDING] != [0, 0];
    strange || closed && (older || flags & header::UNFLUSHED != 0)
}

/// A journal that is open may be growing; redb then takes its size from the file.
fn geometry_is_wrong(bytes: &[u8], pages: u64) -> bool {
    let number = |place: Range<usize>| -> u32 {
        u32::from_le_bytes(bytes[place].try_into().expect("the range has four bytes"))
    };
    let page = u32::try_from(PAGE).expect("a page is small");
    let fixed = [page, 0, header::REGION_PAGES].map(u32::to_le_bytes).concat();
    let closed = bytes[header::FLAGS] & header::IN_USE == 0;
    let full = u64::from(number(header::FULL_REGIONS)) * u64::from(header::REGION_PAGES);
    let told = 1 + full + u64::from(number(header::DATA_PAGES_BEHIND_THEM));
    let unused = bytes[header::UNUSED].iter().all(|byte| *byte == 0);
    bytes[header::GEOMETRY] != fixed[..] || !unused || closed && told > pages
}
