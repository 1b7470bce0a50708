//! `on_recovery`: an opening that replays a log tells how far it is, and the one who listens can't
//! do any harm.

#![cfg(unix)]

mod common;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex};

use common::{Model, Result, SplitMix64, assert_same, child, child_argument, contents, panic_text};
use lsmlite_rs::config::Safety;
use lsmlite_rs::env::FaultEnv;
use lsmlite_rs::{LsmDb, LsmDbBuilder, LsmErrorCode, RecoveryProgress};

const STEP: u64 = 128 * 1024;

type Told = Arc<Mutex<Vec<RecoveryProgress>>>;

/// A builder that writes down what it is told.
fn listening() -> (LsmDbBuilder, Told) {
    let told = Told::default();
    let log = Arc::clone(&told);
    let builder = LsmDb::builder().on_recovery(move |progress| log.lock().unwrap().push(*progress));
    (builder, told)
}

fn number_told(told: &Told) -> usize {
    told.lock().unwrap().len()
}

/// What a process that dies at this moment leaves behind.
fn crashed(live: &Path, copy: &Path) -> Result {
    for end in ["", "-log"] {
        let path = |file: &Path| format!("{}{end}", file.display());
        if Path::new(&path(live)).exists() {
            fs::copy(path(live), path(copy))?;
        }
    }
    Ok(())
}

fn log_file_bytes(path: &Path) -> u64 {
    fs::metadata(format!("{}-log", path.display())).map_or(0, |log| log.len())
}

/// It goes up to the end, in steps, of a total that doesn't change. Returns that.
fn assert_goes_up(told: &Told) -> u64 {
    let told = told.lock().unwrap();
    let last = told.last().expect("never called");
    assert_eq!(last.read_bytes, last.total_bytes, "the end");
    assert!(
        told.iter().all(|one| one.total_bytes == last.total_bytes),
        "{told:?}"
    );
    let steps: Vec<_> = told.iter().map(|one| one.read_bytes).collect();
    assert!(steps.windows(2).all(|two| two[0] < two[1]), "{steps:?}");
    last.total_bytes
}

fn row(n: u64) -> (Vec<u8>, Vec<u8>) {
    let mut random = SplitMix64::new(n);
    let len = random.below(300) as usize;
    (n.to_be_bytes().to_vec(), random.bytes(len))
}

#[test]
fn the_log_of_a_process_that_died_is_told_to_its_end() -> Result {
    const ROWS: u64 = 30_000;
    if let Some(path) = child_argument() {
        let mut db = LsmDb::open(Path::new(&path))?;
        for n in 0..ROWS {
            let (key, value) = row(n);
            db.insert(key, value)?;
        }
        std::process::abort();
    }
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("died.lsm");
    let test = "the_log_of_a_process_that_died_is_told_to_its_end";
    let output = child(test, path.as_os_str())?.output()?;
    assert!(!output.status.success());
    let log_bytes = log_file_bytes(&path);
    assert!(log_bytes > 4 << 20, "{log_bytes}");

    let (builder, told) = listening();
    let db = builder.open(&path)?;
    let total = assert_goes_up(&told);
    assert!(total > 4 << 20 && total <= log_bytes, "{total}");
    assert_eq!(number_told(&told) as u64, total.div_ceil(STEP));
    let replayed = db.stats()?.log_bytes;
    assert!(total.abs_diff(replayed) <= 1024, "{total}, {replayed}");
    assert_same(&contents(&db)?, &(0..ROWS).map(row).collect(), "recovered");
    db.close()?;

    // It was closed: there is nothing to tell any more.
    told.lock().unwrap().clear();
    let (builder, told) = listening();
    builder.open(&path)?.close()?;
    assert_eq!(number_told(&told), 0);
    Ok(())
}

#[test]
fn without_a_commit_in_the_log_nobody_is_told() -> Result {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("live.lsm");
    let (builder, told) = listening();
    let mut db = builder.clone().open(&path)?;
    assert_eq!(number_told(&told), 0, "a new database");
    db.insert("key", "value")?;

    // The other one has replayed what there was.
    builder.clone().open(&path)?.close()?;
    assert_eq!(number_told(&told), 0, "beside another handle");
    db.close()?;

    let log = format!("{}-log", path.display());
    for (name, bytes) in [
        ("zeros", vec![0; 1 << 20]),
        ("noise", SplitMix64::new(1).bytes(1 << 20)),
        // Padding as the engine writes it, as far as the eye can see.
        ("padding", vec![1; 1 << 20]),
    ] {
        fs::write(&log, bytes)?;
        let db = builder.clone().open(&path)?;
        assert_eq!(number_told(&told), 0, "{name}");
        assert_eq!(contents(&db)?.len(), 1, "{name}");
        db.close()?;
    }

    let mut db = LsmDb::open(&path)?;
    let mut transaction = db.transaction()?;
    for n in 0..10_000 {
        let (key, value) = row(n);
        transaction.insert(key, value)?;
    }
    let copy = dir.path().join("copy.lsm");
    crashed(&path, &copy)?;
    assert!(log_file_bytes(&copy) > 1 << 20);
    let recovered = builder.open(&copy)?;
    assert_eq!(number_told(&told), 0, "a transaction that wasn't committed");
    assert_eq!(contents(&recovered)?.len(), 1);
    Ok(())
}

#[test]
fn a_transaction_that_was_not_committed_is_counted_and_jumped_over() -> Result {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("live.lsm");
    let mut db = LsmDb::open(&path)?;
    let mut model = Model::new();
    for n in 0..5000 {
        let (key, value) = row(n);
        db.insert(&key, &value)?;
        model.insert(key, value);
    }
    let committed = db.stats()?.log_bytes;
    let mut transaction = db.transaction()?;
    for n in 5000..20_000 {
        let (key, value) = row(n);
        transaction.insert(key, value)?;
    }
    let copy = dir.path().join("copy.lsm");
    crashed(&path, &copy)?;
    let (builder, told) = listening();
    let recovered = builder.open(&copy)?;
    let total = assert_goes_up(&told);
    assert!(total > 2 * committed, "{total}, {committed}");
    let before_the_end = told.lock().unwrap().iter().rev().nth(1).copied();
    let before_the_end = before_the_end.ok_or("told once")?.read_bytes;
    assert!(before_the_end <= committed + 1024, "{before_the_end}");
    assert_same(&contents(&recovered)?, &model, "recovered");
    Ok(())
}

#[test]
fn a_recovery_in_another_environment_is_told_too() -> Result {
    let env = FaultEnv::new(1);
    let builder = LsmDb::builder().env(&env).safety(Safety::Full);
    let mut db = builder.open("m.lsm")?;
    db.transact(|tx| {
        (0..5000)
            .map(row)
            .try_for_each(|(key, value)| tx.insert(key, value))
    })?;
    env.lose_power();
    drop(db);
    env.restart();
    let (builder, told) = listening();
    let db = builder.env(&env).open("m.lsm")?;
    let bytes = db.stats()?.log_bytes;
    assert!(bytes > 500_000, "{bytes}");
    assert!(assert_goes_up(&told).abs_diff(bytes) <= 1024);
    assert_eq!(contents(&db)?.len(), 5000);
    Ok(())
}

/// The log goes round, jumps, and begins wherever a checkpoint says.
#[test]
fn every_moment_of_a_random_history_is_told_right() -> Result {
    let (mut told_at, mut silent_at, mut wrapped_at) = (0, 0, 0);
    for seed in 0..2 {
        let mut random = SplitMix64::new(seed);
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("live.lsm");
        let small = |builder: LsmDbBuilder| {
            let builder = builder.autoflush_kib(256).autocheckpoint_kib(512);
            builder.page_size_bytes(1024).block_size_kib(64)
        };
        let mut db = small(LsmDb::builder()).open(&path)?;
        let mut model = Model::new();
        for moment in 0..25 {
            for _ in 0..random.below(1500) {
                let (key, value) = row(random.below(5000));
                match random.one_in(5) {
                    true => {
                        db.remove(&key)?;
                        model.remove(&key);
                    }
                    false => {
                        db.insert(&key, &value)?;
                        model.insert(key, value);
                    }
                }
            }
            if random.one_in(6) {
                db.flush()?;
                db.checkpoint()?;
            }
            let when = format!("seed {seed}, moment {moment}");
            let copy = dir.path().join(format!("{moment}.lsm"));
            crashed(&path, &copy)?;
            let (builder, told) = listening();
            let recovered = small(builder).open(&copy)?;
            let stats = recovered.stats()?;
            wrapped_at += u32::from(stats.log_wrapped);
            if stats.log_bytes == 0 {
                silent_at += 1;
                assert_eq!(number_told(&told), 0, "{when}");
            } else {
                told_at += 1;
                let total = assert_goes_up(&told);
                let few = 4096;
                assert!(
                    total.abs_diff(stats.log_bytes) < few,
                    "{when}: {total}, {stats}"
                );
                let steps = number_told(&told) as u64;
                assert!(steps.abs_diff(total.div_ceil(STEP)) <= 1, "{when}: {steps}");
            }
            assert_same(&contents(&recovered)?, &model, &when);
        }
    }
    assert!(
        told_at > 25 && silent_at > 0 && wrapped_at > 2,
        "{told_at} {silent_at} {wrapped_at}"
    );
    Ok(())
}

/// A database of some thousand rows that was left behind.
fn left_behind(dir: &Path) -> Result<std::path::PathBuf> {
    let (live, copy) = (dir.join("live.lsm"), dir.join("copy.lsm"));
    let mut db = LsmDb::open(&live)?;
    for n in 0..5000 {
        let (key, value) = row(n);
        db.insert(key, value)?;
    }
    crashed(&live, &copy)?;
    Ok(copy)
}

#[test]
fn a_panic_of_the_listener_fails_the_opening_and_loses_nothing() -> Result {
    for at_the_end in [false, true] {
        let dir = tempfile::tempdir()?;
        let path = left_behind(dir.path())?;
        let builder = LsmDb::builder().on_recovery(move |progress| {
            let is_end = progress.read_bytes == progress.total_bytes;
            assert!(is_end != at_the_end, "not in the mood");
        });
        let payload = catch_unwind(AssertUnwindSafe(|| builder.open(&path).map(drop))).unwrap_err();
        assert_eq!(panic_text(&*payload), "not in the mood");

        let db = LsmDb::open(&path)?;
        assert_same(&contents(&db)?, &(0..5000).map(row).collect(), "afterwards");
        db.close()?;
    }
    Ok(())
}

#[test]
fn the_listener_cannot_use_databases() -> Result {
    let dir = tempfile::tempdir()?;
    let path = left_behind(dir.path())?;
    let same = path.clone();
    let other = dir.path().join("other.lsm");
    let mut bystander = LsmDb::open(dir.path().join("bystander.lsm"))?;
    bystander.insert("key", "value")?;
    let bystander = Arc::new(Mutex::new(bystander));
    let (seen, codes) = (Arc::new(Mutex::new(Vec::new())), Arc::clone(&bystander));
    let kept = Arc::clone(&seen);
    let builder = LsmDb::builder().on_recovery(move |_| {
        let mut bystander = codes.lock().unwrap();
        let errors = [
            LsmDb::open(&same).err(),
            LsmDb::open(&other).err(),
            bystander.get("key").err(),
            bystander.insert("key", "another").err(),
            bystander.reader().err(),
        ];
        let mut seen = kept.lock().unwrap();
        seen.extend(errors.map(|error| error.map(|error| (error.code(), error.to_string()))));
    });
    let db = builder.open(&path)?;
    let seen = seen.lock().unwrap();
    assert!(seen.len() >= 10, "{}", seen.len());
    for error in seen.iter() {
        let (code, text) = error.as_ref().ok_or("it was let in")?;
        assert_eq!(*code, LsmErrorCode::LsmMisuse);
        assert!(text.contains("can't use databases itself"), "{text}");
    }
    assert_eq!(contents(&db)?.len(), 5000);
    assert_eq!(
        bystander.lock().unwrap().get("key")?,
        Some(b"value".to_vec())
    );
    Ok(())
}

/// Recovery sorts what it finds. The last word on a key stays the last, also where ranges are
/// deleted in between.
#[test]
fn what_the_log_says_last_of_a_key_is_what_comes_back() -> Result {
    let dir = tempfile::tempdir()?;
    for seed in 0..20 {
        let mut random = SplitMix64::new(seed);
        // Keys that are the beginning of others, and that are the same in their first 8 bytes.
        let keys: Vec<Vec<u8>> = (0..300_u16)
            .map(|n| match n % 3 {
                0 => vec![0; usize::from(n) / 20],
                1 => [b"the same ".as_slice(), &n.to_be_bytes()].concat(),
                _ => n.to_le_bytes().to_vec(),
            })
            .collect();
        let path = dir.path().join(format!("{seed}.lsm"));
        let builder = LsmDb::builder().autoflush_kib(64 * 1024);
        let mut db = builder.clone().open(&path)?;
        let mut model = Model::new();
        for _ in 0..random.below(3000) {
            let key = &keys[random.below(300) as usize];
            match random.below(100) {
                0 => {
                    let [from, to] = [key, &keys[random.below(300) as usize]];
                    let (from, to) = (from.min(to).clone(), from.max(to).clone());
                    let range = from..to;
                    db.remove_range(range.clone())?;
                    model.retain(|key, _| !range.contains(key));
                }
                1..=30 => {
                    db.remove(key)?;
                    model.remove(key);
                }
                31 if random.one_in(20) => {
                    let large = vec![seed as u8; 1 << 20];
                    db.insert(key, &large)?;
                    model.insert(key.clone(), large);
                }
                _ => {
                    let len = random.below(50) as usize;
                    let value = random.bytes(len);
                    db.insert(key, &value)?;
                    model.insert(key.clone(), value);
                }
            }
        }
        let copy = dir.path().join(format!("{seed}.copy"));
        crashed(&path, &copy)?;
        db.close()?;
        let db = builder.open(&copy)?;
        assert_same(&contents(&db)?, &model, &format!("seed {seed}"));
        db.close()?;
    }
    Ok(())
}

/// Recovery makes the tree from sorted records, with full nodes. It is searched, written to, taken
/// back, scanned both ways and flushed as one that grew.
#[test]
fn a_tree_made_by_recovery_goes_on_like_any_other() -> Result {
    let dir = tempfile::tempdir()?;
    // One more and one less than what fills a tree of so many levels, with the last record, which is
    // inserted.
    let sizes = [
        64, 65, 66, 67, 255, 256, 257, 1023, 1024, 1025, 3000, 4096, 4097,
    ];
    for size in sizes {
        let mut random = SplitMix64::new(size);
        let path = dir.path().join(format!("{size}.lsm"));
        let mut db = LsmDb::open(&path)?;
        let mut model = Model::new();
        while (model.len() as u64) < size {
            let (key, value) = row(random.next());
            db.insert(&key, &value)?;
            model.insert(key, value);
        }
        let copy = dir.path().join(format!("{size}.copy"));
        crashed(&path, &copy)?;
        db.close()?;

        let mut db = LsmDb::open(&copy)?;
        assert_same(&contents(&db)?, &model, &format!("{size}, opened"));
        for key in model.keys() {
            assert_eq!(db.get(key)?.as_ref(), model.get(key), "{size}");
            let between = [key.as_slice(), &[0]].concat();
            assert_eq!(db.get(between)?, None, "{size}");
        }
        for n in 0..400 {
            let (key, value) = row(random.next());
            let (other, _) = model.iter().nth(random.below(50) as usize).ok_or("empty")?;
            let other = other.clone();
            match n % 20 {
                0 => {
                    let mut transaction = db.transaction()?;
                    transaction.insert(&key, &value)?;
                    transaction.remove(&other)?;
                    transaction.rollback()?;
                }
                1..=5 => {
                    db.remove(&other)?;
                    model.remove(&other);
                }
                6 => {
                    let mut end = other.clone();
                    end.push(7);
                    db.remove_range(other.clone()..end.clone())?;
                    model.retain(|key, _| *key < other || *key >= end);
                }
                _ => {
                    db.insert(&key, &value)?;
                    model.insert(key, value);
                }
            }
        }
        assert_same(&contents(&db)?, &model, &format!("{size}, written to"));
        db.flush()?;
        assert_same(&contents(&db)?, &model, &format!("{size}, flushed"));
        db.close()?;
    }
    Ok(())
}
