//! The disk reports errors, fills up and refuses, at any call: the caller gets an error, and
//! afterwards everything that was acknowledged is there.
//!
//! `LSMLITE_FAULTS` says how often, `LSMLITE_SEED` where the seeds begin.

#![cfg(unix)]

mod common;

use std::time::{Duration, Instant};

use common::workload::{Failed, History, Outcome, Setting, Workload};
use common::{Counts, Model, Repeat, Result, SplitMix64, contents, report, setting};
use lsmlite_rs::config::Safety;
use lsmlite_rs::env::{Call, Failure, FaultEnv};
use lsmlite_rs::{LsmDb, LsmErrorCode};

const FAULTS_PER_DISK: u64 = 4;
const FOR_EVER: Duration = Duration::from_secs(30);

const MUST_HAPPEN: [&str; 16] = [
    "failed: Read",
    "failed: Write",
    "failed: Sync",
    "failed: SyncDirectory",
    "failed: Create",
    "failed: Reserve",
    "failed: Lock",
    "failed: Any",
    "failed: full disk",
    "an open failed",
    "poisoned",
    "reading went on",
    "the same process went on",
    "a new process went on",
    "the power went as well",
    "ingest",
];

/// Errors that a failing system may lead to.
const EXPECTED: [LsmErrorCode; 6] = [
    LsmErrorCode::LsmIOErr,
    LsmErrorCode::LsmFull,
    LsmErrorCode::LsmCantOpen,
    LsmErrorCode::LsmBusy,
    LsmErrorCode::LsmNoMem,
    LsmErrorCode::LsmProtocol,
];

struct Case<'a> {
    env: FaultEnv,
    setting: Setting,
    random: SplitMix64,
    counts: &'a mut Counts,
}

/// A fault that was planned.
struct Plan {
    name: &'static str,
    call: Call,
    /// Once so many calls were made, it has happened.
    at: u64,
}

impl Case<'_> {
    fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    fn plan(&mut self) -> Plan {
        let (call, most, name) = match self.random.below(20) {
            0 | 1 => (Call::Read, 60, "failed: Read"),
            2..=5 => (Call::Write, 120, "failed: Write"),
            6..=9 => (Call::Sync, 40, "failed: Sync"),
            10 => (Call::SyncDirectory, 3, "failed: SyncDirectory"),
            11 => (Call::Create, 3, "failed: Create"),
            12 => (Call::Reserve, 3, "failed: Reserve"),
            13 => (Call::Truncate, 2, "failed: Truncate"),
            14 => (Call::Lock, 30, "failed: Lock"),
            15 => (Call::Map, 3, "failed: Map"),
            16 => {
                let bytes = 4_000 + self.random.below(150_000);
                self.env.set_capacity_bytes(self.env.used_bytes() + bytes);
                return Plan {
                    name: "failed: full disk",
                    call: Call::Any,
                    at: u64::MAX,
                };
            }
            _ => (Call::Any, 300, "failed: Any"),
        };
        let n = 1 + self.random.below(most);
        let failure = match call {
            Call::Write | Call::Reserve => self.random.pick(&[Failure::Io, Failure::NoSpace]),
            Call::Lock => self.random.pick(&[Failure::Io, Failure::Refused]),
            _ => Failure::Io,
        };
        match self.random.below(3) {
            // Who waits for another process waits as long as it takes.
            0 if failure != Failure::Refused => self.env.fail_from(call, n, failure),
            _ => self.env.fail_at(call, n, failure),
        }
        let at = self.env.calls(call) + n;
        Plan { name, call, at }
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

    /// Works until something fails, or until there is nothing left to do. Returns the
    /// history, and whether all of it must be there.
    fn work(&mut self, base: Model) -> (History, bool) {
        let early = self.random.one_in(3);
        let mut plan = early.then(|| self.plan());
        let seed = self.random.next();
        let opened = self.open();
        if plan.is_none() {
            plan = Some(self.plan());
        }
        let name = plan.as_ref().map_or("", |plan| plan.name);
        let steps = 20 + self.random.below(150);
        let mut workload = Workload::new(seed, &self.setting, base, self.counts);
        let mut all = self.setting.use_log;
        match opened {
            Err(error) => {
                expected(&error);
                workload.count("an open failed");
                workload.count(name);
                return (workload.history, true);
            }
            Ok(mut handles) => {
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
                if failed {
                    workload.count(name);
                } else {
                    let happened = plan.is_some_and(|plan| self.env.calls(plan.call) >= plan.at);
                    workload.count(match happened {
                        true => "nothing failed although the disk did",
                        false => "nothing failed",
                    });
                }
                if workload.random.one_in(2) {
                    self.env.heal();
                }
                if workload.random.one_in(2) {
                    handles.reverse();
                }
                let mut last = true;
                for db in handles {
                    last = db.close().map_err(Failed::from).is_ok_and(|()| true);
                }
                if last && !failed {
                    workload.history.all_is_durable();
                    all = true;
                }
            }
        }
        (workload.history, all)
    }

    /// What is there when nothing fails any more.
    fn look(&self, env: &FaultEnv) -> Outcome<Model> {
        let db = self.setting.open(env)?;
        let found = contents(&db)?;
        db.close()?;
        Ok(found)
    }

    fn go_on(&mut self, env: &FaultEnv, base: Model) -> Outcome<Workload<'_>> {
        let seed = self.random.next();
        let mut db = self.setting.open(env)?;
        let mut workload = Workload::new(seed, &self.setting, base, self.counts);
        for _ in 0..20 {
            workload.step(&mut db)?;
        }
        if workload.random.one_in(2) {
            db.compact()?;
        }
        workload.scan(&db)?;
        if workload.random.one_in(2) {
            db.close()?;
            let db = self.setting.open(env)?;
            workload.scan(&db)?;
        }
        Ok(workload)
    }
}

fn expected(error: &Failed) {
    assert!(EXPECTED.contains(&error.code), "{error:?}");
}

fn run(seed: u64, counts: &mut Counts) -> Result {
    let mut random = SplitMix64::new(seed);
    let safety = random.pick(&[Safety::Full, Safety::Normal, Safety::Off]);
    let setting = Setting::random(&mut random, safety);
    let _repeat = Repeat(format!("LSMLITE_SEED={seed} LSMLITE_FAULTS=1, {setting:?}"));
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
        let (mut history, all) = case.work(base);
        case.env.heal();
        let mut least = match all {
            true => history.commits(),
            false => history.durable(),
        };
        let mut env = case.env.clone();
        let power = safety != Safety::Off && case.random.one_in(4);
        if power {
            env.restart();
            least = history.durable();
            case.count("the power went as well");
        }
        if case.random.one_in(2) {
            env = env.process();
            case.count("a new process went on");
        } else {
            case.count("the same process went on");
        }
        let mut found = case
            .look(&env)
            .unwrap_or_else(|error| panic!("round {round}: opening again: {error:?}"));
        if history.find(&found, least).is_none() {
            panic!(
                "round {round}, at least {least}, power {power}: {}",
                history.explain(&found)
            );
        }
        let workload = case
            .go_on(&env, found)
            .unwrap_or_else(|error| panic!("round {round}: going on: {error:?}"));
        found = workload.now().clone();
        history = workload.history;
        // What a failed sync forgot must not be built upon.
        if safety == Safety::Full && case.random.one_in(2) {
            env.restart();
            found = case
                .look(&env)
                .unwrap_or_else(|error| panic!("round {round}: after power loss: {error:?}"));
            if history.find(&found, history.durable()).is_none() {
                panic!("round {round}, later: {}", history.explain(&found));
            }
            case.count("the power went later");
        }
        base = found;
        assert!(start.elapsed() < FOR_EVER, "round {round}: it hangs");
    }
    Ok(())
}

#[test]
fn whatever_call_fails_what_was_acknowledged_is_there() -> Result {
    let first = setting("LSMLITE_SEED", 0);
    let faults = setting("LSMLITE_FAULTS", 600);
    let mut counts = Counts::new();
    for seed in first..first + faults.div_ceil(FAULTS_PER_DISK) {
        run(seed, &mut counts)?;
    }
    if faults >= 600 {
        report("faults of the disk", &counts, &MUST_HAPPEN);
    }
    Ok(())
}

/// What a system does on good days, too.
#[test]
fn short_and_interrupted_calls_are_not_failures() -> Outcome {
    let mut counts = Counts::new();
    for seed in 0..30 {
        let mut random = SplitMix64::new(seed);
        let safety = random.pick(&[Safety::Full, Safety::Normal]);
        let setting = Setting::random(&mut random, safety);
        let _repeat = Repeat(format!("seed {seed}, {setting:?}"));
        let env = FaultEnv::new(seed);
        for call in [Call::Read, Call::Write, Call::Reserve] {
            env.fail_one_in(call, 3, Failure::Short);
            env.fail_one_in(call, 4, Failure::Interrupted);
        }
        let mut workload = Workload::new(seed, &setting, Model::new(), &mut counts);
        for _ in 0..3 {
            let mut db = setting.open(&env)?;
            for _ in 0..40 {
                workload.step(&mut db)?;
            }
            workload.scan(&db)?;
            db.close()?;
        }
    }
    Ok(())
}

/// A sync that fails says so to one process. The pages are lost all the same.
#[test]
fn a_failed_sync_is_not_made_good_by_another_process() -> Outcome {
    let mut refused = 0;
    for seed in 0..20 {
        let env = FaultEnv::new(seed);
        let open = |env: &FaultEnv| {
            LsmDb::builder()
                .env(env)
                .multi_process(true)
                .safety(Safety::Full)
                .open("shared.lsm")
        };
        let (mut one, mut other) = (open(&env)?, open(&env.process())?);
        for n in 0..100_u8 {
            let db = if n % 2 == 0 { &mut one } else { &mut other };
            db.insert([n], [n; 100])?;
        }
        one.flush()?;
        env.fail_at(Call::Sync, 1, Failure::Io);
        assert!(one.checkpoint().is_err());
        drop(one);
        refused += u32::from(other.checkpoint().is_err());
        drop(other);
        env.restart();
        let found = contents(&open(&env)?)?;
        assert_eq!(found.len(), 100, "seed {seed}");
    }
    assert_eq!(refused, 20);
    Ok(())
}
