//! Our copy of lsm1 keeps out of the way of any other copy in the same program.
#![cfg(unix)]

use super::script::{Package, Result, carrier_text, host};
use std::fs;
use std::path::Path;
use std::process::Command;

/// The names that the library defines for the linker.
fn exported(package: &Package) -> Result<Vec<String>> {
    let outcome = package.build()?;
    assert!(outcome.succeeded, "{}", outcome.message);
    let library = package.path("out/liblsmlite_lsm1.a");
    let output = Command::new("nm")
        .args(["-g", "-P"])
        .arg(library)
        .output()?;
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let lines = String::from_utf8(output.stdout)?;
    let defined = lines.lines().filter(|line| {
        line.split(' ')
            .nth(1)
            .is_some_and(|kind| kind.len() == 1 && !"Uw".contains(kind))
    });
    let names = defined.filter_map(|line| line.split(' ').next());
    Ok(names
        .map(|name| name.trim_start_matches('_').to_owned())
        .collect())
}

fn assert_prefixed(names: &[String]) {
    assert!(
        names.iter().any(|name| name == "lsmlite_lsm_open"),
        "{names:?}"
    );
    let bare: Vec<_> = names
        .iter()
        .filter(|name| !name.starts_with("lsmlite_"))
        .collect();
    assert!(
        bare.is_empty(),
        "give these the prefix in src/lsm1/build/compile.rs: {bare:?}"
    );
}

#[test]
fn every_exported_symbol_has_our_prefix() -> Result {
    assert_prefixed(&exported(&Package::new()?)?);
    Ok(())
}

#[test]
fn every_exported_symbol_has_our_prefix_with_asserts() -> Result {
    let package = Package::new()?.with("CARGO_FEATURE_ENGINE_ASSERTS", "1");
    assert_prefixed(&exported(&package)?);
    Ok(())
}

/// Opens a database with each copy, writes, and reads the value back.
const TWO_COPIES: &str = r#"
#include <stdio.h>
#include <string.h>
#define DECLARE(P) \
  int P##new(void*, void**); int P##open(void*, const char*); int P##close(void*); \
  int P##insert(void*, const void*, int, const void*, int); \
  int P##csr_open(void*, void**); int P##csr_close(void*); \
  int P##csr_seek(void*, const void*, int, int); int P##csr_valid(void*); \
  int P##csr_value(void*, const void**, int*);
#define WRITE(P, db, file, value) \
  (P##new(0, &db) || P##open(db, file) || P##insert(db, "k", 1, value, 5))
#define READ(P, db, value) \
  (P##csr_open(db, &csr) || P##csr_seek(csr, "k", 1, 0) || !P##csr_valid(csr) \
   || P##csr_value(csr, &got, &n) || n!=5 || memcmp(got, value, 5) \
   || P##csr_close(csr) || P##close(db))
DECLARE(lsm_)
DECLARE(lsmlite_lsm_)
int main(void){
  void *theirs = 0, *ours = 0, *csr = 0;
  const void *got = 0;
  int n = 0;
  if( WRITE(lsm_, theirs, "theirs.lsm", "their") ) return 1;
  if( WRITE(lsmlite_lsm_, ours, "ours.lsm", "yours") ) return 2;
  if( READ(lsm_, theirs, "their") ) return 3;
  if( READ(lsmlite_lsm_, ours, "yours") ) return 4;
  return 0;
}
"#;

#[test]
fn another_copy_of_lsm1_works_in_the_same_program() -> Result {
    let package = Package::new()?;
    let outcome = package.build()?;
    assert!(outcome.succeeded, "{}", outcome.message);
    fs::write(package.path("other.c"), carrier_text()?)?;
    fs::write(package.path("main.c"), TWO_COPIES)?;

    compile(
        &package.path(""),
        &["main.c", "other.c", "out/liblsmlite_lsm1.a"],
    )?;
    let status = Command::new(package.path("both"))
        .current_dir(package.path(""))
        .status()?;
    assert!(status.success(), "{status}");
    assert!(package.path("theirs.lsm").exists() && package.path("ours.lsm").exists());
    Ok(())
}

fn compile(folder: &Path, inputs: &[&str]) -> Result {
    let host = host()?;
    let compiler = cc::Build::new()
        .target(&host)
        .host(&host)
        .opt_level(0)
        .cargo_metadata(false)
        .try_get_compiler()?;
    let output = compiler
        .to_command()
        .current_dir(folder)
        .args(["-w", "-DLSM_MUTEX_PTHREADS=1", "-o", "both"])
        .args(inputs)
        .arg("-lpthread")
        .output()?;
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
