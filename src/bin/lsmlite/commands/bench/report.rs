//! What was measured, as text, JSON lines or CSV.

use clap::ValueEnum;
use serde_json::{Map, Value, json};

use super::draw::{bars, buckets};
use super::load::{Load, SCAN_RECORDS};
use super::measure::{Done, Usage};
use crate::exit::Failure;
use crate::output::Output;
use crate::records::{Format, csv_field};
use crate::report::{bytes, grouped, time};
use crate::terminal;

/// What a load has shown.
pub struct Measured {
    pub load: Load,
    pub done: Done,
    pub usage: Usage,
    /// Bytes of keys and values; `None`: it isn't about writing records.
    pub inserted_bytes: Option<u64>,
}

const QUANTILES: [(&str, f64); 5] =
    [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("p99.99", 0.9999)];

impl Measured {
    fn name(&self) -> String {
        let value = self.load.to_possible_value();
        value.map_or(String::new(), |value| value.get_name().to_owned())
    }

    fn per_second(&self) -> f64 {
        self.done.operations as f64 / self.done.time.as_secs_f64().max(1e-9)
    }

    fn is_synced(&self) -> bool {
        matches!(self.load, Load::Commit | Load::Disk)
    }

    /// `None` where nothing is counted, as in a file system in memory.
    fn written_bytes(&self) -> Option<u64> {
        let written = match self.is_synced() {
            true => self.usage.disk_written,
            false => self.usage.written,
        };
        written.filter(|&written| written > 0)
    }

    fn write_amplification(&self) -> Option<f64> {
        let inserted = self.inserted_bytes.filter(|&inserted| inserted > 0)?;
        Some(self.written_bytes()? as f64 / inserted as f64)
    }

    fn cpu_seconds(&self) -> Option<f64> {
        Some(self.usage.cpu?.as_secs_f64())
    }

    fn latencies(&self) -> Vec<(&'static str, u64)> {
        let latency = &self.done.latency;
        let mut latencies: Vec<_> = QUANTILES
            .iter()
            .map(|&(name, quantile)| (name, latency.value_at_quantile(quantile)))
            .collect();
        latencies.push(("max", latency.max()));
        latencies
    }
}

/// Prints each load as soon as it has ended.
pub struct Report {
    out: Output,
    format: Format,
    conditions: Vec<(&'static str, Value)>,
}

impl Report {
    pub fn new(
        format: Format,
        conditions: Vec<(&'static str, Value)>,
    ) -> Result<Report, Failure> {
        let mut out = Output::new();
        match format {
            Format::Text => {
                let shown = |value: &Value| match value {
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                };
                let parts = conditions.iter().map(|(name, value)| {
                    format!("{} {}", name.replace('_', " "), shown(value))
                });
                out.line(&parts.collect::<Vec<_>>().join(", "))?;
            }
            Format::Csv => {
                let names = ["load", "operations", "seconds", "per_second", "cpu_seconds"];
                let more = ["inserted_bytes", "written_bytes", "write_amplification"];
                let quantiles = QUANTILES.map(|(name, _)| format!("{name}_ns"));
                let quantiles = quantiles.iter().map(|name| name.as_str()).chain(["max_ns"]);
                let names = names.into_iter().chain(more).chain(quantiles);
                out.line(&names.collect::<Vec<_>>().join(","))?;
            }
            Format::Json => {}
        }
        out.flush()?;
        Ok(Report { out, format, conditions })
    }

    pub fn add(&mut self, measured: &Measured) -> Result<(), Failure> {
        let line = match self.format {
            Format::Text => text(measured),
            Format::Json => self.object(measured).to_string(),
            Format::Csv => row(measured),
        };
        self.out.line(&line)?;
        self.out.flush()
    }

    pub fn finish(self) -> Result<(), Failure> {
        self.out.finish()
    }

    fn object(&self, measured: &Measured) -> Value {
        let latencies = measured.latencies();
        let latencies = latencies.into_iter().map(|(name, ns)| (name.to_owned(), json!(ns)));
        let conditions = self.conditions.iter();
        let conditions = conditions.map(|(name, value)| ((*name).to_owned(), value.clone()));
        json!({
            "load": measured.name(),
            "operations": measured.done.operations,
            "records_per_operation": if measured.load == Load::Scan { SCAN_RECORDS } else { 1 },
            "seconds": measured.done.time.as_secs_f64(),
            "per_second": measured.per_second(),
            "cpu_seconds": measured.cpu_seconds(),
            "inserted_bytes": measured.inserted_bytes,
            "written_bytes": measured.written_bytes(),
            "write_amplification": measured.write_amplification(),
            "latency_ns": latencies.collect::<Map<_, _>>(),
            "histogram_ns": buckets(&measured.done.latency),
            "conditions": conditions.collect::<Map<_, _>>(),
        })
    }
}

fn text(measured: &Measured) -> String {
    let operation = match measured.load {
        Load::Fill | Load::FillRandom => "inserts",
        Load::Read | Load::Missing => "reads",
        Load::Scan => "scans of 100 records",
        Load::Mixed => "reads and replacements",
        Load::Commit => "synced commits",
        Load::Disk => "overwrites of 128 bytes, synced",
    };
    let mut text = format!(
        "\n{}: {}/s, {} {operation} in {:.2} s",
        measured.name(),
        grouped(measured.per_second().round() as u64),
        grouped(measured.done.operations),
        measured.done.time.as_secs_f64()
    );
    if let Some(cpu) = measured.cpu_seconds() {
        text += &format!(", {cpu:.2} s of processor time");
    }
    text.push('\n');
    if measured.inserted_bytes.is_some() {
        let who = if measured.is_synced() { "the disk wrote" } else { "written" };
        text += &match (measured.written_bytes(), measured.write_amplification()) {
            (Some(written), Some(factor)) => {
                format!("  {who} {}, {factor:.2} × keys and values\n", bytes(written))
            }
            _ => "  bytes written aren't counted here\n".to_owned(),
        };
    }
    let latencies = measured.latencies();
    let latencies = latencies.iter().map(|(name, ns)| format!("{name} {}", time(*ns)));
    text += &format!("  {}\n", latencies.collect::<Vec<_>>().join(", "));
    text += &bars(&measured.done.latency, terminal::columns());
    text.pop();
    text
}

fn row(measured: &Measured) -> String {
    let number = |number: Option<f64>| number.map_or(String::new(), |n| format!("{n:.3}"));
    let count = |count: Option<u64>| count.map_or(String::new(), |n| n.to_string());
    let mut line = String::new();
    csv_field(&measured.name(), &mut line);
    let cells = [
        measured.done.operations.to_string(),
        number(Some(measured.done.time.as_secs_f64())),
        number(Some(measured.per_second())),
        number(measured.cpu_seconds()),
        count(measured.inserted_bytes),
        count(measured.written_bytes()),
        number(measured.write_amplification()),
    ];
    let latencies = measured.latencies().into_iter().map(|(_, ns)| ns.to_string());
    for cell in cells.into_iter().chain(latencies) {
        line.push(',');
        line.push_str(&cell);
    }
    line
}
