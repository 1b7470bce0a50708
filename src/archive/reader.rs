//! [`Archive`]: looking at an archive and reading single members.

use std::cell::RefCell;
use std::fmt;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use super::entry::{Entry, EntryKind};
use super::error::ArchiveError;
use super::format::{self, HEADER_KEY, Header, INDEX};
use super::groups::GroupReader;
use super::index;
use crate::config::Mmap;
use crate::db::LsmDb;
use crate::error::LsmError;
use crate::read::LsmRange;

/// An archive that was made by [`Pack`](super::Pack), open for reading.
///
/// Nothing is written or locked: a file that can be read is enough, also on a read-only medium,
/// and any number of processes may read it.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// # let (folder, file) = (dir.path().join("notes"), dir.path().join("notes.lsm"));
/// use lsmlite_rs::archive::{Archive, Pack};
///
/// # std::fs::create_dir(&folder)?;
/// std::fs::write(folder.join("today.txt"), "rain")?;
/// Pack::new(&folder).run(&file)?;
///
/// let archive = Archive::open(&file)?;
/// for entry in archive.entries() {
///     let entry = entry?;
///     println!("{:o} {:>9} {}", entry.mode(), entry.size(), entry.path().display());
/// }
/// assert_eq!(archive.read("today.txt")?, b"rain");
/// # Ok(()) }
/// ```
pub struct Archive {
    path: PathBuf,
    pub(super) db: LsmDb,
    pub(super) header: Header,
    reader: RefCell<GroupReader>,
}

/// What is in an archive, in numbers.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ArchiveSummary {
    /// Regular files.
    pub files: u64,
    /// Folders, with the one that was packed.
    pub folders: u64,
    /// Symbolic links.
    pub links: u64,
    /// Bytes of all files.
    pub bytes: u64,
    /// Bytes that are left of them when equal content is counted once.
    pub unique_bytes: u64,
}

impl Header {
    pub(super) fn count(&mut self, entry: &Entry) {
        match entry.kind() {
            EntryKind::Folder => self.folders += 1,
            EntryKind::Link => self.links += 1,
            EntryKind::File => {
                self.files += 1;
                // Those of an index that is damaged may be anything.
                self.bytes = self.bytes.wrapping_add(entry.size());
            }
        }
    }

    pub(super) fn summary(&self) -> ArchiveSummary {
        ArchiveSummary {
            files: self.files,
            folders: self.folders,
            links: self.links,
            bytes: self.bytes,
            unique_bytes: self.unique_bytes,
        }
    }
}

impl fmt::Debug for Archive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Archive")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl Archive {
    /// Opens an archive.
    ///
    /// # Errors
    /// The file isn't there, may not be read, or is no database ([`ArchiveError::Database`]); it
    /// is a database of another kind ([`ArchiveError::NotAnArchive`]) or of a newer format.
    pub fn open(path: impl AsRef<Path>) -> Result<Archive, ArchiveError> {
        let path = path.as_ref();
        let db = LsmDb::builder()
            .read_only(true)
            .mmap(Mmap::All)
            .open(path)?;
        let header = db.get_with(HEADER_KEY, Header::decode)?;
        let header = match header.unwrap_or(Err(0)) {
            Ok(header) => header,
            Err(0) => {
                return Err(ArchiveError::NotAnArchive {
                    path: path.to_owned(),
                });
            }
            Err(version) => {
                return Err(ArchiveError::TooNew {
                    path: path.to_owned(),
                    version,
                });
            }
        };
        Ok(Archive {
            reader: RefCell::new(GroupReader::new(path, &db)?),
            path: path.to_owned(),
            db,
            header,
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How much is in it.
    pub fn summary(&self) -> ArchiveSummary {
        self.header.summary()
    }

    /// All entries in the order of their paths, byte by byte; the first is the folder that was
    /// packed. Only some hundred are in memory at a time.
    ///
    /// The first error is the last item.
    pub fn entries(&self) -> Entries<'_> {
        self.entries_from(&[])
    }

    fn entries_from(&self, first: &[u8]) -> Entries<'_> {
        let begin = format::index_key(first);
        Entries {
            archive: self,
            blocks: self.db.range(begin..vec![INDEX + 1]),
            block: Vec::new().into_iter(),
        }
    }

    /// The entry of this path, as [`Entry::path`] has it; `./` before it and `/` behind it don't
    /// matter. `None` if there is none.
    ///
    /// # Errors
    /// The index can't be read, or is damaged.
    pub fn entry(&self, path: impl AsRef<Path>) -> Result<Option<Entry>, ArchiveError> {
        let Some(wanted) = normal(path.as_ref()) else {
            return Ok(None);
        };
        let key = format::index_key(&wanted);
        let Some(block) = self.db.range(vec![INDEX]..=key).next_back() else {
            return Ok(None);
        };
        let (key, value) = block?;
        let mut entries = self.block(&key, &value)?;
        let found = entries.binary_search_by(|entry| entry.path.cmp(&wanted));
        Ok(found.ok().map(|at| entries.swap_remove(at)))
    }

    /// The content of one file, checked against its hash.
    ///
    /// Costs a search in the index and unpacking 256 KiB at most for a small file. The last
    /// group of contents that was unpacked is kept, for neighbours.
    ///
    /// # Errors
    /// [`ArchiveError::NoMember`] if there is no such file; [`ArchiveError::Damaged`] if its
    /// content isn't what was packed; whatever reading the archive runs into.
    pub fn read(&self, path: impl AsRef<Path>) -> Result<Vec<u8>, ArchiveError> {
        let mut content = Vec::new();
        self.copy_to(path, &mut content)?;
        Ok(content)
    }

    /// Writes the content of one file, a part at a time, so that it may be larger than memory;
    /// returns how many bytes that is.
    ///
    /// The hash is checked at the end: when it doesn't fit, the content of a large file has been
    /// written by then. Up to 256 KiB it is checked first.
    ///
    /// # Errors
    /// As [`read`](Self::read); [`ArchiveError::Output`] if `out` refuses.
    pub fn copy_to(
        &self,
        path: impl AsRef<Path>,
        mut out: impl Write,
    ) -> Result<u64, ArchiveError> {
        let path = path.as_ref();
        let entry = self
            .entry(path)?
            .filter(|entry| entry.kind() == EntryKind::File);
        let entry = entry.ok_or_else(|| ArchiveError::NoMember {
            archive: self.path.clone(),
            member: path.to_owned(),
        })?;
        self.reader.borrow_mut().contents(&entry, &mut |bytes| {
            out.write_all(bytes).map_err(ArchiveError::Output)
        })?;
        Ok(entry.size())
    }

    pub(super) fn block(&self, key: &[u8], value: &[u8]) -> Result<Vec<Entry>, ArchiveError> {
        let entries = index::entries(key, value, &mut self.reader.borrow_mut().lens.unpacker);
        entries.map_err(|problem| {
            let first = String::from_utf8_lossy(&key[1..]);
            let problem = format!("a record of the index, from {first:?} on: {problem}");
            ArchiveError::damaged(&self.path, problem)
        })
    }

    /// All entries, and that they are those that were packed.
    pub(super) fn checked_entries(&self) -> Result<Vec<Entry>, ArchiveError> {
        let mut digest = blake3::Hasher::new();
        let mut entries: Vec<Entry> = Vec::new();
        for block in self.db.prefix([INDEX]) {
            let (key, value) = block?;
            format::add_to_digest(&mut digest, &key, &value);
            let block = self.block(&key, &value)?;
            if entries
                .last()
                .zip(block.first())
                .is_some_and(|(a, b)| a.path >= b.path)
            {
                return Err(ArchiveError::damaged(
                    &self.path,
                    "the index is not in order",
                ));
            }
            entries.extend(block);
        }
        if digest.finalize() != self.header.digest {
            let problem = "the index isn't the one that was packed, its hash is another";
            return Err(ArchiveError::damaged(&self.path, problem));
        }
        Ok(entries)
    }

    pub(super) fn group_reader(&self) -> Result<GroupReader, ArchiveError> {
        GroupReader::new(&self.path, &self.db)
    }

    /// That there is as much as the header says.
    pub(super) fn check_totals(&self, entries: &[Entry]) -> Result<(), String> {
        let mut found = Header::default();
        entries.iter().for_each(|entry| found.count(entry));
        let (found, expected) = (found.summary(), self.header.summary());
        let is_same = ArchiveSummary {
            unique_bytes: expected.unique_bytes,
            ..found
        } == expected;
        match is_same {
            true => Ok(()),
            false => Err(format!(
                "the header speaks of {expected:?}, the index of {found:?}"
            )),
        }
    }
}

/// A path as it is stored; `None` for one that can't be.
pub(super) fn normal(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::Normal(name) => {
                if !bytes.is_empty() {
                    bytes.push(b'/');
                }
                bytes.extend(name.as_bytes());
            }
            _ => return None,
        }
    }
    Some(bytes)
}

/// The entries of an archive; from [`Archive::entries`].
pub struct Entries<'a> {
    archive: &'a Archive,
    blocks: LsmRange<'a>,
    block: std::vec::IntoIter<Entry>,
}

impl fmt::Debug for Entries<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entries").finish_non_exhaustive()
    }
}

impl Iterator for Entries<'_> {
    type Item = Result<Entry, ArchiveError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(entry) = self.block.next() {
                return Some(Ok(entry));
            }
            let block = match self.blocks.next()? {
                Ok((key, value)) => self.archive.block(&key, &value),
                Err(error) => Err(LsmError::into(error)),
            };
            match block {
                Ok(entries) => self.block = entries.into_iter(),
                Err(error) => {
                    self.blocks = self.archive.db.range(vec![1]..vec![0]);
                    return Some(Err(error));
                }
            }
        }
    }
}
