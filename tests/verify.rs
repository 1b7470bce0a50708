//! `verify` and `verify_file`: silent on every healthy file, and they name what is damaged.
//!
//! `LSMLITE_HISTORIES` says how many random histories, `LSMLITE_SEED` where the seeds begin.

mod common;

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::histories::{any_settings, crash_copy, key, step, value};
use common::{Result, SplitMix64, retry, setting};
use lsmlite_rs::compression::Compression;
use lsmlite_rs::config::BackgroundMode;
use lsmlite_rs::{
    CheckpointState, Disk, LsmDb, LsmDbBuilder, LsmError, LsmErrorCode, Place, verify_file,
};

fn clean(
    report: std::result::Result<lsmlite_rs::VerifyReport, LsmError>,
    when: &str,
) -> Result<u64> {
    let report = report?;
    assert!(report.is_clean(), "{when}: {report}");
    Ok(report.records)
}

fn healthy_history(seed: u64) -> Result {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("healthy.lsm");
    let mut random = SplitMix64::new(seed);
    let builder = any_settings(&mut random);
    let range_deletes = random.one_in(2);
    let mut db = builder.clone().open(&path)?;
    for round in 0..4 + random.below(8) {
        for _ in 0..random.below(400) {
            step(&mut db, &mut random, range_deletes)?;
        }
        let when = format!("seed {seed}, round {round}");
        let report = db.verify()?;
        assert!(report.is_clean(), "{when}, open: {report}");
        let free = db.stats()?.free_blocks as usize;
        assert_eq!(report.free_blocks, free, "{when}: what the engine says");
        let copy = dir.path().join("copy.lsm");
        crash_copy(&path, &copy)?;
        clean(verify_file(&copy), &format!("{when}, copied"))?;
        if random.one_in(3) {
            db.close()?;
            clean(verify_file(&path), &format!("{when}, closed"))?;
            db = builder.clone().open(&path)?;
        }
    }
    db.close()?;
    clean(verify_file(&path), &format!("seed {seed}, at the end"))?;
    Ok(())
}

#[test]
fn healthy_files_are_clean() -> Result {
    let first = setting("LSMLITE_SEED", 1);
    for seed in first..first + setting("LSMLITE_HISTORIES", 8) {
        healthy_history(seed).map_err(|error| format!("seed {seed}: {error}"))?;
    }
    Ok(())
}

/// A closed file with several segments, a merge part-way, b-trees, values over many pages,
/// deletions and free blocks.
fn rich_file(path: &Path, builder: &LsmDbBuilder) -> Result {
    let mut random = SplitMix64::new(5);
    let builder = builder
        .clone()
        .autoflush_kib(64)
        .autocheckpoint_kib(64)
        .automerge_segments(3)
        .autowork(false);
    let mut db = builder.open(path)?;
    for round in 0..9 {
        for n in 0..250u16 {
            let key = [n.wrapping_mul(7 + round).to_be_bytes(), n.to_be_bytes()].concat();
            db.insert(key, value(&mut random))?;
            if n % 9 == 0 {
                db.remove(n.to_be_bytes())?;
            }
        }
        db.delete_range(&round.to_be_bytes(), &(round + 30).to_be_bytes())?;
        db.flush()?;
        db.checkpoint()?;
        if round == 5 {
            db.compact()?;
        }
    }
    db.work(40)?;
    let stats = db.stats()?;
    assert!(stats.is_merging() && stats.segments() > 3, "{stats:?}");
    db.close()?;
    let report = verify_file(path)?;
    assert!(
        report.is_clean() && report.tombstones > 0 && report.free_blocks > 0,
        "{report:?}"
    );
    Ok(())
}

fn small_pages() -> LsmDbBuilder {
    LsmDb::builder().page_size_bytes(512).block_size_kib(64)
}

/// The places that are reported for a file with this content.
fn places(path: &Path, content: &[u8]) -> Result<Vec<Place>> {
    fs::write(path, content)?;
    let report = verify_file(path)?;
    assert_eq!(report.is_clean(), report.damage.is_empty());
    Ok(report.damage.iter().map(|damage| damage.place).collect())
}

#[test]
fn each_page_that_is_overwritten_is_named() -> Result {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("damaged.lsm");
    rich_file(&path, &small_pages())?;
    let healthy = fs::read(&path)?;
    let report = verify_file(&path)?;
    let mut random = SplitMix64::new(11);
    // Many at once; but those with links between blocks one by one.
    let pages: Vec<usize> = (16..healthy.len() / 512).collect();
    let has_link = |n: &usize| matches!(n % 128, 0 | 127) || *n == 16;
    let mut sets: Vec<Vec<usize>> = (0..20)
        .map(|i| {
            pages
                .iter()
                .copied()
                .filter(|n| n % 20 == i && !has_link(n))
                .collect()
        })
        .collect();
    sets.extend(pages.iter().copied().filter(has_link).map(|n| vec![n]));
    let mut named = 0;
    for set in sets {
        let mut damaged = healthy.clone();
        for &n in &set {
            damaged[n * 512..][..512].copy_from_slice(&random.bytes(512));
        }
        let found = places(&path, &damaged)?;
        let is_named = |n: &&usize| found.contains(&Place::Page(**n as u64 + 1));
        let some = set.iter().filter(is_named).count();
        assert!(
            some > 0 || found.is_empty() || set.len() == 1,
            "{set:?}: {found:?}"
        );
        named += some as u64;
    }
    assert_eq!(named, report.pages, "each page that is in use");
    Ok(())
}

#[test]
fn each_packed_page_that_is_damaged_is_named() -> Result {
    for (compression, checksums) in [
        (Compression::None, true),
        (Compression::ZSTD, true),
        (Compression::LZ4, true),
        (Compression::ZLIB, false),
    ] {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("damaged.lsm");
        let builder = small_pages()
            .compression(compression)
            .page_checksums(checksums);
        rich_file(&path, &builder)?;
        let healthy = fs::read(&path)?;
        let mut random = SplitMix64::new(3);
        let mut hits = 0;
        for _ in 0..40 {
            let at = 8200 + random.below(healthy.len() as u64 - 8200) as usize;
            let mut damaged = healthy.clone();
            damaged[at] ^= 1 << random.below(8);
            let found = places(&path, &damaged)?;
            // The page that begins last before the flipped bit, or one that leads there.
            let near = found.iter().any(|place| match place {
                Place::Page(offset) => (at as u64).abs_diff(*offset) < 2100,
                Place::Block(n) => (at as u64).abs_diff(u64::from(*n) << 16) <= 1 << 16,
                _ => false,
            });
            assert!(found.is_empty() || near, "bit at {at}: {found:?}");
            hits += u64::from(near);
        }
        // The rest of the file is free, or behind the last page.
        assert!(hits > 8, "{compression:?}: {hits}");
    }
    Ok(())
}

#[test]
fn a_damaged_checkpoint_is_named_and_the_other_one_used() -> Result {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("damaged.lsm");
    rich_file(&path, &small_pages())?;
    let healthy = fs::read(&path)?;
    for (n, offset) in [(1, 0), (2, 4096)] {
        for at in (0..80).step_by(9) {
            let mut damaged = healthy.clone();
            damaged[offset + at] ^= 0x10;
            fs::write(&path, &damaged)?;
            let report = verify_file(&path)?;
            assert_eq!(report.damage[0].place, Place::HeaderPage(n), "{report}");
            assert_eq!(
                report.checkpoints[usize::from(n) - 1],
                CheckpointState::Invalid
            );
            assert!(matches!(
                report.checkpoints[2 - usize::from(n)],
                CheckpointState::Valid(_)
            ));
        }
    }
    let mut both = healthy;
    both[20] ^= 1;
    both[4096 + 20] ^= 1;
    assert_eq!(
        places(&path, &both)?,
        [Place::HeaderPage(1), Place::HeaderPage(2)]
    );
    Ok(())
}

#[test]
fn what_is_cut_off_is_named() -> Result {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("damaged.lsm");
    rich_file(&path, &small_pages())?;
    let healthy = fs::read(&path)?;
    let mut cut = 0;
    for len in (0..healthy.len()).step_by(49_777) {
        let found = places(&path, &healthy[..len])?;
        if len < 100 {
            continue;
        }
        assert!(
            found.iter().all(|place| match place {
                Place::Page(page) => page * 512 > len as u64,
                Place::HeaderPage(n) => usize::from(*n) * 4096 > len,
                // The link at its end.
                Place::Block(block) => (*block as usize) << 16 > len,
                _ => false,
            } || found.len() > 1),
            "{len}: {found:?}"
        );
        cut += usize::from(!found.is_empty());
    }
    assert!(cut * 49_777 > healthy.len() / 2, "{cut}");
    Ok(())
}

#[test]
fn a_link_that_leads_elsewhere_is_named() -> Result {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("damaged.lsm");
    rich_file(&path, &small_pages())?;
    let healthy = fs::read(&path)?;
    let mut named = 0;
    for block in 1..=(healthy.len() >> 16) as u32 {
        let end = (block as usize) << 16;
        for to in [1, 77_777] {
            let mut damaged = healthy.clone();
            damaged[end - 4..end].copy_from_slice(&u32::to_be_bytes(to));
            if damaged == healthy {
                continue;
            }
            let found = places(&path, &damaged)?;
            assert!(
                found.is_empty() || found == [Place::Block(block)],
                "{block}: {found:?}"
            );
            named += found.len();
        }
    }
    assert!(named > 0);
    Ok(())
}

#[test]
fn pages_that_changed_places_are_noticed() -> Result {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("damaged.lsm");
    let builder = small_pages();
    let mut db = builder.open(&path)?;
    for n in 0..5000u32 {
        db.insert(n.to_be_bytes(), [7; 20])?;
    }
    db.close()?;
    let healthy = fs::read(&path)?;
    for first in (40..300).step_by(26) {
        let (a, b) = (first * 512, (first + 13) * 512);
        let mut damaged = healthy.clone();
        damaged.copy_within(b..b + 512, a);
        damaged[b..b + 512].copy_from_slice(&healthy[a..a + 512]);
        let found = places(&path, &damaged)?;
        let [a, b] = [a, b].map(|offset| Place::Page(offset as u64 / 512 + 1));
        let beside = Place::Page(first as u64 + 2);
        assert!(
            found.contains(&a) || found.contains(&b) || found.contains(&beside),
            "{a} and {b}: {found:?}"
        );
    }
    Ok(())
}

#[test]
fn a_b_tree_that_leads_to_a_wrong_page_is_named() -> Result {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("damaged.lsm");
    let mut db = small_pages().open(&path)?;
    for n in 0..20_000u32 {
        db.insert(n.to_be_bytes(), [7; 20])?;
    }
    db.compact()?;
    db.close()?;
    let healthy = fs::read(&path)?;
    let mut named = 0;
    for offset in (8192..healthy.len()).step_by(512) {
        let footer = offset + 512 - 4;
        let pages_per_block = 128;
        let in_block = offset / 512 % pages_per_block;
        // A b-tree page, and not one that is shorter than the others.
        if healthy[footer..footer + 2] != [0, 1] || in_block == 0 || in_block == 127 {
            continue;
        }
        let mut damaged = healthy.clone();
        damaged[footer - 1] ^= 1;
        let found = places(&path, &damaged)?;
        let page = Place::Page(offset as u64 / 512 + 1);
        // Pages that were given up during the merge aren't part of the tree.
        assert!(
            found.is_empty() || found.contains(&page),
            "{page}: {found:?}"
        );
        named += usize::from(!found.is_empty());
    }
    assert!(named > 3, "{named}");
    Ok(())
}

#[test]
fn junk_is_reported_or_refused_and_never_panics() -> Result {
    let dir = tempfile::tempdir()?;
    let mut random = SplitMix64::new(setting("LSMLITE_SEED", 1));
    let mut files = Vec::new();
    for (i, builder) in [
        small_pages(),
        small_pages().compression(Compression::LZ4),
        small_pages().page_checksums(true),
    ]
    .iter()
    .enumerate()
    {
        let path = dir.path().join(format!("{i}.lsm"));
        rich_file(&path, builder)?;
        files.push(fs::read(&path)?);
    }
    let path = dir.path().join("junk.lsm");
    for round in 0..setting("LSMLITE_MUTATIONS", 150) {
        let mut content = files[round as usize % files.len()].clone();
        for _ in 0..1 + random.below(40) {
            let at = random.below(content.len() as u64) as usize;
            match random.below(4) {
                0 => content[at] ^= 1 << random.below(8),
                1 => content[at] = random.next() as u8,
                2 => {
                    let len = random.below(600).min((content.len() - at) as u64) as usize;
                    let from = random.below((content.len() - len) as u64) as usize;
                    content.copy_within(from..from + len, at);
                }
                _ => {
                    let len = random.below(600).min((content.len() - at) as u64) as usize;
                    content[at..at + len].fill(random.pick(&[0, 0xff, 0x80]));
                }
            }
        }
        // A checkpoint that was mended leads further.
        for header in [0, 4096] {
            if random.one_in(2) {
                let field = header + 4 * random.below(100) as usize;
                content[field + 2] = random.next() as u8;
                mend_checkpoint(&mut content[header..header + 4096]);
            }
        }
        if random.one_in(10) {
            content.truncate(random.below(content.len() as u64) as usize);
        }
        fs::write(&path, &content)?;
        let found = verify_file(&path);
        assert!(
            found
                .as_ref()
                .map_or_else(|_| true, |report| report.damage.len() <= 1000),
            "round {round}: {found:?}"
        );
    }
    Ok(())
}

/// Computes the checksum of a checkpoint anew.
fn mend_checkpoint(page: &mut [u8]) {
    let word = |page: &[u8], i: usize| u32::from_be_bytes(page[4 * i..][..4].try_into().unwrap());
    let count = word(page, 2) as usize;
    if !(25..=1000).contains(&count) {
        return;
    }
    let (mut a, mut b) = (1u32, 2u32);
    if count % 2 == 1 {
        a = a.wrapping_add(word(page, count - 3) & 0xffff);
        b = b.wrapping_add(word(page, count - 3) & 0xffff_0000);
    }
    for i in (0..count - 3).step_by(2) {
        a = a.wrapping_add(b).wrapping_add(word(page, i));
        b = b.wrapping_add(a).wrapping_add(word(page, i + 1));
    }
    page[4 * (count - 2)..][..4].copy_from_slice(&a.to_be_bytes());
    page[4 * (count - 1)..][..4].copy_from_slice(&b.to_be_bytes());
}

#[test]
fn a_block_that_is_in_use_and_free_is_named() -> Result {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("damaged.lsm");
    let mut db = small_pages().open(&path)?;
    for n in 0..9000u32 {
        db.insert(n.to_be_bytes(), [7; 40])?;
    }
    db.compact()?;
    db.close()?;
    let mut content = fs::read(&path)?;
    let id =
        |content: &[u8], at: usize| u64::from_be_bytes(content[at..at + 8].try_into().unwrap());
    let header = if id(&content, 4096) > id(&content, 0) {
        4096
    } else {
        0
    };
    let page = &mut content[header..header + 4096];
    // One level without a merge follows the fixed numbers; then the counts of moved blocks, none,
    // and of free ones.
    let word = |page: &[u8], i: usize| u32::from_be_bytes(page[4 * i..][..4].try_into().unwrap());
    assert_eq!((word(page, 6), word(page, 22)), (1, 0));
    assert_eq!(word(page, 31), 0);
    let free = word(page, 32);
    // Of the last entry the block becomes 2, or there is one more entry.
    let mut words: Vec<u32> = (0..33 + 3 * free as usize).map(|i| word(page, i)).collect();
    words[32] = free + 1;
    words.extend([2, 0, 1]);
    words[2] = words.len() as u32 + 2;
    for (i, word) in words.iter().enumerate() {
        page[4 * i..][..4].copy_from_slice(&word.to_be_bytes());
    }
    mend_checkpoint(page);
    assert_eq!(places(&path, &content)?, [Place::Block(2)]);
    Ok(())
}

#[test]
fn an_open_file_is_left_to_its_handle() -> Result {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("open.lsm");
    let db = LsmDb::open(&path)?;
    let error = verify_file(&path).unwrap_err();
    assert_eq!(error.code(), LsmErrorCode::LsmMisuse, "{error}");
    assert!(db.verify()?.is_clean());
    db.close()?;
    assert!(
        verify_file(dir.path().join("none.lsm"))
            .unwrap_err()
            .is_not_found()
    );
    Ok(())
}

#[cfg(unix)]
#[test]
fn a_database_in_memory_can_be_verified() -> Result {
    let mut db = LsmDb::builder()
        .env(lsmlite_rs::env::MemoryEnv::new())
        .open("nowhere.lsm")?;
    assert!(db.verify()?.is_clean());
    for n in 0..5000u32 {
        db.insert(n.to_be_bytes(), [1; 50])?;
    }
    db.flush()?;
    let report = db.verify()?;
    assert!(report.is_clean() && report.records == 5000, "{report}");
    Ok(())
}

#[test]
fn verification_sees_a_stable_state_beside_writers() -> Result {
    for multi_process in [false, true] {
        beside_writers(multi_process)?;
    }
    Ok(())
}

fn beside_writers(multi_process: bool) -> Result {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("busy.lsm");
    let builder = small_pages()
        .autoflush_kib(16)
        .autocheckpoint_kib(64)
        .max_free_list(2)
        .multi_process(multi_process)
        .background(BackgroundMode::MergerAndCheckpointer);
    let mut writer = builder.clone().open(&path)?;
    let reader = LsmDb::builder().multi_process(multi_process).open(&path)?;
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| -> Result {
        let done = &done;
        let verifying = scope.spawn(move || -> Result<u32> {
            let mut rounds = 0;
            while !done.load(Ordering::Relaxed) {
                let report = retry(|| reader.verify())?;
                assert!(report.is_clean(), "round {rounds}: {report}");
                rounds += 1;
            }
            Ok(rounds)
        });
        let mut random = SplitMix64::new(9);
        let start = Instant::now();
        let written = (|| -> Result {
            while start.elapsed() < Duration::from_secs(setting("LSMLITE_SECONDS", 2)) {
                retry(|| writer.insert(key(&mut random), value(&mut random)))?;
            }
            Ok(())
        })();
        done.store(true, Ordering::Relaxed);
        let rounds = verifying
            .join()
            .map_err(|_| "the verifying thread panicked")??;
        written?;
        assert!(rounds > 3, "{rounds}");
        Ok(())
    })?;
    writer.close()?;
    assert!(verify_file(&path)?.is_clean());
    Ok(())
}

#[cfg(feature = "serde")]
#[test]
fn a_report_is_serialised_by_name() -> Result {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("damaged.lsm");
    rich_file(&path, &small_pages())?;
    let mut content = fs::read(&path)?;
    content[4096] ^= 1;
    fs::write(&path, content)?;
    let json = serde_json::to_value(verify_file(&path)?)?;
    assert_eq!(json["damage_count"], 1);
    assert_eq!(json["damage"][0]["place"]["HeaderPage"], 2);
    assert_eq!(json["checkpoints"][1], "Invalid");
    Ok(())
}

/// Power fails while a database is written to; a checkpoint that was being written may be torn,
/// and nothing else is wrong with the file.
#[cfg(unix)]
fn power_loss(seed: u64) -> Result<bool> {
    use lsmlite_rs::config::Safety;
    use lsmlite_rs::env::{Call, FaultEnv};
    let mut random = SplitMix64::new(seed);
    let disk = FaultEnv::new(seed);
    let builder = any_settings(&mut random)
        .multi_process(false)
        .safety(random.pick(&[Safety::Normal, Safety::Full]))
        .env(&disk);
    let mut db = builder.clone().open("lost.lsm")?;
    disk.lose_power_within(Call::Any, 2 + random.below(6000));
    for _ in 0..4000 {
        if step(&mut db, &mut random, true).is_err() {
            break;
        }
    }
    drop(db);
    let loss = disk.restart();
    let Ok(content) = disk.read_file("lost.lsm") else {
        return Ok(false);
    };
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("lost.lsm");
    fs::write(&path, content)?;
    if let Ok(log) = disk.read_file("lost.lsm-log") {
        fs::write(dir.path().join("lost.lsm-log"), log)?;
    }
    let report = verify_file(&path)?;
    let torn = |damage: &lsmlite_rs::Damage| matches!(damage.place, Place::HeaderPage(_));
    let only_torn = report.damage.len() < 2 && report.damage.iter().all(torn);
    assert!(only_torn, "seed {seed}: {loss}: {report}");
    Ok(report.pages > 0)
}

#[cfg(unix)]
#[test]
fn a_power_failure_does_no_damage_beyond_the_checkpoint_being_written() -> Result {
    let first = setting("LSMLITE_SEED", 1);
    let mut with_pages = 0;
    for seed in first..first + setting("LSMLITE_HISTORIES", 25) {
        with_pages += u32::from(power_loss(seed).map_err(|error| format!("seed {seed}: {error}"))?);
    }
    assert!(with_pages > 5, "{with_pages}");
    Ok(())
}
