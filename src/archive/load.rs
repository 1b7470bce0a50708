//! What a job reads: files that may change meanwhile, and contents of an older archive.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::PathBuf;

use super::error::ArchiveError;
use super::find::{What, stamp};
use super::format::GROUP_BYTES;
use super::groups::GroupReader;
use super::plan::Source;
use super::workers::Work;

/// What a job has read.
pub(super) struct Loaded {
    pub(super) raw: Vec<u8>,
    pub(super) parts: Vec<Part>,
}

/// One content in [`Loaded::raw`].
pub(super) struct Part {
    pub(super) source: Source,
    pub(super) begin: usize,
    pub(super) hash: [u8; 32],
    /// Whether the file is as it was found, or what was in the way of reading it.
    pub(super) outcome: io::Result<bool>,
}

impl Work<'_> {
    pub(super) fn path(&self, file: usize) -> PathBuf {
        self.root.join(OsStr::from_bytes(&self.found[file].path))
    }

    pub(super) fn load(
        &self,
        sources: &[Source],
        mut old: Option<&mut GroupReader>,
    ) -> Result<Loaded, ArchiveError> {
        let (mut raw, mut parts) = (Vec::with_capacity(GROUP_BYTES), Vec::new());
        for &source in sources {
            let begin = raw.len();
            let outcome = match source {
                Source::File(file) => {
                    let outcome = self.read(file, 0, GROUP_BYTES, &mut raw);
                    self.done.add(1, (raw.len() - begin) as u64);
                    outcome
                }
                Source::Old(piece, hash) => {
                    if let Some(old) = &mut old {
                        raw.extend(old.checked_piece(piece, &hash)?);
                    }
                    Ok(true)
                }
            };
            if outcome.is_err() {
                raw.truncate(begin);
            }
            let hash = match source {
                Source::Old(_, hash) => hash,
                Source::File(_) => *blake3::hash(&raw[begin..]).as_bytes(),
            };
            parts.push(Part {
                source,
                begin,
                hash,
                outcome,
            });
        }
        Ok(Loaded { raw, parts })
    }

    /// A group of the older archive as it is stored. New contents that equal one in it will refer
    /// to that, so it must be what it was.
    pub(super) fn load_group(
        &self,
        group: u32,
        old: &mut GroupReader,
    ) -> Result<Loaded, ArchiveError> {
        let copied = self.plan.copied.get(&group);
        for (piece, hash) in copied.iter().flat_map(|copied| &copied.contents) {
            old.checked_piece(*piece, hash)?;
        }
        Ok(Loaded {
            raw: old.packed(group)?,
            parts: Vec::new(),
        })
    }

    pub(super) fn load_chunk(&self, file: usize, part: u64) -> Loaded {
        let mut raw = Vec::new();
        let outcome = self.read(file, part * GROUP_BYTES as u64, GROUP_BYTES, &mut raw);
        self.done.add(u64::from(part == 0), raw.len() as u64);
        let parts = vec![Part {
            source: Source::File(file),
            begin: 0,
            hash: *blake3::hash(&raw).as_bytes(),
            outcome,
        }];
        Loaded { raw, parts }
    }

    /// Appends what the file has from `offset` on, so many bytes at most and no more than it had
    /// when it was found. Whether it is still as it was then.
    fn read(
        &self,
        number: usize,
        offset: u64,
        limit: usize,
        out: &mut Vec<u8>,
    ) -> io::Result<bool> {
        let found = &self.found[number];
        let What::File { size } = found.what else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        // What was a file when it was found may be a link or a pipe now.
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
            .open(self.path(number))?;
        let expected = size.saturating_sub(offset).min(limit as u64);
        read_at(&file, offset, expected as usize, out)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other("it is no file any more"));
        }
        Ok(metadata.len() == size && stamp(&metadata) == found.modified)
    }
}

/// Appends so many bytes, or as many as there are.
fn read_at(file: &File, mut offset: u64, count: usize, out: &mut Vec<u8>) -> io::Result<()> {
    if offset == 0 {
        return file.take(count as u64).read_to_end(out).map(drop);
    }
    let begin = out.len();
    out.resize(begin + count, 0);
    let mut filled = begin;
    while filled < out.len() {
        match file.read_at(&mut out[filled..], offset) {
            Ok(0) => break,
            Ok(bytes) => {
                filled += bytes;
                offset += bytes as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    out.truncate(filled);
    Ok(())
}
