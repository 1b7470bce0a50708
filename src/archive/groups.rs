//! Contents by the groups that they are in.

use std::path::{Path, PathBuf};

use super::entry::{Content, Entry, Piece};
use super::error::ArchiveError;
use super::format;
use crate::db::LsmDb;
use crate::error::LsmError;
use crate::reader::Reader;

/// Unpacks groups; has what can be used again.
pub(super) struct Lens {
    pub(super) unpacker: zstd::bulk::Decompressor<'static>,
    group: Option<u32>,
    raw: Vec<u8>,
}

/// A reader of groups for a thread of its own.
pub(super) struct GroupReader {
    path: PathBuf,
    reader: Reader,
    pub(super) lens: Lens,
}

impl GroupReader {
    pub(super) fn new(path: &Path, db: &LsmDb) -> Result<GroupReader, ArchiveError> {
        Ok(GroupReader {
            path: path.to_owned(),
            reader: db.reader()?,
            lens: Lens::new(path)?,
        })
    }

    fn damaged(&self, problem: impl Into<String>) -> ArchiveError {
        ArchiveError::damaged(&self.path, problem)
    }

    /// Shows the content of a file, a part at a time; a small one when its hash is right.
    ///
    /// # Errors
    /// Also that the content isn't what was packed, and those of `show`.
    pub(super) fn contents(
        &mut self,
        entry: &Entry,
        show: &mut dyn FnMut(&[u8]) -> Result<(), ArchiveError>,
    ) -> Result<(), ArchiveError> {
        let Content::File { hash, pieces, .. } = &entry.content else {
            return Ok(());
        };
        let found = match pieces.as_slice() {
            [piece] => {
                let bytes = self.piece(*piece)?;
                if blake3::hash(bytes) == *hash {
                    return show(bytes);
                }
                None
            }
            pieces => {
                let mut hasher = blake3::Hasher::new();
                for piece in pieces {
                    let bytes = self.piece(*piece)?;
                    hasher.update(bytes);
                    show(bytes)?;
                }
                Some(hasher.finalize())
            }
        };
        match found.is_some_and(|found| found == *hash) {
            true => Ok(()),
            false => {
                let member = entry.path().display();
                Err(self.damaged(format!("the content of {member} isn't what was packed")))
            }
        }
    }

    /// These bytes, of the group that was unpacked last or another one.
    pub(super) fn piece(&mut self, piece: Piece) -> Result<&[u8], ArchiveError> {
        let reader = &self.reader;
        self.lens.piece(&self.path, piece, |lens, key| {
            reader.get_with(key, |value| lens.unpack(piece, value))
        })
    }

    /// The same, if they have this hash.
    pub(super) fn checked_piece(
        &mut self,
        piece: Piece,
        hash: &[u8; 32],
    ) -> Result<&[u8], ArchiveError> {
        if blake3::hash(self.piece(piece)?) != *hash {
            let group = piece.group;
            return Err(self.damaged(format!("group {group} of contents isn't what was packed")));
        }
        self.piece(piece)
    }

    /// A group as it is stored.
    pub(super) fn packed(&self, group: u32) -> Result<Vec<u8>, ArchiveError> {
        let found = self.reader.get(format::group_key(group))?;
        found.ok_or_else(|| missing(&self.path, group))
    }
}

impl Lens {
    fn new(path: &Path) -> Result<Lens, ArchiveError> {
        let unpacker = zstd::bulk::Decompressor::new();
        Ok(Lens {
            unpacker: unpacker.map_err(|error| ArchiveError::io("read", path, error))?,
            group: None,
            raw: Vec::new(),
        })
    }

    fn unpack(&mut self, piece: Piece, value: &[u8]) -> Result<(), String> {
        self.group = None;
        format::unpack(value, &mut self.unpacker, &mut self.raw)?;
        self.group = Some(piece.group);
        Ok(())
    }

    fn piece(
        &mut self,
        path: &Path,
        piece: Piece,
        get: impl FnOnce(&mut Lens, [u8; 5]) -> Result<Option<Result<(), String>>, LsmError>,
    ) -> Result<&[u8], ArchiveError> {
        if self.group != Some(piece.group) {
            match get(self, format::group_key(piece.group)) {
                Ok(Some(Ok(()))) => {}
                Ok(Some(Err(problem))) => {
                    let problem = format!("group {} of contents: {problem}", piece.group);
                    return Err(ArchiveError::damaged(path, problem));
                }
                Ok(None) => return Err(missing(path, piece.group)),
                Err(error) => return Err(error.into()),
            }
        }
        let begin = piece.offset as usize;
        let found = self.raw.get(begin..begin + piece.bytes as usize);
        found.ok_or_else(|| {
            let problem = format!("group {} of contents is too short", piece.group);
            ArchiveError::damaged(path, problem)
        })
    }
}

fn missing(path: &Path, group: u32) -> ArchiveError {
    ArchiveError::damaged(path, format!("group {group} of contents is missing"))
}
