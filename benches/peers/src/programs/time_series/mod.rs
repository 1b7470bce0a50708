//! Time series: stores samples by their time and prints those of a span of time in the order of
//! time, then the last ones before its end, the newest first.

mod fjall;
mod heed;
mod ours;
mod redb;

use super::{Program, versions};

pub struct Series {
    /// In the order in which they arrive.
    pub samples: [(u64, i64); 1000],
    /// The first second of the span, and the first one after it.
    pub from: u64,
    pub to: u64,
    /// How many are shown, the newest first.
    pub newest: usize,
}

/// A sample each minute, which don't arrive in order; times begin with different bytes.
pub const SERIES: Series = Series {
    samples: samples(),
    from: 65_500,
    to: 66_000,
    newest: 20,
};

const fn samples() -> [(u64, i64); 1000] {
    let mut samples = [(0, 0); 1000];
    let mut i = 0;
    while i < samples.len() {
        let minute = (i as u64 * 37) % 1000;
        samples[i] = (40_020 + 60 * minute, 20_000 - 31 * (minute as i64 % 977));
        i += 1;
    }
    samples
}

pub fn program() -> Program {
    Program {
        name: "time_series",
        versions: versions!(&SERIES),
    }
}
