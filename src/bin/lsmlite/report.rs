//! Reports: lines of names and values for people, or one JSON object.

use clap::{Args, ValueEnum};
use serde_json::Value;

use crate::exit::Failure;
use crate::output::Output;

/// What a report looks like.
#[derive(Copy, Clone, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// For people
    Text,
    /// One object on one line
    Json,
}

/// How to print a report.
#[derive(Args)]
pub struct Reporting {
    /// What the output looks like
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub format: ReportFormat,
}

impl Reporting {
    /// Prints one of them, with a newline.
    pub fn print(
        &self,
        text: impl FnOnce() -> String,
        json: impl FnOnce() -> Value,
    ) -> Result<(), Failure> {
        let mut out = Output::new();
        match self.format {
            ReportFormat::Text => out.line(text().trim_end_matches('\n'))?,
            ReportFormat::Json => out.line(&json().to_string())?,
        }
        out.finish()
    }
}

/// What can be serialised, as JSON.
pub fn json(value: &impl serde_core::Serialize) -> Value {
    serde_json::to_value(value).unwrap_or(Value::Null)
}

/// Lines of a name and a value, the values one below the other.
#[derive(Default)]
pub struct Lines(Vec<(String, String)>);

impl Lines {
    pub fn add(&mut self, name: impl Into<String>, value: impl ToString) {
        self.0.push((name.into(), value.to_string()));
    }

    pub fn text(&self) -> String {
        let width = self
            .0
            .iter()
            .map(|(name, _)| name.chars().count())
            .max()
            .unwrap_or(0);
        let lines = self
            .0
            .iter()
            .map(|(name, value)| format!("{name:width$}  {value}\n"));
        lines.collect()
    }
}

/// 1234567 as `1,234,567`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `0 records`, `1 record`, `2,000 records`.
pub fn count(number: u64, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        n => format!("{} {what}s", grouped(n)),
    }
}

/// Bytes for people: `1,234 bytes` or `1.2 MiB (1,234,567 bytes)`.
pub fn bytes(number: u64) -> String {
    match number {
        0..10_000 => short(number),
        _ => format!("{} ({} bytes)", short(number), grouped(number)),
    }
}

/// Bytes for people in a hurry: `1,234 bytes` or `1.2 MiB`.
pub fn short(number: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB"];
    let mut size = number as f64 / 1024.0;
    let mut unit = 0;
    while size >= 1024.0 && unit + 1 < units.len() {
        size /= 1024.0;
        unit += 1;
    }
    match number {
        0..10_000 => count(number, "byte"),
        _ => format!("{size:.1} {}", units[unit]),
    }
}

/// A time for people.
pub fn time(nanoseconds: u64) -> String {
    let n = nanoseconds as f64;
    let (value, unit) = match nanoseconds {
        0..1_000 => return format!("{nanoseconds} ns"),
        1_000..1_000_000 => (n / 1e3, "µs"),
        1_000_000..1_000_000_000 => (n / 1e6, "ms"),
        _ => (n / 1e9, "s"),
    };
    let digits = match value {
        0.0..9.995 => 2,
        9.995..99.95 => 1,
        _ => 0,
    };
    format!("{value:.digits$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_readable() {
        assert_eq!(bytes(0), "0 bytes");
        assert_eq!(bytes(1), "1 byte");
        assert_eq!(bytes(9999), "9,999 bytes");
        assert_eq!(bytes(1 << 20), "1.0 MiB (1,048,576 bytes)");
        assert_eq!(
            bytes(u64::MAX),
            "16777216.0 TiB (18,446,744,073,709,551,615 bytes)"
        );
    }

    #[test]
    fn times_have_three_digits() {
        assert_eq!(time(999), "999 ns");
        assert_eq!(time(1_000), "1.00 µs");
        assert_eq!(time(12_345), "12.3 µs");
        assert_eq!(time(999_499), "999 µs");
        assert_eq!(time(2_500_000_000), "2.50 s");
    }
}
