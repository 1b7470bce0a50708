//! dump and load: round trips, going on after an interruption, other formats, damaged streams.

use std::collections::BTreeMap;
use std::fs;

use lsmlite_rs::LsmDb;

use crate::common::{Model, SplitMix64, contents};
use crate::golden::sample;
use crate::run::{Place, Result};

/// All records, tables included.
fn everything(place: &Place, name: &str) -> Result<BTreeMap<Option<String>, Model>> {
    let db = LsmDb::builder().read_only(true).open(place.path(name))?;
    let mut all = BTreeMap::from([(None, db.iter().collect::<std::result::Result<_, _>>()?)]);
    for table in db.tables()? {
        let records = db
            .read_table(&table)?
            .iter()
            .collect::<std::result::Result<_, _>>()?;
        all.insert(Some(table), records);
    }
    Ok(all)
}

#[test]
fn a_dump_loads_into_the_same_records_in_both_forms() -> Result {
    let place = sample();
    let expected = everything(&place, "sample.lsm")?;
    for form in ["binary", "json"] {
        let dump = place.run(&format!("dump sample.lsm --format {form}"));
        assert_eq!(dump.status, 0, "{}", dump.stderr);
        let to = format!("{form}.lsm");
        let loaded = place.feed(&format!("load {to} --compression zstd"), &dump.stdout);
        assert_eq!(loaded.text(), "");
        assert!(loaded.stderr.contains("303 records"), "{}", loaded.stderr);
        assert!(everything(&place, &to)? == expected, "{form}");
        assert!(place.run(&format!("info {to}")).text().contains("zstd"));
        // The same again changes nothing.
        place.feed(&format!("load {to}"), &dump.stdout).text();
        assert!(everything(&place, &to)? == expected, "{form}");
    }
    place.run("dump sample.lsm --output d.jsonl").text();
    assert!(fs::read_to_string(place.path("d.jsonl"))?.starts_with("{\"key\":\"no/0000\""));
    assert_eq!(
        place
            .run("dump sample.lsm --table users --format json")
            .text(),
        "{\"table\":\"users\",\"key\":\"7\",\"value\":\"Anna\"}\n"
    );
    place.run("load t.lsm d.jsonl --table all").text();
    assert_eq!(place.run("count t.lsm --table all").text(), "303\n");
    Ok(())
}

#[test]
fn random_records_in_any_order_load_into_what_came_last() -> Result {
    let place = Place::new();
    let mut random = SplitMix64::new(11);
    let mut expected = BTreeMap::new();
    let mut lines = String::new();
    for i in 0..30_000 {
        let key = format!("{:06}", random.below(20_000));
        let value = format!("{i}");
        lines += &format!("{{\"key\":\"{key}\",\"value\":\"{value}\"}}\n");
        expected.insert(key.into_bytes(), value.into_bytes());
        if i == 20_000 {
            // Sorted ones in between.
            for key in 300_000..330_000 {
                lines += &format!("{{\"key\":\"{key}\",\"value\":\"s\"}}\n");
                expected.insert(key.to_string().into_bytes(), b"s".to_vec());
            }
        }
    }
    place.feed("load a.lsm", lines.as_bytes()).text();
    let db = LsmDb::open(place.path("a.lsm"))?;
    assert!(contents(&db)? == expected);
    Ok(())
}

#[test]
fn csv_and_json_load_with_a_key_of_ones_choice() -> Result {
    let place = Place::new();
    let csv = "id,name,note\n7,Anna,\"a \"\"b\"\", c\"\n8,Björn,\\n\n";
    fs::write(place.path("users.csv"), csv)?;
    place
        .run("load a.lsm users.csv --key name --value id")
        .text();
    assert_eq!(place.run("scan a.lsm").text(), "Anna\t7\nBjörn\t8\n");
    place.run("load b.lsm users.csv --key id").text();
    assert_eq!(
        place.run("get b.lsm 7 --raw").text(),
        r#"{"id":"7","name":"Anna","note":"a \"b\", c"}"#
    );
    let lines = "{\"id\": 7, \"at\": {\"x\": 1}, \"name\": \"Anna\"}\n\n{\"name\":\"B\\u00f6\",\"id\":8.50}\n";
    fs::write(place.path("users.jsonl"), lines)?;
    place
        .run("load c.lsm users.jsonl --key name --value id")
        .text();
    assert_eq!(place.run("scan c.lsm").text(), "Anna\t7\nBö\t8.50\n");
    place.run("load d.lsm users.jsonl --key id").text();
    assert_eq!(
        place.run("get d.lsm 7 --raw").text(),
        lines.lines().next().unwrap()
    );
    // What scan writes comes back.
    let all: Vec<u8> = (0..=255).collect();
    place.feed("put e.lsm \\x00\\xff,\" --from -", &all).text();
    for (format, encoding) in [
        ("csv", ""),
        ("csv", "-e base64"),
        ("json", ""),
        ("json", "-e hex"),
    ] {
        let text = place.run(&format!("scan e.lsm -f {format} {encoding}"));
        let to = format!("e-{format}{}.lsm", encoding.replace(' ', ""));
        place
            .feed(&format!("load {to} -f {format} {encoding}"), &text.stdout)
            .text();
        assert_eq!(
            place.run(&format!("get {to} \\x00\\xff,\" --raw")).stdout,
            all,
            "{to}"
        );
    }
    place
        .run("load f.lsm users.csv --key nobody --quiet")
        .fails(3, &["there is no column nobody"]);
    place
        .run("load f.lsm users.jsonl --key at --quiet")
        .fails(3, &["line 3", "no field at"]);
    Ok(())
}

#[test]
fn a_damaged_dump_is_3_and_names_the_place() -> Result {
    let place = sample();
    let dump = place.run("dump sample.lsm").stdout;
    for (len, word) in [
        (dump.len() - 1, "cut off"),
        (100, "cut off"),
        (8, "cut off"),
    ] {
        fs::write(place.path("d"), &dump[..len])?;
        place.run("load new.lsm d --quiet").fails(3, &["d: ", word]);
    }
    let mut changed = dump.clone();
    changed[500] ^= 4;
    fs::write(place.path("d"), &changed)?;
    place
        .run("load new.lsm d --quiet")
        .fails(3, &["damaged", "checksum"]);
    let mut newer = dump;
    newer[7] = 9;
    fs::write(place.path("d"), &newer)?;
    place.run("load new.lsm d --quiet").fails(4, &["version 9"]);
    fs::write(
        place.path("d"),
        "{\"key\":\"a\",\"value\":\"b\"}\n{\"key\":1}\n",
    )?;
    place.run("load new.lsm d --quiet").fails(3, &["line 2"]);
    Ok(())
}

#[test]
fn a_dump_goes_on_from_any_place_and_is_as_if_written_at_once() -> Result {
    let place = Place::new();
    let mut lines = String::new();
    for (table, count) in [
        ("", 9000),
        ("\"table\":\"a\",", 9000),
        ("\"table\":\"b\",", 20),
    ] {
        for i in 0..count {
            lines += &format!(
                "{{{table}\"key\":\"{i:06}\",\"value\":\"{}\"}}\n",
                "v".repeat(90)
            );
        }
    }
    place.feed("load a.lsm", lines.as_bytes()).text();
    place.run("dump a.lsm --output whole").text();
    let whole = fs::read(place.path("whole"))?;
    let expected = everything(&place, "a.lsm")?;
    for len in [
        0,
        5,
        40,
        41,
        300,
        whole.len() / 3,
        whole.len() / 2,
        whole.len() - 5000,
        whole.len() - 1,
    ] {
        fs::write(place.path("d.part"), &whole[..len])?;
        assert_eq!(
            place.run("dump a.lsm --output d --resume").text(),
            "",
            "{len}"
        );
        place.run("load b.lsm d").text();
        assert!(everything(&place, "b.lsm")? == expected, "{len}");
        fs::remove_file(place.path("b.lsm"))?;
        fs::remove_file(place.path("d"))?;
    }
    // Not when the database has changed meanwhile.
    fs::write(place.path("d.part"), &whole[..whole.len() / 2])?;
    place.run("put a.lsm k v").text();
    place
        .run("dump a.lsm --output d --resume")
        .fails(3, &["has changed", "without --resume"]);
    place.run("dump a.lsm --output d").text();
    assert_eq!(place.files(), ["a.lsm", "d", "whole"]);
    Ok(())
}

#[test]
fn a_load_goes_on_only_where_it_can() -> Result {
    let place = Place::new();
    let line = |key: &str, value: &str| format!("{{\"key\":\"{key}\",\"value\":\"{value}\"}}\n");
    let sorted: String = ["a", "b", "c", "d"]
        .iter()
        .map(|key| line(key, key))
        .collect();
    place.feed("load a.lsm --resume", sorted.as_bytes()).text();
    let again = place.feed("load a.lsm --resume", sorted.as_bytes());
    assert!(
        again.stderr.contains("0 records, and 4 were there already"),
        "{}",
        again.stderr
    );
    place.run("put a.lsm bb else").text();
    place.feed("load a.lsm --resume", sorted.as_bytes()).text();
    for (lines, word) in [
        (line("a", "a") + &line("e", "e"), "written to by others"),
        (line("a", "a") + &line("d", "other"), "written to by others"),
        (line("b", "b") + &line("a", "a"), "sorted"),
        (line("a", "a"), "written to by others"),
    ] {
        place
            .feed("load a.lsm --resume --quiet", lines.as_bytes())
            .fails(2, &["go on", word]);
    }
    assert_eq!(place.run("count a.lsm").text(), "5\n");
    Ok(())
}
