//! Which file goes by which name in this process, and whether it may be opened.
//!
//! lsm1 tells the databases of a process apart by their names alone. Under two names one file
//! is written by two engines at once; under one name a file that was removed and made again is
//! taken for its predecessor. Either destroys data, so both are refused here.

use std::ffi::{CStr, CString, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::file::{self, EngineFile};
use super::system::{Access, Identity, Status, System, SystemFile};
use super::{Env, Process, failure, header, locks, stray_log};
use crate::error::{LsmError, LsmErrorCode};

/// Where locks belong to the process, closing any of its files for a database drops them all.
const OWNED_BY_FILES: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// How long a handle may take from the moment at which it closes its file to the next one.
const CLOSING_PAUSE: Duration = Duration::from_millis(1);
const CLOSING_PAUSES: u32 = 300;

/// The open databases of an environment.
#[derive(Default)]
pub(super) struct Registry(Mutex<Vec<Entry>>);

struct Entry {
    path: PathBuf,
    identity: Identity,
    connections: usize,
    /// Read-only handles among them.
    readers: usize,
    /// Shows readers to other processes.
    presence: Option<Box<dyn SystemFile>>,
    process: Process,
}

/// How a database is to be opened.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Opening {
    pub(crate) read_only: bool,
    /// Make the file if there is none.
    pub(crate) create: bool,
    /// With a log, which whoever writes opens first.
    pub(crate) log: bool,
}

/// The right to have a file open; ends when dropped.
pub(crate) struct Registration {
    env: Env,
    name: CString,
    path: PathBuf,
    read_only: bool,
    process: Process,
}

impl Registry {
    pub(super) fn contains(&self, path: &Path) -> bool {
        self.lock().iter().any(|entry| entry.path == path)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Registration {
    /// Finds the file, or makes it, and checks that it may be opened.
    ///
    /// # Errors
    /// Why it may not.
    pub(crate) fn new(env: &Env, given: &Path, how: Opening) -> Result<Registration, LsmError> {
        let refuse = |refusal: Refusal| refusal.error(given);
        if super::in_storage() {
            let message = super::NOT_INSIDE;
            return Err(refuse(Refusal::new(LsmErrorCode::LsmMisuse, message)));
        }
        let system = env.system();
        if given.file_name().is_none() {
            return Err(refuse(Refusal::cant_open("the path names no file")));
        }
        if given.as_os_str().as_encoded_bytes().contains(&0) {
            return Err(refuse(Refusal::cant_open("the path contains a nul byte")));
        }
        let path = system
            .resolve(given)
            .map_err(|error| refuse(Refusal::io("find", given, &error)))?;
        let name = (env.0.name(&path))
            .ok_or_else(|| refuse(Refusal::cant_open("a link leads to a nul byte")))?;

        // Held until the end: of two threads that open one file, one creates it.
        let mut open = env.0.registry.lock();
        let mut pauses = 0;
        let status = loop {
            let is_first = !open.iter().any(|entry| entry.path == path);
            let status = find_or_create(system, &path, how, is_first).map_err(refuse)?;
            match check_names(&open, &path, &status, how) {
                Ok(()) => break status,
                Err(_) if pauses < CLOSING_PAUSES && is_closing(system, &open, &path, &status) => {
                    drop(open);
                    system.sleep(CLOSING_PAUSE);
                    pauses += 1;
                    open = env.0.registry.lock();
                }
                Err(refusal) => return Err(refuse(refusal)),
            }
        };
        match open.iter_mut().find(|entry| entry.path == path) {
            Some(entry) if entry.identity != status.identity => {
                return Err(refuse(Refusal::replaced()));
            }
            Some(entry) if !entry.process.is_current() => {
                return Err(refuse(Refusal::cant_open(
                    "the process that this one was forked from has the file open, and this one inherited \
                     its lock: exec, or close the file before forking",
                )));
            }
            Some(entry) => {
                if how.read_only && entry.presence.is_none() {
                    entry.presence = Some(announce(env, &path, true).map_err(refuse)?);
                }
                entry.connections += 1;
                entry.readers += usize::from(how.read_only);
            }
            None => {
                check_content(env, &path, status).map_err(refuse)?;
                stray_log::adopt(env, given, &path, how).map_err(refuse)?;
                if !how.read_only && !how.log {
                    // Who made the file may have died before its name was on the disk. To open the
                    // log makes the names of both durable.
                    file::sync_parent(system, &path).map_err(|error| {
                        refuse(Refusal::io("sync the directory of", &path, &error))
                    })?;
                }
                let presence = how
                    .read_only
                    .then(|| announce(env, &path, false).map_err(refuse))
                    .transpose()?;
                open.push(Entry {
                    path: path.clone(),
                    identity: status.identity,
                    connections: 1,
                    readers: usize::from(how.read_only),
                    presence,
                    process: Process::current(),
                });
            }
        }
        Ok(Registration {
            env: env.clone(),
            name,
            path,
            read_only: how.read_only,
            process: Process::current(),
        })
    }

    /// The file's name for the engine.
    pub(crate) fn name(&self) -> &CStr {
        &self.name
    }

    /// Looks at the file again once the engine has opened it.
    ///
    /// # Errors
    /// It was replaced meanwhile.
    pub(crate) fn confirm(&self, given: &Path) -> Result<(), LsmError> {
        let open = self.env.0.registry.lock();
        let now = self.env.system().status(&self.path).ok();
        let entry = open.iter().find(|entry| entry.path == self.path);
        match (entry, now) {
            (Some(entry), Some(now)) if entry.identity == now.identity => Ok(()),
            _ => Err(Refusal::replaced().error(given)),
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        if !self.process.is_current() || super::in_storage() {
            // Somebody may hold the lock who doesn't let go: a thread that stayed behind when this
            // process was forked, or this thread itself.
            return;
        }
        let mut open = self.env.0.registry.lock();
        if let Some(i) = open.iter().position(|entry| entry.path == self.path) {
            let entry = &mut open[i];
            entry.connections -= 1;
            entry.readers -= usize::from(self.read_only);
            if entry.connections == 0 {
                open.swap_remove(i);
            } else if entry.readers == 0 && OWNED_BY_FILES {
                entry.presence = None;
            }
        }
    }
}

/// Why a file isn't opened.
pub(super) struct Refusal {
    /// The engine's code, if the operating system failed.
    raw: Option<i32>,
    code: LsmErrorCode,
    message: String,
}

impl Refusal {
    pub(super) fn new(code: LsmErrorCode, message: impl Into<String>) -> Refusal {
        Refusal {
            raw: None,
            code,
            message: message.into(),
        }
    }

    pub(super) fn cant_open(message: impl Into<String>) -> Refusal {
        Refusal::new(LsmErrorCode::LsmCantOpen, message)
    }

    pub(super) fn io(operation: &str, path: &Path, error: &io::Error) -> Refusal {
        Refusal {
            raw: Some(failure::code(error)),
            code: LsmErrorCode::LsmIOErr,
            message: failure::words(operation, path, error),
        }
    }

    fn replaced() -> Refusal {
        Refusal::cant_open(
            "the file was removed or replaced while this process had it open: close all \
             handles first",
        )
    }

    fn error(self, path: &Path) -> LsmError {
        let error = match self.raw {
            Some(rc) => LsmError::from_raw("open", rc),
            None => LsmError::new("open", self.code),
        };
        error.with_path(path).with_message(self.message)
    }
}

fn find_or_create(
    system: &dyn System,
    path: &Path,
    how: Opening,
    is_first: bool,
) -> Result<Status, Refusal> {
    let missing = match system.status(path) {
        Ok(status) if status.is_file => return Ok(status),
        Ok(_) => {
            let message = "this isn't a regular file";
            return Err(Refusal::new(LsmErrorCode::LsmIOErr, message));
        }
        Err(error) => error,
    };
    if missing.kind() != io::ErrorKind::NotFound {
        return Err(Refusal::io("look for", path, &missing));
    }
    if !is_first {
        return Err(Refusal::replaced());
    }
    if how.read_only || !how.create {
        return Err(Refusal {
            message: "there is no such file, and it wasn't to be created".to_owned(),
            ..Refusal::io("find", path, &missing)
        });
    }
    file::create(system, path)
        .and_then(|file| file.status())
        .map_err(|error| Refusal::io("create", path, &error))
}

/// Whether another name with this identity leads nowhere any more: its file was removed, and is
/// open, or closed already by a handle that is about to say so. Then the operating system may have
/// given its number to the new file.
fn is_closing(system: &dyn System, open: &[Entry], path: &Path, status: &Status) -> bool {
    let is_gone = |entry: &Entry| {
        (system.status(&entry.path)).map_or(true, |now| now.identity != entry.identity)
    };
    (open.iter())
        .any(|entry| entry.identity == status.identity && entry.path != path && is_gone(entry))
}

/// One file, one name; and nobody's log.
fn check_names(open: &[Entry], path: &Path, status: &Status, how: Opening) -> Result<(), Refusal> {
    // After a crash, the log of a file with two names lies beside one of them only.
    if status.names > 1 && !how.read_only {
        return Err(Refusal::cant_open(format!(
            "the file has {} names (hard links), and after a crash its log would be found under \
             one of them only: keep one name",
            status.names
        )));
    }
    for other in open.iter().filter(|entry| entry.path != path) {
        if other.identity == status.identity {
            return Err(Refusal::cant_open(format!(
                "the file is already open in this process as {}: use that name",
                other.path.display()
            )));
        }
        if log_of(&other.path) == path || log_of(path) == other.path {
            return Err(Refusal::cant_open(format!(
                "one of this file and {}, which is open, would be the log of the other: rename one",
                other.path.display()
            )));
        }
    }
    Ok(())
}

fn check_content(env: &Env, path: &Path, status: Status) -> Result<(), Refusal> {
    if status.length == 0 {
        return Ok(());
    }
    // What can't be read is for the engine to report.
    let plausible = EngineFile::open(&env.0.system, path.to_owned(), Access::Read, false)
        .and_then(|file| header::may_be_a_database(&file));
    match plausible {
        Ok(false) => Err(Refusal::new(
            LsmErrorCode::LsmCorrupt,
            "this isn't an lsm1 database; it was left as it is",
        )),
        _ => Ok(()),
    }
}

/// Shows that read-only handles are open, for as long as the file is open here. They read from
/// the file alone unless processes that share it are at work.
///
/// `joins` if this process has the file open: then it may be the one that has it to itself, and
/// no other one is.
fn announce(env: &Env, path: &Path, joins: bool) -> Result<Box<dyn SystemFile>, Refusal> {
    let system = env.system();
    let fail = |error: io::Error| Refusal::io("read", path, &error);
    let file = system.open(path, Access::Read).map_err(fail)?;
    let (shown, alone) = locks::announce_reader(&*file).map_err(fail)?;
    if shown && (joins || alone) {
        return Ok(file);
    }
    Err(Refusal::new(
        LsmErrorCode::LsmBusy,
        "another process has the file to itself",
    ))
}

/// The engine's log of a database.
pub(super) fn log_of(database: &Path) -> PathBuf {
    let mut log = OsString::from(database);
    log.push("-log");
    log.into()
}
