//! Starts children and collects what they print.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lsmlite_rs_peers::Result;
use lsmlite_rs_peers::child::measure::field_kib;
use lsmlite_rs_peers::child::{Group, Plan};

use crate::suites::Suite;

/// Where children work, and how.
pub struct Field {
    /// A folder that is emptied after each child.
    pub dir: PathBuf,
    pub records: u64,
    /// Shortens what takes a fixed time.
    pub most_seconds: u64,
    /// The program for 0.2.2, once it is built.
    pub published: Option<PathBuf>,
}

/// What a child has printed, and why there isn't more.
pub struct Outcome {
    pub numbers: BTreeMap<String, f64>,
    pub failure: Option<String>,
}

impl Field {
    /// One store, one round.
    pub fn measure(&self, suite: &Suite, store: &str) -> Result<Outcome> {
        let dir = self.dir.join("store");
        if dir.exists() {
            fs::remove_dir_all(&dir)?;
        }
        // What the last child left to write must not be charged to this one.
        // SAFETY: takes nothing and can't fail.
        unsafe { libc::sync() };
        claim_memory(self.records);
        let mut plan = Plan {
            group: suite.group,
            dir: dir.clone(),
            records: suite.records(self.records),
            cache_mib: suite.cache_mib,
            seconds: suite.seconds.min(self.most_seconds),
            only: suite.only.iter().map(|phase| phase.to_string()).collect(),
        };
        let mut outcome = self.child(&plan, store)?;
        if plan.group == Group::Crash {
            // It has killed itself, as it should.
            if outcome.failure.as_deref() == Some(KILLED) {
                plan.group = Group::Recover;
                outcome = self.child(&plan, store)?;
            }
        }
        if dir.exists() {
            fs::remove_dir_all(&dir)?;
        }
        Ok(outcome)
    }

    fn child(&self, plan: &Plan, store: &str) -> Result<Outcome> {
        let mut command = match (store, &self.published) {
            ("0.2.2", Some(program)) => Command::new(program),
            _ => Command::new(std::env::current_exe()?),
        };
        let command = command.args(["child", store]).args(plan.arguments()?);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let lines = child.stdout.take().ok_or("the child has no output")?;
        let done = AtomicBool::new(false);
        let (numbers, peaks) = std::thread::scope(|scope| {
            let sampler = scope.spawn(|| peak_memory(&child, &done));
            let lines = BufReader::new(lines).lines().map_while(|line| line.ok());
            let numbers: BTreeMap<_, _> = lines.filter_map(|line| parse(&line)).collect();
            done.store(true, Ordering::Relaxed);
            (numbers, sampler.join().unwrap_or_default())
        });
        let status = child.wait()?;
        let mut numbers = numbers;
        numbers.extend(peaks);
        let failure = match status.code() {
            Some(0) => None,
            Some(code) => Some(format!("ended with {code}, see above")),
            None => Some(KILLED.to_owned()),
        };
        Ok(Outcome { numbers, failure })
    }
}

/// Takes memory, uses it, and gives it back: 3 GiB for a million records, and for any number above.
///
/// A virtual machine may have handed what was free to its host, and a page that comes from there again
/// costs ten times as much as one that is at hand. Without this, what a store pays for new memory
/// depended on what had been freed before it, and how long ago.
fn claim_memory(records: u64) {
    const EACH: u64 = (3 << 30) / 1_000_000;
    const PAGE: usize = 4096;
    let status = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let half_of_free = field_kib(&status, "MemAvailable:").unwrap_or(0) * 512;
    let wanted = records.min(1_000_000) * EACH;
    let mut memory = vec![0_u8; wanted.min(half_of_free) as usize];
    for page in memory.chunks_mut(PAGE) {
        std::hint::black_box(page)[0] = 1;
    }
}

const KILLED: &str = "killed by a signal";

/// `phase name number`
fn parse(line: &str) -> Option<(String, f64)> {
    let (name, number) = line.rsplit_once(' ')?;
    Some((name.to_owned(), number.parse().ok()?))
}

/// Looks at the memory of the child from time to time.
fn peak_memory(child: &Child, done: &AtomicBool) -> BTreeMap<String, f64> {
    let status = format!("/proc/{}/status", child.id());
    let mut peaks = BTreeMap::new();
    while !done.load(Ordering::Relaxed) {
        let Ok(status) = fs::read_to_string(&status) else {
            break;
        };
        for (field, name) in [
            ("RssAnon:", "child private_kib"),
            ("RssFile:", "child mapped_kib"),
            ("VmHWM:", "child resident_kib"),
        ] {
            let kib = field_kib(&status, field).unwrap_or(0) as f64;
            let peak = peaks.entry(name.to_owned()).or_insert(kib);
            *peak = f64::max(*peak, kib);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    peaks
}

/// Builds the program for 0.2.2, which is a package of its own.
pub fn build_published(manifest_dir: &Path, target: &Path) -> Result<PathBuf> {
    let status = Command::new("cargo")
        .args([
            "build",
            "--quiet",
            "--release",
            "--locked",
            "--manifest-path",
        ])
        .arg(manifest_dir.join("published/Cargo.toml"))
        .arg("--target-dir")
        .arg(target)
        .status()?;
    match status.success() {
        true => Ok(target.join("release/published-store")),
        false => Err("the program for 0.2.2 can't be built".into()),
    }
}
