//! A journal that is small is checked as a whole whenever it is opened for a command.

use redb::{ReadTransaction, ReadableTable as _, ReadableTableMetadata as _};

use super::super::JournalError;
use super::check::checked;
use super::scan::Stopped;
use super::storage::from_redb;
use super::table::{EVENTS, VALUES};
use super::{Checked, RedbJournal};

/// Journals of at most so many events are checked as a whole by every command that reads them: some
/// sixty deployments, for about 10 ms of CPU. A larger one costs a command no more than what it
/// shows, which is proven all the same; all of it is checked by `surefoot journal verify`.
pub const CHECKED_BY_EVERY_COMMAND: u64 = 1_000;

impl RedbJournal {
    /// Checks everything, where that costs little; what is damaged anywhere is an error then. None
    /// where it would cost more.
    pub fn check_if_small(&self) -> Result<Option<Checked>, JournalError> {
        let checked = self.look(|transaction| {
            // The table knows how many there are without being read.
            let table = transaction.open_table(EVENTS).map_err(from_redb)?;
            let is_small = table.len().map_err(from_redb)? <= CHECKED_BY_EVERY_COMMAND;
            Ok(is_small.then(|| everything(transaction)))
        })?;
        checked.transpose().map_err(|stopped| self.named(stopped))
    }
}

/// One worker: to begin others takes longer than they would save.
fn everything(transaction: &ReadTransaction) -> Result<Checked, Stopped> {
    let checked = checked(transaction, 1)?;
    read_values(transaction)?;
    Ok(checked)
}

/// Meets the seal of every page that holds an environment value.
pub(super) fn read_values(transaction: &ReadTransaction) -> Result<(), JournalError> {
    let table = transaction.open_table(VALUES).map_err(from_redb)?;
    for row in table.iter().map_err(from_redb)? {
        row.map_err(from_redb)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::super::Journal as _;
    use super::super::super::contract::{drafts, shop};
    use super::super::tests::fresh;
    use super::*;

    #[test]
    fn the_limit_is_met_exactly() {
        let (_home, journal) = fresh();
        let most = u128::from(CHECKED_BY_EVERY_COMMAND);
        journal.append(&shop(), 0, &drafts(1..=most)).unwrap();
        assert_eq!(journal.check_if_small().unwrap().unwrap().events, CHECKED_BY_EVERY_COMMAND);
        journal.append(&shop(), CHECKED_BY_EVERY_COMMAND, &drafts(most + 1..=most + 1)).unwrap();
        assert_eq!(journal.check_if_small().unwrap(), None);
    }
}
