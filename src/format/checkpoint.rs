//! Checkpoints: what a header page says of the file.
//!
//! A checkpoint is a sequence of 32-bit numbers; 64-bit ones take two, the higher half first.
//!
//! | numbers | content |
//! |---|---|
//! | 2 | the checkpoint's own number |
//! | 1 | how many numbers there are, checksums included |
//! | 1 | id of the page codec; 0 or 1: none |
//! | 1 | blocks in the file |
//! | 1 | block size in bytes |
//! | 1 | levels |
//! | 1 | page size in bytes |
//! | 1 | pages written so far |
//! | 2 | twice the offset in the log from which it goes on, plus a bit that alternates |
//! | 2 | the log's checksum there |
//! | 4 × 2 | pages behind which a new run may begin |
//! | … | the levels, newest first |
//! | 1 + 2 each | blocks of the oldest run that were moved: number, from, to |
//! | 1 + 3 each | changes to the list of free blocks: number; block, and the checkpoint that used it last (2); −1: the block is in use |
//! | 2 | checksums |
//!
//! A level: flags and age (1), number of right runs (1), the left run (8), the right runs (8
//! each); then, if there are right runs, the state of the merge: number of inputs (1), a counter
//! (1), a position in each input (page 2, cell 1), the position of the split key (3), and the page
//! number that goes into the next record (2). A run: first, last and root page, size (2 each); with
//! page checksums, the highest 16 bits of the last two are the number that marks the run's pages.

use super::be32;
use super::layout::Layout;

/// The most numbers that fit into a header page.
const MOST: usize = 1024;
/// The fewest: everything that isn't a list, two counts and two checksums.
const FEWEST: usize = 25;
/// The engine makes at most 40 right runs, and an unmerged level counts as one.
const MOST_RUNS: usize = 200;

/// The bits of a root page's number, and where the halves of the run's mark begin in it and in the
/// size.
const ROOT: u64 = (1 << RUN_SHIFT) - 1;
const RUN_SHIFT: u32 = 48;

/// Where a run lies.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Segment {
    /// Number of the first page.
    pub(crate) first: u64,
    /// Number of the last page; with a codec, the offset of the last byte.
    pub(crate) last: u64,
    /// Root page of its b-tree; 0: none.
    pub(crate) root: u64,
    /// With page checksums: the number that its pages are marked with.
    pub(crate) run: u32,
}

/// A cell of a page.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) page: u64,
    pub(crate) cell: u32,
}

/// The state of a merge.
#[derive(Clone, Debug)]
pub(crate) struct Merge {
    pub(crate) inputs: Vec<Position>,
    pub(crate) split: Position,
}

/// A level: its run, and those that are merged into it.
#[derive(Clone, Debug)]
pub(crate) struct Level {
    pub(crate) left: Segment,
    pub(crate) right: Vec<Segment>,
    pub(crate) merge: Option<Merge>,
}

/// What a header page says.
#[derive(Clone, Debug)]
pub(crate) struct Checkpoint {
    pub(crate) id: u64,
    pub(crate) codec: u32,
    pub(crate) blocks: u32,
    pub(crate) layout: Layout,
    pub(crate) pages_written: u32,
    pub(crate) log_offset: u64,
    pub(crate) log_checksum: [u32; 2],
    /// Pages behind which a new run may begin; 0: none.
    #[cfg_attr(not(feature = "tools"), allow(dead_code))]
    pub(crate) append: [u64; 4],
    pub(crate) levels: Vec<Level>,
    pub(crate) redirects: Vec<(u32, u32)>,
    /// Changes to the list of free blocks: block and checkpoint, `None` for "in use".
    pub(crate) free: Vec<(u32, Option<u64>)>,
}

/// What is in a header page.
#[derive(Clone, Debug)]
pub(crate) enum Header {
    /// Nothing was ever written there.
    Empty,
    Valid(Box<Checkpoint>),
    /// Why it can't be used.
    Invalid(String),
}

impl Header {
    pub(crate) fn checkpoint(&self) -> Option<&Checkpoint> {
        match self {
            Header::Valid(checkpoint) => Some(checkpoint),
            _ => None,
        }
    }
}

/// Reads a header page, of which the file may have a part only.
pub(crate) fn header(page: &[u8]) -> Header {
    if page.iter().all(|&byte| byte == 0) {
        return Header::Empty;
    }
    let words: Vec<u32> = page
        .chunks_exact(4)
        .filter_map(|word| be32(word, 0))
        .collect();
    match parse(&words) {
        Ok(checkpoint) => Header::Valid(Box::new(checkpoint)),
        Err(problem) => Header::Invalid(problem),
    }
}

/// The sizes and the codec in a header page whose checkpoint can't be used, if they make sense.
pub(crate) fn plausible(page: &[u8]) -> Option<(u32, Layout)> {
    if page.len() < 4 * FEWEST {
        return None;
    }
    let codec = be32(page, 3 * 4)?;
    let layout = Layout::new(be32(page, 7 * 4)?, be32(page, 5 * 4)?, codec).ok()?;
    Some((codec, layout))
}

/// Reads a checkpoint from its numbers; what follows them is ignored.
pub(crate) fn parse(words: &[u32]) -> Result<Checkpoint, String> {
    let count = words.get(2).map_or(0, |&n| n as usize);
    if !(FEWEST..=MOST).contains(&count) {
        return Err(format!("states {count} numbers"));
    }
    let words = words
        .get(..count)
        .ok_or("is shorter than it states".to_owned())?;
    let (body, stored) = words.split_at(count - 2);
    if checksum(body) != stored {
        return Err("its checksum is wrong".to_owned());
    }
    let mut numbers = Numbers(body);
    let id = numbers.two()?;
    numbers.one()?;
    let codec = numbers.one()?;
    let blocks = numbers.one()?;
    let block = numbers.one()?;
    let levels = numbers.one()?;
    let page = numbers.one()?;
    let pages_written = numbers.one()?;
    let layout = Layout::new(page, block, codec)?;
    let log_offset = numbers.two()? >> 1;
    let log_checksum = [numbers.one()?, numbers.one()?];
    let mut append = [0; 4];
    for page in &mut append {
        *page = numbers.two()?;
    }
    let levels = (0..count_of(levels, MOST_RUNS)?)
        .map(|_| level(&mut numbers))
        .collect::<Result<_, _>>()?;
    let redirects = (0..count_of(numbers.one()?, MOST)?)
        .map(|_| Ok((numbers.one()?, numbers.one()?)))
        .collect::<Result<_, String>>()?;
    let free = (0..count_of(numbers.one()?, MOST)?)
        .map(|_| {
            let block = numbers.one()?;
            let id = numbers.two()?;
            Ok((block, (id != u64::MAX).then_some(id)))
        })
        .collect::<Result<_, String>>()?;
    Ok(Checkpoint {
        id,
        codec,
        blocks,
        layout,
        pages_written,
        log_offset,
        log_checksum,
        append,
        levels,
        redirects,
        free,
    })
}

fn level(numbers: &mut Numbers<'_>) -> Result<Level, String> {
    numbers.one()?;
    let right = count_of(numbers.one()?, MOST_RUNS)?;
    let left = segment(numbers)?;
    let right: Vec<_> = (0..right)
        .map(|_| segment(numbers))
        .collect::<Result<_, _>>()?;
    let merge = match right.is_empty() {
        true => None,
        false => {
            let inputs = count_of(numbers.one()?, MOST_RUNS)?;
            numbers.one()?;
            let inputs = (0..inputs)
                .map(|_| position(numbers))
                .collect::<Result<_, _>>()?;
            let split = position(numbers)?;
            numbers.two()?;
            Some(Merge { inputs, split })
        }
    };
    Ok(Level { left, right, merge })
}

fn segment(numbers: &mut Numbers<'_>) -> Result<Segment, String> {
    let (first, last) = (numbers.two()?, numbers.two()?);
    let (root, size) = (numbers.two()?, numbers.two()?);
    // The upper halves are zero without page checksums, and no file is that large.
    Ok(Segment {
        first,
        last,
        root: root & ROOT,
        run: ((root >> RUN_SHIFT << 16) | (size >> RUN_SHIFT)) as u32,
    })
}

fn position(numbers: &mut Numbers<'_>) -> Result<Position, String> {
    Ok(Position {
        page: numbers.two()?,
        cell: numbers.one()?,
    })
}

fn count_of(number: u32, most: usize) -> Result<usize, String> {
    usize::try_from(number)
        .ok()
        .filter(|&n| n <= most)
        .ok_or_else(|| format!("has a list of {number} entries"))
}

/// Numbers that are taken one after the other.
struct Numbers<'a>(&'a [u32]);

impl Numbers<'_> {
    fn one(&mut self) -> Result<u32, String> {
        let (&first, rest) = self
            .0
            .split_first()
            .ok_or("has lists that are longer than itself")?;
        self.0 = rest;
        Ok(first)
    }

    fn two(&mut self) -> Result<u64, String> {
        Ok(u64::from(self.one()?) << 32 | u64::from(self.one()?))
    }
}

/// Two sums that run through the numbers in turn; the last of an odd count goes in at the start,
/// half into each.
fn checksum(body: &[u32]) -> [u32; 2] {
    let (mut a, mut b) = (1u32, 2u32);
    if body.len() % 2 == 1 {
        let last = body.last().copied().unwrap_or(0);
        a = a.wrapping_add(last & 0xffff);
        b = b.wrapping_add(last & 0xffff_0000);
    }
    for pair in body.chunks_exact(2) {
        a = a.wrapping_add(b).wrapping_add(pair[0]);
        b = b.wrapping_add(a).wrapping_add(pair[1]);
    }
    [a, b]
}
