//! After a crash the log may lie beside another name of the database: lsm1 puts it beside the
//! name that the file was opened with, and finds it there only.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use crate::common::Result;
use crate::peer::{Peer, keys, open};
use lsmlite_rs::{LsmDb, LsmErrorCode};

struct Scene {
    _dir: tempfile::TempDir,
    real: PathBuf,
    link: PathBuf,
}

impl Scene {
    /// A database whose log holds the key "two" and lies beside a link to it.
    fn new() -> Result<Scene> {
        let dir = tempfile::tempdir()?;
        fs::create_dir(dir.path().join("elsewhere"))?;
        let real = dir.path().join("a.lsm");
        let link = dir.path().join("elsewhere/link.lsm");
        LsmDb::open(&real)?.insert(b"one", b"1")?;
        let mut peer = Peer::start(&real)?;
        assert_eq!(peer.ask("open write")?, "ok");
        assert_eq!(peer.ask("insert two")?, "ok");
        peer.kill()?;
        symlink(&real, &link)?;
        let scene = Scene {
            _dir: dir,
            real,
            link,
        };
        fs::rename(scene.log(), scene.stray())?;
        Ok(scene)
    }

    fn log(&self) -> PathBuf {
        PathBuf::from(format!("{}-log", self.real.display()))
    }

    fn stray(&self) -> PathBuf {
        PathBuf::from(format!("{}-log", self.link.display()))
    }
}

#[test]
fn a_log_beside_the_given_name_is_recovered() -> Result {
    let scene = Scene::new()?;
    let db = LsmDb::open(&scene.link)?;
    assert_eq!(keys(&db)?, "one two");
    assert!(!scene.stray().exists());
    db.close()?;
    assert_eq!(keys(&LsmDb::open(&scene.real)?)?, "one two");
    Ok(())
}

#[test]
fn two_different_logs_are_an_error_and_both_stay() -> Result {
    let scene = Scene::new()?;
    fs::write(scene.log(), b"something else")?;
    let error = LsmDb::open(&scene.link).err().ok_or("opened")?;
    assert_eq!(error.code(), LsmErrorCode::LsmCantOpen);
    assert!(error.to_string().contains("two logs"), "{error}");
    assert_eq!(fs::read(scene.log())?, b"something else");
    assert!(scene.stray().exists());
    Ok(())
}

/// What was committed in between would be undone by what is older.
#[test]
fn a_log_that_is_older_than_the_database_is_an_error() -> Result {
    let scene = Scene::new()?;
    std::thread::sleep(std::time::Duration::from_millis(50));
    let mut db = LsmDb::open(&scene.real)?;
    assert_eq!(keys(&db)?, "one");
    db.insert(b"two", b"newer")?;
    db.close()?;
    let error = LsmDb::open(&scene.link).err().ok_or("opened")?;
    assert!(
        error.to_string().contains("older than the database"),
        "{error}"
    );
    assert!(scene.stray().exists());
    fs::remove_file(scene.stray())?;
    let db = LsmDb::open(&scene.link)?;
    assert_eq!(db.get(b"two")?.as_deref(), Some(&b"newer"[..]));
    Ok(())
}

/// An attempt that was cut off after it had copied the log can be repeated.
#[test]
fn two_logs_that_are_the_same_count_as_one() -> Result {
    let scene = Scene::new()?;
    fs::copy(scene.stray(), scene.log())?;
    assert_eq!(keys(&LsmDb::open(&scene.link)?)?, "one two");
    assert!(!scene.stray().exists());
    Ok(())
}

#[test]
fn a_reader_does_not_move_a_log() -> Result {
    let scene = Scene::new()?;
    let error = open(&scene.link, "read").err().ok_or("opened")?;
    assert!(error.to_string().contains("link.lsm-log"), "{error}");
    assert!(scene.stray().exists());
    Ok(())
}

#[test]
fn a_log_that_a_process_is_writing_is_not_taken_away() -> Result {
    let scene = Scene::new()?;
    let mut peer = Peer::start(&scene.real)?;
    assert_eq!(peer.ask("open shared")?, "ok");
    fs::remove_file(scene.log())?;
    let error = open(&scene.link, "shared").err().ok_or("opened")?;
    assert!(error.is_busy(), "{error}");
    assert!(scene.stray().exists());
    Ok(())
}
