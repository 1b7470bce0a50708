//! Latencies as bars.

use hdrhistogram::Histogram;

use crate::report::time;

/// How many latencies are below each bound, and not below the one before: bounds are 1, 2 and 5
/// times a power of ten nanoseconds.
pub fn buckets(latency: &Histogram<u64>) -> Vec<(u64, u64)> {
    let mut buckets: Vec<(u64, u64)> = Vec::new();
    for step in latency.iter_recorded() {
        let bound = bound_above(step.value_iterated_to());
        let count = step.count_since_last_iteration();
        match buckets.last_mut() {
            Some(last) if last.0 == bound => last.1 += count,
            _ => buckets.push((bound, count)),
        }
    }
    buckets
}

fn bound_above(value: u64) -> u64 {
    let mut bound = 1;
    for factor in [2, 5, 10].into_iter().cycle() {
        if bound > value {
            break;
        }
        let power = 10_u64.pow(bound.ilog10());
        bound = power.saturating_mul(factor);
    }
    bound
}

/// A line for each of them, with a bar that ends before this column.
pub fn bars(latency: &Histogram<u64>, columns: usize) -> String {
    let buckets = buckets(latency);
    let total = latency.len().max(1);
    let most = buckets.iter().map(|bucket| bucket.1).max().unwrap_or(1);
    let room = columns.saturating_sub(24).clamp(8, 60);
    let mut text = String::new();
    for (bound, count) in buckets {
        let share = 100.0 * count as f64 / total as f64;
        let share = match share {
            0.0..0.005 => "<0.01".to_owned(),
            share => format!("{share:.2}"),
        };
        let bar = bar(count as f64 / most as f64, room);
        text += &format!("  < {:>7} {share:>6} %  {bar}\n", time(bound));
    }
    text
}

/// A bar in eighths of columns: something for more than nothing.
fn bar(part: f64, room: usize) -> String {
    let eighths = (part * room as f64 * 8.0).round().max(1.0) as usize;
    let mut bar = "█".repeat(eighths / 8);
    bar.extend(['▏', '▎', '▍', '▌', '▋', '▊', '▉'].get((eighths % 8).wrapping_sub(1)));
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_1_2_and_5() {
        let bounds = [1, 2, 4, 5, 9, 10, 49, 999, 1000].map(bound_above);
        assert_eq!(bounds, [2, 5, 5, 10, 10, 20, 50, 1000, 2000]);
    }

    #[test]
    fn bars_show_even_a_single_one() {
        let mut latency = Histogram::<u64>::new(3).unwrap();
        latency.record_n(1_500, 100_000).unwrap();
        latency.record(3_000_000).unwrap();
        let text = bars(&latency, 44);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], format!("  < 2.00 µs 100.00 %  {}", "█".repeat(20)));
        assert_eq!(lines[1], "  < 5.00 ms  <0.01 %  ▏");
    }
}
