//! A forked process has a copy of every handle. It must not use it, nor close it in a way that
//! the parent would notice.
#![allow(unsafe_code)]

use std::process::Stdio;

use crate::common::{Result, alone, child, child_argument, retry};
use crate::peer::{Peer, keys};
use lsmlite_rs::config::Mmap;
use lsmlite_rs::{LsmDb, LsmErrorCode};

/// Runs `work` in a forked process, which ends without running anything else; its answer.
fn in_child(work: impl FnOnce() -> bool) -> Result<bool> {
    // SAFETY: the test runs in a process of its own with one other thread at most, which
    // waits; so no lock is held that the child may need.
    match unsafe { libc::fork() } {
        -1 => Err(std::io::Error::last_os_error().into()),
        0 => {
            let good = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
            // SAFETY: ends the process.
            unsafe { libc::_exit(if matches!(good, Ok(true)) { 0 } else { 1 }) }
        }
        pid => {
            let mut status = 0;
            // SAFETY: waits for the child that was just made.
            unsafe { libc::waitpid(pid, &mut status, 0) };
            Ok(status == 0)
        }
    }
}

/// Its closing deleted the log of the parent, and with it what a crash would have needed.
#[test]
fn a_forked_process_can_neither_use_nor_close_the_handle() -> Result {
    if !alone("fork::a_forked_process_can_neither_use_nor_close_the_handle")? {
        return Ok(());
    }
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("a.lsm");
    let log = dir.path().join("a.lsm-log");
    let mut db = LsmDb::open(&path)?;
    db.insert(b"one", b"1")?;
    let mut slot = Some(db);
    assert!(in_child(|| {
        let Some(mut db) = slot.take() else {
            return false;
        };
        let refused = |result: std::result::Result<(), lsmlite_rs::LsmError>| {
            result.is_err_and(|error| {
                error.code() == LsmErrorCode::LsmMisuse && error.to_string().contains("forked")
            })
        };
        let all = refused(db.insert(b"two", b"2"))
            && refused(db.get(b"one").map(drop))
            && refused(db.remove(b"one"))
            && refused(db.compact())
            && LsmDb::open(&path).is_err_and(|error| error.to_string().contains("forked"));
        drop(db);
        all
    })?);
    assert!(log.exists());
    let mut db = slot.take().ok_or("gone")?;
    db.insert(b"three", b"3")?;
    assert_eq!(keys(&db)?, "one three");
    db.close()?;
    assert_eq!(keys(&LsmDb::open(&path)?)?, "one three");
    Ok(())
}

/// The child went on with the run that the parent was writing, into the same pages.
#[test]
fn a_source_that_forks_leaves_the_run_to_the_parent() -> Result {
    if !alone("fork::a_source_that_forks_leaves_the_run_to_the_parent")? {
        return Ok(());
    }
    for mmap in [Mmap::Off, Mmap::All] {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("a.lsm");
        let mut db = LsmDb::builder().mmap(mmap).open(&path)?;
        db.insert(b"one", b"1")?;
        let us = std::process::id();
        let mut child = None;
        let records = (0..20_000_u32).inspect(|i| {
            if *i == 10_000 {
                // SAFETY: as in `in_child`; the child ends below.
                child = Some(unsafe { libc::fork() });
            }
        });
        let result =
            db.ingest(records.map(|i| (i.to_be_bytes(), std::process::id().to_le_bytes())));
        if std::process::id() != us {
            let is_refused = result.is_err_and(|error| error.to_string().contains("forked"));
            // SAFETY: ends the process.
            unsafe { libc::_exit(if is_refused { 0 } else { 1 }) }
        }
        assert_eq!(result?, 20_000);
        let (pid, mut status) = (child.ok_or("didn't fork")?, 0);
        // SAFETY: waits for the child that was made above.
        unsafe { libc::waitpid(pid, &mut status, 0) };
        assert_eq!(status, 0, "the child wasn't refused");
        assert!(db.verify()?.is_clean());
        db.close()?;
        let db = LsmDb::open(&path)?;
        assert_eq!(db.iter().count(), 20_001);
        assert_eq!(
            db.get(19_999_u32.to_be_bytes())?,
            Some(us.to_le_bytes().to_vec())
        );
    }
    Ok(())
}

#[test]
fn closing_ends_the_lock_also_when_a_forked_process_lives_on() -> Result {
    if !alone("fork::closing_ends_the_lock_also_when_a_forked_process_lives_on")? {
        return Ok(());
    }
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("a.lsm");
    let mut peer = Peer::start(&path)?;
    let db = LsmDb::open(&path)?;
    let mut ends = [0; 2];
    // SAFETY: fills two live numbers.
    assert_eq!(unsafe { libc::pipe(ends.as_mut_ptr()) }, 0);
    // SAFETY: as in `in_child`; the child only waits for the pipe to end.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let mut byte = 0_u8;
        // SAFETY: closes its copy of the writing end, reads one byte into a live local, ends.
        unsafe {
            libc::close(ends[1]);
            libc::read(ends[0], std::ptr::from_mut(&mut byte).cast(), 1);
            libc::_exit(0);
        }
    }
    let held = peer.ask("open write")?;
    db.close()?;
    let free = peer.ask("open write")?;
    let mut status = 0;
    // SAFETY: ends the child's waiting, and waits for it to end.
    unsafe {
        libc::close(ends[1]);
        libc::waitpid(child, &mut status, 0);
        libc::close(ends[0]);
    }
    let us = format!("process {} holds", std::process::id());
    assert!(
        held.contains(&us) || held.contains(&format!("process {child} holds")),
        "{held}"
    );
    assert_eq!(free, "ok");
    Ok(())
}

/// The surprise: the lock belongs to the open file, which the forked process shares. If its
/// parent dies without closing, the file stays locked until the forked process ends too.
#[test]
fn a_forked_process_that_execs_nothing_keeps_the_lock_of_a_parent_that_died() -> Result {
    if let Some(path) = child_argument() {
        let _db = LsmDb::open(std::path::Path::new(&path))?;
        // SAFETY: the forked process only waits for its input to end; its parent ends at once,
        // as if killed.
        unsafe {
            if libc::fork() == 0 {
                let mut byte = 0_u8;
                while libc::read(0, std::ptr::from_mut(&mut byte).cast(), 1) > 0 {}
            }
            libc::_exit(0);
        }
    }
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("a.lsm");
    LsmDb::open(&path)?.insert(b"one", b"1")?;
    let test = "fork::a_forked_process_that_execs_nothing_keeps_the_lock_of_a_parent_that_died";
    let mut parent = child(test, &path)?.stdin(Stdio::piped()).spawn()?;
    let input = parent.stdin.take();
    assert!(parent.wait()?.success());
    let error = LsmDb::open(&path).err().ok_or("let in")?;
    assert!(
        error.is_busy() && error.to_string().contains("holds the file"),
        "{error}"
    );
    drop(input);
    let db = retry(|| LsmDb::open(&path))?;
    assert_eq!(keys(&db)?, "one");
    Ok(())
}
