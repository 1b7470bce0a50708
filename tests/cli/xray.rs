//! `xray`: the picture as letters, in colours, as SVG and as JSON.

use std::fs;
use std::path::Path;

use lsmlite_rs::LsmDb;
use serde_json::Value;

use crate::golden::{assert_golden, sample};
use crate::run::{Done, Place, Result, finish, program};

/// Several levels, a merge under way, free blocks, deletions and a table, always the same.
fn merging() -> Result<Place> {
    let place = Place::new();
    let builder = LsmDb::builder()
        .page_size_bytes(512)
        .block_size_kib(64)
        .autoflush_kib(64)
        .automerge_segments(4)
        .autowork(false);
    let mut db = builder.open(place.path("a.lsm"))?;
    for round in 0..10u32 {
        for n in 0..400u32 {
            let key = format!("{:05}", (n * 7919 + round * 31) % 10_000);
            db.insert(key, [b'.'; 90])?;
        }
        db.remove(format!("{:05}", round * 31))?;
        db.table("t")?.insert(round.to_string(), "row")?;
        db.flush()?;
        db.checkpoint()?;
        if round == 4 {
            db.compact()?;
        }
    }
    db.work(30)?;
    db.flush()?;
    db.checkpoint()?;
    db.insert("late", "in the log")?;
    // As a process leaves it that dies.
    for name in ["a.lsm", "a.lsm-log"] {
        fs::copy(
            place.path(name),
            place.path(&name.replace("a.", "merging.")),
        )?;
    }
    db.close()?;
    fs::remove_file(place.path("a.lsm"))?;
    Ok(place)
}

#[test]
fn letters_show_what_the_file_is_like() -> Result {
    let place = merging()?;
    let mut text = String::new();
    for command in [
        "xray merging.lsm",
        "xray merging.lsm --pages --width 60",
        "xray merging.lsm --width 132",
    ] {
        let done = place.run(command);
        assert!(done.text().is_ascii());
        text += &format!("$ lsmlite {command}\n{}\n", done.text());
    }
    assert!(text.contains("is merged from"), "{text}");
    assert_golden("xray.txt", &text);
    Ok(())
}

/// A run with this environment only.
fn with_terminal(place: &Place, arguments: &str, environment: &[(&str, &str)]) -> Done {
    let mut command = program();
    command
        .args(arguments.split(' '))
        .env_remove("COLORTERM")
        .env("TERM", "xterm");
    command.envs(environment.iter().copied());
    finish(command.current_dir(place.folder.path()), b"")
}

#[test]
fn colours_are_as_many_as_the_terminal_has() -> Result {
    let place = merging()?;
    let all = "xray merging.lsm --color always";
    let plain = with_terminal(&place, "xray merging.lsm", &[("COLORTERM", "truecolor")]);
    assert!(!plain.text().contains('\x1b'));
    let never = with_terminal(&place, "xray merging.lsm --color never", &[]);
    assert_eq!(never.text(), plain.text());
    for (environment, has, has_not) in [
        (&[("COLORTERM", "truecolor")][..], "48;2;", "48;5;"),
        (&[("TERM", "xterm-256color")], "48;5;", "48;2;"),
        (&[], "\x1b[0;97;44m", "48;"),
    ] {
        let done = with_terminal(&place, all, environment);
        let text = done.text();
        assert!(text.contains(has) && !text.contains(has_not), "{text:?}");
        // Each line ends in the colours of the terminal.
        for line in text.lines() {
            let last = line.rsplit_once('\x1b').map(|(_, end)| end);
            assert!(last.is_none_or(|end| end.starts_with("[0m")), "{line:?}");
        }
    }
    Ok(())
}

/// Without escape sequences.
fn stripped(text: &str) -> String {
    let mut parts = text.split('\x1b');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out += part.split_once('m').unwrap().1;
    }
    out
}

#[test]
fn many_blocks_are_drawn_in_half_blocks_that_fit_the_width() -> Result {
    let place = Place::new();
    let builder = LsmDb::builder().block_size_kib(64).page_size_bytes(4096);
    let mut db = builder.open(place.path("many.lsm"))?;
    db.ingest((0..20_000u32).map(|n| (n.to_be_bytes(), [b'x'; 6000])))?;
    db.close()?;
    let info = place.run("info many.lsm -f json");
    let info: Value = serde_json::from_str(info.text())?;
    assert!(info["layout"]["blocks"].as_u64() > Some(1500), "{info}");
    for width in [40, 80, 100, 200] {
        let arguments = format!("xray many.lsm --color always --width {width}");
        let done = with_terminal(&place, &arguments, &[]);
        let text = stripped(done.text());
        let map = text.split_once("a column is ").unwrap().1;
        let map = map.split_once("\n\n").unwrap().0;
        let lines: Vec<_> = map.lines().skip(1).collect();
        assert!((6..=24).contains(&lines.len()), "{text}");
        assert!(
            lines.iter().all(|line| line.chars().count() <= width),
            "{text}"
        );
    }
    let svg = place.run("xray many.lsm --format svg");
    assert!(svg.text().len() < 60 * 1024, "{}", svg.text().len());
    Ok(())
}

/// Checks that a text is XML of the simple kind that is written here; returns the names of its
/// elements.
#[track_caller]
fn well_formed(text: &str) -> Vec<String> {
    let mut open: Vec<&str> = Vec::new();
    let mut names = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('<') {
        well_escaped(before);
        assert!(!before.contains('>'), "{before}");
        // No attribute has a > in it, so that one ends the tag.
        let (tag, after) = after.split_once('>').expect("a tag ends");
        rest = after;
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name));
            continue;
        }
        let (tag, is_empty) = match tag.strip_suffix('/') {
            Some(tag) => (tag, true),
            None => (tag, false),
        };
        let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        assert!(name.chars().all(|c| c.is_ascii_lowercase()), "{name:?}");
        let parts: Vec<_> = attributes.split('"').collect();
        assert!(parts.len() % 2 == 1 && parts.last() == Some(&""), "{tag}");
        for pair in parts.chunks_exact(2) {
            let attribute = pair[0].trim().strip_suffix('=').expect(tag);
            let is_name = attribute
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '-');
            assert!(is_name && !attribute.starts_with("on"), "{tag}");
            well_escaped(pair[1]);
        }
        names.push(name.to_owned());
        if !is_empty {
            open.push(name);
        }
    }
    well_escaped(rest);
    assert!(open.is_empty(), "{open:?} are still open");
    names
}

#[track_caller]
fn well_escaped(text: &str) {
    for part in text.split('&').skip(1) {
        let (name, _) = part.split_once(';').expect("an entity ends");
        assert!(["amp", "lt", "gt", "quot", "#39"].contains(&name), "{name}");
    }
    let is_allowed = |c: char| {
        c == '\n' || (c >= ' ' && !matches!(c, '\u{7f}'..'\u{a0}' | '\u{fffe}' | '\u{ffff}'))
    };
    assert!(text.chars().all(is_allowed), "{text:?}");
}

#[test]
fn the_svg_is_well_formed_and_needs_nothing_else() -> Result {
    let place = merging()?;
    let done = place.run("xray merging.lsm --svg picture.svg");
    assert!(done.text().is_empty() && done.stderr.contains("picture.svg"));
    let svg = fs::read_to_string(place.path("picture.svg"))?;
    assert_eq!(place.run("xray merging.lsm --format svg").text(), svg);
    let names = well_formed(&svg);
    for name in &names {
        let known = [
            "svg", "title", "desc", "style", "defs", "pattern", "rect", "path", "text", "g",
        ];
        assert!(known.contains(&&name[..]), "{name}");
    }
    assert_eq!(names[..4], ["svg", "title", "desc", "style"]);
    // The only address in it is the name of the language.
    assert_eq!(svg.matches("://").count(), 1, "{svg}");
    assert!(svg.contains("prefers-color-scheme:dark"));
    place
        .run("xray merging.lsm --svg picture.svg")
        .fails(9, &["picture.svg"]);
    assert_eq!(fs::read_to_string(place.path("picture.svg"))?, svg);
    Ok(())
}

#[test]
fn no_key_and_no_name_breaks_the_pictures() -> Result {
    let nasty = [
        "</text></title><script>alert(1)</script>".as_bytes(),
        b"\0\x01\x1b[31m\x7f\xff\xfe'\"&amp;",
        "]]><!-- \u{202e}\u{fffe}\u{ffff}\u{85}\u{1f600}".as_bytes(),
        b"\xff\xfeLsmTb\x01\0\0\0\x07<&>",
        b"\\x00\\\\\\",
        b"",
    ];
    for (i, first) in nasty.iter().enumerate() {
        let place = Place::new();
        let name = "<&'\u{1b}\".lsm";
        let mut db = LsmDb::open(place.path(name))?;
        db.insert(first, "")?;
        db.insert(nasty[(i + 1) % nasty.len()], "")?;
        db.close()?;
        let run = |more: &[&str]| {
            let mut command = program();
            command.args(["xray", name]).args(more);
            finish(command.current_dir(place.folder.path()), b"")
        };
        let svg = run(&["--format", "svg"]);
        let names = well_formed(svg.text());
        assert!(!names.iter().any(|name| name == "script"));
        let text = run(&[]);
        let printable = |c: char| c == '\n' || !c.is_control();
        assert!(text.text().chars().all(printable), "{:?}", text.text());
        let json: Value = serde_json::from_str(run(&["--format", "json"]).text())?;
        let segment = &json["map"]["segments"][0];
        for (end, key) in [
            ("first_key", nasty[i].min(nasty[(i + 1) % nasty.len()])),
            ("last_key", nasty[i].max(nasty[(i + 1) % nasty.len()])),
        ] {
            match std::str::from_utf8(key) {
                Ok(key) => assert_eq!(segment[end], key),
                Err(_) => assert!(segment[end]["base64"].is_string(), "{segment}"),
            }
        }
    }
    Ok(())
}

#[test]
fn an_empty_database_has_a_picture() -> Result {
    let place = Place::new();
    fs::write(place.path("empty.lsm"), "")?;
    LsmDb::open(place.path("new.lsm"))?.close()?;
    for (name, words) in [
        ("empty.lsm", "nothing was written"),
        ("new.lsm", "0 blocks"),
    ] {
        let text = place.run(&format!("xray {name}"));
        assert!(text.text().contains(words), "{}", text.text());
        well_formed(place.run(&format!("xray {name} --format svg")).text());
        place.run(&format!("xray {name} --format json")).text();
    }
    Ok(())
}

/// Overwrites a part.
fn damaged(place: &Place, at: std::ops::Range<usize>) -> Result {
    let mut bytes = fs::read(place.path("merging.lsm"))?;
    bytes[at].fill(0xa5);
    Ok(fs::write(place.path("bad.lsm"), bytes)?)
}

#[test]
fn damage_is_3_and_the_rest_is_shown() -> Result {
    let place = merging()?;
    damaged(&place, 0..8192)?;
    place
        .run("xray bad.lsm")
        .fails(3, &["bad.lsm", "lsmlite salvage"]);
    // A run's link from its first block to its second.
    let info: Value = serde_json::from_str(place.run("info merging.lsm -f json").text())?;
    let segments = info["layout"]["levels"].as_array().into_iter().flatten();
    let mut segments = segments.flat_map(|level| level["segments"].as_array().unwrap());
    let long = segments.find(|segment| segment["blocks"].as_array().unwrap().len() > 1);
    let block = long.unwrap()["blocks"][0].as_u64().unwrap() as usize;
    damaged(&place, block * 65_536 - 4..block * 65_536)?;
    let done = place.run("xray bad.lsm");
    done.fails(3, &["bad.lsm", "lsmlite check bad.lsm", "lsmlite salvage"]);
    let text = String::from_utf8(done.stdout)?;
    assert!(text.contains(&format!("damaged: block {block} ")), "{text}");
    let svg = place.run("xray bad.lsm --quiet --svg bad.svg");
    svg.fails(3, &["bad.lsm"]);
    let svg = fs::read_to_string(place.path("bad.svg"))?;
    well_formed(&svg);
    assert!(svg.contains("Damaged in "), "{svg}");
    Ok(())
}

#[cfg(unix)]
#[test]
fn a_reader_that_went_away_is_141_and_a_folder_without_permission_6() -> Result {
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;

    let place = sample();
    let (ours, theirs) = UnixStream::pair()?;
    drop(ours);
    for format in ["text", "svg", "json"] {
        let mut command = program();
        command
            .args(["xray", "sample.lsm", "--format", format])
            .current_dir(place.folder.path());
        command.stdout(OwnedFd::from(theirs.try_clone()?));
        let output = command.stderr(std::process::Stdio::piped()).spawn()?;
        let output = output.wait_with_output()?;
        assert_eq!(output.status.code(), Some(141));
        assert!(output.stderr.is_empty());
    }
    let no_folder = place.run("xray sample.lsm --svg no/folder.svg");
    no_folder.fails(5, &["no/folder.svg"]);
    assert_eq!(place.files(), ["sample.lsm"]);
    Ok(())
}

#[test]
fn the_picture_in_the_readme_is_one_that_the_program_draws() -> Result {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md"))?;
    let (_, rest) = readme
        .split_once("](src/bin/lsmlite/commands/xray/")
        .unwrap();
    let name = rest.split_once(')').unwrap().0;
    let svg = fs::read_to_string(root.join("src/bin/lsmlite/commands/xray").join(name))?;
    well_formed(&svg);
    assert!(svg.len() < 60 * 1024);
    let place = sample();
    let now = place.run("xray sample.lsm --format svg");
    let style = |svg: &str| svg.split("style>").nth(1).map(str::to_owned);
    assert_eq!(
        style(&svg),
        style(now.text()),
        "draw {name} anew: see examples/levels.rs"
    );
    Ok(())
}
