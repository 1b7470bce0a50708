//! The binary form of a dump.
//!
//! It begins with eight bytes, `89 4C 53 4D 44 0D 0A` and the version, 1. Then come frames. Each has
//! a head of nine bytes: its kind (1), the length of its content (4), and a CRC-32C (4) of its number
//! in the stream (8), its kind, its length and its content. Numbers are little-endian; a varint
//! has seven bits in each byte, the lowest first, and the highest bit set in all but the last.
//!
//! | kind | content |
//! |---|---|
//! | 1: origin | 24 bytes that tell the source and its state from others; may be left out |
//! | 2: table | what follows is in the table of this name, in UTF-8; empty: plain keys |
//! | 3: records | for each: how many bytes its key shares with the key before it in the frame (varint), how many follow (varint), how many the value has (varint), the rest of the key, the value |
//! | 4: end | how many records there were (8), and how many frames (8) |
//!
//! Frames can't be lost, exchanged or changed unnoticed; nor can the end.

use std::io::{self, Read, Write};

use super::{DumpError, Entry, RecordSource};

/// How every binary dump begins, up to its version.
pub(super) const MAGIC: [u8; 7] = *b"\x89LSMD\r\n";
const VERSION: u8 = 1;
const HEAD: usize = 9;
/// A frame is ended behind the record with which it becomes this long.
const FRAME_BYTES: usize = 256 << 10;

const ORIGIN: u8 = 1;
const TABLE: u8 = 2;
const RECORDS: u8 = 3;
const END: u8 = 4;

/// Tells the source of a dump, and its state, from others: a dump that was interrupted goes on only
/// if it is the same.
pub type Origin = [u8; 24];

/// Writes the binary form.
///
/// ```
/// use lsmlite_rs::dump::{BinaryReader, BinaryWriter, Entry, RecordSource};
///
/// let mut dump = BinaryWriter::new(Vec::new(), None)?;
/// dump.record(b"key", b"value")?;
/// dump.table(Some("users"))?;
/// dump.record(b"7", b"Anna")?;
/// let bytes = dump.finish()?;
///
/// let mut dump = BinaryReader::new(&bytes[..])?;
/// assert_eq!(dump.next_entry()?, Some(Entry::Record(b"key", b"value")));
/// assert_eq!(dump.next_entry()?, Some(Entry::Table(Some("users"))));
/// assert_eq!(dump.next_entry()?, Some(Entry::Record(b"7", b"Anna")));
/// assert_eq!(dump.next_entry()?, None);
/// # Ok::<(), lsmlite_rs::dump::DumpError>(())
/// ```
#[derive(Debug)]
pub struct BinaryWriter<W: Write> {
    out: W,
    frames: u64,
    records: u64,
    /// The frame of records that isn't written yet, with room for its head.
    frame: Vec<u8>,
    last_key: Vec<u8>,
}

impl<W: Write> BinaryWriter<W> {
    /// Begins a dump.
    ///
    /// # Errors
    /// `out` fails.
    pub fn new(mut out: W, origin: Option<&Origin>) -> io::Result<BinaryWriter<W>> {
        out.write_all(&MAGIC)?;
        out.write_all(&[VERSION])?;
        let mut writer = BinaryWriter::going_on(out, 0, 0);
        if let Some(origin) = origin {
            writer.frame.extend_from_slice(origin);
            writer.write_frame(ORIGIN)?;
        }
        Ok(writer)
    }

    /// Goes on with a dump of which so many whole frames and records are written already; see
    /// [`BinaryReader::position`].
    pub fn going_on(out: W, frames: u64, records: u64) -> BinaryWriter<W> {
        BinaryWriter {
            out,
            frames,
            records,
            frame: vec![0; HEAD],
            last_key: Vec::new(),
        }
    }

    /// What follows is in this table.
    ///
    /// # Errors
    /// The stream fails.
    pub fn table(&mut self, name: Option<&str>) -> io::Result<()> {
        self.write_records()?;
        self.frame
            .extend_from_slice(name.unwrap_or_default().as_bytes());
        self.write_frame(TABLE)
    }

    /// Writes a record.
    ///
    /// # Errors
    /// The stream fails; key and value have more than 2 GiB.
    pub fn record(&mut self, key: &[u8], value: &[u8]) -> io::Result<()> {
        let pairs = self.last_key.iter().zip(key);
        let shared = pairs.take_while(|(last, this)| last == this).count();
        for number in [shared, key.len() - shared, value.len()] {
            varint(number as u64, &mut self.frame);
        }
        self.frame.extend_from_slice(&key[shared..]);
        self.frame.extend_from_slice(value);
        self.last_key.truncate(shared);
        self.last_key.extend_from_slice(&key[shared..]);
        self.records += 1;
        match self.frame.len() >= FRAME_BYTES {
            true => self.write_records(),
            false => Ok(()),
        }
    }

    /// Records that were written so far.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// The stream, with whole frames in it: for a dump that is [to go on](Self::going_on) another time.
    pub fn into_inner(self) -> W {
        self.out
    }

    /// Ends the dump: without that it counts as cut off. Returns the stream, flushed.
    ///
    /// # Errors
    /// The stream fails.
    pub fn finish(mut self) -> io::Result<W> {
        self.write_records()?;
        self.frame.extend_from_slice(&self.records.to_le_bytes());
        self.frame.extend_from_slice(&self.frames.to_le_bytes());
        self.write_frame(END)?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn write_records(&mut self) -> io::Result<()> {
        self.last_key.clear();
        match self.frame.len() > HEAD {
            true => self.write_frame(RECORDS),
            false => Ok(()),
        }
    }

    fn write_frame(&mut self, kind: u8) -> io::Result<()> {
        let (head, content) = self.frame.split_at_mut(HEAD);
        let len = u32::try_from(content.len())
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "a record is too large"))?;
        let [crc, len] = [checksum(self.frames, kind, len, content), len].map(u32::to_le_bytes);
        head[0] = kind;
        head[1..5].copy_from_slice(&len);
        head[5..].copy_from_slice(&crc);
        self.out.write_all(&self.frame)?;
        self.frame.truncate(HEAD);
        self.frames += 1;
        Ok(())
    }
}

fn checksum(number: u64, kind: u8, len: u32, content: &[u8]) -> u32 {
    let mut crc = crc32c::crc32c(&number.to_le_bytes());
    crc = crc32c::crc32c_append(crc, &[kind]);
    crc = crc32c::crc32c_append(crc, &len.to_le_bytes());
    crc32c::crc32c_append(crc, content)
}

/// Reads the binary form, and checks it. Memory is that of a frame: 256 KiB, or its largest record.
#[derive(Debug)]
pub struct BinaryReader<R: Read> {
    input: R,
    frames: u64,
    records: u64,
    offset: u64,
    origin: Option<Origin>,
    frame: Vec<u8>,
    kind: u8,
    /// Where the next record begins in the frame.
    at: usize,
    key: Vec<u8>,
    is_done: bool,
}

/// How much of a dump is whole; from [`BinaryReader::position`].
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DumpPosition {
    /// Bytes up to the end of the last frame that was read.
    pub bytes: u64,
    /// Frames.
    pub frames: u64,
    /// Records of which something was returned.
    pub records: u64,
}

impl<R: Read> BinaryReader<R> {
    /// Reads the beginning.
    ///
    /// # Errors
    /// [`DumpError::NotADump`], [`DumpError::Version`]; the stream fails.
    pub fn new(mut input: R) -> Result<BinaryReader<R>, DumpError> {
        let mut begin = [0; 8];
        let read = input.read_exact(&mut begin);
        read.map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => DumpError::NotADump,
            _ => DumpError::Io(error),
        })?;
        match begin.split_last() {
            Some((&VERSION, magic)) if magic == MAGIC => {}
            Some((&version, magic)) if magic == MAGIC => return Err(DumpError::Version(version)),
            _ => return Err(DumpError::NotADump),
        }
        Ok(BinaryReader {
            input,
            frames: 0,
            records: 0,
            offset: begin.len() as u64,
            origin: None,
            frame: Vec::new(),
            kind: RECORDS,
            at: 0,
            key: Vec::new(),
            is_done: false,
        })
    }

    /// What the dump says of its source; known from the first entry on.
    pub fn origin(&self) -> Option<&Origin> {
        self.origin.as_ref()
    }

    /// How much was read, and is whole.
    pub fn position(&self) -> DumpPosition {
        DumpPosition {
            bytes: self.offset,
            frames: self.frames,
            records: self.records,
        }
    }

    fn damaged<T>(&self, problem: impl Into<String>) -> Result<T, DumpError> {
        Err(DumpError::Damaged {
            offset: self.offset,
            problem: problem.into(),
        })
    }

    /// Reads a frame; false at the end of the dump.
    fn next_frame(&mut self) -> Result<bool, DumpError> {
        let cut_off = DumpError::CutOff {
            offset: self.offset,
        };
        let mut head = [0; HEAD];
        match self.input.read_exact(&mut head) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(cut_off),
            read => read?,
        }
        let number = |at: usize| {
            let mut bytes = [0; 4];
            bytes.copy_from_slice(&head[at..at + 4]);
            u32::from_le_bytes(bytes)
        };
        let (kind, len, crc) = (head[0], number(1), number(5));
        if !(ORIGIN..=END).contains(&kind) {
            return self.damaged(format!("there is no kind {kind} of frames"));
        }
        self.frame.clear();
        // Takes no more memory than there are bytes, whatever the length says.
        let mut content = (&mut self.input).take(len.into());
        if content.read_to_end(&mut self.frame)? < len as usize {
            return Err(cut_off);
        }
        if checksum(self.frames, kind, len, &self.frame) != crc {
            return self.damaged("its checksum is wrong");
        }
        (self.kind, self.at) = (kind, 0);
        self.key.clear();
        if kind == END {
            let counts = [self.records, self.frames].map(u64::to_le_bytes).concat();
            if self.frame != counts {
                return self.damaged("it counts other records than there are");
            }
            let mut more = [0];
            if self.input.read(&mut more)? > 0 {
                return self.damaged("something follows the end");
            }
        }
        self.frames += 1;
        self.offset += (HEAD as u64) + u64::from(len);
        Ok(kind != END)
    }

    /// The next record of the frame: its key is in `self.key`, its value at this place.
    fn next_record(&mut self) -> Option<std::ops::Range<usize>> {
        let mut numbers = [0; 3];
        for number in &mut numbers {
            let (value, len) = read_varint(&self.frame[self.at..])?;
            *number = usize::try_from(value).ok()?;
            self.at += len;
        }
        let [shared, rest, value] = numbers;
        if shared > self.key.len() {
            return None;
        }
        let key_end = self.at.checked_add(rest)?;
        let value_end = key_end.checked_add(value)?;
        let rest = self.frame.get(self.at..key_end)?;
        self.frame.get(key_end..value_end)?;
        self.key.truncate(shared);
        self.key.extend_from_slice(rest);
        self.at = value_end;
        Some(key_end..value_end)
    }
}

impl<R: Read> RecordSource for BinaryReader<R> {
    fn next_entry(&mut self) -> Result<Option<Entry<'_>>, DumpError> {
        while self.at == self.frame.len() || self.kind != RECORDS {
            if self.is_done || !self.next_frame()? {
                self.is_done = true;
                return Ok(None);
            }
            match self.kind {
                TABLE => {
                    let Ok(name) = std::str::from_utf8(&self.frame) else {
                        return self.damaged("the name of its table isn't UTF-8");
                    };
                    return Ok(Some(Entry::Table(
                        Some(name).filter(|name| !name.is_empty()),
                    )));
                }
                ORIGIN => self.origin = self.frame[..].try_into().ok(),
                _ => {}
            }
        }
        match self.next_record() {
            Some(value) => {
                self.records += 1;
                Ok(Some(Entry::Record(&self.key, &self.frame[value])))
            }
            None => self.damaged("its records don't fit into it"),
        }
    }
}

fn varint(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// A number, and how many bytes it has.
fn read_varint(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut number = 0;
    for (i, &byte) in bytes.iter().enumerate().take(10) {
        let bits = u64::from(byte & 0x7f);
        let shifted = bits << (7 * i);
        if shifted >> (7 * i) != bits {
            return None;
        }
        number |= shifted;
        if byte < 0x80 {
            return Some((number, i + 1));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<u8> {
        let mut dump = BinaryWriter::new(Vec::new(), Some(&[7; 24])).unwrap();
        for i in 0..3000_u32 {
            dump.record(
                format!("key {i:05}").as_bytes(),
                &vec![i as u8; i as usize % 300],
            )
            .unwrap();
        }
        dump.table(Some("täble")).unwrap();
        dump.record(b"", b"").unwrap();
        dump.table(None).unwrap();
        dump.finish().unwrap()
    }

    fn read(bytes: &[u8]) -> Result<Vec<String>, DumpError> {
        let mut dump = BinaryReader::new(bytes)?;
        let mut entries = Vec::new();
        while let Some(entry) = dump.next_entry()? {
            entries.push(format!("{entry:?}"));
        }
        Ok(entries)
    }

    #[test]
    fn every_cut_is_noticed() {
        let bytes = sample();
        assert_eq!(read(&bytes).unwrap().len(), 3003);
        for len in (0..bytes.len())
            .rev()
            .step_by(bytes.len() / 20)
            .chain(0..20)
        {
            let error = read(&bytes[..len]).unwrap_err();
            match error {
                DumpError::NotADump => assert!(len < 8),
                DumpError::CutOff { offset } => assert!(offset as usize <= len),
                other => panic!("{len}: {other}"),
            }
        }
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        let bytes = sample();
        for at in (0..bytes.len())
            .step_by(bytes.len() / 20)
            .chain(0..40)
            .chain(bytes.len() - 30..bytes.len())
        {
            for bit in [1, 0x80] {
                let mut changed = bytes.clone();
                changed[at] ^= bit;
                assert!(read(&changed).is_err(), "byte {at}");
            }
        }
        let longer = [&bytes[..], b"x"].concat();
        assert!(read(&longer).is_err());
    }

    #[test]
    fn frames_that_change_places_are_noticed() {
        let bytes = sample();
        let len_at = |at: usize| {
            HEAD + u32::from_le_bytes(bytes[at + 1..at + 5].try_into().unwrap()) as usize
        };
        let first = 8 + len_at(8);
        let second = first + len_at(first);
        let third = second + len_at(second);
        assert!(third < bytes.len());
        let exchanged = [
            &bytes[..first],
            &bytes[second..third],
            &bytes[first..second],
            &bytes[third..],
        ]
        .concat();
        assert!(matches!(read(&exchanged), Err(DumpError::Damaged { .. })));
        let without = [&bytes[..first], &bytes[second..]].concat();
        assert!(matches!(read(&without), Err(DumpError::Damaged { .. })));
    }

    #[test]
    fn numbers_of_any_size_come_back() {
        for number in (0..64).flat_map(|bit| [1_u64 << bit, (1 << bit) - 1, u64::MAX >> bit]) {
            let mut bytes = Vec::new();
            varint(number, &mut bytes);
            assert_eq!(read_varint(&bytes), Some((number, bytes.len())));
        }
        assert_eq!(read_varint(&[0xff; 10]), None);
    }
}
