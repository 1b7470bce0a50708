//! Settings: out of range is refused before anything is touched, and in range works.

mod common;

use std::fs;
use std::path::Path;
use std::time::Duration;

use common::{Model, Result, SplitMix64, assert_same, contents};
use lsmlite_rs::compression::Compression;
use lsmlite_rs::config::{BackgroundMode, Mmap, Preset, Safety};
use lsmlite_rs::env::MemoryEnv;
use lsmlite_rs::{LsmDb, LsmDbBuilder, LsmErrorCode};

#[test]
fn a_setting_out_of_range_is_refused_before_a_file_is_created() -> Result {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("never.lsm");
    let new = LsmDb::builder;
    let sizes = |page, kib| new().page_size_bytes(page).block_size_kib(kib);
    let cases: Vec<(&str, LsmDbBuilder)> = vec![
        ("autoflush_kib", new().autoflush_kib(1024 * 1024 + 1)),
        ("autoflush_kib", new().autoflush_kib(u32::MAX)),
        ("page_size_bytes", new().page_size_bytes(0)),
        ("page_size_bytes", new().page_size_bytes(128)),
        ("page_size_bytes", new().page_size_bytes(257)),
        ("page_size_bytes", new().page_size_bytes(4095)),
        ("page_size_bytes", new().page_size_bytes(131_072)),
        ("page_size_bytes", new().page_size_bytes(u32::MAX)),
        ("block_size_kib", new().block_size_kib(0)),
        ("block_size_kib", new().block_size_kib(32)),
        ("block_size_kib", new().block_size_kib(65)),
        ("block_size_kib", new().block_size_kib(1000)),
        ("block_size_kib", new().block_size_kib(131_072)),
        ("block_size_kib", new().block_size_kib(1 << 31)),
        ("autocheckpoint_kib", new().autocheckpoint_kib(1 << 31)),
        // Less than a page of some file: the engine would checkpoint for ever.
        ("autocheckpoint_kib", new().autocheckpoint_kib(1)),
        ("autocheckpoint_kib", new().autocheckpoint_kib(63)),
        ("automerge_segments", new().automerge_segments(0)),
        ("automerge_segments", new().automerge_segments(1)),
        ("automerge_segments", new().automerge_segments(33)),
        ("max_free_list", new().max_free_list(0)),
        ("max_free_list", new().max_free_list(1)),
        ("max_free_list", new().max_free_list(25)),
        ("3072 at least", new().memory_limit_kib(3071)),
        (
            "8192 at least",
            new()
                .memory_limit_kib(8191)
                .background(BackgroundMode::MergerAndCheckpointer),
        ),
        ("autowork", new().memory_limit_kib(9000).autowork(false)),
        ("mmap", new().mmap(Mmap::UpToKib(0))),
        ("mmap", new().mmap(Mmap::UpToKib(1))),
        ("mmap", new().mmap(Mmap::UpToKib(1 << 31))),
        ("8 pages", sizes(65_536, 64)),
        ("8 pages", sizes(65_536, 256)),
        ("8 pages", sizes(32_768, 64)),
        ("8 pages", sizes(32_768, 128)),
        ("8 pages", sizes(16_384, 64)),
    ];
    for (name, builder) in cases {
        let error = builder.open(&path).err().ok_or(name)?;
        assert_eq!(error.code(), LsmErrorCode::LsmMisuse, "{error}");
        assert!(error.to_string().contains(name), "{name}: {error}");
        assert!(error.to_string().contains("never.lsm"), "{error}");
        assert!(common::files_in(dir.path())?.is_empty(), "{name}");
    }
    Ok(())
}

#[test]
fn the_ends_of_every_range_are_accepted() -> Result {
    let dir = tempfile::tempdir()?;
    let new = LsmDb::builder;
    let cases: Vec<LsmDbBuilder> = vec![
        new().autoflush_kib(0),
        new().autoflush_kib(1),
        new().autoflush_kib(1024 * 1024),
        new().memory_limit_kib(3072),
        new()
            .memory_limit_kib(8192)
            .background(BackgroundMode::MergerAndCheckpointer),
        new().memory_limit_kib(u32::MAX),
        new().preset(Preset::WriteHeavy),
        new().preset(Preset::Archive),
        new().preset(Preset::LowLatency),
        new().preset(Preset::SmallMemory),
        new().autocheckpoint_kib(0),
        new().autocheckpoint_kib(64),
        new()
            .autocheckpoint_kib(64)
            .page_size_bytes(65_536)
            .block_size_kib(512),
        new().autocheckpoint_kib(i32::MAX as u32),
        new().automerge_segments(2),
        new().automerge_segments(32),
        new().max_free_list(2),
        new().mmap(Mmap::UpToKib(2)),
        new().mmap(Mmap::UpToKib(i32::MAX as u32)),
        new().safety(Safety::Off),
        new().safety(Safety::Full),
        new().use_log(false),
        new().multi_process(true),
        new().autowork(false),
        new().page_size_bytes(256),
        new().page_size_bytes(8192).block_size_kib(64),
        new().page_size_bytes(65_536).block_size_kib(512),
        new().block_size_kib(65_536),
    ];
    for (i, builder) in cases.into_iter().enumerate() {
        let path = dir.path().join(format!("{i}.lsm"));
        let model = small_run(builder, &path, i as u64, 600)?;
        assert!(model.len() > 50, "case {i}");
    }
    Ok(())
}

/// A little of everything, compared with a map, closed, reopened and compared again.
fn small_run(builder: LsmDbBuilder, path: &Path, seed: u64, steps: u64) -> Result<Model> {
    let mut random = SplitMix64::new(seed);
    let mut model = Model::new();
    let mut db = builder.clone().open(path)?;
    let key = |random: &mut SplitMix64| {
        let mut key = format!("{:03}", random.below(300)).into_bytes();
        let padding = random.pick(&[0, 0, 0, 40, 300]);
        key.resize(3 + padding, b'.');
        key
    };
    for step in 0..steps {
        match random.below(20) {
            0..=13 => {
                let (key, len) = (key(&mut random), random.pick(&[0, 10, 100, 700]));
                let value = vec![step as u8; len];
                db.insert(&key, &value)?;
                model.insert(key, value);
            }
            14..=16 => {
                let key = key(&mut random);
                db.remove(&key)?;
                model.remove(&key);
            }
            17 => {
                let key = key(&mut random);
                assert_eq!(db.get(&key)?.as_ref(), model.get(&key));
            }
            18 if step % 3 == 0 => db.flush()?,
            19 if step % 4 == 0 => db.compact()?,
            _ => {}
        }
    }
    let name = path.display().to_string();
    assert_same(&contents(&db)?, &model, &name);
    db.close()?;
    let mut db = builder.open(path)?;
    assert_same(&contents(&db)?, &model, &name);
    db.compact()?;
    assert_same(&contents(&db)?, &model, &name);
    db.close()?;
    Ok(model)
}

#[test]
fn every_page_and_block_size_works_with_every_codec_and_mapping() -> Result {
    let dir = tempfile::tempdir()?;
    let codecs = [
        Compression::None,
        #[cfg(feature = "lz4")]
        Compression::LZ4,
        #[cfg(feature = "zlib")]
        Compression::ZLIB,
        #[cfg(feature = "zstd")]
        Compression::ZSTD,
    ];
    let mut runs = 0;
    for page in (8..=16).map(|bits| 1_u32 << bits) {
        for block in (6..=16).map(|bits| 1_u32 << bits) {
            if block * 1024 < 8 * page {
                continue;
            }
            // With plain pages, and with one codec by turns (which turns mapping off).
            let codec = codecs[runs as usize % codecs.len()];
            for (mmap, compression) in [
                (Mmap::Off, Compression::None),
                (Mmap::UpToKib(64), Compression::None),
                (Mmap::All, Compression::None),
                (Mmap::All, codec),
            ] {
                // Larger blocks only differ in how far the file reaches, which takes time.
                if block > 2048 && mmap != Mmap::Off {
                    continue;
                }
                let name = format!("{page}-{block}-{mmap:?}-{compression:?}");
                let path = dir.path().join(name);
                let builder = LsmDb::builder()
                    .page_size_bytes(page)
                    .block_size_kib(block)
                    .mmap(mmap)
                    .compression(compression)
                    .safety(Safety::Off)
                    .autoflush_kib(8)
                    .autocheckpoint_kib(64);
                small_run(builder, &path, runs, 150)?;
                assert_eq!(sizes_in(&path)?, (page, block), "{}", path.display());
                fs::remove_file(&path)?;
            }
            runs += 1;
        }
    }
    // All but the six pairs with too small a block.
    assert_eq!(runs, 9 * 11 - 6);
    Ok(())
}

/// Page size in bytes and block size in KiB, as the file's newest checkpoint has them.
fn sizes_in(path: &Path) -> Result<(u32, u32)> {
    const META_PAGE: usize = 4096;
    let file = fs::read(path)?;
    let newest = [0, META_PAGE]
        .into_iter()
        .map(|start| {
            let word = |i: usize| {
                let at = start + 4 * i;
                file.get(at..at + 4)
                    .and_then(|bytes| bytes.try_into().ok())
                    .map_or(0, u32::from_be_bytes)
            };
            // The checkpoint's number, then block and page size among the header's words.
            ((word(0), word(1)), (word(7), word(5) / 1024))
        })
        .max()
        .ok_or("no checkpoint")?;
    Ok(newest.1)
}

#[test]
fn the_file_keeps_the_sizes_it_was_created_with() -> Result {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("kept.lsm");
    let small = LsmDb::builder().page_size_bytes(512).block_size_kib(64);
    let mut db = small.open(&path)?;
    db.insert(b"a", b"1")?;
    db.close()?;
    assert_eq!(sizes_in(&path)?, (512, 64));
    let large = LsmDb::builder()
        .page_size_bytes(65_536)
        .block_size_kib(65_536);
    let mut db = large.open(&path)?;
    db.insert(b"b", b"2")?;
    db.compact()?;
    assert_eq!(contents(&db)?.len(), 2);
    db.close()?;
    assert_eq!(sizes_in(&path)?, (512, 64));
    let mut db = LsmDb::open(&path)?;
    db.insert(b"c", b"3")?;
    assert_eq!(contents(&db)?.len(), 3);
    db.close()?;
    assert_eq!(sizes_in(&path)?, (512, 64));
    Ok(())
}

/// `lsm_config` writes what is in force back through its argument; 0.2.2 hands it constants.
#[test]
fn defaults_stay_defaults_however_often_they_are_set() -> Result {
    let dir = tempfile::tempdir()?;
    for i in 0..20 {
        let path = dir.path().join(format!("{i}.lsm"));
        let other = dir.path().join(format!("{i}-other.lsm"));
        let mut odd = LsmDb::builder()
            .page_size_bytes(256 << (i % 9))
            .block_size_kib(65_536)
            .open(&other)?;
        let mut db = LsmDb::open(&path)?;
        odd.insert(b"k", b"v")?;
        db.insert(b"k", b"v")?;
        odd.close()?;
        db.close()?;
        assert_eq!(sizes_in(&path)?, (4096, 8192));
        assert_eq!(sizes_in(&other)?, (256 << (i % 9), 65_536));
    }
    Ok(())
}

#[test]
fn without_a_log_a_clean_close_keeps_everything() -> Result {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("nolog.lsm");
    for mode in [BackgroundMode::None, BackgroundMode::MergerAndCheckpointer] {
        let builder = LsmDb::builder().use_log(false).background(mode);
        let mut db = builder.clone().open(&path)?;
        for i in 0..1000_u32 {
            db.insert(i.to_be_bytes(), [1; 100])?;
        }
        assert!(fs::metadata(dir.path().join("nolog.lsm-log")).map_or(true, |log| log.len() == 0));
        db.close()?;
        assert_eq!(contents(&builder.open(&path)?)?.len(), 1000);
    }
    Ok(())
}

/// A file has room for 40 runs. With so many of an age to be merged at once, there were 31 new ones
/// and nine that were merged before, and every flush from then on called the file damaged.
#[test]
fn rare_merges_leave_room_for_the_next_run() -> Result {
    let mut db = LsmDb::builder()
        .env(MemoryEnv::new())
        .page_size_bytes(256)
        .automerge_segments(32)
        .open("db")?;
    for i in 0..400_u32 {
        db.insert(i.to_be_bytes(), [7; 100])?;
        db.flush()?;
    }
    assert_eq!(db.iter().count(), 400);
    assert!(db.stats()?.levels.len() <= 40);
    assert!(db.verify()?.is_clean());
    Ok(())
}

/// With hardly anything between two checkpoints, merging made work faster than it did it.
#[test]
fn a_checkpoint_after_every_page_lets_work_end() -> Result {
    let (sender, done) = std::sync::mpsc::channel();
    let worker = std::thread::spawn(move || -> Result {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("db");
        let mut db = LsmDb::builder()
            .page_size_bytes(65_536)
            .block_size_kib(512)
            .autocheckpoint_kib(64)
            .autoflush_kib(16)
            .safety(Safety::Off)
            .open(&path)?;
        let mut random = SplitMix64::new(5);
        for _ in 0..400 {
            let (key, value) = (random.below(150).to_be_bytes(), random.bytes(3000));
            db.insert(key, value)?;
        }
        db.work(1 << 20)?;
        db.compact()?;
        let size = std::fs::metadata(&path)?.len();
        assert!(size < 24 << 20, "{size} bytes for half a megabyte");
        sender.send(())?;
        Ok(())
    });
    // Three seconds, on a slow machine.
    match done.recv_timeout(std::time::Duration::from_secs(60)) {
        Err(std::sync::mpsc::RecvTimeoutError::Timeout) => panic!("it never ends"),
        _ => worker.join().map_err(|_| "a panic")?,
    }
}

/// Everything that takes a path or bytes takes whatever can be seen as such.
#[test]
fn paths_and_bytes_are_taken_in_every_form() -> Result {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("forms.lsm");
    let text = path.to_str().ok_or("no text")?;
    LsmDb::open(text)?.close()?;
    LsmDb::open(String::from(text))?.close()?;
    LsmDb::open(path.as_os_str())?.close()?;
    LsmDb::builder().open(path.clone())?.close()?;
    let mut db = LsmDb::builder().busy_timeout(Duration::ZERO).open(&path)?;
    db.insert("text", String::from("owned"))?;
    db.insert([1_u8, 2], vec![3_u8])?;
    db.insert(b"bytes", &b"borrowed"[..])?;
    db.insert(
        std::borrow::Cow::Borrowed(b"cow".as_slice()),
        Box::from([4_u8]) as Box<[u8]>,
    )?;
    assert_eq!(db.get(String::from("text"))?, Some(b"owned".to_vec()));
    assert_eq!(db.range("a".."d").count(), 2);
    assert_eq!(db.range(vec![1_u8]..=vec![1_u8, 2]).count(), 1);
    assert_eq!(db.prefix(String::from("te")).count(), 1);
    db.remove_range("b".."d")?;
    db.backup(dir.path().join("copy.lsm").as_os_str())?;
    assert_eq!(
        lsmlite_rs::verify_file(dir.path().join("copy.lsm"))?.records,
        2
    );
    Ok(())
}
