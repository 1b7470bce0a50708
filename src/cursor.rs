//! [`LsmCursor`]: the cursor of the compatible face.

use std::panic::{RefUnwindSafe, UnwindSafe};

use crate::raw::Cursor;

/// A cursor over a database, driven by the methods of the trait [`Cursor`](crate::Cursor).
///
/// It sees the database as it was when the first cursor of the handle was opened, and
/// borrows the handle, so that nothing can be written while it lives. A default cursor
/// belongs to no database, and every method answers `LsmMisuse`.
///
/// ```compile_fail,E0505
/// # fn main() -> Result<(), lsmlite_rs::LsmErrorCode> {
/// # use lsmlite_rs::{Cursor, DbConf, Disk, LsmDb};
/// # let db = LsmDb::default();
/// let mut cursor = db.cursor_open()?;
/// drop(db);
/// cursor.first()?;
/// # Ok(()) }
/// ```
#[derive(Default)]
pub struct LsmCursor<'a> {
    open: Option<Cursor<'a>>,
}

// As in 0.2.2. The panic of a codec goes on only when the engine's call has returned, so a
// cursor is never left half moved.
impl UnwindSafe for LsmCursor<'_> {}
impl RefUnwindSafe for LsmCursor<'_> {}

impl<'a> LsmCursor<'a> {
    pub(crate) fn new(cursor: Cursor<'a>) -> Self {
        LsmCursor { open: Some(cursor) }
    }

    pub(crate) fn get(&self) -> Option<&Cursor<'a>> {
        self.open.as_ref()
    }

    pub(crate) fn get_mut(&mut self) -> Option<&mut Cursor<'a>> {
        self.open.as_mut()
    }

    pub(crate) fn take(&mut self) -> Option<Cursor<'a>> {
        self.open.take()
    }
}
