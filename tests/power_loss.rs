//! The power goes at every possible moment, and again during the recovery: what had to be
//! there is there, and it is a state that was committed.
//!
//! `LSMLITE_POWER_LOSSES` says how often per level of safety, `LSMLITE_SEED` where the seeds
//! begin.

#![cfg(unix)]

mod common;

use std::time::{Duration, Instant};

use common::workload::{Outcome, Setting, Workload};
use common::{Counts, Model, Repeat, Result, SplitMix64, contents, report, setting};
use lsmlite_rs::LsmDb;
use lsmlite_rs::config::Safety;
use lsmlite_rs::env::{Call, Failure, FaultEnv};

/// So often the power goes on one disk.
const LOSSES_PER_DISK: u64 = 5;

/// A case takes some milliseconds; this long, it hangs.
const FOR_EVER: Duration = Duration::from_secs(30);

/// What must have happened in any run, or it shows nothing.
const MUST_HAPPEN: [&str; 28] = [
    "died",
    "insert",
    "remove",
    "remove range",
    "transaction",
    "rollback",
    "get",
    "scan",
    "flush",
    "ingest",
    "work",
    "checkpoint",
    "compact",
    "everything made durable",
    "setting: mmap",
    "setting: multi-process",
    "setting: compression",
    "setting: background threads",
    "lost at a write",
    "lost at a sync",
    "lost at any call",
    "lost between calls",
    "lost while recovering",
    "sectors lost",
    "sectors of before",
    "lengths lost",
    "the failed commit was there",
    "went on, compacted, closed, opened",
];

struct Case<'a> {
    env: FaultEnv,
    setting: Setting,
    random: SplitMix64,
    counts: &'a mut Counts,
}

impl Case<'_> {
    fn count(&mut self, what: &'static str, n: u64) {
        *self.counts.entry(what).or_default() += n;
    }

    fn plan(&mut self) -> &'static str {
        let (call, most, what) = match self.random.below(10) {
            0..=2 => (Call::Write, 60, "lost at a write"),
            3..=5 => (Call::Sync, 25, "lost at a sync"),
            6..=8 => (Call::Any, 300, "lost at any call"),
            _ => return "lost between calls",
        };
        let most = 1 + self.random.below(most);
        self.env.lose_power_within(call, most);
        what
    }

    /// Two handles, in processes of their own if that is allowed.
    fn open(&mut self) -> Outcome<Vec<LsmDb>> {
        let mut handles = vec![self.setting.open(&self.env)?];
        match self.setting.multi_process {
            true => handles.push(self.setting.open(&self.env.process())?),
            false if self.random.one_in(4) => handles.push(self.setting.open(&self.env)?),
            false => {}
        }
        Ok(handles)
    }

    /// A process dies: from some call on nothing works, or a sync fails, and it gives up.
    /// What it wrote is in the system's memory, from where the next process goes on.
    fn die(&mut self, base: Model) -> Outcome<(Vec<LsmDb>, Model)> {
        match self.random.one_in(2) {
            true => {
                let n = 1 + self.random.below(300);
                self.env.fail_from(Call::Any, n, Failure::Io);
            }
            false => {
                let n = 1 + self.random.below(25);
                self.env.fail_at(Call::Sync, n, Failure::Io);
            }
        }
        let seed = self.random.next();
        let steps = self.steps();
        let opened = self.open();
        let mut workload = Workload::new(seed, &self.setting, base, self.counts);
        if let Ok(mut handles) = opened {
            for _ in 0..steps {
                let which = workload.random.below(handles.len() as u64) as usize;
                if workload.step(&mut handles[which]).is_err() {
                    workload.count("died");
                    break;
                }
            }
        }
        let history = workload.history;
        self.env.heal();

        let handles = self.open()?;
        let found = contents(&handles[0])?;
        let least = match self.setting.use_log {
            true => history.commits(),
            false => history.durable(),
        };
        assert!(
            history.find(&found, least).is_some(),
            "after a process died: {}",
            history.explain(&found)
        );
        Ok((handles, found))
    }

    fn steps(&mut self) -> u64 {
        let most = if self.random.one_in(5) { 400 } else { 60 };
        5 + self.random.below(most)
    }

    /// Works until the power goes, with handles that are open or new ones.
    fn work(&mut self, handles: Option<Vec<LsmDb>>, base: Model) -> common::workload::History {
        let what = self.plan();
        let seed = self.random.next();
        let mut steps = self.steps();
        let opened = match handles {
            Some(handles) => Ok(handles),
            None => self.open(),
        };
        let mut workload = Workload::new(seed, &self.setting, base, self.counts);
        if let Ok(mut handles) = opened {
            while steps > 0 {
                steps -= 1;
                let which = workload.random.below(handles.len() as u64) as usize;
                if let Err(error) = workload.step(&mut handles[which]) {
                    assert!(!self.env.has_power(), "{error:?} with power");
                    break;
                }
                if workload.random.one_in(150) && handles.len() == 1 {
                    let closed = handles.remove(0).close();
                    if closed.is_ok() && self.env.has_power() {
                        workload.history.all_is_durable();
                        workload.count("close");
                    }
                    match self.setting.open(&self.env) {
                        Ok(db) => handles.push(db),
                        Err(_) => break,
                    }
                }
            }
            if self.env.has_power() {
                self.env.lose_power();
                workload.count("lost between calls");
            } else {
                workload.count(what);
            }
            if workload.random.one_in(2) {
                handles.reverse();
            }
            let mut last = false;
            for db in handles {
                last = db.close().is_ok();
            }
            // The last one to close says whether everything is in the file.
            if last {
                workload.history.all_is_durable();
                workload.count("closed without power");
            }
        } else {
            assert!(!self.env.has_power(), "{:?} with power", opened.err());
            workload.count("lost while opening");
        }
        workload.history
    }

    /// Switches the power on and opens the database, which may be interrupted again.
    fn recover(&mut self) -> Outcome<Model> {
        for attempt in 0.. {
            let loss = self.env.restart();
            self.env.heal();
            self.count("sectors lost", loss.sectors_lost);
            self.count("sectors of before", loss.sectors_of_before);
            self.count("lengths lost", loss.lengths_lost);
            self.count("names lost", loss.names_lost);
            if attempt < 3 && self.random.one_in(3) {
                let call = self
                    .random
                    .pick(&[Call::Any, Call::Any, Call::Write, Call::Sync]);
                let most = 1 + self.random.below(60);
                self.env.lose_power_within(call, most);
            }
            let found = self.setting.open(&self.env).and_then(|db| {
                let found = contents(&db)?;
                db.close()?;
                Ok(found)
            });
            match found {
                // Closing may succeed without power: what it does last isn't needed.
                _ if !self.env.has_power() => self.count("lost while recovering", 1),
                other => {
                    self.env.heal();
                    return other;
                }
            }
        }
        unreachable!()
    }

    fn go_on(&mut self, base: Model) -> Outcome<Model> {
        let seed = self.random.next();
        let mut db = self.setting.open(&self.env)?;
        let mut workload = Workload::new(seed, &self.setting, base, self.counts);
        for _ in 0..30 {
            workload.step(&mut db)?;
        }
        db.compact()?;
        workload.scan(&db)?;
        db.close()?;
        let db = self.setting.open(&self.env)?;
        workload.scan(&db)?;
        let found = contents(&db)?;
        db.close()?;
        self.count("went on, compacted, closed, opened", 1);
        Ok(found)
    }
}

fn run(seed: u64, safety: Safety, counts: &mut Counts) -> Result {
    let mut random = SplitMix64::new(seed);
    let setting = Setting::random(&mut random, safety);
    let _repeat = Repeat(format!(
        "LSMLITE_SEED={seed} LSMLITE_POWER_LOSSES=1, {setting:?}"
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
    for round in 0..LOSSES_PER_DISK {
        let mut handles = None;
        if case.random.one_in(3) {
            let (opened, found) = case
                .die(base)
                .unwrap_or_else(|error| panic!("round {round}: no going on: {error:?}"));
            handles = Some(opened);
            base = found;
        }
        let history = case.work(handles, base);
        let found = case
            .recover()
            .unwrap_or_else(|error| panic!("round {round}: the recovery fails: {error:?}"));
        let Some(state) = history.find(&found, history.durable()) else {
            panic!("round {round}: {}", history.explain(&found));
        };
        match state.cmp(&history.commits()) {
            std::cmp::Ordering::Less => case.count("older than the last commit", 1),
            std::cmp::Ordering::Equal => case.count("the last commit was there", 1),
            std::cmp::Ordering::Greater => case.count("the failed commit was there", 1),
        }
        base = match case.random.one_in(4) {
            true => case
                .go_on(found)
                .unwrap_or_else(|error| panic!("round {round}: going on fails: {error:?}")),
            false => found,
        };
        assert!(start.elapsed() < FOR_EVER, "round {round}: it hangs");
    }
    Ok(())
}

fn run_all(title: &str, safety: Safety, must_happen: &[&str]) -> Result {
    let first = setting("LSMLITE_SEED", 0);
    let losses = setting("LSMLITE_POWER_LOSSES", 400);
    let mut counts = Counts::new();
    for seed in first..first + losses.div_ceil(LOSSES_PER_DISK) {
        run(seed, safety, &mut counts)?;
    }
    if losses >= 400 {
        report(title, &counts, must_happen);
    }
    Ok(())
}

#[test]
fn at_safety_full_every_acknowledged_commit_survives_a_power_loss() -> Result {
    run_all("power loss at safety full", Safety::Full, &MUST_HAPPEN)
}

#[test]
fn at_safety_normal_a_power_loss_leaves_a_state_that_was_committed() -> Result {
    let mut must_happen = MUST_HAPPEN.to_vec();
    must_happen.extend(["older than the last commit", "setting: no log"]);
    run_all("power loss at safety normal", Safety::Normal, &must_happen)
}

/// The file of an empty database was cut to nothing when it was closed. If that cut was lost,
/// an old header came back that had nothing to do with the new log.
#[test]
fn commits_to_a_database_that_was_closed_empty_survive() -> Result {
    for seed in 0..40 {
        let env = FaultEnv::new(seed);
        let open = || {
            LsmDb::builder()
                .env(&env)
                .safety(Safety::Full)
                .open("empty.lsm")
        };
        let mut db = open()?;
        db.insert("key", "first value")?;
        db.remove("key")?;
        db.compact()?;
        db.close()?;
        let mut db = open()?;
        db.insert("key", "value")?;
        env.lose_power();
        drop(db);
        env.restart();
        assert_eq!(open()?.get("key")?, Some(b"value".to_vec()), "seed {seed}");
    }
    Ok(())
}

/// Recovery read a log from the system's memory, and didn't care whether it ever got to the
/// disk.
#[test]
fn the_log_of_a_process_that_died_survives_a_power_loss() -> Result {
    for seed in 0..40 {
        let env = FaultEnv::new(seed);
        let open = |safety| {
            let builder = LsmDb::builder().env(&env);
            builder.safety(safety).open("db.lsm")
        };
        // In the log, and not yet on the disk when the process ends.
        let mut db = open(Safety::Normal)?;
        db.insert("key", "value")?;
        db.flush()?;
        env.fail_from(Call::Any, 1, Failure::Io);
        db.checkpoint().expect_err("nothing works");
        drop(db);
        env.heal();

        let db = open(Safety::Full)?;
        assert!(db.contains_key("key")?, "seed {seed}: no crash takes it");
        env.lose_power();
        drop(db);
        env.restart();
        let found = open(Safety::Full)?.get("key")?;
        assert_eq!(found, Some(b"value".to_vec()), "seed {seed}");
    }
    Ok(())
}

/// Recovery took a checkpoint from the system's memory, and overwrote the log that the one on
/// the disk needs.
#[test]
fn a_checkpoint_of_a_process_that_died_survives_a_power_loss() -> Result {
    for seed in 0..40 {
        let env = FaultEnv::new(seed);
        let open = || {
            LsmDb::builder()
                .env(&env)
                .safety(Safety::Full)
                .autocheckpoint_kib(1 << 20)
                .open("db.lsm")
        };
        let mut db = open()?;
        let mut acknowledged = 0_u32;
        let mut insert = |db: &mut LsmDb, most| -> Result {
            for _ in 0..most {
                db.insert(acknowledged.to_be_bytes(), vec![7; 1000])?;
                acknowledged += 1;
            }
            Ok(())
        };
        insert(&mut db, 400)?;
        db.flush()?;
        // The first sync is of the pages, the second of the checkpoint that names them.
        env.fail_at(Call::Sync, 2, Failure::Io);
        db.checkpoint().expect_err("it isn't on the disk");
        drop(db);
        let mut db = open()?;
        insert(&mut db, 400)?;
        env.lose_power();
        drop(db);
        env.restart();
        let found = contents(&open()?)?;
        assert_eq!(found.len(), acknowledged as usize, "seed {seed}");
    }
    Ok(())
}
