//! `lsmlite archive list`.

use clap::Args;
use lsmlite_rs::archive::{Entry, EntryKind};
use lsmlite_rs::dump::Encoding;

use super::{File, failure};
use crate::context::Context;
use crate::exit::Outcome;
use crate::exit::Status;
use crate::output::Output;
use crate::records::{Format, csv_field};

/// List what is in an archive
#[derive(Args)]
#[command(after_help = "\
Examples:
  lsmlite archive list src.lsm
  lsmlite archive list src.lsm --format json

Text is permissions, bytes, time (UTC) and path, in which other bytes than printable ones are
escaped as in the other commands.")]
pub struct List {
    #[command(flatten)]
    file: File,
    /// What the output looks like
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    format: Format,
}

impl List {
    pub fn run(self, _: &Context) -> Outcome {
        let archive = self.file.open()?;
        let mut out = Output::new();
        if self.format == Format::Csv {
            out.line("path,kind,mode,size,modified,hash,target")?;
        }
        let mut line = String::new();
        for entry in archive.entries() {
            let entry = entry.map_err(|error| failure(error, archive.path()))?;
            line.clear();
            match self.format {
                Format::Text => text(&entry, &mut line),
                Format::Json => json(&entry, &mut line),
                Format::Csv => csv(&entry, &mut line),
            }
            out.line(&line)?;
        }
        out.finish()?;
        Ok(Status::Done)
    }
}

fn path_bytes(path: &std::path::Path) -> &[u8] {
    path.as_os_str().as_encoded_bytes()
}

fn kind(entry: &Entry) -> (&'static str, char) {
    match entry.kind() {
        EntryKind::Folder => ("folder", 'd'),
        EntryKind::Link => ("link", 'l'),
        _ => ("file", '-'),
    }
}

fn hex(entry: &Entry) -> Option<String> {
    let hash = entry.hash()?;
    Some(hash.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn text(entry: &Entry, line: &mut String) {
    line.push(kind(entry).1);
    line.push_str(&permissions(entry.mode()));
    let time = time(entry.modified_parts());
    line.push_str(&format!(" {:>11} {} ", entry.size(), time[..19].replace('T', " ")));
    Encoding::Text.encode_into(path_bytes(entry.path()), line);
    if let Some(target) = entry.target() {
        line.push_str(" -> ");
        Encoding::Text.encode_into(path_bytes(target), line);
    }
}

fn json(entry: &Entry, line: &mut String) {
    line.push_str("{\"path\":");
    Encoding::Json.encode_into(path_bytes(entry.path()), line);
    line.push_str(&format!(
        ",\"kind\":\"{}\",\"mode\":\"{:04o}\",\"size\":{},\"modified\":\"{}\"",
        kind(entry).0,
        entry.mode(),
        entry.size(),
        time(entry.modified_parts())
    ));
    if let Some(hash) = hex(entry) {
        line.push_str(&format!(",\"hash\":\"{hash}\""));
    }
    if let Some(target) = entry.target() {
        line.push_str(",\"target\":");
        Encoding::Json.encode_into(path_bytes(target), line);
    }
    line.push('}');
}

fn csv(entry: &Entry, line: &mut String) {
    let encoded = |bytes| {
        let mut field = String::new();
        Encoding::Text.encode_into(bytes, &mut field);
        field
    };
    csv_field(&encoded(path_bytes(entry.path())), line);
    line.push_str(&format!(
        ",{},{:04o},{},{},{},",
        kind(entry).0,
        entry.mode(),
        entry.size(),
        time(entry.modified_parts()),
        hex(entry).unwrap_or_default()
    ));
    if let Some(target) = entry.target() {
        csv_field(&encoded(path_bytes(target)), line);
    }
}

/// As `ls -l` has them.
fn permissions(mode: u32) -> String {
    let mut text = String::new();
    for (shift, special, mark) in [(6, 0o4000, 's'), (3, 0o2000, 's'), (0, 0o1000, 't')] {
        let bits = mode >> shift;
        text.push(if bits & 4 != 0 { 'r' } else { '-' });
        text.push(if bits & 2 != 0 { 'w' } else { '-' });
        text.push(match (bits & 1 != 0, mode & special != 0) {
            (true, false) => 'x',
            (false, false) => '-',
            (true, true) => mark,
            (false, true) => mark.to_ascii_uppercase(),
        });
    }
    text
}

/// In UTC, as in RFC 3339, with nanoseconds.
fn time((seconds, nanoseconds): (i64, u32)) -> String {
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = date(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!(
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{nanoseconds:09}Z"
    )
}

/// Year, month and day of a number of days since 1970, in the Gregorian calendar. Years are
/// counted from March here, so that a leap day is the last of its year.
fn date(days: i64) -> (i64, i64, i64) {
    const PER_CYCLE: i64 = 146_097; // 400 years
    let since_march_0000 = days + 719_468;
    let cycle = since_march_0000.div_euclid(PER_CYCLE);
    let day = since_march_0000.rem_euclid(PER_CYCLE);
    // Without the leap days so far, all years have 365 days.
    let year = (day - day / 1460 + day / 36_524 - day / (PER_CYCLE - 1)) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    // From March on, five months have 153 days.
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (cycle * 400 + year + next, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_follows_the_one_before() {
        let is_leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let mut expected = (1970, 1, 1);
        for days in 0..200_000 {
            assert_eq!(date(days), expected, "{days}");
            let (year, month, day) = expected;
            let last = match month {
                2 => 28 + i64::from(is_leap(year)),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            expected = match (day == last, month == 12) {
                (false, _) => (year, month, day + 1),
                (true, false) => (year, month + 1, 1),
                (true, true) => (year + 1, 1, 1),
            };
        }
        assert_eq!(time((-1, 7)), "1969-12-31T23:59:59.000000007Z");
    }

    #[test]
    fn permissions_are_those_of_ls() {
        assert_eq!(permissions(0o4755), "rwsr-xr-x");
        assert_eq!(permissions(0o1666), "rw-rw-rwT");
        assert_eq!(permissions(0o2010), "-----s---");
    }
}
