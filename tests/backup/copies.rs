//! What a copy has of its source.

use std::fs;

use lsmlite_rs::compression::Compression;
use lsmlite_rs::{Backup, DbConf, Disk, LsmDb, LsmErrorCode, Restore, restore};

use crate::common::{Model, Moody, Result, assert_same, contents};
use crate::generations::{generation_of, write_generation};

#[test]
fn the_copy_has_codec_checksums_and_sizes_of_the_source() -> Result {
    for (compression, checksums, page, block) in [
        (Compression::None, false, 4096, 8192),
        (Compression::None, true, 512, 128),
        #[cfg(feature = "lz4")]
        (Compression::Lz4 { level: 1 }, true, 1024, 256),
        #[cfg(feature = "zstd")]
        (Compression::Zstd { level: 3 }, false, 8192, 1024),
    ] {
        // Also what has never been written to the file is known, from the settings.
        for flushed in [true, false] {
            let dir = tempfile::tempdir()?;
            let copy = dir.path().join("copy.lsm");
            let builder = LsmDb::builder()
                .compression(compression)
                .page_checksums(checksums)
                .page_size_bytes(page)
                .block_size_kib(block);
            let mut db = builder.open(dir.path().join("source.lsm"))?;
            let rows: Model = (0..500u32)
                .map(|i| (i.to_be_bytes().to_vec(), vec![i as u8; 200]))
                .collect();
            for (key, value) in &rows {
                db.insert(key, value)?;
            }
            if flushed {
                db.flush()?;
            }
            db.backup(&copy)?;
            let copy = LsmDb::open(&copy)?;
            assert_same(&contents(&copy)?, &rows, "the copy");
            assert_eq!(copy.has_page_checksums()?, Some(checksums));
            assert_eq!(copy.get_compression_id()?, compression_id(compression));
            let stats = copy.stats()?;
            assert_eq!(stats.page_size_bytes, page);
            assert_eq!(stats.block_size_kib, block);
            assert_eq!((stats.segments(), stats.free_blocks), (1, 0), "{stats}");
        }
    }
    Ok(())
}

fn compression_id(compression: Compression) -> lsmlite_rs::LsmCompressionLib {
    use lsmlite_rs::LsmCompressionLib::*;
    match compression {
        Compression::Lz4 { .. } => LZ4,
        Compression::Zstd { .. } => ZStd,
        _ => NoCompression,
    }
}

#[test]
fn empty_databases_compatible_handles_readers_and_own_codecs_are_copied() -> Result {
    let dir = tempfile::tempdir()?;
    let path = |name: &str| dir.path().join(name);
    let empty = LsmDb::open(path("empty.lsm"))?;
    assert_eq!(empty.backup(path("empty_copy.lsm"))?.records, 0);
    assert!(contents(&LsmDb::open(path("empty_copy.lsm"))?)?.is_empty());

    let mut db = LsmDb::default();
    assert_eq!(
        db.backup(path("a.lsm")).unwrap_err().code(),
        LsmErrorCode::LsmMisuse
    );
    db.initialize(DbConf::new(dir.path(), "compatible".to_owned()))?;
    db.connect()?;
    for n in 1..=20 {
        write_generation(&mut db, n)?;
    }
    db.backup(path("a.lsm"))?;
    assert_eq!(generation_of(&path("a.lsm"))?, 20);
    drop(db);

    let reader = LsmDb::builder()
        .read_only(true)
        .open(path("compatible.lsm"))?;
    reader.backup(path("b.lsm"))?;
    assert_eq!(generation_of(&path("b.lsm"))?, 20);

    let codec = Moody::new(20_100);
    let builder = || LsmDb::builder().codec(codec.clone());
    let mut own = builder().open(path("own.lsm"))?;
    own.insert("key", "value")?;
    own.backup(path("c.lsm"))?;
    assert_eq!(contents(&builder().open(path("c.lsm"))?)?.len(), 1);
    let error = restore(path("c.lsm"), path("d.lsm")).unwrap_err();
    assert_eq!(error.code(), LsmErrorCode::LsmMismatch, "{error}");
    Restore::new()
        .codec(codec.clone())?
        .run(path("c.lsm"), path("d.lsm"))?;
    assert_eq!(contents(&builder().open(path("d.lsm"))?)?.len(), 1);

    own.flush()?;
    Backup::new(&own)?
        .target(LsmDb::builder().page_checksums(true))
        .run(path("e.lsm"))?;
    let plain = LsmDb::open(path("e.lsm"))?;
    assert_eq!(
        (contents(&plain)?.len(), plain.has_page_checksums()?),
        (1, Some(true))
    );
    Ok(())
}

#[cfg(unix)]
#[test]
fn a_database_in_memory_is_copied_to_a_file() -> Result {
    let dir = tempfile::tempdir()?;
    let env = lsmlite_rs::env::MemoryEnv::new();
    let mut db = LsmDb::builder().env(&env).open("memory.lsm")?;
    for n in 1..=20 {
        write_generation(&mut db, n)?;
    }
    db.backup(dir.path().join("copy.lsm"))?;
    assert_eq!(generation_of(&dir.path().join("copy.lsm"))?, 20);
    Ok(())
}

#[cfg(unix)]
#[test]
fn a_copy_has_the_permissions_of_its_source() -> Result {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir()?;
    let (source, copy) = (dir.path().join("source.lsm"), dir.path().join("copy.lsm"));
    let db = LsmDb::open(&source)?;
    for mode in [0o600, 0o640] {
        fs::set_permissions(&source, fs::Permissions::from_mode(mode))?;
        Backup::new(&db)?.overwrite(true).run(&copy)?;
        assert_eq!(fs::metadata(&copy)?.permissions().mode() & 0o777, mode);
        let restored = dir.path().join(format!("{mode}.lsm"));
        restore(&copy, &restored)?;
        assert_eq!(fs::metadata(&restored)?.permissions().mode() & 0o777, mode);
    }
    Ok(())
}
