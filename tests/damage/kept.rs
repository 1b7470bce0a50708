//! Damage by hand, one field at a time: each was a crash, a hang or a wrong answer once.

use std::path::{Path, PathBuf};

use lsmlite_rs::config::Mmap;
use lsmlite_rs::{LsmDb, LsmError};

use crate::bases::{Codec, End, Recipe, log_of};
use crate::common::Result;
use crate::image::{HEADER_PAGE, Image, Page, Word};

const ROWS: u32 = 3000;

const PLAIN: Recipe = Recipe {
    name: "kept",
    page: 1024,
    block_kib: 64,
    codec: Codec::None,
    rows: 0,
    free_list: 24,
    end: End::Closed,
};

const COPIED: Recipe = Recipe {
    codec: Codec::Copy,
    ..PLAIN
};

/// One run of some blocks, with a b-tree, after `change`.
fn damaged(
    recipe: &Recipe,
    dir: &tempfile::TempDir,
    change: impl FnOnce(&mut Image),
) -> Result<PathBuf> {
    let path = recipe.path(dir.path());
    let mut db = recipe.builder().autoflush_kib(1024).open(&path)?;
    for row in 0..ROWS {
        db.insert(row.to_be_bytes(), [row as u8; 60])?;
    }
    db.compact()?;
    db.close()?;
    let mut image = Image::new(std::fs::read(&path)?, recipe.codec);
    change(&mut image);
    std::fs::write(&path, &image.bytes)?;
    Ok(path)
}

/// Does something with all leaves, or all pages of the b-tree.
fn pages(image: &mut Image, btree: bool, mut change: impl FnMut(Page<'_>)) {
    let mut changed = 0;
    for number in image.first_page()..=image.page_count() {
        let Some(place) = image.plain(number) else {
            continue;
        };
        let page = Page(&mut image.bytes[place]);
        if page.cells() > 0 && page.is_btree() == btree {
            change(page);
            changed += 1;
        }
    }
    assert!(changed > 0, "no such page");
}

fn scan(db: &LsmDb) -> std::result::Result<usize, LsmError> {
    let rows: std::result::Result<Vec<_>, _> = db.iter().collect();
    rows.map(|rows| rows.len())
}

fn assert_corrupt<T: std::fmt::Debug>(result: std::result::Result<T, LsmError>, what: &str) {
    match result {
        Ok(value) => panic!("{what}: it went well, with {value:?}"),
        Err(error) => assert!(error.is_corrupt(), "{what}: {error}"),
    }
}

fn open_error(path: &Path, recipe: &Recipe) -> std::result::Result<&'static str, LsmError> {
    recipe.builder().open(path).map(|_| "a database")
}

/// Sizes and counts of a checkpoint were believed: arrays were written behind their end.
#[test]
fn a_checkpoint_with_an_impossible_word_is_corruption() -> Result {
    let impossible = [
        (Word::PageBytes, 1000),
        (Word::PageBytes, 65_536),
        (Word::BlockBytes, 0),
        (Word::Blocks, u32::MAX),
        (Word::Levels, 7),
        (Word::Levels, u32::MAX),
        (Word::RightCount, 1),
        (Word::RightCount, 100_000),
        (Word::LevelAge, 2 << 16),
        (Word::First, u32::MAX),
        (Word::Last, 1),
        (Word::Root, 1 << 30),
        (Word::RedirectCount, 17),
        (Word::FreeCount, 500),
    ];
    for (word, value) in impossible {
        let dir = tempfile::tempdir()?;
        let path = damaged(&PLAIN, &dir, |image| {
            image.edit(|checkpoint| {
                let place = checkpoint.places(word)[0];
                checkpoint.words[place] = value;
            });
        })?;
        assert_corrupt(open_error(&path, &PLAIN), &format!("{word:?} = {value}"));
    }
    Ok(())
}

/// With a mapping, reading a page made the file so large that it had one.
#[test]
fn a_page_behind_the_end_is_corruption_and_leaves_the_file_as_large_as_it_is() -> Result {
    let dir = tempfile::tempdir()?;
    let path = damaged(&PLAIN, &dir, |image| {
        image.edit(|checkpoint| {
            let place = checkpoint.places(Word::Blocks)[0];
            checkpoint.words[place] = 1000;
        });
        let far = 900 * image.pages_per_block() as u64;
        pages(image, true, |mut page| page.set_pointer(far));
    })?;
    let db = PLAIN.builder().mmap(Mmap::All).open(&path)?;
    assert_corrupt(db.get((ROWS - 1).to_be_bytes()), "get");
    let length = std::fs::metadata(&path)?.len();
    assert!(length < 2 << 20, "{length} bytes");
    Ok(())
}

/// What lay behind the page in memory was taken for a record.
#[test]
fn a_record_outside_its_page_is_corruption() -> Result {
    type Change = fn(Page<'_>);
    let changes: [(&str, Change); 4] = [
        ("offset", |mut page| page.set_cell(0, u16::MAX)),
        ("at the very end", |mut page| {
            let last = page.0.len() as u16 - 1;
            page.set_cell(0, last);
        }),
        ("more records than fit", |mut page| page.set_cells(600)),
        ("a negative length", |page| {
            let at = page.cell(0) + 2;
            page.0[at..at + 9].fill(0xff);
        }),
    ];
    for (what, change) in changes {
        for mmap in [Mmap::Off, Mmap::All] {
            let dir = tempfile::tempdir()?;
            let path = damaged(&PLAIN, &dir, |image| pages(image, false, change))?;
            let db = PLAIN.builder().mmap(mmap).open(&path)?;
            assert_corrupt(scan(&db), what);
        }
    }
    Ok(())
}

/// The scan went round for ever.
#[test]
fn blocks_that_follow_each_other_in_a_circle_are_corruption() -> Result {
    for recipe in [PLAIN, COPIED] {
        let dir = tempfile::tempdir()?;
        let path = damaged(&recipe, &dir, |image| {
            let blocks = image.bytes.len() / image.block;
            assert!(blocks > 2, "{blocks} blocks");
            for block in 1..=blocks {
                let at = block * image.block - 4;
                image.bytes[at..at + 4].copy_from_slice(&1_u32.to_be_bytes());
            }
        })?;
        let db = recipe.builder().open(&path)?;
        assert_corrupt(scan(&db), "scan");
    }
    Ok(())
}

/// The seek went down for ever.
#[test]
fn a_tree_page_that_is_its_own_child_is_corruption() -> Result {
    let dir = tempfile::tempdir()?;
    let path = damaged(&PLAIN, &dir, |image| {
        let newest = image.newest().expect("a checkpoint");
        let root = newest.wide(newest.places(Word::Root)[0]);
        pages(image, true, |mut page| page.set_pointer(root));
    })?;
    let db = PLAIN.builder().open(&path)?;
    assert_corrupt(db.get((ROWS - 1).to_be_bytes()), "get");
    Ok(())
}

/// Repeats the first level; each copy gets the age that `age` says.
fn many_levels(image: &mut Image, count: u32, age: impl Fn(u32) -> u32) {
    image.edit(|checkpoint| {
        let begin = checkpoint.places(Word::LevelAge)[0];
        let place = checkpoint.places(Word::Levels)[0];
        assert_eq!(checkpoint.words[place], 1);
        checkpoint.words[place] = count;
        let level = checkpoint.words[begin..begin + 10].to_vec();
        for n in 1..count {
            let mut copy = level.clone();
            copy[0] = age(n);
            let at = begin + 10 * n as usize;
            checkpoint.words.splice(at..at, copy);
        }
        checkpoint.words[begin] = age(0);
        let length = checkpoint.words.len() as u32 + 2;
        let place = checkpoint.places(Word::Length)[0];
        checkpoint.words[place] = length;
    });
}

/// Too many to add one, and none of an age with another: the flush looked for work for ever.
#[test]
fn more_runs_than_can_be_merged_are_corruption() -> Result {
    let dir = tempfile::tempdir()?;
    let path = damaged(&PLAIN, &dir, |image| many_levels(image, 60, |n| 2 * n))?;
    let mut db = PLAIN.builder().autoflush_kib(1024).open(&path)?;
    db.insert("one", "more")?;
    assert_corrupt(db.flush(), "flush");
    Ok(())
}

/// The checkpoint was written behind the end of its page, in memory and in the file.
#[test]
fn a_checkpoint_that_outgrows_its_page_is_corruption() -> Result {
    let dir = tempfile::tempdir()?;
    let path = damaged(&PLAIN, &dir, |image| many_levels(image, 98, |n| n / 3))?;
    let mut db = PLAIN.builder().automerge_segments(3).open(&path)?;
    let outcome = (0..200).try_for_each(|_| db.work(1).map(drop));
    assert_corrupt(outcome, "work");
    Ok(())
}

/// Where the next run begins: between two blocks a negative number of bytes was written.
#[test]
fn a_run_that_would_begin_between_blocks_is_corruption() -> Result {
    let dir = tempfile::tempdir()?;
    let path = damaged(&COPIED, &dir, |image| {
        let block = image.block as u64;
        image.edit(|checkpoint| {
            for place in checkpoint.places(Word::AppendPage) {
                checkpoint.set_wide(place, 2 * block - 2);
            }
        });
    })?;
    let mut db = COPIED.builder().autoflush_kib(1024).open(&path)?;
    db.insert("one", "more")?;
    assert_corrupt(db.flush(), "flush");
    Ok(())
}

/// A number of a free block is a key in the file; the next run went to wherever it said.
#[test]
fn a_free_block_that_the_file_does_not_have_is_corruption() -> Result {
    let dir = tempfile::tempdir()?;
    // With a codec, pages are written without looking where.
    let recipe = Recipe {
        free_list: 2,
        ..COPIED
    };
    let path = damaged(&recipe, &dir, |_| {})?;
    // Enough free blocks that they are listed in a run.
    let mut db = recipe.builder().autoflush_kib(1024).open(&path)?;
    for round in 0..3_u8 {
        for row in 0..ROWS {
            db.insert(row.to_be_bytes(), [round; 61])?;
        }
        db.compact()?;
    }
    db.close()?;
    let mut image = Image::new(std::fs::read(&path)?, recipe.codec);
    let mut changed = 0;
    for (at, length) in image.records() {
        // The size, the codec's checksum, the page.
        let (sum, plain) = image.bytes[at + 3..at + 3 + length].split_at_mut(4);
        let page = Page(&mut *plain);
        for cell in 0..page.cells() {
            let at = page.cell(cell);
            // A record of the engine's own with a key of 4 bytes and a value of 8.
            if page.0[at] & 0x20 != 0 && page.0[at + 2..at + 4] == [4, 8] {
                // Block 4096, at 256 MiB; the key is its complement.
                page.0[at + 4..at + 8].copy_from_slice(&(!4096_u32).to_be_bytes());
                changed += 1;
            }
        }
        sum.copy_from_slice(&crc32c::crc32c(plain).to_le_bytes());
    }
    assert!(changed > 0, "no free block is listed in the file");
    std::fs::write(&path, &image.bytes)?;
    let mut db = recipe.builder().autoflush_kib(1024).open(&path)?;
    db.insert("one", "more")?;
    assert_corrupt(db.flush().and_then(|()| db.compact()), "flush and compact");
    let length = std::fs::metadata(&path)?.len();
    assert!(length < 16 << 20, "{length} bytes");
    Ok(())
}

/// It was taken for an empty database, and overwritten.
#[test]
fn two_invalid_checkpoints_are_corruption() -> Result {
    let dir = tempfile::tempdir()?;
    let path = damaged(&PLAIN, &dir, |image| {
        for which in 0..2 {
            image.bytes[which * HEADER_PAGE + 40] ^= 1;
        }
    })?;
    let before = std::fs::read(&path)?;
    assert_corrupt(open_error(&path, &PLAIN), "open");
    assert!(before == std::fs::read(&path)?, "the file was changed");
    Ok(())
}

/// The older of the two steps in.
#[test]
fn one_invalid_checkpoint_is_replaced_by_the_other() -> Result {
    let dir = tempfile::tempdir()?;
    let path = damaged(&PLAIN, &dir, |image| {
        let newest = image.newest().expect("a checkpoint");
        let mut older = newest.clone();
        older.which = 1 - newest.which;
        image.put(&older);
        image.bytes[newest.which * HEADER_PAGE + 40] ^= 1;
    })?;
    assert_eq!(scan(&PLAIN.builder().open(&path)?)?, ROWS as usize);
    Ok(())
}

/// A jump to before the beginning, where the checksum doesn't yet tell: opening failed for good.
#[test]
fn a_log_entry_with_a_negative_number_ends_the_log() -> Result {
    let dir = tempfile::tempdir()?;
    let path = PLAIN.path(dir.path());
    let mut db = PLAIN.builder().autoflush_kib(1024).open(&path)?;
    db.insert("first", "1")?;
    db.insert("second", [2; 100])?;
    db.insert("third", "3")?;
    let mut log = std::fs::read(log_of(&path))?;
    let copy = dir.path().join("copy.lsm");
    std::fs::copy(&path, &copy)?;
    db.close()?;
    let begin = log
        .windows(6)
        .position(|bytes| bytes == b"second")
        .ok_or("no such entry")?;
    // Type, length of the key, length of the value, key, value. 4 is the type of a jump.
    let entry = begin - 3;
    log[entry] = 4;
    log[entry + 1..entry + 10].fill(0xff);
    std::fs::write(log_of(&copy), log)?;
    let db = PLAIN.builder().open(&copy)?;
    assert_eq!(scan(&db)?, 1);
    assert_eq!(db.get("first")?.as_deref(), Some(&b"1"[..]));
    Ok(())
}
