//! What errors say, and in which words.

mod common;

use std::error::Error;

use common::{Result, connected};
use lsmlite_rs::{Disk, LsmDb, LsmError, LsmErrorCode};

/// Display names the operation, the file, what to do, and the code.
fn assert_useful(error: &LsmError, operation: &str, file: &str, advice: &str) {
    let text = error.to_string();
    assert_eq!(error.operation(), operation);
    assert!(
        text.starts_with(&format!("{operation} failed on ")),
        "{text}"
    );
    assert!(text.contains(file), "{text}");
    assert!(text.contains(advice), "{text}");
    let code = format!("[{:?}, code {}]", error.code(), error.raw_code());
    assert!(text.ends_with(&code), "{text}");
    let path = error.path().expect("a path").display().to_string();
    assert!(path.ends_with(file), "{path}");
    assert!(error.source().is_none());
}

#[test]
fn an_error_names_operation_file_and_remedy() -> Result {
    let dir = tempfile::tempdir()?;
    let missing = dir.path().join("nowhere/x.lsm");
    let error = LsmDb::open(missing).err().ok_or("opened")?;
    assert_useful(
        &error,
        "open",
        "nowhere/x.lsm",
        "check path, permissions and disk",
    );

    let path = dir.path().join("x.lsm");
    let error = LsmDb::builder().create(false).open(&path).err();
    let error = error.ok_or("opened")?;
    assert_useful(&error, "open", "x.lsm", "there is no such file");

    let mut db = LsmDb::open(&path)?;
    let error = db.insert(b"k", vec![0; 1 << 30]).expect_err("too long");
    assert_useful(&error, "insert", "x.lsm", "the limit is");
    db.begin_transaction()?;
    let error = db.flush().expect_err("in a transaction");
    assert_useful(&error, "flush", "x.lsm", "a transaction is open");
    drop(db);

    let mut db = LsmDb::builder().read_only(true).open(&path)?;
    let error = db.insert(b"k", b"v").expect_err("read-only");
    assert_useful(&error, "insert", "x.lsm", "open the database for writing");
    let error = db.remove(b"k").expect_err("read-only");
    assert_useful(&error, "remove", "x.lsm", "open the database for writing");
    drop(db);

    let error = LsmDb::builder().page_size_bytes(1000).open(&path).err();
    let error = error.ok_or("opened")?;
    assert_useful(&error, "open", "x.lsm", "page_size_bytes = 1000");
    Ok(())
}

#[test]
fn an_unconnected_handle_says_what_to_call() {
    let error = LsmDb::default().insert(b"k", b"v").expect_err("refused");
    assert_eq!(error.code(), LsmErrorCode::LsmMisuse);
    assert!(error.to_string().contains("call connect first"), "{error}");
    assert_eq!(error.path(), None);
}

#[test]
fn an_error_becomes_its_code() -> Result {
    let dir = tempfile::tempdir()?;
    let error = LsmDb::open(dir.path().join("no/x.lsm")).err();
    let error = error.ok_or("opened")?;
    assert!(!error.is_busy());
    assert!(!error.is_corrupt());
    let copy = error.clone();
    assert_eq!(copy.to_string(), error.to_string());
    assert_eq!(LsmErrorCode::from(error), LsmErrorCode::LsmIOErr);
    Ok(())
}

/// `?` and `Box<dyn Error>` must work with both.
#[test]
fn both_error_types_are_errors() -> Result {
    fn is_error<T: Error + Send + Sync + 'static>(_: &T) {}
    let dir = tempfile::tempdir()?;
    let code = connected(&dir.path().join("no"), "x")
        .err()
        .ok_or("opened")?;
    is_error(&code);
    assert_eq!(code.to_string(), "LsmIOErr");
    let error = LsmDb::open(dir.path().join("no/x.lsm"))
        .err()
        .ok_or("opened")?;
    is_error(&error);
    Ok(())
}

/// Only compressed pages can be seen to be damaged: plain ones carry no checksum.
#[cfg(feature = "zstd")]
#[test]
fn damage_is_an_error_that_advises_a_backup() -> Result {
    use lsmlite_rs::compression::Compression;
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("broken.lsm");
    let mut db = LsmDb::builder()
        .compression(Compression::ZSTD)
        .open(&path)?;
    for i in 0..5000_u32 {
        db.insert(i.to_be_bytes(), [1; 100])?;
    }
    db.close()?;
    // Wipe the pages behind the two checkpoints.
    let mut bytes = std::fs::read(&path)?;
    bytes[8192..].fill(0);
    std::fs::write(&path, bytes)?;
    let db = LsmDb::open(&path)?;
    let error = db.get(7_u32.to_be_bytes()).err();
    let error = error.ok_or("zeros were read as records")?;
    assert!(error.is_corrupt(), "{error}");
    assert_useful(
        &error,
        error.operation(),
        "broken.lsm",
        "restore it from a backup",
    );
    Ok(())
}

/// A log that can't be removed is no harm, and nothing that a later error should speak of.
#[test]
#[cfg(unix)]
fn what_failed_without_harm_is_not_part_of_the_next_error() -> Result {
    use lsmlite_rs::env::{Call, Failure, FaultEnv};

    let env = FaultEnv::new(1);
    let open = |path: &str| LsmDb::builder().env(&env).open(path);
    let (mut one, mut two) = (open("/a.lsm")?, open("/a.lsm")?);
    let mut other = open("/b.lsm")?;
    other.insert(b"k", b"v")?;
    one.begin_transaction()?;
    for explicit in [true, false] {
        env.fail_at(Call::Remove, 1, Failure::Io);
        match explicit {
            true => other.close()?,
            false => drop(other),
        }
        let busy = two.insert(b"k", b"v").err().ok_or("two writers")?;
        assert!(busy.is_busy(), "{busy}");
        assert!(!busy.to_string().contains("b.lsm"), "{busy}");
        other = open("/b.lsm")?;
        other.insert(b"k", b"v")?;
    }
    Ok(())
}

/// Advice to check permissions, or talk of a wrong state, helps nobody who chose a wrong name.
#[test]
fn advice_fits_what_is_wrong() -> Result {
    let dir = tempfile::tempdir()?;
    let path = |name: &str| dir.path().join(name);
    let mut db = LsmDb::open(path("db.lsm"))?;
    db.table("one")?.insert("k", "v")?;
    db.table("two")?.insert("k", "v")?;
    db.backup(path("copy.lsm"))?;
    std::fs::write(path("file"), "something")?;
    std::fs::write(path("other.lsm-log"), "something")?;
    std::fs::copy(path("copy.lsm"), path("used.lsm"))?;
    std::fs::write(path("used.lsm-log"), "something")?;
    let limited = || LsmDb::builder().memory_limit_kib(100);
    let overwrite = || lsmlite_rs::Restore::new().overwrite(true);
    let cases = [
        (db.rename_table("none", "new").err(), "`tables` lists"),
        (db.rename_table("one", "two").err(), "choose another name"),
        (db.rename_table("one", "").err(), "needs a name"),
        (db.backup(path("file")).err(), "choose another path"),
        (db.backup(path("other.lsm")).err(), "move it away"),
        (db.backup(dir.path()).err(), "name the file"),
        (
            overwrite().run(path("copy.lsm"), dir.path()).err(),
            "name the file",
        ),
        (
            overwrite().run(path("used.lsm"), path("new.lsm")).err(),
            "open it as a database",
        ),
        (
            lsmlite_rs::restore(path("copy.lsm"), path("file")).err(),
            "overwrite(true)",
        ),
        (
            lsmlite_rs::salvage(path("copy.lsm"), path("file")).err(),
            "where there is nothing",
        ),
        (limited().open(path("new.lsm")).err(), "3072 at least"),
    ];
    for (error, advice) in cases {
        let error = error.ok_or(advice)?;
        let text = error.to_string();
        assert!(text.contains(advice), "{text}");
        assert!(!text.contains("present state"), "{text}");
        assert!(!text.contains("permissions"), "{text}");
    }
    Ok(())
}
