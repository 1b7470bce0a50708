//! bench: what it measures, and that it leaves nothing behind.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::Value;

use crate::golden::sample;
use crate::run::{Place, Result, program, signal, wait_for};

const LOADS: [&str; 8] = [
    "fill",
    "fill-random",
    "read",
    "missing",
    "scan",
    "mixed",
    "commit",
    "disk",
];

fn objects(text: &str) -> Vec<Value> {
    let lines = text.lines().map(serde_json::from_str);
    lines.collect::<std::result::Result<_, _>>().unwrap()
}

#[test]
fn every_load_is_measured_and_nothing_stays_behind() -> Result {
    let place = sample();
    let before = fs::read(place.path("sample.lsm"))?;
    for threads in [1, 2] {
        // Beside a database, which is none of its business.
        let done = place.run(&format!(
            "bench sample.lsm -f json --records 3000 --seconds 0.1 --threads {threads} -c lz4"
        ));
        let objects = objects(done.text());
        let names: Vec<_> = objects
            .iter()
            .map(|object| object["load"].as_str().unwrap())
            .collect();
        assert_eq!(names, LOADS);
        for object in &objects {
            let operations = object["operations"].as_u64().unwrap();
            assert!((1..100_000_000).contains(&operations), "{object}");
            if object["load"].as_str().unwrap().starts_with("fill") {
                assert_eq!(object["inserted_bytes"], operations * 116, "{object}");
            }
            let buckets = object["histogram_ns"].as_array().unwrap();
            let counted: u64 = buckets
                .iter()
                .map(|bucket| bucket[1].as_u64().unwrap())
                .sum();
            assert_eq!(counted, operations);
            let latencies = object["latency_ns"].as_object().unwrap();
            let latencies: Vec<_> = latencies.values().map(|ns| ns.as_u64().unwrap()).collect();
            assert!(latencies.len() == 6 && latencies.is_sorted(), "{object}");
            assert!(latencies[0] > 0, "{object}");
            // A thread isn't done with an operation before it took its time.
            let rate = object["per_second"].as_f64().unwrap();
            assert!(rate > 1.0 && rate < 1e9, "{object}");
            assert_eq!(object["conditions"]["threads"], threads);
        }
        assert_eq!(place.files(), ["sample.lsm"]);
    }
    assert!(fs::read(place.path("sample.lsm"))? == before);
    Ok(())
}

#[test]
fn the_loads_that_were_chosen_are_shown_in_every_format() -> Result {
    let place = Place::new();
    let options = "--records 500 --seconds 0.1 --only read,fill --value-size 0";
    let text = place.run(&format!("bench {options}"));
    let text = text.text();
    for words in ["records 500", "\nfill: ", "\nread: ", " p99.99 ", "█", "% "] {
        assert!(text.contains(words), "no {words:?} in {text}");
    }
    assert!(!text.contains("missing"), "{text}");
    assert!(
        text.lines().all(|line| line.chars().count() <= 200),
        "{text}"
    );

    let csv = place.run(&format!("bench {options} --format csv"));
    let rows: Vec<Vec<_>> = csv
        .text()
        .lines()
        .map(|line| line.split(',').collect())
        .collect();
    assert_eq!(rows.len(), 3);
    assert_eq!(
        (rows[0][0], rows[1][0], rows[2][0]),
        ("load", "fill", "read")
    );
    assert!(
        rows.iter().all(|row| row.len() == rows[0].len()),
        "{rows:?}"
    );
    assert_eq!((rows[0][1], rows[1][1]), ("operations", "500"));
    assert_eq!(place.files(), [""; 0]);
    Ok(())
}

#[cfg(unix)]
#[test]
fn ctrl_c_cleans_up() -> Result {
    for only in ["fill-random", "commit", "disk"] {
        let place = Place::new();
        let mut command = program();
        command
            .args([
                "bench",
                "--seconds",
                "60",
                "--records",
                "1000000",
                "--only",
                only,
            ])
            .current_dir(place.folder.path());
        let child = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        wait_for("a file", || !place.files().is_empty());
        signal(&child, "-INT")?;
        let output = child.wait_with_output()?;
        let stderr = String::from_utf8(output.stderr)?;
        assert_eq!(output.status.code(), Some(130), "{stderr}");
        assert_eq!(stderr, "lsmlite: interrupted\n");
        assert_eq!(place.files(), [""; 0]);
    }
    Ok(())
}

#[test]
fn what_cannot_be_measured_has_its_status() -> Result {
    let place = Place::new();
    place
        .run("bench nowhere")
        .fails(5, &["nowhere", "No such file", "check the path"]);
    place
        .run("bench --records 1000000000000")
        .fails(10, &["too little space", "fewer --records"]);
    for wrong in [
        "--only nonsense",
        "--threads 0",
        "--records 0",
        "--seconds x",
        "--preset none",
    ] {
        assert_eq!(place.run(&format!("bench {wrong}")).status, 2, "{wrong}");
    }
    assert_eq!(place.files(), [""; 0]);
    Ok(())
}

#[test]
fn a_reader_that_goes_away_ends_it() -> Result {
    let place = Place::new();
    let mut command = program();
    command
        .args([
            "bench",
            "--seconds",
            "0.05",
            "--records",
            "500",
            "--format",
            "csv",
        ])
        .current_dir(place.folder.path());
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line)?;
    assert!(line.starts_with("load,"), "{line}");
    let output = child.wait_with_output()?;
    assert_eq!(output.status.code(), Some(141));
    assert_eq!(String::from_utf8(output.stderr)?, "");
    assert_eq!(place.files(), [""; 0]);
    Ok(())
}
