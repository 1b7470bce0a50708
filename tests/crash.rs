//! Processes that are killed and disks that are full: what was acknowledged is there.

#![cfg(target_os = "linux")]

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{Result, SplitMix64, child, child_argument, child_with_file_limit, contents};
use lsmlite_rs::compression::Compression;
use lsmlite_rs::config::{BackgroundMode, Safety};
use lsmlite_rs::{Disk, LsmDb, LsmDbBuilder, LsmErrorCode};

const MODES: [BackgroundMode; 4] = [
    BackgroundMode::None,
    BackgroundMode::Merger,
    BackgroundMode::Checkpointer,
    BackgroundMode::MergerAndCheckpointer,
];

fn builder(mode: BackgroundMode) -> LsmDbBuilder {
    LsmDb::builder()
        .background(mode)
        .autoflush_kib(64)
        .autocheckpoint_kib(256)
        .page_size_bytes(1024)
        .block_size_kib(64)
}

fn key(row: u64) -> [u8; 8] {
    // In no order.
    row.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()
}

fn value(row: u64) -> Vec<u8> {
    SplitMix64::new(row).bytes(row as usize % 150)
}

/// Tells the parent; the mark tells it from what the test harness prints.
fn tell(text: impl std::fmt::Display) -> Result {
    let mut out = std::io::stdout().lock();
    writeln!(out, "@{text}")?;
    Ok(out.flush()?)
}

/// Ends a child at the end of a test, however it ends.
struct Reaped(Child);

impl Drop for Reaped {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(mut command: Command) -> Result<(Reaped, impl Iterator<Item = Result<String>>)> {
    let mut child = Reaped(command.stdout(Stdio::piped()).spawn()?);
    let out = child.0.stdout.take().ok_or("no pipe")?;
    let told = BufReader::new(out).lines().filter_map(|line| match line {
        Ok(line) => line.split_once('@').map(|(_, text)| Ok(text.to_owned())),
        Err(error) => Some(Err(error.into())),
    });
    Ok((child, told))
}

/// Rows 0 to `acknowledged` - 1 must be there, and at most the `unknown` after them, without a
/// gap; and nothing else.
fn assert_rows(db: &LsmDb, acknowledged: u64, unknown: u64, when: &str) -> Result<u64> {
    let found = contents(db)?;
    for row in 0..acknowledged {
        assert!(
            found.get(&key(row)[..]) == Some(&value(row)),
            "{when}: row {row} of {acknowledged} isn't there"
        );
    }
    let count = found.len() as u64;
    assert!(
        count >= acknowledged && count <= acknowledged + unknown,
        "{when}: {count}"
    );
    for row in acknowledged..count {
        assert!(
            found.get(&key(row)[..]) == Some(&value(row)),
            "{when}: {row}"
        );
    }
    Ok(count)
}

/// How a process that is to be killed writes.
#[derive(Copy, Clone, Debug)]
struct Writing {
    mode: BackgroundMode,
    safety: Safety,
    multi_process: bool,
}

impl Writing {
    /// All modes in four, all levels of safety in twelve, everything in twenty-four.
    fn number(n: u64) -> Writing {
        Writing {
            mode: MODES[(n % 4) as usize],
            safety: [Safety::Full, Safety::Normal, Safety::Off][(n / 4 % 3) as usize],
            multi_process: (n + n / 12) % 2 == 1,
        }
    }

    fn open(self, path: &Path) -> Result<LsmDb> {
        let builder = builder(self.mode).safety(self.safety);
        Ok(builder.multi_process(self.multi_process).open(path)?)
    }
}

/// So many processes are killed on each database.
const KILLS_EACH: u64 = 3;

/// `LSMLITE_KILLS` says how many processes are killed, `LSMLITE_SEED` where the seeds begin.
#[test]
fn committed_rows_survive_kill_9_in_every_mode() -> Result {
    const NAME: &str = "committed_rows_survive_kill_9_in_every_mode";
    if let Some(argument) = child_argument() {
        return write_until_killed(&argument.to_string_lossy());
    }
    let first = common::setting("LSMLITE_SEED", 0) / KILLS_EACH;
    for number in first..first + common::setting("LSMLITE_KILLS", 36).div_ceil(KILLS_EACH) {
        let seed = number * KILLS_EACH;
        kill_and_look(NAME, number)
            .map_err(|error| format!("LSMLITE_KILLS={KILLS_EACH} LSMLITE_SEED={seed}: {error}"))?;
    }
    Ok(())
}

fn kill_and_look(test: &str, number: u64) -> Result {
    let writing = Writing::number(number);
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("killed.lsm");
    let mut random = SplitMix64::new(number);
    let mut rows = 0;
    for round in 0..KILLS_EACH {
        let when = format!("seed {}, {writing:?}, kill {round}", number * KILLS_EACH);
        // A process beside it keeps the memory that the two share, as the dead one leaves it.
        let beside = match writing.multi_process && random.one_in(2) {
            true => Some(writing.open(&path)?),
            false => None,
        };
        let argument = format!("{number} {rows} {}", path.display());
        let (mut child, told) = start(child(test, argument)?)?;
        let enough = rows + 200 + random.below(4000);
        let mut acknowledged = rows;
        let mut killed = false;
        // After the kill there may still be something in the pipe.
        for line in told {
            acknowledged = line?.parse()?;
            if acknowledged >= enough && !killed {
                child.0.kill()?;
                killed = true;
            }
        }
        assert!(killed, "{when}: it ended by itself at {acknowledged}");
        child.0.wait()?;
        if let Some(mut beside) = beside {
            let row = assert_rows(&beside, acknowledged, 1, &format!("{when}, beside"))?;
            common::retry(|| beside.insert(key(row), value(row)))?;
            acknowledged = row + 1;
            beside.close()?;
        }
        // Looked at with other settings, then by the next process with its own.
        let db = LsmDb::open(&path)?;
        rows = assert_rows(&db, acknowledged, 1, &when)?;
        db.close()?;
    }
    Ok(())
}

fn write_until_killed(argument: &str) -> Result {
    let mut words = argument.splitn(3, ' ');
    let mut word = || words.next().ok_or("an argument is missing");
    let writing = Writing::number(word()?.parse()?);
    let first: u64 = word()?.parse()?;
    let mut db = writing.open(Path::new(word()?))?;
    for row in first..first + 1_000_000 {
        db.insert(key(row), value(row))?;
        tell(row + 1)?;
    }
    Ok(())
}

/// What two processes share is repaired by the one that survives. That overran a heap block and
/// called the database corrupt if memory had just 1, 2, 4... chunks of 32 KiB.
#[test]
fn a_process_killed_in_its_transaction_leaves_the_others_well() -> Result {
    const NAME: &str = "a_process_killed_in_its_transaction_leaves_the_others_well";
    let shared = || LsmDb::builder().multi_process(true);
    if let Some(argument) = child_argument() {
        let mut db = shared().open(&argument)?;
        db.begin_transaction()?;
        db.insert(b"never", b"committed")?;
        tell("written")?;
        std::thread::sleep(Duration::from_secs(60));
        return Ok(());
    }
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("killed.lsm");
    let mut db = shared().open(&path)?;
    let mut rows = 0;
    for chunks in 1..6 {
        // Each is 32 KiB large.
        while rows < 110 * chunks {
            db.insert(key(rows), [0; 200])?;
            rows += 1;
        }
        let (mut child, mut told) = start(child(NAME, &path)?)?;
        told.next().ok_or("it said nothing")??;
        child.0.kill()?;
        child.0.wait()?;
        common::retry(|| db.insert(key(rows), [0; 200]))?;
        rows += 1;
        assert_eq!(contents(&db)?.len() as u64, rows, "{chunks} chunks");
    }
    db.close()?;
    assert_eq!(contents(&LsmDb::open(&path)?)?.len() as u64, rows);
    Ok(())
}

/// A transaction is there as a whole or not at all.
#[test]
fn a_transaction_cut_by_kill_9_leaves_nothing() -> Result {
    const NAME: &str = "a_transaction_cut_by_kill_9_leaves_nothing";
    const SIZE: u64 = 50;
    if let Some(argument) = child_argument() {
        let mut db = builder(BackgroundMode::MergerAndCheckpointer).open(&argument)?;
        for transaction in 0..1_000_000 {
            db.begin_transaction()?;
            for row in transaction * SIZE..(transaction + 1) * SIZE {
                db.insert(key(row), value(row))?;
            }
            db.commit_transaction()?;
            tell((transaction + 1) * SIZE)?;
        }
        return Ok(());
    }
    for round in 1..4 {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("killed.lsm");
        let (mut child, told) = start(child(NAME, &path)?)?;
        let mut acknowledged = 0;
        for line in told {
            acknowledged = line?.parse()?;
            if acknowledged >= round * 20 * SIZE {
                child.0.kill()?;
            }
        }
        child.0.wait()?;
        let rows = assert_rows(&LsmDb::open(&path)?, acknowledged, SIZE, "killed")?;
        assert_eq!(rows % SIZE, 0);
    }
    Ok(())
}

/// lsm1 takes a short write for a complete one; 0.2.2 then loses what it acknowledges later.
#[test]
fn on_a_full_disk_writes_fail_and_acknowledged_rows_survive() -> Result {
    const NAME: &str = "on_a_full_disk_writes_fail_and_acknowledged_rows_survive";
    if let Some(argument) = child_argument() {
        return write_until_full(&argument.to_string_lossy());
    }
    let mut failed_at = Vec::new();
    for (i, mode) in MODES.into_iter().enumerate() {
        for (kib, codec) in [
            (300, "plain"),
            (1000, "plain"),
            (301, "packed"),
            (500, "log"),
        ] {
            if codec == "packed" && !cfg!(feature = "lz4") {
                continue;
            }
            let dir = tempfile::tempdir()?;
            let path = dir.path().join("full.lsm");
            let argument = format!("{i} {codec} {}", path.display());
            let mut command = child_with_file_limit(NAME, argument, kib)?;
            command.stderr(Stdio::piped());
            if codec == "log" {
                // It ends without closing, which isn't a leak to report.
                command.env("ASAN_OPTIONS", "detect_leaks=0");
            }
            let (mut child, told) = start(command)?;
            let watchdog = Instant::now();
            let (mut acknowledged, mut errors) = (0, 0);
            for line in told {
                let line = line?;
                assert!(watchdog.elapsed() < Duration::from_secs(60), "it hangs");
                match line.split_once(' ') {
                    Some(("error", _)) => errors += 1,
                    _ => acknowledged = line.parse()?,
                }
            }
            let mut complaints = String::new();
            if let Some(mut stderr) = child.0.stderr.take() {
                stderr.read_to_string(&mut complaints)?;
            }
            let status = child.0.wait()?;
            let when = format!("{mode:?}, {kib} KiB, {codec}");
            assert!(status.success(), "{when}: {status}: {complaints}");
            assert!(errors > 0, "{when}: nothing failed");
            assert!(acknowledged > 500, "{when}: {acknowledged}");
            failed_at.push(acknowledged);

            let found = contents(&LsmDb::open(&path)?)?;
            for row in 0..acknowledged {
                let acknowledged = found.get(&key(row)[..]) == Some(&value(row));
                assert!(acknowledged, "{when}: row {row} isn't there");
            }
            // The rows that failed may be there or not.
            for (found_key, found_value) in &found {
                let known = (0..acknowledged + 100)
                    .find(|row| key(*row)[..] == found_key[..])
                    .ok_or_else(|| format!("{when}: a foreign row"))?;
                assert!(*found_value == value(known), "{when}");
            }
            // With room again everything goes on.
            let mut db = builder(mode).open(&path)?;
            for row in acknowledged..acknowledged + 500 {
                db.insert(key(row), value(row))?;
            }
            db.compact()?;
            db.close()?;
            let db = LsmDb::open(&path)?;
            for row in 0..acknowledged + 500 {
                assert_eq!(db.get(key(row))?, Some(value(row)), "{when}");
            }
        }
    }
    failed_at.sort();
    failed_at.dedup();
    assert!(
        failed_at.len() > 2,
        "the limit had no influence: {failed_at:?}"
    );
    Ok(())
}

fn write_until_full(argument: &str) -> Result {
    let mut words = argument.splitn(3, ' ');
    let mut word = || words.next().ok_or("an argument is missing");
    let mut builder = builder(MODES[word()?.parse::<usize>()?]);
    let what = word()?;
    if what == "packed" {
        builder = builder.compression(Compression::LZ4);
    }
    if what == "log" {
        // So that the log is the first file to reach the limit.
        builder = builder.autoflush_kib(16 * 1024);
    }
    let mut db = builder.clone().open(word()?)?;
    let mut acknowledged = 0_u64;
    let mut failures = 0;
    while failures < 3 {
        match db.insert(key(acknowledged), value(acknowledged)) {
            Ok(()) => {
                acknowledged += 1;
                tell(acknowledged)?;
                assert!(acknowledged < 1_000_000, "the limit isn't in force");
            }
            Err(error) => {
                failures += 1;
                let expected = [LsmErrorCode::LsmIOErr, LsmErrorCode::LsmFull];
                assert!(expected.contains(&error.code()), "{error}");
                tell(format!("error {error}"))?;
                // Reading goes on, of what is there.
                for row in (0..acknowledged).step_by(97) {
                    assert_eq!(db.get(key(row))?, Some(value(row)), "row {row}");
                }
            }
        }
    }
    if what == "log" {
        // As if the process had crashed now: the rows are nowhere but in the log.
        std::process::exit(0);
    }
    assert!(db.flush().is_err() || db.checkpoint().is_ok());
    // It closes, with or without an error, and doesn't hang.
    let _ = db.close();
    Ok(())
}
