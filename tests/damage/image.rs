//! A database file as its parts: checkpoints by field, pages by part, records of packed pages.

use crate::bases::Codec;

pub const HEADER_PAGE: usize = 4096;

/// What a 32-bit number of a checkpoint means. Numbers of two words are named by the first.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Word {
    Id,
    Length,
    Codec,
    Blocks,
    BlockBytes,
    Levels,
    PageBytes,
    Written,
    LogOffset,
    LogChecksum,
    AppendPage,
    LevelAge,
    RightCount,
    First,
    Last,
    Root,
    Size,
    MergeInputs,
    MergeSkip,
    InputPage,
    InputCell,
    SplitPage,
    SplitCell,
    CurrentPointer,
    RedirectCount,
    RedirectFrom,
    RedirectTo,
    FreeCount,
    FreeBlock,
    FreeId,
}

/// One of the two checkpoints, without its checksum.
#[derive(Clone)]
pub struct Checkpoint {
    pub which: usize,
    pub words: Vec<u32>,
    /// Every word that has a meaning, with its place.
    pub fields: Vec<(Word, usize)>,
}

impl Checkpoint {
    fn parse(which: usize, words: Vec<u32>) -> Option<Checkpoint> {
        let mut parser = Parser {
            words: &words,
            fields: Vec::new(),
            at: 0,
        };
        parser.all()?;
        let fields = parser.fields;
        Some(Checkpoint {
            which,
            words,
            fields,
        })
    }

    /// The places of all words with this meaning.
    pub fn places(&self, word: Word) -> Vec<usize> {
        let found = self.fields.iter().filter(|field| field.0 == word);
        found.map(|field| field.1).collect()
    }

    pub fn wide(&self, place: usize) -> u64 {
        u64::from(self.words[place]) << 32 | u64::from(self.words[place + 1])
    }

    pub fn set_wide(&mut self, place: usize, value: u64) {
        self.words[place] = (value >> 32) as u32;
        self.words[place + 1] = value as u32;
    }
}

struct Parser<'a> {
    words: &'a [u32],
    fields: Vec<(Word, usize)>,
    at: usize,
}

impl Parser<'_> {
    fn take(&mut self, word: Word, width: usize) -> Option<u32> {
        let value = *self.words.get(self.at)?;
        self.fields.push((word, self.at));
        self.at += width;
        Some(value)
    }

    fn all(&mut self) -> Option<()> {
        use Word::*;
        self.take(Id, 2)?;
        for word in [Length, Codec, Blocks, BlockBytes] {
            self.take(word, 1)?;
        }
        let levels = self.take(Levels, 1)?;
        self.take(PageBytes, 1)?;
        self.take(Written, 1)?;
        self.take(LogOffset, 2)?;
        self.take(LogChecksum, 1)?;
        self.take(LogChecksum, 1)?;
        for _ in 0..4 {
            self.take(AppendPage, 2)?;
        }
        for _ in 0..levels {
            self.take(LevelAge, 1)?;
            let right = self.take(RightCount, 1)?;
            for _ in 0..=right {
                for word in [First, Last, Root, Size] {
                    self.take(word, 2)?;
                }
            }
            if right > 0 {
                let inputs = self.take(MergeInputs, 1)?;
                self.take(MergeSkip, 1)?;
                for _ in 0..inputs {
                    self.take(InputPage, 2)?;
                    self.take(InputCell, 1)?;
                }
                self.take(SplitPage, 2)?;
                self.take(SplitCell, 1)?;
                self.take(CurrentPointer, 2)?;
            }
        }
        for _ in 0..self.take(RedirectCount, 1)? {
            self.take(RedirectFrom, 1)?;
            self.take(RedirectTo, 1)?;
        }
        for _ in 0..self.take(FreeCount, 1)? {
            self.take(FreeBlock, 1)?;
            self.take(FreeId, 2)?;
        }
        Some(())
    }
}

/// A database file in memory.
pub struct Image {
    pub bytes: Vec<u8>,
    pub codec: Codec,
    pub page: usize,
    pub block: usize,
}

fn checksum(words: &[u32]) -> (u32, u32) {
    let n = words.len() + 2;
    let (mut one, mut two) = (1_u32, 2_u32);
    if n % 2 == 1 {
        let last = words[n - 3];
        one = one.wrapping_add(last & 0xffff);
        two = two.wrapping_add(last & 0xffff_0000);
    }
    let mut i = 0;
    while i + 3 < n {
        one = one.wrapping_add(two).wrapping_add(words[i]);
        two = two.wrapping_add(one).wrapping_add(words[i + 1]);
        i += 2;
    }
    (one, two)
}

impl Image {
    pub fn new(bytes: Vec<u8>, codec: Codec) -> Image {
        let mut image = Image {
            bytes,
            codec,
            page: 4096,
            block: 65_536,
        };
        if let Some(newest) = image.newest() {
            image.page = newest.words[7] as usize;
            image.block = newest.words[5] as usize;
        }
        image
    }

    /// A checkpoint whose checksum is right.
    pub fn checkpoint(&self, which: usize) -> Option<Checkpoint> {
        let page = self.bytes.get(which * HEADER_PAGE..)?.get(..HEADER_PAGE)?;
        let mut words: Vec<u32> = page
            .chunks_exact(4)
            .map(|word| u32::from_be_bytes([word[0], word[1], word[2], word[3]]))
            .collect();
        let length = words[2] as usize;
        if !(9..=1024).contains(&length) {
            return None;
        }
        words.truncate(length);
        let stored = (words[length - 2], words[length - 1]);
        words.truncate(length - 2);
        if checksum(&words) != stored {
            return None;
        }
        Checkpoint::parse(which, words)
    }

    pub fn newest(&self) -> Option<Checkpoint> {
        let both = [self.checkpoint(0), self.checkpoint(1)];
        both.into_iter().flatten().max_by_key(|c| c.wide(0))
    }

    /// Writes a checkpoint with a checksum that fits.
    pub fn put(&mut self, checkpoint: &Checkpoint) {
        let (one, two) = checksum(&checkpoint.words);
        let words = checkpoint.words.iter().copied().chain([one, two]);
        let at = checkpoint.which * HEADER_PAGE;
        for (i, word) in words.enumerate() {
            self.bytes[at + 4 * i..][..4].copy_from_slice(&word.to_be_bytes());
        }
    }

    /// Changes the newest checkpoint; the other one is made invalid if it mustn't step in.
    pub fn edit(&mut self, change: impl FnOnce(&mut Checkpoint)) {
        let mut newest = self.newest().expect("a healthy file has a checkpoint");
        change(&mut newest);
        self.put(&newest);
        self.bytes[(1 - newest.which) * HEADER_PAGE..][..HEADER_PAGE].fill(0);
    }

    pub fn pages_per_block(&self) -> usize {
        self.block / self.page
    }

    /// How many pages of fixed size the file has.
    pub fn page_count(&self) -> usize {
        self.bytes.len() / self.page
    }

    /// The first page behind the header.
    pub fn first_page(&self) -> usize {
        1 + (2 * HEADER_PAGE).div_ceil(self.page)
    }

    /// The place of the engine's part of an unpacked page: without the block pointers.
    pub fn plain(&self, number: usize) -> Option<std::ops::Range<usize>> {
        if number < self.first_page() {
            return None;
        }
        let per_block = self.pages_per_block();
        // A damaged checkpoint has numbers of any size.
        let begin = (number - 1).checked_mul(self.page)?;
        let first = number % per_block == 1 || number == self.first_page();
        let last = number % per_block == 0;
        let end = begin.checked_add(self.page)?;
        let range = begin + if first { 4 } else { 0 }..end - if last { 4 } else { 0 };
        (end <= self.bytes.len()).then_some(range)
    }

    /// The records of packed pages, as places with their length, that lie within a block.
    pub fn records(&self) -> Vec<(usize, usize)> {
        let mut found = Vec::new();
        let Some(newest) = self.newest() else {
            return found;
        };
        for first in newest.places(Word::First) {
            let (mut at, last) = (newest.wide(first) as usize, newest.wide(first + 2) as usize);
            while at != 0 && at <= last {
                let Some(head) = self.bytes.get(at..at + 3) else {
                    break;
                };
                if head[0] & 0x80 == 0 {
                    break;
                }
                let [a, b, c] = [head[0], head[1], head[2]].map(|byte| usize::from(byte & 0x7f));
                let length = a << 14 | b << 7 | c;
                let end = at + length + 6;
                if at / self.block != end / self.block || end > self.bytes.len() {
                    break;
                }
                found.push((at, length));
                at = end;
            }
        }
        found
    }
}

/// The parts of a page.
pub struct Page<'a>(pub &'a mut [u8]);

impl Page<'_> {
    fn number(&self, back: usize) -> u16 {
        let at = self.0.len() - back;
        u16::from_be_bytes([self.0[at], self.0[at + 1]])
    }

    fn set(&mut self, back: usize, bytes: &[u8]) {
        if let Some(at) = self.0.len().checked_sub(back) {
            self.0[at..][..bytes.len()].copy_from_slice(bytes);
        }
    }

    pub fn cells(&self) -> usize {
        usize::from(self.number(2))
    }

    pub fn set_cells(&mut self, cells: u16) {
        self.set(2, &cells.to_be_bytes());
    }

    pub fn flags(&self) -> u16 {
        self.number(4)
    }

    pub fn set_flags(&mut self, flags: u16) {
        self.set(4, &flags.to_be_bytes());
    }

    pub fn is_btree(&self) -> bool {
        self.flags() & 1 != 0
    }

    pub fn set_pointer(&mut self, pointer: u64) {
        self.set(12, &pointer.to_be_bytes());
    }

    pub fn cell(&self, i: usize) -> usize {
        match 14 + 2 * i {
            back if back <= self.0.len() => usize::from(self.number(back)),
            _ => 0,
        }
    }

    pub fn set_cell(&mut self, i: usize, offset: u16) {
        self.set(14 + 2 * i, &offset.to_be_bytes());
    }
}
