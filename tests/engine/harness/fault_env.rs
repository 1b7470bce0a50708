//! lsm1's own environment with calls that fail on demand.

use std::cell::RefCell;
use std::ffi::{c_int, c_void};
use std::ptr;

use crate::ffi;

/// What the fault environment is to do, and what it has counted, on this thread.
#[derive(Default, Clone, Debug)]
pub struct Faults {
    /// Fail the n-th call from now (1: the next).
    pub fail: Option<(Kind, u64)>,
    /// Go on failing after that.
    pub for_ever: bool,
    /// Fail only while this many calls have not failed yet; for reports.
    pub hit: bool,
    pub calls: [u64; 6],
    /// Allocations not yet freed.
    pub live: i64,
    /// Another process seems to hold this lock.
    pub held: Option<c_int>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Write,
    Read,
    Sync,
    Alloc,
    Map,
    Truncate,
}

thread_local! {
    static FAULTS: RefCell<Faults> = RefCell::new(Faults::default());
}

pub fn faults<T>(change: impl FnOnce(&mut Faults) -> T) -> T {
    FAULTS.with(|f| change(&mut f.borrow_mut()))
}

/// How many calls of this kind there have been on this thread.
pub fn calls(kind: Kind) -> u64 {
    faults(|f| f.calls[kind as usize])
}

/// Fails the n-th call of this kind from now.
pub fn fail_nth(kind: Kind, n: u64) {
    faults(|f| {
        f.fail = Some((kind, n));
        f.for_ever = false;
        f.hit = false;
    });
}

/// Fails every call of this kind from now.
pub fn fail_all(kind: Kind) {
    faults(|f| {
        f.fail = Some((kind, 1));
        f.for_ever = true;
        f.hit = false;
    });
}

/// Stops failing; true if a call has failed since the last request.
pub fn heal() -> bool {
    faults(|f| {
        f.fail = None;
        std::mem::take(&mut f.hit)
    })
}

fn strikes(kind: Kind) -> bool {
    faults(|f| {
        f.calls[kind as usize] += 1;
        match f.fail {
            Some((k, n)) if k == kind => {
                if n > 1 {
                    f.fail = Some((k, n - 1));
                    return false;
                }
                if !f.for_ever {
                    f.fail = None;
                }
                f.hit = true;
                true
            }
            _ => false,
        }
    })
}

/// lsm1's own environment with calls that ask [`Faults`] first.
pub(super) fn env() -> *mut ffi::lsm_env {
    const IOERR: c_int = 10;

    fn base() -> &'static ffi::lsm_env {
        // SAFETY: the default environment is a static that nobody changes.
        unsafe { &*ffi::lsm_default_env() }
    }
    unsafe extern "C" fn write(
        f: *mut ffi::lsm_file,
        off: ffi::lsm_i64,
        data: *mut c_void,
        n: c_int,
    ) -> c_int {
        if strikes(Kind::Write) {
            return IOERR;
        }
        // SAFETY: passed on as it came.
        unsafe { base().xWrite.expect("xWrite")(f, off, data, n) }
    }
    unsafe extern "C" fn read(
        f: *mut ffi::lsm_file,
        off: ffi::lsm_i64,
        data: *mut c_void,
        n: c_int,
    ) -> c_int {
        if strikes(Kind::Read) {
            return IOERR;
        }
        // SAFETY: passed on as it came.
        unsafe { base().xRead.expect("xRead")(f, off, data, n) }
    }
    unsafe extern "C" fn sync(_: *mut ffi::lsm_file) -> c_int {
        if strikes(Kind::Sync) {
            return IOERR;
        }
        0 // The tests look at the files of a process that goes on; no need to wait for disks.
    }
    unsafe extern "C" fn truncate(f: *mut ffi::lsm_file, n: ffi::lsm_i64) -> c_int {
        if strikes(Kind::Truncate) {
            return IOERR;
        }
        // SAFETY: passed on as it came.
        unsafe { base().xTruncate.expect("xTruncate")(f, n) }
    }
    unsafe extern "C" fn test_lock(
        f: *mut ffi::lsm_file,
        first: c_int,
        count: c_int,
        kind: c_int,
    ) -> c_int {
        const BUSY: c_int = 5;
        if faults(|f| f.held).is_some_and(|held| (first..first + count).contains(&held)) {
            return BUSY;
        }
        // SAFETY: passed on as it came.
        unsafe { base().xTestLock.expect("xTestLock")(f, first, count, kind) }
    }
    unsafe extern "C" fn shm_map(
        f: *mut ffi::lsm_file,
        chunk: c_int,
        size: c_int,
        out: *mut *mut c_void,
    ) -> c_int {
        if strikes(Kind::Map) {
            return IOERR;
        }
        // SAFETY: passed on as it came.
        unsafe { base().xShmMap.expect("xShmMap")(f, chunk, size, out) }
    }
    unsafe extern "C" fn malloc(env: *mut ffi::lsm_env, n: usize) -> *mut c_void {
        if strikes(Kind::Alloc) {
            return ptr::null_mut();
        }
        faults(|f| f.live += 1);
        // SAFETY: passed on as it came; what was allocated is `n` bytes long.
        unsafe {
            let memory = base().xMalloc.expect("xMalloc")(env, n as _);
            if !memory.is_null() {
                // Shows what is used without having been written to.
                ptr::write_bytes(memory.cast::<u8>(), 0x5a, n);
            }
            memory
        }
    }
    unsafe extern "C" fn realloc(env: *mut ffi::lsm_env, p: *mut c_void, n: usize) -> *mut c_void {
        if n > 0 && strikes(Kind::Alloc) {
            return ptr::null_mut();
        }
        faults(|f| f.live += i64::from(p.is_null()) - i64::from(n == 0));
        // SAFETY: passed on as it came.
        unsafe { base().xRealloc.expect("xRealloc")(env, p, n as _) }
    }
    unsafe extern "C" fn free(env: *mut ffi::lsm_env, p: *mut c_void) {
        faults(|f| f.live -= i64::from(!p.is_null()));
        if !p.is_null() {
            // Overwrite what is freed, so that using it afterwards does not go unnoticed.
            // SAFETY: the block is live, and its size may count a header of 8 bytes before it.
            unsafe {
                let size = base().xSize.expect("xSize")(env, p);
                ptr::write_bytes(p.cast::<u8>(), 0xa5, size.saturating_sub(8));
            }
        }
        // SAFETY: passed on as it came.
        unsafe { base().xFree.expect("xFree")(env, p) }
    }

    static ENV: std::sync::OnceLock<usize> = std::sync::OnceLock::new();
    *ENV.get_or_init(|| {
        let mut env = *base();
        env.xWrite = Some(write);
        env.xRead = Some(read);
        env.xSync = Some(sync);
        env.xTruncate = Some(truncate);
        env.xTestLock = Some(test_lock);
        env.xShmMap = Some(shm_map);
        env.xMalloc = Some(malloc);
        env.xRealloc = Some(realloc);
        env.xFree = Some(free);
        Box::into_raw(Box::new(env)) as usize
    }) as *mut ffi::lsm_env
}
