//! Commands on whole files: compact, checkpoint, backup, restore, salvage, recompress.

use std::fs;

use lsmlite_rs::LsmDb;

use crate::common::contents;
use crate::run::{Place, Result, program};

/// Records that compress well, in several runs.
fn database() -> Result<Place> {
    let place = Place::new();
    for round in 0..3 {
        let mut lines = String::new();
        for i in 0..4000 {
            let key = i * 3 + round;
            lines += &format!(
                "{{\"key\":\"{key:07}\",\"value\":\"{}\"}}\n",
                "compress me ".repeat(9)
            );
        }
        place.feed("load a.lsm", lines.as_bytes()).text();
    }
    place.run("put a.lsm row x --table t").text();
    Ok(place)
}

/// All records as text, tables included.
fn content(place: &Place, name: &str) -> String {
    place
        .run(&format!("dump {name} --format json"))
        .text()
        .to_owned()
}

#[test]
fn every_way_to_write_a_file_anew_keeps_its_records() -> Result {
    let place = database()?;
    let expected = content(&place, "a.lsm");
    place.run("compact a.lsm").text();
    assert!(place.run("info a.lsm").text().contains("level 0"));
    assert!(!place.run("info a.lsm").text().contains("level 1"));
    place.run("backup a.lsm copy.lsm").text();
    place.run("del a.lsm --all").text();
    place
        .run("restore copy.lsm a.lsm")
        .fails(9, &["--overwrite"]);
    place.run("restore copy.lsm a.lsm --overwrite").text();
    assert!(content(&place, "a.lsm") == expected);
    place
        .run("salvage a.lsm saved.lsm --compression lz4 --page-checksums")
        .text();
    assert!(content(&place, "saved.lsm") == expected);
    for (arguments, words) in [
        (
            "--compression zstd:3 --page-checksums",
            &["zstd", "checksums  yes"][..],
        ),
        ("--page-size 16384", &["zstd", "checksums  yes", "16.0 KiB"]),
        (
            "--compression lz4 --no-page-checksums",
            &["lz4", "checksums  no", "16.0 KiB"],
        ),
        (
            "--compression zlib:9 --block-size 128",
            &["zlib", "128 KiB"],
        ),
        ("--compression none", &["none", "checksums  no"]),
        ("", &["none", "128 KiB"]),
    ] {
        let done = place.run(&format!("recompress a.lsm {arguments}"));
        assert_eq!(done.text(), "", "{arguments}");
        let info = place.run("info a.lsm");
        for word in words {
            assert!(
                info.text().contains(word),
                "{arguments}: no {word} in {}",
                info.text()
            );
        }
        assert!(content(&place, "a.lsm") == expected, "{arguments}");
        assert_eq!(place.run("check a.lsm").status, 0);
    }
    place
        .run("recompress a.lsm --compression zstd --output z.lsm")
        .text();
    let size = |name: &str| fs::metadata(place.path(name)).map(|file| file.len());
    assert!(size("z.lsm")? < size("a.lsm")? / 4);
    assert!(content(&place, "z.lsm") == expected);
    place
        .run("recompress a.lsm --output z.lsm --overwrite")
        .text();
    assert_eq!(place.files(), ["a.lsm", "copy.lsm", "saved.lsm", "z.lsm"]);
    Ok(())
}

#[cfg(unix)]
#[test]
fn a_checkpoint_brings_the_log_of_a_killed_process_home() -> Result {
    use std::io::Write;
    use std::process::Stdio;

    let place = Place::new();
    place.run("put a.lsm k v").text();
    let mut command = program();
    command
        .args(["load", "a.lsm"])
        .current_dir(place.folder.path());
    let mut child = command.stdin(Stdio::piped()).spawn()?;
    let mut stdin = child.stdin.take().unwrap();
    // A table is made at once, and what is in it stays with us.
    stdin.write_all(b"{\"table\":\"t\"}\n{")?;
    while !place.files().iter().any(|name| name == "a.lsm-log") {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    std::thread::sleep(std::time::Duration::from_millis(300));
    child.kill()?;
    child.wait()?;
    assert!(
        place
            .run("info a.lsm")
            .text()
            .contains("that the file hasn't yet")
    );
    place.run("checkpoint a.lsm").text();
    let info = place.run("info a.lsm");
    assert!(
        info.text().contains("log             none"),
        "{}",
        info.text()
    );
    assert_eq!(place.run("tables a.lsm").text(), "t\n");
    Ok(())
}

#[test]
fn a_link_to_a_database_stays_one_when_it_is_recompressed() -> Result {
    #[cfg(unix)]
    {
        let place = database()?;
        fs::create_dir(place.path("there"))?;
        fs::rename(place.path("a.lsm"), place.path("there/a.lsm"))?;
        std::os::unix::fs::symlink("there/a.lsm", place.path("a.lsm"))?;
        place.run("recompress a.lsm --compression lz4").text();
        assert!(place.path("a.lsm").symlink_metadata()?.is_symlink());
        let db = LsmDb::open(place.path("there/a.lsm"))?;
        assert_eq!(contents(&db)?.len(), 12_000);
        assert_eq!(db.get_compression_id()?, lsmlite_rs::LsmCompressionLib::LZ4);
    }
    Ok(())
}

#[test]
fn completions_and_manual_pages_name_every_command() -> Result {
    let place = Place::new();
    let commands = crate::help::commands();
    for shell in ["bash", "zsh", "fish"] {
        let text = place.run(&format!("completions {shell}"));
        for word in commands
            .iter()
            .map(String::as_str)
            .chain(["page-checksums", "base64"])
        {
            assert!(text.text().contains(word), "{shell}: {word}");
        }
        fs::write(place.path(shell), text.text())?;
        // Where the shell is installed, it must understand them.
        if let Ok(done) = std::process::Command::new(shell)
            .arg("-n")
            .arg(place.path(shell))
            .status()
        {
            assert!(done.success(), "{shell}");
        }
    }
    assert!(place.run("man").text().contains("Exit status"));
    place.run("man --folder man").text();
    let pages = commands.iter().map(|name| format!("lsmlite-{name}.1"));
    for page in pages.chain(["lsmlite.1".into(), "lsmlite-archive-pack.1".into()]) {
        assert!(place.path("man").join(&page).exists(), "{page}");
    }
    assert!(fs::read_to_string(place.path("man/lsmlite-scan.1"))?.contains("prefix"));
    Ok(())
}
