//! `file_map`: each byte of a file has one owner, and it agrees with what `verify_file` and the
//! engine say.
//!
//! `LSMLITE_HISTORIES` says how many random histories, `LSMLITE_SEED` where the seeds begin.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use common::histories::{any_settings, crash_copy, step};
use common::{Counts, Result, SplitMix64, report, setting};
use lsmlite_rs::compression::Compression;
use lsmlite_rs::inspect::{FileMap, MapDepth, Owner, SegmentRole, file_map};
use lsmlite_rs::{LsmDb, LsmErrorCode, Place, verify_file};

/// A map of a healthy file, after a check that everything in it adds up.
fn sound(path: &Path, when: &str, counts: &mut Counts) -> Result<FileMap> {
    let map = file_map(path, MapDepth::Pages)?;
    let verified = verify_file(path)?;
    assert_eq!(map.problems, [], "{when}");
    tiles(&map, when);

    let Some(layout) = &map.info.layout else {
        return Ok(map);
    };
    // Each block is one thing; only segments may share one.
    let mut owners: BTreeMap<u32, BTreeSet<&str>> = BTreeMap::new();
    let levels = layout.levels.iter().flat_map(|level| &level.segments);
    let used = levels.flat_map(|segment| &segment.blocks);
    for (what, blocks) in [
        ("used", &used.copied().collect()),
        ("free", &map.free_blocks),
        ("reserved", &map.reserved_blocks),
    ] {
        for &block in blocks {
            *counts.entry(what).or_default() += 1;
            owners.entry(block).or_default().insert(what);
        }
    }
    assert!(map.unlisted_blocks.is_empty(), "{when}: {map:#?}");
    let written = map
        .info
        .file_bytes
        .div_ceil(u64::from(layout.block_size_kib) * 1024);
    for block in 1..=layout.blocks {
        let found = owners.remove(&block).unwrap_or_default();
        let least = usize::from(u64::from(block) <= written);
        assert!(
            (least..=1).contains(&found.len()),
            "{when}: block {block}: {found:?}"
        );
    }
    assert!(owners.is_empty(), "{when}: {owners:?}");

    // As many pages, records and free blocks as verification finds.
    let contents = || map.segments.iter().filter_map(|segment| segment.contents);
    let pages: u64 = contents()
        .map(|found| found.data_pages + found.btree_pages)
        .sum();
    assert_eq!(pages, verified.pages, "{when}");
    assert_eq!(map.segments.len(), verified.segments, "{when}");
    assert_eq!(map.free_blocks.len(), verified.free_blocks, "{when}");
    let records: u64 = contents().map(|found| found.records).sum();
    assert!(
        records >= verified.records,
        "{when}: {records}, {}",
        verified.records
    );
    assert!(
        contents().all(|found| found.used_bytes <= found.page_bytes),
        "{when}"
    );
    *counts.entry("b-tree pages").or_default() += contents().map(|c| c.btree_pages).sum::<u64>();

    // Pages, counted by their numbers; and bytes, as the regions have them.
    let ends = file_map(path, MapDepth::Ends)?;
    for (i, (quick, full)) in ends.segments.iter().zip(&map.segments).enumerate() {
        assert!(quick.pages.is_none() || quick.pages == full.pages, "{when}");
        assert_eq!(quick.first_key, full.first_key, "{when}");
        let info = map.segment(i).unwrap();
        let bytes: u64 = map
            .regions
            .iter()
            .filter(|region| region.owner == Owner::Segment(i))
            .map(|region| region.end - region.start)
            .sum();
        let links = info.blocks.len() as u64 * 16;
        let stated = info.bytes.unwrap();
        assert!(
            (stated..=stated + links).contains(&bytes),
            "{when}: {stated}, {bytes}"
        );
        assert!(full.first_key <= full.last_key, "{when}: {full:?}");
        if full.role == SegmentRole::MergeInput {
            *counts.entry("inputs of merges").or_default() += 1;
            assert!(full.unmerged_bytes.unwrap() <= stated, "{when}: {full:?}");
        }
    }
    if map.log.iter().any(|region| region.is_pending) {
        *counts.entry("pending logs").or_default() += 1;
    }
    assert_eq!(
        map.log.iter().any(|region| region.is_pending),
        map.info.log_transactions > 0,
        "{when}"
    );
    Ok(map)
}

/// The regions cover the file, and those of the log the log, each byte once.
fn tiles(map: &FileMap, when: &str) {
    let mut at = 0;
    for region in &map.regions {
        assert_eq!(region.start, at, "{when}: {:?}", map.regions);
        assert!(region.end > at, "{when}: {:?}", map.regions);
        at = region.end;
    }
    assert_eq!(at, map.info.file_bytes, "{when}");
    assert!(
        map.regions
            .windows(2)
            .all(|two| two[0].owner != two[1].owner),
        "{when}"
    );
    let mut at = 0;
    for region in &map.log {
        assert!(
            region.start == at && region.end > at,
            "{when}: {:?}",
            map.log
        );
        at = region.end;
    }
    assert_eq!(at, map.info.log_bytes.unwrap_or(0), "{when}");
}

fn history(seed: u64, counts: &mut Counts) -> Result {
    let dir = tempfile::tempdir()?;
    let (path, copy) = (dir.path().join("a.lsm"), dir.path().join("copy.lsm"));
    let mut random = SplitMix64::new(seed);
    let builder = any_settings(&mut random);
    let range_deletes = random.one_in(2);
    let mut db = builder.clone().open(&path)?;
    for round in 0..3 + random.below(6) {
        for _ in 0..random.below(400) {
            step(&mut db, &mut random, range_deletes)?;
        }
        crash_copy(&path, &copy)?;
        sound(&copy, &format!("seed {seed}, round {round}"), counts)?;
        if random.one_in(3) {
            db.close()?;
            sound(
                &path,
                &format!("seed {seed}, round {round}, closed"),
                counts,
            )?;
            db = builder.clone().open(&path)?;
        }
    }
    Ok(())
}

#[test]
fn every_block_of_a_healthy_file_has_one_owner() -> Result {
    let mut counts = Counts::new();
    let first = setting("LSMLITE_SEED", 1);
    for seed in first..first + setting("LSMLITE_HISTORIES", 8) {
        history(seed, &mut counts).map_err(|error| format!("seed {seed}: {error}"))?;
    }
    let must_happen = [
        "used",
        "free",
        "b-tree pages",
        "inputs of merges",
        "pending logs",
    ];
    report("blocks", &counts, &must_happen);
    Ok(())
}

/// Merges in small steps, until the result ends with its block.
#[test]
fn a_block_that_a_merge_has_taken_ahead_is_reserved() -> Result {
    let dir = tempfile::tempdir()?;
    let (path, copy) = (dir.path().join("a.lsm"), dir.path().join("copy.lsm"));
    let builder = LsmDb::builder().page_size_bytes(4096).block_size_kib(64);
    let mut db = builder.autowork(false).open(&path)?;
    for round in 0..4u32 {
        for n in 0..3000u32 {
            db.insert((n * 4 + round).to_be_bytes(), [b'.'; 100])?;
        }
        db.flush()?;
    }
    for step in 0..400 {
        db.work(8 + 4 * (step % 7))?;
        db.checkpoint()?;
        crash_copy(&path, &copy)?;
        if !file_map(&copy, MapDepth::Ends)?.reserved_blocks.is_empty() {
            sound(&copy, &format!("step {step}"), &mut Counts::new())?;
            return Ok(());
        }
    }
    panic!("no step of the merge ended with a block");
}

#[test]
fn whatever_the_bytes_are_the_regions_cover_the_file() -> Result {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("a.lsm");
    let mut random = SplitMix64::new(setting("LSMLITE_SEED", 1));
    let mut with_problems = 0;
    for round in 0..12 {
        let builder = any_settings(&mut random);
        let mut db = builder.open(&path)?;
        for _ in 0..300 {
            step(&mut db, &mut random, true)?;
        }
        db.close()?;
        let healthy = fs::read(&path)?;
        for change in 0..20 {
            let mut bytes = healthy.clone();
            for _ in 0..1 + random.below(4) {
                // Links and headers are where a map is read.
                let at = match random.below(3) {
                    0 => random.below(8192),
                    1 => (1 + random.below(8)) * 65_536 - 1 - random.below(16),
                    _ => random.below(bytes.len() as u64),
                } as usize;
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 + random.below(255) as u8;
                }
            }
            if random.one_in(4) {
                bytes.truncate(random.below(bytes.len() as u64 + 1) as usize);
            }
            fs::write(&path, &bytes)?;
            for depth in [MapDepth::Ends, MapDepth::Pages] {
                match file_map(&path, depth) {
                    Ok(map) => {
                        tiles(&map, &format!("round {round}, change {change}"));
                        with_problems += u32::from(!map.problems.is_empty());
                    }
                    Err(error) => assert_eq!(error.code(), LsmErrorCode::LsmCorrupt, "{error}"),
                }
            }
        }
        fs::remove_file(&path)?;
    }
    assert!(with_problems > 20, "{with_problems}");
    Ok(())
}

#[test]
fn a_file_that_this_process_has_open_is_refused() -> Result {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("a.lsm");
    let db = LsmDb::open(&path)?;
    let error = file_map(&path, MapDepth::Ends).unwrap_err();
    assert_eq!(error.code(), LsmErrorCode::LsmMisuse);
    db.close()?;
    assert_eq!(file_map(&path, MapDepth::Ends)?.problems, []);
    Ok(())
}

#[test]
fn a_truncated_file_is_a_problem_and_a_lost_link_leaves_unlisted_blocks() -> Result {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("a.lsm");
    let builder = LsmDb::builder()
        .block_size_kib(64)
        .compression(Compression::LZ4);
    let mut db = builder.open(&path)?;
    let mut random = SplitMix64::new(3);
    for n in 0..900u32 {
        db.insert(n.to_be_bytes(), random.bytes(500))?;
    }
    db.compact()?;
    db.close()?;
    let healthy = fs::read(&path)?;
    fs::write(&path, &healthy[..healthy.len() / 2])?;
    assert!(!file_map(&path, MapDepth::Ends)?.problems.is_empty());

    // The links of the third block in both directions.
    let mut bytes = healthy.clone();
    bytes[3 * 65_536 - 4..3 * 65_536].fill(0xff);
    bytes[3 * 65_536..3 * 65_536 + 4].fill(0xff);
    bytes[5 * 65_536..5 * 65_536 + 4].fill(0xff);
    fs::write(&path, &bytes)?;
    let map = file_map(&path, MapDepth::Ends)?;
    assert_eq!(map.problems[0].place, Place::Block(3));
    assert!(!map.unlisted_blocks.is_empty(), "{map:?}");
    let is_unlisted = |region: &lsmlite_rs::inspect::Region| region.owner == Owner::Unlisted;
    assert!(map.regions.iter().any(is_unlisted));
    Ok(())
}
