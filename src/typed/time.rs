//! Keys that are times.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::error::EncodingError;
use super::key::Key;

const NANOS: u32 = 1_000_000_000;

fn nanos(input: &mut &[u8]) -> Result<u32, EncodingError> {
    let nanos = u32::decode(input)?;
    if nanos >= NANOS {
        return Err(EncodingError::new(format!(
            "{nanos} nanoseconds are a second or more"
        )));
    }
    Ok(nanos)
}

impl Key for Duration {
    type Ref<'a> = Duration;

    fn by_ref(&self) -> Duration {
        *self
    }

    fn encode(key: Duration, out: &mut Vec<u8>) {
        u64::encode(key.as_secs(), out);
        u32::encode(key.subsec_nanos(), out);
    }

    fn decode(input: &mut &[u8]) -> Result<Self, EncodingError> {
        let seconds = u64::decode(input)?;
        Ok(Duration::new(seconds, nanos(input)?))
    }
}

/// Seconds are rounded down, also before 1970, so that the nanoseconds count upwards.
impl Key for SystemTime {
    type Ref<'a> = SystemTime;

    fn by_ref(&self) -> SystemTime {
        *self
    }

    fn encode(key: SystemTime, out: &mut Vec<u8>) {
        let (seconds, nanos) = match key.duration_since(UNIX_EPOCH) {
            Ok(after) => (i128::from(after.as_secs()), after.subsec_nanos()),
            Err(error) => {
                let before = error.duration();
                match (-i128::from(before.as_secs()), before.subsec_nanos()) {
                    (seconds, 0) => (seconds, 0),
                    (seconds, nanos) => (seconds - 1, NANOS - nanos),
                }
            }
        };
        // No platform counts further than this.
        let seconds = seconds.clamp(i64::MIN.into(), i64::MAX.into()) as i64;
        i64::encode(seconds, out);
        u32::encode(nanos, out);
    }

    fn decode(input: &mut &[u8]) -> Result<Self, EncodingError> {
        let seconds = i64::decode(input)?;
        let nanos = nanos(input)?;
        let whole = Duration::from_secs(seconds.unsigned_abs());
        let time = if seconds < 0 {
            UNIX_EPOCH.checked_sub(whole)
        } else {
            UNIX_EPOCH.checked_add(whole)
        };
        time.and_then(|time| time.checked_add(Duration::from_nanos(nanos.into())))
            .ok_or_else(|| {
                EncodingError::new(format!("{seconds} s are beyond this platform's time"))
            })
    }
}
