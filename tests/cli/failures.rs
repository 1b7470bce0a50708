//! What goes wrong: each failure has its status, a sentence that says what to do, and leaves
//! nothing half-written.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use lsmlite_rs::LsmDb;
use lsmlite_rs::compression::{CodecError, PageCodec};

use crate::golden::sample;
#[cfg(unix)]
use crate::run::signal;
use crate::run::{Place, Result, finish, program};

/// Commands that read a database, and one that only writes.
const READING: [&str; 15] = [
    "get F k",
    "shell F",
    "top F --once",
    "scan F",
    "count F",
    "tables F",
    "dump F",
    "info F",
    "xray F",
    "stat F",
    "check F",
    "compact F",
    "checkpoint F",
    "backup F to.lsm",
    "recompress F",
];

fn all_of(file: &str) -> Vec<String> {
    let more = ["del F k", "salvage F to.lsm", "restore F to.lsm"];
    let commands = READING.iter().chain(&more);
    commands.map(|command| command.replace('F', file)).collect()
}

#[test]
fn a_missing_file_is_5_and_stays_missing() -> Result {
    let place = Place::new();
    for command in all_of("no.lsm") {
        place
            .run(&command)
            .fails(5, &["no.lsm", "No such file", "check the path"]);
    }
    place.run("load new.lsm no.dump").fails(5, &["no.dump"]);
    place.run("put no/folder.lsm k v").fails(5, &["no"]);
    assert_eq!(place.files(), [""; 0]);
    Ok(())
}

#[test]
fn what_is_no_database_is_4_and_stays_as_it_is() -> Result {
    let place = Place::new();
    let notes = "milk, bread\n".repeat(5000);
    for (name, content) in [("notes.txt", notes.as_bytes()), ("short", b"x")] {
        fs::write(place.path(name), content)?;
        let writing = ["put F k v", "load F"].map(|command| command.replace('F', name));
        for command in all_of(name).iter().chain(&writing) {
            let done = place.feed(command, b"{\"key\":\"k\",\"value\":\"v\"}\n");
            done.fails(4, &[name, "isn't a database"]);
        }
        assert_eq!(fs::read(place.path(name))?, content);
    }
    fs::create_dir(place.path("folder"))?;
    for command in all_of("folder") {
        place.run(&command).fails(4, &["folder"]);
    }
    fs::write(place.path("no.dump"), "PK\x03\x04")?;
    place.run("load new.lsm no.dump").fails(4, &["no dump"]);
    assert_eq!(place.files(), ["folder", "no.dump", "notes.txt", "short"]);
    Ok(())
}

#[test]
fn a_damaged_database_is_3_with_the_way_out() -> Result {
    let place = sample();
    let mut bytes = fs::read(place.path("sample.lsm"))?;
    // A page of the run, but not its first one.
    let page = 12 * 1024;
    bytes[page..page + 1024].fill(0xa5);
    fs::write(place.path("bad.lsm"), &bytes)?;
    for command in [
        "scan bad.lsm",
        "dump bad.lsm",
        "backup bad.lsm to.lsm",
        "recompress bad.lsm",
    ] {
        place.run(command).fails(3, &["bad.lsm", "lsmlite salvage"]);
    }
    let check = place.run("check bad.lsm");
    assert_eq!(check.status, 3);
    assert!(
        String::from_utf8(check.stdout)?.contains("page 13"),
        "{}",
        check.stderr
    );
    assert_eq!(fs::read(place.path("bad.lsm"))?, bytes);
    assert_eq!(place.files(), ["bad.lsm", "sample.lsm"]);

    let salvage = place.run("salvage bad.lsm rescued.lsm");
    assert_eq!(salvage.status, 3, "{}", salvage.stderr);
    let count: u64 = place.run("count rescued.lsm").text().trim().parse()?;
    assert!((200..302).contains(&count), "{count}");
    place.run("check rescued.lsm").text();
    Ok(())
}

/// A codec that the command doesn't know.
struct Turned;

impl PageCodec for Turned {
    fn id(&self) -> u32 {
        20_007
    }

    fn bound(&self, plain_len: usize) -> usize {
        plain_len
    }

    fn compress(&self, plain: &[u8], out: &mut [u8]) -> std::result::Result<usize, CodecError> {
        for (to, from) in out.iter_mut().zip(plain) {
            *to = !from;
        }
        Ok(plain.len())
    }

    fn decompress(&self, packed: &[u8], out: &mut [u8]) -> std::result::Result<usize, CodecError> {
        self.compress(packed, out)
    }
}

#[test]
fn an_unknown_codec_is_8() -> Result {
    let place = Place::new();
    let mut db = LsmDb::builder()
        .codec(Arc::new(Turned))
        .open(place.path("own.lsm"))?;
    db.insert("key", "value")?;
    db.close()?;
    for command in [
        "get own.lsm key",
        "scan own.lsm",
        "check own.lsm",
        "dump own.lsm",
        "recompress own.lsm",
    ] {
        place.run(command).fails(8, &["own.lsm", "codec"]);
    }
    assert!(
        place
            .run("info own.lsm")
            .text()
            .contains("unknown, its id is 20007")
    );
    // What is where in the file can be seen without reading a page.
    assert_eq!(place.run("xray own.lsm").status, 0);
    assert_eq!(place.files(), ["own.lsm"]);
    Ok(())
}

#[test]
fn what_exists_already_is_9_and_stays() -> Result {
    let place = sample();
    fs::write(place.path("there"), "mine")?;
    for command in [
        "backup sample.lsm there",
        "restore sample.lsm there",
        "salvage sample.lsm there",
        "dump sample.lsm --output there",
        "recompress sample.lsm --output there",
    ] {
        place.run(command).fails(9, &["there exists already"]);
    }
    assert_eq!(fs::read(place.path("there"))?, b"mine");
    assert_eq!(place.files(), ["sample.lsm", "there"]);
    Ok(())
}

#[test]
fn wrong_usage_is_2() -> Result {
    let place = sample();
    for command in [
        "",
        "nonsense",
        "get",
        "get sample.lsm",
        "get sample.lsm a b --raw",
        "get sample.lsm \\q",
        "get sample.lsm xyz -e hex",
        "put sample.lsm k",
        "put sample.lsm k v --from x",
        "del sample.lsm",
        "del sample.lsm k --prefix p",
        "del sample.lsm --all --prefix p",
        "scan sample.lsm --prefix a --start b",
        "scan sample.lsm --limit -1",
        "scan sample.lsm --format xml",
        "recompress sample.lsm --compression bzip2",
        "dump sample.lsm --resume",
        "dump sample.lsm --format json --output x.json --resume",
        "load new.lsm --value v",
    ] {
        assert_eq!(place.run(command).status, 2, "{command}");
    }
    assert_eq!(place.files(), ["sample.lsm"]);
    Ok(())
}

/// A process that has the database open until it is killed.
struct Holder(Child);

impl Holder {
    fn new(place: &Place, more: &[&str]) -> Result<Holder> {
        let mut command = program();
        command
            // A command that reads may be in the way.
            .args(["load", "sample.lsm", "--wait", "30"])
            .args(more)
            .current_dir(place.folder.path());
        command.stdin(Stdio::piped()).stderr(Stdio::piped());
        let mut holder = Holder(command.spawn()?);
        // Opens the database with the first byte, and waits for more.
        holder.0.stdin.as_mut().unwrap().write_all(b"{")?;
        Ok(holder)
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_database_of_another_process_is_7_until_it_lets_go() -> Result {
    let place = sample();
    let holder = Holder::new(&place, &[])?;
    let busy = || loop {
        let done = place.run("get sample.lsm no/0001");
        if done.status != 0 {
            return done;
        }
    };
    busy().fails(7, &["another process has sample.lsm", "--wait"]);
    for command in [
        "put sample.lsm k v",
        "stat sample.lsm",
        "compact sample.lsm",
        "recompress sample.lsm",
        "shell sample.lsm",
    ] {
        place
            .run(command)
            .fails(7, &["another process has sample.lsm"]);
    }
    place
        .run("get sample.lsm no/0001 --wait 0.2")
        .fails(7, &["--wait"]);
    let release = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        drop(holder);
    });
    assert_eq!(place.run("get sample.lsm no/0001 --wait 30").text(), "x\n");
    release.join().unwrap();
    Ok(())
}

#[cfg(unix)]
#[test]
fn processes_that_share_a_database_see_each_other() -> Result {
    let place = sample();
    let _holder = Holder::new(&place, &["--multi-process"])?;
    while !place.files().iter().any(|name| name.ends_with("-shm")) {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(place.run("get sample.lsm no/0001 --wait 10").text(), "x\n");
    assert_eq!(
        place
            .run("put sample.lsm k v --multi-process --wait 10")
            .text(),
        ""
    );
    assert_eq!(place.run("get sample.lsm k --wait 10").text(), "v\n");
    Ok(())
}

#[cfg(unix)]
#[test]
fn what_the_system_forbids_is_6() -> Result {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;

    let place = sample();
    let set =
        |name: &str, mode| fs::set_permissions(place.path(name), fs::Permissions::from_mode(mode));
    // Root may do everything: then the program runs as nobody.
    let is_root =
        fs::metadata("/proc/self").is_ok_and(|me| std::os::unix::fs::MetadataExt::uid(&me) == 0);
    fs::copy(env!("CARGO_BIN_EXE_lsmlite"), place.path("program"))?;
    set("program", 0o755)?;
    set("", 0o755)?;
    let run = |arguments: &str| {
        let mut command = Command::new(place.path("program"));
        command
            .args(arguments.split(' '))
            .current_dir(place.folder.path());
        if is_root {
            command.uid(65_534).gid(65_534);
        }
        finish(&mut command, b"")
    };
    set("sample.lsm", 0o600)?;
    if !is_root {
        set("sample.lsm", 0)?;
    }
    for command in [
        "get sample.lsm no/0001",
        "check sample.lsm",
        "info sample.lsm",
        "shell sample.lsm",
        "top sample.lsm --once",
        "xray sample.lsm",
    ] {
        run(command).fails(6, &["sample.lsm", "Permission denied", "permissions"]);
    }
    set("sample.lsm", 0o444)?;
    set("", 0o555)?;
    // To read, permission to read is enough.
    assert_eq!(run("get sample.lsm no/0001").text(), "x\n");
    assert_eq!(run("check sample.lsm").status, 0);
    for command in [
        "put sample.lsm k v",
        "put new.lsm k v",
        "backup sample.lsm to.lsm",
        "dump sample.lsm --output d",
        "bench --records 9 --seconds 0.1",
        "xray sample.lsm --svg s.svg",
    ] {
        run(command).fails(6, &["permi"]);
    }
    set("", 0o755)?;
    assert_eq!(place.files(), ["program", "sample.lsm"]);
    Ok(())
}

#[test]
fn a_reader_that_goes_away_is_141_and_nothing_to_talk_about() -> Result {
    let place = sample();
    let mut lines = String::new();
    for i in 0..20_000 {
        lines += &format!("{{\"key\":\"{i:08}\",\"value\":\"{}\"}}\n", "x".repeat(50));
    }
    place.feed("load large.lsm", lines.as_bytes()).text();
    for (command, message) in [("scan large.lsm", ""), ("dump large.lsm", "isn't whole")] {
        let mut child = program();
        child
            .args(command.split(' '))
            .current_dir(place.folder.path());
        let mut child = child
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        child.stdout.take().unwrap().read_exact(&mut [0; 10])?;
        let output = child.wait_with_output()?;
        let stderr = String::from_utf8(output.stderr)?;
        assert_eq!(output.status.code(), Some(141), "{stderr}");
        assert_eq!(stderr.is_empty(), message.is_empty(), "{stderr}");
        assert!(stderr.contains(message), "{stderr}");
    }
    Ok(())
}

#[cfg(unix)]
#[test]
fn an_interrupted_load_says_what_is_there_and_goes_on() -> Result {
    let place = Place::new();
    let line = |i: u32| format!("{{\"key\":\"{i:08}\",\"value\":\"v{i}\"}}\n");
    let mut command = program();
    command
        .args(["load", "a.lsm"])
        .current_dir(place.folder.path());
    let mut child = command
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut stdin = child.stdin.take().unwrap();
    for i in 0..30_000 {
        stdin.write_all(line(i).as_bytes())?;
    }
    std::thread::sleep(Duration::from_millis(500));
    signal(&child, "-INT")?;
    // It doesn't wait for more input.
    let output = child.wait_with_output()?;
    drop(stdin);
    let stderr = String::from_utf8(output.stderr)?;
    assert_eq!(output.status.code(), Some(130), "{stderr}");
    assert!(stderr.contains("--resume"), "{stderr}");
    let count: u32 = place.run("count a.lsm").text().trim().parse()?;
    assert!((1..=30_000).contains(&count), "{count}");

    let all: String = (0..40_000).map(line).collect();
    let resumed = place.feed("load a.lsm --resume", all.as_bytes());
    assert_eq!(resumed.text(), "");
    assert!(
        resumed.stderr.contains("were there already"),
        "{}",
        resumed.stderr
    );
    assert_eq!(place.run("count a.lsm").text(), "40000\n");
    assert_eq!(place.run("get a.lsm 00029999").text(), "v29999\n");
    Ok(())
}

#[cfg(unix)]
#[test]
fn an_interrupted_command_leaves_the_old_file_and_no_drafts() -> Result {
    let place = Place::new();
    let mut lines = String::new();
    for i in 0..60_000 {
        lines += &format!("{{\"key\":\"{i:08}\",\"value\":\"{}\"}}\n", "x".repeat(100));
    }
    place.feed("load large.lsm", lines.as_bytes()).text();
    let before = fs::read(place.path("large.lsm"))?;
    let mut interrupted = 0;
    for command in [
        "backup large.lsm to.lsm",
        "recompress large.lsm --compression zstd:19",
        "salvage large.lsm to.lsm",
        "restore large.lsm to.lsm",
        "dump large.lsm --format json --output to.json",
    ] {
        for (pause_ms, name, status) in [(10, "-INT", 130), (40, "-TERM", 143)] {
            let mut child = program();
            child
                .args(command.split(' '))
                .current_dir(place.folder.path());
            let child = child.stdin(Stdio::null()).stderr(Stdio::piped()).spawn()?;
            std::thread::sleep(Duration::from_millis(pause_ms));
            let _ = signal(&child, name);
            let output = child.wait_with_output()?;
            let stderr = String::from_utf8(output.stderr)?;
            match output.status.code() {
                // It was faster.
                Some(0) => {}
                // Or the signal was, and came before anybody listened.
                None => {}
                code => {
                    assert_eq!(code, Some(status), "{command}: {stderr}");
                    assert!(fs::read(place.path("large.lsm"))? == before, "{command}");
                    // The signal may come when the new file is there, whole, and before the end.
                    if place.path("to.lsm").exists() {
                        assert_eq!(place.run("count to.lsm").text(), "60000\n", "{command}");
                        fs::remove_file(place.path("to.lsm"))?;
                    }
                    assert_eq!(place.files(), ["large.lsm"], "{command}");
                    interrupted += 1;
                }
            }
            for name in place.files() {
                if name != "large.lsm" {
                    fs::remove_file(place.path(&name))?;
                }
            }
            fs::write(place.path("large.lsm"), &before)?;
        }
    }
    assert!(interrupted >= 3, "only {interrupted} were interrupted");
    Ok(())
}

#[test]
fn colours_are_for_terminals_unless_they_are_asked_for() -> Result {
    let place = sample();
    let is_coloured = |arguments: &str| place.run(arguments).stdout.contains(&0x1b);
    assert!(!is_coloured("check sample.lsm"));
    assert!(is_coloured("check sample.lsm --color always"));
    assert!(!is_coloured("check sample.lsm --color never"));
    assert_eq!(place.run("check sample.lsm --quiet").stdout, b"");
    Ok(())
}

/// What a terminal sees, by `script`, where that is installed.
#[cfg(target_os = "linux")]
#[test]
fn no_color_is_respected_on_a_terminal() -> Result {
    let place = sample();
    let on_terminal = |no_color: Option<&str>| {
        let call = format!("{} check sample.lsm", env!("CARGO_BIN_EXE_lsmlite"));
        let mut script = Command::new("script");
        script
            .args(["-qec", &call, "/dev/null"])
            .current_dir(place.folder.path());
        script
            .env("TERM", "xterm")
            .env_remove("NO_COLOR")
            .stdin(Stdio::null());
        if let Some(value) = no_color {
            script.env("NO_COLOR", value);
        }
        let mut child = script.stdout(Stdio::piped()).spawn().ok()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take()?)
            .read_line(&mut line)
            .ok()?;
        child.wait().ok()?;
        Some(line)
    };
    let Some(plain) = on_terminal(Some("1")) else {
        eprintln!("not shown: there is no `script` here");
        return Ok(());
    };
    assert!(
        plain.contains("healthy") && !plain.contains('\x1b'),
        "{plain:?}"
    );
    let coloured = on_terminal(None).unwrap_or_default();
    assert!(coloured.contains("\x1b[32mhealthy"), "{coloured:?}");
    assert!(on_terminal(Some("")).unwrap_or_default().contains('\x1b'));
    Ok(())
}
