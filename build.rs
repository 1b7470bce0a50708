//! Builds lsm1: finds its text, checks it, applies our patches and compiles the result.
//!
//! `src/lsm1/README.md` tells the whole story; each step has its own file in
//! `src/lsm1/build/`. `tests/build/` drives the same code, so some of it is visible there.

#[path = "src/lsm1/build/amalgamate.rs"]
pub(crate) mod amalgamate;
#[cfg(feature = "buildtime-bindgen")]
#[path = "src/lsm1/build/bindings.rs"]
mod bindings;
#[path = "src/lsm1/build/checksum.rs"]
pub(crate) mod checksum;
#[path = "src/lsm1/build/compile.rs"]
pub(crate) mod compile;
#[path = "src/lsm1/build/locate.rs"]
pub(crate) mod locate;
#[path = "src/lsm1/build/patches.rs"]
pub(crate) mod patches;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            for line in message.lines() {
                println!("cargo::error={line}");
            }
            ExitCode::FAILURE
        }
    }
}

pub(crate) fn run() -> Result<(), String> {
    let package = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(variable("OUT_DIR")?);
    let lsm1 = package.join("src").join("lsm1");

    println!("cargo::rerun-if-env-changed=LSM1_LEAVE_OUT");
    let left_out = env::var("LSM1_LEAVE_OUT").unwrap_or_default();
    let set = patches::PatchSet::read(&lsm1.join("patches"))?;

    let source = locate::source(&package, &out)?;
    let text = set.apply(source, &left_out)?;
    write(&out.join("lsm1.c"), &text)?;

    #[cfg(feature = "buildtime-bindgen")]
    bindings::generate(&text, &lsm1, &out)?;
    compile::library(&lsm1, &out)
}

/// A variable that Cargo sets for every build script.
fn variable(name: &str) -> Result<String, String> {
    env::var(name)
        .map_err(|_| format!("{name} is not set; let `cargo build` run this build script."))
}

fn rerun_if_changed(path: &Path) {
    println!("cargo::rerun-if-changed={}", path.display());
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| {
        format!(
            "{} can't be written ({error}); make room for the build, or let Cargo build \
             elsewhere through CARGO_TARGET_DIR.",
            path.display()
        )
    })
}
