//! Backups, restorations, and compactions in steps.

mod common;

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::{
    Model, Moody, Result, SplitMix64, assert_same, child, child_argument, contents, files_in,
    retry, setting,
};
use lsmlite_rs::compression::Compression;
use lsmlite_rs::config::BackgroundMode;
use lsmlite_rs::{
    Backup, BackupStep, DbConf, Disk, LsmDb, LsmDbBuilder, LsmError, LsmErrorCode, Restore,
    restore, verify_file,
};

fn small(mode: BackgroundMode) -> LsmDbBuilder {
    LsmDb::builder()
        .background(mode)
        .page_size_bytes(1024)
        .block_size_kib(64)
        .autoflush_kib(256)
        .autocheckpoint_kib(512)
}

/// How many rows each generation of [`write_generations`] knows.
const ROWS: u64 = 3000;
/// How many rows a transaction changes.
const CHANGES: u64 = 20;

/// The rows that generation `n` writes: number, and value or deletion.
fn changes(n: u64) -> impl Iterator<Item = (u64, Option<Vec<u8>>)> {
    let mut random = SplitMix64::new(n);
    (0..CHANGES).map(move |_| {
        let row = random.below(ROWS);
        let len = random.below(300) as usize;
        (row, (!random.one_in(5)).then(|| random.bytes(len)))
    })
}

fn key(row: u64) -> Vec<u8> {
    let spread = row.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    [&b"row"[..], &spread.to_be_bytes()].concat()
}

/// What is in the database after generation `n`, the counter included.
fn state(n: u64) -> Model {
    let mut model = Model::new();
    for n in 1..=n {
        for (row, value) in changes(n) {
            match value {
                Some(value) => model.insert(key(row), value),
                None => model.remove(&key(row)),
            };
        }
    }
    if n > 0 {
        model.insert(b"generation".to_vec(), n.to_be_bytes().to_vec());
    }
    model
}

/// One transaction per generation, until told to stop. The last that was committed is told.
fn write_generations(db: &mut LsmDb, stop: &AtomicBool, committed: &AtomicU64) -> Result {
    while !stop.load(Ordering::SeqCst) {
        let n = committed.load(Ordering::SeqCst) + 1;
        write_generation(db, n)?;
        committed.store(n, Ordering::SeqCst);
    }
    Ok(())
}

fn write_generation(db: &mut LsmDb, n: u64) -> Result {
    db.begin_transaction()?;
    for (row, value) in changes(n) {
        match value {
            Some(value) => db.insert(key(row), value)?,
            None => db.remove(key(row))?,
        }
    }
    db.insert("generation", n.to_be_bytes())?;
    Ok(db.commit_transaction()?)
}

/// Rows that stay, between the others: so that a copy takes several transactions.
const FILLERS: u64 = 2000;

fn filler(n: u64) -> (Vec<u8>, Vec<u8>) {
    ([&key(n)[..], b"filler"].concat(), vec![n as u8; 2000])
}

/// Opens the copy in every way and says which generation is in it.
fn generation_of(copy: &Path) -> Result<u64> {
    let report = verify_file(copy)?;
    assert!(report.is_clean(), "{report}");
    let db = LsmDb::open(copy)?;
    let mut found = contents(&db)?;
    let fillers: Vec<_> = (0..FILLERS).map(filler).collect();
    let there = |row: &&(Vec<u8>, Vec<u8>)| found.get(&row.0) == Some(&row.1);
    let count = fillers.iter().filter(there).count() as u64;
    assert!(count == 0 || count == FILLERS, "{count} fillers");
    found.retain(|key, _| !key.ends_with(b"filler"));
    let n = match found.get(&b"generation"[..]) {
        Some(n) => u64::from_be_bytes(n[..].try_into()?),
        None => 0,
    };
    assert_same(&found, &state(n), &format!("generation {n}"));
    Ok(n)
}

fn backups_while_writing(mode: BackgroundMode, seconds: u64) -> Result {
    let dir = tempfile::tempdir()?;
    let copies = tempfile::tempdir()?;
    let copy = copies.path().join("copy.lsm");
    let mut db = small(mode).open(dir.path().join("source.lsm"))?;
    let second = small(BackgroundMode::None).open(dir.path().join("source.lsm"))?;
    for (key, value) in (0..FILLERS).map(filler) {
        db.insert(key, value)?;
    }
    let (stop, committed) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
    );
    let writer = {
        let (stop, committed) = (Arc::clone(&stop), Arc::clone(&committed));
        thread::spawn(move || write_generations(&mut db, &stop, &committed))
    };
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut count = 0;
    while (Instant::now() < end || count < 2) && !writer.is_finished() {
        let before = committed.load(Ordering::SeqCst);
        let backup = Backup::new(&second)?
            .overwrite(true)
            .compact(count % 2 == 0);
        let after = committed.load(Ordering::SeqCst);
        let (ticks, seen) = (Arc::new(AtomicU64::new(0)), Arc::clone(&committed));
        let told = Arc::clone(&ticks);
        let backup = backup.on_progress(move |_| {
            // So that a good deal is written meanwhile.
            let now = seen.load(Ordering::SeqCst);
            let start = Instant::now();
            while seen.load(Ordering::SeqCst) < now + 20
                && start.elapsed() < Duration::from_millis(200)
            {
                thread::yield_now();
            }
            told.fetch_add(1, Ordering::SeqCst);
            ControlFlow::Continue(())
        });
        let report = backup.run(&copy)?;
        let n = generation_of(&copy)?;
        assert!(ticks.load(Ordering::SeqCst) > 4);
        // The one in between may have been committed but not counted yet.
        assert!(
            (before..=after + 1).contains(&n),
            "{before} <= {n} <= {after}"
        );
        assert_eq!(report.records, state(n).len() as u64 + FILLERS);
        count += 1;
    }
    stop.store(true, Ordering::SeqCst);
    writer.join().map_err(|_| "the writer panicked")??;
    let n = committed.load(Ordering::SeqCst);
    println!("{mode:?}: {count} backups during {n} generations");
    assert!(
        count > 1 && n > 100,
        "{count} backups during {n} generations"
    );
    let mut source = contents(&second)?;
    source.retain(|key, _| !key.ends_with(b"filler"));
    assert_same(&source, &state(n), "the source");
    assert_eq!(files_in(copies.path())?, ["copy.lsm"]);
    Ok(())
}

/// Longer with `LSMLITE_SECONDS`, which is divided among the modes.
#[test]
fn a_backup_taken_while_writing_goes_on_is_a_committed_state() -> Result {
    let modes = [
        BackgroundMode::None,
        BackgroundMode::Merger,
        BackgroundMode::MergerAndCheckpointer,
    ];
    let seconds = setting("LSMLITE_SECONDS", 3).div_ceil(modes.len() as u64);
    for mode in modes {
        backups_while_writing(mode, seconds)?;
    }
    Ok(())
}

#[test]
fn the_snapshot_is_that_of_new_and_outlives_the_handle() -> Result {
    let dir = tempfile::tempdir()?;
    let (source, copy) = (dir.path().join("source.lsm"), dir.path().join("copy.lsm"));
    let mut db = small(BackgroundMode::None).open(&source)?;
    for n in 1..=50 {
        write_generation(&mut db, n)?;
    }
    db.begin_transaction()?;
    db.insert("open", "transaction")?;
    let backup = Backup::new(&db)?;
    db.rollback_transaction()?;
    for n in 51..=400 {
        write_generation(&mut db, n)?;
    }
    db.compact()?;
    db.insert("generation", 0u64.to_be_bytes())?;
    db.close()?;
    thread::spawn(move || backup.run(copy)).join().unwrap()?;
    assert_eq!(generation_of(&dir.path().join("copy.lsm"))?, 50);
    // Closing beside the job left the log, with all that was committed.
    let db = LsmDb::open(&source)?;
    assert_eq!(db.get("generation")?, Some(vec![0; 8]));
    db.close()?;
    assert_eq!(files_in(dir.path())?, ["copy.lsm", "source.lsm"]);
    Ok(())
}

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

/// A source of 200 generations and about 400 KiB, and the folder that it is in.
fn source() -> Result<(tempfile::TempDir, LsmDb)> {
    let dir = tempfile::tempdir()?;
    let mut db = small(BackgroundMode::None).open(dir.path().join("source.lsm"))?;
    for n in 1..=400 {
        write_generation(&mut db, n)?;
    }
    Ok((dir, db))
}

#[test]
fn a_cancelled_backup_leaves_nothing_behind_at_any_step() -> Result {
    let (_dir, db) = source()?;
    let copies = tempfile::tempdir()?;
    let copy = copies.path().join("copy.lsm");
    let mut steps = Vec::new();
    for stop_at in 0.. {
        let last = Arc::new(std::sync::Mutex::new(None));
        let (told, mut count) = (Arc::clone(&last), 0);
        let backup = Backup::new(&db)?.on_progress(move |so_far| {
            count += 1;
            *told.lock().unwrap() = Some(so_far.step);
            match count > stop_at {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        });
        match backup.run(&copy) {
            Ok(_) => break,
            Err(error) => {
                assert!(error.is_cancelled(), "{error}");
                assert!(error.to_string().contains("copy.lsm"), "{error}");
                assert_eq!(files_in(copies.path())?, [""; 0]);
                steps.push(last.lock().unwrap().ok_or("no step")?);
            }
        }
    }
    steps.dedup();
    let all = [
        BackupStep::Copying,
        BackupStep::Compacting,
        BackupStep::Verifying,
    ];
    assert_eq!(steps, all);
    assert_eq!(generation_of(&copy)?, 400);
    Ok(())
}

#[test]
fn a_callback_that_panics_leaves_nothing_behind() -> Result {
    let (_dir, db) = source()?;
    let copies = tempfile::tempdir()?;
    let backup = Backup::new(&db)?.on_progress(|_| panic!("no more"));
    let copy = copies.path().join("copy.lsm");
    assert!(thread::spawn(move || backup.run(copy)).join().is_err());
    assert_eq!(files_in(copies.path())?, [""; 0]);
    db.backup(copies.path().join("copy.lsm"))?;
    Ok(())
}

fn code(result: std::result::Result<lsmlite_rs::BackupReport, LsmError>) -> LsmErrorCode {
    result.expect_err("done").code()
}

#[test]
fn nothing_is_overwritten_unasked_and_nothing_that_is_open() -> Result {
    let (dir, mut db) = source()?;
    let path = |name: &str| dir.path().join(name);
    fs::write(path("file"), "precious")?;
    assert_eq!(code(db.backup(path("file"))), LsmErrorCode::LsmCantOpen);
    let error = Backup::new(&db)?
        .overwrite(true)
        .run(path("source.lsm"))
        .unwrap_err();
    assert!(error.is_busy(), "{error}");
    assert_eq!(code(db.backup(path("source.lsm"))), LsmErrorCode::LsmBusy);
    assert_eq!(code(db.backup(dir.path())), LsmErrorCode::LsmCantOpen);
    let missing = db
        .backup(dir.path().join("no").join("copy.lsm"))
        .unwrap_err();
    assert!(missing.is_not_found(), "{missing}");

    db.backup(path("copy.lsm"))?;
    assert_eq!(
        code(restore(path("copy.lsm"), path("file"))),
        LsmErrorCode::LsmCantOpen
    );
    assert!(
        restore(path("copy.lsm"), path("source.lsm"))
            .unwrap_err()
            .is_busy()
    );
    let open = Restore::new()
        .overwrite(true)
        .run(path("copy.lsm"), path("source.lsm"));
    assert!(open.unwrap_err().is_busy());
    assert!(
        restore(path("source.lsm"), path("new.lsm"))
            .unwrap_err()
            .is_busy()
    );
    assert!(
        restore(path("none.lsm"), path("new.lsm"))
            .unwrap_err()
            .is_not_found()
    );
    assert_eq!(fs::read(path("file"))?, b"precious");
    db.insert("still", "open")?;
    let files = ["copy.lsm", "file", "source.lsm", "source.lsm-log"];
    assert_eq!(files_in(dir.path())?, files);

    Backup::new(&db)?.overwrite(true).run(path("file"))?;
    assert_eq!(contents(&LsmDb::open(path("file"))?)?, contents(&db)?);
    Ok(())
}

#[test]
fn a_database_that_another_process_has_open_is_not_overwritten() -> Result {
    const NAME: &str = "a_database_that_another_process_has_open_is_not_overwritten";
    if let Some(path) = child_argument() {
        let (_dir, db) = source()?;
        let error = Backup::new(&db)?.overwrite(true).run(&path).unwrap_err();
        assert!(error.is_busy(), "{error}");
        return Ok(());
    }
    let (dir, mut db) = source()?;
    let output = child(NAME, dir.path().join("source.lsm"))?.output()?;
    assert!(output.status.success(), "{output:?}");
    assert_eq!(files_in(dir.path())?, ["source.lsm", "source.lsm-log"]);
    write_generation(&mut db, 401)?;
    db.close()?;
    assert_eq!(generation_of(&dir.path().join("source.lsm"))?, 401);
    Ok(())
}

/// A copy of a database in the middle of its life: a log that holds everything.
fn crashed(dir: &Path, name: &str) -> Result {
    let original = tempfile::tempdir()?;
    let mut db = LsmDb::open(original.path().join("db"))?;
    for n in 1..=10 {
        write_generation(&mut db, n)?;
    }
    for suffix in ["", "-log"] {
        let from = original.path().join(format!("db{suffix}"));
        fs::copy(from, dir.join(format!("{name}{suffix}")))?;
    }
    Ok(())
}

#[test]
fn the_log_of_another_database_is_never_taken_for_the_copys() -> Result {
    let (_dir, db) = source()?;
    let dir = tempfile::tempdir()?;
    let path = |name: &str| dir.path().join(name);
    crashed(dir.path(), "a.lsm")?;
    fs::remove_file(path("a.lsm"))?;
    let error = db.backup(path("a.lsm")).unwrap_err();
    assert_eq!(error.code(), LsmErrorCode::LsmCantOpen);
    assert!(error.to_string().contains("a.lsm-log"), "{error}");
    assert_eq!(files_in(dir.path())?, ["a.lsm-log"]);
    Backup::new(&db)?.overwrite(true).run(path("a.lsm"))?;
    assert_eq!(generation_of(&path("a.lsm"))?, 400);

    crashed(dir.path(), "b.lsm")?;
    Restore::new()
        .overwrite(true)
        .run(path("a.lsm"), path("b.lsm"))?;
    assert_eq!(generation_of(&path("b.lsm"))?, 400);
    assert_eq!(files_in(dir.path())?, ["a.lsm", "b.lsm"]);

    // And a backup whose last commits are in its log isn't restored without them.
    crashed(dir.path(), "c.lsm")?;
    assert_eq!(
        code(restore(path("c.lsm"), path("d.lsm"))),
        LsmErrorCode::LsmMisuse
    );
    LsmDb::open(path("c.lsm"))?.close()?;
    restore(path("c.lsm"), path("d.lsm"))?;
    assert_eq!(generation_of(&path("d.lsm"))?, 10);
    Ok(())
}

#[test]
fn a_cancelled_overwriting_leaves_the_old_database_with_its_log() -> Result {
    let (_dir, db) = source()?;
    let dir = tempfile::tempdir()?;
    crashed(dir.path(), "a.lsm")?;
    let backup = Backup::new(&db)?
        .overwrite(true)
        .on_progress(|so_far| match so_far.step {
            BackupStep::Verifying => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        });
    assert!(
        backup
            .run(dir.path().join("a.lsm"))
            .unwrap_err()
            .is_cancelled()
    );
    assert_eq!(files_in(dir.path())?, ["a.lsm", "a.lsm-log"]);
    let old = LsmDb::open(dir.path().join("a.lsm"))?;
    assert_same(&contents(&old)?, &state(10), "the old one");
    Ok(())
}

#[test]
fn a_damaged_backup_is_not_restored() -> Result {
    let (_dir, db) = source()?;
    let dir = tempfile::tempdir()?;
    let (copy, target) = (dir.path().join("copy.lsm"), dir.path().join("target.lsm"));
    let checked = LsmDb::builder().page_checksums(true);
    Backup::new(&db)?.target(checked).run(&copy)?;
    fs::copy(&copy, &target)?;
    let mut bytes = fs::read(&copy)?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&copy, bytes)?;
    let error = Restore::new()
        .overwrite(true)
        .run(&copy, &target)
        .unwrap_err();
    assert!(error.is_corrupt(), "{error}");
    assert!(error.to_string().contains("copy.lsm"), "{error}");
    assert_eq!(generation_of(&target)?, 400);
    assert_eq!(files_in(dir.path())?, ["copy.lsm", "target.lsm"]);
    // But a damaged database can be replaced.
    Restore::new().overwrite(true).run(&target, &copy)?;
    assert_eq!(generation_of(&copy)?, 400);
    Ok(())
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_leaves_nothing_behind_and_the_old_copy_as_it_was() -> Result {
    const NAME: &str = "a_full_disk_leaves_nothing_behind_and_the_old_copy_as_it_was";
    let (_dir, db) = source()?;
    common::disk::SmallDisk::with(NAME, 2 << 10, |disk| {
        let copy = disk.path("copy.lsm");
        db.backup(&copy)?;
        let before = fs::read(&copy)?;
        let mut failures = 0;
        for free_kib in [0, 64, 128, 256] {
            disk.keep_free(1640 - free_kib)?;
            for compact in [false, true] {
                let backup = Backup::new(&db)?.overwrite(true).compact(compact);
                if let Err(error) = backup.run(&copy) {
                    assert_eq!(error.code(), LsmErrorCode::LsmFull, "{error}");
                    assert_eq!(error.operation(), "backup");
                    failures += 1;
                }
                let other = disk.path("other.lsm");
                let restored = restore(&copy, &other);
                assert_eq!(code(restored), LsmErrorCode::LsmFull);
                assert_eq!(files_in(disk.root())?, ["ballast", "copy.lsm"]);
            }
        }
        assert!(failures >= 6, "{failures} failures");
        assert!(fs::read(&copy)? == before);
        disk.make_room()?;
        Backup::new(&db)?.overwrite(true).run(&copy)?;
        restore(&copy, disk.path("other.lsm"))?;
        assert_eq!(generation_of(&disk.path("other.lsm"))?, 400);
        Ok(())
    })
}

#[cfg(target_os = "linux")]
#[test]
fn a_killed_backup_leaves_the_old_copy_and_the_next_one_clears_up() -> Result {
    const NAME: &str = "a_killed_backup_leaves_the_old_copy_and_the_next_one_clears_up";
    let steps = [
        BackupStep::Copying,
        BackupStep::Compacting,
        BackupStep::Verifying,
    ];
    if let Some(path) = child_argument() {
        let at = steps.map(|step| Path::new(&path).ends_with(format!("{step:?}.lsm")));
        let (_dir, db) = source()?;
        let mut calls = 0;
        let backup = Backup::new(&db)?
            .overwrite(true)
            .on_progress(move |so_far| {
                calls += 1;
                // The first call comes before anything is copied.
                let is_here = (steps.iter().zip(at)).any(|(&step, at)| at && so_far.step == step);
                if calls > 1 && is_here {
                    // As `kill -9`: nothing is cleared up.
                    std::process::abort();
                }
                ControlFlow::Continue(())
            });
        backup.run(path)?;
        return Err("not killed".into());
    }
    let (_dir, db) = source()?;
    for step in steps {
        let dir = tempfile::tempdir()?;
        let copy = dir.path().join(format!("{step:?}.lsm"));
        db.backup(&copy)?;
        let before = fs::read(&copy)?;
        let output = child(NAME, &copy)?.output()?;
        assert!(!output.status.success());
        assert!(output.status.code().is_none(), "{output:?}");
        assert!(fs::read(&copy)? == before);
        let drafts = files_in(dir.path())?.split_off(1);
        let is_draft = |name: &String| name.contains("-lsmlite-draft-");
        assert!(
            !drafts.is_empty() && drafts.iter().all(is_draft),
            "{drafts:?}"
        );
        Backup::new(&db)?.overwrite(true).run(&copy)?;
        assert_eq!(files_in(dir.path())?, [format!("{step:?}.lsm")]);
        assert_eq!(generation_of(&copy)?, 400);
    }
    Ok(())
}

#[cfg(target_os = "linux")]
#[test]
fn a_handle_that_only_reads_since_its_disk_is_full_is_backed_up_elsewhere() -> Result {
    const NAME: &str = "a_handle_that_only_reads_since_its_disk_is_full_is_backed_up_elsewhere";
    common::disk::SmallDisk::with(NAME, 2 << 10, |disk| {
        let elsewhere = tempfile::tempdir()?;
        let copy = elsewhere.path().join("copy.lsm");
        let mut db = small(BackgroundMode::Merger).open(disk.path("full.lsm"))?;
        let mut n = 0;
        while write_generation(&mut db, n + 1).is_ok() {
            n += 1;
            assert!(n < 100_000, "the disk is never full");
            if n == 100 {
                disk.fill()?;
            }
        }
        assert!(n >= 100 && db.failure().is_some());
        db.backup(&copy)?;
        assert_eq!(generation_of(&copy)?, n);
        Ok(())
    })
}

#[test]
fn two_backups_to_one_path_at_once_are_each_whole() -> Result {
    let (_dir, db) = source()?;
    let dir = tempfile::tempdir()?;
    let copy = dir.path().join("copy.lsm");
    let jobs: Vec<_> = (0..2)
        .map(|_| {
            let backup = Backup::new(&db)?.overwrite(true);
            let copy = copy.clone();
            Ok(thread::spawn(move || {
                retry(|| Ok(copy.clone())).and_then(|path| backup.run(path))
            }))
        })
        .collect::<Result<_>>()?;
    let mut done = 0;
    for job in jobs {
        match job.join().unwrap() {
            Ok(_) => done += 1,
            // The other one was just looking at the file.
            Err(error) => assert!(error.is_busy(), "{error}"),
        }
    }
    assert!(done > 0);
    assert_eq!(generation_of(&copy)?, 400);
    assert_eq!(files_in(dir.path())?, ["copy.lsm"]);
    Ok(())
}

#[test]
fn a_compaction_stops_when_told_and_goes_on_later() -> Result {
    for (name, builder) in [
        ("plain", LsmDb::builder()),
        ("packed", LsmDb::builder().page_checksums(true)),
    ] {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("source.lsm");
        // Many blocks: so many free ones that the engine lists them in runs of their own.
        let builder = || builder.clone().autowork(false).block_size_kib(64);
        let mut db = builder().open(&path)?;
        let mut model = Model::new();
        let mut random = SplitMix64::new(1);
        for _ in 0..4 {
            for _ in 0..9000 {
                let (key, value) = (random.bytes(8), random.bytes(400));
                db.insert(&key, &value)?;
                model.insert(key, value);
            }
            db.flush()?;
        }
        assert_eq!(db.stats()?.segments(), 4);
        let (mut rounds, mut written) = (0, 0);
        loop {
            let (mut calls, mut last) = (0, None);
            let done = db.compact_with(|so_far| {
                calls += 1;
                last = Some(*so_far);
                assert_eq!(so_far.written_kib > 0, calls > 1);
                match calls {
                    1 => ControlFlow::Continue(()),
                    _ => ControlFlow::Break(()),
                }
            })?;
            let last = last.ok_or("never called")?;
            written += last.written_kib;
            if done {
                assert_eq!(last.remaining_kib, 0, "{last:?}");
                break;
            }
            assert!(last.remaining_kib > 0, "{last:?}");
            assert!(
                rounds > 0 || (13_000..18_000).contains(&last.total_kib),
                "{last:?}"
            );
            rounds += 1;
            assert!(rounds < 20, "no end: {last:?}");
            // What was merged isn't lost by closing, and nothing else either.
            assert_same(&contents(&db)?, &model, "on the way");
            db.close()?;
            db = builder().open(&path)?;
        }
        println!("{name}: {rounds} rounds, {written} KiB");
        assert!(
            rounds >= 1 && written < 70_000,
            "{rounds} rounds, {written} KiB written"
        );
        let stats = db.stats()?;
        let largest = stats
            .levels
            .iter()
            .map(|level| level.bytes)
            .max()
            .unwrap_or(0);
        assert!(stats.segment_bytes() - largest <= largest / 200, "{stats}");
        assert!(!stats.is_merging(), "{stats}");
        assert_same(&contents(&db)?, &model, "compacted");
        assert!(verify_file_of(db, &path)?);
    }
    Ok(())
}

fn verify_file_of(db: LsmDb, path: &Path) -> Result<bool> {
    db.close()?;
    Ok(verify_file(path)?.is_clean())
}

#[test]
fn a_compaction_to_the_end_leaves_one_run_and_the_usual_settings() -> Result {
    let (dir, mut db) = source()?;
    assert!(db.stats()?.segments() > 1);
    let mut last = None;
    assert!(db.compact_with(|so_far| {
        last = Some(*so_far);
        ControlFlow::Continue(())
    })?);
    let stats = db.stats()?;
    assert_eq!(
        (stats.segments(), stats.checkpoint_debt_kib),
        (1, 0),
        "{stats}"
    );
    let last = last.ok_or("never called")?;
    assert_eq!((last.segments, last.remaining_kib), (1, 0), "{last:?}");
    assert_same(&contents(&db)?, &state(400), "compacted");
    assert!(db.compact_with(|_| ControlFlow::Continue(()))?);
    assert_eq!(db.stats()?.segments(), 1);
    db.begin_transaction()?;
    let error = db.compact_with(|_| ControlFlow::Continue(())).unwrap_err();
    assert_eq!(error.code(), LsmErrorCode::LsmMisuse);
    db.rollback_transaction()?;
    for n in 401..=450 {
        write_generation(&mut db, n)?;
    }
    assert_same(&contents(&db)?, &state(450), "and on");

    // It frees what is at the end of the file, which is cut off when it is closed.
    assert!(db.compact_with(|_| ControlFlow::Continue(()))?);
    let bytes = db.stats()?.segment_bytes();
    db.close()?;
    let length = fs::metadata(dir.path().join("source.lsm"))?.len();
    assert!(length < bytes + (3 << 16), "{length} bytes for {bytes}");
    Ok(())
}
