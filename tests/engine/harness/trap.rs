//! Shared memory that changes at the very moment when somebody reads on from one page of it
//! to the next: what another process may do between two reads, made to happen. Nobody can
//! touch what lies behind any piece of it.

use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::ffi;

const PAGE: usize = 4096;

/// Where in the first piece of shared memory a page is to begin.
static BOUNDARY: AtomicUsize = AtomicUsize::new(0);
/// That piece, once it is mapped.
static HEADER: AtomicPtr<u8> = AtomicPtr::new(ptr::null_mut());
/// The page that nobody can read now.
static LOCKED: AtomicPtr<u8> = AtomicPtr::new(ptr::null_mut());
/// The word that gets its value back then, and the value.
static WORD: AtomicPtr<u64> = AtomicPtr::new(ptr::null_mut());
static VALUE: AtomicU64 = AtomicU64::new(0);
static SPRANG: AtomicBool = AtomicBool::new(false);

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// The first piece of the shared memory of databases that are opened with `trap: true`, of
/// which there may be one at a time.
pub struct Trap {
    _alone: MutexGuard<'static, ()>,
    before: libc::sigaction,
}

impl Trap {
    /// A page will begin at `boundary`, a multiple of 8.
    pub fn new(boundary: usize) -> Trap {
        let alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        BOUNDARY.store(boundary, SeqCst);
        SPRANG.store(false, SeqCst);
        let handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) = touched;
        // SAFETY: both structures are valid when zeroed, and live for the call; the handler
        // has the signature that SA_SIGINFO asks for.
        let before = unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = handler as usize;
            action.sa_flags = libc::SA_SIGINFO;
            let mut before = std::mem::zeroed();
            assert_eq!(libc::sigaction(libc::SIGSEGV, &action, &mut before), 0);
            before
        };
        Trap {
            _alone: alone,
            before,
        }
    }

    /// The bytes from `at`, up to 32 KiB in all. Nobody else may be using the memory.
    pub fn read(&self, at: usize, len: usize) -> Vec<u8> {
        // SAFETY: the piece is 32 KiB long and stays mapped.
        unsafe { std::slice::from_raw_parts(header().add(at), len) }.to_vec()
    }

    pub fn write(&self, at: usize, bytes: &[u8]) {
        // SAFETY: as above.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), header().add(at), bytes.len()) };
    }

    /// Spoils the word at `at`, a multiple of 8 before the boundary. It is repaired when
    /// somebody reads behind the boundary.
    pub fn set(&self, at: usize) {
        // SAFETY: both places are in the piece, and a page begins at the boundary.
        unsafe {
            let word = header().add(at).cast::<u64>();
            VALUE.store(word.read(), SeqCst);
            word.write(!word.read());
            WORD.store(word, SeqCst);
            let page = header().add(BOUNDARY.load(SeqCst));
            LOCKED.store(page, SeqCst);
            assert_eq!(libc::mprotect(page.cast(), PAGE, libc::PROT_NONE), 0);
        }
    }

    /// Whether that has happened.
    pub fn sprang(&self) -> bool {
        SPRANG.load(SeqCst)
    }
}

impl Drop for Trap {
    fn drop(&mut self) {
        HEADER.store(ptr::null_mut(), SeqCst);
        // SAFETY: what was there before is put back.
        unsafe { libc::sigaction(libc::SIGSEGV, &self.before, ptr::null_mut()) };
    }
}

fn header() -> *mut u8 {
    let header = HEADER.load(SeqCst);
    assert!(!header.is_null(), "no database has been opened");
    header
}

/// Repairs the word and lets the reader go on. Any other wrong access ends the process.
extern "C" fn touched(_: c_int, info: *mut libc::siginfo_t, _: *mut c_void) {
    // SAFETY: the kernel's information is valid in the handler; the page and the word are
    // those of `set`, and mprotect() and sigaction() may be called here.
    unsafe {
        let (at, page) = ((*info).si_addr() as usize, LOCKED.load(SeqCst));
        if page.is_null() || !(page as usize..page as usize + PAGE).contains(&at) {
            libc::signal(libc::SIGSEGV, libc::SIG_DFL);
            return;
        }
        LOCKED.store(ptr::null_mut(), SeqCst);
        libc::mprotect(page.cast(), PAGE, libc::PROT_READ | libc::PROT_WRITE);
        WORD.load(SeqCst).write(VALUE.load(SeqCst));
        SPRANG.store(true, SeqCst);
    }
}

/// lsm1's own environment with shared memory that is laid out as the [`Trap`] wants.
pub(super) fn env() -> *mut ffi::lsm_env {
    /// It stays mapped: some kilobytes, in most tests.
    unsafe extern "C" fn map(
        _: *mut ffi::lsm_file,
        chunk: c_int,
        size: c_int,
        out: *mut *mut c_void,
    ) -> c_int {
        const NOMEM: c_int = 7;
        let shift = match chunk {
            0 => (PAGE - BOUNDARY.load(SeqCst) % PAGE) % PAGE,
            _ => 0,
        };
        // A page more for the shift, and one that can't be touched.
        let size = size as usize + if chunk == 0 { 2 * PAGE } else { PAGE };
        // SAFETY: a new mapping that nobody knows yet; the shifted place is within it, and
        // `out` is lsm1's.
        unsafe {
            let memory = libc::mmap(
                ptr::null_mut(),
                size,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            );
            if memory == libc::MAP_FAILED {
                return NOMEM;
            }
            let behind = memory.cast::<u8>().add(size - PAGE);
            if libc::mprotect(behind.cast(), PAGE, libc::PROT_NONE) != 0 {
                return NOMEM;
            }
            let piece = memory.cast::<u8>().add(shift);
            if chunk == 0 {
                HEADER.store(piece, SeqCst);
            }
            *out = piece.cast();
        }
        0
    }
    unsafe extern "C" fn unmap(_: *mut ffi::lsm_file, _: c_int) -> c_int {
        0
    }

    static ENV: std::sync::OnceLock<usize> = std::sync::OnceLock::new();
    *ENV.get_or_init(|| {
        // SAFETY: the default environment is a static that nobody changes.
        let mut env = unsafe { *ffi::lsm_default_env() };
        env.xShmMap = Some(map);
        env.xShmUnmap = Some(unmap);
        Box::into_raw(Box::new(env)) as usize
    }) as *mut ffi::lsm_env
}

/// lsm1's own environment with a mapping that never stays where it was, and whose old place
/// can't be touched.
pub(super) fn moving() -> *mut ffi::lsm_env {
    unsafe extern "C" fn remap(
        file: *mut ffi::lsm_file,
        size: ffi::lsm_i64,
        at: *mut *mut c_void,
        length: *mut ffi::lsm_i64,
    ) -> c_int {
        // SAFETY: passed on as it came; what is kept from being used is what was unmapped.
        unsafe {
            let base = (*ffi::lsm_default_env()).xRemap.expect("xRemap");
            let (old, old_length) = (*at, *length);
            if size >= 0 && !old.is_null() && old_length > 0 {
                let rc = base(file, -1, at, length);
                if rc != 0 {
                    return rc;
                }
                let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED_NOREPLACE;
                libc::mmap(old, old_length as usize, libc::PROT_NONE, flags, -1, 0);
            }
            base(file, size, at, length)
        }
    }

    static ENV: std::sync::OnceLock<usize> = std::sync::OnceLock::new();
    *ENV.get_or_init(|| {
        // SAFETY: the default environment is a static that nobody changes.
        let mut env = unsafe { *ffi::lsm_default_env() };
        env.xRemap = Some(remap);
        Box::into_raw(Box::new(env)) as usize
    }) as *mut ffi::lsm_env
}
