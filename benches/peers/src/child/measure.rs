//! Time, processor time, memory and space, as the operating system counts them.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use super::Result;

/// Wall time and processor time of all threads, from [`Stopwatch::start`] on.
pub struct Stopwatch {
    start: Instant,
    cpu: Duration,
}

impl Stopwatch {
    pub fn start() -> Result<Stopwatch> {
        let cpu = cpu_time()?;
        let start = Instant::now();
        Ok(Stopwatch { start, cpu })
    }

    /// Prints what has passed; `count` operations were done.
    pub fn stop(self, phase: &str, count: u64) -> Result<()> {
        let wall = self.start.elapsed();
        let cpu = cpu_time()?.saturating_sub(self.cpu);
        number(phase, "count", count as f64);
        number(phase, "wall_s", wall.as_secs_f64());
        number(phase, "cpu_s", cpu.as_secs_f64());
        Ok(())
    }
}

/// One line for the parent: a number with a name.
pub fn number(phase: &str, name: &str, value: f64) {
    println!("{phase} {name} {value}");
}

/// Of this process, user and system.
fn cpu_time() -> Result<Duration> {
    // SAFETY: all zeros is a value of this plain struct, and the call fills it.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        if libc::getrusage(libc::RUSAGE_SELF, &mut usage) != 0 {
            return Err(std::io::Error::last_os_error().into());
        }
        usage
    };
    let time = |t: libc::timeval| Duration::new(t.tv_sec as u64, 1000 * t.tv_usec as u32);
    Ok(time(usage.ru_utime) + time(usage.ru_stime))
}

/// Prints the memory that the process has: that of its own, and mapped files.
pub fn memory(phase: &str) -> Result<()> {
    let status = fs::read_to_string("/proc/self/status")?;
    for (field, name) in [("RssAnon:", "private_kib"), ("RssFile:", "mapped_kib")] {
        if let Some(kib) = field_kib(&status, field) {
            number(phase, name, kib as f64);
        }
    }
    Ok(())
}

/// A line of `/proc/…/status`.
pub fn field_kib(status: &str, field: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

/// Prints how much of the disk all files in this folder take.
pub fn space(phase: &str, dir: &Path) -> Result<()> {
    number(phase, "disk_bytes", allocated(dir)? as f64);
    Ok(())
}

/// Blocks that the file system has given to the files below.
fn allocated(dir: &Path) -> Result<u64> {
    use std::os::unix::fs::MetadataExt;
    let mut sum = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        // A store may remove a file while we look.
        let Ok(metadata) = entry.metadata() else {
            continue;
        };
        sum += match metadata.is_dir() {
            true => allocated(&entry.path())?,
            false => metadata.blocks() * 512,
        };
    }
    Ok(sum)
}

/// Times of single operations.
#[derive(Default)]
pub struct Latencies(Vec<u64>);

impl Latencies {
    pub fn with_capacity(count: u64) -> Latencies {
        // Written to, so that the memory is there before it is needed.
        let mut times = vec![u64::MAX; count as usize];
        times.clear();
        Latencies(times)
    }

    pub fn add(&mut self, time: Duration) {
        self.0.push(time.as_nanos() as u64);
    }

    /// Prints percentiles in microseconds.
    pub fn print(mut self, phase: &str) {
        self.0.sort_unstable();
        let Some(last) = self.0.len().checked_sub(1) else {
            return;
        };
        for (name, share) in [
            ("p50_us", 0.5),
            ("p99_us", 0.99),
            ("p999_us", 0.999),
            ("p9999_us", 0.9999),
            ("max_us", 1.0),
        ] {
            let at = (last as f64 * share).ceil() as usize;
            number(phase, name, self.0[at] as f64 / 1000.0);
        }
    }
}
