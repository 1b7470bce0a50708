//! The command line.

use std::path::PathBuf;

use lsmlite_rs_peers::{Result, stores};

use crate::rows::ROWS;
use crate::suites::{MARKS, SUITES, Suite};

const HELP: &str = "\
compare [SUITE | SUITE/ROW]... [OPTION]...

Measures stores and writes table.md, picture.svg and results.json. Without arguments: everything
but what takes very long. What was measured before and isn't now stays in the results.

  --stores A,B     only these
  --records N      of small records; other groups in proportion (1,000,000)
  --rounds N       rounds of each suite (3; 5 where a row asks for that)
  --most-seconds N shortens what takes a fixed time
  --dir DIR        where stores work, on the disk to be measured (below the build's folder)
  --out DIR        where results are kept (below the build's folder)
  --into FILE      put the table between <!-- comparison --> and <!-- /comparison --> of this file
  --draw           measure nothing, only make table and picture anew
  --list           show suites, rows and stores
";

pub struct Arguments {
    wanted: Vec<String>,
    stores: Vec<String>,
    pub records: u64,
    pub rounds: Option<usize>,
    pub most_seconds: u64,
    pub dir: PathBuf,
    pub out: PathBuf,
    pub into: Option<PathBuf>,
    pub draw_only: bool,
}

impl Arguments {
    pub fn parse(mut args: impl Iterator<Item = String>) -> Result<Arguments> {
        let target = target_dir()?;
        let mut arguments = Arguments {
            wanted: Vec::new(),
            stores: Vec::new(),
            records: 1_000_000,
            rounds: None,
            most_seconds: u64::MAX,
            dir: target.join("compare"),
            out: target.join("comparison"),
            into: None,
            draw_only: false,
        };
        while let Some(argument) = args.next() {
            let mut value = || args.next().ok_or(format!("{argument} needs a value"));
            match argument.as_str() {
                "--stores" => arguments.stores = value()?.split(',').map(str::to_owned).collect(),
                "--records" => arguments.records = value()?.replace('_', "").parse()?,
                "--rounds" => arguments.rounds = Some(value()?.parse()?),
                "--most-seconds" => arguments.most_seconds = value()?.parse()?,
                "--dir" => arguments.dir = value()?.into(),
                "--out" => arguments.out = value()?.into(),
                "--into" => arguments.into = Some(value()?.into()),
                "--draw" => arguments.draw_only = true,
                "--list" => {
                    list();
                    std::process::exit(0);
                }
                "--help" | "-h" => {
                    print!("{HELP}");
                    std::process::exit(0);
                }
                option if option.starts_with('-') => {
                    return Err(format!("no option {option}; --help shows all").into());
                }
                name => arguments.wanted.push(name.to_owned()),
            }
        }
        arguments.check()?;
        Ok(arguments)
    }

    fn check(&self) -> Result<()> {
        for name in &self.wanted {
            let row = ROWS.iter().any(|row| row.name() == *name);
            if Suite::named(name).is_none() && !row {
                return Err(format!("no suite and no row {name}; --list shows all").into());
            }
        }
        for store in &self.stores {
            if !known_stores().contains(store) {
                return Err(format!(
                    "no store {store}; --list shows all (RocksDB: build with --features rocksdb)"
                )
                .into());
            }
        }
        Ok(())
    }

    /// The suites to run, and the stores that take part in each.
    pub fn plan(&self) -> Vec<(&'static Suite, Vec<String>)> {
        let asked = |suite: &Suite| {
            let of =
                |name: &String| name == suite.name || name.starts_with(&format!("{}/", suite.name));
            match self.wanted.is_empty() {
                true => !suite.on_request,
                false => self.wanted.iter().any(of),
            }
        };
        let stores = |suite: &Suite| -> Vec<String> {
            let stores = known_stores().into_iter();
            let chosen = |store: &String| match self.stores.is_empty() {
                true => suite.takes(store),
                // The mark belongs to it, and no other.
                false if MARKS.contains(&&store[..]) => suite.mark == Some(store),
                false => self.stores.contains(store),
            };
            stores.filter(chosen).collect()
        };
        SUITES
            .iter()
            .filter(|suite| asked(suite))
            .map(|suite| (suite, stores(suite)))
            .filter(|(_, stores)| !stores.is_empty())
            .collect()
    }

    pub fn target_dir(&self) -> Result<PathBuf> {
        target_dir()
    }
}

/// Beside the folder that the program is in, `target/release`.
fn target_dir() -> Result<PathBuf> {
    let program = std::env::current_exe()?;
    let target = program.parent().and_then(|profile| profile.parent());
    Ok(target
        .ok_or("the program isn't in a build's folder")?
        .to_owned())
}

fn known_stores() -> Vec<String> {
    let mut names: Vec<_> = stores::all()
        .iter()
        .map(|entry| entry.name.to_owned())
        .collect();
    names.insert(1, "0.2.2".to_owned());
    names
}

fn list() {
    println!("stores: {}\n", known_stores().join(", "));
    for suite in &SUITES {
        println!("{:<12} {}", suite.name, suite.title);
        for row in ROWS.iter().filter(|row| row.suite == suite.name) {
            println!("    {:<26} {}, {}", row.name(), row.title, row.unit);
        }
    }
}
