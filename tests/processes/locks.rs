//! Locks that hold whatever else the process does.

use std::fs::File;
use std::process::{Command, Stdio};

use crate::common::Result;
use crate::peer::{Peer, keys};
use lsmlite_rs::LsmDb;

/// The usual locks of POSIX end when the process closes any descriptor of the file: a copy
/// tool, or a second library, let a second process in.
#[test]
fn opening_and_closing_the_file_elsewhere_in_the_process_drops_no_lock() -> Result {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("a.lsm");
    let mut db = LsmDb::open(&path)?;
    db.insert(b"one", b"1")?;
    drop(File::open(&path)?);
    let mut peer = Peer::start(&path)?;
    let busy = peer.ask("open write")?;
    assert!(busy.contains("busy") || busy.contains("holds"), "{busy}");
    db.insert(b"two", b"2")?;
    db.close()?;
    assert_eq!(peer.ask("open write")?, "ok");
    assert_eq!(peer.ask("keys")?, "[one two]");
    Ok(())
}

#[test]
fn a_busy_error_names_the_process_that_holds_the_file() -> Result {
    for kind in ["write", "shared"] {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("a.lsm");
        let mut peer = Peer::start(&path)?;
        assert_eq!(peer.ask(&format!("open {kind}"))?, "ok");
        let error = LsmDb::open(&path).err().ok_or("let in")?;
        assert!(error.is_busy(), "{error}");
        let it = format!("process {} holds the file", peer.pid());
        assert!(error.to_string().contains(&it), "{error}");
    }
    Ok(())
}

#[test]
fn a_program_that_is_started_meanwhile_inherits_no_lock() -> Result {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("a.lsm");
    let db = LsmDb::open(&path)?;
    let mut sleeper = Command::new("sleep")
        .arg("60")
        .stdin(Stdio::null())
        .spawn()?;
    db.close()?;
    let mut peer = Peer::start(&path)?;
    let answer = peer.ask("open write");
    sleeper.kill()?;
    sleeper.wait()?;
    assert_eq!(answer?, "ok");
    Ok(())
}

#[test]
fn a_database_that_would_be_the_log_of_another_is_refused() -> Result {
    let dir = tempfile::tempdir()?;
    let (path, log) = (dir.path().join("a"), dir.path().join("a-log"));
    let mut db = LsmDb::open(&path)?;
    let error = LsmDb::open(&log).err().ok_or("opened")?;
    assert!(
        error.to_string().contains("the log of the other"),
        "{error}"
    );
    db.insert(b"one", b"1")?;
    db.close()?;
    // Alone it is a name like any other.
    let other = LsmDb::open(&log)?;
    assert!(LsmDb::open(&path).is_err());
    drop(other);
    assert_eq!(keys(&LsmDb::open(&path)?)?, "one");
    Ok(())
}
