//! A full disk: what the command says then, and what it leaves behind.

use std::fs;

use crate::common::disk::SmallDisk;
use crate::run::{Done, Result, files, finish, program};

const WAY_OUT: [&str; 2] = ["No space left", "free space"];

fn run(disk: &SmallDisk, arguments: &str, input: &[u8]) -> Done {
    let mut command = program();
    let command = command.args(arguments.split(' '));
    finish(command.current_dir(disk.root()), input)
}

/// Records for `load`, all in one table if it has a name.
fn lines(table: &str, records: u32, value_len: usize) -> String {
    let head = match table {
        "" => "{".to_owned(),
        name => format!("{{\"table\":\"{name}\","),
    };
    let value = "x".repeat(value_len);
    let line = |i| format!("{head}\"key\":\"{i:08}\",\"value\":\"{value}\"}}\n");
    (0..records).map(line).collect()
}

/// Fills the disk but for this much.
fn leave_free(disk: &SmallDisk, kib: u64) -> Result {
    disk.fill()?;
    let ballast = fs::OpenOptions::new()
        .write(true)
        .open(disk.path("ballast"))?;
    Ok(ballast.set_len(ballast.metadata()?.len() - (kib << 10))?)
}

#[test]
fn a_full_disk_is_10_and_leaves_the_old_file_and_no_drafts() -> Result {
    const NAME: &str = "full_disk::a_full_disk_is_10_and_leaves_the_old_file_and_no_drafts";
    SmallDisk::with(NAME, 32 << 10, |disk| {
        run(disk, "load a.lsm", lines("", 40_000, 100).as_bytes()).text();
        let dumped = run(disk, "dump a.lsm --format json", b"").stdout.len() as u64;
        let before = fs::read(disk.path("a.lsm"))?;
        // At the first write, in the middle, and at the very end.
        let almost = dumped / 1024 - 8;
        for (command, all_free_kib) in [
            ("backup a.lsm to.lsm", &[0, 64, 3000][..]),
            ("restore a.lsm to.lsm", &[0, 64, 3000]),
            ("salvage a.lsm to.lsm", &[0, 64, 3000]),
            ("recompress a.lsm --compression none", &[0, 64, 3000]),
            (
                "dump a.lsm --format json --output to.json",
                &[0, 64, 3000, almost],
            ),
        ] {
            for free_kib in all_free_kib {
                leave_free(disk, *free_kib)?;
                let name = format!("{command}, {free_kib} KiB free");
                let done = run(disk, command, b"");
                assert_eq!(done.status, 10, "{name}: {}", done.stderr);
                done.fails(10, &WAY_OUT);
                assert_eq!(files(disk.root()), ["a.lsm", "ballast"], "{name}");
                assert!(fs::read(disk.path("a.lsm"))? == before, "{name}");
            }
        }
        assert_eq!(run(disk, "count a.lsm", b"").text(), "40000\n");
        Ok(())
    })
}

#[test]
fn a_load_onto_a_full_disk_says_how_much_of_it_is_there() -> Result {
    const NAME: &str = "full_disk::a_load_onto_a_full_disk_says_how_much_of_it_is_there";
    SmallDisk::with(NAME, 24 << 10, |disk| {
        let input = lines("small", 7, 100) + &lines("large", 500, 64 << 10);
        let done = run(disk, "load b.lsm", input.as_bytes());
        assert_eq!(done.status, 10, "{}", done.stderr);
        for word in WAY_OUT
            .iter()
            .chain(&["b.lsm", "in the database: 7 records"])
        {
            assert!(done.stderr.contains(word), "no {word:?} in {}", done.stderr);
        }
        assert_eq!(run(disk, "count b.lsm --table small", b"").text(), "7\n");
        Ok(())
    })
}
