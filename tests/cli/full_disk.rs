//! A full disk: what the command says then, and what it leaves behind.

use std::fs;

use crate::common::disk::SmallDisk;
use crate::run::{Done, Result, files, finish, program};

const WAY_OUT: [&str; 2] = ["No space left", "free space"];

fn lines(records: u32) -> Vec<u8> {
    let line = |i| format!("{{\"key\":\"{i:08}\",\"value\":\"{}\"}}\n", "x".repeat(100));
    (0..records).map(line).collect::<String>().into_bytes()
}

#[test]
fn a_full_disk_is_10_and_leaves_the_old_file_and_no_drafts() -> Result {
    const NAME: &str = "full_disk::a_full_disk_is_10_and_leaves_the_old_file_and_no_drafts";
    SmallDisk::with(NAME, 24 << 10, |disk| {
        let feed = |arguments: &str, input: &[u8]| -> Done {
            let mut command = program();
            finish(
                command.args(arguments.split(' ')).current_dir(disk.root()),
                input,
            )
        };
        feed("load a.lsm", &lines(40_000)).text();
        disk.fill()?;
        let before = fs::read(disk.path("a.lsm"))?;
        for command in [
            "backup a.lsm to.lsm",
            "restore a.lsm to.lsm",
            "salvage a.lsm to.lsm",
            "recompress a.lsm --compression zstd",
            "dump a.lsm --format json --output to.json",
        ] {
            feed(command, b"").fails(10, &WAY_OUT);
            assert_eq!(files(disk.root()), ["a.lsm", "ballast"], "{command}");
            assert!(fs::read(disk.path("a.lsm"))? == before, "{command}");
        }
        assert_eq!(feed("count a.lsm", b"").text(), "40000\n");

        // A load says how much of it is there.
        disk.make_room()?;
        let done = feed("load b.lsm", &lines(400_000));
        assert_eq!(done.status, 10, "{}", done.stderr);
        for word in WAY_OUT
            .iter()
            .chain(&["b.lsm", "in the database: 0 records"])
        {
            assert!(done.stderr.contains(word), "no {word:?} in {}", done.stderr);
        }
        fs::remove_file(disk.path("a.lsm"))?;
        assert_eq!(feed("count b.lsm", b"").text(), "0\n");
        Ok(())
    })
}
