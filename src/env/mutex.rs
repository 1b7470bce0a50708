//! The engine's mutexes: those of POSIX, whose meaning C compilers and race detectors know.
//!
//! None of these functions can report a failure to the engine. None can happen unless the
//! engine misuses a mutex; then the process ends with a message, because to go on without
//! the lock would destroy data.

use std::cell::UnsafeCell;
use std::ffi::c_int;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{process, ptr};

use crate::ffi;

/// What an `lsm_mutex` is.
struct Mutex {
    raw: UnsafeCell<libc::pthread_mutex_t>,
    /// The thread that holds it, 0 for none; only the engine's asserts ask.
    owner: AtomicUsize,
}

// SAFETY: a `pthread_mutex_t` is made to be used by several threads at once.
unsafe impl Sync for Mutex {}

impl Mutex {
    const fn new() -> Mutex {
        Mutex {
            raw: UnsafeCell::new(libc::PTHREAD_MUTEX_INITIALIZER),
            owner: AtomicUsize::new(0),
        }
    }
}

/// The engine's list of databases spans all environments, so they share the lock on it.
static STATIC: [Mutex; 2] = [const { Mutex::new() }; 2];

pub(super) unsafe extern "C" fn of_process(
    _: *mut ffi::lsm_env,
    number: c_int,
    out: *mut *mut ffi::lsm_mutex,
) -> c_int {
    let mutex = usize::try_from(number)
        .ok()
        .and_then(|number| STATIC.get(number.checked_sub(1)?));
    let Some(mutex) = mutex else {
        return ffi::LSM_MISUSE;
    };
    // SAFETY: `out` is a live local of the engine's. It uses the mutex through the functions
    // below only, which take shared references.
    unsafe { out.write(ptr::from_ref(mutex).cast_mut().cast()) };
    ffi::LSM_OK
}

pub(super) unsafe extern "C" fn new(
    env: *mut ffi::lsm_env,
    out: *mut *mut ffi::lsm_mutex,
) -> c_int {
    // SAFETY: the engine passes its environment.
    let block = unsafe { super::heap::malloc(env, size_of::<Mutex>()) };
    if block.is_null() {
        return ffi::LSM_NOMEM;
    }
    // SAFETY: the block is large enough, aligned like any of `malloc`, and ours alone; `out`
    // is a live local of the engine's.
    unsafe {
        block.cast::<Mutex>().write(Mutex::new());
        out.write(block.cast());
    }
    ffi::LSM_OK
}

pub(super) unsafe extern "C" fn delete(mutex: *mut ffi::lsm_mutex) {
    if mutex.is_null() {
        return;
    }
    // SAFETY: the engine deletes what `new` made, once, while nobody uses it.
    unsafe {
        libc::pthread_mutex_destroy((*mutex.cast::<Mutex>()).raw.get());
        super::heap::free(ptr::null_mut(), mutex.cast());
    }
}

pub(super) unsafe extern "C" fn enter(mutex: *mut ffi::lsm_mutex) {
    // SAFETY: the engine passes a mutex that one of the functions above gave it.
    let mutex = unsafe { &*mutex.cast::<Mutex>() };
    // SAFETY: the mutex is initialised and doesn't move.
    require(unsafe { libc::pthread_mutex_lock(mutex.raw.get()) });
    mutex.owner.store(this_thread(), Ordering::Relaxed);
}

/// 0 if the mutex could be had at once.
pub(super) unsafe extern "C" fn try_enter(mutex: *mut ffi::lsm_mutex) -> c_int {
    // SAFETY: as in `enter`.
    let mutex = unsafe { &*mutex.cast::<Mutex>() };
    // SAFETY: as in `enter`.
    let busy = unsafe { libc::pthread_mutex_trylock(mutex.raw.get()) };
    if busy == 0 {
        mutex.owner.store(this_thread(), Ordering::Relaxed);
    }
    busy
}

pub(super) unsafe extern "C" fn leave(mutex: *mut ffi::lsm_mutex) {
    // SAFETY: as in `enter`.
    let mutex = unsafe { &*mutex.cast::<Mutex>() };
    mutex.owner.store(0, Ordering::Relaxed);
    // SAFETY: the engine leaves what this thread has entered.
    require(unsafe { libc::pthread_mutex_unlock(mutex.raw.get()) });
}

pub(super) unsafe extern "C" fn is_held(mutex: *mut ffi::lsm_mutex) -> c_int {
    // SAFETY: as in `enter`; null counts as held, as the engine's asserts want it.
    let owner = unsafe { mutex.cast::<Mutex>().as_ref() }.map(|m| m.owner.load(Ordering::Relaxed));
    c_int::from(owner.is_none_or(|owner| owner == this_thread()))
}

pub(super) unsafe extern "C" fn is_not_held(mutex: *mut ffi::lsm_mutex) -> c_int {
    // SAFETY: as in `is_held`.
    let owner = unsafe { mutex.cast::<Mutex>().as_ref() }.map(|m| m.owner.load(Ordering::Relaxed));
    c_int::from(owner.is_none_or(|owner| owner != this_thread()))
}

/// A number of this thread's own, never 0.
fn this_thread() -> usize {
    thread_local!(static MARK: u8 = const { 0 });
    MARK.try_with(|mark| ptr::from_ref(mark).addr())
        .unwrap_or(1)
}

fn require(error: c_int) {
    if error != 0 {
        eprintln!("lsmlite: a mutex of the storage engine failed (error {error}); stopping");
        process::abort();
    }
}
