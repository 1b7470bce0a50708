//! The table in Markdown.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::results::{Results, Run, median};
use crate::rows::{Goal, ROWS, Row};
use crate::suites::MARKS;

/// The order of columns.
pub const STORES: [(&str, &str); 9] = [
    ("ours", "ours"),
    ("0.2.2", "0.2.2"),
    ("rocksdb", "RocksDB"),
    ("fjall", "fjall"),
    ("lmdb", "LMDB"),
    ("redb", "redb"),
    ("sqlite", "SQLite"),
    ("sled", "sled"),
    ("lmdb-map", "LMDB, mapped for writing"),
];

/// Not a peer: ours, an older version of ours, and what promises less.
pub const NO_PEERS: [&str; 3] = ["ours", "0.2.2", "lmdb-map"];

/// One row of one store: the median and the processor's share of it.
#[derive(Copy, Clone)]
pub struct Cell {
    pub value: f64,
    pub cpu: Option<f64>,
}

/// A goal, and how far we are.
pub struct Verdict {
    pub found: String,
    pub goal: String,
    pub reached: bool,
}

impl Row {
    pub fn cell(&self, results: &Results, store: &str) -> Option<Cell> {
        let values: Vec<_> = results
            .of(self.suite, store)
            .filter_map(|sample| self.measure.value(|phase, name| sample.number(phase, name)))
            .collect();
        let cpu = values.iter().map(|(_, cpu)| *cpu).collect::<Option<_>>();
        Some(Cell {
            value: median(values.iter().map(|(value, _)| *value).collect())?,
            cpu: cpu.and_then(median),
        })
    }

    /// The best of these peers, or of all.
    pub fn best(&self, results: &Results, peers: &[&str]) -> Option<(&'static str, f64)> {
        let peers = STORES.iter().filter(|(store, _)| match peers {
            [] => !NO_PEERS.contains(store),
            _ => peers.contains(store),
        });
        let cells =
            peers.filter_map(|(store, name)| Some((*name, self.cell(results, store)?.value)));
        match self.rising() {
            true => cells.max_by(|a, b| a.1.total_cmp(&b.1)),
            false => cells.min_by(|a, b| a.1.total_cmp(&b.1)),
        }
    }

    pub fn verdicts(&self, results: &Results) -> Vec<Verdict> {
        let Some(ours) = self.cell(results, "ours").map(|cell| cell.value) else {
            return Vec::new();
        };
        let verdict = |goal: &Goal| {
            Some(match goal {
                Goal::Ratio(least, peers) => {
                    let (name, best) = self.best(results, peers)?;
                    let ratio = best / ours;
                    Verdict {
                        found: format!("{} ({name})", round(ratio)),
                        goal: format!("≥ {least}"),
                        reached: ratio >= *least,
                    }
                }
                Goal::AtMost(most) => Verdict {
                    found: format!("ours {}", round(ours)),
                    goal: format!("≤ {most} {}", self.unit),
                    reached: ours <= *most,
                },
                Goal::AtLeast(least) => Verdict {
                    found: format!("ours {}", round(ours)),
                    goal: format!("≥ {least} {}", self.unit),
                    reached: ours >= *least,
                },
                Goal::Mark(times, plus) => {
                    let marks = MARKS.iter();
                    let (name, mark) = marks
                        .filter_map(|mark| Some((mark, self.cell(results, mark)?.value)))
                        .next()?;
                    let most = mark * times + plus;
                    let name = if *name == "bare" {
                        "a bare write"
                    } else {
                        "an idle loop"
                    };
                    Verdict {
                        found: format!("ours {}, {name} {}", round(ours), round(mark)),
                        goal: format!("≤ {} {}", round(most), self.unit),
                        reached: ours <= most,
                    }
                }
            })
        };
        self.goals.iter().filter_map(verdict).collect()
    }
}

/// Three digits that count.
pub fn round(value: f64) -> String {
    let digits = match value.abs() {
        0.0 => 0,
        v if v < 0.0995 => 3,
        v if v < 9.95 => 2,
        v if v < 99.5 => 1,
        _ => 0,
    };
    format!("{value:.digits$}")
}

/// All rows of which there is something, one table for each section.
pub fn markdown(results: &Results) -> String {
    let mut text = String::new();
    let mut section = "";
    let present = |store: &str| results.samples.iter().any(|sample| sample.store == store);
    let stores: Vec<_> = STORES.iter().filter(|(store, _)| present(store)).collect();
    for row in ROWS {
        let cells: Vec<_> = stores
            .iter()
            .map(|(store, _)| row.cell(results, store))
            .collect();
        if cells.iter().all(|cell| cell.is_none()) {
            continue;
        }
        if section != row.section {
            section = row.section;
            let _ = write!(text, "\n**{section}**\n\n| | |");
            for (_, name) in &stores {
                let _ = write!(text, " {name} |");
            }
            let _ = write!(text, " best peer ÷ ours | to reach | |\n|---|---|");
            text += &"---:|".repeat(stores.len());
            text += "---:|---:|---|\n";
        }
        let _ = write!(text, "| {} | {} |", row.title, row.unit);
        for cell in cells {
            let _ = match cell {
                Some(Cell {
                    value,
                    cpu: Some(cpu),
                }) => {
                    write!(text, " {} · {} |", round(value), round(cpu))
                }
                Some(Cell { value, cpu: None }) => write!(text, " {} |", round(value)),
                None => write!(text, " |"),
            };
        }
        let verdicts = row.verdicts(results);
        let column = |of: fn(&Verdict) -> &str| {
            let column: Vec<_> = verdicts.iter().map(of).collect();
            column.join("<br>")
        };
        let found = column(|verdict| &verdict.found);
        let goal = column(|verdict| &verdict.goal);
        let reached = column(|verdict| if verdict.reached { "yes" } else { "no" });
        let _ = writeln!(text, " {found} | {goal} | {reached} |");
    }
    text + "\n" + &conditions(results)
}

/// Machine, versions, rounds and failures.
fn conditions(results: &Results) -> String {
    let mut text = "Medians, wall time · processor time of all threads.".to_owned();
    // Runs under the same conditions are told of together.
    let mut told: Vec<&Run> = Vec::new();
    for run in results.runs.values() {
        if told.contains(&run) {
            continue;
        }
        told.push(run);
        let same = results.runs.iter().filter(|(_, other)| *other == run);
        let begins: Vec<_> = same.map(|(begin, _)| &begin[..]).collect();
        let samples = results.samples.iter();
        let samples: Vec<_> = samples
            .filter(|sample| begins.contains(&&sample.run[..]))
            .collect();
        let suites: BTreeSet<_> = samples.iter().map(|sample| &sample.suite[..]).collect();
        let stores: BTreeSet<_> = samples.iter().map(|sample| &sample.store[..]).collect();
        let rounds = |suite: &&str| {
            let rounds = samples.iter().filter(|sample| sample.suite == **suite);
            let rounds = rounds.map(|sample| sample.round).max().unwrap_or(0);
            format!("{suite} {rounds}")
        };
        let versions = run.machine.versions.iter();
        let versions = versions.filter(|(store, _)| stores.contains(&store[..]));
        let _ = write!(
            text,
            "\n\n{} to {}: {}; {} records. Versions: {}. Rounds: {}.",
            begins[0],
            begins[begins.len() - 1],
            run.machine.description,
            run.records,
            versions
                .map(|(store, version)| format!("{store} {version}"))
                .collect::<Vec<_>>()
                .join(", "),
            suites.iter().map(rounds).collect::<Vec<_>>().join(", "),
        );
    }
    let mut failures: Vec<_> = results
        .samples
        .iter()
        .filter_map(|s| {
            Some(format!(
                "{} of {}: {}",
                s.suite,
                s.store,
                s.failure.as_ref()?
            ))
        })
        .collect();
    failures.dedup();
    if !failures.is_empty() {
        let _ = write!(text, "\n\nFailed: {}.", failures.join("; "));
    }
    text + "\n"
}
