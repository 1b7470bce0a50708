//! One connection to a database: owns an `lsm_db` and everything that C points to.

use std::cell::RefCell;
use std::ffi::c_int;
use std::path::{Path, PathBuf};
use std::ptr::{self, NonNull};

use super::cursor::Cursor;
use super::hooks::Hooks;
use super::registry::Registration;
use super::{params, path};
use crate::compression::CodecChoice;
use crate::error::{LsmError, LsmErrorCode};
use crate::{ffi, panic};

/// The most bytes of one key and its value together: a little less than 1 GiB. lsm1 counts
/// in `int`, and its log buffer holds up to two entries with what is added to them.
pub(crate) const MAX_ENTRY_BYTES: usize = (1 << 30) - (1 << 16);

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
}

/// Sizes of the in-memory trees, in KiB.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct TreeSize {
    /// The tree that waits to be written to the file; 0 if there is none.
    pub(crate) old_kib: u32,
    /// The tree that takes new entries.
    pub(crate) live_kib: u32,
}

/// An open connection. `Send`, not `Sync`: lsm1 allows one thread at a time.
pub(crate) struct Connection {
    db: NonNull<ffi::lsm_db>,
    /// Every cursor that is open in C. Writes need `&mut self`, which no live [`Cursor`]
    /// allows, so what is found here then was leaked.
    cursors: RefCell<Vec<NonNull<ffi::lsm_cursor>>>,
    transaction: Transaction,
    read_only: bool,
    /// The handle is gone; only `close` sets it, on its way into `Drop`.
    closed: bool,
    path: PathBuf,
    /// C points into it until `lsm_close`, which `Drop` calls before any field goes.
    hooks: Hooks,
    registration: Registration,
}

#[derive(Debug)]
enum Transaction {
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
        path: &Path,
        params: &[(Param, i32)],
        codecs: &CodecChoice,
    ) -> Result<Connection, LsmError> {
        let fail = |rc| LsmError::from_raw("open", rc).with_path(path);
        let refuse = |(code, message): (LsmErrorCode, String)| {
            LsmError::new("open", code)
                .with_path(path)
                .with_message(message)
        };
        let z_filename = path::for_engine(path)?;
        let read_only = params.contains(&(Param::ReadOnly, 1));
        let registration =
            Registration::new(z_filename.clone(), path, read_only).map_err(refuse)?;
        let mut handle: *mut ffi::lsm_db = ptr::null_mut();
        // SAFETY: a null environment means lsm1's own; `handle` is a live local.
        let rc = unsafe { ffi::lsm_new(ptr::null_mut(), &mut handle) };
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
        // From here on `Drop` closes the handle, whatever happens.
        let conn = Connection {
            db,
            cursors: RefCell::new(Vec::new()),
            transaction: Transaction::None,
            read_only,
            closed: false,
            path: path.to_owned(),
            hooks: Hooks::new(codecs),
            registration,
        };
        for &(param, value) in params {
            conn.set(param, value)?;
        }
        // SAFETY: `db` is new, not yet open, and ours alone; `Connection` drops `hooks`
        // after it closed `db`.
        conn.check("open", unsafe { conn.hooks.install(db) })?;
        // SAFETY: `db` is live and ours; the path is nul-terminated and lives for the call.
        conn.check("open", unsafe {
            ffi::lsm_open(db.as_ptr(), z_filename.as_ptr())
        })?;
        conn.registration.confirm(path).map_err(refuse)?;
        Ok(conn)
    }

    /// Sets a parameter; an engine that answers with another value refused it.
    pub(crate) fn set(&self, param: Param, value: i32) -> Result<(), LsmError> {
        self.refuse_codecs("configure")?;
        // SAFETY: the handle is live and used by this thread only; every `Param` is one
        // whose argument is an `int *`.
        let (rc, now) = unsafe { params::config_int(self.db, param as c_int, value) };
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

    pub(crate) fn in_transaction(&self) -> bool {
        !matches!(self.transaction, Transaction::None)
    }

    /// Inserts or replaces. In a transaction, an error dooms the transaction.
    pub(crate) fn insert(&mut self, key: &[u8], value: &[u8]) -> Result<(), LsmError> {
        let (n_key, n_val) = self.entry_len("insert", key, value)?;
        let db = self.writable("insert")?;
        // SAFETY: `db` is live, has no cursors and is ours by `&mut self`; both pointers
        // are readable for the lengths beside them, and lsm1 copies what it keeps.
        let rc = unsafe {
            ffi::lsm_insert(db, key.as_ptr().cast(), n_key, value.as_ptr().cast(), n_val)
        };
        self.written("insert", rc)
    }

    /// Deletes a key; it need not exist.
    pub(crate) fn delete(&mut self, key: &[u8]) -> Result<(), LsmError> {
        let (n_key, _) = self.entry_len("remove", key, &[])?;
        let db = self.writable("remove")?;
        // SAFETY: as in `insert`.
        let rc = unsafe { ffi::lsm_delete(db, key.as_ptr().cast(), n_key) };
        self.written("remove", rc)
    }

    /// Deletes the keys strictly between the two.
    pub(crate) fn delete_range(&mut self, begin: &[u8], end: &[u8]) -> Result<(), LsmError> {
        let (n_begin, n_end) = self.entry_len("remove_range", begin, end)?;
        let db = self.writable("remove_range")?;
        // SAFETY: as in `insert`.
        let rc = unsafe {
            ffi::lsm_delete_range(
                db,
                begin.as_ptr().cast(),
                n_begin,
                end.as_ptr().cast(),
                n_end,
            )
        };
        self.written("remove_range", rc)
    }

    /// Opens a transaction, unless one is open.
    pub(crate) fn begin(&mut self) -> Result<(), LsmError> {
        let db = self.exclusive();
        // SAFETY: `db` is live, without cursors, and ours by `&mut self`.
        let rc = unsafe { ffi::lsm_begin(db, 1) };
        if rc == ffi::LSM_OK && !self.in_transaction() {
            self.transaction = Transaction::Open;
        }
        self.check("begin", rc)
    }

    /// Commits the open transaction; does nothing without one.
    ///
    /// # Errors
    /// After a failed write, that write's error; the transaction stays open for
    /// [`rollback`](Self::rollback).
    pub(crate) fn commit(&mut self) -> Result<(), LsmError> {
        if let Transaction::Failed(error) = &self.transaction {
            return Err(error.clone());
        }
        let db = self.exclusive();
        // SAFETY: as in `begin`.
        let rc = unsafe { ffi::lsm_commit(db, 0) };
        // lsm1 ends the transaction even if the commit failed.
        self.transaction = Transaction::None;
        self.check("commit", rc)
    }

    /// Takes back everything since [`begin`](Self::begin); does nothing without one.
    pub(crate) fn rollback(&mut self) -> Result<(), LsmError> {
        let db = self.exclusive();
        // SAFETY: as in `begin`.
        let rc = unsafe { ffi::lsm_rollback(db, 0) };
        self.transaction = Transaction::None;
        self.check("rollback", rc)
    }

    /// Flushes the old tree and merges segments, `n_merge` at a time (0: as configured), until
    /// `kib` were written (`None`: all there is); returns the KiB written.
    pub(crate) fn work(&mut self, n_merge: u32, kib: Option<u32>) -> Result<u32, LsmError> {
        let db = self.idle("work")?;
        let n_merge = c_int::try_from(n_merge).unwrap_or(c_int::MAX);
        let n_kb = kib.map_or(-1, |kib| c_int::try_from(kib).unwrap_or(c_int::MAX));
        // lsm1's own count leaves out the flush and converts pages to KiB upside down.
        let before = self.pages_written()?;
        // SAFETY: `db` is live, open for writing, without cursor or transaction, and ours
        // by `&mut self`; a null pointer means that the count isn't wanted.
        let rc = unsafe { ffi::lsm_work(db, n_merge, n_kb, ptr::null_mut()) };
        self.check("work", rc)?;
        let pages = self.pages_written()?.wrapping_sub(before);
        Ok(pages.saturating_mul(self.page_size_bytes()? / 256) / 4)
    }

    /// Writes both in-memory trees to the database file.
    pub(crate) fn flush(&mut self) -> Result<(), LsmError> {
        let db = self.idle("flush")?;
        // SAFETY: as in `work`.
        let rc = unsafe { ffi::lsm_flush(db) };
        self.check("flush", rc)
    }

    /// Makes the database file itself durable up to its last change; returns the KiB that
    /// had been written since the checkpoint before.
    pub(crate) fn checkpoint(&mut self) -> Result<u32, LsmError> {
        let db = self.idle("checkpoint")?;
        let mut written_kb: c_int = 0;
        // SAFETY: as in `work`.
        let rc = unsafe { ffi::lsm_checkpoint(db, &mut written_kb) };
        self.check("checkpoint", rc)?;
        Ok(u32::try_from(written_kb).unwrap_or(0))
    }

    /// How much is held in memory.
    pub(crate) fn tree_size(&self) -> Result<TreeSize, LsmError> {
        self.refuse_read_only("tree size")?;
        self.refuse_codecs("tree size")?;
        // SAFETY: the handle is live, open for writing (just checked; `Connection` exists
        // only open) and used by this thread only.
        let (rc, old_kb, new_kb) = unsafe { params::info_tree_size(self.db) };
        self.check("tree size", rc)?;
        Ok(TreeSize {
            old_kib: u32::try_from(old_kb).unwrap_or(0),
            live_kib: u32::try_from(new_kb).unwrap_or(0),
        })
    }

    /// KiB written to the file since the last checkpoint. Reads a page of the file.
    pub(crate) fn checkpoint_debt_kib(&self) -> Result<u32, LsmError> {
        self.refuse_read_only("checkpoint size")?;
        self.refuse_codecs("checkpoint size")?;
        // SAFETY: as in `tree_size`; the argument is one `int *`.
        let (rc, kb) = unsafe { params::info_int(self.db, ffi::LSM_INFO_CHECKPOINT_SIZE) };
        self.check("checkpoint size", rc)?;
        Ok(u32::try_from(kb).unwrap_or(0))
    }

    /// Pages that this connection has written to the file; wraps round. Cheap.
    pub(crate) fn pages_written(&self) -> Result<u32, LsmError> {
        self.refuse_codecs("pages written")?;
        // SAFETY: the handle is live and open; the argument is one `int *`.
        let (rc, n) = unsafe { params::info_int(self.db, ffi::LSM_INFO_NWRITE) };
        self.check("pages written", rc)?;
        Ok(u32::from_ne_bytes(n.to_ne_bytes()))
    }

    /// The file's page size.
    fn page_size_bytes(&self) -> Result<u32, LsmError> {
        self.refuse_codecs("page size")?;
        // SAFETY: the handle is live and used by this thread only; on an open database this
        // parameter is only read.
        let (rc, bytes) = unsafe { params::config_int(self.db, Param::PageSizeBytes as c_int, 0) };
        self.check("page size", rc)?;
        Ok(u32::try_from(bytes).unwrap_or(0))
    }

    /// The id of the page codec in the file; 0 while nothing has been written to it.
    pub(crate) fn compression_id(&self) -> Result<u32, LsmError> {
        // lsm1 answers from the connection's last snapshot, which may be older than the first
        // write to the file; and a read-only handle knows the file only while it has one, lsm1
        // would follow a null pointer otherwise. So take a new one. That its codec is the
        // wrong one doesn't matter here: lsm1 has read the id by then.
        let _snapshot = match self.cursor() {
            Err(error) if error.code() == LsmErrorCode::LsmMismatch && !self.read_only => None,
            snapshot => Some(snapshot?),
        };
        // SAFETY: the handle is live and open, and has a snapshot if it is read-only; the
        // argument is one `unsigned int *`, of the same size and alignment as `int *`.
        let (rc, id) = unsafe { params::info_int(self.db, ffi::LSM_INFO_COMPRESSION_ID) };
        self.check("compression id", rc)?;
        Ok(u32::from_ne_bytes(id.to_ne_bytes()))
    }

    /// Opens a cursor, which also opens a snapshot if the connection has none.
    pub(crate) fn cursor(&self) -> Result<Cursor<'_>, LsmError> {
        self.refuse_codecs("open a cursor")?;
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
        if self.hooks.report().in_codec() {
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
    /// The connection is gone all the same; what wasn't written is in the log.
    pub(crate) fn close(mut self) -> Result<(), LsmError> {
        let rc = self.close_handle();
        self.check("close", rc)
    }

    fn close_handle(&mut self) -> c_int {
        let db = self.exclusive();
        // SAFETY: `db` is live, without cursors, and ours by `&mut self`. Without a
        // transaction this does nothing.
        unsafe { ffi::lsm_rollback(db, 0) };
        self.closed = true;
        // SAFETY: `db` is live, without cursor or transaction, so lsm1 frees it whatever it
        // returns; `closed` keeps `Drop`, the only one left, from using it.
        unsafe { ffi::lsm_close(db) }
    }

    /// The handle for a call that must not meet an open cursor: closes leaked ones.
    fn exclusive(&mut self) -> *mut ffi::lsm_db {
        for csr in self.cursors.get_mut().drain(..) {
            // SAFETY: what is in the list is open. `&mut self` proves that no `Cursor`
            // lives, so the owners were leaked and never touch it again.
            unsafe { ffi::lsm_csr_close(csr.as_ptr()) };
        }
        self.db.as_ptr()
    }

    fn writable(&mut self, operation: &'static str) -> Result<*mut ffi::lsm_db, LsmError> {
        self.refuse_read_only(operation)?;
        if let Transaction::Failed(error) = &self.transaction {
            return Err(error.clone());
        }
        Ok(self.exclusive())
    }

    /// The handle for work on the file, which lsm1 allows only outside of transactions.
    fn idle(&mut self, operation: &'static str) -> Result<*mut ffi::lsm_db, LsmError> {
        self.refuse_read_only(operation)?;
        if self.in_transaction() {
            let error = self.error(operation, LsmErrorCode::LsmMisuse);
            return Err(error.with_message("a transaction is open"));
        }
        Ok(self.exclusive())
    }

    fn refuse_read_only(&self, operation: &'static str) -> Result<(), LsmError> {
        if self.read_only {
            return Err(self.error(operation, LsmErrorCode::LsmReadOnly));
        }
        Ok(())
    }

    fn entry_len(
        &self,
        operation: &'static str,
        key: &[u8],
        value: &[u8],
    ) -> Result<(c_int, c_int), LsmError> {
        let total = key.len().saturating_add(value.len());
        let lengths = (c_int::try_from(key.len()), c_int::try_from(value.len()));
        if let (true, (Ok(n_key), Ok(n_val))) = (total <= MAX_ENTRY_BYTES, lengths) {
            return Ok((n_key, n_val));
        }
        let message = format!("key and value take {total} bytes; the limit is {MAX_ENTRY_BYTES}");
        let error = self.error(operation, LsmErrorCode::LsmConversionErr);
        Err(error.with_message(message))
    }

    fn written(&mut self, operation: &'static str, rc: c_int) -> Result<(), LsmError> {
        if rc != ffi::LSM_OK && self.in_transaction() {
            // Also if `check` doesn't return because a codec's panic goes on.
            let error = LsmError::from_raw(operation, rc).with_path(&self.path);
            self.transaction = Transaction::Failed(error);
        }
        let result = self.outcome(operation, rc);
        if self.in_transaction() {
            // Recorded before a caught panic goes on: it dooms the transaction too.
            match &result {
                Err(error) => self.transaction = Transaction::Failed(error.clone()),
                Ok(()) if panic::is_pending() => {
                    let error = self.error(operation, LsmErrorCode::LsmError);
                    let error = error.with_message("a page codec panicked");
                    self.transaction = Transaction::Failed(error);
                }
                Ok(()) => {}
            }
        }
        panic::resume();
        result
    }

    fn error(&self, operation: &'static str, code: LsmErrorCode) -> LsmError {
        LsmError::new(operation, code).with_path(&self.path)
    }

    /// A codec runs inside a call on its connection; lsm1 must not be entered again from it.
    pub(super) fn refuse_codecs(&self, operation: &'static str) -> Result<(), LsmError> {
        if self.hooks.report().in_codec() {
            let error = self.error(operation, LsmErrorCode::LsmMisuse);
            return Err(error.with_message("a page codec can't use the database it works for"));
        }
        Ok(())
    }

    /// Reads a result code. A panic that a codec raised during the call goes on here.
    pub(super) fn check(&self, operation: &'static str, rc: c_int) -> Result<(), LsmError> {
        panic::resume();
        self.outcome(operation, rc)
    }

    /// Reads a result code; the one place that does.
    fn outcome(&self, operation: &'static str, rc: c_int) -> Result<(), LsmError> {
        if rc == ffi::LSM_OK {
            return Ok(());
        }
        let error = LsmError::from_raw(operation, rc).with_path(&self.path);
        Err(match self.hooks.report().take() {
            Some(message) => error.with_message(message),
            None => error,
        })
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if !self.closed {
            // Nobody is left to hear of an error: `close` is for those who want to.
            self.close_handle();
            panic::discard();
        }
    }
}
