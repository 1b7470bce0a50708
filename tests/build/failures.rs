//! Each failure says what went wrong and what to do about it.

use super::script::{Package, Result};
use std::fs;

fn assert_says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "no {part:?} in: {message}");
    }
}

#[test]
fn a_missing_source_lists_where_it_was_looked_for() -> Result {
    let package = Package::new()?.with("LSM1_SOURCE", "");
    let home = package.path("empty-cargo-home");
    let message = package
        .with("CARGO_HOME", &home)
        .with("CARGO", "/nonexistent/cargo")
        .complaint()?;
    let registry = home.join("registry").join("src");
    assert_says(
        &message,
        &[
            &registry.display().to_string(),
            "lsmlite-rs-0.2.2",
            "`cargo info lsmlite-rs@0.2.2`, which can't be started",
            "Run `cargo info lsmlite-rs@0.2.2` once with a network, or set LSM1_SOURCE",
        ],
    );
    Ok(())
}

#[test]
fn a_source_that_cannot_be_read_is_named() -> Result {
    let message = Package::new()?
        .with("LSM1_SOURCE", "/nonexistent/lsm1.c")
        .complaint()?;
    assert_says(&message, &["/nonexistent/lsm1.c", "set LSM1_SOURCE"]);
    Ok(())
}

#[test]
fn a_folder_without_all_sources_names_the_missing_one() -> Result {
    let package = Package::new()?;
    let folder = package.path("ext");
    fs::create_dir(&folder)?;
    fs::write(folder.join("lsm.h"), "")?;
    let message = package.with("LSM1_SOURCE", &folder).complaint()?;
    assert_says(&message, &["lsmInt.h", "ext/lsm1"]);
    Ok(())
}

#[test]
fn a_text_with_one_changed_byte_is_refused() -> Result {
    let package = Package::new()?;
    let path = package.path("carrier.c");
    let text = fs::read_to_string(&path)?.replacen("LSM_BUSY", "LSM_BUSi", 1);
    fs::write(&path, text)?;
    assert_says(&package.complaint()?, &["carrier.c", "SHA-256", "3.41.2"]);
    Ok(())
}

#[test]
fn a_wrong_packaged_text_is_refused_although_a_carrier_exists() -> Result {
    let package = Package::new()?.with("LSM1_SOURCE", "");
    fs::write(
        package.path("src/lsm1/lsm1.c"),
        "int main(void){ return 0; }\n",
    )?;
    assert_says(
        &package.complaint()?,
        &["lsm1.c", "SHA-256", "remove src/lsm1/lsm1.c"],
    );
    Ok(())
}

#[test]
fn a_patch_whose_lines_are_nowhere_stops_the_build_by_name() -> Result {
    let package = Package::new()?;
    let patch = "What: nothing\n\n--- a/lsm1.c\n+++ b/lsm1.c\n@@ -1 +1 @@\n-no such line\n+x\n";
    fs::write(package.path("src/lsm1/patches/99-lost.patch"), patch)?;
    assert_says(
        &package.complaint()?,
        &["patch 99-lost", "hunk 1", "occur 0 times", "Mend"],
    );
    Ok(())
}

#[test]
fn a_patch_whose_lines_are_in_many_places_stops_the_build_by_name() -> Result {
    let package = Package::new()?;
    let patch = "--- a/lsm1.c\n+++ b/lsm1.c\n@@ -1 +1 @@\n-  return rc;\n+  return 0;\n";
    fs::write(package.path("src/lsm1/patches/99-anywhere.patch"), patch)?;
    assert_says(&package.complaint()?, &["patch 99-anywhere", "not once"]);
    Ok(())
}

#[test]
fn a_patch_that_is_not_a_diff_stops_the_build_by_name() -> Result {
    let package = Package::new()?;
    fs::write(
        package.path("src/lsm1/patches/99-prose.patch"),
        "Only words.\n",
    )?;
    assert_says(
        &package.complaint()?,
        &["99-prose.patch", "not a unified diff"],
    );
    Ok(())
}

#[test]
fn an_unknown_name_to_leave_out_is_refused() -> Result {
    let message = Package::new()?
        .with("LSM1_LEAVE_OUT", "00-fdatasync, 99-none")
        .complaint()?;
    assert_says(
        &message,
        &["LSM1_LEAVE_OUT names \"99-none\"", "without `.patch`"],
    );
    Ok(())
}

#[test]
fn a_missing_compiler_says_what_to_install() -> Result {
    let message = Package::new()?.with("CC", "/nonexistent/cc").complaint()?;
    assert_says(&message, &["/nonexistent/cc", "install one", "variable CC"]);
    Ok(())
}
