//! The comparison measures what it says, and notices a store that doesn't do its work.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use lsmlite_rs_peers::Result;
use lsmlite_rs_peers::child::{self, Key, Plan, Reader, Settings, Store, data};

/// Runs the program and returns the folder's table.
fn compare(out: &Path, args: &[&str]) -> Result<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_compare"))
        .args(args)
        .arg("--out")
        .arg(out)
        .arg("--dir")
        .arg(out)
        .output()?;
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    Ok(fs::read_to_string(out.join("table.md"))?)
}

/// Short: one round of few records.
fn short(out: &Path, suites: &[&str], stores: &str) -> Result<String> {
    let records = ["--records", "1000", "--rounds", "1", "--most-seconds", "1"];
    let all = [suites, &["--stores", stores], &records].concat();
    compare(out, &all)
}

fn line<'t>(table: &'t str, title: &str) -> Vec<&'t str> {
    let line = table
        .lines()
        .find(|line| line.starts_with(&format!("| {title} |")));
    let cells = line
        .unwrap_or_else(|| panic!("no row {title}:\n{table}"))
        .split('|');
    cells.map(str::trim).collect()
}

#[test]
fn every_store_does_every_work_that_it_can() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let suites = [
        "sequential",
        "random",
        "batches",
        "10kib",
        "sync",
        "full",
        "crash",
    ];
    let mut stores = vec!["ours", "fjall", "lmdb", "redb"];
    if cfg!(feature = "sqlite") {
        stores.push("sqlite");
    }
    // Only sled promises less than that a commit survives the process.
    let keep = stores.len();
    if cfg!(feature = "sled") {
        stores.push("sled");
    }
    let table = short(dir.path(), &suites, &stores.join(","))?;
    assert!(!table.contains("Failed"), "{table}");
    for title in [
        "insert, sequential keys",
        "insert, random keys",
        "insert in batches of 1000",
        "insert, values of 10 KiB",
        "commit with a sync",
        "get, right after loading",
        "get of a missing key, compacted",
        "scan in reverse, compacted",
        "put p99.9 at full rate",
        "open after `kill -9`",
    ] {
        let cells = line(&table, title);
        let cells = &cells[3..3 + stores.len()];
        assert!(cells.iter().all(|cell| !cell.is_empty()), "{table}");
    }
    let lost = line(&table, "records lost with `kill -9`");
    let lost = &lost[3..3 + keep];
    assert!(lost.iter().all(|lost| *lost == "0"), "{table}");
    let picture = fs::read_to_string(dir.path().join("picture.svg"))?;
    assert!(picture.starts_with("<svg ") && picture.ends_with("</svg>\n"));
    assert!(picture.contains("commit with a sync"));
    Ok(())
}

#[test]
fn sorted_records_threads_and_rates_are_measured() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let suites = ["ingest", "threads", "paced"];
    let table = short(dir.path(), &suites, "ours,fjall,lmdb")?;
    assert!(!table.contains("Failed"), "{table}");
    for title in [
        "sorted records at once",
        "gets of two threads ÷ one, a cursor for each",
        "put p99.9 at 10,000 a second",
    ] {
        let cells = line(&table, title);
        assert!(cells[3..6].iter().all(|cell| !cell.is_empty()), "{table}");
    }
    Ok(())
}

#[test]
fn what_is_measured_again_takes_the_place_of_the_old_and_the_rest_stays() -> Result<()> {
    let dir = tempfile::tempdir()?;
    short(dir.path(), &["sequential", "batches"], "ours,lmdb")?;
    let samples = |suite: &str, store: &str| -> Result<Vec<serde_json::Value>> {
        let json = fs::read_to_string(dir.path().join("results.json"))?;
        let json: serde_json::Value = serde_json::from_str(&json)?;
        let samples = json["samples"].as_array().ok_or("no samples")?;
        let of = |s: &&serde_json::Value| s["suite"] == suite && s["store"] == store;
        Ok(samples.iter().filter(of).cloned().collect())
    };
    let stores = |suite| {
        Ok::<_, Box<dyn std::error::Error>>([samples(suite, "ours")?, samples(suite, "lmdb")?])
    };
    let (sequential, batches) = (stores("sequential")?, stores("batches")?);
    // Runs are told from each other by the second in which they begin.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let table = short(dir.path(), &["sequential/insert"], "ours")?;
    let now = stores("sequential")?;
    assert_eq!(now[0].len(), 1);
    assert_ne!(now[0], sequential[0], "measured again");
    assert_eq!(now[1], sequential[1], "not measured again");
    assert_eq!(stores("batches")?, batches);
    // The table can be made again from what is stored.
    let again = compare(dir.path(), &["--draw"])?;
    assert_eq!(again, table);
    // And be put into a text.
    let text = dir.path().join("text.md");
    fs::write(
        &text,
        "before <!-- comparison -->\nold <!-- /comparison --> after",
    )?;
    let into = text.to_str().ok_or("a name that is no text")?;
    compare(dir.path(), &["--draw", "--into", into])?;
    let text = fs::read_to_string(&text)?;
    assert!(text.starts_with("before") && text.ends_with("after") && !text.contains("old"));
    assert!(
        text.contains(&table) && text.contains("](picture.svg)"),
        "{text}"
    );
    Ok(())
}

#[test]
fn unknown_names_are_refused_before_anything_is_measured() -> Result<()> {
    for wrong in [
        ["no-suite"].as_slice(),
        &["--stores", "none"],
        &["--no-option"],
    ] {
        let dir = tempfile::tempdir()?;
        let out = dir.path().join("out");
        let output = Command::new(env!("CARGO_BIN_EXE_compare"))
            .args(wrong)
            .arg("--out")
            .arg(&out)
            .output()?;
        assert!(!output.status.success() && !out.exists(), "{wrong:?}");
    }
    Ok(())
}

/// A map in memory, with a defect to choose.
struct Map<const DEFECT: u8>(BTreeMap<Key, Vec<u8>>);

const NONE: u8 = 0;
const LOSES_ONE: u8 = 1;
const OLD_VALUES: u8 = 2;
const INVENTS_KEYS: u8 = 3;
const STOPS_EARLY: u8 = 4;

impl<const DEFECT: u8> Store for Map<DEFECT> {
    type Reader<'a> = &'a Map<DEFECT>;

    fn open(_: &Path, _: &Settings) -> Result<Self> {
        Ok(Map(BTreeMap::new()))
    }

    fn put(&mut self, key: &Key, value: &[u8]) -> Result<()> {
        if DEFECT == LOSES_ONE && self.0.len() == 100 {
            self.0.insert([0; 16], value.to_vec());
            return Ok(());
        }
        let value = match DEFECT {
            OLD_VALUES => vec![0; value.len()],
            _ => value.to_vec(),
        };
        self.0.insert(*key, value);
        Ok(())
    }

    fn put_batch(&mut self, records: &[(Key, &[u8])]) -> Result<()> {
        records
            .iter()
            .try_for_each(|(key, value)| self.put(key, value))
    }

    fn ingest<'v>(&mut self, mut records: impl Iterator<Item = (Key, &'v [u8])>) -> Result<()> {
        records.try_for_each(|(key, value)| self.put(&key, value))
    }

    fn compact(self) -> Result<Self> {
        Ok(self)
    }

    fn reader(&self) -> Result<&Map<DEFECT>> {
        Ok(self)
    }

    fn close(self) -> Result<()> {
        Ok(())
    }
}

impl<const DEFECT: u8> Reader for &Map<DEFECT> {
    fn get(&mut self, key: &Key) -> Result<Option<u64>> {
        match self.0.get(key) {
            None if DEFECT == INVENTS_KEYS => Ok(Some(data::glance(b"x"))),
            value => Ok(value.map(|value| data::glance(value))),
        }
    }

    fn get_anew(&mut self, key: &Key) -> Result<Option<u64>> {
        self.get(key)
    }

    fn scan(
        &mut self,
        from: Option<&Key>,
        backwards: bool,
        limit: u64,
        mut show: impl FnMut(&[u8], &[u8]),
    ) -> Result<()> {
        let start = from.copied().unwrap_or_default();
        let limit = limit.min((self.0.len() - usize::from(DEFECT == STOPS_EARLY)) as u64) as usize;
        let records: Vec<_> = match backwards {
            true => self.0.iter().rev().take(limit).collect(),
            false => self.0.range(start..).take(limit).collect(),
        };
        for (key, value) in records {
            show(key, value);
        }
        Ok(())
    }
}

/// Random keys, without closing: a map doesn't outlive that.
fn reads_of<const DEFECT: u8>(phase: &str) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let dir = dir.path().to_str().ok_or("a name that is no text")?;
    let arguments = ["random", dir, "2000", "1", "1", phase].map(str::to_owned);
    child::run::<Map<DEFECT>>(&Plan::parse(arguments.into_iter())?)
}

#[test]
fn a_store_that_reads_something_else_is_noticed() -> Result<()> {
    reads_of::<NONE>("get-loaded")?;
    reads_of::<NONE>("missing-loaded")?;
    for (result, told) in [
        (reads_of::<LOSES_ONE>("get-loaded"), "get-loaded"),
        (reads_of::<OLD_VALUES>("get-loaded"), "get-loaded"),
        (reads_of::<INVENTS_KEYS>("missing-loaded"), "missing-loaded"),
        (reads_of::<STOPS_EARLY>("scan-forward"), "scan-forward"),
        (reads_of::<LOSES_ONE>("scan-reverse"), "scan-reverse"),
        (reads_of::<OLD_VALUES>("kept-2"), "kept-2"),
    ] {
        let error = result.expect_err(told).to_string();
        assert!(error.contains(told), "{error}");
    }
    Ok(())
}
