//! [`Durability`]: what a single commit waits for.

use crate::config::Safety;
use crate::error::{LsmError, LsmErrorCode};

/// What a commit waits for, if it isn't to be what the database's [`Safety`] says.
///
/// Whatever it is, a commit survives the death of the process.
///
/// ```
/// # fn main() -> Result<(), lsmlite_rs::LsmError> {
/// # let dir = tempfile::tempdir().unwrap();
/// # let mut db = lsmlite_rs::LsmDb::open(dir.path().join("demo.lsm"))?;
/// use lsmlite_rs::Durability;
///
/// let mut transfer = db.transaction()?;
/// transfer.insert("anna", "90")?;
/// transfer.insert("bela", "110")?;
/// transfer.commit_with(Durability::Sync)?;
/// # Ok(()) }
/// ```
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Durability {
    /// As the database's [`Safety`] says: a sync at [`Safety::Full`], none at the others.
    #[default]
    Default,
    /// The commit returns when it, and all before it, would survive a power failure. Refused
    /// with `LsmMisuse` at [`Safety::Off`], where the file itself isn't safe. Without a log
    /// (`use_log(false)`) this writes all memory to the file, which takes long.
    Sync,
    /// The commit doesn't wait for the disk. A power failure may take it back, with all that
    /// follow it; never one of those before it that was synced.
    None,
}

impl Durability {
    /// The safety to commit with, if that differs from the usual one.
    pub(crate) fn safety(self, usual: Safety) -> Result<Option<Safety>, LsmError> {
        match (self, usual) {
            (Durability::Sync, Safety::Off) => Err(LsmError::new(
                "commit",
                LsmErrorCode::LsmMisuse,
            )
            .with_message(
                "Durability::Sync needs a database that was opened with Safety::Normal or Full",
            )),
            (Durability::Sync, Safety::Normal) => Ok(Some(Safety::Full)),
            (Durability::None, Safety::Full) => Ok(Some(Safety::Normal)),
            _ => Ok(None),
        }
    }
}
