//! Finds the text of lsm1.

use super::checksum::{self, Edition};
use super::{amalgamate, rerun_if_changed};
use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The package that carries the amalgamation, and where it keeps it.
const CARRIER: &str = "lsmlite-rs";
const CARRIER_VERSION: &str = "0.2.2";
const FILE_IN_CARRIER: &str = "src/lsm1/lsm1-ae2e7fc.c";

pub struct Source {
    pub text: String,
    pub edition: Edition,
}

/// Looks in every place where the text may be, in the order that the README gives.
pub fn source(package: &Path, out: &Path) -> Result<Source, String> {
    println!("cargo::rerun-if-env-changed=LSM1_SOURCE");
    if let Some(path) = env::var_os("LSM1_SOURCE").filter(|path| !path.is_empty()) {
        return named(Path::new(&path));
    }
    let own = package.join("src").join("lsm1").join("lsm1.c");
    if own.exists() {
        rerun_if_changed(&own);
        return checked(&own, read(&own)?);
    }
    // From here on nothing is watched: once compiled, the text may go away again.
    let mut search = Search::default();
    search.carrier(package, out).ok_or_else(|| search.failure())
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
        "lsm1 can't be read from {} ({problem}); remove or replace it, or set LSM1_SOURCE to \
         an amalgamated lsm1.c or to SQLite's folder ext/lsm1.",
        path.display()
    ))
}

fn checked(path: &Path, text: String) -> Result<Source, String> {
    match checksum::edition(&text) {
        Ok(edition) => Ok(Source { text, edition }),
        Err(sum) => Err(format!(
            "{} is not the lsm1 that this crate was made for (its SHA-256 is {sum}).\n\
             The patches fit SQLite's check-in ae2e7fc (SQLite 3.41.2) and nothing else: take \
             the ext/lsm1 of that version, or unset LSM1_SOURCE and remove src/lsm1/lsm1.c to \
             let Cargo bring it.",
            path.display()
        )),
    }
}

/// The search for the carrier, with what it looked at in vain.
#[derive(Default)]
struct Search {
    looked_at: Vec<String>,
}

impl Search {
    fn carrier(&mut self, package: &Path, out: &Path) -> Option<Source> {
        self.beside(package)
            .or_else(|| self.in_registry())
            .or_else(|| self.resolved(out))
            .or_else(|| self.resolved(package))
            .or_else(|| self.downloaded(out))
    }

    /// Registries and `cargo vendor` put packages side by side.
    fn beside(&mut self, package: &Path) -> Option<Source> {
        let shelf = package.parent()?;
        self.in_folder(&shelf.join(format!("{CARRIER}-{CARRIER_VERSION}")))
            .or_else(|| self.in_folder(&shelf.join(CARRIER)))
    }

    /// Cargo unpacks what it downloads in a folder for each registry.
    fn in_registry(&mut self) -> Option<Source> {
        let home = env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| {
            #[allow(deprecated)] // no longer, since Rust 1.85
            env::home_dir().map(|home| home.join(".cargo"))
        })?;
        let sources = home.join("registry").join("src");
        let Ok(entries) = fs::read_dir(&sources) else {
            self.missing(&sources);
            return None;
        };
        let mut registries: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        registries.sort();
        let name = format!("{CARRIER}-{CARRIER_VERSION}");
        registries
            .iter()
            .find_map(|registry| self.in_folder(&registry.join(&name)))
    }

    /// Asks Cargo, without a network, where the dependencies of the project around `folder`
    /// lie. Its answer is one line of JSON, of which we need a single string.
    fn resolved(&mut self, folder: &Path) -> Option<Source> {
        let answer = cargo(folder, &["metadata", "--frozen", "--format-version", "1"]);
        match answer.as_deref().map(carrier_in_metadata) {
            Ok(Some(carrier)) => self.in_folder(&carrier),
            Ok(None) => {
                self.vain(format!(
                    "`cargo metadata` in {}, which doesn't know {CARRIER} {CARRIER_VERSION}",
                    folder.display()
                ));
                None
            }
            Err(problem) => {
                self.vain(format!(
                    "`cargo metadata` in {}, {problem}",
                    folder.display()
                ));
                None
            }
        }
    }

    /// Lets Cargo download the one package. Other commands that download a package which is
    /// never compiled bring the dependencies for all platforms with it.
    fn downloaded(&mut self, folder: &Path) -> Option<Source> {
        let wanted = format!("{CARRIER}@{CARRIER_VERSION}");
        if let Err(problem) = cargo(folder, &["info", "--quiet", "--color=never", &wanted]) {
            self.vain(format!("`cargo info {wanted}`, {problem}"));
        }
        self.in_registry()
    }

    fn in_folder(&mut self, folder: &Path) -> Option<Source> {
        let path = folder.join(FILE_IN_CARRIER);
        if !path.exists() {
            self.missing(&path);
            return None;
        }
        match read(&path).and_then(|text| checked(&path, text)) {
            Ok(source) => Some(source),
            Err(problem) => {
                let first = problem.lines().next().unwrap_or_default();
                self.vain(first.trim_end_matches('.').to_owned());
                None
            }
        }
    }

    fn missing(&mut self, path: &Path) {
        self.vain(format!("{}, which doesn't exist", path.display()));
    }

    fn vain(&mut self, place: String) {
        if !self.looked_at.contains(&place) {
            self.looked_at.push(place);
        }
    }

    fn failure(&self) -> String {
        let mut message = format!(
            "The C sources of lsm1 were not found. The package {CARRIER} {CARRIER_VERSION} \
             brings them; looked at:\n"
        );
        for place in &self.looked_at {
            message.push_str(&format!("- {place}\n"));
        }
        message.push_str(&format!(
            "Run `cargo info {CARRIER}@{CARRIER_VERSION}` once with a network, or set \
             LSM1_SOURCE to an amalgamated lsm1.c or to the folder ext/lsm1 of SQLite 3.41.2."
        ));
        message
    }
}

/// The carrier's folder, from the output of `cargo metadata`.
fn carrier_in_metadata(json: &str) -> Option<PathBuf> {
    let package = format!("\"name\":\"{CARRIER}\",\"version\":\"{CARRIER_VERSION}\"");
    let (_, rest) = json.split_once(&package)?;
    let (_, rest) = rest.split_once("\"manifest_path\":\"")?;
    let (manifest, _) = rest.split_once('"')?;
    let manifest = PathBuf::from(manifest.replace("\\\\", "\\"));
    manifest.parent().map(Path::to_owned)
}

/// Runs Cargo in `folder`, where it finds the configuration (vendored sources, mirrors) of
/// the project that is being built, and returns its output or why there is none.
fn cargo(folder: &Path, arguments: &[&str]) -> Result<String, String> {
    let program = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .output()
        .map_err(|error| format!("which can't be started ({error})"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let first = said.lines().find(|line| !line.trim().is_empty());
    Err(format!(
        "which failed ({})",
        first.unwrap_or("without a word")
    ))
}
