//! Memory runs out at every possible moment: the caller gets an error, nothing crashes, and
//! afterwards everything that was acknowledged is there.
//!
//! `LSMLITE_ALLOC_FAULTS` says how often, `LSMLITE_SEED` where the seeds begin.

#![cfg(unix)]

mod common;

use std::time::{Duration, Instant};

use common::workload::{Failed, History, Outcome, Setting, Workload};
use common::{Counts, Model, Repeat, SplitMix64, contents, report, setting};
use lsmlite_rs::config::Safety;
use lsmlite_rs::env::{Call, Failure, FaultEnv};
use lsmlite_rs::{Disk, LsmDb, LsmErrorCode};

const FAULTS_PER_DISK: u64 = 6;
const FOR_EVER: Duration = Duration::from_secs(30);

const MUST_HAPPEN: [&str; 11] = [
    "memory ran out",
    "memory ran out while opening",
    "an error was returned",
    "a write failed",
    "poisoned",
    "reading went on",
    "closed",
    "the same process went on",
    "a new process went on",
    "setting: multi-process",
    "ingest",
];

struct Case<'a> {
    env: FaultEnv,
    setting: Setting,
    random: SplitMix64,
    counts: &'a mut Counts,
}

fn expected(error: &Failed) {
    // Background threads are what 0.2.2 calls unavailable when they can't be started.
    // A key that takes several pages counts as unreadable if there is no memory for it.
    let codes = [
        LsmErrorCode::LsmNoMem,
        LsmErrorCode::LsmIOErr,
        LsmErrorCode::LsmBgThreadUnavailable,
    ];
    assert!(codes.contains(&error.code), "{error:?}");
}

impl Case<'_> {
    fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    /// Fails one allocation, or all from one on.
    fn plan(&mut self) -> u64 {
        let most = self.random.pick(&[40, 300, 3000]);
        let n = 1 + self.random.below(most);
        match self.random.below(4) {
            0 => self.env.fail_from(Call::Memory, n, Failure::NoMemory),
            _ => self.env.fail_at(Call::Memory, n, Failure::NoMemory),
        }
        self.env.calls(Call::Memory) + n
    }

    fn open(&mut self) -> Outcome<Vec<LsmDb>> {
        let mut handles = vec![self.setting.open(&self.env)?];
        match self.setting.multi_process {
            true => handles.push(self.setting.open(&self.env.process())?),
            false if self.random.one_in(4) => handles.push(self.setting.open(&self.env)?),
            false => {}
        }
        Ok(handles)
    }

    /// Works until memory runs out. Returns the history, and whether all of it must be there.
    fn work(&mut self, base: Model) -> (History, bool) {
        let early = self.random.one_in(4);
        let mut at = early.then(|| self.plan());
        let seed = self.random.next();
        let opened = self.open();
        let at = match at.take() {
            Some(at) => at,
            None => self.plan(),
        };
        let steps = 20 + self.random.below(100);
        let mut workload = Workload::new(seed, &self.setting, base, self.counts);
        let mut handles = match opened {
            Ok(handles) => handles,
            Err(error) => {
                expected(&error);
                workload.count("memory ran out while opening");
                return (workload.history, true);
            }
        };
        let mut failed = false;
        for _ in 0..steps {
            let which = workload.random.below(handles.len() as u64) as usize;
            if let Err(error) = workload.step(&mut handles[which]) {
                expected(&error);
                workload.assert_failed(&mut handles[which], &error);
                failed = true;
                break;
            }
        }
        if self.env.calls(Call::Memory) >= at {
            workload.count("memory ran out");
        }
        if failed {
            workload.count("an error was returned");
            if workload.history.is_unknown() {
                workload.count("a write failed");
            }
        }
        if workload.random.one_in(2) {
            self.env.heal();
        }
        if workload.random.one_in(2) {
            handles.reverse();
        }
        let mut last = false;
        for db in handles {
            match db.close() {
                Ok(()) => last = true,
                Err(error) => {
                    last = false;
                    // A handle that failed before says so again.
                    if !failed {
                        expected(&error.into());
                    }
                }
            }
        }
        if last {
            workload.count("closed");
        }
        (workload.history, self.setting.use_log || last)
    }

    fn go_on(&mut self, env: &FaultEnv, history: &History, least: usize) -> Outcome<Model> {
        let seed = self.random.next();
        let mut db = self.setting.open(env)?;
        let found = contents(&db)?;
        assert!(
            history.find(&found, least).is_some(),
            "at least {least}: {}",
            history.explain(&found)
        );
        let mut workload = Workload::new(seed, &self.setting, found, self.counts);
        for _ in 0..15 {
            workload.step(&mut db)?;
        }
        if workload.random.one_in(3) {
            db.compact()?;
        }
        workload.scan(&db)?;
        db.close()?;
        Ok(workload.now().clone())
    }
}

fn run(seed: u64, counts: &mut Counts) {
    let mut random = SplitMix64::new(seed);
    let safety = random.pick(&[Safety::Full, Safety::Normal, Safety::Off]);
    let setting = Setting::random(&mut random, safety);
    let _repeat = Repeat(format!(
        "LSMLITE_SEED={seed} LSMLITE_ALLOC_FAULTS=1, {setting:?}"
    ));
    setting.count(counts);
    let mut case = Case {
        env: FaultEnv::new(seed),
        setting,
        random,
        counts,
    };
    let start = Instant::now();
    let mut base = Model::new();
    for round in 0..FAULTS_PER_DISK {
        let (history, all) = case.work(base);
        case.env.heal();
        let least = match all {
            true => history.commits(),
            false => history.durable(),
        };
        let mut env = case.env.clone();
        if case.random.one_in(2) {
            env = env.process();
            case.count("a new process went on");
        } else {
            case.count("the same process went on");
        }
        base = case
            .go_on(&env, &history, least)
            .unwrap_or_else(|error| panic!("round {round}: going on: {error:?}"));
        assert!(start.elapsed() < FOR_EVER, "round {round}: it hangs");
    }
}

#[test]
fn memory_that_runs_out_is_an_error_and_loses_nothing() {
    let first = setting("LSMLITE_SEED", 0);
    let faults = setting("LSMLITE_ALLOC_FAULTS", 600);
    let mut counts = Counts::new();
    for seed in first..first + faults.div_ceil(FAULTS_PER_DISK) {
        run(seed, &mut counts);
    }
    if faults >= 600 {
        report("allocation failures", &counts, &MUST_HAPPEN);
    }
}

/// Large enough that records don't fit into the pieces of 32 KiB that the engine keeps them in.
fn large(n: u8) -> Vec<u8> {
    vec![n; 20_000]
}

/// Lets every allocation of an operation fail in turn, until it is done without a failure.
/// Returns in how many cases it failed.
fn each_allocation_fails(
    mut prepare: impl FnMut(&FaultEnv) -> Outcome<LsmDb>,
    mut operation: impl FnMut(&mut LsmDb) -> Outcome,
    mut check: impl FnMut(&FaultEnv, &LsmDb, bool) -> Outcome,
) -> Outcome<u64> {
    let mut failures = 0;
    for n in 1..10_000 {
        let env = FaultEnv::new(n);
        let mut db = prepare(&env)?;
        env.fail_at(Call::Memory, n, Failure::NoMemory);
        let before = env.calls(Call::Memory);
        let result = operation(&mut db);
        let failed = env.calls(Call::Memory) - before >= n;
        env.heal();
        assert!(failed || result.is_ok(), "{result:?}");
        check(&env, &db, result.is_ok())?;
        drop(db);
        let db = LsmDb::builder().env(&env).open("a.lsm")?;
        check(&env, &db, result.is_ok())?;
        if !failed {
            return Ok(failures);
        }
        failures += u64::from(result.is_err());
    }
    panic!("there is no end to it")
}

#[test]
fn a_record_in_two_pieces_is_never_passed_over() -> Outcome {
    const COUNT: u8 = 12;
    let filled = |env: &FaultEnv| -> Outcome<LsmDb> {
        let mut db = LsmDb::builder().env(env).open("a.lsm")?;
        for n in 0..COUNT {
            db.insert([n], large(n))?;
        }
        Ok(db)
    };
    let all_there = |_: &FaultEnv, db: &LsmDb, _| -> Outcome {
        let found = contents(db)?;
        let all: Model = (0..COUNT).map(|n| (vec![n], large(n))).collect();
        assert!(found == all, "{} of {COUNT} records", found.len());
        Ok(())
    };
    let scans = each_allocation_fails(
        filled,
        |db| {
            let found = contents(db)?;
            assert_eq!(found.len(), usize::from(COUNT));
            Ok(())
        },
        all_there,
    )?;
    let flushes = each_allocation_fails(filled, |db| Ok(db.flush()?), all_there)?;
    assert!(scans > 3 && flushes > 20, "{scans} {flushes}");
    Ok(())
}

#[test]
fn a_transaction_that_runs_out_of_memory_half_way_leaves_nothing() -> Outcome {
    for size in 100..116 {
        let failures = each_allocation_fails(
            |env| {
                let mut db = LsmDb::builder().env(env).open("a.lsm")?;
                db.insert("before", "all")?;
                Ok(db)
            },
            |db| {
                db.begin_transaction()?;
                let filled = fill_and_remove_ranges(db, size);
                match filled {
                    Ok(()) => Ok(db.commit_transaction()?),
                    Err(_) => filled.and(db.rollback_transaction().map_err(Into::into)),
                }
            },
            |_, db, done| {
                let found = contents(db)?;
                // The commit may be there although what followed it failed.
                if found.len() != 1 {
                    assert_eq!(found.len(), 1 + 200);
                }
                assert!(done == (found.len() > 1), "{done} {}", found.len());
                Ok(())
            },
        )?;
        assert!(failures > 4, "{failures}");
    }
    Ok(())
}

/// The nodes of the tree are made anew all the time, and so fill one piece of memory after
/// the other.
fn fill_and_remove_ranges(db: &mut LsmDb, size: usize) -> Outcome {
    // In no order.
    let key = |n: u32| n * 79 % 600 * 2 + 1;
    for n in 0..600 {
        db.insert(key(n).to_be_bytes(), vec![7; size])?;
    }
    for n in 0..400 {
        let (begin, end) = (key(n) - 1, key(n) + 1);
        db.delete_range(&begin.to_be_bytes(), &end.to_be_bytes())?;
    }
    Ok(())
}

/// Keys in two pieces must be put together before they can be compared.
#[test]
fn a_search_that_runs_out_of_memory_finds_nothing_wrong() -> Outcome {
    const COUNT: u8 = 12;
    let filled = |env: &FaultEnv| -> Outcome<LsmDb> {
        let mut db = LsmDb::builder().env(env).open("a.lsm")?;
        for n in 0..COUNT {
            db.insert(large(3 * n), [n])?;
        }
        Ok(db)
    };
    let before: Model = (0..COUNT).map(|n| (large(3 * n), vec![n])).collect();
    for target in (0..3 * COUNT).step_by(5) {
        let mut inserted = before.clone();
        inserted.insert(large(target), b"new".to_vec());
        let failures = each_allocation_fails(
            filled,
            |db| Ok(db.insert(large(target), "new")?),
            |_, db, done| {
                let found = contents(db)?;
                assert!(found == inserted || (!done && found == before));
                Ok(())
            },
        )?;
        assert!(failures > 0);
        let mut removed = before.clone();
        removed.retain(|key, _| *key <= large(target) || *key >= large(target + 9));
        each_allocation_fails(
            filled,
            |db| Ok(db.delete_range(&large(target), &large(target + 9))?),
            |_, db, done| {
                let found = contents(db)?;
                assert!(found == removed || (!done && found == before));
                Ok(())
            },
        )?;
    }
    Ok(())
}
