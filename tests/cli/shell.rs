//! shell: as a script, and on a terminal.

use std::fs;
use std::io::{Read, Write};
use std::process::Stdio;

use crate::golden::sample;
use crate::run::{Place, Result, program};
#[cfg(target_os = "linux")]
use crate::terminal::Terminal;

#[test]
fn a_script_reads_and_writes_as_the_commands_do() -> Result {
    let place = Place::new();
    let script = r#"
# A comment, and an empty line before it.
put no/oslo 717710
put "no/my \"\" city" 'it''s small'
put \xff\x00 \n
.scan
format json
scan --prefix no/o
format
keys hex
get 6e6f2f6f736c6f ff00
keys text
values base64
scan --reverse --limit 1 --format csv
values text
use users
put 7 Anna
count
get 7
tables
use
count
del no/oslo
scan --keys-only --format text
checkpoint
flush
compact
stat --records
info --format json
"#
    .replace(r#"\"\""#, "\"\"");
    let done = place.feed("shell a.lsm --create", script.as_bytes());
    let (before, reports) = done.text().split_once("in all").unwrap();
    let expected = [
        "no/my \" city\tit's small",
        "no/oslo\t717710",
        "\\xff\\x00\t\\n",
        "{\"key\":\"no/oslo\",\"value\":\"717710\"}",
        "json",
        "{\"key\":\"6e6f2f6f736c6f\",\"value\":\"717710\"}",
        "{\"key\":\"ff00\",\"value\":\"\\n\"}",
        "key,value",
        "\\xff\\x00,Cg==",
        "1",
        "{\"key\":\"7\",\"value\":\"Anna\"}",
        "users",
        "3",
        "no/my \" city",
        "\\xff\\x00",
    ];
    // `stat` begins with the level.
    let lines: Vec<_> = before
        .lines()
        .filter(|line| !line.starts_with("level"))
        .collect();
    assert_eq!(lines, expected);
    assert!(
        reports.contains("table users") && reports.contains("\"codec\":\"none\""),
        "{reports}"
    );
    assert_eq!(place.run("scan a.lsm -t users").text(), "7\tAnna\n");
    assert_eq!(place.files(), ["a.lsm"]);
    Ok(())
}

#[test]
fn transactions_are_kept_or_taken_back_level_by_level() -> Result {
    let place = Place::new();
    let script = "put a 1\nbegin\nput b 2\ntables\nsavepoint\nuse t\nput c 3\ndel a\nuse\ndel a\n\
                  scan -k\nrollback\nscan -k\nsavepoint\nput d 4\ncommit\ncommit --sync\nscan -k\n\
                  begin\ndel --all\ncount\nrollback\ncount\ntables\n";
    let done = place.feed("shell a.lsm --create", script.as_bytes());
    assert_eq!(done.text(), "b\na\nb\na\nb\nd\n0\n3\n");
    assert_eq!(place.run("scan a.lsm --keys-only").text(), "a\nb\nd\n");
    Ok(())
}

#[test]
fn a_script_ends_at_the_first_failure_with_its_status_and_line() -> Result {
    let place = sample();
    for (script, status, words) in [
        (
            "count\nnonsense\ncount\n",
            2,
            "line 2: unrecognized subcommand 'nonsense'",
        ),
        ("\n\nput k\ncount", 2, "line 3: the following required"),
        ("get 'a b", 2, "line 1: a quote, ', isn't closed"),
        ("get \\q", 2, "line 1: "),
        ("get xyz -e hex", 2, "line 1: "),
        (
            "commit",
            2,
            "line 1: no transaction is open; begin opens one",
        ),
        (
            "begin\nbegin",
            2,
            "line 2: a transaction is open already; savepoint",
        ),
        (
            "begin\nput k v\nstat",
            2,
            "line 3: this can't be done in a transaction",
        ),
        (
            "begin\nput k v",
            10,
            "which was rolled back; end it with commit",
        ),
        ("begin\nput k v\nquit\nput k v", 10, "which was rolled back"),
        ("put k --from nowhere", 5, "line 1: can't read nowhere"),
        ("put \u{e9} \\xe9\nget \\xff\\x00 -e json", 2, "line 2: "),
    ] {
        place
            .feed("shell sample.lsm", script.as_bytes())
            .fails(status, &[words]);
        assert_eq!(place.run("get sample.lsm k").status, 1, "{script}");
    }
    place
        .feed("shell sample.lsm", b"count\nget \xff\n")
        .fails(2, &["line 2: the line isn't UTF-8"]);
    let read_only = place.feed("shell sample.lsm --read-only", b"count\nput k v\n");
    read_only.fails(6, &["line 2: ", "read-only"]);
    assert_eq!(read_only.stdout, b"303\n");
    assert_eq!(place.run("shell sample.lsm --read-only --create").status, 2);
    assert_eq!(place.files(), ["sample.lsm"]);
    Ok(())
}

#[test]
fn a_key_that_is_not_there_is_1_in_the_end() -> Result {
    let place = sample();
    let done = place.feed(
        "shell sample.lsm",
        b"get nowhere\nget no/0001\nquit\nput k v\n",
    );
    assert_eq!((done.status, &done.stdout[..]), (1, &b"x\n"[..]));
    assert!(
        done.stderr.contains("no record with the key nowhere"),
        "{}",
        done.stderr
    );
    assert_eq!(place.run("get sample.lsm k").status, 1);
    Ok(())
}

#[test]
fn help_says_what_a_line_may_be() -> Result {
    let place = sample();
    let help = place.feed("shell sample.lsm", b"help\n");
    for command in ["get ", "savepoint ", "checkpoint ", "values ", "quit "] {
        assert!(
            help.text().contains(&format!("\n  {command}")) || command == "get ",
            "{command}"
        );
    }
    let scan = place.feed("shell sample.lsm", b"help scan\n.help scan\n");
    assert_eq!(scan.text().matches("--prefix <KEY>").count(), 2);
    Ok(())
}

#[test]
fn a_reader_of_a_script_that_goes_away_is_141() -> Result {
    let place = sample();
    let mut command = program();
    command
        .args(["shell", "sample.lsm"])
        .current_dir(place.folder.path());
    let command = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"scan\n")?;
    child.stdout.take().unwrap().read_exact(&mut [0; 10])?;
    stdin.write_all(b"scan\nput k v\n")?;
    drop(stdin);
    let output = child.wait_with_output()?;
    assert_eq!(output.status.code(), Some(141));
    assert_eq!(String::from_utf8(output.stderr)?, "");
    assert_eq!(place.run("get sample.lsm k").status, 1);
    Ok(())
}

#[cfg(target_os = "linux")]
#[test]
fn on_a_terminal_it_completes_remembers_and_takes_back() -> Result {
    let place = sample();
    let mut terminal = Terminal::run(&place, "shell sample.lsm", 80)?;
    terminal.expect("sample> ");
    terminal.press("sc\t --pre\t no/02");
    terminal.expect("scan --prefix");
    terminal.expect("no/02");
    terminal.press("9\t\t");
    terminal.expect("no/0290");
    terminal.expect("no/0299");
    terminal.press("\r");
    terminal.expect("no/0290\t");
    terminal.expect("no/0299\t");
    terminal.expect("sample> ");
    terminal.press("use us\t\r");
    terminal.expect("sample/users> ");
    terminal.press("get \t\r");
    terminal.expect("Anna");
    terminal.expect("sample/users> ");
    terminal.press("nonsense\r");
    terminal.expect("unrecognized subcommand");
    terminal.expect("sample/users> ");
    terminal.press("put 8 half a line\x03");
    terminal.expect("sample/users> ");
    terminal.press(" put 8 secret\r");
    terminal.expect("sample/users> ");
    terminal.press("begin\r");
    terminal.expect("sample/users*> ");
    terminal.press("put 9 Nina\r");
    terminal.expect("sample/users*> ");
    // What the transaction has written is completed, too.
    terminal.press("get 9\t\r");
    terminal.expect("Nina");
    terminal.expect("sample/users*> ");
    terminal.press("\x04");
    terminal.expect("the open transaction is rolled back");
    let (status, screen) = terminal.end();
    assert_eq!(status, 0, "{screen}");
    assert_eq!(
        place.run("scan sample.lsm -t users").text(),
        "7\tAnna\n8\tsecret\n"
    );

    let history = place.path("state").join("lsmlite").join("history");
    let text = fs::read_to_string(&history)?;
    let lines: Vec<_> = text.lines().skip(1).collect();
    let expected = [
        "scan --prefix no/029",
        "use users",
        "get 7",
        "nonsense",
        "begin",
        "put 9 Nina",
        "get 9",
    ];
    assert_eq!(lines, expected);
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&history)?.permissions());
    assert_eq!(mode & 0o077, 0, "others may read the history");

    // The next session goes on with it, and one without a history doesn't.
    let mut terminal = Terminal::run(&place, "shell sample.lsm --read-only", 80)?;
    terminal.expect("sample> ");
    terminal.press("\x1b[A\x1b[A\x1b[A\x1b[A\x1b[A\x1b[A\r");
    terminal.expect("use users");
    terminal.expect("sample/users> ");
    terminal.press("quit\r");
    assert_eq!(terminal.end().0, 0);
    let mut terminal = Terminal::run(&place, "shell sample.lsm --no-history", 80)?;
    terminal.expect("sample> ");
    terminal.press("\x1b[Acount\r");
    terminal.expect("302");
    terminal.expect("sample> ");
    terminal.press("\x04");
    assert_eq!(terminal.end().0, 0);
    assert!(!fs::read_to_string(&history)?.contains("count"));
    Ok(())
}

#[cfg(target_os = "linux")]
#[test]
fn ctrl_c_ends_a_scan_and_not_the_session() -> Result {
    let place = Place::new();
    let mut lines = String::new();
    for i in 0..200_000 {
        lines += &format!("{{\"key\":\"{i:08}\",\"value\":\"{}\"}}\n", "x".repeat(50));
    }
    place.feed("load large.lsm", lines.as_bytes()).text();
    let mut terminal = Terminal::run(&place, "shell large.lsm", 80)?;
    terminal.expect("large> ");
    terminal.press("begin\r");
    terminal.expect("large*> ");
    terminal.press("scan\r");
    terminal.expect("00000001");
    terminal.press("\x03");
    terminal.expect("lsmlite: interrupted");
    terminal.expect("large*> ");
    assert!(
        !terminal.screen().contains("00199999"),
        "it went on to the end"
    );
    // The transaction is still the same.
    terminal.press("put k v\r");
    terminal.expect("large*> ");
    terminal.press("commit\r");
    terminal.expect("large> ");
    terminal.press("count\r");
    terminal.expect("200001");
    terminal.expect("large> ");
    // A signal to end does end it, and closes the database.
    terminal.signal("-TERM")?;
    terminal.expect("lsmlite: terminated");
    assert_eq!(terminal.end().0, 143);
    assert_eq!(place.files(), ["large.lsm", "state"]);
    Ok(())
}
