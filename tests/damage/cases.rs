//! Runs mutated databases in processes of their own, which may crash or hang.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use crate::bases::{RECIPES, Recipe, log_of};
use crate::common::{Result, SplitMix64, child_argument, child_with_file_limit, setting};
use crate::exercise::{Outcome, exercise};
use crate::mutate::mutated_copy;

const TEST: &str = "cases::mutated_databases_do_no_harm";

/// No file of a case becomes larger than this: a damaged file may say that it has billions of
/// blocks, and then lives among them.
const FILE_LIMIT_KIB: u64 = 64 * 1024;

/// What the child has told, or why it tells no more.
enum News {
    Begun(u64),
    Done(Outcome),
}

#[test]
fn mutated_databases_do_no_harm() -> Result {
    if let Some(argument) = child_argument() {
        return run(&argument.to_string_lossy());
    }
    let dir = tempfile::tempdir()?;
    for recipe in &RECIPES {
        recipe.build(dir.path())?;
    }
    if let Some(folder) = std::env::var_os("LSMLITE_KEEP_BASES") {
        for entry in fs::read_dir(dir.path())? {
            let entry = entry?;
            fs::copy(entry.path(), Path::new(&folder).join(entry.file_name()))?;
        }
    }
    let first = setting("LSMLITE_SEED", 1);
    let count = setting("LSMLITE_MUTATIONS", 400);
    let (mut failures, mut opened, mut damaged, mut next) = (Vec::new(), 0, 0, first);
    while next < first + count {
        let argument = format!("{next} {} {}", first + count - next, dir.path().display());
        match watch(&argument, &mut next, |outcome| {
            opened += u64::from(outcome != Outcome::Refused);
            damaged += u64::from(outcome == Outcome::Damaged);
        })? {
            None => break,
            Some(failure) => {
                println!("seed {next}: {failure}");
                failures.push((next, failure));
                next += 1;
            }
        }
        assert!(failures.len() < 50, "too many failures: {failures:?}");
    }
    println!("{count} databases, {opened} opened, damage noticed in {damaged} of these");
    assert!(failures.is_empty(), "by seed: {failures:?}");
    assert!(
        opened * 10 >= count * 6,
        "only {opened} of {count} databases could be opened: the mutations are too coarse"
    );
    Ok(())
}

/// A search went on after an error, with a key from a mapping that was gone. (The last one is for
/// UndefinedBehaviorSanitizer: the number of a block far beyond the end of the file.)
#[test]
fn a_search_that_fails_compares_nothing() -> Result {
    const SEEDS: [u64; 4] = [1_003_450, 1_011_159, 1_012_250, 1_016_780];
    let dir = tempfile::tempdir()?;
    for recipe in &RECIPES {
        recipe.build(dir.path())?;
    }
    for mut seed in SEEDS {
        let argument = format!("{seed} 1 {}", dir.path().display());
        let failure = watch(&argument, &mut seed, |_| {})?;
        assert_eq!(failure, None, "seed {seed}");
    }
    Ok(())
}

/// Follows a child to its end. `None` if it did all its cases; else why case `next` failed.
fn watch(argument: &str, next: &mut u64, mut done: impl FnMut(Outcome)) -> Result<Option<String>> {
    let patience = Duration::from_secs(setting("LSMLITE_CASE_SECONDS", 60));
    let mut sanitizer = std::env::var("ASAN_OPTIONS").unwrap_or_default();
    // A request beyond this is refused, and then it is an error that the case reports.
    sanitizer.push_str(":max_allocation_size_mb=300");
    let mut child = child_with_file_limit(TEST, argument, FILE_LIMIT_KIB)?
        .env("ASAN_OPTIONS", sanitizer)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let complaint = thread::spawn(move || {
        let lines = BufReader::new(err?).lines().map_while(|line| line.ok());
        // The sanitizers' own line, or the last words of a panic.
        let mut found = String::new();
        for line in lines {
            let says = ["SUMMARY", "runtime error", "panicked", "Error:"];
            if says.iter().any(|word| line.contains(word)) {
                found.push_str(line.trim());
                found.push_str("; ");
            }
        }
        Some(found)
    });
    let (send, news) = channel();
    let reader = thread::spawn(move || {
        let Some(out) = out else { return };
        for line in BufReader::new(out).lines().map_while(|line| line.ok()) {
            let Some((_, text)) = line.split_once('@') else {
                continue;
            };
            let said = match text {
                "refused" => News::Done(Outcome::Refused),
                "damaged" => News::Done(Outcome::Damaged),
                "unnoticed" => News::Done(Outcome::Unnoticed),
                seed => match seed.parse() {
                    Ok(seed) => News::Begun(seed),
                    Err(_) => continue,
                },
            };
            if send.send(said).is_err() {
                return;
            }
        }
    });
    let hung = loop {
        match news.recv_timeout(patience) {
            Ok(News::Begun(seed)) => *next = seed,
            Ok(News::Done(outcome)) => done(outcome),
            Err(RecvTimeoutError::Disconnected) => break false,
            Err(RecvTimeoutError::Timeout) => break true,
        }
    };
    if hung {
        child.kill()?;
    }
    let status = child.wait()?;
    drop(news);
    let _ = reader.join();
    let words = complaint.join().ok().flatten().unwrap_or_default();
    Ok(match (hung, status.success()) {
        (true, _) => Some(format!("no end after {} s", patience.as_secs())),
        (false, false) => Some(format!("{status} {words}")),
        (false, true) => None,
    })
}

/// In the child: the cases from a seed on.
fn run(argument: &str) -> Result {
    let mut words = argument.splitn(3, ' ');
    let mut word = || words.next().ok_or("an argument is missing");
    let (first, count): (u64, u64) = (word()?.parse()?, word()?.parse()?);
    let bases = Path::new(word()?);
    let dir = tempfile::tempdir()?;
    for seed in first..first + count {
        tell(seed)?;
        let outcome = case(seed, bases, dir.path()).map_err(|e| format!("seed {seed}: {e}"))?;
        tell(match outcome {
            Outcome::Refused => "refused",
            Outcome::Damaged => "damaged",
            Outcome::Unnoticed => "unnoticed",
        })?;
    }
    Ok(())
}

fn tell(text: impl std::fmt::Display) -> Result {
    let mut out = std::io::stdout().lock();
    writeln!(out, "@{text}")?;
    Ok(out.flush()?)
}

fn case(seed: u64, bases: &Path, dir: &Path) -> Result<Outcome> {
    let mut random = SplitMix64::new(seed);
    let recipe: &Recipe = &RECIPES[random.below(RECIPES.len() as u64) as usize];
    let path = dir.join("case.lsm");
    for suffix in ["", "-log", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        let _ = fs::remove_file(name);
    }
    mutated_copy(&recipe.path(bases), recipe, &mut random, &path)?;
    if let Some(folder) = std::env::var_os("LSMLITE_KEEP_CASES") {
        // For a look at a failure.
        let kept = Path::new(&folder).join(format!("{seed}.lsm"));
        fs::copy(&path, &kept)?;
        let _ = fs::copy(log_of(&path), log_of(&kept));
    }
    exercise(&path, recipe, &mut random)
}
