//! Keys and gaps that newer segments say are deleted, kept in a scratch database beside the new
//! one, so that memory stays bounded however many there are.

use std::fs;
use std::path::PathBuf;

use crate::config::Safety;
use crate::db::LsmDb;
use crate::error::LsmError;

/// In front of deleted keys, and of the beginnings of deleted ranges. A range goes from the key
/// that it is stored under up to, not including, its value; ranges don't overlap.
const KEY: u8 = b'k';
const RANGE: u8 = b'r';
/// In front of the end of a range; or, alone, no end.
const END: u8 = 0;

/// A range's beginning, marked, and its end.
type Range = (Vec<u8>, Vec<u8>);

pub(super) struct Graves {
    path: PathBuf,
    db: Option<LsmDb>,
}

impl Graves {
    /// None yet. The file at `path` is made when it is needed, and removed in the end.
    pub(super) fn new(path: PathBuf) -> Graves {
        Graves { path, db: None }
    }

    fn db(&mut self) -> Result<&mut LsmDb, LsmError> {
        if self.db.is_none() {
            self.remove_files();
            let builder = LsmDb::builder().safety(Safety::Off).use_log(false);
            self.db = Some(builder.open(&self.path)?);
        }
        let missing = || LsmError::new("salvage", crate::LsmErrorCode::LsmError);
        self.db.as_mut().ok_or_else(missing)
    }

    /// This key is deleted in what is older.
    pub(super) fn add_key(&mut self, key: &[u8]) -> Result<(), LsmError> {
        self.db()?.insert(marked(KEY, key), [])
    }

    /// Keys from `from` up to, not including, `to` are deleted in what is older; `None`: all the
    /// rest.
    pub(super) fn add_range(&mut self, from: &[u8], to: Option<&[u8]>) -> Result<(), LsmError> {
        if to.is_some_and(|to| to <= from) {
            return Ok(());
        }
        let db = self.db()?;
        let mut start = marked(RANGE, from);
        let mut end = to.map_or(Vec::new(), |to| marked(END, to));
        // What it touches becomes part of it.
        if let Some((before, until)) = at_or_before(db, &start)? {
            if !ends_before(&until, from) {
                end = later(end, until);
                start = before;
            }
        }
        loop {
            let next = db.range(start.clone()..).next().transpose()?;
            let Some((other, until)) = next else {
                break;
            };
            let inside = other.first() == Some(&RANGE) && !ends_before(&end, &other[1..]);
            if !inside {
                break;
            }
            end = later(end, until);
            db.remove(&other)?;
        }
        db.insert(start, end)
    }

    /// True if this key is deleted by what was added.
    pub(super) fn cover(&self, key: &[u8]) -> Result<bool, LsmError> {
        let Some(db) = &self.db else {
            return Ok(false);
        };
        if db.contains_key(marked(KEY, key))? {
            return Ok(true);
        }
        let range = at_or_before(db, &marked(RANGE, key))?;
        Ok(range.is_some_and(|(_, end)| end.get(1..).is_none_or(|end| key < end)))
    }

    fn remove_files(&self) {
        for suffix in ["", "-log"] {
            let mut name = self.path.clone().into_os_string();
            name.push(suffix);
            // What isn't there needn't be removed.
            let _ = fs::remove_file(name);
        }
    }
}

impl Drop for Graves {
    fn drop(&mut self) {
        if let Some(db) = self.db.take() {
            // It is thrown away.
            let _ = db.close();
            self.remove_files();
        }
    }
}

fn marked(mark: u8, key: &[u8]) -> Vec<u8> {
    [&[mark], key].concat()
}

/// The range that begins at `start` or is the last before.
fn at_or_before(db: &LsmDb, start: &[u8]) -> Result<Option<Range>, LsmError> {
    let found = db.range(vec![RANGE]..=start.to_vec()).next_back();
    found.transpose()
}

/// True if a range with this end leaves a gap before a range that begins at `key`.
fn ends_before(end: &[u8], key: &[u8]) -> bool {
    end.get(1..).is_some_and(|end| end < key)
}

/// The later of two ends.
fn later(a: Vec<u8>, b: Vec<u8>) -> Vec<u8> {
    match a.is_empty() || b.is_empty() {
        true => Vec::new(),
        false => a.max(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlapping_ranges_cover_what_each_of_them_does() {
        let dir = tempfile::tempdir().unwrap();
        let mut graves = Graves::new(dir.path().join("graves"));
        let mut ranges = Vec::new();
        let mut n = 7u32;
        for round in 0..60 {
            n = n.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let from = (n >> 8) as u8;
            let len = (n >> 28) as u8;
            let to = (round != 59).then(|| from.saturating_add(len));
            graves
                .add_range(&[from], to.as_ref().map(std::slice::from_ref))
                .unwrap();
            ranges.push((from, to));
            for key in 0..=255u8 {
                let expected = ranges
                    .iter()
                    .any(|&(from, to)| from <= key && to.is_none_or(|to| key < to));
                assert_eq!(
                    graves.cover(&[key]).unwrap(),
                    expected,
                    "{key} of {ranges:?}"
                );
            }
        }
        graves.add_key(b"key").unwrap();
        assert!(graves.cover(b"key").unwrap());
        drop(graves);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
