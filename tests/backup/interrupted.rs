//! Backups that are cancelled, killed or find the disk full.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use lsmlite_rs::config::BackgroundMode;
use lsmlite_rs::{Backup, BackupStep, LsmErrorCode, restore};

use crate::common::{Result, child, child_argument, files_in};
use crate::generations::{generation_of, small, source, write_generation};
use crate::targets::code;

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

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_leaves_nothing_behind_and_the_old_copy_as_it_was() -> Result {
    const NAME: &str = "interrupted::a_full_disk_leaves_nothing_behind_and_the_old_copy_as_it_was";
    let (_dir, db) = source()?;
    crate::common::disk::SmallDisk::with(NAME, 2 << 10, |disk| {
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
    const NAME: &str =
        "interrupted::a_killed_backup_leaves_the_old_copy_and_the_next_one_clears_up";
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
    const NAME: &str =
        "interrupted::a_handle_that_only_reads_since_its_disk_is_full_is_backed_up_elsewhere";
    crate::common::disk::SmallDisk::with(NAME, 2 << 10, |disk| {
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
