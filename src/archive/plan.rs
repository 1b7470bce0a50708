//! Which contents come together into which group, and what is taken over from an older archive.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};

use super::entry::{Content, Entry, Piece, Stamp};
use super::error::ArchiveError;
use super::find::{Found, What};
use super::format::GROUP_BYTES;
use super::reader::Archive;

/// What makes one group, or none if all of it is there already.
pub(super) enum Job {
    /// A group of the older archive as it is.
    Copy(u32),
    /// Small contents, one after the other.
    Group(Vec<Source>),
    /// A part of a large file: its number among those found, that of the part, and whether it is
    /// the last.
    Chunk(usize, u64, bool),
}

/// A group that is copied: whole contents with their hashes, and how much is in it.
pub(super) struct Copied {
    pub(super) contents: Vec<(Piece, [u8; 32])>,
    pub(super) bytes: u64,
}

#[derive(Copy, Clone)]
pub(super) enum Source {
    /// By its number among those found.
    File(usize),
    /// Content of the older archive, and its hash.
    Old(Piece, [u8; 32]),
}

/// How an archive is to be made.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) jobs: Vec<Job>,
    /// Content that files have in the older archive, by their numbers among those found.
    pub(super) kept: HashMap<usize, Content>,
    /// What is in the groups that are copied.
    pub(super) copied: HashMap<u32, Copied>,
    pub(super) total: (u64, u64),
}

impl Plan {
    /// A file that the older archive has with this size and time isn't read.
    pub(super) fn new(found: &[Found], old: Option<&Archive>) -> Result<Plan, ArchiveError> {
        let mut plan = Plan::default();
        let mut sources = Vec::new();
        if let Some(old) = old {
            plan.keep(found, old, &mut sources)?;
        }
        for (number, file) in found.iter().enumerate() {
            if let What::File { size } = file.what {
                plan.total.0 += 1;
                plan.total.1 += size;
                if !plan.kept.contains_key(&number) {
                    sources.push((Source::File(number), number, size));
                }
            }
        }
        plan.group(found, sources);
        Ok(plan)
    }

    /// Decides which groups of the older archive are copied: those that only have content which
    /// is wanted, and are large enough. Wanted content of the others is packed again.
    fn keep(
        &mut self,
        found: &[Found],
        old: &Archive,
        sources: &mut Vec<(Source, usize, u64)>,
    ) -> Result<(), ArchiveError> {
        let numbers: HashMap<&[u8], usize> = (found.iter().enumerate())
            .map(|(number, found)| (&*found.path, number))
            .collect();
        // All contents in each group, and the number of a file that has it, if one is kept.
        let mut groups: BTreeMap<u32, HashMap<Piece, Use>> = BTreeMap::new();
        for entry in old.checked_entries()? {
            let number = numbers.get(&*entry.path).copied();
            let number = number.filter(|&number| is_same(&found[number], &entry));
            let Content::File { hash, pieces, .. } = &entry.content else {
                continue;
            };
            for piece in pieces {
                let is_whole = pieces.len() == 1;
                let used = groups
                    .entry(piece.group)
                    .or_default()
                    .entry(*piece)
                    .or_default();
                used.by = used.by.or(number);
                used.hash = used.hash.or(is_whole.then_some(*hash));
            }
            if let Some(number) = number {
                self.kept.insert(number, entry.content);
            }
        }
        for (group, pieces) in groups {
            let bytes: u64 = pieces.keys().map(|piece| u64::from(piece.bytes)).sum();
            let is_wanted = pieces.values().all(|used| used.by.is_some());
            let can_be_split = pieces.values().all(|used| used.hash.is_some());
            let hashes = pieces
                .iter()
                .filter_map(|(&piece, used)| Some((piece, used.hash?)));
            if is_wanted && (!can_be_split || bytes >= GROUP_BYTES as u64 / 4) {
                self.jobs.push(Job::Copy(group));
                let contents = hashes.collect();
                self.copied.insert(group, Copied { contents, bytes });
                continue;
            }
            for (piece, used) in &pieces {
                if let (Some(number), Some(hash)) = (used.by, used.hash) {
                    let source = Source::Old(*piece, hash);
                    sources.push((source, number, piece.bytes.into()));
                }
            }
        }
        Ok(())
    }

    /// Contents that are alike come together: those of one extension and name.
    fn group(&mut self, found: &[Found], mut sources: Vec<(Source, usize, u64)>) {
        sources.sort_unstable_by(|a, b| {
            likeness(&found[a.1].path, &found[b.1].path).then_with(|| a.1.cmp(&b.1))
        });
        let (mut group, mut bytes) = (Vec::new(), 0);
        let limit = GROUP_BYTES as u64;
        for (source, number, size) in sources {
            if size > limit {
                let parts = size.div_ceil(limit);
                let chunk = |part| Job::Chunk(number, part, part + 1 == parts);
                self.jobs.extend((0..parts).map(chunk));
                continue;
            }
            if bytes + size > limit {
                self.jobs.push(Job::Group(std::mem::take(&mut group)));
                bytes = 0;
            }
            group.push(source);
            bytes += size;
        }
        if !group.is_empty() {
            self.jobs.push(Job::Group(group));
        }
    }
}

/// Who has some content of an older archive.
#[derive(Default)]
struct Use {
    by: Option<usize>,
    /// Unless it is a part of something.
    hash: Option<[u8; 32]>,
}

/// The file is as it was when it was packed.
fn is_same(found: &Found, entry: &Entry) -> bool {
    let What::File { size } = found.what else {
        return false;
    };
    entry.hash().is_some()
        && !entry.is_fresh
        && entry.size() == size
        && entry.modified == found.modified
}

/// A file that was changed so shortly before packing began may be changed again without its
/// time showing it.
pub(super) fn is_fresh(modified: Stamp, began_seconds: i64) -> bool {
    modified.seconds >= began_seconds.saturating_sub(2)
}

fn likeness(a: &[u8], b: &[u8]) -> Ordering {
    let parts = |path| {
        let name = split_at_last(path, b'/').1;
        // `.gitignore` has no extension.
        let (stem, extension) = split_at_last(name, b'.');
        match stem.is_empty() {
            true => (&[][..], name),
            false => (extension, name),
        }
    };
    parts(a).cmp(&parts(b))
}

fn split_at_last(bytes: &[u8], separator: u8) -> (&[u8], &[u8]) {
    match bytes.iter().rposition(|&byte| byte == separator) {
        Some(at) => (&bytes[..at], &bytes[at + 1..]),
        None => (&[], bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alike_means_extension_then_name() {
        let mut paths = [
            "z/a.txt",
            "b/Makefile",
            "a/c.rs",
            "z/a.rs",
            "y/.rs",
            "b/a.rs",
        ];
        paths.sort_by(|a, b| likeness(a.as_bytes(), b.as_bytes()).then(a.cmp(b)));
        assert_eq!(
            paths,
            [
                "y/.rs",
                "b/Makefile",
                "b/a.rs",
                "z/a.rs",
                "a/c.rs",
                "z/a.txt"
            ]
        );
    }
}
