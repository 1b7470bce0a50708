//! Running the program.

#![allow(dead_code)] // For the tests to come.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

pub use crate::common::Result;

/// What the program did.
pub struct Done {
    pub status: i32,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl Done {
    /// Standard output of a run that must have succeeded.
    #[track_caller]
    pub fn text(&self) -> &str {
        assert_eq!(self.status, 0, "{}", self.stderr);
        std::str::from_utf8(&self.stdout).unwrap()
    }

    /// Checks the status, and that the message is one line with these words in it.
    #[track_caller]
    pub fn fails(&self, status: i32, words: &[&str]) {
        assert_eq!(self.status, status, "{}", self.stderr);
        assert!(self.stderr.starts_with("lsmlite: "), "{}", self.stderr);
        assert_eq!(self.stderr.lines().count(), 1, "{}", self.stderr);
        for word in words {
            assert!(self.stderr.contains(word), "no {word:?} in {}", self.stderr);
        }
    }
}

/// The built program.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lsmlite"));
    command.env_remove("NO_COLOR");
    command
}

/// Runs it with these arguments.
pub fn lsmlite<A: AsRef<OsStr>>(arguments: &[A]) -> Done {
    with_input(arguments, b"")
}

/// The same with bytes on standard input.
pub fn with_input<A: AsRef<OsStr>>(arguments: &[A], input: &[u8]) -> Done {
    finish(program().args(arguments), input)
}

/// Runs a command to its end.
pub fn finish(command: &mut Command, input: &[u8]) -> Done {
    let command = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // It may end before it has read everything.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    #[cfg(unix)]
    let signal = std::os::unix::process::ExitStatusExt::signal(&output.status);
    #[cfg(not(unix))]
    let signal = None;
    Done {
        status: output.status.code().unwrap_or_else(|| -signal.unwrap_or(1)),
        stdout: output.stdout,
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Waits until something is so: a minute at most, in which the test isn't suspended.
#[track_caller]
pub fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..6000 {
        if is_so() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("{what} didn't come");
}

/// Sends a signal by its name, such as `-INT`.
#[cfg(unix)]
pub fn signal(child: &Child, name: &str) -> Result {
    let sent = Command::new("kill")
        .args([name, &child.id().to_string()])
        .status()?;
    assert!(sent.success());
    Ok(())
}

/// A folder for one test, with databases.
pub struct Place {
    pub folder: tempfile::TempDir,
}

impl Place {
    pub fn new() -> Place {
        Place {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The names of all files, sorted.
    pub fn files(&self) -> Vec<String> {
        files(self.folder.path())
    }

    /// Runs the program in the folder. Arguments are separated by spaces.
    #[track_caller]
    pub fn run(&self, arguments: &str) -> Done {
        self.feed(arguments, b"")
    }

    /// The same with standard input.
    pub fn feed(&self, arguments: &str, input: &[u8]) -> Done {
        let mut command = program();
        let arguments = arguments.split(' ').filter(|argument| !argument.is_empty());
        finish(
            command.args(arguments).current_dir(self.folder.path()),
            input,
        )
    }
}

pub fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}
