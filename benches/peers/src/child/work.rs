//! The groups of measurements.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::data::{Key, Order, Values};
use super::measure::{Stopwatch, memory, number, space};
use super::pace::{paced, unpaced};
use super::reads::{Contents, How};
use super::{Result, Settings, Store};

/// What one process does.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Group {
    Sequential,
    Random,
    Batches,
    Kib1,
    Kib10,
    Ingest,
    Zstd,
    Sync,
    /// One put after the other.
    Full,
    /// Puts at a fixed rate, for a while.
    Paced10k,
    Tail10k,
    Tail200,
    /// Writes, and dies.
    Crash,
    /// Opens what a crash has left.
    Recover,
}

impl Group {
    pub const ALL: [(&str, Group); 14] = [
        ("sequential", Group::Sequential),
        ("random", Group::Random),
        ("batches", Group::Batches),
        ("1kib", Group::Kib1),
        ("10kib", Group::Kib10),
        ("ingest", Group::Ingest),
        ("zstd", Group::Zstd),
        ("sync", Group::Sync),
        ("full", Group::Full),
        ("paced-10k", Group::Paced10k),
        ("tail-10k", Group::Tail10k),
        ("tail-200", Group::Tail200),
        ("crash", Group::Crash),
        ("recover", Group::Recover),
    ];

    fn value_bytes(self) -> usize {
        match self {
            Group::Kib1 => 1024,
            Group::Kib10 => 10 * 1024,
            _ => 100,
        }
    }

    /// How many records, if small ones are `records`.
    pub fn records(self, records: u64) -> u64 {
        let records = match self {
            Group::Kib1 => records / 2,
            Group::Kib10 | Group::Crash | Group::Recover => records / 10,
            Group::Ingest => records * 10,
            Group::Sync => records / 500,
            _ => records,
        };
        records.max(20)
    }

    fn order(self) -> Order {
        match self {
            Group::Sequential | Group::Ingest => Order::Sequential,
            _ => Order::Random,
        }
    }
}

/// The arguments of a child, which are the same on both sides.
pub struct Plan {
    pub group: Group,
    pub dir: PathBuf,
    /// Of the small ones, before [`Group::records`].
    pub records: u64,
    pub cache_mib: usize,
    /// For groups with a fixed rate.
    pub seconds: u64,
    /// The phases to carry out; all of them if there are none.
    pub only: Vec<String>,
}

impl Plan {
    pub fn parse(mut args: impl Iterator<Item = String>) -> Result<Plan> {
        let mut next = || args.next().ok_or("an argument of the child is missing");
        let group = next()?;
        let known = Group::ALL.iter().find(|(name, _)| *name == group);
        Ok(Plan {
            group: known.ok_or_else(|| format!("no group {group}"))?.1,
            dir: next()?.into(),
            records: next()?.parse()?,
            cache_mib: next()?.parse()?,
            seconds: next()?.parse()?,
            only: args.collect(),
        })
    }

    pub fn arguments(&self) -> Result<Vec<String>> {
        let name = Group::ALL.iter().find(|(_, group)| *group == self.group);
        let (name, _) = name.ok_or("a group without a name")?;
        let mut all = vec![
            name.to_string(),
            self.dir
                .to_str()
                .ok_or("the folder's name is no text")?
                .into(),
            self.records.to_string(),
            self.cache_mib.to_string(),
            self.seconds.to_string(),
        ];
        all.extend_from_slice(&self.only);
        Ok(all)
    }

    fn wants(&self, phase: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == phase)
    }

    fn settings(&self) -> Settings {
        let record = (self.group.value_bytes() + 16) as u64;
        let bytes = record * self.group.records(self.records);
        Settings {
            sync: self.group == Group::Sync,
            zstd: (self.group == Group::Zstd).then_some(3),
            cache_bytes: self.cache_mib << 20,
            most_bytes: (bytes as usize * 4).max(1 << 30),
            value_bytes: self.group.value_bytes(),
        }
    }
}

/// Carries out one plan with one store.
pub fn run<S: Store>(plan: &Plan) -> Result<()> {
    let values = Values::new(plan.group.value_bytes(), plan.group == Group::Zstd);
    let contents = Contents {
        order: plan.group.order(),
        records: plan.group.records(plan.records),
        values: &values,
    };
    match plan.group {
        Group::Sequential | Group::Kib1 | Group::Kib10 | Group::Sync => {
            inserts::<S>(plan, contents)
        }
        Group::Batches => batches::<S>(plan, contents),
        Group::Ingest => ingest::<S>(plan, contents),
        Group::Random => random::<S>(plan, contents),
        Group::Zstd => compressed::<S>(plan, contents),
        Group::Full | Group::Paced10k | Group::Tail10k | Group::Tail200 => {
            latency::<S>(plan, contents)
        }
        Group::Crash => crash::<S>(plan, contents),
        Group::Recover => recover::<S>(plan, contents),
    }
}

/// The same loops without a store: what the machine and the measuring take.
pub fn idle(plan: &Plan) -> Result<()> {
    match plan.group {
        Group::Full | Group::Paced10k | Group::Tail10k | Group::Tail200 => {
            at_its_rate(plan, plan.records, |_| Ok(()))
        }
        _ => Err("there is nothing idle to measure in this group".into()),
    }
}

/// What a commit that is synced can't do without: 128 bytes over others in a file that is there, and
/// a sync of the data.
pub fn bare(plan: &Plan) -> Result<()> {
    fs::create_dir_all(&plan.dir)?;
    let file = fs::File::create(plan.dir.join("bare"))?;
    let count = plan.group.records(plan.records);
    file.write_all_at(&vec![1; 128 * count as usize], 0)?;
    file.sync_all()?;
    let watch = Stopwatch::start()?;
    for n in 0..count {
        file.write_all_at(&[2; 128], 128 * n)?;
        file.sync_data()?;
    }
    watch.stop("insert", count)
}

fn open<S: Store>(plan: &Plan) -> Result<S> {
    fs::create_dir_all(&plan.dir)?;
    S::open(&plan.dir, &plan.settings())
}

fn load<S: Store>(store: &mut S, contents: Contents<'_>) -> Result<()> {
    let watch = Stopwatch::start()?;
    for n in 0..contents.records {
        store.put(&contents.order.key(n), contents.values.get(n))?;
    }
    watch.stop("insert", contents.records)
}

fn close(store: impl Store, dir: &Path) -> Result<()> {
    let watch = Stopwatch::start()?;
    store.close()?;
    watch.stop("close", 1)?;
    space("close", dir)
}

fn inserts<S: Store>(plan: &Plan, contents: Contents<'_>) -> Result<()> {
    let mut store: S = open(plan)?;
    load(&mut store, contents)?;
    memory("insert")?;
    close(store, &plan.dir)
}

fn batches<S: Store>(plan: &Plan, contents: Contents<'_>) -> Result<()> {
    const BATCH: u64 = 1000;
    let mut store: S = open(plan)?;
    let mut batch: Vec<(Key, &[u8])> = Vec::new();
    let watch = Stopwatch::start()?;
    for first in (0..contents.records).step_by(BATCH as usize) {
        batch.clear();
        let numbers = first..contents.records.min(first + BATCH);
        batch.extend(numbers.map(|n| (contents.order.key(n), contents.values.get(n))));
        store.put_batch(&batch)?;
    }
    watch.stop("insert", contents.records)?;
    close(store, &plan.dir)
}

fn ingest<S: Store>(plan: &Plan, contents: Contents<'_>) -> Result<()> {
    let mut store: S = open(plan)?;
    let records = (0..contents.records).map(|n| (contents.order.key(n), contents.values.get(n)));
    let watch = Stopwatch::start()?;
    store.ingest(records)?;
    watch.stop("insert", contents.records)?;
    // Some of them, to see that they are there.
    contents.gets(&store, "get", contents.records.min(100_000), false)?;
    close(store, &plan.dir)
}

fn random<S: Store>(plan: &Plan, contents: Contents<'_>) -> Result<()> {
    let gets = contents.records.min(1_000_000);
    let mut store: S = open(plan)?;
    load(&mut store, contents)?;
    memory("insert")?;
    space("insert", &plan.dir)?;
    warm_up(&store, contents);
    for (phase, missing) in [("get-loaded", false), ("missing-loaded", true)] {
        if plan.wants(phase) {
            contents.gets(&store, phase, gets, missing)?;
        }
    }
    if plan.only.iter().all(|phase| phase.ends_with("-loaded")) && !plan.only.is_empty() {
        return close(store, &plan.dir);
    }
    let watch = Stopwatch::start()?;
    store = store.compact()?;
    watch.stop("compact", 1)?;
    warm_up(&store, contents);
    for (phase, missing) in [("get-compacted", false), ("missing-compacted", true)] {
        if plan.wants(phase) {
            contents.gets(&store, phase, gets, missing)?;
        }
    }
    for (phase, backwards) in [("scan-forward", false), ("scan-reverse", true)] {
        if plan.wants(phase) {
            contents.scan(&store, phase, backwards)?;
        }
    }
    if plan.wants("scan-100") {
        contents.ranges(&store, "scan-100", 100)?;
    }
    for (phase, threads, how) in [
        ("kept-1", 1, How::Kept),
        ("kept-2", 2, How::Kept),
        ("anew-1", 1, How::Anew),
        ("anew-2", 2, How::Anew),
    ] {
        if plan.wants(phase) && (threads == 1 || S::PARALLEL) {
            contents.threads(&store, phase, gets, threads, how)?;
        }
    }
    memory("compacted")?;
    close(store, &plan.dir)?;
    reopen::<S>(plan, contents, "open")
}

/// Reads that don't count: the operating system and the store's cache know the files from here on.
/// A copy that was written past the system's cache would be read from the disk. What is read wrongly
/// is told by the phases that count.
fn warm_up(store: &impl Store, contents: Contents<'_>) {
    let _ = contents.scan(store, "warm-scan", false);
    let _ = contents.gets(store, "warm", (contents.records / 4).min(250_000), false);
}

fn compressed<S: Store>(plan: &Plan, contents: Contents<'_>) -> Result<()> {
    let gets = contents.records.min(1_000_000);
    let mut store: S = open(plan)?;
    load(&mut store, contents)?;
    store = store.compact()?;
    contents.gets(&store, "warm", gets / 2, false)?;
    contents.gets(&store, "get", gets, false)?;
    contents.scan(&store, "scan-forward", false)?;
    memory("get")?;
    close(store, &plan.dir)
}

/// Until the store answers, and until the first record is read.
fn reopen<S: Store>(plan: &Plan, contents: Contents<'_>, phase: &str) -> Result<()> {
    let watch = Stopwatch::start()?;
    let store: S = open(plan)?;
    watch.stop(phase, 1)?;
    contents.gets(&store, &format!("{phase}-get"), 1, false)?;
    store.close()
}

fn latency<S: Store>(plan: &Plan, contents: Contents<'_>) -> Result<()> {
    let mut store: S = open(plan)?;
    at_its_rate(plan, contents.records, |n| {
        store.put(&contents.order.key(n), contents.values.get(n))
    })?;
    store.close()
}

fn at_its_rate(plan: &Plan, records: u64, write: impl FnMut(u64) -> Result<()>) -> Result<()> {
    match plan.group {
        Group::Tail200 => paced("put", 200, plan.seconds, write),
        Group::Paced10k | Group::Tail10k => paced("put", 10_000, plan.seconds, write),
        _ => unpaced("put", records, write),
    }
}

/// Leaves a store as a process does that is killed.
fn crash<S: Store>(plan: &Plan, contents: Contents<'_>) -> Result<()> {
    let mut store: S = open(plan)?;
    load(&mut store, contents)?;
    // SAFETY: ends this process at once; nothing is destroyed, closed or written.
    unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
    Err("still alive".into())
}

fn recover<S: Store>(plan: &Plan, contents: Contents<'_>) -> Result<()> {
    space("before", &plan.dir)?;
    let watch = Stopwatch::start()?;
    let store: S = open(plan)?;
    watch.stop("recover", contents.records)?;
    let mut found = 0;
    {
        let mut reader = store.reader()?;
        let count = |_: &[u8], _: &[u8]| found += 1;
        super::Reader::scan(&mut reader, None, false, u64::MAX, count)?;
    }
    number("recover", "lost", (contents.records - found) as f64);
    store.close()
}
