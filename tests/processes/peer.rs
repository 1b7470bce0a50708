//! Another process that does what it is told.

use std::fs;
use std::io::{BufRead, BufReader, Lines, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::common::{Result, child, child_argument};
use lsmlite_rs::config::Mmap;
use lsmlite_rs::{LsmDb, LsmError};

/// In front of each answer, so that what the test program prints isn't taken for one.
const MARK: &str = "peer: ";
/// The user "nobody", on Debian and elsewhere.
const NOBODY: u32 = 65_534;

pub struct Peer {
    process: Child,
    orders: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Peer {
    pub fn start(path: &Path) -> Result<Peer> {
        Peer::run(child("peer::answers", path)?)
    }

    /// A process without special rights, also when the tests run as root. `home` is a
    /// directory that it can look into.
    pub fn start_as_nobody(path: &Path, home: &Path) -> Result<Peer> {
        if fs::metadata("/proc/self")?.uid() != 0 {
            return Peer::start(path);
        }
        let program = home.join("peer");
        if !program.exists() {
            install(&program)?;
        }
        let usual = child("peer::answers", path)?;
        let mut command = Command::new(program);
        command.args(usual.get_args()).uid(NOBODY).gid(NOBODY);
        for (name, value) in usual.get_envs() {
            command.env(name, value.unwrap_or_default());
        }
        Peer::run(command)
    }

    fn run(mut command: Command) -> Result<Peer> {
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        Ok(Peer {
            orders: process.stdin.take().ok_or("no stdin")?,
            answers: BufReader::new(process.stdout.take().ok_or("no stdout")?).lines(),
            process,
        })
    }

    /// `open write|shared|read|mapped`, `insert KEY`, `keys`, `hold`, `release`, `close`.
    pub fn ask(&mut self, order: &str) -> Result<String> {
        writeln!(self.orders, "{order}")?;
        loop {
            let line = self.answers.next().ok_or("the peer died")??;
            if let Some(at) = line.find(MARK) {
                return Ok(line[at + MARK.len()..].to_owned());
            }
        }
    }

    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// As by `kill -9`.
    pub fn kill(mut self) -> Result {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Copies this program to where everybody can run it.
fn install(program: &Path) -> Result {
    // By a process of its own: one that another test forks meanwhile would keep our copy open for
    // writing, and such a program can't be started.
    let copied = Command::new("cp")
        .arg(std::env::current_exe()?)
        .arg(program)
        .status()?;
    assert!(copied.success());
    Ok(fs::set_permissions(
        program,
        fs::Permissions::from_mode(0o755),
    )?)
}

/// How a handle of this kind is opened.
pub fn open(path: &Path, kind: &str) -> std::result::Result<LsmDb, LsmError> {
    let builder = LsmDb::builder();
    match kind {
        "write" => builder.open(path),
        "shared" => builder.multi_process(true).open(path),
        "mapped" => builder.read_only(true).mmap(Mmap::All).open(path),
        _ => builder.read_only(true).open(path),
    }
}

/// All keys, in order.
pub fn keys(db: &LsmDb) -> std::result::Result<String, LsmError> {
    let mut keys = Vec::new();
    for record in db.iter() {
        keys.push(String::from_utf8_lossy(&record?.0).into_owned());
    }
    Ok(keys.join(" "))
}

/// Serves a [`Peer`]; by itself, it checks that one answers.
#[test]
fn answers() -> Result {
    if let Some(path) = child_argument() {
        return serve(path.as_ref());
    }
    let dir = tempfile::tempdir()?;
    let mut peer = Peer::start(&dir.path().join("a.lsm"))?;
    assert_eq!(peer.ask("open write")?, "ok");
    assert_eq!(peer.ask("insert a")?, "ok");
    assert_eq!(peer.ask("keys")?, "[a]");
    assert_eq!(peer.ask("close")?, "ok");
    Ok(())
}

fn serve(path: &Path) -> Result {
    let mut db: Option<LsmDb> = None;
    let mut lines = std::io::stdin().lines();
    while let Some(order) = lines.next().transpose()? {
        let (verb, object) = order.split_once(' ').unwrap_or((&order, ""));
        let answer = match (verb, &mut db) {
            ("open", _) => open(path, object).map(|opened| {
                db = Some(opened);
                "ok".to_owned()
            }),
            ("insert", Some(db)) => db.insert(object, b"value").map(|()| "ok".to_owned()),
            ("keys", Some(db)) => keys(db).map(|keys| format!("[{keys}]")),
            ("close", db) => match db.take() {
                Some(db) => db.close().map(|()| "ok".to_owned()),
                None => Ok("ok".to_owned()),
            },
            ("hold", Some(db)) => {
                let mut records = db.iter();
                let first = records.next().transpose();
                println!("{MARK}{}", if first.is_ok() { "ok" } else { "error" });
                lines.next().transpose()?;
                first.map(|_| "ok".to_owned())
            }
            _ => Ok(format!("can't {order}")),
        };
        println!("{MARK}{}", answer.unwrap_or_else(|error| error.to_string()));
    }
    Ok(())
}
