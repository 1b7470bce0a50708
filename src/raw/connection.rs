//! One connection to a database: owns an `lsm_db` and everything that C points to.

use std::cell::{Cell, RefCell};
use std::ffi::{CStr, c_int};
use std::path::{Path, PathBuf};
use std::ptr::{self, NonNull};

use super::cursor::Cursor;
use super::hooks::Hooks;
use super::params;
use super::poison::Poison;
use crate::compression::CodecChoice;
use crate::env::{Env, NOT_INSIDE, Opening, Process, Registration, in_storage, take_failure};
use crate::error::{LsmError, LsmErrorCode};
use crate::{ffi, panic};

/// lsm1's integer parameters. Units are in the names.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[repr(i32)]
pub(crate) enum Param {
    AutoflushKib = ffi::LSM_CONFIG_AUTOFLUSH,
    PageSizeBytes = ffi::LSM_CONFIG_PAGE_SIZE,
    Safety = ffi::LSM_CONFIG_SAFETY,
    BlockSizeKib = ffi::LSM_CONFIG_BLOCK_SIZE,
    Autowork = ffi::LSM_CONFIG_AUTOWORK,
    MmapKib = ffi::LSM_CONFIG_MMAP,
    UseLog = ffi::LSM_CONFIG_USE_LOG,
    AutomergeSegments = ffi::LSM_CONFIG_AUTOMERGE,
    MaxFreelist = ffi::LSM_CONFIG_MAX_FREELIST,
    MultipleProcesses = ffi::LSM_CONFIG_MULTIPLE_PROCESSES,
    AutocheckpointKib = ffi::LSM_CONFIG_AUTOCHECKPOINT,
    ReadOnly = ffi::LSM_CONFIG_READONLY,
    /// Ours, not one of `lsm_config`; before opening only.
    FilterKib = -1,
    /// Likewise.
    PageCacheKib = -2,
}

/// An open connection. `Send`, not `Sync`: lsm1 allows one thread at a time.
pub(crate) struct Connection {
    pub(super) db: NonNull<ffi::lsm_db>,
    /// Every cursor that is open in C. Writes need `&mut self`, which no live [`Cursor`]
    /// allows, so what is found here then was leaked.
    cursors: RefCell<Vec<NonNull<ffi::lsm_cursor>>>,
    pub(super) transaction: Transaction,
    /// How many transactions are open, one within the other; 0 without one.
    pub(super) level: c_int,
    /// True while somebody looks at memory of the engine, which its next call may change.
    pub(super) lent: Cell<bool>,
    pub(super) read_only: bool,
    pub(super) poison: Poison,
    ending: Ending,
    path: PathBuf,
    /// C points into it until `lsm_close`, which `Drop` calls before any field goes.
    hooks: Hooks,
    /// Also keeps the environment, which C uses until `lsm_close`.
    registration: Registration,
    process: Process,
}

/// How the handle is to be freed.
#[derive(Copy, Clone, PartialEq, Eq)]
enum Ending {
    /// Whatever is in memory is left there: the handle isn't, or wasn't quite, opened.
    Abandon,
    Close,
    /// It is freed, or must not be touched; only on the way into `Drop`, or in it.
    Gone,
}

/// Who failed.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Culprit {
    System,
    Codec,
    Engine,
}

#[derive(Debug)]
pub(super) enum Transaction {
    None,
    Open,
    /// A write in it failed, and the log may hold what the tree doesn't: only a rollback
    /// may follow.
    Failed(LsmError),
}

// SAFETY: an `lsm_db` has no ties to a thread: lsm1 keeps no thread-local state and its
// mutexes are never held between calls. `Connection` isn't `Sync` (it has a `RefCell`), so
// one thread at a time uses it, and cursors borrow it and aren't `Send`.
unsafe impl Send for Connection {}

impl Connection {
    /// Opens the file; the parameters are set in the order given.
    ///
    /// # Errors
    /// Whatever lsm1 answers, with the path. Nothing is leaked.
    pub(crate) fn open(
        env: &Env,
        path: &Path,
        how: Opening,
        params: &[(Param, i32)],
        codecs: &CodecChoice,
    ) -> Result<Connection, LsmError> {
        let fail = |rc| LsmError::from_raw("open", rc).with_path(path);
        let registration =
            Registration::new(env, path, how).map_err(|error| name_holder(error, env, path))?;
        take_failure();
        let mut handle: *mut ffi::lsm_db = ptr::null_mut();
        // SAFETY: the registration keeps the environment alive, and this connection drops it
        // after `lsm_close`; `handle` is a live local.
        let rc = unsafe { ffi::lsm_new(env.as_c(), &mut handle) };
        let db = match NonNull::new(handle) {
            Some(db) if rc == ffi::LSM_OK => db,
            _ => {
                return Err(fail(if rc == ffi::LSM_OK {
                    ffi::LSM_NOMEM
                } else {
                    rc
                }));
            }
        };
        // From here on `Drop` frees the handle, whatever happens.
        let mut conn = Connection {
            db,
            cursors: RefCell::new(Vec::new()),
            transaction: Transaction::None,
            level: 0,
            lent: Cell::new(false),
            read_only: how.read_only,
            poison: Poison::default(),
            ending: Ending::Abandon,
            path: path.to_owned(),
            hooks: Hooks::new(codecs),
            registration,
            process: Process::current(),
        };
        for &(param, value) in params {
            conn.set(param, value)?;
        }
        // SAFETY: `db` is new, not yet open, and ours alone; `Connection` drops `hooks`
        // after it closed `db`.
        conn.check("open", unsafe { conn.hooks.install(db) })?;
        // SAFETY: `db` is live and ours; the name is nul-terminated and lives for the call.
        let rc = unsafe { ffi::lsm_open(db.as_ptr(), conn.registration.name().as_ptr()) };
        conn.check("open", rc)
            .map_err(|error| name_holder(error, env, path))?;
        conn.registration.confirm(path)?;
        conn.ending = Ending::Close;
        Ok(conn)
    }

    /// Sets a parameter; an engine that answers with another value refused it.
    pub(crate) fn set(&self, param: Param, value: i32) -> Result<(), LsmError> {
        self.refuse_reentry("configure")?;
        self.refuse_failed("configure")?;
        let db = self.db.as_ptr();
        let (rc, now) = match param {
            // SAFETY: the handle is live and used by this thread only.
            Param::FilterKib => (unsafe { ffi::lsmlite_filter_memory(db, value) }, value),
            // SAFETY: as above.
            Param::PageCacheKib => (unsafe { ffi::lsmlite_page_cache(db, value) }, value),
            // SAFETY: as above; every other `Param` is one whose argument is an `int *`.
            _ => unsafe { params::config_int(self.db, param as c_int, value) },
        };
        self.check("configure", rc)?;
        if now != value {
            let message = format!("the engine refused {param:?} = {value} and keeps {now}");
            return Err(self
                .error("configure", LsmErrorCode::LsmMisuse)
                .with_message(message));
        }
        Ok(())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Tells databases apart, also those of one path in different environments.
    pub(crate) fn name(&self) -> &CStr {
        self.registration.name()
    }

    pub(crate) fn in_transaction(&self) -> bool {
        !matches!(self.transaction, Transaction::None)
    }

    /// Opens a cursor, which also opens a snapshot if the connection has none.
    pub(crate) fn cursor(&self) -> Result<Cursor<'_>, LsmError> {
        self.refuse_reentry("open a cursor")?;
        let mut csr: *mut ffi::lsm_cursor = ptr::null_mut();
        // SAFETY: the handle is live and used by this thread only; `csr` is a live local.
        let rc = unsafe { ffi::lsm_csr_open(self.db.as_ptr(), &mut csr) };
        // The cursor is owned before `check`, which may panic.
        let cursor = NonNull::new(csr).map(|csr| {
            self.cursors.borrow_mut().push(csr);
            Cursor::new(csr, self)
        });
        self.check("open a cursor", rc)?;
        cursor.ok_or_else(|| self.error("open a cursor", LsmErrorCode::LsmNoMem))
    }

    /// Closes one cursor; only [`Cursor`]'s `Drop` calls this, once.
    pub(super) fn close_cursor(&self, csr: NonNull<ffi::lsm_cursor>) {
        if self.refuse_reentry("close a cursor").is_err() {
            // It stays in the list, like a leaked one: lsm1 must not be entered now.
            return;
        }
        let mut cursors = self.cursors.borrow_mut();
        if let Some(i) = cursors.iter().rposition(|&open| open == csr) {
            cursors.swap_remove(i);
            // SAFETY: it was in the list, so it is open; it is out of the list now, so
            // nothing closes it again.
            unsafe { ffi::lsm_csr_close(csr.as_ptr()) };
        }
    }

    /// Closes the connection and says whether everything reached the file. An open
    /// transaction is rolled back.
    ///
    /// # Errors
    /// Also that the connection had failed before. It is gone all the same; what wasn't
    /// written is in the log.
    pub(crate) fn close(mut self) -> Result<(), LsmError> {
        let rc = self.free_handle();
        self.check("close", rc)?;
        match self.failure() {
            Some(cause) => Err(cause.clone()),
            None => Ok(()),
        }
    }

    fn free_handle(&mut self) -> c_int {
        let db = self.without_cursors();
        let ending = std::mem::replace(&mut self.ending, Ending::Gone);
        if ending == Ending::Abandon || self.failure().is_some() {
            // SAFETY: `db` is live, and `ending` keeps `Drop`, the only one left, from using
            // it. This frees it in any state, and writes nothing.
            unsafe { ffi::lsmlite_abandon(db) };
            return ffi::LSM_OK;
        }
        // SAFETY: `db` is live, without cursors, and ours by `&mut self`. Without a
        // transaction this does nothing.
        unsafe { ffi::lsm_rollback(db, 0) };
        // SAFETY: `db` is live, without cursor or transaction, so lsm1 frees it whatever it
        // returns; `ending` keeps `Drop`, the only one left, from using it.
        unsafe { ffi::lsm_close(db) }
    }

    /// The handle for a call that may write and must not meet an open cursor.
    pub(super) fn exclusive(
        &mut self,
        operation: &'static str,
    ) -> Result<*mut ffi::lsm_db, LsmError> {
        self.refuse_reentry(operation)?;
        self.refuse_failed(operation)?;
        Ok(self.without_cursors())
    }

    /// The handle, after leaked cursors were closed.
    pub(super) fn without_cursors(&mut self) -> *mut ffi::lsm_db {
        for csr in self.cursors.get_mut().drain(..) {
            // SAFETY: what is in the list is open. `&mut self` proves that no `Cursor`
            // lives, so the owners were leaked and never touch it again.
            unsafe { ffi::lsm_csr_close(csr.as_ptr()) };
        }
        self.db.as_ptr()
    }

    pub(super) fn refuse_read_only(&self, operation: &'static str) -> Result<(), LsmError> {
        if self.read_only {
            return Err(self.error(operation, LsmErrorCode::LsmReadOnly));
        }
        Ok(())
    }

    pub(super) fn error(&self, operation: &'static str, code: LsmErrorCode) -> LsmError {
        LsmError::new(operation, code).with_path(&self.path)
    }

    /// A codec runs inside a call on its connection; lsm1 must not be entered again from it.
    /// Nor from a forked process, which has a copy of the handle but not the right to use it;
    /// nor while somebody looks at the engine's own memory.
    #[inline]
    pub(super) fn refuse_reentry(&self, operation: &'static str) -> Result<(), LsmError> {
        let is_free = self.process.is_current()
            && !in_storage()
            && !self.lent.get()
            && !self.hooks.report().in_codec();
        match is_free {
            true => Ok(()),
            false => Err(self.why_not_now(operation)),
        }
    }

    /// The part of [`refuse_reentry`](Self::refuse_reentry) that can change while code of the
    /// caller's runs within a call that goes on afterwards.
    #[inline]
    pub(super) fn refuse_fork(&self, operation: &'static str) -> Result<(), LsmError> {
        match self.process.is_current() {
            true => Ok(()),
            false => Err(self.why_not_now(operation)),
        }
    }

    #[cold]
    fn why_not_now(&self, operation: &'static str) -> LsmError {
        let error = self.error(operation, LsmErrorCode::LsmMisuse);
        error.with_message(if !self.process.is_current() {
            "the handle belongs to the process that this one was forked from: use it there"
        } else if in_storage() {
            NOT_INSIDE
        } else if self.lent.get() {
            "a value of this handle is being looked at: end the closure first, or copy it"
        } else {
            "a page codec can't use the database it works for"
        })
    }

    /// Reads a result code. A panic that a codec raised during the call goes on here.
    #[inline]
    pub(super) fn check(&self, operation: &'static str, rc: c_int) -> Result<(), LsmError> {
        // First, as what it takes belongs to this call also if that panics.
        let outcome = self.outcome(operation, rc);
        panic::resume();
        outcome
    }

    /// Reads a result code.
    #[inline]
    pub(super) fn outcome(&self, operation: &'static str, rc: c_int) -> Result<(), LsmError> {
        if rc == ffi::LSM_OK {
            take_failure();
            return Ok(());
        }
        self.diagnose(operation, rc).map_err(|(error, _)| error)
    }

    /// Reads a result code, and says who failed; the one place that does.
    pub(super) fn diagnose(
        &self,
        operation: &'static str,
        rc: c_int,
    ) -> Result<(), (LsmError, Culprit)> {
        if rc == ffi::LSM_OK {
            // What failed and didn't matter mustn't turn up in the next error.
            take_failure();
            return Ok(());
        }
        let error = LsmError::from_raw(operation, rc).with_path(&self.path);
        let (system, codec) = (take_failure(), self.hooks.report().take());
        if let Some(message) = self.hooks.mismatch().filter(|_| rc == ffi::LSM_MISMATCH) {
            return Err((error.with_message(message), Culprit::Engine));
        }
        // The system's own words say more than the engine's.
        Err(match (system, codec) {
            (Some(message), _) => (error.with_message(message), Culprit::System),
            (None, Some(message)) => (error.with_message(message), Culprit::Codec),
            (None, None) => (error, Culprit::Engine),
        })
    }
}

/// Says who is in the way, where that can be found out.
fn name_holder(error: LsmError, env: &Env, path: &Path) -> LsmError {
    match env.holder(path) {
        Some(pid) if error.is_busy() => error.with_message(format!("process {pid} holds the file")),
        _ => error,
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if !self.process.is_current() || in_storage() {
            // Closing would take away the parent's log, or enter the engine, which is busy, a
            // second time. The memory is lost.
            self.ending = Ending::Gone;
        }
        if self.ending != Ending::Gone {
            // Nobody is left to hear of an error: `close` is for those who want to.
            self.free_handle();
            take_failure();
            panic::discard();
        }
    }
}
