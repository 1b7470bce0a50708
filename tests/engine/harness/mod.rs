//! A thin owning layer over lsm1's C API, for tests only: handles that close themselves,
//! return codes as `Result`, keys and values as bytes, an environment that fails on demand.
//!
//! All `unsafe` of this test program is here.

mod fault_env;
#[cfg(target_os = "linux")]
pub mod trap;
mod zero_runs;

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::fmt;
use std::path::{Path, PathBuf};
use std::ptr::{self, NonNull};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use crate::ffi;

#[allow(unused_imports)] // Not for tests/model.
pub use fault_env::{Kind, calls, fail_all, fail_nth, faults, heal};

/// A return code of lsm1 other than `LSM_OK`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Code(pub c_int);

impl Code {
    /// The commit took effect; what failed is work that followed.
    pub fn is_committed(self) -> bool {
        self.0 & ffi::LSM_COMMITTED != 0
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.0 & 0xff {
            1 => "ERROR",
            5 => "BUSY",
            7 => "NOMEM",
            8 => "READONLY",
            10 => "IOERR",
            11 => "CORRUPT",
            13 => "FULL",
            14 => "CANTOPEN",
            15 => "PROTOCOL",
            21 => "MISUSE",
            50 => "MISMATCH",
            _ => "?",
        };
        write!(f, "{name} ({})", self.0)
    }
}

pub type Rc<T = ()> = Result<T, Code>;

pub const BUSY: Code = Code(5);
pub const CORRUPT: Code = Code(11);
pub const MISUSE: Code = Code(21);

fn check(rc: c_int) -> Rc {
    if rc == 0 { Ok(()) } else { Err(Code(rc)) }
}

/// What a connection is opened with; lsm1's defaults unless changed.
#[derive(Clone, Debug)]
pub struct Config {
    pub page_size: c_int,
    pub block_kib: c_int,
    pub autoflush_kib: c_int,
    pub autocheckpoint_kib: c_int,
    pub automerge: c_int,
    pub autowork: bool,
    pub mmap: bool,
    pub safety: c_int,
    pub use_log: bool,
    pub multi_process: bool,
    pub max_freelist: c_int,
    pub read_only: bool,
    pub compression: bool,
    /// Memory for filters in KiB; `Db::get_in_place` uses them.
    pub filter_kib: c_int,
    /// Go through the environment that obeys [`Faults`].
    pub faults: bool,
    /// Use shared memory that obeys a `trap::Trap`.
    pub trap: bool,
    /// Let the mapping move whenever it grows.
    pub moving_maps: bool,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            page_size: 4096,
            block_kib: 1024,
            autoflush_kib: 1024,
            autocheckpoint_kib: 2048,
            automerge: 4,
            autowork: true,
            mmap: false,
            safety: 1,
            use_log: true,
            multi_process: false,
            max_freelist: 24,
            read_only: false,
            compression: false,
            filter_kib: 16 * 1024,
            faults: false,
            trap: false,
            moving_maps: false,
        }
    }
}

/// A connection. Dropping it rolls back and closes.
pub struct Db {
    raw: NonNull<ffi::lsm_db>,
    closed: bool,
    pub path: PathBuf,
}

// SAFETY: a connection may move between threads as long as one at a time uses it, and `Db`
// is not `Sync`.
unsafe impl Send for Db {}

impl Db {
    pub fn open(path: &Path, config: &Config) -> Rc<Db> {
        let mut db = Db::unopened(config)?;
        db.attach(path)?;
        Ok(db)
    }

    /// A configured handle that is not yet open.
    pub fn unopened(config: &Config) -> Rc<Db> {
        let env = match (config.faults, config.trap) {
            (true, _) => fault_env::env(),
            #[cfg(target_os = "linux")]
            (false, true) => trap::env(),
            #[cfg(target_os = "linux")]
            _ if config.moving_maps => trap::moving(),
            _ => ptr::null_mut(),
        };
        let mut raw = ptr::null_mut();
        // SAFETY: `env` is null or lives for the whole process; `raw` is a live local.
        check(unsafe { ffi::lsm_new(env, &mut raw) })?;
        let db = Db {
            raw: NonNull::new(raw).expect("lsm_new gave no handle"),
            closed: false,
            path: PathBuf::new(),
        };
        db.configure(config)?;
        Ok(db)
    }

    /// Opens the handle. If that fails the handle stays as lsm1 left it.
    pub fn attach(&mut self, path: &Path) -> Rc {
        path.clone_into(&mut self.path);
        let name = CString::new(path.to_str().expect("UTF-8 path")).expect("no NUL");
        // SAFETY: the handle is live and `name` a C string that outlives the call.
        check(unsafe { ffi::lsm_open(self.raw.as_ptr(), name.as_ptr()) })
    }

    fn configure(&self, c: &Config) -> Rc {
        // A larger block first, so that the page size fits it at every moment.
        self.set(ffi::LSM_CONFIG_BLOCK_SIZE, c.block_kib.max(1024))?;
        self.set(ffi::LSM_CONFIG_PAGE_SIZE, c.page_size)?;
        self.set(ffi::LSM_CONFIG_BLOCK_SIZE, c.block_kib)?;
        self.set(ffi::LSM_CONFIG_AUTOFLUSH, c.autoflush_kib)?;
        self.set(ffi::LSM_CONFIG_AUTOCHECKPOINT, c.autocheckpoint_kib)?;
        self.set(ffi::LSM_CONFIG_AUTOMERGE, c.automerge)?;
        self.set(ffi::LSM_CONFIG_AUTOWORK, c_int::from(c.autowork))?;
        self.set(ffi::LSM_CONFIG_MMAP, c_int::from(c.mmap))?;
        self.set(ffi::LSM_CONFIG_SAFETY, c.safety)?;
        self.set(ffi::LSM_CONFIG_USE_LOG, c_int::from(c.use_log))?;
        self.set(
            ffi::LSM_CONFIG_MULTIPLE_PROCESSES,
            c_int::from(c.multi_process),
        )?;
        self.set(ffi::LSM_CONFIG_MAX_FREELIST, c.max_freelist)?;
        self.set(ffi::LSM_CONFIG_READONLY, c_int::from(c.read_only))?;
        // SAFETY: the handle is live, and not open yet.
        check(unsafe { ffi::lsmlite_filter_memory(self.raw.as_ptr(), c.filter_kib) })?;
        if c.compression {
            let mut hook = ffi::lsm_compress {
                pCtx: ptr::null_mut(),
                iId: 4242,
                xBound: Some(zero_runs::bound),
                xCompress: Some(zero_runs::compress),
                xUncompress: Some(zero_runs::uncompress),
                xFree: None,
                xRun: None,
                xChecksum: None,
            };
            // SAFETY: lsm1 copies the struct; its functions live for ever and use no context.
            check(unsafe {
                ffi::lsm_config(
                    self.raw.as_ptr(),
                    ffi::LSM_CONFIG_SET_COMPRESSION,
                    &raw mut hook,
                )
            })?;
        }
        Ok(())
    }

    /// Sets an integer parameter and returns what lsm1 made of it.
    pub fn set(&self, parameter: c_int, value: c_int) -> Rc<c_int> {
        let mut value = value;
        // SAFETY: all parameters passed here take a pointer to int, which is a live local.
        check(unsafe { ffi::lsm_config(self.raw.as_ptr(), parameter, &raw mut value) })?;
        Ok(value)
    }

    pub fn insert(&self, key: &[u8], value: &[u8]) -> Rc {
        self.insert_lengths(key, key.len() as c_int, value, value.len() as c_int)
    }

    /// An insert with lengths of its own, which must not exceed the real ones.
    pub fn insert_lengths(&self, key: &[u8], n_key: c_int, value: &[u8], n_value: c_int) -> Rc {
        assert!(i64::from(n_key) <= key.len() as i64 && i64::from(n_value) <= value.len() as i64);
        // As C programs pass nothing.
        let key_pointer = if key.is_empty() {
            ptr::null()
        } else {
            key.as_ptr()
        };
        // SAFETY: the handle is live and both buffers are at least as long as they claim.
        check(unsafe {
            ffi::lsm_insert(
                self.raw.as_ptr(),
                key_pointer.cast(),
                n_key,
                value.as_ptr().cast(),
                n_value,
            )
        })
    }

    pub fn delete(&self, key: &[u8]) -> Rc {
        self.delete_length(key, key.len() as c_int)
    }

    /// A delete with a length of its own, which must not exceed the real one.
    pub fn delete_length(&self, key: &[u8], n_key: c_int) -> Rc {
        assert!(i64::from(n_key) <= key.len() as i64);
        // SAFETY: the handle is live and the buffer at least as long as it claims.
        check(unsafe { ffi::lsm_delete(self.raw.as_ptr(), key.as_ptr().cast(), n_key) })
    }

    pub fn delete_range(&self, begin: &[u8], end: &[u8]) -> Rc {
        // SAFETY: the handle is live and the lengths are those of the buffers.
        check(unsafe {
            ffi::lsm_delete_range(
                self.raw.as_ptr(),
                begin.as_ptr().cast(),
                begin.len() as c_int,
                end.as_ptr().cast(),
                end.len() as c_int,
            )
        })
    }

    pub fn begin(&self, level: c_int) -> Rc {
        // SAFETY: the handle is live.
        check(unsafe { ffi::lsm_begin(self.raw.as_ptr(), level) })
    }

    pub fn commit(&self, level: c_int) -> Rc {
        // SAFETY: the handle is live.
        check(unsafe { ffi::lsm_commit(self.raw.as_ptr(), level) })
    }

    pub fn rollback(&self, level: c_int) -> Rc {
        // SAFETY: the handle is live.
        check(unsafe { ffi::lsm_rollback(self.raw.as_ptr(), level) })
    }

    pub fn flush(&self) -> Rc {
        // SAFETY: the handle is live.
        check(unsafe { ffi::lsm_flush(self.raw.as_ptr()) })
    }

    /// Merges down to `n_merge` segments, writing up to `kib` (-1: no limit).
    pub fn work(&self, n_merge: c_int, kib: c_int) -> Rc<c_int> {
        let mut written = 0;
        // SAFETY: the handle and the out-parameter are live.
        check(unsafe { ffi::lsm_work(self.raw.as_ptr(), n_merge, kib, &mut written) })?;
        Ok(written)
    }

    pub fn checkpoint(&self) -> Rc {
        // SAFETY: the handle is live and a null out-parameter is allowed.
        check(unsafe { ffi::lsm_checkpoint(self.raw.as_ptr(), ptr::null_mut()) })
    }

    #[allow(dead_code)] // For tests/model.
    /// What lsm1 tells about itself as text; `what` is one of the `LSM_INFO_*` that do.
    pub fn describe(&self, what: c_int) -> Rc<String> {
        let mut text: *mut c_char = ptr::null_mut();
        // SAFETY: the handle is live, these requests take one `char **`, and it is a live
        // local.
        check(unsafe { ffi::lsm_info(self.raw.as_ptr(), what, &raw mut text) })?;
        if text.is_null() {
            return Ok(String::new());
        }
        // SAFETY: lsm1 has just made the string and hands it over, to be freed here.
        unsafe {
            let owned = CStr::from_ptr(text).to_string_lossy().into_owned();
            ffi::lsm_free(ffi::lsm_get_env(self.raw.as_ptr()), text.cast());
            Ok(owned)
        }
    }

    pub fn cursor(&self) -> Rc<Cursor<'_>> {
        let mut raw = ptr::null_mut();
        // SAFETY: the handle and the out-parameter are live.
        check(unsafe { ffi::lsm_csr_open(self.raw.as_ptr(), &mut raw) })?;
        Ok(Cursor {
            raw: NonNull::new(raw).expect("lsm_csr_open gave no cursor"),
            _db: self,
        })
    }

    pub fn get(&self, key: &[u8]) -> Rc<Option<Vec<u8>>> {
        let mut cursor = self.cursor()?;
        cursor.seek(key, Seek::Eq)?;
        if cursor.valid() {
            cursor.value().map(Some)
        } else {
            Ok(None)
        }
    }

    /// The same in one call of ours, without copies in the engine.
    pub fn get_in_place(&self, key: &[u8]) -> Rc<Option<Vec<u8>>> {
        let n_key = c_int::try_from(key.len()).expect("a short key");
        let (mut raw, mut data, mut len) = (ptr::null_mut(), ptr::null(), 0);
        // SAFETY: the handle, the key and the out-parameters are live; a cursor that comes is closed
        // once, after the value was copied.
        unsafe {
            check(ffi::lsmlite_get(
                self.raw.as_ptr(),
                key.as_ptr().cast(),
                n_key,
                &mut raw,
                &mut data,
                &mut len,
            ))?;
            if raw.is_null() {
                return Ok(None);
            }
            let value = copy(data, len);
            ffi::lsm_csr_close(raw);
            Ok(Some(value))
        }
    }

    /// All records by a forward scan.
    pub fn scan(&self) -> Rc<Vec<(Vec<u8>, Vec<u8>)>> {
        let mut cursor = self.cursor()?;
        let mut all = Vec::new();
        cursor.first()?;
        while cursor.valid() {
            all.push((cursor.key()?, cursor.value()?));
            cursor.next()?;
        }
        Ok(all)
    }

    /// Closes and tells how it went. The handle is gone in any case but MISUSE.
    pub fn close(mut self) -> Rc {
        self.closed = true;
        let raw = self.raw;
        // SAFETY: the handle is live, no cursor borrows it, and nobody uses it after this.
        check(unsafe { ffi::lsm_close(raw.as_ptr()) })
    }

    /// Frees the handle, with a transaction that may be open, and writes nothing.
    pub fn abandon(mut self) {
        self.closed = true;
        // SAFETY: the handle is live, no cursor borrows it, and nobody uses it after this.
        unsafe { ffi::lsmlite_abandon(self.raw.as_ptr()) };
    }
}

impl Drop for Db {
    fn drop(&mut self) {
        if self.closed {
            return;
        }
        // SAFETY: the handle is live, no cursor borrows it, and nobody uses it after this.
        unsafe {
            ffi::lsm_rollback(self.raw.as_ptr(), 0);
            ffi::lsm_close(self.raw.as_ptr());
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Seek {
    Le = ffi::LSM_SEEK_LE as isize,
    Eq = ffi::LSM_SEEK_EQ as isize,
    Ge = ffi::LSM_SEEK_GE as isize,
}

/// A cursor, closed when dropped.
pub struct Cursor<'db> {
    raw: NonNull<ffi::lsm_cursor>,
    _db: &'db Db,
}

impl Cursor<'_> {
    pub fn seek(&mut self, key: &[u8], how: Seek) -> Rc {
        self.seek_length(key, key.len() as c_int, how)
    }

    /// A seek with a length of its own, which must not exceed the real one.
    pub fn seek_length(&mut self, key: &[u8], n_key: c_int, how: Seek) -> Rc {
        assert!(i64::from(n_key) <= key.len() as i64);
        // SAFETY: the cursor is live and the buffer at least as long as it claims.
        check(unsafe {
            ffi::lsm_csr_seek(self.raw.as_ptr(), key.as_ptr().cast(), n_key, how as c_int)
        })
    }

    pub fn first(&mut self) -> Rc {
        // SAFETY: the cursor is live.
        check(unsafe { ffi::lsm_csr_first(self.raw.as_ptr()) })
    }

    pub fn last(&mut self) -> Rc {
        // SAFETY: the cursor is live.
        check(unsafe { ffi::lsm_csr_last(self.raw.as_ptr()) })
    }

    pub fn next(&mut self) -> Rc {
        // SAFETY: the cursor is live.
        check(unsafe { ffi::lsm_csr_next(self.raw.as_ptr()) })
    }

    pub fn prev(&mut self) -> Rc {
        // SAFETY: the cursor is live.
        check(unsafe { ffi::lsm_csr_prev(self.raw.as_ptr()) })
    }

    pub fn valid(&self) -> bool {
        // SAFETY: the cursor is live.
        unsafe { ffi::lsm_csr_valid(self.raw.as_ptr()) != 0 }
    }

    /// Key and value by one call of ours, without copies in the engine.
    pub fn record_in_place(&self) -> Rc<Option<(Vec<u8>, Vec<u8>)>> {
        let (mut key, mut n_key) = (ptr::null(), 0);
        let (mut value, mut n_value) = (ptr::null(), 0);
        let mut is_record = 0;
        // SAFETY: the cursor and all out-parameters are live.
        check(unsafe {
            ffi::lsmlite_csr_step(
                self.raw.as_ptr(),
                0,
                &mut is_record,
                &mut key,
                &mut n_key,
                &mut value,
                &mut n_value,
            )
        })?;
        Ok((is_record != 0).then(|| (copy(key, n_key), copy(value, n_value))))
    }

    /// The records that follow (1), or come before (-1), as far as the engine shows them without a
    /// step.
    #[allow(dead_code)] // For tests/model.
    pub fn ahead(&self, direction: c_int) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut records = [ffi::lsmlite_record {
            pKey: ptr::null(),
            pVal: ptr::null(),
            nKey: 0,
            nVal: 0,
        }; 8];
        // SAFETY: the cursor is live, and there is room for so many records.
        let count = unsafe {
            ffi::lsmlite_csr_ahead(self.raw.as_ptr(), direction, records.as_mut_ptr(), 8)
        };
        (records[..usize::try_from(count).expect("negative count")].iter())
            .map(|record| {
                (
                    copy(record.pKey, record.nKey),
                    copy(record.pVal, record.nVal),
                )
            })
            .collect()
    }

    /// Goes to the `n`th of the records that were shown by [`ahead`](Self::ahead).
    #[allow(dead_code)] // For tests/model.
    pub fn pass(&mut self, direction: c_int, n: c_int) -> Rc {
        // SAFETY: the cursor is live.
        check(unsafe { ffi::lsmlite_csr_pass(self.raw.as_ptr(), direction, n) })
    }

    pub fn key(&self) -> Rc<Vec<u8>> {
        let (mut data, mut len) = (ptr::null(), 0);
        // SAFETY: the cursor and both out-parameters are live.
        check(unsafe { ffi::lsm_csr_key(self.raw.as_ptr(), &mut data, &mut len) })?;
        Ok(copy(data, len))
    }

    pub fn value(&self) -> Rc<Vec<u8>> {
        let (mut data, mut len) = (ptr::null(), 0);
        // SAFETY: the cursor and both out-parameters are live.
        check(unsafe { ffi::lsm_csr_value(self.raw.as_ptr(), &mut data, &mut len) })?;
        Ok(copy(data, len))
    }
}

impl Drop for Cursor<'_> {
    fn drop(&mut self) {
        // SAFETY: the cursor is live and nobody uses it after this.
        unsafe {
            ffi::lsm_csr_close(self.raw.as_ptr());
        }
    }
}

fn copy(data: *const c_void, len: c_int) -> Vec<u8> {
    let len = usize::try_from(len).expect("negative length");
    if len == 0 {
        return Vec::new();
    }
    assert!(!data.is_null(), "NULL for {len} bytes");
    // SAFETY: lsm1 has just set both on success, and nothing has touched the cursor since.
    unsafe { std::slice::from_raw_parts(data.cast::<u8>(), len) }.to_vec()
}

/// Maps shared memory for a file, unmaps it, maps it again and writes to it, through the
/// default environment.
pub fn remap_shared_memory(path: &Path) -> Rc {
    const CHUNK: c_int = 32 * 1024;
    let name = CString::new(path.to_str().expect("UTF-8 path")).expect("no NUL");
    // SAFETY: the default environment lives for ever and the functions are called in the
    // order that lsm1 uses: open, map, unmap, close. What is mapped is CHUNK bytes long.
    unsafe {
        let base = &mut *ffi::lsm_default_env();
        let (open, close) = (base.xOpen.expect("xOpen"), base.xClose.expect("xClose"));
        let (map, unmap) = (
            base.xShmMap.expect("xShmMap"),
            base.xShmUnmap.expect("xShmUnmap"),
        );
        let mut file = ptr::null_mut();
        check(open(base, name.as_ptr(), 0, &mut file))?;
        let mut chunk = ptr::null_mut();
        let mut result = check(map(file, 0, CHUNK, &mut chunk));
        if result.is_ok() {
            result = check(unmap(file, 1)).and_then(|()| check(map(file, 0, CHUNK, &mut chunk)));
        }
        if result.is_ok() {
            ptr::write_bytes(chunk.cast::<u8>(), 1, CHUNK as usize);
            result = check(unmap(file, 1));
        }
        check(close(file))?;
        result
    }
}

/// Asks the default environment for memory and tells whether it gave any.
pub fn can_allocate(size: usize) -> bool {
    // SAFETY: the default environment lives for ever; what it gives goes back at once.
    unsafe {
        let env = ffi::lsm_default_env();
        let block = ffi::lsm_malloc(env, size);
        ffi::lsm_free(env, block);
        !block.is_null()
    }
}

/// Runs `body` on a thread of its own and fails if it does not end in time: an endless loop
/// in C can't be stopped otherwise.
pub fn within<T: Send + 'static>(limit: Duration, body: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = channel();
    let thread = std::thread::spawn(move || {
        let result = body();
        let _ = sender.send(());
        result
    });
    match receiver.recv_timeout(limit) {
        Err(RecvTimeoutError::Timeout) => panic!("still running after {limit:?}"),
        Ok(()) | Err(RecvTimeoutError::Disconnected) => match thread.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        },
    }
}

/// What a crash would leave: the database file and the log as they are now, in a directory
/// of their own.
pub fn after_a_crash(path: &Path) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("temporary directory");
    let copy = dir.path().join("copy");
    std::fs::copy(path, &copy).expect("copy of the database");
    let log = |p: &Path| PathBuf::from(format!("{}-log", p.display()));
    if log(path).exists() {
        std::fs::copy(log(path), log(&copy)).expect("copy of the log");
    }
    (dir, copy)
}
