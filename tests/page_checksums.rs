//! Page checksums: their ids, and what they find. `page_checksums_mutated.rs` has the long run.

mod common;

use std::fs;
use std::ops::{ControlFlow, Range};
use std::path::{Path, PathBuf};

use common::{Model, Result, SplitMix64, contents};
use lsmlite_rs::compression::Compression;
use lsmlite_rs::config::{BackgroundMode, Safety};
use lsmlite_rs::{
    DbConf, Disk, LsmCompressionLib, LsmDb, LsmDbBuilder, LsmError, LsmErrorCode, LsmRange,
};

const BLOCK: usize = 64 * 1024;

fn builder() -> LsmDbBuilder {
    LsmDb::builder()
        .page_checksums(true)
        .block_size_kib(64)
        .safety(Safety::Off)
}

/// A file of one segment, over several blocks, closed.
fn write_file(path: &Path, builder: LsmDbBuilder, seed: u64) -> Result<Model> {
    let mut random = SplitMix64::new(seed);
    let mut model = Model::new();
    let mut db = builder.open(path)?;
    for i in 0..3000_u32 {
        let value = random.bytes(100);
        db.insert(i.to_be_bytes(), &value)?;
        model.insert(i.to_be_bytes().to_vec(), value);
    }
    db.compact()?;
    db.close()?;
    Ok(model)
}

fn scratch() -> Result<(tempfile::TempDir, PathBuf)> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("sums.lsm");
    Ok((dir, path))
}

/// The records of pages in the file: their size is at both ends.
fn pages(file: &[u8]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 8192 + 8;
    while at + 10 <= file.len() {
        let size = &file[at..at + 3];
        let body = size
            .iter()
            .fold(0, |n, byte| n << 7 | usize::from(byte & 0x7f));
        let end = at + 3 + body;
        if size.iter().all(|byte| byte & 0x80 != 0) && file.get(end..end + 3) == Some(size) {
            found.push(at..end + 3);
            at = end + 3;
        } else {
            at += 1;
        }
    }
    found
}

/// The id in the file's first header page.
fn id_in(path: &Path) -> Result<u32> {
    let file = fs::read(path)?;
    Ok(u32::from_be_bytes(file[12..16].try_into()?))
}

#[test]
fn a_file_with_page_checksums_comes_back_whole() -> Result {
    let codecs = [
        Compression::None,
        Compression::LZ4,
        Compression::ZLIB,
        Compression::ZSTD,
    ];
    for compression in codecs.into_iter().filter(|codec| is_compiled_in(*codec)) {
        for page in [256, 4096] {
            let (_dir, path) = scratch()?;
            let mut model = Model::new();
            for round in 0..6_u32 {
                let mut db = builder()
                    .compression(compression)
                    .page_size_bytes(page)
                    .autoflush_kib(64)
                    .autocheckpoint_kib(64)
                    .open(&path)?;
                for i in 0..600_u32 {
                    let key = (i * 7919 + round * 13) % 2000;
                    let value: Vec<u8> = (0..key % 700).map(|j| (j * key + round) as u8).collect();
                    db.insert(key.to_be_bytes(), &value)?;
                    model.insert(key.to_be_bytes().to_vec(), value);
                }
                if round == 3 {
                    db.compact()?;
                }
                common::assert_same(&contents(&db)?, &model, &format!("{compression:?} {page}"));
                db.close()?;
            }
        }
    }
    Ok(())
}

/// A way of reading on from one end: the record's key, or the end.
type Way = fn(&mut LsmRange<'_>) -> std::result::Result<Option<Vec<u8>>, LsmError>;

#[test]
fn an_iterator_ends_after_an_error_whichever_way_it_goes() -> Result {
    let (_dir, path) = scratch()?;
    let model = write_file(&path, builder(), 5)?;
    let mut file = fs::read(&path)?;
    let pages = pages(&file);
    let middle = pages[pages.len() / 2].clone();
    file[middle.start + middle.len() / 2] ^= 1;
    fs::write(&path, &file)?;
    let db = builder().open(&path)?;

    let ways: [(bool, Way); 4] = [
        (true, |records| {
            Ok(records.next().transpose()?.map(|(key, _)| key))
        }),
        (true, |records| {
            Ok(records.next_ref()?.map(|(key, _)| key.to_vec()))
        }),
        (false, |records| {
            Ok(records.next_back().transpose()?.map(|(key, _)| key))
        }),
        (false, |records| {
            Ok(records.next_back_ref()?.map(|(key, _)| key.to_vec()))
        }),
    ];
    for (is_front, way) in ways {
        let mut expected: Box<dyn Iterator<Item = &Vec<u8>>> = match is_front {
            true => Box::new(model.keys()),
            false => Box::new(model.keys().rev()),
        };
        let mut records = db.iter();
        let mut count = 0;
        let error = loop {
            match way(&mut records) {
                Ok(Some(key)) => assert_eq!(Some(&key), expected.next()),
                Ok(None) => return Err("the damage wasn't found".into()),
                Err(error) => break error,
            }
            count += 1;
        };
        assert!(error.is_corrupt(), "{error}");
        assert!((300..2700).contains(&count), "{count} records before it");
        assert_eq!(way(&mut records)?, None);
        assert!(records.next().is_none() && records.next_back().is_none());
        assert!(records.for_each_ref(|_, _| ControlFlow::Break(()))?);
    }
    let mut keys = db.iter().keys();
    assert!(keys.any(|key| key.is_err()) && keys.next().is_none() && keys.next_back().is_none());
    Ok(())
}

fn is_compiled_in(compression: Compression) -> bool {
    match compression {
        Compression::None => true,
        Compression::Lz4 { .. } => cfg!(feature = "lz4"),
        Compression::Zlib { .. } => cfg!(feature = "zlib"),
        _ => cfg!(feature = "zstd"),
    }
}

#[test]
fn files_with_page_checksums_have_ids_of_their_own_and_are_recognised() -> Result {
    let codecs = [
        (Compression::None, LsmCompressionLib::NoCompression, 1),
        (Compression::LZ4, LsmCompressionLib::LZ4, 10_001),
        (Compression::ZLIB, LsmCompressionLib::ZLib, 10_002),
        (Compression::ZSTD, LsmCompressionLib::ZStd, 10_003),
    ];
    for (compression, library, id) in codecs {
        if !is_compiled_in(compression) {
            continue;
        }
        for sums in [true, false] {
            let (dir, path) = scratch()?;
            let model = write_file(
                &path,
                builder().compression(compression).page_checksums(sums),
                1,
            )?;
            assert_eq!(id_in(&path)?, if sums { 1_000_000_000 + id } else { id });
            for other in [true, false] {
                let db = LsmDb::builder().page_checksums(other).open(&path)?;
                assert_eq!(db.has_page_checksums()?, Some(sums));
                assert_eq!(db.get_compression_id(), Ok(library));
                assert_eq!(contents(&db)?, model);
            }
            // The interface of 0.2.2 asks for a codec, and doesn't mind the checksums.
            let connect = |library| {
                let mut db = LsmDb::default();
                let name = "sums".to_string();
                let conf = DbConf::new_with_parameters(
                    dir.path(),
                    name,
                    Default::default(),
                    Default::default(),
                    None,
                    library,
                );
                db.initialize(conf)?;
                db.connect()?;
                db.get_compression_id()?;
                contents(&db).map_err(|error| error.code())
            };
            assert_eq!(connect(library), Ok(model));
            for (compression, other, _) in codecs {
                if other != library && is_compiled_in(compression) {
                    assert_eq!(connect(other), Err(LsmErrorCode::LsmMismatch));
                }
            }
        }
    }
    Ok(())
}

#[test]
fn codecs_of_users_have_ids_with_checksums_too() -> Result {
    let (_dir, path) = scratch()?;
    let codec = common::Moody::new(20_001);
    let model = write_file(&path, builder().codec(codec.clone()), 1)?;
    assert_eq!(id_in(&path)?, 1_000_020_001);
    let db = LsmDb::builder().codec(codec).open(&path)?;
    assert_eq!(contents(&db)?, model);
    assert_eq!(db.get_compression_id(), Err(LsmErrorCode::LsmMismatch));
    drop(db);
    let stranger = LsmDb::open(&path).and_then(|db| db.get(b"key"));
    assert_eq!(
        stranger.map_err(|error| error.code()),
        Err(LsmErrorCode::LsmMismatch)
    );
    Ok(())
}

#[test]
fn a_database_that_was_never_written_has_neither() -> Result {
    let (_dir, path) = scratch()?;
    let db = builder().open(&path)?;
    assert_eq!(db.has_page_checksums()?, None);
    Ok(())
}

#[test]
fn a_flipped_bit_is_an_error_that_names_the_page() -> Result {
    let (_dir, path) = scratch()?;
    let model = write_file(&path, builder(), 1)?;
    let sound = fs::read(&path)?;
    let (mut errors, mut random) = (0, SplitMix64::new(1));
    for page in pages(&sound) {
        let mut file = sound.clone();
        let at = page.start + random.below(page.len() as u64 - 3) as usize;
        file[at] ^= 1 << random.below(8);
        fs::write(&path, &file)?;
        let db = LsmDb::open(&path)?;
        let Some(error) = db.iter().find_map(|record| record.err()) else {
            // A page that nothing refers to any more.
            assert_eq!(contents(&db)?, model);
            continue;
        };
        errors += 1;
        assert_eq!(error.code(), LsmErrorCode::LsmCorrupt);
        let text = error.to_string();
        assert!(
            text.contains(&format!("page at byte {} ", page.start)),
            "{at}: {text}"
        );
        assert!(
            text.contains("restore") && text.contains("sums.lsm"),
            "{text}"
        );
        // The other pages can still be read, unless all ways lead through this one.
        let found = model.iter().filter(|(key, value)| match db.get(key) {
            Ok(found) => {
                assert_eq!(found.as_ref(), Some(*value));
                true
            }
            Err(_) => false,
        });
        let found = found.count();
        assert!(found < model.len());
        assert!(
            found > model.len() - 100 || found == 0,
            "{found} at {}",
            page.start
        );
    }
    assert!(errors > 50, "{errors}");
    Ok(())
}

/// Every byte of a page is sound, but it is another page's place.
#[test]
fn pages_that_changed_places_are_errors() -> Result {
    let (_dir, path) = scratch()?;
    let model = write_file(&path, builder(), 1)?;
    let sound = fs::read(&path)?;
    let pages = pages(&sound);
    let mut errors = 0;
    for pair in pages
        .windows(2)
        .filter(|pair| pair[0].len() == pair[1].len())
    {
        let mut file = sound.clone();
        file[pair[0].clone()].copy_from_slice(&sound[pair[1].clone()]);
        file[pair[1].clone()].copy_from_slice(&sound[pair[0].clone()]);
        fs::write(&path, &file)?;
        let db = LsmDb::open(&path)?;
        match contents(&db) {
            Ok(found) => assert_eq!(found, model),
            Err(error) => {
                assert_eq!(error.code(), LsmErrorCode::LsmCorrupt);
                errors += 1;
            }
        }
    }
    assert!(errors > 50, "{errors}");
    Ok(())
}

/// A write that never reached the disk leaves the page that was there before: sound, at the
/// right place, and wrong.
#[test]
fn a_page_that_an_earlier_run_left_behind_is_an_error() -> Result {
    let (_dir, path) = scratch()?;
    let (mut files, mut model) = (Vec::new(), Model::new());
    let mut random = SplitMix64::new(1);
    // Many small runs, which begin at the same places again and again.
    for round in 0..100 {
        let builder = builder().page_size_bytes(512).max_free_list(2);
        let mut db = builder.open(&path)?;
        for _ in 0..200 {
            let key = (random.below(500) as u32).to_be_bytes();
            let value = random.bytes(20);
            db.insert(key, &value)?;
            model.insert(key.to_vec(), value);
        }
        if round % 4 == 0 {
            db.compact()?;
        }
        db.close()?;
        files.push(fs::read(&path)?);
    }
    let last = files.pop().ok_or("no file")?;
    let mut errors = 0;
    for page in pages(&last) {
        // The same place in an earlier file, with the same sizes around it.
        let stale = files.iter().filter_map(|file| {
            let stale = file.get(page.clone())?;
            let ends = |page: &[u8]| [page[..3].to_vec(), page[page.len() - 3..].to_vec()];
            let is_page = ends(stale) == ends(&last[page.clone()]);
            (is_page && *stale != last[page.clone()]).then_some(stale)
        });
        for stale in stale {
            let mut file = last.clone();
            file[page.clone()].copy_from_slice(stale);
            fs::write(&path, &file)?;
            let db = LsmDb::open(&path)?;
            match contents(&db) {
                Ok(found) => common::assert_same(&found, &model, "a stale page"),
                Err(error) => {
                    assert_eq!(error.code(), LsmErrorCode::LsmCorrupt);
                    errors += 1;
                }
            }
        }
    }
    assert!(errors > 20, "{errors}");
    Ok(())
}

/// A wrong link leads into pages of others; and blocks that it names would be freed.
#[test]
fn a_damaged_link_between_blocks_is_an_error() -> Result {
    let (_dir, path) = scratch()?;
    let model = write_file(&path, builder(), 1)?;
    let sound = fs::read(&path)?;
    let mut errors = 0;
    for block in 1..sound.len() / BLOCK {
        for (link, bit) in [(block * BLOCK - 8, 0), (block * BLOCK, 1)] {
            let mut file = sound.clone();
            file[link + 3] ^= 1 << bit;
            fs::write(&path, &file)?;
            let mut db = LsmDb::open(&path)?;
            let scans = [
                db.iter().find_map(|record| record.err()),
                db.iter().rev().find_map(|record| record.err()),
            ];
            let Some(error) = scans.into_iter().flatten().next() else {
                assert_eq!(contents(&db)?, model);
                continue;
            };
            errors += 1;
            let expected = format!("the link between blocks at byte {link} ");
            assert!(error.to_string().contains(&expected), "{error}");
            // A merge that frees the blocks fails as well, if it comes across the link.
            let mut model = model.clone();
            db.insert(b"one more", b"record")?;
            model.insert(b"one more".to_vec(), b"record".to_vec());
            match db.compact() {
                Ok(()) => assert_eq!(contents(&db)?, model),
                Err(error) => assert_eq!(error.code(), LsmErrorCode::LsmCorrupt),
            }
        }
    }
    assert!(errors > 4, "{errors}");
    Ok(())
}

/// When a database shrinks, blocks are moved to the front of the file with the pages in them.
#[test]
fn pages_whose_block_was_moved_are_sound() -> Result {
    let (_dir, path) = scratch()?;
    let mut db = builder()
        .autoflush_kib(16)
        .autocheckpoint_kib(64)
        .open(&path)?;
    let mut model = Model::new();
    let mut random = SplitMix64::new(1);
    for round in 0..6_u32 {
        for _ in 0..3000 {
            let key = (random.below(6000) as u32).to_be_bytes();
            let value = random.bytes(100);
            db.insert(key, &value)?;
            model.insert(key.to_vec(), value);
        }
        db.compact()?;
        common::assert_same(&contents(&db)?, &model, &format!("round {round}"));
    }
    let keys: Vec<_> = model.keys().skip(100).cloned().collect();
    for key in keys {
        db.remove(&key)?;
        model.remove(&key);
    }
    db.compact()?;
    assert_eq!(contents(&db)?, model);
    db.close()?;
    assert_eq!(contents(&LsmDb::open(&path)?)?, model);
    Ok(())
}

#[test]
fn background_threads_and_readers_know_the_checksums() -> Result {
    let (_dir, path) = scratch()?;
    let mut db = builder()
        .background(BackgroundMode::MergerAndCheckpointer)
        .autoflush_kib(64)
        .open(&path)?;
    let mut model = Model::new();
    for i in 0..20_000_u32 {
        db.insert(i.to_be_bytes(), [7; 100])?;
        model.insert(i.to_be_bytes().to_vec(), vec![7; 100]);
    }
    let other = LsmDb::open(&path)?;
    common::assert_same(&contents(&other)?, &model, "another handle");
    drop(other);
    db.close()?;
    assert_eq!(LsmDb::open(&path)?.has_page_checksums()?, Some(true));
    Ok(())
}
