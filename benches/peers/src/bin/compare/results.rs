//! What was measured, in a JSON file: tables and pictures are made from it, also later, and a part
//! that is measured again takes the place of the old one.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use lsmlite_rs_peers::Result;
use serde_json::{Value, json};

use crate::machine::Machine;

#[derive(Default)]
pub struct Results {
    /// By the time at which they began.
    pub runs: BTreeMap<String, Run>,
    pub samples: Vec<Sample>,
}

/// One start of the program.
#[derive(Clone, PartialEq)]
pub struct Run {
    pub machine: Machine,
    pub records: u64,
}

/// One process of one store.
pub struct Sample {
    pub run: String,
    pub suite: String,
    pub store: String,
    pub round: usize,
    /// By `phase number`.
    pub numbers: BTreeMap<String, f64>,
    /// Why there is nothing, or not all.
    pub failure: Option<String>,
}

impl Results {
    /// What a file has, or nothing if there is none.
    pub fn read(path: &Path) -> Result<Results> {
        if !path.exists() {
            return Ok(Results::default());
        }
        let json: Value = serde_json::from_str(&fs::read_to_string(path)?)?;
        let read = || -> Option<Results> {
            let mut results = Results::default();
            for (begin, run) in json["runs"].as_object()? {
                let run = Run {
                    machine: Machine::from_json(&run["machine"])?,
                    records: run["records"].as_u64()?,
                };
                results.runs.insert(begin.clone(), run);
            }
            for sample in json["samples"].as_array()? {
                let text = |name: &str| sample[name].as_str().map(str::to_owned);
                let numbers = sample["numbers"].as_object()?.iter();
                results.samples.push(Sample {
                    run: text("run")?,
                    suite: text("suite")?,
                    store: text("store")?,
                    round: usize::try_from(sample["round"].as_u64()?).ok()?,
                    numbers: numbers
                        .map(|(name, number)| Some((name.clone(), number.as_f64()?)))
                        .collect::<Option<_>>()?,
                    failure: text("failure"),
                });
            }
            Some(results)
        };
        let wrong = || format!("{} isn't a file of this program", path.display());
        Ok(read().ok_or_else(wrong)?)
    }

    pub fn write(&self, path: &Path) -> Result<()> {
        let runs: serde_json::Map<_, _> = self
            .runs
            .iter()
            .map(|(begin, run)| {
                let run = json!({"machine": run.machine.to_json(), "records": run.records});
                (begin.clone(), run)
            })
            .collect();
        let samples = self.samples.iter().map(|sample| {
            json!({
                "run": sample.run,
                "suite": sample.suite,
                "store": sample.store,
                "round": sample.round,
                "numbers": sample.numbers,
                "failure": sample.failure,
            })
        });
        let samples: Vec<_> = samples.collect();
        let json = json!({"runs": runs, "samples": samples});
        // The old file stays until the new one is complete.
        let new = path.with_extension("new");
        fs::write(&new, serde_json::to_string_pretty(&json)? + "\n")?;
        Ok(fs::rename(new, path)?)
    }

    /// Adds a sample. Those of older runs of this suite and store are taken out.
    pub fn add(&mut self, sample: Sample) {
        self.samples.retain(|old| {
            (&old.suite, &old.store) != (&sample.suite, &sample.store) || old.run == sample.run
        });
        self.samples.push(sample);
        let used = |run: &String| self.samples.iter().any(|sample| sample.run == *run);
        self.runs.retain(|run, _| used(run));
    }

    /// The samples of one store in one suite.
    pub fn of<'a>(&'a self, suite: &'a str, store: &'a str) -> impl Iterator<Item = &'a Sample> {
        let samples = self.samples.iter();
        samples.filter(move |sample| sample.suite == suite && sample.store == store)
    }
}

impl Sample {
    pub fn number(&self, phase: &str, name: &str) -> Option<f64> {
        self.numbers.get(&format!("{phase} {name}")).copied()
    }
}

/// The middle one, or between the two in the middle.
pub fn median(mut numbers: Vec<f64>) -> Option<f64> {
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.len().checked_sub(1)? / 2;
    Some(match numbers.len() % 2 {
        1 => numbers[middle],
        _ => (numbers[middle] + numbers[middle + 1]) / 2.0,
    })
}
