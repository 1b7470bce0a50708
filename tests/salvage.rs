//! `salvage`: everything comes out of a healthy file, everything that isn't on a damaged page out
//! of a damaged one.
//!
//! `LSMLITE_HISTORIES` says how many random histories, `LSMLITE_SEED` where the seeds begin.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use common::{Model, Result, SplitMix64, assert_same, contents, setting};
use lsmlite_rs::compression::Compression;
use lsmlite_rs::{
    Disk, LsmDb, LsmDbBuilder, LsmErrorCode, Salvage, SalvageBasis, SalvageReport, salvage,
};

fn log_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-log");
    name.into()
}

/// Copies a database that is open, as a crash of the process would leave it.
fn crash_copy(from: &Path, to: &Path) -> Result {
    fs::copy(from, to)?;
    let _ = fs::remove_file(log_of(to));
    if log_of(from).exists() {
        fs::copy(log_of(from), log_of(to))?;
    }
    Ok(())
}

/// What salvage makes of a file; the file itself must stay as it is.
fn salvaged(dir: &Path, path: &Path) -> Result<(Model, SalvageReport)> {
    let before = (fs::read(path)?, fs::read(log_of(path)).ok());
    let to = dir.join("salvaged.lsm");
    let _ = fs::remove_file(&to);
    let report = salvage(path, &to)?;
    assert!(before == (fs::read(path)?, fs::read(log_of(path)).ok()));
    assert!(!dir.join("salvaged.lsm-salvage").exists());
    let db = LsmDb::open(&to)?;
    let found = contents(&db)?;
    db.close()?;
    Ok((found, report))
}

fn any_settings(random: &mut SplitMix64) -> LsmDbBuilder {
    let page = random.pick(&[256, 256, 1024, 4096, 16_384]);
    let block = (page * 8 / 1024).max(random.pick(&[64, 64, 128]));
    let builder = LsmDb::builder()
        .page_size_bytes(page)
        .block_size_kib(block)
        .autoflush_kib(random.pick(&[0, 8, 16, 64]))
        .autocheckpoint_kib(random.pick(&[64, 64, 2048, 0]))
        .automerge_segments(random.pick(&[2, 3, 4]))
        .max_free_list(random.pick(&[2, 24]))
        .autowork(!random.one_in(8));
    let builder = builder.page_checksums(random.one_in(3));
    match random.below(6) {
        0 => builder.compression(Compression::LZ4),
        1 => builder.compression(Compression::ZSTD),
        _ => builder,
    }
}

fn key(random: &mut SplitMix64) -> Vec<u8> {
    let n = random.below(800) as u16;
    match random.below(30) {
        0 => [vec![b'k'; 400], n.to_be_bytes().to_vec()].concat(),
        1 => Vec::new(),
        _ => n.to_be_bytes().to_vec(),
    }
}

fn value(random: &mut SplitMix64) -> Vec<u8> {
    let len = match random.below(60) {
        0 => 9000,
        1..=4 => 1500,
        _ => random.below(150),
    };
    random.bytes(len as usize)
}

fn step(db: &mut LsmDb, model: &mut Model, random: &mut SplitMix64) -> Result {
    match random.below(100) {
        0..=64 => {
            let (key, value) = (key(random), value(random));
            db.insert(&key, &value)?;
            model.insert(key, value);
        }
        65..=84 => {
            let key = key(random);
            db.remove(&key)?;
            model.remove(&key);
        }
        85..=89 => {
            let (from, to) = (key(random), key(random));
            db.delete_range(&from, &to)?;
            model.retain(|key, _| !(*key > from && *key < to));
        }
        90 => db.flush()?,
        91 => drop(db.checkpoint()?),
        92..=95 => drop(db.work(random.below(30) as u32)?),
        96 if random.one_in(10) => db.compact()?,
        _ => {}
    }
    Ok(())
}

fn healthy_history(seed: u64) -> Result {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("healthy.lsm");
    let mut random = SplitMix64::new(seed);
    let builder = any_settings(&mut random);
    let mut db = builder.clone().open(&path)?;
    let mut model = Model::new();
    for round in 0..3 {
        for _ in 0..200 + random.below(800) {
            step(&mut db, &mut model, &mut random)?;
        }
        // What is in memory only is in the log.
        let copy = dir.path().join("copy.lsm");
        crash_copy(&path, &copy)?;
        let (found, report) = salvaged(dir.path(), &copy)?;
        assert_same(&found, &model, &format!("seed {seed}, round {round}, open"));
        assert!(report.is_complete(), "seed {seed}, round {round}: {report}");
        if random.one_in(2) {
            db.close()?;
            let (found, report) = salvaged(dir.path(), &path)?;
            assert!(report.is_complete(), "seed {seed}: {report}");
            assert_same(&found, &model, &format!("seed {seed}, round {round}"));
            db = builder.clone().open(&path)?;
        }
    }
    db.close()?;
    Ok(())
}

#[test]
fn everything_comes_out_of_a_healthy_file() -> Result {
    let first = setting("LSMLITE_SEED", 1);
    for seed in first..first + setting("LSMLITE_HISTORIES", 10) {
        healthy_history(seed).map_err(|error| format!("seed {seed}: {error}"))?;
    }
    Ok(())
}

/// A file of one segment, in which each record is found once; its values are unique.
fn compacted(path: &Path, builder: &LsmDbBuilder) -> Result<Model> {
    let mut random = SplitMix64::new(17);
    let mut db = builder.clone().open(path)?;
    let mut model = Model::new();
    for n in 0..4000u32 {
        let len = if random.one_in(300) { 3000 } else { 30 };
        model.insert(n.to_be_bytes().to_vec(), random.bytes(len));
    }
    for (key, value) in &model {
        db.insert(key, value)?;
    }
    db.compact()?;
    db.close()?;
    Ok(model)
}

fn small_pages() -> LsmDbBuilder {
    LsmDb::builder().page_size_bytes(1024).block_size_kib(64)
}

fn position(content: &[u8], part: &[u8]) -> Option<usize> {
    content
        .windows(part.len())
        .position(|window| window == part)
}

#[test]
fn what_is_not_on_a_damaged_page_comes_out() -> Result {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("damaged.lsm");
    let model = compacted(&path, &small_pages())?;
    let healthy = fs::read(&path)?;
    let mut random = SplitMix64::new(setting("LSMLITE_SEED", 1));
    for k in [1, 2, 5, 20] {
        let mut damaged = healthy.clone();
        let mut pages = Vec::new();
        for _ in 0..k {
            let page = 8 + random.below(healthy.len() as u64 / 1024 - 8) as usize;
            damaged[page * 1024..][..1024].copy_from_slice(&random.bytes(1024));
            pages.push(page);
        }
        fs::write(&path, &damaged)?;
        let (found, report) = salvaged(dir.path(), &path)?;
        assert!(report.damage_count >= k.min(5) - 1, "{pages:?}: {report}");
        for (key, value) in &model {
            match found.get(key) {
                Some(same) => assert_eq!(same, value),
                None => {
                    // A value that goes over to another page isn't found in one piece, and pages
                    // of the b-tree may lie between.
                    let start = position(&healthy, &value[..8]);
                    let end = position(&healthy, &value[value.len() - 8..]);
                    let near = |at: usize| pages.contains(&(at / 1024));
                    let lost = match (start, end) {
                        // The head and the key come before the value.
                        (Some(start), Some(end)) => {
                            ((start - 20) / 1024..=end / 1024).any(|page| near(page * 1024))
                        }
                        (at, other) => at.or(other).is_none_or(|at| {
                            (at / 1024 - 4..=at / 1024 + 4).any(|page| near(page * 1024))
                        }),
                    };
                    assert!(
                        lost,
                        "{key:?} at {start:?} to {end:?}, and {pages:?} are damaged"
                    );
                }
            }
        }
        assert!(found.keys().all(|key| model.contains_key(key)));
        assert!(
            found.len() + 80 * k as usize >= model.len(),
            "{} came out",
            found.len()
        );
    }
    Ok(())
}

#[test]
fn without_checkpoints_the_whole_file_is_searched() -> Result {
    let builders = [
        small_pages(),
        LsmDb::builder().page_size_bytes(4096).block_size_kib(64),
        small_pages().compression(Compression::LZ4),
        small_pages()
            .compression(Compression::ZSTD)
            .page_checksums(true),
        small_pages().page_checksums(true),
    ];
    for (i, builder) in builders.iter().enumerate() {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("damaged.lsm");
        let model = compacted(&path, builder)?;
        let healthy = fs::read(&path)?;
        for how in ["checksums", "everything"] {
            let mut damaged = healthy.clone();
            match how {
                "checksums" => {
                    damaged[16 * 4 + 1] ^= 1;
                    damaged[4096 + 16 * 4 + 1] ^= 1;
                }
                _ => damaged[..8192].fill(0),
            }
            fs::write(&path, &damaged)?;
            let (found, report) = salvaged(dir.path(), &path)?;
            assert_eq!(report.basis, SalvageBasis::WholeFile);
            assert!(!report.is_complete());
            assert_same(&found, &model, &format!("builder {i}, {how}"));
        }
    }
    Ok(())
}

#[test]
fn a_file_that_was_cut_off_gives_what_is_left() -> Result {
    for builder in [small_pages(), small_pages().compression(Compression::LZ4)] {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("damaged.lsm");
        let model = compacted(&path, &builder)?;
        let healthy = fs::read(&path)?;
        let mut last = 0;
        for tenths in 3..10 {
            fs::write(&path, &healthy[..healthy.len() / 10 * tenths])?;
            let (found, report) = salvaged(dir.path(), &path)?;
            assert!(!report.is_complete(), "{report}");
            assert!(
                found
                    .iter()
                    .all(|(key, value)| model.get(key) == Some(value))
            );
            assert!(found.len() >= last, "{tenths}: {}", found.len());
            last = found.len();
        }
        assert!(last > model.len() / 2, "{last}");
    }
    Ok(())
}

#[test]
fn a_broken_link_between_blocks_loses_nothing() -> Result {
    for checksums in [false, true] {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("damaged.lsm");
        let model = compacted(&path, &small_pages().page_checksums(checksums))?;
        let healthy = fs::read(&path)?;
        for block in 1..healthy.len() >> 16 {
            let mut damaged = healthy.clone();
            damaged[(block << 16) - 1] ^= 0x55;
            damaged[(block << 16) - 5] ^= u8::from(checksums) * 3;
            fs::write(&path, &damaged)?;
            let (found, _) = salvaged(dir.path(), &path)?;
            assert_same(&found, &model, &format!("link of block {block}"));
        }
    }
    Ok(())
}

#[test]
fn nothing_comes_out_that_never_was_written() -> Result {
    let mut random = SplitMix64::new(setting("LSMLITE_SEED", 1));
    let builders = [
        small_pages(),
        small_pages().compression(Compression::ZSTD),
        small_pages().page_checksums(true),
    ];
    for round in 0..setting("LSMLITE_MUTATIONS", 24) {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("damaged.lsm");
        let builder = builders[round as usize % 3].clone().autoflush_kib(32);
        let mut db = builder.automerge_segments(2).open(&path)?;
        for n in 0..1500u32 {
            let key = random.below(400) as u16;
            db.insert(key.to_be_bytes(), value_of(key, n))?;
            if n % 5 == 0 {
                db.remove((random.below(400) as u16).to_be_bytes())?;
            }
        }
        let copy = dir.path().join("copy.lsm");
        crash_copy(&path, &copy)?;
        let mut content = fs::read(&copy)?;
        for _ in 0..random.below(30) {
            let at = random.below(content.len() as u64) as usize;
            match random.one_in(2) {
                true => content[at] ^= 1 << random.below(8),
                false => {
                    let end = content.len().min(at + 700);
                    content[at..end].fill(random.next() as u8);
                }
            }
        }
        if random.one_in(4) {
            content.truncate(random.below(content.len() as u64) as usize);
        }
        fs::write(&copy, &content)?;
        let to = dir.path().join("to.lsm");
        // It may be that nothing in it is like a database any more.
        if let Ok(report) = salvage(&copy, &to) {
            let found = contents(&LsmDb::open(&to)?)?;
            // Only page checksums vouch for bytes, and they need the checkpoint.
            let checked = round % 3 == 2 && report.basis != SalvageBasis::WholeFile;
            for (key, value) in found {
                let sound =
                    key.len() == 2 && is_value(u16::from_be_bytes([key[0], key[1]]), &value);
                assert!(
                    sound || !checked,
                    "seed, round {round}: {key:?} has {value:?}"
                );
            }
        }
    }
    Ok(())
}

/// Values that show which key they belong to.
fn value_of(key: u16, n: u32) -> Vec<u8> {
    [&key.to_be_bytes()[..], &n.to_be_bytes(), &[7; 20]].concat()
}

fn is_value(key: u16, value: &[u8]) -> bool {
    value.len() == 26 && value[..2] == key.to_be_bytes() && value[6..] == [7; 20]
}

#[test]
fn files_in_use_and_files_in_the_way_are_left_alone() -> Result {
    let dir = tempfile::tempdir()?;
    let (from, to) = (dir.path().join("from.lsm"), dir.path().join("to.lsm"));
    let db = LsmDb::open(&from)?;
    let error = salvage(&from, &to).unwrap_err();
    assert_eq!(error.code(), LsmErrorCode::LsmMisuse, "{error}");
    db.close()?;
    fs::write(&to, "mine")?;
    let error = salvage(&from, &to).unwrap_err();
    assert_eq!(error.code(), LsmErrorCode::LsmCantOpen, "{error}");
    assert_eq!(fs::read(&to)?, b"mine");
    assert!(
        salvage(dir.path().join("none"), dir.path().join("x"))
            .unwrap_err()
            .is_not_found()
    );
    let text = dir.path().join("text");
    fs::write(&text, vec![b'x'; 100_000])?;
    let error = salvage(&text, dir.path().join("x")).unwrap_err();
    assert!(error.is_corrupt(), "{error}");
    assert!(!dir.path().join("x").exists());
    Ok(())
}

#[test]
fn progress_is_shown() -> Result {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("from.lsm");
    let model = compacted(&path, &small_pages())?;
    let shown = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&shown);
    let report = Salvage::new()
        .on_progress(move |so_far| sink.lock().unwrap().push(so_far.records))
        .run(&path, dir.path().join("to.lsm"))?;
    let shown = shown.lock().unwrap();
    assert!(shown.is_sorted() && shown.len() > 1, "{shown:?}");
    assert_eq!(shown.last(), Some(&(model.len() as u64)));
    assert_eq!(report.records, model.len() as u64);
    Ok(())
}

#[test]
fn a_codec_of_ones_own_is_taken() -> Result {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("from.lsm");
    let codec = common::Moody::new(31_000);
    let model = compacted(&path, &small_pages().codec(codec.clone()))?;
    let error = salvage(&path, dir.path().join("x.lsm")).unwrap_err();
    assert_eq!(error.code(), LsmErrorCode::LsmMismatch, "{error}");
    let to = dir.path().join("to.lsm");
    let report = Salvage::new().codec(codec)?.run(&path, &to)?;
    assert!(report.is_complete(), "{report}");
    assert_same(&contents(&LsmDb::open(&to)?)?, &model, "own codec");
    Ok(())
}
