//! Output that is compared with files in `golden/`.
//!
//! `LSMLITE_WRITE_GOLDEN=1` writes them anew.

use std::fs;
use std::path::Path;

use crate::run::{Place, Result, lsmlite};

/// Compares a text with its file.
#[track_caller]
pub fn assert_golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/cli/golden")
        .join(name);
    if std::env::var_os("LSMLITE_WRITE_GOLDEN").is_some() {
        fs::write(&path, text).unwrap();
    }
    let expected = fs::read_to_string(&path).expect(name);
    assert!(
        text == expected,
        "{name} has become:\n{text}\nand was:\n{expected}"
    );
}

/// Plain keys of all kinds and a table, in a file that is always the same.
pub fn sample() -> Place {
    let place = Place::new();
    let mut lines = String::new();
    for i in 0..300 {
        lines += &format!(
            "{{\"key\":\"no/{i:04}\",\"value\":\"{}\"}}\n",
            "x".repeat(i % 97)
        );
    }
    lines += "{\"key\":\"se/malmö\",\"value\":\"a \\\"b\\\",\\\\c\\td\\n\"}\n";
    lines += "{\"key\":{\"base64\":\"/wA=\"},\"value\":{\"hex\":\"80ff\"}}\n";
    lines += "{\"table\":\"users\",\"key\":\"7\",\"value\":\"Anna\"}\n";
    lines += "{\"table\":\"empty\"}\n";
    let loaded = place.feed(
        "load sample.lsm --page-size 1024 --block-size 64",
        lines.as_bytes(),
    );
    assert_eq!(loaded.status, 0, "{}", loaded.stderr);
    place
}

#[test]
fn the_help_is_what_it_was() -> Result {
    let mut text = lsmlite(&["--help"]).text().to_owned();
    for command in crate::help::commands() {
        text += &format!(
            "\n==== {command}\n\n{}",
            lsmlite(&[&command, "--help"]).text()
        );
    }
    assert_golden("help.txt", &text);
    Ok(())
}

#[test]
fn records_look_as_they_did_in_every_format_and_encoding() -> Result {
    let place = sample();
    for format in ["text", "json", "csv"] {
        let mut text = String::new();
        for encoding in [
            "",
            "-e text",
            "-e hex",
            "-e base64",
            "-e json",
            "--keys-only",
        ] {
            let scan = place.run(&format!(
                "scan sample.lsm --start no/0297 -f {format} {encoding}"
            ));
            // Keys in arguments are in that encoding, too.
            let scan = match scan.status {
                2 => place.run(&format!(
                    "scan sample.lsm --reverse --limit 4 -f {format} {encoding}"
                )),
                _ => scan,
            };
            text += &format!("---- {encoding}\n{}", scan.text());
        }
        assert_golden(&format!("scan.{format}"), &text);
    }
    assert_golden(
        "dump.jsonl",
        place.run("dump sample.lsm --format json").text(),
    );
    Ok(())
}

#[test]
fn reports_look_as_they_did() -> Result {
    let place = sample();
    let mut text = String::new();
    for command in [
        "info sample.lsm",
        "info sample.lsm -f json",
        "xray sample.lsm",
        "xray sample.lsm --pages",
        "xray sample.lsm --pages --format json",
        "stat sample.lsm",
        "stat sample.lsm --records",
        "stat sample.lsm --records -f json",
        "tables sample.lsm",
        "count sample.lsm",
        "check sample.lsm",
        "check sample.lsm -f json",
        "salvage sample.lsm new.lsm",
        "salvage sample.lsm newer.lsm -f json",
    ] {
        text += &format!("$ lsmlite {command}\n{}\n", place.run(command).text());
    }
    for command in [
        "compact sample.lsm",
        "checkpoint sample.lsm",
        "backup sample.lsm copy.lsm",
        "restore copy.lsm sample.lsm --overwrite",
        "recompress sample.lsm --page-size 4096",
        "dump sample.lsm --output sample.dump",
        "load other.lsm sample.dump",
    ] {
        let done = place.run(command);
        assert_eq!(done.text(), "");
        text += &format!("$ lsmlite {command}\n{}\n", done.stderr);
    }
    assert_golden("reports.txt", &text);
    Ok(())
}
