//! [`Archive`]: an archive that is open for reading.

use std::error::Error;
use std::ops::Bound;
use std::path::Path;

use lsmlite_rs::{LsmDb, LsmError};

use crate::layout::{self, Entry, Header};

pub struct Archive {
    db: LsmDb,
    pub header: Header,
}

impl Archive {
    /// Opens an archive, read-only.
    pub fn open(path: &Path) -> Result<Archive, Box<dyn Error>> {
        let shown = path.display();
        if !path.exists() {
            return Err(format!("there is no archive at {shown}: check the name").into());
        }
        if !path.is_file() {
            return Err(format!("{shown} is not an archive, it isn't even a file").into());
        }
        // Together these two open a write-protected file, too, and share it with others who
        // read it; read-only alone takes the file for itself and needs write permission.
        let db = LsmDb::builder()
            .read_only(true)
            .multi_process(true)
            .open(path)?;
        let header = db.get(layout::HEADER_KEY)?;
        let header = header.as_deref().and_then(Header::decode).ok_or_else(|| {
            format!("{shown} is not an archive that this program made: check the name")
        })?;
        Ok(Archive { db, header })
    }

    /// All entries, in the order of their paths, each with its record.
    pub fn entries(&self) -> impl Iterator<Item = Result<Listed, Box<dyn Error>>> + '_ {
        self.db.range("e".."f").map(|record| {
            let (key, value) = record?;
            let entry = Entry::decode(&key, &value).ok_or_else(|| {
                let name = crate::show::name(&key[1..]);
                format!("the record of {name} is damaged")
            })?;
            Ok(Listed { entry, key, value })
        })
    }

    /// The content of a file, in chunks of at most [`layout::CHUNK`] bytes.
    pub fn content(&self, number: u32) -> impl Iterator<Item = Result<Vec<u8>, LsmError>> + '_ {
        let (first, last) = (
            layout::chunk_key(number, 0),
            layout::chunk_key(number, u32::MAX),
        );
        let range = (Bound::Included(first), Bound::Included(last));
        self.db.range(range).map(|record| Ok(record?.1))
    }
}

/// An entry and the record that it was read from.
pub struct Listed {
    pub entry: Entry,
    pub key: Vec<u8>,
    pub value: Vec<u8>,
}
