//! Finds the text of lsm1.

use crate::checksum::{self, Edition};
use crate::{amalgamate, rerun_if_changed};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The package that brings the amalgamation, and where it keeps it.
const CARRIER: &str = "lsmlite-rs";
const CARRIER_VERSION: &str = "0.2.2";
const FILE_IN_CARRIER: &str = "src/lsm1/lsm1-ae2e7fc.c";

pub struct Source {
    pub text: String,
    pub edition: Edition,
}

/// Looks in every place where the text may be, in the order that the README gives.
pub fn source(package: &Path) -> Result<Source, String> {
    println!("cargo::rerun-if-env-changed=LSM1_SOURCE");
    if let Some(path) = env::var_os("LSM1_SOURCE").filter(|path| !path.is_empty()) {
        return named(Path::new(&path));
    }
    let own = package.join("src").join("lsm1").join("lsm1.c");
    if own.exists() {
        rerun_if_changed(&own);
        return checked(&own, read(&own)?);
    }
    carried(package)
}

/// What LSM1_SOURCE names: an amalgamated file, or the folder of the separate sources.
fn named(path: &Path) -> Result<Source, String> {
    rerun_if_changed(path);
    if path.is_dir() {
        checked(path, amalgamate::join(path)?)
    } else {
        checked(path, read(path)?)
    }
}

fn read(path: &Path) -> Result<String, String> {
    let problem = match fs::read(path).map(String::from_utf8) {
        Ok(Ok(text)) => return Ok(text),
        Ok(Err(_)) => String::from("it is not text"),
        Err(error) => error.to_string(),
    };
    Err(format!(
        "lsm1 can't be read from {} ({problem}); remove or replace it, or set LSM1_SOURCE \
         to an amalgamated lsm1.c or to SQLite's folder ext/lsm1.",
        path.display()
    ))
}

fn checked(path: &Path, text: String) -> Result<Source, String> {
    match checksum::edition(text.as_bytes()) {
        Ok(edition) => Ok(Source { text, edition }),
        Err(sum) => Err(format!(
            "{} is not the lsm1 that this crate was made for: its SHA-256 is {sum}.\n\
             Our patches fit SQLite's check-in ae2e7fc (SQLite 3.41.2) and nothing else; \
             take that version's ext/lsm1, or unset LSM1_SOURCE and remove \
             src/lsm1/lsm1.c to let Cargo bring it.",
            path.display()
        )),
    }
}

/// Looks for the package that carries the amalgamation, and at last downloads it.
fn carried(package: &Path) -> Result<Source, String> {
    let mut search = Search {
        looked_at: Vec::new(),
    };
    println!("cargo::rerun-if-env-changed=CARGO_HOME");
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());

    if let Some(shelf) = package.parent() {
        for name in [format!("{CARRIER}-{CARRIER_VERSION}"), CARRIER.to_owned()] {
            if let Some(source) = search.at(&shelf.join(name)) {
                return Ok(source);
            }
        }
    }
    if let Some(source) = search.registry() {
        return Ok(source);
    }
    let manifest = package.join("Cargo.toml");
    if let Some(folder) = metadata(&cargo, &manifest) {
        if let Some(source) = search.at(&folder) {
            return Ok(source);
        }
    } else {
        search.looked_at.push(format!(
            "`cargo metadata --offline` of {}, which doesn't know where {CARRIER} \
             {CARRIER_VERSION} is",
            manifest.display()
        ));
    }
    let download = download(&cargo, package);
    if let Some(source) = search.registry() {
        return Ok(source);
    }
    if let Err(problem) = download {
        search.looked_at.push(problem);
    }
    Err(search.failure())
}

struct Search {
    looked_at: Vec<String>,
}

impl Search {
    /// Takes the amalgamation out of the package in `folder`.
    fn at(&mut self, folder: &Path) -> Option<Source> {
        let path = folder.join(FILE_IN_CARRIER);
        if !path.exists() {
            self.looked_at
                .push(format!("{}, which doesn't exist", path.display()));
            return None;
        }
        match read(&path).and_then(|text| checked(&path, text)) {
            Ok(source) => Some(source),
            Err(problem) => {
                let first = problem.lines().next().unwrap_or_default();
                self.looked_at.push(first.trim_end_matches('.').to_owned());
                None
            }
        }
    }

    /// Looks where Cargo unpacks what it downloads.
    fn registry(&mut self) -> Option<Source> {
        let home = env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| {
            #[allow(deprecated)] // right again since Rust 1.85, and without a replacement
            let home = env::home_dir()?;
            Some(home.join(".cargo"))
        })?;
        let shelves = home.join("registry").join("src");
        let Ok(entries) = fs::read_dir(&shelves) else {
            self.looked_at
                .push(format!("{}, which doesn't exist", shelves.display()));
            return None;
        };
        let name = format!("{CARRIER}-{CARRIER_VERSION}");
        let mut shelves: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        shelves.sort();
        shelves.iter().find_map(|shelf| self.at(&shelf.join(&name)))
    }

    fn failure(mut self) -> String {
        self.looked_at.dedup();
        let mut message = format!(
            "The C sources of lsm1 were not found. They come with the package {CARRIER} \
             {CARRIER_VERSION}; looked at:\n"
        );
        for place in self.looked_at {
            message.push_str(&format!("- {place}\n"));
        }
        message.push_str(&format!(
            "Run `cargo info {CARRIER}@{CARRIER_VERSION}` once with a network, or set \
             LSM1_SOURCE to an amalgamated lsm1.c or to the folder ext/lsm1 of SQLite 3.41.2."
        ));
        message
    }
}

/// Asks Cargo, without a network, where the resolved carrier lies (a vendored folder,
/// say). Its answer is one line of JSON, of which we need a single string.
fn metadata(cargo: &std::ffi::OsStr, manifest: &Path) -> Option<PathBuf> {
    let output = Command::new(cargo)
        .args([
            "metadata",
            "--offline",
            "--format-version",
            "1",
            "--manifest-path",
        ])
        .arg(manifest)
        .output()
        .ok()?;
    if !output.status.success() {
        return None;
    }
    manifest_of_carrier(&String::from_utf8_lossy(&output.stdout))
}

fn manifest_of_carrier(json: &str) -> Option<PathBuf> {
    let package = format!("\"name\":\"{CARRIER}\",\"version\":\"{CARRIER_VERSION}\"");
    let (_, rest) = json.split_once(&package)?;
    let (_, rest) = rest.split_once("\"manifest_path\":\"")?;
    let (path, _) = rest.split_once('"')?;
    let manifest = PathBuf::from(path.replace("\\\\", "\\"));
    Some(manifest.parent()?.to_owned())
}

/// Lets Cargo fetch the one package. `cargo info` unpacks it where `cargo build` would;
/// no other command downloads a dependency that is never compiled without fetching the
/// dependencies of all platforms with it.
fn download(cargo: &std::ffi::OsStr, package: &Path) -> Result<(), String> {
    let wanted = format!("{CARRIER}@{CARRIER_VERSION}");
    let output = Command::new(cargo)
        .args(["info", "--quiet", "--color", "never", &wanted])
        .current_dir(package)
        .output()
        .map_err(|error| format!("`cargo info {wanted}`, which can't be started: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.lines().map(str::trim).filter(|line| !line.is_empty());
    Err(format!(
        "`cargo info {wanted}`, which failed: {}",
        said.collect::<Vec<_>>().join("; ")
    ))
}
