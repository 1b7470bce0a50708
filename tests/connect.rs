//! Opening: what fails leaves nothing behind, what is read-only creates nothing, and one file
//! is one database whatever it is called.

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use common::{Result, connected, files_in};
use lsmlite_rs::compression::Compression;
use lsmlite_rs::{
    Cursor, DbConf, Disk, LsmCompressionLib, LsmCursorSeekOp, LsmDb, LsmErrorCode, LsmHandleMode,
    LsmMode,
};

/// In 0.2.2 each failed connect leaks the C handle.
#[cfg(target_os = "linux")]
#[test]
fn failed_connects_leak_nothing() -> Result {
    if !common::alone("failed_connects_leak_nothing")? {
        return Ok(());
    }
    let dir = tempfile::tempdir()?;
    let missing = dir.path().join("missing");
    let fail = |times: u32| {
        for _ in 0..times {
            let result = connected(&missing, "never").map(drop);
            assert_eq!(result, Err(LsmErrorCode::LsmIOErr));
        }
    };
    fail(2_000);
    let (memory, files) = (common::resident_kib()?, common::open_files()?);
    fail(20_000);
    // A handle takes more than 1 KiB: leaking one each time would add 20 MiB.
    let grown = common::resident_kib()?.saturating_sub(memory);
    assert!(grown < 1024, "{grown} KiB more");
    assert_eq!(common::open_files()?, files);
    Ok(())
}

/// The same where the file is opened before something is found wrong with it.
#[cfg(target_os = "linux")]
#[test]
fn connects_that_fail_late_leak_nothing() -> Result {
    if !common::alone("connects_that_fail_late_leak_nothing")? {
        return Ok(());
    }
    let dir = tempfile::tempdir()?;
    let folder = dir.path().join("folder.lsm");
    fs::create_dir(&folder)?;
    let fail = |times: u32| {
        for _ in 0..times {
            assert!(LsmDb::open(&folder).is_err());
        }
    };
    fail(500);
    let (memory, files) = (common::resident_kib()?, common::open_files()?);
    fail(5_000);
    let grown = common::resident_kib()?.saturating_sub(memory);
    assert!(grown < 1024, "{grown} KiB more");
    assert_eq!(common::open_files()?, files);
    Ok(())
}

#[test]
fn a_missing_folder_is_an_io_error_that_keeps_its_number() -> Result {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("no/such/folder/x.lsm");
    let error = LsmDb::open(&path).err().ok_or("opened")?;
    assert_eq!(error.code(), LsmErrorCode::LsmIOErr);
    assert_eq!(error.raw_code(), 266);
    assert!(error.is_not_found());
    assert_eq!(error.operation(), "open");
    assert_eq!(error.path(), Some(path.as_path()));
    Ok(())
}

#[test]
fn a_handle_can_try_again_after_a_failed_connect() -> Result {
    let dir = tempfile::tempdir()?;
    let folder = dir.path().join("later");
    let mut db = LsmDb::default();
    db.initialize(DbConf::new(&folder, "x".into()))?;
    assert_eq!(db.connect(), Err(LsmErrorCode::LsmIOErr));
    assert!(!db.is_connected());
    fs::create_dir(&folder)?;
    db.connect()?;
    db.persist(b"k", b"v")?;
    db.disconnect()?;
    Ok(())
}

#[test]
fn a_missing_file_isnt_created_when_it_may_not_be() -> Result {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("missing.lsm");
    for builder in [
        LsmDb::builder().create(false),
        LsmDb::builder().read_only(true),
        LsmDb::builder().read_only(true).create(true),
        LsmDb::builder().read_only(true).multi_process(true),
    ] {
        let error = builder.open(&path).err().ok_or("opened")?;
        assert_eq!(error.code(), LsmErrorCode::LsmIOErr);
        assert!(error.is_not_found());
        assert!(files_in(dir.path())?.is_empty());
    }
    let mut db = LsmDb::default();
    db.initialize(read_only(dir.path(), LsmCompressionLib::NoCompression))?;
    assert_eq!(db.connect(), Err(LsmErrorCode::LsmIOErr));
    assert!(files_in(dir.path())?.is_empty());
    Ok(())
}

fn read_only(dir: &Path, compression: LsmCompressionLib) -> DbConf {
    DbConf::new_with_parameters(
        dir,
        "missing".into(),
        LsmMode::LsmBackgroundMerger,
        LsmHandleMode::ReadOnly,
        None,
        compression,
    )
}

#[test]
fn a_read_only_handle_reads_and_refuses_every_write() -> Result {
    const REFUSED: LsmErrorCode = LsmErrorCode::LsmReadOnly;
    let dir = tempfile::tempdir()?;
    let mut db = connected(dir.path(), "missing")?;
    for i in 0..1000_u32 {
        db.persist(&i.to_be_bytes(), b"v")?;
    }
    db.disconnect()?;
    let before = fs::read(dir.path().join("missing.lsm"))?;

    let mut db = LsmDb::default();
    db.initialize(read_only(dir.path(), LsmCompressionLib::NoCompression))?;
    db.connect()?;
    assert_eq!(
        db.get_compression_id(),
        Ok(LsmCompressionLib::NoCompression)
    );
    assert_eq!(db.iter().count(), 1000);
    assert_eq!(db.persist(b"k", b"v"), Err(REFUSED));
    assert_eq!(db.update(b"k", b"v"), Err(REFUSED));
    assert_eq!(db.delete(b"k"), Err(REFUSED));
    assert_eq!(db.delete_range(b"a", b"b"), Err(REFUSED));
    assert_eq!(db.optimize(), Err(REFUSED));
    assert_eq!(db.begin_transaction(), Err(REFUSED));
    assert_eq!(db.flush().map_err(|e| e.code()), Err(REFUSED));
    assert_eq!(db.checkpoint().map_err(|e| e.code()), Err(REFUSED));
    // Nothing is open, so there is nothing to refuse.
    assert_eq!(db.commit_transaction(), Ok(()));
    assert_eq!(db.rollback_transaction(), Ok(()));

    let mut cursor = db.cursor_open()?;
    cursor.seek(&7_u32.to_be_bytes(), LsmCursorSeekOp::LsmCursorSeekEq)?;
    assert_eq!(cursor.get_value()?, b"v");
    // A refused write doesn't need the cursor to be gone; the borrow checker does.
    drop(cursor);
    assert_eq!(db.iter().count(), 1000);
    db.disconnect()?;
    assert!(fs::read(dir.path().join("missing.lsm"))? == before);
    Ok(())
}

#[test]
fn a_read_only_handle_knows_the_codec() -> Result {
    let codecs = [
        (Compression::None, LsmCompressionLib::NoCompression),
        #[cfg(feature = "lz4")]
        (Compression::LZ4, LsmCompressionLib::LZ4),
        #[cfg(feature = "zlib")]
        (Compression::ZLIB, LsmCompressionLib::ZLib),
        #[cfg(feature = "zstd")]
        (Compression::ZSTD, LsmCompressionLib::ZStd),
    ];
    for (compression, id) in codecs {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("missing.lsm");
        let mut db = LsmDb::builder().compression(compression).open(&path)?;
        db.insert(b"k", b"v")?;
        db.close()?;
        let db = LsmDb::builder().read_only(true).open(&path)?;
        assert_eq!(db.get_compression_id(), Ok(id));
        assert_eq!(db.get(b"k")?.as_deref(), Some(&b"v"[..]));
        db.close()?;
        let mut db = LsmDb::default();
        db.initialize(read_only(dir.path(), id))?;
        db.connect()?;
        assert_eq!(db.get_compression_id(), Ok(id));
    }
    Ok(())
}

/// A crashed writer leaves rows in the log; a reader must see them.
#[test]
fn a_read_only_handle_sees_what_is_only_in_the_log() -> Result {
    let dir = tempfile::tempdir()?;
    let copy = tempfile::tempdir()?;
    let mut db = connected(dir.path(), "missing")?;
    for i in 0..100_u8 {
        db.persist(&[i], b"v")?;
    }
    for name in files_in(dir.path())? {
        fs::copy(dir.path().join(&name), copy.path().join(&name))?;
    }
    let mut db = LsmDb::default();
    db.initialize(read_only(copy.path(), LsmCompressionLib::NoCompression))?;
    db.connect()?;
    assert_eq!(db.iter().count(), 100);
    Ok(())
}

/// In one process, 0.2.2 takes two spellings of a path for two databases, and half of the
/// rows are lost.
#[cfg(unix)]
#[test]
fn two_spellings_of_a_path_are_one_database() -> Result {
    let dir = tempfile::tempdir()?;
    let root = dir.path();
    fs::create_dir(root.join("a"))?;
    std::os::unix::fs::symlink(root.join("plain.lsm"), root.join("link.lsm"))?;
    std::os::unix::fs::symlink(root, root.join("folder"))?;
    let spellings = [
        root.join("plain.lsm"),
        root.join("./a/../plain.lsm"),
        root.join("link.lsm"),
        root.join("folder/plain.lsm"),
        root.join("folder/a/.././link.lsm"),
    ];
    let mut handles = Vec::new();
    for spelling in &spellings {
        handles.push(LsmDb::open(spelling)?);
    }
    for row in 0..1000_u32 {
        let db = &mut handles[row as usize % spellings.len()];
        db.insert(row.to_be_bytes(), row.to_le_bytes())?;
    }
    for db in &handles {
        assert_eq!(db.iter().count(), 1000);
    }
    for db in handles {
        db.close()?;
    }
    for spelling in &spellings {
        assert_eq!(LsmDb::open(spelling)?.iter().count(), 1000);
    }
    assert_eq!(
        files_in(root)?,
        ["a", "folder", "link.lsm", "plain.lsm"],
        "no second file and no log is left"
    );
    Ok(())
}

/// The log's name must not depend on whether the file was there when it was opened.
#[cfg(unix)]
#[test]
fn rows_written_through_a_link_to_nowhere_survive_a_crash() -> Result {
    const NAME: &str = "rows_written_through_a_link_to_nowhere_survive_a_crash";
    if let Some(root) = common::child_argument() {
        let mut db = LsmDb::open(Path::new(&root).join("link.lsm"))?;
        for row in 0..100_u8 {
            db.insert([row], b"v")?;
        }
        std::process::abort();
    }
    let dir = tempfile::tempdir()?;
    let root = dir.path();
    fs::create_dir(root.join("elsewhere"))?;
    std::os::unix::fs::symlink("elsewhere/target.lsm", root.join("link.lsm"))?;
    let output = common::child(NAME, root)?.output()?;
    assert!(!output.status.success());
    assert_eq!(LsmDb::open(root.join("link.lsm"))?.iter().count(), 100);
    assert_eq!(files_in(&root.join("elsewhere"))?, ["target.lsm"]);
    Ok(())
}

#[cfg(unix)]
#[test]
fn a_link_that_leads_to_itself_is_an_error() -> Result {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("loop.lsm");
    std::os::unix::fs::symlink("loop.lsm", &path)?;
    assert!(LsmDb::open(&path).is_err());
    assert_eq!(files_in(dir.path())?, ["loop.lsm"]);
    Ok(())
}

#[test]
fn another_process_gets_busy_until_we_close() -> Result {
    const NAME: &str = "another_process_gets_busy_until_we_close";
    if let Some(path) = common::child_argument() {
        // The parent reads the answer from the exit code.
        let answer = match LsmDb::open(&path) {
            Ok(db) => db.iter().count() as i32,
            Err(error) => 100 + error.raw_code(),
        };
        std::process::exit(answer);
    }
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("held.lsm");
    let ask = || -> Result<Option<i32>> { Ok(common::child(NAME, &path)?.output()?.status.code()) };
    let mut db = LsmDb::open(&path)?;
    db.insert(b"a", b"1")?;
    db.insert(b"b", b"2")?;
    assert_eq!(ask()?, Some(105), "LsmBusy");
    // Neither a second handle nor its end lets go of the file.
    LsmDb::open(&path)?.close()?;
    assert_eq!(ask()?, Some(105), "LsmBusy");
    assert_eq!(db.iter().count(), 2);
    db.close()?;
    assert_eq!(ask()?, Some(2), "both rows");
    assert_eq!(LsmDb::open(&path)?.iter().count(), 2);
    Ok(())
}

/// Another process is in the middle of a transaction.
#[test]
fn a_writer_waits_for_one_of_another_process_as_long_as_it_was_told() -> Result {
    const NAME: &str = "a_writer_waits_for_one_of_another_process_as_long_as_it_was_told";
    if let Some(path) = common::child_argument() {
        let mut db = common::retry(|| LsmDb::builder().multi_process(true).open(&path))?;
        let mut tx = db.transaction()?;
        tx.insert("theirs", "1")?;
        println!("begun");
        // Until it is told to go on.
        std::io::stdin().read_line(&mut String::new())?;
        tx.commit()?;
        return Ok(());
    }
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("two.lsm");
    let wait = Duration::from_millis(200);
    let open = |wait| {
        let builder = LsmDb::builder().multi_process(true);
        builder.busy_timeout(wait).open(&path)
    };
    let mut db = open(wait)?;
    db.insert("ours", "1")?;
    let mut other = common::child(NAME, &path)?
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    // It goes on writing to it, so that must stay open.
    let mut lines = BufReader::new(other.stdout.take().ok_or("no output")?).lines();
    let begun = (lines.by_ref()).any(|line| line.is_ok_and(|line| line.ends_with("begun")));
    assert!(begun, "the other process ended");

    for write in [
        |db: &mut LsmDb| db.insert("ours", "2"),
        |db: &mut LsmDb| db.transact(|tx| tx.insert("ours", "2")),
    ] {
        let start = Instant::now();
        let error = write(&mut db).unwrap_err();
        assert!(start.elapsed() >= wait, "{error}");
        assert!(error.is_busy() && error.path() == Some(&path), "{error}");
        let text = error.to_string();
        assert!(
            text.contains("two.lsm") && text.contains("busy_timeout"),
            "{text}"
        );
    }
    assert_eq!(
        db.get("ours")?,
        Some(b"1".to_vec()),
        "reading waits for nobody"
    );
    drop(db);

    // And one that has more time gets its turn.
    let mut db = open(Duration::from_secs(60))?;
    let mut input = other.stdin.take().ok_or("no input")?;
    let commit = std::thread::spawn(move || {
        std::thread::sleep(wait);
        input.write_all(b"go on\n")
    });
    db.insert("ours", "2")?;
    commit.join().map_err(|_| "a panic")??;
    assert!(other.wait()?.success());
    assert_eq!(db.iter().count(), 2);
    Ok(())
}

#[test]
fn processes_share_a_multi_process_database() -> Result {
    const NAME: &str = "processes_share_a_multi_process_database";
    if let Some(path) = common::child_argument() {
        let mut db = common::retry(|| LsmDb::builder().multi_process(true).open(&path))?;
        assert_eq!(db.get(b"a")?.as_deref(), Some(&b"1"[..]));
        common::retry(|| db.insert(b"b", b"2"))?;
        return Ok(());
    }
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("many.lsm");
    let mut db = LsmDb::builder().multi_process(true).open(&path)?;
    db.insert(b"a", b"1")?;
    let output = common::child(NAME, &path)?.output()?;
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(db.get(b"b")?.as_deref(), Some(&b"2"[..]));
    db.close()?;
    assert_eq!(files_in(dir.path())?, ["many.lsm"]);
    Ok(())
}

#[cfg(unix)]
#[test]
fn a_nul_byte_in_the_path_is_an_error() {
    use std::os::unix::ffi::OsStrExt;
    let path = Path::new(std::ffi::OsStr::from_bytes(b"a\0b.lsm"));
    let error = LsmDb::open(path).err().map(|error| error.code());
    assert_eq!(error, Some(LsmErrorCode::LsmCantOpen));
    let mut db = LsmDb::default();
    assert_eq!(
        db.initialize(DbConf::new("folder", "a\0b".into())),
        Err(LsmErrorCode::LsmError)
    );
}

#[test]
fn a_path_without_a_file_name_is_an_error() {
    for path in ["", "..", "/"] {
        assert!(LsmDb::open(path).is_err(), "{path:?}");
    }
}

/// lsm1 takes any file for an empty database and overwrites it.
#[test]
fn a_file_that_is_no_database_is_refused_and_left_alone() -> Result {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("letter.txt");
    for len in [10, 5_000, 100_000] {
        let letter = b"Dear reader, ".repeat(len)[..len].to_vec();
        fs::write(&path, &letter)?;
        for builder in [LsmDb::builder(), LsmDb::builder().read_only(true)] {
            let error = builder.open(&path).err().ok_or("opened")?;
            assert!(error.is_corrupt(), "{error}");
        }
        assert!(fs::read(&path)? == letter, "{len}");
        assert_eq!(files_in(dir.path())?, ["letter.txt"]);
    }
    Ok(())
}
