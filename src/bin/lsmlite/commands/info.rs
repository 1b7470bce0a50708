//! `lsmlite info`: what a file looks like, without opening it as a database.

use std::path::{Path, PathBuf};

use clap::Args;
use lsmlite_rs::CheckpointState;
use lsmlite_rs::inspect::{FileInfo, LevelInfo, file_info};

use crate::context::Context;
use crate::database::{check, explain};
use crate::exit::{Outcome, Status};
use crate::report::{Lines, Reporting, bytes, count, grouped, json};

/// Print what a file looks like: sizes, codec, levels, free blocks, log
///
/// Reads the header and the links between blocks, and nothing else: also of a file that is in use,
/// without locking it. It is as of the last checkpoint then.
#[derive(Args)]
#[command(after_help = "\
Examples:
  lsmlite info cities.lsm
  lsmlite info cities.lsm --format json")]
pub struct Info {
    /// The database file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    reporting: Reporting,
}

impl Info {
    pub fn run(self, _: &Context) -> Outcome {
        check(&self.file, false)?;
        print(&self.file, &self.reporting)
    }
}

pub fn print(file: &Path, reporting: &Reporting) -> Outcome {
    let info = file_info(file).map_err(|error| explain(error, file))?;
    reporting.print(|| text(&info), || json(&info))?;
    Ok(Status::Done)
}

fn text(info: &FileInfo) -> String {
    let mut lines = Lines::default();
    lines.add("file", bytes(info.file_bytes));
    match info.log_bytes {
        None => lines.add("log", "none"),
        Some(n) => lines.add(
            "log",
            format!(
                "{}, with {} that the file hasn't yet",
                bytes(n),
                count(info.log_transactions, "transaction")
            ),
        ),
    }
    let headers = info.checkpoints.map(|state| match state {
        CheckpointState::Empty => "empty".to_owned(),
        CheckpointState::Valid(number) => format!("checkpoint {number}"),
        _ => "damaged".to_owned(),
    });
    lines.add("header pages", headers.join(", "));
    let Some(layout) = &info.layout else {
        lines.add("content", "nothing was written to the file yet");
        return lines.text();
    };
    let codec = match layout.codec {
        "zstd-dictionary" => format!(
            "zstd with dictionary {}, its id is {}",
            layout.codec_id / 1_000_000 - 100,
            layout.codec_id
        ),
        "unknown" => format!("unknown, its id is {}", layout.codec_id),
        codec => codec.to_owned(),
    };
    lines.add("codec", codec);
    lines.add("page checksums", if layout.page_checksums { "yes" } else { "no" });
    lines.add("page size", bytes(layout.page_size_bytes.into()));
    lines.add("block size", format!("{} KiB", layout.block_size_kib));
    lines.add(
        "blocks",
        format!("{}, {} of them free", layout.blocks, layout.free_blocks),
    );
    lines.add("pages written", grouped(layout.pages_written.into()));
    for (number, level) in layout.levels.iter().enumerate() {
        lines.add(format!("level {number}"), of_level(level));
    }
    lines.text()
}

fn of_level(level: &LevelInfo) -> String {
    let mut segments = level.segments.iter().map(|segment| match segment.bytes {
        Some(n) => bytes(n),
        None => "of unknown size, as the links of its blocks are damaged".to_owned(),
    });
    let first = segments.next().unwrap_or_default();
    let rest: Vec<_> = segments.collect();
    match rest.is_empty() {
        true => format!("one run, {first}"),
        false => format!("{first}, being merged from {}", rest.join(", ")),
    }
}
