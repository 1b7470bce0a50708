//! Writes at a fixed rate, and how late each is done.

use std::time::{Duration, Instant};

use super::Result;
use super::measure::Latencies;

/// Calls `write` so many times a second for so long, and prints two distributions:
///
/// - `PHASE`: from the moment at which a write was due until it was done. The thread sleeps in
///   between, so that this includes how late the operating system wakes it;
/// - `PHASE-queue`: the same as if it had always been woken in time. Writes that are due while one
///   is under way wait for it, and their waiting counts.
pub fn paced(
    phase: &str,
    per_second: u32,
    seconds: u64,
    mut write: impl FnMut(u64) -> Result<()>,
) -> Result<()> {
    let count = u64::from(per_second) * seconds;
    let interval = Duration::from_secs(1) / per_second;
    let mut late = Latencies::with_capacity(count);
    let mut queue = Latencies::with_capacity(count);
    // SAFETY: sets a number of this thread, and takes no pointer. Sleep isn't prolonged to
    // save energy.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1) };
    let start = Instant::now();
    let mut free = Duration::ZERO;
    for n in 0..count {
        let due = interval * n as u32;
        if let Some(rest) = (start + due).checked_duration_since(Instant::now()) {
            std::thread::sleep(rest);
        }
        let begin = Instant::now();
        write(n)?;
        let end = Instant::now();
        late.add(end - (start + due));
        free = free.max(due) + (end - begin);
        queue.add(free - due);
    }
    late.print(phase);
    queue.print(&format!("{phase}-queue"));
    Ok(())
}

/// Calls `write` so many times without a pause; prints how long single calls took.
pub fn unpaced(phase: &str, count: u64, mut write: impl FnMut(u64) -> Result<()>) -> Result<()> {
    let mut latencies = Latencies::with_capacity(count);
    let mut last = Instant::now();
    for n in 0..count {
        write(n)?;
        let now = Instant::now();
        latencies.add(now - last);
        last = now;
    }
    latencies.print(phase);
    Ok(())
}
