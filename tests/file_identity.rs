//! One file is one database, whatever it is called and whoever opens it.
#![cfg(unix)]

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use common::{Result, child, child_argument};
use lsmlite_rs::{LsmDb, LsmErrorCode};

/// The new file got the memory of the old one, and the engine read behind its end.
#[test]
fn a_file_that_was_replaced_while_open_is_refused() -> Result {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("a.lsm");
    let mut old = LsmDb::open(&path)?;
    old.insert(b"key", b"value")?;
    fs::remove_file(&path)?;
    let error = LsmDb::open(&path).err().ok_or("opened")?;
    assert_eq!(error.code(), LsmErrorCode::LsmCantOpen);
    assert!(error.to_string().contains("removed or replaced"), "{error}");
    fs::write(&path, b"")?;
    assert!(LsmDb::open(&path).is_err());
    assert_eq!(old.get(b"key")?, Some(b"value".to_vec()));
    drop(old);
    // The log of the old file was removed with it; the new one begins empty.
    fs::remove_file(&path).ok();
    assert_eq!(LsmDb::open(&path)?.iter().count(), 0);
    Ok(())
}

#[test]
fn a_file_that_was_renamed_while_open_is_refused_under_its_new_name() -> Result {
    let dir = tempfile::tempdir()?;
    let (path, new) = (dir.path().join("a.lsm"), dir.path().join("b.lsm"));
    let mut db = LsmDb::open(&path)?;
    db.insert(b"key", b"value")?;
    fs::rename(&path, &new)?;
    let error = LsmDb::open(&new).err().ok_or("opened")?;
    assert!(error.to_string().contains("already open"), "{error}");
    fs::rename(&new, &path)?;
    db.close()?;
    assert_eq!(LsmDb::open(&path)?.iter().count(), 1);
    Ok(())
}

/// After a crash the log would be found under one of the names only.
#[test]
fn a_file_with_two_names_is_refused_for_writing() -> Result {
    let dir = tempfile::tempdir()?;
    let (path, second) = (dir.path().join("a.lsm"), dir.path().join("b.lsm"));
    let mut db = LsmDb::open(&path)?;
    db.insert(b"key", b"value")?;
    db.close()?;
    fs::hard_link(&path, &second)?;
    let error = LsmDb::open(&second).err().ok_or("opened")?;
    assert!(error.to_string().contains("2 names"), "{error}");
    let reader = LsmDb::builder().read_only(true).open(&second)?;
    assert_eq!(reader.iter().count(), 1);
    drop(reader);
    fs::remove_file(&second)?;
    LsmDb::open(&path)?.insert(b"more", b"")?;
    Ok(())
}

/// lsm1 let a reader of the multi-process kind in beside a process that had the file to
/// itself, and the reader crashed; and the other way round.
#[test]
fn a_multi_process_reader_and_a_single_process_writer_exclude_each_other() -> Result {
    let test = "a_multi_process_reader_and_a_single_process_writer_exclude_each_other";
    if let Some(path) = child_argument() {
        return read_while_told(path.as_ref());
    }
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("a.lsm");
    LsmDb::open(&path)?.insert(b"key", b"value")?;

    let writer = LsmDb::open(&path)?;
    let mut reader = child(test, &path)?
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut orders = reader.stdin.take().ok_or("no stdin")?;
    let mut answers = BufReader::new(reader.stdout.take().ok_or("no stdout")?)
        .lines()
        .map_while(std::result::Result::ok)
        .filter_map(|line| Some(line[line.find("reader:")?..].to_owned()));
    let mut ask = |order: &str| -> Result<String> {
        writeln!(orders, "{order}")?;
        Ok(answers.next().ok_or("the reader died")?)
    };
    assert_eq!(ask("read")?, "reader: busy");
    writer.close()?;
    assert_eq!(ask("read")?, "reader: 1 records");
    assert_eq!(ask("hold")?, "reader: holding");
    let error = LsmDb::open(&path).err().ok_or("let in beside a reader")?;
    assert!(error.is_busy(), "{error}");
    assert_eq!(ask("end")?, "reader: ended");
    assert!(reader.wait()?.success());
    assert_eq!(LsmDb::open(&path)?.iter().count(), 1);
    Ok(())
}

fn read_while_told(path: &std::path::Path) -> Result {
    let open = || {
        LsmDb::builder()
            .read_only(true)
            .multi_process(true)
            .open(path)
    };
    let mut lines = std::io::stdin().lines();
    while let Some(order) = lines.next().transpose()? {
        match order.as_str() {
            "read" => {
                match open().and_then(|db| db.iter().collect::<std::result::Result<Vec<_>, _>>()) {
                    Ok(records) => println!("reader: {} records", records.len()),
                    Err(error) if error.is_busy() => println!("reader: busy"),
                    Err(error) => println!("reader: {error}"),
                }
            }
            "hold" => {
                let db = open()?;
                let mut records = db.iter();
                records.next().ok_or("no record")??;
                println!("reader: holding");
                lines.next().transpose()?;
                drop(records);
                println!("reader: ended");
                return Ok(());
            }
            other => return Err(format!("unknown order {other}").into()),
        }
    }
    Ok(())
}

// The operating system gives the number of a file that was removed to the next one as soon as it is
// closed, and the handle says a moment later that it has closed it.
#[test]
fn the_number_of_a_file_that_is_just_being_closed_may_be_used_again() -> Result {
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| -> std::result::Result<(), String> {
                    for _ in 0..200 {
                        let dir = tempfile::tempdir().map_err(|e| e.to_string())?;
                        let db = LsmDb::open(dir.path().join("db")).map_err(|e| e.to_string())?;
                        dir.close().map_err(|e| e.to_string())?;
                        drop(db);
                    }
                    Ok(())
                })
            })
            .collect();
        for thread in threads {
            thread.join().expect("no panic")?;
        }
        Ok(())
    })
}
