//! [`LsmCursor`]: the cursor of the compatible face.

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
