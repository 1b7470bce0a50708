//! What the user sees: numbers, names, the table of stages and the progress bar.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// "640 kB": three digits and a decimal unit.
pub fn bytes(n: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    if n < 1000 {
        return format!("{n} B");
    }
    let mut value = n as f64;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    let decimals = match value {
        v if v < 9.995 => 2,
        v if v < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.decimals$} {}", UNITS[unit])
}

/// "1 file", "2 files".
pub fn count(n: u64, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

/// A stored path, fit for a terminal: control characters are escaped.
pub fn name(path: &[u8]) -> String {
    let text = String::from_utf8_lossy(path);
    text.chars()
        .map(|c| match c.is_control() {
            true => c.escape_default().to_string(),
            false => c.to_string(),
        })
        .collect()
}

/// One line of the table: what was done, to how much, how long it took, how fast that is.
pub fn stage(verb: &str, what: &str, size: u64, took: Duration) {
    let rate = size as f64 / 1e6 / took.as_secs_f64().max(1e-9);
    println!("{} {rate:>7.0} MB/s", line(verb, what, size, took));
}

/// The same for a stage that reads no content, which has no speed.
pub fn found(what: &str, size: u64, took: Duration) {
    println!("{}", line("find", what, size, took));
}

fn line(verb: &str, what: &str, size: u64, took: Duration) -> String {
    let (size, seconds) = (bytes(size), took.as_secs_f64());
    format!("  {verb:<8} {what:<42} {size:>8} {seconds:>8.3} s")
}

/// A progress bar on stderr that appears when a stage takes longer than half a second, and
/// only on a terminal.
pub struct Progress {
    bar: ProgressBar,
    started: Instant,
}

impl Progress {
    /// Counts up to `total` bytes.
    pub fn of_bytes(verb: &'static str, total: u64) -> Progress {
        let style = "  {prefix:<8} {bar:36} {decimal_bytes:>10} of {decimal_total_bytes}, \
                     {decimal_bytes_per_sec}, {eta} left";
        Progress::new(verb, style, Some(total))
    }

    /// Counts the seconds of a stage whose end isn't known.
    pub fn of_time(verb: &'static str) -> Progress {
        let progress = Progress::new(verb, "  {prefix:<8} {spinner} {elapsed}", None);
        progress.bar.set_draw_target(ProgressDrawTarget::stderr());
        progress.bar.enable_steady_tick(Duration::from_millis(500));
        progress
    }

    fn new(verb: &'static str, style: &str, total: Option<u64>) -> Progress {
        let style = ProgressStyle::with_template(style).expect("the template is a constant");
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::hidden())
            .with_style(style)
            .with_prefix(verb);
        Progress {
            bar,
            started: Instant::now(),
        }
    }

    /// Counts `n` bytes more.
    pub fn advance(&self, n: u64) {
        if self.bar.is_hidden() && self.started.elapsed() > Duration::from_millis(500) {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        self.bar.inc(n);
    }

    /// Removes the bar; returns the time since it was made.
    pub fn finish(self) -> Duration {
        self.bar.finish_and_clear();
        self.started.elapsed()
    }
}
