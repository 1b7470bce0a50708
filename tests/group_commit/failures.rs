//! Commits that fail, power that goes, processes that are killed.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use lsmlite_rs::config::{BackgroundMode, Safety};
use lsmlite_rs::env::{Call, Failure, FaultEnv};
use lsmlite_rs::{Durability, LsmDb, LsmErrorCode};

use crate::common::{Repeat, Result, SplitMix64, child, child_argument, setting};
use crate::rows::{LAST, append, assert_rows};
use crate::{THREADS, in_threads, small};

#[test]
fn whoever_is_in_a_commit_that_fails_hears_of_it() -> Result {
    for seed in 0..10 {
        let env = FaultEnv::new(seed);
        env.set_delay(Call::Sync, Duration::from_micros(300));
        let open = || small().env(&env).safety(Safety::Full).open("a.lsm");
        let writer = open()?.into_writer();
        append(&writer)?;
        env.fail_at(Call::Sync, 1 + SplitMix64::new(seed).below(20), Failure::Io);
        let acknowledged = AtomicU64::new(0);
        let errors = in_threads(|_| {
            loop {
                match append(&writer) {
                    Ok(number) => acknowledged.fetch_max(number, Ordering::SeqCst),
                    Err(error) => break error,
                };
            }
        });
        for error in &errors {
            assert_eq!(error.code(), LsmErrorCode::LsmIOErr, "{error}");
        }
        assert!(
            errors.iter().any(|error| !error.is_poisoned()),
            "{errors:?}"
        );
        let error = append(&writer).err().ok_or("it went on")?;
        assert!(error.is_poisoned(), "{error}");
        let acknowledged = acknowledged.into_inner();
        // What failed isn't there, for nobody, neither now nor later.
        let reader = writer.reader()?;
        assert_eq!(reader.get(LAST)?, Some(acknowledged.to_be_bytes().to_vec()));
        drop(reader);
        writer.close().expect_err("it says so");
        env.heal();
        assert_eq!(assert_rows(&open()?, acknowledged, "opened")?, acknowledged);
    }
    Ok(())
}

/// A codec panics in the middle of a commit that others wait for.
#[test]
fn a_codec_that_panics_leaves_nobody_waiting() -> Result {
    use crate::common::{Mood, Moody};
    let dir = tempfile::tempdir()?;
    let codec = Moody::new(30_000);
    let builder = small().codec(codec.clone()).safety(Safety::Full);
    let writer = builder.open(dir.path().join("a.lsm"))?.into_writer();
    codec.be(Mood::PanicsCompressing);
    in_threads(|me| {
        for n in 0..200_u64 {
            let key = [me, n].map(u64::to_be_bytes).concat();
            let write = || writer.insert(&key, [7; 400]);
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(write));
        }
    });
    assert!(codec.misdeeds() > 0);
    codec.be(Mood::Well);
    writer.insert("key", "value")?;
    assert!(writer.reader()?.contains_key("key")?);
    writer.close()?;
    Ok(())
}

/// Where the power goes, as in `tests/power_loss.rs`; all rows from the first to the last that was
/// acknowledged must be there, and no row without those before it.
#[test]
fn acknowledged_commits_survive_a_power_loss_at_durability_sync() -> Result {
    let first = setting("LSMLITE_SEED", 0);
    let (mut groups, mut died) = (0, 0);
    for seed in first..first + setting("LSMLITE_POWER_LOSSES", 60) {
        let _repeat = Repeat(format!("LSMLITE_SEED={seed} LSMLITE_POWER_LOSSES=1"));
        let mut random = SplitMix64::new(seed);
        let env = FaultEnv::new(seed);
        let open = || {
            small()
                .env(&env)
                .background(BackgroundMode::MergerAndCheckpointer)
                .safety(if seed % 2 == 0 {
                    Safety::Normal
                } else {
                    Safety::Full
                })
                .open("a.lsm")
        };
        let mut last = 0;
        for _ in 0..3 {
            let writer = open()?.into_writer().with_durability(Durability::Sync);
            if random.one_in(2) {
                env.set_delay(Call::Sync, Duration::from_micros(200));
            }
            let syncs = env.calls(Call::Sync);
            let call = random.pick(&[Call::Sync, Call::Write, Call::Any]);
            env.lose_power_within(call, 20 + random.below(400));
            let acknowledged = AtomicU64::new(last);
            in_threads(|_| {
                while let Ok(number) = append(&writer) {
                    acknowledged.fetch_max(number, Ordering::SeqCst);
                }
            });
            let acknowledged = acknowledged.into_inner();
            assert!(!env.has_power(), "seed {seed}: an error with power");
            groups += u64::from(acknowledged - last > env.calls(Call::Sync) - syncs);
            died += u64::from(acknowledged > last);
            drop(writer);
            env.restart();
            env.heal();
            let db = open()?;
            last = assert_rows(&db, acknowledged, &format!("seed {seed}"))?;
            db.close()?;
        }
    }
    println!("{died} power losses took a writer, {groups} of them one that shared syncs");
    assert!(died > 0);
    Ok(())
}

struct Reaped(Child);

impl Drop for Reaped {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn acknowledged_commits_survive_kill_9() -> Result {
    const NAME: &str = "failures::acknowledged_commits_survive_kill_9";
    if let Some(argument) = child_argument() {
        let argument = argument.to_string_lossy().into_owned();
        let (seed, path) = argument.split_once(' ').ok_or("no path")?;
        return write_until_killed(seed.parse()?, Path::new(path));
    }
    let first = setting("LSMLITE_SEED", 0);
    for seed in first..first + setting("LSMLITE_KILLS", 12) {
        let _repeat = Repeat(format!("LSMLITE_SEED={seed} LSMLITE_KILLS=1"));
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("killed.lsm");
        let mut random = SplitMix64::new(seed);
        let mut acknowledged = 0;
        for round in 0..2 {
            let enough = acknowledged + 100 + random.below(1500);
            let mut command = child(NAME, format!("{seed} {}", path.display()))?;
            let mut child = Reaped(command.stdout(Stdio::piped()).spawn()?);
            let out = child.0.stdout.take().ok_or("no pipe")?;
            let mut killed = false;
            for line in BufReader::new(out).lines() {
                // The mark tells it from what the test harness prints.
                let line = line?;
                let Some((_, number)) = line.split_once('@') else {
                    continue;
                };
                acknowledged = acknowledged.max(number.parse()?);
                if acknowledged >= enough && !killed {
                    child.0.kill()?;
                    killed = true;
                }
            }
            assert!(killed, "seed {seed}: it ended by itself at {acknowledged}");
            child.0.wait()?;
            let db = LsmDb::open(&path)?;
            let last = assert_rows(&db, acknowledged, &format!("seed {seed}, round {round}"))?;
            // One request of each thread may have been under way.
            assert!(
                last <= acknowledged + 2 * THREADS,
                "{last} after {acknowledged}"
            );
            db.close()?;
            acknowledged = last;
        }
    }
    Ok(())
}

fn write_until_killed(seed: u64, path: &Path) -> Result {
    let modes = [
        BackgroundMode::None,
        BackgroundMode::Merger,
        BackgroundMode::MergerAndCheckpointer,
    ];
    let builder = small()
        .background(modes[(seed % 3) as usize])
        .safety([Safety::Full, Safety::Normal][(seed / 3 % 2) as usize])
        .multi_process(seed / 6 % 2 == 1);
    let writer = builder.open(path)?.into_writer();
    in_threads(|_| -> Result {
        for _ in 0..200_000 {
            let number = append(&writer)?;
            // One write, so that lines stay whole.
            let line = format!("@{number}\n");
            std::io::stdout().lock().write_all(line.as_bytes())?;
        }
        Ok(())
    })
    .into_iter()
    .collect()
}
