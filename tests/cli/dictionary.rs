//! Dictionaries: training one, files that need it, and what is said without it.

use std::fs;

use crate::run::{Place, Result};

const FEW: &str = "--page-size 1024 --block-size 64";

/// A database `plain.lsm`, and a dictionary `7.dict` from its pages.
fn trained() -> Place {
    let place = Place::new();
    let line = |n: u32| {
        format!(
            "{{\"key\":\"{n:06}\",\"value\":\"colour {} size {} price {}\"}}\n",
            n % 7,
            n % 11,
            n * 7919 % 1000
        )
    };
    let lines: String = (0..5000).map(line).collect();
    let loaded = place.feed(&format!("load plain.lsm {FEW}"), lines.as_bytes());
    assert_eq!(loaded.status, 0, "{}", loaded.stderr);
    let done = place.run("train plain.lsm 7.dict --number 7 --bytes 2048");
    assert_eq!(done.status, 0, "{}", done.stderr);
    assert!(
        done.stderr.contains("dictionary 7 in 7.dict"),
        "{}",
        done.stderr
    );
    place
}

#[test]
fn a_file_with_a_dictionary_works_with_it_and_names_it_without() -> Result {
    let place = trained();
    let dump = place.run("dump plain.lsm").stdout;
    let load = format!("load new.lsm --compression zstd --dictionary 7.dict {FEW}");
    assert_eq!(place.feed(&load, &dump).status, 0);
    for command in [
        "scan new.lsm",
        "get new.lsm 000007",
        "put new.lsm k v",
        "del new.lsm k",
        "compact new.lsm",
        "check new.lsm",
        "backup new.lsm copy.lsm",
        "restore copy.lsm restored.lsm",
        "salvage new.lsm salvaged.lsm",
        "recompress new.lsm",
    ] {
        place.run(command).fails(8, &["zstd dictionary 7"]);
        let done = place.run(&format!("{command} --dictionary 7.dict"));
        assert_eq!(done.status, 0, "{command}: {}", done.stderr);
    }
    let expected = place.run("scan plain.lsm").stdout;
    for file in ["new.lsm", "copy.lsm", "restored.lsm"] {
        assert!(
            place
                .run(&format!("info {file}"))
                .text()
                .contains("zstd with dictionary 7")
        );
        let scan = place.run(&format!("scan {file} --dictionary 7.dict"));
        assert!(scan.stdout == expected, "{file}");
    }
    assert!(place.run("scan salvaged.lsm").stdout == expected);
    Ok(())
}

#[test]
fn recompress_gives_a_dictionary_and_takes_it_away() -> Result {
    let place = trained();
    let expected = place.run("scan plain.lsm").stdout;
    let with = "recompress plain.lsm --compression zstd --new-dictionary 7.dict";
    assert_eq!(place.run(with).status, 0);
    assert!(
        place
            .run("info plain.lsm")
            .text()
            .contains("zstd with dictionary 7")
    );
    let without = "recompress plain.lsm --compression zstd --dictionary 7.dict";
    assert_eq!(place.run(without).status, 0);
    assert!(place.run("scan plain.lsm").stdout == expected);
    Ok(())
}

#[test]
fn what_isnt_a_dictionary_is_refused_by_its_name() -> Result {
    let place = trained();
    fs::write(place.path("text"), "some words")?;
    place
        .run("scan plain.lsm --dictionary text")
        .fails(4, &["text", "isn't a dictionary"]);
    place
        .run("scan plain.lsm --dictionary none")
        .fails(5, &["none"]);
    place
        .run("train plain.lsm 7.dict --number 7")
        .fails(9, &["7.dict"]);
    place
        .run("train plain.lsm 0.dict --number 0")
        .fails(10, &["from 1 to 899"]);
    place.run("put empty.lsm k v");
    place
        .run("train empty.lsm 8.dict --number 8")
        .fails(10, &["too few"]);
    assert_eq!(place.files(), ["7.dict", "empty.lsm", "plain.lsm", "text"]);
    Ok(())
}
