//! What several test programs need: random numbers, a codec that fails on demand, and
//! processes of their own.
#![allow(dead_code)] // Every test program uses a part of it.

#[cfg(target_os = "linux")]
pub mod disk;
pub mod histories;
#[cfg(unix)]
pub mod workload;

use std::collections::BTreeMap;
use std::error::Error;
use std::ffi::{OsStr, OsString};
use std::ops::Bound;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use lsmlite_rs::compression::{CodecError, PageCodec};
use lsmlite_rs::{DbConf, Disk, LsmDb, LsmError, LsmErrorCode};

pub type Result<T = ()> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// What a database should hold.
pub type Model = BTreeMap<Vec<u8>, Vec<u8>>;

/// A range of keys of any kind.
pub type KeyRange = (Bound<Vec<u8>>, Bound<Vec<u8>>);

pub fn is_in(key: &[u8], (start, end): &KeyRange) -> bool {
    let after = match start {
        Bound::Unbounded => true,
        Bound::Included(start) => key >= &start[..],
        Bound::Excluded(start) => key > &start[..],
    };
    after
        && match end {
            Bound::Unbounded => true,
            Bound::Included(end) => key <= &end[..],
            Bound::Excluded(end) => key < &end[..],
        }
}

/// How often each thing happened, by name.
pub type Counts = BTreeMap<&'static str, u64>;

/// Prints how often each thing happened, and fails for what never did.
pub fn report(title: &str, counts: &Counts, must_happen: &[&str]) {
    println!("{title}:");
    for (what, count) in counts {
        println!("{count:>9}  {what}");
    }
    let never: Vec<_> = must_happen
        .iter()
        .filter(|what| counts.get(**what).is_none_or(|count| *count == 0))
        .collect();
    assert!(never.is_empty(), "{title}: never happened: {never:?}");
}

/// Says what to repeat if it is dropped by a panic.
pub struct Repeat(pub String);

impl Drop for Repeat {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("to repeat this: {}", self.0);
        }
    }
}

/// Steele, Lea and Flood's generator: small, and good enough for tests.
pub struct SplitMix64(u64);

impl SplitMix64 {
    pub fn new(seed: u64) -> Self {
        SplitMix64(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 0 to `n` - 1.
    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }

    /// `len` bytes that don't compress.
    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }
}

/// A number from the environment, for longer runs than the default.
pub fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|value| value.parse().ok())
        .unwrap_or(default)
}

/// A handle of the compatible face on `{dir}/{name}.lsm`, connected.
pub fn connected(dir: &Path, name: &str) -> std::result::Result<LsmDb, LsmErrorCode> {
    let mut db = LsmDb::default();
    db.initialize(DbConf::new(dir, name.to_string()))?;
    db.connect()?;
    Ok(db)
}

/// All records of a database, read forwards, after a check that reading backwards gives
/// the same.
pub fn contents(db: &LsmDb) -> std::result::Result<Model, LsmError> {
    let forwards: Vec<_> = db.iter().collect::<std::result::Result<_, _>>()?;
    let mut backwards: Vec<_> = db.iter().rev().collect::<std::result::Result<_, _>>()?;
    backwards.reverse();
    assert!(
        forwards == backwards,
        "{} records forwards, {} backwards, or other ones",
        forwards.len(),
        backwards.len()
    );
    let count = forwards.len();
    let records = Model::from_iter(forwards);
    assert_eq!(records.len(), count, "a key came twice");
    Ok(records)
}

/// Compares without printing megabytes.
pub fn assert_same(found: &Model, expected: &Model, when: &str) {
    if found == expected {
        return;
    }
    let missing: Vec<_> = expected
        .iter()
        .filter(|(key, value)| found.get(*key) != Some(value))
        .map(|(key, _)| key)
        .take(5)
        .collect();
    let foreign: Vec<_> = found
        .keys()
        .filter(|key| !expected.contains_key(*key))
        .take(5)
        .collect();
    panic!(
        "{when}: {} records instead of {}; missing or changed {missing:?}, not expected {foreign:?}",
        found.len(),
        expected.len()
    );
}

/// Repeats what a busy database refuses, for a minute at most.
pub fn retry<T>(
    mut work: impl FnMut() -> std::result::Result<T, LsmError>,
) -> std::result::Result<T, LsmError> {
    let start = Instant::now();
    loop {
        match work() {
            Err(error) if error.is_busy() && start.elapsed() < Duration::from_secs(60) => {
                std::thread::yield_now();
            }
            other => return other,
        }
    }
}

/// How [`Moody`] behaves.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Mood {
    Well,
    RefusesToCompress,
    PanicsCompressing,
    ClaimsTooMuchCompressing,
    RefusesToDecompress,
    PanicsDecompressing,
    ReturnsOtherBytes,
    ClaimsTooMuchDecompressing,
    ReturnsTooLittle,
}

/// What [`Moody`] says when it refuses or panics.
pub const COMPLAINT: &str = "the codec is in a bad mood";

/// A codec that copies, and misbehaves from the moment it is told to.
pub struct Moody {
    id: u32,
    mood: AtomicU8,
    refused: AtomicU64,
}

impl Moody {
    pub fn new(id: u32) -> Arc<Self> {
        Arc::new(Moody {
            id,
            mood: AtomicU8::new(Mood::Well as u8),
            refused: AtomicU64::new(0),
        })
    }

    pub fn be(&self, mood: Mood) {
        self.mood.store(mood as u8, Ordering::SeqCst);
    }

    /// How often it has misbehaved.
    pub fn misdeeds(&self) -> u64 {
        self.refused.load(Ordering::SeqCst)
    }

    fn is(&self, mood: Mood) -> bool {
        let is = self.mood.load(Ordering::SeqCst) == mood as u8;
        if is {
            self.refused.fetch_add(1, Ordering::SeqCst);
        }
        is
    }
}

fn copy(from: &[u8], to: &mut [u8]) -> std::result::Result<usize, CodecError> {
    let to = to
        .get_mut(..from.len())
        .ok_or_else(|| CodecError::new("no room"))?;
    to.copy_from_slice(from);
    Ok(from.len())
}

impl PageCodec for Moody {
    fn id(&self) -> u32 {
        self.id
    }

    fn bound(&self, plain_len: usize) -> usize {
        plain_len
    }

    fn compress(&self, plain: &[u8], out: &mut [u8]) -> std::result::Result<usize, CodecError> {
        if self.is(Mood::RefusesToCompress) {
            return Err(CodecError::new(COMPLAINT));
        }
        if self.is(Mood::PanicsCompressing) {
            panic!("{COMPLAINT}");
        }
        if self.is(Mood::ClaimsTooMuchCompressing) {
            return Ok(usize::MAX);
        }
        copy(plain, out)
    }

    fn decompress(&self, packed: &[u8], out: &mut [u8]) -> std::result::Result<usize, CodecError> {
        if self.is(Mood::RefusesToDecompress) {
            return Err(CodecError::new(COMPLAINT));
        }
        if self.is(Mood::PanicsDecompressing) {
            panic!("{COMPLAINT}");
        }
        if self.is(Mood::ClaimsTooMuchDecompressing) {
            return Ok(usize::MAX);
        }
        let used = copy(packed, out)?;
        if self.is(Mood::ReturnsOtherBytes) {
            out[..used].fill(0xff);
        }
        if self.is(Mood::ReturnsTooLittle) {
            return Ok(used / 2);
        }
        Ok(used)
    }
}

/// The text of a panic.
pub fn panic_text(payload: &(dyn std::any::Any + Send)) -> &str {
    payload
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or("")
}

const CHILD: &str = "LSMLITE_TEST_CHILD";

/// In a process that [`child`] started: its argument.
pub fn child_argument() -> Option<OsString> {
    std::env::var_os(CHILD)
}

/// This test program once more, to run only `test`, which finds `argument` in
/// [`child_argument`].
pub fn child(test: &str, argument: impl AsRef<OsStr>) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(CHILD, argument);
    Ok(command)
}

/// As [`child`], but no file can grow beyond `kib`: a write that would is an error (the
/// signal is ignored), as on a full disk.
#[cfg(unix)]
pub fn child_with_file_limit(test: &str, argument: impl AsRef<OsStr>, kib: u64) -> Result<Command> {
    // POSIX counts in units of 512 bytes.
    let script = format!("trap '' XFSZ; ulimit -f {}; exec \"$0\" \"$@\"", 2 * kib);
    let plain = child(test, argument)?;
    let mut command = Command::new("sh");
    command.arg("-c").arg(script).arg(plain.get_program());
    command.args(plain.get_args());
    for (name, value) in plain.get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    Ok(command)
}

/// Runs the rest of `test` in a process of its own, where nothing else happens at the same
/// time. True in that process; false, after it succeeded, in this one.
pub fn alone(test: &str) -> Result<bool> {
    if child_argument().is_some() {
        return Ok(true);
    }
    pass_alone(test, "")?;
    Ok(false)
}

/// Runs `test` in a process of its own, where it finds `argument`; there it must pass.
pub fn pass_alone(test: &str, argument: impl AsRef<OsStr>) -> Result {
    // AddressSanitizer keeps freed memory for a while, which isn't what we count.
    let mut sanitizer = std::env::var("ASAN_OPTIONS").unwrap_or_default();
    sanitizer.push_str(":quarantine_size_mb=1");
    let mut child = child(test, argument)?;
    let output = child.env("ASAN_OPTIONS", sanitizer).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{}{text}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

/// KiB of memory that this process occupies.
#[cfg(target_os = "linux")]
pub fn resident_kib() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .ok_or("no VmRSS")?;
    Ok(line.split_whitespace().nth(1).ok_or("no number")?.parse()?)
}

/// How many files this process has open.
#[cfg(target_os = "linux")]
pub fn open_files() -> Result<usize> {
    Ok(std::fs::read_dir("/proc/self/fd")?.count())
}

/// How many threads of this process have this name (the kernel keeps 15 bytes of it).
#[cfg(target_os = "linux")]
pub fn threads_named(name: &str) -> Result<usize> {
    let short = &name[..name.len().min(15)];
    let mut count = 0;
    for task in std::fs::read_dir("/proc/self/task")? {
        // A thread may end while we look.
        if let Ok(comm) = std::fs::read_to_string(task?.path().join("comm")) {
            count += usize::from(comm.trim_end() == short);
        }
    }
    Ok(count)
}

/// The names of the files in a folder, sorted.
pub fn files_in(dir: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}
