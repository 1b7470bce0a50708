//! The environment that a database runs in: where its files are, and what the engine gets
//! from the operating system.
//!
//! The default is [`UnixEnv`], real files on Unix. A [`MemoryEnv`] needs no files, and a
//! [`FaultEnv`] is a disk that fails on demand.
//! [`Storage`] is for files anywhere else.

mod database_map;
mod failure;
mod fault;
mod file;
mod fork;
mod header;
mod heap;
mod holder;
mod locks;
mod log_window;
mod memory;
mod mutex;
mod path;
mod posix;
mod read_ahead;
pub(crate) mod recovery;
mod registry;
mod shared_memory;
mod simulated;
mod storage;
mod stray_log;
pub(crate) mod system;
mod table;
mod write_out;

use std::ffi::CString;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use crate::ffi;
pub(crate) use failure::take as take_failure;
pub use fault::FaultEnv;
pub(crate) use fork::Process;
pub use memory::MemoryEnv;
use registry::Registry;
pub(crate) use registry::{Opening, Registration};
pub use simulated::{Call, Failure, PowerLoss};
pub(crate) use storage::is_running as in_storage;
pub use storage::{Storage, StorageFile};
use system::System;
pub(crate) use write_out::WriteOut;

/// Why code that the engine calls gets nothing done with a database.
pub(crate) const NOT_INSIDE: &str =
    "a storage, or a closure that is told how a recovery goes on, can't use databases itself";

/// An environment, ready for use. Clones are the same environment.
///
/// Made from [`UnixEnv`], which is the default, from a [`MemoryEnv`] or a [`FaultEnv`], and
/// handed to [`LsmDbBuilder::env`](crate::LsmDbBuilder::env). Databases in two environments
/// have nothing in common, even under one path.
#[derive(Clone)]
pub struct Env(Arc<Instance>);

/// Real files, through the calls of Unix. There is one such environment in a process.
///
/// The log is written through a mapped window of it, whatever
/// [`mmap`](crate::LsmDbBuilder::mmap) says. If somebody else cuts the log while it is open, or
/// its device fails in the middle of a page, the system ends the process (SIGBUS).
///
/// A process that is forked without an `exec` shares the locks of its parent, and keeps them if
/// the parent dies without closing its databases. It can't use the parent's handles.
///
/// It writes completely or reports an error, reads within the file only, reserves space on
/// the disk before it maps it, syncs directories after it created or removed a file, closes
/// its files on `exec`, and locks files so that nothing else in the process can drop the lock.
/// That kind of lock exists on Linux; on macOS and BSD opening and closing the database file
/// elsewhere in the process drops its locks, and a second process may then get in.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct UnixEnv;

/// What the engine knows as its `lsm_env`, and what stands behind it.
#[repr(C)]
pub(crate) struct Instance {
    /// First, so that its address is that of the instance.
    table: ffi::lsm_env,
    system: Arc<dyn System>,
    /// In front of each name that the engine gets: it keeps one list of databases for all
    /// environments, by name. Empty for real files.
    prefix: Vec<u8>,
    registry: Registry,
}

// SAFETY: the table holds functions and unused null pointers and is never written to; the
// rest is `Send + Sync` by itself.
unsafe impl Send for Instance {}
// SAFETY: as above.
unsafe impl Sync for Instance {}

impl Env {
    /// The environment that the process has by default.
    fn unix() -> Env {
        static ENV: OnceLock<Env> = OnceLock::new();
        ENV.get_or_init(|| Env::new(Arc::new(posix::Posix), Vec::new()))
            .clone()
    }

    /// A new environment, whose databases are its own.
    pub(crate) fn over(system: Arc<dyn System>) -> Env {
        static LAST: AtomicU64 = AtomicU64::new(0);
        let number = LAST.fetch_add(1, Ordering::Relaxed);
        // No absolute path begins like this.
        Env::new(system, format!("env-{number}:").into_bytes())
    }

    fn new(system: Arc<dyn System>, prefix: Vec<u8>) -> Env {
        Env(Arc::new(Instance {
            table: table::new(),
            system,
            prefix,
            registry: Registry::default(),
        }))
    }

    /// The table for the engine; valid while `self` or a clone of it lives.
    pub(crate) fn as_c(&self) -> *mut ffi::lsm_env {
        Arc::as_ptr(&self.0).cast_mut().cast()
    }

    /// False where neither mapped files nor several processes are possible.
    pub(crate) fn can_map(&self) -> bool {
        self.0.system.can_map()
    }

    /// The process that keeps others from opening the database.
    pub(crate) fn holder(&self, path: &Path) -> Option<u32> {
        let path = self.0.system.resolve(path).ok()?;
        self.0
            .system
            .lock_holder(&path, locks::ALL, system::Lock::Exclusive)
    }

    /// True while this process has the database open.
    pub(crate) fn is_open(&self, path: &Path) -> bool {
        let path = self.0.system.resolve(path);
        path.is_ok_and(|path| self.0.registry.contains(&path))
    }

    fn system(&self) -> &dyn System {
        &*self.0.system
    }
}

impl Instance {
    /// The instance of a table.
    ///
    /// # Safety
    /// `env` came from [`Env::as_c`], and the environment outlives the reference.
    unsafe fn from_c<'a>(env: *mut ffi::lsm_env) -> &'a Instance {
        // SAFETY: the table is the first field of an instance that the caller keeps alive.
        unsafe { &*env.cast::<Instance>() }
    }

    /// The engine's name for a resolved path; `None` if there is a nul byte in it.
    fn name(&self, path: &Path) -> Option<CString> {
        let mut name = self.prefix.clone();
        name.extend_from_slice(path.as_os_str().as_bytes());
        CString::new(name).ok()
    }

    fn is_database(&self, path: &Path) -> bool {
        self.registry.contains(path)
    }
}

impl Default for Env {
    fn default() -> Env {
        Env::unix()
    }
}

impl From<UnixEnv> for Env {
    fn from(_: UnixEnv) -> Env {
        Env::unix()
    }
}

impl From<&Env> for Env {
    fn from(env: &Env) -> Env {
        env.clone()
    }
}

impl PartialEq for Env {
    fn eq(&self, other: &Env) -> bool {
        ptr::eq(Arc::as_ptr(&self.0), Arc::as_ptr(&other.0))
    }
}

impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = String::from_utf8_lossy(&self.0.prefix);
        f.debug_tuple("Env").field(&prefix).finish()
    }
}
