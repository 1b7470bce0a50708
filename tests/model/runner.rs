//! Spreads histories over processes, watches them, adds up what they counted.

use std::any::Any;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use crate::common::{Result, child, child_argument, panic_text, setting};
use crate::ops::{self, Op};
use crate::run::{Counts, run};
use crate::settings::{Kind, Settings};
use crate::shrink::shrink;
use crate::store::Store;

const OPERATIONS: u64 = 1500;
/// After so many failures it is clear that something is wrong.
const ENOUGH_FAILURES: usize = 8;
/// A run of fewer isn't asked whether it contained everything.
const MANY: u64 = 100;

/// Everything that must have happened in a run of some length.
const MUST_HAPPEN: [&str; 45] = [
    "insert",
    "overwrite",
    "delete",
    "delete of nothing",
    "value longer than a page",
    "key longer than a page",
    "begin",
    "commit",
    "rollback",
    "handle dropped in a transaction",
    "flush",
    "work",
    "checkpoint",
    "compact",
    "reopen",
    "reopen beside a snapshot",
    "recovery from the log",
    "recovery without a log",
    "went on after a crash",
    "point tombstones written",
    "merge left part-way",
    "part-way with several right-hand runs",
    "two merges part-way",
    "more than four levels",
    "free blocks",
    "blocks reused",
    "log wrapped",
    "exact hit",
    "exact miss",
    "GE hit",
    "GE miss",
    "LE hit",
    "LE miss",
    "cursor reused",
    "range",
    "scan forwards",
    "scan backwards",
    "snapshot",
    "snapshot beside a transaction",
    "read from a snapshot",
    "read from an old snapshot",
    "reader closed",
    "multi-process",
    "mapped",
    "compressed",
];
const WITH_RANGES: [&str; 3] = [
    "range delete",
    "range delete of nothing",
    "range tombstones written",
];
const NESTED: [&str; 3] = [
    "nested begin",
    "nested commit",
    "rollback of a nested transaction",
];
const NOT_NESTED: [&str; 7] = [
    "page checksums",
    "with a merger",
    "with a checkpointer",
    "with both threads",
    "read-only readers",
    "checkpoint of something",
    "tree waiting",
];

/// One that went wrong.
pub struct Failure {
    pub seed: u64,
    pub why: String,
}

/// Runs the histories of one kind; the test of this name calls nothing else.
pub fn histories<S: Store>(name: &'static str, kind: Kind) -> Result {
    if let Some(argument) = child_argument() {
        return serve::<S>(kind, &argument.to_string_lossy());
    }
    if let Ok(text) = std::env::var("LSMLITE_HISTORY") {
        return repeat(name, &text);
    }
    let first = setting("LSMLITE_SEED", 1);
    let count = setting("LSMLITE_HISTORIES", 120);
    let jobs = setting("LSMLITE_JOBS", cores()).clamp(1, count.max(1));
    let begin = Instant::now();
    let next = AtomicU64::new(first);
    let results = Mutex::new((BTreeMap::<String, u64>::new(), Vec::<Failure>::new()));
    std::thread::scope(|scope| -> Result {
        let threads: Vec<_> = (0..jobs)
            .map(|_| scope.spawn(|| supervise(name, &next, first + count, &results)))
            .collect();
        for thread in threads {
            thread.join().map_err(|_| "a supervisor panicked")??;
        }
        Ok(())
    })?;
    let (counts, mut failures) = results.into_inner().map_err(|_| "a supervisor panicked")?;
    println!(
        "{name}: {count} histories from seed {first} in {:.1} s, {} failed",
        begin.elapsed().as_secs_f64(),
        failures.len()
    );
    for (what, n) in &counts {
        println!("{n:>12} {what}");
    }
    failures.sort_by_key(|failure| failure.seed);
    for (i, failure) in failures.iter().enumerate() {
        println!("seed {}: {}", failure.seed, failure.why);
        println!(
            "    LSMLITE_SEED={} LSMLITE_HISTORIES=1 cargo test --release --test model {name}",
            failure.seed
        );
        if i < 2 {
            let settings = Settings::draw(failure.seed, kind);
            match shrink(name, &settings, drawn(failure.seed, &settings))? {
                Some((ops, why)) => println!(
                    "    LSMLITE_HISTORY='{settings}: {}' fails too: {why}",
                    ops::text(&ops)
                ),
                None => println!("    not the second time: it depends on chance"),
            }
        }
    }
    assert!(failures.is_empty(), "{} histories failed", failures.len());
    if count >= MANY {
        let also: &[&str] = if kind.nested { &NESTED } else { &NOT_NESTED };
        let ranges: &[&str] = if kind.ranges { &WITH_RANGES } else { &[] };
        for what in MUST_HAPPEN.iter().chain(also).chain(ranges) {
            assert!(counts.contains_key(*what), "it never happened: {what}");
        }
    }
    Ok(())
}

fn cores() -> u64 {
    std::thread::available_parallelism().map_or(1, |n| n.get() as u64)
}

/// How long one history may take; sanitizers and busy machines need more.
pub fn time_limit() -> Duration {
    Duration::from_secs(setting("LSMLITE_HISTORY_SECONDS", 180))
}

fn drawn(seed: u64, settings: &Settings) -> Vec<Op> {
    let n = setting("LSMLITE_OPERATIONS", OPERATIONS);
    ops::draw(seed, settings, n as usize)
}

/// A process that ends with its owner.
pub struct Helper {
    child: Child,
    lines: Receiver<String>,
}

impl Helper {
    pub fn start(name: &str, argument: &str) -> Result<Helper> {
        let mut command = child(name, argument)?;
        let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let out = child.stdout.take().ok_or("no pipe")?;
        let errors = child.stderr.take().ok_or("no pipe")?;
        let (sender, lines) = channel();
        let also = sender.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(|line| line.ok()) {
                if let Some((_, told)) = line.split_once('@') {
                    let _ = sender.send(told.to_owned());
                }
            }
        });
        // What sanitizers and panics say ends up in a failure's reason.
        std::thread::spawn(move || {
            for line in BufReader::new(errors).lines().map_while(|line| line.ok()) {
                if line.contains("ERROR:")
                    || line.contains("runtime error:")
                    || line.contains("panicked at")
                {
                    let _ = also.send(format!("complaint {line}"));
                }
            }
        });
        Ok(Helper { child, lines })
    }

    /// The next line; an error that says how it ended if there is none.
    pub fn line(&mut self, limit: Duration) -> std::result::Result<String, String> {
        match self.lines.recv_timeout(limit) {
            Ok(line) => Ok(line),
            Err(RecvTimeoutError::Timeout) => Err(format!("still running after {limit:?}")),
            Err(RecvTimeoutError::Disconnected) => Err(match self.child.wait() {
                Ok(status) => format!("the process ended: {status}"),
                Err(error) => error.to_string(),
            }),
        }
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Gives seeds to a process, one at a time, and starts another one if it dies.
fn supervise(
    name: &str,
    next: &AtomicU64,
    end: u64,
    results: &Mutex<(BTreeMap<String, u64>, Vec<Failure>)>,
) -> Result {
    const PORTION: u64 = 20;
    loop {
        let mut first = next.fetch_add(PORTION, Ordering::Relaxed);
        let last = end.min(first + PORTION);
        while first < last {
            let mut helper = Helper::start(name, &format!("run {first} {last}"))?;
            let mut failure = None;
            let mut complaint = String::new();
            loop {
                let line = helper.line(time_limit());
                let words = line.as_deref().map(|line| line.split_once(' '));
                let mut all = results.lock().map_err(|_| "a supervisor panicked")?;
                match words {
                    Ok(Some(("begin", seed))) => first = seed.parse()?,
                    Ok(Some(("failed", why))) => failure = Some(why.to_owned()),
                    Ok(Some(("count", rest))) => {
                        let (n, what) = rest.split_once(' ').ok_or("a bad line")?;
                        *all.0.entry(what.to_owned()).or_default() += n.parse::<u64>()?;
                    }
                    Ok(Some(("complaint", text))) => complaint.push_str(text),
                    Ok(_) => {
                        first = last; // "done"
                        break;
                    }
                    Err(why) => failure = Some(format!("{why} {complaint}")),
                }
                if let Some(why) = failure.take() {
                    all.1.push(Failure { seed: first, why });
                    first += 1;
                    if line.is_err() || all.1.len() >= ENOUGH_FAILURES {
                        break;
                    }
                }
            }
        }
        let all = results.lock().map_err(|_| "a supervisor panicked")?;
        if last >= end || all.1.len() >= ENOUGH_FAILURES {
            return Ok(());
        }
    }
}

/// In a helper process: runs what the argument says and tells how it went.
fn serve<S: Store>(kind: Kind, argument: &str) -> Result {
    let tell = |text: String| -> Result {
        let mut out = std::io::stdout().lock();
        writeln!(out, "@{}", text.replace('\n', " "))?;
        Ok(out.flush()?)
    };
    let mut counts = Counts::new();
    if let Some(text) = argument.strip_prefix("repeat ") {
        let (settings, text) = text.split_once(':').ok_or("no colon")?;
        return match one::<S>(&settings.parse()?, &ops::parse(text)?, &mut counts) {
            Ok(()) => tell(String::from("done")),
            Err(why) => tell(format!("failed {why}")),
        };
    }
    let mut numbers = argument.split_whitespace().skip(1).map(str::parse::<u64>);
    let first = numbers.next().ok_or("no seed")??;
    let last = numbers.next().ok_or("no seed")??;
    for seed in first..last {
        tell(format!("begin {seed}"))?;
        let settings = Settings::draw(seed, kind);
        note(&settings, &mut counts);
        if let Err(why) = one::<S>(&settings, &drawn(seed, &settings), &mut counts) {
            tell(format!("failed {why} ({settings})"))?;
        }
    }
    for (what, n) in counts {
        tell(format!("count {n} {what}"))?;
    }
    tell(String::from("done"))
}

fn note(settings: &Settings, counts: &mut Counts) {
    let mut count = |yes: bool, what| {
        if yes {
            *counts.entry(what).or_default() += 1;
        }
    };
    count(settings.multi_process > 0, "multi-process");
    count(settings.mmap > 0 && settings.codec == 0, "mapped");
    count(settings.codec > 0, "compressed");
    count(settings.checksums > 0, "page checksums");
    count(settings.background == 1, "with a merger");
    count(settings.background == 2, "with a checkpointer");
    count(settings.background == 3, "with both threads");
    let read_only = settings.readers > 0 && settings.read_only > 0;
    count(read_only, "read-only readers");
}

/// Runs one history in a folder of its own; a panic is a failure.
fn one<S: Store>(settings: &Settings, ops: &[Op], counts: &mut Counts) -> Outcome {
    let dir = match folder() {
        Some(place) => tempfile::tempdir_in(place),
        None => tempfile::tempdir(),
    }
    .map_err(|error| error.to_string())?;
    catch_unwind(AssertUnwindSafe(|| {
        run::<S>(settings, ops, dir.path(), counts)
    }))
    .unwrap_or_else(|payload: Box<dyn Any + Send>| Err(format!("panic: {}", panic_text(&*payload))))
}

type Outcome = std::result::Result<(), String>;

/// Files in memory where there are any: nothing here depends on what reaches a disk.
fn folder() -> Option<PathBuf> {
    let memory = PathBuf::from("/dev/shm");
    (std::env::var_os("TMPDIR").is_none() && memory.is_dir()).then_some(memory)
}

/// Runs one history again, in a process of its own; `Some` tells how it fails.
pub fn fails(
    name: &str,
    settings: &Settings,
    ops: &[Op],
    limit: Duration,
) -> Result<Option<String>> {
    let argument = format!("repeat {settings}: {}", ops::text(ops));
    let mut helper = Helper::start(name, &argument)?;
    loop {
        match helper.line(limit) {
            Ok(line) if line.starts_with("complaint") => {}
            Ok(line) => return Ok(line.strip_prefix("failed ").map(str::to_owned)),
            Err(why) => return Ok(Some(why)),
        }
    }
}

/// Runs the history that `LSMLITE_HISTORY` states; with `LSMLITE_SHRINK_SECONDS` also makes
/// it smaller.
fn repeat(name: &str, text: &str) -> Result {
    let (settings, text) = text.split_once(':').ok_or("LSMLITE_HISTORY has no colon")?;
    let (settings, ops) = (settings.parse()?, ops::parse(text)?);
    let Some(why) = fails(name, &settings, &ops, time_limit())? else {
        return Ok(());
    };
    if std::env::var_os("LSMLITE_SHRINK_SECONDS").is_some() {
        if let Some((ops, why)) = shrink(name, &settings, ops)? {
            println!("{settings}: {}\n{why}", ops::text(&ops));
        }
    }
    Err(why.into())
}

/// Runs one history that once went wrong.
pub fn kept<S: Store>(text: &str) -> Result {
    let (settings, text) = text.split_once(':').ok_or("no colon")?;
    let outcome = one::<S>(&settings.parse()?, &ops::parse(text)?, &mut Counts::new());
    Ok(outcome?)
}
