//! Entries as records of the index, many in each.

use super::entry::{Content, Entry, Piece, Stamp};
use super::format::{
    INDEX, Input, MAX_BLOCK_BYTES, index_key, pack, put, put_bytes, unpack_up_to, unzigzag, zigzag,
};

/// So many entries, or bytes of them, are in one record of the index.
const BLOCK_ENTRIES: usize = 256;
const BLOCK_BYTES: usize = 64 * 1024;

/// Collects entries, in the order of their paths, into blocks.
#[derive(Default)]
pub(super) struct Block {
    first: Vec<u8>,
    last: Vec<u8>,
    stamp: Stamp,
    group: u32,
    raw: Vec<u8>,
    entries: usize,
}

impl Block {
    pub(super) fn is_empty(&self) -> bool {
        self.entries == 0
    }

    pub(super) fn is_full(&self) -> bool {
        self.entries >= BLOCK_ENTRIES || self.raw.len() >= BLOCK_BYTES
    }

    pub(super) fn add(&mut self, entry: &Entry) {
        if self.entries == 0 {
            self.first.clone_from(&entry.path);
        }
        let (new, old) = (&entry.path, &self.last);
        let shared = new.iter().zip(old).take_while(|(a, b)| a == b).count();
        put(&mut self.raw, shared as u64);
        put_bytes(&mut self.raw, &new[shared..]);
        let kind = match entry.content {
            Content::Folder => 0,
            Content::File { .. } => 1,
            Content::Link { .. } => 2,
        };
        self.raw.push(kind | u8::from(entry.is_fresh) << 7);
        put(&mut self.raw, entry.mode.into());
        let since = entry.modified.seconds.wrapping_sub(self.stamp.seconds);
        put(&mut self.raw, zigzag(since));
        put(&mut self.raw, entry.modified.nanoseconds.into());
        match &entry.content {
            Content::Folder => {}
            Content::File { size, hash, pieces } => {
                put(&mut self.raw, *size);
                self.raw.extend(hash);
                put(&mut self.raw, pieces.len() as u64);
                for piece in pieces {
                    let since = i64::from(piece.group) - i64::from(self.group);
                    put(&mut self.raw, zigzag(since));
                    put(&mut self.raw, piece.offset.into());
                    put(&mut self.raw, piece.bytes.into());
                    self.group = piece.group;
                }
            }
            Content::Link { target } => put_bytes(&mut self.raw, target),
        }
        self.last.clone_from(&entry.path);
        self.stamp = entry.modified;
        self.entries += 1;
    }

    /// Key and value, and an empty block in its place.
    pub(super) fn finish(
        &mut self,
        compressor: &mut zstd::bulk::Compressor<'_>,
    ) -> std::io::Result<(Vec<u8>, Vec<u8>)> {
        let block = std::mem::take(self);
        Ok((index_key(&block.first), pack(&block.raw, compressor)?))
    }
}

/// Reads the entries of a block.
///
/// # Errors
/// What is wrong with it. Paths ascend within the block, and the first one is that of the key.
pub(super) fn entries(
    key: &[u8],
    value: &[u8],
    unpacker: &mut zstd::bulk::Decompressor<'_>,
) -> Result<Vec<Entry>, String> {
    let mut raw = Vec::new();
    unpack_up_to(value, unpacker, &mut raw, MAX_BLOCK_BYTES)?;
    let mut input = Input(&raw);
    let mut state = Block::default();
    let mut entries: Vec<Entry> = Vec::new();
    while !input.0.is_empty() {
        let entry = entry(&mut input, &mut state).ok_or("an entry can't be read")?;
        let is_in_order = match entries.last() {
            None => key.strip_prefix(&[INDEX]) == Some(entry.path.as_slice()),
            Some(before) => before.path < entry.path,
        };
        if !is_in_order {
            return Err("its entries are not in order".to_owned());
        }
        entries.push(entry);
    }
    Ok(entries)
}

fn entry(input: &mut Input<'_>, state: &mut Block) -> Option<Entry> {
    let shared = usize::try_from(input.number()?).ok()?;
    let mut path = state.last.get(..shared)?.to_vec();
    path.extend(input.bytes()?);
    let (kind, is_fresh) = input
        .take(1)
        .map(|byte| (byte[0] & 0x7f, byte[0] >> 7 == 1))?;
    let mode = u32::try_from(input.number()?).ok()?;
    let since = unzigzag(input.number()?);
    let modified = Stamp {
        seconds: state.stamp.seconds.wrapping_add(since),
        nanoseconds: u32::try_from(input.number()?).ok()?,
    };
    if mode > 0o7777 || modified.nanoseconds >= 1_000_000_000 {
        return None;
    }
    let content = match kind {
        0 => Content::Folder,
        1 => {
            let size = input.number()?;
            let hash = input.take(32)?.try_into().ok()?;
            let count = usize::try_from(input.number()?).ok()?;
            let mut pieces = Vec::with_capacity(count.min(input.0.len() / 3));
            let mut total = 0_u64;
            for _ in 0..count {
                let group = i64::from(state.group).checked_add(unzigzag(input.number()?))?;
                let piece = Piece {
                    group: u32::try_from(group).ok()?,
                    offset: u32::try_from(input.number()?).ok()?,
                    bytes: u32::try_from(input.number()?).ok()?,
                };
                piece.offset.checked_add(piece.bytes)?;
                state.group = piece.group;
                total += u64::from(piece.bytes);
                pieces.push(piece);
            }
            if total != size {
                return None;
            }
            Content::File { size, hash, pieces }
        }
        2 => Content::Link {
            target: input.bytes()?.to_vec(),
        },
        _ => return None,
    };
    state.last.clone_from(&path);
    state.stamp = modified;
    Some(Entry {
        path,
        mode,
        modified,
        is_fresh,
        content,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::format::{PLAIN, unpack};

    fn samples() -> Vec<Entry> {
        let file = |path: &[u8], pieces: &[(u32, u32, u32)]| Entry {
            path: path.to_vec(),
            mode: 0o4755,
            modified: Stamp {
                seconds: i64::MIN + 7,
                nanoseconds: 999_999_999,
            },
            is_fresh: true,
            content: Content::File {
                size: pieces.iter().map(|piece| u64::from(piece.2)).sum(),
                hash: [0xab; 32],
                pieces: (pieces.iter())
                    .map(|&(group, offset, bytes)| Piece {
                        group,
                        offset,
                        bytes,
                    })
                    .collect(),
            },
        };
        let other = |path: &[u8], content| Entry {
            path: path.to_vec(),
            mode: 0,
            modified: Stamp::default(),
            is_fresh: false,
            content,
        };
        vec![
            other(b"", Content::Folder),
            file(b"a", &[]),
            file(
                b"a\xff",
                &[(u32::MAX, 0, u32::MAX), (0, 7, 9), (1, u32::MAX, 0)],
            ),
            other(
                b"b",
                Content::Link {
                    target: vec![0xff, b'/', b'.'],
                },
            ),
        ]
    }

    fn packed(entries: &[Entry]) -> (Vec<u8>, Vec<u8>) {
        let mut block = Block::default();
        entries.iter().for_each(|entry| block.add(entry));
        block
            .finish(&mut zstd::bulk::Compressor::new(3).unwrap())
            .unwrap()
    }

    #[test]
    fn entries_come_back_whatever_is_in_them() {
        let (key, value) = packed(&samples());
        let mut unpacker = zstd::bulk::Decompressor::new().unwrap();
        assert_eq!(entries(&key, &value, &mut unpacker), Ok(samples()));
    }

    #[test]
    fn mangled_blocks_are_refused_or_read_without_a_panic() {
        let mut unpacker = zstd::bulk::Decompressor::new().unwrap();
        let (key, value) = packed(&samples());
        let mut raw = Vec::new();
        unpack(&value, &mut unpacker, &mut raw).unwrap();
        let mut refused = 0;
        for at in 0..raw.len() {
            for bit in 0..8 {
                let mut mangled = vec![PLAIN];
                mangled.extend(u32::try_from(raw.len()).unwrap().to_be_bytes());
                mangled.extend(&raw);
                mangled[5 + at] ^= 1 << bit;
                refused += u32::from(entries(&key, &mangled, &mut unpacker).is_err());
            }
            let cut = [&[PLAIN], &(at as u32).to_be_bytes()[..], &raw[..at]].concat();
            let found = entries(&key, &cut, &mut unpacker);
            assert!(found.is_err() || found.unwrap().len() < samples().len());
        }
        assert!(refused > 100, "{refused}");
    }
}
