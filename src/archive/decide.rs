//! What of the contents that were read is there already, and where the rest goes: one job after the
//! other.

use std::io;
use std::path::Path;
use std::sync::MutexGuard;

use super::entry::{Content, Piece};
use super::error::ArchiveError;
use super::find::{SkipCause, Skipped};
use super::load::Loaded;
use super::plan::Source;
use super::workers::{Group, State, Work};

/// A large file of which some parts are decided.
pub(super) struct Large {
    hasher: blake3::Hasher,
    pieces: Vec<Piece>,
    bytes: u64,
    is_unchanged: bool,
    failure: Option<io::Error>,
}

impl Work<'_> {
    pub(super) fn copy(&self, mut state: MutexGuard<'_, State>, old: u32) -> u32 {
        let group = state.groups;
        state.groups += 1;
        state.copied.insert(old, group);
        if let Some(copied) = self.plan.copied.get(&old) {
            state.unique_bytes += copied.bytes;
            for &(piece, hash) in &copied.contents {
                state.whole.insert(hash, Piece { group, ..piece });
            }
        }
        self.decided(state);
        group
    }

    /// The group that the new ones among these contents make.
    pub(super) fn decide(&self, mut state: MutexGuard<'_, State>, loaded: Loaded) -> Option<Group> {
        let Loaded { mut raw, parts } = loaded;
        let group = state.groups;
        let mut end = raw.len();
        let ends: Vec<usize> = parts
            .iter()
            .skip(1)
            .map(|part| part.begin)
            .chain([end])
            .collect();
        // What is new moves to the front.
        let mut kept = 0;
        for (part, part_end) in parts.into_iter().zip(ends) {
            let bytes = part_end - part.begin;
            let is_unchanged = match part.outcome {
                Ok(is_unchanged) => is_unchanged,
                Err(error) => {
                    self.skip(&mut state, part.source, error);
                    continue;
                }
            };
            let piece = (bytes > 0).then(|| {
                let new = Piece {
                    group,
                    offset: kept as u32,
                    bytes: bytes as u32,
                };
                let piece = *state.whole.entry(part.hash).or_insert(new);
                if piece == new {
                    raw.copy_within(part.begin..part_end, kept);
                    kept += bytes;
                }
                piece
            });
            match (part.source, piece) {
                (Source::Old(old, _), Some(piece)) => drop(state.moved.insert(old, piece)),
                (Source::Old(..), None) => {}
                (Source::File(file), _) => {
                    let content = Content::File {
                        size: bytes as u64,
                        hash: part.hash,
                        pieces: piece.into_iter().collect(),
                    };
                    self.keep(&mut state, file, content, is_unchanged);
                }
            }
        }
        end = kept;
        raw.truncate(end);
        state.unique_bytes += end as u64;
        state.groups += u32::from(end > 0);
        self.decided(state);
        (end > 0).then_some((group, raw))
    }

    /// The group that this part of a large file makes, unless there is such a one.
    pub(super) fn decide_chunk(
        &self,
        mut state: MutexGuard<'_, State>,
        loaded: Loaded,
        file: usize,
        is_last: bool,
    ) -> Option<Group> {
        let Loaded { raw, parts } = loaded;
        let mut large = state.large.take().unwrap_or_else(Large::new);
        let mut made = None;
        for part in parts {
            match part.outcome {
                Ok(is_unchanged) => large.is_unchanged &= is_unchanged,
                Err(error) => drop(large.failure.get_or_insert(error)),
            }
            if raw.is_empty() || large.failure.is_some() {
                continue;
            }
            let new = Piece {
                group: state.groups,
                offset: 0,
                bytes: raw.len() as u32,
            };
            let piece = *state.parts.entry(part.hash).or_insert(new);
            if piece == new {
                made = Some(new.group);
                state.groups += 1;
                state.unique_bytes += raw.len() as u64;
            }
            large.hasher.update(&raw);
            large.bytes += raw.len() as u64;
            large.pieces.push(piece);
        }
        match (is_last, large.failure.take()) {
            (true, Some(error)) => self.skip(&mut state, Source::File(file), error),
            (true, None) => {
                let content = Content::File {
                    size: large.bytes,
                    hash: large.hasher.finalize().into(),
                    pieces: large.pieces,
                };
                self.keep(&mut state, file, content, large.is_unchanged);
            }
            (false, failure) => {
                large.failure = failure;
                state.large = Some(large);
            }
        }
        self.decided(state);
        made.map(|group| (group, raw))
    }

    fn keep(&self, state: &mut State, file: usize, content: Content, is_unchanged: bool) {
        if !is_unchanged {
            state
                .skipped
                .push(Skipped::new(&self.path(file), SkipCause::Changed));
        }
        state.contents.insert(file, (content, is_unchanged));
    }

    fn skip(&self, state: &mut State, source: Source, error: io::Error) {
        if let Source::File(file) = source {
            state
                .skipped
                .push(Skipped::unreadable(&self.path(file), &error));
        }
    }
}

impl State {
    /// Content of the older archive, as it is to be found in this one.
    pub(super) fn in_its_new_place(&self, kept: &Content) -> Result<Content, ArchiveError> {
        let mut content = kept.clone();
        if let Content::File { pieces, .. } = &mut content {
            for piece in pieces {
                *piece = match (self.copied.get(&piece.group), self.moved.get(piece)) {
                    (Some(&group), _) => Piece { group, ..*piece },
                    (None, Some(moved)) => *moved,
                    (None, None) => {
                        let problem = format!("group {} of contents is missing", piece.group);
                        return Err(ArchiveError::damaged(Path::new("the archive"), problem));
                    }
                };
            }
        }
        Ok(content)
    }
}

impl Large {
    fn new() -> Large {
        Large {
            hasher: blake3::Hasher::new(),
            pieces: Vec::new(),
            bytes: 0,
            is_unchanged: true,
            failure: None,
        }
    }
}
