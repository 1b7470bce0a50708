//! The log: what was committed since a checkpoint.
//!
//! It begins at the offset that the checkpoint names, or, if nothing valid is there, at 0. A frame
//! is a kind (1 byte) and:
//!
//! | kind | frame | content |
//! |---|---|---|
//! | 0 | end | |
//! | 1 | padding | |
//! | 2 | padding | length (varint), that many bytes |
//! | 3 | commit | checksum |
//! | 4 | jump | offset in the file at which the log goes on (varint) |
//! | 6, 7 | insert | lengths of key and value (varints); 7: checksum; key, value |
//! | 8, 9 | delete | length of the key (varint); 9: checksum; key |
//! | 10, 11 | delete between two keys, exclusive | as insert |
//!
//! A checksum is two 32-bit numbers, big-endian, over everything before it: eight bytes at a time,
//! as two little-endian numbers that go into the sums in turn. It pads what it covers with zeros
//! and the count starts again behind it. A checkpoint has the sums at its offset.
//!
//! What follows the last commit that matches isn't part of the log: a transaction that wasn't
//! finished, or remains of an earlier use of the file.

use std::ffi::OsString;
use std::path::Path;

use super::checkpoint::Checkpoint;
use super::source::{FileSource, Source};
use super::varint;

/// The sums at the beginning of a new log.
const FIRST: [u32; 2] = [1234, 5678];

/// Without a checksum for so many bytes, and then some, a log isn't sound.
const UNCHECKED: u64 = 33 * 1024;

/// The engine follows so many jumps.
const JUMPS: usize = 2;

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Insert(Vec<u8>, Vec<u8>),
    Delete(Vec<u8>),
    /// Keys strictly between the two.
    DeleteBetween(Vec<u8>, Vec<u8>),
}

/// Where the log begins, and how many transactions it has.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    offset: u64,
    sums: [u32; 2],
    pub(crate) transactions: u64,
}

/// The log beside a database file, if it has one that isn't empty.
pub(crate) fn source_beside(path: &Path) -> Option<FileSource> {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let mut name = OsString::from(path);
    name.push("-log");
    FileSource::open(Path::new(&name))
        .ok()
        .filter(|log| log.len() > 0)
}

/// Finds the transactions behind a checkpoint; `None` if there are none.
pub(crate) fn find(source: &dyn Source, checkpoint: Option<&Checkpoint>) -> Option<Found> {
    let (offset, sums) = match checkpoint {
        Some(checkpoint) => (checkpoint.log_offset, checkpoint.log_checksum),
        None => (0, FIRST),
    };
    let at = |offset| {
        let transactions = count(Reader::new(source, offset, sums));
        (transactions > 0).then_some(Found {
            offset,
            sums,
            transactions,
        })
    };
    match at(offset) {
        None if offset != 0 => at(0),
        found => found,
    }
}

/// Finds transactions without knowing the sums: at the first commit of the file whose checksum is
/// the beginning of a sound log. What comes before it can't be checked, and counts.
pub(crate) fn guess(source: &dyn Source) -> Option<Found> {
    let mut reader = Reader::new(source, 0, FIRST);
    reader.trusting = true;
    loop {
        match reader.frame()? {
            Frame::Commit { .. } => break,
            Frame::End => return None,
            Frame::Change(_) | Frame::Other => {}
        }
    }
    let following = count(Reader::new(source, reader.at, reader.sums));
    (following > 0).then_some(Found {
        offset: 0,
        sums: FIRST,
        transactions: following + 1,
    })
}

/// Where the transactions lie: first byte of each stretch, and the one behind it, in the order in
/// which they are read.
#[cfg(feature = "tools")]
pub(crate) fn stretches(source: &dyn Source, found: &Found) -> Vec<(u64, u64)> {
    let mut reader = Reader::new(source, found.offset, found.sums);
    reader.trusting = true;
    let mut left = found.transactions;
    while left > 0 {
        match reader.frame() {
            Some(Frame::Commit { .. }) => left -= 1,
            Some(Frame::End) | None => break,
            Some(Frame::Change(_) | Frame::Other) => {}
        }
    }
    let mut stretches = Vec::new();
    let mut from = found.offset;
    for &(end, to) in &reader.jumps {
        stretches.push((from, end));
        from = to;
    }
    stretches.push((from, reader.at));
    stretches
}

/// Hands over the changes of all whole transactions, in order.
///
/// # Errors
/// The first one that `apply` returns.
pub(crate) fn replay<E>(
    source: &dyn Source,
    found: &Found,
    apply: &mut dyn FnMut(Change) -> Result<(), E>,
) -> Result<(), E> {
    let mut reader = Reader::new(source, found.offset, found.sums);
    reader.trusting = true;
    let mut left = found.transactions;
    while left > 0 {
        match reader.frame() {
            Some(Frame::Change(change)) => apply(change)?,
            Some(Frame::Commit { .. }) => left -= 1,
            Some(Frame::Other) => {}
            Some(Frame::End) | None => break,
        }
    }
    Ok(())
}

fn count(mut reader: Reader<'_>) -> u64 {
    let mut commits = 0;
    loop {
        match reader.frame() {
            Some(Frame::Commit { sound: true }) => commits += 1,
            Some(Frame::Change(_) | Frame::Other) => {}
            _ => return commits,
        }
    }
}

enum Frame {
    Change(Change),
    Commit { sound: bool },
    Other,
    End,
}

/// Reads frames and keeps the sums.
struct Reader<'a> {
    source: &'a dyn Source,
    at: u64,
    sums: [u32; 2],
    /// Bytes that don't fill eight yet.
    pending: Vec<u8>,
    /// Bytes since the last checksum.
    unchecked: u64,
    /// Where each jump ended, and where it led.
    jumps: Vec<(u64, u64)>,
    /// Checksums were compared before, or can't be.
    trusting: bool,
    buffer: Vec<u8>,
    buffer_at: u64,
}

impl<'a> Reader<'a> {
    fn new(source: &'a dyn Source, at: u64, sums: [u32; 2]) -> Reader<'a> {
        Reader {
            source,
            at,
            sums,
            pending: Vec::new(),
            unchecked: 0,
            jumps: Vec::new(),
            trusting: false,
            buffer: Vec::new(),
            buffer_at: 0,
        }
    }

    /// The next frame; `None` where it makes no sense.
    fn frame(&mut self) -> Option<Frame> {
        let kind = self.byte()?;
        match kind {
            1 => Some(Frame::Other),
            2 => {
                let len = self.length()?;
                self.bytes(len)?;
                Some(Frame::Other)
            }
            3 => {
                let sound = self.checksum()?;
                Some(Frame::Commit { sound })
            }
            4 => {
                let to = self.varint()?;
                self.jumps.push((self.at, to));
                if self.jumps.len() > JUMPS {
                    return Some(Frame::End);
                }
                self.at = to;
                Some(Frame::Other)
            }
            6 | 7 | 10 | 11 => {
                let (first, second) = (self.length()?, self.length()?);
                self.check_if(kind & 1 == 1, first.checked_add(second)?)?;
                let (first, second) = (self.bytes(first)?, self.bytes(second)?);
                Some(Frame::Change(match kind {
                    6 | 7 => Change::Insert(first, second),
                    _ => Change::DeleteBetween(first, second),
                }))
            }
            8 | 9 => {
                let len = self.length()?;
                self.check_if(kind == 9, len)?;
                Some(Frame::Change(Change::Delete(self.bytes(len)?)))
            }
            _ => Some(Frame::End),
        }
    }

    /// Either the frame has a checksum, or there was one not long ago.
    fn check_if(&mut self, checksum: bool, len: u64) -> Option<()> {
        match checksum {
            true => self.checksum().filter(|&sound| sound).map(|_| ()),
            false => (self.unchecked.saturating_add(len) <= UNCHECKED).then_some(()),
        }
    }

    fn checksum(&mut self) -> Option<bool> {
        let mut rest = std::mem::take(&mut self.pending);
        if !rest.is_empty() {
            rest.resize(8, 0);
            self.sum(&rest);
        }
        let mut stored = [0; 8];
        for byte in &mut stored {
            *byte = self.raw()?;
        }
        self.unchecked = 0;
        let stored = [super::be32(&stored, 0)?, super::be32(&stored, 4)?];
        let sound = self.trusting || stored == self.sums;
        self.sums = stored;
        Some(sound)
    }

    fn sum(&mut self, eight: &[u8]) {
        let number = |at: usize| {
            let bytes = eight.get(at..).and_then(|bytes| bytes.first_chunk::<4>());
            u32::from_le_bytes(*bytes.unwrap_or(&[0; 4]))
        };
        let [a, b] = &mut self.sums;
        *a = a.wrapping_add(number(0)).wrapping_add(*b);
        *b = b.wrapping_add(number(4)).wrapping_add(*a);
    }

    fn length(&mut self) -> Option<u64> {
        self.varint().filter(|&n| n <= i32::MAX as u64)
    }

    fn varint(&mut self) -> Option<u64> {
        let first = self.byte()?;
        let mut bytes = vec![first];
        for _ in 1..varint::len(first) {
            bytes.push(self.byte()?);
        }
        varint::read(&bytes).map(|(number, _)| number)
    }

    fn bytes(&mut self, len: u64) -> Option<Vec<u8>> {
        // Not more than there is, whatever is stated.
        if len > self.source.len().saturating_sub(self.at) {
            return None;
        }
        let mut bytes = Vec::new();
        for _ in 0..len {
            bytes.push(self.byte()?);
        }
        Some(bytes)
    }

    /// A byte that the next checksum covers.
    fn byte(&mut self) -> Option<u8> {
        let byte = self.raw()?;
        self.unchecked += 1;
        self.pending.push(byte);
        if self.pending.len() == 8 {
            let eight = std::mem::take(&mut self.pending);
            self.sum(&eight);
            self.pending = eight;
            self.pending.clear();
        }
        Some(byte)
    }

    fn raw(&mut self) -> Option<u8> {
        let inside = |at: u64, start: u64, buffer: &[u8]| {
            let index = usize::try_from(at.checked_sub(start)?).ok()?;
            buffer.get(index).copied()
        };
        let byte = match inside(self.at, self.buffer_at, &self.buffer) {
            Some(byte) => byte,
            None => {
                let left = self.source.len().checked_sub(self.at)?;
                self.buffer.resize(left.min(64 * 1024) as usize, 0);
                self.buffer_at = self.at;
                if self.source.read_at(self.at, &mut self.buffer).is_err() {
                    self.buffer.clear();
                    return None;
                }
                *self.buffer.first()?
            }
        };
        self.at += 1;
        Some(byte)
    }
}
