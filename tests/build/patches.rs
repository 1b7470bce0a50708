//! The patches as a set: each is well formed, listed, and can be left out.

use super::build_script::locate::Source;
use super::build_script::patches::{PatchSet, place};
use super::script::{Result, ours, source};
use std::env;
use std::fs;

fn ours_and_text() -> Result<(PatchSet, Source, Vec<String>)> {
    let folder = ours().join("src/lsm1/patches");
    let set = PatchSet::read(&folder)?;
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder)? {
        let name = entry?
            .file_name()
            .into_string()
            .map_err(|_| "a name that is not text")?;
        names.push(
            name.strip_suffix(".patch")
                .ok_or(format!("{name} is no patch"))?
                .to_owned(),
        );
    }
    names.sort_by(|a, b| place(a).cmp(&place(b)));
    Ok((set, source()?, names))
}

#[test]
fn every_patch_can_be_left_out_with_those_that_require_it() -> Result {
    let (set, source, names) = ours_and_text()?;
    let whole = set.apply(copy(&source), "")?;
    for name in names {
        let text = set.apply(copy(&source), &name)?;
        assert_ne!(text, whole, "{name} changes nothing");
    }
    Ok(())
}

#[test]
fn all_patches_can_be_left_out_at_once() -> Result {
    let (set, source, names) = ours_and_text()?;
    assert_eq!(set.apply(copy(&source), &names.join(","))?, source.text);
    Ok(())
}

#[test]
fn leaving_one_out_takes_those_that_build_on_it_along() -> Result {
    let folder = tempfile::tempdir()?;
    let patch = |name: &str, header: &str, from: &str, to: &str| {
        let diff = format!("{header}\n\n--- a/lsm1.c\n+++ b/lsm1.c\n@@ -1 +1 @@\n-{from}\n+{to}\n");
        fs::write(folder.path().join(format!("{name}.patch")), diff)
    };
    patch("1-first", "What: a", "one", "two")?;
    patch("2-second", "Requires: 1-first", "two", "three")?;
    patch(
        "3-third",
        "What: b\nRequires: 0-other, 2-second",
        "three",
        "four",
    )?;
    patch("4-apart", "What: c", "alpha", "beta")?;
    let set = PatchSet::read(folder.path())?;
    let text = |left_out: &str| set.apply(copy(&with_text("one\nalpha\n")?), left_out);
    fn with_text(text: &str) -> std::result::Result<Source, String> {
        let edition = super::build_script::checksum::Edition::Carrier;
        Ok(Source {
            text: text.to_owned(),
            edition,
        })
    }
    assert_eq!(text("")?, "four\nbeta\n");
    assert_eq!(text("1-first")?, "one\nbeta\n");
    assert_eq!(text("2-second")?, "two\nbeta\n");
    assert_eq!(text(" 4-apart , 3-third")?, "three\nalpha\n");
    Ok(())
}

#[test]
fn required_patches_exist_and_come_earlier() -> Result {
    let (_, _, names) = ours_and_text()?;
    for name in &names {
        let text = fs::read_to_string(ours().join(format!("src/lsm1/patches/{name}.patch")))?;
        let header = text.lines().take_while(|line| !line.starts_with("--- "));
        for list in header.filter_map(|line| line.strip_prefix("Requires:")) {
            for required in list.split(',').map(str::trim) {
                assert!(
                    names.iter().any(|other| other == required),
                    "{name}: {required}?"
                );
                assert!(
                    place(required) < place(name),
                    "{name} requires the later {required}"
                );
            }
        }
    }
    Ok(())
}

#[test]
fn hunk_headers_count_their_lines() -> Result {
    let (_, _, names) = ours_and_text()?;
    for name in names {
        let text = fs::read_to_string(ours().join(format!("src/lsm1/patches/{name}.patch")))?;
        for hunk in text.split("\n@@ -").skip(1) {
            let (header, lines) = hunk.split_once('\n').unwrap_or((hunk, ""));
            let count = |sign: char| {
                lines
                    .lines()
                    .filter(|line| line.starts_with([' ', sign]))
                    .count()
            };
            let ranges = header.split(" @@").next().unwrap_or_default();
            let counted = |range: &str| {
                range
                    .split_once(',')
                    .map_or(Ok(1), |(_, count)| count.parse::<usize>())
            };
            let (old, new) = ranges.split_once(" +").ok_or(format!("{name}: {header}"))?;
            assert_eq!(
                (counted(old)?, counted(new)?),
                (count('-'), count('+')),
                "{name}: {header}"
            );
        }
    }
    Ok(())
}

/// The rows of the README's table are the headers' `What:`, so that they can't drift apart.
#[test]
fn the_readme_lists_every_patch() -> Result {
    const BEGIN: &str = "<!-- patches: begin -->\n";
    const END: &str = "<!-- patches: end -->";
    let (_, _, names) = ours_and_text()?;
    let mut table = String::from("| patch | without it |\n|---|---|\n");
    for name in names {
        let text = fs::read_to_string(ours().join(format!("src/lsm1/patches/{name}.patch")))?;
        let what = field(&text, "What:").ok_or(format!("{name} has no line What:"))?;
        let what = what.replace('|', "\\|");
        table.push_str(&format!("| `{name}` | {what} |\n"));
    }

    let path = ours().join("src/lsm1/README.md");
    let readme = fs::read_to_string(&path)?;
    let (before, rest) = readme
        .split_once(BEGIN)
        .ok_or("no mark where the table begins")?;
    let (_, after) = rest.split_once(END).ok_or("no mark where the table ends")?;
    let expected = format!("{before}{BEGIN}{table}{END}{after}");
    if env::var_os("LSMLITE_WRITE_README").is_some() {
        fs::write(path, expected)?;
    } else {
        assert!(
            readme == expected,
            "src/lsm1/README.md lists other patches than there are; bring it up to date with \
             `LSMLITE_WRITE_README=1 cargo test --test build readme`"
        );
    }
    Ok(())
}

/// A field of a patch's header, its indented lines joined.
fn field(text: &str, name: &str) -> Option<String> {
    let mut lines = text.lines().skip_while(|line| !line.starts_with(name));
    let first = lines.next()?;
    let mut joined = first[name.len()..].trim().to_owned();
    for line in lines.take_while(|line| line.starts_with("  ")) {
        if !joined.ends_with('-') {
            joined.push(' ');
        }
        joined.push_str(line.trim());
    }
    Some(joined)
}

fn copy(source: &Source) -> Source {
    Source {
        text: source.text.clone(),
        edition: source.edition,
    }
}
