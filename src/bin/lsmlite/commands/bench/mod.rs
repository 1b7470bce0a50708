//! `lsmlite bench`: a short load test on the user's own disk.

mod draw;
mod load;
mod measure;
mod report;

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use lsmlite_rs::config::Preset;
use lsmlite_rs::{LsmDb, LsmDbBuilder};

use crate::context::Context;
use crate::database::Seconds;
use crate::exit::{Failure, Outcome, Status};
use crate::interrupt::{self, Draft};
use crate::new_file::NewFile;
use crate::records::Format;
use load::{Bed, KEY_BYTES, Load};
use report::Report;

/// Measure how fast this disk and processor are with a database
///
/// Makes a temporary database in a folder, and removes it in the end. What is there already is left
/// alone. Reads come after the database was closed and opened again, and find it in the system's
/// cache, unless it is larger than that.
///
///   fill         inserts in the order of keys into a new database
///   fill-random  inserts in random order into a new database; what follows works on that
///   read         reads of single records that are there
///   missing      reads of keys that aren't
///   scan         100 records in order, from a random key on
///   mixed        half reads, half replacements
///   commit       inserts that are synced one by one
///   disk         128 bytes of a file overwritten and synced, without a database
///
/// Several threads share one writer, which commits for all of them at once.
#[derive(Args)]
#[command(verbatim_doc_comment)]
#[command(after_help = "\
Examples:
  lsmlite bench
  lsmlite bench /mnt/data --records 5000000 --seconds 20 --preset write-heavy
  lsmlite bench --only fill-random,read --value-size 1000 --compression zstd
  lsmlite bench --only commit,disk --threads 8 --format json

Latencies are of single operations; ten thousand of them say little about p99.99.
Bytes written are those that the system counted for the process, log included, up to the
end of closing. Where each commit is synced it counts too much; there they are those of the
disk, others' included. Write amplification is their ratio to the bytes of keys and values.")]
pub struct Bench {
    /// Where: a folder, or a file, which is left alone, in it
    #[arg(value_name = "FOLDER", default_value = ".")]
    place: PathBuf,
    /// Only these, separated by commas
    #[arg(short, long, value_name = "LOADS", value_delimiter = ',')]
    only: Vec<Load>,
    /// How many records to fill in, at most
    #[arg(short = 'n', long, value_name = "N", default_value = "500000",
          value_parser = clap::value_parser!(u64).range(1..=1_000_000_000_000))]
    records: u64,
    /// Bytes of a value; half of them can be compressed. A key has 16
    #[arg(long, value_name = "BYTES", default_value = "100",
          value_parser = clap::value_parser!(u32).range(0..=64 << 20))]
    value_size: u32,
    /// How long each of them may take
    #[arg(short, long, value_name = "SECONDS", default_value = "3")]
    seconds: Seconds,
    /// How many threads work at the same time
    #[arg(long, value_name = "N", default_value = "1",
          value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: u16,
    /// Settings for a purpose
    #[arg(long, value_name = "NAME")]
    preset: Option<PresetName>,
    #[command(flatten)]
    new_file: NewFile,
    /// What the output looks like: an object or a row for each load
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    format: Format,
}

/// The library's presets on the command line.
#[derive(Copy, Clone, ValueEnum)]
enum PresetName {
    WriteHeavy,
    Archive,
    LowLatency,
    SmallMemory,
}

impl PresetName {
    fn preset(self) -> Preset {
        match self {
            PresetName::WriteHeavy => Preset::WriteHeavy,
            PresetName::Archive => Preset::Archive,
            PresetName::LowLatency => Preset::LowLatency,
            PresetName::SmallMemory => Preset::SmallMemory,
        }
    }
}

impl Bench {
    pub fn run(self, context: &Context) -> Outcome {
        interrupt::polling();
        let folder = folder(&self.place)?;
        self.check_space(&folder)?;
        let draft = Draft::beside(&folder.join("bench"));
        let bed = Bed::new(&folder, draft.path(), self.builder(), &self);
        let mut report = Report::new(self.format, self.conditions(&folder))?;
        for load in self.loads() {
            let measured = bed.measure(load, context)?;
            report.add(&measured)?;
        }
        report.finish()?;
        Ok(Status::Done)
    }

    fn loads(&self) -> Vec<Load> {
        let all = Load::value_variants().iter().copied();
        all.filter(|load| self.only.is_empty() || self.only.contains(load)).collect()
    }

    fn builder(&self) -> LsmDbBuilder {
        let builder = match self.preset {
            Some(name) => LsmDb::builder().preset(name.preset()),
            None => LsmDb::builder(),
        };
        self.new_file.apply(builder)
    }

    /// Refuses to fill the disk.
    fn check_space(&self, folder: &Path) -> Result<(), Failure> {
        #[cfg(unix)]
        {
            // Fails where the first write will say why.
            let Ok(disk) = rustix::fs::statvfs(folder) else {
                return Ok(());
            };
            let free = disk.f_bavail.saturating_mul(disk.f_frsize);
            // Merging takes as much again, and then there are the log and blocks.
            let content = self.records.saturating_mul(KEY_BYTES + u64::from(self.value_size));
            let needed = content.saturating_mul(3).saturating_add(64 << 20);
            if needed > free {
                let message = format!(
                    "there may be too little space in {}: about {} may be needed, {} are free",
                    folder.display(),
                    crate::report::bytes(needed),
                    crate::report::bytes(free)
                );
                let advice = "choose fewer --records, a smaller --value-size or another folder";
                return Err(Failure::new(Status::Failed, message).with_advice(advice));
            }
        }
        Ok(())
    }

    /// What the figures hold for.
    fn conditions(&self, folder: &Path) -> Vec<(&'static str, serde_json::Value)> {
        let name = |value: Option<String>| value.unwrap_or_else(|| "default".to_owned());
        let preset = self.preset.as_ref().and_then(ValueEnum::to_possible_value);
        let codec = self.new_file.compression.map(|codec| format!("{:?}", codec.0));
        vec![
            ("version", env!("CARGO_PKG_VERSION").into()),
            ("folder", folder.to_string_lossy().into()),
            ("records", self.records.into()),
            ("key_bytes", KEY_BYTES.into()),
            ("value_bytes", self.value_size.into()),
            ("seconds", self.seconds.0.as_secs_f64().into()),
            ("threads", self.threads.into()),
            ("preset", name(preset.map(|value| value.get_name().to_owned())).into()),
            ("compression", name(codec).into()),
            ("page_checksums", self.new_file.page_checksums().unwrap_or(false).into()),
        ]
    }
}

/// The folder itself, or that of a file.
fn folder(place: &Path) -> Result<PathBuf, Failure> {
    let metadata = place.metadata().map_err(|error| Failure::io("look at", place, &error))?;
    if metadata.is_dir() {
        return Ok(place.to_owned());
    }
    let folder = place.parent().filter(|folder| !folder.as_os_str().is_empty());
    Ok(folder.unwrap_or(Path::new(".")).to_owned())
}
