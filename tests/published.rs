//! Against the published lsmlite-rs 0.2.2, which runs as a program of its own (`published/`):
//! each opens the other's files, and the documented calls answer the same.

#![cfg(all(
    unix,
    feature = "lz4",
    feature = "metrics",
    feature = "serde",
    feature = "zlib",
    feature = "zstd"
))]

#[path = "published/src/commands.rs"]
mod commands;
#[path = "published/src/records.rs"]
mod records;
#[path = "published/src/script.rs"]
mod script;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::ops::Bound::{Included, Unbounded};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

#[cfg(feature = "zstd")]
use lsmlite_rs::compression::ZstdDictionary;
use lsmlite_rs::{LsmCompressionLib, LsmDb, LsmError, LsmMode};

use commands::{Result, Target};
use records::{Change, Contents, Digest, changes, probes, range_deletions};

/// Some 20 MiB, so that rows get to the file before the close.
const MANY: u64 = 60_000;
/// Some 6 MiB, which stay in the log until the close.
const FEW: u64 = 15_000;

/// What must be in a file.
#[derive(Default)]
struct Model(BTreeMap<Vec<u8>, Vec<u8>>);

impl Model {
    fn after(changes: impl Iterator<Item = Change>) -> Self {
        let mut model = Model::default();
        model.apply(changes);
        model
    }

    fn apply(&mut self, changes: impl Iterator<Item = Change>) {
        for change in changes {
            match change {
                Change::Put(key, value) => drop(self.0.insert(key, value)),
                Change::Delete(key) => drop(self.0.remove(&key)),
                Change::DeleteRange(begin, end) => {
                    self.0.retain(|key, _| *key <= begin || *key >= end)
                }
            }
        }
    }

    fn contents(&self, count: u64) -> Contents {
        let [mut forward, mut backward, mut points, mut neighbours] =
            [(); 4].map(|()| Digest::new());
        for (key, value) in &self.0 {
            forward.add(key);
            forward.add(value);
        }
        for (key, value) in self.0.iter().rev() {
            backward.add(key);
            backward.add(value);
        }
        for probe in probes(count) {
            match self.0.get(&probe) {
                Some(value) => points.add(value),
                None => points.add_nothing(),
            }
            let above = self
                .0
                .range::<[u8], _>((Included(&probe[..]), Unbounded))
                .next();
            let below = self
                .0
                .range::<[u8], _>((Unbounded, Included(&probe[..])))
                .next_back();
            for found in [above, below] {
                match found {
                    Some((key, _)) => neighbours.add(key),
                    None => neighbours.add_nothing(),
                }
            }
        }
        Contents::new(self.0.len(), [forward, backward, points, neighbours])
    }
}

/// The program on 0.2.2, built once. Flags that are meant for our own build (sanitizers, say)
/// are kept from it.
fn peer() -> &'static Path {
    static PEER: OnceLock<PathBuf> = OnceLock::new();
    PEER.get_or_init(|| {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("published");
        let built = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--locked", "--manifest-path"])
            .arg(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/tests/published/Cargo.toml"
            ))
            .arg("--target-dir")
            .arg(&target)
            .env_remove("CARGO_BUILD_TARGET")
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .env_remove("CFLAGS")
            .env_remove("RUSTC_BOOTSTRAP")
            .env_remove("RUSTFLAGS")
            .status()
            .expect("cargo runs");
        assert!(
            built.success(),
            "tests/published can't be built (it needs crates.io once)"
        );
        target.join("debug/published-peer")
    })
}

fn command_line(command: &str, target: &Target, numbers: &[u64]) -> Vec<String> {
    let codec = match target.codec {
        LsmCompressionLib::NoCompression => "none",
        LsmCompressionLib::LZ4 => "lz4",
        LsmCompressionLib::ZLib => "zlib",
        LsmCompressionLib::ZStd => "zstd",
    };
    let thread = match target.thread {
        LsmMode::LsmNoBackgroundThreads => "none",
        LsmMode::LsmBackgroundMerger => "merger",
        LsmMode::LsmBackgroundCheckpointer => "checkpointer",
    };
    let dir = target
        .dir
        .to_str()
        .expect("a temporary directory with a plain name");
    [command, dir, &target.name, codec, thread]
        .map(String::from)
        .into_iter()
        .chain(numbers.iter().map(u64::to_string))
        .collect()
}

fn peer_says(args: &[String]) -> Result<String> {
    let output = Command::new(peer()).args(args).output()?;
    match output.status.success() {
        true => Ok(String::from_utf8(output.stdout)?.trim_end().to_string()),
        false => Err(format!("{args:?}: {output:?}").into()),
    }
}

/// Starts a program that will say when it has written its rows, and kills it then.
fn kill_when_ready(program: &mut Command) -> Result<()> {
    struct Killed(Child);
    impl Drop for Killed {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
    let mut child = Killed(
        program
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?,
    );
    let output = child.0.stdout.take().expect("a pipe was asked for");
    for line in BufReader::new(output).lines() {
        if line?.ends_with("ready") {
            return Ok(());
        }
    }
    Err("it ended without being ready".into())
}

const OUR_SIDE: &str = "LSMLITE_OUR_SIDE";

/// Not a test: the program that others kill, on our crate.
#[test]
#[ignore = "runs as a process of its own for the tests that kill it"]
fn our_side() -> Result<()> {
    match std::env::var(OUR_SIDE) {
        Ok(args) => commands::run(args.lines().map(String::from)),
        Err(_) => Ok(()),
    }
}

fn killed_here(target: &Target, seed: u64, count: u64) -> Result<()> {
    kill_when_ready(
        Command::new(std::env::current_exe()?)
            .args(["--exact", "our_side", "--ignored", "--nocapture"])
            .env(
                OUR_SIDE,
                command_line("crash", target, &[seed, count]).join("\n"),
            ),
    )?;
    assert_only_the_log_has_rows(target)
}

fn killed_there(target: &Target, seed: u64, count: u64) -> Result<()> {
    kill_when_ready(Command::new(peer()).args(command_line("crash", target, &[seed, count])))?;
    assert_only_the_log_has_rows(target)
}

fn assert_only_the_log_has_rows(target: &Target) -> Result<()> {
    let file = target.dir.join(format!("{}.lsm", target.name));
    assert!(file.metadata()?.len() < 1 << 20, "rows got to the file");
    assert!(
        file.with_extension("lsm-log").metadata()?.len() > 4 << 20,
        "no rows in the log"
    );
    Ok(())
}

/// Writes with 0.2.2.
fn written_there(target: &Target, seed: u64, count: u64) -> Result<()> {
    peer_says(&command_line("write", target, &[seed, count]))?;
    #[cfg(feature = "tools")]
    {
        use lsmlite_rs::inspect::{MapDepth, file_map};

        let map = file_map(
            target.dir.join(format!("{}.lsm", target.name)),
            MapDepth::Pages,
        )?;
        assert!(
            map.problems.is_empty() && map.unlisted_blocks.is_empty(),
            "{map:?}"
        );
        assert!(
            map.segments
                .iter()
                .all(|segment| segment.first_key.is_some()),
            "{map:?}"
        );
    }
    Ok(())
}

/// What 0.2.2 finds in the file.
fn found_there(target: &Target, count: u64) -> Result<String> {
    peer_says(&command_line("read", target, &[count]))
}

fn found_here(target: &Target, count: u64) -> Result<String> {
    Ok(commands::read(target, count)?.to_string())
}

struct Scratch {
    target: Target,
    _dir: tempfile::TempDir,
}

fn scratch(codec: LsmCompressionLib, thread: LsmMode) -> Result<Scratch> {
    let dir = tempfile::tempdir()?;
    let target = Target {
        dir: dir.path().to_path_buf(),
        name: "file".to_string(),
        codec,
        thread,
    };
    Ok(Scratch { target, _dir: dir })
}

macro_rules! with_each_codec {
    ($($module:ident: $codec:ident),*) => {$(
        mod $module {
            use super::*;

            fn scratch() -> Result<Scratch> {
                super::scratch(LsmCompressionLib::$codec, LsmMode::LsmNoBackgroundThreads)
            }

            #[test]
            fn a_file_that_0_2_2_closed_opens_here() -> Result<()> {
                let Scratch { target, .. } = &scratch()?;
                written_there(target, 1, MANY)?;
                let expected = Model::after(changes(1, MANY)).contents(MANY).to_string();
                assert_eq!(found_here(target, MANY)?, expected);
                Ok(())
            }

            #[test]
            fn a_file_that_we_closed_opens_in_0_2_2() -> Result<()> {
                let Scratch { target, .. } = &scratch()?;
                commands::write(target, 2, MANY)?;
                let expected = Model::after(changes(2, MANY)).contents(MANY).to_string();
                assert_eq!(found_there(target, MANY)?, expected);
                Ok(())
            }

            #[test]
            fn rows_that_a_killed_0_2_2_left_in_its_log_are_recovered_here() -> Result<()> {
                let Scratch { target, .. } = &scratch()?;
                killed_there(target, 3, FEW)?;
                let expected = Model::after(changes(3, FEW)).contents(FEW).to_string();
                assert_eq!(found_here(target, FEW)?, expected);
                assert_eq!(found_there(target, FEW)?, expected);
                Ok(())
            }

            #[test]
            fn rows_that_we_left_in_the_log_when_killed_are_recovered_by_0_2_2() -> Result<()> {
                let Scratch { target, .. } = &scratch()?;
                killed_here(target, 4, FEW)?;
                let expected = Model::after(changes(4, FEW)).contents(FEW).to_string();
                assert_eq!(found_there(target, FEW)?, expected);
                assert_eq!(found_here(target, FEW)?, expected);
                Ok(())
            }

            #[test]
            fn a_file_passes_to_and_fro() -> Result<()> {
                let Scratch { target, .. } = &scratch()?;
                let mut model = Model::default();
                for seed in (10..16).step_by(2) {
                    commands::write(target, seed, FEW)?;
                    model.apply(changes(seed, FEW));
                    assert_eq!(found_there(target, FEW)?, model.contents(FEW).to_string());
                    written_there(target, seed + 1, FEW)?;
                    model.apply(changes(seed + 1, FEW));
                    assert_eq!(found_here(target, FEW)?, model.contents(FEW).to_string());
                }
                Ok(())
            }

            #[test]
            fn a_log_that_the_other_left_on_a_file_with_rows_is_recovered() -> Result<()> {
                let Scratch { target, .. } = &scratch()?;
                let mut model = Model::default();
                commands::write(target, 20, 500)?;
                killed_there(target, 21, FEW)?;
                model.apply(changes(20, 500).chain(changes(21, FEW)));
                assert_eq!(found_here(target, FEW)?, model.contents(FEW).to_string());

                let Scratch { target, .. } = &scratch()?;
                let mut model = Model::default();
                written_there(target, 22, 500)?;
                killed_here(target, 23, FEW)?;
                model.apply(changes(22, 500).chain(changes(23, FEW)));
                assert_eq!(found_there(target, FEW)?, model.contents(FEW).to_string());
                Ok(())
            }

            #[test]
            fn ranges_that_one_deleted_are_gone_for_the_other() -> Result<()> {
                let Scratch { target, .. } = &scratch()?;
                let mut model = Model::after(changes(30, FEW));
                commands::write(target, 30, FEW)?;
                commands::delete_ranges(target, 31, 50)?;
                model.apply(range_deletions(31, 50));
                assert_eq!(found_there(target, FEW)?, model.contents(FEW).to_string());
                peer_says(&command_line("delete-ranges", target, &[32, 50]))?;
                model.apply(range_deletions(32, 50));
                assert_eq!(found_here(target, FEW)?, model.contents(FEW).to_string());
                Ok(())
            }
        }
    )*};
}

with_each_codec! {
    without_compression: NoCompression,
    with_lz4: LZ4,
    with_zlib: ZLib,
    with_zstd: ZStd
}

#[test]
fn files_of_the_background_modes_open_on_the_other_side() -> Result<()> {
    for thread in [
        LsmMode::LsmBackgroundMerger,
        LsmMode::LsmBackgroundCheckpointer,
    ] {
        let Scratch { target, .. } = &scratch(LsmCompressionLib::LZ4, thread)?;
        let mut model = Model::default();
        written_there(target, 40, FEW)?;
        model.apply(changes(40, FEW));
        assert_eq!(found_here(target, FEW)?, model.contents(FEW).to_string());
        commands::write(target, 41, FEW)?;
        model.apply(changes(41, FEW));
        assert_eq!(found_there(target, FEW)?, model.contents(FEW).to_string());
    }
    Ok(())
}

/// 0.2.2 knows nothing of page checksums, and takes the file for one of an unknown codec.
#[test]
fn a_file_with_page_checksums_is_a_mismatch_to_0_2_2_and_untouched() -> Result<()> {
    refuses(&|path, codec| {
        let builder = LsmDb::builder().compression(codec.into());
        builder.page_checksums(true).open(path)
    })
}

/// Nor of dictionaries.
#[cfg(feature = "zstd")]
#[test]
fn a_file_with_a_dictionary_is_a_mismatch_to_0_2_2_and_untouched() -> Result<()> {
    let samples = (0..2000).map(|n| format!("all of them are much the same {n}"));
    let dictionary = ZstdDictionary::train(7, samples, 1024)?;
    refuses(&|path, _| {
        let builder = LsmDb::builder().compression(LsmCompressionLib::ZStd.into());
        builder.zstd_dictionary(dictionary.clone()).open(path)
    })
}

/// Files that are made by `open` can't be used by 0.2.2, with any of its codecs.
fn refuses(
    open: &dyn Fn(&Path, LsmCompressionLib) -> std::result::Result<LsmDb, LsmError>,
) -> Result<()> {
    for codec in [
        LsmCompressionLib::NoCompression,
        LsmCompressionLib::LZ4,
        LsmCompressionLib::ZLib,
        LsmCompressionLib::ZStd,
    ] {
        let Scratch { target, .. } = &scratch(codec, LsmMode::LsmNoBackgroundThreads)?;
        let path = target.dir.join("file.lsm");
        let mut db = open(&path, codec)?;
        for i in 0..10_000_u32 {
            db.insert(i.to_be_bytes(), [7; 100])?;
        }
        db.compact()?;
        assert_eq!(db.iter().count(), 10_000);
        db.close()?;
        let before = std::fs::read(&path)?;
        for command in [
            command_line("read", target, &[10]),
            command_line("write", target, &[1, 10]),
        ] {
            let error = peer_says(&command).err().ok_or("it was let in")?;
            assert!(error.to_string().contains("LsmMismatch"), "{error}");
            assert!(
                std::fs::read(&path)? == before,
                "{command:?} wrote to the file"
            );
        }
    }
    Ok(())
}

/// Where we mean to answer otherwise: the call, 0.2.2's answer, ours.
const DIFFERENCES: &[(&str, &str, &str)] = &[
    // 0.2.2 can't read lsm1's extended codes.
    (
        "a missing directory: db.connect()",
        "Err(LsmUnknownCode)",
        "Err(LsmIOErr)",
    ),
    // 0.2.2 takes every failure of optimize for a success; no one can merge in a transaction.
    ("transactions: db.optimize()", "Ok(())", "Err(LsmMisuse)"),
    // Deletions and commits are timed as well, not only persist.
    (
        "metrics: metrics.write_times_s.get_sample_count()",
        "3",
        "6",
    ),
    // 0.2.2 observes the writer's wait at every persist; we observe real rounds of work, and
    // there is none to do for so few rows.
    ("metrics: metrics.work_times_s.get_sample_count()", "3", "0"),
    (
        "metrics: metrics.work_kbs.get_sample_count() > 0",
        "true",
        "false",
    ),
    (
        "metrics: metrics.checkpoint_times_s.get_sample_count()",
        "3",
        "0",
    ),
    // 0.2.2 leaks a handle that it can't close, with its transaction; the file stays locked.
    (
        "a drop within a transaction: db.persist(b\"c\", b\"3\")",
        "Err(LsmBusy)",
        "Ok(())",
    ),
    // A handle closes the cursors that were leaked.
    (
        "a leaked cursor: db.disconnect()",
        "Err(LsmMisuse)",
        "Ok(())",
    ),
    ("a leaked cursor: db.is_connected()", "true", "false"),
    // To open for reading creates nothing.
    (
        "read-only without a file: db.connect()",
        "Ok(())",
        "Err(LsmIOErr)",
    ),
    (
        "read-only without a file: db.is_connected()",
        "true",
        "false",
    ),
    (
        "read-only without a file: t.dir.join(\"read-only-without-a-file.lsm\").exists()",
        "true",
        "false",
    ),
];

#[test]
fn every_call_of_the_script_answers_as_in_0_2_2() -> Result<()> {
    let (here, there) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let dir = there
        .path()
        .to_str()
        .ok_or("a temporary directory with an odd name")?;
    let theirs = peer_says(&["script".to_string(), dir.to_string()])?;
    let ours = script::run(here.path()).to_string();

    assert_eq!(theirs.lines().count(), ours.lines().count());
    let differences: BTreeSet<_> = theirs
        .lines()
        .zip(ours.lines())
        .filter(|(theirs, ours)| theirs != ours)
        .map(|(theirs, ours)| {
            let (call, answer_there) = theirs.split_once(" => ").unwrap_or((theirs, ""));
            let (same_call, answer_here) = ours.split_once(" => ").unwrap_or((ours, ""));
            assert_eq!(call, same_call);
            (call, answer_there, answer_here)
        })
        .collect();
    let intended: BTreeSet<_> = DIFFERENCES.iter().copied().collect();
    let unintended: Vec<_> = differences.difference(&intended).collect();
    let outdated: Vec<_> = intended.difference(&differences).collect();
    assert!(unintended.is_empty(), "{unintended:#?}");
    assert!(outdated.is_empty(), "no difference any more: {outdated:#?}");
    Ok(())
}
