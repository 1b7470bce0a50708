//! What lsm1's own environment does to data. The crate brings another one, so these bugs have
//! no patch: the tests here show that they are there beneath, and `tests/processes` and
//! `tests/file_content.rs` that the crate doesn't have them.
#![cfg(target_os = "linux")]

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::os::unix::fs::symlink;

use crate::harness::{Config, Db, Rc};

fn directory() -> tempfile::TempDir {
    tempfile::tempdir().expect("temporary directory")
}

// Row 15. The counterpart: a_file_that_was_renamed_while_open_is_refused_under_its_new_name, and
// every link and spelling leading to one name.
#[test]
fn two_spellings_of_a_path_lose_rows() -> Rc {
    let dir = directory();
    let path = dir.path().join("db");
    let other = dir.path().join(".").join("db");
    let (one, two) = (
        Db::open(&path, &Config::default())?,
        Db::open(&other, &Config::default())?,
    );
    for i in 0..100_u8 {
        one.insert(&[1, i], b"value")?;
        two.insert(&[2, i], b"value")?;
    }
    one.close()?;
    two.close()?;
    assert!(Db::open(&path, &Config::default())?.scan()?.len() < 200);
    Ok(())
}

// Row 16. The counterpart: a_log_beside_the_given_name_is_recovered.
#[test]
fn after_a_crash_the_log_is_found_under_one_name_only() -> Rc {
    let dir = directory();
    let (real, link) = (dir.path().join("real"), dir.path().join("link"));
    let copies = dir.path().join("copies");
    fs::create_dir(&copies).expect("directory");
    fs::write(&real, b"").expect("file");
    symlink(&real, &link).expect("link");
    let db = Db::open(&link, &Config::default())?;
    db.insert(b"key", b"value")?;
    for name in ["real", "link-log"] {
        fs::copy(dir.path().join(name), copies.join(name)).expect("copy");
    }
    assert!(
        Db::open(&copies.join("real"), &Config::default())?
            .scan()?
            .is_empty()
    );
    Ok(())
}

// Row 17. The counterpart: opening_and_closing_the_file_elsewhere_in_the_process_drops_no_lock.
#[test]
fn another_open_and_close_of_the_file_drops_the_lock() -> Rc {
    let dir = directory();
    let path = dir.path().join("db");
    let _db = Db::open(&path, &Config::default())?;
    // Closing this one would drop it too, so it stays open until the end.
    let probe = File::options().read(true).write(true).open(&path);
    let probe = probe.expect("the database's file");
    assert!(is_locked(&probe));
    drop(File::open(&path).expect("the database's file"));
    assert!(!is_locked(&probe));
    Ok(())
}

/// True if somebody holds lock 2 of lsm1 on the file: the right to have it to himself.
fn is_locked(probe: &File) -> bool {
    // SAFETY: `flock` is a plain C structure, for which zeros are a valid value; the call
    // fills this live local, and the descriptor is open.
    unsafe {
        let mut lock: libc::flock = std::mem::zeroed();
        lock.l_type = libc::F_WRLCK as libc::c_short;
        lock.l_start = 4094;
        lock.l_len = 1;
        let rc = libc::fcntl(probe.as_raw_fd(), libc::F_OFD_GETLK, &mut lock);
        assert_eq!(rc, 0);
        libc::c_int::from(lock.l_type) != libc::F_UNLCK
    }
}

// Row 19. The counterparts are in tests/file_content.rs.
#[test]
fn any_file_counts_as_an_empty_database_and_is_overwritten() -> Rc {
    let dir = directory();
    let path = dir.path().join("letter.txt");
    // One that reaches into the second header page is damage since patch 309.
    let letter = b"Dear reader, ".repeat(100);
    fs::write(&path, &letter).expect("file");
    let db = Db::open(&path, &Config::default())?;
    db.insert(b"key", b"value")?;
    db.close()?;
    assert_ne!(fs::read(&path).expect("file"), letter);
    Ok(())
}

// Row 19. The counterpart: a_missing_file_is_not_created_by_a_reader.
#[test]
fn a_read_only_open_creates_the_file() -> Rc {
    let dir = directory();
    let path = dir.path().join("db");
    let config = Config {
        read_only: true,
        ..Config::default()
    };
    let _db = Db::open(&path, &config)?;
    assert!(path.exists());
    Ok(())
}
