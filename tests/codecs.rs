//! Page codecs: the built-in ones, one's own, and those that misbehave.

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use common::{COMPLAINT, Model, Mood, Moody, Result, assert_same, contents, panic_text};
use lsmlite_rs::compression::{CodecError, Compression, PageCodec};
use lsmlite_rs::{
    Cursor, DbConf, Disk, LsmCompressionLib, LsmDb, LsmError, LsmErrorCode, LsmHandleMode, LsmMode,
};

const ID: u32 = 20_123;

fn open(path: &Path, codec: &Arc<Moody>) -> std::result::Result<LsmDb, LsmError> {
    LsmDb::builder()
        .codec(Arc::clone(codec) as Arc<dyn PageCodec>)
        .autoflush_kib(64)
        .open(path)
}

/// Inserts rows until one fails; those before it are in the model.
fn insert_until_it_fails(db: &mut LsmDb, model: &mut Model) -> std::result::Result<(), LsmError> {
    for i in 0..6_000_u32 {
        let (key, value) = (i.to_be_bytes().to_vec(), vec![i as u8; 100]);
        db.insert(&key, &value)?;
        model.insert(key, value);
    }
    Ok(())
}

/// After a failed insert it may or may not be there; the rest must be.
fn assert_nothing_is_lost(db: &LsmDb, model: &Model, when: &str) -> Result {
    let found = contents(db)?;
    for (key, value) in model {
        assert_eq!(found.get(key), Some(value), "{when}: {key:?}");
    }
    assert!(found.len() <= model.len() + 1, "{when}");
    Ok(())
}

#[test]
fn an_error_of_a_codec_while_writing_is_returned_with_its_text() -> Result {
    for mood in [Mood::RefusesToCompress, Mood::ClaimsTooMuchCompressing] {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("moody.lsm");
        let codec = Moody::new(ID);
        let mut model = Model::new();
        let mut db = open(&path, &codec)?;
        insert_until_it_fails(&mut db, &mut model)?;
        codec.be(mood);
        let error = insert_until_it_fails(&mut db, &mut model).expect_err("must fail");
        let text = match mood {
            Mood::RefusesToCompress => COMPLAINT,
            _ => "a compressed page is more than",
        };
        assert_eq!(error.code(), LsmErrorCode::LsmError, "{error}");
        assert!(error.to_string().contains(text), "{error}");
        assert_eq!(error.path(), Some(path.as_path()));
        assert!(codec.misdeeds() > 0);

        codec.be(Mood::Well);
        assert_nothing_is_lost(&db, &model, "after the error")?;
        insert_until_it_fails(&mut db, &mut model)?;
        db.flush()?;
        assert_same(&contents(&db)?, &model, "after going on");
        db.close()?;
        let db = open(&path, &codec)?;
        assert_same(&contents(&db)?, &model, "reopened");
    }
    Ok(())
}

#[test]
fn a_panic_of_a_codec_while_writing_comes_back_as_that_panic() -> Result {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("moody.lsm");
    let codec = Moody::new(ID);
    let mut model = Model::new();
    let mut db = open(&path, &codec)?;
    insert_until_it_fails(&mut db, &mut model)?;
    codec.be(Mood::PanicsCompressing);
    let payload = catch_unwind(AssertUnwindSafe(|| {
        insert_until_it_fails(&mut db, &mut model)
    }))
    .expect_err("must panic");
    assert_eq!(panic_text(&*payload), COMPLAINT);

    codec.be(Mood::Well);
    assert_nothing_is_lost(&db, &model, "after the panic")?;
    insert_until_it_fails(&mut db, &mut model)?;
    db.flush()?;
    assert_same(&contents(&db)?, &model, "after going on");
    db.close()?;
    assert_same(&contents(&open(&path, &codec)?)?, &model, "reopened");
    Ok(())
}

/// As after an error: the log may hold what the tree doesn't.
#[test]
fn after_a_panic_in_a_transaction_only_a_rollback_is_possible() -> Result {
    for mood in [Mood::PanicsCompressing, Mood::RefusesToCompress] {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("moody.lsm");
        let codec = Moody::new(ID);
        let mut model = Model::new();
        let mut db = open(&path, &codec)?;
        let mut rows = 0_u32;
        let mut failed = false;
        // Whether automatic work happens in a transaction depends on what is left to merge.
        while !failed {
            assert!(rows < 100_000, "{mood:?}: nothing failed");
            for _ in 0..137 {
                let (key, value) = (rows.to_be_bytes().to_vec(), vec![rows as u8; 100]);
                db.insert(&key, &value)?;
                model.insert(key, value);
                rows += 1;
            }
            db.begin_transaction()?;
            codec.be(mood);
            failed = (0..1000_u32).any(|i| {
                let insert = AssertUnwindSafe(|| db.insert(i.to_be_bytes(), b"in vain"));
                !matches!(catch_unwind(insert), Ok(Ok(())))
            });
            codec.be(Mood::Well);
            if failed {
                assert!(db.insert(b"more", b"").is_err(), "{mood:?}");
                assert!(db.commit_transaction().is_err(), "{mood:?}");
            }
            db.rollback_transaction()?;
            assert_eq!(db.get(0_u32.to_be_bytes())?, Some(vec![0; 100]));
        }
        assert_same(&contents(&db)?, &model, "rolled back");
        insert_until_it_fails(&mut db, &mut model)?;
        db.close()?;
        assert_same(&contents(&open(&path, &codec)?)?, &model, "reopened");
    }
    Ok(())
}

#[test]
fn a_codec_that_lies_while_reading_is_reported_as_damage() -> Result {
    for mood in [
        Mood::RefusesToDecompress,
        Mood::ReturnsOtherBytes,
        Mood::ClaimsTooMuchDecompressing,
        Mood::ReturnsTooLittle,
    ] {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("moody.lsm");
        let codec = Moody::new(ID);
        let mut model = Model::new();
        let mut db = open(&path, &codec)?;
        insert_until_it_fails(&mut db, &mut model)?;
        db.close()?;

        let mut db = open(&path, &codec)?;
        codec.be(mood);
        let key = 7_u32.to_be_bytes();
        let error = db.get(key).expect_err("must fail");
        assert!(error.is_corrupt(), "{mood:?}: {error}");
        let text = match mood {
            Mood::RefusesToDecompress => COMPLAINT,
            Mood::ClaimsTooMuchDecompressing => "claims",
            _ => "other bytes than it was given",
        };
        assert!(error.to_string().contains(text), "{mood:?}: {error}");
        // An iterator ends with the error.
        let mut records = db.iter();
        let last = records.by_ref().find(|record| record.is_err());
        let code = last.and_then(|record| record.err()).map(|e| e.code());
        assert_eq!(code, Some(LsmErrorCode::LsmCorrupt), "{mood:?}");
        assert!(records.next().is_none());
        drop(records);
        let mut cursor = db.cursor_open()?;
        assert_eq!(cursor.last(), Err(LsmErrorCode::LsmCorrupt), "{mood:?}");
        assert!(cursor.valid().is_err());
        drop(cursor);
        assert!(db.compact().is_err(), "{mood:?}");

        codec.be(Mood::Well);
        assert_same(&contents(&db)?, &model, "read again");
        db.insert(b"more", b"v")?;
        db.compact()?;
        db.close()?;
        assert_eq!(contents(&open(&path, &codec)?)?.len(), model.len() + 1);
    }
    Ok(())
}

#[test]
fn a_panic_of_a_codec_while_reading_comes_back_as_that_panic() -> Result {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("moody.lsm");
    let codec = Moody::new(ID);
    let mut model = Model::new();
    let mut db = open(&path, &codec)?;
    insert_until_it_fails(&mut db, &mut model)?;
    db.close()?;
    let mut db = open(&path, &codec)?;
    codec.be(Mood::PanicsDecompressing);
    type Attempt = (&'static str, fn(&LsmDb));
    let attempts: [Attempt; 4] = [
        ("get", |db| drop(db.get(7_u32.to_be_bytes()))),
        ("contains_key", |db| drop(db.contains_key(b"k"))),
        ("iter", |db| drop(db.iter().next())),
        ("iter from the back", |db| drop(db.iter().next_back())),
    ];
    for (name, attempt) in attempts {
        let payload = catch_unwind(AssertUnwindSafe(|| attempt(&db))).expect_err(name);
        assert_eq!(panic_text(&*payload), COMPLAINT, "{name}");
    }
    let payload = catch_unwind(AssertUnwindSafe(|| db.compact())).expect_err("compact");
    assert_eq!(panic_text(&*payload), COMPLAINT);
    codec.be(Mood::Well);
    assert_same(&contents(&db)?, &model, "read again");
    db.compact()?;
    assert_same(&contents(&db)?, &model, "compacted");
    Ok(())
}

/// In 0.2.2 the handle is closed twice when optimising fails.
#[test]
fn a_failed_optimize_is_reported_and_the_handle_stays_usable() -> Result {
    for mood in [Mood::RefusesToCompress, Mood::PanicsCompressing] {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("moody.lsm");
        let codec = Moody::new(ID);
        let mut model = Model::new();
        let mut db = open(&path, &codec)?;
        insert_until_it_fails(&mut db, &mut model)?;
        for _ in 0..3 {
            codec.be(mood);
            match catch_unwind(AssertUnwindSafe(|| db.optimize())) {
                Ok(result) => assert_eq!(result, Err(LsmErrorCode::LsmError)),
                Err(payload) => assert_eq!(panic_text(&*payload), COMPLAINT),
            }
            codec.be(Mood::Well);
            assert!(db.is_connected());
            assert_same(&contents(&db)?, &model, "after a failed optimize");
        }
        db.optimize()?;
        assert_same(&contents(&db)?, &model, "after optimize");
        codec.be(mood);
        assert!(!matches!(
            catch_unwind(AssertUnwindSafe(|| {
                db.insert(b"one more", b"v")?;
                db.optimize()
            })),
            Ok(Ok(()))
        ));
        // The failure may also come at the very end.
        let _ = catch_unwind(AssertUnwindSafe(|| db.disconnect()));
        assert!(!db.is_connected());
        codec.be(Mood::Well);
        db.connect()?;
        model.insert(b"one more".to_vec(), b"v".to_vec());
        assert_same(&contents(&db)?, &model, "reconnected");
    }
    Ok(())
}

#[test]
fn close_reports_that_writing_failed_and_the_log_has_the_rows() -> Result {
    for mood in [Mood::RefusesToCompress, Mood::PanicsCompressing] {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("moody.lsm");
        let codec = Moody::new(ID);
        let mut db = open(&path, &codec)?;
        db.insert(b"k", b"v")?;
        codec.be(mood);
        match catch_unwind(AssertUnwindSafe(|| db.close())) {
            Ok(result) => {
                let error = result.expect_err("writing failed");
                assert!(error.to_string().contains(COMPLAINT), "{error}");
            }
            Err(payload) => assert_eq!(panic_text(&*payload), COMPLAINT),
        }
        codec.be(Mood::Well);
        let mut db = open(&path, &codec)?;
        assert_eq!(db.get(b"k")?.as_deref(), Some(&b"v"[..]));
        db.insert(b"l", b"v")?;
        // Dropping has nobody to tell, but mustn't panic, nor lose anything.
        codec.be(mood);
        drop(db);
        codec.be(Mood::Well);
        let db = open(&path, &codec)?;
        assert_eq!(contents(&db)?.len(), 2);
    }
    Ok(())
}

/// A panic that nobody fetched must not come out of some later call on that thread.
#[test]
fn a_panic_in_drop_doesnt_reach_another_database() -> Result {
    let dir = tempfile::tempdir()?;
    let codec = Moody::new(ID);
    let mut db = open(&dir.path().join("a.lsm"), &codec)?;
    let other = Moody::new(ID);
    let mut unconcerned = open(&dir.path().join("b.lsm"), &other)?;
    db.insert(b"k", b"v")?;
    codec.be(Mood::PanicsCompressing);
    drop(db);
    assert!(codec.misdeeds() > 0);
    unconcerned.insert(b"k", b"v")?;
    unconcerned.compact()?;
    Ok(())
}

#[test]
fn reserved_codec_ids_are_refused_before_a_file_is_touched() -> Result {
    let dir = tempfile::tempdir()?;
    for id in [
        0,
        1,
        2,
        10_001,
        10_003,
        19_999,
        100_000_000,
        1_000_000_000,
        u32::MAX,
    ] {
        let error = open(&dir.path().join("r.lsm"), &Moody::new(id)).err();
        let error = error.ok_or("opened")?;
        assert_eq!(error.code(), LsmErrorCode::LsmMisuse);
        assert!(error.to_string().contains("20000"), "{error}");
    }
    assert!(common::files_in(dir.path())?.is_empty());
    open(&dir.path().join("r.lsm"), &Moody::new(20_000))?.close()?;
    open(&dir.path().join("s.lsm"), &Moody::new(99_999_999))?.close()?;
    Ok(())
}

#[test]
fn a_file_of_an_unknown_codec_is_a_mismatch_and_unharmed() -> Result {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("own.lsm");
    let codec = Moody::new(ID);
    let mut model = Model::new();
    let mut db = open(&path, &codec)?;
    insert_until_it_fails(&mut db, &mut model)?;
    db.close()?;
    for _ in 0..2 {
        let result = LsmDb::open(&path).and_then(|db| db.get(b"k"));
        assert_eq!(result.map_err(|e| e.code()), Err(LsmErrorCode::LsmMismatch));
        let result = open(&path, &Moody::new(ID + 1)).and_then(|mut db| {
            db.insert(b"k", b"v")?;
            db.compact()
        });
        assert_eq!(result.map_err(|e| e.code()), Err(LsmErrorCode::LsmMismatch));
    }
    let db = open(&path, &codec)?;
    assert_same(&contents(&db)?, &model, "with its own codec");
    // It has no name among the built-in ones.
    assert_eq!(db.get_compression_id(), Err(LsmErrorCode::LsmMismatch));
    Ok(())
}

/// The built-in codecs that this build has.
fn built_in() -> Vec<(LsmCompressionLib, Compression)> {
    vec![
        (LsmCompressionLib::NoCompression, Compression::None),
        #[cfg(feature = "lz4")]
        (LsmCompressionLib::LZ4, Compression::LZ4),
        #[cfg(feature = "zlib")]
        (LsmCompressionLib::ZLib, Compression::ZLIB),
        #[cfg(feature = "zstd")]
        (LsmCompressionLib::ZStd, Compression::ZSTD),
    ]
}

fn compatible(dir: &Path, library: LsmCompressionLib) -> std::result::Result<LsmDb, LsmErrorCode> {
    let mut db = LsmDb::default();
    db.initialize(DbConf::new_with_parameters(
        dir,
        "c".into(),
        LsmMode::LsmNoBackgroundThreads,
        LsmHandleMode::ReadWrite,
        None,
        library,
    ))?;
    db.connect()?;
    Ok(db)
}

/// Half of it compresses well, half of it doesn't.
fn rows() -> Model {
    let mut random = common::SplitMix64::new(5);
    (0..1000_u32)
        .map(|i| {
            let value = match i % 2 {
                0 => vec![b'x'; 150],
                _ => random.bytes(150),
            };
            (i.to_be_bytes().to_vec(), value)
        })
        .collect()
}

fn fill(db: &mut LsmDb, rows: &Model) -> std::result::Result<(), LsmErrorCode> {
    rows.iter()
        .try_for_each(|(key, value)| db.persist(key, value))
}

#[test]
fn the_compatible_face_insists_on_its_codec_and_the_other_recognises_it() -> Result {
    for (written, _) in built_in() {
        let dir = tempfile::tempdir()?;
        let mut db = compatible(dir.path(), written)?;
        assert_eq!(
            db.get_compression_id(),
            Err(LsmErrorCode::LsmMismatch),
            "nothing is written yet"
        );
        fill(&mut db, &rows())?;
        db.optimize()?;
        assert_eq!(db.get_compression_id(), Ok(written));
        db.disconnect()?;
        for (asked, compression) in built_in() {
            let result = compatible(dir.path(), asked).and_then(|db| {
                // The wrong codec is only told the id.
                assert_eq!(db.get_compression_id(), Ok(written));
                db.cursor_open()?.first()
            });
            let expected = match asked == written {
                true => Ok(()),
                false => Err(LsmErrorCode::LsmMismatch),
            };
            assert_eq!(result, expected, "{written:?} opened with {asked:?}");
            let result = compatible(dir.path(), asked).and_then(|mut db| {
                db.persist(b"k", b"v")?;
                db.delete(b"k")
            });
            assert_eq!(result, expected, "{written:?} opened with {asked:?}");

            let path = dir.path().join("c.lsm");
            let mut db = LsmDb::builder().compression(compression).open(&path)?;
            assert_eq!(db.get_compression_id(), Ok(written));
            assert_same(&contents(&db)?, &rows(), "recognised");
            db.insert(b"k", b"v")?;
            db.remove(b"k")?;
            db.compact()?;
            assert_eq!(db.get_compression_id(), Ok(written));
            db.close()?;
            let db = LsmDb::open(&path)?;
            assert_same(&contents(&db)?, &rows(), "recognised by default");
        }
    }
    Ok(())
}

#[test]
fn every_level_is_read_by_every_other() -> Result {
    let mut levels: Vec<(LsmCompressionLib, Vec<Compression>)> = Vec::new();
    if cfg!(feature = "lz4") {
        let mut all = vec![1, 2];
        if cfg!(feature = "lz4-hc") {
            all.extend([3, 9, 12]);
        }
        let all = all.into_iter().map(|level| Compression::Lz4 { level });
        levels.push((LsmCompressionLib::LZ4, all.collect()));
    }
    if cfg!(feature = "zlib") {
        let all = [0, 1, 6, 9].map(|level| Compression::Zlib { level });
        levels.push((LsmCompressionLib::ZLib, all.to_vec()));
    }
    if cfg!(feature = "zstd") {
        let all = [1, 3, 9, 19, 22].map(|level| Compression::Zstd { level });
        levels.push((LsmCompressionLib::ZStd, all.to_vec()));
    }
    for (library, all) in levels {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("c.lsm");
        let mut model = Model::new();
        for (round, level) in all.into_iter().enumerate() {
            let mut db = LsmDb::builder()
                .compression(level)
                .autoflush_kib(64)
                .open(&path)?;
            assert_same(&contents(&db)?, &model, "written at the levels before");
            for (key, value) in rows().into_iter().skip(round * 100).take(500) {
                db.insert(&key, &value)?;
                model.insert(key, value);
            }
            db.close()?;
            let db = compatible(dir.path(), library)?;
            assert_eq!(db.get_compression_id(), Ok(library));
            assert_same(&contents(&db)?, &model, "at the default level");
        }
    }
    Ok(())
}

#[test]
fn levels_out_of_range_are_refused_before_a_file_is_touched() -> Result {
    let dir = tempfile::tempdir()?;
    for level in [
        Compression::Lz4 { level: 0 },
        Compression::Lz4 { level: 13 },
        Compression::Zlib { level: 10 },
        Compression::Zstd { level: 0 },
        Compression::Zstd { level: 23 },
        Compression::Zstd { level: 255 },
    ] {
        let path = dir.path().join("l.lsm");
        let error = LsmDb::builder().compression(level).open(&path).err();
        let error = error.ok_or("opened")?;
        assert_eq!(error.code(), LsmErrorCode::LsmMisuse, "{level:?}");
        assert!(error.to_string().contains("level"), "{error}");
    }
    assert!(common::files_in(dir.path())?.is_empty());
    Ok(())
}

#[test]
fn a_codec_that_isnt_compiled_in_is_an_error_that_names_the_feature() -> Result {
    let dir = tempfile::tempdir()?;
    for (library, compression, name, there) in [
        (
            LsmCompressionLib::LZ4,
            Compression::LZ4,
            "lz4",
            cfg!(feature = "lz4"),
        ),
        (
            LsmCompressionLib::ZLib,
            Compression::ZLIB,
            "zlib",
            cfg!(feature = "zlib"),
        ),
        (
            LsmCompressionLib::ZStd,
            Compression::ZSTD,
            "zstd",
            cfg!(feature = "zstd"),
        ),
    ] {
        let path = dir.path().join(name);
        let built = LsmDb::builder().compression(compression).open(&path);
        let compatible = compatible(dir.path(), library).map(drop);
        if there {
            built?.close()?;
            assert_eq!(compatible, Ok(()));
        } else {
            let error = built.err().ok_or("opened")?;
            assert_eq!(error.code(), LsmErrorCode::LsmMismatch);
            assert!(error.to_string().contains(&format!("`{name}`")), "{error}");
            assert_eq!(compatible, Err(LsmErrorCode::LsmMismatch));
            assert!(common::files_in(dir.path())?.is_empty());
        }
        for file in common::files_in(dir.path())? {
            std::fs::remove_file(dir.path().join(file))?;
        }
    }
    Ok(())
}

/// A codec that claims one byte more than there was room for.
struct Cramped;

impl PageCodec for Cramped {
    fn id(&self) -> u32 {
        30_000
    }
    fn bound(&self, plain_len: usize) -> usize {
        plain_len / 2
    }
    fn compress(&self, plain: &[u8], out: &mut [u8]) -> std::result::Result<usize, CodecError> {
        assert!(!plain.is_empty());
        Ok(out.len() + 1)
    }
    fn decompress(&self, _: &[u8], _: &mut [u8]) -> std::result::Result<usize, CodecError> {
        Ok(0)
    }
}

#[test]
fn a_codec_that_overruns_its_own_bound_is_an_error() -> Result {
    let dir = tempfile::tempdir()?;
    let mut db = LsmDb::builder()
        .codec(Arc::new(Cramped))
        .open(dir.path().join("cramped.lsm"))?;
    db.insert(b"k", b"v")?;
    let error = db.flush().expect_err("no room");
    assert!(error.to_string().contains("room"), "{error}");
    assert_eq!(db.get(b"k")?.as_deref(), Some(&b"v"[..]));
    Ok(())
}

#[cfg(all(feature = "lz4", not(feature = "lz4-hc")))]
#[test]
fn a_level_that_is_not_compiled_in_names_its_feature() -> Result {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("a.lsm");
    let error = LsmDb::builder()
        .compression(Compression::Lz4 { level: 9 })
        .open(&path)
        .err()
        .ok_or("opened")?;
    assert_eq!(error.code(), LsmErrorCode::LsmMismatch);
    assert!(error.to_string().contains("`lz4-hc`"), "{error}");
    assert!(!path.exists());
    Ok(())
}
