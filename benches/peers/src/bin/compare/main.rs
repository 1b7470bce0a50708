//! Compares the speed of stores: `cargo run --release --bin compare -- --help`.

mod arguments;
mod machine;
mod picture;
mod results;
mod rows;
mod run;
mod suites;
mod table;

use std::fs;
use std::path::Path;
use std::time::Instant;

use lsmlite_rs_peers::Result;
use lsmlite_rs_peers::child::Plan;
use lsmlite_rs_peers::stores;

use arguments::Arguments;
use machine::Machine;
use results::{Results, Run, Sample};
use run::Field;

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1).peekable();
    if args.next_if(|first| first == "child").is_some() {
        let store = args.next().ok_or("which store?")?;
        let entry = stores::all().into_iter().find(|entry| entry.name == store);
        let entry = entry.ok_or_else(|| format!("no store {store}"))?;
        return (entry.run)(&Plan::parse(args)?);
    }
    let arguments = Arguments::parse(args)?;
    fs::create_dir_all(&arguments.out)?;
    let path = arguments.out.join("results.json");
    let mut results = Results::read(&path)?;
    if !arguments.draw_only {
        measure(&arguments, &mut results, &path)?;
    }
    let table = table::markdown(&results);
    fs::write(arguments.out.join("table.md"), &table)?;
    fs::write(arguments.out.join("picture.svg"), picture::svg(&results))?;
    if let Some(path) = &arguments.into {
        put_into(path, &arguments.out, &table)?;
    }
    print!("{table}");
    Ok(())
}

/// Between the marks of this file, with the picture.
fn put_into(path: &Path, out: &Path, table: &str) -> Result<()> {
    let text = fs::read_to_string(path)?;
    let (begin, end) = ("<!-- comparison -->\n", "<!-- /comparison -->");
    let parts = text.split_once(begin);
    let parts = parts.and_then(|(head, rest)| Some((head, rest.split_once(end)?.1)));
    let no_marks = || format!("{} has no marks for the table", path.display());
    let (head, tail) = parts.ok_or_else(no_marks)?;
    let picture = fs::canonicalize(out.join("picture.svg"))?;
    let folder = fs::canonicalize(path)?;
    let folder = folder.parent().unwrap_or(Path::new("/"));
    let picture = picture.strip_prefix(folder).unwrap_or(&picture).display();
    let alt = "Time or space of each peer, divided by that of lsmlite-rs";
    let text = format!("{head}{begin}![{alt}]({picture})\n{table}{end}{tail}");
    Ok(fs::write(path, text)?)
}

/// Rounds of all suites that are wanted. After each process the results are stored.
fn measure(arguments: &Arguments, results: &mut Results, path: &Path) -> Result<()> {
    fs::create_dir_all(&arguments.dir)?;
    let dir = tempfile::tempdir_in(&arguments.dir)?;
    let mut field = Field {
        dir: dir.path().to_owned(),
        records: arguments.records,
        most_seconds: arguments.most_seconds,
        published: None,
    };
    let plan = arguments.plan();
    if plan
        .iter()
        .any(|(_, stores)| stores.iter().any(|store| store == "0.2.2"))
    {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        eprintln!("building the program for 0.2.2");
        let target = arguments.target_dir()?.join("published");
        field.published = Some(run::build_published(root, &target)?);
    }
    let begin = machine::now()?;
    let machine = Machine::this(dir.path())?;
    eprintln!("{}", machine.description);
    let records = arguments.records;
    results.runs.insert(begin.clone(), Run { machine, records });

    let rounds = |suite: &suites::Suite| match arguments.rounds {
        Some(rounds) => rounds,
        None => suite.least_rounds.max(3),
    };
    let count = |(suite, stores): &(&suites::Suite, Vec<String>)| rounds(suite) * stores.len();
    let total: usize = plan.iter().map(count).sum();
    let (start, mut done) = (Instant::now(), 0);
    for (suite, stores) in &plan {
        for round in 1..=rounds(suite) {
            // Each round begins with another store, and every second one goes backwards, so that
            // neither a place nor what was there before favours one.
            for place in 0..stores.len() {
                let step = match round % 2 {
                    0 => stores.len() - place,
                    _ => place,
                };
                let store = &stores[(round - 1 + step) % stores.len()];
                done += 1;
                eprint!(
                    "[{:>5} s, {done} of {total}] {}, round {round}: {store} ",
                    start.elapsed().as_secs(),
                    suite.name,
                );
                let began = Instant::now();
                let outcome = field.measure(suite, store)?;
                let failure = outcome.failure.as_deref().unwrap_or_default();
                eprintln!("{:.1} s {failure}", began.elapsed().as_secs_f64());
                results.add(Sample {
                    run: begin.clone(),
                    suite: suite.name.to_owned(),
                    store: store.clone(),
                    round,
                    numbers: outcome.numbers,
                    failure: outcome.failure,
                });
                results.write(path)?;
            }
        }
    }
    Ok(())
}
