//! Where and with what it was measured.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use lsmlite_rs_peers::Result;
use serde_json::{Value, json};

#[derive(Clone, PartialEq)]
pub struct Machine {
    /// Processor, system, file system, compiler.
    pub description: String,
    /// Of the stores.
    pub versions: BTreeMap<String, String>,
}

impl Machine {
    /// This one; the file system is that of `dir`.
    pub fn this(dir: &Path) -> Result<Machine> {
        let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpu.lines().find_map(|line| {
            let (name, model) = line.split_once(':')?;
            (name.trim() == "model name").then(|| model.trim().to_owned())
        });
        let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let memory = lsmlite_rs_peers::child::measure::field_kib(&memory, "MemTotal:");
        let dir = dir.to_string_lossy();
        let unknown = || "unknown".to_owned();
        Ok(Machine {
            description: format!(
                "{} cores of {}, {} GiB of memory, {}, {}, {}",
                std::thread::available_parallelism()?,
                model.unwrap_or_else(unknown),
                memory.unwrap_or(0).div_ceil(1 << 20),
                output("uname", &["-sr"]).unwrap_or_else(unknown),
                output("df", &["--output=fstype", &dir]).unwrap_or_else(unknown),
                output("rustc", &["--version"]).unwrap_or_else(unknown),
            ),
            versions: versions(),
        })
    }

    pub fn from_json(json: &Value) -> Option<Machine> {
        let versions = json["versions"].as_object()?.iter();
        Some(Machine {
            description: json["description"].as_str()?.to_owned(),
            versions: versions
                .map(|(name, version)| Some((name.clone(), version.as_str()?.to_owned())))
                .collect::<Option<_>>()?,
        })
    }

    pub fn to_json(&self) -> Value {
        json!({"description": self.description, "versions": self.versions})
    }
}

/// `2026-01-31T12:59:59Z`
pub fn now() -> Result<String> {
    output("date", &["-u", "+%FT%TZ"]).ok_or("there is no program `date`".into())
}

/// The last line that a program prints.
fn output(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.lines().last()?.trim().to_owned())
}

/// What `Cargo.lock` says of the packages that hold the stores.
fn versions() -> BTreeMap<String, String> {
    let lock = include_str!("../../../Cargo.lock");
    let version = |package: &str| {
        let versions = lock.split("[[package]]").filter_map(|entry| {
            let name = entry.split("name = \"").nth(1)?.split('"').next()?;
            let version = entry.split("version = \"").nth(1)?.split('"').next()?;
            (name == package).then(|| version.to_owned())
        });
        versions.last()
    };
    let mut versions = BTreeMap::from([("0.2.2".to_owned(), "0.2.2".to_owned())]);
    let stores = [
        ("ours", "lsmlite-rs"),
        ("rocksdb", "librocksdb-sys"),
        ("fjall", "fjall"),
        ("lmdb", "lmdb-master-sys"),
        ("redb", "redb"),
        ("sqlite", "libsqlite3-sys"),
        ("sled", "sled"),
    ];
    for (store, package) in stores {
        let version = version(package).unwrap_or_default();
        let text = match store {
            _ if store == "ours" || package == store => version,
            _ => format!("{package} {version}"),
        };
        versions.insert(store.to_owned(), text);
    }
    versions
}
