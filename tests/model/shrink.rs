//! Makes a history that fails smaller, as long as it fails.

use std::time::{Duration, Instant};

use crate::common::{Result, setting};
use crate::ops::Op;
use crate::runner::{fails, time_limit};
use crate::settings::Settings;

/// Takes operations out, first many at once, then single ones, for half a minute at most
/// (`LSMLITE_SHRINK_SECONDS`). Returns what is left and how it fails, or `None` if it doesn't
/// fail again.
pub fn shrink(
    name: &str,
    settings: &Settings,
    mut ops: Vec<Op>,
) -> Result<Option<(Vec<Op>, String)>> {
    let begin = Instant::now();
    let enough = Duration::from_secs(setting("LSMLITE_SHRINK_SECONDS", 30));
    let Some(mut why) = fails(name, settings, &ops, time_limit())? else {
        return Ok(None);
    };
    // Something smaller needn't be waited for as long.
    let limit = Duration::from_secs(5).min(time_limit());
    let mut size = ops.len().div_ceil(2);
    while size > 0 {
        let mut at = 0;
        let mut smaller = false;
        while at < ops.len() {
            if begin.elapsed() > enough {
                return Ok(Some((ops, why)));
            }
            let mut fewer = ops.clone();
            fewer.drain(at..ops.len().min(at + size));
            match fails(name, settings, &fewer, limit)? {
                Some(reason) => {
                    ops = fewer;
                    why = reason;
                    smaller = true;
                }
                None => at += size,
            }
        }
        if size > 1 || !smaller {
            size /= 2;
        }
    }
    Ok(Some((ops, why)))
}
