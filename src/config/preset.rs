//! [`Preset`]: settings that belong together, by the purpose that they serve.

use super::{BackgroundMode, Mmap, Settings};

/// Settings for a purpose, to begin with; for
/// [`LsmDbBuilder::preset`](crate::LsmDbBuilder::preset).
///
/// Each stands for exactly these settings, and for nothing else:
///
/// | setting | default | `WriteHeavy` | `Archive` | `LowLatency` | `SmallMemory` |
/// |---|---|---|---|---|---|
/// | `background` | `None` | `MergerAndCheckpointer` | `None` | `MergerAndCheckpointer` | `None` |
/// | `autoflush_kib` | 16,384 | 8192 | 16,384 | 16,384 | 1024 |
/// | `autocheckpoint_kib` | 4096 | 131,072 | 4096 | 65,536 | 4096 |
/// | `automerge_segments` | 4 | 16 | 32 | 4 | 4 |
/// | `block_size_kib` of a new file | 8192 | 8192 | 1024 | 8192 | 1024 |
/// | `filter_memory_kib` | 16,384 | 16,384 | 16,384 | 16,384 | 1024 |
/// | `mmap` | `Off` | `Off` | `Off` | `Off` | `Off` |
///
/// What isn't in the table stays as it is: safety, codec and checksums above all.
///
/// # What they do
///
/// | | default | `WriteHeavy` | `Archive` | `LowLatency` | `SmallMemory` |
/// |---|---:|---:|---:|---:|---:|
/// | load 600,000 × 1 KB | 3.11 s | 1.01 s | 2.29 s | 1.30 s | 4.24 s |
/// | processor time of that, all threads | 2.40 s | 1.56 s | 1.85 s | 1.96 s | 3.03 s |
/// | database and log after that | 703 MB | 893 MB | 694 MB | 775 MB | 647 MB |
/// | most private memory meanwhile | 20.9 MB | 20.5 MB | 21.2 MB | 37.5 MB | 4.9 MB |
/// | load 1,000,000 × 100 B | 1.54 s | 0.76 s | 1.24 s | 0.89 s | 1.58 s |
/// | `get_with` after that | 2.2 µs | 2.4 µs | 2.2 µs | 2.0 µs | 2.4 µs |
/// | `compact` | 0.48 s | 0.46 s | 0.39 s | 0.47 s | 0.57 s |
/// | `get_with` after that | 1.7 µs | 1.5 µs | 1.6 µs | 1.6 µs | 1.6 µs |
/// | database and log after that | 204 MB | 294 MB | 162 MB | 238 MB | 141 MB |
/// | insert at 10,000 a second, p99.9 | 24 ms | 1.3 ms | 22 ms | 4.1 ms | 4.2 ms |
/// | the slowest of 100,000 such inserts | 34 ms | 3.1 ms | 31 ms | 11 ms | 7.3 ms |
///
/// Medians of three rounds of `cargo bench --bench presets` on 2 cores, nothing else running, with
/// Linux and ext4: keys of 16 bytes in random order, no codec, nothing synced but checkpoints, each
/// database new and in a process of its own. A paced insert counts from the moment when it was due. A
/// load ends with the last insert, so that what threads or a compaction have left to do isn't in it, and
/// `get` finds more or fewer runs. Runs differ (the load of 1 KB took `WriteHeavy` 2.3 s in another one):
/// small differences are chance, take the large ones.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Preset {
    /// As many writes per second as possible, for a while or all day. Threads of their own merge
    /// and checkpoint. A reader has more segments to look at, freed space waits longer for a
    /// checkpoint after which it is used again, and a crash leaves a log of up to 180 MB to replay.
    /// Trees are half as large as usual: they are searched faster. What is large costs most when it is
    /// merged and synced again: with values of 10 KB an insert took 14 us, and 16 to 24 with
    /// `automerge_segments` of 8 and an `autocheckpoint_kib` of 65,536.
    WriteHeavy,
    /// Written once, [compacted](crate::LsmDb::compact), and read from then on. Little is merged
    /// before, so that reading is slow until then; small blocks leave less unused in the file. A
    /// [codec](crate::LsmDbBuilder::compression) and
    /// [page checksums](crate::LsmDbBuilder::page_checksums) go well with it.
    Archive,
    /// Writes that don't wait for merges and checkpoints, as long as the threads can keep up. As
    /// `WriteHeavy`, but merged as early as usual, for readers, and checkpointed more often.
    ///
    /// A commit that is synced waits while a checkpoint syncs megabytes. Where there are such
    /// commits, an [`autocheckpoint_kib`](crate::LsmDbBuilder::autocheckpoint_kib) of 16,384 made
    /// the slowest one in a thousand take 13 and 16 ms instead of 41 and 33, and bulk loading
    /// slower.
    LowLatency,
    /// Little memory, also where there are many databases: trees of 1 MiB, and the page cache of
    /// one connection. Writing costs more, as memory is merged into the file more often. For a
    /// bound of your own see [`memory_limit_kib`](crate::LsmDbBuilder::memory_limit_kib).
    SmallMemory,
}

impl Preset {
    pub(crate) fn apply(self, settings: &mut Settings) {
        let defaults = Settings::default();
        let both = BackgroundMode::MergerAndCheckpointer;
        settings.background = match self {
            Preset::WriteHeavy | Preset::LowLatency => both,
            Preset::Archive | Preset::SmallMemory => BackgroundMode::None,
        };
        settings.autoflush_kib = match self {
            Preset::WriteHeavy => 8 * 1024,
            Preset::Archive | Preset::LowLatency => defaults.autoflush_kib,
            Preset::SmallMemory => 1024,
        };
        settings.autocheckpoint_kib = match self {
            Preset::WriteHeavy => 128 * 1024,
            Preset::LowLatency => 64 * 1024,
            Preset::Archive | Preset::SmallMemory => defaults.autocheckpoint_kib,
        };
        settings.automerge_segments = match self {
            Preset::WriteHeavy => 16,
            Preset::Archive => 32,
            Preset::LowLatency | Preset::SmallMemory => defaults.automerge_segments,
        };
        settings.block_size_kib = match self {
            Preset::WriteHeavy | Preset::LowLatency => defaults.block_size_kib,
            Preset::Archive | Preset::SmallMemory => 1024,
        };
        settings.filter_memory_kib = match self {
            Preset::WriteHeavy | Preset::Archive | Preset::LowLatency => defaults.filter_memory_kib,
            Preset::SmallMemory => 1024,
        };
        settings.mmap = Mmap::Off;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builder::LsmDbBuilder;
    use crate::compression::Compression;
    use crate::config::Safety;
    use crate::db::LsmDb;

    const PRESETS: [Preset; 4] = [
        Preset::WriteHeavy,
        Preset::Archive,
        Preset::LowLatency,
        Preset::SmallMemory,
    ];

    /// The rows of the table in the documentation: name, and a value for the default and for each
    /// preset.
    fn table() -> Vec<(String, Vec<String>)> {
        let lines = include_str!("preset.rs").lines();
        let lines = lines.skip_while(|line| !line.starts_with("/// | setting |"));
        let rows = lines.take_while(|line| line.starts_with("/// |"));
        let rows = rows.filter_map(|line| {
            let cells: Vec<&str> = line.strip_prefix("/// | ")?.split(" | ").collect();
            let cells = cells.iter().map(|cell| cell.trim_end_matches(" |"));
            let mut cells = cells.map(|cell| cell.replace(['`', ','], ""));
            let name = cells.next()?.replace(" of a new file", "");
            Some((name, cells.collect()))
        });
        let mut rows: Vec<(String, Vec<String>)> = rows.collect();
        let head = rows.remove(0).1;
        let names = PRESETS.map(|preset| format!("{preset:?}"));
        assert!(head[0] == "default" && head[1..] == names, "{head:?}");
        rows
    }

    fn mode(value: &str) -> BackgroundMode {
        match value {
            "None" => BackgroundMode::None,
            "MergerAndCheckpointer" => BackgroundMode::MergerAndCheckpointer,
            other => panic!("no mode {other}"),
        }
    }

    /// Sets by hand what the table says.
    fn set(builder: LsmDbBuilder, name: &str, value: &str) -> LsmDbBuilder {
        let number = || value.parse().expect("a number");
        match name {
            "background" => builder.background(mode(value)),
            "autoflush_kib" => builder.autoflush_kib(number()),
            "autocheckpoint_kib" => builder.autocheckpoint_kib(number()),
            "automerge_segments" => builder.automerge_segments(number()),
            "block_size_kib" => builder.block_size_kib(number()),
            "filter_memory_kib" => builder.filter_memory_kib(number()),
            "mmap" if value == "Off" => builder.mmap(Mmap::Off),
            other => panic!("no setting {other} = {value}"),
        }
    }

    /// Every setting, in words.
    fn all(builder: LsmDbBuilder) -> String {
        let Settings {
            env: _,
            create,
            read_only,
            background,
            codecs,
            safety,
            autoflush_kib,
            memory_limit_kib,
            filter_memory_kib,
            page_cache_kib,
            page_size_bytes,
            block_size_kib,
            autowork,
            autocheckpoint_kib,
            automerge_segments,
            max_free_list,
            mmap,
            use_log,
            multi_process,
            busy_timeout,
            db_metrics,
            on_recovery,
        } = builder.into_settings().expect("settings");
        let codec = codecs.preferred.map(|codec| codec.id);
        let modes = (create, read_only, background, codec, safety, mmap, use_log);
        let sizes = (
            autoflush_kib,
            memory_limit_kib,
            filter_memory_kib,
            page_cache_kib,
            page_size_bytes,
        );
        let file = (
            page_cache_kib,
            block_size_kib,
            autocheckpoint_kib,
            automerge_segments,
        );
        let rest = (autowork, max_free_list, multi_process, busy_timeout);
        let heard = (db_metrics.is_some(), on_recovery.is_some());
        format!("{modes:?} {sizes:?} {file:?} {rest:?} {heard:?}")
    }

    /// Other values than the defaults and those of any preset.
    fn unusual() -> LsmDbBuilder {
        LsmDb::builder()
            .create(false)
            .background(BackgroundMode::Merger)
            .page_checksums(true)
            .compression(Compression::None)
            .safety(Safety::Full)
            .autoflush_kib(7000)
            .memory_limit_kib(50_000)
            .filter_memory_kib(5000)
            .page_cache_kib(3000)
            .page_size_bytes(8192)
            .block_size_kib(2048)
            .autocheckpoint_kib(9000)
            .automerge_segments(6)
            .max_free_list(20)
            .mmap(Mmap::All)
            .use_log(false)
            .multi_process(true)
            .busy_timeout(std::time::Duration::from_secs(3))
    }

    #[test]
    fn a_preset_is_what_its_documentation_says_and_nothing_else() {
        let table = table();
        assert_eq!(table.len(), 7);
        for (n, preset) in PRESETS.into_iter().enumerate() {
            for start in [LsmDb::builder, unusual] {
                let by_hand = table.iter().fold(start(), |builder, (name, values)| {
                    set(builder, name, &values[n + 1])
                });
                assert_eq!(all(start().preset(preset)), all(by_hand), "{preset:?}");
            }
        }
        let defaults = table.iter().fold(LsmDb::builder(), |builder, row| {
            set(builder, &row.0, &row.1[0])
        });
        assert_eq!(
            all(defaults),
            all(LsmDb::builder()),
            "the column of defaults"
        );
    }

    #[test]
    fn what_is_set_after_a_preset_wins_and_what_was_set_before_does_not() {
        let table = table();
        for preset in PRESETS {
            for (row, (name, values)) in table.iter().enumerate() {
                for value in values {
                    let after = set(LsmDb::builder().preset(preset), name, value);
                    let column = 1 + PRESETS.iter().position(|p| *p == preset).unwrap();
                    let by_hand = (table.iter().enumerate()).fold(
                        LsmDb::builder(),
                        |builder, (other, (name, values))| {
                            let value = if other == row { value } else { &values[column] };
                            set(builder, name, value)
                        },
                    );
                    assert_eq!(all(after), all(by_hand), "{preset:?}, {name} = {value}");
                    let before = set(LsmDb::builder(), name, value).preset(preset);
                    assert_eq!(all(before), all(LsmDb::builder().preset(preset)));
                }
            }
        }
    }
}
