//! A limit for memory: however much is written, what is in memory stays below it.

mod common;

use common::{Model, Result, SplitMix64, assert_same, contents};
use lsmlite_rs::config::BackgroundMode;
use lsmlite_rs::{LsmDb, LsmDbBuilder};

/// Each mode, and how many connections a handle has then.
const MODES: [(BackgroundMode, u32); 4] = [
    (BackgroundMode::None, 1),
    (BackgroundMode::Merger, 2),
    (BackgroundMode::Checkpointer, 2),
    (BackgroundMode::MergerAndCheckpointer, 3),
];
const CONNECTION_KIB: u32 = 2560;

/// A limit that leaves so much for both trees.
fn limited(mode: (BackgroundMode, u32), trees_kib: u32) -> LsmDbBuilder {
    LsmDb::builder()
        .background(mode.0)
        .memory_limit_kib(mode.1 * CONNECTION_KIB + trees_kib)
        .block_size_kib(256)
}

#[test]
fn trees_stay_small_while_much_more_is_written() -> Result {
    const TREE_KIB: u32 = 256;
    for mode in MODES {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("small.lsm");
        let builder = limited(mode, 2 * TREE_KIB);
        let mut db = builder.clone().open(&path)?;
        let mut random = SplitMix64::new(u64::from(mode.1));
        let mut model = Model::new();
        let (mut written, mut largest) = (0, 0);
        for step in 0..6000_u32 {
            let key = random.below(20_000).to_be_bytes().to_vec();
            let len = random.below(2000) as usize;
            match random.below(16) {
                0 => {
                    let end = random.below(20_000).to_be_bytes().to_vec();
                    if key < end && step % 4 == 0 {
                        db.remove_range(key.clone()..end.clone())?;
                        model.retain(|known, _| *known < key || *known >= end);
                    }
                }
                1 => {
                    db.remove(&key)?;
                    model.remove(&key);
                }
                _ => {
                    let value = random.bytes(len);
                    db.insert(&key, &value)?;
                    model.insert(key, value);
                    written += len;
                }
            }
            let stats = db.stats()?;
            // The last write may go beyond it; one that removes a range makes many nodes anew.
            let bound = TREE_KIB + 64;
            assert!(stats.live_tree_kib <= bound, "{mode:?}: {stats}");
            assert!(stats.waiting_tree_kib <= bound, "{mode:?}: {stats}");
            largest = largest.max(stats.live_tree_kib);
        }
        assert!(written > 16 << 18, "{written} bytes");
        assert!(largest > TREE_KIB / 2, "{largest} KiB");
        assert_same(&contents(&db)?, &model, &format!("{mode:?}"));
        db.close()?;
        let found = contents(&builder.open(&path)?)?;
        assert_same(&found, &model, &format!("{mode:?}, opened again"));
    }
    Ok(())
}

#[test]
fn a_value_larger_than_the_limit_is_written_and_memory_shrinks_again() -> Result {
    for mode in MODES {
        let dir = tempfile::tempdir()?;
        let builder = limited(mode, 1024);
        let mut db = builder.open(dir.path().join("large.lsm"))?;
        let value = SplitMix64::new(1).bytes(9 << 20);
        for i in 0..100_u32 {
            db.insert(i.to_be_bytes(), [1; 1000])?;
        }
        let mut tx = db.transaction()?;
        tx.insert("large", &value)?;
        tx.insert("with it", "")?;
        tx.commit()?;
        for i in 0..3000_u32 {
            db.insert(i.to_be_bytes(), [2; 1000])?;
        }
        let stats = db.stats()?;
        assert!(stats.live_tree_kib <= 520, "{mode:?}: {stats}");
        assert!(stats.waiting_tree_kib <= 520, "{mode:?}: {stats}");
        assert!(db.get("large")?.as_ref() == Some(&value), "{mode:?}");
        assert_eq!(db.iter().count(), 3002);
    }
    Ok(())
}

/// KiB of memory of this process that no file stands behind.
#[cfg(target_os = "linux")]
fn anonymous_kib() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("RssAnon:"));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    Ok(number.ok_or("no RssAnon")?.parse()?)
}

/// How much memory it takes, at most, to write 16 MB and read here and there.
#[cfg(target_os = "linux")]
fn memory_of(builder: LsmDbBuilder) -> Result<u64> {
    let dir = tempfile::tempdir()?;
    let before = anonymous_kib()?;
    let mut most = 0;
    let mut db = builder.open(dir.path().join("measured.lsm"))?;
    let mut random = SplitMix64::new(7);
    for i in 0..16_000_u32 {
        db.insert(random.bytes(16), [7; 1000])?;
        if i % 200 == 0 {
            most = most.max(anonymous_kib()?.saturating_sub(before));
            db.range(random.bytes(16)..).take(3).count();
        }
    }
    Ok(most)
}

/// Each in a process of its own, as one would use the memory of another once more.
#[cfg(target_os = "linux")]
#[test]
fn the_process_takes_no_more_than_the_limit() -> Result {
    const NAME: &str = "the_process_takes_no_more_than_the_limit";
    const TREES_KIB: u32 = 2 * 1024;
    if option_env!("RUSTFLAGS").is_some_and(|flags| flags.contains("sanitizer")) {
        // AddressSanitizer takes memory of its own for all memory, which isn't what we count.
        return Ok(());
    }
    let Some(argument) = common::child_argument() else {
        for n in 0..MODES.len() {
            common::pass_alone(NAME, format!("{n} limited"))?;
            common::pass_alone(NAME, format!("{n} free"))?;
        }
        return Ok(());
    };
    let argument = argument.to_string_lossy().into_owned();
    let (n, kind) = argument.split_once(' ').ok_or("no mode")?;
    let mode = MODES[n.parse::<usize>()?];
    let limit = u64::from(mode.1 * CONNECTION_KIB + TREES_KIB);
    let taken = match kind {
        "limited" => memory_of(limited(mode, TREES_KIB))?,
        _ => memory_of(LsmDb::builder().background(mode.0))?,
    };
    println!("{mode:?}, {kind}: {taken} KiB, limit {limit} KiB");
    // Without a limit, too, there is something to be seen.
    assert_eq!(taken <= limit, kind == "limited");
    Ok(())
}
