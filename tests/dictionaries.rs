//! Zstandard dictionaries: what they gain, what becomes of a file without its own, and dictionaries
//! and pages that are damaged.
#![cfg(feature = "zstd")]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use common::{Model, Result, SplitMix64, assert_same, contents, histories};
use lsmlite_rs::compression::{Compression, ZstdDictionary};
use lsmlite_rs::config::BackgroundMode;
use lsmlite_rs::{
    Backup, DbConf, Disk, LsmCompressionLib, LsmDb, LsmDbBuilder, LsmError, LsmErrorCode,
    LsmHandleMode, LsmMode, Restore, Salvage, verify_file,
};
use tempfile::TempDir;

/// Similar records, of 100 to 300 bytes.
fn rows(seed: u64, count: u32) -> Model {
    let mut random = SplitMix64::new(seed);
    let row = |n: u32| {
        let tags = ["red", "green", "blue", "narrow", "wide"].map(|tag| match random.one_in(2) {
            true => format!(r#""{tag}","#),
            false => String::new(),
        });
        let value = format!(
            r#"{{"number":{n},"customer":"c{}","price_cents":{},"tags":[{}],"state":"delivered"}}"#,
            random.below(1_000_000),
            random.below(100_000),
            tags.concat(),
        );
        (n.to_be_bytes().to_vec(), value.into_bytes())
    };
    (0..count).map(row).collect()
}

fn small_pages() -> LsmDbBuilder {
    LsmDb::builder()
        .page_size_bytes(1024)
        .block_size_kib(64)
        .autoflush_kib(64)
        .compression(Compression::ZSTD)
}

/// Trained on records like those of [`rows`], but other ones.
fn dictionary(number: u32, seed: u64) -> Result<ZstdDictionary> {
    let dir = tempfile::tempdir()?;
    let mut db = small_pages()
        .compression(Compression::None)
        .open(dir.path().join("sample.lsm"))?;
    db.ingest(rows(seed, 2000))?;
    Ok(db.train_zstd_dictionary(number, 4096)?)
}

fn fill(builder: LsmDbBuilder, path: &Path, rows: &Model) -> Result {
    let mut db = builder.open(path)?;
    db.ingest(rows)?;
    Ok(db.close()?)
}

/// A file with dictionary 7, and what is in it.
struct Sample {
    dir: TempDir,
    path: PathBuf,
    dictionary: ZstdDictionary,
    rows: Model,
}

impl Sample {
    fn new() -> Result<Sample> {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("seven.lsm");
        let (dictionary, rows) = (dictionary(7, 1)?, rows(2, 3000));
        fill(
            small_pages().zstd_dictionary(dictionary.clone()),
            &path,
            &rows,
        )?;
        Ok(Sample {
            dir,
            path,
            dictionary,
            rows,
        })
    }

    fn beside(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

#[test]
fn small_pages_of_similar_records_take_two_thirds_of_the_space_with_a_dictionary() -> Result {
    let sample = Sample::new()?;
    let without = sample.beside("without.lsm");
    fill(small_pages(), &without, &sample.rows)?;
    let (with, without) = (
        fs::metadata(&sample.path)?.len(),
        fs::metadata(&without)?.len(),
    );
    println!(
        "{} records in {with} bytes, {without} without",
        sample.rows.len()
    );
    assert!(
        with < without * 7 / 10,
        "{with} bytes, and {without} without"
    );
    Ok(())
}

#[test]
fn every_handle_that_has_the_dictionary_reads_and_writes() -> Result {
    let Sample {
        dir: _dir,
        path,
        dictionary,
        mut rows,
    } = Sample::new()?;
    let know = || LsmDb::builder().known_zstd_dictionary(dictionary.clone());
    let db = know().read_only(true).open(&path)?;
    assert_same(&contents(&db)?, &rows, "read only");
    assert_eq!(db.zstd_dictionary_number()?, Some(7));
    assert_eq!(db.get_compression_id(), Err(LsmErrorCode::LsmMismatch));
    db.close()?;

    // The codec of the file counts, not the one that is set.
    for (round, level) in [Compression::None, Compression::Zstd { level: 19 }]
        .iter()
        .enumerate()
    {
        let mut db = know()
            .compression(*level)
            .background(BackgroundMode::MergerAndCheckpointer)
            .autoflush_kib(64)
            .open(&path)?;
        let pool = db.reader_pool(2)?;
        let snapshot = db.snapshot()?;
        let before = rows.clone();
        for (key, value) in self::rows(round as u64 + 10, 2000) {
            db.insert(&key, &value)?;
            rows.insert(key, value);
        }
        thread::scope(|threads| -> Result {
            let read = |_| {
                threads.spawn(|| -> std::result::Result<usize, LsmError> {
                    let reader = pool.reader()?;
                    Ok(reader.iter().count())
                })
            };
            for thread in [0, 1].map(read) {
                assert_eq!(thread.join().expect("no panic")?, rows.len());
            }
            Ok(())
        })?;
        let found: Model = snapshot.iter().collect::<std::result::Result<_, _>>()?;
        assert_same(&found, &before, "a snapshot");
        drop((snapshot, pool));
        db.compact()?;
        db.close()?;
        let db = know().open(&path)?;
        assert_same(&contents(&db)?, &rows, "opened again");
        assert!(db.verify()?.is_clean());
        assert_eq!(db.zstd_dictionary_number()?, Some(7));
    }
    Ok(())
}

/// What is tried without a dictionary, or with a wrong one.
fn attempts(sample: &Sample, wrong: Option<&ZstdDictionary>) -> Vec<(&'static str, LsmError)> {
    let (path, new) = (&sample.path, sample.beside("new.lsm"));
    let builder = || {
        let builder = LsmDb::builder().compression(Compression::ZSTD);
        wrong
            .cloned()
            .into_iter()
            .fold(builder, LsmDbBuilder::zstd_dictionary)
    };
    let mut salvage = Salvage::new();
    let mut restore = Restore::new();
    if let Some(wrong) = wrong {
        salvage = salvage.zstd_dictionary(wrong);
        restore = restore.zstd_dictionary(wrong);
    }
    let attempts = vec![
        (
            "get",
            builder().open(path).and_then(|db| db.get(b"k")).err(),
        ),
        (
            "scan",
            builder()
                .open(path)
                .and_then(|db| db.iter().next().transpose())
                .err(),
        ),
        (
            "insert",
            builder()
                .open(path)
                .and_then(|mut db| db.insert(b"k", b"v"))
                .err(),
        ),
        (
            "compact",
            builder().open(path).and_then(|mut db| db.compact()).err(),
        ),
        (
            "read only",
            builder()
                .read_only(true)
                .open(path)
                .and_then(|db| db.first())
                .err(),
        ),
        (
            "backup",
            builder().open(path).and_then(|db| db.backup(&new)).err(),
        ),
        (
            "verify",
            builder().open(path).and_then(|db| db.verify()).err(),
        ),
        ("verify_file", builder().verify_file(path).err()),
        ("salvage", salvage.run(path, &new).err()),
        ("restore", restore.run(path, &new).err()),
        (
            "train",
            builder()
                .open(path)
                .and_then(|db| db.train_zstd_dictionary(1, 1024))
                .err(),
        ),
    ];
    #[cfg(feature = "tools")]
    let attempts = {
        let job = lsmlite_rs::recompress::Recompress::new();
        let job = wrong
            .cloned()
            .into_iter()
            .fold(job, |job, d| job.known_zstd_dictionary(d));
        let recompress = ("recompress", job.run(path).err());
        attempts.into_iter().chain([recompress])
    };
    let failed = |(name, error): (_, Option<_>)| (name, error.unwrap_or_else(|| panic!("{name}")));
    attempts.into_iter().map(failed).collect()
}

#[test]
fn without_its_dictionary_a_file_is_a_mismatch_that_names_it() -> Result {
    let sample = Sample::new()?;
    let before = fs::read(&sample.path)?;
    let eight = dictionary(8, 1)?;
    let other_seven = dictionary(7, 5)?;
    let end = sample.dictionary.as_bytes().len() - 1;
    let cut_seven = ZstdDictionary::from_bytes(&sample.dictionary.as_bytes()[..end])?;
    for (wrong, says) in [
        (None, "needs zstd dictionary 7 ("),
        (Some(&eight), "needs zstd dictionary 7 ("),
        (
            Some(&other_seven),
            "needs zstd dictionary 7 with other contents",
        ),
        (
            Some(&cut_seven),
            "needs zstd dictionary 7 with other contents",
        ),
    ] {
        for (name, error) in attempts(&sample, wrong) {
            assert_eq!(error.code(), LsmErrorCode::LsmMismatch, "{name}: {error}");
            assert!(error.to_string().contains(says), "{name}: {error}");
            assert_eq!(error.path(), Some(&*sample.path), "{name}: {error}");
        }
        assert!(fs::read(&sample.path)? == before, "the file was changed");
        assert_eq!(common::files_in(sample.dir.path())?, ["seven.lsm"]);
    }
    assert_eq!(
        verify_file(&sample.path).unwrap_err().code(),
        LsmErrorCode::LsmMismatch
    );
    // The interface of 0.2.2 can't be given one.
    let mut db = LsmDb::default();
    db.initialize(DbConf::new_with_parameters(
        sample.dir.path(),
        "seven".into(),
        LsmMode::LsmNoBackgroundThreads,
        LsmHandleMode::ReadWrite,
        None,
        LsmCompressionLib::ZStd,
    ))?;
    db.connect()?;
    assert_eq!(db.persist(b"k", b"v"), Err(LsmErrorCode::LsmMismatch));
    drop(db);
    assert!(fs::read(&sample.path)? == before, "the file was changed");
    Ok(())
}

#[test]
fn other_codecs_that_arent_known_are_named_as_well() -> Result {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("own.lsm");
    let mut db = LsmDb::builder()
        .codec(common::Moody::new(20_123))
        .open(&path)?;
    db.insert(b"k", b"v")?;
    db.close()?;
    let error = LsmDb::open(&path)?.get(b"k").unwrap_err();
    let text = "written with a codec of the id 20123: pass it with `codec`";
    assert!(error.to_string().contains(text), "{error}");
    Ok(())
}

#[test]
fn of_several_dictionaries_each_file_finds_its_own() -> Result {
    let dir = tempfile::tempdir()?;
    let all = [(1, 1), (2, 2), (2, 3), (899, 4)].map(|(number, seed)| dictionary(number, seed));
    let all = all.into_iter().collect::<Result<Vec<_>>>()?;
    let rows = rows(9, 500);
    let knows_all = || {
        all.iter()
            .cloned()
            .fold(small_pages(), LsmDbBuilder::known_zstd_dictionary)
    };
    for (i, dictionary) in all.iter().enumerate() {
        for sums in [false, true] {
            let path = dir.path().join(format!("{i}{sums}.lsm"));
            // The one that is given last is for new files.
            let builder = all
                .iter()
                .cloned()
                .fold(small_pages(), LsmDbBuilder::zstd_dictionary);
            let builder = builder
                .zstd_dictionary(dictionary.clone())
                .page_checksums(sums);
            fill(builder, &path, &rows)?;
            let mut db = knows_all().open(&path)?;
            assert_same(&contents(&db)?, &rows, "its own was found");
            assert_eq!(db.zstd_dictionary_number()?, Some(dictionary.number()));
            assert_eq!(db.has_page_checksums()?, Some(sums));
            db.insert(b"k", b"v")?;
            db.compact()?;
            db.close()?;
            let only = LsmDb::builder().known_zstd_dictionary(dictionary.clone());
            assert_eq!(only.open(&path)?.iter().count(), rows.len() + 1);
        }
    }
    // None of them chooses the codec, and those that are only known don't make new files.
    for (path, compression) in [("plain", Compression::None), ("zstd", Compression::ZSTD)] {
        let path = dir.path().join(path);
        let builder = knows_all().compression(compression);
        let builder = match compression {
            Compression::None => builder.zstd_dictionary(all[0].clone()),
            _ => builder,
        };
        fill(builder, &path, &rows)?;
        let db = LsmDb::open(&path)?;
        assert_same(&contents(&db)?, &rows, "without any");
        assert_eq!(db.zstd_dictionary_number()?, None);
    }
    Ok(())
}

#[test]
fn copies_of_all_kinds_keep_the_dictionary_or_change_it() -> Result {
    let sample = Sample::new()?;
    let Sample {
        path,
        dictionary,
        rows,
        ..
    } = &sample;
    let know = || LsmDb::builder().known_zstd_dictionary(dictionary.clone());
    let number = |path: &Path| know().open(path)?.zstd_dictionary_number();
    let check = |path: &Path, expected| -> Result {
        assert_eq!(number(path)?, expected, "{}", path.display());
        assert_same(&contents(&know().open(path)?)?, rows, "a copy");
        assert!(know().verify_file(path)?.is_clean());
        Ok(())
    };

    let db = know().read_only(true).open(path)?;
    let copy = sample.beside("backup.lsm");
    db.backup(&copy)?;
    check(&copy, Some(7))?;
    let without = sample.beside("without.lsm");
    let plain_zstd = LsmDb::builder().compression(Compression::ZSTD);
    Backup::new(&db)?.target(plain_zstd).run(&without)?;
    check(&without, None)?;
    db.close()?;

    let restored = sample.beside("restored.lsm");
    Restore::new()
        .zstd_dictionary(dictionary)
        .run(&copy, &restored)?;
    check(&restored, Some(7))?;

    let salvaged = sample.beside("salvaged.lsm");
    let report = Salvage::new()
        .zstd_dictionary(dictionary)
        .target(small_pages().zstd_dictionary(dictionary.clone()))
        .run(path, &salvaged)?;
    assert!(report.is_complete(), "{report}");
    check(&salvaged, Some(7))?;
    Ok(())
}

#[cfg(feature = "tools")]
#[test]
fn recompression_keeps_the_dictionary_unless_it_is_told_otherwise() -> Result {
    use lsmlite_rs::recompress::Recompress;
    let sample = Sample::new()?;
    let Sample {
        path,
        dictionary: seven,
        rows,
        ..
    } = &sample;
    let eight = dictionary(8, 3)?;
    let know = |path: &Path| {
        LsmDb::builder()
            .known_zstd_dictionary(seven.clone())
            .known_zstd_dictionary(eight.clone())
            .open(path)
    };
    let job = || Recompress::new().known_zstd_dictionary(seven.clone());
    for (job, number) in [
        (job(), Some(7)),
        (job().page_size_bytes(4096), Some(7)),
        (job().zstd_dictionary(eight.clone()), Some(8)),
        (job().compression(Compression::ZSTD), None),
        (
            job()
                .compression(Compression::Zstd { level: 9 })
                .zstd_dictionary(eight.clone()),
            Some(8),
        ),
    ] {
        let new = sample.beside("new.lsm");
        job.output(&new, true).run(path)?;
        let db = know(&new)?;
        assert_eq!(db.zstd_dictionary_number()?, number);
        assert_same(&contents(&db)?, rows, "recompressed");
    }
    job().zstd_dictionary(eight.clone()).run(path)?;
    assert_eq!(know(path)?.zstd_dictionary_number()?, Some(8));
    Ok(())
}

#[test]
fn what_isnt_a_dictionary_is_refused() -> Result {
    let good = dictionary(7, 1)?;
    let good = good.as_bytes();
    let says = |result: std::result::Result<ZstdDictionary, LsmError>, text: &str| {
        let error = result.expect_err(text);
        assert_eq!(error.code(), LsmErrorCode::LsmMisuse, "{error}");
        assert!(error.to_string().contains(text), "{error}");
    };
    says(ZstdDictionary::from_bytes(&[]), "isn't a dictionary");
    says(
        ZstdDictionary::new(7, b"just some words"),
        "isn't a dictionary",
    );
    for number in [0, 900, u32::MAX] {
        says(
            ZstdDictionary::new(number, good),
            "choose one from 1 to 899",
        );
        let bytes = [&good[..4], &number.to_le_bytes(), &good[8..]].concat();
        says(ZstdDictionary::from_bytes(&bytes), "`ZstdDictionary::new`");
        assert_eq!(ZstdDictionary::new(7, &bytes)?.as_bytes(), good);
    }
    // Cut off within its header; behind it only the fingerprint tells.
    for len in 0..60 {
        assert!(
            ZstdDictionary::from_bytes(&good[..len]).is_err(),
            "{len} bytes"
        );
    }
    for max_bytes in [0, 255, 1024 * 1024 + 1, usize::MAX] {
        says(
            ZstdDictionary::train(7, [b"word"], max_bytes),
            "from 256 to 1048576",
        );
    }
    for samples in [vec![], vec![Vec::new(); 100], vec![b"one sample".to_vec()]] {
        says(ZstdDictionary::train(7, samples, 1024), "too few");
    }
    let dir = tempfile::tempdir()?;
    let mut db = LsmDb::open(dir.path().join("small.lsm"))?;
    says(db.train_zstd_dictionary(7, 1024), "0 samples of 0 bytes");
    db.insert(b"k", b"v")?;
    db.flush()?;
    says(db.train_zstd_dictionary(7, 1024), "too few");
    Ok(())
}

/// A dictionary with any bit changed is refused, or is another one, and then the file isn't read.
#[test]
fn a_damaged_dictionary_never_reads_a_file() -> Result {
    let sample = Sample::new()?;
    let good = sample.dictionary.as_bytes();
    let mut random = SplitMix64::new(4);
    let mut refused = BTreeSet::new();
    for i in 0..common::setting("LSMLITE_DICTIONARY_MUTATIONS", 300) {
        let mut bytes = good.to_vec();
        let at = match i {
            0..100 => i as usize,
            _ => random.below(good.len() as u64) as usize,
        };
        bytes[at] ^= 1 << random.below(8);
        if random.one_in(3) {
            bytes.truncate(random.below(good.len() as u64) as usize);
        }
        let Ok(damaged) = ZstdDictionary::from_bytes(&bytes) else {
            refused.insert("as a dictionary");
            continue;
        };
        let db = LsmDb::builder()
            .known_zstd_dictionary(damaged)
            .open(&sample.path)?;
        let error = db.get(b"k").expect_err("another dictionary");
        assert_eq!(error.code(), LsmErrorCode::LsmMismatch, "{error}");
        refused.insert("for the file");
    }
    assert_eq!(refused.len(), 2, "{refused:?}");
    Ok(())
}

/// With page checksums what is read is right; without, it is an error or bytes that were changed,
/// but never a crash.
#[test]
fn damaged_pages_are_errors() -> Result {
    let rows = rows(3, 1500);
    let dictionary = dictionary(7, 1)?;
    for sums in [true, false] {
        let dir = tempfile::tempdir()?;
        let (path, copy) = (dir.path().join("whole.lsm"), dir.path().join("damaged.lsm"));
        let builder = || {
            small_pages()
                .zstd_dictionary(dictionary.clone())
                .page_checksums(sums)
        };
        fill(builder(), &path, &rows)?;
        let whole = fs::read(&path)?;
        let mut random = SplitMix64::new(8);
        let (mut errors, mut same) = (0, 0);
        for _ in 0..common::setting("LSMLITE_DICTIONARY_MUTATIONS", 300) {
            let mut bytes = whole.clone();
            // Behind the header pages.
            let at = 8192 + random.below(bytes.len() as u64 - 8192) as usize;
            bytes[at] ^= 1 << random.below(8);
            fs::write(&copy, bytes)?;
            let db = builder().read_only(true).open(&copy)?;
            match db.iter().collect::<std::result::Result<Model, _>>() {
                Ok(found) if found == rows => same += 1,
                Ok(_) => assert!(!sums, "byte {at}: other records"),
                Err(error) => {
                    assert!(error.is_corrupt(), "{error}");
                    errors += 1;
                }
            }
            db.close()?;
            let _ = builder().verify_file(&copy)?;
        }
        println!("page checksums {sums}: {errors} errors, {same} without effect");
        assert!(errors > 100, "{errors} errors, {same} without effect");
    }
    Ok(())
}

#[test]
fn random_histories_with_a_dictionary_agree_with_an_ordered_map() -> Result {
    let dictionary = dictionary(7, 1)?;
    for seed in 0..common::setting("LSMLITE_HISTORIES", 10) {
        let _repeat = common::Repeat(format!("seed {seed}"));
        let mut random = SplitMix64::new(seed);
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("history.lsm");
        let level = random.pick(&[1, 3, 9]);
        let settings = histories::any_settings(&mut random)
            .multi_process(false)
            .compression(Compression::Zstd { level })
            .zstd_dictionary(dictionary.clone());
        let mut db = settings.clone().open(&path)?;
        let mut model = Model::new();
        for _ in 0..300 {
            match random.below(40) {
                0 => db.flush()?,
                1 => drop(db.work(random.below(40) as u32)?),
                2 => db.compact()?,
                3 => {
                    let ends = [histories::key(&mut random), histories::key(&mut random)];
                    db.delete_range(&ends[0], &ends[1])?;
                    model.retain(|key, _| !(ends[0] < *key && *key < ends[1]));
                }
                4 => {
                    let copy = dir.path().join("crashed.lsm");
                    histories::crash_copy(&path, &copy)?;
                    let db = settings.clone().open(&copy)?;
                    assert_same(&contents(&db)?, &model, "after a crash");
                }
                5 => {
                    db.close()?;
                    db = settings.clone().open(&path)?;
                    assert_same(&contents(&db)?, &model, "opened again");
                }
                6..=12 => {
                    let key = histories::key(&mut random);
                    db.remove(&key)?;
                    model.remove(&key);
                }
                _ => {
                    let key = histories::key(&mut random);
                    let value = histories::value(&mut random);
                    db.insert(&key, &value)?;
                    model.insert(key, value);
                }
            }
        }
        db.flush()?;
        assert_same(&contents(&db)?, &model, "in the end");
        let report = db.verify()?;
        assert!(report.is_clean(), "{report}");
    }
    Ok(())
}
