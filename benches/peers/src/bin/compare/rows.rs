//! The rows of the table: what a number is made of, and what it should reach.

/// What is made of the numbers of a phase.
#[derive(Copy, Clone)]
pub enum Measure {
    /// Microseconds for each operation, wall and processor.
    Each(&'static str),
    /// A number of a phase as it is, times a factor.
    Number(&'static str, &'static str, f64),
    /// Seconds of the whole phase, wall and processor.
    Whole(&'static str),
    /// How many operations a second the second phase does, for each one of the first.
    Gain(&'static str, &'static str),
    /// Millions of operations a second.
    Rate(&'static str),
}

/// What ours should reach.
#[derive(Copy, Clone)]
pub enum Goal {
    /// The number of the best of these peers ÷ ours, at least. No names: of all.
    Ratio(f64, &'static [&'static str]),
    /// Ours alone: at most, at least.
    AtMost(f64),
    AtLeast(f64),
    /// Ours is at most the mark's times this, plus this.
    Mark(f64, f64),
}

pub struct Row {
    pub suite: &'static str,
    pub id: &'static str,
    pub title: &'static str,
    pub unit: &'static str,
    pub measure: Measure,
    pub goals: &'static [Goal],
    pub section: &'static str,
}

use Goal::{AtLeast, AtMost, Mark, Ratio};
use Measure::{Each, Gain, Number, Rate, Whole};

const LSM: &[&str] = &["rocksdb", "fjall"];
const OTHERS: &[&str] = &["rocksdb", "fjall", "redb", "sqlite", "sled"];
const ROCKSDB: &[&str] = &["rocksdb"];

const WRITING: &str = "Writing";
const READING: &str = "Reading";
const LATENCY: &str = "Waiting";
const SPACE: &str = "Space, memory, opening";
const GROWTH: &str = "Growth";

const fn row(
    section: &'static str,
    (suite, id): (&'static str, &'static str),
    title: &'static str,
    unit: &'static str,
    measure: Measure,
    goals: &'static [Goal],
) -> Row {
    Row {
        suite,
        id,
        title,
        unit,
        measure,
        goals,
        section,
    }
}

#[rustfmt::skip] // One row a line.
pub const ROWS: &[Row] = &[
    row(WRITING, ("sequential", "insert"), "insert, sequential keys", "µs", Each("insert"), &[Ratio(1.5, &[])]),
    row(WRITING, ("random", "insert"), "insert, random keys", "µs", Each("insert"), &[Ratio(2.5, &[])]),
    row(WRITING, ("batches", "insert"), "insert in batches of 1000", "µs", Each("insert"), &[Ratio(2.0, &[])]),
    row(WRITING, ("1kib", "insert"), "insert, values of 1 KiB", "µs", Each("insert"), &[Ratio(1.5, &[])]),
    row(WRITING, ("10kib", "insert"), "insert, values of 10 KiB", "µs", Each("insert"), &[Ratio(0.5, &[]), Ratio(1.3, LSM)]),
    row(WRITING, ("ingest", "insert"), "sorted records at once", "µs", Each("insert"), &[Ratio(1.0, &[])]),
    row(WRITING, ("sync", "insert"), "commit with a sync", "µs", Each("insert"), &[Mark(1.1, 0.0), Ratio(1.0, &[])]),
    row(READING, ("random", "get-loaded"), "get, right after loading", "µs", Each("get-loaded"), &[Ratio(0.8, &[])]),
    row(READING, ("random", "get-compacted"), "get, compacted", "µs", Each("get-compacted"), &[Ratio(1.1, &[])]),
    row(READING, ("random", "missing-loaded"), "get of a missing key, right after loading", "µs", Each("missing-loaded"), &[Ratio(1.0, &[])]),
    row(READING, ("random", "missing-compacted"), "get of a missing key, compacted", "µs", Each("missing-compacted"), &[Ratio(1.0, &[])]),
    row(READING, ("random", "scan-forward"), "scan forward, compacted", "µs", Each("scan-forward"), &[Ratio(0.6, &[]), Ratio(2.0, OTHERS)]),
    row(READING, ("random", "scan-reverse"), "scan in reverse, compacted", "µs", Each("scan-reverse"), &[Ratio(0.6, &[]), Ratio(2.0, OTHERS)]),
    row(READING, ("random", "scan-100"), "scans of 100 records, compacted", "µs", Each("scan-100"), &[Ratio(0.8, &[]), Ratio(2.0, OTHERS)]),
    row(READING, ("zstd", "get"), "get, zstd level 3, cache of 32 MiB", "µs", Each("get"), &[Ratio(1.0, ROCKSDB)]),
    row(READING, ("threads", "kept-2"), "gets of two threads ÷ one, cursor kept", "×", Gain("kept-1", "kept-2"), &[AtLeast(1.8)]),
    row(READING, ("threads", "anew-2"), "gets of two threads ÷ one, a cursor for each", "×", Gain("anew-1", "anew-2"), &[AtLeast(1.8)]),
    row(LATENCY, ("full", "p999"), "put p99.9 at full rate", "µs", Number("put", "p999_us", 1.0), &[Ratio(1.0, &[])]),
    row(LATENCY, ("paced", "p999"), "put p99.9 at 10,000 a second", "µs", Number("put-queue", "p999_us", 1.0), &[Ratio(1.0, &[])]),
    row(LATENCY, ("tail-10k", "p9999"), "put p99.99 at 10,000 a second for 60 s", "ms", Number("put", "p9999_us", 1e-3), &[Mark(1.0, 1.0)]),
    row(LATENCY, ("tail-200", "p9999"), "put p99.99 at 200 a second for 60 s", "ms", Number("put", "p9999_us", 1e-3), &[Mark(1.0, 1.0)]),
    row(SPACE, ("random", "disk"), "files, compacted", "MB", Number("close", "disk_bytes", 1e-6), &[Ratio(1.0, ROCKSDB)]),
    row(SPACE, ("zstd", "disk"), "files, compacted, zstd level 3", "MB", Number("close", "disk_bytes", 1e-6), &[Ratio(1.0, ROCKSDB)]),
    row(SPACE, ("zstd", "memory"), "private memory, peak, cache of 32 MiB", "MB", Number("child", "private_kib", 1.024e-3), &[Ratio(1.0, ROCKSDB)]),
    row(SPACE, ("random", "memory"), "private memory, peak, cache of 256 MiB if there is one", "MB", Number("child", "private_kib", 1.024e-3), &[]),
    row(SPACE, ("random", "mapped"), "mapped files in memory, peak", "MB", Number("child", "mapped_kib", 1.024e-3), &[]),
    row(SPACE, ("random", "loaded"), "files, right after loading", "MB", Number("insert", "disk_bytes", 1e-6), &[]),
    row(SPACE, ("random", "compact"), "compacting", "s", Whole("compact"), &[]),
    row(SPACE, ("random", "open"), "open after a clean close", "ms", Number("open", "wall_s", 1e3), &[AtMost(1.0)]),
    row(SPACE, ("crash", "recover"), "open after `kill -9`", "M records/s", Rate("recover"), &[AtLeast(1.0)]),
    row(SPACE, ("crash", "lost"), "records lost with `kill -9`", "", Number("recover", "lost", 1.0), &[]),
    row(GROWTH, ("growth-0.1", "insert"), "insert, random keys, a tenth", "µs", Each("insert"), &[]),
    row(GROWTH, ("growth-10", "insert"), "insert, random keys, × 10", "µs", Each("insert"), &[]),
    row(GROWTH, ("growth-50", "insert"), "insert, random keys, × 50", "µs", Each("insert"), &[]),
    row(GROWTH, ("growth-0.1", "get"), "get, compacted, a tenth", "µs", Each("get-compacted"), &[]),
    row(GROWTH, ("growth-10", "get"), "get, compacted, × 10", "µs", Each("get-compacted"), &[]),
    row(GROWTH, ("growth-50", "get"), "get, compacted, × 50", "µs", Each("get-compacted"), &[]),
    row(GROWTH, ("growth-0.1", "scan"), "scan forward, compacted, a tenth", "µs", Each("scan-forward"), &[]),
    row(GROWTH, ("growth-10", "scan"), "scan forward, compacted, × 10", "µs", Each("scan-forward"), &[]),
    row(GROWTH, ("growth-50", "scan"), "scan forward, compacted, × 50", "µs", Each("scan-forward"), &[]),
    row(GROWTH, ("growth-0.1", "disk"), "files, compacted, a tenth", "MB", Number("close", "disk_bytes", 1e-6), &[]),
    row(GROWTH, ("growth-10", "disk"), "files, compacted, × 10", "MB", Number("close", "disk_bytes", 1e-6), &[]),
    row(GROWTH, ("growth-50", "disk"), "files, compacted, × 50", "MB", Number("close", "disk_bytes", 1e-6), &[]),
    row(GROWTH, ("growth-0.1", "memory"), "private memory, peak, a tenth", "MB", Number("child", "private_kib", 1.024e-3), &[]),
    row(GROWTH, ("growth-10", "memory"), "private memory, peak, × 10", "MB", Number("child", "private_kib", 1.024e-3), &[]),
    row(GROWTH, ("growth-50", "memory"), "private memory, peak, × 50", "MB", Number("child", "private_kib", 1.024e-3), &[]),
];

impl Row {
    /// As it is asked for on the command line.
    pub fn name(&self) -> String {
        format!("{}/{}", self.suite, self.id)
    }

    /// Larger is better.
    pub fn rising(&self) -> bool {
        matches!(self.measure, Gain(..) | Rate(_))
    }
}

impl Measure {
    /// The number, and processor time beside it, from what one child has printed.
    pub fn value(self, number: impl Fn(&str, &str) -> Option<f64>) -> Option<(f64, Option<f64>)> {
        let per_second = |phase| Some(number(phase, "count")? / number(phase, "wall_s")?);
        Some(match self {
            Each(phase) => {
                let us = |name| Some(number(phase, name)? * 1e6 / number(phase, "count")?);
                (us("wall_s")?, us("cpu_s"))
            }
            Whole(phase) => (number(phase, "wall_s")?, number(phase, "cpu_s")),
            Number(phase, name, factor) => (number(phase, name)? * factor, None),
            Gain(one, two) => (per_second(two)? / per_second(one)?, None),
            Rate(phase) => (per_second(phase)? / 1e6, None),
        })
    }
}
