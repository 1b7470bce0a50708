//! Clocks: seconds since some moment.

use std::hint::black_box;
use std::sync::LazyLock;
use std::time::Instant;

#[derive(Copy, Clone)]
pub enum Clock {
    /// Processor time of all threads; elsewhere than on Unix as `Wall`.
    Process,
    /// Processor time of this thread; elsewhere than on Unix as `Wall`.
    Thread,
    Wall,
}

impl Clock {
    pub fn now(self) -> f64 {
        static START: LazyLock<Instant> = LazyLock::new(Instant::now);
        #[cfg(unix)]
        {
            use rustix::time::{ClockId, Timespec, clock_gettime};
            let id = match self {
                Clock::Process => Some(ClockId::ProcessCPUTime),
                Clock::Thread => Some(ClockId::ThreadCPUTime),
                Clock::Wall => None,
            };
            if let Some(Timespec { tv_sec, tv_nsec }) = id.map(clock_gettime) {
                return tv_sec as f64 + tv_nsec as f64 / 1e9;
            }
        }
        START.elapsed().as_secs_f64()
    }

    /// How many seconds this takes.
    pub fn time<T>(self, work: impl FnOnce() -> T) -> f64 {
        let start = self.now();
        black_box(work());
        self.now() - start
    }
}
