//! What is overwritten, and what never.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use lsmlite_rs::{
    Backup, BackupReport, BackupStep, LsmDb, LsmError, LsmErrorCode, Restore, restore,
};

use crate::common::{Result, assert_same, child, child_argument, contents, files_in};
use crate::generations::{generation_of, source, state, write_generation};

pub fn code(result: std::result::Result<BackupReport, LsmError>) -> LsmErrorCode {
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
    const NAME: &str = "targets::a_database_that_another_process_has_open_is_not_overwritten";
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
