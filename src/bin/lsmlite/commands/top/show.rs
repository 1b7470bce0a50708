//! A tick as a screen, a line or an object.

use serde_json::{Value, json};

use super::watch::{State, Tick};
use crate::report::{count, grouped, short, time};

/// One line.
pub fn line(tick: &Tick) -> String {
    let mut parts = vec![tick.state.name().to_owned()];
    if tick.state == State::Shared {
        parts.push(format!("{} transactions/s", rate(tick, tick.sums.transactions)));
        parts.push(format!("log {}/s", per_second(tick, tick.sums.log_bytes)));
        parts.push(format!("file {}/s", per_second(tick, tick.written_bytes())));
        parts.push(count(tick.sums.checkpoints, "checkpoint"));
    }
    if let Some(debt) = tick.debt_bytes() {
        parts.push(format!("debt {}", short(debt)));
    }
    if let Some([runs, levels, merging]) = tick.runs() {
        parts.push(format!("{runs} runs in {levels} levels, {merging} merging"));
    }
    if let Some(probe) = tick.probe.as_ref().and_then(|probe| probe.median()) {
        parts.push(format!("seek {}", time(probe)));
    }
    parts.push(format!("file of {}", short(tick.file_bytes)));
    parts.join(", ")
}

pub fn object(tick: &Tick) -> Value {
    let seconds = tick.interval.as_secs_f64();
    let counters = tick.counters.as_ref();
    let levels = tick.layout.as_ref().map(|layout| {
        let levels = layout.levels.iter().map(|level| {
            level.segments.iter().map(|segment| segment.bytes).collect::<Vec<_>>()
        });
        levels.collect::<Vec<_>>()
    });
    json!({
        "state": tick.state.name(),
        "seconds": seconds,
        "transactions": tick.sums.transactions,
        "transactions_per_second": tick.rate(tick.sums.transactions),
        "log_written_bytes": tick.sums.log_bytes,
        "pages_written": tick.sums.pages_written,
        "checkpoints": tick.sums.checkpoints,
        "live_tree_bytes": counters.map(|counters| counters.live_tree_bytes),
        "waiting_tree_bytes": counters.map(|counters| counters.waiting_tree_bytes),
        "log_bytes": counters.map(|counters| counters.log_bytes),
        "checkpoint_debt_bytes": tick.debt_bytes(),
        "file_bytes": tick.file_bytes,
        "page_size_bytes": tick.layout.as_ref().map(|layout| layout.page_size_bytes),
        "blocks": tick.layout.as_ref().map(|layout| layout.blocks),
        "free_blocks": tick.layout.as_ref().map(|layout| layout.free_blocks),
        "level_bytes": levels,
        "merging_levels": tick.runs().map(|[_, _, merging]| merging),
        "probe": tick.probe.as_ref().map(|probe| json!({
            "open_ns": probe.open,
            "seek_median_ns": probe.median(),
            "seek_max_ns": probe.longest(),
        })),
        "locks": tick.locks.as_ref().map(|locks| json!({
            "read_write_handles": locks.writers,
            "reader_slots": locks.reader_slots,
            "writing": locks.is_writing,
            "merging": locks.is_merging,
            "checkpointing": locks.is_checkpointing,
        })),
    })
}

/// The lines of a screen, for as many columns and rows. Rates of before come with the newest last.
pub fn screen(
    name: &str,
    tick: &Tick,
    rates: &[f64],
    (columns, rows): (usize, usize),
) -> Vec<String> {
    let mut lines = vec![format!("lsmlite top: {name}: {}", explain(tick.state)), String::new()];
    if tick.state == State::Shared {
        let sums = &tick.sums;
        lines.push(format!("transactions  {:>12}/s  {}", rate(tick, sums.transactions), curve(rates)));
        lines.push(format!("log           {:>12}/s", per_second(tick, sums.log_bytes)));
        lines.push(format!("file          {:>12}/s", per_second(tick, tick.written_bytes())));
        lines.push(format!("checkpoints   {:>12}", sums.checkpoints));
    }
    if let Some(probe) = &tick.probe {
        let time = |ns: Option<u64>| ns.map_or("–".to_owned(), time);
        let (median, longest) = (time(probe.median()), time(probe.longest()));
        lines.push(format!("seek          {median:>14}  at most {longest}"));
        lines.push(format!("open to read  {:>14}", time(Some(probe.open))));
    }
    lines.push(String::new());
    if let Some(counters) = &tick.counters {
        let [live, waiting] = [counters.live_tree_bytes, counters.waiting_tree_bytes];
        lines.push(format!("memory        {:>14}  and {} that wait", short(live.into()), short(waiting.into())));
        lines.push(format!("log           {:>14}  to be recovered after a crash", short(counters.log_bytes)));
    }
    if let Some(debt) = tick.debt_bytes() {
        lines.push(format!("debt          {:>14}  since the last checkpoint", short(debt)));
    }
    lines.push(format!("file          {:>14}", short(tick.file_bytes)));
    if let Some(layout) = &tick.layout {
        lines.push(format!("free          {:>14}  of {}", layout.free_blocks, count(layout.blocks.into(), "block")));
        for (number, level) in layout.levels.iter().enumerate() {
            let sizes = level.segments.iter().map(|segment| segment.bytes.map_or("?".to_owned(), short));
            let sizes: Vec<_> = sizes.collect();
            let merging = match sizes.len() {
                0 | 1 => String::new(),
                _ => format!("  being merged from {}", sizes[1..].join(", ")),
            };
            let first = sizes.first().map_or("", |size| size);
            lines.push(format!("level {number:<7} {first:>14}{merging}"));
        }
    }
    if let Some(locks) = tick.locks.as_ref().filter(|_| tick.state == State::Shared) {
        let doing = [
            (locks.is_writing, "writing"),
            (locks.is_merging, "merging"),
            (locks.is_checkpointing, "checkpointing"),
        ];
        let doing = doing.iter().filter(|(is_so, _)| *is_so).map(|(_, what)| format!(", {what}"));
        lines.push(String::new());
        lines.push(format!(
            "open          {} to write, {} of 6 reader slots{}",
            locks.writers,
            locks.reader_slots,
            doing.collect::<String>()
        ));
    }
    lines.truncate(rows.saturating_sub(1));
    if rows > 1 {
        lines.push("q or Ctrl-C leaves".to_owned());
    }
    lines.iter().map(|line| line.chars().take(columns).collect()).collect()
}

fn explain(state: State) -> &'static str {
    match state {
        State::Shared => "shared by processes",
        State::Idle => "nobody has it open",
        State::Exclusive => "a process has it to itself; only multi_process(true) can be watched",
        State::Gone => "there is no such file any more",
    }
}

fn rate(tick: &Tick, count: u64) -> String {
    grouped(tick.rate(count).round() as u64)
}

fn per_second(tick: &Tick, bytes: u64) -> String {
    short(tick.rate(bytes).round() as u64)
}

/// A column for each number.
fn curve(numbers: &[f64]) -> String {
    let most = numbers.iter().copied().fold(0.0, f64::max);
    let steps = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let columns = numbers.iter().map(|number| match most > 0.0 {
        true => steps[((number / most * 7.0).round() as usize).min(7)],
        false => steps[0],
    });
    columns.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_reach_from_nothing_to_the_most() {
        assert_eq!(curve(&[0.0, 50.0, 100.0]), "▁▅█");
        assert_eq!(curve(&[0.0, 0.0]), "▁▁");
    }
}
