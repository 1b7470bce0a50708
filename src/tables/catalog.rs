//! Which tables there are: finding, listing, making, renaming and dropping them.

use std::ops::Bound;

use super::prefix;
use crate::db::LsmDb;
use crate::error::{LsmError, LsmErrorCode};
use crate::read::View;
use crate::session::Session;
use crate::write::{Transaction, remove_within};

const CATALOG: u32 = 0;

/// The catalog, to be read.
fn catalog<'a>(view: &View<'a>) -> View<'a> {
    view.within(prefix(CATALOG))
}

fn catalog_key(name: &str) -> Vec<u8> {
    let mut key = prefix(CATALOG);
    key.extend_from_slice(name.as_bytes());
    key
}

pub(super) fn check_name(operation: &'static str, name: &str) -> Result<(), LsmError> {
    if name.is_empty() {
        let error = LsmError::new(operation, LsmErrorCode::LsmMisuse);
        return Err(error.with_message("a table needs a name: the empty one isn't allowed"));
    }
    Ok(())
}

/// The table's number, if there is such a table.
pub(super) fn find(view: &View<'_>, name: &str) -> Result<Option<u32>, LsmError> {
    let found = catalog(view).get(name.as_bytes())?;
    found.map(|bytes| number(view, name, &bytes)).transpose()
}

fn number(view: &View<'_>, name: &str, bytes: &[u8]) -> Result<u32, LsmError> {
    match bytes.try_into().map(u32::from_be_bytes) {
        Ok(number) if number != CATALOG => Ok(number),
        _ => Err(LsmError::new("open a table", LsmErrorCode::LsmCorrupt)
            .with_path(view.path())
            .with_message(format!("the catalog's entry for {name:?} is damaged"))),
    }
}

pub(crate) fn list(view: &View<'_>) -> Result<Vec<String>, LsmError> {
    let mut names = Vec::new();
    for key in catalog(view).range::<&[u8]>(..).keys() {
        let name = String::from_utf8_lossy(&key?).into_owned();
        if !name.is_empty() {
            names.push(name);
        }
    }
    Ok(names)
}

/// Within a transaction: makes the table; returns its number.
pub(super) fn create(session: &mut Session, name: &str) -> Result<u32, LsmError> {
    let view = View::new(session.connection());
    let last = match catalog(&view).get(b"")? {
        None => CATALOG,
        Some(bytes) => number(&view, "", &bytes)?,
    };
    let new = last.checked_add(1).ok_or_else(|| {
        LsmError::new("create a table", LsmErrorCode::LsmFull)
            .with_path(session.connection().path())
            .with_message("2^32 tables have been made in this file")
    })?;
    session.insert(&catalog_key(""), &new.to_be_bytes())?;
    session.insert(&catalog_key(name), &new.to_be_bytes())?;
    Ok(new)
}

fn rename(session: &mut Session, old: &str, new: &str) -> Result<(), LsmError> {
    check_name("rename a table", new)?;
    let view = View::new(session.connection());
    let (from, to) = (find(&view, old)?, find(&view, new)?);
    let refuse = |session: &Session, code, message: String| {
        let error = LsmError::new("rename a table", code).with_path(session.connection().path());
        Err(error.with_message(message))
    };
    let Some(number) = from else {
        let message = format!("there is no table {old:?}: `tables` lists those there are");
        return refuse(session, LsmErrorCode::LsmMisuse, message);
    };
    match to {
        Some(same) if same == number => return Ok(()),
        Some(_) => {
            let message =
                format!("there is a table {new:?} already: drop it first, or choose another name");
            return refuse(session, LsmErrorCode::LsmMisuse, message);
        }
        None => {}
    }
    session.delete(&catalog_key(old))?;
    session.insert(&catalog_key(new), &number.to_be_bytes())
}

fn drop_table(session: &mut Session, name: &str) -> Result<bool, LsmError> {
    let Some(number) = find(&View::new(session.connection()), name)? else {
        return Ok(false);
    };
    session.delete(&catalog_key(name))?;
    let everything = (Bound::Unbounded, Bound::Unbounded);
    remove_within(session, &prefix(number), everything)?;
    Ok(true)
}

/// Tables.
impl LsmDb {
    /// The names of all tables, sorted.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn tables(&self) -> Result<Vec<String>, LsmError> {
        list(&self.view("list tables")?)
    }

    /// Gives a table another name; its records stay where they are.
    ///
    /// # Errors
    /// `LsmMisuse` if there is no such table, or one of the new name; as
    /// [`insert`](Self::insert).
    pub fn rename_table(&mut self, old: &str, new: &str) -> Result<(), LsmError> {
        self.session_mut("rename a table")?
            .atomically(|session| rename(session, old, new))
    }

    /// Drops a table with all its records, in a handful of writes; their space is free after
    /// the next merges. Returns false if there is no such table.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    pub fn drop_table(&mut self, name: &str) -> Result<bool, LsmError> {
        self.session_mut("drop a table")?
            .atomically(|session| drop_table(session, name))
    }
}

/// Tables.
impl Transaction<'_> {
    /// The names of all tables, sorted.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn tables(&self) -> Result<Vec<String>, LsmError> {
        list(&self.view("list tables")?)
    }

    /// Gives a table another name; see [`LsmDb::rename_table`].
    ///
    /// # Errors
    /// As there.
    pub fn rename_table(&mut self, old: &str, new: &str) -> Result<(), LsmError> {
        rename(self.session_mut(), old, new)
    }

    /// Drops a table; see [`LsmDb::drop_table`].
    ///
    /// # Errors
    /// As there.
    pub fn drop_table(&mut self, name: &str) -> Result<bool, LsmError> {
        drop_table(self.session_mut(), name)
    }
}
