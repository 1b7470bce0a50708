//! Threads that do operations, and what that takes.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use indicatif::ProgressBar;

use crate::exit::{Failure, Status};
use crate::interrupt;

/// What one thread does again and again, with the number of the operation.
pub type Work<'a> = Box<dyn FnMut(u64) -> Result<(), Failure> + Send + 'a>;

/// When to stop.
#[derive(Copy, Clone)]
pub struct Limits {
    pub operations: u64,
    pub time: Duration,
    /// So many operations are begun together and ended, also if time is up.
    pub chunk: u64,
}

/// What was done.
pub struct Done {
    pub operations: u64,
    pub time: Duration,
    /// In nanoseconds.
    pub latency: Histogram<u64>,
}

/// Latencies up to so long are told apart, to three digits.
const LONGEST_NS: u64 = 600_000_000_000;

pub fn new_histogram() -> Result<Histogram<u64>, Failure> {
    let made = Histogram::new_with_bounds(1, LONGEST_NS, 3);
    made.map_err(|error| Failure::new(Status::Failed, format!("can't make a histogram: {error}")))
}

/// Lets each worker work in a thread of its own, until a limit is reached, one of them fails, or a
/// signal comes. Operations 0 to `operations` - 1 were done by somebody.
pub fn drive(limits: Limits, workers: Vec<Work<'_>>, bar: &ProgressBar) -> Result<Done, Failure> {
    let next = AtomicU64::new(0);
    let is_over = AtomicBool::new(false);
    let start = Instant::now();
    let results = thread::scope(|scope| {
        let threads = workers.into_iter().map(|mut work| {
            let (next, is_over) = (&next, &is_over);
            scope.spawn(move || {
                let done = work_on(limits, next, is_over, &mut work);
                if done.is_err() {
                    is_over.store(true, Ordering::Relaxed);
                }
                done
            })
        });
        let threads: Vec<_> = threads.collect();
        while !threads.iter().all(|thread| thread.is_finished()) {
            if start.elapsed() >= limits.time || interrupt::is_pending() {
                is_over.store(true, Ordering::Relaxed);
            }
            bar.set_position(next.load(Ordering::Relaxed).min(limits.operations));
            let left = limits.time.saturating_sub(start.elapsed());
            thread::park_timeout(left.clamp(Duration::from_millis(1), Duration::from_millis(20)));
        }
        let results = threads.into_iter().map(|thread| {
            thread.join().unwrap_or_else(|_| {
                Err(Failure::new(Status::Failed, "a thread of the load test panicked"))
            })
        });
        results.collect::<Vec<_>>()
    });
    interrupt::check()?;
    let mut latency = new_histogram()?;
    let mut end = start;
    for result in results {
        let (part, ended) = result?;
        end = end.max(ended);
        let added = latency.add(part);
        added.map_err(|error| Failure::new(Status::Failed, error.to_string()))?;
    }
    Ok(Done {
        operations: latency.len(),
        time: end - start,
        latency,
    })
}

fn work_on(
    limits: Limits,
    next: &AtomicU64,
    is_over: &AtomicBool,
    work: &mut Work<'_>,
) -> Result<(Histogram<u64>, Instant), Failure> {
    let mut latency = new_histogram()?;
    let mut before = Instant::now();
    while !is_over.load(Ordering::Relaxed) {
        let first = next.fetch_add(limits.chunk, Ordering::Relaxed);
        let end = first.saturating_add(limits.chunk).min(limits.operations);
        if first >= end {
            break;
        }
        for number in first..end {
            work(number)?;
            let now = Instant::now();
            let taken = now.duration_since(before).as_nanos();
            latency.saturating_record(u64::try_from(taken).unwrap_or(u64::MAX).max(1));
            before = now;
        }
    }
    Ok((latency, before))
}

/// What the process has used so far, and what its disk has done.
#[derive(Copy, Clone)]
pub struct Usage {
    pub cpu: Option<Duration>,
    /// Bytes that the process has written, as far as the system counts them.
    pub written: Option<u64>,
    /// Bytes that the disk has written, for all processes.
    pub disk_written: Option<u64>,
}

impl Usage {
    /// With the disk of this folder.
    pub fn now(folder: &Path) -> Usage {
        Usage {
            cpu: cpu(),
            written: written(),
            disk_written: disk_written(folder),
        }
    }

    pub fn since(&self, then: &Usage) -> Usage {
        let less = |now: Option<u64>, then: Option<u64>| Some(now?.saturating_sub(then?));
        Usage {
            cpu: self.cpu.zip(then.cpu).map(|(now, then)| now.saturating_sub(then)),
            written: less(self.written, then.written),
            disk_written: less(self.disk_written, then.disk_written),
        }
    }
}

#[cfg(unix)]
fn cpu() -> Option<Duration> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let nanoseconds = u32::try_from(time.tv_nsec).ok()?;
    Some(Duration::new(u64::try_from(time.tv_sec).ok()?, nanoseconds))
}

#[cfg(not(unix))]
fn cpu() -> Option<Duration> {
    None
}

/// What Linux has counted on the way to the disk: pages that the process made dirty, by the folio. Small
/// writes that are synced one by one count for much more than the disk has to write.
fn written() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/io").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("write_bytes: "))?;
    line.parse().ok()
}

/// What Linux has counted for the block device of a folder; `None` for file systems without one, or
/// with several.
#[cfg(target_os = "linux")]
fn disk_written(folder: &Path) -> Option<u64> {
    let device = std::os::unix::fs::MetadataExt::dev(&folder.metadata().ok()?);
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    let text = std::fs::read_to_string(format!("/sys/dev/block/{major}:{minor}/stat")).ok()?;
    // Reads done, merged, sectors, ms; the same of writes. A sector has 512 bytes here, always.
    let sectors: u64 = text.split_whitespace().nth(6)?.parse().ok()?;
    sectors.checked_mul(512)
}

#[cfg(not(target_os = "linux"))]
fn disk_written(_: &Path) -> Option<u64> {
    None
}
