//! top: what it shows of a real writer, and what it does when there is none.

use std::fs;
use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;

use crate::golden::sample;
use crate::run::{Place, Result, program, signal, wait_for};
#[cfg(target_os = "linux")]
use crate::terminal::Terminal;

/// A process that writes, as often as it is told to.
struct Writer(Child);

impl Writer {
    fn start(place: &Place, more: &[&str]) -> Result<Writer> {
        let mut command = program();
        command
            .args(["shell", "a.lsm", "--create", "--wait", "30"])
            .args(more);
        command.current_dir(place.folder.path());
        Ok(Writer(
            command
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .spawn()?,
        ))
    }

    fn write(&mut self, lines: &str) -> Result {
        let stdin = self.0.stdin.as_mut().unwrap();
        stdin.write_all(lines.as_bytes())?;
        Ok(stdin.flush()?)
    }

    fn end(mut self) -> Result<bool> {
        drop(self.0.stdin.take());
        Ok(self.0.wait()?.success())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A running `top`, whose lines are read.
struct Top {
    child: Child,
    lines: Option<Lines<BufReader<ChildStdout>>>,
}

impl Top {
    fn start(place: &Place, arguments: &str) -> Result<Top> {
        let mut command: Command = program();
        command.args(["top", "a.lsm"]).args(arguments.split(' '));
        command.current_dir(place.folder.path());
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Ok(Top {
            child,
            lines: Some(lines),
        })
    }

    fn next(&mut self) -> Result<String> {
        let line = self.lines.as_mut().and_then(Iterator::next);
        Ok(line.ok_or("top has ended")??)
    }

    /// Reads objects until one is as it should be.
    fn until(&mut self, is_so: impl Fn(&Value) -> bool) -> Result<Value> {
        for _ in 0..3000 {
            let object: Value = serde_json::from_str(&self.next()?)?;
            if is_so(&object) {
                return Ok(object);
            }
        }
        Err("that never came".into())
    }
}

impl Drop for Top {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn puts(count: u32) -> String {
    (0..count)
        .map(|i| format!("put key-{i:05} {}\n", "v".repeat(60)))
        .collect()
}

#[cfg(unix)]
#[test]
fn a_writer_is_seen_with_its_work_its_death_and_its_return() -> Result {
    let place = Place::new();
    let mut writer = Writer::start(&place, &["--multi-process"])?;
    wait_for("shared memory", || place.path("a.lsm-shm").exists());
    let mut top = Top::start(&place, "--interval 0.1 --format json")?;
    top.until(|tick| tick["state"] == "shared")?;
    writer.write(&puts(40))?;
    let mut seen = 0;
    while seen < 40 {
        let tick = top.until(|tick| tick["transactions"] != 0)?;
        seen += tick["transactions"].as_u64().unwrap();
        assert!(tick["log_written_bytes"].as_u64().unwrap() > 0, "{tick}");
        assert!(
            tick["transactions_per_second"].as_f64().unwrap() > 1.0,
            "{tick}"
        );
    }
    // None is counted twice; the probe of keys is none.
    assert_eq!(seen, 40);
    let tick = top.until(|tick| tick["probe"]["seek_median_ns"].is_u64())?;
    assert!(
        tick["live_tree_bytes"].as_u64().unwrap() > 40 * 60,
        "{tick}"
    );
    if cfg!(target_os = "linux") {
        assert_eq!(tick["locks"]["read_write_handles"], 1, "{tick}");
    }
    writer.write("flush\n")?;
    let tick = top.until(|tick| tick["pages_written"] != 0)?;
    assert!(
        tick["level_bytes"][0][0].as_u64().unwrap() > 40 * 60,
        "{tick}"
    );
    top.until(|tick| {
        tick["checkpoint_debt_bytes"]
            .as_u64()
            .is_some_and(|debt| debt > 0)
    })?;
    writer.write("checkpoint\n")?;
    top.until(|tick| tick["checkpoints"] == 1)?;
    top.until(|tick| tick["checkpoint_debt_bytes"] == 0)?;

    drop(writer);
    if cfg!(target_os = "linux") {
        top.until(|tick| tick["locks"]["read_write_handles"] == 0)?;
    }
    let mut writer = Writer::start(&place, &["--multi-process"])?;
    writer.write(&puts(10))?;
    top.until(|tick| tick["transactions"] != 0)?;
    assert!(writer.end()?);
    top.until(|tick| tick["state"] == "idle" && tick["file_bytes"] != 0)?;
    let mut writer = Writer::start(&place, &[])?;
    writer.write("put k v\n")?;
    if cfg!(target_os = "linux") {
        top.until(|tick| tick["state"] == "exclusive")?;
    }
    assert!(writer.end()?);
    fs::remove_file(place.path("a.lsm"))?;
    top.until(|tick| tick["state"] == "gone")?;
    signal(&top.child, "-INT")?;
    assert_eq!(top.child.wait()?.code(), Some(130));
    assert_eq!(place.files(), [""; 0]);
    Ok(())
}

#[cfg(unix)]
#[test]
fn one_look_is_a_line_or_an_object() -> Result {
    let place = Place::new();
    let mut writer = Writer::start(&place, &["--multi-process"])?;
    writer.write("put k v\nflush\n")?;
    wait_for("a file", || {
        place
            .path("a.lsm")
            .metadata()
            .is_ok_and(|file| file.len() > 0)
    });
    let line = place.run("top a.lsm --once --interval 0.1");
    let words = ["shared, ", " transactions/s", "1 runs in 1 levels", "seek "];
    assert!(
        words.iter().all(|word| line.text().contains(word)),
        "{}",
        line.text()
    );
    assert_eq!(line.text().lines().count(), 1);
    let object = place.run("top a.lsm --once --interval 0.1 --format json --no-probe");
    let object: Value = serde_json::from_str(object.text())?;
    assert!(
        object["probe"].is_null() && object["levels"].is_null(),
        "{object}"
    );
    // However often it looks, the writer doesn't notice.
    let top = Top::start(&place, "--interval 0.001")?;
    writer.write(&puts(300))?;
    assert!(writer.end()?);
    drop(top);
    assert_eq!(place.run("count a.lsm --wait 10").text(), "301\n");
    Ok(())
}

#[cfg(target_os = "linux")]
#[test]
fn a_process_that_keeps_the_database_to_itself_is_7() -> Result {
    let place = sample();
    fs::rename(place.path("sample.lsm"), place.path("a.lsm"))?;
    let _writer = Writer::start(&place, &[])?;
    wait_for("a log", || {
        place.path("a.lsm-log").exists() || place.run("count a.lsm").status == 7
    });
    for arguments in ["--once", "--format json", ""] {
        place
            .run(&format!("top a.lsm {arguments} --interval 0.1"))
            .fails(
                7,
                &[
                    "a process has a.lsm to itself",
                    "multi_process(true)",
                    "lsmlite info a.lsm",
                ],
            );
    }
    Ok(())
}

#[test]
fn a_reader_of_its_lines_that_goes_away_ends_it() -> Result {
    let place = sample();
    fs::rename(place.path("sample.lsm"), place.path("a.lsm"))?;
    let mut top = Top::start(&place, "--interval 0.05")?;
    let line = top.next()?;
    assert!(line.starts_with("idle, 1 runs in 1 levels"), "{line}");
    drop(top.lines.take());
    assert_eq!(top.child.wait()?.code(), Some(141));
    Ok(())
}

#[cfg(target_os = "linux")]
#[test]
fn on_a_terminal_it_draws_within_the_window_and_gives_it_back() -> Result {
    let place = Place::new();
    let mut writer = Writer::start(&place, &["--multi-process"])?;
    writer.write("put k v\n")?;
    wait_for("shared memory", || place.path("a.lsm-shm").exists());
    for (keys, status) in [("q", 0), ("\x03", 130)] {
        let mut terminal = Terminal::run(&place, "top a.lsm --interval 0.1", 30)?;
        terminal.expect("\x1b[?1049h\x1b[?25l");
        terminal.expect("lsmlite top: a.lsm: shared by ");
        terminal.expect("transactions ");
        terminal.expect("q or Ctrl-C leaves");
        terminal.expect("lsmlite top: a.lsm: shared by ");
        terminal.press(keys);
        terminal.expect("\x1b[?25h\x1b[?1049l");
        let (ended, screen) = terminal.end();
        assert_eq!(ended, status, "{screen:?}");
        let frames = screen.split("\x1b[H").skip(1);
        let lines = frames.flat_map(|frame| frame.split("\x1b[J").next().unwrap().split("\r\n"));
        for line in lines {
            let line = line.trim_end_matches("\x1b[K");
            assert!(line.chars().count() <= 30, "{line:?}");
        }
    }
    Ok(())
}
