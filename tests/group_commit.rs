//! Threads that share a writer: each hears its own result, after a commit that they share.
//!
//! `LSMLITE_KILLS` says how many processes are killed, `LSMLITE_POWER_LOSSES` how often the power
//! goes, `LSMLITE_SEED` where the seeds begin.

#![cfg(target_os = "linux")]

mod common;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::{Repeat, Result, SplitMix64, child, child_argument, contents, setting};
use lsmlite_rs::config::{BackgroundMode, Safety};
use lsmlite_rs::env::{Call, Failure, FaultEnv};
use lsmlite_rs::{
    Disk, Durability, LsmDb, LsmDbBuilder, LsmError, LsmErrorCode, Transaction, WriteBatch, Writer,
};

const THREADS: u64 = 8;

type Outcome<T = ()> = std::result::Result<T, LsmError>;

fn small() -> LsmDbBuilder {
    LsmDb::builder()
        .autoflush_kib(64)
        .autocheckpoint_kib(256)
        .page_size_bytes(1024)
        .block_size_kib(64)
}

/// Runs `work` in eight threads and returns what they return.
fn in_threads<T: Send>(work: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let together = Barrier::new(THREADS as usize);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|me| {
                let (work, together) = (&work, &together);
                scope.spawn(move || {
                    together.wait();
                    work(me)
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("no panic"))
            .collect()
    })
}

const LAST: &[u8] = b"last";

/// The number that counts all requests, from 1.
fn number(tx: &Transaction<'_>) -> Outcome<u64> {
    Ok(tx.get(LAST)?.map_or(0, |bytes| {
        u64::from_be_bytes(bytes.try_into().expect("eight bytes"))
    }))
}

fn row(number: u64) -> Vec<u8> {
    // In no order.
    [
        b"row".as_slice(),
        &number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes(),
    ]
    .concat()
}

fn value(number: u64) -> Vec<u8> {
    SplitMix64::new(number).bytes(number as usize % 150)
}

/// Writes the next row; returns its number.
fn append(writer: &Writer) -> Outcome<u64> {
    writer.update(|tx| {
        let next = number(tx)? + 1;
        tx.insert(row(next), value(next))?;
        tx.insert(LAST, next.to_be_bytes())?;
        Ok(next)
    })
}

/// The database holds rows 1 to a number that is at least this one, each as it was written, and
/// nothing else: requests are there as a whole, in their order, without a gap.
fn assert_rows(db: &LsmDb, acknowledged: u64, when: &str) -> Result<u64> {
    let found = contents(db)?;
    let last = match found.get(LAST) {
        Some(bytes) => u64::from_be_bytes(bytes[..].try_into()?),
        None => 0,
    };
    assert!(last >= acknowledged, "{when}: {last} of {acknowledged}");
    for number in 1..=last {
        let value = Some(value(number));
        assert!(
            found.get(&row(number)) == value.as_ref(),
            "{when}: {number} of {last}"
        );
    }
    assert_eq!(found.len() as u64, last + u64::from(last > 0), "{when}");
    Ok(last)
}

#[test]
fn what_eight_threads_read_and_write_is_serial() -> Result {
    let dir = tempfile::tempdir()?;
    let modes = [BackgroundMode::None, BackgroundMode::MergerAndCheckpointer];
    for (mode, multi_process) in modes
        .into_iter()
        .flat_map(|mode| [(mode, false), (mode, true)])
    {
        let path = dir.path().join(format!("{mode:?}-{multi_process}.lsm"));
        let builder = small().background(mode).multi_process(multi_process);
        let writer = builder.open(&path)?.into_writer();
        let each = 400;
        let numbers =
            in_threads(|_| -> Outcome<Vec<u64>> { (0..each).map(|_| append(&writer)).collect() });
        let mut all = Vec::new();
        for numbers in numbers {
            let numbers = numbers?;
            assert!(numbers.is_sorted());
            all.extend(numbers);
        }
        all.sort();
        assert!(all.into_iter().eq(1..=each * THREADS), "{path:?}");
        writer.close()?;
        assert_rows(&LsmDb::open(&path)?, each * THREADS, "closed")?;
    }
    Ok(())
}

#[derive(Debug)]
#[allow(dead_code)] // It is shown.
enum Refused {
    Unlucky,
    Engine(LsmError),
}

impl From<LsmError> for Refused {
    fn from(error: LsmError) -> Refused {
        Refused::Engine(error)
    }
}

/// Real syncs, so that there are groups.
#[test]
fn a_request_that_fails_takes_back_itself_only() -> Result {
    let env = FaultEnv::new(0);
    env.set_delay(Call::Sync, Duration::from_micros(300));
    let open = || small().env(&env).safety(Safety::Full).open("a.lsm");
    let writer = open()?.into_writer();
    let readers = writer.reader_pool(THREADS as usize)?;
    writer.insert(LAST, "first")?;
    let before = env.calls(Call::Sync);
    writer.insert(LAST, "alone")?;
    let alone = env.calls(Call::Sync) - before;
    let outcomes = in_threads(|me| -> Result<(u64, u64)> {
        let mut random = SplitMix64::new(me);
        let (mut written, mut taken_back) = (0, 0);
        for n in 0..100_u64 {
            let key = |part: u64| [me, n, part].map(u64::to_be_bytes).concat();
            let fails = random.one_in(3);
            let outcome = writer.update(|tx| {
                tx.insert(key(0), "first")?;
                tx.remove_range(key(0)..=key(0))?;
                tx.insert(key(1), "second")?;
                // What the others see of it must go as well.
                tx.insert(LAST, key(2))?;
                match fails {
                    true => Err(Refused::Unlucky),
                    false => Ok(n),
                }
            });
            match outcome {
                Ok(number) if !fails => assert_eq!(number, n),
                Err(Refused::Unlucky) if fails => {}
                other => panic!("{other:?} of {n}"),
            }
            // Heard when it is committed, by others too.
            assert_eq!(readers.contains_key(key(1))?, !fails);
            taken_back += u64::from(fails);
            written += u64::from(!fails);
        }
        Ok((written, taken_back))
    });
    let (mut written, mut taken_back) = (0, 0);
    for outcome in outcomes {
        let outcome = outcome?;
        written += outcome.0;
        taken_back += outcome.1;
    }
    assert!(written > 300 && taken_back > 100, "{written}, {taken_back}");
    let syncs = env.calls(Call::Sync) - before - alone;
    assert!(
        4 * syncs < 3 * alone * written,
        "there were no groups: {syncs} syncs"
    );
    drop(readers);
    writer.close()?;
    let found = contents(&open()?)?;
    assert_eq!(found.len() as u64, written + 1);
    assert!(
        found
            .iter()
            .all(|(key, value)| key == LAST || value == b"second")
    );
    Ok(())
}

#[test]
fn a_request_that_panics_takes_back_itself_only() -> Result {
    let env = FaultEnv::new(0);
    env.set_delay(Call::Sync, Duration::from_micros(300));
    let writer = small()
        .env(&env)
        .safety(Safety::Full)
        .open("a.lsm")?
        .into_writer();
    in_threads(|me| -> Result {
        for n in 0..40_u64 {
            let key = [me, n].map(u64::to_be_bytes).concat();
            let work = || {
                writer.update(|tx| {
                    tx.insert(&key, "value")?;
                    assert!((me + n) % 4 != 0, "on purpose");
                    Ok::<_, LsmError>(())
                })
            };
            let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
            match outcome {
                Ok(outcome) => outcome?,
                Err(payload) => assert_eq!(common::panic_text(&*payload), "on purpose"),
            }
        }
        Ok(())
    })
    .into_iter()
    .collect::<Result>()?;
    assert_eq!(writer.reader()?.iter().count(), 8 * 30);
    Ok(())
}

/// On a disk that takes two milliseconds for a sync.
#[test]
fn eight_threads_that_sync_each_commit_are_four_times_as_fast_as_one() -> Result {
    const SYNC: Duration = Duration::from_millis(2);
    let mut measured = Vec::new();
    for threads in [1, THREADS] {
        let env = FaultEnv::new(0);
        env.set_delay(Call::Sync, SYNC);
        let builder = LsmDb::builder().env(&env).safety(Safety::Full);
        let writer = builder.open("a.lsm")?.into_writer();
        let before = env.calls(Call::Sync);
        let start = Instant::now();
        let written = in_threads(|me| -> Outcome<u64> {
            let mut written = 0;
            while me < threads && start.elapsed() < 200 * SYNC {
                append(&writer)?;
                written += 1;
            }
            Ok(written)
        });
        let written = written.into_iter().sum::<Outcome<u64>>()?;
        let rate = written as f64 / start.elapsed().as_secs_f64();
        let syncs = env.calls(Call::Sync) - before;
        println!("{threads} threads: {rate:.0} commits per second, {syncs} syncs");
        measured.push((rate, written as f64 / syncs as f64));
        writer.close()?;
    }
    let (one, eight) = (measured[0], measured[1]);
    assert!(eight.0 >= 4.0 * one.0, "commits per second: {measured:?}");
    assert!(eight.1 >= 4.0 * one.1, "commits per sync: {measured:?}");
    Ok(())
}

/// `LSMLITE_SECONDS` for each. The folder for temporary files decides which disk it is.
#[test]
#[ignore = "measures the disk; run it alone, in release mode"]
fn commits_per_second_of_eight_threads_and_of_one() -> Result {
    let time = Duration::from_secs(setting("LSMLITE_SECONDS", 3));
    let mut rates = Vec::new();
    for threads in [1, 2, 4, THREADS] {
        let dir = tempfile::tempdir()?;
        let builder = LsmDb::builder().safety(Safety::Full);
        let writer = builder.open(dir.path().join("a.lsm"))?.into_writer();
        let start = Instant::now();
        let counts = in_threads(|me| -> Outcome<u64> {
            let mut written = 0;
            while me < threads && start.elapsed() < time {
                writer.insert(row(written * THREADS + me), [7; 100])?;
                written += 1;
            }
            Ok(written)
        });
        let written: u64 = counts.into_iter().sum::<Outcome<u64>>()?;
        let rate = written as f64 / start.elapsed().as_secs_f64();
        println!("{threads} threads: {rate:.0} commits per second, each synced");
        rates.push(rate);
        writer.close()?;
    }
    let factor = rates[3] / rates[0];
    println!("8 threads commit {factor:.1} times as often as one");
    assert!(factor >= 4.0);
    Ok(())
}

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
    const NAME: &str = "acknowledged_commits_survive_kill_9";
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

#[test]
fn a_durability_that_cannot_be_had_is_refused_for_its_request_alone() -> Result {
    let dir = tempfile::tempdir()?;
    let db = LsmDb::builder()
        .safety(Safety::Off)
        .open(dir.path().join("a.lsm"))?;
    let writer = db.into_writer();
    let strict = writer.clone().with_durability(Durability::Sync);
    in_threads(|me| -> Result {
        for n in 0..50_u64 {
            let key = [me, n].map(u64::to_be_bytes).concat();
            match me {
                0 => {
                    let error = strict.insert(key, "").err().ok_or("accepted")?;
                    assert_eq!(error.code(), LsmErrorCode::LsmMisuse);
                }
                _ => writer.insert(key, "")?,
            }
        }
        Ok(())
    })
    .into_iter()
    .collect::<Result>()?;
    assert_eq!(writer.reader()?.iter().count(), 7 * 50);
    Ok(())
}

#[test]
fn a_group_waits_for_the_most_that_is_asked_for() -> Result {
    for (safety, durability, expected) in [
        (Safety::Normal, Durability::Default, false),
        (Safety::Normal, Durability::Sync, true),
        (Safety::Full, Durability::Default, true),
        (Safety::Full, Durability::None, false),
    ] {
        let env = FaultEnv::new(0);
        let db = LsmDb::builder().env(&env).safety(safety).open("a.lsm")?;
        let writer = db.into_writer();
        writer.insert("first", "")?;
        let before = env.calls(Call::Sync);
        writer
            .clone()
            .with_durability(durability)
            .insert("key", "")?;
        let syncs = env.calls(Call::Sync) - before;
        assert_eq!(syncs > 0, expected, "{durability:?} at {safety:?}");
    }
    Ok(())
}

#[test]
fn a_request_within_a_request_is_refused_and_does_not_hang() -> Result {
    let dir = tempfile::tempdir()?;
    let writer = LsmDb::open(dir.path().join("a.lsm"))?.into_writer();
    let other = LsmDb::open(dir.path().join("b.lsm"))?.into_writer();
    writer.update(|tx| {
        tx.insert("a", "1")?;
        other.insert("b", "2")?;
        for error in [
            writer.insert("a", "2").err(),
            writer.reader().err(),
            writer.exclusive(|_| ()).err(),
            writer.clone().close().err(),
        ] {
            let error = error.expect("it would wait for itself");
            assert_eq!(error.code(), LsmErrorCode::LsmMisuse, "{error}");
        }
        Ok::<_, LsmError>(())
    })?;
    assert!(writer.reader()?.contains_key("a")?);
    assert!(other.reader()?.contains_key("b")?);
    Ok(())
}

#[test]
fn maintenance_has_the_handle_to_itself() -> Result {
    let dir = tempfile::tempdir()?;
    let writer = small()
        .safety(Safety::Full)
        .open(dir.path().join("a.lsm"))?
        .into_writer();
    in_threads(|me| -> Result {
        for n in 0..30 {
            append(&writer)?;
            if me == 0 && n % 10 == 9 {
                let segments = writer.exclusive(|db| -> Outcome<usize> {
                    db.compact()?;
                    Ok(db.stats()?.segments())
                })??;
                assert_eq!(segments, 1);
            }
        }
        Ok(())
    })
    .into_iter()
    .collect::<Result>()?;
    // What is left open is taken back.
    writer.exclusive(|db| {
        db.begin_transaction()?;
        db.persist(b"never", b"committed")
    })??;
    append(&writer)?;
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        writer.exclusive(|db| {
            let _ = db.begin_transaction();
            panic!("on purpose");
        })
    }));
    assert!(panicked.is_err());
    append(&writer)?;
    writer.exclusive(|db| assert_rows(db, 8 * 30 + 2, "at the end"))??;
    Ok(())
}

#[test]
fn a_writer_that_is_closed_says_so_to_all_its_clones() -> Result {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("a.lsm");
    let writer = LsmDb::open(&path)?.into_writer();
    let results = in_threads(|me| -> (u64, Option<LsmError>) {
        let mut acknowledged = 0;
        loop {
            if me == 0 && acknowledged > 100 {
                let closed = writer.clone().close();
                return (acknowledged, closed.err());
            }
            match append(&writer) {
                Ok(number) => acknowledged = number,
                Err(error) => return (acknowledged, Some(error)),
            }
        }
    });
    assert!(results[0].1.is_none(), "{:?}", results[0].1);
    for (_, error) in &results[1..] {
        let text = error.as_ref().map(LsmError::to_string).unwrap_or_default();
        assert!(text.contains("the writer is closed"), "{text}");
    }
    let error = writer.close().err().ok_or("closed twice")?;
    assert_eq!(error.code(), LsmErrorCode::LsmMisuse);
    let most = results.iter().map(|result| result.0).max();
    assert_rows(&LsmDb::open(&path)?, most.unwrap_or(0), "closed")?;
    Ok(())
}

#[test]
fn batches_of_several_threads_are_whole() -> Result {
    let dir = tempfile::tempdir()?;
    let writer = small().open(dir.path().join("a.lsm"))?.into_writer();
    let reader = writer.reader_pool(2)?;
    in_threads(|me| -> Result {
        let mut batch = WriteBatch::new();
        for n in 0..60_u64 {
            batch.clear();
            batch.remove_range::<&[u8]>(..);
            for row in 0..20_u64 {
                batch.insert(row.to_be_bytes(), [me, n].map(u64::to_be_bytes).concat());
            }
            writer.write(&batch)?;
            let found = reader.reader()?.iter().collect::<Outcome<Vec<_>>>()?;
            assert_eq!(found.len(), 20);
            assert!(found.iter().all(|record| record.1 == found[0].1), "mixed");
        }
        Ok(())
    })
    .into_iter()
    .collect()
}

/// A codec panics in the middle of a commit that others wait for.
#[test]
fn a_codec_that_panics_leaves_nobody_waiting() -> Result {
    use common::{Mood, Moody};
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

#[test]
fn what_stands_in_the_way_of_a_transaction_is_heard_by_each_request() -> Result {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("a.lsm");
    let writer = LsmDb::open(&path)?.into_writer();
    let mut other = LsmDb::open(&path)?;
    other.begin_transaction()?;
    other.insert("other", "")?;
    let busy = in_threads(|_| append(&writer).is_err_and(|error| error.is_busy()));
    assert_eq!(busy, [true; THREADS as usize]);
    other.commit_transaction()?;
    other.close()?;
    assert_eq!(append(&writer)?, 1);
    // The last clone closes it.
    drop((writer.clone(), writer));
    let db = LsmDb::builder().read_only(true).open(&path)?;
    assert_eq!(db.iter().count(), 3);
    let error = append(&db.into_writer()).err().ok_or("written")?;
    assert_eq!(error.code(), LsmErrorCode::LsmReadOnly);
    let nothing = LsmDb::default().into_writer();
    assert_eq!(
        append(&nothing).map_err(|error| error.code()),
        Err(LsmErrorCode::LsmMisuse)
    );
    Ok(())
}
