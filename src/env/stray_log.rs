//! A log that lies beside another name of its database.
//!
//! lsm1 by itself puts the log beside the name that the file was opened with, a link for
//! instance, and doesn't find it under any other name: what was committed before a crash
//! seems lost. This environment always uses the real name, so it brings such a log home.
//!
//! Unless the database is newer: then it was used under another name since, and what is in the
//! log could come up as if it were new. lsm1 itself refuses such a log by its checksums, which go
//! on from those in the database, but not if the database was used without a log since.

use std::io;
use std::path::{Path, PathBuf};

use super::file::{EngineFile, sync_parent};
use super::registry::{Opening, Refusal, log_of};
use super::system::{Access, Lock, System};
use super::{Env, locks};
use crate::error::LsmErrorCode;

/// How much is copied or compared at once.
const STEP: usize = 64 * 1024;

/// Brings the log home if it lies beside the name that was given.
pub(super) fn adopt(env: &Env, given: &Path, path: &Path, how: Opening) -> Result<(), Refusal> {
    let system = env.system();
    let (stray, home) = (log_of(given), log_of(path));
    let status = |path: &Path| system.status(path).ok().filter(|s| s.length > 0);
    let Some(found) = status(&stray) else {
        return Ok(());
    };
    let both = match status(&home) {
        // Another name of the right one.
        Some(right) if right.identity == found.identity => return Ok(()),
        other => other.is_some(),
    };
    let fail = |error: io::Error| Refusal::io("bring home the log", &stray, &error);
    if both && !same(env, &stray, &home).map_err(fail)? {
        return Err(Refusal::cant_open(format!(
            "there are two logs, {} and {}: the database was used under two names; move away the \
             one that doesn't belong to it",
            stray.display(),
            home.display()
        )));
    }
    if how.read_only {
        return Err(Refusal::cant_open(format!(
            "its log is {}, where only an opening for writing can fetch it",
            stray.display()
        )));
    }
    // Somebody may be writing that log at this moment.
    let database = system.open(path, Access::ReadWrite).map_err(fail)?;
    if !database.lock(locks::ALL, Lock::Exclusive).map_err(fail)? {
        return Err(Refusal::new(
            LsmErrorCode::LsmBusy,
            format!("another process uses it with the log {}", stray.display()),
        ));
    }
    let changed = system.status(path).ok().and_then(|s| s.modified);
    if changed > found.modified {
        return Err(Refusal::cant_open(format!(
            "its log {} is older than the database: if the database was used under another name \
             since, remove the log; if nothing but a crash came between, move it to {}",
            stray.display(),
            home.display()
        )));
    }
    if !both {
        copy(env, &stray, &home).map_err(fail)?;
    }
    system.remove(&stray).map_err(fail)?;
    sync_parent(system, &absolute(system, &stray)).map_err(fail)
}

/// Copies under a name of its own first, so that half a log is never taken for one.
fn copy(env: &Env, from: &Path, to: &Path) -> io::Result<()> {
    let system = env.system();
    let mut draft = to.as_os_str().to_owned();
    draft.push(".new");
    let draft = PathBuf::from(draft);
    match system.remove(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let source = EngineFile::open(&env.0.system, from.to_owned(), Access::Read, false)?;
    let target = EngineFile::open(&env.0.system, draft.clone(), Access::ReadWrite, true)?;
    let mut at = 0;
    each_step(system.status(from)?.length, |len| {
        target.write(&source.bytes(at, len)?, at)?;
        at += len as u64;
        Ok(true)
    })?;
    target.sync()?;
    system.rename(&draft, to)?;
    sync_parent(system, to)
}

/// True if both hold the same: then an earlier attempt was cut off after it had copied.
fn same(env: &Env, one: &Path, other: &Path) -> io::Result<bool> {
    let length = env.system().status(one)?.length;
    if length != env.system().status(other)?.length {
        return Ok(false);
    }
    let open = |path: &Path| EngineFile::open(&env.0.system, path.to_owned(), Access::Read, false);
    let (one, other) = (open(one)?, open(other)?);
    let mut at = 0;
    each_step(length, |len| {
        let same = one.bytes(at, len)? == other.bytes(at, len)?;
        at += len as u64;
        Ok(same)
    })
}

/// Goes through a length in steps for as long as the answer is true; returns the last one.
fn each_step(length: u64, mut step: impl FnMut(usize) -> io::Result<bool>) -> io::Result<bool> {
    let mut left = length;
    while left > 0 {
        let len = usize::try_from(left).map_or(STEP, |left| left.min(STEP));
        if !step(len)? {
            return Ok(false);
        }
        left -= len as u64;
    }
    Ok(true)
}

fn absolute(system: &dyn System, path: &Path) -> PathBuf {
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) if !parent.as_os_str().is_empty() => parent.join(name),
        _ => system.resolve(path).unwrap_or_else(|_| path.to_owned()),
    }
}
