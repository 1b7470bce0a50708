//! The text of lsm1 in each form in which it may come gives the same library.

use super::build_script::amalgamate;
use super::script::{Package, Result, carrier_text};
use std::fs;
use std::path::Path;

/// SQLite's amalgamation: the carrier's without its one deviation.
fn upstream_text() -> Result<String> {
    let text = carrier_text()?;
    Ok(text.replace(
        "if( prc==0 ) prc = fsync(p->fd);",
        "if( prc==0 ) prc = fdatasync(p->fd);",
    ))
}

/// Takes the amalgamation apart into the separate files that it was made of.
fn separate_files(text: &str, folder: &Path) -> Result {
    fs::create_dir(folder)?;
    let text = text.trim_end().trim_end_matches(|end| end != '\n');
    for section in text.split("#line 1 \"").skip(1) {
        let (name, body) = section
            .split_once("\"\n")
            .ok_or("a section without a name")?;
        let mut lines = Vec::new();
        for line in body.split('\n') {
            let plain = match line.strip_prefix("static ") {
                Some(rest) if is_internal_function(rest) => rest,
                _ => line,
            };
            let included = plain
                .strip_prefix("/* ")
                .and_then(|rest| rest.strip_suffix(" */"))
                .filter(|rest| rest.starts_with('#') && rest.contains("include \"lsm"));
            lines.push(included.unwrap_or(plain));
        }
        let joined = lines.join("\n");
        // The amalgamation ends each file with one more line break, the last with three.
        let extra = if name == "lsm_win32.c" {
            "\n\n    \n"
        } else {
            "\n"
        };
        let file = joined
            .strip_suffix(extra)
            .ok_or(format!("{name} ends otherwise"))?;
        fs::write(folder.join(name), file)?;
    }
    Ok(())
}

/// Joining makes these static, so where one was static already doesn't matter.
fn is_internal_function(line: &str) -> bool {
    let (kind, name) = line.split_once(' ').unwrap_or_default();
    let name = name.trim_start_matches('*').strip_prefix("lsm");
    !kind.contains('_')
        && name.is_some_and(|name| name.starts_with(|first: char| first.is_ascii_uppercase()))
}

#[test]
fn separate_files_join_into_sqlites_own_amalgamation() -> Result {
    let package = Package::new()?;
    let folder = package.path("ext");
    separate_files(&upstream_text()?, &folder)?;
    assert!(fs::read_to_string(folder.join("lsm_main.c"))?.contains("\n#include \"lsmInt.h\"\n"));
    assert!(fs::read_to_string(folder.join("lsm_str.c"))?.contains("\nvoid lsmStringClear("));
    assert!(
        amalgamate::join(&folder)? == upstream_text()?,
        "the joined text differs"
    );
    Ok(())
}

#[test]
fn every_form_of_the_source_gives_the_same_text() -> Result {
    let carrier = Package::new()?;
    assert!(carrier.build()?.succeeded);
    let expected = fs::read_to_string(carrier.path("out/lsm1.c"))?;

    let folder = carrier.path("ext");
    separate_files(&upstream_text()?, &folder)?;
    let file = carrier.path("upstream.c");
    fs::write(&file, upstream_text()?)?;
    for form in [folder, file] {
        let package = Package::new()?.with("LSM1_SOURCE", &form);
        let outcome = package.build()?;
        assert!(outcome.succeeded, "{}: {}", form.display(), outcome.message);
        let text = fs::read_to_string(package.path("out/lsm1.c"))?;
        assert!(text == expected, "{} gives another text", form.display());
    }
    Ok(())
}
