//! `lsmlite stat`: what the engine says of a database, and how much is in it.

use std::path::Path;

use clap::Args;
use lsmlite_rs::{DbStats, LsmDb, LsmError};
use serde_json::{Value, json};

use crate::context::Context;
use crate::database::{Database, explain};
use crate::exit::{Outcome, Status};
use crate::interrupt;
use crate::report::{Lines, Reporting, bytes, count, grouped};

/// Print what the engine says of a database: sorted runs, memory, log, debts
///
/// Opens it for writing, as the engine tells it only then. A log of a process that died is
/// recovered first.
#[derive(Args)]
#[command(after_help = "\
Examples:
  lsmlite stat cities.lsm
  lsmlite stat cities.lsm --records
  lsmlite stat shared.lsm --multi-process --format json")]
pub struct Stat {
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    wanted: Wanted,
}

/// What is told.
#[derive(Args)]
pub struct Wanted {
    /// Also count the records and their bytes in every table: reads everything
    #[arg(short, long)]
    records: bool,
    #[command(flatten)]
    reporting: Reporting,
}

/// Records, bytes of keys, bytes of values.
type Content = [u64; 3];

impl Stat {
    pub fn run(self, _: &Context) -> Outcome {
        let db = self.database.open_to_write()?;
        self.wanted.print(&db, &self.database.file)?;
        db.close().map_err(|error| explain(error, &self.database.file))?;
        Ok(Status::Done)
    }
}

impl Wanted {
    pub fn print(&self, db: &LsmDb, file: &Path) -> Outcome {
        let failed = |error: LsmError| explain(error, file);
        let stats = db.stats().map_err(failed)?;
        let mut contents = Vec::new();
        if self.records {
            let mut plain: Content = [0; 3];
            let mut records = db.iter();
            while let Some((key, value)) = records.next_ref().map_err(failed)? {
                interrupt::check()?;
                plain[0] += 1;
                plain[1] += key.len() as u64;
                plain[2] += value.len() as u64;
            }
            contents.push((None, plain));
            for name in db.tables().map_err(failed)? {
                let stats = db.read_table(&name).and_then(|table| table.stats()).map_err(failed)?;
                contents.push((Some(name), [stats.records, stats.key_bytes, stats.value_bytes]));
            }
        }
        self.reporting.print(|| text(&stats, &contents), || object(&stats, &contents))?;
        Ok(Status::Done)
    }
}

fn text(stats: &DbStats, contents: &[(Option<String>, Content)]) -> String {
    let mut lines = Lines::default();
    for (number, level) in stats.levels.iter().enumerate() {
        let mut value = format!("{}, age {}", bytes(level.bytes), level.age);
        if level.is_merging() {
            let inputs = level.merging_bytes.iter().map(|&n| bytes(n));
            value += &format!(", being merged from {}", inputs.collect::<Vec<_>>().join(", "));
        }
        lines.add(format!("level {number}"), value);
    }
    let runs = count(stats.segments() as u64, "sorted run");
    lines.add("in all", format!("{runs}, {}", bytes(stats.segment_bytes())));
    lines.add(
        "blocks",
        format!("{} of {} KiB, {} of them free", stats.blocks, stats.block_size_kib, stats.free_blocks),
    );
    lines.add("pages", bytes(stats.page_size_bytes.into()));
    lines.add("pages written", grouped(stats.pages_written_in_total.into()));
    lines.add(
        "memory",
        format!("{} KiB, and {} KiB that wait to be written", stats.live_tree_kib, stats.waiting_tree_kib),
    );
    lines.add("log", bytes(stats.log_bytes));
    lines.add("since the last checkpoint", format!("{} KiB", stats.checkpoint_debt_kib));
    for (name, [records, keys, values]) in contents {
        let name = match name {
            Some(name) => format!("table {name}"),
            None => "plain keys".to_owned(),
        };
        lines.add(
            name,
            format!("{}, keys of {}, values of {}", count(*records, "record"), bytes(*keys), bytes(*values)),
        );
    }
    lines.text()
}

fn object(stats: &DbStats, contents: &[(Option<String>, Content)]) -> Value {
    let mut object = crate::report::json(stats);
    if !contents.is_empty() {
        let contents = contents.iter().map(|(table, [records, keys, values])| {
            json!({ "table": table, "records": records, "key_bytes": keys, "value_bytes": values })
        });
        object["content"] = contents.collect();
    }
    object
}
