//! Read-only handles: what they need, what they leave alone, whom they meet.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::common::{Result, files_in};
use crate::peer::{Peer, keys, open};
use lsmlite_rs::LsmDb;

struct Shelf {
    dir: tempfile::TempDir,
    path: PathBuf,
}

impl Shelf {
    /// A directory that everybody can look into, with a database of two records.
    fn new() -> Result<Shelf> {
        let dir = tempfile::tempdir()?;
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755))?;
        fs::create_dir(dir.path().join("shelf"))?;
        let path = dir.path().join("shelf/a.lsm");
        let mut db = LsmDb::open(&path)?;
        db.insert(b"one", b"1")?;
        db.insert(b"two", b"2")?;
        db.close()?;
        Ok(Shelf { dir, path })
    }

    fn set_mode(&self, file: u32, directory: u32) -> Result {
        let shelf = self.path.parent().ok_or("no parent")?;
        for name in files_in(shelf)? {
            fs::set_permissions(shelf.join(name), fs::Permissions::from_mode(file))?;
        }
        fs::set_permissions(shelf, fs::Permissions::from_mode(directory))?;
        Ok(())
    }

    fn files(&self) -> Result<Vec<(String, Vec<u8>)>> {
        let shelf = self.path.parent().ok_or("no parent")?;
        files_in(shelf)?
            .into_iter()
            .map(|name| Ok((name.clone(), fs::read(shelf.join(name))?)))
            .collect()
    }
}

#[test]
fn a_file_of_mode_0444_in_a_directory_of_mode_0555_is_read_by_many_processes_at_once() -> Result {
    let shelf = Shelf::new()?;
    shelf.set_mode(0o444, 0o555)?;
    let before = shelf.files()?;
    let mut peers = Vec::new();
    for _ in 0..12 {
        peers.push(Peer::start_as_nobody(&shelf.path, shelf.dir.path())?);
    }
    for peer in &mut peers {
        assert_eq!(peer.ask("open read")?, "ok");
    }
    for peer in &mut peers {
        assert_eq!(peer.ask("keys")?, "[one two]");
        assert_eq!(peer.ask("hold")?, "ok");
    }
    assert_eq!(shelf.files()?, before);
    for peer in &mut peers {
        assert_eq!(peer.ask("release")?, "ok");
        let refused = peer.ask("insert three")?;
        assert!(refused.contains("read-only"), "{refused}");
        assert_eq!(peer.ask("close")?, "ok");
    }
    assert_eq!(shelf.files()?, before);
    shelf.set_mode(0o644, 0o755)
}

#[test]
fn a_missing_file_is_not_created_by_a_reader() -> Result {
    let shelf = Shelf::new()?;
    let missing = shelf.path.with_file_name("b.lsm");
    let error = open(&missing, "read").err().ok_or("opened")?;
    assert!(error.to_string().contains("no such file"), "{error}");
    assert_eq!(shelf.files()?.len(), 1);
    Ok(())
}

#[test]
fn the_log_of_a_killed_writer_is_read_and_left_as_it_is() -> Result {
    for kind in ["write", "shared"] {
        let shelf = Shelf::new()?;
        let mut writer = Peer::start(&shelf.path)?;
        assert_eq!(writer.ask(&format!("open {kind}"))?, "ok");
        assert_eq!(writer.ask("insert three")?, "ok");
        writer.kill()?;
        shelf.set_mode(0o444, 0o555)?;
        let before = shelf.files()?;
        assert!(before.len() > 1, "no log");
        let mut reader = Peer::start_as_nobody(&shelf.path, shelf.dir.path())?;
        assert_eq!(reader.ask("open read")?, "ok", "{kind}");
        assert_eq!(reader.ask("keys")?, "[one three two]", "{kind}");
        assert_eq!(reader.ask("close")?, "ok");
        assert_eq!(shelf.files()?, before, "{kind}");
        shelf.set_mode(0o644, 0o755)?;
    }
    Ok(())
}

#[test]
fn a_process_that_has_the_file_to_itself_keeps_readers_out_and_is_named() -> Result {
    let shelf = Shelf::new()?;
    let writer = LsmDb::open(&shelf.path)?;
    let mut reader = Peer::start(&shelf.path)?;
    let busy = reader.ask("open read")?;
    let us = format!("process {} holds", std::process::id());
    assert!(busy.contains(&us), "{busy}");
    writer.close()?;
    assert_eq!(reader.ask("open read")?, "ok");
    Ok(())
}

/// Also while it isn't reading at that moment.
#[test]
fn an_open_reader_keeps_out_who_wants_the_file_to_itself_and_is_named() -> Result {
    let shelf = Shelf::new()?;
    let mut reader = Peer::start(&shelf.path)?;
    assert_eq!(reader.ask("open read")?, "ok");
    let busy = LsmDb::open(&shelf.path).err().ok_or("let in")?;
    assert!(busy.is_busy(), "{busy}");
    let it = format!("process {} holds", reader.pid());
    assert!(busy.to_string().contains(&it), "{busy}");
    assert_eq!(reader.ask("close")?, "ok");
    LsmDb::open(&shelf.path)?.insert(b"three", b"3")?;
    Ok(())
}

/// The first one to open the file isn't the one that shows them all.
#[test]
fn a_reader_keeps_out_who_wants_the_file_to_itself_until_the_last_one_is_closed() -> Result {
    for first in ["read", "shared"] {
        let shelf = Shelf::new()?;
        let first = open(&shelf.path, first)?;
        let second = open(&shelf.path, "read")?;
        let third = open(&shelf.path, "read")?;
        first.close()?;
        drop(second);
        let mut writer = Peer::start(&shelf.path)?;
        let busy = writer.ask("open write")?;
        assert!(busy.contains("holds"), "{busy}");
        assert_eq!(keys(&third)?, "one two");
        drop(third);
        assert_eq!(writer.ask("open write")?, "ok");
    }
    Ok(())
}

#[test]
fn a_file_that_may_only_be_read_can_be_mapped() -> Result {
    let shelf = Shelf::new()?;
    shelf.set_mode(0o444, 0o555)?;
    let before = shelf.files()?;
    let mut reader = Peer::start_as_nobody(&shelf.path, shelf.dir.path())?;
    assert_eq!(reader.ask("open mapped")?, "ok");
    assert_eq!(reader.ask("keys")?, "[one two]");
    assert_eq!(reader.ask("close")?, "ok");
    assert_eq!(shelf.files()?, before);
    shelf.set_mode(0o644, 0o755)
}

#[test]
fn beside_sharing_writers_a_reader_sees_each_commit() -> Result {
    let shelf = Shelf::new()?;
    let mut writer = Peer::start(&shelf.path)?;
    let mut reader = Peer::start(&shelf.path)?;
    assert_eq!(reader.ask("open read")?, "ok");
    assert_eq!(reader.ask("keys")?, "[one two]");
    assert_eq!(writer.ask("open shared")?, "ok");
    assert_eq!(writer.ask("insert three")?, "ok");
    assert_eq!(reader.ask("keys")?, "[one three two]");
    assert_eq!(writer.ask("insert four")?, "ok");
    assert_eq!(reader.ask("keys")?, "[four one three two]");
    assert_eq!(writer.ask("close")?, "ok");
    assert_eq!(reader.ask("keys")?, "[four one three two]");
    Ok(())
}

#[test]
fn beside_sharing_writers_a_reader_without_the_right_to_write_is_told_so() -> Result {
    let shelf = Shelf::new()?;
    let mut writer = Peer::start(&shelf.path)?;
    assert_eq!(writer.ask("open shared")?, "ok");
    assert_eq!(writer.ask("insert three")?, "ok");
    shelf.set_mode(0o444, 0o555)?;
    let mut reader = Peer::start_as_nobody(&shelf.path, shelf.dir.path())?;
    let opened = reader.ask("open read")?;
    let refused = if opened == "ok" {
        reader.ask("keys")?
    } else {
        opened
    };
    assert!(
        refused.contains("Permission denied") && refused.contains("shared memory"),
        "{refused}"
    );
    shelf.set_mode(0o644, 0o755)
}

#[test]
fn in_one_process_a_reader_joins_the_writer_in_either_order() -> Result {
    for reader_first in [false, true] {
        for kind in ["write", "shared"] {
            let shelf = Shelf::new()?;
            let (mut writer, reader) = if reader_first {
                let reader = open(&shelf.path, "read")?;
                assert_eq!(keys(&reader)?, "one two");
                (open(&shelf.path, kind)?, reader)
            } else {
                let writer = open(&shelf.path, kind)?;
                (writer, open(&shelf.path, "read")?)
            };
            writer.insert(b"three", b"3")?;
            assert_eq!(keys(&reader)?, "one three two");
            let mut records = reader.iter();
            records.next().ok_or("empty")??;
            writer.insert(b"four", b"4")?;
            assert_eq!(records.count(), 2, "the snapshot changed");
            assert_eq!(keys(&reader)?, "four one three two");
            writer.close()?;
            assert_eq!(keys(&reader)?, "four one three two");
            drop(reader);
            assert_eq!(keys(&LsmDb::open(&shelf.path)?)?, "four one three two");
        }
    }
    Ok(())
}

#[test]
fn a_file_system_that_is_mounted_read_only_can_be_read() -> Result {
    let shelf = Shelf::new()?;
    let mount = shelf.dir.path().join("mount");
    fs::create_dir(&mount)?;
    let Some(_mounted) = Mounted::new(shelf.path.parent().ok_or("no parent")?, &mount) else {
        eprintln!("not shown: this user can't mount");
        return Ok(());
    };
    let path = mount.join("a.lsm");
    let refused = LsmDb::open(&path).err().ok_or("opened for writing")?;
    assert!(refused.to_string().contains("Read-only"), "{refused}");
    assert_eq!(keys(&open(&path, "read")?)?, "one two");
    Ok(())
}

struct Mounted(PathBuf);

impl Mounted {
    fn new(what: &Path, at: &Path) -> Option<Mounted> {
        let mount = |arguments: &[&str]| {
            let status = std::process::Command::new("mount")
                .args(arguments)
                .arg(at)
                .status();
            status.is_ok_and(|status| status.success())
        };
        if !mount(&["--bind", what.to_str()?]) {
            return None;
        }
        let mounted = Mounted(at.to_owned());
        mount(&["-o", "remount,bind,ro"]).then_some(mounted)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(&self.0).status();
    }
}
