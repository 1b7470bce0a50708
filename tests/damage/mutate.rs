//! Damage that knows what it hits.

use std::path::Path;

use crate::bases::{Codec, Recipe, log_of};
use crate::common::{Result, SplitMix64};
use crate::image::{HEADER_PAGE, Image, Page, Word};
use crate::log::Log;

/// Makes a copy of a base in `dir` and mutates it a few times.
pub fn mutated_copy(base: &Path, recipe: &Recipe, random: &mut SplitMix64, copy: &Path) -> Result {
    let mut image = Image::new(std::fs::read(base)?, recipe.codec);
    let mut log = std::fs::read(log_of(base)).ok();
    for _ in 0..1 + random.below(3) {
        match &mut log {
            Some(log) if random.one_in(4) => mutate_log(log, &image, random),
            _ => mutate(&mut image, random),
        }
    }
    std::fs::write(copy, &image.bytes)?;
    if let Some(log) = log {
        std::fs::write(log_of(copy), log)?;
    }
    Ok(())
}

fn mutate(image: &mut Image, random: &mut SplitMix64) {
    match random.below(20) {
        0..=9 => page(image, random),
        10..=14 => word(image, random),
        15 => block_pointer(image, random),
        16 => whole_page(image, random),
        17 => {
            for _ in 0..1 + random.below(20) {
                scribble(&mut image.bytes[2 * HEADER_PAGE..], random);
            }
        }
        18 => {
            let least = 2 * HEADER_PAGE as u64;
            let length = least + random.below((image.bytes.len() as u64 - least).max(1));
            image.bytes.truncate(length as usize);
        }
        _ => {
            let at = random.below(2) as usize * HEADER_PAGE;
            scribble(&mut image.bytes[at..at + HEADER_PAGE], random);
        }
    }
}

/// A few bytes, anywhere.
fn scribble(bytes: &mut [u8], random: &mut SplitMix64) {
    if !bytes.is_empty() {
        let at = random.below(bytes.len() as u64) as usize;
        let any = random.next() as u8;
        bytes[at] = random.pick(&[0, 1, 0x7f, 0x80, 0xff, any]);
    }
}

/// A number that is likely to hurt.
fn weird(random: &mut SplitMix64, now: u64, image: &Image) -> u64 {
    let pages = match image.codec {
        Codec::None => image.page_count(),
        _ => image.bytes.len(),
    } as u64;
    match random.below(14) {
        0 => 0,
        1 => 1,
        2 => 2,
        3 => now.wrapping_add(1),
        4 => now.wrapping_sub(1),
        5 => u64::MAX,
        6 => (1 << 31) - random.below(2),
        7 => (1 << 32) - random.below(2),
        8 => 1 << random.below(64),
        9 => pages + random.below(3),
        10 => pages.wrapping_mul(1000),
        11 => random.next(),
        _ => random.below(pages + 1),
    }
}

/// A word of a checkpoint, with the checksum made to fit; often in both.
fn word(image: &mut Image, random: &mut SplitMix64) {
    let both = random.one_in(2);
    let Some(newest) = image.newest() else {
        return;
    };
    let from = if random.one_in(2) { 9 } else { 0 };
    let (word, place) = random.pick(&newest.fields[from..]);
    let wide = matches!(
        word,
        Word::Id
            | Word::LogOffset
            | Word::AppendPage
            | Word::First
            | Word::Last
            | Word::Root
            | Word::Size
            | Word::InputPage
            | Word::SplitPage
            | Word::CurrentPointer
            | Word::FreeId
    );
    let mut changed = newest.clone();
    if wide {
        let value = weird(random, newest.wide(place), image);
        changed.set_wide(place, value);
    } else {
        changed.words[place] = weird(random, newest.words[place].into(), image) as u32;
    }
    image.put(&changed);
    if both {
        changed.which = 1 - changed.which;
        image.put(&changed);
    }
}

/// A part of a page.
fn page(image: &mut Image, random: &mut SplitMix64) {
    let now = random.below(256);
    let salt = weird(random, now, image);
    match image.codec {
        Codec::None => {
            if let Some(number) = some_page(image, random) {
                if let Some(place) = image.plain(number) {
                    let near = number as u64;
                    part_of_page(Page(&mut image.bytes[place]), random, salt, near);
                }
            }
        }
        Codec::Copy | Codec::Lz4 | Codec::Zstd => {
            let records = image.records();
            if records.is_empty() {
                return;
            }
            let (at, length) = random.pick(&records);
            let is_plain = image.codec == Codec::Copy && length == image.page + 4;
            if is_plain && !random.one_in(6) {
                // The codec's checksum comes first.
                let place = at + 7..at + 3 + length;
                let plain = &mut image.bytes[place];
                part_of_page(Page(&mut *plain), random, salt, at as u64);
                let sum = crc32c::crc32c(plain).to_le_bytes();
                image.bytes[at + 3..at + 7].copy_from_slice(&sum);
            } else {
                // The size in front or behind, or what is between.
                let size = if random.one_in(2) {
                    at
                } else {
                    at + 3 + length
                };
                match random.below(3) {
                    0 => scribble(&mut image.bytes[size..size + 3], random),
                    1 => scribble(&mut image.bytes[at..at + 6 + length], random),
                    _ => {
                        let (a, b) = (size, size + 3);
                        image.bytes[a..b].copy_from_slice(&(salt as u32).to_le_bytes()[..3]);
                    }
                }
            }
        }
    }
}

/// A page: a third of the time one that a checkpoint names.
fn some_page(image: &Image, random: &mut SplitMix64) -> Option<usize> {
    let newest = image.newest()?;
    if random.one_in(3) {
        let named = [Word::First, Word::Last, Word::Root, Word::SplitPage];
        let places = newest.places(random.pick(&named));
        if !places.is_empty() {
            return usize::try_from(newest.wide(random.pick(&places))).ok();
        }
    }
    let first = image.first_page();
    let count = image.page_count().checked_sub(first)?;
    Some(first + random.below(count.max(1) as u64) as usize)
}

fn part_of_page(mut page: Page<'_>, random: &mut SplitMix64, salt: u64, near: u64) {
    let length = page.0.len();
    let fitting = ((length.saturating_sub(12)) / 2) as u64;
    let cells = page.cells().min(fitting as usize);
    let cell = random.below(cells.max(1) as u64) as usize;
    let small = [
        0,
        1,
        salt as u16,
        u16::MAX,
        length as u16,
        (length - 1) as u16,
        (length - 14) as u16,
        fitting as u16,
        cells as u16 + 1,
    ];
    match random.below(12) {
        0 => page.set_cells(random.pick(&small)),
        1 => page.set_flags(page.flags() ^ (1 << random.below(3))),
        2 => page.set_flags(salt as u16),
        3 => page.set_pointer(salt),
        4 => page.set_pointer(random.pick(&[near, near + 1, near.saturating_sub(1)])),
        5 => page.set_cell(cell, random.pick(&small)),
        6 => {
            let other = random.below(cells.max(1) as u64) as usize;
            let (a, b) = (page.cell(cell), page.cell(other));
            page.set_cell(cell, b as u16);
            page.set_cell(other, a as u16);
        }
        7 => {
            // The type of a record.
            if let Some(byte) = page.0.get_mut(page.cell(cell)) {
                *byte = random.next() as u8;
            }
        }
        8..=10 => {
            // One of its numbers.
            let at = page.cell(cell) + 1 + random.below(3) as usize;
            if let Some(bytes) = page.0.get_mut(at..at + 1 + random.below(9) as usize) {
                let head = random.pick(&[240, 241, 249, 250, 251, 252, 254, 255]);
                bytes.fill(random.pick(&[0, 0x7f, 0xff]));
                bytes[0] = head;
            }
        }
        _ => {
            for _ in 0..1 + random.below(8) {
                scribble(page.0, random);
            }
        }
    }
}

/// The pointers from block to block.
fn block_pointer(image: &mut Image, random: &mut SplitMix64) {
    let blocks = image.bytes.len().div_ceil(image.block) as u64;
    let block = random.below(blocks) as usize;
    let begin = if block == 0 {
        2 * HEADER_PAGE
    } else {
        block * image.block
    };
    let at = if random.one_in(2) {
        begin
    } else {
        (block + 1) * image.block - 4
    };
    let to = match random.below(3) {
        0 => weird(random, block as u64, image) as u32,
        _ => random.below(blocks + 2) as u32,
    };
    if let Some(bytes) = image.bytes.get_mut(at..at + 4) {
        bytes.copy_from_slice(&to.to_be_bytes());
    }
}

/// Pages that change places, come twice, or are wiped.
fn whole_page(image: &mut Image, random: &mut SplitMix64) {
    let first = image.first_page() as u64 - 1;
    let count = image.page_count() as u64;
    if count <= first {
        return;
    }
    let mut pick = || (first + random.below(count - first)) as usize * image.page;
    let (a, b) = (pick(), pick());
    let (one, two) = (
        image.bytes[a..a + image.page].to_vec(),
        image.bytes[b..b + image.page].to_vec(),
    );
    match random.below(4) {
        0 => image.bytes[a..a + image.page].fill(0),
        1 => image.bytes[a..a + image.page].fill(0xff),
        2 => image.bytes[a..a + image.page].copy_from_slice(&two),
        _ => {
            image.bytes[a..a + image.page].copy_from_slice(&two);
            image.bytes[b..b + image.page].copy_from_slice(&one);
        }
    }
}

/// The log, mostly with checksums that fit.
fn mutate_log(log: &mut Vec<u8>, image: &Image, random: &mut SplitMix64) {
    let Some(newest) = image.newest() else {
        return;
    };
    let parsed = Log::parse(log, &newest);
    let Some(&(begin, length)) = parsed
        .records
        .get(random.below(parsed.records.len().max(1) as u64) as usize)
    else {
        return scribble(log, random);
    };
    match random.below(5) {
        0 => scribble(log, random),
        1 => {
            let length = random.below(log.len() as u64 + 1) as usize;
            log.truncate(length);
        }
        2 => {
            log[begin] = random.pick(&[0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 255]);
            parsed.fix(log);
        }
        3 => {
            // A length.
            let end = (begin + 1 + random.below(10) as usize).min(log.len());
            if let Some(bytes) = log.get_mut(begin + 1..end) {
                bytes.fill(random.pick(&[0, 0x7f, 0xff]));
                if let Some(head) = bytes.first_mut() {
                    *head = random.pick(&[240, 241, 249, 250, 251, 252, 254, 255]);
                }
            }
            parsed.fix(log);
        }
        _ => {
            scribble(&mut log[begin..begin + length], random);
            parsed.fix(log);
        }
    }
}
