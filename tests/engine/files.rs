//! Parameters, lengths, and lsm1's own file layer.

use std::process::Command;

use crate::ffi;
use crate::harness::{Code, Config, Db, MISUSE, Rc, Seek};

// 64 KiB pages in 64 KiB blocks crashed, 32 KiB pages destroyed data; both were accepted.
#[test]
fn a_block_must_hold_eight_pages() -> Rc {
    let db = Db::unopened(&Config {
        block_kib: 64,
        ..Config::default()
    })?;
    assert_eq!(db.set(ffi::LSM_CONFIG_PAGE_SIZE, 8192)?, 8192);
    assert_eq!(db.set(ffi::LSM_CONFIG_PAGE_SIZE, 16384)?, 8192);
    assert_eq!(db.set(ffi::LSM_CONFIG_BLOCK_SIZE, 128)?, 128);
    assert_eq!(db.set(ffi::LSM_CONFIG_PAGE_SIZE, 16384)?, 16384);
    assert_eq!(db.set(ffi::LSM_CONFIG_BLOCK_SIZE, 64)?, 128);
    Ok(())
}

// A negative key length copied memory without bound, a negative value length deleted.
#[test]
fn bad_lengths_are_refused() -> Rc {
    let dir = tempfile::tempdir().expect("temporary directory");
    let db = Db::open(&dir.path().join("db"), &Config::default())?;
    db.insert(b"key", b"value")?;
    assert_eq!(db.insert_lengths(b"key", 3, b"value", -1), Err(MISUSE));
    assert_eq!(db.insert_lengths(b"key", -1, b"value", 5), Err(MISUSE));
    assert_eq!(db.delete_length(b"key", -1), Err(MISUSE));
    assert_eq!(db.cursor()?.seek_length(b"key", -1, Seek::Ge), Err(MISUSE));
    assert_eq!(db.scan()?, [(b"key".to_vec(), b"value".to_vec())]);
    Ok(())
}

// A program started by the process held the database's files open.
#[cfg(target_os = "linux")]
#[test]
fn a_started_program_inherits_no_descriptor() -> Rc {
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("inherited");
    let db = Db::open(
        &path,
        &Config {
            multi_process: true,
            ..Config::default()
        },
    )?;
    db.insert(b"key", b"value")?;
    let list = Command::new("ls")
        .args(["-l", "/proc/self/fd"])
        .output()
        .expect("ls");
    let list = String::from_utf8_lossy(&list.stdout);
    assert!(list.contains(" -> "), "{list}");
    assert!(
        !list.contains(dir.path().to_str().expect("UTF-8 path")),
        "{list}"
    );
    Ok(())
}

// A write that the system cut short counted as done. The commit was acknowledged, and lost
// with all that came behind it, because recovery stops at a torn record. A limit to the
// file's size cuts a write short as a full disk does; it holds for a whole process, so the
// test starts itself once more under it.
#[cfg(unix)]
#[test]
fn no_acknowledged_commit_is_lost_when_the_disk_is_full() -> Rc {
    const VARIABLE: &str = "LSMLITE_TEST_FULL_DISK";
    const NAME: &str = "files::no_acknowledged_commit_is_lost_when_the_disk_is_full";
    let config = Config {
        safety: 0,
        ..Config::default()
    };
    if let Some(path) = std::env::var_os(VARIABLE) {
        let db = Db::open(path.as_ref(), &config)?;
        for i in 0..2000 {
            if db
                .insert(format!("{i:05}").as_bytes(), &[b'v'; 333])
                .is_err()
            {
                println!("\nacknowledged={i}");
                std::process::exit(0); // without closing: the disk is still full
            }
        }
        panic!("the limit was not reached");
    }

    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("db");
    let run = Command::new("sh")
        .args([
            "-c",
            "trap '' XFSZ; ulimit -f 201; exec \"$0\" --exact --nocapture \"$1\"",
        ])
        .arg(std::env::current_exe().expect("own name"))
        .arg(NAME)
        .env(VARIABLE, &path)
        .output()
        .expect("sh");
    let output = String::from_utf8_lossy(&run.stdout);
    let acknowledged: usize = output
        .lines()
        .find_map(|line| line.strip_prefix("acknowledged="))
        .and_then(|n| n.parse().ok())
        .unwrap_or_else(|| panic!("{run:?}"));
    assert!(acknowledged > 0);
    let rows = Db::open(&path, &config)?.scan()?;
    assert!(
        rows.len() >= acknowledged,
        "{} of {acknowledged}",
        rows.len()
    );
    Ok::<(), Code>(())
}

// What was in the heap before ended up in the file.
#[test]
fn a_file_holds_nothing_that_was_not_written() -> Rc {
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("db");
    let config = Config {
        faults: true,
        ..Config::default()
    };
    let db = Db::open(&path, &config)?;
    for i in 0..200_u32 {
        db.insert(&i.to_be_bytes(), &[7; 300])?;
    }
    db.flush()?;
    db.close()?;
    let file = std::fs::read(&path).expect("file");
    let unwritten = file.windows(16).position(|bytes| bytes == [0x5a; 16]);
    assert_eq!(unwritten, None, "memory of the heap, at this byte");
    Ok(())
}
